//! What the standard says: fields and their values, messages and their groups, for FIX 4.0 to 5.0 SP2 and FIXT.1.1.
//!
//! Facts only, in one block that `dictionary/generate.py` made; its head describes the layout. To look something up is a
//! binary search in that block: nothing is unpacked, nothing is allocated.

use std::cmp::Ordering;

static BLOCK: &[u8] = BYTES;
const BYTES: &[u8] = include_bytes!("../dictionary/fix.dict");

/// Where the sections of the block begin.
mod section {
    pub(super) const VERSIONS: usize = start(0);
    pub(super) const FIELDS: usize = start(1);
    pub(super) const MESSAGES: usize = start(2);
    pub(super) const BODIES: usize = start(3);
    pub(super) const TAGS: usize = start(4);
    pub(super) const REQUIRED: usize = start(5);
    pub(super) const GROUPS: usize = start(6);
    pub(super) const NAMES: usize = start(7);
    pub(super) const WORDS: usize = start(8);
    pub(super) const VALUES: usize = start(9);
    pub(super) const COUNTERS: usize = start(10);

    const fn start(section: usize) -> usize {
        let at = 8 + 4 * section;
        let bytes = super::BYTES;
        u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
    }
}

/// A version of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// FIX.4.0.
    Fix40,
    /// FIX.4.1.
    Fix41,
    /// FIX.4.2.
    Fix42,
    /// FIX.4.3.
    Fix43,
    /// FIX.4.4.
    Fix44,
    /// FIX 5.0.
    Fix50,
    /// FIX 5.0 SP1.
    Fix50Sp1,
    /// FIX 5.0 SP2.
    Fix50Sp2,
    /// FIXT.1.1: the session layer of the three before.
    Fixt11,
}

impl Version {
    /// Every version, in the order of the block.
    pub const ALL: [Version; 9] = [
        Version::Fix40,
        Version::Fix41,
        Version::Fix42,
        Version::Fix43,
        Version::Fix44,
        Version::Fix50,
        Version::Fix50Sp1,
        Version::Fix50Sp2,
        Version::Fixt11,
    ];

    /// Returns the version that a BeginString(8) names, if it is one. `FIX.5.0` and the like are not in the standard, and in logs.
    pub fn of_begin_string(begin_string: &[u8]) -> Option<Version> {
        Some(match begin_string {
            b"FIX.4.0" => Version::Fix40,
            b"FIX.4.1" => Version::Fix41,
            b"FIX.4.2" => Version::Fix42,
            b"FIX.4.3" => Version::Fix43,
            b"FIX.4.4" => Version::Fix44,
            b"FIX.5.0" => Version::Fix50,
            b"FIX.5.0SP1" => Version::Fix50Sp1,
            b"FIX.5.0SP2" => Version::Fix50Sp2,
            b"FIXT.1.1" => Version::Fixt11,
            _ => return None,
        })
    }

    /// Returns the version that an ApplVerID(1128) or DefaultApplVerID(1137) names, if it is one of ours.
    pub fn of_appl_ver_id(appl_ver_id: &[u8]) -> Option<Version> {
        match appl_ver_id {
            [digit @ b'2'..=b'9'] => Some(Self::ALL[usize::from(digit - b'2')]),
            _ => None,
        }
    }

    /// Returns what this version says of a field; `None` where it has none with this tag.
    pub fn field(self, tag: u32) -> Option<Definition> {
        let (first, count) = (self.number(0), self.number(4));
        let at = |place: usize| section::FIELDS + 8 * (first + place);
        let place = search(count, &u16::try_from(tag).ok()?, |place| short(at(place)))?;
        Some(Definition {
            kind: Kind::ALL[usize::from(byte(at(place) + 2)) % Kind::ALL.len()],
            name: short(at(place) + 4),
            values: short(at(place) + 6),
        })
    }

    /// Returns the body of a kind of message; `None` where this version has none of this MsgType(35).
    pub fn message(self, msg_type: &[u8]) -> Option<Body> {
        let mut wanted = [0u8; 4];
        wanted.get_mut(..msg_type.len())?.copy_from_slice(msg_type);
        let (first, count) = (self.number(8), self.number(12));
        let at = |place: usize| section::MESSAGES + 8 * (first + place);
        let key = |place: usize| long(at(place)).swap_bytes();
        let place = search(count, &u32::from_be_bytes(wanted), key)?;
        Some(Body(short(at(place) + 4)))
    }

