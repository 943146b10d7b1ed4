//! Faults as text: `NAME` or `NAME=VALUE`, read and written.
//!
//! Invariant: what a fault displays as parses to the same fault.

use super::{Fault, LineEnds, Malformation};
use infermeter_core::units::Span;
use std::fmt;
use std::str::FromStr;

/// Every fault's form, in the order of the documentation.
const FORMS: [&str; 36] = [
    "status=N",
    "escaped-error",
    "html[=N]",
    "json-instead-of-stream",
    "empty",
    "disconnect-after=N",
    "reset-after=N",
    "disconnect-at=TIME",
    "reset-at=TIME",
    "stall-after=N",
    "stall=N:TIME",
    "hold-back=TIME",
    "slow-head=TIME",
    "truncate-after=N",
    "in-band-error-after=N",
    "content-filter=N",
    "early-stop=N",
    "extra-tokens=N",
    "endless",
    "no-done",
    "no-usage",
    "wrong-usage",
    "usage-percent=N",
    "lost-results=N",
    "duplicate-chunks",
    "escape-sequences",
    "malformed=bad-json|no-blank-line|no-data-prefix",
    "line-ends=crlf|cr",
    "comments",
    "pings",
    "byte-wise[=TIME]",
    "coalesce=N",
    "multi-event=N",
    "bad-length",
    "oversized-event=N",
    "oversized-head=N",
];

/// Why a text names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No fault has that name.
    #[error("unknown fault `{name}`{}: one of {}", hint(.suggestion), FORMS.join(", "))]
    Name {
        /// What was asked for, made inert.
        name: String,
        /// The closest name, where one is close.
        suggestion: Option<&'static str>,
    },
    /// The value does not fit the fault.
    #[error("fault `{text}`: write {form}{}", range_note(.range))]
    Value {
        /// What was asked for, made inert.
        text: String,
        /// The fault's form.
        form: &'static str,
        /// What the value may be, where that needs saying.
        range: &'static str,
    },
}

fn hint(suggestion: &Option<&'static str>) -> String {
    suggestion.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"))
}

fn range_note(range: &&str) -> String {
    if range.is_empty() {
        String::new()
    } else {
        format!(", {range}")
    }
}

/// Bytes that an oversized event or head may have at most.
const MAX_OVERSIZE: u32 = 64 << 20;

/// Tokens that an answer may go on for beyond its limit.
const MAX_EXTRA: u32 = 1 << 20;

/// Longest pause: longer than any client waits.
const MAX_PAUSE: Span = Span::millis(3_600_000);

/// Less similar names (Jaro-Winkler, 0 to 1) are no suggestion.
const SIMILAR: f64 = 0.75;

fn name_of(form: &'static str) -> &'static str {
    form.split(['=', '[']).next().unwrap_or(form)
}

fn closest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    FORMS
        .into_iter()
        .map(|form| (strsim::jaro_winkler(&name, name_of(form)), name_of(form)))
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// One `NAME[=VALUE]` being read.
struct Given<'a> {
    text: &'a str,
    form: &'static str,
    value: Option<&'a str>,
}

impl Given<'_> {
    fn wrong(&self, range: &'static str) -> FaultError {
        FaultError::Value {
            text: infermeter_core::text::inert(self.text, 80),
            form: self.form,
            range,
        }
    }

    fn number(&self, from: u32, to: u32, range: &'static str) -> Result<u32, FaultError> {
        self.value
            .and_then(|value| value.parse::<u32>().ok())
            .filter(|number| (from..=to).contains(number))
            .ok_or_else(|| self.wrong(range))
    }

    fn count(&self) -> Result<u32, FaultError> {
        self.number(0, u32::MAX, "N a whole number")
    }

    fn group(&self) -> Result<u32, FaultError> {
        self.number(1, 1_024, "N from 1 to 1024")
    }

    fn bytes(&self) -> Result<u32, FaultError> {
        self.number(1, MAX_OVERSIZE, "N from 1 to 67108864 bytes")
    }

    fn status(&self, from: u32, range: &'static str) -> Result<u16, FaultError> {
        self.number(from, 599, range).map(|status| status as u16)
    }

    fn time(&self, value: Option<&str>) -> Result<Span, FaultError> {
        value
            .and_then(|value| value.parse::<Span>().ok())
            .filter(|time| *time <= MAX_PAUSE)
            .ok_or_else(|| self.wrong("TIME as in 500ms, 2s, at most 1h"))
    }

    /// A time that passes.
    fn pause(&self) -> Result<Span, FaultError> {
        let time = self.time(self.value)?;
        match time.ns() > 0 {
            true => Ok(time),
            false => Err(self.wrong("TIME above 0")),
        }
    }

    fn stall(&self) -> Result<Fault, FaultError> {
        let (tokens, time) = self
            .value
            .and_then(|value| value.split_once(':'))
            .ok_or_else(|| self.wrong("as in stall=3:2s"))?;
        let tokens = tokens.trim().parse().map_err(|_| self.wrong("N tokens"))?;
        Ok(Fault::StallFor(tokens, self.time(Some(time))?))
    }

    fn plain(&self, fault: Fault) -> Result<Fault, FaultError> {
        match self.value {
            None => Ok(fault),
            Some(_) => Err(self.wrong("without a value")),
        }
    }

    fn one_of<T: Copy>(&self, known: &[(&str, T)]) -> Result<T, FaultError> {
        known
            .iter()
            .find(|(name, _)| self.value == Some(*name))
            .map(|(_, value)| *value)
            .ok_or_else(|| self.wrong(""))
    }
}

