//! What requests ask their answers to be, read from the members of their bodies, each once.
//!
//! Invariant: what cannot be read asks for nothing.

use infermeter_answers::Form;
use infermeter_core::request::{BodyMember, RequestContent};
use std::collections::HashMap;

/// Forms kept: a load has a handful.
const MOST: usize = 256;

/// Forms by the members that ask for them.
#[derive(Debug, Default)]
pub(super) struct Forms(HashMap<String, Option<Form>>);

impl Forms {
    /// The form that a request asks for.
    pub(super) fn of(&mut self, content: &RequestContent) -> Option<&Form> {
        let members: Vec<&BodyMember> = content.members().iter().filter(|m| asks(m)).collect();
        if members.is_empty() {
            return None;
        }
        let texts = members.iter().flat_map(|m| [&*m.name, &*m.json]);
        let key = texts.collect::<Vec<_>>().join("\n");
        if !self.0.contains_key(&key) {
            if self.0.len() >= MOST {
                self.0.clear();
            }
            let forms = members.into_iter().filter_map(read);
            self.0.insert(key.clone(), forms.reduce(Form::and));
        }
        self.0.get(&key)?.as_ref()
    }
}

/// Members by which the APIs are asked for a form.
fn asks(member: &BodyMember) -> bool {
    matches!(
        &*member.name,
        "response_format"
            | "output_format"
            | "output_config"
            | "text"
            | "structured_outputs"
            | "guided_json"
            | "tools"
    )
}

fn read(member: &BodyMember) -> Option<Form> {
    let value = serde_json::from_str(&member.json).ok()?;
    Form::of_member(&member.name, &value).ok().flatten()
}
