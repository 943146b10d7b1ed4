//! `--dry-run`: what would be sent in every phase, for how long, and what the sample could support.
//!
//! It sends nothing. Invariant: text and JSON show the same numbers, and what is estimated says so.

use infermeter_core::number::{count, counted};
use infermeter_core::plan::{Balance, History, Plan, RateProfile, Wait, Warmup};
use infermeter_core::run::{FORMAT_VERSION, LoadModel};
use infermeter_core::schedule::Schedule;
use infermeter_core::slo::{Figure, Latency, Statistic, parse_percentile};
use infermeter_core::units::Span;
use infermeter_report::number::{JOIN, figure, percent, significant, span};
use infermeter_report::{Block, Cell, Column, Document, Entries, Section, Table, Tone};
use infermeter_session::clients::Clients;
use infermeter_session::load::Load;
use infermeter_session::redact::redact_url;
use infermeter_stats::INDICATIVE_TAIL;
use infermeter_workload::TraceFacts;
use schemars::JsonSchema;
use serde::Serialize;

/// Percentiles printed by default, in percent.
const DEFAULT_PERCENTILES: [f64; 5] = [50.0, 90.0, 95.0, 99.0, 99.9];

/// Classes named.
const CLASSES_NAMED: usize = 5;

/// Milliseconds a token that the length of the drain is estimated with: an engine under light load.
const MS_PER_TOKEN: f64 = 10.0;

/// Measured requests looked at for the longest answer.
const LOOKED_AT: u64 = 10_000;

/// Everything that a run would send, as far as it is known before it.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DryRun {
    /// Version of the format.
    format_version: u32,
    /// Nothing was sent.
    dry_run: bool,
    /// Where requests would go.
    target: String,
    /// The others, over which the load is spread, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    more_targets: Vec<String>,
    /// The load model.
    load_model: LoadModel,
    /// Names of the classes of requests.
    classes: Vec<String>,
    /// What the phases count: requests, or sessions of several.
    unit: &'static str,
    /// Mean length of a prompt, tokens.
    mean_prompt_tokens: f64,
    /// Mean length of an answer, tokens.
    mean_output_tokens: f64,
    /// What was read of a trace or a dataset; null without one.
    file: Option<TraceFacts>,
    /// Texts of the dataset, after which the first comes again; null without one.
    texts_before_repeating: Option<u64>,
    /// The phase before the window.
    warmup: Part,
    /// The measured phase.
    window: Part,
    /// The phase behind it.
    drain: Drain,
    /// All phases together.
    total: Total,
    /// Tokens of the window's prompts, and of its answers; null where the server decides.
    tokens_in_window: Option<[f64; 2]>,
    /// What the sample could support.
    percentiles: Vec<Support>,
    /// Runs, at most.
    runs_at_most: u32,
    #[serde(skip)]
    about: About,
}

/// A phase; absent is what the server decides.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
struct Part {
    /// Requests, or sessions.
    requests: Option<u64>,
    /// Its length, seconds.
    seconds: Option<f64>,
}

/// The load goes on until every measured request has ended.
#[derive(Debug, Serialize, JsonSchema)]
struct Drain {
    /// As it is expected.
    estimated: Part,
    /// Where the last answer takes as long as it may.
    at_most: Part,
    /// The longest answer that the estimate rests on, tokens.
    longest_answer_tokens: u32,
    /// Milliseconds for each of its tokens.
    ms_per_token: f64,
}

/// All phases of one run together, the drain estimated.
#[derive(Debug, Serialize, JsonSchema)]
struct Total {
    /// With the drain that is expected.
    estimated: Part,
    /// With the longest drain.
    at_most: Part,
    /// Tokens of all prompts, estimated; null where the server decides.
    prompt_tokens: Option<f64>,
    /// Tokens of all answers, estimated.
    output_tokens: Option<f64>,
}

/// Whether the window carries a percentile.
#[derive(Debug, Serialize, JsonSchema)]
struct Support {
    /// The percentile, in percent.
    percentile: f64,
    /// Independent requests that it needs.
    needs: u64,
    /// The window has so many; null where the server decides that.
    supported: Option<bool>,
}

