//! Who the target is: model list, version, what it lets slip about its engine.
//!
//! All control requests go through [`Control`], which bounds them in time, one by one and together.
//! Invariant: a server that does not answer costs no more than the limits say.

use crate::engine;
use crate::waits::Waits;
use infermeter_client::control::{Behind, Channel, ControlAnswer, ControlError};
use infermeter_client::encode::{Headers, Target, encode_get};
use infermeter_client::reuse::Reuse;
use infermeter_core::clock::monotonic_ns;
use infermeter_core::environment::{EngineFacts, Evidence, ModelFacts};
use infermeter_core::run::ControlRequest;
use infermeter_core::text::{inert, inert_bytes};
use serde_json::Value;
use std::time::Duration;

/// A server that closes connections behind its answers does so at once, or a round trip later.
const WATCH_BEHIND: Duration = Duration::from_millis(50);
/// Most entries of a model list that are read.
const MODELS_READ: usize = 1_000;
/// Longest time for a question that nothing hangs on.
const ASIDE: Duration = Duration::from_secs(2);

/// How long control requests may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Each of them.
    pub each: Duration,
    /// All of them together.
    pub all: Duration,
}

/// Control requests of one run: sent one after the other, numbered, and kept for the record.
#[derive(Debug, Clone)]
pub struct Control {
    channel: Channel,
    target: Target,
    headers: Headers,
    run_id: String,
    limits: Limits,
    /// When the time for all of them is over, by the monotonic clock.
    until_ns: i64,
    waits: Waits,
    evidence: Vec<Evidence>,
    /// Connections closed behind an answer that promised to keep them; absent once one was kept.
    closed_behind: Option<u32>,
    /// What was sent so far.
    pub log: Vec<ControlRequest>,
}

/// What is known of the target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TargetFacts {
    /// The `server` header.
    pub server: Option<String>,
    /// `/version`.
    pub version: Option<String>,
    /// Models served.
    pub models: ModelList,
}

/// What `/v1/models` lists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ModelList {
    /// Its entries.
    pub models: Vec<ModelFacts>,
    /// There are more than were read.
    pub goes_on: bool,
    /// Why there is none.
    pub problem: Option<String>,
}

impl Control {
    /// Control requests with these extra headers (authorization, `--header`), within these limits.
    pub fn new(
        channel: Channel,
        target: Target,
        headers: Headers,
        run_id: String,
        limits: Limits,
        waits: Waits,
    ) -> Self {
        Self {
            channel,
            target,
            headers,
            run_id,
            limits,
            until_ns: after(limits.all),
            waits,
            evidence: Vec::new(),
            closed_behind: Some(0),
            log: Vec::new(),
        }
    }

