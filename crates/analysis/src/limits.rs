//! The verdict's constants, in one table. Beyond an `INVALID` limit the measurement
//! itself is wrong; beyond a fifth of it the result can be misread.

pub(crate) use infermeter_core::finding::QUESTIONABLE_FRACTION;

/// Send lag p99 in open loop: invalid beyond max(this, [`SEND_LAG_SHARE_OF_TTFT`] of TTFT p50), ms.
pub(crate) const SEND_LAG_MS: f64 = 5.0;
/// See [`SEND_LAG_MS`].
pub(crate) const SEND_LAG_SHARE_OF_TTFT: f64 = 0.10;

/// Share of chunk instants uncertain by more than max(1 ms, 10 % of the median gap).
pub(crate) const UNCERTAIN_CHUNKS: f64 = 0.05;

/// Share of the requests that spans do not take apart: questionable; any below it is a note.
pub(crate) const SPANS_MISSING: f64 = 0.05;
/// Share of the requests that were quicker for the client than by the server's spans. Single ones are those
/// whose first token the server stamps behind its write.
pub(crate) const SPANS_IMPOSSIBLE: f64 = 0.01;
/// Share of the server's own TTFT that its parts may leave unexplained at p99, or exceed it by.
pub(crate) const SPANS_RESIDUAL: f64 = 0.01;
/// TTFT by the server below which a share of it says nothing: there a clock's resolution is one, milliseconds.
pub(crate) const RESIDUAL_LEAST_TTFT_MS: f64 = 5.0;

/// Share of the measured requests not sent inside the window.
pub(crate) const UNDELIVERED: f64 = 0.05;

/// Share of the measured requests that failed.
pub const FAILED: f64 = 0.10;

/// Share of the window for which the server could not be reached: invalid. The figures are then about
/// another length and another load than those asked for.
pub(crate) const UNREACHABLE: f64 = 0.10;
/// Time inside the window for which it could not be reached: questionable, ns. From here on a freeze is one.
pub(crate) const UNREACHABLE_NS: i64 = 250_000_000;

/// Share of output lengths that are not the one asked for: questionable.
pub const LENGTH_NOT_OBEYED: f64 = 0.01;

/// Share of answers without a token: questionable, as with lengths that are not the one asked for.
pub const EMPTY_ANSWERS: f64 = LENGTH_NOT_OBEYED;

/// Share of pairs that were broken off: questionable, as a third of the usual margin of 3 % could be theirs.
pub(crate) const PAIRS_BROKEN_OFF: f64 = 0.01;

/// Share of answers whose token counts disagree: questionable; any below it is a note.
pub(crate) const TOKENS_DISAGREE: f64 = 0.01;

/// Prompt tokens beyond those asked for that a chat template explains; more is questionable.
/// The templates of Llama 3, Qwen 3 and gpt-oss add 15 to 75.
pub(crate) const CHAT_OVERHEAD_TOKENS: i64 = 128;
/// Prompt tokens beyond those asked for on the completions endpoint: one for the start token.
pub(crate) const COMPLETIONS_OVERHEAD_TOKENS: i64 = 1;
/// Prompt tokens beyond those asked for around each text to embed: a start and an end, as BERT has them.
pub(crate) const INPUT_OVERHEAD_TOKENS: i64 = 2;

/// Share of a dataset's prompts whose difference belongs to no form of prompt: questionable. A form
/// that one or two texts have is not told from a wrong count.
pub(crate) const FORMLESS_PROMPTS: f64 = 0.05;

/// Turns of a trace due later than in the trace, p99, ms: questionable beyond this
pub(crate) const SLIP_MS: f64 = 1_000.0;
/// and this share of the window.
pub(crate) const SLIP_SHARE: f64 = 0.01;

/// Share of answers whose usage the text contradicts: questionable. Single ones are odd texts.
pub const USAGE_IMPLAUSIBLE: f64 = 0.05;
/// Share of streams whose chunks come twice: questionable.
pub(crate) const DUPLICATED: f64 = 0.01;

