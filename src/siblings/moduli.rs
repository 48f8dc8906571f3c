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
}

impl Moduli {
    /// Takes in the key of a certificate that was not met before.
    pub(super) fn add(&mut self, cert: &Certificate, leaf: &Arc<Leaf>, flow: u64) {
        let Some(modulus) = Modulus::of(cert) else { return };
        if self.known.iter().any(|(m, ..)| *m == modulus) {
            return;
        }
        // Each costs as much as a thousand other rules.
        if self.known.len() >= limits::SIBLING_MODULI {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        if modulus.shares_with_any(self.known.iter().map(|(m, ..)| m)) {
            for (other, its, id) in &self.known {
                if self.shared.len() >= limits::SIBLING_LIST {
                    break;
                }
                if let Some(bits) = modulus.common_prime(other) {
                    self.shared.push(SharedPrime { keys: [(its.clone(), *id), (leaf.clone(), flow)], bits });
                }
            }
        }
        self.known.push((modulus, leaf.clone(), flow));
    }
}
