//! One member of a ZIP archive. Readers of ZIP differ in whom they believe where an archive contradicts itself, so one that
//! does is refused: there is one end, one directory right before it, members that share no byte and no name with nothing
//! before, between or behind them, and a member's own header says what the directory says of it. Of an archive with several
//! members somebody has to name one.

use std::collections::BTreeSet;
use std::io;

use casparian_core::fault::{Blame, Blamed};
use casparian_core::guest_text::GuestText;
use casparian_core::receipt::Packing;
use flate2::Crc;
use thiserror::Error;

use super::stretch::Stretch;
use super::{Spool, UnpackFault, streams};
use crate::source::Source;

/// Most members of an archive that is read.
const MEMBERS_MAX: u64 = 100_000;
/// Most bytes of its directory, which is held in memory.
const DIRECTORY_BYTES_MAX: u64 = 64 << 20;
/// Most bytes of a name: the longest path that Linux takes.
const NAME_BYTES_MAX: usize = 4096;
/// Most names in a hint, and most bytes of each.
const LISTED_MAX: usize = 8;
const LISTED_BYTES_MAX: usize = 120;

const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
/// Begins the sizes that stand behind a member, in most archives.
const BEHIND: &[u8] = b"PK\x07\x08";
const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";

const LOCAL_BYTES: u64 = 30;
const CENTRAL_BYTES: usize = 46;
const BEHIND_BYTES_MAX: u64 = 24;
const END_BYTES: u64 = 22;
const END_64_BYTES: u64 = 56;
const LOCATOR_64_BYTES: u64 = 20;
/// The longest comment that an archive can have.
const COMMENT_BYTES_MAX: u64 = 0xffff;

/// Flags of a member: it is encrypted, in the old way or a new one; its sizes stand behind it.
const ENCRYPTED: u64 = 1 | 1 << 6 | 1 << 13;
const SIZES_BEHIND: u64 = 1 << 3;
/// What stands in the place of a number that is too large for it.
const WIDEST: u64 = 0xffff_ffff;
/// The type of a file in the upper half of its attributes, as Unix has it.
const UNIX_KIND: u64 = 0o170_000;
const UNIX_FILE: u64 = 0o100_000;

/// A ZIP that cannot be read in one way only, or of which nothing was chosen.
#[derive(Debug, Error)]
pub enum ZipFault {
    /// It contradicts itself, or does not hold together.
    #[error("the ZIP cannot be trusted: {what}, at byte {offset}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
        /// Where.
        offset: u64,
    },
    /// It has more members than are looked at.
    #[error(
        "members of the ZIP: limit {MEMBERS_MAX} in {DIRECTORY_BYTES_MAX} bytes, has {members} in {bytes}"
    )]
    TooMany {
        /// How many it has.
        members: u64,
        /// The size of its directory.
        bytes: u64,
    },
    /// Two members have one name.
    #[error("the ZIP has two members called `{name}`")]
    SameName {
        /// The name.
        name: GuestText,
    },
    /// Members share bytes.
    #[error("the members of the ZIP overlap at byte {offset}: `{name}` begins within another")]
    Overlap {
        /// The member that begins too early.
        name: GuestText,
        /// Where.
        offset: u64,
    },
    /// It has no member that is a file.
    #[error("the ZIP has no file in it")]
    Empty,
    /// It has several.
    #[error("the ZIP has {members} files in it, and one is read at a time")]
    Unchosen {
        /// How many.
        members: usize,
        /// The first of them.
        listed: String,
    },
    /// It has no member of that name.
    #[error("the ZIP has no member called `{name}`")]
    Missing {
        /// The name.
        name: GuestText,
        /// The first of those that it has.
        listed: String,
    },
    /// The member is a folder, a link or a device.
    #[error("member `{name}` of the ZIP is no file but {kind}")]
    NotFile {
        /// Its name.
        name: GuestText,
        /// What it is.
        kind: &'static str,
    },
    /// The member cannot be read without a password.
    #[error("member `{name}` of the ZIP is encrypted")]
    Encrypted {
        /// Its name.
        name: GuestText,
    },
    /// The member is packed in a way that is not known here.
    #[error(
        "member `{name}` of the ZIP is packed by method {method}; 0, 8 and 93 are read (stored, deflate, zstd)"
    )]
    Method {
        /// Its name.
        name: GuestText,
        /// The method's number.
        method: u64,
    },
    /// What came out is not what was promised.
    #[error("member `{name}` of the ZIP unpacks to other bytes than it says: {what} {found}, said {said}")]
    Lie {
        /// Its name.
        name: GuestText,
        /// What is different.
        what: &'static str,
        /// What the archive says.
        said: u64,
        /// What it is.
        found: u64,
    },
}

