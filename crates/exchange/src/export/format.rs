//! The formats, by name: what each holds, for how many runs, and what none of its files can say.

use infermeter_audit::vocabulary::{AIPERF, INFERENCEX, LLMD, Term, VLLM};

/// A format of another tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// `vllm bench serve --save-result --save-detailed`.
    Vllm,
    /// `summary.json` of `vllm bench sweep`.
    VllmSweep,
    /// `profile_export.jsonl` and `profile_export_aiperf.json`.
    Aiperf,
    /// llm-d Benchmark Report 0.2.1.
    Llmd,
    /// A row of InferenceX.
    InferenceX,
    /// Tables of runs, figures, findings and requests.
    Csv,
    /// Bencher Metric Format.
    Bencher,
    /// JUnit XML.
    Junit,
}

/// How many runs a file of a format holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// One.
    One,
    /// Any number.
    Several,
}

const NO_INTERVALS: &str =
    "intervals, sample counts beside the percentiles, and whether a sample carries one";
const NO_VERDICT: &str = "the verdict and its findings, but for the member `infermeter`";
const NO_ORIGIN: &str = "latencies from the intended send: theirs begin with the send";
const NO_CENSORED: &str =
    "stamps and the bounds of their error: which of them, and by how much an instant is censored";
const NO_GROUPS: &str = "figures of classes and of sessions";
const NO_PHASES: &str = "requests of the warm-up and the drain";

impl ExportFormat {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Vllm,
        Self::VllmSweep,
        Self::Aiperf,
        Self::Llmd,
        Self::InferenceX,
        Self::Csv,
        Self::Bencher,
        Self::Junit,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vllm => "vllm",
            Self::VllmSweep => "vllm-sweep",
            Self::Aiperf => "aiperf",
            Self::Llmd => "llm-d",
            Self::InferenceX => "inferencex",
            Self::Csv => "csv",
            Self::Bencher => "bencher",
            Self::Junit => "junit",
        }
    }

    /// What it is, and who reads it.
    pub fn about(self) -> &'static str {
        match self {
            Self::Vllm => "vllm bench serve --save-result --save-detailed",
            Self::VllmSweep => "summary.json of vllm bench sweep, for its plot and plot_pareto",
            Self::Aiperf => "profile_export.jsonl and profile_export_aiperf.json, for aiperf plot",
            Self::Llmd => "llm-d Benchmark Report 0.2.1, as JSON",
            Self::InferenceX => "a row of InferenceX: seconds, throughput per GPU",
            Self::Csv => "tables for pandas, R and spreadsheets: runs, figures, findings, requests",
            Self::Bencher => "Bencher Metric Format (JSON), with bounds",
            Self::Junit => {
                "JUnit XML for CI: verdict, findings, objectives and gates as test cases"
            }
        }
    }

    /// How many runs it holds.
    pub fn runs(self) -> Runs {
        match self {
            Self::Vllm | Self::Aiperf | Self::Llmd | Self::InferenceX => Runs::One,
            Self::VllmSweep | Self::Csv | Self::Bencher | Self::Junit => Runs::Several,
        }
    }

    /// Its files; a folder is made for several of them, and where a reader looks for the one by its name.
    pub fn files(self) -> &'static [&'static str] {
        match self {
            Self::Vllm => &["vllm.json"],
            Self::VllmSweep => &["summary.json"],
            Self::Aiperf => &["profile_export.jsonl", "profile_export_aiperf.json"],
            Self::Llmd => &["benchmark_report.json"],
            Self::InferenceX => &["agg_bmk.json"],
            Self::Csv => &["runs.csv", "figures.csv", "findings.csv", "requests.csv"],
            Self::Bencher => &["bencher.json"],
            Self::Junit => &["junit.xml"],
        }
    }

    /// Whether `--out` names a folder.
    pub fn is_folder(self) -> bool {
        self.files().len() > 1 || self == Self::VllmSweep
    }

    /// The format of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Its names for latencies and rates; none where it has ours.
    pub fn terms(self) -> &'static [Term] {
        match self {
            Self::Vllm | Self::VllmSweep => VLLM,
            Self::Aiperf => AIPERF,
            Self::Llmd => LLMD,
            Self::InferenceX => INFERENCEX,
            Self::Csv | Self::Bencher | Self::Junit => &[],
        }
    }

    /// What it can never carry.
    pub fn losses(self) -> &'static [&'static str] {
        match self {
            Self::Vllm => &[
                NO_INTERVALS,
                NO_VERDICT,
                NO_ORIGIN,
                NO_CENSORED,
                NO_PHASES,
                "texts of the answers",
            ],
            Self::VllmSweep => &[
                NO_INTERVALS,
                NO_ORIGIN,
                NO_CENSORED,
                NO_PHASES,
                "findings: the verdict stands in `infermeter_verdict`",
                "single requests",
            ],
            Self::Aiperf => &[
                NO_INTERVALS,
                NO_VERDICT,
                NO_ORIGIN,
                NO_CENSORED,
                NO_PHASES,
                "texts of the answers",
            ],
            Self::Llmd => &[
                NO_INTERVALS,
                NO_ORIGIN,
                NO_CENSORED,
                NO_PHASES,
                "findings, but for their codes in `run.keywords`",
                "single requests",
            ],
            Self::InferenceX => &[
                NO_INTERVALS,
                NO_ORIGIN,
                NO_CENSORED,
                NO_PHASES,
                "findings: the verdict stands in `infermeter_verdict`",
                "failed requests but for their number, and single requests",
            ],
            Self::Csv => &[
                NO_CENSORED,
                NO_GROUPS,
                "single chunks: they are in requests.parquet",
            ],
            Self::Bencher => &[
                NO_CENSORED,
                NO_GROUPS,
                "the verdict and its findings",
                "percentiles that the sample does not carry",
                "sample counts, and the method of an interval",
                "single requests",
            ],
            Self::Junit => &[
                NO_CENSORED,
                NO_GROUPS,
                "figures without an objective",
                "single requests",
            ],
        }
    }
}
