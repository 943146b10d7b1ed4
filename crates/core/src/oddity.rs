//! Unusual things about an answer that was read all the same: facts that a finding names.
//!
//! Does not say what follows from them. Invariant: a set survives its text form unchanged.

/// Something unusual about an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oddity {
    /// Its content type is missing or another one's; what it holds was asked for.
    Mislabelled,
    /// The numbers of its events do not follow each other.
    Gap,
    /// Of its chunks only the first and the last are known (imported).
    EndsAlone,
}

impl Oddity {
    /// All of them, in the order of their text form. A new one goes to the end: journals hold the place.
    pub const ALL: [Self; 3] = [Self::Mislabelled, Self::Gap, Self::EndsAlone];

    /// The name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mislabelled => "mislabelled",
            Self::Gap => "gap",
            Self::EndsAlone => "ends_alone",
        }
    }
}

/// The oddities of one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Oddities(u8);

impl Oddities {
    /// Adds one.
    pub fn insert(&mut self, oddity: Oddity) {
        self.0 |= 1 << oddity as u8;
    }

    /// Whether it is among them.
    pub fn contains(self, oddity: Oddity) -> bool {
        self.0 & (1 << oddity as u8) != 0
    }

    /// Those that are there.
    pub fn iter(self) -> impl Iterator<Item = Oddity> {
        Oddity::ALL.into_iter().filter(move |o| self.contains(*o))
    }

    /// One bit for each, by its place in [`Oddity::ALL`]; none: 0.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The set with these bits; `None` where one of them stands for nothing.
    pub fn from_bits(bits: u8) -> Option<Self> {
        (u32::from(bits) < 1 << Oddity::ALL.len()).then_some(Self(bits))
    }

    /// Their names with commas between; `None` where there is none.
    pub fn text(self) -> Option<String> {
        let names: Vec<&str> = self.iter().map(Oddity::as_str).collect();
        (!names.is_empty()).then(|| names.join(","))
    }

    /// The set with this text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut set = Self::default();
        for name in text.split(',') {
            set.insert(Oddity::ALL.into_iter().find(|o| o.as_str() == name)?);
        }
        Some(set)
    }
}

#[cfg(test)]
mod tests {
    use super::{Oddities, Oddity};

    #[test]
    fn sets_survive_their_forms() {
        for bits in 0..1 << Oddity::ALL.len() {
            let set = Oddities::from_bits(bits).expect("each bit stands for one");
            assert_eq!(set.bits(), bits);
            if let Some(text) = set.text() {
                assert_eq!(Oddities::parse(&text), Some(set));
            }
        }
        assert_eq!(Oddities::from_bits(0x80), None);
        assert_eq!(Oddities::parse("nonsense"), None);
        assert_eq!(Oddities::default().text(), None);
    }
}
