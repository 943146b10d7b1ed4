//! Environments as launchers leave them, and whatever else may stand in one.

use super::launchers::LAUNCHERS;
use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn with(variables: &[(&str, &str)]) -> Result<Option<Rank>, ToldError> {
    let map: BTreeMap<&str, &str> = variables.iter().copied().collect();
    told(None, &|name| map.get(name).map(|value| (*value).to_owned()))
}

#[track_caller]
fn is(variables: &[(&str, &str)], expect: (u32, u32), by: &str, launch: Option<&str>) {
    let rank = with(variables).expect("a rank").expect("somebody says it");
    assert_eq!((rank.slice.index(), rank.slice.of()), expect);
    assert_eq!((rank.told_by, rank.launch.as_deref()), (by, launch));
}

#[track_caller]
fn fails(variables: &[(&str, &str)], expect: &[&str]) {
    let error = with(variables).expect_err("no rank").to_string();
    for part in expect {
        assert!(error.contains(part), "no `{part}`: {error}");
    }
}

#[test]
fn each_launcher_is_understood() {
    let slurm = [
        ("SLURM_PROCID", "3"),
        ("SLURM_NTASKS", "8"),
        ("SLURM_JOB_ID", "17"),
        ("SLURM_STEP_ID", "0"),
    ];
    is(&slurm, (3, 8), "Slurm", Some("17.0"));
    let open_mpi = [
        ("OMPI_COMM_WORLD_RANK", "1"),
        ("OMPI_COMM_WORLD_SIZE", "2"),
        ("PMIX_RANK", "1"),
        ("PMIX_NAMESPACE", "prterun-a-9@1"),
    ];
    is(&open_mpi, (1, 2), "Open MPI", Some("prterun-a-9@1"));
    is(&[("PMI_RANK", "0"), ("PMI_SIZE", "4")], (0, 4), "PMI", None);
    is(
        &[("PMIX_RANK", "2"), ("INFERMETER_RANKS", "3")],
        (2, 3),
        "PMIx",
        None,
    );
    let pod = [
        ("JOB_COMPLETION_INDEX", "5"),
        ("INFERMETER_RANKS", "6"),
        ("INFERMETER_LAUNCH", "uid"),
    ];
    is(&pod, (5, 6), "Kubernetes", Some("uid"));
    let torchrun = [
        ("RANK", "0"),
        ("WORLD_SIZE", "1"),
        ("TORCHELASTIC_RUN_ID", "none"),
    ];
    is(&torchrun, (0, 1), "RANK and WORLD_SIZE", None);
    assert_eq!(with(&[("HOME", "/"), ("RANK", "")]), Ok(None));
}

#[test]
fn what_was_started_inside_a_task_is_its_own_rank() {
    // A script of a job starts mpirun, which hands the script's variables on.
    let job = [
        ("SLURM_JOB_ID", "17"),
        ("SLURM_PROCID", "0"),
        ("SLURM_NTASKS", "8"),
    ];
    let mpi = [("OMPI_COMM_WORLD_RANK", "5"), ("OMPI_COMM_WORLD_SIZE", "8")];
    is(&[&job[..], &mpi].concat(), (5, 8), "Open MPI", None);
    // Without a number of tasks as well.
    is(&[&job[..2], &mpi].concat(), (5, 8), "Open MPI", None);
    let torch = [
        ("RANK", "9"),
        ("WORLD_SIZE", "16"),
        ("TORCHELASTIC_RUN_ID", "a"),
    ];
    let pod = [("JOB_COMPLETION_INDEX", "1"), ("INFERMETER_RANKS", "2")];
    is(
        &[&pod[..], &torch].concat(),
        (9, 16),
        "RANK and WORLD_SIZE",
        Some("a"),
    );
    // srun says the same by PMI: it is a task of Slurm.
    let task = [("SLURM_STEP_ID", "1"), ("PMI_RANK", "0"), ("PMI_SIZE", "8")];
    is(&[&job[..], &task].concat(), (0, 8), "Slurm", Some("17.1"));
    // What somebody has exported himself is not looked at where Slurm says it.
    let left = [("SLURM_STEP_ID", "1"), ("RANK", "7"), ("WORLD_SIZE", "9")];
    is(&[&job[..], &left].concat(), (0, 8), "Slurm", Some("17.1"));
}

