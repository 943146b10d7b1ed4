//! Why a target cannot be measured, in words that say what to do.
//!
//! It asks the target nothing. Invariant: every message names what was seen, and what each trial got
//! where there were several.

use crate::experiment::{BodySpec, FormSpec};
use crate::failure::Failure;
use infermeter_client::control::{CertificateDoubt, ControlError, Speech};
use infermeter_client::dialect::Dialect;
use infermeter_client::encode::Target;
use infermeter_core::plan::Endpoint;
use infermeter_core::run::ControlRequest;
use infermeter_core::text::inert;
use infermeter_probe::features::ProbeError;
use infermeter_probe::target::{IdentifyError, ModelList};
use std::io::ErrorKind;

/// Models named in a message.
const MODELS_NAMED: usize = 10;
/// Longest words of a trial in a list of them, bytes.
const WORDS: usize = 160;

/// What a target did that keeps it from being measured.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It does not say who it is.
    Identify(IdentifyError),
    /// It does not answer as it should.
    Probe(ProbeError),
}

/// What is known when it did.
pub(crate) struct Known<'a> {
    /// How the requests are written.
    pub form: &'a FormSpec,
    /// Where.
    pub target: &'a Target,
    /// The model asked for.
    pub model: Option<&'a str>,
    /// Those that it lists.
    pub models: &'a ModelList,
    /// What was sent so far.
    pub log: &'a [ControlRequest],
    /// What the port speaks instead.
    pub otherwise: Option<Speech>,
}

/// Nobody accepts a connection.
pub(crate) fn unreachable(target: &Target, why: &str) -> Failure {
    Failure::target(format!(
        "target {target} cannot be reached: {why}\n  is the server up, and is this its address \
         and port?"
    ))
}

impl Unusable {
    /// The error that ends the command.
    pub fn error(&self, known: &Known<'_>) -> Failure {
        let target = known.target;
        let mut text = format!("target {target} cannot be measured: {}", self.why());
        if self.wants_list() {
            text.push_str(&trials(known.log));
        }
        for hint in self.hints(known) {
            text.push_str("\n  ");
            text.push_str(&hint);
        }
        Failure::target(text)
    }

    /// It gave no answer at all.
    pub(crate) fn no_answer(&self) -> Option<&ControlError> {
        match self {
            Self::Identify(IdentifyError::NoAnswer(error))
            | Self::Probe(ProbeError::NoAnswer(error)) => Some(error),
            Self::Identify(IdentifyError::Refused { .. })
            | Self::Probe(
                ProbeError::Refused { .. }
                | ProbeError::Failing { .. }
                | ProbeError::NotAccepted { .. }
                | ProbeError::NoStream { .. }
                | ProbeError::OddList { .. }
                | ProbeError::OtherApi { .. },
            ) => None,
        }
    }

    /// The status that it answered with.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Identify(IdentifyError::Refused { status, .. })
            | Self::Probe(
                ProbeError::Refused { status, .. }
                | ProbeError::Failing { status, .. }
                | ProbeError::NotAccepted { status, .. },
            ) => Some(*status),
            Self::Identify(IdentifyError::NoAnswer(_))
            | Self::Probe(
                ProbeError::NoAnswer(_)
                | ProbeError::NoStream { .. }
                | ProbeError::OddList { .. }
                | ProbeError::OtherApi { .. },
            ) => None,
        }
    }

    fn why(&self) -> String {
        match self {
            Self::Identify(error) => error.to_string(),
            Self::Probe(error) => error.to_string(),
        }
    }

    /// Several trials were made, and none explains itself.
    fn wants_list(&self) -> bool {
        matches!(
            self,
            Self::Probe(
                ProbeError::NoAnswer(_) | ProbeError::Failing { .. } | ProbeError::Refused { .. }
            )
        )
    }

    fn hints(&self, known: &Known<'_>) -> Vec<String> {
        let mut hints = Vec::new();
        let target = known.target;
        match known.otherwise {
            Some(Speech::Http) => {
                let http = target.to_string().replacen("https://", "http://", 1);
                hints.push(format!("the port speaks plain HTTP: write {http}"));
                return hints;
            }
            Some(Speech::Tls) => {
                let https = target.to_string().replacen("http://", "https://", 1);
                hints.push(format!("the port speaks TLS: write {https}"));
                return hints;
            }
            None => {}
        }
        if let Some(error) = self.no_answer() {
            hints.extend(no_answer_hint(error));
        }
        if let Self::Probe(error) = self {
            hints.extend(probe_hint(error, known));
        }
        match self.status() {
            Some(401 | 403) => {
                let variable = Dialect::of(known.form.endpoint).key_variable();
                hints.push(format!(
                    "give the API key in {variable} or with --api-key-file"
                ));
            }
            Some(400 | 404 | 422) => hints.extend(model_hint(known)),
            _ => {}
        }
        hints
    }
}

