//! Kinds of requests: which requests carry a schema, tools or images, and which adapter they name.
//!
//! It makes no prompt's text and sends nothing. The only IO is reading the files that a plan names.
//!
//! Invariant: the kind and the adapter of a request are a function of the seed and its id, whatever
//! its class; each takes its own random number. Images that are not to be alike differ in every
//! request; they are part of the workload, and the salt does not change them.

mod carried;
mod error;
mod png;
mod tools;

pub use carried::{AnswerForm, Carried, ImagesAsked, ToolsAsked};
pub use error::KindsError;

use crate::identity::Identity;
use infermeter_core::base64::base64;
use infermeter_core::plan::{ImageSpec, Input, KindWeight, RequestKind};
use infermeter_core::request::{BodyMember, RequestContent};
use infermeter_core::seed::splitmix64;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

// Keep the draws apart from each other and from those of lengths and text.
const KIND_TAG: u64 = 0x6b69_6e64_6b69_6e64;
const ADAPTER_TAG: u64 = 0x6c6f_7261_6c6f_7261;
const IMAGE_TAG: u64 = 0x696d_6167_6569_6d67;

/// Longest file with a schema, a grammar or tools, bytes.
const MAX_DEFINITION: u64 = 1 << 20;
/// Largest image file, bytes.
const MAX_IMAGE: u64 = 20 << 20;

/// What requests carry beside their text.
#[derive(Debug, Clone)]
pub struct Kinds {
    /// With cumulated shares; a single one without mixture.
    variants: Vec<Variant>,
    /// Names with cumulated shares; empty: the run's model.
    adapters: Vec<(Arc<str>, f64)>,
    images: Images,
}

/// Requests that carry the same.
#[derive(Debug, Clone)]
struct Variant {
    /// What the class is called behind its own name; absent without mixture.
    name: Option<&'static str>,
    /// Share of this one and those before it.
    up_to: f64,
    members: Vec<BodyMember>,
    images: bool,
}

/// Where images come from.
#[derive(Debug, Clone)]
enum Images {
    None,
    Made(ImageSpec),
    Files(Vec<Arc<str>>),
}

impl Kinds {
    /// What is asked for; none where requests carry their text alone.
    ///
    /// # Errors
    /// When a file cannot be read or does not hold what it should, or the kinds do not fit what there
    /// is to carry.
    pub fn of(asked: &Carried) -> Result<Option<Self>, KindsError> {
        let format = asked.form.as_ref().map_or(Ok(Vec::new()), form)?;
        let tools = asked
            .tools
            .as_ref()
            .map_or(Ok(Vec::new()), tools::members)?;
        let images = images(asked.images.as_ref())?;
        let given = |kind: RequestKind| match kind {
            RequestKind::Plain => true,
            RequestKind::Schema => !format.is_empty(),
            RequestKind::Tools => !tools.is_empty(),
            RequestKind::Images => !matches!(images, Images::None),
        };
        check(&asked.kinds, given)?;
        if asked.kinds.is_empty() && asked.adapters.is_empty() {
            let nothing = RequestKind::ALL[1..].iter().all(|kind| !given(*kind));
            if nothing {
                return Ok(None);
            }
        }
        let has_images = given(RequestKind::Images);
        let members_of = |kind: RequestKind| match kind {
            RequestKind::Schema => format.clone(),
            RequestKind::Tools => tools.clone(),
            RequestKind::Plain | RequestKind::Images => Vec::new(),
        };
        let variants = if asked.kinds.is_empty() {
            vec![Variant {
                name: None,
                up_to: 1.0,
                members: [format, tools].concat(),
                images: has_images,
            }]
        } else {
            let shares = cumulated(asked.kinds.iter().map(|k| k.weight));
            let variant = |(kind, up_to): (&KindWeight, f64)| Variant {
                name: Some(kind.kind.as_str()),
                up_to,
                members: members_of(kind.kind),
                images: kind.kind == RequestKind::Images,
            };
            asked.kinds.iter().zip(shares).map(variant).collect()
        };
        let shares = cumulated(asked.adapters.iter().map(|a| a.weight));
        let names = asked.adapters.iter().map(|a| Arc::from(a.name.as_str()));
        Ok(Some(Self {
            variants,
            adapters: names.zip(shares).collect(),
            images,
        }))
    }

    /// Number of ways to carry something.
    pub(crate) fn len(&self) -> usize {
        self.variants.len() * self.adapters.len().max(1)
    }

    /// What the classes are called behind their own names, by way.
    pub(crate) fn suffixes(&self) -> Vec<String> {
        let mut suffixes = Vec::with_capacity(self.len());
        for variant in &self.variants {
            let kind = variant.name.map_or_else(String::new, |n| format!("/{n}"));
            if self.adapters.len() < 2 {
                suffixes.push(kind);
                continue;
            }
            let adapters = self.adapters.iter();
            suffixes.extend(adapters.map(|(adapter, _)| format!("{kind}@{adapter}")));
        }
        suffixes
    }

