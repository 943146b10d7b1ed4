//! Layers of a plan: defaults, a profile of them, plan file, flags. Each key's value comes from the topmost layer
//! that has it, and its origin is kept.
//!
//! A layer is a map from key to JSON value; the names of the keys are those of [`Plan`]'s fields.

use crate::cli::RunArgs;
use anyhow::{Context, Result, anyhow, bail};
use infermeter_core::plan::Plan;
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
    /// A flag.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Profile(name) => write!(f, "profile {name}"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Flag => f.write_str("flag"),
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

/// Resolves flags and their plan file.
///
/// # Errors
/// With the flag or the file's key that is wrong, and a suggestion where a name is misspelt.
pub fn resolve(args: &RunArgs) -> Result<Resolved> {
    let defaults = as_map(&Plan::defaults());
    let mut origins: BTreeMap<String, Origin> = defaults
        .keys()
        .map(|k| (k.clone(), Origin::Default))
        .collect();
    let mut merged = defaults.clone();
    let file = match &args.config {
        Some(path) => read_file(path)?,
        None => Map::new(),
    };
    let named = file.get("profile").and_then(Value::as_str);
    if let Some(name) = args.profile.as_deref().or(named) {
        for (key, value) in profile(name)? {
            origins.insert((*key).to_owned(), Origin::Profile(name.to_owned()));
            merged.insert((*key).to_owned(), (*value).into());
        }
    }
    if let Some(path) = &args.config {
        let origin = Origin::File(path.display().to_string());
        for (key, value) in file {
            check_key(&key, &defaults).with_context(|| format!("plan file {}", path.display()))?;
            let value = coerce(&key, value, &defaults)
                .with_context(|| format!("plan file {}: key `{key}`", path.display()))?;
            check_value(&key, &value)
                .with_context(|| format!("plan file {}: key `{key}`", path.display()))?;
            origins.insert(key.clone(), origin.clone());
            merged.insert(key, value);
        }
    }
    for (key, value) in flags(args) {
        let value = coerce(&key, value, &defaults).with_context(|| flag_name(&key))?;
        check_value(&key, &value).with_context(|| flag_name(&key))?;
        origins.insert(key.clone(), Origin::Flag);
        merged.insert(key, value);
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
        let near = crate::suggest::closest(name, names.into_iter());
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let all = names.join(", ");
        anyhow!(
            "--profile: unknown profile `{}`{near} Known: {all}",
            shown(name)
        )
    })
}

fn flag_name(key: &str) -> String {
    if key == "target" {
        "target".to_owned()
    } else {
        format!("--{key}")
    }
}

fn as_map(plan: &Plan) -> Map<String, Value> {
    match serde_json::to_value(plan) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
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

fn check_key(key: &str, known: &Map<String, Value>) -> Result<()> {
    if known.contains_key(key) {
        return Ok(());
    }
    let suggestion = crate::suggest::closest(key, known.keys().map(String::as_str));
    match suggestion {
        Some(name) => bail!("unknown key `{}`; did you mean `{name}`?", shown(key)),
        None => bail!(
            "unknown key `{}`; the keys are the names of the flags of `run`",
            shown(key)
        ),
    }
}

fn shown(text: &str) -> String {
    infermeter_core::text::inert(text, 80)
}

/// What a key's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Whole,
    Switch,
    List,
    Object,
    Text,
}

fn kind(key: &str, defaults: &Map<String, Value>) -> Kind {
    match (key, defaults.get(key)) {
        ("rate" | "time-scale" | "thin" | "cv", _) => Kind::Number,
        (
            "concurrency" | "trace-limit" | "requests" | "seed" | "workload-seed" | "schedule-seed"
            | "repeat" | "batch-size" | "documents" | "query-tokens" | "salt" | "threads"
            | "max-connections" | "gpus",
            _,
        ) => Kind::Whole,
        ("extra-body", _) => Kind::Object,
        (_, Some(Value::Bool(_))) => Kind::Switch,
        (_, Some(Value::Array(_))) => Kind::List,
        _ => Kind::Text,
    }
}

