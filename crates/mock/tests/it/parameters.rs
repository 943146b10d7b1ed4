//! Parameters while the simulator runs, its life, its queue, and idle connections.

use crate::client::{Connection, Response, chat_body, fast, start};
use infermeter_mock::settings::Settings;
use infermeter_mock::truth;
use infermeter_mock::{Config, Preset};

fn patch(connection: &mut Connection, body: &str) -> Response {
    let length = body.len();
    connection.send(
        format!(
            "PATCH /admin/config HTTP/1.1\r\ncontent-type: application/json; charset=utf-8\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
        .as_bytes(),
    );
    connection.response().expect("a response")
}

/// The fixed preset with short times and the given parameters.
fn with(settings: &[&str]) -> Config {
    let mut config = fast();
    Settings::from_texts(settings.iter().copied())
        .and_then(|settings| settings.apply(&mut config))
        .expect("fits");
    config
}

#[test]
fn parameters_can_be_read_and_changed_and_changes_are_logged() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("truth.jsonl");
    let mut config = fast();
    config.truth = Some(path.clone());
    let mock = start(config);
    let mut connection = Connection::open(mock.address());
    let before = connection.get("/admin/config");
    assert!(!before.body.contains("key"));
    let before = before.json();
    assert_eq!(
        (&before["step"], &before["preset"]),
        (&"1ms".into(), &"fixed".into())
    );
    assert_eq!(before["max-waiting"], "off");

    let after = patch(&mut connection, r#"{"step":"2ms","max-waiting":7}"#);
    assert_eq!(after.status, 200);
    let after = after.json();
    assert_eq!(
        (&after["step"], &after["max-waiting"]),
        (&"2ms".into(), &7.into())
    );
    assert_eq!(after["ttft"], before["ttft"]);
    for (body, message) in [
        (
            r#"{"stp":"1ms"}"#,
            "unknown setting `stp`: did you mean `step`?",
        ),
        (
            r#"{"kv-block-size":32}"#,
            "kv-block-size cannot be changed while the simulator runs",
        ),
        (
            r#"{"max-num-seqs":0}"#,
            "max-num-seqs is 0: set it to 1 or more",
        ),
        (r#"{"step":"1ms","kv-block-size":9}"#, "kv-block-size"),
        ("[]", "not a JSON object"),
        ("", "not a JSON object"),
    ] {
        let refused = patch(&mut connection, body);
        assert_eq!(refused.status, 400, "{body}");
        assert!(refused.body.contains(message), "{body}: {}", refused.body);
    }
    assert_eq!(
        connection.get("/admin/config").json(),
        after,
        "a refusal changes nothing"
    );
    assert_eq!(connection.chat("", &chat_body(true, 3)).texts().len(), 3);
    assert_eq!(connection.get("/admin/stats").json()["config_changes"], 1);
    mock.stop().expect("no error");

    let truth = truth::read(&path).expect("a whole log");
    assert_eq!(truth.header.settings["step"], "1ms");
    assert_eq!(truth.changes.len(), 1);
    assert_eq!(truth.changes[0].settings["step"], "2ms");
    let request = &truth.requests[0];
    assert!(truth.changes[0].at_ns < request.arrival_ns);
    // Steps of the new length, on its grid.
    let apart = request.tokens_ns[2] - request.tokens_ns[0];
    assert!(apart > 2_000_000, "{apart}");
}

#[test]
fn the_admin_pages_ask_for_the_key() {
    let mut config = fast();
    config.api_key = Some("very-secret".to_owned());
    let mock = start(config);
    let mut open = Connection::open(mock.address());
    assert_eq!(open.get("/admin/config").status, 401);
    assert_eq!(open.get("/admin/stats").status, 401);
    assert_eq!(open.get("/metrics").status, 200);
    let request = "GET /admin/config HTTP/1.1\r\nauthorization: Bearer very-secret\r\n\r\n";
    open.send(request.as_bytes());
    let page = open.response().expect("a response");
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("very-secret"));
}

/// The status of a request that would change something, with these header lines.
fn change(mock: &infermeter_mock::MockHandle, line: &str, headers: &str) -> u16 {
    let body = match line.contains("config") {
        true => r#"{"step":"2ms"}"#,
        false => "",
    };
    let length = body.len();
    let mut connection = Connection::open(mock.address());
    connection.send(
        format!("{line} HTTP/1.1\r\n{headers}content-length: {length}\r\n\r\n{body}").as_bytes(),
    );
    connection.response().expect("a response").status
}

const JSON: &str = "content-type: application/json\r\n";

#[test]
fn a_page_in_a_browser_changes_nothing() {
    let mock = start(fast());
    for kind in ["text/plain", "application/x-www-form-urlencoded"] {
        let form = format!("content-type: {kind}\r\n");
        assert_eq!(change(&mock, "POST /admin/config", &form), 415);
    }
    assert_eq!(change(&mock, "POST /admin/config", ""), 415);
    let page = format!("{JSON}origin: http://elsewhere.example\r\n");
    assert_eq!(change(&mock, "POST /admin/config", &page), 403);
    let page = "origin: null\r\n";
    assert_eq!(change(&mock, "POST /reset_prefix_cache", page), 403);
    assert_eq!(change(&mock, "POST /reset_prefix_cache", ""), 200);
    let mut connection = Connection::open(mock.address());
    assert_eq!(connection.get("/admin/config").json()["step"], "1ms");
    assert_eq!(change(&mock, "POST /admin/config", JSON), 200);
    assert_eq!(connection.get("/admin/config").json()["step"], "2ms");
}

#[test]
fn beyond_loopback_a_change_asks_for_a_key() {
    let mut config = fast();
    config.host = std::net::Ipv4Addr::UNSPECIFIED.into();
    let open = start(config.clone());
    assert_eq!(change(&open, "PATCH /admin/config", JSON), 403);
    assert_eq!(change(&open, "POST /reset_prefix_cache", ""), 403);
    assert_eq!(change(&open, "GET /admin/config", ""), 200);
    config.api_key = Some("very-secret".to_owned());
    let keyed = start(config);
    assert_eq!(change(&keyed, "PATCH /admin/config", JSON), 401);
    let key = format!("{JSON}authorization: Bearer very-secret\r\n");
    assert_eq!(change(&keyed, "PATCH /admin/config", &key), 200);
}

#[test]
fn a_full_queue_refuses_and_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("truth.jsonl");
    let mut config = with(&["max-num-seqs=1", "max-waiting=1", "full-status=429"]);
    config.truth = Some(path.clone());
    let mock = start(config);
    let mut running = Connection::open(mock.address());
    running.post("/v1/chat/completions", "", &chat_body(true, 1_000_000));
    running.head().expect("a head");
    running.chunk().expect("a first token");
    let mut waiting = Connection::open(mock.address());
    waiting.post("/v1/chat/completions", "", &chat_body(true, 1));
    waiting.head().expect("a head");
    let mut refused = Connection::open(mock.address());
    let answer = refused.chat("x-request-id: late\r\n", &chat_body(true, 1));
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert!(
        answer
            .body
            .contains("the waiting queue is full (1 requests)")
    );
    assert_eq!(
        refused.get("/health").status,
        200,
        "the connection lives on"
    );
    drop(running);
    let stats = mock.stop().expect("no error");
    assert_eq!((stats.queue_refusals, stats.refused), (1, 1));
    let truth = truth::read(&path).expect("a whole log");
    let late = truth.requests.iter().find(|r| r.request_id == "late");
    let late = late.expect("logged");
    assert_eq!((late.status, late.end), (429, truth::RequestEnd::Refused));
    assert_eq!(truth.summary.expect("a summary").queue_refusals, 1);
}

