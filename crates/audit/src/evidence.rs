//! Results of several files as one body of evidence: files of one run are joined, totals over
//! stages left out, sides told apart.

use crate::audit::Side;
use crate::facts::{Facts, Metric, PercentileRule, Request, SetupItem, Statistics};
use crate::format::Format;
use crate::import::is_summary_of_stages;

/// A value of a request, where it has one.
type Value = fn(&Request) -> Option<f64>;

/// One side of the results of a file or a directory, or several where they state other engines,
/// engine versions or models.
pub fn sides(name: &str, results: Vec<Facts>) -> Vec<Side> {
    let mut results = without_totals(joined(with_percentiles(without_abridged(results))));
    results.iter_mut().for_each(fill_from_requests);
    let mut sides: Vec<(Vec<Option<String>>, Side)> = Vec::new();
    for facts in results {
        let key = key_of(&facts);
        match sides.iter_mut().find(|(known, _)| agree(known, &key)) {
            Some((known, side)) => {
                for (known, stated) in known.iter_mut().zip(key) {
                    *known = known.take().or(stated);
                }
                side.results.push(facts);
            }
            None => {
                let side = Side {
                    name: name.to_owned(),
                    results: vec![facts],
                };
                sides.push((key, side));
            }
        }
    }
    let several = sides.len() > 1;
    let named = sides.into_iter().map(|(key, mut side)| {
        if several {
            let label = key.into_iter().flatten().collect::<Vec<_>>().join(", ");
            side.name = format!("{name} ({label})");
        }
        side
    });
    named.collect()
}

fn key_of(facts: &Facts) -> Vec<Option<String>> {
    let items = [
        SetupItem::Engine,
        SetupItem::EngineVersion,
        SetupItem::Model,
    ];
    items
        .iter()
        .map(|item| facts.stated(*item).cloned())
        .collect()
}

/// Whether no item is stated differently; what one does not say may be as the other says.
fn agree(a: &[Option<String>], b: &[Option<String>]) -> bool {
    let same = |(a, b): (&Option<String>, &Option<String>)| a.is_none() || b.is_none() || a == b;
    a.iter().zip(b).all(same)
}

/// A lesser export beside the full one of the same run says nothing new.
fn without_abridged(results: Vec<Facts>) -> Vec<Facts> {
    let (lesser, mut kept): (Vec<Facts>, Vec<Facts>) =
        results.into_iter().partition(|f| f.abridged);
    let full = kept.len();
    for facts in lesser {
        let same = |other: &Facts| is_same_run(&facts, other);
        if !kept[..full].iter().any(same) {
            kept.push(facts);
        }
    }
    kept
}

/// Whether two files of one folder are about one run: no figure that both state differs by more
/// than rounding to two decimals does.
fn is_same_run(a: &Facts, b: &Facts) -> bool {
    let mean = |f: &Facts, metric| f.latency.get(&metric).and_then(|s| s.mean);
    let pairs = [
        (a.counts.completed, b.counts.completed),
        (a.rates.requests, b.rates.requests),
        (a.rates.output, b.rates.output),
        (mean(a, Metric::E2e), mean(b, Metric::E2e)),
        (mean(a, Metric::Ttft), mean(b, Metric::Ttft)),
    ];
    let both: Vec<(f64, f64)> = pairs.into_iter().filter_map(|(x, y)| x.zip(y)).collect();
    let close = |(x, y): &(f64, f64)| (x - y).abs() <= 0.01 + 1e-6 * x.abs().max(y.abs());
    a.format == b.format
        && folder_of(&a.source) == folder_of(&b.source)
        && !both.is_empty()
        && both.iter().all(close)
}

/// A table of percentiles and nothing else joins the one summary of its tool in the same folder.
fn with_percentiles(results: Vec<Facts>) -> Vec<Facts> {
    let is_table = |f: &Facts| {
        let bare = |s: &Statistics| s.mean.is_none() && s.n.is_none();
        f.counts.completed.is_none() && f.requests.is_empty() && f.latency.values().all(bare)
    };
    let (tables, mut summaries): (Vec<Facts>, Vec<Facts>) = results
        .into_iter()
        .partition(|f| !f.latency.is_empty() && is_table(f));
    for table in tables {
        let folder = folder_of(&table.source);
        let fits = |s: &Facts| s.format == table.format && folder_of(&s.source) == folder;
        let fitting: Vec<usize> = (0..summaries.len())
            .filter(|i| fits(&summaries[*i]))
            .collect();
        let [only] = fitting[..] else {
            summaries.push(table);
            continue;
        };
        for (metric, statistics) in table.latency {
            let known = summaries[only].latency.entry(metric).or_default();
            for (p, value) in statistics.percentiles {
                known.insert(p, value);
            }
        }
    }
    summaries
}

