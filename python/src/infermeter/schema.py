"""What infermeter leaves on disk and prints for programs, as types: made from its JSON Schemas, do not edit.

Each type is a `dict` at run time, read from JSON as it stands there. A member that is not required may be missing:
nothing that does not exist is 0. Units are in the description of a member or in its name (`_ns`, `_ms`, `_per_s`).
Write it anew with `python3 python/tools/make_schema.py`.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict, Union

# The load model, as labelled everywhere.
LoadModel = Literal["open_loop", "closed_loop", "imported", "observed"]
# What a latency is counted from. Two origins never mix in one series.
Origin = Literal["intended", "send"]
# How a request ended. Every scheduled request has exactly one.
Outcome = Literal["completed", "failed", "timed_out", "cancelled", "not_sent"]
# Why a request did not complete: the documented reason codes.
Reason = Literal["connect_failed", "connect_backoff", "tls_failed", "connect_timeout", "stale_connection", "disconnected", "http_protocol", "http_status", "unexpected_content", "malformed_event", "in_band_error", "no_tokens", "aborted", "truncated", "limit_exceeded", "first_token_timeout", "idle_timeout", "request_timeout", "drain_ended", "interrupted", "session_ended", "run_killed", "local_resource", "imported", "user_gone", "ports_exhausted"]
# A `finish_reason`.
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "aborted", "other"]
# Whether the server keeps up with an open loop.
KeepsUp = Literal["stable", "unstable", "undecided"]
# How it is known whether the queue was ever empty.
QueueSign = Literal["server_gauge", "ttft_floor"]
# The answer about steadiness.
Steadiness = Literal["steady", "not_steady", "undecided"]
# How a step ended.
StepEnd = Literal["held", "settled", "never_settled", "too_short", "no_objective"]
# How far a sample carries a percentile.
CellGrade = Literal["full", "indicative", "unsupported"]
# How an interval was made.
CellMethod = Literal["exact_ranks", "effective_ranks", "time_blocks"]
# What one observation of a series is. Series of different weights are different populations.
Weight = Literal["request", "chunk", "token", "read", "session"]
# Where the numbers of tokens per chunk come from.
TokenSource = Literal["continuous_usage", "token_ids", "one_per_chunk", "tokenizer", "estimated", "unknown"]
# The kinds of questions.
QuestionKind = Literal["canary-copy", "canary-needle", "canary-count", "canary-reverse", "canary-arithmetic", "canary-tool", "canary-json", "eval"]
# What is said of two sets of answers.
Likeness = Literal["unknown", "equal", "not_told_apart", "near_ties", "different"]
# Whose series are known: an engine, or what tells of the GPUs and hosts that it runs on.
ServerEngine = Literal["vllm", "sglang", "llama-cpp", "tgi", "tensorrt-llm", "triton", "dynamo", "dcgm", "amd-gpu", "all-smi", "node-exporter", "nvml", "replicas"]
# Whether the server has the client's requests and no others.
Agreement = Literal["agrees", "disagrees", "undecided"]
# What the figures rest on.
SpeculationSource = Literal["server_counters", "server_gauge", "tokens_per_chunk_upper_bound"]
# Who says how much the cache held.
HitSource = Literal["usage", "server_counters_in_window", "server_counters"]
# Whether an objective is met. The order is that of gravity.
SloStatus = Literal["met", "undecided", "missed"]
# Which side of a limit is meant.
SloBound = Literal["at_most", "at_least"]
# Why an objective is undecided.
SloDoubt = Union[Literal["no_sample", "unknown_class", "no_deadlines", "not_checked", "nothing_to_meet", "straddles", "only_a_miss_is_certain"], "SloDoubt6"]
# What energy was computed from.
EnergyMethod = Literal["counter", "power"]
# Whose stamps a record's receive instants are.
StampSource = Literal["kernel", "program", "imported"]
# What kind of load a rung is.
LoadKind = Literal["streams", "requests", "bytes", "chunks", "null", "flood"]
# Where a load lies.
Range = Literal["inside", "outside", "unknown"]
# What the client received with.
IoBackend = Literal["epoll", "uring"]
# How the offset of two clocks was found.
OffsetSource = Literal["same_kernel", "ping", "ntp", "store"]
# State of a run directory.
RunState = Literal["running", "finished", "interrupted"]
# What begins by itself, without waiting for an answer.
Begins = Union["Begins1", "Begins2"]
# What bounds the number of connections.
Bound = Literal["plan", "descriptors", "ports"]
# The server's metrics page.
MetricsPlace = Union["MetricsPlace1", "MetricsPlace2"]
# Why a row is left out.
SkipReason = Literal["failed", "over-context", "no-answer", "no-prompt", "images", "other-parts", "null-text", "no-output"]
# What becomes of a member.
Fate = Literal["sent", "ours", "flag", "unknown", "other-api"]
# Values by name, or text: in JSON an object or a string.
Statement = Union["dict[str, str]", "str"]
# How the bytes travel.
Transport = Literal["plain", "tls"]
# Why a limit is not higher.
LimitEnd = Literal["exceeded", "simulator", "ladder_end"]
# How much a finding weighs.
Severity = Literal["note", "warning", "error"]
# Where a check applies.
Scope = Literal["run", "repeated", "sweep", "comparison", "publication"]
# What a check is about.
Dimension = Literal["baseline_fairness", "evaluation_setup", "metric_design"]
# What most of a gap went into.
GapCause = Literal["suspended", "busy", "throttled", "stolen", "queued", "stopped"]
# Why questions are asked no further.
SoloEnd = Literal["all_asked", "time", "failed"]
# Whether a run can be trusted.
Verdict = Literal["valid", "questionable", "invalid"]
# Phase of the one continuous load that a request belongs to, by its intended instant.
Phase = Literal["warmup", "measure", "drain"]
# What stood still.
StillKind = Literal["client", "unreachable", "silence"]
# Why a request is shown.
Picked = Literal["slowest", "even"]
# What a gate says. The order is that of gravity.
GateAnswer = Literal["pass", "inconclusive", "fail"]
# How a criterion was judged.
GateForm = Literal["paired_rounds", "paired_levels", "two_groups", "one_run", "level"]
# Why a criterion is inconclusive.
GateDoubt = Union[Literal["not_told"], "GateDoubt1", "GateDoubt2", "GateDoubt4"]
# Why a run has no such figure.
NoFigure = Union[Literal["among_failures", "no_sample", "unknown_class", "no_deadlines", "nothing_to_meet"], "NoFigure2"]
# What a look found.
PrecisionState = Literal["reached", "continue", "not_reached"]
# How an interval over runs was made.
PrecisionMethod = Literal["confidence_sequence", "planned_looks"]
# How the highest rate is known.
RateEstimate = Union["RateEstimate1", "RateEstimate2"]
# Why the law of margins is not used.
NoLaw = Literal["closed_loop", "no_objectives", "one_side", "few_levels", "short_runs", "not_monotone", "contradicted"]
# How much load.
Intensity = Union["Intensity1", "Intensity2"]
# How long a run measures.
Length = Union["Length1", "Length2", "Length3"]
# How a search ended.
Ending = Union["Ending1", "Ending2", "Ending3", "Ending4", "Ending5"]
# Whether the sides were measured in turn.
Turns = Literal["in_turn", "apart"]
# Whether a treatment was there.
Seen = Literal["active", "inactive", "on_both_sides", "cannot_tell"]
# Which way is better.
Better = Literal["lower", "higher"]
# How two values are set against each other.
Scale = Literal["ratio", "difference"]
# What is known of a change.
Answer = Literal["better", "worse", "better_within_margin", "worse_within_margin", "equivalent", "undecided", "not_tested"]


class _SummaryRequired(TypedDict):
    # The load model.
    load_model: LoadModel
    # Origin of the headline latencies: intended in an open loop, send in a closed loop.
    headline_origin: Origin
    # Answers came as streams.
    streaming: bool
    # Nominal coverage of every interval.
    confidence_level: float
    # The percentiles of every table.
    percentiles: list[str]
    # Length of the measured window, seconds; absent where the run ended before it was known.
    window_s: float | None
    # What came before the window.
    warmup: WarmupSummary
    # How requests ended.
    requests: RequestSummary
    # The load asked and delivered; absent without a window.
    load: LoadSummary | None
    # Whether the window was steady; absent without one, and where the load changes by plan.
    steady: SteadySummary | None
    # Latencies of the completed measured requests.
    latency: LatencySummary
    # Throughputs of the window; absent without one.
    throughput: ThroughputSummary | None
    # Token counts: asked, by usage, by chunks.
    tokens: TokenCounts
    # What the server's prefix cache held of the prompts; absent where nothing is known of it.
    prefix_cache: PrefixCacheSummary | None
    # The objectives, judged.
    slo: list[SloLine]
    # The requests that met them all; absent without objectives, and where one of them has no sample.
    goodput: Goodput | None
    # The generator itself.
    client: ClientSummary
    # What is known of the server.
    context: Context
    # By workload class, where there is more than one.
    classes: list[ClassSummary]
    # By class, turn, prompt length and output length, where they differ.
    breakdown: list[Breakdown]
    # Whether sessions and classes were served alike; empty below two of them.
    fairness: list[Fairness]
    # The gap by token position; empty where no chunk's tokens are known.
    token_positions: list[PositionGaps]


class _SummaryOptional(TypedDict, total=False):
    # The response to steps of the rate; absent where the rate has none.
    steps: StepsSummary
    # The server became slower under a constant load; absent where it did not.
    slow_down: SlowDown
    # Streams that stood still; absent where none did.
    silence: SilenceSummary
    # What speaks against usage or chunks; absent where nothing does.
    usage: UsageSummary
    # What was found of the answers; absent where they were not checked.
    answers: AnswersSummary
    # Chunks that come in bursts by a clock of their own; absent where they do not.
    bursty_delivery: BurstyDelivery
    # What the server said of itself; absent where it was not asked.
    server: ServerSummary
    # What it said of its own time for each request; absent where it said nothing.
    server_times: ServerTimesSummary
    # Where the time to the first token went, by spans of the requests; absent where none were asked for.
    spans: SpansSummary
    # Speculative decoding; absent where nothing looks like it.
    speculation: SpeculationSummary
    # Uncached prompt tokens over TTFT; absent without streams, and from summaries of older versions.
    prefill: PrefillSummary
    # What a repeated prompt gains; absent unless `--probe-response-cache` asked.
    response_cache: ResponseCacheSummary
    # What tokens and requests cost; absent where the price of the accelerators was not declared.
    cost: CostSummary
    # What the GPUs drew; absent where nobody told of them.
    energy: EnergySummary
    # Sessions; absent where requests stand alone.
    sessions: SessionSummary


class Summary(_SummaryRequired, _SummaryOptional):
    """Every figure of a run. Latencies are milliseconds, throughputs per second; names with a unit carry it. What
    does not exist is null or absent, never 0.
    """


class WarmupSummary(TypedDict):
    """The warm-up."""

    # Asked for: `30s`, `10s+50req`, `0`.
    asked: str
    # From the first request to the window's start, seconds.
    seconds: float | None
    # Requests of the phase.
    requests: int


class RequestSummary(TypedDict):
    """Outcomes."""

    # Of the measured phase.
    measured: OutcomeCounts
    # Of all phases.
    all: OutcomeCounts
    # Share of the measured requests that failed: all that did not complete, but for those that a signal ended or
    # kept from being sent.
    failed: Share | None
    # Why measured requests did not complete, the most frequent reason first.
    reasons: list[ReasonCount]
    # How completed measured answers ended, by the server's word.
    finish_reasons: list[FinishShare]
    # Measured requests that were sent.
    measured_sent: int
    # Of those, that opened a connection.
    measured_on_new_connections: int


class OutcomeCounts(TypedDict):
    """Requests by outcome. Conservation: `total` is the sum of the others."""

    # All of them.
    total: int
    # Answered to the end, with at least one token.
    completed: int
    # Ended otherwise.
    failed: int
    # Ended by a time-out of the plan.
    timed_out: int
    # Ended by us: at the drain's end or at an interrupt.
    cancelled: int
    # Scheduled, never sent.
    not_sent: int


class Share(TypedDict):
    """A share of requests with its interval."""

    # Share: `count` / `n`, 0 to 1.
    value: float
    # Lower bound of the share (Clopper-Pearson on the effective count).
    low: float | None
    # Upper bound of the share.
    high: float | None
    # Requests that count.
    count: int
    # Requests looked at.
    n: int
    # Independent requests of equal information.
    effective_n: float


class ReasonCount(TypedDict):
    """Requests that did not complete for one reason."""

    # How they ended.
    outcome: Outcome
    # The reason code.
    reason: Reason
    # The HTTP status, where one came.
    status: int | None
    # How many.
    count: int
    # The detail of the first of them, inert.
    example: str


class FinishShare(TypedDict):
    """Completed answers that ended in one way."""

    # The reason; absent where the server gave none.
    reason: FinishReason | None
    # Their share of the completed answers.
    share: Share


class LoadSummary(TypedDict):
    """What was asked of the server, and what reached it."""

    # Requests per second asked for (open loop); of a rate profile, its mean over the window.
    rate_asked: float | None
    # Arrivals of the window, and how many were to be expected; open loop only.
    arrivals: Arrivals | None
    # Requests due inside the window, per second: the schedule as it came out.
    rate_due_per_s: float
    # Requests sent inside the window, per second: what the server got.
    rate_sent_per_s: float
    # Slots (closed loop).
    concurrency: int | None
    # Requests due and sent.
    offered: Offered
    # Share of the measured requests that were sent inside the window.
    sent_share: float | None
    # Coefficient of variation of the gaps asked for; absent in a closed loop and for a trace.
    cv_asked: float | None
    # Coefficient of variation of the gaps between intended instants; under a rate profile, of gaps in units of
    # the expected gap.
    cv: Realised | None
    # Index of dispersion of intended instants, counted in equal windows of about ten arrivals; under a rate
    # profile, in windows of equally many expected ones.
    index_of_dispersion: Realised | None
    # Requests in flight.
    in_flight: InFlight
    # Whether the server keeps up; absent in a closed loop and where the load changes by plan.
    stability: StabilitySummary | None
    # Little's law on the run's own records.
    residence: ResidenceSummary | None


class Arrivals(TypedDict):
    """Arrivals of the window beside those that its process makes on average. What came is never scaled to what was
    expected: a load that came out low or high is within chance, and shifts the figures.
    """

    # Requests that were due by themselves, first turns of sessions among them.
    came: int
    # The rate asked for times the window: requests.
    expected: float
    # Standard error of their number, requests: CV of the gaps x sqrt(expected), exact for Poisson arrivals (under
    # a rate profile too), the limit of a renewal process for gamma and Weibull gaps, 0 for constant ones. Absent
    # for many clients, each of which has gaps of its own.
    standard_error: float | None


class Offered(TypedDict):
    """Requests due and sent."""

    # Measured requests; those that a signal, the failure of an earlier turn, or a server that could not be
    # reached kept from being sent are not counted.
    measured: int
    # Of those, sent before the window ended (up to 5 ms after it).
    measured_sent_inside: int
    # Requests of any phase due inside the window.
    due_inside: int
    # Requests of any phase sent inside the window.
    sent_inside: int
    # Length of the window, seconds.
    window_s: float


class Realised(TypedDict):
    """A measure of the realised arrivals; 1 for a Poisson process."""

    # The measure, a ratio.
    value: float
    # Standard error of this ratio, were the process Poisson.
    poisson_standard_error: float
    # Gaps or counts that it rests on.
    n: int


class InFlight(TypedDict):
    """Requests between `send_start` and `closed`, all phases and outcomes, weighted by time."""

    # Time average over the window, requests.
    mean: float
    # Requests: exceeded during at most 1 % of the window's time.
    p99: int
    # Most requests at any instant.
    max: int


class StabilitySummary(TypedDict):
    """An open loop's stability and the signs behind it."""

    # The answer.
    answer: KeepsUp
    # Requests due in the window that were sent.
    arrivals: int
    # Requests that ended in the window, whenever they came.
    departures: int
    # Ratio of arrivals less departures to arrivals.
    left_behind: float | None
    # The queue was empty at some moment of the last third; absent where nobody can tell.
    emptied: bool | None
    # How that is known.
    emptied_by: QueueSign | None
    # Time average of the requests inside, over ten equal parts of the window.
    inside: list[float]
    # Kendall's tau of these against time.
    tau: float
    # Two-sided p-value of the Mann-Kendall test.
    p_value: float


class ResidenceSummary(TypedDict):
    """Little's law on the run's own records: algebra, so a difference is a defect of the recorder."""

    # Time average of the requests in flight, by sweeping over sends and ends.
    by_number: float
    # Sum of the times in flight clipped to the window, over its length: requests.
    by_residence: float
    # How far these and the load's own average lie apart, relative to the larger.
    difference: float


class SteadySummary(TypedDict):
    """The window's steadiness."""

    # The answer, over the start-up and every series.
    answer: Steadiness
    # The start-up.
    start_up: StartUp
    # Each series, tested for drift.
    series: list[SteadySeries]


class StartUp(TypedDict):
    """Whether the start-up outlasts the warm-up."""

    # Steady: not beyond the warm-up.
    answer: Steadiness
    # Warm-up that the run had, whole seconds.
    warmup_s: int
    # Warm-up that it would have needed, seconds; absent unless the start-up outlasts it.
    needed_s: int | None
    # Level between the warm-up's end and the cut, relative to what follows, less 1.
    relative: float | None


class SteadySeries(TypedDict):
    """One series of the window."""

    # `in_flight`, `ttft`, `tpot` or `output_tokens`.
    name: str
    # The answer.
    answer: Steadiness
    # Means over ten equal parts of the window: requests, milliseconds, tokens per second. Empty where a part has
    # no value.
    batch_means: list[float]
    # Kendall's tau of these against time.
    tau: float | None
    # Two-sided p-value of the Mann-Kendall test.
    p_value: float | None
    # Change over the window along the Theil-Sen line of the batch means' logarithms: -0.5 for half.
    relative_change: float | None
    # Second half over first, less 1: -0.5 for half.
    halves_relative: float | None
    # Ratio of a difference to its error: Student's t of the halves' batch means, eight degrees of freedom.
    halves_t: float | None


class _StepsSummaryRequired(TypedDict):
    # The objectives that count, each with the share of requests that it asks for.
    objectives: list[StepObjective]
    # Objectives that say nothing of a single request.
    not_counted: list[str]
    # Share of the window's requests that meet all of those that count; absent without any.
    attainment: Share | None
    # Which latency `worst_ms` and `settled_ms` are of.
    metric: str
    # The steps in order, the first 100.
    steps: list[StepResponse]


class _StepsSummaryOptional(TypedDict, total=False):
    # The replicas; absent where nobody was asked.
    replicas: ReplicaFigures
    # There were more.
    cut: bool


class StepsSummary(_StepsSummaryRequired, _StepsSummaryOptional):
    """The response to steps of the rate. Instants are seconds since the window's start."""


class StepObjective(TypedDict):
    """An objective, and what it asks of requests."""

    # As it is written.
    objective: str
    # Share of the requests that have to be within its limit, 0 to 1.
    share: float


class _ReplicaFiguresRequired(TypedDict):
    # Who said how many there are.
    source: str
    # Readings of the window with a number.
    readings: int
    # Readings of the window without.
    failed: int
    # Fewest, number of replicas; absent where none was read.
    least: float | None
    # Most, number of replicas.
    most: float | None
    # Time average, number of replicas.
    mean: float | None
    # Replicas times the seconds that they were there, over the window; absent where readings leave too much open.
    replica_seconds: Measured | None
    # Share of the window that the readings tell of, 0 to 1.
    known: float
    # The readings at which the number was another one than before, and the one before it; some are left out where
    # they are more than 1,000.
    points: list[ReplicaPoint]


