//! What was run: target, workload, load, window; and how its requests ended.

use crate::document::{Entries, Section};
use crate::number::{interval, parts, percent, plus_minus, significant};
use crate::reproduce::{OBSERVED, imported};
use infermeter_analysis::{
    Arrivals, FinishShare, KeepsUp, LoadSummary, ResponseCacheSummary, StabilitySummary,
    Steadiness, SteadySummary, Summary,
};
use infermeter_core::declared::Subject;
use infermeter_core::finish::FinishReason;
use infermeter_core::number::{count, counted};
use infermeter_core::plan::{ArrivalKind, DatasetOrder, Plan};
use infermeter_core::run::{Imported, LoadModel, RunManifest};
use infermeter_core::text::inert;
use infermeter_metrics::outcomes::{OutcomeCounts, ReasonCount};

/// The lines about the run.
pub(crate) fn section(summary: &Summary, manifest: &RunManifest) -> Section {
    let plan = &manifest.plan;
    let mut entries = Entries::default();
    match &manifest.imported {
        Some(from) => entries.add("From", imported_from(from, manifest)),
        None => {
            entries.add("Target", target(manifest));
            if manifest.load_model.is_ours() {
                entries.add("Workload", workload(plan));
            }
        }
    }
    entries.add("Load", load(summary, plan));
    let open = summary.load.as_ref();
    let open = open.filter(|_| summary.load_model == LoadModel::OpenLoop);
    entries.maybe("Arrivals", open.and_then(|load| arrivals(load, plan)));
    entries.add("Window", window(summary));
    entries.maybe("Steady", steady(summary));
    let trial = summary.response_cache.as_ref();
    entries.maybe("Repeated", trial.and_then(repeated));
    Section::new("Run").with(entries)
}

/// How measured requests ended.
pub(crate) fn outcomes(summary: &Summary, entries: &mut Entries) {
    entries.add("Outcomes", counts(&summary.requests.measured));
    for reason in summary.requests.reasons.iter().take(5) {
        entries.more(reason_line(reason));
    }
    let ends = &summary.requests.finish_reasons;
    if ends.len() > 1 {
        entries.maybe(ENDED, answers_ended(ends));
    }
}

/// Label of what [`answers_ended`] says.
pub(crate) const ENDED: &str = "Ended by";

