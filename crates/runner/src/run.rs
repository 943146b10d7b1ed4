//! One run: threads start, connections open, the clock starts, the schedule is executed, every
//! request ends in a record.

use crate::bodies::{Bodies, MakeRequest, Maker, NextRequests};
use crate::closed_loop;
use crate::open_loop;
use crate::progress::{Snapshot, Watched};
use crate::recorder::{Receipts, RecordSink, Recorded, Records, channel, record};
use crate::settings::RunSettings;
use crate::shared::{Shared, Stop};
use crate::taken_watch::TakenWatch;
use crate::worker::{LEAD_NS, Lookup, Worker, WorkerEnd};
use infermeter_client::live::Live;
use infermeter_core::clock::{Clock, Offset, process_cpu_ns};
use infermeter_core::request::{RequestId, RequestSpec};
use infermeter_core::run::{ClientHealth, Counted, Progress, Window};
use infermeter_core::schedule::{Phase, Schedule};
use infermeter_sys::{limits, signals};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

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
    /// How much later its origin is than the instant that was asked for, nanoseconds; absent where none was.
    pub late_ns: Option<i64>,
}

/// When a run begins that is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// As soon as every thread waits for it.
    Now,
    /// At this instant of the own wall clock, nanoseconds since the Unix epoch; at once where it has passed.
    At(i64),
    /// Not at all: a signal came meanwhile.
    Stopped,
}

/// Why a run could not be executed. Failed requests are no such thing.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Whoever says when it begins says that it does not.
    #[error("{0}")]
    Unbegun(String),
    /// An operating system call failed on a worker.
    #[error("worker {worker} could not go on: {source}")]
    Worker {
        /// Its number.
        worker: usize,
        /// What failed.
        source: io::Error,
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
    /// Called once when everything is ready: connections are open, bodies are there. Says when the run begins, or
    /// why it does not. It may take its time, and should look at signals meanwhile.
    pub begin: &'a mut dyn FnMut() -> Result<Begin, String>,
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
/// When a worker cannot go on (no epoll, no timer), and when [`Inputs::begin`] refuses; requests that fail are
/// records.
pub fn run(
    schedule: &Schedule,
    settings: &RunSettings,
    inputs: Inputs<'_>,
) -> Result<RunOutcome, RunError> {
    let settings = &settings.of_slice(schedule.slice());
    let (sender, receipts) = channel();
    let handed_over = sender.counter();
    let run = Run {
        schedule,
        settings,
        // A closed loop knows its measured requests when it has sent them.
        shared: Shared::new(schedule.due_in_window().unwrap_or(0) as i64),
        bodies: Bodies::new(
            schedule.arrivals().map_or(1, |_| settings.threads),
            settings.threads,
        ),
        lives: (0..settings.threads).map(|_| Arc::default()).collect(),
        plan: Lookup {
            spec: inputs.spec,
            next: inputs.next,
        },
    };
    let id = |number| schedule.begins(number);
    let maker = run.maker(inputs.make, &id, sender.clone());
    let (run, sink) = (&run, inputs.sink);
    thread::scope(|scope| {
        let recorder = scope.spawn(move || run.record(&receipts, sink));
        // The maker's way to the recorder goes with it: the recorder ends when nobody has one.
        let filler = scope.spawn(move || run.bodies.fill(&maker));
        let workers = run.workers(scope, sender);
        let Started { clock, late_ns } = match run.start(inputs.begin) {
            Ok(started) => started,
            Err(why) => {
                run.bodies.end();
                // They have nothing to tell: none of them began.
                let _: Vec<_> = workers.into_iter().map(join).collect();
                join(filler);
                join(recorder);
                return Err(RunError::Unbegun(why));
            }
        };
        let cpu_before = process_cpu_ns(); // making the first bodies is no work of the run
        (inputs.on_start)(&clock);
        let taken = run.watch(clock, inputs.on_phase, inputs.on_progress);
        run.bodies.end();
        let ends: Vec<_> = workers.into_iter().map(join).collect();
        let cpu_ns = process_cpu_ns() - cpu_before;
        join(filler);
        let recorded = join(recorder);
        let ended = clock.now();
        Ok(run.outcome(Ending {
            clock,
            late_ns,
            ended,
            ends: collect(ends, taken, ended)?,
            cpu_ns,
            recorded,
            handed_over: handed_over.load(Ordering::Acquire),
        }))
    })
}

/// A run: what is to be done, and what its threads share.
struct Run<'a> {
    schedule: &'a Schedule,
    settings: &'a RunSettings,
    shared: Shared,
    bodies: Bodies,
    lives: Vec<Arc<Live>>,
    plan: Lookup<'a>,
}

