//! The formats beside Azure's: what each says, and what is wrong with rows of each.

use crate::files::{MOONCAKE, file_of, options, packed, read, refuse, refuse_with, with};
use infermeter_core::environment::SkipReason;
use infermeter_workload::{
    Row, Sharing, Texts, Tokenizer, Trace, TraceFormat, TraceOptions, read_rows,
};
use std::path::Path;

const SECOND: i64 = 1_000_000_000;

fn seed(name: &str) -> Vec<u8> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/trace");
    std::fs::read(Path::new(dir).join(name)).expect("a seed")
}

#[test]
fn burstgpt_failures_are_counted() {
    let (rows, facts) = read(&seed("burstgpt.csv")).expect("a trace");
    assert_eq!(facts.format, TraceFormat::BurstGpt);
    assert_eq!(facts.skipped[0].reason, SkipReason::Failed);
    assert_eq!(facts.skipped[0].touched.first_lines, [3]);
    let second = Row {
        line: 4,
        at_ns: Some(113 * SECOND + SECOND / 4),
        input_tokens: Some(417),
        output_tokens: Some(276),
        class: Some("API log".to_owned()),
        session: Some("9".to_owned()),
        ..Row::default()
    };
    assert_eq!(rows[1], second);
    // The first release has neither session nor elapsed time.
    let old = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,3,4,7,API log\n";
    assert_eq!(read(old.as_bytes()).expect("a trace").0[0].session, None);
    refuse(
        &old.replace("5,Chat", "-5,Chat"),
        "line 2: Timestamp is `-5`",
    );
}

#[test]
fn mooncake_blocks_must_fit() {
    let mut sharing = Sharing::default();
    let facts = read_rows(Path::new(MOONCAKE), &TraceOptions::default(), &mut |row| {
        sharing.add(&row.hash_ids, row.input_tokens.expect("a length"), 512);
        Ok(())
    });
    let facts = facts.expect("a trace");
    assert_eq!((facts.rows, facts.block_tokens), (45, Some(512)));
    let counts = sharing.counts();
    // Counted with another program from the same 45 rows.
    assert_eq!((counts.blocks, counts.block_hits), BLOCKS_OF_SLICE);
    let row = "{\"timestamp\": 0, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [0]}";
    refuse(
        row,
        "line 1: 1 hash_ids for 600 prompt tokens: blocks of 512 tokens need 2",
    );
    let small = row.replace("[0]", &format!("{:?}", (0..38).collect::<Vec<u32>>()));
    refuse(
        &small,
        "blocks of 16 would fit: read it with the options format=vllm",
    );
    let lacking = row.replace("\"timestamp\"", "\"time\"");
    refuse_with(
        "format=mooncake",
        &lacking,
        "no timestamp, which the format mooncake needs: found the members hash_ids, input_length",
    );
    refuse(
        &row.replace("600", "-600"),
        "line 1: input_length is `-600`",
    );
    refuse(&row.replace("600", "6e2"), "input_length is `600.0`");
    refuse(
        &row.replace("[0]", "[-1]"),
        "line 1: not a row: invalid value: integer `-1`",
    );
    let sound = row.replace("600", "60");
    refuse(&sound.replace(": 0,", ": \"now\","), "timestamp is `now`");
    let mixed = format!("{sound}\nTIMESTAMP,ContextTokens\n");
    refuse(&mixed, "line 2: not a row");
    let cut = format!("{sound}\n{}", &row[..50]);
    refuse(&cut, "line 2: not a whole JSON object");
}

/// Blocks, and those seen before, of the slice of the Mooncake trace.
const BLOCKS_OF_SLICE: (u64, u64) = (1092, 44);

