//! The text of a metrics page: the exposition format of Prometheus, version 0.0.4.
//!
//! Knows no metric. Invariant: a family's samples stand together behind its HELP and TYPE lines,
//! and label values are escaped.

use super::buckets::Buckets;
use std::fmt::Write;

/// Content type of a page.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Labels of a sample, by name.
pub(crate) type Labels<'a> = &'a [(&'a str, &'a str)];

/// A page being written.
#[derive(Debug, Default)]
pub(crate) struct Page {
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

    fn sample(&mut self, name: &str, labels: Labels<'_>, value: f64) {
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
        samples: impl IntoIterator<Item = (Vec<(&'a str, &'a str)>, f64)>,
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
        samples: impl IntoIterator<Item = (Vec<(&'a str, &'a str)>, f64)>,
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
        samples: impl IntoIterator<Item = (Vec<(&'a str, &'a str)>, &'a Buckets)>,
    ) {
        self.family(name, "histogram", help);
        for (labels, buckets) in samples {
            let bucket_name = format!("{name}_bucket");
            let mut bucket = |bound: &str, count: u64| {
                let mut with_bound = labels.clone();
                with_bound.push(("le", bound));
                self.sample(&bucket_name, &with_bound, count as f64);
            };
            for (bound, count) in buckets.cumulative() {
                bucket(&number(bound), count);
            }
            bucket("+Inf", buckets.count());
            self.sample(&format!("{name}_count"), &labels, buckets.count() as f64);
            self.sample(&format!("{name}_sum"), &labels, buckets.sum());
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
        let mut buckets = Buckets::of_counts(&[1.0, 2.0]);
        buckets.add(2);
        buckets.add(9);
        let mut page = Page::default();
        page.gauge("g", "A gauge.", [(vec![("m", "a\\\"\nb")], 0.5)]);
        page.counter("c_total", "A counter.", [(vec![], 3.0)]);
        page.histogram("h", "A histogram.", [(vec![("m", "x")], &buckets)]);
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