    /// Adds all that decides about what requests carry to a hash.
    pub(crate) fn identity(&self, mut identity: Identity) -> Identity {
        for variant in &self.variants {
            identity = identity
                .text(variant.name.unwrap_or_default())
                .number(variant.up_to.to_bits())
                .number(u64::from(variant.images));
            for member in &variant.members {
                identity = identity.text(&member.name).text(&member.json);
            }
        }
        for (adapter, up_to) in &self.adapters {
            identity = identity.text(adapter).number(up_to.to_bits());
        }
        match &self.images {
            Images::None => identity,
            Images::Made(spec) => identity.text(&spec.to_string()),
            Images::Files(urls) => urls.iter().fold(identity, |i, url| i.text(url)),
        }
    }

    /// The way of request `id`.
    pub(crate) fn draw(&self, seed: u64, id: u64) -> usize {
        let share = |tag: u64| {
            let bits = splitmix64(splitmix64(seed ^ tag).wrapping_add(splitmix64(id))) >> 11;
            bits as f64 / (1_u64 << 53) as f64
        };
        let kind = place(self.variants.iter().map(|v| v.up_to), share(KIND_TAG));
        let adapter = place(self.adapters.iter().map(|a| a.1), share(ADAPTER_TAG));
        kind * self.adapters.len().max(1) + adapter
    }

    /// Adds what decides about the form of the answer: a schema, tools.
    pub(crate) fn add_form_to(&self, content: &mut RequestContent, way: usize) {
        if let Some(variant) = self.variants.get(way / self.adapters.len().max(1)) {
            content
                .members_mut()
                .extend(variant.members.iter().cloned());
        }
    }

    /// Adds what else the way `way` carries to request `id`. Images are those of `key`.
    pub(crate) fn add_to(&self, content: &mut RequestContent, way: usize, key: u64, id: u64) {
        let ways = self.adapters.len().max(1);
        let Some(variant) = self.variants.get(way / ways) else {
            return;
        };
        if let Some((adapter, _)) = self.adapters.get(way % ways) {
            let model = member("model", &json!(&**adapter));
            content.members_mut().push(model);
        }
        if variant.images
            && let Some(message) = content.messages_mut().last_mut()
        {
            message.images.extend(self.images_of(key, id));
        }
    }

    fn images_of(&self, key: u64, id: u64) -> Vec<Arc<str>> {
        let key = splitmix64(key ^ IMAGE_TAG);
        let drawn = |n: u64| splitmix64(key.wrapping_add(splitmix64(id)).wrapping_add(n));
        match &self.images {
            Images::None => Vec::new(),
            Images::Files(urls) => vec![urls[(drawn(0) % urls.len() as u64) as usize].clone()],
            Images::Made(spec) => (0..u64::from(spec.count))
                .map(|n| {
                    let content = match spec.distinct {
                        None => drawn(n),
                        Some(distinct) => splitmix64(key ^ (drawn(n) % u64::from(distinct))),
                    };
                    let png = png::png(spec.width, spec.height, content);
                    Arc::from(format!("data:image/png;base64,{}", base64(&png)))
                })
                .collect(),
        }
    }

    /// What a server has to accept of what was `asked` for: each flag, as the user wrote it, and a
    /// request with the prompt `text` that carries it.
    pub fn trials(
        &self,
        asked: &Carried,
        input: Input,
        text: &str,
    ) -> Vec<(String, RequestContent)> {
        let mut trials = Vec::new();
        for (flag, kind) in &asked.flags() {
            let mut content = RequestContent::plain(input, text);
            let belongs = |name: &str| match kind {
                RequestKind::Schema => matches!(name, "response_format" | "structured_outputs"),
                _ => name.starts_with("tool"),
            };
            let all = self.variants.iter().flat_map(|v| &v.members);
            for own in all.filter(|m| *kind != RequestKind::Images && belongs(&m.name)) {
                if !content.members().contains(own) {
                    content.members_mut().push(own.clone());
                }
            }
            if *kind == RequestKind::Images
                && let Some(message) = content.messages_mut().last_mut()
            {
                message.images = self.images_of(0, 0);
            }
            trials.push(((*flag).to_owned(), content));
        }
        for (adapter, _) in &self.adapters {
            let mut content = RequestContent::plain(input, text);
            let model = member("model", &json!(&**adapter));
            content.members_mut().push(model);
            trials.push((format!("--lora {adapter}"), content));
        }
        trials
    }
}

