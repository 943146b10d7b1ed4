//! Facts of the client's host. Each is absent where the system does not tell.

use infermeter_core::environment::HostFacts;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

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
        ..HostFacts::default()
    }
}

/// The different frequency governors of these cores; empty where there is no cpufreq.
pub fn governors(cores: &[usize]) -> Vec<String> {
    let path = |core| format!("/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor");
    let found = cores.iter().filter_map(|core| line(&path(core)));
    let mut found: Vec<String> = found.collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether `address` belongs to this host: the route to it then begins there. Nothing is sent.
pub fn is_own_address(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // A connected UDP socket has an address, and has sent nothing; the port does not matter.
    let from = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    address.is_loopback() || from.is_ok_and(|from| from.ip() == address)
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
    fn own_addresses_are_told_from_others() {
        let own = |text: &str| is_own_address(text.parse().expect("an address"));
        assert!(own("127.0.0.1") && own("::1") && own("127.9.9.9"));
        // Addresses for documentation (RFC 5737, RFC 3849) are nobody's.
        assert!(!own("192.0.2.1") && !own("2001:db8::1"));
    }

    #[test]
    fn cores_that_do_not_exist_have_no_governor() {
        assert_eq!(governors(&[1_000_000]), Vec::<String>::new());
    }

    #[test]
    fn this_host_has_a_kernel_and_cores() {
        let facts = host_facts();
        assert!(facts.cores.is_some_and(|n| n > 0));
        assert!(facts.kernel.is_some_and(|k| k.contains('.')));
    }
}
