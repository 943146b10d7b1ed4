//! Ranks of an open loop that came to their ends apart.
//!
//! Each keeps its part of the load on until its own measured requests have ended, and no longer: what the others have open
//! then meets less load than the plan says. Reads no rows. Invariant: a rank that was stopped, killed or had no load for
//! its drain took none away.

use super::parts::Part;
use infermeter_analysis::raised;
use infermeter_core::clock::Offset;
use infermeter_core::finding::{Finding, Severity};
use infermeter_core::number::count;
use infermeter_core::schedule::Begins;
use infermeter_record::MergedRows;

/// From this share on it is a warning: what is open at the end is mostly what took longest, and p99 rests on so much.
const WARNING_SHARE: f64 = 0.01;
/// From this share on it is said: p99.9 rests on so much.
const NOTE_SHARE: f64 = 0.001;

/// The ends of ranks that came to them by themselves, the first in front.
pub(super) struct Ends(Vec<End>);

struct End {
    rank: u32,
    /// From its own start; all began at one instant.
    at: Offset,
}

impl Ends {
    pub(super) fn of(parts: &[Part]) -> Self {
        let end = |part: &Part| {
            let progress = part.manifest.progress.as_ref()?;
            let schedule = part.manifest.schedule?;
            let kept_on = matches!(schedule.begins, Begins::Arrivals(_))
                && !progress.drain_without_load
                && !progress.interrupted
                && !progress.recovered;
            kept_on.then_some(End {
                rank: part.slice.index(),
                at: progress.ended,
            })
        };
        let mut ends: Vec<End> = parts.iter().filter_map(end).collect();
        ends.sort_by_key(|end| end.at);
        Self(ends)
    }

    /// When the first of the others had come to its end.
    pub(super) fn before(&self, rank: u32) -> Option<Offset> {
        let others = self.0.iter().find(|end| end.rank != rank);
        others.map(|end| end.at)
    }

    /// What is found of requests that were open for longer than that.
    pub(super) fn finding(&self, rows: &MergedRows) -> Option<Finding> {
        let (first, last) = (self.0.first()?, self.0.last()?);
        let share = rows.outlasting as f64 / rows.measured.max(1) as f64;
        let severity = match share {
            share if share >= WARNING_SHARE => Severity::Warning,
            share if share >= NOTE_SHARE => Severity::Note,
            _ => return None,
        };
        let seconds = |end: &End| end.at.0 as f64 / 1e9;
        Some(raised::DRAIN_UNEVEN.weighing(
            severity,
            "Ranks ended one after the other: the last measured requests met less load than the plan says.",
            format!(
                "{} of {} measured requests ({:.1} %) closed after another rank had come to its end. The first was rank \
                 {}, after {:.1} s, the last rank {}, after {:.1} s.",
                count(rows.outlasting),
                count(rows.measured),
                share * 100.0,
                first.rank,
                seconds(first),
                last.rank,
                seconds(last)
            ),
            "Measure longer: fewer of all measured requests are open at the end then. One process keeps its whole load on \
             until the last of them has ended.",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::tests::part;
    use infermeter_core::run::Progress;
    use infermeter_core::schedule::{PhaseCounts, ScheduleFacts};

    /// Ranks of an open loop that ended after so many seconds.
    fn ended(seconds: &[i64]) -> Vec<Part> {
        let of = seconds.len() as u32;
        let mut parts: Vec<Part> = (0..of).map(|index| part(index, of)).collect();
        for (part, seconds) in parts.iter_mut().zip(seconds) {
            part.manifest.schedule = Some(ScheduleFacts {
                slice: part.slice,
                sessions: false,
                begins: Begins::Arrivals(PhaseCounts::default()),
            });
            progress(part).ended = Offset(seconds * 1_000_000_000);
        }
        parts
    }

    fn progress(part: &mut Part) -> &mut Progress {
        part.manifest.progress.get_or_insert_default()
    }

    fn rows(outlasting: u64, measured: u64) -> MergedRows {
        MergedRows {
            outlasting,
            measured,
            ..MergedRows::default()
        }
    }

    #[test]
    fn the_first_of_the_others_is_what_a_rank_is_held_against() {
        let mut parts = ended(&[30, 20, 25]);
        let before = |parts: &[Part]| {
            let ends = Ends::of(parts);
            [0, 1, 2].map(|rank| ends.before(rank).map(|at| at.0 / 1_000_000_000))
        };
        assert_eq!(before(&parts), [Some(20), Some(25), Some(20)]);
        // Whoever was stopped is told of elsewhere.
        progress(&mut parts[1]).interrupted = true;
        assert_eq!(before(&parts), [Some(25), Some(25), Some(30)]);
        progress(&mut parts[2]).drain_without_load = true;
        assert_eq!(before(&parts), [None, Some(30), Some(30)]);
        parts[0].manifest.schedule = None;
        assert_eq!(before(&parts), [None; 3]);
    }

    #[test]
    fn how_many_were_open_says_how_much_it_weighs() {
        let ends = Ends::of(&ended(&[30, 20]));
        let weight = |outlasting, measured| {
            let finding = ends.finding(&rows(outlasting, measured));
            finding.map(|finding| finding.severity)
        };
        assert_eq!(weight(0, 0), None);
        assert_eq!(weight(1, 1_001), None);
        assert_eq!(weight(1, 1_000), Some(Severity::Note));
        assert_eq!(weight(10, 1_000), Some(Severity::Warning));
        let found = ends.finding(&rows(120, 4_000)).expect("a warning");
        assert_eq!(found.code, "drain-uneven");
        assert_eq!(
            found.evidence,
            "120 of 4,000 measured requests (3.0 %) closed after another rank had come to its end. The first was rank 1, \
             after 20.0 s, the last rank 0, after 30.0 s."
        );
        assert_eq!(Ends::of(&[]).finding(&rows(1, 1)), None);
    }
}
