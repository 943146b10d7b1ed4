//! Whom rules strike, and what each cheat does to an answer between its prompt and its first token.

use super::*;
use crate::api::{Ask, Reception};
use crate::config::Config;
use crate::content::Part;
use crate::engine::Finish;
use crate::preset::Preset;
use infermeter_core::plan::Endpoint;

/// A simulator that has read requests.
struct Simulator {
    config: Config,
    desk: Desk,
}

impl Simulator {
    fn new(rules: &[&str]) -> Self {
        let mut config = Config::new(Preset::parse("llama-8b-h100").expect("a preset"));
        let rules = rules.iter().map(|text| text.parse().expect("a rule"));
        config.cheats = rules.collect();
        Self {
            config,
            desk: Desk::default(),
        }
    }

    fn ask(&mut self, others: u32, body: &str) -> Ask {
        let reception = Reception {
            config: &self.config,
            block_size: None,
            others,
            desk: &mut self.desk,
        };
        Ask::received(Endpoint::Chat, body.as_bytes(), reception).expect("acceptable")
    }
}

fn body(text: &str, more: &str) -> String {
    format!(
        r#"{{"messages":[{{"role":"user","content":{}}}],"stream":true,"max_tokens":400{more}}}"#,
        serde_json::Value::from(text)
    )
}

/// All that an answer says, and its parts in order.
fn said(ask: &Ask) -> (String, Vec<Part>) {
    let mut script = ask.script.clone();
    let (mut text, mut parts) = (String::new(), Vec::new());
    for _ in 0..ask.length.visible() {
        parts.push(script.part());
        text.push_str(script.next());
    }
    parts.dedup();
    let quoted = format!("\"{text}\"");
    (serde_json::from_str(&quoted).expect("JSON text"), parts)
}

fn names(ask: &Ask) -> Vec<&'static str> {
    ask.cheats.iter().map(Cheat::name).collect()
}

const MARKER: &str = "Answer with this marker and nothing else: [[ABCDEF-GHJKLM]]";
const SUM: &str = "What is 12 plus 30? Answer with the number and nothing else.";
const SCHEMA: &str = r#","response_format":{"type":"json_schema","json_schema":{"schema":
    {"type":"object","properties":{"city":{"type":"string"}}}}}"#;
const TOOLS: &str = r#","tools":[{"type":"function","function":{"name":"get_weather",
    "parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]"#;

#[test]
fn names_are_those_of_the_table_in_its_order() {
    for (place, cheat) in Cheat::ALL.into_iter().enumerate() {
        assert_eq!(cheat as usize, place);
        assert_eq!(Cheat::find(cheat.name()), Some(cheat));
        let mut set = CheatSet::default();
        set.insert(cheat);
        assert_eq!(set.iter().collect::<Vec<_>>(), [cheat]);
    }
}

#[test]
fn a_share_of_the_answers_is_struck_above_a_load() {
    let rule = |text: &str| text.parse::<CheatRule>().expect("a rule");
    let rules = [rule("early-stop:20%@4"), rule("usage-half")];
    let struck = |number, in_flight| {
        let visit = Visit { number, in_flight };
        Struck::of(&rules, 3, visit).by
    };
    assert!((1..100).all(|number| struck(number, 4).iter().count() == 1));
    let early = (1..=2_000)
        .filter(|n| struck(*n, 5).iter().count() == 2)
        .count();
    // 400 expected, with a standard deviation of 18.
    assert!((330..470).contains(&early), "{early}");
    assert_eq!(struck(7, 9), struck(7, 5), "by its number alone");
}

#[test]
fn honest_answers_are_untouched_by_rules_that_do_not_strike() {
    let all: Vec<String> = Cheat::ALL
        .into_iter()
        .map(|cheat| format!("{}@1000", cheat.name()))
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    for (text, more) in [("one two", ""), (SUM, ""), ("one", SCHEMA), ("one", TOOLS)] {
        let (mut honest, mut ruled) = (Simulator::new(&[]), Simulator::new(&all));
        let (one, other) = (
            honest.ask(3, &body(text, more)),
            ruled.ask(3, &body(text, more)),
        );
        assert_eq!((said(&one), one.length), (said(&other), other.length));
        assert_eq!((one.manner, names(&one)), (other.manner, names(&other)));
    }
}

