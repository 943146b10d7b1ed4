//! What has changed since it was last told: levels of figures, whether the target answers, objectives.
//!
//! Reads no file and sends nothing. Invariants: a change is told once, also over restarts; a change that was there
//! before the first instant of the folder is not news.

use super::line::{FigureChange, MonitorLine, News, NewsKind, SlotState};
use crate::history::KeptPlan;
use crate::run_id::timestamp;
use infermeter_analysis::{SloStatus, TrendChange, TrendFigure};
use infermeter_core::slo::Measure;

/// The chance, over all figures of one look, of a split as clear as one that is told where nothing has changed. A
/// history looks once at 5 %; a monitor looks after every run, so that each look owes for the others.
const ALARM: f64 = 0.005;

/// Most changes that are remembered: older ones have left the window of runs that is looked at.
const REMEMBERED: usize = 1_000;

/// What was told so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    changes: Vec<FigureTold>,
    /// The first instant of the folder; what was before it is not news.
    begun_ns: Option<i64>,
    /// Since when the target is down, and for how many instants.
    down: Option<Since>,
    /// The same of a missed objective.
    missed: Option<Since>,
}

#[derive(Debug, Clone)]
struct FigureTold {
    figure: String,
    kind: NewsKind,
    earliest_ns: i64,
    latest_ns: i64,
}

#[derive(Debug, Clone, Copy)]
struct Since {
    at_ns: i64,
    slots: u64,
}

impl Told {
    /// What earlier monitors of the folder have told.
    pub fn of<'a>(lines: impl Iterator<Item = &'a MonitorLine>) -> Self {
        let mut told = Self::default();
        for line in lines {
            told.begins(line.due_ns);
            for news in &line.news {
                told.remember(news);
            }
            // What is told of a state follows from the state.
            told.target(line.state, line.due_ns);
            let run = line.run.as_ref().filter(|run| run.usable);
            told.objectives(run.and_then(|run| run.objectives), line.due_ns);
        }
        told
    }

    /// An instant at `due_ns`; the first one counts.
    pub fn begins(&mut self, due_ns: i64) {
        self.begun_ns.get_or_insert(due_ns);
    }

    fn remember(&mut self, news: &News) {
        if let Some(change) = &news.change {
            self.changes.push(FigureTold {
                figure: change.figure.clone(),
                kind: news.kind,
                earliest_ns: change.earliest_ns,
                latest_ns: change.latest_ns,
            });
        }
        let more = self.changes.len().saturating_sub(REMEMBERED);
        self.changes.drain(..more);
    }

    /// Whether the target answers, after an instant.
    pub fn target(&mut self, state: SlotState, due_ns: i64) -> Option<News> {
        let is_so = match state {
            SlotState::Down => true,
            SlotState::Measured => false,
            // It says nothing of the target.
            SlotState::Failed | SlotState::Interrupted => return None,
        };
        turned(
            &mut self.down,
            is_so,
            due_ns,
            [NewsKind::Down, NewsKind::Up],
        )
    }

    /// Whether the objectives are met, after a run; one that is undecided says nothing.
    pub fn objectives(&mut self, answer: Option<SloStatus>, due_ns: i64) -> Option<News> {
        let is_so = match answer? {
            SloStatus::Missed => true,
            SloStatus::Met => false,
            SloStatus::Undecided => return None,
        };
        let kinds = [NewsKind::ObjectiveMissed, NewsKind::ObjectivesMet];
        turned(&mut self.missed, is_so, due_ns, kinds)
    }

    /// Changes of the figures of `plan` that were not told yet; they are told now.
    pub fn changes(&mut self, plan: &KeptPlan, figures: &[Measure]) -> Vec<News> {
        let found = changes_of(plan, figures);
        let unknown = found.into_iter().filter(|news| self.is_news(news));
        let unknown: Vec<News> = unknown.collect();
        for news in &unknown {
            self.remember(news);
        }
        unknown
    }

    fn is_news(&self, news: &News) -> bool {
        let Some(change) = &news.change else {
            return true;
        };
        if self.begun_ns.is_some_and(|begun| change.latest_ns < begun) {
            return false;
        }
        // More runs move the place of a change within what was uncertain of it.
        let same = |told: &FigureTold| {
            told.figure == change.figure
                && told.kind == news.kind
                && told.earliest_ns <= change.latest_ns
                && change.earliest_ns <= told.latest_ns
        };
        !self.changes.iter().any(same)
    }
}

/// Whether something that is so, or is not, has become so.
fn turned(
    since: &mut Option<Since>,
    is_so: bool,
    due_ns: i64,
    [begins, ends]: [NewsKind; 2],
) -> Option<News> {
    match (since.as_mut(), is_so) {
        (None, false) => None,
        (Some(since), true) => {
            since.slots += 1;
            None
        }
        (None, true) => {
            *since = Some(Since {
                at_ns: due_ns,
                slots: 1,
            });
            Some(at(begins, due_ns))
        }
        (Some(_), false) => since.take().map(|since| News {
            since_ns: since.at_ns,
            since: timestamp(since.at_ns),
            lasted: Some(since.slots),
            ..at(ends, due_ns)
        }),
    }
}

