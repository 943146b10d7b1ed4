//! Traces: what is read, and what is said about what cannot be.

use crate::files::{SLICE, packed, read, refuse, refuse_with, with};
use infermeter_core::environment::SkipReason;
use infermeter_workload::{
    Row, Trace, TraceError, TraceFormat, TraceOptions, TraceReader, TraceRow, fuzzing,
};
use proptest::collection::vec;
use proptest::prelude::{any, proptest};
use std::io::{BufReader, Read, repeat};
use std::path::Path;

fn timed(at_ns: i64, input_tokens: u32, output_tokens: u32) -> TraceRow {
    TraceRow {
        offset_ns: at_ns,
        input_tokens,
        output_tokens,
    }
}

#[test]
fn reads_the_azure_slice_exactly() {
    let trace = Trace::read(Path::new(SLICE), &TraceOptions::default()).expect("a trace");
    let rows = trace.rows();
    assert_eq!(rows.len(), 60);
    // 18:15:46.6805900 and 18:15:50.9951690.
    assert_eq!(
        rows[..2],
        [timed(0, 374, 44), timed(4_314_579_000, 396, 109)]
    );
    assert!(
        rows.windows(2)
            .all(|two| two[0].offset_ns <= two[1].offset_ns)
    );
    assert_eq!(trace.facts().expect("facts").format, TraceFormat::Azure);
    let limit = TraceOptions {
        limit: Some(7),
        ..TraceOptions::default()
    };
    let limited = Trace::read(Path::new(SLICE), &limit).expect("a trace");
    assert_eq!(limited.rows(), &rows[..7]);
}

#[test]
fn a_compressed_trace_is_the_same_trace() {
    let options = TraceOptions::default();
    let plain = Trace::read(Path::new(SLICE), &options).expect("a trace");
    let file = packed(&std::fs::read(SLICE).expect("the slice"));
    let trace = Trace::read(file.path(), &options).expect("a packed trace");
    assert_eq!(trace.rows(), plain.rows());
    assert!(trace.facts().expect("facts").compressed);
    // Cut short, it is an error at a line, and no shorter trace.
    let whole = std::fs::read(file.path()).expect("packed");
    std::fs::write(file.path(), &whole[..whole.len() / 2]).expect("written");
    let error = Trace::read(file.path(), &options).expect_err("cut");
    assert!(error.to_string().contains("line "), "{error}");
}

#[test]
fn columns_are_found_by_name() {
    let text = "\u{feff}\"Model\",generatedtokens, ContextTokens ,TIMESTAMP,NumImages\r\n\
                \"a, \"\"b\"\"\",4,3,2024-05-10 00:00:00.009930+00:00,2\r\n\
                \r\n\
                c,6,5,\"2024-05-10T02:00:01+02:00\"";
    let row = |line, at_ns, input, output, images| Row {
        line,
        at_ns: Some(at_ns),
        input_tokens: Some(input),
        output_tokens: Some(output),
        images,
        ..Row::default()
    };
    assert_eq!(
        read(text.as_bytes()).expect("a trace").0,
        [row(2, 0, 3, 4, Some(2)), row(4, 990_070_000, 5, 6, None)]
    );
}

const HEADER: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46,1,1\n";

#[test]
fn errors_name_the_line() {
    for (row, expect) in [
        (
            "\n2023-11-16 18:15:47,x,1",
            "line 4: ContextTokens is `x`: a whole number from 0",
        ),
        ("2023-11-16 18:15:47,-1,1", "line 3: ContextTokens is `-1`"),
        ("2023-11-16 18:15:47,1,4000001", "line 3: GeneratedTokens"),
        ("2023-11-16 18:15:47,1", "line 3: no field GeneratedTokens"),
        (
            "2023-11-16 18:15:47,1,1,1",
            "line 3: 4 fields, but the header has 3",
        ),
        ("yesterday,1,1", "line 3: TIMESTAMP is `yesterday`"),
        (
            "2023-11-16 18:15:45,1,1",
            "line 3: the time lies 1s before the row above (line 2)",
        ),
        ("\u{1b}[31m,1,1", "\u{fffd}[31m"),
        (
            "\"2023-11-16 18:15:47,1,1",
            "line 3: a quoted field opens here",
        ),
        (
            "{\"timestamp\": 1}",
            "line 3: TIMESTAMP is `{\"timestamp\": 1}`",
        ),
    ] {
        refuse(&format!("{HEADER}{row}\n"), expect);
    }
    let bytes = [HEADER.as_bytes(), b"\xff\xfe,1,1\n"].concat();
    assert!(matches!(
        read(&bytes),
        Err(TraceError::NotText { line: 3, .. })
    ));
}

