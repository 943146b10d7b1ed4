//! The entry points of the fuzz targets, also run over their seeds as an ordinary test. They panic
//! where a property is broken: for tests alone.

use crate::prometheus::{Sample, samples};
use crate::series::figures;
use crate::spans::{Form, read, sorted_twice};

/// Places at which a page is cut off, at most. Each costs as much as the page does.
const CUTS: usize = 8;

/// Longer samples are not written anew, bytes.
const LONG: usize = 16 << 10;

/// Metrics pages: a page cut off anywhere gives the first samples of the whole one, a sample written
/// anew reads the same, and no figure is negative or infinite.
pub fn metrics(data: &[u8]) {
    let page = String::from_utf8_lossy(data);
    let whole: Vec<Sample<'_>> = samples(&page).collect();
    // Written anew, a sample may be longer than a line may be.
    for line in whole.iter().map(rewritten).filter(|line| line.len() < LONG) {
        let again: Vec<String> = samples(&line).map(|s| rewritten(&s)).collect();
        assert_eq!(again, std::slice::from_ref(&line));
    }
    for cut in 1..=CUTS {
        let mut end = page.len() * cut / CUTS;
        while !page.is_char_boundary(end) {
            end -= 1;
        }
        let first = samples(&page[..end]).zip(&whole);
        let count = samples(&page[..end]).count();
        assert!(count <= whole.len(), "cut at byte {end}");
        for (cut, whole) in first {
            assert!(
                is_same(&cut, whole),
                "cut at byte {end}: {cut:?}, {whole:?}"
            );
        }
    }
    for of in figures(&page) {
        let parts = of.detail.parts.0.values().flat_map(|parts| parts.values());
        let engines = of.detail.engines.iter();
        let of_engines = engines.flat_map(|engine| engine.figures.iter().map(|(_, value)| value));
        let own = of.figures.iter().map(|(_, value)| value);
        let mut all = own.chain(parts.copied()).chain(of_engines);
        assert!(all.all(|value| value.is_finite() && value >= 0.0));
        for histogram in of.detail.histograms.0.values() {
            assert!(histogram.since(histogram).is_some(), "no rise is none back");
        }
    }
}

/// Requests to the side server: whatever is sent, no body is longer than its limit.
pub fn asked(data: &[u8]) {
    crate::listen::property(data);
}

/// Messages of OTLP traces, in either form: no panic, times that are times, every span counted in one place, none kept
/// twice; and a protobuf that is cut off anywhere has no span that the whole one lacks.
pub fn otlp(data: &[u8]) {
    for form in [Form::Protobuf, Form::Json] {
        let Ok(whole) = read(data, form) else {
            continue;
        };
        for span in &whole.spans {
            let times = &span.told.times;
            let all = [times.ttft, times.queue, times.prefill, times.e2e];
            assert!(all.into_iter().flatten().all(|ns| ns >= 0));
            assert!(span.name.len() <= 120, "{}", span.name);
        }
        let tally = sorted_twice(&whole);
        assert!(tally.is_conserved(), "{tally:?}");
        assert_eq!(tally.spans, 2 * (whole.spans.len() as u64 + whole.more));
        assert!(tally.repeated >= tally.kept, "{tally:?}");
    }
    let whole = read(data, Form::Protobuf).map_or(usize::MAX, |export| export.spans.len());
    for cut in 1..CUTS {
        let part = read(&data[..data.len() * cut / CUTS], Form::Protobuf);
        assert!(part.map_or(0, |export| export.spans.len()) <= whole);
    }
}

/// Whether two samples stand there alike, whatever their values are equal to.
fn is_same(a: &Sample<'_>, b: &Sample<'_>) -> bool {
    let bits = |s: &Sample<'_>| s.value.to_bits();
    a.name == b.name && a.label_bytes() == b.label_bytes() && bits(a) == bits(b)
}

/// A sample as a line of a page.
fn rewritten(sample: &Sample<'_>) -> String {
    let label = |(name, value): (&str, std::borrow::Cow<'_, str>)| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        format!("{name}=\"{}\"", value.replace('\n', "\\n"))
    };
    let labels: Vec<String> = sample.labels().map(label).collect();
    format!(
        "{}{{{}}} {:?}\n",
        sample.name,
        labels.join(","),
        sample.value
    )
}