impl Part {
    fn with(self, other: Self) -> Self {
        Self {
            requests: self
                .requests
                .zip(other.requests)
                .map(|(a, b)| a.saturating_add(b)),
            seconds: self.seconds.zip(other.seconds).map(|(a, b)| a + b),
        }
    }
}

impl DryRun {
    /// Counts what a run of `plan` sends.
    pub fn new(plan: &Plan, load: &Load) -> Self {
        let tokens = load.workload.expected_tokens();
        let (warmup, window) = phases(plan, load);
        let drain = drain(plan, load);
        let of = |drain: Part| warmup.with(window).with(drain);
        let estimated = of(drain.estimated);
        let sessions = load.workload.session_means();
        let each = sessions.map_or(1.0, |means| means.turns);
        let times = |mean: f64| Some(estimated.requests? as f64 * each * mean);
        // Where turns fall depends on the answers.
        let measured = window.requests.filter(|_| sessions.is_none());
        Self {
            format_version: FORMAT_VERSION,
            dry_run: true,
            target: redact_url(&plan.target),
            more_targets: plan
                .more_targets
                .iter()
                .map(|url| redact_url(url))
                .collect(),
            load_model: load.model(),
            classes: load.workload.classes().to_vec(),
            unit: match (sessions, load.model()) {
                (Some(_), LoadModel::OpenLoop) => "sessions",
                _ => "requests",
            },
            mean_prompt_tokens: tokens.input,
            mean_output_tokens: tokens.output,
            file: load.workload.trace_facts().cloned(),
            texts_before_repeating: load.workload.texts_before_repeating(),
            total: Total {
                estimated,
                at_most: of(drain.at_most),
                prompt_tokens: times(tokens.input),
                output_tokens: times(tokens.output),
            },
            tokens_in_window: measured.map(|n| [n as f64 * tokens.input, n as f64 * tokens.output]),
            warmup,
            window,
            drain,
            percentiles: support(plan, measured),
            runs_at_most: match (plan.repeat, plan.until) {
                (None, None) => 1,
                (most, _) => most.unwrap_or(infermeter_protocol::MOST_RUNS),
            },
            about: about(plan, load),
        }
    }

    /// For people.
    pub fn document(&self, plan: &Plan) -> Document {
        let mut document = Document::titled("What this run would send");
        let mut entries = Entries::default();
        self.targets(plan, &mut entries);
        entries.add(
            "Workload",
            format!(
                "{}, {} a request (means){}",
                classes(&self.classes),
                tokens(plan, [self.mean_prompt_tokens, self.mean_output_tokens]),
                several(plan)
            ),
        );
        entries.all("Clients", self.about.clients.iter().cloned());
        document.push(
            Section::new("")
                .with(entries)
                .with(self.about.busiest.clone()),
        );
        let mut entries = self.about.entries.clone();
        self.phases(plan, &mut entries);
        entries.add("Percentiles", self.support_line());
        if plan.repeat.is_some() || plan.until.is_some() {
            let until = plan
                .until
                .map_or_else(String::new, |until| format!(" until {until}"));
            let runs = self.runs_at_most;
            let text = format!(
                "{runs} runs at most{until}, each with its own seeds and salt, each as above"
            );
            entries.add("Repeated", text);
        }
        let nothing = Block::Text(Tone::Plain, "Nothing was sent.".to_owned());
        document.push(Section::new("").with(entries).with(nothing));
        document
    }

    /// Where the load goes.
    fn targets(&self, plan: &Plan, entries: &mut Entries) {
        if self.more_targets.is_empty() {
            entries.add("Target", self.target.clone());
            return;
        }
        let all = std::iter::once(&self.target).chain(&self.more_targets);
        entries.all("Targets", all.cloned());
        entries.more(match plan.balance {
            Balance::RoundRobin => "requests go to one after the other",
            Balance::LeastInFlight => "each request goes to the one with the fewest in flight",
        });
    }

