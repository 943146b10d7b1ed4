//! Flags of `report`.

use infermeter_core::key::Form;
use infermeter_core::keys;
use infermeter_core::plan::Deadlines;
use infermeter_core::slo::Slo;
use std::path::PathBuf;

keys! {
    /// Flags of `report`.
    pub struct ReportArgs {
        run_dir: PathBuf = PathBuf::new(), General, "RUN_DIR",
            "Directory that `run` wrote: a run, or an experiment of several"
            .form(Form::Required).example("runs/one");
        full: bool = false, General, "", "Print every figure of every metric below the summary";
        series: bool = false, General, "",
            "With --json, add what the charts of a run are made from as member `series`"
            .more("Time in equal parts, some requests one by one, TTFT by prompt length and load, the gap by \
                token position: see [Charts](charts.md). It takes one more reading of the record.");
        slo: Vec<Slo> = Vec::new(), General, "SLO",
            "Objective to judge instead of the run's own"
            .example("ttft.p99<500ms");
        fluidity: Option<Deadlines> = None, General, "TTFT/GAP",
            "When tokens are due, as in 500ms/50ms, instead of the run's own"
            .example("500ms/50ms");
        strict: bool = false, General, "", "Exit 3 for Questionable, too";
        publication: bool = false, General, "",
            "Ask what a result to be published needs beyond a sound measurement";
    }
}
