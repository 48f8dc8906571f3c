//! Arithmetic on public RSA moduli: whether a modulus has the fingerprint of ROCA, and what several have in common.
//!
//! Numbers are limbs of 64 bits, the least significant first.

use super::cert::Certificate;
use super::{der, verify};

/// The primes whose product divides the generator's constant for every length of key: the first 39 of them (for keys of
/// 512 to 960 bits it is that product, for longer ones it has further primes).
const PRIMES: [u64; 39] = [
    2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// The base of the generator's powers.
const BASE: u64 = 65_537;

/// Bits of a modulus that keys of today have; others are not compared.
const BITS: std::ops::RangeInclusive<u32> = 512..=4096;

/// Bits of a common factor from which it is one of the primes: what damaged numbers have in common is small.
const PRIME_BITS: u32 = 128;

/// An RSA modulus that can be compared with others: odd, of 512 to 4096 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modulus {
    limbs: Box<[u64]>,
}

impl Modulus {
    /// The modulus of a certificate's key; `None` for keys that are not RSA, that could not be read, or have an odd size.
    pub fn of(cert: &Certificate) -> Option<Self> {
        let bytes = verify::rsa_modulus(&cert.der)?;
        let negative = bytes.first().is_some_and(|b| b & 0x80 != 0);
        let odd = bytes.last().is_some_and(|b| b & 1 == 1);
        if negative || !odd || !BITS.contains(&der::bit_length(bytes)) {
            return None;
        }
        let limb = |part: &[u8]| part.iter().fold(0u64, |v, b| (v << 8) | u64::from(*b));
        Some(Self { limbs: der::magnitude(bytes).rchunks(8).map(limb).collect() })
    }

    /// Its length in bits.
    pub fn bits(&self) -> u32 {
        bits(&self.limbs)
    }

    /// Whether it was made by Infineon's faulty key generator (CVE-2017-15361, "The Return of Coppersmith's Attack"): its
    /// primes have the form `k·M + (65537^a mod M)`, so that modulo `M`, a product of the first primes, the modulus is a
    /// power of 65537. Of other moduli one in 2^154 is.
    ///
    /// There is such a power exactly when there is one modulo each prime and the exponents agree where the orders of
    /// 65537 have a common factor (the Chinese remainder theorem).
    pub fn has_roca_fingerprint(&self) -> bool {
        let mut known: Vec<(u64, u64)> = Vec::with_capacity(PRIMES.len());
        for p in PRIMES {
            let Some(found) = exponent(self.modulo(p), p) else { return false };
            let (exponent, order) = found;
            let agrees = |(e, o): &(u64, u64)| {
                let g = small_gcd(*o, order);
                e.checked_rem(g) == exponent.checked_rem(g)
            };
            if !known.iter().all(agrees) {
                return false;
            }
            known.push(found);
        }
        true
    }

    /// The rest of a division by a small number.
    fn modulo(&self, p: u64) -> u64 {
        let step = |rest: u128, limb: &u64| ((rest << 64) | u128::from(*limb)).checked_rem(u128::from(p)).unwrap_or(0);
        u64::try_from(self.limbs.iter().rev().fold(0, step)).unwrap_or_default()
    }

    /// The bits of the prime that it has in common with another one; `None` when there is none, or when both are the same.
    pub fn common_prime(&self, other: &Self) -> Option<u32> {
        let shared = bits(&gcd(&self.limbs, &other.limbs));
        (self != other && shared >= PRIME_BITS && shared < self.bits()).then_some(shared)
    }

    /// Whether it has a prime in common with any of the others of its length (in limbs); with hundreds of them this costs
    /// little more than with one.
    pub fn shares_with_any<'a>(&self, others: impl Iterator<Item = &'a Self>) -> bool {
        let inverse = negative_inverse(self.limbs.first().copied().unwrap_or(1));
        let mut product = vec![0u64; self.limbs.len()];
        if let Some(first) = product.first_mut() {
            *first = 1;
        }
        for o in others.filter(|o| o.limbs.len() == self.limbs.len() && *o != self) {
            product = montgomery(&product, &o.limbs, &self.limbs, inverse);
        }
        bits(&gcd(&self.limbs, &product)) >= PRIME_BITS
    }
}

/// `e` with 65537^e = `n` modulo the prime `p`, and the order of 65537; `None` when `n` is no power of it.
fn exponent(n: u64, p: u64) -> Option<(u64, u64)> {
    let base = BASE.checked_rem(p)?;
    let (mut power, mut found, mut order) = (1u64.checked_rem(p)?, None, 0u64);
    // At most p - 1 steps.
    loop {
        if power == n {
            found = found.or(Some(order));
        }
        power = power.checked_mul(base)?.checked_rem(p)?;
        order = order.checked_add(1)?;
        if power == 1 || order >= p {
            return Some((found?, order));
        }
    }
}

fn small_gcd(mut a: u64, mut b: u64) -> u64 {
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}

