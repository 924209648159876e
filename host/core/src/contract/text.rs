//! What a text must look like: patterns, and formats that have a name.
//!
//! A pattern is a search in the syntax of the `regex` crate. Texts are Unicode and `.` is a character, yet `\d`, `\w`, `\s`
//! and `\b` mean ASCII: a contract that asks for digits means those that a decimal reader takes. Time is linear in the text,
//! whatever the pattern is; what the pattern itself may cost is bounded when it is compiled.
//!
//! Formats follow the grammar of their RFC to the letter, and say nothing of what exists: no name is looked up.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use regex::{Regex, RegexBuilder};
use regex_syntax::ast::{
    Assertion, AssertionKind, Ast, ClassPerl, ClassPerlKind, ClassSetItem, ErrorKind, Visitor,
    parse::ParserBuilder, visit,
};
use regex_syntax::hir::{Look, translate::Translator};
use thiserror::Error;

use super::TextFormat;
use crate::fault::{Blame, Blamed};
use crate::guest_text::GuestText;

/// Most bytes of a pattern.
pub const PATTERN_BYTES_MAX: usize = 4096;
/// Deepest nesting of groups and classes in a pattern.
pub const PATTERN_DEPTH_MAX: u32 = 32;
/// Most bytes of a pattern once it is compiled.
pub const PATTERN_COMPILED_BYTES_MAX: usize = 1 << 20;
/// Most classes in a pattern that are folded to ignore case. Folding the letters of all the world costs a millisecond.
pub const PATTERN_FOLDED_CLASSES_MAX: usize = 64;

/// A pattern that has been compiled.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Regex,
    is_anchored: bool,
}

impl Pattern {
    /// Compiles a pattern, or says why it cannot be used.
    pub fn compile(pattern: &str) -> Result<Self, PatternFault> {
        if pattern.len() > PATTERN_BYTES_MAX {
            return Err(PatternFault::too_long(pattern.len()));
        }
        let ascii = in_ascii(pattern)?;
        let is_anchored = is_anchored(&ascii)?;
        let regex = RegexBuilder::new(&ascii)
            .size_limit(PATTERN_COMPILED_BYTES_MAX)
            .nest_limit(PATTERN_DEPTH_MAX.saturating_mul(4))
            .build()
            .map_err(|error| PatternFault::of_compiler(&error))?;
        Ok(Self { regex, is_anchored })
    }

    /// Returns whether the pattern is found somewhere in a text.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// Returns whether the pattern can only match a text as a whole.
    pub fn is_anchored(&self) -> bool {
        self.is_anchored
    }
}

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct PatternFault {
    /// What is wrong, with its place and its numbers.
    pub message: String,
    /// The next move.
    pub hint: Option<String>,
}

impl Blamed for PatternFault {
    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn code(&self) -> &'static str {
        "pattern-invalid"
    }

    fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

impl PatternFault {
    fn too_long(bytes: usize) -> Self {
        Self {
            message: format!("the pattern has {bytes} bytes, and at most {PATTERN_BYTES_MAX} are allowed"),
            hint: Some("a long list of values is better told by `validValues`".to_owned()),
        }
    }

    fn too_folded() -> Self {
        Self {
            message: format!("more than {PATTERN_FOLDED_CLASSES_MAX} classes of the pattern ignore case"),
            hint: Some("write both cases out instead of `(?i)`: `[Aa]`, `[A-Za-z]`".to_owned()),
        }
    }

    fn of_syntax(error: &regex_syntax::ast::Error) -> Self {
        let span = error.span();
        let place = span.start.offset..span.end.offset;
        let shown = error.pattern().get(place.clone()).unwrap_or_default();
        Self {
            message: format!("{} at byte {}: `{}`", error.kind(), place.start, GuestText::new(shown, 64)),
            hint: hint_for(error.kind()).map(str::to_owned),
        }
    }

    fn of_meaning(error: &regex_syntax::hir::Error) -> Self {
        let span = error.span();
        let shown = error.pattern().get(span.start.offset..span.end.offset).unwrap_or_default();
        Self { message: format!("{}: `{}`", error.kind(), GuestText::new(shown, 64)), hint: None }
    }

