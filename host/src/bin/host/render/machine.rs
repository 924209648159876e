//! What `host doctor` found of this machine.

use casparian_host::doctor::{Check, Diagnosis, Status};

use super::fault::hint_line;
use super::layout::{self, Align, Cell};
use super::paint::{Page, Tone};
use super::shown;

/// Returns the checks, each with its next move, and the verdict.
pub(super) fn diagnosis(diagnosis: &Diagnosis, page: Page) -> String {
    let rows: Vec<Vec<Cell>> = diagnosis.checks.iter().map(row).collect();
    let lines = layout::lines("", &[Align::Left, Align::Left, Align::Left], &rows, page.endless());
    let mut text = String::new();
    for (line, check) in lines.lines().zip(&diagnosis.checks) {
        text += &format!("{line}\n{}", hint_line(check.hint.as_deref().unwrap_or_default(), page.paint));
    }
    text + verdict(diagnosis.status)
}

fn row(check: &Check) -> Vec<Cell> {
    let (tone, word) = match check.status {
        Status::Ok => (Tone::Good, "ok"),
        Status::Warn => (Tone::Warn, "warn"),
        Status::Fail => (Tone::Bad, "fail"),
    };
    vec![Cell::toned(tone, word), Cell::new(check.name), Cell::new(shown(&check.detail))]
}

fn verdict(status: Status) -> &'static str {
    match status {
        Status::Ok => "this machine can run parsers\n",
        Status::Warn => "this machine can run parsers, and something could be better\n",
        Status::Fail => "this machine cannot run parsers as it is\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_has_a_line_and_its_hint_under_it() {
        let check = |name, status, detail: &str, hint: Option<&str>| Check {
            name,
            status,
            detail: detail.to_owned(),
            hint: hint.map(str::to_owned),
        };
        let checks = vec![
            check("cpu", Status::Ok, "2 cores", None),
            check("cache", Status::Fail, "open to others\n", Some("chmod")),
        ];
        let found = Diagnosis { schema: 1, version: "0", status: Status::Fail, checks };
        assert_eq!(
            diagnosis(&found, Page::PLAIN),
            "ok    cpu    2 cores\nfail  cache  open to others\\n\n  hint: chmod\nthis machine cannot run parsers as it is\n"
        );
    }
}
