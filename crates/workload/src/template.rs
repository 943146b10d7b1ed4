//! The chat template of a model: how its server makes one text out of messages.
//!
//! It knows no server and no dialect; it renders what the user's file says. Sources: the chat
//! templates of Hugging Face (Jinja, `tokenizer_config.json`), which are rendered with blocks
//! trimmed, with the methods of Python's texts, and with `raise_exception`. The date function that
//! some of them ask for is left undefined, as they allow: a prompt must not depend on the day.
//!
//! Invariant: rendering is a function of the file and the messages, and of bounded work.

use crate::counter::TokenCounter;
use infermeter_core::request::Message;
use infermeter_core::text::inert;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, Error, ErrorKind, State, context};
use std::path::{Path, PathBuf};

/// Instructions that one rendering may take: thousands of messages.
const FUEL: u64 = 50_000_000;

/// The only template of an environment.
const NAME: &str = "chat-template";

/// Why a chat template cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file cannot be read.
    #[error("cannot read {} (--chat-template): {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A `tokenizer_config.json` without a template.
    #[error(
        "{} (--chat-template) has no chat_template: give the model's tokenizer_config.json, or a \
         Jinja file",
        path.display()
    )]
    NoTemplate {
        /// The file.
        path: PathBuf,
    },
    /// It is no template, or fails with messages of text.
    #[error("{} (--chat-template): {message}", path.display())]
    Jinja {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}

/// A chat template.
#[derive(Debug)]
pub struct ChatTemplate {
    path: PathBuf,
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

impl ChatTemplate {
    /// Reads a Jinja file, or the template of a `tokenizer_config.json`. The start and end tokens
    /// are those of that file, or of one of that name in the same folder.
    ///
    /// # Errors
    /// When it cannot be read, or holds no template.
    pub fn open(path: &Path) -> Result<Self, TemplateError> {
        let read = |source| TemplateError::Read {
            path: path.to_owned(),
            source,
        };
        let text = std::fs::read_to_string(path).map_err(read)?;
        let (source, config) = if path.extension().is_some_and(|e| e == "json") {
            let config = serde_json::from_str(&text).unwrap_or_default();
            let source = template_of(&config).ok_or_else(|| TemplateError::NoTemplate {
                path: path.to_owned(),
            })?;
            (source, config)
        } else {
            let beside = path.with_file_name("tokenizer_config.json");
            let config = std::fs::read_to_string(beside).unwrap_or_default();
            (text, serde_json::from_str(&config).unwrap_or_default())
        };
        let mut environment = environment().map_err(|e| jinja(path, &e))?;
        environment
            .add_template_owned(NAME, source)
            .map_err(|e| jinja(path, &e))?;
        Ok(Self {
            path: path.to_owned(),
            environment,
            bos: token(&config, "bos_token"),
            eos: token(&config, "eos_token"),
        })
    }

    /// The text that the model gets: all messages, and the beginning of its answer.
    ///
    /// # Errors
    /// When the template refuses the messages.
    pub fn render(&self, messages: &[Message]) -> Result<String, TemplateError> {
        let messages = messages.iter().map(|message| {
            let content = match message.text.is_empty() && message.has_calls() {
                true => Value::from(()),
                false => Value::from(message.text.as_str()),
            };
            let own = [
                (Value::from("role"), Value::from(message.role.as_str())),
                (Value::from("content"), content),
            ];
            let members = message.members.iter().map(|member| {
                let value: serde_json::Value =
                    serde_json::from_str(&member.json).unwrap_or_default();
                (Value::from(&*member.name), value_of(value))
            });
            Value::from_pairs(own.into_iter().chain(members))
        });
        let template = self.environment.get_template(NAME);
        let rendered = template.and_then(|template| {
            template.render(context! {
                messages => messages.collect::<Vec<Value>>(),
                add_generation_prompt => true,
                bos_token => self.bos.as_str(),
                eos_token => self.eos.as_str(),
            })
        });
        rendered.map_err(|e| jinja(&self.path, &e))
    }
}

/// Tokens of messages with all that a template adds.
///
/// # Errors
/// When the template refuses the messages.
pub fn tokens_with_template(
    messages: &[Message],
    template: &ChatTemplate,
    counter: &TokenCounter,
) -> Result<u64, TemplateError> {
    Ok(counter.count(&template.render(messages)?) as u64)
}

fn jinja(path: &Path, error: &Error) -> TemplateError {
    TemplateError::Jinja {
        path: path.to_owned(),
        message: inert(&error.to_string(), 300),
    }
}

/// JSON as a template sees it.
fn value_of(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(value) => value.into(),
        serde_json::Value::Number(n) => match n.as_i64() {
            Some(whole) => whole.into(),
            None => n.as_f64().unwrap_or_default().into(),
        },
        serde_json::Value::String(text) => text.into(),
        serde_json::Value::Array(list) => list.into_iter().map(value_of).collect::<Vec<_>>().into(),
        serde_json::Value::Object(members) => Value::from_pairs(
            members
                .into_iter()
                .map(|(name, json)| (name, value_of(json))),
        ),
    }
}

