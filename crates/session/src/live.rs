//! Measuring over sockets: the one place that knows what happens between a plan and a record.
//!
//! It judges nothing. Invariant: between the clock's start and the end of the drain nothing of this crate
//! runs on a worker.

use crate::answers::References;
use crate::answers::reference;
use crate::answers::solo::{self, When};
use crate::begun::{Sides, manifest};
use crate::beside::Beside;
use crate::calibrate::cite;
use crate::environment::environment;
use crate::experiment::{Answers, Experiment, GpuSpec, MetricsSpec, TextsSpec};
use crate::expose::{Exposed, Told};
use crate::found::Found;
use crate::host::Host;
use crate::journal::Journal;
use crate::load::Load;
use crate::measure::{Measure, Measured, Site};
use crate::observer::Observer;
use crate::place::{Placement, Size};
use crate::ranked::{Agreed, CoresOf, Part, whole_of};
use crate::receiving::Receiving;
use crate::sent::SentBodies;
use crate::sent_before;
use crate::server_metrics::{Readable, Watched, Watching};
use crate::spans::{RunSpans, SpansOfRun, Tracing};
use crate::target::{Target, Wanted};
use anyhow::Result;
use infermeter_analysis::raised;
use infermeter_client::KeepTexts;
use infermeter_client::encode::RequestEncoder;
use infermeter_client::engine::EngineConfig;
use infermeter_client::prepared::Prepared;
use infermeter_client::response::Expect;
use infermeter_core::clock::Clock;
use infermeter_core::finding::Finding;
use infermeter_core::request::RequestContent;
use infermeter_core::run::{ClientHealth, RankFacts, RunManifest, RunState, Unwritten};
use infermeter_core::schedule::Schedule;
use infermeter_core::units::Span;
use infermeter_probe::host::is_own_address;
use infermeter_record::{ManifestRoom, RecordError, write_manifest};
use infermeter_runner::{Begin, Inputs, RunOutcome, RunSettings, SessionRules};
use infermeter_sys::affinity;
use std::cell::OnceCell;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// From one reading of the number of replicas to the next where nothing else is read.
const REPLICAS_INTERVAL: Span = Span::seconds(1);

/// Busy-polling before a send, where the worker has a core of its own.
const SPIN_NS: i64 = 50_000;

/// A rank whose start is later than this is said to be late: clocks of hosts that are kept over a network are mostly
/// within a tenth of it.
const LATE_NS: i64 = 100_000_000;

/// Measures over sockets. Targets stay ready for further experiments that mean them.
pub struct Live<'a> {
    host: &'a Host,
    observer: &'a dyn Observer,
    ready: Vec<(Experiment, Target)>,
    /// The load of the next experiment, where it was made already.
    load: Option<Load>,
    /// The page that shows runs while they go on, where there is one.
    exposed: Option<Arc<Exposed>>,
    /// Where spans are received.
    tracing: Vec<Arc<Tracing>>,
}

impl<'a> Live<'a> {
    /// On this host, watched by `observer`.
    pub fn new(host: &'a Host, observer: &'a dyn Observer) -> Self {
        Self {
            host,
            observer,
            ready: Vec::new(),
            load: None,
            exposed: None,
            tracing: Vec::new(),
        }
    }

    /// With the load of the first experiment, which was made to look at it.
    #[must_use]
    pub fn with_load(mut self, load: Load) -> Self {
        self.load = Some(load);
        self
    }

    /// Shown on this page while they go on.
    #[must_use]
    pub fn exposed(mut self, exposed: Option<Arc<Exposed>>) -> Self {
        self.exposed = exposed;
        self
    }

    /// On a target that is ready already, for experiments that mean it.
    pub(crate) fn on(
        host: &'a Host,
        observer: &'a dyn Observer,
        experiment: &Experiment,
        target: Target,
    ) -> Self {
        Self {
            ready: vec![(experiment.clone(), target)],
            ..Self::new(host, observer)
        }
    }

    /// The target of the last experiment.
    pub(crate) fn into_target(mut self) -> Option<Target> {
        self.ready.pop().map(|(_, target)| target)
    }

    /// The target of an experiment, ready for one more run.
    fn target(&mut self, experiment: &Experiment, site: &Site) -> Result<Target> {
        let mut ready = self.ready.iter();
        let known = ready.position(|(of, _)| of.has_target_of(experiment));
        let mut target = match known.map(|index| self.ready.remove(index)) {
            Some((_, target)) => target,
            None => {
                let wanted = Wanted {
                    identity: &site.identity,
                    part: site.part.as_ref(),
                };
                let tracing = match wanted.part.is_none_or(Part::is_first) {
                    true => Tracing::of(experiment, &mut self.tracing)?,
                    false => None,
                };
                Target::ready(self.host, experiment, wanted, tracing, self.observer)?
            }
        };
        target.begin(experiment, &site.identity)?;
        Ok(target)
    }
}

