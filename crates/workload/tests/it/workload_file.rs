//! The workload file: what was written is read back, whoever cuts or changes it is told where.

use infermeter_core::clock::Offset;
use infermeter_core::plan::WorkloadKind;
use infermeter_core::request::{
    BodyMember, FollowUp, Message, Prompt, RequestContent, RequestSpec, Role, Turn,
};
use infermeter_workload::{
    FileHeader, FileRequest, SlotKey, Tokenizer, Workload, WorkloadFile, WorkloadWriter,
    encode_line,
};
use std::path::{Path, PathBuf};

fn tokenizer() -> Tokenizer {
    Tokenizer::open("o200k").expect("built in")
}

fn about(classes: &[&str]) -> FileHeader {
    FileHeader {
        tokenizer: "o200k".to_owned(),
        classes: classes.iter().map(|c| (*c).to_owned()).collect(),
        ..FileHeader::default()
    }
}

/// Writes requests to `dir/name`.
fn written(dir: &Path, name: &str, requests: &[FileRequest]) -> PathBuf {
    let path = dir.join(name);
    let mut writer = WorkloadWriter::create(&path, about(&["chat", "code"])).expect("a file");
    for request in requests {
        let class = ["chat", "code"][usize::from(request.spec.class)];
        let mut line = Vec::new();
        encode_line(&mut line, request, class).expect("JSON");
        writer.append(&line, 1).expect("room");
    }
    writer.finish().expect("room");
    path
}

fn session() -> [FileRequest; 2] {
    let turn = |number| Turn { session: 4, number };
    let first = FileRequest {
        spec: RequestSpec {
            turn: Some(turn(0)),
            ..RequestSpec::alone(8, 40, 7)
        },
        at_ns: Some(1_500),
        next: vec![FollowUp {
            id: 9,
            delay_ns: 2_000,
            planned: Some(Offset(5_000)),
            further: 0,
        }],
        slot: Some(SlotKey::Own(4)),
        content: RequestContent::Prompt(Prompt {
            messages: vec![
                Message::new(Role::System, " be brief \"now\"\n"),
                Message {
                    images: vec!["data:image/png;base64,AA==".into()],
                    ..Message::new(Role::User, "é")
                },
            ],
            members: vec![BodyMember {
                name: "temperature".into(),
                json: "0.5".into(),
            }],
        }),
    };
    let second = FileRequest {
        spec: RequestSpec {
            class: 1,
            turn: Some(turn(1)),
            ..RequestSpec::alone(9, 60, 3)
        },
        at_ns: None,
        next: Vec::new(),
        slot: Some(SlotKey::Run),
        content: RequestContent::of_prompt("x"),
    };
    [first, second]
}

#[test]
fn requests_come_back_as_they_were() {
    let dir = tempfile::tempdir().expect("a folder");
    let requests = session();
    let path = written(dir.path(), "w.jsonl", &requests);
    let file = WorkloadFile::open(&path).expect("a workload file");
    assert_eq!(file.header().requests, 2);
    for (request, entry) in requests.iter().zip(file.entries()) {
        assert_eq!(entry.spec, request.spec);
        assert_eq!((entry.at_ns, &entry.next), (request.at_ns, &request.next));
        assert_eq!(entry.slot, request.slot);
        assert_eq!(file.content(entry).expect("its line"), request.content);
    }
    let workload = Workload::from_file(file, tokenizer()).with_salt(1);
    let spec = workload.spec(8);
    let text = workload.content(&spec, &[]).expect("content");
    let text = &text.messages()[0].text;
    let slot = text
        .strip_suffix(" be brief \"now\"\n")
        .expect("behind the slot");
    assert_eq!(slot.split(' ').count(), 8);
    let next = workload.next_turns(&spec);
    assert_eq!(
        (next.len(), next[0].id, next[0].delay_ns),
        (1, 9, Some(2_000))
    );
    assert_eq!(next[0].offset_ns, Some(5_000));
    let awaited = workload.awaited(&workload.spec(9)).expect("it waits");
    assert_eq!((awaited.parent, awaited.offset_ns), (8, Some(5_000)));
}

