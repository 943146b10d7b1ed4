//! The entry point of the fuzz target, also run over its seeds as an ordinary test. It panics where
//! a property is broken: for tests alone.

use crate::prometheus::{Sample, samples};
use crate::series::figures;
use infermeter_core::server::ServerFigures;

/// Places at which a page is cut off, at most.
const CUTS: usize = 64;

/// Longer samples are not written anew, bytes.
const LONG: usize = 16 << 10;

/// Metrics pages: a page cut off anywhere gives the first samples of the whole one, a sample written
/// anew reads the same, and no figure is negative or infinite.
pub fn metrics(data: &[u8]) {
    let page = String::from_utf8_lossy(data);
    let whole: Vec<String> = samples(&page).map(|s| rewritten(&s)).collect();
    // Written anew, a sample may be longer than a line may be.
    for line in whole.iter().filter(|line| line.len() < LONG) {
        let again: Vec<String> = samples(line).map(|s| rewritten(&s)).collect();
        assert_eq!(again, std::slice::from_ref(line));
    }
    for cut in 1..=CUTS {
        let mut end = page.len() * cut / CUTS;
        while !page.is_char_boundary(end) {
            end -= 1;
        }
        let cut: Vec<String> = samples(&page[..end]).map(|s| rewritten(&s)).collect();
        assert_eq!(cut, whole[..cut.len()], "cut at byte {end}");
    }
    if let Some((_, figures)) = figures(&page) {
        check(figures);
    }
}

fn check(figures: ServerFigures) {
    let ServerFigures {
        running,
        waiting,
        kv_usage,
        preemptions,
        prefix_queries,
        prefix_hits,
        drafts,
        draft_tokens,
        accepted_tokens,
        accepted_length,
    } = figures;
    let all = [
        running,
        waiting,
        kv_usage,
        preemptions,
        prefix_queries,
        prefix_hits,
        drafts,
        draft_tokens,
        accepted_tokens,
        accepted_length,
    ];
    assert!(all.iter().flatten().all(|v| v.is_finite() && *v >= 0.0));
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
