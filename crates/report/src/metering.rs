//! What a gateway metered beside what was served: totals by key and model, and what is wrong.
//!
//! Decides nothing. Invariant: every kind of difference that there is has a line with its count.

use crate::document::{Block, Cell, Column, Document, Entries, Section, Table, Tone};
use infermeter_audit::metering::{
    Amounts, AmountsDifference, JoinedBy, MeteredGroup, MeteredProblem, Metering,
};
use infermeter_core::number::{count, counted};
use infermeter_core::text::inert;

/// Keys and models that are shown one by one.
const MOST_GROUPS: usize = 100;
/// Ids of a kind that are shown.
const MOST_IDS: usize = 5;

/// What is told of a comparison.
pub fn of_metering(metering: &Metering) -> Document {
    let answer = match metering.agrees {
        true => "what was metered is what was served",
        false => "what was metered is not what was served",
    };
    let mut document = Document::titled("Metering");
    document
        .answers
        .push(format!("{answer}.").replacen('w', "W", 1));
    document.push(Section::new("Differences").with(problems(metering)));
    document.push(
        Section::new("By key and model")
            .with(table(metering))
            .with(Block::Text(Tone::Aside, legend(metering))),
    );
    document
}

fn problems(metering: &Metering) -> Entries {
    let mut entries = Entries::default();
    let there = metering.problems().into_iter();
    for (name, problem) in there.filter(|(_, problem)| problem.requests > 0) {
        entries.add(sentence(name), problem_line(problem));
    }
    entries
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// `3 (360 tokens): a, b, c`.
fn problem_line(problem: &MeteredProblem) -> String {
    let ids: Vec<String> = problem
        .ids
        .iter()
        .take(MOST_IDS)
        .map(|id| inert(id, 60))
        .collect();
    let more = match problem.requests > ids.len() as u64 {
        true if !ids.is_empty() => ", ...",
        _ => "",
    };
    let ids = match ids.is_empty() {
        true => String::new(),
        false => format!(": {}{more}", ids.join(", ")),
    };
    format!(
        "{} ({}){ids}",
        count(problem.requests),
        counted(problem.tokens, "token")
    )
}

fn table(metering: &Metering) -> Table {
    let sides = ["served", "metered", "difference"];
    let quantities = ["requests", "prompt tokens", "output tokens"];
    let columns = quantities.iter().flat_map(|quantity| {
        sides
            .iter()
            .map(move |side| Column::right(*side).of(quantity))
    });
    let mut table = Table::new("key, model", columns.collect());
    for group in metering.groups.iter().take(MOST_GROUPS) {
        table.row(
            name(group),
            cells(group.served, group.metered, group.difference),
        );
    }
    if metering.groups.len() != 1 {
        let all = cells(metering.served, metering.metered, metering.difference);
        table.row("all", all);
    }
    table
}

fn name(group: &MeteredGroup) -> String {
    let part = |text: &Option<String>, none: &str| {
        text.as_ref()
            .map_or_else(|| none.to_owned(), |text| inert(text, 48))
    };
    format!(
        "{}, {}",
        part(&group.key, "no key"),
        part(&group.model, "no model")
    )
}

fn cells(served: Amounts, metered: Amounts, difference: AmountsDifference) -> Vec<Cell> {
    let signed = |n: i64| match n {
        0 => "0".to_owned(),
        n if n > 0 => format!("+{}", count(n.unsigned_abs())),
        n => format!("-{}", count(n.unsigned_abs())),
    };
    let of = |served: u64, metered: u64, difference: i64| {
        [count(served), count(metered), signed(difference)].map(Cell::of)
    };
    [
        of(served.requests, metered.requests, difference.requests),
        of(
            served.prompt_tokens,
            metered.prompt_tokens,
            difference.prompt_tokens,
        ),
        of(
            served.output_tokens,
            metered.output_tokens,
            difference.output_tokens,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn legend(metering: &Metering) -> String {
    let joined = match metering.joined_by {
        JoinedBy::RequestId => {
            let agreeing = metering.agreeing.unwrap_or_default();
            format!(
                "Joined by request id; {} with the same tokens.",
                counted(agreeing, "request")
            )
        }
        JoinedBy::Totals => {
            "The rows have no request ids: totals of each model are compared, in which errors can \
                             cancel."
                .to_owned()
        }
    };
    let cut = match metering.without_cut {
        true => " Requests whose answers were cut are left out.",
        false => " Requests whose answers were cut count with the tokens generated.",
    };
    let more = match metering.groups.len() > MOST_GROUPS {
        true => format!(
            " The first {MOST_GROUPS} of {} rows.",
            count(metering.groups.len() as u64)
        ),
        false => String::new(),
    };
    format!(
        "{joined}{cut} Keys and models are the gateway's; what was not metered has no key, and the server's model. \
         Refused requests are not served.{more}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_audit::metering::{CutRequests, MeteredRow, ServedEnd, ServedRequest, metering};

    #[test]
    fn a_request_billed_twice_has_a_line_and_a_difference() {
        let served = [ServedRequest {
            request_id: "a".to_owned(),
            model: "m".to_owned(),
            prompt_tokens: Some(1_000),
            cached_tokens: 0,
            output_tokens: 20,
            end: ServedEnd::Whole,
        }];
        let row = MeteredRow {
            request_id: Some("a".to_owned()),
            model: Some("m".to_owned()),
            prompt_tokens: Some(1_000),
            output_tokens: Some(20),
            ..MeteredRow::default()
        };
        let found = metering(&served, &[row.clone(), row], CutRequests::Count);
        let table = table(&found);
        let shown: Vec<String> = table.rows[0].cells.iter().map(Cell::shown).collect();
        let expect = [
            "1", "2", "+1", "1,000", "2,000", "+1,000", "20", "40", "+20",
        ];
        assert_eq!(
            (table.rows[0].label.as_str(), &shown[..]),
            ("no key, m", &expect.map(str::to_owned)[..])
        );
        assert_eq!(problem_line(&found.double), "1 (1,020 tokens): a");
        let document = of_metering(&found);
        assert_eq!(
            document.answers,
            ["What was metered is not what was served."]
        );
    }
}
