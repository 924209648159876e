//! Inputs as they come: packed, piped in, by odd names, with odd bytes in them. What is read must be the same however it came,
//! and what cannot be read as a whole is not read in part.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Stdio;

use flate2::write::{DeflateEncoder, GzEncoder};
use flate2::{Compression, Crc};
use serde_json::Value as Json;

use crate::host::{self, Call, Desk, INPUT, OUT, Said, guest};
use crate::receipts::python;
use crate::tables;

/// A log with good messages and with every fault that the parser knows.
fn log() -> Vec<u8> {
    let samples = host::root().join("guests/fix/samples");
    let mut log = std::fs::read(samples.join("demo.log")).expect("a sample").repeat(20);
    for name in host::names(&samples.join("bad")).iter().filter(|name| name.ends_with(".log")) {
        log.extend(std::fs::read(samples.join("bad").join(name)).expect("a sample"));
        log.push(b'\n');
    }
    log
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::new(6));
    packer.write_all(bytes).expect("packed");
    packer.finish().expect("packed")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 3).expect("packed")
}

/// An archive of deflated files, as ordinary tools write it.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let mut packer = DeflateEncoder::new(Vec::new(), Compression::new(6));
        packer.write_all(content).expect("packed");
        let packed = packer.finish().expect("packed");
        let mut crc = Crc::new();
        crc.update(content);
        let mut about = b"\x14\0\0\0\x08\0\0\0\x21\0".to_vec();
        let sizes = [crc.sum(), packed.len() as u32, content.len() as u32];
        sizes.iter().for_each(|word| about.extend(word.to_le_bytes()));
        about.extend((name.len() as u16).to_le_bytes());
        about.extend([0, 0]);
        let offset = bytes.len() as u32;
        bytes.extend([b"PK\x03\x04", &about[..], name.as_bytes(), &packed].concat());
        let rest = [&[0; 10][..], &offset.to_le_bytes(), name.as_bytes()].concat();
        directory.extend([b"PK\x01\x02\x14\x03", &about[..], &rest].concat());
    }
    let (offset, count) = (bytes.len() as u32, files.len() as u16);
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    [count, count].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    [directory.len() as u32, offset].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
    bytes.extend([0, 0]);
    bytes
}

/// Begins `host run fix.wasm INPUT --json --tables all --out OUT`.
fn run<'a>(desk: &'a Desk, input: &str, out: &str) -> Call<'a> {
    desk.call(&["run"]).arg(guest("fix")).args(&[input, "--json", "--tables", "all", "--out", out])
}

#[track_caller]
fn receipt(desk: &Desk, out: &str) -> Json {
    let text = std::fs::read_to_string(desk.path(out).join("_receipt.json")).expect("a receipt");
    serde_json::from_str(&text).expect("JSON")
}

/// What is claimed but for the input.
fn but_for_the_input(receipt: &Json) -> Json {
    let mut claim = receipt["claim"].clone();
    claim["input"].take();
    claim
}

#[test]
fn a_packed_input_gives_what_it_holds_and_only_its_name_tells() {
    let log = log();
    let desk = Desk::new(&log);
    assert_eq!(run(&desk, INPUT, "plain").done().exit, 0);
    let plain = receipt(&desk, "plain");
    assert!(
        plain["claim"]["input"].get("unpacked").is_none(),
        "receipts of other inputs stay what they were"
    );
    let (half, rest) = log.split_at(log.len() / 2);
    let packed = [
        ("a.gz", gzip(&log)),
        ("b", [gzip(half), gzip(rest)].concat()),
        ("c.zst", zstd(&log)),
        ("d.zip", zip(&[("folder/", b""), ("folder/d.log", &log)])),
    ];
    let held = |out: &str| tables::read(&desk.path(out).join("_quarantine.parquet"));
    for (name, bytes) in packed {
        desk.write(name, &bytes);
        let out = format!("{}_out", name.replace('.', "_"));
        let said = run(&desk, name, &out).args(&["--input-name", INPUT]).done();
        let (found, report) = (receipt(&desk, &out), said.report());
        assert_eq!(but_for_the_input(&found), but_for_the_input(&plain), "{name}");
        let input = &found["claim"]["input"];
        assert_eq!(input["bytes"], bytes.len(), "{name}");
        assert_eq!(input["unpacked"]["bytes"], log.len(), "{name}");
        assert_eq!(input["unpacked"]["sha256"], plain["claim"]["input"]["sha256"], "{name}");
        assert_eq!(report["input"]["unpacked"], input["unpacked"], "{name}");
        for column in ["q_id", "row_id", "input_sha256", "input_path"] {
            assert_eq!(tables::texts(&held(&out), column), tables::texts(&held("plain"), column), "{name}");
        }
        for column in ["line_first", "line_last", "byte_offset"] {
            assert_eq!(
                tables::numbers(&held(&out), column),
                tables::numbers(&held("plain"), column),
                "{name}"
            );
        }
        assert_eq!(tables::blobs(&held(&out), "raw"), tables::blobs(&held("plain"), "raw"), "{name}");
        let footer = tables::footer(&desk.path(&out).join("_quarantine.parquet"));
        let packing = footer.get("casparian.input.packing").cloned().flatten();
        assert_eq!(Json::from(packing), input["unpacked"]["packing"], "{name}");
        assert_eq!(Json::from(footer["casparian.input.packed_sha256"].clone()), input["sha256"], "{name}");
    }
    assert_eq!(receipt(&desk, "d_zip_out")["claim"]["input"]["unpacked"]["member"], "folder/d.log");
}

