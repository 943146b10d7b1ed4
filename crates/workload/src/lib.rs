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
mod file;
pub mod fuzzing;
mod identity;
mod kinds;
mod lengths;
mod members;
mod pairs;
mod prefix;
mod prompt;
mod session;
mod slot;
mod template;
mod texts;
mod tokenizer;
mod trace;
mod vocabulary;
mod warm;
mod words;
mod workload;

pub use clients::{
    Client, ClientProfile, ClientWindow, ClientsError, Gaps, MAX_CLIENTS, SYNTHETIC,
};
pub use counter::TokenCounter;
pub use dataset::{TextRequest, Texts};
pub use file::{
    FileEntry, FileError, FileHeader, FilePhases, FileRequest, Header, WorkloadFile,
    WorkloadWriter, Written, encode_line,
};
pub use kinds::{Kinds, KindsError};
pub use lengths::LengthDistribution;
pub use members::{MemberRule, is_request_member};
pub use pairs::{LengthPair, PairsError, read_pairs};
pub use prefix::PrefixError;
pub use session::SessionMeans;
pub use slot::SlotKey;
pub use template::{ChatTemplate, TemplateError, tokens_with_template};
pub use texts::{Dataset, DatasetError, DatasetOptions};
pub use tokenizer::{Tokenizer, TokenizerError};
pub use trace::{
    Instants, MAX_RECORD, MAX_TOKENS, MAX_TRACE_ROWS, OverContext, Row, RowOrder, Sharing,
    SharingCounts, TextRef, TimeUnit, Trace, TraceError, TraceFacts, TraceFormat, TraceFormatError,
    TraceOptions, TraceReader, TraceRow, read_rows,
};
pub use workload::{Awaited, ExpectedTokens, NextTurn, PromptError, Workload};
