//! What the files of a meeting are called.
//!
//! Invariant: every rank has one name of each kind, and names sort as the ranks do (up to 99,999).

/// Most ranks of a launch: each is a few files at one place, which somebody has to list.
pub(crate) const MOST_RANKS: u32 = 100_000;
/// What all agree on.
pub const LAUNCH: &str = "launch.json";
/// When all begin, or why they do not.
pub(crate) const START: &str = "start.json";
/// Files that tell what became of the ranks, by how their names begin.
pub const TELLING: [&str; 3] = [LAUNCH, START, Of::Failed.prefix()];
/// How the name of a file of a rank ends.
const END: &str = ".json";

/// A kind of file of which each rank has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// It has come.
    Rank,
    /// It is prepared.
    Ready,
    /// It cannot go on.
    Failed,
    /// Its record is there.
    Done,
}

impl Of {
    /// How its name begins.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Rank => "rank-",
            Self::Ready => "ready-",
            Self::Failed => "failed-",
            Self::Done => "done-",
        }
    }

    /// Its name for a rank.
    pub(crate) fn name(self, index: u32) -> String {
        format!("{}{index:05}{END}", self.prefix())
    }

    /// The rank that such a name is of; `None` for other names.
    pub(crate) fn rank_of(self, name: &str) -> Option<u32> {
        let index = name.strip_prefix(self.prefix())?.strip_suffix(END)?;
        let index = index.parse().ok()?;
        // Every number has one name.
        (self.name(index) == name).then_some(index)
    }
}

/// The folder with the record of a rank, with the slash behind it.
pub fn results(index: u32) -> String {
    format!("result-{index:05}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whose_it_is() {
        assert_eq!(Of::Rank.name(3), "rank-00003.json");
        assert_eq!(results(12), "result-00012/");
        for of in [Of::Rank, Of::Ready, Of::Failed, Of::Done] {
            for index in [0, 3, 99_999, 100_000, u32::MAX] {
                assert_eq!(of.rank_of(&of.name(index)), Some(index));
            }
        }
        for other in [
            "rank-3.json",
            "rank-00003",
            "rank-+0003.json",
            "ready-00003.json",
            "rank-.json",
            LAUNCH,
        ] {
            assert_eq!(Of::Rank.rank_of(other), None, "{other}");
        }
    }
}
