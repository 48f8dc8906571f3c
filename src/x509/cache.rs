//! Certificates parsed once: the same few come again and again in a capture.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::limits;

use super::Certificate;

/// Parsed certificates by their DER. A hit compares all bytes, so that no collision can pass one certificate off as
/// another. Bounded by [`limits::CERTIFICATE_CACHE_BYTES`]: what was not asked for during the last half of that is dropped.
#[derive(Debug, Default)]
pub struct Cache {
    young: Generation,
    old: Generation,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Generation {
    table: HashTable<Arc<Certificate>>,
    bytes: usize,
}

impl Generation {
    fn find(&self, hash: u64, der: &[u8]) -> Option<&Arc<Certificate>> {
        self.table.find(hash, |c| *c.der == *der)
    }

    fn insert(&mut self, hash: u64, c: Arc<Certificate>, hasher: &RandomState) {
        // The facts take a few times the DER; the constant stands for what even a tiny certificate takes.
        self.bytes = self.bytes.saturating_add(c.der_len).saturating_add(512);
        self.table.insert_unique(hash, c, |c| hasher.hash_one(&*c.der));
    }
}

impl Cache {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The certificate in `der`, parsed at its first appearance.
    pub fn get(&mut self, der: &[u8]) -> Arc<Certificate> {
        let hash = self.hasher.hash_one(der);
        if let Some(c) = self.young.find(hash, der) {
            return c.clone();
        }
        let found = self.old.find(hash, der).cloned();
        let c = found.unwrap_or_else(|| Arc::new(Certificate::parse(der)));
        if self.young.bytes >= limits::CERTIFICATE_CACHE_BYTES / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, c.clone(), &self.hasher);
        c
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_parsed_once() {
        let mut cache = Cache::new();
        let a = cache.get(b"not a certificate");
        let b = cache.get(b"not a certificate");
        assert!(Arc::ptr_eq(&a, &b));
        assert!(!Arc::ptr_eq(&a, &cache.get(b"another")));
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let mut cache = Cache::new();
        let used = cache.get(b"used");
        for n in 0..100u32 {
            let mut der = vec![0; 300_000];
            der[..4].copy_from_slice(&n.to_be_bytes());
            cache.get(&der);
            assert!(Arc::ptr_eq(&used, &cache.get(b"used")), "{n}");
            assert!(cache.young.bytes + cache.old.bytes < limits::CERTIFICATE_CACHE_BYTES + 700_000);
        }
        assert!(!cache.old.table.is_empty());
    }
}
