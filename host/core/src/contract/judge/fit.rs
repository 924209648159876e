//! Whether a contract and the columns that a parser opens a table with fit together. Seen before the first row.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema};
use thiserror::Error;

use super::check::Kernel;
use super::column::{ColumnJudge, Shape};
use crate::contract::cast::Cast;
use crate::contract::{Column, ColumnOrder, ExtraColumns, TableContract};
use crate::fault::{Blame, Blamed};
use crate::guest_text::GuestText;
use crate::id::TableName;
use crate::wire::schema::fold;

/// A contract and a table that do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SchemaFault {
    /// The contract does not name the table.
    #[error("CF0705: the parser opens table `{table}`, which the contract does not name")]
    ExtraTable {
        /// The table.
        table: TableName,
    },
    /// A column that must have values is not sent at all.
    #[error("CF0701: table `{table}` comes without column `{column}`, which the contract requires")]
    MissingColumn {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
    },
    /// A column is sent that the contract does not name.
    #[error("CF0702: table `{table}` comes with column `{column}`, which the contract does not name")]
    ExtraColumn {
        /// The table.
        table: TableName,
        /// The column.
        column: GuestText,
    },
    /// A name that is sent is one of the contract's but for upper and lower case.
    #[error("CF0702: table `{table}` comes with column `{sent}`, which the contract spells `{column}`")]
    Spelling {
        /// The table.
        table: TableName,
        /// The column as it is sent.
        sent: GuestText,
        /// The contract's.
        column: String,
    },
    /// No value of the type that is sent could be one of the type that is wanted.
    #[error("CF0703: column `{column}` of table `{table}`: {why}")]
    WrongType {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// Both types.
        why: String,
    },
    /// Columns stand in another order than the contract's, which wants its own.
    #[error(
        "CF0704: table `{table}` comes with column `{column}` before `{before}`, the contract has it behind"
    )]
    Order {
        /// The table.
        table: TableName,
        /// The column that comes too early.
        column: String,
        /// The column that should stand before it.
        before: String,
    },
    /// A rule cannot be followed.
    #[error("rule `{rule}` of table `{table}`: {why}")]
    Rule {
        /// The table.
        table: TableName,
        /// The rule.
        rule: String,
        /// Why not.
        why: String,
    },
}

impl Blamed for SchemaFault {
    fn blame(&self) -> Blame {
        Blame::Operator
    }

    fn code(&self) -> &'static str {
        match self {
            Self::ExtraTable { .. } => "table-not-in-contract",
            Self::MissingColumn { .. } => "column-missing",
            Self::ExtraColumn { .. } => "column-not-in-contract",
            Self::Spelling { .. } => "column-spelling",
            Self::WrongType { .. } => "column-type",
            Self::Order { .. } => "column-order",
            Self::Rule { .. } => "contract-rule",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::ExtraTable { .. } => {
                "choose tables with --tables, add it to the contract, or set `extraTables: evolve`".to_owned()
            }
            Self::MissingColumn { .. } => "is this the contract of this parser?".to_owned(),
            Self::ExtraColumn { .. } => {
                "add it to the contract, or set `extraColumns: discard_value` or `evolve`".to_owned()
            }
            Self::Spelling { .. } => "names are compared letter by letter; amend one of the two".to_owned(),
            Self::WrongType { .. } => "`host inspect PARSER` shows the types that it sends".to_owned(),
            Self::Order { .. } => "leave out `columnOrder: strict`, or amend the contract".to_owned(),
            Self::Rule { .. } => "`host contract lint FILE` shows the place".to_owned(),
        })
    }
}

/// Finds every column of the contract, and those that it lets come along, among those that are sent.
pub(super) fn columns(
    contract: &TableContract,
    evolved: &[Column],
    sent: &Schema,
) -> Result<Vec<ColumnJudge>, SchemaFault> {
    if contract.column_order == ColumnOrder::Strict {
        check_order(contract, sent)?;
    }
    let fit = Fit { table: &contract.name, extra: contract.extra_columns };
    fit.check_spelling(contract.columns.iter(), sent.fields(), "")?;
    contract.columns.iter().chain(evolved).map(|column| fit.column(column, sent.fields(), "")).collect()
}

/// Returns the columns that the contract does not name and lets come along, as the parser declares them. They are judged by that.
pub(super) fn evolved(contract: &TableContract, sent: &Schema) -> Result<Vec<Column>, SchemaFault> {
    let fit = Fit { table: &contract.name, extra: contract.extra_columns };
    let known = |field: &Field| contract.columns.iter().any(|column| column.name == *field.name());
    let mut extra = sent.fields().iter().filter(|field| !known(field));
    match contract.extra_columns {
        ExtraColumns::Freeze => match extra.next() {
            // A name that is only spelt otherwise is told as that.
            Some(field) => {
                fit.check_spelling(contract.columns.iter(), sent.fields(), "")?;
                Err(fit.extra_column("", field))
            }
            None => Ok(Vec::new()),
        },
        ExtraColumns::DiscardValue => Ok(Vec::new()),
        ExtraColumns::Evolve => Ok(extra.map(|field| Column::declared(field)).collect()),
    }
}

