//! The end of a step: tokens leave, blocks become findable, sequences end.
//!
//! Invariant: between two steps a decoding sequence has computed everything but its newest token.

use super::sequence::{Sequence, Slot};
use super::{Emission, Engine, EngineCounters, EngineEvent, EngineParams, StepLaw, StepReport};

impl Engine {
    pub(super) fn complete_step(
        &mut self,
        end_ns: i64,
        emissions: &mut Vec<Emission>,
    ) -> StepReport {
        let before = emissions.len();
        let fixed = matches!(self.params.law, StepLaw::Fixed { .. });
        let mut tokens = 0;
        let mut ended = false;
        for index in 0..self.running.len() {
            let slot = self.running[index];
            let sequence = self.sequences.get_mut(slot);
            let handed_out = if fixed {
                u32::from(sequence.ready_ns <= end_ns)
            } else {
                compute(sequence, &self.params, &mut self.counters)
            };
            if sequence.computed >= sequence.publish_at {
                self.publish(slot);
            }
            let sequence = self.sequences.get_mut(slot);
            if sequence.gone {
                ended = true;
            } else if handed_out > 0 {
                if sequence.emitted == 0 {
                    self.events.push(EngineEvent::Prefilled {
                        id: sequence.request.id,
                        at_ns: end_ns,
                    });
                }
                let emission = emit(sequence, handed_out);
                ended |= emission.finish.is_some();
                tokens += emission.tokens;
                emissions.push(emission);
            }
        }
        if ended {
            self.remove_ended();
        }
        self.counters.steps += 1;
        self.counters.generation_tokens += u64::from(tokens);
        self.counters.prefill_tokens += self.work.prefill_tokens;
        self.counters.adapter_loads += self.work.adapter_loads;
        StepReport {
            end_ns,
            tokens,
            prefill_tokens: self.work.prefill_tokens.min(u64::from(u32::MAX)) as u32,
            sequences: if fixed {
                (emissions.len() - before) as u32
            } else {
                self.work.sequences as u32
            },
            replica: self.replica,
        }
    }

    /// Makes the blocks that a sequence has filled findable.
    fn publish(&mut self, slot: Slot) {
        let sequence = self.sequences.get_mut(slot);
        let Some(kv) = &mut self.kv else {
            return;
        };
        while sequence.computed >= sequence.publish_at {
            let index = sequence.publish_at / kv.block_size() - 1;
            let named = sequence.request.blocks.get(index as usize);
            if let (Some(block), Some(hash)) = (sequence.held.get(index as usize), named) {
                kv.publish(*block, *hash);
            }
            sequence.publish_at = sequence.publication(index + 1, kv.block_size());
        }
    }

    fn remove_ended(&mut self) {
        let mut running = std::mem::take(&mut self.running);
        running.retain(|slot| {
            let sequence = self.sequences.get(*slot);
            if !sequence.gone && sequence.left() > 0 {
                return true;
            }
            self.counters.finished += u64::from(!sequence.gone);
            self.leave(*slot);
            self.sequences.remove(*slot);
            false
        });
        self.running = running;
    }

    /// A running sequence gives back what it holds.
    pub(super) fn leave(&mut self, slot: Slot) {
        let sequence = self.sequences.get_mut(slot);
        if let Some(kv) = &mut self.kv {
            kv.release(&mut sequence.held);
        }
        sequence.room = 0;
        sequence.publish_at = u32::MAX;
        if let (Some(_), Some(adapter)) = (self.params.lora, sequence.request.adapter) {
            self.adapters.release(adapter);
        }
    }
}

/// Carries out what the step had planned for a sequence; the tokens that come of it.
fn compute(sequence: &mut Sequence, params: &EngineParams, counters: &mut EngineCounters) -> u32 {
    let scheduled = std::mem::take(&mut sequence.scheduled);
    if scheduled == 0 {
        return 0;
    }
    if sequence.computed < sequence.prefill_end {
        sequence.computed += scheduled;
        return u32::from(sequence.computed >= sequence.prefill_end);
    }
    let tokens = match &params.speculative {
        Some(speculative) if scheduled > 1 => {
            let (id, emitted) = (sequence.request.id, sequence.emitted);
            let drafted = scheduled - 1;
            let accepted = speculative.accepted(params.seed, id, emitted, drafted);
            counters.drafts += 1;
            counters.draft_tokens += u64::from(drafted);
            counters.accepted_tokens += u64::from(accepted);
            let positions = counters.accepted_per_position.iter_mut();
            positions
                .take(accepted as usize)
                .for_each(|count| *count += 1);
            (1 + accepted).min(sequence.left())
        }
        _ => 1,
    };
    sequence.computed += tokens;
    tokens
}

fn emit(sequence: &mut Sequence, tokens: u32) -> Emission {
    let index = sequence.emitted;
    sequence.emitted += tokens;
    Emission {
        id: sequence.request.id,
        index,
        tokens,
        finish: (sequence.left() == 0).then_some(sequence.request.finish),
    }
}
