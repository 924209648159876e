//! Parts of a dataset, written again one after another. No guest runs here, and nothing of one part is there for the next.

use std::collections::BTreeMap;

use casparian_core::fault::FaultReport;
use casparian_core::id::TableName;

use super::{Failed, ask_for_file, broken, failed, internal};
use crate::columns::{self, Column};
use crate::link::{Link, Received};
use crate::orders::{FileFor, News, NextPart, Widening};
use crate::sinks::Provenance;
use crate::sinks::widen::Widener;

/// Does what it is told until nobody tells it anything more.
pub(super) fn serve(link: &Link, widening: Widening) -> Result<News, Failed> {
    let Widening { made_by, format, tables_wanted } = widening;
    let provenance = Provenance {
        parser_name: made_by.parser_name,
        parser_version: made_by.parser_version,
        parser_sha256: made_by.parser_sha256,
        input_sha256: None,
        packed: None,
        contract: made_by.contract,
    };
    let widener = Widener::new(format, provenance, tables_wanted);
    let mut tables: BTreeMap<TableName, Vec<Column>> = BTreeMap::new();
    tell(link, &News::Rests)?;
    loop {
        let (next, fds) = match link.receive::<NextPart>().map_err(|fault| broken(&fault))? {
            Received::Message(next, fds) => (next, fds),
            Received::Closed | Received::Nothing => return Ok(News::Rests),
        };
        match next {
            NextPart::Columns { table, columns } => {
                columns::gather(tables.entry(table).or_default(), columns).map_err(internal)?;
                tell(link, &News::Rests)?;
            }
            NextPart::Part(table) => {
                let part = fds.into_iter().next().ok_or_else(no_part)?;
                let columns = tables.get(&table).ok_or_else(no_part)?;
                let provide = || ask_for_file(link, FileFor::Table(table.clone()));
                let widened = widener.widen(&table, part.into(), columns, provide).map_err(failed)?;
                tell(link, &News::Widened(widened))?;
            }
        }
    }
}

fn tell(link: &Link, news: &News) -> Result<(), FaultReport> {
    link.send(news, &[]).map_err(|fault| broken(&fault))
}

fn no_part() -> FaultReport {
    internal("a part is missing, or the columns of its table are".to_owned())
}
