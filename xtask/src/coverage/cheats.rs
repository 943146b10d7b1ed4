//! How often a server that cheats is named, and how often an honest one is.
//!
//! The simulator in virtual time, with one parameter that has it cheat, under a load of stated size; everything behind it is
//! that of a run: the texts are read, facts become columns, checks become findings. A cheat counts as named where one of the
//! findings that describe it is there. Invariant: an honest run carries none of them.

use super::Scale;
use super::replicate::replicate;
use super::spoken_run::{Drawn, Form, SpokenLoad, found};
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_analysis::checks;

/// Runs of each cheat.
const RUNS: u64 = 100;
/// Honest runs, over all presets, forms and ways to draw.
const HONEST_RUNS: u64 = 3_000;
/// Runs with a few broken answers.
const FAINT_RUNS: u64 = 200;

/// Requests of a run: of a cheat, of an honest one, of one with few broken answers.
const REQUESTS: u64 = 1_000;
const HONEST_REQUESTS: u64 = 300;
const FAINT_REQUESTS: u64 = 2_000;

/// Share of the runs in which a cheat is named, a false word falls, one broken answer in a hundred is found.
const NAMED: Target = Target::AtLeast(0.98);
const FALSE: Target = Target::AtMost(0.001);
const FOUND: Target = Target::AtLeast(0.95);

/// Requests per second: a dozen or more are in flight at once.
const RATE: f64 = 20.0;

/// A cheat: the simulator that does it, what it is asked, and the findings that name it.
struct Cheat {
    target: &'static str,
    form: Form,
    canaries: Option<&'static str>,
    codes: &'static [&'static str],
}

