//! Rule: functions and files stay short enough to be read whole.
//!
//! Test code is exempt. Lines count from `fn` to the closing brace.

use super::Problem;
use super::rust_source::{RustSource, item_end};
use super::tree::Tree;

/// Longer functions are warned about.
const LONG_FUNCTION: usize = 70;
/// Longer functions are errors.
const TOO_LONG_FUNCTION: usize = 100;
/// Longer files are errors.
const TOO_LONG_FILE: usize = 700;

pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, source) in &tree.rust {
        let lines = source.product_lines().count();
        if lines > TOO_LONG_FILE {
            let message = format!("{lines} lines outside tests, more than {TOO_LONG_FILE}");
            problems.push(Problem::error(path, message));
        }
        problems.extend(
            functions(source)
                .into_iter()
                .filter_map(|f| judge(path, &f)),
        );
    }
    problems
}

fn judge(path: &str, function: &Function) -> Option<Problem> {
    let Function { name, line, lines } = function;
    let place = format!("{path}:{line}");
    if *lines > TOO_LONG_FUNCTION {
        let message = format!("fn {name} has {lines} lines, more than {TOO_LONG_FUNCTION}");
        Some(Problem::error(place, message))
    } else if *lines > LONG_FUNCTION {
        let message = format!("fn {name} has {lines} lines, more than {LONG_FUNCTION}");
        Some(Problem::warning(place, message))
    } else {
        None
    }
}

struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// Every function outside tests.
fn functions(source: &RustSource) -> Vec<Function> {
    let code = &source.code;
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let name: String = code[at + 3..].chars().take_while(|c| is_word(*c)).collect();
        let line = source.line_of(at);
        if name.is_empty() || code[..at].ends_with(is_word) || source.is_test(line) {
            continue;
        }
        let end = item_end(code, at);
        let lines = source.line_of(end - 1) - line + 1;
        found.push(Function { name, line, lines });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_body(lines: usize) -> String {
        format!(
            "fn long(x: [u8; 2]) {{\n{}}}\n",
            "    step();\n".repeat(lines - 2)
        )
    }

    fn check_file(text: &str, expect: &[&str]) {
        let tree = Tree::of(&[("a.rs", text)]);
        let messages: Vec<String> = check(&tree).into_iter().map(|p| p.message).collect();
        assert_eq!(messages, expect);
    }

    #[test]
    fn long_functions_are_found() {
        check_file(&with_body(70), &[]);
        check_file(&with_body(71), &["fn long has 71 lines, more than 70"]);
        check_file(&with_body(101), &["fn long has 101 lines, more than 100"]);
        check_file(
            &format!("#[cfg(test)]\nmod tests {{\n{}}}\n", with_body(101)),
            &[],
        );
    }

    #[test]
    fn pointers_and_declarations_are_no_long_functions() {
        check_file(
            "trait T {\n    fn declared(&self);\n}\ntype F = fn (u8) -> u8;\n",
            &[],
        );
    }

    #[test]
    fn long_files_are_found() {
        check_file(
            &"// x\n".repeat(701),
            &["701 lines outside tests, more than 700"],
        );
    }
}
