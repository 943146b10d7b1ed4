//! The JSON scan against a full parser.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| infermeter_client::fuzzing::json(data));
