//! The command line: every flag, defined and documented in one place; here those of the commands
//! that plan and serve, in `cli/` those of `audit`, `calibrate` and `report`.
//!
//! Values stay text here; they are parsed once, in [`crate::layers`], where flags, plan file and
//! defaults meet.

mod audit;
mod calibrate;
mod report;

pub use audit::AuditArgs;
pub use calibrate::CalibrateArgs;
pub use report::ReportArgs;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Measures LLM inference servers, and says whether the result can be believed.
#[derive(Debug, Parser)]
#[command(
    name = "infermeter",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(
    after_help = "Exit codes: 0 ok, 1 objective missed, 2 usage, 3 measurement invalid, \
4 target unreachable or all requests failed, 5 objective undecided for want of data, \
130 interrupted (report written)."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure a server (or the embedded simulator: mock:PRESET)
    #[command(
        allow_negative_numbers = true,
        after_help = "Examples:\n  infermeter run mock:llama-8b-h100 --rate 10 --duration 20s\n  \
infermeter run http://localhost:8000 --rate 20 --duration 60s --slo 'ttft.p99<500ms'\n  \
infermeter run http://localhost:8000 --concurrency 32 --requests 1000\n  \
infermeter run http://localhost:8000 --rate-profile ramp:5..50/10m --duration 10m\n  \
infermeter run http://localhost:8000 --trace azure.csv --trace-limit 500 --time-scale 0.5"
    )]
    Run(Box<RunArgs>),
    /// Serve the engine simulator on its own
    #[command(
        after_help = "Examples:\n  infermeter mock --preset llama-8b-h100 --truth truth.jsonl\n  \
infermeter mock --set kv-blocks=9000 --set max-waiting=200 --set link-delay=5ms\n  \
curl -X PATCH localhost:8000/admin/config -H 'content-type: application/json' \
-d '{\"max-num-seqs\": 64}'"
    )]
    Mock(Box<MockArgs>),
    /// Recompute and print everything from a run's record
    Report(ReportArgs),
    /// Put the anti-pattern checklist to results, ours or another tool's
    #[command(after_help = audit::AFTER_HELP)]
    Audit(AuditArgs),
    /// Measure this machine's own measurement error, against the simulator's truth
    #[command(
        after_help = "Rungs: streams:NxR (N streams of R tokens/s), requests:R or requests:RxT (R \
requests/s of T\ntokens), bytes:B (events of B bytes), chunks:T (events of T tokens), null:N and flood:N (ceilings with N slots); \
/tls behind one\nputs it over TLS.\n\nExamples:\n  infermeter calibrate --quick\n  \
infermeter calibrate --rung streams:100x50 --burn 100us\n  infermeter calibrate --null"
    )]
    Calibrate(CalibrateArgs),
    /// Look into a trace or a dataset before it is sent
    Workload(WorkloadArgs),
}

/// Flags of `run`. The same names are the keys of a plan file.
#[derive(Debug, Args, Default)]
pub struct RunArgs {
    /// http://HOST:PORT, https://HOST, mock:PRESET or mock:PRESET?NAME=VALUE&...
    pub target: Option<String>,

    /// Plan file, TOML or YAML, with the same names as the flags; flags win
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the resolved plan with the origin of each value, and stop
    #[arg(long)]
    pub print_config: bool,
    /// Say what would be sent in every phase, and stop; with --json as JSON
    #[arg(long)]
    pub dry_run: bool,
    /// Defaults to start from: production (5 minutes of warm-up, 30 of measurement)
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
    /// Directory of the record (default: runs/TIME-ID); an existing one is refused
    #[arg(long, value_name = "DIR")]
    pub out: Option<String>,

