//! All connections that are open: found by address, forgotten when they end, bounded in number.

use std::collections::VecDeque;

use hashbrown::HashMap;

use super::key::FlowKey;
use crate::limits;
use crate::span::Timestamp;

/// Handle of an entry; valid until it is removed.
pub type FlowIndex = u32;

const NIL: u32 = u32::MAX;

#[derive(Debug)]
struct Slot<T> {
    key: FlowKey,
    value: T,
    last: Timestamp,
    older: u32,
    newer: u32,
    closing: bool,
}

/// The table: a map from key to slot, a list of the slots by last use, a queue of those that are closing.
#[derive(Debug)]
pub struct FlowTable<T> {
    index: HashMap<FlowKey, u32, foldhash::fast::RandomState>,
    /// Each on its own: a growing table copies no flows, and gives back what a flow that has ended took.
    slots: Vec<Option<Box<Slot<T>>>>,
    free: Vec<u32>,
    oldest: u32,
    newest: u32,
    closing: VecDeque<(Timestamp, u32)>,
    evicted: u64,
}

impl<T> Default for FlowTable<T> {
    fn default() -> Self {
        Self {
            index: HashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            oldest: NIL,
            newest: NIL,
            closing: VecDeque::new(),
            evicted: 0,
        }
    }
}

impl<T> FlowTable<T> {
    /// Number of open flows.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Flows dropped because there were too many.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// The flow of a key, marked as used at `now`.
    pub fn find(&mut self, key: &FlowKey, now: Timestamp) -> Option<FlowIndex> {
        let i = *self.index.get(key)?;
        if self.newest != i {
            self.unlink(i);
            self.link_newest(i);
        }
        if let Some(s) = self.slot_mut(i) {
            s.last = s.last.max(now);
        }
        Some(i)
    }

    /// Access to an entry.
    pub fn get_mut(&mut self, i: FlowIndex) -> Option<&mut T> {
        self.slot_mut(i).map(|s| &mut s.value)
    }

    fn slot_mut(&mut self, i: u32) -> Option<&mut Slot<T>> {
        self.slots.get_mut(i as usize).and_then(Option::as_deref_mut)
    }

    /// Adds a flow. Makes no room: see [`FlowTable::overflow`].
    pub fn insert(&mut self, key: FlowKey, value: T, now: Timestamp) -> FlowIndex {
        let slot = Some(Box::new(Slot { key, value, last: now, older: NIL, newer: NIL, closing: false }));
        let i = match self.free.pop() {
            Some(i) => {
                if let Some(place) = self.slots.get_mut(i as usize) {
                    *place = slot;
                }
                i
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len().saturating_sub(1)).unwrap_or(NIL)
            }
        };
        self.index.insert(key, i);
        self.link_newest(i);
        i
    }

    /// Takes a flow out.
    pub fn remove(&mut self, i: FlowIndex) -> Option<T> {
        self.unlink(i);
        let s = self.slots.get_mut(i as usize)?.take()?;
        self.free.push(i);
        if self.index.get(&s.key) == Some(&i) {
            self.index.remove(&s.key);
        }
        Some(s.value)
    }

    /// The flow has ended but late packets may come: it stays until [`FlowTable::expired`] gives it.
    pub fn closing(&mut self, i: FlowIndex, now: Timestamp) {
        if let Some(s) = self.slot_mut(i)
            && !s.closing
        {
            s.closing = true;
            self.closing.push_back((now, i));
        }
    }

    /// The next flow that at `now` was closed for `linger` nanoseconds of capture time.
    pub fn expired(&mut self, now: Timestamp, linger: i64) -> Option<FlowIndex> {
        while let Some(&(since, i)) = self.closing.front() {
            if now.0.saturating_sub(since.0) < linger && self.closing.len() < limits::CLOSING_FLOWS {
                break;
            }
            self.closing.pop_front();
            if self.slots.get(i as usize).and_then(Option::as_deref).is_some_and(|s| s.closing) {
                return Some(i);
            }
        }
        None
    }

    /// The flow used least recently and for how long it was idle (ns), when more than `many` are open.
    pub fn idle(&mut self, now: Timestamp, many: usize) -> Option<(FlowIndex, i64)> {
        if self.len() <= many {
            return None;
        }
        let i = self.oldest;
        self.slot_mut(i).map(|s| (i, now.0.saturating_sub(s.last.0)))
    }

    /// Puts a flow behind all others, as if it had just been used, without touching its time.
    pub fn requeue(&mut self, i: FlowIndex) {
        self.unlink(i);
        self.link_newest(i);
    }

    /// The flow idle longest, when there are more than may be; counted as evicted.
    pub fn overflow(&mut self) -> Option<FlowIndex> {
        if self.len() <= limits::OPEN_FLOWS {
            return None;
        }
        self.evicted = self.evicted.saturating_add(1);
        Some(self.oldest)
    }

    /// Calls `f` for every open flow, in no order.
    pub fn for_each(&self, mut f: impl FnMut(FlowIndex, &T)) {
        for (i, s) in (0..).zip(&self.slots) {
            if let Some(s) = s {
                f(i, &s.value);
            }
        }
    }

    fn link_newest(&mut self, i: u32) {
        let old = self.newest;
        if let Some(s) = self.slot_mut(i) {
            s.older = old;
            s.newer = NIL;
        }
        match self.slot_mut(old) {
            Some(s) => s.newer = i,
            None => self.oldest = i,
        }
        self.newest = i;
    }

    fn unlink(&mut self, i: u32) {
        let Some((older, newer)) = self.slot_mut(i).map(|s| (s.older, s.newer)) else { return };
        match self.slot_mut(older) {
            Some(s) => s.newer = newer,
            None => self.oldest = newer,
        }
        match self.slot_mut(newer) {
            Some(s) => s.older = older,
            None => self.newest = older,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::key::Endpoint;
    use super::*;

    fn key(n: u16) -> FlowKey {
        let e = |p| Endpoint { ip: [127, 0, 0, 1].into(), port: p };
        FlowKey::new(e(n), e(9)).0
    }

    #[test]
    fn the_order_of_use_is_kept() {
        let mut t = FlowTable::default();
        let ids: Vec<_> = (10..14).map(|n| t.insert(key(n), n, Timestamp(0))).collect();
        assert_eq!(t.oldest, ids[0]);
        assert_eq!(t.find(&key(10), Timestamp(1)), Some(ids[0]));
        assert_eq!(t.oldest, ids[1]);
        assert_eq!(t.remove(ids[1]), Some(11));
        assert_eq!(t.oldest, ids[2]);
        assert_eq!(t.find(&key(11), Timestamp(1)), None);
        let again = t.insert(key(11), 11, Timestamp(2));
        assert_eq!(again, ids[1], "slots are used again");
        for n in [12, 13, 10, 11] {
            let i = t.oldest;
            assert_eq!(t.remove(i), Some(n));
        }
        assert!(t.is_empty() && t.oldest == NIL);
    }

    #[test]
    fn closed_flows_linger() {
        let mut t = FlowTable::default();
        let i = t.insert(key(10), 10, Timestamp(0));
        t.closing(i, Timestamp(5));
        assert_eq!(t.expired(Timestamp(6), 20), None);
        assert_eq!(t.expired(Timestamp(25), 20), Some(i));
    }
}
