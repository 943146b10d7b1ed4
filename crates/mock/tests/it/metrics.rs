//! The metrics page: its format, its names, and its counts against what was served.

use crate::client::{Connection, chat_body, fast, start};
use crate::exposition::Page;
use infermeter_mock::{Config, Preset};

fn page(connection: &mut Connection) -> Page {
    let response = connection.get("/metrics");
    assert_eq!(response.status, 200);
    let kind = response.header("content-type").expect("a content type");
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    Page::read(&response.body)
}

const OF: &str = "{engine=\"0\",model_name=\"mock/fixed\"}";

#[test]
fn the_page_counts_what_was_served() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    page(&mut connection);
    for tokens in [5, 1, 7] {
        let stream = tokens != 7;
        let response = connection.chat("", &chat_body(stream, tokens));
        assert_eq!(response.status, 200);
    }
    connection.chat("x-mock-fault: status=503\r\n", &chat_body(true, 1));
    let page = page(&mut connection);
    let value = |name: &str| page.value(&format!("vllm:{name}{OF}"));
    assert_eq!(value("generation_tokens_total"), 13.0);
    assert_eq!(value("prompt_tokens_total"), 3.0 * 16.0);
    assert_eq!(value("num_requests_running"), 0.0);
    for (histogram, count, sum) in [
        ("request_generation_tokens", 3.0, Some(13.0)),
        ("request_params_max_tokens", 3.0, Some(13.0)),
        ("request_prompt_tokens", 3.0, Some(48.0)),
        ("time_to_first_token_seconds", 3.0, None),
        ("inter_token_latency_seconds", 10.0, None),
        ("request_time_per_output_token_seconds", 2.0, None),
        ("e2e_request_latency_seconds", 3.0, None),
        ("request_decode_time_seconds", 3.0, None),
    ] {
        assert_eq!(value(&format!("{histogram}_count")), count, "{histogram}");
        if let Some(sum) = sum {
            assert_eq!(value(&format!("{histogram}_sum")), sum, "{histogram}");
        }
    }
    // Planned instants are lower bounds: 2 ms to the first token, 1 ms between tokens.
    assert!(value("time_to_first_token_seconds_sum") >= 3.0 * 0.002 - 1e-3);
    assert!(value("e2e_request_latency_seconds_sum") >= value("request_decode_time_seconds_sum"));
    let ended = |reason: &str| {
        page.value(&format!(
            "vllm:request_success_total{{engine=\"0\",finished_reason=\"{reason}\",model_name=\"mock/fixed\"}}"
        ))
    };
    assert_eq!(
        (ended("length"), ended("stop"), ended("abort")),
        (3.0, 0.0, 0.0)
    );
    assert_eq!(page.value("infermeter_mock_generations_total"), 4.0);
    let refused = "infermeter_mock_generations_ended_total{end=\"refused\"}";
    assert_eq!(page.value(refused), 1.0);
    assert_eq!(page.value("infermeter_mock_tokens_written_total"), 13.0);
    assert!(page.value("infermeter_mock_step_lateness_seconds_count") > 0.0);
}

#[test]
fn a_model_name_cannot_break_the_page() {
    let mut config = fast();
    config.model = Some("a\"b\\c\nd".to_owned());
    let mock = start(config);
    let page = page(&mut Connection::open(mock.address()));
    page.value("vllm:num_requests_running{engine=\"0\",model_name=\"a\\\"b\\\\c\\nd\"}");
}

#[test]
fn each_replica_has_its_own_samples() {
    let mut config = fast();
    config.replicas = 2;
    let mock = start(config);
    let mut connection = Connection::open(mock.address());
    for _ in 0..4 {
        connection.chat("", &chat_body(true, 2));
    }
    let page = page(&mut connection);
    for engine in ["0", "1"] {
        let of = format!("{{engine=\"{engine}\",model_name=\"mock/fixed\"}}");
        assert_eq!(
            page.value(&format!("vllm:generation_tokens_total{of}")),
            4.0
        );
    }
}

const PLAIN: &[&str] = &["engine", "model_name"];

