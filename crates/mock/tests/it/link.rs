//! The simulated link: what it delays and what it leaves alone.

use crate::client::{Connection, chat_body, fast, start};
use infermeter_mock::Config;
use infermeter_mock::settings::Settings;
use infermeter_mock::truth::{self, Truth, TruthRequest};

const MS: i64 = 1_000_000;

fn linked(settings: &[&str]) -> Config {
    let mut config = fast();
    Settings::from_texts(settings.iter().copied())
        .and_then(|settings| settings.apply(&mut config))
        .expect("fits");
    config
}

fn served(mut config: Config, requests: usize, fault: &str) -> Truth {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("truth.jsonl");
    config.truth = Some(path.clone());
    let mock = start(config);
    let mut connection = Connection::open(mock.address());
    for _ in 0..requests {
        let response = connection.chat(fault, &chat_body(true, 6));
        assert_eq!(response.texts().len(), 6);
        assert_eq!(connection.get("/health").status, 200);
    }
    mock.stop().expect("no error");
    truth::read(&path).expect("a whole log")
}

/// The planned instant of the first token: the first boundary at or after the arrival plus 2 ms.
fn planned_ns(request: &TruthRequest) -> i64 {
    (request.link_in_ns.unwrap_or(request.arrival_ns) + 3 * MS - 1) / MS * MS
}

#[test]
fn a_delay_holds_both_directions_back() {
    let truth = served(linked(&["link-delay=20ms"]), 3, "");
    assert_eq!(truth.header.settings["link-delay"], "20ms");
    for request in &truth.requests {
        let reached = request.link_in_ns.expect("a link");
        assert_eq!(reached, request.arrival_ns + 20 * MS);
        for (index, at_ns) in request.tokens_ns.iter().enumerate() {
            assert!(*at_ns >= planned_ns(request) + index as i64 * MS + 20 * MS);
        }
        assert!(request.finished);
    }
}

#[test]
fn bytes_leave_at_the_bandwidth() {
    let truth = served(linked(&["link-bandwidth=100000"]), 1, "");
    let request = &truth.requests[0];
    let last = *request.tokens_ns.last().expect("tokens");
    let wire_ns = request.bytes as i64 * 10_000;
    assert!(last - request.arrival_ns >= wire_ns, "{wire_ns}");
}

#[test]
fn jitter_keeps_the_order() {
    let truth = served(
        linked(&["link-jitter=3ms"]),
        4,
        "x-mock-fault: multi-event=2\r\n",
    );
    for request in &truth.requests {
        assert!(request.tokens_ns.windows(2).all(|w| w[0] <= w[1]));
        assert!(
            request
                .link_in_ns
                .is_some_and(|at| at >= request.arrival_ns)
        );
    }
}

#[test]
fn without_a_link_nothing_is_said_of_it() {
    let truth = served(fast(), 1, "");
    assert_eq!(truth.requests[0].link_in_ns, None);
}

#[test]
fn faults_and_leaving_clients_work_over_the_link() {
    let mock = start(linked(&["link-delay=2ms", "link-jitter=1ms"]));
    for fault in [
        "disconnect-after=2",
        "disconnect-after=0",
        "in-band-error-after=1",
    ] {
        let mut connection = Connection::open(mock.address());
        let header = format!("connection: close\r\nx-mock-fault: {fault}\r\n");
        connection.post("/v1/chat/completions", &header, &chat_body(true, 5));
        connection.rest().expect("an orderly end");
    }
    let mut reset = Connection::open(mock.address());
    let header = "x-mock-fault: reset-after=2\r\n";
    reset.post("/v1/chat/completions", header, &chat_body(true, 5));
    reset.rest().expect_err("a reset");
    let mut leaving = Connection::open(mock.address());
    leaving.post("/v1/chat/completions", "", &chat_body(true, 1_000_000));
    leaving.head().expect("a head");
    drop(leaving);
    let mut garbage = Connection::open(mock.address());
    garbage.send(b"nonsense\r\n\r\n");
    assert_eq!(garbage.response().expect("a response").status, 400);
    let mut other = Connection::open(mock.address());
    while other.get("/admin/stats").json()["in_flight"] != 0 {}
    let stats = mock.stop().expect("no error");
    assert_eq!(
        (stats.faulted, stats.finished, stats.disconnects),
        (3, 1, 1)
    );
}
