//! One run, resolved: what is to be measured, made from a plan by one function.
//!
//! Not part of it: where the record goes, how it is shown, how often it is repeated, and what is fresh for
//! every run ([`crate::run_id::RunIdentity`]). What a plan spreads over keys that exclude each other is one
//! enum here, so that nothing below has to ask again which of them was given; nobody who measures sees the
//! plan.
//!
//! Invariant: two experiments with one hash measure the same, but for secrets, which the hash does not hold.

mod load;
mod requests;
mod target;

pub use load::{LoadSpec, Pace, RateSpec};
pub use requests::{
    AnswerPlaces, Answers, BodySpec, FormSpec, ReadingSpec, RequestsSpec, TemplateSpec, TextSource,
    TextsSpec,
};
pub(crate) use target::STANDS_ALONE;
pub use target::{
    GpuSpec, MetricsSpec, Probing, ReplicasSpec, Served, Server, TargetSpec, TrustSpec,
};

use crate::redact::redact;
use anyhow::Result;
use infermeter_core::plan::{Deadlines, Io, Plan, Until};
use infermeter_core::slo::Slo;
use infermeter_core::units::Span;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::net::IpAddr;

/// What one run measures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Experiment {
    /// When requests are due.
    pub load: LoadSpec,
    /// What they are.
    pub requests: RequestsSpec,
    /// Who answers.
    pub target: TargetSpec,
    /// Who asks.
    pub client: ClientSpec,
    /// What is asked of the answers' figures.
    pub judge: JudgeSpec,
}

/// The client's side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClientSpec {
    /// Worker threads; absent: one for each of the client's cores.
    pub threads: Option<u32>,
    /// Most connections; absent: what the system allows.
    pub max_connections: Option<u32>,
    /// What it receives with.
    pub io: Io,
    /// Time to open a connection.
    pub connect_timeout: Span,
    /// Time for a whole request.
    pub timeout: Span,
    /// Longest silence inside an answer.
    pub idle_timeout: Option<Span>,
    /// Longest idle time after which a connection is used again.
    pub keepalive: Span,
    /// A request goes out again, once, when a reused connection was reset before any byte.
    pub retry_stale: bool,
    /// The kernel stamps what leaves.
    pub audit_send: bool,
    /// Busy-wait after each event.
    pub burn: Option<Span>,
    /// Addresses of this host that connections come from, in turn; none: the system chooses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub source_addresses: Vec<IpAddr>,
}

/// What is asked of the figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JudgeSpec {
    /// Objectives.
    pub slo: Vec<Slo>,
    /// Percentiles beside the default ones.
    pub percentile: Vec<String>,
    /// When tokens are due.
    pub fluidity: Option<Deadlines>,
    /// A precision that runs together are to reach.
    pub until: Option<Until>,
    /// Doubts weigh more.
    pub strict: bool,
    /// What a publication needs is asked, too.
    pub publication: bool,
}

impl Experiment {
    /// What a plan measures. Whether the plan makes sense as a whole was checked when it was read.
    ///
    /// # Errors
    /// For keys that exclude each other, and for a load without a pace.
    pub fn of(plan: &Plan) -> Result<Self> {
        Ok(Self {
            load: LoadSpec::of(plan)?,
            requests: RequestsSpec::of(plan)?,
            target: TargetSpec::of(plan)?,
            client: client(plan),
            judge: JudgeSpec {
                slo: plan.slo.clone(),
                percentile: plan.percentile.clone(),
                fluidity: plan.fluidity,
                until: plan.until,
                strict: plan.strict,
                publication: plan.publication,
            },
        })
    }

