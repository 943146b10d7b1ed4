//! Prompts of the load, asked again word for word with nothing else in flight: beside these answers stand those under load.
//!
//! Asked behind the load alone: before it they would warm the server's prefix cache. Twice, since two answers to one prompt
//! tell what differs by itself. Invariant: texts are in memory until the record is settled, and in no file.

use crate::experiment::Experiment;
use crate::found::Found;
use crate::load::Load;
use infermeter_answers::compare::{Margins, first_difference};
use infermeter_core::answer::{Fingerprint, Reference, Repeat};
use infermeter_core::clock::monotonic_ns;
use infermeter_core::plan::Endpoint;
use infermeter_core::request::{BodyMember, RequestContent, RequestId};
use infermeter_core::run::{ControlRequest, ReferenceAnswers, ReferencePasses};
use infermeter_core::units::Span;
use infermeter_probe::alone::AloneAnswer;
use infermeter_probe::target::{Control, Limits};
use infermeter_sys::signals;
use std::collections::HashMap;
use std::time::Duration;

/// Bytes of all texts at most.
const MOST_BYTES: usize = 64 << 20;
/// Failures in a row after which nobody is asked any further.
const FAILURES: u32 = 3;

/// Answers that were asked for alone, by the request whose prompt they are to.
#[derive(Debug, Default)]
pub(crate) struct References(HashMap<RequestId, Alone>);

/// The answers to one prompt.
#[derive(Debug)]
struct Alone {
    first: String,
    margins: Option<Margins>,
    second: Option<String>,
}

impl References {
    /// How an answer under load differs from those asked alone; `None` where there is none.
    pub(super) fn of(&self, id: RequestId, content: &str) -> Option<Reference> {
        let alone = self.0.get(&id)?;
        let diverged_at = first_difference(&alone.first, content);
        let margin = diverged_at.and_then(|chars| alone.margins.as_ref()?.at(chars));
        Some(Reference {
            chars: u32::try_from(alone.first.chars().count()).unwrap_or(u32::MAX),
            diverged_at,
            margin_mnat: margin,
            repeat: alone.second.as_deref().map(|second| {
                first_difference(&alone.first, second).map_or(Repeat::Equal, Repeat::DivergedAt)
            }),
        })
    }

    /// What stays of them, by request: enough to hold them against those of another server.
    fn fingerprints(&self) -> Vec<ReferenceAnswers> {
        let of_answer = |(id, alone): (&RequestId, &Alone)| ReferenceAnswers {
            id: *id,
            first: Fingerprint::of(&alone.first),
            second: alone.second.as_deref().map(Fingerprint::of),
        };
        let mut all: Vec<ReferenceAnswers> = self.0.iter().map(of_answer).collect();
        all.sort_unstable_by_key(|answers| answers.id);
        all
    }
}

/// Asks a sample of the first `sent` requests' prompts, twice each, until that much time is over for each pass.
pub(crate) fn ask(
    found: &Found,
    experiment: &Experiment,
    load: &Load,
    sent: u64,
    deterministic_asked: bool,
) -> Option<(ReferencePasses, References, Vec<ControlRequest>)> {
    let requests = &experiment.requests;
    let wanted = requests.reference?;
    let longest = requests.solo_time?;
    let ids = sampled(load, sent, wanted.prompts);
    let mut asking = Asking {
        found,
        load,
        control: found.alone(),
        longest,
        logprobs: scored(requests.form.endpoint),
        bytes: 0,
        problem: None,
    };
    let logged = asking.control.log.len();
    let mut references = References::default();
    asking.pass(&ids, true, &mut references);
    let scored = references.0.values().any(|alone| alone.margins.is_some());
    // The second is a repetition of the request under load, to the letter.
    asking.logprobs = Vec::new();
    asking.pass(&ids, false, &mut references);
    let repeated = references.0.values().filter(|alone| alone.second.is_some());
    let passes = ReferencePasses {
        wanted: ids.len() as u32,
        asked: references.0.len() as u32,
        repeated: repeated.count() as u32,
        logprobs: scored,
        deterministic_asked,
        answers: references.fingerprints(),
        problem: asking.problem,
    };
    let control = asking.control.log.split_off(logged);
    Some((passes, references, control))
}

