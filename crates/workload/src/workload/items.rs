//! Requests that hold several texts: batches to embed, and documents to rank for a query.
//!
//! Each text is as long as a prompt of the source, and different from all others. A request takes the texts
//! that follow those of the request before it: of a dataset the next ones in its order. A query is made up:
//! no source says how one belongs to its documents.
//!
//! Invariant: as for prompts, everything is a function of seed, salt and id.

use super::Workload;
use crate::prompt_error::PromptError;
use infermeter_core::plan::ItemCounts;
use infermeter_core::request::{Inputs, Query, RequestContent, RequestId, RequestSpec};
use infermeter_core::seed::splitmix64;

/// Keeps the random stream of texts apart from those of prompts.
const ITEM_TAG: u64 = 0x6974_656d_2d74_6578;
const QUERY_TAG: u64 = 0x7175_6572_792d_7478;

/// One text of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct ItemId {
    request: RequestId,
    each: u32,
    place: u32,
}

impl ItemId {
    /// Its number over all requests.
    pub fn number(self) -> u64 {
        let before = self.request.wrapping_mul(u64::from(self.each));
        before.wrapping_add(u64::from(self.place))
    }
}

impl Workload {
    /// The same requests, each with so many texts in the place of a prompt; none: with a prompt.
    #[must_use]
    pub fn with_items(mut self, counts: Option<ItemCounts>) -> Self {
        self.items = counts;
        self
    }

    fn item_ids(counts: ItemCounts, request: RequestId) -> impl Iterator<Item = ItemId> {
        let each = counts.items;
        (0..each).map(move |place| ItemId {
            request,
            each,
            place,
        })
    }

    /// What request `id` asks for by itself: of a request with several texts, of all of them together.
    pub(super) fn by_itself(&self, id: RequestId) -> RequestSpec {
        let Some(counts) = self.items else {
            return self.source.drawn(self.seed, id);
        };
        let class = self.first_drawn(counts, id).class;
        let tokens =
            Self::item_ids(counts, id).map(|item| self.source.item(self.seed, item, class).1);
        let query = counts.query_tokens.unwrap_or(0);
        RequestSpec {
            id,
            class,
            prompt_tokens: tokens.fold(query, u32::saturating_add),
            output_tokens: 0,
            turn: None,
            items: Some(counts.items),
        }
    }

    /// The draw of a request's first text, which says the class of them all.
    fn first_drawn(&self, counts: ItemCounts, id: RequestId) -> RequestSpec {
        let first = ItemId {
            request: id,
            each: counts.items,
            place: 0,
        };
        self.source.drawn(self.seed, first.number())
    }

    /// The texts of a request.
    pub(super) fn item_texts(
        &self,
        counts: ItemCounts,
        spec: &RequestSpec,
    ) -> Result<RequestContent, PromptError> {
        let like = self.stand_ins.get(&spec.id).copied().unwrap_or(spec.id);
        let class = self.first_drawn(counts, like).class;
        let own = Self::item_ids(counts, spec.id).zip(Self::item_ids(counts, like));
        let texts = own.map(|(item, like)| {
            let (_, tokens) = self.source.item(self.seed, like, class);
            self.item_text(item.number(), tokens)
        });
        let texts = texts.collect::<Result<Vec<_>, _>>()?;
        let members = Vec::new();
        let Some(tokens) = counts.query_tokens else {
            return Ok(RequestContent::Inputs(Inputs { texts, members }));
        };
        let key = splitmix64(self.seed ^ QUERY_TAG);
        let salt = self.item_salt(spec.id ^ key);
        Ok(RequestContent::Query(Query {
            query: self.tokenizer.write(salt, key, spec.id, tokens)?,
            documents: texts,
            members,
        }))
    }

    /// A text by its number over all requests.
    fn item_text(&self, number: u64, tokens: u32) -> Result<String, PromptError> {
        if let Some(text) = self.dataset_text(number)? {
            return Ok(text);
        }
        let key = splitmix64(self.seed ^ ITEM_TAG);
        let salt = self.item_salt(number);
        self.tokenizer.write(salt, key, number, tokens)
    }

    /// The number in the slot that a text begins with.
    fn item_salt(&self, number: u64) -> u64 {
        self.own_key(number).number(self.salt)
    }
}
