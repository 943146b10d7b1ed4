//! When a server under a light constant load has become as fast as it gets.
//!
//! The times to first token and the tokens per second of its answers, in order, are cut where their level changes
//! (`stats::change_points`). Steady is the longest stretch at the end whose levels are all within 5 % of the last
//! one's. Invariant: where the end still changes, nothing is steady.

use super::{ColdAnswer, ColdInstant, ReachedAt};
use infermeter_stats::{ChangePoints, change_points, least_for_a_change, mann_kendall};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Levels this close to the last one are steady speed.
const WITHIN: f64 = 0.05;
/// Chance of a change that is none, for both series together; half of it for each.
const ERROR: f64 = 0.05;
/// Fewest answers at steady speed.
pub const LEAST_ANSWERS: usize = 6;
/// A trend inside the last stretch has to be this unlikely by chance, and half as great as [`WITHIN`], to count.
const TREND: f64 = 0.01;
/// Values that a trend at the end is looked for in, at least, where there are so many.
const LEAST_AT_END: usize = 10;
/// Most values that are looked at: the test's time grows with their number, and so does nothing that is told.
const MOST_VALUES: usize = 200;

/// The last level of a series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SteadyLevel {
    /// Its median: milliseconds of TTFT, or tokens per second.
    pub median: f64,
    /// Answers at it.
    pub answers: u64,
    /// The median of the first answers, up to the first change, milliseconds of TTFT or tokens per second; that of all
    /// where nothing changed.
    pub first: f64,
    /// The first answer at it was complete, milliseconds since the origin.
    pub since_ms: f64,
    /// The earliest end of the 95 % interval of that instant; absent where it was at this level from the first answer.
    pub earliest_ms: Option<f64>,
    /// The latest end of it; absent likewise.
    pub latest_ms: Option<f64>,
}

/// When speed was steady, by each series.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Steadied {
    /// By the time to first token; absent where it does not tell.
    pub ttft: Option<SteadyLevel>,
    /// By the tokens per second; absent where they do not tell.
    pub tokens_per_s: Option<SteadyLevel>,
    /// Why it is not known, or by what it is not; absent where both series tell.
    pub why_not: Option<String>,
}

impl Steadied {
    /// The instant at which both are steady: the later one. Where both intervals hold, which is so with 90 % at least
    /// (Bonferroni), it lies between the later of their earliest ends and the later of their latest.
    pub fn reached(&self) -> Option<ReachedAt> {
        let levels = || self.ttft.iter().chain(&self.tokens_per_s);
        Some(ReachedAt {
            instant: ColdInstant::SteadySpeed,
            at_ms: levels().map(|level| level.since_ms).reduce(f64::max)?,
            earliest_ms: levels()
                .filter_map(|level| level.earliest_ms)
                .reduce(f64::max),
            latest_ms: levels()
                .filter_map(|level| level.latest_ms)
                .reduce(f64::max),
        })
    }
}

/// A value and the instant of its answer's end.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at_ms: f64,
    value: f64,
}

/// When these answers, in order, were at steady speed.
pub fn steadied(answers: &[ColdAnswer]) -> Steadied {
    let of = |value: fn(&ColdAnswer) -> Option<f64>| -> Vec<Seen> {
        let seen = answers.iter().filter_map(|answer| {
            Some(Seen {
                at_ms: answer.end_ms,
                value: value(answer)?,
            })
        });
        seen.collect()
    };
    let ttft = level(&of(ColdAnswer::ttft_ms));
    let speed = of(ColdAnswer::tokens_per_s);
    let speed = match speed.is_empty() {
        true => Err(Unsteady::Absent),
        false => level(&speed),
    };
    let why = |name: &str, result: &Result<SteadyLevel, Unsteady>| {
        let why = result.as_ref().err()?;
        Some(format!("{name}: {}", why.words()))
    };
    let whys: Vec<String> = [why("TTFT", &ttft), why("tokens/s", &speed)]
        .into_iter()
        .flatten()
        .collect();
    let (ttft, speed) = match (ttft, speed) {
        // Where one of them still changes, the other alone tells of no steady server.
        (Ok(ttft), Err(Unsteady::Absent)) => (Some(ttft), None),
        (Ok(_), Err(_)) | (Err(_), _) => (None, None),
        (Ok(ttft), Ok(speed)) => (Some(ttft), Some(speed)),
    };
    Steadied {
        ttft,
        tokens_per_s: speed,
        why_not: (!whys.is_empty()).then(|| whys.join("; ")),
    }
}

/// Why a series has no steady level.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Unsteady {
    /// No answer has the figure.
    Absent,
    /// There are too few answers.
    Few { have: usize, needs: usize },
    /// Its last answers still change by so much.
    Changes { by: f64 },
    /// The last level has too few answers.
    Short { have: usize, needs: usize },
}

