//! Which request fields the server accepts, found out once, before the clock starts.
//!
//! Each trial is a real request for a few tokens; the first field set that is accepted is used for
//! the whole run, so that every request has the same shape. Invariant: a server of which no trial is
//! answered well gets no load.

mod ladder;

use crate::target::{Control, said};
use infermeter_client::control::{ControlAnswer, ControlError};
use infermeter_client::dialect::Dialect;
use infermeter_client::encode::{Features, RequestEncoder, RequestShape};
use infermeter_client::http::MediaType;
use infermeter_client::response::Numbers;
use infermeter_core::request::{RequestContent, RequestSpec};
use infermeter_core::text::inert_bytes;
use ladder::Ladder;
use serde_json::Value;

/// Tokens asked for by a trial.
const TRIAL_TOKENS: u32 = 4;
/// Prompt of a trial.
const TRIAL_PROMPT: &str = "Count from one to four.";
/// Bytes quoted of what is no answer.
const QUOTED: usize = 200;

/// What came of the trials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// The server accepts these.
    pub features: Features,
    /// Why a field may have been left out that the server does know: it answered trials before with
    /// an error of its own.
    pub doubt: Option<String>,
}

/// Why the load must not start.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No answer.
    #[error(transparent)]
    NoAnswer(#[from] ControlError),
    /// The server refuses the request whatever its fields.
    #[error("the target refuses a request (status {status}): {said}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// Its words.
        said: String,
    },
    /// It answers with errors of its own, whatever the fields.
    #[error("the target fails every trial (status {status}): {said}")]
    Failing {
        /// HTTP status of the last one.
        status: u16,
        /// Its words.
        said: String,
    },
    /// It takes requests, but not with this.
    #[error("the target refuses {flag} (status {status}): {said}")]
    NotAccepted {
        /// The flag that asks for it.
        flag: String,
        /// HTTP status.
        status: u16,
        /// Its words.
        said: String,
    },
    /// A stream was asked for, something else came.
    #[error("the target answers with `{content_type}` instead of an event stream: {said}")]
    NoStream {
        /// The content type.
        content_type: String,
        /// The beginning of the answer.
        said: String,
    },
    /// The answer is a list of numbers, and not what was asked for.
    #[error("the target's answer to a trial does not hold what was asked for: {problem}")]
    OddList {
        /// What is wrong.
        problem: String,
    },
    /// The answer is not of the API that was asked.
    #[error("the target answers with {what}, not with {}: {said}", asked.called())]
    OtherApi {
        /// The API that was asked.
        asked: Dialect,
        /// What it is.
        what: String,
        /// The beginning of the answer.
        said: String,
    },
}

/// What one trial got.
enum Got {
    Accepted,
    /// It does not take these fields.
    Refused {
        status: u16,
        said: String,
    },
    /// An error of the server's own: another try may go better.
    Failed {
        status: u16,
        said: String,
    },
}

/// Tries field sets until one is accepted.
///
/// # Errors
/// When the server cannot be used at all.
pub fn probe(control: &mut Control, shape: &RequestShape) -> Result<Probed, ProbeError> {
    let mut ladder = Ladder::new(shape);
    let (mut last, mut doubt) = (None, None);
    while let Some(features) = ladder.take() {
        let mut got = attempt(control, shape, features)?;
        if matches!(got, Got::Failed { .. }) {
            got = attempt(control, shape, features)?;
        }
        match got {
            Got::Accepted => return Ok(Probed { features, doubt }),
            Got::Refused { status, said } => {
                ladder.refused(features, &said);
                last = Some(ProbeError::Refused { status, said });
            }
            Got::Failed { status, said } => {
                // These speak of load: other fields would not help.
                if matches!(status, 429 | 503) {
                    return Err(ProbeError::Failing { status, said });
                }
                doubt = Some(format!(
                    "{}: {}",
                    name(features),
                    with_status(status, &said)
                ));
                last = Some(ProbeError::Failing { status, said });
            }
        }
    }
    let none = || ProbeError::Refused {
        status: 0,
        said: "no trial was made".to_owned(),
    };
    Err(last.unwrap_or_else(none))
}

/// One trial.
fn attempt(
    control: &mut Control,
    shape: &RequestShape,
    features: Features,
) -> Result<Got, ProbeError> {
    let shape = RequestShape {
        features,
        ..shape.clone()
    };
    let trial = RequestEncoder::new(control.target(), &shape);
    let content = RequestContent::plain(shape.dialect.input(), TRIAL_PROMPT);
    let numbers = trial.numbers(content.items());
    let spec = RequestSpec::alone(0, 1, TRIAL_TOKENS);
    let request = trial.encode(&control.next_id(), &spec, &content);
    let what = format!("POST {}", shape.path());
    let answer = control.send(&request, &what, &format!("trial of {}", name(features)))?;
    let got = got(&answer, &shape, numbers)?;
    control.conclude(match &got {
        Got::Accepted => "accepted",
        Got::Refused { said, .. } | Got::Failed { said, .. } => said,
    });
    Ok(got)
}