/// Chunks of a burst, at least: drafts of one or two tokens are accepted almost every time, and alike.
pub(crate) const BURSTY_SIZE: u32 = 3;
/// Share of the bursts, and of the streams' periods, that have to be alike for a clock to be behind them: of
/// drafts that are accepted or not by chance, three in five are.
pub(crate) const RELEASES_ALIKE: f64 = 0.8;
/// Share of the streams that come in bursts, at least.
pub(crate) const BURSTY_STREAMS: f64 = 0.5;

/// Requests without whose number nothing is suspected of their medians.
pub(crate) const CACHE_SUSPECTED_REQUESTS: usize = 20;
/// Time per token that no model has (10,000 tokens a second for one user), milliseconds.
pub(crate) const REPLAYED_TPOT_MS: f64 = 0.1;
/// TTFT below which a stream without gaps was ready, milliseconds; above it something has held the answer back to
/// its end, which took at least that long.
pub(crate) const REPLAYED_TTFT_MS: f64 = 20.0;

/// Share of prompt tokens from the server's prefix cache: questionable.
pub(crate) const CACHED_PROMPT: f64 = 0.01;

/// Share of responses with one of the program's stamps: a note up to here, then questionable.
pub(crate) const PROGRAM_STAMPED: f64 = 0.01;

/// Share of measured requests that opened a connection: a note.
pub(crate) const NEW_CONNECTIONS_NOTE: f64 = 0.01;
/// The same: questionable.
pub(crate) const NEW_CONNECTIONS_WARNING: f64 = 0.05;

/// Opening a connection below this share of the TTFT p50 changes nothing that is worth telling.
pub(crate) const CONNECTING_SHARE_OF_TTFT: f64 = 0.01;

/// Jump of the real-time clock during the run, ms: a note.
pub(crate) const CLOCK_STEP_MS: f64 = 1.0;

/// Disorder of instants of different clocks (kernel stamps against the program's) that the
/// conversion explains, ns.
pub(crate) const STAMP_SLACK_NS: i64 = 1_000_000;

/// Measured windows up to this long have a short default warm-up, seconds (measurement.md).
pub(crate) const SHORT_WINDOW_S: f64 = 60.0;

/// Share of the time that the client's threads waited for a core: worth telling beyond this.
pub(crate) const RUN_QUEUE_WAIT: f64 = 0.01;
/// The same: questionable. One send in twenty then meets a thread that cannot run, and that is where
/// a p95 begins.
pub(crate) const RUN_QUEUE_WAIT_MUCH: f64 = 0.05;

/// A thread of the client that stood still for this long, nanoseconds, makes a run invalid: that is the
/// scale of the latencies themselves. Shorter gaps (from [`infermeter_core::gap::GAP_NS`] on, the
/// shortest that a tail would show) make it questionable.
pub(crate) const STOOD_STILL_LONG_NS: i64 = 1_000_000_000;
/// The same of all gaps of a thread, over the window: p99 is then what came of them.
pub(crate) const STOOD_STILL_SHARE: f64 = 0.01;

/// CPU time of a client thread over wall time: questionable. A single server at this load makes its
/// customers wait ten times their service on average (M/M/1).
pub(crate) const CLIENT_BUSY: f64 = 0.9;

/// By so much instants of two ranks may lie beside each other, milliseconds: a twentieth of a second, which is the part of
/// time that requests in flight, arrivals and steadiness are counted in. So much of a part's load is then in the next one.
pub(crate) const RANKS_BESIDE_MS: f64 = 50.0;
/// The same as a share of the window, whichever is less: of a short one it moves as much of the load out of it.
pub(crate) const RANKS_BESIDE_SHARE: f64 = 0.01;

