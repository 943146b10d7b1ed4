//! Keys: what a flag and a line of a plan file are. One entry says everything about one of them, and
//! from the entries come the fields that they fill, the command line, plan files, `--print-config`,
//! the JSON Schema, suggestions and the page of the book.
//!
//! Nothing is read or printed here. Invariant: the name of a key is that of its field, with dashes.

mod hint;
mod line;
mod rules;
mod schema;

pub use hint::{Hint, hint};
pub use line::line;
pub use rules::{Asked, broken};
pub use schema::of_keys;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::PathBuf;

/// What a value is, as flags, files and the schema see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// On or off; the flag takes no value.
    Switch,
    /// A number.
    Number,
    /// A whole number, 0 or more.
    Whole,
    /// A time with its unit.
    Time,
    /// Text; the type of the field says what it must look like.
    Text,
    /// One of these names.
    OneOf(&'static [&'static str]),
    /// A JSON object.
    Object,
}

/// A type that a key's field can have.
pub trait KeyValue {
    /// What one value is.
    const KIND: ValueKind;
    /// There may be several.
    const MANY: bool = false;
    /// There may be none.
    const OPTIONAL: bool = false;
}

impl<T: KeyValue> KeyValue for Option<T> {
    const KIND: ValueKind = T::KIND;
    const MANY: bool = T::MANY;
    const OPTIONAL: bool = true;
}

impl<T: KeyValue> KeyValue for Vec<T> {
    const KIND: ValueKind = T::KIND;
    const MANY: bool = true;
}

/// Says what a value of these types is.
#[macro_export]
macro_rules! key_values {
    ($kind:expr => $($type:ty),+) => {$(
        impl $crate::key::KeyValue for $type {
            const KIND: $crate::key::ValueKind = $kind;
        }
    )+};
}

key_values!(ValueKind::Switch => bool);
key_values!(ValueKind::Number => f64);
key_values!(ValueKind::Whole => u16, u32, u64, usize);
key_values!(ValueKind::Text => String, PathBuf, crate::slo::Slo, crate::slo::Measure, crate::gate::FailIf);
key_values!(ValueKind::Time => crate::units::Span);
key_values!(ValueKind::Object => serde_json::Value);

/// A command that takes the keys of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// `run`
    Run,
    /// `workload make`
    Make,
    /// Commands of several runs, over which a protocol decides.
    Several,
}

/// Where a key stands on a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `--name`
    Flag,
    /// Without a flag.
    Positional,
    /// Without a flag, and never absent.
    Required,
    /// `--name`, never absent.
    RequiredFlag,
    /// `--name`, several of which make one text, with commas between them.
    Joined,
}

/// The values that a number or a time may have; times are in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// All of them are greater.
    pub above: Option<f64>,
    /// The least.
    pub least: Option<f64>,
    /// The greatest.
    pub most: Option<f64>,
    /// What a message adds.
    pub note: &'static str,
}

/// A state of another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Something was asked for.
    Given(&'static str),
    /// It has this value.
    Is(&'static str, &'static str),
}

/// What a rule asks of the other keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// One of them is so.
    Needs,
    /// None of them is so.
    Excludes,
}

/// What holds for other keys where one is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// The value that the key has to have for the rule to hold; absent: any.
    pub at: Option<&'static str>,
    /// What is asked.
    pub demand: Demand,
    /// Of whom.
    pub others: &'static [When],
    /// Why, or what to do instead; may be empty.
    pub why: &'static str,
}

impl Rule {
    /// One of `others` has to be so.
    pub const fn needs(others: &'static [When], why: &'static str) -> Self {
        let demand = Demand::Needs;
        Self {
            at: None,
            demand,
            others,
            why,
        }
    }

    /// None of `others` may be so.
    pub const fn excludes(others: &'static [When], why: &'static str) -> Self {
        Self {
            demand: Demand::Excludes,
            ..Self::needs(others, why)
        }
    }

    /// The rule holds for this value of the key alone.
    pub const fn at(self, value: &'static str) -> Self {
        Self {
            at: Some(value),
            ..self
        }
    }
}

/// Names from other tools that mean something close to a key, and what to write here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign {
    /// The names, without dashes in front.
    pub names: &'static [&'static str],
    /// What to write.
    pub tip: &'static str,
}

