//! The proxy benchmark: how long requests and events stay inside the proxy, what it takes of its core, and whether its
//! memory stays flat while users vanish.
//!
//! The proxy is a process of its own with the last core to itself; simulator and load share the others. Dwell is the
//! proxy's own count: from the kernel's stamp of the last byte in until the write call that passed it on returned.
//! Invariant: the load's own slowness changes no dwell, since both ends of one are taken in the proxy.

use super::bench_run::{Server, binary, on_core, start_mock};
use super::figures::median;
use crate::running::Running;
use anyhow::{Context, Result, bail};
use infermeter_core::clock::{Clock, monotonic_ns, process_cpu_ns};
use infermeter_proxy::{HalfClosed, Limits, Proxy, Reach, Settings, Upstream};
use infermeter_sys::affinity;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

/// Hidden argument of the process that is measured.
pub const CHILD: &str = "proxy-child";

/// What the issue of the proxy allows, microseconds at p99.
const MOST_US: f64 = 100.0;
/// The soak where no length is given.
const SOAK_S: u64 = 30;
/// From one look at the child's figures to the next.
const LOOK: Duration = Duration::from_millis(500);
/// Users that vanish per second of a soak.
const VANISHING: u64 = 50;

/// One load: its name, the simulator's arguments, the client's.
struct Load {
    name: &'static str,
    mock: &'static [&'static str],
    client: &'static [&'static str],
}

const LOADS: [Load; 3] = [
    Load {
        name: "2,000 requests/s of one event",
        mock: &["--preset", "fixed", "--ttft", "5ms", "--step", "5ms"],
        client: &["--rate", "2000", "--workload", "fixed:16,1"],
    },
    Load {
        name: "20,000 events/s in 200 streams",
        mock: &["--preset", "fixed", "--ttft", "5ms", "--step", "10ms"],
        client: &["--rate", "100", "--workload", "fixed:16,200"],
    },
    Load {
        name: "2,000 requests/s of ten events",
        mock: &["--preset", "fixed", "--ttft", "5ms", "--step", "5ms"],
        client: &["--rate", "2000", "--workload", "fixed:16,10"],
    },
];

const MEASURED: [&str; 6] = [
    "--duration",
    "5s",
    "--warmup",
    "1s",
    "--server-metrics",
    "off",
];

/// Runs every load `repeats` times, then a short soak, and prints two tables.
///
/// # Errors
/// When a process does not start, or leaves no figures.
pub fn run(repeats: usize, directory: &Path) -> Result<()> {
    println!("Microseconds inside the proxy; median of {repeats} runs of 6 s each.\n");
    println!(
        "| load | requests/s | events/s | request p50 | p99 | event p50 | p99 | limit p99 | CPU of its core, % |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for load in &LOADS {
        let mut runs = Vec::new();
        for _ in 0..repeats {
            runs.push(one(load, directory)?);
        }
        let of = |figure: fn(&Figures) -> f64| median(&runs.iter().map(figure).collect::<Vec<_>>());
        println!(
            "| {} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {MOST_US:.0} | {:.0} |",
            load.name,
            of(|f| f.requests),
            of(|f| f.events),
            of(|f| f.request_us[0]),
            of(|f| f.request_us[1]),
            of(|f| f.event_us[0]),
            of(|f| f.event_us[1]),
            of(|f| f.cpu * 100.0),
        );
    }
    println!();
    soak(SOAK_S, directory)
}

/// Runs the soak alone for so many seconds.
///
/// # Errors
/// As [`run`].
pub fn run_soak(seconds: &str, directory: &Path) -> Result<()> {
    let number = seconds.trim_end_matches('s');
    let seconds = number.parse().ok().filter(|seconds| *seconds >= 10);
    soak(
        seconds.context("--soak takes seconds, 10 at least: --soak 600")?,
        directory,
    )
}

