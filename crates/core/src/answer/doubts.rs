//! What a check can find in one answer, and sets of that.
//!
//! Invariant: a set survives its text form unchanged.

/// Something that a check found in one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Doubt {
    /// It repeats itself until its end, or for long.
    RepetitionLoop,
    /// It is a run of one character.
    OneCharacter,
    /// It holds characters that stand for broken bytes, or control characters.
    ReplacementCharacter,
    /// It goes on in another writing system than it began in.
    ScriptFlip,
    /// It ended by itself without saying anything.
    Empty,
    /// JSON was asked for, and it is none.
    NotJson,
    /// It breaks the schema that was asked for.
    SchemaBroken,
    /// It calls a tool that it was not given.
    ToolUnknown,
    /// It calls a tool with arguments that the tool does not have.
    ToolArguments,
    /// Reasoning, or a token of the chat template, stands in the visible text.
    ReasoningLeak,
    /// The model reasons, and this answer does not.
    ReasoningMissing,
    /// It holds the marker of another request.
    ForeignMarker,
    /// It is no language, code or data.
    Gibberish,
    /// The model refuses.
    Refusal,
    /// Its first chunk shows nothing.
    BlankStart,
    /// It was cut at the most that it was given.
    CutAtCap,
    /// It is a message of an error where an answer should be.
    ErrorText,
    /// Its length was forced: only its beginning was judged.
    NotJudgedPart,
    /// The server sent tokens without a text.
    NoText,
}

impl Doubt {
    /// All of them, in the order of their bits.
    pub const ALL: [Self; 19] = [
        Self::RepetitionLoop,
        Self::OneCharacter,
        Self::ReplacementCharacter,
        Self::ScriptFlip,
        Self::Empty,
        Self::NotJson,
        Self::SchemaBroken,
        Self::ToolUnknown,
        Self::ToolArguments,
        Self::ReasoningLeak,
        Self::ReasoningMissing,
        Self::ForeignMarker,
        Self::Gibberish,
        Self::Refusal,
        Self::BlankStart,
        Self::CutAtCap,
        Self::ErrorText,
        Self::NotJudgedPart,
        Self::NoText,
    ];

    /// The name used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RepetitionLoop => "repetition",
            Self::OneCharacter => "one-character",
            Self::ReplacementCharacter => "replacement-character",
            Self::ScriptFlip => "script-flip",
            Self::Empty => "empty",
            Self::NotJson => "not-json",
            Self::SchemaBroken => "schema-broken",
            Self::ToolUnknown => "tool-unknown",
            Self::ToolArguments => "tool-arguments",
            Self::ReasoningLeak => "reasoning-leak",
            Self::ReasoningMissing => "reasoning-missing",
            Self::ForeignMarker => "foreign-marker",
            Self::Gibberish => "gibberish",
            Self::Refusal => "refusal",
            Self::BlankStart => "blank-start",
            Self::CutAtCap => "cut-at-cap",
            Self::ErrorText => "error-text",
            Self::NotJudgedPart => "not-judged-part",
            Self::NoText => "no-text",
        }
    }

    /// The one with this name in files.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|doubt| doubt.as_str() == name)
    }

    /// The answer is not what a sound server gives; otherwise it is a fact that findings rest on.
    pub fn is_corruption(self) -> bool {
        !matches!(
            self,
            Self::Refusal | Self::BlankStart | Self::CutAtCap | Self::NotJudgedPart | Self::NoText
        )
    }
}

/// What was found in one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Doubts(u32);

/// How a checked answer without any doubt is written.
const NONE: &str = "none";

impl Doubts {
    /// Those that make an answer a corrupted one.
    const CORRUPT: Self = corrupt();

    /// Adds one.
    pub fn insert(&mut self, doubt: Doubt) {
        self.0 |= 1 << doubt as u32;
    }

    /// Whether it is among them.
    pub fn contains(self, doubt: Doubt) -> bool {
        self.0 & (1 << doubt as u32) != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether some of them are among the others.
    pub fn intersects(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// The answer is a corrupted one.
    pub fn are_corrupt(self) -> bool {
        self.intersects(Self::CORRUPT)
    }

    /// Both together.
    #[must_use]
    pub fn union(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Those that are there, in the order of [`Doubt::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Doubt> {
        Doubt::ALL.into_iter().filter(move |d| self.contains(*d))
    }

    /// One bit for each, by its place in [`Doubt::ALL`].
    pub fn bits(self) -> u32 {
        self.0
    }

    /// The set with these bits; `None` where one of them stands for nothing.
    pub fn from_bits(bits: u32) -> Option<Self> {
        (bits < 1 << Doubt::ALL.len()).then_some(Self(bits))
    }

    /// Their names with commas between, or `none`.
    pub fn text(self) -> String {
        let names: Vec<&str> = self.iter().map(Doubt::as_str).collect();
        match names.is_empty() {
            true => NONE.to_owned(),
            false => names.join(","),
        }
    }

    /// The set with this text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut set = Self::default();
        if text == NONE {
            return Some(set);
        }
        for name in text.split(',') {
            set.insert(Doubt::parse(name)?);
        }
        Some(set)
    }
}

impl FromIterator<Doubt> for Doubts {
    fn from_iter<I: IntoIterator<Item = Doubt>>(doubts: I) -> Self {
        let mut set = Self::default();
        doubts.into_iter().for_each(|doubt| set.insert(doubt));
        set
    }
}

const fn corrupt() -> Doubts {
    let facts = 1 << Doubt::Refusal as u32
        | 1 << Doubt::BlankStart as u32
        | 1 << Doubt::CutAtCap as u32
        | 1 << Doubt::NotJudgedPart as u32
        | 1 << Doubt::NoText as u32;
    Doubts(((1 << Doubt::ALL.len()) - 1) & !facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_survive_their_text_and_their_bits() {
        for (place, doubt) in Doubt::ALL.into_iter().enumerate() {
            assert_eq!(doubt as usize, place);
            assert_eq!(Doubt::parse(doubt.as_str()), Some(doubt));
            let set = Doubts::from_iter([doubt, Doubt::RepetitionLoop]);
            assert_eq!(Doubts::parse(&set.text()), Some(set));
            assert_eq!(Doubts::from_bits(set.bits()), Some(set));
            assert_eq!(
                Doubts::from_iter([doubt]).are_corrupt(),
                doubt.is_corruption()
            );
        }
        assert_eq!(Doubts::default().text(), "none");
        assert_eq!(Doubts::parse("none"), Some(Doubts::default()));
        assert_eq!(Doubts::parse("repetition,nonsense"), None);
        assert_eq!(Doubts::parse(""), None);
        assert_eq!(Doubts::from_bits(u32::MAX), None);
    }
}
