//! The entry point of the fuzz target. It panics where a property is broken: for tests alone.

use crate::files::{
    DoneFile, FailedFile, Kept, LaunchFile, RankFile, ReadyFile, StartFile, checked_name, read,
    written,
};
use crate::offset::Message;
use std::fmt::Debug;

/// What stands at a meeting place, as each file of a meeting, and a datagram: what is read is inert, within its limits, and
/// read the same once more.
pub fn meeting(data: &[u8]) {
    let texts = [
        again::<LaunchFile>(data),
        again::<RankFile>(data),
        again::<ReadyFile>(data),
        again::<StartFile>(data),
        again::<FailedFile>(data),
        again::<DoneFile>(data),
    ];
    let steers = |c: char| c != '\n' && c.is_control();
    for text in texts.into_iter().flatten() {
        assert!(!text.chars().any(steers), "a text that steers a terminal");
    }
    if let Ok(done) = read::<DoneFile>("done-00000.json", data) {
        assert!(
            done.files
                .iter()
                .all(|file| checked_name(&file.name).is_ok())
        );
        assert!(done.index < done.of);
    }
    if let Some(message) = Message::read(data) {
        assert_eq!(Message::read(&message.bytes()), Some(message));
    }
}

/// The text that a file is written as, once it was read.
fn again<T: Kept + PartialEq + Debug>(data: &[u8]) -> Option<String> {
    let file = read::<T>("fuzz.json", data).ok()?;
    let bytes = written(&file).expect("it is written");
    let back = read::<T>("fuzz.json", &bytes).expect("it is read again");
    assert_eq!(back, file);
    Some(String::from_utf8(bytes).expect("JSON is UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_seeds_hold() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/meeting");
        let mut count = 0;
        for entry in fs::read_dir(seeds).expect("seeds") {
            meeting(&fs::read(entry.expect("readable").path()).expect("readable"));
            count += 1;
        }
        assert!(count >= 9, "{count} seeds");
    }
}
