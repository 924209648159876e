//! Logs what steers a terminal, forges lines, reorders and hides text.

use crate::bindings::casparian::parser::log;
use crate::bindings::casparian::parser::types::{Fault, Level};
use crate::honest;
use crate::scene::Scene;

const ESCAPES: &str = "\u{1b}]52;c;aGk=\u{7}\u{1b}[2J\u{9b}31m\u{8}\rforged\n{\"fault\":null}\u{202e}dlrow\u{2066}\u{0}\u{200b}\u{7f}";

pub(crate) fn parse(scene: &Scene<'_>) -> Result<(), Fault> {
    log::log(Level::Error, ESCAPES, Some(scene.range));
    honest::parse(scene)
}
