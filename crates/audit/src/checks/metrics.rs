//! Checks of the metrics: what is reported, under which name, and whether it adds up.

use crate::check::{
    Answer, Check, Checked, Dimension, Missing, Need, OwnRun, Question, Scope, Test, fail_if,
};
use crate::facts::{Facts, LoadModel, Metric, Request, SetupItem, TokenSource};
use crate::limits;
use crate::number::{counted, figure, percent};
use crate::shape::output_lengths;
use infermeter_analysis::checks;
use infermeter_core::finding::{Severity, Weight};

/// The checks of this file.
pub(super) const CHECKS: &[Check] = &[
    Check {
        code: "throughput-without-latency",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "Throughput stands without latency.",
            advice: "Report latency at the same load.",
            run: OwnRun::Silent,
            test: Test::One(throughput_without_latency),
        },
    },
    Check {
        code: "latency-without-throughput",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "Latency stands without throughput.",
            advice: "Report what was delivered at that latency.",
            run: OwnRun::Silent,
            test: Test::One(latency_without_throughput),
        },
    },
    Check {
        code: "throughput-at-concurrency-one",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "Throughput was measured with one request in flight.",
            advice: "Call it single-stream speed; measure throughput under load.",
            run: OwnRun::Silent,
            test: Test::One(throughput_at_concurrency_one),
        },
    },
    Check {
        code: "throughput-beyond-slo",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "Throughput is quoted at a load that misses the objectives.",
            advice: "Quote the highest load that meets them.",
            run: OwnRun::Silent,
            test: Test::One(throughput_beyond_slo),
        },
    },
    Check {
        code: "input-dominated-throughput",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "Total throughput is mostly prompt tokens.",
            advice: "Headline output tokens per second; keep input apart.",
            run: OwnRun::Silent,
            test: Test::One(input_dominated_throughput),
        },
    },
    Check {
        code: "prefill-only",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "Only prefill was measured.",
            advice: "Ask for answers of realistic length.",
            run: OwnRun::Silent,
            test: Test::One(prefill_only),
        },
    },
    Check {
        code: "one-phase-only",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "Only one phase of the answer is reported.",
            advice: "Report TTFT and time between tokens together.",
            run: OwnRun::Silent,
            test: Test::One(one_phase_only),
        },
    },
    Check {
        code: "per-gpu-missing",
        scope: Scope::Publication,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Note),
        limit: None,
        test: Question {
            message: "There is no figure per GPU.",
            advice: "Divide throughput by the number of GPUs, and report both.",
            run: OwnRun::Silent,
            test: Test::One(per_gpu_missing),
        },
    },
    Check {
        code: "normalised-hides-stalls",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "A mean per request hides stalls inside answers.",
            advice: "Report gaps between chunks and their p99, or stalls.",
            run: OwnRun::Silent,
            test: Test::One(normalised_hides_stalls),
        },
    },
    Check {
        code: "ttft-without-stream",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Error),
        limit: None,
        test: Question {
            message: "TTFT is reported for answers that did not stream.",
            advice: "Stream, or drop TTFT.",
            run: OwnRun::Silent,
            test: Test::One(ttft_without_stream),
        },
    },
    checks::MULTI_TOKEN_CHUNKS.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Chunks carry several tokens, and their gaps are called ITL.",
            advice: "Compare engines on TPOT, or divide gaps by the tokens they bring.",
            run: OwnRun::Judges,
            test: Test::One(multi_token_chunks),
        },
    ),
    Check {
        code: "client-token-counts",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "Output tokens were not counted by the server.",
            advice: "Ask for usage in streams, and use the server's counts.",
            run: OwnRun::Silent,
            test: Test::One(client_token_counts),
        },
    },
    checks::TOKEN_COUNTS_DISAGREE.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Two counts of the output tokens disagree.",
            advice: "Use the server's usage; name the model's own tokenizer.",
            run: OwnRun::Judges,
            test: Test::One(token_counts_disagree),
        },
    ),
    checks::PROMPT_TOKENS_DISAGREE.asking(
        Weight::Always(Severity::Warning),
        Question {
            message: "Two counts of the prompt tokens disagree.",
            advice: "Name the model's own tokenizer; allow for the chat template.",
            run: OwnRun::Judges,
            test: Test::One(prompt_tokens_disagree),
        },
    ),
    Check {
        code: "identities-broken",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Error),
        limit: None,
        test: Question {
            message: "The latencies do not add up.",
            advice: "Find out what each figure begins and ends with before comparing it.",
            run: OwnRun::Silent,
            test: Test::One(identities_broken),
        },
    },
    Check {
        code: "throughput-disagrees",
        scope: Scope::Run,
        dimension: Dimension::MetricDesign,
        weight: Weight::Always(Severity::Warning),
        limit: None,
        test: Question {
            message: "Throughput is not what the totals give.",
            advice: "Find out which window and which tokens the figure counts.",
            run: OwnRun::Silent,
            test: Test::One(throughput_disagrees),
        },
    },
];