/// Names, types and labels as a vLLM 0.32 page has them.
const FAMILIES: &[(&str, &str, &[&str])] = &[
    ("num_requests_running", "gauge", PLAIN),
    ("num_requests_waiting", "gauge", PLAIN),
    (
        "num_requests_waiting_by_reason",
        "gauge",
        &["engine", "model_name", "reason"],
    ),
    (
        "engine_sleep_state",
        "gauge",
        &["engine", "model_name", "sleep_state"],
    ),
    ("kv_cache_usage_perc", "gauge", PLAIN),
    ("prefix_cache_queries_total", "counter", PLAIN),
    ("prefix_cache_hits_total", "counter", PLAIN),
    ("num_preemptions_total", "counter", PLAIN),
    ("prompt_tokens_total", "counter", PLAIN),
    (
        "prompt_tokens_by_source_total",
        "counter",
        &["engine", "model_name", "source"],
    ),
    ("generation_tokens_total", "counter", PLAIN),
    (
        "request_success_total",
        "counter",
        &["engine", "finished_reason", "model_name"],
    ),
    (
        "admission_rejections_total",
        "counter",
        &["model_name", "reason"],
    ),
    ("spec_decode_num_drafts_total", "counter", PLAIN),
    ("spec_decode_num_draft_tokens_total", "counter", PLAIN),
    ("spec_decode_num_accepted_tokens_total", "counter", PLAIN),
    (
        "spec_decode_num_accepted_tokens_per_pos_total",
        "counter",
        &["engine", "model_name", "position"],
    ),
    ("request_prompt_tokens", "histogram", PLAIN),
    ("request_generation_tokens", "histogram", PLAIN),
    ("request_params_max_tokens", "histogram", PLAIN),
    ("request_queue_time_seconds", "histogram", PLAIN),
    ("request_prefill_time_seconds", "histogram", PLAIN),
    ("request_inference_time_seconds", "histogram", PLAIN),
    (
        "lora_requests_info",
        "gauge",
        &["max_lora", "running_lora_adapters", "waiting_lora_adapters"],
    ),
];

/// Names, types, labels and bounds as a vLLM 0.32 page has them.
#[test]
fn families_are_those_of_vllm() {
    let mut config = Config::new(Preset::parse("llama-8b-h100").expect("a preset"));
    let settings = [
        "kv-blocks=9000",
        "speculative-acceptance=0.7,0.5",
        "lora-slots=2",
    ];
    infermeter_mock::settings::Settings::from_texts(settings)
        .and_then(|settings| settings.apply(&mut config))
        .expect("fits");
    let mock = start(config);
    let page = page(&mut Connection::open(mock.address()));
    for (name, kind, labels) in FAMILIES {
        let name = format!("vllm:{name}");
        assert!(page.names().contains(name.as_str()), "{name}");
        assert_eq!(page.kind(&name), *kind, "{name}");
        let labels: Vec<_> = labels.iter().map(|l| (*l).to_owned()).collect();
        let found: Vec<_> = page.labels(&name).into_iter().collect();
        assert_eq!(found, labels, "{name}");
    }
    for (name, count, first, last) in [
        ("time_to_first_token_seconds", 23, "0.001", "2560.0"),
        ("inter_token_latency_seconds", 20, "0.01", "80.0"),
        ("request_time_per_output_token_seconds", 20, "0.01", "80.0"),
        ("e2e_request_latency_seconds", 22, "0.3", "7680.0"),
        ("request_queue_time_seconds", 22, "0.3", "7680.0"),
        ("iteration_tokens_total", 14, "1.0", "16384.0"),
        ("request_num_preemptions", 8, "1.0", "20.0"),
        ("request_params_n", 6, "1.0", "20.0"),
        ("request_prompt_tokens", 17, "1.0", "100000.0"),
    ] {
        let bounds = page.bounds(&format!("vllm:{name}"));
        assert_eq!(bounds.len(), count, "{name}");
        assert!(bounds.contains(first) && bounds.contains(last) && bounds.contains("+Inf"));
    }
    let info = "vllm:cache_config_info{block_size=\"16\",enable_prefix_caching=\"True\",\
                engine=\"0\",num_gpu_blocks=\"9000\"}";
    assert_eq!(page.value(info), 1.0);
}

/// A small engine whose steps take `step_base`.
fn engine(settings: &[&str]) -> Config {
    let mut config = Config::new(Preset::parse("llama-8b-h100").expect("a preset"));
    infermeter_mock::settings::Settings::from_texts(settings.iter().copied())
        .and_then(|settings| settings.apply(&mut config))
        .expect("fits");
    config
}

const OF_ENGINE: &str = "{engine=\"0\",model_name=\"mock/llama-8b-h100\"}";

