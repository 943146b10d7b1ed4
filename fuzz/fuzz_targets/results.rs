//! Other tools' results: bytes to facts, every check on them. The samples in
//! `crates/audit/tests/golden/` are its seeds, too.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| infermeter_audit::fuzzing::results(data));
