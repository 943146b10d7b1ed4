//! `infermeter doctor`: this machine, the simulator, and targets that cannot be measured. What the machine is like is
//! not this suite's business: only how it is told, and that codes follow from it.

use crate::process::{Ran, Scratch, infermeter, mock};
use crate::server::{Server, good, reply};
use crate::tls::serve;
use serde_json::Value;
use std::net::TcpListener;

/// A check of a printed checkup.
#[track_caller]
fn check<'a>(checkup: &'a Value, name: &str) -> &'a Value {
    let checks = checkup["checks"].as_array().expect("a list");
    let found = checks.iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {checkup:#}"))
}

fn statuses(checkup: &Value, is_meant: impl Fn(&str) -> bool) -> Vec<&str> {
    let checks = checkup["checks"].as_array().expect("a list").iter();
    let of_it = checks.filter(|check| is_meant(check["subject"].as_str().unwrap_or_default()));
    of_it.filter_map(|check| check["status"].as_str()).collect()
}

/// The code is that of the gravest statuses; nothing that needs one is without a fix.
#[track_caller]
fn is_sound(ran: &Ran, strict: bool) -> Value {
    let checkup = ran.json();
    let target = statuses(&checkup, |subject| subject == "target");
    let own = statuses(&checkup, |subject| subject != "target");
    let has = |all: &[&str], status: &str| all.contains(&status);
    let doubted = strict && (has(&own, "warning") || has(&target, "warning"));
    let expect = if has(&target, "problem") {
        4
    } else if has(&own, "problem") || doubted {
        3
    } else {
        0
    };
    assert_eq!(ran.code, Some(expect), "{ran:#?}");
    for check in checkup["checks"].as_array().expect("a list") {
        let well = ["ok", "not-applicable"].contains(&check["status"].as_str().unwrap_or_default());
        assert_eq!(check.get("fix").is_none(), well, "{check:#}");
    }
    checkup
}

#[test]
fn a_machine_is_looked_at_without_a_target() {
    let checkup = is_sound(&infermeter("doctor --json"), false);
    assert_eq!(checkup.get("target"), None);
    assert_eq!(statuses(&checkup, |subject| subject == "target").len(), 0);
    assert_eq!(statuses(&checkup, |_| true).len(), 14);
    assert_eq!(check(&checkup, "calibration")["status"], "warning");
    // The suite's machines have no certificate, so that is always something to be strict about.
    is_sound(&infermeter("doctor --strict --json"), true);
}

#[test]
fn the_simulator_is_started_and_asked() {
    let checkup = is_sound(&infermeter("doctor mock:fixed --json"), false);
    assert_eq!(checkup["target"], "mock:fixed");
    for name in ["address", "answer", "model", "fields", "server-metrics"] {
        assert_eq!(check(&checkup, name)["status"], "ok", "{checkup:#}");
    }
    for name in ["tls", "engine", "placement", "tracing", "gpu"] {
        assert_eq!(
            check(&checkup, name)["status"],
            "not-applicable",
            "{checkup:#}"
        );
    }
}

#[test]
fn a_server_of_this_host_is_told_apart() {
    let checkup = is_sound(&infermeter(&format!("doctor {} --json", mock())), false);
    assert_eq!(check(&checkup, "placement")["status"], "warning");
    assert_eq!(check(&checkup, "answer")["status"], "ok");
    let line = format!("doctor {} --no-probe --model mock/fixed --json", mock());
    let unasked = is_sound(&infermeter(&line), false);
    assert_eq!(check(&unasked, "address")["status"], "ok");
    for name in ["answer", "model", "fields"] {
        assert_eq!(check(&unasked, name)["status"], "unknown", "{unasked:#}");
    }
}

