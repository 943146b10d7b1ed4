//! A run read in parts.

use super::Run;
use crate::{judge, summarize, summarize_log};
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::request::Turn;
use infermeter_core::run::{RunLog, RunManifest};
use infermeter_core::schedule::Slice;
use infermeter_core::source::merged::MergedRecords;
use infermeter_core::source::{ChunkFields, RecordSource};
use infermeter_metrics::fixture::{Run as Fabricated, ms};
use std::ops::ControlFlow;

/// Records in consecutive parts, as a file with row groups gives them.
struct Parts<'a>(&'a RunLog, usize);

impl RecordSource for Parts<'_> {
    type Error = std::convert::Infallible;

    fn in_order(
        &self,
        fields: ChunkFields,
        each: &mut dyn FnMut(&RequestRecord) -> ControlFlow<()>,
    ) -> Result<(), Self::Error> {
        self.0.in_order(fields, each)
    }

    fn scan<C: Send>(
        &self,
        _: ChunkFields,
        start: &(dyn Fn() -> C + Sync),
        take: &(dyn Fn(&mut C, &RequestRecord) + Sync),
    ) -> Result<Vec<C>, Self::Error> {
        let parts = self.0.records.chunks(self.1);
        let collect = |part: &[RequestRecord]| {
            let mut collector = start();
            part.iter().for_each(|record| take(&mut collector, record));
            collector
        };
        Ok(parts.map(collect).collect())
    }
}

/// A run of two classes with failures, objectives, several tokens a chunk and merged arrivals.
fn fabricated() -> RunLog {
    let mut run = Fabricated::steady(2_000, 40.0, 12);
    run.manifest().classes.push("long".to_owned());
    run.manifest().plan.slo = ["itl.p97<300ms", "ttft.p90<70ms"]
        .map(|text| text.parse().expect("an objective"))
        .to_vec();
    for (i, record) in run.records().iter_mut().enumerate() {
        record.class = u16::from(i % 2 == 0);
        if i % 40 == 7 {
            record.outcome = Outcome::Failed;
        }
        if i % 3 == 0 {
            record
                .chunks
                .iter_mut()
                .for_each(|c| c.tokens = 1 + i as u32 % 4);
        }
        for chunk in record.chunks.iter_mut().step_by(9) {
            chunk.lower = chunk.at.plus(-ms(i as i64 % 5));
        }
    }
    run.build()
}

#[test]
fn a_run_read_in_parts_gives_the_same_figures() {
    let log = fabricated();
    let (_, whole) = summarize_log(&log);
    for size in [1, 7, 1_000] {
        let parts = Parts(&log, size);
        let Ok(run) = Run::read(log.manifest.clone(), &parts);
        let Ok(summary) = summarize(&run, &parts);
        assert_eq!(summary, whole, "parts of {size}");
    }
    let none = RunLog {
        records: Vec::new(),
        ..log
    };
    let parts = Parts(&none, 5);
    let Ok(run) = Run::read(none.manifest.clone(), &parts);
    let Ok(summary) = summarize(&run, &parts);
    assert_eq!(summary, summarize_log(&none).1);
}

/// The same with conversations of five turns.
fn of_sessions() -> RunLog {
    let mut log = fabricated();
    let turns = 5;
    for record in &mut log.records {
        let number = (record.id % turns) as u32;
        record.turn = Some(Turn {
            session: record.id / turns,
            number,
        });
        record.parent = (number > 0).then(|| record.id - 1);
    }
    log
}

/// What is printed of a run: figures and findings, as text.
fn printed<S: RecordSource>(manifest: &RunManifest, source: &S) -> [String; 2]
where
    S::Error: std::fmt::Debug,
{
    let run = Run::read(manifest.clone(), source).expect("readable");
    let summary = summarize(&run, source).expect("readable");
    let findings = judge(&run, &summary);
    [
        serde_json::to_string(&summary).expect("JSON"),
        serde_json::to_string(&findings).expect("JSON"),
    ]
}

#[test]
fn slices_of_a_record_that_are_merged_give_what_the_whole_gives() {
    type Key = fn(&RequestRecord) -> u64;
    let by_id: Key = |record| record.id;
    let by_session: Key = |record| record.turn.map_or(record.id, |turn| turn.session);
    for log in [fabricated(), of_sessions()] {
        let whole = printed(&log.manifest, &log);
        for (of, key) in [
            (2, by_id),
            (3, by_id),
            (7, by_id),
            (2, by_session),
            (7, by_session),
        ] {
            let slice = |slice: Slice| RunLog {
                manifest: log.manifest.clone(),
                records: {
                    let own = log.records.iter().filter(|r| slice.takes(key(r)));
                    own.cloned().collect()
                },
            };
            let merged = MergedRecords::of(Slice::all(of).map(slice).collect());
            assert_eq!(printed(&log.manifest, &merged), whole, "{of} slices");
        }
    }
}
