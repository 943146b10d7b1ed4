//! Files of questions: what is read, what is refused, what is right.

use super::*;

fn read(text: &str) -> Result<Eval, EvalError> {
    Eval::read(text.as_bytes(), "set.jsonl")
}

fn said(content: &str) -> Said<'_> {
    Said {
        content,
        finish: Some("stop"),
        output_tokens: Some(1),
        ..Said::default()
    }
}

fn check(row: &str, answer: &str, expected: bool) {
    let eval = read(row).unwrap_or_else(|error| panic!("{row}: {error}"));
    assert_eq!(
        eval.rows()[0].is_right(&said(answer)),
        Some(expected),
        "{row}: {answer}"
    );
}

fn problem(row: &str) -> String {
    read(row).expect_err(row).to_string()
}

#[test]
fn each_kind_has_its_rules() {
    let number = r#"{"prompt": "6 times 7?", "answer": 42, "kind": "number"}"#;
    check(number, "The answer is **42**.", true);
    check(number, "Die Antwort ist 42.", true);
    check(number, "43", false);
    check(number, "", false);
    let near = r#"{"prompt": "pi?", "answer": "3.14", "kind": "number", "tolerance": 0.01}"#;
    check(near, "It is about 3.1416.", true);
    check(near, "3.2", false);
    let choice = r#"{"prompt": "A or B?", "answer": "(b)", "kind": "choice"}"#;
    check(choice, "B) the second one", true);
    check(choice, "Answer: A", false);
    let exact = r#"{"prompt": "Where?", "answer": ["Paris", "City of Light"], "kind": "exact"}"#;
    check(exact, "paris.", true);
    check(exact, "It is called so:\nCity of  light", true);
    check(exact, "London", false);
    let regex = r#"{"prompt": "When?", "answer": "(?i)may \\d+", "kind": "regex"}"#;
    check(regex, "On MAY 5, I think.", true);
    check(regex, "In May.", false);
    let schema = r#"{"prompt": "As JSON", "kind": "json-schema", "answer":
        {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}}"#
        .replace('\n', " ");
    check(&schema, "```json\n{\"a\": 1}\n```", true);
    check(&schema, "{\"a\": \"1\"}", false);
    check(&schema, "none", false);
}

#[test]
fn files_are_read_as_programs_write_them() {
    let text = "\u{feff}{\"prompt\": \"1?\", \"answer\": 1, \"kind\": \"number\", \"id\": 7}\r\n\r\n\
                {\"messages\": [{\"role\": \"system\", \"content\": \"Be short.\"}, {\"role\": \"user\", \"content\": \"2?\"}],\
                \"answer\": \"B\", \"kind\": \"choice\", \"max_tokens\": 9}";
    let eval = read(text).expect("rows");
    let [first, second] = eval.rows() else {
        panic!("{} rows", eval.rows().len());
    };
    assert_eq!(
        (first.id.as_deref(), first.max_tokens),
        (Some("7"), ANSWER_TOKENS)
    );
    assert_eq!((second.messages().len(), second.max_tokens), (2, 9));
    assert_eq!(second.text(), "Be short.\n\n2?");
    let listed = eval.listed(3, 0.05);
    assert_eq!(
        (listed.rows, listed.first_row, listed.synthetic),
        (2, 3, false)
    );
    assert_eq!(listed.sha256.len(), 64);
}

