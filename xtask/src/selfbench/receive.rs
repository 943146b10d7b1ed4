//! The receive benchmark: what one event costs the receiving thread, from the socket to the
//! recorded chunk.
//!
//! Sockets are filled by another thread while nobody reads; then the sender is silent and the drain
//! is timed. CPU counts from before the filling: io_uring receives meanwhile, whoever waits for a
//! drain does not. Other readers drain sockets of their own in turn, filled with the same bytes:
//! one built on hyper and tokio as clients usually are, and a bare one that throws the bytes away
//! and so shows the kernel's share. Ratios between them say more than any figure of a noisy machine.
//!
//! hyper's reader takes the program's stamps only, and decodes and records with infermeter's own
//! code. Not measured: sending, opening connections, waiting.

mod bare_reader;
mod engine_reader;
mod hyper_reader;
mod sender;

use super::machine::spread;
use anyhow::{Result, bail};
use bare_reader::BareReader;
use engine_reader::EngineReader;
use hyper_reader::HyperReader;
use infermeter_core::clock::{monotonic_ns, thread_cpu_ns};
use infermeter_core::run::IoBackend;
use infermeter_sys::stamp::Sentinel;
use infermeter_sys::{affinity, limits};
use sender::{EVENT_BYTES, Load, Sender};
use std::path::Path;

/// Sockets of each reader.
const SOCKETS: usize = 256;
/// Timed rounds of each reader in one run.
const ROUNDS: usize = 100;
/// Rounds before them.
const WARMUP: usize = 5;
/// What fills a socket, and the target in microseconds. A server that is ahead of its client by
/// eight steps has written eight times; one that speaks eight tokens at once has written once.
const CASES: [(Load, f64); 3] = [(load(1, 1), 7.7), (load(1, 8), 1.25), (load(8, 1), 1.25)];

const fn load(writes: usize, events_per_write: usize) -> Load {
    Load {
        writes,
        events_per_write,
    }
}

/// Names of the readers.
const READERS: [&str; 4] = ["epoll", "io_uring", "hyper + tokio", "bare receive"];

type Ratio = fn(&[Cost; 4]) -> f64;

/// What is compared, CPU.
const RATIOS: [(&str, Ratio); 3] = [
    ("hyper / epoll", |[ours, _, hyper, _]| {
        hyper.cpu_us / ours.cpu_us
    }),
    ("io_uring / epoll", |[ours, uring, _, _]| {
        uring.cpu_us / ours.cpu_us
    }),
    ("epoll - bare", |[ours, _, _, bare]| {
        ours.cpu_us - bare.cpu_us
    }),
];

/// Someone who drains sockets.
trait Reader {
    /// Drains until `events` more events are recorded.
    ///
    /// # Errors
    /// When the reader cannot go on.
    fn drain(&mut self, events: usize) -> Result<()>;
}

/// Mean cost of one event, microseconds.
#[derive(Debug, Clone, Copy)]
struct Cost {
    cpu_us: f64,
    wall_us: f64,
}

/// Runs all readers `repeats` times and prints a table.
///
/// # Errors
/// When sockets cannot be opened or a reader fails.
pub fn run(repeats: usize, _directory: &Path) -> Result<()> {
    limits::raise_fd_limit(8 * SOCKETS as u64 + 64);
    let sentinel = Sentinel::start();
    let all_cores = affinity::allowed_cores();
    let [sender_core, .., reader_core] = *all_cores.as_slice() else {
        bail!("this benchmark needs two cores");
    };
    affinity::restrict_to(&[reader_core])?;
    println!(
        "{SOCKETS} sockets with {EVENT_BYTES}-byte events, {ROUNDS} rounds a run; reader on core \
         {reader_core}, sender on core {sender_core}; kernel stamps {}; median (min..max) of \
         {repeats} runs.\n",
        if sentinel.is_some() { "on" } else { "missing" }
    );
    println!("| writes | events in each | reader | CPU us/event | wall us/event | target |");
    println!("|---|---|---|---|---|---|");
    for (load, target) in CASES {
        let mut costs = Vec::new();
        for _ in 0..repeats {
            costs.push(one_run(load, sentinel.is_some(), sender_core)?);
        }
        print_rows(load, target, &costs);
    }
    affinity::restrict_to(&all_cores)?;
    Ok(())
}

/// Cost with each reader, in the order of [`READERS`], rounds in turn.
fn one_run(load: Load, kernel_stamps: bool, sender_core: usize) -> Result<[Cost; 4]> {
    let chunks = (WARMUP + ROUNDS) * load.events();
    let senders = [
        Sender::start(SOCKETS, sender_core)?,
        Sender::start(SOCKETS, sender_core)?,
        Sender::start(SOCKETS, sender_core)?,
        Sender::start(SOCKETS, sender_core)?,
    ];
    let [to_epoll, to_uring, to_hyper, to_bare] = senders.each_ref().map(Sender::address);
    let engine = |to, io| EngineReader::connect(to, SOCKETS, chunks, kernel_stamps, io);
    let mut epoll = engine(to_epoll, IoBackend::Epoll)?;
    let mut uring = engine(to_uring, IoBackend::Uring)?;
    let mut hyper = HyperReader::connect(to_hyper, SOCKETS, chunks)?;
    let mut bare = BareReader::connect(to_bare, SOCKETS, kernel_stamps)?;
    let readers: [&mut dyn Reader; 4] = [&mut epoll, &mut uring, &mut hyper, &mut bare];
    let mut pairs: Vec<_> = senders.iter().zip(readers).collect();
    let mut sums = [[0; 2]; 4];
    for round in 0..WARMUP + ROUNDS {
        for ((sender, reader), sum) in pairs.iter_mut().zip(&mut sums) {
            let [cpu, wall] = timed(sender, load, &mut **reader)?;
            if round >= WARMUP {
                *sum = [sum[0] + cpu, sum[1] + wall];
            }
        }
    }
    let events = (ROUNDS * SOCKETS * load.events()) as f64;
    Ok(sums.map(|[cpu, wall]| Cost {
        cpu_us: cpu as f64 / events / 1e3,
        wall_us: wall as f64 / events / 1e3,
    }))
}

/// Fills a reader's sockets, then times its drain: CPU (of the filling, too) and wall, nanoseconds.
fn timed(sender: &Sender, load: Load, reader: &mut dyn Reader) -> Result<[i64; 2]> {
    let cpu = thread_cpu_ns();
    sender.fill(load)?;
    let wall = monotonic_ns();
    reader.drain(SOCKETS * load.events())?;
    Ok([thread_cpu_ns() - cpu, monotonic_ns() - wall])
}

fn print_rows(load: Load, target: f64, costs: &[[Cost; 4]]) {
    let case = format!("| {} | {} |", load.writes, load.events_per_write);
    for (reader, name) in READERS.iter().enumerate() {
        let column = |of: fn(&Cost) -> f64| -> String {
            let values: Vec<f64> = costs.iter().map(|run| of(&run[reader])).collect();
            spread(&values, 2)
        };
        let (cpu, wall) = (column(|c| c.cpu_us), column(|c| c.wall_us));
        let target = if reader < 2 {
            target.to_string()
        } else {
            String::new()
        };
        println!("{case} {name} | {cpu} | {wall} | {target} |");
    }
    for (name, of) in RATIOS {
        let ratios: Vec<f64> = costs.iter().map(of).collect();
        println!("{case} {name} | {} | | |", spread(&ratios, 2));
    }
}
