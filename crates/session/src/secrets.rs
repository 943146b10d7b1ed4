//! Secrets in what a server says: it may repeat them in its messages, where they are found and replaced by
//! `***`.
//!
//! What a plan itself says is [`crate::redact`]'s. Invariant: a text that a server had a part in goes through
//! [`Secrets`] before it is written or printed. Values shorter than `MIN_SECRET` are hidden in the plan, and
//! not looked for elsewhere.

mod scrub;

use crate::experiment::{Experiment, GpuSpec, MetricsSpec, ReplicasSpec, Server};
use crate::redact::{HARMLESS_HEADERS, hidden_in_path, is_secret};
use infermeter_client::encode::{BodyTemplate, Target};
use infermeter_core::plan::GpuSource;
use infermeter_core::record::{ChunkKind, RequestError, RequestRecord};
use scrub::Pattern;
use serde_json::{Map, Value};
use std::fmt;

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
    /// Those of an experiment, its API key, and its bodies' form.
    pub fn of(
        experiment: &Experiment,
        targets: &[Target],
        api_key: Option<&str>,
        template: Option<&BodyTemplate>,
    ) -> Self {
        let mut secrets = Self::default();
        let (form, target) = (&experiment.requests.form, &experiment.target);
        for header in &form.headers {
            secrets.add_header(header, form.model.as_deref());
        }
        secrets.add(api_key.unwrap_or_default());
        let proxy = target.server.proxy();
        let through = proxy.and_then(|proxy| Target::parse(proxy).ok());
        for target in targets.iter().chain(&through) {
            secrets.add(target.authorization().unwrap_or_default());
        }
        if let Server::Served(served) = &target.server {
            served.urls().for_each(|url| secrets.add_user_info(url));
        }
        secrets.add_user_info(proxy.unwrap_or_default());
        if let MetricsSpec::At { urls, .. } = &target.metrics {
            urls.iter().for_each(|url| secrets.add_user_info(url));
        }
        if let GpuSpec::At { places, .. } = &target.gpus {
            for place in places {
                if let GpuSource::Url(url) = place {
                    secrets.add_user_info(url);
                }
            }
        }
        if let Some(ReplicasSpec::Page(series)) = &target.replicas {
            secrets.add_user_info(&series.url);
        }
        let path = form.path.as_deref().map(hidden_in_path);
        for value in path.into_iter().flatten() {
            secrets.add(value);
        }
        secrets.add_members_of(&form.members);
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

    fn add_members_of(&mut self, members: &Map<String, Value>) {
        for (key, value) in members {
            match value {
                Value::String(text) if is_secret(key) => self.add(text),
                other => self.add_members(other),
            }
        }
    }

    fn add_members(&mut self, value: &Value) {
        match value {
            Value::Object(map) => self.add_members_of(map),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::HIDDEN;
    use infermeter_core::plan::Plan;

    fn secrets(plan: &Plan, api_key: Option<&str>) -> Secrets {
        let plan = Plan {
            rate: Some(1.0),
            ..plan.clone()
        };
        let experiment = Experiment::of(&plan).expect("an experiment");
        let target = Target::parse(&plan.target).expect("a target");
        Secrets::of(&experiment, std::slice::from_ref(&target), api_key, None)
    }

    #[test]
    fn what_a_server_repeats_is_hidden() {
        let plan = Plan {
            target: "http://me:password1@host".to_owned(),
            header: vec!["Authorization: Bearer sk-abcdef".to_owned()],
            extra_body: Some(serde_json::json!({"a": [{"api_key": "inside"}]})),
            ..Plan::defaults()
        };
        let secrets = secrets(&plan, Some("other-key"));
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
        let secrets = secrets(&plan, None);
        let said = "application/json from llama-3-8b, 2024-10-21";
        assert_eq!(secrets.scrubbed(said), None);
        for said in ["cookie-secret", "HUNTER-2"] {
            assert_eq!(secrets.scrubbed(said).as_deref(), Some(HIDDEN));
        }
    }
}