impl Unsteady {
    fn words(self) -> String {
        match self {
            Self::Absent => "no answer has it".to_owned(),
            Self::Few { have, needs } => {
                format!(
                    "{have} answers are too few to tell a change ({needs} needed): observe for longer"
                )
            }
            Self::Changes { by } => format!(
                "it still changes at the end, by {:.0} % over its last level: observe for longer",
                by * 100.0
            ),
            Self::Short { have, needs } => {
                format!("its last level has {have} answers, fewer than {needs}: observe for longer")
            }
        }
    }
}

/// The last level of a series, and since when.
fn level(all: &[Seen]) -> Result<SteadyLevel, Unsteady> {
    if all.is_empty() {
        return Err(Unsteady::Absent);
    }
    let series = thinned(all);
    let values: Vec<f64> = series.iter().map(|seen| seen.value).collect();
    let needs = least_for_a_change(ERROR / 2.0);
    if values.len() < needs {
        return Err(Unsteady::Few {
            have: all.len(),
            needs,
        });
    }
    // Finite values, fewer than the limit: nothing that is refused.
    let found = change_points(&values, ERROR / 2.0).unwrap_or(ChangePoints {
        correlation: 0.0,
        changes: Vec::new(),
    });
    let starts: Vec<usize> = std::iter::once(0)
        .chain(found.changes.iter().map(|change| change.at))
        .collect();
    let medians: Vec<f64> = starts
        .iter()
        .enumerate()
        .map(|(i, start)| {
            let end = starts.get(i + 1).copied().unwrap_or(values.len());
            median(&values[*start..end])
        })
        .collect();
    let last = medians[medians.len() - 1];
    let close = |median: &f64| (median - last).abs() <= WITHIN * last.abs();
    let stretch = medians
        .iter()
        .rev()
        .take_while(|median| close(median))
        .count();
    let first = medians.len() - stretch;
    let at_level = &values[starts[first]..];
    let since_ms = series[starts[first]].at_ms;
    let answers = all.iter().filter(|seen| seen.at_ms >= since_ms).count();
    if at_level.len() < LEAST_ANSWERS {
        return Err(Unsteady::Short {
            have: answers,
            needs: LEAST_ANSWERS * each(all),
        });
    }
    if let Some(by) = trend(at_level) {
        return Err(Unsteady::Changes { by });
    }
    let at = |index: usize| series.get(index).map(|seen| seen.at_ms);
    let change = first.checked_sub(1).map(|before| found.changes[before]);
    Ok(SteadyLevel {
        median: median(at_level),
        answers: answers as u64,
        first: medians[0],
        since_ms,
        earliest_ms: change.and_then(|change| at(change.earliest)),
        latest_ms: change.and_then(|change| at(change.latest)),
    })
}

/// The relative change from the first third to the last of the end of a stretch, where that is a trend and more than
/// 2.5 %. The end is its later half: what is left of a decay when it comes within 5 % is part of the stretch.
fn trend(values: &[f64]) -> Option<f64> {
    let end = values.len() - (values.len() / 2).max(LEAST_AT_END).min(values.len());
    let values = &values[end..];
    let third = values.len() / 3;
    let early = median(&values[..third]);
    let late = median(&values[values.len() - third..]);
    let by = (late - early) / early.abs().max(f64::MIN_POSITIVE);
    let likely = mann_kendall(values).map_or(1.0, |test| test.p_value);
    (by.abs() > WITHIN / 2.0 && likely < TREND).then_some(by)
}

/// At most as many values as are looked at: each stands for some that follow each other, by their median and the
/// instant of the first.
fn thinned(all: &[Seen]) -> Vec<Seen> {
    let of = |some: &[Seen]| Seen {
        at_ms: some[0].at_ms,
        value: median(&some.iter().map(|seen| seen.value).collect::<Vec<_>>()),
    };
    all.chunks(each(all)).map(of).collect()
}

/// Answers that a value stands for.
fn each(all: &[Seen]) -> usize {
    all.len().div_ceil(MOST_VALUES).max(1)
}

