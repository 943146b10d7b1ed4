//! `--dry-run`: what would be sent, for how long, and what the sample could support.

use crate::load::Load;
use infermeter_core::plan::{History, Plan, RateProfile, Wait, Warmup};
use infermeter_core::schedule::Schedule;
use infermeter_core::slo::parse_percentile;
use infermeter_core::units::Span;
use infermeter_stats::INDICATIVE_TAIL;

/// Percentiles printed by default, in percent.
const DEFAULT_PERCENTILES: [f64; 5] = [50.0, 90.0, 95.0, 99.0, 99.9];

/// Classes named.
const CLASSES_NAMED: usize = 5;

/// The dry run's text.
pub fn dry_run(plan: &Plan, load: &Load) -> String {
    let tokens = load.workload.expected_tokens();
    let mut lines = vec![
        format!("Target      {}", crate::secrets::redact_url(&plan.target)),
        format!(
            "Workload    {}, {:.0} prompt and {:.0} output tokens a request (means)",
            classes(load.workload.classes()),
            tokens.input,
            tokens.output
        ),
    ];
    if let (Some(clients), Schedule::Open(open)) = (&load.clients, &load.schedule) {
        let span = Span(open.window_end.since(open.window_start));
        let described = clients.described(span);
        for (i, line) in described.iter().enumerate() {
            let label = if i == 0 { "Clients" } else { "" };
            lines.push(format!("{label:<12}{line}"));
        }
    }
    if let Some(facts) = load.workload.trace_facts() {
        let rows = format!("{} rows of the format {}", facts.rows, facts.format);
        let label = if plan.dataset.is_some() {
            "Dataset"
        } else {
            "Trace"
        };
        lines.push(format!("{label:<12}{rows}"));
        let remarks = facts.remarks().into_iter();
        lines.extend(remarks.map(|remark| format!("            {remark}")));
    }
    if let Some(texts) = load.workload.texts_before_repeating()
        && load.measured_ids().end > texts
    {
        lines.push(format!(
            "            repeated: {texts} texts are sent before they begin again"
        ));
    }
    lines.extend(sessions(plan, load));
    let measured = match &load.schedule {
        Schedule::Open(_) => open_loop(plan, load, &mut lines),
        Schedule::Closed(_) => closed_loop(plan, &mut lines),
    };
    if let Some(n) = measured {
        lines.push(format!(
            "Tokens      about {:.0} prompt and {:.0} output tokens in the window",
            n as f64 * tokens.input,
            n as f64 * tokens.output
        ));
    }
    lines.push(support(plan, measured));
    if plan.repeat.is_some() || plan.until.is_some() {
        let most = plan.repeat.unwrap_or(crate::repeat::MOST_RUNS);
        let until = plan
            .until
            .map_or_else(String::new, |until| format!(" until {until}"));
        lines.push(format!(
            "Repeated    {most} runs at most{until}, each with its own seeds and salt"
        ));
    }
    lines.push("Nothing was sent.".to_owned());
    lines.join("\n") + "\n"
}

/// Names of classes, the first few of many.
fn classes(names: &[String]) -> String {
    match names.get(..CLASSES_NAMED) {
        Some(first) if names.len() > CLASSES_NAMED => {
            let more = names.len() - first.len();
            format!("{} and {more} more classes", first.join(", "))
        }
        _ => names.join(", "),
    }
}

fn open_loop(plan: &Plan, load: &Load, lines: &mut Vec<String>) -> Option<u64> {
    let Schedule::Open(open) = &load.schedule else {
        return None;
    };
    let seconds = |ns: i64| ns as f64 / 1e9;
    let due = load.due_in_window.unwrap_or(0);
    let means = load.workload.session_means();
    let noun = if means.is_some() {
        "sessions"
    } else {
        "requests"
    };
    let window = seconds(open.window_end.since(open.window_start));
    let rate = load.rate_asked(plan).unwrap_or(0.0);
    let mean = if plan.rate_profile.is_some() || plan.clients.is_some() {
        " on average over the window"
    } else {
        ""
    };
    lines.push(format!(
        "Load        open loop, {rate:.3} {noun}/s asked for{mean}"
    ));
    lines.extend(plan.rate_profile.as_ref().map(profile_line));
    lines.push(format!(
        "Warm-up     {} {noun} in {:.1} s",
        open.measure_from,
        seconds(open.window_start.0)
    ));
    lines.push(format!("Window      {due} {noun} in {window:.1} s"));
    lines.push(format!(
        "Duration    {:.1} s and the answers in flight, at most {:.1} s",
        seconds(open.window_end.0),
        seconds(open.window_end.0) + plan.timeout.as_seconds()
    ));
    // Where turns fall depends on the answers.
    means.is_none().then_some(due)
}

