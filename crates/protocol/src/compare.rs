//! Sides in turn, over rounds: the protocol of `compare`.
//!
//! In each round every side gets the same requests at the same instants, at each load; the driver gives runs
//! of one load and replicate the same seeds, whatever their side. Who begins is drawn before the first run.
//! Nothing that is measured changes how many rounds there are: that is why the rounds of the pilot can be
//! tested with the others (see [`infermeter_analysis::pilot`]).
//!
//! Where a side cannot be measured any more, the others go on as long as something is left to be compared.
//!
//! Invariant: a run of this sequence is known by its number alone, so that whoever resumes goes on with the
//! runs that are missing, whichever they are.

mod flags;

pub use flags::CompareFlags;

use crate::{Coordinates, Intensity, OfRuns, Protocol, RunPoint, RunSeen, Step};
use infermeter_analysis::{
    CompareSpec, Comparison, LoadRounds, PilotFigure, Round, RunSetup, SideRun, Turns, pilot,
};
use infermeter_core::key::ValueKind;
use infermeter_core::key_values;
use infermeter_core::seed::splitmix64;
use infermeter_core::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rounds where none are asked for, if the family can be decided with them.
pub const DEFAULT_ROUNDS: usize = 8;

/// Who begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TurnOrder {
    /// Drawn for every second round; the round behind it goes the other way, so that each side is as often
    /// early as late.
    #[default]
    Random,
    /// A B, then B A, and so on.
    Abba,
}

key_values!(ValueKind::OneOf(&["random", "abba"]) => TurnOrder);

/// What `compare` measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Compare {
    /// What is asked of the rounds.
    pub asked: CompareSpec,
    /// How many there are.
    pub rounds: usize,
    /// After how many it is said what all of them can find.
    pub pilot: usize,
    /// Who begins.
    pub order: TurnOrder,
    /// What is drawn, is drawn from this.
    pub seed: u64,
    /// Each load; absent: what the plans say.
    pub loads: Vec<Option<Intensity>>,
    /// What is done before each run.
    pub before: BeforeRun,
}

/// What is done before each run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BeforeRun {
    /// A command that brings the side's server to its first state, and ends once it serves.
    pub restart: Option<String>,
    /// A pause, in which a machine can cool down.
    pub pause: Option<Span>,
}

impl Compare {
    /// Runs of one round.
    pub fn runs_per_round(&self) -> usize {
        self.asked.sides.len() * self.loads.len()
    }

    /// Where each run is measured, in order.
    pub fn sequence(&self) -> Vec<Coordinates> {
        (0..self.rounds)
            .flat_map(|round| self.round(round))
            .collect()
    }

    fn round(&self, round: usize) -> Vec<Coordinates> {
        let loads = self.loads.iter().enumerate();
        let of_load = |(number, load): (usize, &Option<Intensity>)| {
            let turn = |variant| Coordinates {
                variant,
                load: *load,
                ..Coordinates::default()
            };
            self.turns(round, number)
                .into_iter()
                .map(turn)
                .collect::<Vec<_>>()
        };
        loads.flat_map(of_load).collect()
    }

    /// The sides in the order of one round at one load.
    fn turns(&self, round: usize, load: usize) -> Vec<usize> {
        let mut sides: Vec<usize> = (0..self.asked.sides.len()).collect();
        if self.order == TurnOrder::Random {
            let pair = (round / 2) as u64;
            let mut drawn = splitmix64(self.seed ^ splitmix64(pair << 32 | load as u64));
            for last in (1..sides.len()).rev() {
                sides.swap(last, (drawn % (last as u64 + 1)) as usize);
                drawn = splitmix64(drawn);
            }
        }
        if round % 2 == 1 {
            sides.reverse();
        }
        sides
    }

    /// How many rounds have every run.
    pub fn whole(&self, points: &[RunPoint]) -> usize {
        let runs = self.runs_per_round().max(1);
        let of_round = |round: usize| {
            points
                .iter()
                .filter(move |p| (p.number - 1) / runs == round)
        };
        (0..self.rounds)
            .filter(|round| of_round(*round).count() == runs)
            .count()
    }

