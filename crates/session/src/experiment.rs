//! One run, resolved: what is to be measured, made from a plan by one function.
//!
//! Not part of it: where the record goes, how it is shown, how often it is repeated, and what is fresh for
//! every run ([`crate::run_id::RunIdentity`]). What a plan spreads over keys that exclude each other is one
//! enum here, so that nothing below has to ask again which of them was given.
//!
//! Invariant: two experiments with one hash measure the same.

use crate::mock_settings::MockTarget;
use crate::secrets::redact;
use anyhow::{Context, Result, anyhow, bail};
use infermeter_core::plan::{Deadlines, Endpoint, Io, Plan, RateProfile, ServerMetrics, Until};
use infermeter_core::seed::Seeds;
use infermeter_core::slo::Slo;
use infermeter_core::units::Span;
use infermeter_schedule::{ArrivalProcess, WarmupRule};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// What one run measures.
#[derive(Debug, Clone, PartialEq)]
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
    plan: Plan,
}

/// When requests are due.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadSpec {
    /// What sets the pace.
    pub pace: Pace,
    /// Least warm-up, and its end at the latest.
    pub warmup: WarmupRule,
    /// Length of the measured window.
    pub duration: Option<Span>,
    /// Number of measured requests.
    pub requests: Option<u64>,
}

/// What sets the pace of a load.
#[derive(Debug, Clone, PartialEq)]
pub enum Pace {
    /// Open loop: a process of arrivals at a rate.
    Rate {
        /// Requests per second.
        rate: RateSpec,
        /// Shape of the gaps.
        process: ArrivalProcess,
    },
    /// Open loop: clients, each with a rate, gaps and lengths of its own.
    Clients {
        /// A profile by name or file.
        profile: String,
        /// All of them together, where that is not the profile's.
        rate: Option<f64>,
    },
    /// Open loop: the instants of a file.
    Recorded {
        /// Offsets are multiplied by this.
        time_scale: f64,
    },
    /// Closed loop: so many slots.
    Slots(u32),
}

/// Requests per second.
#[derive(Debug, Clone, PartialEq)]
pub enum RateSpec {
    /// All the time.
    Constant(f64),
    /// Over time.
    Profile(RateProfile),
}

/// What requests are, as far as client and server have to agree on it; their texts are the workload's.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestsSpec {
    /// The API spoken.
    pub endpoint: Endpoint,
    /// Path, where it is not the API's.
    pub path: Option<String>,
    /// How answers come.
    pub answers: Answers,
    /// Seeds of lengths and instants.
    pub seeds: Seeds,
    /// Texts of the answers stay with the record.
    pub keeps_answers: bool,
}

/// How answers come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// Token by token.
    Stream {
        /// Time to the first of them.
        first_token: Option<Span>,
    },
    /// In one piece.
    Whole,
}

/// Who answers.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetSpec {
    /// Where it is.
    pub server: Server,
    /// Whom to believe to be it.
    pub trust: TrustSpec,
    /// What is asked of it before the load.
    pub probing: Probing,
    /// What it says of itself during the load.
    pub metrics: MetricsSpec,
}

/// A server by its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// The embedded simulator, started for the occasion.
    Simulator(MockTarget),
    /// One that serves already.
    Url(String),
}

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrustSpec {
    /// Those of the platform's authorities.
    Platform,
    /// And those of a file's.
    And(PathBuf),
    /// Any.
    Anyone,
}

/// What a target is asked before the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probing {
    /// Nothing but the model's name, where that is not given.
    Never,
    /// Which fields it accepts.
    Fields {
        /// Time for each answer.
        each: Option<Span>,
        /// Whether it answers repeated prompts from a cache, too.
        response_cache: bool,
    },
}

/// Whether the server's own metrics are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetricsSpec {
    /// No.
    Off,
    /// Where the server has a page beside its API.
    Beside {
        /// From one reading to the next.
        interval: Span,
    },
    /// At a URL.
    At {
        /// Where.
        url: String,
        /// From one reading to the next.
        interval: Span,
    },
}

/// The client's side.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// What is asked of the figures.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeSpec {
    /// Objectives.
    pub slo: Vec<Slo>,
    /// Percentiles beside the default ones.
    pub percentile: Vec<String>,
    /// When tokens are due.
    pub fluidity: Option<Deadlines>,
    /// A precision that runs together are to reach.
    pub until: Option<Until>,
}

impl Experiment {
    /// What a plan measures. Whether the plan makes sense as a whole was checked when it was read.
    ///
    /// # Errors
    /// For keys that exclude each other, and for a load without a pace.
    pub fn of(plan: &Plan) -> Result<Self> {
        Ok(Self {
            load: LoadSpec::of(plan)?,
            requests: requests(plan)?,
            target: target(plan)?,
            client: client(plan),
            judge: JudgeSpec {
                slo: plan.slo.clone(),
                percentile: plan.percentile.clone(),
                fluidity: plan.fluidity,
                until: plan.until,
            },
            plan: plan.clone(),
        })
    }

    /// The plan that it was made from.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What of the plan is measured: not where the record goes, nor how it is shown. Secrets are replaced.
    pub fn measured(&self) -> Plan {
        Plan {
            out: None,
            json: false,
            quiet: false,
            full: false,
            ..redact(&self.plan)
        }
    }

