//! Whether the client's machine gave it what it needed: CPU, cores at the right time, descriptors,
//! local ports, clock speed.
//!
//! These are causes. What came of them (late sends, uncertain instants) has findings of its own, so
//! nothing here is an error. Facts about the host are those that the facade saved in
//! `environment.client`; what the system did not tell raises nothing.

use super::failures::of_reason;
use super::{Check, count, percent};
use crate::limits::{self, PORT_HELD_S, RUN_QUEUE_WAIT_MUCH};
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::environment::Bound;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::record::Reason;
use infermeter_core::run::{ClientHealth, RunManifest};
use std::collections::BTreeMap;

/// A client thread had no time left.
pub(super) const CLIENT_BUSY: Check = Check {
    code: "client-busy",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: Some(limits::CLIENT_BUSY),
    test: client_busy,
};

fn client_busy(_: &Run, summary: &Summary) -> Option<Finding> {
    let threads = summary.client.threads.as_ref()?;
    let busiest = threads
        .busiest_thread
        .filter(|share| *share > limits::CLIENT_BUSY)?;
    Some(CLIENT_BUSY.found(
        "A client thread had hardly any time to spare: a little more load, and its own queue is in \
         the results.",
        format!(
            "The busiest of {} threads used {} of a core; more than {} is too much.{}",
            threads.threads,
            percent(busiest),
            percent(limits::CLIENT_BUSY),
            summary.client.worst_rank(|threads| threads.busiest_thread)
        ),
        "Use more --threads on more cores, a stronger machine, or several clients.",
    ))
}

/// Client threads were ready to run and had no core.
pub(super) const RUN_QUEUE_WAIT: Check = Check {
    code: "run-queue-wait",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::NoteUpToLimit,
    limit: Some(RUN_QUEUE_WAIT_MUCH),
    test: run_queue_wait,
};

fn run_queue_wait(_: &Run, summary: &Summary) -> Option<Finding> {
    let threads = summary.client.threads.as_ref()?;
    let share = threads.run_queue_wait_share?;
    if share <= limits::RUN_QUEUE_WAIT {
        return None;
    }
    let severity = RUN_QUEUE_WAIT.weigh(share)?;
    Some(RUN_QUEUE_WAIT.weighing(
        severity,
        "Client threads were ready to run and waited for a core: something else runs there.",
        format!(
            "{} of the time, the worst of {} threads on {} cores; questionable beyond {}.{}",
            percent(share),
            threads.threads,
            threads.cores,
            percent(RUN_QUEUE_WAIT_MUCH),
            summary.client.worst_rank(|threads| threads.run_queue_wait_share)
        ),
        "Stop what else runs on this machine, or use fewer --threads than cores.",
    ))
}

/// Requests waited for a connection that the system did not allow.
pub(super) const TOO_FEW_CONNECTIONS: Check = Check {
    code: "too-few-connections",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: too_few_connections,
};

pub(super) fn too_few_connections(run: &Run, summary: &Summary) -> Option<Finding> {
    let waits = summary.client.threads.as_ref()?.waits_for_cap;
    let client = &run.manifest.environment.client;
    let (what, advice) = match client.connections_bound_by? {
        Bound::Descriptors => (
            "file descriptors",
            "Raise the hard limit of open files (`ulimit -Hn`, LimitNOFILE).",
        ),
        Bound::Ports => (
            "local ports",
            "Widen net.ipv4.ip_local_port_range, give several addresses of this host with --source-address, or \
             share the load between several clients.",
        ),
        Bound::Plan => return None,
    };
    let most = client.max_connections.map(|n| n as u64);
    let most = most.map_or_else(String::new, |n| format!(" at {} connections", count(n)));
    (waits > 0).then(|| {
        TOO_FEW_CONNECTIONS.found(
            "Requests waited for a free connection, because this system allows no more of them.",
            format!("{waits} times{most}, for want of {what}; the wait is in the send lag."),
            advice,
        )
    })
}

/// A source address had no local port left.
pub(super) const PORTS_EXHAUSTED: Check = Check {
    code: "ports-exhausted",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: ports_exhausted,
};

