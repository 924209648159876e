//! A message as the dictionary sees it: which fields stand in which instance of which repeating group.
//!
//! One pass with a stack that is as deep as the dictionary nests groups, never as deep as a message says. A declared count
//! is compared, never believed: nothing here is repeated or reserved by it. Tags that the message does not define stay
//! where they stand and end no group.
//!
//! What begins an instance is the tag that the group's first one began with.

use std::collections::BTreeMap;

use casparian_sdk::scan::parse_u64;

use crate::dictionary::{Body, Version, is_counter};
use crate::faults::{Flaw, Flaws};
use crate::fields::Field;
use crate::value;

/// Groups inside groups, at most: more than any version nests.
pub const DEPTH_MAX: usize = 12;

/// What a kind of message is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Book {
    /// The version of header, trailer and session messages.
    session: Version,
    /// The version of the rest; of messages of the session the same.
    application: Version,
    /// `None` where neither has a message of this type.
    body: Option<Body>,
    /// The type, with zeros behind it; all zeros where neither has it.
    msg_type: [u8; 4],
}

impl Book {
    /// Returns what the dictionary has for a message; `None` where it has nothing for its BeginString(8). `default` is the
    /// version of FIXT messages that do not name theirs.
    pub fn of(
        begin_string: &[u8],
        appl_ver_id: Option<&[u8]>,
        default: Version,
        msg_type: &[u8],
    ) -> Option<Book> {
        let named = Version::of_begin_string(begin_string)?;
        let (session, application) = match named {
            Version::Fixt11 => {
                (named, appl_ver_id.map_or(Some(default), Version::of_appl_ver_id).unwrap_or(default))
            }
            Version::Fix50 | Version::Fix50Sp1 | Version::Fix50Sp2 => (Version::Fixt11, named),
            _ => (named, named),
        };
        let of_session = session.message(msg_type);
        let application = if of_session.is_some() { session } else { application };
        let body = of_session.or_else(|| application.message(msg_type));
        let mut short = [0; 4];
        if let (Some(_), Some(start)) = (body, short.get_mut(..msg_type.len())) {
            start.copy_from_slice(msg_type);
        }
        Some(Book { session, application, body, msg_type: short })
    }

    /// Returns the versions of session and application, which are all that names go by.
    pub fn versions(&self) -> [Version; 2] {
        [self.session, self.application]
    }

    /// Returns whether some version repeats a field in messages of this type. Engines use groups of later versions in earlier
    /// ones.
    fn repeats(&self, tag: u32) -> bool {
        let digits = self.msg_type.iter().take_while(|byte| **byte != 0).count();
        let bodies = Version::ALL.into_iter().filter_map(|version| version.message(&self.msg_type[..digits]));
        bodies.chain([self.session.header()]).any(|body| body.repeats(tag))
    }

    /// Returns the definition of a field.
    pub fn field(&self, tag: u32) -> Option<crate::dictionary::Definition> {
        self.application.field(tag).or_else(|| self.session.field(tag))
    }

    fn edge(&self, edge: Edge) -> Option<Body> {
        match edge {
            Edge::Header => Some(self.session.header()),
            Edge::Body => self.body,
            Edge::Trailer => Some(self.session.trailer()),
        }
    }
}

/// The parts of a message outside all groups, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Edge {
    Header,
    Body,
    Trailer,
}

const EDGES: [Edge; 3] = [Edge::Header, Edge::Body, Edge::Trailer];

/// A repeating group that a message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Which of the message's fields counts it.
    pub counter: u32,
    /// The tag of that field.
    pub tag: u32,
    /// The instance that it stands in, by its place in [`Walk::instances`].
    pub parent: Option<u32>,
    /// What its counter says, where that is a number.
    pub declared: Option<u64>,
    /// How many instances there are.
    pub actual: u32,
}

/// An instance of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its group, by its place in [`Walk::groups`].
    pub group: u32,
    /// Which of the group's instances it is, from 0.
    pub index: u32,
    /// Its first field.
    pub first: u32,
}

/// How much is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Groups, and fields that are there twice.
    Structure,
    /// All that the dictionary says.
    Everything,
}

/// A group that is open where the walk stands.
#[derive(Clone, Copy, Debug)]
struct Open {
    body: Body,
    group: u32,
    /// The tag that its instances begin with, once one has.
    delimiter: Option<u32>,
    /// The mark of its instance at hand.
    mark: u64,
    /// That instance.
    instance: u32,
}

