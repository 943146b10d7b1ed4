//! The text of a metrics page: the exposition format of Prometheus, version 0.0.4.
//!
//! Knows no metric, and reads no page. Invariant: a family's samples stand together behind its HELP and TYPE
//! lines, and label values are escaped.

use std::fmt::Write;

/// Content type of a page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Labels of a sample, by name.
pub type Labels<'a> = Vec<(&'a str, &'a str)>;

/// A histogram, as a page shows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Histogram<'a> {
    /// Upper bounds of the buckets, ascending; each belongs to its bucket.
    pub bounds: &'a [f64],
    /// Values in each bucket alone, and behind the last bound: one more than there are bounds.
    pub counts: &'a [u64],
    /// All values added up, in the unit of the bounds.
    pub sum: f64,
}

impl Histogram<'_> {
    /// All values.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Each upper bound with the values up to it.
    fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut seen = 0;
        self.bounds.iter().zip(self.counts).map(move |(bound, n)| {
            seen += n;
            (*bound, seen)
        })
    }
}

/// A page being written.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
}

impl Page {
    /// The text.
    pub fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    /// Begins a family; its samples follow.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(name);
        for (index, (key, text)) in labels.iter().enumerate() {
            self.text.push(if index == 0 { '{' } else { ',' });
            let _ = write!(self.text, "{key}=\"{}\"", escaped(text));
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {}", number(value));
    }

    /// A gauge with one sample for each set of labels.
    pub fn gauge<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, f64)>,
    ) {
        self.family(name, "gauge", help);
        for (labels, value) in samples {
            self.sample(name, &labels, value);
        }
    }

    /// A counter with one sample for each set of labels; `name` ends in `_total`.
    pub fn counter<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, f64)>,
    ) {
        self.family(name, "counter", help);
        for (labels, value) in samples {
            self.sample(name, &labels, value);
        }
    }

    /// A histogram with one set of buckets for each set of labels.
    pub fn histogram<'a>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'a>, Histogram<'a>)>,
    ) {
        self.family(name, "histogram", help);
        for (labels, histogram) in samples {
            let bucket_name = format!("{name}_bucket");
            let mut bucket = |bound: &str, count: u64| {
                let mut with_bound = labels.clone();
                with_bound.push(("le", bound));
                self.sample(&bucket_name, &with_bound, count as f64);
            };
            for (bound, count) in histogram.cumulative() {
                bucket(&number(bound), count);
            }
            let count = histogram.count();
            bucket("+Inf", count);
            self.sample(&format!("{name}_count"), &labels, count as f64);
            self.sample(&format!("{name}_sum"), &labels, histogram.sum);
        }
    }
}

/// A number as Prometheus' Python client writes it: `1.0`, `0.025`, `1e-05`.
fn number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    format!("{value:?}")
}

/// A label's value: backslash, quote and line feed escaped.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_each_family_in_one_piece() {
        let histogram = Histogram {
            bounds: &[1.0, 2.0],
            counts: &[0, 1, 1],
            sum: 11.0,
        };
        let mut page = Page::default();
        page.gauge("g", "A gauge.", [(vec![("m", "a\\\"\nb")], 0.5)]);
        page.counter("c_total", "A counter.", [(vec![], 3.0)]);
        page.histogram("h", "A histogram.", [(vec![("m", "x")], histogram)]);
        let text = String::from_utf8(page.into_bytes()).expect("text");
        assert_eq!(
            text,
            "# HELP g A gauge.\n# TYPE g gauge\ng{m=\"a\\\\\\\"\\nb\"} 0.5\n\
             # HELP c_total A counter.\n# TYPE c_total counter\nc_total 3.0\n\
             # HELP h A histogram.\n# TYPE h histogram\n\
             h_bucket{m=\"x\",le=\"1.0\"} 0.0\nh_bucket{m=\"x\",le=\"2.0\"} 1.0\n\
             h_bucket{m=\"x\",le=\"+Inf\"} 2.0\nh_count{m=\"x\"} 2.0\nh_sum{m=\"x\"} 11.0\n"
        );
    }
}