/// Share of a slot's cycle that the client itself takes, between an answer's last byte and the next
/// send, at the medians: invalid. The throughput of a closed loop is too low by that share.
pub(crate) const SLOT_LAG: f64 = 0.05;

/// Seconds for which Linux holds the port of a closed connection (TIME_WAIT).
pub(crate) const PORT_HELD_S: f64 = 60.0;
/// Share of the local ports held by closed connections: questionable. Looking for a free one takes
/// longer the fewer there are.
pub(crate) const PORTS_IN_USE: f64 = 0.5;

/// The bound up to whose proven load a client counts as calibrated, us: one of the certificate's.
pub(crate) const CALIBRATED_BOUND_US: f64 = infermeter_core::certificate::BOUNDS_US[1];

/// An input-length band (a factor of two) with at least this share of the measured requests has
/// to occur in the warm-up, too.
pub(crate) const BAND_SHARE: f64 = 0.05;

/// Mean tokens of a chunk beyond which the gap between chunks is not the time per token. Below, the two
/// differ by less than half a per cent, and the mean prints as 1.00.
pub(crate) const TOKENS_PER_CHUNK: f64 = 1.005;

/// p99 of one class beyond this many times that of another: a mixed p99 describes neither.
pub(crate) const CLASSES_DIFFER: f64 = 2.0;

/// Window of one load that is worth telling below this, seconds.
pub(crate) const SHORTEST_LEVEL_S: f64 = infermeter_stats::SHORTEST_LEVEL_S;

/// The drain's last requests ran on an emptying server if it went on without load for this share of
/// the E2E p50.
pub(crate) const DRAIN_SHARE_OF_E2E: f64 = 0.1;

/// p99 / p50 worth telling.
pub const TAIL_RATIO: f64 = infermeter_stats::HEAVY_TAIL;

/// Share of the wrong guesses of a request's mode that knowing its band takes away: then the key
/// explains the modes.
pub(crate) const MODES_EXPLAINED: f64 = 0.8;

/// Bands of such a key that a finding lists.
pub(crate) const MODES_BANDS: usize = 6;

/// Gaps beyond a percentile of the token-position curve, below which it has no value.
pub(crate) const POSITION_TAIL: usize = 10;
/// A drift or a difference of halves below this, relative, does not matter (statistics.md has the
/// same for a start-up).
pub(crate) const DRIFT_RELATIVE: f64 = infermeter_stats::TRANSIENT_RELATIVE;

/// A change is the workload's where the output tokens asked for moved the same way by this share of
/// it: random arrivals and lengths move every series, queues more than in proportion.
pub(crate) const EXPLAINED_SHARE: f64 = 0.5;

/// The same for TPOT, which moves less than in proportion to the load while the server keeps up.
pub(crate) const TPOT_EXPLAINED_SHARE: f64 = 1.0;

/// Time per output token of the window's last third over that of its first: a slow-down beyond this.
/// Batches that grow and shrink by chance move it by a tenth.
pub(crate) const SLOWER: f64 = 1.25;
/// Streams that decode beside one another explain this much of it, per relative increase of their number:
/// with every stream of a batch costing as much as the weights do, half (a step is a + b n).
pub(crate) const SLOWER_PER_STREAM: f64 = 0.5;
/// Share of the first third's arrivals that an open loop may leave behind for the server to have kept up
/// in it: the number in flight varies by its square root.
pub(crate) const KEPT_UP: f64 = 0.15;

/// A window of this length, seconds, ought to tell whether it was steady.
pub(crate) const STEADY_EXPECTED_S: f64 = 300.0;

/// TTFT of the window's first requests beyond so many times the p99 of its second half, for prompts as
/// long or longer: a cold start.
pub(crate) const COLD_RATIO: f64 = 3.0;
/// Such prompts in that half, at least: of so many independent exponential latencies none is beyond
/// three times the largest but in 2 of 10,000 runs.
pub(crate) const COLD_MIN_LATER: usize = 30;

