//! Requests as bytes, targets, headers.

use infermeter_client::dialect::Dialect;
use infermeter_client::encode::{
    BodyTemplate, Features, HeaderError, Headers, RequestEncoder, RequestShape, Target, encode_get,
};
use infermeter_core::plan::Endpoint;
use infermeter_core::request::{BodyMember, Message, RequestContent, RequestSpec, Role};
use infermeter_core::spans::TraceKey;
use serde_json::{Value, json};

fn shape() -> RequestShape {
    RequestShape {
        dialect: Dialect::of(Endpoint::Chat),
        model: "m\"1".to_owned(),
        stream: true,
        features: Features::default(),
        headers: Headers::default(),
        extra_body: serde_json::Map::new(),
        session_header: None,
        path: None,
        template: None,
    }
}

fn encode(url: &str, shape: &RequestShape) -> (String, Value) {
    let target = Target::parse(url).expect("a target");
    let content = RequestContent::of_prompt("Say \"hi\"\n\u{1}é");
    let bytes = RequestEncoder::new(&target, shape).encode(
        "run-7",
        &RequestSpec::alone(7, 5, 64),
        &content,
    );
    let text = String::from_utf8(bytes).expect("requests are UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let length = format!("content-length: {}", body.len());
    assert!(head.lines().any(|line| line == length), "{head}");
    (
        head.to_owned(),
        serde_json::from_str(body).expect("a JSON body"),
    )
}

#[test]
fn a_chat_request() {
    let (head, body) = encode("http://localhost:8000", &shape());
    let version = env!("CARGO_PKG_VERSION");
    let length = body.to_string().len();
    assert!(length > 0);
    let lines: Vec<&str> = head.lines().collect();
    assert_eq!(
        lines[..8],
        [
            "POST /v1/chat/completions HTTP/1.1",
            "host: localhost:8000",
            &format!("user-agent: infermeter/{version}"),
            "accept: text/event-stream",
            "accept-encoding: identity",
            "content-type: application/json",
            "x-request-id: run-7",
            lines[7],
        ]
    );
    assert_eq!(
        body,
        json!({
            "model": "m\"1",
            "messages": [{"role": "user", "content": "Say \"hi\"\n\u{1}é"}],
            "max_tokens": 64,
            "stream": true,
        })
    );
}

#[test]
fn a_completions_request_with_every_feature() {
    let shape = RequestShape {
        dialect: Dialect::of(Endpoint::Completions),
        features: Features {
            ignore_eos: true,
            min_tokens: true,
            include_usage: true,
            continuous_usage: true,
            max_completion_tokens: false,
        },
        ..shape()
    };
    let (head, body) = encode("https://[::1]/base/v1/", &shape);
    assert!(head.starts_with("POST /base/v1/completions HTTP/1.1\r\nhost: [::1]\r\n"));
    assert_eq!(
        body,
        json!({
            "model": "m\"1",
            "prompt": "Say \"hi\"\n\u{1}é",
            "max_tokens": 64,
            "min_tokens": 64,
            "ignore_eos": true,
            "stream": true,
            "stream_options": {"include_usage": true, "continuous_usage_stats": true},
        })
    );
}

#[test]
fn plain_answers_are_asked_for_as_json_and_without_stream_options() {
    let shape = RequestShape {
        stream: false,
        features: Features {
            include_usage: true,
            ..Features::default()
        },
        ..shape()
    };
    let (head, body) = encode("http://h", &shape);
    assert!(head.contains("\r\naccept: application/json\r\n"));
    assert_eq!(body["stream"], json!(false));
    assert!(body.get("stream_options").is_none());
}

#[test]
fn the_answers_length_has_one_name() {
    let length = |features: Features, extra: Value| {
        let Value::Object(extra_body) = extra else {
            unreachable!("an object")
        };
        let shape = RequestShape {
            features,
            extra_body,
            ..shape()
        };
        let (_, body) = encode("http://h", &shape);
        (
            body["max_tokens"].clone(),
            body["max_completion_tokens"].clone(),
        )
    };
    let renamed = Features {
        max_completion_tokens: true,
        ..Features::default()
    };
    assert_eq!(length(renamed, json!({})), (Value::Null, json!(64)));
    let extra = json!({"max_completion_tokens": 9});
    assert_eq!(length(Features::default(), extra), (Value::Null, json!(9)));
    assert_eq!(
        length(renamed, json!({"max_tokens": 9})),
        (json!(9), Value::Null)
    );
}

#[test]
fn a_template_takes_values_and_texts_and_stays_json() {
    let text = r#"{"a": {"p": "{{prompt}}", "n": {{max_tokens}}}, "b": "<{{model}}|{{prompt}}>",
        "c": ["{{stream}}", "{{ messages }}", null, 1.5], "id": "{{id}}", "d": "{{max_tokens}} {{stream}}"}"#;
    let template = BodyTemplate::parse(text).expect("a template");
    let Value::Object(extra_body) = json!({"c": 7, "top_p": 0.5}) else {
        unreachable!("an object")
    };
    let shape = RequestShape {
        model: "m\"".to_owned(),
        path: Some("/generate?x=1".to_owned()),
        template: Some(template.clone()),
        ..shape()
    };
    let (head, body) = encode("http://h/base", &shape);
    assert!(
        head.starts_with("POST /base/generate?x=1 HTTP/1.1\r\n"),
        "{head}"
    );
    let prompt = "Say \"hi\"\n\u{1}é";
    let expected = json!({
        "a": {"p": prompt, "n": 64},
        "b": format!("<m\"|{prompt}>"),
        "c": [true, [{"role": "user", "content": prompt}], null, 1.5],
        "id": "run-7",
        "d": "64 true",
    });
    assert_eq!(body, expected);

    let with_extra = RequestShape {
        extra_body,
        ..shape
    };
    let (_, body) = encode("http://h", &with_extra);
    assert_eq!((&body["c"], &body["top_p"]), (&json!(7), &json!(0.5)));

    // A request's own model takes the place of the run's, inside the text.
    let target = Target::parse("http://h").expect("a target");
    let mut content = RequestContent::of_prompt("Hi.");
    content.members_mut().push(BodyMember {
        name: "model".into(),
        json: "\"own\"".into(),
    });
    let encoder = RequestEncoder::new(&target, &with_extra);
    let bytes = encoder.encode("r", &RequestSpec::alone(0, 1, 1), &content);
    let text = String::from_utf8(bytes).expect("UTF-8");
    let (_, body) = text.split_once("\r\n\r\n").expect("a head");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body["b"], "<own|Hi.>");
    assert!(body.get("model").is_none());
}