/// Where a tag belongs.
enum Place {
    /// Into the instance at hand of the group at this level.
    Member(usize, usize),
    /// It begins an instance of the group at this level.
    Begins(usize, usize),
    /// Outside all groups.
    Outside(Edge, usize),
    /// It is there twice: in the group at this level, or outside all groups.
    Twice(Option<usize>),
    /// The message does not define it.
    Nowhere,
}

/// Walks messages. Kept for its memory.
#[derive(Debug, Default)]
pub struct Walk {
    /// The groups of the message last walked, in the order of their counters.
    pub groups: Vec<Group>,
    /// Their instances, in order.
    pub instances: Vec<Instance>,
    /// For each field one more than the place of the instance that it stands in; 0 outside all groups.
    pub places: Vec<u32>,
    stack: Vec<Open>,
    /// Which members were met: outside by edge, then by level. A member was met in an instance if its cell has the mark of it.
    marks: [Vec<u64>; EDGES.len() + DEPTH_MAX],
    /// The mark given out last.
    mark: u64,
    /// The mark of the message at hand.
    message: u64,
    /// Which fields messages of a type may repeat: as many as the dictionary has, at most.
    repeats: BTreeMap<([u8; 4], u32), bool>,
    /// By tag, the mark of the last message that had it.
    met: Vec<u64>,
    /// The first of the fields at the end that nobody defines: what comes behind them says where they stand.
    undefined: Option<usize>,
}

impl Walk {
    /// Forgets the message last walked, as where there is no dictionary for one.
    pub fn clear(&mut self) {
        self.groups.clear();
        self.instances.clear();
        self.places.clear();
        self.stack.clear();
        self.undefined = None;
    }

    /// Returns whether a message has no groups, beyond doubt and without a dictionary: no field counts one. `twice` are the tags
    /// that come again.
    pub fn is_flat(&mut self, fields: &[Field], twice: &mut Vec<u32>) -> bool {
        const TAGS: usize = 4096;
        self.met.resize(TAGS, 0);
        self.mark += 1;
        twice.clear();
        fields.iter().all(|field| match self.met.get_mut(field.tag as usize) {
            _ if field.tag == 0 => true,
            Some(mark) => {
                if std::mem::replace(mark, self.mark) == self.mark {
                    twice.push(field.tag);
                }
                !is_counter(field.tag)
            }
            None => false,
        })
    }

    /// Does for a message without groups what [`Walk::read`] would: only what comes twice can be wrong with its structure.
    pub fn read_flat(&mut self, twice: &[u32], book: &Book, flaws: &mut Flaws) {
        self.clear();
        for tag in twice {
            let is_defined =
                EDGES.iter().any(|edge| book.edge(*edge).is_some_and(|body| body.place(*tag).is_some()));
            if is_defined && !self.may_repeat(book, *tag) {
                flaws.insert(Flaw::DuplicateTag);
            }
        }
    }

    /// Walks a message and adds what is wrong with it.
    pub fn read(&mut self, bytes: &[u8], fields: &[Field], book: &Book, depth: Depth, flaws: &mut Flaws) {
        self.clear();
        self.mark += 1;
        self.message = self.mark;
        let mut edge = Edge::Header;
        for (at, field) in fields.iter().enumerate() {
            let place = self.place(book, field.tag);
            if depth == Depth::Everything {
                check_order(&place, &mut edge, flaws);
                check_definition(&place, book, field, flaws);
                if let Some(definition) = book.field(field.tag) {
                    value::check(bytes, definition, field, flaws);
                }
            }
            self.enter(at, field, &place, book, depth, flaws);
            self.open(bytes, at, field, &place, book);
        }
        self.close(0, depth, flaws);
        self.settle_undefined();
        if self.groups.iter().any(|group| group.declared != Some(u64::from(group.actual))) {
            flaws.insert(Flaw::GroupCountMismatch);
        }
        if depth == Depth::Everything {
            self.check_whole(book, flaws);
            check_resent(bytes, fields, flaws);
        }
    }

    /// Returns the instances that a field stands in, the innermost first.
    pub fn path(&self, field: usize) -> impl Iterator<Item = (Group, Instance)> {
        let mut at = self.places.get(field).copied().unwrap_or(0);
        std::iter::from_fn(move || {
            let instance = *self.instances.get(at.checked_sub(1)? as usize)?;
            let group = *self.groups.get(instance.group as usize)?;
            at = group.parent.map_or(0, |parent| parent + 1);
            Some((group, instance))
        })
    }

