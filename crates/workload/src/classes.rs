//! Classes of requests: which class a request belongs to, and both of its lengths.
//!
//! It does not know distributions ([`crate::lengths`] does) nor text.
//!
//! Invariant: a draw takes the same numbers from the stream whatever the lengths' parameters are; a
//! workload of one class takes none for the class.

use crate::expected_tokens::ExpectedTokens;
use crate::identity::Identity;
use crate::lengths::{ANSWER_BOUNDS, LengthDistribution, PROMPT_BOUNDS};
use crate::pairs::{LengthPair, PairsError, read_pairs};
use infermeter_core::plan::{Bounds, Length, Lengths, WorkloadClass, WorkloadKind};
use infermeter_core::request::ClassIndex;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// Standard deviation of the logarithm in all named classes.
const SIGMA: f64 = 0.8;

/// Both lengths of one class.
#[derive(Debug, Clone)]
enum PairSource {
    /// Drawn from two distributions; `rho` correlates their normal variables.
    Drawn {
        input: LengthDistribution,
        output: LengthDistribution,
        rho: f64,
    },
    /// Rows of a file, each as likely as any other: what the two lengths have to do with each other
    /// stays.
    Rows(Vec<LengthPair>),
}

/// What one request asks for, beside its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Draw {
    pub class: ClassIndex,
    pub lengths: LengthPair,
}

/// The classes of a workload with their shares.
#[derive(Debug, Clone)]
pub(crate) struct Classes {
    sources: Vec<PairSource>,
    /// Each as a plan writes it; a file of pairs is its rows, not its path.
    texts: Vec<String>,
    /// Share of each class and those before it; the last is 1.
    up_to: Vec<f64>,
}

impl Classes {
    /// The classes that a plan names, in its order.
    ///
    /// # Errors
    /// When a file of lengths cannot be read.
    pub fn new(kind: &WorkloadKind) -> Result<Self, PairsError> {
        let (classes, weights): (Vec<&WorkloadClass>, Vec<f64>) = match kind {
            WorkloadKind::Mix(parts) => parts.iter().map(|p| (&p.class, p.weight)).unzip(),
            WorkloadKind::One(class) => (vec![class], vec![1.0]),
        };
        let whole: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let cumulated = weights.iter().map(|weight| {
            sum += weight;
            sum / whole
        });
        let text = |class: &&WorkloadClass| match class {
            WorkloadClass::Empirical(_) => "empirical".to_owned(),
            named => named.to_string(),
        };
        Ok(Self {
            up_to: cumulated.collect(),
            texts: classes.iter().map(text).collect(),
            sources: classes.into_iter().map(source).collect::<Result<_, _>>()?,
        })
    }

    /// Adds all that decides about lengths to a hash.
    pub fn identity(&self, mut identity: Identity) -> Identity {
        for ((source, text), up_to) in self.sources.iter().zip(&self.texts).zip(&self.up_to) {
            identity = identity.text(text).number(up_to.to_bits());
            if let PairSource::Rows(pairs) = source {
                for pair in pairs {
                    identity =
                        identity.number(u64::from(pair.input) << 32 | u64::from(pair.output));
                }
            }
        }
        identity
    }

    /// One class whose two lengths have nothing to do with each other.
    pub(crate) fn of_distributions(input: LengthDistribution, output: LengthDistribution) -> Self {
        Self {
            sources: vec![PairSource::Drawn {
                input,
                output,
                rho: 0.0,
            }],
            texts: vec!["drawn".to_owned()],
            up_to: vec![1.0],
        }
    }

    /// The same, with the rank correlation (Spearman's) `asked` between prompts and answers. For a
    /// Gaussian copula it is 6/pi asin(rho/2) (Kruskal, JASA 53, 1958), so rho is 2 sin(pi asked/6);
    /// ties between whole numbers of tokens lower it a little. `None` where there is no single pair
    /// of distributions without a correlation.
    pub(crate) fn with_rank_correlation(mut self, asked: f64) -> Option<Self> {
        match self.sources.as_mut_slice() {
            [PairSource::Drawn { input, output, rho }]
                if *rho == 0.0 && !input.is_fixed() && !output.is_fixed() =>
            {
                *rho = 2.0 * (std::f64::consts::PI * asked / 6.0).sin();
                Some(self)
            }
            _ => None,
        }
    }