/// A file of requests alone joins the one summary of its tool in the same folder.
fn joined(results: Vec<Facts>) -> Vec<Facts> {
    let (alone, mut summaries): (Vec<Facts>, Vec<Facts>) = results
        .into_iter()
        .partition(|f| f.latency.is_empty() && !f.requests.is_empty());
    for requests in alone {
        let folder = folder_of(&requests.source);
        let fits = |s: &Facts| {
            s.format == requests.format
                && s.requests.is_empty()
                && folder_of(&s.source) == folder
                && s.counts.completed == requests.counts.completed
        };
        let fitting: Vec<usize> = summaries
            .iter()
            .enumerate()
            .filter(|(_, s)| fits(s))
            .map(|(i, _)| i)
            .collect();
        if let [only] = fitting[..] {
            let summary = &mut summaries[only];
            take_over(summary, &requests);
            summary.requests = requests.requests;
        } else {
            summaries.push(requests);
        }
    }
    summaries
}

/// What the file of requests says and the summary does not.
fn take_over(summary: &mut Facts, requests: &Facts) {
    let (tokens, listed) = (&mut summary.tokens, &requests.tokens);
    tokens.output_recount = tokens.output_recount.or(listed.output_recount);
    tokens.input = tokens.input.or(listed.input);
    tokens.input_recount = tokens.input_recount.or(listed.input_recount);
    tokens.cached = tokens.cached.or(listed.cached);
    summary.new_connections = summary.new_connections.or(requests.new_connections);
}

/// Computes what a file of requests alone does not sum up: latencies, duration, throughput.
fn fill_from_requests(facts: &mut Facts) {
    if !facts.latency.is_empty() || facts.requests.is_empty() {
        return;
    }
    let metrics: [(Metric, Value); 3] = [
        (Metric::Ttft, |r| r.ttft_ms),
        (Metric::Tpot, |r| r.tpot_ms),
        (Metric::E2e, Request::end_to_end_ms),
    ];
    for (metric, of) in metrics {
        let values: Vec<f64> = facts.completed().filter_map(of).collect();
        facts.state(metric, Statistics::computed(&values));
    }
    facts.percentile_rule = Some(PercentileRule::Exact);
    let tokens: Option<f64> = facts.completed().map(|r| r.output_tokens).sum();
    facts.tokens.output = facts.tokens.output.or(tokens);
    let span = |r: &Request| Some((r.start_s?, r.start_s? + r.end_to_end_ms()? / 1e3));
    let spans: Option<Vec<(f64, f64)>> = facts.completed().map(span).collect();
    let Some(spans) = spans.filter(|s| !s.is_empty()) else {
        return;
    };
    let first = spans
        .iter()
        .map(|(start, _)| *start)
        .fold(f64::INFINITY, f64::min);
    let last = spans
        .iter()
        .map(|(_, end)| *end)
        .fold(f64::NEG_INFINITY, f64::max);
    let seconds = last - first;
    if seconds > 0.0 && facts.load.duration_s.is_none() {
        facts.load.duration_s = Some(seconds);
        let per_s = |n: Option<f64>| n.map(|n| n / seconds);
        facts.rates.requests = facts.rates.requests.or(per_s(facts.counts.completed));
        facts.rates.output = facts.rates.output.or(per_s(facts.tokens.output));
    }
}

