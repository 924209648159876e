//! The only printer. Standard output is data, standard error is talk. What is shown is laid out by the rooms below, as
//! text from values; nothing of theirs touches a terminal.

mod amendment;
mod contract;
mod dataset;
mod each;
mod fault;
mod glance;
mod held;
mod inferred;
mod inspection;
mod json;
mod layout;
mod machine;
mod paint;
mod preview;
mod progress;
mod quantity;
mod reasons;
mod summary;
mod top;
mod verification;

use std::io::{self, ErrorKind, IsTerminal as _, Write};
use std::path::Path;

use casparian_core::fault::{Blame, FaultReport};
use casparian_core::guest_text::GuestText;
use casparian_host::contract::{Difference, Lint, Shown};
use casparian_host::dataset::report::DatasetReport;
use casparian_host::doctor::Diagnosis;
use casparian_host::each::report::EachReport;
use casparian_host::explain;
use casparian_host::glance::Glance;
use casparian_host::infer::{Found, Inferred};
use casparian_host::inspect::Inspection;
use casparian_host::quarantine::held::HeldRow;
use casparian_host::quarantine::top::Top;
use casparian_host::report::Report;
use casparian_host::run::Progress;
use casparian_host::verify::Verification;
use serde::Serialize;

use crate::exit::Exit;
pub(crate) use crate::render::held::Excerpt;
use crate::render::paint::Page;
pub(crate) use crate::render::progress::{LogFloor, ProgressView};
pub(crate) use crate::render::summary::Outcome;

/// Prints what became of things.
pub(crate) struct Render {
    data: Box<dyn Write>,
    data_page: Page,
    talk: Box<dyn Write>,
    talk_page: Page,
    /// The first failure to print data. Nothing is printed to `data` after it.
    broken: Option<io::Error>,
}

impl Render {
    /// Prints to the standard streams, in colour where they are terminals that may have it.
    pub(crate) fn to_terminal() -> Self {
        let (out, err) = (io::stdout(), io::stderr());
        Self {
            data_page: Page::of(out.is_terminal(), terminal_size::terminal_size_of(&out)),
            talk_page: Page::of(err.is_terminal(), terminal_size::terminal_size_of(&err)),
            data: Box::new(out),
            talk: Box::new(err),
            broken: None,
        }
    }

    /// Opens the view of a run's progress. `input` is its name for people.
    pub(crate) fn progress(&self, input: &str, wanted: bool, log_level: LogFloor) -> ProgressView {
        ProgressView::new(shown(input), wanted, self.talk_page, log_level)
    }

    /// Passes what a run tells to its view, and prints what the view makes of it.
    pub(crate) fn hear(&mut self, view: &mut ProgressView, progress: Progress) {
        if let Some(lines) = view.hear(progress) {
            view.aside(|| self.say(&lines));
        }
    }

    /// Prints a run: its first rows, then its summary.
    pub(crate) fn run(&mut self, report: &Report, outcome: Outcome) {
        if outcome == Outcome::Previewed {
            self.print(&preview::previews(report, self.data_page));
        }
        self.say(&summary::summary(report, outcome, self.talk_page));
    }

    /// Prints a run over many inputs: first rows, then its summary.
    pub(crate) fn dataset(&mut self, report: &DatasetReport, outcome: Outcome) {
        if outcome == Outcome::Previewed {
            self.print(&dataset::previews(report, self.data_page));
        }
        self.say(&dataset::summary(report, outcome, self.talk_page));
    }

    /// Prints a run over many inputs with an output each.
    pub(crate) fn each(&mut self, report: &EachReport) {
        self.say(&each::summary(report, self.talk_page));
    }

    /// Prints what a parser is.
    pub(crate) fn inspection(&mut self, inspection: &Inspection) {
        self.print(&inspection::inspection(inspection, self.data_page));
    }

    /// Prints what a run wrote, column by column.
    pub(crate) fn glance(&mut self, glance: &Glance) {
        self.print(&glance::glance(glance, self.data_page));
    }

    /// Prints what verifying a receipt came to.
    pub(crate) fn verification(&mut self, verification: &Verification) {
        self.print(&verification::verification(verification, self.data_page));
    }

    /// Prints what was found of this machine.
    pub(crate) fn diagnosis(&mut self, diagnosis: &Diagnosis) {
        self.print(&machine::diagnosis(diagnosis, self.data_page));
    }

    /// Prints what was found in contracts that were looked at.
    pub(crate) fn lints(&mut self, lints: &[Lint]) {
        self.print(&contract::lints(lints, self.data_page));
    }

    /// Prints why a contract cannot be used.
    pub(crate) fn faulty(&mut self, lint: &Lint) {
        self.say(&contract::faulty(lint, self.talk_page));
    }

    /// Prints what a contract says.
    pub(crate) fn contract(&mut self, shown: &Shown) {
        self.print(&contract::contract(shown, self.data_page));
    }

    /// Prints a contract that was drafted: what in it could steer a terminal has been escaped.
    pub(crate) fn draft(&mut self, draft: &str) {
        self.print(draft);
    }

    /// Prints what a draft was made of, and what it leaves open.
    pub(crate) fn inferred(&mut self, inferred: &Inferred, out: Option<&Path>) {
        self.say(&inferred::summary(inferred, out, self.talk_page));
    }

