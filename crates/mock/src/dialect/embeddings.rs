//! Embeddings in OpenAI's shape, as vLLM serves them.

use super::lists::{List, WholeList, prompt_usage};
use super::{Listed, Naming, UsageCounts, Voice, Wire};
use crate::render::{json_text, put};
use infermeter_core::base64::base64;
use infermeter_core::seed::splitmix64;

/// The dialect.
pub(super) struct Embeddings;

impl Wire for Embeddings {
    fn voice(&self, naming: Naming<'_>) -> Box<dyn Voice> {
        Box::new(WholeList(Vectors {
            id: naming.id.to_owned(),
            created_s: naming.created_s,
            model: json_text(naming.model),
            listed: naming.listed,
        }))
    }
}

/// Writes one answer.
#[derive(Debug)]
struct Vectors {
    id: String,
    created_s: i64,
    model: String,
    listed: Listed,
}

/// Parts of a number: its size is at most 0.1, as those of a normalised embedding mostly are.
const PARTS: u64 = 1_000_000_000;

impl Vectors {
    /// Number `place` of embedding `index`, in parts of [`PARTS`], and its sign.
    fn number(&self, index: u32, place: u32) -> (bool, u64) {
        let drawn = splitmix64(self.listed.key ^ u64::from(index) << 32 ^ u64::from(place));
        (drawn & 1 == 1, (drawn >> 1) % (PARTS / 10))
    }

    fn floats(&self, index: u32, body: &mut Vec<u8>) {
        for place in 0..self.listed.dimensions {
            let (negative, parts) = self.number(index, place);
            let comma = if place > 0 { "," } else { "" };
            let sign = if negative { "-" } else { "" };
            put(body, format_args!("{comma}{sign}0.{parts:09}"));
        }
    }

    fn bytes(&self, index: u32) -> Vec<u8> {
        let float = |place| {
            let (negative, parts) = self.number(index, place);
            let size = (parts as f64 / PARTS as f64) as f32;
            if negative { -size } else { size }.to_le_bytes()
        };
        (0..self.listed.dimensions).flat_map(float).collect()
    }
}

impl List for Vectors {
    fn body(&self, usage: Option<UsageCounts>) -> Vec<u8> {
        let Self {
            id,
            created_s,
            model,
            listed,
        } = self;
        let numbers = listed.results as usize * listed.dimensions as usize;
        let mut body = Vec::with_capacity(256 + 13 * numbers);
        put(
            &mut body,
            format_args!(
                "{{\"id\":\"embd-{id}\",\"object\":\"list\",\"created\":{created_s},\
                 \"model\":\"{model}\",\"data\":["
            ),
        );
        for index in 0..listed.results {
            let comma = if index > 0 { "," } else { "" };
            put(
                &mut body,
                format_args!("{comma}{{\"index\":{index},\"object\":\"embedding\",\"embedding\":"),
            );
            if listed.base64 {
                put(
                    &mut body,
                    format_args!("\"{}\"}}", base64(&self.bytes(index))),
                );
            } else {
                body.push(b'[');
                self.floats(index, &mut body);
                body.extend_from_slice(b"]}");
            }
        }
        body.push(b']');
        put(&mut body, format_args!("{}}}", prompt_usage(usage)));
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_hold_the_same_numbers() {
        let mut vectors = Vectors {
            id: "7".to_owned(),
            created_s: 1,
            model: "m".to_owned(),
            listed: Listed {
                items: 2,
                results: 2,
                dimensions: 3,
                base64: false,
                key: 9,
            },
        };
        let usage = UsageCounts {
            prompt: 5,
            completion: 1,
            cached: None,
            reasoning: None,
            times: None,
        };
        let parsed = |vectors: &Vectors| -> serde_json::Value {
            let body = vectors.body(Some(usage));
            serde_json::from_slice(&body).expect("JSON")
        };
        let floats = parsed(&vectors);
        assert_eq!(floats["usage"]["prompt_tokens"], 5);
        assert_eq!(floats["data"][1]["index"], 1);
        let numbers: Vec<f32> =
            serde_json::from_value(floats["data"][1]["embedding"].clone()).expect("numbers");
        assert_eq!(numbers.len(), 3);
        assert_ne!(
            floats["data"][0]["embedding"],
            floats["data"][1]["embedding"]
        );
        vectors.listed.base64 = true;
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        assert_eq!(parsed(&vectors)["data"][1]["embedding"], base64(&bytes));
    }
}