fn has(facts: &Facts, metric: Metric) -> bool {
    facts.latency.contains_key(&metric)
}

fn has_latency(facts: &Facts) -> bool {
    !facts.latency.is_empty() || facts.requests.iter().any(|r| r.end_to_end_ms().is_some())
}

fn has_throughput(facts: &Facts) -> bool {
    let rates = &facts.rates;
    rates.requests.or(rates.output).or(rates.total).is_some()
}

pub(super) fn some_figure(facts: &Facts) -> Result<(), Missing> {
    (has_latency(facts) || has_throughput(facts))
        .then_some(())
        .need("latency or throughput")
}

pub(super) fn throughput_without_latency(facts: &Facts) -> Checked {
    some_figure(facts)?;
    fail_if(!has_latency(facts), || {
        "No latency at that load.".to_owned()
    })
}

pub(super) fn latency_without_throughput(facts: &Facts) -> Checked {
    some_figure(facts)?;
    let can_be_computed = facts.requests.iter().any(|r| r.start_s.is_some());
    let none = !has_throughput(facts) && !can_be_computed && facts.load.duration_s.is_none();
    fail_if(none, || "Latency, and no throughput beside it.".to_owned())
}

pub(super) fn throughput_at_concurrency_one(facts: &Facts) -> Checked {
    if !has_throughput(facts) {
        return Ok(Answer::NotApplicable);
    }
    if facts.load.model.need("load model")? != LoadModel::Closed {
        return Ok(Answer::Pass);
    }
    let slots = facts.load.concurrency.need("concurrency")?;
    fail_if(slots <= 1.0, || {
        "One request at a time: that is latency, inverted.".to_owned()
    })
}

pub(super) fn throughput_beyond_slo(facts: &Facts) -> Checked {
    if facts.format.is_own() && facts.rates.attainment.is_none() {
        // No objective was asked for.
        return Ok(Answer::NotApplicable);
    }
    if let Some(met) = facts.rates.objectives_met {
        let failed = has_throughput(facts) && !met;
        return fail_if(failed, || "The tool's own limits are missed.".to_owned());
    }
    let share = facts.rates.attainment.need("attainment of an objective")?;
    fail_if(has_throughput(facts) && share < limits::ATTAINMENT, || {
        format!(
            "{} of the requests met the objectives at this load.",
            percent(share)
        )
    })
}

pub(super) fn input_dominated_throughput(facts: &Facts) -> Checked {
    if facts.rates.total.is_none() {
        return Ok(Answer::NotApplicable);
    }
    let tokens = facts.tokens.output.zip(facts.tokens.input);
    let rates = facts.rates.output.zip(facts.rates.input);
    let (output, input) = tokens.or(rates).need("input and output tokens")?;
    let all = output + input;
    let share = (all > 0.0)
        .then(|| output / all)
        .need("input and output tokens")?;
    fail_if(share < limits::OUTPUT_SHARE, || {
        format!("{} of the total throughput is output.", percent(share))
    })
}

