//! Planted errors: each is found, and nothing else.

use super::*;

fn served(id: &str, end: ServedEnd) -> ServedRequest {
    ServedRequest {
        request_id: id.to_owned(),
        model: "m".to_owned(),
        prompt_tokens: Some(100),
        cached_tokens: 64,
        output_tokens: 20,
        end,
    }
}

fn row(id: &str, prompt: u64, output: u64) -> MeteredRow {
    MeteredRow {
        request_id: Some(id.to_owned()),
        key: Some("team".to_owned()),
        model: Some("m".to_owned()),
        prompt_tokens: Some(prompt),
        cached_tokens: None,
        output_tokens: Some(output),
    }
}

fn all() -> Vec<ServedRequest> {
    ["a", "b", "c"]
        .map(|id| served(id, ServedEnd::Whole))
        .into()
}

fn good() -> Vec<MeteredRow> {
    ["a", "b", "c"].map(|id| row(id, 100, 20)).into()
}

/// The problems that there are, with their requests and tokens.
fn problems(found: &Metering) -> Vec<(&'static str, u64, u64)> {
    let all = found.problems().into_iter();
    let there = all.filter(|(_, problem)| problem.requests > 0);
    there
        .map(|(name, problem)| (name, problem.requests, problem.tokens))
        .collect()
}

fn check(served: &[ServedRequest], rows: &[MeteredRow], expect: &[(&str, u64, u64)]) -> Metering {
    let found = metering(served, rows, CutRequests::Count);
    assert_eq!(problems(&found), expect);
    assert_eq!(found.agrees, expect.is_empty());
    found
}

#[test]
fn what_agrees() {
    let found = check(&all(), &good(), &[]);
    assert_eq!(found.agreeing, Some(3));
    assert_eq!(found.joined_by, JoinedBy::RequestId);
    assert_eq!(
        (found.served.requests, found.served.prompt_tokens),
        (3, 300)
    );
    assert_eq!(found.groups.len(), 1);
    assert_eq!(found.groups[0].key.as_deref(), Some("team"));
    // An answer's id holds the request's.
    let answers = good().into_iter().map(|row| MeteredRow {
        request_id: row.request_id.map(|id| format!("chatcmpl-{id}")),
        ..row
    });
    check(&all(), &answers.collect::<Vec<_>>(), &[]);
}

#[test]
fn an_id_given_twice_is_two_requests() {
    let twice = [&all()[..], &[served("b", ServedEnd::Whole)]].concat();
    let rows = [&good()[..], &[row("b", 100, 20)]].concat();
    let found = check(&twice, &rows, &[]);
    assert_eq!(found.agreeing, Some(4));
    check(&twice, &good(), &[("served and not metered", 1, 120)]);
    let third = [&rows[..], &[row("b", 100, 20)]].concat();
    check(&twice, &third, &[("metered more than once", 1, 120)]);
    // Refused at first, and sent again.
    let again = [&[served("b", ServedEnd::Refused)], &all()[..]].concat();
    check(&again, &good(), &[]);
}

#[test]
fn a_request_billed_twice() {
    let mut rows = good();
    rows.push(row("b", 100, 20));
    let found = check(&all(), &rows, &[("metered more than once", 1, 120)]);
    assert_eq!(found.double.ids, ["b"]);
    let expect = AmountsDifference {
        requests: 1,
        prompt_tokens: 100,
        output_tokens: 20,
    };
    assert_eq!(found.difference, expect);
}

#[test]
fn requests_that_are_missing_and_requests_that_nobody_served() {
    let rows = [row("a", 100, 20), row("b", 100, 20), row("x", 5, 5)];
    let expect = [
        ("served and not metered", 1, 120),
        ("metered and not served here", 1, 10),
    ];
    let found = check(&all(), &rows, &expect);
    assert_eq!(
        (&found.missing.ids[..], &found.unknown.ids[..]),
        (&["c".to_owned()][..], &["x".to_owned()][..])
    );
    // What was not metered has no key.
    assert_eq!(
        found
            .groups
            .iter()
            .filter(|group| group.key.is_none())
            .count(),
        1
    );
    let mut nameless = good();
    nameless[2].request_id = None;
    let expect = [
        ("served and not metered", 1, 120),
        ("rows without a request id", 1, 120),
    ];
    check(&all(), &nameless, &expect);
}

#[test]
fn streams_that_were_cut() {
    let mut requests = all();
    requests[1].end = ServedEnd::Cut;
    requests[1].output_tokens = 8;
    let rows = [row("a", 100, 20), row("c", 100, 20)];
    check(&requests, &rows, &[("cut, and not metered", 1, 108)]);
    // Metered with all that was asked for.
    let full = [row("a", 100, 20), row("b", 100, 20), row("c", 100, 20)];
    check(&requests, &full, &[("other output tokens", 1, 12)]);
    for rows in [&rows[..], &full[..]] {
        let found = metering(&requests, rows, CutRequests::LeftOut);
        assert!(found.agrees && found.without_cut, "{found:?}");
        assert_eq!(found.served.requests, 2);
    }
    // Cut before anything was generated: there is nothing to meter.
    requests[1].output_tokens = 0;
    check(&requests, &rows, &[]);
}

#[test]
fn cached_prompt_tokens_counted_twice_or_not_at_all() {
    let twice = [row("a", 164, 20), row("b", 100, 20), row("c", 36, 20)];
    let expect = [
        ("cached prompt tokens counted twice", 1, 64),
        ("cached prompt tokens left out", 1, 64),
    ];
    let found = check(&all(), &twice, &expect);
    assert_eq!(
        found.difference.prompt_tokens, 0,
        "they cancel, and are told nevertheless"
    );
    let other = [row("a", 101, 20), row("b", 100, 20), row("c", 100, 20)];
    check(&all(), &other, &[("other prompt tokens", 1, 1)]);
}

#[test]
fn refused_requests_cost_nothing() {
    let mut requests = all();
    requests[2].end = ServedEnd::Refused;
    requests[2].output_tokens = 0;
    let rows = [row("a", 100, 20), row("b", 100, 20)];
    check(&requests, &rows, &[]);
    let noted = [row("a", 100, 20), row("b", 100, 20), row("c", 0, 0)];
    check(&requests, &noted, &[]);
    let billed = [row("a", 100, 20), row("b", 100, 20), row("c", 100, 0)];
    check(&requests, &billed, &[("refused and metered", 1, 100)]);
}

#[test]
fn without_ids_totals_of_models_are_compared() {
    let nameless = |row: MeteredRow| MeteredRow {
        request_id: None,
        ..row
    };
    let rows: Vec<MeteredRow> = good().into_iter().map(nameless).collect();
    let found = check(&all(), &rows, &[]);
    assert_eq!((found.joined_by, found.agreeing), (JoinedBy::Totals, None));
    let one = metering(&all(), &rows[..2], CutRequests::Count);
    assert!(!one.agrees);
    assert_eq!(one.difference.requests, -1);
    // Another name is another model.
    let mut other = rows;
    other[0].model = Some("openai/m".to_owned());
    let found = metering(&all(), &other, CutRequests::Count);
    assert!(!found.agrees);
    assert_eq!(found.groups.len(), 2);
}

#[test]
fn counts_that_are_missing_are_said() {
    let mut rows = good();
    rows[0].output_tokens = None;
    let found = metering(&all(), &rows, CutRequests::Count);
    assert_eq!(
        problems(&found),
        [("rows without a count of tokens", 1, 120)]
    );
}