impl Measure for Live<'_> {
    fn measure(&mut self, experiment: &Experiment, site: &Site) -> Result<Measured> {
        let salt = site.identity.salt;
        let load = match self.load.take() {
            Some(load) => load.with_salt(salt),
            None => Load::of(experiment, salt)?,
        };
        let part = site.part.as_ref();
        let load = match part {
            None => load,
            Some(part) => load.cut(part.slice)?,
        };
        let elsewhere = part.is_some_and(|part| part.simulator.is_some());
        let cores = self.host.cores(experiment.is_simulated() && !elsewhere);
        let size = self.host.size(&experiment.client, &load, &cores)?;
        let target = self.target(experiment, site)?;
        let to = &target.found().to;
        let stamped = to.routes().any(|route| route.address.is_stamped());
        let receiving = self.host.receiving(experiment.client.io, stamped);
        let run = Run {
            experiment,
            site,
            load: &load,
            encoder: target.encoder(&site.identity),
            target: &target,
            size,
            receiving: receiving?,
            exposed: self.exposed.as_deref(),
        };
        let measured = run.execute(self.observer);
        self.ready.push((experiment.clone(), target));
        measured
    }

    fn look_again(&self, experiment: &Experiment) -> Result<()> {
        let mut ready = self.ready.iter();
        let known = ready.find(|(of, _)| of.has_target_of(experiment));
        known.map_or(Ok(()), |(_, target)| target.found().is_there(experiment))
    }
}

/// One run: what was resolved and found out before it.
struct Run<'a> {
    experiment: &'a Experiment,
    site: &'a Site,
    load: &'a Load,
    target: &'a Target,
    encoder: RequestEncoder,
    size: Size,
    receiving: Receiving,
    exposed: Option<&'a Exposed>,
}

