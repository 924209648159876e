//! Emits values at the ends of their types, in a record of the whole range: a time far beyond any calendar, numbers that are
//! none; and past the end where `text` is `beyond`: a decimal of more digits than its type has.

use crate::arrow::{Cells, Column, batch, schema};
use crate::bindings::casparian::parser::output::Table;
use crate::bindings::casparian::parser::types::Fault;
use crate::scene::Scene;

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    let span = (scene.range.offset, scene.range.length as u32);
    let most = if scene.text == "beyond" { i128::MAX } else { 99_999 };
    let column = |name: &str, cells| Column { name: name.into(), nullable: !name.starts_with('_'), cells };
    let columns = [
        column("_cf_offset", Cells::U64(vec![span.0; 4])),
        column("_cf_length", Cells::U32(vec![span.1; 4])),
        column("time", Cells::Timestamp(vec![i64::MAX, i64::MIN, 0, -1])),
        column("day", Cells::Date32(vec![i32::MAX, i32::MIN, 0, -1])),
        column("price", Cells::Decimal(vec![most, -most, 1, 0])),
        column("number", Cells::F64(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0])),
    ];
    Table::open("extremes", &schema(&columns))?.emit(&batch(&columns).message())?;
    scene.commit()
}
