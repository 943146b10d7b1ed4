//! An audit as Markdown, for an issue or a pull request.

use super::{by_missing, described, of_kind, severity_name, share};
use infermeter_audit::{Audit, Kind};
use infermeter_core::text::inert;

/// Renders an audit as Markdown. Ends with a line break.
pub fn audit_markdown(audit: &Audit) -> String {
    let mut out = String::from("# Audit\n\n");
    for source in &audit.sources {
        let line = format!("- {}: {}\n", cell(&source.source), cell(&described(source)));
        out.push_str(&line);
    }
    out.push_str("\n| dimension | grade | score | coverage | pass | fail | cannot tell |\n");
    out.push_str("|---|---|---|---|---|---|---|\n");
    for d in &audit.dimensions {
        let grade = d.grade.map_or_else(|| "-".to_owned(), String::from);
        out.push_str(&format!(
            "| {} | {grade} | {} | {} | {} | {} | {} |\n",
            d.label,
            share(d.score),
            share(d.coverage),
            d.passes,
            d.fails,
            d.cannot_tell
        ));
    }
    failures(&mut out, audit);
    untold(&mut out, audit);
    passed(&mut out, audit);
    names(&mut out, audit);
    out
}

fn failures(out: &mut String, audit: &Audit) {
    out.push_str("\n## Failed\n\n");
    let mut none = true;
    for c in of_kind(audit, Kind::Fail) {
        none = false;
        out.push_str(&format!(
            "- **{}** `{}`: {} {} *{}*\n",
            severity_name(c.severity),
            c.code,
            c.message,
            cell(c.evidence.as_deref().unwrap_or("")),
            c.advice
        ));
    }
    if none {
        out.push_str("Nothing.\n");
    }
}

fn untold(out: &mut String, audit: &Audit) {
    let groups = by_missing(audit);
    if groups.is_empty() {
        return;
    }
    out.push_str("\n## Cannot tell\n\n| missing | checks |\n|---|---|\n");
    for (missing, codes) in groups {
        let codes: Vec<String> = codes.iter().map(|c| format!("`{c}`")).collect();
        out.push_str(&format!("| {} | {} |\n", cell(&missing), codes.join(", ")));
    }
}

fn passed(out: &mut String, audit: &Audit) {
    let codes: Vec<String> = of_kind(audit, Kind::Pass)
        .map(|c| format!("`{}`", c.code))
        .collect();
    if !codes.is_empty() {
        out.push_str(&format!("\n## Passed\n\n{}\n", codes.join(", ")));
    }
}

fn names(out: &mut String, audit: &Audit) {
    for format in &audit.translations {
        out.push_str(&format!("\n## Names in {}\n\n", format.tool));
        out.push_str("| name | is | remark |\n|---|---|---|\n");
        for name in &format.names {
            out.push_str(&format!(
                "| `{}` | {} | {} |\n",
                name.from, name.to, name.remark
            ));
        }
    }
}

/// Text inert and without what would steer Markdown or HTML: names of files and what results say are
/// anybody's. `&`, `<` and `>` become entities, since not every renderer heeds a backslash before them.
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in inert(text, 4096).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '~' | '#' | '!' => out.extend(['\\', c]),
            plain => out.push(plain),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn text_of_others_steers_nothing() {
        let hostile = "<script>a</script>&lt; `b` |c| [d](e) ![f](g)\n# h\u{202e}";
        let said = cell(hostile);
        for steering in ["<", "\n", "\u{202e}"] {
            assert!(!said.contains(steering), "{said}");
        }
        assert!(said.starts_with("&lt;script&gt;a&lt;/script&gt;&amp;lt; \\`b\\` \\|c\\| \\[d\\]"));
        assert_eq!(cell("runs/a-1.json"), "runs/a-1.json");
    }
}