    /// Open loop: requests per second, at most 10,000,000
    #[arg(
        long,
        value_name = "R",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub rate: Option<String>,
    /// Open loop: the rate over time, from the start of the window: ramp:5..50/60s,
    /// steps:10/30s,20/30s, points:5@0,50@12h,5@24h,repeat, diurnal:10..50/24h,
    /// bursts:50/5s,5/25s or random-bursts:50/5s,5/25s
    #[arg(
        long,
        value_name = "PROFILE",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub rate_profile: Option<String>,
    /// Closed loop: requests in flight
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub concurrency: Option<String>,
    /// Open loop: replay a trace (Azure, Mooncake, BurstGPT, Qwen-Bailian or vLLM; .gz too)
    #[arg(long, value_name = "FILE", help_heading = "Load")]
    pub trace: Option<String>,
    /// Open loop: many clients, each with its own rate, burstiness and lengths: the bundled profile
    /// `synthetic`, or a file; --rate scales them all
    #[arg(long, value_name = "NAME|FILE", help_heading = "Load")]
    pub clients: Option<String>,
    /// Send the texts of a file: ShareGPT (JSON), chat requests (JSON lines), prompts (JSON lines,
    /// CSV or Parquet) or conversations of agents, with --rate, --rate-profile or --concurrency
    #[arg(long, value_name = "FILE", help_heading = "Load")]
    pub dataset: Option<String>,
    /// The order of the dataset's texts: file, shuffled (by --workload-seed), or conversations (their
    /// turns wait for each other; --rate is in conversations) [default: file]
    #[arg(long, value_name = "ORDER", help_heading = "Load")]
    pub dataset_order: Option<String>,
    /// Use only the first N rows of the trace or the dataset
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub trace_limit: Option<String>,
    /// How the trace or the dataset is read: format=NAME, block-size=N, time-unit=U, max-context=N, clip, sort,
    /// spread (repeatable)
    #[arg(long, value_name = "NAME[=VALUE]", help_heading = "Load")]
    pub trace_option: Vec<String>,
    /// Multiply the trace's times by this: 0.5 is twice as fast
    #[arg(
        long,
        value_name = "X",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub time_scale: Option<String>,
    /// Keep each row of the trace with this probability: 0.5 halves the load, at the trace's speed
    #[arg(
        long,
        value_name = "P",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub thin: Option<String>,
    /// Gaps between arrivals: poisson, constant, gamma or weibull [default: poisson]
    #[arg(long, value_name = "KIND", help_heading = "Load")]
    pub arrival: Option<String>,
    /// Coefficient of variation of gamma or Weibull gaps
    #[arg(
        long,
        value_name = "X",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub cv: Option<String>,
    /// Length of the measured window
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub duration: Option<String>,
    /// Number of measured requests
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub requests: Option<String>,
    /// Warm-up before the window: 30s, 50req or 0 [default: 30s and 50 requests; 10s for windows up to 60s]
    #[arg(
        long,
        value_name = "TIME|N",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub warmup: Option<String>,
    /// Measure N times, each run with its own seeds, salt and warm-up, and say how far they lie apart
    #[arg(
        long,
        value_name = "N",
        help_heading = "Load",
        allow_hyphen_values = true
    )]
    pub repeat: Option<String>,
    /// Repeat runs until an interval is this narrow, as in 'ttft.p99 +-10%'; --repeat is the most [default: 12]
    #[arg(long, value_name = "PRECISION", help_heading = "Load")]
    pub until: Option<String>,
    /// Seed of the run; two independent ones derive from it [default: 1]
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub seed: Option<String>,
    /// Seed of lengths and prompts
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub workload_seed: Option<String>,
    /// Seed of arrival times
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub schedule_seed: Option<String>,

    /// Number mixed into each prompt's salt [default: fresh for each run]
    #[arg(long, value_name = "N", help_heading = "Load")]
    pub salt: Option<String>,

    /// Send the requests of a workload file; at its instants, unless --rate, --rate-profile or --concurrency say when
    #[arg(long, value_name = "FILE", help_heading = "Requests")]
    pub workload_file: Option<String>,
    /// Lengths of prompts and answers: chat, code-generation, long-context-qa, summarization,
    /// fixed:IN,OUT, uniform:A..B,C..D, normal:MEAN/SD,MEAN/SD,
    /// lognormal:MEDIAN/SIGMA,MEDIAN/SIGMA, gamma:MEAN/CV,MEAN/CV, zipf:S/A..B,S/C..D,
    /// empirical:FILE, or mix:NAME=WEIGHT,NAME=WEIGHT [default: chat]
    #[arg(long, value_name = "NAME", help_heading = "Requests")]
    pub workload: Option<String>,
    /// What prompts share at their beginnings: bust (nothing), none (no salt either),
    /// shared:N/LENGTH[/ZIPF] (N system prompts), tiling:CONTEXTS/LENGTH/QUESTION[/ROTATIONS]
    /// (contexts in turn), or hit:SHARE (so much that a cache can hold SHARE of all tokens)
    /// [default: bust, or what a trace or a dataset shares]
    #[arg(long, value_name = "MODE", help_heading = "Requests")]
    pub prefix: Option<String>,
    /// Conversations: turns=N (or 2..8, zipf:S/1..20), think=TIME (or exp:5s), tool=TIME with
    /// tool-share=P, pause=TIME, system=TOKENS, max-context=TOKENS, history=planned or live,
    /// on-failure=end or continue (repeatable); --rate is then in sessions, --concurrency in users
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Requests")]
    pub sessions: Vec<String>,
    /// Header with the number of a request's session, for routers that keep a session's replica
    #[arg(long, value_name = "NAME", help_heading = "Requests")]
    pub session_header: Option<String>,
    /// Model name [default: the first of /v1/models]
    #[arg(long, value_name = "NAME", help_heading = "Requests")]
    pub model: Option<String>,
    /// API spoken: chat, completions, messages (Anthropic) or responses (OpenAI) [default: chat]
    #[arg(long, value_name = "API", help_heading = "Requests")]
    pub endpoint: Option<String>,
    /// Ask for plain answers instead of streams
    #[arg(long, help_heading = "Requests")]
    pub no_stream: bool,
    /// o200k, cl100k, or the path of a tokenizer.json [default: o200k]
    #[arg(long, value_name = "NAME|FILE", help_heading = "Requests")]
    pub tokenizer: Option<String>,
    /// The model's chat template, Jinja or tokenizer_config.json: what it adds to prompts is
    /// compared with what the server counts
    #[arg(long, value_name = "FILE", help_heading = "Requests")]
    pub chat_template: Option<String>,
    /// What prompt lengths count: text, or template (the chat template, too) [default: text]
    #[arg(long, value_name = "WHAT", help_heading = "Requests")]
    pub count: Option<String>,
    /// Extra header, 'Name: value' (repeatable)
    #[arg(long, value_name = "HEADER", help_heading = "Requests")]
    pub header: Vec<String>,
    /// JSON object merged into each request body
    #[arg(long, value_name = "JSON", help_heading = "Requests")]
    pub extra_body: Option<String>,
    /// Kind of request and its weight, as in schema=0.3: plain, schema, tools or images
    /// (repeatable) [default: every request carries all that is asked for]
    #[arg(long, value_name = "NAME=WEIGHT", help_heading = "Requests")]
    pub kind: Vec<String>,
    /// Structured output: answers keep to the JSON schema in this file
    #[arg(long, value_name = "FILE", help_heading = "Requests")]
    pub schema: Option<String>,
    /// Structured output: answers match this regular expression
    #[arg(long, value_name = "REGEX", help_heading = "Requests")]
    pub regex: Option<String>,
    /// Structured output: answers follow the grammar in this file
    #[arg(long, value_name = "FILE", help_heading = "Requests")]
    pub grammar: Option<String>,
    /// Tools that may be called: a JSON file of definitions, or the number of made-up ones
    #[arg(long, value_name = "FILE|N", help_heading = "Requests")]
    pub tools: Option<String>,
    /// auto, required, none, or the name of a tool [default: the server's]
    #[arg(long, value_name = "CHOICE", help_heading = "Requests")]
    pub tool_choice: Option<String>,
    /// Images made for each request, as in 2@1024x768; /50 behind it draws from a pool of 50
    #[arg(long, value_name = "COUNT@WxH", help_heading = "Requests")]
    pub images: Option<String>,
    /// Image file; each request carries one of those given (repeatable)
    #[arg(long, value_name = "FILE", help_heading = "Requests")]
    pub image: Vec<String>,
    /// LoRA adapter and its weight: its name is sent as the model (repeatable)
    #[arg(long, value_name = "NAME=WEIGHT", help_heading = "Requests")]
    pub lora: Vec<String>,
    /// Sampling parameter, as in temperature=0.7 (repeatable)
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Requests")]
    pub sampling: Vec<String>,
    /// Body of each request: a JSON file with {{prompt}}, {{messages}}, {{model}}, {{max_tokens}},
    /// {{stream}} or {{id}} in it, for an API of another form
    #[arg(long, value_name = "FILE", help_heading = "Requests")]
    pub body_template: Option<String>,
    /// Where the text stands in an answer to --body-template: a JSON pointer, as in /message/content
    #[arg(long, value_name = "POINTER", help_heading = "Requests")]
    pub answer_text: Option<String>,
    /// Where the number of output tokens stands in it, as in /eval_count
    #[arg(long, value_name = "POINTER", help_heading = "Requests")]
    pub answer_usage: Option<String>,
    /// What is there when it is complete, true or a word, as in /done [default: the body's end]
    #[arg(long, value_name = "POINTER", help_heading = "Requests")]
    pub answer_end: Option<String>,
    /// Path of the requests [default: that of --endpoint]
    #[arg(long, value_name = "PATH", help_heading = "Requests")]
    pub endpoint_path: Option<String>,
    /// File with the API key [default: the variable OPENAI_API_KEY, with --endpoint messages ANTHROPIC_API_KEY]
    #[arg(long, value_name = "FILE", help_heading = "Requests")]
    pub api_key_file: Option<String>,
    /// Certificates (PEM) to trust beside the platform's
    #[arg(long, value_name = "FILE", help_heading = "Requests")]
    pub tls_ca: Option<String>,
    /// Believe any certificate; the result then carries a warning
    #[arg(long, help_heading = "Requests")]
    pub tls_insecure: bool,
    /// Send no feature probes before the run, and send the load whatever the server would say to them
    #[arg(long, help_heading = "Requests")]
    pub no_probe: bool,
    /// Time for the answer to one probe [default: 10s]; a server that is still loading needs more
    #[arg(long, value_name = "TIME", help_heading = "Requests")]
    pub probe_timeout: Option<String>,
    /// Send one prompt again and again before the run, among fresh ones, and say whether the server
    /// caches responses (26 short requests)
    #[arg(long, help_heading = "Requests")]
    pub probe_response_cache: bool,

    /// Objective, as in 'ttft.p99<500ms' (repeatable)
    #[arg(long, value_name = "SLO", help_heading = "Result")]
    pub slo: Vec<String>,
    /// Further percentile, as in p75 (repeatable)
    #[arg(long, value_name = "P", help_heading = "Result")]
    pub percentile: Vec<String>,
    /// When tokens are due, as in 500ms/50ms: the first, and each after the one before
    #[arg(long, value_name = "TTFT/GAP", help_heading = "Result")]
    pub fluidity: Option<String>,
    /// Write responses.jsonl
    #[arg(long, help_heading = "Result")]
    pub save_responses: bool,
    /// Print JSON on standard output
    #[arg(long, help_heading = "Result")]
    pub json: bool,
    /// No progress; print the verdict and the record's path only
    #[arg(long, help_heading = "Result")]
    pub quiet: bool,
    /// Print every figure of every metric below the summary
    #[arg(long, help_heading = "Result")]
    pub full: bool,
    /// Exit 3 for Questionable, too, and ask what a publication needs
    #[arg(long, help_heading = "Result")]
    pub strict: bool,
    /// Declared hardware of the server: gpu=, count=, memory=, interconnect=, network=, storage=, and
    /// placement= of the client: same host, same network, remote (repeatable); or text
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Result")]
    pub hardware: Vec<String>,
    /// Declared of the model: name=, version=, size=, quantisation= (repeatable)
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Result")]
    pub model_info: Vec<String>,
    /// Declared of the engine: engine=, version=, flags=, tp=, pp=, dp=, attention=, scheduling=,
    /// prefix-cache=, chunked-prefill=, speculation=, batch-limits=, hit-rate=, tuning=, logging=
    /// (repeatable)
    #[arg(long, value_name = "NAME=VALUE", help_heading = "Result")]
    pub engine_info: Vec<String>,
    /// Declared number of accelerators: adds per-accelerator figures
    #[arg(long, value_name = "N", help_heading = "Result")]
    pub gpus: Option<String>,
    /// Declared engine and version
    #[arg(long, value_name = "TEXT", help_heading = "Result")]
    pub engine: Option<String>,
    /// Declared quantization
    #[arg(long, value_name = "TEXT", help_heading = "Result")]
    pub quantization: Option<String>,
    /// Free text kept with the run
    #[arg(long, value_name = "TEXT", help_heading = "Result")]
    pub label: Option<String>,

    /// Client threads [default: one per core; half the cores against mock:]
    #[arg(long, value_name = "N", help_heading = "Client")]
    pub threads: Option<String>,
    /// Most connections open at once [default: what descriptors and ports allow]
    #[arg(long, value_name = "N", help_heading = "Client")]
    pub max_connections: Option<String>,
    /// Time to open a connection [default: 10s]
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Client",
        allow_hyphen_values = true
    )]
    pub connect_timeout: Option<String>,
    /// Time for a whole request [default: 300s]
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Client",
        allow_hyphen_values = true
    )]
    pub timeout: Option<String>,
    /// Time to the first token [default: off]
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Client",
        allow_hyphen_values = true
    )]
    pub first_token_timeout: Option<String>,
    /// Longest silence inside an answer [default: off]
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Client",
        allow_hyphen_values = true
    )]
    pub idle_timeout: Option<String>,
    /// Longest idle time after which a connection is used again [default: 4s]
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Client",
        allow_hyphen_values = true
    )]
    pub keepalive: Option<String>,
    /// Resend once when a reused connection dies before any response byte
    #[arg(long, help_heading = "Client")]
    pub retry_stale: bool,
    /// How to receive: uring, epoll or auto (io_uring where it works) [default: auto]
    #[arg(long, value_name = "PATH", help_heading = "Client")]
    pub io: Option<String>,
    /// Have the kernel stamp when each request's last byte leaves
    #[arg(long, help_heading = "Client")]
    pub audit_send: bool,
    /// Where the server's own metrics are read during the run: auto (its /metrics), off, or a URL [default: auto]
    #[arg(long, value_name = "WHERE", help_heading = "Client")]
    pub server_metrics: Option<String>,
    /// From one reading of the server's metrics to the next [default: 1s]
    #[arg(
        long,
        value_name = "TIME",
        help_heading = "Client",
        allow_hyphen_values = true
    )]
    pub server_metrics_interval: Option<String>,
    /// Busy-wait after each chunk: artificial client load that shows what kernel stamps buy
    #[arg(long, value_name = "TIME", help_heading = "Client")]
    pub burn: Option<String>,
}

