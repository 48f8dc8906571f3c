//! How the certificates of one message relate: by names and key identifiers.

use std::sync::Arc;

use crate::limits;

use super::cert::{Certificate, KeyUsage};

/// What a list of certificates amounts to. All numbers are positions in the list as sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chain {
    /// The end-entity certificate: the first one, except where the list is plainly upside down.
    pub leaf: usize,
    /// From the leaf upwards, each followed by its issuer, as far as the list goes.
    pub path: Vec<usize>,
    /// All parts are there, but not each behind the one it certifies.
    pub out_of_order: bool,
    /// The path is the leaf alone and the leaf is its own issuer, as far as names and key identifiers say.
    pub self_signed: bool,
    /// The self-issued certificate at the end of a path of more than one.
    pub root_included: Option<usize>,
    /// Issuer (RFC 4514) of the path's last certificate, which is neither in the list nor that certificate itself. A
    /// root may be left out; whether it is one cannot be seen here.
    pub missing_issuer: Option<String>,
    /// Same as an earlier one.
    pub duplicates: Vec<usize>,
    /// Not on the path, yet an issuer of something that leads to the leaf (cross-signed alternatives).
    pub alternatives: Vec<usize>,
    /// Nothing leads from the leaf to it.
    pub unrelated: Vec<usize>,
    /// Certificate and issuer of which the names fit and the key identifiers do not: another key of the same name.
    pub aki_ski_mismatch: Vec<(usize, usize)>,
    /// Certificate and issuer of which the names are equal as text only: some peers compare bytes.
    pub name_encoding_differs: Vec<(usize, usize)>,
    /// Certificate and, elsewhere in the list, a CA that has the key its issuer must have, and another name.
    pub issuer_name_differs: Vec<(usize, usize)>,
    /// Issuers on the path that are no CA by their basic constraints.
    pub not_ca: Vec<usize>,
    /// Issuers on the path whose key usage does not allow to sign certificates.
    pub cannot_sign: Vec<usize>,
    /// Issuers on the path below which are more CAs than they allow.
    pub path_len_exceeded: Vec<usize>,
    /// The issuers go round in a circle.
    pub circular: bool,
}

/// How well a certificate fits as the issuer of another; a greater one fits better.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    TextOtherKey,
    NameOtherKey,
    Text,
    Name,
}

/// Sets the certificates of one Certificate message in relation, in the order in which they were sent.
pub fn judge_chain(certs: &[Arc<Certificate>]) -> Chain {
    let mut chain = Chain::default();
    let certs = certs.get(..limits::CHAIN_CERTIFICATES).unwrap_or(certs);

    let mut distinct: Vec<(usize, &Certificate)> = Vec::with_capacity(certs.len());
    for (i, c) in certs.iter().enumerate() {
        if distinct.iter().any(|(_, d)| d.sha256 == c.sha256) {
            chain.duplicates.push(i);
        } else {
            distinct.push((i, c));
        }
    }
    let Some((_, first)) = distinct.first() else { return chain };
    let links = Links { certs: &distinct };

    // Positions among the distinct ones up to here; turned into those of the list at the end.
    let leaf = if first.is_ca() { links.end_entity().unwrap_or(0) } else { 0 };
    let mut path = vec![leaf];
    let mut top = leaf;
    while !links.is_root(top) {
        match links.issuer(top, &path) {
            Some((next, fit)) => {
                if matches!(fit, Fit::TextOtherKey | Fit::NameOtherKey) {
                    chain.aki_ski_mismatch.push((links.position(top), links.position(next)));
                }
                if matches!(fit, Fit::TextOtherKey | Fit::Text) {
                    chain.name_encoding_differs.push((links.position(top), links.position(next)));
                }
                path.push(next);
                top = next;
            }
            None => {
                chain.circular = path.iter().any(|p| links.fit(top, *p).is_some());
                break;
            }
        }
    }
    let related = links.related(leaf);
    for i in (0..distinct.len()).filter(|i| !path.contains(i)) {
        let list = if related.contains(&i) { &mut chain.alternatives } else { &mut chain.unrelated };
        list.push(links.position(i));
    }
    links.judge_issuers(&path, &mut chain);

    let top_is_root = links.is_root(top);
    chain.self_signed = path.len() == 1 && top_is_root;
    chain.root_included = (path.len() > 1 && top_is_root).then(|| links.position(top));
    if !top_is_root && !chain.circular {
        chain.missing_issuer = distinct.get(top).map(|(_, c)| c.issuer.clone());
        chain.issuer_name_differs.extend(links.by_key(top).map(|i| (links.position(top), links.position(i))));
    }
    chain.leaf = links.position(leaf);
    chain.path = path.iter().map(|p| links.position(*p)).collect();
    chain.out_of_order = chain.path.windows(2).any(|w| w.first() >= w.last()) || chain.leaf != 0;
    chain
}

struct Links<'a> {
    certs: &'a [(usize, &'a Certificate)],
}

