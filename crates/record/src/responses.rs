//! `responses.jsonl`: what the server answered, one JSON object a line.
//!
//! Keys: `id`, `text`, `reasoning`, `refusal`, `tool_calls` (each the joined texts of the chunks of
//! that kind; null where there was none or where texts were not kept), `finish_reason`, `usage`
//! (`prompt_tokens`, `output_tokens`, `cached_tokens`, `reasoning_tokens`; null where the server gave
//! none), `error` (`reason`, `text`). Requests that were never sent have a line too.
//!
//! Does not escape for terminals: JSON escapes control characters.
//!
//! Invariant: the file is whole whenever it is there.

use crate::atomic::AtomicFile;
use crate::error::RecordError;
use infermeter_core::record::{ChunkKind, RequestError, RequestRecord};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

/// The file's name in a run directory.
pub const RESPONSES_FILE: &str = "responses.jsonl";

/// A line of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Response {
    /// The request.
    pub id: u64,
    /// The answer's text.
    pub text: Option<String>,
    /// Its reasoning.
    pub reasoning: Option<String>,
    /// Its refusal.
    pub refusal: Option<String>,
    /// Its calls of tools.
    pub tool_calls: Option<String>,
    finish_reason: Option<String>,
    usage: Option<Usage>,
    error: Option<RequestError>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Usage {
    prompt_tokens: Option<u32>,
    output_tokens: Option<u32>,
    cached_tokens: Option<u32>,
    reasoning_tokens: Option<u32>,
}

/// Writes `responses.jsonl`.
#[derive(Debug)]
pub struct ResponsesWriter {
    file: AtomicFile,
}

impl ResponsesWriter {
    /// Starts the file in `dir`; it appears under its name with [`Self::finish`].
    pub fn create(dir: &Path) -> Result<Self, RecordError> {
        Ok(Self {
            file: AtomicFile::create(dir, RESPONSES_FILE)?,
        })
    }

    /// Adds the answer to one request. Call it while the record has its texts.
    pub fn append(&mut self, record: &RequestRecord) -> Result<(), RecordError> {
        let mut line =
            serde_json::to_vec(&line_of(record)).map_err(|cause| RecordError::NotJson {
                path: self.file.target().to_owned(),
                cause,
            })?;
        line.push(b'\n');
        let written = self.file.write_all(&line);
        written.map_err(|cause| RecordError::io("write", self.file.target())(cause))
    }

    /// Gives the file its name.
    pub fn finish(self) -> Result<(), RecordError> {
        self.file.commit()
    }
}

fn line_of(record: &RequestRecord) -> Response {
    Response {
        id: record.id,
        text: joined(record, ChunkKind::Text),
        reasoning: joined(record, ChunkKind::Reasoning),
        refusal: joined(record, ChunkKind::Refusal),
        tool_calls: joined(record, ChunkKind::ToolCall),
        finish_reason: record.finish_reason.as_deref().map(str::to_owned),
        usage: usage_of(record),
        error: record.error.clone(),
    }
}

fn joined(record: &RequestRecord, kind: ChunkKind) -> Option<String> {
    let texts = record.texts.as_ref()?;
    let mut of_kind = record
        .chunks
        .iter()
        .enumerate()
        .filter(|(_, chunk)| chunk.kind == kind)
        .peekable();
    of_kind.peek()?;
    Some(of_kind.map(|(i, _)| texts.get(i)).collect())
}

fn usage_of(record: &RequestRecord) -> Option<Usage> {
    let usage = Usage {
        prompt_tokens: record.prompt_tokens,
        output_tokens: record.output_tokens,
        cached_tokens: record.cached_tokens,
        reasoning_tokens: record.reasoning_tokens,
    };
    let given = [
        usage.prompt_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.reasoning_tokens,
    ];
    given.iter().any(Option::is_some).then_some(usage)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{record, unsent};
    use infermeter_core::record::{ChunkTexts, Reason};

    #[test]
    fn kinds_go_to_their_keys_and_what_is_missing_is_null() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut answered = record(0, 4);
        answered.chunks[0].kind = ChunkKind::Reasoning;
        answered.chunks[3].kind = ChunkKind::Refusal;
        answered.texts = Some(ChunkTexts {
            bytes: "hm a\u{1b}b no".into(),
            ends: vec![2, 4, 6, 9],
        });
        answered.error = Some(RequestError {
            reason: Reason::Truncated,
            text: "cut".to_owned(),
        });
        let mut writer = ResponsesWriter::create(dir.path()).expect("created");
        writer.append(&answered).expect("written");
        writer.append(&unsent(1)).expect("written");
        writer.finish().expect("finished");
        let text = std::fs::read_to_string(dir.path().join(RESPONSES_FILE)).expect("there");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            r#"{"id":0,"text":" a\u001bb","reasoning":"hm","refusal":" no","tool_calls":null,"finish_reason":"length","usage":{"prompt_tokens":101,"output_tokens":4,"cached_tokens":null,"reasoning_tokens":null},"error":{"reason":"truncated","text":"cut"}}"#
        );
        assert_eq!(
            lines[1],
            r#"{"id":1,"text":null,"reasoning":null,"refusal":null,"tool_calls":null,"finish_reason":null,"usage":null,"error":null}"#
        );
        assert_eq!(lines.len(), 2);
    }
}
