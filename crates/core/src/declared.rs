//! What is declared of the server: hardware, model and engine as values with names, or as text.
//!
//! Checks names, not values: nobody can see the server. Invariant: a text without names is kept as it
//! is, and what nobody declared is absent.

use crate::plan::Plan;
use crate::text::closest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The three things that can be declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// `--hardware`.
    Hardware,
    /// `--model-info`.
    Model,
    /// `--engine-info`.
    Engine,
}

impl Subject {
    /// The flag and the plan's key.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Hardware => "hardware",
            Self::Model => "model-info",
            Self::Engine => "engine-info",
        }
    }

    /// The names it knows.
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Hardware => &[
                "gpu",
                "count",
                "memory",
                "interconnect",
                "network",
                "storage",
                "placement",
            ],
            Self::Model => &["name", "version", "size", "quantisation"],
            Self::Engine => &[
                "engine",
                "version",
                "flags",
                "tp",
                "pp",
                "dp",
                "attention",
                "scheduling",
                "prefix-cache",
                "chunked-prefill",
                "speculation",
                "batch-limits",
                "hit-rate",
                "tuning",
                "logging",
            ],
        }
    }
}

/// Values by name, or text: in JSON an object or a string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Statement {
    /// `gpu=H100, count=8`.
    Named(BTreeMap<String, String>),
    /// `8 x H100`.
    Text(String),
}

impl Statement {
    /// Reads `NAME=VALUE, NAME=VALUE`; a piece without `=`, or one that begins with `-` as a flag of the
    /// engine does, belongs to the value before it. A text that begins without a name is kept as text.
    ///
    /// # Errors
    /// An unknown name, one that occurs twice, or an empty value.
    pub fn parse(subject: Subject, text: &str) -> Result<Self, String> {
        let key = subject.key();
        let mut named: BTreeMap<String, String> = BTreeMap::new();
        let mut last: Option<String> = None;
        for piece in text.split(',').map(str::trim) {
            let pair = piece.split_once('=').filter(|_| !piece.starts_with('-'));
            let Some((name, value)) = pair else {
                match last.as_ref().and_then(|name| named.get_mut(name)) {
                    Some(value) => {
                        value.push_str(", ");
                        value.push_str(piece);
                        continue;
                    }
                    None => return Ok(Self::Text(text.to_owned())),
                }
            };
            let (name, value) = (name.trim(), value.trim());
            if !subject.names().contains(&name) {
                return Err(unknown(subject, name));
            }
            if value.is_empty() {
                return Err(format!("{key}: `{name}` has no value"));
            }
            if named.insert(name.to_owned(), value.to_owned()).is_some() {
                return Err(format!("{key}: `{name}` is given twice"));
            }
            last = Some(name.to_owned());
        }
        Ok(Self::Named(named))
    }

    /// The value of a name; absent for text.
    pub fn value(&self, name: &str) -> Option<&str> {
        match self {
            Self::Named(named) => named.get(name).map(String::as_str),
            Self::Text(_) => None,
        }
    }
}

fn unknown(subject: Subject, name: &str) -> String {
    let names = subject.names();
    let meant = closest(name, names.iter().copied());
    let meant = meant.map_or_else(String::new, |m| format!(" (did you mean `{m}`?)"));
    format!(
        "{}: unknown name `{name}`{meant}: one of {}",
        subject.key(),
        names.join(", ")
    )
}

/// Everything declared of a server. What cannot be read is kept as text: the plan was checked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Declared {
    /// `--hardware`.
    pub hardware: Option<Statement>,
    /// `--model-info`.
    pub model_info: Option<Statement>,
    /// `--engine-info`.
    pub engine_info: Option<Statement>,
    /// `--gpus`.
    pub gpus: Option<u32>,
    /// `--gpu-hour`: price of an accelerator for an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_hour: Option<f64>,
    /// `--kwh`: price of a kilowatt-hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kwh: Option<f64>,
    /// `--engine`.
    pub engine: Option<String>,
    /// `--quantization`.
    pub quantization: Option<String>,
    /// `--label`.
    pub label: Option<String>,
}

impl Declared {
    /// That of a plan.
    pub fn of_plan(plan: &Plan) -> Self {
        let read = |subject, text: &Option<String>| {
            let text = text.as_ref()?;
            let statement = Statement::parse(subject, text);
            Some(statement.unwrap_or_else(|_| Statement::Text(text.clone())))
        };
        Self {
            hardware: read(Subject::Hardware, &plan.hardware),
            model_info: read(Subject::Model, &plan.model_info),
            engine_info: read(Subject::Engine, &plan.engine_info),
            gpus: plan.gpus,
            gpu_hour: plan.gpu_hour,
            kwh: plan.kwh,
            engine: plan.engine.clone(),
            quantization: plan.quantization.clone(),
            label: plan.label.clone(),
        }
    }