    /// What the rounds say that are whole; `setups` are those of the points, or none.
    pub fn compared(&self, points: &[RunPoint], setups: &[RunSetup]) -> Comparison {
        Comparison::of(
            &self.asked,
            &self.whole_rounds(points, setups),
            Turns::InTurn,
        )
    }

    /// What all rounds can find, once the pilot's are there: all of them, or a run behind them.
    pub fn pilot(&self, points: &[RunPoint]) -> Vec<PilotFigure> {
        let runs = self.pilot * self.runs_per_round();
        let (of_pilot, behind): (Vec<RunPoint>, Vec<RunPoint>) = points
            .iter()
            .cloned()
            .partition(|point| point.number <= runs);
        match of_pilot.len() == runs || !behind.is_empty() {
            true => pilot(&self.asked, &self.whole_rounds(&of_pilot, &[]), self.rounds),
            false => Vec::new(),
        }
    }

    /// The runs that are missing, but those of sides that are lost.
    fn missing<'a>(
        &self,
        points: &'a [RunPoint],
        lost: &'a [Coordinates],
    ) -> impl Iterator<Item = Coordinates> + 'a {
        let runs = (1..).zip(self.sequence());
        let is_lost = |at: &Coordinates| lost.iter().any(|lost| lost.variant == at.variant);
        runs.filter(move |(number, at)| {
            !is_lost(at) && !points.iter().any(|point| point.number == *number)
        })
        .map(|(_, at)| at)
    }

    /// The rounds that have the first side and another one, whole, by load.
    fn whole_rounds<'a>(
        &self,
        points: &'a [RunPoint],
        setups: &'a [RunSetup],
    ) -> Vec<LoadRounds<'a>> {
        let of_side = |load: &Option<Intensity>, round: usize, side: usize| {
            let is_it = |point: &&RunPoint| {
                let at = &point.at;
                (at.variant, at.load, point.replicate) == (side, *load, round)
            };
            let index = points.iter().position(|point| is_it(&point))?;
            let seen = Some(&points[index].seen).filter(|seen| seen.is_whole())?;
            Some(SideRun {
                summary: &seen.summary,
                verdict: seen.verdict,
                setup: setups.get(index),
            })
        };
        let sides = self.asked.sides.len();
        let of_load = |load: &Option<Intensity>| {
            let round = |round| Round {
                number: round + 1,
                runs: (0..sides).map(|side| of_side(load, round, side)).collect(),
            };
            let rounds = (0..self.rounds).map(round).filter(|round| {
                let others = round.runs.iter().skip(1).flatten();
                round.runs[0].is_some() && others.count() > 0
            });
            LoadRounds {
                load: load.map_or_else(|| "the plan's load".to_owned(), |load| load.to_string()),
                rounds: rounds.collect(),
            }
        };
        self.loads.iter().map(of_load).collect()
    }
}

impl Protocol for Compare {
    type At = Coordinates;
    type Seen = RunSeen;
    type Answer = Comparison;

    fn next(&self, points: &[RunPoint]) -> Step<Coordinates, Comparison> {
        self.without(points, &[])
    }

    /// The first side is there, and another one to hold against it.
    fn goes_on_without(&self, lost: &[Coordinates]) -> bool {
        let is_there = |side: &usize| !lost.iter().any(|lost| lost.variant == *side);
        let others = (1..self.asked.sides.len()).filter(is_there);
        is_there(&0) && others.count() > 0
    }

    /// A run that was cut short ends them all: who stopped it wants no further one.
    fn without(&self, points: &[RunPoint], lost: &[Coordinates]) -> Step<Coordinates, Comparison> {
        let cut_short = points.last().is_some_and(|last| !last.seen.is_whole());
        match self.missing(points, lost).next() {
            Some(at) if !cut_short => Step::Measure(at),
            _ => Step::Stop(self.so_far(points)),
        }
    }

    fn fixed(&self) -> Option<Vec<Coordinates>> {
        Some(self.sequence())
    }
}

impl OfRuns for Compare {
    fn ahead(&self, points: &[RunPoint]) -> Vec<Coordinates> {
        self.missing(points, &[]).collect()
    }