#[test]
fn while_the_engine_loads_nothing_is_served() {
    let mut config = Config::new(Preset::parse("llama-8b-h100").expect("a preset"));
    Settings::from_texts(["loading=1h"])
        .and_then(|settings| settings.apply(&mut config))
        .expect("fits");
    let mock = start(config);
    let mut connection = Connection::open(mock.address());
    let health = connection.get("/health");
    assert_eq!(
        (health.status, health.header("retry-after")),
        (503, Some("1"))
    );
    assert!(health.body.contains("loading"));
    assert_eq!(connection.chat("", &chat_body(true, 1)).status, 503);
    assert_eq!(connection.get("/metrics").status, 200);
    let stats = mock.stop().expect("no error");
    assert_eq!(
        (stats.not_ready, stats.refused, stats.generations),
        (1, 1, 1)
    );
}

#[test]
fn the_truth_log_follows_a_request_through_the_engine() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("truth.jsonl");
    let mut config = Config::new(Preset::parse("llama-8b-h100").expect("a preset"));
    config.truth = Some(path.clone());
    let mock = start(config);
    let mut connection = Connection::open(mock.address());
    let response = connection.chat("", &chat_body(true, 3));
    mock.stop().expect("no error");
    let truth = truth::read(&path).expect("a whole log");
    let request = &truth.requests[0];
    let admitted = request.admitted_ns.expect("admitted");
    let prefilled = request.prefilled_ns.expect("prefilled");
    assert!(request.arrival_ns <= admitted && admitted < prefilled);
    assert!(prefilled <= request.tokens_ns[0]);
    assert_eq!(request.ended_ns, request.tokens_ns.last().copied());
    assert!(request.bytes as usize > response.body.len());
    assert_eq!((request.replica, request.cached_tokens), (0, 0));
}

