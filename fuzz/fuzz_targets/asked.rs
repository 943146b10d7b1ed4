//! HTTP requests to the side server: no panic, and no body beyond its limit.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| infermeter_probe::fuzzing::asked(data));
