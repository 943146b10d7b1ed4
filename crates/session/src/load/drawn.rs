//! Lengths and instants of a load, before anything is said about what its texts share and carry.

use crate::clients::Clients;
use crate::dataset_file::DatasetFile;
use crate::experiment::{Experiment, Pace, RateSpec, ReadingSpec, RequestsSpec, TextSource};
use crate::trace_options;
use anyhow::{Context, Result, bail};
use infermeter_core::plan::{DatasetOrder, Members, PrefixMode, Sessions, Warmup, WorkloadKind};
use infermeter_core::schedule::{ArrivalIds, OpenSchedule, Schedule};
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use infermeter_schedule::{
    ClosedParams, OpenParams, Rate, ReplayParams, WarmupRule, closed_schedule, open_schedule,
    replay_schedule, thin,
};
use infermeter_workload::{
    Dataset, DatasetOptions, DrawnLengths, MemberRule, Tokenizer, Trace, TraceOptions, Workload,
    WorkloadFile, read_rows,
};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Members that say which form an answer has.
const FORMS: [&str; 6] = [
    "response_format",
    "structured_outputs",
    "guided_json",
    "guided_regex",
    "guided_choice",
    "guided_grammar",
];

/// Lengths and instants.
pub(super) struct Drawn {
    pub workload: Workload,
    pub schedule: Schedule,
    pub texts: DrawnTexts,
    pub clients: Option<Clients>,
    pub drain_without_load: bool,
    pub due_in_window: Option<u64>,
}

/// How far the texts are settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DrawnTexts {
    /// A file has them.
    WordForWord,
    /// The warm-up is the head of recorded rows.
    Replayed,
    /// All of them are drawn.
    Open,
}

impl Drawn {
    fn new(workload: Workload, schedule: Schedule) -> Self {
        Self {
            due_in_window: schedule.due_in_window(),
            workload,
            schedule,
            texts: DrawnTexts::Open,
            clients: None,
            drain_without_load: false,
        }
    }
}

/// Draws them.
pub(super) fn drawn(experiment: &Experiment, tokenizer: &Tokenizer) -> Result<Drawn> {
    let seed = experiment.requests.seeds.workload;
    let own = || tokenizer.clone();
    match &experiment.requests.texts.source {
        TextSource::File(path) => of_file(experiment, path, own()),
        TextSource::Clients => of_clients(experiment, own()),
        TextSource::Trace {
            file,
            reading,
            thin,
            lengths,
        } => {
            let recorded = Recorded {
                experiment,
                file,
                reading,
                thin: *thin,
                lengths,
                tokenizer,
            };
            match recorded.holds_texts().context("--trace")? {
                true => recorded.texts(),
                false => recorded.lengths(),
            }
        }
        TextSource::Dataset {
            file,
            reading,
            order,
            lengths,
        } => {
            let schedule = paced(experiment, None)?;
            let read = Reading {
                experiment,
                tokenizer,
                options: options(experiment, reading)?,
            };
            let dataset = read.dataset(file, *order).context("--dataset")?;
            let workload = Workload::from_dataset(dataset, lengths, seed, own())?;
            Ok(Drawn::new(workload.clone(), begun(schedule, &workload)))
        }
        TextSource::Made { lengths, sessions } => {
            let schedule = paced(experiment, sessions.as_ref())?;
            let workload = Workload::from_plan(lengths, seed, own())?;
            let workload = match sessions {
                Some(sessions) => workload.with_sessions(*sessions),
                None => workload,
            };
            Ok(Drawn::new(workload.clone(), begun(schedule, &workload)))
        }
    }
}