/// The template of a configuration: a text, or the one named `default` of several.
fn template_of(config: &serde_json::Value) -> Option<String> {
    let template = &config["chat_template"];
    let several = template.as_array().into_iter().flatten();
    let named = several.filter(|one| one["name"] == "default");
    let default = named.filter_map(|one| one["template"].as_str()).next();
    template.as_str().or(default).map(str::to_owned)
}

/// A special token of a configuration: a text, or an object with its content.
fn token(config: &serde_json::Value, name: &str) -> String {
    let token = &config[name];
    let text = token.as_str().or_else(|| token["content"].as_str());
    text.unwrap_or_default().to_owned()
}

fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()?;
    environment.set_syntax(syntax);
    environment.set_fuel(Some(FUEL));
    environment.set_unknown_method_callback(method);
    environment.add_function("raise_exception", |message: String| {
        Err::<Value, Error>(Error::new(ErrorKind::InvalidOperation, message))
    });
    Ok(environment)
}

/// The methods of Python's texts and dictionaries that templates use.
fn method(_: &mut State, value: &Value, name: &str, args: &[Value]) -> Result<Value, Error> {
    let unknown = || Error::new(ErrorKind::UnknownMethod, format!("no method {name}"));
    let arg = |at: usize| args.get(at).and_then(Value::as_str);
    let Some(text) = value.as_str() else {
        return match name {
            "items" => {
                let pairs = value.try_iter()?.map(|key| {
                    let item = value.get_item(&key)?;
                    Ok(Value::from(vec![key, item]))
                });
                pairs
                    .collect::<Result<Vec<Value>, Error>>()
                    .map(Value::from)
            }
            "keys" => Ok(value.try_iter()?.collect::<Vec<Value>>().into()),
            "get" => {
                let found = args.first().map(|key| value.get_item(key)).transpose()?;
                let found = found.filter(|item| !item.is_undefined());
                Ok(found
                    .or_else(|| args.get(1).cloned())
                    .unwrap_or(Value::from(())))
            }
            _ => Err(unknown()),
        };
    };
    let chars: Option<Vec<char>> = arg(0).map(|chars| chars.chars().collect());
    let strips = |c: char| match &chars {
        Some(chars) => chars.contains(&c),
        None => c.is_whitespace(),
    };
    Ok(match (name, arg(0), arg(1)) {
        ("strip", ..) => text.trim_matches(strips).into(),
        ("lstrip", ..) => text.trim_start_matches(strips).into(),
        ("rstrip", ..) => text.trim_end_matches(strips).into(),
        ("upper", ..) => text.to_uppercase().into(),
        ("lower", ..) => text.to_lowercase().into(),
        ("startswith", Some(start), _) => text.starts_with(start).into(),
        ("endswith", Some(end), _) => text.ends_with(end).into(),
        ("replace", Some(from), Some(to)) => text.replace(from, to).into(),
        ("split", None, _) => parts(text.split_whitespace()),
        ("split", Some(at), _) if !at.is_empty() => parts(text.split(at)),
        _ => return Err(unknown()),
    })
}

