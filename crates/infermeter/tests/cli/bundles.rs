//! `infermeter bundle` and `infermeter verify`: what goes into an archive, what stays out, and what is said of one
//! that was tampered with.

use crate::process::{
    LIGHT, Ran, Run, Scratch, UNPROBED, everything_in, infermeter, light, mock, run_with,
};
use crate::server::{DONE, FINISH, Server, TEXT, USAGE, good, reply, reply_events};
use infermeter_record::{RecordsWriter, read_records, unpack};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/records");
const CANARY: &str = "canaryprompt";

fn bundled(directory: &Path, scratch: &Scratch, more: &str) -> PathBuf {
    let out = scratch.path("bundle.tar.gz");
    let made = infermeter(&format!(
        "bundle {} --out {} {more}",
        directory.display(),
        out.display()
    ));
    assert_eq!(made.code, Some(0), "{made:#?}");
    out
}

fn verified(record: &Path) -> Ran {
    infermeter(&format!("verify {} --json", record.display()))
}

/// Everything that a bundle holds, unpacked.
fn unpacked(bundle: &Path) -> Vec<u8> {
    let into = Scratch::new();
    unpack(bundle, &into.path("")).expect("unpacked");
    everything_in(&into.path(""))
}

/// The same of an experiment: its own files, and those of its runs.
fn unpacked_below(bundle: &Path) -> Vec<u8> {
    let into = Scratch::new();
    unpack(bundle, &into.path("")).expect("unpacked");
    let files = fs::read_dir(into.path(""))
        .expect("listed")
        .map(|entry| entry.expect("an entry").path());
    let each = files.flat_map(|path| match path.is_dir() {
        true => everything_in(&path),
        false => fs::read(path).expect("readable"),
    });
    each.collect()
}

fn holds(all: &[u8], word: &str) -> bool {
    all.windows(word.len()).any(|part| part == word.as_bytes())
}

/// The texts of errors in the rows of a bundle.
fn error_texts(bundle: &Path) -> Vec<String> {
    let into = Scratch::new();
    unpack(bundle, &into.path("")).expect("unpacked");
    let records = read_records(&into.path("")).expect("readable");
    records
        .into_iter()
        .filter_map(|record| Some(record.error?.text))
        .collect()
}

/// A server that repeats what it was sent, in answers and errors by turns.
fn repeating() -> Server {
    let asked = AtomicUsize::new(0);
    Server::start(move |request, out| {
        let said = format!("{CANARY}: {}", request.head);
        if request.is_probe() {
            return good(request, out);
        }
        match asked.fetch_add(1, Ordering::Relaxed) % 2 {
            0 => {
                let body = serde_json::json!({"error": {"message": said}});
                reply(out, "500 Busy", "application/json", &body.to_string())
            }
            _ => {
                let text = TEXT.replace("word ", CANARY);
                reply_events(out, &[&text, FINISH, USAGE, DONE])
            }
        }
    })
}

#[test]
fn a_bundle_of_a_run_verifies_and_holds_neither_secrets_nor_texts() {
    let server = repeating();
    let more = "--header 'x-api-key: header-secret' --save-responses";
    let url = server.url.replace("http://", "http://user:url-secret@");
    let run = run_with(light(&url, more), |_| {});
    assert!(run.dir.join("requests.parquet").exists(), "{:#?}", run.ran);
    assert!(
        holds(&everything_in(&run.dir), CANARY),
        "the server repeated nothing"
    );
    let before = everything_in(&run.dir);
    let scratch = Scratch::new();
    let bundle = bundled(&run.dir, &scratch, "");
    let all = unpacked(&bundle);
    for word in [CANARY, "header-secret", "url-secret"] {
        assert!(!holds(&all, word), "{word} leaked");
    }
    // Rows are compressed: they are read, too.
    let texts = error_texts(&bundle);
    assert!(
        !texts.is_empty() && texts.iter().all(String::is_empty),
        "{texts:?}"
    );
    let found = verified(&bundle);
    assert_eq!(found.code, Some(0), "{}", found.out);
    let found = found.json();
    assert_eq!(found["holds"], true);
    assert!(
        found["parts"][0]["recomputed"]["agree"].as_u64() > Some(100),
        "{found:#}"
    );
    let left_out: Vec<&str> = found["left_out"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|f| f["path"].as_str())
        .collect();
    assert!(left_out.contains(&"responses.jsonl"), "{left_out:?}");
    // The directory is as it was, and verifies on its own.
    assert_eq!(everything_in(&run.dir), before);
    assert_eq!(verified(&run.dir).code, Some(0));
    assert_eq!(everything_in(&run.dir), before);

    let other = Scratch::new();
    let with_texts = bundled(&run.dir, &other, "--texts");
    assert!(
        error_texts(&with_texts)
            .iter()
            .any(|text| text.contains(CANARY))
    );
    assert!(holds(&unpacked(&with_texts), CANARY));
    assert_eq!(verified(&with_texts).code, Some(0));
}

