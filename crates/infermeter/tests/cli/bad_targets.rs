//! Targets that cannot be measured: code 4, before anything is written, with what to do.

use crate::process::{LIGHT, Scratch, infermeter, mock};
use crate::server::{MODELS, Server, Then, good, reply, reply_events, send};
use infermeter_core::record::Reason;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The light load is refused by or because of the target; no directory stays.
#[track_caller]
fn unusable(target: &str, more: &str, said: &[&str]) {
    let scratch = Scratch::new();
    let out = scratch.path("run");
    let line = format!("run {target} {LIGHT} {more} --out {}", out.display());
    infermeter(&line).fails(4, said);
    assert!(!out.exists());
}

/// A server with a good model list and this answer to generations.
fn generating(status: &'static str, content_type: &'static str, body: &'static str) -> Server {
    Server::start(move |request, out| match request.is_generation() {
        true => reply(out, status, content_type, body),
        false => good(request, out),
    })
}

#[test]
fn nobody_there() {
    let free = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address")
    };
    unusable(
        &format!("http://{free}"),
        "",
        &[
            "cannot be reached",
            &free.to_string(),
            "refused",
            "is the server up",
        ],
    );
    unusable(
        "http://no-such-host.invalid",
        "",
        &["cannot be reached", "no-such-host.invalid", "resolved"],
    );
}

#[test]
fn a_port_that_says_nothing_useful() {
    let closing = Server::start(|_, _| Then::Close);
    unusable(
        &closing.url,
        "",
        &["cannot be measured", "closed before the response"],
    );
    let ssh = Server::start(|_, out| {
        send(out, "SSH-2.0-OpenSSH_9.6\r\n");
        Then::Close
    });
    unusable(&ssh.url, "", &["does not answer in HTTP"]);
    // A listener that never answers, asked in clear and in TLS.
    let mute = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = mute.local_addr().expect("an address");
    unusable(
        &format!("http://{address}"),
        "--timeout 200ms",
        &["no answer from", "timed out"],
    );
    let tls = format!("https://{address}");
    unusable(
        &tls,
        "--connect-timeout 200ms",
        &["TLS handshake", "timed out", "https"],
    );
}

#[test]
fn wrong_models_are_named_with_those_served() {
    unusable(
        mock(),
        "--model mock/fixd",
        &[
            "--model",
            "does not list `mock/fixd`; it lists: mock/fixed; did you mean `mock/fixed`?",
        ],
    );
    unusable(mock(), "--model zzz", &["`zzz`; it lists: mock/fixed"]);
    let none = Server::start(|_, out| reply(out, "404 Not Found", "text/plain", "no"));
    unusable(
        &none.url,
        "",
        &["no model at /v1/models", "status 404", "--model NAME"],
    );
    let page = Server::start(|_, out| reply(out, "200 OK", "text/html", "<h1>hello</h1>"));
    unusable(
        &page.url,
        "",
        &[
            "no model at /v1/models",
            "no JSON but text/html",
            "--model NAME",
        ],
    );
}

