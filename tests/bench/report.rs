//! What was found, for a terminal and as Markdown.

use crate::contest::Series;

/// Everything that was measured in one go.
pub(crate) struct Report {
    /// Machine and versions, a line each.
    surroundings: Vec<String>,
    sections: Vec<Section>,
}

/// One measurement.
pub(crate) struct Section {
    pub(crate) title: String,
    /// What was done, and what was left out.
    pub(crate) about: String,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) targets: Vec<Target>,
}

/// Something that should be so.
pub(crate) struct Target {
    pub(crate) what: String,
    pub(crate) wanted: String,
    pub(crate) found: String,
    pub(crate) met: bool,
}

impl Target {
    pub(crate) fn at_least(what: &str, wanted: f64, found: f64) -> Target {
        let (wanted, met) = (format!("≥ {wanted:.2}"), found >= wanted);
        Target { what: what.to_owned(), wanted, found: format!("{found:.2}"), met }
    }

    pub(crate) fn at_most(what: &str, wanted: f64, found: f64, unit: &str) -> Target {
        let (wanted, met) = (format!("≤ {wanted} {unit}"), found <= wanted);
        Target { what: what.to_owned(), wanted, found: format!("{found:.2} {unit}"), met }
    }

    fn line(&self) -> String {
        let Target { what, wanted, found, met } = self;
        format!("{what}: {found}, wanted {wanted}: {}", if *met { "met" } else { "MISSED" })
    }
}

impl Section {
    /// Tells what contenders took over `megabytes`; speeds are against the first of them.
    pub(crate) fn of_contest(title: &str, about: &str, megabytes: u64, series: &[Series]) -> Section {
        let columns = vec![
            "contender",
            "CPU s",
            "least to most",
            "wall s",
            "MB per CPU s",
            "speed (CPU)",
            "speed (wall)",
        ];
        let row = |it: &Series| {
            let ((least, most), speed) = (it.cpu_range(), it.speed_against(&series[0]));
            vec![
                it.name.to_owned(),
                format!("{:.3}", it.cpu()),
                format!("{least:.3} to {most:.3}"),
                format!("{:.3}", it.wall()),
                format!("{:.0}", megabytes as f64 / it.cpu()),
                format!("{:.2}", speed.cpu),
                format!("{:.2}", speed.wall),
            ]
        };
        let rows = series.iter().map(row).collect();
        Section { title: title.to_owned(), about: about.to_owned(), columns, rows, targets: Vec::new() }
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!("\n{}\n", self.title);
        let table: Vec<Vec<&str>> = self.table().collect();
        let width = |at: usize| table.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for row in &table {
            let cell = |(at, (cell, width)): (usize, (&&str, &usize))| match at {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            };
            let cells: Vec<String> = row.iter().zip(&widths).enumerate().map(cell).collect();
            text.push_str(&format!("  {}\n", cells.join("  ")));
        }
        self.targets.iter().for_each(|target| text.push_str(&format!("  {}\n", target.line())));
        text
    }

    fn markdown(&self) -> String {
        let line = |row: Vec<&str>| format!("| {} |\n", row.join(" | "));
        let mut text = format!("## {}\n\n{}\n\n", self.title, self.about);
        for (at, row) in self.table().enumerate() {
            let columns = row.len();
            text.push_str(&line(row));
            if at == 0 {
                let rule: Vec<&str> = (0..columns).map(|at| if at == 0 { "---" } else { "---:" }).collect();
                text.push_str(&line(rule));
            }
        }
        text.push('\n');
        self.targets.iter().for_each(|target| text.push_str(&format!("- {}\n", target.line())));
        text
    }

    fn table(&self) -> impl Iterator<Item = Vec<&str>> {
        let rows = self.rows.iter().map(|row| row.iter().map(String::as_str).collect());
        std::iter::once(self.columns.clone()).chain(rows)
    }
}

impl Report {
    pub(crate) fn begin(surroundings: Vec<String>) -> Report {
        surroundings.iter().for_each(|line| println!("{line}"));
        Report { surroundings, sections: Vec::new() }
    }

    pub(crate) fn add(&mut self, section: Section) {
        self.sections.push(section);
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("# What the benchmark found\n\n");
        self.surroundings.iter().for_each(|line| text.push_str(&format!("- {line}\n")));
        for section in &self.sections {
            text.push_str(&format!("\n{}", section.markdown()));
        }
        text
    }
}
