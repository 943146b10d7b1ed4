//! JUnit XML: a suite for each run; its verdict, findings and objectives are test cases, and so is each line of a gate.
//!
//! As Jenkins' and Surefire's schemas have it. An Invalid run, a finding of severity error and a missed objective
//! fail; what cannot be decided is an error, never a pass; a warning is skipped, or fails where that is asked.
//! Invariant: whatever a server wrote, the file is well-formed.

use super::loss;
use super::out::Out;
use super::run::ExportedRun;
use super::{Asked, Losses, Writer};
use infermeter_analysis::{GateAnswer, GateLine, Gated, SloFigure, SloLine, SloStatus};
use infermeter_core::finding::{Finding, Severity, Verdict};
use infermeter_core::text::inert;
use std::fmt::Write as _;
use std::io;

/// Longest text of an attribute or element, bytes.
const MOST_TEXT: usize = 20_000;

/// Suites in the making.
pub(crate) struct Suites<'a> {
    asked: Asked<'a>,
    suites: Vec<Suite>,
}

#[derive(Default)]
struct Suite {
    name: String,
    begun: Option<String>,
    seconds: Option<f64>,
    properties: Vec<(&'static str, String)>,
    cases: Vec<Case>,
}

struct Case {
    class: &'static str,
    name: String,
    result: CaseResult,
    /// What is said of it.
    said: String,
}

/// How a case ended, with a line about it.
enum CaseResult {
    Passed,
    Skipped(String),
    Failed(String),
    Undecided(String),
}

impl<'a> Suites<'a> {
    pub(crate) fn of(asked: Asked<'a>) -> Self {
        Self {
            asked,
            suites: Vec::new(),
        }
    }

    /// A warning's result.
    fn warned(&self, line: String) -> CaseResult {
        match self.asked.strict {
            true => CaseResult::Failed(line),
            false => CaseResult::Skipped(line),
        }
    }

