//! `server-metrics.parquet`: the readings of `server-metrics.jsonl` in long form, one row per value.
//!
//! Written once the run has ended, from the readings as they are read back. Invariant: it holds nothing that the lines do
//! not, and appears under its name only when it is whole.

use super::columns::{ColumnsWriter, Shape, Values};
use crate::atomic::AtomicFile;
use crate::error::RecordError;
use ::parquet::basic::Compression;
use ::parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use ::parquet::errors::Result;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use infermeter_core::server::{Quantity, ServerReading, ServerReadings};
use std::path::Path;

/// The file's name in a run directory.
pub const SERVER_METRICS_PARQUET: &str = "server-metrics.parquet";

/// Rows of a row group.
const GROUP_ROWS: usize = 1 << 16;

/// One value of one reading.
#[derive(Debug, Clone, PartialEq)]
struct ServerRow<'a> {
    reading: &'a ServerReading,
    /// Labels of the engine as JSON, where the page speaks for several; absent of what is over all of them.
    labels: Option<String>,
    quantity: Quantity,
    /// Of which part: a finish reason, a position; `sum` and `count` of a histogram.
    part: Option<&'a str>,
    /// Upper bound of a bucket.
    le: Option<f64>,
    value: f64,
}

/// The columns, in the file's order.
const COLUMNS: [(&str, Values, bool); 12] = [
    ("at_ns", Values::Numbers, false),
    ("asked_ns", Values::Numbers, false),
    ("answered_ns", Values::Numbers, false),
    ("page", Values::Texts, false),
    ("engine", Values::Texts, false),
    ("labels", Values::Texts, true),
    ("name", Values::Texts, false),
    ("kind", Values::Texts, false),
    ("unit", Values::Texts, false),
    ("part", Values::Texts, true),
    ("le", Values::Reals, true),
    ("value", Values::Reals, false),
];

/// Writes the readings beside the record in `dir`.
///
/// # Errors
/// When the file cannot be written.
pub fn write_server_metrics(
    dir: &Path,
    server: &ServerReadings,
) -> std::result::Result<(), RecordError> {
    let file = AtomicFile::create(dir, SERVER_METRICS_PARQUET)?;
    let path = file.target().to_owned();
    let written = write(file, server);
    let file = written.map_err(|cause| RecordError::ParquetWrite { path, cause })?;
    file.commit()
}

fn write(file: AtomicFile, server: &ServerReadings) -> Result<AtomicFile> {
    let shape = |(name, values, nullable): &(&'static str, Values, bool)| Shape {
        name,
        values: *values,
        nullable: *nullable,
        list: false,
    };
    let shapes: Vec<Shape<'_>> = COLUMNS.iter().map(shape).collect();
    let mut writer = ColumnsWriter::new(file, &shapes, properties(server))?;
    let mut rows: Vec<ServerRow<'_>> = Vec::new();
    for reading in &server.readings {
        rows_of(reading, &mut rows);
        if rows.len() >= GROUP_ROWS {
            write_rows(&mut writer, server, &rows)?;
            writer.end_group()?;
            rows.clear();
        }
    }
    write_rows(&mut writer, server, &rows)?;
    writer.into_inner()
}

