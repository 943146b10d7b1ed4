//! Steps of the fixed law: boundaries at the multiples of the step.
//!
//! Boundaries at which nobody is due are skipped, so that an engine waiting for a first token far
//! away sleeps until then.

use super::{Engine, EngineEvent, StepLaw};

impl Engine {
    /// Admits waiting requests at `now_ns` while slots are free.
    pub(super) fn admit_on_grid(&mut self, now_ns: i64) {
        let StepLaw::Fixed { ttft_ns, .. } = self.params.law else {
            return;
        };
        while self.running.len() < self.params.max_num_seqs as usize {
            let Some(slot) = self.waiting.get(0, &mut self.sequences) else {
                return;
            };
            self.waiting.take(0);
            // A request that found a free slot is admitted at its arrival, one that waited at the
            // boundary that freed its slot.
            let arrived_ns = self.sequences.get(slot).arrived_ns;
            self.wake_for(arrived_ns);
            let admitted_ns = now_ns.max(arrived_ns).max(self.life.ready_ns);
            let sequence = self.sequences.get_mut(slot);
            sequence.running = true;
            sequence.ready_ns = admitted_ns.saturating_add(ttft_ns);
            self.running.push(slot);
            self.counters.admitted += 1;
            self.events.push(EngineEvent::Admitted {
                id: sequence.request.id,
                at_ns: admitted_ns,
                cached_tokens: 0,
                replica: self.replica,
            });
        }
    }

    /// Sets the end of the step in progress to the first boundary, past the last one, at which a
    /// running sequence is due.
    pub(super) fn plan_grid_step(&mut self) {
        let StepLaw::Fixed { step_ns, .. } = self.params.law else {
            return;
        };
        // While a step is planned only the newcomer (the last one) can bring it forward.
        let candidates = match self.step_end_ns {
            Some(_) => &self.running[self.running.len().saturating_sub(1)..],
            None => &self.running[..],
        };
        let ready = candidates
            .iter()
            .map(|slot| self.sequences.get(*slot).ready_ns);
        let Some(ready_ns) = ready.min() else {
            return;
        };
        let end_ns =
            boundary_at_or_after(ready_ns.max(self.last_end_ns.saturating_add(1)), step_ns);
        self.step_end_ns = Some(
            self.step_end_ns
                .map_or(end_ns, |planned| planned.min(end_ns)),
        );
    }
}

/// The first multiple of `step_ns` that is not before `at_ns`.
fn boundary_at_or_after(at_ns: i64, step_ns: i64) -> i64 {
    let step_ns = step_ns.max(1);
    let below = at_ns.div_euclid(step_ns) * step_ns;
    if below == at_ns {
        below
    } else {
        below.saturating_add(step_ns)
    }
}
