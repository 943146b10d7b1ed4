//! The sides of a comparison: what each of them has of its own, and the plan that follows.
//!
//! Invariant: sides differ by what was said of each, and by nothing else. They share seeds and salt, but for
//! sides with one server, whose prefix cache would answer the second from what the first has sent.

use crate::cli::Given;
use crate::layers::{self, Resolved};
use crate::{input, validate, values};
use anyhow::{Context, Result, anyhow, bail};
use infermeter_core::plan::Plan;
use infermeter_core::seed::splitmix64;
use infermeter_protocol::CompareFlags;
use infermeter_session::book::AskedRuns;
use infermeter_session::experiment::Experiment;
use infermeter_session::run_id::RunIdentity;
use infermeter_session::{found, tiling};
use serde_json::{Map, Value};
use std::path::Path;

/// Most sides.
const MOST: usize = 26;

/// What follows the subcommand.
pub(crate) enum Words {
    /// Targets, or none.
    Targets(Vec<String>),
    /// Saved runs.
    Paths(Vec<String>),
}

/// One side.
pub struct Side {
    /// What it is called.
    pub name: String,
    /// Its plan.
    pub plan: Plan,
}

/// What one side has of its own, by key.
struct Own {
    name: String,
    keys: Map<String, Value>,
}

impl Words {
    /// What contains `://`, or begins with `mock:` or `unix:`, is a target; all else is a path.
    pub fn of(given: &Given) -> Result<Self> {
        let of_key = |key: &str| given.flags.iter().find(|flag| flag.key == key);
        let texts = |value: &Value| match value {
            Value::Array(list) => list.clone(),
            one => vec![one.clone()],
        };
        let words: Vec<String> = ["target", "more-targets"]
            .into_iter()
            .filter_map(of_key)
            .flat_map(|flag| texts(&flag.value))
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect();
        let targets = words.iter().filter(|word| is_target(word)).count();
        match (targets, words.len()) {
            (targets, words_there) if targets == words_there => Ok(Self::Targets(words)),
            (0, _) => Ok(Self::Paths(words)),
            _ => bail!(
                "compare takes targets or saved runs, not both: {} is a path",
                words
                    .iter()
                    .find(|word| !is_target(word))
                    .map_or("", String::as_str)
            ),
        }
    }
}

fn is_target(word: &str) -> bool {
    word.contains("://") || word.starts_with("mock:") || word.starts_with("unix:")
}

/// The sides of a new comparison; `settle` brings a plan to the first load.
pub fn of(
    given: &Given,
    config: Option<&Path>,
    flags: &CompareFlags,
    targets: &[String],
    settle: &dyn Fn(&mut Plan) -> Result<()>,
) -> Result<Vec<Side>> {
    let with = layers::resolve_with_sides(given, config)?;
    let mut all = match (targets.is_empty(), with.sides.is_empty()) {
        (false, true) => of_targets(targets, flags.aa)?,
        (true, false) => of_file(with.sides)?,
        (false, false) => {
            bail!("the targets stand on the command line and in [[side]]: give one of them")
        }
        (true, true) => of_targets(&file_targets(&with.resolved.plan), flags.aa)?,
    };
    set(&mut all, &flags.side)?;
    let salt = RunIdentity::fresh(with.resolved.plan.salt)?.salt;
    let mut sides: Vec<Side> = Vec::new();
    for own in all {
        let side = side(&with.resolved, own, config, settle)?;
        let shared = sides
            .iter()
            .filter(|other| is_one_server(&other.plan, &side.plan))
            .count();
        let salt = match shared {
            0 => salt,
            shared => salt ^ splitmix64(shared as u64),
        };
        sides.push(Side {
            plan: Plan {
                salt: Some(salt),
                ..side.plan
            },
            ..side
        });
    }
    Ok(sides)
}

/// The sides of a comparison that goes on: what it keeps, and what of it was secret.
pub(crate) fn again(
    given: &Given,
    config: Option<&Path>,
    flags: &CompareFlags,
    asked: &AskedRuns,
    names: &[String],
) -> Result<Vec<Side>> {
    let mut own: Vec<Own> = names.iter().cloned().map(Own::named).collect();
    let tables = layers::sides(config)?;
    if !tables.is_empty() {
        let mut all = of_file(tables)?;
        for known in &mut own {
            if let Some(at) = all.iter().position(|side| side.name == known.name) {
                known.keys = all.swap_remove(at).keys;
            }
        }
    }
    set(&mut own, &flags.side)?;
    let sides = asked.variants.iter().zip(own);
    sides
        .map(|(plan, own)| {
            let mut plan = gone_on(plan, given, config, &own).with_context(|| {
                let name = &own.name;
                format!(
                    "side {name} (--side {name}.KEY=VALUE or --config say what it has of its own)"
                )
            })?;
            input::of_plan(&mut plan, config)?;
            Ok(Side {
                name: own.name,
                plan,
            })
        })
        .collect()
}

