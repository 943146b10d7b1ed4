//! Which engine answers: what a server lets slip about itself, each word with its source.
//!
//! It asks nothing and decides between no two words that disagree. A proxy in front of an engine is
//! told apart from it. Invariant: every name has a source that a reader can look up.

mod names;

use infermeter_core::environment::{EngineFacts, Evidence};
use infermeter_core::text::inert;
use names::{ENGINES, OWNERS, PAGES, PROXIES, PROXY_HEADERS, named};
use serde_json::Value;

pub(crate) use names::SIMULATOR;

/// Longest text kept of what was said, bytes.
const MAX_SAID: usize = 120;

/// A word that names nothing yet.
fn word(source: &str, said: &str) -> Evidence {
    Evidence {
        source: source.to_owned(),
        said: inert(said, MAX_SAID),
        ..Evidence::default()
    }
}

fn of_engine(source: &str, said: &str, engine: &str) -> Evidence {
    Evidence {
        engine: Some(engine.to_owned()),
        ..word(source, said)
    }
}

fn of_proxy(source: &str, said: &str, proxy: &str) -> Evidence {
    Evidence {
        proxy: Some(proxy.to_owned()),
        ..word(source, said)
    }
}

/// The facts that these words make.
pub(crate) fn facts_of(evidence: Vec<Evidence>) -> EngineFacts {
    let mut facts = EngineFacts::default();
    for word in evidence {
        if facts.evidence.contains(&word) {
            continue;
        }
        let note = |names: &mut Vec<String>, name: &Option<String>| {
            names.extend(name.clone().filter(|name| !names.contains(name)));
        };
        note(&mut facts.names, &word.engine);
        note(&mut facts.proxies, &word.proxy);
        facts.version = facts.version.or_else(|| word.version.clone());
        facts.evidence.push(word);
    }
    // The simulator speaks with the names of the engine that it stands for.
    if facts.names.iter().any(|name| name == SIMULATOR) {
        facts.names = vec![SIMULATOR.to_owned()];
    }
    facts
}

/// What the header fields of an answer say.
pub(crate) fn of_fields(fields: &[(String, String)]) -> Vec<Evidence> {
    let mut found = Vec::new();
    for (name, value) in fields {
        let source = format!("`{name}` header");
        if let Some((_, proxy)) = PROXY_HEADERS.iter().find(|(known, _)| name == known) {
            found.push(of_proxy(&source, value, proxy));
        } else if matches!(name.as_str(), "server" | "via" | "x-powered-by") {
            if let Some(proxy) = named(value, &PROXIES) {
                found.push(of_proxy(&source, value, proxy));
            } else if let Some(engine) = named(value, &ENGINES) {
                found.push(of_engine(&source, value, engine));
            }
        }
    }
    // TGI tells how it spent its time.
    let has = |name: &str| fields.iter().any(|(known, _)| known == name);
    if has("x-compute-type") && has("x-time-per-token") {
        found.push(of_engine("`x-compute-type` header", "", "TGI"));
    }
    found
}

/// What `owned_by` of a model says: engines put their own names there.
pub(crate) fn of_owner(owner: &str) -> Option<Evidence> {
    let is = |(known, _): &&(&str, &str)| owner.eq_ignore_ascii_case(known);
    let (_, engine) = OWNERS.iter().find(is)?;
    Some(of_engine("`owned_by` of /v1/models", owner, engine))
}

/// What `system_fingerprint` of an answer says.
pub(crate) fn of_fingerprint(said: &str) -> Option<Evidence> {
    const SOURCE: &str = "`system_fingerprint`";
    if let Some(engine) = named(said, &ENGINES) {
        return Some(of_engine(SOURCE, said, engine));
    }
    let (build, commit) = said.split_once('-')?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let hex = commit.len() >= 7 && commit.bytes().all(|b| b.is_ascii_hexdigit());
    if build.strip_prefix('b').is_some_and(digits) && hex {
        // llama.cpp: the number of its build and the commit.
        return Some(Evidence {
            version: Some(inert(said, MAX_SAID)),
            ..of_engine(SOURCE, said, "llama.cpp")
        });
    }
    let is_version = build.split('.').count() == 3 && build.split('.').all(digits);
    if is_version && (commit == "native" || commit.starts_with("sha-")) {
        return Some(Evidence {
            version: Some(inert(build, MAX_SAID)),
            ..of_engine(SOURCE, said, "TGI")
        });
    }
    None
}

/// What the names of the series on a metrics page say.
pub(crate) fn of_page(page: &str) -> Vec<Evidence> {
    let has = |begin: &str| page.lines().any(|line| line.starts_with(begin));
    let mut found = Vec::new();
    for (begin, engine, proxy) in PAGES {
        if has(begin) {
            let source = "metrics page";
            let said = format!("{begin}...");
            found.push(Evidence {
                engine: engine.map(str::to_owned),
                proxy: proxy.map(str::to_owned),
                ..word(source, &said)
            });
        }
    }
    found
}