fn no_answer_hint(error: &ControlError) -> Option<String> {
    let hint = match (error, error.certificate()) {
        (_, Some(CertificateDoubt::OtherName)) => {
            "use the name that the certificate carries, or make one with this name \
             (subjectAltName; a common name alone does not count)"
        }
        (_, Some(CertificateDoubt::NotNow)) => "is the clock right on both machines?",
        (_, Some(CertificateDoubt::Untrusted)) => {
            "name its authority's certificate, or its own, with --tls-ca FILE (PEM), if you \
             trust it; --tls-insecure believes any"
        }
        (ControlError::Tls { .. } | ControlError::Handshake { .. }, None) => "does it speak https?",
        (ControlError::Exchange { source, .. }, None) if source.kind() == ErrorKind::TimedOut => {
            "--probe-timeout 60s waits longer, for a server that is still loading; --no-probe with \
             --model NAME sends the load all the same"
        }
        (
            ControlError::Resolve { .. }
            | ControlError::Connect { .. }
            | ControlError::Proxy { .. }
            | ControlError::Exchange { .. }
            | ControlError::Http { .. },
            None,
        ) => return None,
    };
    Some(hint.to_owned())
}

fn probe_hint(error: &ProbeError, known: &Known<'_>) -> Option<String> {
    let of_template = known.form.body != BodySpec::Api;
    let hint = match error {
        ProbeError::NotAccepted { .. } => {
            "does this server support it? Leave the flag out, or serve the model with the feature \
             turned on"
        }
        ProbeError::Failing { .. } => {
            "start when the server is ready; --no-probe sends the load all the same"
        }
        ProbeError::Refused { said, .. } if is_other_kind(said) => {
            "a model is served for one kind of request: text (--endpoint chat or completions), \
             embeddings, or rerank; give the --endpoint that this one is for, or another --model"
        }
        ProbeError::OddList { .. } => {
            "a client of this server would read wrong numbers; --no-probe sends the load all the same"
        }
        ProbeError::Refused {
            status: 400..=499, ..
        } if of_template => "check --body-template and --endpoint-path",
        ProbeError::Refused { status: 404, .. } => "check the URL's path, --model and --endpoint",
        ProbeError::Refused {
            status: 400 | 422, ..
        } => {
            "check --extra-body, --header and --endpoint: even a request with plain fields is \
             refused"
        }
        ProbeError::Refused {
            status: 300..=399, ..
        } => "redirects are not followed: give the URL that it leads to",
        ProbeError::OtherApi { .. } if known.form.places().is_some() => {
            "--answer-text, --answer-usage and --answer-end are JSON pointers: they name members from \
             the outside in, as in /message/content"
        }
        ProbeError::OtherApi { .. } => {
            let all = Endpoint::ALL.into_iter();
            let alike = all.filter(|other| other.generates() == known.form.endpoint.generates());
            let paths: Vec<&str> = alike.map(|endpoint| endpoint.api().path).collect();
            let last = paths.last().copied().unwrap_or_default();
            let before = paths.get(..paths.len() - 1).unwrap_or_default().join(", ");
            return Some(format!(
                "what is measured are streams and answers of {before} and {last}; if the server has \
                 one of these, point --endpoint and --endpoint-path at it"
            ));
        }
        ProbeError::NoStream { .. } | ProbeError::Refused { .. } | ProbeError::NoAnswer(_) => {
            return None;
        }
    };
    Some(hint.to_owned())
}

