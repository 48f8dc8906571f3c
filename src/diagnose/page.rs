//! The pages behind the codes: for `tlscope explain CODE` and for the table of codes.

use std::fmt::Write as _;

use super::{Rule, Severity, rule as rule_of, rules};
use crate::tls::names::AlertDescription;

/// Columns of a page.
const WIDTH: usize = 92;

/// The page of a code as plain text with headings; `None` when there is no such code.
pub fn explain_page(code: &str) -> Option<String> {
    let rule = rule_of(code)?;
    let mut out = String::new();
    let _ = writeln!(out, "{} ({})\n{}", rule.code, rule.severity.name(), rule.title);
    if let Some(n) = rule.guide {
        let _ = writeln!(out, "Row {n} of the troubleshooting guide.");
    }
    let what = what(rule);
    let p = &rule.page;
    for (heading, text) in [
        ("What", what.as_str()),
        ("Why it matters", p.why),
        ("How sure", p.how_sure),
        ("Fix", p.fix),
        ("How to verify", p.verify),
        ("References", p.references),
    ] {
        if !text.is_empty() {
            let _ = write!(out, "\n{heading}\n");
            for line in text.split('\n') {
                wrap(&mut out, line);
            }
        }
    }
    Some(out)
}

/// An alert's page begins with what the alert says.
fn what(rule: &Rule) -> String {
    let alert =
        rule.code.strip_prefix("alert-").map(|n| n.replace('-', "_")).and_then(|n| AlertDescription::from_name(&n));
    match alert {
        Some(a) => format!(
            "{} Alert {}.{}{}",
            a.explain(),
            a.0,
            if rule.page.what.is_empty() { "" } else { " " },
            rule.page.what
        ),
        None if rule.page.what.is_empty() => format!("{}.", rule.title),
        None => rule.page.what.to_owned(),
    }
}

/// Breaks a paragraph into lines of at most [`WIDTH`] columns, indented by two; a line that begins with a space is a
/// command and stays as it is.
fn wrap(out: &mut String, text: &str) {
    if text.starts_with(' ') {
        let _ = writeln!(out, "  {text}");
        return;
    }
    let mut column = 0usize;
    for word in text.split(' ') {
        let len = word.chars().count();
        if column == 0 {
            out.push_str("  ");
            column = 2;
        } else if column.saturating_add(len) >= WIDTH {
            out.push_str("\n  ");
            column = 2;
        } else {
            out.push(' ');
            column = column.saturating_add(1);
        }
        out.push_str(word);
        column = column.saturating_add(len);
    }
    out.push('\n');
}

/// Code, severity and title of every rule, in the order of a connection's life.
pub fn index() -> impl Iterator<Item = (&'static str, Severity, &'static str)> {
    rules().map(|r| (r.code, r.severity, r.title))
}

/// All codes as a Markdown table, for the README.
pub fn markdown_table() -> String {
    let mut out = String::from("| code | severity | what it says |\n| --- | --- | --- |\n");
    for r in rules() {
        let guide = r.guide.map_or_else(String::new, |n| format!(" (guide {n})"));
        let _ = writeln!(out, "| `{}` | {} | {}{guide} |", r.code, r.severity.name(), r.title.replace('|', "\\|"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_rule_has_a_whole_page_and_a_code_of_its_own() {
        let mut codes = BTreeSet::new();
        for r in rules() {
            assert!(codes.insert(r.code), "{} stands there twice", r.code);
            assert!(r.code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{}", r.code);
            assert!(!r.title.ends_with('.') && !r.title.is_empty(), "{}", r.code);
            assert!(!what(r).is_empty(), "{}", r.code);
            let p = &r.page;
            for (name, text) in [("why", p.why), ("sure", p.how_sure), ("fix", p.fix), ("verify", p.verify)] {
                assert!(!text.is_empty(), "{}: no {name}", r.code);
            }
        }
    }

    #[test]
    fn pages_are_no_wider_than_a_terminal() {
        for (code, ..) in index() {
            let page = explain_page(code).expect("every code has a page");
            for line in page.lines().skip(2).filter(|l| !l.starts_with("   ")) {
                assert!(line.chars().count() <= 100, "{code}: {line}");
            }
        }
        assert!(explain_page("no-such-code").is_none());
    }
}
