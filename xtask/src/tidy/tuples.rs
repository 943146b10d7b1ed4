//! Rule: a parameter that is several things has a name for them: no tuple where a noun is missing.
//!
//! Counts parameters whose type is a tuple, crate by crate, and refuses more than there are. It knows
//! no closures: what they take is written beside where it is made. Test code is exempt.

use super::Problem;
use super::rust_source::RustSource;
use super::tree::Tree;

/// A parameter that is a tuple.
struct TupleParameter {
    function: String,
    line: usize,
}

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let judged = tree.rust.iter().flat_map(|(path, source)| {
        let problem = move |TupleParameter { function, line }| {
            let message = format!(
                "fn {function} takes a tuple: give the things a struct with a name, or a parameter each"
            );
            Problem::error(format!("{path}:{line}"), message)
        };
        tuple_parameters(source).into_iter().map(problem)
    });
    judged.collect()
}

/// Every parameter outside tests whose type is a tuple.
fn tuple_parameters(source: &RustSource) -> Vec<TupleParameter> {
    let code = &source.code;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let line = source.line_of(at);
        if code[..at].ends_with(is_word) || source.is_test(line) {
            continue;
        }
        let name: String = code[at + 3..].chars().take_while(|c| is_word(*c)).collect();
        if name.is_empty() {
            continue;
        }
        let tuples = parameters(&code[at + 3 + name.len()..])
            .filter(|parameter| is_tuple(parameter))
            .count();
        found.extend((0..tuples).map(|_| TupleParameter {
            function: name.clone(),
            line,
        }));
    }
    found
}

/// The parameters of a function; `rest` begins behind its name.
fn parameters(rest: &str) -> impl Iterator<Item = &str> {
    let open = match rest.starts_with('<') {
        true => after_generics(rest),
        false => 0,
    };
    let list = rest.get(open..).unwrap_or("");
    let end = list
        .find('(')
        .map_or(0, |start| closing(&list[start..]) + start);
    let inner = list.get(1..end).unwrap_or("");
    pieces(inner)
}

/// Where the parameters of `<..>(..)` begin. Arrows are no brackets.
fn after_generics(text: &str) -> usize {
    let mut depth = 0_i32;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
        before = c;
    }
    text.len()
}

/// The place of the bracket that closes the first one.
fn closing(text: &str) -> usize {
    let mut depth = 0_i32;
    for (at, c) in text.char_indices() {
        depth += depth_of(c);
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn depth_of(c: char) -> i32 {
    match c {
        '(' | '[' | '{' => 1,
        ')' | ']' | '}' => -1,
        _ => 0,
    }
}

/// What commas outside brackets part. (Those between angle brackets part as well: what stands behind
/// one has no colon of its own, so it is no parameter.)
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |c| {
        depth += depth_of(c);
        c == ',' && depth == 0
    })
}

/// `name: (A, B)`, whatever the pattern, behind references too.
fn is_tuple(parameter: &str) -> bool {
    let mut depth = 0_i32;
    let colon = parameter.find(|c| {
        depth += depth_of(c);
        c == ':' && depth == 0
    });
    let Some(colon) = colon else { return false };
    let kind = parameter[colon + 1..].trim();
    let kind = kind
        .trim_start_matches(['&', ' '])
        .trim_start_matches("mut ");
    kind.starts_with('(') && pieces(&kind[1..closing(kind)]).count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> usize {
        tuple_parameters(&RustSource::new(text)).len()
    }

    #[test]
    fn tuples_are_found_whatever_they_are_called() {
        for (text, expect) in [
            ("fn a((x, y): (u8, u8)) {}", 1),
            ("fn a(at: &(u8, u8), (x, y): &mut (u8, u8)) {}", 2),
            ("fn a<T: Fn(u8) -> u8>(x: u8, pair: (T, u8)) {}", 1),
            ("impl A { fn a(&self, (x, y): (u8, u8), z: u8) {} }", 1),
            ("fn a(x: u8) -> (u8, u8) {}", 0),
            ("fn a(unit: (), one: (u8), f: &dyn Fn((u8, u8))) {}", 0),
            ("fn a(map: Map<u8, (u8, u8)>) {}", 0),
            ("fn a() { let f = |(x, y): (u8, u8)| x; }", 0),
            (
                "#[cfg(test)]\nmod tests {\n    fn a(x: (u8, u8)) {}\n}\n",
                0,
            ),
        ] {
            assert_eq!(count(text), expect, "{text}");
        }
    }

    #[test]
    fn each_is_refused_where_it_stands() {
        let one = "fn a(x: (u8, u8)) {}\n";
        let check_file = |path: &str, text: &str| {
            let problems = check(&Tree::of(&[(path, text)]));
            problems.iter().map(|p| p.place.clone()).collect::<Vec<_>>()
        };
        assert_eq!(
            check_file("crates/metrics/src/a.rs", one),
            ["crates/metrics/src/a.rs:1"]
        );
        assert_eq!(
            check_file("crates/metrics/src/a.rs", "fn a() {}\n"),
            [""; 0]
        );
    }
}
