//! Doubts about a target that stand before the load.

use crate::api_key::key_file_readable;
use crate::experiment::{Experiment, TrustSpec};
use crate::proxy;
use crate::unusable::not_listed;
use infermeter_analysis::raised;
use infermeter_client::encode::Target as Url;
use infermeter_core::declared::{Declared, Subject};
use infermeter_core::environment::EngineFacts;
use infermeter_core::finding::Finding;
use infermeter_core::text::inert;
use infermeter_probe::target::{ModelList, TargetFacts};

/// Doubts that do not depend on what requests are accepted.
pub(super) fn doubts(
    experiment: &Experiment,
    target: &Url,
    engine: &EngineFacts,
    facts: &TargetFacts,
) -> Vec<Finding> {
    let variable = |name: &str| std::env::var(name).ok();
    let form = &experiment.requests.form;
    let asked = form.model.as_deref();
    let mut found = Vec::new();
    found.extend(asked.and_then(|asked| model_not_listed(asked, &facts.models)));
    let spec = &experiment.target;
    found.extend((spec.trust == TrustSpec::Anyone).then(tls_unverified));
    found.extend(engine_disagrees(&spec.declared, engine));
    if !experiment.is_simulated() && spec.server.proxy().is_none() && target.socket().is_none() {
        found.extend(proxy::unused(target, &variable));
    }
    let key_file = form.key_file.as_deref();
    found.extend(key_file.and_then(key_file_readable));
    found
}

pub(super) fn probe_unsure(why: &str) -> Finding {
    raised::PROBE_UNSURE.found(
        "The server answered a trial before the run with an error of its own.",
        why,
        "Requests may lack a field that the server knows, so output lengths may not be obeyed; run \
         again when the server is healthy.",
    )
}

fn model_not_listed(asked: &str, list: &ModelList) -> Option<Finding> {
    Some(raised::MODEL_NOT_LISTED.found(
        "The server answers for a model that it does not list.",
        not_listed(asked, list)?,
        "See that the router sends this name where you mean it to go.",
    ))
}

fn tls_unverified() -> Finding {
    raised::TLS_UNVERIFIED.found(
        "The server's identity was not verified: --tls-insecure.",
        "The certificate was not verified.",
        "Give the server's certificate, or its authority's, with --tls-ca FILE.",
    )
}

/// What a server says of itself disagrees, or is not what the user declares.
fn engine_disagrees(declared: &Declared, engine: &EngineFacts) -> Option<Finding> {
    let declared = declared.value(Subject::Engine, "engine");
    let plain = |name: &str| -> String {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        letters.collect::<String>().to_ascii_lowercase()
    };
    let other = declared.filter(|declared| {
        let names = engine.names.iter();
        engine.names.len() == 1
            && !names
                .into_iter()
                .any(|n| plain(declared).contains(&plain(n)))
    });
    if engine.names.len() < 2 && other.is_none() {
        return None;
    }
    let mut evidence = engine.sources();
    if let Some(declared) = other {
        evidence.push_str(&format!("; declared: {}", inert(&declared, 100)));
    }
    Some(raised::ENGINE_DISAGREES.found(
        "What is known of the server names several engines.",
        evidence,
        "Say which one it is with --engine-info engine=NAME.",
    ))
}
