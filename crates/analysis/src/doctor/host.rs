//! The machine: cores, frequency, clock, quota, interrupts, other load, memory, time.

use super::{
    Check, CoreLoad, Discipline, HostSeen, Judge, Judged, OwnCores, Quota, Subject, known,
};
use infermeter_core::environment::HostFacts;
use infermeter_core::number::count;

/// Clock sources that are read without a system call.
const FAST_CLOCKS: [&str; 7] = [
    "tsc",
    "kvm-clock",
    "arch_sys_counter",
    "hyperv_clocksource_tsc_page",
    "timebase",
    "tod",
    "riscv_clocksource",
];
/// Clock sources behind slow hardware or a tick.
const SLOW_CLOCKS: [&str; 5] = ["hpet", "acpi_pm", "pit", "jiffies", "refined-jiffies"];
/// Cores that others may keep busy, as a share of the allowed ones: a run's own findings begin about there.
const OTHERS_NOTED: f64 = 0.1;
/// Half of the cores gone: the client waits for the rest.
const OTHERS_TOO_MUCH: f64 = 0.5;
/// Time stolen by the hypervisor: 1 % are stops of 10 ms each second, the scale of a token.
const STOLEN: f64 = 0.01;
/// Time of a core in interrupts that leaves a client late for most of what arrives meanwhile.
const INTERRUPTS: f64 = 0.1;
/// Memory below which a long run's record is cut short by the system, bytes.
const MEMORY_NEEDED: u64 = 128 << 20;
/// Memory that a run with long traces and many streams takes, bytes.
const MEMORY_WANTED: u64 = 512 << 20;

pub(super) const CHECKS: [Check; 9] = [
    Check {
        name: "cores",
        subject: Subject::Host,
        matters: "Each client thread wants a core of its own: one that waits for a core sends and stamps late.",
        fix: "docker run --cpuset-cpus 0-3, or taskset -c 0-3 infermeter run ...",
        judge: Judge::Host(cores),
    },
    Check {
        name: "smt",
        subject: Subject::Host,
        matters: "Two threads of one physical core slow each other, by up to a half.",
        fix: "give the client cores of its own: taskset -c 0,2 infermeter run ...",
        judge: Judge::Host(smt),
    },
    Check {
        name: "governor",
        subject: Subject::Host,
        matters: "A core that has slowed down while nothing came takes its time when something does.",
        fix: "sudo cpupower frequency-set -g performance",
        judge: Judge::Host(governor),
    },
    Check {
        name: "clock-source",
        subject: Subject::Host,
        matters: "The clock is read at every event; a slow source costs a system call and a microsecond each time.",
        fix: "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource",
        judge: Judge::Host(clock_source),
    },
    Check {
        name: "quota",
        subject: Subject::Host,
        matters: "A cgroup that has used up its quota stands still for the rest of its period, up to 100 ms.",
        fix: "docker update --cpus 0 CONTAINER; in Kubernetes leave resources.limits.cpu out",
        judge: Judge::Host(quota),
    },
    Check {
        name: "interrupts",
        subject: Subject::Host,
        matters: "A core that serves interrupts does not run the client meanwhile.",
        fix: "taskset -c CORES infermeter run ..., or echo CORE | sudo tee /proc/irq/N/smp_affinity_list",
        judge: Judge::Host(interrupts),
    },
    Check {
        name: "other-load",
        subject: Subject::Host,
        matters: "Whatever else runs on the client's cores delays its sends and its stamps.",
        fix: "top shows who it is: stop it, or taskset -c CORES infermeter run ...",
        judge: Judge::Host(other_load),
    },
    Check {
        name: "memory",
        subject: Subject::Host,
        matters: "A run keeps its workload and its answers in memory; the system kills what takes too much.",
        fix: "docker run --memory 4g, or end what takes it: ps aux --sort -rss | head",
        judge: Judge::Host(memory),
    },
    Check {
        name: "time",
        subject: Subject::Host,
        matters: "Instants of this host are laid beside those of a server's logs, metrics and traces.",
        fix: "sudo timedatectl set-ntp true, or sudo systemctl enable --now chronyd",
        judge: Judge::Host(time),
    },
];

/// `0-3,6`.
fn ranges(cores: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for core in cores {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *core => *last = *core,
            _ => parts.push((*core, *core)),
        }
    }
    let part = |(first, last): &(usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let parts: Vec<String> = parts.iter().map(part).collect();
    parts.join(",")
}

fn cores(host: &HostSeen) -> Judged {
    let allowed = &host.cores.allowed;
    let Some(online) = host.facts.cores else {
        return Judged::unknown("/proc/stat names no cores");
    };
    let seen = format!("{} of {online}: {}", allowed.len(), ranges(allowed));
    match allowed.len() {
        0 => Judged::unknown("the system names no core that this process may use"),
        1 => Judged::warning(format!("{seen}; client threads and all else share it")),
        _ => Judged::ok(seen),
    }
}

fn smt(host: &HostSeen) -> Judged {
    let OwnCores {
        allowed, physical, ..
    } = &host.cores;
    known(physical, |physical| {
        let shared: Vec<String> = physical
            .iter()
            .filter(|threads| threads.len() > 1)
            .map(|threads| ranges(threads))
            .collect();
        if shared.is_empty() {
            return Judged::ok(format!(
                "{} on physical cores of their own",
                infermeter_core::number::counted(allowed.len() as u64, "core")
            ));
        }
        let firsts: Vec<String> = physical
            .iter()
            .filter_map(|threads| threads.first())
            .map(usize::to_string)
            .collect();
        let seen = format!("threads of one physical core each: {}", shared.join("; "));
        let fix = match firsts.len() {
            1 => "run on a host with more cores, or with SMT off: echo off | sudo tee \
                  /sys/devices/system/cpu/smt/control"
                .to_owned(),
            _ => format!("taskset -c {} infermeter run ...", firsts.join(",")),
        };
        Judged::warning(seen).fixed_by(fix)
    })
}

