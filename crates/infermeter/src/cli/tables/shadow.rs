//! Flags of `shadow` and `record` beside those of a proxy.

use infermeter_core::key::When::Given;
use infermeter_core::key::{Form, Rule, ValueKind};
use infermeter_core::plan::Expose;
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use infermeter_core::{key_values, keys};
use infermeter_session::observed::capture::KeptTexts;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A share, written with a percent sign or as a number up to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Share(pub f64);

/// What ends a shadow run beside time, number and signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Awaited {
    /// The answer of every figure.
    Decided,
}

key_values!(ValueKind::Text => Share);
key_values!(ValueKind::OneOf(&["decided"]) => Awaited);

impl TryFrom<String> for Share {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let trimmed = text.trim();
        let share = match trimmed.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().ok().map(|n| n / 100.0),
            None => trimmed.parse::<f64>().ok(),
        };
        let share = share.filter(|share| *share > 0.0 && *share <= 1.0);
        share.map(Self).ok_or_else(|| {
            format!(
                "`{}` is not a share above 0: write 5% or 0.05, and 100% at most",
                inert(trimmed, 40)
            )
        })
    }
}

impl From<Share> for String {
    fn from(share: Share) -> Self {
        format!("{}%", (share.0 * 1e12).round() / 1e10)
    }
}

keys! {
    /// Flags of `shadow`.
    pub struct ShadowArgs {
        primary: String = String::new(), General, "URL",
            "The server that users are answered by: http[s]://host:port"
            .form(Form::RequiredFlag).common().example("http://localhost:8000");
        shadow: String = String::new(), General, "URL",
            "The server that gets a share of the same requests, and whose answers nobody gets"
            .form(Form::RequiredFlag).common().example("http://localhost:8001");
        share: Share = Share(0.05), General, "SHARE",
            "Share of the requests that the shadow gets, by a hash of their number"
            .common().example("5%");
        max_rate: Option<f64> = None, General, "R",
            "Most requests per second that the shadow gets"
            .common().absent("no such limit").example("10").above(0.0);
        max_in_flight: u32 = 64, General, "N",
            "Most requests in flight at the shadow; beyond it requests are not sent there, and counted"
            .example("16").least(1.0);
        shadow_header: Vec<String> = Vec::new(), General, "'NAME: VALUE'",
            "Header of the shadow's requests, in place of the user's: its own key, for example; may be given several \
             times. Users' keys do not go to the shadow without --pass-keys"
            .common().example("'authorization: Bearer KEY'");
        pass_keys: bool = false, General, "",
            "Send users' keys (authorization, x-api-key, cookie) to the shadow, too";
        shadow_model: Option<String> = None, General, "NAME",
            "Write this model's name into the shadow's requests"
            .common().absent("the name that the user wrote").example("llama-fp8");
        margin: Share = Share(0.03), General, "SHARE",
            "Changes within it do not matter: \"not slower than 3 %\""
            .common().example("3%");
        duration: Option<Span> = None, General, "TIME",
            "End after so long"
            .common().absent("without end").example("1h").above(0.0);
        requests: Option<u64> = None, General, "N",
            "End after so many pairs"
            .common().absent("any number").example("5000").least(1.0);
        until: Option<Awaited> = None, General, "WHAT",
            "End when every figure is decided: looked for at five numbers of pairs fixed in advance, and the error \
             shared among the looks"
            .common().example("decided");
        out: PathBuf = PathBuf::new(), General, "DIR",
            "Directory for both sides' records, primary and shadow, and for shadow.json"
            .form(Form::RequiredFlag).common().aliases(&["-o"]).example("runs/shadow");
        expose: Option<Expose> = None, General, "ADDR",
            "Serve what is found so far as a Prometheus page: a port alone is one of the loopback"
            .example(":9599");
        quiet: bool = false, General, "", "Print no progress"
            .aliases(&["-q"]);
    }
}

keys! {
    /// Flags of `record`.
    pub struct RecordArgs {
        target: String = String::new(), General, "URL",
            "The server that requests go to: http[s]://host:port"
            .form(Form::RequiredFlag).common().example("http://localhost:8000");
        out: PathBuf = PathBuf::new(), General, "DIR",
            "Directory of the capture"
            .form(Form::RequiredFlag).common().aliases(&["-o"]).example("capture");
        texts: KeptTexts = KeptTexts::Hashed, General, "WHAT",
            "What is kept of texts: none (lengths alone), hashed (which prompts begin alike, by keyed hashes whose key \
             is thrown away), or plain"
            .common().example("none");
        block_tokens: u32 = 16, General, "N",
            "Tokens of a block of a prompt, as the server's prefix cache has them"
            .example("64").least(1.0).most(65536.0);
        tokenizer: String = "o200k".to_owned(), General, "NAME",
            "Tokenizer of blocks, and of lengths that the server does not tell: o200k, cl100k or a tokenizer.json"
            .example("cl100k");
        duration: Option<Span> = None, General, "TIME",
            "End after so long"
            .common().absent("without end").example("1h").above(0.0);
        requests: Option<u64> = None, General, "N",
            "End after so many rows"
            .common().absent("any number").example("5000").least(1.0);
        quiet: bool = false, General, "", "Print no progress"
            .aliases(&["-q"]);
    }
}

keys! {
    /// Flags of a command that observes what goes through a proxy.
    pub struct ObserveArgs {
        tls_ca: Option<PathBuf> = None, General, "FILE",
            "Certificates (PEM) that are trusted of upstreams beside the platform's"
            .example("ca.pem");
        tls_insecure: bool = false, General, "", "Believe any certificate of an upstream"
            .rules(&[Rule::excludes(&[Given("tls-ca")], "")]);
        drain_timeout: Span = Span::seconds(30), General, "TIME",
            "How long open requests may go on at the end; a second Ctrl-C waits no longer"
            .example("5s");
    }
}
