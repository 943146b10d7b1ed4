//! A whole file: opened, unpacked, read, sorted and spread as asked.
//!
//! Rows go one by one to whoever asks, and are held together only where an operation needs all
//! of them. Invariant: instants of the rows handed out begin at 0 and never decrease.

use super::error::TraceError;
use super::facts::TraceFacts;
use super::format::TraceFormat;
use super::options::{Instants, RowOrder, TraceOptions};
use super::reader::TraceReader;
use super::row::Row;
use flate2::bufread::MultiGzDecoder;
use infermeter_core::seed::splitmix64;
use infermeter_core::units::Span;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

/// The first bytes of a gzip file.
pub(crate) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Keeps the draws of spreading apart from others of the same seed.
const SPREAD_TAG: u64 = 0x7370_7265_6164_2e2e;

/// Bytes read at once.
const BUFFER: usize = 256 << 10;

/// Hands every row of the file at `path` to `take`, in order.
///
/// # Errors
/// When the file cannot be read, has no row, any row read is wrong, or `take` says so.
pub fn read_rows(
    path: &Path,
    options: &TraceOptions,
    take: &mut dyn FnMut(Row) -> Result<(), TraceError>,
) -> Result<TraceFacts, TraceError> {
    options.check()?;
    let open = |source| TraceError::Open {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(open)?;
    if file.metadata().map_err(open)?.is_dir() {
        return Err(open(ErrorKind::IsADirectory.into()));
    }
    let options = &TraceOptions {
        otherwise: options.otherwise.or_else(|| by_name(path)),
        ..options.clone()
    };
    rows_of(BufReader::with_capacity(BUFFER, file), options, take).map_err(|source| {
        TraceError::In {
            path: path.to_owned(),
            source: Box::new(source),
        }
    })
}

/// What a file is by its name, where its content does not tell: plain text.
fn by_name(path: &Path) -> Option<TraceFormat> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    name.ends_with(".txt").then_some(TraceFormat::Lines)
}

fn rows_of(
    mut input: impl BufRead,
    options: &TraceOptions,
    take: &mut dyn FnMut(Row) -> Result<(), TraceError>,
) -> Result<TraceFacts, TraceError> {
    let head = input.fill_buf();
    let head = head.map_err(|source| TraceError::Read { line: 1, source })?;
    if head.starts_with(&GZIP) {
        let unpacked = BufReader::with_capacity(BUFFER, MultiGzDecoder::new(input));
        let mut facts = pass(unpacked, options, take)?;
        facts.compressed = true;
        return Ok(facts);
    }
    pass(input, options, take)
}

fn pass(
    input: impl BufRead,
    options: &TraceOptions,
    take: &mut dyn FnMut(Row) -> Result<(), TraceError>,
) -> Result<TraceFacts, TraceError> {
    let (sort, spread) = (
        options.order == RowOrder::Sort,
        options.instants == Instants::Spread,
    );
    let mut own = options.clone();
    if sort {
        // The first rows by time are not known before all are.
        own.limit = None;
    }
    let mut reader = TraceReader::new(input, own)?;
    if !(sort || spread) {
        for row in reader.by_ref() {
            take(row?)?;
        }
        return ended(reader.into_facts());
    }
    let mut rows = reader.by_ref().collect::<Result<Vec<Row>, TraceError>>()?;
    let mut facts = ended(reader.into_facts())?;
    if sort {
        let moved = sort_by_time(&mut rows);
        facts
            .operations
            .push(format!("sorted by time: {moved} rows came too late"));
        let limit = options.limit.unwrap_or(u64::MAX);
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        facts.rows = rows.len() as u64;
    }
    if spread && let Some(done) = spread_instants(&mut rows, options.seed) {
        facts.operations.push(done);
    }
    rows.into_iter().try_for_each(take)?;
    Ok(facts)
}

fn ended(facts: TraceFacts) -> Result<TraceFacts, TraceError> {
    if facts.rows > 0 {
        return Ok(facts);
    }
    if facts.skipped.is_empty() {
        return Err(TraceError::Empty);
    }
    let reasons: Vec<String> = facts.skipped.iter().map(ToString::to_string).collect();
    Err(TraceError::AllSkipped {
        skipped: reasons.join("; "),
    })
}

/// Sorts by time and makes the instants begin at 0; the number of rows that came after a later one.
fn sort_by_time(rows: &mut [Row]) -> usize {
    let mut latest = i64::MIN;
    let mut late = 0;
    for at in rows.iter().filter_map(|row| row.at_ns) {
        late += usize::from(at < latest);
        latest = latest.max(at);
    }
    rows.sort_by_key(|row| row.at_ns);
    let first = rows.first().and_then(|row| row.at_ns).unwrap_or(0);
    for at in rows.iter_mut().filter_map(|row| row.at_ns.as_mut()) {
        *at = at.saturating_sub(first);
    }
    late
}

/// Spreads rows of one instant uniformly over the step of the trace's clock: up to the next
/// instant, but never further than the median step, so that a pause stays a pause.
fn spread_instants(rows: &mut [Row], seed: u64) -> Option<String> {
    let mut times = rows
        .iter()
        .map(|row| row.at_ns)
        .collect::<Option<Vec<i64>>>()?;
    let mut instants = times.clone();
    instants.dedup();
    let mut steps: Vec<i64> = instants.windows(2).map(|two| two[1] - two[0]).collect();
    steps.sort_unstable();
    let step = *steps.get(steps.len() / 2)?;
    let mut rng = ChaCha8Rng::seed_from_u64(splitmix64(seed ^ SPREAD_TAG));
    let mut from = 0;
    for (i, start) in instants.iter().enumerate() {
        let width = instants
            .get(i + 1)
            .map_or(step, |next| (next - start).min(step));
        let same = times[from..].partition_point(|at| at <= start);
        let group = &mut times[from..from + same];
        for at in group.iter_mut() {
            *at = start + below(&mut rng, width);
        }
        group.sort_unstable();
        from += same;
    }
    let first = times.first().copied().unwrap_or(0);
    for (row, at) in rows.iter_mut().zip(&times) {
        row.at_ns = Some(at - first);
    }
    Some(format!(
        "spread {} rows of {} instants over steps of {} (median), seed {seed}",
        rows.len(),
        instants.len(),
        Span(step)
    ))
}

/// A number from 0 up to `n`, by multiply and shift.
fn below(rng: &mut ChaCha8Rng, n: i64) -> i64 {
    ((i128::from(rng.next_u64()) * i128::from(n)) >> 64) as i64
}
