//! A strict reader of the metrics page: every rule of the text format is checked on the way.

use std::collections::{BTreeMap, BTreeSet, HashSet};

/// One family.
#[derive(Debug, Default)]
pub struct Family {
    pub kind: String,
    /// Samples by name and labels, as written.
    pub samples: BTreeMap<String, f64>,
}

/// A page, by family.
#[derive(Debug)]
pub struct Page(BTreeMap<String, Family>);

impl Page {
    /// Reads a page, panicking at the first breach of the format.
    pub fn read(text: &str) -> Self {
        assert!(text.ends_with('\n'), "the last line ends");
        let mut families: BTreeMap<String, Family> = BTreeMap::new();
        let mut current = String::new();
        let mut helped = HashSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect("a help text");
                assert!(!help.trim().is_empty() && help.ends_with('.'), "{line}");
                assert!(helped.insert(name.to_owned()), "{name}: a second HELP");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a type");
                assert!(helped.contains(name), "{name}: TYPE before HELP");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert!(kind != "counter" || name.ends_with("_total"), "{line}");
                assert!(check_name(name), "{line}");
                let fresh = families.insert(name.to_owned(), Family::default());
                assert!(fresh.is_none(), "{name}: in two places");
                current = name.to_owned();
                families.get_mut(name).expect("inserted").kind = kind.to_owned();
            } else {
                let family = families.get_mut(&current).expect("a TYPE first");
                let (key, value) = line.rsplit_once(' ').expect("a value");
                let sample_name = key.split('{').next().expect("a name");
                check_sample_name(&current, &family.kind, sample_name);
                check_labels(key);
                let value = number(value);
                assert!(family.kind == "gauge" || value >= 0.0, "{line}");
                let before = family.samples.insert(key.to_owned(), value);
                assert!(before.is_none(), "{line}: a second time");
            }
        }
        let page = Self(families);
        page.check_histograms();
        page
    }

    /// Names of all families.
    pub fn names(&self) -> BTreeSet<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// The type of a family.
    pub fn kind(&self, name: &str) -> &str {
        &self.0[name].kind
    }

    /// A sample as written.
    pub fn value(&self, key: &str) -> f64 {
        let found = self.0.values().find_map(|f| f.samples.get(key));
        *found.unwrap_or_else(|| panic!("no sample {key}"))
    }

    /// Names of the labels of a family, `le` left out.
    pub fn labels(&self, family: &str) -> BTreeSet<String> {
        let keys = self.0[family].samples.keys();
        keys.flat_map(|key| labels(key))
            .map(|(name, _)| name)
            .filter(|name| name != "le")
            .collect()
    }

    /// The bounds of a histogram.
    pub fn bounds(&self, family: &str) -> BTreeSet<String> {
        let keys = self.0[family].samples.keys();
        keys.flat_map(|key| labels(key))
            .filter(|(name, _)| name == "le")
            .map(|(_, bound)| bound)
            .collect()
    }

    fn check_histograms(&self) {
        for (name, family) in self.0.iter().filter(|(_, f)| f.kind == "histogram") {
            let mut series: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
            for (key, value) in &family.samples {
                if !key.starts_with(&format!("{name}_bucket")) {
                    continue;
                }
                let all = labels(key);
                let bound = &all.iter().find(|(n, _)| n == "le").expect("a bound").1;
                let others: Vec<String> = all
                    .iter()
                    .filter(|(n, _)| n != "le")
                    .map(|(n, v)| format!("{n}=\"{}\"", escaped(v)))
                    .collect();
                let others = match others.is_empty() {
                    true => String::new(),
                    false => format!("{{{}}}", others.join(",")),
                };
                series
                    .entry(others)
                    .or_default()
                    .push((number(bound), *value));
            }
            assert!(!series.is_empty(), "{name}: a histogram without buckets");
            for (labels, mut buckets) in series {
                buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
                assert!(
                    buckets.windows(2).all(|w| w[0].1 <= w[1].1),
                    "{name}{labels}"
                );
                let last = buckets.last().expect("a bucket");
                assert!(last.0.is_infinite(), "{name}{labels}: no +Inf");
                assert_eq!(last.1, self.value(&format!("{name}_count{labels}")));
                self.value(&format!("{name}_sum{labels}"));
            }
        }
    }
}

fn check_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}

fn check_sample_name(family: &str, kind: &str, name: &str) {
    let fits = match kind {
        "histogram" => name
            .strip_prefix(family)
            .is_some_and(|rest| ["_bucket", "_count", "_sum"].contains(&rest)),
        _ => name == family,
    };
    assert!(fits, "{name} in the family {family}");
}

fn check_labels(key: &str) {
    let all = labels(key);
    let names: BTreeSet<_> = all.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), all.len(), "{key}: a label twice");
}

/// Labels of a sample, unescaped.
fn labels(key: &str) -> Vec<(String, String)> {
    let Some((_, rest)) = key.split_once('{') else {
        return Vec::new();
    };
    let mut rest = rest.strip_suffix('}').expect("a closing brace");
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (name, behind) = rest.split_once("=\"").expect("a label");
        assert!(check_name(name) && !name.contains(':'), "{key}");
        let mut value = String::new();
        let mut characters = behind.char_indices();
        let end = loop {
            match characters.next().expect("a closing quote") {
                (at, '"') => break at,
                (_, '\\') => value.push(match characters.next().expect("an escape").1 {
                    'n' => '\n',
                    escaped @ ('\\' | '"') => escaped,
                    other => panic!("{key}: \\{other} is no escape"),
                }),
                (_, other) => value.push(other),
            }
        };
        found.push((name.to_owned(), value));
        rest = &behind[end + 1..];
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    found
}

fn escaped(value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    value.replace('\n', "\\n")
}

fn number(text: &str) -> f64 {
    match text {
        "+Inf" => f64::INFINITY,
        other => other.parse().expect("a number"),
    }
}
