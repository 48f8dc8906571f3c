//! Trust anchors given by the user: does a chain lead to one of them? Judged at a time, offline, without revocation.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};

use crate::span::{Role, Timestamp};
use crate::text;

use super::cert::Certificate;
use super::chain::Chain;
use super::name::{NameEquality, compare_names};

/// A set of trust anchors and where it came from.
#[derive(Clone)]
pub struct Trust {
    /// Its source as a person named it. Safe to print.
    pub source: String,
    /// That source is a file of the user's.
    is_file: bool,
    anchors: Vec<TrustAnchor<'static>>,
    names: Vec<Box<[u8]>>,
    certificates: HashSet<[u8; 32]>,
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust")
            .field("source", &self.source)
            .field("anchors", &self.names.len())
            .finish_non_exhaustive()
    }
}

/// What a set of anchors says of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trusted {
    /// A path leads to an anchor, and every check of RFC 5280 that does not need the network passes.
    Yes,
    /// No certificate of the list is an anchor or has an anchor's name as its issuer.
    UnknownIssuer,
    /// Names lead to an anchor, but the path is not good: why, for a sentence.
    No(String),
}

impl Trust {
    /// From PEM (any number of certificates; other blocks are passed over) or one certificate in DER.
    ///
    /// # Errors
    /// When there is no certificate in it: a sentence without the source.
    pub fn read(source: &str, bytes: &[u8]) -> Result<Self, String> {
        let all: Vec<CertificateDer<'static>> = if bytes.first() == Some(&0x30) {
            vec![CertificateDer::from(bytes.to_vec())]
        } else {
            CertificateDer::pem_slice_iter(bytes).collect::<Result<_, _>>().map_err(|_| {
                "is no PEM file of certificates; make one with openssl x509 -in FILE -out FILE.pem".to_owned()
            })?
        };
        Ok(Self { is_file: true, ..Self::of(source, &all)? })
    }

    /// The roots that Mozilla trusts for TLS servers, as compiled in.
    ///
    /// # Errors
    /// Never, unless the compiled-in list is damaged.
    pub fn mozilla() -> Result<Self, String> {
        Self::of("Mozilla's roots", webpki_root_certs::TLS_SERVER_ROOT_CERTS)
    }

    /// From the certificates themselves.
    ///
    /// # Errors
    /// When none of them can be an anchor.
    pub fn of(source: &str, all: &[CertificateDer<'_>]) -> Result<Self, String> {
        let mut out = Self {
            source: text::escape(source).into_owned(),
            is_file: false,
            anchors: Vec::new(),
            names: Vec::new(),
            certificates: HashSet::new(),
        };
        for der in all {
            let parsed = Certificate::parse(der);
            if parsed.subject_raw.is_empty() {
                continue;
            }
            out.certificates.insert(parsed.sha256);
            out.names.push(parsed.subject_raw);
            if let Ok(anchor) = webpki::anchor_from_trusted_cert(der) {
                out.anchors.push(anchor.to_owned());
            }
        }
        if out.names.is_empty() { Err("holds no certificate".to_owned()) } else { Ok(out) }
    }

    /// The same set without the name of its file.
    pub fn redacted(&self) -> Self {
        let source = if self.is_file { "the given file".to_owned() } else { self.source.clone() };
        Self { source, ..self.clone() }
    }

    /// Number of anchors.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True for an empty set, which cannot be made.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// True when an anchor has the name of this certificate's issuer.
    pub fn knows_issuer_of(&self, c: &Certificate) -> bool {
        self.has_name(&as_sent(c).issuer_raw)
    }

    /// True when an anchor has this name (DER).
    fn has_name(&self, name: &[u8]) -> bool {
        self.names.iter().any(|n| **n == *name)
            || self.names.iter().any(|n| compare_names(n, name) != NameEquality::Different)
    }

    /// No certificate of the list is an anchor or is issued by a name that an anchor has: no client with these anchors
    /// can find a path, unless it has further certificates of its own. By names alone, which costs little.
    pub fn knows_none_of(&self, certs: &[Arc<Certificate>]) -> bool {
        !certs.iter().any(|c| {
            let c = as_sent(c);
            self.certificates.contains(&c.sha256) || self.has_name(&c.issuer_raw) || self.has_name(&c.subject_raw)
        })
    }

    /// Judges the certificates that `role` sent, at a time.
    pub fn judge(&self, certs: &[Arc<Certificate>], relations: &Chain, role: Role, at: Timestamp) -> Trusted {
        if self.knows_none_of(certs) {
            return Trusted::UnknownIssuer;
        }
        let Some(leaf) = certs.get(relations.leaf) else { return Trusted::UnknownIssuer };
        if self.certificates.contains(&as_sent(leaf).sha256) {
            return Trusted::Yes;
        }
        let der = CertificateDer::from(&*leaf.der);
        let others: Vec<CertificateDer<'_>> = certs
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != relations.leaf)
            .map(|(_, c)| CertificateDer::from(&*c.der))
            .collect();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.secs()).unwrap_or(0)));
        let usage = match role {
            Role::Server => webpki::KeyUsage::server_auth(),
            Role::Client => webpki::KeyUsage::client_auth(),
        };
        let judged = webpki::EndEntityCert::try_from(&der).and_then(|e| {
            e.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &self.anchors, &others, now, usage, None, None).map(drop)
        });
        match judged {
            Ok(()) => Trusted::Yes,
            Err(e) => Trusted::No(reason(&e)),
        }
    }
}

/// The certificate by which anchors are known: what is shown of one may have been renamed, its bytes never are.
fn as_sent(c: &Certificate) -> Cow<'_, Certificate> {
    if c.is_renamed { Cow::Owned(Certificate::parse(&c.der)) } else { Cow::Borrowed(c) }
}

/// A verifier's complaint, for a sentence that begins with "the path is not good:".
fn reason(e: &webpki::Error) -> String {
    use webpki::Error as E;
    match e {
        E::CertExpired { .. } => "a certificate has expired".into(),
        E::CertNotValidYet { .. } => "a certificate is not valid yet".into(),
        E::UnknownIssuer => "the CA that is named as the issuer has another key, or an intermediate is missing".into(),
        E::InvalidSignatureForPublicKey => "a signature does not verify".into(),
        E::NameConstraintViolation => "a CA may not certify that name".into(),
        E::PathLenConstraintViolated => "more CAs follow than one of them allows".into(),
        E::CaUsedAsEndEntity => "the certificate is a CA's".into(),
        E::EndEntityUsedAsCa => "a certificate that is no CA issued another one".into(),
        E::UnsupportedCriticalExtension => "a critical extension is not known".into(),
        E::UnsupportedCertVersion => "a certificate is not of X.509 version 3".into(),
        other => text::escape(&format!("{other:?}")).into_owned(),
    }
}
