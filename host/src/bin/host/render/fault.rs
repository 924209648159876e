//! What went wrong: `error:`, `in`, `hint:`.

use casparian_core::fault::{Blame, FaultReport};
use casparian_core::guest_text::GuestText;

use super::paint::{Paint, Tone};
use super::shown;

/// What somebody can do about our own bug.
const BUG_HINT: &str = "this is ours or the machine's, not yours; `host doctor` looks at the machine, and a report with this line helps";

/// Returns a fault with its place and the next move. `place` is what people call the input.
pub(super) fn fault(fault: &FaultReport, place: Option<&str>, paint: Paint) -> String {
    let at = fault.at.map(|span| span.to_string());
    // What the message names already needs no second line.
    let place = place.filter(|place| !fault.message.contains(place));
    let place: Vec<String> = place.map(shown).into_iter().chain(at).collect();
    let hint = fault.hint.as_deref().or((fault.blame == Blame::Host).then_some(BUG_HINT));
    let message = format!("{}: {}", fault.blame, GuestText::new(&fault.message, usize::MAX).lines());
    lines(&message, &place.join(", "), hint.unwrap_or_default(), paint)
}

/// Returns what did not end a run and should be known.
pub(super) fn warning(fault: &FaultReport, paint: Paint) -> String {
    let word = paint.tone(Tone::Warn, "warning:");
    let at = fault.at.map(|span| format!(" ({span})")).unwrap_or_default();
    let hint = hint_line(fault.hint.as_deref().unwrap_or_default(), paint);
    format!("{word} {}: {}{at}\n{hint}", fault.blame, shown(&fault.message))
}

/// Returns why a command line cannot be understood.
pub(super) fn usage(message: &str, hint: &str, paint: Paint) -> String {
    lines(&shown(message), "", hint, paint)
}

fn lines(message: &str, place: &str, hint: &str, paint: Paint) -> String {
    let (first, rest) = message.split_once('\n').unwrap_or((message, ""));
    let mut text = format!("{} {first}\n", paint.tone(Tone::Bad, "error:"));
    // A traceback: what stands in from the left was said by somebody else.
    rest.lines().for_each(|line| text += &format!("       {line}\n"));
    if !place.is_empty() {
        text += &format!("  {}   {place}\n", paint.tone(Tone::Faint, "in"));
    }
    text + &hint_line(hint, paint)
}

/// Returns the line of a hint; nothing for no hint.
pub(super) fn hint_line(hint: &str, paint: Paint) -> String {
    if hint.is_empty() {
        return String::new();
    }
    format!("  {} {}\n", paint.tone(Tone::Faint, "hint:"), shown(hint))
}

#[cfg(test)]
mod tests {
    use casparian_core::fault::Span;

    use super::*;

    fn report(blame: Blame, hint: Option<&str>, at: Option<Span>) -> FaultReport {
        FaultReport {
            blame,
            code: "row-count".to_owned(),
            message: "declared 12 rows but sent 11".to_owned(),
            hint: hint.map(str::to_owned),
            at,
        }
    }

    #[test]
    fn a_fault_names_its_blame_its_place_and_the_next_move() {
        let span = Span { offset: 131_072, length: 65_536 };
        let shown =
            fault(&report(Blame::Guest, Some("try less"), Some(span)), Some("orders.fix"), Paint::PLAIN);
        assert_eq!(
            shown,
            "error: parser: declared 12 rows but sent 11\n  in   orders.fix, bytes 131072..196608\n  hint: try less\n"
        );
    }

    #[test]
    fn a_place_that_the_message_names_is_not_named_again() {
        let mut missing = report(Blame::Operator, None, None);
        missing.message = "logs/a.fix does not exist".to_owned();
        assert_eq!(
            fault(&missing, Some("logs/a.fix"), Paint::PLAIN),
            "error: operator: logs/a.fix does not exist\n"
        );
    }

    #[test]
    fn a_fault_without_place_or_hint_is_one_line() {
        assert_eq!(
            fault(&report(Blame::Operator, None, None), None, Paint::PLAIN),
            "error: operator: declared 12 rows but sent 11\n"
        );
    }

    #[test]
    fn a_warning_is_not_called_an_error() {
        let span = Span { offset: 1, length: 1 };
        let shown = warning(&report(Blame::Guest, None, Some(span)), Paint::PLAIN);
        assert_eq!(shown, "warning: parser: declared 12 rows but sent 11 (bytes 1..2)\n");
    }

    #[test]
    fn our_own_bug_always_has_a_next_move() {
        let shown = fault(&report(Blame::Host, None, None), None, Paint::PLAIN);
        assert!(shown.contains("hint: this is ours"), "{shown}");
    }

    #[test]
    fn no_part_of_a_fault_steers_the_terminal() {
        let mut hostile = report(Blame::Input, Some("\u{1b}[2Jhint"), None);
        hostile.message = "a\u{1b}]0;owned\u{7}b\nerror: fake".to_owned();
        let shown = fault(&hostile, Some("x\u{202e}gol.y\r"), Paint::PLAIN);
        assert_eq!(
            shown,
            "error: input: a\\u{1b}]0;owned\\u{7}b\n       error: fake\n  in   x\\u{202e}gol.y\\r\n  hint: \\u{1b}[2Jhint\n"
        );
    }
}
