//! The seeds of the fuzz target `trace` are files of two rows that must be readable; those of `logs` are its
//! fixtures, too.

use infermeter_workload::{TraceOptions, TraceReader, fuzzing};

#[test]
fn seeds_of_the_fuzz_target_are_read_to_their_end() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/trace");
    let mut formats = std::collections::HashSet::new();
    for entry in std::fs::read_dir(dir).expect("seeds") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("a seed");
        fuzzing::trace(&bytes);
        let mut reader = TraceReader::new(&bytes[..], TraceOptions::default())
            .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let rows: Result<Vec<_>, _> = reader.by_ref().collect();
        let rows = rows.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        assert_eq!(rows.len(), 2, "{}", path.display());
        formats.insert(reader.facts().format.name());
    }
    assert_eq!(formats.len(), 9, "{formats:?}");
}

#[test]
fn seeds_of_logs_keep_what_holds_of_every_log() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/logs");
    for entry in std::fs::read_dir(dir).expect("seeds") {
        let path = entry.expect("an entry").path();
        fuzzing::logs(&std::fs::read(&path).expect("a seed"));
    }
}