    fn of_compiler(error: &regex::Error) -> Self {
        if let regex::Error::CompiledTooBig(limit) = error {
            return Self {
                message: format!("the pattern takes more than {limit} bytes once it is compiled"),
                hint: Some(
                    "use smaller counts, as in `x{1,100}`, and fewer classes such as `\\pL` within them"
                        .to_owned(),
                ),
            };
        }
        // The rest was refused by the parser already. Of several lines the last is the reason.
        let reason = error.to_string();
        let reason = reason.lines().last().unwrap_or_default();
        Self { message: GuestText::new(reason.trim_start_matches("error: "), 256).to_string(), hint: None }
    }
}

fn hint_for(kind: &ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::UnsupportedLookAround => Some(
            "say it with two patterns, or with a rule of the table: what looks around takes unbounded time",
        ),
        ErrorKind::UnsupportedBackreference => {
            Some("write the text out twice: a pattern that refers back to a match takes unbounded time")
        }
        ErrorKind::EscapeUnrecognized => {
            Some("a backslash in double quotes is written twice in YAML: use single quotes")
        }
        ErrorKind::RepetitionMissing => Some("to match the character itself put a backslash before it"),
        ErrorKind::GroupUnclosed => Some("to match a bracket itself write `\\(`"),
        ErrorKind::ClassUnclosed => Some("to match a bracket itself write `\\[`"),
        ErrorKind::NestLimitExceeded(_) => Some("use fewer brackets within brackets"),
        _ => None,
    }
}

/// Writes the classes and word boundaries of a pattern out in ASCII, and leaves the rest as it is.
fn in_ascii(pattern: &str) -> Result<String, PatternFault> {
    let mut parser = ParserBuilder::new().nest_limit(PATTERN_DEPTH_MAX).build();
    let ast = parser.parse(pattern).map_err(|error| PatternFault::of_syntax(&error))?;
    let found = visit(&ast, Perl::default()).unwrap_or_default();
    if found.ignores_case && found.classes > PATTERN_FOLDED_CLASSES_MAX {
        return Err(PatternFault::too_folded());
    }
    let mut written = String::with_capacity(pattern.len());
    let mut from = 0;
    for (place, ascii) in found.places {
        written.push_str(pattern.get(from..place.start).unwrap_or_default());
        written.push_str(&ascii);
        from = place.end;
    }
    written.push_str(pattern.get(from..).unwrap_or_default());
    Ok(written)
}

/// What of a pattern would mean Unicode, in the order of the pattern, with what it is written as instead.
#[derive(Default)]
struct Perl {
    places: Vec<(Range<usize>, String)>,
    /// Classes of any kind.
    classes: usize,
    ignores_case: bool,
}

impl Visitor for Perl {
    type Output = Self;
    type Err = std::convert::Infallible;

    fn finish(self) -> Result<Self, Self::Err> {
        Ok(self)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        match ast {
            // A class that stands alone is not folded: the Kelvin sign is no `\w`, whatever the case.
            Ast::ClassPerl(class) => self.replace(class, |ascii| format!("(?-i:{ascii})")),
            Ast::Assertion(assertion) => self.bound(assertion),
            Ast::ClassUnicode(_) | Ast::ClassBracketed(_) => self.classes += 1,
            Ast::Flags(set) => self.ignores_case |= ignores_case(&set.flags),
            Ast::Group(group) => self.ignores_case |= group.flags().is_some_and(ignores_case),
            _ => {}
        }
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        match item {
            ClassSetItem::Perl(class) => self.replace(class, str::to_owned),
            ClassSetItem::Unicode(_) | ClassSetItem::Bracketed(_) => self.classes += 1,
            _ => {}
        }
        Ok(())
    }
}

impl Perl {
    fn replace(&mut self, class: &ClassPerl, written: impl FnOnce(&str) -> String) {
        // A space would be lost where `(?x)` is on.
        let ascii = match (&class.kind, class.negated) {
            (ClassPerlKind::Digit, false) => r"[0-9]",
            (ClassPerlKind::Digit, true) => r"[^0-9]",
            (ClassPerlKind::Space, false) => r"[\t\n\x0B\x0C\r\x20]",
            (ClassPerlKind::Space, true) => r"[^\t\n\x0B\x0C\r\x20]",
            (ClassPerlKind::Word, false) => r"[0-9A-Za-z_]",
            (ClassPerlKind::Word, true) => r"[^0-9A-Za-z_]",
        };
        self.places.push((class.span.start.offset..class.span.end.offset, written(ascii)));
    }

