//! Places as ranks use them: a folder, one in memory, and some that cannot be used.

use super::fake::Fake;
use super::probe::probe;
use super::*;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::thread;

fn folder(path: &Path) -> Box<dyn Store> {
    open(&path.display().to_string()).expect("a place")
}

/// Everything that holds of any place.
fn keeps_its_promise(store: &dyn Store, scratch: &Path) {
    assert_eq!(store.put_new("a.json", b"first").expect("put"), Put::New);
    assert_eq!(store.put_new("a.json", b"second").expect("put"), Put::Taken);
    assert_eq!(
        store.get("a.json").expect("got").as_deref(),
        Some(&b"first"[..])
    );
    assert_eq!(store.get("b.json").expect("looked for"), None);
    assert_eq!(store.modified_ns("b.json").expect("looked for"), None);
    assert!(store.modified_ns("a.json").expect("looked at").is_some());

    let large = scratch.join("large");
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    fs::write(&large, &bytes).expect("written");
    store
        .put_file("result-00000/sub/large", &large)
        .expect("put");
    store.put_file("result-00000/small", &large).expect("put");
    fs::write(&large, b"small").expect("written");
    store
        .put_file("result-00000/small", &large)
        .expect("put again");
    let back = scratch.join("back");
    store
        .get_file("result-00000/sub/large", &back, 3_000_000)
        .expect("got");
    assert_eq!(fs::read(&back).expect("read"), bytes);
    let beside = scratch.join("beside");
    let error = store.get_file("result-00000/sub/large", &beside, 2_999_999);
    assert!(
        matches!(error, Err(StoreError::TooLarge { .. })),
        "{error:?}"
    );
    assert!(!beside.exists());
    let error = store.get_file("result-00000/none", &beside, 9);
    assert!(matches!(error, Err(StoreError::Absent { .. })), "{error:?}");

    store.put_new("ab.json", b"").expect("put");
    assert_eq!(store.list("a").expect("listed"), ["a.json", "ab.json"]);
    assert_eq!(
        store.list("result-00000/").expect("listed"),
        ["result-00000/small"]
    );
    assert_eq!(store.list("none/").expect("listed"), [""; 0]);
    for name in ["", "../a", "/a", "a/../b", ".a", "a\nb"] {
        let error = store.put_new(name, b"").expect_err("no name");
        assert!(matches!(error, StoreError::Name { .. }), "{error}");
        assert!(store.get(name).is_err() && store.modified_ns(name).is_err());
        assert!(store.put_file(name, &large).is_err() && store.remove(name).is_err());
        assert!(store.get_file(name, &beside, 9).is_err());
    }
    assert!(store.list("../").is_err());
    store.remove("a.json").expect("removed");
    store.remove("a.json").expect("gone all the same");
    assert_eq!(store.put_new("a.json", b"third").expect("put"), Put::New);
}

#[test]
fn a_folder_and_the_one_in_memory_do_the_same() {
    let scratch = tempfile::tempdir().expect("a directory");
    let place = scratch.path().join("deep/below/place");
    keeps_its_promise(&*folder(&place), scratch.path());
    assert!(!fs::read_dir(&place).expect("there").any(|entry| {
        let name = entry.expect("readable").file_name();
        name.to_string_lossy().starts_with(['.', 'p'])
    }));
    let scratch = tempfile::tempdir().expect("a directory");
    keeps_its_promise(&Fake::default(), scratch.path());
}

#[test]
fn of_many_who_come_at_once_one_is_first() {
    let scratch = tempfile::tempdir().expect("a directory");
    let store = folder(scratch.path());
    for round in 0..20 {
        let name = format!("launch-{round}.json");
        let firsts: Vec<usize> = thread::scope(|scope| {
            let ask = |rank: usize| {
                let (store, name) = (&store, &name);
                scope.spawn(move || {
                    let bytes = format!("{rank}").repeat(10_000);
                    store.put_new(name, bytes.as_bytes()).expect("put")
                })
            };
            let asked: Vec<_> = (0..8).map(ask).collect();
            let puts = asked
                .into_iter()
                .map(|thread| thread.join().expect("ended"));
            let firsts = puts.enumerate().filter(|(_, put)| *put == Put::New);
            firsts.map(|(rank, _)| rank).collect()
        });
        assert_eq!(firsts.len(), 1, "{firsts:?}");
        let kept = store.get(&name).expect("got").expect("there");
        assert_eq!(kept, format!("{}", firsts[0]).repeat(10_000).as_bytes());
    }
}

