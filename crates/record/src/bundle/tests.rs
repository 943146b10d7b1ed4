//! Bundles as they are written, and archives that nobody should unpack.

use super::*;
use flate2::{Compression, GzBuilder};
use std::fs;
use std::io::Write;
use std::path::Path;

const OLD: &str = "rows of the run";

fn about() -> About {
    About {
        name: "one".to_owned(),
        kind: BundleKind::Run,
        texts: false,
        changed: Vec::new(),
        left_out: Vec::new(),
    }
}

fn members(dir: &Path) -> Vec<Member> {
    let member = |path: &str, text: &str| {
        let from = dir.join(path.replace('/', "-"));
        fs::write(&from, text).expect("written");
        Member {
            path: path.to_owned(),
            holds: "something",
            from,
        }
    };
    vec![member("run.json", "{}"), member("run-01/rows", OLD)]
}

/// A bundle, and its bytes.
fn written(dir: &Path) -> Vec<u8> {
    let out = dir.join("bundle.tar.gz");
    write_bundle(&out, about(), members(dir)).expect("written");
    fs::read(out).expect("there")
}

fn unpacked(archive: &[u8]) -> Result<Unpacked, BundleError> {
    let into = tempfile::tempdir().expect("a directory");
    unpack_from(
        archive,
        archive.len() as u64,
        Path::new("archive"),
        into.path(),
    )
}

#[test]
fn the_same_files_give_the_same_bytes_and_come_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let bytes = written(dir.path());
    assert_eq!(bytes, written(dir.path()));
    let into = tempfile::tempdir().expect("a directory");
    let out = dir.path().join("bundle.tar.gz");
    let unpacked = unpack(&out, into.path()).expect("unpacked");
    assert_eq!(unpacked.problems, []);
    assert_eq!(unpacked.manifest.files.len(), 2);
    let rows = fs::read_to_string(into.path().join("run-01/rows")).expect("there");
    assert_eq!(rows, OLD);
}

#[test]
fn an_archive_cut_anywhere_is_damaged() {
    let dir = tempfile::tempdir().expect("a directory");
    let bytes = written(dir.path());
    for cut in 0..bytes.len() {
        unpacked(&bytes[..cut]).expect_err("cut short");
    }
    let mut flipped = bytes.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    assert!(
        unpacked(&flipped).is_err() || unpacked(&flipped).is_ok_and(|u| !u.problems.is_empty())
    );
}

/// An entry of an archive made by hand.
struct Made<'a> {
    path: &'a str,
    kind: tar::EntryType,
    bytes: &'a [u8],
}

fn plain<'a>(path: &'a str, bytes: &'a [u8]) -> Made<'a> {
    Made {
        path,
        kind: tar::EntryType::Regular,
        bytes,
    }
}

/// The list of a bundle with these files, as path and contents.
fn list(version: u32, files: &[(&str, &str)]) -> Vec<u8> {
    let files = files.iter().map(|(path, text)| BundledFile {
        path: (*path).to_owned(),
        holds: String::new(),
        bytes: text.len() as u64,
        sha256: {
            let mut all = crate::seal::Hashing::of(text.as_bytes());
            std::io::copy(&mut all, &mut std::io::sink()).expect("read");
            all.digest()
        },
    });
    let manifest = BundleManifest {
        format_version: version,
        infermeter_version: "0".to_owned(),
        kind: BundleKind::Run,
        record_version: 1,
        texts: false,
        files: files.collect(),
        changed: Vec::new(),
        left_out: Vec::new(),
    };
    serde_json::to_vec(&manifest).expect("JSON")
}