/// Flags of `mock`.
#[derive(Debug, Args)]
pub struct MockArgs {
    /// Engine preset; an unknown name lists them all
    #[arg(long, value_name = "NAME", default_value = "llama-8b-h100")]
    pub preset: String,
    /// Parameter of the simulator, as in max-waiting=100 (repeatable; wins over file and flags)
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// TOML file of parameters, with the names of --print-config
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print every parameter with its value and meaning as such a file, and stop
    #[arg(long)]
    pub print_config: bool,

    /// Preset fixed: time to the first token
    #[arg(long, value_name = "TIME", help_heading = "Engine")]
    pub ttft: Option<infermeter_core::units::Span>,
    /// Preset fixed: time of a step
    #[arg(long, value_name = "TIME", help_heading = "Engine")]
    pub step: Option<infermeter_core::units::Span>,
    /// Most sequences running at once
    #[arg(long, value_name = "N", help_heading = "Engine")]
    pub max_num_seqs: Option<u32>,
    /// Engines behind the port, served round robin
    #[arg(long, value_name = "N", help_heading = "Engine")]
    pub replicas: Option<u32>,

    /// Name of the model served
    #[arg(long, value_name = "NAME", help_heading = "Answers")]
    pub model: Option<String>,
    /// Seed of contents, lengths, faults and jitter [default: 1]
    #[arg(long, value_name = "N", help_heading = "Answers")]
    pub seed: Option<u64>,
    /// When the role chunk leaves: with-first or arrival
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "with-first",
        help_heading = "Answers"
    )]
    pub role_chunk: String,
    /// Tokens per chunk behind the first [default: 1]
    #[arg(long, value_name = "N", help_heading = "Answers")]
    pub stream_interval: Option<u32>,
    /// Tokens of reasoning before a chat's answer [default: 0]
    #[arg(long, value_name = "N", help_heading = "Answers")]
    pub reasoning_tokens: Option<u32>,
    /// Part of a chat answer's tokens that is reasoning, 0 to 1 [default: 0]
    #[arg(long, value_name = "X", help_heading = "Answers")]
    pub reasoning_share: Option<f64>,
    /// Member that carries reasoning: reasoning_content or reasoning [default: reasoning_content]
    #[arg(long, value_name = "NAME", help_heading = "Answers")]
    pub reasoning_field: Option<String>,
    /// Part of the requests with tools that get a tool call, 0 to 1 [default: 1]
    #[arg(long, value_name = "X", help_heading = "Answers")]
    pub tool_call_share: Option<f64>,
    /// Usage of streams: on-request, always, last-chunk or never [default: on-request]
    #[arg(long, value_name = "STYLE", help_heading = "Answers")]
    pub usage: Option<String>,
    /// Name of a LoRA adapter that is served, too (repeatable)
    #[arg(long = "adapter", value_name = "NAME", help_heading = "Answers")]
    pub adapters: Vec<String>,
    /// Fault NAME, with =VALUE and @WHEN behind it where needed, as in status=503@1%,
    /// stall=3:2s@every:100 or disconnect-after=3@10s..20s (repeatable; the first that strikes
    /// wins; also by request header x-mock-fault)
    #[arg(long = "fault", value_name = "FAULT", help_heading = "Faults")]
    pub faults: Vec<String>,

    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(
        long,
        value_name = "PORT",
        default_value_t = 8000,
        help_heading = "Serving"
    )]
    pub port: u16,
    /// Serve TLS with this certificate (PEM)
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        help_heading = "Serving"
    )]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_cert",
        help_heading = "Serving"
    )]
    pub tls_key: Option<PathBuf>,
    /// Cores to run on, as in 0,2
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        help_heading = "Serving"
    )]
    pub cores: Vec<usize>,
    /// Poll the clock before the end of a step: auto (with --cores, or on four cores and more), on or off
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Serving"
    )]
    pub spin: String,

    /// Write the truth log here: JSON lines, or Parquet for a name that ends in .parquet
    #[arg(long, value_name = "FILE", help_heading = "Result")]
    pub truth: Option<PathBuf>,

    /// End when this process ends
    #[arg(long, hide = true, value_name = "PID")]
    pub exit_with_parent: Option<u32>,
}

