//! Answers that were to be JSON, or to call tools.

use super::found_of;
use crate::said::{Asked, Said};
use crate::{Form, FormError};
use infermeter_core::answer::Doubt::{self, *};
use serde_json::{Value, json};

fn as_form(form: &Form, content: &str) -> Vec<Doubt> {
    let asked = Asked {
        form: Some(form),
        ..Asked::default()
    };
    found_of(&asked, content)
}

#[test]
fn json_is_json_alone() {
    let form = Form::json();
    for sound in ["{}", " {\"a\": [1, 2.5e3, null]}\n", "[1]"] {
        assert_eq!(as_form(&form, sound), [], "{sound}");
    }
    for broken in [
        "{\"a\": 1",
        "Sure! {\"a\": 1}",
        "{\"a\": 1} Done.",
        "```json\n{}\n```",
        "{'a': 1}",
        "{\"a\": NaN}",
    ] {
        assert_eq!(as_form(&form, broken), [NotJson], "{broken}");
    }
    assert_eq!(as_form(&form, "42"), [SchemaBroken], "no object");
    assert_eq!(
        as_form(&form, "I'm sorry, but I can't."),
        [Refusal],
        "the model's own"
    );
    let deep = format!("{}1{}", "[{\"a\": ".repeat(200), "}]".repeat(200));
    assert!(as_form(&form, &deep).contains(&NotJudgedPart));
    let large = format!("[{}1]", "1, 22, 333,".repeat(100_000));
    assert!(as_form(&form, &large).contains(&NotJudgedPart));
}

#[test]
fn a_cut_or_a_forced_length_takes_the_end_away() {
    let form = Form::json();
    let found = |content: &str, forced: bool| {
        let asked = Asked {
            form: Some(&form),
            forced_length: forced,
            ..Asked::default()
        };
        let said = Said {
            content,
            finish: Some("length"),
            ..Said::default()
        };
        crate::check::check(&asked, &said)
            .iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(found("{\"a\": [1, 2", false), [CutAtCap]);
    assert_eq!(
        found("Once upon a time there", false),
        [NotJson, CutAtCap],
        "it was none before the cut"
    );
    assert_eq!(found("{\"a\": 1}\n\nAnd then", true), [NotJudgedPart]);
    assert_eq!(
        found("Once upon a time there", true),
        [NotJson, NotJudgedPart]
    );
}

fn city() -> Value {
    json!({"type": "object", "required": ["city"], "additionalProperties": false, "properties": {
        "city": {"type": "string", "pattern": "^[A-Z]"}, "unit": {"enum": ["C", "F"]}}})
}

#[test]
fn schemas_are_judged_in_full() {
    let asked_for = [
        (
            "response_format",
            json!({"type": "json_schema", "json_schema": {"name": "city", "schema": city()}}),
        ),
        (
            "text",
            json!({"format": {"type": "json_schema", "name": "city", "schema": city()}}),
        ),
        (
            "output_config",
            json!({"format": {"type": "json_schema", "schema": city()}}),
        ),
        ("structured_outputs", json!({"json": city()})),
        ("guided_json", json!(city().to_string())),
    ];
    for (name, value) in asked_for {
        let form = Form::of_member(name, &value)
            .expect("a schema")
            .expect("a form");
        assert_eq!(
            as_form(&form, "{\"city\": \"Oslo\", \"unit\": \"C\"}"),
            [],
            "{name}"
        );
        for broken in [
            "{\"town\": \"Oslo\"}",
            "{\"city\": \"oslo\"}",
            "{\"city\": \"Oslo\", \"unit\": \"K\"}",
            "[]",
        ] {
            assert_eq!(as_form(&form, broken), [SchemaBroken], "{name} {broken}");
        }
    }
    let plain = Form::of_member("response_format", &json!({"type": "text"}));
    assert!(plain.expect("no error").is_none());
}

#[test]
fn schemas_that_cannot_be_judged_say_why() {
    let elsewhere = json!({"$ref": "https://example.org/schema.json"});
    let around = json!({"type": "string", "pattern": "^(?!no)"});
    for schema in [elsewhere, around, json!({"type": 3})] {
        let error = Form::schema(&schema).expect_err("no schema");
        assert!(
            error.to_string().contains("not judged by this schema"),
            "{error}"
        );
    }
    assert_eq!(Form::tools(&json!({})).err(), Some(FormError::Tools));
    assert_eq!(
        Form::tools(&json!([{"type": "function"}])).err(),
        Some(FormError::Tools)
    );
}

fn tools() -> Form {
    let tools = json!([
        {"type": "function", "function": {"name": "weather", "parameters": city()}},
        {"name": "weather_map", "input_schema": city()},
        {"type": "function", "name": "now"},
        {"type": "web_search"},
    ]);
    Form::tools(&tools).expect("tools")
}

#[test]
fn calls_name_tools_and_give_what_they_take() {
    let form = tools();
    let calling = |calls: &str, finish: &str| {
        let asked = Asked {
            form: Some(&form),
            ..Asked::default()
        };
        let said = Said {
            calls,
            finish: Some(finish),
            output_tokens: Some(9),
            ..Said::default()
        };
        crate::check::check(&asked, &said)
            .iter()
            .collect::<Vec<_>>()
    };
    let sound = [
        "weather{\"city\": \"Oslo\"}weather{\"city\":\"Rome\",\"unit\":\"C\"}",
        "weather_map{\"city\": \"Oslo\"} now{}",
        "nownowweather{\"city\": \"Oslo\"}now",
        "now",
    ];
    for calls in sound {
        assert_eq!(calling(calls, "tool_calls"), [], "{calls}");
    }
    let broken = [
        ("wheather{\"city\": \"Oslo\"}", ToolUnknown),
        ("now{}later{}", ToolUnknown),
        ("later", ToolUnknown),
        ("weather{\"town\": \"Oslo\"}", ToolArguments),
        ("weather", ToolArguments),
        ("weather{\"city\": ", ToolArguments),
        ("weather{city: Oslo}", ToolArguments),
        ("weather[1]", ToolArguments),
    ];
    for (calls, doubt) in broken {
        assert_eq!(calling(calls, "tool_calls"), [doubt], "{calls}");
    }
    assert_eq!(calling("weather{\"city\": ", "length"), [CutAtCap]);
    assert_eq!(
        as_form(&form, "It rains in Oslo."),
        [],
        "nobody has to call one"
    );
}

#[test]
fn where_names_are_not_said_the_only_tool_is_meant() {
    let form = Form::tools(&json!([{"name": "weather", "parameters": city()}])).expect("tools");
    let asked = Asked {
        form: Some(&form),
        ..Asked::default()
    };
    let found = |calls| {
        let said = Said {
            calls,
            ..Said::default()
        };
        crate::check::check(&asked, &said)
            .iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(found("{\"city\": \"Oslo\"}"), []);
    assert_eq!(found("{\"town\": \"Oslo\"}"), [ToolArguments]);
}
