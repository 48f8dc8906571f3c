//! Internationalised host names (RFC 5890): A-labels, which begin with `xn--` and stand for text in other scripts, and the
//! decoding of Punycode (RFC 3492).

/// Characters of a label beyond which it is no host name: what DNS allows.
const LABEL: usize = 63;

/// True for a label that says it is an A-label.
fn is_a_label(label: &str) -> bool {
    label.get(..4).is_some_and(|p| p.eq_ignore_ascii_case("xn--"))
}

/// The first label of a host name that says it is an A-label and stands for nothing: it does not decode, or to ASCII only
/// (RFC 5890, section 2.3.2.1).
pub fn bad_a_label(name: &str) -> Option<&str> {
    name.split('.').filter(|l| is_a_label(l)).find(|l| {
        let text = l.get(4..).filter(|_| l.len() <= LABEL).and_then(punycode);
        text.is_none_or(|t| t.is_ascii())
    })
}

/// A host name with its A-labels as the text that they stand for, in lower case; `None` when one of them does not decode.
pub fn to_unicode(name: &str) -> Option<String> {
    let one = |l: &str| if is_a_label(l) { punycode(l.get(4..)?) } else { Some(l.to_owned()) };
    let labels: Option<Vec<String>> = name.split('.').map(one).collect();
    Some(labels?.join(".").to_lowercase())
}

/// The A-label of ASCII text with one other letter behind it.
pub(crate) fn a_label(text: &str, last: char) -> Option<String> {
    let len = u32::try_from(text.len()).ok().filter(|_| text.is_ascii())?;
    // RFC 3492, section 6.3, for a single insertion: the letter at the place `len` of `len + 1`.
    let mut q = u32::from(last).checked_sub(INITIAL_N)?.checked_mul(len.checked_add(1)?)?.checked_add(len)?;
    let mut out = format!("xn--{text}{}", if text.is_empty() { "" } else { "-" });
    let digit = |d: u32| char::from_digit(d.wrapping_add(10), BASE).or(char::from_digit(d.wrapping_sub(26), 10));
    for k in (BASE..).step_by(36) {
        let t = k.saturating_sub(INITIAL_BIAS).clamp(T_MIN, T_MAX);
        let Some(above) = q.checked_sub(t) else { break };
        let rest = BASE.checked_sub(t)?;
        out.push(digit(t.checked_add(above.checked_rem(rest)?)?)?);
        q = above.checked_div(rest)?;
    }
    out.push(digit(q)?);
    Some(out)
}

// RFC 3492, section 5.
const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const INITIAL_BIAS: u32 = 72;
const INITIAL_N: u32 = 128;

/// Decodes Punycode (RFC 3492, section 6.2) of at most a label's length.
fn punycode(text: &str) -> Option<String> {
    if !text.is_ascii() || text.len() > LABEL {
        return None;
    }
    let (basic, digits) = text.rsplit_once('-').unwrap_or(("", text));
    let mut out: Vec<char> = basic.chars().collect();
    let mut digits = digits.bytes();
    let (mut n, mut i, mut bias) = (INITIAL_N, 0u32, INITIAL_BIAS);
    while digits.len() > 0 {
        let before = i;
        let (mut weight, mut k) = (1u32, BASE);
        loop {
            let digit = match digits.next()? {
                d @ b'a'..=b'z' => d.wrapping_sub(b'a'),
                d @ b'A'..=b'Z' => d.wrapping_sub(b'A'),
                d @ b'0'..=b'9' => d.wrapping_sub(b'0').wrapping_add(26),
                _ => return None,
            };
            let digit = u32::from(digit);
            i = i.checked_add(digit.checked_mul(weight)?)?;
            let t = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
            if digit < t {
                break;
            }
            weight = weight.checked_mul(BASE.checked_sub(t)?)?;
            k = k.checked_add(BASE)?;
        }
        let len = u32::try_from(out.len()).ok()?.checked_add(1)?;
        bias = adapt(i.checked_sub(before)?, len, before == 0)?;
        n = n.checked_add(i.checked_div(len)?)?;
        i = i.checked_rem(len)?;
        out.insert(usize::try_from(i).ok()?, char::from_u32(n)?);
        i = i.checked_add(1)?;
    }
    Some(out.into_iter().collect())
}

