//! What a parser is, before anybody trusts it with anything.

use casparian_core::description::{Description, OptionInfo, OptionKind, TableInfo};
use casparian_core::limits::Limits;
use casparian_host::inspect::{Column, Inspection};

use super::layout::{self, Align, Cell};
use super::paint::{Page, Tone};
use super::quantity::{bound_bytes, bytes, count, counted, scaled, time};
use super::shown;

const INDENT: &str = "  ";
const LEFT: [Align; 4] = [Align::Left; 4];

/// Returns everything that is known of a parser.
pub(super) fn inspection(inspection: &Inspection, page: Page) -> String {
    let described = &inspection.description;
    let tables = described.tables.iter().map(|info| table(info, columns_of(inspection, info), page));
    let mut sections = vec![facts(inspection, page)];
    sections.extend(tables);
    sections.push(section("faults that it may find in a record", &faults(described), page));
    sections.push(section("options", &described.options.iter().map(option).collect::<Vec<_>>(), page));
    sections.push(section("limits, unless a run sets others", &limits(&inspection.limits), page));
    sections.retain(|section| !section.is_empty());
    sections.join("\n")
}

fn facts(inspection: &Inspection, page: Page) -> String {
    let described = &inspection.description;
    let title = page.paint.tone(Tone::Strong, format!("{} {}", described.name, described.version));
    let mut rows = vec![
        fact("reads", described.doc.to_string()),
        fact("file", format!("{}, {}", shown(&inspection.path), bytes(inspection.bytes))),
        fact("sha256", inspection.sha256.to_string()),
        fact("signature", inspection.signature.as_deref().map_or_else(|| "none".to_owned(), shown)),
    ];
    let patterns: Vec<String> = described.patterns.iter().map(ToString::to_string).collect();
    if !patterns.is_empty() {
        rows.push(fact("files", patterns.join(", ")));
    }
    if let Some(contract) = &inspection.contract {
        rows.push(fact("contract", format!("{} {}", shown(&contract.id), shown(&contract.version))));
        rows.push(fact("", contract.hash.to_string()));
    }
    if let Some(fault) = &inspection.misfit {
        rows.push(fact("misfit", shown(&fault.message)));
    }
    rows.extend(list("imports", &inspection.imports));
    rows.extend(list("exports", &inspection.exports));
    format!("{title}\n{}", prose(INDENT, &rows, page))
}

fn fact(name: &str, value: String) -> Vec<Cell> {
    vec![Cell::toned(Tone::Faint, name), Cell::new(value)]
}

fn list(name: &str, values: &[String]) -> Vec<Vec<Cell>> {
    match values {
        [] => vec![fact(name, "none".to_owned())],
        values => {
            let name_of = |at: usize| if at == 0 { name } else { "" };
            values.iter().enumerate().map(|(at, value)| fact(name_of(at), shown(value))).collect()
        }
    }
}

fn columns_of<'a>(inspection: &'a Inspection, info: &TableInfo) -> Option<&'a [Column]> {
    inspection.columns.iter().find(|table| table.table == info.name).map(|table| table.columns.as_slice())
}

fn table(info: &TableInfo, columns: Option<&[Column]>, page: Page) -> String {
    let when = if info.default_on { "on by default" } else { "only when asked for" };
    let title = page.paint.tone(Tone::Strong, format!("table {}", info.name));
    let title = format!("{title}  {}\n", page.paint.tone(Tone::Faint, when));
    let doc = prose(INDENT, &non_empty(info.doc.to_string()), page);
    let Some(columns) = columns else {
        return format!("{title}{doc}{INDENT}its columns are not known before it opens\n");
    };
    let row = |column: &Column| {
        let null = if column.nullable { "" } else { "never null" };
        vec![
            Cell::new(column.name.to_string()),
            Cell::new(shown(&column.kind)),
            Cell::toned(Tone::Faint, null),
            Cell::new(column.doc.to_string()),
        ]
    };
    title + &doc + &prose("    ", &columns.iter().map(row).collect::<Vec<_>>(), page)
}

fn non_empty(text: String) -> Vec<Vec<Cell>> {
    if text.is_empty() { vec![] } else { vec![vec![Cell::new(text)]] }
}

fn faults(described: &Description) -> Vec<Vec<Cell>> {
    described
        .faults
        .iter()
        .map(|fault| vec![Cell::new(fault.code.as_str()), Cell::new(fault.doc.to_string())])
        .collect()
}

fn option(option: &OptionInfo) -> Vec<Cell> {
    let takes = match option.kind {
        OptionKind::Text => "text".to_owned(),
        OptionKind::Integer => "an integer".to_owned(),
        OptionKind::Number => "a number".to_owned(),
        OptionKind::Flag => "true or false".to_owned(),
        OptionKind::Choice => option.choices.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
    };
    let default = option.default.as_ref().map(|default| format!("; else {default}")).unwrap_or_default();
    vec![Cell::new(shown(&option.name)), Cell::new(takes + &default), Cell::new(option.doc.to_string())]
}

