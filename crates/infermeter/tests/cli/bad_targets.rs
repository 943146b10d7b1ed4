//! Targets that cannot be measured: code 4, before anything is written, with what to do.

use crate::process::{LIGHT, Scratch, command, infermeter, mock, ran, words};
use crate::server::{MODELS, Server, Then, good, reply, reply_events, send};
use std::net::TcpListener;

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
            "`mock/fixd`",
            "did you mean `mock/fixed`",
            "It serves: mock/fixed",
        ],
    );
    unusable(mock(), "--model zzz", &["`zzz`. It serves: mock/fixed"]);
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
        &["no model at /v1/models", "status 200", "--model NAME"],
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
fn an_overloaded_target_is_measured_with_careful_fields() {
    let scratch = Scratch::new();
    let out = scratch.path("run").display().to_string();
    let line = format!(
        "run {} {LIGHT} --header 'x-mock-fault: status=503' --out {out}",
        mock()
    );
    let ran = ran(command(&words(&line)));
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    let manifest = crate::process::manifest(std::path::Path::new(&out));
    let finding = crate::process::finding(&manifest, "probe-unsure");
    assert!(finding["evidence"].as_str().expect("text").contains("503"));
    assert_eq!(
        manifest["environment"]["target"]["fields"]["ignore_eos"],
        false
    );
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
