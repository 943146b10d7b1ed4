//! Other parameters for a running engine.
//!
//! They count from the next step on: the step in progress ends when it was to end, and what running
//! sequences hold stays theirs. Invariant: parameters that are refused change nothing.

use super::{Engine, EngineParams, KvParams, ParamsError, StepLaw};

impl Engine {
    /// Forgets every prefix; running sequences keep their blocks.
    pub(crate) fn reset_prefix_cache(&mut self) {
        if let Some(kv) = &mut self.kv {
            kv.forget();
        }
    }

    /// Whether the parameters can be taken over now. Refused: what [`EngineParams::check`] refuses, another
    /// kind of law, a KV cache that appears, disappears, changes its block size or becomes smaller than
    /// what is used.
    pub(super) fn check_change(&self, params: &EngineParams) -> Result<(), ParamsError> {
        params.check_values()?;
        match (&self.params.law, &params.law) {
            (StepLaw::Batched { .. }, StepLaw::Batched { .. })
            | (StepLaw::Fixed { .. }, StepLaw::Fixed { .. }) => {}
            (StepLaw::Batched { .. }, StepLaw::Fixed { .. })
            | (StepLaw::Fixed { .. }, StepLaw::Batched { .. }) => {
                return Err(ParamsError::Running {
                    field: "the kind of the step law",
                });
            }
        }
        match (&self.params.kv, &params.kv) {
            (None, None) => Ok(()),
            (Some(old), Some(new)) if old.block_size == new.block_size => self.check_used(new),
            (Some(_), Some(_)) => Err(ParamsError::Running {
                field: "the KV cache's block size",
            }),
            (None, Some(_)) | (Some(_), None) => Err(ParamsError::Running {
                field: "whether there is a KV cache",
            }),
        }
    }

    fn check_used(&self, new: &KvParams) -> Result<(), ParamsError> {
        match &self.kv {
            Some(kv) if kv.used() > new.blocks => Err(ParamsError::KvInUse {
                used: kv.used(),
                blocks: new.blocks,
            }),
            _ => Ok(()),
        }
    }

    /// Takes over parameters that were checked.
    pub(super) fn take_over(&mut self, now_ns: i64, params: EngineParams) {
        if let (Some(kv), Some(new)) = (&mut self.kv, params.kv) {
            kv.reconfigure(new);
        }
        self.rebind_adapters(&params);
        self.params = params;
        self.note_load(now_ns);
    }

    /// Where LoRA limits appear or go, the running sequences' use of adapters is counted anew.
    fn rebind_adapters(&mut self, params: &EngineParams) {
        match (self.params.lora, params.lora) {
            (None, Some(_)) => {
                for slot in &self.running {
                    if let Some(adapter) = self.sequences.get(*slot).request.adapter {
                        self.adapters.acquire(adapter, u32::MAX);
                    }
                }
            }
            (Some(_), None) => self.adapters.clear(),
            (None, None) | (Some(_), Some(_)) => {}
        }
    }
}
