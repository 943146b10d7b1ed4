//! A block as it is run: other flags, and the simulator as the server.

use super::checked::flags_of;
use super::shell;
use regex::Regex;

/// The text with `flags` in place of the commands' own, and added to those that know them, and with `url` as every server.
pub fn edited(script: &str, flags: &[String], url: &str) -> String {
    let mut edits: Vec<(usize, usize, String)> = Vec::new();
    for command in shell::commands(script) {
        if !command.is_of("infermeter") {
            continue;
        }
        let known = flags_of(&command.texts());
        for (flag, value) in pairs(flags) {
            if !known.contains(&flag) {
                continue;
            }
            let (words, with) = (&command.words, format!("{flag}={value}"));
            let own = words.iter().position(|word| word.text == flag);
            let joined = words
                .iter()
                .position(|word| word.text.starts_with(&format!("{flag}=")));
            let last = words.last().expect("a word").end;
            edits.push(match (own, joined) {
                (Some(at), _) if value.is_empty() => (words[at].begin, words[at].end, flag),
                (Some(at), _) => match words
                    .get(at + 1)
                    .filter(|next| !next.text.starts_with("--"))
                {
                    Some(next) => (words[at].begin, next.end, format!("{flag} {value}")),
                    None => (words[at].begin, words[at].end, with),
                },
                (None, Some(at)) => (words[at].begin, words[at].end, with),
                (None, None) => (last, last, format!(" {flag} {value}")),
            });
        }
    }
    let mut text = script.to_owned();
    // From the end, so that what is in front stays where it is; of two at one place the first stays first.
    edits.sort_by_key(|(begin, _, _)| *begin);
    for (begin, end, with) in edits.into_iter().rev() {
        text.replace_range(begin..end, &with);
    }
    served(&text, url)
}

/// The text with `url` as every server.
pub fn served(text: &str, url: &str) -> String {
    let server = Regex::new(r"http://[A-Za-z0-9.-]+:80\d\d\b").expect("a pattern");
    server.replace_all(text, url).into_owned()
}

/// Flags with their values; a switch has none.
fn pairs(flags: &[String]) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for word in flags {
        match (word.split_once('='), pairs.last_mut()) {
            (Some((flag, value)), _) if flag.starts_with("--") => {
                pairs.push((flag.to_owned(), value.to_owned()));
            }
            _ if word.starts_with("--") => pairs.push((word.clone(), String::new())),
            (_, Some(last)) => last.1 = word.clone(),
            (_, None) => panic!("{word}: a value without its flag"),
        }
    }
    pairs
}

#[test]
fn flags_are_replaced_and_added() {
    let check = |script: &str, flags: &[&str], expect: &str| {
        let flags: Vec<String> = flags.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(edited(script, &flags, "http://127.0.0.1:1"), expect);
    };
    let flags = ["--duration", "1s", "--warmup", "0"];
    check(
        "infermeter run http://localhost:8000 --duration 10m --rate 2 > x # why\ninfermeter list",
        &flags,
        "infermeter run http://127.0.0.1:1 --duration 1s --rate 2 --warmup 0 > x # why\ninfermeter list",
    );
    check(
        "infermeter run a --warmup=3s | jq .",
        &["--warmup", "0"],
        "infermeter run a --warmup=0 | jq .",
    );
    check(
        "infermeter run a --expose\n",
        &["--expose=127.0.0.1:0"],
        "infermeter run a --expose=127.0.0.1:0\n",
    );
    check(
        "infermeter run a",
        &["--quiet"],
        "infermeter run a --quiet ",
    );
    check("curl http://a:8001/x", &flags, "curl http://127.0.0.1:1/x");
}
