//! Which rungs are measured, and when a ladder has been climbed far enough.

use super::spec::{Shape, Spec};
use anyhow::{Context, Result, bail};
use infermeter_core::certificate::{Rung, Spoiler, Transport};
use infermeter_core::record::StampSource;
use infermeter_core::units::Span;
use infermeter_protocol::{Point, Protocol, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tokens per second of each stream: a fast server's.
const STREAM_RATE: u32 = 50;
/// Error beyond which higher rungs of a ladder say nothing new, microseconds.
const SATURATED_US: f64 = 1_000.0;

/// The rungs of one size of ladder.
#[derive(Debug, Clone, Copy)]
struct Steps {
    streams: &'static [u32],
    requests: &'static [u32],
    bytes: &'static [u32],
    chunks: &'static [u32],
    null: &'static [u32],
    flood: &'static [u32],
    tls_streams: &'static [u32],
    tls_requests: &'static [u32],
    duration: Span,
    warmup: Span,
}

const QUICK: Steps = Steps {
    streams: &[10, 100, 400],
    requests: &[50, 500, 2_000],
    bytes: &[4_096],
    chunks: &[8],
    null: &[64],
    flood: &[],
    tls_streams: &[100],
    tls_requests: &[],
    duration: Span::millis(1_500),
    warmup: Span::millis(500),
};

const STANDARD: Steps = Steps {
    streams: &[10, 50, 100, 200, 400, 800, 1_600, 3_200],
    requests: &[50, 200, 500, 1_000, 2_000, 4_000],
    bytes: &[1_024, 4_096],
    chunks: &[8],
    null: &[1, 16, 64],
    flood: &[64],
    tls_streams: &[50, 200, 800],
    tls_requests: &[200, 1_000],
    duration: Span::seconds(3),
    warmup: Span::seconds(1),
};

const FULL: Steps = Steps {
    streams: &[
        1, 10, 25, 50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800,
    ],
    requests: &[10, 50, 200, 500, 1_000, 2_000, 4_000, 8_000, 16_000],
    bytes: &[512, 1_024, 2_048, 4_096, 16_384],
    chunks: &[2, 8, 32],
    null: &[1, 4, 16, 64, 256],
    flood: &[16, 64, 256],
    tls_streams: &[10, 50, 100, 200, 400, 800, 1_600],
    tls_requests: &[50, 200, 500, 1_000, 2_000],
    duration: Span::seconds(10),
    warmup: Span::seconds(2),
};

/// A rung that other work spoilt is measured again, so often.
const RETRIES: usize = 1;

/// How long a ladder is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Size {
    /// About half a minute.
    Quick,
    /// A few minutes.
    #[default]
    Standard,
    /// About ten minutes.
    Full,
}

/// Which rungs are asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// How long the ladder is.
    pub size: Size,
    /// Only the ceilings.
    pub ceilings: bool,
    /// These loads instead of a ladder's.
    pub picked: Vec<String>,
    /// No rung asks for more events per second.
    pub max_events: Option<f64>,
    /// Measured time of each.
    pub duration: Option<Span>,
    /// Times that each is measured.
    pub repeats: usize,
}

/// Rungs in the order of measuring.
#[derive(Debug, Clone, PartialEq)]
pub struct Ladder {
    /// The rungs, each ladder upwards.
    pub specs: Vec<Spec>,
    /// Measured time of each.
    pub duration: Span,
    /// Time before it.
    pub warmup: Span,
    /// It is one that limits can be read from: nothing was picked out of it.
    pub is_whole: bool,
    /// Every rung is measured, however the ones below went.
    is_picked: bool,
    /// Times that each is measured.
    repeats: usize,
}

/// A rung by its place: the same load may be picked twice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RungAt {
    /// Which of the ladder's, from 0.
    pub index: usize,
    /// Its load.
    pub spec: Spec,
}

/// A rung that was measured.
pub type RungPoint = Point<RungAt, Rung>;