pub(super) fn prefill_only(facts: &Facts) -> Checked {
    let lengths = output_lengths(facts).and_then(|s| s.max.or(s.mean));
    let mean = || {
        let n = facts.counts.completed.filter(|n| *n > 0.0)?;
        Some(facts.tokens.output? / n)
    };
    let tokens = lengths.or_else(mean).need("output tokens")?;
    fail_if(tokens > 0.0 && tokens <= 1.0, || {
        "One output token per answer.".to_owned()
    })
}

pub(super) fn one_phase_only(facts: &Facts) -> Checked {
    if facts.streaming == Some(false) {
        return Ok(Answer::NotApplicable);
    }
    has_latency(facts)
        .then_some(())
        .need("latency statistics")?;
    let first = has(facts, Metric::Ttft) || facts.requests.iter().any(|r| r.ttft_ms.is_some());
    let later = [Metric::Tpot, Metric::ChunkGap, Metric::Itl]
        .iter()
        .any(|m| has(facts, *m))
        || facts
            .requests
            .iter()
            .any(|r| r.gaps_ms.is_some() || r.tpot_ms.is_some());
    if !first && !later {
        return Ok(Answer::NotApplicable);
    }
    fail_if(first != later, || {
        let (there, not) = if first {
            ("TTFT", "TPOT or ITL")
        } else {
            ("TPOT or ITL", "TTFT")
        };
        format!("{there} is reported, {not} is not.")
    })
}

pub(super) fn per_gpu_missing(facts: &Facts) -> Checked {
    if facts.simulated && gpu_count(facts).is_none() {
        return Ok(Answer::NotApplicable);
    }
    let count = gpu_count(facts).need("GPU count")?;
    fail_if(count > 1.0 && facts.rates.per_gpu.is_none(), || {
        format!("{} GPUs, no figure per GPU.", figure(count))
    })
}

/// The stated number of accelerators.
pub(crate) fn gpu_count(facts: &Facts) -> Option<f64> {
    let text = facts.stated(SetupItem::GpuCount)?;
    text.trim()
        .parse()
        .ok()
        .filter(|n: &f64| n.is_finite() && *n >= 1.0)
}

pub(super) fn normalised_hides_stalls(facts: &Facts) -> Checked {
    if facts.streaming == Some(false) {
        return Ok(Answer::NotApplicable);
    }
    has_latency(facts)
        .then_some(())
        .need("latency statistics")?;
    let averaged = has(facts, Metric::Tpot) || has(facts, Metric::Ntpot);
    let gaps = has(facts, Metric::ChunkGap)
        || has(facts, Metric::Itl)
        || facts.requests.iter().any(|r| r.gaps_ms.is_some());
    if !averaged && !gaps {
        return Ok(Answer::NotApplicable);
    }
    fail_if(!gaps, || {
        "Time per output token is a mean per request; no gaps are reported.".to_owned()
    })
}

pub(super) fn ttft_without_stream(facts: &Facts) -> Checked {
    if !has(facts, Metric::Ttft) && facts.requests.iter().all(|r| r.ttft_ms.is_none()) {
        return Ok(Answer::NotApplicable);
    }
    let streaming = facts.streaming.need("streaming or not")?;
    fail_if(!streaming, || {
        "TTFT of answers that came whole is E2E.".to_owned()
    })
}

pub(super) fn multi_token_chunks(facts: &Facts) -> Checked {
    if !has(facts, Metric::ChunkGap) || has(facts, Metric::Itl) {
        return Ok(Answer::NotApplicable);
    }
    let per_chunk = facts.tokens.per_chunk.or_else(|| counted_per_chunk(facts));
    let per_chunk = per_chunk.need("tokens per chunk")?;
    fail_if(per_chunk > limits::TOKENS_PER_CHUNK, || {
        format!("{} tokens per chunk.", figure(per_chunk))
    })
}