class _ReplicaFiguresOptional(TypedDict, total=False):
    # Why the first of those had none.
    failure: str


class ReplicaFigures(_ReplicaFiguresRequired, _ReplicaFiguresOptional):
    """The replicas over the window."""


class Measured(TypedDict):
    """A value, and how far the way it was read can have moved it."""

    # The value, in the unit that its name says.
    value: float
    # The most that readings at other instants than the window's edges, and power that moved between readings, can
    # account for, in the value's unit. The sensor's own error is not in it.
    error: float


class ReplicaPoint(TypedDict):
    """Replicas at an instant."""

    # Seconds since the window's start.
    at_s: float
    # Number of replicas.
    replicas: float


class _StepResponseRequired(TypedDict):
    # Where it begins, seconds.
    from_s: float
    # Where it ends. Unit: seconds.
    to_s: float
    # The rate before it, requests per second: of the first step that of the warm-up.
    rate_before: float
    # Its rate, requests per second.
    rate: float
    # Requests due in it.
    requests: int
    # Length of its parts, seconds.
    part_s: float
    # How it ended.
    end: StepEnd
    # From its beginning until the objectives hold again; absent where they do not, or nothing can be told.
    settled_after: SettledAfter | None
    # Share of all its requests that meet the objectives; absent without any.
    attainment: Share | None
    # The same of the requests due since the objectives hold again.
    settled_attainment: Share | None
    # The least share of a part; absent where it has too few parts.
    worst_attainment: Share | None
    # The greatest median latency of a part, milliseconds: what its requests had, not an estimate. Absent where it
    # has too few parts, and where that part's median lies among its failures.
    worst_ms: float | None
    # Median latency since the objectives hold again, milliseconds.
    settled_ms: Cell | None
    # `worst_ms` over `settled_ms`, a ratio; absent where either has no value.
    overshoot: float | None
    # Its parts, in order.
    parts: list[StepPart]


class _StepResponseOptional(TypedDict, total=False):
    # Its replicas; absent where none was read in it.
    replicas: StepReplicas


class StepResponse(_StepResponseRequired, _StepResponseOptional):
    """The response to one step."""


class SettledAfter(TypedDict):
    """A time with its interval, seconds: edges of parts."""

    # From here on the requests reach the shares asked for, and no stretch of parts misses for certain. Unit:
    # seconds.
    value_s: float
    # Where the last stretch begins that misses for certain, or 0. Unit: seconds.
    low_s: float
    # From here on they reach them for certain; absent where the requests are too few to say. Unit: seconds.
    high_s: float | None


class _CellRequired(TypedDict):
    # The order statistic x_(ceil(n p)); absent where the grade is `unsupported`, and where it falls among
    # failures (`infinite`). Unit: that of the figure.
    value: float | None
    # Lower bound of the interval; absent where the sample gives none. Unit: that of the figure.
    low: float | None
    # Upper bound; absent where the interval is open above. Unit: that of the figure.
    high: float | None
    # Observations.
    n: int
    # Independent observations of equal information.
    effective_n: float
    # How far the sample carries the value.
    grade: CellGrade
    # How the interval was made.
    method: CellMethod


class _CellOptional(TypedDict, total=False):
    # Observations that this percentile needs, at the dependence seen; only if `unsupported`.
    needed: int
    # Distinct time blocks with a tail observation; token-level series only.
    tail_blocks: int
    # The percentile falls among the failures, which count as +infinity.
    infinite: bool
    # The lower bound falls among the failures: the percentile surely does.
    low_is_infinite: bool


class Cell(_CellRequired, _CellOptional):
    """One percentile of one series."""


class StepReplicas(TypedDict):
    """The replicas of one step."""

    # At the last reading before the step, or the first in it, number of replicas.
    before: float
    # At the last reading in it, number of replicas.
    at_end: float
    # Most in it, number of replicas.
    most: float
    # Replicas times seconds; absent where readings leave too much open.
    replica_seconds: Measured | None


class _StepPartRequired(TypedDict):
    # Where it begins, seconds.
    at_s: float
    # Requests due in it.
    n: int
    # Share of them that meet the objectives, each counted as independent of the others; absent without any.
    attainment: Share | None


class _StepPartOptional(TypedDict, total=False):
    # Number of replicas at its beginning; absent where they were not read.
    replicas: float


class StepPart(_StepPartRequired, _StepPartOptional):
    """A part of a step."""


class SlowDown(TypedDict):
    """A server that became slower."""

    # Mean TPOT of requests due in the window's first third, milliseconds.
    first_tpot_ms: float
    # The same of its last third. Unit: milliseconds.
    last_tpot_ms: float
    # Streams between their first and last chunk, time average of the first third.
    first_decoding: float
    # The same of the last third, streams.
    last_decoding: float
    # Two-sided p-value of the trend (Mann-Kendall).
    p_value: float


class SilenceSummary(TypedDict):
    """What stood still."""

    # Freezes of all streams together, however many.
    freezes: int
    # The longest of them, in time order.
    longest: list[FreezeSummary]
    # Single streams that hung while others went on; absent where it were few or most.
    hangs: HangSummary | None


class FreezeSummary(TypedDict):
    """Nothing came, though it should have."""

    # When it began, seconds since the window's start.
    at_s: float
    # How long it was, milliseconds.
    length_ms: float
    # Requests in flight meanwhile.
    requests: int
    # Chunks that these would have got at their pace.
    missing: float


class HangSummary(TypedDict):
    """Single streams that hung."""

    # Completed measured streams.
    examined: int
    # Of those, that hung.
    requests: int
    # Of those, before their first token.
    before_first_token: int
    # The longest, milliseconds.
    longest_ms: float
    # When it ended, seconds since the window's start.
    longest_to_s: float


class _LatencySummaryRequired(TypedDict):
    # Time to first token.
    ttft: ByOrigin
    # Time to first visible output token.
    ttfo: ByOrigin
    # Time per output token.
    tpot: Distribution | None
    # Its second form, (last - first) / (n - tokens of the first chunk), where chunks carry several tokens.
    tpot_after_first_chunk: Distribution | None
    # Per-token gaps.
    itl: Distribution | None
    # Gaps between chunks.
    chunk_gap: Distribution | None
    # Chunk gap / tokens of the chunk.
    smoothed_itl: Distribution | None
    # End to end / output tokens.
    ntpot: ByOrigin
    # End to end, to the last token.
    e2e: ByOrigin
    # Tokens of each chunk.
    tokens_per_chunk: Distribution | None
    # Tokens per second that a user sees, 1 / TPOT: at `p99`, what 99 % of the requests had at least (so the cell
    # is the reciprocal of TPOT's p99).
    per_user_tokens_per_s: dict[str, Cell]
    # First response byte, from the send.
    first_byte: Distribution | None
    # TCP connect, of requests that opened a connection.
    connect: Distribution | None
    # TLS handshake, of requests that opened a connection.
    tls: Distribution | None
    # Stalls.
    stalls: Stalls
    # Chunks carry more than a token on average: chunk gap is not ITL.
    multi_token_chunks: bool
    # Some completed answer holds reasoning (TTFO differs from TTFT).
    reasoning: bool


class _LatencySummaryOptional(TypedDict, total=False):
    # Until the kernel had taken the whole request, from a connection that is ready.
    upload: Distribution
    # The share of token deadlines met; absent without deadlines.
    fluidity: FluiditySummary


class LatencySummary(_LatencySummaryRequired, _LatencySummaryOptional):
    """The latencies of completed measured requests. A metric that does not exist is absent."""


class ByOrigin(TypedDict, total=False):
    """One metric from both origins; never mixed."""

    # From the intended send time.
    intended: Distribution
    # From `send_start`.
    send: Distribution


class _DistributionRequired(TypedDict):
    # Unit of every value: `ms` or `tokens`.
    unit: str
    # What one observation is.
    weight: Weight
    # Observations.
    n: int
    # Arithmetic mean with its interval; of values of requests only where they are worth at least ten independent
    # ones.
    mean: Mean | None
    # Independent observations whose mean would be as precise.
    mean_effective_n: float | None
    # Sample standard deviation; absent for one observation.
    std: float | None
    # Smallest observation. Unit: that of `unit`.
    min: float
    # Largest observation. Unit: that of `unit`.
    max: float
    # p99 / p50; absent where one of them is, or p50 is 0.
    tail_ratio: float | None
    # Percentiles over successes.
    percentiles: dict[str, Cell]


class _DistributionOptional(TypedDict, total=False):
    # Values that the mean needs, at the dependence seen; only where it is absent for want of them.
    mean_needed: int
    # ESS / n < 0.5 at p50, p90 or p99: requests share a queue. Absent for token-level series, which are never
    # taken as independent.
    correlated: bool
    # Percentiles with each failure as +infinity; absent where nothing failed.
    with_failures: dict[str, Cell]
    # The distribution function of the successes.
    ecdf: Ecdf


class Distribution(_DistributionRequired, _DistributionOptional):
    """The distribution of one metric."""


class Mean(TypedDict):
    """A mean with its interval."""

    # The arithmetic mean. Unit: that of the figure.
    value: float
    # Lower bound; absent where the sample gives none. Unit: that of the figure.
    low: float | None
    # Upper bound. Unit: that of the figure.
    high: float | None


class Ecdf(TypedDict):
    """An empirical distribution function with its band of 95 % simultaneous coverage (Dvoretzky, Kiefer and
    Wolfowitz, on the smallest effective sample size of the percentiles).
    """

    # Points, ascending: exact shares at these values.
    at: list[float]
    # Share of the observations at or below each.
    share: list[float]
    # The band reaches this far below and above each share.
    band: float


class Stalls(TypedDict):
    """Stalls of a population: gaps > max(ITL SLO if given, 5 x the request's median gap, 100 ms), of completed
    requests with at least 8 gaps.
    """

    # Number of stalls.
    count: int
    # Their gaps added up, milliseconds.
    total_ms: float
    # The longest; absent without a stall. Unit: milliseconds.
    longest_ms: float | None
    # Requests with at least one.
    requests_stalled: int
    # Requests with at least 8 gaps: those that could have one.
    requests_examined: int


class FluiditySummary(TypedDict):
    """The fluidity index of completed measured requests."""

    # When tokens are due.
    deadlines: DeadlinesMs
    # What the first deadline counts from.
    origin: Origin
    # Completed requests with an index.
    n: int
    # Share of the requests whose tokens were all on time, which is the same in each form; failures are misses.
    all_on_time: Share | None
    # Tokens on time / tokens; a late token loses the slack and the next deadline counts from it.
    written: FluidityForm
    # 1 - missed / all deadlines, of which a late token misses as many as fit into its lateness.
    coded: FluidityForm
    # Tokens on time / tokens, where deadlines stay where they are.
    absolute: FluidityForm


class DeadlinesMs(TypedDict):
    """The deadlines, milliseconds."""

    # Of the first token, from the origin. Unit: milliseconds.
    first_ms: float
    # Of each further one, from the one before. Unit: milliseconds.
    next_ms: float


class FluidityForm(TypedDict):
    """One form of the index, 0 to 1, one value per request."""

    # Arithmetic mean over requests.
    mean: Mean | None
    # The lowest. Unit: index, 0 to 1.
    min: float
    # The low tail: at `p99`, what 99 % of the requests had at least (so the sample's 1st percentile).
    at_least: dict[str, Cell]


class _ThroughputSummaryRequired(TypedDict):
    # Output tokens. Absent where chunks arrived and no token count is known, and where nothing is generated.
    output_tokens: Rate | None
    # Prompt tokens, at their request's first token. Absent where an import does not say all of them.
    input_tokens: Rate | None
    # Those from the server's cache; absent where it does not say.
    cached_input_tokens: Rate | None
    # Input and output together; absent without both.
    total_tokens: Rate | None
    # Completed requests.
    requests: Rate
    # Output tokens per second and accelerator, where their number was declared.
    output_tokens_per_gpu: Rate | None
    # Completed requests per second and accelerator, where their number was declared.
    requests_per_gpu: Rate | None
    # Responses whose usage was spread evenly over their chunks.
    responses_spread_evenly: int
    # Responses whose tokens are the tokenizer's estimate.
    responses_estimated: int
    # Chunks inside the window whose tokens are unknown and not counted.
    uncounted_chunks: int
    # Chunks inside the window.
    chunks: int
    # Requests whose prompt tokens are those asked for, for want of usage.
    prompt_tokens_as_asked: int


class _ThroughputSummaryOptional(TypedDict, total=False):
    # What completed requests held several of; absent where requests hold a prompt.
    items: ItemRate


class ThroughputSummary(_ThroughputSummaryRequired, _ThroughputSummaryOptional):
    """What arrived inside the window per second, of all requests whatever their phase or outcome."""


class Rate(TypedDict):
    """A rate over the measured window."""

    # Per second.
    per_s: float
    # Lower bound (Student's t on ten equal-time batch means, on the logarithmic scale). Unit: that of `per_s`.
    low: float | None
    # Upper bound. Unit: that of `per_s`.
    high: float | None
    # What was counted: tokens, requests or items.
    count: float
    # Batches behind the interval.
    batches: int


class ItemRate(TypedDict):
    """Texts embedded, or documents ranked."""

    # What they are called: `inputs` or `documents`.
    called: str
    # Per second.
    per_s: float
    # Lower bound (Student's t on ten equal-time batch means, on the logarithmic scale). Unit: that of `per_s`.
    low: float | None
    # Upper bound. Unit: that of `per_s`.
    high: float | None
    # What was counted: tokens, requests or items.
    count: float
    # Batches behind the interval.
    batches: int


class TokenCounts(TypedDict):
    """Token counts of the completed measured requests."""

    # Completed measured requests.
    completed: int
    # Of those, with an output count from the server's usage.
    with_usage: int
    # With any output count (usage or chunks).
    output_known: int
    # Without one, whose output tokens are the tokenizer's estimate.
    estimated: int
    # That have no token, by the server's word.
    empty: int
    # Of those, whose length is off the one asked for by more than 1 token.
    output_not_obeyed: int
    # Those of them that are off: by how they ended.
    output_off: OffLength
    # Output tokens, where known.
    output_tokens: int
    # Output tokens asked for by those requests.
    output_tokens_asked: int
    # With both a usage and a sum of chunks from another source.
    comparable: int
    # Of those, whose sum differs from usage by more than 1 token and 1 %.
    disagreeing: int
    # `usage.prompt_tokens` - prompt tokens asked for; absent where the server gives no usage.
    prompt: PromptDifference | None
    # Prompt tokens by usage.
    prompt_tokens: int
    # Of those, from the server's cache; absent where it does not say. Unit: tokens.
    cached_tokens: int | None
    # Responses by the source of their tokens per chunk.
    sources: list[SourceCount]


class OffLength(TypedDict):
    """Answers whose length is off the one asked for by more than 1 token, by how they ended. They add up to
    `output_not_obeyed`.
    """

    # Too short, and ended by the model itself (`stop`).
    stopped_early: int
    # Too short, and cut at a limit that nobody asked for (`length`).
    cut_short: int
    # Too short for another reason, or for none that the server gave.
    ended_otherwise: int
    # Longer than asked for.
    too_long: int


class PromptDifference(TypedDict):
    """Spread of (`usage.prompt_tokens` - asked), tokens."""

    # Requests with usage.
    requests: int
    # Least difference, tokens.
    min: int
    # Median difference, tokens (in sessions, of first turns): the chat template's, where nothing else differs.
    median: int
    # Greatest difference, tokens.
    max: int
    # Requests whose difference is off the median of requests with as many messages by more than max(2 tokens, 1 %
    # of the prompt).
    outliers: int
    # Requests whose difference belongs to no form of prompt: forms are differences that at least three requests
    # share, to a token, with none beside them.
    formless: int


class SourceCount(TypedDict):
    """Responses whose tokens per chunk come from one source."""

    # The source.
    source: TokenSource
    # How many responses.
    responses: int


class UsageSummary(TypedDict):
    """What speaks against the server's usage, or against its chunks."""

    # Usage is contradicted by the text.
    implausible: bool
    # Chunks come twice.
    duplicated: bool
    # The evidence.
    evidence: UsageEvidence
    # Figures that rest on usage; empty where it can be believed.
    in_doubt: list[str]


class UsageEvidence(TypedDict):
    """Usage against chunks and text, over the completed measured requests."""

    # Answers with a usage.
    with_usage: int
    # Of those, that claim more tokens than their text has.
    claims_more: int
    # Of those, that claim fewer.
    claims_less: int
    # Tokens that these two claim.
    claimed_tokens: int
    # Tokens of their text.
    text_tokens: int
    # Their chunks.
    chunks: int
    # Streams, whatever usage says.
    streams: int
    # Of those, whose chunks came twice.
    duplicated: int
    # Chunks of these that repeat the one before.
    repeated_chunks: int


class _AnswersSummaryRequired(TypedDict):
    # Completed answers whose text was read.
    checked: int
    # Completed answers whose text was not: they were not kept, or had none.
    unchecked: int
    # Of those whose length was forced, only the beginning was judged.
    judged_in_part: int
    # Those that no sound server gives.
    corrupted: Share | None
    # Each doubt that occurs, the most frequent first.
    doubts: list[DoubtCount]
    # Equal answers to different prompts.
    equal: EqualAnswers
    # By requests in flight when the request was sent.
    levels: list[LoadLevel]
    # Corruption at high load against low load; absent with too few of either.
    under_load: UnderLoad | None
    # By class, where there are several.
    classes: list[ClassAnswers]
    # Answers in another writing system than most, by requests; absent where no system has most.
    other_writing: OtherWriting | None
    # Of answers of a model that reasons, those that show no reasoning.
    without_reasoning: Share | None
    # Questions with known answers; absent where none were asked.
    canaries: CanarySummary | None


class _AnswersSummaryOptional(TypedDict, total=False):
    # Lengths at high load against low load; absent with too few of either.
    length_shift: LengthShift
    # How answers end at high load against low load; absent with too few of either, and where all end alike.
    finish_shift: FinishShift
    # Evaluations that rode in the load, by file.
    evals: list[EvalSummary]
    # Answers beside those to the same prompts asked alone; absent where none were asked for.
    references: ReferenceSummary


class AnswersSummary(_AnswersSummaryRequired, _AnswersSummaryOptional):
    """What was found of the answers of a run."""


class DoubtCount(TypedDict):
    """How often a doubt occurs."""

    # Its name.
    doubt: str
    # It makes an answer a corrupted one.
    corrupts: bool
    # Answers.
    answers: int
    # Some of their requests, by number.
    examples: list[int]


class EqualAnswers(TypedDict):
    """Answers that another prompt had before."""

    # Answers that were compared.
    compared: int
    # Those that are word for word the answer to another prompt.
    answers: int
    # Different texts among them.
    texts: int
    # Some of their requests, by number.
    examples: list[int]


_LoadLevelRequired = TypedDict(
    "_LoadLevelRequired",
    {
        # Fewest requests in flight at the send, its own included.
        "from": "int",
        # Most of them.
        "to": "int",
        # Answers that were checked.
        "checked": "int",
        # Those that no sound server gives.
        "corrupted": "Share",
        # Median of their TTFT, milliseconds; absent without streams.
        "ttft_p50_ms": "float | None",
        # Canaries whose answers could be judged.
        "canaries": "int",
        # Those that were answered rightly.
        "right": "Share | None",
    },
    total=True,
)


class _LoadLevelOptional(TypedDict, total=False):
    # Median of their E2E from the send, milliseconds.
    e2e_p50_ms: float
    # Rows of evaluations that were answered rightly, of those that could be judged.
    eval_right: Share


