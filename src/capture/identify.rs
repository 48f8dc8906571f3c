//! Says what a file is that is no capture, so that its owner knows what to do. Never quotes its bytes.

/// What a file looks like, and what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) is: &'static str,
    pub(super) advice: &'static str,
}

const GIVE_A_CAPTURE: &str = "give a pcap or pcapng file";
const UNPACK: &str = "unpack it and give the capture inside";
const CONVERT: &str = "convert it with editcap -F pcapng";
const DOWNLOAD: &str = "it may be the error page of a download; get the capture again";

/// Magic numbers at the start of a file.
const MAGICS: &[(&[u8], &str, &str)] = &[
    (b"\xfd7zXZ\0", "compressed with xz, which is not read directly", "unpack it with xz -d and give the result"),
    (b"BZh", "compressed with bzip2, which is not read directly", "unpack it with bzip2 -d and give the result"),
    (b"\x02\x21\x4c\x18", "compressed with the legacy format of lz4", "unpack it with lz4 -d and give the result"),
    (b"\x1f\x9d", "compressed with compress", "unpack it with gzip -d and give the result"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"PK\x03\x04", "a zip archive", UNPACK),
    (b"Rar!", "a rar archive", UNPACK),
    (b"snoop\0\0\0", "a snoop capture", CONVERT),
    (b"GMBU", "a Microsoft Network Monitor capture", CONVERT),
    (b"RTSS", "a Microsoft Network Monitor 1 capture", CONVERT),
    (b"\x13\x01\x00\x00\x00\x00\x00\x01", "an event trace (ETL)", "convert it with etl2pcapng"),
    (b"\x7fELF", "a program", GIVE_A_CAPTURE),
    (b"SQLite format 3\0", "an SQLite database", GIVE_A_CAPTURE),
    (b"%PDF-", "a PDF document", GIVE_A_CAPTURE),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", GIVE_A_CAPTURE),
    (b"-----BEGIN ", "a PEM file (certificates or keys)", GIVE_A_CAPTURE),
];

/// First words of the lines of an SSLKEYLOGFILE.
const KEY_LOG: &[&[u8]] = &[
    b"CLIENT_RANDOM ",
    b"CLIENT_HANDSHAKE_TRAFFIC_SECRET ",
    b"SERVER_HANDSHAKE_TRAFFIC_SECRET ",
    b"CLIENT_TRAFFIC_SECRET_0 ",
    b"SERVER_TRAFFIC_SECRET_0 ",
    b"CLIENT_EARLY_TRAFFIC_SECRET ",
    b"EARLY_EXPORTER_SECRET ",
    b"EXPORTER_SECRET ",
    b"# SSL/TLS secrets log file",
];

/// Judges the first bytes of a file (some hundred of them).
pub(super) fn identify(head: &[u8]) -> Look {
    if let Some(&(_, is, advice)) = MAGICS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Look { is, advice };
    }
    if head.get(257..262) == Some(b"ustar") {
        return Look { is: "a tar archive", advice: UNPACK };
    }
    if is_pcapng_block(head) {
        return Look {
            is: "like pcapng, but without the section header that must come first",
            advice: "its beginning is missing; capture or copy it again",
        };
    }
    if is_erf(head) {
        return Look { is: "an ERF capture, as it seems", advice: CONVERT };
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    if KEY_LOG.iter().any(|word| text.starts_with(word)) {
        return Look { is: "a TLS key log", advice: "give the capture it belongs to; keys are not used" };
    }
    let begins = |word: &[u8]| text.get(..word.len()).is_some_and(|t| t.eq_ignore_ascii_case(word));
    if begins(b"<!doctype html") || begins(b"<html") {
        return Look { is: "an HTML page", advice: DOWNLOAD };
    }
    if begins(b"<?xml") {
        return Look { is: "an XML document", advice: GIVE_A_CAPTURE };
    }
    if !head.is_empty() && is_text(head) {
        let is = if begins(b"{") || begins(b"[") { "text (perhaps JSON)" } else { "text" };
        return Look { is, advice: GIVE_A_CAPTURE };
    }
    if head.len() < 4 {
        return Look { is: "too short to be a capture", advice: "check that the capture was written to it" };
    }
    Look {
        is: "not a capture that is known here: its first bytes are neither of pcap nor of pcapng",
        advice: GIVE_A_CAPTURE,
    }
}

