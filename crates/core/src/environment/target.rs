//! The server's side: address, identity, accepted fields, its metrics page and its caches.

use super::{CacheTrial, EngineFacts, OtherMembers};
use crate::server::{Quantity, ServerEngine, ServerFigures, WatchedPage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was found out about the server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct TargetSide {
    /// Where requests go, without credentials.
    pub url: Option<String>,
    /// The address behind it.
    pub address: Option<String>,
    /// That is a loopback one.
    pub loopback: Option<bool>,
    /// That is one of the client's host.
    pub same_host: Option<bool>,
    /// The longest that a name of the targets, or of the proxy before them, took to resolve before the run,
    /// nanoseconds; absent where all were addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolve_ns: Option<i64>,
    /// The `server` header.
    pub server: Option<String>,
    /// `/version`.
    pub version: Option<String>,
    /// Models served.
    pub models: Vec<ModelFacts>,
    /// Why there are none.
    pub models_problem: Option<String>,
    /// The embedded simulator's preset or parameters.
    pub mock: Option<String>,
    /// Measured in virtual time, without sockets; absent of every other run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_time: Option<bool>,
    /// Path of the requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Request fields in use.
    pub fields: Option<RequestFields>,
    /// Which engine it says it is.
    pub engine: Option<EngineFacts>,
    /// Its metrics page.
    pub server_metrics: Option<MetricsPlace>,
    /// The GPUs and hosts that tell of themselves; absent from records of older versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_metrics: Option<MetricsPlace>,
    /// Who says how many replicas there are; absent where nobody was to be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<MetricsPlace>,
    /// Its counters of the prefix cache; absent where it has none.
    pub prefix_cache: Option<PrefixCountersOfRun>,
    /// The trial of response caching; absent where none was asked for.
    pub response_cache: Option<CacheTrial>,
    /// Of another version.
    #[serde(flatten)]
    pub other: OtherMembers,
}

/// One entry of `/v1/models`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModelFacts {
    /// Its id.
    pub id: String,
    /// Longest prompt plus answer, tokens.
    pub max_model_len: Option<u64>,
    /// `owned_by`.
    pub owned_by: Option<String>,
}

/// Fields that requests carry beside what they ask.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RequestFields {
    /// `ignore_eos`.
    pub ignore_eos: Option<bool>,
    /// `stream_options.include_usage`.
    pub include_usage: Option<bool>,
    /// `stream_options.continuous_usage_stats`.
    pub continuous_usage: Option<bool>,
    /// `max_completion_tokens` instead of `max_tokens`.
    pub max_completion_tokens: Option<bool>,
    /// They were tried on the server.
    pub probed: Option<bool>,
    /// Of another version.
    #[serde(flatten)]
    pub other: OtherMembers,
}

/// The server's metrics page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MetricsPlace {
    /// It is read.
    Known {
        /// Whose it is.
        engine: ServerEngine,
        /// Where it is, without credentials.
        url: String,
        /// Further pages that are read, and further engines of the same page.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        more: Vec<WatchedPage>,
        /// Pages that the plan names and nobody answered.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unread: Vec<UnreadPage>,
    },
    /// There is none that could be read.
    NotAvailable {
        /// Why.
        not_available: String,
    },
}

impl MetricsPlace {
    /// As that of [`TargetSide`].
    fn each_text(&mut self, each: &mut dyn FnMut(&mut String)) {
        match self {
            Self::Known {
                engine: _,
                url,
                more,
                unread,
            } => {
                each(url);
                more.iter_mut().for_each(|page| each(&mut page.url));
                for UnreadPage { url, why } in unread {
                    each(url);
                    each(why);
                }
            }
            Self::NotAvailable { not_available } => each(not_available),
        }
    }
}

/// A metrics page without figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnreadPage {
    /// Where, without credentials.
    pub url: String,
    /// Why.
    pub why: String,
}

/// The counters around the load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PrefixCountersOfRun {
    /// Before it.
    pub before: PrefixCounters,
    /// After it; absent where the run did not get there, or the page was gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<PrefixCounters>,
}

/// Tokens looked up and found in the prefix cache since the server started: two counters of its metrics
/// page. What a server does not count is absent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PrefixCounters {
    /// Prompt tokens looked up.
    pub queries: f64,
    /// Of those, found.
    pub hits: f64,
}

impl PrefixCounters {
    /// Those of a page; `None` unless it has both.
    pub fn of(figures: &ServerFigures) -> Option<Self> {
        Some(Self {
            queries: figures.get(Quantity::PrefixQueries)?,
            hits: figures.get(Quantity::PrefixHits)?,
        })
    }
}

impl TargetSide {
    /// Every text in which a server may repeat a secret. The pattern names all members: a new one has
    /// to find its place here.
    pub fn each_text(&mut self, each: &mut dyn FnMut(&mut String)) {
        let Self {
            url,
            address,
            loopback: _,
            virtual_time: _,
            path,
            same_host: _,
            resolve_ns: _,
            server,
            version,
            models,
            models_problem,
            mock,
            fields: _,
            engine,
            server_metrics,
            gpu_metrics,
            replicas,
            prefix_cache: _,
            response_cache,
            other: _,
        } = self;
        let own = [url, address, server, version, models_problem, mock, path];
        own.into_iter().flatten().for_each(&mut *each);
        for ModelFacts {
            id,
            max_model_len: _,
            owned_by,
        } in models
        {
            each(id);
            owned_by.iter_mut().for_each(&mut *each);
        }
        if let Some(engine) = engine {
            engine.each_text(each);
        }
        for place in [server_metrics, gpu_metrics, replicas]
            .into_iter()
            .flatten()
        {
            place.each_text(each);
        }
        if let Some(CacheTrial { pairs: _, problem }) = response_cache {
            problem.iter_mut().for_each(each);
        }
    }
}
