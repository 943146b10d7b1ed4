//! A document as one page that needs nothing else: no network, no fonts, no other file.
//!
//! Verdict and findings come first, then the parts in the document's order. Invariants: text from outside is
//! text; no script and no style runs but ours, whose hashes the page's policy names; what the script adds
//! (sorting, values under the pointer) is missed by nobody who reads without it.

mod blocks;

use crate::document::{Document, Found, Judgement, Section, severity_name};
use crate::svg::escaped;
use crate::svg::theme::{CSS, DARK, LIGHT, properties};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use blocks::Page;
use infermeter_core::finding::{Severity, Verdict};
use infermeter_core::number::counted;
use sha2::{Digest, Sha256};
use std::fmt::Write;

const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

/// Renders a document. Ends with a line break.
pub(crate) fn render(document: &Document) -> String {
    let style = style();
    let title = escaped(&document.title);
    let mut body = opening(document, &title);
    let mut page = Page::default();
    for (i, section) in document.sections.iter().enumerate() {
        body += &part(section, i, &mut page);
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{}'; script-src '{}'; \
         img-src data:; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">To the result</a>\n{body}</main>\n\
         <div id=\"tip\" aria-hidden=\"true\"></div>\n<div id=\"said\" class=\"hidden\" role=\"status\"></div>\n\
         <script>{SCRIPT}</script>\n</body>\n</html>\n",
        hash(&style),
        hash(SCRIPT)
    )
}

/// Everything above the first section.
fn opening(document: &Document, title: &str) -> String {
    let mut body = format!("<header>\n<h1>{title}</h1>\n");
    for said in &document.answers {
        let _ = writeln!(
            body,
            "<p class=\"verdict\"><span>Answer: <strong>{}</strong></span></p>",
            escaped(said)
        );
    }
    if let Some(judgement) = &document.verdict {
        body += &verdict(judgement);
    }
    body += &contents(document);
    body += "</header>\n<main id=\"main\">\n";
    if let Some(judgement) = &document.verdict {
        body += &judged(&judgement.findings);
    }
    body + "<p id=\"filter\" hidden><label>Show <select><option value=\"*\">everything</option>\
            <option value=\"=\">all requests together</option></select></label></p>\n"
}

/// The rules of the page, and the colours of both themes.
fn style() -> String {
    let [light, dark] = [properties(&LIGHT), properties(&DARK)];
    format!(
        ":root{{{light}}}\n@media (prefers-color-scheme: dark){{:root{{{dark}}}}}\n\
         @media print{{:root{{color-scheme:light;{light}}}}}\n{STYLE}{CSS}"
    )
}

/// A hash as policies name it.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

fn verdict(judgement: &Judgement) -> String {
    let class = match judgement.verdict {
        Verdict::Valid => "good",
        Verdict::Questionable => "dim",
        Verdict::Invalid => "bad",
    };
    let counts = match judgement.counts() {
        none if none.is_empty() => none,
        counts => format!(" — {counts}"),
    };
    format!(
        "<p class=\"verdict {class}\"><span>Verdict: <strong>{}</strong>{counts}</span></p>\n",
        judgement.verdict.as_str()
    )
}

/// Links to the sections, where there are several.
fn contents(document: &Document) -> String {
    let parts = document.sections.iter().enumerate();
    // What is of one class is found by the filter.
    let parts = parts.filter(|(_, section)| !section.heading.is_empty() && section.class.is_none());
    let links: Vec<String> = parts
        .map(|(i, section)| {
            format!(
                "<li><a href=\"#s{i}\">{}</a></li>",
                escaped(&section.heading)
            )
        })
        .collect();
    match links.len() {
        0..3 => String::new(),
        _ => format!(
            "<nav aria-label=\"Sections\"><ul>{}</ul></nav>\n",
            links.join("")
        ),
    }
}

/// Errors and warnings, and the notes behind a click.
fn judged(findings: &[Found]) -> String {
    let (notes, grave): (Vec<&Found>, Vec<&Found>) = findings
        .iter()
        .partition(|found| found.severity == Severity::Note);
    if findings.is_empty() {
        return String::new();
    }
    let mut out =
        "<section aria-labelledby=\"findings\">\n<h2 id=\"findings\">Findings</h2>\n".to_owned();
    out += &list(&grave);
    if !notes.is_empty() {
        let count = counted(notes.len() as u64, "note");
        let _ = writeln!(
            out,
            "<details><summary>{count}</summary>\n{}</details>",
            list(&notes)
        );
    }
    out + "</section>\n"
}

/// A list of findings; nothing where there are none.
fn list(findings: &[&Found]) -> String {
    let each: String = findings.iter().map(|found| finding(found)).collect();
    match each.is_empty() {
        true => each,
        false => format!("<ul class=\"findings\">\n{each}</ul>\n"),
    }
}

fn finding(found: &Found) -> String {
    let weight = severity_name(found.severity);
    let mut out = format!(
        "<li class=\"{weight}\"><p><strong>{weight}</strong> <code>{}</code>: {}</p>",
        escaped(&found.code),
        escaped(&found.message)
    );
    for (mark, text) in [("", &found.evidence), ("→ ", &found.advice)] {
        if !text.is_empty() {
            let _ = write!(out, "<p class=\"dim\">{mark}{}</p>", escaped(text));
        }
    }
    out + "</li>\n"
}

fn part(section: &Section, number: usize, page: &mut Page) -> String {
    let blocks: String = section
        .blocks
        .iter()
        .map(|block| page.block(block, &section.heading))
        .collect();
    let class = section.class.iter();
    let of: String = class
        .map(|class| format!(" data-of=\"{}\"", escaped(class)))
        .collect();
    match section.heading.is_empty() {
        true => format!("<section{of}>\n{blocks}</section>\n"),
        false => format!(
            "<section aria-labelledby=\"s{number}\"{of}>\n<h2 id=\"s{number}\">{}</h2>\n{blocks}</section>\n",
            escaped(&section.heading)
        ),
    }
}