/// A server that repeats itself before the load, too: where it is asked for its models, and in refused trials.
fn repeating_early() -> Server {
    let asked = AtomicUsize::new(0);
    Server::start(move |request, out| {
        if request.what().contains("/v1/models") {
            return reply(out, "200 OK", &format!("text/{CANARY}"), "no list");
        }
        let is_first = asked.fetch_add(1, Ordering::Relaxed) == 0;
        match request.is_probe() && is_first {
            true => {
                let body = serde_json::json!({"error": {"message": format!("{CANARY}: no")}});
                reply(
                    out,
                    "400 Bad Request",
                    "application/json",
                    &body.to_string(),
                )
            }
            false => good(request, out),
        }
    })
}

#[test]
fn what_a_server_said_before_the_load_stays_out() {
    let server = repeating_early();
    let run = run_with(light(&server.url, "--model one"), |_| {});
    let text = fs::read_to_string(run.dir.join("run.json")).expect("there");
    let stated: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let said = |place: &serde_json::Value| place.to_string().contains(CANARY);
    assert!(said(&stated["control_requests"]), "{:#?}", run.ran);
    assert!(said(&stated["environment"]["target"]["models_problem"]));
    let scratch = Scratch::new();
    let bundle = bundled(&run.dir, &scratch, "");
    assert!(!holds(&unpacked(&bundle), CANARY), "a text leaked");
    let found = verified(&bundle);
    assert_eq!(found.code, Some(0), "{}", found.out);
    let other = Scratch::new();
    assert!(holds(
        &unpacked(&bundled(&run.dir, &other, "--texts")),
        CANARY
    ));
}

/// It has a record that holds; but nobody measured it there.
#[test]
fn a_run_that_the_ledger_does_not_know_is_named() {
    let scratch = Scratch::new();
    let dir = scratch.path("twice");
    infermeter(&format!(
        "run {} {LIGHT} {UNPROBED} --repeat 2 --out {}",
        mock(),
        dir.display()
    ));
    assert_eq!(verified(&dir).code, Some(0));
    let copy = |to: &str| {
        let to = dir.join(to);
        fs::create_dir_all(&to).expect("created");
        for file in fs::read_dir(dir.join("run-02")).expect("listed") {
            let file = file.expect("an entry");
            fs::copy(file.path(), to.join(file.file_name())).expect("copied");
        }
    };
    copy("run-99");
    let said = infermeter(&format!("verify {}", dir.display()));
    check(
        (said.code, said.out),
        1,
        &["run-99", "its ledger does not know it"],
    );
    fs::remove_dir_all(dir.join("run-99")).expect("removed");
    copy("run-01");
    let said = infermeter(&format!("verify {}", dir.display()));
    check(
        (said.code, said.out),
        1,
        &["run-01", "has another run of this number"],
    );
}

#[test]
fn the_same_directory_gives_the_same_bytes() {
    let run = crate::process::run(mock(), "");
    let [one, two] = [Scratch::new(), Scratch::new()];
    let bytes =
        [&one, &two].map(|scratch| fs::read(bundled(&run.dir, scratch, "")).expect("there"));
    assert!(bytes[0] == bytes[1]);
    let again = infermeter(&format!(
        "bundle {} --out {}",
        run.dir.display(),
        one.path("bundle.tar.gz").display()
    ));
    again.fails(2, &["exists: name another file"]);
}

#[test]
fn no_text_is_in_what_is_stated_over_several_runs() {
    let server = repeating();
    let scratch = Scratch::new();
    let dir = scratch.path("twice");
    let line = format!(
        "run {} {LIGHT} --repeat 2 --save-responses --out {}",
        server.url,
        dir.display()
    );
    infermeter(&line);
    let bundle = bundled(&dir, &scratch, "");
    assert!(!holds(&unpacked_below(&bundle), CANARY), "a text leaked");
    let found = verified(&bundle);
    assert_eq!(found.code, Some(0), "{}", found.out);
}

/// A repeated run, a sweep and a comparison.
#[test]
fn experiments_are_bundled_and_verified_with_their_answers() {
    for command in [
        format!("run {} {LIGHT} {UNPROBED} --repeat 2", mock()),
        format!(
            "sweep {} --rates 20,40 --requests 6 --warmup 0 --workload fixed:16,4 --threads 1 {UNPROBED}",
            mock()
        ),
        format!("compare {0} {0} --rounds 2 {LIGHT} {UNPROBED}", mock()),
    ] {
        let scratch = Scratch::new();
        let dir = scratch.path("experiment");
        infermeter(&format!("{command} --out {}", dir.display()));
        let bundle = bundled(&dir, &scratch, "");
        let found = verified(&bundle);
        assert_eq!(
            found.code,
            Some(0),
            "{command}\n{}\n{}",
            found.out,
            found.err
        );
        let parts = found.json()["parts"].as_array().expect("a list").len();
        assert!(parts >= 3, "{command}: {parts}");
        let in_place = verified(&dir);
        assert_eq!(in_place.code, Some(0), "{command}\n{}", in_place.out);
    }
}