fn properties(server: &ServerReadings) -> WriterProperties {
    let version = server.watch.format_version.to_string();
    let metadata = vec![KeyValue::new(
        "infermeter.format_version".to_owned(),
        version,
    )];
    WriterProperties::builder()
        .set_created_by(concat!("infermeter ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(metadata))
        .build()
}

fn rows_of<'a>(reading: &'a ServerReading, rows: &mut Vec<ServerRow<'a>>) {
    let row = |quantity: Quantity, value: f64| ServerRow {
        reading,
        labels: None,
        quantity,
        part: None,
        le: None,
        value,
    };
    rows.extend(
        reading
            .figures
            .iter()
            .map(|(quantity, value)| row(quantity, value)),
    );
    for (quantity, parts) in &reading.detail.parts.0 {
        rows.extend(parts.iter().map(|(part, value)| ServerRow {
            part: Some(part),
            ..row(*quantity, *value)
        }));
    }
    for engine in &reading.detail.engines {
        let labels = serde_json::to_string(&engine.labels).unwrap_or_default();
        rows.extend(engine.figures.iter().map(|(quantity, value)| ServerRow {
            labels: Some(labels.clone()),
            ..row(quantity, value)
        }));
    }
    for (quantity, histogram) in &reading.detail.histograms.0 {
        let bounds = histogram.bounds().iter().copied().chain([f64::INFINITY]);
        rows.extend(bounds.zip(histogram.counts()).map(|(le, count)| ServerRow {
            le: Some(le),
            ..row(*quantity, *count)
        }));
        rows.extend(histogram.sum().map(|sum| ServerRow {
            part: Some("sum"),
            ..row(*quantity, sum)
        }));
    }
}

fn write_rows(
    file: &mut ColumnsWriter<AtomicFile>,
    server: &ServerReadings,
    rows: &[ServerRow<'_>],
) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let page = |row: &ServerRow<'_>| server.watch.pages.get(row.reading.page);
    let text = |text: &str| ByteArray::from(text);
    let mut texts = |column: usize, of: &dyn Fn(&ServerRow<'_>) -> Option<ByteArray>| {
        file.values::<ByteArrayType>(column, rows.iter().map(of))
    };
    texts(3, &|row| Some(text(page(row).map_or("", |page| &page.url))))?;
    texts(4, &|row| {
        Some(text(page(row).map_or("", |page| page.engine.name())))
    })?;
    texts(5, &|row| row.labels.as_deref().map(text))?;
    texts(6, &|row| Some(text(row.quantity.name())))?;
    texts(7, &|row| Some(text(row.quantity.kind().name())))?;
    texts(8, &|row| Some(text(row.quantity.unit().name())))?;
    texts(9, &|row| row.part.map(text))?;
    let instants: [fn(&ServerReading) -> i64; 3] =
        [|r| r.at().0, |r| r.asked_ns.0, |r| r.answered_ns.0];
    for (column, of) in instants.into_iter().enumerate() {
        file.values::<Int64Type>(column, rows.iter().map(|row| Some(of(row.reading))))?;
    }
    file.values::<DoubleType>(10, rows.iter().map(|row| row.le))?;
    file.values::<DoubleType>(11, rows.iter().map(|row| Some(row.value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::RowAccessor;
    use infermeter_core::clock::Offset;
    use infermeter_core::schedule::Phase;
    use infermeter_core::server::{
        EngineFigures, PageDetail, ReadingCause, SERVER_METRICS_VERSION, ServerEngine,
        ServerFigures, ServerHistogram, ServerWatch, WatchedPage,
    };

    fn readings() -> ServerReadings {
        let histogram = ServerHistogram::new(vec![0.5], vec![2.0, 3.0], Some(1.5));
        let mut detail = PageDetail::default();
        let histogram = histogram.expect("a histogram");
        detail.histograms.0.insert(Quantity::Ttft, histogram);
        let parts = [("stop".to_owned(), 3.0)].into();
        detail.parts.0.insert(Quantity::Finished, parts);
        detail.engines.push(EngineFigures {
            labels: [("engine".to_owned(), "1".to_owned())].into(),
            figures: ServerFigures::from([(Quantity::Running, 2.0)]),
        });
        let page = |engine, url: &str| WatchedPage {
            engine,
            url: url.to_owned(),
        };
        ServerReadings {
            watch: ServerWatch {
                format_version: SERVER_METRICS_VERSION,
                pages: vec![
                    page(ServerEngine::Vllm, "http://a/metrics"),
                    page(ServerEngine::Sglang, "http://b/metrics"),
                ],
                interval_ns: 1_000,
            },
            readings: vec![ServerReading {
                asked_ns: Offset(100),
                answered_ns: Offset(300),
                phase: Phase::Measure,
                cause: ReadingCause::Interval,
                skipped: 0,
                page: 1,
                error: None,
                figures: ServerFigures::from([(Quantity::Running, 5.0)]),
                detail,
            }],
        }
    }

    #[test]
    fn one_row_per_value() {
        let dir = tempfile::tempdir().expect("a directory");
        write_server_metrics(dir.path(), &readings()).expect("written");
        let file = std::fs::File::open(dir.path().join(SERVER_METRICS_PARQUET)).expect("there");
        let reader = SerializedFileReader::new(file).expect("Parquet");
        let columns = reader.metadata().file_metadata().schema_descr().columns();
        let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
        assert_eq!(names, COLUMNS.map(|(name, ..)| name));
        let rows: Vec<_> = reader
            .get_row_iter(None)
            .expect("rows")
            .map(|row| {
                let row = row.expect("a row");
                assert_eq!(row.get_long(0).expect("at_ns"), 200);
                assert_eq!(row.get_string(3).expect("a page"), "http://b/metrics");
                (
                    row.get_string(6).expect("a name").clone(),
                    row.get_string(7).expect("a kind").clone(),
                    row.get_string(5).ok().cloned(),
                    row.get_string(9).ok().cloned(),
                    row.get_double(10).ok(),
                    row.get_double(11).expect("a value"),
                )
            })
            .collect();
        let row = |name: &str, kind: &str, part: Option<&str>, le, value| {
            let part = part.map(ToOwned::to_owned);
            (name.to_owned(), kind.to_owned(), None, part, le, value)
        };
        let mut of_engine = row("running", "gauge", None, None, 2.0);
        of_engine.2 = Some(r#"{"engine":"1"}"#.to_owned());
        assert_eq!(
            rows,
            [
                row("running", "gauge", None, None, 5.0),
                row("finished", "counter", Some("stop"), None, 3.0),
                of_engine,
                row("ttft", "histogram", None, Some(0.5), 2.0),
                row("ttft", "histogram", None, Some(f64::INFINITY), 3.0),
                row("ttft", "histogram", Some("sum"), None, 1.5),
            ]
        );
    }
}
