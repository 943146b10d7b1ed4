//! Metrics pages in the Prometheus text format: samples, figures, and no panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| infermeter_probe::fuzzing::metrics(data));
