//! Starts of a server, again and again: what each got to, from the start of its command to steady speed, and what came
//! after a time without requests.
//!
//! It judges nothing: that is `analysis::cold_start`. Invariants: a start's line is on disk before the next begins; a
//! start that failed is a line like any other; the server of a start is gone before the next one.

mod caches;
mod folder;
mod idle;

pub use caches::{CacheState, Caches};
pub use folder::{ColdAsked, KeptStarts, default_folder, is_coldstart, kept};

use crate::experiment::Experiment;
use crate::failure::{Cause, Failure};
use crate::observer::Observer;
use crate::run_id::{random_run_id, salt_of};
use crate::serve::door::{Asked, Door, nobody_answers};
use crate::serve::phases::Patterns;
use crate::serve::process::{ServeSpec, Served, told};
use crate::serve::ready::{Ready, Wait};
use crate::serve::{GONE, unless_signalled};
use anyhow::Result;
use folder::Folder;
pub use idle::IdleSpec;
use infermeter_analysis::cold_start::{
    COLD_START_VERSION, ColdAnswer, ColdRepeat, ReachedAt, Steadied, steadied,
};
use infermeter_core::clock::{monotonic_ns, realtime_ns};
use infermeter_core::text::inert_lines;
use infermeter_core::units::Span;
use std::path::Path;

/// Longest reason of a failure that is kept, bytes.
const REASON_BYTES: usize = 4_000;
/// Most answers of a start that are kept: what is beyond is as the last ones are.
const MOST_ANSWERS: usize = 20_000;

/// What is measured.
pub struct ColdStarts<'a> {
    /// The target, and the requests of the light load.
    pub experiment: &'a Experiment,
    /// How it is started and stopped; absent of a server that is there, and left idle until it is cold.
    pub serve: Option<ServeSpec>,
    /// What is done to caches before each start.
    pub caches: Caches,
    /// Starts.
    pub repeat: u32,
    /// Time for a start to get to its first answer.
    pub start_timeout: Span,
    /// How long the light load goes on behind the first answer.
    pub settle: Span,
    /// Times without requests.
    pub idle: IdleSpec,
    /// Path of the health page.
    pub health: String,
    /// Patterns for phases in the log.
    pub patterns: Patterns,
    /// Where everything goes.
    pub folder: &'a Path,
    /// What is asked, for the folder.
    pub asked: ColdAsked,
    /// What is there already goes on.
    pub resumes: Going,
}

/// Whether a folder is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Going {
    /// It must not be there.
    New,
    /// It is there, and goes on.
    On,
}

/// What came of it.
#[derive(Debug)]
pub struct ColdSeen {
    /// Every start that is there, in order.
    pub repeats: Vec<ColdRepeat>,
    /// A signal ended it.
    pub interrupted: bool,
}

/// Starts that may begin: their folder is there, and nobody answers in the place of their server.
pub struct ColdBegun<'a> {
    asked: &'a ColdStarts<'a>,
    door: Door,
    folder: Folder,
    /// Those that are there already.
    repeats: Vec<ColdRepeat>,
}

impl ColdBegun<'_> {
    /// Measures the starts that are not there yet. `tell` hears of each.
    ///
    /// # Errors
    /// When the folder cannot be used, when somebody answers by now, and when a server cannot be stopped.
    pub fn measure(
        self,
        observer: &dyn Observer,
        tell: &mut dyn FnMut(&ColdRepeat),
    ) -> Result<ColdSeen> {
        let Self {
            asked,
            door,
            folder,
            repeats,
        } = self;
        let mut starts = Starts {
            asked,
            door,
            observer,
            folder,
        };
        starts.all(repeats, tell)
    }
}

impl ColdStarts<'_> {
    /// Looks whether they may begin, and opens their folder. What is refused leaves nothing behind.
    ///
    /// # Errors
    /// When the target cannot be asked, when somebody answers already, and when the folder cannot be used.
    pub fn begin(&self) -> Result<ColdBegun<'_>> {
        let salt = salt_of(&random_run_id()?);
        let door = Door::of(self.experiment, salt, &self.health)?;
        if self.serve.is_some() && self.resumes == Going::New {
            nobody_answers(&door, self.folder)?;
        }
        let (folder, repeats) = Folder::open(self.folder, &self.asked, self.resumes)?;
        Ok(ColdBegun {
            asked: self,
            door,
            folder,
            repeats,
        })
    }

    /// The numbers of the starts, in order.
    fn numbers(&self) -> std::ops::RangeInclusive<u32> {
        let first = match self.caches.state {
            // One that warms up.
            Some(CacheState::Warm | CacheState::PageCacheDropped) if self.serve.is_some() => 0,
            Some(CacheState::Warm | CacheState::PageCacheDropped | CacheState::Cold) | None => 1,
        };
        first..=self.repeat
    }
}

/// Starts of one server.
struct Starts<'a> {
    asked: &'a ColdStarts<'a>,
    door: Door,
    observer: &'a dyn Observer,
    folder: Folder,
}

