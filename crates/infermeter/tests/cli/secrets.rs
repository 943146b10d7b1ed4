//! What must stay secret stays out of every file and every output, also when a server repeats it.

use crate::process::{
    Going, LIGHT, Run, Scratch, UNPROBED, command, everything_in, infermeter, light, run_with,
    wait_until, words,
};
use crate::server::{DONE, FINISH, Server, TEXT, USAGE, good, reply, reply_events};
use rustix::process::Signal;

/// No byte of `secret` in what the run wrote, printed, or prints again.
#[track_caller]
fn nowhere(run: &Run, secrets: &[&str]) {
    let dir = run.dir.display();
    let again = infermeter(&format!("report {dir}"));
    let json = infermeter(&format!("report {dir} --json"));
    let mut all = everything_in(&run.dir);
    for output in [&run.ran, &again, &json] {
        all.extend(output.out.as_bytes());
        all.extend(output.err.as_bytes());
    }
    for secret in secrets {
        let found = all
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!found, "{secret} leaked");
    }
}

const EXTRA: &str = r#"{"top_p":0.5,"api_key":"body-secret-1","nested":{"Auth-Token":"body-secret-2"},"list":[{"password":"body-secret-3"}]}"#;

#[test]
fn headers_urls_and_bodies_keep_their_secrets() {
    let server = Server::start(good);
    let url = server.url.replace("http://", "http://user:url-secret@");
    let more = format!("--header 'x-api-key: header-secret' --extra-body '{EXTRA}' --json");
    let run = run_with(light(&url, &more), |_| {});
    run.completes();
    let basic = "dXNlcjp1cmwtc2VjcmV0";
    nowhere(
        &run,
        &[
            "header-secret",
            "url-secret",
            basic,
            "body-secret-1",
            "body-secret-2",
            "body-secret-3",
        ],
    );
    let plan = &run.manifest()["plan"];
    assert_eq!(plan["header"], serde_json::json!(["x-api-key: ***"]));
    assert_eq!(plan["extra-body"]["api_key"], "***");
    assert_eq!(plan["extra-body"]["nested"]["Auth-Token"], "***");
    assert_eq!(plan["extra-body"]["list"][0]["password"], "***");
    assert_eq!(plan["extra-body"]["top_p"], 0.5);
    assert!(plan["target"].as_str().expect("text").contains("***@"));
    // They were sent as they are.
    for request in server.generations() {
        assert_eq!(request.header("x-api-key"), Some("header-secret"));
        assert_eq!(
            request.header("authorization"),
            Some(&*format!("Basic {basic}"))
        );
        assert!(request.body.contains("body-secret-3"));
    }
}

#[test]
fn a_server_that_repeats_secrets_is_not_repeated() {
    let server = Server::start(|request, out| {
        let body = serde_json::json!({"error": {"message": format!("no: {}", request.head)}});
        match request.what() {
            _ if request.is_probe() => good(request, out),
            _ => reply(out, "503 Busy", "application/json", &body.to_string()),
        }
    });
    let scratch = Scratch::new();
    let key = scratch.file("key", "sk-key-from-file\n");
    let more = format!("--header 'x-api-key: header-secret' --api-key-file {key}");
    let run = run_with(light(&server.url, &more), |_| {});
    assert_eq!(run.ran.code, Some(4), "{:#?}", run.ran);
    nowhere(&run, &["header-secret", "sk-key-from-file"]);
    let error = run.records()[0].error.clone().expect("an error");
    assert!(error.text.contains("***"), "{}", error.text);

    let refusing = Server::start(|request, out| {
        reply(
            out,
            "401 Unauthorized",
            "text/plain",
            &format!("bad {}", request.head),
        )
    });
    let line = format!("run {} {LIGHT} {more}", refusing.url);
    let ran = infermeter(&line);
    ran.fails(4, &["401", "***"]);
    assert!(!ran.err.contains("sk-key-from-file"), "{}", ran.err);
}

