//! What messages and responses have in common: requests hold members in the form of chat, and are written
//! in another.

use crate::encode::write::{push_member, push_name};
use infermeter_core::request::{BodyMember, Message};
use serde_json::Value;

/// A member of a message, read.
pub(super) fn member_of(message: &Message, name: &str) -> Option<Value> {
    let member = message.members.iter().find(|m| &*m.name == name)?;
    serde_json::from_str(&member.json).ok()
}

/// The calls of tools that a message holds, each as `own` writes it.
pub(super) fn calls_of(message: &Message, own: fn(&Value) -> Option<Value>) -> Vec<Value> {
    let calls = member_of(message, "tool_calls");
    let calls = calls.as_ref().and_then(Value::as_array);
    calls.into_iter().flatten().filter_map(own).collect()
}

/// A member under its name in this API.
pub(super) struct Renamed {
    pub(super) name: &'static str,
    pub(super) value: Value,
}

/// Appends a member of the body: as this API has it, or as it stands where that is no different.
pub(super) fn push_as(body: &mut Vec<u8>, member: &BodyMember, own: Option<Renamed>) {
    match own {
        None => push_member(body, member),
        Some(Renamed { name, value }) => {
            push_name(body, name);
            body.extend_from_slice(value.to_string().as_bytes());
        }
    }
}