const fn cheat(target: &'static str, codes: &'static [&'static str]) -> Cheat {
    Cheat {
        target,
        form: Form::Forced,
        canaries: None,
        codes,
    }
}

const fn asked(form: Form, cheat: Cheat) -> Cheat {
    Cheat { form, ..cheat }
}

const fn with_canaries(cheat: Cheat) -> Cheat {
    Cheat {
        canaries: Some("20%"),
        ..cheat
    }
}

const CACHE: &[&str] = &[checks::ANSWERS_EQUAL.code];
const TRUNCATED: &[&str] = &[checks::PROMPT_TRUNCATED.code];
const CHEAPER: &[&str] = &[checks::CANARY_ACCURACY_FALLS.code];
const SHORTER: &[&str] = &[checks::LENGTH_NOT_OBEYED.code];
const USAGE: &[&str] = &[
    checks::USAGE_IMPLAUSIBLE.code,
    checks::TOKEN_COUNTS_DISAGREE.code,
];
const TWICE: &[&str] = &[checks::DUPLICATE_CHUNKS.code];
const BLANK: &[&str] = &[checks::FIRST_TOKEN_BLANK.code];
const BURSTS: &[&str] = &[checks::BURSTY_DELIVERY.code];
const REFUSED: &[&str] = &[checks::ANSWERS_REFUSED_IN_TEXT.code];
const CROSSED: &[&str] = &[checks::ANSWERS_CROSSED.code, checks::ANSWERS_EQUAL.code];
const GARBAGE: &[&str] = &[
    checks::ANSWERS_CORRUPTED.code,
    checks::ANSWERS_CORRUPTED_UNDER_LOAD.code,
];
const SCHEMA: &[&str] = &[checks::SCHEMA_BROKEN.code];
const REASONING: &[&str] = &[checks::REASONING_MISSING.code];
const TOOLS: &[&str] = &[checks::TOOLS_WRONG.code];
const LANGUAGE: &[&str] = &[
    checks::ANSWERS_LANGUAGE_SHIFT.code,
    checks::ANSWERS_CORRUPTED.code,
];

/// The sixteen, in the order of the simulator's documentation.
const CHEATS: [Cheat; 16] = [
    cheat("mock:llama-8b-h100?cheat=response-cache", CACHE),
    with_canaries(cheat("mock:llama-8b-h100?cheat=truncate-prompt", TRUNCATED)),
    with_canaries(cheat("mock:llama-8b-h100?cheat=cheap-above", CHEAPER)),
    cheat("mock:llama-8b-h100?cheat=early-stop", SHORTER),
    cheat("mock:llama-8b-h100?cheat=usage-half", USAGE),
    cheat("mock:llama-8b-h100?cheat=usage-double", USAGE),
    cheat("mock:llama-8b-h100?cheat=duplicate-chunks", TWICE),
    cheat("mock:llama-8b-h100?cheat=blank-first", BLANK),
    cheat("mock:llama-8b-h100?cheat=held-back", BURSTS),
    cheat("mock:llama-8b-h100?cheat=refused-as-200", REFUSED),
    with_canaries(cheat("mock:llama-8b-h100?cheat=crossed", CROSSED)),
    cheat("mock:llama-8b-h100?cheat=garbage-above", GARBAGE),
    asked(
        Form::Schema,
        cheat("mock:llama-8b-h100?cheat=schema-ignored", SCHEMA),
    ),
    asked(
        Form::Natural,
        cheat(
            "mock:llama-8b-h100?reasoning-tokens=12&cheat=reasoning-dropped",
            REASONING,
        ),
    ),
    asked(
        Form::Tools,
        cheat(
            "mock:llama-8b-h100?tool-call-share=1&cheat=tools-misnamed",
            TOOLS,
        ),
    ),
    cheat("mock:llama-8b-h100?cheat=language-flip", LANGUAGE),
];

/// What is false of an honest run, whatever its weight.
const FALSE_WORDS: [&str; 21] = [
    checks::ANSWERS_CORRUPTED.code,
    checks::ANSWERS_CORRUPTED_UNDER_LOAD.code,
    checks::ANSWERS_CROSSED.code,
    checks::ANSWERS_SHORTER_UNDER_LOAD.code,
    checks::FINISH_REASONS_SHIFT.code,
    checks::CANARY_ACCURACY_FALLS.code,
    checks::CANARY_ACCURACY_LOW.code,
    checks::CANARIES_REFUSED.code,
    checks::PROMPT_TRUNCATED.code,
    checks::ANSWERS_EQUAL.code,
    checks::ANSWERS_REFUSED_IN_TEXT.code,
    checks::ANSWERS_LANGUAGE_SHIFT.code,
    checks::ANSWERS_NOT_CHECKED.code,
    checks::FIRST_TOKEN_BLANK.code,
    checks::SCHEMA_BROKEN.code,
    checks::TOOLS_WRONG.code,
    checks::REASONING_LEAKS.code,
    checks::REASONING_MISSING.code,
    checks::USAGE_IMPLAUSIBLE.code,
    checks::DUPLICATE_CHUNKS.code,
    checks::BURSTY_DELIVERY.code,
];

/// Honest simulators, and what they are asked: each with each.
const PRESETS: [&str; 3] = ["fixed", "llama-8b-h100", "llama-70b-8xh100"];
const WAYS: [(&str, Form, Option<&str>); 6] = [
    ("", Form::Forced, None),
    ("", Form::Natural, None),
    ("", Form::Forced, Some("20%")),
    ("", Form::Schema, None),
    ("?tool-call-share=0.5", Form::Tools, None),
    ("?reasoning-tokens=12", Form::Natural, None),
];

/// Runs the rows whose names are wanted.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    for (place, cheat) in CHEATS.iter().enumerate() {
        let name = cheat.name();
        if !table.wants(&name) {
            continue;
        }
        let runs = many(scale.of(RUNS), |seed| {
            found(&cheat.load(), &place.to_string(), seed)
        })?;
        let named = runs.iter().filter(|told| cheat.is_named(told)).count();
        table.share(&name, named, runs.len(), NAMED);
    }
    faint(scale, table)?;
    honest(scale, table)
}

/// One broken answer in a hundred, found without any reference.
fn faint(scale: Scale, table: &mut Table) -> Result<()> {
    let name = format!(
        "1 % of {FAINT_REQUESTS} answers garbage: `{}`",
        checks::ANSWERS_CORRUPTED.code
    );
    if !table.wants(&name) {
        return Ok(());
    }
    let load = SpokenLoad {
        target: "mock:llama-8b-h100?cheat=garbage-above:1%@0",
        form: Form::Forced,
        drawn: Drawn::Sampled,
        canaries: None,
        rate: RATE,
        requests: FAINT_REQUESTS,
    };
    let runs = many(scale.of(FAINT_RUNS), |seed| found(&load, "faint", seed))?;
    let hits = runs
        .iter()
        .filter(|told| says(told, &[checks::ANSWERS_CORRUPTED.code]));
    table.share(&name, hits.count(), runs.len(), FOUND);
    Ok(())
}

