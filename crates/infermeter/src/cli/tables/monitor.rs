//! Flags of `monitor` beside those of a plan.

use infermeter_core::keys;
use infermeter_core::slo::Measure;
use infermeter_core::units::Span;
use std::path::PathBuf;

keys! {
    /// Flags of `monitor` that are no keys of the plan.
    pub struct MonitorArgs {
        every: Span = Span::seconds(600), General, "TIME",
            "From the begin of one run to that of the next: at fixed instants, one of which is passed over where a run \
             takes longer"
            .common().example("10m").above(0.0);
        runs: Option<u64> = None, General, "N",
            "End after so many runs, those that failed among them"
            .absent("without end").common().example("12").least(1.0);
        end_after: Option<Span> = None, General, "TIME",
            "Begin no run later than this after the first"
            .absent("without end").common().example("24h").aliases(&["--for"]);
        server: Option<String> = None, General, "NAME",
            "Keep the figures under this name of the server instead of its address: where that changes"
            .example("prod");
        figure: Vec<Measure> = Vec::new(), General, "FIGURE",
            "Look for changes of this figure; may be given several times. Without it of six. The more are looked at, \
             the more runs it takes"
            .example("ttft.p50");
        webhook: Option<String> = None, General, "URL",
            "Tell this URL of what changed: JSON by POST, whose member `text` says it in words"
            .common().example("https://hooks.example.com/alerts");
        exit_on_regression: bool = false, General, "",
            "End with exit code 1 when a figure has changed for the worse, or an objective is missed"
            .common();
        keep: u64 = 100, General, "N",
            "Records of runs that stay, the newest; the figures of all stay in the history"
            .example("20").least(1.0);
        keep_bytes: Option<u64> = None, General, "BYTES",
            "Keep no more bytes of records than this, but always the newest"
            .absent("any number").example("2000000000").least(1.0);
        config: Option<PathBuf> = None, General, "FILE",
            "Plan file, TOML or YAML, with the same names as the flags; flags win"
            .common().example("plan.toml");
        print_config: bool = false, General, "",
            "Print the resolved plan with the origin of each value, and stop";
        dry_run: bool = false, General, "",
            "Say what one run would send, and stop"
            .common();
    }
}
