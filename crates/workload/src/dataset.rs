//! Texts of datasets, read back from their file when they are asked for.
//!
//! It does not count tokens and keeps no file in memory: [`Texts`] reads what a row points at. What a
//! record says is for [`crate::conversation`].
//!
//! Invariant: the request that a row points at is the same one that its reading counted.

use crate::conversation::{Conversation, agent_history};
use crate::members::{MemberRule, OF_MESSAGE};
use crate::text_request::TextRequest;
use crate::trace::{GZIP, TextColumns, TextRef, TraceError, TraceFormat, text_columns};
use infermeter_core::environment::Fate;
use infermeter_core::request::BodyMember;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Longest text that is read back, bytes: a conversation of agents spans several lines.
const MAX_TEXT: u32 = 256 << 20;

/// The texts of a dataset, read from the file when they are asked for.
#[derive(Debug)]
pub struct Texts {
    file: File,
    format: TraceFormat,
    /// Where the texts are in a CSV file.
    columns: Option<TextColumns>,
    rule: MemberRule,
}

impl Texts {
    /// Opens the dataset that was read as `format`.
    ///
    /// # Errors
    /// When the file cannot be opened, or is compressed: what a row points at cannot be found then.
    pub fn open(path: &Path, format: TraceFormat) -> Result<Self, TraceError> {
        let open = |source| TraceError::Open {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(open)?;
        let mut head = [0; 2];
        let read = file.read(&mut head).map_err(open)?;
        if head[..read] == GZIP {
            return Err(TraceError::NoText {
                offset: 0,
                message: "texts cannot be read from a compressed file: unpack it".to_owned(),
            });
        }
        file.rewind().map_err(open)?;
        let columns = text_columns(&mut file, format)?;
        Ok(Self {
            file,
            format,
            columns,
            rule: MemberRule::default(),
        })
    }

    /// The same texts with the members that `rule` has sent.
    #[must_use]
    pub fn under(mut self, rule: MemberRule) -> Self {
        self.rule = rule;
        self
    }

    /// The request that a row points at.
    ///
    /// # Errors
    /// When it is not there any more, or is longer than 256 MiB.
    pub fn get(&mut self, text: &TextRef) -> Result<TextRequest, TraceError> {
        self.find(text).map_err(|message| TraceError::NoText {
            offset: text.offset,
            message,
        })
    }

    fn find(&mut self, text: &TextRef) -> Result<TextRequest, String> {
        if text.bytes > MAX_TEXT {
            return Err("longer than 256 MiB".to_owned());
        }
        let mut bytes = vec![0; text.bytes as usize];
        let whole = self.file.seek(SeekFrom::Start(text.offset));
        let whole = whole.and_then(|_| self.file.read_exact(&mut bytes));
        whole.map_err(|e| format!("{e}: the file has changed"))?;
        let (conversation, which) = match (self.format, &self.columns) {
            (TraceFormat::Agentic, _) => (agent_history(&bytes)?, 0),
            (_, Some(columns)) => {
                let fields = columns.texts(&bytes).ok_or("no such field")?;
                (Conversation::of_fields(fields), 0)
            }
            (format, None) => (Conversation::parse(format, &bytes)?, text.request),
        };
        let request = conversation.request(which);
        let mut request = request.ok_or_else(|| "the file has changed".to_owned())?;
        let sent = |name: &str| self.rule.fate(name) == Fate::Sent;
        request.members.retain(|member| sent(&member.name));
        for message in &mut request.messages {
            let of_message = |m: &BodyMember| sent(&format!("{OF_MESSAGE}{}", m.name));
            message.members.retain(of_message);
        }
        Ok(request)
    }
}
