//! The simulator's truth log as a Parquet table: one row per generation request.
//!
//! While it serves, the simulator writes JSON lines beside the table's name; at the end they become
//! the table. A killed simulator leaves the lines.

use anyhow::{Context, Result};
use infermeter_mock::truth::{self, ArrivalSource, RequestEnd, Truth, TruthRequest};
use infermeter_record::{TableColumn, write_table};
use std::path::{Path, PathBuf};

/// Whether a truth log's name asks for a table.
pub(crate) fn is_asked_for(path: &Path) -> bool {
    path.extension().is_some_and(|ext| ext == "parquet")
}

/// Where the lines go that become the table.
pub(crate) fn lines_beside(table: &Path) -> PathBuf {
    let mut name = table.as_os_str().to_owned();
    name.push(".jsonl");
    PathBuf::from(name)
}

/// Makes the table of the lines and removes them.
///
/// # Errors
/// When the lines cannot be read or the table cannot be written; the lines stay.
pub(crate) fn convert(lines: &Path, table: &Path) -> Result<()> {
    let truth = truth::read(lines).with_context(|| lines.display().to_string())?;
    write_table(table, &columns(&truth.requests), &notes(&truth)?)?;
    std::fs::remove_file(lines).with_context(|| format!("cannot remove {}", lines.display()))
}

/// What the log says beside its requests.
fn notes(truth: &Truth) -> Result<Vec<(&'static str, String)>> {
    let mut notes = vec![
        (
            "infermeter.truth.header",
            serde_json::to_string(&truth.header)?,
        ),
        (
            "infermeter.truth.changes",
            serde_json::to_string(&truth.changes)?,
        ),
    ];
    if let Some(summary) = &truth.summary {
        notes.push(("infermeter.truth.summary", serde_json::to_string(summary)?));
    }
    Ok(notes)
}

fn columns(requests: &[TruthRequest]) -> Vec<(&'static str, TableColumn)> {
    let numbers = |of: fn(&TruthRequest) -> Option<i64>| {
        TableColumn::Numbers(requests.iter().map(of).collect())
    };
    let texts = |of: fn(&TruthRequest) -> Option<String>| {
        TableColumn::Texts(requests.iter().map(of).collect())
    };
    let flags =
        |of: fn(&TruthRequest) -> bool| TableColumn::Flags(requests.iter().map(of).collect());
    let lists = |of: fn(&TruthRequest) -> Vec<i64>| {
        TableColumn::NumberLists(requests.iter().map(of).collect())
    };
    vec![
        ("request_id", texts(|r| Some(r.request_id.clone()))),
        ("arrival_ns", numbers(|r| Some(r.arrival_ns))),
        ("seen_ns", numbers(|r| Some(r.seen_ns))),
        (
            "arrival_source",
            texts(|r| Some(source(r.arrival_source).to_owned())),
        ),
        ("link_in_ns", numbers(|r| r.link_in_ns)),
        ("admitted_ns", numbers(|r| r.admitted_ns)),
        ("prefilled_ns", numbers(|r| r.prefilled_ns)),
        ("cached_tokens", numbers(|r| Some(r.cached_tokens.into()))),
        ("preempted_ns", lists(|r| r.preempted_ns.clone())),
        ("replica", numbers(|r| Some(r.replica.into()))),
        ("adapter", texts(|r| r.adapter.clone())),
        (
            "cheats",
            texts(|r| (!r.cheats.is_empty()).then(|| r.cheats.join(","))),
        ),
        ("prompt_tokens", numbers(|r| r.prompt_tokens.map(i64::from))),
        ("output_tokens", numbers(|r| Some(r.output_tokens.into()))),
        ("tokens_ns", lists(|r| r.tokens_ns.clone())),
        ("bytes", numbers(|r| i64::try_from(r.bytes).ok())),
        ("ended_ns", numbers(|r| r.ended_ns)),
        (
            "dropped_stamps",
            numbers(|r| i64::try_from(r.dropped_stamps).ok()),
        ),
        ("finished", flags(|r| r.finished)),
        ("disconnect", flags(|r| r.disconnect)),
        ("status", numbers(|r| Some(r.status.into()))),
        ("end", texts(|r| Some(end(r.end).to_owned()))),
    ]
}

fn source(source: ArrivalSource) -> &'static str {
    match source {
        ArrivalSource::Kernel => "kernel",
        ArrivalSource::Program => "program",
    }
}

fn end(end: RequestEnd) -> &'static str {
    match end {
        RequestEnd::Finished => "finished",
        RequestEnd::Refused => "refused",
        RequestEnd::Fault => "fault",
        RequestEnd::Disconnect => "disconnect",
        RequestEnd::SlowReader => "slow_reader",
        RequestEnd::Stopped => "stopped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// A request with every optional key.
    const FULL: &str = r#"{"request_id":"a","arrival_ns":1,"seen_ns":2,"arrival_source":"kernel",
        "link_in_ns":3,"admitted_ns":4,"prefilled_ns":5,"cached_tokens":6,"preempted_ns":[7],
        "replica":1,"adapter":"x","cheats":["y"],"prompt_tokens":8,"output_tokens":2,"tokens_ns":[9,10],
        "bytes":11,"ended_ns":12,"dropped_stamps":0,"finished":true,"disconnect":false,
        "status":200,"end":"finished"}"#;

    #[test]
    fn the_table_has_every_key_of_a_line() {
        let request: TruthRequest = serde_json::from_str(FULL).expect("a request");
        let Value::Object(line) = serde_json::to_value(&request).expect("JSON") else {
            panic!("a line is an object");
        };
        let keys: BTreeSet<&str> = line.keys().map(String::as_str).collect();
        let columns: BTreeSet<&str> = columns(&[request]).iter().map(|(name, _)| *name).collect();
        assert_eq!(columns, keys);
    }
}
