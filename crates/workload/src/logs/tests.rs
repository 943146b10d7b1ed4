//! Every format by its fixture, and files as they come: mixed, cut off, with lines and clocks that cannot be.

use super::Shared;
use super::asked::{ImportOptions, Imported, LogError, MappedCall, TextsKept};
use super::format::LogFormat;
use super::import::import_sources;
use super::left_out::Reason;
use super::records::{OpenLog, Source};
use super::sessions::Reuse;
use crate::tokenizer::Tokenizer;
use crate::trace::{BlockOrigin, Row, TraceOptions, TraceReader, runs_of};
use std::fmt::Write as _;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

fn options<'m>(texts: TextsKept) -> ImportOptions<'m> {
    ImportOptions {
        format: None,
        block_tokens: 64,
        texts,
        tokenizer: Tokenizer::open("o200k").expect("built in"),
        counter: None,
        key: crate::keyed::HashKey::new([7; 32]),
        folder: std::env::temp_dir(),
        mapping: None,
    }
}

fn written(
    sources: Vec<Source>,
    options: &ImportOptions<'_>,
) -> Result<(Imported, String), LogError> {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let paths = vec![PathBuf::from("a.jsonl"); sources.len()];
    let imported = import_sources(
        sources,
        &paths,
        options,
        Box::new(Shared(Arc::clone(&kept))),
    )?;
    let bytes = kept.lock().expect("no panic").clone();
    Ok((imported, String::from_utf8(bytes).expect("JSON is UTF-8")))
}

fn source(bytes: impl Into<Vec<u8>>) -> Source {
    Source::Input(Box::new(Cursor::new(bytes.into())))
}

fn rows(text: &str) -> Vec<Row> {
    let reader = TraceReader::new(text.as_bytes(), TraceOptions::default()).expect("a header");
    reader.collect::<Result<_, _>>().expect("rows")
}

/// `at input/output session #name after(wait) class blocks`, each where it is there.
fn shown(row: &Row, blocks: BlockOrigin) -> String {
    let ms = |ns: i64| ns as f64 / 1e6;
    let number = |n: Option<u32>| n.map_or("-".to_owned(), |n| n.to_string());
    let mut text = row.at_ns.map_or("-".to_owned(), |at| ms(at).to_string());
    let _ = write!(
        text,
        " {}/{}",
        number(row.input_tokens),
        number(row.output_tokens)
    );
    if let (Some(session), Some(name)) = (&row.session, &row.name) {
        let _ = write!(text, " s{session} #{name}");
    }
    if let Some(parent) = &row.parent {
        let after: Vec<&str> = [parent]
            .into_iter()
            .chain(&row.also_after)
            .map(|n| &**n)
            .collect();
        let wait = row.delay_ns.map_or("-".to_owned(), |ns| ms(ns).to_string());
        let _ = write!(text, " after {} +{wait}", after.join("&"));
    }
    if let Some(class) = &row.class {
        let _ = write!(text, " {class}");
    }
    let runs = runs_of(&row.hash_ids);
    match blocks {
        BlockOrigin::PerSession => {
            for run in runs {
                let _ = write!(text, " {}x{}", run.first, run.count);
            }
        }
        _ if runs.is_empty() => {}
        _ => {
            let _ = write!(text, " {} blocks", row.hash_ids.len());
        }
    }
    text
}

fn reasons(imported: &Imported) -> Vec<(Reason, u64)> {
    imported
        .left_out
        .iter()
        .map(|left| (left.reason, left.records))
        .collect()
}

fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/seeds/logs")
        .join(name);
    std::fs::read(path).expect(name)
}

#[track_caller]
fn check(name: &str, format: LogFormat, expect: &[&str], left_out: &[(Reason, u64)]) -> Imported {
    let (imported, text) =
        written(vec![source(fixture(name))], &options(TextsKept::Hashed)).expect(name);
    let found: Vec<String> = rows(&text)
        .iter()
        .map(|row| shown(row, imported.blocks))
        .collect();
    assert_eq!(found, expect, "{name}");
    assert_eq!(imported.formats, [format], "{name}");
    assert_eq!(reasons(&imported), left_out, "{name}");
    assert_eq!(imported.rows, expect.len() as u64);
    imported
}