#[test]
fn extra_members_and_headers_win() {
    let mut headers = Headers::default();
    headers
        .push_line("Authorization: Bearer k")
        .expect("a good header");
    headers.push("User-Agent", " mine ").expect("a good header");
    let Value::Object(extra_body) = json!({"max_tokens": 1, "temperature": 0, "stream": true})
    else {
        unreachable!("an object")
    };
    let shape = RequestShape {
        headers,
        extra_body,
        ..shape()
    };
    let (head, body) = encode("http://user:p%40ss@h", &shape);
    assert!(head.contains("\r\nUser-Agent: mine\r\n") && !head.contains("infermeter/"));
    assert!(head.contains("\r\nAuthorization: Bearer k\r\n") && !head.contains("Basic"));
    assert_eq!(body["max_tokens"], json!(1));
    assert_eq!(body["temperature"], json!(0));
}

#[test]
fn a_request_id_cannot_add_a_header() {
    let target = Target::parse("http://h").expect("a target");
    let content = RequestContent::of_prompt("x");
    let spec = RequestSpec::alone(0, 1, 1);
    let bytes = RequestEncoder::new(&target, &shape()).encode("a\r\nb: c", &spec, &content);
    let text = String::from_utf8(bytes).expect("UTF-8");
    assert!(text.contains("\r\nx-request-id: a--b:-c\r\n"));
}

