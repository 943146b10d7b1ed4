//! Every check on facts of a host and a target made by hand.

use super::*;
use crate::raised;
use infermeter_core::certificate::Citation;
use infermeter_core::environment::{
    EngineFacts, HostFacts, MetricsPlace, ModelFacts, RequestFields, TargetSide,
};
use infermeter_core::server::ServerEngine;

/// A host on which nothing is wrong.
fn good_host() -> HostSeen {
    HostSeen {
        facts: HostFacts {
            cores: Some(8),
            clock_source: Some("tsc".to_owned()),
            local_ports: Some((32_768, 60_999)),
            ..HostFacts::default()
        },
        cores: OwnCores {
            allowed: vec![0, 1, 2, 3],
            governors: vec!["performance".to_owned()],
            physical: Ok(vec![vec![0], vec![1], vec![2], vec![3]]),
        },
        quota: Ok(Quota {
            cores: None,
            throttled_s: 0.0,
            throttled_now_s: 0.0,
        }),
        load: Ok(CoreLoad {
            seconds: 1.0,
            others: 0.1,
            stolen: 0.0,
            interrupted: 3,
            interrupt_share: 0.01,
            interrupts_per_s: Some(1_200.0),
            pressure: Some(0.0),
        }),
        boost: Some(true),
        memory: Ok(8 << 30),
        clock: Ok(Discipline {
            synchronised: true,
            bound_ms: 2.5,
        }),
        room: Room {
            descriptors: 20_000,
            reserved: 80,
            asked: Some(500),
        },
        time_wait: Ok(12),
        stamps: true,
        uring: Uring {
            tried: Ok(()),
            disabled: Some(0),
            filtered: Some(false),
        },
        calibration: Some(Citation {
            path: "c.json".to_owned(),
            sha256: Some("00".to_owned()),
            created: Some("2026-11-22T16:40:00Z".to_owned()),
            infermeter_version: Some("0.1.0".to_owned()),
            stale: Vec::new(),
            rungs: Vec::new(),
            limits: Vec::new(),
        }),
    }
}

fn answer() -> Answered {
    Answered {
        facts: TargetSide {
            loopback: Some(false),
            same_host: Some(false),
            models: vec![ModelFacts {
                id: "llama".to_owned(),
                max_model_len: Some(8_192),
                owned_by: None,
            }],
            fields: Some(RequestFields {
                ignore_eos: Some(true),
                include_usage: Some(true),
                continuous_usage: Some(false),
                max_completion_tokens: Some(false),
                probed: Some(true),
                ..RequestFields::default()
            }),
            engine: Some(EngineFacts {
                names: vec!["vLLM".to_owned()],
                version: Some("0.11.0".to_owned()),
                ..EngineFacts::default()
            }),
            server_metrics: Some(MetricsPlace::Known {
                engine: ServerEngine::Vllm,
                url: "http://h:8000/metrics".to_owned(),
                more: Vec::new(),
                unread: Vec::new(),
            }),
            ..TargetSide::default()
        },
        model: "llama".to_owned(),
        answers: 6,
        generates: true,
        figures: vec!["running".to_owned(), "waiting".to_owned()],
        doubts: Vec::new(),
    }
}

/// A vLLM server on another host.
fn good_target() -> TargetSeen {
    TargetSeen {
        name: "https://h:8000".to_owned(),
        simulated: false,
        tls: true,
        reached: Ok(vec![Reached {
            name: "10.0.0.2:8000".to_owned(),
            connect_ms: 0.31,
            raised: Ok(4.2),
        }]),
        resolved_ms: Some(1.5),
        answered: Ok(answer()),
        gpu: Gpu::default(),
    }
}

fn named<'a>(checkup: &'a Checkup, name: &str) -> &'a Checked {
    let found = checkup.checks.iter().find(|checked| checked.name == name);
    found.unwrap_or_else(|| panic!("no check {name}"))
}

#[track_caller]
fn says(checkup: &Checkup, name: &str, status: Status, said: &str, fix: &str) {
    let checked = named(checkup, name);
    assert_eq!(checked.status, status, "{checked:?}");
    assert!(checked.seen.contains(said), "no `{said}` in {checked:?}");
    match &checked.fix {
        Some(found) => assert!(found.contains(fix), "no `{fix}` in {checked:?}"),
        None => assert_eq!(fix, "", "{checked:?}"),
    }
}

