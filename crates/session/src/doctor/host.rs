//! Facts of this host, and of what the client has of it.

use super::proc;
use super::sample::Look;
use crate::calibrate::cite::cite;
use crate::experiment::Experiment;
use crate::failure::Failure;
use crate::host::Host;
use crate::place::reserved_descriptors;
use anyhow::Result;
use infermeter_analysis::doctor::{Discipline, Fact, HostSeen, OwnCores, Quota, Room, Uring};
use infermeter_core::certificate::Citation;
use infermeter_core::clock::monotonic_ns;
use infermeter_core::plan::Io;
use infermeter_probe::host::{governors, host_facts};
use infermeter_sys::discipline::discipline;
use infermeter_sys::taken::{Taken, TakenFiles};
use std::time::Duration;

/// How long the cores are looked at, nanoseconds: a hundred ticks of the kernel's counters.
const SAMPLE_NS: i64 = 1_000_000_000;
/// How often signals are looked for meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// Looks at the host for about a second. `asked` is the number of connections that the plan needs, where it says.
///
/// # Errors
/// When a signal came.
pub fn host(host: &Host, experiment: &Experiment, asked: Option<u32>) -> Result<HostSeen> {
    // The whole machine, whatever part of it a simulator would have.
    let allowed = host.cores(false).client;
    let files = TakenFiles::find();
    let (taken, before) = (files.look(), Look::now());
    wait(host)?;
    let (taken_after, after) = (files.look(), Look::now());
    let threads = experiment.client.threads;
    let threads = threads.map_or(allowed.len().max(1), |threads| threads as usize);
    Ok(HostSeen {
        facts: host_facts(),
        quota: quota(&files, [taken, taken_after]),
        load: after.load_since(&before, &allowed),
        boost: boost(),
        memory: proc::said("/proc/meminfo", proc::memory_available),
        clock: clock(),
        room: Room {
            descriptors: host.descriptors(),
            reserved: reserved_descriptors(threads),
            asked: asked.map(u64::from),
        },
        time_wait: proc::said("/proc/net/sockstat", proc::time_wait),
        stamps: host.has_stamps(),
        uring: uring(host),
        calibration: calibration(host, experiment, threads),
        cores: OwnCores {
            governors: governors(&allowed),
            physical: physical(&allowed),
            allowed,
        },
    })
}

fn wait(host: &Host) -> Result<()> {
    let until = monotonic_ns() + SAMPLE_NS;
    while monotonic_ns() < until {
        if host.is_stopped() {
            return Err(Failure::interrupted("stopped before the host was looked at").into());
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

fn quota(files: &TakenFiles, [before, after]: [Taken; 2]) -> Fact<Quota> {
    if !files.tell_of_quotas() {
        return Err("/sys/fs/cgroup has no cpu.stat of this process".to_owned());
    }
    let seconds = |ns: i64| ns as f64 / 1e9;
    Ok(Quota {
        cores: files.quota(),
        throttled_s: seconds(after.throttled_ns),
        throttled_now_s: seconds(after.throttled_ns - before.throttled_ns),
    })
}

/// These cores by physical core.
fn physical(allowed: &[usize]) -> Fact<Vec<Vec<usize>>> {
    let mut physical: Vec<Vec<usize>> = Vec::new();
    for core in allowed {
        let path = format!("/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list");
        let mut threads = proc::said(&path, proc::core_list)?;
        threads.retain(|thread| allowed.contains(thread));
        if !physical.contains(&threads) {
            physical.push(threads);
        }
    }
    Ok(physical)
}

fn boost() -> Option<bool> {
    let read = |path: &str| proc::read(path).ok();
    let no_turbo = read("/sys/devices/system/cpu/intel_pstate/no_turbo");
    let boost = read("/sys/devices/system/cpu/cpufreq/boost");
    proc::boost(no_turbo.as_deref(), boost.as_deref())
}

fn clock() -> Fact<Discipline> {
    let seen = discipline().map_err(|error| format!("adjtimex is refused: {error}"))?;
    Ok(Discipline {
        synchronised: seen.synchronised,
        bound_ms: seen.bound_us as f64 / 1e3,
    })
}

fn uring(host: &Host) -> Uring {
    let number = |text: &str| text.trim().parse().ok();
    Uring {
        tried: host.try_uring(),
        disabled: proc::said("/proc/sys/kernel/io_uring_disabled", number).ok(),
        filtered: proc::said("/proc/self/status", proc::is_filtered).ok(),
    }
}

/// As a run would cite it. Where io_uring is asked for and does not work, that is another check's to say.
fn calibration(host: &Host, experiment: &Experiment, threads: usize) -> Option<Citation> {
    let wanted = host.receiving(experiment.client.io, true);
    let receiving = wanted.or_else(|_| host.receiving(Io::Epoll, true)).ok()?;
    cite(experiment.client.burn, threads, &receiving)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_files_of_a_cgroup_are_no_freedom_from_a_quota() {
        let none = Taken::default();
        let files = TakenFiles::find();
        assert_eq!(quota(&files, [none, none]).is_ok(), files.tell_of_quotas());
    }

    #[test]
    fn a_core_that_does_not_exist_has_no_siblings() {
        let why = physical(&[1_000_000]).expect_err("none");
        assert!(why.contains("cpu1000000/topology"), "{why}");
    }
}