const MALFORMATIONS: [(&str, Malformation); 3] = [
    ("bad-json", Malformation::BadJson),
    ("no-blank-line", Malformation::NoBlankLine),
    ("no-data-prefix", Malformation::NoDataPrefix),
];

const LINE_ENDS: [(&str, LineEnds); 2] = [("crlf", LineEnds::Crlf), ("cr", LineEnds::Cr)];

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let text = text.trim();
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (text, None),
        };
        let form = FORMS.into_iter().find(|form| name_of(form) == name);
        let form = form.ok_or_else(|| FaultError::Name {
            name: infermeter_core::text::inert(text, 80),
            suggestion: closest(name),
        })?;
        let given = Given { text, form, value };
        read(name, &given)
    }
}

fn read(name: &str, given: &Given<'_>) -> Result<Fault, FaultError> {
    Ok(match name {
        "status" => Fault::Status(given.status(300, "N from 300 to 599")?),
        "html" if given.value.is_none() => Fault::Html(200),
        "html" => Fault::Html(given.status(200, "N from 200 to 599")?),
        "disconnect-after" => Fault::DisconnectAfter(given.count()?),
        "reset-after" => Fault::ResetAfter(given.count()?),
        "disconnect-at" => Fault::DisconnectAt(given.time(given.value)?),
        "reset-at" => Fault::ResetAt(given.time(given.value)?),
        "stall-after" => Fault::StallAfter(given.count()?),
        "stall" => given.stall()?,
        "hold-back" => Fault::HoldBack(given.pause()?),
        "slow-head" => Fault::SlowHead(given.time(given.value)?),
        "truncate-after" => Fault::TruncateAfter(given.count()?),
        "in-band-error-after" => Fault::InBandErrorAfter(given.count()?),
        "content-filter" => Fault::ContentFilter(given.count()?),
        "early-stop" => Fault::EarlyStop(given.number(1, u32::MAX, "N at least 1")?),
        "extra-tokens" => Fault::ExtraTokens(given.number(1, MAX_EXTRA, "N from 1 to 1048576")?),
        "lost-results" => Fault::LostResults(given.number(1, u32::MAX, "N at least 1")?),
        "usage-percent" => Fault::UsagePercent(given.number(0, 10_000, "N from 0 to 10000")?),
        "malformed" => Fault::Malformed(given.one_of(&MALFORMATIONS)?),
        "line-ends" => Fault::LineEnds(given.one_of(&LINE_ENDS)?),
        "byte-wise" if given.value.is_none() => Fault::ByteWise(Span(0)),
        "byte-wise" => Fault::ByteWise(given.time(given.value)?),
        "coalesce" => Fault::Coalesce(given.group()?),
        "multi-event" => Fault::MultiEvent(given.group()?),
        "oversized-event" => Fault::OversizedEvent(given.bytes()?),
        "oversized-head" => Fault::OversizedHead(given.bytes()?),
        other => return read_plain(other, given),
    })
}

