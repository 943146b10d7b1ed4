//! vLLM's families: its names, types, labels and buckets (of version 0.32), help texts of our own.
//!
//! Left out are families of what is not simulated (multi-modal cache, transfer between instances,
//! estimates of work) and the `_created` gauges.

use super::EngineMetrics;
use super::buckets::Buckets;
use crate::engine::{EngineCounters, KvParams};
use infermeter_core::exposition::{Labels, Page};

/// What an engine of the fleet shows at this moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineView {
    pub running: u64,
    /// Waiting for capacity.
    pub waiting: u64,
    /// Waiting for something else: an adapter's slot, a cold start.
    pub deferred: u64,
    /// Share of the KV cache in use, 0 to 1.
    pub kv_usage: f64,
    pub awake: bool,
    pub counters: EngineCounters,
}

/// What a page needs to know besides the counters.
#[derive(Debug)]
pub(crate) struct ServerView<'a> {
    pub model: &'a str,
    pub engines: &'a [EngineView],
    pub kv: Option<KvParams>,
    /// Adapters on the device at once; 0: none simulated.
    pub lora_slots: u32,
    /// Names with commas between them.
    pub running_adapters: &'a str,
    pub waiting_adapters: &'a str,
    /// Tokens of a draft; 0: none are made.
    pub draft_len: usize,
    /// Requests that a full queue refused.
    pub queue_refusals: u64,
    pub now_s: f64,
}

const HISTOGRAMS: [(&str, &str, HistogramOf); 16] = [
    (
        "vllm:request_prompt_tokens",
        "Prompt tokens of a finished request.",
        |e| &e.prompt_lengths,
    ),
    (
        "vllm:request_generation_tokens",
        "Tokens generated for a finished request.",
        |e| &e.generation_lengths,
    ),
    (
        "vllm:iteration_tokens_total",
        "Tokens of an engine step: prompt tokens computed and tokens generated.",
        |e| &e.iteration_tokens,
    ),
    (
        "vllm:request_max_num_generation_tokens",
        "Most tokens that a finished request could have generated.",
        |e| &e.max_tokens,
    ),
    (
        "vllm:request_params_n",
        "Answers asked for by a finished request.",
        |e| &e.choices,
    ),
    (
        "vllm:request_params_max_tokens",
        "Limit of output tokens of a finished request.",
        |e| &e.max_tokens,
    ),
    (
        "vllm:time_to_first_token_seconds",
        "From a request's arrival to its first token.",
        |e| &e.first_token,
    ),
    (
        "vllm:inter_token_latency_seconds",
        "Between successive outputs of a request.",
        |e| &e.inter_token,
    ),
    (
        "vllm:request_time_per_output_token_seconds",
        "Mean time per token after the first of a finished request.",
        |e| &e.per_output_token,
    ),
    (
        "vllm:e2e_request_latency_seconds",
        "From a finished request's arrival to its last token.",
        |e| &e.e2e,
    ),
    (
        "vllm:request_queue_time_seconds",
        "From a finished request's arrival to its admission.",
        |e| &e.queue,
    ),
    (
        "vllm:request_inference_time_seconds",
        "From a finished request's admission to its last token.",
        |e| &e.inference,
    ),
    (
        "vllm:request_prefill_time_seconds",
        "From a finished request's admission to its first token.",
        |e| &e.prefill,
    ),
    (
        "vllm:request_decode_time_seconds",
        "From a finished request's first token to its last.",
        |e| &e.decode,
    ),
    (
        "vllm:request_num_preemptions",
        "Preemptions of a finished request.",
        |e| &e.request_preemptions,
    ),
    (
        "vllm:request_prefill_kv_computed_tokens",
        "Prompt tokens computed for a request, cached ones left out.",
        |e| &e.computed_tokens,
    ),
];

/// Writes all families.
pub(super) fn write(page: &mut Page, engines: &[EngineMetrics], server: &ServerView<'_>) {
    let numbers: Vec<String> = (0..engines.len()).map(|n| n.to_string()).collect();
    let writer = Writer {
        engines,
        server,
        numbers: &numbers,
    };
    writer.gauges(page);
    writer.cache_counters(page);
    writer.token_counters(page);
    writer.end_counters(page);
    if server.draft_len > 0 {
        writer.drafts(page);
    }
    writer.histograms(page);
    writer.infos(page);
}

type Count = fn(&EngineMetrics) -> u64;
type HistogramOf = fn(&EngineMetrics) -> &Buckets;