#[test]
fn a_file_sends_what_it_was_made_from() {
    let dir = tempfile::tempdir().expect("a folder");
    let kind: WorkloadKind = "mix:chat=1,code-generation=1".parse().expect("a workload");
    let drawn = Workload::from_plan(&kind, 3, tokenizer()).expect("a workload");
    let path = dir.path().join("w.jsonl");
    let about = FileHeader {
        tokenizer: "o200k".to_owned(),
        classes: drawn.classes().to_vec(),
        ..FileHeader::default()
    };
    let mut writer = WorkloadWriter::create(&path, about).expect("a file");
    for id in 0..40 {
        let request = drawn.file_request(id, None, Vec::new()).expect("a request");
        let class = &drawn.classes()[usize::from(request.spec.class)];
        let mut line = Vec::new();
        encode_line(&mut line, &request, class).expect("JSON");
        writer.append(&line, 1).expect("room");
    }
    writer.finish().expect("room");
    let file = WorkloadFile::open(&path).expect("a workload file");
    let read = Workload::from_file(file, tokenizer());
    for salt in [0, 77] {
        let (drawn, read) = (drawn.clone().with_salt(salt), read.clone().with_salt(salt));
        for id in 0..40 {
            let spec = drawn.spec(id);
            assert_eq!(read.spec(id), spec);
            assert_eq!(read.content(&spec, &[]), drawn.content(&spec, &[]));
        }
    }
    // Beyond its end it begins again, with slots of their own.
    let (first, again) = (read.spec(0), read.spec(40));
    assert_eq!(again, RequestSpec { id: 40, ..first });
    assert_ne!(read.slot(&again), read.slot(&first));
}

#[test]
fn the_hash_covers_everything_but_the_salt() {
    let of = |text: &str, seed| {
        let kind: WorkloadKind = text.parse().expect("a workload");
        Workload::from_plan(&kind, seed, tokenizer()).expect("a workload")
    };
    let hash = of("fixed:64,8", 1).hash();
    assert_eq!(hash.len(), 64);
    assert_eq!(of("fixed:64,8", 1).with_salt(9).hash(), hash);
    let cl100k = Tokenizer::open("cl100k").expect("built in");
    let kind: WorkloadKind = "fixed:64,8".parse().expect("a workload");
    let others = [
        of("fixed:64,8", 2).hash(),
        of("fixed:64,9", 1).hash(),
        Workload::from_plan(&kind, 1, cl100k)
            .expect("a workload")
            .hash(),
    ];
    assert!(others.iter().all(|other| *other != hash));
}

/// Opens what `change` made of a whole file's text.
fn refused(change: impl FnOnce(String) -> String) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    let path = written(dir.path(), "w.jsonl", &session());
    let text = std::fs::read_to_string(&path).expect("readable");
    std::fs::write(&path, change(text)).expect("room");
    let error = WorkloadFile::open(&path).expect_err("must be refused");
    error.to_string()
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let check = |from: &str, to: &str, expect: &str| {
        let said = refused(|text| {
            assert!(text.contains(from), "{text}");
            text.replacen(from, to, 1)
        });
        assert!(said.contains(expect), "{said}");
    };
    check(
        "\"class\":\"code\"",
        "\"class\":\"cod\"",
        "line 3: unknown class `cod`",
    );
    check(
        "\"id\":9,\"class",
        "\"id\":8,\"class",
        "line 3: id 8 after 8",
    );
    check("\"prompt_tokens\":40", "\"prompt_tokens\":-40", "line 2: ");
    check(
        "\"prompt_tokens\":40",
        "\"prompt_tokens\":0",
        "1 to 4,000,000",
    );
    check("\"at_ns\":1500", "\"at_ns\":-1", "line 2: a time before 0");
    check(
        "\"next\":[{\"id\":9",
        "\"next\":[{\"id\":7",
        "line 2: the next request 7",
    );
    check(
        "\"salt\":4",
        "\"salt\":\"per request\"",
        "expected \"run\" or a whole number",
    );
    check(
        "\"output_tokens\":7",
        "\"output_tokens\":8",
        "was changed since it was made",
    );
    check("\"version\":1", "\"version\":2", "has version 2");
    check("infermeter-workload", "something", "not a workload file");
    let cut = refused(|text| text[..text.len() - 30].to_owned());
    assert!(
        cut.contains("line 3: the file ends inside this line"),
        "{cut}"
    );
    let lines = |text: String, n| text.split_inclusive('\n').take(n).collect::<String>();
    let short = refused(|text| lines(text, 2));
    assert!(
        short.contains("the next request 9") || short.contains("holds 1 requests"),
        "{short}"
    );
    let empty = refused(|text| lines(text, 1));
    assert!(empty.contains("it holds no requests"), "{empty}");
    assert!(refused(|_| String::new()).contains("not a JSON object"));
}

#[test]
fn an_existing_file_is_not_overwritten() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = written(dir.path(), "w.jsonl", &session());
    let error = WorkloadWriter::create(&path, about(&["chat"])).expect_err("exists");
    assert!(error.to_string().contains("cannot create"), "{error}");
}
