//! The page of live metrics: names, types, help and labels of every family (docs/src/live.md).
//!
//! Counts nothing. Invariant: every sample of a run carries its `run_id`, so the figures of two runs are never one
//! series; what is not known has no sample.

use super::figures::{PHASES, PhaseFigures, RunFigures, Stage, Tokens};
use super::times::{Times, TimesRead};
use infermeter_core::clock::process_cpu_ns;
use infermeter_core::exposition::{Labels, Page};
use infermeter_core::record::{Outcome, Reason};
use infermeter_core::run::LoadModel;
use infermeter_core::schedule::Phase;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A histogram of the page.
struct TimesFamily {
    name: &'static str,
    help: &'static str,
    of: fn(&PhaseFigures) -> &Times,
    /// Its latencies are counted from one of two origins.
    origin: Origins,
}

/// Whether a family has a label for the origin of its latencies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origins {
    /// It has.
    Two,
    /// It begins and ends at instants of its own.
    None,
}

const TIMES: [TimesFamily; 6] = [
    TimesFamily {
        name: "infermeter_time_to_first_token_seconds",
        help: "TTFT of completed requests, from the origin that the label names.",
        of: |phase| &phase.ttft,
        origin: Origins::Two,
    },
    TimesFamily {
        name: "infermeter_request_duration_seconds",
        help: "E2E of completed requests, from the origin that the label names to the last token.",
        of: |phase| &phase.e2e,
        origin: Origins::Two,
    },
    TimesFamily {
        name: "infermeter_inter_token_latency_seconds",
        help: "ITL of completed requests whose tokens per chunk were known when they ended.",
        of: |phase| &phase.itl,
        origin: Origins::None,
    },
    TimesFamily {
        name: "infermeter_chunk_gap_seconds",
        help: "Time between consecutive chunks of completed requests.",
        of: |phase| &phase.chunk_gap,
        origin: Origins::None,
    },
    TimesFamily {
        name: "infermeter_send_lag_seconds",
        help: "How late requests were sent, of every request that was.",
        of: |phase| &phase.send_lag,
        origin: Origins::None,
    },
    TimesFamily {
        name: "infermeter_client_lag_seconds",
        help: "Kernel's stamp of a read to the client's, of every request with kernel stamps.",
        of: |phase| &phase.client_lag,
        origin: Origins::None,
    },
];

/// Tokens of a kind.
type TokensOf = fn(&PhaseFigures) -> &Tokens;

/// Tokens by kind, as the label names them.
const TOKENS: [(&str, TokensOf); 3] = [
    ("prompt", |phase| &phase.prompt),
    ("cached_prompt", |phase| &phase.cached),
    ("output", |phase| &phase.output),
];

/// The page of these runs, after so many readings of it.
pub(super) fn page(runs: &[Arc<RunFigures>], reads: u64) -> Vec<u8> {
    let mut page = Page::default();
    let runs = Runs(runs);
    runs.about(&mut page);
    runs.instants(&mut page);
    runs.load(&mut page);
    runs.requests(&mut page);
    runs.tokens(&mut page);
    runs.times(&mut page);
    own(&mut page, reads);
    page.into_bytes()
}

/// What the page says of the process.
fn own(page: &mut Page, reads: u64) {
    page.counter(
        "infermeter_page_reads_total",
        "Readings of this page, this one included.",
        [(vec![], reads as f64)],
    );
    page.counter(
        "process_cpu_seconds_total",
        "CPU time of the process, user and system.",
        [(vec![], process_cpu_ns() as f64 / 1e9)],
    );
}

/// The runs on the page, the one that goes on last.
struct Runs<'a>(&'a [Arc<RunFigures>]);

impl<'a> Runs<'a> {
    /// One gauge sample for each run that has it.
    fn gauge(&self, page: &mut Page, name: &str, help: &str, of: fn(&RunFigures) -> Option<f64>) {
        let samples = self.0.iter().filter_map(|run| Some((id(run), of(run)?)));
        page.gauge(name, help, samples);
    }

    /// One counter sample for each phase of each run.
    fn by_phase(&self, page: &mut Page, name: &str, help: &str, of: fn(&PhaseFigures) -> u64) {
        let phases = self.phases().map(|(run, phase, figures)| {
            let labels = labels(run, &[("phase", phase.as_str())]);
            (labels, of(figures) as f64)
        });
        page.counter(name, help, phases);
    }

    fn phases(&self) -> impl Iterator<Item = (&'a RunFigures, Phase, &'a PhaseFigures)> {
        let runs = self.0.iter();
        runs.flat_map(|run| {
            run.phases()
                .map(|(phase, figures)| (&**run, phase, figures))
        })
    }

    fn about(&self, page: &mut Page) {
        let infos = self.0.iter().map(|run| {
            let about = &run.about;
            let load_model = match about.load_model {
                LoadModel::OpenLoop => "open_loop",
                LoadModel::ClosedLoop => "closed_loop",
                LoadModel::Imported => "imported",
                LoadModel::Observed => "observed",
            };
            let target = run.targets.iter().next().map_or("", |(_, name)| name);
            let more = [
                ("target", target),
                ("model", about.model.as_str()),
                ("engine", about.engine.as_str()),
                ("api", about.api.as_str()),
                ("load_model", load_model),
                ("version", about.version.as_str()),
            ];
            (labels(run, &more), 1.0)
        });
        page.gauge(
            "infermeter_run_info",
            "What a run is called, as labels; target is the first of its targets.",
            infos,
        );
        let mut stages = Vec::new();
        for run in self.0 {
            let now = run.stage();
            for stage in Stage::ALL {
                let holds = f64::from(u8::from(now == stage));
                stages.push((labels(run, &[("phase", stage.as_str())]), holds));
            }
        }
        page.gauge(
            "infermeter_run_phase",
            "1 for the phase that a run is in, 0 for the others.",
            stages,
        );
        let mut left_out = Vec::new();
        for run in self.0 {
            for (label, names) in [("class", &run.classes), ("target", &run.targets)] {
                let count = names.left_out() as f64;
                left_out.push((labels(run, &[("label", label)]), count));
            }
        }
        page.gauge(
            "infermeter_labels_left_out",
            "Classes or targets beyond the limit, which share one label.",
            left_out,
        );
    }