fn bits(limbs: &[u64]) -> u32 {
    let zeros = limbs.iter().rev().take_while(|l| **l == 0).count();
    let used = limbs.len().saturating_sub(zeros);
    let top = used.checked_sub(1).and_then(|n| limbs.get(n)).map_or(0, |l| l.leading_zeros());
    u32::try_from(used).unwrap_or(u32::MAX).saturating_mul(64).saturating_sub(top)
}

/// -1 / n modulo 2^64 of an odd number: each step doubles the bits that are right, three to begin with.
fn negative_inverse(n: u64) -> u64 {
    let mut x = n;
    for _ in 0..5 {
        x = x.wrapping_mul(2u64.wrapping_sub(n.wrapping_mul(x)));
    }
    x.wrapping_neg()
}

/// `t += x·k`, as far as `t` reaches.
fn add_scaled(t: &mut [u64], x: &[u64], k: u64) {
    let mut carry = 0u128;
    for (t, x) in t.iter_mut().zip(x.iter().chain(std::iter::repeat(&0))) {
        // At most (2^64 - 1)^2 + 2·(2^64 - 1), which is 2^128 - 1.
        let sum = u128::from(*x).wrapping_mul(u128::from(k)).wrapping_add(u128::from(*t)).wrapping_add(carry);
        (*t, carry) = (low(sum), sum >> 64);
    }
}

#[allow(clippy::cast_possible_truncation)]
const fn low(v: u128) -> u64 {
    v as u64
}

/// `t -= x`; the caller knows that `t` is not smaller.
fn subtract(t: &mut [u64], x: &[u64]) {
    let mut borrow = false;
    for (t, x) in t.iter_mut().zip(x.iter().chain(std::iter::repeat(&0))) {
        let (a, b1) = t.overflowing_sub(*x);
        let (b, b2) = a.overflowing_sub(u64::from(borrow));
        (*t, borrow) = (b, b1 | b2);
    }
}

fn is_less(a: &[u64], b: &[u64]) -> bool {
    let longest = a.len().max(b.len());
    let at = |l: &[u64], n: usize| l.get(n).copied().unwrap_or(0);
    (0..longest).rev().map(|n| (at(a, n), at(b, n))).find(|(x, y)| x != y).is_some_and(|(x, y)| x < y)
}

/// `a·b / 2^(64·len)` modulo `n` (Montgomery's product); the power of two has nothing in common with an odd `n`. All have the
/// same number of limbs and `a` is below `n`, which keeps the sum below `2·n`.
fn montgomery(a: &[u64], b: &[u64], n: &[u64], inverse: u64) -> Vec<u64> {
    let mut t = vec![0u64; n.len().saturating_add(2)];
    for digit in a {
        add_scaled(&mut t, b, *digit);
        let k = t.first().copied().unwrap_or(0).wrapping_mul(inverse);
        add_scaled(&mut t, n, k);
        // The lowest limb is zero now.
        t.rotate_left(1);
    }
    if !is_less(&t, n) {
        subtract(&mut t, n);
    }
    t.truncate(n.len());
    t
}

/// The greatest common divisor of an odd number and any other.
fn gcd(odd: &[u64], other: &[u64]) -> Vec<u64> {
    let (mut a, mut b) = (odd.to_vec(), other.to_vec());
    // Each turn takes at least one bit off one of them.
    while b.iter().any(|l| *l != 0) {
        make_odd(&mut b);
        // Both shrink: what is zero at the top is not gone through again.
        for x in [&mut a, &mut b] {
            x.truncate(x.iter().rposition(|l| *l != 0).map_or(0, |top| top.saturating_add(1)));
        }
        if is_less(&b, &a) {
            std::mem::swap(&mut a, &mut b);
        }
        subtract(&mut b, &a);
    }
    a
}

