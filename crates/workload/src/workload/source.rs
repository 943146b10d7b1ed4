//! Where requests come from, and what each source says of them: lengths, class, place in a session,
//! what waits for what.
//!
//! It writes no text. Invariant: everything but the rows of a trace, a dataset or a file is a function
//! of the seed and the id.

use super::items::ItemId;
use super::{Awaited, NextTurn};
use crate::classes::{Classes, Draw};
use crate::expected_tokens::ExpectedTokens;
use crate::file::{FileEntry, WorkloadFile};
use crate::session::{SessionMeans, SessionSource};
use crate::texts::Dataset;
use crate::trace::{Trace, TraceFacts, TraceRow};
use infermeter_core::request::{ClassIndex, RequestId, RequestSpec, Role};
use infermeter_core::seed::splitmix64;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// Keeps the random stream of lengths apart from those of texts.
const LENGTHS_TAG: u64 = 0x6c65_6e67_7468_7300;

/// Where requests come from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// Lengths drawn from classes.
    Drawn(Arc<Classes>),
    /// Conversations whose turns have drawn lengths.
    Sessions(Arc<SessionSource>),
    /// Rows of a trace.
    Rows(Arc<Trace>),
    /// Requests of a workload file.
    File(Arc<WorkloadFile>),
    /// Texts of a dataset; answers whose length it does not say are drawn.
    Texts(Arc<Dataset>, Arc<Classes>),
}

impl Source {
    /// The number and the length of the texts of a request that holds several: of text `place` of request
    /// `id`, whose class is `class`.
    pub fn item(&self, seed: u64, id: ItemId, class: ClassIndex) -> (u64, u32) {
        let number = id.number();
        let tokens = match self {
            Self::Drawn(classes) => {
                let mut rng = lengths(seed, number);
                // Another class has no say in the stream.
                let _ = classes.draw_class(&mut rng);
                classes.draw_lengths(class, &mut rng).input
            }
            _ => self.drawn(seed, number).prompt_tokens,
        };
        (number, tokens)
    }

    /// Class, lengths and place of request `id` by itself.
    pub fn drawn(&self, seed: u64, id: RequestId) -> RequestSpec {
        let (class, prompt_tokens, output_tokens, turn) = match self {
            Self::File(file) => {
                return RequestSpec {
                    id,
                    ..entry(file, id).spec
                };
            }
            Self::Sessions(sessions) => return sessions.spec(id),
            Self::Rows(trace) => {
                let row = trace.rows().get(id as usize);
                let row = row.expect("the schedule of a trace has no more arrivals than rows");
                let (class, turn) = (trace.class(id as usize), trace.turn(id as usize));
                (class, row.input_tokens, row.output_tokens, turn)
            }
            Self::Drawn(classes) => {
                let draw = draw(classes, seed, id);
                (draw.class, draw.lengths.input, draw.lengths.output, None)
            }
            Self::Texts(dataset, classes) => {
                let row = dataset.row(id);
                let output = row.output_tokens;
                let output = output.unwrap_or_else(|| draw(classes, seed, id).lengths.output);
                (0, row.prompt_tokens, output, dataset.turn(id))
            }
        };
        RequestSpec {
            id,
            class,
            prompt_tokens,
            output_tokens,
            turn,
            items: None,
        }
    }

    /// The requests that wait for the answer to `spec`'s.
    pub fn next_turns(&self, spec: &RequestSpec) -> Vec<NextTurn> {
        match self {
            Self::Drawn(_) => Vec::new(),
            Self::Texts(dataset, _) if dataset.links().rows_waiting() > 0 => {
                let (links, row) = (dataset.links(), spec.id as usize);
                let next = links.children(row).iter();
                next.map(|child| NextTurn {
                    id: u64::from(*child),
                    role: Role::User,
                    delay_ns: links.delay_ns(*child as usize),
                    offset_ns: dataset.offset_ns(*child as usize),
                    further: 0,
                })
                .collect()
            }
            Self::Texts(dataset, _) => {
                let next = dataset.next(spec.id).into_iter();
                next.map(|(id, delay_ns)| NextTurn {
                    id,
                    role: Role::User,
                    delay_ns: Some(delay_ns),
                    offset_ns: None,
                    further: 0,
                })
                .collect()
            }
            Self::File(file) => {
                let next = entry(file, spec.id).next.iter();
                next.map(|next| NextTurn {
                    id: next.id,
                    role: Role::User,
                    delay_ns: Some(next.delay_ns),
                    offset_ns: next.planned.map(|at| at.0),
                    further: next.further,
                })
                .collect()
            }
            Self::Sessions(sessions) => {
                let next = sessions.next(spec).into_iter();
                next.map(|id| NextTurn {
                    id,
                    role: sessions.role(id),
                    delay_ns: None,
                    offset_ns: None,
                    further: 0,
                })
                .collect()
            }
            Self::Rows(trace) => {
                let next = trace.children(spec.id as usize).iter().copied();
                let next = next.chain(trace.joining(spec.id as usize));
                next.map(|row| NextTurn {
                    id: u64::from(row),
                    role: Role::User,
                    delay_ns: trace.delay_ns(row as usize),
                    offset_ns: trace.planned_ns(row as usize),
                    further: trace.further(row as usize),
                })
                .collect()
            }
        }
    }

