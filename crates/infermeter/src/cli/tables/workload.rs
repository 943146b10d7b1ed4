//! Flags of `workload inspect`, `head`, `import`, `make` and `convert`.

use infermeter_core::key::When::Given;
use infermeter_core::key::{Form, Rule, ValueKind};
use infermeter_core::plan::MAX_RATE;
use infermeter_core::units::Span;
use infermeter_core::{key_values, keys};
use infermeter_session::make::Verify;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What `workload import` does with texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportTexts {
    /// Nothing.
    None,
    /// Hashes of their blocks under a key that nobody keeps.
    Hashed,
    /// They are written as they are.
    Plain,
}

key_values!(ValueKind::OneOf(&["none", "hashed", "plain"]) => ImportTexts);

/// What `workload convert` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConvertTo {
    /// A workload file.
    Workload,
    /// Chat requests.
    Messages,
    /// Plain prompts.
    Prompts,
    /// Instants and lengths alone.
    Timed,
}

key_values!(ValueKind::OneOf(&["workload", "messages", "prompts", "timed"]) => ConvertTo);

const TOKENIZERS: &[&str] = &["o200k", "cl100k"];

const WITH_CLIENTS: &[Rule] = &[Rule::needs(&[Given("clients")], "")];

keys! {
    /// Flags of `workload inspect`.
    pub struct InspectArgs {
        file: Option<PathBuf> = None, General, "FILE",
            "Trace or dataset, CSV or JSON, gzip or not"
            .form(Form::Positional).example("trace.csv")
            .rules(&[Rule::excludes(&[Given("clients")], "")]);
        clients: Option<String> = None, General, "NAME|FILE",
            "Requests of many clients instead of a file: the profile synthetic, or a file of clients"
            .example("synthetic").offers(&["synthetic"]);
        rate: Option<f64> = None, General, "R",
            "With --clients: requests per second, all clients together"
            .example("10").above(0.0).most(MAX_RATE).note("requests per second")
            .rules(WITH_CLIENTS);
        duration: Span = Span::seconds(3600), General, "TIME",
            "With --clients: so long"
            .example("10m").rules(WITH_CLIENTS);
        limit: Option<u64> = None, General, "N",
            "Use only the first N rows"
            .example("500").above(0.0);
        trace_option: Vec<String> = Vec::new(), General, "NAME[=VALUE]",
            "How the file is read: format=NAME, block-size=N, time-unit=U, max-context=N, clip, sort, \
             spread"
            .example("sort");
        tokenizer: Option<String> = None, General, "NAME|FILE",
            "Count the tokens of texts with o200k, cl100k or a tokenizer.json"
            .example("o200k").offers(TOKENIZERS);
        seed: u64 = 1, General, "N",
            "Seed of the option spread, and of --clients"
            .example("7");
    }
}

keys! {
    /// Flags of `workload head`.
    pub struct HeadArgs {
        file: PathBuf = PathBuf::new(), General, "FILE",
            "Trace or dataset, CSV or JSON, gzip or not"
            .form(Form::Required).example("trace.csv");
        rows: u64 = 5, General, "N",
            "Number of rows"
            .example("3").above(0.0).aliases(&["-n"]);
        trace_option: Vec<String> = Vec::new(), General, "NAME[=VALUE]",
            "How the file is read, as for inspect"
            .example("sort");
        seed: u64 = 1, General, "N",
            "Seed of the option spread"
            .example("7");
    }
}

keys! {
    /// Flags of `workload import`.
    pub struct ImportLogArgs {
        file: PathBuf = PathBuf::new(), General, "FILE|DIR",
            "Log of production, a folder of them in order of their names, or - for standard input; .gz too"
            .form(Form::Required).example("logs/");
        out: PathBuf = PathBuf::new(), General, "FILE",
            "The rows to write; a name that ends in .gz is packed"
            .form(Form::RequiredFlag).example("rows.jsonl.gz");
        format: Option<String> = None, General, "NAME",
            "Its format, where content does not tell: copilot, dynamo, otel-spans, litellm, langfuse, batch, \
             access-log or goreplay"
            .absent("recognised by content").example("otel-spans")
            .offers(&["copilot", "dynamo", "otel-spans", "litellm", "langfuse", "batch", "access-log", "goreplay"]);
        map: Option<PathBuf> = None, General, "FILE",
            "A mapping file for rows of any other form, as audit has it"
            .example("columns.toml");
        block_size: u32 = 64, General, "N",
            "Tokens of a block of the prompt"
            .example("16").above(0.0).most(4_000_000.0);
        texts: ImportTexts = ImportTexts::Hashed, General, "HOW",
            "What becomes of texts: hashed (blocks under a key that is thrown away), none or plain"
            .example("none");
        tokenizer: String = "o200k".to_owned(), General, "NAME|FILE",
            "Counts texts whose lengths a log does not say: o200k, cl100k or a tokenizer.json"
            .example("cl100k").offers(TOKENIZERS);
    }
}

keys! {
    /// Flags of `workload make` that are no keys of the plan.
    pub struct MakeArgs {
        config: Option<PathBuf> = None, General, "FILE",
            "Plan file, TOML or YAML, with the same names as the flags; flags win"
            .common().example("plan.toml");
        verify: Verify = Verify::Some, General, "SHARE",
            "Prompts to count again with the whole vocabulary: 1% (of each class), all or none"
            .common().example("all");
    }
}

keys! {
    /// Flags of `workload convert`.
    pub struct ConvertArgs {
        file: PathBuf = PathBuf::new(), General, "FILE",
            "Trace or workload file"
            .form(Form::Required).example("azure.csv");
        out: PathBuf = PathBuf::new(), General, "FILE",
            "The file to write"
            .form(Form::RequiredFlag).example("azure.jsonl");
        to: ConvertTo = ConvertTo::Workload, General, "FORM",
            "Its form: workload (a workload file), or one JSON object a line: messages (chat requests \
             with messages and max_tokens), prompts (prompt and output_tokens) or timed (timestamp in \
             ms, input_length, output_length)"
            .example("messages");
        limit: Option<u64> = None, General, "N",
            "Use only the first N rows"
            .example("500");
        trace_option: Vec<String> = Vec::new(), General, "NAME[=VALUE]",
            "How a trace is read, as for inspect"
            .example("sort");
        tokenizer: String = "o200k".to_owned(), General, "NAME|FILE",
            "Tokenizer that prompts are written for: o200k, cl100k or a tokenizer.json"
            .example("cl100k").offers(TOKENIZERS);
        seed: u64 = 1, General, "N",
            "Seed of the prompts and of the option spread"
            .example("7");
    }
}
