//! Facts of a target: reached, asked as a run asks it before the load, and left alone again.

use super::gpu;
use crate::experiment::{Experiment, Server};
use crate::failure::{Cause, Failure};
use crate::found::{channel_to, duration, unless_stopped};
use crate::host::Host;
use crate::observer::Observer;
use crate::redact::redact_lines;
use crate::run_id::RunIdentity;
use crate::target::{Target, Wanted};
use crate::ways::{self, Way};
use anyhow::{Context, Result};
use infermeter_analysis::doctor::{Answered, Fact, Reached, TargetSeen};
use infermeter_client::encode::Target as Url;
use infermeter_core::server::ServerFigures;
use infermeter_probe::waits::Waits;

/// Finds out all that a run would before its load; a simulator is started for it, and ended.
///
/// # Errors
/// Where the plan is wrong, where a simulator does not start, and when a signal came. A target that cannot be
/// used is a fact.
pub fn target(host: &Host, experiment: &Experiment, observer: &dyn Observer) -> Result<TargetSeen> {
    let identity = RunIdentity::fresh(None)?;
    let simulated = experiment.is_simulated();
    // A simulator has no address before it runs.
    let served = match simulated {
        true => None,
        false => Some(of_ways(experiment, None, observer)?),
    };
    let unreached = served
        .as_ref()
        .and_then(|found| found.reached.as_ref().err());
    let ready = match unreached {
        Some(why) => Err(why.clone()),
        None => {
            let wanted = Wanted {
                identity: &identity,
                part: None,
            };
            usable(Target::ready(host, experiment, wanted, None, observer))?
        }
    };
    let found = match (served, &ready) {
        (Some(found), _) => found,
        (None, Ok(ready)) => {
            let url = ready.found().facts.url.clone();
            of_ways(experiment, url.as_deref(), observer)?
        }
        (None, Err(why)) => OfWays {
            name: String::new(),
            tls: false,
            reached: Err(why.clone()),
            resolved_ms: None,
        },
    };
    let answered = ready.as_ref().map(|ready| answered(experiment, ready));
    let answered = answered.map_err(String::clone);
    if let Ok(ready) = ready {
        ready.end()?;
    }
    Ok(TargetSeen {
        name: match &experiment.target.server {
            Server::Simulator(mock) => format!("mock:{mock}"),
            Server::Served(_) => found.name,
        },
        simulated,
        tls: found.tls,
        reached: found.reached,
        resolved_ms: found.resolved_ms,
        answered,
        gpu: gpu::look(),
    })
}

/// What is wrong with a target is a fact about it; all else is an error.
fn usable<T>(result: Result<T>) -> Result<Fact<T>> {
    match result {
        Ok(found) => Ok(Ok(found)),
        Err(error) => match Cause::of(&error) {
            Cause::Target => Ok(Err(redact_lines(&format!("{error:#}")))),
            Cause::Usage | Cause::Invalid | Cause::Interrupted => Err(error),
        },
    }
}

/// The ways to a target.
struct OfWays {
    name: String,
    tls: bool,
    reached: Fact<Vec<Reached>>,
    resolved_ms: Option<f64>,
}

fn of_ways(experiment: &Experiment, url: Option<&str>, observer: &dyn Observer) -> Result<OfWays> {
    let targets = ways::targets(&experiment.target.server, url)?;
    let first = targets.first().context("no target")?;
    let names: Vec<String> = targets.iter().map(Url::to_string).collect();
    let (name, tls) = (names.join(" "), first.is_https());
    let own = experiment.clone();
    let found = unless_stopped(observer, move |waits| {
        usable(reached(&own, &targets, &waits))
    })?;
    let (resolved_ms, reached) = match found {
        Ok((resolved_ms, reached)) => (resolved_ms, Ok(reached)),
        Err(why) => (None, Err(why)),
    };
    Ok(OfWays {
        name,
        tls,
        reached,
        resolved_ms,
    })
}

fn reached(
    experiment: &Experiment,
    targets: &[Url],
    waits: &Waits,
) -> Result<(Option<f64>, Vec<Reached>)> {
    let timeout = duration(experiment.client.connect_timeout);
    let ways = ways::find(experiment, targets, timeout, waits)?;
    let opened: Result<Vec<Reached>> = ways.all.iter().map(|way| opened(experiment, way)).collect();
    // That of a proxy says nothing of the target.
    let direct = experiment.target.server.proxy().is_none();
    Ok((ways.resolve_ns.filter(|_| direct).map(ms), opened?))
}

fn opened(experiment: &Experiment, way: &Way) -> Result<Reached> {
    let opened = channel_to(experiment, way).open();
    let opened = opened.map_err(|error| Failure::target(error.to_string()))?;
    Ok(Reached {
        name: way.name.clone(),
        connect_ms: ms(opened.connect_ns),
        raised: opened.raised_ns.map(ms),
    })
}

fn ms(ns: i64) -> f64 {
    ns as f64 / 1e6
}

fn answered(experiment: &Experiment, ready: &Target) -> Answered {
    let found = ready.found();
    let answers = found
        .control
        .iter()
        .filter(|request| request.status.is_some());
    Answered {
        facts: found.facts.clone(),
        model: infermeter_core::text::inert(&found.model, 200),
        answers: answers.count(),
        generates: experiment.requests.form.endpoint.generates(),
        figures: found
            .metrics
            .as_ref()
            .map_or_else(Vec::new, |pages| figures(pages.before())),
        doubts: found.findings.clone(),
    }
}

/// The figures that a page has, by their names.
fn figures(page: &ServerFigures) -> Vec<String> {
    let names = page.iter().map(|(quantity, _)| quantity.name().to_owned());
    names.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::server::Quantity;

    #[test]
    fn figures_that_a_page_lacks_are_not_counted() {
        let page = ServerFigures::from([(Quantity::Running, 0.0), (Quantity::KvUsage, 0.5)]);
        assert_eq!(figures(&page), ["running", "kv_usage"]);
    }
}
