//! The client's flight: Finished alone, or behind an empty Certificate, or behind a Certificate and a CertificateVerify
//! (RFC 8446, section 2, figure 1). Its sizes decide, for every habit of padding that its records allow.

use super::sizes::{
    ALERT, AROUND_CERTIFICATE, EMPTY_CERTIFICATE, EMPTY_CERTIFICATE_AFTER, END_OF_EARLY_DATA, HABITS, Padding, Sizes,
};
use crate::facts::{Answer, Confidence, Shape};

/// A flight may be spread over so many records before its Finished.
const LONGEST: usize = 24;

/// Which records of a side are which messages of its flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flight {
    pub(super) answer: Answer,
    pub(super) confidence: Confidence,
    pub(super) padding: Padding,
    /// Index of the first record of it: an EndOfEarlyData stands before.
    pub(super) first: usize,
    /// Index of the record with the Finished.
    pub(super) finished: usize,
    /// Index of the CertificateVerify, where it has a record of its own.
    pub(super) verify: Option<usize>,
    /// An EndOfEarlyData was there.
    pub(super) early_data: bool,
}

/// What may stand before a flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Nothing.
    Nothing,
    /// Early data that the server may have accepted, and EndOfEarlyData if it did (a pre-shared key was selected).
    EarlyData,
    /// Early data that the server has not accepted.
    Refused,
}

/// Reads the flight at the beginning of `records`, or behind the early data there. `None` when the records do not decide.
pub(super) fn flight(records: &[Shape], sizes: Sizes, before: Before) -> Option<Flight> {
    let mut found: Option<Flight> = None;
    for padding in HABITS.iter().copied().filter(|p| usual(records, sizes, *p)) {
        for f in under(records, sizes, padding, before) {
            match &mut found {
                None => found = Some(f),
                // Two habits that tell different stories: neither is believed.
                Some(other) if other.answer != f.answer => return None,
                Some(other) => other.confidence = other.confidence.min(f.confidence),
            }
        }
    }
    found
}

/// The records can all have been padded by this habit. One record says nothing for a block.
fn usual(records: &[Shape], sizes: Sizes, padding: Padding) -> bool {
    let all = records.iter().take(LONGEST).all(|r| sizes.fits(r.len, padding));
    all && (matches!(padding, Padding::Constant(_)) || records.len() > 1)
}

/// Every reading of the records under one habit.
fn under(records: &[Shape], sizes: Sizes, padding: Padding, before: Before) -> Vec<Flight> {
    let mut out = Vec::new();
    match before {
        Before::Nothing => read(records, 0, sizes, padding, &mut out),
        Before::EarlyData => {
            let end = sizes.wire(END_OF_EARLY_DATA, padding);
            let finished = sizes.wire(sizes.finished, padding);
            let at = records.windows(2).take(LONGEST).position(|w| w.iter().map(|r| r.len).eq([end, finished]));
            if let Some(at) = at {
                read(records, at.saturating_add(1), sizes, padding, &mut out);
                for f in &mut out {
                    f.early_data = true;
                }
            } else {
                read(records, 0, sizes, padding, &mut out);
            }
        }
        Before::Refused => {
            for first in 0..records.len().min(LONGEST) {
                read(records, first, sizes, padding, &mut out);
                if !out.is_empty() {
                    break;
                }
            }
            for f in out.iter_mut().filter(|f| f.first > 0) {
                f.confidence = f.confidence.min(Confidence::Likely);
            }
        }
    }
    out
}

