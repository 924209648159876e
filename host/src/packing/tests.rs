//! Streams as their tools write them, and as nobody should.

use std::io::Write as _;

use flate2::Compression as Level;
use flate2::write::{DeflateEncoder, GzEncoder};
use proptest::prelude::*;

use super::*;

/// Unpacks bytes that stand in a file of that name.
fn unpack_called(
    bytes: &[u8],
    wish: &Wish,
    limits: &InputLimits,
) -> Result<(Vec<u8>, Unpacked), UnpackFault> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    let source = Source::open(file.path()).unwrap();
    let packing = packing_of(&source, wish)?.expect("it begins like something packed");
    let spool = tempfile::tempfile().unwrap();
    let unpacked = unpack(&source, packing, wish, limits, &spool)?;
    let mut found = vec![0; unpacked.bytes as usize];
    spool.read_exact_at(&mut found, 0).unwrap();
    assert_eq!(unpacked.sha256, Digest::of(&found));
    Ok((found, unpacked))
}

fn wish(name: &str) -> Wish {
    Wish { compression: Compression::Auto, member: None, name: name.to_owned() }
}

fn unpack_bytes(bytes: &[u8]) -> Result<Vec<u8>, UnpackFault> {
    unpack_called(bytes, &wish("a.zip"), &InputLimits::default()).map(|(found, _)| found)
}

#[track_caller]
fn refused(bytes: &[u8]) -> &'static str {
    unpack_bytes(bytes).expect_err("it is refused").code()
}

fn gzip(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Level::new(level));
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