#[test]
fn sessions_of_coding_agents() {
    let imported = check(
        "copilot.jsonl",
        LogFormat::Copilot,
        &[
            "0 1000/100 s1 #1 user 0x15",
            "1000 640/60 s2 #2 user 16777216x10",
            "5000 1300/50 s1 #3 after 1 +3000 agent 0x20",
            "5500 500/10 s1 #4 after 1 +3500 agent 20x7",
            "12000 1420/80 s1 #5 after 4&3 +2500 agent 0x20 27x2",
        ],
        &[(Reason::Failed, 1)],
    );
    let expect = Reuse {
        recorded: 128 + 1_000 + 1_290,
        reproduced: 15 * 64 + 20 * 64,
        of_others: 128,
    };
    assert_eq!(imported.reuse, expect);
    assert_eq!(
        (imported.sessions, imported.waiting, imported.joining),
        (2, 3, 1)
    );
    assert_eq!(imported.blocks, BlockOrigin::PerSession);
    assert!(imported.notes[0].contains("what sessions share with each other is unknown"));
}

#[test]
fn spans_of_three_generations() {
    check(
        "spans-otlp.jsonl",
        LogFormat::Spans,
        &["0 200/20 s1 #1 model 1 0x3", "3000 300/30 s2 #2"],
        &[
            (Reason::WrongValue, 1),
            (Reason::Failed, 1),
            (Reason::NoCall, 1),
        ],
    );
    check(
        "span-lines.jsonl",
        LogFormat::Spans,
        &["0 64/8 s1 #1", "3000 80/8 s1 #2 after 1 +2000 model 1"],
        &[],
    );
}

#[test]
fn the_two_sides_of_a_call_are_one_row() {
    let span = |own: &str, parent: &str, at: u32| {
        format!(
            "{{\"trace_id\":\"aa\",\"span_id\":\"{own}\",\"parent_span_id\":\"{parent}\",\"name\":\"chat\",\
             \"start_time\":\"2026-03-01T10:00:0{at}Z\",\"end_time\":\"2026-03-01T10:00:0{at}.5Z\",\
             \"attributes\":{{\"gen_ai.operation.name\":\"chat\",\"gen_ai.usage.input_tokens\":64,\
             \"gen_ai.usage.output_tokens\":8}}}}\n"
        )
    };
    let log = span("2", "1", 0) + &span("1", "", 0) + &span("3", "", 2);
    let (imported, _) = written(vec![source(log)], &options(TextsKept::None)).expect("rows");
    assert_eq!(imported.rows, 2);
    assert_eq!(reasons(&imported), [(Reason::OtherSide, 1)]);
}

#[test]
fn proxies_and_observers() {
    check(
        "litellm.jsonl",
        LogFormat::LiteLlm,
        &[
            "0 11/7 s1 #1 model 1",
            "4750 40/9 s1 #2 after 1 +3250 model 1",
        ],
        &[
            (Reason::Failed, 1),
            (Reason::AnsweredBefore, 1),
            (Reason::NoOutput, 1),
        ],
    );
    let imported = check(
        "langfuse.csv",
        LogFormat::Langfuse,
        &[
            "0 100/10 s1 #1 model 1 0x1",
            "3000 160/12 s1 #2 after 1 +1000 model 1 0x2",
        ],
        &[(Reason::Failed, 1), (Reason::NoCall, 1)],
    );
    assert_eq!(imported.records, 4);
    check(
        "langfuse.jsonl",
        LogFormat::Langfuse,
        &["0 32/4 s1 #1 model 1"],
        &[],
    );
}

#[test]
fn a_sub_agents_session_is_its_parents() {
    check(
        "dynamo.jsonl",
        LogFormat::Dynamo,
        &[
            "0 150/16 s1 #1 model 1 2 blocks",
            "3500 200/8 s1 #2 after 1 +1500 model 1 3 blocks",
        ],
        &[(Reason::NoCall, 1)],
    );
    let (_, text) = written(
        vec![source(fixture("dynamo.jsonl"))],
        &options(TextsKept::Hashed),
    )
    .expect("rows");
    let rows = rows(&text);
    assert_eq!(rows[1].hash_ids[..2], rows[0].hash_ids);
    // The log's own hashes could be looked up.
    assert!(!rows[0].hash_ids.contains(&7));
}

#[test]
fn traffic_batches_and_access_logs() {
    let imported = check(
        "goreplay.gor",
        LogFormat::GoReplay,
        &["0 12/7 model 1", "2000 4/- model 1"],
        &[
            (Reason::CutOff, 1),
            (Reason::NoCall, 1),
            (Reason::Unpaired, 1),
        ],
    );
    assert_eq!(imported.records, 6);
    let imported = check(
        "batch.jsonl",
        LogFormat::Batch,
        &["- 6/- model 1"],
        &[(Reason::NotSent, 2)],
    );
    assert!(
        imported.notes[0].contains("no instants"),
        "{:?}",
        imported.notes
    );
    check(
        "envoy.jsonl",
        LogFormat::Access,
        &["0 -/-", "3000 -/-"],
        &[(Reason::Failed, 1), (Reason::NoCall, 1)],
    );
    check(
        "nginx.jsonl",
        LogFormat::Access,
        &["0 -/-", "2500 -/-"],
        &[],
    );
}

