//! RSA keys that can be broken from what they show: those of a faulty generator, and those that share a prime.

use super::cert_encoding::sent;
use super::{Blame, Hit, Policy, Rule, Severity, differences, new, page, wide, words};
use crate::facts::FlowFacts;
use crate::siblings::Memory;
use crate::text;

const KEY: &str = "Make a new key on a machine with a sound random generator (openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072), have a certificate issued for it, and have the old one revoked.";

pub(super) const RULES: &[Rule] = &[
    new(
        "roca-key",
        Severity::Error,
        0,
        "The RSA key of a certificate was made by a faulty generator and can be broken (ROCA)",
        page(
            "The modulus of the RSA key has the fingerprint of Infineon's key generator of 2012 to 2017: modulo the product of the first 39 primes it is a power of 65537.",
            "The private key can be computed from the certificate: for 1024 bits in days on one machine, for 2048 bits at the cost of some thousand machine days (CVE-2017-15361). Such keys come from smart cards, TPM chips and tokens of that time (YubiKey 4 before 4.3.5, Gemalto, Infineon TPM 1.2 and 2.0).",
            "Certain: of sound keys one in 2^154 has the fingerprint.",
            "Make a new key: not on that device, or after an update of its firmware. Have the certificate issued for it and the old one revoked.",
            "  openssl x509 -in cert.pem -noout -modulus   (then a public ROCA checker)",
            "CVE-2017-15361; M. Nemec and others, The Return of Coppersmith's Attack, ACM CCS 2017",
        ),
        roca,
    ),
    wide(
        "shared-modulus",
        Severity::Error,
        "Two RSA keys have a prime in common and are broken",
        page(
            "The moduli of two different RSA keys in the capture have a common factor, found with the greatest common divisor of each and all others.",
            "Who has both certificates has both private keys, by one division. It happens where devices make their keys at the first start without enough randomness (routers, cameras, management boards).",
            "Certain: the factor is computed. Compared are those of one length among the first 256 keys (512 to 4096 bits) of servers' and clients' own certificates in clear; that more were left out is told of the capture; keys that are the same are not meant.",
            KEY,
            "  openssl x509 -in cert.pem -noout -modulus   (of both, then their greatest common divisor)",
            "N. Heninger and others, Mining Your Ps and Qs, USENIX Security 2012; NIST SP 800-90A",
        ),
        shared,
    ),
];

fn roca(f: &FlowFacts, _: &Policy) -> Option<Hit> {
    let (role, mark, c) = sent(f).find(|(_, _, c)| c.has_roca_fingerprint())?;
    let detail = format!(
        "The {role} sends {}, whose RSA key{} has the fingerprint of CVE-2017-15361.",
        words::cert(c),
        c.key.bits.map_or_else(String::new, |b| format!(" of {b} bits"))
    );
    Some(Hit::new(detail, KEY).at(mark).blame(role))
}

fn shared(m: &Memory, _: &Policy) -> Vec<Hit> {
    let hit = |s: &crate::siblings::SharedPrime| {
        let [(a, first), (b, second)] = &s.keys;
        let detail = format!(
            "The keys of {} (flow #{first}) and {} (flow #{second}) have a prime of {} bits in common.",
            differences::leaf(a),
            differences::leaf(b),
            s.bits
        );
        let about = [text::hex(&a.sha256), text::hex(&b.sha256)].join(" ");
        Hit::new(detail, KEY).blame(Blame::Either).about(about).of([*first, *second])
    };
    m.shared_primes().iter().map(hit).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{codes, established, find, leaf, server_flight, whole};
    use crate::diagnose::Blame;
    use crate::facts::FlowFacts;
    use crate::x509::Certificate;

    /// A certificate with nothing in it but an RSA key, by its modulus.
    fn keyed(n: u8, modulus: &[u8]) -> Certificate {
        let tlv = |tag: u8, body: &[u8]| {
            let len = u16::try_from(body.len()).expect("short").to_be_bytes();
            [&[tag, 0x82][..], &len, body].concat()
        };
        let numbers = tlv(0x30, &[tlv(2, &[&[0], modulus].concat()), vec![2, 3, 1, 0, 1]].concat());
        let algorithm = [0x30, 11, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
        let key = tlv(0x30, &[&algorithm[..], &tlv(3, &[&[0], &numbers[..]].concat())].concat());
        let fields = [&[2, 1, n][..], &[0x30, 0].repeat(4), &key].concat();
        let serial = format!("{n:02x}");
        Certificate { der: tlv(0x30, &tlv(0x30, &fields)).into(), sha256: [n; 32], serial, ..leaf() }
    }

    /// `a` times `b`, most significant byte first.
    fn times(a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut out = vec![0u32; a.len() + b.len()];
        for (i, x) in a.iter().rev().enumerate() {
            for (j, y) in b.iter().rev().enumerate() {
                let mut carry = u32::from(*x) * u32::from(*y);
                for cell in out.iter_mut().skip(i + j) {
                    carry += *cell;
                    *cell = carry & 0xff;
                    carry >>= 8;
                }
            }
        }
        let bytes: Vec<u8> = out.into_iter().rev().map(|v| u8::try_from(v).expect("a byte")).collect();
        bytes.into_iter().skip_while(|b| *b == 0).collect()
    }

    /// 2^n - 1.
    fn mersenne(n: usize) -> Vec<u8> {
        [vec![u8::try_from((1u32 << (n % 8)) - 1).expect("a byte")], vec![0xff; n / 8]].concat()
    }

    fn shows(c: Certificate) -> FlowFacts {
        established(server_flight(vec![c]))
    }

    #[test]
    fn keys_of_the_faulty_generator() {
        const CODE: &str = "roca-key";
        // 65537^40 has the fingerprint by its definition.
        let power = (0..40).fold(vec![1], |n, _| times(&n, &[1, 0, 1]));
        let x = find(&shows(keyed(9, &power)), CODE).expect("told");
        assert_eq!(x.blame, Blame::Server);
        assert!(find(&established(server_flight(vec![leaf(), keyed(9, &power)])), CODE).is_some());
        let plain = times(&mersenne(521), &mersenne(607));
        assert!(find(&shows(keyed(9, &plain)), CODE).is_none() && find(&shows(leaf()), CODE).is_none());
    }

    #[test]
    fn keys_with_a_common_prime() {
        const CODE: &str = "shared-modulus";
        let [p, q, r] = [521, 607, 521].map(mersenne);
        let a = times(&p, &q);
        let b = times(&mersenne(607), &{
            let mut odd = r;
            odd[40] = 0x55;
            odd
        });
        assert_eq!(a.len(), b.len());
        let found = whole(vec![shows(keyed(8, &a)), shows(keyed(9, &b))]);
        let x = found.iter().find(|x| x.code == CODE).expect("told");
        assert!(x.detail.contains("a prime of 607 bits") && x.flows == [1, 2], "{}", x.detail);
        // The same key in two certificates is one key.
        assert!(!codes(&whole(vec![shows(keyed(8, &a)), shows(keyed(9, &a))])).contains(&CODE));
        let other = times(&mersenne(1279), &mersenne(127));
        assert!(!codes(&whole(vec![shows(keyed(8, &a)), shows(keyed(9, &other))])).contains(&CODE));
    }
}