#[track_caller]
fn of_host(change: impl FnOnce(&mut HostSeen), name: &str, status: Status, said: &str, fix: &str) {
    let mut host = good_host();
    change(&mut host);
    says(&checkup(&host, None, "1"), name, status, said, fix);
}

#[track_caller]
fn of_target(
    change: impl FnOnce(&mut TargetSeen),
    name: &str,
    status: Status,
    said: &str,
    fix: &str,
) {
    let mut target = good_target();
    change(&mut target);
    says(
        &checkup(&good_host(), Some(&target), "1"),
        name,
        status,
        said,
        fix,
    );
}

fn answered(target: &mut TargetSeen) -> &mut Answered {
    target.answered.as_mut().expect("it answered")
}

#[test]
fn a_good_host_is_well_and_needs_no_fix() {
    let found = checkup(&good_host(), None, "1");
    assert_eq!(found.worst, Status::Ok, "{found:#?}");
    assert_eq!(found.worst_of(Subject::Target), None);
    assert!(found.checks.iter().all(|checked| checked.fix.is_none()));
    assert_eq!(found.target, None);
}

#[test]
fn of_a_good_target_only_what_nobody_can_see_is_unknown() {
    let found = checkup(&good_host(), Some(&good_target()), "1");
    assert_eq!(found.worst, Status::Unknown, "{found:#?}");
    let unknown = found
        .checks
        .iter()
        .filter(|checked| checked.status == Status::Unknown);
    let names: Vec<&str> = unknown.map(|checked| checked.name).collect();
    assert_eq!(names, ["tracing", "gpu"]);
    assert_eq!(found.count(Status::Unknown), 2);
}

#[test]
fn what_cannot_be_read_is_unknown_and_never_ok() {
    let why = || "sandboxed".to_owned();
    let mut host = good_host();
    host.facts = HostFacts::default();
    host.cores.governors.clear();
    host.cores.physical = Err(why());
    (host.quota, host.load, host.memory) = (Err(why()), Err(why()), Err(why()));
    (host.clock, host.time_wait) = (Err(why()), Err(why()));
    let found = checkup(&host, None, "1");
    for name in [
        "cores",
        "smt",
        "governor",
        "clock-source",
        "quota",
        "interrupts",
        "other-load",
        "memory",
        "time",
        "ports",
    ] {
        let checked = named(&found, name);
        assert_eq!(checked.status, Status::Unknown, "{checked:?}");
        assert!(checked.fix.is_some(), "{checked:?}");
    }
}

#[test]
fn cores() {
    let few = |host: &mut HostSeen| host.cores.allowed = vec![5];
    of_host(few, "cores", Status::Warning, "1 of 8: 5", "--cpuset-cpus");
    of_host(|_| (), "cores", Status::Ok, "4 of 8: 0-3", "");
    let pairs = |host: &mut HostSeen| host.cores.physical = Ok(vec![vec![0, 1], vec![2, 3]]);
    of_host(pairs, "smt", Status::Warning, "0-1; 2-3", "taskset -c 0,2 ");
    let one = |host: &mut HostSeen| host.cores.physical = Ok(vec![vec![0, 4]]);
    of_host(one, "smt", Status::Warning, "0,4", "smt/control");
}

#[test]
fn frequency_and_clock() {
    let slow = |host: &mut HostSeen| host.cores.governors = vec!["powersave".to_owned()];
    of_host(
        slow,
        "governor",
        Status::Warning,
        "powersave; turbo is on",
        "cpupower",
    );
    let guest = |host: &mut HostSeen| {
        host.cores.governors.clear();
        host.facts.virtualization = Some("KVM".to_owned());
    };
    of_host(guest, "governor", Status::NotApplicable, "KVM", "");
    let source = |name: &'static str| {
        move |host: &mut HostSeen| host.facts.clock_source = Some(name.to_owned())
    };
    of_host(
        source("hpet"),
        "clock-source",
        Status::Warning,
        "hpet",
        "current_clocksource",
    );
    of_host(
        source("sundial"),
        "clock-source",
        Status::Unknown,
        "sundial",
        "current_clocksource",
    );
    let astray = |host: &mut HostSeen| {
        host.clock = Ok(Discipline {
            synchronised: false,
            bound_ms: 16_000.0,
        });
    };
    of_host(
        astray,
        "time",
        Status::Warning,
        "nothing keeps",
        "timedatectl",
    );
}