impl Blamed for ZipFault {
    fn blame(&self) -> Blame {
        match self {
            Self::Unchosen { .. } | Self::Missing { .. } | Self::NotFile { .. } => Blame::Operator,
            _ => Blame::Input,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "zip-malformed",
            Self::TooMany { .. } => "zip-too-many-members",
            Self::SameName { .. } => "zip-same-name",
            Self::Overlap { .. } => "zip-overlap",
            Self::Empty => "zip-empty",
            Self::Unchosen { .. } => "zip-member-unchosen",
            Self::Missing { .. } => "zip-member-missing",
            Self::NotFile { .. } => "zip-member-not-file",
            Self::Encrypted { .. } => "zip-encrypted",
            Self::Method { .. } => "zip-method",
            Self::Lie { .. } => "input-corrupt",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unchosen { listed, .. } | Self::Missing { listed, .. } => {
                Some(format!("name one as `ARCHIVE!MEMBER`: {listed}"))
            }
            Self::Encrypted { .. } | Self::Method { .. } | Self::TooMany { .. } => {
                Some("unpack it beforehand".to_owned())
            }
            Self::NotFile { .. } => Some("name a file of the archive".to_owned()),
            Self::Lie { .. } => Some("`unzip -t` says the same: fetch it again".to_owned()),
            _ => Some("pack it again with an ordinary tool, or unpack it beforehand".to_owned()),
        }
    }
}

/// Unpacks the member of that name, or the only one, and returns its name.
pub(super) fn unpack(
    source: &Source,
    name: Option<&str>,
    kept: &mut Spool<'_>,
) -> Result<String, UnpackFault> {
    let archive = Archive(source);
    let (members, directory) = archive.members()?;
    let member = choose(&members, name)?;
    member.check_readable()?;
    let neighbours = members.iter().map(|other| other.offset).filter(|offset| *offset > member.offset);
    let offset = archive.content_of(member, neighbours.min().unwrap_or(directory))?;
    let packed = Stretch::new(source, offset, offset + member.packed_bytes);
    kept.crc = Some(Crc::new());
    match member.method {
        STORED => streams::stored(packed, kept),
        DEFLATED => streams::deflated(packed, kept),
        _ => streams::zstd(packed, kept, Packing::Zip),
    }?;
    let crc = kept.crc.as_ref().map_or(0, Crc::sum);
    member.check("its size is", member.bytes, kept.bytes)?;
    member.check("its checksum is", member.crc, u64::from(crc))?;
    Ok(member.name.clone())
}

const STORED: u64 = 0;
const DEFLATED: u64 = 8;
const ZSTD: u64 = 93;

/// A member, as the directory has it.
#[derive(Debug)]
struct Member {
    /// Bytes that are no UTF-8 are replaced.
    name: String,
    raw_name: Vec<u8>,
    /// What wrote it: in the upper half 3 for Unix, 19 for macOS.
    made_by: u64,
    flags: u64,
    method: u64,
    crc: u64,
    packed_bytes: u64,
    bytes: u64,
    attributes: u64,
    /// Where its own header begins.
    offset: u64,
}

impl Member {
    fn shown(&self) -> GuestText {
        GuestText::new(&self.name, LISTED_BYTES_MAX)
    }

    fn is_folder(&self) -> bool {
        self.name.ends_with('/')
    }

    /// Where it ends at the least.
    fn end(&self) -> Option<u64> {
        let head = LOCAL_BYTES + self.raw_name.len() as u64;
        self.offset.checked_add(head)?.checked_add(self.packed_bytes)
    }

    /// Whether these are the sizes that stand behind it: with or without a signature, in the old width or the new one.
    fn ends_with(&self, found: &[u8]) -> bool {
        let numbers =
            found.strip_prefix(BEHIND).filter(|rest| matches!(rest.len(), 12 | 20)).unwrap_or(found);
        let wide = if numbers.len() == 20 { 8 } else { 4 };
        let mut fields = Fields(numbers);
        let said = (fields.number(4), fields.number(wide), fields.number(wide));
        let due = (Some(self.crc), Some(self.packed_bytes), Some(self.bytes));
        self.flags & SIZES_BEHIND != 0 && said == due && fields.0.is_empty()
    }

