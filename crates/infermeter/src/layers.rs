//! Layers of a plan: defaults, a profile of them, plan file, flags. Each key's value comes from the topmost layer
//! that has it, and its origin is kept.
//!
//! A layer is a map from key to JSON value; the keys are those of [`Plan`]'s table.

use crate::cli::Given;
use crate::values::{self, shown};
use anyhow::{Context, Result, anyhow, bail};
use infermeter_core::key::{Hint, Key, Keyed, hint};
use infermeter_core::plan::Plan;
use infermeter_core::text::closest;
use infermeter_session::redact::HIDDEN;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

/// Longest plan taken from standard input, bytes.
const MAX_PLAN: u64 = 16 << 20;

/// Where a value of the plan comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A named profile of defaults.
    Profile(String),
    /// A line of the plan file.
    File(String),
    /// A flag, as it was written.
    Flag(String),
    /// An experiment that goes on.
    Experiment,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Flag(_) => f.write_str("flag"),
            Self::Experiment => f.write_str("the experiment"),
        }
    }
}

/// A plan with the origin of each key.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The plan.
    pub plan: Plan,
    /// Origin by key.
    pub origins: BTreeMap<String, Origin>,
}

impl Resolved {
    /// Something was asked for: a flag was given, or the value is not the default. (What
    /// `--print-config` prints names every key, and asks for nothing by naming a default.)
    pub fn given(&self, key: &str) -> bool {
        let by_flag = matches!(self.origins.get(key), Some(Origin::Flag(_)));
        by_flag || differs(&values::map_of(&self.plan), key)
    }

    /// A message that names flags, with each name as the user wrote it: another spelling of the flag,
    /// or the key of the plan file.
    pub(crate) fn in_users_words(&self, message: &str) -> String {
        let mut words = String::new();
        let mut file = None;
        let mut rest = message;
        while let Some(at) = rest.find("--") {
            let is_name = |c: char| c.is_ascii_lowercase() || c == '-';
            let name = &rest[at + 2..];
            let name = &name[..name.find(|c| !is_name(c)).unwrap_or(name.len())];
            words.push_str(&rest[..at]);
            match self.origins.get(name) {
                Some(Origin::Flag(written)) => words.push_str(written),
                Some(Origin::File(path)) => {
                    file = Some(path);
                    words.push_str(&format!("`{name}`"));
                }
                _ => words.push_str(&rest[at..at + 2 + name.len()]),
            }
            rest = &rest[at + 2 + name.len()..];
        }
        words.push_str(rest);
        match file {
            Some(path) => format!("plan file {path}: {words}"),
            None => words,
        }
    }
}

/// A value of the plan is not the default.
pub(crate) fn differs(values: &Map<String, Value>, key: &str) -> bool {
    let known = Plan::KEYS.iter().find(|known| known.name == key);
    known.is_some_and(|known| values.get(key) != Some(&(known.default)()))
}

/// Resolves flags and a plan file.
///
/// # Errors
/// With the flag or the file's key that is wrong, and a suggestion where a name is misspelt.
pub(crate) fn resolve(given: &Given, config: Option<&Path>) -> Result<Resolved> {
    over(defaults(), given, PlanFile::read(config)?)
}

/// A plan, and the tables `[[side]]` beside it in its file.
pub(crate) struct WithSides {
    /// The plan.
    pub resolved: Resolved,
    /// The tables, as they are written.
    pub sides: Vec<Map<String, Value>>,
}

/// Resolves flags and a plan file that may have sides.
///
/// # Errors
/// As [`resolve`], and for a `side` that is not a table.
pub(crate) fn resolve_with_sides(given: &Given, config: Option<&Path>) -> Result<WithSides> {
    let mut file = PlanFile::read(config)?;
    let sides = file.take_sides()?;
    Ok(WithSides {
        resolved: over(defaults(), given, file)?,
        sides,
    })
}