    /// Returns the places of the fields that stand in an instance, with those of the groups inside it.
    pub fn fields_of(&self, instance: u32) -> impl Iterator<Item = usize> {
        let first =
            self.instances.get(instance as usize).map_or(usize::MAX, |instance| instance.first as usize);
        let is_inside = move |field: &usize| {
            let place = self.places.get(*field).copied().unwrap_or(0);
            place > instance && self.is_within(place - 1, instance)
        };
        (first..self.places.len()).take_while(is_inside)
    }

    /// Whether an instance is another one, or stands in it.
    fn is_within(&self, mut inner: u32, outer: u32) -> bool {
        for _ in 0..DEPTH_MAX {
            if inner == outer {
                return true;
            }
            let group = self.instances.get(inner as usize).and_then(|at| self.groups.get(at.group as usize));
            let Some(parent) = group.and_then(|group| group.parent) else { return false };
            inner = parent;
        }
        false
    }

    /// Where a tag belongs, seen from where the walk stands. No message has two places for one tag, so that the first is it.
    fn place(&self, book: &Book, tag: u32) -> Place {
        for (level, open) in self.stack.iter().enumerate().rev() {
            let Some(place) = open.body.place(tag) else { continue };
            return match open.delimiter {
                Some(delimiter) if delimiter != tag && self.is_marked(level, place, open.mark) => {
                    Place::Twice(Some(level))
                }
                Some(delimiter) if delimiter != tag => Place::Member(level, place),
                _ => Place::Begins(level, place),
            };
        }
        for edge in EDGES {
            let Some(place) = book.edge(edge).and_then(|body| body.place(tag)) else { continue };
            let is_marked = self.marks[edge as usize].get(place) == Some(&self.message);
            return if is_marked { Place::Twice(None) } else { Place::Outside(edge, place) };
        }
        Place::Nowhere
    }

    fn is_marked(&self, level: usize, place: usize, mark: u64) -> bool {
        self.marks.get(EDGES.len() + level).and_then(|marks| marks.get(place)) == Some(&mark)
    }

    /// Notes where a field stands, and closes the groups that it is behind.
    fn enter(
        &mut self,
        at: usize,
        field: &Field,
        place: &Place,
        book: &Book,
        depth: Depth,
        flaws: &mut Flaws,
    ) {
        match *place {
            Place::Nowhere => {
                self.undefined = self.undefined.or(Some(at));
                self.places.push(0);
                return;
            }
            Place::Twice(level) => {
                if depth == Depth::Everything || !self.may_repeat(book, field.tag) {
                    flaws.insert(Flaw::DuplicateTag);
                }
                self.close(level.map_or(0, |level| level + 1), depth, flaws);
                self.settle_undefined();
            }
            Place::Outside(edge, place) => {
                self.close(0, depth, flaws);
                self.settle_undefined();
                let members = book.edge(edge).map_or(0, Body::members);
                mark(&mut self.marks[edge as usize], members, place, self.message);
            }
            Place::Member(level, place) => {
                self.close(level + 1, depth, flaws);
                self.settle_undefined();
                self.mark_member(level, place);
            }
            Place::Begins(level, place) => {
                self.close(level + 1, depth, flaws);
                self.settle_undefined();
                self.begin(level, at, field.tag, depth, flaws);
                self.mark_member(level, place);
            }
        }
        self.places.push(self.here());
    }

    fn may_repeat(&mut self, book: &Book, tag: u32) -> bool {
        *self.repeats.entry((book.msg_type, tag)).or_insert_with(|| book.repeats(tag))
    }

    /// Gives the fields that nobody defines the place at hand.
    fn settle_undefined(&mut self) {
        let Some(first) = self.undefined.take() else { return };
        let here = self.here();
        self.places.iter_mut().skip(first).for_each(|place| *place = here);
    }

    /// The place of a field that stands where the walk is.
    fn here(&self) -> u32 {
        let begun = self.stack.iter().rev().find(|open| open.delimiter.is_some());
        begun.map_or(0, |open| open.instance + 1)
    }

    fn mark_member(&mut self, level: usize, place: usize) {
        if let (Some(open), Some(marks)) = (self.stack.get(level), self.marks.get_mut(EDGES.len() + level)) {
            mark(marks, open.body.members(), place, open.mark);
        }
    }