/// How completed answers ended; nothing where none did.
pub(crate) fn answers_ended(ends: &[FinishShare]) -> Option<String> {
    let end = |f: &FinishShare| {
        let word = f.reason.map_or("no reason given", FinishReason::as_str);
        let share = percent(f.share.value);
        format!("{word} {} ({share})", count(f.share.count as u64))
    };
    let texts: Vec<String> = ends.iter().map(end).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

/// What is known of the server, name by name.
pub(crate) fn context(summary: &Summary) -> Section {
    let mut entries = Entries::default();
    for (subject, known) in summary.context.parts() {
        let label = match subject {
            Subject::Hardware => "Hardware",
            Subject::Model => "Model",
            Subject::Engine => "Engine",
        };
        let names = subject.names().iter();
        let parts: Vec<String> = names
            .filter_map(|name| Some(format!("{name} {}", known.get::<str>(name)?)))
            .collect();
        entries.add(label, parts.join("; "));
    }
    Section::new("Context").with(entries)
}

/// `result.json of vllm bench serve, llama-8b`: what an import knows of target and workload.
fn imported_from(from: &Imported, manifest: &RunManifest) -> String {
    let part = from.part.as_ref().map(|part| format!(", {part}"));
    let version = from.tool_version.as_ref().map(|v| format!(" {v}"));
    format!(
        "{}{} of {}{}, {}, sha256 {}",
        from.file,
        part.unwrap_or_default(),
        from.tool,
        version.unwrap_or_default(),
        manifest.model,
        from.sha256
    )
}

fn target(manifest: &RunManifest) -> String {
    let plan = &manifest.plan;
    let api = plan.endpoint.api().name;
    let stream = match (plan.endpoint.generates(), plan.streams()) {
        (true, true) => ", streaming",
        (true, false) => ", no stream",
        (false, _) => "",
    };
    let more = match plan.more_targets.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let target = &plan.target;
    let mut text = format!("{target}{more}, {}, {api}{stream}", manifest.model);
    if let Some(proxy) = &plan.proxy {
        text += &format!(", through {proxy}");
    }
    let declared = [
        &plan.engine,
        &plan.hardware,
        &plan.quantization,
        &plan.label,
    ];
    for fact in declared.into_iter().flatten() {
        text += &format!(", {fact}");
    }
    text
}

fn workload(plan: &Plan) -> String {
    let prefix = plan.prefix.map(|mode| format!(", prefix {mode}"));
    prompts(plan) + &several(plan) + &prefix.unwrap_or_default()
}

/// `, 64 inputs a request`.
fn several(plan: &Plan) -> String {
    let noun = plan.endpoint.api().input.items();
    let Some((counts, noun)) = plan.item_counts().zip(noun) else {
        return String::new();
    };
    let query = counts
        .query_tokens
        .map(|tokens| format!(" and a query of {tokens} tokens"));
    let noun = match counts.items {
        1 => noun.trim_end_matches('s'),
        _ => noun,
    };
    let items = count(u64::from(counts.items));
    format!(", {items} {noun}{} a request", query.unwrap_or_default())
}

fn prompts(plan: &Plan) -> String {
    if let Some(path) = &plan.dataset {
        let order = match plan.dataset_order {
            DatasetOrder::File => "",
            DatasetOrder::Shuffled => ", shuffled",
            DatasetOrder::Conversations => ", by conversations",
        };
        return format!("dataset {}{order}", path.display());
    }
    match &plan.trace {
        Some(path) => {
            let scale = if plan.time_scale == 1.0 {
                String::new()
            } else {
                format!(", offsets x {}", plan.time_scale)
            };
            let thinned = plan.thin.map_or_else(String::new, |share| {
                format!(", each row kept with probability {share}")
            });
            format!("trace {}{scale}{thinned}", path.display())
        }
        None => match &plan.clients {
            Some(clients) => format!("clients {}", inert(clients, 200)),
            None if plan.sessions.is_empty() => plan.workload.to_string(),
            None => format!(
                "sessions ({}) of {}",
                plan.sessions.join(", "),
                plan.workload
            ),
        },
    }
}

fn load(summary: &Summary, plan: &Plan) -> String {
    let requests = if plan.sessions.is_empty() {
        ""
    } else {
        " requests"
    };
    let sent = |load: &LoadSummary| {
        let inside = load.sent_share.map(|share| match share {
            1.0 => ", all sent inside the window".to_owned(),
            share => format!(", {} sent inside the window", percent(share)),
        });
        let rate = significant(load.rate_sent_per_s);
        format!("{rate}{requests}/s delivered{}", inside.unwrap_or_default())
    };
    let delivered = summary.load.as_ref().map_or("unknown".to_owned(), sent);
    let (noun, slots_are) = if plan.sessions.is_empty() {
        ("", "slots")
    } else {
        (" sessions", "users")
    };
    match summary.load_model {
        LoadModel::OpenLoop => {
            let asked = summary.load.as_ref().map(|load| match load.rate_asked {
                Some(rate) if plan.rate_profile.is_some() || plan.clients.is_some() => {
                    format!(" {}{noun}/s asked on average,", significant(rate))
                }
                Some(rate) => format!(" {}{noun}/s asked,", significant(rate)),
                None => format!(" {}/s due,", significant(load.rate_due_per_s)),
            });
            let shape = match plan.arrival {
                _ if plan.is_replay() => "replay".to_owned(),
                _ if plan.clients.is_some() => "many clients".to_owned(),
                ArrivalKind::Poisson => "Poisson".to_owned(),
                ArrivalKind::Constant => "constant".to_owned(),
                ArrivalKind::Gamma => format!("gamma (CV {})", plan.cv.unwrap_or(1.0)),
                ArrivalKind::Weibull => format!("Weibull (CV {})", plan.cv.unwrap_or(1.0)),
            };
            let profile = plan.rate_profile.as_ref();
            let profile = profile.map_or_else(String::new, |profile| format!(", {profile}"));
            let came = summary.load.as_ref().and_then(|load| load.arrivals);
            format!(
                "open loop, {shape}{profile},{} {delivered}{}",
                asked.unwrap_or_default(),
                came.map_or_else(String::new, |came| came_of(came, noun))
            )
        }
        LoadModel::ClosedLoop => {
            let slots = plan.concurrency.unwrap_or(0);
            format!("CLOSED LOOP, {slots} {slots_are} (latency is self-throttled), {delivered}")
        }
        LoadModel::Imported => format!("{}, {delivered}", imported(plan)),
        LoadModel::Observed => format!("{OBSERVED}, {delivered}"),
    }
}

/// `; 44 arrived, 60.0 ± 7.75 expected`.
fn came_of(came: Arrivals, noun: &str) -> String {
    format!(
        "; {}{noun} arrived, {}{} expected",
        count(came.came as u64),
        significant(came.expected),
        plus_minus(came.standard_error.map(significant))
    )
}

fn arrivals(load: &LoadSummary, plan: &Plan) -> Option<String> {
    let cv = load.cv?;
    let asked = load.cv_asked.map(|c| format!("asked {c}; "));
    let mut text = format!(
        "CV of gaps {} ({}Poisson: 1{})",
        significant(cv.value),
        asked.unwrap_or_default(),
        plus_minus(Some(significant(cv.poisson_standard_error)))
    );
    if let Some(index) = load.index_of_dispersion {
        text += &format!(
            ", index of dispersion {} (Poisson: 1{})",
            significant(index.value),
            plus_minus(Some(significant(index.poisson_standard_error)))
        );
    }
    if plan.rate_profile.is_some() {
        text += ", with the profile's rate divided out";
    }
    Some(text)
}

fn window(summary: &Summary) -> String {
    let imported = summary.load_model == LoadModel::Imported;
    let Some(seconds) = summary.window_s else {
        if imported {
            return "none: the file does not say when requests were sent".to_owned();
        }
        return "none: the run ended before it began".to_owned();
    };
    if summary.load_model == LoadModel::Observed {
        return format!(
            "{}\u{a0}s, from the first request seen to the last end",
            significant(seconds)
        );
    }
    let warmup = &summary.warmup;
    if imported {
        return format!(
            "{}\u{a0}s from the first send to the last end; its warm-up is unknown",
            significant(seconds)
        );
    }
    if warmup.requests == 0 {
        return format!("{}\u{a0}s, no warm-up", significant(seconds));
    }
    format!(
        "{}\u{a0}s after {}\u{a0}s of warm-up ({})",
        significant(seconds),
        significant(warmup.seconds.unwrap_or(0.0)),
        counted(warmup.requests, "request")
    )
}

/// `yes, after the warm-up; stability: undecided, the queue never emptied in the last third`; absent
/// where neither is asked, as under a load that changes by plan.
fn steady(summary: &Summary) -> Option<String> {
    let load = summary.load.as_ref();
    let stability = load.and_then(|load| load.stability.as_ref());
    let parts = [
        summary.steady.as_ref().map(after_warmup),
        stability.map(keeps_up),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// What a repeated prompt takes, over a fresh one.
fn repeated(trial: &ResponseCacheSummary) -> Option<String> {
    let parts = [
        ("TTFT", trial.ttft),
        ("E2E", trial.e2e),
        ("after the first token", trial.after_first),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter_map(|(name, ratio)| {
            let ratio = (*ratio)?;
            let range = interval(ratio.low.map(significant), ratio.high.map(significant));
            Some(format!("{name} x {} {range}", significant(ratio.value)))
        })
        .collect();
    (!parts.is_empty()).then(|| format!("prompt relative to a fresh one: {}", parts.join(", ")))
}

fn after_warmup(steady: &SteadySummary) -> String {
    let moved = steady.series.iter();
    let moved = moved.filter(|s| s.answer == Steadiness::NotSteady);
    let moved: Vec<String> = moved.map(|s| s.name.replace('_', " ")).collect();
    let all_steady = steady.series.iter().all(|s| s.answer == Steadiness::Steady);
    match (steady.answer, steady.start_up.needed_s) {
        (Steadiness::Steady, _) => "yes, after the warm-up".to_owned(),
        (Steadiness::Undecided, _) if all_steady => "no drift, start-up undecided".to_owned(),
        (Steadiness::Undecided, _) => "undecided".to_owned(),
        (Steadiness::NotSteady, Some(needed)) => format!("no: the start-up took {needed} s"),
        (Steadiness::NotSteady, None) => format!("no: {} changed", moved.join(", ")),
    }
}

fn keeps_up(stability: &StabilitySummary) -> String {
    let answer = match stability.answer {
        KeepsUp::Stable => "stable",
        KeepsUp::Unstable => "unstable",
        KeepsUp::Undecided => "undecided",
    };
    let queue = match stability.emptied {
        Some(true) => "the queue emptied in the last third",
        Some(false) => "the queue never emptied in the last third",
        None => "whether the queue emptied is unknown",
    };
    format!("stability: {answer}, {queue}")
}

fn counts(measured: &OutcomeCounts) -> String {
    let parts = parts([
        (measured.completed, "completed"),
        (measured.failed, "failed"),
        (measured.timed_out, "timed out"),
        (measured.cancelled, "cancelled"),
        (measured.not_sent, "not sent"),
    ]);
    format!("{} measured: {}", count(measured.total), parts)
}

fn reason_line(reason: &ReasonCount) -> String {
    let status = reason.status.map(|s| format!(" (HTTP {s})"));
    format!(
        "{} x {}{}: {}",
        count(reason.count),
        reason.reason.as_str(),
        status.unwrap_or_default(),
        inert(&reason.example, 160)
    )
}
