//! The shadow gets its share, and whatever it does, users get the primary's answer.

use crate::server::{Client, GET, Server, Then, post, until};
use crate::sides::{Running, nobody, shadow, shadowed, upstream};
use infermeter_proxy::{
    BreakerSettings, BreakerState, Limits, Outcome, SetHeader, Settings, ShadowSettings, Upstream,
    Withheld,
};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

#[test]
fn both_sides_of_a_request_come_together() {
    let (primary, other) = (Server::named("primary"), Server::named("shadow"));
    let running = Running::start(shadowed(upstream(&primary), shadow(upstream(&other))));
    let mut client = Client::connect(running.address());
    for n in 0..20 {
        let body = format!("request {n}");
        assert_eq!(client.ask(&post(&body)).body, b"primary");
        let seen = running.next();
        assert_eq!(seen.body.bytes.as_deref(), Some(body.as_bytes()));
        let side = seen.shadow.expect("a shadow");
        assert_eq!((side.outcome, side.status), (Outcome::Complete, Some(200)));
        assert_eq!(side.pieces[0].bytes.as_ref(), b"shadow");
        assert!(side.begun >= seen.first_byte_in && seen.withheld.is_none());
        assert_eq!(seen.primary.pieces[0].bytes.as_ref(), b"primary");
        assert_eq!(side.pieces[0].written, None);
    }
    let bodies =
        |server: &Server| -> Vec<Vec<u8>> { server.asked().into_iter().map(|m| m.body).collect() };
    assert_eq!(bodies(&primary), bodies(&other));
    let counts = running.handle.counts();
    assert_eq!((counts.shadow_sent, counts.shadow_completed), (20, 20));
    let open = || {
        let counts = running.handle.counts();
        (counts.now_shadow, counts.now_kept_bytes)
    };
    until(|| open() == (0, 0));
}

/// Shadows that do their worst.
fn bad_shadows() -> Vec<(&'static str, Upstream)> {
    let stalled = Server::start(|_, stream| {
        let mut rest = [0; 64];
        while matches!(stream.read(&mut rest), Ok(1..)) {}
        Then::Closes
    });
    let killed = Server::start(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        Then::Closes
    });
    // Accepts by its backlog alone, and never reads.
    let deaf = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = deaf.local_addr().expect("bound").port();
    std::mem::forget(deaf);
    vec![
        ("refusing", nobody()),
        ("stalled", upstream(&stalled)),
        ("killed", upstream(&killed)),
        (
            "deaf",
            Upstream::resolve("127.0.0.1", port).expect("an address"),
        ),
        ("noise", upstream(&Server::saying("no HTTP at all\r\n\r\n"))),
    ]
}

#[test]
fn a_thousand_answers_are_whole_whatever_the_shadow_does() {
    for (name, bad) in bad_shadows() {
        let server = Server::named("the primary's answer");
        let never_opens = ShadowSettings {
            breaker: BreakerSettings {
                failures: u32::MAX,
                ..BreakerSettings::default()
            },
            ..shadow(bad)
        };
        let running = Running::start(shadowed(upstream(&server), never_opens));
        let mut client = Client::connect(running.address());
        let body = post("the user's request");
        let intact = (0..1000)
            .filter(|_| {
                let answer = client.ask(&body);
                answer.is_whole && answer.status() == 200 && answer.body == b"the primary's answer"
            })
            .count();
        assert_eq!(intact, 1000, "{name}");
        until(|| running.handle.counts().completed == 1000);
        let counts = running.handle.counts();
        assert!(
            counts.shadow_sent > 0 && counts.shadow_completed == 0,
            "{name}: {counts:?}"
        );
        assert!(counts.now_shadow <= 64, "{name}: {counts:?}");
    }
}

#[test]
fn the_breaker_leaves_a_failing_shadow_alone_and_tries_again() {
    let server = Server::named("ok");
    let breaking = ShadowSettings {
        breaker: BreakerSettings {
            failures: 3,
            pause: Duration::from_millis(200),
        },
        ..shadow(nobody())
    };
    let running = Running::start(shadowed(upstream(&server), breaking));
    let mut client = Client::connect(running.address());
    let mut ask = || {
        assert_eq!(client.ask(GET).status(), 200);
        running.next()
    };
    for _ in 0..3 {
        assert_eq!(
            ask().shadow.map(|side| side.outcome),
            Some(Outcome::ConnectFailed)
        );
    }
    assert_eq!(running.handle.counts().breaker, BreakerState::Open);
    let withheld = ask();
    assert_eq!(
        (withheld.shadow, withheld.withheld),
        (None, Some(Withheld::BreakerOpen))
    );
    // It has come back by now: the probe closes the breaker.
    let back = upstream(&Server::named("back"));
    running
        .handle
        .replace(upstream(&server), Some(back))
        .expect("upstreams");
    until(|| {
        ask()
            .shadow
            .is_some_and(|side| side.outcome == Outcome::Complete)
    });
    assert!(ask().shadow.is_some());
    let counts = running.handle.counts();
    assert_eq!(
        (counts.breaker, counts.breaker_opened),
        (BreakerState::Closed, 1)
    );
    assert!(counts.shadow_withheld_breaker > 0);
}

