//! The tables `fields` and `groups`: every field of a message, and every instance of its repeating groups.

use casparian_sdk::column::{At, List, Struct, Text};
use casparian_sdk::prelude::*;
use casparian_sdk::table::Table;

use crate::dictionary::Version;
use crate::faults::Flaws;
use crate::fields::Field;
use crate::walk::{Book, Group, Instance, Walk};

table! {
    /// A step into a repeating group.
    pub struct Steps = "steps" {
        /// The field that counts the group.
        tag: u32,
        /// Which of its instances, from 0.
        idx: u32,
    }
}

table! {
    /// One row per field of a message that can be read, in order.
    pub struct Fields = "fields", default_off {
        /// The place of the field in its message, from 0.
        pos: u32,
        /// The tag; null where it is no positive number without leading zeros.
        tag: Option<u32>,
        /// What stands before the equals sign where that is no tag; null where there is no equals sign either.
        tag_raw: Option<Vec<u8>>,
        /// What the standard calls the field in the version of the message; null where it does not.
        name: Option<String>,
        /// The value, byte for byte.
        value: Vec<u8>,
        /// The field that counts the innermost repeating group that this one stands in; null outside all groups.
        group_tag: Option<u32>,
        /// The instances that the field stands in, the outermost first; null outside all groups.
        group_path: Option<Vec<Nested<Steps>>>,
    }
}

table! {
    /// One row per instance of a repeating group; a group without any has one row, whose `idx` is null.
    pub struct Groups = "groups", default_off {
        /// The field that counts the group.
        count_tag: u32,
        /// What the standard calls that field.
        name: Option<String>,
        /// The field that counts the group around this one; null outside all groups.
        parent_tag: Option<u32>,
        /// Which of the instances of the group around it this one stands in, from 0.
        parent_idx: Option<u32>,
        /// Which of the group's instances this is, from 0; null where it has none.
        idx: Option<u32>,
        /// How many instances the message says there are; null where that is no number.
        declared_count: Option<u64>,
        /// How many there are.
        actual_count: u32,
        /// The instances that lead here, the outermost first, this one last.
        path: Vec<Nested<Steps>>,
        /// The place of its first field in the message, from 0; that of the counting field where there is no instance.
        first_pos: u32,
        /// How many fields it has, with those of the groups inside it.
        n_fields: u32,
    }
}

/// A message whose fields are known, and where they stand.
pub struct Walked<'a> {
    /// The bytes that all places point into, padded.
    pub bytes: &'a [u8],
    /// Where its record is in the input.
    pub span: Span,
    /// Its fields in order.
    pub fields: &'a [Field],
    /// The dictionary for it, if there is one.
    pub book: Option<Book>,
    /// Where its fields stand.
    pub walk: &'a Walk,
}

/// Names spelled lately, each where its tag points.
#[derive(Debug, Default)]
pub struct Names(Vec<Name>);

#[derive(Clone, Debug, Default)]
struct Name {
    tag: u32,
    /// The versions that it is from.
    versions: Option<[Version; 2]>,
    /// Empty where they have no such field.
    text: String,
}

impl Names {
    /// As many as are kept.
    const COUNT: usize = 2048;

    /// Sets the name of a field, if the dictionary has one.
    fn put(&mut self, column: &mut Text, at: At, book: Option<&Book>, tag: u32) {
        let Some(book) = book else { return };
        self.0.resize_with(Self::COUNT, Name::default);
        let name = &mut self.0[tag as usize % Self::COUNT];
        if (name.tag, name.versions) != (tag, Some(book.versions())) {
            (name.tag, name.versions) = (tag, Some(book.versions()));
            name.text.clear();
            if let Some(definition) = book.field(tag) {
                definition.spell(&mut name.text);
            }
        }
        if !name.text.is_empty() {
            column.set(at, &name.text);
        }
    }
}