/// The tables `[[side]]` of a plan file.
///
/// # Errors
/// Where it cannot be read, and for a `side` that is not a table.
pub(crate) fn sides(config: Option<&Path>) -> Result<Vec<Map<String, Value>>> {
    PlanFile::read(config)?.take_sides()
}

fn table(side: Value) -> Result<Map<String, Value>> {
    match side {
        Value::Object(map) => Ok(map),
        _ => bail!("plan file: a [[side]] holds keys and values, as in `model = \"llama\"`"),
    }
}

/// Resolves flags and a plan file over a plan of an experiment that goes on.
///
/// # Errors
/// As [`resolve`], and for a secret that the experiment does not keep and that is not given again.
pub(crate) fn resolve_over(kept: &Plan, given: &Given, config: Option<&Path>) -> Result<Resolved> {
    over_kept(kept, given, PlanFile::read(config)?)
}

/// The same of a plan file that may have sides, which are left to whoever knows them.
///
/// # Errors
/// As [`resolve_over`].
pub(crate) fn resolve_side_over(
    kept: &Plan,
    given: &Given,
    config: Option<&Path>,
) -> Result<Resolved> {
    let mut file = PlanFile::read(config)?;
    file.take_sides()?;
    over_kept(kept, given, file)
}

fn over_kept(kept: &Plan, given: &Given, file: PlanFile<'_>) -> Result<Resolved> {
    let Layers {
        mut values,
        mut origins,
    } = defaults();
    for (key, value) in values::map_of(kept) {
        if values.get(&key) != Some(&value) {
            origins.insert(key.clone(), Origin::Experiment);
            values.insert(key, value);
        }
    }
    let resolved = over(Layers { values, origins }, given, file)?;
    let values = values::map_of(&resolved.plan);
    let hidden = |key: &&Key| {
        let kept = resolved.origins.get(key.name) == Some(&Origin::Experiment);
        kept && values[key.name].to_string().contains(HIDDEN)
    };
    match Plan::KEYS.iter().find(hidden) {
        Some(key) => bail!(
            "--resume: {} held a secret, which an experiment does not keep: give it again",
            key.written()
        ),
        None => Ok(resolved),
    }
}

/// Values by key, and where each comes from.
struct Layers {
    values: Map<String, Value>,
    origins: BTreeMap<String, Origin>,
}

fn defaults() -> Layers {
    let values = values::defaults::<Plan>();
    let origins = values.keys().map(|key| (key.clone(), Origin::Default));
    Layers {
        origins: origins.collect(),
        values,
    }
}

/// What a plan file says, where there is one.
struct PlanFile<'a> {
    path: Option<&'a Path>,
    values: Map<String, Value>,
}

impl<'a> PlanFile<'a> {
    fn read(path: Option<&'a Path>) -> Result<Self> {
        let values = path.map_or_else(|| Ok(Map::new()), read_file)?;
        Ok(Self { path, values })
    }

    /// The tables of sides; without them it is a plan.
    fn take_sides(&mut self) -> Result<Vec<Map<String, Value>>> {
        match self.values.remove("side") {
            None => Ok(Vec::new()),
            Some(Value::Array(tables)) => tables.into_iter().map(table).collect(),
            Some(_) => bail!("plan file: write [[side]], once for each side"),
        }
    }
}

