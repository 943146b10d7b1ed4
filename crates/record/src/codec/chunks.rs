//! The chunk columns of one record, and the chunks' texts.
//!
//! Does not know the rest of the record. Invariant: memory for n chunks is claimed only when the
//! bytes at hand can hold n chunks.

use crate::varint::{Cursor, Malformed, put, put_bytes, put_runs, put_signed};
use infermeter_core::clock::Offset;
use infermeter_core::record::{Chunk, ChunkKind, ChunkTexts};

pub(super) fn encode_chunks(chunks: &[Chunk], last_instant: i64, out: &mut Vec<u8>) {
    put(out, chunks.len() as u64);
    let mut last = last_instant;
    for chunk in chunks {
        put_signed(out, chunk.at.0.wrapping_sub(last));
        last = chunk.at.0;
    }
    for chunk in chunks {
        put_signed(out, chunk.seen.0.wrapping_sub(chunk.at.0));
    }
    put_runs(
        out,
        chunks.iter().map(|c| c.at.0.wrapping_sub(c.lower.0) as u64),
    );
    put_runs(
        out,
        chunks.iter().map(|c| u64::from(c.tokens.wrapping_add(1))),
    );
    let mut last_read = 0;
    put_runs(
        out,
        chunks.iter().map(|c| {
            let step = c.read.wrapping_sub(last_read);
            last_read = c.read;
            u64::from(step)
        }),
    );
    put_runs(out, chunks.iter().map(|c| u64::from(c.kind as u8)));
}

/// Least bytes of a chunk: its `at` and its `seen`; the other columns are runs.
const LEAST_CHUNK_BYTES: usize = 2;

pub(super) fn decode_chunks(
    cursor: &mut Cursor<'_>,
    last_instant: i64,
) -> Result<Vec<Chunk>, Malformed> {
    let count = cursor.count(LEAST_CHUNK_BYTES)?;
    let mut chunks = Vec::with_capacity(count);
    let mut last = last_instant;
    for _ in 0..count {
        last = last.wrapping_add(cursor.signed()?);
        let at = Offset(last);
        chunks.push(Chunk {
            at,
            seen: at,
            lower: at,
            tokens: Chunk::TOKENS_UNKNOWN,
            read: 0,
            kind: ChunkKind::Text,
        });
    }
    for chunk in &mut chunks {
        chunk.seen = Offset(chunk.at.0.wrapping_add(cursor.signed()?));
    }
    cursor.runs(count, |i, width| {
        chunks[i].lower = Offset(chunks[i].at.0.wrapping_sub(width as i64));
        Ok(())
    })?;
    cursor.runs(count, |i, tokens| {
        let tokens = u32::try_from(tokens).map_err(|_| Malformed)?;
        chunks[i].tokens = tokens.wrapping_sub(1);
        Ok(())
    })?;
    let mut last_read = 0u32;
    cursor.runs(count, |i, step| {
        let step = u32::try_from(step).map_err(|_| Malformed)?;
        last_read = last_read.wrapping_add(step);
        chunks[i].read = last_read;
        Ok(())
    })?;
    cursor.runs(count, |i, kind| {
        let kind = u8::try_from(kind).map_err(|_| Malformed)?;
        chunks[i].kind = ChunkKind::from_u8(kind).ok_or(Malformed)?;
        Ok(())
    })?;
    Ok(chunks)
}

pub(super) fn encode_texts(texts: &ChunkTexts, out: &mut Vec<u8>) {
    put(out, texts.ends.len() as u64);
    let mut last = 0;
    for end in &texts.ends {
        put_signed(out, i64::from(*end) - last);
        last = i64::from(*end);
    }
    put_bytes(out, &texts.bytes);
}

pub(super) fn decode_texts(cursor: &mut Cursor<'_>) -> Result<ChunkTexts, Malformed> {
    let count = cursor.count(1)?;
    let mut ends = Vec::with_capacity(count);
    let mut last = 0i64;
    for _ in 0..count {
        last = last.checked_add(cursor.signed()?).ok_or(Malformed)?;
        ends.push(u32::try_from(last).map_err(|_| Malformed)?);
    }
    let bytes = cursor.bytes()?.to_vec();
    Ok(ChunkTexts { bytes, ends })
}