    /// Prints what speaks for and against the types of columns.
    pub(crate) fn why(&mut self, found: &[Found<'_>]) {
        self.print(&inferred::why(found, self.data_page));
    }

    /// Prints what one contract changes of another.
    pub(crate) fn difference(&mut self, difference: &Difference) {
        self.print(&amendment::difference(difference, self.data_page));
    }

    /// Prints data as it is: not a byte more or less. A terminal gets it escaped.
    pub(crate) fn data(&mut self, data: &str) {
        match self.data_page.width {
            None => self.print(data),
            Some(_) => self.print(&format!("{}\n", shown(data))),
        }
    }

    /// Prints a value as JSON on several lines.
    pub(crate) fn json_page(&mut self, value: &impl Serialize) {
        match json::page(value) {
            Ok(page) => self.print(&page),
            Err(error) => {
                self.broken.get_or_insert(error.into());
            }
        }
    }

    /// Prints rows in quarantine, a line each.
    pub(crate) fn held_list(&mut self, excerpt: &Excerpt) {
        self.print(&held::list(excerpt, self.data_page));
        self.say(&held::rest(excerpt));
    }

    /// Prints rows in quarantine with their bytes.
    pub(crate) fn held_rows(&mut self, excerpt: &Excerpt) {
        self.print(&held::rows(excerpt, self.data_page));
        self.say(&held::rest(excerpt));
    }

    /// Prints a row in quarantine as one line of JSON.
    pub(crate) fn held_json(&mut self, row: &HeldRow) {
        self.json(&held::RowJson::of(row));
    }

    /// Prints why rows are in quarantine.
    pub(crate) fn held_top(&mut self, top: &Top, most: usize) {
        self.print(&top::top(top, most, self.data_page));
    }

    /// Prints what was exported.
    pub(crate) fn exported(&mut self, rows: u64, path: &Path) {
        self.say(&format!("{} in {}\n", quantity::counted(rows, "row"), shown(&path.to_string_lossy())));
    }

    /// Prints the reason codes.
    pub(crate) fn codes(&mut self, pages: &[explain::Page]) {
        self.print(&reasons::codes(pages, self.data_page));
    }

    /// Prints what a reason code means.
    pub(crate) fn page(&mut self, page: &explain::Page) {
        self.print(&reasons::explained(page, self.data_page));
    }

    /// Prints a value as one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) {
        match json::line(value) {
            Ok(line) => self.print(&line),
            Err(error) => {
                self.broken.get_or_insert(error.into());
            }
        }
    }

    /// Prints a fault that has no report to stand in.
    pub(crate) fn fault(&mut self, fault: &FaultReport, place: Option<&str>) {
        self.say(&fault::fault(fault, place, self.talk_page.paint));
    }

    /// Prints why a command line cannot be understood.
    pub(crate) fn usage(&mut self, message: &str, hint: &str) {
        self.say(&fault::usage(message, hint, self.talk_page.paint));
    }

    /// Prints a remark.
    pub(crate) fn remark(&mut self, remark: &str) {
        self.say(&format!("{}\n", shown(remark)));
    }

    /// Ends printing. Output that could not be written makes the exit worse, unless its reader just went away.
    pub(crate) fn close(mut self, exit: Exit) -> Exit {
        if let Err(error) = self.data.flush() {
            self.broken.get_or_insert(error);
        }
        match self.broken.take().filter(|error| error.kind() != ErrorKind::BrokenPipe) {
            None => exit,
            Some(error) => {
                self.fault(&output_failed(&error), None);
                exit.max(Exit::Operator)
            }
        }
    }

    fn print(&mut self, text: &str) {
        if self.broken.is_none() {
            self.broken = self.data.write_all(text.as_bytes()).and_then(|()| self.data.flush()).err();
        }
    }

    fn say(&mut self, text: &str) {
        // Where standard error is gone there is nobody left to tell.
        let _ = self.talk.write_all(text.as_bytes());
    }
}

/// Returns text as it may be shown: nothing in it steers the terminal.
fn shown(text: &str) -> String {
    GuestText::new(text, usize::MAX).to_string()
}

fn output_failed(error: &io::Error) -> FaultReport {
    FaultReport {
        blame: Blame::Operator,
        code: "stdout-failed".to_owned(),
        message: format!("writing to standard output failed: {error}"),
        hint: Some("look at where standard output goes; the tables of `--out` are not affected".to_owned()),
        at: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Refusing(ErrorKind);

    impl Write for Refusing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn render_to(kind: ErrorKind) -> Render {
        let page = Page::PLAIN;
        Render {
            data: Box::new(Refusing(kind)),
            data_page: page,
            talk: Box::new(Vec::new()),
            talk_page: page,
            broken: None,
        }
    }

    #[test]
    fn a_reader_that_goes_away_is_no_failure() {
        let mut render = render_to(ErrorKind::BrokenPipe);
        render.json(&1);
        assert_eq!(render.close(Exit::No), Exit::No);
    }

    #[test]
    fn output_that_cannot_be_written_is_told_and_worsens_the_exit() {
        let mut render = render_to(ErrorKind::StorageFull);
        render.json(&1);
        assert_eq!(render.close(Exit::Done), Exit::Operator);
    }
}