#[test]
fn a_cache_gives_an_earlier_answer_to_a_prompt_that_looks_alike() {
    let mut simulator = Simulator::new(&["response-cache"]);
    let first = simulator.ask(0, &body("one two three", ""));
    let second = simulator.ask(0, &body("four five six", ""));
    assert_eq!((said(&first), names(&first)), (said(&second), vec![]));
    assert_eq!(
        (names(&second), second.computed_tokens),
        (vec!["response-cache"], 1)
    );
    assert_eq!(second.prompt_tokens, first.prompt_tokens);
    let longer = simulator.ask(0, &body(&" word".repeat(90), ""));
    assert_ne!(said(&longer), said(&first));
}

#[test]
fn of_a_cut_prompt_the_beginning_is_not_known() {
    let mut simulator = Simulator::new(&["truncate-prompt"]);
    let filler = "words and words. ".repeat(60);
    let asked = "What is the marker of the text above? Answer with the marker and nothing else.";
    let early = format!("The marker of this text is [[AB-CD]]. {filler} {asked}");
    let late = format!("{filler} The marker of this text is [[AB-CD]]. {asked}");
    let ask = simulator.ask(0, &body(&early, ""));
    assert!(!said(&ask).0.contains("[["), "{:?}", said(&ask));
    assert_eq!(ask.computed_tokens, ask.prompt_tokens / 2);
    assert!(
        said(&simulator.ask(0, &body(&late, "")))
            .0
            .contains("[[AB-CD]]")
    );
    let short = simulator.ask(0, &body(SUM, ""));
    assert_eq!(
        (names(&short), said(&short).0.contains("42")),
        (vec![], true)
    );
}

#[test]
fn a_cheaper_model_says_less_and_errs_more_above_its_load() {
    let mut honest = Simulator::new(&[]);
    let mut cheap = Simulator::new(&["cheap-above@4"]);
    let (mut longer, mut shorter, mut wrong) = (0, 0, 0);
    for n in 0..200 {
        let sum = format!("What is {n} plus 30? Answer with the number and nothing else.");
        assert!(
            said(&cheap.ask(3, &body(&sum, "")))
                .0
                .contains(&(n + 30).to_string())
        );
        wrong += u32::from(
            !said(&cheap.ask(4, &body(&sum, "")))
                .0
                .contains(&(n + 30).to_string()),
        );
        let words = body(&format!("one {n}"), "");
        longer += honest.ask(9, &words).length.tokens;
        shorter += cheap.ask(9, &words).length.tokens;
    }
    assert!((90..150).contains(&wrong), "{wrong}");
    assert!(shorter * 10 < longer * 8, "{shorter} of {longer}");
}