fn ports_exhausted(run: &Run, summary: &Summary) -> Option<Finding> {
    let without = of_reason(summary, Reason::PortsExhausted);
    if without == 0 {
        return None;
    }
    let manifest = &run.manifest;
    let host = manifest.environment.client.host.as_ref();
    let range = host.and_then(|host| host.local_ports);
    let range = range.map_or_else(String::new, |(low, high)| {
        format!(" Local ports are {low} to {high}, for each source address and each address of the server.")
    });
    let sources = match manifest.plan.source_address.len() {
        0 | 1 => "One source address".to_owned(),
        n => format!("{n} source addresses"),
    };
    Some(PORTS_EXHAUSTED.found(
        "The client had no local port left for further connections to the server: it failed requests itself.",
        format!(
            "{} of {} measured requests. {sources}.{range}",
            count(without),
            count(summary.requests.measured.total)
        ),
        "Give several addresses of this host with --source-address, spread the load over several targets or \
         several clients, or let connections be used again (--keepalive, and the server's own limit).",
    ))
}

/// Ports that connections to one address of a server can have: those of each source address.
fn ports_of(run: &Run) -> Option<u64> {
    let manifest = &run.manifest;
    let (low, high) = manifest.environment.client.host.as_ref()?.local_ports?;
    let of_each = u64::from(high).checked_sub(u64::from(low))? + 1;
    Some(of_each * manifest.plan.source_address.len().max(1) as u64)
}

/// Connections were opened so fast that closed ones may have used up the local ports.
pub(super) const PORTS_IN_USE: Check = Check {
    code: "ports-in-use",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: Some(limits::PORTS_IN_USE),
    test: ports_in_use,
};

fn ports_in_use(run: &Run, _: &Summary) -> Option<Finding> {
    let ports = ports_of(run)?;
    let machine = machines(&run.manifest)
        .into_iter()
        .max_by(|a, b| a.held().total_cmp(&b.held()))?;
    let (opened, held) = (machine.opened, machine.held());
    (held > limits::PORTS_IN_USE * ports as f64).then(|| {
        PORTS_IN_USE.found(
            "Connections were opened so fast that closed ones held a large part of the local ports: \
             connects may have waited or failed for want of one.",
            format!(
                "{} opened{}; about {} in any {PORT_HELD_S:.0} s, which a closed port is held for, of {} ports.",
                count(opened),
                machine.on,
                count(held as u64),
                count(ports)
            ),
            "Let connections be used again (--keepalive, and the server's own limit), widen \
             net.ipv4.ip_local_port_range, give several addresses of this host with --source-address, or \
             share the load between several clients.",
        )
    })
}

/// A machine with a range of ports of its own.
#[derive(Default)]
struct Machine {
    /// ` on node-b`; empty where there is one.
    on: String,
    /// Connections that its clients opened.
    opened: u64,
    wall_ns: i64,
}

impl Machine {
    fn add(&mut self, health: &ClientHealth) {
        let opened = health.threads.iter().map(|t| t.connections_opened);
        self.opened += opened.sum::<u64>();
        let wall_ns = health.threads.iter().map(|t| t.wall_ns).max();
        self.wall_ns = self.wall_ns.max(wall_ns.unwrap_or(0));
    }

    /// Ports that its closed connections hold at any time.
    fn held(&self) -> f64 {
        let seconds = (self.wall_ns as f64 / 1e9).max(PORT_HELD_S);
        self.opened as f64 / seconds * PORT_HELD_S
    }
}

/// The machines of a run: that of its client, or those of its ranks.
fn machines(manifest: &RunManifest) -> Vec<Machine> {
    let mut machines: BTreeMap<&str, Machine> = BTreeMap::new();
    for client in &manifest.clients {
        let rank = client.rank.as_ref();
        let host = rank.map_or("", |rank| rank.host.as_str());
        let boot = rank.and_then(|rank| rank.machine.as_deref());
        let machine = machines.entry(boot.unwrap_or(host)).or_default();
        machine.on = format!(" on {host}");
        machine.add(&client.health);
    }
    if machines.len() < 2 {
        let mut only = Machine::default();
        manifest.client_health.iter().for_each(|h| only.add(h));
        return vec![only];
    }
    machines.into_values().collect()
}

/// The cores change their clock with the load.
pub(super) const POWER_GOVERNOR: Check = Check {
    code: "power-governor",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: power_governor,
};

fn power_governor(run: &Run, _: &Summary) -> Option<Finding> {
    let governors = run.manifest.environment.client.governors.iter();
    let slow: Vec<&str> = governors
        .map(String::as_str)
        .filter(|name| *name != "performance")
        .collect();
    (!slow.is_empty()).then(|| {
        POWER_GOVERNOR.found(
            "The client's cores change their clock with the load: a core that was idle wakes up slowly.",
            format!("Frequency governor: {}.", slow.join(", ")),
            "Use the governor performance (cpupower frequency-set -g performance).",
        )
    })
}

#[cfg(test)]
mod tests;
