//! Rows of a file, one by one: recognises the format, keeps the order of time, leaves out what
//! does not fit the context, and counts all of it.
//!
//! It holds one record at a time. Invariant: a row that is neither returned nor counted as left
//! out is an error with its line.

use super::csv::Fields;
use super::error::TraceError;
use super::facts::{SkipReason, TraceFacts};
use super::format::{Container, TraceFormat};
use super::jsonl::{Decoded, Objects, listed, members};
use super::options::{OverContext, RowOrder, TraceOptions};
use super::records::{Raw, Records, Shape};
use super::row::{MAX_TRACE_ROWS, Row};
use super::tables::Table;
use infermeter_core::text::inert_bytes;
use infermeter_core::units::Span;
use std::collections::VecDeque;
use std::io::BufRead;

/// Reads rows one by one. After an error there are no more.
#[derive(Debug)]
pub struct TraceReader<R> {
    records: Records<R>,
    raw: Raw,
    /// `raw` was read to recognise the format, and is a row.
    held: bool,
    decoder: Decoder,
    options: TraceOptions,
    facts: TraceFacts,
    decoded: VecDeque<Row>,
    clock: Clock,
    ended: bool,
}

#[derive(Debug)]
enum Decoder {
    Table(Table),
    Objects(Box<Objects>),
}

/// The instants passed.
#[derive(Debug, Default)]
struct Clock {
    /// Of the first row kept.
    first_ns: Option<i64>,
    /// The latest, and its line.
    latest: Option<(i64, u64)>,
}

impl<R: BufRead> TraceReader<R> {
    /// Recognises the format, or takes the one asked for.
    ///
    /// # Errors
    /// When the file is empty, of no known format, or lacks what the format needs.
    pub fn new(input: R, options: TraceOptions) -> Result<Self, TraceError> {
        options.check()?;
        let mut records = Records::new(input)?;
        let mut raw = Raw::default();
        let json = records.shape() == Shape::Array || records.first() == Some(b'{');
        if !records.next_into(&mut raw)? {
            return Err(TraceError::Empty);
        }
        let (format, decoder) = if json {
            let format = recognise_json(&raw, &options)?;
            let objects = Objects::new(format, &options);
            (format, Decoder::Objects(Box::new(objects)))
        } else {
            let mut header = Fields::default();
            header.read(&mut raw, &mut records)?;
            let format = recognise_csv(&raw, &header, &options)?;
            let table = Table::new(raw.line, format, header)?;
            (format, Decoder::Table(table))
        };
        Ok(Self {
            records,
            raw,
            held: json,
            decoder,
            options,
            facts: TraceFacts::new(format),
            decoded: VecDeque::new(),
            clock: Clock::default(),
            ended: false,
        })
    }

    /// What was read so far.
    pub fn facts(&self) -> &TraceFacts {
        &self.facts
    }

    /// What was read so far, for keeps.
    pub fn into_facts(self) -> TraceFacts {
        self.facts
    }

    fn next_row(&mut self) -> Result<Option<Row>, TraceError> {
        if self
            .options
            .limit
            .is_some_and(|limit| self.facts.rows >= limit)
        {
            return Ok(None);
        }
        loop {
            while let Some(row) = self.decoded.pop_front() {
                if let Some(row) = self.admit(row)? {
                    return Ok(Some(row));
                }
            }
            if !std::mem::take(&mut self.held) && !self.records.next_into(&mut self.raw)? {
                return Ok(None);
            }
            self.decode()?;
        }
    }

    fn decode(&mut self) -> Result<(), TraceError> {
        let decoded = match &mut self.decoder {
            Decoder::Table(table) => table.decode(&mut self.raw, &mut self.records)?,
            Decoder::Objects(objects) => {
                let decoded = objects.decode(&self.raw)?;
                for line in objects.orphans.drain(..) {
                    self.facts.orphans.add(line);
                }
                decoded
            }
        };
        match decoded {
            Decoded::One(row) => self.decoded.push_back(row),
            Decoded::Many(rows) => self.decoded.extend(rows),
            Decoded::Skip(reason) => self.facts.skip(reason, self.raw.line),
            Decoded::Nothing => {}
        }
        Ok(())
    }