/// What `workload` does.
#[derive(Debug, Args)]
pub struct WorkloadArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: WorkloadCommand,
}

/// The subcommands of `workload`.
#[derive(Debug, Subcommand)]
pub enum WorkloadCommand {
    /// Lengths, arrivals, prefix sharing and sessions of a file
    #[command(
        after_help = "Examples:\n  infermeter workload inspect conversation_trace.jsonl\n  \
infermeter workload inspect BurstGPT_1.csv.gz --json\n  \
infermeter workload inspect sharegpt.json --tokenizer o200k\n  \
infermeter workload inspect --clients synthetic --rate 10 --duration 1h"
    )]
    Inspect(InspectArgs),
    /// The first rows of a file in the one form that all formats are brought to, as JSON lines
    Head(HeadArgs),
    /// Write the requests of a load to a file that can be published and sent again
    #[command(
        allow_negative_numbers = true,
        after_help = "The load and the requests are given as for run; no target is needed.\n\nExamples:\n  \
infermeter workload make --workload chat --rate 10 --duration 60s --out chat.jsonl\n  \
infermeter workload make --trace conversation_trace.jsonl --out conversation.jsonl\n  \
infermeter run http://localhost:8000 --workload-file chat.jsonl"
    )]
    Make(Box<MakeArgs>),
    /// Bring a trace or a workload file to another form
    #[command(
        after_help = "Examples:\n  infermeter workload convert azure.csv --out azure.jsonl\n  \
infermeter workload convert chat.jsonl --to messages --out messages.jsonl\n  \
infermeter workload convert edited.jsonl --out new.jsonl"
    )]
    Convert(ConvertArgs),
}

