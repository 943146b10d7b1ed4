//! A capture: what it holds, and what is in no row.
//!
//! Knows no file. Invariant: what was estimated says so.

use crate::document::{Document, Entries, Section};
use crate::number::significant;
use infermeter_core::number::{count, counted};

/// A capture, as far as it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureView {
    /// Where the requests went.
    pub target: String,
    /// What is kept of texts, in words.
    pub texts: String,
    /// Rows.
    pub rows: u64,
    /// Rows of requests that completed.
    pub completed: u64,
    /// From the first request to the last, seconds.
    pub seconds: Option<f64>,
    /// Conversations.
    pub sessions: u64,
    /// Rows that go on with another one.
    pub going_on: u64,
    /// Tokens of all prompts.
    pub input_tokens: u64,
    /// Tokens of all answers.
    pub output_tokens: u64,
    /// Prompt tokens that the server found in its cache.
    pub cached_tokens: u64,
    /// Prompts and answers whose length is the tokenizer's count.
    pub estimated: [u64; 2],
    /// Rows without an answer's length.
    pub without_answer_length: u64,
    /// Requests that are in no row: why, and how many.
    pub left_out: Vec<(String, u64)>,
}

/// What is told of a capture.
pub fn of_capture(view: &CaptureView) -> Document {
    let mut entries = Entries::default();
    entries.add("Target", view.target.clone());
    let span = view
        .seconds
        .map(|s| format!(" over {}\u{a0}s", significant(s)));
    entries.add(
        "Rows",
        format!(
            "{}{}, {} completed",
            count(view.rows),
            span.unwrap_or_default(),
            count(view.completed)
        ),
    );
    entries.add(
        "Sessions",
        format!(
            "{}; {} with an earlier one",
            count(view.sessions),
            match view.going_on {
                1 => "1 row goes on".to_owned(),
                n => format!("{} rows go on", count(n)),
            }
        ),
    );
    entries.add(
        "Tokens",
        format!(
            "{} of prompts, {} of them cached by the server's account; {} of answers",
            count(view.input_tokens),
            count(view.cached_tokens),
            count(view.output_tokens)
        ),
    );
    let [prompts, answers] = view.estimated;
    if prompts + answers > 0 {
        entries.add(
            "Estimated",
            format!(
                "{} and {} have the tokenizer's count: the server told none",
                counted(prompts, "prompt"),
                counted(answers, "answer")
            ),
        );
    }
    if view.without_answer_length > 0 {
        entries.add(
            "Open",
            format!(
                "{} without an answer's length: a replay draws it",
                counted(view.without_answer_length, "row")
            ),
        );
    }
    entries.add("Texts", view.texts.clone());
    let left_out = view.left_out.iter();
    entries.all(
        "In no row",
        left_out.map(|(why, n)| format!("{} {why}", counted(*n, "request"))),
    );
    let mut document = Document::titled("Capture");
    document.push(Section::new("Capture").with(entries));
    document
}
