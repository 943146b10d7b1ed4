//! Event streams, whole and in pieces.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| infermeter_client::fuzzing::sse(data));
