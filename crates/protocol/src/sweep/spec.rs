//! What a sweep is asked for: the flags of `sweep` that are no keys of the plan.
//!
//! The ledger keeps them as they were given, so that a sweep goes on without them.

use super::levels::Levels;
use infermeter_core::key::Rule;
use infermeter_core::key::When::Given;
use infermeter_core::keys;
use infermeter_core::units::Span;

keys! {
    /// What a sweep is asked for.
    pub struct SweepSpec {
        rates: Option<Levels> = None, Load, "LEVELS",
            "Rates to measure, requests per second: 1,2,5,10, or 2..64:x2, or 10..50:+10"
            .absent("the sweep finds them, beginning with --rate").common().dashes().example("2..64:x2")
            .rules(&[Rule::excludes(&[Given("concurrencies")], "")]);
        concurrencies: Option<Levels> = None, Load, "LEVELS",
            "Requests in flight to measure instead of rates (closed loop)"
            .dashes().example("1,4,16,64");
        vary: Vec<String> = Vec::new(), Load, "KEY=VALUE",
            "A second axis: a curve for each value of a key of the plan; once for each value"
            .example("workload=fixed:1000,100");
        replicates: u32 = 1, Load, "N",
            "Runs of each level, at least"
            .example("3").least(1.0).most(99.0);
        looks: u32 = 3, Load, "N",
            "Runs of a level that is undecided, at most; each is twice as long as the one before, up to 8 times"
            .example("5").least(1.0).most(99.0);
        resolution: f64 = 0.1, Load, "SHARE",
            "Two levels this close, relatively, are not refined any more"
            .example("0.05").least(0.005).most(1.0);
        max_runs: u32 = 24, Load, "N",
            "Runs of a curve, at most"
            .example("40").least(1.0).most(1_000.0);
        breaking_point: bool = false, Load, "",
            "Go on to the breaking point (errors, time-outs, refusals), then see whether the server recovers"
            .aliases(&["--break"]);
        sustain: Option<Span> = None, Load, "TIME",
            "Measure the highest rate that meets the objectives for so long, several times"
            .example("5m").above(0.0);
        sustain_share: f64 = 1.0, Load, "SHARE",
            "With --sustain: this share of that rate"
            .example("0.9").above(0.0).most(1.0)
            .rules(&[Rule::needs(&[Given("sustain")], "")]);
        sustain_runs: u32 = 3, Load, "N",
            "With --sustain: so many times"
            .example("5").least(1.0).most(99.0)
            .rules(&[Rule::needs(&[Given("sustain")], "")]);
        reset_url: Option<String> = None, General, "URL",
            "POST to this before each run but the first: the server's hook that empties its caches"
            .example("http://localhost:8000/reset_prefix_cache")
            .rules(&[Rule::excludes(&[Given("reset-command")], "")]);
        reset_command: Option<String> = None, General, "COMMAND",
            "Run this by sh -c before each run but the first; the ledger keeps it as it is"
            .example("./restart-server.sh");
    }
}

impl SweepSpec {
    /// In a closed loop.
    pub fn is_closed(&self) -> bool {
        self.concurrencies.is_some()
    }
}
