//! What a run wrote, at a glance: a line for each column.

use casparian_core::guest_text::GuestText;
use casparian_core::infer::Distinct;
use casparian_host::glance::{ColumnGlance, Glance, TableGlance};

use super::layout::{self, Align, Cell};
use super::paint::{Page, Tone};
use super::quantity::{bytes, count, counted};
use super::shown;

const INDENT: &str = "  ";
/// Most columns of a terminal that a value takes.
const VALUE_COLUMNS_MAX: usize = 24;
const NAME_COLUMNS_MAX: usize = 32;
/// A bar for nothing, and bars for the eighths of the highest.
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ALIGNS: [Align; 7] =
    [Align::Left, Align::Left, Align::Right, Align::Right, Align::Right, Align::Right, Align::Left];

/// Returns what a run wrote, table by table.
pub(super) fn glance(glance: &Glance, page: Page) -> String {
    let mut sections: Vec<String> = glance.tables.iter().map(|found| table(found, page)).collect();
    if glance.quarantined > 0 {
        let held = counted(glance.quarantined, "row");
        let title = page.paint.tone(Tone::Warn, "quarantine");
        sections
            .push(format!("{title}  {held}\n{INDENT}hint: host quarantine top {}\n", shown(&glance.path)));
    }
    sections.join("\n")
}

fn table(table: &TableGlance, page: Page) -> String {
    let title = page.paint.tone(Tone::Strong, &table.name);
    let files = counted(table.files as u64, "file");
    let extent = format!("{}, {} in {files}", counted(table.rows, "row"), bytes(table.bytes));
    let head = ["column", "type", "null", "different", "least", "most", "spread"];
    let mut rows = vec![head.map(|word| Cell::toned(Tone::Faint, word)).to_vec()];
    rows.extend(table.columns.iter().map(column));
    let lines = layout::lines(INDENT, &ALIGNS, &rows, page);
    format!("{title}  {}\n{lines}", page.paint.tone(Tone::Faint, extent))
}

fn column(column: &ColumnGlance) -> Vec<Cell> {
    let different = match column.distinct {
        None => String::new(),
        Some(Distinct::Exactly(number)) => count(number),
        Some(Distinct::About(number)) => format!("~{}", count(number)),
    };
    let nulls = if column.nulls == 0 { "-".to_owned() } else { count(column.nulls) };
    let mut row = vec![
        Cell::new(layout::cut(&column.name.to_string(), NAME_COLUMNS_MAX)),
        Cell::toned(Tone::Faint, layout::cut(&shown(&column.kind), NAME_COLUMNS_MAX)),
        Cell::new(nulls),
        Cell::new(different),
        value(column.least.as_ref()),
        value(column.most.as_ref()),
    ];
    row.extend(column.histogram.as_ref().map(|counts| Cell::new(bars(counts))));
    row
}

fn value(value: Option<&GuestText>) -> Cell {
    Cell::new(value.map_or_else(String::new, |value| layout::cut(&value.to_string(), VALUE_COLUMNS_MAX)))
}

/// Draws counts as bars. What is there at all is seen.
fn bars(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or_default().max(1);
    let bar = |count: &u64| {
        let eighths = (u128::from(*count) * 8).div_ceil(u128::from(most));
        BARS.get(usize::try_from(eighths).unwrap_or_default()).copied().unwrap_or('█')
    };
    counts.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_bar_is_full_and_the_lowest_is_seen() {
        assert_eq!(bars(&[0, 1, 500, 1000]), " ▁▄█");
        assert_eq!(bars(&[0, 0]), "  ");
    }
}