/// Requests at equal distances among the measured ones that were sent.
fn sampled(load: &Load, sent: u64, wanted: u32) -> Vec<RequestId> {
    let (_, measured) = load.schedule.ids();
    let end = measured.end.min(sent).max(measured.start);
    let (count, wanted) = (end - measured.start, u64::from(wanted));
    let number = wanted.min(count);
    (0..number)
        .map(|place| measured.start + place * count / number.max(1))
        .collect()
}

/// Members that ask how likely tokens are, where the API has them.
fn scored(endpoint: Endpoint) -> Vec<BodyMember> {
    let member = |name: &str, json: &str| BodyMember {
        name: name.into(),
        json: json.into(),
    };
    match endpoint {
        Endpoint::Chat => vec![member("logprobs", "true"), member("top_logprobs", "2")],
        Endpoint::Completions => vec![member("logprobs", "2")],
        _ => Vec::new(),
    }
}

struct Asking<'a> {
    found: &'a Found,
    load: &'a Load,
    control: Control,
    longest: Span,
    logprobs: Vec<BodyMember>,
    bytes: usize,
    problem: Option<String>,
}

impl Asking<'_> {
    fn pass(&mut self, ids: &[RequestId], first: bool, references: &mut References) {
        let time = Duration::from_nanos(self.longest.ns().unsigned_abs());
        self.control.limit(Limits {
            each: time,
            all: time,
        });
        let (begun, mut failed) = (monotonic_ns(), 0);
        for id in ids {
            let over = monotonic_ns() - begun > self.longest.ns();
            if over || failed >= FAILURES || signals::count() > 0 || self.bytes > MOST_BYTES {
                return;
            }
            match self.answer(*id) {
                Ok(answer) => {
                    failed = 0;
                    self.bytes += answer.content.len();
                    keep(*id, answer, first, references);
                }
                Err(mut problem) => {
                    failed += 1;
                    self.found.secrets.scrub(&mut problem);
                    self.problem = Some(problem);
                }
            }
        }
    }

    fn answer(&mut self, id: RequestId) -> Result<AloneAnswer, String> {
        let workload = &self.load.workload;
        let spec = workload.spec(id);
        let content = workload
            .content(&spec, &[])
            .map_err(|error| error.to_string())?;
        let encoder = &self.found.encoder_alone;
        if self.logprobs.is_empty() {
            return self.control.alone(encoder, &spec, &content);
        }
        let asked = with(content.clone(), &self.logprobs);
        let answer = self.control.alone(encoder, &spec, &asked);
        if answer
            .as_ref()
            .is_err_and(|problem| problem.starts_with("status 4"))
        {
            // The server does not say, and refuses to be asked.
            self.logprobs.clear();
            return self.control.alone(encoder, &spec, &content);
        }
        answer
    }
}

fn with(mut content: RequestContent, members: &[BodyMember]) -> RequestContent {
    content.members_mut().extend(members.iter().cloned());
    content
}

fn keep(id: RequestId, answer: AloneAnswer, first: bool, references: &mut References) {
    if first {
        let margins = Margins::of(&answer.whole, &answer.content);
        references.0.insert(
            id,
            Alone {
                margins,
                first: answer.content,
                second: None,
            },
        );
    } else if let Some(alone) = references.0.get_mut(&id) {
        alone.second = Some(answer.content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_held_against_both_that_were_asked_alone() {
        let mut references = References::default();
        let answer = |content: &str| AloneAnswer {
            content: content.to_owned(),
            ..AloneAnswer::default()
        };
        keep(3, answer("the harbour was quiet"), true, &mut references);
        let reference = references.of(3, "the harbour is quiet").expect("one");
        assert_eq!(
            (reference.chars, reference.diverged_at, reference.repeat),
            (21, Some(12), None)
        );
        keep(3, answer("the harbour was quiet"), false, &mut references);
        let reference = references.of(3, "the harbour was quiet").expect("one");
        assert_eq!(
            (reference.diverged_at, reference.repeat),
            (None, Some(Repeat::Equal))
        );
        keep(3, answer("the harbour"), false, &mut references);
        let reference = references.of(3, "the harbour was quiet").expect("one");
        assert_eq!(reference.repeat, Some(Repeat::DivergedAt(11)));
        assert_eq!(references.of(4, "x"), None);
    }
}
