//! The columns of a file that figures need, gathered row by row.
//!
//! It computes nothing. Invariant: memory grows by tens of bytes a row; texts stay in the file.

use anyhow::Result;
use infermeter_workload::{
    Row, Sharing, TextRef, Texts, TokenCounter, TraceError, TraceFacts, TraceOptions, read_rows,
};
use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::Path;

/// Classes told apart; rows of further ones count as `other`.
const MAX_CLASSES: usize = 30;

/// What was gathered.
#[derive(Debug, Default)]
pub struct Gathered {
    /// How many.
    pub rows: u64,
    /// Instants, nanoseconds from the first row.
    pub times: Vec<i64>,
    /// Rows that wait for another one, and of those for several.
    pub waiting: (u64, u64),
    /// Tokens of prompts.
    pub inputs: Vec<f64>,
    /// Tokens of answers.
    pub outputs: Vec<f64>,
    /// Rows with both: (prompt, answer).
    pub pairs: (Vec<f64>, Vec<f64>),
    /// Rows of each conversation.
    pub sessions: HashMap<String, u32>,
    /// Seconds between an answer and the next request of its conversation.
    pub delays: Vec<f64>,
    /// Prompt and answer tokens by class; rows without class are in none.
    pub classes: BTreeMap<String, (u64, Vec<f64>, Vec<f64>)>,
    /// Blocks seen before.
    pub sharing: Sharing,
    /// Rows with images, and their images.
    pub images: (u64, u64),
    texts: Vec<TextRef>,
}

impl Gathered {
    /// Reads the whole file.
    ///
    /// # Errors
    /// What is wrong with it, with the line.
    pub fn read(path: &Path, options: &TraceOptions) -> Result<(Self, TraceFacts), TraceError> {
        let mut gathered = Self::default();
        let facts = read_rows(path, options, &mut |row| {
            gathered.add(row);
            Ok(())
        })?;
        Ok((gathered, facts))
    }

    /// What is in rows that no file holds.
    pub(crate) fn of_rows(rows: impl Iterator<Item = Row>) -> Self {
        let mut gathered = Self::default();
        rows.for_each(|row| gathered.add(row));
        gathered
    }

    fn add(&mut self, row: Row) {
        self.rows += 1;
        self.times.extend(row.at_ns);
        self.inputs.extend(row.input_tokens.map(f64::from));
        self.outputs.extend(row.output_tokens.map(f64::from));
        if let (Some(input), Some(output)) = (row.input_tokens, row.output_tokens) {
            self.pairs.0.push(f64::from(input));
            self.pairs.1.push(f64::from(output));
        }
        if let (Some(input), Some(size)) = (row.input_tokens, row.block_tokens) {
            self.sharing.add(&row.hash_ids, input, size);
        }
        if let Some(session) = row.session {
            *self.sessions.entry(session).or_default() += 1;
        }
        self.waiting.0 += u64::from(row.parent.is_some());
        self.waiting.1 += u64::from(!row.also_after.is_empty());
        self.delays.extend(row.delay_ns.map(|ns| ns as f64 / 1e9));
        if let Some(images) = row.images.filter(|images| *images > 0) {
            self.images.0 += 1;
            self.images.1 += u64::from(images);
        }
        if let Some(class) = row.class {
            let full = self.classes.len() >= MAX_CLASSES && !self.classes.contains_key(&class);
            let class = if full { "other".to_owned() } else { class };
            let (rows, inputs, outputs) = self.classes.entry(class).or_default();
            *rows += 1;
            inputs.extend(row.input_tokens.map(f64::from));
            outputs.extend(row.output_tokens.map(f64::from));
        }
        self.texts.extend(row.text);
    }

    /// Rows that hold texts.
    pub fn texts(&self) -> usize {
        self.texts.len()
    }

    /// Counts the tokens of the texts: prompts, and answers where the dataset has them.
    ///
    /// # Errors
    /// When a text cannot be read back.
    pub(crate) fn count_texts(
        &mut self,
        path: &Path,
        facts: &TraceFacts,
        counter: &TokenCounter,
    ) -> Result<()> {
        let mut texts = Texts::open(path, facts.format)?;
        self.outputs.clear();
        for text in &self.texts {
            let request = texts.get(text)?;
            let input = counter.count(&request.prompt()) as f64;
            self.inputs.push(input);
            if let Some(answer) = &request.answer {
                let output = counter.count(answer) as f64;
                self.outputs.push(output);
                self.pairs.0.push(input);
                self.pairs.1.push(output);
            }
        }
        Ok(())
    }
}
