//! Mathematics only: exact quantiles, intervals, effective sample size, trend and dispersion.
//!
//! Observations are plain numbers in time order; this crate does no IO, reads no clock, draws no
//! random number but from a seed it is given, and knows nothing of what is being measured. Every result carries its count and
//! its uncertainty, and says when the sample cannot support it.
//!
//! Invariants:
//! - a quantile is an exact order statistic of the whole sample, never a sketch;
//! - an interval is open on a side that the sample cannot bound; it is never closed with the
//!   maximum or the minimum for want of something better;
//! - the effective sample size lies in `[1, n]`, so dependence can only widen an interval;
//! - NaN is an error. Infinities are ordinary samples for quantiles and an error for means.
//!
//! # Example
//!
//! ```
//! use infermeter_stats::{Grade, Quantile, quantile_estimate};
//!
//! let samples: Vec<f64> = (0..500).map(|i| f64::from(i * 7919 % 500)).collect();
//! let p99 = quantile_estimate(&samples, Quantile::P99, 0.95)?;
//! assert_eq!(p99.value, 494.0);
//! assert!(matches!(p99.grade, Grade::Unsupported { .. }));
//! # Ok::<(), infermeter_stats::StatsError>(())
//! ```

mod batches;
mod binomial;
mod block_counts;
mod block_error;
mod block_length;
mod blocks;
mod bootstrap;
mod change_points;
mod confidence_sequence;
mod contingency;
mod counted;
mod curve_bootstrap;
mod detectable;
mod dip;
mod dispersion;
mod drift;
mod ecdf;
mod error;
mod estimate;
mod halves;
mod holm;
mod indicator;
mod interval;
mod jain;
mod kneedle;
mod least_squares;
mod level_shift;
mod long_run_variance;
mod looks;
mod mann_kendall;
mod mean_interval;
mod modes;
mod mser;
mod paired_t;
mod proportion;
mod quantile;
mod random;
mod rank_correlation;
mod rank_sum;
mod rank_table;
mod residence;
mod runs;
mod sample;
mod saturation;
mod sign_flip;
mod signed_rank;
mod special;
mod stratified;
mod summary;
mod transient;
mod usl;
mod variance_components;

pub use batches::{Batch, batch_means, observed_span};
pub use binomial::{Ranks, independent_ranks};
pub use block_counts::{BlockCounter, BlockPoint, TimeSpan};
pub use block_length::{BlockLength, block_length};
pub use blocks::{BlockSeries, block_quantile_estimate};
pub use bootstrap::{block_bootstrap_mean, bootstrap_mean, bootstrap_ratio};
pub use change_points::{
    CHANGE_POINTS_LIMIT, ChangePoint, ChangePoints, change_points, change_power, least_for_a_change,
};
pub use confidence_sequence::QuantileSequence;
pub use contingency::{fisher_greater, mcnemar};
pub use curve_bootstrap::{UncertainCurve, bootstrap_curve};
pub use detectable::{
    SignedRankPower, detectable_by_t, least_pairs, pairs_to_detect, pairs_to_show_equivalence,
    spread_upper_bound,
};
pub use dip::{Dip, dip};
pub use dispersion::{Variability, coefficient_of_variation, index_of_dispersion};
pub use drift::{DRIFT_ALPHA, DRIFT_BATCHES, Drift, drift};
pub use ecdf::{EcdfPoint, band_half_height, ecdf, ecdf_of_table};
pub use error::StatsError;
pub use estimate::{Estimate, Grade, HEAVY_TAIL, INDICATIVE_TAIL, Method, Plausible};
pub use halves::{Halves, halves};
pub use holm::holm;
pub use interval::Interval;
pub use jain::jain_index;
pub use kneedle::kneedle;
pub use least_squares::LeastSquares;
pub use long_run_variance::effective_sample_size;
pub use looks::{Look, LookPlan, relative_half_width};
pub use mann_kendall::{MannKendall, mann_kendall};
pub use mean_interval::{batch_effective_n, batch_mean_interval, batch_standard_error};
pub use modes::{SHAPE_OBSERVATIONS, TwoModes, two_modes};
pub use mser::{Truncation, mser5};
pub use paired_t::{Equivalence, PairedT, equivalence, paired_t};
pub use proportion::{ProportionEstimate, clopper_pearson, proportion_estimate};
pub use quantile::{Quantile, order_statistic};
pub use rank_correlation::rank_correlation;
pub use rank_sum::{RankSum, least_first, rank_sum, rank_sum_power};
pub use rank_table::{Bucket, Located, RankTable, RankValues};
pub use residence::{Residence, inside_at, relative_difference, residence};
pub use runs::{OpenAbove, OverRuns, RunFigure, over_runs};
pub use sample::{
    SampleSeries, correlated, independent_interval, quantile_estimate, quantile_estimates,
};
pub use saturation::{
    Delay, SHORTEST_LEVEL_S, Saturation, Stability, queue_emptied, queue_emptied_by_delays,
    saturation,
};
pub use sign_flip::{SIGN_FLIP_LIMIT, sign_flip};
pub use signed_rank::{SIGNED_RANK_LIMIT, SignedRank, signed_rank};
pub use special::student_two_sided;
pub use stratified::{StratifiedRankSum, shift_of, stratified_rank_sum};
pub use summary::{Summary, summarise};
pub use transient::{TRANSIENT_RELATIVE, Transient, Undecided, transient};
pub use usl::Usl;
pub use variance_components::{GroupMoments, VarianceComponents, variance_components};