    /// Other limits from now on.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
        self.until_ns = after(limits.all);
    }

    /// Further requests are a new run's, within limits that start over; what was asked stays in the log.
    pub fn begin_run(&mut self, run_id: &str, limits: Limits) {
        run_id.clone_into(&mut self.run_id);
        self.limit(limits);
    }

    /// The id for the next request.
    pub(crate) fn next_id(&self) -> String {
        format!("{}-probe-{}", self.run_id, self.log.len())
    }

    /// Where waits are told.
    pub(crate) fn waits(&self) -> &Waits {
        &self.waits
    }

    /// The target's URL, user info hidden.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Sends a generation made with `Control::next_id` and logs it as `what` for `purpose`.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send(
        &mut self,
        request: &[u8],
        what: &str,
        purpose: &str,
    ) -> Result<ControlAnswer, ControlError> {
        let answer = self.exchange(request, what, purpose, self.limits.each)?;
        self.evidence.extend(fingerprint(&answer.body));
        Ok(answer)
    }

    fn exchange(
        &mut self,
        request: &[u8],
        what: &str,
        purpose: &str,
        limit: Duration,
    ) -> Result<ControlAnswer, ControlError> {
        let left = Duration::from_nanos((self.until_ns - monotonic_ns()).max(1).unsigned_abs());
        let timeout = limit.min(left);
        let channel = Channel {
            timeout,
            ..self.channel.clone()
        };
        let watch = match self.reuse() {
            Reuse::Never => Duration::ZERO,
            Reuse::Tried | Reuse::Doubted if self.closed_behind.is_none() => Duration::ZERO,
            Reuse::Tried | Reuse::Doubted => WATCH_BEHIND,
        };
        let exchange = || channel.exchange_watched(request, watch);
        let answer = self
            .waits
            .during(what, timeout, "--probe-timeout", exchange);
        if let Ok(answer) = &answer {
            self.evidence.extend(engine::of_fields(&answer.fields));
            match answer.behind {
                Behind::Closed => self.closed_behind = self.closed_behind.map(|n| n + 1),
                Behind::Kept => self.closed_behind = None,
                Behind::Unknown => {}
            }
        }
        self.log_answer(answer, what, purpose)
    }

    /// What the answers so far say about keeping connections.
    pub fn reuse(&self) -> Reuse {
        Reuse::after(self.closed_behind.unwrap_or(0))
    }

    /// Logs an answer to a request made with [`Control::next_id`], wherever it went.
    pub(crate) fn log_answer(
        &mut self,
        answer: Result<ControlAnswer, ControlError>,
        what: &str,
        purpose: &str,
    ) -> Result<ControlAnswer, ControlError> {
        let request_id = self.next_id();
        let (status, result) = match &answer {
            Ok(answer) => (Some(answer.head.status), purpose.to_owned()),
            Err(error) => (
                None,
                format!("{purpose}: {}", inert(&error.to_string(), 300)),
            ),
        };
        self.log.push(ControlRequest {
            request_id,
            request: what.to_owned(),
            status,
            result,
        });
        answer
    }

    /// `GET path`.
    fn get(
        &mut self,
        path: &str,
        purpose: &str,
        limit: Duration,
    ) -> Result<ControlAnswer, ControlError> {
        let mut request = encode_get(&self.target, path, &self.headers);
        // Before the empty line that ends the head.
        request.truncate(request.len() - 2);
        let more = format!(
            "connection: close\r\nx-request-id: {}\r\n\r\n",
            self.next_id()
        );
        request.extend_from_slice(more.as_bytes());
        self.exchange(&request, &format!("GET {path}"), purpose, limit)
    }

    /// Adds what came of the last request to the log.
    pub(crate) fn conclude(&mut self, result: &str) {
        if let Some(last) = self.log.last_mut() {
            last.result = format!("{}: {}", last.result, inert(result, 300));
        }
    }

    /// Notes what a metrics page says about who wrote it.
    pub(crate) fn note_page(&mut self, page: &str) {
        self.evidence.extend(engine::of_page(page));
    }

    /// Learns what the target tells about itself. Servers need not tell anything.
    ///
    /// # Errors
    /// When the target does not answer the first request at all, or refuses the credentials.
    pub fn identify(&mut self) -> Result<TargetFacts, IdentifyError> {
        let answer = self.get("/v1/models", "models served", self.limits.each)?;
        let status = answer.head.status;
        if matches!(status, 401 | 403) {
            return Err(IdentifyError::Refused {
                status,
                said: said(&answer),
            });
        }
        let models = models_of(&answer);
        if let Some(problem) = &models.problem {
            self.conclude(problem);
        }
        let owners = models.models.iter().filter_map(|m| m.owned_by.as_deref());
        self.evidence.extend(owners.filter_map(engine::of_owner));
        let version = self.ask_aside("/version");
        Ok(TargetFacts {
            server: answer.head.server,
            version: version.and_then(|evidence| evidence.version),
            models,
        })
    }

    /// Who answers, as far as anything said so; asks where nothing did.
    pub fn engine(&mut self) -> EngineFacts {
        let known = engine::facts_of(self.evidence.clone());
        for path in engine::questions(&known) {
            let asked = self.log.len();
            let answer = self.ask_aside(path);
            // One that does not answer such a question will not answer the next.
            let silent = self.log.get(asked).is_none_or(|r| r.status.is_none());
            if silent || answer.is_some_and(|evidence| evidence.engine.is_some()) {
                break;
            }
        }
        engine::facts_of(self.evidence.clone())
    }

    /// Asks where an engine may tell about itself.
    fn ask_aside(&mut self, path: &str) -> Option<Evidence> {
        let limit = ASIDE.min(self.limits.each);
        let answer = self.get(path, "who answers", limit).ok()?;
        let found = (answer.head.status == 200)
            .then(|| engine::of_question(path, &answer.body))
            .flatten();
        self.evidence.extend(found.clone());
        found
    }
}

fn after(time: Duration) -> i64 {
    let ns = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    monotonic_ns().saturating_add(ns)
}

/// `system_fingerprint`, in the first event that has one.
fn fingerprint(body: &[u8]) -> Option<Evidence> {
    let lines = body.split(|byte| *byte == b'\n');
    let value = |line: &[u8]| -> Option<Value> {
        let line = line.strip_prefix(b"data:").unwrap_or(line);
        serde_json::from_slice(line).ok()
    };
    let mut said = lines.filter_map(value).filter_map(|value| {
        let said = value.get("system_fingerprint")?.as_str()?;
        Some(said.to_owned())
    });
    engine::of_fingerprint(&said.next()?)
}