#[test]
fn quotas() {
    let quota = |cores: f64, throttled_now_s: f64| {
        move |host: &mut HostSeen| {
            host.quota = Ok(Quota {
                cores: Some(cores),
                throttled_s: 1.25,
                throttled_now_s,
            });
        }
    };
    let used_up = "2.00 cores, of 4 that may be used; used up for 1.2 s";
    of_host(
        quota(2.0, 0.0),
        "quota",
        Status::Warning,
        used_up,
        "docker update",
    );
    of_host(
        quota(2.0, 0.05),
        "quota",
        Status::Problem,
        "50 ms of them just now",
        "docker update",
    );
    of_host(
        quota(0.5, 0.0),
        "quota",
        Status::Problem,
        "0.50 cores",
        "limits.cpu",
    );
    of_host(quota(4.0, 0.0), "quota", Status::Ok, "4.00 cores", "");
}

#[test]
fn load_of_others() {
    let load = |change: fn(&mut CoreLoad)| {
        move |host: &mut HostSeen| change(host.load.as_mut().expect("read"))
    };
    of_host(
        load(|l| l.others = 1.0),
        "other-load",
        Status::Warning,
        "1.00 of 4 cores",
        "taskset",
    );
    of_host(
        load(|l| l.others = 3.0),
        "other-load",
        Status::Problem,
        "3.00 of 4 cores",
        "top",
    );
    of_host(
        load(|l| l.stolen = 0.02),
        "other-load",
        Status::Warning,
        "took 2.0 %",
        "instance type",
    );
    let busy = load(|l| l.interrupt_share = 0.3);
    of_host(
        busy,
        "interrupts",
        Status::Warning,
        "30.0 % of the time, on core 3; 1,200",
        "smp_affinity",
    );
    of_host(
        |host| host.memory = Ok(1 << 20),
        "memory",
        Status::Problem,
        "1 MiB",
        "docker run",
    );
    let limited = |host: &mut HostSeen| host.facts.cgroup_memory_max = Some("314572800".to_owned());
    of_host(
        limited,
        "memory",
        Status::Warning,
        "the cgroup's limit is 300 MiB",
        "--memory",
    );
}

#[test]
fn descriptors_and_ports_are_held_against_the_plan() {
    let room = |asked: Option<u64>, descriptors: u64| {
        move |host: &mut HostSeen| {
            host.room = Room {
                descriptors,
                reserved: 80,
                asked,
            }
        }
    };
    let many = room(Some(50_000), 20_000);
    of_host(
        many,
        "descriptors",
        Status::Problem,
        "for 19,920 connections; the plan asks for 50,000",
        "50080",
    );
    of_host(
        many,
        "ports",
        Status::Problem,
        "28,231 ports",
        "ip_local_port_range",
    );
    of_host(
        room(Some(900), 1_024),
        "descriptors",
        Status::Ok,
        "for 944",
        "",
    );
    of_host(
        room(None, 1_024),
        "descriptors",
        Status::Warning,
        "for 944",
        "65536",
    );
    let waiting = |host: &mut HostSeen| host.time_wait = Ok(20_000);
    of_host(
        waiting,
        "ports",
        Status::Warning,
        "20,000 in TIME_WAIT",
        "sysctl",
    );
}

#[test]
fn io_uring_says_what_forbids_it() {
    let uring = |disabled: Option<u32>, filtered: Option<bool>| {
        move |host: &mut HostSeen| {
            host.uring = Uring {
                tried: Err("not permitted".to_owned()),
                disabled,
                filtered,
            }
        }
    };
    let disabled = uring(Some(2), Some(true));
    of_host(
        disabled,
        "io-uring",
        Status::Warning,
        "kernel.io_uring_disabled is 2",
        "sysctl -w",
    );
    of_host(
        uring(Some(0), Some(true)),
        "io-uring",
        Status::Warning,
        "seccomp",
        "seccomp=unconfined",
    );
    of_host(
        uring(None, Some(false)),
        "io-uring",
        Status::Warning,
        "not permitted",
        "uname -r",
    );
    let unstamped = |host: &mut HostSeen| {
        uring(None, None)(host);
        host.stamps = false;
    };
    of_host(
        unstamped,
        "io-uring",
        Status::NotApplicable,
        "without stamps",
        "",
    );
    of_host(
        unstamped,
        "stamps",
        Status::Warning,
        "none over loopback",
        "runc",
    );
}

