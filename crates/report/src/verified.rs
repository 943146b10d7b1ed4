//! What is told of a record that was computed again: what agrees, what differs, what nobody can compute again.

use crate::document::{Block, Cell, Column, Document, Entries, Section, Table, Tone};
use infermeter_analysis::{Basis, Disagreement, Recomputed, Verified, VerifiedFile, VerifiedPart};
use infermeter_core::number::counted;
use infermeter_core::text::inert;
use serde_json::Value;

/// Differences of a part that are shown; the others are counted.
const SHOWN: usize = 20;
/// Longest value shown.
const LONGEST: usize = 60;

/// What is told of a record that was verified.
pub fn of_verified(verified: &Verified) -> Document {
    let answer = match verified.holds() {
        true => "every stated figure is what the record gives",
        false => "not what it states",
    };
    let mut document = Document::titled(format!("{}: {answer}", verified.record));
    document.push(
        Section::new("Files")
            .with(files(verified))
            .with(problems(&verified.file_problems)),
    );
    for part in &verified.parts {
        document.push(of_part(part, &verified.recomputed_by));
    }
    document.push(Section::new("Not verified").with(not_verified(verified)));
    document
}

fn files(verified: &Verified) -> Block {
    let said = [
        (verified.listed, "what the list of the bundle says"),
        (verified.sealed, "what their runs sealed"),
    ];
    let mut all: Vec<String> = said
        .into_iter()
        .filter(|(files, _)| *files > 0)
        .map(|(files, what)| match files {
            1 => format!("1 file is {what}."),
            n => format!("{n} files are {what}."),
        })
        .collect();
    if verified.sealed == 0 && verified.file_problems.is_empty() {
        all.push(
            "There is no seal: whether files were changed since the run is not known.".to_owned(),
        );
    }
    Block::Text(Tone::Plain, all.join(" "))
}

fn problems(files: &[VerifiedFile]) -> Entries {
    let mut entries = Entries::default();
    for file in files {
        entries.add(&file.path, &file.problem);
    }
    entries
}

fn of_part(part: &VerifiedPart, by: &str) -> Section {
    let name = match part.name.is_empty() {
        true => "Figures",
        false => &part.name,
    };
    let Some(found) = &part.recomputed else {
        let text = format!("It cannot be computed: {}", part.unreadable);
        return Section::new(name).with(Block::Text(Tone::Plain, text));
    };
    let mut section = Section::new(name).with(Block::Text(Tone::Plain, counts(found, part, by)));
    section.push(differences(found));
    if found.differ as usize > SHOWN {
        let more = found.differ as usize - SHOWN;
        let text = format!(
            "And {more} more; --json names up to {}.",
            found.differences.len()
        );
        section.push(Block::Text(Tone::Aside, text));
    }
    section
}

fn counts(found: &Recomputed, part: &VerifiedPart, by: &str) -> String {
    let mut text = format!(
        "{} agree to the last bit, {}.",
        counted(found.agree, "figure"),
        match found.differ {
            0 => "none differs".to_owned(),
            1 => "1 differs".to_owned(),
            n => format!("{n} differ"),
        }
    );
    if part.stated_by != by {
        text.push_str(&format!(
            " They are stated by infermeter {}, this is {by}; {} only one of the two knows.",
            part.stated_by,
            counted(found.of_another_version, "figure")
        ));
    }
    text
}

fn differences(found: &Recomputed) -> Table {
    let columns = vec![Column::left("stated"), Column::left("recomputed")];
    let mut table = Table::new("figure", columns);
    for Disagreement {
        figure,
        stated,
        recomputed,
    } in found.differences.iter().take(SHOWN)
    {
        table.row(figure, vec![shown(stated), shown(recomputed)]);
    }
    table
}

fn shown(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::noted("-"),
        Value::String(text) => Cell::of(inert(text, LONGEST)),
        Value::Object(map) if map.contains_key("evidence") => {
            Cell::of(inert(map["evidence"].as_str().unwrap_or_default(), LONGEST))
        }
        value => Cell::of(inert(&value.to_string(), LONGEST)),
    }
}

/// What no row tells, and why.
fn not_verified(verified: &Verified) -> Entries {
    let mut entries = Entries::default();
    let parts = verified
        .parts
        .iter()
        .filter_map(|part| part.recomputed.as_ref());
    let all: Vec<_> = parts.flat_map(|part| &part.not_recomputed).collect();
    for basis in [
        Basis::ClientCounters,
        Basis::ServerReadings,
        Basis::Spans,
        Basis::Certificate,
        Basis::AskedAlone,
        Basis::Environment,
        Basis::Observed,
    ] {
        let figures: u64 = all
            .iter()
            .filter(|n| n.basis == basis)
            .map(|n| n.figures)
            .sum();
        if figures > 0 {
            entries.add(counted(figures, "figure"), why(basis));
        }
    }
    let mut reasons: Vec<&String> = verified.left_out.iter().map(|file| &file.problem).collect();
    reasons.sort_unstable();
    reasons.dedup();
    for reason in reasons {
        let of_it = verified
            .left_out
            .iter()
            .filter(|file| file.problem == *reason);
        let paths: Vec<&str> = of_it.map(|file| file.path.as_str()).collect();
        let more = match paths.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        entries.add(format!("{}{more}", paths[0]), reason);
    }
    entries
}

fn why(basis: Basis) -> &'static str {
    match basis {
        Basis::ClientCounters => {
            "rest on counters that the client kept while it measured: run.json states them, no row tells them"
        }
        Basis::ServerReadings => {
            "rest on what the server said of itself: they follow from its readings, which no row tells"
        }
        Basis::Spans => "rest on spans of requests: they follow from these and the rows together",
        Basis::Certificate => "are cited from a certificate, which another measurement made",
        Basis::AskedAlone => {
            "rest on what was asked alone, before and after the load: run.json has what came of it, no row does"
        }
        Basis::Environment => "were found out before the load, or declared",
        Basis::Observed => "are findings that were made before and during the run",
    }
}
