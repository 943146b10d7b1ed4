//! Four tables: runs, figures, findings, requests. Every row names its run.
//!
//! As RFC 4180 has it: commas, quotes doubled, CRLF within quotes kept. A missing value is an empty field, an
//! infinite one `inf`. Invariant: no text that a server or a user wrote is a formula where a spreadsheet opens it:
//! one that begins with `=`, `+`, `-` or `@` gets an apostrophe in front.

use super::figures::{self, Figure};
use super::foreign::is_completed;
use super::loss;
use super::out::Out;
use super::run::ExportedRun;
use super::setup::{SetUp, measured};
use super::{Losses, Writer};
use infermeter_core::clock::Offset;
use infermeter_core::declared::Subject;
use infermeter_core::finding::Severity;
use infermeter_core::run::LoadModel;
use infermeter_core::text::csv_field;
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::request_metric::RequestMetric;
use std::borrow::Cow;
use std::io::{self, Write};

/// Longest text of a field, bytes.
const MOST_TEXT: usize = 32_000;

/// The tables.
#[derive(Default)]
pub(crate) struct Tables {
    begun: bool,
}

/// A field.
enum Field<'a> {
    Absent,
    Text(Cow<'a, str>),
    Whole(i128),
    Number(f64),
}

impl<T: Into<Field<'static>>> From<Option<T>> for Field<'_> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Field::Absent, Into::into)
    }
}

impl From<&'static str> for Field<'_> {
    fn from(text: &'static str) -> Self {
        Field::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Field<'_> {
    fn from(text: String) -> Self {
        Field::Text(Cow::Owned(text))
    }
}

impl From<f64> for Field<'_> {
    fn from(number: f64) -> Self {
        Field::Number(number)
    }
}

impl From<u64> for Field<'_> {
    fn from(number: u64) -> Self {
        Field::Whole(i128::from(number))
    }
}

impl From<u32> for Field<'_> {
    fn from(number: u32) -> Self {
        Field::Whole(i128::from(number))
    }
}

impl From<bool> for Field<'_> {
    fn from(flag: bool) -> Self {
        Field::Text(Cow::Borrowed(if flag { "true" } else { "false" }))
    }
}

/// Text of whoever.
fn text(of: &str) -> Field<'_> {
    Field::Text(Cow::Borrowed(of))
}

/// The same, where there is one.
fn said(of: Option<&String>) -> Field<'_> {
    of.map_or(Field::Absent, |of| text(of))
}

/// A column: its name, and what a row has there.
type Column<T> = (&'static str, for<'a> fn(&'a T) -> Field<'a>);

struct RunRow<'a> {
    run: &'a ExportedRun<'a>,
    set_up: SetUp<'a>,
}

fn run_columns<'r>() -> Vec<Column<RunRow<'r>>> {
    vec![
        ("run", |r| text(&r.run.name)),
        ("directory", |r| text(&r.run.directory)),
        ("run_id", |r| text(&r.run.manifest.run_id)),
        ("begun", |r| r.run.begun().into()),
        ("verdict", |r| r.run.verdict.as_str().into()),
        ("variant", |r| r.run.variant.map(|n| n as u64).into()),
        ("model", |r| text(&r.run.manifest.model)),
        ("target", |r| text(&r.run.manifest.plan.target)),
        ("load_model", |r| {
            load_model(r.run.summary.load_model).into()
        }),
        ("headline_origin", |r| {
            r.run.summary.headline_origin.as_str().into()
        }),
        ("rate_asked", |r| r.run.manifest.rate_asked.into()),
        ("concurrency", |r| r.run.manifest.plan.concurrency.into()),
        ("streaming", |r| r.run.summary.streaming.into()),
        ("window_s", |r| r.run.summary.window_s.into()),
        ("requests", |r| (measured(r.run.collected) as u64).into()),
        ("completed", |r| {
            r.run.summary.requests.measured.completed.into()
        }),
        ("failed", |r| r.run.summary.requests.measured.failed.into()),
        ("timed_out", |r| {
            r.run.summary.requests.measured.timed_out.into()
        }),
        ("cancelled", |r| {
            r.run.summary.requests.measured.cancelled.into()
        }),
        ("not_sent", |r| {
            r.run.summary.requests.measured.not_sent.into()
        }),
        ("gpu", |r| r.set_up.text(Subject::Hardware, "gpu").into()),
        ("gpus", |r| r.set_up.gpus().into()),
        ("engine", |r| r.set_up.engine().into()),
        ("workload_seed", |r| {
            let seed = r.run.manifest.seeds.workload;
            r.run.is_planned().then_some(seed).into()
        }),
        ("plan_hash", |r| text(&r.run.manifest.plan_hash)),
        ("infermeter_version", |r| {
            text(&r.run.manifest.infermeter_version)
        }),
    ]
}