fn parts<'t>(parts: impl Iterator<Item = &'t str>) -> Value {
    parts.map(Value::from).collect::<Vec<Value>>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::request::Role;

    /// A template of our own in the style of those of several models.
    const TEMPLATE: &str = "\
{%- if messages[0].role == 'system' %}
    {%- set first = messages[0].content.strip() %}
    {%- set rest = messages[1:] %}
{%- else %}
    {%- set first = 'Help.' %}
    {%- set rest = messages %}
{%- endif %}
{{- bos_token + '<|system|>' + first }}
{%- for message in rest %}
    {%- if message.role not in ['user', 'assistant'] %}
        {{- raise_exception('no role ' + message.role) }}
    {%- endif %}
    {{- '<|' + message['role'] + '|>' + message['content'].split('</think>')[-1] }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>' }}
{%- endif %}
";

    fn opened(name: &str, text: &str) -> Result<ChatTemplate, TemplateError> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        ChatTemplate::open(&path)
    }

    fn rendered(template: &ChatTemplate, messages: &[(Role, &str)]) -> String {
        let messages = messages
            .iter()
            .map(|(role, text)| Message::new(*role, *text));
        let messages: Vec<Message> = messages.collect();
        template.render(&messages).unwrap_or_else(|e| e.to_string())
    }

    #[test]
    fn messages_become_one_text() {
        let template = opened("a.jinja", TEMPLATE).expect("a template");
        let user = (Role::User, "Hi.");
        let expect = "<|system|>Help.<|user|>Hi.<|assistant|>";
        assert_eq!(rendered(&template, &[user]), expect);
        let system = (Role::System, "  Be brief. ");
        let thought = (Role::Assistant, "Hm.</think>Yes.");
        let expect = "<|system|>Be brief.<|user|>Hi.<|assistant|>Yes.<|assistant|>";
        assert_eq!(rendered(&template, &[system, user, thought]), expect);
        let refused = rendered(&template, &[(Role::Tool, "5")]);
        assert!(refused.contains("no role tool"), "{refused}");
    }

    #[test]
    fn calls_of_tools_reach_the_template() {
        let text = "{% for m in messages %}{{ m.role }}:{{ m.content is none }}\
                    {% if m.tool_calls is defined %}{% for call in m.tool_calls %}:{{ call.function.name }}{% endfor %}{% endif %};{% endfor %}";
        let template = opened("a.jinja", text).expect("a template");
        let call = Message {
            members: vec![infermeter_core::request::BodyMember {
                name: "tool_calls".into(),
                json: "[{\"function\": {\"name\": \"w\"}}]".into(),
            }],
            ..Message::new(Role::Assistant, "")
        };
        let messages = [Message::new(Role::User, "Hi."), call];
        let rendered = template.render(&messages).expect("rendered");
        assert_eq!(rendered, "user:False;assistant:True:w;");
    }

    #[test]
    fn configurations_bring_their_tokens() {
        let config = serde_json::json!({
            "chat_template": [
                { "name": "tool_use", "template": "no" },
                { "name": "default", "template": TEMPLATE },
            ],
            "bos_token": { "content": "<s>" },
            "eos_token": "</s>",
        });
        let template = opened("tokenizer_config.json", &config.to_string()).expect("a template");
        let text = rendered(&template, &[(Role::User, "Hi.")]);
        assert_eq!(text, "<s><|system|>Help.<|user|>Hi.<|assistant|>");
    }

    #[test]
    fn what_is_no_template_is_an_error() {
        for (name, text, said) in [
            ("a.json", "{}", "has no chat_template"),
            ("a.jinja", "{% for %}", "a.jinja (--chat-template): "),
        ] {
            let error = opened(name, text).expect_err(said).to_string();
            assert!(error.contains(said), "{error}");
        }
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{{ a }}\
                       {% endfor %}{% endfor %}";
        let template = opened("a.jinja", endless).expect("a template");
        let refused = rendered(&template, &[]);
        assert!(refused.contains("fuel"), "{refused}");
    }
}