/// Adaptation of the bias (RFC 3492, section 6.1).
fn adapt(delta: u32, len: u32, first: bool) -> Option<u32> {
    let mut delta = delta.checked_div(if first { DAMP } else { 2 })?;
    delta = delta.checked_add(delta.checked_div(len)?)?;
    let mut k = 0u32;
    // ((36 - 1) · 26) / 2
    while delta > 455 {
        delta = delta.checked_div(35)?;
        k = k.checked_add(BASE)?;
    }
    k.checked_add(36u32.checked_mul(delta)?.checked_div(delta.checked_add(SKEW)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_of_the_rfc() {
        // RFC 3492, section 7.1: (A), (B), (E), (I), (L), (S).
        for (text, encoded) in [
            (
                "\u{644}\u{64a}\u{647}\u{645}\u{627}\u{628}\u{62a}\u{643}\u{644}\u{645}\u{648}\u{634}\u{639}\u{631}\u{628}\u{64a}\u{61f}",
                "egbpdaj6bu4bxfgehfvwxn",
            ),
            ("\u{4ed6}\u{4eec}\u{4e3a}\u{4ec0}\u{4e48}\u{4e0d}\u{8bf4}\u{4e2d}\u{6587}", "ihqwcrb4cv8a8dqg056pqjye"),
            (
                "\u{5dc}\u{5de}\u{5d4}\u{5d4}\u{5dd}\u{5e4}\u{5e9}\u{5d5}\u{5d8}\u{5dc}\u{5d0}\u{5de}\u{5d3}\u{5d1}\u{5e8}\u{5d9}\u{5dd}\u{5e2}\u{5d1}\u{5e8}\u{5d9}\u{5ea}",
                "4dbcagdahymbxekheh6e0a7fei0b",
            ),
            ("3\u{5e74}B\u{7d44}\u{91d1}\u{516b}\u{5148}\u{751f}", "3B-ww4c5e180e575a65lsy2b"),
            ("-> $1.00 <-", "-> $1.00 <--"),
        ] {
            assert_eq!(punycode(encoded).as_deref(), Some(text), "{encoded}");
        }
        assert_eq!(to_unicode("www.xn--bcher-kva.Example").as_deref(), Some("www.b\u{fc}cher.example"));
        assert_eq!(to_unicode("XN--MNCHEN-3YA.example").as_deref(), Some("m\u{fc}nchen.example"));
    }

    #[test]
    fn labels_are_made() {
        // By Python: "name1é".encode("idna"), and so on.
        for (text, last, label) in [
            ("name1", '\u{e9}', "xn--name1-fsa"),
            ("name4711", '\u{e9}', "xn--name4711-i1a"),
            ("", '\u{4e2d}', "xn--fiq"),
            ("b", '\u{fc}', "xn--b-eha"),
        ] {
            assert_eq!(a_label(text, last).as_deref(), Some(label));
            assert_eq!(to_unicode(label), Some(format!("{text}{last}")));
        }
        assert_eq!(a_label("b", 'a'), None);
    }

    #[test]
    fn labels_that_stand_for_nothing() {
        for good in ["a.example", "xn--bcher-kva.example", "xn--fiqs8s", "*.xn--fiqs8s", "axn--b", "xn-a.example", ""] {
            assert_eq!(bad_a_label(good), None, "{good}");
        }
        for (name, bad) in [
            ("a.xn--.example", "xn--"),
            ("xn--abc-.example", "xn--abc-"),
            ("xn--bcher-kv!", "xn--bcher-kv!"),
            ("xn--99999999999", "xn--99999999999"),
            ("xn--b\u{fc}cher", "xn--b\u{fc}cher"),
            ("XN--0.example", "XN--0"),
        ] {
            assert_eq!(bad_a_label(name), Some(bad));
        }
        assert_eq!(to_unicode("xn--99999999999"), None);
        assert!(bad_a_label(&format!("xn--{}", "a".repeat(60))).is_some());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_survived(s in ".{0,80}") {
            bad_a_label(&s);
            to_unicode(&format!("xn--{s}"));
        }
    }
}
