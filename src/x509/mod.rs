//! Certificates: facts from DER, names, chains, host names, OCSP staples, signatures. Where nothing else is said,
//! "self-signed" and "issued by" mean names and key identifiers; signatures are looked at by `verify.rs` alone.
//!
//! All is read by an own walk over the DER (`der.rs`): a parser that refuses a certificate as a whole would take the
//! facts with it that explain why a peer refused it too.

mod cache;
mod cert;
mod chain;
mod constraints;
mod der;
mod extension;
mod form;
mod hostname;
mod idn;
mod key;
mod name;
mod ocsp;
mod oid;
mod rsa;
mod san;
mod sct;
mod signature;
mod time;
mod trust;
mod verify;

pub use cache::Cache;
pub use cert::{Certificate, KeyUsage, Validity};
#[cfg(test)]
pub(crate) use chain::tests::named;
pub use chain::{Chain, judge_chain};
pub use constraints::{NameConstraints, Subtree};
pub use form::{FormFault, FormFaultKind};
pub use hostname::{NameMatch, match_name};
pub(crate) use idn::a_label;
pub use idn::{bad_a_label, to_unicode};
pub use key::{Curve, KeyAlgorithm, PublicKey};
pub use name::{NameEquality, compare_names, distinguished_name};
pub use ocsp::{CertStatus, OcspResponse, OcspResponseStatus, OcspStatus, parse_ocsp};
pub use rsa::Modulus;
#[cfg(test)]
pub(crate) use rsa::tests::{mersenne, times};
pub use san::San;
pub use sct::{SctFault, SctList};
pub use signature::SignatureHash;
pub use time::format_time;
pub use trust::{Trust, Trusted};
pub use verify::{Verdict, broken_link, is_signed_by, verifies};
