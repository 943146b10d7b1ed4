//! What `monitor` says: of an instant on standard output, of what changed to a webhook.
//!
//! Decides nothing. Invariant: a line of text is one of a terminal's log, whatever a server's words in it are.

use infermeter_core::number::counted;
use infermeter_core::text::inert;
use infermeter_report::{ChangeView, MonitoredView, change_line, monitored_line};
use infermeter_session::monitor::{
    MONITOR_VERSION, MonitorLine, News, NewsKind, SlotState, Watched,
};
use schemars::JsonSchema;
use serde::Serialize;

/// Longest words of an error in a line, bytes; JSON has all of them.
const WORDS: usize = 300;

/// What `monitor --webhook` sends.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct WebhookMessage<'a> {
    /// Version of the format.
    pub format_version: u32,
    /// What happened, in words; chat services show it.
    pub text: String,
    /// The line of the instant that brought the news.
    pub line: &'a MonitorLine,
}

impl<'a> WebhookMessage<'a> {
    /// Of a line with news.
    pub fn of(line: &'a MonitorLine) -> Self {
        let news: Vec<String> = line.news.iter().map(|one| news_text(one, line)).collect();
        Self {
            format_version: MONITOR_VERSION,
            text: format!("infermeter monitor, {}: {}", line.server, news.join("; ")),
            line,
        }
    }
}

/// The lines of an instant, for people: what was measured, and below it what changed. `shown` are the figures.
pub(crate) fn lines(line: &MonitorLine, shown: &[String]) -> Vec<String> {
    let mut lines = vec![format!("{}  {}", line.due, what(line, shown))];
    if line.skipped > 0 {
        lines.push(format!(
            "  {} before it passed over: what was begun before took longer than --every",
            counted(line.skipped, "instant")
        ));
    }
    // That it is down stands in the line itself.
    let news = line.news.iter().filter(|one| one.kind != NewsKind::Down);
    lines.extend(news.map(|one| format!("  {}", news_text(one, line))));
    let problems = line.problems.iter().map(|one| inert(one, WORDS));
    lines.extend(problems.map(|text| format!("  problem: {text}")));
    lines
}

fn what(line: &MonitorLine, shown: &[String]) -> String {
    let run = line.run.as_ref().map(|run| {
        monitored_line(&MonitoredView {
            verdict: run.verdict,
            findings: &run.findings,
            requests: run.requests,
            figures: &run.figures,
            shown,
            objectives: run.objectives,
        })
    });
    let error = line.error.as_ref().map(|error| in_a_line(&error.message));
    let said = run.or(error).unwrap_or_else(|| "no figures".to_owned());
    match line.state {
        SlotState::Measured => said,
        SlotState::Down => format!("DOWN: {said}"),
        SlotState::Failed => format!("not measured: {said}"),
        SlotState::Interrupted => format!("interrupted: {said}"),
    }
}

/// An error of several lines in one: what is wrong; what to do.
fn in_a_line(message: &str) -> String {
    let lines: Vec<&str> = message.lines().map(str::trim).collect();
    inert(&lines.join("; "), WORDS)
}

/// One news in words.
fn news_text(news: &News, line: &MonitorLine) -> String {
    let since = &news.since;
    let lasted = news.lasted.unwrap_or(0);
    match news.kind {
        NewsKind::Regression => format!("REGRESSION: {}", change_text(news)),
        NewsKind::Improvement => format!("improvement: {}", change_text(news)),
        NewsKind::Down => match &line.error {
            Some(error) => format!("DOWN since {since}: {}", in_a_line(&error.message)),
            None => format!("DOWN since {since}: no request completed"),
        },
        NewsKind::Up => format!(
            "up again: it was down since {since}, at {}",
            counted(lasted, "instant")
        ),
        NewsKind::ObjectiveMissed => format!("OBJECTIVE MISSED since {since}"),
        NewsKind::ObjectivesMet => format!(
            "objectives met again: missed since {since}, in {}",
            counted(lasted, "run")
        ),
    }
}

fn change_text(news: &News) -> String {
    let Some(change) = &news.change else {
        return String::new();
    };
    change_line(&ChangeView {
        figure: &change.figure,
        unit: &change.unit,
        levels: [change.before, change.after],
        runs: [change.runs_before, change.runs_after],
        change: change.change,
        at_least: change.at_least,
        at_most: change.at_most,
        since: &news.since,
        p_value: change.p_value,
        beside: &change.beside,
    })
}

/// What all of it came to.
pub(crate) fn summary(watched: &Watched) -> String {
    let mut parts = vec![format!("{} measured", watched.measured)];
    for (n, word) in [
        (watched.down, "down"),
        (watched.failed, "not measured"),
        (watched.skipped, "passed over"),
    ] {
        if n > 0 {
            parts.push(format!("{n} {word}"));
        }
    }
    format!(
        "{}: {}; {} for the worse",
        counted(watched.slots, "instant"),
        parts.join(", "),
        counted(watched.regressions, "change")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_session::failure::Cause;
    use infermeter_session::monitor::MonitorError;

    fn down() -> MonitorLine {
        MonitorLine {
            format_version: MONITOR_VERSION,
            slot: 7,
            server: "prod".to_owned(),
            due_ns: 0,
            due: "2026-11-30T17:00:00Z".to_owned(),
            late_ms: 0.1,
            skipped: 2,
            state: SlotState::Down,
            run: None,
            error: Some(MonitorError {
                cause: Cause::Target,
                message: "target cannot be reached: refused\n  is it up?".to_owned(),
            }),
            news: vec![News {
                kind: NewsKind::Down,
                since_ns: 0,
                since: "2026-11-30T17:00:00Z".to_owned(),
                lasted: None,
                change: None,
            }],
            problems: Vec::new(),
            removed: 0,
        }
    }

    #[test]
    fn an_instant_without_a_run_says_why_in_one_line() {
        let said = lines(&down(), &[]);
        assert!(said.iter().all(|line| !line.contains('\n')), "{said:?}");
        assert!(
            said[0].ends_with("DOWN: target cannot be reached: refused; is it up?"),
            "{said:?}"
        );
        assert!(said[1].starts_with("  2 instants before it passed over"));
        assert_eq!(said.len(), 2);
        let line = down();
        let message = WebhookMessage::of(&line);
        assert!(
            message
                .text
                .starts_with("infermeter monitor, prod: DOWN since")
        );
    }

    #[test]
    fn what_it_came_to_counts_what_there_was() {
        let watched = Watched {
            slots: 3,
            measured: 2,
            down: 1,
            ..Watched::default()
        };
        assert_eq!(
            summary(&watched),
            "3 instants: 2 measured, 1 down; 0 changes for the worse"
        );
    }
}
