//! Flags of `export`.

use infermeter_core::gate::FailIf;
use infermeter_core::key::When::Given;
use infermeter_core::key::{Form, Rule, ValueKind};
use infermeter_core::slo::Slo;
use infermeter_core::text::not_one_of;
use infermeter_core::{key_values, keys};
use infermeter_exchange::export::ExportFormat;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExportTo(pub ExportFormat);

key_values!(ValueKind::OneOf(&[
    "vllm", "vllm-sweep", "aiperf", "llm-d", "inferencex", "csv", "bencher", "junit",
]) => ExportTo);

impl TryFrom<String> for ExportTo {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let names = ExportFormat::ALL.map(ExportFormat::name);
        let found = ExportFormat::parse(&name).map(Self);
        found.ok_or_else(|| not_one_of(&name, &names))
    }
}

impl From<ExportTo> for String {
    fn from(to: ExportTo) -> Self {
        to.0.name().to_owned()
    }
}

const TO_JUNIT: &[Rule] = &[Rule::needs(&[Given("format")], "")];

keys! {
    /// Flags of `export`.
    pub struct ExportArgs {
        run_dir: Option<PathBuf> = None, General, "DIR",
            "Directory of a run, of an experiment, or of runs"
            .form(Form::Positional).example("runs/one");
        format: Option<ExportTo> = None, General, "FORMAT",
            "vllm, vllm-sweep, aiperf, llm-d, inferencex, csv, bencher or junit"
            .common().example("vllm");
        out: Option<PathBuf> = None, General, "FILE|DIR",
            "Write here instead of to standard output; a folder where the format is several files"
            .common().example("vllm.json");
        force: bool = false, General, "", "Write over files that are there already";
        list: bool = false, General, "", "List the formats, and stop";
        slo: Vec<Slo> = Vec::new(), General, "SLO",
            "Objective to judge instead of the run's own; in junit a test case"
            .example("ttft.p99<500ms");
        fail_if: Vec<FailIf> = Vec::new(), General, "CRITERION",
            "What is not accepted, as for gate; with junit a test case"
            .example("ttft.p99>+5%").rules(TO_JUNIT);
        baseline: Option<PathBuf> = None, General, "DIR|FILE",
            "With --fail-if: what the runs are held against"
            .example("runs/baseline").rules(&[Rule::needs(&[Given("fail-if")], "")]);
        strict: bool = false, General, "",
            "In junit, warnings and a Questionable run fail instead of being skipped"
            .rules(TO_JUNIT);
    }
}
