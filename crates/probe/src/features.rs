//! Which request fields the server accepts, found out once, before the clock starts.
//!
//! Each trial is a real request for a few tokens; the first field set that is accepted is used for
//! the whole run, so that every request has the same shape.

use crate::target::{Control, said};
use infermeter_client::control::{ControlAnswer, ControlError};
use infermeter_client::encode::{Features, RequestEncoder, RequestShape};
use infermeter_core::request::{RequestContent, RequestSpec};

/// Tokens asked for by a trial.
const TRIAL_TOKENS: u32 = 4;
/// Prompt of a trial.
const TRIAL_PROMPT: &str = "Count from one to four.";

/// What came of the trials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// The server accepts these.
    Accepted(Features),
    /// The server answered none of the trials well, but may later (overloaded, say): the most
    /// careful fields are used.
    Unsure {
        /// Fields to use.
        features: Features,
        /// What happened.
        why: String,
    },
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
}

/// Field sets, from the most telling to the most careful.
fn ladder(stream: bool) -> Vec<Features> {
    let set = |ignore_eos, include_usage, continuous_usage| Features {
        ignore_eos,
        include_usage,
        continuous_usage,
        ..Features::default()
    };
    if !stream {
        return vec![set(true, false, false), set(false, false, false)];
    }
    vec![
        set(true, true, true),
        set(true, true, false),
        set(false, true, true),
        set(false, true, false),
        set(false, false, false),
    ]
}

/// The fields used when nothing is known: plain OpenAI.
pub fn careful(stream: bool) -> Features {
    Features {
        include_usage: stream,
        ..Features::default()
    }
}

/// Tries field sets until one is accepted.
///
/// # Errors
/// When the server cannot be used at all; overload is no such thing.
pub fn probe(control: &mut Control, shape: &RequestShape) -> Result<Probed, ProbeError> {
    let mut last = None;
    let ladder = match shape.template {
        // The template says which fields there are.
        Some(_) => vec![Features::default()],
        None => ladder(shape.stream),
    };
    for features in ladder {
        let shape = RequestShape {
            features,
            ..shape.clone()
        };
        let trial = RequestEncoder::new(control.target(), &shape);
        let content = RequestContent::of_prompt(TRIAL_PROMPT);
        let spec = RequestSpec::alone(0, 1, TRIAL_TOKENS);
        let request = trial.encode(&control.next_id(), &spec, &content);
        let what = format!("POST {}", shape.path());
        let answer = control.send(&request, &what, &format!("trial of {}", name(features)))?;
        match answer.head.status {
            200 => {
                check_kind(&answer, shape.stream)?;
                if let Some(problem) = in_band_error(&answer) {
                    control.conclude(&problem);
                    last = Some((200, format!("error event: {problem}")));
                    continue;
                }
                control.conclude("accepted");
                return Ok(Probed::Accepted(features));
            }
            400 | 422 => {
                control.conclude(&said(&answer));
                last = Some((answer.head.status, said(&answer)));
            }
            429 | 500..=599 => {
                control.conclude(&said(&answer));
                let why = format!("status {}: {}", answer.head.status, said(&answer));
                return Ok(Probed::Unsure {
                    features: careful(shape.stream),
                    why,
                });
            }
            status => {
                let to = answer.head.location.as_ref();
                let said = to.map_or_else(|| said(&answer), |to| format!("moved to {to}"));
                return Err(ProbeError::Refused { status, said });
            }
        }
    }
    let (status, said) = last.unwrap_or((0, "no trial was made".to_owned()));
    Err(ProbeError::Refused { status, said })
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
                let why = format!("{}: status {status}: {}", trial.flag, said(&answer));
                control.conclude(&said(&answer));
                return Ok(Some(why));
            }
            _ => Some(said(&answer)),
        };
        let Some(said) = problem else {
            check_kind(&answer, shape.stream)?;
            control.conclude("accepted");
            continue;
        };
        control.conclude(&said);
        let flag = trial.flag.clone();
        return Err(ProbeError::NotAccepted { flag, status, said });
    }
    Ok(None)
}

fn name(features: Features) -> String {
    let mut fields = Vec::new();
    if features.ignore_eos {
        fields.push("ignore_eos");
    }
    if features.include_usage {
        fields.push("include_usage");
    }
    if features.continuous_usage {
        fields.push("continuous_usage_stats");
    }
    if fields.is_empty() {
        "plain fields".to_owned()
    } else {
        fields.join(", ")
    }
}

fn check_kind(answer: &ControlAnswer, stream: bool) -> Result<(), ProbeError> {
    let content_type = answer.head.content_type.clone().unwrap_or_default();
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let wanted = if stream {
        essence == "text/event-stream"
    } else {
        essence.ends_with("json")
    };
    if wanted {
        return Ok(());
    }
    Err(ProbeError::NoStream {
        content_type,
        said: said(answer),
    })
}

/// The message of an error event in a stream that began well.
pub(crate) fn in_band_error(answer: &ControlAnswer) -> Option<String> {
    let text = String::from_utf8_lossy(&answer.body);
    let line = text.lines().find(|l| l.starts_with("data: {\"error\""))?;
    Some(infermeter_core::text::inert(
        line.trim_start_matches("data: "),
        300,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_ends_with_plain_fields() {
        assert_eq!(ladder(true).last(), Some(&Features::default()));
        assert_eq!(name(Features::default()), "plain fields");
    }
}