fn check_order(contract: &TableContract, sent: &Schema) -> Result<(), SchemaFault> {
    let place = |field: &&Arc<Field>| contract.columns.iter().position(|c| c.name == *field.name());
    let places: Vec<usize> = sent.fields().iter().filter_map(|field| place(&field)).collect();
    let name = |at: usize| contract.columns.get(at).map(|column| column.name.clone()).unwrap_or_default();
    match places.iter().zip(places.iter().skip(1)).find(|(one, next)| one > next) {
        Some((one, next)) => {
            Err(SchemaFault::Order { table: contract.name.clone(), column: name(*one), before: name(*next) })
        }
        None => Ok(()),
    }
}

/// One table's fit.
struct Fit<'a> {
    table: &'a TableName,
    extra: ExtraColumns,
}

impl Fit<'_> {
    fn extra_column(&self, within: &str, field: &Field) -> SchemaFault {
        let column = GuestText::new(&path(within, field.name()), 256);
        SchemaFault::ExtraColumn { table: self.table.clone(), column }
    }

    /// Refuses a name that is sent and that is one of the contract's but for upper and lower case: a rule that finds no column
    /// would hold nobody back.
    fn check_spelling<'c>(
        &self,
        wanted: impl Iterator<Item = &'c Column>,
        sent: &Fields,
        within: &str,
    ) -> Result<(), SchemaFault> {
        let known: BTreeMap<String, &str> =
            wanted.map(|column| (fold(&column.name), column.name.as_str())).collect();
        let is_other =
            |field: &&Arc<Field>| known.get(&fold(field.name())).is_some_and(|name| name != field.name());
        match sent.iter().find(is_other) {
            Some(field) => Err(SchemaFault::Spelling {
                table: self.table.clone(),
                sent: GuestText::new(&path(within, field.name()), 256),
                column: known.get(&fold(field.name())).map(|name| path(within, name)).unwrap_or_default(),
            }),
            None => Ok(()),
        }
    }

    /// Finds a column, or a field of an object, among its siblings.
    fn column(&self, column: &Column, sent: &Fields, within: &str) -> Result<ColumnJudge, SchemaFault> {
        let path = path(within, &column.name);
        let found = sent.iter().enumerate().find(|(_, field)| *field.name() == column.name);
        let shape = match found {
            Some((_, field)) => self.shape(column, field.data_type(), &path)?,
            None if column.required => {
                return Err(SchemaFault::MissingColumn { table: self.table.clone(), column: path });
            }
            None => Shape::Absent,
        };
        let kernels = column.checks.iter().map(|check| {
            let kernel = Kernel::new(&check.rule, &column.data_type);
            let kernel = kernel.map_err(|why| SchemaFault::Rule {
                table: self.table.clone(),
                rule: format!("{path}: {}", check.name),
                why,
            })?;
            Ok((check, kernel))
        });
        Ok(ColumnJudge::new(
            column,
            path.clone(),
            found.map(|(at, _)| at),
            shape,
            kernels.collect::<Result<_, _>>()?,
        ))
    }

    fn shape(&self, column: &Column, sent: &DataType, path: &str) -> Result<Shape, SchemaFault> {
        match (sent, &column.data_type, column.children.as_slice()) {
            (
                DataType::List(item) | DataType::LargeList(item),
                DataType::List(_) | DataType::LargeList(_),
                [wanted],
            ) => {
                let only = Fields::from(vec![Field::clone(item).with_name(&wanted.name)]);
                let item = self.column(wanted, &only, path)?;
                let as_sent = item.is_as_sent() && *sent == column.data_type;
                Ok(if as_sent { Shape::AsSent } else { Shape::List(Box::new(item)) })
            }
            (DataType::Struct(fields), DataType::Struct(_), wanted) => {
                self.check_spelling(wanted.iter(), fields, path)?;
                let known = |field: &Field| wanted.iter().any(|child| child.name == *field.name());
                // There is no "behind the others" within an object whose type is the contract's.
                let is_refused = self.extra != ExtraColumns::DiscardValue;
                if let Some(extra) = fields.iter().find(|field| is_refused && !known(field)) {
                    return Err(self.extra_column(path, extra));
                }
                let children = wanted.iter().map(|child| self.column(child, fields, path));
                let children: Vec<ColumnJudge> = children.collect::<Result<_, _>>()?;
                let as_sent = children.iter().all(ColumnJudge::is_as_sent) && *sent == column.data_type;
                Ok(if as_sent { Shape::AsSent } else { Shape::Struct(children) })
            }
            (from, to, _) => match Cast::plan(from, to, &column.decoding) {
                Ok(cast) if cast.is_identity() => Ok(Shape::AsSent),
                Ok(cast) => Ok(Shape::Leaf(cast)),
                Err(why) => Err(SchemaFault::WrongType {
                    table: self.table.clone(),
                    column: path.to_owned(),
                    why: why.to_string(),
                }),
            },
        }
    }
}

fn path(within: &str, name: &str) -> String {
    if within.is_empty() { name.to_owned() } else { format!("{within}.{name}") }
}
