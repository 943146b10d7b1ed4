//! One record as compact bytes, for the journal. Does not frame, checksum or batch.
//!
//! Layout, version 1 (u = varint, s = zigzag varint; see [`crate::varint`]):
//! `id u, class u, phase u, outcome u, token source u (0 none), stamp source u (0 none), new
//! connection u (0 none, 1 no, 2 yes), attempts u, requested tokens u u, intended s, presence u (one
//! bit per optional fact, in the order below), then the facts present: instants s (each the
//! difference from the instant before it), numbers u, texts (length u and bytes), the instant at
//! which the request left s, session u and turn u, parent u, planned instant s, tokens of the text u, repeated
//! chunks u, estimated tokens u, oddities u, unknown members (a text), address u, items u, dimensions u, the server's
//! own times s (whose bits are the last)`; then
//! `number of chunks u` and the columns `at s (differences), seen - at s, at - lower in runs,
//! tokens + 1 in runs (0 unknown), read in runs of differences, kind in runs`; then, if the bit is
//! set, the chunk texts: `number of ends u, ends s (differences), bytes`.
//!
//! Invariant: `decode(encode(r)) == r` for every record; malformed bytes are an error, never a
//! panic, and a record decoded from n bytes takes O(n) memory.

mod chunks;
mod codes;

use crate::varint::{Cursor, Malformed, put, put_bytes, put_signed};
use chunks::{decode_chunks, decode_texts, encode_chunks, encode_texts};
use codes::{
    PHASES, STAMP_SOURCES, TOKEN_SOURCES, outcome_code, phase_code, stamp_source_code,
    token_source_code,
};
use infermeter_core::clock::Offset;
use infermeter_core::oddity::Oddities;
use infermeter_core::record::{ChunkTexts, Outcome, Reason, RequestError, RequestRecord};
use infermeter_core::request::Turn;

/// Appends `record` to `out`, with these texts instead of its own (texts can be left out when a
/// record is too large for a frame).
pub(crate) fn encode(record: &RequestRecord, texts: Option<&ChunkTexts>, out: &mut Vec<u8>) {
    put(out, record.id);
    for small in [
        u64::from(record.class),
        phase_code(record.phase),
        outcome_code(record.outcome),
        record.token_source.map_or(0, token_source_code),
        record.stamp_source.map_or(0, stamp_source_code),
        record.new_connection.map_or(0, |new| 1 + u64::from(new)),
        u64::from(record.attempts),
        u64::from(record.requested_prompt_tokens),
        u64::from(record.requested_output_tokens),
    ] {
        put(out, small);
    }
    put_signed(out, record.intended.0);
    put(out, presence(record, texts));
    let last_instant = encode_facts(record, out);
    if let Some(left) = record.left {
        put_signed(out, left.0.wrapping_sub(last_instant));
    }
    if let Some(turn) = record.turn {
        put(out, turn.session);
        put(out, u64::from(turn.number));
    }
    if let Some(parent) = record.parent {
        put(out, parent);
    }
    if let Some(planned) = record.planned {
        put_signed(out, planned.0.wrapping_sub(record.intended.0));
    }
    let counted = [
        record.text_tokens,
        record.repeated_chunks,
        record.estimated_output_tokens,
    ];
    for count in counted.into_iter().flatten() {
        put(out, u64::from(count));
    }
    if record.oddities != Oddities::default() {
        put(out, u64::from(record.oddities.bits()));
    }
    if let Some(names) = &record.unknown_members {
        put_bytes(out, names.as_bytes());
    }
    if let Some(address) = record.address {
        put(out, u64::from(address));
    }
    for count in [record.items, record.dimensions].into_iter().flatten() {
        put(out, u64::from(count));
    }
    for time in server_times(record).into_iter().flatten() {
        put_signed(out, time);
    }
    encode_chunks(&record.chunks, last_instant, out);
    if let Some(texts) = texts {
        encode_texts(texts, out);
    }
}

