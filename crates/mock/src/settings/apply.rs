//! Settings into a configuration and back.

use super::{Fine, Limit, SettingError, Settings};
use crate::config::{Config, ConfigError};
use crate::engine::{Autoscaling, EngineParams, KvParams, LoraParams, Speculative, StepLaw};
use crate::start_up::StartUp;
use infermeter_core::units::Span;

/// Tokens per block where only the number of blocks is given: vLLM's default.
const BLOCK_SIZE: u32 = 16;

impl Settings {
    /// Puts what was given into `config`: everything or, with an error, nothing.
    pub fn apply(&self, config: &mut Config) -> Result<(), SettingError> {
        let mut changed = config.clone();
        changed.ttft = self.ttft.or(config.ttft);
        changed.step = self.step.or(config.step);
        changed.max_num_seqs = self.max_num_seqs.or(config.max_num_seqs);
        changed.max_model_len = self.max_model_len.or(config.max_model_len);
        changed.replicas = self.replicas.unwrap_or(config.replicas);
        changed.replica_loading = self.replica_loading.or(config.replica_loading);
        changed.autoscale = self.autoscale.map_or(config.autoscale, Autoscaling::value);
        changed.model = self.model.clone().or_else(|| config.model.clone());
        changed.seed = self.seed.unwrap_or(config.seed);
        changed.full_status = self.full_status.unwrap_or(config.full_status);
        changed.keepalive_timeout = self.keepalive_timeout.unwrap_or(config.keepalive_timeout);
        self.apply_start_up(&mut changed.start_up);
        self.apply_link(&mut changed);
        self.apply_content(&mut changed);
        let preset = changed.preset.name;
        let engine = &mut changed.preset.engine;
        self.apply_law(preset, &mut engine.law)?;
        self.apply_limits(engine);
        self.apply_kv(engine)?;
        self.apply_extras(engine);
        changed.check()?;
        *config = changed;
        Ok(())
    }

    fn apply_start_up(&self, start_up: &mut StartUp) {
        start_up.weights = self.loading_weights.unwrap_or(start_up.weights);
        start_up.compile = self.loading_compile.unwrap_or(start_up.compile);
        start_up.kv_cache = self.loading_kv_cache.unwrap_or(start_up.kv_cache);
        start_up.graphs = self.loading_graphs.unwrap_or(start_up.graphs);
    }

    fn apply_link(&self, config: &mut Config) {
        let link = &mut config.link;
        link.delay_ns = self.link_delay.map_or(link.delay_ns, Span::ns);
        link.jitter_ns = self.link_jitter.map_or(link.jitter_ns, Span::ns);
        link.bytes_per_second = self
            .link_bandwidth
            .map_or(link.bytes_per_second, Limit::value);
    }

    fn apply_content(&self, config: &mut Config) {
        let content = &mut config.content;
        content.stream_interval = self.stream_interval.unwrap_or(content.stream_interval);
        content.reasoning_tokens = self.reasoning_tokens.unwrap_or(content.reasoning_tokens);
        content.reasoning_share = self.reasoning_share.unwrap_or(content.reasoning_share);
        content.reasoning_field = self.reasoning_field.unwrap_or(content.reasoning_field);
        content.tool_call_share = self.tool_call_share.unwrap_or(content.tool_call_share);
        content.usage = self.usage.unwrap_or(content.usage);
        content.server_times = self.server_times.unwrap_or(content.server_times);
        content.skill = self.skill.unwrap_or(content.skill);
        content.temperature = self.temperature.unwrap_or(content.temperature);
        content.batch_variance = self.batch_variance.unwrap_or(content.batch_variance);
        if let Some(adapters) = &self.adapters {
            content.adapters.clone_from(adapters);
        }
        if let Some(told) = self.prompt_tokens_details {
            config.prompt_tokens_details = told;
        }
        if let Some(cheats) = &self.cheat {
            config.cheats.clone_from(cheats);
        }
        if let Some(faults) = &self.faults {
            config.faults.clone_from(faults);
        }
    }

