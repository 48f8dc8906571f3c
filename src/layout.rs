//! Text in columns: cut, padded and wrapped by display width; numbers as people read them.
#![allow(clippy::arithmetic_side_effects, reason = "widths of text in memory: sums that cannot come near the limit")]

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns that a text takes.
pub(crate) fn width(s: &str) -> usize {
    s.width()
}

/// The text cut to `max` columns; an ellipsis says so.
pub(crate) fn cut(s: &str, max: usize) -> String {
    if width(s) <= max {
        return s.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in s.chars() {
        let w = c.width().unwrap_or(0);
        if used + w + 1 > max {
            break;
        }
        used += w;
        out.push(c);
    }
    if max > 0 {
        out.push('…');
    }
    out
}

/// Cut or padded to exactly `max` columns.
pub(crate) fn fit(s: &str, max: usize) -> String {
    let mut out = cut(s, max);
    let used = width(&out);
    out.extend(std::iter::repeat_n(' ', max.saturating_sub(used)));
    out
}

/// Lines of at most `max` columns, broken at spaces; a longer word is broken anywhere. Newlines are kept.
pub(crate) fn wrap(s: &str, max: usize) -> Vec<String> {
    let max = max.max(1);
    let mut out = Vec::new();
    for line in s.split('\n') {
        let indent: String = line.chars().take_while(|c| *c == ' ').take(max / 2).collect();
        let mut now = indent.clone();
        let mut used = width(&now);
        let start = used;
        for word in line.split(' ').filter(|w| !w.is_empty()) {
            let w = width(word);
            if used > start && used + 1 + w > max {
                out.push(std::mem::replace(&mut now, indent.clone()));
                used = start;
            }
            if used > start {
                now.push(' ');
                used += 1;
            }
            for c in word.chars() {
                let cw = c.width().unwrap_or(0);
                if used + cw > max && used > start {
                    out.push(std::mem::replace(&mut now, indent.clone()));
                    used = start;
                }
                now.push(c);
                used += cw;
            }
        }
        out.push(now);
    }
    out
}

/// `1.2 GB`, in powers of ten as `ls --si` does.
pub(crate) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if n < 1000 {
        return format!("{n} B");
    }
    let mut v = n as f64;
    let mut unit = "B";
    for u in UNITS {
        if v < 999.5 {
            break;
        }
        v /= 1000.0;
        unit = u;
    }
    if v < 9.95 { format!("{v:.1} {unit}") } else { format!("{v:.0} {unit}") }
}

/// A duration of microseconds for a person: `0.41 ms`, `12.30 ms`, `1.204 s`.
pub(crate) fn duration(us: u64) -> String {
    let ms = us as f64 / 1000.0;
    match us {
        0..100_000 => format!("{ms:.2} ms"),
        100_000..1_000_000 => format!("{ms:.0} ms"),
        1_000_000..600_000_000 => format!("{:.3} s", ms / 1000.0),
        _ => format!("{:.0} s", ms / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_width() {
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("漢字", 4), "漢字");
        assert_eq!(cut("ab", 0), "");
        assert_eq!(fit("a", 3), "a  ");
        assert_eq!(width(&fit("漢字漢", 4)), 4);
    }

    #[test]
    fn text_is_wrapped_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("  in out", 5), ["  in", "  out"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!(wrap("a\nb", 3), ["a", "b"]);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1_200_000_000), "1.2 GB");
        assert_eq!(bytes(503_344_510), "503 MB");
        assert_eq!(duration(410), "0.41 ms");
        assert_eq!(duration(1_204_000), "1.204 s");
    }
}