#[test]
fn half_of_it_and_nonsense_are_named() {
    fails(
        &[("RANK", "3")],
        &["RANK is set and WORLD_SIZE is not", "--rank"],
    );
    fails(
        &[("WORLD_SIZE", "3")],
        &["WORLD_SIZE is set and RANK is not"],
    );
    fails(&[("SLURM_NTASKS", "3")], &["SLURM_PROCID is not", "`srun`"]);
    fails(
        &[("JOB_COMPLETION_INDEX", "0")],
        &["INFERMETER_RANKS is not", "completions"],
    );
    fails(&[("PMIX_RANK", "0")], &["INFERMETER_RANKS"]);
    fails(
        &[("RANK", "3"), ("WORLD_SIZE", "3")],
        &["RANK is 3 and WORLD_SIZE is 3"],
    );
    fails(&[("RANK", "0"), ("WORLD_SIZE", "0")], &["WORLD_SIZE is 0"]);
    for nonsense in ["-1", "+1", "1.5", "x\u{1b}", "4294967296", "100001"] {
        let variables = [
            ("OMPI_COMM_WORLD_RANK", nonsense),
            ("OMPI_COMM_WORLD_SIZE", "9"),
        ];
        fails(&variables, &["OMPI_COMM_WORLD_RANK is `"]);
    }
    let script = [
        ("SLURM_JOB_ID", "17"),
        ("SLURM_PROCID", "0"),
        ("SLURM_NTASKS", "8"),
    ];
    fails(&script, &["script of the job", "`srun`"]);
}

#[test]
fn the_flag_is_read_before_everything_else() {
    let slurm = |name: &str| (name == "SLURM_PROCID").then(|| "nonsense".to_owned());
    let rank = told(Some("3/8"), &slurm).expect("a rank").expect("told");
    assert_eq!((rank.slice.index(), rank.slice.of()), (3, 8));
    assert_eq!((rank.told_by, rank.launch), ("flags", None));
    let fails = |flag: &str, expect: &str| {
        let error = told(Some(flag), &|_| None)
            .expect_err("no rank")
            .to_string();
        assert!(
            error.starts_with("--rank ") && error.contains(expect),
            "{error}"
        );
    };
    fails("2/2", "2/2: parts of 2 are numbered from 0 to 1");
    fails("0/0", "no part of none");
    fails("0/100001", "at most 100000");
    for nonsense in [
        "",
        "3",
        "a/b",
        "1/2/3",
        "-1/2",
        "+1/2",
        " 1/2",
        "\u{202e}1/2",
    ] {
        fails(nonsense, "write I/N");
    }
}

proptest! {
    #[test]
    fn the_first_that_is_there_says_it(index in 0_u32..50, more in 1_u32..50, there in any::<[bool; 6]>()) {
        let of = index + more;
        let mut map = BTreeMap::new();
        for (launcher, _) in LAUNCHERS.iter().zip(there).filter(|(_, there)| *there) {
            map.insert(launcher.index, index);
            map.extend(launcher.sizes.iter().map(|size| (*size, of)));
        }
        let rank = told(None, &|name| map.get(name).map(u32::to_string)).expect("whole");
        let first = LAUNCHERS.iter().find(|launcher| map.contains_key(launcher.index));
        prop_assert_eq!(rank.as_ref().map(|rank| rank.told_by), first.map(|launcher| launcher.by));
        let expect = first.map(|_| (index, of));
        prop_assert_eq!(rank.map(|rank| (rank.slice.index(), rank.slice.of())), expect);
    }

    #[test]
    fn whatever_stands_there_gives_a_rank_that_exists_or_an_error_that_names_it(
        values in proptest::collection::vec(proptest::option::of("[ -~]{0,12}|[0-9]{1,6}"), 12)
    ) {
        let names: Vec<&str> = LAUNCHERS
            .iter()
            .flat_map(|launcher| [launcher.index, launcher.sizes[0]])
            .collect();
        let map: BTreeMap<&str, String> = names
            .into_iter()
            .zip(values)
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        match told(None, &|name| map.get(name).cloned()) {
            Ok(Some(rank)) => prop_assert!(rank.slice.index() < rank.slice.of()),
            Ok(None) => {
                let unset = |name| map.get(name).is_none_or(|value| value.trim().is_empty());
                let none = LAUNCHERS.iter().all(|launcher| unset(launcher.index));
                prop_assert!(none, "{map:?}");
            }
            Err(error) => {
                let error = error.to_string();
                let named = map.keys().any(|name| error.contains(name));
                prop_assert!(named, "{}", error);
            }
        }
    }

    #[test]
    fn a_flag_that_is_read_is_what_was_written(index in 0_u32..1_000, more in 1_u32..1_000) {
        let flag = format!("{index}/{}", index + more);
        let rank = told(Some(&flag), &|_| None).expect("a rank").expect("told");
        prop_assert_eq!((rank.slice.index(), rank.slice.of()), (index, index + more));
    }
}
