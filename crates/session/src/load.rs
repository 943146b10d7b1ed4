//! From experiment to load: what is sent (workload) and when (schedule), both pure functions of the
//! experiment and its seeds.

mod drawn;
mod questions;
mod texts;

use crate::clients::Clients;
use crate::experiment::{Experiment, LoadSpec, Pace, RateSpec};
use anyhow::Result;
use drawn::{DrawnTexts, drawn};
use infermeter_core::clock::Offset;
use infermeter_core::plan::{Plan, TextManner};
use infermeter_core::rate::RateCurve;
use infermeter_core::request::{FollowUp, RequestId, RequestSpec, Waited};
use infermeter_core::run::LoadModel;
use infermeter_core::schedule::{Schedule, Slice, SliceError};
use infermeter_core::units::Span;
use infermeter_schedule::{TimeScale, Waits};
use infermeter_workload::{Tokenizer, Workload};
use sha2::{Digest, Sha256};
use std::ops::Range;

/// Requests of a closed loop that stand for those of a window without a number.
const CLOSED_SAMPLE: u64 = 4_096;

/// Measured requests of a run that does not say: only the tuning of a sequence rests on it.
const UNKNOWN_REQUESTS: usize = 1_000;

/// What is sent, and when.
#[derive(Debug, Clone)]
pub struct Load {
    /// What.
    pub workload: Workload,
    /// When.
    pub schedule: Schedule,
    /// What sets the pace, and the phases.
    pub spec: LoadSpec,
    /// Tokens that the chat template adds to each prompt; absent without a template, for sessions,
    /// and for a dataset, whose messages are of many kinds.
    pub template_tokens: Option<u32>,
    /// The clients that both come from, where they do.
    pub clients: Option<Clients>,
    /// A trace whose rows end before the drain does: nothing keeps the load on there.
    pub drain_without_load: bool,
    /// Requests or, with sessions, sessions due in the window (open loop).
    pub due_in_window: Option<u64>,
    /// Of a part, the hash of the schedule that it was cut from.
    whole: Option<String>,
    /// Waits inside sessions and between them.
    waits: Option<Waits>,
    /// Times of a trace are multiplied by this.
    scale: TimeScale,
}

impl Load {
    /// That of a plan's experiment. `salt` is mixed into every prompt.
    ///
    /// # Errors
    /// As [`Experiment::of`] and [`Self::of`].
    pub fn from_plan(plan: &Plan, salt: u64) -> Result<Self> {
        Self::of(&Experiment::of(plan)?, salt)
    }

    /// Makes both. `salt` is mixed into every prompt.
    ///
    /// # Errors
    /// Naming the flag or the line of the trace.
    pub fn of(experiment: &Experiment, salt: u64) -> Result<Self> {
        let requests = &experiment.requests;
        let tokenizer = Tokenizer::open(&requests.texts.tokenizer)?;
        let tokenizer = match requests.texts.manner {
            TextManner::Tidy => tokenizer,
            TextManner::Noisy => tokenizer.noisy()?,
        };
        let drawn = drawn(experiment, &tokenizer)?;
        let (workload, template_tokens) = match drawn.texts {
            DrawnTexts::WordForWord => (drawn.workload, None),
            DrawnTexts::Open => texts::completed(requests, drawn.workload, Some(&drawn.schedule))?,
            DrawnTexts::Replayed => texts::completed(requests, drawn.workload, None)?,
        };
        let waits = requests.texts.sessions();
        Ok(Self {
            workload: workload.with_salt(salt),
            schedule: drawn.schedule,
            template_tokens,
            clients: drawn.clients,
            drain_without_load: drawn.drain_without_load,
            due_in_window: drawn.due_in_window,
            whole: None,
            waits: waits.map(|sessions| Waits::new(sessions, requests.seeds.schedule)),
            scale: TimeScale::new(experiment.load.time_scale)?,
            spec: experiment.load.clone(),
        })
    }

    /// The part that one of several clients sends: each request with the id, the instant and the bytes
    /// that it has in the whole. What the plan asks for, its rate say, stays that of the whole.
    ///
    /// # Errors
    /// When a slice of a closed loop would have nothing to do.
    pub fn cut(&self, slice: Slice) -> Result<Self, SliceError> {
        Ok(Self {
            schedule: self.schedule.cut(slice)?,
            whole: self.schedule_hash(),
            ..self.clone()
        })
    }

