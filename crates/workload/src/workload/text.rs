//! What a request says: the slot it begins with, what it shares, and the rest.
//!
//! It draws no lengths. Invariant: a text depends on seed, salt and id alone, and on nothing but the
//! seed and the id behind its slot.

use super::Workload;
use super::questions::ask;
use super::source::{Source, entry};
use crate::blocks::{Segment, SegmentedPrompt, TextKey};
use crate::file::FileRequest;
use crate::prefix::Layout;
use crate::prompt_error::PromptError;
use crate::slot::SlotKey;
use crate::text_request::TextRequest;
use crate::texts::Dataset;
use infermeter_core::plan::PrefixMode;
use infermeter_core::request::{
    FollowUp, Message, Prompt, RequestContent, RequestId, RequestSpec, Role,
};
use infermeter_core::seed::splitmix64;
use std::sync::Arc;

/// Keeps the random streams of texts apart.
const TEXT_TAG: u64 = 0x7465_7874_7465_7874;
const BLOCKS_TAG: u64 = 0x626c_6f63_6b73_2e2e;
const BLOCKS_REST_TAG: u64 = 0x7461_696c_7461_696c;
const PREFIX_TAG: u64 = 0x7072_6566_6978_2d74;
const OWN_TAG: u64 = 0x6f77_6e2d_7465_7874;

impl Workload {
    /// Where the number in a request's slot comes from; `None` where it has no slot, or the same one
    /// in every run.
    pub(crate) fn slot_key(&self, spec: &RequestSpec) -> Option<SlotKey> {
        match &self.source {
            Source::File(file) => match entry(file, spec.id) {
                entry if entry.spec.id == spec.id => entry.slot,
                again => again.slot.map(|_| SlotKey::Own(spec.id)),
            },
            _ => {
                let salted = self.prefix != Some(PrefixMode::None);
                salted.then(|| self.own_key(spec.id))
            }
        }
    }

    /// The run's where prompts share their beginnings, else the request's own.
    pub(super) fn own_key(&self, id: RequestId) -> SlotKey {
        let shares = match &self.source {
            _ if self.prefixes.is_some() => true,
            _ if self.prefix == Some(PrefixMode::Bust) => false,
            Source::Rows(trace) => trace.blocks(id as usize).is_some(),
            Source::Texts(..) => true,
            Source::Sessions(sessions) => return sessions.slot_key(id),
            Source::Drawn(_) | Source::File(_) => false,
        };
        match &self.source {
            _ if shares => SlotKey::Run,
            // A conversation goes on sharing its history.
            Source::Texts(dataset, _) => {
                let turn = dataset.turn(id).map_or(0, |turn| turn.number);
                SlotKey::Own(id - u64::from(turn))
            }
            _ => SlotKey::Own(id),
        }
    }

    /// The words that a request's first message begins with; empty where it has no slot.
    pub fn slot(&self, spec: &RequestSpec) -> String {
        self.slot_key(spec).map_or_else(String::new, |key| {
            let number = key.number(self.salt);
            self.tokenizer.slot(number, self.text_tokens(spec))
        })
    }

    /// What a request says, its slot at the beginning of the first message: the prompt as the user's
    /// message; a system prompt before it where prompts share system prompts and the API has
    /// messages; the messages of its session so far. `answers` are the server's earlier ones in the
    /// session, where its words are to be the history; without them, and where one is empty, planned
    /// text of the length asked for stands there.
    ///
    /// # Errors
    /// Under a `tokenizer.json` that cannot meet the length, and when a workload file cannot be read
    /// any more.
    pub fn content(
        &self,
        spec: &RequestSpec,
        answers: &[Arc<str>],
    ) -> Result<RequestContent, PromptError> {
        if let Source::File(file) = &self.source {
            let mut content = file
                .content(entry(file, spec.id))
                .map_err(|e| PromptError::File(e.to_string()))?;
            if let Some(first) = content.first_text_mut() {
                first.insert_str(0, &self.slot(spec));
            }
            return Ok(content);
        }
        let question = self.question_of(spec);
        let filler = question.as_ref().map_or(spec, |(filler, _)| filler);
        let mut content = self.messages(filler, answers)?;
        if let Some(kinds) = &self.kinds {
            let way = usize::from(spec.class) % kinds.len();
            // The answer to a question has the form that the question asks for.
            if question.is_none() {
                kinds.add_form_to(&mut content, way);
            }
            kinds.add_to(&mut content, way, self.seed, spec.id);
        }
        if let Some((_, carried)) = &question {
            ask(&mut content, carried, self.shape());
        }
        Ok(content)
    }

    /// What it says beside what its kind adds.
    fn messages(
        &self,
        spec: &RequestSpec,
        answers: &[Arc<str>],
    ) -> Result<RequestContent, PromptError> {
        if let Some(counts) = self.items {
            return self.item_texts(counts, spec);
        }
        if let Source::Sessions(sessions) = &self.source {
            let slot = sessions.slot_key(spec.id).number(self.salt);
            return sessions.content(spec, &self.tokenizer, slot, answers);
        }
        if let Source::Texts(dataset, _) = &self.source {
            let request = self.texts(dataset, spec.id)?;
            return Ok(RequestContent::Prompt(Prompt {
                messages: request.messages,
                members: request.members,
            }));
        }
        if let Some(prefixes) = &self.prefixes
            && prefixes.is_system()
            && self.endpoint.has_messages()
        {
            let layout = prefixes.layout(spec.id, self.text_tokens(spec));
            return self.with_system_prompt(spec, &layout);
        }
        self.prompt(spec).map(RequestContent::of_prompt)
    }