impl Ladder {
    /// What is asked for.
    ///
    /// # Errors
    /// Naming the flag, the value and what to write.
    pub fn of(wanted: &Wanted) -> Result<Self> {
        let steps = match wanted.size {
            Size::Quick => QUICK,
            Size::Full => FULL,
            Size::Standard => STANDARD,
        };
        let mut specs = match (wanted.picked.as_slice(), wanted.ceilings) {
            ([], false) => steps.specs(),
            ([], true) => steps.ceilings(),
            (picked, _) => parse(picked)?,
        };
        if let Some(most) = wanted.max_events {
            // A ceiling asks for as many as go.
            specs.retain(|spec| spec.events_per_s().is_some_and(|asked| asked <= most));
            if specs.is_empty() {
                bail!("--max-events {most}: no rung asks for so few events per second");
            }
        }
        if wanted.duration.is_some_and(|d| d < Span::millis(100)) {
            bail!("--duration: a rung needs 100ms at least");
        }
        let is_picked = !wanted.picked.is_empty();
        Ok(Self {
            specs,
            duration: wanted.duration.unwrap_or(steps.duration),
            warmup: wanted.duration.map_or(steps.warmup, |d| Span(d.ns() / 3)),
            is_whole: !is_picked && !wanted.ceilings && wanted.max_events.is_none(),
            is_picked,
            repeats: wanted.repeats.max(1),
        })
    }

    /// Times that each rung is measured.
    pub fn repeats(&self) -> usize {
        self.repeats
    }

    /// The rungs so far, each as the usable one with the median error of those that were measured.
    pub fn chosen(&self, points: &[RungPoint]) -> Vec<Rung> {
        let tried = (0..self.specs.len()).map(|index| attempts(points, index));
        tried.filter_map(|tried| median(&counted(&tried))).collect()
    }

    /// Whether a rung is worth measuring after those below it.
    fn wants(&self, spec: Spec, measured: &[Rung]) -> bool {
        let mut below = measured
            .iter()
            .filter(|r| r.kind == spec.kind() && r.transport == spec.transport);
        self.is_picked || spec.kind().is_ceiling() || !below.any(is_saturated)
    }
}

impl Protocol for Ladder {
    type At = RungAt;
    type Seen = Rung;
    type Answer = Vec<Rung>;

    /// Upwards, each rung as often as asked for and once more where other work spoilt it, until a ladder
    /// saturates.
    fn next(&self, points: &[RungPoint]) -> Step<RungAt, Vec<Rung>> {
        let mut chosen = Vec::new();
        for (index, spec) in self.specs.iter().enumerate() {
            let tried = attempts(points, index);
            if tried.is_empty() && !self.wants(*spec, &chosen) {
                continue;
            }
            let counted = counted(&tried);
            if counted.len() < self.repeats {
                let first = points.iter().position(|point| point.at.index == index);
                let at = RungAt { index, spec: *spec };
                return first.map_or(Step::Measure(at), Step::Extend);
            }
            chosen.extend(median(&counted));
        }
        Step::Stop(chosen)
    }
}

/// What was measured of a rung.
fn attempts(points: &[RungPoint], index: usize) -> Vec<&Rung> {
    let of = points.iter().filter(|point| point.at.index == index);
    of.map(|point| &point.seen).collect()
}

/// Those attempts that count: one that other work spoilt is taken only where the retries are used up.
fn counted<'a>(attempts: &[&'a Rung]) -> Vec<&'a Rung> {
    let mut counted = Vec::new();
    let mut tries = 0;
    for rung in attempts {
        let spoiler = rung.spoilt.as_ref().map(|spoilt| spoilt.by);
        if spoiler == Some(Spoiler::OtherLoad) && tries < RETRIES {
            tries += 1;
        } else {
            counted.push(*rung);
            tries = 0;
        }
    }
    counted
}

