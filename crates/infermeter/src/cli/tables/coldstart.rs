//! Flags of `coldstart` beside those of a plan and of a server that is started.

use infermeter_core::key::Rule;
use infermeter_core::key::When::Given;
use infermeter_core::keys;
use infermeter_core::units::Span;
use infermeter_session::coldstart::CacheState;
use std::path::PathBuf;

const OF_A_START: &[Rule] = &[Rule::needs(&[Given("serve")], "")];

keys! {
    /// Flags of `coldstart` that are no keys of the plan.
    pub struct ColdstartArgs {
        serve: Option<String> = None, General, "COMMAND",
            "Start the server by this, for sh -c, in a process group of its own"
            .common().example("vllm serve llama --port 8000")
            .rules(&[Rule::excludes(&[Given("idle-until-cold")], "")]);
        cache: Option<CacheState> = None, General, "STATE",
            "What caches are to be like before each start: cold, warm or page-cache-dropped"
            .absent("as they are found").common().example("cold")
            .rules(OF_A_START);
        cache_dir: Vec<PathBuf> = Vec::new(), General, "DIR",
            "With --cache cold: delete what is in this directory before each start"
            .example("~/.cache/vllm/torch_compile_cache")
            .rules(&[Rule::needs(&[Given("cache")], "")]);
        cache_file: Vec<PathBuf> = Vec::new(), General, "PATH",
            "Drop the pages of this file, or of the files below this directory, instead of the whole page cache"
            .example("/models/llama")
            .rules(&[Rule::needs(&[Given("cache")], "")]);
        before: Option<String> = None, General, "COMMAND",
            "Run this by sh -c before each start"
            .example("./empty-caches.sh").rules(OF_A_START);
        settle: Span = Span::seconds(30), Load, "TIME",
            "How long the light load goes on behind the first answer: one request at a time"
            .common().example("1m").least(0.0);
        idle: Option<Span> = None, Load, "TIME",
            "Then send nothing for so long, and see what the first answer takes"
            .common().example("10m").above(0.0);
        idle_until_cold: bool = false, Load, "",
            "Of a server that is there, as a serverless one: leave it idle, twice as long each time, until it has gone cold"
            .common();
        idle_most: Span = Span::seconds(3_600), Load, "TIME",
            "With --idle-until-cold: the longest time without requests"
            .example("2h").above(0.0)
            .rules(&[Rule::needs(&[Given("idle-until-cold")], "")]);
        resume: Option<PathBuf> = None, General, "DIR",
            "Go on with the starts in this directory; the other flags as before"
            .example("runs/cold-a");
        config: Option<PathBuf> = None, General, "FILE",
            "Plan file, TOML or YAML, with the same names as the flags; flags win"
            .common().example("plan.toml");
        print_config: bool = false, General, "",
            "Print the resolved plan with the origin of each value, and stop";
    }
}