/// The requests of a workload file: at its instants, unless something else sets the pace.
fn of_file(experiment: &Experiment, path: &Path, tokenizer: Tokenizer) -> Result<Drawn> {
    let file = WorkloadFile::open(path).context("--workload-file")?;
    let said = &file.header().tokenizer;
    if said != tokenizer.identity() {
        bail!(
            "--workload-file: {} has lengths under the tokenizer {}, not {}: give --tokenizer",
            path.display(),
            inert(said, 80),
            tokenizer.name()
        );
    }
    let own_times = experiment.load.pace == Pace::Recorded;
    let schedule = if own_times {
        Schedule::Open(replay_file(experiment, path, &file)?)
    } else if file.entries().iter().any(|entry| entry.parent.is_some()) {
        bail!(
            "--workload-file: requests of {} wait for each other: they are sent at the instants \
             of the file, without --rate, --rate-profile and --concurrency",
            path.display()
        );
    } else {
        paced(experiment, None)?
    };
    Ok(Drawn {
        texts: DrawnTexts::WordForWord,
        drain_without_load: own_times && schedule.ends_with_window(),
        ..Drawn::new(Workload::from_file(file, tokenizer), schedule)
    })
}

/// The instants of a workload file, in its own phases unless others were asked for.
fn replay_file(experiment: &Experiment, path: &Path, file: &WorkloadFile) -> Result<OpenSchedule> {
    let entries = file.entries().iter();
    let begins: Vec<_> = entries.filter(|entry| entry.parent.is_none()).collect();
    let offsets: Option<Vec<i64>> = begins.iter().map(|entry| entry.at_ns).collect();
    let Some(offsets) = offsets else {
        bail!(
            "--workload-file: the requests of {} have no instants: give --rate, --rate-profile or \
             --concurrency",
            path.display()
        );
    };
    let load = &experiment.load;
    let mut params = replay_params(experiment);
    if let (false, Some(phases)) = (load.has_own_phases, file.header().phases) {
        let scaled = |ns: i64| Span((ns as f64 * load.time_scale).round() as i64);
        params.warmup = WarmupRule {
            least: Warmup {
                time: scaled(phases.window_start_ns),
                requests: 0,
            },
            at_most: None,
        };
        params.duration = Some(scaled(phases.window_end_ns - phases.window_start_ns));
    }
    let mut schedule = replay_schedule(&offsets, &params).context("--workload-file")?;
    if begins.len() < file.entries().len() {
        let ids = begins.iter().map(|entry| entry.spec.id);
        schedule.ids = ArrivalIds::Listed(ids.collect());
    }
    Ok(schedule)
}

/// The requests of clients, which bring lengths and instants.
fn of_clients(experiment: &Experiment, tokenizer: Tokenizer) -> Result<Drawn> {
    let seeds = experiment.requests.seeds;
    let clients = Clients::of(&experiment.load, seeds.schedule)?.context("--clients: none")?;
    let drain_max = experiment.client.timeout;
    let (trace, schedule) = clients.load(&experiment.load, drain_max, seeds)?;
    let workload = Workload::from_trace(trace, seeds.workload, tokenizer);
    Ok(Drawn {
        clients: Some(clients),
        ..Drawn::new(workload, Schedule::Open(schedule))
    })
}

/// A trace, sent at its own instants.
struct Recorded<'a> {
    experiment: &'a Experiment,
    file: &'a Path,
    reading: &'a ReadingSpec,
    thin: Option<f64>,
    lengths: &'a WorkloadKind,
    tokenizer: &'a Tokenizer,
}