    fn bound(&mut self, assertion: &Assertion) {
        let ascii = match assertion.kind {
            AssertionKind::WordBoundary => r"(?-u:\b)",
            AssertionKind::NotWordBoundary => r"(?-u:\B)",
            AssertionKind::WordBoundaryStart | AssertionKind::WordBoundaryStartAngle => r"(?-u:\b{start})",
            AssertionKind::WordBoundaryEnd | AssertionKind::WordBoundaryEndAngle => r"(?-u:\b{end})",
            AssertionKind::WordBoundaryStartHalf => r"(?-u:\b{start-half})",
            AssertionKind::WordBoundaryEndHalf => r"(?-u:\b{end-half})",
            AssertionKind::StartLine
            | AssertionKind::EndLine
            | AssertionKind::StartText
            | AssertionKind::EndText => return,
        };
        self.places.push((assertion.span.start.offset..assertion.span.end.offset, ascii.to_owned()));
    }
}

fn ignores_case(flags: &regex_syntax::ast::Flags) -> bool {
    flags.flag_state(regex_syntax::ast::Flag::CaseInsensitive) == Some(true)
}

/// Whether every match begins and ends where the text does.
fn is_anchored(pattern: &str) -> Result<bool, PatternFault> {
    let mut parser = ParserBuilder::new().nest_limit(PATTERN_DEPTH_MAX.saturating_mul(4)).build();
    let ast = parser.parse(pattern).map_err(|error| PatternFault::of_syntax(&error))?;
    let hir = Translator::new().translate(pattern, &ast).map_err(|error| PatternFault::of_meaning(&error))?;
    let properties = hir.properties();
    Ok(properties.look_set_prefix().contains(Look::Start) && properties.look_set_suffix().contains(Look::End))
}

impl TextFormat {
    /// Returns whether a text is written in this format, as a whole.
    pub fn matches(self, text: &str) -> bool {
        match self {
            TextFormat::Uuid => is_uuid(text.as_bytes()),
            TextFormat::Email => is_mailbox(text),
            TextFormat::Uri => is_uri(text),
            TextFormat::Ipv4 => is_ipv4(text),
            TextFormat::Ipv6 => is_ipv6(text),
            TextFormat::Hostname => is_hostname(text),
        }
    }
}

/// RFC 9562, section 4: 8-4-4-4-12 hexadecimal digits of either case, of any version and variant.
fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// RFC 3986, section 3.2.2 (`IPv4address`): four numbers up to 255 without leading zeros.
fn is_ipv4(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok()
}

/// RFC 4291, section 2.2, all three forms; no zone (RFC 4007), no prefix length, no port.
fn is_ipv6(text: &str) -> bool {
    text.parse::<Ipv6Addr>().is_ok()
}

/// RFC 952 as amended by RFC 1123, section 2.1: labels of letters, digits and inner hyphens, 63 bytes each and 253 together.
/// The last is not all digits, so that a dotted address is no name; no dot at the end.
fn is_hostname(text: &str) -> bool {
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && are_labels(text) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

fn are_labels(text: &str) -> bool {
    text.split('.').all(|label| is_label(label.as_bytes()))
}

fn is_label(label: &[u8]) -> bool {
    let (Some(first), Some(last)) = (label.first(), label.last()) else { return false };
    label.len() <= 63
        && first.is_ascii_alphanumeric()
        && last.is_ascii_alphanumeric()
        && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// RFC 5321, section 4.1.2 (`Mailbox`), with the lengths of section 4.5.3.1. Of address literals (4.1.3) those that are
/// registered: IPv4 and IPv6.
fn is_mailbox(text: &str) -> bool {
    // The domain holds no `@`; a quoted local part may.
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    local.len() <= 64
        && text.len() <= 254
        && (is_dot_string(local) || is_quoted_string(local))
        && (are_labels(domain) || is_address_literal(domain))
}

fn is_dot_string(local: &str) -> bool {
    local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(|byte| ATEXT.has(byte)))
}

fn is_quoted_string(local: &str) -> bool {
    let inside = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inside) = inside else { return false };
    let mut bytes = inside.bytes();
    while let Some(byte) = bytes.next() {
        let is_good = match byte {
            b'"' => false,
            b'\\' => bytes.next().is_some_and(|escaped| matches!(escaped, 32..=126)),
            _ => matches!(byte, 32..=126),
        };
        if !is_good {
            return false;
        }
    }
    true
}