impl Links<'_> {
    fn cert(&self, i: usize) -> Option<&Certificate> {
        self.certs.get(i).map(|(_, c)| *c)
    }

    /// Position in the list as sent.
    fn position(&self, i: usize) -> usize {
        self.certs.get(i).map_or(i, |(position, _)| *position)
    }

    /// Whether `parent` can have issued `child`.
    fn fit(&self, child: usize, parent: usize) -> Option<Fit> {
        let (c, p) = (self.cert(child)?, self.cert(parent)?);
        let same_bytes = !c.issuer_raw.is_empty() && c.issuer_raw == p.subject_raw;
        if !same_bytes {
            let (issuer, subject) = (c.names().issuer.as_ref()?, p.names().subject.as_ref()?);
            if issuer != subject {
                return None;
            }
        }
        Some(match (same_bytes, c.key_ids_differ(p)) {
            (true, false) => Fit::Name,
            (false, false) => Fit::Text,
            (true, true) => Fit::NameOtherKey,
            (false, true) => Fit::TextOtherKey,
        })
    }

    /// The best issuer of `child` that is not on the path yet; the first one sent among equals.
    fn issuer(&self, child: usize, path: &[usize]) -> Option<(usize, Fit)> {
        let mut best: Option<(usize, Fit)> = None;
        for i in (0..self.certs.len()).filter(|i| !path.contains(i)) {
            if let Some(fit) = self.fit(child, i)
                && best.is_none_or(|(_, b)| fit > b)
            {
                best = Some((i, fit));
            }
        }
        best
    }

    /// The first certificate whose key identifier is the one that `child` says its issuer has.
    fn by_key(&self, child: usize) -> Option<usize> {
        let wanted = self.cert(child)?.authority_key_id.as_ref()?;
        let is = |i: &usize| *i != child && self.cert(*i).is_some_and(|c| c.subject_key_id.as_ref() == Some(wanted));
        (0..self.certs.len()).find(is)
    }

    fn is_root(&self, i: usize) -> bool {
        self.cert(i).is_some_and(|c| c.self_signed() == Some(true))
    }

    /// The one certificate that is no CA and issued none of the others.
    fn end_entity(&self) -> Option<usize> {
        let all = || 0..self.certs.len();
        let mut ends = all().filter(|i| {
            self.cert(*i).is_some_and(|c| !c.is_ca())
                && !all().any(|child| child != *i && self.fit(child, *i).is_some())
        });
        match (ends.next(), ends.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    /// All that can be reached from the leaf over issuers.
    fn related(&self, leaf: usize) -> Vec<usize> {
        let mut found = vec![leaf];
        let mut next = 0usize;
        while let Some(child) = found.get(next).copied() {
            for i in 0..self.certs.len() {
                if !found.contains(&i) && self.fit(child, i).is_some() {
                    found.push(i);
                }
            }
            next = next.saturating_add(1);
        }
        found
    }

    /// What the issuers on the path may not do (RFC 5280, section 6.1.4).
    fn judge_issuers(&self, path: &[usize], chain: &mut Chain) {
        let mut below = 0u32;
        for i in path.iter().skip(1) {
            let Some(c) = self.cert(*i) else { continue };
            let position = self.position(*i);
            if !c.is_ca() {
                chain.not_ca.push(position);
            }
            if c.key_usage.is_some_and(|u| !u.contains(KeyUsage::KEY_CERT_SIGN)) {
                chain.cannot_sign.push(position);
            }
            if let Some((true, Some(max))) = c.basic_constraints
                && below > max
            {
                chain.path_len_exceeded.push(position);
            }
            if !c.is_self_issued {
                below = below.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::x509::name::tests::name as dn;

    const CN: &[u8] = &[0x55, 4, 3];

    /// Another one with these common names; `n` stands for its hash.
    pub(crate) fn named(n: u8, subject: &str, issuer: &str, of: Certificate) -> Certificate {
        let raw = |s: &str| dn(&[(CN, 12, s.as_bytes())]).into_boxed_slice();
        Certificate {
            sha256: [n; 32],
            subject: format!("CN={subject}"),
            issuer: format!("CN={issuer}"),
            subject_raw: raw(subject),
            issuer_raw: raw(issuer),
            is_self_issued: subject == issuer,
            ..of
        }
    }

    fn cert(n: u8, subject: &str, issuer: &str, ca: bool) -> Certificate {
        let of = Certificate { basic_constraints: Some((ca, None)), version: 3, ..Certificate::default() };
        named(n, subject, issuer, of)
    }

    fn judge(certs: &[&Certificate]) -> Chain {
        judge_chain(&certs.iter().map(|c| Arc::new((*c).clone())).collect::<Vec<_>>())
    }

    #[test]
    fn in_order_with_and_without_root() {
        let (leaf, mid, root) = (cert(1, "a", "M", false), cert(2, "M", "R", true), cert(3, "R", "R", true));
        let c = judge(&[&leaf, &mid, &root]);
        assert!(!c.out_of_order && !c.self_signed);
        assert_eq!((c.path, c.root_included, c.missing_issuer), (vec![0, 1, 2], Some(2), None));
        let c = judge(&[&leaf, &mid]);
        assert!(!c.out_of_order);
        assert_eq!((c.root_included, c.missing_issuer.as_deref()), (None, Some("CN=R")));
        assert_eq!(judge(&[&leaf]).missing_issuer.as_deref(), Some("CN=M"));
        let c = judge(&[&root]);
        assert!(c.self_signed && !c.out_of_order && c.missing_issuer.is_none() && c.root_included.is_none());
        assert_eq!(judge(&[]), Chain::default());
    }

    #[test]
    fn wrong_orders() {
        let (leaf, mid, root) = (cert(1, "a", "M", false), cert(2, "M", "R", true), cert(3, "R", "R", true));
        let c = judge(&[&leaf, &root, &mid]);
        assert!(c.out_of_order);
        assert_eq!(c.path, [0, 2, 1]);
        let c = judge(&[&root, &mid, &leaf]);
        assert_eq!((c.leaf, c.path.clone(), c.out_of_order), (2, vec![2, 1, 0], true));
        let other = cert(9, "x", "Y", true);
        let c = judge(&[&leaf, &other, &mid, &mid]);
        assert_eq!((c.path, c.unrelated, c.duplicates), (vec![0, 2], vec![1], vec![3]));
    }

    #[test]
    fn cross_signed_is_an_alternative() {
        let (leaf, root) = (cert(1, "a", "R", false), cert(2, "R", "R", true));
        let (cross, old) = (cert(3, "R", "Old", true), cert(4, "Old", "Old", true));
        let c = judge(&[&leaf, &root, &cross, &old]);
        assert_eq!((c.path, c.alternatives, c.unrelated), (vec![0, 1], vec![2, 3], vec![]));
    }

    #[test]
    fn circles_end() {
        let (a, b) = (cert(1, "A", "B", true), cert(2, "B", "A", true));
        let c = judge(&[&a, &b]);
        assert!(c.circular && c.missing_issuer.is_none());
        assert_eq!(c.path, [0, 1]);
    }

    #[test]
    fn key_identifiers_choose_and_accuse() {
        let mut leaf = cert(1, "a", "R", false);
        leaf.authority_key_id = Some("01".into());
        let (mut wrong, mut right) = (cert(2, "R", "R", true), cert(3, "R", "R", true));
        wrong.subject_key_id = Some("02".into());
        right.subject_key_id = Some("01".into());
        let c = judge(&[&leaf, &wrong, &right]);
        assert_eq!((c.path, c.aki_ski_mismatch), (vec![0, 2], vec![]));
        let c = judge(&[&leaf, &wrong]);
        assert_eq!((c.path, c.aki_ski_mismatch), (vec![0, 1], vec![(0, 1)]));
    }

    #[test]
    fn an_issuer_of_the_right_key_and_another_name() {
        let (mut leaf, mut ca) = (cert(1, "a", "Old name", false), cert(2, "New name", "R", true));
        leaf.authority_key_id = Some("01".into());
        ca.subject_key_id = Some("01".into());
        assert_eq!(judge(&[&leaf, &ca]).issuer_name_differs, [(0, 1)]);
        ca.subject_key_id = Some("02".into());
        assert_eq!(judge(&[&leaf, &ca]).issuer_name_differs, []);
    }

    #[test]
    fn names_that_are_equal_as_text_only() {
        let (leaf, mut root) = (cert(1, "a", "Root", false), cert(2, "ROOT", "ROOT", true));
        root.subject = "CN=ROOT".into();
        let c = judge(&[&leaf, &root]);
        assert_eq!((c.path, c.name_encoding_differs), (vec![0, 1], vec![(0, 1)]));
    }

    #[test]
    fn what_issuers_may_not() {
        let leaf = cert(1, "a", "M2", false);
        let (mut m2, mut m1) = (cert(2, "M2", "M1", false), cert(3, "M1", "R", true));
        m1.basic_constraints = Some((true, Some(0)));
        m2.key_usage = Some(KeyUsage::DIGITAL_SIGNATURE);
        let c = judge(&[&leaf, &m2, &m1]);
        assert_eq!((c.not_ca, c.cannot_sign, c.path_len_exceeded), (vec![1], vec![1], vec![2]));
    }

    #[test]
    fn long_lists_are_capped() {
        let many: Vec<_> = (0..300u32)
            .map(|n| {
                let mut c = cert(0, &format!("c{n}"), &format!("c{}", n + 1), n > 0);
                c.sha256[..4].copy_from_slice(&n.to_be_bytes());
                Arc::new(c)
            })
            .collect();
        let c = judge_chain(&many);
        assert_eq!(c.path.len(), limits::CHAIN_CERTIFICATES);
    }
}
