//! Rerank in the shape of Jina's API, as vLLM serves it.

use super::lists::{List, WholeList, prompt_usage};
use super::{Listed, Naming, UsageCounts, Voice, Wire};
use crate::render::{json_text, put};
use infermeter_core::seed::splitmix64;

/// The dialect.
pub(super) struct Rerank;

impl Wire for Rerank {
    fn voice(&self, naming: Naming<'_>) -> Box<dyn Voice> {
        Box::new(WholeList(Scores {
            id: naming.id.to_owned(),
            model: json_text(naming.model),
            listed: naming.listed,
        }))
    }
}

/// Writes one answer.
#[derive(Debug)]
struct Scores {
    id: String,
    model: String,
    listed: Listed,
}

/// Scores are parts of this.
const PARTS: u64 = 1_000_000;

impl Scores {
    /// Each document's score with its index, the best first.
    fn ranked(&self) -> Vec<(u64, u32)> {
        let key = self.listed.key;
        let score = |index: u32| splitmix64(key ^ u64::from(index)) % PARTS;
        let mut ranked: Vec<_> = (0..self.listed.items).map(|i| (score(i), i)).collect();
        ranked.sort_unstable_by(|a, b| b.cmp(a));
        ranked.truncate(self.listed.results as usize);
        ranked
    }
}

impl List for Scores {
    fn body(&self, usage: Option<UsageCounts>) -> Vec<u8> {
        let Self { id, model, .. } = self;
        let mut body = Vec::new();
        put(
            &mut body,
            format_args!("{{\"id\":\"rerank-{id}\",\"model\":\"{model}\",\"results\":["),
        );
        for (place, (score, index)) in self.ranked().into_iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            put(
                &mut body,
                format_args!(
                    "{comma}{{\"index\":{index},\"relevance_score\":{}}}",
                    score as f64 / PARTS as f64
                ),
            );
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
    fn the_best_come_first() {
        let scores = Scores {
            id: "7".to_owned(),
            model: "m".to_owned(),
            listed: Listed {
                items: 5,
                results: 3,
                dimensions: 0,
                base64: false,
                key: 9,
            },
        };
        let body = scores.body(None);
        let answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        let results = answer["results"].as_array().expect("a list");
        assert_eq!(results.len(), 3);
        let score = |n: usize| results[n]["relevance_score"].as_f64().expect("a score");
        assert!(score(0) >= score(1) && score(1) >= score(2));
        assert!(answer.get("usage").is_none());
    }
}
