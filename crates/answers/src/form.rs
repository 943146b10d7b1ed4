//! What a request asks its answer to be: JSON, JSON of a schema, calls of tools.
//!
//! A form is read once from the members of a request's body and then used for many answers. Nothing is fetched: a schema
//! that refers to another place is refused. Invariant: to judge an answer takes time in proportion to its length, since
//! patterns are matched without going back.

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

/// Tools of one request that are read at most.
const MOST_TOOLS: usize = 1_024;

/// What an answer was asked to be.
#[derive(Debug, Clone, Default)]
pub struct Form {
    /// What its text has to be, where it is to be JSON.
    pub(crate) text: Option<Shape>,
    /// Which tools it may call, where there are any.
    pub(crate) tools: Option<Vec<Tool>>,
}

/// JSON as it has to be.
#[derive(Debug, Clone)]
pub(crate) enum Shape {
    /// Any object or list.
    Any,
    /// What a schema allows.
    Schema(Box<Validator>),
}

/// A tool that a request gives.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    pub name: String,
    pub arguments: Shape,
}

/// Why a form cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// The schema cannot be used; why, in words.
    #[error(
        "answers are not judged by this schema: {0}; give one without references to other places and without look-around \
         in patterns"
    )]
    Schema(String),
    /// The tools are not a list of objects with names.
    #[error("tools are not a list of objects, each with a `name`")]
    Tools,
}

impl Form {
    /// Any JSON.
    pub fn json() -> Self {
        Self {
            text: Some(Shape::Any),
            tools: None,
        }
    }

    /// JSON that a schema allows.
    ///
    /// # Errors
    /// A schema that is none, that refers to another place, or whose patterns need look-around.
    pub fn schema(schema: &Value) -> Result<Self, FormError> {
        Ok(Self {
            text: Some(Shape::schema(schema)?),
            tools: None,
        })
    }

    /// Calls of these tools, as chat, Messages and Responses give them: objects with `name` and `parameters` or
    /// `input_schema`, or such an object as `function`.
    ///
    /// # Errors
    /// What is no list of tools, and schemas as for [`Form::schema`].
    pub fn tools(tools: &Value) -> Result<Self, FormError> {
        let tools = tools.as_array().ok_or(FormError::Tools)?;
        let named = tools
            .iter()
            .take(MOST_TOOLS)
            .filter(|tool| !is_of_server(tool));
        Ok(Self {
            text: None,
            tools: Some(named.map(Tool::of).collect::<Result<_, _>>()?),
        })
    }

    /// What a member of a request's body asks for; `None` where it asks for no form.
    ///
    /// # Errors
    /// As for [`Form::schema`] and [`Form::tools`].
    pub fn of_member(name: &str, value: &Value) -> Result<Option<Self>, FormError> {
        match name {
            "tools" => Self::tools(value).map(Some),
            "response_format" | "output_format" => Self::of_format(value),
            "text" | "output_config" => value.get("format").map_or(Ok(None), Self::of_format),
            "structured_outputs" => value.get("json").map(Self::of_schema).transpose(),
            "guided_json" => Self::of_schema(value).map(Some),
            _ => Ok(None),
        }
    }

    /// `{"type": "json_schema", ..}`, its schema where chat has it or where Responses and Messages have it.
    fn of_format(format: &Value) -> Result<Option<Self>, FormError> {
        let schema = format
            .pointer("/json_schema/schema")
            .or_else(|| format.get("schema"));
        match (format.get("type").and_then(Value::as_str), schema) {
            (Some("json_object"), None) => Ok(Some(Self::json())),
            (Some("json_object" | "json_schema"), Some(schema)) => Self::schema(schema).map(Some),
            _ => Ok(None),
        }
    }

    /// A schema, or the text of one.
    fn of_schema(value: &Value) -> Result<Self, FormError> {
        match value {
            Value::String(text) => match serde_json::from_str(text) {
                Ok(schema) => Self::schema(&schema),
                Err(error) => Err(FormError::Schema(error.to_string())),
            },
            schema => Self::schema(schema),
        }
    }

    /// Both: a request may give tools and ask for JSON where none is called.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            text: self.text.or(other.text),
            tools: self.tools.or(other.tools),
        }
    }
}

/// A tool that the server runs itself: it has a type of its own, and no parameters that we know.
fn is_of_server(tool: &Value) -> bool {
    let known = ["function", "parameters", "input_schema"];
    let kind = tool.get("type").and_then(Value::as_str);
    kind.is_some_and(|kind| kind != "function") && known.iter().all(|name| tool.get(name).is_none())
}

impl Tool {
    fn of(tool: &Value) -> Result<Self, FormError> {
        let function = tool.get("function").unwrap_or(tool);
        let name = function
            .get("name")
            .and_then(Value::as_str)
            .ok_or(FormError::Tools)?;
        let schema = function
            .get("parameters")
            .or_else(|| function.get("input_schema"));
        Ok(Self {
            name: name.to_owned(),
            arguments: schema
                .filter(|schema| !schema.is_null())
                .map_or(Ok(Shape::Any), Shape::schema)?,
        })
    }
}

impl Shape {
    fn schema(schema: &Value) -> Result<Self, FormError> {
        let options = jsonschema::options()
            .offline()
            .with_pattern_options(PatternOptions::regex());
        match options.build(schema) {
            Ok(validator) => Ok(Self::Schema(Box::new(validator))),
            Err(error) => Err(FormError::Schema(error.to_string())),
        }
    }

    /// Whether a value is as it has to be.
    pub(crate) fn allows(&self, value: &Value) -> bool {
        match self {
            Self::Any => value.is_object() || value.is_array(),
            Self::Schema(validator) => validator.is_valid(value),
        }
    }
}