/// The usable one with the median error; of all, where none is usable.
fn median(rungs: &[&Rung]) -> Option<Rung> {
    let usable = rungs.iter().filter(|rung| rung.spoilt.is_none());
    let mut pool: Vec<&Rung> = usable.copied().collect();
    if pool.is_empty() {
        pool = rungs.to_vec();
    }
    let error = |rung: &Rung| rung.worst_p99_us(StampSource::Kernel).unwrap_or(0.0);
    pool.sort_by(|a, b| error(a).total_cmp(&error(b)));
    let middle = pool.len().checked_sub(1)? / 2;
    pool.get(middle).map(|rung| (*rung).clone())
}

/// Nothing above it can be better.
fn is_saturated(rung: &Rung) -> bool {
    match &rung.spoilt {
        Some(spoilt) => spoilt.by == Spoiler::Simulator,
        None => {
            let by = |stamps| rung.worst_p99_us(stamps);
            let worst = by(StampSource::Kernel).or(by(StampSource::Program));
            worst.is_some_and(|us| us > SATURATED_US)
        }
    }
}

impl Steps {
    fn specs(self) -> Vec<Spec> {
        let streams = |streams: &u32| Shape::Streams {
            streams: *streams,
            rate: STREAM_RATE,
        };
        let requests = |rate: &u32| Shape::Requests {
            rate: *rate,
            tokens: 8,
        };
        let plain = self.streams.iter().map(streams);
        let plain = plain.chain(self.requests.iter().map(requests));
        let sizes = |bytes: &u32| Shape::Bytes { bytes: *bytes };
        let chunks = |tokens: &u32| Shape::Chunks { tokens: *tokens };
        let plain = plain.chain(self.bytes.iter().map(sizes));
        let plain = plain.chain(self.chunks.iter().map(chunks));
        let mut specs: Vec<Spec> = plain.map(Spec::plain).collect();
        let shapes = self.tls_streams.iter().map(streams);
        let shapes = shapes.chain(self.tls_requests.iter().map(requests));
        specs.extend(shapes.map(|shape| Spec {
            shape,
            transport: Transport::Tls,
        }));
        specs.extend(self.ceilings());
        specs
    }

    fn ceilings(self) -> Vec<Spec> {
        let null = self.null.iter().map(|slots| Shape::Null { slots: *slots });
        let flood = self
            .flood
            .iter()
            .map(|slots| Shape::Flood { slots: *slots });
        null.chain(flood).map(Spec::plain).collect()
    }
}