struct Writer<'a> {
    engines: &'a [EngineMetrics],
    server: &'a ServerView<'a>,
    numbers: &'a [String],
}

impl<'a> Writer<'a> {
    fn labels(&self, index: usize, extra: &[(&'a str, &'a str)]) -> Labels<'a> {
        let number = self.numbers.get(index).map_or("0", String::as_str);
        let mut labels = vec![("engine", number)];
        labels.extend_from_slice(extra);
        labels.push(("model_name", self.server.model));
        labels
    }

    /// One gauge sample per engine.
    fn gauge(&self, page: &mut Page, name: &str, help: &str, of: fn(&EngineView) -> f64) {
        let views = self.server.engines.iter().enumerate();
        page.gauge(
            name,
            help,
            views.map(|(n, view)| (self.labels(n, &[]), of(view))),
        );
    }

    /// One counter sample per engine, of what the engine itself counts.
    fn engine_counter(
        &self,
        page: &mut Page,
        name: &str,
        help: &str,
        of: fn(&EngineCounters) -> u64,
    ) {
        let views = self.server.engines.iter().enumerate();
        let samples = views.map(|(n, view)| (self.labels(n, &[]), of(&view.counters) as f64));
        page.counter(name, help, samples);
    }

    fn counter(&self, page: &mut Page, name: &str, help: &str, of: Count) {
        let engines = self.engines.iter().enumerate();
        let samples = engines.map(|(n, engine)| (self.labels(n, &[]), of(engine) as f64));
        page.counter(name, help, samples);
    }

    fn labelled(
        &self,
        page: &mut Page,
        name: &str,
        help: &str,
        label: &'a str,
        values: &[(&'a str, Count)],
    ) {
        let mut samples = Vec::new();
        for (n, engine) in self.engines.iter().enumerate() {
            for (value, of) in values {
                samples.push((self.labels(n, &[(label, value)]), of(engine) as f64));
            }
        }
        page.counter(name, help, samples);
    }

    fn histogram(&self, page: &mut Page, name: &str, help: &str, of: HistogramOf) {
        let engines = self.engines.iter().enumerate();
        page.histogram(
            name,
            help,
            engines.map(|(n, engine)| (self.labels(n, &[]), of(engine).shown())),
        );
    }

    fn gauges(&self, page: &mut Page) {
        self.gauge(
            page,
            "vllm:num_requests_running",
            "Requests that take part in the engine's steps.",
            |view| view.running as f64,
        );
        self.gauge(
            page,
            "vllm:num_requests_waiting",
            "Requests in the queue.",
            |view| (view.waiting + view.deferred) as f64,
        );
        let mut reasons = Vec::new();
        let mut sleep = Vec::new();
        for (n, view) in self.server.engines.iter().enumerate() {
            for (reason, value) in [("capacity", view.waiting), ("deferred", view.deferred)] {
                reasons.push((self.labels(n, &[("reason", reason)]), value as f64));
            }
            let states = [
                ("awake", view.awake),
                ("weights_offloaded", !view.awake),
                ("discard_all", false),
            ];
            for (state, holds) in states {
                let labels = self.labels(n, &[("sleep_state", state)]);
                sleep.push((labels, f64::from(u8::from(holds))));
            }
        }
        page.gauge(
            "vllm:num_requests_waiting_by_reason",
            "Requests in the queue by what they wait for: capacity, or something passing such as \
             an adapter's slot (deferred).",
            reasons,
        );
        page.gauge(
            "vllm:engine_sleep_state",
            "Whether the engine is awake, or away because it was idle (weights_offloaded).",
            sleep,
        );
        self.gauge(
            page,
            "vllm:kv_cache_usage_perc",
            "Share of the KV cache's blocks in use; 1 is all of them.",
            |view| view.kv_usage,
        );
    }

    fn cache_counters(&self, page: &mut Page) {
        self.engine_counter(
            page,
            "vllm:prefix_cache_queries_total",
            "Prompt tokens looked up in the prefix cache.",
            |counters| counters.prefix_query_tokens,
        );
        self.engine_counter(
            page,
            "vllm:prefix_cache_hits_total",
            "Prompt tokens found in the prefix cache.",
            |counters| counters.prefix_hit_tokens,
        );
        self.engine_counter(
            page,
            "vllm:num_preemptions_total",
            "Times that a sequence gave its KV blocks back.",
            |counters| counters.preemptions,
        );
    }

    fn token_counters(&self, page: &mut Page) {
        self.counter(
            page,
            "vllm:prompt_tokens_total",
            "Prompt tokens of requests whose prefill is complete.",
            |engine| engine.prompt_tokens,
        );
        let mut sources = Vec::new();
        for (n, (engine, view)) in self.engines.iter().zip(self.server.engines).enumerate() {
            let cached = view.counters.prefix_hit_tokens.min(engine.prompt_tokens);
            let computed = engine.prompt_tokens - cached;
            for (source, tokens) in [("local_compute", computed), ("local_cache_hit", cached)] {
                sources.push((self.labels(n, &[("source", source)]), tokens as f64));
            }
        }
        page.counter(
            "vllm:prompt_tokens_by_source_total",
            "Prompt tokens by where they came from.",
            sources,
        );
        self.engine_counter(
            page,
            "vllm:prompt_tokens_cached_total",
            "Prompt tokens that needed no computing.",
            |counters| counters.prefix_hit_tokens,
        );
        self.counter(
            page,
            "vllm:generation_tokens_total",
            "Tokens generated, end tokens included.",
            |engine| engine.generation_tokens,
        );
    }

    fn end_counters(&self, page: &mut Page) {
        self.labelled(
            page,
            "vllm:request_success_total",
            "Requests that ended, by reason; abort is a client that went away or a cut.",
            "finished_reason",
            &[
                ("stop", |engine| engine.stopped),
                ("length", |engine| engine.cut_by_length),
                ("abort", |engine| engine.aborted),
                ("error", |_| 0),
                ("repetition", |_| 0),
            ],
        );
        page.counter(
            "vllm:admission_rejections_total",
            "Requests that a full queue refused, by the limit reached.",
            [(
                vec![
                    ("model_name", self.server.model),
                    ("reason", "max_num_queued_reqs"),
                ],
                self.server.queue_refusals as f64,
            )],
        );
    }

    fn drafts(&self, page: &mut Page) {
        self.engine_counter(
            page,
            "vllm:spec_decode_num_drafts_total",
            "Drafts verified.",
            |counters| counters.drafts,
        );
        self.engine_counter(
            page,
            "vllm:spec_decode_num_draft_tokens_total",
            "Tokens of all drafts.",
            |counters| counters.draft_tokens,
        );
        self.engine_counter(
            page,
            "vllm:spec_decode_num_accepted_tokens_total",
            "Draft tokens accepted.",
            |counters| counters.accepted_tokens,
        );
        let drafted = self.server.draft_len;
        let positions: Vec<String> = (0..drafted).map(|n| n.to_string()).collect();
        let mut samples: Vec<(Labels<'_>, f64)> = Vec::new();
        for (n, view) in self.server.engines.iter().enumerate() {
            let accepted = &view.counters.accepted_per_position;
            for (position, accepted) in positions.iter().zip(accepted) {
                let number = &self.numbers[n];
                let labels = vec![
                    ("engine", number.as_str()),
                    ("model_name", self.server.model),
                    ("position", position.as_str()),
                ];
                samples.push((labels, *accepted as f64));
            }
        }
        page.counter(
            "vllm:spec_decode_num_accepted_tokens_per_pos_total",
            "Draft tokens accepted, by position in the draft.",
            samples,
        );
    }

    fn histograms(&self, page: &mut Page) {
        for (name, help, of) in HISTOGRAMS {
            self.histogram(page, name, help, of);
        }
    }

    fn infos(&self, page: &mut Page) {
        if self.server.lora_slots > 0 {
            let slots = self.server.lora_slots.to_string();
            page.gauge(
                "vllm:lora_requests_info",
                "Adapters in use and waited for; the value is the time of the page, Unix seconds.",
                [(
                    vec![
                        ("max_lora", slots.as_str()),
                        ("running_lora_adapters", self.server.running_adapters),
                        ("waiting_lora_adapters", self.server.waiting_adapters),
                    ],
                    self.server.now_s,
                )],
            );
        }
        let Some(kv) = self.server.kv else {
            return;
        };
        let (size, blocks) = (kv.block_size.to_string(), kv.blocks.to_string());
        let caching = if kv.prefix_cache { "True" } else { "False" };
        let infos = self.numbers.iter().map(|number| {
            let labels = vec![
                ("block_size", size.as_str()),
                ("enable_prefix_caching", caching),
                ("engine", number.as_str()),
                ("num_gpu_blocks", blocks.as_str()),
            ];
            (labels, 1.0)
        });
        page.gauge(
            "vllm:cache_config_info",
            "Parameters of the KV cache, as labels.",
            infos,
        );
    }
}
