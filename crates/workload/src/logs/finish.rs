//! Rows of the calls that were kept: each session worked out in order of time.
//!
//! It reads no log. Invariant: rows are calls in order of their instants, which count from the first.

use super::asked::{Imported, LogError, TextsKept};
use super::format::LogFormat;
use super::plain;
use super::sessions::{Reuse, Session, Waits};
use super::sink::{MOST_CLASSES, MOST_SESSIONS, Odd, Sink};
use super::spill::{Packed, Spill};
use crate::trace::{BlockOrigin, RowsHeader, RowsWriter, Run, Written, runs_of};
use std::collections::HashMap;
use std::io::Write;

/// Works out the sessions and writes the rows.
pub(super) fn finish(
    sink: Sink<'_>,
    formats: Vec<LogFormat>,
    out: Box<dyn Write + Send>,
) -> Result<Imported, LogError> {
    let Sink {
        options,
        spill,
        sessions,
        classes,
        records,
        odd,
        left_out,
        jumps,
        first_jumps,
        ..
    } = sink;
    let count = sessions.len() as u64;
    // Their names are not needed any more.
    drop(sessions);
    let blocks = origin(options.texts, &odd);
    let mut imported = Imported {
        formats,
        records,
        rows: 0,
        span_ns: None,
        sessions: count,
        left_out: left_out.into_list(),
        jumps,
        first_jumps,
        blocks,
        reuse: Reuse::default(),
        waiting: 0,
        joining: 0,
        waits_beyond: 0,
        notes: notes(blocks, odd),
    };
    let mut rows = Rows {
        sessions: HashMap::new(),
        classes,
        timed: odd.timed == Some(true),
        block_tokens: options.block_tokens,
        blocks,
        first_ns: None,
    };
    if options.texts == TextsKept::Plain {
        return plain_lines(spill, rows, imported, out);
    }
    let names: Vec<&str> = imported
        .formats
        .iter()
        .map(|format| format.name())
        .collect();
    let header = RowsHeader {
        block_tokens: (blocks != BlockOrigin::None).then_some(options.block_tokens),
        blocks,
        // A path would be a name.
        tokenizer: (odd.counted > 0 || odd.cut).then(|| options.tokenizer.identity().to_owned()),
        notes: imported.notes.clone(),
        ..RowsHeader::of(&names.join(", "))
    };
    let mut writer = RowsWriter::new(out, &header)?;
    spill.merge(|call| rows.row(&call, &mut imported, &mut writer))?;
    writer.into_inner().flush()?;
    Ok(imported)
}

/// What equal blocks will say.
fn origin(texts: TextsKept, odd: &Odd) -> BlockOrigin {
    match texts {
        TextsKept::Plain => BlockOrigin::None,
        _ if odd.blocks => BlockOrigin::Recorded,
        _ if odd.cached => BlockOrigin::PerSession,
        TextsKept::None | TextsKept::Hashed => BlockOrigin::None,
    }
}

/// Writes calls with their texts.
fn plain_lines(
    spill: Spill,
    mut rows: Rows,
    mut imported: Imported,
    mut out: Box<dyn Write + Send>,
) -> Result<Imported, LogError> {
    let mut last: HashMap<u32, u64> = HashMap::new();
    spill.merge(|call| rows.plain(&call, &mut last, &mut imported, &mut out))?;
    out.flush()?;
    Ok(imported)
}

/// Rows of calls in order of time.
struct Rows {
    sessions: HashMap<u32, Session>,
    classes: Vec<String>,
    timed: bool,
    block_tokens: u32,
    blocks: BlockOrigin,
    first_ns: Option<i64>,
}

impl Rows {
    /// The instant of a call after the first.
    fn offset_ns(&mut self, call: &Packed, imported: &mut Imported) -> Option<i64> {
        imported.rows += 1;
        if !self.timed {
            return None;
        }
        let offset = call.at_ns - *self.first_ns.get_or_insert(call.at_ns);
        imported.span_ns = Some(offset);
        Some(offset)
    }

    fn row(
        &mut self,
        call: &Packed,
        imported: &mut Imported,
        writer: &mut RowsWriter<Box<dyn Write + Send>>,
    ) -> Result<(), LogError> {
        let at_ns = self.offset_ns(call, imported);
        let own: Vec<Run>;
        let mut written = Written {
            at_ns,
            input_tokens: call.input_tokens,
            output_tokens: call.output_tokens,
            class: call
                .class
                .and_then(|class| Some(self.classes.get(class as usize)?.as_str())),
            ..Written::default()
        };
        if self.blocks == BlockOrigin::Recorded {
            own = runs_of(&call.blocks);
            written.runs = &own;
        }
        let Some(number) = call.session else {
            return Ok(writer.write_packed(&written)?);
        };
        let session = self.sessions.entry(number).or_default();
        let id = imported.rows;
        let waits = match self.timed {
            true => session.waits(id, call),
            false => Waits::default(),
        };
        imported.waiting += u64::from(!waits.after.is_empty());
        imported.joining += u64::from(waits.after.len() > 1);
        imported.waits_beyond += waits.beyond;
        if self.blocks == BlockOrigin::PerSession && call.cached_tokens.is_some() {
            written.runs = session.blocks(number, call, self.block_tokens, &mut imported.reuse);
        }
        written.session = Some(u64::from(number) + 1);
        written.name = Some(id);
        written.after = &waits.after;
        written.delay_ns = waits.delay_ns;
        Ok(writer.write_packed(&written)?)
    }

    /// A call with its text. It waits for the call before it in its session alone.
    fn plain(
        &mut self,
        call: &Packed,
        last: &mut HashMap<u32, u64>,
        imported: &mut Imported,
        out: &mut Box<dyn Write + Send>,
    ) -> Result<(), LogError> {
        let at_ns = self.offset_ns(call, imported);
        let id = imported.rows;
        let mut delay_ns = None;
        if let (Some(number), true) = (call.session, self.timed) {
            let waits = self.sessions.entry(number).or_default().waits(id, call);
            let before = last.insert(number, id);
            let alone = waits.after.len() == 1 && waits.after.first() == before.as_ref();
            delay_ns = waits.delay_ns.filter(|_| alone);
            imported.waiting += u64::from(delay_ns.is_some());
        }
        plain::write(out, call, at_ns, delay_ns)?;
        Ok(())
    }
}

/// What is not as it was recorded.
fn notes(blocks: BlockOrigin, odd: Odd) -> Vec<String> {
    let mut notes = Vec::new();
    if blocks == BlockOrigin::PerSession {
        notes.push(
            "blocks are made up for each session from its cached tokens: what sessions share with each \
             other is unknown"
                .to_owned(),
        );
    }
    if blocks == BlockOrigin::Recorded && odd.cached {
        notes.push(
            "some calls have only a number of cached tokens: they have no blocks here".to_owned(),
        );
    }
    if odd.timed == Some(false) {
        notes.push("the log has no instants: rows cannot be replayed by --trace".to_owned());
    }
    if odd.counted > 0 {
        let counted = odd.counted;
        notes.push(format!(
            "{counted} prompts without a length in the log were counted"
        ));
    }
    if odd.sessions > 0 {
        let calls = odd.sessions;
        notes.push(format!(
            "{calls} calls of sessions beyond {MOST_SESSIONS} stand alone"
        ));
    }
    if odd.classes > 0 {
        let calls = odd.classes;
        notes.push(format!(
            "{calls} calls of classes beyond {MOST_CLASSES} have none"
        ));
    }
    notes
}
