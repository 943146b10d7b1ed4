//! The limits of the checks, in one table.

/// Shortest measurement per load, seconds: shorter ones cannot tell 0.98 from 1.02 of capacity.
pub(crate) const SHORTEST_LEVEL_S: f64 = infermeter_stats::SHORTEST_LEVEL_S;
/// Shortest warm-up of a published result, seconds.
pub(crate) const SHORTEST_WARMUP_S: f64 = 30.0;
/// Fewest requests of its warm-up.
pub(crate) const FEWEST_WARMUP_REQUESTS: f64 = 50.0;
/// Observations that a percentile's tail needs.
pub(crate) const TAIL_SAMPLES: f64 = 10.0;
/// Standard errors of a Poisson count that a realised rate may be off.
pub(crate) const RATE_ERRORS: f64 = 3.0;
/// Share of the rate asked for that may be missing beside that.
pub(crate) const RATE_SHARE: f64 = 0.05;
/// Send lag: beyond max(this, a share of TTFT p50), milliseconds (a fifth of the invalidating one).
pub(crate) const SEND_LAG_MS: f64 = 1.0;
/// See [`SEND_LAG_MS`].
pub(crate) const SEND_LAG_SHARE: f64 = 0.02;
/// Estimated use of the client's cores: beyond it the client is likely the bottleneck.
pub(crate) const CLIENT_USE: f64 = 0.5;
/// Requests in flight by Little's law against those configured: below and beyond.
pub(crate) const IN_FLIGHT: (f64, f64) = (0.8, 1.1);
/// Share of a duration that may lie outside every request: handling an answer takes a client under
/// this, making prompts and storing answers took a third where it was published.
pub(crate) const TIME_OUTSIDE: f64 = 0.05;
/// Share of failed requests.
pub(crate) const FAILED: f64 = 0.02;
/// Share of output lengths off the one asked for by more than one token.
pub(crate) const LENGTH_NOT_OBEYED: f64 = 0.01;
/// Share by which a tokenizer that is not the server's may miscount an answer.
pub(crate) const OTHER_TOKENIZER: f64 = 0.3;
/// Share by which two counts of the same tokens may differ.
pub(crate) const TOKENS_DISAGREE: f64 = 0.01;
/// Tokens per chunk beyond which the chunk gap is no ITL.
pub(crate) const TOKENS_PER_CHUNK: f64 = 1.05;
/// Share of new connections.
pub(crate) const NEW_CONNECTIONS: f64 = 0.05;
/// Share of prompt tokens from the prefix cache.
pub(crate) const CACHED_PROMPT: f64 = 0.01;
/// p99 / p50.
pub(crate) const TAIL_RATIO: f64 = infermeter_stats::HEAVY_TAIL;
/// Requests needed to look at the shape of a distribution or at dependence.
pub(crate) const SHAPE_REQUESTS: usize = infermeter_stats::SHAPE_OBSERVATIONS;
/// Share of output among all tokens, below which total throughput is input throughput.
pub(crate) const OUTPUT_SHARE: f64 = 0.2;
/// Attainment, below which a throughput is no capacity.
pub(crate) const ATTAINMENT: f64 = 0.9;
/// Relative error allowed to an identity, and the least absolute one in milliseconds.
pub(crate) const IDENTITY: (f64, f64) = (0.02, 1.0);
/// Share of the requests that may break an identity.
pub(crate) const IDENTITY_SHARE: f64 = 0.01;
/// Relative error allowed to a throughput recomputed.
pub(crate) const THROUGHPUT: f64 = 0.02;
/// Head of a run that is compared with the rest, as a share of the requests.
pub(crate) const COLD_HEAD: f64 = 0.05;
/// Mean TTFT of the head over p99 of the rest.
pub(crate) const COLD_RATIO: f64 = 3.0;
/// Share of answers that repeat an earlier one.
pub(crate) const REPEATED: f64 = 0.5;
/// Share of prompts that repeat an earlier one.
pub(crate) const REPEATED_PROMPTS: f64 = 0.05;
/// Share of answers cut at a limit that nobody asked for.
pub(crate) const TRUNCATED: f64 = 0.05;
/// Median E2E of repeated prompts below that of first ones: a response cache.
pub(crate) const RESPONSE_CACHE: f64 = 0.9;
/// Coefficient of variation between runs of one load.
pub(crate) const RUNS_SPREAD: f64 = 0.1;
/// Throughput gained per load gained, from the lightest load to the heaviest: beyond it the knee
/// was not reached.
pub(crate) const STILL_RISING: f64 = 0.95;
/// Rounds that a comparison needs for any rank test to reach 0.05.
pub(crate) const ROUNDS: usize = 6;
/// Relative change that counts as better or worse.
pub(crate) const CHANGE: f64 = 0.02;
/// Relative difference of workload figures that counts as the same workload.
pub(crate) const SAME_WORKLOAD: f64 = 0.02;
