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
    holds: Holds,
}

/// What a flow costs, by which those used least recently are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Its transport alone.
    Little,
    /// State that could be given up.
    Much,
}

/// Flows in the order of their last use.
#[derive(Clone, Copy, Debug)]
struct Order {
    oldest: u32,
    newest: u32,
    len: usize,
}

impl Order {
    const EMPTY: Self = Self { oldest: NIL, newest: NIL, len: 0 };
}

/// The table: a map from key to slot, the slots by last use (those that hold little and those that hold much apart), a
/// queue of those that are closing.
#[derive(Debug)]
pub struct FlowTable<T> {
    index: HashMap<FlowKey, u32, foldhash::fast::RandomState>,
    /// Each on its own: a growing table copies no flows, and gives back what a flow that has ended took.
    slots: Vec<Option<Box<Slot<T>>>>,
    free: Vec<u32>,
    little: Order,
    much: Order,
    closing: VecDeque<(Timestamp, u32)>,
    /// Entries at the front of `closing` that [`FlowTable::overdue`] has given.
    overdue: usize,
    evicted: u64,
}

impl<T> Default for FlowTable<T> {
    fn default() -> Self {
        Self {
            index: HashMap::default(),
            slots: Vec::new(),
            free: Vec::new(),
            little: Order::EMPTY,
            much: Order::EMPTY,
            closing: VecDeque::new(),
            overdue: 0,
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
        let holds = self.slot_mut(i).map(|s| {
            s.last = s.last.max(now);
            s.holds
        })?;
        if self.order(holds).newest != i {
            self.unlink(i);
            self.link_newest(i);
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
        let slot = Some(Box::new(Slot {
            key,
            value,
            last: now,
            older: NIL,
            newer: NIL,
            closing: false,
            holds: Holds::Little,
        }));
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
            self.overdue = self.overdue.saturating_sub(1);
            if self.slots.get(i as usize).and_then(Option::as_deref).is_some_and(|s| s.closing) {
                return Some(i);
            }
        }
        None
    }

    /// Tells what a flow holds. One that changes counts as just used.
    pub fn now_holds(&mut self, i: FlowIndex, holds: Holds) {
        if self.slot_mut(i).is_none_or(|s| s.holds == holds) {
            return;
        }
        self.unlink(i);
        if let Some(s) = self.slot_mut(i) {
            s.holds = holds;
        }
        self.link_newest(i);
    }

    /// Flows that hold much.
    pub fn holding_much(&self) -> usize {
        self.much.len
    }

    /// The next flow that was closed for `linger` by a clock that may run ahead of the frames. It stays for late packets,
    /// and is given once.
    pub fn overdue(&mut self, clock: Timestamp, linger: i64) -> Option<FlowIndex> {
        while let Some(&(since, i)) = self.closing.get(self.overdue) {
            if clock.0.saturating_sub(since.0) < linger {
                break;
            }
            self.overdue = self.overdue.saturating_add(1);
            if self.slots.get(i as usize).and_then(Option::as_deref).is_some_and(|s| s.closing) {
                return Some(i);
            }
        }
        None
    }

    /// Of the flows that hold much, the one used least recently, and for how long it was idle (ns).
    pub fn idle_holding_much(&self, now: Timestamp) -> Option<(FlowIndex, i64)> {
        self.used(self.much.oldest).map(|(last, i)| (i, now.0.saturating_sub(last.0)))
    }

    /// The flow used least recently, and for how long it was idle (ns).
    pub fn idle(&self, now: Timestamp) -> Option<(FlowIndex, i64)> {
        let oldest = [self.little.oldest, self.much.oldest];
        let (last, i) = oldest.into_iter().filter_map(|i| self.used(i)).min()?;
        Some((i, now.0.saturating_sub(last.0)))
    }

    /// Puts a flow behind all others of its kind, as if it had just been used, without touching its time.
    pub fn requeue(&mut self, i: FlowIndex) {
        self.unlink(i);
        self.link_newest(i);
    }

    fn used(&self, i: u32) -> Option<(Timestamp, u32)> {
        self.slots.get(i as usize)?.as_ref().map(|s| (s.last, i))
    }

    /// The flow idle longest, when there are more than may be; counted as evicted.
    pub fn overflow(&mut self) -> Option<FlowIndex> {
        if self.len() <= limits::OPEN_FLOWS {
            return None;
        }
        self.evicted = self.evicted.saturating_add(1);
        self.idle(Timestamp(0)).map(|(i, _)| i)
    }

    /// Calls `f` for every open flow, in no order.
    pub fn for_each(&self, mut f: impl FnMut(FlowIndex, &T)) {
        for (i, s) in (0..).zip(&self.slots) {
            if let Some(s) = s {
                f(i, &s.value);
            }
        }
    }

    fn order(&mut self, holds: Holds) -> &mut Order {
        match holds {
            Holds::Little => &mut self.little,
            Holds::Much => &mut self.much,
        }
    }

    fn link_newest(&mut self, i: u32) {
        let Some(holds) = self.slot_mut(i).map(|s| s.holds) else { return };
        let order = self.order(holds);
        let old = std::mem::replace(&mut order.newest, i);
        order.len = order.len.saturating_add(1);
        if old == NIL {
            order.oldest = i;
        }
        if let Some(s) = self.slot_mut(old) {
            s.newer = i;
        }
        if let Some(s) = self.slot_mut(i) {
            s.older = old;
            s.newer = NIL;
        }
    }

    fn unlink(&mut self, i: u32) {
        let Some((older, newer, holds)) = self.slot_mut(i).map(|s| (s.older, s.newer, s.holds)) else { return };
        let order = self.order(holds);
        order.len = order.len.saturating_sub(1);
        if order.oldest == i {
            order.oldest = newer;
        }
        if order.newest == i {
            order.newest = older;
        }
        if let Some(s) = self.slot_mut(older) {
            s.newer = newer;
        }
        if let Some(s) = self.slot_mut(newer) {
            s.older = older;
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
        assert_eq!(t.little.oldest, ids[0]);
        assert_eq!(t.find(&key(10), Timestamp(1)), Some(ids[0]));
        assert_eq!(t.little.oldest, ids[1]);
        assert_eq!(t.remove(ids[1]), Some(11));
        assert_eq!(t.little.oldest, ids[2]);
        assert_eq!(t.find(&key(11), Timestamp(1)), None);
        let again = t.insert(key(11), 11, Timestamp(2));
        assert_eq!(again, ids[1], "slots are used again");
        for n in [12, 13, 10, 11] {
            let i = t.little.oldest;
            assert_eq!(t.remove(i), Some(n));
        }
        assert!(t.is_empty() && t.little.oldest == NIL && t.little.newest == NIL && t.little.len == 0);
    }

    #[test]
    fn what_holds_much_is_found_among_what_holds_little() {
        let mut t = FlowTable::default();
        let ids: Vec<_> = (10..16).map(|n| t.insert(key(n), n, Timestamp(i64::from(n)))).collect();
        assert_eq!((t.idle_holding_much(Timestamp(20)), t.holding_much()), (None, 0));
        t.now_holds(ids[3], Holds::Much);
        t.now_holds(ids[1], Holds::Much);
        assert_eq!((t.idle_holding_much(Timestamp(20)), t.holding_much()), (Some((ids[3], 7)), 2));
        assert_eq!(t.find(&key(13), Timestamp(18)), Some(ids[3]));
        assert_eq!(t.idle_holding_much(Timestamp(20)), Some((ids[1], 9)));
        t.now_holds(ids[1], Holds::Little);
        assert_eq!((t.remove(ids[3]), t.holding_much(), t.idle_holding_much(Timestamp(20))), (Some(13), 0, None));
        let mut rest = Vec::new();
        while t.little.oldest != NIL {
            rest.extend(t.remove(t.little.oldest));
        }
        assert_eq!(rest, [10, 12, 14, 15, 11]);
    }

    #[test]
    fn closed_flows_linger() {
        let mut t = FlowTable::default();
        let i = t.insert(key(10), 10, Timestamp(0));
        t.closing(i, Timestamp(5));
        assert_eq!(t.expired(Timestamp(6), 20), None);
        assert_eq!(t.expired(Timestamp(25), 20), Some(i));
        assert_eq!(t.remove(i), Some(10));
    }

    #[test]
    fn a_clock_that_runs_ahead_gives_a_flow_once_and_keeps_it() {
        let mut t = FlowTable::default();
        let [a, b] = [10, 11].map(|n| t.insert(key(n), n, Timestamp(0)));
        t.closing(a, Timestamp(5));
        t.closing(b, Timestamp(9));
        assert_eq!((t.overdue(Timestamp(25), 20), t.overdue(Timestamp(25), 20)), (Some(a), None));
        assert_eq!(t.find(&key(10), Timestamp(6)), Some(a));
        assert_eq!((t.expired(Timestamp(25), 20), t.remove(a)), (Some(a), Some(10)));
        assert_eq!((t.overdue(Timestamp(29), 20), t.overdue(Timestamp(99), 20)), (Some(b), None));
        assert_eq!(t.expired(Timestamp(29), 20), Some(b));
    }
}
