//! The server: reached, answering, and what it tells of itself.

use super::{Answered, Check, Gpu, Judge, Judged, Reached, Subject, TargetSeen};
use crate::raised;
use infermeter_core::environment::{MetricsPlace, ModelFacts, RequestFields};
use infermeter_core::finding::{Finding, Severity};
use infermeter_core::number::{count, counted};
use infermeter_core::text::listed;

/// How to find out why a server does not answer as it should.
const LOOK_AT_BOTH: &str =
    "infermeter run TARGET --dry-run shows what is sent; curl URL/v1/models shows who answers";

pub(super) const CHECKS: [Check; 10] = [
    Check {
        name: "address",
        subject: Subject::Target,
        matters: "Nothing can be measured that accepts no connection.",
        fix: "curl -v URL/v1/models, and start the server or correct the URL",
        judge: Judge::Target(address),
    },
    Check {
        name: "tls",
        subject: Subject::Target,
        matters: "A certificate that is not believed ends every connection.",
        fix: "--tls-ca FILE for an authority of your own",
        judge: Judge::Target(tls),
    },
    Check {
        name: "answer",
        subject: Subject::Target,
        matters: "The run's own form of request is tried before the load: a load of refusals measures nothing.",
        fix: LOOK_AT_BOTH,
        judge: Judge::Target(answer),
    },
    Check {
        name: "model",
        subject: Subject::Target,
        matters: "Figures are those of a model; a router may answer with another one than you think.",
        fix: "--model NAME, one of those that curl URL/v1/models lists",
        judge: Judge::Target(model),
    },
    Check {
        name: "fields",
        subject: Subject::Target,
        matters: "Only a server that takes ignore_eos answers at the lengths asked for, and only usage counts its \
                  tokens.",
        fix: "leave --no-probe out; a gateway in front of the engine may take the fields away: ask the engine itself",
        judge: Judge::Target(fields),
    },
    Check {
        name: "engine",
        subject: Subject::Target,
        matters: "A result that does not name engine and version cannot be compared with another.",
        fix: "--engine-info engine=vllm,version=0.11.0 states it",
        judge: Judge::Target(engine),
    },
    Check {
        name: "server-metrics",
        subject: Subject::Target,
        matters: "Queue, batch and cache of the engine say why a latency is what it is.",
        fix: "--server-metrics URL of the engine's page",
        judge: Judge::Target(server_metrics),
    },
    Check {
        name: "placement",
        subject: Subject::Target,
        matters: "A client beside its server takes CPU time from it, and measures no network.",
        fix: "run on another host, or keep them apart: taskset -c CORES infermeter run ...",
        judge: Judge::Target(placement),
    },
    Check {
        name: "tracing",
        subject: Subject::Target,
        matters: "Spans of the server divide a request's TTFT into queue, prefill and the rest.",
        fix: "vLLM: --otlp-traces-endpoint URL; SGLang: --enable-trace --otlp-traces-endpoint HOST:PORT",
        judge: Judge::Target(tracing),
    },
    Check {
        name: "gpu",
        subject: Subject::Target,
        matters: "Power, clocks and throttling of the GPU belong beside the latency.",
        fix: "docker run --gpus all; on the server's host: dcgm-exporter",
        judge: Judge::Target(gpu),
    },
];

/// Judges what only a target that answered can show.
fn of_answer(target: &TargetSeen, judge: impl FnOnce(&Answered) -> Judged) -> Judged {
    match (&target.reached, &target.answered) {
        (_, Ok(answered)) => judge(answered),
        (Err(_), _) => unreached(target),
        (Ok(_), Err(why)) => Judged::unknown("it cannot be asked: see answer")
            .fixed_by(advice(why).unwrap_or_else(|| LOOK_AT_BOTH.to_owned())),
    }
}