#[test]
fn gauges_are_what_the_engine_holds() {
    // Two slots, and steps so long that nothing ends meanwhile.
    let mock = start(engine(&[
        "max-num-seqs=2",
        "step-base=60s",
        "kv-blocks=100",
        "max-model-len=1024",
    ]));
    let mut waiting: Vec<Connection> = (0..3).map(|_| Connection::open(mock.address())).collect();
    for connection in &mut waiting {
        connection.post("/v1/chat/completions", "", &chat_body(true, 5));
    }
    let mut connection = Connection::open(mock.address());
    let page = loop {
        let page = page(&mut connection);
        let value = |name: &str| page.value(&format!("vllm:{name}{OF_ENGINE}"));
        if value("num_requests_running") + value("num_requests_waiting") == 3.0 {
            break page;
        }
    };
    let value = |name: &str| page.value(&format!("vllm:{name}{OF_ENGINE}"));
    let reason = |reason: &str| {
        let labels = format!("engine=\"0\",reason=\"{reason}\",model_name=\"mock/llama-8b-h100\"");
        page.value(&format!("vllm:num_requests_waiting_by_reason{{{labels}}}"))
    };
    // The first step began with what was there: the others wait for the next.
    let (running, queued) = (value("num_requests_running"), value("num_requests_waiting"));
    assert!(running == 1.0 || running == 2.0, "{running}");
    assert_eq!((reason("capacity"), reason("deferred")), (queued, 0.0));
    // One block of 16 tokens for each prompt of 16.
    assert_eq!(value("kv_cache_usage_perc"), running / 100.0);
}

#[test]
fn drafts_are_counted_as_the_engine_verifies_them() {
    let mock = start(engine(&["speculative-acceptance=1,1,1", "step-base=1ms"]));
    let mut connection = Connection::open(mock.address());
    for _ in 0..2 {
        let response = connection.chat("", &chat_body(true, 10));
        assert_eq!(response.status, 200);
    }
    let page = page(&mut connection);
    let count = |name: &str| page.value(&format!("vllm:spec_decode_num_{name}_total{OF_ENGINE}"));
    // The prefill gives one token of ten; three drafts of three, each with one token more, the rest.
    assert_eq!((count("drafts"), count("draft_tokens")), (6.0, 18.0));
    assert_eq!(count("accepted_tokens"), 18.0);
}

/// The value of a board's series, which a DCGM exporter has under names of its own form.
fn board(page: &str, name: &str, gpu: u32) -> f64 {
    let start = format!("{name}{{gpu=\"{gpu}\",");
    let line = page.lines().find(|line| line.starts_with(&start));
    let line = line.unwrap_or_else(|| panic!("no {start} in {page}"));
    let value = line.rsplit(' ').next().expect("a value");
    value.parse().expect("a number")
}

#[test]
fn boards_draw_between_idle_and_their_limit() {
    let preset = Preset::parse("llama-70b-8xh100").expect("a preset");
    let mock = start(Config {
        replicas: 2,
        ..Config::new(preset)
    });
    let mut connection = Connection::open(mock.address());
    let first = connection.get("/dcgm/metrics");
    assert_eq!(first.status, 200);
    for gpu in [0, 15] {
        assert_eq!(board(&first.body, "DCGM_FI_DEV_POWER_USAGE", gpu), 105.0);
        assert_eq!(board(&first.body, "DCGM_FI_DEV_GPU_UTIL", gpu), 0.0);
    }
    let response = connection.chat("", &chat_body(false, 8));
    assert_eq!(response.status, 200);
    let page = connection.get("/dcgm/metrics").body;
    let energy = |page: &str, gpu| board(page, "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION", gpu);
    let rise = |gpu| energy(&page, gpu) - energy(&first.body, gpu);
    // The first replica has served, the second has idled meanwhile: millijoules.
    assert!(rise(0) > rise(15), "{} and {}", rise(0), rise(15));
    assert_eq!(rise(0), rise(7), "the boards of an engine share its work");
    assert!(rise(15) > 0.0);
    let uuids: std::collections::BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.split("UUID=\"").nth(1)?.split('"').next())
        .collect();
    assert_eq!(uuids.len(), 16);
    let fixed = start(fast());
    let none = Connection::open(fixed.address()).get("/dcgm/metrics");
    assert_eq!(none.status, 404);
}
