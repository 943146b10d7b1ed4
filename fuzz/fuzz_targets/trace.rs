//! Trace files: rows in order of time, or an error with its line, and no panic.
#![no_main]

use infermeter_workload::TraceReader;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(reader) = TraceReader::new(data) else { return };
    let mut last = 0;
    for row in reader {
        let Ok(row) = row else { return };
        assert!(row.offset_ns >= last && row.input_tokens > 0 && row.output_tokens > 0);
        last = row.offset_ns;
    }
});
