//! The daemons of a Slurm: `munged`, `slurmctld` and a `slurmd` for each node, with a configuration of their own.
//!
//! Invariant: they read nothing of a Slurm of the machine's, and end with their handle, jobs and all.

use super::super::namespace::Namespace;
use crate::command::{line, output, said};
use crate::running::Running;
use anyhow::{Context, Result, bail};
use infermeter_core::clock::monotonic_ns;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Programs that this takes.
pub(super) const PROGRAMS: [&str; 6] = [
    "munged",
    "slurmctld",
    "slurmd",
    "sbatch",
    "srun",
    "scontrol",
];

/// Ports inside the namespaces, where all are free.
const CONTROLLER_PORT: u16 = 6_817;
const NODE_PORT: u16 = 6_820;
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(200);
/// Longest waits, nanoseconds: for the nodes, and for a job.
const START_NS: i64 = 60_000_000_000;
const JOB_NS: i64 = 300_000_000_000;

/// A node: a name of a host, in a network.
pub(super) struct Node<'a> {
    name: &'static str,
    space: &'a Namespace,
    port: u16,
}

impl<'a> Node<'a> {
    pub fn new(name: &'static str, space: &'a Namespace, index: u16) -> Self {
        Self {
            name,
            space,
            port: NODE_PORT + index,
        }
    }
}

/// A Slurm that runs.
pub(super) struct Cluster<'a> {
    config: PathBuf,
    /// Where the controller is.
    space: &'a Namespace,
    _daemons: Vec<Running>,
}

impl<'a> Cluster<'a> {
    /// Starts all of it, with its files in `directory`.
    ///
    /// # Errors
    /// When it does not come up, with what the daemons said.
    pub fn start(directory: &Path, nodes: [Node<'a>; 2]) -> Result<Self> {
        let config = directory.join("slurm.conf");
        fs::create_dir_all(directory.join("state"))?;
        for node in &nodes {
            fs::create_dir_all(directory.join("spool").join(node.name))?;
        }
        fs::write(&config, configuration(directory, &nodes)?)?;
        let mut daemons = vec![munge(directory)?];
        let first = &nodes[0];
        let mut controller = first.space.contained(first.name, "slurmctld");
        controller.args(["-D", "-i", "-f"]).arg(&config);
        daemons.push(daemon(controller, &directory.join("slurmctld.out"))?);
        for node in &nodes {
            let mut slurmd = node.space.contained(node.name, "slurmd");
            slurmd.args(["-D", "-N", node.name, "-f"]).arg(&config);
            let log = directory.join(format!("{}.out", node.name));
            daemons.push(daemon(slurmd, &log)?);
        }
        let cluster = Self {
            config,
            space: first.space,
            _daemons: daemons,
        };
        cluster.wait_for_nodes(nodes.len())?;
        Ok(cluster)
    }

    /// A command as on the node of the controller.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.space.command(program);
        command.env("SLURM_CONF", &self.config);
        command
    }

