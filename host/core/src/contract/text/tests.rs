use proptest::prelude::*;
use regex::Regex;

use super::*;

fn pattern(text: &str) -> Pattern {
    Pattern::compile(text).unwrap_or_else(|fault| panic!("{text}: {fault}"))
}

fn refusal(text: &str) -> String {
    let fault = Pattern::compile(text).expect_err(text);
    format!("{fault}; {}", fault.hint.clone().unwrap_or_default())
}

#[test]
fn a_pattern_is_a_search() {
    assert!(pattern("b+").is_match("abba"));
    assert!(!pattern("^b+$").is_match("abba"));
}

#[test]
fn digits_words_and_space_are_ascii() {
    for (class, foreign) in [(r"\d", "٣"), (r"\w", "é"), (r"\s", "\u{a0}")] {
        assert!(!pattern(class).is_match(foreign), "{class} matches {foreign:?}");
        assert!(pattern(&class.to_uppercase()).is_match(foreign), "{class} negated leaves {foreign:?} out");
        assert!(!pattern(&format!("[{class}]")).is_match(foreign), "[{class}] matches {foreign:?}");
        assert!(pattern(&format!("[^{class}]")).is_match(foreign), "[^{class}] leaves {foreign:?} out");
    }
}

#[test]
fn a_dot_is_a_character_though_classes_are_ascii() {
    assert!(pattern(r"^.\d$").is_match("é1"));
    assert!(pattern(r"^\D$").is_match("é"));
}

#[test]
fn a_word_class_alone_is_ascii_whatever_the_case() {
    for kelvin_or_long_s in ["\u{212a}", "ſ"] {
        assert!(!pattern(r"(?i)^\w$").is_match(kelvin_or_long_s));
        assert!(pattern(r"(?i)^\W$").is_match(kelvin_or_long_s));
    }
}

#[test]
fn a_space_survives_where_white_space_in_the_pattern_is_ignored() {
    assert!(pattern(r"(?x) ^ \s $ # comment").is_match(" "));
    assert!(pattern(r"(?x) ^ [\s] $").is_match(" "));
}

#[test]
fn other_classes_stay_unicode() {
    assert!(pattern(r"^\p{L}+$").is_match("é"));
    assert!(pattern(r"^[à-ÿ]$").is_match("é"));
}

#[test]
fn an_anchored_pattern_is_told_from_one_that_is_not() {
    for anchored in ["^a$", r"\Aa\z", "^(?:a|b)$", "^$", "^a$|^b$", "(^a|^b)$"] {
        assert!(pattern(anchored).is_anchored(), "{anchored}");
    }
    for loose in ["a", "^a", "a$", "^a|b$", "(?m)^a$", "", r"\^a\$", "^a$|b", "(^a$)?"] {
        assert!(!pattern(loose).is_anchored(), "{loose}");
    }
}

#[test]
fn what_needs_unbounded_time_is_refused_with_another_way() {
    assert_eq!(
        refusal("^(?=a)b"),
        "look-around, including look-ahead and look-behind, is not supported at byte 1: `(?=`; say it with two \
         patterns, or with a rule of the table: what looks around takes unbounded time"
    );
    assert!(
        refusal(r"(a)\1")
            .starts_with(r"backreferences are not supported at byte 3: `\1`; write the text out")
    );
}

#[test]
fn a_property_that_does_not_exist_is_named() {
    assert_eq!(refusal(r"\p{Letters}"), r"Unicode property not found: `\p{Letters}`; ");
}

#[test]
fn a_pattern_that_cannot_match_text_alone_is_refused() {
    assert!(refusal(r"(?-u:\xFF)").starts_with("pattern can match invalid UTF-8"));
}

#[test]
fn a_pattern_of_many_bytes_is_refused_with_both_numbers() {
    assert!(Pattern::compile(&"a".repeat(4096)).is_ok());
    assert!(
        refusal(&"a".repeat(4097)).starts_with("the pattern has 4097 bytes, and at most 4096 are allowed")
    );
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    for bomb in [
        r"(?:(?:(?:a{100}){100}){100}){100}",
        r"\p{L}{500}",
        r"(\p{L}{100}){100}",
        &"(".repeat(4000),
        &"[".repeat(4000),
        &format!("{}a{}", "(".repeat(2000), ")".repeat(2000)),
        &format!("(?i){}", r"\pL".repeat(1300)),
        &r"(?i:\pL)".repeat(400),
        &"x{1000}".repeat(500),
    ] {
        assert!(Pattern::compile(bomb).is_err(), "{}", &bomb[..20]);
    }
}

#[test]
fn a_hostile_text_takes_linear_time_only() {
    assert!(!pattern("^(a+)+$").is_match(&format!("{}b", "a".repeat(1 << 20))));
}

