//! Flags of `bench` beside those of a server that is started. What measures stands behind `--`, with flags of its own.

use infermeter_core::key::Form;
use infermeter_core::key::Rule;
use infermeter_core::key::When::Given;
use infermeter_core::keys;
use std::path::PathBuf;

keys! {
    /// Flags of `bench`.
    pub struct BenchArgs {
        serve: String = String::new(), General, "COMMAND",
            "Start the server by this, for sh -c; {flags} stands for all that is varied, {NAME} for one value"
            .form(Form::RequiredFlag).common().example("./serve.sh");
        url: String = String::new(), General, "URL",
            "Where it serves"
            .form(Form::RequiredFlag).common().example("http://localhost:8000");
        vary: Vec<String> = Vec::new(), General, "NAME=VALUES",
            "A flag of the server with its values, with commas between them: an empty one is a flag without a value, - \
             leaves it out. Once for each flag: all combinations"
            .common().example("max-num-seqs=64,128,256")
            .rules(&[Rule::excludes(&[Given("list")], "")]);
        list: Option<PathBuf> = None, General, "FILE",
            "Configurations from a file instead, one a line: max-num-seqs=64 block-size=16"
            .aliases(&["--config"]).example("configurations.txt");
        rounds: u32 = 1, General, "N",
            "Starts of each configuration, in turn; from two on they are compared with the first"
            .common().example("6").least(1.0).most(99.0);
        quick: bool = false, General, "",
            "Short measurements, where no length is given: 10s of a run, three levels of a sweep"
            .common();
        seed: u64 = 1, General, "N",
            "Seed of the first round; every configuration gets the same requests in a round"
            .example("7");
        out: Option<PathBuf> = None, General, "DIR",
            "Directory of everything; an existing one is refused"
            .absent("runs/TIME-ID").common().example("runs/bench-a");
        resume: Option<PathBuf> = None, General, "DIR",
            "Go on in this directory; the other flags as before. What failed is tried again"
            .example("runs/bench-a").rules(&[Rule::excludes(&[Given("out")], "it goes on where it was")]);
        quiet: bool = false, General, "", "Only the answer in a line";
        measured_by: Vec<String> = Vec::new(), General, "COMMAND",
            "Behind --: run, sweep or search with its flags, without a target"
            .form(Form::Required).common().example("run");
    }
}
