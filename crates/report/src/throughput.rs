//! Throughputs, per-user speed, requests in flight, tokens per chunk, stalls, fluidity.

use crate::number::{count, interval, mean, percent, rate, share, significant, time};
use crate::server;
use crate::style::Style;
use infermeter_analysis::{
    Cell, FluidityForm, FluiditySummary, HitSource, Percentile, PrefixCacheSummary, Summary,
    ThroughputSummary,
};

/// The lines about what came out per second, and how evenly.
pub(crate) fn lines(summary: &Summary, style: Style) -> Vec<String> {
    let mut lines = vec![style.heading("Throughput inside the window; [95 % interval]")];
    let mut entry = |label: &str, text: String| lines.extend(style.entry(label, &text));
    if let Some(throughput) = &summary.throughput {
        let in_doubt = summary.usage.is_some_and(|usage| usage.implausible);
        for (label, text) in rates(throughput) {
            let mark = match label {
                "Output" | "Total" if in_doubt => "*",
                _ => "",
            };
            entry(&format!("{label}{mark}"), text);
        }
    }
    if let Some(text) = per_user(summary) {
        entry("Per user", text);
    }
    if let Some(load) = &summary.load {
        let f = &load.in_flight;
        let average = significant(f.mean);
        entry(
            "In flight",
            format!("{average} on average, p99 {}, max {}", f.p99, f.max),
        );
    }
    if let Some(server) = summary.server.as_ref().and_then(server::line) {
        entry("Server", server);
    }
    if let Some(text) = summary.speculation.as_ref().and_then(server::speculation) {
        entry("Speculation", text);
    }
    if let Some(cache) = &summary.prefix_cache {
        entry("Prefix cache", prefix_cache(cache));
    }
    let latency = &summary.latency;
    if let Some(chunks) = &latency.tokens_per_chunk {
        let average = chunks.mean.as_ref().map(mean).unwrap_or_default();
        entry(
            "Tokens/chunk",
            format!("{average} on average, max {}", significant(chunks.max)),
        );
    }
    if summary.streaming && latency.stalls.requests_examined > 0 {
        entry("Stalls", stalls(summary));
    }
    if let Some(found) = &latency.fluidity {
        entry("Fluidity", fluidity(found));
    }
    lines
}

fn rates(throughput: &ThroughputSummary) -> Vec<(&'static str, String)> {
    let tokens = "tokens/s";
    let mut lines = Vec::new();
    match &throughput.output_tokens {
        Some(output) => {
            let marked = throughput.responses_estimated > 0;
            let mark = if marked { " (estimated)" } else { "" };
            lines.push(("Output", rate(output, tokens) + mark));
        }
        None if throughput.items.is_some() => {}
        None => lines.push((
            "Output",
            "unknown: the server reports no token counts".to_owned(),
        )),
    }
    let cached = throughput.cached_input_tokens.filter(|c| c.count > 0.0);
    let cached = cached.map(|c| format!(", of them cached {}", rate(&c, tokens)));
    let input = rate(&throughput.input_tokens, tokens);
    lines.push(("Input", input + &cached.unwrap_or_default()));
    if let Some(total) = &throughput.total_tokens {
        lines.push(("Total", rate(total, tokens)));
    }
    lines.push(("Requests", rate(&throughput.requests, "requests/s")));
    if let Some(items) = &throughput.items {
        let (label, unit) = match items.called {
            "documents" => ("Documents", "documents/s"),
            _ => ("Inputs", "inputs/s"),
        };
        lines.push((label, rate(&items.rate, unit)));
    }
    if let Some(output) = &throughput.output_tokens_per_gpu {
        lines.push(("Per GPU", rate(output, "output tokens/s")));
    }
    if let Some(requests) = &throughput.requests_per_gpu {
        lines.push(("", rate(requests, "requests/s")));
    }
    lines
}

fn per_user(summary: &Summary) -> Option<String> {
    let cells = &summary.latency.per_user_tokens_per_s;
    let written = |cell: &Cell| {
        let range = interval(cell.low.map(significant), cell.high.map(significant));
        Some(format!("{} {range}", significant(cell.value?)))
    };
    let at = |percent: f64| written(cells.get(&Percentile::new(percent)?)?);
    let mut text = format!("{} tokens/s at the median", at(50.0)?);
    if let Some(p99) = at(99.0) {
        text += &format!("; 99 % of the requests at least {p99}");
    }
    Some(text)
}

fn prefix_cache(cache: &PrefixCacheSummary) -> String {
    let mut text = match &cache.realised {
        None => "hits unknown: the server does not say".to_owned(),
        Some(found) => {
            let source = match found.source {
                HitSource::Usage => "usage",
                HitSource::ServerCountersInWindow => "server counters, window",
                HitSource::ServerCounters => "server counters, whole run",
            };
            format!(
                "{} of the prompt tokens hit ({source})",
                percent(found.share)
            )
        }
    };
    for (share, what) in [(cache.asked, "asked"), (cache.unlimited, "without limit")] {
        if let Some(share) = share {
            text += &format!(", {what} {}", percent(share));
        }
    }
    text
}

fn stalls(summary: &Summary) -> String {
    let stalls = &summary.latency.stalls;
    let examined = count(stalls.requests_examined);
    let Some(longest) = stalls.longest_ms else {
        return format!("none in {examined} answers");
    };
    format!(
        "{} in {} of {examined} answers ({}), {} in total, longest {}",
        count(stalls.count),
        count(stalls.requests_stalled),
        percent(stalls.requests_stalled as f64 / stalls.requests_examined as f64),
        time(stalls.total_ms),
        time(longest)
    )
}

/// Answers on time throughout, the three forms' means, and the written one's low tail.
fn fluidity(found: &FluiditySummary) -> String {
    let mut parts = Vec::new();
    if let Some(on_time) = &found.all_on_time {
        parts.push(format!(
            "{} of the answers on time throughout",
            share(on_time)
        ));
    }
    let mean = |form: &FluidityForm| form.mean.as_ref().map(|mean| percent(mean.value));
    let forms = [
        mean(&found.written),
        mean(&found.coded),
        mean(&found.absolute),
    ];
    if let [Some(written), Some(coded), Some(absolute)] = forms {
        parts.push(format!(
            "tokens on time {written} (coded {coded}, absolute {absolute})"
        ));
    }
    let cells = &found.written.at_least;
    let p99 = Percentile::new(99.0).and_then(|p99| cells.get(&p99)?.value);
    if let Some(p99) = p99 {
        parts.push(format!("99 % of the answers at least {}", percent(p99)));
    }
    let deadlines = &found.deadlines;
    let (first, next) = (time(deadlines.first_ms), time(deadlines.next_ms));
    format!("{} (deadlines {first}, then {next})", parts.join("; "))
}