    fn check_readable(&self) -> Result<(), ZipFault> {
        let name = self.shown();
        let unix_kind =
            if [3, 19].contains(&(self.made_by >> 8)) { self.attributes >> 16 & UNIX_KIND } else { 0 };
        if self.is_folder() {
            return Err(ZipFault::NotFile { name, kind: "a folder" });
        }
        if unix_kind != 0 && unix_kind != UNIX_FILE {
            return Err(ZipFault::NotFile { name, kind: "a link or a device" });
        }
        if self.flags & ENCRYPTED != 0 {
            return Err(ZipFault::Encrypted { name });
        }
        if ![STORED, DEFLATED, ZSTD].contains(&self.method) {
            return Err(ZipFault::Method { name, method: self.method });
        }
        Ok(())
    }

    fn check(&self, what: &'static str, said: u64, found: u64) -> Result<(), ZipFault> {
        if said == found { Ok(()) } else { Err(ZipFault::Lie { name: self.shown(), what, said, found }) }
    }
}

fn choose<'a>(members: &'a [Member], name: Option<&str>) -> Result<&'a Member, ZipFault> {
    let files = || members.iter().filter(|member| !member.is_folder());
    let listed = || {
        let names: Vec<String> =
            files().take(LISTED_MAX).map(|member| format!("`{}`", member.shown())).collect();
        let more = files().count().saturating_sub(LISTED_MAX);
        if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
    };
    if let Some(name) = name {
        let missing = || ZipFault::Missing { name: GuestText::new(name, NAME_BYTES_MAX), listed: listed() };
        return members.iter().find(|member| member.name == name).ok_or_else(missing);
    }
    let mut found = files();
    match (found.next(), files().count()) {
        (Some(only), 1) => Ok(only),
        (None, _) => Err(ZipFault::Empty),
        (Some(_), members) => Err(ZipFault::Unchosen { members, listed: listed() }),
    }
}

/// Where the directory is, and how many members it says that there are.
struct Directory {
    offset: u64,
    bytes: u64,
    members: u64,
}

/// An archive that is looked into.
struct Archive<'a>(&'a Source);

