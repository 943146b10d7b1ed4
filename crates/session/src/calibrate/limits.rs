//! The highest load of each ladder within each bound.

use infermeter_core::certificate::{
    BOUNDS_US, Limit, LimitEnd, LoadKind, Proven, Rung, Spoiler, Transport,
};
use infermeter_core::record::StampSource;

/// Ladders that limits are looked for on.
const LADDERS: [LoadKind; 2] = [LoadKind::Streams, LoadKind::Requests];

/// The limits of all ladders that have a rung, by bound, kernel stamps first.
pub fn limits(rungs: &[Rung]) -> Vec<Limit> {
    let mut limits = Vec::new();
    for kind in LADDERS {
        for transport in [Transport::Plain, Transport::Tls] {
            let mut ladder: Vec<&Rung> = rungs
                .iter()
                .filter(|r| r.kind == kind && r.transport == transport)
                .collect();
            if ladder.is_empty() {
                continue;
            }
            ladder.sort_by(|a, b| ordered(a).total_cmp(&ordered(b)));
            for stamps in [StampSource::Kernel, StampSource::Program] {
                limits.extend(BOUNDS_US.map(|bound| limit(&ladder, stamps, bound)));
            }
        }
    }
    limits
}

/// What a rung asked for puts it on its place, whatever came of it.
fn ordered(rung: &Rung) -> f64 {
    rung.asked_per_s.unwrap_or(f64::INFINITY)
}

/// Climbs until a usable rung exceeds the bound.
fn limit(ladder: &[&Rung], stamps: StampSource, bound_us: f64) -> Limit {
    let mut proven: Option<Proven> = None;
    let mut ended = LimitEnd::LadderEnd;
    for rung in ladder {
        match &rung.spoilt {
            Some(spoilt) if spoilt.by == Spoiler::Simulator => ended = LimitEnd::Simulator,
            Some(_) => {}
            None => match rung.worst_p99_us(stamps) {
                None => {}
                Some(worst) if worst > bound_us => {
                    ended = LimitEnd::Exceeded;
                    break;
                }
                Some(worst_p99_us) => {
                    ended = LimitEnd::LadderEnd;
                    proven = Some(Proven {
                        rung: rung.name.clone(),
                        per_s: rung.per_s(),
                        worst_p99_us,
                    });
                }
            },
        }
    }
    Limit {
        kind: ladder[0].kind,
        transport: ladder[0].transport,
        stamps,
        bound_us,
        proven,
        ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::fixture::good;
    use infermeter_core::certificate::Spoilt;

    fn spoilt(mut rung: Rung, by: Spoiler) -> Rung {
        rung.spoilt = Some(Spoilt {
            by,
            evidence: String::new(),
        });
        rung
    }

    /// The first limit: streams, plain, kernel stamps, 100 us.
    fn check(rungs: &[Rung], expect: (Option<&str>, LimitEnd)) {
        let first = limits(rungs).remove(0);
        let proven = first.proven.as_ref().map(|p| p.rung.as_str());
        assert_eq!((proven, first.ended), expect);
    }

    #[test]
    fn the_limit_is_below_the_first_rung_that_exceeds() {
        let rungs = [
            good("streams:40x50", 2_000.0, 20.0),
            good("streams:10x50", 500.0, 10.0),
            good("streams:80x50", 4_000.0, 150.0),
            good("streams:160x50", 8_000.0, 90.0),
        ];
        check(&rungs, (Some("streams:40x50"), LimitEnd::Exceeded));
        check(&rungs[..2], (Some("streams:40x50"), LimitEnd::LadderEnd));
        check(&rungs[2..3], (None, LimitEnd::Exceeded));
    }

    #[test]
    fn spoilt_rungs_prove_nothing_and_fail_nothing() {
        let low = good("streams:10x50", 500.0, 10.0);
        let noisy = spoilt(good("streams:40x50", 2_000.0, 900.0), Spoiler::OtherLoad);
        let high = good("streams:80x50", 4_000.0, 30.0);
        let beyond = spoilt(good("streams:900x50", 40_000.0, 30.0), Spoiler::Simulator);
        let rungs = [low, noisy, high, beyond];
        check(&rungs, (Some("streams:80x50"), LimitEnd::Simulator));
        check(&rungs[..3], (Some("streams:80x50"), LimitEnd::LadderEnd));
        check(&rungs[1..2], (None, LimitEnd::LadderEnd));
    }

    #[test]
    fn every_ladder_bound_and_stamp_has_its_limit() {
        let rungs = [
            good("streams:10x50", 500.0, 50.0),
            good("requests:50", 50.0, 5.0),
            good("bytes:4096", 2_500.0, 5.0),
        ];
        let found: Vec<_> = limits(&rungs)
            .into_iter()
            .map(|l| (l.kind, l.stamps, l.bound_us, l.proven.is_some()))
            .collect();
        use LoadKind::{Requests, Streams};
        use StampSource::{Kernel, Program};
        assert_eq!(
            found,
            [
                (Streams, Kernel, 100.0, true),
                (Streams, Kernel, 1_000.0, true),
                (Streams, Program, 100.0, false),
                (Streams, Program, 1_000.0, true),
                (Requests, Kernel, 100.0, true),
                (Requests, Kernel, 1_000.0, true),
                (Requests, Program, 100.0, true),
                (Requests, Program, 1_000.0, true),
            ]
        );
    }
}
