//! Which trace a request is: W3C Trace Context, version 00.
//!
//! The ids follow from the run's id and the request's number, and lead back to the number: a record needs no
//! column for them. Nothing is sent here. Invariant: requests of a run have different traces, and no id is
//! all zeros, which the standard forbids.

use super::SpanId;
use crate::request::RequestId;
use crate::seed::splitmix64;

/// An odd number spreads requests over all bits (samplers compare ids with a bound), and has an inverse.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// Its inverse modulo 2^64.
const GATHER: u64 = 0xf1de_83e1_9937_733d;

/// Bytes of the header's value: `00-TRACE-PARENT-01`.
const VALUE_BYTES: usize = 55;

/// The traces of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceKey {
    /// The first half of every trace's id.
    run: u64,
    /// Mixed into the second.
    mask: u64,
}

/// What a `traceparent` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace: [u8; 16],
    /// The span of who sent it.
    pub span: SpanId,
    /// The sender keeps its span, and asks the server to keep its own.
    pub sampled: bool,
}

impl TraceKey {
    /// That of the run of this id.
    pub fn of_run(run_id: &str) -> Self {
        let hash = |start| {
            run_id
                .bytes()
                .fold(start, |h, b| splitmix64(h ^ u64::from(b)))
        };
        Self {
            run: hash(1).max(1),
            mask: hash(2),
        }
    }

    /// What a request's `traceparent` says; it asks the server to keep its spans.
    pub fn parent(&self, request: RequestId) -> TraceParent {
        let low = request.wrapping_mul(SPREAD) ^ self.mask;
        let trace = u128::from(self.run) << 64 | u128::from(low);
        TraceParent {
            trace: trace.to_be_bytes(),
            span: SpanId(splitmix64(low ^ self.run).max(1).to_be_bytes()),
            sampled: true,
        }
    }

    /// The request that a trace belongs to; `None` where it is not of this run.
    pub fn request(&self, trace: [u8; 16]) -> Option<RequestId> {
        let trace = u128::from_be_bytes(trace);
        let low = trace as u64 ^ self.mask;
        ((trace >> 64) as u64 == self.run).then(|| low.wrapping_mul(GATHER))
    }
}

impl TraceParent {
    /// The header's value.
    pub fn value(&self) -> [u8; VALUE_BYTES] {
        let mut value = *b"00-00000000000000000000000000000000-0000000000000000-00";
        put_hex(&mut value[3..35], &self.trace);
        put_hex(&mut value[36..52], &self.span.0);
        put_hex(&mut value[53..], &[u8::from(self.sampled)]);
        value
    }

    /// Reads a header's value; `None` for what is none. Later versions may say more behind it.
    pub fn parse(value: &str) -> Option<Self> {
        let bytes = value.trim().as_bytes();
        let version = hex::<1>(bytes.get(..2)?)?[0];
        let dashes = [2, 35, 52].iter().all(|at| bytes.get(*at) == Some(&b'-'));
        let ends = match version {
            0 => bytes.len() == VALUE_BYTES,
            _ => version != 0xff && matches!(bytes.get(VALUE_BYTES), None | Some(b'-')),
        };
        let trace = hex::<16>(bytes.get(3..35)?)?;
        let span = hex::<8>(bytes.get(36..52)?)?;
        let flags = hex::<1>(bytes.get(53..55)?)?[0];
        let whole = dashes && ends && trace != [0; 16] && span != [0; 8];
        whole.then_some(Self {
            trace,
            span: SpanId(span),
            sampled: flags & 1 == 1,
        })
    }
}

/// Bytes of lower-case hexadecimal digits, as the standard writes them.
fn hex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn put_hex(out: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard (W3C Trace Context, 3.2.2.5).
    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_example_of_the_standard_reads_and_writes() {
        let parent = TraceParent::parse(EXAMPLE).expect("a parent");
        assert_eq!(parent.trace[..3], [0x4b, 0xf9, 0x2f]);
        assert_eq!(parent.span.to_string(), "00f067aa0ba902b7");
        assert!(parent.sampled);
        assert_eq!(parent.value().as_slice(), EXAMPLE.as_bytes());
        let unsampled = EXAMPLE.replace("-01", "-00");
        let parent = TraceParent::parse(&unsampled).expect("a parent");
        assert!(!parent.sampled);
        assert_eq!(parent.value().as_slice(), unsampled.as_bytes());
    }

    #[test]
    fn what_is_none() {
        let change = |from: &str, to: &str| EXAMPLE.replace(from, to);
        for text in [
            String::new(),
            change("00-4b", "ff-4b"),
            change("00-4b", "00_4b"),
            change("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
            change("00f067aa0ba902b7", &"0".repeat(16)),
            change("4bf9", "4BF9"),
            format!("{EXAMPLE}-more"),
            EXAMPLE[..54].to_owned(),
        ] {
            assert_eq!(TraceParent::parse(&text), None, "{text}");
        }
        // A later version may say more.
        let later = format!("{}-more", change("00-4b", "01-4b"));
        assert!(TraceParent::parse(&later).is_some());
    }

    #[test]
    fn traces_lead_back_to_their_requests() {
        assert_eq!(SPREAD.wrapping_mul(GATHER), 1);
        let key = TraceKey::of_run("00112233445566778899aabbccddeeff");
        let other = TraceKey::of_run("00112233445566778899aabbccddeefe");
        let mut seen = std::collections::BTreeSet::new();
        for request in (0..2_000).chain([u64::MAX, 1 << 63]) {
            let parent = key.parent(request);
            assert_eq!(key.request(parent.trace), Some(request));
            assert_eq!(other.request(parent.trace), None);
            assert!(seen.insert(parent.trace));
            assert_ne!(parent.span, SpanId([0; 8]));
            let value = parent.value();
            let text = std::str::from_utf8(&value).expect("ASCII");
            assert_eq!(TraceParent::parse(text), Some(parent));
        }
    }

    #[test]
    fn a_sampler_by_share_takes_about_its_share() {
        // Such samplers compare the second half of the id with a bound.
        let key = TraceKey::of_run("any");
        let low = |request| {
            let trace = key.parent(request).trace;
            u64::from_be_bytes(trace[8..].try_into().expect("eight bytes"))
        };
        let below = (0..10_000).filter(|n| low(*n) < u64::MAX / 10).count();
        assert!((900..1_100).contains(&below), "{below}");
    }
}