#[test]
fn keys_come_from_file_environment_or_header() {
    let server = Server::start(good);
    let scratch = Scratch::new();
    let key = scratch.file("key", "  sk-file-key\n");
    let sent = |url: &str, more: &str, variable: Option<&str>| {
        let before = server.seen().len();
        let run = run_with(light(url, &format!("{more} {UNPROBED}")), |command| {
            if let Some(variable) = variable {
                command.env("OPENAI_API_KEY", variable);
            }
        });
        nowhere(&run, &["sk-file-key", "sk-environment"]);
        let seen = &server.seen()[before..];
        let value = seen[0].header("authorization").map(str::to_owned);
        assert!(
            seen.iter()
                .all(|r| r.header("authorization") == value.as_deref())
        );
        value
    };
    let url = &server.url;
    let file = format!("--api-key-file {key}");
    assert_eq!(sent(url, "", None), None);
    assert_eq!(sent(url, "", Some(" ")), None);
    assert_eq!(
        sent(url, &file, None).as_deref(),
        Some("Bearer sk-file-key")
    );
    let environment = Some("sk-environment");
    assert_eq!(
        sent(url, "", environment).as_deref(),
        Some("Bearer sk-environment")
    );
    assert_eq!(
        sent(url, &file, environment).as_deref(),
        Some("Bearer sk-file-key")
    );
    let header = "--header 'Authorization: Token t'";
    assert_eq!(sent(url, header, environment).as_deref(), Some("Token t"));
    let user = url.replace("http://", "http://me:pw@");
    assert_eq!(
        sent(&user, "", environment).as_deref(),
        Some("Basic bWU6cHc=")
    );
}

#[test]
fn nothing_printed_before_a_run_shows_a_secret() {
    let secrets = ["url-secret", "header-secret", "body-secret-1"];
    for target in [
        "http://user:url-secret@h",
        "user:url-secret@h",
        "http://h/?k=url-secret",
    ] {
        for mode in ["--print-config", "--dry-run", ""] {
            for header in [
                "x: header-secret",
                "header-secret",
                "x y: header-secret\u{7f}",
            ] {
                let mut arguments = words(&format!("run {target} --rate 5 {mode}"));
                arguments.extend(["--header".to_owned(), header.to_owned()]);
                arguments.extend(["--extra-body".to_owned(), EXTRA.to_owned()]);
                let ran = crate::process::ran(crate::process::command(&arguments));
                for secret in secrets {
                    let said = format!("{}{}", ran.out, ran.err);
                    assert!(!said.contains(secret), "{arguments:?}: {said}");
                }
            }
        }
    }
}

/// What a careless server, proxy or logger makes of a key.
fn echoes(key: &str) -> Vec<String> {
    let percent: String = key.bytes().map(|b| format!("%{b:02X}")).collect();
    let hex: String = key.bytes().map(|b| format!("{b:02x}")).collect();
    let html: String = key.chars().map(|c| format!("&#{};", c as u32)).collect();
    let apart: Vec<String> = key.chars().map(String::from).collect();
    vec![
        key.to_owned(),
        key.to_uppercase(),
        percent,
        hex,
        html,
        apart.join("\u{200b}"),
        apart.join("\u{ad}"),
        // Of `key`, of `Bearer key`, and of `x key`, in base64.
        "c2stc2VjcmV0LTEyMzQ1Ng==".to_owned(),
        "QmVhcmVyIHNrLXNlY3JldC0xMjM0NTY=".to_owned(),
        "eCBzay1zZWNyZXQtMTIzNDU2".to_owned(),
    ]
}

