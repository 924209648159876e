//! Words, names, literals and signs of a rule, each with its place.

use std::ops::Range;

use super::ExpressionFault;
use crate::guest_text::GuestText;

/// The smallest thing that means something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, a function, or the name of a column.
    Word(String),
    /// The name of a column, for certain.
    Name(String),
    /// Digits, and perhaps a point with digits behind it.
    Number(String),
    /// A text literal.
    Text(String),
    /// An operator or a bracket.
    Sign(&'static str),
    /// Behind the last one.
    End,
}

/// Longer signs first.
const SIGNS: [&str; 13] = ["<>", "!=", "<=", ">=", "(", ")", ",", "+", "-", "*", "=", "<", ">"];

/// Cuts a text into tokens; the last is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, ExpressionFault> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_ascii_start();
    while let Some(first) = rest.chars().next() {
        let start = text.len().saturating_sub(rest.len());
        let (token, bytes) =
            token(first, rest).map_err(|fault| ExpressionFault { offset: start, ..fault })?;
        tokens.push((token, start..start.saturating_add(bytes)));
        rest = rest.get(bytes..).unwrap_or_default().trim_ascii_start();
    }
    tokens.push((Token::End, text.len()..text.len()));
    Ok(tokens)
}

/// Reads the token at the beginning of a text, and how long it is.
fn token(first: char, rest: &str) -> Result<(Token, usize), ExpressionFault> {
    if first.is_ascii_digit() {
        return number(rest);
    }
    if is_letter(first) {
        let word = leading(rest, |c| is_letter(c) || c.is_ascii_digit());
        return Ok((Token::Word(word.to_owned()), word.len()));
    }
    match first {
        '\'' => quoted(rest, '\'', "a text").map(|(text, bytes)| (Token::Text(text), bytes)),
        '"' => quoted(rest, '"', "a name").map(|(name, bytes)| (Token::Name(name), bytes)),
        _ => sign(first, rest),
    }
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn leading(rest: &str, is_in: impl Fn(char) -> bool) -> &str {
    rest.split_once(|c| !is_in(c)).map_or(rest, |(word, _)| word)
}

fn number(rest: &str) -> Result<(Token, usize), ExpressionFault> {
    let number = leading(rest, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'));
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return Err(ExpressionFault::new(0, format!("`{}` is no number", GuestText::new(number, 64)))
            .with_hint("write digits, and behind a point more of them: `1000`, `0.5`"));
    }
    Ok((Token::Number(number.to_owned()), number.len()))
}

/// Reads up to the closing quote. Two of them stand for one.
fn quoted(rest: &str, quote: char, what: &str) -> Result<(String, usize), ExpressionFault> {
    let mut inside = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return Ok((inside, at.saturating_add(1)));
        }
        inside.push(c);
    }
    Err(ExpressionFault::new(0, format!("{what} begins here and does not end"))
        .with_hint(format!("close it with {quote}; within it write {quote}{quote} for one")))
}

fn sign(first: char, rest: &str) -> Result<(Token, usize), ExpressionFault> {
    if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
        let one = if *sign == "!=" { "<>" } else { sign };
        return Ok((Token::Sign(one), sign.len()));
    }
    let fault = ExpressionFault::new(
        0,
        format!("`{}` means nothing here", GuestText::new(first.to_string().as_str(), 8)),
    );
    Err(match first {
        '/' | '%' => fault.with_hint("there is no division: multiply the other side, `a * c = b`"),
        '&' => fault.with_hint("write AND"),
        '|' => fault.with_hint("write OR; texts cannot be joined"),
        '!' => fault.with_hint("write NOT, or <> for unequal"),
        '.' => fault.with_hint("a number has a digit before its point; fields of an object cannot be named"),
        '`' | '[' => fault.with_hint("put names in \"double quotes\""),
        ';' => fault.with_hint("a rule is one expression, without an end sign"),
        c if c.is_alphabetic() => {
            fault.with_hint("put names with other letters than a-z in \"double quotes\"")
        }
        _ => fault,
    })
}
