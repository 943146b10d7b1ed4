//! Servers that go away, hang up, do not keep their promises, or do not end what they say.

use crate::engine_support::{Driver, end, is_unreachable};
use crate::support::{Ask, MS, engine_config, fixed, start};
use infermeter_client::kept::Budget;
use infermeter_client::reuse::Reuse;
use infermeter_core::record::{Outcome, Reason};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

const COMPLETED: (Outcome, Option<Reason>) = (Outcome::Completed, None);
const EVENT: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"word \"}}]}\n\n";
const FINISH: &str =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\n";
const DONE: &str = "data: [DONE]\n\n";

/// Converses with each connection on a thread of its own, until the peer goes or `converse` is done.
fn serve(converse: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let converse = Arc::new(converse);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let converse = Arc::clone(&converse);
            thread::spawn(move || converse(stream));
        }
    });
    address
}

/// Waits for a request; whether one came.
fn request_came(stream: &mut TcpStream) -> bool {
    matches!(stream.read(&mut [0; 4096]), Ok(n) if n > 0)
}

/// The head of an answer that promises to keep the connection, and a body under `framing`.
fn answer(framing: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{framing}\r\n\r\n{body}")
}

fn good_answer() -> String {
    let body = format!("{EVENT}{EVENT}{FINISH}{DONE}");
    answer(&format!("content-length: {}", body.len()), &body)
}

#[test]
fn a_server_that_comes_back_meets_no_burst() {
    let held = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = held.local_addr().expect("bound");
    drop(held);
    let mut driver = Driver::new(address);
    let refused = driver.exchange(Ask::tokens(1));
    assert!(is_unreachable(&refused) && refused.send_start.is_some());
    for _ in 0..100 {
        driver.send(Ask::tokens(1));
    }
    // They fail where they are due: nothing waits for the server.
    let records = driver.finish();
    assert_eq!(records.len(), 100);
    assert!(records.iter().all(is_unreachable));
    assert!(driver.engine.health().connections_opened < 20);
}

#[test]
fn a_server_that_hangs_up_on_everybody_is_not_flooded_with_connects() {
    let address = serve(drop);
    let mut driver = Driver::new(address);
    let begun = driver.engine.now();
    let mut reasons = Vec::new();
    while driver.engine.now().since(begun) < 500 * MS {
        reasons.push(end(&driver.exchange(Ask::tokens(1))));
        driver.engine.tend_connections();
    }
    let disconnected = (Outcome::Failed, Some(Reason::Disconnected));
    let backing_off = (Outcome::Failed, Some(Reason::ConnectBackoff));
    assert_eq!(reasons[..3], [disconnected; 3]);
    assert!(reasons.contains(&backing_off));
    assert!(
        reasons
            .iter()
            .all(|r| [disconnected, backing_off].contains(r))
    );
    let opened = driver.engine.health().connections_opened;
    assert!(opened < 20, "{opened} connections");
}

#[test]
fn connections_opened_ahead_that_do_not_last_are_not_opened_again_at_once() {
    let address = serve(drop);
    let mut config = engine_config(address);
    config.spare_connections = 8;
    let mut driver = Driver::with(config);
    let begun = driver.engine.now();
    driver.poll_until("half a second has passed", |engine| {
        engine.now().since(begun) > 500 * MS
    });
    while driver.engine.now().since(begun) < 1_000 * MS {
        driver.engine.tend_connections();
        let soon = driver.engine.now().plus(MS);
        driver.engine.poll(soon).expect("polls");
    }
    let opened = driver.engine.health().connections_opened;
    assert!((1..40).contains(&opened), "{opened} connections");
}

/// Answers well, promises to keep the connection, and closes it.
fn breaks_its_promise(mut stream: TcpStream) {
    if request_came(&mut stream) {
        stream.write_all(good_answer().as_bytes()).ok();
    }
}

#[test]
fn a_broken_promise_of_keep_alive_is_learnt() {
    let mut driver = Driver::new(serve(breaks_its_promise));
    let records: Vec<_> = (0..12).map(|_| driver.exchange(Ask::tokens(2))).collect();
    let stale = (Outcome::Failed, Some(Reason::StaleConnection));
    let broken = records.iter().filter(|r| end(r) == stale).count();
    assert!(broken <= 2, "{broken}");
    assert!(records[4..].iter().all(|r| end(r) == COMPLETED));
    assert!(driver.engine.health().connections_single_use >= 6);
}

