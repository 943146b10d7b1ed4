//! Where the lists of a column begin and end, as the format says it of each element.
//!
//! Knows no values. Invariant: a list without elements has one entry all the same, which defines nothing.

/// Lists of which no element is null.
#[derive(Debug, Default)]
pub(crate) struct ListLevels {
    repetition: Vec<i16>,
    /// Elements of each list.
    lengths: Vec<usize>,
    empty: u64,
}

impl ListLevels {
    /// Those of lists that end there, counted in elements.
    pub(crate) fn of(ends: &[usize]) -> Self {
        let mut levels = Self::default();
        let mut start = 0;
        for end in ends {
            let length = end - start;
            levels.empty += u64::from(length == 0);
            levels.repetition.push(0);
            let behind = levels.repetition.len() + length.saturating_sub(1);
            levels.repetition.resize(behind, 1);
            levels.lengths.push(length);
            start = *end;
        }
        levels
    }

    /// 0 where a list begins, else 1.
    pub(super) fn repetition(&self) -> &[i16] {
        &self.repetition
    }

    /// For each entry `defined`, but 0 where a list has no element.
    pub(super) fn definition(&self, defined: i16) -> Vec<i16> {
        let mut definition = Vec::with_capacity(self.repetition.len());
        for length in &self.lengths {
            let level = if *length == 0 { 0 } else { defined };
            definition.resize(definition.len() + (*length).max(1), level);
        }
        definition
    }

    /// Elements of each list.
    pub(super) fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// Entries: elements, and one for each list without any.
    pub(super) fn entries(&self) -> usize {
        self.repetition.len()
    }

    /// Lists without elements.
    pub(super) fn empty(&self) -> u64 {
        self.empty
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_is_an_entry_that_defines_nothing() {
        let levels = ListLevels::of(&[2, 2, 3, 3]);
        assert_eq!(levels.repetition(), [0, 1, 0, 0, 0]);
        assert_eq!(levels.definition(2), [2, 2, 0, 2, 0]);
        assert_eq!(levels.lengths(), [2, 0, 1, 0]);
        assert_eq!((levels.entries(), levels.empty()), (5, 2));
        assert_eq!(ListLevels::of(&[]).entries(), 0);
    }
}
