//! Flags of `run` that are neither keys of the plan nor those of every command that measures.

use infermeter_core::key::When::{self, Given};
use infermeter_core::key::{Foreign, Rule};
use infermeter_core::keys;
use infermeter_core::units::Span;
use std::path::PathBuf;

/// What takes more than one run: each would need a meeting of its own.
const SEVERAL: Rule = Rule::excludes(
    &[Given("repeat"), Given("until")],
    "ranks measure one run together; repeat the command, with another place each time",
);

/// Why something shows nothing of a load that several processes share.
const PART: &str = "it shows one process, and each has a part of the load alone";

/// What is there already is merged, and nothing measured.
const RESUMED: Rule = Rule::excludes(&[Given("resume")], "it knows how many there were");

/// Where ranks meet that others have started, or that this command starts.
const MEETS: &[When] = &[Given("rendezvous"), Given("workers")];

keys! {
    /// What to do with the runs.
    pub struct RunArgs {
        resume: Option<PathBuf> = None, General, "DIR",
            "Continue the runs of --repeat or --until in this directory, or merge what the processes of --workers have \
             left there; it knows the other flags"
            .example("runs/repeated");
        workers: Option<u32> = None, Client, "N",
            "Measure with N processes on this machine: each sends its part of the load, and their records are merged"
            .more("See [workers and ranks](scale-out.md#workers-and-ranks).")
            .example("4").above(0.0).most(1024.0)
            .rules(&[SEVERAL, RESUMED, Rule::excludes(&[Given("expose")], PART), Rule::excludes(
                &[Given("rank"), Given("rendezvous")], "the first starts processes, the others are for those that \
                something else starts")])
            .foreign(&[Foreign {
                names: &["processes", "num-processes", "worker-processes"],
                tip: "--workers N shares the load among N processes on this machine",
            }]);
        rank: Option<String> = None, Client, "I/N",
            "Send part I, from 0, of N: this process is one of N that something else has started"
            .more("Without it, Slurm, Open MPI, an indexed job of Kubernetes, or `RANK` and `WORLD_SIZE` say which \
                   one it is. See [ranks](scale-out.md#ranks).")
            .absent("by the environment").example("3/8")
            .rules(&[Rule::needs(&[Given("rendezvous")],
                "a place that all ranks can write to, the same for all of them, as in --rendezvous /shared/run-7 or \
                 --rendezvous s3://bucket/run-7")])
            .foreign(&[Foreign {
                names: &["world-size", "node-rank", "shard", "num-shards", "shard-index"],
                tip: "--rank I/N says which of N processes this is, as in --rank 3/8",
            }]);
        rendezvous: Option<String> = None, Client, "PLACE",
            "Where the ranks of a run meet, begin together and leave their records: a directory that all of them \
             share, or s3://, gs://, az://"
            .more("A fresh one for each run. See [ranks](scale-out.md#ranks).")
            .example("/shared/run-7")
            .rules(&[SEVERAL, RESUMED, Rule::excludes(&[Given("expose"), Given("live")], PART)]);
        rendezvous_timeout: Span = Span::seconds(600), Client, "TIME",
            "How long ranks wait for each other: before the start, and at the end for the records"
            .example("2m").above(0.0).rules(&[Rule::needs(MEETS, "")]);
        without_missing: bool = false, Client, "",
            "Begin without ranks that have not come by then, and say so in the result; without it nothing is measured"
            .rules(&[Rule::needs(MEETS, "")]);
        sync: Option<String> = None, Client, "ADDR:PORT",
            "Where rank 0 answers the other ranks what the time is, an address of its own host that they reach; port 0 is \
             any free one"
            .more("See [clocks](scale-out.md#clocks).")
            .absent("on the loopback: for ranks of its own host").example("10.0.0.5:0")
            .rules(&[Rule::needs(&[Given("rendezvous")], "")]);
        as_worker: Option<String> = None, Client, "JSON",
            "Be one of the processes of --workers: the plan is on standard input"
            .hidden().example("{}");
    }
}