#[test]
fn a_promise_known_to_be_broken_costs_nothing() {
    let mut config = engine_config(serve(breaks_its_promise));
    config.reuse = Reuse::Never;
    let mut driver = Driver::with(config);
    for _ in 0..6 {
        let record = driver.exchange(Ask::tokens(2));
        assert_eq!(
            (end(&record), record.new_connection),
            (COMPLETED, Some(true))
        );
    }
}

#[test]
fn a_restart_is_no_broken_promise() {
    let mock = start(fixed("1ms", "1ms"));
    let address = mock.address();
    let mut driver = Driver::new(address);
    for _ in 0..8 {
        driver.send(Ask::tokens(2));
    }
    driver.finish();
    mock.stop().expect("no error");
    driver.poll_until("their ends are seen", |e| e.idle_connections() == 0);
    assert_eq!(driver.engine.health().connections_single_use, 0);
    let mut config = fixed("1ms", "1ms");
    config.port = address.port();
    let _again = start(config);
    let mut reused = false;
    while !reused {
        let record = driver.exchange(Ask::tokens(2));
        reused = record.new_connection == Some(false);
    }
}

#[test]
fn a_body_that_does_not_end_behind_its_end_mark_is_complete() {
    let all = format!("{EVENT}{EVENT}{FINISH}{DONE}");
    let chunk = format!("{:x}\r\n{all}\r\n", all.len());
    for answer in [
        answer("content-length: 1000000", &all),
        answer("transfer-encoding: chunked", &chunk),
        answer("connection: close", &all),
    ] {
        let address = serve(move |mut stream| {
            if request_came(&mut stream) {
                stream.write_all(answer.as_bytes()).ok();
                // Until the client goes.
                request_came(&mut stream);
            }
        });
        let mut driver = Driver::new(address);
        let record = driver.exchange(Ask::tokens(2));
        assert_eq!((end(&record), record.chunks.len()), (COMPLETED, 2));
        let waited = record
            .closed
            .expect("ended")
            .since(record.finished.expect("chunks"));
        assert!(waited >= 1_000 * MS, "{waited}");
        assert_eq!(driver.engine.health().bodies_without_end, 1);
        assert_eq!(driver.engine.idle_connections(), 0);
    }
}

/// Streams without end, as fast as it goes.
fn streams_without_end(mut stream: TcpStream) {
    if request_came(&mut stream) {
        let head = answer("connection: close", "");
        let block = EVENT.repeat(1_000);
        let mut sent = stream.write_all(head.as_bytes());
        while sent.is_ok() {
            sent = stream.write_all(block.as_bytes());
        }
    }
}

#[test]
fn an_answer_is_bounded_by_the_tokens_asked_for() {
    let mut driver = Driver::new(serve(streams_without_end));
    let record = driver.exchange(Ask::tokens(2));
    assert_eq!(end(&record), (Outcome::Failed, Some(Reason::LimitExceeded)));
    assert!(record.error.expect("one").text.contains("32768 chunks"));
    assert_eq!(record.chunks.len(), 32_768);
}

#[test]
fn all_answers_together_are_bounded() {
    let budget = Arc::new(Budget::of(1 << 20));
    let mut config = engine_config(serve(streams_without_end));
    config.budget = Arc::clone(&budget);
    let mut driver = Driver::with(config);
    for _ in 0..8 {
        driver.send(Ask::tokens(2));
    }
    let records = driver.finish();
    let kept: usize = records.iter().map(|r| size_of_val(&*r.chunks)).sum();
    // A read may bring more than was taken before it: 256 KiB, in events of 60 bytes.
    assert!(kept < (1 << 20) + 8 * (200 << 10), "{kept}");
    for record in &records {
        assert_eq!(end(record), (Outcome::Failed, Some(Reason::LimitExceeded)));
        let text = &record.error.as_ref().expect("one").text;
        assert!(text.contains("all answers together"), "{text}");
    }
    // Written records give theirs back, and there is room again.
    records.iter().for_each(|record| budget.written(record));
    let record = driver.exchange(Ask::tokens(8_000));
    let text = record.error.expect("one").text;
    assert!(text.contains("32768 chunks"), "{text}");
}
