//! What to send: lengths of prompts and answers, prompts of exact token length, traces.
//!
//! It does not say when anything is sent, opens no socket and knows no API dialect. The only IO is
//! reading a tokenizer, a trace, a dataset, a file of lengths or of clients that the user named.
//!
//! Invariant: a [`Workload`] is a pure function of its inputs and the request's id. Any thread can
//! make any request, in any order, and gets the same bytes.

mod blocks;
mod classes;
mod clients;
mod conversation;
mod counter;
mod dataset;
mod expected_tokens;
mod file;
pub mod fuzzing;
mod identity;
mod keyed;
mod kinds;
mod lengths;
mod logs;
mod members;
mod noise;
mod pairs;
mod prefix;
mod prompt;
mod prompt_error;
mod session;
mod slot;
mod template;
mod text_request;
mod texts;
mod tokenizer;
mod trace;
mod vocabulary;
mod warm;
mod words;
mod workload;

pub use clients::{Client, ClientProfile, ClientWindow, ClientsError, Gaps};
pub use counter::TokenCounter;
pub use dataset::Texts;
pub use expected_tokens::ExpectedTokens;
pub use file::{
    FileEntry, FileError, FileHeader, FilePhases, FileRequest, Header, WorkloadFile,
    WorkloadWriter, Written, encode_line,
};
pub use keyed::{BlockChain, HashKey};
pub use kinds::{AnswerForm, Carried, ImagesAsked, Kinds, KindsError, ToolsAsked};
pub use logs::{
    ImportOptions, Imported, LogFormat, MappedCall, TextsKept, first_row, import_logs,
    import_trace, places,
};
pub use members::{MemberRule, is_request_member};
pub use pairs::PairsError;
pub use prefix::PrefixError;
pub use prompt_error::PromptError;
pub use session::SessionMeans;
pub use slot::SlotKey;
pub use template::{ChatTemplate, TemplateError, tokens_with_template};
pub use text_request::TextRequest;
pub use texts::{Dataset, DatasetError, DatasetOptions};
pub use tokenizer::{Tokenizer, TokenizerError};
pub use trace::{
    BlockOrigin, DrawnLengths, Instants, MAX_TOKENS, OverContext, Row, RowOrder, RowsHeader,
    RowsWriter, Sharing, SharingCounts, TextRef, TimeUnit, Trace, TraceError, TraceFacts,
    TraceFormat, TraceFormatError, TraceOptions, TraceReader, TraceRow, parse_timestamp, read_rows,
};
pub use workload::{Awaited, NextTurn, Workload};
