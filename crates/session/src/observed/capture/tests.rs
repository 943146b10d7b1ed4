//! Captures of exchanges made by hand: what is in their files, and what is not.

use super::super::fixture::{end, event, header, seen, side};
use super::*;
use infermeter_workload::{TraceOptions, read_rows};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// A word that stands nowhere else.
const CANARY: &str = "zanzibarquokka";

fn ask(texts: KeptTexts) -> CaptureAsk {
    CaptureAsk {
        texts,
        block_tokens: 16,
        tokenizer: "o200k".to_owned(),
        target: "http://localhost:8000".to_owned(),
    }
}

struct Kept {
    _scratch: tempfile::TempDir,
    directory: PathBuf,
    captured: Captured,
}

fn captured(texts: KeptTexts, all: &[Seen]) -> Kept {
    let scratch = tempfile::tempdir().expect("a folder");
    let directory = scratch.path().join("capture");
    let mut capture = Capture::create(&directory, ask(texts)).expect("begun");
    for seen in all {
        capture.take(seen);
    }
    let captured = capture.finish(&Counts::default()).captured;
    Kept {
        _scratch: scratch,
        directory,
        captured,
    }
}

fn rows(kept: &Kept) -> Vec<Row> {
    let mut rows = Vec::new();
    let path = kept.directory.join(TRACE_FILE);
    read_rows(&path, &TraceOptions::default(), &mut |row| {
        rows.push(row);
        Ok(())
    })
    .expect("rows");
    rows
}

fn chat(messages: &[(&str, &str)]) -> String {
    let messages: Vec<Value> = messages
        .iter()
        .map(|(role, text)| json!({"role": role, "content": text}))
        .collect();
    json!({"model": "m", "stream": true, "temperature": 0.5, "max_tokens": 64, "messages": messages})
        .to_string()
}

/// A system prompt of some forty tokens.
fn system() -> String {
    "You are a helpful helper and you help who needs it. ".repeat(4)
}

fn conversation() -> Vec<Seen> {
    let system = system();
    let first = [("system", system.as_str()), ("user", "Who are you?")];
    let answered = [
        first[0],
        first[1],
        ("assistant", "I help"),
        ("user", "Whom?"),
    ];
    let other = [first[0], ("user", CANARY)];
    let answer = |begun: i64| side(begun, &[event("I"), event(" help"), end(50, 2)]);
    vec![
        seen(0, 0, &chat(&first), answer(1)),
        // The third one came before the second one had ended.
        seen(2, 400, &chat(&other), answer(401)),
        seen(1, 300, &chat(&answered), answer(301)),
    ]
}

#[test]
fn rows_have_instants_lengths_sessions_and_shared_blocks() {
    let kept = captured(KeptTexts::Hashed, &conversation());
    let rows = rows(&kept);
    let ats: Vec<Option<i64>> = rows
        .iter()
        .map(|row| row.at_ns.map(|ns| ns / 1_000_000))
        .collect();
    assert_eq!(ats, [Some(0), Some(300), Some(400)], "in order of time");
    assert!(
        rows.iter()
            .all(|row| row.input_tokens == Some(50) && row.output_tokens == Some(2))
    );
    let sessions: Vec<&str> = rows
        .iter()
        .filter_map(|row| row.session.as_deref())
        .collect();
    assert_eq!(sessions[0], sessions[1]);
    assert_ne!(sessions[0], sessions[2]);
    assert_eq!(rows[1].parent.as_deref(), Some("0"));
    // The first answer ended at 41 ms.
    assert_eq!(rows[1].delay_ns, Some(259_000_000));
    let shared = |a: &Row, b: &Row| {
        a.hash_ids
            .iter()
            .zip(&b.hash_ids)
            .take_while(|(a, b)| a == b)
            .count()
    };
    assert!(
        shared(&rows[0], &rows[1]) >= 2 && shared(&rows[0], &rows[2]) >= 2,
        "{rows:?}"
    );
    assert_eq!((kept.captured.rows, kept.captured.going_on), (3, 1));
    assert_eq!(kept.captured.left_out, []);
}

/// Every form in which a byte string could have been written.
fn forms(text: &str) -> Vec<String> {
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let mut forms = vec![text.to_owned(), hex(text.as_bytes())];
    // Base64 at each of its three phases, without the ends that depend on what stands around.
    for before in 0..3 {
        let padded = [vec![b'x'; before], text.as_bytes().to_vec()].concat();
        let coded = infermeter_core::base64::base64(&padded);
        let inner = coded.trim_end_matches('=');
        forms.push(inner[4..inner.len() - 2].to_owned());
    }
    let digest = Sha256::digest(text.as_bytes());
    forms.push(hex(&digest));
    forms.push(hex(&digest[..8]));
    let first: [u8; 8] = digest[..8].try_into().expect("eight bytes");
    for number in [u64::from_le_bytes(first), u64::from_be_bytes(first)] {
        forms.extend([number.to_string(), (number >> 12).to_string()]);
    }
    forms
}

