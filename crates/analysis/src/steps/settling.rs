//! From when on objectives hold again, by counts in equal parts of a step.
//!
//! An objective asks for a share of the requests. A stretch of parts *misses for certain* where the upper bound of its
//! share (Clopper and Pearson 1934) lies below what is asked for; its error is 5 % over all stretches that there are,
//! P(P + 1)/2 of P parts (Bonferroni), since each is looked at. The objectives hold from a part on where no stretch
//! that begins there or later misses for certain, and all requests from there to the step's end reach the share. The
//! beginning of the last stretch that misses for certain is the lower bound of that time. Its upper bound is the first part
//! from which as few parts as can be certain at all are: the lower bound of their share reaches what is asked for, with an
//! error of 5 % over the P parts that they can begin with.
//! Requests count as independent.
//! Invariant: low <= value <= high.

use crate::CONFIDENCE;
use infermeter_stats::clopper_pearson;

/// Parts that have to be left for an objective to be said to hold until the end.
const PARTS_LEFT: usize = 3;

/// Requests of a part that an objective is about, and those of them that meet it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    pub n: u64,
    pub met: u64,
}

impl Tally {
    pub fn add(&mut self, met: bool) {
        self.n += 1;
        self.met += u64::from(met);
    }

    fn plus(self, other: Self) -> Self {
        Self {
            n: self.n + other.n,
            met: self.met + other.met,
        }
    }

    fn reaches(self, share: f64) -> bool {
        self.met as f64 >= share * self.n as f64
    }

    fn surely_misses(self, share: f64, level: f64) -> bool {
        let bounds = clopper_pearson(self.met as f64, self.n as f64, level);
        let high = bounds.ok().and_then(|bounds| bounds.high);
        high.is_some_and(|high| high < share)
    }

    fn surely_reaches(self, share: f64, level: f64) -> bool {
        let bounds = clopper_pearson(self.met as f64, self.n as f64, level);
        let low = bounds.ok().and_then(|bounds| bounds.low);
        low.is_some_and(|low| low >= share)
    }
}

/// From which part on the objectives hold, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settled {
    pub from: usize,
    /// Where the last stretch begins that misses for certain, or 0.
    pub low: usize,
    /// From here on for certain; absent where the requests are too few to say.
    pub high: Option<usize>,
}

/// Of the tallies of each objective, part by part; `asked` is the share that each asks for. `None` where they do not
/// hold again before the step ends, and without requests.
pub(super) fn settled(objectives: &[Vec<Tally>], asked: &[f64]) -> Option<Settled> {
    let parts = objectives.first()?.len();
    let rests: Vec<Vec<Tally>> = objectives.iter().map(|parts| rests(parts)).collect();
    let all = || objectives.iter().zip(asked);
    let holds = |from: usize| {
        let mut rests = rests.iter().zip(asked);
        rests.clone().any(|(rest, _)| rest[from].n > 0)
            && rests.all(|(rest, share)| rest[from].reaches(*share))
    };
    let missed = all().filter_map(|(parts, share)| last_miss(parts, *share));
    let missed = missed.max();
    let first = missed.map_or(0, |place| place + 1);
    let last = parts.checked_sub(PARTS_LEFT)?;
    let from = (first..=last).find(|from| holds(*from))?;
    let level = level_of(parts);
    let surely =
        |from: usize| all().all(|(parts, share)| begins_well(&parts[from..], *share, level));
    Some(Settled {
        from,
        low: missed.unwrap_or(0),
        high: (from..parts).find(|from| surely(*from)),
    })
}

/// The level of each of so many intervals that are looked at, for 95 % of all together.
fn level_of(looks: usize) -> f64 {
    1.0 - (1.0 - CONFIDENCE) / looks.max(1) as f64
}

/// Where the last stretch begins that misses for certain.
fn last_miss(parts: &[Tally], share: f64) -> Option<usize> {
    let level = level_of(parts.len() * (parts.len() + 1) / 2);
    let begins_one = |from: &usize| {
        let mut sum = Tally::default();
        parts[*from..].iter().any(|part| {
            sum = sum.plus(*part);
            !sum.reaches(share) && sum.surely_misses(share, level)
        })
    };
    (0..parts.len()).rev().find(begins_one)
}

