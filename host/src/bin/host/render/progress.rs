//! How far a run is: a bar on a terminal, now and then a line elsewhere. Also where a guest's log comes out.

use std::time::{Duration, Instant};

use casparian_core::guest_text::GuestText;
use casparian_host::run::{LogLevel, Progress};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::layout;
use super::paint::{Page, Paint, Tone};
use super::quantity::{bytes, count, percent, rate};

const WIDE_BAR: &str = "{prefix}  {bar:20} {percent:>3}%  {decimal_bytes_per_sec}  {eta} left  {msg}";
const NARROW_BAR: &str = "{prefix}  {bar:20} {percent:>3}%  {decimal_bytes_per_sec}  {eta} left\n  {msg}";
/// From this width on the message has room beside the bar.
const WIDE_COLUMNS: usize = 120;
const SPINNER: &str = "{spinner} {prefix}  {msg}";
/// What the bar takes beside the two names.
const BAR_COLUMNS: usize = 56;
const TICK: Duration = Duration::from_millis(100);
/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The gravest log lines only, or more of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFloor {
    /// None.
    Off,
    /// From this level on.
    From(LogLevel),
}

impl LogFloor {
    fn admits(self, level: LogLevel) -> bool {
        matches!(self, LogFloor::From(floor) if level >= floor)
    }
}

/// The view of one run's progress.
pub(crate) struct ProgressView {
    bar: ProgressBar,
    /// Whether lines stand in for the bar.
    lines: bool,
    input: String,
    parser: String,
    input_bytes: u64,
    started: Instant,
    last_line: Instant,
    log_floor: LogFloor,
    page: Page,
}

impl ProgressView {
    /// Opens the view. `input` is escaped already.
    pub(super) fn new(input: String, wanted: bool, page: Page, log_floor: LogFloor) -> Self {
        let on_terminal = page.width.is_some();
        let input = layout::cut(&input, name_columns(page));
        let target =
            if wanted && on_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target)
            .with_style(style(SPINNER))
            .with_prefix(input.clone())
            .with_message("getting ready");
        bar.enable_steady_tick(TICK);
        let now = Instant::now();
        Self {
            bar,
            lines: wanted && !on_terminal,
            input,
            parser: String::new(),
            input_bytes: 0,
            started: now,
            last_line: now,
            log_floor,
            page,
        }
    }

    /// Hears what a run tells, and returns what is to be said of it: whole lines, or nothing.
    pub(crate) fn hear(&mut self, progress: Progress) -> Option<String> {
        match progress {
            Progress::Compiling { bytes: size, is_runtime } => self.compiling(size, is_runtime),
            Progress::Started { name, version, input_bytes } => {
                self.start(&name, &version, input_bytes);
                None
            }
            Progress::Committed { bytes, accepted, quarantined } => {
                self.committed(bytes, accepted, quarantined)
            }
            Progress::Log { level, line } => {
                self.log_floor.admits(level).then(|| log_line(level, &line, self.page.paint))
            }
        }
    }

    /// Runs `say` with the bar out of its way.
    pub(crate) fn aside<T>(&self, say: impl FnOnce() -> T) -> T {
        self.bar.suspend(say)
    }

    /// Takes the bar off the terminal.
    pub(crate) fn close(self) {
        self.bar.finish_and_clear();
    }

    fn compiling(&mut self, size: u64, is_runtime: bool) -> Option<String> {
        let message = match is_runtime {
            true => format!("preparing the Python runtime ({}), once on this machine", bytes(size)),
            false => format!("compiling the parser ({}), once on this machine", bytes(size)),
        };
        self.bar.set_message(message.clone());
        self.lines.then(|| format!("{}: {message}\n", self.input))
    }

    fn start(&mut self, name: &GuestText, version: &GuestText, input_bytes: u64) {
        self.parser = layout::cut(&format!("{name} {version}"), name_columns(self.page));
        self.input_bytes = input_bytes;
        self.started = Instant::now();
        self.last_line = self.started;
        self.bar.set_prefix(format!("{}  {}", self.parser, self.input));
        self.bar.set_message("");
        self.bar.set_style(style(bar_of(self.page)));
        self.bar.set_length(input_bytes);
        self.bar.reset_elapsed();
        self.bar.reset_eta();
    }

    fn committed(&mut self, done: u64, accepted: u64, quarantined: u64) -> Option<String> {
        let rows = rows(accepted, quarantined);
        self.bar.set_position(done);
        self.bar.set_message(rows.clone());
        let now = Instant::now();
        if !self.lines || now.duration_since(self.last_line) < LINE_EVERY {
            return None;
        }
        self.last_line = now;
        let wall_ms = u64::try_from(now.duration_since(self.started).as_millis()).unwrap_or(u64::MAX);
        let rate = rate(done, wall_ms).unwrap_or_default();
        let (share, total) = (percent(done, self.input_bytes), bytes(self.input_bytes));
        Some(format!(
            "{}  {}: {} of {total} ({share})  {rate}  {rows}\n",
            self.parser,
            self.input,
            bytes(done)
        ))
    }
}