fn governor(host: &HostSeen) -> Judged {
    let boost = match host.boost {
        Some(true) => "; turbo is on",
        Some(false) => "; turbo is off",
        None => "",
    };
    match (&host.cores.governors[..], &host.facts.virtualization) {
        ([], Some(guest)) => {
            Judged::not_applicable(format!("a guest ({guest}): its host sets the frequency"))
        }
        ([], None) => Judged::unknown("no cpufreq in /sys/devices/system/cpu"),
        ([one], _) if one == "performance" => Judged::ok(format!("performance{boost}")),
        (others, _) => Judged::warning(format!("{}{boost}", others.join(", "))),
    }
}

fn clock_source(host: &HostSeen) -> Judged {
    match host.facts.clock_source.as_deref() {
        None => Judged::unknown("no clock source in /sys/devices/system/clocksource"),
        Some(fast) if FAST_CLOCKS.contains(&fast) => Judged::ok(fast),
        Some(slow) if SLOW_CLOCKS.contains(&slow) => {
            Judged::warning(format!("{slow}: read through a system call"))
        }
        Some(other) => Judged::unknown(format!("{other}: not known to be fast or slow")),
    }
}

fn quota(host: &HostSeen) -> Judged {
    known(&host.quota, |quota| {
        of_quota(quota, host.cores.allowed.len())
    })
}

fn of_quota(quota: &Quota, allowed: usize) -> Judged {
    let Some(cores) = quota.cores else {
        return Judged::ok("no CPU quota");
    };
    let mut seen = format!("{cores:.2} cores, of {allowed} that may be used");
    if quota.throttled_s > 0.0 {
        seen.push_str(&format!("; used up for {:.1} s so far", quota.throttled_s));
    }
    if quota.throttled_now_s > 0.0 {
        let now = quota.throttled_now_s * 1e3;
        return Judged::problem(format!("{seen}, {now:.0} ms of them just now"));
    }
    match cores {
        few if few < 1.0 => Judged::problem(seen),
        few if few < allowed as f64 => Judged::warning(seen),
        _ => Judged::ok(seen),
    }
}

fn interrupts(host: &HostSeen) -> Judged {
    known(&host.load, |load| {
        let share = load.interrupt_share;
        let mut seen = format!(
            "at most {:.1} % of the time, on core {}",
            share * 100.0,
            load.interrupted
        );
        if let Some(per_s) = load.interrupts_per_s {
            seen.push_str(&format!(
                "; {} interrupts a second there",
                count(per_s as u64)
            ));
        }
        match share > INTERRUPTS {
            true => Judged::warning(seen),
            false => Judged::ok(seen),
        }
    })
}

fn other_load(host: &HostSeen) -> Judged {
    known(&host.load, |load| of_load(load, host.cores.allowed.len()))
}

fn of_load(load: &CoreLoad, allowed: usize) -> Judged {
    let mut seen = format!(
        "others keep {:.2} of {allowed} cores busy, over {:.1} s",
        load.others, load.seconds
    );
    if let Some(pressure) = load.pressure {
        let share = pressure * 100.0;
        seen.push_str(&format!(
            "; {share:.0} % of the last 10 s something waited for one"
        ));
    }
    if load.stolen > 0.0 {
        let share = load.stolen * 100.0;
        seen.push_str(&format!("; the hypervisor took {share:.1} %"));
    }
    let share = load.others / allowed.max(1) as f64;
    if share > OTHERS_TOO_MUCH {
        Judged::problem(seen)
    } else if share > OTHERS_NOTED {
        Judged::warning(seen)
    } else if load.stolen > STOLEN {
        Judged::warning(seen).fixed_by("run on a host, or an instance type, with cores of its own")
    } else {
        Judged::ok(seen)
    }
}

fn memory(host: &HostSeen) -> Judged {
    let HostFacts {
        cgroup_memory_max, ..
    } = &host.facts;
    known(&host.memory, |available| {
        let limit = cgroup_memory_max
            .as_deref()
            .and_then(|max| max.parse::<u64>().ok());
        let most = limit.map_or(*available, |limit| limit.min(*available));
        let mib = |bytes: u64| format!("{} MiB", count(bytes >> 20));
        let seen = match limit {
            Some(limit) => format!(
                "{} available; the cgroup's limit is {}",
                mib(*available),
                mib(limit)
            ),
            None => format!("{} available", mib(*available)),
        };
        match most {
            little if little < MEMORY_NEEDED => Judged::problem(seen),
            little if little < MEMORY_WANTED => Judged::warning(seen),
            _ => Judged::ok(seen),
        }
    })
}

fn time(host: &HostSeen) -> Judged {
    known(&host.clock, |clock| {
        let Discipline {
            synchronised,
            bound_ms,
        } = clock;
        match synchronised {
            true => Judged::ok(format!("synchronised; off by {bound_ms:.1} ms at most")),
            false => Judged::warning("nothing keeps this clock right, as far as the kernel knows"),
        }
    })
}