fn parse(picked: &[String]) -> Result<Vec<Spec>> {
    let parse = |text: &String| text.parse::<Spec>().context("--rung");
    picked.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::fixture::good;
    use infermeter_core::certificate::{LoadKind, Spoilt};

    /// The kinds that a ladder has rungs of.
    fn kinds(specs: &[Spec]) -> Vec<LoadKind> {
        let has = |kind: &LoadKind| specs.iter().any(|spec| spec.kind() == *kind);
        LoadKind::ALL.into_iter().filter(has).collect()
    }

    fn ladder(change: impl FnOnce(&mut Wanted)) -> Result<Ladder> {
        let mut wanted = Wanted::default();
        change(&mut wanted);
        Ladder::of(&wanted)
    }

    #[test]
    fn ladders_grow_and_hold_every_kind() {
        let rungs = |l: Result<Ladder>| l.expect("a ladder").specs.len();
        let (quick, standard, full) = (
            rungs(ladder(|a| a.size = Size::Quick)),
            rungs(ladder(|_| {})),
            rungs(ladder(|a| a.size = Size::Full)),
        );
        assert!(quick < standard && standard < full);
        let standard = ladder(|_| {}).expect("a ladder");
        assert_eq!(kinds(&standard.specs), LoadKind::ALL);
        assert!(standard.is_whole);
    }

    #[test]
    fn a_part_is_not_the_whole() {
        let few = ladder(|a| a.max_events = Some(1_000.0)).expect("a ladder");
        assert!(!few.is_whole);
        assert!(
            few.specs
                .iter()
                .all(|s| s.events_per_s().is_none_or(|e| e <= 1_000.0))
        );
        let null = ladder(|a| a.ceilings = true).expect("a ladder");
        assert_eq!(kinds(&null.specs), [LoadKind::Null, LoadKind::Flood]);
        let error = ladder(|a| {
            a.picked = vec!["streams:9x50".to_owned()];
            a.max_events = Some(1.0);
        });
        assert!(
            error
                .expect_err("nothing left")
                .to_string()
                .contains("--max-events 1")
        );
    }

    #[test]
    fn a_ladder_ends_where_it_saturates() {
        let ladder = ladder(|_| {}).expect("a ladder");
        let next = Spec::plain(Shape::Streams {
            streams: 100,
            rate: 50,
        });
        let fine = good("streams:50x50", 2_500.0, 30.0);
        let poor = good("streams:50x50", 2_500.0, 3_000.0);
        let mut limited = fine.clone();
        limited.spoilt = Some(Spoilt {
            by: Spoiler::Simulator,
            evidence: String::new(),
        });
        assert!(ladder.wants(next, &[fine]));
        assert!(!ladder.wants(next, std::slice::from_ref(&poor)));
        assert!(!ladder.wants(next, &[limited]));
        let other = "requests:50".parse().expect("a rung");
        assert!(ladder.wants(other, &[poor]));
    }

    /// A ladder of these loads, each measured so often.
    fn picked(loads: &[&str], repeats: usize) -> Ladder {
        let loads = loads.iter().map(|load| (*load).to_owned());
        ladder(|wanted| (wanted.picked, wanted.repeats) = (loads.collect(), repeats))
            .expect("a ladder")
    }

    /// What the ladder measures, and what it chose, where each attempt is as `seen` has it.
    fn climbed(ladder: &Ladder, seen: impl Fn(usize) -> Rung) -> (Vec<usize>, Vec<Rung>) {
        let mut points: Vec<RungPoint> = Vec::new();
        loop {
            let at = match ladder.next(&points) {
                Step::Measure(at) => at,
                Step::Extend(index) => points[index].at,
                Step::Stop(chosen) => {
                    assert_eq!(ladder.chosen(&points), chosen);
                    return (points.iter().map(|p| p.at.index).collect(), chosen);
                }
            };
            points.push(Point {
                number: points.len() + 1,
                at,
                replicate: 0,
                seen: seen(points.len()),
            });
        }
    }

    fn spoilt_by(by: Spoiler) -> Rung {
        let mut rung = good("streams:4x50", 200.0, 10.0);
        rung.spoilt = Some(Spoilt {
            by,
            evidence: String::new(),
        });
        rung
    }

    #[test]
    fn a_rung_is_measured_as_often_as_asked_and_the_median_stands_for_it() {
        let ladder = picked(&["null:1", "null:1"], 3);
        let errors = [30.0, 10.0, 20.0, 3.0, 1.0, 2.0];
        let (measured, chosen) = climbed(&ladder, |n| good("streams:4x50", 200.0, errors[n]));
        assert_eq!(measured, [0, 0, 0, 1, 1, 1]);
        let found = chosen.iter().map(|r| r.worst_p99_us(StampSource::Kernel));
        assert_eq!(found.collect::<Vec<_>>(), [Some(20.0), Some(2.0)]);
    }

    #[test]
    fn what_other_work_spoilt_is_measured_once_more() {
        let ladder = picked(&["streams:4x50"], 1);
        let fine = |n: usize| match n {
            0 => spoilt_by(Spoiler::OtherLoad),
            _ => good("streams:4x50", 200.0, 10.0),
        };
        let (measured, chosen) = climbed(&ladder, fine);
        assert_eq!((measured.len(), chosen[0].spoilt.is_none()), (2, true));
        let (measured, chosen) = climbed(&ladder, |_| spoilt_by(Spoiler::OtherLoad));
        assert_eq!((measured.len(), chosen.len()), (2, 1));
        let (measured, _) = climbed(&ladder, |_| spoilt_by(Spoiler::Simulator));
        assert_eq!(measured.len(), 1);
    }
}