    fn apply_law(&self, preset: &'static str, law: &mut StepLaw) -> Result<(), SettingError> {
        let whole = |given: Option<Fine>, now: i64| given.map_or(now, Fine::whole_ns);
        let fine = |given: Option<Fine>, now: f64| given.map_or(now, Fine::ns);
        match law {
            StepLaw::Batched {
                base_ns,
                per_prefill_token_ns,
                per_sequence_ns,
                per_kv_token_ns,
                per_attention_ns,
            } => {
                *base_ns = whole(self.step_base, *base_ns);
                *per_prefill_token_ns = whole(self.step_per_prefill_token, *per_prefill_token_ns);
                *per_sequence_ns = whole(self.step_per_sequence, *per_sequence_ns);
                *per_kv_token_ns = fine(self.step_per_kv_token, *per_kv_token_ns);
                *per_attention_ns = fine(self.step_per_attention, *per_attention_ns);
                Ok(())
            }
            StepLaw::Fixed { .. } => {
                let terms = [
                    ("step-base", self.step_base),
                    ("step-per-prefill-token", self.step_per_prefill_token),
                    ("step-per-sequence", self.step_per_sequence),
                    ("step-per-kv-token", self.step_per_kv_token),
                    ("step-per-attention", self.step_per_attention),
                ];
                match terms.iter().find(|(_, given)| given.is_some()) {
                    Some((field, _)) => Err(ConfigError::BatchedOnly { field, preset }.into()),
                    None => Ok(()),
                }
            }
        }
    }

    fn apply_limits(&self, engine: &mut EngineParams) {
        engine.max_batched_tokens = self.max_batched_tokens.unwrap_or(engine.max_batched_tokens);
        engine.chunked_prefill = self.chunked_prefill.unwrap_or(engine.chunked_prefill);
        if let Some(limit) = self.max_waiting {
            engine.max_waiting = limit.value().map(saturated);
        }
        engine.jitter_sigma = self.jitter.unwrap_or(engine.jitter_sigma);
    }

    fn apply_kv(&self, engine: &mut EngineParams) -> Result<(), SettingError> {
        let now = engine.kv;
        let blocks = match self.kv_blocks {
            Some(limit) => limit.value().map(saturated),
            None => now.map(|kv| kv.blocks),
        };
        let Some(blocks) = blocks else {
            engine.kv = None;
            let name = match (self.kv_block_size, self.prefix_cache) {
                (Some(_), _) => "kv-block-size",
                (None, Some(true)) => "prefix-cache",
                (None, _) => return Ok(()),
            };
            return Err(SettingError::Value {
                name,
                problem: "needs a KV cache: give kv-blocks".to_owned(),
            });
        };
        engine.kv = Some(KvParams {
            block_size: self
                .kv_block_size
                .or(now.map(|kv| kv.block_size))
                .unwrap_or(BLOCK_SIZE),
            blocks,
            prefix_cache: self
                .prefix_cache
                .or(now.map(|kv| kv.prefix_cache))
                .unwrap_or(true),
        });
        Ok(())
    }

    fn apply_extras(&self, engine: &mut EngineParams) {
        let per_draft_token_ns = self.speculative_draft_token.map_or_else(
            || {
                engine
                    .speculative
                    .as_ref()
                    .map_or(0, |s| s.per_draft_token_ns)
            },
            Fine::whole_ns,
        );
        if let Some(acceptance) = &self.speculative_acceptance {
            engine.speculative = (!acceptance.is_empty()).then(|| Speculative {
                acceptance: acceptance.clone(),
                per_draft_token_ns,
            });
        } else if let Some(speculative) = &mut engine.speculative {
            speculative.per_draft_token_ns = per_draft_token_ns;
        }
        let load_ns = self
            .lora_load
            .map_or(engine.lora.map_or(0, |lora| lora.load_ns), Span::ns);
        let slots = match self.lora_slots {
            Some(limit) => limit.value().map(saturated),
            None => engine.lora.map(|lora| lora.slots),
        };
        engine.lora = slots.map(|slots| LoraParams { slots, load_ns });
        let ns = |given: Option<Span>, now: i64| given.map_or(now, Span::ns);
        let penalties = &mut engine.penalties;
        penalties.first_request_ns = ns(self.first_request_penalty, penalties.first_request_ns);
        penalties.first_shape_ns = ns(self.first_shape_penalty, penalties.first_shape_ns);
        let warm_up = &mut engine.warm_up;
        warm_up.factor = self.warm_up_factor.unwrap_or(warm_up.factor);
        warm_up.decay_ns = ns(self.warm_up, warm_up.decay_ns);
        let life = &mut engine.life;
        life.loading_ns = ns(self.loading, life.loading_ns);
        life.idle_to_zero_ns = ns(self.idle_to_zero, life.idle_to_zero_ns);
        life.cold_start_ns = ns(self.cold_start, life.cold_start_ns);
    }

