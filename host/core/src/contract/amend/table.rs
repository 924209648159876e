//! Tables, and what a table has besides columns: keys, rules, budgets, settings.

use std::collections::BTreeSet;

use super::budget;
use super::check::{refuses_if, severity};
use super::columns::{Names, Setting, columns};
use super::pairs::pair;
use super::{Effect, Ops, Subject, Verb};
use crate::contract::{ColumnOrder, Contract, ExtraColumns, ExtraTables, Key, RowRule};
use crate::contract::{QuarantineBudget, Severity, TableContract, VerdictUnit, words};

const PARSER_DECIDES: &str = "from now on the parser decides what comes out besides";
const PARSER_DECIDED: &str = "what the parser added comes out no longer";
const PERHAPS: &str = "a guess: the table that went and the one that came are alike in all but the name";
const EXPRESSIONS: &str = "whether one expression holds wherever another does is not decided";
const KEYS: &str = "rows that differ in one set of columns may be alike in another";
const COMPANIONS: &str = "a bad row takes its record along again";

/// Says what became of tables that the contract does not name.
pub(super) fn extra_tables(old: &Contract, new: &Contract, ops: &mut Ops) {
    let effect = match (old.extra_tables, new.extra_tables) {
        (ExtraTables::Freeze, ExtraTables::Evolve) => Effect::Reshapes(Some(PARSER_DECIDES)),
        (ExtraTables::Evolve, ExtraTables::Freeze) => Effect::ReshapesAndRefuses(Some(PARSER_DECIDED)),
        _ => return,
    };
    let operation = ops.add(Verb::Change, Subject::ExtraTables, effect);
    operation.was(words::extra_tables(old.extra_tables)).is(words::extra_tables(new.extra_tables));
}

/// Says what became of every table.
pub(super) fn tables(old: &Contract, new: &Contract, ops: &mut Ops) {
    let is_alike = |one: &TableContract, other: &TableContract| {
        *one == TableContract { name: one.name.clone(), ..other.clone() }
    };
    let pairs = pair(&old.tables, &new.tables, &[&|one, other| one.name == other.name, &is_alike]);
    for (one, other) in pairs.both {
        ops.table = Some(one.name.to_string());
        if one.name == other.name {
            table(one, other, ops);
        } else {
            let effect = Effect::ReshapesAndRefuses(Some(PERHAPS));
            ops.add(Verb::Rename, Subject::Table, effect).was(one.name.as_str()).is(other.name.as_str());
        }
    }
    for table in pairs.gone {
        ops.table = Some(table.name.to_string());
        ops.add(Verb::Drop, Subject::Table, Effect::ReshapesAndRefuses(None)).was(size(table));
    }
    for table in pairs.come {
        ops.table = Some(table.name.to_string());
        // Where extra tables evolved, its rows came out unjudged until now.
        let effect = match old.extra_tables {
            ExtraTables::Freeze => Effect::Reshapes(None),
            ExtraTables::Evolve => Effect::ReshapesAndRefuses(None),
        };
        ops.add(Verb::Add, Subject::Table, effect).is(size(table));
    }
    ops.table = None;
}

fn size(table: &TableContract) -> String {
    match table.columns.len() {
        1 => "1 column".to_owned(),
        count => format!("{count} columns"),
    }
}

fn table(old: &TableContract, new: &TableContract, ops: &mut Ops) {
    let setting = Setting {
        was_frozen: old.extra_columns == ExtraColumns::Freeze,
        drop: match new.extra_columns {
            // A parser that still has it is refused.
            ExtraColumns::Freeze => Effect::ReshapesAndRefuses(None),
            ExtraColumns::DiscardValue | ExtraColumns::Evolve => Effect::Reshapes(None),
        },
        reorder: match new.column_order {
            ColumnOrder::Strict => Effect::ReshapesAndRefuses(None),
            ColumnOrder::Any => Effect::Reshapes(None),
        },
        has_rules: !new.rules.is_empty(),
    };
    let renamed = columns(&old.columns, &new.columns, "", setting, ops);
    let names = Names { old: &old.columns, new: &new.columns, renamed: &renamed };
    keys(old, new, &names, ops);
    rules(&old.rules, &new.rules, ops);
    budget::budgets(&old.budgets, &new.budgets, &names, ops);
    settings(old, new, ops);
}

fn keys(old: &TableContract, new: &TableContract, names: &Names<'_>, ops: &mut Ops) {
    let before = |key: &Key| key.columns.iter().map(|place| names.was(*place)).collect::<Vec<_>>();
    let after = |key: &Key| key.columns.iter().map(|place| names.is(*place)).collect::<Vec<_>>();
    let pairs = pair(
        &old.keys,
        &new.keys,
        &[
            &|one, other| one.name == other.name && before(one) == after(other),
            &|one, other| before(one) == after(other),
            &|one, other| one.name == other.name,
        ],
    );
    for key in pairs.gone {
        let effect = if key.severity == Severity::Error { Effect::Admits } else { Effect::Neutral };
        ops.add(Verb::Drop, Subject::Key, effect).named(&key.name).was(before(key).join(", "));
    }
    for (one, other) in pairs.both {
        if one.name != other.name {
            ops.add(Verb::Rename, Subject::Key, Effect::Neutral).was(&one.name).is(&other.name);
        }
        if one.severity != other.severity {
            severity(&other.name, one.severity, other.severity, ops).subject = Subject::Key;
        }
        let (was, is) = (before(one), after(other));
        if was != is {
            let (verb, effect) = other_columns(&was, &is, other.severity);
            ops.add(verb, Subject::Key, effect).named(&other.name).was(was.join(", ")).is(is.join(", "));
        }
    }
    for key in pairs.come {
        let effect = refuses_if(key.severity, None);
        ops.add(Verb::Add, Subject::Key, effect).named(&key.name).is(after(key).join(", "));
    }
}