/// All about one key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name in files; behind `--` that of the flag.
    pub name: &'static str,
    /// What one value is.
    pub kind: ValueKind,
    /// There may be several values.
    pub many: bool,
    /// There may be none.
    pub optional: bool,
    /// Heading of its group, in the help and in the book.
    pub heading: &'static str,
    /// What stands for the value in the help.
    pub value_name: &'static str,
    /// What it does, in a line or two.
    pub help: &'static str,
    /// What else there is to know, in Markdown, for `--help` and for the book.
    pub more: &'static str,
    /// The value where nothing is given.
    pub default: fn() -> Value,
    /// What happens then, in words, where that value does not say it.
    pub absent: &'static str,
    /// A value, as a flag has it.
    pub example: &'static str,
    /// Values, or how they begin, that are worth offering where there are others, too.
    pub offers: &'static [&'static str],
    /// Where it stands.
    pub form: Form,
    /// Among the few that `-h` shows.
    pub common: bool,
    /// Never shown.
    pub hidden: bool,
    /// It says how a result is kept and shown, not what is measured or asked of it.
    pub showing: bool,
    /// Its values may begin with a dash.
    pub dashes: bool,
    /// The value where the flag stands alone; another one is given by `=` only, so that the flag takes
    /// nothing away from what follows it. Empty: the flag needs a value.
    pub bare: &'static str,
    /// Further flags of the same meaning, with their dashes.
    pub aliases: &'static [&'static str],
    /// Names from other tools that need a word.
    pub foreign: &'static [Foreign],
    /// Values from other tools, and what to write instead.
    pub tips: &'static [(&'static str, &'static str)],
    /// The values allowed.
    pub range: Option<Range>,
    /// What holds for other keys.
    pub rules: &'static [Rule],
    /// The commands that have it as a flag, where it is a key of the plan.
    pub places: &'static [Place],
}

const NO_RANGE: Range = Range {
    above: None,
    least: None,
    most: None,
    note: "",
};

/// The parts of an entry that may stand behind its help.
impl Key {
    /// An entry for a field of type `T`.
    pub const fn of<T: KeyValue>(
        name: &'static str,
        heading: &'static str,
        value_name: &'static str,
        help: &'static str,
        default: fn() -> Value,
    ) -> Self {
        Self {
            name,
            default,
            kind: T::KIND,
            many: T::MANY,
            optional: T::OPTIONAL,
            heading,
            value_name,
            help,
            more: "",
            absent: "",
            example: "",
            offers: &[],
            form: Form::Flag,
            common: false,
            hidden: false,
            showing: false,
            dashes: matches!(T::KIND, ValueKind::Number | ValueKind::Time),
            bare: "",
            aliases: &[],
            foreign: &[],
            tips: &[],
            range: None,
            rules: &[],
            places: &[Place::Run, Place::Make, Place::Several],
        }
    }

    /// What else there is to know.
    pub const fn more(self, more: &'static str) -> Self {
        Self { more, ..self }
    }

    /// What happens where it is absent.
    pub const fn absent(self, absent: &'static str) -> Self {
        Self { absent, ..self }
    }