/// What `verify` says of a run after `change`: its exit code and all that it prints.
fn after(change: impl FnOnce(&Run)) -> (Option<i32>, String) {
    let run = crate::process::run(mock(), "");
    change(&run);
    let found = infermeter(&format!("verify {}", run.dir.display()));
    (found.code, found.out + &found.err)
}

#[track_caller]
fn check(found: (Option<i32>, String), code: i32, words: &[&str]) {
    assert_eq!(found.0, Some(code), "{}", found.1);
    for word in words {
        assert!(found.1.contains(word), "no `{word}` in {}", found.1);
    }
}

#[test]
fn what_was_tampered_with_is_named() {
    check(
        after(|_| {}),
        0,
        &["every stated figure is what the record gives"],
    );
    let figure = after(|run| {
        let path = run.dir.join("run.json");
        let text = fs::read_to_string(&path).expect("there");
        let mut value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        value["summary"]["requests"]["measured"]["completed"] = 1234.into();
        fs::write(&path, value.to_string()).expect("written");
    });
    check(
        figure,
        1,
        &[
            "run.json",
            "it is not what its run sealed",
            "/summary/requests/measured/completed",
            "1234",
        ],
    );
    let row = after(|run| {
        let mut records = read_records(&run.dir).expect("readable");
        records[2].intended = records[2].intended.plus(-5_000_000);
        fs::remove_file(run.dir.join("requests.parquet")).expect("removed");
        let mut writer = RecordsWriter::create(&run.dir, &["fixed".to_owned()]).expect("created");
        records
            .into_iter()
            .for_each(|record| writer.append(record).expect("appended"));
        writer.finish().expect("finished");
    });
    check(
        row,
        1,
        &[
            "requests.parquet",
            "it is not what its run sealed",
            "/summary/",
        ],
    );
    let readings =
        after(|run| fs::write(run.dir.join("requests.parquet"), "no rows").expect("written"));
    check(
        readings,
        1,
        &["It cannot be computed", "cannot be read as Parquet"],
    );
    let gone = after(|run| fs::remove_file(run.dir.join("run.json")).expect("removed"));
    check(gone, 2, &["no run.json"]);
}

#[test]
fn archives_that_are_no_bundles_are_refused() {
    let run = crate::process::run(mock(), "");
    let scratch = Scratch::new();
    let bundle = bundled(&run.dir, &scratch, "");
    let bytes = fs::read(&bundle).expect("there");
    let verify = |name: &str, bytes: &[u8]| {
        let path = scratch.path(name);
        fs::write(&path, bytes).expect("written");
        infermeter(&format!("verify {}", path.display()))
    };
    verify("cut", &bytes[..bytes.len() / 2]).fails(2, &["is not a whole archive"]);
    verify("text", b"a text").fails(2, &["is not a bundle of infermeter"]);
    verify("empty", b"").fails(2, &["is not a bundle of infermeter"]);
    infermeter(&format!("verify {}", scratch.path("none").display())).fails(2, &["cannot open"]);
    infermeter(&format!("bundle {}", scratch.path("none").display()))
        .fails(2, &["is not a directory"]);
}

/// A copy of a kept record.
fn copy_of(scratch: &Scratch, name: &str) -> PathBuf {
    let to = scratch.path(name);
    fs::create_dir(&to).expect("created");
    for file in fs::read_dir(Path::new(KEPT).join(name)).expect("listed") {
        let file = file.expect("an entry");
        fs::copy(file.path(), to.join(file.file_name())).expect("copied");
    }
    to
}

#[test]
fn a_killed_run_is_completed_first_and_old_records_are_taken() {
    let scratch = Scratch::new();
    let killed = copy_of(&scratch, "killed");
    let before = everything_in(&killed);
    let line = format!(
        "bundle {} --out {}",
        killed.display(),
        scratch.path("k.tar.gz").display()
    );
    infermeter(&line).fails(2, &["its record is not complete", "infermeter report"]);
    let said = infermeter(&format!("verify {}", killed.display()));
    check((said.code, said.out), 1, &["its record is not complete"]);
    assert_eq!(everything_in(&killed), before);
    infermeter(&format!("report {}", killed.display()));
    assert_eq!(verified(&bundled(&killed, &scratch, "")).code, Some(0));

    let old = Scratch::new();
    let open = copy_of(&old, "open");
    infermeter(&format!("report {}", open.display()));
    let found = verified(&bundled(&open, &old, ""));
    assert_eq!(found.code, Some(0), "{}", found.out);
    let said = infermeter(&format!("verify {}", open.display()));
    assert!(said.out.contains("There is no seal"), "{}", said.out);
}