/// What the answer to `GET path` says, where it is JSON that an engine gives there.
pub(crate) fn of_question(path: &str, body: &[u8]) -> Option<Evidence> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let has = |name: &str| value.get(name).is_some();
    let (engine, version) = match path {
        "/props" if has("default_generation_settings") => (Some("llama.cpp"), text("build_info")),
        "/server_info" | "/get_server_info" if has("tp_size") || has("internal_states") => {
            (Some("SGLang"), text("version"))
        }
        "/info" if has("docker_label") || text("router").is_some_and(is_tgi) => {
            (Some("TGI"), text("version"))
        }
        "/api/version" if has("version") => (Some("Ollama"), text("version")),
        "/version" => (
            text("engine").and_then(|engine| named(engine, &ENGINES)),
            Some(text("version")?),
        ),
        _ => return None,
    };
    Some(Evidence {
        engine: engine.map(str::to_owned),
        version: version.map(|version| inert(version, MAX_SAID)),
        ..word(path, version.or(engine).unwrap_or_default())
    })
}

fn is_tgi(router: &str) -> bool {
    router.contains("text-generation")
}

/// The questions that are worth asking, given what is known: an engine's own place for its version,
/// and those of all while none is named.
pub(crate) fn questions(facts: &EngineFacts) -> &'static [&'static str] {
    let names: Vec<&str> = facts.names.iter().map(String::as_str).collect();
    match (names.as_slice(), &facts.version) {
        ([_, ..], Some(_)) => &[],
        (["llama.cpp"], None) => &["/props"],
        (["SGLang"], None) => &["/server_info", "/get_server_info"],
        (["TGI"], None) => &["/info"],
        (["Ollama"], None) => &["/api/version"],
        ([], _) => &[
            "/props",
            "/server_info",
            "/get_server_info",
            "/info",
            "/api/version",
        ],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[track_caller]
    fn engine(found: Option<Evidence>, name: &str, version: Option<&str>) {
        let found = found.expect("evidence");
        assert_eq!(found.engine.as_deref(), Some(name));
        assert_eq!(found.version.as_deref(), version);
    }

    #[test]
    fn engines_name_themselves_in_many_places() {
        engine(
            of_fields(&field("server", "llama.cpp")).pop(),
            "llama.cpp",
            None,
        );
        engine(of_owner("vllm"), "vLLM", None);
        engine(of_owner("library"), "Ollama", None);
        assert_eq!(of_owner("openai"), None);
        engine(
            of_fingerprint("b1-7e4c0a9"),
            "llama.cpp",
            Some("b1-7e4c0a9"),
        );
        engine(of_fingerprint("3.3.4-sha-9f38d93"), "TGI", Some("3.3.4"));
        engine(of_fingerprint("fp_ollama"), "Ollama", None);
        assert_eq!(of_fingerprint("fp_44709d6fcb"), None);
        let props = br#"{"default_generation_settings":{},"build_info":"b1-7e4c0a9"}"#;
        engine(
            of_question("/props", props),
            "llama.cpp",
            Some("b1-7e4c0a9"),
        );
        let info = br#"{"version":"0.5.2","tp_size":1}"#;
        engine(of_question("/server_info", info), "SGLang", Some("0.5.2"));
        let info = br#"{"model_id":"m","version":"3.3.4","router":"text-generation-router"}"#;
        engine(of_question("/info", info), "TGI", Some("3.3.4"));
        assert_eq!(of_question("/info", b"{\"version\":\"1\"}"), None);
        let page = of_page("# HELP x\nllamacpp:prompt_tokens_total 4\n");
        engine(page.into_iter().next(), "llama.cpp", None);
    }

    #[test]
    fn a_proxy_is_not_the_engine() {
        let mut evidence = of_fields(&field("x-litellm-version", "1.80.0"));
        evidence.extend(of_fields(&field("server", "nginx/1.27")));
        evidence.extend(of_fields(&field("server", "uvicorn")));
        evidence.extend(of_owner("vllm"));
        let facts = facts_of(evidence);
        assert_eq!(facts.names, ["vLLM"]);
        assert_eq!(facts.proxies, ["LiteLLM", "nginx"]);
    }

    #[test]
    fn words_that_disagree_all_stay() {
        let mut evidence = of_page("vllm:num_requests_running 0\n");
        evidence.extend(of_owner("sglang"));
        evidence.extend(of_owner("sglang"));
        let facts = facts_of(evidence);
        assert_eq!(facts.names, ["vLLM", "SGLang"]);
        assert_eq!(
            facts.sources(),
            "vLLM (metrics page), SGLang (`owned_by` of /v1/models)"
        );
        assert!(questions(&facts).is_empty());
    }
}
