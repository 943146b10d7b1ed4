//! Ranks that are missing: how much of the load was offered without them, and what that makes of the figures.
//!
//! A rank that was never there leaves a load that is smaller and known. One that went away in the middle of it, or of which
//! nothing is known, leaves a load that nobody knows. Invariant: each of them is named, with what is known of it.

use super::meeting::Meeting;
use super::parts::Part;
use infermeter_analysis::raised;
use infermeter_core::finding::{Finding, Severity};
use infermeter_core::number::counted;
use infermeter_core::run::Progress;
use infermeter_core::text;

/// Ranks that are told of one by one.
const NAMED: usize = 8;

/// What became of a rank that did not send all of its part.
struct Gone {
    rank: u32,
    /// Share of its part that was offered.
    offered: f64,
    how: How,
}

enum How {
    /// It never began, and the others knew that.
    NotThere(Option<String>),
    /// It left nothing.
    NoRecord(Option<String>),
    /// It ended before the others.
    Ended(String),
}

/// What is found of ranks that did not send their part to its end; `None` where all did.
pub(super) fn finding(parts: &[Part], meeting: &Meeting) -> Option<Finding> {
    let of = parts.iter().map(|part| part.slice.of()).max()?;
    let mut gone: Vec<Gone> = (0..of)
        .filter(|rank| !parts.iter().any(|part| part.slice.index() == *rank))
        .map(|rank| without_record(rank, meeting))
        .collect();
    gone.extend(ended_early(parts, meeting));
    gone.sort_by_key(|gone| gone.rank);
    if gone.is_empty() {
        return None;
    }
    let lost: f64 = gone.iter().map(|gone| 1.0 - gone.offered).sum();
    let offered = (1.0 - lost / f64::from(of)) * 100.0;
    let known = gone.iter().all(|gone| matches!(gone.how, How::NotThere(_)));
    let (severity, message) = match known {
        true => {
            let message =
                "The run began without some of its ranks: its load was smaller than the plan says.";
            (Severity::Warning, message)
        }
        false => {
            let message = "Ranks did not send their part of the load to its end: what load the server had is not known.";
            (Severity::Error, message)
        }
    };
    Some(raised::RANKS_MISSING.weighing(
        severity,
        message,
        format!(
            "{} of {}: {}. About {offered:.0} % of the load was offered, by parts and time.",
            gone.len(),
            counted(of.into(), "rank"),
            told(&gone)
        ),
        "Run again with all ranks; where some cannot be had, cut the load into fewer parts.",
    ))
}

fn without_record(rank: u32, meeting: &Meeting) -> Gone {
    let how = match meeting.without.get(&rank) {
        Some(why) => How::NotThere(why.clone()),
        None => How::NoRecord(meeting.failed.get(&rank).cloned()),
    };
    Gone {
        rank,
        offered: 0.0,
        how,
    }
}

/// Ranks that were killed, and those that a signal ended while others went on.
fn ended_early(parts: &[Part], meeting: &Meeting) -> Vec<Gone> {
    let progress = |part: &Part| part.manifest.progress.clone().unwrap_or_default();
    // Whoever stops or kills a run does so with all of its ranks: that is said elsewhere. Some may have come to their ends
    // before, so a rank was stopped early where one that nobody stopped went on for longer.
    let by_itself = parts.iter().map(progress);
    let by_itself = by_itself.filter(|progress| !progress.interrupted && !progress.recovered);
    let went_on = by_itself.map(|progress| progress.ended).max();
    let all_killed = parts.iter().all(|part| progress(part).recovered);
    let ended_last = parts.iter().map(|part| progress(part).ended).max();
    let early = parts.iter().filter_map(|part| {
        let Progress {
            ended,
            interrupted,
            recovered,
            ..
        } = progress(part);
        let outlasted = went_on.is_some_and(|last| last > ended);
        let (stopped, killed) = (interrupted && outlasted, recovered && !all_killed);
        let rank = part.slice.index();
        (killed || stopped).then(|| {
            let whole = part
                .manifest
                .window
                .map_or(ended_last, |w| Some(w.end.max(ended)));
            let whole = whole.max(ended_last).unwrap_or(ended);
            let what = match recovered {
                true => "was killed",
                false => "was stopped",
            };
            let why = meeting.failed.get(&rank);
            let why = why.map_or_else(String::new, |why| format!(" ({why})"));
            Gone {
                rank,
                offered: (ended.0 as f64 / whole.0.max(1) as f64).clamp(0.0, 1.0),
                how: How::Ended(format!("{what} after {:.1} s{why}", ended.0 as f64 / 1e9)),
            }
        })
    });
    early.collect()
}