fn zstd(bytes: &[u8], level: i32) -> Vec<u8> {
    let mut packer = zstd::stream::write::Encoder::new(Vec::new(), level).unwrap();
    packer.include_checksum(true).unwrap();
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// A member of an archive that is being written.
#[derive(Clone)]
struct Entry {
    name: &'static str,
    content: Vec<u8>,
    method: u16,
    flags: u16,
    attributes: u32,
    extra: Vec<u8>,
    /// What follows its content.
    behind: Vec<u8>,
}

fn entry(name: &'static str, content: &[u8]) -> Entry {
    Entry {
        name,
        content: content.to_vec(),
        method: 8,
        flags: 0,
        attributes: 0,
        extra: Vec::new(),
        behind: Vec::new(),
    }
}

impl Entry {
    fn packed(&self) -> Vec<u8> {
        match self.method {
            8 => {
                let mut packer = DeflateEncoder::new(Vec::new(), Level::new(6));
                packer.write_all(&self.content).unwrap();
                packer.finish().unwrap()
            }
            93 => zstd(&self.content, 3),
            _ => self.content.clone(),
        }
    }

    /// What both headers say alike, from the flags to the lengths of name and extra.
    fn about(&self, extra_bytes: usize) -> Vec<u8> {
        let mut crc = Crc::new();
        crc.update(&self.content);
        let mut about = Vec::new();
        [20, self.flags, self.method, 0, 0x21].iter().for_each(|word: &u16| about.extend(word.to_le_bytes()));
        let sizes = [crc.sum(), self.packed().len() as u32, self.content.len() as u32];
        sizes.iter().for_each(|word| about.extend(word.to_le_bytes()));
        [self.name.len() as u16, extra_bytes as u16].iter().for_each(|word| about.extend(word.to_le_bytes()));
        about
    }
}

/// Writes an archive as ordinary tools do.
fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for entry in entries {
        let offset = bytes.len() as u32;
        bytes.extend(b"PK\x03\x04");
        bytes.extend(entry.about(entry.extra.len()));
        bytes.extend(entry.name.as_bytes());
        bytes.extend(&entry.extra);
        bytes.extend(entry.packed());
        bytes.extend(&entry.behind);
        directory.extend(b"PK\x01\x02\x14\x03");
        directory.extend(entry.about(0));
        directory.extend([0; 6]);
        directory.extend(entry.attributes.to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(entry.name.as_bytes());
    }
    let (offset, count) = (bytes.len() as u32, entries.len() as u16);
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    [count, count].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    [directory.len() as u32, offset].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes.extend([0, 0]);
    bytes
}

/// Where the entry of a member begins in the directory.
fn directory_entry(archive: &[u8], number: usize) -> usize {
    memchr::memmem::find_iter(archive, b"PK\x01\x02").nth(number).unwrap()
}

/// Returns the archive with a number in it replaced.
fn patched(mut archive: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    archive[at..at + bytes.len()].copy_from_slice(bytes);
    archive
}

const TEXT: &[u8] = b"8=FIX.4.4 and so on, and so on\n";

#[test]
fn how_a_file_begins_decides_and_a_zip_must_be_called_one() {
    let packing = |bytes: &[u8], wish: &Wish| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        packing_of(&Source::open(file.path()).unwrap(), wish).map_err(|fault| fault.code())
    };
    assert_eq!(packing(&gzip(TEXT, 6), &wish("a.log")), Ok(Some(Packing::Gzip)));
    assert_eq!(packing(&zstd(TEXT, 3), &wish("a.log")), Ok(Some(Packing::Zstd)));
    let archive = zip(&[entry("a", TEXT)]);
    assert_eq!(packing(&archive, &wish("a.ZIP")), Ok(Some(Packing::Zip)));
    assert_eq!(packing(&archive, &wish("a.xlsx")), Ok(None));
    let forced = |compression| Wish { compression, ..wish("a.xlsx") };
    assert_eq!(packing(&archive, &forced(Compression::Only(Packing::Zip))), Ok(Some(Packing::Zip)));
    assert_eq!(packing(&archive, &forced(Compression::Only(Packing::Gzip))), Err("packing-differs"));
    assert_eq!(packing(&gzip(TEXT, 6), &forced(Compression::None)), Ok(None));
    assert_eq!(packing(TEXT, &wish("a.gz")), Ok(None));
    let member = Wish { member: Some("a".to_owned()), ..wish("a.gz") };
    assert_eq!(packing(&gzip(TEXT, 6), &member), Err("packing-differs"));
    for said in [Compression::None, Compression::Only(Packing::Gzip), Compression::Only(Packing::Zstd)] {
        let member = Wish { compression: said, ..member.clone() };
        assert_eq!(packing(&archive, &member), Err("packing-differs"), "{said}");
        assert_eq!(packing(TEXT, &member), Err("packing-differs"), "{said}");
    }
    for short in [&b""[..], b"\x1f", b"\x1f\x8b", b"PK"] {
        assert_eq!(packing(short, &wish("a.gz")), Ok(None));
    }
    assert_eq!(broken_promise("a.tar.GZ"), Some(Packing::Gzip));
    assert_eq!(broken_promise("gz"), None);
}

#[test]
fn streams_one_after_the_other_are_one_and_what_is_to_be_skipped_is() {
    let twice = [TEXT, TEXT].concat();
    assert_eq!(unpack_bytes(&[gzip(TEXT, 1), gzip(TEXT, 9)].concat()).unwrap(), twice);
    let skipped = [&b"\x51\x2a\x4d\x18\x03\0\0\0"[..], b"abc"].concat();
    let frames = [zstd(TEXT, 1), skipped.clone(), zstd(b"", 1), zstd(TEXT, 19), skipped].concat();
    assert_eq!(unpack_bytes(&frames).unwrap(), twice);
}

#[test]
fn what_stands_behind_the_end_of_a_stream_is_said_with_its_place() {
    for (packed, packing) in [(gzip(TEXT, 6), "gzip"), (zstd(TEXT, 3), "zstd")] {
        for behind in [&b"\0"[..], b"\0\0\0\0\0\0", b"garbage", b"\x1f", b"\x28\xb5"] {
            let fault = unpack_bytes(&[&packed[..], behind].concat()).unwrap_err();
            assert_eq!(fault.code(), "input-trailing-bytes", "{behind:?}");
            let (offset, bytes) = (packed.len(), behind.len());
            let due = format!(
                "the {packing} stream ends at byte {offset}, and the {bytes} bytes behind it are none of it"
            );
            assert_eq!(fault.to_string(), due);
        }
    }
}