    /// Returns the header of every message; without members in versions that leave it to FIXT.1.1.
    pub fn header(self) -> Body {
        Body(short(self.record() + 16))
    }

    /// Returns the trailer of every message.
    pub fn trailer(self) -> Body {
        Body(short(self.record() + 18))
    }

    fn record(self) -> usize {
        section::VERSIONS + 20 * self as usize
    }

    fn number(self, offset: usize) -> usize {
        long(self.record() + offset) as usize
    }
}

/// How values of a field are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// One character.
    Char,
    /// `Y` or `N`.
    Boolean,
    /// Digits, perhaps with a minus before them.
    Integer,
    /// Digits.
    Count,
    /// Digits, perhaps with a point among them and a minus before them.
    Decimal,
    /// Texts with blanks between them.
    Words,
    /// Characters with blanks between them.
    Chars,
    /// `YYYYMMDD-HH:MM:SS`, perhaps with a fraction.
    UtcTimestamp,
    /// `HH:MM:SS`, perhaps with a fraction.
    UtcTime,
    /// `YYYYMMDD`.
    Date,
    /// `YYYYMM`, `YYYYMMDD` or `YYYYMMw1`.
    Month,
    /// 1 to 31.
    Day,
    /// A time stamp with a zone.
    ZonedTimestamp,
    /// A time of day with a zone.
    ZonedTime,
    /// `HH:MM:SS`.
    LocalTime,
    /// Any bytes.
    Data,
}

impl Kind {
    const ALL: [Kind; 17] = [
        Kind::Text,
        Kind::Char,
        Kind::Boolean,
        Kind::Integer,
        Kind::Count,
        Kind::Decimal,
        Kind::Words,
        Kind::Chars,
        Kind::UtcTimestamp,
        Kind::UtcTime,
        Kind::Date,
        Kind::Month,
        Kind::Day,
        Kind::ZonedTimestamp,
        Kind::ZonedTime,
        Kind::LocalTime,
        Kind::Data,
    ];
}

/// What a version says of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// How its values are written.
    pub kind: Kind,
    name: u16,
    values: u16,
}

impl Definition {
    /// Writes the name of the field into `name`, in place of what is there.
    pub fn spell(self, name: &mut String) {
        name.clear();
        let mut spelled = text(section::NAMES, self.name).iter();
        while let Some(first) = spelled.next() {
            let number = match first.checked_sub(128) {
                None => u16::from(*first),
                Some(high) => u16::from(high) << 8 | u16::from(spelled.next().copied().unwrap_or(0)),
            };
            name.push_str(std::str::from_utf8(text(section::WORDS, number)).unwrap_or_default());
        }
    }

    /// Returns the values that the field may have; `None` where it may have any of its kind.
    pub fn values(self) -> Option<impl Iterator<Item = &'static [u8]>> {
        const ANY: u16 = u16::MAX;
        let mut rest = text(section::VALUES, self.values);
        (self.values != ANY).then(|| {
            std::iter::from_fn(move || {
                let (length, behind) = rest.split_first()?;
                let (value, behind) = behind.split_at_checked(usize::from(*length))?;
                rest = behind;
                Some(value)
            })
        })
    }
}

/// The members of a header, a trailer, a kind of message or a group: components are dissolved, groups are members by their
/// counting field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Body(u16);

impl Body {
    /// Returns how many members there are.
    pub fn members(self) -> usize {
        usize::from(short(self.record() + 4))
    }

    /// Returns the place of a member among the members; `None` where the tag is not one of them.
    pub fn place(self, tag: u32) -> Option<usize> {
        let tags = section::TAGS + 2 * long(self.record()) as usize;
        search(self.members(), &u16::try_from(tag).ok()?, |place| short(tags + 2 * place))
    }