class LoadLevel(_LoadLevelRequired, _LoadLevelOptional):
    """The answers of one band."""


class UnderLoad(TypedDict):
    """Corrupted answers, or wrong ones of questions, at high load and at low load."""

    # More requests in flight than these count as high load.
    above: int
    # Answers at low load.
    low: int
    # Corrupted, or wrong, ones among them.
    low_corrupted: int
    # Answers at high load.
    high: int
    # Corrupted, or wrong, ones among them.
    high_corrupted: int
    # Fisher's exact test, one-sided: as many more at high load by chance.
    p_value: float


_ClassAnswersRequired = TypedDict(
    "_ClassAnswersRequired",
    {
        # Its name.
        "class": "str",
        # Those that no sound server gives.
        "corrupted": "Share",
    },
    total=True,
)


class ClassAnswers(_ClassAnswersRequired):
    """The answers of one class."""


class OtherWriting(TypedDict):
    """Answers in another writing system."""

    # That of most answers.
    most: str
    # Answers whose system is known.
    known: int
    # Those in another one.
    other: int
    # Some of their requests, by number.
    examples: list[int]


class _CanarySummaryRequired(TypedDict):
    # Questions that were answered under load.
    answered: int
    # Of these, answers that are right; those that cannot be judged left out.
    right: Share | None
    # Of the questions asked alone before the load.
    right_before: Share | None
    # Of those asked alone after it.
    right_after: Share | None
    # The same questions under load and alone before it; absent where none were asked alone.
    paired: PairedAccuracy | None
    # Answers under load that refuse.
    refused: int
    # Answers under load with the marker of another request.
    crossed: int
    # Answers under load that are wrong.
    wrong: int
    # Chance that these questions show that one answer in a hundred is wrong.
    power: float
    # Questions that show it with the confidence of the intervals.
    needed: int
    # By kind of question.
    kinds: list[KindAccuracy]
    # Some requests with a wrong answer, by number.
    wrong_examples: list[int]


class _CanarySummaryOptional(TypedDict, total=False):
    # Wrong answers at high load against low load; absent with too few of either.
    under_load: UnderLoad


class CanarySummary(_CanarySummaryRequired, _CanarySummaryOptional):
    """What came of the questions."""


class PairedAccuracy(TypedDict):
    """Pairs of one question, under load and alone."""

    # Questions that were judged on both sides.
    pairs: int
    # Right alone and wrong under load.
    lost: int
    # Wrong alone and right under load.
    gained: int
    # p-value of McNemar's exact test, two-sided.
    p_value: float


class KindAccuracy(TypedDict):
    """The questions of one kind, under load."""

    # The kind.
    kind: QuestionKind
    # Questions whose answers could be judged.
    judged: int
    # Those that were answered rightly.
    right: int


class LengthShift(TypedDict):
    """Lengths of answers at high load beside those at low load."""

    # More requests in flight than these count as high load.
    above: int
    # By the characters of the visible text.
    chars: LengthPair
    # By output tokens; absent where the server does not count them.
    by_tokens: LengthPair | None


class LengthPair(TypedDict):
    """Two groups of lengths."""

    # Answers at low load.
    low: int
    # Median of their lengths, characters or tokens. Unit: characters, or tokens.
    low_median: float
    # Answers at high load.
    high: int
    # Median of their lengths, characters or tokens. Unit: characters, or tokens.
    high_median: float
    # Hodges and Lehmann's estimate of how much longer those at high load are, characters or tokens; negative
    # where they are shorter. Unit: characters, or tokens.
    shift: float
    # The rank-sum test within classes (van Elteren 1960), one-sided: the p-value of as much shorter ones at high
    # load.
    p_shorter: float


class FinishShift(TypedDict):
    """A way of ending at high load beside low load."""

    # More requests in flight than these count as high load.
    above: int
    # The way that differs most; absent where the server names none for these.
    reason: FinishReason | None
    # Answers at low load.
    low: int
    # Those that ended so.
    low_so: int
    # Answers at high load.
    high: int
    # Those that ended so.
    high_so: int
    # p-value of Fisher's exact test, two-sided, for all ways and classes together (Bonferroni).
    p_value: float


class EvalSummary(TypedDict):
    """The scores of one file."""

    # Its name, without folders.
    name: str
    # Its rows.
    rows: int
    # It was made up by this program: its score says nothing about a model beyond this run.
    synthetic: bool
    # Rows that were answered under load; one that was asked twice counts twice.
    answered: int
    # Of these, answers that are right.
    right: Share | None
    # Of the rows asked alone before the load.
    right_before: Share | None
    # Of those asked alone after it.
    right_after: Share | None
    # The same rows under load and alone before it; absent where none were asked alone.
    paired: PairedAccuracy | None
    # Some requests with a wrong answer, by number.
    wrong_examples: list[int]


class ReferenceSummary(TypedDict):
    """Answers beside their references."""

    # Prompts that were to be asked alone.
    wanted: int
    # Answers under load that have a reference.
    compared: int
    # Requests ask for the same answer each time: greedy, or by a seed.
    deterministic_asked: bool
    # The server says how likely its tokens are.
    logprobs: bool
    # Answers under load that are equal to their reference.
    equal: Share | None
    # Second answers asked alone that are equal to the first.
    equal_alone: Share | None
    # Answers that part where the server's own choice was close: their margin is less than half a nat.
    near_ties: int
    # Answers that part where it was not close.
    plain: Share | None
    # Answers that part where the margin is not known.
    margin_unknown: int
    # Answers that part within their first characters.
    early: Share | None
    # Where answers under load part from their reference.
    diverged: Divergence | None
    # Where the second answer asked alone parts from the first.
    diverged_alone: Divergence | None
    # Which of the two parts earlier, by prompt.
    signs: SignTest
    # What that says.
    says: Likeness
    # Some requests whose answers part, by number, the earliest first.
    examples: list[int]


class Divergence(TypedDict):
    """Where answers part from each other."""

    # Answers that part.
    answers: int
    # Characters in common, of the earliest.
    least: int
    # Characters in common, the median.
    median: int
    # Characters in common, of the latest.
    most: int


class SignTest(TypedDict):
    """For each pair which side parts earlier; equal answers part last."""

    # Prompts with both.
    pairs: int
    # Those where the answer in question parts earlier.
    earlier: int
    # Those where it parts later.
    later: int
    # p-value of the exact sign test, two-sided.
    p_value: float


class BurstyDelivery(TypedDict):
    """Bursts, alike over the streams."""

    # Streams long enough to tell.
    streams: int
    # Of those, that come in bursts alike.
    bursty: int
    # Time from one burst to the next, milliseconds: the median over the streams.
    period_ms: float
    # Chunks of a burst: the median over the streams.
    chunks: int


class _ServerSummaryRequired(TypedDict):
    # Why nothing is known; absent where something is.
    not_available: str | None
    # Whose series were read.
    engine: ServerEngine | None
    # Readings at whole intervals inside the window, with figures.
    readings: int
    # Readings of the window without figures.
    failed: int
    # Intervals of the whole run that were left out because an answer was owed.
    skipped: int
    # Requests that take part in its steps.
    running: GaugeFigure | None
    # Requests in its queue.
    waiting: GaugeFigure | None
    # Share of the KV cache in use.
    kv_usage: GaugeFigure | None
    # Sequences that gave their KV cache back inside the window.
    preemptions: float | None
    # Its requests against the client's; absent where the page lacks either gauge.
    littles_law: LittlesLaw | None


class _ServerSummaryOptional(TypedDict, total=False):
    # Its other gauges by name.
    gauges: dict[str, GaugeFigure]
    # The engines behind the pages; empty where there is one.
    engines: list[EngineLoad]
    # The client's view beside the server's; absent where the page has nothing to compare.
    beside: Beside
    # What the pages themselves were like; absent from readings of version 1.
    pages: PagesRead


class ServerSummary(_ServerSummaryRequired, _ServerSummaryOptional):
    """The server's own metrics over the measured window."""


class GaugeFigure(TypedDict):
    """A gauge over the window."""

    # Mean of the readings. Unit: that of the gauge.
    mean: float
    # Standard error of the mean, in its unit, from ten batch means; absent with too few readings.
    standard_error: float | None
    # Greatest reading. Unit: that of the gauge.
    max: float
    # Readings.
    n: int


class LittlesLaw(TypedDict):
    """Little's law between the server's gauges and the client's records. Numbers of requests."""

    # The answer.
    answer: Agreement
    # Mean of running and waiting together, requests.
    server: float
    # Time average of the client's requests, by their residence clipped to the window.
    client: float
    # Mean difference, server less client, at the instants of the readings, requests.
    difference: float
    # Half-width of its 99.9 % interval, by ten batch means, requests; absent with too few readings.
    sampling_error: float | None
    # Requests on their way: connecting, uploading, one round trip, the front end's allowance. Unit: share, 0 to
    # 1.
    network_share: float
    # Beyond this difference, requests, the two disagree.
    tolerance: float | None
    # Readings.
    n: int


class _EngineLoadRequired(TypedDict):
    # Its page.
    url: str
    # Mean of its running requests.
    running: float | None
    # Tokens that it generated.
    generation_tokens: float | None


class _EngineLoadOptional(TypedDict, total=False):
    # The labels that tell it apart from others of its page.
    labels: dict[str, str]


class EngineLoad(_EngineLoadRequired, _EngineLoadOptional):
    """One engine over the window."""


class _BesideRequired(TypedDict):
    # How far the readings lie from the window's edges together, their answers' time included, seconds: counters
    # may have that much too much or too little. Absent where no reading lies near an edge.
    edges_apart_s: float | None
    # The figures.
    rows: list[BesideRow]


class _BesideOptional(TypedDict, total=False):
    # Why counters have no figures, where that is not that the page lacks them.
    not_counted: str
    # Drafts by position; empty where the page does not have it.
    accepted_by_position: list[AcceptedAt]


class Beside(_BesideRequired, _BesideOptional):
    """Both views of the window."""


class _BesideRowRequired(TypedDict):
    # Its name: `ttft_mean`, `output_tokens`, `queue_time_p99`.
    figure: str
    # Its unit: `ms`, `tokens`, `requests`, `share`, `1/s`.
    unit: str


class _BesideRowOptional(TypedDict, total=False):
    # As the client has it, in the row's unit.
    client: float
    # As the server has it, in the row's unit; of a quantile an estimate.
    server: float
    # Of a quantile: lower bound of the bucket that holds it, in the row's unit.
    server_low: float
    # Of a quantile: upper bound of that bucket, in the row's unit; absent in the last one.
    server_high: float
    # Values (requests, readings, steps) behind the server's figure.
    n: float
    # Client less server, in the row's unit; of a quantile what lies outside its bucket, absent inside it.
    difference: float
    # Beyond this difference, in the row's unit, the two disagree; absent where nothing says how far apart they
    # may be.
    error: float
    # Whether they agree; absent without an error. Of a latency, whether the client's is not the lower one.
    answer: Agreement


class BesideRow(_BesideRowRequired, _BesideRowOptional):
    """One figure on both sides."""


class AcceptedAt(TypedDict):
    """How often a place in the draft was accepted."""

    # The place, from 0.
    position: int
    # Accepted tokens there over the drafts of the window. Unit: share, 0 to 1.
    share: float


class PagesRead(TypedDict):
    """The pages as they were read in the window."""

    # Median time of an answer, ms. Unit: milliseconds.
    answer_ms: float
    # The longest page, bytes.
    bytes: int
    # Most lines of a page that are neither samples nor comments.
    malformed: int
    # Readings of a page that was longer than is looked at, or had a series that was.
    cut: int


class _ServerTimesSummaryRequired(TypedDict):
    # Completed requests of which the server says anything.
    requests: int
    # Completed requests in all.
    of: int
    # Requests whose latency is below the server's own by more than `error_ms`.
    below: int
    # By so much the two may be apart by their own errors, milliseconds.
    error_ms: float


class _ServerTimesSummaryOptional(TypedDict, total=False):
    # In the server's queue; absent where it does not say.
    queue: Distribution
    # From the queue's end to the first token, by the server.
    prefill: Distribution
    # From the first token to the last, by the server.
    decode: Distribution
    # What the header `openai-processing-ms` says.
    processing: Distribution
    # TTFT from the send less queue and prefill.
    ttft_beyond: Distribution
    # E2E from the send less queue, prefill and decode; without a stream less the header's time, where that is all
    # there is.
    e2e_beyond: Distribution


class ServerTimesSummary(_ServerTimesSummaryRequired, _ServerTimesSummaryOptional):
    """The server's times of the completed measured requests, and what the client's have more."""


class _SpansSummaryRequired(TypedDict):
    # Where the TTFT that is taken apart begins.
    origin: Origin
    # Completed measured requests with a first token, which all should have spans.
    requests: int
    # Requests of these that are taken apart.
    joined: int
    # Requests of which no span tells the server's TTFT.
    missing: int
    # Requests with spans of several engines, of which none is known to have sent the first token.
    ambiguous: int
    # Requests whose spans tell other times than those of most requests: they would be other parts.
    unlike: int
    # Requests of the joined ones whose TTFT is shorter by the client than by the server.
    impossible: int
    # Spans that came, by what became of them; absent where the run was killed.
    tally: SpanTally | None
    # The parts, in the order of time.
    parts: list[str]
    # All requests, then by class, by the load at their send, and by their place among the TTFTs.
    groups: list[SpansGroup]


class _SpansSummaryOptional(TypedDict, total=False):
    # The server's own TTFT less its parts; absent where spans do not tell both queue and prefill.
    residual: ResidualSummary


class SpansSummary(_SpansSummaryRequired, _SpansSummaryOptional):
    """What the times to the first token of a run are made of."""


class SpanTally(TypedDict, total=False):
    """What came, counted: `spans` = `kept` + `foreign` + `silent` + `repeated` + `malformed` + `over_limit`."""

    # Messages that were read.
    messages: int
    # Messages that are no OTLP traces, or hold more than one message may.
    refused: int
    # Spans in the messages that were read.
    spans: int
    # Spans of the run's requests that tell a time: those of the file.
    kept: int
    # Spans of traces that are not the run's.
    foreign: int
    # Spans of the run's requests that tell none of the times known here.
    silent: int
    # Spans that had come before.
    repeated: int
    # Spans without proper ids.
    malformed: int
    # Spans beyond the most that a run keeps.
    over_limit: int
    # Times inside spans that are no times: negative, not finite, longer than a week.
    bad_times: int


class SpansGroup(TypedDict):
    """What the TTFTs of some requests are made of."""

    # What they have in common: `all`, `class`, `in_flight` or `ttft`.
    by: str
    # Their class, `12 to 40` others in flight at the send, `above p99`; empty for all of them.
    label: str
    # Requests.
    n: int
    # Their mean TTFT, milliseconds.
    ttft_ms: Mean
    # The parts of it, in the order of `parts`.
    parts: list[SpansPart]


class SpansPart(TypedDict):
    """A part of the TTFTs of some requests."""

    # Its name.
    part: str
    # Its mean, milliseconds.
    ms: Mean
    # Its share of the mean TTFT; 0 to 1, but for a part that is negative.
    share: float


class ResidualSummary(TypedDict):
    """The server's own TTFT less the sum of the parts that it tells."""

    # Requests whose TTFT by the server is long enough for a share of it to mean something (5 ms).
    n: int
    # Its size as a share of the server's TTFT, by percentile.
    share: dict[str, Cell]
    # The greatest such share.
    share_max: float


class SpeculationSummary(TypedDict):
    """Speculative decoding in the window."""

    # Why there are no figures; absent where there are.
    not_available: str | None
    # What they rest on, or would.
    source: SpeculationSource | None
    # Tokens that a verified draft gave, the target model's own included.
    accepted_length: float | None
    # Share of the draft tokens that were accepted.
    acceptance_rate: float | None
    # Drafts verified.
    drafts: float | None
    # Tokens of these drafts.
    draft_tokens: float | None
    # Of those, accepted. Unit: tokens.
    accepted_tokens: float | None
    # By class, where there are several; by tokens per chunk alone.
    classes: list[ClassAcceptedLength]


_ClassAcceptedLengthRequired = TypedDict(
    "_ClassAcceptedLengthRequired",
    {
        # Its name.
        "class": "str",
        # Mean tokens per chunk: an upper bound.
        "accepted_length": "float",
    },
    total=True,
)


class ClassAcceptedLength(_ClassAcceptedLengthRequired):
    """One class."""


class PrefillSummary(TypedDict):
    """Uncached prompt tokens / TTFT from the send, of the completed measured requests."""

    # Tokens per second: at `p99`, what 99 % of the requests had at least.
    tokens_per_s: dict[str, Cell]
    # Requests with a prompt that was not cached as a whole.
    n: int
    # Of those, the ones whose usage says what came from a cache; of the others every token counts.
    cached_known: int
    # Requests whose prompt tokens are those asked for, for want of usage.
    as_asked: int


class PrefixCacheSummary(TypedDict):
    """How much of the prompts the server's prefix cache held. Shares are of all prompt tokens, 0 to 1."""

    # The share asked for, with the prefix `hit`.
    asked: float | None
    # What a cache without limit would hold; absent where prompts are not meant to share.
    unlimited: float | None
    # What the server's cache held; absent where the server does not say.
    realised: HitRate | None


class HitRate(TypedDict):
    """A realised hit rate."""

    # Cached / all prompt tokens. Unit: share, 0 to 1.
    share: float
    # Tokens from the cache.
    cached_tokens: int
    # All prompt tokens.
    prompt_tokens: int
    # Who says so.
    source: HitSource


class ResponseCacheSummary(TypedDict):
    """The trial's ratios."""

    # Of the whole answer; absent without pairs.
    e2e: PairedRatio | None
    # Of TTFT; absent without streams.
    ttft: PairedRatio | None
    # Of the time from the first token to the end; absent without streams.
    after_first: PairedRatio | None
    # Pairs left out, because their answers have different numbers of tokens.
    unequal: int
    # Why the trial broke off.
    problem: str | None


class PairedRatio(TypedDict):
    """Repeated over fresh: below 1 the repeated prompt was answered faster."""

    # Hodges-Lehmann estimate. Unit: ratio.
    value: float
    # Lower bound of its interval; absent with too few pairs. Unit: ratio.
    low: float | None
    # Upper bound. Unit: ratio.
    high: float | None
    # Two-sided p-value of the signed-rank test.
    p_value: float
    # Pairs.
    n: int


class _SloLineRequired(TypedDict):
    # As it is written: `ttft.p99<500ms`. It reads back as an objective.
    objective: str
    # The measure's name.
    metric: str
    # Met, missed, or undecided for want of data.
    status: SloStatus
    # The limit lies inside the range in which the figure plausibly lies.
    straddles: bool
    # Of a percentile of a latency: the sample's order statistic, failures as +infinity, milliseconds, whether or
    # not the sample supports it as a figure; absent among the failures and where nothing is decided.
    judged_ms: float | None
    # Of a percentile: its cell with failures as +infinity; of a latency in milliseconds.
    cell: Cell | None
    # Share of the requests that meet this objective on their own, with the interval of that share; absent where
    # that means nothing for a single request. What decides over several runs is `within`.
    attainment: Share | None


class _SloLineOptional(TypedDict, total=False):
    # The percentile; absent where it is about something else.
    percentile: str
    # The limit of a latency, milliseconds; where it grows with the prompt, the part that does not.
    limit_ms: float
    # Of a percentile of a figure of requests: the share of these within the limit, failures beyond it, as in
    # `attainment`, but on the smallest effective sample size of the share itself, of p90 and of the percentile.
    # Several runs are decided by it.
    within: Share
    # The figure beside its limit, in the same form for every objective.
    measured: SloFigure


