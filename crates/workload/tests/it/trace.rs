//! Traces: what is read, and what is said about what cannot be.

use infermeter_workload::{TraceError, TraceReader, TraceRow, read_trace};
use proptest::collection::vec;
use proptest::prelude::{any, proptest};
use std::path::Path;

const SLICE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/azure-2023-conv-head.csv"
);

fn read(text: &[u8]) -> Result<Vec<TraceRow>, TraceError> {
    TraceReader::new(text)?.collect()
}

fn refuse(text: &str, expect: &str) {
    let error = read(text.as_bytes())
        .expect_err("must be refused")
        .to_string();
    assert!(error.contains(expect), "{error}");
}

#[test]
fn reads_the_azure_slice_exactly() {
    let rows = read_trace(Path::new(SLICE), None).expect("a trace");
    assert_eq!(rows.len(), 60);
    // 18:15:46.6805900 and 18:15:50.9951690.
    assert_eq!(
        rows[..2],
        [
            TraceRow {
                offset_ns: 0,
                input_tokens: 374,
                output_tokens: 44
            },
            TraceRow {
                offset_ns: 4_314_579_000,
                input_tokens: 396,
                output_tokens: 109
            },
        ]
    );
    assert!(
        rows.windows(2)
            .all(|pair| pair[0].offset_ns <= pair[1].offset_ns)
    );
    let limited = read_trace(Path::new(SLICE), Some(7)).expect("a trace");
    assert_eq!(limited, rows[..7]);
}

#[test]
fn columns_are_found_by_name() {
    let text = "\u{feff}\"Model\",generatedtokens, ContextTokens ,TIMESTAMP\r\n\
                \"a, \"\"b\"\"\",4,3,2024-05-10 00:00:00.009930+00:00\r\n\
                \r\n\
                c,6,5,\"2024-05-10T02:00:01+02:00\"";
    assert_eq!(
        read(text.as_bytes()).expect("a trace"),
        [
            TraceRow {
                offset_ns: 0,
                input_tokens: 3,
                output_tokens: 4
            },
            TraceRow {
                offset_ns: 990_070_000,
                input_tokens: 5,
                output_tokens: 6
            },
        ]
    );
}

const HEADER: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,1\n";

#[test]
fn errors_name_the_line() {
    refuse("", "no rows");
    refuse("\n\n", "no rows");
    refuse(
        "TIMESTAMP,Context\n",
        "line 1: the header has no column ContextTokens",
    );
    refuse(
        &format!("{HEADER}\n2023-11-16 18:15:47,x,1\n"),
        "line 4: ContextTokens is `x`",
    );
    refuse(
        &format!("{HEADER}2023-11-16 18:15:47,1,0\n"),
        "line 3: GeneratedTokens is `0`",
    );
    refuse(
        &format!("{HEADER}2023-11-16 18:15:47,-1,1\n"),
        "line 3: ContextTokens is `-1`",
    );
    refuse(
        &format!("{HEADER}2023-11-16 18:15:47,1,4000001\n"),
        "line 3: GeneratedTokens",
    );
    refuse(
        &format!("{HEADER}2023-11-16 18:15:47,1\n"),
        "line 3: no field GeneratedTokens",
    );
    refuse(
        &format!("{HEADER}yesterday,1,1\n"),
        "line 3: TIMESTAMP is `yesterday`",
    );
    refuse(
        &format!("{HEADER}2023-11-16 18:15:45,1,1\n"),
        "lies before the row above",
    );
    refuse(&format!("{HEADER}\u{1b}[31m,1,1\n"), "\u{fffd}[31m");
    refuse(
        &format!("{HEADER}{}\n", "x".repeat(70_000)),
        "line 3: longer than",
    );
    let bytes = [HEADER.as_bytes(), b"\xff\xfe,1,1\n"].concat();
    assert!(matches!(
        read(&bytes),
        Err(TraceError::NotText { line: 3, .. })
    ));
}

#[test]
fn errors_name_the_file() {
    let missing = Path::new("no/such/trace.csv");
    let error = read_trace(missing, None).expect_err("missing").to_string();
    assert!(
        error.contains("no/such/trace.csv") && error.contains("--trace"),
        "{error}"
    );

    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "TIMESTAMP,ContextTokens,GeneratedTokens\n").expect("written");
    let error = read_trace(file.path(), None)
        .expect_err("empty")
        .to_string();
    assert!(error.contains("no rows"), "{error}");
    let nothing = read_trace(Path::new(SLICE), Some(0))
        .expect_err("limit 0")
        .to_string();
    assert!(nothing.contains("--trace-limit"), "{nothing}");
}

#[test]
fn lines_after_the_limit_are_not_looked_at() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("{HEADER}broken\n")).expect("written");
    assert_eq!(read_trace(file.path(), Some(1)).expect("one row").len(), 1);
    assert!(read_trace(file.path(), None).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        drop(read(&bytes));
        drop(read(&[HEADER.as_bytes(), &bytes].concat()));
    }

    #[test]
    fn any_rows_come_back(
        mut rows in vec((0_i64..60_000_000_000, 1_u32..4_000_000, 1_u32..4_000_000), 1..40),
    ) {
        rows.sort_unstable();
        let mut text = "GeneratedTokens,TIMESTAMP,ContextTokens\n".to_owned();
        for (ns, input, output) in &rows {
            let (s, fraction) = (ns / 1_000_000_000, ns % 1_000_000_000);
            text += &format!("{output},2023-11-16 18:15:{s:02}.{fraction:09},{input}\n");
        }
        let first = rows[0].0;
        let expect: Vec<TraceRow> = rows
            .iter()
            .map(|&(ns, input_tokens, output_tokens)| TraceRow {
                offset_ns: ns - first,
                input_tokens,
                output_tokens,
            })
            .collect();
        assert_eq!(read(text.as_bytes()).expect("rows"), expect);
    }
}