/// Readings of a flight that begins with record `first`.
fn read(records: &[Shape], first: usize, sizes: Sizes, padding: Padding, out: &mut Vec<Flight>) {
    let Some(rest) = records.get(first..).filter(|r| !r.is_empty()) else { return };
    let len = |i: usize| rest.get(i).map(|r| r.len);
    let finished = sizes.wire(sizes.finished, padding);
    let mut add = |answer, confidence, last: usize, verify: Option<usize>| {
        out.push(Flight {
            answer,
            confidence: if matches!(padding, Padding::Block(n) if n > 16) { Confidence::Possible } else { confidence },
            padding,
            first,
            finished: first.saturating_add(last),
            verify: verify.map(|v| first.saturating_add(v)),
            early_data: false,
        });
    };
    if len(0) == Some(finished) {
        add(Answer::NotAsked, Confidence::Certain, 0, None);
    }
    if len(0) == Some(sizes.wire(EMPTY_CERTIFICATE, padding)) && len(1) == Some(finished) {
        add(Answer::Empty, Confidence::Certain, 1, None);
    }
    if len(0) == Some(sizes.wire(EMPTY_CERTIFICATE.saturating_add(sizes.finished), padding)) {
        add(Answer::Empty, Confidence::Certain, 0, None);
    }
    if let Some(last) = (2..rest.len().min(LONGEST)).find(|i| {
        len(*i) == Some(finished)
            && rest.get(i.saturating_sub(1)).is_some_and(|r| sizes.is_certificate_verify(r.len, padding))
    }) && rest.iter().take(last.saturating_sub(2)).all(|r| sizes.is_full(r.len, padding))
    {
        add(Answer::Sent, Confidence::Certain, last, Some(last.saturating_sub(1)));
        return;
    }
    // Certificate and CertificateVerify in one record, or all three, as BoringSSL and NSS send them; what does not fit
    // into one record goes on in the next.
    let full = rest.iter().take(LONGEST).take_while(|r| sizes.is_full(r.len, padding)).count();
    let proof = sizes.least_proof(padding);
    let whole = proof.saturating_add(sizes.finished);
    let Some(end) = len(full) else { return };
    if (full > 0 || end >= proof) && rest.get(full.saturating_add(1)).is_some_and(|r| r.len == finished) {
        add(Answer::Sent, Confidence::Likely, full.saturating_add(1), None);
    } else if full > 0 || end >= whole {
        // A Finished padded by hundreds of bytes would look the same; a smaller record later shows that nobody pads so.
        let unpadded = rest.iter().skip(full.saturating_add(1)).any(|r| r.len < finished);
        add(Answer::Sent, if unpadded { Confidence::Certain } else { Confidence::Likely }, full, None);
    }
}

/// Bytes of the one certificate that the flight's Certificate message holds, when it holds just one and is not compressed:
/// more than a certificate with such a key usually has is a chain, of which only the sum is known.
pub(super) fn leaf_len(records: &[Shape], f: &Flight, sizes: Sizes) -> Option<usize> {
    let verify = f.verify?;
    let message: usize = records.get(f.first..verify)?.iter().map(|r| usize::from(sizes.inner(r.len, f.padding))).sum();
    let signature = usize::from(sizes.inner(records.get(verify)?.len, f.padding));
    let padded = matches!(f.padding, Padding::Block(_));
    message.checked_sub(AROUND_CERTIFICATE).filter(|der| !padded && *der <= signature.saturating_add(1100))
}

/// The client's only records are one of an alert's size: it gave up before its Finished.
pub(super) fn alert(records: &[Shape], sizes: Sizes) -> Option<&Shape> {
    let [only] = records else { return None };
    let alert = |p: &Padding| sizes.wire(ALERT, *p) == only.len;
    HABITS.iter().take(3).any(alert).then_some(only)
}

/// An answer to a CertificateRequest after the handshake, which repeats the request's context: a Certificate (empty or
/// not), a CertificateVerify and a Finished among the application data.
pub(super) fn post_handshake(records: &[Shape], f: &Flight, sizes: Sizes) -> Option<(usize, Answer)> {
    let finished = sizes.wire(sizes.finished, f.padding);
    let empty = sizes.wire(EMPTY_CERTIFICATE_AFTER, f.padding);
    let after = f.finished.saturating_add(1);
    (after..records.len()).find_map(|at| match records.get(at..)? {
        [first, second, ..] if first.len == empty && second.len == finished => Some((at, Answer::Empty)),
        [first, second, third, ..]
            if third.len == finished
                && sizes.is_certificate_verify(second.len, f.padding)
                && first.len > sizes.wire(EMPTY_CERTIFICATE_AFTER.saturating_add(200), f.padding) =>
        {
            Some((at, Answer::Sent))
        }
        _ => None,
    })
}
