//! Which requests of a load carry a question: a function of a seed and of the request's number.
//!
//! Warm-up requests carry them, too: they are asked as others are, and are not counted. Invariant: whoever asks, in whatever
//! order, on however many machines, gets the same questions for the same requests.

mod order;

use crate::canary::{self, Abilities, Canary};
use crate::eval::{Eval, Row};
use crate::said::Said;
use infermeter_core::answer::{Question, QuestionKind};
use infermeter_core::request::RequestId;
use infermeter_core::run::EvalFile;
use infermeter_core::seed::splitmix64;
use order::{Places, shuffled};
use std::sync::Arc;

/// Keeps the choice of requests apart from other draws.
const CHOICE: u64 = 0x7175_6573_7469_6f6e;
const ROWS: u64 = 0x6576_616c_2d72_6f77;

/// The questions of a load.
#[derive(Debug, Clone)]
pub struct Questions {
    seed: u64,
    canaries: f64,
    abilities: Abilities,
    evals: Vec<Riding>,
}

/// An evaluation that rides in the load.
#[derive(Debug, Clone)]
struct Riding {
    eval: Arc<Eval>,
    share: f64,
    first_row: u32,
}

/// What a request asks.
#[derive(Debug, Clone)]
pub struct Carried {
    /// Its kind and number.
    pub question: Question,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Canary(Box<Canary>),
    Row(Arc<Eval>, usize),
}

impl Questions {
    /// Canaries in this share of the requests.
    pub fn new(seed: u64, canaries: f64) -> Self {
        Self {
            seed,
            canaries,
            abilities: Abilities::Text,
            evals: Vec::new(),
        }
    }

    /// The same, with canaries for all that the server can do.
    #[must_use]
    pub fn with_abilities(mut self, abilities: Abilities) -> Self {
        self.abilities = abilities;
        self
    }

    /// The same, and rows of an evaluation in this share of the requests that carry nothing else yet: in shuffled order,
    /// each once before one comes again.
    #[must_use]
    pub fn with_eval(mut self, eval: Arc<Eval>, share: f64) -> Self {
        let first_row = self
            .evals
            .iter()
            .map(|riding| riding.eval.rows().len() as u32)
            .sum();
        self.evals.push(Riding {
            eval,
            share,
            first_row,
        });
        self
    }

    /// What a request asks; `None` where it carries no question.
    pub fn of(&self, id: RequestId) -> Option<Carried> {
        if let Some((row, canary)) = self.numbered_canary(id) {
            return Some(Carried {
                question: Question {
                    kind: canary.kind,
                    row,
                },
                what: What::Canary(Box::new(canary)),
            });
        }
        let (riding, row) = self.row(id)?;
        Some(Carried {
            question: Question {
                kind: QuestionKind::Eval,
                row: riding.first_row + row as u32,
            },
            what: What::Row(Arc::clone(&riding.eval), row),
        })
    }

    /// The evaluations, as results name them.
    pub fn evals(&self) -> Vec<EvalFile> {
        let listed = |riding: &Riding| riding.eval.listed(riding.first_row, riding.share);
        self.evals.iter().map(listed).collect()
    }

    /// What decides about them, for a hash: numbers, and what tells evaluations apart.
    pub fn identity(&self) -> (Vec<u64>, Vec<&str>) {
        let mut numbers = vec![self.seed, self.canaries.to_bits()];
        if self.abilities == Abilities::Tools {
            numbers.push(1);
        }
        numbers.extend(self.evals.iter().map(|riding| riding.share.to_bits()));
        let names = self.evals.iter().map(|riding| riding.eval.sha256());
        (numbers, names.collect())
    }

    fn canary_draw(&self, id: RequestId) -> Option<u64> {
        let draw = splitmix64(splitmix64(self.seed ^ CHOICE).wrapping_add(splitmix64(id)));
        let share = (draw >> 11) as f64 / (1_u64 << 53) as f64;
        (share < self.canaries).then_some(draw)
    }

    fn numbered_canary(&self, id: RequestId) -> Option<(u32, Canary)> {
        let draw = self.canary_draw(id)?;
        // Kinds in turn by number would go with what else repeats by number: sessions, slots.
        let row = splitmix64(draw) as u32 >> 1;
        Some((row, Canary::of(self.seed, row, self.abilities)))
    }

    fn row(&self, id: RequestId) -> Option<(&Riding, usize)> {
        self.evals.iter().enumerate().find_map(|(place, riding)| {
            let seed = splitmix64(self.seed ^ ROWS).wrapping_add(place as u64);
            let number = Places::new(seed, riding.share).number(id)?;
            Some((riding, shuffled(seed, number, riding.eval.rows().len())))
        })
    }
}

impl Carried {
    /// It, where it is a canary.
    pub fn canary(&self) -> Option<&Canary> {
        match &self.what {
            What::Canary(canary) => Some(canary),
            What::Row(..) => None,
        }
    }

    /// It, where it is a row of an evaluation.
    pub fn row(&self) -> Option<&Row> {
        match &self.what {
            What::Canary(_) => None,
            What::Row(eval, row) => eval.rows().get(*row),
        }
    }

    /// The marker that its answer may say.
    pub fn marker(&self) -> Option<&str> {
        self.canary()
            .map_or_else(|| self.row()?.marker(), Canary::marker)
    }

    /// Output tokens that its answer has to be given at least.
    pub fn answer_tokens(&self) -> u32 {
        self.row()
            .map_or(canary::ANSWER_TOKENS, |row| row.max_tokens)
    }

    /// Whether an answer is right; `None` for one that cannot be judged.
    pub fn is_right(&self, said: &Said<'_>) -> Option<bool> {
        match &self.what {
            What::Canary(canary) => canary.is_right(said),
            What::Row(eval, row) => eval.rows().get(*row)?.is_right(said),
        }
    }
}

#[cfg(test)]
mod tests;
