//! What Prometheus holds at the end of a run, beside what the run's record and its `run.json` say.
//!
//! Invariant: a difference is an error that names both.

use super::server::Server;
use anyhow::{Context, Result, bail};
use infermeter_core::record::Outcome;
use infermeter_core::schedule::Phase;
use infermeter_record::{read_manifest, read_records};
use serde_json::Value;
use std::path::Path;

/// How far back a last value may lie: no run of ours takes longer.
const BACK: &str = "[10m]";
/// Sums of seconds are added up in another order there.
const RELATIVE: f64 = 1e-6;
/// The width of a bucket, from its lower to its upper bound.
const BUCKET: f64 = 1.1893; // 2^(1/4)

/// Compares everything that both know.
pub(super) fn compare(server: &Server, directory: &Path) -> Result<()> {
    let manifest = read_manifest(directory)?;
    let run = format!("run_id=\"{}\"", manifest.run_id);
    let records = read_records(directory)?;
    let mut compared = 0;
    for phase in [Phase::Warmup, Phase::Measure, Phase::Drain] {
        for outcome in Outcome::ALL {
            let (phase_name, name) = (phase.as_str(), outcome.as_str());
            let query = format!(
                "sum(last_over_time(infermeter_requests_total{{{run}, phase=\"{phase_name}\", \
                 outcome=\"{name}\"}}{BACK}))"
            );
            let expect = records
                .iter()
                .filter(|r| r.phase == phase && r.outcome == outcome);
            let there = value(server, &query)?.unwrap_or(0.0);
            equal(
                &format!("{name} in {phase_name}"),
                there,
                expect.count() as f64,
            )?;
            compared += 1;
        }
    }
    let summary = manifest.summary.context("the run has no summary")?;
    let measured = format!("{run}, phase=\"measure\"");
    let last = |name: &str| {
        let query = format!("sum(last_over_time({name}{{{measured}}}{BACK}))");
        value(server, &query)?.with_context(|| format!("no {name} in Prometheus"))
    };
    for (name, place) in [
        ("time_to_first_token", "/latency/ttft/intended"),
        ("request_duration", "/latency/e2e/intended"),
        ("inter_token_latency", "/latency/itl"),
        ("send_lag", "/client/send_lag"),
    ] {
        let name = format!("infermeter_{name}_seconds");
        let of_run = summary
            .pointer(place)
            .with_context(|| format!("no {place} in run.json"))?;
        let (count, sum) = (
            last(&format!("{name}_count"))?,
            last(&format!("{name}_sum"))?,
        );
        equal(&format!("{name}_count"), count, number(of_run, "/n")?)?;
        let mean_ms = number(of_run, "/mean/value").or_else(|_| number(of_run, "/mean"))?;
        equal(&format!("mean of {name}"), sum / count, mean_ms / 1e3)?;
        compared += 2;
    }
    let query = format!(
        "sum(last_over_time(infermeter_tokens_total{{{measured}, kind=\"output\"}}{BACK}))"
    );
    let tokens = value(server, &query)?.context("no output tokens in Prometheus")?;
    equal(
        "output tokens",
        tokens,
        number(&summary, "/tokens/output_tokens")?,
    )?;
    median(server, &measured, &records)?;
    println!(
        "    Prometheus holds what the record says: {} figures of {} requests",
        compared + 2,
        records.len()
    );
    Ok(())
}

/// The median TTFT by Prometheus' own estimate lies within a bucket of the exact one.
fn median(
    server: &Server,
    measured: &str,
    records: &[infermeter_core::record::RequestRecord],
) -> Result<()> {
    let query = format!(
        "histogram_quantile(0.5, sum by (le) (last_over_time(\
         infermeter_time_to_first_token_seconds_bucket{{{measured}}}{BACK})))"
    );
    let there = value(server, &query)?.context("no median in Prometheus")?;
    let done = records
        .iter()
        .filter(|r| r.phase == Phase::Measure && r.outcome == Outcome::Completed);
    let mut exact: Vec<i64> = done
        .filter_map(|r| Some(r.chunks.first()?.at.since(r.intended)))
        .collect();
    exact.sort_unstable();
    let middle = exact
        .len()
        .div_ceil(2)
        .checked_sub(1)
        .context("no request was completed")?;
    let exact = exact[middle] as f64 / 1e9;
    let ratio = there / exact;
    if !(1.0 / BUCKET..=BUCKET).contains(&ratio) {
        bail!(
            "the median TTFT is {exact} s, and {there} s by Prometheus: more than a bucket apart"
        );
    }
    println!("    median TTFT {exact:.4} s, by Prometheus' histogram_quantile {there:.4} s");
    Ok(())
}

/// The only value of a query; absent where nothing was found.
fn value(server: &Server, query: &str) -> Result<Option<f64>> {
    let found = server.instant(query)?;
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.value)),
        [one, ..] => bail!("{query}: several series, {} among them", one.labels),
    }
}

fn number(value: &Value, place: &str) -> Result<f64> {
    let found = value.pointer(place).and_then(Value::as_f64);
    found.with_context(|| format!("no number at {place} in run.json"))
}

fn equal(what: &str, there: f64, here: f64) -> Result<()> {
    let near = (there - here).abs() <= RELATIVE * here.abs();
    // Not a number is near to nothing.
    if !near {
        bail!("{what}: Prometheus says {there}, the record {here}");
    }
    Ok(())
}