/// Doubts that a run would have of what a check of its own is about.
const OF_ONE_CHECK: [&str; 4] = [
    raised::ADDRESS_LEFT_OUT.code,
    raised::TLS_UNVERIFIED.code,
    raised::MODEL_NOT_LISTED.code,
    raised::ENGINE_DISAGREES.code,
];

/// The doubt that a run would have, too.
fn doubted(target: &TargetSeen, is_meant: impl Fn(&Finding) -> bool) -> Option<Judged> {
    let answered = target.answered.as_ref().ok()?;
    let doubt = answered.doubts.iter().find(|doubt| is_meant(doubt))?;
    let seen = format!("{} {}", doubt.message, doubt.evidence);
    Some(Judged::warning(seen.trim_end()).fixed_by(&doubt.advice))
}

/// What a check says of a target that nobody reaches.
fn unreached(target: &TargetSeen) -> Judged {
    Judged::unknown("it was not reached: see address").fixed_by(reach(target))
}

/// How to find out why.
fn reach(target: &TargetSeen) -> String {
    let first = target.name.split(' ').next().unwrap_or_default();
    format!("curl -v {first}/v1/models, and start the server or correct the URL")
}

/// The first line of an error.
fn told(error: &str) -> &str {
    error.lines().next().unwrap_or_default()
}