    /// What is sent in each phase, and in all.
    fn phases(&self, plan: &Plan, entries: &mut Entries) {
        entries.add("Warm-up", self.part(self.warmup));
        let end = match self.load_model {
            LoadModel::ClosedLoop => "; the server decides the rest",
            LoadModel::OpenLoop | LoadModel::Imported | LoadModel::Observed => "",
        };
        entries.add("Window", format!("{}{end}", self.part(self.window)));
        let about = |estimated, at_most| {
            let (estimated, at_most) = (self.part(estimated), self.part(at_most));
            format!("about {estimated}, at most {at_most}")
        };
        entries.add("Drain", about(self.drain.estimated, self.drain.at_most));
        let until = "an estimate: load goes on until the measured requests have ended";
        entries.more(match plan.endpoint.generates() {
            false => until.to_owned(),
            true => format!(
                "{until}; the longest answer has {} tokens, at {} ms each",
                count(self.drain.longest_answer_tokens.into()),
                self.drain.ms_per_token
            ),
        });
        let all = about(self.total.estimated, self.total.at_most);
        let probes = "a few short probes before it, unless --no-probe";
        entries.add("In all", format!("{all}; {probes}"));
        let in_window = self.tokens_in_window;
        let in_window =
            in_window.map(|means| format!("about {} in the window", tokens(plan, means)));
        let in_all = self.total.prompt_tokens.zip(self.total.output_tokens);
        let in_all = in_all
            .map(|(prompt, output)| format!("about {} in all", tokens(plan, [prompt, output])));
        entries.all("Tokens", [in_window, in_all].into_iter().flatten());
    }

    /// `198 requests in 20.0 s`.
    fn part(&self, part: Part) -> String {
        let unit = self.unit.trim_end_matches('s');
        let counted = part.requests.map(|n| counted(n, unit));
        let counted = counted.unwrap_or_else(|| format!("{} as the server answers", self.unit));
        match part.seconds {
            Some(seconds) => format!("{counted} in{JOIN}{}", span(seconds)),
            None => counted,
        }
    }

    fn support_line(&self) -> String {
        let cell = |s: &Support| match s.supported {
            Some(true) => Some(format!("p{}{JOIN}yes", s.percentile)),
            Some(false) => Some(format!(
                "p{}{JOIN}needs{JOIN}{}",
                s.percentile,
                count(s.needs)
            )),
            None => None,
        };
        let cells: Option<Vec<String>> = self.percentiles.iter().map(cell).collect();
        match cells {
            Some(cells) => format!(
                "{} (independent samples; correlated ones support fewer)",
                cells.join(", ")
            ),
            None => "depend on how many requests the server completes".to_owned(),
        }
    }
}

/// What is known before the phases are counted, as it is told.
#[derive(Debug, Default)]
struct About {
    clients: Vec<String>,
    busiest: Table,
    entries: Entries,
}

/// A whole number with its thousands apart.
fn whole(x: f64) -> String {
    figure(x.round())
}

/// `500 prompt and 128 output tokens`; without the latter where nothing is generated.
fn tokens(plan: &Plan, [prompt, output]: [f64; 2]) -> String {
    match plan.endpoint.generates() {
        true => format!(
            "{} prompt and {} output tokens",
            whole(prompt),
            whole(output)
        ),
        false => format!("{} prompt tokens", whole(prompt)),
    }
}

/// `; 64 inputs in each, and no output: answers hold numbers`.
fn several(plan: &Plan) -> String {
    let noun = plan.endpoint.api().input.items();
    let counts = plan.item_counts().zip(noun);
    counts.map_or_else(String::new, |(counts, noun)| {
        let items = counts.items;
        let noun = match items {
            1 => noun.trim_end_matches('s'),
            _ => noun,
        };
        let query = counts
            .query_tokens
            .map(|tokens| format!(" and a query of {tokens} tokens"));
        let query = query.unwrap_or_default();
        format!("; {items} {noun}{query} in each; no output: answers hold numbers")
    })
}