fn at(kind: NewsKind, ns: i64) -> News {
    News {
        kind,
        since_ns: ns,
        since: timestamp(ns),
        lasted: None,
        change: None,
    }
}

/// Every change of these figures that is clear enough to be told.
fn changes_of(plan: &KeptPlan, figures: &[Measure]) -> Vec<News> {
    let trend = plan.trend(figures);
    let occasions = plan.occasions();
    let error = ALARM / trend.figures.len().max(1) as f64;
    let mut found = Vec::new();
    for figure in &trend.figures {
        for (nth, change) in figure.changes.iter().enumerate() {
            if change.p_value > error {
                continue;
            }
            let run = |number: usize| occasions.get(number).and_then(|o| o.runs.first());
            let (Some(first), Some(earliest), Some(latest)) =
                (run(change.at), run(change.earliest), run(change.latest))
            else {
                continue;
            };
            let kind = match change.worse {
                true => NewsKind::Regression,
                false => NewsKind::Improvement,
            };
            found.push(News {
                change: Some(FigureChange {
                    first_run: first.run_id.clone(),
                    earliest_ns: earliest.begun_ns,
                    latest_ns: latest.begun_ns,
                    ..sized(figure, nth, change)
                }),
                ..at(kind, first.begun_ns)
            });
        }
    }
    found
}

/// The levels on both sides of the `nth` change, and the step between them.
fn sized(figure: &TrendFigure, nth: usize, change: &TrendChange) -> FigureChange {
    let level = |number: usize| figure.levels.get(number);
    let median = |number: usize| level(number).and_then(|level| level.median);
    let runs = |number: usize| level(number).map_or(0, |level| level.n);
    FigureChange {
        figure: figure.name.clone(),
        unit: figure.unit.to_string(),
        before: median(nth),
        runs_before: runs(nth),
        after: median(nth + 1),
        runs_after: runs(nth + 1),
        change: change.change,
        at_least: change.at_least,
        at_most: change.at_most,
        p_value: change.p_value,
        first_run: String::new(),
        earliest_ns: 0,
        latest_ns: 0,
        beside: change.beside.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: NewsKind, figure: &str, place: [i64; 2]) -> News {
        let [earliest_ns, latest_ns] = place;
        News {
            change: Some(FigureChange {
                figure: figure.to_owned(),
                unit: "ms".to_owned(),
                before: Some(1.0),
                runs_before: 9,
                after: Some(2.0),
                runs_after: 9,
                change: Some(1.0),
                at_least: None,
                at_most: None,
                p_value: 0.0005,
                first_run: "a".to_owned(),
                earliest_ns,
                latest_ns,
                beside: Vec::new(),
            }),
            ..at(kind, earliest_ns)
        }
    }

    #[test]
    fn a_change_is_told_once_wherever_it_moves() {
        let mut told = Told::default();
        told.begins(100);
        let first = change(NewsKind::Regression, "ttft.p50", [200, 300]);
        assert!(told.is_news(&first));
        told.remember(&first);
        let check = |news: News, expect: bool| assert_eq!(told.is_news(&news), expect, "{news:?}");
        check(change(NewsKind::Regression, "ttft.p50", [250, 400]), false);
        check(change(NewsKind::Regression, "ttft.p50", [301, 400]), true);
        check(change(NewsKind::Regression, "e2e.p50", [200, 300]), true);
        check(change(NewsKind::Improvement, "ttft.p50", [250, 400]), true);
        // It was there before anybody watched.
        check(change(NewsKind::Regression, "e2e.p50", [20, 90]), false);
    }

    #[test]
    fn down_and_up_are_told_when_they_begin() {
        let mut told = Told::default();
        let states = [
            SlotState::Measured,
            SlotState::Down,
            SlotState::Failed,
            SlotState::Down,
            SlotState::Measured,
            SlotState::Measured,
        ];
        let said = states.iter().enumerate().map(|(number, state)| {
            let news = told.target(*state, number as i64);
            news.map(|news| (news.kind, news.since_ns, news.lasted))
        });
        let said: Vec<_> = said.collect();
        let expect = [
            None,
            Some((NewsKind::Down, 1, None)),
            None,
            None,
            Some((NewsKind::Up, 1, Some(2))),
            None,
        ];
        assert_eq!(said, expect);
    }

    #[test]
    fn an_objective_that_is_undecided_changes_nothing() {
        let mut told = Told::default();
        let mut tell = |answer| told.objectives(answer, 7).map(|news| news.kind);
        assert_eq!(tell(Some(SloStatus::Met)), None);
        assert_eq!(
            tell(Some(SloStatus::Missed)),
            Some(NewsKind::ObjectiveMissed)
        );
        assert_eq!(tell(Some(SloStatus::Undecided)), None);
        assert_eq!(tell(None), None);
        assert_eq!(tell(Some(SloStatus::Missed)), None);
        assert_eq!(tell(Some(SloStatus::Met)), Some(NewsKind::ObjectivesMet));
    }
}
