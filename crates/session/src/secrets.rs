//! Secrets: what must not reach any file or output, replaced by `***`. A server may repeat them
//! in its messages: these are searched, too.
//!
//! Invariant: a text that a server had a part in goes through [`Secrets`] before it is written or
//! printed. Values shorter than `MIN_SECRET` are hidden in the plan, and not looked for elsewhere.

mod scrub;

use infermeter_client::encode::{BodyTemplate, Target};
use infermeter_core::plan::{Plan, ServerMetrics};
use infermeter_core::record::{ChunkKind, RequestError, RequestRecord};
use scrub::Pattern;
use serde_json::Value;
use std::fmt;

/// The stand-in.
pub(crate) const HIDDEN: &str = "***";

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
const HARMLESS_HEADERS: [&str; 8] = [
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
    if let ServerMetrics::Url(url) = &plan.server_metrics {
        plan.server_metrics = ServerMetrics::Url(redact_url(url));
    }
    plan.header = plan.header.iter().map(|h| redact_header(h)).collect();
    plan.endpoint_path = plan.endpoint_path.as_deref().map(redact_path);
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
fn hidden_in_path(path: &str) -> Vec<&str> {
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

/// Shorter values are words that may stand anywhere: to hide them everywhere would leave no sense in
/// what a server says.
pub(crate) const MIN_SECRET: usize = 6;

/// Secret values themselves, to find them in what a server says. `Debug` shows none.
#[derive(Clone, Default)]
pub struct Secrets(Vec<Pattern>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({})", self.0.len())
    }
}

impl Secrets {
    /// Those of a plan, its API key, and its bodies' form.
    pub fn of(
        plan: &Plan,
        targets: &[Target],
        api_key: Option<&str>,
        template: Option<&BodyTemplate>,
    ) -> Self {
        let mut secrets = Self::default();
        for header in &plan.header {
            secrets.add_header(header, plan.model.as_deref());
        }
        secrets.add(api_key.unwrap_or_default());
        let proxy = plan.proxy.as_deref();
        let through = proxy.and_then(|proxy| Target::parse(proxy).ok());
        for target in targets.iter().chain(&through) {
            secrets.add(target.authorization().unwrap_or_default());
        }
        let more = plan.more_targets.iter().map(String::as_str);
        for url in more.chain([plan.target.as_str()]).chain(proxy) {
            secrets.add_user_info(url);
        }
        if let ServerMetrics::Url(url) = &plan.server_metrics {
            secrets.add_user_info(url);
        }
        for value in plan
            .endpoint_path
            .as_deref()
            .map(hidden_in_path)
            .into_iter()
            .flatten()
        {
            secrets.add(value);
        }
        if let Some(body) = &plan.extra_body {
            secrets.add_members(body);
        }
        if let Some(template) = template {
            secrets.add_members(&template.literals());
        }
        secrets
    }

    /// Adds a value and, of `Bearer KEY`, the key.
    fn add(&mut self, value: &str) {
        let value = value.trim();
        let last = value.rsplit(' ').next().unwrap_or_default();
        for part in [value, last] {
            if part.len() >= MIN_SECRET && !self.0.iter().any(|known| known.plain() == part) {
                self.0.push(Pattern::new(part));
            }
        }
    }

    /// The value of a header, unless it is a word that answers hold anyway.
    fn add_header(&mut self, header: &str, model: Option<&str>) {
        let (name, value) = header.split_once(':').unwrap_or(("", header));
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        // A router may be told the model in a header.
        let is_model = !is_secret(&name) && Some(value) == model;
        if is_model || HARMLESS_HEADERS.contains(&name.as_str()) {
            return;
        }
        self.add(value);
        if name == "cookie" {
            let pairs = value.split(';').filter_map(|pair| pair.split_once('='));
            pairs.for_each(|(_, value)| self.add(value));
        }
    }

    fn add_user_info(&mut self, url: &str) {
        let authority = url.split_once("://").map_or("", |(_, rest)| rest);
        let authority = authority.split('/').next().unwrap_or_default();
        if let Some((user_info, _)) = authority.rsplit_once('@') {
            self.add(user_info);
            self.add(
                user_info
                    .split_once(':')
                    .map_or("", |(_, password)| password),
            );
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
    pub(crate) fn scrubbed(&self, text: &str) -> Option<String> {
        if self.0.is_empty() || text.len() < MIN_SECRET {
            return None;
        }
        let found = scrub::find(&self.0, text);
        (!found.is_empty()).then(|| scrub::without(text, &found))
    }

    /// Hides them in a text that a server had a part in.
    pub(crate) fn scrub(&self, text: &mut String) {
        if let Some(clean) = self.scrubbed(text) {
            *text = clean;
        }
    }

    /// The record without them, where it has any: in every text that comes from the server. (Tokens
    /// of texts that had some are not counted from the texts: they are no longer the server's.)
    pub(crate) fn scrubbed_record(&self, record: &RequestRecord) -> Option<RequestRecord> {
        if self.0.is_empty() {
            return None;
        }
        let finish = record.finish_reason.as_deref();
        let finish = finish.and_then(|reason| self.scrubbed(reason));
        let members = record.unknown_members.as_deref();
        let members = members.and_then(|names| self.scrubbed(names));
        let error = record.error.as_ref();
        let error = error.and_then(|error| self.scrubbed(&error.text));
        let kind = |i: usize| match record.chunks.get(i) {
            Some(chunk) => Some(chunk.kind),
            // The texts of a plain answer stand in the order of the kinds' numbers.
            None => ChunkKind::ALL.get(i).copied(),
        };
        let texts = record.texts.as_ref();
        let texts = texts.and_then(|texts| scrub::texts_without(&self.0, texts, kind));
        if finish.is_none() && members.is_none() && error.is_none() && texts.is_none() {
            return None;
        }
        let mut clean = record.clone();
        clean.finish_reason = finish.or(clean.finish_reason);
        clean.unknown_members = members.or(clean.unknown_members);
        clean.error = clean
            .error
            .map(|RequestError { reason, text }| RequestError {
                reason,
                text: error.unwrap_or(text),
            });
        if let Some(texts) = texts {
            clean.texts = texts;
        }
        Some(clean)
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
        let secrets = Secrets::of(
            &plan,
            std::slice::from_ref(&target),
            Some("other-key"),
            None,
        );
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

    #[test]
    fn words_that_any_answer_holds_are_not_looked_for() {
        let plan = Plan {
            target: "http://host".to_owned(),
            model: Some("llama-3-8b".to_owned()),
            header: vec![
                "accept: application/json".to_owned(),
                "x-model: llama-3-8b".to_owned(),
                "cookie: a=cookie-secret; b=2".to_owned(),
            ],
            endpoint_path: Some("/chat?api-version=2024-10-21&password=hunter-2".to_owned()),
            ..Plan::defaults()
        };
        let target = Target::parse(&plan.target).expect("a target");
        let secrets = Secrets::of(&plan, std::slice::from_ref(&target), None, None);
        let said = "application/json from llama-3-8b, 2024-10-21";
        assert_eq!(secrets.scrubbed(said), None);
        for said in ["cookie-secret", "HUNTER-2"] {
            assert_eq!(secrets.scrubbed(said).as_deref(), Some(HIDDEN));
        }
    }
}