/// Output tokens over chunks, of the requests that have both.
fn counted_per_chunk(facts: &Facts) -> Option<f64> {
    let both = |r: &Request| Some((r.output_tokens?, r.gaps_ms.as_ref()?.len() as f64 + 1.0));
    let (tokens, chunks) = facts
        .completed()
        .filter_map(both)
        .filter(|(tokens, _)| *tokens > 0.0)
        .fold((0.0, 0.0), |(t, c), (tokens, chunks)| {
            (t + tokens, c + chunks)
        });
    (chunks > 0.0).then(|| tokens / chunks)
}

pub(super) fn client_token_counts(facts: &Facts) -> Checked {
    let source = facts.tokens.source.need("source of the token counts")?;
    let lengths = output_lengths(facts);
    let counted = facts.tokens.output.or(facts.rates.output).is_some() || lengths.is_some();
    counted.then_some(()).need("output tokens")?;
    let evidence = match source {
        TokenSource::Usage => return Ok(Answer::Pass),
        TokenSource::UsageOrTokenizer => {
            return Err(Missing("whether the server sent its own counts".to_owned()));
        }
        TokenSource::Tokenizer => "Output tokens are counted by the client's tokenizer.",
        TokenSource::Chunks => "Chunks are taken for tokens.",
    };
    Ok(Answer::Fail(evidence.to_owned()))
}

pub(super) fn token_counts_disagree(facts: &Facts) -> Checked {
    let one = facts.tokens.output.need("output tokens")?;
    let other = facts
        .tokens
        .output_recount
        .need("a second count of the output tokens")?;
    two_counts(one, other, "output")
}

pub(super) fn prompt_tokens_disagree(facts: &Facts) -> Checked {
    let one = facts.tokens.input.need("prompt tokens")?;
    let other = facts
        .tokens
        .input_recount
        .need("a second count of the prompt tokens")?;
    two_counts(one, other, "prompt")
}

fn two_counts(one: f64, other: f64, kind: &str) -> Checked {
    let most = one.abs().max(other.abs());
    fail_if((one - other).abs() > limits::TOKENS_DISAGREE * most, || {
        format!(
            "{} {kind} tokens by one count, {} by the other.",
            figure(one),
            figure(other)
        )
    })
}

/// What is missing where E2E ends with the stream and is longer than its parts.
const LAST_TOKEN: &str = "when the last token came (E2E ends with the stream)";

/// How many of some E2E are shorter, and how many longer, than their parts explain.
struct OffParts {
    shorter: f64,
    longer: f64,
    worst_ms: f64,
}

pub(super) fn identities_broken(facts: &Facts) -> Checked {
    let errors: Vec<(f64, f64)> = facts.completed().filter_map(identity).collect();
    if errors.is_empty() {
        return identity_of_means(facts);
    }
    let off = off_parts(facts, &errors);
    let n = errors.len() as f64;
    let many = |count: f64| count / n > limits::IDENTITY_SHARE;
    let broken = match ends_at_last_token(facts) {
        true => off.shorter + off.longer,
        false => off.shorter,
    };
    if !many(broken) && many(off.shorter + off.longer) {
        return Err(Missing(LAST_TOKEN.to_owned()));
    }
    fail_if(many(broken), || {
        format!(
            "E2E is not TTFT and the time after it in {} of {}, by up to {} ms.",
            figure(broken),
            counted(n, "request"),
            figure(off.worst_ms)
        )
    })
}

/// Frames behind the last token lengthen an E2E that ends with the stream; nothing shortens one.
fn ends_at_last_token(facts: &Facts) -> bool {
    facts.format.e2e_ends_at_last_token()
}

