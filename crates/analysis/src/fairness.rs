//! Whether sessions, or classes, were served alike: Jain's index over their means.
//!
//! An index over means of few requests is below 1 by chance alone, so what chance would give stands
//! beside it. Invariant: absent below two takers; a taker counts where it has a completed measured request.

use crate::run::Run;
use infermeter_core::text::Word;
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::population::Population;
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_stats::jain_index;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Fairness between takers of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fairness {
    /// `session` or `class`.
    pub by: Word,
    /// Over mean TTFT, from the headline origin.
    pub ttft: Option<FairnessIndex>,
    /// Over the mean speed of answers, output tokens per second of E2E (1 / NTPOT).
    pub speed: Option<FairnessIndex>,
}

/// Jain's index of one measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FairnessIndex {
    /// (sum x)^2 / (n sum x^2): 1 where all means are equal, 1 / n where one taker has everything.
    pub index: f64,
    /// About what it would be were all takers alike, from the spread between requests.
    pub alike: f64,
    /// Takers.
    pub n: usize,
    /// Their completed measured requests.
    pub requests: usize,
}

/// Who takes, by name, and which one a request is of.
type Takers = (&'static str, fn(&RequestFacts) -> Option<u64>);

const TAKERS: [Takers; 2] = [
    ("session", |r| Some(r.turn?.session)),
    ("class", |r| Some(u64::from(r.class))),
];

/// Fairness between sessions and between classes, where there are at least two.
pub(crate) fn fairness(run: &Run, population: &Population<'_>, origin: Origin) -> Vec<Fairness> {
    let of = |(by, taker): &Takers| {
        let measure = |of: &dyn Fn(&RequestFacts) -> Option<f64>| {
            let mut takers: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
            for request in population.completed() {
                if let (Some(taker), Some(value)) = (taker(request), of(request)) {
                    takers.entry(taker).or_default().push(value);
                }
            }
            FairnessIndex::of(takers.values())
        };
        let ttft = |r: &RequestFacts| RequestMetric::Ttft.value_ms(r, origin);
        let ntpot = |r: &RequestFacts| RequestMetric::Ntpot.value_ms(r, origin);
        let speed = |r: &RequestFacts| ntpot(r).filter(|ms| *ms > 0.0).map(|ms| 1e3 / ms);
        Fairness {
            by: (*by).into(),
            ttft: measure(&ttft).filter(|_| population.streaming()),
            speed: measure(&speed),
        }
    };
    let classes = run.manifest.classes.len() > 1;
    let takers = TAKERS.iter().filter(|(by, _)| *by != "class" || classes);
    let all = takers.map(of);
    all.filter(|f| f.ttft.is_some() || f.speed.is_some())
        .collect()
}

impl FairnessIndex {
    /// Of values by taker, none of which is empty; `None` below two takers, and for means of 0.
    fn of<'a>(takers: impl Iterator<Item = &'a Vec<f64>>) -> Option<Self> {
        let takers: Vec<&Vec<f64>> = takers.collect();
        if takers.len() < 2 {
            return None;
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let means: Vec<f64> = takers.iter().map(|values| mean(values)).collect();
        let index = jain_index(&means).ok()??;
        let (n, requests) = (means.len(), takers.iter().map(|v| v.len()).sum::<usize>());
        // Were all alike, their means would vary by the variance between requests over their number.
        let values = || takers.iter().flat_map(|values| values.iter());
        let centre = values().sum::<f64>() / requests as f64;
        let variance = values().map(|x| (x - centre).powi(2)).sum::<f64>() / requests as f64;
        let per_taker = takers.iter().map(|v| 1.0 / v.len() as f64).sum::<f64>() / n as f64;
        Some(Self {
            index,
            alike: 1.0 / (1.0 + variance / centre.powi(2) * per_taker),
            n,
            requests,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::FairnessIndex;
    use crate::{Fairness, summarize_log};
    use infermeter_core::request::Turn;
    use infermeter_metrics::fixture::{Run, ms};

    #[test]
    fn by_hand_and_absent_for_one() {
        let of = |takers: &[Vec<f64>]| FairnessIndex::of(takers.iter());
        // Means 1, 2, 3: 36 / 42.
        let index = of(&[vec![1.0], vec![2.0, 2.0], vec![2.0, 4.0]]).expect("three takers");
        assert!((index.index - 36.0 / 42.0).abs() < 1e-12, "{index:?}");
        assert_eq!((index.n, index.requests), (3, 5));
        // Mean 2.2, variance 0.96, and 1 / r is 2 / 3 on average.
        let expect = 1.0 / (1.0 + 0.96 / 4.84 * 2.0 / 3.0);
        assert!((index.alike - expect).abs() < 1e-12, "{index:?}");
        assert_eq!(of(&[vec![1.0]]), None);
        assert_eq!(of(&[vec![0.0], vec![0.0]]), None);
    }

    fn fairness(change: impl FnOnce(&mut Run)) -> Vec<Fairness> {
        let mut run = Run::steady(400, 20.0, 12);
        change(&mut run);
        summarize_log(&run.build()).1.fairness
    }

    #[test]
    fn sessions_and_classes_that_differ_are_told() {
        assert_eq!(fairness(|_| {}), []);
        let sessions = |slow: i64| {
            move |run: &mut Run| {
                for (i, record) in run.records().iter_mut().enumerate() {
                    let (session, number) = (i as u64 % 10, i as u32 / 10);
                    record.turn = Some(Turn { session, number });
                    for chunk in &mut record.chunks {
                        chunk.at = chunk.at.plus(if session == 0 { slow } else { 0 });
                    }
                }
            }
        };
        let alike = fairness(sessions(0));
        assert_eq!(alike.len(), 1);
        let ttft = alike[0].ttft.expect("streams");
        assert_eq!(
            (alike[0].by.as_ref(), ttft.n, ttft.requests),
            ("session", 10, 400)
        );
        assert!(ttft.index > 0.998 && ttft.alike > 0.998, "{ttft:?}");
        // One of ten waits 600 ms, the others 60: (540 + 660)^2 / (10 (9 x 60^2 + 660^2)).
        let apart = fairness(sessions(ms(600)))[0].ttft.expect("streams");
        assert!((apart.index - 0.308).abs() < 0.01, "{apart:?}");
        let classes = fairness(|run| {
            run.manifest().classes.push("long".to_owned());
            let records = run.records().iter_mut().enumerate();
            records.for_each(|(i, r)| r.class = (i % 2) as u16);
        });
        let by: Vec<&str> = classes.iter().map(|f| f.by.as_ref()).collect();
        assert_eq!(by, ["class"]);
        let speed = classes[0].speed.expect("tokens");
        assert!(speed.index > 0.999 && speed.n == 2, "{speed:?}");
    }

    #[test]
    fn an_answer_without_a_stream_has_a_speed_alone() {
        let found = fairness(|run| {
            run.manifest().plan.no_stream = true;
            run.manifest().classes.push("long".to_owned());
            let records = run.records().iter_mut().enumerate();
            records.for_each(|(i, r)| r.class = (i % 2) as u16);
        });
        assert!(
            found[0].ttft.is_none() && found[0].speed.is_some(),
            "{found:?}"
        );
    }
}