/// The median; of an even number of values the middle of the two.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n => 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers back to back, each as long as `length_ms` says of its number.
    fn answers(n: usize, length_ms: impl Fn(usize) -> f64) -> Vec<ColdAnswer> {
        let mut now = 0.0;
        let one = |i: usize| {
            // A few per mille that repeat with a long period: no two neighbours alike.
            let wobble = 1.0 + 0.002 * ((i * 7919 % 101) as f64 / 101.0 - 0.5);
            let length = length_ms(i) * wobble;
            let answer = ColdAnswer {
                sent_ms: now,
                first_byte_ms: now + 0.1 * length,
                first_token_ms: Some(now + 0.1 * length),
                end_ms: now + length,
                output_tokens: Some(32),
            };
            now += length;
            answer
        };
        (0..n).map(one).collect()
    }

    #[test]
    fn a_step_is_found_where_it_is() {
        let found = steadied(&answers(60, |i| if i < 20 { 300.0 } else { 100.0 }));
        assert_eq!(found.why_not, None);
        let reached = found.reached().expect("steady");
        // Twenty answers of 300 ms, then one of 100.
        assert!((reached.at_ms - 6_100.0).abs() < 30.0, "{reached:?}");
        let (low, high) = (
            reached.earliest_ms.expect("low"),
            reached.latest_ms.expect("high"),
        );
        assert!(low <= reached.at_ms && reached.at_ms <= high);
        assert!(high - low < 2_000.0, "{reached:?}");
        let level = found.ttft.expect("a level");
        assert!((level.median - 10.0).abs() < 0.1 && (level.first - 30.0).abs() < 0.3);
        assert_eq!(level.answers, 40);
    }

    #[test]
    fn the_interval_of_both_holds_where_both_do() {
        let level = |since_ms: f64, earliest_ms: f64, latest_ms: f64| SteadyLevel {
            median: 10.0,
            answers: 20,
            first: 30.0,
            since_ms,
            earliest_ms: Some(earliest_ms),
            latest_ms: Some(latest_ms),
        };
        let both = Steadied {
            ttft: Some(level(100.0, 90.0, 400.0)),
            tokens_per_s: Some(level(110.0, 50.0, 120.0)),
            why_not: None,
        };
        let reached = both.reached().expect("steady");
        assert_eq!(
            (reached.earliest_ms, reached.at_ms, reached.latest_ms),
            (Some(90.0), 110.0, Some(400.0))
        );
    }

    #[test]
    fn one_that_is_steady_at_once_is_so_since_its_first_answer() {
        let found = steadied(&answers(40, |_| 100.0));
        let reached = found.reached().expect("steady");
        assert!((reached.at_ms - 100.0).abs() < 1.0);
        assert_eq!((reached.earliest_ms, reached.latest_ms), (None, None));
        // Two levels that differ by 2 % are one speed.
        let close = steadied(&answers(60, |i| if i < 30 { 102.0 } else { 100.0 }));
        assert!(close.reached().expect("steady").at_ms < 110.0);
    }

    #[test]
    fn a_gradual_warm_up_is_steady_when_what_is_left_of_it_is_small() {
        let check = |n: usize, fall: f64| {
            // Three times as long at first; the rest above 1 falls to 1/e within so many answers.
            let length = |i: usize| 100.0 * (1.0 + 2.0 * (-(i as f64) / fall).exp());
            let all = answers(n, length);
            let reached = steadied(&all).reached().expect("steady");
            // What is left is 5 % here; levels are medians of stretches, so it is found some answers earlier or later.
            let truth = fall * (2.0 / WITHIN).ln();
            let near = |answer: f64| all[answer.round() as usize].end_ms;
            assert!(
                (near(truth - fall)..near(truth + fall)).contains(&reached.at_ms),
                "{fall}: {reached:?}"
            );
        };
        check(60, 5.0);
        check(120, 10.0);
        check(160, 10.0);
        check(160, 20.0);
    }

    #[test]
    fn what_still_changes_is_not_steady() {
        let slower = steadied(&answers(60, |i| 100.0 + 3.0 * i as f64));
        assert_eq!(slower.reached(), None);
        assert!(slower.why_not.is_some());
        let few = steadied(&answers(7, |_| 100.0));
        assert_eq!(few.reached(), None);
        assert!(few.why_not.expect("why").contains("too few"));
        assert_eq!(steadied(&[]).reached(), None);
    }

    #[test]
    fn answers_without_tokens_are_told_by_their_ttft_alone() {
        let mut untold = answers(40, |_| 100.0);
        for answer in &mut untold {
            answer.output_tokens = None;
        }
        let found = steadied(&untold);
        assert!(found.reached().is_some());
        assert_eq!(found.why_not.as_deref(), Some("tokens/s: no answer has it"));
    }

    #[test]
    fn long_series_are_thinned() {
        let found = steadied(&answers(1_700, |i| if i < 400 { 30.0 } else { 10.0 }));
        let reached = found.reached().expect("steady");
        assert!((reached.at_ms - 12_010.0).abs() < 300.0, "{reached:?}");
        // Answers, and not the values that stand for nine of them each.
        let level = found.ttft.expect("a level");
        assert!(level.answers.abs_diff(1_300) < 20, "{level:?}");
    }
}