/// Why a target cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentifyError {
    /// No answer.
    #[error(transparent)]
    NoAnswer(#[from] ControlError),
    /// It wants other credentials.
    #[error("the target refuses the credentials (status {status}): {said}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its words.
        said: String,
    },
}

/// The error message of an answer, made inert.
pub fn said(answer: &ControlAnswer) -> String {
    let parsed: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let message = parsed.as_ref().and_then(|v| {
        v.pointer("/error/message")
            .or_else(|| v.pointer("/message"))
            .or_else(|| v.pointer("/detail"))
            .or_else(|| v.pointer("/error"))
            .and_then(Value::as_str)
    });
    match message {
        Some(text) => inert(text, 300),
        None => inert_bytes(&answer.body, 200),
    }
}

fn models_of(answer: &ControlAnswer) -> ModelList {
    let problem = |why: String| ModelList {
        problem: Some(why),
        ..ModelList::default()
    };
    if answer.head.status != 200 {
        return problem(format!("status {}", answer.head.status));
    }
    let Ok(value) = serde_json::from_slice::<Value>(&answer.body) else {
        let kind = answer.head.content_type.as_deref().unwrap_or("no type");
        return problem(format!("status 200, no JSON but {kind}"));
    };
    // Some servers list without an object around, some as Ollama does.
    let list = value.as_array().or_else(|| {
        let named = |name| value.get(name).and_then(Value::as_array);
        named("data").or_else(|| named("models"))
    });
    let Some(list) = list else {
        return problem("status 200, JSON without a list of models".to_owned());
    };
    let models: Vec<ModelFacts> = list.iter().take(MODELS_READ).filter_map(model_of).collect();
    if models.is_empty() {
        return problem("status 200, an empty list".to_owned());
    }
    let more = ["has_more", "next", "next_page_token", "nextPageToken"];
    let says_more = |name: &&str| match value.get(*name) {
        Some(Value::Bool(more)) => *more,
        Some(Value::String(next)) => !next.is_empty(),
        _ => false,
    };
    ModelList {
        models,
        goes_on: list.len() > MODELS_READ || more.iter().any(says_more),
        problem: None,
    }
}

fn model_of(entry: &Value) -> Option<ModelFacts> {
    let text = |key: &str| Some(inert(entry.get(key)?.as_str()?, 200));
    Some(ModelFacts {
        id: entry
            .as_str()
            .map(|id| inert(id, 200))
            .or_else(|| text("id"))
            .or_else(|| text("name"))?,
        max_model_len: entry.get("max_model_len").and_then(Value::as_u64),
        owned_by: text("owned_by"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> ControlAnswer {
        let mut answer = ControlAnswer {
            head: Default::default(),
            fields: Vec::new(),
            body: body.as_bytes().to_vec(),
            sent_ns: 0,
            reads: Vec::new(),
            behind: Behind::Unknown,
        };
        answer.head.status = status;
        answer
    }

    #[track_caller]
    fn check(body: &str, ids: &[&str]) -> ModelList {
        let list = models_of(&answer(200, body));
        let found: Vec<&str> = list.models.iter().map(|m| m.id.as_str()).collect();
        assert_eq!(found, ids);
        list
    }

    #[test]
    fn reads_model_lists_of_many_forms() {
        let body = r#"{"data":[{"id":"m","max_model_len":4096,"owned_by":"vllm"},{"x":1}]}"#;
        let list = check(body, &["m"]);
        assert_eq!(list.models[0].max_model_len, Some(4096));
        assert!(!list.goes_on);
        check(r#"[{"id":"a"},{"id":"b"}]"#, &["a", "b"]);
        check(r#"{"models":[{"name":"a"}]}"#, &["a"]);
        check(r#"{"data":["a"]}"#, &["a"]);
        assert!(check(r#"{"data":[{"id":"a"}],"has_more":true}"#, &["a"]).goes_on);
    }

    #[test]
    fn a_list_that_is_none_says_why() {
        let why = |status, body| models_of(&answer(status, body)).problem.expect("a reason");
        assert_eq!(why(404, "{}"), "status 404");
        assert_eq!(why(200, "<html>"), "status 200, no JSON but no type");
        assert_eq!(why(200, r#"{"data":[]}"#), "status 200, an empty list");
        assert!(why(200, "{}").contains("without a list"));
    }

    #[test]
    fn a_fingerprint_is_found_in_streams_and_in_plain_answers() {
        let event = "data: {\"choices\":[],\"system_fingerprint\":\"b1-7e4c0a9\"}\n\n";
        assert!(fingerprint(event.as_bytes()).is_some());
        assert!(fingerprint(br#"{"system_fingerprint":"fp_ollama"}"#).is_some());
        assert!(fingerprint(b"data: {}\n").is_none());
    }
}
