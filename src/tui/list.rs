//! The list of flows: which of them show, in what order, and where the cursor is.

use std::cmp::Ordering;
use std::collections::HashMap;

use tui_input::Input;

use crate::facts::Outcome;
use crate::span::Role;

use super::filter::{Filter, Scratch};
use super::kin::Kin;
use super::row::{Mark, Row};

/// A column of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Number,
    Time,
    Client,
    Server,
    Name,
    Version,
    Cipher,
    Alpn,
    Mtls,
    Duration,
    Frames,
    Result,
}

impl Column {
    /// All, in their order on the screen.
    pub(crate) const ALL: [Self; 12] = [
        Self::Number,
        Self::Time,
        Self::Client,
        Self::Server,
        Self::Name,
        Self::Version,
        Self::Cipher,
        Self::Alpn,
        Self::Mtls,
        Self::Duration,
        Self::Frames,
        Self::Result,
    ];

    /// Its heading.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Number => "#",
            Self::Time => "time (UTC)",
            Self::Client => "client",
            Self::Server => "server",
            Self::Name => "name",
            Self::Version => "version",
            Self::Cipher => "cipher suite",
            Self::Alpn => "ALPN",
            Self::Mtls => "mTLS",
            Self::Duration => "duration",
            Self::Frames => "frames",
            Self::Result => "result",
        }
    }
}

/// How many flows ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) failed: usize,
    pub(crate) warning: usize,
    pub(crate) unknown: usize,
    pub(crate) good: usize,
}

impl Counts {
    fn of(&mut self, m: Mark) -> &mut usize {
        match m {
            Mark::Failed => &mut self.failed,
            Mark::Warning => &mut self.warning,
            Mark::Unknown => &mut self.unknown,
            Mark::Good => &mut self.good,
        }
    }
}

/// The list.
#[derive(Debug)]
pub(crate) struct List {
    /// All flows, as they came.
    pub(crate) rows: Vec<Row>,
    /// All of them in order: indices of `rows`. A filter then needs no sorting.
    sorted: Vec<u32>,
    /// Those that show, in order.
    pub(crate) view: Vec<u32>,
    /// Position of the cursor in `view`.
    pub(crate) cursor: usize,
    /// First visible position.
    pub(crate) top: usize,
    /// The order.
    pub(crate) sort: Column,
    pub(crate) reverse: bool,
    pub(crate) columns: Vec<Column>,
    pub(crate) failed_only: bool,
    /// What is typed.
    pub(crate) input: Input,
    /// What it means; the last text that was understood.
    pub(crate) filter: Filter,
    /// What is wrong with what is typed.
    pub(crate) wrong: Option<String>,
    pub(crate) counts: Counts,
    /// Widest client address without and with port, server address with port, name, result seen.
    pub(crate) widths: Widths,
    /// The user has moved: new flows must not move the cursor to another one.
    moved: bool,
    /// The cursor stays on the last line, whatever comes.
    pub(crate) following: bool,
    /// The filter has changed and the view has not.
    stale: bool,
    /// Counts the filterings: what is made from the passing flows is made anew when it changes.
    pub(crate) filtering: u64,
    /// What flows know of each other.
    kin: Kin,
    /// Flows that left the list, the oldest ones, because there were too many.
    pub(crate) left: u64,
    /// Flows of a live capture that are still open, by id: their rows come once more.
    open: HashMap<u64, usize, foldhash::fast::RandomState>,
}

/// Widest texts of the columns that adapt.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Widths {
    pub(crate) client_ip: usize,
    pub(crate) client: usize,
    pub(crate) server: usize,
    pub(crate) name: usize,
    pub(crate) result: usize,
    pub(crate) mtls: usize,
    pub(crate) id: u64,
}

impl Default for List {
    fn default() -> Self {
        use Column::{Client, Mtls, Name, Number, Result, Server, Time, Version};
        Self {
            rows: Vec::new(),
            sorted: Vec::new(),
            view: Vec::new(),
            cursor: 0,
            top: 0,
            sort: Number,
            reverse: false,
            columns: vec![Number, Time, Client, Server, Name, Version, Mtls, Result],
            failed_only: false,
            input: Input::default(),
            filter: Filter::default(),
            wrong: None,
            counts: Counts::default(),
            widths: Widths::default(),
            moved: false,
            following: false,
            stale: false,
            filtering: 0,
            kin: Kin::default(),
            left: 0,
            open: HashMap::default(),
        }
    }
}

