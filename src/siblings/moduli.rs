//! RSA moduli of a capture, compared with each other as they come.

use std::sync::Arc;

use crate::facts::Leaf;
use crate::limits;
use crate::x509::{Certificate, Modulus};

/// Two keys that have a prime in common.
#[derive(Clone, Debug)]
pub struct SharedPrime {
    /// Their certificates, and the first flow of each.
    pub keys: [(Arc<Leaf>, u64); 2],
    /// Bits of the prime.
    pub bits: u32,
}

/// The moduli met so far.
#[derive(Debug, Default)]
pub(super) struct Moduli {
    known: Vec<(Modulus, Arc<Leaf>, u64)>,
    pub(super) shared: Vec<SharedPrime>,
    /// Moduli that were not compared, because there were too many.
    pub(super) left_out: u64,
    /// Searches that found nothing though the product of all had a factor in common: numbers made to cost time.
    fruitless: usize,
}

impl Moduli {
    /// Takes in the key of a certificate that was not met before.
    pub(super) fn add(&mut self, cert: &Certificate, leaf: &Arc<Leaf>, flow: u64) {
        if let Some(modulus) = Modulus::of(cert) {
            self.compare(modulus, leaf, flow);
        }
    }

    fn compare(&mut self, modulus: Modulus, leaf: &Arc<Leaf>, flow: u64) {
        if self.known.iter().any(|(m, ..)| *m == modulus) {
            return;
        }
        // Each costs as much as a thousand other rules.
        if self.known.len() >= limits::SIBLING_MODULI || self.fruitless >= limits::SIBLING_LIST {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        if self.shared.len() < limits::SIBLING_LIST && modulus.shares_with_any(self.known.iter().map(|(m, ..)| m)) {
            let before = self.shared.len();
            for (other, its, id) in &self.known {
                if self.shared.len() >= limits::SIBLING_LIST {
                    break;
                }
                if let Some(bits) = modulus.common_prime(other) {
                    self.shared.push(SharedPrime { keys: [(its.clone(), *id), (leaf.clone(), flow)], bits });
                }
            }
            self.fruitless = self.fruitless.saturating_add(usize::from(self.shared.len() == before));
        }
        self.known.push((modulus, leaf.clone(), flow));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::{mersenne, times};

    #[test]
    fn numbers_made_to_cost_time_are_given_up() {
        let leaf = Arc::new(Leaf::default());
        let [small, other, p] = [127, 107, 521].map(mersenne);
        let pair = || [times(&p, &mersenne(313)), times(&p, &mersenne(317))];
        let mut m = Moduli::default();
        pair().into_iter().for_each(|n| m.compare(n, &leaf, 1));
        assert_eq!((m.fruitless, m.shared.len()), (0, 1));
        // With these two together the third has more than a prime's bits in common, with neither of them alone.
        m = Moduli::default();
        m.compare(times(&small, &times(&mersenne(261), &mersenne(446))), &leaf, 1);
        m.compare(times(&other, &times(&mersenne(263), &mersenne(464))), &leaf, 2);
        m.compare(times(&times(&small, &other), &mersenne(601)), &leaf, 3);
        assert_eq!((m.fruitless, m.shared.len()), (1, 0));
        m.fruitless = limits::SIBLING_LIST;
        pair().into_iter().for_each(|n| m.compare(n, &leaf, 4));
        assert_eq!((m.left_out, m.shared.len()), (2, 0));
    }
}