#[test]
fn nobody_there() {
    let free = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address")
    };
    let ran = infermeter(&format!("doctor http://{free} --json"));
    let checkup = is_sound(&ran, false);
    assert_eq!(ran.code, Some(4));
    let address = check(&checkup, "address");
    assert_eq!(address["status"], "problem");
    let seen = address["seen"].as_str().unwrap_or_default();
    assert!(
        seen.contains("refused") && seen.contains(&free.to_string()),
        "{seen}"
    );
    for name in [
        "tls",
        "answer",
        "model",
        "fields",
        "engine",
        "server-metrics",
        "gpu",
    ] {
        assert_ne!(check(&checkup, name)["status"], "ok", "{name}");
    }
    let told = infermeter(&format!("doctor http://{free}"));
    for said in [
        "Not ready: ",
        "address",
        "Fix: curl -v",
        "unknown: it was not reached: see address",
    ] {
        assert!(told.out.contains(said), "no `{said}` in\n{}", told.out);
    }
}

#[test]
fn a_server_that_is_no_server_of_models() {
    let page = Server::start(|_, out| reply(out, "404 Not Found", "text/html", "<h1>no</h1>"));
    let ran = infermeter(&format!("doctor {} --json", page.url));
    let checkup = is_sound(&ran, false);
    assert_eq!(ran.code, Some(4));
    assert_eq!(check(&checkup, "address")["status"], "ok");
    let answer = check(&checkup, "answer");
    assert_eq!(answer["status"], "problem");
    let seen = answer["seen"].as_str().unwrap_or_default();
    assert!(seen.contains("no model at /v1/models"), "{seen}");
    assert_eq!(check(&checkup, "model")["status"], "unknown");
}

#[test]
fn a_certificate_is_believed_or_not() {
    let (port, authority) = serve("localhost");
    let scratch = Scratch::new();
    let file = scratch.file("ca.pem", &authority);
    let line = format!("doctor https://localhost:{port} --json");
    let refused = is_sound(&infermeter(&line), false);
    assert_eq!(check(&refused, "address")["status"], "ok");
    for name in ["tls", "answer"] {
        assert_eq!(check(&refused, name)["status"], "problem", "{refused:#}");
    }
    let believed = is_sound(&infermeter(&format!("{line} --tls-ca {file}")), false);
    for name in ["address", "tls", "answer"] {
        assert_eq!(check(&believed, name)["status"], "ok", "{believed:#}");
    }
    let any = is_sound(&infermeter(&format!("{line} --tls-insecure")), false);
    assert_eq!(check(&any, "tls")["status"], "warning");
}

#[test]
fn secrets_are_not_told() {
    let server = Server::start(|request, out| match request.what() {
        "GET /v1/models" => {
            let key = request.header("x-key").unwrap_or_default().to_owned();
            reply(
                out,
                "401 Unauthorized",
                "text/plain",
                &format!("bad key {key}"),
            )
        }
        _ => good(request, out),
    });
    let at = server.url.replace("http://", "http://me:secret-word@");
    let ran = infermeter(&format!("doctor {at} --header 'x-key: very-secret' --json"));
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    for secret in ["secret-word", "very-secret"] {
        assert!(
            !ran.out.contains(secret) && !ran.err.contains(secret),
            "{ran:#?}"
        );
    }
}

#[test]
fn what_the_plan_asks_for_is_held_against_the_limits() {
    let line = crate::process::words("doctor --concurrency 900 --json");
    let ran = crate::process::ran(crate::process::limited("ulimit -n 256", &line));
    let checkup = is_sound(&ran, false);
    let descriptors = check(&checkup, "descriptors");
    assert_eq!(descriptors["status"], "problem", "{descriptors:#}");
    assert!(
        descriptors["seen"]
            .as_str()
            .unwrap_or_default()
            .contains("asks for 900")
    );
    assert_eq!(ran.code, Some(3));
}

#[test]
fn what_is_wrong_is_refused() {
    infermeter("doctor ftp://h").fails(2, &["target"]);
    infermeter("doctor mock:fixd").fails(2, &["fixd"]);
    infermeter("doctor http://h --rate 5 --concurrency 5").fails(2, &["exclude each other"]);
    infermeter("doctor --out x").fails(2, &["--out"]);
}
