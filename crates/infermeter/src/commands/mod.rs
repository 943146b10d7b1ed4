//! The subcommands, one file each, and their table.

pub(crate) mod audit;
mod bench;
pub(crate) mod bench_output;
pub(crate) mod beside;
pub(crate) mod bundle;
pub(crate) mod calibrate;
pub(crate) mod capacity;
mod coldstart;
pub(crate) mod coldstart_output;
pub(crate) mod compare;
pub(crate) mod completions;
mod doctor;
pub(crate) mod export;
pub(crate) mod gate;
pub(crate) mod history;
pub(crate) mod history_output;
pub(crate) mod import;
mod import_log;
mod launch;
pub(crate) mod list;
mod list_entry;
pub(crate) mod make;
pub(crate) mod man;
mod measuring;
pub(crate) mod merge;
mod metering;
pub(crate) mod mock;
mod monitor;
pub(crate) mod monitor_output;
mod observe;
pub(crate) mod plot;
mod ranks;
mod record;
mod repeat;
pub(crate) mod report;
pub mod run;
mod run_shown;
pub(crate) mod schema;
mod search;
mod shadow;
mod sweep;
pub(crate) mod verify;
mod workers;
pub(crate) mod workload;

use crate::cli::tables::{
    self, keys, measured, of_run_repeated, of_run_started, of_run_unmeasured, with_page, with_plan,
    with_show,
};
use crate::cli::{Given, Subcommand, Then};
use crate::page::Delivery;
use crate::show::Shown;
use anyhow::Result;
use infermeter_core::key::{Key, Place};