    /// Returns the body of the group that a member counts.
    pub fn group(self, tag: u32) -> Option<Body> {
        let groups = section::GROUPS + 4 * long(self.record() + 12) as usize;
        let count = usize::from(short(self.record() + 16));
        let place = search(count, &u16::try_from(tag).ok()?, |place| short(groups + 4 * place))?;
        Some(Body(short(groups + 4 * place + 2)))
    }

    /// Returns whether a tag is a member of some group in here, or of one inside it.
    pub fn repeats(self, tag: u32) -> bool {
        let groups = section::GROUPS + 4 * long(self.record() + 12) as usize;
        // As deep as the block nests, which a test holds.
        (0..usize::from(short(self.record() + 16))).any(|at| {
            let group = Body(short(groups + 4 * at + 2));
            group.place(tag).is_some() || group.repeats(tag)
        })
    }

    /// Returns the places of the members that must be there.
    pub fn required(self) -> impl Iterator<Item = usize> {
        let first = section::REQUIRED + 2 * long(self.record() + 8) as usize;
        (0..usize::from(short(self.record() + 6))).map(move |at| usize::from(short(first + 2 * at)))
    }

    /// Returns the tag at a place.
    pub fn tag(self, place: usize) -> u32 {
        u32::from(short(section::TAGS + 2 * (long(self.record()) as usize + place)))
    }

    /// Returns the tag that each instance of the group begins with.
    pub fn first(self) -> u32 {
        u32::from(short(self.record() + 18))
    }

    fn record(self) -> usize {
        section::BODIES + 20 * usize::from(self.0)
    }
}

/// Tags below this say in a table whether they count a group.
const TABLED: usize = 4096;

static IS_COUNTER: [bool; TABLED] = {
    let mut table = [false; TABLED];
    let (mut at, end) = (section::COUNTERS + 2, BYTES.len());
    while at + 1 < end {
        let tag = u16::from_le_bytes([BYTES[at], BYTES[at + 1]]) as usize;
        if tag < TABLED {
            table[tag] = true;
        }
        at += 2;
    }
    table
};

/// Returns whether a tag counts the instances of a group in some message of some version.
pub fn is_counter(tag: u32) -> bool {
    match (IS_COUNTER.get(tag as usize), u16::try_from(tag)) {
        (Some(counts), _) => *counts,
        (None, Ok(tag)) => {
            let count = usize::from(short(section::COUNTERS));
            search(count, &tag, |place| short(section::COUNTERS + 2 + 2 * place)).is_some()
        }
        _ => false,
    }
}

fn byte(at: usize) -> u8 {
    BLOCK.get(at).copied().unwrap_or(0)
}

