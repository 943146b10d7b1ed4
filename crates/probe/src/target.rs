//! Who the target is: model list, version, server header.

use infermeter_client::control::{Channel, ControlAnswer, ControlError};
use infermeter_client::encode::{Headers, Target, encode_get};
use infermeter_core::run::ControlRequest;
use infermeter_core::text::{inert, inert_bytes};
use serde::Serialize;
use serde_json::Value;

/// Control requests of one run: sent one after the other, numbered, and kept for the record.
#[derive(Debug, Clone)]
pub struct Control {
    channel: Channel,
    target: Target,
    headers: Headers,
    run_id: String,
    /// What was sent so far.
    pub log: Vec<ControlRequest>,
}

/// What is known of the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct TargetFacts {
    /// The `server` header.
    pub server: Option<String>,
    /// `/version`.
    pub version: Option<String>,
    /// Models served.
    pub models: Vec<ModelFacts>,
}

/// One entry of `/v1/models`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelFacts {
    /// Its id.
    pub id: String,
    /// Longest prompt plus answer, tokens.
    pub max_model_len: Option<u64>,
    /// `owned_by`.
    pub owned_by: Option<String>,
}

impl Control {
    /// Control requests with these extra headers (authorization, `--header`).
    pub fn new(channel: Channel, target: Target, headers: Headers, run_id: String) -> Self {
        Self {
            channel,
            target,
            headers,
            run_id,
            log: Vec::new(),
        }
    }

    /// The id for the next request.
    pub fn next_id(&self) -> String {
        format!("{}-probe-{}", self.run_id, self.log.len())
    }

    /// The target's URL, user info hidden.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Sends a request made with [`Control::next_id`] and logs it as `what` for `purpose`.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send(
        &mut self,
        request: &[u8],
        what: &str,
        purpose: &str,
    ) -> Result<ControlAnswer, ControlError> {
        let answer = self.channel.exchange(request);
        self.log_answer(answer, what, purpose)
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
    ///
    /// # Errors
    /// When there is no answer.
    pub fn get(&mut self, path: &str, purpose: &str) -> Result<ControlAnswer, ControlError> {
        let mut request = encode_get(&self.target, path, &self.headers);
        // Before the empty line that ends the head.
        request.truncate(request.len() - 2);
        let more = format!(
            "connection: close\r\nx-request-id: {}\r\n\r\n",
            self.next_id()
        );
        request.extend_from_slice(more.as_bytes());
        self.send(&request, &format!("GET {path}"), purpose)
    }

    /// Adds what came of the last request to the log.
    pub fn conclude(&mut self, result: &str) {
        if let Some(last) = self.log.last_mut() {
            last.result = format!("{}: {}", last.result, inert(result, 300));
        }
    }

    /// Learns what the target tells about itself. Servers need not tell anything.
    ///
    /// # Errors
    /// When the target does not answer the first request at all, or refuses the credentials.
    pub fn identify(&mut self) -> Result<TargetFacts, IdentifyError> {
        let answer = self.get("/v1/models", "models served")?;
        let status = answer.head.status;
        if matches!(status, 401 | 403) {
            return Err(IdentifyError::Refused {
                status,
                said: said(&answer),
            });
        }
        let models = if status == 200 {
            models_of(&answer.body)
        } else {
            Vec::new()
        };
        let version = self
            .get("/version", "engine version")
            .ok()
            .and_then(|v| version_of(&v));
        Ok(TargetFacts {
            server: answer.head.server,
            version,
            models,
        })
    }
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

fn models_of(body: &[u8]) -> Vec<ModelFacts> {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return Vec::new();
    };
    let text = |v: &Value, key: &str| Some(inert(v.get(key)?.as_str()?, 200));
    let list = value.get("data").and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .take(1_000)
        .filter_map(|m| {
            Some(ModelFacts {
                id: text(m, "id")?,
                max_model_len: m.get("max_model_len").and_then(Value::as_u64),
                owned_by: text(m, "owned_by"),
            })
        })
        .collect()
}

fn version_of(answer: &ControlAnswer) -> Option<String> {
    if answer.head.status != 200 {
        return None;
    }
    let value: Value = serde_json::from_slice(&answer.body).ok()?;
    Some(inert(value.get("version")?.as_str()?, 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_model_list() {
        let body = br#"{"data":[{"id":"m","max_model_len":4096,"owned_by":"vllm"},{"x":1}]}"#;
        let models = models_of(body);
        assert_eq!(models.len(), 1);
        assert_eq!(models[0].max_model_len, Some(4096));
        assert!(models_of(b"<html>").is_empty());
    }
}
