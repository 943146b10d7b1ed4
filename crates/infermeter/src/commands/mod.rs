//! The subcommands, one file each, and their table.

pub(crate) mod audit;
mod beside;
pub(crate) mod calibrate;
pub(crate) mod capacity;
pub(crate) mod compare;
pub(crate) mod gate;
pub(crate) mod list;
mod list_entry;
pub(crate) mod make;
pub(crate) mod mock;
pub(crate) mod plot;
mod repeat;
pub(crate) mod report;
pub mod run;
pub(crate) mod schema;
mod search;
mod sweep;
pub(crate) mod workload;

use crate::cli::tables::{self, keys, measured, with_page, with_plan, with_show};
use crate::cli::{Given, Subcommand, Then};
use crate::page::Delivery;
use crate::show::Shown;
use anyhow::Result;
use infermeter_core::key::Place;

/// Every subcommand.
pub const COMMANDS: [Subcommand; 14] = [
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
        about: "Print the JSON Schema of a file that infermeter reads, for editors and checks",
        notes: "",
        examples: &["infermeter schema plan > plan.schema.json"],
        then: Then::Flags {
            keys: keys::<tables::SchemaArgs>,
            run: |given| schema::schema(&given.read()?),
        },
    },
];

/// The subcommands of `workload`.
const WORKLOAD: [Subcommand; 4] = [
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

/// How a result is shown.
fn shown(given: &Given) -> Result<Shown> {
    let args: tables::ShowArgs = given.read()?;
    Ok(args.shown())
}

/// How a result that is on disk is shown, and where it goes.
fn delivery(given: &Given) -> Result<Delivery<'static>> {
    Ok(Delivery::printed(shown(given)?, given))
}
