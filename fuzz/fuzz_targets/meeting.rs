//! Files of a meeting place, and the messages of its clock: inert, within their limits, and no panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| infermeter_ranks::fuzzing::meeting(data));
