//! APIs that generate nothing: embeddings and rerank, from the flags to the report.

use crate::process::{Run, infermeter, light, mock, run_with};
use crate::server::{MODELS, Request, Server, Then, reply};
use infermeter_core::record::Reason;
use serde_json::{Value, json};
use std::io::Write;

const BATCH: &str = "--endpoint embeddings --batch-size 2";

fn measured(url: &str, more: &str) -> Run {
    run_with(light(url, more), |_| {})
}

/// A server of one answer, made from the request's body.
fn answering(answer: fn(&Value) -> String) -> Server {
    Server::start(move |request: &Request, out| said(request, out, answer))
}

fn said(request: &Request, out: &mut impl Write, answer: fn(&Value) -> String) -> Then {
    if !request.is_generation() {
        return reply(out, "200 OK", "application/json", MODELS);
    }
    let body = serde_json::from_str(&request.body).expect("JSON");
    reply(out, "200 OK", "application/json", &answer(&body))
}

/// One embedding for each text.
fn embedded(body: &Value) -> Vec<Value> {
    let texts = body["input"].as_array().expect("a list");
    let each = texts.iter().enumerate();
    each.map(|(i, _)| json!({"index": i, "embedding": [0.5, -1.0, 2e-3]}))
        .collect()
}

#[test]
fn embeddings_have_latencies_and_rates_and_no_tokens() {
    let run = measured(mock(), &format!("{BATCH} --slo e2e.p90<10s"));
    for record in run.completes() {
        assert_eq!((record.items, record.dimensions), (Some(2), Some(1_024)));
        assert_eq!(
            (record.requested_output_tokens, record.output_tokens),
            (0, None)
        );
        assert_eq!(record.token_source, None);
        assert!(record.chunks.is_empty() && record.prompt_tokens >= Some(32));
    }
    let summary = &run.manifest()["summary"];
    let throughput = &summary["throughput"];
    assert_eq!(throughput["items"]["called"], "inputs");
    let of = |name: &str| throughput[name]["count"].as_f64().expect("a count");
    assert_eq!(of("items"), 2.0 * of("requests"));
    assert!(throughput["output_tokens"].is_null() && throughput["total_tokens"].is_null());
    assert_eq!(summary["slo"][0]["metric"], "e2e");
    assert!(!summary["slo"][0]["cell"].is_null());
    let codes = run.manifest()["findings"].to_string();
    for code in [
        "token-counts-unknown",
        "tokens-estimated",
        "length-not-obeyed",
        "conservation",
    ] {
        assert!(!codes.contains(code), "{codes}");
    }
    assert!(
        run.ran.out.contains("Inputs") && !run.ran.out.contains("tokens/chunk"),
        "{}",
        run.ran.out
    );
}

#[test]
fn rerank_counts_documents() {
    let run = measured(mock(), "--endpoint rerank --documents 3 --query-tokens 16");
    for record in run.completes() {
        assert_eq!((record.items, record.dimensions), (Some(3), None));
        assert_eq!(record.requested_prompt_tokens, 16 + 3 * 16);
    }
    assert_eq!(
        run.manifest()["summary"]["throughput"]["items"]["called"],
        "documents"
    );
}

#[test]
fn answers_that_lie_fail() {
    let check = |answer: fn(&Value) -> String, reason, words: &str| {
        let server = answering(answer);
        let run = measured(&server.url, &format!("{BATCH} --no-probe --model small"));
        for record in run.all_fail(reason) {
            let error = record.error.expect("an error");
            assert!(error.text.contains(words), "{}", error.text);
        }
    };
    let fewer = |body: &Value| json!({"data": &embedded(body)[1..]}).to_string();
    check(
        fewer,
        Reason::UnexpectedContent,
        "1 embeddings came back for 2 inputs",
    );
    let twice = |body: &Value| {
        let one = &embedded(body)[0];
        json!({"data": [one, one]}).to_string()
    };
    check(
        twice,
        Reason::UnexpectedContent,
        "two results have the index 0",
    );
    let base64 = |_: &Value| {
        let one = |index: u32| json!({"index": index, "embedding": "AACAPw=="});
        json!({"data": [one(0), one(1)]}).to_string()
    };
    check(base64, Reason::UnexpectedContent, "came in base64");
    let error = |_: &Value| json!({"error": {"message": "out of memory"}}).to_string();
    check(error, Reason::InBandError, "out of memory");
}

#[test]
fn usage_may_be_missing_and_results_may_come_in_any_order() {
    let server = answering(|body| {
        let mut data = embedded(body);
        data.reverse();
        json!({"object": "list", "data": data}).to_string()
    });
    let run = measured(&server.url, BATCH);
    for record in run.completes() {
        assert_eq!((record.prompt_tokens, record.dimensions), (None, Some(3)));
    }
    let asked = &run.manifest()["summary"]["throughput"]["prompt_tokens_as_asked"];
    assert!(asked.as_u64() > Some(0), "{asked}");
}

#[test]
fn a_refused_format_or_batch_is_told_before_the_load() {
    let server = Server::start(|request, out| {
        if request.is_generation() && request.body.contains("base64") {
            let body = r#"{"error":{"message":"encoding_format: unknown"}}"#;
            return reply(out, "400 Bad Request", "application/json", body);
        }
        said(request, out, |body| match embedded(body).len() {
            1 => json!({"data": embedded(body)}).to_string(),
            _ => json!({"data": &embedded(body)[..1]}).to_string(),
        })
    });
    let ran = |more: &str| measured(&server.url, &format!("--endpoint embeddings {more}")).ran;
    ran("--encoding-format base64").fails(4, &["encoding_format: unknown"]);
    ran("--batch-size 2").fails(4, &["1 embeddings came back for 2 inputs"]);
}

#[test]
fn rerank_is_found_where_the_server_has_it() {
    let server = Server::start(|request, out| {
        if request.is_generation() && request.what() != "POST /rerank" {
            return reply(out, "404 Not Found", "application/json", "{}");
        }
        said(request, out, |body| {
            let documents = body["documents"].as_array().expect("a list").len();
            let result = |index| json!({"index": index, "relevance_score": 0.5});
            let results: Vec<Value> = (0..documents).map(result).collect();
            json!({"results": results, "usage": {"total_tokens": 9}}).to_string()
        })
    });
    let run = measured(&server.url, "--endpoint rerank --documents 2");
    for record in run.completes() {
        assert_eq!(record.prompt_tokens, Some(9));
    }
    assert_eq!(run.manifest()["environment"]["target"]["path"], "/rerank");
    let nowhere = Server::start(|request, out| match request.is_generation() {
        true => reply(out, "404 Not Found", "application/json", "{}"),
        false => reply(out, "200 OK", "application/json", MODELS),
    });
    let ran = measured(&nowhere.url, "--endpoint rerank").ran;
    ran.fails(4, &["/v1/rerank", "/v2/rerank", "POST /rerank"]);
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let ran = |more: &str| infermeter(&format!("run mock:fixed --rate 1 --requests 1 {more}"));
    ran("--endpoint embeddings --slo ttft.p99<1s").fails(2, &["--slo ttft", "no token comes back"]);
    ran("--endpoint rerank --tools 2").fails(2, &["--tools", "nothing is generated"]);
    ran("--batch-size 2").fails(2, &["--batch-size needs --endpoint embeddings"]);
    let dry = ran("--endpoint embeddings --batch-size 4 --dry-run");
    assert!(dry.out.contains("4 inputs in each; no output"), "{dry:?}");
}