    /// Draws a request.
    pub fn draw<R: Rng>(&self, rng: &mut R) -> Draw {
        let class = self.draw_class(rng);
        let lengths = self.draw_lengths(class, rng);
        Draw { class, lengths }
    }

    /// Draws a class.
    pub(crate) fn draw_class<R: Rng>(&self, rng: &mut R) -> ClassIndex {
        let class = match self.sources.len() {
            0 | 1 => 0,
            n => {
                let share = rng.random::<f64>();
                self.up_to
                    .partition_point(|up_to| *up_to <= share)
                    .min(n - 1)
            }
        };
        // A plan has at most 1,000 classes.
        class as ClassIndex
    }

    /// Draws both lengths of a request of `class`.
    pub(crate) fn draw_lengths<R: Rng>(&self, class: ClassIndex, rng: &mut R) -> LengthPair {
        match &self.sources[usize::from(class)] {
            PairSource::Drawn { input, output, rho } => {
                let z: f64 = StandardNormal.sample(rng);
                let own: f64 = StandardNormal.sample(rng);
                let with = rho * z + (1.0 - rho * rho).sqrt() * own;
                LengthPair {
                    input: input.tokens(z),
                    output: output.tokens(with),
                }
            }
            PairSource::Rows(rows) => rows[rng.random_range(0..rows.len())],
        }
    }

    /// Mean lengths over all classes.
    pub fn expected(&self) -> ExpectedTokens {
        let mut before = 0.0;
        let mut mean = ExpectedTokens {
            input: 0.0,
            output: 0.0,
        };
        for (source, up_to) in self.sources.iter().zip(&self.up_to) {
            let (input, output) = source.means();
            mean.input += (up_to - before) * input;
            mean.output += (up_to - before) * output;
            before = *up_to;
        }
        mean
    }
}

impl PairSource {
    fn means(&self) -> (f64, f64) {
        match self {
            Self::Drawn { input, output, .. } => (input.mean(), output.mean()),
            Self::Rows(rows) => {
                let n = rows.len().max(1) as f64;
                let mean = |tokens: fn(&LengthPair) -> u32| {
                    let sum: u64 = rows.iter().map(|row| u64::from(tokens(row))).sum();
                    sum as f64 / n
                };
                (mean(|row| row.input), mean(|row| row.output))
            }
        }
    }
}

fn source(class: &WorkloadClass) -> Result<PairSource, PairsError> {
    Ok(match class {
        WorkloadClass::Chat => named(about(500.0, 50, 4_000), about(200.0, 10, 2_000)),
        WorkloadClass::CodeGeneration => named(about(1_500.0, 200, 8_000), about(500.0, 50, 4_000)),
        WorkloadClass::LongContextQa => {
            named(about(16_000.0, 2_000, 128_000), about(300.0, 20, 2_000))
        }
        WorkloadClass::Summarization => named(about(4_000.0, 500, 32_000), about(150.0, 50, 500)),
        WorkloadClass::Lengths(lengths) => drawn(lengths),
        WorkloadClass::Empirical(path) => PairSource::Rows(read_pairs(path)?),
    })
}

/// Lengths of a named class: lognormal around a median, within bounds.
fn about(median: f64, min: u32, max: u32) -> Length {
    Length::LogNormal {
        median,
        sigma: SIGMA,
        bounds: Some(Bounds { min, max }),
    }
}

/// A named class: prompts and answers of independent lengths.
fn named(input: Length, output: Length) -> PairSource {
    drawn(&Lengths {
        input,
        output,
        rho: None,
    })
}

fn drawn(lengths: &Lengths) -> PairSource {
    PairSource::Drawn {
        input: LengthDistribution::new(&lengths.input, PROMPT_BOUNDS),
        output: LengthDistribution::new(&lengths.output, ANSWER_BOUNDS),
        rho: lengths.rho.unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests;
