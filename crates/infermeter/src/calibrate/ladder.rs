//! Which rungs are measured, and when a ladder has been climbed far enough.

use super::spec::{Shape, Spec};
use crate::cli::tables::CalibrateArgs;
use anyhow::{Context, Result, bail};
use infermeter_core::certificate::{LoadKind, Rung, Spoiler, Transport};
use infermeter_core::record::StampSource;
use infermeter_core::units::Span;

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
}

impl Ladder {
    /// What the flags ask for.
    ///
    /// # Errors
    /// Naming the flag, the value and what to write.
    pub fn from_args(args: &CalibrateArgs) -> Result<Self> {
        let steps = match (args.quick, args.full) {
            (true, _) => QUICK,
            (_, true) => FULL,
            _ => STANDARD,
        };
        let mut specs = match (args.rung.as_slice(), args.null) {
            ([], false) => steps.specs(),
            ([], true) => steps.ceilings(),
            (picked, _) => parse(picked)?,
        };
        if let Some(most) = args.max_events {
            // A ceiling asks for as many as go.
            specs.retain(|spec| spec.events_per_s().is_some_and(|asked| asked <= most));
            if specs.is_empty() {
                bail!("--max-events {most}: no rung asks for so few events per second");
            }
        }
        Ok(Self {
            specs,
            duration: args.duration.unwrap_or(steps.duration),
            warmup: args.duration.map_or(steps.warmup, |d| Span(d.ns() / 3)),
            is_whole: args.rung.is_empty() && !args.null && args.max_events.is_none(),
            is_picked: !args.rung.is_empty(),
        })
    }

    /// Whether a rung is worth measuring after those below it.
    pub fn wants(&self, spec: Spec, measured: &[Rung]) -> bool {
        let mut below = measured
            .iter()
            .filter(|r| r.kind == spec.kind() && r.transport == spec.transport);
        self.is_picked || spec.kind().is_ceiling() || !below.any(is_saturated)
    }
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

/// Kinds of which a ladder has rungs, for messages.
pub fn kinds(specs: &[Spec]) -> Vec<LoadKind> {
    let has = |kind: &LoadKind| specs.iter().any(|spec| spec.kind() == *kind);
    LoadKind::ALL.into_iter().filter(has).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::limits::tests::good;
    use infermeter_core::certificate::Spoilt;

    fn ladder(change: impl FnOnce(&mut CalibrateArgs)) -> Result<Ladder> {
        let mut args = CalibrateArgs::default();
        change(&mut args);
        Ladder::from_args(&args)
    }

    #[test]
    fn ladders_grow_and_hold_every_kind() {
        let rungs = |l: Result<Ladder>| l.expect("a ladder").specs.len();
        let (quick, standard, full) = (
            rungs(ladder(|a| a.quick = true)),
            rungs(ladder(|_| {})),
            rungs(ladder(|a| a.full = true)),
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
        let null = ladder(|a| a.null = true).expect("a ladder");
        assert_eq!(kinds(&null.specs), [LoadKind::Null, LoadKind::Flood]);
        let error = ladder(|a| {
            a.rung = vec!["streams:9x50".to_owned()];
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
}
