//! Records to samples: what each metric of `measurement.md` is, computed from the
//! records of a run, which are read several times and never all held ([`collect`], [`readings`]).
//!
//! Does not estimate, judge or render: quantiles and intervals are `stats`, doubt is `analysis`.
//! Does no IO and reads no clock.
//!
//! Invariants: a metric that does not exist for a request is absent, never 0; the two origins of
//! a latency never mix in one series; latency samples are milliseconds, in order of intended time.
pub mod arrivals;
pub mod attainment;
pub mod chunk_sums;
pub mod collect;
pub mod departure;
pub mod facts;
pub mod failures;
#[cfg(any(test, feature = "fixture"))]
pub mod fixture;
pub mod fluidity;
pub mod in_flight;
pub mod load_at_send;
mod milliseconds;
pub mod offered;
pub mod origin;
pub mod outcomes;
mod own_question;
pub mod population;
pub mod positions;
pub mod readings;
pub mod receive;
pub mod releases;
pub mod request_metric;
mod request_stalls;
pub mod samples;
pub mod seconds;
pub mod series;
pub mod sessions;
pub mod silence;
pub mod stalls;
pub mod stamps;
pub mod tally;
pub mod throughput;
pub mod token_counts;
pub mod token_series;
pub mod usage_evidence;
pub mod window;
pub mod words;