    /// Begins an instance of the group at a level, which is the innermost one.
    fn begin(&mut self, level: usize, at: usize, tag: u32, depth: Depth, flaws: &mut Flaws) {
        self.check_instance(level, depth, flaws);
        let Some(open) = self.stack.get_mut(level) else { return };
        let Some(group) = self.groups.get_mut(open.group as usize) else { return };
        if depth == Depth::Everything && open.body.first() != tag {
            flaws.insert(Flaw::GroupOutOfOrder);
        }
        self.mark += 1;
        open.mark = self.mark;
        open.delimiter = Some(tag);
        open.instance = self.instances.len() as u32;
        self.instances.push(Instance { group: open.group, index: group.actual, first: at as u32 });
        group.actual += 1;
    }

    /// Opens the group that a field counts, if it counts one.
    fn open(&mut self, bytes: &[u8], at: usize, field: &Field, place: &Place, book: &Book) {
        let around = match *place {
            Place::Member(level, _) | Place::Begins(level, _) | Place::Twice(Some(level)) => {
                self.stack.get(level).map(|open| open.body)
            }
            Place::Outside(edge, _) => book.edge(edge),
            Place::Twice(None) => {
                EDGES.iter().filter_map(|edge| book.edge(*edge)).find(|body| body.place(field.tag).is_some())
            }
            Place::Nowhere => None,
        };
        let Some(body) = around.and_then(|around| around.group(field.tag)) else { return };
        if self.stack.len() == DEPTH_MAX {
            return;
        }
        let parent = self.here().checked_sub(1);
        let group = self.groups.len() as u32;
        let declared = parse_u64(field.text(bytes));
        self.groups.push(Group { counter: at as u32, tag: field.tag, parent, declared, actual: 0 });
        self.stack.push(Open { body, group, delimiter: None, mark: 0, instance: 0 });
    }

    /// Closes the groups from a level on.
    fn close(&mut self, level: usize, depth: Depth, flaws: &mut Flaws) {
        while self.stack.len() > level {
            self.check_instance(self.stack.len() - 1, depth, flaws);
            self.stack.pop();
        }
    }

    /// Looks for members that the instance at hand should have.
    fn check_instance(&self, level: usize, depth: Depth, flaws: &mut Flaws) {
        let Some(open) = self.stack.get(level) else { return };
        if depth == Depth::Everything
            && open.delimiter.is_some()
            && !open.body.required().all(|place| self.is_marked(level, place, open.mark))
        {
            flaws.insert(Flaw::MissingRequired);
        }
    }

    /// Looks for fields that the message should have.
    fn check_whole(&self, book: &Book, flaws: &mut Flaws) {
        if book.body.is_none() {
            flaws.insert(Flaw::UnknownMsgType);
        }
        for edge in EDGES {
            let Some(body) = book.edge(edge) else { continue };
            let marks = &self.marks[edge as usize];
            if !body.required().all(|place| marks.get(place) == Some(&self.message)) {
                flaws.insert(Flaw::MissingRequired);
            }
        }
    }
}

fn mark(marks: &mut Vec<u64>, members: usize, place: usize, mark: u64) {
    if marks.len() < members {
        marks.resize(members, 0);
    }
    if let Some(cell) = marks.get_mut(place) {
        *cell = mark;
    }
}

/// A message that may have been sent before must say when: OrigSendingTime(122) with PossDupFlag(43). No dictionary has
/// what is required under a condition, and this is the one that every version has for every message.
fn check_resent(bytes: &[u8], fields: &[Field], flaws: &mut Flaws) {
    let is_resent = fields.iter().any(|field| field.tag == 43 && field.text(bytes) == b"Y");
    if is_resent && !fields.iter().any(|field| field.tag == 122) {
        flaws.insert(Flaw::MissingRequired);
    }
}

/// Whether header, body and trailer follow each other.
fn check_order(place: &Place, edge: &mut Edge, flaws: &mut Flaws) {
    let here = match place {
        Place::Outside(edge, _) => *edge,
        // A group stands where its counter does, and what is undefined is nobody's but the body's.
        Place::Nowhere => (*edge).max(Edge::Body),
        _ => *edge,
    };
    if here < *edge {
        flaws.insert(Flaw::OutOfOrder);
    }
    *edge = here.max(*edge);
}

/// Tags that two parties may give a meaning of their own.
fn is_user_defined(tag: u32) -> bool {
    matches!(tag, 5000..=9999 | 20_000..=39_999)
}

