//! "Did you mean", for names of keys. Two names may look alike and mean different things
//! (`request-rate` and `requests`), so names from other tools are known, and a near name counts only
//! where a slip of the finger explains the difference.

use super::Key;

/// What may help somebody who wrote a name that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// This key is meant.
    Key(&'static str),
    /// Another tool's name: what to write here.
    Tip(&'static str),
}

/// A hint for a name, with or without dashes in front, among these keys.
pub fn hint(name: &str, keys: &[&'static Key]) -> Option<Hint> {
    let short = name.len() == 2 && name.starts_with('-');
    // `-U` and `-u` are two flags.
    let bare = match short {
        true => name[1..].to_owned(),
        false => name.trim_start_matches('-').to_ascii_lowercase(),
    };
    let name = bare.replace('_', "-");
    let known = known(keys);
    let exact = known.iter().find(|(known, _)| *known == name);
    let found = exact.or_else(|| nearest(&name, &known));
    found.map(|(_, hint)| *hint)
}

/// Every name that says something, with what it says.
fn known(keys: &[&'static Key]) -> Vec<(&'static str, Hint)> {
    let mut known = Vec::new();
    for key in keys.iter().filter(|key| !key.hidden) {
        known.push((key.name, Hint::Key(key.name)));
        let aliases = key.aliases.iter().map(|a| a.trim_start_matches('-'));
        known.extend(aliases.map(|alias| (alias, Hint::Key(key.name))));
        for foreign in key.foreign {
            let names = foreign.names.iter();
            known.extend(names.map(|name| (*name, Hint::Tip(foreign.tip))));
        }
    }
    known
}

fn nearest<'a>(name: &str, known: &'a [(&'static str, Hint)]) -> Option<&'a (&'static str, Hint)> {
    let slips = match name.len() {
        0..=2 => return None,
        3..=5 => 1,
        _ => 2,
    };
    let far = |known: &str| strsim::osa_distance(name, known);
    let nearest = known.iter().min_by_key(|(known, _)| far(known))?;
    (far(nearest.0) <= slips).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Keyed;
    use crate::plan::Plan;

    fn keys() -> Vec<&'static Key> {
        Plan::KEYS.iter().collect()
    }

    /// What somebody who writes `names` is pointed to, if to anything.
    #[track_caller]
    fn check(key: &str, names: &str) {
        for name in names.split_whitespace() {
            match hint(name, &keys()) {
                Some(Hint::Key(found)) => assert_eq!(found, key.trim_start_matches('-'), "{name}"),
                Some(Hint::Tip(tip)) => assert!(tip.contains(key), "{name}: {tip}"),
                None => assert_eq!("", key, "{name}"),
            }
        }
    }

    #[test]
    fn names_of_other_tools_lead_to_what_means_the_same() {
        check(
            "rate",
            "--request-rate --qps --rps -R --requests-per-second --request_rate",
        );
        check(
            "requests",
            "--num-prompts --num-requests --request-count --max-requests -n",
        );
        check(
            "concurrency",
            "--max-concurrency --vus --users --connections -c --slots",
        );
        check("duration", "-z --benchmark-duration --max-seconds --time");
        check(
            "target",
            "--url --base-url --host --port --server --api-base",
        );
        check(
            "--workload",
            "--random-input-len --osl --isl --output-tokens-mean --input-len",
        );
        check(
            "--dataset",
            "--dataset-name --dataset-path --input-file --prompts",
        );
        check("--slo", "--goodput --slos");
        check("--arrival gamma", "--burstiness");
        check(
            "--warmup",
            "--num-warmups --warmup-request-count --warmup-requests",
        );
        check("--timeout", "--request-timeout --request-timeout-seconds");
        check("--api-key-file", "--api-key --token");
        check("--endpoint", "--backend --endpoint-type --service-kind");
        check(
            "--out",
            "--output-dir --save-result --result-dir --artifact-dir -o",
        );
        check("--model", "--model-name --served-model-name");
        check("--extra-body", "--extra-inputs");
        check("--sampling", "--temperature --top-p");
        check("--prefix", "--random-prefix-len --prefix-prompt-length");
        check("--percentile", "--metric-percentiles --percentile-metrics");
        check("--quiet", "--disable-tqdm");
        check("--save-responses", "--save-detailed");
        check("header", "-H");
        check("seed", "--random-seed");
    }

    #[test]
    fn slips_are_understood() {
        check(
            "rate",
            "--raet --ratee --Rate --request-rat --requst-rate --reqest-rate",
        );
        check("requests", "--request --reqests --num-prompt --num_prompts");
        check("max-connections", "max_connections --max-conections");
        check("concurrency", "--concurency --max-concurency");
        check("duration", "durration --durations");
        check("--warmup", "--warm-up --warmup-request");
    }

    #[test]
    fn what_is_alike_and_means_something_else_is_not_suggested() {
        check(
            "",
            "--rung --steps --batch --title --data-parallel --ratio --cores --lengths",
        );
        check(
            "",
            "--timeout-graceful-stop --request-rewrite --seconds --load zzzzz -x -q2 -",
        );
    }

    #[test]
    fn tips_name_flags_that_exist() {
        let names: Vec<&str> = keys().iter().map(|key| key.name).collect();
        let foreign = Plan::KEYS.iter().flat_map(|key| key.foreign).map(|f| f.tip);
        let values = Plan::KEYS
            .iter()
            .flat_map(|key| key.tips)
            .map(|(_, tip)| *tip);
        for tip in foreign.chain(values) {
            for word in tip.split(' ').filter_map(|word| word.strip_prefix("--")) {
                let name = word.split('=').next().unwrap_or_default();
                let name = name.trim_end_matches([',', ';', ':']);
                assert!(names.contains(&name), "{tip}");
            }
        }
    }

    #[test]
    fn no_name_says_two_things() {
        let keys = keys();
        let mut names = known(&keys);
        names.sort_unstable_by_key(|(name, _)| *name);
        let two = |pair: &&[(&str, Hint)]| pair[0].0 == pair[1].0 && pair[0].1 != pair[1].1;
        let twice = names.windows(2).find(two);
        assert_eq!(twice, None);
    }
}
