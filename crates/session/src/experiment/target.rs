//! Who answers.

use crate::mock_settings::MockTarget;
use crate::redact;
use crate::spans;
use anyhow::{Context, Result, bail};
use infermeter_core::declared::Declared;
use infermeter_core::plan::{
    Balance, GpuMetrics, GpuSource, Plan, ReplicasFrom, ServerMetrics, SpansAt,
};
use infermeter_core::units::Span;
use serde::{Serialize, Serializer};
use std::path::PathBuf;

/// Who answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetSpec {
    /// Where it is.
    pub server: Server,
    /// Whom to believe to be it.
    pub trust: TrustSpec,
    /// What is asked of it before the load.
    pub probing: Probing,
    /// Time for each answer to that; absent: by the request's own.
    pub probe_timeout: Option<Span>,
    /// What it says of itself during the load.
    pub metrics: MetricsSpec,
    /// What its GPUs say; left out of the hash where it is as it is by default.
    #[serde(skip_serializing_if = "GpuSpec::is_usual")]
    pub gpus: GpuSpec,
    /// Who says how many replicas there are; absent where nobody is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<ReplicasSpec>,
    /// What the user says of it.
    pub declared: Declared,
    /// Where the spans of its requests are received; absent where requests name no trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spans: Option<SpansAt>,
}

/// A server by its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Server {
    /// The embedded simulator, started for the occasion.
    #[serde(serialize_with = "as_text")]
    Simulator(MockTarget),
    /// One that serves already, or several of a kind.
    Served(Served),
}

/// Servers that serve already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Served {
    /// URL of the first.
    #[serde(serialize_with = "redact::shown_url")]
    pub first: String,
    /// Those of the others.
    #[serde(serialize_with = "redact::shown_urls")]
    pub more: Vec<String>,
    /// How the load is spread.
    pub balance: Balance,
    /// Proxy on the way.
    #[serde(serialize_with = "redact::shown_some_url")]
    pub proxy: Option<String>,
}

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustSpec {
    /// Those of the platform's authorities.
    Platform,
    /// And those of a file's.
    And(PathBuf),
    /// Any.
    Anyone,
}

/// What a target is asked before the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Probing {
    /// Nothing but the model's name, where that is not given.
    Never,
    /// Which fields it accepts.
    Fields {
        /// Whether it answers repeated prompts from a cache, too.
        response_cache: bool,
    },
}

/// Whether the server's own metrics are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricsSpec {
    /// No.
    Off,
    /// Where the server has a page beside its API.
    Beside {
        /// From one reading to the next.
        interval: Span,
    },
    /// At these URLs.
    At {
        /// Where; one text in the hash, as when there could be one only.
        #[serde(rename = "url", serialize_with = "redact::shown_joined")]
        urls: Vec<String>,
        /// From one reading to the next.
        interval: Span,
    },
}

/// Whether the GPUs are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GpuSpec {
    /// No.
    Off,
    /// Where they can be without anybody saying so: by NVML on the server's own host, on the simulator's page.
    Usual {
        /// From one reading to the next.
        interval: Span,
    },
    /// In these places.
    At {
        /// Where.
        #[serde(serialize_with = "shown_places")]
        places: Vec<GpuSource>,
        /// From one reading to the next.
        interval: Span,
    },
}

/// Who says how many replicas there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicasSpec {
    /// A metric of a page.
    #[serde(serialize_with = "shown_series")]
    Page(ReplicasFrom),
    /// A command for `sh`.
    Command(String),
}

impl ReplicasSpec {
    fn of(plan: &Plan) -> Result<Option<Self>> {
        match (&plan.replicas_from, &plan.replicas_command) {
            (None, None) => Ok(None),
            (Some(series), None) => Ok(Some(Self::Page(series.clone()))),
            (None, Some(command)) => Ok(Some(Self::Command(command.clone()))),
            (Some(_), Some(_)) => {
                bail!("--replicas-from and --replicas-command exclude each other: give one")
            }
        }
    }
}

/// A series without secrets.
fn shown_series<S: Serializer>(series: &ReplicasFrom, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&ReplicasFrom {
        url: redact::redact_url(&series.url),
        ..series.clone()
    })
}