#[test]
fn no_field_of_an_answer_and_no_encoding_lets_a_key_through() {
    const KEY: &str = "sk-secret-123456";
    for echo in echoes(KEY) {
        let echoed = echo.clone();
        let server = Server::start(move |request, out| {
            let said = echoed.as_str();
            let json = |value: serde_json::Value| value.to_string();
            match request.what() {
                "GET /v1/models" => {
                    let entry = serde_json::json!({"id": said, "owned_by": said});
                    let body = json(serde_json::json!({ "data": [entry] }));
                    reply(out, "200 OK", "application/json", &body)
                }
                "GET /version" => {
                    let body = json(serde_json::json!({ "version": said }));
                    reply(out, "200 OK", "application/json", &body)
                }
                what if what.starts_with("POST") => {
                    let half = said.char_indices().nth(5).map_or(0, |(at, _)| at);
                    let (one, two) = said.split_at(half);
                    let chunk = |text: &str| {
                        let delta = serde_json::json!({ "content": text });
                        json(serde_json::json!({"choices": [{"index": 0, "delta": delta}]}))
                    };
                    let finish = FINISH.replace("length", &said.replace('"', ""));
                    reply_events(
                        out,
                        &[&chunk(one), &chunk(two), TEXT, TEXT, &finish, USAGE, DONE],
                    )
                }
                _ => reply(out, "500 Internal", "text/plain", said),
            }
        });
        let run = run_with(
            light(&server.url, "--save-responses --json --full"),
            |command| {
                command.env("OPENAI_API_KEY", KEY);
            },
        );
        nowhere(&run, &[&echo, KEY]);
        let responses = std::fs::read_to_string(run.dir.join("responses.jsonl")).expect("there");
        assert!(responses.contains(r#""text":"***"#), "{responses}");
        assert_eq!(run.manifest()["model"], "***");
    }
}

#[test]
fn a_password_in_a_path_or_a_template_is_neither_saved_nor_printed() {
    let scratch = Scratch::new();
    let body = r#"{"api_key": "template-secret", "auth": {"token": "inner-secret", "n": {{max_tokens}}}, "prompt": "{{prompt}}"}"#;
    let template = scratch.file("body.json", body);
    let path = "/gen?api-version=2024-10-21&password=path-secret&pw=xyz12";
    let server = Server::start(|request, out| match request.is_probe() {
        true => good(request, out),
        false => reply(
            out,
            "503 Busy",
            "text/plain",
            &format!("{} {}", request.head, request.body),
        ),
    });
    let more = format!("--endpoint-path {path} --body-template {template}");
    let run = run_with(light(&server.url, &more), |_| {});
    let secrets = ["path-secret", "xyz12", "template-secret", "inner-secret"];
    nowhere(&run, &secrets);
    let shown = &run.manifest()["plan"]["endpoint-path"];
    assert_eq!(shown, "/gen?api-version=2024-10-21&password=***&pw=***");
    let asked = server.generations();
    assert!(asked[0].what().ends_with(path), "{}", asked[0].what());

    // Before a run, and when there is none.
    let refusing = Server::start(|request, out| {
        let said = format!("no: {}", request.head);
        reply(out, "404 Not Found", "text/plain", &said)
    });
    let lines = [
        format!("run {} {LIGHT} {more} --model m", refusing.url),
        format!("run {} {LIGHT} {more} --dry-run", refusing.url),
        format!("run {} {LIGHT} {more} --print-config", refusing.url),
        format!(
            "run {} {LIGHT} --endpoint-path gen?password=path-secret",
            refusing.url
        ),
    ];
    for line in lines {
        let ran = infermeter(&line);
        let said = format!("{}{}", ran.out, ran.err);
        for secret in ["path-secret", "xyz12=", "template-secret"] {
            assert!(!said.contains(secret), "{line}: {said}");
        }
    }
}

#[test]
fn the_simulator_inherits_no_secrets() {
    let scratch = Scratch::new();
    let out = scratch.path("run").display().to_string();
    let line =
        format!("run mock:fixed --rate 5 --duration 300s --warmup 0 --threads 1 --out {out}");
    let mut command = command(&words(&line));
    command.env("OPENAI_API_KEY", "sk-environment");
    command.env("SOME_PASSWORD", "pw-environment");
    let going = Going::spawn(command);
    let own = going.child.id();
    let children = || {
        let path = format!("/proc/{own}/task/{own}/children");
        std::fs::read_to_string(path).unwrap_or_default()
    };
    wait_until(|| scratch.path("run").join("requests.journal").exists());
    let child = children();
    let child = child.trim();
    let environment = std::fs::read(format!("/proc/{child}/environ")).expect("it lives");
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(!environment.contains("environment"), "{environment}");
    assert!(!environment.contains("HOME="), "{environment}");
    going.signal(Signal::TERM);
    going.signal(Signal::TERM);
    going.end();
}
