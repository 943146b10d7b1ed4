//! The simulator benchmark: how many tokens it writes in a second of its core, and how late the
//! steps' first writes are.
//!
//! Streams without end on one core, a reader that throws the bytes away on another. Tokens and CPU
//! time are the simulator's own counts, asked for before and after. Not measured: the reader.

use super::bench_run::{Server, start_mock};
use super::figures::median;
use super::machine::spread;
use anyhow::{Context, Result, bail};
use infermeter_core::clock::monotonic_ns;
use infermeter_sys::affinity;
use infermeter_sys::poll::{Interest, Poll};
use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

/// Time measured in one run, nanoseconds.
const MEASURED_NS: i64 = 3_000_000_000;
/// Time before it.
const WARMUP_NS: i64 = 500_000_000;

/// Streams of the speed runs: steps that follow at once, bursts as wide as a large batch.
const WIDE: usize = 256;

/// One speed run: its name, the fault header that shapes the writes, the target per second of CPU.
const SPEEDS: [(&str, &str, f64); 3] = [
    ("one token in a write", "", 70_000.0),
    (
        "two events in a write",
        "x-mock-fault: multi-event=2\r\n",
        100_000.0,
    ),
    (
        "eight events in a write",
        "x-mock-fault: multi-event=8\r\n",
        100_000.0,
    ),
];

/// Steps that end before the last one is written.
const SPEED_MOCK: &[&str] = &["--preset", "fixed", "--ttft", "1ms", "--step", "2us"];

/// Lateness runs: streams and length of a step.
const PACES: [(usize, &str); 3] = [(1, "5ms"), (32, "5ms"), (256, "20ms")];

/// Runs everything `repeats` times and prints two tables.
///
/// # Errors
/// When the simulator does not start or does not answer.
pub fn run(repeats: usize, _directory: &Path) -> Result<()> {
    println!("{WIDE} streams without end; median (min..max) of {repeats} runs.\n");
    println!("| writes | tokens/s | tokens per CPU second | target |");
    println!("|---|---|---|---|");
    for (name, fault, target) in SPEEDS {
        let runs = repeated(repeats, || {
            let server = start_mock(SPEED_MOCK)?;
            on_last_core(|| speed(&server, fault))
        })?;
        let column = |of: fn(&Speed) -> f64| spread(&runs.iter().map(of).collect::<Vec<_>>(), 0);
        println!(
            "| {name} | {} | {} | {target} |",
            column(|s| s.per_second),
            column(|s| s.per_cpu_second)
        );
    }
    println!("\nLateness of steps' first writes and length of bursts, microseconds.\n");
    println!("| streams | step | late p50 | late p99 | late max | burst p50 | target p99 |");
    println!("|---|---|---|---|---|---|---|");
    for (streams, step) in PACES {
        let runs = repeated(repeats, || {
            let server = start_mock(&["--preset", "fixed", "--step", step, "--spin", "on"])?;
            on_last_core(|| lateness(&server, streams))
        })?;
        let column = |of: fn(&Lateness) -> f64| median(&runs.iter().map(of).collect::<Vec<_>>());
        println!(
            "| {streams} | {step} | {:.0} | {:.0} | {:.0} | {:.0} | 100 |",
            column(|l| l.p50),
            column(|l| l.p99),
            column(|l| l.max),
            column(|l| l.burst)
        );
    }
    Ok(())
}

fn repeated<T>(repeats: usize, one: impl Fn() -> Result<T>) -> Result<Vec<T>> {
    (0..repeats).map(|_| one()).collect()
}

/// Runs `work` on the last core, then anywhere again.
fn on_last_core<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let all = affinity::allowed_cores();
    let last = *all.last().context("no core")?;
    affinity::restrict_to(&[last])?;
    let result = work();
    affinity::restrict_to(&all)?;
    result
}

struct Speed {
    per_second: f64,
    per_cpu_second: f64,
}

