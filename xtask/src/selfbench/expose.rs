//! The cost of being watched: send lag with and without `--expose`, in blocks of ABBA.
//!
//! Within a block the two ways take turns so that a drift of the machine falls on both alike. What two runs of the same
//! way differ by (A/A) is the band that a difference has to leave. Invariant: the page is read all along, as a Prometheus
//! would, from the core of the simulator.

use super::bench_run::bench_run;
use super::figures::{median, quantile};
use super::machine::spread;
use anyhow::{Context, Result};
use infermeter_core::record::RequestRecord;
use infermeter_core::schedule::Phase;
use infermeter_sys::affinity;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

/// Blocks of four runs: the issue asks for twenty pairs or more.
const BLOCKS: usize = 20;
/// From one reading of the page to the next.
const SCRAPE: Duration = Duration::from_millis(500);
/// What the median may shift by, microseconds.
const MOST_P50_US: f64 = 5.0;
/// Of the A/A differences, the share that makes their band.
const BAND: f64 = 0.95;

const MOCK: &[&str] = &["--preset", "fixed", "--ttft", "5ms", "--step", "5ms"];
const LOAD: &[&str] = &[
    "--rate",
    "300",
    "--duration",
    "3s",
    "--warmup",
    "500ms",
    "--workload",
    "fixed:16,4",
];

/// A way to run.
struct Way {
    name: &'static str,
    /// The simulator, of the runs without it as well.
    mock: &'static [&'static str],
    arguments: &'static [&'static str],
    page: Page,
    spans: Spans,
}

/// Whether the engine's spans are asked for and sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spans {
    Sent,
    None,
}

/// Whether a page is served and read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Page {
    Read,
    None,
}

/// Of the runs without it.
const PLAIN: &[&str] = &["--server-metrics", "off", "--gpu-metrics", "off"];

const WATCHED: [Way; 3] = [
    Way {
        name: "--expose",
        mock: MOCK,
        arguments: PLAIN,
        page: Page::Read,
        spans: Spans::None,
    },
    Way {
        name: "--expose and --server-metrics",
        mock: MOCK,
        arguments: &["--server-metrics", "auto", "--gpu-metrics", "off"],
        page: Page::Read,
        spans: Spans::None,
    },
    Way {
        name: "all: --expose, --server-metrics, --gpu-metrics, --spans",
        mock: &["--preset", "llama-8b-h100"],
        arguments: &[
            "--server-metrics",
            "auto",
            "--gpu-metrics",
            "{url}/dcgm/metrics",
        ],
        page: Page::Read,
        spans: Spans::Sent,
    },
];

/// Send lag of one run, microseconds.
#[derive(Clone, Copy)]
struct Lag {
    p50: f64,
    p99: f64,
}

/// Runs the blocks and prints a table.
///
/// # Errors
/// When a run leaves no record.
pub fn run(_: usize, directory: &Path) -> Result<()> {
    println!(
        "Send lag in microseconds, {BLOCKS} blocks of ABBA each; median (min..max) of the runs, and the"
    );
    println!(
        "median of the blocks' differences. The band holds {} % of the differences between",
        BAND * 100.0
    );
    println!("the two runs without it of a block (A/A).\n");
    println!(
        "| with | p50 without | p50 with | shift of p50 | p99 without | p99 with | shift of p99 | A/A band of p99 | readings |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for way in &WATCHED {
        let mut blocks = Blocks::default();
        for _ in 0..BLOCKS {
            blocks.add(way, directory)?;
        }
        blocks.print(way);
    }
    Ok(())
}

/// What came of the blocks.
#[derive(Default)]
struct Blocks {
    without: Vec<[Lag; 2]>,
    with: Vec<[Lag; 2]>,
    reads: u64,
}

impl Blocks {
    fn add(&mut self, way: &Way, directory: &Path) -> Result<()> {
        let plain = Way {
            arguments: PLAIN,
            page: Page::None,
            spans: Spans::None,
            ..*way
        };
        let first = self.lag(&plain, directory)?;
        let with = [self.lag(way, directory)?, self.lag(way, directory)?];
        let last = self.lag(&plain, directory)?;
        self.without.push([first, last]);
        self.with.push(with);
        Ok(())
    }

