//! Names of columns: those of the header, made such that a table can have them.

use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a name, at most.
const NAME_BYTES_MAX: usize = 256;
/// The prefix that is the host's.
const RESERVED: &str = "_cf_";

/// Makes names out of what a header says: printable, not empty, each once (case aside), none of them reserved. What is fine as it
/// is stays as it is.
pub fn unique(said: &[String]) -> Vec<String> {
    let (mut taken, mut numbers) = (BTreeSet::new(), BTreeMap::new());
    // A name that is fine keeps its place before one that has to be changed can take it.
    let plain: Vec<String> = said.iter().enumerate().map(|(place, name)| printable(name, place)).collect();
    let reserved: BTreeSet<String> = plain.iter().map(|name| fold(name)).collect();
    plain.into_iter().map(|name| free(name, &reserved, &mut taken, &mut numbers)).collect()
}

/// Returns the name of a column that has none, by its place.
pub fn unnamed(place: usize) -> String {
    format!("column_{}", place + 1)
}

fn printable(name: &str, place: usize) -> String {
    let mut made: String = name.chars().map(|c| if is_printable(c) { c } else { ' ' }).collect();
    if made.trim().is_empty() {
        return unnamed(place);
    }
    if fold(&made).starts_with(RESERVED) {
        made.insert(0, 'x');
    }
    cut(&mut made, NAME_BYTES_MAX);
    made
}

/// What the host takes for printable: no control, no format character, no line or paragraph separator.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{600}'..='\u{605}' | '\u{6DD}' | '\u{70F}' | '\u{890}'..='\u{891}' | '\u{8E2}' | '\u{110BD}'
            | '\u{110CD}' | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

fn cut(name: &mut String, bytes: usize) {
    let mut end = bytes.min(name.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
}

/// What is left of a name when case is ignored. Upper case first, as the host does: it unfolds `ß`.
fn fold(name: &str) -> String {
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// The name itself, or the first of `name_2`, `name_3`, … that is free.
fn free(
    name: String,
    reserved: &BTreeSet<String>,
    taken: &mut BTreeSet<String>,
    numbers: &mut BTreeMap<String, u32>,
) -> String {
    if taken.insert(fold(&name)) {
        return name;
    }
    let mut stem = name;
    cut(&mut stem, NAME_BYTES_MAX - 8);
    let number = numbers.entry(fold(&stem)).or_insert(1);
    loop {
        *number += 1;
        let tried = format!("{stem}_{number}");
        if !reserved.contains(&fold(&tried)) && taken.insert(fold(&tried)) {
            return tried;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(said: &[&str]) -> Vec<String> {
        unique(&said.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn names_that_are_fine_stay_as_they_are() {
        assert_eq!(names(&["id", " padded ", "Größe", "a\"b"]), ["id", " padded ", "Größe", "a\"b"]);
    }

    #[test]
    fn names_that_are_there_twice_are_counted_and_empty_ones_named_by_place() {
        assert_eq!(
            names(&["name", "Name", "", "name_2", "name", " "]),
            ["name", "Name_3", "column_3", "name_2", "name_4", "column_6"]
        );
    }

    #[test]
    fn what_no_table_takes_is_changed() {
        assert_eq!(
            names(&["_cf_offset", "a\nb", &"x".repeat(300)]),
            ["x_cf_offset", "a b", &"x".repeat(256)]
        );
    }
}
