//! Flags of the subcommands of `history`.

use infermeter_core::key::Form;
use infermeter_core::keys;
use infermeter_core::slo::Measure;
use std::path::PathBuf;

keys! {
    /// Flags of `history add`.
    pub struct HistoryAddArgs {
        folder: PathBuf = PathBuf::new(), General, "FOLDER",
            "Folder of the history; made where it is not there"
            .form(Form::Required).example("nightly");
        runs: Vec<PathBuf> = Vec::new(), General, "DIR|BUNDLE",
            "Runs to add: their directories, those of experiments, or bundles"
            .form(Form::Required).example("runs/today");
        server: Option<String> = None, General, "NAME",
            "Keep them under this name of the server instead of its address: where that changes, or a new version is \
             served elsewhere"
            .example("prod");
        figure: Vec<Measure> = Vec::new(), General, "FIGURE",
            "Keep this figure, too: a measure as objectives have it"
            .example("ttft.p95{class=chat}");
    }
}

keys! {
    /// Flags of `history list`.
    pub struct HistoryListArgs {
        folder: PathBuf = PathBuf::new(), General, "FOLDER",
            "Folder of the history"
            .form(Form::Required).example("nightly");
    }
}

keys! {
    /// Flags of `history show`.
    pub struct HistoryShowArgs {
        folder: PathBuf = PathBuf::new(), General, "FOLDER",
            "Folder of the history"
            .form(Form::Required).example("nightly");
        run: String = String::new(), General, "RUN_ID",
            "The run, by the beginning of its id"
            .form(Form::Required).example("1a2b3c4d");
    }
}

keys! {
    /// Flags of `history trend`.
    pub struct HistoryTrendArgs {
        folder: PathBuf = PathBuf::new(), General, "FOLDER",
            "Folder of the history"
            .form(Form::Required).example("nightly");
        plan: Option<String> = None, General, "ID",
            "Show this plan alone, by the beginning of the id that `history list` shows"
            .example("3f9a");
        figure: Vec<Measure> = Vec::new(), General, "FIGURE",
            "Look at this figure; may be given several times. Without it at six of them. The more are looked at, the \
             greater a change has to be"
            .example("ttft.p99");
    }
}
