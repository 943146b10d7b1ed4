//! From plan to load: what is sent (workload) and when (schedule), both pure functions of the
//! plan and its seeds.

use crate::clients::Clients;
use crate::dataset_file::DatasetFile;
use crate::trace_options;
use anyhow::{Context, Result, bail};
use infermeter_core::plan::{Plan, PrefixMode, PromptCount, Warmup};
use infermeter_core::rate::RateCurve;
use infermeter_core::request::RequestId;
use infermeter_core::run::LoadModel;
use infermeter_core::schedule::{OpenSchedule, Schedule};
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use infermeter_schedule::{
    ArrivalProcess, ClosedParams, OpenParams, Rate, ReplayParams, WarmupRule, closed_schedule,
    open_schedule, replay_schedule, thin,
};
use infermeter_workload::{
    ChatTemplate, Dataset, DatasetOptions, Kinds, TokenCounter, Tokenizer, Trace, TraceRow,
    Workload, WorkloadFile, tokens_with_template,
};
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Requests of a closed loop that stand for those of a window without a number.
const CLOSED_SAMPLE: u64 = 4_096;

/// What is sent, and when.
#[derive(Debug)]
pub struct Load {
    /// What.
    pub workload: Workload,
    /// When.
    pub schedule: Schedule,
    /// Tokens that the chat template adds to each prompt; absent without a template, and for a
    /// dataset, whose messages are of many kinds.
    pub template_tokens: Option<u32>,
    /// The rows of a trace end with the trace: the drain may be without load.
    pub from_trace: bool,
    /// The clients that both come from, where they do.
    pub clients: Option<Clients>,
}

impl Load {
    /// Makes both from a plan. `salt` is mixed into every prompt.
    ///
    /// # Errors
    /// Naming the flag or the line of the trace.
    pub fn from_plan(plan: &Plan, salt: u64) -> Result<Self> {
        let tokenizer = Tokenizer::open(&plan.tokenizer)?;
        if let Some(path) = &plan.workload_file {
            return Self::from_file(plan, path, tokenizer, salt);
        }
        let template = match &plan.chat_template {
            Some(path) => Some(Arc::new(ChatTemplate::open(path)?)),
            None => None,
        };
        let drawn = drawn(plan, tokenizer, template.as_ref())?;
        let (workload, template_tokens) = beginning(plan, drawn.workload, template.as_deref())?;
        let workload = match drawn.from_trace {
            true => workload,
            false => warmed(workload, &drawn.schedule),
        };
        Ok(Self {
            workload: carrying(plan, workload)?.with_salt(salt),
            schedule: drawn.schedule,
            from_trace: drawn.from_trace,
            template_tokens,
            clients: drawn.clients,
        })
    }

    /// The requests of a workload file: at its instants, unless the plan says when.
    fn from_file(plan: &Plan, path: &Path, tokenizer: Tokenizer, salt: u64) -> Result<Self> {
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
        let own_times = plan.peak_rate().is_none() && plan.concurrency.is_none();
        let schedule = if own_times {
            Schedule::Open(replay_file(plan, path, &file)?)
        } else {
            schedule(plan, None, plan.seeds().schedule)?
        };
        Ok(Self {
            workload: Workload::from_file(file, tokenizer).with_salt(salt),
            schedule,
            from_trace: own_times,
            clients: None,
            template_tokens: None,
        })
    }

    /// The measured requests. In a closed loop the warm-up may take more than the count asked for,
    /// and a window that ends by time has as many as the server completes: [`CLOSED_SAMPLE`] then
    /// stand for them.
    pub fn measured_ids(&self) -> Range<RequestId> {
        match &self.schedule {
            Schedule::Open(open) => open.measure_from as u64..open.drain_from as u64,
            Schedule::Closed(closed) => {
                let start = closed.warmup_requests;
                start..start.saturating_add(closed.requests.unwrap_or(CLOSED_SAMPLE))
            }
        }
    }