#[test]
fn a_model_that_is_served_need_not_be_listed() {
    let lists = |list: &'static str| {
        Server::start(move |request, out| match request.what() {
            "GET /v1/models" => reply(out, "200 OK", "application/json", list),
            _ => good(request, out),
        })
    };
    let run = |server: &Server, more: &str| {
        crate::process::run_with(crate::process::light(&server.url, more), |_| {})
    };
    // A router's list names its workers' models, or its own.
    let router = lists(r#"{"data":[{"id":"router-internal"},{"id":"other"}]}"#);
    let named = run(&router, "--model served");
    named.completes();
    assert_eq!(named.manifest()["model"], "served");
    let note = named.finding("model-not-listed");
    assert_eq!(note["severity"], "note");
    assert!(
        note["evidence"]
            .to_string()
            .contains("it lists: router-internal, other")
    );
    for list in [
        r#"{"data":[]}"#,
        r#"{"data":[{"id":"a"}],"has_more":true}"#,
        r#"{"data":[{"id":"served"}]}"#,
        "<html>",
    ] {
        let run = run(&lists(list), "--model served");
        run.completes();
        let findings = run.manifest()["findings"].to_string();
        assert!(!findings.contains("model-not-listed"), "{list}");
    }
    unusable(
        &lists(r#"{"data":[]}"#).url,
        "",
        &["an empty list", "--model NAME"],
    );
}

#[test]
fn refused_credentials_say_where_a_key_goes() {
    for status in ["401 Unauthorized", "403 Forbidden"] {
        let server = Server::start(move |_, out| {
            reply(
                out,
                status,
                "application/json",
                r#"{"error":{"message":"no key"}}"#,
            )
        });
        let code = &status[..3];
        let said = [code, "no key", "OPENAI_API_KEY", "--api-key-file"];
        unusable(&server.url, "", &said);
        unusable(&server.url, "--model small", &said);
    }
    let server = generating(
        "401 Unauthorized",
        "application/json",
        r#"{"error":"bad key"}"#,
    );
    unusable(&server.url, "", &["401", "bad key", "OPENAI_API_KEY"]);
}

#[test]
fn refused_requests_repeat_the_servers_words() {
    for (status, said) in [
        ("404 Not Found", ["404", "--endpoint"]),
        ("400 Bad Request", ["400", "--extra-body"]),
        ("422 Unprocessable", ["422", "--extra-body"]),
    ] {
        let server = generating(status, "application/json", r#"{"detail":"top_k: unknown"}"#);
        unusable(&server.url, "", &said);
        unusable(&server.url, "", &["top_k: unknown"]);
    }
}

#[test]
fn redirects_are_not_followed() {
    let server = Server::start(|request, out| match request.is_generation() {
        true => send(
            out,
            "HTTP/1.1 307 Moved\r\nlocation: https://other/v1\r\ncontent-length: 0\r\n\r\n",
        ),
        false => good(request, out),
    });
    unusable(
        &server.url,
        "",
        &["307", "https://other/v1", "not followed"],
    );
}

#[test]
fn json_or_html_instead_of_a_stream() {
    let json = generating("200 OK", "application/json", MODELS);
    unusable(
        &json.url,
        "",
        &["application/json", "instead of an event stream"],
    );
    let html = generating("200 OK", "text/html", "<h1>Welcome \u{1b}[31m</h1>");
    unusable(
        &html.url,
        "",
        &["text/html", "instead of an event stream", "Welcome"],
    );
    let events = Server::start(|request, out| match request.is_generation() {
        true => reply_events(out, &[r#"{"error":{"message":"out of memory"}}"#]),
        false => good(request, out),
    });
    unusable(&events.url, "", &["error event", "out of memory"]);
}

#[test]
fn a_target_that_fails_every_trial_gets_no_load() {
    for (status, trials) in [
        ("500 Internal", 10),
        ("502 Bad Gateway", 10),
        ("429 Too Many", 2),
        ("503 Busy", 2),
    ] {
        let server = Server::start(move |request, out| match request.is_generation() {
            true => send(
                out,
                &format!("HTTP/1.1 {status}\r\nretry-after: 30\r\ncontent-length: 4\r\n\r\nbusy"),
            ),
            false => good(request, out),
        });
        let code = &status[..3];
        let said = ["fails every trial", code, "Retry-After: 30", "--no-probe"];
        unusable(&server.url, "", &said);
        unusable(
            &server.url,
            "",
            &[
                "POST /v1/chat/completions (trial of ignore_eos",
                "(2 times)",
            ],
        );
        // Both commands' trials, and nothing else.
        assert_eq!(server.generations().len(), 2 * trials, "{status}");
        assert!(
            server
                .generations()
                .iter()
                .all(|request| request.is_probe())
        );
        let run = crate::process::run(&server.url, "");
        run.all_fail(Reason::HttpStatus);
    }
}

#[test]
fn a_target_that_accepts_and_never_answers_is_given_up_soon() {
    let mute = Server::start(|request, out| match request.is_generation() {
        true => hang(),
        false => good(request, out),
    });
    let said = [
        "no answer from",
        "timed out after 0.2 s",
        "GET /v1/models (models served): status 200",
        "POST /v1/chat/completions (trial of ignore_eos, include_usage, continuous_usage_stats): no \
         answer",
        "--probe-timeout 60s",
    ];
    unusable(&mute.url, "--probe-timeout 200ms", &said);
    // One silence is enough: no ladder of them.
    assert_eq!(mute.generations().len(), 1);

    let all = Server::start(|_, _| hang());
    unusable(
        &all.url,
        "--probe-timeout 200ms",
        &["timed out", "--probe-timeout 60s"],
    );
    assert_eq!(all.seen().len(), 1);
    // Who names the model needs no list: a generation is tried.
    unusable(&all.url, "--probe-timeout 200ms --model m", &["timed out"]);
    assert_eq!(all.generations().len(), 1);
    let what = "waiting for GET /v1/models, at most 2 s (--probe-timeout)";
    unusable(&all.url, "--probe-timeout 1800ms", &[what]);
    let quiet = infermeter(&format!(
        "run {} {LIGHT} --probe-timeout 1200ms --quiet",
        all.url
    ));
    assert!(!quiet.err.contains("waiting"), "{}", quiet.err);
}

/// Keeps the connection open, for good.
fn hang() -> Then {
    loop {
        std::thread::park();
    }
}

#[test]
fn a_slow_start_is_waited_for_where_that_is_asked_for() {
    let slow = Server::start(|request, out| {
        if request.is_generation() && request.is_probe() {
            std::thread::sleep(Duration::from_millis(1500));
        }
        good(request, out)
    });
    unusable(&slow.url, "--probe-timeout 300ms", &["timed out"]);
    let more = "--timeout 1s --probe-timeout 60s";
    crate::process::run_with(crate::process::light(&slow.url, more), |_| {}).completes();
}

#[test]
fn one_error_is_tried_again_and_a_lasting_one_costs_fields() {
    let count = AtomicUsize::new(0);
    let hiccup = Server::start(move |request, out| match request.is_generation() {
        true if count.fetch_add(1, Ordering::Relaxed) == 0 => {
            reply(out, "500 Internal", "text/plain", "once")
        }
        _ => good(request, out),
    });
    let run = crate::process::run_with(crate::process::light(&hiccup.url, ""), |_| {});
    run.completes();
    let findings = run.manifest()["findings"].to_string();
    assert!(!findings.contains("probe-unsure"), "{findings}");

    let choking = Server::start(|request, out| match request.body.contains("ignore_eos") {
        true => reply(out, "500 Internal", "text/plain", "KeyError: ignore_eos"),
        false => good(request, out),
    });
    let run = crate::process::run_with(crate::process::light(&choking.url, ""), |_| {});
    run.completes();
    let evidence = run.finding("probe-unsure")["evidence"].to_string();
    assert!(
        evidence.contains("status 500: KeyError: ignore_eos"),
        "{evidence}"
    );
    let fields = &run.manifest()["environment"]["target"]["fields"];
    assert_eq!(fields["ignore_eos"], false);
    assert_eq!(fields["include_usage"], true);
}

#[test]
fn the_length_is_asked_for_under_the_name_that_the_server_takes() {
    const SAID: &str = r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."}}"#;
    for said in [SAID, r#"{"error":{"message":"bad request"}}"#] {
        let server = Server::start(move |request, out| {
            let strict = ["\"max_tokens\"", "ignore_eos", "continuous_usage_stats"];
            match strict.iter().any(|field| request.body.contains(field)) {
                true => reply(out, "400 Bad Request", "application/json", said),
                false => good(request, out),
            }
        });
        let run = crate::process::run_with(crate::process::light(&server.url, ""), |_| {});
        run.completes();
        let fields = &run.manifest()["environment"]["target"]["fields"];
        assert_eq!(fields["max_completion_tokens"], true);
        assert_eq!(fields["include_usage"], true);
        let sent = server.generations();
        let load = sent.iter().filter(|request| !request.is_probe());
        assert!(load.clone().count() >= 6);
        for request in load {
            assert!(
                request.body.contains("\"max_completion_tokens\":4"),
                "{}",
                request.body
            );
        }
    }
}

#[test]
fn answers_of_other_apis_are_named_before_any_load() {
    for (events, what) in [
        (
            [
                r#"{"index":0,"content":"pair","tokens":[6616],"stop":false,"id_slot":-1}"#,
                r#"{"index":0,"content":"","tokens":[],"stop":true,"tokens_predicted":4}"#,
            ],
            "llama.cpp's native /completion",
        ),
        (
            [
                r#"{"model_name":"gen","model_version":"1","text_output":" tok0"}"#,
                r#"{"model_name":"gen","model_version":"1","text_output":" tok1"}"#,
            ],
            "Triton's generate extension",
        ),
        (
            [
                r#"{"type":"response.created","response":{"id":"r"}}"#,
                r#"{"type":"response.output_text.delta","delta":" a"}"#,
            ],
            "OpenAI's Responses",
        ),
    ] {
        let server = Server::start(move |request, out| match request.is_generation() {
            true => reply_events(out, &events),
            false => good(request, out),
        });
        let scratch = Scratch::new();
        let template = scratch.file("body.json", r#"{"prompt": "{{prompt}}"}"#);
        let more = format!("--body-template {template} --endpoint-path /completion");
        unusable(
            &server.url,
            &more,
            &["an event stream of", what, "--endpoint-path"],
        );
        let run = crate::process::run(&server.url, &more);
        let failed = run.all_fail(Reason::UnexpectedContent);
        let text = &failed[0].error.as_ref().expect("an error").text;
        assert!(text.contains(what), "{text}");
    }
    let whole = generating(
        "200 OK",
        "application/json",
        r#"{"content":"a","stop":true,"tokens_predicted":4}"#,
    );
    unusable(
        &whole.url,
        "--no-stream",
        &["JSON of llama.cpp's native /completion"],
    );
    let run = crate::process::run(&whole.url, "--no-stream");
    run.all_fail(Reason::UnexpectedContent);
    let lines = generating(
        "200 OK",
        "application/x-ndjson",
        "{\"message\":{\"content\":\"a\"},\"done\":false}\n{\"message\":{},\"done\":true}\n",
    );
    unusable(&lines.url, "", &["Ollama's /api/chat"]);
}

#[test]
fn fields_a_server_refuses_are_left_away() {
    let server = Server::start(|request, out| {
        let strict = ["ignore_eos", "continuous_usage_stats"];
        if strict.iter().any(|field| request.body.contains(field)) {
            let body = r#"{"error":{"message":"Unrecognized request argument"}}"#;
            reply(out, "400 Bad Request", "application/json", body)
        } else {
            good(request, out)
        }
    });
    let run = crate::process::run_with(crate::process::light(&server.url, ""), |_| {});
    run.completes();
    let fields = &run.manifest()["environment"]["target"]["fields"];
    assert_eq!(fields["ignore_eos"], false);
    assert_eq!(fields["include_usage"], true);
    assert_eq!(fields["continuous_usage"], false);
    let trials = run.manifest()["control_requests"].to_string();
    assert!(trials.contains("Unrecognized request argument"), "{trials}");
}
