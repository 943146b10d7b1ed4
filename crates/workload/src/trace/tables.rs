//! Formats of CSV: Azure, BurstGPT, plain prompts.
//!
//! Columns are found by name, in any order; others are passed over. Invariant: a row has the time
//! as it stands in the file; the reader makes it relative.

use super::csv::Fields;
use super::error::TraceError;
use super::format::TraceFormat;
use super::jsonl::{Decoded, nothing_asked};
use super::records::{Raw, Records};
use super::row::{Row, TextRef};
use super::time_unit::TimeUnit;
use super::timestamp;
use super::value::Field;
use infermeter_core::environment::SkipReason;
use std::io::BufRead;

/// Decoder of one CSV file. The reader makes one for formats that CSV can have; any other would be
/// read like Azure's, whose columns it then lacks.
#[derive(Debug)]
pub(super) struct Table {
    format: TraceFormat,
    fields: Fields,
    columns: usize,
    at: Places,
    /// Unit of times that are numbers.
    unit_ns: i64,
    /// Columns of what requests of texts carry beside them.
    beside: Vec<(usize, String)>,
    /// Names of those that the last row has.
    pub members: Vec<String>,
}

/// Where the columns are that the format needs, and those that it may have.
#[derive(Debug, Default)]
struct Places {
    time: usize,
    input: usize,
    output: usize,
    optional: [Option<usize>; 3],
}

impl Table {
    /// Finds the columns in the header that `fields` holds.
    pub fn new(
        line: u64,
        format: TraceFormat,
        fields: Fields,
        unit: TimeUnit,
    ) -> Result<Self, TraceError> {
        let needed: Result<Vec<usize>, TraceError> = format
            .needs()
            .iter()
            .map(|name| fields.column(line, format, name))
            .collect();
        let needed = needed?;
        let place = |i: usize| needed.get(i).copied().unwrap_or(0);
        let names: &[&str] = match format {
            TraceFormat::BurstGpt => &["Session ID", "Log Type", "Model"],
            TraceFormat::Prompts | TraceFormat::Questions => &["output_tokens"],
            TraceFormat::Azure
            | TraceFormat::Rows
            | TraceFormat::Mooncake
            | TraceFormat::Vllm
            | TraceFormat::Qwen
            | TraceFormat::ShareGpt
            | TraceFormat::Messages
            | TraceFormat::Batch
            | TraceFormat::Lines
            | TraceFormat::Agentic
            | TraceFormat::Workload => &["NumImages"],
        };
        let mut optional = [None; 3];
        for (slot, name) in optional.iter_mut().zip(names) {
            *slot = fields.position(name);
        }
        Ok(Self {
            format,
            columns: fields.len(),
            unit_ns: unit.ns(),
            beside: match format.is_timed() {
                true => Vec::new(),
                false => fields.beside(&[format.needs()[0], "answer", "output_tokens"]),
            },
            members: Vec::new(),
            fields,
            at: Places {
                time: place(0),
                input: place(1),
                output: place(2),
                optional,
            },
        })
    }

    /// Reads the record in `raw`.
    pub fn decode<R: BufRead>(
        &mut self,
        raw: &mut Raw,
        records: &mut Records<R>,
    ) -> Result<Decoded, TraceError> {
        self.fields.read(raw, records)?;
        let line = raw.line;
        if self.fields.len() > self.columns {
            return Err(TraceError::ExtraFields {
                line,
                fields: self.fields.len(),
                columns: self.columns,
            });
        }
        match self.format {
            TraceFormat::BurstGpt => self.burst(line),
            TraceFormat::Prompts | TraceFormat::Questions => self.prompt(raw),
            TraceFormat::Azure
            | TraceFormat::Rows
            | TraceFormat::Mooncake
            | TraceFormat::Vllm
            | TraceFormat::Qwen
            | TraceFormat::ShareGpt
            | TraceFormat::Messages
            | TraceFormat::Batch
            | TraceFormat::Lines
            | TraceFormat::Agentic
            | TraceFormat::Workload => self.azure(line),
        }
    }

    fn field(&self, line: u64, which: usize) -> Result<Field<'_>, TraceError> {
        let column = self.format.needs()[which];
        let at = [self.at.time, self.at.input, self.at.output][which];
        match self.fields.get(at) {
            Some(text) => Ok(Field { line, column, text }),
            None => Err(TraceError::MissingField { line, column }),
        }
    }

    /// An optional field, where it is there and not empty.
    fn optional(&self, which: usize) -> Option<&str> {
        let text = self.fields.get(self.at.optional[which]?)?;
        (!text.is_empty()).then_some(text)
    }

    fn azure(&self, line: u64) -> Result<Decoded, TraceError> {
        let stamp = self.field(line, 0)?;
        let at = timestamp::parse(stamp.text).ok_or_else(|| {
            stamp.not(
                "a date and time as in 2023-11-16 18:15:46.6805900 or \
                 2024-05-10T00:00:00.009930+00:00",
            )
        })?;
        let images = self.optional(0).map(|text| {
            let column = "NumImages";
            Field { line, column, text }.count()
        });
        let input = self.field(line, 1)?.tokens_or_none()?;
        let output = self.field(line, 2)?.tokens_or_none()?;
        if let Some(reason) = nothing_asked(input, output) {
            return Ok(Decoded::Skip(reason));
        }
        Ok(Decoded::One(Row {
            line,
            at_ns: Some(at),
            input_tokens: Some(input),
            output_tokens: Some(output),
            images: images.transpose()?,
            ..Row::default()
        }))
    }

    fn burst(&self, line: u64) -> Result<Decoded, TraceError> {
        let at = self.field(line, 0)?.time(self.unit_ns)?;
        let input = self.field(line, 1)?.tokens_or_none()?;
        let output = self.field(line, 2)?.tokens_or_none()?;
        if output == 0 {
            return Ok(Decoded::Skip(SkipReason::Failed));
        }
        if input == 0 {
            return Ok(Decoded::Skip(SkipReason::NoPrompt));
        }
        Ok(Decoded::One(Row {
            line,
            at_ns: Some(at),
            input_tokens: Some(input),
            output_tokens: Some(output),
            session: self.optional(0).map(str::to_owned),
            class: self.optional(1).or(self.optional(2)).map(str::to_owned),
            ..Row::default()
        }))
    }

    fn prompt(&mut self, raw: &Raw) -> Result<Decoded, TraceError> {
        let line = raw.line;
        if self.field(line, 0)?.text.is_empty() {
            return Ok(Decoded::Skip(SkipReason::NoPrompt));
        }
        let filled = |at: usize| self.fields.get(at).is_some_and(|text| !text.is_empty());
        let named = self.beside.iter().filter(|(at, _)| filled(*at));
        self.members = named.map(|(_, name)| name.clone()).collect();
        let output = self.optional(0).map(|text| {
            let column = "output_tokens";
            Field { line, column, text }.tokens_or_none()
        });
        let output = output.transpose()?;
        if output == Some(0) {
            return Ok(Decoded::Skip(SkipReason::NoOutput));
        }
        Ok(Decoded::One(Row {
            line,
            output_tokens: output,
            text: Some(TextRef {
                offset: raw.offset,
                bytes: u32::try_from(raw.span).unwrap_or(u32::MAX),
                request: 0,
            }),
            ..Row::default()
        }))
    }
}