fn got(answer: &ControlAnswer, shape: &RequestShape, numbers: Numbers) -> Result<Got, ProbeError> {
    let status = answer.head.status;
    match status {
        200 => {
            let asked = shape.dialect;
            check_kind(answer, asked, shape.stream)?;
            if let Some(problem) = in_band_error(answer) {
                let said = format!("error event: {problem}");
                return Ok(Got::Refused { status, said });
            }
            let got = check_api(answer, asked, shape.stream)?;
            check_list(answer, asked, numbers)?;
            Ok(got)
        }
        400 | 422 => Ok(Got::Refused {
            status,
            said: said(answer),
        }),
        429 | 500..=599 => Ok(Got::Failed {
            status,
            said: words(answer),
        }),
        status => {
            let to = answer.head.location.as_ref();
            let said = to.map_or_else(|| said(answer), |to| format!("moved to {to}"));
            Err(ProbeError::Refused { status, said })
        }
    }
}

/// A server's words, and when it asks to be tried again.
fn words(answer: &ControlAnswer) -> String {
    let after = answer.head.retry_after.as_ref();
    let after = after.map_or_else(String::new, |after| format!(" (Retry-After: {after})"));
    format!("{}{after}", said(answer))
}

fn with_status(status: u16, said: &str) -> String {
    format!("status {status}: {said}")
}

/// A request with something that not every server takes, and what asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The flag, as the user wrote it.
    pub flag: String,
    /// What the request says.
    pub content: RequestContent,
}

/// Tries requests that carry more than text, one of each, with the fields that are accepted.
///
/// # Errors
/// When the server refuses one: with its flag. Overload is no refusal; it ends the trials with what
/// happened.
pub fn try_all(
    control: &mut Control,
    shape: &RequestShape,
    trials: &[Trial],
) -> Result<Option<String>, ProbeError> {
    let encoder = RequestEncoder::new(control.target(), shape);
    for trial in trials {
        let spec = RequestSpec::alone(0, 1, TRIAL_TOKENS);
        let request = encoder.encode(&control.next_id(), &spec, &trial.content);
        let what = format!("POST {}", shape.path());
        let answer = control.send(&request, &what, &format!("trial of {}", trial.flag))?;
        let status = answer.head.status;
        let problem = match status {
            200 => in_band_error(&answer),
            429 | 500..=599 => {
                let said = words(&answer);
                control.conclude(&said);
                let why = format!("{}: {}", trial.flag, with_status(status, &said));
                return Ok(Some(why));
            }
            _ => Some(said(&answer)),
        };
        let Some(said) = problem else {
            check_kind(&answer, shape.dialect, shape.stream)?;
            let numbers = encoder.numbers(trial.content.items());
            check_list(&answer, shape.dialect, numbers)?;
            control.conclude("accepted");
            continue;
        };
        control.conclude(&said);
        let flag = trial.flag.clone();
        return Err(ProbeError::NotAccepted { flag, status, said });
    }
    Ok(None)
}

/// The names of the fields, for messages.
pub(crate) fn name(features: Features) -> String {
    let fields = [
        (features.ignore_eos, "ignore_eos"),
        (features.include_usage, "include_usage"),
        (features.continuous_usage, "continuous_usage_stats"),
        (features.max_completion_tokens, "max_completion_tokens"),
    ];
    let fields: Vec<&str> = fields.iter().filter(|(on, _)| *on).map(|f| f.1).collect();
    match fields.is_empty() {
        true => "plain fields".to_owned(),
        false => fields.join(", "),
    }
}

/// Whether the answer is of the form that was asked for, as far as the measured requests ask: a label that
/// says nothing, or the wrong thing, does not matter where the body speaks for itself.
fn check_kind(answer: &ControlAnswer, asked: Dialect, stream: bool) -> Result<(), ProbeError> {
    let wanted = match answer.head.media_type() {
        MediaType::EventStream => true,
        MediaType::Unsaid | MediaType::Json if stream => is_stream(&answer.body),
        MediaType::Unsaid | MediaType::Json => true,
        MediaType::Other => false,
    };
    let lines = stream && asked.is_pointed() && answer.body.trim_ascii().starts_with(b"{");
    let wanted = wanted || lines;
    // Of another API, and in the form that it has: which one says more than the form.
    let foreign = events(answer).find_map(|event| asked.foreign(event));
    if wanted || foreign.is_some() {
        return Ok(());
    }
    Err(ProbeError::NoStream {
        content_type: answer.head.content_type.clone().unwrap_or_default(),
        said: said(answer),
    })
}