class SloLine(_SloLineRequired, _SloLineOptional):
    """One objective, judged; failed requests are misses."""


class _SloFigureRequired(TypedDict):
    # `ms`, `1/s`, or empty for a share.
    unit: str
    # What was measured; absent where the sample does not carry it, and among the failures. Unit: that of `unit`.
    value: float | None
    # Lower bound; absent where the sample gives none. Unit: that of `unit`.
    low: float | None
    # Upper bound. Unit: that of `unit`.
    high: float | None
    # What it is held to. Unit: that of `unit`.
    limit: float
    # Which side of the limit is meant.
    bound: SloBound
    # Observations.
    n: int


class _SloFigureOptional(TypedDict, total=False):
    # Milliseconds taken off each value for each token of its prompt; absent where the limit does not grow.
    less_per_input_token_ms: float
    # Independent observations of equal information; absent where that is not known.
    effective_n: float
    # It lies among the failures, which count as +infinity.
    infinite: bool
    # Why nothing is decided; absent where something is.
    doubt: SloDoubt


class SloFigure(_SloFigureRequired, _SloFigureOptional):
    """The figure of an objective, in the unit of its limit."""


class SloDoubt6TooFew(TypedDict):
    """The sample is too small; it would need so many observations."""

    # So many.
    needed: int


class SloDoubt6(TypedDict):
    """The sample is too small; it would need so many observations."""

    # The sample is too small; it would need so many observations.
    too_few: SloDoubt6TooFew


class _GoodputRequired(TypedDict):
    # Share of the measured requests that meet every objective; failures, time-outs and truncations are misses,
    # and so are answers that were checked and found corrupted.
    attainment: Share
    # Those requests per second of the window; absent without a window.
    requests: Rate | None


class _GoodputOptional(TypedDict, total=False):
    # Answers were checked, and corrupted ones are misses.
    sound_only: bool


class Goodput(_GoodputRequired, _GoodputOptional):
    """The requests that met every objective."""


class CostSummary(TypedDict):
    """What a run cost, in the money of the price that was declared."""

    # An hour of the server: the price of an accelerator, times their number.
    hour: float
    # A million output tokens, if these alone are paid.
    million_output: Mean | None
    # A million tokens, input and output.
    million_total: Mean | None
    # A completed request.
    request: Mean | None
    # A request that meets every objective.
    good_request: Mean | None


class _EnergySummaryRequired(TypedDict):
    # Why nothing is known of any GPU; absent where something is.
    not_available: str | None
    # Who told of GPUs and hosts.
    sources: list[ServerEngine]
    # Readings of the window with figures, of all who told.
    readings: int
    # Readings of the window without.
    failed: int
    # The GPUs, each once.
    gpus: list[GpuEnergy]


class _EnergySummaryOptional(TypedDict, total=False):
    # Why the first of those had none.
    failure: str
    # Energy of all of them, joules.
    energy: Measured
    # Their mean power together, in watts: energy over the window's seconds.
    mean_power_w: float
    # Joules per output token of the window.
    per_output_token: Measured
    # Joules per token of the window, input and output.
    per_token: Measured
    # Joules per completed request of the window.
    per_request: Measured
    # Joules per request that meets every objective.
    per_good_request: Measured
    # What that energy costs; absent where no price was declared.
    cost: EnergyCost
    # Readings at which requests waited, and at how many of them the GPUs did nothing; absent where either is not
    # read.
    idle_while_waiting: IdleWhileWaiting
    # Hosts that told of themselves.
    hosts: list[HostLoad]


class EnergySummary(_EnergySummaryRequired, _EnergySummaryOptional):
    """Energy of the GPUs over the measured window."""


class _GpuEnergyRequired(TypedDict):
    # Its own name in all the world; where nobody tells it, its index or that of its page.
    uuid: str
    # Who told of it, without credentials.
    source: str
    # Its gauges by name: `gpu_power` in watts, `gpu_utilisation` as a share, and so on.
    gauges: dict[str, GpuGauge]


class _GpuEnergyOptional(TypedDict, total=False):
    # Its place on its host.
    index: str
    # Its model.
    model: str
    # Its host.
    host: str
    # Energy over the window, joules; absent where it is not known.
    energy: Measured
    # What it was computed from.
    method: EnergyMethod
    # Why it is not known.
    not_known: str
    # Its mean power, in watts: its energy over the window's seconds.
    mean_power_w: float
    # Its sensor; absent where nothing is known of it.
    sensor: Sensor
    # From one change of its figures to the next, seconds; absent where they are as fresh as the readings.
    refresh_s: float
    # The longest time without a reading of its power, seconds.
    longest_gap_s: float
    # Share of the readings at which its clock was held down, by reason.
    throttled: dict[str, float]
    # Clock of its multiprocessors in the window's last third relative to that in the first, while it worked; a
    # ratio.
    clock_ratio: float
    # What its counters of errors rose by in the window, by name; those that rose alone.
    errors: dict[str, float]
    # Numbers of errors that NVIDIA's driver logged in the window.
    xids: list[int]


class GpuEnergy(_GpuEnergyRequired, _GpuEnergyOptional):
    """One GPU over the window."""


class Sensor(TypedDict):
    """A power sensor."""

    # From one value to the next, ms. Unit: milliseconds.
    period_ms: float
    # Time that a value averages over, ms. Unit: milliseconds.
    averages_ms: float


class GpuGauge(TypedDict):
    """A gauge's readings at whole intervals inside the window."""

    # Their mean, in the gauge's unit.
    mean: float
    # The least, in that unit.
    least: float
    # The greatest, in that unit.
    greatest: float
    # Readings.
    n: int


class EnergyCost(TypedDict):
    """What energy costs, in the money of the price of a kilowatt-hour."""

    # An hour at the window's mean power, in the money of the price.
    hour: float
    # A million output tokens, in the same.
    million_output: float | None
    # A million tokens, input and output, in the same.
    million_total: float | None
    # A request that meets every objective, in the same.
    good_request: float | None


class IdleWhileWaiting(TypedDict):
    """GPUs that did nothing while requests waited."""

    # Readings at which requests waited.
    waiting: int
    # Of those, with GPUs that were busy for less than a tenth of the time.
    idle: int


class HostLoad(TypedDict):
    """A host over the window."""

    # Its page, without credentials.
    source: str
    # Share of its CPU time that was not idle.
    cpu_busy: float | None
    # The most of its memory in use, bytes.
    memory_used: float | None
    # Its memory, bytes.
    memory_total: float | None


class _ClientSummaryRequired(TypedDict):
    # Send - intended, of every measured request that was sent.
    send_lag: Distribution | None
    # Program stamp - kernel stamp, per read: kept out of the results.
    client_lag: Distribution | None
    # When requests left by the kernel's stamps; absent unless `--audit-send` asked for them.
    departure: Departure | None
    # Chunk instants known only to lie between two stamps.
    censoring: Censoring
    # Whose stamps the instants are.
    stamps: StampCounts
    # What this machine's certificate says about the load; absent without one.
    calibration: CalibrationSummary | None
    # Totals over the worker threads; absent where the run did not end by itself.
    threads: ThreadTotals | None


class _ClientSummaryOptional(TypedDict, total=False):
    # Each of several processes that shared the load; absent where one had all of it.
    ranks: RanksSummary


class ClientSummary(_ClientSummaryRequired, _ClientSummaryOptional):
    """How the client behaved while it measured."""


class Departure(TypedDict):
    """When the last bytes of the measured requests left."""

    # Departure - `send_start`, of requests on connections that were open.
    behind_send: Distribution | None
    # Departure - return of the last write; below 0 where the kernel was done before.
    behind_write: Distribution | None
    # Requests with a stamp.
    stamped: int
    # Requests that were written and have none.
    missing: int


class Censoring(TypedDict):
    """Chunk instants known only to lie between two stamps."""

    # Chunks of measured requests, whatever their outcome.
    chunks: int
    # Those that are not the last byte of their read: their width is above 0.
    censored: int
    # Those whose width is above `bound_ms`.
    uncertain: int
    # `uncertain` / `chunks`; absent without chunks. Unit: share, 0 to 1.
    uncertain_share: float | None
    # max(1 ms, 10 % of the median chunk gap), milliseconds.
    bound_ms: float
    # The greatest width (stamp - lower bound), milliseconds; absent without chunks.
    widest_ms: float | None


class StampCounts(TypedDict):
    """Whose stamps the measured requests' instants are."""

    # Responses stamped by the kernel throughout.
    kernel: int
    # Responses with at least one of the program's stamps.
    program: int


class CalibrationSummary(TypedDict):
    """What the machine's certificate says about the run."""

    # The certificate's date.
    created: str | None
    # Why it does not hold for this run; empty where it does.
    stale: list[str]
    # Whose stamps the figures are for.
    stamps: StampSource
    # The run's load on each ladder.
    loads: list[CalibratedLoad]


class CalibratedLoad(TypedDict):
    """A load beside its ladder."""

    # The ladder.
    kind: LoadKind
    # This run's load, per second in the kind's unit.
    per_s: float
    # The highest load whose errors were shown to stay within the bound. Unit: per second.
    proven_per_s: float | None
    # Largest error p99 of the lowest usable rung that is at least as high, microseconds.
    error_p99_us: float | None
    # Where the load lies.
    range: Range


class _ThreadTotalsRequired(TypedDict):
    # Worker threads.
    threads: int
    # Cores that the process may use.
    cores: int
    # What they received with.
    io: IoBackend
    # CPU time of the process / wall time: cores kept busy, at most those it may use. Absent where the two were
    # not taken over the same time (records of early versions).
    cores_busy: float | None
    # CPU time / wall time of the busiest thread, at most 1.
    busiest_thread: float | None
    # Time runnable but not running / wall time, of the worst thread. Unit: share, 0 to 1.
    run_queue_wait_share: float | None
    # Peak resident memory, bytes.
    peak_rss_bytes: int | None
    # Reads that returned bytes.
    reads: int
    # Of those, without a kernel stamp.
    reads_without_stamp: int
    # Bytes received.
    bytes: int
    # io_uring: times a receive had to be started again for want of a buffer.
    buffers_out: int
    # Connections opened.
    connections_opened: int
    # Idle connections dropped.
    connections_discarded: int
    # Answers whose body did not end.
    bodies_without_end: int
    # Connections used for one answer because the server closes each then.
    connections_single_use: int
    # Times a request was due before its body was ready.
    bodies_late: int
    # Times a request waited because of the cap on connections.
    waits_for_cap: int
    # Greatest jump of the real-time clock, milliseconds.
    clock_step_ms: float
    # Times in which a thread stood still, the warm-up included, of the thread with most of them.
    gaps: int
    # The longest, milliseconds.
    longest_gap_ms: float


class _ThreadTotalsOptional(TypedDict, total=False):
    # The same per second of the whole run, warm-up and drain included.
    received_bytes_per_s: float
    # Bytes sent per second of the whole run, of TLS as they were on the wire; absent of records from before they
    # were counted.
    sent_bytes_per_s: float


class ThreadTotals(_ThreadTotalsRequired, _ThreadTotalsOptional):
    """Sums and extremes over the worker threads."""


class RanksSummary(TypedDict):
    """All ranks."""

    # Into how many parts the load was cut; the index of a part is below it.
    of: int
    # The index of each part of which there is no record.
    missing: list[int]
    # By so much the starts of two ranks lie apart at most, as far as their clocks say, milliseconds; absent where
    # the clock of one is not known.
    started_apart_ms: float | None
    # So far from that the truth may be, milliseconds: what the clocks of two ranks are known to. Absent where
    # that of one is not known.
    bound_ms: float | None
    # Each of those that have a record.
    each: list[RankSummary]


class RankSummary(TypedDict):
    """One rank."""

    # The index of its part of the load.
    rank: int
    # Its host; absent where it was no rank.
    host: str | None
    # What processor it ran on; absent where it was no rank.
    arch: str | None
    # Its version of infermeter; absent where it was no rank.
    version: str | None
    # Who said which rank it is; absent where it was none.
    told_by: str | None
    # Requests that it has a record of.
    requests: int
    # Send - intended, of its measured requests that were sent.
    send_lag: Distribution | None
    # Totals over its worker threads; absent where it did not end by itself.
    threads: ThreadTotals | None
    # How its wall clock stood to that of rank 0; absent where that is not known.
    clock: RankClock | None
    # How much later than agreed on it began, by the clock of rank 0, milliseconds; absent where no start was
    # agreed on, or its clock is not known.
    start_lag_ms: float | None
    # A signal ended it early, or it was killed.
    interrupted: bool
    # It was killed: its record was made from its journal.
    recovered: bool


class RankClock(TypedDict):
    """How the clock of a rank stood to that of rank 0."""

    # Its wall clock minus that of rank 0, milliseconds.
    offset_ms: float
    # The true offset is at most this far from it, milliseconds.
    bound_ms: float
    # How it was found.
    by: OffsetSource


class Context(TypedDict):
    """What is known of the server."""

    # By the names of `--hardware`.
    hardware: dict[str, str]
    # By the names of `--model-info`.
    model: dict[str, str]
    # By the names of `--engine-info`.
    engine: dict[str, str]


_ClassSummaryRequired = TypedDict(
    "_ClassSummaryRequired",
    {
        # Its name.
        "class": "str",
        # Outcomes of its measured requests.
        "measured": "OutcomeCounts",
        # How its completed answers ended, by the server's word.
        "finish_reasons": "list[FinishShare]",
        # Its latencies.
        "latency": "LatencySummary",
        # Its token counts.
        "tokens": "TokenCounts",
    },
    total=True,
)


class ClassSummary(_ClassSummaryRequired):
    """One workload class."""


class Breakdown(TypedDict):
    """Latencies by one key."""

    # `class`, `turn`, `turn_number`, `prompt_tokens`, `output_tokens` or `address`.
    key: str
    # Its bands, ascending; at least two, of `turn_number` three.
    bands: list[Band]


class _BandRequired(TypedDict):
    # The class's name, `first`, or `64 to 255`.
    band: str
    # How they ended.
    measured: OutcomeCounts
    # Time to first token.
    ttft: Distribution | None
    # Time per output token.
    tpot: Distribution | None
    # End to end / output tokens.
    ntpot: Distribution | None
    # End to end.
    e2e: Distribution | None
    # Stalls.
    stalls: Stalls


class _BandOptional(TypedDict, total=False):
    # Means over its chunks; absent without streams.
    chunks: ChunkMeans


class Band(_BandRequired, _BandOptional):
    """The requests of one band."""


class ChunkMeans(TypedDict):
    """Means over the chunks of completed answers. Their intervals are those of ten batches of consecutive requests.
    """

    # Gaps between consecutive chunks.
    gaps: int
    # Mean gap, milliseconds.
    chunk_gap_ms: Mean | None
    # Mean tokens of a chunk that carries any, of answers whose tokens per chunk are known.
    tokens_per_chunk: Mean | None


class SessionSummary(TypedDict):
    """Sessions: those that began inside the window, and the measured turns of all."""

    # How they ended.
    counts: SessionCounts
    # From the first intended instant to the end of the last answer, of completed sessions.
    duration: Distribution | None
    # Turns of a completed session, mean.
    turns_mean: float | None
    # Turns of a completed session, most.
    turns_max: int | None
    # First turns.
    first_turns: TurnSummary
    # All other turns.
    later_turns: TurnSummary
    # Turns of a trace that waited for an answer: how much later than in the trace they were due; absent where no
    # turn has an instant of its own.
    slip: Distribution | None


class SessionCounts(TypedDict):
    """Sessions that began inside the window, by how they ended. Conservation: `begun` is the sum of the others."""

    # Their first turn is measured and was sent.
    begun: int
    # Every turn completed.
    completed: int
    # Some turn did not.
    failed: int
    # The run ended before some turn.
    unfinished: int


class TurnSummary(TypedDict):
    """Turns at one kind of place."""

    # Measured requests.
    measured: int
    # TTFT from the headline origin.
    ttft: Distribution | None
    # E2E from the headline origin.
    e2e: Distribution | None
    # Prompt tokens, mean; absent without usage.
    prompt_tokens_mean: float | None
    # Share of the prompt tokens that the server took from its cache; absent where it does not say.
    cached_share: float | None


class Fairness(TypedDict):
    """Fairness between takers of one kind."""

    # `session` or `class`.
    by: str
    # Over mean TTFT, from the headline origin.
    ttft: FairnessIndex | None
    # Over the mean speed of answers, output tokens per second of E2E (1 / NTPOT).
    speed: FairnessIndex | None


class FairnessIndex(TypedDict):
    """Jain's index of one measure."""

    # (sum x)^2 / (n sum x^2): 1 where all means are equal, 1 / n where one taker has everything.
    index: float
    # About what it would be were all takers alike, from the spread between requests.
    alike: float
    # Takers.
    n: int
    # Their completed measured requests.
    requests: int


class PositionGaps(TypedDict):
    """Gaps of the tokens of one band of positions, over completed measured requests."""

    # First token of the band; the answer's first is 1 and has no gap.
    first: int
    # Last token of the band.
    last: int
    # Gaps, one for each chunk whose first token lies in the band.
    n: int
    # Their median, milliseconds; absent with too few.
    p50: float | None
    # Their p90, milliseconds.
    p90: float | None
    # Their p99, milliseconds.
    p99: float | None


