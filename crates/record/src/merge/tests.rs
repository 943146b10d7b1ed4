//! Rows dealt out to several records and merged again: those of the whole, whatever lies in them.

use super::*;
use crate::parquet::PARQUET_FILE;
use crate::parquet::reader::read_records;
use crate::parquet::writer::RecordsWriter;
use crate::testing::{arbitrary_record, classes, record, unsent};
use infermeter_core::record::ChunkKind;
use infermeter_core::source::{ChunkFields, RecordSource};
use proptest::prelude::{any, proptest};
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Records in directories of their own.
struct Shards {
    scratch: tempfile::TempDir,
    directories: Vec<PathBuf>,
}

impl Shards {
    /// Deals records out: `owner` says who gets which.
    fn dealt(records: &[RequestRecord], of: usize, owner: impl Fn(usize) -> usize) -> Self {
        let mut shards = Self {
            scratch: tempfile::tempdir().expect("a directory"),
            directories: Vec::new(),
        };
        for shard in 0..of {
            let own = records.iter().enumerate();
            let own = own.filter(|(number, _)| owner(*number) == shard);
            shards.add(own.map(|(_, record)| record.clone()), &classes());
        }
        shards
    }

    fn add(&mut self, records: impl Iterator<Item = RequestRecord>, classes: &[String]) {
        let directory = self.directory(&format!("shard-{}", self.directories.len()));
        let mut writer = RecordsWriter::create(&directory, classes).expect("created");
        records.for_each(|record| writer.append(record).expect("written"));
        writer.finish().expect("finished");
        self.directories.push(directory);
    }

    fn directory(&self, name: &str) -> PathBuf {
        let directory = self.scratch.path().join(name);
        fs::create_dir(&directory).expect("made");
        directory
    }

    fn rows(&self) -> Vec<RowsOf<'_>> {
        let rows = self.directories.iter().enumerate();
        rows.map(|(client, directory)| RowsOf {
            directory,
            client: Some(client as u32),
            addresses: Vec::new(),
            others_end: None,
        })
        .collect()
    }

    fn merged(&self) -> (MergedRows, Vec<RequestRecord>) {
        let out = self.directory("whole");
        let merged = merge_records(&self.rows(), &out, &classes()).expect("merged");
        (merged, read_records(&out).expect("readable"))
    }
}

/// As the merge leaves it.
fn of_client(mut record: RequestRecord, client: usize) -> RequestRecord {
    record.client = Some(client as u32);
    record.texts = None;
    record
}

fn numbered(records: Vec<RequestRecord>) -> Vec<RequestRecord> {
    let numbered = records.into_iter().enumerate();
    let number = |(number, record)| RequestRecord {
        id: number as u64 * 3,
        ..record
    };
    numbered.map(number).collect()
}

proptest! {
    #[test]
    fn what_was_dealt_out_comes_back_as_it_was(
        records in proptest::collection::vec((arbitrary_record(), any::<u8>()), 0..40),
        of in 1usize..9,
    ) {
        let (records, dealt): (Vec<_>, Vec<_>) = records.into_iter().unzip();
        let records = numbered(records);
        let owner = |number: usize| usize::from(dealt[number]) % of;
        let (merged, found) = Shards::dealt(&records, of, owner).merged();
        let chunks: usize = records.iter().map(|record| record.chunks.len()).sum();
        let expect: Vec<_> = records.into_iter().enumerate()
            .map(|(number, record)| of_client(record, owner(number)))
            .collect();
        assert_eq!(found, expect);
        assert_eq!((merged.rows, merged.chunks), (expect.len() as u64, chunks as u64));
        assert_eq!((merged.twice, merged.out_of_order), (0, vec![0; of]));
    }
}

/// Several row groups, with what differs between groups, within one, and nowhere.
#[test]
fn row_groups_are_merged_one_after_the_other() {
    const ROWS: u64 = 20_000;
    let all = (0..ROWS).map(|id| {
        let mut own = record(id, (id % 4) as usize);
        for chunk in &mut own.chunks {
            if (9_000..9_100).contains(&id) {
                chunk.tokens = 2 + (id % 2) as u32;
            }
            if id > 18_000 {
                chunk.kind = ChunkKind::Reasoning;
            }
        }
        own
    });
    let all: Vec<RequestRecord> = all.collect();
    let owner = |number: usize| match number {
        0..5_000 => number % 3,
        5_000..12_000 => 1,
        _ => (number / 7) % 3,
    };
    let shards = Shards::dealt(&all, 3, owner);
    let (merged, found) = shards.merged();
    assert_eq!(merged.rows, ROWS);
    let expect = all.into_iter().enumerate();
    let expect = expect.map(|(number, record)| of_client(record, owner(number)));
    assert!(found.iter().eq(&expect.collect::<Vec<_>>()));
    let whole = shards.scratch.path().join("whole");
    let rows = ParquetRecords::open(&whole).expect("opened");
    let mut instants = 0;
    let read = rows.in_order(ChunkFields::default(), &mut |record| {
        instants += record.chunks.len();
        ControlFlow::Continue(())
    });
    read.expect("read");
    assert_eq!(instants as u64, merged.chunks);
}

