//! `host explain CODE`

use casparian_core::fault::Blamed as _;
use casparian_host::explain::{Page, find, pages};

use crate::exit::Exit;
use crate::render::Render;

/// What `host explain` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A reason code such as CF0202, or a rule such as `maxLength`; none: list the codes
    word: Option<String>,

    /// Print one JSON object per code
    #[arg(long)]
    json: bool,
}

/// Says what a reason code means.
pub(crate) fn run(args: &Args, render: &mut Render) -> Exit {
    let found: Vec<Page> = match args.word.as_deref().map(find) {
        None => pages().collect(),
        Some(Ok(page)) => vec![page],
        Some(Err(fault)) => {
            render.fault(&fault.report(), None);
            return Exit::from_blame(fault.blame());
        }
    };
    match found.as_slice() {
        pages if args.json => pages.iter().for_each(|page| render.json(page)),
        [page] => render.page(page),
        pages => render.codes(pages),
    }
    Exit::Done
}