impl List {
    /// More flows. Those that show are merged into the order, so that a batch costs no new sort of everything.
    pub(crate) fn add(&mut self, mut new: Vec<Row>) {
        self.replace(&mut new);
        if new.is_empty() {
            return;
        }
        let here = self.selected_index();
        let from = self.rows.len();
        for r in &new {
            self.measure(r);
        }
        self.rows.extend(new);
        let mut fresh: Vec<u32> = (from..self.rows.len()).filter_map(|i| u32::try_from(i).ok()).collect();
        for i in &fresh {
            self.kin.add(*i, &self.rows);
            if let Some(r) = self.rows.get(*i as usize).filter(|r| r.is_open) {
                self.open.insert(r.id, *i as usize);
            }
        }
        fresh.sort_by(|a, b| self.order(*a, *b));
        let shown = self.that_show(&fresh);
        let (old, old_view) = (std::mem::take(&mut self.sorted), std::mem::take(&mut self.view));
        self.sorted = merge(old, fresh, |a, b| self.order(a, b));
        self.view = merge(old_view, shown, |a, b| self.order(a, b));
        self.stay_at(if self.moved { here } else { None });
    }

    /// Puts flows that were told while they were open into the places of their rows, and takes them out of `new`.
    fn replace(&mut self, new: &mut Vec<Row>) {
        if self.open.is_empty() {
            return;
        }
        let before = new.len();
        let (again, fresh): (Vec<Row>, Vec<Row>) =
            std::mem::take(new).into_iter().partition(|r| self.open.contains_key(&r.id));
        *new = fresh;
        for r in again {
            let Some(i) = self.open.remove(&r.id) else { continue };
            self.measure(&r);
            let Some(old) = self.rows.get_mut(i) else { continue };
            let old = std::mem::replace(old, r);
            *self.counts.of(old.mark()) -= 1;
            if let Ok(i) = u32::try_from(i) {
                self.kin.add(i, &self.rows);
            }
        }
        if new.len() < before {
            self.filtering = self.filtering.wrapping_add(1);
            self.sort_by(self.sort, self.reverse);
        }
    }

    /// Where there are more flows than `most`, the oldest half leaves: a live capture may go on for ever.
    pub(crate) fn forget_oldest(&mut self, most: usize) {
        if self.rows.len() <= most {
            return;
        }
        let here = self.selected().map(|r| r.id);
        let half = self.rows.len() / 2;
        self.left = self.left.saturating_add(half as u64);
        self.rows.drain(..half);
        (self.sorted, self.view) = (Vec::new(), Vec::new());
        (self.counts, self.kin, self.open) = (Counts::default(), Kin::default(), HashMap::default());
        self.filtering = self.filtering.wrapping_add(1);
        let left = std::mem::take(&mut self.rows);
        self.add(left);
        let at = here.and_then(|id| self.rows.iter().position(|r| r.id == id));
        self.stay_at(if self.moved { at } else { None });
    }

    fn measure(&mut self, r: &Row) {
        let w = &mut self.widths;
        w.client_ip = w.client_ip.max(r.end(Role::Client).ip.to_string().len());
        w.client = w.client.max(super::row::endpoint(r.end(Role::Client)).len());
        w.server = w.server.max(super::row::endpoint(r.end(Role::Server)).len());
        w.name = w.name.max(r.name.as_deref().map_or(0, super::chrome::width));
        w.result = w.result.max(r.result().len());
        w.mtls = w.mtls.max(super::chrome::width(r.mtls.name()));
        w.id = w.id.max(r.id);
        *self.counts.of(r.mark()) += 1;
    }

    fn shows(&self, r: &Row, scratch: &mut Scratch) -> bool {
        (!self.failed_only || r.mark() == Mark::Failed) && (self.filter.is_empty() || self.filter.matches(r, scratch))
    }

    /// A flow that the server of this one accepted.
    pub(crate) fn sibling(&self, r: &Row) -> Option<&Row> {
        self.kin.sibling(r, &self.rows)
    }

    /// The flow at a position as it was captured elsewhere.
    pub(crate) fn twin(&self, pos: usize) -> Option<&Row> {
        self.kin.twin(*self.view.get(pos)?, &self.rows)
    }

    /// The flows from a place on that pass the filter, whatever the order.
    pub(crate) fn passing(&self, from: usize) -> Vec<u32> {
        let new: Vec<u32> = (from..self.rows.len()).filter_map(|i| u32::try_from(i).ok()).collect();
        self.that_show(&new)
    }

    fn that_show(&self, of: &[u32]) -> Vec<u32> {
        let mut scratch = Scratch::default();
        of.iter().copied().filter(|i| self.rows.get(*i as usize).is_some_and(|r| self.shows(r, &mut scratch))).collect()
    }

    /// The flow under the cursor.
    pub(crate) fn selected(&self) -> Option<&Row> {
        self.rows.get(self.selected_index()?)
    }

    fn selected_index(&self) -> Option<usize> {
        self.view.get(self.cursor).map(|i| *i as usize)
    }

    /// The flow at a position of the view.
    pub(crate) fn at(&self, pos: usize) -> Option<&Row> {
        self.rows.get(*self.view.get(pos)? as usize)
    }

    fn stay_at(&mut self, index: Option<usize>) {
        match index.and_then(|i| self.view.iter().position(|v| *v as usize == i)) {
            Some(p) => self.cursor = p,
            None if index.is_none() => self.cursor = 0,
            None => self.cursor = self.cursor.min(self.view.len().saturating_sub(1)),
        }
    }

