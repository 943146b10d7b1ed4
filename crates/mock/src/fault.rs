//! What a server can do wrong, on demand: by the request header `x-mock-fault: NAME[=VALUE]`, or by
//! a rule for all generation requests.
//!
//! One fault per request. A fault changes what goes over the wire (and, where it cuts the answer,
//! what the engine does); the truth log still says what was written and when.

use crate::length::open_unit;
use infermeter_core::seed::splitmix64;
use std::str::FromStr;

/// One thing to do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `status=503`: an error response (400 to 599, the error body of vLLM; 429 and 503 with
    /// `retry-after`) or a redirect (300 to 399) instead of an answer.
    Status(u16),
    /// `escaped-error`: status 400 with terminal escape sequences and markup in its message.
    EscapedError,
    /// `html` or `html=502`: a page, as a proxy would send it.
    Html(u16),
    /// `json-instead-of-stream`: the whole answer as one JSON body, whatever was asked for.
    JsonInsteadOfStream,
    /// `empty`: status 200 and a well-formed answer without any token.
    Empty,
    /// `disconnect-after=N`: the connection ends in order behind N tokens. With 0: before any
    /// byte of the response.
    DisconnectAfter(u32),
    /// `reset-after=N`: as above, with a reset.
    ResetAfter(u32),
    /// `stall-after=N`: nothing more is written behind N tokens; the connection stays open.
    StallAfter(u32),
    /// `in-band-error-after=N`: an error event behind N tokens, then the end of the stream.
    InBandErrorAfter(u32),
    /// `no-done`: the stream ends without `[DONE]`.
    NoDone,
    /// `no-usage`: no usage, even where asked for.
    NoUsage,
    /// `wrong-usage`: usage counts seven completion tokens too many.
    WrongUsage,
    /// `escape-sequences`: every token's text carries terminal escapes, a bidirectional override
    /// and markup.
    EscapeSequences,
    /// `endless`: tokens until the client goes (one-token presets answer as usual).
    Endless,
    /// `coalesce=N`: N tokens per event.
    Coalesce(u32),
    /// `multi-event=N`: N events per write.
    MultiEvent(u32),
    /// `bad-length`: the body's framing announces more bytes than come, then the end.
    BadLength,
    /// `oversized-event=N`: the first token's text is N bytes long.
    OversizedEvent(u32),
    /// `oversized-head=N`: N bytes of extra response headers.
    OversizedHead(u32),
}

/// Why a text names no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// No fault has that name.
    #[error(
        "unknown fault `{0}`: one of status=N, escaped-error, html[=N], json-instead-of-stream, \
         empty, disconnect-after=N, reset-after=N, stall-after=N, in-band-error-after=N, no-done, \
         no-usage, wrong-usage, escape-sequences, endless, coalesce=N, multi-event=N, bad-length, \
         oversized-event=N, oversized-head=N"
    )]
    Name(String),
    /// The value does not fit the fault.
    #[error("fault `{0}`: the value is missing, superfluous or out of range")]
    Value(String),
}

/// Bytes that an oversized event or head may have at most.
const MAX_OVERSIZE: u32 = 64 << 20;

impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Self, FaultError> {
        let text = text.trim();
        let quoted = || infermeter_core::text::inert(text, 80);
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (text, None),
        };
        let number = |from: u32, to: u32| {
            value
                .and_then(|v| v.parse::<u32>().ok())
                .filter(|n| (from..=to).contains(n))
                .ok_or_else(|| FaultError::Value(quoted()))
        };
        let plain = |fault: Self| match value {
            None => Ok(fault),
            Some(_) => Err(FaultError::Value(quoted())),
        };
        match name {
            "status" => Ok(Self::Status(number(300, 599)? as u16)),
            "html" if value.is_none() => Ok(Self::Html(200)),
            "html" => Ok(Self::Html(number(200, 599)? as u16)),
            "disconnect-after" => Ok(Self::DisconnectAfter(number(0, u32::MAX)?)),
            "reset-after" => Ok(Self::ResetAfter(number(0, u32::MAX)?)),
            "stall-after" => Ok(Self::StallAfter(number(0, u32::MAX)?)),
            "in-band-error-after" => Ok(Self::InBandErrorAfter(number(0, u32::MAX)?)),
            "coalesce" => Ok(Self::Coalesce(number(1, 1024)?)),
            "multi-event" => Ok(Self::MultiEvent(number(1, 1024)?)),
            "oversized-event" => Ok(Self::OversizedEvent(number(1, MAX_OVERSIZE)?)),
            "oversized-head" => Ok(Self::OversizedHead(number(1, MAX_OVERSIZE)?)),
            "escaped-error" => plain(Self::EscapedError),
            "json-instead-of-stream" => plain(Self::JsonInsteadOfStream),
            "empty" => plain(Self::Empty),
            "no-done" => plain(Self::NoDone),
            "no-usage" => plain(Self::NoUsage),
            "wrong-usage" => plain(Self::WrongUsage),
            "escape-sequences" => plain(Self::EscapeSequences),
            "endless" => plain(Self::Endless),
            "bad-length" => plain(Self::BadLength),
            _ => Err(FaultError::Name(quoted())),
        }
    }
}

/// Which requests a rule strikes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FaultShare {
    /// All of them.
    Always,
    /// The n-th, the 2n-th, ... generation request (0 strikes none).
    EveryNth(u64),
    /// Each on its own with this probability, by the configuration's seed.
    Probability(f64),
}

/// A fault for requests that do not ask for one themselves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultRule {
    /// What goes wrong.
    pub fault: Fault,
    /// For whom.
    pub share: FaultShare,
}

impl FaultRule {
    /// The fault of generation request number `ordinal`, counted from 1.
    pub(crate) fn strike(&self, ordinal: u64, seed: u64) -> Option<Fault> {
        let struck = match self.share {
            FaultShare::Always => true,
            FaultShare::EveryNth(n) => ordinal.checked_rem(n) == Some(0),
            FaultShare::Probability(p) => open_unit(splitmix64(splitmix64(seed) ^ ordinal)) <= p,
        };
        struck.then_some(self.fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_read() {
        for (text, fault) in [
            ("status=503", Fault::Status(503)),
            (" reset-after = 3 ", Fault::ResetAfter(3)),
            ("html", Fault::Html(200)),
            ("html=502", Fault::Html(502)),
            ("no-done", Fault::NoDone),
        ] {
            assert_eq!(text.parse(), Ok(fault), "{text}");
        }
        for text in [
            "status",
            "status=99",
            "coalesce=0",
            "no-done=1",
            "stall-after=x",
        ] {
            assert!(
                matches!(text.parse::<Fault>(), Err(FaultError::Value(_))),
                "{text}"
            );
        }
        assert!(matches!(
            "explode".parse::<Fault>(),
            Err(FaultError::Name(_))
        ));
    }

    #[test]
    fn rules_strike_their_share() {
        let struck = |share| {
            let rule = FaultRule {
                fault: Fault::NoDone,
                share,
            };
            (1..=1000).filter(|n| rule.strike(*n, 1).is_some()).count()
        };
        assert_eq!(struck(FaultShare::Always), 1000);
        assert_eq!(struck(FaultShare::EveryNth(4)), 250);
        assert_eq!(struck(FaultShare::EveryNth(0)), 0);
        assert_eq!(struck(FaultShare::Probability(0.0)), 0);
        assert_eq!(struck(FaultShare::Probability(1.0)), 1000);
        assert!((200..300).contains(&struck(FaultShare::Probability(0.25))));
    }
}
