//! Which engine answers: the words that name it, each with its source.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One word about who answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Evidence {
    /// Where it stands, as in "`server` header".
    pub source: String,
    /// What stands there, inert.
    pub said: String,
    /// The engine that it names.
    pub engine: Option<String>,
    /// The proxy that it names.
    pub proxy: Option<String>,
    /// The version that it names.
    pub version: Option<String>,
}

/// What the evidence says together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EngineFacts {
    /// The engines named: more than one where the evidence disagrees.
    pub names: Vec<String>,
    /// Its version.
    pub version: Option<String>,
    /// Proxies in front of it.
    pub proxies: Vec<String>,
    /// All of it.
    pub evidence: Vec<Evidence>,
}

impl EngineFacts {
    /// Where each of several names comes from: "vLLM (metrics page), SGLang (owned_by)".
    pub fn sources(&self) -> String {
        let of = |name: &String| {
            let words = self
                .evidence
                .iter()
                .filter(|w| w.engine.as_ref() == Some(name));
            let sources: Vec<&str> = words.map(|w| w.source.as_str()).collect();
            format!("{name} ({})", sources.join(", "))
        };
        let named: Vec<String> = self.names.iter().map(of).collect();
        named.join(", ")
    }

    /// Every text, to be searched for secrets.
    pub(super) fn each_text(&mut self, each: &mut dyn FnMut(&mut String)) {
        let Self {
            names,
            version,
            proxies,
            evidence,
        } = self;
        names
            .iter_mut()
            .chain(proxies)
            .chain(version)
            .for_each(&mut *each);
        for word in evidence {
            let Evidence {
                source,
                said,
                engine,
                proxy,
                version,
            } = word;
            [source, said].into_iter().for_each(&mut *each);
            [engine, proxy, version]
                .into_iter()
                .flatten()
                .for_each(&mut *each);
        }
    }
}