impl Run<'_> {
    fn found(&self) -> &Found {
        self.target.found()
    }

    /// `run.json` before the clock starts.
    fn manifest(&self) -> RunManifest {
        let (experiment, found) = (self.experiment, self.found());
        let place = Placement {
            cores: &self.target.cores,
            size: self.size,
        };
        let salt = self.site.identity.salt;
        let sides = Sides {
            model: shown_model(found),
            environment: environment(experiment, &found.facts, self.load, place, salt),
            addresses: found.addresses.clone(),
            control: found.control.clone(),
            findings: found.findings.clone(),
        };
        let mut manifest = manifest(experiment, self.load, self.site, sides);
        manifest.environment.client.io = Some(self.receiving.facts());
        let burn = experiment.client.burn;
        manifest.calibration = cite::cite(burn, self.size.threads, &self.receiving);
        let part = self.site.part.as_ref();
        if part.is_none_or(Part::is_first) {
            let directory = whole_of(&self.site.directory);
            let before = sent_before::finding(experiment, &manifest, directory);
            manifest.run_findings.extend(before);
        }
        manifest
    }

    /// Sends the load and records it. Returns the manifest as far as the run fills it.
    fn execute(&self, observer: &dyn Observer) -> Result<Measured> {
        let (directory, load) = (self.site.directory.as_path(), self.load);
        let settings = self.settings();
        let mut manifest = self.manifest();
        self.ask_alone(&mut manifest, When::Before, observer);
        self.say_what_chance_repeats(observer);
        // A disk that has no room for this ends the run before it begins.
        write_manifest(directory, &manifest)?;
        let room = ManifestRoom::take(directory, &manifest, settings.threads)?;
        let (mut sink, journal) = Journal::create(directory, &self.found().secrets)?;
        let prompt_problem = Mutex::new(None);
        let bodies = SentBodies::default();
        let make = |id, answers: &[Arc<str>]| {
            let made = self.request(id, answers, &prompt_problem);
            bodies.note(id, &made.bytes);
            made
        };
        let mut started = None;
        let agreed = OnceCell::new();
        let spans = self.spans()?;
        let beside = Beside::of(self.watching(&settings)?, self.exposed, &manifest);
        let mut told = Told::new(&mut sink, beside.figures());
        let outcome = infermeter_runner::run(
            &load.schedule,
            &settings,
            Inputs {
                make: &make,
                spec: &|id| load.workload.spec(id),
                next: &|spec| load.follow_ups(spec),
                sink: &mut told,
                begin: &mut || self.begin(&agreed),
                on_start: &mut |clock| {
                    let rank = self.rank(&agreed);
                    started = write_running(directory, &manifest, *clock, rank).err();
                    beside.start_at(*clock);
                },
                on_phase: &mut |phase| beside.phase(phase),
                on_progress: &mut |snapshot| {
                    observer.progress(snapshot);
                    beside.progress(snapshot);
                },
            },
        )?;
        observer.progress_ended();
        beside.end(&load.schedule, outcome.progress.ended);
        let interrupted = outcome.progress.interrupted;
        let mut references = References::default();
        if !interrupted {
            beside.last_readings();
            references = self.ask_after(&mut manifest, outcome.progress.scheduled, observer);
        }
        if let Some(spans) = spans {
            spans.end(if interrupted { 0 } else { sink.completed });
        }
        let problem = prompt_problem.into_inner().unwrap_or_default();
        manifest.rank = self.rank(&agreed);
        let doubts = &mut manifest.run_findings;
        doubts.extend(outcome.late_ns.and_then(started_late));
        doubts.extend(started.map(|error| unwritten(&error.to_string())));
        doubts.extend(problem.as_deref().map(prompt_inexact));
        let unwritten = sink.unwritten();
        manifest.environment.workload.sent_sha256 = bodies.hash(sink.sent);
        Ok(Measured {
            interrupted,
            manifest: ended(manifest, outcome, unwritten),
            room,
            journal,
            references,
        })
    }

    /// Says before the load that a comparison with answers alone will tell nothing.
    fn say_what_chance_repeats(&self, observer: &dyn Observer) {
        if self.experiment.requests.reference.is_some() && !self.site.plan.asks_repeatably() {
            observer.note(
                "--reference solo: requests neither are greedy nor have a seed, so equal answers are chance; \
                 --sampling temperature=0 makes them comparable",
            );
        }
    }

    /// Reads and asks what can only be behind the load; who stops a run does not want to wait for that.
    fn ask_after(
        &self,
        manifest: &mut RunManifest,
        sent: u64,
        observer: &dyn Observer,
    ) -> References {
        self.found().read_counters_after(manifest);
        self.ask_alone(manifest, When::After, observer);
        self.ask_references(manifest, sent, observer)
    }

    /// Asks some of the load's prompts again, word for word, with nothing else in flight. Processes that share a load do not:
    /// none of them knows whether the others have ended.
    fn ask_references(
        &self,
        manifest: &mut RunManifest,
        sent: u64,
        observer: &dyn Observer,
    ) -> References {
        let requests = &self.experiment.requests;
        let Some((wanted, longest)) = requests.reference.zip(requests.solo_time) else {
            return References::default();
        };
        if self.site.part.is_some() {
            return References::default();
        }
        observer.note(&format!(
            "asking {} prompts of the load again alone, twice (at most {longest} each time)",
            wanted.prompts
        ));
        let repeatable = self.site.plan.asks_repeatably();
        let asked = reference::ask(self.found(), self.experiment, self.load, sent, repeatable);
        let Some((passes, references, control)) = asked else {
            return References::default();
        };
        manifest.control_requests.extend(control);
        manifest.solo.get_or_insert_default().reference = Some(passes);
        references
    }

    /// Asks the load's questions with nothing else in flight. Of processes that share a load the first does, and only before
    /// it: behind it the others are not known to have ended.
    fn ask_alone(&self, manifest: &mut RunManifest, when: When, observer: &dyn Observer) {
        let part = self.site.part.as_ref();
        if !part.is_none_or(|part| part.is_first() && when == When::Before) {
            return;
        }
        let Some(longest) = self.experiment.requests.solo_time else {
            return;
        };
        let Some(said) = solo::announced(self.load, longest, when) else {
            return;
        };
        observer.note(&said);
        let salt = self.site.identity.salt;
        if let Some((pass, control)) = solo::pass(self.found(), self.load, salt, longest, when) {
            manifest.control_requests.extend(control);
            let solo = manifest.solo.get_or_insert_default();
            match when {
                When::Before => solo.before = Some(pass),
                When::After => solo.after = Some(pass),
            }
        }
    }

    /// When the run begins that is ready: at once, or with the other ranks.
    fn begin(&self, agreed: &OnceCell<Agreed>) -> Result<Begin, String> {
        let part = self.site.part.as_ref();
        part.map_or(Ok(Begin::Now), |part| part.begin(agreed))
    }

    /// Which rank measures this, where it is one.
    fn rank(&self, agreed: &OnceCell<Agreed>) -> Option<RankFacts> {
        let part = self.site.part.as_ref();
        part.map(|part| part.facts(agreed.get()))
    }

    /// Has spans of its requests written, where they are received.
    fn spans(&self) -> Result<Option<RunSpans<'_>>> {
        let Some(tracing) = &self.target.tracing else {
            return Ok(None);
        };
        let run = SpansOfRun {
            run_id: &self.site.identity.id,
            directory: &self.site.directory,
            secrets: &self.found().secrets,
        };
        tracing.begin(run).map(Some)
    }

    /// What tells of the server and of its GPUs.
    fn readable(&self) -> Vec<Readable> {
        let found = self.found();
        let pages = found.metrics.iter().flat_map(|known| known.readable());
        let gpus = found.gpus.iter().flat_map(|known| known.readable());
        let replicas = found.replicas.iter().cloned();
        pages.chain(gpus.cloned()).chain(replicas).collect()
    }

    /// Has the server's metrics and its GPUs read during the run, where anything tells of them, on cores that no
    /// worker has.
    fn watching(&self, settings: &RunSettings) -> Result<Option<Watching>> {
        let (found, target) = (self.found(), &self.experiment.target);
        let interval = match (&target.metrics, &target.gpus) {
            (MetricsSpec::Beside { interval } | MetricsSpec::At { interval, .. }, _) => *interval,
            (MetricsSpec::Off, GpuSpec::Usual { interval } | GpuSpec::At { interval, .. }) => {
                *interval
            }
            (MetricsSpec::Off, GpuSpec::Off) => REPLICAS_INTERVAL,
        };
        let readable = self.readable();
        if readable.is_empty() {
            return Ok(None);
        }
        let workers = settings.cores.get(..settings.threads).unwrap_or_default();
        let mut free = affinity::allowed_cores();
        free.retain(|core| !workers.contains(core));
        let free = if workers.is_empty() { Vec::new() } else { free };
        let watching = Watching::start(Watched {
            readable,
            interval,
            run_id: &self.site.identity.id,
            directory: &self.site.directory,
            cores: free,
            secrets: &found.secrets,
        })?;
        Ok(Some(watching))
    }

    fn settings(&self) -> RunSettings {
        let (cores, found) = (&self.target.cores.client, self.found());
        // A target on this host that is not the embedded simulator shares its cores with the client.
        let mut addresses = found.to.routes().map(|route| &route.address);
        let same_host = addresses.any(|address| address.ip().is_none_or(is_own_address));
        let part = self.site.part.as_ref();
        let crowded = part.is_some_and(|part| part.cores == CoresOf::Several);
        let shares_cores = crowded || same_host && !self.experiment.is_simulated();
        let own_core = !shares_cores && self.size.threads <= cores.len();
        RunSettings {
            threads: self.size.threads,
            cores: if own_core { cores.clone() } else { Vec::new() },
            engine: self.engine(if own_core { SPIN_NS } else { 0 }),
            open_ahead: self.size.open_ahead,
            sessions: session_rules(&self.experiment.requests.texts),
            drain_without_load: self.load.drain_without_load,
        }
    }

    fn engine(&self, spin: i64) -> EngineConfig {
        let (client, found) = (&self.experiment.client, self.found());
        let first_token = match self.experiment.requests.form.answers {
            Answers::Stream { first_token } => first_token,
            Answers::Whole => None,
        };
        EngineConfig {
            to: Arc::clone(&found.to),
            clock: Clock::starting_in(0),
            io: self.receiving.io,
            kernel_stamps: self.receiving.kernel_stamps,
            audit_send: client.audit_send,
            max_connections: self.size.max_connections,
            first_connection: 0,
            connection_stride: 1,
            connect_timeout: client.connect_timeout.ns(),
            timeout: client.timeout.ns(),
            first_token_timeout: first_token.map(|t| t.ns()),
            idle_timeout: client.idle_timeout.map(|t| t.ns()),
            keepalive: client.keepalive.ns(),
            spare_connections: match self.load.schedule {
                Schedule::Open(_) => 2,
                Schedule::Closed(_) => 0,
            },
            reuse: found.reuse,
            retry_stale: client.retry_stale,
            budget: Arc::default(),
            burn: client.burn.map_or(0, |b| b.ns()),
            spin,
        }
    }

    /// A request as bytes.
    fn request(&self, id: u64, answers: &[Arc<str>], problem: &Mutex<Option<String>>) -> Prepared {
        let (load, requests) = (self.load, &self.experiment.requests);
        let form = &requests.form;
        let spec = load.workload.spec(id);
        let content = load.workload.content(&spec, answers);
        let content = content.unwrap_or_else(|error| {
            if let Ok(mut slot) = problem.lock() {
                slot.get_or_insert_with(|| error.to_string());
            }
            RequestContent::plain(form.endpoint.api().input, "Count.")
        });
        let name = format!("{}-{id}", self.site.identity.id);
        let bytes = self.encoder.encode(&name, &spec, &content);
        let expect = Expect {
            dialect: self.encoder.dialect(),
            streaming: form.answers != Answers::Whole,
            keep_texts: match (form.endpoint.generates(), requests.keeps_answers) {
                (false, _) => KeepTexts::No,
                (true, true) => KeepTexts::Always,
                (true, false) => KeepTexts::UntilSettled,
            },
            output_tokens: spec.output_tokens as usize,
            numbers: self.encoder.numbers(spec.items),
        };
        Prepared {
            spec,
            bytes,
            expect,
            waited: load.waited(&spec),
            next: load.follow_ups(&spec),
            address: None,
            pause_ns: load.pause_ns(&spec),
        }
    }
}

