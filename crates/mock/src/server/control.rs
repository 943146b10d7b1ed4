//! Everything a simulator answers besides generations: models, health, metrics, parameters.

use super::slots::ConnectionId;
use super::{Server, head_is_early};
use crate::api::Route;
use crate::board::{Board, board};
use crate::config::ConfigError;
use crate::engine::{Engine, EngineState};
use crate::http::Request;
use crate::metrics::{BoardsView, EngineView, OwnView, ServerView, boards_page};
use crate::refusal::Refusal;
use crate::render::{self, Content, ReplyTo};
use crate::settings::{SettingError, Settings};
use crate::truth::TruthChange;
use infermeter_core::clock::{monotonic_ns, process_cpu_ns, realtime_ns};
use infermeter_core::exposition::CONTENT_TYPE;
use serde_json::json;
use std::collections::BTreeSet;

impl Server {
    /// Answers a request that generates nothing.
    pub(super) fn serve_control(
        &mut self,
        id: ConnectionId,
        route: Route,
        request: &Request,
        to: &ReplyTo,
    ) {
        let body = match route {
            Route::Models => self.models(),
            Route::Version => version(),
            Route::Health => match self.unhealthy() {
                Some(refusal) => return self.respond(id, &refusal, to),
                None => String::new(),
            },
            Route::Metrics => return self.respond_metrics(id, to),
            Route::Boards => return self.respond_boards(id, to),
            Route::AdminStats => self.stats_json(),
            Route::AdminConfig if request.head.method == "GET" => self.settings_json(),
            Route::AdminConfig => match self.change(&request.body) {
                Ok(()) => self.settings_json(),
                Err(error) => {
                    let refusal = Refusal::bad_request(error.to_string());
                    return self.respond(id, &refusal, to);
                }
            },
            Route::ResetPrefixCache => {
                self.engine.reset_prefix_cache();
                String::new()
            }
            Route::Generate(_) => return,
        };
        self.respond_json(id, &body, to);
    }

    fn models(&self) -> String {
        let base = self.config.model_name();
        let entry = |name: &str, parent: Option<&str>| {
            json!({
                "id": name, "object": "model", "created": self.started_s,
                "owned_by": "infermeter-mock", "root": name, "parent": parent,
                "max_model_len": self.config.model_len(), "permission": [],
            })
        };
        let adapters = &self.config.content.adapters;
        let entries: Vec<_> = std::iter::once(entry(base, None))
            .chain(adapters.iter().map(|name| entry(name, Some(base))))
            .collect();
        json!({"object": "list", "data": entries}).to_string()
    }

    fn settings_json(&self) -> String {
        let mut map = Settings::of(&self.config).to_full_map();
        map.insert("preset".to_owned(), self.config.preset.name.into());
        serde_json::Value::Object(map).to_string()
    }

    /// Changes parameters: all that were given or, with an error, none.
    fn change(&mut self, body: &[u8]) -> Result<(), SettingError> {
        let given = Settings::from_json(body)?;
        given.check_live()?;
        let mut config = self.config.clone();
        given.apply(&mut config)?;
        let params = config.engine_params()?;
        let at_ns = monotonic_ns();
        self.check_replicas(&given)?;
        let early_head = head_is_early(&params.law);
        let block_size = params.caching_block_size();
        self.engine
            .reconfigure(at_ns, params)
            .map_err(ConfigError::from)?;
        self.early_head = early_head;
        self.block_size = block_size;
        self.config = config;
        self.change_replicas(at_ns, &given);
        self.counting.stats.config_changes += 1;
        if let Some(truth) = &mut self.truth {
            let settings = given.to_map();
            truth.change(TruthChange { at_ns, settings });
        }
        Ok(())
    }

    fn stats_json(&self) -> String {
        let stats = self.counting.snapshot(&self.engine);
        let now_ns = monotonic_ns();
        let replicas = self.engine.replica_counts(now_ns);
        let boards = self.boards(now_ns);
        let energy_j = boards.map(|boards| boards.iter().map(|board| board.energy_j).sum::<f64>());
        json!({
            "now_ns": now_ns,
            "energy_j": energy_j,
            "in_flight": self.counting.in_flight,
            "replicas_ready": replicas.ready,
            "replicas_loading": replicas.loading,
            "replicas_draining": replicas.draining,
            "replica_s": self.engine.replica_ns(now_ns) as f64 / 1e9,
            "open_connections": self.connections.len(),
            "running": stats.gauges.running.value(),
            "waiting": stats.gauges.waiting.value(),
            "kv_blocks_used": stats.gauges.kv_used.value(),
            "connections": stats.connections,
            "accept_errors": stats.accept_errors,
            "requests": stats.requests,
            "bad_requests": stats.bad_requests,
            "unserved_refusals": stats.unserved_refusals,
            "generations": stats.generations,
            "finished": stats.finished,
            "refused": stats.refused,
            "queue_refusals": stats.queue_refusals,
            "not_ready": stats.not_ready,
            "faulted": stats.faulted,
            "faults_injected": stats.faults_injected,
            "disconnects": stats.disconnects,
            "slow_readers": stats.slow_readers,
            "idle_closed": stats.idle_closed,
            "tls_errors": stats.tls_errors,
            "config_changes": stats.config_changes,
            "tokens": stats.tokens,
            "steps": stats.steps,
            "lost_ns": stats.lost_ns,
            "step_lateness_ns": stats.step_lateness_ns,
            "burst_ns": stats.burst_ns,
        })
        .to_string()
    }

