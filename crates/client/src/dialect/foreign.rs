//! Names the API that an answer is of.
//!
//! It decodes nothing, and runs once for an answer at most: the request ends with what it says, so it
//! may allocate and build a tree.

use super::choices::{CALLED, SIGN};
use super::{embeddings, rerank};
use serde_json::{Map, Value};

/// Larger documents are not looked at: the first event of a stream is small.
const MAX_PARSED: usize = 256 << 10;

/// Members that tell an API, and its name. All of a row have to be there; the first row counts.
const SIGNS: [(&[&str], &str); 15] = [
    (&["text_output"], "Triton's generate extension"),
    (&["model_name", "outputs"], "the KServe v2 protocol"),
    (&["content", "stop"], "llama.cpp's native /completion"),
    (&["token", "generated_text"], "TGI's native /generate"),
    (&["generated_text"], "TGI's native /generate"),
    (&["message", "done"], "Ollama's /api/chat"),
    (&["response", "done"], "Ollama's /api/generate"),
    (&["text", "meta_info"], "SGLang's native /generate"),
    (&["candidates"], "Gemini's generateContent"),
    (&["embedding"], "an embeddings endpoint"),
    (&["data", "usage"], embeddings::CALLED),
    (&["results", "usage"], rerank::CALLED),
    (&["results", "meta"], rerank::CALLED),
    (&["content_block"], "Anthropic's Messages"),
    (&["generations"], "Cohere's generate"),
];

/// Beginnings of `type`, and the API whose events have them.
const TYPES: [(&str, &str); 4] = [
    ("response.", "OpenAI's Responses"),
    ("message", "Anthropic's Messages"),
    ("content_block", "Anthropic's Messages"),
    ("content-delta", "Cohere's chat"),
];

/// The API of an event or a body, where it is a known one.
pub(super) fn api_of(document: &[u8]) -> Option<&'static str> {
    if document.len() > MAX_PARSED {
        return None;
    }
    match serde_json::from_slice(document).ok()? {
        Value::Object(members) => named(&members),
        // TGI answers with a list.
        Value::Array(items) => items.first()?.as_object().and_then(named),
        _ => None,
    }
}

fn named(members: &Map<String, Value>) -> Option<&'static str> {
    // An error is an answer in any.
    if members.get("error").is_some_and(|e| !e.is_null()) {
        return None;
    }
    if members.contains_key(SIGN) {
        return Some(CALLED);
    }
    let object = members.get("object").and_then(Value::as_str);
    let kind = members.get("type").and_then(Value::as_str);
    let begins = |kind: &str| TYPES.iter().find(|(begin, _)| kind.starts_with(begin));
    if let Some((_, api)) = kind.and_then(begins) {
        return Some(api);
    }
    if object == Some("response") {
        return Some("OpenAI's Responses");
    }
    let has_all = |names: &[&str]| names.iter().all(|name| members.contains_key(*name));
    let row = SIGNS.iter().find(|(names, _)| has_all(names));
    row.map(|(_, api)| *api)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_other_apis_are_named() {
        let check = |document: &str, api: Option<&str>| {
            assert_eq!(api_of(document.as_bytes()), api, "{document}");
        };
        check(
            r#"{"index":0,"content":"pair","tokens":[6616],"stop":false,"id_slot":-1}"#,
            Some("llama.cpp's native /completion"),
        );
        check(
            r#"{"model_name":"gen","model_version":"1","text_output":" tok0"}"#,
            Some("Triton's generate extension"),
        );
        check(
            r#"{"index":1,"token":{"id":3,"text":"a"},"generated_text":null,"details":null}"#,
            Some("TGI's native /generate"),
        );
        check(
            r#"[{"generated_text":"a"}]"#,
            Some("TGI's native /generate"),
        );
        check(
            r#"{"type":"response.created","response":{"object":"response"}}"#,
            Some("OpenAI's Responses"),
        );
        check(
            r#"{"type":"message_start","message":{"type":"message"}}"#,
            Some("Anthropic's Messages"),
        );
        check(
            r#"{"model":"m","message":{"role":"assistant","content":"a"},"done":false}"#,
            Some("Ollama's /api/chat"),
        );
        check(
            r#"{"text":"a","meta_info":{"id":"b"}}"#,
            Some("SGLang's native /generate"),
        );
        let chat = r#"{"choices":[],"content":"a","stop":false}"#;
        check(chat, Some("chat or completions"));
        check(r#"{"usage":{"completion_tokens":3}}"#, None);
        check(r#"{"type":"ping"}"#, None);
        check(
            r#"{"error":{"message":"no"},"content":"a","stop":true}"#,
            None,
        );
        check("not JSON", None);
    }
}