/// Divides by two as long as that leaves no rest.
fn make_odd(x: &mut [u64]) {
    let zeros = x.iter().take_while(|l| **l == 0).count();
    if zeros == x.len() {
        return;
    }
    x.rotate_left(zeros);
    let shift = x.first().map_or(0, |l| l.trailing_zeros());
    if shift == 0 {
        return;
    }
    let mut above = 0u64;
    for l in x.iter_mut().rev() {
        let low = *l << 64u32.saturating_sub(shift);
        *l = (*l >> shift) | above;
        above = low;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::x509::Certificate;

    fn number(decimal: &str) -> Modulus {
        let mut limbs = vec![0u64; 64];
        for d in decimal.bytes().filter(u8::is_ascii_digit) {
            let before = std::mem::replace(&mut limbs, vec![0; 64]);
            add_scaled(&mut limbs, &before, 10);
            add_scaled(&mut limbs, &[1], u64::from(d - b'0'));
        }
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
        Modulus { limbs: limbs.into() }
    }

    /// The product of two.
    pub(crate) fn times(a: &Modulus, b: &Modulus) -> Modulus {
        let mut limbs = vec![0u64; a.limbs.len() + b.limbs.len()];
        for (n, k) in a.limbs.iter().enumerate() {
            add_scaled(&mut limbs[n..], &b.limbs, *k);
        }
        while limbs.last() == Some(&0) {
            limbs.pop();
        }
        Modulus { limbs: limbs.into() }
    }

    // 2^127 - 1, 2^521 - 1, 2^607 - 1 and 2^1279 - 1 are primes (Mersenne).
    /// 2^n - 1.
    pub(crate) fn mersenne(n: usize) -> Modulus {
        let mut limbs = vec![u64::MAX; n / 64];
        limbs.push((1 << (n % 64)) - 1);
        Modulus { limbs: limbs.into() }
    }

    #[test]
    fn numbers() {
        assert_eq!(number("18446744073709551617").limbs.as_ref(), [1, 1]);
        assert_eq!(mersenne(521).bits(), 521);
        let m = number("340282366920938463463374607431768211507");
        // By Python: (2**128 + 51) % p.
        assert_eq!([3, 7, 167].map(|p| m.modulo(p)), [1, 6, 114]);
        assert_eq!(small_gcd(12, 18), 6);
        assert_eq!(negative_inverse(0xdead_beef_0bad_cafd).wrapping_mul(0xdead_beef_0bad_cafd), u64::MAX);
    }

    #[test]
    fn common_primes() {
        let [p, q, r] = [521, 607, 1279].map(mersenne);
        let [pq, pr, qr] = [times(&p, &q), times(&p, &r), times(&q, &r)];
        assert_eq!(
            (pq.common_prime(&pr), pr.common_prime(&pq), pr.common_prime(&qr)),
            (Some(521), Some(521), Some(1279))
        );
        assert_eq!((pq.common_prime(&pq), p.common_prime(&q)), (None, None));
        // Factors too small to be a prime of a key: 2^127 - 1.
        let small = mersenne(127);
        assert_eq!(times(&small, &p).common_prime(&times(&small, &q)), None);
    }

    #[test]
    fn one_against_many() {
        let [p, q] = [521, 607].map(mersenne);
        let n = times(&p, &q);
        // Numbers of the same length without a factor of it: odd multiples of other powers.
        let plain = |k: u64| {
            let mut x = n.clone();
            add_scaled(&mut x.limbs, &[2], k);
            x
        };
        let others: Vec<_> = (1..40).map(plain).collect();
        assert!(others.iter().all(|o| o.common_prime(&n).is_none()));
        assert!(!n.shares_with_any(others.iter()));
        assert!(!n.shares_with_any(std::iter::once(&n)) && !n.shares_with_any(std::iter::empty()));
        // q times another prime of 521 bits: 2^521 - 1 minus a little is none, so any odd number will do.
        let mut other = p.clone();
        subtract(&mut other.limbs, &[2]);
        let shared = times(&other, &q);
        assert_eq!(shared.limbs.len(), n.limbs.len());
        assert!(n.shares_with_any(others.iter().chain([&shared])));
        assert!(n.shares_with_any(std::iter::once(&shared).chain(&others)));
        assert!(shared.shares_with_any(std::iter::once(&n)));
        // A top limb of 1, and others far larger.
        let slim = Modulus { limbs: [vec![1; 9], vec![1]].concat().into() };
        let wide = Modulus { limbs: [vec![u64::MAX; 9], vec![u64::MAX - 1]].concat().into() };
        assert!(!slim.shares_with_any([&wide, &wide].into_iter()));
    }

    #[test]
    fn the_fingerprint() {
        // Made by Python from the definition, with M the product of the first 39 primes: p = k·M + 65537^a mod M is a prime
        // of 256 bits, q likewise.
        let roca = number(ROCA);
        assert_eq!(roca.bits(), 512);
        assert!(roca.has_roca_fingerprint());
        // Any power of 65537 has it by definition, and so have products of such numbers.
        let power = number("65537");
        assert!(power.has_roca_fingerprint() && times(&power, &roca).has_roca_fingerprint());
        let mut near = roca.clone();
        add_scaled(&mut near.limbs, &[2], 1);
        assert!(!near.has_roca_fingerprint());
        // A power modulo each prime, but not the same one: the number that is 65537 modulo 3 to 163 and 65537^2 modulo 167.
        assert!(!number(MIXED).has_roca_fingerprint());
        assert!(!times(&mersenne(521), &mersenne(607)).has_roca_fingerprint());
        assert!(PRIMES.iter().all(|p| exponent(number(MIXED).modulo(*p), *p).is_some()));
    }

    const ROCA: &str = "10078710750155947121062599601207828233000014896712397659996100259375249257039195093128065532180082576372637800620014717585725439373947121620594186131733381";
    const MIXED: &str = "1961558539357700171217032828869367846300507423221998004847662628983691897006785452174675899099943480089354447584379758055044628553154286487752165268989798777";

    #[test]
    fn moduli_of_certificates() {
        use crate::x509::cert::tests::Fields;
        let c = Certificate::parse(&Fields::new().der());
        assert_eq!(Modulus::of(&c).map(|m| m.bits()), Some(2048));
        let ec = rcgen::generate_simple_self_signed(vec!["a.example".into()]).unwrap();
        assert_eq!(Modulus::of(&Certificate::parse(ec.cert.der())), None);
        for n in 0..c.der.len() {
            let cut = Certificate::parse(&c.der[..n]);
            assert!(Modulus::of(&cut).is_none_or(|m| m.bits() == 2048), "{n}");
        }
    }
}
