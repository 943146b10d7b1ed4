//! Settings as texts and JSON, what they change, and what is refused.

use super::*;
use crate::config::Config;
use crate::preset::Preset;

fn config(preset: &str) -> Config {
    Config::new(Preset::parse(preset).expect("a preset"))
}

fn refusal(preset: &str, text: &str) -> String {
    let mut config = config(preset);
    let before = config.clone();
    let error = Settings::from_texts(text.split('&'))
        .and_then(|settings| settings.apply(&mut config))
        .expect_err("refused");
    assert_eq!(config, before, "an error changes nothing");
    error.to_string()
}

#[test]
fn the_table_names_every_field_once_in_order() {
    let fields: Vec<String> = Settings::default().to_full_map().keys().cloned().collect();
    let names: Vec<&str> = SETTINGS.iter().map(|setting| setting.name).collect();
    assert_eq!(fields, names);
}

#[test]
fn what_is_in_force_can_be_set_again() {
    for preset in Preset::NAMES {
        let mut first = config(preset);
        let all = Settings::of(&first);
        all.apply(&mut first).expect("as it was");
        assert_eq!(Settings::of(&first), all);
        let texts: Vec<String> = all
            .to_map()
            .iter()
            .map(|(name, value)| match value {
                Value::String(text) => format!("{name}={text}"),
                Value::Array(items) => {
                    let items: Vec<String> = items.iter().map(Value::to_string).collect();
                    format!("{name}={}", items.join(","))
                }
                other => format!("{name}={other}"),
            })
            .collect();
        let read = Settings::from_texts(texts.iter().map(String::as_str)).expect("texts");
        assert_eq!(read, all);
    }
}

#[test]
fn given_values_reach_the_engine() {
    let mut config = config("llama-8b-h100");
    let text = "max-num-seqs=8&step-base=3ms&step-per-kv-token=0.04ns&max-waiting=5&kv-blocks=9000\
        &speculative-acceptance=0.8,0.5&link-delay=2ms&link-bandwidth=off&jitter=0.1\
        &idle-to-zero=5m&full-status=429&model=7";
    Settings::from_texts(text.split('&'))
        .and_then(|settings| settings.apply(&mut config))
        .expect("fits");
    let params = config.engine_params().expect("fits");
    assert_eq!((params.max_num_seqs, params.max_waiting), (8, Some(5)));
    let kv = params.kv.expect("a cache");
    assert_eq!(
        (kv.blocks, kv.block_size, kv.prefix_cache),
        (9_000, 16, true)
    );
    assert_eq!(params.speculative.expect("drafts").acceptance, [0.8, 0.5]);
    assert_eq!(params.life.idle_to_zero_ns, 300_000_000_000);
    assert_eq!((config.link.delay_ns, config.full_status), (2_000_000, 429));
    assert_eq!(config.model_name(), "7");
    let shown = Settings::of(&config).to_map();
    assert_eq!(shown["step-per-kv-token"], "0.04ns");
    assert_eq!(shown["max-waiting"], 5);
    assert_eq!(shown["link-bandwidth"], "off");
}

#[test]
fn a_refusal_names_the_setting_and_what_to_do() {
    for (preset, text, message) in [
        (
            "fixed",
            "max-nun-seqs=3",
            "unknown setting `max-nun-seqs`: did you mean `max-num-seqs`?",
        ),
        ("fixed", "zzz=3", "unknown setting `zzz`"),
        ("fixed", "seed", "`seed` is not a setting: write NAME=VALUE"),
        (
            "fixed",
            "max-num-seqs=0",
            "max-num-seqs is 0: set it to 1 or more",
        ),
        (
            "llama-8b-h100",
            "step=1ms",
            "step can be set for the preset `fixed` only, not for `llama-8b-h100`",
        ),
        (
            "fixed",
            "kv-block-size=16",
            "kv-block-size: needs a KV cache: give kv-blocks",
        ),
        (
            "fixed",
            "max-waiting=0",
            "max-waiting: must be at least 1, or `off`",
        ),
        (
            "llama-8b-h100",
            "speculative-acceptance=0.5,1.5",
            "the acceptance at position 2 of the draft is 1.5: set it to a probability between 0 and 1",
        ),
        (
            "fixed",
            "full-status=404",
            "full-status: must be 503 or 429",
        ),
        (
            "llama-8b-h100",
            "kv-blocks=100",
            "the KV cache holds 1600 tokens (100 blocks of 16), and one request may have 131072: \
             set max-model-len to 1600 or less, or the KV cache to 8192 blocks or more",
        ),
    ] {
        assert_eq!(refusal(preset, text), message);
    }
    for text in [
        "kv-blocks=0",
        "jitter=-1",
        "jitter=NaN",
        "ttft=-1s",
        "max-num-seqs=-1",
        "step-base=1s",
        "link-bandwidth=-3",
    ] {
        let name = text.split('=').next().expect("a name");
        assert!(refusal("fixed", text).starts_with(name), "{text}");
    }
}

#[test]
fn cheats_add_up_and_are_named_where_they_are_wrong() {
    let mut config = config("fixed");
    let texts = [
        "cheat=early-stop",
        "cheat=garbage-above:5%@4;usage-half",
        "skill=0.9",
    ];
    let settings = Settings::from_texts(texts).expect("settings");
    settings.apply(&mut config).expect("fits");
    assert_eq!(
        Settings::of(&config).to_map()["cheat"],
        serde_json::json!(["early-stop", "garbage-above@4", "usage-half"])
    );
    assert_eq!(config.content.skill, 0.9);
    for (text, part) in [
        (
            "cheat=erly-stop",
            "cheat: unknown cheat `erly-stop` (did you mean `early-stop`?)",
        ),
        (
            "cheat=early-stop:2",
            "cheat: cheat `early-stop:2`: `2` is not a share",
        ),
        ("cheat=early-stop@x", "`x` is not a number of requests"),
        ("cheats=early-stop", "did you mean `cheat`?"),
        ("skill=1.5", "skill must be between 0 and 1"),
        (
            "batch-variance=-1",
            "batch-variance must be between 0 and 1",
        ),
        ("temperature=3", "temperature must be between 0 and 2"),
    ] {
        let error = refusal("fixed", text);
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn some_settings_need_a_start() {
    let live = Settings::from_texts(["max-num-seqs=3", "link-delay=1ms"]).expect("settings");
    assert_eq!(live.check_live(), Ok(()));
    let start = Settings::from_json(br#"{"seed":5}"#).expect("settings");
    assert_eq!(start.check_live(), Err(SettingError::NeedsRestart("seed")));
    assert!(matches!(
        Settings::from_json(b"[1]"),
        Err(SettingError::NoObject(_))
    ));
}
