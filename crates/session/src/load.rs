//! From plan to load: what is sent (workload) and when (schedule), both pure functions of the
//! plan and its seeds.

use crate::clients::Clients;
use crate::dataset_file::DatasetFile;
use crate::experiment::{LoadSpec, Pace, RateSpec};
use crate::trace_options;
use anyhow::{Context, Result, bail};
use infermeter_core::clock::Offset;
use infermeter_core::plan::{Members, Plan, PrefixMode, PromptCount, Sessions, Warmup};
use infermeter_core::rate::RateCurve;
use infermeter_core::request::{FollowUp, RequestId, RequestSpec, Waited};
use infermeter_core::run::LoadModel;
use infermeter_core::schedule::{ArrivalIds, OpenSchedule, Schedule, Slice, SliceError};
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use infermeter_schedule::{
    ClosedParams, OpenParams, Rate, ReplayParams, TimeScale, Waits, WarmupRule, closed_schedule,
    open_schedule, replay_schedule, thin,
};
use infermeter_workload::{
    ChatTemplate, Dataset, DatasetOptions, Kinds, MemberRule, TokenCounter, Tokenizer, Trace,
    TraceOptions, Workload, WorkloadFile, read_rows, tokens_with_template,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::ops::Range;
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

/// Requests of a closed loop that stand for those of a window without a number.
const CLOSED_SAMPLE: u64 = 4_096;

/// Measured requests of a run that does not say: only the tuning of a sequence rests on it.
const UNKNOWN_REQUESTS: usize = 1_000;

/// What is sent, and when.
#[derive(Debug, Clone)]
pub struct Load {
    /// What.
    pub workload: Workload,
    /// When.
    pub schedule: Schedule,
    /// What sets the pace, and the phases.
    pub spec: LoadSpec,
    /// Tokens that the chat template adds to each prompt; absent without a template, for sessions,
    /// and for a dataset, whose messages are of many kinds.
    pub template_tokens: Option<u32>,
    /// The clients that both come from, where they do.
    pub clients: Option<Clients>,
    /// A trace whose rows end before the drain does: nothing keeps the load on there.
    pub drain_without_load: bool,
    /// Requests or, with sessions, sessions due in the window (open loop).
    pub due_in_window: Option<u64>,
    /// Waits inside sessions and between them.
    waits: Option<Waits>,
    /// Times of a trace are multiplied by this.
    scale: TimeScale,
}

impl Load {
    /// Makes both from a plan. `salt` is mixed into every prompt.
    ///
    /// # Errors
    /// Naming the flag or the line of the trace.
    pub fn from_plan(plan: &Plan, salt: u64) -> Result<Self> {
        let spec = LoadSpec::of(plan)?;
        let tokenizer = Tokenizer::open(&plan.tokenizer)?;
        if let Some(path) = &plan.workload_file {
            return Self::from_file((plan, spec), path, tokenizer, salt);
        }
        let template = match &plan.chat_template {
            Some(path) => Some(Arc::new(ChatTemplate::open(path)?)),
            None => None,
        };
        let drawn = drawn((plan, &spec), tokenizer, template.as_ref())?;
        let drawn_workload = drawn.workload.with_items(plan.item_counts());
        let (workload, template_tokens) = beginning(plan, drawn_workload, template.as_deref())?;
        let workload = match drawn.replayed {
            true => workload,
            false => warmed(workload, &drawn.schedule),
        };
        let waits = |sessions| Waits::new(&sessions, plan.seeds().schedule);
        Ok(Self {
            workload: carrying(plan, workload)?.with_salt(salt),
            schedule: drawn.schedule,
            template_tokens,
            clients: drawn.clients,
            drain_without_load: drawn.drain_without_load,
            due_in_window: drawn.due_in_window,
            waits: drawn.sessions.map(waits),
            scale: TimeScale::new(plan.time_scale)?,
            spec,
        })
    }

    /// The requests of a workload file: at its instants, unless the plan says when.
    fn from_file(
        (plan, spec): (&Plan, LoadSpec),
        path: &Path,
        tokenizer: Tokenizer,
        salt: u64,
    ) -> Result<Self> {
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
        let own_times = matches!(spec.pace, Pace::Recorded { .. });
        let schedule = if own_times {
            Schedule::Open(replay_file((plan, &spec), path, &file)?)
        } else if file.entries().iter().any(|entry| entry.parent.is_some()) {
            bail!(
                "--workload-file: requests of {} wait for each other: they are sent at the instants \
                 of the file, without --rate, --rate-profile and --concurrency",
                path.display()
            );
        } else {
            paced((plan, &spec), None)?
        };
        Ok(Self {
            drain_without_load: own_times && schedule.ends_with_window(),
            due_in_window: schedule.due_in_window(),
            workload: Workload::from_file(file, tokenizer).with_salt(salt),
            schedule,
            clients: None,
            template_tokens: None,
            waits: None,
            scale: TimeScale::new(plan.time_scale)?,
            spec,
        })
    }

    /// The part that one of several clients sends: each request with the id, the instant and the bytes
    /// that it has in the whole. What the plan asks for, its rate say, stays that of the whole.
    ///
    /// # Errors
    /// When a slice of a closed loop would have nothing to do.
    pub fn cut(&self, slice: Slice) -> Result<Self, SliceError> {
        Ok(Self {
            schedule: self.schedule.cut(slice)?,
            ..self.clone()
        })
    }

    /// The same with another salt in every prompt.
    #[must_use]
    pub fn with_salt(mut self, salt: u64) -> Self {
        self.workload = self.workload.with_salt(salt);
        self
    }

    /// Measured requests that a run is expected to have; of a closed loop that only time ends nobody
    /// knows.
    pub fn expected_requests(&self) -> usize {
        let measured = self.schedule.due_in_window().or(self.spec.requests);
        measured.map_or(UNKNOWN_REQUESTS, |n| n as usize)
    }

    /// The measured requests. In a closed loop the warm-up may take more than the count asked for,
    /// and a window that ends by time has as many as the server completes: 4,096 then
    /// stand for them.
    pub fn measured_ids(&self) -> Range<RequestId> {
        self.schedule.measured_ids(CLOSED_SAMPLE)
    }

    /// The requests that wait for the answer to `spec`'s, and how long.
    pub fn follow_ups(&self, spec: &RequestSpec) -> Vec<FollowUp> {
        let next = self.workload.next_turns(spec).into_iter();
        next.map(|turn| {
            let waits = self.waits.as_ref();
            let drawn = waits.map(|waits| waits.before_turn_ns(turn.id, turn.role));
            let recorded = turn.delay_ns.map(|ns| self.scale.apply(ns));
            FollowUp {
                id: turn.id,
                delay_ns: recorded.or(drawn).unwrap_or(0),
                planned: self.planned(turn.offset_ns),
            }
        })
        .collect()
    }

    /// Some requests wait for the answer to another one.
    pub fn has_sessions(&self) -> bool {
        self.schedule.has_sessions()
    }

    /// What a request waits for itself.
    pub fn waited(&self, spec: &RequestSpec) -> Option<Waited> {
        self.workload.awaited(spec).map(|awaited| Waited {
            parent: awaited.parent,
            planned: self.planned(awaited.offset_ns),
        })
    }

    /// The pause of a user after the session of a request, nanoseconds.
    pub fn pause_ns(&self, spec: &RequestSpec) -> i64 {
        let waits = self.waits.as_ref();
        let pause = waits
            .zip(spec.turn)
            .map(|(w, turn)| w.pause_ns(turn.session));
        pause.unwrap_or(0)
    }

    fn planned(&self, offset_ns: Option<i64>) -> Option<Offset> {
        offset_ns.map(|ns| Offset(self.scale.apply(ns)))
    }

    /// The load model, as labelled everywhere.
    pub fn model(&self) -> LoadModel {
        self.schedule.model()
    }

    /// SHA-256 over the arrivals (open loop), 8 bytes little endian each; hex. With the workload's
    /// hash it says whether two runs had the same load.
    pub fn schedule_hash(&self) -> Option<String> {
        let Schedule::Open(open) = &self.schedule else {
            return None;
        };
        let mut hasher = Sha256::new();
        for at in &open.arrivals {
            hasher.update(at.0.to_le_bytes());
        }
        let digest = hasher.finalize();
        Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Requests (or sessions) per second asked for over the window (open loop): the rate, the mean
    /// of a profile over the window, or what a trace has there.
    pub fn rate_asked(&self, seed: u64) -> Option<f64> {
        let Schedule::Open(open) = &self.schedule else {
            return None;
        };
        let window_ns = open.window_end.since(open.window_start);
        match (&self.spec.pace, &self.clients) {
            (
                Pace::Clients {
                    rate: Some(rate), ..
                },
                _,
            ) => Some(*rate),
            (_, Some(clients)) => clients.mean_rate(Span(window_ns)).ok(),
            (Pace::Rate { rate, .. }, None) => match rate {
                RateSpec::Constant(rate) => Some(*rate),
                RateSpec::Profile(profile) => RateCurve::new(profile, seed).mean(window_ns),
            },
            (Pace::Clients { .. } | Pace::Recorded { .. } | Pace::Slots(_), None) => {
                Some(self.due_in_window? as f64 / (window_ns as f64 / 1e9))
            }
        }
    }
}

/// The instants of a workload file, in its own phases unless the plan has others.
fn replay_file(
    (plan, spec): (&Plan, &LoadSpec),
    path: &Path,
    file: &WorkloadFile,
) -> Result<OpenSchedule> {
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
    let mut params = replay_params((plan, spec));
    let asked = plan.warmup.is_some() || plan.duration.is_some() || plan.requests.is_some();
    if let (false, Some(phases)) = (asked, file.header().phases) {
        let scaled = |ns: i64| Span((ns as f64 * plan.time_scale).round() as i64);
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

/// Lengths and instants, before anything is said about texts.
struct Drawn {
    workload: Workload,
    schedule: Schedule,
    /// The warm-up is the head of recorded rows.
    replayed: bool,
    clients: Option<Clients>,
    sessions: Option<Sessions>,
    drain_without_load: bool,
    due_in_window: Option<u64>,
}

impl Drawn {
    fn new(workload: Workload, schedule: Schedule) -> Self {
        Self {
            due_in_window: schedule.due_in_window(),
            workload,
            schedule,
            replayed: false,
            clients: None,
            sessions: None,
            drain_without_load: false,
        }
    }
}

fn drawn(
    (plan, spec): (&Plan, &LoadSpec),
    tokenizer: Tokenizer,
    template: Option<&Arc<ChatTemplate>>,
) -> Result<Drawn> {
    let seeds = plan.seeds();
    if let Some(clients) = Clients::of_plan(plan)? {
        let (trace, schedule) = clients.load(plan, seeds)?;
        let workload = Workload::from_trace(trace, seeds.workload, tokenizer);
        return Ok(Drawn {
            clients: Some(clients),
            ..Drawn::new(workload, Schedule::Open(schedule))
        });
    }
    if let Some(path) = &plan.trace {
        if holds_texts(plan, path).context("--trace")? {
            return timed_texts((plan, spec), path, tokenizer, template);
        }
        let trace = trace(plan, path, &tokenizer)?;
        let offsets: Vec<i64> = trace.rows().iter().map(|row| row.offset_ns).collect();
        let schedule = Schedule::Open(replay_schedule(&offsets, &replay_params((plan, spec)))?);
        let roots = roots(schedule.clone(), &trace);
        let workload = Workload::from_trace(trace, seeds.workload, tokenizer);
        return Ok(Drawn {
            replayed: true,
            drain_without_load: schedule.ends_with_window(),
            due_in_window: schedule.due_in_window(),
            ..Drawn::new(workload, roots)
        });
    }
    let sessions = plan.sessions().context("--sessions")?;
    let schedule = paced((plan, spec), sessions.as_ref())?;
    let workload = match &plan.dataset {
        Some(path) => {
            let dataset = dataset(plan, path, &tokenizer, template).context("--dataset")?;
            Workload::from_dataset(dataset, &plan.workload, seeds.workload, tokenizer)?
        }
        None => Workload::from_plan(&plan.workload, seeds.workload, tokenizer)?,
    };
    let workload = match sessions {
        Some(sessions) => workload.with_sessions(sessions),
        None => workload,
    };
    Ok(Drawn {
        sessions,
        ..Drawn::new(workload.clone(), begun(schedule, &workload))
    })
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
        closed => closed,
    }
}

/// The requests with the beginnings that the plan has them share, and the tokens of the chat
/// template, counted in where that was asked for.
fn beginning(
    plan: &Plan,
    workload: Workload,
    template: Option<&ChatTemplate>,
) -> Result<(Workload, Option<u32>)> {
    let shares = plan.prefix.as_ref().is_some_and(PrefixMode::shares);
    if shares && workload.has_blocks() {
        bail!(
            "--prefix: the hash ids of the trace say what its prompts share: leave it out, or \
             write bust or none"
        );
    }
    let begin = |workload: Workload| {
        let workload = workload.with_prefix(plan.prefix, plan.endpoint);
        workload.context("--prefix")
    };
    let workload = begin(workload)?;
    let Some(template) = template else {
        return Ok((workload, None));
    };
    let tokens = added_by(template, &workload)?;
    if plan.count != PromptCount::Template {
        return Ok((workload, tokens));
    }
    let workload = begin(workload.with_template_tokens(tokens.unwrap_or(0)))?;
    Ok((workload, tokens))
}

/// The requests with a warm-up that meets every band of lengths. (The head of a trace stays what it
/// is.)
fn warmed(workload: Workload, schedule: &Schedule) -> Workload {
    let (warmup, measured) = schedule.ids();
    workload.with_warm_bands(warmup, measured)
}

/// The requests with what the plan has them carry beside their text.
fn carrying(plan: &Plan, workload: Workload) -> Result<Workload> {
    Ok(match Kinds::of_plan(plan)? {
        Some(kinds) => workload.with_kinds(kinds)?,
        None => workload,
    })
}

/// The trace of a plan: as its options have it read, then thinned.
fn trace(plan: &Plan, path: &Path, tokenizer: &Tokenizer) -> Result<Trace> {
    let options = trace_options::of_plan(plan)?;
    let lengths = Workload::from_plan(&plan.workload, plan.seeds().workload, tokenizer.clone())?;
    let mut drawn = |row| Some(lengths.spec(row).output_tokens);
    let trace = Trace::read_with(path, &options, &mut drawn).context("--trace")?;
    Ok(match thinned(plan, trace.rows().len())? {
        Some((kept, how)) => trace.select(&kept, &how),
        None => trace,
    })
}

/// The rows of a trace that are kept, and how they were chosen; `None` where all are.
fn thinned(plan: &Plan, rows: usize) -> Result<Option<(Vec<usize>, String)>> {
    let Some(share) = plan.thin else {
        return Ok(None);
    };
    let seed = plan.seeds().schedule;
    let kept = thin(rows, share, seed)?;
    let how = format!("thinned: each row kept with probability {share}, seed {seed}");
    Ok(Some((kept, how)))
}

/// The first row of a trace has its text, not its length.
fn holds_texts(plan: &Plan, path: &Path) -> Result<bool> {
    let options = TraceOptions {
        limit: Some(1),
        ..trace_options::of_plan(plan)?
    };
    let mut texts = false;
    read_rows(path, &options, &mut |row| {
        texts = row.text.is_some() && row.at_ns.is_some();
        Ok(())
    })?;
    Ok(texts)
}

/// A trace with its texts: sent at its own instants.
fn timed_texts(
    (plan, spec): (&Plan, &LoadSpec),
    path: &Path,
    tokenizer: Tokenizer,
    template: Option<&Arc<ChatTemplate>>,
) -> Result<Drawn> {
    if plan.prefix.as_ref().is_some_and(PrefixMode::shares) {
        bail!(
            "--prefix and --trace: texts share what they share in the file; leave --prefix out, or \
             write bust or none"
        );
    }
    let seeds = plan.seeds();
    let dataset = dataset(plan, path, &tokenizer, template).context("--trace")?;
    let dataset = match thinned(plan, dataset.rows() as usize)? {
        Some((kept, how)) => dataset.select(&kept, &how),
        None => dataset,
    };
    let offsets = dataset.offsets();
    let offsets = offsets.context("--trace: a row without a time cannot be replayed")?;
    let schedule = replay_schedule(offsets, &replay_params((plan, spec)))?;
    let whole = Schedule::Open(schedule.clone());
    let roots = Schedule::Open(schedule.only(|row| !dataset.waits(row)));
    let workload = Workload::from_dataset(dataset, &plan.workload, seeds.workload, tokenizer)?;
    Ok(Drawn {
        replayed: true,
        drain_without_load: whole.ends_with_window(),
        due_in_window: whole.due_in_window(),
        ..Drawn::new(workload, roots)
    })
}

fn replay_params((plan, spec): (&Plan, &LoadSpec)) -> ReplayParams {
    ReplayParams {
        time_scale: plan.time_scale,
        warmup: spec.warmup,
        duration: spec.duration,
        requests: spec.requests,
        drain_max: plan.timeout,
    }
}

/// Tokens that a chat template adds to a prompt: all prompts of a workload have the same messages,
/// and texts that begin and end alike.
fn added_by(template: &ChatTemplate, workload: &Workload) -> Result<Option<u32>> {
    if workload.texts_before_repeating().is_some() || workload.session_means().is_some() {
        return Ok(None);
    }
    let content = workload.content(&workload.spec(0), &[])?;
    let counter = TokenCounter::load(workload.tokenizer())?;
    let all = tokens_with_template(content.messages(), template, &counter)?;
    let texts = content.texts().into_iter();
    let texts = texts.map(|text| counter.count(text) as u64);
    let added = all.checked_sub(texts.sum());
    let added = added.context("--chat-template: it leaves out a part of the messages")?;
    Ok(Some(u32::try_from(added)?))
}

/// The dataset of a plan, its tokens counted.
fn dataset(
    plan: &Plan,
    path: &Path,
    tokenizer: &Tokenizer,
    template: Option<&Arc<ChatTemplate>>,
) -> Result<Dataset> {
    let options = DatasetOptions {
        reading: trace_options::of_plan(plan)?,
        order: plan.dataset_order,
        seed: plan.seeds().workload,
        salted: plan.prefix != Some(PrefixMode::None),
        endpoint: plan.endpoint,
        template: template
            .filter(|_| plan.count == PromptCount::Template)
            .cloned(),
        members: member_rule(plan),
    };
    let file = DatasetFile::open(path)?;
    Ok(Dataset::read(file.path(), &options, tokenizer)?)
}

/// Which members of a dataset's requests are sent: what a flag asks for goes before what a file has.
fn member_rule(plan: &Plan) -> MemberRule {
    let known = match plan.body_template {
        Some(_) => Members::Other,
        None => plan.endpoint.api().members,
    };
    let extra = plan.extra_body.as_ref().and_then(|body| body.as_object());
    let extra = extra.into_iter().flat_map(|body| body.keys().cloned());
    let sampling = plan.sampling.iter().map(|s| s.name.clone());
    let mut flags: BTreeSet<String> = extra.chain(sampling).collect();
    if plan.schema.is_some() || plan.regex.is_some() || plan.grammar.is_some() {
        flags.extend(FORMS.map(str::to_owned));
    }
    if plan.tools.is_some() {
        flags.extend(["tools", "tool_choice", "functions", "function_call"].map(str::to_owned));
    }
    if plan.tool_choice.is_some() {
        flags.insert("tool_choice".to_owned());
    }
    MemberRule { known, flags }
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

/// Arrivals of a process, or a closed loop.
fn paced((plan, spec): (&Plan, &LoadSpec), sessions: Option<&Sessions>) -> Result<Schedule> {
    let stride = sessions.map_or(1, |sessions| u64::from(sessions.most_turns()));
    let LoadSpec {
        pace,
        warmup,
        duration,
        requests,
    } = spec;
    match pace {
        Pace::Slots(slots) => {
            let params = ClosedParams {
                slots: *slots,
                stride,
                warmup: *warmup,
                duration: *duration,
                requests: *requests,
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
                warmup: *warmup,
                duration: *duration,
                requests: *requests,
                drain_max: plan.timeout,
            };
            Ok(Schedule::Open(OpenSchedule {
                ids: ArrivalIds::every(stride),
                ..open_schedule(&params, plan.seeds().schedule)?
            }))
        }
        Pace::Clients { .. } | Pace::Recorded { .. } => {
            bail!("no load: give --rate, --rate-profile, --concurrency or --trace")
        }
    }
}
