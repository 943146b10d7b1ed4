//! The load: asked, offered, realised, and the batch it implied.

use crate::run::Run;
use crate::stability::{ResidenceSummary, StabilitySummary};
use infermeter_core::rate::RateCurve;
use infermeter_core::run::Window;
use infermeter_metrics::in_flight::{InFlight, in_flight};
use infermeter_metrics::offered::{Offered, due_instants_ns, offered};
use infermeter_metrics::population::Population;
use infermeter_stats::{Variability, coefficient_of_variation, index_of_dispersion};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Windows for the index of dispersion hold about this many arrivals each.
const ARRIVALS_PER_COUNT: f64 = 10.0;

/// A measure of the realised arrivals; 1 for a Poisson process.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Realised {
    /// The measure, a ratio.
    pub value: f64,
    /// Standard error of this ratio, were the process Poisson.
    pub poisson_standard_error: f64,
    /// Gaps or counts that it rests on.
    pub n: usize,
}

impl From<Variability> for Realised {
    fn from(v: Variability) -> Self {
        Self {
            value: v.value,
            poisson_standard_error: v.poisson_standard_error,
            n: v.n,
        }
    }
}

/// Arrivals of the window beside those that its process makes on average. What came is never scaled to
/// what was expected: a load that came out low or high is within chance, and shifts the figures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Arrivals {
    /// Requests that were due by themselves, first turns of sessions among them.
    pub came: usize,
    /// The rate asked for times the window: requests.
    pub expected: f64,
    /// Standard error of their number, requests: CV of the gaps x sqrt(expected), exact for Poisson arrivals (under a
    /// rate profile too), the limit of a renewal process for gamma and Weibull gaps, 0 for constant ones.
    /// Absent for many clients, each of which has gaps of its own.
    pub standard_error: Option<f64>,
}

impl Arrivals {
    /// Nothing is expected of a closed loop, nor of a replay, which has the instants it has.
    fn of(run: &Run, came: usize, window: Window) -> Option<Self> {
        let plan = &run.manifest.plan;
        let rate = run.manifest.rate_asked.filter(|_| !plan.is_replay())?;
        let expected = rate * window.seconds();
        Some(Self {
            came,
            expected,
            standard_error: plan.gap_cv().map(|cv| cv * expected.sqrt()),
        })
    }
}

/// What was asked of the server, and what reached it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadSummary {
    /// Requests per second asked for (open loop); of a rate profile, its mean over the window.
    pub rate_asked: Option<f64>,
    /// Arrivals of the window, and how many were to be expected; open loop only.
    pub arrivals: Option<Arrivals>,
    /// Requests due inside the window, per second: the schedule as it came out.
    pub rate_due_per_s: f64,
    /// Requests sent inside the window, per second: what the server got.
    pub rate_sent_per_s: f64,
    /// Slots (closed loop).
    pub concurrency: Option<u32>,
    /// Requests due and sent.
    pub offered: Offered,
    /// Share of the measured requests that were sent inside the window.
    pub sent_share: Option<f64>,
    /// Coefficient of variation of the gaps asked for; absent in a closed loop and for a trace.
    pub cv_asked: Option<f64>,
    /// Coefficient of variation of the gaps between intended instants; under a rate profile, of
    /// gaps in units of the expected gap.
    pub cv: Option<Realised>,
    /// Index of dispersion of intended instants, counted in equal windows of about ten arrivals;
    /// under a rate profile, in windows of equally many expected ones.
    pub index_of_dispersion: Option<Realised>,
    /// Requests in flight.
    pub in_flight: InFlight,
    /// Whether the server keeps up; absent in a closed loop and where the load changes by plan.
    pub stability: Option<StabilitySummary>,
    /// Little's law on the run's own records.
    pub residence: Option<ResidenceSummary>,
}

impl LoadSummary {
    /// Over `window`.
    pub(crate) fn of(run: &Run, population: &Population<'_>, window: Window) -> Self {
        let requests = &run.collected.requests;
        let offered = offered(requests, population, window);
        let due = evened(run, due_instants_ns(requests, window), window);
        let gaps: Vec<f64> = due.windows(2).map(|p| (p[1] - p[0]) as f64).collect();
        let plan = &run.manifest.plan;
        let in_flight = in_flight(requests, window);
        Self {
            rate_asked: run.manifest.rate_asked,
            arrivals: Arrivals::of(run, due.len(), window),
            rate_due_per_s: offered.due_per_second(),
            rate_sent_per_s: offered.sent_per_second(),
            concurrency: plan.concurrency,
            sent_share: offered.sent_share(),
            offered,
            cv_asked: plan.gap_cv(),
            cv: coefficient_of_variation(&gaps)
                .ok()
                .flatten()
                .map(Realised::from),
            index_of_dispersion: dispersion(&due, window),
            stability: StabilitySummary::of(run, window),
            residence: ResidenceSummary::of(run, window, in_flight.mean),
            in_flight,
        }
    }
}

