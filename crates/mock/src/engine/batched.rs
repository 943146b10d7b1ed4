//! Steps of the batched law: who takes part, and for how long.
//!
//! Decodes and unfinished prefills of running sequences come first, in order of admission; what is
//! left of the token budget admits waiting requests, whose prefill may be cut into chunks. Without
//! chunked prefill, waiting prompts come first and have the step for themselves. A running sequence
//! that finds no free block takes those of the youngest, which waits again, in front; a step that
//! preempted admits nobody.

use super::adapters::Access;
use super::law::{Work, jitter};
use super::sequence::Slot;
use super::{Engine, EngineEvent};

/// A step while it is planned.
struct Plan {
    start_ns: i64,
    budget: u32,
    work: Work,
}

/// Whether a step took blocks from a running sequence.
#[derive(PartialEq, Eq)]
enum Pressure {
    None,
    Preempted,
}

impl Engine {
    /// Plans a step that begins at `start_ns` or, with nothing running, at the first arrival after
    /// it; stays idle when there is nothing to do, and asks to be woken when it is not ready.
    pub(super) fn plan_batched(&mut self, start_ns: i64) {
        let mut begin_ns = start_ns;
        if self.running.is_empty() {
            let Some(first) = self.waiting.get(0, &mut self.sequences) else {
                self.deferred = 0;
                return;
            };
            let arrived_ns = self.sequences.get(first).arrived_ns;
            self.wake_for(arrived_ns);
            begin_ns = start_ns.max(arrived_ns);
            if self.life.ready_ns > begin_ns {
                self.wake_ns = Some(self.life.ready_ns);
                return;
            }
        }
        let mut plan = Plan {
            start_ns: begin_ns,
            budget: self.params.max_batched_tokens.max(1),
            work: Work::default(),
        };
        if self.params.chunked_prefill {
            if self.schedule_running(&mut plan) == Pressure::None {
                self.admit_waiting(&mut plan);
            }
        } else {
            self.admit_waiting(&mut plan);
            if plan.work.sequences == 0 {
                self.schedule_running(&mut plan);
            }
        }
        if plan.work.sequences > 0 {
            let length_ns = self.length_ns(begin_ns, &plan.work);
            let end_ns = begin_ns.saturating_add(length_ns);
            self.step_end_ns = Some(end_ns);
            let prompts = plan.work.prompts_share(&self.params);
            self.meter.begin(begin_ns, end_ns, prompts);
            self.work = plan.work;
        }
    }

    /// The length of the next step, which begins at `begin_ns`; at least 1 ns.
    fn length_ns(&mut self, begin_ns: i64, work: &Work) -> i64 {
        let mut length_ns = work.length_ns(&self.params);
        let warm_up = self.params.warm_up.at(self.life.age_ns(begin_ns));
        if warm_up > 1.0 {
            length_ns = (length_ns as f64 * warm_up).round() as i64;
        }
        if self.params.jitter_sigma > 0.0 {
            let step = self.counters.steps;
            let factor = jitter(self.params.jitter_sigma, self.params.seed, step);
            length_ns = (length_ns as f64 * factor).round() as i64;
        }
        let once_ns = self.warmth.pay(work, &self.params);
        length_ns.saturating_add(once_ns).max(1)
    }

    fn schedule_running(&mut self, plan: &mut Plan) -> Pressure {
        let draft = self
            .params
            .speculative
            .as_ref()
            .map_or(0, |speculative| speculative.draft_tokens());
        let mut pressure = Pressure::None;
        let mut index = 0;
        while index < self.running.len() && plan.budget > 0 {
            let slot = self.running[index];
            let sequence = self.sequences.get(slot);
            let computed = sequence.computed;
            let prefills = computed < sequence.prefill_end;
            let wanted = if prefills {
                sequence.prefill_end - computed
            } else {
                1 + draft
            };
            let tokens = wanted.min(plan.budget);
            if computed.saturating_add(tokens) > sequence.room {
                while !self.make_room(slot, tokens) {
                    pressure = Pressure::Preempted;
                    self.preempt_youngest(plan.start_ns);
                    if index >= self.running.len() {
                        return pressure;
                    }
                }
            }
            self.sequences.get_mut(slot).scheduled = tokens;
            plan.budget -= tokens;
            plan.work.sequences += 1;
            plan.work.kv_tokens += u64::from(computed);
            if prefills {
                plan.work.add_prefill(computed, tokens);
            } else {
                plan.work.draft_tokens += u64::from(tokens - 1);
            }
            index += 1;
        }
        pressure
    }