fn archive(entries: &[Made<'_>]) -> Vec<u8> {
    let gzip = GzBuilder::new().write(Vec::new(), Compression::default());
    let mut archive = tar::Builder::new(gzip);
    for made in entries {
        let mut header = tar::Header::new_ustar();
        // `set_path` refuses what is tried here.
        let name = &mut header.as_ustar_mut().expect("ustar").name;
        name[..made.path.len()].copy_from_slice(made.path.as_bytes());
        header.set_size(made.bytes.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(made.kind);
        header.set_cksum();
        archive.append(&header, made.bytes).expect("appended");
    }
    archive
        .into_inner()
        .expect("whole")
        .finish()
        .expect("whole")
}

#[track_caller]
fn refused(entries: &[Made<'_>], words: &str) {
    let error = unpacked(&archive(entries)).expect_err(words);
    assert!(error.to_string().contains(words), "{error}");
}

#[test]
fn what_is_no_bundle_or_reaches_out_of_it_is_refused() {
    let one = list(1, &[("run.json", OLD)]);
    let listed = || plain("one/bundle.json", &one);
    let second = |path, kind, words: &str| {
        let entry = Made {
            path,
            kind,
            bytes: OLD.as_bytes(),
        };
        refused(&[listed(), entry], words);
    };
    use tar::EntryType as Kind;
    second("../run.json", Kind::Regular, "leads out of the archive");
    second(
        "one/../../run.json",
        Kind::Regular,
        "leads out of the archive",
    );
    second("/etc/passwd", Kind::Regular, "leads out of the archive");
    second(
        "one/.hidden",
        Kind::Regular,
        "a path that no file of a bundle has",
    );
    second(
        "one/\u{1b}[2J",
        Kind::Regular,
        "a path that no file of a bundle has",
    );
    second(
        "two/run.json",
        Kind::Regular,
        "lies outside of its directory",
    );
    second("one/run.json", Kind::Symlink, "is a link");
    second("one/run.json", Kind::Link, "is a link");
    second("one/run.json", Kind::Fifo, "is not a plain file");
    second("one/run.json", Kind::Directory, "is not a plain file");
    second("one/run.json", Kind::GNULongName, "is not a plain file");
    let rows = || plain("one/run.json", OLD.as_bytes());
    refused(&[listed(), rows(), rows()], "is in it twice");
    refused(&[rows()], "does not begin with bundle.json");
    refused(
        &[plain("bundle.json", &one)],
        "does not begin with bundle.json",
    );
    refused(&[], "does not begin with bundle.json");
    let newer = list(99, &[]);
    refused(
        &[plain("one/bundle.json", &newer)],
        "format version 99, this infermeter reads up to 1",
    );
    refused(
        &[plain("one/bundle.json", b"{}")],
        "bundle.json cannot be read: missing field",
    );
    let twice = list(1, &[("a", ""), ("a", "")]);
    refused(&[plain("one/bundle.json", &twice)], "it has a twice");
    let climbing = list(1, &[("../a", "")]);
    refused(
        &[plain("one/bundle.json", &climbing)],
        "a path that no file of a bundle has",
    );
    let text = b"a text file";
    let error = unpacked(text).expect_err("no archive");
    assert!(
        error.to_string().contains("is not a bundle of infermeter"),
        "{error}"
    );
}

#[test]
fn files_that_are_not_what_the_list_says_are_named() {
    let check = |files: &[(&str, &str)], entries: &[Made<'_>], expect: &[(&str, FileProblem)]| {
        let list = list(1, files);
        let first = [plain("one/bundle.json", &list)];
        let rest = entries.iter().map(|made| plain(made.path, made.bytes));
        let all: Vec<Made<'_>> = first.into_iter().chain(rest).collect();
        let found = unpacked(&archive(&all)).expect("readable").problems;
        let found: Vec<(&str, FileProblem)> = found.iter().map(|(p, f)| (p.as_str(), *f)).collect();
        assert_eq!(found, expect);
    };
    let rows = plain("one/rows", b"rows");
    check(&[("rows", "rows")], &[rows], &[]);
    check(
        &[("rows", "rowz")],
        &[plain("one/rows", b"rows")],
        &[("rows", FileProblem::Changed)],
    );
    check(
        &[("rows", "rows+")],
        &[plain("one/rows", b"rows")],
        &[("rows", FileProblem::Changed)],
    );
    check(&[("rows", "rows")], &[], &[("rows", FileProblem::Missing)]);
    check(
        &[],
        &[plain("one/more", b"rows")],
        &[("more", FileProblem::Unlisted)],
    );
}

#[test]
fn what_unpacks_to_more_than_it_says_is_refused() {
    let zeros = vec![0; 4 << 20];
    let small = list(1, &[("rows", OLD)]);
    let listed = || plain("one/bundle.json", &small);
    refused(
        &[listed(), plain("one/rows", &zeros)],
        "is longer than the list says",
    );
    refused(
        &[listed(), plain("one/more", &zeros)],
        "more than its list says",
    );
    // Zeros behind the end of the archive.
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::default());
    let whole = archive(&[listed(), plain("one/rows", OLD.as_bytes())]);
    let mut tar = Vec::new();
    std::io::copy(
        &mut flate2::read::GzDecoder::new(whole.as_slice()),
        &mut tar,
    )
    .expect("read");
    gzip.write_all(&tar)
        .and_then(|()| gzip.write_all(&zeros))
        .expect("written");
    let error = unpacked(&gzip.finish().expect("whole")).expect_err("zeros");
    assert!(
        error.to_string().contains("more than its list says"),
        "{error}"
    );
    // A list that says it honestly.
    let mut honest: BundleManifest = serde_json::from_slice(&small).expect("JSON");
    honest.files[0].bytes = 2 << 30;
    let honest = serde_json::to_vec(&honest).expect("JSON");
    refused(
        &[plain("one/bundle.json", &honest)],
        "is the most that is accepted",
    );
    let long = vec![b' '; (17 << 20) as usize];
    refused(
        &[plain("one/bundle.json", &long)],
        "longer than that of any record",
    );
}

/// Parsed, such a file takes thirty times its length in memory.
#[test]
fn a_file_that_is_read_whole_has_a_limit_of_its_own() {
    let check = |path: &str, bytes: u64, is_taken: bool| {
        let list = list(1, &[(path, OLD)]);
        let mut long: BundleManifest = serde_json::from_slice(&list).expect("JSON");
        long.files[0].bytes = bytes;
        let long = serde_json::to_vec(&long).expect("JSON");
        let found = unpacked(&archive(&[plain("one/bundle.json", &long)]));
        match is_taken {
            true => drop(found.expect(path)),
            false => {
                let error = found.expect_err(path).to_string();
                assert!(error.contains("accepted of such a file"), "{error}");
            }
        }
    };
    let most = 64 << 20;
    for path in ["run.json", "run-01/run.json", "left-out.json", "sweep.json"] {
        check(path, most, true);
        check(path, most + 1, false);
    }
    check("experiment.ledger", most + 1, false);
    check("requests.parquet", most + 1, true);
}

#[test]
fn an_archive_ends_where_it_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    let whole = written(dir.path());
    let behind = [whole.as_slice(), b"more"].concat();
    let twice = [whole.as_slice(), whole.as_slice()].concat();
    for bytes in [behind, twice] {
        let error = unpacked(&bytes).expect_err("something behind it");
        assert!(error.to_string().contains("behind its end"), "{error}");
    }
}

#[test]
fn files_that_nobody_listed_are_counted() {
    // A short list has room for few of them.
    let listed: Vec<String> = (0..64).map(|number| format!("rows{number}")).collect();
    let listed: Vec<(&str, &str)> = listed.iter().map(|path| (path.as_str(), OLD)).collect();
    let list = list(1, &listed);
    let paths: Vec<String> = (0..1_001).map(|number| format!("one/{number}")).collect();
    let first = [plain("one/bundle.json", &list)];
    let rest = paths.iter().map(|path| plain(path, b""));
    let all: Vec<Made<'_>> = first.into_iter().chain(rest).collect();
    refused(&all, "it has more than 1000 files");
}

/// The place that it is unpacked to means nothing to anybody.
#[test]
fn what_cannot_be_unpacked_names_the_archive() {
    let list = list(1, &[("a", OLD), ("a/b", OLD)]);
    let rows = |path| plain(path, OLD.as_bytes());
    let all = [
        plain("one/bundle.json", &list),
        rows("one/a"),
        rows("one/a/b"),
    ];
    refused(&all, "cannot unpack archive:");
}

#[test]
fn a_bundle_that_cannot_be_written_leaves_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut members = members(dir.path());
    members[1].from = dir.path().join("gone");
    let folder = tempfile::tempdir().expect("a directory");
    let out = folder.path().join("bundle.tar.gz");
    write_bundle(&out, about(), members).expect_err("a file is missing");
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
}
