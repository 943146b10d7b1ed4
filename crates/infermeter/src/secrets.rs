//! Secrets: what must not reach any file or output, replaced by `***`.

use infermeter_core::plan::Plan;
use serde_json::Value;

/// The stand-in.
pub const HIDDEN: &str = "***";

/// Parts of key names that mark a secret.
const SECRET: [&str; 9] = [
    "key",
    "token",
    "secret",
    "password",
    "passwd",
    "auth",
    "credential",
    "cookie",
    "bearer",
];
/// Names with such a part that are no secrets.
const HARMLESS: [&str; 9] = [
    "max_tokens",
    "min_tokens",
    "max_completion_tokens",
    "stop_token_ids",
    "skip_special_tokens",
    "add_special_tokens",
    "return_token_ids",
    "return_tokens_as_token_ids",
    "truncate_prompt_tokens",
];

/// A copy of the plan that may be saved and printed.
pub fn redact(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.target = redact_url(&plan.target);
    plan.header = plan.header.iter().map(|h| redact_header(h)).collect();
    if let Some(body) = &mut plan.extra_body {
        redact_value(body);
    }
    plan
}

/// `Name: ***`.
fn redact_header(header: &str) -> String {
    let name = header.split(':').next().unwrap_or_default();
    format!("{}: {HIDDEN}", name.trim())
}

/// User info in a URL hidden.
pub fn redact_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..authority_end].rfind('@') {
        Some(at) => format!("{scheme}://{HIDDEN}@{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

fn redact_value(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                if is_secret(key) {
                    *value = Value::String(HIDDEN.to_owned());
                } else {
                    redact_value(value);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(redact_value),
        _ => {}
    }
}

fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    !HARMLESS.contains(&key.as_str()) && SECRET.iter().any(|part| key.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        let plan = Plan {
            target: "https://me:pw@host/v1".to_owned(),
            header: vec!["X-Api: abc".to_owned(), "no colon".to_owned()],
            extra_body: Some(serde_json::json!({
                "max_tokens": 5, "api_key": "k", "nested": [{"Auth-Token": "t"}]
            })),
            ..Plan::defaults()
        };
        let shown = redact(&plan);
        assert_eq!(shown.target, "https://***@host/v1");
        assert_eq!(shown.header, ["X-Api: ***", "no colon: ***"]);
        let body = serde_json::json!({
            "max_tokens": 5, "api_key": "***", "nested": [{"Auth-Token": "***"}]
        });
        assert_eq!(shown.extra_body, Some(body));
    }
}
