//! Names that become labels: so many have one of their own, and the others share one.
//!
//! Invariant: every number has a place, also one that nobody named.

/// Names with labels of their own: each class has a dozen series, and nobody reads a legend longer than this.
pub(super) const MOST_NAMES: usize = 32;

/// What those beyond the limit are called together.
const OTHERS: &str = "(others)";

/// Names by number.
#[derive(Debug)]
pub(super) struct Names {
    /// The first few, and behind them the one that the others share.
    own: Vec<String>,
    left_out: usize,
}

impl Names {
    /// Of these, by their place.
    pub fn of(names: &[String]) -> Self {
        let own = names.iter().take(MOST_NAMES).cloned();
        Self {
            own: own.chain([OTHERS.to_owned()]).collect(),
            left_out: names.len().saturating_sub(MOST_NAMES),
        }
    }

    /// Labels, with that of the others.
    pub fn len(&self) -> usize {
        self.own.len()
    }

    /// The label's place of a number.
    pub fn place(&self, number: usize) -> usize {
        number.min(self.own.len() - 1)
    }

    /// Labels with their places; that of the others only where there are others, or nothing has a name.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &str)> {
        let last = self.own.len() - 1;
        let all = self.own.iter().map(String::as_str).enumerate();
        all.filter(move |(place, _)| *place < last || self.left_out > 0 || last == 0)
    }

    /// Names without a label of their own.
    pub fn left_out(&self) -> usize {
        self.left_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beyond_the_limit_share_one() {
        let few = Names::of(&["a".to_owned(), "b".to_owned()]);
        let shown: Vec<_> = few.iter().collect();
        assert_eq!(shown, [(0, "a"), (1, "b")]);
        assert_eq!((few.place(1), few.place(9), few.left_out()), (1, 2, 0));
        let none = Names::of(&[]);
        assert_eq!(none.iter().collect::<Vec<_>>(), [(none.place(0), OTHERS)]);
        let many: Vec<String> = (0..MOST_NAMES + 3).map(|n| n.to_string()).collect();
        let many = Names::of(&many);
        assert_eq!(many.iter().count(), MOST_NAMES + 1);
        assert_eq!(many.iter().last(), Some((MOST_NAMES, OTHERS)));
        assert_eq!(
            (many.place(MOST_NAMES + 2), many.left_out()),
            (MOST_NAMES, 3)
        );
    }
}
