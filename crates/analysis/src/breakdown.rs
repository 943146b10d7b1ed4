//! Latencies by what the requests have in common: class, turn, prompt length, output length, address.
//!
//! Bands of lengths are factors of four: 64 to 255 tokens, 256 to 1,023. A key appears where at
//! least two of its bands have a completed request; an address shows as soon as a request went there, since
//! one that answers nothing is what has to be seen. Request-level metrics only, from the headline
//! origin; a band's percentiles have guards of their own. Token-level series are by class alone: each
//! further group would be counted in every reading of the record.

use crate::CONFIDENCE;
use crate::distribution::Distribution;
use crate::figure::Mean;
use crate::percentile::Percentile;
use crate::run::Run;
use infermeter_core::text::Word;
use infermeter_metrics::chunk_sums::{ChunkSums, chunk_sums};
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::outcomes::{OutcomeCounts, outcome_counts};
use infermeter_metrics::population::{Failures, Population};
use infermeter_metrics::readings::BATCHES;
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_metrics::samples::request_samples;
use infermeter_metrics::stalls::{Stalls, stalls};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A key by which requests are told apart.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// The band of a request; absent where it has none.
    pub(crate) band: fn(&RequestFacts) -> Option<u32>,
    pub(crate) label: fn(u32, &Run) -> String,
    /// Bands, below which the key says nothing new.
    least: usize,
    shows: Shows,
}

/// Which bands of a key are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// Those with a completed request.
    Completed,
    /// Those with any.
    All,
}

impl Key {
    /// A key that matters from two bands on.
    pub(crate) const fn new(
        name: &'static str,
        band: fn(&RequestFacts) -> Option<u32>,
        label: fn(u32, &Run) -> String,
    ) -> Self {
        Self {
            name,
            band,
            label,
            least: 2,
            shows: Shows::Completed,
        }
    }
}

/// Every key.
pub(crate) const KEYS: &[Key] = &[
    Key {
        name: "class",
        band: |request| Some(u32::from(request.class)),
        label: class_name,
        least: 2,
        shows: Shows::Completed,
    },
    Key {
        name: "turn",
        band: |request| Some(u32::from(request.turn?.number > 0)),
        label: |band, _| ["first", "later"][band.min(1) as usize].to_owned(),
        least: 2,
        shows: Shows::Completed,
    },
    Key {
        name: "turn_number",
        band: |request| Some(number_band(request.turn?.number)),
        label: |band, _| number_label(band),
        least: 3,
        shows: Shows::Completed,
    },
    Key {
        name: "prompt_tokens",
        band: |request| {
            let asked = u64::from(request.requested_prompt_tokens);
            request.input_tokens().map(|_| length_band(asked))
        },
        label: |band, _| length_label(band),
        least: 2,
        shows: Shows::Completed,
    },
    Key {
        name: "output_tokens",
        band: |request| request.output_token_count().map(length_band),
        label: |band, _| length_label(band),
        least: 2,
        shows: Shows::Completed,
    },
    Key {
        name: "address",
        band: |request| request.address,
        label: address_name,
        least: 2,
        shows: Shows::All,
    },
];

/// Latencies by one key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Breakdown {
    /// `class`, `turn`, `turn_number`, `prompt_tokens`, `output_tokens` or `address`.
    pub key: Word,
    /// Its bands, ascending; at least two, of `turn_number` three.
    pub bands: Vec<Band>,
}

/// The requests of one band.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Band {
    /// The class's name, `first`, or `64 to 255`.
    pub band: String,
    /// How they ended.
    pub measured: OutcomeCounts,
    /// Time to first token.
    pub ttft: Option<Distribution>,
    /// Time per output token.
    pub tpot: Option<Distribution>,
    /// End to end / output tokens.
    pub ntpot: Option<Distribution>,
    /// End to end.
    pub e2e: Option<Distribution>,
    /// Stalls.
    pub stalls: Stalls,
    /// Means over its chunks; absent without streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks: Option<ChunkMeans>,
}

/// Means over the chunks of completed answers. Their intervals are those of ten batches of
/// consecutive requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChunkMeans {
    /// Gaps between consecutive chunks.
    pub gaps: u64,
    /// Mean gap, milliseconds.
    pub chunk_gap_ms: Option<Mean>,
    /// Mean tokens of a chunk that carries any, of answers whose tokens per chunk are known.
    pub tokens_per_chunk: Option<Mean>,
}