/// Brings a value as written (often text) to the shape that the plan's field has.
fn coerce(key: &str, value: Value, defaults: &Map<String, Value>) -> Result<Value> {
    let not = |what: &str, value: &Value| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        anyhow!("`{}` is not {what}", shown(&text))
    };
    Ok(match (kind(key, defaults), value) {
        (_, Value::Null) => Value::Null,
        (Kind::Number, value) => match number(&value) {
            Some(number) => Value::Number(number),
            None => return Err(not("a number", &value)),
        },
        (Kind::Whole, value) => match number(&value).filter(serde_json::Number::is_u64) {
            Some(number) => Value::Number(number),
            None => return Err(not("a whole number, 0 or more", &value)),
        },
        (Kind::Object, Value::String(text)) => parse_object(&text)?,
        (Kind::Switch, value) if !value.is_boolean() => return Err(not("true or false", &value)),
        (Kind::List, Value::String(text)) => Value::Array(vec![Value::String(text)]),
        (Kind::List, Value::Array(list)) if list.iter().all(Value::is_string) => list.into(),
        (Kind::List, _) => bail!("write a text, or a list of texts: [\"...\", \"...\"]"),
        (Kind::Text, Value::String(text)) if text.trim().is_empty() && key != "target" => {
            bail!("nothing in it: give a value, or leave it away")
        }
        (Kind::Text, Value::Number(n)) => Value::String(n.to_string()),
        (Kind::Text, value) if !value.is_string() => return Err(not("a text", &value)),
        (_, other) => other,
    })
}

fn number(value: &Value) -> Option<serde_json::Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => serde_json::from_str(text.trim()).ok(),
        _ => None,
    }
}

fn parse_object(text: &str) -> Result<Value> {
    let value: Value = serde_json::from_str(text)
        .map_err(|e| anyhow!("not JSON: {e}; write '{{\"key\": value}}'"))?;
    if value.is_object() {
        Ok(value)
    } else {
        bail!("must be a JSON object")
    }
}

/// Checks a single key by reading a plan that has it and defaults elsewhere: the message is the
/// field's own.
fn check_value(key: &str, value: &Value) -> Result<()> {
    let mut map = as_map(&Plan::defaults());
    map.insert(key.to_owned(), value.clone());
    serde_json::from_value::<Plan>(Value::Object(map))
        .map(|_| ())
        .map_err(|e| {
            let text = e.to_string();
            if text.ends_with("expected u32") {
                return anyhow!("`{value}` is too large");
            }
            let text = text.split(" at line ").next().unwrap_or(&text);
            one_of(text).unwrap_or_else(|| anyhow!("{text}"))
        })
}

/// What serde says of a name that is none of several, with the one that may be meant.
fn one_of(text: &str) -> Option<anyhow::Error> {
    let (name, expected) = text
        .strip_prefix("unknown variant `")?
        .split_once("`, expected ")?;
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    let near = crate::suggest::closest(name, known.iter().copied());
    let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let known = known.join(", ");
    Some(anyhow!("`{}` is none of {known}{near}", shown(name)))
}

