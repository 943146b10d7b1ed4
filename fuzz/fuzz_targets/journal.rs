//! A run's journal: whatever the bytes, every whole batch or none, and no panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| infermeter_record::fuzzing::journal(data));