#[test]
fn a_mapping_reads_the_rest() {
    let read = |row: &serde_json::Value| {
        Ok::<_, String>(MappedCall {
            start_s: row["when"].as_str().and_then(|text| text.parse().ok()),
            input_tokens: row["in"].as_str().and_then(|text| text.parse().ok()),
            output_tokens: row["out"].as_str().and_then(|text| text.parse().ok()),
            session: row["who"].as_str().map(str::to_owned),
            ..MappedCall::default()
        })
    };
    let options = ImportOptions {
        mapping: Some(&read),
        ..options(TextsKept::Hashed)
    };
    let table = "when,who,in,out\n1.5,anna,30,3\n0.5,ben,20,2\n2.5,anna,1.5,4\n";
    let (imported, text) = written(vec![source(table)], &options).expect("rows");
    let found: Vec<String> = rows(&text)
        .iter()
        .map(|row| shown(row, imported.blocks))
        .collect();
    assert_eq!(found, ["0 20/2 s2 #1", "1000 30/3 s1 #2"]);
    assert_eq!(reasons(&imported), [(Reason::WrongValue, 1)]);
    assert!(!text.contains("anna") && !text.contains("ben"));
}

#[test]
fn odd_lines_are_counted_with_their_places() {
    let (imported, _) = written(
        vec![source(fixture("mixed.jsonl"))],
        &options(TextsKept::None),
    )
    .expect("rows");
    let expect = [
        (Reason::Broken, 2),
        (Reason::OtherFormat, 1),
        (Reason::WrongValue, 1),
        (Reason::WrongTime, 1),
    ];
    assert_eq!(reasons(&imported), expect);
    assert_eq!((imported.records, imported.rows), (7, 2));
    let said = imported.left_out[0].described(&["a.jsonl".to_owned()]);
    assert!(
        said.starts_with("2 records (lines 3, 7): not whole JSON"),
        "{said}"
    );
    // The same file twice, as a folder of shards: places name the shard.
    let both = vec![
        source(fixture("mixed.jsonl")),
        source(fixture("mixed.jsonl")),
    ];
    let (imported, _) = written(both, &options(TextsKept::None)).expect("rows");
    let files = ["a.jsonl".to_owned(), "b.jsonl".to_owned()];
    let said = imported.left_out[0].described(&files);
    assert!(
        said.contains("a.jsonl:3, a.jsonl:7, b.jsonl:3, ..."),
        "{said}"
    );
}

#[test]
fn what_is_cut_off_loses_its_end_alone() {
    let whole = fixture("litellm.jsonl");
    let (imported, _) = written(
        vec![source(&whole[..whole.len() - 300])],
        &options(TextsKept::None),
    )
    .expect("rows");
    assert!(
        reasons(&imported).contains(&(Reason::CutOff, 1)),
        "{imported:?}"
    );
    assert_eq!(imported.rows, 2);
    // A packed file that ends in the middle.
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    packer.write_all(&whole).expect("packed");
    let packed = packer.finish().expect("packed");
    let (imported, _) = written(
        vec![source(&packed[..packed.len() - 400])],
        &options(TextsKept::None),
    )
    .expect("rows");
    assert!(
        reasons(&imported)
            .iter()
            .any(|(reason, _)| *reason == Reason::CutOff),
        "{imported:?}"
    );
    let error = written(
        vec![source(fixture("cut-off.jsonl"))],
        &options(TextsKept::None),
    );
    let said = error.expect_err("no whole record").to_string();
    assert!(
        said.contains("no calls") && said.contains("cut off"),
        "{said}"
    );
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let none: OpenLog = |_| Err(std::io::ErrorKind::PermissionDenied.into());
    let sources = vec![
        source(fixture("litellm.jsonl")),
        Source::File("b.jsonl".into(), none),
    ];
    let paths = ["a.jsonl", "b.jsonl"].map(PathBuf::from);
    let out = Box::new(Shared(Arc::default()));
    let error = import_sources(sources, &paths, &options(TextsKept::None), out);
    let said = error.expect_err("a file is missing").to_string();
    assert!(said.starts_with("b.jsonl: permission denied"), "{said}");
}