/// Whether a word boundary stands between two characters: as the word says, not as any library does.
fn is_boundary(before: Option<char>, after: Option<char>) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    before.is_some_and(is_word) != after.is_some_and(is_word)
}

fn has_place(text: &str, wanted: bool) -> bool {
    let characters: Vec<char> = text.chars().collect();
    let at = |place: usize| characters.get(place).copied();
    (0..=characters.len()).any(|place| is_boundary(place.checked_sub(1).and_then(at), at(place)) == wanted)
}

proptest! {
    #[test]
    fn every_class_has_the_ascii_characters_of_its_name_and_no_others(c: char) {
        let text = c.to_string();
        let is_space = matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c');
        let is_word = c.is_ascii_alphanumeric() || c == '_';
        for (class, is_in) in [("d", c.is_ascii_digit()), ("s", is_space), ("w", is_word)] {
            prop_assert_eq!(pattern(&format!(r"^\{class}$")).is_match(&text), is_in);
            prop_assert_eq!(pattern(&format!(r"^[\{class}]$")).is_match(&text), is_in);
            prop_assert_eq!(pattern(&format!(r"^[^\{class}]$")).is_match(&text), !is_in);
            let negated = class.to_uppercase();
            prop_assert_eq!(pattern(&format!(r"^\{negated}$")).is_match(&text), !is_in);
            prop_assert_eq!(pattern(&format!(r"^[\{negated}]$")).is_match(&text), !is_in);
        }
    }

    #[test]
    fn word_boundaries_stand_where_ascii_words_end(text in "[aé _-]{0,6}") {
        prop_assert_eq!(pattern(r"\b").is_match(&text), has_place(&text, true));
        prop_assert_eq!(pattern(r"\B").is_match(&text), has_place(&text, false));
    }

    #[test]
    fn a_pattern_without_perl_classes_is_left_as_it_is(
        source in r"[\^]?([abé.]|\[a-cé\]|\(a\|b\)|a\{1,2\}|[bé][?*+]){0,6}[$]?",
        text in "[abcé]{0,6}",
    ) {
        prop_assert_eq!(pattern(&source).is_match(&text), Regex::new(&source).unwrap().is_match(&text));
    }

    #[test]
    fn no_text_makes_the_compiler_panic(source: String) {
        let _ = Pattern::compile(&source);
    }

    #[test]
    fn no_heap_of_pattern_characters_makes_the_compiler_panic(source in r"[\[\](){}\\bBdDwWsSpPLix?*+|^$<>:,&~.0-9a=!-]{0,40}") {
        if let Ok(pattern) = Pattern::compile(&source) {
            pattern.is_match("a1 é");
        }
    }
}

#[test]
fn a_mailbox_is_written_as_rfc_5321_says() {
    for good in [
        "a@b",
        "first.last+tag@example.org",
        r#""quoted @ local \" \\"@example.org"#,
        "a@[192.0.2.1]",
        "a@[IPv6:2001:db8::1]",
        "a@[ipv6:::1]",
        "!#$%&'*+-/=?^_`{|}~@x-y.z",
        "\"\"@a",
        "a@1.2",
        &format!("{}@a", "x".repeat(64)),
    ] {
        assert!(TextFormat::Email.matches(good), "{good}");
    }
    for bad in [
        "",
        "@",
        "a",
        "a@",
        "@b",
        "a@b@c",
        ".a@b",
        "a.@b",
        "a..b@c",
        "a b@c",
        "a@b.",
        "a@.b",
        "a@-b",
        "a@b-",
        "a@b_c",
        "é@b",
        "a@é",
        "a@[1.2.3]",
        "a@[01.2.3.4]",
        "a@[IPv6:1.2.3.4]",
        "a@[tag:x]",
        "\"a@b",
        "\"a\"b@c",
        "\"\\\"@b",
        "a@b\n",
        " a@b",
        "A <a@b>",
        &format!("{}@a", "x".repeat(65)),
    ] {
        assert!(!TextFormat::Email.matches(bad), "{bad:?}");
    }
}

#[test]
fn a_mailbox_has_254_bytes_at_most() {
    let domain = |bytes: usize| format!("{}{}", "x.".repeat(bytes / 2), &"xyz"[..bytes % 2 + 1]);
    let mailbox = |bytes: usize| format!("a@{}", domain(bytes - 3));
    assert_eq!((mailbox(254).len(), mailbox(255).len()), (254, 255));
    assert!(TextFormat::Email.matches(&mailbox(254)));
    assert!(!TextFormat::Email.matches(&mailbox(255)));
}