#[test]
fn a_stream_that_is_cut_anywhere_is_never_taken_for_a_whole_one() {
    let samples = [gzip(TEXT, 6), zstd(TEXT, 3), zip(&[entry("a", TEXT)])];
    for (packed, least) in samples.iter().zip([3, 4, 4]) {
        for end in least..packed.len() {
            let code = refused(&packed[..end]);
            assert!(["input-truncated", "input-corrupt", "zip-malformed"].contains(&code), "{end}: {code}");
        }
    }
    assert_eq!(refused(&gzip(TEXT, 6)[..20]), "input-truncated");
    assert_eq!(refused(&zstd(TEXT, 3)[..20]), "input-truncated");
}

/// Bytes that pack well and badly, by turns.
fn mixed(bytes: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..bytes).map(|at| if at % 64 < 20 { next() } else { b'x' }).collect()
}

/// Every sample with one bit flipped, 2,000 and more of each: refused, or what it was.
#[track_caller]
fn flip_every_bit(packed: &[u8], content: &[u8]) {
    let bits = packed.len() * 8;
    assert!(bits >= 2_000, "{bits}");
    for bit in 0..bits {
        let mut flipped = packed.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let forced = begins_as(packed).map_or(Compression::Auto, Compression::Only);
        let wish = Wish { compression: forced, ..wish("a.zip") };
        if let Ok((found, _)) = unpack_called(&flipped, &wish, &InputLimits::default()) {
            assert!(found == content, "bit {bit} makes other bytes of it, unnoticed");
        }
    }
}

#[test]
fn a_gzip_stream_with_a_flipped_bit_is_refused_or_what_it_was() {
    let content = mixed(600);
    flip_every_bit(&gzip(&content, 6), &content);
}

#[test]
fn a_zstd_stream_with_a_flipped_bit_is_refused_or_what_it_was() {
    let content = mixed(800);
    flip_every_bit(&zstd(&content, 3), &content);
}

#[test]
fn an_archive_with_a_flipped_bit_is_refused_or_what_it_was() {
    let content = mixed(400);
    flip_every_bit(&zip(&[entry("a", &content), entry("b/", b"")]), &content);
}

#[test]
fn no_more_is_unpacked_than_the_packed_size_allows() {
    let zeros = vec![0; 1 << 20];
    let limits = InputLimits { unpacked_bytes_base: 1000, ..InputLimits::default() };
    for packed in [gzip(&zeros, 9), zstd(&zeros, 19), zip(&[entry("a", &zeros)])] {
        let fault = unpack_called(&packed, &wish("a.zip"), &limits).unwrap_err();
        assert_eq!(fault.code(), "unpacked-limit", "{fault}");
        assert!(
            fault
                .to_string()
                .starts_with(&format!("unpacked bytes: limit {} for", 1000 + 250 * packed.len()))
        );
    }
    let limits = InputLimits { unpacked_bytes_max: 30, ..InputLimits::default() };
    assert!(unpack_called(&gzip(TEXT, 6), &wish("a"), &limits).is_err());
    let limits = InputLimits { unpacked_bytes_max: 31, ..InputLimits::default() };
    assert!(unpack_called(&gzip(TEXT, 6), &wish("a"), &limits).is_ok());
}

