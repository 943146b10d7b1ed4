//! Logs of production: rows in order of time, counts of what was left out, and no panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| infermeter_workload::fuzzing::logs(data));