_PlanOptional = TypedDict(
    "_PlanOptional",
    {
        # Defaults to start from: production (warm-up of 5 minutes, measurement of 30)
        "profile": "str | float | None",
        # http://HOST:PORT, https://HOST, unix:/SOCKET, mock:PRESET or mock:PRESET?NAME=VALUE&...
        "target": "str | float",
        # Further servers of the same kind: the load is spread over all of them
        "more-targets": "str | list[str]",
        # How the load is spread over several addresses: round-robin or least-in-flight
        "balance": "Literal['round-robin', 'least-in-flight']",
        # HTTP proxy that everything goes through: http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT
        "proxy": "str | float | None",
        # Directory of the record; an existing one is refused
        "out": "str | float | None",
        # Open loop: requests per second
        "rate": "float | str | None",
        # Open loop: the rate over time, from the start of the window: ramp:5..50/60s, steps:10/30s,20/30s,
        # points:5@0,50@12h,5@24h,repeat, diurnal:10..50/24h, bursts:50/5s,5/25s or random-bursts:50/5s,5/25s
        "rate-profile": "str | float | None",
        # Closed loop: requests in flight
        "concurrency": "int | str | None",
        # Open loop: replay a trace (Azure, Mooncake, BurstGPT, Qwen-Bailian or vLLM; .gz too)
        "trace": "str | float | None",
        # Open loop: many clients, each with its own rate, burstiness and lengths: the bundled profile synthetic, or a
        # file; --rate scales them all
        "clients": "str | float | None",
        # Use only the first N rows of the trace or the dataset
        "trace-limit": "int | str | None",
        # How the trace or the dataset is read: format=NAME, block-size=N, time-unit=U, max-context=N, clip, sort,
        # spread
        "trace-option": "str | list[str]",
        # Send the texts of a file: ShareGPT (JSON), chat requests (JSON lines), prompts (JSON lines, CSV or Parquet)
        # or conversations of agents, with --rate, --rate-profile or --concurrency
        "dataset": "str | float | None",
        # The order of the dataset's texts: file, shuffled (by --workload-seed), or conversations (their turns wait
        # for each other; --rate is in conversations)
        "dataset-order": "Literal['file', 'shuffled', 'conversations']",
        # Multiply the trace's times by this: 0.5 is twice as fast
        "time-scale": "float | str",
        # Keep each row of the trace with this probability: 0.5 halves the load, at the trace's speed
        "thin": "float | str | None",
        # Gaps between arrivals: poisson, constant, gamma or weibull
        "arrival": "Literal['poisson', 'constant', 'gamma', 'weibull']",
        # Coefficient of variation of gamma or Weibull gaps
        "cv": "float | str | None",
        # Length of the measured window
        "duration": "Literal[0] | str | None",
        # Number of measured requests
        "requests": "int | str | None",
        # Warm-up before the window: 30s, 50req, 10s+50req or 0
        "warmup": "str | float | None",
        # Send the requests of a workload file; at its instants, unless --rate, --rate-profile or --concurrency say
        # when
        "workload-file": "str | float | None",
        # Lengths of prompts and answers: chat, code-generation, long-context-qa, summarization, fixed:IN,OUT,
        # uniform:A..B,C..D, normal:MEAN/SD,MEAN/SD, lognormal:MEDIAN/SIGMA,MEDIAN/SIGMA, gamma:MEAN/CV,MEAN/CV,
        # zipf:S/A..B,S/C..D, empirical:FILE, or mix:NAME=WEIGHT,NAME=WEIGHT
        "workload": "str | float",
        # What prompts share at their beginnings: bust (nothing), none (no salt either), shared:N/LENGTH[/ZIPF] (N
        # system prompts), tiling:CONTEXTS/LENGTH/QUESTION[/ROTATIONS] (contexts in turn), or hit:SHARE (so much that
        # a cache can hold SHARE of all tokens)
        "prefix": "str | float | None",
        # Conversations: turns=N (or 2..8, zipf:S/1..20), think=TIME (or exp:5s), tool=TIME with tool-share=P,
        # pause=TIME, system=TOKENS, max-context=TOKENS, history=planned or live, on-failure=end or continue; --rate
        # is then in sessions, --concurrency in users
        "sessions": "str | list[str]",
        # Header with the number of a request's session, for routers that keep a session on its replica
        "session-header": "str | float | None",
        # Model name
        "model": "str | float | None",
        # The API spoken: chat, completions, messages (Anthropic), responses (OpenAI), embeddings or rerank
        "endpoint": "Literal['chat', 'completions', 'messages', 'responses', 'embeddings', 'rerank']",
        # Embeddings: texts in each request
        "batch-size": "int | str | None",
        # Embeddings: float or base64
        "encoding-format": "Literal['float', 'base64'] | None",
        # Rerank: documents in each request
        "documents": "int | str | None",
        # Rerank: length of the query before them, tokens
        "query-tokens": "int | str | None",
        # Ask for plain answers instead of streams
        "no-stream": "bool",
        # Seed of the run; the seeds of the workload and of the schedule derive from it
        "seed": "int | str",
        # Seed of lengths and prompts
        "workload-seed": "int | str | None",
        # Seed of arrival times
        "schedule-seed": "int | str | None",
        # Number mixed into each prompt's salt
        "salt": "int | str | None",
        # The model's chat template, Jinja or tokenizer_config.json: what it adds to prompts is compared with what the
        # server counts
        "chat-template": "str | float | None",
        # What prompt lengths count: text, or template (the chat template, too)
        "count": "Literal['text', 'template']",
        # o200k, cl100k, or the path of a tokenizer.json
        "tokenizer": "str | float",
        # How prompts are written: tidy (sentences of common words) or noisy (typos, fragments, several languages and
        # scripts, code); their length is exact either way
        "text": "Literal['tidy', 'noisy']",
        # Client threads
        "threads": "int | str | None",
        # Most connections open at once
        "max-connections": "int | str | None",
        # Measure N times, each run with its own seeds, salt and warm-up, and say how far they lie apart
        "repeat": "int | str | None",
        # Repeat runs until an interval is this narrow, as in 'ttft.p99+-10%'
        "until": "str | float | None",
        # When requests of a trace are due that wait for another: timestamps (at the recorded instants, or once what
        # they wait for has ended) or idle-gaps (after the recorded waits)
        "pacing": "Literal['timestamps', 'idle-gaps'] | None",
        # Objective, as in 'ttft.p99<500ms' or 'attainment(ttft<500ms, tpot<50ms)>=99%'
        "slo": "str | list[str]",
        # Further percentile, as in p75
        "percentile": "str | list[str]",
        # When tokens are due, as in 500ms/50ms: the first, and each after the one before
        "fluidity": "str | float | None",
        # Time to open a connection
        "connect-timeout": "Literal[0] | str",
        # Time for a whole request, from its send
        "timeout": "Literal[0] | str",
        # Time to the first token, from the send
        "first-token-timeout": "Literal[0] | str | None",
        # Longest silence inside an answer
        "idle-timeout": "Literal[0] | str | None",
        # Longest idle time after which a connection is used again
        "keepalive": "Literal[0] | str",
        # Resend once when a reused connection breaks before any byte of the response
        "retry-stale": "bool",
        # Extra header, 'Name: value'
        "header": "str | list[str]",
        # JSON object merged into each request body
        "extra-body": "dict[str, Any] | str | None",
        # Kind of request and its weight, as in schema=0.3: plain, schema, tools or images
        "kind": "str | list[str]",
        # Structured output: answers keep to the JSON schema in this file
        "schema": "str | float | None",
        # Structured output: answers match this regular expression
        "regex": "str | float | None",
        # Structured output: answers follow the grammar in this file
        "grammar": "str | float | None",
        # Tools that may be called: a JSON file of definitions, or the number of made-up ones
        "tools": "str | float | None",
        # auto, required, none, or the name of a tool
        "tool-choice": "str | float | None",
        # Images made for each request, as in 2@1024x768; /50 after it draws from a pool of 50
        "images": "str | float | None",
        # Image file; each request carries one of those given
        "image": "str | list[str]",
        # LoRA adapter and its weight: its name is sent as the model
        "lora": "str | list[str]",
        # Sampling parameter, as in temperature=0.7
        "sampling": "str | list[str]",
        # Body of each request: a JSON file with {{prompt}}, {{messages}}, {{model}}, {{max_tokens}}, {{stream}} or
        # {{id}} in it, for an API of another form
        "body-template": "str | float | None",
        # Where the text stands in an answer to --body-template: a JSON pointer, as in /message/content
        "answer-text": "str | float | None",
        # Where the number of output tokens stands in it, as in /eval_count
        "answer-usage": "str | float | None",
        # What is there when it is complete, true or a word that says why, as in /done
        "answer-end": "str | float | None",
        # Path of the requests
        "endpoint-path": "str | float | None",
        # File with the API key
        "api-key-file": "str | float | None",
        # Certificates (PEM) to trust beside the platform's
        "tls-ca": "str | float | None",
        # Believe any certificate; the result then carries a warning
        "tls-insecure": "bool",
        # Write responses.jsonl
        "save-responses": "bool",
        # Print JSON on standard output
        "json": "bool",
        # Write the result as a page of HTML, too; alone beside the record, as report.html
        "html": "str | float | None",
        # No progress; print only the verdict and where the record is
        "quiet": "bool",
        # Print every figure of every metric below the summary
        "full": "bool",
        # Print findings that do not weigh in full, below the figures, instead of their names
        "notes": "bool",
        # Show progress on the full screen: load, latency, client, server, findings; plain lines where there is no
        # terminal
        "live": "bool",
        # Serve what is measured as a Prometheus page while it is measured: at http://ADDR/metrics, where ADDR is
        # IP:PORT or a port
        "expose": "str | float | None",
        # Keep that page once everything is measured and shown: until it was read once more, and no longer than this
        "expose-linger": "Literal[0] | str | None",
        # Exit 3 for Questionable, too
        "strict": "bool",
        # Ask what a result to be published needs beyond a sound measurement
        "publication": "bool",
        # Send no feature probes before the run, and send the load whatever the server would say to them
        "no-probe": "bool",
        # Time for the answer to one probe; a server that is still loading needs more
        "probe-timeout": "Literal[0] | str | None",
        # Send one prompt again and again before the run, among fresh ones, and say whether the server caches
        # responses (26 short requests)
        "probe-response-cache": "bool",
        # Check the text of each answer when the load is over: loops, garbage, other languages, errors with status
        # 200, answers given twice
        "check-answers": "bool",
        # Let this share of the requests end with a small question whose answer is known, and compare the answers
        # under load with those asked alone
        "canaries": "str | float | None",
        # Let a share of the requests, 5% where none is given, be questions of a file with answers (JSON lines), and
        # tell how many are right at each load; builtin: a small set that is made here
        "eval": "str | list[str]",
        # Ask N of the prompts, 60 where none is given, again alone behind the load, twice: where do answers differ?
        "reference": "str | float | None",
        # Time for each pass in which questions or prompts are asked alone, before the load or after it
        "solo-time": "Literal[0] | str",
        # Declared hardware of the server: gpu=, count=, memory=, interconnect=, network=, storage=, and placement= of
        # the client: same host, same network, remote; or text
        "hardware": "str | float | None",
        # Declared of the model: name=, version=, size=, quantisation=
        "model-info": "str | float | None",
        # Declared of the engine: engine=, version=, flags=, tp=, pp=, dp=, attention=, scheduling=, prefix-cache=,
        # chunked-prefill=, speculation=, batch-limits=, hit-rate=, tuning=, logging=
        "engine-info": "str | float | None",
        # Declared number of accelerators: adds figures per accelerator
        "gpus": "int | str | None",
        # Declared price of an accelerator for an hour, in $: adds what tokens and requests cost
        "gpu-hour": "float | str | None",
        # Declared price of a kilowatt-hour, in $: adds what the GPUs' energy costs
        "kwh": "float | str | None",
        # Declared engine and version
        "engine": "str | float | None",
        # Declared quantization
        "quantization": "str | float | None",
        # Free text kept with the run
        "label": "str | float | None",
        # How to receive: uring (an error where io_uring does not work), epoll, or auto (io_uring where a probe
        # succeeds)
        "io": "Literal['auto', 'uring', 'epoll']",
        # Have the kernel stamp when each request's last byte leaves
        "audit-send": "bool",
        # Where the server's own metrics are read during the run: auto (its /metrics), off, or URLs
        "server-metrics": "str | float",
        # From one reading of the server's metrics to the next
        "server-metrics-interval": "Literal[0] | str",
        # Where the server's GPUs are read during the run: auto (NVML, where the server is on this host), off, nvml,
        # or URLs of exporters
        "gpu-metrics": "str | float",
        # Busy-wait after each chunk: artificial client load that shows what kernel stamps buy
        "burn": "Literal[0] | str | None",
        # Send a traceparent with each request, receive the engine's spans (OTLP over HTTP) here, and take each TTFT
        # apart
        "spans": "str | float | None",
        # Read the number of replicas from this metric of a page during the run: for replica-seconds
        "replicas-from": "str | float | None",
        # Read the number of replicas from what this command prints, every few seconds
        "replicas-command": "str | float | None",
        # Address of this host that connections come from; several are taken in turn, and each has its own local ports
        "source-address": "str | list[str]",
    },
    total=False,
)


class Plan(_PlanOptional):
    """Without a description."""


class Seeds(TypedDict):
    """The two seeds of a run."""

    # Seeds lengths and prompts.
    workload: int
    # Seeds arrival times and think times.
    schedule: int


class Clock(TypedDict):
    """The origin of a run on both clocks."""

    # `CLOCK_MONOTONIC` at offset 0, nanoseconds.
    monotonic_origin_ns: int
    # `CLOCK_REALTIME` at offset 0, nanoseconds since the Unix epoch.
    realtime_origin_ns: int


class Window(TypedDict):
    """The measured window."""

    # First instant inside.
    start: int
    # First instant past it.
    end: int


class _ScheduleFactsRequired(TypedDict):
    # Some requests wait for others.
    sessions: bool
    # What begins.
    begins: Begins


class _ScheduleFactsOptional(TypedDict, total=False):
    # The part of the plan's schedule that it is.
    slice: Slice


class ScheduleFacts(_ScheduleFactsRequired, _ScheduleFactsOptional):
    """What a schedule says must come of it: known before the run, and kept beside its record."""


class Slice(TypedDict):
    """Part `index` of `of` equal parts: it takes the numbers `index`, `index + of`, `index + 2 of` and so on."""

    # Which part, from 0.
    index: int
    # Of how many.
    of: int


class Begins1(TypedDict):
    """So many arrivals."""

    # So many arrivals.
    arrivals: PhaseCounts


class Begins2(TypedDict):
    """What slots send: that depends on the answers."""

    # What slots send: that depends on the answers.
    slots: ClosedSchedule


class PhaseCounts(TypedDict):
    """A number for each phase."""

    # Before the measured window.
    warmup: int
    # Inside it.
    measure: int
    # After it.
    drain: int


class _ClosedScheduleRequired(TypedDict):
    # Concurrent slots; with sessions, users.
    slots: int
    # Ids of a session: slots take requests `0`, `stride`, `2 * stride` and so on, and what lies between follows
    # them. 1 where requests stand alone.
    stride: int
    # Least warm-up time, nanoseconds.
    warmup_ns: int
    # Least number of warm-up requests.
    warmup_requests: int
    # Warm-up ends here at the latest, nanoseconds.
    warmup_max_ns: int
    # Length of the measured window, nanoseconds.
    duration_ns: int | None
    # Number of measured requests.
    requests: int | None


class _ClosedScheduleOptional(TypedDict, total=False):
    # The part that it is of a plan's schedule: of those requests the slots take every n-th.
    slice: Slice


class ClosedSchedule(_ClosedScheduleRequired, _ClosedScheduleOptional):
    """A closed loop of `slots` users. Warm-up ends when both its time and its request count have passed (at the
    latest after `warmup_max_ns`); the measured window ends after `duration_ns` or `requests`, whichever comes
    first.
    """


class _ProgressRequired(TypedDict):
    # Requests with a record (every arrival reached, every slot's send).
    scheduled: int
    # Drain arrivals that the run ended before, and turns of sessions under way.
    drain_not_reached: int
    # The trace ended before the drain did.
    drain_without_load: bool
    # When the run ended.
    ended: int
    # A signal ended it early, or the record was recovered from its journal.
    interrupted: bool
    # The record was recovered from a journal: requests in flight at the end are missing.
    recovered: bool


class _ProgressOptional(TypedDict, total=False):
    # Sessions under way with turns that the run ended before.
    unfinished_sessions: list[int]
    # What was counted beside the recorder; absent from records of older versions.
    counted: Counted


class Progress(_ProgressRequired, _ProgressOptional):
    """How the run went, as the runner saw it."""


class Counted(TypedDict):
    """What those who send counted themselves, so that nothing the recorder loses goes unseen."""

    # Records handed to the recorder.
    handed_over: int
    # Arrivals of the drain that the run ended before.
    arrivals_not_reached: int


class Environment(TypedDict, total=False):
    """Facts that go with a run."""

    # Where the client runs, and with what.
    client: ClientSide
    # What was found out about the server.
    target: TargetSide
    # What was sent.
    workload: WorkloadSide
    # What the user says of the server.
    declared: Declared


class ClientSide(TypedDict, total=False):
    """Where the client runs, and with what."""

    # The machine.
    host: HostFacts | None
    # Worker threads.
    threads: int | None
    # Cores of the client.
    cores: list[int]
    # Their frequency governors, each once.
    governors: list[str]
    # Cores of the embedded simulator.
    mock_cores: list[int]
    # Most connections at once.
    max_connections: int | None
    # What bounds them.
    connections_bound_by: Bound | None
    # Connections opened before the clock starts.
    connections_opened_ahead: int | None
    # What it receives with.
    io: Received | None


class HostFacts(TypedDict, total=False):
    """What the client runs on. Each fact is absent where the system does not tell."""

    # CPU model name.
    cpu: str | None
    # Cores of the host that are on line.
    cores: int | None
    # Kernel release.
    kernel: str | None
    # Frequency governor of the first core.
    governor: str | None
    # Kernel clock source.
    clock_source: str | None
    # The hypervisor or product that this host is a guest of; absent on bare metal, too.
    virtualization: str | None
    # Memory, bytes.
    memory_bytes: int | None
    # cgroup v2 CPU limit (`cpu.max`).
    cgroup_cpu_max: str | None
    # cgroup v2 memory limit (`memory.max`).
    cgroup_memory_max: str | None
    # Soft limit of file descriptors.
    fd_limit: int | None
    # Local ports for outgoing connections.
    local_ports: list[Any] | None
    # Load average over the last minute, as text.
    load_average: str | None


class Received(TypedDict):
    """The way of receiving."""

    # `epoll` or `io_uring`.
    receives_with: str
    # Why this one.
    because: str


class TargetSide(TypedDict, total=False):
    """What was found out about the server."""

    # Where requests go, without credentials.
    url: str | None
    # The address behind it.
    address: str | None
    # That is a loopback one.
    loopback: bool | None
    # That is one of the client's host.
    same_host: bool | None
    # The longest that a name of the targets, or of the proxy before them, took to resolve before the run,
    # nanoseconds; absent where all were addresses.
    resolve_ns: int
    # The `server` header.
    server: str | None
    # `/version`.
    version: str | None
    # Models served.
    models: list[ModelFacts]
    # Why there are none.
    models_problem: str | None
    # The embedded simulator's preset or parameters.
    mock: str | None
    # Measured in virtual time, without sockets; absent of every other run.
    virtual_time: bool
    # Path of the requests.
    path: str
    # Request fields in use.
    fields: RequestFields | None
    # Which engine it says it is.
    engine: EngineFacts | None
    # Its metrics page.
    server_metrics: MetricsPlace | None
    # The GPUs and hosts that tell of themselves; absent from records of older versions.
    gpu_metrics: MetricsPlace
    # Who says how many replicas there are; absent where nobody was to be asked.
    replicas: MetricsPlace
    # Its counters of the prefix cache; absent where it has none.
    prefix_cache: PrefixCountersOfRun | None
    # The trial of response caching; absent where none was asked for.
    response_cache: CacheTrial | None


class ModelFacts(TypedDict):
    """One entry of `/v1/models`."""

    # Its id.
    id: str
    # Longest prompt plus answer, tokens.
    max_model_len: int | None
    # `owned_by`.
    owned_by: str | None


class RequestFields(TypedDict, total=False):
    """Fields that requests carry beside what they ask."""

    # `ignore_eos`.
    ignore_eos: bool | None
    # `stream_options.include_usage`.
    include_usage: bool | None
    # `stream_options.continuous_usage_stats`.
    continuous_usage: bool | None
    # `max_completion_tokens` instead of `max_tokens`.
    max_completion_tokens: bool | None
    # They were tried on the server.
    probed: bool | None


class EngineFacts(TypedDict, total=False):
    """What the evidence says together."""

    # The engines named: more than one where the evidence disagrees.
    names: list[str]
    # Its version.
    version: str | None
    # Proxies in front of it.
    proxies: list[str]
    # All of it.
    evidence: list[Evidence]


class Evidence(TypedDict, total=False):
    """One word about who answers."""

    # Where it stands, as in "`server` header".
    source: str
    # What stands there, inert.
    said: str
    # The engine that it names.
    engine: str | None
    # The proxy that it names.
    proxy: str | None
    # The version that it names.
    version: str | None


class _MetricsPlace1Required(TypedDict):
    # Whose it is.
    engine: ServerEngine
    # Where it is, without credentials.
    url: str


class _MetricsPlace1Optional(TypedDict, total=False):
    # Further pages that are read, and further engines of the same page.
    more: list[WatchedPage]
    # Pages that the plan names and nobody answered.
    unread: list[UnreadPage]


class MetricsPlace1(_MetricsPlace1Required, _MetricsPlace1Optional):
    """It is read."""


class MetricsPlace2(TypedDict):
    """There is none that could be read."""

    # Why.
    not_available: str