#[test]
fn coarse_instants_are_spread_over_their_step() {
    let recorded = Trace::read(Path::new(MOONCAKE), &TraceOptions::default()).expect("a trace");
    let spread = |seed| {
        let mut options = options(&["spread"]);
        options.seed = seed;
        Trace::read(Path::new(MOONCAKE), &options).expect("a trace")
    };
    let one = spread(1);
    assert_eq!(one.rows(), spread(1).rows());
    assert_ne!(one.rows(), spread(2).rows());
    let base = recorded.rows().iter().zip(one.rows());
    let first = base
        .clone()
        .next()
        .map_or(0, |(r, s)| s.offset_ns - r.offset_ns);
    assert!(base.clone().any(|(r, s)| r.offset_ns != s.offset_ns));
    for (recorded, spread) in base {
        assert_eq!(recorded.input_tokens, spread.input_tokens);
        // The spread instants begin at 0 like all: up to a step lies before the first of them.
        let moved = spread.offset_ns - recorded.offset_ns + 3 * SECOND - first;
        assert!((0..=6 * SECOND).contains(&moved), "{moved}");
    }
    assert!(
        one.rows()
            .windows(2)
            .all(|two| two[0].offset_ns <= two[1].offset_ns)
    );
    let said = one.facts().expect("facts").remarks().join(" ");
    assert!(
        said.contains("spread 45 rows") && said.contains("seed 1"),
        "{said}"
    );
}

#[test]
fn qwen_chains_become_sessions() {
    let (rows, facts) = read(&seed("qwen.jsonl")).expect("a trace");
    assert_eq!(
        (facts.format, facts.block_tokens),
        (TraceFormat::Qwen, Some(16))
    );
    assert_eq!(rows[1].at_ns, Some(386_000_000));
    let place = |row: &Row| (row.session.clone(), row.parent.clone(), row.turn);
    let text = |t: &str| Some(t.to_owned());
    assert_eq!(place(&rows[0]), (text("159"), None, Some(1)));
    assert_eq!(place(&rows[1]), (text("159"), text("159"), Some(2)));
    assert_eq!(rows[1].class, text("search"));
    let orphan = String::from_utf8(seed("qwen.jsonl"))
        .expect("text")
        .replace(": 159, \"time", ": 7, \"time");
    let (rows, facts) = read(orphan.as_bytes()).expect("a trace");
    assert_eq!(rows[1].session, text("7"));
    assert_eq!(facts.orphans.first_lines, [2]);
}

#[test]
fn timed_traces_need_their_unit_and_block_size() {
    let row = "{\"timestamp\": 1.5, \"input_length\": 40, \"output_length\": 5, \"hash_ids\": [1, 2, 3]}\n{\"timestamp\": 2.5, \"input_length\": 4, \"output_length\": 5}\n";
    let declared = ["format=vllm", "time-unit=s", "block-size=16"];
    let (rows, _) = with(&declared, row.as_bytes()).expect("a trace");
    assert_eq!((rows[1].at_ns, rows[1].hash_ids.len()), (Some(SECOND), 0));
    let no_size = with(&declared[..2], row.as_bytes()).expect_err("no block size");
    assert!(no_size.to_string().contains("block-size"), "{no_size}");
    refuse_with("format=vllm", row, "time-unit");
    refuse(
        "{\"timestamp\": 1, \"input_length\": 4, \"output_length\": 5}",
        "known are",
    );
}

#[test]
fn clipped_prompts_lose_their_last_blocks() {
    let row = "{\"timestamp\": 0, \"input_length\": 1100, \"output_length\": 88, \"hash_ids\": [1, 2, 3]}";
    let (rows, facts) = with(&["max-context=600", "clip"], row.as_bytes()).expect("rows");
    assert_eq!(rows[0].hash_ids, [1]);
    assert_eq!((rows[0].input_tokens, facts.clipped.rows), (Some(512), 1));
}

/// Roles, texts and the answer of each row of a dataset.
fn said(name: &str) -> Vec<(String, Option<String>)> {
    let file = file_of(&seed(name));
    let mut rows = Vec::new();
    let facts = read_rows(file.path(), &TraceOptions::default(), &mut |row| {
        rows.push(row);
        Ok(())
    });
    let mut texts = Texts::open(file.path(), facts.expect("rows").format).expect("texts");
    rows.iter()
        .map(|row| {
            let request = texts.get(&row.text.expect("a text")).expect("a request");
            let lines: Vec<String> = request
                .messages
                .iter()
                .map(|m| format!("{}: {}", m.role.as_str(), m.text))
                .collect();
            (lines.join("|"), request.answer)
        })
        .collect()
}

