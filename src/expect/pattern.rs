//! Patterns of names: `*` stands for any characters, or none.

use std::fmt;

/// A pattern; upper and lower case are the same (ASCII).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Of this text.
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Does it stand for this name?
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = strip(name, first) else { return false };
        let mut parts = parts.peekable();
        if parts.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                let from = rest.len().checked_sub(part.len());
                return from.and_then(|at| rest.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(part));
            }
            // The first place where it fits leaves most for what follows.
            let Some(behind) = rest.char_indices().find_map(|(at, _)| strip(rest.get(at..)?, part)) else {
                if part.is_empty() {
                    continue;
                }
                return false;
            };
            rest = behind;
        }
        true
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What follows `start` in a text that begins with it.
fn strip<'s>(text: &'s str, start: &str) -> Option<&'s str> {
    let head = text.get(..start.len())?;
    head.eq_ignore_ascii_case(start).then(|| text.get(start.len()..)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name) in [
            ("a", "A"),
            ("*", ""),
            ("*", "x"),
            ("**", "x"),
            ("*.example.org", "a.b.example.ORG"),
            ("CN=*,O=Example", "CN=a,O=Example"),
            ("TLS_AES_*_GCM_*", "TLS_AES_128_GCM_SHA256"),
            ("*ab", "aab"),
            ("a*a", "aa"),
            ("é*", "éa"),
            ("*b*b", "abcb"),
        ] {
            assert!(Pattern::new(pattern).matches(name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("a", "ab"),
            ("a", ""),
            ("", "a"),
            ("*.example.org", "example.org"),
            ("a*a", "a"),
            ("a*b*c", "acb"),
            ("*b*b", "ab"),
            ("é", "è"),
            ("a*é", "a\u{301}"),
        ] {
            assert!(!Pattern::new(pattern).matches(name), "{pattern} {name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn as_a_regular_expression(pattern in "[ab*é]{0,6}", name in "[abé]{0,8}") {
            let re = format!("^{}$", pattern.replace('*', ".*"));
            let re = regex::Regex::new(&re).unwrap();
            assert_eq!(Pattern::new(&pattern).matches(&name), re.is_match(&name), "{pattern} {name}");
        }
    }
}
