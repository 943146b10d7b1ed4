//! One run: threads start, connections open, the clock starts, the schedule is executed, every
//! request ends in a record.

use crate::bodies::{Bodies, MakeRequest, Maker, NextRequests};
use crate::closed_loop;
use crate::open_loop;
use crate::progress::{Snapshot, snapshot};
use crate::recorder::{RecordSink, channel, record};
use crate::settings::RunSettings;
use crate::shared::{Shared, Stop};
use crate::taken_watch::TakenWatch;
use crate::worker::{Lookup, Worker, WorkerEnd};
use infermeter_client::live::Live;
use infermeter_core::clock::{Clock, Offset, process_cpu_ns};
use infermeter_core::request::{RequestId, RequestSpec};
use infermeter_core::run::{ClientHealth, Counted, Progress, Window};
use infermeter_core::schedule::{Phase, Schedule};
use infermeter_sys::{limits, signals};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

/// Time between the last preparation and the run's origin: every thread must be waiting by then.
const LEAD_NS: i64 = 5_000_000;
/// How often the main thread looks at signals and progress.
const WATCH: Duration = Duration::from_millis(50);
/// Looks between two snapshots.
const LOOKS_PER_SNAPSHOT: u32 = 4;
/// Looks between two at what is taken from the process.
const LOOKS_PER_TAKEN: u32 = 20;

/// What a run leaves behind, its records aside.
#[derive(Debug)]
pub struct RunOutcome {
    /// Origins of the clock.
    pub clock: Clock,
    /// The measured window; `None` when the run ended before it began.
    pub window: Option<Window>,
    /// How it went.
    pub progress: Progress,
    /// The generator's view of itself.
    pub health: ClientHealth,
}

/// Why a run could not be executed. Failed requests are no such thing.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// An operating system call failed on a worker.
    #[error("worker {worker} could not go on: {source}")]
    Worker {
        /// Its number.
        worker: usize,
        /// What failed.
        source: std::io::Error,
    },
}

/// What the facade provides to a run.
pub struct Inputs<'a> {
    /// Makes a request's bytes.
    pub make: MakeRequest<'a>,
    /// Tells what a request asks for, without making it.
    pub spec: &'a (dyn Fn(RequestId) -> RequestSpec + Sync),
    /// Tells which requests wait for one's answer.
    pub next: NextRequests<'a>,
    /// Takes the records.
    pub sink: &'a mut dyn RecordSink,
    /// Called with the clock once it is set, before the origin.
    pub on_start: &'a mut dyn FnMut(&Clock),
    /// Called when a phase of the load has begun, the first one included, within 50 ms.
    pub on_phase: &'a mut dyn FnMut(Phase),
    /// Called with a snapshot several times a second.
    pub on_progress: &'a mut dyn FnMut(&Snapshot),
}

impl std::fmt::Debug for Inputs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inputs")
    }
}

/// Executes a schedule.
///
/// # Errors
/// When a worker cannot go on (no epoll, no timer); requests that fail are records.
pub fn run(
    schedule: &Schedule,
    settings: &RunSettings,
    inputs: Inputs<'_>,
) -> Result<RunOutcome, RunError> {
    let Inputs {
        make,
        spec,
        next,
        sink,
        on_start,
        on_phase,
        on_progress,
    } = inputs;
    let settings = &settings.of_slice(schedule.slice());
    // A closed loop knows its measured requests when it has sent them.
    let shared = Shared::new(schedule.due_in_window().unwrap_or(0) as i64);
    let queues = schedule.arrivals().map_or(1, |_| settings.threads);
    let bodies = &Bodies::new(queues, settings.threads);
    let plan = Lookup { spec, next };
    let id = |number| schedule.begins(number);
    let lives: Vec<Arc<Live>> = (0..settings.threads).map(|_| Arc::default()).collect();
    let (sender, receipts) = channel();
    let handed_over = sender.counter();
    thread::scope(|scope| {
        let clock = &shared.clock;
        let budget = &settings.engine.budget;
        let recorder = scope.spawn(move || record(&receipts, sink, clock, budget));
        let maker = Maker {
            make,
            spec,
            next,
            id: &id,
            count: schedule.arrivals().unwrap_or(u64::MAX),
            sessions: schedule.has_sessions(),
            records: sender.clone(),
        };
        let filler = scope.spawn(move || bodies.fill(&maker));
        let workers: Vec<_> = lives
            .iter()
            .enumerate()
            .map(|(index, live)| {
                let (sender, live) = (sender.clone(), Arc::clone(live));
                let (shared, plan) = (&shared, &plan);
                scope.spawn(move || {
                    let worker = Worker::prepare(index, settings, shared, bodies, sender, live);
                    let end = worker.and_then(|w| work(w, schedule, settings, plan));
                    shared.note_end(end.is_err());
                    end
                })
            })
            .collect();
        drop(sender);
        let clock = start(&shared, bodies, settings.threads);
        let cpu_before = process_cpu_ns(); // making the first bodies is no work of the run
        on_start(&clock);
        let watched = Watched {
            shared: &shared,
            lives: &lives,
            clock,
            schedule,
        };
        let taken = watched.to_the_end(on_phase, on_progress);
        bodies.end();
        let ends: Vec<_> = workers.into_iter().map(join).collect();
        let cpu_ns = process_cpu_ns() - cpu_before;
        join(filler);
        let recorded = join(recorder);
        let ended = clock.now();
        let ends = collect(ends, taken, ended)?;
        Ok(RunOutcome {
            clock,
            window: window_of(&shared, schedule, ended),
            progress: Progress {
                scheduled: recorded.records,
                counted: Some(Counted {
                    handed_over: handed_over.load(Ordering::Acquire),
                    arrivals_not_reached: ends.iter().map(|e| e.arrivals_not_reached).sum(),
                }),
                drain_without_load: settings.drain_without_load,
                interrupted: shared.stop() != Stop::No,
                ended,
                ..progress(&ends)
            },
            health: ClientHealth {
                process_cpu_ns: cpu_ns,
                recorder_error: recorded.problem,
                ..health(&ends, settings)
            },
        })
    })
}