#[test]
fn control_requests() {
    let target = Target::parse("http://h:81/p").expect("a target");
    let bytes = encode_get(&target, "/v1/models", &Headers::default());
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        String::from_utf8(bytes).expect("UTF-8"),
        format!(
            "GET /p/v1/models HTTP/1.1\r\nhost: h:81\r\nuser-agent: infermeter/{version}\r\n\
             accept: */*\r\naccept-encoding: identity\r\n\r\n"
        )
    );
}

#[test]
fn bad_headers_are_refused_without_their_values() {
    let check = |name: &str, value: &str, expect: fn(String) -> HeaderError| {
        let error = Headers::default()
            .push(name, value)
            .expect_err("a bad header");
        assert_eq!(error, expect(name.to_owned()));
        assert!(!error.to_string().contains("secret"));
    };
    check("x", "secret\r\ny: z", HeaderError::Value);
    check("x", "secret\u{e9}", HeaderError::Value);
    check("", "secret", HeaderError::Name);
    check("a b", "secret", HeaderError::Name);
    check("a:b", "secret", HeaderError::Name);
    check("Content-Length", "secret", HeaderError::Reserved);
    check("transfer-encoding", "secret", HeaderError::Reserved);
    assert_eq!(
        Headers::default().push_line("secret"),
        Err(HeaderError::NoColon)
    );
    let mut headers = Headers::default();
    headers.push("x", "secret").expect("a good header");
    assert_eq!(format!("{headers:?}"), r#"{"x": "***"}"#);
}

#[track_caller]
fn check_target(url: &str, shown: &str, path: &str) {
    let target = Target::parse(url).expect("a target");
    assert_eq!(target.to_string(), shown);
    assert_eq!(target.path("/v1/models"), path);
}

#[test]
fn targets() {
    check_target("http://h", "http://h", "/v1/models");
    check_target(" HTTP://Host:8000/ ", "http://host:8000", "/v1/models");
    check_target("http://h:80/v1", "http://h", "/v1/models");
    check_target("https://h:443/v1/", "https://h", "/v1/models");
    check_target("http://h/a/b/v1//", "http://h/a/b", "/a/b/v1/models");
    check_target("http://[::1]:9/x", "http://[::1]:9/x", "/x/v1/models");
    check_target("http://127.0.0.1:9", "http://127.0.0.1:9", "/v1/models");
    check_target("http://me:pw@h:1", "http://***@h:1", "/v1/models");
}

#[test]
fn user_info_becomes_basic_credentials() {
    let basic = |url: &str| {
        let target = Target::parse(url).expect("a target");
        assert!(!format!("{target:?}").contains("Basic"));
        target.authorization().map(str::to_owned)
    };
    // RFC 7617, 2: Aladdin:open sesame.
    assert_eq!(
        basic("http://Aladdin:open%20sesame@h").as_deref(),
        Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    );
    assert_eq!(basic("http://u@h").as_deref(), Some("Basic dTo="));
    assert_eq!(basic("http://h"), None);
}

#[test]
fn bad_targets_say_what_to_write() {
    for (url, expect) in [
        (
            "localhost:8000",
            "`localhost:8000` has no http:// or https:// in front: write http://host:port",
        ),
        (
            "me:secret@h",
            "`h` has no http:// or https:// in front: write http://host:port",
        ),
        (
            "ftp://h",
            "`ftp://` is not supported: write http://host:port or https://host:port",
        ),
        ("http://", "the host is missing: write http://host:port"),
        ("http://:80", "the host is missing: write http://host:port"),
        (
            "http://h:0",
            "`0` is not a port: write a number from 1 to 65535",
        ),
        (
            "http://h:+8",
            "`+8` is not a port: write a number from 1 to 65535",
        ),
        (
            "http://h:x",
            "`x` is not a port: write a number from 1 to 65535",
        ),
        (
            "http://::1",
            "`::1` is not a host name or address (IPv6 addresses stand in brackets: \
             http://[::1]:8000)",
        ),
        (
            "http://h/?a",
            "a target has no `?`: write http://host:port, with the server's base path at most",
        ),
        (
            "http://h#a",
            "a target has no `#`: write http://host:port, with the server's base path at most",
        ),
        (
            "http://h/a b",
            "the path `/a b` has a space, control or non-ASCII character: percent-encode it",
        ),
        (
            "http://h/v1/chat/completions",
            "give the server's base URL: leave `/chat/completions` out",
        ),
    ] {
        let error = Target::parse(url).expect_err("no target").to_string();
        assert_eq!(error, expect);
        assert!(!error.contains("secret"));
    }
}

/// A conversation with a tool, and what it looks like in another API.
fn with_tool(endpoint: Endpoint) -> (String, Value) {
    let member = |name: &str, value: Value| BodyMember {
        name: name.into(),
        json: value.to_string().into(),
    };
    let message = |role, text: &str, members: Vec<BodyMember>| Message {
        members,
        ..Message::new(role, text)
    };
    let call = json!([{"id": "c1", "type": "function",
        "function": {"name": "at", "arguments": "{\"x\":1}"}}]);
    let tool =
        json!([{"type": "function", "function": {"name": "at", "parameters": {"type": "object"}}}]);
    let mut content = RequestContent::of_messages(vec![
        message(Role::System, "Be brief.", vec![]),
        message(Role::User, "Where?", vec![]),
        message(Role::Assistant, "", vec![member("tool_calls", call)]),
        message(Role::Tool, "sea", vec![member("tool_call_id", json!("c1"))]),
    ]);
    content.members_mut().push(member("tools", tool));
    content
        .members_mut()
        .push(member("tool_choice", json!("required")));
    let shape = RequestShape {
        dialect: Dialect::of(endpoint),
        ..shape()
    };
    let target = Target::parse("http://localhost:8000").expect("a target");
    let spec = RequestSpec::alone(7, 5, 64);
    let bytes = RequestEncoder::new(&target, &shape).encode("run-7", &spec, &content);
    let text = String::from_utf8(bytes).expect("requests are UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    (head.to_owned(), serde_json::from_str(body).expect("JSON"))
}

#[test]
fn a_messages_request() {
    let (head, body) = with_tool(Endpoint::Messages);
    assert!(head.starts_with("POST /v1/messages HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains("\r\nanthropic-version: 2023-06-01\r\n"),
        "{head}"
    );
    assert_eq!(
        body,
        json!({
            "model": "m\"1",
            "system": "Be brief.",
            "messages": [
                {"role": "user", "content": "Where?"},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "c1", "name": "at", "input": {"x": 1}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "c1", "content": "sea"}]},
            ],
            "max_tokens": 64,
            "stream": true,
            "tools": [{"name": "at", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "any"},
        })
    );
}

#[test]
fn a_responses_request() {
    let (head, body) = with_tool(Endpoint::Responses);
    assert!(
        head.starts_with("POST /v1/responses HTTP/1.1\r\n"),
        "{head}"
    );
    assert_eq!(
        body,
        json!({
            "model": "m\"1",
            "input": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Where?"},
                {"type": "function_call", "call_id": "c1", "name": "at", "arguments": "{\"x\":1}"},
                {"type": "function_call_output", "call_id": "c1", "output": "sea"},
            ],
            "max_output_tokens": 64,
            "stream": true,
            "tools": [{"type": "function", "name": "at", "parameters": {"type": "object"}}],
            "tool_choice": "required",
        })
    );
}

#[test]
fn a_request_names_its_trace_where_the_run_has_traces() {
    let target = Target::parse("http://h").expect("a target");
    let content = RequestContent::of_prompt("Hi");
    let spec = RequestSpec::alone(7, 5, 64);
    let traces = TraceKey::of_run("a run");
    let encoder = RequestEncoder::new(&target, &shape());
    let plain = encoder.encode("run-7", &spec, &content);
    let traced = encoder.traced(traces).encode("run-7", &spec, &content);
    let text = String::from_utf8(traced).expect("requests are UTF-8");
    let value = String::from_utf8(traces.parent(7).value().to_vec()).expect("ASCII");
    let line = format!("\r\ntraceparent: {value}");
    assert_eq!(text.matches("traceparent").count(), 1);
    assert_eq!(text.replacen(&line, "", 1).into_bytes(), plain);
}