#[test]
fn what_is_packed_twice_is_refused_unless_one_layer_was_asked_for() {
    let inner = gzip(TEXT, 6);
    let outer = gzip(&inner, 6);
    assert_eq!(refused(&outer), "input-packed-twice");
    assert_eq!(refused(&zip(&[entry("a.log", &inner)])), "input-packed-twice");
    assert_eq!(refused(&zip(&[entry("a.zip", &zip(&[entry("b", TEXT)]))])), "input-packed-twice");
    let document = zip(&[entry("b", TEXT)]);
    assert_eq!(unpack_bytes(&zip(&[entry("a.xlsx", &document)])).unwrap(), document);
    let once = Wish { compression: Compression::Only(Packing::Gzip), ..wish("a") };
    assert_eq!(unpack_called(&outer, &once, &InputLimits::default()).unwrap().0, inner);
}

#[test]
fn a_disk_that_is_full_is_the_operators_and_says_how_far_it_got() {
    let Ok(full) = File::options().write(true).open("/dev/full") else { return };
    let mut spool = Spool::new(&full, 100, 10);
    let fault = spool.keep(b"abc").unwrap_err();
    assert_eq!((fault.code(), fault.blame()), ("disk-full", Blame::Operator));
    assert!(fault.to_string().contains("after 0 bytes"), "{fault}");
}

#[test]
fn the_only_file_of_an_archive_is_read_however_it_is_packed() {
    for method in [0, 8, 93] {
        let archive = zip(&[entry("folder/", b""), Entry { method, ..entry("folder/a.log", TEXT) }]);
        let (found, unpacked) = unpack_called(&archive, &wish("a.zip"), &InputLimits::default()).unwrap();
        assert_eq!((&found[..], unpacked.member.as_deref()), (TEXT, Some("folder/a.log")));
    }
}

#[test]
fn of_several_files_one_must_be_named_and_the_hint_lists_them() {
    let archive = zip(&[entry("a", b"1"), entry("b\u{1b}[2J", b"2"), entry("folder/", b"")]);
    let fault = unpack_bytes(&archive).unwrap_err();
    assert_eq!((fault.code(), fault.blame()), ("zip-member-unchosen", Blame::Operator));
    assert_eq!(fault.hint().unwrap(), "name one as `ARCHIVE!MEMBER`: `a`, `b\\u{1b}[2J`");
    let member = |name: &str| {
        let wish = Wish { member: Some(name.to_owned()), ..wish("a.zip") };
        unpack_called(&archive, &wish, &InputLimits::default())
            .map(|(found, _)| found)
            .map_err(|fault| fault.code())
    };
    assert_eq!(member("a"), Ok(b"1".to_vec()));
    assert_eq!(member("b\u{1b}[2J"), Ok(b"2".to_vec()));
    assert_eq!(member("c"), Err("zip-member-missing"));
    assert_eq!(member("folder/"), Err("zip-member-not-file"));
    assert_eq!(refused(&zip(&[])), "zip-empty");
}

#[test]
fn members_that_are_no_plain_files_are_refused_by_what_they_are() {
    let one = |entry: Entry| refused(&zip(&[entry]));
    assert_eq!(
        one(Entry { attributes: 0o120_777 << 16, ..entry("link", b"/etc/shadow") }),
        "zip-member-not-file"
    );
    assert_eq!(one(Entry { attributes: 0o020_666 << 16, ..entry("device", b"") }), "zip-member-not-file");
    assert_eq!(one(Entry { flags: 1, ..entry("secret", b"x") }), "zip-encrypted");
    assert_eq!(one(Entry { method: 12, ..entry("other", b"x") }), "zip-method");
    assert!(unpack_bytes(&zip(&[Entry { attributes: 0o100_644 << 16, ..entry("plain", TEXT) }])).is_ok());
}