const FIGURES: &[Column<Figure>] = &[
    ("metric", |f| f.metric.into()),
    ("origin", |f| f.origin.map(Origin::as_str).into()),
    ("statistic", |f| text(&f.statistic)),
    ("population", |f| {
        match f.with_failures {
            true => "failures as infinity",
            false => "completed",
        }
        .into()
    }),
    ("unit", |f| f.unit.into()),
    ("value", |f| f.value.into()),
    ("low", |f| f.low.into()),
    ("high", |f| f.high.into()),
    ("n", |f| f.n.into()),
    ("effective_n", |f| f.effective_n.into()),
    ("grade", |f| f.grade.into()),
];

struct RequestRow<'a> {
    of: &'a RequestFacts,
    error: Option<String>,
    finish_reason: Option<String>,
    class: &'a str,
    /// Where latencies from the intended send mean something.
    scheduled: bool,
    run: &'a ExportedRun<'a>,
}

impl RequestRow<'_> {
    fn ms(&self, metric: RequestMetric, origin: Origin) -> Option<f64> {
        let meant = origin == Origin::Send || self.scheduled;
        let value = metric.value_ms(self.of, origin);
        value.filter(|_| meant && is_completed(self.of))
    }

    /// Seconds of an instant, where it is one.
    fn seconds(&self, at: Option<Offset>) -> Option<f64> {
        at.filter(|_| self.run.is_timed()).map(seconds)
    }

    /// Tokens asked for, where it was infermeter that asked.
    fn asked(&self, tokens: u32) -> Option<u32> {
        self.run.is_planned().then_some(tokens)
    }
}

fn request_columns<'r>() -> Vec<Column<RequestRow<'r>>> {
    vec![
        ("id", |r| r.of.id.into()),
        ("class", |r| text(r.class)),
        ("session", |r| r.of.turn.map(|t| t.session).into()),
        ("turn", |r| r.of.turn.map(|t| t.number).into()),
        ("phase", |r| r.of.phase.as_str().into()),
        ("outcome", |r| r.of.outcome.as_str().into()),
        ("reason", |r| {
            r.of.reason.map(|reason| reason.as_str()).into()
        }),
        ("status", |r| r.of.status.map(u32::from).into()),
        ("error", |r| said(r.error.as_ref())),
        ("finish_reason", |r| said(r.finish_reason.as_ref())),
        ("intended_s", |r| {
            let scheduled = r.scheduled.then_some(r.of.intended);
            scheduled.map(seconds).into()
        }),
        ("sent_s", |r| r.seconds(r.of.send_start).into()),
        ("first_token_s", |r| r.seconds(r.of.chunks.first).into()),
        ("last_token_s", |r| r.seconds(r.of.chunks.last).into()),
        ("closed_s", |r| r.seconds(r.of.closed).into()),
        ("send_lag_ms", |r| {
            let lag = RequestMetric::SendLag.value_ms(r.of, Origin::Send);
            lag.filter(|_| r.scheduled).into()
        }),
        ("ttft_intended_ms", |r| {
            r.ms(RequestMetric::Ttft, Origin::Intended).into()
        }),
        ("ttft_send_ms", |r| {
            r.ms(RequestMetric::Ttft, Origin::Send).into()
        }),
        ("ttfo_send_ms", |r| {
            r.ms(RequestMetric::Ttfo, Origin::Send).into()
        }),
        ("tpot_ms", |r| {
            r.ms(RequestMetric::Tpot, Origin::Send).into()
        }),
        ("ntpot_send_ms", |r| {
            r.ms(RequestMetric::Ntpot, Origin::Send).into()
        }),
        ("e2e_intended_ms", |r| {
            r.ms(RequestMetric::E2e, Origin::Intended).into()
        }),
        ("e2e_send_ms", |r| {
            r.ms(RequestMetric::E2e, Origin::Send).into()
        }),
        ("requested_prompt_tokens", |r| {
            r.asked(r.of.requested_prompt_tokens).into()
        }),
        ("requested_output_tokens", |r| {
            r.asked(r.of.requested_output_tokens).into()
        }),
        ("prompt_tokens", |r| r.of.prompt_tokens.into()),
        ("cached_tokens", |r| r.of.cached_tokens.into()),
        ("output_tokens", |r| r.of.output_token_count().into()),
        ("reasoning_tokens", |r| r.of.reasoning_tokens.into()),
        ("token_source", |r| {
            r.of.token_source.map(|source| source.as_str()).into()
        }),
        ("chunks", |r| (r.of.chunks.count as u64).into()),
        ("new_connection", |r| r.of.new_connection.into()),
        ("attempts", |r| u32::from(r.of.attempts).into()),
        ("stamp_source", |r| {
            r.of.stamp_source.map(|source| source.as_str()).into()
        }),
    ]
}