    /// Waits for a job: its exit code.
    ///
    /// # Errors
    /// When it takes too long, or ends in another way than by itself.
    pub fn ended(&self, id: &str) -> Result<i32> {
        let until = monotonic_ns() + JOB_NS;
        loop {
            let told = output(
                self.command("scontrol")
                    .args(["show", "job", id, "--oneliner"]),
            )?;
            let value = |name: &str| {
                let mut words = told.split_whitespace();
                words
                    .find_map(|word| word.strip_prefix(name))
                    .unwrap_or_default()
            };
            match value("JobState=") {
                "COMPLETED" | "FAILED" => {
                    let code = value("ExitCode=").split(':').next().unwrap_or_default();
                    return code.parse().with_context(|| told.clone());
                }
                "PENDING" | "CONFIGURING" | "RUNNING" | "COMPLETING" => {}
                state => bail!("job {id} is {state}: {told}"),
            }
            if monotonic_ns() > until {
                bail!("job {id} has not ended: {told}");
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn wait_for_nodes(&self, nodes: usize) -> Result<()> {
        let until = monotonic_ns() + START_NS;
        loop {
            let mut look = self.command("sinfo");
            let told = look
                .args(["--noheader", "--Node", "--format=%T"])
                .output()?;
            let told = String::from_utf8_lossy(&told.stdout).into_owned();
            if told.lines().filter(|state| *state == "idle").count() == nodes {
                return Ok(());
            }
            if monotonic_ns() > until {
                bail!("the nodes of Slurm are not there: {told}");
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// The configuration. Nodes claim more cores than the machine has: ranks of a test need none of their own.
fn configuration(directory: &Path, nodes: &[Node<'_>; 2]) -> Result<String> {
    let user = said("id", &["-un"])?;
    let at = directory.display();
    let [first, second] = nodes;
    let mut text = format!(
        "ClusterName=infermeter\n\
         SlurmctldHost={}({})\n\
         SlurmctldPort={CONTROLLER_PORT}\n\
         SlurmUser={user}\n\
         SlurmdUser={user}\n\
         AuthType=auth/munge\n\
         CredType=cred/munge\n\
         AuthInfo=socket={at}/munge.sock\n\
         StateSaveLocation={at}/state\n\
         SlurmdSpoolDir={at}/spool/%n\n\
         SlurmctldPidFile={at}/slurmctld.pid\n\
         SlurmdPidFile={at}/slurmd-%n.pid\n\
         SlurmctldLogFile={at}/slurmctld.log\n\
         SlurmdLogFile={at}/slurmd-%n.log\n\
         ProctrackType=proctrack/pgid\n\
         TaskPlugin=task/none\n\
         SwitchType=switch/none\n\
         MpiDefault=none\n\
         SelectType=select/cons_tres\n\
         SelectTypeParameters=CR_Core\n\
         ReturnToService=2\n\
         MailProg=/bin/true\n\
         SlurmdParameters=config_overrides\n\
         PartitionName=all Nodes={},{} Default=YES MaxTime=INFINITE State=UP\n",
        first.name, first.space.address, first.name, second.name
    );
    for node in nodes {
        let Node { name, space, port } = node;
        writeln!(
            text,
            "NodeName={name} NodeHostname={name} NodeAddr={} Port={port} CPUs=4 RealMemory=100",
            space.address
        )?;
    }
    Ok(text)
}

/// What the daemons know each other by, with a key of its own.
fn munge(directory: &Path) -> Result<Running> {
    let key = directory.join("munge.key");
    let mut random = File::open("/dev/urandom")?;
    let mut bytes = std::io::Read::take(&mut random, 1_024);
    std::io::copy(&mut bytes, &mut File::create(&key)?)?;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
    let file = |name: &str| directory.join(name).display().to_string();
    let mut munged = Command::new("munged");
    // By force: it is not where the system has it.
    munged
        .args(["--foreground", "--force"])
        .arg(format!("--socket={}", file("munge.sock")))
        .arg(format!("--key-file={}", key.display()))
        .arg(format!("--pid-file={}", file("munge.pid")))
        .arg(format!("--log-file={}", file("munge.log")))
        .arg(format!("--seed-file={}", file("munge.seed")));
    let running = daemon(munged, &directory.join("munge.out"))?;
    let until = monotonic_ns() + START_NS;
    while !directory.join("munge.sock").exists() {
        if monotonic_ns() > until {
            bail!("munged does not start");
        }
        std::thread::sleep(PAUSE);
    }
    Ok(running)
}

fn daemon(mut command: Command, log: &Path) -> Result<Running> {
    let out = File::create(log)?;
    command
        .stdin(Stdio::null())
        .stdout(out.try_clone()?)
        .stderr(out);
    let program = line(&command);
    let child = command
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    Ok(Running(child))
}
