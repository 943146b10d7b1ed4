//! Rungs and certificates for tests, here and in the front end.

use super::limits::limits;
use super::spec::Spec;
use infermeter_core::certificate::{
    Certificate, ClientSettings, Cost, Errors, FORMAT_VERSION, Joined, Machine, Rung,
    SimulatorSide, Spread,
};

/// A usable rung with the same errors everywhere, kernel p99 as given and program p99 ten
/// times that.
///
/// # Panics
/// Where the name is none of a rung.
pub fn good(name: &str, per_s: f64, p99_us: f64) -> Rung {
    let spec: Spec = name.parse().expect("a rung");
    let errors = |p99_us: f64| {
        let spread = Some(Spread {
            n: 1_000,
            p50_us: p99_us / 4.0,
            p99_us: Some(p99_us),
            max_us: p99_us * 3.0,
        });
        Some(Errors {
            ttft: spread,
            chunk: spread,
            itl: spread,
        })
    };
    Rung {
        name: name.to_owned(),
        kind: spec.kind(),
        transport: spec.transport,
        asked_per_s: spec.asked_per_s(),
        events_per_s: per_s,
        requests_per_s: per_s,
        bytes_per_event: Some(300.0),
        joined: Joined {
            requests: 100,
            chunks: 5_000,
            ..Joined::default()
        },
        kernel: errors(p99_us),
        program: errors(p99_us * 10.0),
        send_lag: None,
        uncertain_share: Some(0.0),
        cost: Cost {
            cpu_us_per_event: Some(5.0),
            cpu_us_per_request: Some(250.0),
            busiest_thread: Some(0.2),
            run_queue_wait_share: Some(0.0),
        },
        simulator: SimulatorSide {
            busy: Some(0.3),
            run_queue_wait_share: Some(0.0),
            step_lateness_p99_us: Some(60.0),
            lost_ms: Some(0.0),
        },
        foreign_cores: Some(0.0),
        spoilt: None,
    }
}

/// A certificate of three usable rungs.
pub fn certificate() -> Certificate {
    let rungs = vec![
        good("streams:10x50", 490.0, 30.0),
        good("streams:100x50", 4_900.0, 60.0),
        good("requests:50", 50.0, 40.0),
    ];
    Certificate {
        format_version: FORMAT_VERSION,
        infermeter_version: "0.1.0".to_owned(),
        created: "2026-11-22T16:40:00Z".to_owned(),
        machine: Machine::default(),
        client: ClientSettings {
            threads: 1,
            io: "epoll".to_owned(),
            kernel_stamps: true,
            burn: None,
        },
        interrupted: false,
        limits: limits(&rungs),
        rungs,
    }
}
