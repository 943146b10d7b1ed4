//! The table of columns, in the order of the file.
//!
//! Does not know types or encodings of the file. Invariant: `take` undoes `give`; for chunks, the
//! lane does.

mod answers;

use super::{Column, Kind, Lane, Null};
use infermeter_core::clock::Offset;
use infermeter_core::oddity::Oddities;
use infermeter_core::record::{Outcome, Reason, RequestError, StampSource, TokenSource};
use infermeter_core::request::Turn;
use infermeter_core::schedule::Phase;
use std::borrow::Cow;

const fn column(name: &'static str, null: Null, kind: Kind) -> Column {
    Column { name, null, kind }
}

/// An instant that may not exist.
macro_rules! instant {
    ($name:literal, $field:ident) => {
        column(
            $name,
            Null::Absent,
            Kind::Number {
                give: |r| r.$field.map(|at| at.0),
                take: |r, v| {
                    r.$field = Some(Offset(v));
                    Some(())
                },
            },
        )
    };
}

/// A number that may not exist.
macro_rules! optional_number {
    ($name:literal, $field:ident) => {
        column(
            $name,
            Null::Absent,
            Kind::Number {
                give: |r| r.$field.map(i64::from),
                take: |r, v| {
                    r.$field = Some(v.try_into().ok()?);
                    Some(())
                },
            },
        )
    };
}

/// A time by the server's own account.
macro_rules! server_time {
    ($name:literal, $field:ident) => {
        column(
            $name,
            Null::Absent,
            Kind::Number {
                give: |r| r.server_times.$field,
                take: |r, v| {
                    r.server_times.$field = Some(v);
                    Some(())
                },
            },
        )
    };
}

/// A number that every record has.
macro_rules! number {
    ($name:literal, $field:ident) => {
        column(
            $name,
            Null::Never,
            Kind::Number {
                give: |r| i64::try_from(r.$field).ok(),
                take: |r, v| {
                    r.$field = v.try_into().ok()?;
                    Some(())
                },
            },
        )
    };
}

/// An instant of every chunk.
macro_rules! chunk_instant {
    ($name:literal, $field:ident, $lane:expr) => {
        column(
            $name,
            Null::Never,
            Kind::ChunkNumber {
                give: |c| Some(c.$field.0),
                lane: $lane,
            },
        )
    };
}

/// All columns, in the order of the file.
pub(crate) const COLUMNS: [Column; 64] = [
    number!("id", id),
    column("class", Null::Never, Kind::Class),
    SESSION,
    TURN,
    column(
        "parent",
        Null::Absent,
        Kind::Number {
            give: |r| r.parent.and_then(|id| i64::try_from(id).ok()),
            take: |r, v| {
                r.parent = Some(v.try_into().ok()?);
                Some(())
            },
        },
    ),
    PHASE,
    instant!("planned_ns", planned),
    column(
        "intended_ns",
        Null::Never,
        Kind::Number {
            give: |r| Some(r.intended.0),
            take: |r, v| {
                r.intended = Offset(v);
                Some(())
            },
        },
    ),
    instant!("send_start_ns", send_start),
    instant!("connected_ns", connected),
    instant!("tls_done_ns", tls_done),
    instant!("sent_ns", sent),
    instant!("left_ns", left),
    instant!("first_byte_ns", first_byte),
    instant!("first_byte_seen_ns", first_byte_seen),
    instant!("finished_ns", finished),
    instant!("closed_ns", closed),
    OUTCOME,
    optional_number!("status", status),
    ERROR,
    ERROR_TEXT,
    FINISH_REASON,
    number!("requested_prompt_tokens", requested_prompt_tokens),
    number!("requested_output_tokens", requested_output_tokens),
    optional_number!("prompt_tokens", prompt_tokens),
    optional_number!("output_tokens", output_tokens),
    optional_number!("cached_tokens", cached_tokens),
    optional_number!("reasoning_tokens", reasoning_tokens),
    optional_number!("text_tokens", text_tokens),
    optional_number!("repeated_chunks", repeated_chunks),
    optional_number!("estimated_output_tokens", estimated_output_tokens),
    TOKEN_SOURCE,
    optional_number!("address", address),
    optional_number!("client", client),
    optional_number!("connection", connection),
    column(
        "new_connection",
        Null::Absent,
        Kind::Flag {
            give: |r| r.new_connection,
            take: |r, v| {
                r.new_connection = Some(v);
                Some(())
            },
        },
    ),
    number!("attempts", attempts),
    STAMP_SOURCE,
    ODDITIES,
    UNKNOWN_MEMBERS,
    ITEMS,
    DIMENSIONS,
    server_time!("server_queue_ns", queue_ns),
    server_time!("server_prefill_ns", prefill_ns),
    server_time!("server_decode_ns", decode_ns),
    server_time!("server_processing_ns", processing_ns),
    answers::DOUBTS,
    answers::CHARS,
    answers::SCRIPT,
    answers::TEXT_HASH,
    answers::PROMPT_HASH,
    answers::QUESTION,
    answers::QUESTION_ROW,
    answers::CORRECT,
    answers::REFERENCE_CHARS,
    answers::DIVERGED_AT,
    answers::MARGIN,
    answers::REPEAT_DIVERGED_AT,
    chunk_instant!("chunk_ns", at, Lane::At),
    chunk_instant!("chunk_seen_ns", seen, Lane::Seen),
    chunk_instant!("chunk_lower_ns", lower, Lane::Lower),
    CHUNK_TOKENS,
    CHUNK_KIND,
    column(
        "chunk_read",
        Null::Never,
        Kind::ChunkNumber {
            give: |c| Some(i64::from(c.read)),
            lane: Lane::Read,
        },
    ),
];