#[test]
fn an_archive_that_contradicts_itself_is_refused() {
    let archive = zip(&[entry("a", TEXT), entry("b/", b"")]);
    let (first, second) = (directory_entry(&archive, 0), directory_entry(&archive, 1));
    let end = archive.len() - 22;
    let cases: [(&str, Vec<u8>, &str); 9] = [
        ("a size that lies", patched(archive.clone(), first + 24, &[30, 0, 0, 0]), "zip-malformed"),
        ("another name in the member's own header", patched(archive.clone(), 30, b"z"), "zip-malformed"),
        (
            "a member that reaches into the directory",
            patched(archive.clone(), first + 20, &[0xff; 3]),
            "zip-malformed",
        ),
        (
            "a member that begins within another",
            patched(archive.clone(), second + 42, &[5, 0, 0, 0]),
            "zip-overlap",
        ),
        ("a member count that lies", patched(archive.clone(), end + 10, &[1, 0]), "zip-malformed"),
        ("something before it", [b"MZ".as_slice(), &archive].concat(), "refused before"),
        ("something behind it", [&archive[..], b"x"].concat(), "zip-malformed"),
        ("a part of another file", patched(archive.clone(), end + 4, &[1, 0]), "zip-malformed"),
        ("two members of one name", zip(&[entry("a", b"1"), entry("a", b"2")]), "zip-same-name"),
    ];
    for (what, bytes, code) in cases {
        match begins_as(&bytes) {
            Some(_) => assert_eq!(refused(&bytes), code, "{what}"),
            None => assert_eq!(code, "refused before", "{what}"),
        }
    }
    // A comment that holds a second end, for readers that look from the other side.
    let mut comment = zip(&[entry("other", b"evil")]);
    comment.extend(b"PK\x05\x06");
    comment.extend([0; 18]);
    let mut double = patched(archive.clone(), end + 20, &(comment.len() as u16).to_le_bytes());
    double.extend(comment);
    assert_eq!(refused(&double), "zip-malformed");
}

#[test]
fn an_archive_holds_nothing_that_its_directory_does_not_know() {
    let (hidden, known) = (zip(&[entry("hidden", b"evil")]), zip(&[entry("a", TEXT)]));
    let hidden = &hidden[..directory_entry(&hidden, 0)];
    let end = known.len() - 22;
    let (local, directory) = known[..end].split_at(directory_entry(&known, 0));
    // Written anew with `before` in front of the member and `behind` between it and the directory.
    let written = |before: &[u8], behind: &[u8]| {
        let offset = |bytes: usize| (bytes as u32).to_le_bytes();
        let directory = patched(directory.to_vec(), 42, &offset(before.len()));
        let begun = before.len() + local.len() + behind.len();
        let end = patched(known[end..].to_vec(), 16, &offset(begun));
        [before, local, behind, &directory, &end].concat()
    };
    assert_eq!(unpack_bytes(&written(b"", b"")).unwrap(), TEXT);
    assert_eq!(refused(&written(hidden, b"")), "zip-malformed");
    assert_eq!(refused(&written(b"", hidden)), "zip-malformed");
    assert_eq!(refused(&written(b"", b"\0")), "zip-malformed");
}

#[test]
fn sizes_that_stand_behind_a_member_are_read_in_every_width_and_must_be_true() {
    let mut crc = Crc::new();
    crc.update(TEXT);
    let streamed = |wide: usize, signature: &[u8], bytes: usize| {
        let mut one = Entry { flags: 8, method: 0, ..entry("a", TEXT) };
        let number = |of: usize| (of as u64).to_le_bytes()[..wide].to_vec();
        one.behind = [signature, &crc.sum().to_le_bytes(), &number(TEXT.len()), &number(bytes)].concat();
        zip(&[one, entry("b/", b"")])
    };
    let chosen = |archive: &[u8]| unpack_bytes(archive).map_err(|fault| fault.code());
    for wide in [4, 8] {
        for signature in [&b"PK\x07\x08"[..], b""] {
            assert_eq!(chosen(&streamed(wide, signature, TEXT.len())).unwrap(), TEXT);
            assert_eq!(chosen(&streamed(wide, signature, 9)), Err("zip-malformed"));
        }
    }
}