#[test]
fn files_of_no_known_form_say_what_they_have() {
    refuse("", "no rows");
    refuse("\n\n", "no rows");
    refuse("TIMESTAMP,ContextTokens,GeneratedTokens\n", "no rows");
    refuse(
        "TIMESTAMP,Context\n1,2\n",
        "line 1: no ContextTokens, which the format azure needs",
    );
    refuse(
        "time,in,out\n1,2,3\n",
        "the columns time,in,out; known are rows (trace_rows, blocks); azure (TIMESTAMP,",
    );
    refuse("{\"ts\": 1, \"in\": 2}\n", "the members in, ts; known are");
    refuse("{\"timestamp\": 1, ", "line 1: not a whole JSON object");
    refuse("[]", "no rows");
    refuse("[1]", "but an element is not an object");
    refuse_with(
        "format=mooncake",
        HEADER,
        "the form of mooncake (JSON), but this is",
    );
    refuse_with(
        "format=burstgpt",
        HEADER,
        "no Request tokens, which the format burstgpt needs",
    );
    refuse_with(
        "format=azure",
        "{\"timestamp\": 1}\n",
        "the form of azure (CSV)",
    );
}

/// A line without an end takes no more memory than a long line.
#[test]
fn an_endless_line_is_refused() {
    let endless = BufReader::new(HEADER.as_bytes().chain(repeat(b'x').take(1 << 30)));
    let error = TraceReader::new(endless, TraceOptions::default())
        .expect("a header")
        .find_map(Result::err)
        .expect("an error");
    assert!(
        error.to_string().starts_with("line 3: longer than"),
        "{error}"
    );
    let open = BufReader::new(b"[{\"prompt\": \"".chain(repeat(b'x').take(1 << 30)));
    let error = TraceReader::new(open, TraceOptions::default()).expect_err("endless");
    assert!(
        error.to_string().starts_with("line 1: longer than"),
        "{error}"
    );
}

#[test]
fn errors_name_the_file() {
    let options = TraceOptions::default();
    let missing = Path::new("no/such/trace.csv");
    let error = Trace::read(missing, &options).expect_err("missing");
    assert!(error.to_string().contains("no/such/trace.csv"), "{error}");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), "TIMESTAMP,ContextTokens,GeneratedTokens\n").expect("written");
    let error = Trace::read(file.path(), &options).expect_err("empty");
    assert!(error.to_string().contains("no rows"), "{error}");
    let none = TraceOptions {
        limit: Some(0),
        ..options
    };
    let error = Trace::read(Path::new(SLICE), &none).expect_err("limit 0");
    assert!(error.to_string().contains("--trace-limit"), "{error}");
}

#[test]
fn lines_after_the_limit_are_not_looked_at() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), format!("{HEADER}broken\n")).expect("written");
    let mut options = TraceOptions::default();
    assert!(Trace::read(file.path(), &options).is_err());
    options.limit = Some(1);
    let trace = Trace::read(file.path(), &options).expect("one row");
    assert_eq!(trace.rows().len(), 1);
}

#[test]
fn rows_beyond_the_context_are_left_out_or_clipped_and_counted() {
    let text = format!(
        "{HEADER}2023-11-16 18:15:47,90,10\n2023-11-16 18:15:48,91,10\n2023-11-16 18:15:49,5,100\n"
    );
    let (rows, facts) = with(&["max-context=100"], text.as_bytes()).expect("rows");
    assert_eq!(rows.len(), 2);
    assert_eq!(facts.skipped.len(), 1);
    let skipped = &facts.skipped[0];
    assert_eq!(skipped.reason, SkipReason::OverContext);
    assert_eq!(skipped.touched.first_lines, [4, 5]);
    let (rows, facts) = with(&["max-context=100", "clip"], text.as_bytes()).expect("rows");
    assert_eq!(rows[2].input_tokens, Some(90));
    assert_eq!(
        (facts.rows, facts.clipped.rows, facts.rows_skipped()),
        (3, 1, 1)
    );
    refuse_with(
        "max-context=1",
        HEADER,
        "no rows left: 1 row (line 2): longer than the context",
    );
}

#[test]
fn sorting_is_asked_for_and_said() {
    let text = format!("{HEADER}2023-11-16 18:15:44,2,2\n2023-11-16 18:15:45,3,3\n");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text).expect("written");
    let mut options = TraceOptions::default();
    options.set("sort").expect("an option");
    let trace = Trace::read(file.path(), &options).expect("sorted");
    let second = 1_000_000_000;
    let expect = [timed(0, 2, 2), timed(second, 3, 3), timed(2 * second, 1, 1)];
    assert_eq!(trace.rows(), expect);
    let said = trace.facts().expect("facts").remarks();
    assert_eq!(said, ["sorted by time: 2 rows came too late"]);
    options.limit = Some(2);
    let trace = Trace::read(file.path(), &options).expect("sorted");
    assert_eq!(trace.rows(), &expect[..2]);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        fuzzing::trace(&bytes);
        for head in [HEADER, "{\"timestamp\":", "[{\"conversations\":", "{\"prompt\":\""] {
            fuzzing::trace(&[head.as_bytes(), &bytes].concat());
        }
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
        let (read, facts) = read(text.as_bytes()).expect("rows");
        assert_eq!(facts.rows, rows.len() as u64);
        for (row, (ns, input, output)) in read.iter().zip(&rows) {
            assert_eq!(row.at_ns, Some(ns - first));
            assert_eq!((row.input_tokens, row.output_tokens), (Some(*input), Some(*output)));
        }
    }
}
