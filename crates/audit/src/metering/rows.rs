//! What a gateway metered, row by row: CSV with a header, JSON, or JSON lines.
//!
//! Names are those that gateways and engines write (usage of OpenAI's and Anthropic's form, LiteLLM's payload and its
//! spend logs), or what a mapping file says. A count that is not there is absent, never 0. Invariant: a count that is
//! there and is no whole number is an error with its row.

use crate::import::{ImportError, MappingError, path_of, rows_of};
use crate::json::as_number;
use infermeter_core::text::inert;
use serde_json::Value;

/// Bytes of a name that are kept.
const NAME_LIMIT: usize = 120;

/// One row of what was metered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MeteredRow {
    /// Names the request, as the gateway knows it.
    pub request_id: Option<String>,
    /// Who is to pay.
    pub key: Option<String>,
    /// The model.
    pub model: Option<String>,
    /// Prompt tokens, cached ones too.
    pub prompt_tokens: Option<u64>,
    /// Prompt tokens from a cache.
    pub cached_tokens: Option<u64>,
    /// Output tokens.
    pub output_tokens: Option<u64>,
}

/// A fact of a row, and where it usually stands: the first of these that is there.
struct Fact {
    name: &'static str,
    places: &'static [&'static str],
}

const REQUEST_ID: Fact = Fact {
    name: "request-id",
    places: &["request_id", "x_request_id", "response_id", "id"],
};
const KEY: Fact = Fact {
    name: "key",
    places: &[
        "key",
        "api_key_alias",
        "metadata.user_api_key_alias",
        "metadata.user_api_key_hash",
        "api_key",
        "user",
    ],
};
const MODEL: Fact = Fact {
    name: "model",
    places: &["model", "model_group"],
};
const PROMPT: Fact = Fact {
    name: "input-tokens",
    places: &[
        "prompt_tokens",
        "input_tokens",
        "usage.prompt_tokens",
        "usage.input_tokens",
    ],
};
const CACHED: Fact = Fact {
    name: "cached-tokens",
    places: &[
        "cached_tokens",
        "prompt_tokens_details.cached_tokens",
        "usage.prompt_tokens_details.cached_tokens",
        "usage.input_tokens_details.cached_tokens",
        "usage.cache_read_input_tokens",
    ],
};
const OUTPUT: Fact = Fact {
    name: "output-tokens",
    places: &[
        "completion_tokens",
        "output_tokens",
        "usage.completion_tokens",
        "usage.output_tokens",
    ],
};

const FACTS: [&Fact; 6] = [&REQUEST_ID, &KEY, &MODEL, &PROMPT, &CACHED, &OUTPUT];

/// Where the facts of a row stand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MeteredColumns {
    rows_at: Option<String>,
    /// By the fact's name.
    columns: Vec<(&'static str, String)>,
}

impl MeteredColumns {
    /// From a mapping file: `rows-at`, and columns or paths by fact under `[values]`.
    ///
    /// # Errors
    /// With the key that is wrong.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        let table: toml::Table = text
            .parse()
            .map_err(|e: toml::de::Error| MappingError::NotToml(e.message().to_owned()))?;
        let mut found = Self::default();
        for (name, value) in &table {
            match (name.as_str(), value) {
                ("rows-at", toml::Value::String(path)) => found.rows_at = Some(path.clone()),
                ("values", toml::Value::Table(values)) => found.columns = columns_of(values)?,
                ("rows-at" | "values", _) => {
                    return Err(MappingError::BadValue {
                        key: name.clone(),
                        expected: "a text (rows-at) or a table (values)",
                    });
                }
                _ => return Err(MappingError::UnknownKey(name.clone())),
            }
        }
        Ok(found)
    }

    /// Reads the rows of a file.
    ///
    /// # Errors
    /// Where it is neither CSV nor JSON, has none of the columns, or a count that is none.
    pub fn read(&self, bytes: &[u8]) -> Result<Vec<MeteredRow>, ImportError> {
        let rows = rows_of(bytes, self.rows_at.as_deref())?;
        for (name, column) in &self.columns {
            if !rows.iter().any(|row| path_of(row, column).is_some()) {
                return Err(missing(&rows, name, column));
            }
        }
        let tokens = [&PROMPT, &OUTPUT];
        let has_tokens = |row: &Value| tokens.iter().any(|fact| self.cell(row, fact).is_some());
        if !rows.iter().any(has_tokens) {
            return Err(missing(&rows, PROMPT.name, PROMPT.places[0]));
        }
        let read = rows.iter().enumerate();
        read.map(|(place, row)| self.row(place + 1, row)).collect()
    }

    fn row(&self, number: usize, row: &Value) -> Result<MeteredRow, ImportError> {
        let text = |fact: &Fact| {
            let text = match self.cell(row, fact)?.1 {
                Value::String(text) => text.trim().to_owned(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
                other => other.to_string(),
            };
            (!text.is_empty()).then(|| inert(&text, NAME_LIMIT))
        };
        let count = |fact: &Fact| self.count(number, row, fact);
        Ok(MeteredRow {
            request_id: text(&REQUEST_ID),
            key: text(&KEY),
            model: text(&MODEL),
            prompt_tokens: count(&PROMPT)?,
            cached_tokens: count(&CACHED)?,
            output_tokens: count(&OUTPUT)?,
        })
    }

    fn count(&self, number: usize, row: &Value, fact: &Fact) -> Result<Option<u64>, ImportError> {
        let Some((column, value)) = self.cell(row, fact) else {
            return Ok(None);
        };
        if value.as_str().is_some_and(|text| text.trim().is_empty()) {
            return Ok(None);
        }
        let count = as_number(value).filter(|n| *n >= 0.0 && n.fract() == 0.0 && *n < 1e15);
        count
            .map(|n| Some(n as u64))
            .ok_or_else(|| ImportError::BadCell {
                row: number,
                column: column.to_owned(),
                value: inert(&value.to_string(), 60),
                expected: "a whole number of tokens",
            })
    }

    /// Where a fact of a row stands, and what.
    fn cell<'a>(&'a self, row: &'a Value, fact: &Fact) -> Option<(&'a str, &'a Value)> {
        let mapped = self.columns.iter().find(|(name, _)| *name == fact.name);
        if let Some((_, column)) = mapped {
            return Some((column, path_of(row, column)?));
        }
        let mut places = fact.places.iter();
        places.find_map(|place| Some((*place, path_of(row, place)?)))
    }
}

