//! In which order field sets are tried: from the most telling to the most careful, and on with another
//! name for the answer's length where the server asks for it.
//!
//! It sends nothing. Invariant: no field set is tried twice, so the ladder ends.

use infermeter_client::dialect::Dialect;
use infermeter_client::encode::{Features, RequestShape};
use std::collections::VecDeque;

/// The field sets still to be tried.
#[derive(Debug)]
pub(super) struct Ladder {
    rungs: VecDeque<Features>,
    /// The answer's length may be asked for as `max_completion_tokens`, and has not been yet.
    may_rename: bool,
    /// A field set was refused for what it is.
    refused: bool,
    dialect: Dialect,
    stream: bool,
}

impl Ladder {
    pub(super) fn new(shape: &RequestShape) -> Self {
        let dialect = shape.dialect;
        let mut lengths = dialect.lengths().iter();
        // The template says which fields there are.
        let rungs = match shape.template {
            Some(_) => vec![Features::default()],
            None => dialect.rungs(shape.stream),
        };
        Self {
            rungs: rungs.into(),
            may_rename: shape.template.is_none()
                && dialect.renames_length()
                && !lengths.any(|name| shape.extra_body.contains_key(*name)),
            refused: false,
            dialect,
            stream: shape.stream,
        }
    }

    /// The next field set.
    pub(super) fn take(&mut self) -> Option<Features> {
        if self.rungs.is_empty() && self.may_rename && self.refused {
            // It may not say which field it is that it does not know.
            self.may_rename = false;
            let more = [self.dialect.careful(self.stream), Features::default()];
            self.rungs.extend(more.map(renamed));
            if !self.stream {
                self.rungs.truncate(1);
            }
        }
        self.rungs.pop_front()
    }

    /// The server refuses these fields, with these words: where they name the other field, it is
    /// used from here on, with the same others.
    pub(super) fn refused(&mut self, features: Features, said: &str) {
        self.refused = true;
        if self.may_rename && said.contains("max_completion_tokens") {
            self.may_rename = false;
            self.rungs.push_front(features);
            for rung in &mut self.rungs {
                *rung = renamed(*rung);
            }
        }
    }
}

fn renamed(features: Features) -> Features {
    Features {
        max_completion_tokens: true,
        ..features
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::name;

    fn ladder(stream: bool) -> Ladder {
        Ladder {
            rungs: Dialect::default().rungs(stream).into(),
            may_rename: true,
            refused: false,
            dialect: Dialect::default(),
            stream,
        }
    }

    /// What is tried when every set is refused with these words.
    fn tried(stream: bool, said: &str) -> Vec<String> {
        let mut ladder = ladder(stream);
        let mut names = Vec::new();
        while let Some(features) = ladder.take() {
            names.push(name(features));
            ladder.refused(features, said);
        }
        names
    }

    #[test]
    fn the_ladder_goes_down_to_plain_fields_and_then_renames() {
        let names = tried(true, "no");
        assert_eq!(names.len(), 7);
        assert_eq!(names[4], "plain fields");
        assert_eq!(names[5], "include_usage, max_completion_tokens");
        assert_eq!(names[6], "max_completion_tokens");
        assert_eq!(tried(false, "no").len(), 3);
    }

    #[test]
    fn a_server_that_names_the_other_field_gets_it_with_the_same_others() {
        let said = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.";
        let names = tried(true, said);
        assert_eq!(
            names[1],
            "ignore_eos, include_usage, continuous_usage_stats, max_completion_tokens"
        );
        assert_eq!(names.len(), 6);
        assert!(
            names[1..]
                .iter()
                .all(|n| n.ends_with("max_completion_tokens"))
        );
    }
}