/// Every subcommand.
pub const COMMANDS: [Subcommand; 30] = [
    Subcommand {
        name: "run",
        about: "Measure a server (or the embedded simulator: mock:PRESET)",
        notes: "",
        examples: &[
            "infermeter run mock:llama-8b-h100 --rate 10 --duration 20s",
            "infermeter run http://localhost:8000 --rate 20 --duration 60s --slo 'ttft.p99<500ms'",
            "infermeter run http://localhost:8000 --concurrency 32 --requests 1000",
            "infermeter run http://localhost:8000 --rate-profile ramp:5..50/10m --duration 10m",
            "infermeter run http://localhost:8000 --trace azure.csv --trace-limit 500 --time-scale 0.5",
        ],
        then: Then::Flags {
            keys: || {
                let gate = [keys::<tables::FailIfArgs>(), keys::<tables::BaselineArgs>()].concat();
                [measured::<tables::RunArgs>(Place::Run), gate].concat()
            },
            run: run::run,
        },
    },
    Subcommand {
        name: "sweep",
        about: "Measure levels of load, and the highest that meets the objectives",
        notes: "Without --rates it finds the levels itself. Each is a run of --duration, 60s without it.",
        examples: &[
            "infermeter sweep http://localhost:8000 --slo 'ttft.p99<500ms' --slo 'itl.p99<50ms'",
            "infermeter sweep http://localhost:8000 --rates 2..64:x2 --duration 2m --slo 'ttft.p99<500ms'",
            "infermeter sweep --resume runs/sweep-a",
            "infermeter sweep http://localhost:8000 --concurrencies 1,4,16,64 --requests 500",
        ],
        then: Then::Flags {
            keys: || {
                let own = keys::<infermeter_protocol::SweepSpec>();
                let gate = [keys::<tables::FailIfArgs>(), keys::<tables::BaselineArgs>()].concat();
                [measured::<tables::SweepArgs>(Place::Several), own, gate].concat()
            },
            run: sweep::sweep,
        },
    },
    Subcommand {
        name: "search",
        about: "Find the highest rate that meets the objectives, with few requests",
        notes: "Short runs at rates that double, then longer ones around the answer. It sets rate, duration and \
                warm-up of each run itself.",
        examples: &[
            "infermeter search http://localhost:8000 --slo 'ttft.p99<500ms' --slo 'tpot.p99<50ms'",
            "infermeter search http://localhost:8000 --from 8 --to 100 --slo 'ttft.p99<500ms'",
            "infermeter search --resume runs/search-a",
        ],
        then: Then::Flags {
            keys: || {
                let own = keys::<infermeter_protocol::SearchSpec>();
                [measured::<tables::SearchArgs>(Place::Several), own].concat()
            },
            run: search::search,
        },
    },
    Subcommand {
        name: "compare",
        about: "Say whether one server is faster than another, by a paired test over rounds",
        notes: "What contains :// or begins with mock: or unix: is a target; all else is the directory of a \
                saved run. In each round every side gets the same requests at the same instants, in turn.",
        examples: &[
            "infermeter compare http://a:8000 http://b:8000 --rate 10",
            "infermeter compare http://localhost:8000 --aa --rate 10 --rounds 10",
            "infermeter compare http://a:8000 http://b:8000 --rates 2,8 --side B.model=llama-fp8",
            "infermeter compare --config sides.toml --treatment prefix_cache_hit_rate>0.3",
            "infermeter compare runs/before runs/after",
            "infermeter compare http://old:8000 http://new:8000 --rate 10 --fail-if 'ttft.p99>+5%'",
            "infermeter compare --resume runs/compare-a",
        ],
        then: Then::Flags {
            keys: || {
                let own = keys::<infermeter_protocol::CompareFlags>();
                let gate = keys::<tables::FailIfArgs>();
                [measured::<tables::CompareArgs>(Place::Several), own, gate].concat()
            },
            run: compare::compare,
        },
    },
    Subcommand {
        name: "mock",
        about: "Serve the engine simulator on its own",
        notes: "",
        examples: &[
            "infermeter mock --preset llama-8b-h100 --truth truth.jsonl",
            "infermeter mock --set kv-blocks=9000 --set max-waiting=200 --set link-delay=5ms",
            "curl -X PATCH localhost:8000/admin/config -H 'content-type: application/json' \
             -d '{\"max-num-seqs\": 64}'",
        ],
        then: Then::Flags {
            keys: keys::<tables::MockArgs>,
            run: |given| mock::mock(&given.read()?),
        },
    },
    Subcommand {
        name: "report",
        about: "Recompute and print everything from a run's record",
        notes: "",
        examples: &[],
        then: Then::Flags {
            keys: with_page::<tables::ReportArgs>,
            run: |given| report::report(&given.read()?, &delivery(given)?),
        },
    },
    Subcommand {
        name: "plot",
        about: "Draw one chart of a result, as SVG or PNG",
        notes: "Without --chart it lists the charts that the result has.",
        examples: &[
            "infermeter plot runs/sweep-a",
            "infermeter plot runs/sweep-a --chart curve --out curve.svg",
        ],
        then: Then::Flags {
            keys: keys::<tables::PlotArgs>,
            run: |given| plot::plot(&given.read()?),
        },
    },
    Subcommand {
        name: "list",
        about: "The runs and experiments of a folder, newest first, with verdict and figures",
        notes: "Says what each run says of itself; `infermeter report` computes it again.",
        examples: &["infermeter list", "infermeter list runs/sweep --json"],
        then: Then::Flags {
            keys: with_show::<tables::ListArgs>,
            run: |given| list::list(&given.read()?, shown(given)?),
        },
    },
    Subcommand {
        name: "gate",
        about: "Hold runs against a baseline: pass, fail or inconclusive",
        notes: "Exit code 0 for pass, 1 for fail, 5 for inconclusive. Of a comparison the first side is the \
                baseline; a sweep is held against another one, level by level.",
        examples: &[
            "infermeter gate runs/new --baseline runs/old --fail-if 'ttft.p99>+5%' --fail-if \
             'error_rate>1%'",
            "infermeter gate runs/new --baseline baseline.txt --fail-if 'output_throughput<-3%' --json",
            "infermeter gate runs/compare-a --fail-if 'e2e.mean>+2%'",
        ],
        then: Then::Flags {
            keys: || {
                let gate = [keys::<tables::FailIfArgs>(), keys::<tables::BaselineArgs>()].concat();
                [with_page::<tables::GateArgs>(), gate].concat()
            },
            run: |given| gate::gate(given, &delivery(given)?),
        },
    },
    Subcommand {
        name: "audit",
        about: "Run the anti-pattern checklist on results, ours or another tool's",
        notes: "Read by content: run directories; vllm bench serve, SGLang bench_serving, AIPerf, \
                GenAI-Perf, GuideLLM, inference-perf, llmperf, genai-bench, llm-d reports, MLPerf \
                LoadGen and Endpoints; CSV and JSON of other tools through --map.",
        examples: &[
            "infermeter audit result.json",
            "infermeter audit results/ --strict",
            "infermeter audit baseline.json candidate.json --markdown",
            "infermeter audit result.json --state gpu-model=H100 --state gpu-count=8",
        ],
        then: Then::Flags {
            keys: with_page::<tables::AuditArgs>,
            run: |given| audit::audit(&given.read()?, &delivery(given)?),
        },
    },
    Subcommand {
        name: "metering",
        about: "Compare what a gateway metered with what the simulator behind it served",
        notes: "TRUTH is what `infermeter mock --truth` wrote. Rows are joined by request id (an answer's id holds it), \
                else by totals. Exit code 1 where anything differs.",
        examples: &[
            "infermeter metering truth.jsonl spend.csv",
            "infermeter metering truth.jsonl usage.jsonl --without-cut --json",
            "infermeter metering truth.jsonl billing.csv --map map.toml",
        ],
        then: Then::Flags {
            keys: with_show::<tables::MeteringArgs>,
            run: |given| metering::metering(&given.read()?, shown(given)?),
        },
    },
    Subcommand {
        name: "export",
        about: "Write a result as another tool's files: vllm, aiperf, llm-d, csv, junit and others",
        notes: "Names are translated by definition. What a format cannot carry is left out and named on standard \
                error. --list shows the formats.",
        examples: &[
            "infermeter export runs/a --format vllm --out vllm.json",
            "infermeter export runs/sweep-a --format vllm-sweep --out sweep",
            "infermeter export runs/a --format csv --out tables",
            "infermeter export runs/a --format junit --slo 'ttft.p99<500ms' --out junit.xml",
        ],
        then: Then::Flags {
            keys: keys::<tables::ExportArgs>,
            run: export::export,
        },
    },
    Subcommand {
        name: "import",
        about: "Make a run of another tool's detailed result: report, compare and plot then work on it",
        notes: "The formats are those of audit that list single requests: vllm bench serve --save-detailed, \
                SGLang --output-details, AIPerf profile_export.jsonl, GuideLLM, inference-perf per request, \
                llmperf individual responses, genai-bench, LLMeter, MLPerf; CSV and JSON through --map.",
        examples: &[
            "infermeter import result.json --out runs/theirs",
            "infermeter import profile_export.jsonl",
            "infermeter import requests.csv --map map.toml --out runs/theirs",
        ],
        then: Then::Flags {
            keys: with_show::<tables::ImportArgs>,
            run: |given| import::import(&given.read()?, shown(given)?),
        },
    },
    Subcommand {
        name: "merge",
        about: "Make one run of what the ranks of a run left: exact, as if one process had measured it",
        notes: "Rows are merged in id order, and every figure is computed from them. A rank that was killed is completed \
                from its journal; one that is missing is named. For separate runs there are compare and history.",
        examples: &[
            "infermeter merge ranks/0 ranks/1 ranks/2 --out runs/whole",
            "infermeter merge runs/of-workers",
            "infermeter merge /shared/rendezvous --out runs/whole --json",
        ],
        then: Then::Flags {
            keys: with_page::<tables::MergeArgs>,
            run: |given| merge::merge(&given.read()?, &delivery(given)?),
        },
    },
    Subcommand {
        name: "bundle",
        about: "Write the record of a run or an experiment into one archive that can be published",
        notes: "Secrets are not in it, nor texts without --texts; bundle.json says what was left out.",
        examples: &[
            "infermeter bundle runs/one",
            "infermeter bundle runs/sweep-a --out sweep-a.tar.gz",
        ],
        then: Then::Flags {
            keys: keys::<tables::BundleArgs>,
            run: |given| bundle::bundle(&given.read()?),
        },
    },
    Subcommand {
        name: "verify",
        about: "Compute every figure of a record or a bundle again, and compare it with what is stated",
        notes: "Exit code 0 where all that is stated is so, 1 where a figure or a file is not.",
        examples: &[
            "infermeter verify one.tar.gz",
            "infermeter verify runs/sweep-a --json",
        ],
        then: Then::Flags {
            keys: with_show::<tables::VerifyArgs>,
            run: |given| verify::verify(&given.read()?, shown(given)?),
        },
    },
    Subcommand {
        name: "history",
        about: "Runs of the same plans over time: their figures, kept, and where they changed",
        notes: "",
        examples: &[],
        then: Then::Subcommands(&HISTORY),
    },
    Subcommand {
        name: "monitor",
        about: "Measure a server again and again at fixed instants, and say when it changed",
        notes: "Takes the flags of run. Figures go into a history in --out, where `infermeter history trend` reads \
                them; the next monitor of the folder goes on there. A server that is down is a line like any other. \
                Exit code 130 after Ctrl-C, 4 where the target never answered.",
        examples: &[
            "infermeter monitor http://localhost:8000 --every 10m --rate 2 --duration 60s",
            "infermeter monitor http://localhost:8000 --rate 2 --duration 60s --runs 20 --exit-on-regression",
            "infermeter monitor https://llm.example.com --rate 1 --duration 60s --webhook https://hooks.example.com/x",
        ],
        then: Then::Flags {
            keys: of_run_repeated::<tables::MonitorArgs>,
            run: monitor::monitor,
        },
    },
    Subcommand {
        name: "shadow",
        about: "Serve users from one server, send a share of their requests to another, and compare both",
        notes: "Users are answered by --primary, byte for byte; what --shadow does or fails to do never reaches them. \
                Exit code 5 where --until decided ended without an answer, 130 where Ctrl-C came before its end.",
        examples: &[
            "infermeter shadow --listen :8080 --primary http://a:8000 --shadow http://b:8000 --share 5% --out runs/shadow",
            "infermeter shadow --listen :8080 --primary http://a:8000 --shadow http://b:8000 --share 20% --max-rate 5 \
             --until decided --out runs/shadow",
            "infermeter shadow --listen :8080 --primary http://a:8000 --shadow http://b:8000 --shadow-model llama-fp8 \
             --duration 1h --expose=:9599 --out runs/shadow",
        ],
        then: Then::Flags {
            keys: || [with_page::<tables::ShadowArgs>(), observed_keys()].concat(),
            run: |given| shadow::shadow(given, &delivery(given)?),
        },
    },
    Subcommand {
        name: "record",
        about: "Keep what users ask of a server as a trace that can be replayed, without a word of it",
        notes: "Arrivals, lengths, sessions, which prompts begin alike, waits, outcomes. `infermeter run --trace DIR` \
                replays it, `infermeter workload inspect DIR` looks into it.",
        examples: &[
            "infermeter record --listen :8080 --target http://localhost:8000 --out capture",
            "infermeter record --listen :8080 --target http://localhost:8000 --texts none --duration 1h --out capture",
            "infermeter run http://localhost:8000 --trace capture --time-scale 0.5",
        ],
        then: Then::Flags {
            keys: || [with_show::<tables::RecordArgs>(), observed_keys()].concat(),
            run: |given| record::record(given, shown(given)?),
        },
    },
    Subcommand {
        name: "bench",
        about: "Start a server in several configurations, measure each in the same way, and compare them",
        notes: "What measures stands behind --: run, sweep or search with its flags, without a target, seed or place. \
                Exit code 4 where no configuration could be measured, 130 after Ctrl-C.",
        examples: &[
            "infermeter bench --url http://localhost:8000 --serve './serve.sh {flags}' --vary max-num-seqs=64,128 -- \
             run --rate 10 --duration 60s",
            "infermeter bench --url http://localhost:8000 --serve ./serve.sh --rounds 6 --list configurations.txt -- sweep \
             --slo 'ttft.p99<500ms'",
        ],
        then: Then::Flags {
            keys: || {
                [
                    with_page::<tables::BenchArgs>(),
                    keys::<tables::ServedArgs>(),
                ]
                .concat()
            },
            run: bench::bench,
        },
    },
    Subcommand {
        name: "coldstart",
        about: "How long a server takes from its command to its first answer, and to steady speed",
        notes: "Takes the flags of run that say what is asked, and of whom. Starts and stops the server itself, as often \
                as --repeat says. Exit code 4 where no start answered, 130 after Ctrl-C.",
        examples: &[
            "infermeter coldstart http://localhost:8000 --serve ./serve.sh --repeat 5",
            "infermeter coldstart http://localhost:8000 --serve ./serve.sh --stop ./stop.sh --cache page-cache-dropped",
            "infermeter coldstart http://localhost:8000 --serve ./serve.sh --idle 10m",
            "infermeter coldstart https://llm.example.com --idle-until-cold --repeat 3",
        ],
        then: Then::Flags {
            keys: || {
                [
                    of_run_started::<tables::ColdstartArgs>(),
                    keys::<tables::ServedArgs>(),
                ]
                .concat()
            },
            run: coldstart::coldstart,
        },
    },
    Subcommand {
        name: "launch",
        about: "Print what Slurm or Kubernetes needs to start the ranks of a run, or hand it over",
        notes: "",
        examples: &[],
        then: Then::Subcommands(&LAUNCH),
    },
    Subcommand {
        name: "doctor",
        about: "Say whether this machine and a server are fit for a measurement, and what to do where not",
        notes: "Takes the flags of run: write doctor in place of run, and nothing is sent but what run sends before \
                its load. Exit code 0 where nothing spoils a measurement, 3 where this machine does, 4 where the \
                target cannot be measured; --strict counts warnings.",
        examples: &[
            "infermeter doctor",
            "infermeter doctor http://localhost:8000",
            "infermeter doctor https://llm.example.com --model llama --concurrency 5000",
            "infermeter doctor mock:llama-8b-h100 --json",
        ],
        then: Then::Flags {
            keys: of_run_unmeasured::<tables::DoctorArgs>,
            run: doctor::doctor,
        },
    },
    Subcommand {
        name: "calibrate",
        about: "Measure this machine's own measurement error, against the simulator's truth",
        notes: "Rungs: streams:NxR (N streams of R tokens/s), requests:R or requests:RxT (R requests/s \
                of T tokens), bytes:B (events of B bytes), chunks:T (events of T tokens), null:N and \
                flood:N (ceilings with N slots); /tls after one puts it over TLS.",
        examples: &[
            "infermeter calibrate --quick",
            "infermeter calibrate --rung streams:100x50 --burn 100us",
            "infermeter calibrate --null",
        ],
        then: Then::Flags {
            keys: with_show::<tables::CalibrateArgs>,
            run: |given| calibrate::calibrate(&given.read()?, shown(given)?),
        },
    },
    Subcommand {
        name: "capacity",
        about: "How many instances and accelerators a load needs, from runs at several rates",
        notes: "instances = ceil(rate x growth x (1 + headroom) / highest rate of one instance under the \
                objectives). Beside that, a fleet of the engine that the runs show is simulated behind a \
                balancer, if its model predicts a level that it has not seen.",
        examples: &[
            "infermeter capacity runs/sweep --target-rate 100 --slo 'ttft.p99<500ms' --headroom 20%",
            "infermeter capacity runs/at-5 runs/at-10 runs/at-20 --target-rate 50,100,200 --gpu-hour 2.50",
            "infermeter capacity runs/sweep --target-profile diurnal:10..100/24h --gpus-per-instance 8",
        ],
        then: Then::Flags {
            keys: with_page::<tables::CapacityArgs>,
            run: |given| capacity::capacity(&given.read()?, &delivery(given)?),
        },
    },
    Subcommand {
        name: "workload",
        about: "Look into a trace or a dataset before it is sent",
        notes: "",
        examples: &[],
        then: Then::Subcommands(&WORKLOAD),
    },
    Subcommand {
        name: "schema",
        about: "Print the JSON Schema of what infermeter prints for programs, leaves on disk, and reads",
        notes: "",
        examples: &[
            "infermeter schema",
            "infermeter schema run > run.schema.json",
            "infermeter schema plan > plan.schema.json",
        ],
        then: Then::Flags {
            keys: with_show::<tables::SchemaArgs>,
            run: schema::schema,
        },
    },
    Subcommand {
        name: "completions",
        about: "Print the script with which a shell completes commands, flags, presets, values and files",
        notes: "Where it goes: for bash ~/.local/share/bash-completion/completions/infermeter, for zsh a file _infermeter in a \
                folder of $fpath, for fish ~/.config/fish/completions/infermeter.fish. PowerShell and elvish read it from \
                their profile.",
        examples: &[
            "infermeter completions bash > infermeter.bash",
            "infermeter completions zsh > _infermeter",
            "infermeter completions fish > infermeter.fish",
        ],
        then: Then::Flags {
            keys: keys::<tables::CompletionsArgs>,
            run: |given| completions::completions(&given.read()?),
        },
    },
    Subcommand {
        name: "man",
        about: "Print the man page of infermeter or of a command, or write all of them",
        notes: "",
        examples: &[
            "infermeter man run > infermeter-run.1",
            "infermeter man history add > infermeter-history-add.1",
            "infermeter man --dir man1",
        ],
        then: Then::Flags {
            keys: keys::<tables::ManArgs>,
            run: |given| man::man(&given.read()?),
        },
    },
];

