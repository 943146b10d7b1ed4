//! One line of a workload file: a request as JSON.
//!
//! It does not read files. Invariant: members stand in one order, and what does not exist is left
//! away, so that equal requests are equal bytes.

use crate::slot::SlotKey;
use infermeter_core::clock::Offset;
use infermeter_core::request::{
    BodyMember, FollowUp, Message, Prompt, RequestContent, RequestSpec, Role, Turn,
};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// One request of a workload file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRequest {
    /// Lengths, class and place in a session.
    pub spec: RequestSpec,
    /// Nanoseconds after the first request; absent where requests have no instants, and for one that
    /// waits for another.
    pub at_ns: Option<i64>,
    /// The requests that wait for this one's answer.
    pub next: Vec<FollowUp>,
    /// Where the number in its slot comes from; absent without a slot.
    pub slot: Option<SlotKey>,
    /// What it says, without the slot.
    pub content: RequestContent,
}

/// A line as it is written. `M` are the messages, `B` the members of the body.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line<'a, M, B> {
    pub id: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ns: Option<i64>,
    #[serde(borrow)]
    pub class: Cow<'a, str>,
    pub prompt_tokens: u32,
    pub output_tokens: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<Next>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<SlotKey>,
    pub messages: M,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub body: Option<B>,
}

/// A line whose text is passed over.
pub(crate) type IndexLine<'a> = Line<'a, IgnoredAny, IgnoredAny>;

/// A line with its text.
pub(crate) type FullLine<'a> = Line<'a, Vec<MessageLine<'a>>, BTreeMap<String, Box<RawValue>>>;

/// The request that waits.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Next {
    pub id: u64,
    pub delay_ns: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ns: Option<i64>,
}

/// A message.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageLine<'a> {
    pub role: Role,
    #[serde(borrow)]
    pub content: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, Box<RawValue>>,
}

impl<'a, M, B> Line<'a, M, B> {
    /// The spec, its class by index.
    pub fn spec(&self, class: u16) -> RequestSpec {
        let turn = self.session.map(|session| Turn {
            session,
            number: self.turn.unwrap_or(0),
        });
        RequestSpec {
            id: self.id,
            class,
            prompt_tokens: self.prompt_tokens,
            output_tokens: self.output_tokens,
            turn,
            items: None,
        }
    }

    /// The requests that wait for this one.
    pub fn follow_ups(&self) -> Vec<FollowUp> {
        let follow_up = |next: &Next| FollowUp {
            id: next.id,
            delay_ns: next.delay_ns,
            planned: next.at_ns.map(Offset),
            further: 0,
        };
        self.next.iter().map(follow_up).collect()
    }
}

impl<'a> FullLine<'a> {
    /// The line of a request whose class has this name.
    pub fn of(request: &'a FileRequest, class: &'a str) -> Result<Self, String> {
        let spec = &request.spec;
        let message = |message: &'a Message| {
            Ok::<_, String>(MessageLine {
                role: message.role,
                content: Cow::Borrowed(&message.text),
                images: message.images.iter().map(|url| url.to_string()).collect(),
                members: raw_members(&message.members)?,
            })
        };
        let messages = request.content.messages().iter().map(message);
        let messages = messages.collect::<Result<Vec<_>, _>>()?;
        let next = |next: &FollowUp| Next {
            id: next.id,
            delay_ns: next.delay_ns,
            at_ns: next.planned.map(|at| at.0),
        };
        let body = raw_members(request.content.members())?;
        Ok(Self {
            id: spec.id,
            at_ns: request.at_ns,
            class: Cow::Borrowed(class),
            prompt_tokens: spec.prompt_tokens,
            output_tokens: spec.output_tokens,
            session: spec.turn.map(|turn| turn.session),
            turn: spec.turn.map(|turn| turn.number),
            next: request.next.iter().map(next).collect(),
            salt: request.slot,
            messages,
            body: (!body.is_empty()).then_some(body),
        })
    }

    /// What the request says, without its slot.
    pub fn content(self) -> RequestContent {
        let member = |(name, json): (String, Box<RawValue>)| BodyMember {
            name: name.into(),
            json: json.get().into(),
        };
        let message = |line: MessageLine<'_>| Message {
            role: line.role,
            text: line.content.into_owned(),
            images: line.images.into_iter().map(Into::into).collect(),
            members: line.members.into_iter().map(member).collect(),
        };
        RequestContent::Prompt(Prompt {
            messages: self.messages.into_iter().map(message).collect(),
            members: self.body.into_iter().flatten().map(member).collect(),
        })
    }
}

fn raw_members(members: &[BodyMember]) -> Result<BTreeMap<String, Box<RawValue>>, String> {
    let raw = |member: &BodyMember| {
        let value = RawValue::from_string(member.json.to_string());
        let value = value.map_err(|e| format!("the member {} is not JSON: {e}", member.name))?;
        Ok((member.name.to_string(), value))
    };
    members.iter().map(raw).collect()
}