#[test]
fn a_place_that_gives_a_name_away_twice_is_refused() {
    let bad = Fake {
        no_create_if_absent: true,
        ..Fake::default()
    };
    let error = probe(&bad).expect_err("refused").to_string();
    assert!(error.contains("gave a name away"), "{error}");
    assert!(error.contains("conditional writes"), "{error}");
    let good = Fake::default();
    probe(&good).expect("it keeps its promise");
    assert_eq!(good.list("").expect("listed"), [""; 0]);
    // One where nothing can be taken back serves as well.
    let keeps = Fake {
        keeps_all: true,
        ..Fake::default()
    };
    probe(&keeps).expect("it keeps its promise");
    probe(&keeps).expect("once more");
}

#[test]
fn what_cannot_be_a_place_says_what_to_do() {
    let scratch = tempfile::tempdir().expect("a directory");
    let file = scratch.path().join("file");
    fs::write(&file, "").expect("written");
    for path in [file.clone(), file.join("below")] {
        let error = open(&path.display().to_string()).expect_err("no folder");
        assert!(matches!(error, StoreError::NotFolder { .. }), "{error}");
    }
    // A place without a right to write and a full one look so to whoever is not root.
    let place = Path::new("/shared/run-7");
    let error = |errno: i32| {
        let cause = std::io::Error::from_raw_os_error(errno);
        StoreError::of_folder(place, "to write launch.json".to_owned(), &cause).to_string()
    };
    let check = |errno: i32, expect: &[&str]| {
        let said = error(errno);
        for part in ["/shared/run-7", "to write launch.json"]
            .iter()
            .chain(expect)
        {
            assert!(said.contains(part), "no `{part}`: {said}");
        }
    };
    let errno = |errno: rustix::io::Errno| errno.raw_os_error();
    check(
        errno(rustix::io::Errno::ACCESS),
        &["the right to read and write"],
    );
    check(
        errno(rustix::io::Errno::ROFS),
        &["the right to read and write"],
    );
    check(errno(rustix::io::Errno::NOSPC), &["make room"]);
    check(errno(rustix::io::Errno::DQUOT), &["make room"]);
    check(errno(rustix::io::Errno::IO), &["failed"]);
}

#[cfg(not(feature = "object-store"))]
#[test]
fn an_object_store_without_the_feature_says_how_to_build_it() {
    for place in [
        "s3://bucket/run-7",
        "gs://bucket/run-7",
        "az://container/run-7",
    ] {
        let error = open(place).expect_err("not built").to_string();
        assert!(error.starts_with(place), "{error}");
        assert!(error.contains("--features object-store"), "{error}");
    }
}

#[test]
fn what_others_have_put_into_a_folder_is_neither_followed_nor_listed() {
    let scratch = tempfile::tempdir().expect("a directory");
    let place = scratch.path().join("place");
    let store = folder(&place);
    let secret = scratch.path().join("secret");
    fs::write(&secret, "secret").expect("written");
    symlink(&secret, place.join("start.json")).expect("linked");
    symlink("/dev/zero", place.join("launch.json")).expect("linked");
    fs::create_dir(place.join("rank-00000.json")).expect("made");
    fs::write(place.join("a b"), "").expect("written");
    for name in ["start.json", "launch.json", "rank-00000.json"] {
        assert!(store.get(name).is_err(), "{name}");
    }
    assert_eq!(store.list("").expect("listed"), [""; 0]);
    let large = fs::File::create(place.join("large.json")).expect("made");
    large.set_len(MOST_BYTES + 1).expect("long");
    let error = store.get("large.json").expect_err("too large");
    assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
}

#[test]
fn names_that_are_put_survive_each_other() {
    let scratch = tempfile::tempdir().expect("a directory");
    let store = folder(scratch.path());
    let names: BTreeSet<String> = (0..30).map(|rank| format!("rank-{rank:05}.json")).collect();
    thread::scope(|scope| {
        for name in &names {
            let store = &store;
            scope.spawn(move || store.put_new(name, name.as_bytes()).expect("put"));
        }
    });
    let listed: BTreeSet<String> = store.list("rank-").expect("listed").into_iter().collect();
    assert_eq!(listed, names);
}