/// Flags with one value, by key.
fn texts(args: &RunArgs) -> Vec<(&'static str, &Option<String>)> {
    vec![
        ("target", &args.target),
        ("out", &args.out),
        ("rate", &args.rate),
        ("rate-profile", &args.rate_profile),
        ("concurrency", &args.concurrency),
        ("trace", &args.trace),
        ("clients", &args.clients),
        ("dataset", &args.dataset),
        ("dataset-order", &args.dataset_order),
        ("trace-limit", &args.trace_limit),
        ("time-scale", &args.time_scale),
        ("thin", &args.thin),
        ("arrival", &args.arrival),
        ("cv", &args.cv),
        ("duration", &args.duration),
        ("requests", &args.requests),
        ("warmup", &args.warmup),
        ("repeat", &args.repeat),
        ("until", &args.until),
        ("fluidity", &args.fluidity),
        ("seed", &args.seed),
        ("workload-seed", &args.workload_seed),
        ("schedule-seed", &args.schedule_seed),
        ("salt", &args.salt),
        ("workload-file", &args.workload_file),
        ("workload", &args.workload),
        ("prefix", &args.prefix),
        ("session-header", &args.session_header),
        ("model", &args.model),
        ("profile", &args.profile),
        ("schema", &args.schema),
        ("regex", &args.regex),
        ("grammar", &args.grammar),
        ("tools", &args.tools),
        ("tool-choice", &args.tool_choice),
        ("images", &args.images),
        ("body-template", &args.body_template),
        ("endpoint-path", &args.endpoint_path),
        ("endpoint", &args.endpoint),
        ("batch-size", &args.batch_size),
        ("encoding-format", &args.encoding_format),
        ("documents", &args.documents),
        ("query-tokens", &args.query_tokens),
        ("tokenizer", &args.tokenizer),
        ("chat-template", &args.chat_template),
        ("count", &args.count),
        ("extra-body", &args.extra_body),
        ("api-key-file", &args.api_key_file),
        ("tls-ca", &args.tls_ca),
        ("probe-timeout", &args.probe_timeout),
        ("gpus", &args.gpus),
        ("engine", &args.engine),
        ("quantization", &args.quantization),
        ("label", &args.label),
        ("threads", &args.threads),
        ("max-connections", &args.max_connections),
        ("connect-timeout", &args.connect_timeout),
        ("timeout", &args.timeout),
        ("first-token-timeout", &args.first_token_timeout),
        ("idle-timeout", &args.idle_timeout),
        ("keepalive", &args.keepalive),
        ("io", &args.io),
        ("server-metrics", &args.server_metrics),
        ("server-metrics-interval", &args.server_metrics_interval),
        ("burn", &args.burn),
    ]
}