/// Rows that differ in a column differ in it and another one too.
fn other_columns(old: &[String], new: &[String], severity: Severity) -> (Verb, Effect) {
    let (before, after): (BTreeSet<&String>, BTreeSet<&String>) =
        (old.iter().collect(), new.iter().collect());
    if before == after {
        (Verb::Change, Effect::Neutral)
    } else if before.is_subset(&after) {
        (Verb::Widen, if severity == Severity::Error { Effect::Admits } else { Effect::Neutral })
    } else if after.is_subset(&before) {
        (Verb::Narrow, refuses_if(severity, None))
    } else {
        (Verb::Change, refuses_if(severity, Some(KEYS)))
    }
}

fn rules(old: &[RowRule], new: &[RowRule], ops: &mut Ops) {
    let pairs = pair(
        old,
        new,
        &[&|one, other| one == other, &|one, other| one.expression == other.expression, &|one, other| {
            one.name == other.name
        }],
    );
    for rule in pairs.gone {
        let effect = if rule.severity == Severity::Error { Effect::Admits } else { Effect::Neutral };
        ops.add(Verb::Drop, Subject::Rule, effect).named(&rule.name).was(&rule.expression);
    }
    for (one, other) in pairs.both {
        if one.name != other.name {
            ops.add(Verb::Rename, Subject::Rule, Effect::Neutral).was(&one.name).is(&other.name);
        }
        if one.severity != other.severity {
            severity(&other.name, one.severity, other.severity, ops);
        }
        if one.expression != other.expression {
            let effect = refuses_if(other.severity, Some(EXPRESSIONS));
            let operation = ops.add(Verb::Change, Subject::Rule, effect);
            operation.named(&other.name).was(&one.expression).is(&other.expression);
        }
    }
    for rule in pairs.come {
        let effect = refuses_if(rule.severity, None);
        ops.add(Verb::Add, Subject::Rule, effect).named(&rule.name).is(&rule.expression);
    }
}

fn settings(old: &TableContract, new: &TableContract, ops: &mut Ops) {
    if old.extra_columns != new.extra_columns {
        let said = words::extra_columns;
        let operation =
            ops.add(Verb::Change, Subject::ExtraColumns, extra_columns(old.extra_columns, new.extra_columns));
        operation.was(said(old.extra_columns)).is(said(new.extra_columns));
    }
    if old.column_order != new.column_order {
        let said = words::column_order;
        let effect = match new.column_order {
            // Whole runs are let in, no row is.
            ColumnOrder::Any => Effect::Neutral,
            ColumnOrder::Strict => Effect::Refuses(None),
        };
        let operation = ops.add(Verb::Change, Subject::ColumnOrder, effect);
        operation.was(said(old.column_order)).is(said(new.column_order));
    }
    if old.verdict_unit != new.verdict_unit {
        let said = words::verdict_unit;
        let effect = match new.verdict_unit {
            VerdictUnit::Row => Effect::Admits,
            VerdictUnit::Record => Effect::Refuses(Some(COMPANIONS)),
        };
        let operation = ops.add(Verb::Change, Subject::VerdictUnit, effect);
        operation.was(said(old.verdict_unit)).is(said(new.verdict_unit));
    }
    for fault in new.allowed_faults.difference(&old.allowed_faults) {
        ops.add(Verb::Add, Subject::AllowedFault, Effect::Admits).is(fault);
    }
    for fault in old.allowed_faults.difference(&new.allowed_faults) {
        ops.add(Verb::Drop, Subject::AllowedFault, Effect::Refuses(None)).was(fault);
    }
    if old.quarantine_budget != new.quarantine_budget {
        let effect = quarantine_budget(old.quarantine_budget, new.quarantine_budget);
        let verb = if effect == Effect::Neutral { Verb::Widen } else { Verb::Narrow };
        let said = words::quarantine_budget;
        let operation = ops.add(verb, Subject::QuarantineBudget, effect);
        operation.was(said(old.quarantine_budget)).is(said(new.quarantine_budget));
    }
}

fn extra_columns(old: ExtraColumns, new: ExtraColumns) -> Effect {
    match (old, new) {
        // A table with more columns was refused as a whole, so no row of it was ever judged.
        (ExtraColumns::Freeze, ExtraColumns::DiscardValue) => Effect::Neutral,
        (ExtraColumns::DiscardValue, ExtraColumns::Freeze) => Effect::Refuses(None),
        (ExtraColumns::Evolve, ExtraColumns::Freeze) => Effect::ReshapesAndRefuses(Some(PARSER_DECIDED)),
        (ExtraColumns::Evolve, _) => Effect::Reshapes(Some(PARSER_DECIDED)),
        (_, _) => Effect::Reshapes(Some(PARSER_DECIDES)),
    }
}

fn quarantine_budget(old: QuarantineBudget, new: QuarantineBudget) -> Effect {
    let percent = match (old.percent_max, new.percent_max) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(old), Some(new)) => new >= old,
    };
    let rows = match (old.rows_max, new.rows_max) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(old), Some(new)) => new >= old,
    };
    if percent && rows { Effect::Neutral } else { Effect::Refuses(None) }
}