fn bar_of(page: Page) -> &'static str {
    if page.width.is_some_and(|width| width >= WIDE_COLUMNS) { WIDE_BAR } else { NARROW_BAR }
}

/// Returns the most columns for the name of the parser, and for that of the input.
fn name_columns(page: Page) -> usize {
    page.width.map_or(usize::MAX, |width| (width.saturating_sub(BAR_COLUMNS) / 2).clamp(8, 32))
}

fn rows(accepted: u64, quarantined: u64) -> String {
    format!("{} rows, {} quarantined", count(accepted), count(quarantined))
}

fn log_line(level: LogLevel, line: &GuestText, paint: Paint) -> String {
    let tone = match level {
        LogLevel::Error => Tone::Bad,
        LogLevel::Warn => Tone::Warn,
        LogLevel::Info | LogLevel::Debug | LogLevel::Trace => Tone::Faint,
    };
    let word = format!("{level:?}").to_lowercase();
    format!("  {} {line}\n", paint.tone(tone, format!("parser says ({word}):")))
}

fn style(template: &'static str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("our bug: a progress template that does not parse")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(log_floor: LogFloor) -> ProgressView {
        ProgressView::new("a.log".to_owned(), true, Page::PLAIN, log_floor)
    }

    fn text(text: &str) -> GuestText {
        GuestText::new(text, 100)
    }

    #[test]
    fn every_template_parses() {
        style(WIDE_BAR);
        style(NARROW_BAR);
        style(SPINNER);
    }

    #[test]
    fn long_names_leave_the_bar_its_room() {
        let page = |columns| Page { width: Some(columns), ..Page::PLAIN };
        assert_eq!([40, 80, 100, 200].map(|columns| name_columns(page(columns))), [8, 12, 22, 32]);
        assert_eq!(name_columns(Page::PLAIN), usize::MAX);
    }

    #[test]
    fn a_log_line_is_shown_from_its_level_on_and_escaped() {
        let said = |floor: LogFloor, level: LogLevel| {
            view(floor).hear(Progress::Log { level, line: text("x\u{1b}[2J\ny") })
        };
        let floor = LogFloor::From(LogLevel::Warn);
        assert_eq!(said(floor, LogLevel::Info), None);
        assert_eq!(said(LogFloor::Off, LogLevel::Error), None);
        assert_eq!(said(floor, LogLevel::Warn).unwrap(), "  parser says (warn): x\\u{1b}[2J\\ny\n");
    }

    #[test]
    fn without_a_terminal_a_line_comes_only_now_and_then() {
        let mut view = view(LogFloor::Off);
        assert_eq!(
            view.hear(Progress::Compiling { bytes: 2_100_000, is_runtime: false }).unwrap(),
            "a.log: compiling the parser (2.1 MB), once on this machine\n"
        );
        view.hear(Progress::Started { name: text("fix"), version: text("1.0.0"), input_bytes: 2_000 });
        let committed = Progress::Committed { bytes: 500, accepted: 1_234, quarantined: 5 };
        assert_eq!(view.hear(committed.clone()), None);
        view.last_line = view.last_line.checked_sub(LINE_EVERY).unwrap();
        let line = view.hear(committed).unwrap();
        assert!(line.starts_with("fix 1.0.0  a.log: 500 B of 2 kB (25.000 %)"), "{line}");
        assert!(line.ends_with("  1,234 rows, 5 quarantined\n"), "{line}");
    }
}