fn folder_of(source: &str) -> &str {
    source.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// A summary over all stages beside the stages themselves says nothing new.
fn without_totals(mut results: Vec<Facts>) -> Vec<Facts> {
    let has_stages = results
        .iter()
        .any(|f| f.format == Format::InferencePerf && f.load.model.is_some());
    results.retain(|f| !(has_stages && is_summary_of_stages(f)));
    results
}

#[cfg(test)]
mod tests {
    use super::sides;
    use crate::facts::{Facts, Metric, Request, SetupItem, Statistics};
    use crate::format::Format;

    fn result(source: &str, engine: &str) -> Facts {
        let mut facts = Facts::of(Format::Aiperf);
        facts.source = source.to_owned();
        facts.counts.completed = Some(1.0);
        facts.state(Metric::Ttft, Statistics::of_values(&[1.0]));
        facts.setup.insert(SetupItem::Engine, engine.to_owned());
        facts
    }

    #[test]
    fn engines_are_sides() {
        let all = vec![
            result("a", "vllm"),
            result("b", "sglang"),
            result("c", "vllm"),
        ];
        let sides = sides("runs", all);
        let shape: Vec<(&str, usize)> = sides
            .iter()
            .map(|s| (s.name.as_str(), s.results.len()))
            .collect();
        assert_eq!(shape, [("runs (vllm)", 2), ("runs (sglang)", 1)]);
    }

    #[test]
    fn silence_makes_no_side() {
        let mut silent = result("b", "vllm");
        silent.setup.clear();
        let sides = sides(
            "runs",
            vec![result("a", "vllm"), silent, result("c", "sglang")],
        );
        let sizes: Vec<usize> = sides.iter().map(|s| s.results.len()).collect();
        assert_eq!(sizes, [2, 1]);
    }

    #[test]
    fn requests_join_their_summary() {
        let mut requests = Facts::of(Format::Aiperf);
        requests.source = "x/requests.jsonl".to_owned();
        requests.counts.completed = Some(1.0);
        requests.requests = vec![Request::default()];
        let joined = sides(
            "x",
            vec![requests.clone(), result("x/summary.json", "vllm")],
        );
        assert_eq!(joined.len(), 1);
        assert_eq!(joined[0].results.len(), 1);
        assert_eq!(joined[0].results[0].requests.len(), 1);
        let apart = sides("x", vec![requests, result("y/summary.json", "vllm")]);
        assert_eq!(apart.iter().map(|s| s.results.len()).sum::<usize>(), 2);
    }

    #[test]
    fn requests_alone_are_summed_up() {
        let mut facts = Facts::of(Format::Mapped);
        facts.counts.completed = Some(2.0);
        let request = |start_s: f64| Request {
            start_s: Some(start_s),
            e2e_ms: Some(500.0),
            output_tokens: Some(10.0),
            ..Request::default()
        };
        facts.requests = vec![request(0.0), request(1.5)];
        let facts = sides("x", vec![facts]).remove(0).results.remove(0);
        assert_eq!(facts.load.duration_s, Some(2.0));
        assert_eq!(
            (facts.rates.requests, facts.rates.output),
            (Some(1.0), Some(10.0))
        );
        assert_eq!(facts.latency[&Metric::E2e].mean, Some(500.0));
        assert!(facts.latency[&Metric::E2e].percentiles.is_empty());
    }

    #[test]
    fn a_lesser_export_beside_the_full_one_is_left_out() {
        let mut csv = result("x/a.csv", "vllm");
        csv.abridged = true;
        csv.state(Metric::Ttft, Statistics::of_values(&[1.004]));
        let count = |results: Vec<Facts>| -> usize {
            sides("x", results).iter().map(|s| s.results.len()).sum()
        };
        assert_eq!(count(vec![csv.clone(), result("x/a.json", "vllm")]), 1);
        assert_eq!(count(vec![csv.clone()]), 1);
        assert_eq!(count(vec![csv.clone(), result("y/a.json", "vllm")]), 2);
        let mut other = result("x/a.json", "vllm");
        other.counts.completed = Some(3.0);
        assert_eq!(count(vec![csv, other]), 2);
    }

    #[test]
    fn the_total_over_stages_is_left_out() {
        let stage = |rate| {
            let mut facts = Facts::of(Format::InferencePerf);
            facts.state(Metric::Ttft, Statistics::of_values(&[1.0]));
            facts.load.rate = rate;
            facts.load.model = rate.map(|_| crate::facts::LoadModel::Open);
            facts
        };
        let sides = sides("x", vec![stage(None), stage(Some(1.0)), stage(Some(2.0))]);
        assert_eq!(sides[0].results.len(), 2);
        assert_eq!(super::sides("x", vec![stage(None)])[0].results.len(), 1);
    }
}
