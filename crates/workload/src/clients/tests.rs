//! Profiles of clients as they are read, what their requests look like, and what is refused.

use super::*;
use std::collections::HashSet;
use std::fs;

/// A profile of clients with these lines each.
fn profile(clients: &[&str]) -> String {
    let head = "format-version = 1\nname = \"test\"\n".to_owned();
    clients
        .iter()
        .fold(head, |text, client| text + "[[client]]\n" + client + "\n")
}

fn read(text: &str) -> Result<ClientProfile, String> {
    ReadFrom::toml(text, Path::new("")).map_err(|problem| problem.to_string())
}

/// Spearman's rank correlation, ties at their mean rank.
fn rank_correlation(x: &[u32], y: &[u32]) -> f64 {
    let ranks = |values: &[u32]| -> Vec<f64> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let mean_rank = |value: &u32| {
            let below = sorted.partition_point(|v| v < value);
            let up_to = sorted.partition_point(|v| v <= value);
            f64::midpoint(below as f64, up_to as f64 - 1.0)
        };
        values.iter().map(mean_rank).collect()
    };
    let (x, y) = (ranks(x), ranks(y));
    let middle = (x.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 {
        let terms = a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle));
        terms.sum()
    };
    product(&x, &y) / (product(&x, &x) * product(&y, &y)).sqrt()
}

/// Lengths of `n` requests of a client that is alone, one a second.
fn lengths(profile: &ClientProfile, client: u32, n: usize) -> (Vec<u32>, Vec<u32>) {
    let arrivals: Vec<Offset> = (0..n).map(|i| Offset(i as i64 * 1_000_000_000)).collect();
    let trace = profile.trace(&arrivals, &vec![client; n], Offset::ZERO, 5);
    let rows = trace.rows().iter();
    rows.map(|row| (row.input_tokens, row.output_tokens))
        .unzip()
}

#[test]
fn the_bundled_profile_has_many_clients_and_five_make_half_of_the_load() {
    let profile = ClientProfile::open(SYNTHETIC).expect("the bundled profile");
    assert!(profile.clients.len() >= 20, "{}", profile.clients.len());
    assert!(profile.note.is_some_and(|note| note.contains("synthetic")));
    let mut rates: Vec<f64> = profile.clients.iter().map(|c| c.rate).collect();
    rates.sort_by(|a, b| b.total_cmp(a));
    let share = rates[..5].iter().sum::<f64>() / rates.iter().sum::<f64>();
    assert!((0.45..0.55).contains(&share), "{share}");
}

#[test]
fn rank_correlations_are_those_asked_for() {
    let asked = [
        ("lengths = \"lognormal:400/0.9,220/0.7\"", 0.6),
        ("lengths = \"lognormal:400/0.9,220/0.7\"", -0.4),
        ("lengths = \"gamma:900/1.2,uniform:1..300\"", 0.25),
        ("lengths = \"chat\"", 0.8),
        (
            "prompt-density = { tokens = [16, 64, 1024, 9000], weights = [2, 5, 1] }\n\
             answer-density = { tokens = [1, 16, 400], weights = [1, 1] }",
            0.45,
        ),
    ];
    for (lengths_line, rank) in asked {
        let client = format!("name = \"a\"\nrate = 1\n{lengths_line}\nrank-correlation = {rank}");
        let profile = read(&profile(&[&client])).expect("a profile");
        let (prompts, answers) = lengths(&profile, 0, 4_000);
        let found = rank_correlation(&prompts, &answers);
        assert!(
            (found - rank).abs() < 0.05,
            "{lengths_line}: {found} of {rank}"
        );
    }
}

#[test]
fn the_bundled_clients_have_their_rank_correlations() {
    let text = include_str!("synthetic.toml");
    let table: toml::Table = toml::from_str(text).expect("TOML");
    let entries = table["client"].as_array().expect("clients");
    let profile = ClientProfile::open(SYNTHETIC).expect("the bundled profile");
    for (i, entry) in entries.iter().enumerate() {
        let asked = entry
            .get("rank-correlation")
            .and_then(toml::Value::as_float);
        // A short time, outside of every window.
        let arrivals: Vec<Offset> = (0..10_000).map(Offset).collect();
        let trace = profile.trace(&arrivals, &vec![i as u32; 10_000], Offset::ZERO, 9);
        let rows = trace.rows().iter();
        let (x, y): (Vec<u32>, Vec<u32>) = rows.map(|r| (r.input_tokens, r.output_tokens)).unzip();
        if y.iter().all(|answer| *answer == y[0]) {
            continue;
        }
        let found = rank_correlation(&x, &y);
        let asked = asked.unwrap_or(0.0);
        assert!((found - asked).abs() < 0.05, "{entry}: {found}");
    }
}

#[test]
fn densities_have_their_shares_and_means() {
    let client = "name = \"a\"\nrate = 1\n\
                  prompt-density = { tokens = [16, 20, 1000], weights = [3, 1] }\n\
                  answer-density = { tokens = [7, 8], weights = [1] }";
    let profile = read(&profile(&[client])).expect("a profile");
    let (prompts, answers) = lengths(&profile, 0, 4_000);
    assert!(answers.iter().all(|n| *n == 7));
    assert!(prompts.iter().all(|n| (16..1_000).contains(n)));
    let short = prompts.iter().filter(|n| **n < 20).count() as f64 / 4_000.0;
    assert!((short - 0.75).abs() < 0.03, "{short}");
    let (prompt, answer) = profile.clients[0].mean_tokens();
    let expected = 0.75 * 17.5 + 0.25 * (20.0 + 979.0 / 2.0);
    assert!((prompt - expected).abs() < 1e-9, "{prompt}");
    assert!((answer - 7.0).abs() < 1e-9, "{answer}");
    let kinds: HashSet<u32> = prompts.iter().copied().filter(|n| *n < 20).collect();
    assert_eq!(kinds, HashSet::from([16, 17, 18, 19]));
}