#[test]
fn idle_connections_are_closed_and_busy_ones_are_not() {
    let mock = start(with(&["keepalive-timeout=50ms"]));
    let mut idle = Connection::open(mock.address());
    assert_eq!(idle.get("/health").status, 200);
    let mut busy = Connection::open(mock.address());
    // 300 tokens of 1 ms each: longer than the time-out, and never idle.
    assert_eq!(busy.chat("", &chat_body(false, 300)).status, 200);
    assert_eq!(idle.rest().expect("an orderly end"), b"");
    assert_eq!(mock.stop().expect("no error").disconnects, 0);
}

#[test]
fn replicas_are_added_and_drained_while_it_runs() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("truth.jsonl");
    let mut config = fast();
    config.truth = Some(path.clone());
    let mock = start(config);
    let mut connection = Connection::open(mock.address());
    let gauge = |connection: &mut Connection, state: &str| {
        let page = connection.get("/metrics").body;
        let start = format!("infermeter_mock_replicas{{state=\"{state}\"}} ");
        let line = page
            .lines()
            .find_map(|line| line.strip_prefix(start.as_str()));
        line.map(|value| value.parse::<f64>().expect("a number"))
    };
    assert_eq!(gauge(&mut connection, "ready"), Some(1.0));
    let grown = patch(&mut connection, r#"{"replicas":3,"replica-loading":"1h"}"#);
    assert_eq!(grown.json()["replicas"], 3, "{}", grown.body);
    assert_eq!(gauge(&mut connection, "ready"), Some(1.0));
    assert_eq!(gauge(&mut connection, "loading"), Some(2.0));
    // Requests go to the one that is there.
    assert_eq!(connection.chat("", &chat_body(false, 3)).status, 200);
    let shrunk = patch(&mut connection, r#"{"replicas":1}"#);
    assert_eq!(shrunk.status, 200);
    assert_eq!(gauge(&mut connection, "loading"), Some(0.0));
    let refused = patch(&mut connection, r#"{"replicas":65}"#);
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("at most 64"), "{}", refused.body);
    let stats = connection.get("/admin/stats").json();
    assert_eq!(stats["replicas_ready"], 1);
    assert!(stats["replica_s"].as_f64().is_some_and(|s| s > 0.0));
    drop(connection);
    mock.stop().expect("no error");
    let truth = truth::read(&path).expect("a log");
    let changes: Vec<u64> = truth
        .changes
        .iter()
        .filter_map(|change| change.settings.get("replicas")?.as_u64())
        .collect();
    assert_eq!(changes, [3, 1]);
}
