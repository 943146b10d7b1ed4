//! Cheats as clients see them, over sockets in every API and in virtual time, and what the truth log says of them.

use crate::client::{Connection, fast, start};
use infermeter_core::plan::Endpoint;
use infermeter_core::record::{ChunkKind, RequestRecord};
use infermeter_core::schedule::Phase;
use infermeter_mock::engine::{Fleet, SequenceId};
use infermeter_mock::virtual_time::{Intake, Patience, Sorted, run};
use infermeter_mock::{Config, truth};
use serde_json::{Value, json};

const ALL: [Endpoint; 4] = [
    Endpoint::Chat,
    Endpoint::Completions,
    Endpoint::Messages,
    Endpoint::Responses,
];

/// What a client has of one answer.
#[derive(Debug, Clone, PartialEq, Default)]
struct Seen {
    content: String,
    reasoning: String,
    calls: String,
    /// Events with output.
    chunks: usize,
    first: String,
    usage: u64,
    finish: String,
}

fn with(cheats: &[&str]) -> Config {
    let mut config = fast();
    config.cheats = cheats
        .iter()
        .map(|text| text.parse().expect("a rule"))
        .collect();
    config
}

fn body(endpoint: Endpoint, text: &str, more: Value) -> String {
    let said = json!([{"role": "user", "content": text}]);
    let mut body = match endpoint {
        Endpoint::Completions => json!({"prompt": text, "max_tokens": 60}),
        Endpoint::Responses => json!({"input": said, "max_output_tokens": 60}),
        _ => json!({"messages": said, "max_tokens": 60}),
    };
    let members = body.as_object_mut().expect("an object");
    members.insert("stream".to_owned(), true.into());
    if matches!(endpoint, Endpoint::Chat | Endpoint::Completions) {
        let options = json!({"include_usage": true, "continuous_usage_stats": true});
        members.insert("stream_options".to_owned(), options);
    }
    if let Value::Object(more) = more {
        members.extend(more);
    }
    body.to_string()
}

impl Seen {
    fn add(&mut self, kind: ChunkKind, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.chunks == 0 {
            self.first = text.to_owned();
        }
        self.chunks += 1;
        let part = match kind {
            ChunkKind::Reasoning => &mut self.reasoning,
            ChunkKind::ToolCall => &mut self.calls,
            ChunkKind::Text | ChunkKind::Refusal => &mut self.content,
        };
        part.push_str(text);
    }

