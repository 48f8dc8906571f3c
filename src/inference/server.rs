//! The server's flight: EncryptedExtensions, CertificateRequest or not, Certificate, CertificateVerify, Finished
//! (RFC 8446, section 2, figure 1), where each has a record of its own; and what the server does with the client's.

use super::sizes::{HABITS, Padding, Sizes};
use crate::facts::{Confidence, Shape};

/// A server's flight may be spread over so many records.
const LONGEST: usize = 24;

/// EncryptedExtensions without an extension, and a CertificateRequest with one signature scheme.
const LEAST_EXTENSIONS: u16 = 6;
/// See above.
const LEAST_REQUEST: u16 = 15;

/// Which records are which messages of the server's flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flight {
    pub(super) padding: Padding,
    /// Index of the CertificateRequest.
    pub(super) request: Option<usize>,
    /// Indices of the Certificate's first record, the CertificateVerify and the Finished.
    pub(super) certificate: usize,
    pub(super) verify: usize,
    pub(super) finished: usize,
    /// How sure the place of each message is: never certain, since messages may share records.
    pub(super) confidence: Confidence,
}

/// Reads the flight. `None` where messages share records, or the sizes do not decide.
pub(super) fn flight(records: &[Shape], sizes: Sizes) -> Option<Flight> {
    HABITS.iter().copied().find_map(|p| under(records, sizes, p))
}

fn under(records: &[Shape], sizes: Sizes, padding: Padding) -> Option<Flight> {
    let finished_len = sizes.wire(sizes.finished, padding);
    let fits = |n: usize| records.iter().take(n.saturating_add(1)).all(|r| sizes.fits(r.len, padding));
    let finished = (3..records.len().min(LONGEST)).find(|i| {
        let verify = records.get(i.saturating_sub(1));
        records.get(*i).is_some_and(|r| r.len == finished_len)
            && verify.is_some_and(|r| sizes.is_certificate_verify(r.len, padding))
    })?;
    if !fits(finished) {
        return None;
    }
    let verify = finished.saturating_sub(1);
    // A full record goes on in the next: both are one message.
    let mut starts: Vec<usize> = Vec::new();
    let mut goes_on = false;
    for (i, r) in records.iter().take(verify).enumerate() {
        if !goes_on {
            starts.push(i);
        }
        goes_on = sizes.is_full(r.len, padding);
    }
    let spread = starts.len() < verify;
    let confidence = match padding {
        Padding::Constant(_) if !spread => Confidence::Likely,
        Padding::Block(16) if !spread => Confidence::Likely,
        _ => Confidence::Possible,
    };
    let least = |i: usize| records.get(i).map_or(0, |r| sizes.inner(r.len, padding));
    if least(0) < LEAST_EXTENSIONS {
        return None;
    }
    let (request, certificate) = match starts.as_slice() {
        [_, certificate] => (None, *certificate),
        [_, request, certificate] if least(*request) >= LEAST_REQUEST => (Some(*request), *certificate),
        _ => return None,
    };
    Some(Flight { padding, request, certificate, verify, finished, confidence })
}

/// How many of the records that follow the client's Finished are session tickets: most servers send two of one size.
pub(super) fn tickets(after: &[Shape]) -> usize {
    /// Records of tickets have between so many and so many bytes: lifetime, age, nonce and the ticket, which may hold the
    /// client's certificate.
    const LENGTHS: std::ops::RangeInclusive<u16> = 60..=8000;
    let Some(first) = after.first().filter(|r| LENGTHS.contains(&r.len)) else { return 0 };
    let same = after.iter().take_while(|r| r.len == first.len).count();
    if (2..=4).contains(&same) { same } else { 0 }
}
