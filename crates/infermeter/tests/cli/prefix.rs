//! What prompts share, against the simulator's prefix cache: sharing inside a run, none across
//! runs, and what is said of it.

use crate::process::{Mock, Run, Scratch, infermeter, run_with, words};
use infermeter_core::record::{Outcome, RequestRecord};

/// One request at a time, so that each finds what all before it left.
const LINE: &str = "--concurrency 1 --requests 12 --workload fixed:256,2 --no-probe \
                    --model mock/llama-8b-h100";

fn caching(details: bool) -> Mock {
    Mock::start(&format!(
        "--preset llama-8b-h100 --set prompt-tokens-details={details}"
    ))
}

fn run_on(mock: &Mock, more: &str) -> Run {
    run_with(words(&format!("run {} {LINE} {more}", mock.url)), |_| {})
}

/// Those that the end of the run did not cut short.
fn completed(run: &Run) -> Vec<RequestRecord> {
    let mut records = run.records();
    records.retain(|record| record.outcome == Outcome::Completed);
    assert!(records.len() >= 12, "{:#?}", run.ran);
    records
}

fn cached(run: &Run) -> Vec<u32> {
    let of = |record: &RequestRecord| record.cached_tokens.expect("usage says");
    completed(run).iter().map(of).collect()
}

/// Tokens of the chat template before the first message: shared by all, and less than a block.
const BLOCK: u32 = 16;

#[test]
fn what_one_run_shares_no_other_run_finds() {
    let mock = caching(true);
    for (flags, first_hit) in [
        ("--warmup 0 --prefix shared:1/128", 1),
        ("--warmup 3req --prefix tiling:3/128/64", 3),
        ("--warmup 0 --prefix hit:0.5", 1),
    ] {
        for _ in 0..2 {
            let found = cached(&run_on(&mock, flags));
            let (fresh, later) = found.split_at(first_hit);
            assert!(fresh.iter().all(|n| *n == 0), "{flags}: {found:?}");
            // At least what is shared but for a block cut short, never the whole prompt.
            let whole = later.iter().all(|n| (128 - BLOCK..=144).contains(n));
            assert!(whole, "{flags}: {found:?}");
        }
    }
}

#[test]
fn prompts_without_salt_are_found_by_the_next_run() {
    let mock = caching(true);
    let flags = "--warmup 0 --prefix none";
    let first = run_on(&mock, flags);
    assert!(cached(&first).iter().all(|n| *n == 0));
    let second = run_on(&mock, flags);
    let hits = cached(&second);
    assert!(hits[..12].iter().all(|n| *n >= 240), "{hits:?}");
    let advice = second.finding("prefix-cache-hit")["advice"].to_string();
    assert!(advice.contains("--prefix none"), "{advice}");
    // The default salts each prompt anew.
    let salted = run_on(&mock, "--warmup 0");
    assert!(cached(&salted).iter().all(|n| *n == 0));
}

#[test]
fn the_realised_rate_stands_beside_the_one_asked_for() {
    let mock = caching(true);
    let run = run_on(&mock, "--warmup 4req --prefix hit:0.5");
    let cache = &run.manifest()["summary"]["prefix_cache"];
    assert_eq!(cache["asked"], 0.5);
    assert_eq!(cache["unlimited"], 0.5);
    assert_eq!(cache["realised"]["source"], "usage");
    let share = cache["realised"]["share"].as_f64().expect("a share");
    // 128 of 256 tokens and the template's 16.
    assert!((share - 128.0 / 272.0).abs() < 0.06, "{share}");
    assert!(run.ran.out.contains("asked 50.0 %"), "{}", run.ran.out);
    run.finding("prefix-cache-shared");
}

#[test]
fn counters_stand_in_where_usage_is_silent() {
    let mock = caching(false);
    let line = "--concurrency 1 --requests 10 --warmup 0 --workload fixed:256,2";
    let line = format!("run {} {line} --prefix shared:1/128", mock.url);
    let run = run_with(words(&line), |_| {});
    let cache = &run.manifest()["summary"]["prefix_cache"]["realised"];
    assert_eq!(cache["source"], "server_counters");
    // The ten, and what the drain had in flight.
    let prompts = cache["prompt_tokens"].as_u64().expect("a number");
    let sent = run.records().len() as u64;
    assert!((2_720..=272 * sent).contains(&prompts), "{prompts}");
    // All but the first find the system prompt.
    let share = cache["share"].as_f64().expect("a share");
    let most = 128.0 / 272.0;
    assert!(share > 0.75 * most && share <= 144.0 / 272.0, "{share}");
    let control = run.manifest()["control_requests"].clone();
    let reads = control.as_array().expect("a list").iter();
    let reads = reads.filter(|r| r["request"] == "GET /metrics").count();
    assert_eq!(reads, 2);
}

#[test]
fn system_prompts_are_messages_of_their_own_where_there_are_messages() {
    let mock = caching(true);
    let counted = |more: &str| {
        let run = run_on(&mock, &format!("--warmup 0 --prefix shared:2/128 {more}"));
        let records = completed(&run);
        let over: Vec<i64> = records
            .iter()
            .map(|r| {
                i64::from(r.prompt_tokens.expect("usage")) - i64::from(r.requested_prompt_tokens)
            })
            .collect();
        over[..12].to_vec()
    };
    let (chat, completions) = (counted(""), counted("--endpoint completions"));
    let plain = completed(&run_on(&mock, "--warmup 0"));
    let one = plain[0].prompt_tokens.expect("usage") - 256;
    // Two messages have more of a template than one, and a text has none.
    assert!(
        chat.iter().all(|n| *n == chat[0] && *n > i64::from(one)),
        "{chat:?}"
    );
    assert_eq!(completions, vec![completions[0]; 12]);
    assert!(completions[0] <= 1, "{completions:?}");
}

/// What is shared stays in a workload file: the same requests, with the run's salt before them.
#[test]
fn workload_files_keep_what_is_shared() {
    let mock = caching(true);
    let scratch = Scratch::new();
    let file = scratch.path("shared.jsonl");
    let file = file.to_str().expect("UTF-8");
    let load = "--concurrency 1 --requests 12 --warmup 0 --workload fixed:256,2";
    let made = infermeter(&format!(
        "workload make {load} --prefix shared:1/128 --out {file}"
    ));
    assert_eq!(made.code, Some(0), "{made:#?}");
    for _ in 0..2 {
        let line = format!(
            "run {} --workload-file {file} --concurrency 1 --requests 12 --warmup 0 --no-probe \
             --model mock/llama-8b-h100",
            mock.url
        );
        let found = cached(&run_with(words(&line), |_| {}));
        assert_eq!(found[0], 0, "{found:?}");
        assert!(found[1..12].iter().all(|n| *n >= 112), "{found:?}");
    }
    let line = format!("run http://h --workload-file {file} --prefix none --dry-run");
    infermeter(&line).fails(2, &["--prefix and --workload-file"]);
}

#[test]
fn impossible_sharing_names_the_flag() {
    for (flags, said) in [
        ("--prefix bust:3", "--prefix"),
        ("--prefix shred:3/100", "did you mean `shared`"),
        ("--prefix hit:0.99", "at most 0.9"),
        ("--prefix tiling:8/100/20 --requests 12", "write 8 or 16"),
        ("--prefix tiling:8/100/20", "a multiple of 8"),
    ] {
        let requests = if flags.contains("tiling") {
            ""
        } else {
            "--requests 5"
        };
        let line = format!("run http://h --rate 5 --workload fixed:256,2 {requests} {flags}");
        infermeter(&format!("{line} --dry-run")).fails(2, &[said]);
    }
}