fn speed(server: &Server, fault: &str) -> Result<Speed> {
    let mut drain = Drain::start(server.address()?, WIDE, fault)?;
    drain.until(monotonic_ns() + WARMUP_NS)?;
    let (from, before) = (monotonic_ns(), Counts::ask(server)?);
    drain.until(from + MEASURED_NS)?;
    let (to, after) = (monotonic_ns(), Counts::ask(server)?);
    let tokens = after.tokens - before.tokens;
    Ok(Speed {
        per_second: tokens * 1e9 / (to - from) as f64,
        per_cpu_second: tokens / (after.cpu_s - before.cpu_s),
    })
}

struct Lateness {
    p50: f64,
    p99: f64,
    max: f64,
    burst: f64,
}

fn lateness(server: &Server, streams: usize) -> Result<Lateness> {
    let mut drain = Drain::start(server.address()?, streams, "")?;
    drain.until(monotonic_ns() + MEASURED_NS)?;
    let body = get(server.address()?, "/admin/stats")?;
    let stats: Value = serde_json::from_str(&body).context("/admin/stats")?;
    let us = |of: &Value| of.as_f64().unwrap_or(f64::NAN) / 1e3;
    let late = &stats["step_lateness_ns"];
    Ok(Lateness {
        p50: us(&late["p50"]),
        p99: us(&late["p99"]),
        max: us(&late["max"]),
        burst: us(&stats["burst_ns"]["p50"]),
    })
}

/// What the simulator has done so far, by its metrics page.
struct Counts {
    tokens: f64,
    cpu_s: f64,
}

impl Counts {
    fn ask(server: &Server) -> Result<Self> {
        let page = get(server.address()?, "/metrics")?;
        let value = |name: &str| {
            page.lines()
                .find(|line| line.starts_with(name))
                .and_then(|line| line.rsplit(' ').next()?.parse().ok())
                .with_context(|| format!("no {name} on the metrics page"))
        };
        Ok(Self {
            tokens: value("vllm:generation_tokens_total{")?,
            cpu_s: value("process_cpu_seconds_total ")?,
        })
    }
}

/// The body of a page.
fn get(address: SocketAddr, path: &str) -> Result<String> {
    let mut socket = TcpStream::connect(address)?;
    write!(socket, "GET {path} HTTP/1.1\r\nconnection: close\r\n\r\n")?;
    let mut text = String::new();
    socket.read_to_string(&mut text)?;
    let body = text.split_once("\r\n\r\n");
    Ok(body.context("no whole response")?.1.to_owned())
}

/// Streams whose bytes are thrown away.
struct Drain {
    poll: Poll,
    sockets: Vec<TcpStream>,
    buffer: Vec<u8>,
}

impl Drain {
    fn start(address: SocketAddr, streams: usize, fault: &str) -> Result<Self> {
        let body = r#"{"messages":[{"role":"user","content":"a b"}],"stream":true,"max_tokens":1000000,"ignore_eos":true}"#;
        let length = body.len();
        let poll = Poll::new()?;
        let mut sockets = Vec::new();
        for token in 0..streams {
            let mut socket = TcpStream::connect(address)?;
            write!(
                socket,
                "POST /v1/chat/completions HTTP/1.1\r\n{fault}content-length: {length}\r\n\r\n{body}"
            )?;
            socket.set_nonblocking(true)?;
            poll.add(&socket, token as u64, Interest::Read)?;
            sockets.push(socket);
        }
        Ok(Self {
            poll,
            sockets,
            buffer: vec![0; 256 << 10],
        })
    }

    fn until(&mut self, until_ns: i64) -> Result<()> {
        let mut ready = Vec::new();
        while monotonic_ns() < until_ns {
            self.poll.wait(true, &mut ready)?;
            for event in &ready {
                let Some(socket) = self.sockets.get_mut(event.token as usize) else {
                    continue;
                };
                match socket.read(&mut self.buffer) {
                    Ok(0) => bail!("a stream ended"),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }
}