    /// Filters anew.
    pub(crate) fn refresh(&mut self) {
        let here = self.selected_index();
        self.filtering = self.filtering.wrapping_add(1);
        self.view = self.that_show(&self.sorted);
        self.stay_at(here);
    }

    /// What was typed has changed: a filter that is not understood leaves the list as it is. The list is filtered with
    /// [`List::catch_up`], so that several keys that come at once cost one filtering.
    pub(crate) fn typed(&mut self) {
        match Filter::parse(self.input.value()) {
            Ok(f) => {
                self.filter = f;
                self.wrong = None;
                self.stale = true;
            }
            Err(e) => self.wrong = Some(e),
        }
    }

    /// Filters anew where that is due.
    pub(crate) fn catch_up(&mut self) {
        if std::mem::take(&mut self.stale) {
            self.refresh();
        }
    }

    /// From now on new flows do not move the cursor to another one.
    pub(crate) fn hold(&mut self) {
        self.moved |= !self.view.is_empty();
    }

    /// Moves the cursor to the last line, and from now on to each that becomes the last.
    pub(crate) fn follow(&mut self) {
        self.move_to(usize::MAX);
        self.following = true;
    }

    /// Moves the cursor, and there it stays.
    pub(crate) fn move_to(&mut self, pos: usize) {
        (self.moved, self.following) = (true, false);
        self.cursor = pos.min(self.view.len().saturating_sub(1));
    }

    /// Sorts by another column.
    pub(crate) fn sort_by(&mut self, column: Column, reverse: bool) {
        self.sort = column;
        self.reverse = reverse;
        let here = if self.moved { self.selected_index() } else { None };
        let mut sorted = std::mem::take(&mut self.sorted);
        sorted.sort_by(|a, b| self.order(*a, *b));
        self.view = self.that_show(&sorted);
        self.sorted = sorted;
        self.stay_at(here);
    }

    /// The next position from the cursor (backwards when not `forward`) of which `f` holds, going round.
    pub(crate) fn find(&self, forward: bool, f: impl Fn(&Row) -> bool) -> Option<usize> {
        let n = self.view.len();
        (1..=n)
            .map(|d| if forward { (self.cursor + d) % n } else { (self.cursor + n - d) % n })
            .find(|p| self.at(*p).is_some_and(&f))
    }

    fn order(&self, a: u32, b: u32) -> Ordering {
        let (Some(x), Some(y)) = (self.rows.get(a as usize), self.rows.get(b as usize)) else { return a.cmp(&b) };
        let o = match self.sort {
            Column::Number => Ordering::Equal,
            Column::Time => x.time.cmp(&y.time),
            Column::Client => x.end(Role::Client).cmp(&y.end(Role::Client)),
            Column::Server => x.end(Role::Server).cmp(&y.end(Role::Server)),
            Column::Name => some_first(x.name.as_ref(), y.name.as_ref()),
            Column::Version => some_first(x.version, y.version),
            Column::Cipher => some_first(x.cipher, y.cipher),
            Column::Alpn => some_first(x.alpn.as_ref(), y.alpn.as_ref()),
            Column::Mtls => y.mtls.cmp(&x.mtls),
            Column::Duration => y.duration_us.cmp(&x.duration_us),
            Column::Frames => x.first.cmp(&y.first),
            Column::Result => (x.mark(), rank(x.outcome), x.result()).cmp(&(y.mark(), rank(y.outcome), y.result())),
        };
        let o = o.then(x.id.cmp(&y.id));
        if self.reverse { o.reverse() } else { o }
    }
}

/// What is absent comes last.
fn some_first<T: Ord>(a: Option<T>, b: Option<T>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => a.cmp(&b),
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

fn rank(o: Outcome) -> u8 {
    match o {
        Outcome::Failed => 0,
        Outcome::Rejected => 1,
        Outcome::Incomplete => 2,
        Outcome::Established => 3,
    }
}

fn merge(a: Vec<u32>, b: Vec<u32>, order: impl Fn(u32, u32) -> Ordering) -> Vec<u32> {
    if let (Some(last), Some(first)) = (a.last(), b.first())
        && order(*last, *first) != Ordering::Greater
    {
        let mut a = a;
        a.extend(b);
        return a;
    }
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        let next = if order(*x, *y) == Ordering::Greater { b.next() } else { a.next() };
        out.extend(next);
    }
    out.extend(a);
    out.extend(b);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_merged_in_order() {
        let cmp = |a: u32, b: u32| a.cmp(&b);
        assert_eq!(merge(vec![1, 4, 9], vec![2, 3, 10], cmp), [1, 2, 3, 4, 9, 10]);
        assert_eq!(merge(vec![1], vec![2], cmp), [1, 2]);
        assert_eq!(merge(vec![], vec![2], cmp), [2]);
        assert_eq!(merge(vec![3], vec![], cmp), [3]);
    }

    #[test]
    fn what_is_absent_is_sorted_last() {
        assert_eq!(some_first(Some(1), None), Ordering::Less);
        assert_eq!(some_first::<u8>(None, None), Ordering::Equal);
    }
}