    /// The shared beginning as a system message, and the rest as the user's, which begins with a
    /// number of its own and no salt.
    fn with_system_prompt(
        &self,
        spec: &RequestSpec,
        layout: &Layout,
    ) -> Result<RequestContent, PromptError> {
        let key = splitmix64(self.seed ^ OWN_TAG);
        let number = splitmix64(spec.id ^ key);
        let own = self
            .tokenizer
            .write(number, key, spec.id, layout.own_tokens)?;
        Ok(RequestContent::of_messages(vec![
            Message::new(Role::System, self.shared_text(layout)?),
            Message::new(Role::User, own),
        ]))
    }

    /// The request as a workload file has it, due at `at_ns`; `next` wait for its answer.
    ///
    /// # Errors
    /// As [`Workload::content`].
    pub fn file_request(
        &self,
        id: RequestId,
        at_ns: Option<i64>,
        next: Vec<FollowUp>,
    ) -> Result<FileRequest, PromptError> {
        let spec = self.spec(id);
        let mut content = self.content(&spec, &[])?;
        let slot = self.slot(&spec);
        if let Some(first) = content.first_text_mut()
            && first.starts_with(&slot)
        {
            first.drain(..slot.len());
        }
        Ok(FileRequest {
            spec,
            at_ns,
            next,
            slot: self.slot_key(&spec),
            content,
        })
    }

    /// The prompt of a request as one text of exactly `spec.prompt_tokens` tokens, the chat
    /// template's not among them where lengths count it. It begins with
    /// the request's own salt; where prompts share beginnings, it begins with the run's salt and
    /// what is shared.
    ///
    /// # Errors
    /// Under a `tokenizer.json` that cannot meet the length, and when a dataset's file has changed.
    pub fn prompt(&self, spec: &RequestSpec) -> Result<String, PromptError> {
        if let Source::File(_) | Source::Sessions(_) = &self.source {
            let content = self.content(spec, &[])?;
            return Ok(content.texts().join("\n"));
        }
        if let Source::Texts(dataset, _) = &self.source {
            return Ok(self.texts(dataset, spec.id)?.prompt());
        }
        let salt = self.own_key(spec.id).number(self.salt);
        if let Some(prefixes) = &self.prefixes {
            let layout = prefixes.layout(spec.id, self.text_tokens(spec));
            let prompt = SegmentedPrompt {
                salt,
                rest: TextKey {
                    key: splitmix64(self.seed ^ OWN_TAG),
                    number: spec.id,
                },
            };
            let shared = [self.shared_segment(&layout)];
            return self
                .tokenizer
                .write_segments(&prompt, || shared.into_iter(), layout.tokens());
        }
        if let Source::Rows(trace) = &self.source
            && self.prefix != Some(PrefixMode::Bust)
            && let Some(blocks) = trace.blocks(spec.id as usize)
        {
            let key = splitmix64(self.seed ^ BLOCKS_TAG);
            let prompt = SegmentedPrompt {
                salt,
                rest: TextKey {
                    key: splitmix64(key ^ BLOCKS_REST_TAG),
                    number: spec.id,
                },
            };
            let segments = || {
                blocks.ids().map(move |number| Segment {
                    text: TextKey { key, number },
                    pieces: blocks.tokens,
                })
            };
            return self
                .tokenizer
                .write_segments(&prompt, segments, self.text_tokens(spec));
        }
        let key = splitmix64(self.seed ^ TEXT_TAG);
        self.tokenizer
            .write(salt, key, spec.id, self.text_tokens(spec))
    }

    /// What a dataset says in request `id`: with the run's salt, so that requests go on sharing what
    /// they share in the file, or with one of its own.
    fn texts(&self, dataset: &Dataset, id: RequestId) -> Result<TextRequest, PromptError> {
        let number = self.own_key(id).number(self.salt);
        dataset
            .request(id, &self.tokenizer, number)
            .map_err(|error| PromptError::Text {
                message: error.to_string(),
            })
    }

    /// The text with this number of a dataset, where there is one.
    pub(super) fn dataset_text(&self, number: u64) -> Result<Option<String>, PromptError> {
        match &self.source {
            Source::Texts(dataset, _) => Ok(Some(self.texts(dataset, number)?.prompt())),
            _ => Ok(None),
        }
    }

    fn shared_segment(&self, layout: &Layout) -> Segment {
        Segment {
            text: TextKey {
                key: splitmix64(self.seed ^ PREFIX_TAG),
                number: layout.shared.number,
            },
            pieces: layout.shared.tokens,
        }
    }

    /// The shared beginning alone.
    fn shared_text(&self, layout: &Layout) -> Result<String, PromptError> {
        let segment = self.shared_segment(layout);
        let prompt = SegmentedPrompt {
            salt: SlotKey::Run.number(self.salt),
            rest: segment.text,
        };
        self.tokenizer
            .write_segments(&prompt, || [segment].into_iter(), layout.shared.tokens)
    }
}