#[test]
fn a_certificate_is_there_and_fits() {
    let none = |host: &mut HostSeen| host.calibration = None;
    of_host(
        none,
        "calibration",
        Status::Warning,
        "no certificate",
        "infermeter calibrate",
    );
    let stale = |host: &mut HostSeen| {
        let cited = host.calibration.as_mut().expect("one");
        cited.stale = vec!["kernel 6.1, now 6.8".to_owned()];
    };
    of_host(
        stale,
        "calibration",
        Status::Warning,
        "kernel 6.1, now 6.8",
        "infermeter calibrate",
    );
}

#[test]
fn nothing_is_known_of_a_target_that_is_not_reached() {
    let mut target = good_target();
    let why = "target http://h cannot be reached: refused\n  is the server up?";
    (target.reached, target.answered) = (Err(why.to_owned()), Err(why.to_owned()));
    let found = checkup(&good_host(), Some(&target), "1");
    says(
        &found,
        "address",
        Status::Problem,
        "refused",
        "curl -v https://h:8000/v1/models",
    );
    let others = found
        .checks
        .iter()
        .filter(|checked| checked.subject == Subject::Target);
    for checked in others.filter(|checked| checked.name != "address") {
        assert_eq!(checked.status, Status::Unknown, "{checked:?}");
        assert_eq!(checked.fix, named(&found, "address").fix, "{checked:?}");
    }
}

#[test]
fn a_port_that_is_no_server_of_models_is_reached_but_not_measured() {
    let refused = |target: &mut TargetSeen| {
        target.answered = Err("target http://h cannot be measured: 404\n  give --path".to_owned());
    };
    of_target(
        refused,
        "address",
        Status::Ok,
        "10.0.0.2:8000 in 0.31 ms; its name resolved in 1.5 ms",
        "",
    );
    of_target(
        refused,
        "answer",
        Status::Problem,
        "cannot be measured: 404",
        "give --path",
    );
    of_target(
        refused,
        "model",
        Status::Unknown,
        "cannot be asked",
        "give --path",
    );
    let without_advice = |target: &mut TargetSeen| target.answered = Err("404".to_owned());
    of_target(
        without_advice,
        "engine",
        Status::Unknown,
        "see answer",
        "--dry-run",
    );
    let certificate = |target: &mut TargetSeen| {
        let ways = target.reached.as_mut().expect("reached");
        ways[0].raised = Err("TLS failed: invalid certificate".to_owned());
    };
    of_target(
        certificate,
        "tls",
        Status::Problem,
        "invalid certificate",
        "--tls-ca",
    );
    of_target(
        |target| target.tls = false,
        "tls",
        Status::NotApplicable,
        "in clear",
        "",
    );
}

#[test]
fn what_a_run_doubts_is_said_where_it_belongs() {
    let doubt = |code: &'static infermeter_core::finding::Check| {
        move |target: &mut TargetSeen| {
            answered(target).doubts =
                vec![code.found("Doubt.", "Evidence.".to_owned(), "Do this.")];
        }
    };
    for (code, name) in [
        (&raised::ADDRESS_LEFT_OUT, "address"),
        (&raised::TLS_UNVERIFIED, "tls"),
        (&raised::MODEL_NOT_LISTED, "model"),
        (&raised::ENGINE_DISAGREES, "engine"),
        (&raised::PROBE_UNSURE, "answer"),
    ] {
        of_target(doubt(code), name, Status::Warning, "Evidence.", "Do this.");
    }
}

