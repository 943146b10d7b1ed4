//! What is found of the parts of a run, as findings of the whole.
//!
//! Invariant: nothing that a rank found of itself is lost, and each finding says which ranks it is of.

use super::parts::Part;
use infermeter_analysis::raised;
use infermeter_core::finding::Finding;
use infermeter_core::number::count;
use infermeter_core::text;
use infermeter_record::MergedRows;

/// What ranks have seen that a finding tells one by one.
const NAMED: usize = 8;

/// A finding of several ranks, with what each has seen.
struct Shared {
    finding: Finding,
    seen: Vec<Seen>,
}

/// What ranks have seen alike.
struct Seen {
    evidence: String,
    ranks: Vec<u32>,
}

/// What the ranks have found, each finding once.
pub(super) fn of_ranks(parts: &[Part]) -> Vec<Finding> {
    let mut all: Vec<Shared> = Vec::new();
    for part in parts {
        for finding in &part.manifest.run_findings {
            let known = all
                .iter()
                .position(|shared| is_same(&shared.finding, finding));
            let place = known.unwrap_or_else(|| {
                all.push(Shared {
                    finding: finding.clone(),
                    seen: Vec::new(),
                });
                all.len() - 1
            });
            all[place].add(part.slice.index(), &finding.evidence);
        }
    }
    all.into_iter().map(Shared::into_finding).collect()
}

fn is_same(one: &Finding, other: &Finding) -> bool {
    (&one.code, one.severity, &one.message) == (&other.code, other.severity, &other.message)
}

impl Shared {
    fn add(&mut self, rank: u32, evidence: &str) {
        match self.seen.iter_mut().find(|seen| seen.evidence == evidence) {
            Some(seen) => seen.ranks.push(rank),
            None => self.seen.push(Seen {
                evidence: evidence.to_owned(),
                ranks: vec![rank],
            }),
        }
    }

    fn into_finding(self) -> Finding {
        let told = self.seen.iter().take(NAMED);
        let mut told: Vec<String> = told
            .map(|seen| format!("{}: {}", text::ranks(&seen.ranks), seen.evidence))
            .collect();
        if let Some(more) = self.seen.len().checked_sub(NAMED).filter(|more| *more > 0) {
            told.push(format!("and {more} more"));
        }
        Finding {
            evidence: told.join("; "),
            ..self.finding
        }
    }
}

/// Rows with one id.
pub(super) fn twice(rows: &MergedRows, parts: &[Part]) -> Option<Finding> {
    let late: u64 = rows.out_of_order.iter().sum();
    if rows.twice == 0 && late == 0 {
        return None;
    }
    let rank = |record: usize| parts.get(record).map_or(0, |part| part.slice.index());
    let first = rows.first_twice.map_or_else(String::new, |first| {
        let [one, other] = first.records.map(rank);
        format!(
            " The first is request {}, of ranks {one} and {other}.",
            first.id
        )
    });
    Some(raised::IDS_TWICE.found(
        "Ranks have rows with one id, or rows in the wrong order: they are not parts of one load.",
        format!(
            "{} of {} rows have the id of another one, {} came too late.{first}",
            count(rows.twice),
            count(rows.rows),
            count(late)
        ),
        "Give each rank a part of its own, and merge the records of one launch only.",
    ))
}

/// What was merged though it does not belong together.
pub(super) fn by_force(doubted: &[String]) -> Option<Finding> {
    (!doubted.is_empty()).then(|| {
        raised::MERGED_BY_FORCE.found(
            "What was merged is not what the ranks of one run leave: --force merged it all the same.",
            format!("{}.", doubted.join("; ")),
            "Merge the records of one launch; compare separate runs with `infermeter compare`.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::tests::part;
    use infermeter_record::Twice;

    fn found(evidence: &str) -> Finding {
        raised::PROBE_UNSURE.found("m", evidence, "a")
    }

    #[test]
    fn what_ranks_have_found_is_told_once_with_who_has_seen_it() {
        let mut parts: Vec<Part> = (0..12).map(|index| part(index, 12)).collect();
        for (index, part) in parts.iter_mut().enumerate() {
            let evidence = if index == 1 { "other" } else { "same" };
            part.manifest.run_findings = vec![found(evidence)];
        }
        let other = raised::MODEL_NOT_LISTED.found("n", "e", "a");
        parts[3].manifest.run_findings.push(other);
        let all = of_ranks(&parts);
        let evidence: Vec<&str> = all.iter().map(|f| f.evidence.as_str()).collect();
        assert_eq!(
            evidence,
            [
                "ranks 0, 2, 3, 4, 5, 6, 7, 8 and 3 more: same; rank 1: other",
                "rank 3: e"
            ]
        );
    }

    #[test]
    fn rows_that_come_twice_or_too_late_are_errors() {
        let parts = [part(0, 2), part(1, 2)];
        let mut rows = MergedRows {
            rows: 9,
            out_of_order: vec![0, 0],
            ..MergedRows::default()
        };
        assert_eq!(twice(&rows, &parts), None);
        rows.out_of_order[1] = 2;
        let finding = twice(&rows, &parts).expect("an error");
        assert_eq!(finding.code, "ids-twice");
        assert!(
            finding.evidence.contains("2 came too late."),
            "{}",
            finding.evidence
        );
        rows.twice = 1;
        rows.first_twice = Some(Twice {
            id: 4,
            records: [0, 1],
        });
        let finding = twice(&rows, &parts).expect("an error");
        assert!(finding.evidence.ends_with("request 4, of ranks 0 and 1."));
    }

    #[test]
    fn what_was_forced_is_said() {
        assert_eq!(by_force(&[]), None);
        let finding = by_force(&["a".to_owned(), "b".to_owned()]).expect("an error");
        assert_eq!(
            (finding.code.as_str(), finding.evidence.as_str()),
            ("merged-by-force", "a; b.")
        );
    }
}
