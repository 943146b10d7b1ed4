//! The table of the plan's keys: field, type, default, flag, help, constraints, other names.
//!
//! Adding a flag means adding an entry here. The order is that of the saved plan, whose hash depends
//! on it: a new entry goes to the end of its group. Rules that compare values with each other stand
//! in the binary's `validate.rs`.

use super::{
    AdapterWeight, ArrivalKind, Balance, DatasetOrder, Deadlines, EncodingFormat, Endpoint,
    EvalSpec, Expose, GpuMetrics, ImageSpec, Io, KindWeight, MAX_RATE, PrefixMode, PromptCount,
    RateProfile, ReferenceKind, ReplicasFrom, SamplingValue, ServerMetrics, Share, SourceAddress,
    SpansAt, TextManner, TracePacing, Until, Warmup, WorkloadClass, WorkloadKind,
};
use crate::key::Form::{Joined, Positional};
use crate::key::When::{Given, Is};
use crate::key::{Foreign, Place, Rule, When};
use crate::keys;
use crate::slo::Slo;
use crate::units::Span;
use std::path::PathBuf;

/// A workload file has settled what such a key would say.
const WORD_FOR_WORD: Rule = Rule::excludes(
    &[Given("workload-file")],
    "the file has its requests word for word",
);

/// The same for what completions cannot carry.
const WORDED_CHAT: &[Rule] = &[
    WORD_FOR_WORD,
    Rule::needs(MESSAGES, "completions carry a text alone"),
];

/// Checks of answers, where there are none.
const GENERATING: Rule = Rule::excludes(
    &[Is("endpoint", "embeddings"), Is("endpoint", "rerank")],
    "nothing is generated",
);

/// Questions of their own, where requests are turns.
const STANDING_ALONE: Rule = Rule::excludes(
    &[Given("sessions")],
    "a question would stand in the history of later turns",
);

const OF_A_FILE: &[Rule] = &[Rule::needs(&[Given("trace"), Given("dataset")], "")];

/// The APIs whose requests hold messages.
const MESSAGES: &[When] = &[
    Is("endpoint", "chat"),
    Is("endpoint", "messages"),
    Is("endpoint", "responses"),
];

/// How a target begins.
const TARGETS: &[&str] = &["http://", "https://", "unix:", "mock:"];

const OPEN_LOOP: &[When] = &[Given("rate"), Given("rate-profile")];

const fn foreign(names: &'static [&'static str], tip: &'static str) -> Foreign {
    Foreign { names, tip }
}