/// Words of servers about a model that does something else than is asked for.
fn is_other_kind(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    // vLLM, SGLang, llama-server, TEI.
    let words = [
        "does not support",
        "doesn't support",
        "not an embedding model",
        "is not a generat",
        "not a rerank",
    ];
    let kinds = ["embedding", "rerank", "score", "completion", "generat"];
    let names = |list: &[&str]| list.iter().any(|word| said.contains(word));
    names(&words) && names(&kinds)
}

/// The server lists other models than the one asked for, or there was a choice.
fn model_hint(known: &Known<'_>) -> Option<String> {
    let ids: Vec<&str> = known.models.models.iter().map(|m| m.id.as_str()).collect();
    let named = ids.get(..MODELS_NAMED).unwrap_or(&ids).join(", ");
    match (&known.form.model, known.model) {
        (Some(asked), _) => not_listed(asked, known.models),
        (None, Some(model)) if ids.len() > 1 => Some(format!(
            "the model was the first that is listed, `{model}`; --model NAME takes another: {named}"
        )),
        _ => None,
    }
}

/// That a model is not in the server's list, and what is; absent where it is, or may be.
pub(crate) fn not_listed(asked: &str, list: &ModelList) -> Option<String> {
    let ids: Vec<&str> = list.models.iter().map(|m| m.id.as_str()).collect();
    if ids.is_empty() || list.goes_on || ids.contains(&asked) {
        return None;
    }
    let named = ids.get(..MODELS_NAMED).unwrap_or(&ids).join(", ");
    let more = if ids.len() > MODELS_NAMED {
        ", ..."
    } else {
        ""
    };
    let meant = infermeter_core::text::closest(asked, ids.iter().copied());
    let meant = meant.map_or_else(String::new, |m| format!("; did you mean `{m}`?"));
    let asked = inert(asked, 100);
    Some(format!(
        "--model: the target does not list `{asked}`; it lists: {named}{more}{meant}"
    ))
}

/// What each trial got, those that got the same together.
fn trials(log: &[ControlRequest]) -> String {
    let mut lines: Vec<(String, usize)> = Vec::new();
    for request in log {
        let got = match request.status {
            Some(status) => format!("status {status}"),
            None => "no answer".to_owned(),
        };
        let (purpose, words) = request
            .result
            .split_once(": ")
            .unwrap_or((&request.result, ""));
        let mut line = format!("{} ({purpose}): {got}", request.request);
        if !words.is_empty() {
            line.push_str(", ");
            line.push_str(&inert(words, WORDS));
        }
        match lines.last_mut() {
            Some((last, count)) if *last == line => *count += 1,
            _ => lines.push((line, 1)),
        }
    }
    let mut text = String::new();
    for (line, count) in lines {
        text.push_str("\n  ");
        text.push_str(&line);
        if count > 1 {
            text.push_str(&format!(" ({count} times)"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::environment::ModelFacts;

    fn list(ids: &[&str]) -> ModelList {
        let models = ids.iter().map(|id| ModelFacts {
            id: (*id).to_owned(),
            max_model_len: None,
            owned_by: None,
        });
        ModelList {
            models: models.collect(),
            ..ModelList::default()
        }
    }

    #[test]
    fn a_model_that_is_not_listed_is_named_with_those_that_are() {
        let said = not_listed("smal", &list(&["small", "other"])).expect("not listed");
        assert_eq!(
            said,
            "--model: the target does not list `smal`; it lists: small, other; did you mean \
             `small`?"
        );
        assert_eq!(not_listed("small", &list(&["small"])), None);
        assert_eq!(not_listed("small", &list(&[])), None);
        let page = ModelList {
            goes_on: true,
            ..list(&["other"])
        };
        assert_eq!(
            not_listed("small", &page),
            None,
            "it may stand on the next page"
        );
    }

    #[test]
    fn trials_that_got_the_same_stand_together() {
        let request = |result: &str| ControlRequest {
            request_id: String::new(),
            request: "POST /v1/chat/completions".to_owned(),
            status: Some(503),
            result: result.to_owned(),
        };
        let twice = "trial of plain fields: busy";
        let text = trials(&[request(twice), request(twice)]);
        assert_eq!(
            text,
            "\n  POST /v1/chat/completions (trial of plain fields): status 503, busy (2 times)"
        );
    }
}