/// What sessions are like, or that rows of a trace wait for each other.
fn sessions(plan: &Plan, load: &Load) -> Vec<String> {
    let waiting = load.workload.waiting();
    if waiting > 0 {
        return vec![format!(
            "Sessions    {waiting} rows wait for the answer to another row, then for their own time"
        )];
    }
    let (Some(means), Ok(Some(sessions))) = (load.workload.session_means(), plan.sessions()) else {
        return Vec::new();
    };
    let mut waits = vec![format!("think {}", sessions.think)];
    if sessions.tool_share > 0.0 {
        let share = sessions.tool_share * 100.0;
        waits.push(format!(
            "tools {} before {share:.0} % of the turns",
            sessions.tool
        ));
    }
    if sessions.pause != Wait::NONE {
        waits.push(format!("pause {}", sessions.pause));
    }
    let history = match sessions.history {
        History::Planned => "planned",
        History::Live => "the server's own words",
    };
    vec![
        format!(
            "Sessions    {:.1} turns in the mean, at most {}; {}",
            means.turns,
            sessions.most_turns(),
            waits.join(", ")
        ),
        format!("            history {history}"),
    ]
}

/// The profile, the rate before it and what follows it.
fn profile_line(profile: &RateProfile) -> String {
    let then = match profile.held() {
        Some(rate) => format!("then {rate}/s"),
        None => format!("repeated every {}", profile.lap()),
    };
    format!(
        "Profile     {profile} from the start of the window, {then}; {:.3}/s during the warm-up",
        profile.warmup_rate()
    )
}

fn closed_loop(plan: &Plan, lines: &mut Vec<String>) -> Option<u64> {
    let slots = plan.concurrency.unwrap_or(0);
    let end = match (plan.requests, plan.duration) {
        (Some(n), Some(d)) => format!("{n} requests or {d}, whichever comes first"),
        (Some(n), None) => format!("{n} requests"),
        (None, Some(d)) => d.to_string(),
        (None, None) => String::new(),
    };
    let what = if plan.sessions.is_empty() {
        "requests in flight"
    } else {
        "users, each with one session at a time"
    };
    lines.push(format!(
        "Load        closed loop, {slots} {what} (self-throttled)"
    ));
    let warmup = plan.warmup();
    let at_most = if plan.warmup.is_none() {
        format!(", at most {}", Warmup::MAX)
    } else {
        String::new()
    };
    lines.push(format!("Warm-up     {warmup}{at_most}"));
    lines.push(format!(
        "Window      {end}; its length depends on the server"
    ));
    plan.requests
}

/// Which percentiles independent samples of this size would support.
fn support(plan: &Plan, measured: Option<u64>) -> String {
    let Some(n) = measured else {
        return "Percentiles depend on how many requests the server completes".to_owned();
    };
    let extra = plan.percentile.iter().filter_map(|p| parse_percentile(p));
    let slo = plan.slo.iter().map(|s| s.percentile);
    let mut all: Vec<f64> = DEFAULT_PERCENTILES
        .into_iter()
        .chain(extra)
        .chain(slo)
        .collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    let cells: Vec<String> = all
        .iter()
        .map(|p| {
            let tail = (1.0 - p / 100.0).min(p / 100.0);
            let needed = (INDICATIVE_TAIL / tail - 1e-6).ceil() as u64;
            if n >= needed {
                format!("p{p} yes")
            } else {
                format!("p{p} needs {needed}")
            }
        })
        .collect();
    format!(
        "Percentiles {} (independent samples; correlated ones support fewer)",
        cells.join(", ")
    )
}