keys! {
    /// One complete plan. The names of the fields are those of the flags and of the plan file's keys.
    /// Lists and switches are never absent; an option is absent where nothing was asked for.
    pub struct Plan {
        profile: Option<String> = None, General, "NAME",
            "Defaults to start from: production (warm-up of 5 minutes, measurement of 30)"
            .example("production").offers(&["production"]);
        target: String = String::new(), General, "TARGET",
            "http://HOST:PORT, https://HOST, unix:/SOCKET, mock:PRESET or mock:PRESET?NAME=VALUE&..."
            .more("On the command line it stands without a flag. See [Targets](#targets).")
            .form(Positional).common().example("http://localhost:8000")
            .offers(TARGETS)
            .aliases(&["--target", "--url", "--base-url"])
            .foreign(&[
                foreign(&["host", "port", "server", "address"],
                    "the target is a URL and takes no flag: http://localhost:8000"),
                foreign(&["api-base", "api-url", "endpoint-url", "u"],
                    "the target is a URL without /v1 after it and takes no flag: \
                     http://localhost:8000"),
            ]);
        more_targets: Vec<String> = Vec::new(), General, "TARGET",
            "Further servers of the same kind: the load is spread over all of them"
            .more("On the command line they follow the first, without a flag.")
            .form(Positional).example("http://localhost:8001").offers(TARGETS);
        balance: Balance = Balance::RoundRobin, Client, "HOW",
            "How the load is spread over several addresses: round-robin or least-in-flight"
            .more("See [several addresses](#several-addresses).")
            .example("least-in-flight");
        proxy: Option<String> = None, Client, "URL",
            "HTTP proxy that everything goes through: http://HOST:PORT, or http://USER:PASSWORD@HOST:PORT"
            .more("See [proxies](#proxies).")
            .example("http://proxy:3128")
            .foreign(&[foreign(&["http-proxy", "https-proxy", "x"],
                "--proxy URL sends everything through an HTTP proxy")]);
        out: Option<PathBuf> = None, General, "DIR",
            "Directory of the record; an existing one is refused"
            .absent("runs/TIME-ID").common().showing().example("runs/one")
            .foreign(&[foreign(&["output", "output-dir", "output-path", "output-file", "result-dir",
                "result-filename", "save-result", "artifact-dir", "artifact-directory", "o"],
                "every run is recorded; --out DIR says where, --json prints the result as JSON")]);
        rate: Option<f64> = None, Load, "R",
            "Open loop: requests per second"
            .more("With `sessions`, sessions per second; beside `clients` it scales them.")
            .common().example("20").above(0.0).most(MAX_RATE).note("requests per second")
            .aliases(&["--request-rate", "--qps", "--rps", "-R"])
            .tips(&[("inf", "all requests at once have no rate: --concurrency N keeps N in flight \
                (closed loop); for a burst, --rate-profile bursts:50/5s,5/25s")])
            .rules(&[Rule::excludes(
                &[Given("rate-profile"), Given("concurrency"), Given("trace")], "")])
            .foreign(&[foreign(&["q", "requests-per-second", "req-rate",
                "rate-limit", "throughput"],
                "--rate R sends R requests per second in all; it is not a limit per worker")]);
        rate_profile: Option<RateProfile> = None, Load, "PROFILE",
            "Open loop: the rate over time, from the start of the window: ramp:5..50/60s, \
             steps:10/30s,20/30s, points:5@0,50@12h,5@24h,repeat, diurnal:10..50/24h, \
             bursts:50/5s,5/25s or random-bursts:50/5s,5/25s"
            .more("See [rates that change](load-models.md#rates-that-change).")
            .dashes().example("ramp:5..50/1m")
            .offers(&["ramp:", "steps:", "points:", "diurnal:", "bursts:", "random-bursts:"])
            .rules(&[Rule::excludes(&[Given("concurrency"), Given("trace")], "")])
            .foreign(&[foreign(&["ramp-up-strategy", "ramp-up-start-rps", "ramp-up-end-rps", "stages",
                "stage", "sweep", "ramp"], "--rate-profile ramp:5..50/60s raises the rate from 5 to 50 \
                within 60 s")]);
        concurrency: Option<u32> = None, Load, "N",
            "Closed loop: requests in flight"
            .more("With `sessions`, users.")
            .common().example("32").above(0.0)
            .aliases(&["--max-concurrency", "--num-concurrent-requests", "-c"])
            .rules(&[Rule::excludes(&[Given("trace")], "")])
            .foreign(&[foreign(&["vus", "users", "num-users", "slots", "connections", "workers",
                "clients-count", "streams", "parallel", "num-workers"],
                "--concurrency N keeps N requests in flight (closed loop)")]);
        trace: Option<PathBuf> = None, Load, "FILE",
            "Open loop: replay a trace (Azure, Mooncake, BurstGPT, Qwen-Bailian or vLLM; .gz too)"
            .more("See [traces](workloads.md#traces).")
            .common().example("trace.csv")
            .rules(&[Rule::excludes(&[Given("workload-file")],
                "`infermeter workload convert` makes a file of a trace")])
            .foreign(&[foreign(&["trace-file", "trace-path", "fixed-schedule"],
                "--trace FILE replays a trace at its own instants")]);
        clients: Option<String> = None, Load, "NAME|FILE",
            "Open loop: many clients, each with its own rate, burstiness and lengths: the bundled \
             profile synthetic, or a file; --rate scales them all"
            .more("See [many clients](clients.md).")
            .example("synthetic").offers(&["synthetic"])
            .rules(&[WORD_FOR_WORD, Rule::excludes(
                &[Given("rate-profile"), Given("concurrency"), Given("trace")], "")]);
        trace_limit: Option<u64> = None, Load, "N",
            "Use only the first N rows of the trace or the dataset"
            .absent("all").example("500").above(0.0).rules(OF_A_FILE);
        trace_option: Vec<String> = Vec::new(), Load, "NAME[=VALUE]",
            "How the trace or the dataset is read: format=NAME, block-size=N, time-unit=U, \
             max-context=N, clip, sort, spread"
            .more("See [options](workloads.md#traces).")
            .example("sort").rules(OF_A_FILE);
        dataset: Option<PathBuf> = None, Load, "FILE",
            "Send the texts of a file: ShareGPT (JSON), chat requests (JSON lines), prompts (JSON \
             lines, CSV or Parquet) or conversations of agents, with --rate, --rate-profile or \
             --concurrency"
            .more("See [datasets](workloads.md#datasets).")
            .common().example("sharegpt.json")
            .rules(&[WORD_FOR_WORD,
                Rule::excludes(&[Given("trace")], "each brings its own prompts")])
            .foreign(&[foreign(&["dataset-name", "dataset-path", "input-file", "prompt-file", "prompts",
                "data", "custom-dataset-type", "public-dataset"],
                "--dataset FILE sends the texts of a file, --trace FILE replays a trace, --workload \
                 NAME makes prompts")]);
        dataset_order: DatasetOrder = DatasetOrder::File, Load, "ORDER",
            "The order of the dataset's texts: file, shuffled (by --workload-seed), or conversations \
             (their turns wait for each other; --rate is in conversations)"
            .example("shuffled")
            .rules(&[Rule::needs(&[Given("dataset")], ""),
                Rule::needs(OPEN_LOOP, "conversations per second").at("conversations"),
                Rule::needs(MESSAGES, "completions have no messages")
                    .at("conversations")])
            .foreign(&[foreign(&["shuffle", "disable-shuffle", "dataset-sampling-strategy"],
                "--dataset-order shuffled shuffles the dataset; without it the file's order is kept")]);
        time_scale: f64 = 1.0, Load, "X",
            "Multiply the trace's times by this: 0.5 is twice as fast"
            .example("0.5").above(0.0);
        thin: Option<f64> = None, Load, "P",
            "Keep each row of the trace with this probability: 0.5 halves the load, at the trace's \
             speed"
            .absent("all rows").example("0.25").above(0.0).most(1.0).note("the share of rows kept")
            .rules(&[Rule::needs(&[Given("trace")], "to lower any other load, lower its --rate")]);
        arrival: ArrivalKind = ArrivalKind::Poisson, Load, "KIND",
            "Gaps between arrivals: poisson, constant, gamma or weibull"
            .example("constant")
            .rules(&[
                Rule::excludes(&[Given("clients")], "each client brings its own gaps"),
                Rule::needs(OPEN_LOOP, "a trace or a closed loop brings its own arrivals"),
                Rule::needs(&[Given("cv")], "as in --cv 2").at("gamma"),
                Rule::needs(&[Given("cv")], "as in --cv 2").at("weibull")])
            .foreign(&[foreign(&["arrival-pattern", "request-rate-mode", "distribution"],
                "--arrival says how gaps are drawn: poisson, constant, gamma or weibull")]);
        cv: Option<f64> = None, Load, "X",
            "Coefficient of variation of gamma or Weibull gaps"
            .example("2").above(0.0).most(100.0).note("1 is Poisson")
            .rules(&[Rule::excludes(&[Given("clients")], "each client brings its own gaps"),
                Rule::needs(&[Is("arrival", "gamma"), Is("arrival", "weibull")], "")])
            .foreign(&[foreign(&["burstiness", "arrival-smoothness"],
                "--arrival gamma --cv X, where X is 1/sqrt(burstiness): burstiness 0.25 is --cv 2")]);
        duration: Option<Span> = None, Load, "TIME",
            "Length of the measured window"
            .common().example("1h30m").above(0.0)
            .aliases(&["-z", "--benchmark-duration"])
            .foreign(&[
                foreign(&["max-seconds", "time", "run-time", "test-duration", "max-duration"],
                    "--duration TIME, with a unit, as in --duration 60s"),
                foreign(&["d", "measurement-interval"],
                    "--duration TIME is the length of the window, as in --duration 60s"),
            ]);
        requests: Option<u64> = None, Load, "N",
            "Number of measured requests"
            .common().example("1000").above(0.0)
            .aliases(&["--num-prompts", "--num-requests", "--request-count", "-n"])
            .foreign(&[foreign(&["max-requests", "iterations", "max-num-completed-requests",
                "num-samples", "reqs", "num-conversations", "conversation-num"],
                "--requests N is the number of measured requests")]);
        warmup: Option<Warmup> = None, Load, "TIME|N",
            "Warm-up before the window: 30s, 50req, 10s+50req or 0"
            .absent("30s and 50 requests; 10s and 50 for windows up to 60s")
            .more("See [phases](load-models.md#phases).")
            .common().dashes().example("10s+50req")
            .foreign(&[foreign(&["num-warmups", "warmup-request-count", "warmup-requests",
                "num-warmup-requests", "warmup-num", "warmup-seconds", "warmup-duration",
                "warmup-percent"],
                "--warmup 50req waits for 50 requests, --warmup 30s for 30 seconds")]);
        workload_file: Option<PathBuf> = None, Requests, "FILE",
            "Send the requests of a workload file; at its instants, unless --rate, --rate-profile or \
             --concurrency say when"
            .more("See [workload files](workloads.md#workload-files).")
            .example("chat.jsonl");
        workload: WorkloadKind = WorkloadKind::One(WorkloadClass::Chat), Requests, "NAME",
            "Lengths of prompts and answers: chat, code-generation, long-context-qa, summarization, \
             fixed:IN,OUT, uniform:A..B,C..D, normal:MEAN/SD,MEAN/SD, \
             lognormal:MEDIAN/SIGMA,MEDIAN/SIGMA, gamma:MEAN/CV,MEAN/CV, zipf:S/A..B,S/C..D, \
             empirical:FILE, or mix:NAME=WEIGHT,NAME=WEIGHT"
            .more("See [workloads](workloads.md).")
            .common().example("fixed:1000,100")
            .offers(&["chat", "code-generation", "long-context-qa", "summarization", "fixed:", "uniform:",
                "normal:", "lognormal:", "gamma:", "zipf:", "empirical:", "mix:"])
            .rules(&[WORD_FOR_WORD,
                Rule::excludes(&[Given("clients")], "clients bring their own lengths")])
            .foreign(&[foreign(&["random-input-len", "random-output-len", "random-range-ratio",
                "random-input", "random-output", "input-len", "output-len", "isl", "osl", "input-length",
                "output-length", "isl-mean", "osl-mean", "synthetic-input-tokens-mean", "max-tokens",
                "synthetic-input-tokens-stddev", "output-tokens-mean", "output-tokens-stddev",
                "mean-input-tokens", "mean-output-tokens", "prompt-tokens", "output-tokens",
                "prompt-tokens-mean", "sharegpt-output-len", "ignore-eos", "num-tokens"],
                "--workload says how long prompts and answers are: fixed:IN,OUT, or normal:MEAN/SD,\
                 MEAN/SD")]);
        prefix: Option<PrefixMode> = None, Requests, "MODE",
            "What prompts share at their beginnings: bust (nothing), none (no salt either), \
             shared:N/LENGTH[/ZIPF] (N system prompts), tiling:CONTEXTS/LENGTH/QUESTION[/ROTATIONS] \
             (contexts in turn), or hit:SHARE (so much that a cache can hold SHARE of all tokens)"
            .absent("bust, or what a trace or a dataset shares")
            .more("See [shared beginnings](workloads.md#shared-beginnings).")
            .example("shared:8/1000").offers(&["bust", "none", "shared:", "tiling:", "hit:"])
            .rules(&[WORD_FOR_WORD])
            .foreign(&[foreign(&["random-prefix-len", "prefix-len", "prefix-repetition-prefix-len",
                "prefix-prompt-length", "num-prefix-prompts", "prefix-repetition-num-prefixes",
                "shared-system-prompt-length", "gsp-system-prompt-len", "gsp-num-groups",
                "prompt-prefix-pool-size", "prompt-prefix-length"],
                "--prefix shared:N/LENGTH gives the prompts N shared beginnings of LENGTH tokens")]);
        sessions: Vec<String> = Vec::new(), Requests, "NAME=VALUE",
            "Conversations: turns=N (or 2..8, zipf:S/1..20), think=TIME (or exp:5s), tool=TIME with \
             tool-share=P, pause=TIME, system=TOKENS, max-context=TOKENS, history=planned or live, \
             on-failure=end or continue; --rate is then in sessions, --concurrency in users"
            .more("See [sessions](workloads.md#sessions).")
            .example("turns=3")
            .rules(&[
                Rule::needs(MESSAGES, "completions have no messages"),
                WORD_FOR_WORD,
                Rule::excludes(&[Given("trace")], "a trace brings its own conversations"),
                Rule::excludes(&[Given("clients")], ""),
                Rule::excludes(&[Given("dataset")], "a dataset brings its own texts")])
            .foreign(&[foreign(&["turns", "num-turns", "session-turns-mean", "conversation-turn-mean",
                "session-concurrency", "multi-turn", "num-sessions"],
                "--sessions turns=N makes conversations of N turns")]);
        session_header: Option<String> = None, Requests, "NAME",
            "Header with the number of a request's session, for routers that keep a session on its \
             replica"
            .example("x-session")
            .rules(&[Rule::needs(&[Given("sessions"), Given("trace")],
                "nothing else has conversations")]);
        model: Option<String> = None, Requests, "NAME",
            "Model name"
            .absent("the first of /v1/models").common().example("llama")
            .foreign(&[foreign(&["model-name", "model-names", "model-id", "served-model-name", "m"],
                "--model NAME is the name that the server lists in /v1/models")]);
        endpoint: Endpoint = Endpoint::Chat, Requests, "API",
            "The API spoken: chat, completions, messages (Anthropic), responses (OpenAI), embeddings or \
             rerank"
            .more("See [the APIs](endpoints.md).")
            .common().example("completions")
            .tips(&[("/v1/chat/completions", "name the API: chat; a path goes into --endpoint-path"),
                ("/v1/completions", "name the API: completions; a path goes into --endpoint-path")])
            .foreign(&[foreign(&["backend", "endpoint-type", "service-kind", "api", "api-type",
                "request-format", "protocol"], "--endpoint names the API: chat, completions, messages, responses, embeddings or rerank")]);
        batch_size: Option<u32> = None, Requests, "N",
            "Embeddings: texts in each request"
            .more("See [embeddings and rerank](numbers.md).")
            .absent("1").example("8")
            .rules(&[Rule::needs(&[Is("endpoint", "embeddings")], "")]);
        encoding_format: Option<EncodingFormat> = None, Requests, "FORMAT",
            "Embeddings: float or base64"
            .absent("not asked for").example("base64")
            .rules(&[Rule::needs(&[Is("endpoint", "embeddings")], "")]);
        documents: Option<u32> = None, Requests, "N",
            "Rerank: documents in each request"
            .absent("10").example("64")
            .rules(&[Rule::needs(&[Is("endpoint", "rerank")], "")]);
        query_tokens: Option<u32> = None, Requests, "N",
            "Rerank: length of the query before them, tokens"
            .absent("32").example("16")
            .rules(&[Rule::needs(&[Is("endpoint", "rerank")], "")]);
        no_stream: bool = false, Requests, "",
            "Ask for plain answers instead of streams"
            .aliases(&["--disable-stream"])
            .foreign(&[foreign(&["streaming", "stream", "no-streaming", "use-streaming"],
                "answers are streamed, unless --no-stream is given")]);
        seed: u64 = 1, Load, "N",
            "Seed of the run; the seeds of the workload and of the schedule derive from it"
            .example("7").aliases(&["--random-seed"]);
        workload_seed: Option<u64> = None, Load, "N",
            "Seed of lengths and prompts"
            .absent("from --seed").example("4").rules(&[WORD_FOR_WORD]);
        schedule_seed: Option<u64> = None, Load, "N",
            "Seed of arrival times"
            .absent("from --seed").example("5");
        salt: Option<u64> = None, Load, "N",
            "Number mixed into each prompt's salt"
            .more("A fresh one keeps a prefix cache that one run has warmed from serving the next. It has no \
                   effect under `prefix = \"none\"`.")
            .absent("fresh for each run").example("6");
        chat_template: Option<PathBuf> = None, Requests, "FILE",
            "The model's chat template, Jinja or tokenizer_config.json: what it adds to prompts is \
             compared with what the server counts"
            .more("See [chat templates](workloads.md#chat-templates).")
            .example("template.jinja")
            .rules(&[Rule::needs(MESSAGES, "other prompts have no template")]);
        count: PromptCount = PromptCount::Text, Requests, "WHAT",
            "What prompt lengths count: text, or template (the chat template, too)"
            .example("template")
            .rules(&[
                Rule::needs(&[Given("chat-template")], "give it a file").at("template"),
                WORD_FOR_WORD.at("template"),
                Rule::excludes(&[Given("sessions")], "their lengths are those of the texts")
                    .at("template")]);
        tokenizer: String = "o200k".to_owned(), Requests, "NAME|FILE",
            "o200k, cl100k, or the path of a tokenizer.json"
            .example("cl100k").offers(&["o200k", "cl100k"]);
        text: TextManner = TextManner::Tidy, Requests, "MANNER",
            "How prompts are written: tidy (sentences of common words) or noisy (typos, fragments, several \
             languages and scripts, code); their length is exact either way"
            .more("See [noisy texts](workload-import.md#noisy-texts).")
            .example("noisy").rules(&[WORD_FOR_WORD.at("noisy")]);
        threads: Option<u32> = None, Client, "N",
            "Client threads"
            .absent("one per core; half the cores against mock:").example("2")
            .above(0.0).most(1024.0).note("one per core is enough");
        max_connections: Option<u32> = None, Client, "N",
            "Most connections open at once"
            .absent("what descriptors and ports allow").example("100").above(0.0);
        repeat: Option<u32> = None, Load, "N",
            "Measure N times, each run with its own seeds, salt and warm-up, and say how far they lie \
             apart"
            .more("See [repeated runs](load-models.md#repeated-runs).")
            .example("3").above(0.0).places(&[Place::Run])
            .foreign(&[foreign(&["num-runs", "repetitions", "num-profile-runs", "trials"],
                "--repeat N measures N times")]);
        until: Option<Until> = None, Load, "PRECISION",
            "Repeat runs until an interval is this narrow, as in 'ttft.p99+-10%'"
            .more("`repeat` is the most runs, 12 without it.")
            .example("ttft.p99+-10%").places(&[Place::Run]);
        pacing: Option<TracePacing> = None, Load, "HOW",
            "When requests of a trace are due that wait for another: timestamps (at the recorded instants, or \
             once what they wait for has ended) or idle-gaps (after the recorded waits)"
            .more("See [two ways of replaying](workload-import.md#two-ways-of-replaying).")
            .absent("as the format has it").example("idle-gaps")
            .rules(&[Rule::needs(&[Given("trace")], "nothing else has recorded waits")]);
        slo: Vec<Slo> = Vec::new(), Result, "SLO",
            "Objective, as in 'ttft.p99<500ms' or 'attainment(ttft<500ms, tpot<50ms)>=99%'"
            .more("See [objectives](objectives.md).")
            .common().example("ttft.p99<500ms")
            .foreign(&[foreign(&["goodput", "slos", "goodput-slo", "sla", "constraints", "threshold"],
                "an objective is a measure and a limit: --slo 'ttft.p99<500ms'; goodput follows from it")]);
        percentile: Vec<String> = Vec::new(), Result, "P",
            "Further percentile, as in p75"
            .example("p75")
            .foreign(&[foreign(&["metric-percentiles", "percentile-metrics"],
                "--percentile p75 adds a percentile; every metric is reported")]);
        fluidity: Option<Deadlines> = None, Result, "TTFT/GAP",
            "When tokens are due, as in 500ms/50ms: the first, and each after the one before"
            .more("Without it, the greatest limits of `slo` on `ttft` and on `itl` (else `tpot`).")
            .example("500ms/50ms");
        connect_timeout: Span = Span::seconds(10), Client, "TIME",
            "Time to open a connection"
            .example("1s").above(0.0);
        timeout: Span = Span::seconds(300), Client, "TIME",
            "Time for a whole request, from its send"
            .example("2m").above(0.0)
            .foreign(&[foreign(&["request-timeout", "request-timeout-seconds", "http-timeout",
                "timeout-s"], "--timeout TIME, with a unit, as in --timeout 300s")]);
        first_token_timeout: Option<Span> = None, Client, "TIME",
            "Time to the first token, from the send"
            .absent("off").example("4s").above(0.0)
            .rules(&[Rule::excludes(&[Given("no-stream")],
                "a plain answer has no first token; use --timeout")]);
        idle_timeout: Option<Span> = None, Client, "TIME",
            "Longest silence inside an answer"
            .absent("off").example("3s").above(0.0);
        keepalive: Span = Span::seconds(4), Client, "TIME",
            "Longest idle time after which a connection is used again"
            .example("500ms");
        retry_stale: bool = false, Client, "",
            "Resend once when a reused connection breaks before any byte of the response";
        header: Vec<String> = Vec::new(), Requests, "HEADER",
            "Extra header, 'Name: value'"
            .example("x-tenant: bench").aliases(&["-H"])
            .foreign(&[foreign(&["headers", "custom-header"],
                "--header 'Name: value', once for each header")]);
        extra_body: Option<serde_json::Value> = None, Requests, "JSON",
            "JSON object merged into each request body"
            .example("{\"top_p\": 0.5}").aliases(&["--extra-request-body"])
            .foreign(&[foreign(&["extra-inputs", "extra-args", "request-payload"],
                "--extra-body '{\"name\": 1}' is merged into each body")]);
        kind: Vec<KindWeight> = Vec::new(), Requests, "NAME=WEIGHT",
            "Kind of request and its weight, as in schema=0.3: plain, schema, tools or images"
            .more("See [kinds of requests](request-kinds.md).")
            .absent("every request carries all that is asked for")
            .example("plain=6").rules(&[WORD_FOR_WORD]);
        schema: Option<PathBuf> = None, Requests, "FILE",
            "Structured output: answers keep to the JSON schema in this file"
            .example("schema.json").rules(&[WORD_FOR_WORD]);
        regex: Option<String> = None, Requests, "REGEX",
            "Structured output: answers match this regular expression"
            .example("[a-z]+").rules(&[WORD_FOR_WORD]);
        grammar: Option<PathBuf> = None, Requests, "FILE",
            "Structured output: answers follow the grammar in this file"
            .example("grammar.txt").rules(&[WORD_FOR_WORD]);
        tools: Option<String> = None, Requests, "FILE|N",
            "Tools that may be called: a JSON file of definitions, or the number of made-up ones"
            .example("2").rules(WORDED_CHAT);
        tool_choice: Option<String> = None, Requests, "CHOICE",
            "auto, required, none, or the name of a tool"
            .absent("the server's").example("required").offers(&["auto", "required", "none"]).rules(&[WORD_FOR_WORD]);
        images: Option<ImageSpec> = None, Requests, "COUNT@WxH",
            "Images made for each request, as in 2@1024x768; /50 after it draws from a pool of 50"
            .example("2@1024x768").rules(WORDED_CHAT);
        image: Vec<PathBuf> = Vec::new(), Requests, "FILE",
            "Image file; each request carries one of those given"
            .example("cat.png").rules(WORDED_CHAT);
        lora: Vec<AdapterWeight> = Vec::new(), Requests, "NAME=WEIGHT",
            "LoRA adapter and its weight: its name is sent as the model"
            .example("sql=1").rules(&[WORD_FOR_WORD])
            .foreign(&[foreign(&["lora-modules", "lora-name", "lora-request-distribution"],
                "--lora NAME=WEIGHT, once for each adapter")]);
        sampling: Vec<SamplingValue> = Vec::new(), Requests, "NAME=VALUE",
            "Sampling parameter, as in temperature=0.7"
            .example("temperature=0.7")
            .foreign(&[foreign(&["temperature", "top-p", "top-k", "min-p", "frequency-penalty",
                "presence-penalty", "repetition-penalty"],
                "--sampling NAME=VALUE, as in --sampling temperature=0.7")]);
        body_template: Option<PathBuf> = None, Requests, "FILE",
            "Body of each request: a JSON file with {{prompt}}, {{messages}}, {{model}}, \
             {{max_tokens}}, {{stream}} or {{id}} in it, for an API of another form"
            .more("See [other APIs](request-kinds.md#other-apis).")
            .example("body.json");
        answer_text: Option<String> = None, Requests, "POINTER",
            "Where the text stands in an answer to --body-template: a JSON pointer, as in \
             /message/content"
            .more("See [a JSON pointer](request-kinds.md#answers-of-another-form).")
            .example("/message/content")
            .rules(&[Rule::needs(&[Given("body-template")], "the answers of --endpoint are known")]);
        answer_usage: Option<String> = None, Requests, "POINTER",
            "Where the number of output tokens stands in it, as in /eval_count"
            .example("/eval_count")
            .rules(&[Rule::needs(&[Given("answer-text")], "where does the text stand?")]);
        answer_end: Option<String> = None, Requests, "POINTER",
            "What is there when it is complete, true or a word that says why, as in /done"
            .absent("the end of the body").example("/done")
            .rules(&[Rule::needs(&[Given("answer-text")], "where does the text stand?")]);
        endpoint_path: Option<String> = None, Requests, "PATH",
            "Path of the requests"
            .absent("that of --endpoint").example("/generate");
        api_key_file: Option<PathBuf> = None, Requests, "FILE",
            "File with the API key"
            .absent("the variable OPENAI_API_KEY, with --endpoint messages ANTHROPIC_API_KEY").example("key.txt")
            .foreign(&[foreign(&["api-key", "key", "token", "auth-token", "bearer-token"],
                "a key on a command line is seen by everybody on the machine: --api-key-file FILE, or \
                 the variable OPENAI_API_KEY")]);
        tls_ca: Option<PathBuf> = None, Requests, "FILE",
            "Certificates (PEM) to trust beside the platform's"
            .more("A server's own certificate may stand in it.")
            .example("ca.pem")
            .rules(&[Rule::excludes(&[Given("tls-insecure")], "the first verifies the server")]);
        tls_insecure: bool = false, Requests, "",
            "Believe any certificate; the result then carries a warning"
            .more("See [the warning](findings.md#tls-unverified).")
            .aliases(&["--insecure", "-k"]);
        save_responses: bool = false, Result, "",
            "Write responses.jsonl"
            .foreign(&[foreign(&["save-detailed", "export-level", "output-details"],
                "every request is in the record; --save-responses keeps the answers' texts, too")]);
        json: bool = false, Result, "",
            "Print JSON on standard output"
            .common().showing();
        html: Option<PathBuf> = None, Result, "FILE",
            "Write the result as a page of HTML, too; alone beside the record, as report.html"
            .more("See [reports](reports.md). A file is named by `=` only, and is not written over.")
            .example("page.html").bare("DIR/report.html").showing().places(&[Place::Run, Place::Several]);
        quiet: bool = false, Result, "",
            "No progress; print only the verdict and where the record is"
            .showing()
            .foreign(&[foreign(&["disable-tqdm", "no-progress", "silent", "ui"],
                "--quiet shows no progress")]);
        full: bool = false, Result, "",
            "Print every figure of every metric below the summary"
            .showing();
        notes: bool = false, Result, "",
            "Print findings that do not weigh in full, below the figures, instead of their names"
            .showing();
        live: bool = false, Result, "",
            "Show progress on the full screen: load, latency, client, server, findings; plain lines where \
             there is no terminal"
            .showing().rules(&[Rule::excludes(&[Given("quiet")], "")]);
        expose: Option<Expose> = None, Result, "ADDR",
            "Serve what is measured as a Prometheus page while it is measured: at http://ADDR/metrics, where \
             ADDR is IP:PORT or a port"
            .more("See [live metrics](live.md). An address is named by `=` only; port 0 is any free one.")
            .absent("off").example("127.0.0.1:9600").bare("127.0.0.1:9599")
            .showing().places(&[Place::Run, Place::Several])
            .foreign(&[foreign(&["metrics-port", "prometheus-port", "prometheus", "metrics-addr"],
                "--expose=ADDR serves a Prometheus page, as in --expose=127.0.0.1:9599")]);
        expose_linger: Option<Span> = None, Result, "TIME",
            "Keep that page once everything is measured and shown: until it was read once more, and no longer \
             than this"
            .absent("not at all").example("30s").showing().places(&[Place::Run, Place::Several])
            .rules(&[Rule::needs(&[Given("expose")], "")]);
        strict: bool = false, Result, "",
            "Exit 3 for Questionable, too";
        publication: bool = false, Result, "",
            "Ask what a result to be published needs beyond a sound measurement"
            .more("See [publication](findings.md#publication). With `strict` the command ends with 3 where \
                   something of it is missing.");
        no_probe: bool = false, Requests, "",
            "Send no feature probes before the run, and send the load whatever the server would say to \
             them"
            .more("The server's metrics are not read either, unless `server-metrics` is a URL.");
        probe_timeout: Option<Span> = None, Requests, "TIME",
            "Time for the answer to one probe; a server that is still loading needs more"
            .absent("10s, or --timeout where that is shorter").example("60s").above(0.0)
            .more("See [trials](#trials).")
            .foreign(&[foreign(&["ready-check-timeout-sec", "wait-for-server"],
                "--probe-timeout TIME waits for a server that is still loading")]);
        probe_response_cache: bool = false, Requests, "",
            "Send one prompt again and again before the run, among fresh ones, and say whether the \
             server caches responses (26 short requests)"
            .more("See [response caching](findings.md#response-caching).")
            .rules(&[Rule::excludes(&[Given("no-probe")], "the first is a probe")]);
        check_answers: bool = false, Requests, "",
            "Check the text of each answer when the load is over: loops, garbage, other languages, errors with \
             status 200, answers given twice"
            .more("On with `publication`. No text leaves the machine, and none is kept. See [answers](answers.md).")
            .rules(&[GENERATING])
            .foreign(&[foreign(&["accuracy", "validate-output", "check-output"],
                "--check-answers looks at each answer's text; --canaries 2% mixes in questions with known answers")]);
        canaries: Option<Share> = None, Requests, "SHARE",
            "Let this share of the requests end with a small question whose answer is known, and compare the \
             answers under load with those asked alone"
            .more("They hide in the load: class and lengths are those drawn, their answers end by themselves. See \
                   [canaries](answers.md#canaries).")
            .example("2%")
            .rules(&[WORD_FOR_WORD, STANDING_ALONE, GENERATING]);
        eval: Vec<EvalSpec> = Vec::new(), Requests, "FILE[,share=SHARE]",
            "Let a share of the requests, 5% where none is given, be questions of a file with answers (JSON \
             lines), and tell how many are right at each load; builtin: a small set that is made here"
            .more("Can be given several times. See [evaluations](answers.md#evaluations) for the rows of such a file.")
            .example("builtin,share=10%")
            .rules(&[WORD_FOR_WORD, STANDING_ALONE, GENERATING]);
        reference: Option<ReferenceKind> = None, Requests, "solo[:N]",
            "Ask N of the prompts, 60 where none is given, again alone behind the load, twice: where do answers differ?"
            .more("Ask for one answer each time: `sampling` temperature=0, or a seed. See [references](answers.md#references).")
            .example("solo:100").rules(&[GENERATING]);
        solo_time: Span = Span::seconds(30), Requests, "TIME",
            "Time for each pass in which questions or prompts are asked alone, before the load or after it"
            .example("60s").above(0.0)
            .rules(&[Rule::needs(&[Given("canaries"), Given("eval"), Given("reference")],
                "nothing else is asked alone")]);
        hardware: Option<String> = None, Result, "NAME=VALUE",
            "Declared hardware of the server: gpu=, count=, memory=, interconnect=, network=, \
             storage=, and placement= of the client: same host, same network, remote; or text"
            .form(Joined).example("gpu=H100, count=8");
        model_info: Option<String> = None, Result, "NAME=VALUE",
            "Declared of the model: name=, version=, size=, quantisation="
            .form(Joined).example("size=70B, quantisation=fp8");
        engine_info: Option<String> = None, Result, "NAME=VALUE",
            "Declared of the engine: engine=, version=, flags=, tp=, pp=, dp=, attention=, \
             scheduling=, prefix-cache=, chunked-prefill=, speculation=, batch-limits=, hit-rate=, \
             tuning=, logging="
            .more("`hit-rate` is that of the prefix cache, `tuning` the settings tried; flags are \
                   written as in `flags=--max-num-seqs=256 --dtype bf16`.")
            .form(Joined).example("engine=vllm, version=0.11.0");
        gpus: Option<u32> = None, Result, "N",
            "Declared number of accelerators: adds figures per accelerator"
            .example("8").above(0.0)
            .foreign(&[foreign(&["num-gpus", "accelerators"],
                "--gpus N declares the number of accelerators")]);
        gpu_hour: Option<f64> = None, Result, "PRICE",
            "Declared price of an accelerator for an hour, in $: adds what tokens and requests cost"
            .more("See [cost](metrics/cost.md).")
            .example("2.50").above(0.0).most(1e9)
            .rules(&[Rule::needs(&[Given("gpus")], "an hour of the server costs that of all its accelerators")])
            .foreign(&[foreign(&["gpu-cost", "cost-per-hour", "price", "gpu-price"],
                "--gpu-hour PRICE is the price of one accelerator for an hour")]);
        kwh: Option<f64> = None, Result, "PRICE",
            "Declared price of a kilowatt-hour, in $: adds what the GPUs' energy costs"
            .more("See [energy](metrics/energy.md).")
            .example("0.25").above(0.0).most(1e6)
            .foreign(&[foreign(&["electricity-price", "energy-price", "kwh-price"],
                "--kwh PRICE is the price of a kilowatt-hour")]);
        engine: Option<String> = None, Result, "TEXT",
            "Declared engine and version"
            .example("vllm 0.11");
        quantization: Option<String> = None, Result, "TEXT",
            "Declared quantization"
            .example("fp8");
        label: Option<String> = None, Result, "TEXT",
            "Free text kept with the run"
            .example("baseline")
            .foreign(&[foreign(&["metadata", "tag", "name", "description"],
                "--label TEXT is kept with the run")]);
        io: Io = Io::Auto, Client, "PATH",
            "How to receive: uring (an error where io_uring does not work), epoll, or auto (io_uring \
             where a probe succeeds)"
            .more("See [two ways to receive](instants.md#two-ways-to-receive).")
            .example("epoll");
        audit_send: bool = false, Client, "",
            "Have the kernel stamp when each request's last byte leaves"
            .more("See [when bytes leave](instants.md#when-bytes-leave).");
        server_metrics: ServerMetrics = ServerMetrics::Auto, Client, "WHERE",
            "Where the server's own metrics are read during the run: auto (its /metrics), off, or URLs"
            .form(Joined)
            .more("Several pages are replicas or pools, whose figures are added, or a front end and \
                   what is behind it. Credentials go to the target's own host and port alone. See \
                   [server metrics](metrics/server-metrics.md).")
            .example("off").offers(&["auto", "off"])
            .foreign(&[foreign(&["server-metrics-url", "server-metrics-urls", "no-server-metrics"],
                "--server-metrics takes a URL, auto or off")]);
        server_metrics_interval: Span = Span::seconds(1), Client, "TIME",
            // Shorter is a load on the server, longer leaves a minute without a reading.
            "From one reading of the server's metrics to the next"
            .example("5s").least(1e8).most(6e10);
        gpu_metrics: GpuMetrics = GpuMetrics::Auto, Client, "WHERE",
            "Where the server's GPUs are read during the run: auto (NVML, where the server is on this host), off, \
             nvml, or URLs of exporters"
            .form(Joined)
            .more("DCGM exporter, AMD's device metrics exporter, all-smi and node exporter are recognised by their \
                   names. `nvml:FILE` loads NVML from a file. See [energy](metrics/energy.md).")
            .example("off").offers(&["auto", "off", "nvml"])
            .foreign(&[foreign(&["gpu-telemetry", "dcgm-url", "no-gpu-metrics", "gpu-metrics-url"],
                "--gpu-metrics takes a URL, nvml, auto or off")]);
        burn: Option<Span> = None, Client, "TIME",
            "Busy-wait after each chunk: artificial client load that shows what kernel stamps buy"
            .absent("off").example("10us");
        spans: Option<SpansAt> = None, Client, "ADDR",
            "Send a traceparent with each request, receive the engine's spans (OTLP over HTTP) here, and \
             take each TTFT apart"
            .absent("off")
            .more("Alone it means 127.0.0.1:4318. An address is given by `=` only. See \
                   [spans](metrics/spans.md).")
            .example("127.0.0.1:4318").bare("auto")
            .rules(&[Rule::excludes(
                &[Given("no-stream"), Is("endpoint", "embeddings"), Is("endpoint", "rerank")],
                "an answer in one piece has no first token")])
            .foreign(&[foreign(&["otlp", "tracing", "traces", "otlp-traces-endpoint"],
                "--spans receives the engine's spans; the engine is told where to send them")]);
        replicas_from: Option<ReplicasFrom> = None, Client, "URL#METRIC",
            "Read the number of replicas from this metric of a page during the run: for replica-seconds"
            .more("Samples with the labels given are added up: `URL#METRIC{label=\"value\"}`. See \
                   [autoscaling](autoscaling.md).")
            .example("http://localhost:8080/metrics#kube_deployment_status_replicas_ready")
            .rules(&[Rule::excludes(&[Given("replicas-command")], "")]);
        replicas_command: Option<String> = None, Client, "COMMAND",
            "Read the number of replicas from what this command prints, every few seconds"
            .more("`sh` runs it off the measuring path; it has 10 s. See [autoscaling](autoscaling.md).")
            .example("kubectl get deploy vllm -o jsonpath={.status.readyReplicas}");
        source_address: Vec<SourceAddress> = Vec::new(), Client, "ADDR",
            "Address of this host that connections come from; several are taken in turn, and each has its own local \
             ports"
            .more("See [ports and source addresses](scale-out.md#ports-and-source-addresses).")
            .absent("the one that the system chooses").example("10.0.0.5")
            .foreign(&[foreign(&["local-address", "bind-address", "source-ip", "local-ips", "interface"],
                "--source-address ADDR binds connections to an address of this host, once for each")]);
    }
}
