//! A run's journal: whatever the bytes, every whole batch or none, and no panic.
#![no_main]

use infermeter_record::JournalReader;
use std::path::Path;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(mut reader) = JournalReader::over(data, data.len() as u64, Path::new("fuzz")) else {
        return;
    };
    while let Ok(Some(batch)) = reader.next_batch() {
        assert!(!batch.is_empty());
    }
});