/// A run whose clock is set.
struct Started {
    clock: Clock,
    late_ns: Option<i64>,
}

/// What is known when every thread has ended.
struct Ending {
    clock: Clock,
    late_ns: Option<i64>,
    ended: Offset,
    ends: Vec<WorkerEnd>,
    cpu_ns: i64,
    recorded: Recorded,
    handed_over: u64,
}

impl<'a> Run<'a> {
    fn maker(
        &self,
        make: MakeRequest<'a>,
        id: &'a (dyn Fn(u64) -> RequestId + Sync),
        records: Records,
    ) -> Maker<'a> {
        Maker {
            make,
            spec: self.plan.spec,
            next: self.plan.next,
            id,
            count: self.schedule.arrivals().unwrap_or(u64::MAX),
            sessions: self.schedule.has_sessions(),
            records,
        }
    }

    fn record(&self, receipts: &Receipts, sink: &mut dyn RecordSink) -> Recorded {
        let budget = &self.settings.engine.budget;
        record(receipts, sink, &self.shared.clock, budget)
    }

    /// Starts the workers; each has a way to the recorder, and nobody else has one afterwards.
    fn workers<'scope>(
        &'scope self,
        scope: &'scope thread::Scope<'scope, '_>,
        records: Records,
    ) -> Vec<thread::ScopedJoinHandle<'scope, io::Result<WorkerEnd>>> {
        let start = |(index, live): (usize, &Arc<Live>)| {
            let (records, live) = (records.clone(), Arc::clone(live));
            scope.spawn(move || {
                let end = self.work(index, records, live);
                self.shared.note_end(end.is_err());
                end
            })
        };
        self.lives.iter().enumerate().map(start).collect()
    }

    /// What a worker does, on its thread.
    fn work(&self, index: usize, records: Records, live: Arc<Live>) -> io::Result<WorkerEnd> {
        let Self {
            settings,
            shared,
            bodies,
            plan,
            ..
        } = self;
        let worker = Worker::prepare(index, settings, shared, bodies, records, live)?;
        let timeout = settings.engine.timeout;
        match self.schedule {
            Schedule::Open(open) => {
                open_loop::run(worker, open, open.window_end.plus(timeout), plan)
            }
            Schedule::Closed(closed) => closed_loop::run(worker, closed, timeout, plan),
        }
    }

    /// Waits until connections and bodies are ready, asks when the run begins, and sets the clock. Returns with the
    /// origin near.
    fn start(&self, begin: &mut dyn FnMut() -> Result<Begin, String>) -> Result<Started, String> {
        let shared = &self.shared;
        let is_ready =
            || shared.ready.load(Ordering::Acquire) >= self.lives.len() && self.bodies.is_filled();
        while !is_ready() && !self.stop_at_signal() {
            thread::sleep(Duration::from_micros(200));
        }
        // Who is stopped, or cannot go on, has nothing to agree on with others.
        let begins = match shared.stop() {
            Stop::No => begin().inspect_err(|_| shared.set_stop(Stop::Unbegun))?,
            Stop::Sending | Stop::Everything | Stop::Unbegun => Begin::Stopped,
        };
        let (clock, asked) = match begins {
            Begin::At(asked) => (Clock::starting_at(asked, LEAD_NS), Some(asked)),
            Begin::Now => (Clock::starting_in(LEAD_NS), None),
            Begin::Stopped => {
                shared.set_stop(Stop::Everything);
                (Clock::starting_in(LEAD_NS), None)
            }
        };
        let clock = *shared.clock.get_or_init(|| clock);
        while -clock.now().0 > LEAD_NS && !self.stop_at_signal() {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(Started {
            clock,
            late_ns: asked.map(|asked| clock.realtime_origin_ns - asked),
        })
    }

    /// Whether there is nothing to wait for any more: a signal came, or a worker cannot go on.
    fn stop_at_signal(&self) -> bool {
        if signals::count() > 0 {
            self.shared.set_stop(Stop::Everything);
        }
        self.shared.stop() != Stop::No
    }

    fn outcome(&self, ending: Ending) -> RunOutcome {
        let Ending {
            clock, ended, ends, ..
        } = ending;
        RunOutcome {
            clock,
            late_ns: ending.late_ns,
            window: window_of(&self.shared, self.schedule, ended),
            progress: Progress {
                scheduled: ending.recorded.records,
                counted: Some(Counted {
                    handed_over: ending.handed_over,
                    arrivals_not_reached: ends.iter().map(|e| e.arrivals_not_reached).sum(),
                }),
                drain_without_load: self.settings.drain_without_load,
                interrupted: self.shared.stop() != Stop::No,
                ended,
                ..progress(&ends)
            },
            health: ClientHealth {
                process_cpu_ns: ending.cpu_ns,
                recorder_error: ending.recorded.problem,
                ..health(&ends, self.settings)
            },
        }
    }

    /// Looks at signals, at what is taken from the process, tells phases and draws progress until
    /// every worker has ended.
    fn watch(
        &self,
        clock: Clock,
        on_phase: &mut dyn FnMut(Phase),
        on_progress: &mut dyn FnMut(&Snapshot),
    ) -> TakenWatch {
        let mut taken = TakenWatch::start(clock.now());
        let mut looks = 0_u32;
        let mut told = None;
        while self.shared.ended.load(Ordering::Acquire) < self.lives.len() {
            thread::sleep(WATCH);
            match signals::count() {
                0 => {}
                1 => self.shared.set_stop(Stop::Sending),
                _ => self.shared.set_stop(Stop::Everything),
            }
            let now = clock.now();
            let window = window_so_far(&self.shared, self.schedule);
            let phase = window.phase_at(now);
            if now >= Offset::ZERO && told != Some(phase) {
                told = Some(phase);
                on_phase(phase);
            }
            looks += 1;
            if looks.is_multiple_of(LOOKS_PER_TAKEN) {
                taken.look(now);
            }
            if now >= Offset::ZERO && looks.is_multiple_of(LOOKS_PER_SNAPSHOT) {
                let watched = Watched {
                    lives: &self.lives,
                    schedule: self.schedule,
                    window,
                    stopping: self.shared.stop() != Stop::No,
                };
                on_progress(&watched.snapshot(now));
            }
        }
        taken
    }
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
    ends: Vec<io::Result<WorkerEnd>>,
    mut taken: TakenWatch,
    ended: Offset,
) -> Result<Vec<WorkerEnd>, RunError> {
    taken.look(ended);
    let explained = |(worker, end): (usize, io::Result<WorkerEnd>)| {
        let mut end = end.map_err(|source| RunError::Worker { worker, source })?;
        taken.explain(&mut end.health);
        Ok(end)
    };
    ends.into_iter().enumerate().map(explained).collect()
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
        Stop::Sending | Stop::Everything | Stop::Unbegun => end.min(ended),
    };
    (end > start).then_some(Window {
        start,
        end: end.min(ended.max(start.plus(1))),
    })
}
