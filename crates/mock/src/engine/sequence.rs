//! The sequences an engine knows, waiting and running, each in a slot of its own.
//!
//! Slots are used again, with the memory of their block lists, so that a request costs no
//! allocation. Invariant: an id is known exactly as long as its sequence waits or runs and was not
//! given up.

use super::kv::NumberMap;
use super::{EngineRequest, SequenceId};

/// Names a sequence inside an engine.
pub(super) type Slot = u32;

/// One sequence.
#[derive(Debug)]
pub(super) struct Sequence {
    pub request: EngineRequest,
    pub arrived_ns: i64,
    /// Tokens handed out.
    pub emitted: u32,
    /// Tokens whose keys and values are in the cache.
    pub computed: u32,
    /// Up to here tokens are computed as a prompt is: the prompt and, after a preemption, what
    /// had been handed out.
    pub prefill_end: u32,
    /// Tokens computed in the step in progress; 0 where it does not take part.
    pub scheduled: u32,
    /// Tokens that the held blocks have room for.
    pub room: u32,
    /// With so many tokens computed the next block is to be published.
    pub publish_at: u32,
    /// Its blocks.
    pub held: Vec<u32>,
    /// No token before this instant (fixed law).
    pub ready_ns: i64,
    pub running: bool,
    /// Given up: it goes at the next opportunity.
    pub gone: bool,
    /// It was in a slot before, and lost its blocks.
    pub preempted: bool,
}

impl Sequence {
    /// Tokens that exist: the prompt and what was handed out.
    pub fn known(&self) -> u32 {
        self.request.prompt_tokens.saturating_add(self.emitted)
    }

    /// With how many tokens computed block number `index` (from 0) is to be published; never,
    /// where it has no hash.
    pub fn publication(&self, index: u32, block_size: u32) -> u32 {
        if (index as usize) < self.request.blocks.len() {
            (index + 1).saturating_mul(block_size)
        } else {
            u32::MAX
        }
    }

    /// Tokens still to be handed out.
    pub fn left(&self) -> u32 {
        self.request.output_tokens - self.emitted
    }
}

/// All sequences of an engine.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    slots: Vec<Sequence>,
    unused: Vec<Slot>,
    by_id: NumberMap<SequenceId, Slot>,
}

impl Sequences {
    /// A sequence that waits.
    pub fn insert(&mut self, request: EngineRequest, arrived_ns: i64) -> Slot {
        let request = EngineRequest {
            prompt_tokens: request.prompt_tokens.max(1),
            output_tokens: request.output_tokens.max(1),
            ..request
        };
        let sequence = Sequence {
            arrived_ns,
            emitted: 0,
            computed: 0,
            prefill_end: request.prompt_tokens,
            scheduled: 0,
            room: 0,
            publish_at: u32::MAX,
            held: Vec::new(),
            ready_ns: i64::MIN,
            running: false,
            gone: false,
            preempted: false,
            request,
        };
        let id = sequence.request.id;
        let slot = match self.unused.pop() {
            Some(slot) => {
                let entry = &mut self.slots[slot as usize];
                let held = std::mem::take(&mut entry.held);
                *entry = Sequence { held, ..sequence };
                slot
            }
            None => {
                self.slots.push(sequence);
                (self.slots.len() - 1) as Slot
            }
        };
        self.by_id.insert(id, slot);
        slot
    }

    /// Marks a sequence as given up; `None` where the id is not known.
    pub fn give_up(&mut self, id: SequenceId) -> Option<&Sequence> {
        let slot = self.by_id.remove(&id)?;
        let sequence = &mut self.slots[slot as usize];
        sequence.gone = true;
        Some(sequence)
    }

    /// Forgets a sequence that holds no blocks.
    pub fn remove(&mut self, slot: Slot) {
        let sequence = &mut self.slots[slot as usize];
        debug_assert!(sequence.held.is_empty(), "its blocks were given back");
        sequence.running = false;
        if !sequence.gone {
            self.by_id.remove(&sequence.request.id);
        }
        sequence.request.blocks = [].into();
        self.unused.push(slot);
    }

    /// A sequence.
    pub fn get(&self, slot: Slot) -> &Sequence {
        &self.slots[slot as usize]
    }

    /// A sequence, to change it.
    pub fn get_mut(&mut self, slot: Slot) -> &mut Sequence {
        &mut self.slots[slot as usize]
    }
}
