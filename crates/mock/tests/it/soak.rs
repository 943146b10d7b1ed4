//! Clients that misbehave at every point of a request, many times over: afterwards nothing is left
//! of them, and every generation is accounted for.

use crate::client::{Connection, chat_body, start};
use infermeter_core::seed::splitmix64;
use infermeter_mock::settings::Settings;
use infermeter_mock::{Config, MockHandle, Preset, Stats};
use serde_json::Value;
use std::net::SocketAddr;

const CLIENTS: u64 = 6;
const ACTIONS: u64 = 120;

/// An engine with everything that a request can hold, and steps of a fraction of a millisecond.
const ENGINE: &[&str] = &[
    "step-base=200us",
    "step-per-prefill-token=1us",
    "step-per-sequence=2us",
    "max-model-len=600",
    "kv-blocks=60",
    "max-num-seqs=5",
    "max-waiting=3",
    "speculative-acceptance=0.6,0.3",
];

fn engine(extra: &[&str]) -> Config {
    let mut config = Config::new(Preset::parse("llama-8b-h100").expect("a preset"));
    Settings::from_texts(ENGINE.iter().chain(extra).copied())
        .and_then(|settings| settings.apply(&mut config))
        .expect("fits");
    config
}

/// One thing that a client does wrong, or right.
fn act(address: SocketAddr, number: u64) {
    let pick = |salt: u64, of: u64| splitmix64(number.wrapping_mul(31) ^ salt) % of;
    let mut connection = Connection::open(address);
    let tokens = pick(1, 40) as u32 + 1;
    let body = chat_body(pick(2, 3) > 0, tokens);
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let path = "/v1/chat/completions";
    match pick(3, 14) {
        0 => connection.try_send(&head.as_bytes()[..pick(4, 60) as usize]),
        1 => {
            connection.try_send(head.as_bytes());
            connection.try_send(&body.as_bytes()[..body.len() / 2]);
        }
        // Gone while it waits or is prefilled.
        2 | 3 => connection.post(path, "", &body),
        4 | 5 => {
            connection.post(path, "", &chat_body(true, 500));
            if connection.head().is_ok_and(|head| head.status == 200) {
                let _ = connection.chunk();
            }
        }
        6 => connection.try_send(b"\x00\xff garbage\r\n\r\n"),
        7 => {
            connection.post(path, "", &body);
            connection.end_sending();
            let _ = connection.rest();
        }
        8 => {
            const FAULTS: [&str; 7] = [
                "reset-after=2",
                "disconnect-after=1",
                "status=500",
                "stall-after=2",
                "empty",
                "in-band-error-after=1",
                "bad-length",
            ];
            let fault = FAULTS[pick(5, FAULTS.len() as u64) as usize];
            let header = format!("connection: close\r\nx-mock-fault: {fault}\r\n");
            connection.post(path, &header, &body);
            if !fault.starts_with("stall") {
                let _ = connection.rest();
            }
        }
        9 => {
            for _ in 0..3 {
                connection.post(path, "", &body);
            }
            let _ = connection.response();
        }
        10 => connection.try_send(b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n"),
        11 => connection.try_send(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
        12 => {}
        _ => {
            for _ in 0..2 {
                let _ = connection.chat("", &body);
            }
        }
    }
}

fn misbehave(mock: &MockHandle) {
    let address = mock.address();
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            scope.spawn(move || {
                for n in 0..ACTIONS {
                    act(address, client << 32 | n);
                }
            });
        }
    });
}

/// What the simulator holds; asked for until it holds nothing.
fn settled(address: SocketAddr) -> Value {
    let mut asking = Connection::open(address);
    loop {
        let stats = asking.get("/admin/stats").json();
        let held = ["in_flight", "running", "waiting", "kv_blocks_used"];
        let empty = held.iter().all(|key| stats[key] == 0);
        // The asking connection is the last one.
        if empty && stats["open_connections"] == 1 {
            return stats;
        }
        std::thread::yield_now();
    }
}

fn check_conservation(stats: &Stats) {
    let ends = [
        stats.finished,
        stats.refused,
        stats.faulted,
        stats.disconnects,
        stats.slow_readers,
        stats.stopped,
    ];
    assert_eq!(stats.generations, ends.iter().sum::<u64>(), "{stats:?}");
}

/// Server-side sockets of a port that the kernel still counts as connections.
fn open_sockets(port: u16) -> usize {
    let table = std::fs::read_to_string("/proc/self/net/tcp").expect("Linux");
    let local = format!(":{port:04X}");
    let established = ["01", "04", "08"]; // established, FIN-WAIT-1, CLOSE-WAIT
    table
        .lines()
        .skip(1)
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>())
        .filter(|columns| columns[1].ends_with(&local) && established.contains(&columns[3]))
        .count()
}

fn soak(extra: &[&str]) {
    let mock = start(engine(extra));
    misbehave(&mock);
    settled(mock.address());
    let port = mock.address().port();
    let mut connection = Connection::open(mock.address());
    assert_eq!(connection.chat("", &chat_body(false, 3)).status, 200);
    drop(connection);
    settled(mock.address());
    let stats = mock.stop().expect("no error");
    check_conservation(&stats);
    assert_eq!(stats.stopped, 0);
    assert!(stats.finished > 0 && stats.disconnects > 0 && stats.refused > 0);
    assert!(stats.faulted > 0 && stats.bad_requests > 0);
    assert_eq!(open_sockets(port), 0);
}

#[test]
fn misbehaving_clients_leave_nothing_behind() {
    soak(&[]);
}

#[test]
fn misbehaving_clients_leave_nothing_behind_on_a_link() {
    soak(&[
        "link-delay=1ms",
        "link-jitter=500us",
        "keepalive-timeout=10s",
    ]);
}