fn over(below: Layers, given: &Given, file: PlanFile<'_>) -> Result<Resolved> {
    let Layers {
        values: mut merged,
        mut origins,
    } = below;
    let flags = given.flags.iter();
    let named = flags.clone().find(|flag| flag.key == "profile");
    let named = named.map_or_else(|| file.values.get("profile"), |flag| Some(&flag.value));
    if let Some(name) = named.and_then(Value::as_str) {
        for (key, value) in profile(name)? {
            origins.insert((*key).to_owned(), Origin::Profile(name.to_owned()));
            merged.insert((*key).to_owned(), (*value).into());
        }
    }
    if let Some(path) = file.path {
        let place = path.display().to_string();
        for (name, value) in file.values {
            let key = key(&name).with_context(|| format!("plan file {place}"))?;
            let value = values::read::<Plan>(key, value);
            let value = value.with_context(|| format!("plan file {place}: key `{name}`"))?;
            origins.insert(name.clone(), Origin::File(place.clone()));
            merged.insert(name, value);
        }
    }
    for flag in flags {
        let Some(key) = Plan::KEYS.iter().find(|key| key.name == flag.key) else {
            continue;
        };
        let value = values::read::<Plan>(key, flag.value.clone());
        let value = value.with_context(|| flag.written.clone())?;
        origins.insert(flag.key.to_owned(), Origin::Flag(flag.written.clone()));
        merged.insert(flag.key.to_owned(), value);
    }
    let plan = serde_json::from_value(Value::Object(merged))?;
    Ok(Resolved { plan, origins })
}

/// Profiles of defaults, by name: keys and their values as in a plan file.
const PROFILES: [(&str, &[(&str, &str)]); 1] =
    [("production", &[("warmup", "5m"), ("duration", "30m")])];

/// The keys that a profile sets.
fn profile(name: &str) -> Result<&'static [(&'static str, &'static str)]> {
    let known = PROFILES.iter().find(|(known, _)| *known == name);
    known.map(|(_, keys)| *keys).ok_or_else(|| {
        let names = PROFILES.map(|(name, _)| name);
        let near = closest(name, names.into_iter());
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let all = names.join(", ");
        anyhow!(
            "--profile: unknown profile `{}`{near} Known: {all}",
            shown(name)
        )
    })
}

fn read_file(path: &Path) -> Result<Map<String, Value>> {
    let piped = path == Path::new(crate::input::DASH);
    let text = match piped {
        true => std::io::read_to_string(std::io::stdin().take(MAX_PLAN)),
        false => std::fs::read_to_string(path),
    };
    let text = text.with_context(|| format!("plan file {} cannot be read", path.display()))?;
    let yaml = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
    let read = match (yaml, piped) {
        (true, _) => yaml_value(&text),
        // No name tells which of the two it is.
        (false, true) => toml_value(&text).or_else(|wrong| yaml_map(&text).ok_or(wrong)),
        (false, false) => toml_value(&text),
    };
    let value = read.with_context(|| format!("plan file {}", path.display()))?;
    match value {
        Value::Object(map) => Ok(map),
        _ => bail!(
            "plan file {}: expected keys and values, as in `rate = 20`",
            path.display()
        ),
    }
}

/// Messages name the line and never quote it: it may hold a secret.
fn toml_value(text: &str) -> Result<Value> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map_or(1, |before| before.matches('\n').count() + 1);
        anyhow!("line {line}: {}", error.message())
    })
}

/// Keys and values in YAML.
fn yaml_map(text: &str) -> Option<Value> {
    yaml_value(text).ok().filter(Value::is_object)
}

/// As [`toml_value`].
fn yaml_value(text: &str) -> Result<Value> {
    serde_saphyr::from_str(text).map_err(|error| {
        let message = error.without_snippet().to_string();
        let message = message.split(", set DuplicateKeyPolicy").next();
        let message = message.unwrap_or_default();
        let line = error.location().map_or(1, |at| at.line());
        anyhow!("line {line}: {message}")
    })
}

