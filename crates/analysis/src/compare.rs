//! Sides that are compared over rounds: whether they can be, how each figure changes, and what of that is
//! shown.
//!
//! Pure: it gets the runs of whole rounds and does no IO. Invariants: the round is the unit, never the
//! request; what speaks against a comparison comes before any speed; the family that decides is the one that
//! was declared.

mod answered;
mod axis;
mod change;
mod decide;
mod findings;
mod pilot;
mod setup;
mod treatment;

pub use answered::{AnswerApart, AnswersBeside};
pub use axis::{Axis, Better, Scale};
pub use change::{COMPARE_ALPHA, Pair, PairedChange, Worsening};
pub use decide::{Answer, Decision, decide, least_rounds, more_rounds};
pub(crate) use findings::COMPARED;
pub use pilot::{PilotFigure, pilot};
pub use setup::{Difference, Fact, RunSetup};
pub use treatment::{Checked, Claim, Seen, Treatment};

use crate::summary::Summary;
use infermeter_core::finding::{Finding, Verdict};
use infermeter_core::key::ValueKind;
use infermeter_core::key_values;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use setup::unlike_answers;

key_values!(ValueKind::Text => Axis, Treatment);

/// Most figures of a primary family: beyond it eight rounds decide nothing.
pub const MOST_PRIMARY: usize = 6;

/// What a comparison was declared to ask, before the first run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CompareSpec {
    /// What the sides are called; all are held against the first.
    pub sides: Vec<String>,
    /// The figures that decide.
    pub primary: Vec<Axis>,
    /// Changes within it do not matter: 0.03 is 3 %, and 3 points of a share.
    pub margin: f64,
    /// What must be seen on one side and not on the other.
    pub claims: Vec<Claim>,
}

/// Whether the sides were measured in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Turns {
    /// In each round one after the other.
    InTurn,
    /// All of one side, then all of the other.
    Apart,
}

/// The rounds at one load.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadRounds<'a> {
    /// How much load, in words.
    pub load: String,
    /// Rounds, which have a run of the first side and of another one at least.
    pub rounds: Vec<Round<'a>>,
}

/// One round.
#[derive(Debug, Clone, PartialEq)]
pub struct Round<'a> {
    /// Its number, from 1 on: rounds that are missing have theirs, too.
    pub number: usize,
    /// A run of each side, by side; absent where it is missing.
    pub runs: Vec<Option<SideRun<'a>>>,
}

/// A run of a side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SideRun<'a> {
    /// Its figures.
    pub summary: &'a Summary,
    /// Whether they can be trusted.
    pub verdict: Verdict,
    /// What it says of its side, where that was read.
    pub setup: Option<&'a RunSetup>,
}

/// What a comparison says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// What was asked.
    pub asked: CompareSpec,
    /// Whether the sides were measured in turn.
    pub turns: Turns,
    /// Tests of the family: figures x loads x sides beyond the first.
    pub family: usize,
    /// Whether it can be trusted.
    pub verdict: Verdict,
    /// What speaks against it.
    pub findings: Vec<Finding>,
    /// What the counters say of each claim.
    pub treatments: Vec<Checked>,
    /// Where the set-ups differ, by side.
    pub setups: Vec<SideDifferences>,
    /// Answers to the same prompts asked alone, by side; empty where none were asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answered: Vec<AnswersBeside>,
    /// Each load.
    pub loads: Vec<ComparedLoad>,
}

/// Where a side differs from the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SideDifferences {
    /// The side.
    pub side: usize,
    /// Of its set-up.
    pub setup: Vec<Difference>,
    /// Of its answers.
    pub answers: Vec<Difference>,
}

/// One load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedLoad {
    /// How much load, in words.
    pub load: String,
    /// Rounds that some other side shares with the first.
    pub rounds: usize,
    /// Rounds that each other side shares with the first.
    #[serde(default)]
    pub shared: Vec<usize>,
    /// Every figure, side by side.
    pub figures: Vec<SideBySide>,
    /// Every change against the first side: the primary family in its order, then the others.
    pub changes: Vec<ComparedChange>,
}

/// A figure of every side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SideBySide {
    /// The figure.
    pub axis: Axis,
    /// Its mean over the rounds that have it, by side; absent where none has.
    pub sides: Vec<Option<f64>>,
    /// Observations that it needs in one run, by side, where no round carries it.
    #[serde(default)]
    pub needs: Vec<Option<usize>>,
    /// The sides that do not have it for want of what was declared of them: a price, or a number of accelerators.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undeclared: Vec<usize>,
}