/// How it went, as far as the workers know.
fn progress(ends: &[WorkerEnd]) -> Progress {
    let unfinished = ends.iter().flat_map(|end| &end.unfinished);
    Progress {
        drain_not_reached: ends.iter().map(WorkerEnd::not_reached).sum(),
        unfinished_sessions: unfinished.copied().collect(),
        ..Progress::default()
    }
}

fn work(
    worker: Worker<'_>,
    schedule: &Schedule,
    settings: &RunSettings,
    plan: &Lookup<'_>,
) -> std::io::Result<WorkerEnd> {
    match schedule {
        Schedule::Open(open) => {
            let limit = open.window_end.plus(settings.engine.timeout);
            open_loop::run(worker, open, limit, plan)
        }
        Schedule::Closed(closed) => closed_loop::run(worker, closed, settings.engine.timeout, plan),
    }
}

/// The generator's view of itself, as far as the workers know.
fn health(ends: &[WorkerEnd], settings: &RunSettings) -> ClientHealth {
    ClientHealth {
        threads: ends.iter().map(|e| e.health.clone()).collect(),
        peak_rss_bytes: limits::peak_rss_bytes(),
        kernel_stamps: settings.engine.kernel_stamps,
        cores: infermeter_sys::affinity::allowed_cores().len() as u32,
        io: settings.engine.io,
        // What could not be written the sink knows.
        ..ClientHealth::default()
    }
}

fn join<T>(handle: thread::ScopedJoinHandle<'_, T>) -> T {
    match handle.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The workers' ends, their gaps explained.
fn collect(
    ends: Vec<std::io::Result<WorkerEnd>>,
    mut taken: TakenWatch,
    ended: Offset,
) -> Result<Vec<WorkerEnd>, RunError> {
    taken.look(ended);
    let explained = |(worker, end): (usize, std::io::Result<WorkerEnd>)| {
        let mut end = end.map_err(|source| RunError::Worker { worker, source })?;
        taken.explain(&mut end.health);
        Ok(end)
    };
    ends.into_iter().enumerate().map(explained).collect()
}

/// Waits until connections and bodies are ready, then sets the clock.
fn start(shared: &Shared, bodies: &Bodies, threads: usize) -> Clock {
    while shared.ready.load(Ordering::Acquire) < threads || !bodies.is_filled() {
        if signals::count() > 0 {
            shared.set_stop(Stop::Everything);
            break;
        }
        thread::sleep(Duration::from_micros(200));
    }
    *shared.clock.get_or_init(|| Clock::starting_in(LEAD_NS))
}

/// A run under way, as the main thread sees it.
struct Watched<'a> {
    shared: &'a Shared,
    lives: &'a [Arc<Live>],
    clock: Clock,
    schedule: &'a Schedule,
}

impl Watched<'_> {
    /// Looks at signals, at what is taken from the process, tells phases and draws progress until
    /// every worker has ended.
    fn to_the_end(
        &self,
        on_phase: &mut dyn FnMut(Phase),
        on_progress: &mut dyn FnMut(&Snapshot),
    ) -> TakenWatch {
        let mut taken = TakenWatch::start(self.clock.now());
        let mut looks = 0_u32;
        let mut told = None;
        while self.shared.ended.load(Ordering::Acquire) < self.lives.len() {
            thread::sleep(WATCH);
            match signals::count() {
                0 => {}
                1 => self.shared.set_stop(Stop::Sending),
                _ => self.shared.set_stop(Stop::Everything),
            }
            let now = self.clock.now();
            let phase = window_so_far(self.shared, self.schedule).phase_at(now);
            if now >= Offset::ZERO && told != Some(phase) {
                told = Some(phase);
                on_phase(phase);
            }
            looks += 1;
            if looks.is_multiple_of(LOOKS_PER_TAKEN) {
                taken.look(now);
            }
            if looks.is_multiple_of(LOOKS_PER_SNAPSHOT) {
                let stopping = self.shared.stop() != Stop::No;
                on_progress(&snapshot(self.lives, now, phase, stopping));
            }
        }
        taken
    }
}

/// The window as far as it is known: of a closed loop when its first and last requests were sent.
fn window_so_far(shared: &Shared, schedule: &Schedule) -> Window {
    schedule.window().unwrap_or_else(|| Window {
        start: Offset(shared.window_start.load(Ordering::Acquire)),
        end: Offset(shared.window_end.load(Ordering::Acquire)),
    })
}

/// The measured window, cut short where the run was.
fn window_of(shared: &Shared, schedule: &Schedule, ended: Offset) -> Option<Window> {
    let Window { start, end } = window_so_far(shared, schedule);
    if start == Offset(i64::MAX) {
        return None;
    }
    let end = match shared.stop() {
        Stop::No => end,
        Stop::Sending | Stop::Everything => end.min(ended),
    };
    (end > start).then_some(Window {
        start,
        end: end.min(ended.max(start.plus(1))),
    })
}