/// The subcommands of `history`.
const HISTORY: [Subcommand; 4] = [
    Subcommand {
        name: "add",
        about: "Keep the figures of runs: directories of runs and experiments, or bundles",
        notes: "The runs themselves may be removed afterwards. A run that is there already is not added again.",
        examples: &[
            "infermeter history add nightly runs/today",
            "infermeter history add nightly runs/today --figure 'ttft.p99{class=chat}'",
            "infermeter history add nightly one.tar.gz --server prod",
        ],
        then: Then::Flags {
            keys: with_show::<tables::HistoryAddArgs>,
            run: |given| history::add(&given.read()?, shown(given)?),
        },
    },
    Subcommand {
        name: "list",
        about: "The runs of a history, by plan, newest first",
        notes: "",
        examples: &["infermeter history list nightly"],
        then: Then::Flags {
            keys: with_show::<tables::HistoryListArgs>,
            run: |given| history::list(&given.read()?, shown(given)?),
        },
    },
    Subcommand {
        name: "show",
        about: "What a history keeps of one run",
        notes: "",
        examples: &["infermeter history show nightly 1a2b3c4d"],
        then: Then::Flags {
            keys: with_show::<tables::HistoryShowArgs>,
            run: |given| history::show(&given.read()?, shown(given)?),
        },
    },
    Subcommand {
        name: "trend",
        about: "Each figure over time, and where it changed",
        notes: "A change is found by ranks, allowing for runs that resemble those before them. All figures of a \
                plan together raise a false alarm in 5 % of histories in which nothing changed.",
        examples: &[
            "infermeter history trend nightly",
            "infermeter history trend nightly --figure ttft.p50 --figure output_throughput --html=trend.html",
        ],
        then: Then::Flags {
            keys: with_page::<tables::HistoryTrendArgs>,
            run: |given| history::trend(&given.read()?, &delivery(given)?),
        },
    },
];