/// Whether the answer is of the API that was asked.
fn check_api(answer: &ControlAnswer, asked: Dialect, stream: bool) -> Result<Got, ProbeError> {
    // What is coded is not read here.
    if answer.head.content_encoding.is_some() {
        return Ok(Got::Accepted);
    }
    if events(answer).any(|event| asked.answers(event)) {
        return Ok(Got::Accepted);
    }
    let Some(first) = events(answer).find(|event| *event != b"[DONE]") else {
        return Ok(Got::Failed {
            status: answer.head.status,
            said: "an answer without anything in it".to_owned(),
        });
    };
    let form = if stream { "an event stream" } else { "JSON" };
    let what = match events(answer).find_map(|event| asked.foreign(event)) {
        Some(api) => format!("{form} of {api}"),
        None => format!("{form} without {}", asked.sign()),
    };
    let said = inert_bytes(first, QUOTED);
    Err(ProbeError::OtherApi { asked, what, said })
}

/// Whether a list of numbers holds what was asked for.
fn check_list(answer: &ControlAnswer, asked: Dialect, numbers: Numbers) -> Result<(), ProbeError> {
    if answer.head.content_encoding.is_some() {
        return Ok(());
    }
    match asked.list_problem(&answer.body, numbers) {
        None => Ok(()),
        Some(problem) => Err(ProbeError::OddList { problem }),
    }
}

/// The events of a stream, or the whole body where it is none.
fn events(answer: &ControlAnswer) -> impl Iterator<Item = &[u8]> {
    let lines = answer
        .body
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii);
    let is_stream = is_stream(&answer.body);
    let whole = Some(answer.body.trim_ascii()).filter(|_| !is_stream);
    // JSON lines are events without `data:`.
    let data = lines.filter_map(move |line| match is_stream {
        true => line.strip_prefix(b"data:"),
        false => Some(line),
    });
    whole
        .into_iter()
        .chain(data.map(<[u8]>::trim_ascii))
        .filter(|event| !event.is_empty())
}

/// The body has an event.
fn is_stream(body: &[u8]) -> bool {
    let mut lines = body.split(|byte| *byte == b'\n');
    lines.any(|line| line.trim_ascii().starts_with(b"data:"))
}

/// The message of an error event in a stream that began well.
pub(crate) fn in_band_error(answer: &ControlAnswer) -> Option<String> {
    let is_error = |event: &&[u8]| {
        let value: Option<Value> = serde_json::from_slice(event).ok();
        let error = value.as_ref().and_then(|value| value.get("error"));
        error.is_some_and(|error| !error.is_null())
    };
    let event = events(answer).find(is_error)?;
    Some(inert_bytes(event, 300))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> ControlAnswer {
        ControlAnswer {
            head: Default::default(),
            fields: Vec::new(),
            body: body.as_bytes().to_vec(),
            sent_ns: 0,
            reads: Vec::new(),
            behind: infermeter_client::control::Behind::Unknown,
        }
    }

    #[track_caller]
    fn check(body: &str, stream: bool, expect: &str) {
        let found = match check_api(&answer(body), Dialect::default(), stream) {
            Ok(Got::Accepted) => "accepted".to_owned(),
            Ok(Got::Refused { said, .. } | Got::Failed { said, .. }) => said,
            Err(error) => error.to_string(),
        };
        assert!(found.contains(expect), "{found}");
    }

    #[test]
    fn answers_of_another_api_are_named() {
        check(
            "data: {\"choices\":[]}\n\ndata: [DONE]\n\n",
            true,
            "accepted",
        );
        check("data:{\"usage\":{}}\r\n\r\n", true, "accepted");
        check(
            "data: {\"content\":\"a\",\"stop\":false}\n\n",
            true,
            "an event stream of llama.cpp's native /completion",
        );
        check(
            "{\"generated_text\":\"a\"}",
            false,
            "JSON of TGI's native /generate",
        );
        check(
            "data: {\"a\":1}\n\n",
            true,
            "an event stream without choices",
        );
        check("data: hello\n\n", true, "hello");
        check("data: [DONE]\n\n", true, "without anything");
        check("", true, "without anything");
    }

    #[test]
    fn errors_inside_a_stream_are_seen_however_they_are_written() {
        for body in [
            "data: {\"error\": {\"message\": \"no\"}}\n\n",
            "data:{\"id\":1,\"error\":\"no\"}\n\n",
        ] {
            assert!(in_band_error(&answer(body)).is_some(), "{body}");
        }
        assert_eq!(in_band_error(&answer("data: {\"error\":null}\n\n")), None);
    }
}