impl Archive<'_> {
    /// Reads the directory: its members in its order, and where it begins.
    fn members(&self) -> Result<(Vec<Member>, u64), UnpackFault> {
        let Directory { offset, bytes, members } = self.directory()?;
        if members > MEMBERS_MAX || bytes > DIRECTORY_BYTES_MAX {
            return Err(ZipFault::TooMany { members, bytes }.into());
        }
        let directory = self.read(offset, bytes)?;
        let mut rest = Fields(&directory);
        let mut found = Vec::new();
        for _ in 0..members {
            let at = offset + (directory.len() - rest.0.len()) as u64;
            let member =
                member(&mut rest).ok_or_else(|| malformed("an entry of its directory is broken", at))?;
            found.push(member);
        }
        if !rest.0.is_empty() {
            return Err(malformed("its directory is longer than its entries", offset).into());
        }
        check_names(&found)?;
        check_places(&found, offset)?;
        self.check_whole(&found, offset)?;
        Ok((found, offset))
    }

    /// Checks that members follow one another from the first byte to the directory, which stand apart already: what the
    /// directory does not know of, another reader might find.
    fn check_whole(&self, members: &[Member], directory: u64) -> Result<(), UnpackFault> {
        let mut by_place: Vec<&Member> = members.iter().collect();
        by_place.sort_by_key(|member| member.offset);
        let begun = by_place.first().map_or(directory, |first| first.offset);
        if begun != 0 {
            return Err(malformed("something stands in front of it", 0).into());
        }
        let next = by_place.iter().skip(1).map(|member| member.offset).chain([directory]);
        for (member, next) in by_place.iter().zip(next) {
            let end = self.content_of(member, next)? + member.packed_bytes;
            let is_whole = next == end
                || next - end <= BEHIND_BYTES_MAX && member.ends_with(&self.read(end, next - end)?);
            if !is_whole {
                return Err(malformed("something stands behind a member that is none of it", end).into());
            }
        }
        Ok(())
    }

    /// Finds the directory, which ends where the end begins.
    fn directory(&self) -> Result<Directory, UnpackFault> {
        let size = self.0.size();
        let from = size.saturating_sub(END_BYTES + COMMENT_BYTES_MAX);
        let tail = self.read(from, size - from)?;
        let ends: Vec<usize> =
            memchr::memmem::find_iter(&tail, END).filter(|at| is_end(&tail[*at..])).collect();
        let [at] = ends[..] else {
            let what = if ends.is_empty() { "it has no end" } else { "it has more than one end" };
            return Err(malformed(what, size).into());
        };
        let end_offset = from + at as u64;
        let mut end = Fields(&tail[at + 4..]);
        let broken = || malformed("its end is broken", end_offset);
        let disks = (end.number(2), end.number(2), end.number(2));
        let (members, bytes, offset) = (end.number(2), end.number(4), end.number(4));
        let directory = Directory {
            members: members.ok_or_else(broken)?,
            bytes: bytes.ok_or_else(broken)?,
            offset: offset.ok_or_else(broken)?,
        };
        if let Some((directory, end_64)) = self.directory_64(end_offset, &directory)? {
            return directory.ending_at(end_64);
        }
        match disks {
            (Some(0), Some(0), here) if here == members => directory.ending_at(end_offset),
            _ => Err(malformed("it goes on in another file", end_offset).into()),
        }
    }

    /// Finds the directory of an archive that is too large for the old end, or has the new one all the same. Returns where its end
    /// begins too.
    fn directory_64(&self, end: u64, old: &Directory) -> Result<Option<(Directory, u64)>, UnpackFault> {
        let Some(at) = end.checked_sub(LOCATOR_64_BYTES) else { return Ok(None) };
        let locator = self.read(at, LOCATOR_64_BYTES)?;
        let mut fields = Fields(&locator);
        if fields.take(4) != Some(LOCATOR_64) {
            return Ok(None);
        }
        let broken = |at| malformed("its end for large archives is broken", at);
        let (disk, place, disks) = (fields.number(4), fields.number(8), fields.number(4));
        let place =
            place.filter(|place| place.checked_add(END_64_BYTES) == Some(at)).ok_or_else(|| broken(at))?;
        let record = self.read(place, END_64_BYTES)?;
        let mut fields = Fields(&record);
        let is_one = fields.take(4) == Some(END_64) && fields.number(8) == Some(END_64_BYTES - 12);
        let _versions = fields.take(4);
        let alone = (disk, disks, fields.number(4), fields.number(4)) == (Some(0), Some(1), Some(0), Some(0));
        let (here, members, bytes, offset) =
            (fields.number(8), fields.number(8), fields.number(8), fields.number(8));
        let (Some(members), Some(bytes), Some(offset)) = (members, bytes, offset) else {
            return Err(broken(at).into());
        };
        let agrees = |old: u64, new: u64, widest: u64| old == new || old == widest;
        let agree = agrees(old.members, members, 0xffff)
            && agrees(old.bytes, bytes, WIDEST)
            && agrees(old.offset, offset, WIDEST);
        if !is_one || !alone || here != Some(members) || !agree {
            return Err(broken(at).into());
        }
        Ok(Some((Directory { offset, bytes, members }, place)))
    }

    /// Returns where a member's bytes begin: behind its own header, which says what the directory says. They end before
    /// `bound`, where something else begins.
    fn content_of(&self, member: &Member, bound: u64) -> Result<u64, UnpackFault> {
        let header = self.read(member.offset, LOCAL_BYTES + member.raw_name.len() as u64)?;
        let mut fields = Fields(&header);
        let signature = fields.take(4);
        let _version = fields.number(2);
        let (flags, method) = (fields.number(2), fields.number(2));
        let _moment = fields.number(4);
        let (crc, packed, bytes) = (fields.number(4), fields.number(4), fields.number(4));
        let (name_bytes, extra_bytes) = (fields.number(2), fields.number(2));
        let name = fields.take(member.raw_name.len());
        let is_behind = member.flags & SIZES_BEHIND != 0;
        let same = |found: Option<u64>, said: u64| found == Some(said) || is_behind && found == Some(0);
        let same_size = |found: Option<u64>, said: u64| same(found, said) || found == Some(WIDEST);
        let that_count = ENCRYPTED | SIZES_BEHIND;
        let agrees = signature == Some(LOCAL)
            && flags.map(|flags| flags & that_count) == Some(member.flags & that_count)
            && method == Some(member.method)
            && name_bytes == Some(member.raw_name.len() as u64)
            && name == Some(&member.raw_name)
            && same(crc, member.crc)
            && same_size(packed, member.packed_bytes)
            && same_size(bytes, member.bytes);
        let content = extra_bytes.map(|extra| member.offset + header.len() as u64 + extra);
        let is_inside = |from: &u64| from.checked_add(member.packed_bytes).is_some_and(|end| end <= bound);
        match content.filter(is_inside) {
            Some(content) if agrees => Ok(content),
            _ => Err(malformed("a member's header and the directory do not agree", member.offset).into()),
        }
    }

    fn read(&self, offset: u64, bytes: u64) -> Result<Vec<u8>, UnpackFault> {
        let size = self.0.size();
        if offset.checked_add(bytes).is_none_or(|end| end > size) {
            return Err(malformed("something of it would be behind its end", offset).into());
        }
        let mut found = vec![0; bytes as usize];
        let read =
            self.0.fill(offset, &mut found).map_err(|fault| UnpackFault::Unread(io::Error::from(fault)))?;
        found.truncate(read);
        Ok(found)
    }
}

