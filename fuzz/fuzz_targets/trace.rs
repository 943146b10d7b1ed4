//! Trace files and datasets: rows in order of time, or an error with its line, and no panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| infermeter_workload::fuzzing::trace(data));
