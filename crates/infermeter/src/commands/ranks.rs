//! `infermeter run --rendezvous`: one of several processes that something else has started, on one machine or on many.
//!
//! Each measures its part and leaves its record with the others; rank 0 merges and shows. Invariant: a rank that cannot
//! go on tells the others why, and none waits for it in vain.

use super::measuring::{MeasuredRun, Measuring};
use super::run_shown::Showing;
use crate::cli::tables::RunArgs;
use crate::show::Terminal;
use crate::{exit, output, several};
use anyhow::{Context, Result, anyhow, bail};
use infermeter_analysis::all_failed;
use infermeter_core::run::RunState;
use infermeter_ranks::told::{Rank, told};
use infermeter_record::MANIFEST_FILE;
use infermeter_session::experiment::Experiment;
use infermeter_session::judged::Judged;
use infermeter_session::load::Load;
use infermeter_session::ranked::{
    Attendance, Attending, Gathered, MeetingAsked, directory_of, gather,
};
use std::net::SocketAddr;
use std::path::Path;

/// Measures the part of the load that is this rank's; rank 0 shows what all have measured.
///
/// # Errors
/// When nothing says which rank this is, when the ranks do not come together, and when this one's part cannot be
/// measured.
pub(super) fn measure(
    place: &str,
    asked: &RunArgs,
    load: Load,
    showing: &Showing<'_>,
) -> Result<u8> {
    let plan = showing.plan;
    let variable = |name: &str| std::env::var(name).ok();
    let rank = rank(asked, &variable)?;
    let meeting = MeetingAsked {
        place: place.to_owned(),
        timeout: asked.rendezvous_timeout,
        without_missing: asked.without_missing,
        sync: asked.sync.as_deref().map(sync).transpose()?,
    };
    let slice = rank.slice;
    output::note(&format!(
        "rank {} of {}, by {}",
        slice.index(),
        slice.of(),
        rank.told_by
    ));
    load.cut(slice).context("--rank")?;
    if let Some(out) = plan.out.as_deref().filter(|out| is_taken(out)) {
        bail!(
            "--out {}: there is a run already; give a directory that does not exist",
            out.display()
        );
    }
    let experiment = Experiment::of(plan)?;
    let (host, observer) = (several::host()?, Terminal::of(plan));
    let attending = Attending::of_rank(meeting, rank, &experiment, &variable);
    let (attendance, measured) = attended(attending, |attendance| {
        let whole = attendance.whole(plan.out.as_deref());
        let measuring = Measuring {
            plan,
            host: &host,
            observer: &observer,
            exposed: None,
            into: Some(directory_of(&whole, slice.index())),
            shared: Some(attendance.shared()),
        };
        measuring.measured(load).inspect_err(|_| clear(&whole))
    })?;
    let Some(run) = measured else {
        attendance.failed("a signal stopped it before the start");
        return Ok(exit::INTERRUPTED);
    };
    let judged = delivered(&attendance, run, showing)?;
    match slice.index() {
        0 => show_all(&attendance, showing),
        _ => Ok(code_of(&judged)),
    }
}

/// Which rank this is.
fn rank(asked: &RunArgs, variable: &dyn Fn(&str) -> Option<String>) -> Result<Rank> {
    told(asked.rank.as_deref(), variable)?.ok_or_else(|| {
        anyhow!(
            "--rendezvous: nothing says which rank this is: give --rank I/N, or start it by Slurm (srun), Open MPI \
             (mpirun), an indexed job of Kubernetes, or with RANK and WORLD_SIZE in the environment"
        )
    })
}

/// Where rank 0 answers what the time is.
fn sync(text: &str) -> Result<SocketAddr> {
    text.parse().map_err(|_| {
        anyhow!("--sync: `{text}` is not an address and a port: write 10.0.0.5:0, an address of rank 0's host")
    })
}

/// A run was measured into it already. (That ranks of this one have written there says nothing.)
fn is_taken(out: &Path) -> bool {
    out.join(MANIFEST_FILE).exists()
}

/// Nothing was measured: empty directories would only be in the way. Those of others are not empty, and stay.
fn clear(whole: &Path) {
    let ranks = directory_of(whole, 0);
    for directory in [ranks.parent(), Some(whole)].into_iter().flatten() {
        let _ = std::fs::remove_dir(directory);
    }
}

/// Joins the other ranks and measures; where that fails, tells them why.
///
/// # Errors
/// When they do not come together, and what `measure` says.
pub(super) fn attended<T>(
    attending: Attending<'_>,
    measure: impl FnOnce(&Attendance) -> Result<T>,
) -> Result<(Attendance, T)> {
    let attendance = Attendance::join(attending)?;
    match measure(&attendance) {
        Ok(measured) => Ok((attendance, measured)),
        Err(error) => {
            attendance.failed(&format!("{error:#}"));
            Err(error)
        }
    }
}

/// Leaves the record with the others, and says where it is.
fn delivered(attendance: &Attendance, run: MeasuredRun, showing: &Showing<'_>) -> Result<Judged> {
    let MeasuredRun { ended, directory } = run;
    if let Some(error) = ended.unwritten {
        attendance.failed(&format!("its record is not complete: {error:#}"));
        return Err(error);
    }
    let place = attendance.place();
    let kept = attendance.deliver(&directory).with_context(|| {
        format!(
            "the record in {} could not be left in {place}; `infermeter merge` puts directories of ranks together",
            directory.display()
        )
    });
    if let Err(error) = kept {
        attendance.failed(&format!("{error:#}"));
        return Err(error);
    }
    if !attendance.is_first() {
        showing.place(ended.judged.manifest.state, &directory);
    }
    Ok(ended.judged)
}

/// Waits for the records of the others, merges and shows them.
fn show_all(attendance: &Attendance, showing: &Showing<'_>) -> Result<u8> {
    let whole = attendance.whole(showing.plan.out.as_deref());
    let mut tell = |line: &str| {
        if !showing.plan.quiet {
            output::note(line);
        }
    };
    for missing in attendance.collect(&whole, &mut tell) {
        output::note(&format!("note: {missing}"));
    }
    let Gathered { ended, unusable } = gather(&whole)?;
    for one in unusable {
        output::note(&format!("note: nothing of {one}"));
    }
    showing.ended(ended, &whole)
}

/// The exit code of a rank whose part others judge with theirs: whether it was measured at all.
fn code_of(judged: &Judged) -> u8 {
    match judged.manifest.state {
        RunState::Interrupted => exit::INTERRUPTED,
        RunState::Running | RunState::Finished => match all_failed(&judged.summary) {
            true => exit::TARGET,
            false => exit::OK,
        },
    }
}
