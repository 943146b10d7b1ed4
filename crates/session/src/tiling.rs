//! The phases of a tiling (`--prefix tiling:...`): whole rotations through its contexts.
//!
//! It makes no schedule. Invariant: what was given is kept or refused, never changed.

use anyhow::{Result, bail};
use infermeter_core::plan::{Plan, PrefixMode, Warmup};
use infermeter_core::units::Span;

/// Sets the warm-up and the number of measured requests where they were not given: at least one
/// rotation of warm-up, and whole rotations of both.
///
/// # Errors
/// When a given one is not a whole number of rotations, with the numbers that would be.
pub fn settle(plan: &mut Plan) -> Result<()> {
    let Some(PrefixMode::Tiling {
        contexts,
        rotations,
        ..
    }) = plan.prefix
    else {
        return Ok(());
    };
    let contexts = u64::from(contexts);
    if plan.trace.is_some() {
        bail!("--prefix tiling and --trace exclude each other: each brings its own prompts");
    }
    if let Some(duration) = plan.duration {
        bail!(
            "--duration {duration} would cut a rotation short: give --requests N, a multiple of \
             {contexts}, or the rotations with the tiling"
        );
    }
    plan.requests = match (plan.requests, rotations.map(|r| contexts * u64::from(r))) {
        (None, None) => bail!(
            "--prefix tiling: how long? Give --requests N, a multiple of {contexts}, or the \
             rotations, as in {}/3",
            plan.prefix.map(|mode| mode.to_string()).unwrap_or_default()
        ),
        (Some(given), Some(asked)) if given != asked => bail!(
            "--requests {given}: the rotations of the tiling are {asked} requests; leave one out"
        ),
        (Some(given), None) if given % contexts != 0 => bail!(
            "--requests {given} is not a whole number of rotations through {contexts} contexts: write \
             {}",
            around(given, contexts)
        ),
        (given, asked) => given.or(asked),
    };
    plan.warmup = match plan.warmup {
        None => Some(Warmup {
            time: Span(0),
            requests: default_warmup().next_multiple_of(contexts),
        }),
        Some(given) if given.requests == 0 || given.requests % contexts != 0 => bail!(
            "--warmup {given}: a tiling warms up for whole rotations through its {contexts} \
             contexts, at least one: write {}",
            warmups(given, contexts)
        ),
        given => given,
    };
    Ok(())
}

/// Requests of a default warm-up.
fn default_warmup() -> u64 {
    Warmup::default_for(None).requests
}

/// The multiples of `of` on both sides of `n`.
fn around(n: u64, of: u64) -> String {
    match (n / of * of, n.next_multiple_of(of)) {
        (0, above) => above.to_string(),
        (below, above) => format!("{below} or {above}"),
    }
}

fn warmups(given: Warmup, contexts: u64) -> String {
    let requests = given.requests.max(1).next_multiple_of(contexts);
    Warmup { requests, ..given }.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(prefix: &str) -> Plan {
        Plan {
            prefix: prefix.parse().ok(),
            ..Plan::defaults()
        }
    }

    fn refused(plan: Plan, said: &str) {
        let mut plan = plan;
        let error = settle(&mut plan).expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    }

    #[test]
    fn phases_are_whole_rotations() {
        let mut settled = plan("tiling:20/1000/50/3");
        settle(&mut settled).expect("settles");
        assert_eq!(settled.requests, Some(60));
        assert_eq!(
            settled.warmup.map(|w| w.to_string()),
            Some("60req".to_owned())
        );
        let mut given = Plan {
            requests: Some(400),
            warmup: "5s+200req".parse().ok(),
            ..plan("tiling:200/1000/50")
        };
        let before = given.clone();
        settle(&mut given).expect("settles");
        assert_eq!(given, before);
    }

    #[test]
    fn what_is_no_whole_number_is_refused_with_the_right_ones() {
        let tiling = || plan("tiling:20/1000/50");
        refused(tiling(), "--requests N, a multiple of 20");
        let requests = Some(50);
        refused(
            Plan {
                requests,
                ..tiling()
            },
            "write 40 or 60",
        );
        let requests = Some(7);
        refused(
            Plan {
                requests,
                ..tiling()
            },
            "write 20",
        );
        let duration = Some(Span::seconds(9));
        refused(
            Plan {
                duration,
                ..tiling()
            },
            "--duration 9s",
        );
        for (warmup, said) in [
            ("0", "write 20req"),
            ("30s", "write 30s+20req"),
            ("30req", "write 40req"),
        ] {
            let requests = Some(40);
            let warmup = warmup.parse().ok();
            let plan = Plan {
                requests,
                warmup,
                ..tiling()
            };
            refused(plan, said);
        }
        let requests = Some(80);
        let both = plan("tiling:20/1000/50/3");
        refused(Plan { requests, ..both }, "are 60 requests");
    }
}