/// Time of a repeated prompt over that of a fresh one: a cache below this, where the interval
/// excludes 1.
pub(crate) const RESPONSE_CACHE: f64 = 0.9;

/// Share of the measured requests with the text of an earlier one: questionable.
pub(crate) const REPEATED_TEXTS: f64 = 0.05;

/// Warm-up of figures to publish, seconds.
pub(crate) const PUBLICATION_WARMUP_S: f64 = 30.0;
/// The same, requests.
pub(crate) const PUBLICATION_WARMUP_REQUESTS: u64 = 50;

/// Readings of the server's gauges inside the window, without which their means have no standard error
/// and nothing is compared with them.
pub(crate) const SERVER_READINGS: usize = 20;
/// Readings of its waiting gauge in the last third of the window that tell whether its queue emptied.
pub(crate) const WAITING_READINGS: usize = 5;
/// Shorter windows are too short for counters that are read at their edges, seconds.
pub(crate) const COUNTED_WINDOW_S: f64 = 5.0;
/// Share of a request's time, in seconds, that the client sees and the engine's gauges may not: its
/// step, in which gauges stand still, and the front end before and behind it.
pub(crate) const FRONT_END_S: f64 = 0.05;
/// Server's and client's requests may differ by this share of the client's: less does not matter.
pub(crate) const LITTLE_RELATIVE: f64 = 0.05;
/// Significance level of their difference: those of the other tests on ten batch means.
pub(crate) const LITTLE_ALPHA: f64 = infermeter_stats::DRIFT_ALPHA;
/// Share of the KV cache beyond which the next long request has to wait, or another one gives its cache back.
pub(crate) const KV_NEARLY_FULL: f64 = 0.95;
/// Share of the requests that gave their KV cache back: beyond it latencies are those of a server that does work
/// twice.
pub(crate) const PREEMPTED: f64 = 0.01;
/// The busiest engine's tokens over the mean of all: evenly spread load stays far below.
pub(crate) const UNEVEN_ENGINES: f64 = 1.5;
/// Tokens of all engines below which chance alone spreads them unevenly.
pub(crate) const UNEVEN_TOKENS: f64 = 10_000.0;
/// So much a server's own time of a request may be above the client's latency, which holds it, milliseconds: some are
/// written in whole ones.
pub(crate) const SERVER_TIMES_ERROR_MS: f64 = 1.0;
/// Share of requests of which it is above by more: fewer are slips of single stamps.
pub(crate) const SERVER_TIMES_BELOW: f64 = 0.01;
/// Share of the client's mean TTFT that network, gateway and front end add.
pub(crate) const FRONT_END_SHARE: f64 = 0.2;
/// The same in milliseconds, below which it is no gateway's.
pub(crate) const FRONT_END_MS: f64 = 20.0;
/// Share of the engine's own TTFT that its requests wait in its queue: beyond it the queue is what a user feels.
pub(crate) const QUEUE_SHARE: f64 = 0.2;
/// The same in milliseconds, below which it is a step's time.
pub(crate) const QUEUE_MS: f64 = 20.0;
/// Time of an answer of the metrics page, milliseconds: more, and the page is work that the server does meanwhile.
pub(crate) const SLOW_PAGE_MS: f64 = 500.0;
/// Length of a metrics page, bytes: real ones have 60 kB an engine.
pub(crate) const LONG_PAGE: u64 = 2 << 20;

