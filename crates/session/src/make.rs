//! Making a workload file: the requests of a load on all cores, written in order.
//!
//! It decides nothing about the requests. Invariant: the file does not depend on the number of
//! threads, and a request whose prompt is not as long as it says ends the making.

use anyhow::{Context, Result, anyhow, bail};
use infermeter_core::key::ValueKind;
use infermeter_core::key_values;
use infermeter_core::request::{FollowUp, RequestContent, RequestId, RequestSpec};
use infermeter_workload::{
    FileHeader, TokenCounter, Workload, WorkloadWriter, Written, encode_line,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// Requests that a thread makes before it hands them over.
const CHUNK: usize = 128;
/// Chunks that may wait to be written, for each thread.
const AHEAD: usize = 2;
/// Where 1 % is verified: one request in so many of each class.
const ONE_IN: u64 = 100;

/// How many prompts are counted again with the whole vocabulary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    /// At least one in a hundred of each class.
    #[default]
    #[serde(rename = "1%")]
    Some,
    /// All of them.
    All,
    /// None.
    None,
}

key_values!(ValueKind::OneOf(&["1%", "all", "none"]) => Verify);

/// One request to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its id.
    pub id: RequestId,
    /// When it is due, nanoseconds after the origin, where it has an instant of its own.
    pub at_ns: Option<i64>,
    /// The requests that wait for its answer.
    pub next: Vec<FollowUp>,
}

impl Wanted {
    /// A request that nothing waits for.
    pub fn alone(id: RequestId, at_ns: Option<i64>) -> Self {
        Self {
            id,
            at_ns,
            next: Vec::new(),
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Made {
    /// The file.
    pub written: Written,
    /// Prompts that were counted again, by class.
    pub verified: Vec<(String, u64)>,
    /// Tokens of all prompts.
    pub prompt_tokens: u64,
}

/// Lines of some requests.
#[derive(Debug, Default)]
struct Chunk {
    lines: Vec<u8>,
    requests: u64,
    verified: HashMap<u16, u64>,
    prompt_tokens: u64,
}

/// Writes the file at `path`: the requests `wanted` of `workload`, in that order.
///
/// # Errors
/// When a prompt cannot be made or is not as long as it says, or the file cannot be written.
pub fn make(
    path: &Path,
    workload: &Workload,
    wanted: &[Wanted],
    about: FileHeader,
    verify: Verify,
) -> Result<Made> {
    let counter = match verify {
        Verify::None => None,
        _ => Some(TokenCounter::load(workload.tokenizer())?),
    };
    let mut writer = WorkloadWriter::create(path, about)?;
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let chunks: Vec<&[Wanted]> = wanted.chunks(CHUNK).collect();
    let stop = AtomicBool::new(false);
    let mut total = Chunk::default();
    let filled = std::thread::scope(|scope| {
        let receivers: Vec<Receiver<Result<Chunk>>> = (0..threads)
            .map(|thread| {
                let (sender, receiver) = sync_channel(AHEAD);
                let mine = chunks.iter().skip(thread).step_by(threads);
                let maker = Maker {
                    workload,
                    counter: counter.as_ref(),
                    verify,
                };
                let stop = &stop;
                scope.spawn(move || maker.fill(mine, stop, &sender));
                receiver
            })
            .collect();
        let written = (0..chunks.len()).try_for_each(|number| {
            let chunk = receivers[number % threads].recv();
            let chunk = chunk.context("a thread ended early")??;
            writer.append(&chunk.lines, chunk.requests)?;
            total.add(&chunk);
            Ok(())
        });
        stop.store(true, Ordering::Relaxed);
        written
    });
    filled.and_then(|()| {
        let classes = workload.classes().iter().zip(0_u16..);
        let count = |(name, class): (&String, u16)| {
            let count = total.verified.get(&class).copied().unwrap_or(0);
            (name.clone(), count)
        };
        Ok(Made {
            verified: classes.map(count).collect(),
            prompt_tokens: total.prompt_tokens,
            written: writer.finish()?,
        })
    })
}

impl Chunk {
    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.prompt_tokens += other.prompt_tokens;
        for (class, count) in &other.verified {
            *self.verified.entry(*class).or_default() += count;
        }
    }
}

/// Makes and verifies requests, on one of several threads.
#[derive(Clone, Copy)]
struct Maker<'a> {
    workload: &'a Workload,
    counter: Option<&'a TokenCounter>,
    verify: Verify,
}

impl Maker<'_> {
    /// Makes every chunk of one thread.
    fn fill<'a>(
        self,
        chunks: impl Iterator<Item = &'a &'a [Wanted]>,
        stop: &AtomicBool,
        sender: &SyncSender<Result<Chunk>>,
    ) {
        for chunk in chunks {
            let made = self.chunk_of(chunk);
            let last = made.is_err();
            if stop.load(Ordering::Relaxed) || sender.send(made).is_err() || last {
                return;
            }
        }
    }

    fn chunk_of(self, wanted: &[Wanted]) -> Result<Chunk> {
        let workload = self.workload;
        let mut chunk = Chunk::default();
        let mut of_class: HashMap<u16, u64> = HashMap::new();
        for Wanted { id, at_ns, next } in wanted {
            let spec = workload.spec(*id);
            let nth = of_class.entry(spec.class).or_default();
            // The first of each class in each chunk, and each hundredth: never fewer than asked for.
            let chosen = self.verify == Verify::All || nth.is_multiple_of(ONE_IN);
            *nth += 1;
            if let (true, Some(counter)) = (chosen, self.counter) {
                check(&spec, &workload.content(&spec, &[])?, counter)?;
                *chunk.verified.entry(spec.class).or_default() += 1;
            }
            let request = workload.file_request(*id, *at_ns, next.clone())?;
            let class = &workload.classes()[usize::from(spec.class)];
            encode_line(&mut chunk.lines, &request, class)
                .map_err(|e| anyhow!("request {id}: {e}"))?;
            chunk.requests += 1;
            chunk.prompt_tokens += u64::from(spec.prompt_tokens);
        }
        Ok(chunk)
    }
}

/// The texts have as many tokens as the request says.
fn check(spec: &RequestSpec, content: &RequestContent, counter: &TokenCounter) -> Result<()> {
    let counts = content.texts().into_iter().map(|text| counter.count(text));
    let found: usize = counts.sum();
    if found != spec.prompt_tokens as usize {
        bail!(
            "request {} has {found} prompt tokens by the tokenizer, {} were asked for",
            spec.id,
            spec.prompt_tokens
        );
    }
    Ok(())
}