#[test]
fn content_that_is_not_what_the_archive_promised_is_refused() {
    let honest = entry("a", TEXT);
    let archive = zip(std::slice::from_ref(&honest));
    let first = directory_entry(&archive, 0);
    // Both headers lie alike.
    let smaller = patched(patched(archive.clone(), first + 24, &[30, 0, 0, 0]), 22, &[30, 0, 0, 0]);
    let checksum = patched(patched(archive.clone(), first + 16, &[9; 4]), 14, &[9; 4]);
    for lie in [smaller, checksum] {
        assert_eq!(refused(&lie), "input-corrupt");
    }
    // Its own header is longer than the directory knows, so that its bytes would reach into what follows.
    let shifted = zip(&[Entry { extra: vec![0; 40], ..honest }, entry("b/", b"")]);
    assert_eq!(unpack_bytes(&shifted).unwrap(), TEXT);
    let longer = patched(shifted, 28, &[90, 0]);
    assert_eq!(refused(&longer), "zip-malformed");
}

#[test]
fn an_archive_of_large_numbers_is_read_and_checked_alike() {
    let mut archive = zip(&[entry("a", TEXT)]);
    let end = archive.split_off(archive.len() - 22);
    let (directory_bytes, offset) = (&end[12..16], &end[16..20]);
    let record = archive.len() as u64;
    archive.extend(b"PK\x06\x06");
    archive.extend(44_u64.to_le_bytes());
    archive.extend([45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    archive.extend(1_u64.to_le_bytes());
    archive.extend(1_u64.to_le_bytes());
    [directory_bytes, offset].iter().for_each(|number| archive.extend([number, &[0; 4][..]].concat()));
    archive.extend(b"PK\x06\x07\0\0\0\0");
    archive.extend(record.to_le_bytes());
    archive.extend(1_u32.to_le_bytes());
    archive.extend(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0");
    assert_eq!(unpack_bytes(&archive).unwrap(), TEXT);
    let liar = patched(archive.clone(), record as usize + 32, &[2]);
    assert_eq!(refused(&liar), "zip-malformed");
}

/// Bytes that pack to nothing, to little, and not at all.
fn contents() -> impl Strategy<Value = Vec<u8>> {
    let noise = proptest::collection::vec(any::<u8>(), 0..3000);
    let runs = proptest::collection::vec((any::<u8>(), 0..4000_usize), 0..12);
    let runs = runs.prop_map(|runs| runs.into_iter().flat_map(|(byte, times)| vec![byte; times]).collect());
    prop_oneof![noise, runs]
}

proptest! {
    #[test]
    fn whatever_is_packed_comes_out_as_it_went_in(
        content in contents(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..4),
        level in 0..10_u32,
    ) {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(content.len() + 1)).collect();
        ends.extend([0, content.len()]);
        ends.sort_unstable();
        let pieces = || ends.windows(2).map(|pair| &content[pair[0]..pair[1]]);
        let gzipped: Vec<u8> = pieces().flat_map(|piece| gzip(piece, level)).collect();
        let zstandard: Vec<u8> = pieces().flat_map(|piece| zstd(piece, level as i32)).collect();
        let method = [0, 8, 93][level as usize % 3];
        let archive = zip(&[Entry { method, ..entry("a", &content) }]);
        for (packed, packing) in [(gzipped, Packing::Gzip), (zstandard, Packing::Zstd), (archive, Packing::Zip)] {
            let wish = Wish { compression: Compression::Only(packing), ..wish("a.zip") };
            let (found, unpacked) = unpack_called(&packed, &wish, &InputLimits::default()).unwrap();
            prop_assert!(found == content);
            prop_assert_eq!((unpacked.packing, unpacked.bytes), (packing, content.len() as u64));
        }
    }

    #[test]
    fn any_bytes_behind_a_beginning_are_refused_or_unpacked_and_never_more(
        head in prop_oneof![Just(GZIP), Just(ZSTD), Just(ZIP), Just(ZIP_OF_NOTHING)],
        rest in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let _ = unpack_bytes(&[head, &rest[..]].concat());
    }
}