/// The flags that were given, as a layer.
fn flags(args: &RunArgs) -> Vec<(String, Value)> {
    let lists = [
        ("trace-option", &args.trace_option),
        ("sessions", &args.sessions),
        ("header", &args.header),
        ("kind", &args.kind),
        ("image", &args.image),
        ("lora", &args.lora),
        ("sampling", &args.sampling),
        ("slo", &args.slo),
        ("percentile", &args.percentile),
    ];
    let switches = [
        ("no-stream", args.no_stream),
        ("tls-insecure", args.tls_insecure),
        ("no-probe", args.no_probe),
        ("probe-response-cache", args.probe_response_cache),
        ("save-responses", args.save_responses),
        ("json", args.json),
        ("quiet", args.quiet),
        ("full", args.full),
        ("strict", args.strict),
        ("retry-stale", args.retry_stale),
        ("audit-send", args.audit_send),
    ];
    let declared = [
        ("hardware", &args.hardware),
        ("model-info", &args.model_info),
        ("engine-info", &args.engine_info),
    ];
    let text = |s: &String| Value::String(s.clone());
    let mut layer: Vec<(String, Value)> = texts(args)
        .iter()
        .filter_map(|(key, value)| Some(((*key).to_owned(), text(value.as_ref()?))))
        .collect();
    let given = declared.iter().filter(|(_, pieces)| !pieces.is_empty());
    layer.extend(given.map(|(key, pieces)| ((*key).to_owned(), text(&pieces.join(", ")))));
    layer.extend(
        lists
            .iter()
            .filter(|(_, l)| !l.is_empty())
            .map(|(key, list)| {
                (
                    (*key).to_owned(),
                    Value::Array(list.iter().map(text).collect()),
                )
            }),
    );
    layer.extend(
        switches
            .iter()
            .filter(|(_, on)| *on)
            .map(|(key, _)| ((*key).to_owned(), true.into())),
    );
    layer
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(name: &str, text: &str) -> (tempfile::TempDir, RunArgs) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(name);
        std::fs::File::create(&path)
            .and_then(|mut f| f.write_all(text.as_bytes()))
            .expect("file");
        (
            dir,
            RunArgs {
                config: Some(path),
                ..RunArgs::default()
            },
        )
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let (_dir, mut args) = file("plan.toml", "target = \"mock:fixed\"\nrate = 5\nseed = 7\n");
        args.rate = Some("9.5".to_owned());
        let resolved = resolve(&args).expect("resolves");
        assert_eq!(resolved.plan.rate, Some(9.5));
        assert_eq!(resolved.plan.seed, 7);
        assert_eq!(resolved.origins["rate"], Origin::Flag);
        assert!(matches!(resolved.origins["seed"], Origin::File(_)));
        assert_eq!(resolved.origins["timeout"], Origin::Default);
    }

    #[test]
    fn a_profile_lies_between_defaults_and_the_file() {
        let (_dir, mut args) = file("plan.toml", "profile = \"production\"\nwarmup = \"2m\"\n");
        let resolved = resolve(&args).expect("resolves");
        let seconds = |plan: &Plan| (plan.warmup().time.as_seconds(), plan.duration);
        let half_hour = "30m".parse().ok();
        assert_eq!(seconds(&resolved.plan), (120.0, half_hour));
        assert!(matches!(resolved.origins["warmup"], Origin::File(_)));
        assert_eq!(
            resolved.origins["duration"].to_string(),
            "profile production"
        );
        args.duration = Some("10m".to_owned());
        let resolved = resolve(&args).expect("resolves");
        assert_eq!(resolved.origins["duration"], Origin::Flag);
        assert_eq!(resolved.plan.duration, "10m".parse().ok());

        let named = RunArgs {
            profile: Some("production".to_owned()),
            ..RunArgs::default()
        };
        let resolved = resolve(&named).expect("resolves");
        assert_eq!(seconds(&resolved.plan), (300.0, half_hour));
        let misspelt = RunArgs {
            profile: Some("prodution".to_owned()),
            ..RunArgs::default()
        };
        let text = format!("{:#}", resolve(&misspelt).expect_err("unknown"));
        assert!(text.contains("did you mean `production`?"), "{text}");
    }

    #[test]
    fn yaml_and_toml_say_the_same() {
        let toml = "rate = 5\nduration = \"20s\"\nslo = [\"ttft.p99<1s\"]\nwarmup = 0\n";
        let yaml = "rate: 5\nduration: 20s\nslo: ['ttft.p99<1s']\nwarmup: 0\n";
        let (_a, toml) = file("a.toml", toml);
        let (_b, yaml) = file("b.yaml", yaml);
        assert_eq!(
            resolve(&toml).expect("toml").plan,
            resolve(&yaml).expect("yaml").plan
        );
    }

    #[test]
    fn errors_name_the_key_and_suggest() {
        let (_dir, args) = file("plan.toml", "durration = \"20s\"\n");
        let text = format!("{:#}", resolve(&args).expect_err("unknown key"));
        assert!(text.contains("did you mean `duration`"), "{text}");
        let args = RunArgs {
            rate: Some("fast".to_owned()),
            ..RunArgs::default()
        };
        let text = format!("{:#}", resolve(&args).expect_err("no number"));
        assert_eq!(text, "--rate: `fast` is not a number");
        let args = RunArgs {
            arrival: Some("poison".to_owned()),
            ..RunArgs::default()
        };
        let text = format!("{:#}", resolve(&args).expect_err("no arrival"));
        let expect = "--arrival: `poison` is none of poisson, constant, gamma, weibull; did you mean \
                      `poisson`?";
        assert_eq!(text, expect);
        let args = RunArgs {
            model: Some(String::new()),
            ..RunArgs::default()
        };
        let text = format!("{:#}", resolve(&args).expect_err("nothing"));
        assert!(text.starts_with("--model: nothing in it"), "{text}");
        let args = RunArgs {
            duration: Some("20".to_owned()),
            ..RunArgs::default()
        };
        let text = format!("{:#}", resolve(&args).expect_err("no span"));
        assert!(
            text.starts_with("--duration: `20` is not a span of time"),
            "{text}"
        );
    }
}
