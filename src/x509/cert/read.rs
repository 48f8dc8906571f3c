//! Reading a certificate: field by field, so that damage costs only what it hits.

use sha2::{Digest, Sha256};

use super::Certificate;
use crate::x509::der::{Der, INTEGER, SEQUENCE, Tlv, context_constructed};
use crate::x509::{extension, key, name, signature, time};
use crate::{limits, text};

impl Certificate {
    /// Reads a certificate. Never fails: what cannot be had is absent and named in [`Certificate::problems`]; the
    /// SHA-256 is always there.
    pub fn parse(der: &[u8]) -> Self {
        let mut c = Self { sha256: Sha256::digest(der).into(), der: der.into(), der_len: der.len(), ..Self::default() };
        let mut outer = Der::new(der);
        let (fields, cut) = match outer.next_or_cut("Certificate") {
            Ok(found) => found,
            Err(e) => {
                c.problem(e);
                return c;
            }
        };
        if fields.tag != SEQUENCE {
            c.problem(fields.illegal("Certificate"));
            return c;
        }
        if let Some(e) = cut {
            c.problem(e);
        }
        if let Err(e) = outer.end("Certificate") {
            c.problem(e);
        }
        let mut fields = fields.inside();
        let inner_algorithm = match fields.next_or_cut("tbsCertificate") {
            Ok((tbs, cut)) => {
                // A cut here follows from the cut outside, which was told.
                if let Some(e) = cut.filter(|_| c.problems.is_empty()) {
                    c.problem(e);
                }
                let mut algorithm = None;
                if let Err(e) = c.read_tbs(&tbs, &mut algorithm) {
                    c.problem(e);
                }
                algorithm
            }
            Err(e) => {
                c.problem(e);
                None
            }
        };
        c.read_signature(&mut fields, inner_algorithm);
        c.is_self_issued = !c.subject_raw.is_empty() && c.subject_raw == c.issuer_raw;
        c
    }

    /// TBSCertificate. Fields are taken by their place, so that one of a wrong type costs only itself; only where no
    /// element can be found any more it ends with an error.
    fn read_tbs<'a>(&mut self, tbs: &Tlv<'a>, algorithm: &mut Option<Tlv<'a>>) -> crate::reader::Decoded<()> {
        let mut fields = tbs.of("tbsCertificate", SEQUENCE)?.inside();

        self.version = 1;
        if let Some(explicit) = fields.optional("version", context_constructed(0))? {
            let value = explicit.inside().expect("version", INTEGER).map(|v| v.content);
            self.version = match value {
                Ok([v @ 0..=2]) => v.saturating_add(1),
                _ => {
                    self.problem(explicit.illegal("version"));
                    0
                }
            };
        }

        let serial = fields.next("serialNumber")?;
        if serial.tag != INTEGER || serial.content.is_empty() {
            self.problem(serial.illegal("serialNumber"));
        }
        self.serial = text::hex(serial.content.get(..limits::CERTIFICATE_SERIAL).unwrap_or(serial.content));
        if serial.content.len() > limits::CERTIFICATE_SERIAL {
            self.serial.push('…');
            self.note(format!("serialNumber has {} bytes", serial.content.len()));
        }

        *algorithm = Some(fields.next("signature")?);

        let issuer = fields.next("issuer")?;
        self.issuer_raw = issuer.raw.into();
        let issuer = name::read(&issuer);
        self.issuer = issuer.text;
        if let Some(e) = issuer.error {
            self.note(format!("issuer: {e}"));
        }

        let validity = fields.next("validity")?;
        self.read_validity(&validity);

        let subject = fields.next("subject")?;
        self.subject_raw = subject.raw.into();
        let subject = name::read(&subject);
        (self.subject, self.common_names) = (subject.text, subject.common_names);
        if let Some(e) = subject.error {
            self.note(format!("subject: {e}"));
        }

        let spki = fields.next("subjectPublicKeyInfo")?;
        if let Err(e) = key::read(&spki, &mut self.key) {
            self.problem(e);
        }

        while !fields.is_empty() {
            let field = fields.next("tbsCertificate")?;
            match field.tag {
                // issuerUniqueID and subjectUniqueID say nothing.
                0x81 | 0x82 | 0xa1 | 0xa2 => {}
                0xa3 => {
                    if let Err(e) = extension::read_all(&field, self) {
                        self.problem(e);
                    }
                }
                _ => self.problem(field.illegal("tbsCertificate")),
            }
        }
        Ok(())
    }

    fn read_validity(&mut self, validity: &Tlv<'_>) {
        if validity.tag != SEQUENCE {
            return self.problem(validity.illegal("validity"));
        }
        let mut times = validity.inside();
        for (what, is_first) in [("notBefore", true), ("notAfter", false)] {
            match times.next(what) {
                Ok(t) => {
                    let parsed = time::parse(&t);
                    let secs = parsed.map(|t| t.secs);
                    if is_first {
                        self.not_before = secs;
                    } else {
                        self.not_after = secs;
                    }
                    if !parsed.is_some_and(|t| t.canonical) {
                        let is = if parsed.is_some() { "not in DER's form" } else { "no time" };
                        let shown = t.content.get(..limits::CERTIFICATE_SERIAL).unwrap_or(t.content);
                        self.note(format!("{what} is {is}: \"{}\"", text::escape_bytes(shown)));
                    }
                }
                Err(e) => return self.problem(e),
            }
        }
        if let (Some(from), Some(to)) = (self.not_before, self.not_after)
            && from > to
        {
            self.note("notBefore is later than notAfter".into());
        }
    }

    /// signatureAlgorithm and signatureValue, behind the TBSCertificate.
    fn read_signature(&mut self, fields: &mut Der<'_>, inner: Option<Tlv<'_>>) {
        let outer = fields.next("signatureAlgorithm");
        let Some(chosen) = inner.or(outer.as_ref().ok().copied()) else { return };
        match signature::read(&chosen) {
            Ok(found) => (self.signature_algorithm, self.signature_hash) = found,
            Err(e) => self.problem(e),
        }
        let outer = match outer {
            Ok(o) => o,
            // When the certificate is cut, that was told.
            Err(_) if !self.problems.is_empty() => return,
            Err(e) => return self.problem(e),
        };
        if inner.is_some_and(|i| i.raw != outer.raw) {
            self.note("the two signature algorithms in it differ".into());
        }
        match fields.next("signatureValue").and_then(|v| v.bits("signatureValue")) {
            Ok(_) => {
                if let Err(e) = fields.end("signatureValue") {
                    self.problem(e);
                }
            }
            Err(e) => self.problem(e),
        }
    }

    pub(in crate::x509) fn problem(&mut self, e: crate::reader::DecodeError) {
        self.note(e.to_string());
    }

    /// Notes, once, that a list has more entries than are kept.
    pub(in crate::x509) fn beyond(&mut self, what: &str) {
        let problem = format!("only the first {} {what} are looked at", limits::CERTIFICATE_LIST);
        if !self.problems.contains(&problem) {
            self.note(problem);
        }
    }

    /// Notes a problem, the text of which must be safe to print.
    pub(in crate::x509) fn note(&mut self, problem: String) {
        if self.problems.len() < limits::CERTIFICATE_LIST {
            self.problems.push(problem);
        } else if self.problems.len() == limits::CERTIFICATE_LIST {
            self.problems.push("further problems are not listed".to_owned());
        }
    }
}