    /// Checks the order of time and the context, and makes the instant relative.
    fn admit(&mut self, mut row: Row) -> Result<Option<Row>, TraceError> {
        if let Some(at) = row.at_ns {
            if let Some((latest, earlier)) = self.clock.latest.filter(|(latest, _)| at < *latest)
                && self.options.order == RowOrder::ByTime
            {
                return Err(TraceError::Backwards {
                    line: row.line,
                    by: Span(latest.saturating_sub(at)),
                    earlier,
                });
            }
            if self.clock.latest.is_none_or(|(latest, _)| at >= latest) {
                self.clock.latest = Some((at, row.line));
            }
        }
        if !self.fits(&mut row) {
            return Ok(None);
        }
        if let Some(at) = row.at_ns {
            // Years 1678 to 2262 fit into an i64 of nanoseconds, their differences may not.
            let first = *self.clock.first_ns.get_or_insert(at);
            row.at_ns = Some(at.saturating_sub(first));
        }
        if let (Decoder::Objects(objects), false) = (&self.decoder, row.hash_ids.is_empty()) {
            row.block_tokens = objects.block_tokens();
            self.facts.block_tokens = row.block_tokens;
        }
        self.facts.rows += 1;
        if self.facts.rows > MAX_TRACE_ROWS as u64 {
            return Err(TraceError::TooLong { line: row.line });
        }
        Ok(Some(row))
    }

    /// Whether a row fits the context, cut where that was asked for.
    fn fits(&mut self, row: &mut Row) -> bool {
        let (Some(most), Some(input)) = (self.options.max_context, row.input_tokens) else {
            return true;
        };
        let output = row.output_tokens.unwrap_or(0);
        if u64::from(input) + u64::from(output) <= u64::from(most) {
            return true;
        }
        let room = most.saturating_sub(output);
        if self.options.over_context == OverContext::Skip || room == 0 {
            self.facts.skip(SkipReason::OverContext, row.line);
            return false;
        }
        row.input_tokens = Some(room);
        if let Decoder::Objects(objects) = &self.decoder
            && let Some(block_tokens) = objects.block_tokens()
        {
            row.hash_ids.truncate(room.div_ceil(block_tokens) as usize);
        }
        self.facts.clipped.add(row.line);
        true
    }
}

impl<R: BufRead> Iterator for TraceReader<R> {
    type Item = Result<Row, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.next_row().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

fn recognise_json(raw: &Raw, options: &TraceOptions) -> Result<TraceFormat, TraceError> {
    let names = members(raw)?;
    let found = options.format.filter(|format| format.as_json());
    let has = |name: &str| names.iter().any(|n| n == name);
    let found = match options.format {
        Some(_) => found,
        None => TraceFormat::recognise(Container::Json, has),
    };
    found.ok_or_else(|| TraceError::Unrecognised {
        line: raw.line,
        found: match options.format {
            Some(format) => format!("the form of {format} (CSV), but this is JSON"),
            None => listed(&names),
        },
    })
}

fn recognise_csv(
    raw: &Raw,
    header: &Fields,
    options: &TraceOptions,
) -> Result<TraceFormat, TraceError> {
    let found = match options.format {
        Some(format) => Some(format).filter(|format| format.as_csv()),
        None => TraceFormat::recognise(Container::Csv, |name| header.position(name).is_some()),
    };
    // The nearest format says what is missing: it shares the first column.
    let near =
        |format: &TraceFormat| format.as_csv() && header.position(format.needs()[0]).is_some();
    match (found, TraceFormat::ALL.into_iter().find(near)) {
        (Some(format), _) => Ok(format),
        (None, Some(format)) if options.format.is_none() => Ok(format),
        (None, _) => Err(TraceError::Unrecognised {
            line: raw.line,
            found: match options.format {
                Some(format) => format!(
                    "the form of {format} (JSON), but this is `{}`",
                    inert_bytes(&raw.bytes, 80)
                ),
                None => header.listed(),
            },
        }),
    }
}