/// The key of this name.
///
/// # Errors
/// Where there is none, with the one that may be meant.
pub fn key(name: &str) -> Result<&'static Key> {
    if let Some(key) = Plan::KEYS.iter().find(|key| key.name == name) {
        return Ok(key);
    }
    let keys: Vec<&Key> = Plan::KEYS.iter().collect();
    let name_shown = shown(name);
    match hint(name, &keys) {
        Some(Hint::Key(key)) => bail!("unknown key `{name_shown}`; did you mean `{key}`?"),
        Some(Hint::Tip(tip)) => bail!("unknown key `{name_shown}`; {tip}"),
        None => bail!("unknown key `{name_shown}`; the keys are the names of the flags of `run`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::key::ValueKind;
    use serde_json::json;
    use std::path::PathBuf;

    fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("file");
        (dir, path)
    }

    fn flags(line: &[&str]) -> Given {
        let words = ["infermeter", "run"].iter().chain(line);
        let words: Vec<String> = words.map(|word| (*word).to_owned()).collect();
        crate::cli::parse(&words, &crate::commands::COMMANDS)
            .expect("sound")
            .given
    }

    fn resolved(line: &[&str], path: &Path) -> Resolved {
        resolve(&flags(line), Some(path)).expect("resolves")
    }

    fn refused(line: &[&str]) -> String {
        format!("{:#}", resolve(&flags(line), None).expect_err("wrong"))
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let (_dir, path) = file("plan.toml", "target = \"mock:fixed\"\nrate = 5\nseed = 7\n");
        let resolved = resolved(&["--rate", "9.5"], &path);
        assert_eq!(resolved.plan.rate, Some(9.5));
        assert_eq!(resolved.plan.seed, 7);
        assert_eq!(resolved.origins["rate"], Origin::Flag("--rate".to_owned()));
        assert!(matches!(resolved.origins["seed"], Origin::File(_)));
        assert_eq!(resolved.origins["timeout"], Origin::Default);
    }

    #[test]
    fn a_profile_lies_between_defaults_and_the_file() {
        let (_dir, path) = file("plan.toml", "profile = \"production\"\nwarmup = \"2m\"\n");
        let of_file = resolved(&[], &path);
        let seconds = |plan: &Plan| (plan.warmup().time.as_seconds(), plan.duration);
        let half_hour = "30m".parse().ok();
        assert_eq!(seconds(&of_file.plan), (120.0, half_hour));
        assert!(matches!(of_file.origins["warmup"], Origin::File(_)));
        let origin = of_file.origins["duration"].to_string();
        assert_eq!(origin, "profile production");
        let over = resolved(&["--duration", "10m"], &path);
        assert!(matches!(over.origins["duration"], Origin::Flag(_)));
        assert_eq!(over.plan.duration, "10m".parse().ok());

        let named = resolve(&flags(&["--profile", "production"]), None).expect("resolves");
        assert_eq!(seconds(&named.plan), (300.0, half_hour));
        let text = refused(&["--profile", "prodution"]);
        assert!(text.contains("did you mean `production`?"), "{text}");
    }

    #[test]
    fn yaml_and_toml_say_the_same() {
        let toml = "rate = 5\nduration = \"20s\"\nslo = [\"ttft.p99<1s\"]\nwarmup = 0\n";
        let yaml = "rate: 5\nduration: 20s\nslo: ['ttft.p99<1s']\nwarmup: 0\n";
        let (_a, toml) = file("a.toml", toml);
        let (_b, yaml) = file("b.yaml", yaml);
        assert_eq!(resolved(&[], &toml).plan, resolved(&[], &yaml).plan);
    }

    #[test]
    fn errors_name_the_key_and_suggest() {
        let (_dir, path) = file("plan.toml", "durration = \"20s\"\n");
        let error = resolve(&Given::default(), Some(&path)).expect_err("unknown key");
        let text = format!("{error:#}");
        assert!(text.contains("did you mean `duration`"), "{text}");
        assert_eq!(
            refused(&["--rate", "fast"]),
            "--rate: `fast` is not a number"
        );
        assert_eq!(refused(&["--qps", "fast"]), "--qps: `fast` is not a number");
        let expect = "--arrival: `poison` is not one of poisson, constant, gamma, weibull; did you mean \
                      `poisson`?";
        assert_eq!(refused(&["--arrival", "poison"]), expect);
        let text = refused(&["--model", ""]);
        assert!(text.starts_with("--model: nothing in it"), "{text}");
        let text = refused(&["--duration", "20"]);
        assert!(
            text.starts_with("--duration: `20` is not a span of time"),
            "{text}"
        );
    }

    #[test]
    fn messages_repeat_what_was_written() {
        let (_dir, path) = file("plan.toml", "thin = 0.5\n");
        let resolved = resolved(&["--qps", "5"], &path);
        let said = resolved.in_users_words("--thin needs --trace: lower its --rate");
        let path = path.display();
        let expected = format!("plan file {path}: `thin` needs --trace: lower its --qps");
        assert_eq!(said, expected);
    }
    /// The example of a key, as a file has it.
    fn in_a_file(key: &Key) -> Value {
        let number = || serde_json::from_str(key.example).expect("a number");
        match key.kind {
            ValueKind::Switch => true.into(),
            ValueKind::Number | ValueKind::Whole | ValueKind::Object => number(),
            _ if key.many => vec![key.example].into(),
            _ => key.example.into(),
        }
    }

    #[test]
    fn every_key_arrives_from_every_flag_and_from_a_file() {
        let defaults = values::defaults::<Plan>();
        let arrived = |resolved: Resolved, key: &Key| {
            let mut plan = values::map_of(&resolved.plan);
            let value = plan.insert(key.name.to_owned(), defaults[key.name].clone());
            if key.name == "more-targets" {
                plan.insert("target".to_owned(), defaults["target"].clone());
            }
            if key.name != "profile" {
                assert_eq!(plan, defaults, "{} changes more than itself", key.name);
            }
            value.expect("a value")
        };
        for key in Plan::KEYS {
            let expected = values::read::<Plan>(key, in_a_file(key)).expect(key.name);
            let spellings = std::iter::once(key.written());
            for flag in spellings.chain(key.aliases.iter().map(|a| (*a).to_owned())) {
                let with_value = format!("{flag}={}", key.example);
                let line: &[&str] = match (key.kind, flag == key.name) {
                    // Behind the first one.
                    (_, true) if key.name == "more-targets" => &["http://first", key.example],
                    (ValueKind::Switch, _) => &[&flag],
                    // A value that may be left out is taken by `=` alone.
                    _ if !key.bare.is_empty() => &[&with_value],
                    (_, true) => &[key.example],
                    (_, false) => &[&flag, key.example],
                };
                let value = arrived(resolve(&flags(line), None).expect(key.name), key);
                assert_ne!(
                    value, defaults[key.name],
                    "{flag}: the example is the default"
                );
                for (name, text) in [
                    (
                        "plan.json.yaml",
                        json!({key.name: expected.clone()}).to_string(),
                    ),
                    (
                        "plan.toml",
                        format!("{} = {}", key.name, toml_of(&in_a_file(key))),
                    ),
                ] {
                    let (_dir, path) = file(name, &text);
                    let of_file = resolve(&Given::default(), Some(&path)).expect(&text);
                    assert_eq!(arrived(of_file, key), value, "{flag} and {text}");
                }
            }
        }
    }

    /// JSON and TOML differ in tables alone.
    fn toml_of(value: &Value) -> String {
        value.to_string().replace("\":", "\" = ")
    }

    #[test]
    fn every_name_of_a_choice_is_read_and_every_name_that_is_read_is_listed() {
        for key in Plan::KEYS {
            let ValueKind::OneOf(names) = key.kind else {
                continue;
            };
            for name in names {
                values::read::<Plan>(key, (*name).into()).expect(name);
            }
            let error = values::read::<Plan>(key, "?".into()).expect_err("no name");
            let said = error.to_string();
            assert!(
                said.ends_with(&format!("is not one of {}", names.join(", "))),
                "{said}"
            );
        }
    }
}
