//! A table of figures beside their targets.

use infermeter_core::clock::monotonic_ns;

/// What a figure is held to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
    /// Nothing: shown for comparison.
    None,
}

impl Target {
    /// Whether a value meets it; `None` without a target.
    fn met(self, value: f64) -> Option<bool> {
        match self {
            Self::AtLeast(least) => Some(value >= least),
            Self::AtMost(most) => Some(value <= most),
            Self::None => None,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(least) => format!(">= {}", percent(least)),
            Self::AtMost(most) => format!("<= {}", percent(most)),
            Self::None => String::new(),
        }
    }
}

/// Rows printed as they are found, and how many missed.
#[derive(Debug)]
pub struct Table {
    begun_ns: i64,
    wanted: Vec<String>,
    missed: Vec<String>,
}

impl Table {
    /// A table with its heading; of rows that are known before, only those whose names hold every word.
    pub fn new(wanted: Vec<String>) -> Self {
        println!("| figure | repetitions | value | target | | seconds |");
        println!("|---|---|---|---|---|---|");
        Self {
            begun_ns: monotonic_ns(),
            wanted,
            missed: Vec::new(),
        }
    }

    /// A row of this name is asked for.
    pub fn wants(&self, name: &str) -> bool {
        self.wanted.iter().all(|word| name.contains(word.as_str()))
    }

    /// A share of `repetitions`, beside its target.
    pub fn share(&mut self, figure: &str, hits: usize, repetitions: usize, target: Target) {
        self.value(
            figure,
            hits as f64 / repetitions as f64,
            repetitions,
            target,
        );
    }

    /// A figure that is a share itself, from so many repetitions, beside its target.
    pub fn value(&mut self, figure: &str, value: f64, repetitions: usize, target: Target) {
        let state = match target.met(value) {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        if target.met(value) == Some(false) {
            self.missed.push(figure.to_owned());
        }
        let now = monotonic_ns();
        println!(
            "| {figure} | {repetitions} | {} | {} | {state} | {:.1} |",
            percent(value),
            target.text(),
            (now - self.begun_ns) as f64 / 1e9
        );
        self.begun_ns = now;
    }

    /// The figures that missed their targets.
    pub fn missed(self) -> Vec<String> {
        self.missed
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_bounds() {
        assert_eq!(Target::AtLeast(0.93).met(0.93), Some(true));
        assert_eq!(Target::AtLeast(0.93).met(0.929), Some(false));
        assert_eq!(Target::AtMost(0.02).met(0.021), Some(false));
        assert_eq!(Target::None.met(0.0), None);
        assert_eq!(Target::AtLeast(0.93).text(), ">= 93.0 %");
    }
}