/// What came of one run.
struct Figures {
    requests: f64,
    events: f64,
    /// p50 and p99.
    request_us: [f64; 2],
    event_us: [f64; 2],
    /// Seconds of CPU per second.
    cpu: f64,
}

impl Figures {
    fn of(looks: &[Value]) -> Result<Self> {
        let (first, last) = match looks {
            [first, .., last] => (first, last),
            _ => bail!("the proxy left no figures"),
        };
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        let took_s = (number(&last["at_ns"]) - number(&first["at_ns"])) / 1e9;
        let rate = |key: &str| number(&last["counts"][key]) / took_s;
        let dwell = |key: &str| {
            let summary = &last["counts"][key];
            ["p50_us", "p99_us"].map(|quantile| number(&summary[quantile]))
        };
        Ok(Self {
            requests: rate("completed"),
            events: rate("events"),
            request_us: dwell("request_dwell"),
            event_us: dwell("event_dwell"),
            cpu: (number(&last["cpu_ns"]) - number(&first["cpu_ns"])) / 1e9 / took_s,
        })
    }
}

fn one(load: &Load, directory: &Path) -> Result<Figures> {
    let mock = start_mock(load.mock)?;
    let proxy = Measured::start(&mock)?;
    client(proxy.address, load.client, &MEASURED, directory)?;
    let looks = proxy.end()?;
    // While there was load: the first look after it began, the last one before it ended.
    let busy: Vec<Value> = looks
        .windows(2)
        .filter(|two| two[0]["counts"]["requests"] != two[1]["counts"]["requests"])
        .map(|two| two[1].clone())
        .collect();
    Figures::of(&busy)
}

/// A run of the client on the cores that are not the proxy's.
fn client(proxy: SocketAddr, load: &[&str], length: &[&str], directory: &Path) -> Result<()> {
    let run_dir = directory.join("run");
    let mut client = Command::new(binary()?);
    client.arg("run").arg(format!("http://{proxy}"));
    client
        .args(load)
        .args(length)
        .args(["--quiet", "--out"])
        .arg(&run_dir);
    client.stdout(Stdio::null());
    let cores = affinity::allowed_cores();
    let core = match cores.as_slice() {
        [first, _] => *first,
        [_, second, ..] => *second,
        _ => bail!("this benchmark needs two cores"),
    };
    let mut running = Running(on_core(core, move || client.spawn())?);
    running.0.wait().context("waiting for the client")?;
    std::fs::remove_dir_all(&run_dir).context("the client left no run")
}

/// A proxy in a process of its own.
struct Measured {
    process: Running,
    address: SocketAddr,
    reading: thread::JoinHandle<Vec<Value>>,
}

impl Measured {
    fn start(mock: &Server) -> Result<Self> {
        let cores = affinity::allowed_cores();
        let core = *cores.last().context("no core")?;
        let mut child = Command::new(std::env::current_exe().context("the path of this program")?);
        child.args(["selfbench", CHILD, &mock.address()?.to_string()]);
        child.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Running(on_core(core, move || child.spawn())?);
        let mut lines = BufReader::new(process.0.stdout.take().context("a pipe")?).lines();
        let first = lines.next().context("the proxy did not start")??;
        let address = first.parse().with_context(|| first.clone())?;
        let reading = thread::spawn(move || {
            let looks = lines.map_while(Result::ok);
            looks
                .filter_map(|line| serde_json::from_str(&line).ok())
                .collect()
        });
        Ok(Self {
            process,
            address,
            reading,
        })
    }

