//! The steps of a rate profile inside the measured window.
//!
//! Invariant: they cover the window without gap or overlap, and neighbours differ in their rates.

use infermeter_core::plan::{After, BurstPhases, RateProfile};

/// More steps than this are not told one by one.
pub(super) const MOST_STEPS: usize = 100;

/// A constant rate, nanoseconds since the window's start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Piece {
    pub from_ns: i64,
    pub to_ns: i64,
    /// Requests per second.
    pub rate: f64,
}

/// The steps of a profile over so long a window, and whether some were left out; `None` of a profile without steps.
pub(super) fn pieces(profile: &RateProfile, window_ns: i64) -> Option<(Vec<Piece>, bool)> {
    match profile {
        RateProfile::Steps { .. }
        | RateProfile::Bursts {
            phases: BurstPhases::Fixed,
            ..
        } => {}
        RateProfile::Ramp { .. }
        | RateProfile::Points { .. }
        | RateProfile::Diurnal { .. }
        | RateProfile::Bursts {
            phases: BurstPhases::Exponential,
            ..
        } => return None,
    }
    let lap = profile.stretches();
    let repeats = profile.after() == After::Repeat;
    let mut pieces: Vec<Piece> = Vec::new();
    let mut at_ns = 0;
    let mut laps = lap.iter().cycle();
    for place in 0.. {
        if at_ns >= window_ns {
            return Some((pieces, false));
        }
        let (rate, to_ns) = match laps.next() {
            Some(stretch) if repeats || place < lap.len() => {
                (stretch.to, at_ns.saturating_add(stretch.span.ns().max(1)))
            }
            // The last rate holds.
            _ => (profile.held().unwrap_or(0.0), window_ns),
        };
        let to_ns = to_ns.min(window_ns);
        let is_full = pieces.len() == MOST_STEPS;
        match pieces.last_mut() {
            Some(before) if before.rate == rate => before.to_ns = to_ns,
            _ if is_full => return Some((pieces, true)),
            _ => pieces.push(Piece {
                from_ns: at_ns,
                to_ns,
                rate,
            }),
        }
        at_ns = to_ns;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(profile: &str, window_s: i64) -> Vec<(i64, i64, f64)> {
        let profile: RateProfile = profile.parse().expect("a profile");
        let (pieces, _) = pieces(&profile, window_s * 1_000_000_000).expect("steps");
        let seconds = |ns: i64| ns / 1_000_000_000;
        let all = pieces.iter();
        all.map(|p| (seconds(p.from_ns), seconds(p.to_ns), p.rate))
            .collect()
    }

    #[test]
    fn steps_cover_the_window() {
        assert_eq!(
            of("steps:10/30s,40/60s", 120),
            [(0, 30, 10.0), (30, 120, 40.0)]
        );
        assert_eq!(of("steps:10/30s,40/60s", 20), [(0, 20, 10.0)]);
        assert_eq!(
            of("steps:10/30s,40/30s,repeat", 100),
            [
                (0, 30, 10.0),
                (30, 60, 40.0),
                (60, 90, 10.0),
                (90, 100, 40.0)
            ]
        );
        assert_eq!(
            of("bursts:50/5s,5/10s", 20),
            [(0, 5, 50.0), (5, 15, 5.0), (15, 20, 50.0)]
        );
        // What does not change is no step.
        assert_eq!(
            of("steps:10/5s,10/5s,20/5s", 15),
            [(0, 10, 10.0), (10, 15, 20.0)]
        );
    }

    #[test]
    fn there_is_a_limit_and_it_is_said() {
        let profile: RateProfile = "bursts:50/1s,5/1s".parse().expect("a profile");
        let (all, cut) = pieces(&profile, 1_000 * 1_000_000_000).expect("steps");
        assert!(cut && all.len() == MOST_STEPS);
        for text in ["ramp:1..2/5s", "diurnal:1..2/1h", "random-bursts:5/1s,1/1s"] {
            let profile = text.parse().expect("a profile");
            assert_eq!(pieces(&profile, 1_000_000_000), None, "{text}");
        }
    }
}