    /// The load model, as labelled everywhere.
    pub fn model(&self) -> LoadModel {
        match self.schedule {
            Schedule::Open(_) => LoadModel::OpenLoop,
            Schedule::Closed(_) => LoadModel::ClosedLoop,
        }
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

    /// Requests per second asked for over the window (open loop): the rate, the mean of a profile
    /// over the window, or what a trace has there.
    pub fn rate_asked(&self, plan: &Plan) -> Option<f64> {
        let Schedule::Open(open) = &self.schedule else {
            return None;
        };
        if plan.rate.is_some() {
            return plan.rate;
        }
        let window_ns = open.window_end.since(open.window_start);
        if let Some(clients) = &self.clients {
            return clients.mean_rate(Span(window_ns)).ok();
        }
        if let Some(profile) = &plan.rate_profile {
            return RateCurve::new(profile, plan.seeds().schedule).mean(window_ns);
        }
        Some((open.drain_from - open.measure_from) as f64 / (window_ns as f64 / 1e9))
    }
}

/// The instants of a workload file, in its own phases unless the plan has others.
fn replay_file(plan: &Plan, path: &Path, file: &WorkloadFile) -> Result<OpenSchedule> {
    let offsets: Option<Vec<i64>> = file.entries().iter().map(|entry| entry.at_ns).collect();
    let Some(offsets) = offsets else {
        bail!(
            "--workload-file: the requests of {} have no instants: give --rate, --rate-profile or \
             --concurrency",
            path.display()
        );
    };
    let mut params = ReplayParams {
        time_scale: plan.time_scale,
        warmup: WarmupRule::resolve(plan.warmup, plan.duration),
        duration: plan.duration,
        requests: plan.requests,
        drain_max: plan.timeout,
    };
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
    replay_schedule(&offsets, &params).context("--workload-file")
}

/// Lengths and instants, before anything is said about texts.
struct Drawn {
    workload: Workload,
    schedule: Schedule,
    from_trace: bool,
    clients: Option<Clients>,
}

fn drawn(plan: &Plan, tokenizer: Tokenizer, template: Option<&Arc<ChatTemplate>>) -> Result<Drawn> {
    let seeds = plan.seeds();
    if let Some(clients) = Clients::of_plan(plan)? {
        let (trace, schedule) = clients.load(plan, seeds)?;
        return Ok(Drawn {
            workload: Workload::from_trace(trace, seeds.workload, tokenizer),
            schedule: Schedule::Open(schedule),
            from_trace: false,
            clients: Some(clients),
        });
    }
    let trace = match &plan.trace {
        Some(path) => Some(trace(plan, path)?),
        None => None,
    };
    let schedule = schedule(plan, trace.as_ref().map(Trace::rows), seeds.schedule)?;
    let from_trace = trace.is_some();
    let workload = match (trace, &plan.dataset) {
        (Some(trace), _) => Workload::from_trace(trace, seeds.workload, tokenizer),
        (None, Some(path)) => {
            let dataset = dataset(plan, path, &tokenizer, template)?;
            Workload::from_dataset(dataset, &plan.workload, seeds.workload, tokenizer)?
        }
        (None, None) => Workload::from_plan(&plan.workload, seeds.workload, tokenizer)?,
    };
    Ok(Drawn {
        workload,
        schedule,
        from_trace,
        clients: None,
    })
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
            "--prefix: the hash ids of the trace say what its prompts share: leave it away, or \
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
fn trace(plan: &Plan, path: &Path) -> Result<Trace> {
    let options = trace_options::of_plan(plan)?;
    let trace = Trace::read(path, &options).context("--trace")?;
    let Some(share) = plan.thin else {
        return Ok(trace);
    };
    let seed = plan.seeds().schedule;
    let kept = thin(trace.rows().len(), share, seed)?;
    let how = format!("thinned: each row kept with probability {share}, seed {seed}");
    Ok(trace.select(&kept, &how))
}

/// Tokens that a chat template adds to a prompt: all prompts of a workload have the same messages,
/// and texts that begin and end alike.
fn added_by(template: &ChatTemplate, workload: &Workload) -> Result<Option<u32>> {
    if workload.texts_before_repeating().is_some() {
        return Ok(None);
    }
    let content = workload.content(&workload.spec(0))?;
    let counter = TokenCounter::load(workload.tokenizer())?;
    let all = tokens_with_template(&content.messages, template, &counter)?;
    let texts = content
        .messages
        .iter()
        .map(|m| counter.count(&m.text) as u64);
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
    };
    let file = DatasetFile::open(path).context("--dataset")?;
    Dataset::read(file.path(), &options, tokenizer).context("--dataset")
}

fn schedule(plan: &Plan, rows: Option<&[TraceRow]>, seed: u64) -> Result<Schedule> {
    let warmup = WarmupRule::resolve(plan.warmup, plan.duration);
    let (duration, requests) = (plan.duration, plan.requests);
    if let Some(rows) = rows {
        let offsets: Vec<i64> = rows.iter().map(|row| row.offset_ns).collect();
        let params = ReplayParams {
            time_scale: plan.time_scale,
            warmup,
            duration,
            requests,
            drain_max: plan.timeout,
        };
        return Ok(Schedule::Open(replay_schedule(&offsets, &params)?));
    }
    if let Some(slots) = plan.concurrency {
        let params = ClosedParams {
            slots,
            warmup,
            duration,
            requests,
        };
        return Ok(Schedule::Closed(closed_schedule(&params)?));
    }
    let rate = match (plan.rate, &plan.rate_profile) {
        (Some(rate), _) => Rate::Constant(rate),
        (None, Some(profile)) => Rate::Profile(profile),
        (None, None) => bail!("no load: give --rate, --rate-profile, --concurrency or --trace"),
    };
    let params = OpenParams {
        process: ArrivalProcess::resolve(plan.arrival, plan.cv)?,
        rate,
        warmup,
        duration,
        requests,
        drain_max: plan.timeout,
    };
    Ok(Schedule::Open(open_schedule(&params, seed)?))
}