    /// The same with another salt in every prompt.
    #[must_use]
    pub(crate) fn with_salt(mut self, salt: u64) -> Self {
        self.workload = self.workload.with_salt(salt);
        self
    }

    /// Measured requests that a run is expected to have; of a closed loop that only time ends nobody
    /// knows.
    pub fn expected_requests(&self) -> usize {
        let measured = self.schedule.due_in_window().or(self.spec.requests);
        measured.map_or(UNKNOWN_REQUESTS, |n| n as usize)
    }

    /// The measured requests. In a closed loop the warm-up may take more than the count asked for,
    /// and a window that ends by time has as many as the server completes: 4,096 then
    /// stand for them.
    pub fn measured_ids(&self) -> Range<RequestId> {
        self.schedule.measured_ids(CLOSED_SAMPLE)
    }

    /// The requests that wait for the answer to `spec`'s, and how long.
    pub fn follow_ups(&self, spec: &RequestSpec) -> Vec<FollowUp> {
        let next = self.workload.next_turns(spec).into_iter();
        next.map(|turn| {
            let waits = self.waits.as_ref();
            let drawn = waits.map(|waits| waits.before_turn_ns(turn.id, turn.role));
            let recorded = turn.delay_ns.map(|ns| self.scale.apply(ns));
            FollowUp {
                id: turn.id,
                delay_ns: recorded.or(drawn).unwrap_or(0),
                planned: self.planned(turn.offset_ns),
                further: turn.further,
            }
        })
        .collect()
    }

    /// Some requests wait for the answer to another one.
    pub fn has_sessions(&self) -> bool {
        self.schedule.has_sessions()
    }

    /// What a request waits for itself.
    pub fn waited(&self, spec: &RequestSpec) -> Option<Waited> {
        self.workload.awaited(spec).map(|awaited| Waited {
            parent: awaited.parent,
            planned: self.planned(awaited.offset_ns),
        })
    }

    /// The pause of a user after the session of a request, nanoseconds.
    pub(crate) fn pause_ns(&self, spec: &RequestSpec) -> i64 {
        let waits = self.waits.as_ref();
        let pause = waits
            .zip(spec.turn)
            .map(|(w, turn)| w.pause_ns(turn.session));
        pause.unwrap_or(0)
    }

    fn planned(&self, offset_ns: Option<i64>) -> Option<Offset> {
        offset_ns.map(|ns| Offset(self.scale.apply(ns)))
    }

    /// The load model, as labelled everywhere.
    pub fn model(&self) -> LoadModel {
        self.schedule.model()
    }

    /// SHA-256 over the arrivals (open loop), 8 bytes little endian each; hex. With the workload's
    /// hash it says whether two runs had the same load: of a part it is that of the whole.
    pub fn schedule_hash(&self) -> Option<String> {
        if self.whole.is_some() {
            return self.whole.clone();
        }
        let Schedule::Open(open) = &self.schedule else {
            return None;
        };
        let mut hasher = Sha256::new();
        for at in &open.arrivals {
            hasher.update(at.0.to_le_bytes());
        }
        let digest = hasher.finalize();
        Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Requests (or sessions) per second asked for over the window (open loop): the rate, the mean
    /// of a profile over the window, or what a trace has there.
    pub fn rate_asked(&self, seed: u64) -> Option<f64> {
        let Schedule::Open(open) = &self.schedule else {
            return None;
        };
        let window_ns = open.window_end.since(open.window_start);
        match (&self.spec.pace, &self.clients) {
            (
                Pace::Clients {
                    rate: Some(rate), ..
                },
                _,
            ) => Some(*rate),
            (_, Some(clients)) => clients.mean_rate(Span(window_ns)).ok(),
            (Pace::Rate { rate, .. }, None) => match rate {
                RateSpec::Constant(rate) => Some(*rate),
                RateSpec::Profile(profile) => RateCurve::new(profile, seed).mean(window_ns),
            },
            (Pace::Clients { .. } | Pace::Recorded | Pace::Slots(_), None) => {
                Some(self.due_in_window? as f64 / (window_ns as f64 / 1e9))
            }
        }
    }
}
