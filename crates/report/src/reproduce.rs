//! What another team needs to measure the same again: the command, what was sent, when, from where, with what
//! checked. What is not known says so.
//!
//! Hardware, model and engine have a section of their own (`run::context`).

use crate::document::{Entries, Section};
use crate::number::{bytes, significant};
use infermeter_analysis::Summary;
use infermeter_core::certificate::Citation;
use infermeter_core::key::line;
use infermeter_core::number::count;
use infermeter_core::plan::Plan;
use infermeter_core::run::{LoadModel, RunManifest};

/// What is said of a load that a proxy saw.
pub(crate) const OBSERVED: &str = "its users' own, as it went through a proxy";

/// What is said of what nobody knows.
const UNKNOWN: &str = "unknown";

/// The lines.
pub(crate) fn section(summary: &Summary, manifest: &RunManifest) -> Section {
    let plan = &manifest.plan;
    let mut entries = Entries::default();
    if let Some(from) = &manifest.imported {
        entries.add("Command", format!("infermeter import {}", from.file));
        entries.add("Load", load(summary, manifest));
        entries.add("Samples", samples(summary));
        entries.add("Record", record(manifest));
        return Section::new("To make this record again").with(entries);
    }
    if manifest.load_model == LoadModel::Observed {
        entries.add("Load", load(summary, manifest));
        entries.add(
            "Again",
            "no command makes it again; `infermeter record` keeps such a load so that it can be sent again",
        );
        entries.add("Samples", samples(summary));
        entries.add("Record", record(manifest));
        return Section::new("To measure this again").with(entries);
    }
    entries.add("Command", command(plan));
    entries.add("Workload", workload(manifest));
    entries.add("Seeds", seeds(manifest));
    entries.add("Load", load(summary, manifest));
    entries.add("Time", time(summary));
    entries.add("Samples", samples(summary));
    entries.add("Target", target(manifest));
    entries.add("Client", client(manifest));
    entries.add("Calibration", calibration(manifest.calibration.as_ref()));
    entries.add("Record", record(manifest));
    Section::new("To measure this again").with(entries)
}

/// The command line; secrets stand as `***` in a saved plan.
fn command(plan: &Plan) -> String {
    format!("infermeter run {}", line(plan))
}

/// What was said, or that nobody knows.
fn known(text: Option<impl ToString>) -> String {
    text.map_or_else(|| UNKNOWN.to_owned(), |text| text.to_string())
}

fn workload(manifest: &RunManifest) -> String {
    let side = &manifest.environment.workload;
    let mut text = format!(
        "sha256 {}, tokens counted by {}",
        known(side.sha256.as_ref()),
        known(side.tokenizer.as_ref())
    );
    if let Some(sent) = &side.sent_sha256 {
        text += &format!(", bytes sent sha256 {sent}");
    }
    let lengths = side.expected_prompt_tokens.zip(side.expected_output_tokens);
    if let Some((prompt, output)) = lengths {
        let (prompt, output) = (significant(prompt), significant(output));
        text += &format!(", on average {prompt} prompt and {output} output tokens asked for");
    }
    text
}

fn seeds(manifest: &RunManifest) -> String {
    let seeds = manifest.seeds;
    let salt = manifest.environment.workload.salt;
    format!(
        "workload {}, schedule {}; salt {} (with --salt the same bytes are sent again)",
        seeds.workload,
        seeds.schedule,
        known(salt)
    )
}

fn load(summary: &Summary, manifest: &RunManifest) -> String {
    let schedule = manifest.environment.workload.schedule_sha256.as_ref();
    match manifest.load_model {
        LoadModel::OpenLoop => {
            format!(
                "{}, instants sha256 {}",
                conditions(summary, manifest),
                known(schedule)
            )
        }
        LoadModel::ClosedLoop | LoadModel::Imported | LoadModel::Observed => {
            conditions(summary, manifest)
        }
    }
}

/// `open loop, 20 requests/s`: the load under which every figure of the run was taken.
fn conditions(summary: &Summary, manifest: &RunManifest) -> String {
    let plan = &manifest.plan;
    match summary.load_model {
        LoadModel::ClosedLoop => {
            let slots = plan.concurrency.map(|n| count(u64::from(n)));
            format!("closed loop, {} in flight", known(slots))
        }
        LoadModel::Imported => imported(plan),
        LoadModel::Observed => OBSERVED.to_owned(),
        LoadModel::OpenLoop => match (&plan.rate_profile, manifest.rate_asked) {
            (Some(_), _) => "open loop, rate by a profile".to_owned(),
            (None, Some(rate)) => format!("open loop, {} requests/s", significant(rate)),
            (None, None) => "open loop, at the instants of a trace".to_owned(),
        },
    }
}

/// `imported, 20 requests/s asked for`: what the other tool says of its load.
pub(crate) fn imported(plan: &Plan) -> String {
    let load = match (plan.rate, plan.concurrency) {
        (Some(rate), _) => format!("{} requests/s asked for", significant(rate)),
        (None, Some(slots)) => format!("{} in flight asked for", count(u64::from(slots))),
        (None, None) => "its load is unknown".to_owned(),
    };
    format!("imported, {load}")
}

fn time(summary: &Summary) -> String {
    let seconds = |s: Option<f64>| s.map(|s| format!("{} s", significant(s)));
    format!(
        "warm-up {} ({} asked for), measured for {}",
        known(seconds(summary.warmup.seconds)),
        summary.warmup.asked,
        known(seconds(summary.window_s))
    )
}

fn samples(summary: &Summary) -> String {
    let measured = &summary.requests.measured;
    format!(
        "{} measured requests, {} completed; {} before the window",
        count(measured.total),
        count(measured.completed),
        count(summary.warmup.requests)
    )
}

fn target(manifest: &RunManifest) -> String {
    let side = &manifest.environment.target;
    let same = match side.same_host.or(side.loopback) {
        Some(true) => "on the client's host",
        Some(false) => "on another host",
        None => "on a host that is not known",
    };
    let url = side.url.as_ref().unwrap_or(&manifest.plan.target);
    format!("{url}, model {}, {same}", manifest.model)
}

fn client(manifest: &RunManifest) -> String {
    let side = &manifest.environment.client;
    let host = side.host.clone().unwrap_or_default();
    let guest = host.virtualization.map(|of| format!(", guest of {of}"));
    format!(
        "infermeter {}, {} threads, {}; {}, {} cores, {} memory, kernel {}, governor {}{}",
        manifest.infermeter_version,
        known(side.threads),
        side.io.as_ref().map_or(UNKNOWN, |io| &io.receives_with),
        host.cpu.as_deref().unwrap_or("CPU unknown"),
        known(host.cores),
        known(host.memory_bytes.map(bytes)),
        known(host.kernel),
        known(host.governor),
        guest.unwrap_or_default()
    )
}

fn calibration(citation: Option<&Citation>) -> String {
    let Some(citation) = citation else {
        return "none: `infermeter calibrate` says how far this client's instants are off"
            .to_owned();
    };
    let stale = match citation.stale.is_empty() {
        true => String::new(),
        false => format!(
            "; does not hold for this run: {}",
            citation.stale.join(", ")
        ),
    };
    format!(
        "{}, sha256 {}{stale}",
        known(citation.created.as_ref()),
        known(citation.sha256.as_ref())
    )
}

fn record(manifest: &RunManifest) -> String {
    let plan = match manifest.plan_hash.is_empty() {
        true => UNKNOWN,
        false => &manifest.plan_hash,
    };
    format!("run {}, plan sha256 {plan}", manifest.run_id)
}