#[test]
fn no_word_of_a_prompt_is_in_any_file() {
    let kept = captured(KeptTexts::Hashed, &conversation());
    let bare = captured(KeptTexts::None, &conversation());
    for directory in [&kept.directory, &bare.directory] {
        let files: Vec<_> = std::fs::read_dir(directory).expect("a folder").collect();
        assert_eq!(files.len(), 2, "{files:?}");
        for file in files {
            let path = file.expect("a file").path();
            let text = std::fs::read_to_string(&path).expect("text");
            for form in forms(CANARY).iter().chain(&forms("Who are you?")) {
                assert!(
                    !text.contains(form.as_str()),
                    "{form} in {}",
                    path.display()
                );
            }
        }
    }
    assert!(rows(&bare).iter().all(|row| row.hash_ids.is_empty()));
}

#[test]
fn hashes_cannot_be_computed_again_without_the_key() {
    let (one, other) = (
        captured(KeptTexts::Hashed, &conversation()),
        captured(KeptTexts::Hashed, &conversation()),
    );
    let ids = |kept: &Kept| -> Vec<u64> {
        rows(kept)
            .iter()
            .flat_map(|row| row.hash_ids.clone())
            .collect()
    };
    let (one, other) = (ids(&one), ids(&other));
    assert_eq!(one.len(), other.len());
    assert!(
        one.iter().all(|id| !other.contains(id)),
        "two keys, no hash in common"
    );
}

#[test]
fn plain_texts_come_back_as_messages() {
    let kept = captured(KeptTexts::Plain, &conversation());
    let rows = rows(&kept);
    assert!(rows.iter().all(|row| row.text.is_some()));
    let text = std::fs::read_to_string(kept.directory.join(TRACE_FILE)).expect("rows");
    assert!(text.contains(CANARY));
}

#[test]
fn what_is_in_no_row_is_counted() {
    let mut models = seen(0, 0, "", side(1, &[]));
    models.path = "/v1/models".to_owned();
    let broken = seen(1, 0, "{\"messages\": 7}", side(1, &[]));
    let mut coded = seen(
        2,
        0,
        &chat(&[("user", "Hi")]),
        side(1, &[event("x"), end(3, 1)]),
    );
    coded
        .primary
        .headers
        .push(header("content-encoding", "gzip"));
    let kept = captured(KeptTexts::Hashed, &[models, broken, coded]);
    let left_out: Vec<(&str, u64)> = kept
        .captured
        .left_out
        .iter()
        .map(|of| (of.why.as_str(), of.requests))
        .collect();
    assert_eq!(
        left_out,
        [
            ("of no known API", 1),
            ("that are not understood", 1),
            ("coded answers", 1)
        ]
    );
    assert_eq!(kept.captured.rows, 0);
}

#[test]
fn lengths_that_the_server_does_not_tell_are_labelled() {
    let untold = "data: {\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let answer = side(1, &[event("one"), event(" two"), untold.to_owned()]);
    let kept = captured(
        KeptTexts::Hashed,
        &[seen(0, 0, &chat(&[("user", "Who are you?")]), answer)],
    );
    assert_eq!(
        (
            kept.captured.estimated_prompts,
            kept.captured.estimated_answers
        ),
        (1, 1)
    );
    let rows = rows(&kept);
    assert_eq!(
        (rows[0].input_tokens, rows[0].output_tokens),
        (Some(4), Some(2))
    );
    let text = std::fs::read_to_string(kept.directory.join(TRACE_FILE)).expect("rows");
    assert!(
        text.contains("\"input_from\":\"tokenizer\"")
            && text.contains("\"output_from\":\"tokenizer\"")
    );
}

#[test]
fn a_capture_that_was_cut_off_is_readable() {
    let scratch = tempfile::tempdir().expect("a folder");
    let directory = scratch.path().join("capture");
    let mut capture = Capture::create(&directory, ask(KeptTexts::Hashed)).expect("begun");
    for seen in &conversation()[..2] {
        capture.take(seen);
    }
    // Killed: nothing is finished.
    std::mem::forget(capture);
    let mut count = 0;
    read_rows(
        &directory.join(TRACE_FILE),
        &TraceOptions::default(),
        &mut |_| {
            count += 1;
            Ok(())
        },
    )
    .expect("rows");
    assert_eq!(count, 2);
    assert!(Capture::create(&directory, ask(KeptTexts::Hashed)).is_err());
}

#[test]
fn a_disk_that_is_full_ends_the_rows_and_nothing_else() {
    let scratch = tempfile::tempdir().expect("a folder");
    let directory = scratch.path().join("capture");
    let mut capture = Capture::create(&directory, ask(KeptTexts::Hashed)).expect("begun");
    let all = conversation();
    capture.take(&all[0]);
    capture.file.fill_disk();
    for seen in &all[1..3] {
        capture.take(seen);
    }
    let ended = capture.finish(&Counts::default());
    let why = ended.unwritten.expect("a reason");
    assert!(
        why.contains("cannot write") && why.contains(TRACE_FILE),
        "{why}"
    );
    let left_out = &ended.captured.left_out;
    assert_eq!(
        (ended.captured.rows, left_out[0].requests),
        (1, 2),
        "{left_out:?}"
    );
    assert!(left_out[0].why.contains("could not be written"));
    let kept = Kept {
        _scratch: scratch,
        directory,
        captured: ended.captured,
    };
    assert_eq!(rows(&kept).len(), 1);
}