fn off_parts(facts: &Facts, errors: &[(f64, f64)]) -> OffParts {
    let mut off = OffParts {
        shorter: 0.0,
        longer: 0.0,
        worst_ms: 0.0,
    };
    for (by, e2e) in errors {
        if by.abs() <= (limits::IDENTITY.0 * e2e.abs()).max(limits::IDENTITY.1) {
            continue;
        }
        match *by < 0.0 {
            true => off.shorter += 1.0,
            false => off.longer += 1.0,
        }
        if *by < 0.0 || ends_at_last_token(facts) {
            off.worst_ms = off.worst_ms.max(by.abs());
        }
    }
    off
}

/// How much longer a request's E2E is than its parts, and its E2E.
fn identity(r: &Request) -> Option<(f64, f64)> {
    let (e2e, ttft) = (r.e2e_ms?, r.ttft_ms?);
    let by_gaps = r.gaps_ms.as_ref().map(|gaps| gaps.iter().sum::<f64>());
    let by_tpot = || Some(r.tpot_ms? * (r.output_tokens.filter(|n| *n >= 1.0)? - 1.0));
    let after = by_gaps.or_else(by_tpot)?;
    Some((e2e - ttft - after, e2e))
}

/// The same on means, which holds where every answer has one length.
fn identity_of_means(facts: &Facts) -> Checked {
    let mean = |metric| facts.latency.get(&metric).and_then(|s| s.mean);
    let e2e = mean(Metric::E2e).need("mean E2E")?;
    let ttft = mean(Metric::Ttft).need("mean TTFT")?;
    let tpot = mean(Metric::Tpot).need("mean TPOT")?;
    let lengths = output_lengths(facts).need("output lengths")?;
    let constant = lengths.is_constant() == Some(true);
    let n = lengths
        .mean
        .filter(|_| constant)
        .need("per-request latencies")?;
    let sum = ttft + tpot * (n - 1.0);
    let off = off_parts(facts, &[(e2e - sum, e2e)]);
    if off.longer > 0.0 && !ends_at_last_token(facts) {
        return Err(Missing(LAST_TOKEN.to_owned()));
    }
    fail_if(off.shorter + off.longer > 0.0, || {
        format!(
            "Mean E2E {} ms; TTFT + TPOT (n - 1) is {} ms at n = {}.",
            figure(e2e),
            figure(sum),
            figure(n)
        )
    })
}

pub(super) fn throughput_disagrees(facts: &Facts) -> Checked {
    if facts.format.is_own() {
        // Its throughput counts what arrives inside the window, of all phases.
        return Ok(Answer::NotApplicable);
    }
    has_throughput(facts).then_some(()).need("throughput")?;
    let seconds = facts
        .load
        .duration_s
        .filter(|s| *s > 0.0)
        .need("duration")?;
    let of_requests = || -> Option<f64> {
        let tokens: Option<f64> = facts.completed().map(|r| r.output_tokens).sum();
        tokens.filter(|n| *n > 0.0 && facts.has_all_requests())
    };
    let pairs = [
        (
            "output tokens",
            facts.rates.output,
            of_requests().or(facts.tokens.output),
        ),
        ("requests", facts.rates.requests, facts.counts.completed),
    ];
    let known: Vec<(&str, f64, f64)> = pairs
        .into_iter()
        .filter_map(|(w, rate, n)| Some((w, rate?, n? / seconds)))
        .collect();
    (!known.is_empty())
        .then_some(())
        .need("totals behind the throughput")?;
    let off = |(_, stated, ours): &&(&str, f64, f64)| {
        (stated - ours).abs() > limits::THROUGHPUT * stated.abs().max(ours.abs())
    };
    let wrong: Vec<String> = known
        .iter()
        .filter(off)
        .map(|(what, stated, ours)| {
            format!(
                "{what}: {}/s stated, {}/s recomputed",
                figure(*stated),
                figure(*ours)
            )
        })
        .collect();
    fail_if(!wrong.is_empty(), || format!("{}.", wrong.join("; ")))
}