/// UTF-8 (perhaps cut at the end) without control characters but the ones of text.
fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(s) => s,
        Err(e) if e.error_len().is_none() => {
            head.get(..e.valid_up_to()).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or("")
        }
        Err(_) => return false,
    };
    !valid.is_empty() && valid.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t' | '\u{c}'))
}

/// A block other than a section header, by its type and a length that can be.
fn is_pcapng_block(head: &[u8]) -> bool {
    let Some((kind, len)) = head.split_first_chunk::<4>().and_then(|(k, rest)| Some((*k, *rest.first_chunk::<4>()?)))
    else {
        return false;
    };
    let fits = |kind: u32, len: u32| {
        matches!(kind, 1..=6 | 0x0a | 0xbad | 0x4000_0bad) && (12..=16 << 20).contains(&len) && len.is_multiple_of(4)
    };
    fits(u32::from_le_bytes(kind), u32::from_le_bytes(len)) || fits(u32::from_be_bytes(kind), u32::from_be_bytes(len))
}

/// ERF has no magic number: two records in a row that could be some, at times that could be theirs.
fn is_erf(head: &[u8]) -> bool {
    let record = |at: usize| -> Option<(u32, usize)> {
        let header = head.get(at..)?.first_chunk::<16>()?;
        let seconds = u32::from_le_bytes([header[4], header[5], header[6], header[7]]);
        let len = usize::from(u16::from_be_bytes([header[10], header[11]]));
        (matches!(header[8] & 0x7f, 1..=27) && len >= 16 && seconds > 500_000_000).then_some((seconds, len))
    };
    record(0).is_some_and(|(first, len)| record(len).is_some_and(|(second, _)| second.abs_diff(first) < 86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_it_is() {
        for (bytes, word) in [
            (&b"\n <!DOCTYPE HTML><title>404</title>"[..], "HTML"),
            (b"<html>", "HTML"),
            (b"{\"a\": 1}\n", "JSON"),
            (b"hello, world\n", "text"),
            ("grüße".as_bytes(), "text"),
            (&"grüße".as_bytes()[..3], "text"),
            (b"CLIENT_RANDOM 00 11\n", "key log"),
            (b"\xfd7zXZ\0\0\0", "xz"),
            (b"BZh91AY&SY", "bzip2"),
            (b"7z\xbc\xaf\x27\x1c\0\x04", "7z"),
            (b"PK\x03\x04\x14\0", "zip"),
            (b"snoop\0\0\0\0\0\0\x02", "snoop"),
            (b"\x01\0\0\0\x14\0\0\0\x01\0\0\0", "section header"),
            (b"\0\0\0\x06\0\0\0\x40\0\0\0\0", "section header"),
            (b"\x01\x02\x03\x04\x05\x06\x07\x08", "not a capture"),
            (b"\xd4\xc3\xb2", "too short"),
        ] {
            assert!(identify(bytes).is.contains(word), "{:?}: {}", bytes, identify(bytes).is);
        }
    }

    #[test]
    fn every_length_of_anything_is_judged() {
        let mut erf = Vec::new();
        for seconds in [1_700_000_000u32, 1_700_000_001] {
            erf.extend([0, 0, 0, 0]);
            erf.extend(seconds.to_le_bytes());
            erf.extend([2, 4, 0, 20, 0, 0, 0, 4, 1, 2, 3, 4]);
        }
        assert!(identify(&erf).is.contains("ERF"));
        for n in 0..erf.len() {
            let _ = identify(&erf[..n]);
        }
    }
}