#[test]
fn bad_rows_are_named_with_their_line_and_what_to_write() {
    let good = r#"{"prompt": "1?", "answer": 1, "kind": "number"}"#;
    let check = |row: &str, words: &[&str]| {
        let problem = problem(&format!("{good}\n\n{row}\n{good}"));
        assert!(problem.starts_with("line 3: "), "{problem}");
        for word in words {
            assert!(problem.contains(word), "{problem} should say {word}");
        }
    };
    check("[1]", &["JSON object"]);
    check("{", &["JSON object"]);
    check(
        r#"{"promt": "1?", "answer": 1, "kind": "number"}"#,
        &["`promt`", "did you mean `prompt`"],
    );
    check(
        r#"{"prompt": "1?", "answer": 1, "kind": "numbr"}"#,
        &["did you mean `number`"],
    );
    check(
        r#"{"prompt": "1?", "answer": 1}"#,
        &["no `kind`", "json-schema"],
    );
    check(r#"{"prompt": "1?", "kind": "number"}"#, &["no `answer`"]);
    check(r#"{"answer": 1, "kind": "number"}"#, &["no `prompt`"]);
    check(
        r#"{"prompt": " ", "answer": 1, "kind": "number"}"#,
        &["empty"],
    );
    check(
        r#"{"prompt": "1?", "answer": "one", "kind": "number"}"#,
        &["42"],
    );
    check(
        r#"{"prompt": "1?", "answer": 1, "kind": "number", "tolerance": -1}"#,
        &["tolerance"],
    );
    check(
        r#"{"prompt": "1?", "answer": "x", "kind": "exact", "tolerance": 1}"#,
        &["tolerance"],
    );
    check(
        r#"{"prompt": "1?", "answer": "BC", "kind": "choice"}"#,
        &["letter"],
    );
    check(
        r#"{"prompt": "1?", "answer": "(", "kind": "regex"}"#,
        &["regular expression"],
    );
    check(
        r#"{"prompt": "1?", "answer": "(a{1000}){1000}", "kind": "regex"}"#,
        &["regular expression"],
    );
    check(
        r#"{"prompt": "1?", "answer": [], "kind": "json-schema"}"#,
        &["Schema"],
    );
    check(
        r#"{"prompt": "1?", "answer": 1, "kind": "number", "max_tokens": 0}"#,
        &["max_tokens"],
    );
    check(
        r#"{"messages": [{"role": "usr", "content": "1"}], "answer": 1, "kind": "number"}"#,
        &["did you mean `user`"],
    );
    check(
        r#"{"messages": [{"role": "assistant", "content": "1"}], "answer": 1, "kind": "number"}"#,
        &["last message"],
    );
    assert!(problem("\n \n").contains("no rows"));
    let long = format!(
        "{{\"prompt\": \"{}\", \"answer\": 1, \"kind\": \"number\"}}",
        "x".repeat(1 << 20)
    );
    assert!(problem(&long).contains("1 MiB"));
    let bytes = b"{\"prompt\": \"\xff\"}";
    assert!(
        Eval::read(bytes, "x")
            .expect_err("no text")
            .to_string()
            .contains("UTF-8")
    );
}

#[test]
fn the_set_that_is_made_here_has_200_rows_of_which_each_has_one_right_answer() {
    let eval = Eval::builtin();
    assert_eq!(eval.rows().len(), 200);
    assert_eq!(eval.sha256(), Eval::builtin().sha256());
    assert!(eval.listed(0, 0.05).synthetic);
    let texts: std::collections::BTreeSet<String> = eval.rows().iter().map(Row::text).collect();
    assert!(texts.len() >= 195, "{}", texts.len());
    for row in eval.rows() {
        let good = match &row.expected {
            Expected::Number { value, .. } => value.to_string(),
            _ => row.marker().expect("a marker").to_owned(),
        };
        for dressed in [
            good.clone(),
            format!("Sure: {good}"),
            format!("**{good}**"),
            format!("The answer is {good}."),
        ] {
            assert_eq!(
                row.is_right(&said(&dressed)),
                Some(true),
                "{} {dressed}",
                row.text()
            );
        }
        assert_eq!(row.is_right(&said("I see none.")), Some(false));
    }
}

#[test]
fn answers_that_cannot_be_judged_are_not_and_long_ones_are_read_at_their_end() {
    let eval = Eval::builtin();
    let row = &eval.rows()[0];
    let cut = Said {
        finish: Some("length"),
        ..said("Let me think")
    };
    assert_eq!(row.is_right(&cut), None);
    let refused = Said {
        refusal: "I cannot help with that.",
        ..said("")
    };
    assert_eq!(row.is_right(&refused), None);
    let Expected::Number { value, .. } = row.expected else {
        panic!("a sum is first");
    };
    let long = format!(
        "{}\nThe answer is {value}.",
        "I add 1 and 2. ".repeat(200_000)
    );
    assert_eq!(row.is_right(&said(&long)), Some(true));
}
