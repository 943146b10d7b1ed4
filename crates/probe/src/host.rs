//! Facts of the client's host. Each is absent where the system does not tell.

use serde::Serialize;
use std::fs;

/// What the client runs on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostFacts {
    /// CPU model name.
    pub cpu: Option<String>,
    /// Cores of the host that are on line.
    pub cores: Option<usize>,
    /// Kernel release.
    pub kernel: Option<String>,
    /// Frequency governor of the first core.
    pub governor: Option<String>,
    /// Kernel clock source.
    pub clock_source: Option<String>,
    /// The hypervisor or product that this host is a guest of; absent on bare metal, too.
    pub virtualization: Option<String>,
    /// Memory, bytes.
    pub memory_bytes: Option<u64>,
    /// cgroup v2 CPU limit (`cpu.max`).
    pub cgroup_cpu_max: Option<String>,
    /// cgroup v2 memory limit (`memory.max`).
    pub cgroup_memory_max: Option<String>,
    /// Soft limit of file descriptors.
    pub fd_limit: Option<u64>,
    /// Local ports for outgoing connections.
    pub local_ports: Option<(u16, u16)>,
    /// Load average over the last minute, as text.
    pub load_average: Option<String>,
}

/// Looks at the host.
pub fn host_facts() -> HostFacts {
    HostFacts {
        cpu: value_after("/proc/cpuinfo", "model name"),
        cores: cores(),
        kernel: line("/proc/sys/kernel/osrelease"),
        governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        clock_source: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        virtualization: virtualization(),
        memory_bytes: memory(),
        cgroup_cpu_max: line("/sys/fs/cgroup/cpu.max"),
        cgroup_memory_max: line("/sys/fs/cgroup/memory.max"),
        fd_limit: rustix::process::getrlimit(rustix::process::Resource::Nofile).current,
        local_ports: local_ports(),
        load_average: line("/proc/loadavg").and_then(|l| l.split(' ').next().map(str::to_owned)),
    }
}

/// Local ports for outgoing connections.
pub fn local_ports() -> Option<(u16, u16)> {
    let text = line("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut parts = text.split_whitespace();
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| infermeter_core::text::inert(line, 200))
}

fn value_after(path: &str, key: &str) -> Option<String> {
    Some(infermeter_core::text::inert(&raw_value(path, key)?, 200))
}

fn raw_value(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|l| l.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Xen says so itself; elsewhere the CPU's flag tells a guest, and the firmware names it.
fn virtualization() -> Option<String> {
    if let Some(kind) = line("/sys/hypervisor/type") {
        return Some(kind);
    }
    let flags = raw_value("/proc/cpuinfo", "flags")?;
    flags
        .split_whitespace()
        .find(|flag| *flag == "hypervisor")?;
    let dmi = |name: &str| line(&format!("/sys/class/dmi/id/{name}"));
    let parts: Vec<String> = [dmi("sys_vendor"), dmi("product_name")]
        .into_iter()
        .flatten()
        .collect();
    Some(if parts.is_empty() {
        "hypervisor".to_owned()
    } else {
        parts.join(" ")
    })
}

/// `cpu0`, `cpu1`, ... in `/proc/stat`.
fn cores() -> Option<usize> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let is_core = |line: &&str| {
        line.strip_prefix("cpu")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    Some(text.lines().filter(is_core).count())
}

fn memory() -> Option<u64> {
    let text = value_after("/proc/meminfo", "MemTotal")?;
    text.split_whitespace()
        .next()?
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_has_a_kernel_and_cores() {
        let facts = host_facts();
        assert!(facts.cores.is_some_and(|n| n > 0));
        assert!(facts.kernel.is_some_and(|k| k.contains('.')));
    }
}