fn short(at: usize) -> u16 {
    BLOCK.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

fn long(at: usize) -> u32 {
    BLOCK.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Returns a text of a section of texts.
fn text(section: usize, index: u16) -> &'static [u8] {
    let end = |index: usize| section + 4 + 4 * index;
    let texts = end(long(section) as usize + 1);
    let [start, end] = [0, 1].map(|next| texts + long(end(usize::from(index) + next)) as usize);
    BLOCK.get(start..end).unwrap_or_default()
}

/// Returns the place of the wanted key among `count` ascending ones.
fn search<K: Ord>(count: usize, wanted: &K, key: impl Fn(usize) -> K) -> Option<usize> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        match key(middle).cmp(wanted) {
            Ordering::Less => low = middle + 1,
            Ordering::Greater => high = middle,
            Ordering::Equal => return Some(middle),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::walk::DEPTH_MAX;

    fn bodies() -> impl Iterator<Item = Body> {
        (0..u16::try_from((section::TAGS - section::BODIES) / 20).expect("few bodies")).map(Body)
    }

    fn depth(body: Body) -> usize {
        let groups = (0..body.members()).filter_map(|place| body.group(body.tag(place)));
        groups.map(|group| 1 + depth(group)).max().unwrap_or(0)
    }

    fn name_of(definition: Definition) -> String {
        let mut name = String::new();
        definition.spell(&mut name);
        name
    }

    #[test]
    fn the_block_begins_with_its_mark_and_its_sections_follow_each_other() {
        assert_eq!(&BLOCK[..8], b"FIXDICT1");
        let starts: Vec<u32> = (0..11).map(|at| long(8 + 4 * at)).collect();
        assert!(
            starts.is_sorted() && starts[0] == 52 && *starts.last().expect("eleven") < BLOCK.len() as u32
        );
    }

    #[test]
    fn every_member_is_found_where_it_is_and_every_group_begins_with_a_member() {
        for body in bodies() {
            for place in 0..body.members() {
                assert_eq!(body.place(body.tag(place)), Some(place));
                if let Some(group) = body.group(body.tag(place)) {
                    assert!(group.place(group.first()).is_some());
                    assert!(is_counter(body.tag(place)));
                }
            }
            assert!(body.required().all(|place| place < body.members()));
        }
    }

    #[test]
    fn no_group_is_deeper_than_a_walk_goes() {
        assert!(bodies().all(|body| depth(body) < DEPTH_MAX));
    }

    #[test]
    fn no_message_has_two_places_for_one_tag() {
        fn collect(body: Body, tags: &mut Vec<u32>) {
            for tag in (0..body.members()).map(|place| body.tag(place)) {
                tags.push(tag);
                body.group(tag).into_iter().for_each(|group| collect(group, tags));
            }
        }
        for body in Version::ALL.into_iter().flat_map(messages) {
            let mut tags = Vec::new();
            collect(body, &mut tags);
            let all = tags.len();
            tags.sort_unstable();
            tags.dedup();
            assert_eq!(tags.len(), all);
        }
    }

    fn messages(version: Version) -> impl Iterator<Item = Body> {
        let record = move |at| section::MESSAGES + 8 * (version.number(8) + at);
        (0..version.number(12)).map(move |at| Body(short(record(at) + 4)))
    }

    #[test]
    fn every_member_of_every_message_is_a_field_of_its_version_or_of_the_session() {
        for version in Version::ALL {
            assert!(messages(version).count() > 5);
            for body in messages(version) {
                let unknown = (0..body.members()).map(|place| body.tag(place)).find(|tag| {
                    version
                        .field(*tag)
                        .or(Version::Fixt11.field(*tag))
                        .is_none_or(|field| name_of(field).is_empty())
                });
                assert_eq!(unknown, None, "{version:?}");
            }
        }
    }

    #[test]
    fn versions_differ_in_what_they_say_of_a_field() {
        let name = |version: Version, tag| version.field(tag).map(name_of);
        assert_eq!(name(Version::Fix42, 32).as_deref(), Some("LastShares"));
        assert_eq!(name(Version::Fix44, 32).as_deref(), Some("LastQty"));
        assert_eq!(name(Version::Fix50Sp2, 268).as_deref(), Some("NoMDEntries"));
        assert_eq!(name(Version::Fix40, 150), None);
        assert_eq!(Version::Fix42.field(38).map(|field| field.kind), Some(Kind::Decimal));
        assert_eq!(name(Version::Fix44, 70_000), None);
    }

    #[test]
    fn sides_of_an_order_are_a_closed_set() {
        let side = Version::Fix44.field(54).expect("Side");
        let values: Vec<&[u8]> = side.values().expect("a set").collect();
        assert!(values.contains(&b"1".as_slice()) && !values.contains(&b"w".as_slice()));
        assert!(Version::Fix44.field(58).expect("Text").values().is_none());
    }

    #[test]
    fn parties_hold_their_sub_parties() {
        let report = Version::Fix44.message(b"8").expect("ExecutionReport");
        let parties = report.group(453).expect("NoPartyIDs");
        assert_eq!((parties.first(), parties.group(802).map(Body::first)), (448, Some(523)));
        assert!(Version::Fix44.message(b"ZZ").is_none() && Version::Fix44.message(b"8ABCD").is_none());
    }

    #[test]
    fn an_application_version_is_one_digit() {
        assert_eq!(Version::of_appl_ver_id(b"9"), Some(Version::Fix50Sp2));
        assert_eq!(Version::of_appl_ver_id(b"2"), Some(Version::Fix40));
        assert_eq!((Version::of_appl_ver_id(b"1"), Version::of_appl_ver_id(b"10")), (None, None));
    }
}
