//! Answers that are sound, and answers that are not.

mod forms;
mod honest;

use crate::said::{Asked, Said};
use crate::writing::Writings;
use infermeter_core::answer::Doubt::{self, *};
use infermeter_core::seed::splitmix64;

fn found(content: &str) -> Vec<Doubt> {
    let asked = Asked {
        writings: Some(Writings::of("english")),
        ..Asked::default()
    };
    found_of(&asked, content)
}

fn found_of(asked: &Asked<'_>, content: &str) -> Vec<Doubt> {
    let said = Said {
        content,
        finish: Some("stop"),
        output_tokens: Some(50),
        ..Said::default()
    };
    super::check(asked, &said).iter().collect()
}

const STORY: &str = "The harbour was quiet when the first boats came in. Nobody had expected them before noon, and \
    the men who should have taken the ropes were still asleep in the sheds behind the market. So the captain threw the line \
    himself, missed twice, and laughed about it, which was more than his crew dared to do.";
const RUSSIAN: &str = "Никто не ждал их раньше полудня, и люди спали в сараях за рынком.";
const CHINESE: &str = "港口很安静，当第一批船进来的时候，没有人在中午之前等待它们，男人们还在市场后面的棚子里睡觉，船长自己扔了绳子";

/// Words of letters at random.
fn noise(words: u64) -> String {
    let word = |n: u64| {
        let bits = splitmix64(n);
        let letters = (0..7).map(move |place| char::from(b'a' + (bits >> (8 * place)) as u8 % 26));
        letters.collect::<String>()
    };
    (0..words).map(word).collect::<Vec<_>>().join(" ")
}

/// Printable signs at random.
fn signs(count: u64) -> String {
    let sign = |n: u64| char::from(b'!' + (splitmix64(n) % 94) as u8);
    (0..count).map(sign).collect()
}

/// Fragments of words in several writing systems.
fn fragments() -> String {
    let all = [
        " the",
        "ово",
        " 株",
        "ing",
        "कार",
        " über",
        "ция",
        "λο",
        "た",
        " of",
        "ства",
        "ება",
        "ment",
    ];
    (0..120)
        .map(|n| all[(splitmix64(n) % all.len() as u64) as usize])
        .collect()
}

/// As if its bytes were characters.
fn misread(text: &str) -> String {
    text.bytes().map(char::from).collect()
}

#[test]
fn loops_are_named() {
    let cases = [
        ("!".repeat(90), OneCharacter),
        ("é".repeat(60), OneCharacter),
        (format!("{STORY}{}", "\n".repeat(500)), OneCharacter),
        (
            format!("{STORY} {}", "and then he said ".repeat(40)),
            RepetitionLoop,
        ),
        ("the the ".repeat(40), RepetitionLoop),
        ("! ? ".repeat(60), RepetitionLoop),
        ("сказал он, и ".repeat(20), RepetitionLoop),
        ("我不知道。".repeat(20), RepetitionLoop),
        (STORY.repeat(6), RepetitionLoop),
        // Its end is cut within the period.
        (
            format!("{}and th", "and the night, ".repeat(20)),
            RepetitionLoop,
        ),
        (
            format!("{}{STORY}", "and then he said ".repeat(100)),
            RepetitionLoop,
        ),
        ("0, ".repeat(900), RepetitionLoop),
    ];
    for (text, doubt) in cases {
        assert_eq!(found(&text), [doubt], "{text}");
    }
}

#[test]
fn broken_answers_are_named() {
    let cases = [
        (format!("{STORY} caf\u{fffd} au lait"), ReplacementCharacter),
        (format!("{STORY} \u{1}"), ReplacementCharacter),
        (noise(30), Gibberish),
        (format!("{STORY} {}", noise(25)), Gibberish),
        (format!("{} {STORY}", noise(25)), Gibberish),
        (signs(400), Gibberish),
        (fragments(), Gibberish),
        (STORY.replace(' ', "Ġ"), Gibberish),
        ("   \n".to_owned(), NoText),
    ];
    for (text, doubt) in cases {
        assert_eq!(found(&text), [doubt], "{text}");
    }
    // Read as Windows-1252 the bytes of letters become signs, and some of them control characters.
    let wrong = misread("Жил-был у самого синего моря старик со своею старухой.");
    assert!(found(&wrong).contains(&Gibberish), "{wrong}");
}

