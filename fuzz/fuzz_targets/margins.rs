//! Log-probabilities of answers, and schemas.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| infermeter_answers::fuzzing::margins(data));
