//! Requests that hold several texts: how many, how long a query is, and how numbers are asked for.
//!
//! It draws no lengths: those of inputs and documents are the workload's.

use super::Plan;
use super::endpoint::Input;
use serde::{Deserialize, Serialize};

/// Most texts of a request: OpenAI takes 2,048, and servers of one's own are set up for more.
pub const MAX_ITEMS: u32 = 8_192;

/// How the numbers of an embedding are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncodingFormat {
    /// As a list of JSON numbers.
    Float,
    /// As the bytes of 32-bit floats, in base64.
    Base64,
}

impl EncodingFormat {
    /// Its name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Float => "float",
            Self::Base64 => "base64",
        }
    }
}

/// The texts of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ItemCounts {
    /// Texts to embed, or documents to rank.
    pub items: u32,
    /// Tokens of the query before them, where there is one.
    pub query_tokens: Option<u32>,
}

impl ItemCounts {
    /// Documents of a query where nobody says: what a first search stage hands on.
    pub(crate) const DOCUMENTS: u32 = 10;
    /// Tokens of a query where nobody says: a question of one sentence.
    pub(crate) const QUERY_TOKENS: u32 = 32;

    /// Texts of a request, the query among them.
    pub fn texts(self) -> u32 {
        self.items + u32::from(self.query_tokens.is_some())
    }
}

impl Plan {
    /// Answers are asked for as streams.
    pub fn streams(&self) -> bool {
        self.endpoint.generates() && !self.no_stream
    }

    /// The texts of each request; absent where requests hold a prompt.
    pub fn item_counts(&self) -> Option<ItemCounts> {
        match self.endpoint.api().input {
            Input::Messages | Input::Text => None,
            Input::Texts => Some(ItemCounts {
                items: self.batch_size.unwrap_or(1),
                query_tokens: None,
            }),
            Input::Query => Some(ItemCounts {
                items: self.documents.unwrap_or(ItemCounts::DOCUMENTS),
                query_tokens: Some(self.query_tokens.unwrap_or(ItemCounts::QUERY_TOKENS)),
            }),
        }
    }
}