    /// Everything in force in a configuration.
    pub fn of(config: &Config) -> Self {
        let engine = &config.preset.engine;
        let mut settings = Self {
            max_num_seqs: Some(config.max_num_seqs.unwrap_or(engine.max_num_seqs)),
            max_batched_tokens: Some(engine.max_batched_tokens),
            max_model_len: Some(config.model_len()),
            chunked_prefill: Some(engine.chunked_prefill),
            max_waiting: Some(Limit::of(engine.max_waiting.map(u64::from))),
            full_status: Some(config.full_status),
            jitter: Some(engine.jitter_sigma),
            kv_blocks: Some(Limit::of(engine.kv.map(|kv| u64::from(kv.blocks)))),
            kv_block_size: engine.kv.map(|kv| kv.block_size),
            prefix_cache: engine.kv.map(|kv| kv.prefix_cache),
            lora_slots: Some(Limit::of(engine.lora.map(|lora| u64::from(lora.slots)))),
            lora_load: engine.lora.map(|lora| Span(lora.load_ns)),
            first_request_penalty: Some(Span(engine.penalties.first_request_ns)),
            first_shape_penalty: Some(Span(engine.penalties.first_shape_ns)),
            warm_up_factor: Some(engine.warm_up.factor),
            warm_up: Some(Span(engine.warm_up.decay_ns)),
            loading_weights: Some(config.start_up.weights),
            loading_compile: Some(config.start_up.compile),
            loading_kv_cache: Some(config.start_up.kv_cache),
            loading_graphs: Some(config.start_up.graphs),
            loading: Some(Span(engine.life.loading_ns)),
            idle_to_zero: Some(Span(engine.life.idle_to_zero_ns)),
            cold_start: Some(Span(engine.life.cold_start_ns)),
            link_delay: Some(Span(config.link.delay_ns)),
            link_jitter: Some(Span(config.link.jitter_ns)),
            link_bandwidth: Some(Limit::of(config.link.bytes_per_second)),
            keepalive_timeout: Some(config.keepalive_timeout),
            stream_interval: Some(config.content.stream_interval),
            reasoning_tokens: Some(config.content.reasoning_tokens),
            reasoning_share: Some(config.content.reasoning_share),
            reasoning_field: Some(config.content.reasoning_field),
            tool_call_share: Some(config.content.tool_call_share),
            usage: Some(config.content.usage),
            server_times: Some(config.content.server_times),
            prompt_tokens_details: Some(config.prompt_tokens_details),
            adapters: Some(config.content.adapters.clone()),
            skill: Some(config.content.skill),
            temperature: Some(config.content.temperature),
            batch_variance: Some(config.content.batch_variance),
            cheat: Some(config.cheats.clone()),
            faults: Some(config.faults.clone()),
            replicas: Some(config.replicas),
            replica_loading: Some(
                config
                    .replica_loading
                    .unwrap_or(Span(engine.life.loading_ns)),
            ),
            autoscale: Some(Autoscaling::of(config.autoscale)),
            model: Some(config.model_name().to_owned()),
            seed: Some(config.seed),
            ..Self::default()
        };
        if let Some(speculative) = &engine.speculative {
            settings.speculative_draft_token = Fine::of_ns(speculative.per_draft_token_ns as f64);
        }
        settings.speculative_acceptance = Some(
            engine
                .speculative
                .as_ref()
                .map_or_else(Vec::new, |s| s.acceptance.clone()),
        );
        settings.read_law(config);
        settings
    }

    fn read_law(&mut self, config: &Config) {
        match config.preset.engine.law {
            StepLaw::Batched {
                base_ns,
                per_prefill_token_ns,
                per_sequence_ns,
                per_kv_token_ns,
                per_attention_ns,
            } => {
                self.step_base = Fine::of_ns(base_ns as f64);
                self.step_per_prefill_token = Fine::of_ns(per_prefill_token_ns as f64);
                self.step_per_sequence = Fine::of_ns(per_sequence_ns as f64);
                self.step_per_kv_token = Fine::of_ns(per_kv_token_ns);
                self.step_per_attention = Fine::of_ns(per_attention_ns);
            }
            StepLaw::Fixed { ttft_ns, step_ns } if config.preset.name == "fixed" => {
                self.ttft = Some(config.ttft.unwrap_or(Span(ttft_ns)));
                self.step = Some(config.step.unwrap_or(Span(step_ns)));
            }
            StepLaw::Fixed { .. } => {}
        }
    }
}

/// Limits beyond 32 bits are as good as none.
fn saturated(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