const FINDINGS: [&str; 6] = ["run", "code", "severity", "message", "evidence", "advice"];

fn load_model(of: LoadModel) -> &'static str {
    match of {
        LoadModel::OpenLoop => "open_loop",
        LoadModel::ClosedLoop => "closed_loop",
        LoadModel::Imported => "imported",
        LoadModel::Observed => "observed",
    }
}

fn severity(of: Severity) -> &'static str {
    match of {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

fn seconds(at: Offset) -> f64 {
    at.0 as f64 / 1e9
}

impl Writer for Tables {
    fn run(&mut self, run: &ExportedRun<'_>, out: &mut dyn Out) -> io::Result<Losses> {
        if !self.begun {
            self.begun = true;
            header(out.file("runs.csv")?, &run_columns(), "")?;
            header(out.file("figures.csv")?, FIGURES, "run,")?;
            writeln!(out.file("findings.csv")?, "{}", FINDINGS.join(","))?;
            header(out.file("requests.csv")?, &request_columns(), "run,")?;
        }
        let set_up = SetUp::of(run.manifest);
        row(
            out.file("runs.csv")?,
            &run_columns(),
            None,
            &RunRow { run, set_up },
        )?;
        let figures = out.file("figures.csv")?;
        for figure in figures::of(run.summary) {
            row(figures, FIGURES, Some(&run.name), &figure)?;
        }
        findings(run, out.file("findings.csv")?)?;
        requests(run, out.file("requests.csv")?)?;
        Ok(loss::untimed(run).into_iter().collect())
    }
}

fn findings(run: &ExportedRun<'_>, out: &mut dyn Write) -> io::Result<()> {
    for finding in run.findings() {
        let fields = [
            text(&run.name),
            text(&finding.code),
            severity(finding.severity).into(),
            text(&finding.message),
            text(&finding.evidence),
            text(&finding.advice),
        ];
        line(out, fields.into_iter())?;
    }
    Ok(())
}

fn requests(run: &ExportedRun<'_>, out: &mut dyn Write) -> io::Result<()> {
    let scheduled = run.summary.headline_origin == Origin::Intended;
    let mut facts = run.collected.requests.iter();
    let columns = request_columns();
    run.records.each(&mut |record| {
        let Some(of) = facts.next() else {
            return Ok(());
        };
        let class = run.manifest.classes.get(usize::from(record.class));
        let of = RequestRow {
            of,
            error: record.error.as_ref().map(|error| error.text.clone()),
            finish_reason: record.finish_reason.clone(),
            class: class.map_or("", String::as_str),
            scheduled,
            run,
        };
        row(out, &columns, Some(&run.name), &of)
    })
}

fn header<T>(out: &mut dyn Write, columns: &[Column<T>], before: &str) -> io::Result<()> {
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    writeln!(out, "{before}{}", names.join(","))
}

fn row<T>(out: &mut dyn Write, columns: &[Column<T>], run: Option<&str>, of: &T) -> io::Result<()> {
    let fields = columns.iter().map(|(_, field)| field(of));
    line(out, run.map(text).into_iter().chain(fields))
}

fn line<'a>(out: &mut dyn Write, fields: impl Iterator<Item = Field<'a>>) -> io::Result<()> {
    for (index, field) in fields.enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        match field {
            Field::Absent => {}
            Field::Whole(number) => write!(out, "{number}")?,
            Field::Number(number) => write!(out, "{number}")?,
            Field::Text(text) => {
                out.write_all(csv_field(&text, MOST_TEXT).as_bytes())?;
            }
        }
    }
    out.write_all(b"\n")
}
