//! Chat templates: lengths that count them, and servers that use another one.

use crate::process::{Mock, Run, Scratch, infermeter, run_with, words};

/// A template with as many tokens around one message as the simulator counts: each ` the` is one.
fn template(around: usize) -> String {
    let content = "{% for message in messages %}{{ message.content }}{% endfor %}";
    format!("{content}{}", " the".repeat(around))
}

fn run_on(mock: &Mock, more: &str) -> Run {
    let line = format!(
        "run {} --concurrency 1 --requests 6 --warmup 0 --workload fixed:100,2 --no-probe --model \
         mock/llama-8b-h100 {more}",
        mock.url
    );
    run_with(words(&line), |_| {})
}

fn codes(run: &Run) -> Vec<String> {
    let findings = run.manifest()["findings"].clone();
    let findings = findings.as_array().expect("a list").iter();
    let codes = findings.filter_map(|f| f["code"].as_str().map(str::to_owned));
    codes
        .filter(|c| c.starts_with("prompt-") || c.starts_with("template-"))
        .collect()
}

#[test]
fn the_template_is_held_against_what_the_server_counts() {
    let mock = Mock::start("--preset llama-8b-h100");
    let plain = run_on(&mock, "");
    assert_eq!(codes(&plain), ["prompt-overhead"]);
    let record = plain.measured().remove(0);
    let added = record.prompt_tokens.expect("usage") - record.requested_prompt_tokens;
    let scratch = Scratch::new();
    let same = scratch.file("same.jinja", &template(added as usize));
    let other = scratch.file("other.jinja", &template(added as usize + 3));

    let counted = run_on(&mock, &format!("--chat-template {same} --count template"));
    assert_eq!(codes(&counted), [""; 0]);
    for record in counted.measured() {
        assert_eq!(record.prompt_tokens, Some(100));
        assert_eq!(record.requested_prompt_tokens, 100);
    }
    let facts = &counted.manifest()["environment"]["workload"];
    assert_eq!(facts["template_tokens"], added);

    let known = run_on(&mock, &format!("--chat-template {same}"));
    assert_eq!(codes(&known), ["prompt-overhead"]);
    for more in ["", "--count template"] {
        let wrong = run_on(&mock, &format!("--chat-template {other} {more}"));
        assert_eq!(codes(&wrong), ["template-mismatch"], "{more}");
    }
    let evidence = run_on(&mock, &format!("--chat-template {other}"));
    let evidence = evidence.finding("template-mismatch")["evidence"].to_string();
    assert!(
        evidence.contains(&format!("should be {}", added + 3)),
        "{evidence}"
    );
}

#[test]
fn datasets_are_counted_with_the_template() {
    let mock = Mock::start("--preset llama-8b-h100");
    let scratch = Scratch::new();
    let texts = scratch.file(
        "texts.jsonl",
        "{\"prompt\": \"Say yes.\", \"output_tokens\": 2}\n",
    );
    let plain = run_on(&mock, &format!("--dataset {texts}"))
        .measured()
        .remove(0);
    let added = plain.prompt_tokens.expect("usage") - plain.requested_prompt_tokens;
    let file = scratch.file("chat.jinja", &template(added as usize));
    let run = run_on(
        &mock,
        &format!("--dataset {texts} --chat-template {file} --count template"),
    );
    for record in run.measured() {
        assert_eq!(record.prompt_tokens, Some(record.requested_prompt_tokens));
    }
    assert_eq!(codes(&run), [""; 0]);
}

#[test]
fn templates_that_cannot_be_used_name_their_flag() {
    let scratch = Scratch::new();
    let good = scratch.file("good.jinja", &template(3));
    let bad = scratch.file("bad.jinja", "{% for %}");
    let empty = scratch.file("config.json", "{}");
    let refusing = scratch.file("no.jinja", "{{ raise_exception('no user, please') }}");
    for (flags, said) in [
        (
            "--count template".to_owned(),
            "--count template needs --chat-template",
        ),
        (
            format!("--chat-template {good} --endpoint completions"),
            "--endpoint chat",
        ),
        (
            format!("--chat-template {bad}"),
            "bad.jinja (--chat-template)",
        ),
        (format!("--chat-template {empty}"), "has no chat_template"),
        (format!("--chat-template {refusing}"), "no user, please"),
        (
            "--chat-template /nowhere.jinja".to_owned(),
            "/nowhere.jinja (--chat-template)",
        ),
        ("--count both".to_owned(), "--count"),
    ] {
        let line = format!("run http://h --rate 5 --requests 9 --dry-run {flags}");
        infermeter(&line).fails(2, &[said]);
    }
}