impl Starts<'_> {
    /// Every start that is not among `repeats` yet.
    fn all(
        &mut self,
        mut repeats: Vec<ColdRepeat>,
        tell: &mut dyn FnMut(&ColdRepeat),
    ) -> Result<ColdSeen> {
        let mut interrupted = false;
        for number in self.asked.numbers() {
            if repeats.iter().any(|repeat| repeat.number == number) {
                continue;
            }
            let gone = self.start(number).and_then(|mut repeat| {
                self.asked.caches.note_warmth(&mut repeat, &repeats);
                self.folder.add(&repeat)?;
                tell(&repeat);
                let gone = self.is_gone(&repeat);
                repeats.push(repeat);
                gone
            });
            match gone {
                Ok(()) => {}
                Err(error) if Cause::of(&error) == Cause::Interrupted => {
                    interrupted = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(ColdSeen {
            repeats,
            interrupted,
        })
    }

    /// One start, with all that is asked of it.
    ///
    /// # Errors
    /// When a signal came, when somebody answers already.
    fn start(&mut self, number: u32) -> Result<ColdRepeat> {
        let mut repeat = empty(number);
        let Some(serve) = self.asked.serve.clone() else {
            return self.idle_alone(repeat);
        };
        nobody_answers(&self.door, &self.folder.place(number))?;
        let done = self.asked.caches.enforce();
        repeat.caches = done.said;
        repeat.enforced = done.enforced;
        unless_signalled()?;
        repeat.begun_ns = realtime_ns();
        let directory = self.folder.of_start(number)?;
        let mut served = Served::start(&serve, &directory)?;
        let origin_ns = served.begun_ns();
        let seen = self.seen(&mut repeat, origin_ns, &mut || served.is_alive());
        let failed = match seen {
            Err(error) if Cause::of(&error) == Cause::Interrupted => {
                served.stop();
                return Err(error);
            }
            Err(error) => {
                let alive = served.is_alive().is_ok();
                let tail = if alive {
                    told(served.log())
                } else {
                    String::new()
                };
                Some(reason(&format!("{error:#}{tail}")))
            }
            Ok(()) => None,
        };
        repeat.phases = self.asked.patterns.read(&served.log().lines(), origin_ns);
        let size = served.log().size();
        repeat.log_lines = Some(size.lines);
        repeat.log_bytes_lost = size.bytes_lost;
        repeat.failed = failed;
        repeat.model = Some(self.door.model().to_owned()).filter(|model| !model.is_empty());
        let stopped = served.stop();
        repeat.stopped = Some(match &stopped.problem {
            Some(problem) => format!("{}, but {problem}", stopped.how),
            None => stopped.how,
        });
        Ok(repeat)
    }

    /// A server that goes on serving would be taken for the next start's. A command that stops it may return before it is
    /// gone: it has as long as a step of stopping. One that was not started here stays.
    fn is_gone(&self, repeat: &ColdRepeat) -> Result<()> {
        let Some(serve) = &self.asked.serve else {
            return Ok(());
        };
        let until_ns = monotonic_ns().saturating_add(serve.grace.max(GONE).ns());
        while self.door.open().is_ok() {
            unless_signalled()?;
            if monotonic_ns() > until_ns {
                let how = repeat.stopped.as_deref().unwrap_or_default();
                let name = self.door.name();
                return Err(Failure::target(format!(
                    "{name} still answers after the server was stopped ({how}): give --stop a command that ends it"
                ))
                .into());
            }
            std::thread::sleep(crate::serve::LOOK);
        }
        Ok(())
    }

    /// From the start to steady speed, and behind a time without requests.
    fn seen(
        &mut self,
        repeat: &mut ColdRepeat,
        origin_ns: i64,
        alive: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        let mut wait = Wait {
            origin_ns,
            until_ns: origin_ns.saturating_add(self.asked.start_timeout.ns()),
            flag: "--start-timeout",
            alive: &mut *alive,
            observer: self.observer,
        };
        let address = wait.ready(&mut self.door, &mut repeat.reached)?;
        let mut ready = Ready::at(address, std::mem::take(&mut repeat.reached));
        let first = wait.first_answer(&mut self.door, &mut ready);
        repeat.reached = std::mem::take(&mut ready.reached);
        repeat.refused = ready.refused;
        repeat.answers.push(first?);
        let load = self.light_load(&ready, origin_ns, alive, &mut repeat.answers);
        repeat.steadied = steadied(&repeat.answers);
        repeat.reached.extend(repeat.steadied.reached());
        load?;
        if let IdleSpec::For(span) = self.asked.idle {
            let busy = self.busy(&repeat.answers, &repeat.steadied);
            repeat.after_idle = Some(self.after_idle(span, &busy, alive)?);
        }
        Ok(())
    }

    /// One request after the other, for as long as is asked. One that gets no answer ends it.
    fn light_load(
        &mut self,
        ready: &Ready,
        origin_ns: i64,
        alive: &mut dyn FnMut() -> Result<()>,
        answers: &mut Vec<ColdAnswer>,
    ) -> Result<()> {
        let until_ns = monotonic_ns().saturating_add(self.asked.settle.ns());
        while monotonic_ns() < until_ns && answers.len() < MOST_ANSWERS {
            unless_signalled()?;
            let whole = self.asked.experiment.client.timeout;
            match self
                .door
                .ask(&ready.address, whole, origin_ns, self.observer)?
            {
                Asked::Answered(answer) => answers.push(answer),
                Asked::NotYet(why) | Asked::Never(why) => {
                    alive()?;
                    return Err(Failure::target(format!(
                        "the light load got no answer after {} of them: {why}",
                        answers.len()
                    ))
                    .into());
                }
            }
        }
        Ok(())
    }
}

/// A start of which nothing is known yet.
fn empty(number: u32) -> ColdRepeat {
    ColdRepeat {
        format_version: COLD_START_VERSION,
        number,
        begun_ns: realtime_ns(),
        caches: Vec::new(),
        enforced: true,
        reached: Vec::<ReachedAt>::new(),
        phases: Vec::new(),
        refused: 0,
        steadied: Steadied::default(),
        after_idle: None,
        answers: Vec::new(),
        model: None,
        failed: None,
        stopped: None,
        log_lines: None,
        log_bytes_lost: 0,
    }
}

/// Why a start failed, of limited length.
fn reason(text: &str) -> String {
    let end = text.char_indices().nth(REASON_BYTES).map(|(end, _)| end);
    inert_lines(&text[..end.unwrap_or(text.len())])
}
