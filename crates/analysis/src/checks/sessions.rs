//! Sessions: whether what was sent can be sent again, and whether turns kept to a trace's times.

use super::Check;
use crate::limits::{SLIP_MS, SLIP_SHARE};
use crate::percentile::Percentile;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};

/// The server's own words are part of the prompts: another run sends others.
pub(super) const LIVE_HISTORY: Check = Check {
    code: "live-history",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: live_history,
};

fn live_history(run: &Run, _: &Summary) -> Option<Finding> {
    run.manifest.plan.has_live_history().then(|| {
        LIVE_HISTORY.found(
            "Later turns hold the server's own answers: another run would not send the same bytes.",
            "--sessions history=live; the answers are in responses.jsonl.",
            "Use history=planned to compare servers on the same requests.",
        )
    })
}

/// Turns of a trace were due later than the trace has them: their answers took longer.
pub(super) const TRACE_SLIP: Check = Check {
    code: "trace-slip",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: slip,
};

fn slip(run: &Run, summary: &Summary) -> Option<Finding> {
    let slip = summary.sessions.as_ref()?.slip.as_ref()?;
    let at = |p| slip.order_statistic(Percentile::new(p)?);
    let (p50, p99) = (at(50.0)?, at(99.0)?);
    let window = run.manifest.window?;
    let limit = SLIP_MS.max(SLIP_SHARE * window.seconds() * 1e3);
    (p99 > limit).then(|| {
        TRACE_SLIP.found(
            "Turns of the trace were due later than the trace has them, because the answers before \
             them ended later.",
            format!(
                "Slip p50 {p50:.0} ms, p99 {p99:.0} ms, max {:.0} ms over {} turns; more than \
                 {limit:.0} ms at p99 is much.",
                slip.max, slip.n
            ),
            "The load is less bursty and ends later than the trace's: a larger --time-scale or a \
             faster server keeps to it.",
        )
    })
}

#[cfg(test)]
mod tests {
    use crate::checks::tests::{check, every};
    use infermeter_core::request::Turn;
    use infermeter_metrics::fixture::{Run, ms};

    /// Pairs of turns; the second is due `late` after the trace has it.
    fn slipped(late: i64) -> impl FnOnce(&mut Run) {
        move |run| {
            for (i, record) in every(run, 1).enumerate() {
                let (session, number) = (i as u64 / 2, i as u32 % 2);
                record.turn = Some(Turn { session, number });
                if number > 0 {
                    // The first measured one: 60 come before.
                    record.parent = Some(60);
                    record.planned = Some(record.intended.plus(-late));
                }
            }
        }
    }

    #[test]
    fn turns_that_the_trace_has_earlier() {
        check(slipped(ms(1_500)), &["warning trace-slip"]);
        check(slipped(ms(900)), &[]);
    }
}
