//! The seeds of the fuzz target `trace` are traces that must be readable.

use infermeter_workload::TraceReader;

#[test]
fn seeds_of_the_fuzz_target_are_read_to_their_end() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/trace");
    let mut files = 0;
    for entry in std::fs::read_dir(dir).expect("seeds") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("a seed");
        let rows: Result<Vec<_>, _> = TraceReader::new(&bytes[..]).expect("columns").collect();
        assert_eq!(rows.expect("rows").len(), 2, "{}", path.display());
        files += 1;
    }
    assert!(files >= 2);
}