/// Reads one record that takes all of `bytes`.
pub(crate) fn decode(bytes: &[u8]) -> Result<RequestRecord, Malformed> {
    let cursor = &mut Cursor::new(bytes);
    let id = cursor.unsigned()?;
    let class = cursor.narrow()?;
    let phase = find(PHASES, phase_code, cursor.unsigned()?)?;
    let outcome = find(Outcome::ALL, outcome_code, cursor.unsigned()?)?;
    let token_source = optional(cursor, |n| find(TOKEN_SOURCES, token_source_code, n))?;
    let stamp_source = optional(cursor, |n| find(STAMP_SOURCES, stamp_source_code, n))?;
    let new_connection = optional(cursor, |n| match n {
        1 => Ok(false),
        2 => Ok(true),
        _ => Err(Malformed),
    })?;
    let attempts = cursor.narrow()?;
    let (prompt, output) = (cursor.narrow()?, cursor.narrow()?);
    let intended = Offset(cursor.signed()?);
    let mut record = RequestRecord::unsent(id, class, phase, intended, prompt, output);
    record.outcome = outcome;
    record.token_source = token_source;
    record.stamp_source = stamp_source;
    record.new_connection = new_connection;
    record.attempts = attempts;
    let mut presence = Presence(cursor.unsigned()?);
    let last_instant = decode_facts(cursor, &mut presence, &mut record)?;
    let has_texts = presence.next();
    decode_later(cursor, &mut presence, last_instant, &mut record)?;
    if presence.0 != 0 {
        return Err(Malformed);
    }
    record.chunks = decode_chunks(cursor, last_instant)?;
    if has_texts {
        record.texts = Some(decode_texts(cursor)?);
    }
    if cursor.remaining() == 0 {
        Ok(record)
    } else {
        Err(Malformed)
    }
}

/// Facts that records of the first version lack, in the order in which they came to be.
fn decode_later(
    cursor: &mut Cursor<'_>,
    presence: &mut Presence,
    last_instant: i64,
    record: &mut RequestRecord,
) -> Result<(), Malformed> {
    if presence.next() {
        record.left = Some(Offset(last_instant.wrapping_add(cursor.signed()?)));
    }
    if presence.next() {
        record.turn = Some(Turn {
            session: cursor.unsigned()?,
            number: cursor.narrow()?,
        });
    }
    if presence.next() {
        record.parent = Some(cursor.unsigned()?);
    }
    if presence.next() {
        record.planned = Some(Offset(record.intended.0.wrapping_add(cursor.signed()?)));
    }
    for slot in [
        &mut record.text_tokens,
        &mut record.repeated_chunks,
        &mut record.estimated_output_tokens,
    ] {
        if presence.next() {
            *slot = Some(cursor.narrow()?);
        }
    }
    if presence.next() {
        record.oddities = Oddities::from_bits(cursor.narrow()?).ok_or(Malformed)?;
    }
    if presence.next() {
        record.unknown_members = Some(cursor.text()?);
    }
    if presence.next() {
        record.address = Some(cursor.narrow()?);
    }
    for slot in [&mut record.items, &mut record.dimensions] {
        if presence.next() {
            *slot = Some(cursor.narrow()?);
        }
    }
    let times = &mut record.server_times;
    for slot in [
        &mut times.queue_ns,
        &mut times.prefill_ns,
        &mut times.decode_ns,
        &mut times.processing_ns,
    ] {
        if presence.next() {
            *slot = Some(cursor.signed()?);
        }
    }
    Ok(())
}

fn server_times(record: &RequestRecord) -> [Option<i64>; 4] {
    let times = &record.server_times;
    [
        times.queue_ns,
        times.prefill_ns,
        times.decode_ns,
        times.processing_ns,
    ]
}

fn instants(record: &RequestRecord) -> [Option<Offset>; 8] {
    [
        record.send_start,
        record.connected,
        record.tls_done,
        record.sent,
        record.first_byte,
        record.first_byte_seen,
        record.finished,
        record.closed,
    ]
}

