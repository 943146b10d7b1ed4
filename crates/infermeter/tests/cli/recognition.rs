//! Who answers: the engine by what it lets slip, proxies in front of it, and notes about the way there.

use crate::process::{Run, Scratch, light, mock, run_with};
use crate::server::{
    DONE, FINISH, Request, Server, TEXT, Then, USAGE, good, reply, reply_events, send,
};
use serde_json::Value;
use std::net::TcpStream;

fn measured(server: &Server, more: &str) -> Run {
    let run = run_with(light(&server.url, &format!("--json {more}")), |_| {});
    run.completes();
    run
}

/// The engine as the report shows it, and how it was found.
fn engine_of(run: &Run) -> (Value, Value) {
    let shown = run.ran.json()["summary"]["context"]["engine"]["engine"].clone();
    let facts = run.manifest()["environment"]["target"]["engine"].clone();
    (shown, facts)
}

/// A good server with other answers to some questions.
fn with(answers: &'static [(&'static str, &'static str)]) -> Server {
    Server::start(move |request: &Request, out: &mut TcpStream| -> Then {
        let own = answers.iter().find(|(what, _)| *what == request.what());
        match own {
            Some((_, body)) if body.starts_with('{') => {
                reply(out, "200 OK", "application/json", body)
            }
            Some((_, body)) => reply(out, "200 OK", "text/plain", body),
            None => good(request, out),
        }
    })
}

#[test]
fn an_engine_is_known_by_any_of_its_words() {
    let owner = r#"{"data":[{"id":"small","owned_by":"vllm"}]}"#;
    let props = r#"{"default_generation_settings":{},"build_info":"b1-7e4c0a9"}"#;
    let info = r#"{"version":"3.3.4","router":"text-generation-router"}"#;
    let sglang = r#"{"version":"0.5.2","tp_size":1}"#;
    for (what, body, engine, version) in [
        ("GET /v1/models", owner, "vLLM", None),
        ("GET /props", props, "llama.cpp", Some("b1-7e4c0a9")),
        ("GET /info", info, "TGI", Some("3.3.4")),
        ("GET /server_info", sglang, "SGLang", Some("0.5.2")),
        ("GET /metrics", "lmdeploy:x 1\n", "LMDeploy", None),
    ] {
        let answers: &'static [_] = Box::leak(Box::new([(what, body)]));
        let run = measured(&with(answers), "");
        let (shown, facts) = engine_of(&run);
        assert_eq!(shown, engine, "{facts:#}");
        assert_eq!(facts["version"].as_str(), version);
        assert!(facts["evidence"][0]["source"].is_string());
    }
    let headers = Server::start(|request, out| match request.is_generation() {
        true => good(request, out),
        false => send(
            out,
            "HTTP/1.1 200 OK\r\nserver: llama.cpp\r\ncontent-type: application/json\r\n\
             content-length: 25\r\n\r\n{\"data\":[{\"id\":\"small\"}]}",
        ),
    });
    assert_eq!(engine_of(&measured(&headers, "")).0, "llama.cpp");
    let printed = Server::start(|request, out| match request.is_generation() {
        true => {
            let text = TEXT.replacen('{', r#"{"system_fingerprint":"b1-7e4c0a9","#, 1);
            reply_events(out, &[&text, TEXT, TEXT, TEXT, FINISH, USAGE, DONE])
        }
        false => good(request, out),
    });
    assert_eq!(engine_of(&measured(&printed, "")).0, "llama.cpp");
}

#[test]
fn nobody_is_guessed_and_a_proxy_is_not_the_engine() {
    let (shown, facts) = engine_of(&measured(&Server::start(good), ""));
    assert_eq!(shown, "unknown");
    assert_eq!(facts["names"], serde_json::json!([]));
    let proxied = with(&[
        ("GET /metrics", "litellm_requests_total 1\nenvoy_x 1\n"),
        (
            "GET /v1/models",
            r#"{"data":[{"id":"small","owned_by":"vllm"}]}"#,
        ),
    ]);
    let run = measured(&proxied, "");
    assert_eq!(engine_of(&run).0, "vLLM, behind LiteLLM and Envoy");
    // The simulator speaks vLLM's names on its page.
    let run = run_with(light(mock(), "--json"), |_| {});
    assert_eq!(engine_of(&run).0, "infermeter's simulator");
}

#[test]
fn words_that_disagree_are_all_shown() {
    let server = with(&[
        ("GET /metrics", "sglang:x 1\n"),
        (
            "GET /v1/models",
            r#"{"data":[{"id":"small","owned_by":"vllm"}]}"#,
        ),
    ]);
    let run = measured(&server, "");
    assert_eq!(engine_of(&run).0, "vLLM or SGLang");
    let evidence = run.finding("engine-disagrees")["evidence"].to_string();
    for word in ["vLLM (`owned_by` of /v1/models)", "SGLang (metrics page)"] {
        assert!(evidence.contains(word), "{evidence}");
    }
    let one = with(&[("GET /metrics", "lmdeploy:x 1\n")]);
    let run = measured(&one, "--engine-info engine=vllm");
    let evidence = run.finding("engine-disagrees")["evidence"].to_string();
    assert!(evidence.contains("declared: vllm"), "{evidence}");
    let run = measured(&one, "--engine-info engine=lmdeploy-0.10");
    assert!(
        !run.manifest()["findings"]
            .to_string()
            .contains("engine-disagrees")
    );
}

#[test]
fn a_proxy_of_the_environment_is_noted_without_its_value() {
    let server = Server::start(good);
    let with = |variables: &[(&str, &str)]| {
        run_with(light(&server.url, ""), |command| {
            command.envs(variables.iter().copied());
        })
    };
    let proxy = "http://user:proxy-secret@127.0.0.1:9";
    let run = with(&[("HTTP_PROXY", proxy)]);
    run.completes();
    let note = run.finding("proxy-unused");
    assert_eq!(note["severity"], "note");
    assert_eq!(note["evidence"], "set: HTTP_PROXY");
    assert!(!run.ran.out.contains("proxy-secret"));
    assert!(!run.manifest().to_string().contains("proxy-secret"));
    for variables in [
        &[("HTTPS_PROXY", proxy)][..],
        &[("http_proxy", proxy), ("NO_PROXY", "127.0.0.0/8")],
    ] {
        let findings = with(variables).manifest()["findings"].to_string();
        assert!(!findings.contains("proxy-unused"), "{variables:?}");
    }
}

#[test]
fn a_key_file_that_others_can_read_is_noted() {
    use std::os::unix::fs::PermissionsExt;
    let server = Server::start(good);
    let scratch = Scratch::new();
    let key = scratch.file("key", "sk-file-key\n");
    for (mode, noted) in [(0o644, true), (0o600, false)] {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&key, permissions).expect("changed");
        let run = run_with(light(&server.url, &format!("--api-key-file {key}")), |_| {});
        run.completes();
        let findings = run.manifest()["findings"].to_string();
        assert_eq!(findings.contains("key-file-readable"), noted, "{findings}");
    }
}