    fn so_far(&self, points: &[RunPoint]) -> Comparison {
        self.compared(points, &[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Numbered, numbered};

    fn compare(sides: usize, order: TurnOrder, seed: u64) -> Compare {
        Compare {
            asked: CompareSpec {
                sides: (0..sides).map(|side| side.to_string()).collect(),
                primary: Vec::new(),
                margin: 0.03,
                claims: Vec::new(),
            },
            rounds: 8,
            pilot: 3,
            order,
            seed,
            loads: vec![Some(Intensity::Rate(1.0)), Some(Intensity::Rate(2.0))],
            before: BeforeRun::default(),
        }
    }

    fn sides(of: &Compare, load: usize) -> Vec<Vec<usize>> {
        (0..of.rounds).map(|round| of.turns(round, load)).collect()
    }

    #[test]
    fn every_side_runs_once_in_every_round_at_every_load() {
        let compare = compare(3, TurnOrder::Random, 1);
        let sequence = compare.sequence();
        assert_eq!(sequence.len(), 8 * 3 * 2);
        for round in sequence.chunks(6) {
            for load in round.chunks(3) {
                assert!(load.iter().all(|at| at.load == load[0].load));
                let mut sides: Vec<usize> = load.iter().map(|at| at.variant).collect();
                sides.sort_unstable();
                assert_eq!(sides, [0, 1, 2]);
            }
        }
    }

    #[test]
    fn each_side_begins_as_often_as_the_other() {
        let begins = |of: &Compare| sides(of, 0).iter().filter(|turn| turn[0] == 0).count();
        for seed in 0..20 {
            assert_eq!(begins(&compare(2, TurnOrder::Random, seed)), 4);
        }
        let abba = sides(&compare(2, TurnOrder::Abba, 1), 0);
        assert_eq!(abba[..3], [vec![0, 1], vec![1, 0], vec![0, 1]]);
    }

    #[test]
    fn the_order_is_drawn_from_the_seed_alone() {
        let drawn = |seed| sides(&compare(2, TurnOrder::Random, seed), 0);
        assert_eq!(drawn(1), drawn(1));
        assert!((2..20).any(|seed| drawn(seed) != drawn(1)));
        let of = compare(2, TurnOrder::Random, 3);
        assert!((0..8).any(|round| of.turns(round, 0) != of.turns(round, 1)));
    }

    #[test]
    fn what_lies_ahead_is_the_rest_of_the_sequence() {
        let compare = compare(2, TurnOrder::Random, 1);
        assert_eq!(OfRuns::ahead(&compare, &[]), compare.sequence());
        assert_eq!(compare.runs_per_round(), 4);
        assert!(compare.pilot(&[]).is_empty());
    }

    #[test]
    fn the_others_go_on_while_there_is_something_to_compare() {
        let lost = |variant| Coordinates {
            variant,
            ..Coordinates::default()
        };
        let three = compare(3, TurnOrder::Random, 1);
        let goes_on = |of: &Compare, sides: &[usize]| {
            let lost: Vec<Coordinates> = sides.iter().map(|side| lost(*side)).collect();
            of.goes_on_without(&lost)
        };
        assert!(goes_on(&three, &[]) && goes_on(&three, &[1]) && goes_on(&three, &[2]));
        assert!(
            !goes_on(&three, &[1, 2]),
            "nothing is held against the first"
        );
        assert!(!goes_on(&three, &[0]), "all are held against the first");
        assert!(!goes_on(&compare(2, TurnOrder::Random, 1), &[1]));
        let rest: Vec<Coordinates> = three.missing(&[], &[lost(2)]).collect();
        assert_eq!(rest.len(), 8 * 2 * 2);
        assert!(rest.iter().all(|at| at.variant != 2));
    }

    #[test]
    fn a_run_is_numbered_by_its_place_in_the_sequence() {
        let compare = compare(3, TurnOrder::Random, 1);
        let sequence = compare.sequence();
        let at = sequence[4];
        let first = (1..).zip(&sequence).find(|(_, place)| **place == at);
        let expect = Numbered {
            number: first.expect("it is there").0,
            replicate: 0,
        };
        assert_eq!(numbered(&compare, &[], &at), expect);
    }
}
