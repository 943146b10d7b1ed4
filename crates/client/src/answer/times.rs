//! How long a server says that a request took it: llama.cpp's `timings`, and the `metrics` of vLLM's last chunk.
//!
//! A member that is no time that could be believed is absent. Invariant: what is malformed here spoils no answer.

use crate::json::{Cursor, JsonError};
use infermeter_core::record::ServerTimes;

/// Notes the times that stand in `object`; a later event has the later ones.
///
/// vLLM's names are from its documentation (`--enable-per-request-metrics`): its time to the first token begins
/// behind the queue.
pub(super) fn note(object: &[u8], times: &mut ServerTimes) {
    // The event was walked before: its syntax is known to be good.
    let _ = walk(object, times);
}

fn walk(object: &[u8], times: &mut ServerTimes) -> Result<(), JsonError> {
    let mut cursor = Cursor::new(object);
    if cursor.peek() != Some(b'{') {
        return Ok(());
    }
    cursor.object(|cursor, key| {
        let slot = match cursor.key(key) {
            b"queue_time_ms" => &mut times.queue_ns,
            b"prompt_ms" | b"time_to_first_token_ms" => &mut times.prefill_ns,
            b"predicted_ms" | b"generation_time_ms" => &mut times.decode_ns,
            _ => return cursor.skip(),
        };
        let span = cursor.skip_span()?;
        *slot = milliseconds(cursor.of(span)).or(*slot);
        Ok(())
    })
}

fn milliseconds(value: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(value).ok()?;
    ServerTimes::of_ms(text.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_forms() {
        let check = |object: &str, expect: [Option<i64>; 3]| {
            let mut times = ServerTimes::default();
            note(object.as_bytes(), &mut times);
            let found = [times.queue_ns, times.prefill_ns, times.decode_ns];
            assert_eq!(found, expect, "{object}");
        };
        // As llama.cpp wrote it.
        check(
            r#"{"cache_n":10,"prompt_n":1,"prompt_ms":1.807,"prompt_per_token_ms":1.807,"predicted_n":6,
                "predicted_ms":4.713,"predicted_per_token_ms":0.9426}"#,
            [None, Some(1_807_000), Some(4_713_000)],
        );
        // From vLLM's documentation, not read from a live server.
        check(
            r#"{"time_to_first_token_ms":12.5,"generation_time_ms":80,"queue_time_ms":0.25,"mean_itl_ms":9.1,
                "tokens_per_second":110.0}"#,
            [Some(250_000), Some(12_500_000), Some(80_000_000)],
        );
        for none in [
            "null",
            "[1]",
            "{}",
            r#"{"prompt_ms":-1,"predicted_ms":"4"}"#,
        ] {
            check(none, [None; 3]);
        }
        check(r#"{"prompt_ms":1e300,"predicted_ms":null}"#, [None; 3]);
    }
}