class WatchedPage(TypedDict):
    """A page, and whose series were found on it before the load. One address may have several engines, a router and
    what is behind it: each is a page here.
    """

    # Whose series.
    engine: ServerEngine
    # Where, user info hidden.
    url: str


class UnreadPage(TypedDict):
    """A metrics page without figures."""

    # Where, without credentials.
    url: str
    # Why.
    why: str


class _PrefixCountersOfRunRequired(TypedDict):
    # Before it.
    before: PrefixCounters


class _PrefixCountersOfRunOptional(TypedDict, total=False):
    # After it; absent where the run did not get there, or the page was gone.
    after: PrefixCounters


class PrefixCountersOfRun(_PrefixCountersOfRunRequired, _PrefixCountersOfRunOptional):
    """The counters around the load."""


class PrefixCounters(TypedDict):
    """Tokens looked up and found in the prefix cache since the server started: two counters of its metrics page.
    What a server does not count is absent.
    """

    # Prompt tokens looked up.
    queries: float
    # Of those, found.
    hits: float


class CacheTrial(TypedDict, total=False):
    """What the trial saw. Nothing is left out: a trial that broke off keeps its pairs."""

    # Answers in pairs, in the order of sending.
    pairs: list[CachePair]
    # Why the trial broke off.
    problem: str | None


class CachePair(TypedDict):
    """A repeated prompt beside a fresh one."""

    # The prompt that was answered before.
    repeated: AnswerTimes
    # A prompt of the same length that was not.
    fresh: AnswerTimes


class AnswerTimes(TypedDict):
    """One answer, timed by the program from the write of its request."""

    # To the read that held the first generated text; absent for an answer that is not a stream. Unit:
    # milliseconds.
    ttft_ms: float | None
    # To the last read. Unit: milliseconds.
    e2e_ms: float
    # `usage.completion_tokens`; absent where the server does not say.
    output_tokens: int | None


class WorkloadSide(TypedDict, total=False):
    """What was sent."""

    # The tokenizer that lengths are counted with.
    tokenizer: str | None
    # The salt of the prompts.
    salt: int | None
    # Hash of the workload.
    sha256: str | None
    # What two runs with the same hash have in common.
    identity: str | None
    # Hash of the instants; absent in a closed loop.
    schedule_sha256: str | None
    # Hash of the bodies, once they have been sent.
    sent_sha256: str | None
    # What the chat template adds, tokens; absent without one.
    template_tokens: int | None
    # The file of requests, where there is one.
    trace: TraceRead | None
    # What of it is not sent, in sentences.
    left_out: list[str] | None
    # Texts of the dataset, after which the first comes again.
    texts_before_repeating: int | None
    # Share of the prompt tokens that a prefix cache without limit would hold.
    shared_prefix_share: float | None
    # Mean prompt length, tokens.
    expected_prompt_tokens: float | None
    # Mean output length, tokens.
    expected_output_tokens: float | None


class TraceRead(TypedDict, total=False):
    """What was read."""

    # The format.
    format: str
    # The file is compressed with gzip.
    compressed: bool
    # Rows kept.
    rows: int
    # Rows left out, by reason.
    skipped: list[Skipped]
    # Rows read, but not among those selected afterwards (by thinning).
    unselected: int
    # Rows whose prompt was cut to the context.
    clipped: Touched
    # Rows whose parent in the conversation is not in the file above them.
    orphans: Touched
    # Tokens of a block, where rows have hash ids.
    block_tokens: int | None
    # Unit of the timestamps, where they are numbers.
    time_unit: str
    # What requests of texts bring beside them, and what becomes of it.
    members: list[MemberUse]
    # Names of members beyond the first 100, which are not told apart.
    members_beyond: int
    # Rows of a trace whose answer's length is drawn: the file has none.
    drawn_outputs: int
    # What was done to the rows, in order.
    operations: list[str]


class Skipped(TypedDict):
    """Rows left out for one reason."""

    # Why.
    reason: SkipReason
    # Which.
    touched: Touched


class Touched(TypedDict):
    """Rows left out or changed for one reason."""

    # How many.
    rows: int
    # Lines of the first few.
    first_lines: list[int]


class MemberUse(TypedDict):
    """A member and how many rows have it."""

    # Its name, inert; `messages[].NAME` for one of a message.
    name: str
    # What becomes of it.
    fate: Fate
    # Rows that have it.
    rows: int


class Declared(TypedDict, total=False):
    """Everything declared of a server. What cannot be read is kept as text: the plan was checked."""

    # `--hardware`.
    hardware: Statement | None
    # `--model-info`.
    model_info: Statement | None
    # `--engine-info`.
    engine_info: Statement | None
    # `--gpus`.
    gpus: int | None
    # `--gpu-hour`: price of an accelerator for an hour.
    gpu_hour: float
    # `--kwh`: price of a kilowatt-hour.
    kwh: float
    # `--engine`.
    engine: str | None
    # `--quantization`.
    quantization: str | None
    # `--label`.
    label: str | None


class Citation(TypedDict):
    """What a run cites of the certificate that its machine has."""

    # The certificate's file.
    path: str
    # SHA-256 of the file, hex; absent where it could not be read.
    sha256: str | None
    # The certificate's date; absent where it could not be read.
    created: str | None
    # The version that made it; absent where it could not be read.
    infermeter_version: str | None
    # Why it does not hold for this run; empty where it does.
    stale: list[str]
    # The usable rungs with errors.
    rungs: list[CitedRung]
    # Its limits.
    limits: list[Limit]


class CitedRung(TypedDict):
    """A usable rung, in short."""

    # Its name.
    name: str
    # Its kind.
    kind: LoadKind
    # Its transport.
    transport: Transport
    # What it reached per second, in the kind's unit.
    per_s: float
    # Its largest p99 by the kernel's stamps, microseconds.
    kernel_p99_us: float | None
    # Its largest p99 by the program's stamps, microseconds.
    program_p99_us: float | None


class Limit(TypedDict):
    """The highest load at which every error's p99 stays within a bound."""

    # The ladder.
    kind: LoadKind
    # Its transport.
    transport: Transport
    # Whose stamps.
    stamps: StampSource
    # The bound, microseconds.
    bound_us: float
    # The highest usable rung below the first that exceeds the bound.
    proven: Proven | None
    # Why it is not higher.
    ended: LimitEnd


class Proven(TypedDict):
    """A load that was shown to be within a bound."""

    # The rung.
    rung: str
    # What it reached per second, in the kind's unit.
    per_s: float
    # Its largest p99, microseconds.
    worst_p99_us: float


class _ImportedRequired(TypedDict):
    # The tool, as it is called.
    tool: str
    # The file's name, without its folder.
    file: str
    # SHA-256 of the file, hex.
    sha256: str
    # Whether it says when requests were sent. Without that every instant counts from its own request's send, and
    # nothing is known of what happened at the same time.
    has_starts: bool
    # What its figures mean where that is not what ours mean, and what it does not say: a sentence each.
    remarks: list[str]


class _ImportedOptional(TypedDict, total=False):
    # Its version, where the file says it.
    tool_version: str
    # Which of several results of the file; absent where it holds one.
    part: str
    # Whether it is known when that was: where it is not, the clock's `realtime_origin_ns` is 0 and says nothing.
    # (Of records that do not have this member it may be the instant of the import.)
    has_date: bool


class Imported(_ImportedRequired, _ImportedOptional):
    """What is known of the file that a record was made from."""


class ControlRequest(TypedDict):
    """A request made outside the load: probes, model list."""

    # Its `x-request-id`.
    request_id: str
    # `GET /v1/models`.
    request: str
    # HTTP status, or none when there was no answer.
    status: int | None
    # What it was for and what came of it.
    result: str


class _FindingRequired(TypedDict):
    # Stable code in kebab case, the name of its page in the docs.
    code: str
    # Its weight.
    severity: Severity
    # One sentence: what was found.
    message: str
    # The figures behind it.
    evidence: str
    # What to do.
    advice: str


class _FindingOptional(TypedDict, total=False):
    # Where it is asked; absent from findings of older versions.
    scope: Scope
    # What it is about; absent as above.
    dimension: Dimension


class Finding(_FindingRequired, _FindingOptional):
    """One thing to know about a run."""


class _ClientHealthRequired(TypedDict):
    # One entry per worker thread.
    threads: list[ThreadHealth]
    # CPU time of the whole process between origin and end, nanoseconds.
    process_cpu_ns: int
    # Peak resident memory of the process (`VmHWM`), bytes.
    peak_rss_bytes: int | None
    # Kernel receive stamps worked in the self-test before the run.
    kernel_stamps: bool
    # Cores the process may run on.
    cores: int
    # The recorder could not write (disk full, say); the text says what happened.
    recorder_error: str | None


class _ClientHealthOptional(TypedDict, total=False):
    # What the workers received with.
    io: IoBackend
    # What it could not write in the end.
    unwritten: Unwritten


class ClientHealth(_ClientHealthRequired, _ClientHealthOptional):
    """The generator's view of itself."""


class _ThreadHealthRequired(TypedDict):
    # CPU time, user and system, nanoseconds.
    cpu_ns: int
    # Time runnable but not running (`/proc/thread-self/schedstat`), nanoseconds; absent where the kernel does not
    # say.
    run_queue_wait_ns: int | None
    # Wall time, nanoseconds.
    wall_ns: int
    # Reads that returned bytes.
    reads: int
    # Of those, without a kernel stamp.
    reads_without_stamp: int
    # Bytes received.
    bytes: int
    # Connections opened.
    connections_opened: int
    # Idle connections dropped: closed by the server, unexpectedly readable, or past keep-alive.
    connections_discarded: int
    # Times a request was due and its body was not ready.
    bodies_late: int
    # Times a request waited for a connection because of the cap.
    waits_for_cap: int
    # Greatest jump of the real-time clock against the monotonic one, nanoseconds.
    clock_step_ns: int


class _ThreadHealthOptional(TypedDict, total=False):
    # Bytes sent, of TLS as they were on the wire; absent of records from before they were counted.
    bytes_sent: int
    # Answers whose body did not end within a second of their end mark.
    bodies_without_end: int
    # Connections closed after one answer because the server closes each then, whatever it says.
    connections_single_use: int
    # io_uring: times a receive ended for want of a buffer and was started again.
    buffers_out: int
    # Times in which the thread did not go through its loop.
    gaps: Gaps


class ThreadHealth(_ThreadHealthRequired, _ThreadHealthOptional):
    """One client thread's own behaviour between the run's origin and its end."""


class Gaps(TypedDict):
    """The gaps of one thread."""

    # How many.
    count: int
    # Their sum, nanoseconds.
    total_ns: int
    # The longest, nanoseconds.
    longest_ns: int
    # The first ones.
    listed: list[Gap]


class Gap(TypedDict):
    """One gap."""

    # When the loop should have gone on.
    at: int
    # How much later it did, nanoseconds; time that the machine slept included.
    ns: int
    # What most of it went into.
    cause: GapCause


class Unwritten(TypedDict):
    """Records that could not be written."""

    # How many are missing.
    records: int
    # Measured requests of the run, missing or not.
    measured: int
    # When writing failed first.
    since: int | None


class _ClientRunRequired(TypedDict):
    # How it went.
    progress: Progress
    # The generator's view of itself; its threads are those of this client.
    health: ClientHealth


class _ClientRunOptional(TypedDict, total=False):
    # The part of the load that it sent.
    slice: Slice
    # Which process it was; absent where clients were no ranks.
    rank: RankFacts
    # Origins of its own clock; absent where it had that of the run.
    clock: Clock
    # What its part of the schedule says must come of it; absent where that is not known.
    schedule: ScheduleFacts
    # Its own measured window; absent where it is that of the run.
    window: Window
    # The machine that it ran on; absent where that is not known.
    host: HostFacts


class ClientRun(_ClientRunRequired, _ClientRunOptional):
    """What one client did of a run, and what it saw of itself."""


class _RankFactsRequired(TypedDict):
    # The part of the load that it sent.
    slice: Slice
    # Name of its host.
    host: str
    # Its process id.
    pid: int
    # What its processor is, as in `x86_64`.
    arch: str
    # Version of infermeter.
    version: str
    # Who said which rank it is: `flags`, `workers`, `Slurm` and others.
    told_by: str


class _RankFactsOptional(TypedDict, total=False):
    # Boot id of its host, hex: equal on one kernel. Absent where the kernel does not say.
    machine: str
    # SHA-256 of its program, hex; absent where it could not be read.
    program: str
    # How its wall clock stands to that of rank 0; absent where nothing is known of it.
    clock: ClockOffset
    # The start that was agreed on, by the wall clock of rank 0, nanoseconds since the Unix epoch; absent where
    # none was.
    start_asked_ns: int


class RankFacts(_RankFactsRequired, _RankFactsOptional):
    """Who a rank is, and how its clock stands to that of rank 0."""


class ClockOffset(TypedDict):
    """How a wall clock stands to that of rank 0."""

    # The own wall clock minus that of rank 0, nanoseconds.
    offset_ns: int
    # The true offset is at most this far from it, nanoseconds.
    bound_ns: int
    # How it was found.
    by: OffsetSource


class EvalFile(TypedDict):
    """A file of questions with answers that rode in the load."""

    # Its name, without folders.
    name: str
    # SHA-256 of its bytes, hex.
    sha256: str
    # Its rows.
    rows: int
    # Number of its first row, counted over all files.
    first_row: int
    # Share of the requests that carry one of its rows.
    share: float
    # It was made up, here.
    synthetic: bool


class Solo(TypedDict, total=False):
    """Everything that was asked alone."""

    # Questions before the load; absent where there were none.
    before: SoloPass
    # The same questions after it.
    after: SoloPass
    # Prompts of the load, word for word, after it; absent where no reference was asked for.
    reference: ReferencePasses


class _SoloPassRequired(TypedDict):
    # Questions that were to be asked.
    wanted: int
    # Those that were answered, in the order of asking.
    answers: list[SoloAnswer]
    # Why it ended.
    ended_by: SoloEnd


class _SoloPassOptional(TypedDict, total=False):
    # What went wrong, in words; absent where nothing did.
    problem: str


class SoloPass(_SoloPassRequired, _SoloPassOptional):
    """Questions, one after the other."""


class _SoloAnswerRequired(TypedDict):
    # The measured request with the same question.
    id: int
    # The question.
    question: Question
    # Whether the answer is right; absent where it cannot be judged.
    correct: bool | None
    # Characters of the visible text.
    chars: int
    # Output tokens by usage.
    output_tokens: int | None
    # How the server says that it ended.
    finish_reason: str | None
    # From the request to the last byte of the answer, nanoseconds.
    e2e_ns: int


class _SoloAnswerOptional(TypedDict, total=False):
    # What the checks found, by name.
    doubts: list[str]


class SoloAnswer(_SoloAnswerRequired, _SoloAnswerOptional):
    """The answer to one question, asked alone."""


class Question(TypedDict):
    """What was asked."""

    # Of which kind it is.
    kind: QuestionKind
    # Number of the canary, from 0; of an evaluation the row, counted over all files in the plan's order.
    row: int


class _ReferencePassesRequired(TypedDict):
    # Prompts that were to be asked.
    wanted: int
    # Those that were answered.
    asked: int
    # Those that were answered twice.
    repeated: int
    # The server said how likely its tokens were.
    logprobs: bool
    # Requests ask for the same answer each time: greedy, or by a seed.
    deterministic_asked: bool


class _ReferencePassesOptional(TypedDict, total=False):
    # What tells the answers from those of another server, by request.
    answers: list[ReferenceAnswers]
    # What went wrong, in words; absent where nothing did.
    problem: str


class ReferencePasses(_ReferencePassesRequired, _ReferencePassesOptional):
    """Prompts of the load that were asked again alone."""


class _ReferenceAnswersRequired(TypedDict):
    # The measured request with the same prompt.
    id: int
    # The first answer.
    first: Fingerprint


class _ReferenceAnswersOptional(TypedDict, total=False):
    # The second one; absent where it was not asked for, or not answered.
    second: Fingerprint


class ReferenceAnswers(_ReferenceAnswersRequired, _ReferenceAnswersOptional):
    """The answers to one prompt, asked alone, without their texts."""


class Fingerprint(TypedDict):
    """Marks along an answer."""

    # Characters of the text.
    chars: int
    # Four hexadecimal digits for each 16 characters, at most 256 times, and four over the whole.
    marks: str


class _ManifestRequired(TypedDict):
    # Version of the format.
    format_version: Literal[1]
    # Version of infermeter.
    infermeter_version: str
    # Random 128-bit id, hex; prefix of every `x-request-id`.
    run_id: str
    # State of the directory.
    state: RunState
    # The plan, secrets replaced by `***`.
    plan: Plan
    # SHA-256 of the plan's JSON (secrets replaced; without where it goes and how it is shown), hex.
    plan_hash: str
    # Both seeds.
    seeds: Seeds
    # The model asked for.
    model: str
    # The load model.
    load_model: LoadModel
    # Requests per second asked for over the window (open loop).
    rate_asked: float | None
    # Names of the classes, by `ClassIndex`.
    classes: list[str]
    # Origins of the clock.
    clock: Clock
    # The measured window (in a closed loop known at the end).
    window: Window | None
    # How the run went; absent while running.
    progress: Progress | None
    # Requests made outside the load.
    control_requests: list[ControlRequest]
    # Findings made before or during the run (probes, preparation), input to the verdict.
    run_findings: list[Finding]
    # The generator's view of itself; absent while running.
    client_health: ClientHealth | None
    # The verdict; absent while running.
    verdict: Verdict | None
    # All findings.
    findings: list[Finding]
    # The summary, as `--json` prints it.
    summary: Summary | None


class _ManifestOptional(TypedDict, total=False):
    # Where requests were sent, by `address`; empty in records from before there could be several.
    addresses: list[str]
    # What the schedule says must come of it; absent from records of older versions.
    schedule: ScheduleFacts
    # Host, target and declared facts.
    environment: Environment
    # The calibration certificate of this machine, where there is one.
    calibration: Citation | None
    # Where it comes from, if another tool measured it.
    imported: Imported
    # Each client's part, where several share the load; `progress` and `client_health` are then those of all
    # together. Empty with one client, whose part these two are.
    clients: list[ClientRun]
    # Which of several processes that share the load measured this; absent of a run alone, and of ranks that were
    # merged, where each client has its own.
    rank: RankFacts
    # Files of questions with answers that ride in the load.
    evals: list[EvalFile]
    # What was asked with nothing else in flight; absent where nothing was.
    solo: Solo
    # SHA-256 of each file of the record by its name, and of this one without this member; absent while running,
    # and from records of older versions.
    seal: dict[str, str]


class Manifest(_ManifestRequired, _ManifestOptional):
    """Describes the file run.json in the directory of a run. A later version may add members and names of an
    enumeration under the same format_version: ignore what you do not know. What earlier versions of this format
    did not write is not required; `infermeter report` brings the summary up to date.
    """


class _HeadlineRequired(TypedDict):
    # What the latencies of whole requests are counted from.
    origin: Origin
    # Measured requests.
    requests: int
    # Of those, completed.
    completed: int


class _HeadlineOptional(TypedDict, total=False):
    # Share of the measured requests that failed or timed out; absent where there are none.
    error_rate: float
    # Time to first token.
    ttft: HeadlineTimes
    # Time per output token.
    tpot: HeadlineTimes
    # Gaps between tokens; between chunks where the tokens of chunks are not known.
    itl: HeadlineTimes
    # End to end / output tokens.
    ntpot: HeadlineTimes
    # End to end.
    e2e: HeadlineTimes
    # Output tokens per second; absent where no count is known.
    output_tokens_per_s: Rate
    # Input and output tokens per second; absent without both.
    total_tokens_per_s: Rate
    # Completed requests per second; absent without a window.
    requests_per_s: Rate
    # Requests that meet every objective; absent without objectives.
    goodput: Goodput