#[test]
fn a_host_name_is_written_as_rfc_1123_says() {
    for good in ["a", "localhost", "3com.com", "xn--bcher-kva.example", "a-b.c1", &"x".repeat(63), "1.2.3.4a"]
    {
        assert!(TextFormat::Hostname.matches(good), "{good}");
    }
    for bad in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "-a",
        "a-",
        "a_b",
        "bücher",
        "1.2.3.4",
        "123",
        "a b",
        "a\n",
        &"x".repeat(64),
    ] {
        assert!(!TextFormat::Hostname.matches(bad), "{bad:?}");
    }
    assert!(TextFormat::Hostname.matches(&format!("{}x", "x.".repeat(126))), "253 bytes");
    assert!(!TextFormat::Hostname.matches(&format!("{}xy", "x.".repeat(126))), "254 bytes");
}

#[test]
fn an_address_of_version_4_has_no_leading_zeros() {
    assert!(TextFormat::Ipv4.matches("0.0.0.0") && TextFormat::Ipv4.matches("255.255.255.255"));
    for bad in [
        "",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "1.2.3.256",
        "1.2.3.4 ",
        "+1.2.3.4",
        "1.2.3.",
        "0x1.2.3.4",
        "1.2.3.٤",
    ] {
        assert!(!TextFormat::Ipv4.matches(bad), "{bad:?}");
    }
}

#[test]
fn an_address_of_version_6_has_no_zone_no_prefix_and_no_port() {
    for good in [
        "::",
        "::1",
        "1::",
        "1:2:3:4:5:6:7:8",
        "1:2:3:4:5:6:7::",
        "::ffff:192.0.2.1",
        "2001:DB8::A",
        "64:ff9b::1.2.3.4",
    ] {
        assert!(TextFormat::Ipv6.matches(good), "{good}");
    }
    for bad in [
        "",
        ":",
        ":::",
        "1",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1::2::3",
        "fe80::1%eth0",
        "::1/64",
        "[::1]",
        "12345::",
        "::g",
        "1:2:3:4:5:6:7::8:9",
        "1::2:3:4:5:6:7:8",
        "::ffff:01.2.3.4",
        "::1.2.3.4:1",
        "1.2.3.4",
        ":1::",
    ] {
        assert!(!TextFormat::Ipv6.matches(bad), "{bad:?}");
    }
}

#[test]
fn a_uri_is_written_as_rfc_3986_says() {
    for good in [
        "http://example.org/a/b?c=d#e",
        "a:",
        "urn:isbn:0451450523",
        "mailto:a@b",
        "file:///etc/hosts",
        "http://[::1]:80/",
        "http://[v7.a:b]/",
        "http://u:p@h:/",
        "http://%C3%A9/",
        "a:b:c",
        "a:/b//c",
        "a://",
        "x+y-z.0:?#",
        "ldap://[2001:db8::7]/c?o",
    ] {
        assert!(TextFormat::Uri.matches(good), "{good}");
    }
    for bad in [
        "",
        "a",
        "/a/b",
        "//h/p",
        "1a:b",
        ":a",
        "a b:c",
        "http://a b",
        "http://é/",
        "http://h/%zz",
        "http://h/%4",
        "http://h:8a/",
        "http://[::1",
        "http://::1]/",
        "http://[::1]x/",
        "http://x[::1]/",
        "http://[fe80::1%25en0]/",
        "a:#b#c",
        "http://[1.2.3.4]/",
        "http://u@v@h/",
        "a:b\\c",
        "a:<b>",
        "a:\u{7f}",
        "http://[v.a]/",
        "http://[v1.]/",
        "a:^",
        "http://h:1:2/",
    ] {
        assert!(!TextFormat::Uri.matches(bad), "{bad:?}");
    }
}