    /// Ends it; its figures.
    fn end(mut self) -> Result<Vec<Value>> {
        drop(self.process.0.stdin.take());
        self.process.0.wait()?;
        match self.reading.join() {
            Ok(looks) => Ok(looks),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// The process that is measured: a proxy, and its figures line by line until its input ends.
///
/// # Errors
/// When it cannot listen.
pub fn child(upstream: &str) -> Result<()> {
    let upstream: SocketAddr = upstream.parse().context("the upstream's address")?;
    let settings = Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        reach: Reach::Loopback,
        tls: None,
        primary: Upstream::resolve(&upstream.ip().to_string(), upstream.port())?,
        shadow: None,
        clock: Clock::starting_in(0),
        cores: Vec::new(),
        keep_headers: Vec::new(),
        limits: Limits::default(),
        half_closed: HalfClosed::Gone,
    };
    let (sender, seen) = sync_channel(4096);
    let handle = Proxy::start(settings, sender)?;
    println!("{}", handle.address());
    // Takes what was seen and drops it: the least that an observer does.
    let observing = thread::spawn(move || {
        affinity::yield_to_others();
        while seen.recv().is_ok() {}
    });
    let (ended, is_over) = sync_channel::<()>(0);
    thread::spawn(move || {
        let _ended = ended;
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
    });
    let look = |handle: &infermeter_proxy::Handle| {
        let figures = json!({
            "at_ns": monotonic_ns(),
            "cpu_ns": process_cpu_ns(),
            "rss_bytes": resident_bytes(),
            "counts": handle.counts(),
        });
        println!("{figures}");
    };
    look(&handle);
    while let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = is_over.recv_timeout(LOOK) {
        look(&handle);
    }
    handle.drain(Duration::from_secs(1));
    let _ = observing.join();
    Ok(())
}

/// Resident memory of this process.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Load with users that vanish; memory over time.
fn soak(seconds: u64, directory: &Path) -> Result<()> {
    let mock = start_mock(&["--preset", "fixed", "--ttft", "5ms", "--step", "5ms"])?;
    let proxy = Measured::start(&mock)?;
    let (address, until) = (
        proxy.address,
        monotonic_ns() + seconds as i64 * 1_000_000_000,
    );
    let vanishing = thread::spawn(move || vanish(address, until));
    let length = format!("{seconds}s");
    let length = [
        "--duration",
        &length,
        "--warmup",
        "0",
        "--server-metrics",
        "off",
    ];
    client(
        address,
        &["--rate", "500", "--workload", "fixed:16,10"],
        &length,
        directory,
    )?;
    let vanished = match vanishing.join() {
        Ok(vanished) => vanished,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    let looks = proxy.end()?;
    println!(
        "Soak of {seconds} s at 500 requests/s of ten events, {VANISHING} users a second vanish in the middle ({vanished})."
    );
    println!("Resident memory of the proxy's process, MB:\n");
    println!("| part of the soak | median | most | requests open | users gone | bytes kept, MB |");
    println!("|---|---|---|---|---|---|");
    let parts = looks.chunks(looks.len().div_ceil(10).max(1));
    for (number, part) in (1..).zip(parts) {
        let mb = |look: &Value, key: &str| look[key].as_f64().unwrap_or(f64::NAN) / 1e6;
        let resident: Vec<f64> = part.iter().map(|look| mb(look, "rss_bytes")).collect();
        let last = part.last().context("a look")?;
        println!(
            "| {number} | {:.1} | {:.1} | {} | {} | {:.2} |",
            median(&resident),
            resident.iter().copied().fold(0.0, f64::max),
            last["counts"]["now_requests"],
            last["counts"]["users_gone"],
            mb(&last["counts"], "now_kept_bytes"),
        );
    }
    Ok(())
}

/// Users that go away within their answers; how many there were.
fn vanish(proxy: SocketAddr, until_ns: i64) -> u64 {
    let body = r#"{"messages":[{"role":"user","content":"a b"}],"stream":true,"max_tokens":1000,"ignore_eos":true}"#;
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: proxy\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut vanished = 0;
    while monotonic_ns() < until_ns {
        if let Ok(mut stream) = TcpStream::connect(proxy) {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
            let mut some = [0; 512];
            let begun = stream
                .write_all(request.as_bytes())
                .and_then(|()| stream.read(&mut some));
            vanished += u64::from(begun.is_ok());
        }
        thread::sleep(Duration::from_millis(1000 / VANISHING));
    }
    vanished
}
