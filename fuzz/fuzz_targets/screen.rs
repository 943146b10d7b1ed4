//! Requests of users, as the proxy's strict reader takes them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| infermeter_proxy::fuzzing::screen(data));