/// The plan of a side: what was kept, then what is given for all sides, then what is its own.
fn gone_on(kept: &Plan, given: &Given, config: Option<&Path>, own: &Own) -> Result<Plan> {
    let with_own = |plan: &Plan| -> Result<Plan> {
        let mut map = values::map_of(plan);
        map.extend(own.keys.clone());
        Ok(serde_json::from_value(map.into())?)
    };
    let resolved = layers::resolve_side_over(&with_own(kept)?, given, config)?;
    with_own(&resolved.plan)
}

fn is_one_server(first: &Plan, other: &Plan) -> bool {
    (&first.target, &first.more_targets) == (&other.target, &other.more_targets)
}

fn file_targets(plan: &Plan) -> Vec<String> {
    let first = Some(plan.target.clone()).filter(|target| !target.is_empty());
    first.into_iter().chain(plan.more_targets.clone()).collect()
}

fn names(sides: usize) -> impl Iterator<Item = String> {
    (b'A'..=b'Z')
        .take(sides)
        .map(|letter| char::from(letter).to_string())
}

impl Own {
    fn named(name: String) -> Self {
        Self {
            name,
            keys: Map::new(),
        }
    }
}

fn of_targets(targets: &[String], aa: bool) -> Result<Vec<Own>> {
    let targets: Vec<&String> = match (aa, targets) {
        (true, [one]) => vec![one, one],
        (true, _) => bail!("--aa compares one target with itself: give one"),
        (false, [] | [_]) => bail!(
            "compare needs at least two targets, or saved runs; one alone is compared with itself by --aa"
        ),
        (false, several) => several.iter().collect(),
    };
    if targets.len() > MOST {
        bail!("{} sides are more than {MOST}", targets.len());
    }
    let own = |(name, target): (String, &&String)| {
        let mut own = Own::named(name);
        own.keys
            .insert("target".to_owned(), (**target).clone().into());
        own
    };
    Ok(names(targets.len()).zip(&targets).map(own).collect())
}

/// The tables `[[side]]` of a plan file: keys of the plan, and a name.
fn of_file(tables: Vec<Map<String, Value>>) -> Result<Vec<Own>> {
    if tables.len() < 2 || tables.len() > MOST {
        bail!(
            "the plan file has {} [[side]]: 2 to {MOST} can be compared",
            tables.len()
        );
    }
    let mut all: Vec<Own> = Vec::new();
    for (letter, table) in names(tables.len()).zip(tables) {
        let mut own = Own::named(letter);
        for (name, value) in table {
            match (name.as_str(), value) {
                ("name", Value::String(name)) => own.name = name,
                ("name", _) => bail!("[[side]]: a name is a text"),
                (_, value) => own.add(&name, value).context("[[side]]")?,
            }
        }
        if all.iter().any(|other| other.name == own.name) {
            bail!(
                "[[side]]: two sides are called {}",
                values::shown(&own.name)
            );
        }
        all.push(own);
    }
    Ok(all)
}

/// Keys that belong to the comparison, not to a side, beside those that only show a result.
const COMMON: [&str; 5] = ["strict", "repeat", "until", "salt", "seed"];

/// The key belongs to the comparison.
pub(crate) fn is_common(key: &str) -> bool {
    Plan::is_showing(key) || COMMON.contains(&key)
}

impl Own {
    fn add(&mut self, name: &str, value: Value) -> Result<()> {
        let key = layers::key(name)?;
        if is_common(key.name) {
            bail!(
                "`{}` is the same for every side: give it outside of them",
                key.name
            );
        }
        let value = values::read::<Plan>(key, value).with_context(|| format!("key `{name}`"))?;
        self.keys.insert(key.name.to_owned(), value);
        Ok(())
    }
}

/// Adds what `--side SIDE.KEY=VALUE` says.
fn set(sides: &mut [Own], written: &[String]) -> Result<()> {
    for text in written {
        let parts = text.split_once('=').and_then(|(place, value)| {
            let (side, key) = place.split_once('.')?;
            Some((side, key, value))
        });
        let (side, key, value) = parts.ok_or_else(|| {
            anyhow!(
                "--side {}: write SIDE.KEY=VALUE, as in B.model=llama",
                values::shown(text)
            )
        })?;
        let names: Vec<String> = sides.iter().map(|own| own.name.clone()).collect();
        let own = sides
            .iter_mut()
            .find(|own| own.name == side)
            .ok_or_else(|| {
                anyhow!(
                    "--side {}: the sides are {}",
                    values::shown(text),
                    names.join(", ")
                )
            })?;
        own.add(key, value.into())
            .with_context(|| format!("--side {}", values::shown(text)))?;
    }
    Ok(())
}