    /// Names of the adapters of running and of waiting requests, with commas between them.
    fn adapters_in_use(&mut self) -> [String; 2] {
        let mut places = [BTreeSet::new(), BTreeSet::new()];
        for id in self.connections.ids() {
            let progress = self.connections.get(id).and_then(|c| c.progress);
            if let Some(progress) = progress
                && let Some(place) = progress.adapter
            {
                places[usize::from(progress.admitted_ns.is_none())].insert(place as usize);
            }
        }
        let names = &self.config.content.adapters;
        places.map(|places| {
            let used = places.into_iter().filter_map(|place| names.get(place));
            used.map(String::as_str).collect::<Vec<_>>().join(",")
        })
    }

    /// The simulated boards, engine after engine; `None` of presets that simulate no device.
    fn boards(&self, now_ns: i64) -> Option<Vec<Board>> {
        let facts = self.config.preset.facts?;
        let since_ns = now_ns - self.started_ns;
        let engines = self.engine.replicas().iter();
        let boards = engines.flat_map(|engine| {
            let each = board(&facts, engine, now_ns, since_ns);
            std::iter::repeat_n(each, facts.gpus as usize)
        });
        Some(boards.collect())
    }

    fn respond_boards(&mut self, id: ConnectionId, to: &ReplyTo) {
        let boards = self.boards(monotonic_ns());
        let Some((boards, facts)) = boards.zip(self.config.preset.facts) else {
            return self.respond(id, &Refusal::no_such_path(), to);
        };
        let page = boards_page(&BoardsView {
            gpu: facts.gpu,
            memory_bytes: facts.memory_gb * 1e9,
            boards: &boards,
        });
        self.respond_page(id, &page, to);
    }

    fn respond_metrics(&mut self, id: ConnectionId, to: &ReplyTo) {
        let stats = self.counting.snapshot(&self.engine);
        let slots = self.config.preset.engine.lora.map_or(0, |lora| lora.slots);
        let [running_adapters, waiting_adapters] = match slots {
            0 => Default::default(),
            _ => self.adapters_in_use(),
        };
        let engine = &self.config.preset.engine;
        let now_ns = monotonic_ns();
        let replicas = self.engine.replicas().iter();
        let engines: Vec<EngineView> = replicas.map(|engine| view(engine, now_ns)).collect();
        let server = ServerView {
            model: self.config.model_name(),
            engines: &engines,
            kv: engine.kv,
            lora_slots: slots,
            running_adapters: &running_adapters,
            waiting_adapters: &waiting_adapters,
            draft_len: engine
                .speculative
                .as_ref()
                .map_or(0, |s| s.acceptance.len()),
            queue_refusals: stats.queue_refusals,
            now_s: realtime_ns() as f64 / 1e9,
        };
        let own = OwnView {
            stats: &stats,
            in_flight: self.counting.in_flight,
            replicas: self.engine.replica_counts(now_ns),
            connections: self.connections.len(),
            cpu_s: process_cpu_ns() as f64 / 1e9,
            started_s: self.started_s as f64,
            resident_bytes: resident_bytes(),
        };
        let page = self.metrics.page(&server, &own);
        self.respond_page(id, &page, to);
    }

    /// A page of metrics.
    fn respond_page(&mut self, id: ConnectionId, page: &[u8], to: &ReplyTo) {
        let mut out = Vec::with_capacity(page.len() + 256);
        let content = Content {
            kind: CONTENT_TYPE,
            body: page,
        };
        render::whole(&mut out, 200, content, page.len(), "", to);
        self.finish_response(id, &out, to.keep_alive);
    }
}

fn view(engine: &Engine, now_ns: i64) -> EngineView {
    let gauges = engine.gauges();
    let (used, total) = (gauges.kv_used.value(), gauges.kv_total.value());
    EngineView {
        running: gauges.running.value(),
        waiting: gauges
            .waiting
            .value()
            .saturating_sub(gauges.deferred.value()),
        deferred: gauges.deferred.value(),
        kv_usage: if total == 0 {
            0.0
        } else {
            used as f64 / total as f64
        },
        awake: engine.state(now_ns) != EngineState::Asleep,
        counters: *engine.counters(),
    }
}

/// Resident memory by `/proc/self/statm`, in pages of 4 KiB.
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4_096)
}

fn version() -> String {
    json!({"version": env!("CARGO_PKG_VERSION"), "engine": "infermeter-mock"}).to_string()
}
