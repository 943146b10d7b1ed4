//! OTLP traces as JSON: names in camel case, ids in hex, 64-bit numbers as text or as numbers.
//!
//! Members that are not used are read and dropped. Invariant: attributes are never held, whatever their number.

use super::names::{Said, Told};
use super::wire::{Export, MAX_NAME, OtlpError, WireSpan, id, lasted};
use infermeter_core::spans::SpanId;
use infermeter_core::text::inert;
use serde::de::{Deserialize, Deserializer, IgnoredAny, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Request {
    resource_spans: Option<Vec<ResourceSpans>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceSpans {
    scope_spans: Option<Vec<ScopeSpans>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct ScopeSpans {
    spans: Spans,
}

/// Spans, as they are kept.
#[derive(Default)]
struct Spans(Export);

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Span<'a> {
    #[serde(borrow)]
    trace_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    span_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    start_time_unix_nano: Number,
    end_time_unix_nano: Number,
    attributes: Attributes,
}

/// What a list of attributes tells.
#[derive(Default)]
struct Attributes(Told);

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Attribute<'a> {
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    value: Option<AnyValue<'a>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AnyValue<'a> {
    #[serde(borrow)]
    string_value: Option<Cow<'a, str>>,
    int_value: Number,
    double_value: Number,
}

/// A number, or the text of one; absent for anything else.
#[derive(Clone, Copy, Default)]
struct Number {
    whole: Option<u64>,
    real: Option<f64>,
}

impl<'a> AnyValue<'a> {
    fn said(&self) -> Said<'_> {
        match (self.double_value.real, self.int_value.real) {
            (Some(number), _) | (None, Some(number)) => Said::Number(number),
            (None, None) => self.string_value.as_deref().map_or(Said::Other, Said::Text),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or the text of one")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number {
                    whole: Some(number),
                    real: Some(number as f64),
                })
            }

            fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
                Ok(Number {
                    whole: u64::try_from(number).ok(),
                    real: Some(number as f64),
                })
            }

            fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
                Ok(Number {
                    whole: None,
                    real: Some(number),
                })
            }

            fn visit_str<E>(self, text: &str) -> Result<Number, E> {
                Ok(Number {
                    whole: text.parse().ok(),
                    real: text.parse().ok(),
                })
            }

            fn visit_unit<E>(self) -> Result<Number, E> {
                Ok(Number::default())
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Attributes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of attributes")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Attributes, A::Error> {
                let mut told = Told::default();
                while let Some(attribute) = list.next_element::<Attribute<'de>>()? {
                    let value = attribute.value.as_ref();
                    let name = attribute.key.as_deref().unwrap_or_default();
                    told.take(name, value.map_or(Said::Other, AnyValue::said));
                }
                Ok(Attributes(told))
            }

            fn visit_unit<E>(self) -> Result<Attributes, E> {
                Ok(Attributes::default())
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for Spans {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Spans;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of spans")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Spans, A::Error> {
                let mut export = Export::default();
                while !export.is_full() {
                    match list.next_element::<Span<'de>>()? {
                        Some(span) => export.push(wire(&span)),
                        None => return Ok(Spans(export)),
                    }
                }
                while list.next_element::<IgnoredAny>()?.is_some() {
                    export.more += 1;
                }
                Ok(Spans(export))
            }

            fn visit_unit<E>(self) -> Result<Spans, E> {
                Ok(Spans::default())
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

fn wire(span: &Span<'_>) -> WireSpan {
    let instant = |number: Number| number.whole.unwrap_or(0);
    WireSpan {
        trace: hex(&span.trace_id).as_deref().and_then(id),
        span: hex(&span.span_id).as_deref().and_then(id).map(SpanId),
        name: inert(span.name.as_deref().unwrap_or_default(), MAX_NAME),
        lasted_ns: lasted(
            instant(span.start_time_unix_nano),
            instant(span.end_time_unix_nano),
        ),
        told: span.attributes.0,
    }
}

/// The bytes of hexadecimal digits of either case; absent for more of them than an id has.
fn hex(digits: &Option<Cow<'_, str>>) -> Option<Vec<u8>> {
    let digits = digits.as_deref()?.as_bytes();
    if digits.len() > 32 || digits.len() % 2 == 1 {
        return None;
    }
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let pairs = digits.chunks_exact(2);
    pairs
        .map(|pair| Some((digit(&pair[0])? << 4 | digit(&pair[1])?) as u8))
        .collect()
}

/// Reads an `ExportTraceServiceRequest`.
pub(super) fn read(bytes: &[u8]) -> Result<Export, OtlpError> {
    let request: Request =
        serde_json::from_slice(bytes).map_err(|error| OtlpError::Json(error.to_string()))?;
    let resources = request.resource_spans.into_iter().flatten();
    let scopes = resources.flat_map(|resource| resource.scope_spans.into_iter().flatten());
    let mut export = Export::default();
    for Spans(own) in scopes.map(|scope| scope.spans) {
        export.more += own.more;
        for span in own.spans {
            export.push(span);
        }
    }
    Ok(export)
}

/// An `ExportTraceServiceResponse`.
pub(super) fn response(rejected: u64) -> Vec<u8> {
    match rejected {
        0 => b"{}".to_vec(),
        n => format!("{{\"partialSuccess\":{{\"rejectedSpans\":\"{n}\"}}}}").into_bytes(),
    }
}
