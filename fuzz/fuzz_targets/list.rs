//! Answers that are lists of numbers, read as they come.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| infermeter_client::fuzzing::list(data));
