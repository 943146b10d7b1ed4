//! Whether a record is still what its run wrote, as a finding.
//!
//! Looks at the seal alone; rows that contradict themselves are a check's. Invariant: what was once
//! seen stays a finding of the record, whatever is written afterwards.

use anyhow::Result;
use infermeter_analysis::raised;
use infermeter_core::finding::{Finding, Severity};
use infermeter_core::run::RunManifest;
use infermeter_record::{Alteration, MANIFEST_FILE, PARQUET_FILE, altered};
use std::path::Path;

/// Adds the finding to a record that was changed since.
///
/// # Errors
/// When its files cannot be read.
pub fn note(directory: &Path, manifest: &mut RunManifest) -> Result<()> {
    let altered = altered(directory)?;
    if let Some(finding) = finding(&altered) {
        let known = &mut manifest.run_findings;
        known.retain(|f| f.code != finding.code || f.severity > finding.severity);
        if !known.iter().any(|f| f.code == finding.code) {
            known.push(finding);
        }
    }
    Ok(())
}

fn finding(altered: &[(String, Alteration)]) -> Option<Finding> {
    if altered.is_empty() {
        return None;
    }
    // Figures come from the rows. What stands beside them is computed again, or describes the run.
    let rows = altered.iter().any(|(name, _)| name == PARQUET_FILE);
    let severity = match rows {
        true => Severity::Error,
        false => Severity::Warning,
    };
    let words = altered.iter().map(|(name, how)| match how {
        Alteration::Missing => format!("{name} is not there any more"),
        Alteration::Changed if name == MANIFEST_FILE => format!("{name} was edited"),
        Alteration::Changed => format!("{name} is not the file that the run wrote"),
    });
    let words: Vec<String> = words.collect();
    Some(raised::RECORD_ALTERED.weighing(
        severity,
        "The record was changed after the run.",
        format!("{}.", words.join("; ")),
        "Take the record from where it was measured.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_weigh_more_than_what_stands_beside_them() {
        let of = |name: &str, how| finding(&[(name.to_owned(), how)]).expect("a finding");
        let rows = of(PARQUET_FILE, Alteration::Changed);
        assert_eq!(rows.severity, Severity::Error);
        assert_eq!(
            rows.evidence,
            "requests.parquet is not the file that the run wrote."
        );
        let beside = of("responses.jsonl", Alteration::Missing);
        assert_eq!(beside.severity, Severity::Warning);
        assert_eq!(beside.evidence, "responses.jsonl is not there any more.");
        assert_eq!(finding(&[]), None);
    }
}