/// Warm-up and window.
fn phases(plan: &Plan, load: &Load) -> (Part, Part) {
    match &load.schedule {
        Schedule::Open(open) => (
            Part {
                requests: Some(open.measure_from as u64),
                seconds: Some(seconds(open.window_start.0)),
            },
            Part {
                requests: load.due_in_window,
                seconds: Some(seconds(open.window_end.since(open.window_start))),
            },
        ),
        Schedule::Closed(closed) => (
            Part {
                requests: (closed.warmup_ns == 0).then_some(closed.warmup_requests),
                seconds: (closed.warmup_requests == 0).then_some(seconds(closed.warmup_ns)),
            },
            Part {
                requests: plan.requests,
                seconds: plan.duration.map(Span::as_seconds),
            },
        ),
    }
}

/// What is sent until the measured requests have ended.
fn drain(plan: &Plan, load: &Load) -> Drain {
    let ids = load.measured_ids();
    let ids = ids.start..ids.end.min(ids.start.saturating_add(LOOKED_AT));
    let longest = match &load.schedule {
        Schedule::Open(open) => (open.measure_from..open.drain_from)
            .take(LOOKED_AT as usize)
            .map(|index| load.workload.spec(open.ids.id(index)).output_tokens)
            .max(),
        Schedule::Closed(_) => ids.map(|id| load.workload.spec(id).output_tokens).max(),
    };
    let longest = longest.unwrap_or(0);
    let most = plan.timeout.as_seconds();
    let lasts = (f64::from(longest) * MS_PER_TOKEN / 1e3).min(most);
    let part = |lasts: f64| Part {
        requests: arrivals(plan, load, lasts),
        seconds: Some(lasts),
    };
    Drain {
        estimated: part(lasts),
        at_most: part(most),
        longest_answer_tokens: longest,
        ms_per_token: MS_PER_TOKEN,
    }
}

/// Requests that begin in so many seconds of drain; in a closed loop each slot sends one answer of
/// the mean length after the other.
fn arrivals(plan: &Plan, load: &Load, lasts: f64) -> Option<u64> {
    match &load.schedule {
        Schedule::Open(open) => {
            let end = open.window_end.plus((lasts * 1e9) as i64);
            let after = open.arrivals.get(open.drain_from..).unwrap_or_default();
            Some(after.partition_point(|at| *at < end) as u64)
        }
        Schedule::Closed(_) => {
            let mean = load.workload.expected_tokens().output * MS_PER_TOKEN / 1e3;
            let laps = if mean > 0.0 { lasts / mean } else { 0.0 };
            Some((f64::from(plan.concurrency?) * laps).round() as u64)
        }
    }
}

fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

/// What is known about clients, files, sessions and the load.
fn about(plan: &Plan, load: &Load) -> About {
    let mut about = About::default();
    if let (Some(clients), Schedule::Open(open)) = (&load.clients, &load.schedule) {
        about.clients = clients.facts();
        about.busiest = busiest(clients, Span(open.window_end.since(open.window_start)));
    }
    let mut file: Vec<String> = Vec::new();
    if let Some(facts) = load.workload.trace_facts() {
        file.push(of_file(plan, facts));
        file.extend(facts.remarks());
    }
    if let Some(texts) = load.workload.texts_before_repeating()
        && load.measured_ids().end > texts
    {
        let texts = counted(texts, "text");
        file.push(format!(
            "repeated: {texts} are sent before they begin again"
        ));
    }
    let label = if plan.dataset.is_some() {
        "Dataset"
    } else {
        "Trace"
    };
    about.entries.all(label, file.into_iter());
    about
        .entries
        .all("Sessions", sessions(plan, load).into_iter());
    match &load.schedule {
        Schedule::Open(_) => open_loop(plan, load, &mut about.entries),
        Schedule::Closed(_) => closed_loop(plan, &mut about.entries),
    }
    about
}

