//! What is found in answers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| infermeter_answers::fuzzing::said(data));
