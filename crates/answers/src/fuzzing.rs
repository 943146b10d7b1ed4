//! Entry points of the fuzz targets `said` and `margins`, also run over their seeds as ordinary tests.
//!
//! It is for tests alone: it panics where a property is broken.

use crate::compare::{Margins, first_difference};
use crate::writing::{Writings, main_writing};
use crate::{Asked, Form, Said, facts};
use infermeter_core::answer::{Doubt, Doubts};
use serde_json::{Value, json};
use std::sync::LazyLock;

/// A form with everything that schemas have to bound: recursion, patterns, alternatives.
static FORM: LazyLock<Form> = LazyLock::new(|| {
    let tree = json!({"type": "object", "required": ["name"], "additionalProperties": false,
        "properties": {"name": {"type": "string", "pattern": "^(a+)+$"}, "count": {"type": "integer", "minimum": 0},
            "children": {"type": "array", "uniqueItems": true, "items": {"$ref": "#"}},
            "kind": {"anyOf": [{"enum": ["x", 1, null]}, {"type": "boolean"}]}}});
    let tools = json!([{"type": "function", "function": {"name": "now"}},
        {"name": "weather", "input_schema": {"type": "object", "required": ["city"],
            "properties": {"city": {"type": "string"}}}}]);
    let form = Form::schema(&tree).expect("a schema");
    form.and(Form::tools(&tools).expect("tools"))
});

/// Checks an answer: its parts have NUL between them. What is found must be the same each time; equal texts have equal
/// hashes whatever was asked; of a forced length it is said that only a part was judged.
pub fn said(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut parts = text.split('\0');
    let mut part = || parts.next().unwrap_or_default();
    let said = Said {
        content: part(),
        calls: part(),
        reasoning: part(),
        refusal: part(),
        first_chunk: Some(part()),
        finish: Some(part()).filter(|finish| !finish.is_empty()),
        output_tokens: None,
    };
    let asked = Asked {
        form: Some(&FORM),
        writings: Some(Writings::of("Tell me a story.")),
        ..Asked::default()
    };
    let found = facts(&asked, &said);
    assert_eq!(facts(&asked, &said), found);
    assert_eq!(Doubts::parse(&found.doubts.text()), Some(found.doubts));
    assert_eq!(found.script, main_writing(said.content));
    let plain = facts(&Asked::default(), &said);
    assert_eq!(
        (plain.text_hash, plain.chars),
        (found.text_hash, found.chars)
    );
    let forced = Asked {
        forced_length: true,
        ..Asked::default()
    };
    let forced = facts(&forced, &said).doubts;
    assert!(said.is_silent() || forced.contains(Doubt::NotJudgedPart));
    assert!(!forced.contains(Doubt::CutAtCap));
}

/// Reads log-probabilities of an answer, and schemas. A margin is known only within the text.
pub fn margins(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else {
        return;
    };
    for name in [
        "tools",
        "response_format",
        "text",
        "structured_outputs",
        "guided_json",
    ] {
        if let Ok(Some(form)) = Form::of_member(name, &value) {
            let asked = Asked {
                form: Some(&form),
                ..Asked::default()
            };
            let said = Said {
                content: "{\"name\": [1, \"a\"]}",
                ..Said::default()
            };
            facts(&asked, &said);
        }
    }
    let places = ["/choices/0/message/content", "/choices/0/text"];
    let content = places
        .iter()
        .find_map(|place| value.pointer(place)?.as_str());
    let content = content.unwrap_or_default();
    if let Some(margins) = Margins::of(&value, content) {
        let chars = u32::try_from(content.chars().count()).unwrap_or(u32::MAX);
        for place in [0, chars / 2, chars.saturating_sub(1)] {
            let margin = margins.at(place);
            assert_eq!(margins.at(place), margin);
        }
    }
    assert_eq!(first_difference(content, content), None);
    let longer = format!("{content}.");
    let chars = u32::try_from(content.chars().count()).ok();
    assert_eq!(first_difference(content, &longer), chars);
}
