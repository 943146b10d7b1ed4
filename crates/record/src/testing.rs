//! Values for tests.

use infermeter_core::answer::{
    AnswerFacts, Doubt, Question, QuestionKind, Reference, Repeat, Writing,
};
use infermeter_core::clock::{Clock, Offset};
use infermeter_core::environment::Environment;
use infermeter_core::finding::{Finding, Severity, Verdict};
use infermeter_core::plan::Plan;
use infermeter_core::record::{
    Chunk, ChunkKind, ChunkTexts, Outcome, Reason, RequestError, RequestRecord, ServerTimes,
    StampSource, TokenSource,
};
use infermeter_core::request::Turn;
use infermeter_core::run::{
    ClientHealth, FORMAT_VERSION, LoadModel, RunManifest, RunState, Window,
};
use infermeter_core::schedule::Phase;
use infermeter_core::seed::{Seeds, splitmix64};
use proptest::prelude::{Just, Strategy, any};
use proptest::{collection, option, sample};

/// Names for the class indices that [`arbitrary_record`] uses.
pub(crate) fn classes() -> Vec<String> {
    ["chat", "fixed", "summarization"]
        .map(str::to_owned)
        .to_vec()
}

/// A request that was never sent.
pub(crate) fn unsent(id: u64) -> RequestRecord {
    let intended = Offset(id as i64 * 50_000_000 - 10_000_000);
    RequestRecord::unsent(id, 0, Phase::Measure, intended, 100, 128)
}

/// A completed request with chunks about every 20 ms, stamps as realistic as a hash makes them.
pub(crate) fn record(id: u64, chunks: usize) -> RequestRecord {
    let mut record = unsent(id);
    let start = record.intended.plus(80_000);
    record.send_start = Some(start);
    record.sent = Some(start.plus(15_000));
    let mut at = start.plus(50_000_000);
    record.first_byte = Some(at);
    record.first_byte_seen = Some(at.plus(40_000));
    for i in 0..chunks {
        let noise = splitmix64(id << 20 | i as u64);
        at = at.plus(19_500_000 + (noise % 1_000_000) as i64);
        record.chunks.push(Chunk {
            at,
            seen: at.plus(10_000 + (noise >> 20) as i64 % 90_000),
            lower: at,
            tokens: 1,
            read: i as u32 + 1,
            kind: ChunkKind::Text,
        });
    }
    record.finished = Some(at);
    record.closed = Some(at.plus(100_000));
    record.outcome = Outcome::Completed;
    record.status = Some(200);
    record.finish_reason = Some("length".to_owned());
    record.prompt_tokens = Some(101);
    record.output_tokens = Some(chunks as u32);
    record.token_source = Some(TokenSource::OnePerChunk);
    record.connection = Some(id as u32 % 64);
    record.new_connection = Some(false);
    record.attempts = 1;
    record.stamp_source = Some(StampSource::Kernel);
    record
}

/// A manifest with something in most of its fields.
pub(crate) fn manifest() -> RunManifest {
    RunManifest {
        format_version: FORMAT_VERSION,
        infermeter_version: "0.1.0".to_owned(),
        run_id: "00ff".to_owned(),
        state: RunState::Finished,
        plan: Plan {
            target: "http://localhost:8000".to_owned(),
            rate: Some(20.0),
            ..Plan::defaults()
        },
        plan_hash: "ab".to_owned(),
        seeds: Seeds::derive(1),
        model: "m".to_owned(),
        load_model: LoadModel::OpenLoop,
        rate_asked: Some(20.0),
        addresses: Vec::new(),
        classes: classes(),
        clock: Clock {
            monotonic_origin_ns: 5,
            realtime_origin_ns: 7,
        },
        window: Some(Window {
            start: Offset(-1),
            end: Offset(9),
        }),
        schedule: None,
        progress: None,
        environment: Environment {
            other: serde_json::Map::from_iter([("governor".to_owned(), serde_json::Value::Null)]),
            ..Environment::default()
        },
        calibration: None,
        imported: None,
        control_requests: Vec::new(),
        run_findings: Vec::new(),
        client_health: Some(ClientHealth::default()),
        clients: Vec::new(),
        rank: None,
        evals: Vec::new(),
        solo: None,
        verdict: Some(Verdict::Valid),
        findings: vec![finding()],
        summary: None,
        seal: None,
    }
}

fn finding() -> Finding {
    Finding {
        code: "a-code".to_owned(),
        severity: Severity::Note,
        scope: None,
        dimension: None,
        message: "m".to_owned(),
        evidence: "e".to_owned(),
        advice: "a".to_owned(),
    }
}

fn instant() -> impl Strategy<Value = Offset> {
    proptest::prop_oneof![
        any::<i64>().prop_map(Offset),
        (-1_000_000_000i64..60_000_000_000).prop_map(Offset)
    ]
}

fn chunk() -> impl Strategy<Value = Chunk> {
    let tokens = proptest::prop_oneof![Just(1), Just(Chunk::TOKENS_UNKNOWN), any::<u32>()];
    (
        instant(),
        instant(),
        instant(),
        tokens,
        any::<u32>(),
        0u8..4,
    )
        .prop_map(|(at, seen, lower, tokens, read, kind)| Chunk {
            at,
            seen,
            lower,
            tokens,
            read,
            kind: ChunkKind::from_u8(kind).expect("one of four"),
        })
}

