//! The APIs that can be spoken: their names, and what is to be known of each without knowing its bytes.
//!
//! It does not say how requests and answers are written: that is the client's dialect of each, and the
//! simulator's. Invariant: nothing but this list, the dialects and the simulator tells one API from
//! another; everyone else asks for what an API can do.

use serde::{Deserialize, Serialize};

/// The API spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Endpoint {
    /// `/v1/chat/completions`.
    Chat,
    /// `/v1/completions`.
    Completions,
    /// `/v1/messages`.
    Messages,
    /// `/v1/responses`.
    Responses,
    /// `/v1/embeddings`.
    Embeddings,
    /// `/v1/rerank`.
    Rerank,
}

/// What a request of an API holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Messages with roles, which the server puts into the model's chat template.
    Messages,
    /// One text, as it is.
    Text,
    /// Texts to embed, one or several.
    Texts,
    /// A query, and documents to rank for it.
    Query,
}

impl Input {
    /// What a request holds several of, in the plural; absent where it holds one prompt.
    pub fn items(self) -> Option<&'static str> {
        match self {
            Self::Messages | Self::Text => None,
            Self::Texts => Some("inputs"),
            Self::Query => Some("documents"),
        }
    }
}

/// What an answer of an API holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Tokens that a model generates one after the other: they have a first one and gaps between.
    Tokens,
    /// Numbers: nothing is generated, so that no token comes back.
    Numbers,
}

/// Which members of a dataset's requests an API takes as they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Members {
    /// Those of chat completions.
    #[default]
    Chat,
    /// Those of completions.
    Completions,
    /// None of them.
    Other,
}

/// What is to be known of an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api {
    /// Its name as people write it.
    pub name: &'static str,
    /// Path below the target's base.
    pub path: &'static str,
    /// Where else servers have it, in the order in which they are tried.
    pub other_paths: &'static [&'static str],
    /// What its requests hold.
    pub input: Input,
    /// What its answers hold.
    pub output: Output,
    /// What it takes of a dataset's requests beside their texts.
    pub members: Members,
    /// Requests may bind their answers to a schema, a regular expression or a grammar.
    pub formats: bool,
}

const CHAT: Api = Api {
    name: "chat completions",
    path: "/v1/chat/completions",
    other_paths: &[],
    input: Input::Messages,
    output: Output::Tokens,
    members: Members::Chat,
    formats: true,
};

const COMPLETIONS: Api = Api {
    name: "completions",
    path: "/v1/completions",
    other_paths: &[],
    input: Input::Text,
    output: Output::Tokens,
    members: Members::Completions,
    formats: true,
};

const MESSAGES: Api = Api {
    name: "Anthropic Messages",
    path: "/v1/messages",
    other_paths: &[],
    input: Input::Messages,
    output: Output::Tokens,
    members: Members::Other,
    formats: false,
};

const RESPONSES: Api = Api {
    name: "OpenAI Responses",
    path: "/v1/responses",
    other_paths: &[],
    input: Input::Messages,
    output: Output::Tokens,
    members: Members::Other,
    formats: true,
};

const EMBEDDINGS: Api = Api {
    name: "embeddings",
    path: "/v1/embeddings",
    other_paths: &[],
    input: Input::Texts,
    output: Output::Numbers,
    members: Members::Other,
    formats: false,
};

const RERANK: Api = Api {
    name: "rerank",
    path: "/v1/rerank",
    other_paths: &["/rerank", "/v2/rerank"],
    input: Input::Query,
    output: Output::Numbers,
    members: Members::Other,
    formats: false,
};

impl Endpoint {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Chat,
        Self::Completions,
        Self::Messages,
        Self::Responses,
        Self::Embeddings,
        Self::Rerank,
    ];

    /// What is to be known of it.
    pub fn api(self) -> &'static Api {
        match self {
            Self::Chat => &CHAT,
            Self::Completions => &COMPLETIONS,
            Self::Messages => &MESSAGES,
            Self::Responses => &RESPONSES,
            Self::Embeddings => &EMBEDDINGS,
            Self::Rerank => &RERANK,
        }
    }

    /// Its requests hold messages with roles, for which the server has a template.
    pub fn has_messages(self) -> bool {
        self.api().input == Input::Messages
    }

    /// Its answers are generated token by token.
    pub fn generates(self) -> bool {
        self.api().output == Output::Tokens
    }
}