fn numbers(record: &RequestRecord) -> [Option<u32>; 6] {
    [
        record.status.map(u32::from),
        record.prompt_tokens,
        record.output_tokens,
        record.cached_tokens,
        record.reasoning_tokens,
        record.connection,
    ]
}

fn presence(record: &RequestRecord, texts: Option<&ChunkTexts>) -> u64 {
    let mut bits = 0;
    let mut next = 1;
    let mut note = |present| {
        if present {
            bits |= next;
        }
        next <<= 1;
    };
    instants(record).iter().for_each(|i| note(i.is_some()));
    numbers(record).iter().for_each(|n| note(n.is_some()));
    note(record.error.is_some());
    note(record.finish_reason.is_some());
    note(texts.is_some());
    // Behind the others: journals from before these facts existed stay readable.
    note(record.left.is_some());
    note(record.turn.is_some());
    note(record.parent.is_some());
    note(record.planned.is_some());
    note(record.text_tokens.is_some());
    note(record.repeated_chunks.is_some());
    note(record.estimated_output_tokens.is_some());
    note(record.oddities != Oddities::default());
    note(record.unknown_members.is_some());
    note(record.address.is_some());
    note(record.items.is_some());
    note(record.dimensions.is_some());
    server_times(record).iter().for_each(|t| note(t.is_some()));
    bits
}

/// Presence bits, taken in the order in which they were set.
struct Presence(u64);

impl Presence {
    fn next(&mut self) -> bool {
        let bit = self.0 & 1 == 1;
        self.0 >>= 1;
        bit
    }
}

fn encode_facts(record: &RequestRecord, out: &mut Vec<u8>) -> i64 {
    let mut last = record.intended.0;
    for instant in instants(record).into_iter().flatten() {
        put_signed(out, instant.0.wrapping_sub(last));
        last = instant.0;
    }
    for number in numbers(record).into_iter().flatten() {
        put(out, u64::from(number));
    }
    if let Some(error) = &record.error {
        put_bytes(out, error.reason.as_str().as_bytes());
        put_bytes(out, error.text.as_bytes());
    }
    if let Some(reason) = &record.finish_reason {
        put_bytes(out, reason.as_bytes());
    }
    last
}

fn decode_facts(
    cursor: &mut Cursor<'_>,
    presence: &mut Presence,
    record: &mut RequestRecord,
) -> Result<i64, Malformed> {
    let mut last = record.intended.0;
    for slot in [
        &mut record.send_start,
        &mut record.connected,
        &mut record.tls_done,
        &mut record.sent,
        &mut record.first_byte,
        &mut record.first_byte_seen,
        &mut record.finished,
        &mut record.closed,
    ] {
        if presence.next() {
            last = last.wrapping_add(cursor.signed()?);
            *slot = Some(Offset(last));
        }
    }
    if presence.next() {
        record.status = Some(cursor.narrow()?);
    }
    for slot in [
        &mut record.prompt_tokens,
        &mut record.output_tokens,
        &mut record.cached_tokens,
        &mut record.reasoning_tokens,
        &mut record.connection,
    ] {
        if presence.next() {
            *slot = Some(cursor.narrow()?);
        }
    }
    let (has_error, has_finish_reason) = (presence.next(), presence.next());
    if has_error {
        record.error = Some(RequestError {
            reason: Reason::parse(&cursor.text()?).ok_or(Malformed)?,
            text: cursor.text()?,
        });
    }
    if has_finish_reason {
        record.finish_reason = Some(cursor.text()?);
    }
    Ok(last)
}

fn find<T: Copy, const N: usize>(
    all: [T; N],
    code_of: fn(T) -> u64,
    code: u64,
) -> Result<T, Malformed> {
    all.into_iter()
        .find(|t| code_of(*t) == code)
        .ok_or(Malformed)
}

fn optional<T>(
    cursor: &mut Cursor<'_>,
    decode: impl FnOnce(u64) -> Result<T, Malformed>,
) -> Result<Option<T>, Malformed> {
    match cursor.unsigned()? {
        0 => Ok(None),
        code => decode(code).map(Some),
    }
}