impl Recorded<'_> {
    fn options(&self) -> Result<TraceOptions> {
        options(self.experiment, self.reading)
    }

    fn seed(&self) -> u64 {
        self.experiment.requests.seeds.workload
    }

    /// The first row has its text, not its length.
    fn holds_texts(&self) -> Result<bool> {
        let options = TraceOptions {
            limit: Some(1),
            ..self.options()?
        };
        let mut texts = false;
        read_rows(self.file, &options, &mut |row| {
            texts = row.text.is_some() && row.at_ns.is_some();
            Ok(())
        })?;
        Ok(texts)
    }

    /// A trace of lengths.
    fn lengths(&self) -> Result<Drawn> {
        let trace = self.trace()?;
        let offsets: Vec<i64> = trace.rows().iter().map(|row| row.offset_ns).collect();
        let schedule = Schedule::Open(replay_schedule(&offsets, &replay_params(self.experiment))?);
        let roots = roots(schedule.clone(), &trace);
        let workload = Workload::from_trace(trace, self.seed(), self.tokenizer.clone());
        Ok(replayed(&schedule, workload, roots))
    }

    /// The trace as its options have it read, then thinned.
    fn trace(&self) -> Result<Trace> {
        let lengths = Workload::from_plan(self.lengths, self.seed(), self.tokenizer.clone())?;
        let mut drawn = |row| {
            let spec = lengths.spec(row);
            Some(DrawnLengths {
                input_tokens: spec.prompt_tokens,
                output_tokens: spec.output_tokens,
            })
        };
        let trace = Trace::read_with(self.file, &self.options()?, &mut drawn).context("--trace")?;
        Ok(match self.thinned(trace.rows().len())? {
            Some(thinned) => trace.select(&thinned.kept, &thinned.how),
            None => trace,
        })
    }

    /// A trace with its texts.
    fn texts(&self) -> Result<Drawn> {
        if self.experiment.requests.texts.shares() {
            bail!(
                "--prefix and --trace: texts share what they share in the file; leave --prefix out, or \
                 write bust or none"
            );
        }
        let options = self.options()?;
        if options.pacing.is_some() {
            bail!("--pacing: a trace with texts is replayed at its instants and delays alone");
        }
        let read = Reading {
            experiment: self.experiment,
            tokenizer: self.tokenizer,
            options,
        };
        let dataset = read.dataset(self.file, DatasetOrder::File);
        let dataset = dataset.context("--trace")?;
        let dataset = match self.thinned(dataset.rows() as usize)? {
            Some(thinned) => dataset.select(&thinned.kept, &thinned.how),
            None => dataset,
        };
        let offsets = dataset.offsets();
        let offsets = offsets.context("--trace: a row without a time cannot be replayed")?;
        let schedule = replay_schedule(offsets, &replay_params(self.experiment))?;
        let whole = Schedule::Open(schedule.clone());
        let roots = Schedule::Open(schedule.only(|row| !dataset.waits(row)));
        let tokenizer = self.tokenizer.clone();
        let workload = Workload::from_dataset(dataset, self.lengths, self.seed(), tokenizer)?;
        Ok(replayed(&whole, workload, roots))
    }

    /// The rows that are kept; absent where all are.
    fn thinned(&self, rows: usize) -> Result<Option<Thinned>> {
        let Some(share) = self.thin else {
            return Ok(None);
        };
        let seed = self.experiment.requests.seeds.schedule;
        Ok(Some(Thinned {
            kept: thin(rows, share, seed)?,
            how: format!("thinned: each row kept with probability {share}, seed {seed}"),
        }))
    }
}

/// Rows that are kept, and how they were chosen.
struct Thinned {
    kept: Vec<usize>,
    how: String,
}

/// Recorded rows at the instants of `whole`, of which `roots` wait for nobody.
fn replayed(whole: &Schedule, workload: Workload, roots: Schedule) -> Drawn {
    Drawn {
        texts: DrawnTexts::Replayed,
        drain_without_load: whole.ends_with_window(),
        due_in_window: whole.due_in_window(),
        ..Drawn::new(workload, roots)
    }
}

/// The arrivals of rows that wait for no other row.
fn roots(schedule: Schedule, trace: &Trace) -> Schedule {
    match schedule {
        Schedule::Open(open) if trace.rows_waiting() > 0 => {
            Schedule::Open(open.only(|row| trace.parent(row).is_none()))
        }
        other => other,
    }
}