/// As few of the first parts as can show it reach the share for certain.
fn begins_well(parts: &[Tally], share: f64, level: f64) -> bool {
    // Without a miss the lower bound of n requests is (tail)^(1/n).
    let least = (0.5 * (1.0 - level)).ln() / share.ln();
    let mut sum = Tally::default();
    for part in parts {
        sum = sum.plus(*part);
        if sum.n as f64 >= least {
            return sum.surely_reaches(share, level);
        }
    }
    false
}

/// What each part and all behind it hold together.
fn rests(parts: &[Tally]) -> Vec<Tally> {
    let mut sum = Tally::default();
    let mut rests: Vec<Tally> = parts
        .iter()
        .rev()
        .map(|part| {
            sum = sum.plus(*part);
            sum
        })
        .collect();
    rests.reverse();
    rests
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parts of 100 requests with so many that meet the objective.
    fn parts(met: &[u64]) -> Vec<Tally> {
        met.iter().map(|met| Tally { n: 100, met: *met }).collect()
    }

    fn check(met: &[u64], asked: f64, expect: Option<(usize, usize, Option<usize>)>) {
        let found = settled(&[parts(met)], &[asked]);
        let found = found.map(|found| (found.from, found.low, found.high));
        assert_eq!(found, expect, "{met:?} {asked}");
    }

    #[test]
    fn it_holds_from_the_first_part_behind_the_last_that_misses() {
        // 60 of 100 are surely below 99 %; of twelve parts, 700 of 700 are surely above it, and of nine parts 500 of
        // 500 are not: ln(0.025 / 9) / ln(0.99) = 586.
        let met = [100, 20, 0, 60, 100, 100, 100, 100, 100, 100, 100, 100];
        check(&met, 0.99, Some((4, 3, Some(4))));
        check(&met[..9], 0.99, Some((4, 3, None)));
        // A single miss in 100 is what p99 allows, and no part with one misses for certain.
        check(&[100, 99, 100, 99, 100, 100], 0.99, Some((0, 0, None)));
        check(&[100; 5], 0.9, Some((0, 0, Some(0))));
        // Two parts are too few to say that it holds until the end.
        check(&[0, 0, 0, 0, 100, 100], 0.99, None);
        check(&[0; 6], 0.99, None);
        check(&[100, 100, 100, 100, 100, 0], 0.99, None);
    }

    #[test]
    fn what_may_be_chance_makes_the_time_uncertain() {
        // 194 of 200 are seen by chance where 99 % are met (1.6 %, in one of 55 stretches); 600 of 600 show it.
        check(
            &[97, 97, 100, 100, 100, 100, 100, 100, 100, 100],
            0.99,
            Some((0, 0, Some(2))),
        );
    }

    #[test]
    fn a_long_good_end_does_not_hide_that_it_was_bad_before() {
        // One of 78 stretches has an error of 0.025 / 78 = 0.0003 on this side. 246 of 300 are not 90 % (P = 0.00002), 164 of
        // 200 may be (0.0004); all behind them together are above it.
        let met = [0, 82, 82, 82, 100, 100, 100, 100, 100, 100, 100, 100];
        check(&met, 0.9, Some((2, 1, Some(4))));
        // 252 of 300 may be (0.0008): at an error of 5 % over the twelve beginnings alone they would not.
        let met = [0, 84, 84, 84, 100, 100, 100, 100, 100, 100, 100, 100];
        check(&met, 0.9, Some((1, 0, Some(4))));
    }

    #[test]
    fn all_objectives_have_to_hold() {
        let both = [
            parts(&[0, 100, 100, 100, 100, 100]),
            parts(&[0, 0, 100, 100, 100, 100]),
        ];
        let found = settled(&both, &[0.9, 0.9]).expect("they hold");
        assert_eq!((found.from, found.low, found.high), (2, 1, Some(2)));
        assert_eq!(settled(&[], &[]), None);
        let nobody = vec![Tally::default(); 6];
        assert_eq!(settled(&[nobody], &[0.9]), None);
    }

    #[test]
    fn every_request_within_a_limit_is_never_certain() {
        check(&[10, 100, 100, 100, 100], 1.0, Some((1, 0, None)));
    }
}
