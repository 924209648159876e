//! Writes the corpora that fuzzing begins with: the golden messages, as each target expects its input.

use std::fs;
use std::io;
use std::path::Path;

use casparian_fuzz::{TABLES, goldens};

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for target in ["wire_schema", "wire_batch"] {
        fs::create_dir_all(corpus.join(target))?;
    }
    for golden in goldens() {
        let place = |schema: &String| TABLES.iter().position(|(file, _)| file == schema);
        match golden.schema.as_ref().map(place) {
            None => fs::write(corpus.join("wire_schema").join(&golden.name), &golden.message)?,
            Some(table) => {
                let choice = u8::try_from(table.unwrap_or(0)).unwrap_or(0);
                let input = [&[choice], golden.message.as_slice()].concat();
                fs::write(corpus.join("wire_batch").join(&golden.name), input)?;
            }
        }
    }
    Ok(())
}