#[test]
fn no_hash_is_written_without_texts_and_none_beyond_the_prompt() {
    let event = |input: &str| {
        format!(
            "{{\"event_time_unix_ms\":1,\"event_type\":\"request_end\",\"request\":{{\"request_received_ms\":1772359200000,{input}\
             \"output_tokens\":4,\"replay\":{{\"trace_block_size\":64,\"input_sequence_hashes\":[7,8,9]}}}}}}\n"
        )
    };
    let log = event("\"input_tokens\":65,") + &event("");
    let (imported, text) =
        written(vec![source(log.clone())], &options(TextsKept::None)).expect("rows");
    assert_eq!(imported.blocks, BlockOrigin::None);
    assert!(
        !text.contains("hash_ids") && !text.contains("block_tokens"),
        "{text}"
    );
    let (imported, text) = written(vec![source(log)], &options(TextsKept::Hashed)).expect("rows");
    assert_eq!(imported.blocks, BlockOrigin::Recorded);
    let blocks: Vec<usize> = rows(&text).iter().map(|row| row.hash_ids.len()).collect();
    assert_eq!(blocks, [2, 0]);
}

#[test]
fn kinds_that_a_log_made_up_become_numbers() {
    let log = String::from_utf8(fixture("copilot.jsonl")).expect("UTF-8");
    let log = log.replace("\"initiator_type\":\"user\"", "\"initiator_type\":\"anna\"");
    let (_, text) = written(vec![source(log)], &options(TextsKept::Hashed)).expect("rows");
    assert!(!text.contains("anna"), "{text}");
    assert!(
        text.contains("\"kind 1\"") && text.contains("\"agent\""),
        "{text}"
    );
}

#[test]
fn a_gigabyte_line_is_passed_over() {
    let line = fixture("nginx.jsonl");
    let line = Cursor::new(
        line.split_inclusive(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default()
            .to_vec(),
    );
    let long = std::io::repeat(b'x').take(1 << 30);
    let end = Cursor::new(b"\n".to_vec());
    let input = line.clone().chain(long).chain(end).chain(line);
    let (imported, _) = written(
        vec![Source::Input(Box::new(input))],
        &options(TextsKept::None),
    )
    .expect("rows");
    assert_eq!(reasons(&imported), [(Reason::TooLong, 1)]);
    assert_eq!((imported.left_out[0].first[0].line, imported.rows), (2, 2));
}

#[test]
fn clock_jumps_are_named() {
    let call = |s: u32| {
        format!(
            "{{\"call_type\":\"completion\",\"status\":\"success\",\"startTime\":{s},\"endTime\":{s},\
             \"prompt_tokens\":9,\"completion_tokens\":3}}\n"
        )
    };
    let log: String = [
        1_772_359_200,
        1_772_359_260,
        1_772_352_000,
        1_772_352_001,
        1_780_000_000,
    ]
    .map(call)
    .concat();
    let (imported, text) = written(vec![source(log)], &options(TextsKept::None)).expect("rows");
    let lines: Vec<u64> = imported
        .first_jumps
        .iter()
        .map(|place| place.line)
        .collect();
    assert_eq!((imported.jumps, lines), (2, vec![3, 5]));
    // They are sorted all the same.
    let instants: Vec<Option<i64>> = rows(&text).iter().map(|row| row.at_ns).collect();
    assert!(
        instants.is_sorted() && instants[0] == Some(0),
        "{instants:?}"
    );
}

#[test]
fn an_array_and_objects_over_several_lines_are_read() {
    let lines = String::from_utf8(fixture("litellm.jsonl")).expect("UTF-8");
    let values: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let array = serde_json::to_string_pretty(&values).expect("JSON");
    let (imported, _) = written(vec![source(array)], &options(TextsKept::None)).expect("rows");
    assert_eq!((imported.records, imported.rows), (5, 2));
}

#[test]
fn no_word_of_a_prompt_is_written_unless_asked_for() {
    for (texts, named) in [
        (TextsKept::None, false),
        (TextsKept::Hashed, false),
        (TextsKept::Plain, true),
    ] {
        let (_, text) =
            written(vec![source(fixture("litellm.jsonl"))], &options(texts)).expect("rows");
        for canary in ["rivers", "Europe", "t-1", "chatcmpl", "gpt-x", "1772359200"] {
            let there = text.contains(canary);
            let kept = named && ["rivers", "Europe"].contains(&canary);
            assert_eq!(there, kept, "{texts:?} {canary}: {text}");
        }
    }
}

#[test]
fn what_is_no_log_says_what_it_has() {
    let error = written(
        vec![source("{\"a\":1,\"b\":2}\n")],
        &options(TextsKept::None),
    );
    let said = error.expect_err("unknown").to_string();
    assert!(
        said.contains("the members a, b") && said.contains("--map"),
        "{said}"
    );
    let said = written(vec![source("")], &options(TextsKept::None))
        .expect_err("empty")
        .to_string();
    assert!(said.contains("no calls: the files are empty"), "{said}");
}