#[test]
fn a_receipt_of_a_packed_input_is_verified_by_host_and_python_alike() {
    let desk = Desk::new(b"");
    let log = log();
    for (name, bytes) in
        [("a.gz", gzip(&log)), ("c.zst", zstd(&log)), ("d.zip", zip(&[("d", &log), ("e", b"")]))]
    {
        let input = desk.write(name, &bytes);
        let out = format!("{}_out", name.replace('.', "_"));
        let asked = if name == "d.zip" { "d.zip!d" } else { name };
        assert_eq!(run(&desk, asked, &out).done().exit, 0, "{name}");
        let place = desk.path(&out).join("_receipt.json");
        let verify = desk.call(&["verify", "--json"]).arg(&place).arg("--component").arg(guest("fix"));
        let said = verify.arg("--input").arg(&input).done();
        assert_eq!((said.exit, &said.report()["agrees"]), (0, &Json::from(true)), "{said:?}");
        let (is_fine, words) = python(&[&place, &"--input", &input]);
        assert!(is_fine, "{words}");
        // The unpacked bytes are another file.
        let unpacked = desk.write("unpacked", &log);
        let verify = desk.call(&["verify", "--json"]).arg(&place).arg("--component").arg(guest("fix"));
        assert_eq!(verify.arg("--input").arg(&unpacked).done().exit, 11, "{name}");
    }
}

#[test]
fn what_was_held_of_a_packed_input_is_shown_from_its_unpacked_bytes() {
    let desk = Desk::new(b"");
    desk.write("bad.gz", &gzip(b"not fix at all\nneither is this\n"));
    assert_eq!(run(&desk, "bad.gz", OUT).done().exit, 0);
    let said = desk.call(&["quarantine", "show", OUT]).done();
    assert!(said.stdout.contains("neither is this"), "{said:?}");
}

#[test]
fn a_packed_input_that_is_not_whole_publishes_nothing() {
    let desk = Desk::new(b"");
    let packed = gzip(&log());
    let fault = |bytes: &[u8], words: &[&str]| {
        desk.write("a.gz", bytes);
        let said = run(&desk, "a.gz", OUT).args(words).done();
        let report = said.report();
        assert_eq!(desk.names(), ["a.gz", INPUT], "something was left behind");
        report["fault"]["code"].as_str().expect("a fault").to_owned()
    };
    assert_eq!(fault(&packed[..packed.len() / 2], &[]), "input-truncated");
    assert_eq!(fault(&[&packed[..], b"\0"].concat(), &[]), "input-trailing-bytes");
    let mut damaged = packed.clone();
    let at = damaged.len() - 6;
    damaged[at] ^= 1;
    assert_eq!(fault(&damaged, &[]), "input-corrupt");
    assert_eq!(fault(&gzip(&packed), &[]), "input-packed-twice");
    assert_eq!(fault(&packed, &["--limit", "unpacked=1000"]), "unpacked-limit");
    assert_eq!(fault(&packed, &["--compression", "zstd"]), "packing-differs");
}

#[test]
fn a_file_that_is_called_packed_and_is_not_is_read_as_it_is_and_that_is_said() {
    let desk = Desk::new(b"");
    desk.write("a.gz", &log());
    let report = run(&desk, "a.gz", OUT).done().report();
    assert_eq!(report["warnings"][0]["code"], "packing-misnamed");
    assert_eq!(report["accounting"]["coverage"], "full");
    desk.write("b.gz", &gzip(&log()));
    let report = run(&desk, "b.gz", "raw").args(&["--compression", "none"]).done().report();
    assert_eq!((report["input"].get("unpacked"), &report["warnings"]), (None, &serde_json::json!([])));
}

/// Runs with something piped in.
fn piped(call: &Call<'_>, bytes: &[u8]) -> Said {
    let mut command = call.command();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // Whoever refuses what comes does not read it to its end.
    let _ = child.stdin.take().expect("a pipe").write_all(bytes);
    Said::new(child.wait_with_output().expect("it ends"))
}

