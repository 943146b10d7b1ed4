//! What must stay secret stays out of every file and every output, also when a server repeats it.

use crate::process::{
    LIGHT, Run, Scratch, UNPROBED, everything_in, infermeter, light, run_with, words,
};
use crate::server::{Server, good, reply};

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
            "GET /v1/models" | "GET /version" => good(request, out),
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