#[test]
fn what_is_beyond_the_budget_is_withheld_and_says_why() {
    let server = Server::named("ok");
    let holding = || {
        Server::start(|_, stream| {
            let mut rest = [0; 64];
            while matches!(stream.read(&mut rest), Ok(1..)) {}
            Then::Closes
        })
    };
    let check = |settings: ShadowSettings, body: &str, first: Option<Withheld>| {
        let limits = Limits {
            head_wait: Duration::from_secs(1),
            kept_bytes: 1_000,
            ..Limits::default()
        };
        let running = Running::start(Settings {
            limits,
            ..shadowed(upstream(&server), settings)
        });
        let mut client = Client::connect(running.address());
        for _ in 0..2 {
            assert_eq!(client.ask(&post(body)).status(), 200);
        }
        let withheld = running.next().withheld;
        assert_eq!(withheld, first);
    };
    let base = || shadow(upstream(&holding()));
    let one = ShadowSettings {
        max_in_flight: 1,
        ..base()
    };
    check(one, "x", Some(Withheld::InFlight));
    let bytes = ShadowSettings {
        max_bytes: 150,
        ..base()
    };
    check(bytes, &"x".repeat(100), Some(Withheld::Bytes));
    let slow = ShadowSettings {
        max_rate: Some(0.001),
        ..base()
    };
    check(slow, "x", Some(Withheld::Rate));
    check(base(), &"x".repeat(2_000), Some(Withheld::BodyTooLong));
}

#[test]
fn the_shadow_gets_a_share_by_number_alone() {
    let chosen = || -> Vec<u64> {
        let other = upstream(&Server::named("shadow"));
        let half = ShadowSettings {
            share: 0.5,
            seed: 7,
            ..shadow(other)
        };
        let running = Running::start(shadowed(upstream(&Server::named("ok")), half));
        let mut client = Client::connect(running.address());
        let numbers = (0..100).filter_map(|_| {
            client.ask(GET);
            let seen = running.next();
            seen.shadow.map(|_| seen.number)
        });
        numbers.collect()
    };
    let first = chosen();
    assert!((30..70).contains(&first.len()), "{}", first.len());
    assert_eq!(first, chosen());
}

#[test]
fn keys_stay_with_the_primary_and_the_model_is_renamed_for_the_shadow() {
    let (primary, other) = (Server::named("ok"), Server::named("ok"));
    let own = ShadowSettings {
        model: Some("other-model".to_owned()),
        headers: vec![SetHeader {
            name: "Authorization".to_owned(),
            value: "Bearer shadows-own".to_owned(),
        }],
        ..shadow(upstream(&other))
    };
    let running = Running::start(shadowed(upstream(&primary), own));
    let body = r#"{"model": "users-model", "n": 1.0}"#;
    let length = body.len();
    Client::connect(running.address()).ask(&format!(
        "POST /v1/x?api-version=1&key=users HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer users\r\nx-api-key: users\r\nX-Trace: 1\r\nContent-Length: {length}\r\n\r\n{body}"
    ));
    let seen = running.next();
    assert_eq!(
        seen.shadow.map(|side| side.outcome),
        Some(Outcome::Complete)
    );
    let at_primary = primary.asked().pop().expect("asked");
    assert_eq!(at_primary.body, body.as_bytes());
    assert_eq!(at_primary.header("authorization"), Some("Bearer users"));
    assert!(at_primary.first_line().contains("&key=users"));
    let at_shadow = other.asked().pop().expect("asked");
    assert_eq!(at_shadow.body, br#"{"model": "other-model", "n": 1.0}"#);
    assert_eq!(at_shadow.first_line(), "POST /v1/x?api-version=1 HTTP/1.1");
    assert_eq!(
        at_shadow.header("authorization"),
        Some("Bearer shadows-own")
    );
    assert_eq!(
        (at_shadow.header("x-api-key"), at_shadow.header("x-trace")),
        (None, Some("1"))
    );
    Client::connect(running.address()).ask(&post("no JSON"));
    let seen = running.next();
    assert_eq!(
        (seen.shadow, seen.withheld),
        (None, Some(Withheld::NotRewritable))
    );
}

#[test]
fn a_header_that_cannot_be_set_is_an_error() {
    let server = Server::named("ok");
    let bad = ShadowSettings {
        headers: vec![SetHeader {
            name: "Content-Length".to_owned(),
            value: "5".to_owned(),
        }],
        ..shadow(upstream(&server))
    };
    let (sender, _seen) = std::sync::mpsc::sync_channel(1);
    let started = infermeter_proxy::Proxy::start(shadowed(upstream(&server), bad), sender);
    let error = started.expect_err("a length is nobody's to set");
    assert!(error.to_string().contains("Content-Length"), "{error}");
}
