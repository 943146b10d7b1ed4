//! Stamps of sends: when requests leave, by the kernel's word. Where the kernel gives no receive
//! stamps nothing is checked.

use crate::engine_support::{Driver, end};
use crate::support::{Ask, MS, engine_config, fixed, start};
use infermeter_client::engine::EngineConfig;
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_sys::stamp::Sentinel;

/// The two clocks' pairing may be off by this.
const SLACK_NS: i64 = MS;

fn audited(config: EngineConfig) -> EngineConfig {
    EngineConfig {
        audit_send: true,
        ..config
    }
}

/// A request leaves after its send began and before its answer came.
fn check(record: &RequestRecord) {
    assert_eq!(end(record), (Outcome::Completed, None));
    let left = record.left.expect("loopback stamps sends");
    let first_byte = record.first_byte.expect("an answer");
    assert!(
        record
            .send_start
            .is_some_and(|at| left >= at.plus(-SLACK_NS))
    );
    assert!(left <= first_byte.plus(SLACK_NS), "{record:?}");
}

#[test]
fn every_request_of_a_connection_has_its_own_stamp() {
    let Some(_stamps) = Sentinel::start() else {
        return;
    };
    let mock = start(fixed("2ms", "1ms"));
    let mut driver = Driver::with(audited(engine_config(mock.address())));
    let records: Vec<_> = (0..5).map(|_| driver.exchange(Ask::tokens(3))).collect();
    records.iter().for_each(check);
    assert!(
        records
            .iter()
            .all(|r| r.connection == records[0].connection)
    );
    let left: Vec<_> = records.iter().map(|r| r.left).collect();
    assert!(left.is_sorted(), "{left:?}");
}

#[test]
fn a_long_body_has_left_when_its_last_byte_has() {
    let Some(_stamps) = Sentinel::start() else {
        return;
    };
    let mut config = fixed("2ms", "1ms");
    config.max_model_len = Some(1_000_000);
    let mock = start(config);
    let mut driver = Driver::with(audited(engine_config(mock.address())));
    driver.open_ahead(1);
    let ask = Ask {
        words: 500_000,
        ..Ask::tokens(2)
    };
    let record = driver.exchange(ask);
    check(&record);
}

#[test]
fn without_the_audit_nothing_is_known() {
    let mock = start(fixed("1ms", "1ms"));
    let record = Driver::new(mock.address()).exchange(Ask::tokens(2));
    assert_eq!(record.left, None);
}

#[test]
fn a_connection_that_dies_under_the_audit_is_noticed() {
    let mock = start(fixed("1ms", "1ms"));
    let mut driver = Driver::with(audited(engine_config(mock.address())));
    let dead = driver.exchange(Ask::tokens(5).with_fault("disconnect-after=2"));
    assert_eq!(dead.outcome, Outcome::Failed);
    assert_eq!(dead.chunks.len(), 2);
    assert_eq!(
        end(&driver.exchange(Ask::tokens(2))),
        (Outcome::Completed, None)
    );
}