fn check_definition(place: &Place, book: &Book, field: &Field, flaws: &mut Flaws) {
    if !matches!(place, Place::Nowhere) || field.tag == 0 || is_user_defined(field.tag) {
        return;
    }
    if book.field(field.tag).is_none() {
        flaws.insert(Flaw::UndefinedTag);
    } else if book.body.is_some() {
        flaws.insert(Flaw::MisplacedTag);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delimiter::Delimiter;
    use crate::fields::plain_field;
    use casparian_sdk::FaultCode;

    /// Walks the fields of an execution report of FIX 4.4.
    fn walked(fields: &str, depth: Depth) -> (Walk, Vec<&'static str>) {
        walked_as(b"FIX.4.4", b"8", fields, depth)
    }

    fn walked_as(begin: &[u8], msg_type: &[u8], text: &str, depth: Depth) -> (Walk, Vec<&'static str>) {
        let mut fields: Vec<Field> = Vec::new();
        while fields.last().is_none_or(|last| last.end < text.len()) {
            let start = fields.last().map_or(0, |last| last.end + 1);
            fields.push(plain_field(text.as_bytes(), start, Delimiter::Pipe));
        }
        let book = Book::of(begin, None, Version::Fix50Sp2, msg_type).expect("a version");
        let (mut walk, mut flaws) = (Walk::default(), Flaws::NONE);
        walk.read(text.as_bytes(), &fields, &book, depth, &mut flaws);
        let codes = flaws.indices().map(|index| Flaw::ALL[usize::from(index)].0).collect();
        (walk, codes)
    }

    /// Tag, what was declared and what there is of every group.
    fn counts(walk: &Walk) -> Vec<(u32, Option<u64>, u32)> {
        walk.groups.iter().map(|group| (group.tag, group.declared, group.actual)).collect()
    }

    fn path(walk: &Walk, field: usize) -> Vec<(u32, u32)> {
        walk.path(field).map(|(group, instance)| (group.tag, instance.index)).collect()
    }

    #[test]
    fn a_field_stands_in_the_innermost_instance_that_has_it() {
        let (walk, flaws) = walked("453=2|448=A|448=B|802=1|523=C|452=1|58=x", Depth::Structure);
        assert_eq!(counts(&walk), [(453, Some(2), 2), (802, Some(1), 1)]);
        let paths: Vec<_> = (0..7).map(|field| path(&walk, field)).collect();
        let inner = vec![(802, 0), (453, 1)];
        assert_eq!(paths[..4], [vec![], vec![(453, 0)], vec![(453, 1)], vec![(453, 1)]]);
        assert_eq!((&paths[4], &paths[5], &paths[6]), (&inner, &vec![(453, 1)], &vec![]));
        assert_eq!(flaws, [""; 0]);
    }

    #[test]
    fn a_group_begins_with_whatever_its_first_instance_begins_with() {
        let text = "453=2|447=D|448=A|447=D|448=B";
        assert_eq!(walked(text, Depth::Structure).1, [""; 0]);
        assert!(walked(text, Depth::Everything).1.contains(&"group_out_of_order"));
    }

    #[test]
    fn instances_beyond_the_count_are_instances() {
        let (walk, flaws) = walked_as(b"FIX.4.4", b"B", "148=H|33=1|58=a|58=b", Depth::Structure);
        assert_eq!((counts(&walk), flaws), (vec![(33, Some(1), 2)], vec!["group_count_mismatch"]));
        let (walk, flaws) = walked("453=0|448=A", Depth::Structure);
        assert_eq!((counts(&walk), flaws), (vec![(453, Some(0), 1)], vec!["group_count_mismatch"]));
    }

    #[test]
    fn a_member_that_comes_twice_in_an_instance_stays_in_it() {
        let (walk, flaws) = walked_as(b"FIX.4.4", b"AE", "552=1|54=1|528=A|528=B", Depth::Everything);
        assert_eq!((counts(&walk), path(&walk, 3)), (vec![(552, Some(1), 1)], vec![(552, 0)]));
        assert!(flaws.contains(&"duplicate_tag"));
    }

    #[test]
    fn groups_without_instances_are_groups() {
        let (walk, flaws) = walked("555=1|600=A|454=0|382=1|375=B|453=0", Depth::Structure);
        assert_eq!(
            counts(&walk),
            [(555, Some(1), 1), (454, Some(0), 0), (382, Some(1), 1), (453, Some(0), 0)]
        );
        assert_eq!(flaws, [""; 0]);
    }

    #[test]
    fn an_undefined_field_ends_no_group_and_stands_behind_the_last() {
        let (walk, flaws) = walked("453=2|448=A|9001=x|447=D|448=B|9002=y|58=z|9003=w", Depth::Structure);
        assert_eq!((counts(&walk), flaws), (vec![(453, Some(2), 2)], vec![]));
        assert_eq!((path(&walk, 2), path(&walk, 5), path(&walk, 7)), (vec![(453, 0)], vec![], vec![]));
    }

    #[test]
    fn a_count_that_is_no_number_is_no_count() {
        for count in ["", "two", "-1", "99999999999999999999"] {
            let (walk, flaws) = walked(&format!("453={count}|448=A"), Depth::Structure);
            assert_eq!(
                (counts(&walk), flaws),
                (vec![(453, None, 1)], vec!["group_count_mismatch"]),
                "{count}"
            );
        }
    }

    #[test]
    fn a_field_that_no_version_repeats_is_a_duplicate_and_others_only_where_all_is_checked() {
        assert_eq!(walked("40=1|40=1", Depth::Structure).1, ["duplicate_tag"]);
        let lines = "148=H|33=2|58=a|58=b";
        assert_eq!(walked_as(b"FIX.4.0", b"B", lines, Depth::Structure).1, [""; 0]);
        assert!(walked_as(b"FIX.4.0", b"B", lines, Depth::Everything).1.contains(&"duplicate_tag"));
    }

    #[test]
    fn what_comes_twice_is_found_without_a_walk_where_there_are_no_groups() {
        for text in ["40=1|40=1", "58=a|58=b", "9001=x|9001=y", "4000=x|4000=x", "11=a|55=b|11=a|60=c"] {
            for (begin, msg_type) in [(&b"FIX.4.4"[..], b"8"), (b"FIX.4.0", b"B"), (b"FIX.4.2", b"?")] {
                let (_, flaws) = walked_as(begin, msg_type, text, Depth::Structure);
                let book = Book::of(begin, None, Version::Fix50Sp2, msg_type).expect("a version");
                let tags: Vec<u32> =
                    text.split('|').filter_map(|f| f.split_once('=')?.0.parse().ok()).collect();
                let twice: Vec<u32> = (1..tags.len())
                    .filter(|at| tags[..*at].contains(&tags[*at]))
                    .map(|at| tags[at])
                    .collect();
                let (mut walk, mut found) = (Walk::default(), Flaws::NONE);
                walk.read_flat(&twice, &book, &mut found);
                let found: Vec<_> = found.indices().map(|index| Flaw::ALL[usize::from(index)].0).collect();
                assert_eq!(found, flaws, "{text}");
            }
        }
    }

    #[test]
    fn a_message_is_flat_where_nothing_counts() {
        let mut walk = Walk::default();
        let field = |tag| Field { tag, start: 0, value: 0, end: 0, counted: false };
        let mut is_flat = |tags: &[u32]| {
            let mut twice = Vec::new();
            let fields: Vec<_> = tags.iter().map(|tag| field(*tag)).collect();
            walk.is_flat(&fields, &mut twice).then_some(twice)
        };
        assert_eq!(is_flat(&[8, 9, 35, 0, 0, 55, 10]), Some(vec![]));
        assert_eq!(is_flat(&[8, 9, 35, 55, 10]), Some(vec![]));
        assert_eq!(is_flat(&[8, 55, 40, 55, 40, 55]), Some(vec![55, 40, 55]));
        assert_eq!((is_flat(&[8, 453]), is_flat(&[8, 5001])), (None, None));
    }

    #[test]
    fn a_message_walked_before_leaves_nothing_behind() {
        let (mut walk, _) = walked("453=1|448=A|447=D|452=1", Depth::Structure);
        let book = Book::of(b"FIX.4.4", None, Version::Fix44, b"8").expect("a version");
        let text = b"448=A|447=D";
        let fields = [plain_field(text, 0, Delimiter::Pipe), plain_field(text, 6, Delimiter::Pipe)];
        let mut flaws = Flaws::NONE;
        walk.read(text, &fields, &book, Depth::Structure, &mut flaws);
        assert_eq!(
            (walk.groups.len(), walk.places.as_slice(), flaws.is_empty()),
            (0, [0, 0].as_slice(), true)
        );
    }
}
