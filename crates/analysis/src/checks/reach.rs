//! Whether the server could be reached all the time.

use super::{Check, counted, percent};
use crate::limits::{FAILED, QUESTIONABLE_FRACTION, UNREACHABLE, UNREACHABLE_NS};
use crate::reach::{Gap, gaps};
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::clock::Offset;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::record::{Outcome, Reason};
use infermeter_core::schedule::Phase;
use infermeter_metrics::window::measured_window;

/// Gaps that the evidence lists.
const LISTED: usize = 4;

/// The server was away for a time. Found as time and not as a share of requests: how many fall into a
/// gap is a matter of the load.
pub const SERVER_UNREACHABLE: Check = Check {
    code: "server-unreachable",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::UpTo(Severity::Error),
    limit: Some(UNREACHABLE),
    test: unreachable,
};

fn unreachable(run: &Run, summary: &Summary) -> Option<Finding> {
    let gaps = gaps(run);
    let longest = gaps.iter().max_by_key(|gap| length(gap, run))?;
    let window = measured_window(&run.manifest, &run.collected.requests);
    let inside: i64 = window.map_or(0, |w| gaps.iter().map(|gap| gap.inside(w)).sum());
    let share = window.map_or(0.0, |w| inside as f64 / w.end.since(w.start) as f64);
    let failed = summary.requests.failed.map_or(0.0, |share| share.value);
    let severity = if share > UNREACHABLE {
        Severity::Error
    } else if inside > UNREACHABLE_NS || (inside > 0 && failed > FAILED * QUESTIONABLE_FRACTION) {
        Severity::Warning
    } else {
        Severity::Note
    };
    let origin = window.map_or(Offset::ZERO, |w| w.start);
    let mut list: Vec<String> = gaps.iter().take(LISTED).map(|g| span(g, origin)).collect();
    if gaps.len() > LISTED {
        list.push(format!("{} more", gaps.len() - LISTED));
    }
    Some(SERVER_UNREACHABLE.weighing(
        severity,
        format!("The server was unreachable from {}.", span(longest, origin)),
        format!(
            "{}. {:.2} s inside the window, {} of it; invalid beyond {}. Seconds from the window's start.",
            list.join(", "),
            inside as f64 / 1e9,
            percent(share),
            percent(UNREACHABLE)
        ),
        "Look at the server's log and at what supervises it: it went away, was restarted, or the network \
         to it was down. Measure again without that, or report it as what it is.",
    ))
}

/// Requests to one of several addresses that could not be connected to, while another served.
#[derive(Debug, Default, Clone, Copy)]
struct Reached {
    sent: u64,
    unreachable: u64,
    completed: u64,
}

/// One address of several refused connections while others served. The server as a whole was never away, so
/// that [`SERVER_UNREACHABLE`] has nothing to tell.
pub(super) const ADDRESS_DOWN: Check = Check {
    code: "address-down",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: address_down,
};

fn address_down(run: &Run, _: &Summary) -> Option<Finding> {
    let names = &run.manifest.addresses;
    let mut by_address = vec![Reached::default(); names.len()];
    let requests = run.collected.requests.iter();
    for request in requests.filter(|r| r.phase == Phase::Measure) {
        let place = request.address.and_then(|n| by_address.get_mut(n as usize));
        let Some(reached) = place else {
            continue;
        };
        reached.sent += 1;
        reached.completed += u64::from(request.outcome == Outcome::Completed);
        reached.unreachable += u64::from(matches!(
            request.reason,
            Some(Reason::ConnectFailed | Reason::ConnectBackoff | Reason::ConnectTimeout)
        ));
    }
    let served = by_address.iter().any(|reached| reached.completed > 0);
    let down: Vec<String> = names
        .iter()
        .zip(&by_address)
        .filter(|(_, reached)| reached.unreachable > 0)
        .map(|(name, reached)| {
            let (failed, sent) = (reached.unreachable, counted(reached.sent, "request"));
            format!("{name}: {failed} of {sent} could not connect")
        })
        .collect();
    let first = down.first()?.split(": ").next()?.to_owned();
    let all = down.len() == names.len();
    (names.len() > 1 && served && !all).then(|| {
        ADDRESS_DOWN.found(
            match down.len() {
                1 => format!("{first} refused connections while the other addresses served."),
                n => format!("{n} addresses refused connections while others served."),
            },
            format!("{}.", down.join("; ")),
            "See why that server is down, or leave its address out: figures of all addresses together \
             describe none of them.",
        )
    })
}

fn length(gap: &Gap, run: &Run) -> i64 {
    let ended = run.manifest.progress.as_ref().map(|p| p.ended);
    let until = gap.until.or(ended).unwrap_or(gap.from);
    until.since(gap.from)
}

/// `3.21 s to 5.40 s (22 requests failed)`.
fn span(gap: &Gap, origin: Offset) -> String {
    let seconds = |at: Offset| format!("{:.2} s", at.since(origin) as f64 / 1e9);
    let until = gap.until.map_or("the end".to_owned(), seconds);
    let failed = match gap.failed {
        0 => "connects waited".to_owned(),
        n => format!("{} failed", counted(n, "request")),
    };
    format!("{} to {until} ({failed})", seconds(gap.from))
}
