//! Objectives and gates as they are written.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| infermeter_core::fuzzing::objective(data));
