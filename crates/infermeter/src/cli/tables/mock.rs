//! Flags of `mock`. The parameters that have no flag of their own are given by `--set`.

use infermeter_core::key::Rule;
use infermeter_core::key::When::Given;
use infermeter_core::keys;
use infermeter_core::units::Span;
use infermeter_mock::Preset;
use std::path::PathBuf;

keys! {
    /// Flags of `mock`.
    pub struct MockArgs {
        preset: String = "llama-8b-h100".to_owned(), General, "NAME",
            "Engine preset; an unknown name lists them all"
            .common().example("fixed").offers(&Preset::NAMES);
        set: Vec<String> = Vec::new(), General, "NAME=VALUE",
            "Parameter of the simulator, as in max-waiting=100 (wins over file and flags)"
            .common().example("max-waiting=100");
        config: Option<PathBuf> = None, General, "FILE",
            "TOML file of parameters, with the names of --print-config"
            .common().example("mock.toml");
        print_config: bool = false, General, "",
            "Print every parameter with its value and meaning as such a file, and stop"
            .common();
        ttft: Option<Span> = None, Engine, "TIME",
            "Preset fixed: time to the first token"
            .common().example("20ms");
        step: Option<Span> = None, Engine, "TIME",
            "Preset fixed: time of a step"
            .common().example("5ms");
        max_num_seqs: Option<u32> = None, Engine, "N",
            "Most sequences running at once"
            .common().example("64");
        replicas: Option<u32> = None, Engine, "N",
            "Engines behind the port, served round robin"
            .common().example("2");
        model: Option<String> = None, Answers, "NAME",
            "Name of the model served"
            .common().example("llama");
        seed: Option<u64> = None, Answers, "N",
            "Seed of contents, lengths, faults and jitter"
            .absent("1").example("7");
        role_chunk: String = "with-first".to_owned(), Answers, "WHEN",
            "When the role chunk leaves: with-first or arrival"
            .example("arrival").offers(&["with-first", "arrival"]);
        stream_interval: Option<u32> = None, Answers, "N",
            "Tokens per chunk after the first"
            .absent("1").example("4");
        reasoning_tokens: Option<u32> = None, Answers, "N",
            "Tokens of reasoning before a chat's answer"
            .absent("0").example("10");
        reasoning_share: Option<f64> = None, Answers, "X",
            "Part of a chat answer's tokens that is reasoning, 0 to 1"
            .absent("0").example("0.5");
        reasoning_field: Option<String> = None, Answers, "NAME",
            "Member that carries reasoning: reasoning_content or reasoning"
            .absent("reasoning_content").example("reasoning").offers(&["reasoning_content", "reasoning"]);
        tool_call_share: Option<f64> = None, Answers, "X",
            "Part of the requests with tools that get a tool call, 0 to 1"
            .absent("1").example("0.5");
        usage: Option<String> = None, Answers, "STYLE",
            "Usage of streams: on-request, always, last-chunk or never"
            .absent("on-request").example("always").offers(&["on-request", "always", "last-chunk", "never"]);
        adapter: Vec<String> = Vec::new(), Answers, "NAME",
            "Name of a LoRA adapter that is served, too"
            .example("sql");
        fault: Vec<String> = Vec::new(), Faults, "FAULT",
            "Fault NAME, with =VALUE and @WHEN after it where needed, as in status=503@1%, \
             stall=3:2s@every:100 or disconnect-after=3@10s..20s (the first that strikes wins; also \
             by request header x-mock-fault)"
            .common().example("status=503@1%");
        port: u16 = 8000, Serving, "PORT",
            "Port on 127.0.0.1; 0 takes a free one"
            .common().example("8080");
        listen: Option<String> = None, Serving, "unix:PATH",
            "Listen on a socket of this host instead: unix:/path/to.sock"
            .example("unix:/run/engine.sock")
            .rules(&[Rule::excludes(&[Given("port"), Given("tls-cert")], "")]);
        tls_cert: Option<PathBuf> = None, Serving, "FILE",
            "Serve TLS with this certificate (PEM)"
            .example("cert.pem").rules(&[Rule::needs(&[Given("tls-key")], "")]);
        tls_key: Option<PathBuf> = None, Serving, "FILE",
            "Private key of the certificate (PEM)"
            .example("key.pem").rules(&[Rule::needs(&[Given("tls-cert")], "")]);
        cores: Vec<usize> = Vec::new(), Serving, "LIST",
            "Cores to run on, as in 0,2"
            .example("0,2");
        spin: String = "auto".to_owned(), Serving, "WHEN",
            "Poll the clock before the end of a step: auto (with --cores, or on four cores and more), \
             on or off"
            .example("off").offers(&["auto", "on", "off"]);
        truth: Option<PathBuf> = None, Result, "FILE",
            "Write the truth log here: JSON lines, or Parquet for a name that ends in .parquet"
            .common().example("truth.jsonl");
        spans: Option<String> = None, Result, "HOST:PORT",
            "Send spans of requests that name a trace here: OTLP over HTTP, as protobuf, to /v1/traces"
            .example("127.0.0.1:4318");
        exit_with_parent: Option<u32> = None, General, "PID",
            "End when this process ends"
            .hidden().example("1");
    }
}
