//! Whether a rank that something else has started has cores of its own.
//!
//! Ranks of one host that nobody has bound to cores would all pin their threads to the same ones, and each would wait
//! busily for what the others use. So threads are pinned only where the launcher has given the process a part of the
//! host's cores, or says that no other rank is there. Invariant: in doubt nothing is pinned, which costs some accuracy,
//! and never another rank's.

use super::part::CoresOf;
use infermeter_core::schedule::Slice;
use infermeter_probe::host::host_facts;
use infermeter_sys::affinity;

/// Variables that say how many ranks of the launch are on this host.
const ON_HOST: [&str; 5] = [
    "SLURM_STEP_TASKS_PER_NODE",
    "OMPI_COMM_WORLD_LOCAL_SIZE",
    "LOCAL_WORLD_SIZE",
    "MPI_LOCALNRANKS",
    "PMI_LOCAL_SIZE",
];

/// Reads a variable of the environment.
type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Whose cores a rank of this process runs on.
pub(crate) fn cores_of(slice: Slice, variable: Variable<'_>) -> CoresOf {
    let all = host_facts().cores.unwrap_or(usize::MAX);
    let bound = affinity::allowed_cores().len() < all;
    match bound || slice.is_whole() || is_alone(variable) {
        true => CoresOf::Itself,
        false => CoresOf::Several,
    }
}

/// The launcher says that there is one rank on each host.
fn is_alone(variable: Variable<'_>) -> bool {
    // Slurm writes `1(x8)` for eight hosts with one each, and `2,1` for two that differ.
    let ones = |text: String| {
        let mut counts = text.split(',').map(|part| part.split('(').next());
        counts.all(|count| count.map(str::trim) == Some("1"))
    };
    ON_HOST.into_iter().filter_map(variable).any(ones)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_launcher_says_how_many_ranks_are_on_a_host() {
        let check = |name: &'static str, value: &'static str, expect: bool| {
            let variable = |asked: &str| (asked == name).then(|| value.to_owned());
            assert_eq!(is_alone(&variable), expect, "{name}={value}");
        };
        check("SLURM_STEP_TASKS_PER_NODE", "1(x8)", true);
        check("SLURM_STEP_TASKS_PER_NODE", "1", true);
        check("SLURM_STEP_TASKS_PER_NODE", "2(x3),1", false);
        check("OMPI_COMM_WORLD_LOCAL_SIZE", "1", true);
        check("OMPI_COMM_WORLD_LOCAL_SIZE", "11", false);
        check("LOCAL_WORLD_SIZE", "4", false);
        check("HOME", "1", false);
    }

    #[test]
    fn one_rank_of_one_has_the_host_for_itself() {
        assert_eq!(cores_of(Slice::WHOLE, &|_| None), CoresOf::Itself);
    }
}
