//! Names, and the shape of the preset that follows published figures.

use super::*;
use crate::engine::{Engine, EngineRequest, Finish, Fleet, SequenceId};
use crate::virtual_time::{Lognormal, OpenLoop, Sorted, run};

#[test]
fn every_listed_name_parses_to_itself_and_can_run() {
    for name in Preset::NAMES {
        let preset = Preset::parse(name).expect("listed");
        assert_eq!(preset.name, name);
        assert_eq!(preset.engine.check(preset.max_model_len), Ok(()), "{name}");
        assert!(preset.model.starts_with("mock/"));
    }
}

#[test]
fn a_near_miss_is_suggested_and_all_are_listed() {
    let error = Preset::parse("llama-8b-h10").expect_err("no such preset");
    assert_eq!(
        error.to_string(),
        "unknown preset `llama-8b-h10` (did you mean `llama-8b-h100`?): one of llama-8b-h100, \
         llama-8b-a100, llama-8b-l40s, llama-8b-l4, qwen-32b-h100, mixtral-8x7b-2xh100, \
         llama-70b-8xh100, llama-405b-8xh200, fixed, null"
    );
    let suggested = |name| match Preset::parse(name) {
        Err(PresetError::Unknown { suggestion, .. }) => suggestion,
        Ok(preset) => panic!("{} exists", preset.name),
    };
    assert_eq!(suggested("llama-8b"), Some("llama-8b-h100"), "the default");
    assert_eq!(suggested("lama-70b-8xh100"), Some("llama-70b-8xh100"));
    assert_eq!(suggested("qqq\u{1b}[2J"), None);
    let error = Preset::parse("qqq\u{1b}[2J").expect_err("no such preset");
    assert!(!error.to_string().contains('\u{1b}'));
}

fn within_15_percent(got: f64, published: f64, what: &str) {
    let ratio = got / published;
    assert!(
        (0.85..=1.15).contains(&ratio),
        "{what}: {got} for {published}"
    );
}

#[test]
fn the_70b_preset_takes_the_published_time_for_a_decode_step() {
    let preset = Preset::parse("llama-70b-8xh100").expect("a preset");
    for (batch, step_ms, tokens_per_s) in [(128_u32, 44.0, 2_900.0), (512, 83.0, 6_200.0)] {
        let mut engine = Engine::new(preset.engine.clone());
        for id in 0..batch {
            let request = EngineRequest {
                id: SequenceId(id.into()),
                prompt_tokens: 300,
                output_tokens: 100,
                finish: Finish::Length,
                blocks: [].into(),
                adapter: None,
            };
            assert_eq!(engine.arrive(0, request), Ok(()));
        }
        let (mut emissions, mut ends) = (Vec::new(), Vec::new());
        while let Some(deadline) = engine.next_deadline() {
            emissions.clear();
            engine.step(deadline, &mut emissions);
            if emissions.len() == batch as usize {
                ends.push(deadline);
            }
        }
        let decode_ms = (ends[2] - ends[1]) as f64 / 1e6;
        within_15_percent(decode_ms, step_ms, "a step in ms");
        within_15_percent(f64::from(batch) / decode_ms * 1e3, tokens_per_s, "tokens/s");
    }
}

/// TTFT p50 and p99 in ms, and tokens/s, over five minutes behind half a minute of warm-up.
fn load_70b(rate: f64) -> (f64, f64, f64) {
    let preset = Preset::parse("llama-70b-8xh100").expect("a preset");
    let lengths = |mean| Lognormal { mean, sigma: 0.8 };
    let window_ns = 30_000_000_000..330_000_000_000;
    let load = OpenLoop::new(rate, lengths(220.0), lengths(160.0), 1);
    let mut source = Sorted::new(load.take_while(|(at, _)| *at < window_ns.end));
    let (mut ttft, mut tokens) = (Vec::new(), 0);
    run(&mut Fleet::new(preset.engine, 1), &mut source, |answered| {
        if window_ns.contains(&answered.arrived_ns) {
            ttft.extend(answered.ttft_ns());
        }
        let in_window = answered
            .bursts
            .iter()
            .filter(|b| window_ns.contains(&b.at_ns));
        tokens += in_window.map(|burst| burst.tokens).sum::<u32>();
    });
    ttft.sort_unstable();
    let quantile = |q: f64| ttft[(ttft.len() as f64 * q) as usize] as f64 / 1e6;
    (quantile(0.5), quantile(0.99), f64::from(tokens) / 300.0)
}

#[test]
fn the_70b_preset_has_the_published_shape_under_load() {
    let (p50, p99, tokens_per_s) = load_70b(20.0);
    within_15_percent(p50, 92.0, "TTFT p50 at 20/s");
    within_15_percent(p99, 180.0, "TTFT p99 at 20/s");
    within_15_percent(tokens_per_s, 3_200.0, "tokens/s at 20/s");
    let (below, above) = (load_70b(25.0).1, load_70b(35.0).1);
    assert!(below < 500.0, "p99 at 25/s: {below}");
    assert!(above > 500.0, "p99 at 35/s: {above}");
}