fn is_address_literal(domain: &str) -> bool {
    let inside = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside.is_some_and(|inside| {
        let tag = inside.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:"));
        tag.map_or_else(|| is_ipv4(inside), |_| inside.get(5..).is_some_and(is_ipv6))
    })
}

/// RFC 3986, section 3 (`URI`, with a scheme). What is not ASCII must be percent-encoded.
fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (hierarchy, query) = rest.split_once('?').unwrap_or((rest, ""));
    is_scheme(scheme.as_bytes()) && is_hierarchy(hierarchy) && QUERY.spells(query) && QUERY.spells(fragment)
}

fn is_scheme(scheme: &[u8]) -> bool {
    scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
}

fn is_hierarchy(hierarchy: &str) -> bool {
    let Some(rest) = hierarchy.strip_prefix("//") else { return PATH.spells(hierarchy) };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    is_authority(authority) && PATH.spells(path)
}

fn is_authority(authority: &str) -> bool {
    let (user, host_port) = authority.split_once('@').unwrap_or(("", authority));
    let host_end = host_port.rfind(']').map_or(0, |end| end.saturating_add(1));
    let (literal, after) = host_port.split_at(host_end);
    let (name, port) = after.split_once(':').unwrap_or((after, ""));
    let is_host =
        if literal.is_empty() { NAME.spells(name) } else { name.is_empty() && is_ip_literal(literal) };
    is_host && USER.spells(user) && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_ip_literal(literal: &str) -> bool {
    let inside = literal.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside.is_some_and(|inside| is_ipv6(inside) || is_future_address(inside))
}

/// `IPvFuture`: a version in hexadecimal, a dot, and an address of some kind.
fn is_future_address(inside: &str) -> bool {
    let version_rest = inside.strip_prefix(['v', 'V']).and_then(|rest| rest.split_once('.'));
    let Some((version, address)) = version_rest else { return false };
    let is_version = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_version && !address.is_empty() && !address.contains('%') && USER.spells(address)
}

const UNRESERVED: &[u8] = b"-._~";
const SUB_DELIMS: &[u8] = b"!$&'()*+,;=";
/// RFC 5321 takes it from RFC 5322, section 3.2.3.
const ATEXT: Letters = Letters::of(&[b"!#$%&'*+-/=?^_`{|}~"]);
const NAME: Letters = Letters::of(&[UNRESERVED, SUB_DELIMS]);
const USER: Letters = Letters::of(&[UNRESERVED, SUB_DELIMS, b":"]);
const PATH: Letters = Letters::of(&[UNRESERVED, SUB_DELIMS, b":@/"]);
const QUERY: Letters = Letters::of(&[UNRESERVED, SUB_DELIMS, b":@/?"]);

/// A set of ASCII characters: a bit for each. Letters and digits are always in it.
struct Letters(u128);

impl Letters {
    #[expect(
        clippy::indexing_slicing,
        reason = "there are no iterators in a constant, and the bounds stand beside it"
    )]
    const fn of(sets: &[&[u8]]) -> Self {
        let mut bits = 0;
        let mut byte = 0_u8;
        while byte < 128 {
            if byte.is_ascii_alphanumeric() {
                bits |= 1 << byte;
            }
            byte += 1;
        }
        let mut set = 0;
        while set < sets.len() {
            let mut at = 0;
            while at < sets[set].len() {
                bits |= 1 << sets[set][at];
                at += 1;
            }
            set += 1;
        }
        Self(bits)
    }

    fn has(&self, byte: u8) -> bool {
        byte < 128 && self.0 >> byte & 1 == 1
    }

    /// Returns whether a text is made of these, and of bytes as `%` and two hexadecimal digits.
    fn spells(&self, text: &str) -> bool {
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            let mut is_hex = || bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit());
            if !(self.has(byte) || byte == b'%' && is_hex() && is_hex()) {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests;