fn options(experiment: &Experiment, reading: &ReadingSpec) -> Result<TraceOptions> {
    let seed = experiment.requests.seeds.schedule;
    trace_options::options(&reading.options, reading.limit, seed)
}

fn replay_params(experiment: &Experiment) -> ReplayParams {
    let load = &experiment.load;
    ReplayParams {
        time_scale: load.time_scale,
        warmup: load.warmup,
        duration: load.duration,
        requests: load.requests,
        drain_max: experiment.client.timeout,
    }
}

/// How texts of a file are read.
struct Reading<'a> {
    experiment: &'a Experiment,
    tokenizer: &'a Tokenizer,
    options: TraceOptions,
}

impl Reading<'_> {
    /// The texts of a file, their tokens counted.
    fn dataset(self, path: &Path, order: DatasetOrder) -> Result<Dataset> {
        let requests = &self.experiment.requests;
        let texts = &requests.texts;
        let template = super::texts::template(texts)?;
        let options = DatasetOptions {
            reading: self.options,
            order,
            seed: requests.seeds.workload,
            salted: texts.prefix != Some(PrefixMode::None),
            endpoint: requests.form.endpoint,
            template: template.filter(|_| texts.counts_template()).map(Arc::new),
            members: member_rule(requests),
        };
        let file = DatasetFile::open(path)?;
        Ok(Dataset::read(file.path(), &options, self.tokenizer)?)
    }
}

/// Which members of a dataset's requests are sent: what a flag asks for goes before what a file has.
fn member_rule(requests: &RequestsSpec) -> MemberRule {
    let (form, carried) = (&requests.form, &requests.carried);
    let known = match requests.has_template() {
        true => Members::Other,
        false => form.endpoint.api().members,
    };
    let sampling = form.sampling.iter().map(|s| s.name.clone());
    let mut flags: BTreeSet<String> = form.members.keys().cloned().chain(sampling).collect();
    if carried.form.is_some() {
        flags.extend(FORMS.map(str::to_owned));
    }
    if carried.tools.is_some() {
        flags.extend(["tools", "tool_choice", "functions", "function_call"].map(str::to_owned));
    }
    MemberRule { known, flags }
}

/// The arrivals as those of conversations, where a dataset is sent by conversations.
fn begun(schedule: Schedule, workload: &Workload) -> Schedule {
    match schedule {
        Schedule::Open(mut open) => {
            if let Some(ids) = workload.conversations(open.arrivals.len()) {
                open.ids = ArrivalIds::Listed(ids);
            }
            Schedule::Open(open)
        }
        closed @ Schedule::Closed(_) => closed,
    }
}

/// Arrivals of a process, or a closed loop.
fn paced(experiment: &Experiment, sessions: Option<&Sessions>) -> Result<Schedule> {
    let stride = sessions.map_or(1, |sessions| u64::from(sessions.most_turns()));
    let load = &experiment.load;
    match &load.pace {
        Pace::Slots(slots) => {
            let params = ClosedParams {
                slots: *slots,
                stride,
                warmup: load.warmup,
                duration: load.duration,
                requests: load.requests,
            };
            Ok(Schedule::Closed(closed_schedule(&params)?))
        }
        Pace::Rate { rate, process } => {
            let params = OpenParams {
                process: *process,
                rate: match rate {
                    RateSpec::Constant(rate) => Rate::Constant(*rate),
                    RateSpec::Profile(profile) => Rate::Profile(profile),
                },
                warmup: load.warmup,
                duration: load.duration,
                requests: load.requests,
                drain_max: experiment.client.timeout,
            };
            let seed = experiment.requests.seeds.schedule;
            Ok(Schedule::Open(OpenSchedule {
                ids: ArrivalIds::every(stride),
                ..open_schedule(&params, seed)?
            }))
        }
        Pace::Clients { .. } | Pace::Recorded => {
            bail!("no load: give --rate, --rate-profile, --concurrency or --trace")
        }
    }
}