fn columns_of(values: &toml::Table) -> Result<Vec<(&'static str, String)>, MappingError> {
    let column = |(name, value): (&String, &toml::Value)| {
        let fact = FACTS.iter().find(|fact| fact.name == name.as_str());
        let fact = fact.ok_or_else(|| MappingError::UnknownKey(name.clone()))?;
        match value {
            toml::Value::String(column) => Ok((fact.name, column.clone())),
            _ => Err(MappingError::BadValue {
                key: name.clone(),
                expected: "the name of a column, or a path of members",
            }),
        }
    };
    values.iter().map(column).collect()
}

fn missing(rows: &[Value], key: &str, column: &str) -> ImportError {
    let names = match rows.first() {
        Some(Value::Object(row)) => row.keys().take(12).map(String::as_str).collect(),
        _ => Vec::new(),
    };
    ImportError::NoColumn {
        column: column.to_owned(),
        key: key.to_owned(),
        names: inert(&names.join(", "), 400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<MeteredRow> {
        MeteredColumns::default().read(text.as_bytes()).expect(text)
    }

    #[test]
    fn usual_forms_are_read_without_a_mapping() {
        let expect = MeteredRow {
            request_id: Some("chatcmpl-a".to_owned()),
            key: Some("team".to_owned()),
            model: Some("m".to_owned()),
            prompt_tokens: Some(20),
            cached_tokens: None,
            output_tokens: Some(7),
        };
        let csv =
            "request_id,api_key,model,prompt_tokens,completion_tokens\nchatcmpl-a,team,m,20,7\n";
        assert_eq!(read(csv), std::slice::from_ref(&expect));
        let payload = r#"{"id":"chatcmpl-a","model":"m","prompt_tokens":20,"completion_tokens":7,
            "metadata":{"user_api_key_alias":"team"}}"#;
        assert_eq!(read(payload), std::slice::from_ref(&expect));
        let usage = r#"{"id":"chatcmpl-a","user":"team","model":"m","usage":{"prompt_tokens":20,"completion_tokens":7,
            "prompt_tokens_details":{"cached_tokens":16}}}"#;
        let usage = usage.replace('\n', " ");
        let cached = MeteredRow {
            cached_tokens: Some(16),
            ..expect
        };
        assert_eq!(
            read(&format!("{usage}\n{usage}\n")),
            [cached.clone(), cached]
        );
    }

    #[test]
    fn a_mapping_names_columns() {
        let mapping = "rows-at = \"data\"\n[values]\nrequest-id = \"trace\"\ninput-tokens = \"in\"\noutput-tokens = \"out\"\n";
        let columns = MeteredColumns::parse(mapping).expect("a mapping");
        let rows = columns.read(br#"{"data":[{"trace":5,"in":1,"out":2,"id":"other"}]}"#);
        let rows = rows.expect("rows");
        assert_eq!(rows[0].request_id.as_deref(), Some("5"));
        assert_eq!(
            (rows[0].prompt_tokens, rows[0].output_tokens),
            (Some(1), Some(2))
        );
        for (text, part) in [
            ("x = 1", "`x` is not a fact"),
            ("[values]\nttft = \"a\"", "`ttft` is not a fact"),
            ("[values]\nkey = 1", "`key` must be"),
        ] {
            let error = MeteredColumns::parse(text).expect_err(text).to_string();
            assert!(error.contains(part), "{error}");
        }
        let error = columns.read(b"trace,in\na,1\n").expect_err("no column");
        assert!(error.to_string().contains("`out`"), "{error}");
    }

    #[test]
    fn a_count_that_is_none_is_an_error_with_its_row() {
        let error = |cell: &str| {
            let text = format!("id,prompt_tokens\na,1\nb,{cell}\n");
            let read = MeteredColumns::default().read(text.as_bytes());
            read.expect_err(cell).to_string()
        };
        for cell in ["many", "-1", "1.5"] {
            assert!(error(cell).starts_with("row 2: "), "{}", error(cell));
        }
        let none = MeteredColumns::default().read(b"id,cost\na,1\n");
        assert!(
            none.expect_err("no tokens")
                .to_string()
                .contains("prompt_tokens")
        );
    }
}