fn limits(limits: &Limits) -> Vec<Vec<Cell>> {
    let fuel = format!("{} and {} per byte of input", scaled(limits.fuel_base), count(limits.fuel_per_byte));
    let deadline = format!(
        "{} and {} per MiB of input",
        time(limits.deadline_base_ms),
        time(limits.deadline_per_mib_ms)
    );
    let per_byte = counted(limits.output_bytes_per_byte, "byte");
    let output = format!("{} and {per_byte} per byte of input", bound_bytes(limits.output_bytes_base));
    vec![
        fact("fuel", fuel),
        fact("memory", bound_bytes(limits.memory_bytes_max)),
        fact("time", deadline),
        fact("output", output),
        fact("log", bound_bytes(limits.log_bytes_max)),
    ]
}

fn section(title: &str, rows: &[Vec<Cell>], page: Page) -> String {
    if rows.is_empty() {
        return String::new();
    }
    format!("{}\n{}", page.paint.tone(Tone::Strong, title), prose(INDENT, rows, page))
}

/// Returns rows that end in prose.
fn prose(indent: &str, rows: &[Vec<Cell>], page: Page) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(1);
    let rows = layout::wrap_last(indent, columns, rows, page);
    layout::lines(indent, &LEFT[..columns], &rows, page)
}

#[cfg(test)]
mod tests {
    use casparian_core::description::FaultInfo;
    use casparian_core::guest_text::GuestText;
    use casparian_core::id::{Digest, TableName};
    use casparian_host::inspect::TableColumns;
    use casparian_host::report::{ContractOrigin, ContractReport};

    use super::*;

    fn text(text: &str) -> GuestText {
        GuestText::new(text, 100)
    }

    fn info(name: &str, doc: &str, default_on: bool) -> TableInfo {
        TableInfo { name: TableName::new(name).unwrap(), doc: text(doc), default_on, schema: None }
    }

    fn described() -> Description {
        Description {
            name: text("fix"),
            version: text("1.0.0"),
            doc: text("FIX logs\u{1b}[2J"),
            tables: vec![info("messages", "One row per message.", true), info("fields", "", false)],
            faults: vec![FaultInfo { code: "bad_checksum".to_owned(), doc: text("10= is wrong") }],
            options: vec![OptionInfo {
                name: "delimiter".to_owned(),
                kind: OptionKind::Choice,
                choices: vec![text("soh"), text("pipe")],
                default: Some(text("soh")),
                doc: text("What stands between fields."),
            }],
            patterns: vec![text("*.log"), text("*.fix")],
        }
    }

    fn inspected() -> Inspection {
        let column = |name: &str, kind: &str, nullable, doc: &str| Column {
            name: text(name),
            kind: kind.to_owned(),
            nullable,
            doc: text(doc),
        };
        Inspection {
            schema: 1,
            path: "fix.wasm".to_owned(),
            bytes: 312_000,
            sha256: Digest::from_bytes([7; 32]),
            signature: None,
            imports: vec![
                "casparian:parser/input@0.2.0".to_owned(),
                "casparian:parser/output@0.2.0".to_owned(),
            ],
            exports: vec!["casparian:parser/format@0.2.0".to_owned()],
            misfit: None,
            contract: Some(ContractReport {
                id: "fix-orders".to_owned(),
                version: "2.0.1".to_owned(),
                hash: Digest::from_bytes([8; 32]),
                origin: ContractOrigin::Embedded,
            }),
            description: described(),
            columns: vec![TableColumns {
                table: TableName::new("messages").unwrap(),
                columns: vec![
                    column("msg_type", "Utf8", false, "Tag 35."),
                    column("px", "Decimal128(38, 10)", true, ""),
                ],
            }],
            limits: Limits::default(),
        }
    }

    #[test]
    fn everything_known_of_a_parser_is_shown_escaped() {
        assert_eq!(
            inspection(&inspected(), Page::PLAIN),
            "\
fix 1.0.0
  reads      FIX logs\\u{1b}[2J
  file       fix.wasm, 312 kB
  sha256     0707070707070707070707070707070707070707070707070707070707070707
  signature  none
  files      *.log, *.fix
  contract   fix-orders 2.0.1
             0808080808080808080808080808080808080808080808080808080808080808
  imports    casparian:parser/input@0.2.0
             casparian:parser/output@0.2.0
  exports    casparian:parser/format@0.2.0

table messages  on by default
  One row per message.
    msg_type  Utf8                never null  Tag 35.
    px        Decimal128(38, 10)

table fields  only when asked for
  its columns are not known before it opens

faults that it may find in a record
  bad_checksum  10= is wrong

options
  delimiter  soh or pipe; else soh  What stands between fields.

limits, unless a run sets others
  fuel    1 G and 5,000 per byte of input
  memory  256 MiB
  time    30 s and 1 s per MiB of input
  output  64 MiB and 100 bytes per byte of input
  log     10 MiB
"
        );
    }
}