/// The busiest clients of a profile.
fn busiest(clients: &Clients, span: Span) -> Table {
    let columns = vec![
        Column::right("requests/s"),
        Column::right("share"),
        Column::right("gaps CV"),
        Column::right("prompt").of("mean tokens"),
        Column::right("answer").of("mean tokens"),
    ];
    let mut table = Table::new("client", columns);
    let (named, rest) = clients.busiest(span);
    for client in named.into_iter().chain(rest) {
        let cells = vec![
            Cell::of(significant(client.requests_per_s)),
            Cell::of(percent(client.share)),
            Cell::or_dash(client.gaps_cv.map(figure)),
            Cell::or_dash(client.mean_tokens.map(|(prompt, _)| whole(prompt))),
            Cell::or_dash(client.mean_tokens.map(|(_, answer)| whole(answer))),
        ];
        table.row(client.name, cells);
    }
    table
}

fn of_file(plan: &Plan, facts: &TraceFacts) -> String {
    let unit = facts.time_unit.map(|unit| {
        let mut options = plan.trace_option.iter();
        let whose = match options.any(|o| o.trim().starts_with("time-unit")) {
            true => "as declared",
            false => "the format's unit",
        };
        format!(", times in {} ({whose})", unit.name())
    });
    let unit = unit.unwrap_or_default();
    let rows = counted(facts.rows, "row");
    format!("{rows} of the format {}{unit}", facts.format)
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

fn open_loop(plan: &Plan, load: &Load, entries: &mut Entries) {
    let noun = match load.workload.session_means() {
        Some(_) => "sessions",
        None => "requests",
    };
    let rate = significant(load.rate_asked(plan.seeds().schedule).unwrap_or(0.0));
    let mean = if plan.rate_profile.is_some() || plan.clients.is_some() {
        " on average over the window"
    } else {
        ""
    };
    entries.add(
        "Load",
        format!("open loop, {rate} {noun}/s asked for{mean}"),
    );
    entries.maybe("Profile", plan.rate_profile.as_ref().map(profile_line));
}

/// What sessions are like, or that rows of a trace wait for each other.
fn sessions(plan: &Plan, load: &Load) -> Vec<String> {
    let waiting = load.workload.waiting();
    if waiting > 0 {
        return vec![format!(
            "{waiting} rows wait for the answer to another row, then for their own time"
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
            "{} turns on average, at most {}; {}",
            significant(means.turns),
            sessions.most_turns(),
            waits.join(", ")
        ),
        format!("history {history}"),
    ]
}

/// The profile, the rate before it and what follows it.
fn profile_line(profile: &RateProfile) -> String {
    let then = match profile.held() {
        Some(rate) => format!("then {rate}/s"),
        None => format!("repeated every {}", profile.lap()),
    };
    format!(
        "{profile} from the start of the window, {then}; {}/s during the warm-up",
        significant(profile.warmup_rate())
    )
}

fn closed_loop(plan: &Plan, entries: &mut Entries) {
    let slots = plan.concurrency.unwrap_or(0);
    let what = if plan.sessions.is_empty() {
        "requests in flight"
    } else {
        "users, each with one session at a time"
    };
    let warmup = plan.warmup();
    let at_most = if plan.warmup.is_none() {
        format!(", at most {}", Warmup::MAX)
    } else {
        String::new()
    };
    entries.add(
        "Load",
        format!("closed loop, {slots} {what} (self-throttled)"),
    );
    entries.more(format!("warm-up {warmup}{at_most}"));
}

/// Which percentiles independent samples of this size would support.
fn support(plan: &Plan, measured: Option<u64>) -> Vec<Support> {
    let extra = plan.percentile.iter().filter_map(|p| parse_percentile(p));
    let slo = plan.slo.iter();
    let slo = slo.filter_map(|slo| match slo.of.figure {
        Figure::Latency(Latency {
            statistic: Statistic::Percentile(percentile),
            ..
        }) => Some(percentile),
        _ => None,
    });
    let mut all: Vec<f64> = DEFAULT_PERCENTILES
        .into_iter()
        .chain(extra)
        .chain(slo)
        .collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    let support = |percentile: f64| {
        let tail = (1.0 - percentile / 100.0).min(percentile / 100.0);
        let needs = (INDICATIVE_TAIL / tail - 1e-6).ceil() as u64;
        Support {
            percentile,
            needs,
            supported: measured.map(|n| n >= needs),
        }
    };
    all.into_iter().map(support).collect()
}
