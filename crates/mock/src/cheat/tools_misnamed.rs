//! `tools-misnamed`: calls name tools that were not given, half of them with an argument that the tool does not have.

use super::stages::Intent;
use super::trick::{Acts, CORRUPTION, Trick};
use crate::content::Wish;
use infermeter_core::seed::splitmix64;

pub(super) const TRICK: Trick = Trick {
    name: "tools-misnamed",
    share: CORRUPTION,
    above: 0,
    acts: Acts::Intent(act),
};

fn act(intent: &mut Intent) -> bool {
    let draw = splitmix64(intent.key ^ 0x746f_6f6c_7300_0000);
    match &mut intent.wish {
        Wish::Call { name, schema } => {
            *name = misnamed(name);
            if draw & 1 == 0 {
                *schema = Some(serde_json::json!({
                    "type": "object", "properties": {"input": {"type": "string"}}
                }));
            }
        }
        Wish::CallExactly { name, arguments } => {
            *name = misnamed(name);
            if draw & 1 == 0 {
                *arguments = "{\"input\": \"\"}".to_owned();
            }
        }
        Wish::Words | Wish::Json(_) | Wish::Exactly(_) | Wish::Answer { .. } => return false,
    }
    true
}

/// A name as models make one up: `get_weather` becomes `getWeather`, and what has no second part gets one.
fn misnamed(name: &str) -> String {
    let mut parts = name.split('_').filter(|part| !part.is_empty());
    let first = parts.next().unwrap_or("call").to_owned();
    let camel = parts.fold(first, |whole, part| {
        let (head, tail) = part.split_at(part.chars().next().map_or(0, char::len_utf8));
        whole + &head.to_uppercase() + tail
    });
    match camel == name {
        true => format!("{name}_tool"),
        false => camel,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_another_one() {
        for (name, other) in [
            ("get_weather", "getWeather"),
            ("look", "look_tool"),
            ("find_next_stop", "findNextStop"),
            ("getWeather", "getWeather_tool"),
            ("", "call"),
        ] {
            assert_eq!(misnamed(name), other);
        }
    }
}
