//! Steps of the batched law: who takes part, and for how long.
//!
//! Decodes and unfinished prefills of running sequences come first, in order of admission; what is
//! left of the token budget admits waiting requests, whose prefill may be cut into chunks.

use super::{Engine, Running, StepLaw};

impl Engine {
    /// Plans a step that begins at `start_ns` or, with nothing running, at the first arrival after
    /// it; stays idle when there is nothing to do.
    pub(super) fn begin_batched_step(&mut self, start_ns: i64) {
        let StepLaw::Batched {
            base_ns,
            per_prefill_token_ns,
            per_sequence_ns,
            ..
        } = self.params.law
        else {
            return;
        };
        let start_ns = match self.first_waiting_ns() {
            Some(arrived_ns) if self.running.is_empty() => start_ns.max(arrived_ns),
            _ => start_ns,
        };
        let mut budget = self.params.max_batched_tokens.max(1);
        let mut prefill = 0_i64;
        let mut scheduled = 0_i64;
        for sequence in &mut self.running {
            let used = schedule(sequence, &mut budget);
            prefill += used.prefill;
            scheduled += used.sequences;
        }
        while budget > 0
            && let Some(waiting) = self.next_admissible(start_ns)
        {
            let mut sequence = Running {
                emitted: 0,
                prefill_left: waiting.request.prompt_tokens,
                request: waiting.request,
                ready_ns: i64::MIN,
                due: false,
            };
            let used = schedule(&mut sequence, &mut budget);
            prefill += used.prefill;
            scheduled += used.sequences;
            self.running.push(sequence);
        }
        if scheduled > 0 {
            let length_ns = base_ns + per_prefill_token_ns * prefill + per_sequence_ns * scheduled;
            self.step_end_ns = Some(start_ns + length_ns.max(1));
        }
    }
}

struct Share {
    prefill: i64,
    sequences: i64,
}

/// Gives one sequence its share of the step's token budget.
fn schedule(sequence: &mut Running, budget: &mut u32) -> Share {
    let prefilling = sequence.prefill_left > 0;
    let wanted = sequence.prefill_left.max(1);
    let tokens = wanted.min(*budget);
    *budget -= tokens;
    if prefilling {
        sequence.prefill_left -= tokens;
    }
    sequence.due = tokens > 0 && sequence.prefill_left == 0;
    Share {
        prefill: if prefilling { i64::from(tokens) } else { 0 },
        sequences: i64::from(tokens > 0),
    }
}
