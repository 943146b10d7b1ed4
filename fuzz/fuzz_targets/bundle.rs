//! The archive of a bundle: whatever the bytes, nothing is written but below the place that is given, and no panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| infermeter_record::fuzzing::bundle(data));
