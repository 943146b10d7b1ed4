//! The fuzz targets' seeds as ordinary tests.

use infermeter_client::fuzzing;

#[track_caller]
fn check(target: &str, entry: fn(&[u8]), at_least: usize) {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds");
    let files = std::fs::read_dir(format!("{dir}/{target}")).expect("the seeds' directory");
    let mut count = 0;
    for file in files {
        let seed = std::fs::read(file.expect("an entry").path()).expect("a seed");
        entry(&seed);
        // Cut short and altered, every seed is an input of its own.
        for end in (0..seed.len()).step_by(1 + seed.len() / 64) {
            entry(&seed[..end]);
            let mut altered = seed.clone();
            altered[end] ^= 0x20;
            entry(&altered);
        }
        count += 1;
    }
    assert!(count >= at_least, "{count} seeds");
}

#[test]
fn http() {
    check("http", fuzzing::http, 20);
}

#[test]
fn sse() {
    check("sse", fuzzing::sse, 10);
}

#[test]
fn answer() {
    check("answer", fuzzing::answer, 30);
}

#[test]
fn json() {
    check("json", fuzzing::json, 10);
}
