//! Prints what decoding costs: nanoseconds per event, from the bytes of a read to the recorded
//! chunk, for several kinds of streams and events per read. Run with `--release`.

#![expect(clippy::print_stdout, reason = "an example's output")]

use infermeter_client::KeepTexts;
use infermeter_client::dialect::Dialect;
use infermeter_client::response::{Expect, ReadResult, ReadStamp, ResponseReader};
use infermeter_core::clock::{Offset, monotonic_ns};
use infermeter_core::plan::Endpoint;
use infermeter_core::record::StampSource;

const EVENTS: usize = 4096;

fn event(i: usize, varying: bool, usage: bool) -> String {
    let usage = if usage {
        format!(
            r#","usage":{{"prompt_tokens":11,"total_tokens":{0},"completion_tokens":{0}}}"#,
            i + 1
        )
    } else {
        String::new()
    };
    let created = 1_767_225_600 + if varying { i } else { 0 };
    let mut data = format!(
        r#"data: {{"id":"chatcmpl-0123456789abcdef0123456789abcdef","object":"chat.completion.chunk","created":{created},"model":"meta-llama/Llama-3.1-8B-Instruct","choices":[{{"index":0,"delta":{{"content":" t{:04}"}},"logprobs":null,"finish_reason":null}}]{usage}"#,
        i % 10_000
    );
    data.push_str("}\n\n");
    data
}

fn stream(varying: bool, usage: bool, per_read: usize) -> Vec<Vec<u8>> {
    let events: Vec<Vec<u8>> = (0..EVENTS)
        .map(|i| {
            let data = event(i, varying, usage);
            format!("{:x}\r\n{data}\r\n", data.len()).into_bytes()
        })
        .collect();
    events.chunks(per_read).map(<[Vec<u8>]>::concat).collect()
}

fn main() {
    println!("one event: {} bytes", event(0, false, false).len());
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
        transfer-encoding: chunked\r\n\r\n";
    for (name, varying, usage, keep_texts) in [
        ("alike", false, false, KeepTexts::No),
        ("alike, texts kept", false, false, KeepTexts::Always),
        ("created differs", true, false, KeepTexts::No),
        ("continuous usage", false, true, KeepTexts::No),
    ] {
        for per_read in [1, 8] {
            let expect = Expect {
                dialect: Dialect::of(Endpoint::Chat),
                streaming: true,
                keep_texts,
                output_tokens: EVENTS,
                numbers: infermeter_client::response::Numbers::NONE,
            };
            let reads = stream(varying, usage, per_read);
            let mut reader = ResponseReader::new(expect);
            let mut best = f64::INFINITY;
            for _ in 0..200 {
                reader.reset(expect);
                let stamp = ReadStamp {
                    at: Offset(10),
                    seen: Offset(11),
                    lower: Offset(0),
                    source: StampSource::Kernel,
                };
                reader.read(head, stamp);
                let start = monotonic_ns();
                for read in &reads {
                    let result = reader.read(read, stamp);
                    assert_eq!(result, ReadResult::NeedMore);
                }
                let ns = monotonic_ns() - start;
                assert_eq!(reader.chunks_so_far(), EVENTS);
                best = best.min(ns as f64 / EVENTS as f64);
            }
            println!("{name}, {per_read} per read: {best:.0} ns/event");
        }
    }
}