    /// The value of a name; for the names that have a flag of their own (`--gpus`, `--engine`,
    /// `--quantization`), and for hardware as text, what that says.
    pub fn value(&self, subject: Subject, name: &str) -> Option<String> {
        let statement = match subject {
            Subject::Hardware => self.hardware.as_ref(),
            Subject::Model => self.model_info.as_ref(),
            Subject::Engine => self.engine_info.as_ref(),
        };
        let named = statement.and_then(|s| s.value(name)).map(str::to_owned);
        let text = statement.and_then(|statement| match statement {
            Statement::Text(text) => Some(text.clone()),
            Statement::Named(_) => None,
        });
        named.or_else(|| match (subject, name) {
            (Subject::Hardware, "gpu") | (Subject::Model, "name") => text,
            (Subject::Hardware, "count") => self.gpus.map(|n| n.to_string()),
            (Subject::Model, "quantisation") => self.quantization.clone(),
            (Subject::Engine, "engine") => text.or_else(|| self.engine.clone()),
            _ => None,
        })
    }

    /// The hardware is named: as text, or by the accelerator.
    pub fn has_hardware(&self) -> bool {
        is_named(self.hardware.as_ref(), "gpu")
    }

    /// The engine is named.
    pub fn has_engine(&self) -> bool {
        self.engine.is_some() || is_named(self.engine_info.as_ref(), "engine")
    }
}

fn is_named(statement: Option<&Statement>, name: &str) -> bool {
    statement.is_some_and(|s| matches!(s, Statement::Text(_)) || s.value(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::{Declared, Statement, Subject};
    use crate::plan::Plan;

    #[test]
    fn names_and_text() {
        let of = |text| Statement::parse(Subject::Hardware, text).expect("valid");
        let found = of("gpu=H100, count=8, interconnect=NVLink, 900 GB/s");
        assert_eq!(found.value("gpu"), Some("H100"));
        assert_eq!(found.value("interconnect"), Some("NVLink, 900 GB/s"));
        assert_eq!(found.value("memory"), None);
        assert_eq!(of("8 x H100"), Statement::Text("8 x H100".to_owned()));
    }

    #[test]
    fn flags_of_the_engine_hold_equals_signs() {
        let text = "engine=vllm, flags=--max-num-seqs=256 --dtype bf16, --seed=1, tp=2";
        let found = Statement::parse(Subject::Engine, text).expect("valid");
        let flags = "--max-num-seqs=256 --dtype bf16, --seed=1";
        assert_eq!(found.value("flags"), Some(flags));
        assert_eq!(found.value("tp"), Some("2"));
    }

    #[test]
    fn what_a_flag_of_its_own_says_counts_too() {
        let plan = Plan {
            hardware: Some("8 x H100".to_owned()),
            model_info: Some("version=3.1".to_owned()),
            gpus: Some(8),
            engine: Some("vllm 0.11.0".to_owned()),
            quantization: Some("fp8".to_owned()),
            ..Plan::defaults()
        };
        let declared = Declared::of_plan(&plan);
        let check = |subject, name: &str, expect: Option<&str>| {
            assert_eq!(declared.value(subject, name).as_deref(), expect, "{name}");
        };
        check(Subject::Hardware, "gpu", Some("8 x H100"));
        check(Subject::Hardware, "count", Some("8"));
        check(Subject::Hardware, "storage", None);
        check(Subject::Model, "version", Some("3.1"));
        check(Subject::Model, "quantisation", Some("fp8"));
        check(Subject::Engine, "engine", Some("vllm 0.11.0"));
        check(Subject::Engine, "version", None);
    }

    #[test]
    fn misspelt_doubled_and_empty_names() {
        let error = |subject, text| Statement::parse(subject, text).expect_err(text);
        assert_eq!(
            error(Subject::Hardware, "gpus=8"),
            "hardware: unknown name `gpus` (did you mean `gpu`?): one of gpu, count, memory, \
             interconnect, network, storage, placement"
        );
        assert!(error(Subject::Engine, "tp=2,tp=4").contains("given twice"));
        assert!(error(Subject::Model, "name=").contains("has no value"));
    }
}