impl Directory {
    fn ending_at(self, end: u64) -> Result<Self, UnpackFault> {
        match self.offset.checked_add(self.bytes) {
            Some(found) if found == end => Ok(self),
            _ => Err(malformed("its directory does not end where its end begins", end).into()),
        }
    }
}

/// Whether an end is one: its comment fills the rest of the file.
fn is_end(tail: &[u8]) -> bool {
    let comment_bytes = tail.get(20..22).map(|bytes| usize::from(bytes[0]) | usize::from(bytes[1]) << 8);
    comment_bytes.is_some_and(|comment| tail.len() == END_BYTES as usize + comment)
}

/// Reads one entry of the directory.
fn member(rest: &mut Fields<'_>) -> Option<Member> {
    let mut head = Fields(rest.take(CENTRAL_BYTES)?);
    (head.take(4)? == CENTRAL).then_some(())?;
    let made_by = head.number(2)?;
    let _version = head.number(2)?;
    let (flags, method) = (head.number(2)?, head.number(2)?);
    let _moment = head.number(4)?;
    let (crc, packed_bytes, bytes) = (head.number(4)?, head.number(4)?, head.number(4)?);
    let (name_bytes, extra_bytes, comment_bytes) = (head.number(2)?, head.number(2)?, head.number(2)?);
    let (disk, _internal) = (head.number(2)?, head.number(2)?);
    let (attributes, offset) = (head.number(4)?, head.number(4)?);
    let raw_name = rest.take(name_bytes as usize)?.to_vec();
    let extra = rest.take(extra_bytes as usize)?;
    rest.take(comment_bytes as usize)?;
    (disk == 0 && !raw_name.is_empty() && raw_name.len() <= NAME_BYTES_MAX).then_some(())?;
    let name = String::from_utf8_lossy(&raw_name).into_owned();
    let member =
        Member { name, raw_name, made_by, flags, method, crc, packed_bytes, bytes, attributes, offset };
    widen(member, extra)
}

/// Puts the numbers of an entry in the place of those that were too large for it.
fn widen(mut member: Member, mut extra: &[u8]) -> Option<Member> {
    let mut wide: Option<&[u8]> = None;
    while !extra.is_empty() {
        let mut fields = Fields(extra);
        let (kind, bytes) = (fields.number(2)?, fields.number(2)?);
        let content = fields.take(bytes as usize)?;
        if kind == 1 {
            wide.is_none().then_some(())?;
            wide = Some(content);
        }
        extra = fields.0;
    }
    let mut wide = Fields(wide.unwrap_or_default());
    for field in [&mut member.bytes, &mut member.packed_bytes, &mut member.offset] {
        if *field == WIDEST {
            *field = wide.number(8)?;
        }
    }
    Some(member)
}

fn check_names(members: &[Member]) -> Result<(), ZipFault> {
    let mut seen = BTreeSet::new();
    match members.iter().find(|member| !seen.insert(&member.name)) {
        Some(twice) => Err(ZipFault::SameName { name: twice.shown() }),
        None => Ok(()),
    }
}

/// Checks that members stand before the directory and share no byte: archives whose members overlap unpack to far more than
/// they are.
fn check_places(members: &[Member], directory: u64) -> Result<(), ZipFault> {
    let mut by_place: Vec<&Member> = members.iter().collect();
    by_place.sort_by_key(|member| member.offset);
    let mut free = 0;
    for member in by_place {
        if member.offset < free {
            return Err(ZipFault::Overlap { name: member.shown(), offset: member.offset });
        }
        let end = member.end().filter(|end| *end <= directory);
        free = end.ok_or_else(|| malformed("a member reaches into its directory", member.offset))?;
    }
    Ok(())
}

fn malformed(what: &'static str, offset: u64) -> ZipFault {
    ZipFault::Malformed { what, offset }
}

/// Bytes that are taken from the front.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    /// Takes a little-endian number.
    fn number(&mut self, bytes: usize) -> Option<u64> {
        let taken = self.take(bytes)?;
        Some(taken.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}