class Headline(_HeadlineRequired, _HeadlineOptional):
    """One value for each metric, so that a reader needs to know nothing of the load model."""


class _HeadlineTimesRequired(TypedDict):
    # Unit of every value: `ms`.
    unit: str
    # What it is counted from.
    origin: Origin
    # Observations.
    n: int
    # The arithmetic mean; null where too few observations carry one.
    mean: Mean | None
    # The smallest observation. Unit: that of `unit`.
    min: float
    # The largest observation. Unit: that of `unit`.
    max: float


_HeadlineTimesOptional = TypedDict(
    "_HeadlineTimesOptional",
    {
        "p50": "Cell | None",
        "p90": "Cell | None",
        "p95": "Cell | None",
        "p99": "Cell | None",
        "p99.9": "Cell | None",
    },
    total=False,
)


class HeadlineTimes(_HeadlineTimesRequired, _HeadlineTimesOptional):
    """One metric at the head."""


class _RunSeriesRequired(TypedDict):
    # Instants are counted from the window's start.
    from_window: bool
    # Origin of TTFT and of the requests' ends.
    origin: Origin
    # Length of the parts of the time, seconds.
    part_s: float
    # Where the first part begins. Unit: seconds.
    start_s: float
    # Where the last part ends. Unit: seconds.
    end_s: float
    # The phases of the load, in order.
    phases: list[PhaseSpan]
    # Times in which something stood still, in order.
    still: list[StillTime]
    # TTFT of completed requests of every phase, by origin.
    ttft: list[TimePart]
    # The same of the classes with the most requests; empty where there is one class.
    ttft_by_class: list[ClassParts]
    # The same one by one, where they are few; else empty.
    ttft_each: list[TtftPoint]
    # Which gap `gaps` are of: `itl`, or `chunk_gap` where tokens are unknown.
    gap: str
    # Gaps of completed requests of every phase, by the chunk that ends them.
    gaps: list[TimePart]
    # The same of the classes with the most requests; empty where there is one class.
    gaps_by_class: list[ClassParts]
    # Requests in flight.
    in_flight: list[LoadPart]
    # The instrument itself.
    client: ClientParts
    # What the server said of itself; absent where it was not read.
    server: ServerSeries | None
    # Some requests, instant by instant.
    requests: Requests
    # TTFT by prompt length and load; absent where neither differs.
    ttft_by_load: HeatMap | None
    # The gap by token position.
    positions: list[PositionSeries]


class _RunSeriesOptional(TypedDict, total=False):
    # What its GPUs said of themselves; absent where nobody told of them.
    gpus: GpuSeries


class RunSeries(_RunSeriesRequired, _RunSeriesOptional):
    """What the charts of a run show. Instants are seconds since the window's start (since the run's origin where
    there is no window), latencies milliseconds.
    """


class PhaseSpan(TypedDict):
    """A phase of the load."""

    # Which.
    phase: Phase
    # From when, seconds.
    from_s: float
    # To when. Unit: seconds.
    to_s: float


class StillTime(TypedDict):
    """A time in which something stood still."""

    # What.
    kind: StillKind
    # From when, seconds.
    from_s: float
    # To when. Unit: seconds.
    to_s: float
    # What happened, in words.
    said: str


class TimePart(TypedDict):
    """Values of one part of the time, milliseconds."""

    # Where it begins, seconds.
    at_s: float
    # Values.
    n: int
    # Requests that were due in it and failed, where values are of requests; those of the drain do not count.
    failed: int
    # The least; absent where all failed. Unit: that of the figure.
    least: float | None
    # The median, where the part carries it.
    p50: Estimated | None
    # The 99th percentile, where the part carries it.
    p99: Estimated | None
    # The greatest. Unit: that of the figure.
    greatest: float | None


class Estimated(TypedDict):
    """An estimate with its 95 % interval."""

    # The value. Unit: that of the figure.
    value: float
    # Lower bound; absent where the sample gives none. Unit: that of the figure.
    low: float | None
    # Upper bound; absent where the interval is open above. Unit: that of the figure.
    high: float | None


_ClassPartsRequired = TypedDict(
    "_ClassPartsRequired",
    {
        # The class.
        "class": "int",
        # As those of all requests.
        "parts": "list[TimePart]",
    },
    total=True,
)


class ClassParts(_ClassPartsRequired):
    """Values of the requests of one class."""


_TtftPointRequired = TypedDict(
    "_TtftPointRequired",
    {
        # The request.
        "id": "int",
        # Its class.
        "class": "int",
        # Its origin, seconds.
        "at_s": "float",
        # Milliseconds, to the stamp of its first chunk.
        "ms": "float",
        # The least that it can have been: the stamp's lower bound. Unit: milliseconds.
        "least_ms": "float",
    },
    total=True,
)


class TtftPoint(_TtftPointRequired):
    """TTFT of one request."""


class LoadPart(TypedDict):
    """Requests in flight in one part of the time."""

    # Where it begins, seconds.
    at_s: float
    # Time average, requests.
    mean: float
    # Fewest. Unit: requests.
    least: int
    # Most. Unit: requests.
    most: int


class ClientParts(TypedDict):
    """The instrument itself, by parts of the time."""

    # How late requests were sent.
    send_lag: list[TimePart]
    # How wide chunks' instants are: stamp less lower bound.
    stamp_width: list[TimePart]
    # How much later the program had read what the kernel stamped.
    read_lag: list[TimePart]


class ServerSeries(TypedDict):
    """What the server said."""

    # Whose series were read.
    engine: ServerEngine
    # Readings with figures.
    readings: int
    # Readings without, and those left out because an answer was owed.
    missing: int
    # Those that its page has.
    gauges: list[GaugeSeries]


class GaugeSeries(TypedDict):
    """One gauge of the server."""

    # Its name: `running`, `waiting`, `kv_usage`, `accepted_length` and the other gauges that a page may have; of
    # a counter what it rose by, as `preemptions_per_s` and `prefix_hit_share`.
    name: str
    # Parts with a reading.
    parts: list[GaugePart]


class GaugePart(TypedDict):
    """Readings of one gauge in one part of the time."""

    # Where the part begins, seconds.
    at_s: float
    # Readings.
    n: int
    # The least. Unit: that of the gauge.
    least: float
    # Their mean. Unit: that of the gauge.
    mean: float
    # The greatest. Unit: that of the gauge.
    greatest: float


class GpuSeries(TypedDict):
    """What GPUs said."""

    # Readings with figures.
    readings: int
    # Readings without, and those left out because an answer was owed.
    missing: int
    # Power of each GPU, watts, by its name; of all of a page together where there are many.
    power: list[GaugeSeries]
    # Means over the GPUs of the first page that has them, by name.
    shares: list[GaugeSeries]


class Requests(TypedDict):
    """The requests that are shown."""

    # Measured requests from which they are.
    of: int
    # In order of their due instants.
    bars: list[RequestBar]


_RequestBarRequired = TypedDict(
    "_RequestBarRequired",
    {
        # Its id.
        "id": "int",
        # Its class.
        "class": "int",
        # Why it is here.
        "picked": "Picked",
        # How it ended.
        "outcome": "Outcome",
        # When it was due, seconds.
        "due_s": "float",
        # When it was sent. Unit: seconds.
        "sent_s": "float | None",
        # When its connection was up; absent where it used one that was. Unit: seconds.
        "connected_s": "float | None",
        # Its first chunk.
        "first": "Stamp | None",
        # Its last chunk.
        "last": "Stamp | None",
        # When it was over. Unit: seconds.
        "closed_s": "float | None",
    },
    total=True,
)


class _RequestBarOptional(TypedDict, total=False):
    # Why it did not complete.
    reason: Reason


class RequestBar(_RequestBarRequired, _RequestBarOptional):
    """One request."""


class Stamp(TypedDict):
    """An instant as it was seen, seconds."""

    # The stamp. Unit: seconds.
    at_s: float
    # The earliest that it can have been. Unit: seconds.
    least_s: float


class HeatMap(TypedDict):
    """TTFT of completed measured requests by two of their circumstances."""

    # Prompt tokens, by usage where given.
    prompt_tokens: list[ValueBand]
    # Other requests in flight at the send.
    in_flight: list[ValueBand]
    # The fields that hold a request.
    fields: list[HeatField]


class ValueBand(TypedDict):
    """Values from one to another, both of which occur."""

    # The least. Unit: that of the figure.
    least: int
    # The greatest. Unit: that of the figure.
    greatest: int


class HeatField(TypedDict):
    """One field."""

    # Its band of prompt lengths.
    prompt: int
    # Its band of loads.
    load: int
    # Requests.
    n: int
    # Median TTFT, milliseconds; absent where they do not carry one.
    p50: Estimated | None


class PositionSeries(TypedDict):
    """The gaps of one band of token positions, milliseconds."""

    # First token of the band; an answer's first is 1 and has no gap.
    first: int
    # Its last token.
    last: int
    # Gaps.
    n: int
    # The median, where enough time blocks carry it.
    p50: Estimated | None
    # The 90th percentile.
    p90: Estimated | None
    # The 99th percentile.
    p99: Estimated | None


class _GatedRequired(TypedDict):
    # The criteria, judged.
    decision: Gate
    # What the sides differ in before any speed.
    unlike: list[Unlike]
    # How their workloads differ, in sentences; empty where they are the same.
    other_workload: list[str]
    # The baseline's runs.
    baseline: list[GateRun]
    # The candidate's.
    candidate: list[GateRun]


class _GatedOptional(TypedDict, total=False):
    # Which runs of a history the baseline's are, in a sentence; absent of any other baseline.
    history: str
    # What was measured on one side alone, and so is not judged.
    alone: list[str]
    # Whether the comparison that the runs are of can be trusted; absent of other runs.
    comparison: Verdict


class Gated(_GatedRequired, _GatedOptional):
    """A gate with what its runs are."""


class Gate(TypedDict):
    """All criteria."""

    # The gravest of them.
    answer: GateAnswer
    # Each of them.
    lines: list[GateLine]


class _GateLineRequired(TypedDict):
    # As it is written: `ttft.p99>+5%`.
    criterion: str
    # The answer.
    answer: GateAnswer
    # How it was judged.
    form: GateForm
    # Why it is inconclusive; absent where it is not.
    doubt: GateDoubt | None
    # Unit of the two figures: `ms`, `1/s`, or empty for a share.
    unit: str
    # Median over the baseline's runs. Unit: that of `unit`.
    baseline: float | None
    # Median over the candidate's runs. Unit: that of `unit`.
    candidate: float | None
    # How much worse the candidate is, below 0 where it is better: 0.05 for 5 %, or for five percentage points of
    # a share. Of a level: the level.
    worse: float | None
    # It is at least so much worse, with 95 % confidence on this side. Unit: that of `worse`.
    at_least: float | None
    # It is at most so much worse, with 95 % confidence on this side. Unit: that of `worse`.
    at_most: float | None
    # What is not accepted, in the same terms.
    threshold: float
    # One-sided p-value of no change; absent of a level.
    p_value: float | None
    # The same, adjusted for all criteria of the gate (Holm).
    p_adjusted: float | None
    # Runs of the baseline with the figure.
    baseline_runs: int
    # Runs of the candidate with it.
    candidate_runs: int
    # The fewest runs of the baseline with which this many of the candidate's can fail.
    least_baseline_runs: int | None
    # Standard deviation between runs without a change, relative or in points; absent below two runs a side.
    noise: float | None
    # The chance that a change as great as the threshold is found, at this noise and number of runs.
    power: float | None


class _GateLineOptional(TypedDict, total=False):
    # Which of several groups of pairs it is judged on: a side, a load; empty where there is one.
    of: str
    # Why runs of the baseline have none; absent where all have one.
    baseline_without: NoFigure
    # Why runs of the candidate have none.
    candidate_without: NoFigure


class GateLine(_GateLineRequired, _GateLineOptional):
    """One criterion, judged."""


class GateDoubt1WithoutFigure(TypedDict):
    """Runs that have no such figure: so many of the baseline's and of the candidate's."""

    # Of the baseline's. Unit: a number of runs.
    baseline: int
    # Of the candidate's. Unit: a number of runs.
    candidate: int


class GateDoubt1(TypedDict):
    """Runs that have no such figure: so many of the baseline's and of the candidate's."""

    # Runs that have no such figure: so many of the baseline's and of the candidate's.
    without_figure: GateDoubt1WithoutFigure


class GateDoubt2TooFewRuns(TypedDict):
    """The baseline has too few runs for the candidate's."""

    # What it takes.
    needed: int


class GateDoubt2(TypedDict):
    """The baseline has too few runs for the candidate's."""

    # The baseline has too few runs for the candidate's.
    too_few_runs: GateDoubt2TooFewRuns


class GateDoubt4LevelsLost(TypedDict):
    """It would pass, but levels that the baseline's server holds are too much for the candidate's."""

    # How many.
    levels: int


class GateDoubt4(TypedDict):
    """It would pass, but levels that the baseline's server holds are too much for the candidate's."""

    # It would pass, but levels that the baseline's server holds are too much for the candidate's.
    levels_lost: GateDoubt4LevelsLost


class NoFigure2TooFew(TypedDict):
    """A percentile of too few observations."""

    # What it takes.
    needed: int


class NoFigure2(TypedDict):
    """A percentile of too few observations."""

    # A percentile of too few observations.
    too_few: NoFigure2TooFew


class Unlike(TypedDict):
    """One thing in which the sides differ."""

    # What it is: `failed requests`, `output tokens per answer`, `answers that ended with stop`.
    what: str
    # Of the baseline: a share, or tokens.
    baseline: float
    # Of the candidate: a share, or tokens.
    candidate: float
    # They are shares.
    share: bool


class GateRun(TypedDict):
    """A run that took part."""

    # Where it is.
    directory: str
    # Whether it can be trusted.
    verdict: Verdict


class _ReportRequired(TypedDict):
    # Version of the format.
    format_version: Literal[1]
    # Version of infermeter that measured.
    infermeter_version: str
    # Random 128-bit id, hex.
    run_id: str
    # How the run ended.
    state: RunState
    # Whether it can be trusted.
    verdict: Verdict
    # What speaks against it.
    findings: list[Finding]
    # The model asked for.
    model: str
    # The plan, secrets replaced by `***`.
    plan: Plan
    # SHA-256 of the plan's JSON, hex.
    plan_hash: str
    # Both seeds.
    seeds: Seeds
    # One value for each metric.
    headline: Headline
    # Every figure.
    summary: Summary


class _ReportOptional(TypedDict, total=False):
    # Figures over time and request by request; absent unless `--series` asks for them.
    series: RunSeries
    # What `--fail-if` decides; absent where it asks nothing.
    gate: Gated


class Report(_ReportRequired, _ReportOptional):
    """Describes run --json, and report --json of a run. A later version may add members and names of an enumeration
    under the same format_version: ignore what you do not know.
    """


class PrecisionLook(TypedDict):
    """The state after some runs."""

    # What was asked for, as in `ttft.p99+-10%`.
    asked: str
    # Runs so far.
    runs: int
    # Whether to go on.
    state: PrecisionState
    # How the interval was made.
    method: PrecisionMethod
    # The percentile, milliseconds; absent where the runs do not support it.
    value: float | None
    # Lower bound, of joint coverage over all looks. Unit: milliseconds.
    low: float | None
    # Upper bound. Unit: milliseconds.
    high: float | None
    # Ratio of half the interval's width to the value; absent where it is open.
    relative: float | None
    # Runs that are expected to be enough; absent where nothing can be said, or not even the most are.
    expected_runs: int | None


class Repeated(TypedDict):
    """Every figure of repeated runs."""

    # Number of runs.
    runs: int
    # Nominal coverage of every interval.
    confidence_level: float
    # Verdict of each run.
    verdicts: list[Verdict]
    # The figures, those of one metric together.
    figures: list[RepeatedFigure]


class _RepeatedFigureRequired(TypedDict):
    # `ttft.p99`, `tpot.mean`, `output_tokens_per_s`.
    name: str
    # Its unit: `ms` or `1/s`, or empty for a share.
    unit: str
    # In the order of the runs; absent where a run does not support it.
    runs: list[float | None]
    # Over the runs that support it; absent where none does.
    over: Over | None


class _RepeatedFigureOptional(TypedDict, total=False):
    # Of a mean: where its spread comes from. Absent for other figures, and where fewer than two runs have a
    # standard deviation.
    components: Components


class RepeatedFigure(_RepeatedFigureRequired, _RepeatedFigureOptional):
    """One figure of every run, and over all of them."""


class Over(TypedDict):
    """A figure over runs, in the figure's unit."""

    # Runs that support the figure.
    n: int
    # Arithmetic mean over runs, with Student's t interval.
    mean: Mean
    # Sample standard deviation between runs; absent for one run.
    std: float | None
    # Smallest. Unit: that of the figure.
    min: float
    # Largest. Unit: that of the figure.
    max: float
    # Standard deviation over mean.
    cv: float | None
    # Runs with fewer than 100 effective tail samples, for which the interval is open above.
    short_runs: int
    # Numbers of outlying runs, from 1; none below five runs.
    outlying: list[int]


class Components(TypedDict):
    """Components of the variance of a mean, in the figure's unit (standard deviations, not squares)."""

    # Runs that have one.
    runs: int
    # Between runs: what requests inside a run do not explain.
    between_runs: float
    # Of one observation (request, chunk or token) inside a run.
    within_a_run: float
    # Standard deviation of a run's mean, as observations alone explain it, on the effective sample size.
    of_a_mean: float
    # Share of the variance of a run's mean that lies between runs, in `[0, 1]`; absent where nothing varies. Near
    # 1 more runs help, near 0 longer ones do as well.
    between_share: float | None


class ToldRepeatRun(TypedDict):
    """A run of an experiment."""

    # Its directory.
    directory: str
    # Its id.
    run_id: str
    # Its seeds.
    seeds: Seeds
    # Whether it can be trusted.
    verdict: Verdict
    # How it ended.
    state: RunState


class Missing(TypedDict):
    """A run that is not there."""

    # Its number.
    run: int
    # Why it is not there.
    why: str


class _RepeatAnswerRequired(TypedDict):
    # Version of the format.
    format_version: Literal[1]
    # Whether they can be trusted together.
    verdict: Verdict
    # What speaks against them.
    findings: list[Finding]
    # The looks at the precision that `--until` asks for; none where it asks for none.
    precision: list[PrecisionLook]
    # Every figure over the runs.
    repeated: Repeated
    # The runs that are there, in the order of measuring.
    runs: list[ToldRepeatRun]
    # The answer in a line.
    answer_in_a_line: str


class _RepeatAnswerOptional(TypedDict, total=False):
    # Those that are not; absent where none is missing.
    missing: list[Missing]
    # What `--fail-if` decides; absent where it asks nothing, and from the file.
    gate: Gated


class RepeatAnswer(_RepeatAnswerRequired, _RepeatAnswerOptional):
    """Describes run --repeat --json, report --json of such runs, and their file repeat.json. A later version may add
    members and names of an enumeration under the same format_version: ignore what you do not know.
    """


