//! The hash by which two workloads are the same: over everything but the salt.
//!
//! It makes no prompt. Invariant: workloads with one hash have the same requests, word for word; the
//! same requests may have two hashes, one as drawn and one as a file.

use crate::file::hex;
use crate::trace::Trace;
use sha2::{Digest, Sha256};

/// Changes whenever the same description begins to give other requests.
const GENERATOR: &str = "infermeter workload 2";

/// Collects what a workload is made from.
#[derive(Debug)]
pub(crate) struct Identity(Sha256);

impl Identity {
    /// Of a workload whose text has this seed and tokenizer.
    pub fn new(kind: &str, seed: u64, tokenizer: &str) -> Self {
        let identity = Self(Sha256::new());
        identity
            .text(GENERATOR)
            .text(kind)
            .number(seed)
            .text(tokenizer)
    }

    /// Adds a text, with its length before it.
    pub fn text(self, text: &str) -> Self {
        let mut next = self.number(text.len() as u64);
        next.0.update(text.as_bytes());
        next
    }

    /// Adds a number.
    pub fn number(mut self, number: u64) -> Self {
        self.0.update(number.to_le_bytes());
        self
    }

    /// Adds all rows: lengths, classes and blocks; instants belong to the schedule.
    pub fn trace(mut self, trace: &Trace) -> Self {
        for class in trace.classes() {
            self = self.text(class);
        }
        for (number, row) in trace.rows().iter().enumerate() {
            let lengths = u64::from(row.input_tokens) << 32 | u64::from(row.output_tokens);
            self = self.number(lengths).number(trace.class(number).into());
            if let Some(parent) = trace.parent(number) {
                self = self.text("after").number(parent as u64);
            }
            for row in trace.joining(number) {
                self = self.text("before").number(row.into());
            }
            if let Some(blocks) = trace.blocks(number) {
                self = self.number(blocks.tokens.into());
                for id in blocks.ids() {
                    self = self.number(id);
                }
            }
        }
        self
    }

    /// The hash, hex.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}
