//! A run's answers in two parts: those that were asked for at low load, and those at high load.
//!
//! Parts of one size have most power, so the median of the loads parts them. Invariant: each answer is in one part, and no
//! part has fewer answers than a comparison needs.

use super::Checked;

/// Answers of each part that a comparison needs.
pub(super) const LEAST_OF_A_PART: usize = 30;

/// Both parts.
pub(super) struct Parts<'a, 'r> {
    /// More requests in flight than these are high load.
    pub(super) above: u32,
    pub(super) low: Vec<&'a Checked<'r>>,
    pub(super) high: Vec<&'a Checked<'r>>,
}

impl<'a, 'r> Parts<'a, 'r> {
    /// `None` with too few answers, or under a load that does not vary.
    pub(super) fn of(checked: impl Iterator<Item = &'a Checked<'r>>) -> Option<Self> {
        let all: Vec<&Checked<'_>> = checked.collect();
        let mut loads: Vec<u32> = all.iter().map(|one| one.load).collect();
        loads.sort_unstable();
        let middle = *loads.get(loads.len() / 2)?;
        // Where most are sent at the highest load, that is the high part.
        let above = match loads.last() {
            Some(most) if *most == middle => middle.checked_sub(1)?,
            _ => middle,
        };
        let (high, low): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.load > above);
        (low.len().min(high.len()) >= LEAST_OF_A_PART).then_some(Self { above, low, high })
    }

    /// How many of each part are so: low, then high.
    pub(super) fn count(&self, so: impl Fn(&Checked<'_>) -> bool) -> (u64, u64) {
        let count = |part: &[&Checked<'_>]| part.iter().filter(|one| so(one)).count() as u64;
        (count(&self.low), count(&self.high))
    }
}