#[test]
fn answers_stop_early_even_where_the_end_is_ignored() {
    let mut simulator = Simulator::new(&["early-stop"]);
    let ask = simulator.ask(0, &body("one", r#","ignore_eos":true"#));
    assert_eq!(
        (ask.length.visible(), ask.length.finish),
        (200, Finish::Stop)
    );
    assert!(said(&simulator.ask(0, &body(SUM, ""))).0.contains("42"));
}

#[test]
fn manners_are_those_of_their_cheats() {
    let manner = |rule: &str| Simulator::new(&[rule]).ask(0, &body("one two", "")).manner;
    assert_eq!(manner("usage-half").usage_percent, 50);
    assert_eq!(manner("usage-double").usage_percent, 200);
    assert!(manner("duplicate-chunks").twice);
    assert!(manner("held-back").held.is_some());
    let honest = Simulator::new(&[]).ask(0, &body("one two", ""));
    let blank = Simulator::new(&["blank-first"]).ask(0, &body("one two", ""));
    assert!(blank.manner.blank);
    assert_eq!(blank.length.tokens, honest.length.tokens - 1);
    let whole = body("one two", "").replace("\"stream\":true", "\"stream\":false");
    for rule in ["blank-first", "duplicate-chunks", "held-back"] {
        let ask = Simulator::new(&[rule]).ask(0, &whole);
        assert_eq!(
            (ask.manner, names(&ask)),
            (Manner::default(), vec![]),
            "{rule}"
        );
    }
    let half = Manner {
        usage_percent: 50,
        ..Manner::default()
    };
    assert_eq!([0, 1, 2, 3, 10].map(|n| half.claimed(n)), [0, 1, 1, 1, 5]);
}

#[test]
fn errors_come_as_answers() {
    let mut simulator = Simulator::new(&["refused-as-200:1"]);
    let ask = simulator.ask(0, &body("one two", r#","ignore_eos":true"#));
    let text = said(&ask).0;
    let known = ["overloaded", "Too many requests", "Service unavailable"];
    assert!(known.iter().any(|part| text.contains(part)), "{text}");
    assert_eq!((ask.length.finish, ask.computed_tokens), (Finish::Stop, 1));
}

#[test]
fn an_answer_of_another_request_is_that_of_one_in_flight() {
    let mut simulator = Simulator::new(&["crossed:1"]);
    let first = simulator.ask(0, &body(MARKER, ""));
    assert_eq!(names(&first), [] as [&str; 0], "there is no other");
    let second = simulator.ask(1, &body("one two", ""));
    assert_eq!(
        (said(&second), names(&second)),
        (said(&first), vec!["crossed"])
    );
    drop((first, second));
    let third = simulator.ask(0, &body("three", ""));
    assert_eq!(names(&third), [] as [&str; 0], "both have ended");
}

#[test]
fn garbage_goes_on_until_the_limit() {
    let mut simulator = Simulator::new(&["garbage-above:1@2"]);
    assert_eq!(names(&simulator.ask(1, &body("one", ""))), [] as [&str; 0]);
    let mut kinds = [0; 3];
    for n in 0..40 {
        let ask = simulator.ask(2, &body(&format!("one {n}"), ""));
        assert_eq!(
            (ask.length.tokens, ask.length.finish),
            (400, Finish::Length)
        );
        let text = said(&ask).0;
        let tail = &text[text.len() - 60..];
        let kind = match tail {
            _ if tail == "!".repeat(60) => 0,
            _ if text[60..].matches(tail).count() > 2 => 1,
            _ => 2,
        };
        kinds[kind] += 1;
    }
    assert!(kinds.iter().all(|n| *n > 0), "{kinds:?}");
}

#[test]
fn what_was_asked_for_is_not_given() {
    let mut simulator = Simulator::new(&["schema-ignored"]);
    let (mut words, mut others) = (0, 0);
    for n in 0..40 {
        let ask = simulator.ask(0, &body(&format!("one {n}"), SCHEMA));
        match serde_json::from_str::<serde_json::Value>(&said(&ask).0) {
            Ok(object) => {
                assert!(object.get("city").is_none());
                others += 1;
            }
            Err(_) => words += 1,
        }
    }
    assert!(words > 5 && others > 5, "{words} and {others}");
    assert_eq!(names(&simulator.ask(0, &body("one", ""))), [] as [&str; 0]);
    let mut simulator = Simulator::new(&["tools-misnamed:1"]);
    let ask = simulator.ask(0, &body("one", TOOLS));
    let (text, parts) = said(&ask);
    assert!(text.starts_with("getWeather{"), "{text}");
    assert_eq!(parts, [Part::CallName, Part::CallArguments]);
}

#[test]
fn reasoning_is_left_out_and_languages_change() {
    let mut simulator = Simulator::new(&["reasoning-dropped:1"]);
    assert_eq!(names(&simulator.ask(0, &body("one", ""))), [] as [&str; 0]);
    simulator.config.content.reasoning_tokens = 10;
    let ask = simulator.ask(0, &body("one", ""));
    assert_eq!(
        (said(&ask).1, names(&ask)),
        (vec![Part::Content], vec!["reasoning-dropped"])
    );
    let mut simulator = Simulator::new(&["language-flip:1"]);
    let ask = simulator.ask(0, &body("one", r#","ignore_eos":true"#));
    let text = said(&ask).0;
    let (before, behind) = text.split_at(text.find(|c: char| !c.is_ascii()).expect("a flip"));
    let words = before.split_whitespace().count();
    assert!((14..20).contains(&words), "{words}");
    assert!(behind.chars().all(|c| c == ' ' || !c.is_ascii()));
    assert!(said(&simulator.ask(0, &body(SUM, ""))).0.contains("42"));
}

#[test]
fn a_seed_makes_everything_the_same_again() {
    let texts = |seed: u64| {
        let mut simulator =
            Simulator::new(&["language-flip:0.3", "garbage-above:0.3@0", "crossed:0.3"]);
        simulator.config.seed = seed;
        let asks: Vec<Ask> = (0..30)
            .map(|n| simulator.ask(9, &body(&format!("one {n}"), "")))
            .collect();
        let told = asks.iter().map(|ask| (said(ask).0, names(ask)));
        told.collect::<Vec<_>>()
    };
    assert_eq!(texts(1), texts(1));
    assert_ne!(texts(1), texts(2));
}