fn read_plain(name: &str, given: &Given<'_>) -> Result<Fault, FaultError> {
    given.plain(match name {
        "escaped-error" => Fault::EscapedError,
        "json-instead-of-stream" => Fault::JsonInsteadOfStream,
        "empty" => Fault::Empty,
        "endless" => Fault::Endless,
        "no-done" => Fault::NoDone,
        "no-usage" => Fault::NoUsage,
        "wrong-usage" => Fault::WrongUsage,
        "duplicate-chunks" => Fault::DuplicateChunks,
        "escape-sequences" => Fault::EscapeSequences,
        "comments" => Fault::Comments,
        "pings" => Fault::Pings,
        "bad-length" => Fault::BadLength,
        // Every form is read above or here; a test holds that.
        _ => return Err(given.wrong("")),
    })
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(n) => write!(f, "status={n}"),
            Self::EscapedError => f.write_str("escaped-error"),
            Self::Html(n) => write!(f, "html={n}"),
            Self::JsonInsteadOfStream => f.write_str("json-instead-of-stream"),
            Self::Empty => f.write_str("empty"),
            Self::DisconnectAfter(n) => write!(f, "disconnect-after={n}"),
            Self::ResetAfter(n) => write!(f, "reset-after={n}"),
            Self::DisconnectAt(time) => write!(f, "disconnect-at={time}"),
            Self::ResetAt(time) => write!(f, "reset-at={time}"),
            Self::StallAfter(n) => write!(f, "stall-after={n}"),
            Self::StallFor(n, time) => write!(f, "stall={n}:{time}"),
            Self::HoldBack(time) => write!(f, "hold-back={time}"),
            Self::SlowHead(time) => write!(f, "slow-head={time}"),
            Self::TruncateAfter(n) => write!(f, "truncate-after={n}"),
            Self::InBandErrorAfter(n) => write!(f, "in-band-error-after={n}"),
            Self::ContentFilter(n) => write!(f, "content-filter={n}"),
            Self::EarlyStop(n) => write!(f, "early-stop={n}"),
            Self::ExtraTokens(n) => write!(f, "extra-tokens={n}"),
            Self::Endless => f.write_str("endless"),
            Self::NoDone => f.write_str("no-done"),
            Self::NoUsage => f.write_str("no-usage"),
            Self::WrongUsage => f.write_str("wrong-usage"),
            Self::UsagePercent(n) => write!(f, "usage-percent={n}"),
            Self::LostResults(n) => write!(f, "lost-results={n}"),
            Self::DuplicateChunks => f.write_str("duplicate-chunks"),
            Self::EscapeSequences => f.write_str("escape-sequences"),
            Self::Malformed(kind) => write!(f, "malformed={}", spelt(&MALFORMATIONS, kind)),
            Self::LineEnds(kind) => write!(f, "line-ends={}", spelt(&LINE_ENDS, kind)),
            Self::Comments => f.write_str("comments"),
            Self::Pings => f.write_str("pings"),
            Self::ByteWise(Span(0)) => f.write_str("byte-wise"),
            Self::ByteWise(time) => write!(f, "byte-wise={time}"),
            Self::Coalesce(n) => write!(f, "coalesce={n}"),
            Self::MultiEvent(n) => write!(f, "multi-event={n}"),
            Self::BadLength => f.write_str("bad-length"),
            Self::OversizedEvent(n) => write!(f, "oversized-event={n}"),
            Self::OversizedHead(n) => write!(f, "oversized-head={n}"),
        }
    }
}

fn spelt<T: PartialEq>(known: &[(&'static str, T)], wanted: &T) -> &'static str {
    known
        .iter()
        .find(|(_, value)| value == wanted)
        .map_or("", |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, fault: Fault) {
        assert_eq!(text.parse(), Ok(fault), "{text}");
    }

    #[test]
    fn names_and_values_are_read() {
        check("status=503", Fault::Status(503));
        check(" reset-after = 3 ", Fault::ResetAfter(3));
        check("html", Fault::Html(200));
        check("html=502", Fault::Html(502));
        check("no-done", Fault::NoDone);
        check("stall=3:2s", Fault::StallFor(3, Span::millis(2_000)));
        check("slow-head=150ms", Fault::SlowHead(Span::millis(150)));
        check(
            "malformed=bad-json",
            Fault::Malformed(Malformation::BadJson),
        );
        check("line-ends=cr", Fault::LineEnds(LineEnds::Cr));
        check("byte-wise", Fault::ByteWise(Span(0)));
    }

    #[test]
    fn every_form_is_read_and_written_back() {
        for form in FORMS {
            let (name, value) = form.split_once(['=', '[']).unwrap_or((form, ""));
            let text = match value.split('|').next().unwrap_or_default() {
                "" => name.to_owned(),
                "N" | "=N]" => format!("{name}=400"),
                "TIME" | "=TIME]" => format!("{name}=7ms"),
                "N:TIME" => format!("{name}=2:7ms"),
                kind => format!("{name}={kind}"),
            };
            let fault: Fault = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(fault.to_string(), text);
        }
    }

    #[test]
    fn wrong_values_say_what_to_write() {
        for (text, part) in [
            ("status", "write status=N, N from 300 to 599"),
            ("status=99", "300 to 599"),
            ("coalesce=0", "1 to 1024"),
            ("no-done=1", "without a value"),
            ("stall-after=x", "a whole number"),
            ("stall=2", "stall=3:2s"),
            ("slow-head=2h", "at most 1h"),
            ("malformed=odd", "bad-json|no-blank-line|no-data-prefix"),
        ] {
            let error = text.parse::<Fault>().expect_err(text).to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn a_misspelt_name_gets_a_suggestion() {
        let error = "disconect-after=3".parse::<Fault>().expect_err("no name");
        let text = error.to_string();
        assert!(
            text.contains("(did you mean `disconnect-after`?)"),
            "{text}"
        );
        let error = "qqq".parse::<Fault>().expect_err("no name").to_string();
        assert!(
            !error.contains("did you mean") && error.contains("status=N"),
            "{error}"
        );
    }
}