/// The model's name, without what must not be repeated.
fn shown_model(found: &Found) -> String {
    let mut model = infermeter_core::text::inert(&found.model, 200);
    found.secrets.scrub(&mut model);
    model
}

/// Writes the manifest of a run that begins.
fn write_running(
    directory: &Path,
    manifest: &RunManifest,
    clock: Clock,
    rank: Option<RankFacts>,
) -> Result<(), RecordError> {
    let running = RunManifest {
        clock,
        rank,
        ..manifest.clone()
    };
    write_manifest(directory, &running)
}

/// The manifest of a run that has ended.
fn ended(
    mut manifest: RunManifest,
    outcome: RunOutcome,
    unwritten: Option<Unwritten>,
) -> RunManifest {
    manifest.clock = outcome.clock;
    manifest.window = outcome.window;
    manifest.state = if outcome.progress.interrupted {
        RunState::Interrupted
    } else {
        RunState::Finished
    };
    manifest.progress = Some(outcome.progress);
    manifest.client_health = Some(ClientHealth {
        unwritten,
        ..outcome.health
    });
    manifest
}

/// A turn of a trace that fails ends its conversation.
pub(crate) fn session_rules(texts: &TextsSpec) -> SessionRules {
    let sessions = texts.sessions();
    sessions.map_or_else(SessionRules::default, |sessions| SessionRules {
        on_failure: sessions.on_failure,
        live: texts.has_live_history(),
    })
}