#[test]
fn an_id_that_comes_twice_stays_twice_and_is_counted() {
    let mut shards = Shards::dealt(&[], 0, |_| 0);
    for ids in [[0, 2, 4], [1, 2, 3], [2, 3, 9]] {
        shards.add(ids.into_iter().map(unsent), &classes());
    }
    let (merged, found) = shards.merged();
    let ids: Vec<u64> = found.iter().map(|record| record.id).collect();
    assert_eq!(ids, [0, 1, 2, 2, 2, 3, 3, 4, 9]);
    assert_eq!(merged.twice, 3);
    let first = merged.first_twice.expect("some");
    assert_eq!((first.id, first.records), (2, [0, 1]));
}

#[test]
fn a_row_that_comes_too_late_is_kept_and_counted() {
    let mut shards = Shards::dealt(&[], 0, |_| 0);
    shards.add((0..3).map(|id| record(id * 2, 2)), &classes());
    let turned = shards.directory("turned");
    turn_round(&shards.directories[0], &turned);
    shards.directories[0] = turned;
    shards.add((0..3).map(|id| record(1 + id * 2, 1)), &classes());
    let (merged, found) = shards.merged();
    let ids: Vec<u64> = found.iter().map(|record| record.id).collect();
    assert_eq!(ids, [1, 3, 4, 2, 0, 5]);
    assert_eq!(merged.out_of_order, [2, 0]);
    let chunks = found.iter().map(|record| record.chunks.len());
    assert!(chunks.eq([1, 1, 2, 2, 2, 1]));
}

/// Writes the rows of a record backwards, which no writer of ours does.
fn turn_round(from: &Path, to: &Path) {
    let rows = ParquetRecords::open(from).expect("opened");
    let mut group = Gathered::default();
    let read = rows.batches(&mut |batch| {
        for row in (0..batch.records.len()).rev() {
            group.take(batch.records[row].clone(), &batch.lanes, row);
        }
        ControlFlow::Continue(())
    });
    read.expect("read");
    let mut writer = GatheredWriter::create(to, rows.classes()).expect("created");
    writer.write(&mut group).expect("written");
    writer.finish().expect("finished");
}

#[test]
fn classes_go_by_name_and_addresses_by_their_numbers() {
    let mut shards = Shards::dealt(&[], 0, |_| 0);
    let at = |id: u64, class: u16, address: u32| RequestRecord {
        class,
        address: Some(address),
        ..unsent(id)
    };
    shards.add([at(0, 1, 0)].into_iter(), &classes());
    let turned: Vec<String> = classes().into_iter().rev().collect();
    shards.add([at(1, 0, 0), at(2, 1, 7)].into_iter(), &turned);
    let mut rows = shards.rows();
    rows[1].addresses = vec![1];
    let out = shards.directory("whole");
    merge_records(&rows, &out, &classes()).expect("merged");
    let found = read_records(&out).expect("readable");
    let found = found.iter().map(|r| (r.class, r.address, r.client));
    let expect = [
        (1, Some(0), Some(0)),
        (2, Some(1), Some(1)),
        (1, Some(7), Some(1)),
    ];
    assert!(found.eq(expect));
    let error = merge_records(&rows, &out, &classes()[..2]).expect_err("a class too many");
    assert!(error.to_string().contains("summarization"), "{error}");
}

#[test]
fn measured_rows_that_outlast_another_record_are_counted() {
    let mut shards = Shards::dealt(&[], 0, |_| 0);
    let closed = |id: u64, phase: Phase, at: Option<i64>| RequestRecord {
        phase,
        closed: at.map(Offset),
        ..unsent(id)
    };
    let (measure, drain) = (Phase::Measure, Phase::Drain);
    shards.add(
        [
            closed(0, measure, Some(50)),
            closed(2, measure, Some(51)),
            closed(4, drain, Some(90)),
        ]
        .into_iter(),
        &classes(),
    );
    shards.add(
        [closed(1, measure, Some(99)), closed(3, measure, None)].into_iter(),
        &classes(),
    );
    let mut rows = shards.rows();
    rows[0].others_end = Some(Offset(50));
    let out = shards.directory("whole");
    let merged = merge_records(&rows, &out, &classes()).expect("merged");
    assert_eq!((merged.measured, merged.outlasting), (3, 1));
}

#[test]
fn a_record_that_cannot_be_read_leaves_no_result() {
    let records: Vec<RequestRecord> = (0..2_000).map(|id| record(id, 8)).collect();
    let shards = Shards::dealt(&records, 2, |number| number % 2);
    let damaged = shards.directories[1].join(PARQUET_FILE);
    let mut bytes = fs::read(&damaged).expect("there");
    // Pages begin behind the magic; the index at the end stays as it is.
    let half = bytes.len() / 2;
    bytes[4..half].fill(0xa5);
    fs::write(&damaged, bytes).expect("written");
    let out = shards.directory("whole");
    let error = merge_records(&shards.rows(), &out, &classes()).expect_err("damaged");
    assert!(error.to_string().contains("shard-1"), "{error}");
    assert_eq!(fs::read_dir(&out).expect("there").count(), 0);
}