    fn note(&mut self, event: &Value) {
        let text = |pointer: &str| {
            event
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let choice = "/choices/0";
        let of_choice = |name: &str| text(&format!("{choice}/{name}")).to_owned();
        self.add(ChunkKind::Text, &of_choice("delta/content"));
        self.add(ChunkKind::Text, &of_choice("text"));
        self.add(ChunkKind::Reasoning, &of_choice("delta/reasoning_content"));
        self.add(
            ChunkKind::ToolCall,
            &of_choice("delta/tool_calls/0/function/name"),
        );
        self.add(
            ChunkKind::ToolCall,
            &of_choice("delta/tool_calls/0/function/arguments"),
        );
        match text("/type") {
            "content_block_delta" => {
                self.add(ChunkKind::Text, text("/delta/text"));
                self.add(ChunkKind::Reasoning, text("/delta/thinking"));
                self.add(ChunkKind::ToolCall, text("/delta/partial_json"));
            }
            "content_block_start" => self.add(ChunkKind::ToolCall, text("/content_block/name")),
            "response.output_text.delta" => self.add(ChunkKind::Text, text("/delta")),
            "response.reasoning_text.delta" => self.add(ChunkKind::Reasoning, text("/delta")),
            "response.function_call_arguments.delta" => {
                self.add(ChunkKind::ToolCall, text("/delta"));
            }
            "response.output_item.added" => self.add(ChunkKind::ToolCall, text("/item/name")),
            _ => {}
        }
        for pointer in [
            "/usage/completion_tokens",
            "/usage/output_tokens",
            "/response/usage/output_tokens",
        ] {
            if let Some(tokens) = event.pointer(pointer).and_then(Value::as_u64) {
                self.usage = tokens;
            }
        }
        let why = text("/response/incomplete_details/reason").to_owned();
        let finishes = [
            of_choice("finish_reason"),
            text("/delta/stop_reason").to_owned(),
            why,
        ];
        let status = text("/response/status").to_owned();
        let status = (status == "completed").then_some(status);
        if let Some(finish) = finishes
            .into_iter()
            .chain(status)
            .find(|word| !word.is_empty())
        {
            self.finish = finish;
        }
    }

    fn of_record(record: &RequestRecord) -> Self {
        let mut seen = Self {
            usage: record.output_tokens.map_or(0, u64::from),
            finish: record.finish_reason.clone().unwrap_or_default(),
            ..Self::default()
        };
        let texts = record.texts.as_ref().expect("texts");
        for (place, chunk) in record.chunks.iter().enumerate() {
            seen.add(chunk.kind, texts.get(place));
        }
        seen
    }
}

/// Over a socket.
fn live(connection: &mut Connection, endpoint: Endpoint, body: &str) -> Seen {
    connection.post(endpoint.api().path, "", body);
    let response = connection.response().expect("a response");
    assert_eq!(response.status, 200, "{}", response.body);
    let mut seen = Seen::default();
    for line in response.body.lines() {
        let data = line.strip_prefix("data: ").filter(|data| *data != "[DONE]");
        if let Some(data) = data {
            seen.note(&serde_json::from_str(data).expect("JSON"));
        }
    }
    seen
}

/// The records of requests that come one after the other, in virtual time.
fn virtually(config: &Config, endpoint: Endpoint, bodies: &[String]) -> Vec<RequestRecord> {
    let patience = Patience {
        whole_ns: i64::MAX / 2,
        first_ns: None,
        idle_ns: None,
    };
    let mut intake = Intake::new(config.clone(), patience)
        .expect("no faults")
        .with_texts();
    let params = config.engine_params().expect("a simulator");
    let one = |(number, body): (usize, &String)| {
        let id = SequenceId(number as u64);
        let taken = intake.take(id, endpoint, body.as_bytes(), 0);
        let mut fleet = Fleet::new(params.clone(), 1);
        let mut record = None;
        run(
            &mut fleet,
            &mut Sorted::new([(0, taken.request)]),
            |answered| {
                record = Some(answered.to_record(0, Phase::Measure));
            },
        );
        let mut record = record.expect("an answer");
        taken.spoken.expect("texts are asked for").fill(&mut record);
        record
    };
    bodies.iter().enumerate().map(one).collect()
}

/// What both say of the same bodies: the same.
fn both(config: &Config, endpoint: Endpoint, bodies: &[String]) -> Vec<Seen> {
    let mock = start(config.clone());
    let mut connection = Connection::open(mock.address());
    let records = virtually(config, endpoint, bodies);
    let each = bodies.iter().zip(&records).map(|(body, record)| {
        let seen = live(&mut connection, endpoint, body);
        assert_eq!(seen, Seen::of_record(record), "{endpoint:?} {body}");
        seen
    });
    each.collect()
}

fn first(cheats: &[&str], endpoint: Endpoint) -> Seen {
    let bodies = [body(endpoint, "one two", json!({"ignore_eos": true}))];
    both(&with(cheats), endpoint, &bodies).remove(0)
}

const SUM: &str = "What is 12 plus 30? Answer with the number and nothing else.";

fn tools() -> Value {
    json!([{"type": "function", "function": {"name": "get_weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}}}}}])
}

#[test]
fn virtual_time_says_what_a_socket_says() {
    let mut config = fast();
    config.content.reasoning_tokens = 5;
    let format = json!({"response_format": {"type": "json_object"}});
    let mut bodies = vec![
        body(Endpoint::Chat, "one", json!({})),
        body(Endpoint::Chat, "two", json!({"ignore_eos": true})),
        body(Endpoint::Chat, SUM, json!({"temperature": 0})),
        body(Endpoint::Chat, "three", json!({"tools": tools()})),
        body(Endpoint::Chat, "four", format),
        body(
            Endpoint::Chat,
            "five",
            json!({"temperature": 0.7, "seed": 3}),
        ),
    ];
    let seen = both(&config, Endpoint::Chat, &bodies);
    assert!(seen[2].content.contains("42"), "{:?}", seen[2]);
    assert!(seen[3].calls.starts_with("get_weather{"), "{:?}", seen[3]);
    assert_eq!(seen[3].finish, "tool_calls");
    bodies.clear();
    for endpoint in ALL {
        let bodies = [
            body(endpoint, "one", json!({})),
            body(endpoint, SUM, json!({})),
            body(endpoint, "two", json!({"ignore_eos": true})),
        ];
        let seen = both(&config, endpoint, &bodies);
        assert!(seen[1].content.contains("42"), "{endpoint:?} {:?}", seen[1]);
        assert_eq!(seen[2].usage, 60);
    }
}

#[test]
fn usage_lies_in_every_api() {
    for endpoint in ALL {
        let honest = first(&[], endpoint);
        let half = first(&["usage-half"], endpoint);
        let double = first(&["usage-double"], endpoint);
        assert_eq!((honest.usage, half.usage, double.usage), (60, 30, 120));
        assert_eq!(
            (&half.content, half.chunks),
            (&honest.content, honest.chunks)
        );
        assert_eq!(double.content, honest.content);
    }
}

#[test]
fn chunks_come_twice_and_blanks_come_first_in_every_api() {
    for endpoint in ALL {
        let honest = first(&[], endpoint);
        let twice = first(&["duplicate-chunks"], endpoint);
        assert_eq!((twice.chunks, twice.usage), (120, 60), "{endpoint:?}");
        assert_eq!(twice.content.len(), 2 * honest.content.len());
        let blank = first(&["blank-first"], endpoint);
        assert_eq!(
            (blank.first.as_str(), blank.usage, blank.chunks),
            (" ", 60, 60)
        );
        assert!(honest.content.starts_with(&blank.content[1..]));
        let both = first(&["blank-first", "usage-half"], endpoint);
        assert_eq!((both.first.as_str(), both.usage), (" ", 30));
    }
}

#[test]
fn held_back_tokens_come_in_bursts() {
    let bodies = [body(
        Endpoint::Chat,
        "one",
        json!({"max_tokens": 400, "ignore_eos": true}),
    )];
    let record = virtually(&with(&["held-back"]), Endpoint::Chat, &bodies).remove(0);
    assert_eq!(record.chunks.len(), 400);
    // When they are heard is the fate of the request.
    let patience = Patience {
        whole_ns: i64::MAX / 2,
        first_ns: None,
        idle_ns: None,
    };
    let mut intake = Intake::new(with(&["held-back"]), patience).expect("no faults");
    let taken = intake.take(SequenceId(1), Endpoint::Chat, bodies[0].as_bytes(), 0);
    let period = infermeter_mock::virtual_time::Fate::HeldBack(100_000_000);
    assert_eq!(taken.fate, period);
    let honest = first(&[], Endpoint::Chat);
    let mock = start(with(&["held-back"]));
    let mut connection = Connection::open(mock.address());
    let body = body(Endpoint::Chat, "one two", json!({"ignore_eos": true}));
    assert_eq!(live(&mut connection, Endpoint::Chat, &body), honest);
}

#[test]
fn answers_are_not_what_they_should_be() {
    for endpoint in ALL {
        let garbage = first(&["garbage-above:1@0"], endpoint);
        assert_ne!(garbage.content, first(&[], endpoint).content);
        let early = first(&["early-stop"], endpoint);
        assert_eq!(early.usage, 31, "{endpoint:?}");
        assert!(!matches!(
            early.finish.as_str(),
            "length" | "max_tokens" | "max_output_tokens"
        ));
        let flip = first(&["language-flip:1"], endpoint);
        assert!(!flip.content.is_ascii() && flip.content[..40].is_ascii());
        let refused = first(&["refused-as-200:1"], endpoint);
        assert!(
            refused.usage < 30 && !refused.content.is_empty(),
            "{refused:?}"
        );
    }
    let mut config = with(&["tools-misnamed:1", "schema-ignored"]);
    let bodies = [
        body(Endpoint::Chat, "one", json!({"tools": tools()})),
        body(
            Endpoint::Chat,
            "two",
            json!({"response_format": {"type": "json_object"}}),
        ),
    ];
    let seen = both(&config, Endpoint::Chat, &bodies);
    assert!(seen[0].calls.starts_with("getWeather{"), "{:?}", seen[0]);
    assert!(serde_json::from_str::<Value>(&seen[1].content).is_err());
    config = with(&["reasoning-dropped:1"]);
    config.content.reasoning_tokens = 9;
    for endpoint in [Endpoint::Chat, Endpoint::Messages, Endpoint::Responses] {
        let bodies = [body(endpoint, "one", json!({"ignore_eos": true}))];
        let seen = both(&config, endpoint, &bodies).remove(0);
        assert_eq!((seen.reasoning.as_str(), seen.usage), ("", 60));
    }
}

#[test]
fn greedy_answers_depend_on_the_prompt_alone_and_sampled_ones_on_nothing() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    let mut ask = |more: Value| {
        let body = body(Endpoint::Chat, "one", more);
        live(&mut connection, Endpoint::Chat, &body).content
    };
    let greedy = ask(json!({"temperature": 0}));
    let sampled = [
        ask(json!({"temperature": 1})),
        ask(json!({"temperature": 1})),
    ];
    assert_ne!(sampled[0], sampled[1]);
    assert_eq!(greedy, ask(json!({"temperature": 0})));
    let seeded = |seed: u64| json!({"temperature": 1, "seed": seed});
    assert_eq!(ask(seeded(4)), ask(seeded(4)));
    assert_ne!(ask(seeded(4)), ask(seeded(5)));
}

#[test]
fn numeric_noise_shows_under_load_alone() {
    let mut config = fast();
    config.content.batch_variance = 0.03;
    let patience = Patience {
        whole_ns: i64::MAX / 2,
        first_ns: None,
        idle_ns: None,
    };
    let text = |there: u32, temperature: f64| {
        let mut intake = Intake::new(config.clone(), patience)
            .expect("no faults")
            .with_texts();
        intake.note_there(there);
        let more =
            json!({"max_tokens": 300, "ignore_eos": true, "temperature": temperature, "seed": 1});
        let body = body(Endpoint::Chat, "one", more);
        let taken = intake.take(SequenceId(1), Endpoint::Chat, body.as_bytes(), 0);
        let mut fleet = Fleet::new(config.engine_params().expect("a simulator"), 1);
        let mut record = None;
        run(
            &mut fleet,
            &mut Sorted::new([(0, taken.request)]),
            |answered| {
                record = Some(answered.to_record(0, Phase::Measure));
            },
        );
        let mut record = record.expect("an answer");
        taken.spoken.expect("texts").fill(&mut record);
        Seen::of_record(&record).content
    };
    let (solo, loaded) = (text(0, 0.0), text(5, 0.0));
    assert_eq!(solo, text(0, 0.0));
    assert_ne!(solo, loaded);
    let common = solo
        .bytes()
        .zip(loaded.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    assert!(common < solo.len() && loaded.split_whitespace().count() == 300);
}

#[test]
fn log_probabilities_stand_where_the_apis_have_them() {
    let mock = start(fast());
    let mut connection = Connection::open(mock.address());
    let plain = live(
        &mut connection,
        Endpoint::Chat,
        &body(Endpoint::Chat, "one", json!({"ignore_eos": true})),
    );
    let more = json!({"ignore_eos": true, "logprobs": true, "top_logprobs": 2});
    connection.post(
        "/v1/chat/completions",
        "",
        &body(Endpoint::Chat, "one", more.clone()),
    );
    let streamed = connection.response().expect("a response").chunks();
    let entries: Vec<Value> = streamed
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["logprobs"]["content"].as_array())
        .flatten()
        .cloned()
        .collect();
    let text: String = entries
        .iter()
        .filter_map(|entry| entry["token"].as_str())
        .collect();
    assert_eq!((text, entries.len()), (plain.content.clone(), 60));
    for entry in &entries {
        let top = entry["top_logprobs"].as_array().expect("a list");
        assert_eq!((top.len(), &top[0]["token"]), (2, &entry["token"]));
        assert!(top[0]["logprob"].as_f64() > top[1]["logprob"].as_f64());
        assert_ne!(top[0]["token"], top[1]["token"]);
    }
    let whole = body(Endpoint::Chat, "one", more).replace("\"stream\":true", "\"stream\":false");
    let whole: Value = serde_json::from_str(&whole).expect("a body");
    let mut whole = whole.as_object().cloned().expect("an object");
    whole.remove("stream_options");
    let whole = connection
        .chat("", &Value::Object(whole).to_string())
        .json();
    assert_eq!(
        whole["choices"][0]["logprobs"]["content"],
        Value::Array(entries)
    );
    let more = json!({"ignore_eos": true, "logprobs": 1, "max_tokens": 5});
    connection.post(
        "/v1/completions",
        "",
        &body(Endpoint::Completions, "one", more),
    );
    let chunks = connection.response().expect("a response").chunks();
    let second = &chunks[1]["choices"][0];
    let logprobs = &second["logprobs"];
    assert_eq!(logprobs["tokens"][0], second["text"]);
    let first = chunks[0]["choices"][0]["text"]
        .as_str()
        .expect("a text")
        .len();
    assert_eq!(logprobs["text_offset"][0], first);
    assert_eq!(
        logprobs["top_logprobs"][0].as_object().map(|top| top.len()),
        Some(1)
    );
    assert!(logprobs["token_logprobs"][0].is_f64());
}

#[test]
fn the_truth_log_names_the_cheats_of_each_answer() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut config = with(&["usage-half", "schema-ignored", "early-stop:50%"]);
    config.truth = Some(directory.path().join("truth.jsonl"));
    let mock = start(config);
    let mut connection = Connection::open(mock.address());
    for n in 0..20 {
        let more = json!({"ignore_eos": true});
        live(
            &mut connection,
            Endpoint::Chat,
            &body(Endpoint::Chat, &format!("one {n}"), more),
        );
    }
    drop(connection);
    mock.stop().expect("it served");
    let log = truth::read(&directory.path().join("truth.jsonl")).expect("a log");
    assert_eq!(
        log.header.settings["cheat"],
        json!(["usage-half", "schema-ignored", "early-stop:0.5"])
    );
    let named = |name: &str| {
        let has = |request: &&truth::TruthRequest| request.cheats.iter().any(|cheat| cheat == name);
        log.requests.iter().filter(has).count()
    };
    assert_eq!((named("usage-half"), named("schema-ignored")), (20, 0));
    let early = named("early-stop");
    assert!((3..18).contains(&early), "{early}");
    for request in &log.requests {
        let is_early = request.cheats.iter().any(|cheat| cheat == "early-stop");
        assert_eq!(request.tokens_ns.len(), if is_early { 30 } else { 60 });
    }
}
