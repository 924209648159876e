//! What one contract changes of another: a line for each operation, under its table.

use casparian_core::contract::amend::{Amendment, Caveat, Class, Operation};
use casparian_host::contract::{Difference, Identity};

use super::layout::{self, Align, Cell};
use super::paint::{Page, Tone};
use super::shown;

const INDENT: &str = "  ";
/// Digits of a hash that are shown beside a version.
const HASH_DIGITS: usize = 12;

/// Returns the operations by table, and the class of the whole.
pub(super) fn difference(difference: &Difference, page: Page) -> String {
    let Difference { old, new, amendment, .. } = difference;
    let title = format!("{} -> {}", identity(old), identity(new));
    let mut text = format!("{}\n", page.paint.tone(Tone::Strong, title));
    if old.id != new.id {
        text += "these are two contracts, by their ids, and not two versions of one\n";
    }
    for table in tables(amendment) {
        let rows: Vec<Vec<Cell>> = rows(amendment, table);
        let title = table.map_or("contract".to_owned(), |table| format!("table {}", shown(table)));
        let rows = layout::wrap_last(INDENT, 4, &rows, page);
        text += &format!(
            "\n{}\n{}",
            page.paint.tone(Tone::Strong, title),
            layout::lines(INDENT, &[Align::Left; 4], &rows, page)
        );
    }
    if !amendment.operations.is_empty() {
        text.push('\n');
    }
    text + &verdict(amendment, page)
}

fn identity(identity: &Identity) -> String {
    let hash: String = identity.hash.to_string().chars().take(HASH_DIGITS).collect();
    format!("{} {} ({hash})", shown(&identity.id), shown(&identity.version))
}

/// Lists what has operations, in their order: the contract as a whole, then tables.
fn tables(amendment: &Amendment) -> Vec<Option<&str>> {
    let mut tables: Vec<Option<&str>> = Vec::new();
    let named = amendment.operations.iter().map(|operation| operation.table.as_deref());
    for table in named.chain(amendment.caveats.iter().map(|caveat| Some(caveat.table.as_str()))) {
        if !tables.contains(&table) {
            tables.push(table);
        }
    }
    tables
}

fn rows(amendment: &Amendment, table: Option<&str>) -> Vec<Vec<Cell>> {
    let operations = amendment.operations.iter().filter(|operation| operation.table.as_deref() == table);
    let caveats = amendment.caveats.iter().filter(|caveat| Some(caveat.table.as_str()) == table);
    operations.map(operation).chain(caveats.map(caveat)).collect()
}

fn operation(operation: &Operation) -> Vec<Cell> {
    let column = operation.column.as_deref().map(shown).unwrap_or_default();
    let name = operation.name.as_deref().map(|name| format!("{}: ", shown(name))).unwrap_or_default();
    let because = operation.because.map(|because| format!("; {because}")).unwrap_or_default();
    let what = match (&operation.old, &operation.new) {
        (Some(old), Some(new)) => format!("{} -> {}", shown(old), shown(new)),
        (Some(one), None) | (None, Some(one)) => shown(one),
        (None, None) => String::new(),
    };
    vec![
        class(operation.class),
        Cell::new(operation.word()),
        Cell::new(column),
        Cell::new(format!("{name}{what}{because}")),
    ]
}

fn caveat(caveat: &Caveat) -> Vec<Cell> {
    let what = format!("{} {}: {}", caveat.subject.as_str(), shown(&caveat.name), caveat.because);
    vec![class(caveat.class()), Cell::new("beware"), Cell::new(""), Cell::new(what)]
}

fn class(class: Class) -> Cell {
    Cell::toned(tone(class), class.to_string())
}

fn tone(class: Class) -> Tone {
    match class {
        Class::Unchanged => Tone::Plain,
        Class::Widening => Tone::Good,
        Class::Narrowing => Tone::Warn,
        Class::Reshaping => Tone::Bad,
    }
}

fn verdict(amendment: &Amendment, page: Page) -> String {
    let what = match amendment.class {
        Class::Unchanged => "nothing that rows are judged by changes",
        Class::Widening => "every row that was accepted stays accepted, with the same values",
        Class::Narrowing => "rows accepted so far may be refused, or get other values",
        Class::Reshaping if amendment.may_refuse() => {
            "tables come out with other columns,\n  and rows accepted so far may be refused, or get other values"
        }
        Class::Reshaping => {
            "tables come out with other columns;\n  every row that was accepted stays accepted"
        }
    };
    let class = page.paint.tone(tone(amendment.class), amendment.class);
    format!("{class}: {what}\n")
}