fn told(gone: &[Gone]) -> String {
    let mut told: Vec<String> = gone.iter().take(NAMED).map(Gone::told).collect();
    let more: Vec<u32> = gone.iter().skip(NAMED).map(|gone| gone.rank).collect();
    if !more.is_empty() {
        told.push(format!("and {}", text::ranks(&more)));
    }
    told.join("; ")
}

impl Gone {
    fn told(&self) -> String {
        let rank = self.rank;
        let because = |why: &Option<String>| {
            why.as_ref()
                .map_or_else(String::new, |why| format!(" ({why})"))
        };
        match &self.how {
            How::NotThere(why) => format!("rank {rank} was not there at the start{}", because(why)),
            How::NoRecord(why) => format!("of rank {rank} there is no record{}", because(why)),
            How::Ended(what) => format!("rank {rank} {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::tests::part;
    use infermeter_core::clock::Offset;

    fn progress(part: &mut Part) -> &mut Progress {
        part.manifest.progress.get_or_insert_default()
    }

    fn parts(indices: &[u32], of: u32) -> Vec<Part> {
        let mut parts: Vec<Part> = indices.iter().map(|index| part(*index, of)).collect();
        for part in &mut parts {
            part.manifest.window = None;
            progress(part).ended = Offset(20_000_000_000);
        }
        parts
    }

    fn check(parts: &[Part], meeting: &Meeting, severity: Severity, evidence: &str) {
        let finding = finding(parts, meeting).expect("a finding");
        assert_eq!(finding.code, "ranks-missing");
        assert_eq!(
            (finding.severity, finding.evidence.as_str()),
            (severity, evidence)
        );
    }

    #[test]
    fn all_ranks_to_their_end_are_no_finding() {
        let mut all = parts(&[0, 1], 2);
        assert_eq!(finding(&all, &Meeting::default()), None);
        // Ctrl-C reaches all, and so does the end of a job.
        all.iter_mut()
            .for_each(|part| progress(part).interrupted = true);
        assert_eq!(finding(&all, &Meeting::default()), None);
        all.iter_mut()
            .for_each(|part| progress(part).recovered = true);
        assert_eq!(finding(&all, &Meeting::default()), None);
    }

    #[test]
    fn a_rank_that_was_known_to_be_missing_weighs_less() {
        let known = Meeting {
            without: [(1, None), (3, Some("no route".to_owned()))].into(),
            ..Meeting::default()
        };
        check(
            &parts(&[0, 2], 4),
            &known,
            Severity::Warning,
            "2 of 4 ranks: rank 1 was not there at the start; rank 3 was not there at the start (no route). \
             About 50 % of the load was offered, by parts and time.",
        );
    }

    #[test]
    fn a_rank_of_which_nothing_is_known_makes_the_load_unknown() {
        let failed = Meeting {
            failed: [(2, "a full disk".to_owned())].into(),
            ..Meeting::default()
        };
        check(
            &parts(&[0, 1, 3], 4),
            &failed,
            Severity::Error,
            "1 of 4 ranks: of rank 2 there is no record (a full disk). About 75 % of the load was offered, by parts \
             and time.",
        );
    }

    #[test]
    fn a_rank_that_was_killed_offered_a_part_of_its_part() {
        let mut all = parts(&[0, 1], 2);
        progress(&mut all[1]).recovered = true;
        progress(&mut all[1]).ended = Offset(5_000_000_000);
        check(
            &all,
            &Meeting::default(),
            Severity::Error,
            "1 of 2 ranks: rank 1 was killed after 5.0 s. About 62 % of the load was offered, by parts and time.",
        );
    }

    #[test]
    fn a_rank_that_was_stopped_counts_where_another_went_on() {
        let mut all = parts(&[0, 1], 2);
        progress(&mut all[1]).interrupted = true;
        // In its drain, when the other had come to its end.
        progress(&mut all[1]).ended = Offset(21_000_000_000);
        assert_eq!(finding(&all, &Meeting::default()), None);
        progress(&mut all[1]).ended = Offset(15_000_000_000);
        check(
            &all,
            &Meeting::default(),
            Severity::Error,
            "1 of 2 ranks: rank 1 was stopped after 15.0 s. About 88 % of the load was offered, by parts and time.",
        );
    }

    #[test]
    fn not_every_one_of_many_is_told_of() {
        let told = finding(&parts(&[0], 12), &Meeting::default()).expect("a finding");
        assert!(
            told.evidence
                .contains("; and ranks 9, 10 and 11. About 8 %"),
            "{}",
            told.evidence
        );
    }
}
