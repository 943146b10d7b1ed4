//! Which rank a process is: by its own flag, else by the environment that whatever started it has set.
//!
//! It asks nobody and starts nothing. Invariant: a rank that is told is one of those that there are; half of what says it,
//! or nonsense, is an error and never a guess.

mod launchers;
#[cfg(test)]
mod tests;

use crate::files::names::MOST_RANKS;
use infermeter_core::schedule::Slice;
use infermeter_core::text::inert;
use launchers::{LAUNCHERS, Launcher};

/// Most bytes of a value that a message repeats.
const SHOWN_BYTES: usize = 60;

/// What reads a variable of the environment.
type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Which rank a process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rank {
    /// The part of the load that it sends.
    pub slice: Slice,
    /// Who said so.
    pub told_by: &'static str,
    /// What the launcher calls this launch, the same for all of its ranks; absent where it has no name.
    pub launch: Option<String>,
}

/// Why it is not known which rank a process is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToldError {
    /// The flag cannot be read.
    #[error("--rank {given}: {why}")]
    Flag {
        /// What was given.
        given: String,
        /// What is wrong with it, and what to write.
        why: String,
    },
    /// One variable of two is there.
    #[error("{has} is set and {lacks} is not, so {by} does not say which rank this is: {advice}")]
    Half {
        /// Who would say it.
        by: &'static str,
        /// The variable that is there.
        has: &'static str,
        /// The one that is not.
        lacks: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// A variable does not hold a number.
    #[error("{variable} is `{value}`, which is not a whole number from 0 to {MOST_RANKS}")]
    Nonsense {
        /// Which.
        variable: &'static str,
        /// What it holds.
        value: String,
    },
    /// There are fewer ranks than that.
    #[error("{variable} is {index} and {of_variable} is {of}: ranks of {of} count from 0")]
    None {
        /// The variable with the rank's number.
        variable: &'static str,
        /// The number.
        index: u32,
        /// The variable with the number of ranks.
        of_variable: &'static str,
        /// How many there are.
        of: u32,
    },
    /// The script of a Slurm job, where only one of the ranks runs.
    #[error(
        "SLURM_PROCID is 0 and SLURM_NTASKS is {of}, but this is the script of the job and not one of its tasks: put `srun` \
         in front of the command, or give --rank"
    )]
    Script {
        /// How many ranks there would be.
        of: u32,
    },
}

/// Which rank this process is: what the flag says, as in `3/8`; without it what the environment says, by the first
/// launcher whose variable is there. `None` where nothing says it.
///
/// What was started inside a task of Slurm or a pod of Kubernetes inherits the variables of that; where `mpirun`,
/// `mpiexec` or `torchrun` have set other numbers, those are the process's own.
///
/// # Errors
/// When what says it is incomplete or no rank.
pub fn told(flag: Option<&str>, env: Environment<'_>) -> Result<Option<Rank>, ToldError> {
    if let Some(flag) = flag {
        let slice = of_flag(flag)?;
        return Ok(Some(Rank {
            slice,
            told_by: "flags",
            launch: None,
        }));
    }
    // Set to nothing is how a variable is taken back where none can be unset.
    let env = &|name: &str| env(name).filter(|value| !value.trim().is_empty());
    let Some(first) = LAUNCHERS.iter().find(|one| env(one.index).is_some()) else {
        return LAUNCHERS
            .iter()
            .find_map(|one| one.half(env))
            .map_or(Ok(None), Err);
    };
    let rank = first.or_inside(env)?;
    match launchers::is_script(&rank, env) {
        true => Err(ToldError::Script {
            of: rank.slice.of(),
        }),
        false => Ok(Some(rank)),
    }
}

impl Launcher {
    /// What it says, unless another launcher that it has started says otherwise.
    fn or_inside(&self, env: Environment<'_>) -> Result<Rank, ToldError> {
        let own = self.rank(env);
        let inside = LAUNCHERS
            .iter()
            .find(|one| self.starts_others && one.was_started_inside(env));
        let Some(inside) = inside.map(|one| one.rank(env)) else {
            return own;
        };
        match (own, inside) {
            (Ok(own), Ok(inside)) if own.slice == inside.slice => Ok(own),
            (_, inside) => inside,
        }
    }

    /// What its variables say.
    fn rank(&self, env: Environment<'_>) -> Result<Rank, ToldError> {
        let of_variable = self.sizes.iter().copied().find(|size| env(size).is_some());
        let Some(of_variable) = of_variable else {
            return Err(ToldError::Half {
                by: self.by,
                has: self.index,
                lacks: self.size(),
                advice: self.without_size,
            });
        };
        let (index, of) = (number(self.index, env)?, number(of_variable, env)?);
        let slice = Slice::new(index, of).map_err(|_| ToldError::None {
            variable: self.index,
            index,
            of_variable,
            of,
        })?;
        Ok(Rank {
            slice,
            told_by: self.by,
            launch: self.launch_name(env),
        })
    }

    /// Where the number of ranks is there and that of this one is not.
    fn half(&self, env: Environment<'_>) -> Option<ToldError> {
        // One that is not the launcher's own says nothing of it.
        let has = self.sizes.first().copied();
        let has = has.filter(|size| !launchers::is_ours(size))?;
        env(has).map(|_| ToldError::Half {
            by: self.by,
            has,
            lacks: self.index,
            advice: self.without_index,
        })
    }
}

fn of_flag(given: &str) -> Result<Slice, ToldError> {
    let wrong = |why: String| ToldError::Flag {
        given: inert(given, SHOWN_BYTES),
        why,
    };
    let parts = given
        .split_once('/')
        .and_then(|(index, of)| Some((digits(index)?, digits(of)?)));
    let Some((index, of)) = parts else {
        return Err(wrong(
            "write I/N, part I from 0 of N, as in --rank 3/8".to_owned(),
        ));
    };
    if of > MOST_RANKS {
        return Err(wrong(format!("a launch has at most {MOST_RANKS} ranks")));
    }
    Slice::new(index, of).map_err(|_| match of {
        0 => wrong("there is no part of none".to_owned()),
        _ => wrong(format!("parts of {of} are numbered from 0 to {}", of - 1)),
    })
}

fn number(variable: &'static str, env: Environment<'_>) -> Result<u32, ToldError> {
    let value = env(variable).unwrap_or_default();
    let read = digits(value.trim()).filter(|number| *number <= MOST_RANKS);
    read.ok_or_else(|| ToldError::Nonsense {
        variable,
        value: inert(&value, SHOWN_BYTES),
    })
}

/// A number without a sign.
fn digits(text: &str) -> Option<u32> {
    let all = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}
