//! The flags of `audit`.

use super::ShowArgs;
use clap::Args;
use std::path::PathBuf;

/// What `audit --help` ends with.
pub(super) const AFTER_HELP: &str = "Read by content: run directories; vllm bench serve, SGLang bench_serving, AIPerf, \
GenAI-Perf, GuideLLM,\ninference-perf, llmperf, genai-bench, llm-d reports, MLPerf LoadGen and Endpoints; CSV and JSON of \
other\ntools through --map.\n\nExamples:\n  infermeter audit result.json\n  infermeter audit results/ --strict\n  \
infermeter audit baseline.json candidate.json --markdown\n  \
infermeter audit result.json --state gpu-model=H100 --state gpu-count=8";

/// Flags of `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// Result files, run directories, or directories of results; several are compared, the first
    /// with each of the others
    #[arg(required = true)]
    pub paths: Vec<PathBuf>,
    /// Mapping file (TOML) for results of tools that are not known
    #[arg(long, value_name = "FILE")]
    pub map: Option<PathBuf>,
    /// Fact of the set-up that the results do not say, as in gpu-model=H100 (repeatable)
    #[arg(long, value_name = "NAME=VALUE")]
    pub state: Vec<String>,
    /// How it is shown.
    #[command(flatten)]
    pub show: ShowArgs,
    /// Exit 3 for a failed check of severity warning, too
    #[arg(long)]
    pub strict: bool,
}
