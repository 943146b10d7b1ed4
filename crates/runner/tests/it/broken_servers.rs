//! Connections that die, fresh and reused.

use crate::engine_support::{Driver, end};
use crate::support::{Ask, engine_config, fixed, start};
use infermeter_core::record::{Outcome, Reason};
use infermeter_mock::Config;
use std::net::TcpListener;

const COMPLETED: (Outcome, Option<Reason>) = (Outcome::Completed, None);

/// Every second request finds its connection closed before the first byte of an answer.
fn stale_every_second() -> Config {
    let mut config = fixed("1ms", "1ms");
    config.faults = vec!["disconnect-after=0@every:2".parse().expect("a rule")];
    config
}

#[test]
fn a_reused_connection_that_dies_silently_is_stale() {
    let mock = start(stale_every_second());
    let mut driver = Driver::new(mock.address());
    let first = driver.exchange(Ask::tokens(2));
    assert_eq!(end(&first), COMPLETED);
    assert_eq!((first.new_connection, first.attempts), (Some(true), 1));
    let second = driver.exchange(Ask::tokens(2));
    assert_eq!(
        end(&second),
        (Outcome::Failed, Some(Reason::StaleConnection))
    );
    assert_eq!(second.connection, first.connection);
    assert_eq!((second.new_connection, second.attempts), (Some(false), 1));
    assert_eq!(second.status, None);
    let third = driver.exchange(Ask::tokens(2));
    assert_eq!(end(&third), COMPLETED);
    assert_eq!(third.new_connection, Some(true));
}

#[test]
fn retry_stale_sends_once_more_and_says_so() {
    let mock = start(stale_every_second());
    let mut config = engine_config(mock.address());
    config.retry_stale = true;
    let mut driver = Driver::with(config);
    let first = driver.exchange(Ask::tokens(2));
    let second = driver.exchange(Ask::tokens(2));
    assert_eq!(end(&second), COMPLETED);
    assert_eq!((second.attempts, second.new_connection), (2, Some(true)));
    assert_ne!(second.connection, first.connection);
    assert!(
        second.connected > second.send_start,
        "the first send counts"
    );
    assert_eq!(mock.stop().expect("no error").generations, 3);
}

#[test]
fn a_second_death_is_a_failure() {
    let mock = start(fixed("1ms", "1ms"));
    let mut config = engine_config(mock.address());
    config.retry_stale = true;
    let mut driver = Driver::with(config);
    driver.exchange(Ask::tokens(1));
    let dead = driver.exchange(Ask::tokens(2).with_fault("disconnect-after=0"));
    assert_eq!(end(&dead), (Outcome::Failed, Some(Reason::Disconnected)));
    assert_eq!(dead.attempts, 2);
}

#[test]
fn a_fresh_connection_that_dies_is_no_stale_one() {
    let mock = start(fixed("1ms", "1ms"));
    let mut driver = Driver::new(mock.address());
    for fault in ["disconnect-after=0", "reset-after=0"] {
        let record = driver.exchange(Ask::tokens(2).with_fault(fault));
        assert_eq!(end(&record), (Outcome::Failed, Some(Reason::Disconnected)));
        assert_eq!(record.new_connection, Some(true));
    }
}

#[test]
fn a_connection_lost_in_mid_answer_keeps_the_chunks() {
    let mock = start(fixed("1ms", "1ms"));
    let mut driver = Driver::new(mock.address());
    let cut = driver.exchange(Ask::tokens(9).with_fault("disconnect-after=3"));
    assert_eq!(end(&cut), (Outcome::Failed, Some(Reason::Truncated)));
    assert_eq!(cut.chunks.len(), 3);
    // A reset destroys what the client has not read yet.
    let reset = driver.exchange(Ask::tokens(9).with_fault("reset-after=3"));
    assert_eq!(end(&reset), (Outcome::Failed, Some(Reason::Disconnected)));
    assert!(reset.chunks.len() <= 3);
}

#[test]
fn an_idle_connection_that_was_closed_is_not_used() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let mut driver = Driver::new(listener.local_addr().expect("bound"));
    let close = |connections| {
        for _ in 0..connections {
            drop(listener.accept().expect("a connection"));
        }
    };
    // Seen while waiting.
    driver.open_ahead(3);
    close(3);
    driver.poll_until("their ends are seen", |e| e.idle_connections() == 0);
    assert_eq!(driver.engine.health().connections_discarded, 3);
    // Not seen yet when one is needed.
    driver.open_ahead(2);
    close(2);
    driver.send(Ask::tokens(1));
    assert_eq!(driver.engine.health().connections_discarded, 5);
    assert_eq!(driver.engine.health().connections_opened, 6);
    driver.engine.cancel_all(Reason::DrainEnded);
    let record = driver.finish().remove(0);
    assert_eq!(end(&record), (Outcome::Cancelled, Some(Reason::DrainEnded)));
    assert_eq!(record.new_connection, Some(true));
}

#[test]
fn a_connection_idle_past_keepalive_is_replaced() {
    let mock = start(fixed("1ms", "1ms"));
    let mut config = engine_config(mock.address());
    config.keepalive = 0;
    let mut driver = Driver::with(config);
    let first = driver.exchange(Ask::tokens(1));
    let second = driver.exchange(Ask::tokens(1));
    assert_ne!(first.connection, second.connection);
    assert_eq!(second.new_connection, Some(true));
    assert_eq!(driver.engine.health().connections_discarded, 1);
}

#[test]
fn the_youngest_idle_connection_is_used_first() {
    let mock = start(fixed("1ms", "1ms"));
    let mut driver = Driver::new(mock.address());
    driver.open_ahead(4);
    let first = driver.exchange(Ask::tokens(1));
    for _ in 0..3 {
        let record = driver.exchange(Ask::tokens(1));
        assert_eq!(record.connection, first.connection);
        assert_eq!(
            (record.new_connection, record.connected),
            (Some(false), None)
        );
    }
    assert_eq!(driver.engine.health().connections_opened, 4);
}
