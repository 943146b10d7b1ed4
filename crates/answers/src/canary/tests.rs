//! Canaries: what is right however it is dressed, and what is not.

use super::*;
use std::collections::BTreeSet;

fn said<'a>(canary: &Canary, text: &'a str) -> Said<'a> {
    let (content, calls) = match canary.kind {
        QuestionKind::Tool => ("", text),
        _ => (text, ""),
    };
    Said {
        content,
        calls,
        finish: Some("stop"),
        output_tokens: Some(1),
        ..Said::default()
    }
}

fn right(canary: &Canary, text: &str) -> Option<bool> {
    canary.is_right(&said(canary, text))
}

fn canaries(seed: u64, count: u32) -> Vec<Canary> {
    (0..count)
        .map(|row| Canary::of(seed, row, Abilities::Tools))
        .collect()
}

/// What a good model would say.
fn good(canary: &Canary) -> String {
    match &canary.expected {
        Expected::Marker(marker) => marker.clone(),
        Expected::Number(number) => number.to_string(),
        Expected::Words(words) => words.join(", "),
        Expected::Members(members) => {
            let members = members
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()));
            Value::Object(members.collect()).to_string()
        }
        Expected::Call(call) => call.made(),
    }
}

#[test]
fn good_answers_are_right_however_they_are_dressed() {
    for canary in canaries(5, 140) {
        let good = good(&canary);
        assert_eq!(right(&canary, &good), Some(true), "{} {good}", canary.text);
        if canary.kind == QuestionKind::Tool {
            continue;
        }
        for dressed in [
            format!("The answer is:\n\n**{good}**."),
            format!("```\n{good}\n```\n"),
            format!("Sure! Here you go: {good}"),
            format!("Die Antwort lautet {good}."),
            format!("\u{7b54}\u{6848}\u{662f}\u{ff1a}{good}\u{3002}"),
            format!("\u{627}\u{644}\u{62c}\u{648}\u{627}\u{628}: {good}\u{61f}"),
        ] {
            assert_eq!(
                right(&canary, &dressed),
                Some(true),
                "{} {dressed}",
                canary.text
            );
        }
    }
}

#[test]
fn markers_may_lose_their_brackets_and_lists_their_case() {
    for canary in canaries(6, 70) {
        let dressed = match &canary.expected {
            Expected::Marker(marker) => format!("`{}`", marker.trim_matches(['[', ']'])),
            Expected::Words(words) => words.join("\n- ").to_uppercase(),
            Expected::Number(number) => format!("{number}.0"),
            Expected::Members(_) | Expected::Call(_) => continue,
        };
        assert_eq!(
            right(&canary, &dressed),
            Some(true),
            "{} {dressed}",
            canary.text
        );
    }
}

#[test]
fn other_answers_are_wrong() {
    let canaries = canaries(9, 70);
    for (place, canary) in canaries.iter().enumerate() {
        for wrong in [
            "",
            "I do not know.",
            "[[AAAAAA-BBBBBB]]",
            "123456",
            "!!!!!!!!!!",
            "{}",
            "get_weather{}",
        ] {
            assert_eq!(right(canary, wrong), Some(false), "{}", canary.text);
        }
        // Of another request of its kind.
        let other = &canaries[(place + 7) % canaries.len()];
        if good(other) != good(canary) {
            assert_eq!(right(canary, &good(other)), Some(false), "{}", canary.text);
        }
    }
}

#[test]
fn an_answer_that_was_cut_or_refuses_or_has_no_text_is_right_or_not_known() {
    for canary in canaries(1, 14) {
        let good = good(&canary);
        let cut = |text| Said {
            finish: Some("length"),
            ..said(&canary, text)
        };
        assert_eq!(canary.is_right(&cut("Let me think about")), None);
        assert_eq!(canary.is_right(&cut(&good)), Some(true));
        let refused = Said {
            refusal: "I cannot help with that.",
            finish: Some("stop"),
            ..Said::default()
        };
        assert_eq!(canary.is_right(&refused), None);
        let silent = Said {
            output_tokens: Some(20),
            finish: Some("stop"),
            ..Said::default()
        };
        assert_eq!(canary.is_right(&silent), None);
    }
}

#[test]
fn answers_of_megabytes_are_read_at_their_beginning() {
    let long = "0 word [[ { ".repeat(300_000);
    for canary in canaries(2, 7) {
        assert_eq!(right(&canary, &long), Some(false), "{}", canary.text);
    }
    let copy = Canary::of(2, 0, Abilities::Text);
    assert_eq!(right(&copy, &format!("{} {long}", good(&copy))), Some(true));
}

#[test]
fn a_call_has_the_arguments_and_no_others_and_is_the_only_one() {
    let canary = Canary::of(3, 6, Abilities::Tools);
    let good = good(&canary);
    assert_eq!(canary.kind, QuestionKind::Tool);
    assert_eq!(canary.members.len(), 1);
    assert!(canary.text.contains("Call the tool"));
    for wrong in [
        format!("{good}{good}"),
        format!("my_{good}"),
        good.replace('}', ",\"more\":1}"),
        good.replace('{', "{\"city"),
        good[..good.len() - 1].to_owned(),
    ] {
        assert_eq!(right(&canary, &wrong), Some(false), "{wrong}");
    }
    let spoken = Said {
        content: &good,
        finish: Some("stop"),
        ..Said::default()
    };
    assert_eq!(
        canary.is_right(&spoken),
        Some(false),
        "it is to be called, not told"
    );
}

#[test]
fn questions_differ_and_their_marker_is_their_own() {
    let of = |row| Canary::of(3, row, Abilities::Text);
    let texts: BTreeSet<String> = (0..600).map(|row| of(row).text).collect();
    assert!(texts.len() > 450, "{}", texts.len());
    assert_eq!(of(8), of(8));
    let needle = of(1);
    assert!(
        needle
            .needle
            .as_ref()
            .is_some_and(|n| n.contains(needle.marker().expect("one")))
    );
    assert!((0..600).all(|row| (0.05..=0.95).contains(&of(1 + 6 * row).depth)));
    assert!((0..600).all(|row| of(row).kind != QuestionKind::Tool));
}
