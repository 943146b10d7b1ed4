//! A run read in parts.

use super::Run;
use crate::{summarize, summarize_log};
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::run::RunLog;
use infermeter_core::source::{ChunkFields, RecordSource};
use infermeter_metrics::fixture::{Run as Fabricated, ms};

/// Records in consecutive parts, as a file with row groups gives them.
struct Parts<'a>(&'a RunLog, usize);

impl RecordSource for Parts<'_> {
    type Error = std::convert::Infallible;

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

#[test]
fn a_run_read_in_parts_gives_the_same_figures() {
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
    let log = run.build();
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
