//! What requests look like, as far as it is known before the server was asked, and what of them is tried on it.

use crate::experiment::{Answers, BodySpec, FormSpec, RequestsSpec};
use anyhow::{Context, Result, anyhow, bail};
use infermeter_client::dialect::Dialect;
use infermeter_client::encode::{BodyTemplate, Headers, RequestShape};
use infermeter_core::plan::SamplingValue;
use infermeter_core::request::{BodyMember, RequestContent};
use infermeter_probe::features::Trial;
use infermeter_workload::Kinds;

/// Most texts of a request that is tried before the load: its answer is held as a whole.
const TRIED_ITEMS: u32 = 512;

/// The requests' form, as far as it is known before the server was asked.
pub(crate) fn shape(
    form: &FormSpec,
    headers: Headers,
    template: Option<BodyTemplate>,
) -> Result<RequestShape> {
    let stream = form.answers != Answers::Whole;
    let dialect = match form.places() {
        Some(places) => Dialect::pointed(form.endpoint, places.pointers()?),
        None => Dialect::of(form.endpoint),
    };
    let mut extra_body = form.members.clone();
    if let Some(encoding) = form.encoding {
        extra_body.insert("encoding_format".to_owned(), encoding.as_str().into());
    }
    Ok(RequestShape {
        dialect,
        model: String::new(),
        stream,
        features: dialect.careful(stream),
        headers,
        extra_body,
        session_header: form.session_header.clone(),
        path: form.path.clone(),
        template,
    })
}

/// The form of the bodies, where the user has written one.
///
/// # Errors
/// When the file cannot be read, is no template, or has no place for what requests carry.
pub fn template(requests: &RequestsSpec) -> Result<Option<BodyTemplate>> {
    let BodySpec::Template { file: path, .. } = &requests.form.body else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("--body-template {} cannot be read", path.display()))?;
    let template = BodyTemplate::parse(&text)
        .with_context(|| format!("--body-template {}", path.display()))?;
    if requests.carried.images.is_some() && !template.has_messages() {
        bail!(
            "--body-template {}: images come with {{{{messages}}}}, which it does not have",
            path.display()
        );
    }
    Ok(Some(template))
}

/// A request for each thing that the load's requests carry beside their text.
pub(super) fn trials(requests: &RequestsSpec) -> Result<Vec<Trial>> {
    const PROMPT: &str = "Count from one to four.";
    let mut trials = Vec::new();
    let input = requests.form.endpoint.api().input;
    // A server may have a limit of its own on what one request holds.
    let tried = 2..=TRIED_ITEMS;
    if let Some(counts) = requests.texts.items.filter(|c| tried.contains(&c.items)) {
        let flag = match counts.query_tokens {
            Some(_) => format!("--documents {}", counts.items),
            None => format!("--batch-size {}", counts.items),
        };
        let content = RequestContent::repeated(input, PROMPT, counts.items);
        trials.push(Trial { flag, content });
    }
    if !requests.form.sampling.is_empty() {
        let mut content = RequestContent::plain(input, PROMPT);
        let members = requests.form.sampling.iter().map(sampling);
        content.members_mut().extend(members);
        let flag = "--sampling".to_owned();
        trials.push(Trial { flag, content });
    }
    if let Some(kinds) = Kinds::of(&requests.carried)? {
        let all = kinds.trials(&requests.carried, input, PROMPT).into_iter();
        trials.extend(all.map(|(flag, content)| Trial { flag, content }));
    }
    Ok(trials)
}

fn sampling(sampling: &SamplingValue) -> BodyMember {
    BodyMember {
        name: sampling.name.as_str().into(),
        json: sampling.value.to_string().into(),
    }
}

/// The user's headers and the API key.
pub(crate) fn headers(form: &FormSpec, api_key: Option<&str>) -> Result<Headers> {
    let mut headers = Headers::default();
    for line in &form.headers {
        headers
            .push_line(line)
            .map_err(|e| anyhow!("--header: {e}"))?;
    }
    if let Some(key) = api_key {
        let (name, value) = Dialect::of(form.endpoint).key_header(key);
        if !headers.has(name) {
            let pushed = headers.push(name, &value);
            pushed.map_err(|e| anyhow!("API key: {e}"))?;
        }
    }
    Ok(headers)
}