/// Each kind once, each with what it needs, and nothing that no kind uses.
fn check(kinds: &[KindWeight], given: impl Fn(RequestKind) -> bool) -> Result<(), KindsError> {
    for (i, kind) in kinds.iter().enumerate() {
        if kinds[..i].iter().any(|other| other.kind == kind.kind) {
            return Err(KindsError::Twice(kind.kind.as_str()));
        }
        if !given(kind.kind) {
            return Err(KindsError::Missing {
                kind: kind.kind.as_str(),
                flags: flags_of(kind.kind),
            });
        }
    }
    for kind in &RequestKind::ALL[1..] {
        let used = kinds.is_empty() || kinds.iter().any(|k| k.kind == *kind);
        if given(*kind) && !used {
            return Err(KindsError::Unused {
                kind: kind.as_str(),
                flags: flags_of(*kind),
            });
        }
    }
    Ok(())
}

fn flags_of(kind: RequestKind) -> &'static str {
    match kind {
        RequestKind::Plain => "nothing",
        RequestKind::Schema => "--schema FILE, --regex or --grammar FILE",
        RequestKind::Tools => "--tools FILE or --tools N",
        RequestKind::Images => "--images COUNT@WIDTHxHEIGHT or --image FILE",
    }
}

fn cumulated(weights: impl Iterator<Item = f64> + Clone) -> Vec<f64> {
    let whole: f64 = weights.clone().sum();
    let mut sum = 0.0;
    let add = |weight: f64| {
        sum += weight;
        sum / whole
    };
    weights.map(add).collect()
}

/// The first place whose cumulated share is above `share`, the last at most; 0 of none.
fn place(up_to: impl ExactSizeIterator<Item = f64>, share: f64) -> usize {
    let last = up_to.len().saturating_sub(1);
    up_to.take_while(|up_to| *up_to <= share).count().min(last)
}

fn member(name: &str, value: &Value) -> BodyMember {
    BodyMember {
        name: name.into(),
        json: value.to_string().into(),
    }
}

/// `response_format` for a schema, vLLM's `structured_outputs` for the other forms.
fn form(asked: &AnswerForm) -> Result<Vec<BodyMember>, KindsError> {
    let (name, value) = match asked {
        AnswerForm::Schema(path) => {
            let schema = json_file("--schema", path)?;
            if !schema.is_object() {
                return Err(KindsError::holds(
                    "--schema",
                    path,
                    "no JSON object: write a JSON schema",
                ));
            }
            let named = json!({"name": "answer", "schema": schema, "strict": true});
            let format = json!({"type": "json_schema", "json_schema": named});
            ("response_format", format)
        }
        AnswerForm::Regex(regex) => ("structured_outputs", json!({"regex": regex})),
        AnswerForm::Grammar(path) => {
            let grammar = text_file("--grammar", path)?;
            ("structured_outputs", json!({"grammar": grammar}))
        }
    };
    Ok(vec![member(name, &value)])
}

fn images(asked: Option<&ImagesAsked>) -> Result<Images, KindsError> {
    match asked {
        None => Ok(Images::None),
        Some(ImagesAsked::Made(spec)) => Ok(Images::Made(*spec)),
        Some(ImagesAsked::Files(files)) => {
            let urls = files.iter().map(|path| image_file(path));
            Ok(Images::Files(urls.collect::<Result<_, _>>()?))
        }
    }
}

fn bytes_of(flag: &'static str, path: &Path, most: u64) -> Result<Vec<u8>, KindsError> {
    let read = || {
        let size = std::fs::metadata(path)?.len();
        Ok((size <= most).then_some(std::fs::read(path)?))
    };
    read()
        .map_err(|source: std::io::Error| KindsError::Read {
            flag,
            path: path.to_owned(),
            source,
        })?
        .ok_or_else(|| KindsError::holds(flag, path, &format!("more than {most} bytes")))
}

fn text_file(flag: &'static str, path: &Path) -> Result<String, KindsError> {
    let bytes = bytes_of(flag, path, MAX_DEFINITION)?;
    match String::from_utf8(bytes) {
        Ok(text) if !text.trim().is_empty() => Ok(text),
        Ok(_) => Err(KindsError::holds(flag, path, "nothing")),
        Err(_) => Err(KindsError::holds(flag, path, "no UTF-8 text")),
    }
}

fn json_file(flag: &'static str, path: &Path) -> Result<Value, KindsError> {
    let text = text_file(flag, path)?;
    serde_json::from_str(&text)
        .map_err(|error| KindsError::holds(flag, path, &format!("no JSON: {error}")))
}

/// An image as a `data:` URL.
fn image_file(path: &Path) -> Result<Arc<str>, KindsError> {
    let bytes = bytes_of("--image", path, MAX_IMAGE)?;
    let kind = match bytes.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => "png",
        [0xff, 0xd8, 0xff, ..] => "jpeg",
        [b'G', b'I', b'F', b'8', ..] => "gif",
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => "webp",
        _ => {
            let what = "no PNG, JPEG, GIF or WebP image";
            return Err(KindsError::holds("--image", path, what));
        }
    };
    Ok(format!("data:image/{kind};base64,{}", base64(&bytes)).into())
}

#[cfg(test)]
mod tests;