    /// Blocks for `tokens` more; those behind the answer's end need none.
    fn make_room(&mut self, slot: Slot, tokens: u32) -> bool {
        let sequence = self.sequences.get_mut(slot);
        let Some(kv) = &mut self.kv else {
            return true;
        };
        let request = &sequence.request;
        let most = request.prompt_tokens.saturating_add(request.output_tokens);
        let needed = sequence.computed.saturating_add(tokens).min(most);
        let made = kv.extend(&mut sequence.held, needed);
        sequence.room = kv.room(&sequence.held);
        made
    }

    fn preempt_youngest(&mut self, at_ns: i64) {
        let Some(slot) = self.running.pop() else {
            return;
        };
        self.leave(slot);
        let sequence = self.sequences.get_mut(slot);
        sequence.running = false;
        sequence.preempted = true;
        sequence.computed = 0;
        sequence.prefill_end = sequence.known();
        self.events.push(EngineEvent::Preempted {
            id: sequence.request.id,
            at_ns,
        });
        self.waiting.push_front(slot);
        self.counters.preemptions += 1;
    }

    /// Admits waiting requests that arrived in time while slots, blocks and budget last. Those
    /// whose adapter finds no slot are passed over and keep their places.
    fn admit_waiting(&mut self, plan: &mut Plan) {
        let mut passed = 0;
        while plan.budget > 0 && self.running.len() < self.params.max_num_seqs as usize {
            let Some(slot) = self.waiting.get(passed, &mut self.sequences) else {
                break;
            };
            let sequence = self.sequences.get(slot);
            if sequence.arrived_ns > plan.start_ns {
                break;
            }
            if self.adapter_access(slot) == Access::Wait {
                passed += 1;
            } else if self.begin_sequence(slot, plan) {
                self.waiting.take(passed);
            } else {
                break;
            }
        }
        self.deferred = passed as u64;
    }

    fn adapter_access(&self, slot: Slot) -> Access {
        match (self.params.lora, self.sequences.get(slot).request.adapter) {
            (Some(lora), Some(adapter)) => self.adapters.access(adapter, lora.slots),
            _ => Access::Loaded,
        }
    }

    /// Lets a waiting sequence run; false where blocks or budget do not suffice.
    fn begin_sequence(&mut self, slot: Slot, plan: &mut Plan) -> bool {
        let sequence = self.sequences.get_mut(slot);
        let mut cached = 0;
        if let Some(kv) = &mut self.kv {
            // The last token is always computed: it gives the first one of the answer.
            let most = (sequence.prefill_end - 1) / kv.block_size();
            cached = kv.find(&sequence.request.blocks, most) * kv.block_size();
        }
        let wanted = sequence.prefill_end - cached;
        let tokens = if self.params.chunked_prefill || wanted <= plan.budget {
            wanted.min(plan.budget)
        } else if plan.work.sequences == 0 {
            wanted
        } else {
            return false;
        };
        match &mut self.kv {
            Some(kv) => {
                if !kv.begin(&mut sequence.held, cached + tokens) {
                    return false;
                }
                sequence.room = kv.room(&sequence.held);
                sequence.publish_at =
                    sequence.publication(cached / kv.block_size(), kv.block_size());
            }
            None => sequence.room = u32::MAX,
        }
        sequence.computed = cached;
        sequence.scheduled = tokens;
        sequence.running = true;
        plan.budget = plan.budget.saturating_sub(tokens);
        plan.work.sequences += 1;
        plan.work.kv_tokens += u64::from(cached);
        plan.work.add_prefill(cached, tokens);
        self.running.push(slot);
        self.note_admission(slot, plan, cached);
        true
    }

    fn note_admission(&mut self, slot: Slot, plan: &mut Plan, cached_tokens: u32) {
        let sequence = self.sequences.get(slot);
        let request = &sequence.request;
        if !sequence.preempted {
            self.counters.admitted += 1;
            if self.params.kv.is_some_and(|kv| kv.prefix_cache) {
                self.counters.prefix_query_tokens += u64::from(request.prompt_tokens);
                self.counters.prefix_hit_tokens += u64::from(cached_tokens);
            }
        }
        self.counters.cached_tokens += u64::from(cached_tokens);
        self.events.push(EngineEvent::Admitted {
            id: request.id,
            at_ns: plan.start_ns,
            cached_tokens,
            replica: self.replica,
        });
        if let (Some(lora), Some(adapter)) = (self.params.lora, request.adapter)
            && self.adapters.acquire(adapter, lora.slots) == Access::Load
        {
            plan.work.adapter_loads += 1;
        }
    }
}