impl ChunkMeans {
    fn of(population: &Population<'_>) -> Option<Self> {
        let parts = chunk_sums(population, BATCHES);
        let all = parts.iter().copied().reduce(ChunkSums::merged)?;
        let mean = |of: fn(&ChunkSums) -> Option<f64>| {
            let batches: Vec<f64> = parts.iter().filter_map(of).collect();
            Some(Mean::of_batches(of(&all)?, &batches, CONFIDENCE))
        };
        Some(Self {
            gaps: all.gaps,
            chunk_gap_ms: mean(ChunkSums::mean_gap_ms),
            tokens_per_chunk: mean(ChunkSums::mean_tokens),
        })
    }
}

/// Breaks the measured requests down by every key.
pub(crate) fn breakdowns(
    run: &Run,
    population: &Population<'_>,
    origin: Origin,
    wanted: &[Percentile],
) -> Vec<Breakdown> {
    let by = |key: &Key| {
        let shown: BTreeSet<u32> = match key.shows {
            Shows::Completed => population.completed().filter_map(key.band).collect(),
            Shows::All => population.records().filter_map(key.band).collect(),
        };
        let band = |band: u32| {
            let own = population.only(|r| (key.band)(r) == Some(band));
            let of = |metric| {
                let samples = request_samples(&own, metric, origin, Failures::Excluded);
                let distribution = Distribution::of_requests(&samples, wanted)?;
                Some(Distribution {
                    ecdf: None,
                    ..distribution
                })
            };
            Band {
                band: (key.label)(band, run),
                measured: outcome_counts(own.records()),
                ttft: of(RequestMetric::Ttft),
                tpot: of(RequestMetric::Tpot),
                ntpot: of(RequestMetric::Ntpot),
                e2e: of(RequestMetric::E2e),
                stalls: stalls(&own),
                chunks: ChunkMeans::of(&own),
            }
        };
        let bands: Vec<u32> = shown.into_iter().collect();
        (bands.len() >= key.least).then(|| Breakdown {
            key: key.name.into(),
            bands: crate::parallel::map(&bands, population.len(), |b| band(*b)),
        })
    };
    KEYS.iter().filter_map(by).collect()
}

fn class_name(class: u32, run: &Run) -> String {
    let name = run.manifest.classes.get(class as usize);
    name.cloned().unwrap_or_else(|| class.to_string())
}

fn address_name(place: u32, run: &Run) -> String {
    let name = run.manifest.addresses.get(place as usize);
    name.cloned().unwrap_or_else(|| place.to_string())
}

/// Factors of four: 0 for 1 to 3 tokens, 1 for 4 to 15.
fn length_band(tokens: u64) -> u32 {
    tokens.max(1).ilog2() / 2
}

fn length_label(band: u32) -> String {
    let from = 1_u64 << (2 * band);
    format!("{from} to {}", from * 4 - 1)
}

/// Of turns, from 0, by factors of two: 1, 2, 3 to 4, 5 to 8.
fn number_band(number: u32) -> u32 {
    u32::BITS - number.leading_zeros()
}

