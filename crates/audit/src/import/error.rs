//! Why a file could not be read as a result.

/// What is wrong with the bytes, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// Not UTF-8.
    #[error("the file is not text: give the JSON, CSV or log that the tool wrote")]
    NotText,
    /// A bare Parquet file.
    #[error("a Parquet file alone is not a result: give the run's directory, with its run.json")]
    Parquet,
    /// A `run.json`, `repeat.json` or `responses.jsonl` by itself.
    #[error("this is a part of an infermeter run: give its directory")]
    PartOfRun,
    /// Begins like JSON and is not.
    #[error("the JSON is cut short or damaged: {0}")]
    BadJson(String),
    /// Looks like a report in YAML and is none.
    #[error("the YAML cannot be read: {0}; where it is too long, give the JSON of the same run")]
    BadYaml(String),
    /// One line of JSON lines is broken.
    #[error("line {line} is cut short or damaged: {cause}")]
    BadLine {
        /// Its number, from 1.
        line: usize,
        /// What the parser says.
        cause: String,
    },
    /// Neither JSON nor a known CSV, YAML or log.
    #[error(
        "neither JSON nor a CSV, YAML or log of a known tool; CSV and JSON of other tools need \
         --map FILE"
    )]
    NotJson,
    /// A column that the mapping names is not in the file.
    #[error("no column or member `{column}`, which the mapping's `{key}` names; there are {names}")]
    NoColumn {
        /// The column.
        column: String,
        /// The fact that should be in it.
        key: String,
        /// The first of those that are there.
        names: String,
    },
    /// A value that a fact cannot have.
    #[error("row {row}: `{value}` in `{column}` must be {expected}")]
    BadCell {
        /// Its row, from 1, the header not counted.
        row: usize,
        /// Its column.
        column: String,
        /// The value.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// JSON of no known format.
    #[error("JSON of no known format ({about}); --map FILE reads other tools' results")]
    Unknown {
        /// The format with the greatest share of its members there and what it lacks, else the
        /// formats that were looked for.
        about: String,
    },
}