/// Servers that do nothing wrong.
fn honest(scale: Scale, table: &mut Table) -> Result<()> {
    let name = format!("honest runs of {HONEST_REQUESTS} requests with a false word");
    if !table.wants(&name) {
        return Ok(());
    }
    let runs = many(scale.of(HONEST_RUNS), |seed| {
        let (target, load) = honest_load(seed);
        let load = SpokenLoad {
            target: &target,
            ..load
        };
        found(&load, "honest", seed)
    })?;
    let mut words: Vec<&str> = Vec::new();
    let mut wrong = 0;
    for told in &runs {
        let own: Vec<&str> = false_words(told).collect();
        wrong += usize::from(!own.is_empty());
        words.extend(own);
    }
    words.sort_unstable();
    words.dedup();
    let which = match words.is_empty() {
        true => String::new(),
        false => format!(" ({})", words.join(", ")),
    };
    table.share(&(name + &which), wrong, runs.len(), FALSE);
    Ok(())
}

/// That of an honest run: each way with each preset, greedy and sampled.
fn honest_load(seed: u64) -> (String, SpokenLoad<'static>) {
    let preset = PRESETS[(seed % 3) as usize];
    let (set, form, canaries) = WAYS[(seed / 3 % 6) as usize];
    let load = SpokenLoad {
        target: "",
        form,
        drawn: match seed / 18 % 2 {
            0 => Drawn::Greedy,
            _ => Drawn::Sampled,
        },
        canaries,
        rate: RATE,
        requests: HONEST_REQUESTS,
    };
    (format!("mock:{preset}{set}"), load)
}

/// `one(seed)` for so many seeds, with the first error.
fn many(count: u64, one: impl Fn(u64) -> Result<Vec<String>> + Sync) -> Result<Vec<Vec<String>>> {
    replicate(count, one).into_iter().collect()
}

fn says(told: &[String], codes: &[&str]) -> bool {
    told.iter().any(|code| codes.contains(&code.as_str()))
}

fn false_words(told: &[String]) -> impl Iterator<Item = &str> {
    let codes = told.iter().map(String::as_str);
    codes.filter(|code| FALSE_WORDS.contains(code))
}

impl Cheat {
    /// Its name in the table.
    fn name(&self) -> String {
        let codes: Vec<String> = self.codes.iter().map(|code| format!("`{code}`")).collect();
        let cheat = self
            .target
            .rsplit_once("cheat=")
            .map_or(self.target, |(_, name)| name);
        format!("{cheat}, {REQUESTS} requests: {}", codes.join(" or "))
    }

    fn load(&self) -> SpokenLoad<'_> {
        SpokenLoad {
            target: self.target,
            form: self.form,
            drawn: Drawn::Sampled,
            canaries: self.canaries,
            rate: RATE,
            requests: REQUESTS,
        }
    }

    /// One of its findings is there.
    fn is_named(&self, told: &[String]) -> bool {
        says(told, self.codes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of each cheat, with fewer requests.
    #[test]
    fn each_cheat_is_named() {
        for (place, cheat) in CHEATS.iter().enumerate() {
            let load = SpokenLoad {
                requests: 400,
                ..cheat.load()
            };
            let told = found(&load, &format!("test-{place}"), 7).expect("measured");
            assert!(cheat.is_named(&told), "{}: {told:?}", cheat.name());
        }
    }

    /// A run of each honest way.
    #[test]
    fn honest_runs_are_not_accused() {
        for seed in [0, 4, 8, 9, 13, 17, 24, 33] {
            let (target, load) = honest_load(seed);
            let load = SpokenLoad {
                target: &target,
                requests: 150,
                ..load
            };
            let told = found(&load, "test-honest", seed).expect("measured");
            let words: Vec<&str> = false_words(&told).collect();
            assert!(words.is_empty(), "{target} {load:?}: {words:?}");
        }
    }
}