const SESSION: Column = column(
    "session",
    Null::Absent,
    Kind::Number {
        give: |r| r.turn.and_then(|turn| i64::try_from(turn.session).ok()),
        take: |r, v| {
            r.turn = Some(Turn {
                session: v.try_into().ok()?,
                number: 0,
            });
            Some(())
        },
    },
);

/// Comes after `session`, whose turn it is.
const TURN: Column = column(
    "turn",
    Null::Absent,
    Kind::Number {
        give: |r| r.turn.map(|turn| i64::from(turn.number)),
        take: |r, v| {
            r.turn.as_mut()?.number = v.try_into().ok()?;
            Some(())
        },
    },
);

const PHASE: Column = column(
    "phase",
    Null::Never,
    Kind::Text {
        give: |r| Some(r.phase.as_str().into()),
        take: |r, v| {
            let all = [Phase::Warmup, Phase::Measure, Phase::Drain];
            r.phase = all.into_iter().find(|p| p.as_str() == v)?;
            Some(())
        },
    },
);

const OUTCOME: Column = column(
    "outcome",
    Null::Never,
    Kind::Text {
        give: |r| Some(r.outcome.as_str().into()),
        take: |r, v| {
            r.outcome = Outcome::ALL.into_iter().find(|o| o.as_str() == v)?;
            Some(())
        },
    },
);

const ERROR: Column = column(
    "error",
    Null::Absent,
    Kind::Text {
        give: |r| r.error.as_ref().map(|e| e.reason.as_str().into()),
        take: |r, v| {
            r.error = Some(RequestError {
                reason: Reason::parse(v)?,
                text: String::new(),
            });
            Some(())
        },
    },
);

/// Comes after `error`, whose text it is.
const ERROR_TEXT: Column = column(
    "error_text",
    Null::Absent,
    Kind::Text {
        give: |r| r.error.as_ref().map(|e| e.text.as_str().into()),
        take: |r, v| {
            v.clone_into(&mut r.error.as_mut()?.text);
            Some(())
        },
    },
);

const FINISH_REASON: Column = column(
    "finish_reason",
    Null::Absent,
    Kind::Text {
        give: |r| r.finish_reason.as_deref().map(Cow::from),
        take: |r, v| {
            r.finish_reason = Some(v.to_owned());
            Some(())
        },
    },
);

const TOKEN_SOURCE: Column = column(
    "token_source",
    Null::Absent,
    Kind::Text {
        give: |r| r.token_source.map(|s| s.as_str().into()),
        take: |r, v| {
            r.token_source = Some(TokenSource::parse(v)?);
            Some(())
        },
    },
);

const STAMP_SOURCE: Column = column(
    "stamp_source",
    Null::Absent,
    Kind::Text {
        give: |r| r.stamp_source.map(|s| s.as_str().into()),
        take: |r, v| {
            r.stamp_source = Some(StampSource::ALL.into_iter().find(|s| s.as_str() == v)?);
            Some(())
        },
    },
);

const ODDITIES: Column = column(
    "oddities",
    Null::Absent,
    Kind::Text {
        give: |r| r.oddities.text().map(Cow::from),
        take: |r, v| {
            r.oddities = Oddities::parse(v)?;
            Some(())
        },
    },
);

const UNKNOWN_MEMBERS: Column = column(
    "unknown_members",
    Null::Absent,
    Kind::Text {
        give: |r| r.unknown_members.as_deref().map(Cow::from),
        take: |r, v| {
            r.unknown_members = Some(v.to_owned());
            Some(())
        },
    },
);

const ITEMS: Column = optional_number!("items", items);
const DIMENSIONS: Column = optional_number!("dimensions", dimensions);

const CHUNK_TOKENS: Column = column(
    "chunk_tokens",
    Null::Absent,
    Kind::ChunkNumber {
        give: |c| c.token_count().map(i64::from),
        lane: Lane::Tokens,
    },
);

const CHUNK_KIND: Column = column(
    "chunk_kind",
    Null::Never,
    Kind::ChunkText {
        give: |c| c.kind.as_str(),
        lane: Lane::Kind,
    },
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_those_of_the_format() {
        let names: Vec<&str> = COLUMNS.iter().map(|c| c.name).collect();
        assert_eq!(
            names.join(" "),
            "id class session turn parent phase planned_ns intended_ns send_start_ns connected_ns tls_done_ns sent_ns left_ns \
             first_byte_ns first_byte_seen_ns finished_ns closed_ns outcome status error error_text \
             finish_reason requested_prompt_tokens requested_output_tokens prompt_tokens \
             output_tokens cached_tokens reasoning_tokens text_tokens repeated_chunks estimated_output_tokens token_source address client connection \
             new_connection attempts stamp_source oddities unknown_members items dimensions server_queue_ns \
             server_prefill_ns server_decode_ns server_processing_ns \
             answer_doubts answer_chars answer_script answer_hash prompt_hash question question_row answer_correct reference_chars \
             reference_diverged_at reference_margin_mnat reference_repeat_diverged_at chunk_ns chunk_seen_ns chunk_lower_ns chunk_tokens chunk_kind \
             chunk_read"
        );
    }
}