    fn instants(&self, page: &mut Page) {
        self.gauge(
            page,
            "infermeter_run_start_time_seconds",
            "When a run's load began, Unix time.",
            RunFigures::started_s,
        );
        let mut begun = Vec::new();
        for run in self.0 {
            for phase in PHASES {
                let labels = labels(run, &[("phase", phase.as_str())]);
                begun.extend(run.begun_s(phase).map(|seconds| (labels, seconds)));
            }
        }
        page.gauge(
            "infermeter_phase_start_time_seconds",
            "When a phase was seen to have begun, up to 50 ms late, Unix time; absent before.",
            begun,
        );
        self.gauge(
            page,
            "infermeter_run_end_time_seconds",
            "When the last request of a run had ended, Unix time; absent before.",
            RunFigures::ended_s,
        );
    }

    fn load(&self, page: &mut Page) {
        self.gauge(
            page,
            "infermeter_schedule_requests_per_second",
            "Rate asked for over the window, in an open loop.",
            |run| run.about.rate,
        );
        self.gauge(
            page,
            "infermeter_schedule_concurrency",
            "Requests to keep in flight, in a closed loop.",
            |run| run.about.concurrency.map(f64::from),
        );
        let due = self
            .0
            .iter()
            .filter_map(|run| Some((id(run), run.due()? as f64)));
        page.counter(
            "infermeter_requests_due_total",
            "Arrivals of the schedule that were due by now, all phases, in an open loop.",
            due,
        );
        self.gauge(
            page,
            "infermeter_requests_in_flight",
            "Requests sent and not ended.",
            |run| Some(run.in_flight() as f64),
        );
    }

    fn requests(&self, page: &mut Page) {
        let mut ended = Vec::new();
        for (run, phase, figures) in self.phases() {
            for (class, name) in run.classes.iter() {
                for outcome in Outcome::ALL {
                    let more = [
                        ("phase", phase.as_str()),
                        ("class", name),
                        ("outcome", outcome.as_str()),
                    ];
                    let count = figures.ended(class, outcome) as f64;
                    ended.push((labels(run, &more), count));
                }
            }
        }
        page.counter(
            "infermeter_requests_total",
            "Requests that ended, by phase, workload class and outcome.",
            ended,
        );
        let mut errors = Vec::new();
        for run in self.0 {
            for reason in Reason::ALL {
                let count = run.errors(reason) as f64;
                errors.push((labels(run, &[("reason", reason.as_str())]), count));
            }
        }
        page.counter(
            "infermeter_request_errors_total",
            "Requests that did not complete, by reason, all phases.",
            errors,
        );
        let mut targets = Vec::new();
        for run in self.0 {
            for (target, name) in run.targets.iter() {
                let count = run.of_target(target) as f64;
                targets.push((labels(run, &[("target", name)]), count));
            }
        }
        page.counter(
            "infermeter_target_requests_total",
            "Requests that ended, by the address they were sent to, all phases.",
            targets,
        );
    }

    fn tokens(&self, page: &mut Page) {
        let (mut tokens, mut answers) = (Vec::new(), Vec::new());
        for (run, phase, figures) in self.phases() {
            for (kind, of) in TOKENS {
                let counted = of(figures);
                let own = || labels(run, &[("phase", phase.as_str()), ("kind", kind)]);
                answers.push((own(), counted.answers() as f64));
                tokens.extend(counted.tokens().map(|tokens| (own(), tokens as f64)));
            }
        }
        page.counter(
            "infermeter_tokens_total",
            "Tokens of ended requests, by what their answers say; absent where none says so.",
            tokens,
        );
        page.counter(
            "infermeter_token_counts_total",
            "Answers that say how many tokens of a kind there were.",
            answers,
        );
        self.by_phase(
            page,
            "infermeter_chunks_total",
            "Chunks of ended requests.",
            |phase| phase.chunks.load(Ordering::Relaxed),
        );
        self.by_phase(
            page,
            "infermeter_answers_without_itl_total",
            "Completed answers whose tokens per chunk were not known when they ended: \
             the record may have their ITL, this page has not.",
            |phase| phase.without_itl.load(Ordering::Relaxed),
        );
    }

    fn times(&self, page: &mut Page) {
        for family in &TIMES {
            let read: Vec<(Labels<'_>, TimesRead<'_>)> = self
                .phases()
                .map(|(run, phase, figures)| {
                    let mut labels = labels(run, &[("phase", phase.as_str())]);
                    if family.origin == Origins::Two {
                        labels.push(("origin", run.origin.as_str()));
                    }
                    (labels, (family.of)(figures).read())
                })
                .collect();
            let shown = read
                .iter()
                .map(|(labels, times)| (labels.clone(), times.shown()));
            page.histogram(family.name, family.help, shown);
        }
    }
}

fn id(run: &RunFigures) -> Labels<'_> {
    labels(run, &[])
}

/// The labels of a sample: that of the run first.
fn labels<'a>(run: &'a RunFigures, more: &[(&'static str, &'a str)]) -> Labels<'a> {
    let mut labels = Vec::with_capacity(more.len() + 3);
    labels.push(("run_id", run.about.run_id.as_str()));
    labels.extend_from_slice(more);
    labels
}