/// The subcommands of `launch`.
const LAUNCH: [Subcommand; 2] = [
    Subcommand {
        name: "slurm",
        about: "A batch script: one job, a task for each rank, the merged record at its end",
        notes: "What the ranks run stands behind --: run with its target and flags, read here as it is there.",
        examples: &[
            "infermeter launch slurm --ranks 8 --ranks-per-node 2 --rendezvous /shared/runs -- run http://host:8000 \
             --rate 400 --duration 60s",
            "infermeter launch slurm --ranks 8 --partition cpu --time 30m --submit --rendezvous /shared/runs/{launch} -- \
             run http://host:8000 --concurrency 512 --duration 10m",
        ],
        then: Then::Flags {
            keys: || [keys::<tables::LaunchArgs>(), keys::<tables::SlurmArgs>()].concat(),
            run: launch::slurm,
        },
    },
    Subcommand {
        name: "k8s",
        about: "Manifests of an Indexed Job: a pod for each rank, the plan as a config map",
        notes: "What the ranks run stands behind --: run with its target and flags, read here as it is there. Needs \
                Kubernetes 1.29 or later.",
        examples: &[
            "infermeter launch k8s --ranks 8 --image registry.example/infermeter:0.1.0 --storage-claim shared-runs -- run \
             http://vllm.serving:8000 --rate 400 --duration 60s",
            "infermeter launch k8s --ranks 8 --image registry.example/infermeter:0.1.0 --secret llm-key --rendezvous \
             s3://bucket/runs -- run http://vllm.serving:8000 --rate 400 --duration 60s",
        ],
        then: Then::Flags {
            keys: || {
                [
                    keys::<tables::LaunchArgs>(),
                    keys::<tables::KubernetesArgs>(),
                ]
                .concat()
            },
            run: launch::kubernetes,
        },
    },
];