impl GpuSpec {
    fn of(plan: &Plan) -> Self {
        let interval = plan.server_metrics_interval;
        match &plan.gpu_metrics {
            GpuMetrics::Off => Self::Off,
            GpuMetrics::Auto => Self::Usual { interval },
            GpuMetrics::At(places) => Self::At {
                places: places.clone(),
                interval,
            },
        }
    }

    fn is_usual(&self) -> bool {
        matches!(self, Self::Usual { .. })
    }
}

/// Places without secrets.
fn shown_places<S: Serializer>(places: &[GpuSource], serializer: S) -> Result<S::Ok, S::Error> {
    let shown = |place: &GpuSource| match place {
        GpuSource::Url(url) => redact::redact_url(url),
        GpuSource::Nvml | GpuSource::NvmlAt(_) => place.to_string(),
    };
    serializer.collect_seq(places.iter().map(shown))
}

impl TargetSpec {
    /// That of a plan.
    ///
    /// # Errors
    /// For keys that exclude each other, and for a simulator that there is not.
    pub fn of(plan: &Plan) -> Result<Self> {
        let trust = match (&plan.tls_ca, plan.tls_insecure) {
            (None, false) => TrustSpec::Platform,
            (Some(file), false) => TrustSpec::And(file.clone()),
            (None, true) => TrustSpec::Anyone,
            (Some(_), true) => bail!("--tls-ca and --tls-insecure exclude each other: give one"),
        };
        let probing = match (plan.no_probe, plan.probe_response_cache) {
            (false, response_cache) => Probing::Fields { response_cache },
            (true, false) => Probing::Never,
            (true, true) => bail!("--no-probe and --probe-response-cache exclude each other"),
        };
        let interval = plan.server_metrics_interval;
        let metrics = match &plan.server_metrics {
            ServerMetrics::Off => MetricsSpec::Off,
            ServerMetrics::Auto => MetricsSpec::Beside { interval },
            ServerMetrics::Urls(urls) => MetricsSpec::At {
                urls: urls.clone(),
                interval,
            },
        };
        if plan.spans.is_some() {
            spans::check_headers(&plan.header)?;
        }
        Ok(Self {
            server: Server::of(plan)?,
            trust,
            probing,
            probe_timeout: plan.probe_timeout,
            metrics,
            gpus: GpuSpec::of(plan),
            replicas: ReplicasSpec::of(plan)?,
            declared: Declared::of_plan(plan),
            spans: plan.spans,
        })
    }
}

impl Server {
    /// That of a plan.
    ///
    /// # Errors
    /// For a simulator that there is not, and for one that does not stand alone.
    pub fn of(plan: &Plan) -> Result<Self> {
        let Some(mock) = plan.target.strip_prefix("mock:") else {
            return Ok(Self::Served(Served {
                first: plan.target.clone(),
                more: plan.more_targets.clone(),
                balance: plan.balance,
                proxy: plan.proxy.clone(),
            }));
        };
        let mock = MockTarget::parse(mock).context("target")?;
        if !plan.more_targets.is_empty() {
            bail!(STANDS_ALONE);
        }
        if plan.proxy.is_some() {
            bail!(
                "--proxy does not go with the embedded simulator: a `mock:` target is on this host"
            );
        }
        Ok(Self::Simulator(mock))
    }

    /// How the load is spread over it.
    pub fn balance(&self) -> Balance {
        match self {
            Self::Simulator(_) => Balance::default(),
            Self::Served(served) => served.balance,
        }
    }

    /// The proxy on the way to it.
    pub fn proxy(&self) -> Option<&str> {
        match self {
            Self::Simulator(_) => None,
            Self::Served(served) => served.proxy.as_deref(),
        }
    }
}

impl Served {
    /// All URLs.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        let more = self.more.iter().map(String::as_str);
        std::iter::once(self.first.as_str()).chain(more)
    }
}

/// Why a simulator has no company.
pub(crate) const STANDS_ALONE: &str = "target: a `mock:` target stands alone: each run starts one \
    simulator; start several with `infermeter mock`, and give their URLs";

fn as_text<S: Serializer>(mock: &MockTarget, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(mock)
}