/// Instants in operational time: under a rate profile, the share of the window's expected arrivals
/// that was due before each, times the window's length. There the process asked for has a constant
/// rate, and its gaps and counts can be compared with those of others. A profile starts with the
/// window.
fn evened(run: &Run, due: Vec<i64>, window: Window) -> Vec<i64> {
    let Some(profile) = &run.manifest.plan.rate_profile else {
        return due;
    };
    let mut curve = RateCurve::new(profile, run.manifest.seeds.schedule);
    let length_ns = window.end.since(window.start);
    let whole = curve.expected(length_ns);
    if whole <= 0.0 {
        return due;
    }
    let even = |at: i64| {
        let share = curve.expected(at - window.start.0) / whole;
        window.start.0 + (share * length_ns as f64).round() as i64
    };
    due.into_iter().map(even).collect()
}

fn dispersion(due: &[i64], window: Window) -> Option<Realised> {
    let counts = (due.len() as f64 / ARRIVALS_PER_COUNT).floor().max(2.0);
    let width = (window.end.since(window.start) as f64 / counts) as i64;
    let span = window.start.0..window.end.0;
    let index = index_of_dispersion(due, width, span).ok().flatten();
    index.map(Realised::from)
}

#[cfg(test)]
mod tests {
    use super::Arrivals;
    use super::LoadSummary;
    use infermeter_core::plan::ArrivalKind;
    use infermeter_core::rate::RateCurve;
    use infermeter_metrics::fixture::{Run, ms};
    use infermeter_metrics::population::Population;

    #[test]
    fn what_came_stands_beside_what_was_expected() {
        let arrivals = |arrival, cv, rate: Option<f64>| {
            let mut run = Run::open(1.0, 60);
            run.manifest().rate_asked = rate;
            let plan = &mut run.manifest().plan;
            plan.rate = rate;
            (plan.arrival, plan.cv) = (arrival, cv);
            (0..44).for_each(|i| {
                run.stream(i * 1_300, ms(20), ms(10), 2);
            });
            let log = run.build();
            let window = log.manifest.window.expect("a window");
            let run = crate::Run::of(&log);
            LoadSummary::of(&run, &Population::of(&run.collected), window).arrivals
        };
        let expect = |standard_error| Arrivals {
            came: 44,
            expected: 60.0,
            standard_error: Some(standard_error),
        };
        let one = Some(1.0);
        let root = 60.0_f64.sqrt();
        assert_eq!(
            arrivals(ArrivalKind::Poisson, None, one),
            Some(expect(root))
        );
        let gamma = arrivals(ArrivalKind::Gamma, Some(2.0), one);
        assert_eq!(gamma, Some(expect(2.0 * root)));
        assert_eq!(
            arrivals(ArrivalKind::Constant, None, one),
            Some(expect(0.0))
        );
        assert_eq!(arrivals(ArrivalKind::Poisson, None, None), None);
    }

    #[test]
    fn a_profiles_rate_is_divided_out() {
        let text = "ramp:2..20/20s";
        let mut run = Run::open(1.0, 20);
        let plan = &mut run.manifest().plan;
        plan.rate = None;
        plan.rate_profile = text.parse().ok();
        plan.arrival = ArrivalKind::Constant;
        // Equal gaps under the profile; in time they shrink from 400 ms to 50 ms.
        let mut curve = RateCurve::new(&text.parse().expect("a profile"), 0);
        for n in 0..220 {
            let at = curve.instant(f64::from(n) + 0.5).expect("an instant");
            run.stream(at / 1_000_000, ms(20), ms(10), 2);
        }
        let log = run.build();
        let window = log.manifest.window.expect("a window");
        let load = {
            let run = crate::Run::of(&log);
            LoadSummary::of(&run, &Population::of(&run.collected), window)
        };
        assert_eq!(load.cv_asked, Some(0.0));
        let arrivals = load.arrivals.expect("an open loop");
        assert_eq!((arrivals.came, arrivals.standard_error), (220, Some(0.0)));
        // What is left is the rounding of the fixture's instants to milliseconds.
        let cv = load.cv.expect("gaps").value;
        assert!(cv < 0.02, "{cv}");
        let index = load.index_of_dispersion.expect("counts").value;
        assert!(index < 0.05, "{index}");
    }
}