/// Writes the fields of a message, and returns whether there is one; what is wrong with the message goes to the first. Fails where the host refuses a row.
pub fn fields(
    table: &mut Table<'_, Fields>,
    walked: &Walked<'_>,
    names: &mut Names,
    flaws: &mut Flaws,
) -> Result<bool, Fault> {
    for (pos, field) in (0u32..).zip(walked.fields) {
        let mut row = table.row(walked.span)?;
        let at = row.at();
        row.pos.set(at, pos);
        if field.tag != 0 {
            row.tag.set(at, field.tag);
        } else if field.value > field.start {
            row.tag_raw.set_slice(at, walked.bytes, field.start, field.value - 1);
        }
        names.put(&mut row.name, at, walked.book.as_ref(), field.tag);
        row.value.set_slice(at, walked.bytes, field.value, field.end);
        if let Some((group, _)) = walked.walk.path(pos as usize).next() {
            row.group_tag.set(at, group.tag);
            put_path(&mut row.group_path, at, walked.walk.path(pos as usize));
        }
        row.faults(std::mem::take(flaws));
    }
    Ok(!walked.fields.is_empty())
}

/// Writes the repeating groups of a message, and returns whether there is one; what is wrong with the message goes to the first. Fails where the host refuses a row.
pub fn groups(
    table: &mut Table<'_, Groups>,
    walked: &Walked<'_>,
    names: &mut Names,
    flaws: &mut Flaws,
) -> Result<bool, Fault> {
    let walk = walked.walk;
    for (at, group) in (0u32..).zip(&walk.groups).filter(|(_, group)| group.actual == 0) {
        debug_assert!(walk.instances.iter().all(|instance| instance.group != at));
        group_row(table, walked, group, None, names, flaws)?;
    }
    for (at, instance) in (0u32..).zip(&walk.instances) {
        let Some(group) = walk.groups.get(instance.group as usize) else { continue };
        group_row(table, walked, group, Some((at, instance)), names, flaws)?;
    }
    Ok(!walk.groups.is_empty())
}

fn group_row(
    table: &mut Table<'_, Groups>,
    walked: &Walked<'_>,
    group: &Group,
    instance: Option<(u32, &Instance)>,
    names: &mut Names,
    flaws: &mut Flaws,
) -> Result<(), Fault> {
    let walk = walked.walk;
    let first = instance.map_or(group.counter, |(_, instance)| instance.first);
    let mut row = table.row(walked.span)?;
    let at = row.at();
    row.count_tag.set(at, group.tag);
    names.put(&mut row.name, at, walked.book.as_ref(), group.tag);
    if let Some((around, outer)) = walk.path(group.counter as usize).next() {
        row.parent_tag.set(at, around.tag);
        row.parent_idx.set(at, outer.index);
    }
    if let Some(declared) = group.declared {
        row.declared_count.set(at, declared);
    }
    row.actual_count.set(at, group.actual);
    row.first_pos.set(at, first);
    row.path.begin(at);
    put_path(&mut row.path, at, walk.path(first as usize));
    if let Some((number, instance)) = instance {
        row.idx.set(at, instance.index);
        row.n_fields.set(at, walk.fields_of(number).count() as u32);
    } else {
        row.n_fields.set(at, 0);
    }
    row.faults(std::mem::take(flaws));
    Ok(())
}

/// Writes a path, which is given the innermost first.
fn put_path(column: &mut List<Struct<Steps>>, at: At, path: impl Iterator<Item = (Group, Instance)>) {
    let mut steps = [(0, 0); crate::walk::DEPTH_MAX];
    let mut depth = 0;
    for ((group, instance), step) in path.zip(&mut steps) {
        *step = (group.tag, instance.index);
        depth += 1;
    }
    for (tag, idx) in steps[..depth].iter().rev() {
        let (items, item) = column.item(at);
        let step = items.set(item);
        step.tag.set(item, *tag);
        step.idx.set(item, *idx);
    }
}