    /// SHA-256 over all of it, hex: of its JSON, in which secrets are replaced.
    pub fn hash(&self) -> String {
        let canonical = serde_json::to_vec(self).unwrap_or_default();
        let hash = Sha256::digest(&canonical);
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Both ask the same target in the same way, however often, when and about what: what was found out
    /// of it for one holds for the other. Secrets and all: a target is asked with them.
    pub(crate) fn has_target_of(&self, other: &Self) -> bool {
        let (own, others) = (&self.requests, &other.requests);
        self.target == other.target
            && self.client == other.client
            && own.form == others.form
            && own.carried == others.carried
            && own.texts.items == others.texts.items
    }

    /// The target is the embedded simulator.
    pub(crate) fn is_simulated(&self) -> bool {
        matches!(self.target.server, Server::Simulator(_))
    }
}

/// What of a plan a record keeps: not where it goes, nor how it is shown. Secrets are replaced.
pub(crate) fn measured(plan: &Plan) -> Plan {
    redact(plan).without_showing()
}

fn client(plan: &Plan) -> ClientSpec {
    ClientSpec {
        threads: plan.threads,
        max_connections: plan.max_connections,
        io: plan.io,
        connect_timeout: plan.connect_timeout,
        timeout: plan.timeout,
        idle_timeout: plan.idle_timeout,
        keepalive: plan.keepalive,
        retry_stale: plan.retry_stale,
        audit_send: plan.audit_send,
        burn: plan.burn,
        source_addresses: plan.source_address.iter().map(|own| own.0).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::key::{Key, Keyed, ValueKind};
    use infermeter_core::plan::{ArrivalKind, Endpoint, ServerMetrics};
    use serde_json::Value;

    fn plan(change: impl FnOnce(&mut Plan)) -> Plan {
        let mut plan = Plan {
            target: "mock:fixed".to_owned(),
            rate: Some(5.0),
            ..Plan::defaults()
        };
        change(&mut plan);
        plan
    }

    fn experiment(change: impl FnOnce(&mut Plan)) -> Experiment {
        Experiment::of(&plan(change)).expect("an experiment")
    }

    #[test]
    fn every_pace_has_its_form() {
        let pace = |change: fn(&mut Plan)| experiment(change).load.pace;
        assert!(
            matches!(pace(|_| {}), Pace::Rate { rate: RateSpec::Constant(rate), .. } if rate == 5.0)
        );
        let slots = |p: &mut Plan| (p.rate, p.concurrency) = (None, Some(3));
        assert_eq!(pace(slots), Pace::Slots(3));
        let trace = |p: &mut Plan| (p.rate, p.trace, p.time_scale) = (None, Some("t".into()), 2.0);
        assert_eq!(pace(trace), Pace::Recorded);
        let clients = |p: &mut Plan| (p.rate, p.clients) = (None, Some("synthetic".to_owned()));
        let synthetic = Pace::Clients {
            profile: "synthetic".to_owned(),
            rate: None,
        };
        assert_eq!(pace(clients), synthetic);
    }

    #[test]
    fn what_excludes_each_other_is_no_experiment() {
        let refused = |change: fn(&mut Plan), word: &str| {
            let error = Experiment::of(&plan(change)).expect_err(word).to_string();
            assert!(error.contains(word), "{error}");
        };
        refused(|p| p.concurrency = Some(1), "--concurrency");
        refused(|p| p.rate = None, "no load");
        refused(
            |p| (p.tls_ca, p.tls_insecure) = (Some("ca".into()), true),
            "--tls-ca",
        );
        refused(
            |p| (p.no_probe, p.probe_response_cache) = (true, true),
            "--no-probe",
        );
        refused(
            |p| (p.no_stream, p.first_token_timeout) = (true, Some(Span::seconds(1))),
            "--first-token-timeout",
        );
    }

    #[test]
    fn a_target_is_shared_by_those_that_ask_it_in_the_same_way() {
        let first = experiment(|_| {});
        let shared = |change: fn(&mut Plan)| experiment(change).has_target_of(&first);
        assert!(shared(
            |p| (p.rate, p.seed, p.out) = (Some(9.0), 7, Some("x".into()))
        ));
        assert!(shared(|p| (p.rate, p.concurrency) = (None, Some(9))));
        assert!(!shared(|p| p.header = vec!["x-key: one".to_owned()]));
        let one = experiment(|p| p.header = vec!["x-key: one".to_owned()]);
        let other = experiment(|p| p.header = vec!["x-key: other".to_owned()]);
        assert!(!one.has_target_of(&other), "with another secret");
        assert!(!shared(|p| p.target = "mock:null".to_owned()));
    }

    #[test]
    fn the_hash_is_over_what_is_measured() {
        let hash = |change: fn(&mut Plan)| experiment(change).hash();
        let same = hash(|_| {});
        assert_eq!(same.len(), 64);
        assert_eq!(hash(|p| (p.out, p.json) = (Some("x".into()), true)), same);
        assert_ne!(hash(|p| p.rate = Some(6.0)), same);
        assert_ne!(hash(|p| p.seed = 2), same);
        assert_ne!(hash(|p| p.threads = Some(2)), same);
    }

    /// The plan with the example of a key, where there can be such a plan.
    fn with_example(plan: &Plan, key: &Key) -> Option<Plan> {
        let one = match key.kind {
            ValueKind::Switch => Value::Bool(true),
            ValueKind::Number | ValueKind::Whole | ValueKind::Object => {
                serde_json::from_str(key.example).ok()?
            }
            ValueKind::Time | ValueKind::Text | ValueKind::OneOf(_) => key.example.into(),
        };
        let mut plan = serde_json::to_value(plan).ok()?;
        let place = plan.get_mut(key.name)?;
        *place = match key.many {
            true => Value::Array(vec![one]),
            false => one,
        };
        serde_json::from_value(plan).ok()
    }

    #[test]
    fn whatever_is_measured_changes_the_hash() {
        // Keys need each other: each changes the hash of one of these at least.
        let changes: [fn(&mut Plan); 9] = [
            |p| p.target = "http://host:1".to_owned(),
            |p| p.arrival = ArrivalKind::Gamma,
            |p| (p.rate, p.trace) = (None, Some("t.csv".into())),
            |p| p.rate = None,
            |p| p.dataset = Some("d.json".into()),
            |p| p.endpoint = Endpoint::Embeddings,
            |p| p.endpoint = Endpoint::Rerank,
            |p| p.canaries = "2%".parse().ok(),
            |p| {
                p.tools = Some("2".to_owned());
                p.chat_template = Some("t.jinja".into());
                p.body_template = Some("b.json".into());
                p.answer_text = Some("/a".to_owned());
            },
        ];
        let changes_hash = |key: &Key| {
            changes.iter().any(|change| {
                let without = plan(change);
                let changed = with_example(&without, key);
                let hash = |plan: &Plan| Experiment::of(plan).ok().map(|e| e.hash());
                let (before, after) = (hash(&without), changed.as_ref().and_then(hash));
                after.is_some() && before != after
            })
        };
        for key in Plan::KEYS {
            // Where defaults come from, where the record goes, how it is shown, how often it is measured.
            let no_part = key.showing || ["profile", "repeat"].contains(&key.name);
            assert_eq!(changes_hash(key), !no_part, "{}", key.name);
        }
    }

    #[test]
    fn the_hash_holds_no_secret() {
        let secret = |p: &mut Plan| {
            p.target = "http://me:hidden@host/v1?key=hidden".to_owned();
            p.more_targets = vec!["http://other?key=hidden".to_owned()];
            p.proxy = Some("http://me:hidden@proxy".to_owned());
            p.header = vec!["x-key: hidden".to_owned()];
            p.endpoint_path = Some("/chat?key=hidden".to_owned());
            p.extra_body = Some(serde_json::json!({"api_key": "hidden"}));
            p.server_metrics =
                ServerMetrics::Urls(vec!["http://me:hidden@host/metrics".to_owned()]);
        };
        let text = serde_json::to_string(&experiment(secret)).expect("JSON");
        assert!(!text.contains("hidden"), "{text}");
    }
}