/// The subcommands of `workload`.
const WORKLOAD: [Subcommand; 5] = [
    Subcommand {
        name: "inspect",
        about: "Lengths, arrivals, prefix sharing and sessions of a file",
        notes: "",
        examples: &[
            "infermeter workload inspect conversation_trace.jsonl",
            "infermeter workload inspect BurstGPT_1.csv.gz --json",
            "infermeter workload inspect sharegpt.json --tokenizer o200k",
            "infermeter workload inspect --clients synthetic --rate 10 --duration 1h",
        ],
        then: Then::Flags {
            keys: with_show::<tables::InspectArgs>,
            run: |given| workload::inspect(&given.read()?, shown(given)?),
        },
    },
    Subcommand {
        name: "head",
        about: "The first rows of a file in the one form that all formats are brought to, as JSON lines",
        notes: "",
        examples: &[],
        then: Then::Flags {
            keys: keys::<tables::HeadArgs>,
            run: |given| workload::head(&given.read()?),
        },
    },
    Subcommand {
        name: "import",
        about: "Make a trace of production logs: instants, lengths, sessions, shared blocks, and no word of them",
        notes: "Read by content: OpenTelemetry GenAI spans, LiteLLM, Langfuse (Parquet, too), Dynamo, GoReplay, \
                batches, access logs of Envoy and nginx, sessions of coding agents, and the traces of run; \
                everything else through --map.",
        examples: &[
            "infermeter workload import spans.jsonl --out rows.jsonl.gz",
            "infermeter workload import logs/ --out rows.jsonl.gz --texts none",
            "infermeter run http://localhost:8000 --trace rows.jsonl.gz --trace-option pacing=idle-gaps",
        ],
        then: Then::Flags {
            keys: keys::<tables::ImportLogArgs>,
            run: |given| import_log::import(&given.read()?),
        },
    },
    Subcommand {
        name: "make",
        about: "Write the requests of a load to a file that can be published and sent again",
        notes: "The load and the requests are given as for run; no target is needed.",
        examples: &[
            "infermeter workload make --workload chat --rate 10 --duration 60s --out chat.jsonl",
            "infermeter workload make --trace conversation_trace.jsonl --out conversation.jsonl",
            "infermeter run http://localhost:8000 --workload-file chat.jsonl",
        ],
        then: Then::Flags {
            keys: || with_plan::<tables::MakeArgs>(Place::Make),
            run: make::make,
        },
    },
    Subcommand {
        name: "convert",
        about: "Bring a trace or a workload file to another form",
        notes: "",
        examples: &[
            "infermeter workload convert azure.csv --out azure.jsonl",
            "infermeter workload convert chat.jsonl --to messages --out messages.jsonl",
            "infermeter workload convert edited.jsonl --out new.jsonl",
        ],
        then: Then::Flags {
            keys: keys::<tables::ConvertArgs>,
            run: |given| make::convert(&given.read()?),
        },
    },
];

/// The flags of a command that observes what goes through a proxy.
fn observed_keys() -> Vec<&'static Key> {
    [keys::<tables::ProxyArgs>(), keys::<tables::ObserveArgs>()].concat()
}

/// How a result is shown.
fn shown(given: &Given) -> Result<Shown> {
    let args: tables::ShowArgs = given.read()?;
    Ok(args.shown())
}

/// How a result that is on disk is shown, and where it goes.
fn delivery(given: &Given) -> Result<Delivery<'static>> {
    Ok(Delivery::printed(shown(given)?, given))
}