/// A change of one figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedChange {
    /// The side that is held against the first.
    pub side: usize,
    /// The figure.
    pub axis: Axis,
    /// The change; absent where no round has the figure on both sides.
    pub change: Option<PairedChange>,
    /// The answer, for a figure of the primary family. The others are exploratory.
    pub decision: Option<Decision>,
}

/// An answer that is open, and what would close it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outlook {
    /// The load, in words.
    pub load: String,
    /// The side.
    pub side: usize,
    /// The figure.
    pub axis: Axis,
    /// Rounds beyond those at hand that would decide it with a chance of 80 %, if change and spread are as
    /// they look; absent where that takes more than 200 in all.
    pub more_rounds: Option<usize>,
}

impl CompareSpec {
    /// Tests of the family over so many loads.
    pub fn family(&self, loads: usize) -> usize {
        self.primary.len() * loads * self.sides.len().saturating_sub(1)
    }

    /// Fewest rounds that can decide anything over so many loads.
    pub fn least_rounds(&self, loads: usize) -> usize {
        least_rounds(self.family(loads))
    }

    fn others(&self) -> std::ops::Range<usize> {
        1..self.sides.len()
    }
}

impl Comparison {
    /// Compares the sides over whole rounds.
    pub fn of(asked: &CompareSpec, loads: &[LoadRounds<'_>], turns: Turns) -> Self {
        let family = asked.family(loads.len());
        let treatments: Vec<Checked> = asked.claims.iter().map(|c| check(c, loads)).collect();
        let setups: Vec<SideDifferences> =
            asked.others().map(|side| side_of(side, loads)).collect();
        let answered = answered::beside(asked, loads);
        let mut compared: Vec<ComparedLoad> =
            loads.iter().map(|l| ComparedLoad::of(asked, l)).collect();
        let primary = || |change: &&ComparedChange| change.is_primary(asked);
        let changes = compared.iter().flat_map(|load| load.changes.iter());
        let tested: Vec<Option<PairedChange>> = changes
            .filter(primary())
            .map(|c| c.change.clone())
            .collect();
        let mut decisions = decide(&tested, asked.margin).into_iter();
        let changes = compared.iter_mut().flat_map(|load| load.changes.iter_mut());
        for change in changes.filter(|change| change.is_primary(asked)) {
            change.decision = decisions.next();
        }
        let findings = Findings {
            asked,
            loads,
            turns,
            treatments: &treatments,
            setups: &setups,
            answered: &answered,
        };
        let findings = findings.all();
        Self {
            asked: asked.clone(),
            turns,
            family,
            verdict: Verdict::of(&findings),
            findings,
            treatments,
            setups,
            answered,
            loads: compared,
        }
    }

    /// The answers of the primary family.
    pub fn answers(&self) -> impl Iterator<Item = Answer> + '_ {
        let changes = self.loads.iter().flat_map(|load| &load.changes);
        changes.filter_map(|change| change.decision.map(|decision| decision.answer))
    }
}

impl Comparison {
    /// What would close the answers that are open.
    pub fn outlook(&self) -> Vec<Outlook> {
        let of_load = |load: &ComparedLoad| -> Vec<Outlook> {
            let open = load.changes.iter().filter(|change| {
                let answer = change.decision.map(|decision| decision.answer);
                answer == Some(Answer::Undecided)
            });
            open.map(|open| Outlook {
                load: load.load.clone(),
                side: open.side,
                axis: open.axis,
                more_rounds: open
                    .change
                    .as_ref()
                    .and_then(|change| more_rounds(change, self.family, self.asked.margin)),
            })
            .collect()
        };
        self.loads.iter().flat_map(of_load).collect()
    }
}

impl ComparedChange {
    fn is_primary(&self, asked: &CompareSpec) -> bool {
        asked.primary.contains(&self.axis)
    }
}