    /// SHA-256 over all of it, hex: of the JSON of what is measured.
    pub fn hash(&self) -> String {
        let canonical = serde_json::to_vec(&self.measured()).unwrap_or_default();
        let hash = Sha256::digest(&canonical);
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Both ask the same target in the same way, however often, when and about what: what was found out
    /// of it for one holds for the other.
    pub(crate) fn has_target_of(&self, other: &Self) -> bool {
        let asked = |experiment: &Self| {
            let defaults = Plan::defaults();
            Plan {
                rate: None,
                rate_profile: None,
                concurrency: None,
                duration: None,
                requests: None,
                warmup: None,
                workload: defaults.workload,
                seed: defaults.seed,
                workload_seed: None,
                schedule_seed: None,
                salt: None,
                out: None,
                json: false,
                quiet: false,
                full: false,
                // Secrets and all: a target is asked with them.
                ..experiment.plan.clone()
            }
        };
        asked(self) == asked(other)
    }

    /// The target is the embedded simulator.
    pub(crate) fn is_simulated(&self) -> bool {
        matches!(self.target.server, Server::Simulator(_))
    }
}

impl LoadSpec {
    /// That of a plan.
    ///
    /// # Errors
    /// Where nothing sets the pace, or several things do.
    pub fn of(plan: &Plan) -> Result<Self> {
        Ok(Self {
            pace: pace(plan)?,
            warmup: WarmupRule::resolve(plan.warmup, plan.duration),
            duration: plan.duration,
            requests: plan.requests,
        })
    }

    /// The highest rate asked for, requests per second; absent where no rate is.
    pub fn peak_rate(&self) -> Option<f64> {
        match &self.pace {
            Pace::Rate { rate, .. } => Some(match rate {
                RateSpec::Constant(rate) => *rate,
                RateSpec::Profile(profile) => profile.peak(),
            }),
            Pace::Clients { rate, .. } => *rate,
            Pace::Recorded { .. } | Pace::Slots(_) => None,
        }
    }
}

fn pace(plan: &Plan) -> Result<Pace> {
    let recorded = || Pace::Recorded {
        time_scale: plan.time_scale,
    };
    let process = || ArrivalProcess::resolve(plan.arrival, plan.cv);
    let paces = (plan.rate, &plan.rate_profile, plan.concurrency);
    Ok(match (paces, &plan.clients) {
        ((rate, None, None), Some(profile)) => Pace::Clients {
            profile: profile.clone(),
            rate,
        },
        ((Some(rate), None, None), None) => Pace::Rate {
            rate: RateSpec::Constant(rate),
            process: process()?,
        },
        ((None, Some(profile), None), None) => Pace::Rate {
            rate: RateSpec::Profile(profile.clone()),
            process: process()?,
        },
        ((None, None, Some(slots)), None) => Pace::Slots(slots),
        ((None, None, None), None) if plan.is_replay() => recorded(),
        ((None, None, None), None) => {
            bail!("no load: give --rate, --rate-profile, --concurrency or --trace")
        }
        _ => bail!(
            "--rate, --rate-profile, --concurrency and --clients exclude each other: give one"
        ),
    })
}

fn requests(plan: &Plan) -> Result<RequestsSpec> {
    let answers = match (!plan.streams(), plan.first_token_timeout) {
        (false, first_token) => Answers::Stream { first_token },
        (true, None) => Answers::Whole,
        (true, Some(_)) => bail!("--first-token-timeout needs a stream: leave --no-stream out"),
    };
    Ok(RequestsSpec {
        endpoint: plan.endpoint,
        path: plan.endpoint_path.clone(),
        answers,
        seeds: plan.seeds(),
        keeps_answers: plan.save_responses || plan.has_live_history(),
    })
}

fn target(plan: &Plan) -> Result<TargetSpec> {
    let server = match plan.target.strip_prefix("mock:") {
        Some(mock) => Server::Simulator(MockTarget::parse(mock).context("target")?),
        None => Server::Url(plan.target.clone()),
    };
    let trust = match (&plan.tls_ca, plan.tls_insecure) {
        (None, false) => TrustSpec::Platform,
        (Some(file), false) => TrustSpec::And(file.clone()),
        (None, true) => TrustSpec::Anyone,
        (Some(_), true) => bail!("--tls-ca and --tls-insecure exclude each other: give one"),
    };
    let probing = match (plan.no_probe, plan.probe_response_cache) {
        (false, response_cache) => Probing::Fields {
            each: plan.probe_timeout,
            response_cache,
        },
        (true, false) => Probing::Never,
        (true, true) => {
            return Err(anyhow!(
                "--no-probe and --probe-response-cache exclude each other"
            ));
        }
    };
    let interval = plan.server_metrics_interval;
    let metrics = match &plan.server_metrics {
        ServerMetrics::Off => MetricsSpec::Off,
        ServerMetrics::Auto => MetricsSpec::Beside { interval },
        ServerMetrics::Url(url) => MetricsSpec::At {
            url: url.clone(),
            interval,
        },
    };
    Ok(TargetSpec {
        server,
        trust,
        probing,
        metrics,
    })
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(pace(trace), Pace::Recorded { time_scale: 2.0 });
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
}
