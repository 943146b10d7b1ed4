//! What requests carry: shares, members, images, and what is refused.

use super::*;
use flate2::read::ZlibDecoder;
use infermeter_core::plan::Plan;
use std::collections::HashSet;
use std::io::Read;

fn plan(change: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = Plan::defaults();
    change(&mut plan);
    plan
}

fn read(plan: &Plan) -> Result<Option<Kinds>, KindsError> {
    Kinds::of(&Carried::of_plan(plan)?)
}

fn kinds(change: impl FnOnce(&mut Plan)) -> Kinds {
    let kinds = read(&plan(change)).expect("kinds");
    kinds.expect("something is carried")
}

fn weights<T: std::str::FromStr>(texts: &[&str]) -> Vec<T> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

fn content(kinds: &Kinds, way: usize, id: u64) -> RequestContent {
    let mut content = RequestContent::of_prompt("Hello.");
    kinds.add_form_to(&mut content, way);
    kinds.add_to(&mut content, way, 7, id);
    content
}

fn names(content: &RequestContent) -> Vec<&str> {
    content.members().iter().map(|m| &*m.name).collect()
}

#[test]
fn plans_without_kinds_carry_nothing() {
    let nothing = read(&Plan::defaults()).expect("a plan");
    assert!(nothing.is_none());
}

#[test]
fn kinds_and_adapters_have_their_shares_and_nothing_to_do_with_each_other() {
    let kinds = kinds(|p| {
        p.kind = weights(&["plain=3", "tools=1"]);
        p.tools = Some("2".to_owned());
        p.lora = weights(&["a=1", "b=1"]);
    });
    assert_eq!(
        kinds.suffixes(),
        ["/plain@a", "/plain@b", "/tools@a", "/tools@b"]
    );
    let mut counts = [0_u32; 4];
    for id in 0..8_000 {
        counts[kinds.draw(11, id)] += 1;
    }
    for (count, share) in counts.iter().zip([0.375, 0.375, 0.125, 0.125]) {
        let found = f64::from(*count) / 8_000.0;
        assert!((found - share).abs() < 0.02, "{counts:?}");
    }
    assert_eq!(names(&content(&kinds, 0, 1)), ["model"]);
    let tools = content(&kinds, 3, 1);
    assert_eq!(names(&tools), ["tools", "model"]);
    assert_eq!(&*tools.members()[1].json, "\"b\"");
}

#[test]
fn without_a_mixture_every_request_carries_all() {
    let kinds = kinds(|p| {
        p.regex = Some("[a-z]+".to_owned());
        p.tools = Some("3".to_owned());
        p.tool_choice = Some("required".to_owned());
        p.images = "2@40x20".parse().ok();
    });
    assert_eq!((kinds.len(), kinds.suffixes()), (1, vec![String::new()]));
    let content = content(&kinds, 0, 5);
    let members = ["structured_outputs", "tools", "tool_choice"];
    assert_eq!(names(&content), members);
    assert_eq!(&*content.members()[0].json, r#"{"regex":"[a-z]+"}"#);
    let tools: Value = serde_json::from_str(&content.members()[1].json).expect("JSON");
    let called: HashSet<&str> = tools
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|tool| tool["function"]["name"].as_str())
        .collect();
    assert_eq!(called.len(), 3);
    assert_eq!(content.messages()[0].images.len(), 2);
}

#[test]
fn images_differ_unless_a_pool_is_asked_for() {
    let urls = |spec: &str, key: u64| -> Vec<Arc<str>> {
        let kinds = kinds(|p| p.images = spec.parse().ok());
        (0..40).flat_map(|id| kinds.images_of(key, id)).collect()
    };
    let distinct = |urls: &[Arc<str>]| urls.iter().collect::<HashSet<_>>().len();
    let all = urls("2@32x16", 1);
    assert_eq!((all.len(), distinct(&all)), (80, 80));
    assert_eq!(distinct(&urls("2@32x16/3", 1)), 3);
    let other_run = urls("2@32x16", 2);
    assert!(all.iter().all(|url| !other_run.contains(url)));
    assert_eq!(all, urls("2@32x16", 1));
}

/// Chunks and pixels are read back as the PNG specification has them.
#[test]
fn a_png_is_well_formed_and_has_its_size() {
    let (width, height) = (50_u32, 33_u32);
    let png = png::png(width, height, 3);
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let mut at = 8;
    let mut names = Vec::new();
    let mut pixels = Vec::new();
    while at < png.len() {
        let length = u32::from_be_bytes(png[at..at + 4].try_into().expect("four")) as usize;
        let chunk = &png[at + 4..at + 8 + length];
        let sum = u32::from_be_bytes(png[at + 8 + length..][..4].try_into().expect("four"));
        let mut crc = flate2::Crc::new();
        crc.update(chunk);
        assert_eq!(crc.sum(), sum);
        names.push(chunk[..4].to_vec());
        if &chunk[..4] == b"IHDR" {
            assert_eq!(chunk[4..8], width.to_be_bytes());
            assert_eq!(chunk[8..12], height.to_be_bytes());
        }
        if &chunk[..4] == b"IDAT" {
            let mut zlib = ZlibDecoder::new(&chunk[4..]);
            zlib.read_to_end(&mut pixels).expect("compressed");
        }
        at += 12 + length;
    }
    assert_eq!(names, [b"IHDR", b"IDAT", b"IEND"]);
    let row = 1 + width as usize * 3;
    assert_eq!(pixels.len(), row * height as usize);
    let filters: HashSet<u8> = pixels.chunks(row).map(|row| row[0]).collect();
    assert_eq!(filters, HashSet::from([0, 2]));
    // A row of tiles: the second pixel is as the first, the seventeenth is not.
    assert_eq!(pixels[1..4], pixels[4..7]);
    assert_ne!(pixels[1..4], pixels[1 + 16 * 3..4 + 16 * 3]);
}

#[track_caller]
fn refused(change: impl FnOnce(&mut Plan), expect: &str) {
    let error = read(&plan(change)).expect_err("must be refused");
    let said = error.to_string();
    assert!(said.contains(expect), "{said}");
}

#[test]
fn what_does_not_fit_together_is_refused() {
    refused(
        |p| p.kind = weights(&["schema=1"]),
        "--kind schema needs --schema FILE, --regex",
    );
    refused(
        |p| {
            p.kind = weights(&["plain=1"]);
            p.tools = Some("1".to_owned());
        },
        "--kind names no tools",
    );
    refused(
        |p| p.kind = weights(&["plain=1", "plain=2"]),
        "--kind plain is given twice",
    );
    refused(
        |p| {
            p.regex = Some("a".to_owned());
            p.schema = Some("s.json".into());
        },
        "exclude each other",
    );
    refused(
        |p| p.schema = Some("/nowhere/s.json".into()),
        "--schema: /nowhere/s.json cannot be read",
    );
    refused(|p| p.tools = Some("0".to_owned()), "from 1 to 128");
    refused(
        |p| {
            p.tools = Some("2".to_owned());
            p.tool_choice = Some("find_ordr_1".to_owned());
        },
        "did you mean `find_order_1`?",
    );
    refused(|p| p.tool_choice = Some("auto".to_owned()), "needs --tools");
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("f");
    std::fs::write(&file, "[1]").expect("written");
    let (image, schema) = (file.clone(), file.clone());
    refused(|p| p.image = vec![image], "no PNG, JPEG, GIF or WebP image");
    refused(|p| p.schema = Some(schema), "no JSON object");
    refused(
        |p| p.tools = Some(file.display().to_string()),
        "no list of tools",
    );
}
