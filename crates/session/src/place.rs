//! Where the client runs: threads, cores, connections, descriptors.

use crate::experiment::ClientSpec;
use crate::load::Load;
use anyhow::{Result, bail};
use infermeter_core::environment::Bound;

/// Descriptors kept for files, timers and pipes.
const RESERVED_DESCRIPTORS: u64 = 64;
/// Those of a worker beside its connections.
const DESCRIPTORS_PER_THREAD: u64 = 4;
/// Workers that there is room for.
const MOST_THREADS: u64 = 1_024;
/// Connections opened before the clock starts, at most, in open loop.
const MAX_AHEAD: f64 = 256.0;
/// Connections opened before the clock starts, at least.
const MIN_AHEAD: f64 = 4.0;
/// Ports of outgoing connections where the system does not tell.
const DEFAULT_PORTS: u64 = 28_000;

/// Cores of the two sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cores {
    /// For the embedded simulator; empty: none, or not apart.
    pub mock: Vec<usize>,
    /// For the client.
    pub client: Vec<usize>,
}

impl Cores {
    /// All of them for the client.
    pub(crate) fn of_client(all: &[usize]) -> Self {
        Self {
            mock: Vec::new(),
            client: all.to_vec(),
        }
    }

    /// The simulator gets the first half, the client the rest; one core is shared.
    pub fn split(all: &[usize]) -> Self {
        if all.len() < 2 {
            return Self::of_client(all);
        }
        let (mock, client) = all.split_at(all.len() / 2);
        Self {
            mock: mock.to_vec(),
            client: client.to_vec(),
        }
    }
}

/// Threads and connections of the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Worker threads.
    pub threads: usize,
    /// Most connections at once.
    pub max_connections: usize,
    /// What bounds them.
    pub bound_by: Bound,
    /// Connections opened before the clock starts.
    pub open_ahead: usize,
}

/// Where a client runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placement<'a> {
    /// The cores of both sides.
    pub cores: &'a Cores,
    /// Threads and connections.
    pub size: Size,
}

/// What the system allows. A closed loop needs a connection for each slot, an open one as many as there
/// turn out to be requests in flight: at least one, and the finding `too-few-connections` tells of more.
struct System {
    /// Connections at once.
    possible: u64,
    /// File descriptors.
    limit: u64,
    /// Local ports.
    ports: u64,
    /// Descriptors for other things.
    own: u64,
}

impl System {
    /// # Errors
    /// When that many connections are not allowed, with what to do.
    fn allows(&self, flag: &str, connections: u64) -> Result<()> {
        let Self {
            possible,
            limit,
            ports,
            ..
        } = self;
        if connections <= *possible {
            return Ok(());
        }
        let advice = if possible < ports {
            let needed = connections + self.own;
            format!("raise the hard limit of open files (`ulimit -n`) to {needed}")
        } else {
            "widen net.ipv4.ip_local_port_range".to_owned()
        };
        bail!(
            "{flag} {connections}: this system allows {possible} connections ({limit} file \
             descriptors, {ports} local ports); {advice}, or ask for fewer"
        )
    }
}

/// The most descriptors that are of use: one for a connection on each local port of each source address, and
/// others.
pub(crate) fn most_descriptors(sources: usize) -> u64 {
    let ports = ports().saturating_mul(sources.max(1) as u64);
    ports + RESERVED_DESCRIPTORS + MOST_THREADS * DESCRIPTORS_PER_THREAD
}

/// Descriptors that a client with so many threads has for other things than connections.
pub(crate) fn reserved_descriptors(threads: usize) -> u64 {
    RESERVED_DESCRIPTORS + threads as u64 * DESCRIPTORS_PER_THREAD
}

fn ports() -> u64 {
    infermeter_probe::host::local_ports().map_or(DEFAULT_PORTS, |(low, high)| {
        u64::from(high.saturating_sub(low))
    })
}

/// Sizes the client, where this process may have `limit` descriptors.
///
/// # Errors
/// When the system does not allow the connections that the plan needs.
pub(crate) fn size(client: &ClientSpec, load: &Load, cores: &Cores, limit: u64) -> Result<Size> {
    let schedule = &load.schedule;
    let slice = schedule.slice();
    // The plan is that of all clients together: each has its share of what it asks for.
    let asked = client.max_connections.map(u64::from);
    let asked = asked.map(|all| slice.share(all).max(1));
    let peak = load
        .spec
        .peak_rate()
        .map(|rate| rate / f64::from(slice.of()));
    let threads = client
        .threads
        .map_or(cores.client.len().max(1), |t| t as usize)
        // Each thread has a connection at least: more of them would lift the cap.
        .min(asked.map_or(usize::MAX, |cap| cap as usize));
    let slots = schedule.slots().map(u64::from);
    let ports = ports().saturating_mul(client.source_addresses.len().max(1) as u64);
    let own = reserved_descriptors(threads);
    let possible = limit.saturating_sub(own).min(ports);
    let system = System {
        possible,
        limit,
        ports,
        own,
    };
    if let Some(slots) = slots {
        let slots = slots.min(asked.unwrap_or(u64::MAX));
        system.allows("--concurrency", slots)?;
    }
    if possible == 0 {
        system.allows("connections:", 1)?;
    }
    if let Some(asked) = asked {
        system.allows("--max-connections", asked)?;
    }
    let max_connections = asked.unwrap_or(possible).max(1);
    let bound_by = match asked {
        Some(_) => Bound::Plan,
        None if possible < ports => Bound::Descriptors,
        None => Bound::Ports,
    };
    let ahead = peak.unwrap_or(8.0).clamp(MIN_AHEAD, MAX_AHEAD);
    let open_ahead = slots.unwrap_or(ahead.ceil() as u64);
    Ok(Size {
        threads,
        max_connections: max_connections as usize,
        bound_by,
        open_ahead: open_ahead.min(max_connections) as usize,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_gets_the_larger_half() {
        let check = |all: &[usize], mock: &[usize], client: &[usize]| {
            let cores = Cores::split(all);
            assert_eq!((&cores.mock[..], &cores.client[..]), (mock, client));
        };
        check(&[3], &[], &[3]);
        check(&[1, 5], &[1], &[5]);
        check(&[0, 1, 2], &[0], &[1, 2]);
    }
}