/// Flags of `workload make`: those of `run`, of which `--out` is the file.
#[derive(Debug, Args)]
pub struct MakeArgs {
    /// Prompts to count again with the whole vocabulary: 1% (of each class), all or none
    #[arg(long, value_name = "SHARE", default_value = "1%")]
    pub verify: crate::make::Verify,
    /// The load and the requests.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What `workload convert` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ConvertTo {
    /// A workload file
    Workload,
    /// Chat requests, one JSON object a line: messages and max_tokens
    Messages,
    /// Plain prompts, one JSON object a line: prompt and output_tokens
    Prompts,
    /// Instants and lengths alone, one JSON object a line: timestamp (ms), input_length, output_length
    Timed,
}

/// Flags of `workload convert`.
#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// Trace or workload file
    pub file: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Its form
    #[arg(long, value_enum, value_name = "FORM", default_value = "workload")]
    pub to: ConvertTo,
    /// Use only the first N rows
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// How a trace is read, as for inspect (repeatable)
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub trace_option: Vec<String>,
    /// Tokenizer that prompts are written for: o200k, cl100k or a tokenizer.json
    #[arg(long, value_name = "NAME|FILE", default_value = "o200k")]
    pub tokenizer: String,
    /// Seed of the prompts and of the option spread
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Flags of `workload inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Trace or dataset, CSV or JSON, gzip or not
    #[arg(required_unless_present = "clients", conflicts_with = "clients")]
    pub file: Option<PathBuf>,
    /// Requests of many clients instead of a file: the profile synthetic, or a file of clients
    #[arg(long, value_name = "NAME|FILE")]
    pub clients: Option<String>,
    /// With --clients: so many requests per second, all together
    #[arg(long, value_name = "R", requires = "clients")]
    pub rate: Option<f64>,
    /// With --clients: so long
    #[arg(long, value_name = "TIME", default_value = "1h", requires = "clients")]
    pub duration: infermeter_core::units::Span,
    /// Use only the first N rows
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// How the file is read: format=NAME, block-size=N, time-unit=U, max-context=N, clip, sort, spread (repeatable)
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub trace_option: Vec<String>,
    /// Count the tokens of texts with o200k, cl100k or a tokenizer.json
    #[arg(long, value_name = "NAME|FILE")]
    pub tokenizer: Option<String>,
    /// Seed of the option spread, and of --clients
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Print JSON on standard output
    #[arg(long)]
    pub json: bool,
}

/// Flags of `workload head`.
#[derive(Debug, Args)]
pub struct HeadArgs {
    /// Trace or dataset, CSV or JSON, gzip or not
    pub file: PathBuf,
    /// Number of rows
    #[arg(short = 'n', long = "rows", value_name = "N", default_value_t = 5)]
    pub rows: u64,
    /// How the file is read, as for inspect (repeatable)
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub trace_option: Vec<String>,
    /// Seed of the option spread
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}