#[test]
fn what_is_piped_in_gives_what_a_file_gives() {
    let log = log();
    let desk = Desk::new(&log);
    assert_eq!(run(&desk, INPUT, "plain").done().exit, 0);
    let plain = receipt(&desk, "plain");
    let said = piped(&run(&desk, "-", "piped").args(&["--input-name", INPUT]), &log);
    assert_eq!(said.exit, 0, "{said:?}");
    assert_eq!(receipt(&desk, "piped")["claim"], plain["claim"]);
    let said = piped(&run(&desk, "-", "packed"), &gzip(&log));
    assert_eq!((said.exit, &said.report()["input"]["path"]), (0, &Json::from("stdin")), "{said:?}");
    let packed = receipt(&desk, "packed");
    assert_eq!(but_for_the_input(&packed), but_for_the_input(&plain));
    assert_eq!(packed["claim"]["input"]["name"], "stdin");
    assert_eq!(desk.names(), [INPUT, "packed", "piped", "plain"]);
}

#[test]
fn no_more_is_piped_in_than_may_be_and_nothing_is_left_of_it() {
    let desk = Desk::new(b"");
    let said = piped(&run(&desk, "-", OUT).args(&["--limit", "unpacked=1000"]), &log());
    said.assert_fault("input", "input-too-large");
    desk.assert_untouched();
    let twice = desk.call(&["run"]).arg(guest("fix")).args(&["-", "-"]).done();
    assert_eq!(twice.exit, 2, "{twice:?}");
}

#[test]
fn whoever_waits_for_a_pipe_can_be_interrupted() {
    let desk = Desk::new(b"");
    let mut command = run(&desk, "-", OUT).command();
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.expect("the program starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    // More than a pipe holds: once it is written, somebody reads.
    pipe.write_all(&vec![b'x'; 1 << 20]).expect("read");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it lives");
    let said = Said::new(child.wait_with_output().expect("it ends"));
    drop(pipe);
    assert_eq!(said.exit, 130, "{said:?}");
    desk.assert_untouched();
}

#[test]
fn i_05_a_file_larger_than_any_is_refused_at_once_and_one_of_no_bytes_is_read() {
    let desk = Desk::new(b"");
    let report = run(&desk, INPUT, "empty").done().assert_completed();
    assert_eq!(report["input"]["bytes"], 0);
    let sparse = File::options().write(true).open(desk.path(INPUT)).expect("the input");
    // As large as this file system can have one.
    let largest = (30..63).rev().find(|bits| sparse.set_len(1 << bits).is_ok()).expect("a file with a hole");
    let limit = format!("input={}", (1_u64 << largest) - 1);
    let said = run(&desk, INPUT, OUT).args(&["--limit", &limit]).done();
    said.assert_fault("input", "input-too-large");
}

#[test]
fn i_07_a_name_of_any_bytes_is_read_and_its_bytes_are_kept() {
    let desk = Desk::new(b"");
    let odd = OsStr::from_bytes(b"a\xff\x1b[2J\n.log");
    let long = "x".repeat(255);
    for name in [odd, OsStr::new(&long)] {
        std::fs::write(desk.path(INPUT).with_file_name(name), log()).expect("written");
        let call =
            desk.call(&["run"]).arg(guest("fix")).arg(name).args(&["--json", "--replace", "--out", OUT]);
        let said = call.done();
        assert_eq!(said.exit, 0, "{said:?}");
        let hex: String = name.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let due = if name == odd { Json::from(hex) } else { Json::Null };
        assert_eq!(receipt(&desk, OUT)["circumstances"]["input_path_hex"], due);
        assert_eq!(said.report()["input"]["path_hex"], due);
    }
}

#[test]
fn i_09_bombs_of_every_packing_are_refused_and_leave_nothing() {
    let desk = Desk::new(b"");
    let zeros = vec![0; 100 << 20];
    let mut overlapping = zip(&[("a", &zeros[..1 << 20]), ("b", b"")]);
    let second = overlapping.len() - 22 - 47;
    // Both members begin at the same byte.
    overlapping[second + 42..second + 46].copy_from_slice(&[0; 4]);
    let bombs = [
        ("gzip.gz", gzip(&zeros), "unpacked-limit"),
        ("zstd.zst", zstd(&zeros), "unpacked-limit"),
        ("zip.zip", zip(&[("a", &zeros)]), "unpacked-limit"),
        ("overlap.zip", overlapping, "zip-overlap"),
        ("nested.zip", zip(&[("a.zip", &zip(&[("b.zip", &zip(&[("c", b"x")]))]))]), "input-packed-twice"),
    ];
    for (name, bytes, code) in bombs {
        desk.write(name, &bytes);
        run(&desk, name, OUT).done().assert_fault("input", code);
        std::fs::remove_file(desk.path(name)).expect("removed");
        desk.assert_untouched();
    }
}
