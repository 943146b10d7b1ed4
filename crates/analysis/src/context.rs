//! The context of a run: what is known of hardware, model and engine, and what is not.
//!
//! It judges nothing. What the user declared comes first, then what the target told; everything else
//! is `unknown`, by that word, so that a reader sees what is missing.

use infermeter_core::declared::{Declared, Subject};
use infermeter_core::environment::EngineFacts;
use infermeter_core::run::RunManifest;
use infermeter_core::text::Word;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The word for what nobody said.
pub(crate) const UNKNOWN: &str = "unknown";

/// Values by name; `UNKNOWN` where nobody said.
pub type Known = BTreeMap<Word, String>;

/// What is known of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Context {
    /// By the names of `--hardware`.
    pub hardware: Known,
    /// By the names of `--model-info`.
    pub model: Known,
    /// By the names of `--engine-info`.
    pub engine: Known,
}

impl Context {
    /// That of a run.
    pub(crate) fn of(manifest: &RunManifest) -> Self {
        let declared = Declared::of_plan(&manifest.plan);
        let known = |subject: Subject| -> Known {
            let value = |name: &'static str| {
                let said = declared.value(subject, name);
                let value = said.or_else(|| seen(manifest, subject, name));
                (
                    Word::from(name),
                    value.unwrap_or_else(|| UNKNOWN.to_owned()),
                )
            };
            subject.names().iter().map(|name| value(name)).collect()
        };
        Self {
            hardware: known(Subject::Hardware),
            model: known(Subject::Model),
            engine: known(Subject::Engine),
        }
    }

    /// Each subject with its values.
    pub fn parts(&self) -> [(Subject, &Known); 3] {
        [
            (Subject::Hardware, &self.hardware),
            (Subject::Model, &self.model),
            (Subject::Engine, &self.engine),
        ]
    }
}

/// What the target told, or the facade saw (`environment.target`).
fn seen(manifest: &RunManifest, subject: Subject, name: &str) -> Option<String> {
    let target = &manifest.environment.target;
    let engine = target.engine.as_ref();
    match (subject, name) {
        (Subject::Model, "name") => Some(manifest.model.clone()),
        (Subject::Engine, "version") => engine
            .and_then(|engine| engine.version.clone())
            .or_else(|| target.version.clone()),
        (Subject::Engine, "engine") if manifest.plan.is_mock() => {
            Some("infermeter's simulator".to_owned())
        }
        (Subject::Engine, "engine") => engine_of(engine?),
        (Subject::Hardware, "placement") => {
            let same = target.same_host.or(target.loopback)?;
            same.then(|| "same host".to_owned())
        }
        _ => None,
    }
}

/// The engines that the evidence names, all where it disagrees, and what stands in front of them.
fn engine_of(engine: &EngineFacts) -> Option<String> {
    let mut text = engine.names.join(" or ");
    if !engine.proxies.is_empty() {
        text.push_str(&format!(", behind {}", engine.proxies.join(" and ")));
    }
    (!engine.names.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_named_with_what_stands_in_front_of_it() {
        let check = |names: &[&str], proxies: &[&str], text: Option<&str>| {
            let owned = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
            let engine = EngineFacts {
                names: owned(names),
                proxies: owned(proxies),
                ..EngineFacts::default()
            };
            assert_eq!(engine_of(&engine).as_deref(), text);
        };
        check(&["vLLM"], &[], Some("vLLM"));
        check(&["vLLM", "SGLang"], &[], Some("vLLM or SGLang"));
        check(
            &["vLLM"],
            &["LiteLLM", "nginx"],
            Some("vLLM, behind LiteLLM and nginx"),
        );
        check(&[], &["nginx"], None);
    }
}