/// Longest time between two readings of a GPU's power over which it is summed, seconds: what a server draws moves with
/// its load, within seconds.
pub(crate) const POWER_GAP_S: f64 = 5.0;
/// A reading of a GPU may lie so far from an edge of the window, as a share of it.
pub(crate) const ENERGY_EDGE_SHARE: f64 = 0.1;
/// Share of the readings at which a GPU's clock was held down for its temperature or by its hardware.
pub(crate) const THROTTLED: f64 = 0.01;
/// The same for the power cap, at which a busy GPU may run by design: worth telling beyond this.
pub(crate) const POWER_CAPPED: f64 = 0.05;
/// Clock of a GPU at the window's end over that at its beginning: a drop below this.
pub(crate) const CLOCK_DROPPED: f64 = 0.95;
/// Share of the readings with waiting requests at which the GPUs did nothing.
pub(crate) const IDLE_WHILE_WAITING: f64 = 0.05;
/// Such readings, at least.
pub(crate) const WAITING_GPU_READINGS: usize = 10;
/// From one change of a GPU's figures to the next, as a share of the window: beyond it too few lie in it.
pub(crate) const STALE_SHARE: f64 = 0.1;
/// Error of the energy, as a share of it, that is worth telling.
pub(crate) const ENERGY_ERROR: f64 = 0.1;

/// Share of the chunks with the instant of the chunk before: beyond it, what a chunk carries is what
/// the way has put together.
pub(crate) const COALESCED_CHUNKS: f64 = 0.05;

/// Relative difference of two ways to the requests in flight: algebra, so only rounding is allowed.
pub(crate) const RESIDENCE_TOLERANCE: f64 = 1e-9;

/// Most points of a distribution function.
pub(crate) const ECDF_POINTS: usize = 100;

/// Most parts of a run's time in a chart: a part is a few pixels wide, and the page of a run stays small.
pub(crate) const SERIES_PARTS: usize = 120;
/// Requests of a part, on average, below which the time has fewer parts: a median takes twenty.
pub(crate) const SERIES_PER_PART: usize = 40;
/// Up to so many requests are shown one by one over time.
pub(crate) const SERIES_EACH: usize = 400;
/// Classes with a TTFT of their own over time: more lines than that cover each other.
pub(crate) const SERIES_CLASSES: usize = 3;
/// GPUs with a power of their own over time: more lines than that cover each other.
pub(crate) const SERIES_GPUS: usize = 8;
/// Requests in the timeline: more rows than that are read by nobody.
pub(crate) const SERIES_BARS: usize = 60;
/// Of those, the slowest.
pub(crate) const SERIES_SLOWEST: usize = 20;
/// Bands of prompt lengths and of loads in the heat map of TTFT.
pub(crate) const SERIES_BANDS: usize = 8;
/// Times of one kind in which something stood still.
pub(crate) const SERIES_STILL: usize = 20;

/// Share of the checked answers that are corrupted: beyond it, by the lower bound of its interval, the figures are those of
/// something else than answers.
pub(crate) const CORRUPTED: f64 = 0.05;
/// Up to this share a corrupted answer is a note: sound models loop now and then.
pub(crate) const CORRUPTED_NOTE: f64 = 0.001;
/// Level of each test of answers against others: corruption, length and ways of ending by load, canaries by load, against
/// solo and by pairs, each evaluation against solo and by pairs, needles, references. A run has about ten of them, so that
/// one of a sound server in a thousand hears a false word of them.
pub(crate) const ANSWER_TEST: f64 = 1e-4;
/// Where answers part, a server's choice was a near-tie below this, thousandths of a nat: rounding in 16 bits moves
/// log-probabilities by hundredths, with quantised weights by tenths.
pub(crate) const NEAR_TIE_MNAT: u32 = 500;
/// Share of the answers that part where the choice was clear: beyond it, by the lower bound of its interval, rounding is no
/// explanation.
pub(crate) const PLAIN_SHARE: f64 = 0.02;
/// Answers that part within so many characters part early: about ten tokens, in which near-ties are few.
pub(crate) const EARLY_CHARS: u32 = 40;
/// Share of the answers that part early: beyond it, by the lower bound, near-ties are no explanation. One near-tie in
/// fifty tokens makes it 0.18.
pub(crate) const EARLY_SHARE: f64 = 0.25;
/// Share of the questions asked alone that a capable model answers.
pub(crate) const CAPABLE: f64 = 0.9;
