//! Answers that are lists of numbers: what is asked of one, and where a dialect has it.
//!
//! None is read here: [`crate::answer::listed`] does.

/// What is asked of the answer's list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Texts or documents sent.
    pub items: u32,
    /// Results that have to come back.
    pub results: u32,
    /// Embeddings were asked for in base64.
    pub base64: bool,
}

impl Numbers {
    /// Of an answer that is no list.
    pub const NONE: Self = Self {
        items: 0,
        results: 0,
        base64: false,
    };
}

/// Where a dialect has the list and what it counts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ListShape {
    /// Member of the answer that is the list.
    pub(crate) list: &'static str,
    /// Member of a result that holds its numbers.
    pub(crate) value: &'static str,
    /// A result holds many numbers, not one.
    pub(crate) is_vector: bool,
    /// What one result is called, and several.
    pub(crate) called: [&'static str; 2],
    /// What the request holds several of.
    pub(crate) items: &'static str,
}