fn texts() -> impl Strategy<Value = ChunkTexts> {
    (any::<Vec<u8>>(), any::<Vec<u32>>()).prop_map(|(bytes, ends)| ChunkTexts { bytes, ends })
}

/// What may be found of an answer: no journal keeps it.
pub(crate) fn arbitrary_answer() -> impl Strategy<Value = Box<AnswerFacts>> {
    let doubts = collection::vec(sample::select(&Doubt::ALL[..]), 0..4);
    let script = option::of(sample::select(&Writing::ALL[..]));
    let hashes = (any::<u64>(), any::<u64>());
    let kind = sample::select(&QuestionKind::ALL[..]);
    let question = option::of((kind, any::<u32>()).prop_map(|(kind, row)| Question { kind, row }));
    let repeat = proptest::prop_oneof![
        Just(Repeat::Equal),
        any::<u32>().prop_map(Repeat::DivergedAt)
    ];
    let places = (option::of(any::<u32>()), option::of(any::<u32>()));
    let reference = (any::<u32>(), places, option::of(repeat)).prop_map(
        |(chars, (diverged_at, margin_mnat), repeat)| Reference {
            chars,
            diverged_at,
            margin_mnat,
            repeat,
        },
    );
    let judged = (option::of(any::<bool>()), option::of(reference));
    (doubts, any::<u32>(), script, hashes, question, judged).prop_map(
        |(doubts, chars, script, (text_hash, prompt_hash), question, (correct, reference))| {
            Box::new(AnswerFacts {
                doubts: doubts.into_iter().collect(),
                chars,
                script,
                text_hash,
                prompt_hash,
                question,
                correct,
                reference,
            })
        },
    )
}

/// Any record whose class is one of [`classes`] and whose id is below 2^63.
pub(crate) fn arbitrary_record() -> impl Strategy<Value = RequestRecord> {
    let head = (
        0..=i64::MAX as u64,
        0u16..3,
        0usize..3,
        0usize..5,
        instant(),
    );
    let instants = collection::vec(option::of(instant()), 10);
    let numbers = collection::vec(option::of(any::<u32>()), 7);
    let counts = (
        any::<u32>(),
        any::<u32>(),
        any::<u8>(),
        option::of(any::<u16>()),
    );
    const REASONS: [Reason; 4] = [
        Reason::ConnectFailed,
        Reason::InBandError,
        Reason::LocalResource,
        Reason::PortsExhausted,
    ];
    let labels = (
        option::of((sample::select(&REASONS[..]), ".*")),
        option::of(".*"),
        option::of(sample::select(
            &[
                TokenSource::ContinuousUsage,
                TokenSource::TokenIds,
                TokenSource::OnePerChunk,
                TokenSource::Tokenizer,
                TokenSource::Estimated,
                TokenSource::Unknown,
            ][..],
        )),
        option::of(any::<bool>()),
        option::of(any::<bool>()),
    );
    let place = (
        option::of((0..=i64::MAX as u64, any::<u32>())),
        option::of(0..=i64::MAX as u64),
    )
        .prop_map(|(turn, parent)| {
            (
                turn.map(|(session, number)| Turn { session, number }),
                parent,
            )
        });
    let lists = (collection::vec(chunk(), 0..12), option::of(texts()));
    (head, instants, numbers, counts, labels, place, lists).prop_map(
        |(head, instants, numbers, counts, labels, place, lists)| {
            let phase = [Phase::Warmup, Phase::Measure, Phase::Drain][head.2];
            let (prompt, output, attempts, status) = counts;
            let mut r = RequestRecord::unsent(head.0, head.1, phase, head.4, prompt, output);
            r.outcome = Outcome::ALL[head.3];
            (r.send_start, r.connected, r.tls_done) = (instants[0], instants[1], instants[2]);
            (r.sent, r.first_byte, r.first_byte_seen) = (instants[3], instants[4], instants[5]);
            (r.finished, r.closed, r.left) = (instants[6], instants[7], instants[8]);
            r.planned = instants[9];
            (r.turn, r.parent) = place;
            (r.prompt_tokens, r.output_tokens) = (numbers[0], numbers[1]);
            (r.cached_tokens, r.reasoning_tokens) = (numbers[2], numbers[3]);
            (r.connection, r.attempts, r.status) = (numbers[4], attempts, status);
            r.address = numbers[0];
            r.error = labels.0.map(|(reason, text)| RequestError { reason, text });
            r.finish_reason = labels.1;
            r.token_source = labels.2;
            r.new_connection = labels.3;
            let source = |kernel| {
                if kernel {
                    StampSource::Kernel
                } else {
                    StampSource::Program
                }
            };
            r.stamp_source = labels.4.map(source);
            (r.items, r.dimensions) = (numbers[5], numbers[6]);
            let time = |n: usize| numbers[n].map(i64::from);
            r.server_times = ServerTimes {
                queue_ns: time(2),
                prefill_ns: time(3),
                decode_ns: time(5),
                processing_ns: instants[6].map(|at| at.0),
            };
            (r.chunks, r.texts) = lists;
            r
        },
    )
}
