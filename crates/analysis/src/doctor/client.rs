//! What the client has of the machine: descriptors, ports, stamps, io_uring, a certificate.

use super::{Check, HostSeen, Judge, Judged, Room, Subject, known};
use infermeter_core::number::{count, counted};

/// Connections below which an open loop can soon have none left: a server of some speed that stalls for a few
/// seconds has as many requests in flight.
const CONNECTIONS_WANTED: u64 = 1_000;
/// Ports in waiting, as a share of the range, with which new connections soon find none.
const PORTS_WAITING: f64 = 0.5;

pub(super) const CHECKS: [Check; 5] = [
    Check {
        name: "descriptors",
        subject: Subject::Client,
        matters: "A connection is an open file. Requests that get none wait in the client.",
        fix: "ulimit -Hn 65536 (as root); docker run --ulimit nofile=65536:65536; LimitNOFILE=65536 in systemd",
        judge: Judge::Host(descriptors),
    },
    Check {
        name: "ports",
        subject: Subject::Client,
        matters: "A connection to one address takes a local port, and keeps it for a minute after its end.",
        fix: "sudo sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"",
        judge: Judge::Host(ports),
    },
    Check {
        name: "stamps",
        subject: Subject::Client,
        matters: "Stamps of the kernel say when a token arrived, not when the client came to look.",
        fix: "docker run --runtime runc: sandboxes such as gVisor stamp nothing",
        judge: Judge::Host(stamps),
    },
    Check {
        name: "io-uring",
        subject: Subject::Client,
        matters: "With io_uring every arrival keeps its own stamp, also while the client is busy.",
        fix: "docker run --security-opt seccomp=unconfined, or a profile with io_uring_setup, io_uring_enter, \
              io_uring_register",
        judge: Judge::Host(uring),
    },
    Check {
        name: "calibration",
        subject: Subject::Client,
        matters: "A certificate says how large this machine's own error is; without one a run cannot.",
        fix: "infermeter calibrate",
        judge: Judge::Host(calibration),
    },
];

fn descriptors(host: &HostSeen) -> Judged {
    let Room {
        descriptors,
        reserved,
        asked,
    } = host.room;
    let possible = descriptors.saturating_sub(reserved);
    let seen = format!(
        "{} descriptors, for {} connections",
        count(descriptors),
        count(possible)
    );
    match asked {
        Some(asked) if asked > possible => {
            let needed = asked + reserved;
            Judged::problem(format!("{seen}; the plan asks for {}", count(asked))).fixed_by(
                format!(
                    "ulimit -Hn {needed} (as root); docker run --ulimit nofile={needed}:{needed}; \
                 LimitNOFILE={needed} in systemd"
                ),
            )
        }
        None if possible < CONNECTIONS_WANTED => Judged::warning(seen),
        _ => Judged::ok(seen),
    }
}

fn ports(host: &HostSeen) -> Judged {
    let Some((low, high)) = host.facts.local_ports else {
        return Judged::unknown("net.ipv4.ip_local_port_range cannot be read");
    };
    known(&host.time_wait, |waiting| {
        let all = u64::from(high.saturating_sub(low));
        let seen = format!(
            "{} ports, {low} to {high}; {} in TIME_WAIT",
            count(all),
            count(*waiting)
        );
        match host.room.asked {
            Some(asked) if asked > all => {
                Judged::problem(format!("{seen}; the plan asks for {}", count(asked)))
            }
            _ if *waiting as f64 > PORTS_WAITING * all as f64 => Judged::warning(seen),
            _ => Judged::ok(seen),
        }
    })
}

fn stamps(host: &HostSeen) -> Judged {
    match host.stamps {
        true => Judged::ok("the kernel stamps what arrives (tried over loopback)"),
        false => {
            Judged::warning("none over loopback: instants are those at which the client looks")
        }
    }
}

fn uring(host: &HostSeen) -> Judged {
    let why = match &host.uring.tried {
        Ok(()) => return Judged::ok("a probe received with it, with stamps"),
        Err(_) if !host.stamps => {
            return Judged::not_applicable("of no use without stamps of the kernel");
        }
        Err(why) => why,
    };
    let seen = format!("{why}; epoll is used instead");
    match (host.uring.disabled, host.uring.filtered) {
        (Some(level @ (1 | 2)), _) => {
            Judged::warning(format!("{seen}; kernel.io_uring_disabled is {level}"))
                .fixed_by("sudo sysctl -w kernel.io_uring_disabled=0")
        }
        (_, Some(true)) => {
            Judged::warning(format!("{seen}; a seccomp filter stands over this process"))
        }
        _ => Judged::warning(seen)
            .fixed_by("uname -r: Linux 6.0 or later with CONFIG_IO_URING has what it takes"),
    }
}

fn calibration(host: &HostSeen) -> Judged {
    let Some(cited) = &host.calibration else {
        return Judged::warning("no certificate of this machine");
    };
    if cited.stale.is_empty() {
        let made = cited.created.as_deref().unwrap_or("at an unknown date");
        let rungs = counted(cited.rungs.len() as u64, "usable rung");
        return Judged::ok(format!("{rungs}, made {made}"));
    }
    let why = cited.stale.join("; ");
    Judged::warning(format!("it does not hold here: {why}"))
}
