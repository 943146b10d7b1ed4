//! Flags of `calibrate`.

use infermeter_core::key::Rule;
use infermeter_core::key::When::Given;
use infermeter_core::keys;
use infermeter_core::plan::Io;
use infermeter_core::units::Span;
use std::path::PathBuf;

keys! {
    /// Flags of `calibrate`.
    pub struct CalibrateArgs {
        quick: bool = false, General, "", "A short ladder, about half a minute"
            .rules(&[Rule::excludes(&[Given("full"), Given("null"), Given("rung")], "")]);
        full: bool = false, General, "", "A long ladder with longer rungs, about ten minutes"
            .rules(&[Rule::excludes(&[Given("null"), Given("rung")], "")]);
        null: bool = false, General, "",
            "Only the ceilings: how many requests and events per second the client can do at all"
            .rules(&[Rule::excludes(&[Given("rung")], "")]);
        rung: Vec<String> = Vec::new(), General, "LOAD",
            "Measure this load instead of a ladder, as in streams:100x50"
            .example("streams:100x50");
        max_events: Option<f64> = None, General, "R",
            "Leave out rungs that ask for more events per second"
            .example("10000");
        duration: Option<Span> = None, General, "TIME",
            "Measured time of a rung"
            .absent("3s; 1500ms with --quick, 10s with --full").example("2s").least(1e8);
        repeat: u32 = 1, General, "N",
            "Measure each rung this many times and keep the one with the median error"
            .example("3").least(1.0).most(99.0);
        threads: Option<u32> = None, General, "N",
            "Client threads"
            .absent("as run: one for each of its cores").example("2").least(1.0).most(1024.0);
        io: Io = Io::Auto, General, "IO",
            "Receive with: auto, uring or epoll, as run does"
            .example("epoll");
        burn: Option<Span> = None, General, "TIME",
            "Busy-wait after each chunk: artificial client load that shows what kernel stamps buy"
            .example("10us");
        resume: Option<PathBuf> = None, General, "DIR",
            "Continue a ladder that was cut off, in the directory that it named; the other flags as \
             before"
            .example("infermeter-calibrate-1");
        out: Option<PathBuf> = None, General, "FILE",
            "Write the certificate here"
            .absent("INFERMETER_CALIBRATION, else $XDG_STATE_HOME/infermeter/calibration.json")
            .example("certificate.json");
        quiet: bool = false, General, "", "No progress";
    }
}
