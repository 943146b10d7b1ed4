//! Messages of OTLP traces: no panic, and every span counted in one place.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| infermeter_probe::fuzzing::otlp(data));