    fn lag(&mut self, way: &Way, directory: &Path) -> Result<Lag> {
        let mut arguments = [LOAD, way.arguments].concat();
        let mut mock = way.mock.to_vec();
        let spans = free_address()?.to_string();
        let receive = format!("--spans={spans}");
        if way.spans == Spans::Sent {
            mock.extend(["--spans", &spans]);
            arguments.push(&receive);
        }
        let run = match way.page {
            Page::None => bench_run(&mock, &arguments, directory)?,
            Page::Read => {
                let reader = Reader::start()?;
                let expose = format!("--expose={}", reader.address);
                arguments.push(&expose);
                let run = bench_run(&mock, &arguments, directory);
                self.reads += reader.end();
                run?
            }
        };
        of(&run.records).context("no measured request was sent")
    }

    fn print(&self, way: &Way) {
        let all = |runs: &[[Lag; 2]], of: fn(&Lag) -> f64| -> Vec<f64> {
            runs.iter().flatten().map(of).collect()
        };
        let shifts = |of: fn(&Lag) -> f64| -> Vec<f64> {
            let mean = |pair: &[Lag; 2]| (of(&pair[0]) + of(&pair[1])) / 2.0;
            let blocks = self.with.iter().zip(&self.without);
            blocks
                .map(|(with, without)| mean(with) - mean(without))
                .collect()
        };
        let p50: fn(&Lag) -> f64 = |lag| lag.p50;
        let p99: fn(&Lag) -> f64 = |lag| lag.p99;
        let same: Vec<f64> = self
            .without
            .iter()
            .map(|[one, other]| one.p99 - other.p99)
            .collect();
        let band = [(1.0 - BAND) / 2.0, (1.0 + BAND) / 2.0].map(|share| quantile(&same, share));
        let (shift_p50, shift_p99) = (median(&shifts(p50)), median(&shifts(p99)));
        let answer = |met: bool| if met { "inside" } else { "outside" };
        println!(
            "| {} | {} | {} | {shift_p50:+.2} ({} the bound of {MOST_P50_US}) | {} | {} | {shift_p99:+.1} ({}) \
             | {:.1}..{:.1} | {} |",
            way.name,
            spread(&all(&self.without, p50), 1),
            spread(&all(&self.with, p50), 1),
            answer(shift_p50.abs() < MOST_P50_US),
            spread(&all(&self.without, p99), 1),
            spread(&all(&self.with, p99), 1),
            answer((band[0]..=band[1]).contains(&shift_p99)),
            band[0],
            band[1],
            self.reads,
        );
    }
}

fn of(records: &[RequestRecord]) -> Option<Lag> {
    let measured = records.iter().filter(|r| r.phase == Phase::Measure);
    let lags: Vec<f64> = measured
        .filter_map(|r| Some(r.send_start?.since(r.intended) as f64 / 1e3))
        .collect();
    (!lags.is_empty()).then(|| Lag {
        p50: quantile(&lags, 0.5),
        p99: quantile(&lags, 0.99),
    })
}

/// Reads a page again and again while a run goes on.
struct Reader {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    reads: Arc<AtomicU64>,
    thread: thread::JoinHandle<()>,
}

impl Reader {
    fn start() -> Result<Self> {
        let address = free_address()?;
        let (stop, reads) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&reads));
        let thread = thread::spawn(move || {
            let cores = affinity::allowed_cores();
            // A help, not a need: where it is refused it reads from anywhere.
            let _ = affinity::restrict_to(&cores[..cores.len().min(1)]);
            while !stopped.load(Ordering::Relaxed) {
                if read(address).is_ok_and(|bytes| bytes > 1_000) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                thread::sleep(SCRAPE);
            }
        });
        Ok(Self {
            address,
            stop,
            reads,
            thread,
        })
    }

    /// Ends it; how often it read the page.
    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        self.reads.load(Ordering::Relaxed)
    }
}

/// One that nobody listens at in this moment.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn read(address: SocketAddr) -> std::io::Result<usize> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\nhost: localhost\r\n\r\n")?;
    let mut page = Vec::new();
    stream.read_to_end(&mut page)
}