/// The grammars once more, as their RFCs write them down: one regular expression each.
fn grammar(format: TextFormat) -> Regex {
    let octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])";
    let ipv4 = format!(r"(?:{octet}\.{octet}\.{octet}\.{octet})");
    let h16 = "(?:[0-9A-Fa-f]{1,4})";
    let ls32 = format!("(?:{h16}:{h16}|{ipv4})");
    let ipv6 = [
        format!("(?:{h16}:){{6}}{ls32}"),
        format!("::(?:{h16}:){{5}}{ls32}"),
        format!("(?:{h16})?::(?:{h16}:){{4}}{ls32}"),
        format!("(?:(?:{h16}:){{0,1}}{h16})?::(?:{h16}:){{3}}{ls32}"),
        format!("(?:(?:{h16}:){{0,2}}{h16})?::(?:{h16}:){{2}}{ls32}"),
        format!("(?:(?:{h16}:){{0,3}}{h16})?::{h16}:{ls32}"),
        format!("(?:(?:{h16}:){{0,4}}{h16})?::{ls32}"),
        format!("(?:(?:{h16}:){{0,5}}{h16})?::{h16}"),
        format!("(?:(?:{h16}:){{0,6}}{h16})?::"),
    ]
    .join("|");
    let unreserved = r"[A-Za-z0-9\-._~]";
    let pct = "%[0-9A-Fa-f]{2}";
    let sub = r"[!$&'()*+,;=]";
    let pchar = format!("(?:{unreserved}|{pct}|{sub}|[:@])");
    let ip_literal = format!(r"\[(?:{ipv6}|[vV][0-9A-Fa-f]+\.(?:{unreserved}|{sub}|:)+)\]");
    let host = format!("(?:{ip_literal}|{ipv4}|(?:{unreserved}|{pct}|{sub})*)");
    let authority = format!("(?:(?:{unreserved}|{pct}|{sub}|:)*@)?{host}(?::[0-9]*)?");
    let hier = format!("//{authority}(?:/{pchar}*)*|/(?:{pchar}+(?:/{pchar}*)*)?|{pchar}+(?:/{pchar}*)*|");
    let atext = r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~]";
    let label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
    let quoted = r#""(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*""#;
    let whole = match format {
        TextFormat::Uuid => {
            "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}".to_owned()
        }
        TextFormat::Ipv4 => ipv4,
        TextFormat::Ipv6 => ipv6,
        TextFormat::Hostname => format!(
            r"(?:{label}\.)*(?:[0-9]*[A-Za-z](?:[A-Za-z0-9-]*[A-Za-z0-9])?|[0-9]+-[A-Za-z0-9-]*[A-Za-z0-9])"
        ),
        TextFormat::Email => format!(
            r"(?:{atext}+(?:\.{atext}+)*|{quoted})@(?:{label}(?:\.{label})*|\[(?:{ipv4}|(?i:IPv6):(?:{ipv6}))\])"
        ),
        TextFormat::Uri => {
            format!(r"[A-Za-z][A-Za-z0-9+\-.]*:(?:{hier})(?:\?(?:{pchar}|[/?])*)?(?:#(?:{pchar}|[/?])*)?")
        }
    };
    Regex::new(&format!(r"\A(?:{whole})\z")).unwrap()
}

fn agrees(format: TextFormat, text: &str) {
    use std::sync::LazyLock;
    static GRAMMARS: LazyLock<Vec<(TextFormat, Regex)>> = LazyLock::new(|| {
        use TextFormat::*;
        [Uuid, Email, Uri, Ipv4, Ipv6, Hostname].map(|format| (format, grammar(format))).into()
    });
    let (_, grammar) = GRAMMARS.iter().find(|(named, _)| *named == format).unwrap();
    assert_eq!(format.matches(text), grammar.is_match(text), "{format:?} {text:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_uuid_is_what_its_grammar_says(text in "[0-9a-fA-Fg-]{8}-[0-9a-f]{4}(-[0-9a-f]{4}){1,3}-[0-9a-f]{11,12}") {
        agrees(TextFormat::Uuid, &text);
    }

    #[test]
    fn an_ipv4_address_is_what_its_grammar_says(text in r"[0-9]{1,3}(\.[0-9]{1,3}){2,4}|[0-2]?[0-9]{1,2}(\.[1-9]?[0-9]){3}") {
        agrees(TextFormat::Ipv4, &text);
    }

    #[test]
    fn an_ipv6_address_is_what_its_grammar_says(text in r"([0-9a-fA-F]{1,4}:|:|1\.2\.3\.4){0,9}([0-9a-f]{1,5}|127\.0\.0\.1)?") {
        agrees(TextFormat::Ipv6, &text);
    }

    #[test]
    fn a_host_name_is_what_its_grammar_says(text in r"[a-z0-9-]{0,4}(\.[A-Z0-9-]{0,3}){0,3}") {
        agrees(TextFormat::Hostname, &text);
    }

    #[test]
    fn a_mailbox_is_what_its_grammar_says(text in r#"["a.+é \\@]{0,5}@([a-z0-9.-]{0,6}|\[[0-9.]{7,9}\]|\[IPv6:[0-9:]{1,6}\])"#) {
        agrees(TextFormat::Email, &text);
    }

    #[test]
    fn a_uri_is_what_its_grammar_says(text in r"[a-z0-9+]{0,3}:(//([a-z@:%]{0,4}|\[[0-9:v.a]{0,5}\])?(:[0-9]{0,2})?)?([/a:@?#%4 é\[\]]{0,8})") {
        agrees(TextFormat::Uri, &text);
    }

    #[test]
    fn no_text_makes_a_format_panic(text: String) {
        use TextFormat::*;
        for format in [Uuid, Email, Uri, Ipv4, Ipv6, Hostname] {
            agrees(format, &text);
        }
    }
}
