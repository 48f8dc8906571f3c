//! A bounded table that keeps what was met lately.

use std::hash::Hash;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

/// Values by key, at most `cap` of them: two generations, of which the older one is dropped when the younger is half full.
/// What is dropped depends on the order of the calls alone.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    young: HashMap<K, V, RandomState>,
    old: HashMap<K, V, RandomState>,
    cap: usize,
    forgotten: u64,
}

impl<K: Hash + Eq, V> Recent<K, V> {
    pub(super) fn new(cap: usize) -> Self {
        Self { young: HashMap::default(), old: HashMap::default(), cap, forgotten: 0 }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.young.get(key).or_else(|| self.old.get(key))
    }

    /// The value of a key, which counts as met now.
    pub(super) fn entry(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let kept = if self.young.contains_key(&key) { None } else { self.old.remove(&key) };
        if !self.young.contains_key(&key) && self.young.len() >= self.cap / 2 {
            let gone = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
            self.forgotten = self.forgotten.saturating_add(gone.len() as u64);
        }
        self.young.entry(key).or_insert_with(|| kept.unwrap_or_else(make))
    }

    /// All values, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.young.iter().chain(self.old.iter())
    }

    /// Entries dropped so far.
    pub(super) const fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_stays_and_the_rest_is_counted() {
        let mut t: Recent<u32, u32> = Recent::new(100);
        for n in 0..1000 {
            *t.entry(n, || n) += 0;
            assert_eq!(*t.entry(0, || 7), 0, "{n}");
            assert!(t.iter().count() <= 100);
        }
        assert!(t.get(&999).is_some() && t.get(&500).is_none());
        assert_eq!(t.iter().count() as u64 + t.forgotten(), 1000);
    }
}