#[test]
fn flips_are_named_where_nobody_asked_for_them() {
    for second in [RUSSIAN, CHINESE] {
        assert_eq!(found(&format!("{STORY} {second}")), [ScriptFlip]);
        let back = format!("{STORY} {} {STORY}", second.repeat(3));
        assert!(found(&back).contains(&ScriptFlip), "{back}");
        let asked_for = [
            "Translate it, please.",
            "Write a story, first in English, then in Russian and in Mandarin.",
            "港口 и море",
        ];
        for prompt in asked_for {
            let asked = Asked {
                writings: Some(Writings::of(prompt)),
                ..Asked::default()
            };
            assert_eq!(
                found_of(&asked, &format!("{STORY} {second}")),
                [],
                "{prompt}"
            );
        }
        assert_eq!(
            found_of(&Asked::default(), &format!("{STORY} {second}")),
            [],
            "no prompt is known"
        );
        assert_eq!(
            found(&format!("{second} {STORY}")),
            [],
            "into Latin letters nothing flips"
        );
    }
    // The name of a language in the filler of a long prompt says nothing.
    let long = format!("{0} chinese {0}", "word ".repeat(600));
    let asked = Asked {
        writings: Some(Writings::of(&long)),
        ..Asked::default()
    };
    assert_eq!(
        found_of(&asked, &format!("{STORY} {CHINESE}")),
        [ScriptFlip]
    );
    let named = format!(
        "Certainly! Here is a sentence for you, and it is written in simple Russian: {RUSSIAN}"
    );
    assert_eq!(found(&named), [], "the answer says so itself");
}

#[test]
fn what_is_no_answer_is_named() {
    let cases = [
        ("{\"error\": {\"message\": \"overloaded\"}}", ErrorText),
        (
            "{\"object\": \"error\", \"message\": \"The model is gone.\", \"code\": 404}",
            ErrorText,
        ),
        ("{\"detail\":\"Internal Server Error\"}", ErrorText),
        ("Internal Server Error", ErrorText),
        ("502 Bad Gateway", ErrorText),
        ("HTTP 429: Too Many Requests", ErrorText),
        (
            "Rate limit exceeded. Please try again in 20 seconds.",
            ErrorText,
        ),
        (
            "upstream connect error or disconnect/reset before headers. reset reason: overflow",
            ErrorText,
        ),
        (
            "<html>\n<head><title>503 Service Temporarily Unavailable</title></head><body></body></html>",
            ErrorText,
        ),
        ("I'm sorry, but I can't help with that.", Refusal),
        ("I’m sorry, but I’m not able to discuss it.", Refusal),
        ("As an AI language model, I cannot do that.", Refusal),
        (
            "Es tut mir leid, aber dabei kann ich nicht helfen.",
            Refusal,
        ),
        ("Lo siento, pero no puedo ayudarte con eso.", Refusal),
        ("Je suis désolé, mais je ne peux pas répondre.", Refusal),
        ("抱歉，我无法回答这个问题。", Refusal),
        (
            "申し訳ありませんが、そのご質問にはお答えできません。",
            Refusal,
        ),
        ("죄송하지만 도와드릴 수 없습니다.", Refusal),
        ("Извините, но я не могу с этим помочь.", Refusal),
    ];
    for (text, doubt) in cases {
        assert_eq!(found(text), [doubt], "{text}");
    }
}

