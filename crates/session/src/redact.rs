//! Hides what a plan says that must not reach any file or output: replaced by `***`, by where it stands.
//!
//! It finds nothing in what a server says: [`crate::secrets`] does. Invariant: names stay, values go.

mod words;

pub use words::{redact_command, redact_words};

use infermeter_core::plan::Plan;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// The stand-in.
pub const HIDDEN: &str = "***";

/// Parts of key names that mark a secret.
const SECRET: [&str; 11] = [
    "key",
    "token",
    "secret",
    "password",
    "passwd",
    "pwd",
    "auth",
    "credential",
    "cookie",
    "bearer",
    "signature",
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

/// Headers whose values are words that any answer may hold.
pub(crate) const HARMLESS_HEADERS: [&str; 8] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "anthropic-version",
    "cache-control",
    "content-type",
    "user-agent",
    "x-mock-fault",
];
/// Parameters of a URL's query that are shown: they say what was measured.
const HARMLESS_PARAMETERS: [&str; 4] = ["api-version", "version", "stream", "alt"];

/// A copy of the plan that may be saved and printed.
pub fn redact(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.target = redact_url(&plan.target);
    plan.more_targets = plan.more_targets.iter().map(|t| redact_url(t)).collect();
    plan.proxy = plan.proxy.as_deref().map(redact_url);
    plan.server_metrics = plan.server_metrics.with_urls(redact_url);
    plan.gpu_metrics = plan.gpu_metrics.with_urls(redact_url);
    if let Some(from) = &mut plan.replicas_from {
        from.url = redact_url(&from.url);
    }
    plan.header = plan.header.iter().map(|h| redact_header(h)).collect();
    plan.endpoint_path = plan.endpoint_path.as_deref().map(redact_path);
    if let Some(body) = &mut plan.extra_body {
        redact_value(body);
    }
    plan
}

/// A URL as it is written into a hash or a file: for `serde`, as those below.
///
/// # Errors
/// The serialiser's.
pub(crate) fn shown_url<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&redact_url(url))
}

/// One that there may be.
pub(crate) fn shown_some_url<S: Serializer>(
    url: &Option<String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    url.as_deref().map(redact_url).serialize(serializer)
}

/// Several in one text.
pub(crate) fn shown_joined<S: Serializer>(
    urls: &[String],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let urls: Vec<String> = urls.iter().map(|url| redact_url(url)).collect();
    serializer.serialize_str(&urls.join(", "))
}

/// Several.
pub(crate) fn shown_urls<S: Serializer>(urls: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(urls.iter().map(|url| redact_url(url)))
}

/// Headers, each as it was written.
pub(crate) fn shown_headers<S: Serializer>(
    headers: &[String],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(headers.iter().map(|header| redact_header(header)))
}

/// A path that there may be.
pub(crate) fn shown_path<S: Serializer>(
    path: &Option<String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    path.as_deref().map(redact_path).serialize(serializer)
}

/// Members of a body.
pub(crate) fn shown_members<S: Serializer>(
    members: &Map<String, Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut shown = Value::Object(members.clone());
    redact_value(&mut shown);
    shown.serialize(serializer)
}

/// `Name: ***`; without a colon all of it may be the secret.
fn redact_header(header: &str) -> String {
    match header.split_once(':') {
        Some((name, _)) => format!("{}: {HIDDEN}", name.trim()),
        None => HIDDEN.to_owned(),
    }
}

/// User info and query of a URL hidden, also where it is no URL yet.
pub fn redact_url(url: &str) -> String {
    if url.starts_with("mock:") {
        // Its query holds the simulator's parameters, none of them secret.
        return url.to_owned();
    }
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let (rest, query) = match rest.find(['?', '#']) {
        Some(at) => (&rest[..at], format!("{}{HIDDEN}", &rest[at..=at])),
        None => (rest, String::new()),
    };
    let authority_end = rest.find('/').unwrap_or(rest.len());
    match rest[..authority_end].rfind('@') {
        Some(at) => format!("{scheme}{HIDDEN}@{}{query}", &rest[at + 1..]),
        None => format!("{scheme}{rest}{query}"),
    }
}

/// A path with the values of its parameters hidden, and user info where a URL stands in it. Whatever
/// stands before the path stays.
pub fn redact_path(path: &str) -> String {
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let segments: Vec<String> = path.split('/').map(redact_segment).collect();
    let shown = segments.join("/");
    let Some(query) = query else {
        return shown;
    };
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if !HARMLESS_PARAMETERS.contains(&name) => format!("{name}={HIDDEN}"),
        Some(_) => pair.to_owned(),
        None if pair.is_empty() => String::new(),
        None => HIDDEN.to_owned(),
    });
    format!("{shown}?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// A message of several lines, each of which may name a path.
pub(crate) fn redact_lines(message: &str) -> String {
    let line = |line: &str| {
        let words = line.split(' ').map(|word| match word.split_once('?') {
            Some((path, query)) if path.starts_with('/') && query.contains('=') => {
                redact_path(word)
            }
            _ => word.to_owned(),
        });
        words.collect::<Vec<_>>().join(" ")
    };
    message.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// `user:password@host` and `;name=value` of one segment.
fn redact_segment(segment: &str) -> String {
    let segment = match segment.rsplit_once('@') {
        Some((user_info, host)) if user_info.contains(':') => format!("{HIDDEN}@{host}"),
        _ => segment.to_owned(),
    };
    let parts = segment.split(';').map(|part| match part.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}={HIDDEN}"),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join(";")
}

/// What [`redact_path`] hides, and each parameter with its name: a short value is known by it.
pub(crate) fn hidden_in_path(path: &str) -> Vec<&str> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut found = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        if !HARMLESS_PARAMETERS.contains(&name) {
            found.extend([pair, value]);
        }
    }
    for segment in path.split('/') {
        let user_info = segment.rsplit_once('@').map(|(user_info, _)| user_info);
        let password = user_info.and_then(|user_info| user_info.split_once(':'));
        found.extend(password.map(|(_, password)| password));
        let pairs = segment.split(';').filter_map(|part| part.split_once('='));
        found.extend(
            pairs
                .filter(|(name, _)| is_secret(name))
                .map(|(_, value)| value),
        );
    }
    found
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

/// A key of this name holds a secret.
pub(crate) fn is_secret(key: &str) -> bool {
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
        assert_eq!(shown.header, ["X-Api: ***", "***"]);
        let body = serde_json::json!({
            "max_tokens": 5, "api_key": "***", "nested": [{"Auth-Token": "***"}]
        });
        assert_eq!(shown.extra_body, Some(body));
    }

    #[test]
    fn whatever_looks_like_a_url_is_hidden() {
        for (url, shown) in [
            ("u:pw@host:80", "***@host:80"),
            ("http://host/v1?key=k", "http://host/v1?***"),
            ("http://host/a@b", "http://host/a@b"),
            ("mock:fixed", "mock:fixed"),
            ("mock:fixed?step=5ms", "mock:fixed?step=5ms"),
        ] {
            assert_eq!(redact_url(url), shown);
        }
    }

    #[test]
    fn paths_keep_their_names_and_lose_their_values() {
        for (path, shown) in [
            ("/generate", "/generate"),
            (
                "/openai/chat?api-version=2024-10-21&api-key=abc",
                "/openai/chat?api-version=2024-10-21&api-key=***",
            ),
            ("/a?lonely-secret", "/a?***"),
            ("//me:pw@host/x;token=abc;b=1", "//***@host/x;token=***;b=1"),
            ("POST /a?k=v", "POST /a?k=***"),
        ] {
            assert_eq!(redact_path(path), shown);
        }
    }
}