/// The advice that stands below it.
fn advice(error: &str) -> Option<String> {
    let lines = error.lines().skip(1).map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

fn problem(error: &str) -> Judged {
    Judged {
        fix: advice(error),
        ..Judged::problem(told(error))
    }
}

fn address(target: &TargetSeen) -> Judged {
    let reached = match &target.reached {
        Ok(reached) => reached,
        Err(why) => return Judged::problem(told(why)).fixed_by(reach(target)),
    };
    let each = |way: &Reached| format!("{} in {:.2} ms", way.name, way.connect_ms);
    let mut seen: Vec<String> = reached.iter().map(each).collect();
    if let Some(ms) = target.resolved_ms {
        seen.push(format!("its name resolved in {ms:.1} ms"));
    }
    let left_out = doubted(target, |doubt| doubt.code == raised::ADDRESS_LEFT_OUT.code);
    left_out.unwrap_or_else(|| Judged::ok(seen.join("; ")))
}

fn tls(target: &TargetSeen) -> Judged {
    if !target.tls {
        return Judged::not_applicable("requests go in clear");
    }
    let Ok(reached) = &target.reached else {
        return unreached(target);
    };
    let mut slowest: f64 = 0.0;
    for way in reached {
        match &way.raised {
            Ok(ms) => slowest = slowest.max(*ms),
            Err(why) => return problem(&format!("{}: {why}", way.name)),
        }
    }
    let unverified = doubted(target, |doubt| doubt.code == raised::TLS_UNVERIFIED.code);
    unverified.unwrap_or_else(|| Judged::ok(format!("the handshake took {slowest:.1} ms")))
}

fn answer(target: &TargetSeen) -> Judged {
    let answered = match (&target.reached, &target.answered) {
        (Err(_), _) => return unreached(target),
        (Ok(_), Err(why)) => return problem(why),
        (Ok(_), Ok(answered)) => answered,
    };
    let weighs = |doubt: &Finding| doubt.severity > Severity::Note;
    let is_left = |doubt: &Finding| !OF_ONE_CHECK.contains(&doubt.code.as_str());
    if let Some(doubt) = doubted(target, |doubt| weighs(doubt) && is_left(doubt)) {
        return doubt;
    }
    match was_tried(answered) {
        true => Judged::ok(format!(
            "{} answered, among them the run's own",
            counted(answered.answers as u64, "request")
        )),
        false => Judged::unknown("--no-probe: no request was tried"),
    }
}

fn was_tried(answered: &Answered) -> bool {
    let fields = answered.facts.fields.as_ref();
    fields.and_then(|fields| fields.probed) == Some(true)
}

fn model(target: &TargetSeen) -> Judged {
    of_answer(target, |answered| {
        let Answered { facts, model, .. } = answered;
        if let Some(doubt) = doubted(target, |doubt| doubt.code == raised::MODEL_NOT_LISTED.code) {
            return doubt;
        }
        let Some(found) = facts.models.iter().find(|known| known.id == *model) else {
            return match (&facts.models[..], &facts.models_problem) {
                ([], Some(why)) => Judged::unknown(format!("{model}; no list of models: {why}")),
                ([], None) => Judged::unknown(format!("{model}; no list of models was asked for")),
                (_, _) => Judged::warning(format!("{model} is not among those listed")),
            };
        };
        let ModelFacts { max_model_len, .. } = found;
        let longest = max_model_len.map_or_else(String::new, |most| {
            format!(", up to {} tokens", count(most))
        });
        let listed = facts.models.len();
        Judged::ok(format!("{model}{longest} ({listed} listed)"))
    })
}

fn fields(target: &TargetSeen) -> Judged {
    of_answer(target, |answered| match &answered.facts.fields {
        _ if !answered.generates => Judged::not_applicable("this API generates no text"),
        Some(fields) if fields.probed == Some(true) => of_fields(fields),
        _ => Judged::unknown("--no-probe: no field was tried"),
    })
}

fn of_fields(fields: &RequestFields) -> Judged {
    let all = [
        ("ignore_eos", fields.ignore_eos),
        ("include_usage", fields.include_usage),
        ("continuous_usage_stats", fields.continuous_usage),
        ("max_completion_tokens", fields.max_completion_tokens),
    ];
    let having = |wanted: bool| -> Vec<String> {
        let of_it = all.iter().filter(|(_, has)| *has == Some(wanted));
        of_it.map(|(name, _)| (*name).to_owned()).collect()
    };
    let taken = having(true);
    let refused: Vec<String> = having(false)
        .into_iter()
        .filter(|name| ["ignore_eos", "include_usage"].contains(&name.as_str()))
        .collect();
    match (taken.is_empty(), refused.is_empty()) {
        (_, true) => Judged::ok(format!("takes {}", listed(&taken))),
        (true, false) => Judged::warning(format!("does not take {}", listed(&refused))),
        (false, false) => Judged::warning(format!(
            "takes {}, but not {}",
            listed(&taken),
            listed(&refused)
        )),
    }
}

fn engine(target: &TargetSeen) -> Judged {
    if target.simulated {
        return Judged::not_applicable("the simulator");
    }
    of_answer(target, |answered| {
        let Some(engine) = &answered.facts.engine else {
            return Judged::unknown("nobody was asked");
        };
        if let Some(doubt) = doubted(target, |doubt| doubt.code == raised::ENGINE_DISAGREES.code) {
            return doubt;
        }
        let version = engine.version.as_deref().unwrap_or("of an unknown version");
        match &engine.names[..] {
            [] => Judged::unknown("nothing that it says names an engine"),
            [one] => Judged::ok(format!("{one} {version}")),
            _ => Judged::warning(format!("several are named: {}", engine.sources())),
        }
    })
}

/// How an engine is told to have a metrics page.
fn page_of(answered: &Answered) -> Option<&'static str> {
    let engine = answered.facts.engine.as_ref()?;
    match engine.names.first()?.as_str() {
        "SGLang" => Some("start SGLang with --enable-metrics, or give --server-metrics URL"),
        "llama.cpp" => Some("start llama-server with --metrics, or give --server-metrics URL"),
        _ => None,
    }
}

