//! The flags of `compare` that are not keys of the plan.

use super::TurnOrder;
use crate::Levels;
use infermeter_analysis::{Axis, Treatment};
use infermeter_core::key::Rule;
use infermeter_core::key::When::Given;
use infermeter_core::keys;
use infermeter_core::units::Span;

keys! {
    /// What a comparison is asked for.
    pub struct CompareFlags {
        rates: Option<Levels> = None, Load, "LEVELS",
            "Rates at which the sides are compared, requests per second: 1,2,5, or 2..8:x2"
            .absent("the plan's load").common().dashes().example("2,8");
        rounds: Option<u32> = None, Load, "N",
            "Rounds; in each, every side gets the same requests at the same instants"
            .absent("8, or what the primary figures need").common().example("12")
            .least(1.0).most(200.0);
        aa: bool = false, Load, "",
            "Compare one target with itself: the noise floor of target and machine"
            .common();
        side: Vec<String> = Vec::new(), General, "SIDE.KEY=VALUE",
            "A key of the plan for one side alone, as in B.model=llama-fp8; once for each key"
            .more("In a plan file, each side is a table `[[side]]` of such keys.")
            .common().example("B.model=llama-fp8");
        primary: Vec<Axis> = Vec::new(), Result, "FIGURE",
            "A figure that decides, as in ttft.p99; at most six, each given once"
            .absent("ttft.p50, ttft.p90, tpot.mean and e2e.mean; in a closed loop output_tokens_per_s, too")
            .common().example("ttft.p99");
        margin: f64 = 0.03, Result, "SHARE",
            "Changes smaller than this do not matter: 0.03 is 3 %"
            .example("0.05").above(0.0).most(1.0);
        treatment: Vec<Treatment> = Vec::new(), Result, "COUNTER>X",
            "What the server's own counters have to show in every round on the other sides and in none on the \
             first, as in prefix_cache_hit_rate>0.3"
            .absent("what the declared difference implies").common().dashes()
            .example("prefix_cache_hit_rate>0.3");
        answers: bool = false, Load, "",
            "Ask prompts of the load alone as well, and say whether every side answers as the first one does"
            .more("As --reference solo in every run.")
            .rules(&[Rule::excludes(&[Given("aa")], "a target that is compared with itself is not sent the same prompts")]);
        order: TurnOrder = TurnOrder::Random, Load, "ORDER",
            "Who begins: random (drawn from --seed, each side as often early as late) or abba"
            .example("abba");
        pilot: u32 = 3, Load, "N",
            "Say after so many rounds what all of them can find; they count"
            .example("4").least(2.0).most(200.0);
        pause: Option<Span> = None, General, "TIME",
            "Pause before each run but the first"
            .example("30s");
        restart_command: Option<String> = None, General, "COMMAND",
            "Run this by sh -c before each run; it ends once the server serves. INFERMETER_SIDE and \
             INFERMETER_TARGET say which"
            .example("./restart.sh");
        force: bool = false, General, "",
            "Compare sides that were sent different requests; the result is labelled"
            .rules(&[Rule::excludes(&[Given("aa")], "it sends one target the same twice")]);
    }
}