#[test]
fn leaks_and_markers_are_named() {
    let marker = crate::marker::marker(7);
    let cases = [
        (format!("<think>Let me see.</think> {STORY}"), ReasoningLeak),
        (format!("Let me see.\n</think>\n\n{STORY}"), ReasoningLeak),
        (format!("{STORY}<|eot_id|>"), ReasoningLeak),
        (
            format!("<|channel|>analysis<|message|>{STORY}"),
            ReasoningLeak,
        ),
        (
            format!("analysisThe user asks for a story.assistantfinal{STORY}"),
            ReasoningLeak,
        ),
        (format!("{STORY} [/INST]"), ReasoningLeak),
        (format!("{STORY}<｜end▁of▁sentence｜>"), ReasoningLeak),
        (format!("Of course: {marker}"), ForeignMarker),
    ];
    for (text, doubt) in cases {
        assert_eq!(found(&text), [doubt], "{text}");
    }
    let own = Asked {
        own_marker: Some(&marker),
        ..Asked::default()
    };
    assert_eq!(found_of(&own, &format!("Of course: {marker}")), []);
    let reasons = Asked {
        reasons: true,
        ..Asked::default()
    };
    assert_eq!(found_of(&reasons, STORY), [ReasoningMissing]);
}

#[test]
fn behind_a_forced_end_nothing_is_judged() {
    let asked = Asked {
        forced_length: true,
        ..Asked::default()
    };
    let beyond = [
        "and so on ".repeat(80),
        noise(60),
        "<|im_start|>user".to_owned(),
        "\u{fffd}".to_owned(),
    ];
    for beyond in beyond {
        assert_eq!(
            found_of(&asked, &format!("{STORY} {beyond}")),
            [NotJudgedPart],
            "{beyond}"
        );
    }
    assert_eq!(
        found_of(&asked, &"!".repeat(300)),
        [OneCharacter, NotJudgedPart]
    );
    assert_eq!(found_of(&asked, &noise(60)), [Gibberish, NotJudgedPart]);
}

#[test]
fn silence_is_told_apart() {
    let silent = |finish, output_tokens| {
        let said = Said {
            finish,
            output_tokens,
            ..Said::default()
        };
        super::check(&Asked::default(), &said)
            .iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(silent(Some("stop"), Some(1)), [Empty]);
    assert_eq!(silent(Some("stop"), None), [Empty]);
    assert_eq!(silent(Some("length"), Some(64)), [NoText]);
    let thought_alone = Said {
        reasoning: "I should say something.",
        finish: Some("stop"),
        ..Said::default()
    };
    let found: Vec<Doubt> = super::check(&Asked::default(), &thought_alone)
        .iter()
        .collect();
    assert_eq!(found, [Empty]);
}

#[test]
fn beginnings_and_ends_are_facts() {
    let said = Said {
        content: STORY,
        first_chunk: Some("\u{200b}\n"),
        finish: Some("length"),
        ..Said::default()
    };
    let found: Vec<Doubt> = super::check(&Asked::default(), &said).iter().collect();
    assert_eq!(found, [BlankStart, CutAtCap]);
    assert!(!super::check(&Asked::default(), &said).are_corrupt());
    let half = format!("{STORY} caf\u{fffd}");
    let cut = Said {
        content: &half,
        ..said
    };
    let found: Vec<Doubt> = super::check(&Asked::default(), &cut).iter().collect();
    assert_eq!(
        found,
        [BlankStart, CutAtCap],
        "a cut may go through a character"
    );
}

proptest::proptest! {
    #[test]
    fn anything_can_be_checked(text in "(\\PC|[!a\u{fffd}<|>`\\[{]){0,400}", forced: bool) {
        let asked = Asked { forced_length: forced, ..Asked::default() };
        let said = Said { content: &text, finish: Some("stop"), ..Said::default() };
        let facts = crate::facts(&asked, &said);
        proptest::prop_assert_eq!(facts.chars as usize, text.chars().count());
        proptest::prop_assert_eq!(crate::facts(&asked, &said), facts);
    }

    #[test]
    fn whatever_repeats_itself_to_the_end_is_found(
        period in "[а-я ,.]{1,80}[a-z]", start in "[A-Z ]{0,60}", cut in 0_usize..40,
    ) {
        let times = 7 + (200 + cut) / period.len();
        let whole = format!("{start}{}", period.repeat(times + 1));
        let end = (0..=whole.len() - cut).rev().find(|end| whole.is_char_boundary(*end)).unwrap_or(0);
        proptest::prop_assert!(super::loops::is_loop(&whole[..end]), "{}", whole);
    }

    #[test]
    fn any_bytes_can_be_fuzzed(data: Vec<u8>) {
        crate::fuzzing::said(&data);
        crate::fuzzing::margins(&data);
    }
}