    fn verdict(&self, run: &ExportedRun<'_>) -> Case {
        let of = |severity| {
            let findings = run
                .findings()
                .iter()
                .filter(move |f| f.severity == severity);
            findings
                .map(|f| f.code.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let result = match run.verdict {
            Verdict::Valid => CaseResult::Passed,
            Verdict::Questionable => {
                self.warned(format!("Questionable: {}", of(Severity::Warning)))
            }
            Verdict::Invalid => CaseResult::Failed(format!("Invalid: {}", of(Severity::Error))),
        };
        Case {
            class: "infermeter.verdict",
            name: "the measurement can be trusted".to_owned(),
            result,
            said: run.verdict.as_str().to_owned(),
        }
    }

    fn finding(&self, finding: &Finding) -> Case {
        let message = finding.message.clone();
        Case {
            class: "infermeter.finding",
            name: finding.code.clone(),
            result: match finding.severity {
                Severity::Note => CaseResult::Passed,
                Severity::Warning => self.warned(message),
                Severity::Error => CaseResult::Failed(message),
            },
            said: [&finding.message, &finding.evidence, &finding.advice]
                .map(String::as_str)
                .join("\n"),
        }
    }
}

fn objective(line: &SloLine) -> Case {
    let said = measured(&line.measured);
    let result = match line.status {
        SloStatus::Met => CaseResult::Passed,
        SloStatus::Missed => CaseResult::Failed(format!("missed: {said}")),
        SloStatus::Undecided => CaseResult::Undecided(format!("undecided: {said}")),
    };
    Case {
        class: "infermeter.objective",
        name: line.objective.clone(),
        result,
        said,
    }
}

/// A figure with its bounds: `41.2 ms (38 to 47.1), 812 observations`.
fn measured(of: &SloFigure) -> String {
    let number = |x: Option<f64>| x.map_or_else(|| "unknown".to_owned(), |x| format!("{x:.6}"));
    let unit: &str = of.unit.as_ref();
    let value = match (of.infinite, of.value) {
        (true, _) => "among the failures".to_owned(),
        (false, None) => "not carried by the sample".to_owned(),
        (false, value) => format!("{} {unit}", number(value)),
    };
    format!(
        "{value} ({} to {}), {} observations, limit {} {unit}",
        number(of.low),
        number(of.high),
        of.n,
        of.limit
    )
}

fn gate(gated: &Gated) -> Suite {
    let case = |line: &GateLine| {
        let number = |x: Option<f64>| x.map_or_else(|| "unknown".to_owned(), |x| format!("{x:.6}"));
        let said = format!(
            "{} {} -> {} {}, worse by {} ({} to {}), not accepted above {}",
            line.of.as_ref() as &str,
            number(line.baseline),
            number(line.candidate),
            line.unit.as_ref() as &str,
            number(line.worse),
            number(line.at_least),
            number(line.at_most),
            line.threshold
        );
        Case {
            class: "infermeter.gate",
            name: line.criterion.clone(),
            result: match line.answer {
                GateAnswer::Pass => CaseResult::Passed,
                GateAnswer::Fail => CaseResult::Failed(said.clone()),
                GateAnswer::Inconclusive => CaseResult::Undecided(format!("inconclusive: {said}")),
            },
            said,
        }
    };
    Suite {
        name: "gate".to_owned(),
        cases: gated.gate.lines.iter().map(case).collect(),
        ..Suite::default()
    }
}

impl Writer for Suites<'_> {
    fn run(&mut self, run: &ExportedRun<'_>, _out: &mut dyn Out) -> io::Result<Losses> {
        let mut cases = vec![self.verdict(run)];
        cases.extend(run.findings().iter().map(|f| self.finding(f)));
        cases.extend(run.summary.slo.iter().map(objective));
        let manifest = run.manifest;
        self.suites.push(Suite {
            name: run.name.clone(),
            begun: run.begun(),
            seconds: run.summary.window_s,
            properties: vec![
                ("infermeter.run_id", manifest.run_id.clone()),
                ("infermeter.version", manifest.infermeter_version.clone()),
                ("infermeter.plan_hash", manifest.plan_hash.clone()),
                ("model", manifest.model.clone()),
                ("directory", run.directory.clone()),
            ],
            cases,
        });
        Ok(loss::untimed(run).into_iter().collect())
    }

    fn end(&mut self, out: &mut dyn Out) -> io::Result<()> {
        self.suites.extend(self.asked.gated.map(gate));
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let counts = counts(self.suites.iter().flat_map(|s| &s.cases));
        let _ = writeln!(xml, "<testsuites name=\"infermeter\"{counts}>");
        for suite in &self.suites {
            suite.write(&mut xml);
        }
        xml.push_str("</testsuites>\n");
        out.file("junit.xml")?.write_all(xml.as_bytes())
    }
}

fn counts<'a>(cases: impl Iterator<Item = &'a Case>) -> String {
    let (mut all, mut failed, mut undecided, mut skipped) = (0, 0, 0, 0);
    for case in cases {
        all += 1;
        match case.result {
            CaseResult::Passed => {}
            CaseResult::Skipped(_) => skipped += 1,
            CaseResult::Failed(_) => failed += 1,
            CaseResult::Undecided(_) => undecided += 1,
        }
    }
    format!(" tests=\"{all}\" failures=\"{failed}\" errors=\"{undecided}\" skipped=\"{skipped}\"")
}

impl Suite {
    fn write(&self, xml: &mut String) {
        let _ = write!(
            xml,
            "  <testsuite name=\"{}\"{}",
            escaped(&self.name),
            counts(self.cases.iter())
        );
        if let Some(seconds) = self.seconds {
            let _ = write!(xml, " time=\"{seconds:.3}\"");
        }
        if let Some(begun) = &self.begun {
            let begun = escaped(begun.trim_end_matches('Z'));
            let _ = write!(xml, " timestamp=\"{begun}\"");
        }
        xml.push_str(">\n");
        if !self.properties.is_empty() {
            xml.push_str("    <properties>\n");
            for (name, value) in &self.properties {
                let value = escaped(value);
                let _ = writeln!(xml, "      <property name=\"{name}\" value=\"{value}\"/>");
            }
            xml.push_str("    </properties>\n");
        }
        self.cases.iter().for_each(|case| case.write(xml));
        xml.push_str("  </testsuite>\n");
    }
}

impl Case {
    fn write(&self, xml: &mut String) {
        let (name, said) = (escaped(&self.name), escaped(&self.said));
        let _ = write!(
            xml,
            "    <testcase classname=\"{}\" name=\"{name}\" time=\"0\"",
            self.class
        );
        let _ = match &self.result {
            CaseResult::Passed => writeln!(
                xml,
                ">\n      <system-out>{said}</system-out>\n    </testcase>"
            ),
            CaseResult::Skipped(line) => writeln!(
                xml,
                ">\n      <skipped message=\"{}\"/>\n      <system-out>{said}</system-out>\n    \
                 </testcase>",
                escaped(line)
            ),
            CaseResult::Failed(line) => writeln!(
                xml,
                ">\n      <failure message=\"{}\" type=\"failed\">{said}</failure>\n    </testcase>",
                escaped(line)
            ),
            CaseResult::Undecided(line) => writeln!(
                xml,
                ">\n      <error message=\"{}\" type=\"undecided\">{said}</error>\n    </testcase>",
                escaped(line)
            ),
        };
    }
}

/// Text of an element or an attribute: inert, without what XML 1.0 cannot hold, escaped.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push_str("&#10;");
        }
        for c in inert(line, MOST_TEXT).chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&apos;"),
                '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
                c if c.is_control() => out.push('\u{fffd}'),
                c => out.push(c),
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn hostile_text_is_text() {
        let check = |text: &str, expect: &str| assert_eq!(escaped(text), expect);
        check("]]><a b='c'>", "]]&gt;&lt;a b=&apos;c&apos;&gt;");
        check("\"&\"", "&quot;&amp;&quot;");
        check("a\nb", "a&#10;b");
        check("\n\na", "&#10;&#10;a");
        assert!(!escaped("\u{0}\u{1b}[1m\u{ffff}").contains(['\u{0}', '\u{1b}', '\u{ffff}']));
        assert!(escaped(&"x".repeat(1 << 20)).len() < 21_000);
    }
}
