//! Other tools' results: bytes to facts, every check on them. The samples in
//! `crates/audit/tests/golden/` are its seeds.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(results) = infermeter_audit::import::read(data) {
        let sides = infermeter_audit::evidence::sides("fuzz", results);
        infermeter_audit::audit(&sides);
    }
});