#[test]
fn what_a_target_tells_of_itself() {
    of_target(
        |_| (),
        "model",
        Status::Ok,
        "llama, up to 8,192 tokens (1 listed)",
        "",
    );
    of_target(|_| (), "engine", Status::Ok, "vLLM 0.11.0", "");
    of_target(
        |_| (),
        "fields",
        Status::Ok,
        "takes ignore_eos and include_usage",
        "",
    );
    let plain = |target: &mut TargetSeen| {
        let fields = answered(target).facts.fields.as_mut().expect("tried");
        fields.ignore_eos = Some(false);
    };
    of_target(
        plain,
        "fields",
        Status::Warning,
        "takes include_usage, but not ignore_eos",
        "--no-probe",
    );
    let unprobed = |target: &mut TargetSeen| {
        let fields = answered(target).facts.fields.as_mut().expect("tried");
        fields.probed = Some(false);
    };
    of_target(
        unprobed,
        "fields",
        Status::Unknown,
        "--no-probe",
        "--no-probe",
    );
    of_target(
        unprobed,
        "answer",
        Status::Unknown,
        "--no-probe",
        "--dry-run",
    );
    of_target(
        |_| (),
        "server-metrics",
        Status::Ok,
        "vLLM, 2 known figures at",
        "",
    );
    let no_page = |target: &mut TargetSeen| {
        let facts = &mut answered(target).facts;
        facts.engine.as_mut().expect("named").names = vec!["SGLang".to_owned()];
        facts.server_metrics = Some(MetricsPlace::NotAvailable {
            not_available: "status 404".to_owned(),
        });
    };
    of_target(
        no_page,
        "server-metrics",
        Status::Warning,
        "no page: status 404",
        "--enable-metrics",
    );
    of_target(
        no_page,
        "tracing",
        Status::Unknown,
        "spans",
        "--enable-trace",
    );
    of_target(
        |_| (),
        "tracing",
        Status::Unknown,
        "spans",
        "vllm serve ... --otlp-traces-endpoint",
    );
    let empty = |target: &mut TargetSeen| answered(target).figures.clear();
    of_target(
        empty,
        "server-metrics",
        Status::Warning,
        "none that is known",
        "--server-metrics",
    );
}

#[test]
fn a_gpu_is_looked_for_on_the_servers_own_host_alone() {
    let local = |gpu: Gpu| {
        move |target: &mut TargetSeen| {
            answered(target).facts.same_host = Some(true);
            target.gpu = gpu.clone();
        }
    };
    let both = Gpu {
        device: true,
        library: Some("/lib/libnvidia-ml.so.1".to_owned()),
        driver: Some("550.54".to_owned()),
        amd: false,
    };
    of_target(local(both.clone()), "gpu", Status::Ok, "driver 550.54", "");
    of_target(
        local(both.clone()),
        "placement",
        Status::Warning,
        "this host",
        "taskset",
    );
    let no_device = Gpu {
        device: false,
        ..both.clone()
    };
    of_target(
        local(no_device),
        "gpu",
        Status::Warning,
        "no /dev/nvidiactl",
        "--gpus all",
    );
    let no_library = Gpu {
        library: None,
        ..both.clone()
    };
    of_target(
        local(no_library),
        "gpu",
        Status::Warning,
        "no libnvidia-ml",
        "utility",
    );
    let amd = Gpu {
        amd: true,
        ..Gpu::default()
    };
    of_target(local(amd), "gpu", Status::Unknown, "AMD", "exporter");
    of_target(
        local(Gpu::default()),
        "gpu",
        Status::Unknown,
        "no GPU",
        "--gpus all",
    );
    of_target(
        move |target| target.gpu = both,
        "gpu",
        Status::Unknown,
        "another host",
        "dcgm-exporter",
    );
}

#[test]
fn the_simulator_is_not_asked_what_it_has_not() {
    let mut target = good_target();
    target.simulated = true;
    let found = checkup(&good_host(), Some(&target), "1");
    for name in ["engine", "placement", "tracing", "gpu"] {
        assert_eq!(named(&found, name).status, Status::NotApplicable, "{name}");
    }
}

/// Each has a fix and a reason, in a line, and a section of the book.
#[test]
fn every_check_has_a_fix_and_a_section_of_the_book() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/doctor.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let headings: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let checks: Vec<&Check> = CHECKS.into_iter().flatten().collect();
    let names: Vec<String> = checks
        .iter()
        .map(|check| format!("`{}`", check.name))
        .collect();
    assert_eq!(headings, names);
    for check in checks {
        assert!(!check.fix.is_empty(), "{}", check.name);
        assert!(check.matters.ends_with('.'), "{}", check.name);
        assert!(
            check.matters.len() <= 120,
            "{}: {}",
            check.name,
            check.matters.len()
        );
    }
}

#[test]
fn the_worst_comes_last() {
    let order = [
        Status::NotApplicable,
        Status::Ok,
        Status::Unknown,
        Status::Warning,
        Status::Problem,
    ];
    assert!(order.is_sorted());
}
