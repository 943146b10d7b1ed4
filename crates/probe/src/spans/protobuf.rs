//! OTLP traces as protobuf: the few fields that are used, read where they stand.
//!
//! A reader of its own instead of generated types: those would turn each two bytes of an empty message into
//! hundreds of bytes in memory. Invariants: it allocates for spans alone; unknown fields are stepped over, as
//! the format asks; how deep it goes does not depend on the bytes.

use super::names::{Said, Told};
use super::wire::{Export, MAX_NAME, OtlpError, WireSpan, id, lasted};
use infermeter_core::spans::SpanId;
use infermeter_core::text::inert;

// Numbers of the fields, from opentelemetry/proto/trace/v1/trace.proto and common.proto.
const REQUEST_RESOURCE_SPANS: u32 = 1;
const RESOURCE_SCOPE_SPANS: u32 = 2;
const SCOPE_SPANS: u32 = 2;
const SPAN_TRACE_ID: u32 = 1;
const SPAN_ID: u32 = 2;
const SPAN_NAME: u32 = 5;
const SPAN_START: u32 = 7;
const SPAN_END: u32 = 8;
const SPAN_ATTRIBUTES: u32 = 9;
const PAIR_KEY: u32 = 1;
const PAIR_VALUE: u32 = 2;
const VALUE_STRING: u32 = 1;
const VALUE_INT: u32 = 3;
const VALUE_DOUBLE: u32 = 4;

/// The value of a field, by its wire type.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// The fields of one message.
struct Fields<'a> {
    rest: &'a [u8],
}

const CUT: OtlpError = OtlpError::Protobuf("it ends inside a field");

impl<'a> Fields<'a> {
    /// The next field's number and value; `None` at the end.
    fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, OtlpError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0);
        let number = number.ok_or(OtlpError::Protobuf("a field has an impossible number"))?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.fixed()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| CUT)?;
                Value::Bytes(self.take(length)?)
            }
            5 => {
                self.fixed::<4>()?;
                Value::Fixed32
            }
            _ => return Err(OtlpError::Protobuf("a field is of an unknown wire type")),
        };
        Ok(Some((number, value)))
    }

    fn varint(&mut self) -> Result<u64, OtlpError> {
        let mut value = 0_u64;
        for place in 0..10 {
            let [byte] = self.fixed()?;
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(OtlpError::Protobuf("a number is longer than ten bytes"))
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], OtlpError> {
        self.take(N)?.try_into().map_err(|_| CUT)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], OtlpError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(CUT)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Calls `each` with the number and the value of every field of a message.
fn fields<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(u32, Value<'a>) -> Result<(), OtlpError>,
) -> Result<(), OtlpError> {
    let mut fields = Fields { rest: bytes };
    while let Some((number, value)) = fields.next()? {
        each(number, value)?;
    }
    Ok(())
}

/// Reads an `ExportTraceServiceRequest`.
pub(super) fn read(bytes: &[u8]) -> Result<Export, OtlpError> {
    let mut export = Export::default();
    fields(bytes, |number, value| match (number, value) {
        (REQUEST_RESOURCE_SPANS, Value::Bytes(resource)) => {
            fields(resource, |number, value| match (number, value) {
                (RESOURCE_SCOPE_SPANS, Value::Bytes(scope)) => {
                    fields(scope, |number, value| match (number, value) {
                        (SCOPE_SPANS, Value::Bytes(bytes)) => {
                            export.push(span(bytes)?);
                            Ok(())
                        }
                        _ => Ok(()),
                    })
                }
                _ => Ok(()),
            })
        }
        _ => Ok(()),
    })?;
    Ok(export)
}

fn span(bytes: &[u8]) -> Result<WireSpan, OtlpError> {
    let mut span = WireSpan::default();
    let (mut start_ns, mut end_ns) = (0, 0);
    fields(bytes, |number, value| {
        match (number, value) {
            (SPAN_TRACE_ID, Value::Bytes(bytes)) => span.trace = id(bytes),
            (SPAN_ID, Value::Bytes(bytes)) => span.span = id(bytes).map(SpanId),
            (SPAN_NAME, Value::Bytes(bytes)) => {
                let end = bytes.len().min(4 * MAX_NAME);
                span.name = inert(&String::from_utf8_lossy(&bytes[..end]), MAX_NAME);
            }
            (SPAN_START, Value::Fixed64(ns)) => start_ns = ns,
            (SPAN_END, Value::Fixed64(ns)) => end_ns = ns,
            (SPAN_ATTRIBUTES, Value::Bytes(bytes)) => attribute(bytes, &mut span.told)?,
            _ => {}
        }
        Ok(())
    })?;
    span.lasted_ns = lasted(start_ns, end_ns);
    Ok(span)
}

fn attribute(bytes: &[u8], told: &mut Told) -> Result<(), OtlpError> {
    let (mut key, mut said) = ("", Said::Other);
    fields(bytes, |number, value| {
        match (number, value) {
            // A name that is no text is none that is known.
            (PAIR_KEY, Value::Bytes(bytes)) => key = std::str::from_utf8(bytes).unwrap_or(""),
            (PAIR_VALUE, Value::Bytes(bytes)) => said = any_value(bytes)?,
            _ => {}
        }
        Ok(())
    })?;
    told.take(key, said);
    Ok(())
}

fn any_value(bytes: &[u8]) -> Result<Said<'_>, OtlpError> {
    let mut said = Said::Other;
    fields(bytes, |number, value| {
        said = match (number, value) {
            (VALUE_STRING, Value::Bytes(text)) => {
                std::str::from_utf8(text).map_or(Said::Other, Said::Text)
            }
            // Negative numbers are two's complement.
            (VALUE_INT, Value::Varint(number)) => Said::Number(number as i64 as f64),
            (VALUE_DOUBLE, Value::Fixed64(bits)) => Said::Number(f64::from_bits(bits)),
            _ => Said::Other,
        };
        Ok(())
    })?;
    Ok(said)
}

/// An `ExportTraceServiceResponse`; empty where nothing was rejected.
pub(super) fn response(rejected: u64) -> Vec<u8> {
    if rejected == 0 {
        return Vec::new();
    }
    let mut partial = vec![1 << 3];
    let mut rest = rejected;
    while rest >= 0x80 {
        partial.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    partial.push(rest as u8);
    let mut response = vec![1 << 3 | 2, partial.len() as u8];
    response.extend(partial);
    response
}
