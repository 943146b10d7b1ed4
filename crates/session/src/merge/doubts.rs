//! What speaks against directories being the parts of one run.
//!
//! Reads nothing but what they say of themselves. Invariant: each doubt names the directories, and what to do.

use super::parts::Part;
use infermeter_core::text::short_hash;
use std::collections::BTreeMap;

/// Directories that a message names one by one.
const NAMED: usize = 6;

/// Ways on, behind every doubt.
const WAYS: &str = "name the directories of one launch; --force merges them all the same, and says so in a finding";

/// What speaks against merging them, the gravest first.
pub(super) fn of(parts: &[Part]) -> Vec<String> {
    if parts.len() < 2 {
        return Vec::new();
    }
    if parts.iter().all(|part| part.slice.is_whole()) {
        return vec![separate(parts)];
    }
    let unlike = [
        unlike(parts, "run id", |part| part.manifest.run_id.clone()),
        unlike(parts, "plan hash", |part| part.manifest.plan_hash.clone()),
        unlike(parts, "number of parts", |part| part.slice.of().to_string()),
        unlike(parts, "version of infermeter", |part| {
            part.manifest.infermeter_version.clone()
        }),
    ];
    unlike.into_iter().flatten().chain(twice(parts)).collect()
}

fn separate(parts: &[Part]) -> String {
    let all: Vec<&Part> = parts.iter().collect();
    format!(
        "{} are not parts of one run: each has a whole load. `infermeter compare` is for separate runs, \
         `infermeter history add` keeps them over time; --force merges them all the same, and says so in a finding",
        listed(&all)
    )
}

/// Parts that differ in something that all of one run share.
fn unlike(parts: &[Part], what: &str, of: impl Fn(&Part) -> String) -> Option<String> {
    let mut groups: BTreeMap<String, Vec<&Part>> = BTreeMap::new();
    for part in parts {
        groups.entry(of(part)).or_default().push(part);
    }
    let all: Vec<String> = groups
        .iter()
        .map(|(value, parts)| format!("{} ({})", short_hash(value), listed(parts)))
        .collect();
    (all.len() > 1).then(|| {
        format!(
            "these are not parts of one run: their {what} differs: {}; {WAYS}",
            all.join(", ")
        )
    })
}

fn twice(parts: &[Part]) -> Option<String> {
    let pair = parts.windows(2).find(|two| two[0].slice == two[1].slice)?;
    let slice = pair[0].slice;
    Some(format!(
        "{} and {} are both part {} of {}; {WAYS}",
        pair[0].shown(),
        pair[1].shown(),
        slice.index(),
        slice.of()
    ))
}

fn listed(parts: &[&Part]) -> String {
    let named: Vec<String> = parts.iter().take(NAMED).map(|part| part.shown()).collect();
    match parts.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