    /// A value, as a flag has it.
    pub const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    /// Values, or how they begin, that a shell completes. Of a kind that lists its names it is not needed.
    pub const fn offers(self, offers: &'static [&'static str]) -> Self {
        Self { offers, ..self }
    }

    /// Where it stands.
    pub const fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// `-h` shows it.
    pub const fn common(self) -> Self {
        Self {
            common: true,
            ..self
        }
    }

    /// No help shows it.
    pub const fn hidden(self) -> Self {
        Self {
            hidden: true,
            ..self
        }
    }

    /// It says how a result is kept and shown, and nothing else.
    pub const fn showing(self) -> Self {
        Self {
            showing: true,
            ..self
        }
    }

    /// Its values may begin with a dash.
    pub const fn dashes(self) -> Self {
        Self {
            dashes: true,
            ..self
        }
    }

    /// The flag may stand without a value, and means this one then.
    pub const fn bare(self, bare: &'static str) -> Self {
        Self { bare, ..self }
    }

    /// Further flags of the same meaning.
    pub const fn aliases(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    /// Names from other tools that need a word.
    pub const fn foreign(self, foreign: &'static [Foreign]) -> Self {
        Self { foreign, ..self }
    }

    /// Values from other tools, and what to write instead.
    pub const fn tips(self, tips: &'static [(&'static str, &'static str)]) -> Self {
        Self { tips, ..self }
    }

    /// All values are greater than this.
    pub const fn above(self, bound: f64) -> Self {
        let range = Range {
            above: Some(bound),
            ..self.bounds()
        };
        self.ranged(range)
    }

    /// The least value.
    pub const fn least(self, bound: f64) -> Self {
        let range = Range {
            least: Some(bound),
            ..self.bounds()
        };
        self.ranged(range)
    }

    /// The greatest value.
    pub const fn most(self, bound: f64) -> Self {
        let range = Range {
            most: Some(bound),
            ..self.bounds()
        };
        self.ranged(range)
    }

    /// What the message about a value out of range adds.
    pub const fn note(self, note: &'static str) -> Self {
        let range = Range {
            note,
            ..self.bounds()
        };
        self.ranged(range)
    }

    const fn bounds(&self) -> Range {
        match self.range {
            Some(range) => range,
            None => NO_RANGE,
        }
    }

    const fn ranged(self, range: Range) -> Self {
        Self {
            range: Some(range),
            ..self
        }
    }

    /// What holds for other keys.
    pub const fn rules(self, rules: &'static [Rule]) -> Self {
        Self { rules, ..self }
    }

    /// The commands that have it as a flag.
    pub const fn places(self, places: &'static [Place]) -> Self {
        Self { places, ..self }
    }
}

impl Key {
    /// As it is written on a command line.
    pub fn written(&self) -> String {
        match self.form {
            Form::Flag | Form::RequiredFlag | Form::Joined => format!("--{}", self.name),
            Form::Positional | Form::Required => self.name.to_owned(),
        }
    }

    /// What holds where nothing is given, in words; empty where that goes without saying.
    pub fn absence(&self) -> String {
        match (self.default)() {
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                self.absent.to_owned()
            }
            Value::String(text) => text,
            // A whole number without its `.0`.
            Value::Number(number) => number.as_f64().map_or(String::new(), |n| n.to_string()),
        }
    }
}

/// Values that a table of keys fills.
pub trait Keyed: Serialize + DeserializeOwned {
    /// One entry for each field, in the same order.
    const KEYS: &'static [Key];

    /// Every field at its default.
    fn defaults() -> Self;
}

/// The name of a field, with dashes.
pub const fn dashed<const N: usize>(name: &str) -> [u8; N] {
    let (name, mut dashed, mut at) = (name.as_bytes(), [0; N], 0);
    while at < N {
        dashed[at] = if name[at] == b'_' { b'-' } else { name[at] };
        at += 1;
    }
    dashed
}

/// Defines a struct, a field at a time: `field: Type = default, Heading, "VALUE", "Help"`, and behind
/// that whatever the methods of [`Key`] add. An empty heading is written `_`.
#[macro_export]
macro_rules! keys {
    (
        $(#[$outer:meta])*
        pub struct $name:ident {
            $(
                $field:ident: $type:ty = $default:expr, $heading:tt, $value:literal, $help:literal
                $(.$method:ident($($argument:expr),* $(,)?))*;
            )*
        }
    ) => {
        $(#[$outer])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
        pub struct $name {
            $(#[doc = $help] pub $field: $type,)*
        }

        impl $name {
            /// Every field at its default.
            pub fn defaults() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::defaults()
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::key::of_keys(<Self as $crate::key::Keyed>::KEYS)
            }
        }

        impl $crate::key::Keyed for $name {
            const KEYS: &'static [$crate::key::Key] = &[$({
                const BYTES: [u8; stringify!($field).len()] =
                    $crate::key::dashed(stringify!($field));
                const NAME: &str = match std::str::from_utf8(&BYTES) {
                    Ok(name) => name,
                    Err(_) => stringify!($field),
                };
                const DEFAULT: fn() -> serde_json::Value = || {
                    let default: $type = $default;
                    serde_json::to_value(default).unwrap_or_default()
                };
                $crate::key::Key::of::<$type>(NAME, stringify!($heading), $value, $help, DEFAULT)
                    $(.$method($($argument),*))*
            },)*];

            fn defaults() -> Self {
                Self::defaults()
            }
        }
    };
}
