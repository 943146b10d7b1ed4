//! Time-outs of every kind, and refused connections.

use crate::engine_support::{Driver, end};
use crate::support::{Ask, MS, SECOND, engine_config, fixed, start};
use infermeter_core::record::{Outcome, Reason};
use infermeter_sys::socket;
use std::net::TcpListener;

#[test]
fn no_first_token_in_time() {
    let mock = start(fixed("600s", "1ms"));
    let mut config = engine_config(mock.address());
    config.first_token_timeout = Some(20 * MS);
    let mut driver = Driver::with(config);
    let record = driver.exchange(Ask::tokens(1));
    let timed_out = (Outcome::TimedOut, Some(Reason::FirstTokenTimeout));
    assert_eq!(end(&record), timed_out);
    let waited = record
        .closed
        .expect("ended")
        .since(record.send_start.expect("sent"));
    assert!(waited >= 20 * MS);
    assert!(record.chunks.is_empty());
}

#[test]
fn silence_inside_an_answer() {
    let mock = start(fixed("1ms", "1ms"));
    let mut config = engine_config(mock.address());
    config.idle_timeout = Some(200 * MS);
    let mut driver = Driver::with(config);
    let record = driver.exchange(Ask::tokens(9).with_fault("stall-after=2"));
    assert_eq!(end(&record), (Outcome::TimedOut, Some(Reason::IdleTimeout)));
    assert!(record.chunks.len() <= 2);
    let first_byte = record.first_byte.expect("it had begun");
    assert!(record.closed.expect("ended").since(first_byte) >= 200 * MS);
}

#[test]
fn silence_before_an_answer_is_not_idleness() {
    // Connections are taken up by the kernel, and nobody answers.
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let mut config = engine_config(listener.local_addr().expect("bound"));
    config.idle_timeout = Some(5 * MS);
    config.timeout = 60 * MS;
    let mut driver = Driver::with(config);
    let record = driver.exchange(Ask::tokens(1));
    assert_eq!(
        end(&record),
        (Outcome::TimedOut, Some(Reason::RequestTimeout))
    );
}

#[test]
fn an_endless_answer() {
    let mock = start(fixed("1ms", "1ms"));
    let mut config = engine_config(mock.address());
    config.timeout = 100 * MS;
    let mut driver = Driver::with(config);
    driver.send(Ask::tokens(1).with_fault("endless"));
    driver.send(Ask::tokens(1).with_fault("endless"));
    let records = driver.finish();
    assert_eq!(records.len(), 2);
    for record in records {
        assert_eq!(
            end(&record),
            (Outcome::TimedOut, Some(Reason::RequestTimeout))
        );
    }
}

#[test]
fn a_time_out_frees_its_place_under_the_cap() {
    let mock = start(fixed("1ms", "1ms"));
    let mut config = engine_config(mock.address());
    config.max_connections = 1;
    config.timeout = SECOND / 2;
    let mut driver = Driver::with(config);
    driver.send(Ask::tokens(1).with_fault("stall-after=0"));
    driver.send(Ask::tokens(1));
    let records = driver.finish();
    assert_eq!(
        end(&records[0]),
        (Outcome::TimedOut, Some(Reason::RequestTimeout))
    );
    assert!(records[1].send_start >= records[0].closed);
    assert_eq!(driver.engine.health().waits_for_cap, 1);
}

#[test]
fn a_connection_that_is_never_accepted() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    // A full queue of the listener lets further handshakes hang.
    socket::set_backlog(&listener, 0).expect("a shorter queue");
    let mut config = engine_config(listener.local_addr().expect("bound"));
    config.connect_timeout = 50 * MS;
    config.timeout = 200 * MS;
    let mut driver = Driver::with(config);
    for _ in 0..4 {
        driver.send(Ask::tokens(1));
    }
    let records = driver.finish();
    let hung = records.iter().filter(|record| {
        assert_eq!(record.outcome, Outcome::TimedOut);
        let reason = record.error.as_ref().map(|error| error.reason);
        assert_eq!(
            reason == Some(Reason::ConnectTimeout),
            record.connected.is_none()
        );
        record.connected.is_none()
    });
    assert!(hung.count() >= 1);
}
