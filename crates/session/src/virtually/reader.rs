//! What the simulator makes of a load's requests: by their bodies, as they would go over a socket, where what
//! they say matters, else by their lengths.
//!
//! Prompts are only made where they may share something: that takes most of the time of a virtual run.
//! Invariant: both ways give the same prompt tokens for the same request.

use crate::experiment::{Answers, Experiment, Probing, TextSource};
use crate::found::form;
use crate::load::Load;
use anyhow::{Context, Result, bail};
use infermeter_client::encode::{Features, Headers, RequestEncoder, RequestShape, Target};
use infermeter_core::plan::PrefixMode;
use infermeter_core::request::{RequestContent, RequestSpec};
use infermeter_mock::engine::SequenceId;
use infermeter_mock::virtual_time::{Intake, Patience, Taken};
use infermeter_mock::{Config, IgnoreEos};

/// Any: nothing is sent there.
const NOWHERE: &str = "http://127.0.0.1:1";

/// Reads the requests of a load.
pub(super) struct Reader<'a> {
    experiment: &'a Experiment,
    load: &'a Load,
    intake: Intake,
    encoder: RequestEncoder,
    /// Fields of the requests.
    pub features: Features,
    /// Usage tells what was found in the prefix cache.
    pub tells_cached: bool,
    /// Tokens that a prompt has beside its own; absent: prompts are read one by one.
    added: Option<i64>,
}

impl<'a> Reader<'a> {
    /// Reads for a simulator.
    ///
    /// # Errors
    /// Where virtual time cannot have what the load or the simulator asks for.
    pub fn new(experiment: &'a Experiment, load: &'a Load, config: Config) -> Result<Self> {
        let requests = &experiment.requests;
        if !requests.form.endpoint.generates() {
            bail!(
                "virtual time answers with tokens, and --endpoint {} has none: measure it on a simulator \
                 that is started",
                requests.form.endpoint.api().name
            );
        }
        if requests.texts.has_live_history() {
            bail!(
                "virtual time has no words: --sessions history=live needs those of a simulator that is started"
            );
        }
        let honours = config.ignore_eos == IgnoreEos::Honoured;
        let model = config.model_name().to_owned();
        let tells_cached = config.prompt_tokens_details;
        let intake = Intake::new(config, patience(experiment)).context("target")?;
        let intake = match requests.keeps_answers {
            true => intake.with_texts(),
            false => intake,
        };
        let Writing { encoder, features } = Writing::of(experiment, &intake, model)?;
        let mut reader = Self {
            encoder,
            features,
            tells_cached,
            experiment,
            load,
            intake,
            added: None,
        };
        let has_own_end = !honours || !features.ignore_eos;
        if !has_own_end && !says_something(experiment, load) && !reader.intake.needs_bodies() {
            let spec = load.workload.spec(0);
            let body = reader.body(&spec)?;
            let tokens = reader.intake.measured(requests.form.endpoint, &body);
            reader.added = tokens.map(|tokens| i64::from(tokens) - i64::from(spec.prompt_tokens));
        }
        Ok(reader)
    }

    /// What the simulator makes of a request that arrives at `at_ns`, where so many others are there.
    ///
    /// # Errors
    /// Where its prompt cannot be made.
    pub fn take(&mut self, spec: &RequestSpec, at_ns: i64, there: usize) -> Result<Taken> {
        self.intake.note_there(there as u32);
        let id = SequenceId(spec.id);
        let Some(added) = self.added else {
            let body = self.body(spec)?;
            let endpoint = self.experiment.requests.form.endpoint;
            return Ok(self.intake.take(id, endpoint, &body, at_ns));
        };
        let prompt = (i64::from(spec.prompt_tokens) + added).max(1) as u32;
        let output = spec.output_tokens;
        Ok(self.intake.take_lengths(id, prompt, output, at_ns))
    }

    fn body(&self, spec: &RequestSpec) -> Result<Vec<u8>> {
        let content = self.load.workload.content(spec, &[])?;
        Ok(body_of(&self.encoder, spec, &content))
    }
}

/// What the requests say decides about more than their lengths.
fn says_something(experiment: &Experiment, load: &Load) -> bool {
    let requests = &experiment.requests;
    let made = matches!(
        requests.texts.source,
        TextSource::Made { .. } | TextSource::Clients
    );
    let plain = requests.carried == Default::default() && !requests.has_template();
    let alone = !load.has_sessions() && !requests.texts.shares();
    let salted = requests.texts.prefix != Some(PrefixMode::None);
    !(made && plain && alone && salted)
}

fn patience(experiment: &Experiment) -> Patience {
    let client = &experiment.client;
    let first = match experiment.requests.form.answers {
        Answers::Stream { first_token } => first_token,
        Answers::Whole => None,
    };
    Patience {
        whole_ns: client.timeout.ns(),
        first_ns: first.map(|time| time.ns()),
        idle_ns: client.idle_timeout.map(|time| time.ns()),
    }
}

/// Writes requests, with the fields that a probe would find.
struct Writing {
    encoder: RequestEncoder,
    features: Features,
}

impl Writing {
    fn of(experiment: &Experiment, intake: &Intake, model: String) -> Result<Self> {
        let requests = &experiment.requests;
        let target = Target::parse(NOWHERE).context("an address")?;
        let template = form::template(requests)?;
        let shape = RequestShape {
            model,
            ..form::shape(&requests.form, Headers::default(), template)?
        };
        let with = |features| Self {
            encoder: RequestEncoder::new(
                &target,
                &RequestShape {
                    features,
                    ..shape.clone()
                },
            ),
            features,
        };
        let tried = match experiment.target.probing {
            Probing::Never => Vec::new(),
            Probing::Fields { .. } => shape.dialect.rungs(shape.stream),
        };
        let endpoint = requests.form.endpoint;
        let spec = RequestSpec::alone(0, 1, 1);
        let content = RequestContent::plain(endpoint.api().input, "Count.");
        let is_accepted = |writing: &Self| {
            let body = body_of(&writing.encoder, &spec, &content);
            intake.measured(endpoint, &body).is_some()
        };
        let accepted = tried.into_iter().map(with).find(is_accepted);
        Ok(accepted.unwrap_or_else(|| with(shape.features)))
    }
}

/// The body of a request: what stands behind its head.
fn body_of(encoder: &RequestEncoder, spec: &RequestSpec, content: &RequestContent) -> Vec<u8> {
    const BLANK: &[u8] = b"\r\n\r\n";
    let mut request = encoder.encode("virtual", spec, content);
    let head = request.windows(BLANK.len()).position(|four| four == BLANK);
    request.split_off(head.map_or(0, |head| head + BLANK.len()))
}