fn number_label(band: u32) -> String {
    let last = 1_u64 << band;
    match last / 2 + 1 {
        first if first >= last => last.to_string(),
        first => format!("{first} to {last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{length_band, length_label, number_band, number_label};
    use crate::{Breakdown, summarize_log};
    use infermeter_core::record::Outcome;
    use infermeter_core::request::Turn;
    use infermeter_metrics::fixture::{Run, ms};

    #[test]
    fn bands_are_factors_of_four() {
        let labels = [0, 1, 3, 4, 255, 256].map(|n| length_label(length_band(n)));
        let expect = [
            "1 to 3",
            "1 to 3",
            "1 to 3",
            "4 to 15",
            "64 to 255",
            "256 to 1023",
        ];
        assert_eq!(labels, expect);
    }

    #[test]
    fn bands_of_turns_are_factors_of_two() {
        let labels = [0, 1, 2, 3, 4, 7, 8].map(|n| number_label(number_band(n)));
        let expect = ["1", "2", "3 to 4", "3 to 4", "5 to 8", "5 to 8", "9 to 16"];
        assert_eq!(labels, expect);
    }

    /// Sessions of so many turns, one request in 100 ms.
    fn turns(of_each: &[u32]) -> Vec<Breakdown> {
        let mut run = Run::open(10.0, 10);
        let mut at = 0;
        for (session, turns) in (0..).zip(of_each) {
            for number in 0..*turns {
                run.stream(at, ms(20 + i64::from(number)), ms(10), 5);
                let record = run.records().last_mut().expect("just added");
                record.turn = Some(Turn { session, number });
                at += 100;
            }
        }
        summarize_log(&run.build()).1.breakdown
    }

    fn names(breakdown: &Breakdown) -> (&str, Vec<(&str, u64)>) {
        let bands = breakdown.bands.iter();
        let bands = bands.map(|b| (&*b.band, b.measured.completed)).collect();
        (&*breakdown.key, bands)
    }

    #[test]
    fn turns_are_first_and_later_and_by_number_where_sessions_are_long() {
        let found = turns(&[2, 1, 2]);
        let found: Vec<_> = found.iter().map(names).collect();
        assert_eq!(found, [("turn", vec![("first", 3), ("later", 2)])]);
        let found = turns(&[6, 3]);
        let by_number = vec![("1", 2), ("2", 2), ("3 to 4", 3), ("5 to 8", 2)];
        let expect = [
            ("turn", vec![("first", 2), ("later", 7)]),
            ("turn_number", by_number),
        ];
        let names: Vec<_> = found.iter().map(names).collect();
        assert_eq!(names, expect);
        let ttft = found[1].bands[3].ttft.as_ref().expect("a sample");
        assert_eq!((ttft.min, ttft.max), (24.0, 25.0));
        assert_eq!(turns(&[1, 1]), []);
    }

    #[test]
    fn addresses_show_with_what_went_there_and_failed() {
        let mut run = Run::open(1.0, 10);
        run.manifest().addresses = ["10.0.0.1:80", "10.0.0.2:80"].map(str::to_owned).to_vec();
        for at in 0..4 {
            run.stream(at * 100, ms(20), ms(10), 5);
        }
        for (n, record) in run.records().iter_mut().enumerate() {
            record.address = Some(n as u32 % 2);
            if n % 2 == 1 {
                record.outcome = Outcome::Failed;
            }
        }
        let (_, summary) = summarize_log(&run.build());
        let of_address = summary.breakdown.iter().find(|b| b.key == "address");
        let of_address = of_address.expect("two addresses");
        let expect = ("address", vec![("10.0.0.1:80", 2), ("10.0.0.2:80", 0)]);
        assert_eq!(names(of_address), expect);
        assert_eq!(of_address.bands[1].measured.failed, 2);
        assert_eq!(of_address.bands[1].ttft, None);
    }

    #[test]
    fn a_key_needs_two_bands() {
        let mut run = Run::open(1.0, 10);
        for at in 0..6 {
            run.stream(at * 100, ms(20), ms(10), 5);
        }
        run.stream(900, ms(20), ms(10), 20);
        for record in run.records().iter_mut().take(2) {
            record.requested_prompt_tokens = 1_000;
        }
        let (_, summary) = summarize_log(&run.build());
        let found: Vec<_> = summary.breakdown.iter().map(names).collect();
        let expect = [
            ("prompt_tokens", vec![("64 to 255", 5), ("256 to 1023", 2)]),
            ("output_tokens", vec![("4 to 15", 6), ("16 to 63", 1)]),
        ];
        assert_eq!(found, expect);
        let e2e = summary.breakdown[1].bands[1]
            .e2e
            .as_ref()
            .expect("a sample");
        assert_eq!((e2e.n, e2e.max), (1, 210.0));
        let of_short = summary.breakdown[1].bands[0].chunks.expect("streams");
        assert_eq!(of_short.gaps, 24);
        let gap = of_short.chunk_gap_ms.expect("gaps");
        assert_eq!(
            (gap.value, gap.low, gap.high),
            (10.0, Some(10.0), Some(10.0))
        );
        assert_eq!(of_short.tokens_per_chunk.map(|m| m.value), Some(1.0));
    }
}
