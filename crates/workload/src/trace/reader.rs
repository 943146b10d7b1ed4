//! Rows of a file, one by one: recognises the format, keeps the order of time, leaves out what
//! does not fit the context, and counts all of it.
//!
//! It holds one record at a time. Invariant: a row that is neither returned nor counted as left
//! out is an error with its line.

use super::csv::Fields;
use super::error::TraceError;
use super::facts::TraceFacts;
use super::format::{Container, TraceFormat};
use super::jsonl::{Decoded, Objects, listed, members};
use super::options::{OverContext, RowOrder, TraceOptions};
use super::records::{Raw, Records, Shape};
use super::row::{MAX_TRACE_ROWS, Row};
use super::tables::Table;
use super::time_unit::TimeUnit;
use infermeter_core::environment::SkipReason;
use infermeter_core::text::inert_bytes;
use infermeter_core::units::Span;
use std::collections::VecDeque;
use std::io::BufRead;

/// Requests per second above which an undeclared unit is doubted: far beyond any published trace
/// (3 to 10), and what whole seconds read as milliseconds come to from 0.2 requests/s on.
const PLAUSIBLE_RATE: f64 = 200.0;
/// Mean gap above which it is doubted, seconds: milliseconds read as seconds come to more below 1.7
/// requests/s.
const PLAUSIBLE_GAP_S: f64 = 600.0;
/// Gaps from which on they tell: a few rows may lie far apart.
const SLOW_GAPS: f64 = 10.0;

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
    /// Rows with a time of their own.
    rows: u64,
    earliest: i64,
    /// Some of these are parts of the unit: a coarser one than meant would not have them.
    fractions: bool,
}

impl<R: BufRead> TraceReader<R> {
    /// Recognises the format, or takes the one asked for.
    ///
    /// # Errors
    /// When the file is empty, of no known format, or lacks what the format needs.
    pub fn new(input: R, options: TraceOptions) -> Result<Self, TraceError> {
        options.check()?;
        let lines = options.format == Some(TraceFormat::Lines);
        let mut records = match lines {
            true => Records::lines(input)?,
            false => Records::new(input)?,
        };
        let mut raw = Raw::default();
        let json = records.shape() == Shape::Array || records.first() == Some(b'{');
        if !records.next_into(&mut raw)? {
            return Err(TraceError::Empty);
        }
        let plain = lines || (!json && options.format.is_none() && is_plain(&raw, &options));
        let (format, decoder) = if json || plain {
            let format = match plain {
                true => TraceFormat::Lines,
                false => recognise_json(&raw, &options)?,
            };
            let objects = Objects::new(format, &options);
            (format, Decoder::Objects(Box::new(objects)))
        } else {
            let mut header = Fields::default();
            header.read(&mut raw, &mut records)?;
            let format = recognise_csv(&raw, &header, &options)?;
            let unit = options.time_unit.unwrap_or(format.unit());
            let table = Table::new(raw.line, format, header, unit)?;
            (format, Decoder::Table(table))
        };
        options.check_for(format)?;
        let mut facts = TraceFacts::new(format);
        let unit = options.time_unit.unwrap_or(format.unit());
        facts.time_unit = format.has_numeric_times().then_some(unit);
        Ok(Self {
            records,
            raw,
            held: json || plain,
            decoder,
            options,
            facts,
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
            self.check_unit()?;
            return Ok(None);
        }
        loop {
            while let Some(row) = self.decoded.pop_front() {
                if let Some(row) = self.admit(row)? {
                    return Ok(Some(row));
                }
            }
            if !std::mem::take(&mut self.held) && !self.records.next_into(&mut self.raw)? {
                self.check_unit()?;
                return Ok(None);
            }
            self.decode()?;
        }
    }

    fn decode(&mut self) -> Result<(), TraceError> {
        let (decoded, members) = match &mut self.decoder {
            Decoder::Table(table) => {
                let decoded = table.decode(&mut self.raw, &mut self.records)?;
                (decoded, std::mem::take(&mut table.members))
            }
            Decoder::Objects(objects) => {
                let decoded = objects.decode(&self.raw)?;
                for line in objects.orphans.drain(..) {
                    self.facts.orphans.add(line);
                }
                self.facts.operations.append(&mut objects.notes);
                (decoded, std::mem::take(&mut objects.members))
            }
        };
        self.facts.add_members(&members);
        match decoded {
            Decoded::One(row) => self.decoded.push_back(row),
            Decoded::Many(rows, left_out) => {
                self.decoded.extend(rows);
                for reason in left_out {
                    self.facts.skip(reason, self.raw.line);
                }
            }
            Decoded::Skip(reason) => self.facts.skip(reason, self.raw.line),
            Decoded::Nothing => {}
        }
        Ok(())
    }

    /// The rows' times make sense in the unit that they were read in, where nobody declared it.
    fn check_unit(&self) -> Result<(), TraceError> {
        let (Some(unit), None) = (self.facts.time_unit, self.options.time_unit) else {
            return Ok(());
        };
        let Some((latest, line)) = self.clock.latest else {
            return Ok(());
        };
        let gaps = self.clock.rows.saturating_sub(1) as f64;
        let span_s = latest.saturating_sub(self.clock.earliest) as f64 / 1e9;
        let fast = !self.clock.fractions && span_s > 0.0 && gaps / span_s > PLAUSIBLE_RATE;
        let slow = gaps >= SLOW_GAPS && span_s / gaps > PLAUSIBLE_GAP_S;
        if !(fast || slow) {
            return Ok(());
        }
        let message = format!(
            "in {}, the unit of the format {}, {} rows would take {span_s:.3} s: that is not a load to \
             replay",
            unit.name(),
            self.facts.format,
            self.clock.rows
        );
        Err(TraceError::Unit { line, message })
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
            self.clock.earliest = match self.clock.rows {
                0 => at,
                _ => self.clock.earliest.min(at),
            };
            self.clock.rows += 1;
            let unit = self.facts.time_unit.map_or(1, TimeUnit::ns);
            self.clock.fractions |= at % unit != 0;
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

/// A file of another name's format is one of plain lines where its first line is no known header.
fn is_plain(raw: &Raw, options: &TraceOptions) -> bool {
    let line = String::from_utf8_lossy(&raw.bytes);
    let has = |name: &str| {
        let mut columns = line.split(',');
        columns.any(|column| column.trim().trim_matches('"').eq_ignore_ascii_case(name))
    };
    options.otherwise == Some(TraceFormat::Lines)
        && TraceFormat::recognise(Container::Csv, has).is_none()
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
