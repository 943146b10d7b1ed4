//! LoRA adapters on the device: a limited number of slots, least recently used replaced first.
//!
//! Invariant: an adapter stays loaded while a running sequence uses it.

/// One adapter on the device.
#[derive(Debug, Clone, Copy)]
struct Loaded {
    adapter: u32,
    users: u32,
    /// Number of the admission that used it last.
    used: u64,
}

/// What an admission of a request for an adapter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// It is on the device.
    Loaded,
    /// It has to be loaded first.
    Load,
    /// Every slot is used by running sequences of other adapters.
    Wait,
}

/// The adapters on the device.
#[derive(Debug, Default)]
pub(super) struct Adapters {
    loaded: Vec<Loaded>,
    admissions: u64,
}

impl Adapters {
    /// What using `adapter` takes with so many slots.
    pub fn access(&self, adapter: u32, slots: u32) -> Access {
        if self.loaded.iter().any(|entry| entry.adapter == adapter) {
            return Access::Loaded;
        }
        let busy = self.loaded.iter().filter(|entry| entry.users > 0).count();
        if busy < slots as usize {
            Access::Load
        } else {
            Access::Wait
        }
    }

    /// A sequence that uses `adapter` begins to run; true where it had to be loaded. Unused
    /// adapters give way, the least recently used first.
    pub fn acquire(&mut self, adapter: u32, slots: u32) -> Access {
        self.admissions += 1;
        let used = self.admissions;
        let mut access = Access::Loaded;
        if self.access(adapter, slots) != Access::Loaded {
            while self.loaded.len() >= slots.max(1) as usize && self.drop_oldest_unused() {}
            self.loaded.push(Loaded {
                adapter,
                users: 0,
                used,
            });
            access = Access::Load;
        }
        for entry in &mut self.loaded {
            if entry.adapter == adapter {
                entry.users += 1;
                entry.used = used;
            }
        }
        access
    }

    /// A sequence that used `adapter` runs no more.
    pub fn release(&mut self, adapter: u32) {
        for entry in &mut self.loaded {
            if entry.adapter == adapter {
                entry.users = entry.users.saturating_sub(1);
            }
        }
    }

    /// Nothing is loaded any more.
    pub fn clear(&mut self) {
        self.loaded.clear();
    }

    fn drop_oldest_unused(&mut self) -> bool {
        let unused = self.loaded.iter().enumerate();
        let oldest = unused
            .filter(|(_, entry)| entry.users == 0)
            .min_by_key(|(_, entry)| entry.used)
            .map(|(index, _)| index);
        if let Some(index) = oldest {
            self.loaded.remove(index);
        }
        oldest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_adapter_gives_way_unless_it_is_in_use() {
        let mut adapters = Adapters::default();
        for adapter in [1, 2] {
            assert_eq!(adapters.acquire(adapter, 2), Access::Load);
        }
        assert_eq!(adapters.access(3, 2), Access::Wait);
        assert_eq!(adapters.acquire(1, 2), Access::Loaded);
        adapters.release(2);
        assert_eq!(adapters.acquire(3, 2), Access::Load);
        adapters.release(3);
        adapters.release(1);
        adapters.release(1);
        // 3 was used last, 1 before it.
        assert_eq!(adapters.acquire(4, 2), Access::Load);
        assert_eq!(adapters.access(3, 2), Access::Loaded);
        assert_eq!(adapters.access(1, 2), Access::Load);
    }
}