fn unwritten(problem: &str) -> Finding {
    raised::MANIFEST_UNWRITTEN.found(
        "run.json could not be written when the run began",
        problem,
        "free space on the disk of --out",
    )
}

/// A rank that began its part of the load so much later than the others.
fn started_late(late_ns: i64) -> Option<Finding> {
    (late_ns > LATE_NS).then(|| {
        raised::START_LATE.found(
            "This rank began later than was agreed on: its part of the load came later than that of the others.",
            format!(
                "It began {} ms after the instant agreed on; up to {} ms go without a word.",
                late_ns / 1_000_000,
                LATE_NS / 1_000_000
            ),
            "Look what held it up; where it meets the others over a slow store, a later start helps: ranks that \
             are ready sooner wait for it.",
        )
    })
}

fn prompt_inexact(problem: &str) -> Finding {
    raised::PROMPT_INEXACT.found(
        "some prompts could not be made as planned",
        problem,
        "check --tokenizer",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::finding::Verdict;

    #[test]
    fn what_goes_wrong_beside_the_measurement_weighs_as_documented() {
        let check = |finding: Finding, code: &str, verdict| {
            assert_eq!(finding.code, code);
            assert_eq!(finding.evidence, "why");
            assert_eq!(Verdict::of(&[finding]), verdict);
        };
        check(
            unwritten("why"),
            "manifest-unwritten",
            Verdict::Questionable,
        );
        check(prompt_inexact("why"), "prompt-inexact", Verdict::Invalid);
    }

    #[test]
    fn a_rank_is_late_from_a_tenth_of_a_second_on() {
        assert_eq!(started_late(LATE_NS), None);
        let late = started_late(2_500_000_000).expect("late");
        assert_eq!(late.code, "start-late");
        assert!(late.evidence.starts_with("It began 2500 ms"), "{late:?}");
    }
}
