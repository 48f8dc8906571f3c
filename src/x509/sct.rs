//! Signed certificate timestamps (RFC 6962, sections 3.2 and 3.3): their form and their times. Signatures are not verified:
//! that needs the keys of the logs.

use crate::limits;
use crate::reader::{Decoded, Reader};

/// The only version that this structure has; version 2 (RFC 9162) has another one, in another extension.
const V1: u8 = 0;

/// Bytes of a log's identifier.
const LOG_ID_BYTES: usize = 32;

/// A SignedCertificateTimestampList as far as it could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SctList {
    /// Entries in it.
    pub count: usize,
    /// The timestamps of those whose form is right, in order: milliseconds since 1970.
    pub times: Vec<u64>,
    /// The first thing that is wrong with one of them (1-based), or with the list (0).
    pub fault: Option<(usize, SctFault)>,
}

/// What is wrong with a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SctFault {
    /// The list has no entry, or lengths that do not fit.
    List,
    /// The entry has a version that is not known.
    Version(u8),
    /// The lengths inside do not fit.
    Form,
}

/// Reads a list in TLS presentation: the content of the certificate's extension within its OCTET STRING.
pub(crate) fn read(list: &[u8]) -> SctList {
    let mut out = SctList::default();
    let mut outer = Reader::new(list);
    let Ok(mut all) = outer.vector("sct_list", 2) else {
        out.fault = Some((0, SctFault::List));
        return out;
    };
    while !all.is_empty() {
        let Ok(one) = all.vector("SerializedSCT", 2) else {
            out.fault = out.fault.or(Some((0, SctFault::List)));
            return out;
        };
        out.count = out.count.saturating_add(1);
        let n = out.count;
        match timestamp(one) {
            Ok(Ok(t)) if out.times.len() < limits::CERTIFICATE_LIST => out.times.push(t),
            Ok(Ok(_)) => {}
            Ok(Err(version)) => out.fault = out.fault.or(Some((n, SctFault::Version(version)))),
            Err(_) => out.fault = out.fault.or(Some((n, SctFault::Form))),
        }
    }
    if out.count == 0 || !outer.is_empty() {
        out.fault = out.fault.or(Some((0, SctFault::List)));
    }
    out
}

/// The time in a SignedCertificateTimestamp, or its version where that is not known.
fn timestamp(mut r: Reader<'_>) -> Decoded<Result<u64, u8>> {
    let version = r.u8("sct_version")?;
    if version != V1 {
        return Ok(Err(version));
    }
    r.bytes("log_id", LOG_ID_BYTES)?;
    let time = r.bytes("timestamp", 8)?.iter().fold(0, |v: u64, b| (v << 8) | u64::from(*b));
    r.vector("extensions", 2)?;
    // SignatureAndHashAlgorithm.
    r.u16("algorithm")?;
    r.vector("signature", 2)?;
    r.end("SignedCertificateTimestamp")?;
    Ok(Ok(time))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::x509) fn sct(version: u8, time: u64) -> Vec<u8> {
        // RFC 6962, section 3.2: no extensions, ecdsa with SHA-256, a signature of four bytes.
        [&[version], &[7; 32][..], &time.to_be_bytes(), &[0, 0, 4, 3, 0, 4, 1, 2, 3, 4]].concat()
    }

    pub(in crate::x509) fn list(all: &[Vec<u8>]) -> Vec<u8> {
        let short = |v: &[u8]| [&u16::try_from(v.len()).unwrap().to_be_bytes()[..], v].concat();
        short(&all.iter().flat_map(|s| short(s)).collect::<Vec<_>>())
    }

    #[test]
    fn times_and_faults() {
        let two = list(&[sct(0, 1_700_000_000_123), sct(0, 5)]);
        assert_eq!(read(&two), SctList { count: 2, times: vec![1_700_000_000_123, 5], fault: None });
        let odd = list(&[sct(0, 1), sct(1, 2), vec![0, 1]]);
        assert_eq!(read(&odd), SctList { count: 3, times: vec![1], fault: Some((2, SctFault::Version(1))) });
        for bad in [[sct(0, 1), vec![9]].concat(), sct(0, 1)[..50].to_vec(), vec![]] {
            assert_eq!(read(&list(&[bad])).fault, Some((1, SctFault::Form)));
        }
        for n in 0..two.len() {
            assert_eq!(read(&two[..n]).fault, Some((0, SctFault::List)), "{n}");
        }
        assert_eq!(read(&[0, 0]).fault, Some((0, SctFault::List)));
        assert_eq!(read(&[&two[..], &[0]].concat()).fault, Some((0, SctFault::List)));
    }
}
