//! What is told of a checkup: the sum first, then each check, and below those that are not well why they matter and
//! what to do.

use crate::document::{Document, Entries, Mark, Section};
use infermeter_analysis::doctor::{Checked, Checkup, Status, Subject};
use infermeter_core::number::counted;
use infermeter_core::text::listed;

/// What is told of a checkup.
pub fn of_checkup(checkup: &Checkup) -> Document {
    let mut document = Document::default();
    document.answers.push(sum(checkup));
    // What one fix mends is told once.
    let mut fixes: Vec<&str> = Vec::new();
    for (subject, heading) in [
        (Subject::Host, "Host".to_owned()),
        (Subject::Client, "Client".to_owned()),
        (Subject::Target, target(checkup)),
    ] {
        let mut entries = Entries::default();
        let of_it = checkup.checks.iter();
        for checked in of_it.filter(|checked| checked.subject == subject) {
            let known = |fix: &&str| fixes.contains(fix);
            let fix = checked.fix.as_deref().filter(|fix| !known(fix));
            entries.told(mark(checked.status), checked.name, texts(checked, fix));
            fixes.extend(fix);
        }
        document.push(Section::new(heading).with(entries));
    }
    document
}

fn target(checkup: &Checkup) -> String {
    let name = checkup.target.as_deref().unwrap_or_default();
    format!("Target {name}")
}

/// `Not ready: 1 problem, 3 warnings and 2 unknown, of 24 checks`.
fn sum(checkup: &Checkup) -> String {
    let [problems, warnings, unknown] =
        [Status::Problem, Status::Warning, Status::Unknown].map(|status| checkup.count(status));
    let parts = [
        (problems, counted(problems, "problem")),
        (warnings, counted(warnings, "warning")),
        (unknown, format!("{unknown} unknown")),
    ];
    let said: Vec<String> = parts
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(_, said)| said)
        .collect();
    let all = counted(checkup.checks.len() as u64, "check");
    match (problems, said.is_empty()) {
        (_, true) => format!("Ready: {all}, nothing found"),
        (0, false) => format!("Nothing spoils a measurement: {}, of {all}", listed(&said)),
        (_, false) => format!("Not ready: {}, of {all}", listed(&said)),
    }
}

fn mark(status: Status) -> Mark {
    match status {
        Status::Ok => Mark::Met,
        Status::Warning => Mark::Doubtful,
        Status::Problem => Mark::Missed,
        Status::Unknown => Mark::Undecided,
        Status::NotApplicable => Mark::Void,
    }
}

fn texts(checked: &Checked, fix: Option<&str>) -> Vec<String> {
    let mut texts = vec![match checked.status {
        Status::Unknown => format!("unknown: {}", checked.seen),
        Status::NotApplicable | Status::Ok | Status::Warning | Status::Problem => {
            checked.seen.clone()
        }
    }];
    if checked.status >= Status::Warning {
        texts.push(checked.matters.to_owned());
    }
    texts.extend(fix.map(|fix| format!("Fix: {fix}")));
    texts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Screen};

    fn checked(name: &'static str, status: Status) -> Checked {
        Checked {
            name,
            subject: Subject::Target,
            status,
            seen: format!("{name} was seen"),
            matters: "It matters.",
            fix: (status > Status::Ok).then(|| "do this".to_owned()),
        }
    }

    fn rendered(checks: Vec<Checked>) -> String {
        let checkup = Checkup {
            format_version: 1,
            infermeter_version: "1".to_owned(),
            target: Some("http://h".to_owned()),
            worst: Status::Ok,
            checks,
        };
        Format::Markdown.render(&of_checkup(&checkup), Screen::default())
    }

    #[test]
    fn a_fix_is_told_once_and_what_is_well_has_none() {
        let text = rendered(vec![
            checked("address", Status::Problem),
            checked("model", Status::Unknown),
            checked("tls", Status::Ok),
            checked("gpu", Status::NotApplicable),
        ]);
        assert_eq!(text.matches("do this").count(), 1, "{text}");
        assert_eq!(text.matches("It matters.").count(), 1, "{text}");
        for said in [
            "Not ready: 1 problem and 1 unknown, of 4 checks",
            "Target http",
            "✗ **address:** address was seen",
            "? **model:** unknown: model was seen",
            "✓ **tls:**",
            "· **gpu:**",
        ] {
            assert!(text.contains(said), "no `{said}` in\n{text}");
        }
    }

    #[test]
    fn the_sum_says_whether_anything_is_in_the_way() {
        let well = rendered(vec![checked("tls", Status::Ok)]);
        assert!(well.contains("Ready: 1 check, nothing found"), "{well}");
        let some = rendered(vec![checked("time", Status::Warning)]);
        assert!(
            some.contains("Nothing spoils a measurement: 1 warning, of 1 check"),
            "{some}"
        );
    }
}