class CurveAnswer(TypedDict):
    """What the levels of one plan say."""

    # Which of the plans.
    variant: int
    # By ascending load.
    levels: list[Level]
    # The highest load that meets all objectives; without any, that the server holds.
    highest: Highest
    # The highest rate itself, and how it is known.
    estimate: RateEstimate
    # The same for each objective.
    objectives: list[ObjectiveHighest]
    # The lowest load that the server cannot take: requests per second, or slots.
    overloaded_at: float | None
    # Levels that miss below levels that meet.
    out_of_order: list[float]
    # Levels that were given and not measured, since the server could not take a lower one.
    past_saturation: list[float]
    # The most requests per second that met every objective.
    most_goodput: Best | None
    # Throughput against TTFT p99.
    throughput_and_tail: list[FrontierPoint]
    # Tokens per second and accelerator against tokens per second and user.
    gpu_and_user: list[FrontierPoint]
    # Where the curve bends. Descriptive.
    knee: Knee | None
    # The Universal Scalability Law. Descriptive.
    scalability: Scalability | None
    # The breaking point; absent where it was not asked for.
    breaking: Breaking | None
    # The sustained test; absent where it was not asked for.
    sustained: Sustained | None


class _LevelRequired(TypedDict):
    # Requests per second that were asked for, or slots.
    load: float
    # Runs.
    runs: int
    # What they decide of all objectives.
    status: SloStatus
    # Each objective.
    objectives: list[LevelObjective]
    # Some run was beyond what the server can take.
    overloaded: bool
    # The gravest answer of the runs; absent in a closed loop.
    keeps_up: KeepsUp | None
    # The gravest verdict of the runs.
    verdict: Verdict
    # Share of the measured requests that failed, of all runs.
    failed: float | None
    # Completed requests.
    achieved: Mean | None
    # Output tokens.
    output_tokens: Mean | None
    # Output tokens per accelerator, where their number was declared.
    output_tokens_per_gpu: Mean | None
    # Tokens per second that the median user sees.
    per_user: Mean | None
    # Requests that met every objective.
    goodput: Mean | None
    # Their share.
    attainment: Mean | None
    # Mean number in flight.
    in_flight: Mean | None
    # Time to first token.
    ttft: MiddleAndTail
    # Gaps between tokens.
    itl: MiddleAndTail
    # Time per output token.
    tpot: MiddleAndTail
    # End to end.
    e2e: MiddleAndTail


class _LevelOptional(TypedDict, total=False):
    # Share of the checked answers that are corrupted, of all runs; absent where none were checked.
    corrupted: float
    # Share of the canaries that were answered rightly under load, of all runs; absent where there were none.
    canaries_right: float


class Level(_LevelRequired, _LevelOptional):
    """A level of load over its runs. Throughputs are per second, of the window; a figure of one run has that run's
    interval, one of several Student's t over runs.
    """


class LevelObjective(TypedDict):
    """One objective at a level."""

    # As written.
    objective: str
    # What the runs decide.
    status: SloStatus
    # The judged value, mean over runs, in the unit of the limit; absent where no run has one.
    judged: float | None
    # The limit. Unit: that of `unit`.
    limit: float
    # Unit of both: `ms`, `1/s`, or empty for a share.
    unit: str


class _MiddleAndTailRequired(TypedDict):
    # Absent where no run supports it.
    p50: Mean | None
    # Absent where no run supports it.
    p99: Mean | None


class _MiddleAndTailOptional(TypedDict, total=False):
    # Observations that p50 needs in one run, where none supports it.
    p50_needs: int
    # The same of p99.
    p99_needs: int


class MiddleAndTail(_MiddleAndTailRequired, _MiddleAndTailOptional):
    """p50 and p99 of a latency, milliseconds."""


class Highest(TypedDict):
    """The highest load that meets an objective lies between two levels."""

    # The highest level (requests per second, or slots) that meets it, below the lowest that misses it; absent
    # where none does.
    met: float | None
    # The lowest level (requests per second, or slots) that misses it; absent where none does.
    missed: float | None


class RateEstimate1(TypedDict):
    """The law of margins over all runs."""

    method: Literal["law"]
    # With its 95 % interval.
    rate: FoundRate
    # Runs it rests on.
    runs: int


class RateEstimate2(TypedDict):
    """The levels alone: they bracket it."""

    method: Literal["bracket"]
    # Why there is no law.
    why: NoLaw


class FoundRate(TypedDict):
    """The highest rate, with the interval that it lies in."""

    # The median of the belief, requests per second.
    rate: float
    # Lower bound. Unit: requests per second.
    low: float
    # Upper bound. Unit: requests per second.
    high: float


class ObjectiveHighest(TypedDict):
    """The highest load for one objective."""

    # As written.
    objective: str
    # Between these levels.
    highest: Highest
    # The rate itself, and how it is known.
    estimate: RateEstimate


class Best(TypedDict):
    """A figure, and the load where it is best."""

    # The load: requests per second, or slots.
    load: float
    # The figure.
    value: Mean


class FrontierPoint(TypedDict):
    """One point of a frontier, with what is known of it."""

    # The load: requests per second, or slots.
    load: float
    # Throughput: of all, or per accelerator.
    throughput: Mean
    # The other side: milliseconds of TTFT p99, or tokens per second and user.
    other: Mean
    # Its interval overlaps that of a level that is not on the frontier and would be better: another sample may
    # change which of them it is.
    uncertain: bool


class Knee(TypedDict):
    """Where a curve bends."""

    # Of which latency: `ttft.p99`.
    of: str
    # The load: requests per second, or slots.
    load: float
    # Lowest load among 95 % of the resampled curves' knees; absent where they often have none. Unit: that of
    # `load`.
    low: float | None
    # Highest load among them. Unit: that of `load`.
    high: float | None


class Scalability(TypedDict):
    """The Universal Scalability Law of a curve, on mean in flight and throughput."""

    # Coefficient of contention.
    contention: float
    # Coefficient of coherence.
    coherence: float
    # Requests in flight where throughput is highest; absent where it only ever grows.
    peak_in_flight: float | None
    # Requests per second there, or what they grow towards.
    limit: Mean | None


class Breaking(TypedDict):
    """The breaking point."""

    # The lowest level at which a tenth of the requests failed; absent where none did.
    at: float | None
    # Their share there.
    failed: float | None
    # What came after; absent where that was not measured.
    recovery: Recovery | None


class Recovery(TypedDict):
    """After the load was taken away."""

    # The load then: requests per second, or slots.
    load: float
    # Runs that were measured one after the other, without a warm-up.
    runs: int
    # The last of them was served as before.
    recovered: bool


class Sustained(TypedDict):
    """The sustained test."""

    # Requests per second.
    rate: float
    # How long each run was.
    length: str
    # All runs, as a level.
    level: Level
    # Each figure over the runs.
    repeated: Repeated
    # Runs in which something drifted or the server slowed down, from 1.
    drifting: list[int]


class ToldSweepRun(TypedDict):
    """A run of an experiment."""

    # Its directory.
    directory: str
    # Its id.
    run_id: str
    # Which load, of which plan.
    at: Coordinates
    # How many there were at the same coordinates before it.
    replicate: int
    # Whether it can be trusted.
    verdict: Verdict
    # How it ended.
    state: RunState


class _CoordinatesRequired(TypedDict):
    # Which of the plans that are compared; 0 where there is one.
    variant: int
    # How much load; absent: what the plan says.
    load: Intensity | None


class _CoordinatesOptional(TypedDict, total=False):
    # How long; absent: what the plan says.
    length: Length
    # The warm-up before; absent: what the plan says.
    warmup: str


class Coordinates(_CoordinatesRequired, _CoordinatesOptional):
    """What distinguishes one run of an experiment from another, beside its seeds and its salt."""


class Intensity1(TypedDict):
    """Requests (or sessions) per second, open loop."""

    # Requests (or sessions) per second, open loop.
    rate: float


class Intensity2(TypedDict):
    """Slots, closed loop."""

    # Slots, closed loop.
    concurrency: int


class Length1(TypedDict):
    """Time of the window."""

    # Time of the window.
    time: str


class Length2(TypedDict):
    """Measured requests."""

    # Measured requests.
    requests: int


class Length3(TypedDict):
    """So many times what the plan says."""

    # So many times what the plan says.
    times: int


class _SweepAnswerRequired(TypedDict):
    # Version of the format.
    format_version: Literal[1]
    # The curve of each plan.
    curves: list[CurveAnswer]
    # What was varied, of each plan.
    names: list[str]
    # The answer of each curve in a sentence; null where no level is known to meet the objectives.
    sentences: list[str | None]
    # The runs that are there, in the order of measuring.
    runs: list[ToldSweepRun]
    # The answer in a line.
    answer_in_a_line: str


class _SweepAnswerOptional(TypedDict, total=False):
    # Those that are not; absent where none is missing.
    missing: list[Missing]
    # What `--fail-if` decides; absent where it asks nothing, and from the file.
    gate: Gated


class SweepAnswer(_SweepAnswerRequired, _SweepAnswerOptional):
    """Describes sweep --json, report --json of a sweep, and its file sweep.json. A later version may add members and
    names of an enumeration under the same format_version: ignore what you do not know.
    """


class SearchAnswer(TypedDict):
    """What a search says."""

    # How it ended; absent where it has not.
    ending: Ending | None
    # The highest rate of each objective on its own.
    each: list[ObjectiveRate]
    # A lower rate missed clearly and a higher one did not: rates, requests per second.
    not_monotone: list[Any] | None
    # Requests that were sent, those of warm-ups and drains counted.
    requests: int
    # Runs.
    runs: int
    # A run that says nothing of the server ended it: its number.
    spoilt: int | None


class Ending1(TypedDict):
    """The interval is as narrow as asked for."""

    answer: Literal["found"]
    # The highest rate that meets all objectives.
    rate: FoundRate


class Ending2(TypedDict):
    """The runs were used up before that."""

    answer: Literal["undecided"]
    # The highest rate that meets all objectives, as far as it is known.
    rate: FoundRate


class Ending3(TypedDict):
    """The lowest rate that was tried misses."""

    answer: Literal["below"]
    # That rate, requests per second.
    rate: float
    # The ratio of the figure to its limit there, of the objective that misses by most; at most twice.
    times: float


class Ending4(TypedDict):
    """The highest rate that may be tried meets all objectives."""

    answer: Literal["above"]
    # That rate, requests per second.
    rate: float


class Ending5(TypedDict):
    """A run has no sample that an objective could be judged on."""

    answer: Literal["no_sample"]
    # Its rate, requests per second.
    rate: float


class ObjectiveRate(TypedDict):
    """The highest rate of one objective."""

    # As written.
    objective: str
    # Absent where no rate that was tried misses it.
    rate: FoundRate | None


class ToldSearchRun(TypedDict):
    """A run of an experiment."""

    # Its directory.
    directory: str
    # Its id.
    run_id: str
    # Which rate, and how long.
    at: Coordinates
    # Natural logarithm of figure / limit, of the objective that misses by most: above 0 where it is missed; null
    # without a sample.
    margin: float | None
    # Whether it can be trusted.
    verdict: Verdict
    # How it ended.
    state: RunState


class _SearchReportRequired(TypedDict):
    # Version of the format.
    format_version: Literal[1]
    # How it ended, and the highest rates.
    search: SearchAnswer
    # The same in a sentence.
    sentence: str
    # The runs that are there, in the order of measuring.
    runs: list[ToldSearchRun]
    # The answer in a line.
    answer_in_a_line: str


class _SearchReportOptional(TypedDict, total=False):
    # Those that are not; absent where none is missing.
    missing: list[Missing]
    # What `--fail-if` decides; absent where it asks nothing, and from the file.
    gate: Gated


class SearchReport(_SearchReportRequired, _SearchReportOptional):
    """Describes search --json, report --json of a search, and its file search.json. A later version may add members
    and names of an enumeration under the same format_version: ignore what you do not know.
    """


class _ComparisonRequired(TypedDict):
    # What was asked.
    asked: CompareSpec
    # Whether the sides were measured in turn.
    turns: Turns
    # Tests of the family: figures x loads x sides beyond the first.
    family: int
    # Whether it can be trusted.
    verdict: Verdict
    # What speaks against it.
    findings: list[Finding]
    # What the counters say of each claim.
    treatments: list[Checked]
    # Where the set-ups differ, by side.
    setups: list[SideDifferences]
    # Each load.
    loads: list[ComparedLoad]


class _ComparisonOptional(TypedDict, total=False):
    # Answers to the same prompts asked alone, by side; empty where none were asked for.
    answered: list[AnswersBeside]


class Comparison(_ComparisonRequired, _ComparisonOptional):
    """What a comparison says."""


class CompareSpec(TypedDict):
    """What a comparison was declared to ask, before the first run."""

    # What the sides are called; all are held against the first.
    sides: list[str]
    # The figures that decide.
    primary: list[str]
    # Changes within it do not matter: 0.03 is 3 %, and 3 points of a share.
    margin: float
    # What must be seen on one side and not on the other.
    claims: list[Claim]


class Claim(TypedDict):
    """A treatment, and the side on which it is meant to be active."""

    # What.
    treatment: str
    # The number of that side; the others are controls.
    active: int
    # The side that it is held against.
    control: int


class Checked(TypedDict):
    """What the counters say of a claim."""

    # The claim, as it is written.
    treatment: str
    # Its sides.
    claim: Claim
    # The answer.
    answer: Seen
    # What was seen, in words.
    evidence: str


class SideDifferences(TypedDict):
    """Where a side differs from the first."""

    # The side.
    side: int
    # Of its set-up.
    setup: list[Difference]
    # Of its answers.
    answers: list[Difference]


class Difference(TypedDict):
    """Where two sides differ."""

    # In what.
    name: str
    # The first side.
    first: str
    # The other.
    other: str


class AnswersBeside(TypedDict):
    """A side's answers beside the first's."""

    # The side that is held against the first.
    side: int
    # Prompts with two answers of each.
    prompts: int
    # Requests ask for the same answer each time: greedy, or by a seed.
    deterministic_asked: bool
    # Second answers of the first side that are equal to its first ones.
    first_equal: Share | None
    # Second answers of the other side that are equal to its first ones.
    other_equal: Share | None
    # First answers of both that are equal.
    between_equal: Share | None
    # Where the first answers of both part, to 16 characters.
    between: Divergence | None
    # First answers of both that part within their first characters.
    early: Share | None
    # Against the first side's own two answers: which part earlier.
    against_first: SignTest
    # Against the other side's own two answers.
    against_other: SignTest
    # What that says.
    says: Likeness
    # Some requests whose answers part, the earliest first.
    examples: list[AnswerApart]


class AnswerApart(TypedDict):
    """A prompt whose answers part."""

    # Its round, from 1.
    round: int
    # The request, by number.
    request: int
    # Characters that both answers have in common at least.
    chars: int


class ComparedLoad(TypedDict):
    """One load."""

    # How much load, in words.
    load: str
    # Rounds that some other side shares with the first.
    rounds: int
    # Rounds that each other side shares with the first.
    shared: list[int]
    # Every figure, side by side.
    figures: list[SideBySide]
    # Every change against the first side: the primary family in its order, then the others.
    changes: list[ComparedChange]


class _SideBySideRequired(TypedDict):
    # The figure.
    axis: str
    # Its mean over the rounds that have it, by side; absent where none has.
    sides: list[float | None]
    # Observations that it needs in one run, by side, where no round carries it.
    needs: list[int | None]


class _SideBySideOptional(TypedDict, total=False):
    # The sides that do not have it for want of what was declared of them: a price, or a number of accelerators.
    undeclared: list[int]


class SideBySide(_SideBySideRequired, _SideBySideOptional):
    """A figure of every side."""


class ComparedChange(TypedDict):
    """A change of one figure."""

    # The side that is held against the first.
    side: int
    # The figure.
    axis: str
    # The change; absent where no round has the figure on both sides.
    change: PairedChange | None
    # The answer, for a figure of the primary family. The others are exploratory.
    decision: Decision | None


class PairedChange(TypedDict):
    """How a figure changes from the first side to another, over rounds.  A ratio's logarithms, or a share's
    differences, are what is tested.
    """

    # Rounds in which both sides have the figure.
    pairs: int
    # Which way is better.
    better: Better
    # What `estimate` is.
    scale: Scale
    # Other / first, or other - first: Hodges and Lehmann.
    estimate: float
    # Lower bound (Walsh averages); absent where so few rounds give none. Unit: ratio or difference, as `scale`
    # says.
    low: float | None
    # Upper bound. Unit: ratio or difference, as `scale` says.
    high: float | None
    # Sample standard deviation of what is tested; absent for one round.
    std: float | None
    # P-value of the exact signed-rank test, two-sided: the one that decides.
    signed_rank_p: float
    # P-value of the paired t test, two-sided.
    t_p: float | None
    # P-value of the exact permutation test of signs, two-sided; absent above forty rounds.
    permutation_p: float | None
    # The largest margin that could not be shown: the change lies within every wider one (two one-sided t tests at
    # 5 %), on the scale of what is tested. Unit: logarithm of the ratio, or difference, as `scale` says.
    within: float | None
    # How much worse the other side is.
    worsening: Worsening


class Worsening(TypedDict):
    """A change for the worse, one-sided: what a gate looks at. Relative for ratios (0.05 is 5 % worse), absolute for
    shares; below 0 it is an improvement.
    """

    # The estimate, relative or in points.
    estimate: float
    # The most that is plausible, with 95 % one-sided confidence; absent with under five rounds. Unit: relative,
    # or in points.
    upper: float | None
    # The least. Unit: relative, or in points.
    lower: float | None
    # One-sided p-value of "not worse", by the exact signed-rank test.
    p_value: float


class Decision(TypedDict):
    """A change of the primary family, with its answer."""

    # The answer.
    answer: Answer
    # p-value of the signed-rank test, adjusted over the family (Holm); absent where it could not be made.
    adjusted_p: float | None


class Outlook(TypedDict):
    """An answer that is open, and what would close it."""

    # The load, in words.
    load: str
    # The side.
    side: int
    # The figure.
    axis: str
    # Rounds beyond those at hand that would decide it with a chance of 80 %, if change and spread are as they
    # look; absent where that takes more than 200 in all.
    more_rounds: int | None


class PilotFigure(TypedDict):
    """What the planned rounds can find in one figure."""

    # The figure.
    axis: str
    # Rounds that the spread is from.
    rounds: int
    # Standard deviation of a round's log ratio (difference, for a share): the largest over loads and sides.
    std: float
    # The most that this deviation plausibly is (80 % one-sided).
    std_upper: float
    # The smallest change that the exact signed-rank test finds with a chance of 80 %, adjusted for the family's
    # worst case; absent where the rounds cannot find any. Unit: relative, or in points.
    detectable: float | None
    # The same by the formula of the paired t test. Unit: relative, or in points.
    detectable_by_t: float | None


class ToldCompareRun(TypedDict):
    """A run of an experiment."""

    # Its directory.
    directory: str
    # Its id.
    run_id: str
    # Its side, from 0.
    side: int
    # Which load, of which side.
    at: Coordinates
    # Its round, from 1.
    round: int
    # Its seeds.
    seeds: Seeds
    # Whether it can be trusted.
    verdict: Verdict
    # How it ended.
    state: RunState


class _CompareAnswerRequired(TypedDict):
    # Version of the format.
    format_version: Literal[1]
    # Whether it can be trusted.
    verdict: Verdict
    # Every change, and what was decided.
    comparison: Comparison
    # What would close the answers that are open.
    outlook: list[Outlook]
    # What all rounds can find, by the first of them; none of saved runs.
    pilot: list[PilotFigure]
    # The runs that are there, in the order of measuring.
    runs: list[ToldCompareRun]
    # The answer in a line.
    answer_in_a_line: str


class _CompareAnswerOptional(TypedDict, total=False):
    # Those that are not; absent where none is missing.
    missing: list[Missing]
    # What `--fail-if` decides; absent where it asks nothing, and from the file.
    gate: Gated


class CompareAnswer(_CompareAnswerRequired, _CompareAnswerOptional):
    """Describes compare --json, report --json of a comparison, and its file compare.json. A later version may add
    members and names of an enumeration under the same format_version: ignore what you do not know.
    """