fn server_metrics(target: &TargetSeen) -> Judged {
    of_answer(target, |answered| match &answered.facts.server_metrics {
        Some(MetricsPlace::Known {
            engine,
            url,
            more,
            unread,
        }) => {
            let n = counted(answered.figures.len() as u64, "known figure");
            let further = more.iter().map(|page| format!("; {}", page.url));
            let read = format!(
                "{}, {n} at {url}{}",
                engine.name(),
                further.collect::<String>()
            );
            match (answered.figures.is_empty(), unread.first()) {
                (true, _) => Judged::warning(format!(
                    "{}'s page at {url} has none that is known",
                    engine.name()
                )),
                (false, Some(page)) => {
                    Judged::warning(format!("{read}; not {}: {}", page.url, page.why))
                }
                (false, None) => Judged::ok(read),
            }
        }
        Some(MetricsPlace::NotAvailable { not_available }) => Judged {
            fix: page_of(answered).map(str::to_owned),
            ..Judged::warning(format!("no page: {not_available}"))
        },
        None => Judged::unknown("nobody looked for a page"),
    })
}

fn placement(target: &TargetSeen) -> Judged {
    if target.simulated {
        return Judged::not_applicable("the simulator runs beside the client");
    }
    of_answer(target, |answered| {
        match (answered.facts.loopback, answered.facts.same_host) {
            (Some(true), _) => {
                Judged::warning("a loopback address: client and server share this host")
            }
            (_, Some(true)) => {
                Judged::warning("an address of this host: client and server share it")
            }
            (_, Some(false)) => Judged::ok("another host"),
            _ => Judged::unknown("its address does not tell whose host it is"),
        }
    })
}

fn tracing(target: &TargetSeen) -> Judged {
    if target.simulated {
        return Judged::not_applicable(
            "infermeter mock --truth FILE writes the simulator's own instants",
        );
    }
    of_answer(target, |answered| {
        let names = answered
            .facts
            .engine
            .as_ref()
            .map(|engine| &engine.names[..]);
        let unknown = Judged::unknown(
            "no answer says whether the server sends spans, or where to: run with --spans",
        );
        match names.and_then(<[String]>::first).map(String::as_str) {
            Some("vLLM") => unknown.fixed_by(
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf vllm serve ... --otlp-traces-endpoint \
                 http://HOST:4318/v1/traces",
            ),
            Some("SGLang") => unknown.fixed_by("sglang ... --enable-trace --otlp-traces-endpoint HOST:4317"),
            Some("TGI") => unknown.fixed_by("text-generation-launcher ... --otlp-endpoint http://HOST:4317"),
            Some("llama.cpp") => unknown.fixed_by("llama.cpp sends no spans: read its timings instead"),
            _ => unknown,
        }
    })
}

fn gpu(target: &TargetSeen) -> Judged {
    if target.simulated {
        return Judged::not_applicable("the simulator has none");
    }
    of_answer(target, |answered| {
        match answered.facts.same_host {
        Some(true) => of_gpu(&target.gpu),
        _ => Judged::unknown("the server is on another host, whose GPUs cannot be seen from here")
            .fixed_by("on the server's host: docker run --gpus all -p 9400:9400 nvcr.io/nvidia/k8s/dcgm-exporter"),
    }
    })
}

fn of_gpu(gpu: &Gpu) -> Judged {
    let driver = gpu.driver.as_deref().unwrap_or("of an unknown version");
    match (gpu.device, &gpu.library) {
        (true, Some(library)) => Judged::ok(format!("NVIDIA driver {driver}, NVML in {library}")),
        (true, None) => {
            Judged::warning(format!("NVIDIA driver {driver}, but no libnvidia-ml.so.1"))
                .fixed_by("docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility")
        }
        (false, Some(library)) => {
            Judged::warning(format!("NVML in {library}, but no /dev/nvidiactl"))
                .fixed_by("docker run --gpus all")
        }
        (false, None) if gpu.amd => Judged::unknown("an AMD GPU (/dev/kfd), which is not read")
            .fixed_by(
                "on the server's host: an exporter of AMD's, such as device-metrics-exporter",
            ),
        (false, None) => Judged::unknown("no GPU can be seen from this process"),
    }
}