    /// What `spec`'s request waits for itself.
    pub fn awaited(&self, spec: &RequestSpec) -> Option<Awaited> {
        match self {
            Self::Drawn(_) => None,
            Self::File(file) => entry(file, spec.id).parent.map(|parent| {
                let mut next = entry(file, parent).next.iter();
                let own = next.find(|next| next.id == spec.id);
                Awaited {
                    parent,
                    offset_ns: own.and_then(|next| Some(next.planned?.0)),
                }
            }),
            Self::Texts(dataset, _) if dataset.links().rows_waiting() > 0 => {
                let row = spec.id as usize;
                dataset.links().parent(row).map(|parent| Awaited {
                    parent: parent as u64,
                    offset_ns: dataset.offset_ns(row),
                })
            }
            Self::Sessions(_) | Self::Texts(..) => {
                spec.turn.filter(|turn| turn.number > 0).map(|_| Awaited {
                    parent: spec.id - 1,
                    offset_ns: None,
                })
            }
            Self::Rows(trace) => {
                let row = spec.id as usize;
                trace.parent(row).map(|parent| Awaited {
                    parent: parent as u64,
                    offset_ns: trace.planned_ns(row),
                })
            }
        }
    }

    /// Distance between the first ids of two sessions; 1 where there are none.
    pub fn stride(&self) -> u64 {
        match self {
            Self::Sessions(sessions) => sessions.stride(),
            Self::Drawn(_) | Self::Rows(_) | Self::File(_) | Self::Texts(..) => 1,
        }
    }

    /// Mean lengths.
    pub fn means(&self) -> ExpectedTokens {
        match self {
            Self::Drawn(classes) => classes.expected(),
            Self::Sessions(sessions) => sessions.means().tokens,
            Self::Texts(dataset, classes) => {
                let (input, output) = dataset.means();
                ExpectedTokens {
                    input,
                    output: output.unwrap_or_else(|| classes.expected().output),
                }
            }
            Self::File(file) => {
                let specs = || file.entries().iter().map(|entry| entry.spec);
                let mean = |tokens: fn(RequestSpec) -> u32| {
                    let sum: u64 = specs().map(|spec| u64::from(tokens(spec))).sum();
                    sum as f64 / specs().len().max(1) as f64
                };
                ExpectedTokens {
                    input: mean(|spec| spec.prompt_tokens),
                    output: mean(|spec| spec.output_tokens),
                }
            }
            Self::Rows(trace) => {
                let rows = trace.rows();
                let mean = |tokens: fn(&TraceRow) -> u32| {
                    let sum: u64 = rows.iter().map(|row| u64::from(tokens(row))).sum();
                    sum as f64 / rows.len().max(1) as f64
                };
                ExpectedTokens {
                    input: mean(|row| row.input_tokens),
                    output: mean(|row| row.output_tokens),
                }
            }
        }
    }

    /// Number of requests, where it is bounded.
    pub fn len(&self) -> Option<u64> {
        match self {
            Self::Drawn(_) | Self::Sessions(_) | Self::Texts(..) => None,
            Self::Rows(trace) => Some(trace.rows().len() as u64),
            Self::File(file) => Some(file.entries().len() as u64),
        }
    }

    /// When a trace or a file has request `id`, nanoseconds after its first.
    pub fn instant_ns(&self, id: RequestId) -> Option<i64> {
        match self {
            Self::Drawn(_) | Self::Sessions(_) => None,
            Self::Texts(dataset, _) => dataset.offset_ns(usize::try_from(id).ok()?),
            Self::Rows(trace) => Some(trace.rows().get(id as usize)?.offset_ns),
            Self::File(file) => file.entry(id)?.at_ns,
        }
    }

    /// Means over sessions; absent where requests stand alone and for a trace.
    pub fn session_means(&self) -> Option<SessionMeans> {
        match self {
            Self::Sessions(sessions) => Some(sessions.means()),
            Self::Drawn(_) | Self::Rows(_) | Self::File(_) | Self::Texts(..) => None,
        }
    }

    /// Rows of a trace, or requests of a file, that wait for another one's answer.
    pub fn waiting(&self) -> u64 {
        match self {
            Self::Drawn(_) | Self::Sessions(_) => 0,
            Self::Texts(dataset, _) => dataset.links().rows_waiting(),
            Self::Rows(trace) => trace.rows_waiting(),
            Self::File(file) => {
                let waiting = file.entries().iter().filter(|e| e.parent.is_some());
                waiting.count() as u64
            }
        }
    }

    /// What was read from the trace or the dataset, where there is one.
    pub fn trace_facts(&self) -> Option<&TraceFacts> {
        match self {
            Self::Drawn(_) | Self::Sessions(_) | Self::File(_) => None,
            Self::Rows(trace) => trace.facts(),
            Self::Texts(dataset, _) => Some(dataset.facts()),
        }
    }
}

fn draw(classes: &Classes, seed: u64, id: RequestId) -> Draw {
    classes.draw(&mut lengths(seed, id))
}

/// The random stream of a request's lengths.
fn lengths(seed: u64, id: RequestId) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(splitmix64(seed ^ LENGTHS_TAG));
    rng.set_stream(id);
    rng
}

/// The entry of request `id`; a file of requests without instants goes round.
pub(super) fn entry(file: &WorkloadFile, id: RequestId) -> &FileEntry {
    let entries = file.entries();
    let again = || entries.get((id % entries.len() as u64) as usize);
    let found = file.entry(id).or_else(again);
    found.expect("a workload file has a request at least")
}
