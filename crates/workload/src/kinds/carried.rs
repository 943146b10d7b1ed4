//! What requests are asked to carry beside their text, as a plan says it.
//!
//! No file is read here. Invariant: what excludes each other in a plan cannot both be written here.

use super::error::KindsError;
use infermeter_core::plan::{AdapterWeight, ImageSpec, KindWeight, Plan, RequestKind};
use serde::Serialize;
use std::path::PathBuf;

/// What requests are asked to carry.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Carried {
    /// Kinds of requests by weight; empty: each carries all of the rest.
    pub kinds: Vec<KindWeight>,
    /// The form of the answers.
    pub form: Option<AnswerForm>,
    /// Tools that the model may call.
    pub tools: Option<ToolsAsked>,
    /// Images beside the text.
    pub images: Option<ImagesAsked>,
    /// Adapters by weight; empty: the model itself.
    pub adapters: Vec<AdapterWeight>,
}

/// The form that an answer has to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerForm {
    /// JSON by the schema of a file.
    Schema(PathBuf),
    /// What a regular expression matches.
    Regex(String),
    /// What the grammar of a file makes.
    Grammar(PathBuf),
}

/// Tools that a model may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ToolsAsked {
    /// A file, or a number of made-up ones.
    pub what: String,
    /// Which of them is to be called.
    pub choice: Option<String>,
}

/// Images beside a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImagesAsked {
    /// Made up.
    Made(ImageSpec),
    /// Those of files.
    Files(Vec<PathBuf>),
}

impl Carried {
    /// What a plan asks for.
    ///
    /// # Errors
    /// Where keys exclude each other, or need another one.
    pub fn of_plan(plan: &Plan) -> Result<Self, KindsError> {
        Ok(Self {
            kinds: plan.kind.clone(),
            form: form(plan)?,
            tools: tools(plan)?,
            images: images(plan)?,
            adapters: plan.lora.clone(),
        })
    }

    /// The flags of what a server may refuse, and the kind of request that carries it.
    pub(super) fn flags(&self) -> Vec<(&'static str, RequestKind)> {
        let form = self.form.as_ref().map(|form| match form {
            AnswerForm::Schema(_) => "--schema",
            AnswerForm::Regex(_) => "--regex",
            AnswerForm::Grammar(_) => "--grammar",
        });
        let tools = self.tools.as_ref().map(|_| "--tools");
        let images = self.images.as_ref().map(|images| match images {
            ImagesAsked::Made(_) => "--images",
            ImagesAsked::Files(_) => "--image",
        });
        let all = [
            form.map(|flag| (flag, RequestKind::Schema)),
            tools.map(|flag| (flag, RequestKind::Tools)),
            images.map(|flag| (flag, RequestKind::Images)),
        ];
        all.into_iter().flatten().collect()
    }
}

fn form(plan: &Plan) -> Result<Option<AnswerForm>, KindsError> {
    let given = [
        plan.schema.clone().map(AnswerForm::Schema),
        plan.regex.clone().map(AnswerForm::Regex),
        plan.grammar.clone().map(AnswerForm::Grammar),
    ];
    let mut given = given.into_iter().flatten();
    let form = given.next();
    match given.next() {
        Some(_) => Err(KindsError::TwoFormats),
        None => Ok(form),
    }
}

fn tools(plan: &Plan) -> Result<Option<ToolsAsked>, KindsError> {
    match (&plan.tools, &plan.tool_choice) {
        (None, Some(_)) => Err(KindsError::ToolChoice("needs --tools".to_owned())),
        (None, None) => Ok(None),
        (Some(what), choice) => Ok(Some(ToolsAsked {
            what: what.clone(),
            choice: choice.clone(),
        })),
    }
}

fn images(plan: &Plan) -> Result<Option<ImagesAsked>, KindsError> {
    match (plan.images, plan.image.as_slice()) {
        (None, []) => Ok(None),
        (Some(spec), []) => Ok(Some(ImagesAsked::Made(spec))),
        (None, files) => Ok(Some(ImagesAsked::Files(files.to_vec()))),
        (Some(_), _) => Err(KindsError::TwoImages),
    }
}
