//! Who reads the records of a file, and what becomes of those that are none.
//!
//! Invariant: a file is of the format of its first record that has one.

use super::asked::RowMapping;
use super::format::LogFormat;
use super::left_out::{Place, Reason};
use super::named::Table;
use super::records::{End, MAX_RECORD, Record};
use super::sink::Sink;
use super::{access, batch, copilot, dynamo, gor, langfuse, litellm, mapped, spans};
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// Reads the records of one file.
pub(super) struct Reader<'m> {
    format: LogFormat,
    table: Option<Table>,
    events: dynamo::Events,
    payloads: gor::Payloads,
    mapping: Option<RowMapping<'m>>,
    /// The record is the header of a table.
    header: bool,
}

impl<'m> Reader<'m> {
    /// The reader of a file whose first record this is; `None` where it is of no known format.
    pub fn new(
        first: &Record<'_>,
        format: Option<LogFormat>,
        mapping: Option<RowMapping<'m>>,
    ) -> Option<Self> {
        let json = first.bytes.trim_ascii_start().starts_with(b"{");
        let table = if json { None } else { Table::new(first.bytes) };
        let mapped = mapping.map(|_| LogFormat::Mapped);
        let known = format
            .or(mapped)
            .or_else(|| recognise(first.bytes, table.as_ref()));
        let format = known?;
        let payloads = format == LogFormat::GoReplay;
        Some(Self {
            format,
            header: table.is_some() && !payloads,
            table: table.filter(|_| !payloads),
            events: dynamo::Events::default(),
            payloads: gor::Payloads::default(),
            mapping,
        })
    }

    /// The file's format.
    pub fn format(&self) -> LogFormat {
        self.format
    }

    /// Reads a record.
    pub fn read(&mut self, record: &Record<'_>, sink: &mut Sink<'_>) {
        if std::mem::take(&mut self.header) {
            return;
        }
        if record.end == End::TooLong {
            return sink.leave(Reason::TooLong, record.place);
        }
        if self.format != LogFormat::GoReplay && record.bytes.trim_ascii().is_empty() {
            return;
        }
        // A payload of GoReplay is several lines, and counts when it ends.
        sink.records += u64::from(self.format != LogFormat::GoReplay);
        if let Err(reason) = self.one(record, sink) {
            sink.leave(self.reason(reason, record), record.place);
        }
    }

    fn one(&mut self, record: &Record<'_>, sink: &mut Sink<'_>) -> Result<(), Reason> {
        let place = record.place;
        if self.format == LogFormat::GoReplay {
            return self.payloads.read(record, sink);
        }
        let row;
        let bytes: &[u8] = match &mut self.table {
            None => record.bytes,
            Some(table) => match table.row(record.bytes, MAX_RECORD) {
                // It goes on in the next line.
                Ok(None) => {
                    sink.records -= 1;
                    return Ok(());
                }
                Err(reason) => {
                    swallowed(table.ended_lines() - 1, reason, place, sink);
                    return Err(reason);
                }
                Ok(Some(json)) => {
                    row = json;
                    &row
                }
            },
        };
        match self.format {
            LogFormat::Copilot => copilot::read(bytes, place, sink),
            LogFormat::Spans => spans::read(bytes, place, sink),
            LogFormat::LiteLlm => litellm::read(bytes, place, sink),
            LogFormat::Langfuse => langfuse::read(bytes, place, sink),
            LogFormat::Dynamo => self.events.read(bytes, place, sink),
            LogFormat::Batch => batch::read(bytes, place, sink),
            LogFormat::Access => access::read(bytes, place, sink),
            LogFormat::GoReplay => Ok(()),
            LogFormat::Mapped => match self.mapping {
                Some(mapping) => mapped::read(bytes, place, mapping, sink),
                None => Err(Reason::OtherFormat),
            },
        }
    }

    /// Why a record gives no call, looked at once more: it may be another format's, or cut off.
    fn reason(&self, reason: Reason, record: &Record<'_>) -> Reason {
        let doubtful = matches!(
            reason,
            Reason::Broken | Reason::NoCall | Reason::WrongValue | Reason::NoTime
        );
        if !doubtful || self.format == LogFormat::GoReplay {
            return reason;
        }
        if self.table.is_none()
            && recognise(record.bytes, None)
                .is_some_and(|other| self.format != LogFormat::Mapped && other != self.format)
        {
            return Reason::OtherFormat;
        }
        match (reason, record.end) {
            (Reason::Broken, End::WithFile) => Reason::CutOff,
            _ => reason,
        }
    }

    /// The file has ended.
    pub fn finish(&mut self, last: Place, sink: &mut Sink<'_>) {
        let open = self.table.as_ref().map_or(0, Table::open_lines);
        if let Some(before) = open.checked_sub(1) {
            swallowed(before, Reason::CutOff, last, sink);
            sink.records += 1;
            sink.leave(Reason::CutOff, last);
        }
        self.payloads.finish(sink);
    }
}

/// Counts the lines before `last` that a quote without its other has made part of one row.
fn swallowed(lines: u64, reason: Reason, last: Place, sink: &mut Sink<'_>) {
    for before in (1..=lines).rev() {
        sink.records += 1;
        let line = last.line.saturating_sub(before);
        sink.leave(reason, Place { line, ..last });
    }
}

/// The format of a first record.
fn recognise(bytes: &[u8], table: Option<&Table>) -> Option<LogFormat> {
    if let Some(table) = table {
        return LogFormat::of(|name| table.header().iter().any(|column| column == name));
    }
    if gor::begins(bytes) {
        return Some(LogFormat::GoReplay);
    }
    let members: BTreeMap<String, IgnoredAny> = serde_json::from_slice(bytes).ok()?;
    LogFormat::of(|name| members.contains_key(name))
}

/// The names that a record has, for messages.
pub(super) fn names(bytes: &[u8]) -> String {
    match serde_json::from_slice::<BTreeMap<String, IgnoredAny>>(bytes) {
        Ok(members) => {
            let names: Vec<String> = members.into_keys().collect();
            format!(
                "the members {}",
                infermeter_core::text::inert(&names.join(", "), 200)
            )
        }
        Err(_) => format!("`{}`", infermeter_core::text::inert_bytes(bytes, 80)),
    }
}
