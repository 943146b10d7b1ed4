//! Secrets: what must not reach any file or output, replaced by `***`. A server may repeat them
//! in its messages: these are searched, too.

use infermeter_client::encode::Target;
use infermeter_core::plan::{Plan, ServerMetrics};
use serde_json::Value;
use std::fmt;

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
    if let ServerMetrics::Url(url) = &plan.server_metrics {
        plan.server_metrics = ServerMetrics::Url(redact_url(url));
    }
    plan.header = plan.header.iter().map(|h| redact_header(h)).collect();
    if let Some(body) = &mut plan.extra_body {
        redact_value(body);
    }
    plan
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

/// Shorter values are words that may stand anywhere.
const MIN_SECRET: usize = 6;

/// Secret values themselves, to find them in what a server says. `Debug` shows none.
#[derive(Clone, Default)]
pub struct Secrets(Vec<String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    /// Those of a plan and its API key.
    pub fn of(plan: &Plan, target: &Target, api_key: Option<&str>) -> Self {
        let mut secrets = Self::default();
        for header in &plan.header {
            secrets.add(header.split_once(':').map_or("", |(_, value)| value));
        }
        secrets.add(api_key.unwrap_or_default());
        secrets.add(target.authorization().unwrap_or_default());
        if let Some((_, rest)) = plan.target.split_once("://")
            && let Some((user_info, _)) = rest.rsplit_once('@')
        {
            secrets.add(user_info);
            secrets.add(
                user_info
                    .split_once(':')
                    .map_or("", |(_, password)| password),
            );
        }
        if let Some(body) = &plan.extra_body {
            secrets.add_members(body);
        }
        // A secret may hold another: the longest goes first.
        secrets
            .0
            .sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        secrets
    }

    /// Adds a value and, of `Bearer KEY`, the key.
    fn add(&mut self, value: &str) {
        let value = value.trim();
        let last = value.rsplit(' ').next().unwrap_or_default();
        for part in [value, last] {
            if part.len() >= MIN_SECRET && !self.0.iter().any(|known| known == part) {
                self.0.push(part.to_owned());
            }
        }
    }

    fn add_members(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match value {
                        Value::String(text) if is_secret(key) => self.add(text),
                        other => self.add_members(other),
                    }
                }
            }
            Value::Array(list) => list.iter().for_each(|value| self.add_members(value)),
            _ => {}
        }
    }

    /// The text without them, where it has any.
    pub fn scrubbed(&self, text: &str) -> Option<String> {
        let found = self.0.iter().any(|secret| text.contains(secret.as_str()));
        found.then(|| {
            let hide = |text: String, secret: &String| text.replace(secret.as_str(), HIDDEN);
            self.0.iter().fold(text.to_owned(), hide)
        })
    }

    /// Hides them in a text that a server had a part in.
    pub fn scrub(&self, text: &mut String) {
        if let Some(clean) = self.scrubbed(text) {
            *text = clean;
        }
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
    fn what_a_server_repeats_is_hidden() {
        let plan = Plan {
            target: "http://me:password1@host".to_owned(),
            header: vec!["Authorization: Bearer sk-abcdef".to_owned()],
            extra_body: Some(serde_json::json!({"a": [{"api_key": "inside"}]})),
            ..Plan::defaults()
        };
        let target = Target::parse(&plan.target).expect("a target");
        let secrets = Secrets::of(&plan, &target, Some("other-key"));
        for said in [
            "bad sk-abcdef",
            "password1",
            "Bearer sk-abcdef",
            "inside",
            "other-key",
        ] {
            let clean = secrets.scrubbed(said).expect("a secret");
            assert!(
                clean.contains(HIDDEN) && !clean.contains("abcdef"),
                "{clean}"
            );
        }
        assert_eq!(secrets.scrubbed("nothing here"), None);
    }
}
