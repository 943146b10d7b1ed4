//! Outcomes, throughputs, per-user speed, requests in flight, tokens per chunk, stalls, fluidity.

use crate::document::{Entries, Section};
use crate::number::{interval, mean, money, percent, rate, share, significant, time};
use crate::run::outcomes;
use crate::{ranks, server};
use infermeter_analysis::{
    Cell, CostSummary, FluidityForm, FluiditySummary, HitSource, Mean, Percentile,
    PrefixCacheSummary, Summary, ThroughputSummary,
};
use infermeter_core::number::count;

/// The lines about what came out per second, and how evenly.
pub(crate) fn section(summary: &Summary) -> Section {
    let mut entries = Entries::default();
    outcomes(summary, &mut entries);
    if let Some(throughput) = &summary.throughput {
        let in_doubt = summary
            .usage
            .as_ref()
            .is_some_and(|usage| usage.implausible);
        rates(throughput, if in_doubt { "*" } else { "" }, &mut entries);
    }
    entries.all("Cost", summary.cost.iter().flat_map(cost));
    entries.maybe("Per user", per_user(summary));
    if let Some(load) = &summary.load {
        let f = &load.in_flight;
        let average = significant(f.mean);
        let beside = ranks::beside(summary);
        let beside = beside.map_or_else(String::new, |beside| format!("; {beside}"));
        entries.add(
            "In flight",
            format!("{average} on average, p99 {}, max {}{beside}", f.p99, f.max),
        );
    }
    let server = summary.server.as_ref();
    entries.maybe("Server", server.and_then(server::line));
    let speculation = summary.speculation.as_ref();
    entries.maybe("Speculation", speculation.and_then(server::speculation));
    entries.maybe(
        "Prefix cache",
        summary.prefix_cache.as_ref().map(prefix_cache),
    );
    let latency = &summary.latency;
    if let Some(chunks) = &latency.tokens_per_chunk {
        let average = chunks.mean.as_ref().map(mean).unwrap_or_default();
        entries.add(
            "Tokens/chunk",
            format!("{average} on average, max {}", significant(chunks.max)),
        );
    }
    if summary.streaming && latency.stalls.requests_examined > 0 {
        entries.add("Stalls", stalls(summary));
    }
    entries.maybe("Fluidity", latency.fluidity.as_ref().map(fluidity));
    Section::new("Throughput inside the window; [95 % interval]").with(entries)
}

/// `in_doubt` marks what rests on usage that the text contradicts.
fn rates(throughput: &ThroughputSummary, in_doubt: &str, entries: &mut Entries) {
    let tokens = "tokens/s";
    let output = match &throughput.output_tokens {
        Some(output) => {
            let marked = throughput.responses_estimated > 0;
            let mark = if marked { " (estimated)" } else { "" };
            Some(rate(output, tokens) + mark)
        }
        None if throughput.items.is_some() => None,
        None => Some("unknown: the server reports no token counts".to_owned()),
    };
    entries.maybe(format!("Output{in_doubt}"), output);
    let cached = throughput.cached_input_tokens.filter(|c| c.count > 0.0);
    let cached = cached.map(|c| format!(", of which cached {}", rate(&c, tokens)));
    let input = match &throughput.input_tokens {
        Some(input) => rate(input, tokens) + &cached.unwrap_or_default(),
        None => "unknown: the file does not say all prompt tokens".to_owned(),
    };
    entries.add("Input", input);
    let total = throughput.total_tokens.as_ref();
    let total = total.map(|total| rate(total, tokens));
    entries.maybe(format!("Total{in_doubt}"), total);
    entries.add("Requests", rate(&throughput.requests, "requests/s"));
    if let Some(items) = &throughput.items {
        let (label, unit) = match items.called.as_ref() {
            "documents" => ("Documents", "documents/s"),
            _ => ("Inputs", "inputs/s"),
        };
        entries.add(label, rate(&items.rate, unit));
    }
    let per_gpu = [
        throughput
            .output_tokens_per_gpu
            .map(|output| rate(&output, "output tokens/s")),
        throughput
            .requests_per_gpu
            .map(|requests| rate(&requests, "requests/s")),
    ];
    entries.all("Per GPU", per_gpu.into_iter().flatten());
}

/// What tokens and requests cost, at the price of an hour.
fn cost(cost: &CostSummary) -> Vec<String> {
    let of = |mean: Option<Mean>, what: &str| {
        let mean = mean?;
        let bounds = interval(mean.low.map(money), mean.high.map(money));
        Some(format!("${} {bounds} {what}", money(mean.value)))
    };
    let each = [
        of(cost.million_output, "per million output tokens"),
        of(cost.million_total, "per million tokens"),
        of(cost.request, "per request"),
        of(cost.good_request, "per request that meets the objectives"),
    ];
    let hour = format!("${} per hour, as declared", money(cost.hour));
    each.into_iter().flatten().chain([hour]).collect()
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