/// The plan of one side, checked.
fn side(
    base: &Resolved,
    own: Own,
    config: Option<&Path>,
    settle: &dyn Fn(&mut Plan) -> Result<()>,
) -> Result<Side> {
    let mut map = values::map_of(&base.plan);
    map.insert("more-targets".to_owned(), Value::Array(Vec::new()));
    map.extend(own.keys);
    let checked = |map: Map<String, Value>| -> Result<Plan> {
        let mut plan: Plan = serde_json::from_value(map.into())?;
        tiling::settle(&mut plan)?;
        settle(&mut plan)?;
        let mut one = Resolved {
            plan,
            origins: base.origins.clone(),
        };
        validate::validate(&one)?;
        input::of_plan(&mut one.plan, config)?;
        found::template(&Experiment::of(&one.plan)?.requests)?;
        Ok(one.plan)
    };
    Ok(Side {
        plan: checked(map).with_context(|| format!("side {}", own.name))?,
        name: own.name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[&str]) -> Result<Words> {
        let words = ["infermeter", "compare"].iter().chain(line);
        let words: Vec<String> = words.map(|word| (*word).to_owned()).collect();
        Words::of(
            &crate::cli::parse(&words, &crate::commands::COMMANDS)
                .expect("sound")
                .given,
        )
    }

    fn sides(line: &[&str]) -> Result<Vec<Side>> {
        let words = ["infermeter", "compare"].iter().chain(line);
        let words: Vec<String> = words.map(|word| (*word).to_owned()).collect();
        let given = crate::cli::parse(&words, &crate::commands::COMMANDS)
            .expect("sound")
            .given;
        let flags: CompareFlags = given.read().expect("flags");
        let Words::Targets(targets) = Words::of(&given)? else {
            bail!("paths");
        };
        of(&given, None, &flags, &targets, &|_| Ok(()))
    }

    #[test]
    fn targets_and_paths_are_told_apart() {
        assert!(
            matches!(words(&["http://a", "mock:fixed"]), Ok(Words::Targets(t)) if t.len() == 2)
        );
        assert!(
            matches!(words(&["unix:/s", "https://b", "mock:x"]), Ok(Words::Targets(t)) if t.len() == 3)
        );
        assert!(matches!(words(&["runs/a", "runs/b"]), Ok(Words::Paths(p)) if p.len() == 2));
        assert!(matches!(words(&["--resume", "runs/a"]), Ok(Words::Targets(t)) if t.is_empty()));
        let error = words(&["http://a", "runs/b"])
            .err()
            .expect("mixed")
            .to_string();
        assert!(error.contains("runs/b is a path"), "{error}");
    }

    #[test]
    fn sides_share_everything_that_was_not_said_of_one() {
        let load = ["--rate", "5", "--duration", "5s"];
        let line = [
            &[
                "http://a",
                "http://b",
                "--side",
                "B.model=other",
                "--side",
                "B.gpus=8",
            ],
            &load[..],
        ];
        let found = sides(&line.concat()).expect("sides");
        let [a, b] = &found[..] else {
            panic!("two sides");
        };
        assert_eq!((a.name.as_str(), b.name.as_str()), ("A", "B"));
        assert_eq!(
            (a.plan.target.as_str(), b.plan.target.as_str()),
            ("http://a", "http://b")
        );
        assert_eq!(
            (&a.plan.model, b.plan.model.as_deref()),
            (&None, Some("other"))
        );
        assert!(a.plan.salt.is_some() && a.plan.salt == b.plan.salt);
        assert_eq!((a.plan.gpus, b.plan.gpus), (None, Some(8)));
    }

    #[test]
    fn sides_with_one_server_have_salts_of_their_own() {
        let load = ["--rate", "5", "--duration", "5s"];
        let line = [&["http://a", "--aa"], &load[..]].concat();
        let found = sides(&line).expect("sides");
        assert_eq!(found[0].plan.target, found[1].plan.target);
        assert_ne!(found[0].plan.salt, found[1].plan.salt);
        let line = [&["http://a", "http://a"], &load[..]].concat();
        assert!(
            sides(&line).is_ok(),
            "one target given twice is a test of A against A"
        );
    }

    #[test]
    fn mistakes_are_named() {
        let load = ["--rate", "5", "--duration", "5s"];
        let refused = |line: &[&str], word: &str| {
            let error = sides(&[line, &load[..]].concat()).err().expect(word);
            let error = format!("{error:#}");
            assert!(error.contains(word), "{error}");
        };
        refused(&["http://a"], "--aa");
        refused(&["http://a", "http://b", "--aa"], "give one");
        refused(
            &["http://a", "http://b", "--side", "C.model=x"],
            "the sides are A, B",
        );
        refused(
            &["http://a", "http://b", "--side", "B.modle=x"],
            "did you mean `model`",
        );
        refused(
            &["http://a", "http://b", "--side", "B.seed=2"],
            "same for every side",
        );
        refused(
            &["http://a", "http://b", "--side", "model=x"],
            "write SIDE.KEY=VALUE",
        );
    }
}