#[test]
fn a_client_does_not_depend_on_the_others() {
    let a = "name = \"a\"\nrate = 1\nlengths = \"chat\"";
    let b = "name = \"b\"\nrate = 2\nlengths = \"chat\"";
    let alone = read(&profile(&[b])).expect("a profile");
    let both = read(&profile(&[a, b])).expect("a profile");
    assert_eq!(lengths(&alone, 0, 20), lengths(&both, 1, 20));
    assert_ne!(lengths(&both, 0, 20), lengths(&both, 1, 20));
    assert_eq!(alone.clients[0].seed(3), both.clients[1].seed(3));
    assert_ne!(both.clients[0].seed(3), both.clients[1].seed(3));
}

#[test]
fn windows_and_classes_hold_where_they_say() {
    let client = "name = \"a\"\nclass = \"c\"\nrate = 1\nlengths = \"fixed:100,10\"\n\
                  [[client.window]]\nfrom = \"10s\"\nto = \"20s\"\nlengths = \"fixed:50,5\"";
    let other = "name = \"b\"\nclass = \"c\"\nrate = 1\nlengths = \"fixed:16,1\"";
    let profile = read(&profile(&[client, other])).expect("a profile");
    let at = |s: i64| Offset(s * 1_000_000_000);
    let arrivals = [at(0), at(14), at(15), at(24), at(25), at(30)];
    let trace = profile.trace(&arrivals, &[0, 0, 0, 0, 0, 1], at(5), 1);
    let prompts: Vec<u32> = trace.rows().iter().map(|r| r.input_tokens).collect();
    assert_eq!(prompts, [100, 100, 50, 50, 100, 16]);
    assert_eq!(trace.classes(), ["c"]);
}

#[test]
fn json_and_toml_say_the_same_and_files_lie_beside_the_profile() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        fs::write(dir.path().join(name), text).expect("written");
        dir.path().join(name).display().to_string()
    };
    write("pairs.csv", "input_tokens,output_tokens\n40,4\n50,5\n");
    let client = "name = \"a\"\nrate = 1\narrival = \"gamma\"\ncv = 2\n\
                  lengths = \"empirical:pairs.csv\"";
    let toml = write("p.toml", &profile(&[client]));
    let json = r#"{"format-version": 1, "name": "test", "client": [{"name": "a", "rate": 1,
        "arrival": "gamma", "cv": 2, "lengths": "empirical:pairs.csv"}]}"#;
    let json = write("p.json", json);
    let (toml, json) = (
        ClientProfile::open(&toml).expect("TOML"),
        ClientProfile::open(&json).expect("JSON"),
    );
    assert_eq!(toml.clients[0].gaps, json.clients[0].gaps);
    let (prompts, answers) = lengths(&toml, 0, 50);
    assert_eq!((&prompts, &answers), (&lengths(&json, 0, 50).0, &answers));
    let pairs: HashSet<(u32, u32)> = prompts.into_iter().zip(answers).collect();
    assert_eq!(pairs, HashSet::from([(40, 4), (50, 5)]));
}

#[track_caller]
fn refused(client: &str, expect: &str) {
    let problem = read(&profile(&[client])).expect_err("must be refused");
    assert!(problem.contains(expect), "{problem}");
}

#[test]
fn what_is_wrong_names_the_client_or_the_line() {
    let with = |more: &str| format!("name = \"a\"\nrate = 1\nlengths = \"chat\"\n{more}");
    refused("name = \"a\"\nrate = 1", "client `a`: no lengths; write");
    refused(
        "name = \"a\"\nrate = 0\nlengths = \"chat\"",
        "client `a`: rate 0",
    );
    refused(&with("ratte = 2"), "line 7: unknown field `ratte`");
    refused(&with("arrival = \"gamma\""), "need `cv`");
    refused(&with("cv = 2"), "`cv` needs");
    refused(&with("rank-correlation = 2"), "from -1 to 1");
    refused(
        "name = \"a\"\nrate = 1\nlengths = \"fixed:16,1\"\nrank-correlation = 0.5",
        "a fixed length has none",
    );
    refused(
        &with("[[client.window]]\nfrom = \"5s\"\nto = \"5s\""),
        "`to` must lie after `from`",
    );
    refused(
        &with(
            "[[client.window]]\nfrom = \"5s\"\nto = \"9s\"\n\
             [[client.window]]\nfrom = \"8s\"\nto = \"10s\"",
        ),
        "begins before the one above it has ended",
    );
    refused(
        "name = \"a\"\nrate = 1\nprompt-density = { tokens = [16], weights = [] }\n\
         answer-density = { tokens = [1, 2], weights = [1] }",
        "prompt-density: `tokens` must be two rising",
    );
    refused(
        "name = \"a\"\nrate = 1\nlengths = \"lognormall:1/1,1/1\"",
        "did you mean `lognormal`",
    );
    let twice = profile(&[&with(""), &with("")]);
    assert!(read(&twice).is_err_and(|p| p.contains("two clients are called `a`")));
    assert!(read(&profile(&[])).is_err_and(|p| p.contains("no client")));
    let later = profile(&[&with("")]).replace("format-version = 1", "format-version = 2");
    assert!(read(&later).is_err_and(|p| p.contains("format-version 2")));
    let missing = ClientProfile::open("/nowhere/c.toml").expect_err("no file");
    let said = missing.to_string();
    let expect = "--clients /nowhere/c.toml: cannot be read: ";
    assert!(said.starts_with(expect), "{said}");
}
