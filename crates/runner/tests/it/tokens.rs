//! Several tokens per event, several events per write.

use crate::engine_support::Driver;
use crate::support::{Ask, fixed, io, start};
use infermeter_core::record::{Outcome, TokenSource};
use infermeter_core::run::IoBackend;

#[test]
fn an_event_of_several_tokens_is_one_chunk() {
    let mock = start(fixed("1ms", "1ms"));
    let mut driver = Driver::new(mock.address());
    let record = driver.exchange(Ask::tokens(10).with_fault("coalesce=4"));
    assert_eq!(record.outcome, Outcome::Completed);
    let tokens: Vec<_> = record.chunks.iter().map(|c| c.tokens).collect();
    assert_eq!(tokens, [4, 4, 2]);
    assert_eq!(record.token_source, Some(TokenSource::ContinuousUsage));
    assert_eq!(record.output_tokens, Some(10));
}

#[test]
fn events_of_one_write_share_their_read() {
    let mock = start(fixed("1ms", "1ms"));
    let mut driver = Driver::new(mock.address());
    let record = driver.exchange(Ask::tokens(10).with_fault("multi-event=4"));
    assert_eq!(record.outcome, Outcome::Completed);
    assert_eq!(record.chunks.len(), 10);
    assert!(record.chunks.iter().all(|c| c.tokens == 1));
    // Writes of 4, 4 and 2 events; a late client may read two of them at once, never a part. (What
    // lies in a socket may take several buffers of a ring: reads of their own with one stamp.)
    for write in record.chunks.chunks(4) {
        assert!(write.iter().all(|c| c.at == write[0].at));
        let one_read = write.iter().all(|c| c.read == write[0].read);
        assert!(one_read || io() == IoBackend::Uring);
        assert!(write.iter().all(|c| c.lower <= write[0].at));
    }
}
