//! How long runs may take, before they are measured.
//!
//! Warm-ups and windows alone: how long a target takes to get ready, and measured requests to end, nobody
//! knows before. Invariant: what is not known makes the whole unknown, never shorter.

use crate::drive::Order;
use crate::experiment::{LoadSpec, Pace};
use crate::runs::plan_of;
use infermeter_core::plan::Plan;
use infermeter_protocol::Coordinates;

/// Seconds that runs at these coordinates take, without what nobody knows before; absent where a closed loop
/// counts requests, or a trace has its own end.
pub fn seconds(variants: &[Plan], ahead: &[Coordinates]) -> Option<f64> {
    let each = ahead.iter().map(|at| {
        let plan = variants.get(at.variant)?;
        let order = Order {
            number: 1,
            at,
            replicate: 0,
        };
        of_one(&plan_of(plan, order))
    });
    each.sum()
}

fn of_one(plan: &Plan) -> Option<f64> {
    let load = LoadSpec::of(plan).ok()?;
    let rate = match &load.pace {
        Pace::Rate { .. } => load.peak_rate(),
        Pace::Clients { .. } | Pace::Recorded | Pace::Slots(_) => None,
    };
    let arrivals = |requests: u64| rate.map(|rate| requests as f64 / rate);
    let window = match (load.duration, load.requests) {
        (Some(time), None) => time.as_seconds(),
        (None, Some(requests)) => arrivals(requests)?,
        (Some(time), Some(requests)) => {
            arrivals(requests).map_or(time.as_seconds(), |s| s.min(time.as_seconds()))
        }
        (None, None) => return None,
    };
    let warmup = load.warmup;
    let least = warmup.least.time.as_seconds();
    let asked = arrivals(warmup.least.requests).map_or(least, |s| s.max(least));
    let warmup = warmup
        .at_most
        .map_or(asked, |most| most.as_seconds().min(asked));
    Some(warmup + window)
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_protocol::{Intensity, Length};

    fn plan(change: impl FnOnce(&mut Plan)) -> Plan {
        let mut plan = Plan {
            target: "mock:fixed".to_owned(),
            rate: Some(10.0),
            duration: "30s".parse().ok(),
            warmup: "2s+50req".parse().ok(),
            ..Plan::defaults()
        };
        change(&mut plan);
        plan
    }

    #[test]
    fn warm_ups_and_windows_add_up() {
        let check = |change: fn(&mut Plan), ahead: &[Coordinates], expect: Option<f64>| {
            assert_eq!(seconds(&[plan(change)], ahead), expect);
        };
        let as_planned = Coordinates::default();
        // 50 requests at 10 a second take longer than two seconds.
        check(|_| {}, &[as_planned; 2], Some(70.0));
        let faster = Coordinates::at(Intensity::Rate(50.0));
        check(|_| {}, &[faster], Some(32.0));
        let counted = Coordinates {
            length: Some(Length::Requests(100)),
            ..faster
        };
        check(|_| {}, &[counted], Some(4.0));
        let longer = Coordinates {
            length: Some(Length::Times(4)),
            ..faster
        };
        check(|_| {}, &[longer], Some(122.0));
        let slots = |p: &mut Plan| {
            (p.rate, p.concurrency, p.duration, p.requests) = (None, Some(4), None, Some(10));
        };
        check(slots, &[as_planned], None);
        let elsewhere = Coordinates {
            variant: 1,
            ..as_planned
        };
        check(|_| {}, &[elsewhere], None);
        check(|_| {}, &[], Some(0.0));
    }
}
