//! Generated streams: however reads split them, the chunks are those that were generated.

use crate::support::{STREAM, chunked_stream, facts, feed, response};
use infermeter_core::record::TokenSource;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use serde_json::json;

/// One event: its bytes, and the text of its chunk if it is one.
type Event = (String, Option<String>);

fn event() -> impl Strategy<Value = Event> {
    let text = "\\PC{1,12}|[a-z\"\\\\\n\u{1}]{1,12}";
    let ends = prop_oneof![Just("\n"), Just("\r\n"), Just("\r")];
    let chunk = (text, ends.clone(), any::<bool>()).prop_map(|(text, end, space)| {
        let data = json!({"id": "x", "choices": [{"index": 0, "delta": {"content": text}}]});
        let space = if space { " " } else { "" };
        (format!("data:{space}{data}{end}{end}"), Some(text))
    });
    let other = prop_oneof![
        Just(": ping"),
        Just("data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}"),
        Just("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"}}]}"),
        Just("event: ping\ndata: whatever"),
        Just("id: 7"),
    ];
    let other = (other, ends).prop_map(|(line, end)| (format!("{line}{end}{end}"), None));
    prop_oneof![4 => chunk, 1 => other]
}

/// The bytes cut at these places.
fn cut<'b>(bytes: &'b [u8], cuts: &[prop::sample::Index]) -> Vec<&'b [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|c| c.index(bytes.len())).collect();
    places.sort_unstable();
    places.push(bytes.len());
    let mut start = 0;
    let piece = |end| &bytes[std::mem::replace(&mut start, end)..end];
    places.into_iter().map(piece).collect()
}

proptest! {
    #[test]
    fn chunks_are_those_generated(
        events in prop::collection::vec(event(), 1..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        chunked in any::<bool>(),
    ) {
        let mut body: String = events.iter().map(|(bytes, _)| bytes.as_str()).collect();
        body.push_str("data: [DONE]\n\n");
        let expected: Vec<&str> = events.iter().filter_map(|(_, text)| text.as_deref()).collect();
        let bytes = if chunked {
            chunked_stream(body.as_bytes())
        } else {
            response("200 OK", "text/event-stream", body.as_bytes())
        };
        let (_, whole) = feed(STREAM, &[&bytes]);
        let texts = whole.texts.clone().unwrap_or_default();
        let got: Vec<&str> = (0..whole.chunks.len()).map(|i| texts.get(i)).collect();
        assert_eq!(got, expected);
        assert!(whole.token_source.is_none_or(|source| source == TokenSource::Unknown));
        let (_, split) = feed(STREAM, &cut(&bytes, &cuts));
        assert_eq!(facts(&split), facts(&whole));
        assert!(split.chunks.iter().all(|chunk| chunk.lower <= chunk.at));
    }

    #[test]
    fn any_bytes_are_decoded_alike_however_split(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        infermeter_client::fuzzing::http(&bytes);
        infermeter_client::fuzzing::sse(&bytes);
        infermeter_client::fuzzing::answer(&bytes);
        infermeter_client::fuzzing::json(&bytes);
    }

    #[test]
    fn sse_like_text_is_decoded_alike_however_split(
        text in "(data|event|id|:|\r|\n| |a|\u{feff}|\\[DONE\\]){0,60}",
    ) {
        infermeter_client::fuzzing::sse(text.as_bytes());
        infermeter_client::fuzzing::answer(text.as_bytes());
    }

    #[test]
    fn json_like_text_is_judged_as_serde_json_does(
        text in "(\\{|\\}|\\[|\\]|,|:|\"|\\\\|u|d|8|0|3|-|\\.|e|null|true| |é){0,24}",
    ) {
        infermeter_client::fuzzing::json(text.as_bytes());
        infermeter_client::fuzzing::json(format!("\"{text}\"").as_bytes());
    }
}