impl ComparedLoad {
    fn of(asked: &CompareSpec, load: &LoadRounds<'_>) -> Self {
        let figures: Vec<SideBySide> = Axis::all()
            .into_iter()
            .map(|axis| SideBySide::of(axis, asked.sides.len(), load))
            .filter(SideBySide::is_known)
            .collect();
        let seen = figures.iter().map(|figure| figure.axis);
        let others = seen.filter(|axis| !asked.primary.contains(axis));
        let axes: Vec<Axis> = asked.primary.iter().copied().chain(others).collect();
        let changes = asked.others().flat_map(|side| {
            axes.iter().map(move |axis| ComparedChange {
                side,
                axis: *axis,
                change: change_of(*axis, side, load),
                decision: None,
            })
        });
        Self {
            load: load.load.clone(),
            rounds: load.rounds.len(),
            shared: asked.others().map(|side| load.shared(side)).collect(),
            changes: changes.collect(),
            figures,
        }
    }
}

impl SideBySide {
    /// Some side has it, or would with more observations.
    fn is_known(&self) -> bool {
        self.sides.iter().any(Option::is_some) || self.needs.iter().any(Option::is_some)
    }

    fn of(axis: Axis, sides: usize, load: &LoadRounds<'_>) -> Self {
        let of_side = |side: usize| {
            let values = load.of_side(side).filter_map(|run| axis.value(run.summary));
            let values: Vec<f64> = values.collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let needs = |side: usize| {
            let needed = load.of_side(side).map(|run| axis.needed(run.summary));
            needed.collect::<Option<Vec<usize>>>()?.into_iter().min()
        };
        let undeclared = |side: &usize| {
            let mut runs = load.of_side(*side).peekable();
            runs.peek().is_some() && runs.all(|run| axis.is_undeclared(run.summary))
        };
        Self {
            axis,
            sides: (0..sides).map(of_side).collect(),
            needs: (0..sides).map(needs).collect(),
            undeclared: (0..sides).filter(undeclared).collect(),
        }
    }
}

impl<'a> LoadRounds<'a> {
    fn of_side(&self, side: usize) -> impl Iterator<Item = &SideRun<'a>> {
        let rounds = self.rounds.iter();
        rounds.filter_map(move |round| round.runs.get(side)?.as_ref())
    }

    /// Rounds in which a side stands beside the first.
    fn shared(&self, side: usize) -> usize {
        self.of_side(side).count()
    }
}

/// The change of a figure over the rounds that have it on both sides.
fn change_of(axis: Axis, side: usize, load: &LoadRounds<'_>) -> Option<PairedChange> {
    let pair = |round: &Round<'_>| {
        let value = |side: usize| axis.value(round.runs.get(side)?.as_ref()?.summary);
        Some(Pair {
            first: value(0)?,
            other: value(side)?,
        })
    };
    let pairs: Vec<Pair> = load.rounds.iter().filter_map(pair).collect();
    PairedChange::of(&pairs, axis.better(), axis.scale())
}

/// The runs of a side at every load.
fn runs_of<'a>(side: usize, loads: &'a [LoadRounds<'_>]) -> Vec<&'a Summary> {
    let runs = loads.iter().flat_map(|load| load.of_side(side));
    runs.map(|run| run.summary).collect()
}

fn check(claim: &Claim, loads: &[LoadRounds<'_>]) -> Checked {
    let runs = |side: usize| loads.iter().flat_map(move |load| load.of_side(side));
    let control: Vec<&SideRun<'_>> = runs(claim.control).collect();
    let active: Vec<&SideRun<'_>> = runs(claim.active).collect();
    claim.check(&control, &active)
}

fn side_of(side: usize, loads: &[LoadRounds<'_>]) -> SideDifferences {
    let setup = |side: usize| loads.first()?.of_side(side).next()?.setup;
    SideDifferences {
        side,
        setup: match (setup(0), setup(side)) {
            (Some(first), Some(other)) => first.differences(other),
            _ => Vec::new(),
        },
        answers: unlike_answers(&runs_of(0, loads), &runs_of(side, loads)),
    }
}

/// How many rounds a side shares with the first.
struct SideRounds<'a> {
    side: &'a str,
    rounds: usize,
}

/// So many times the usual distance between the runs of a round is late: a restart or a pause takes less.
const APART: i64 = 3;

/// When the runs of one round at one load began.
struct Turn {
    round: usize,
    began: Vec<i64>,
}

impl Turn {
    fn of_load(load: &LoadRounds<'_>) -> Vec<Self> {
        let began = |run: &SideRun<'_>| run.setup?.began_ns;
        let turn = |round: &Round<'_>| Self {
            round: round.number,
            began: round.runs.iter().flatten().filter_map(began).collect(),
        };
        load.rounds.iter().map(turn).collect()
    }

    /// Another round's run began between its own, or they lie further apart than runs of a round do: the last round
    /// has none behind it.
    fn is_torn(&self, all: &[i64], usual: i64) -> bool {
        let first = self.began.iter().min();
        let within = |at: &&i64| Some(*at) > first && Some(*at) < self.began.iter().max();
        let between = all.iter().filter(within).any(|at| !self.began.contains(at));
        between || self.spread() > usual.saturating_mul(APART)
    }

    /// From the first run's beginning to the last one's.
    fn spread(&self) -> i64 {
        let ends = self.began.iter().min().zip(self.began.iter().max());
        ends.map_or(0, |(first, last)| last.saturating_sub(*first))
    }
}

/// What speaks against a comparison.
struct Findings<'a> {
    asked: &'a CompareSpec,
    loads: &'a [LoadRounds<'a>],
    turns: Turns,
    treatments: &'a [Checked],
    setups: &'a [SideDifferences],
    answered: &'a [AnswersBeside],
}