#[test]
fn texts_are_found_where_rows_point() {
    let pair = |prompt: &str, answer: &str| {
        let answer = (!answer.is_empty()).then(|| answer.to_owned());
        (prompt.to_owned(), answer)
    };
    let first = "user: Say \"[}\".";
    assert_eq!(
        said("sharegpt.json"),
        [
            pair(first, "[}"),
            pair(&format!("{first}|assistant: [}}|user: Again."), "[}\n")
        ]
    );
    assert_eq!(
        said("messages.jsonl"),
        [
            pair("system: Be brief.|user: Why?", ""),
            pair("user: What is it?", "A cat.")
        ]
    );
    assert_eq!(
        said("prompts.csv"),
        [
            pair("user: Two\nlines, \"quoted\"", ""),
            pair("user: plain", "")
        ]
    );
    assert_eq!(said("prompts.jsonl")[0], pair("user: Count to ten.", ""));
    let agent = said("agentic.jsonl");
    assert!(
        agent[1]
            .0
            .ends_with("user: List the files.|assistant: |tool: a b"),
        "{agent:?}"
    );
    assert_eq!(agent[1].1.as_deref(), Some("Two: a and b."));
}

#[test]
fn rows_of_texts_have_turns_delays_and_no_times() {
    let (rows, facts) = read(&seed("sharegpt.json")).expect("rows");
    assert_eq!(facts.skipped[0].reason, SkipReason::NoAnswer);
    assert_eq!(
        (rows[1].turn, rows[1].session.as_deref()),
        (Some(2), Some("a"))
    );
    let (rows, _) = read(&seed("messages.jsonl")).expect("rows");
    assert_eq!((rows[0].output_tokens, rows[1].images), (Some(20), Some(1)));
    let (rows, _) = read(&seed("agentic.jsonl")).expect("rows");
    assert_eq!(
        (rows[0].delay_ns, rows[1].delay_ns),
        (None, Some(SECOND * 5 / 4))
    );
    let file = file_of(&seed("agentic.jsonl"));
    let error = Trace::read(file.path(), &TraceOptions::default()).expect_err("no times");
    assert!(
        error
            .to_string()
            .contains("without a time cannot be replayed"),
        "{error}"
    );
}

#[test]
fn broken_texts_name_their_place() {
    refuse("[{\"conversations\": []}]", "no rows left");
    refuse(
        "[{\"conversations\": [{\"from\": \"human\", \"value\": \"a\"}]}, ",
        "line 1: the array is not closed",
    );
    refuse(
        "[{\"conversations\": [{\"from\": \"me\", \"value\": \"a\"}]}]",
        "line 1: unknown role `me`",
    );
    refuse(
        "[\n{\"conversations\": 5}]",
        "line 2: invalid type: integer `5`",
    );
    refuse(
        "[{\"prompt\": \"a\"}] x",
        "line 1: something follows the closing bracket",
    );
    refuse(
        "{\"prompt\": \"\"}\n",
        "no rows left: 1 row (line 1): an empty prompt",
    );
    refuse(
        "{\"prompt\": \"a\"}\n{\"text\": \"a\"}\n",
        "line 2: no prompt, which the format prompts needs",
    );
    let agent =
        |id| format!("{{\"conversation_id\": \"{id}\", \"role\": \"user\", \"content\": \"a\"}}\n");
    let scattered = [agent("a"), agent("b"), agent("a")].concat();
    refuse(
        &scattered,
        "line 3: conversation `a` goes on after another began",
    );
    let file = packed(&seed("prompts.csv"));
    let error = Texts::open(file.path(), TraceFormat::Prompts).expect_err("packed");
    assert!(error.to_string().contains("unpack it"), "{error}");
}

#[test]
fn the_salt_of_a_text_is_its_beginning() {
    let file = file_of(&seed("messages.jsonl"));
    let (rows, facts) = read(&seed("messages.jsonl")).expect("rows");
    let mut texts = Texts::open(file.path(), facts.format).expect("texts");
    let plain = texts
        .get(&rows[0].text.expect("a text"))
        .expect("a request");
    let tokenizer = Tokenizer::open("o200k").expect("built in");
    let salted = |salt| plain.clone().salted(&tokenizer, salt).prompt();
    assert_ne!(salted(1), salted(2));
    let slot = salted(1);
    let slot = slot
        .strip_suffix(&format!(". {}", plain.prompt()))
        .expect("the text is kept");
    assert_eq!(slot.split(' ').count(), 8);
}
