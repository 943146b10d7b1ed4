//! Each kind of time-out ends what it is for, with its own reason.

use crate::process::{Run, light, mock, run, run_with};
use crate::server::{Server, TEXT, Then, send};
use infermeter_core::record::{Outcome, Reason};
use std::net::TcpListener;

#[track_caller]
fn all_time_out(run: &Run, reason: Reason) {
    assert_eq!(run.ran.code, Some(4), "{:#?}", run.ran);
    let measured = run.measured();
    assert_eq!(measured.len(), 6);
    for record in measured {
        assert_eq!(record.outcome, Outcome::TimedOut);
        assert_eq!(
            record.error.as_ref().map(|e| e.reason),
            Some(reason),
            "{record:?}"
        );
        assert!(record.closed > record.send_start);
    }
    assert!(run.ran.out.contains(reason.as_str()), "{}", run.ran.out);
}

#[test]
fn the_whole_request() {
    let run = run(
        mock(),
        "--header 'x-mock-fault: stall-after=2' --timeout 300ms",
    );
    all_time_out(&run, Reason::RequestTimeout);
    assert!(run.measured().iter().all(|r| r.chunks.len() == 2));
}

#[test]
fn silence_inside_an_answer() {
    let run = run(
        mock(),
        "--header 'x-mock-fault: stall-after=2' --idle-timeout 150ms",
    );
    all_time_out(&run, Reason::IdleTimeout);
}

#[test]
fn silence_is_counted_from_the_last_byte() {
    // Pings are bytes: an answer that takes long and is never silent is not idle.
    let server = Server::start(|_, out| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        send(out, head);
        for _ in 0..24 {
            std::thread::sleep(std::time::Duration::from_millis(50));
            send(out, ": ping\n\n");
        }
        send(out, &format!("data: {TEXT}\n\ndata: [DONE]\n\n"));
        Then::Close
    });
    let run = run(&server.url, "--idle-timeout 1s");
    assert_eq!(run.completes().len(), 6);
}

#[test]
fn the_first_token() {
    let server = Server::start(|_, out| {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        let role = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
        send(out, &format!("{head}data: {role}\n\n"))
    });
    // The role event is no token: the time-out still fires.
    let run = run(&server.url, "--first-token-timeout 200ms");
    all_time_out(&run, Reason::FirstTokenTimeout);
    assert!(run.measured().iter().all(|r| r.status == Some(200)));
}

#[test]
fn the_connection() {
    // TLS that is never answered is a connection that never opens.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let more = format!("{} --connect-timeout 200ms", crate::process::UNPROBED);
    let arguments = light(&format!("https://{address}"), &more);
    let run = run_with(arguments, |_| {});
    all_time_out(&run, Reason::ConnectTimeout);
}