impl Findings<'_> {
    fn all(&self) -> Vec<Finding> {
        let mut found: Vec<Finding> = Vec::new();
        found.extend(self.treatments.iter().filter_map(findings::treatment));
        found.extend(findings::loads_differ(&self.with_another_load()));
        for side in self.setups {
            let names = [0, side.side].map(|side| self.asked.sides[side].as_str());
            found.extend(findings::answers_differ(&side.answers, names));
        }
        for side in self.answered {
            let names = [0, side.side].map(|side| self.asked.sides[side].as_str());
            found.extend(findings::same_model_unlikely(side, names));
            found.extend(findings::same_model_unproven(side, names));
        }
        let needed = self.asked.least_rounds(self.loads.len());
        found.extend(findings::few_rounds(&self.rounds(), needed));
        let runs = self
            .loads
            .iter()
            .flat_map(|load| load.rounds.iter().flat_map(|round| &round.runs))
            .flatten();
        let verdicts: Vec<Verdict> = runs.map(|run| run.verdict).collect();
        found.extend(findings::not_valid(&verdicts));
        found.extend(match self.turns {
            Turns::Apart => Some(findings::apart()),
            Turns::InTurn => findings::late(&self.late()),
        });
        found
    }

    /// The fewest rounds that each other side shares with the first.
    fn rounds(&self) -> Vec<SideRounds<'_>> {
        let of = |side: usize| {
            let loads = self.loads.iter().map(|load| load.shared(side));
            SideRounds {
                side: &self.asked.sides[side],
                rounds: loads.min().unwrap_or(0),
            }
        };
        self.asked.others().map(of).collect()
    }

    /// The rounds between whose runs others were measured: a side was not there, and was measured later.
    fn late(&self) -> Vec<usize> {
        let rounds: Vec<Turn> = self.loads.iter().flat_map(Turn::of_load).collect();
        let began: Vec<i64> = rounds.iter().flat_map(|turn| turn.began.clone()).collect();
        let mut spreads: Vec<i64> = rounds.iter().map(Turn::spread).collect();
        spreads.sort_unstable();
        // Of two rounds either may be the unusual one: then only what lies between tells.
        let usual = match spreads.len() {
            0..3 => i64::MAX,
            n => spreads[n / 2],
        };
        let late = rounds.iter().filter(|turn| turn.is_torn(&began, usual));
        let mut late: Vec<usize> = late.map(|turn| turn.round).collect();
        late.sort_unstable();
        late.dedup();
        late
    }

    /// Numbers of the rounds whose sides were not sent the same.
    fn with_another_load(&self) -> Vec<usize> {
        let differs = |round: &[Option<SideRun<'_>>]| {
            let mut setups = round.iter().flatten().filter_map(|run| run.setup);
            let first = setups.next();
            first.is_some_and(|first| setups.any(|o| first.has_load_of(o) == Some(false)))
        };
        let mut numbers: Vec<usize> = self
            .loads
            .iter()
            .flat_map(|load| &load.rounds)
            .filter(|round| differs(&round.runs))
            .map(|round| round.number)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

#[cfg(test)]
mod tests;
