//! The columns of the views above the flows, as data: heading, width, text, order.

use std::cmp::Ordering;

use crate::x509::format_time;

use super::chrome::thousands;
use super::groups::{Few, Group, Key, View};
use super::row::endpoint;

/// A column of a view.
#[derive(Debug)]
pub(crate) struct Column {
    /// Its heading.
    pub(crate) title: &'static str,
    /// Widest it may be; how narrow before another column leaves; narrowest.
    pub(crate) most: usize,
    pub(crate) fair: usize,
    pub(crate) least: usize,
    /// Numbers stand right.
    pub(crate) right: bool,
    /// The order in which columns leave where there is no room; 0 stays.
    pub(crate) leaves: u8,
    pub(crate) text: fn(&Group) -> String,
    pub(crate) order: fn(&Group, &Group) -> Ordering,
}

const FLOWS: Column = Column {
    title: "flows",
    most: 9,
    fair: 5,
    least: 5,
    right: true,
    leaves: 0,
    text: |g| thousands(u64::from(g.flows)),
    order: |a, b| b.flows.cmp(&a.flows),
};

const FAILED: Column = Column {
    title: "failed",
    most: 9,
    fair: 6,
    least: 6,
    right: true,
    leaves: 0,
    text: |g| if g.failed == 0 { "–".into() } else { thousands(u64::from(g.failed)) },
    order: |a, b| b.failed.cmp(&a.failed),
};

const CLIENTS: Column = Column {
    title: "client",
    most: 39,
    fair: 15,
    least: 7,
    right: false,
    leaves: 2,
    text: |g| ends(&g.clients, "clients", ToString::to_string),
    order: |a, b| (b.clients.more, b.clients.some.len()).cmp(&(a.clients.more, a.clients.some.len())),
};

const SERVERS: &[Column] = &[
    Column {
        title: "server",
        most: 47,
        fair: 21,
        least: 9,
        right: false,
        leaves: 0,
        text: |g| if let Key::Server(e) = g.key { endpoint(e) } else { String::new() },
        order: |a, b| if let (Key::Server(x), Key::Server(y)) = (&a.key, &b.key) { x.cmp(y) } else { Ordering::Equal },
    },
    Column {
        title: "name",
        most: 40,
        fair: 14,
        least: 8,
        right: false,
        leaves: 4,
        text: |g| match g.names.some.as_slice() {
            [] => "–".into(),
            [one] => one.to_string(),
            [one, rest @ ..] => format!("{one} +{}{}", rest.len(), if g.names.more { "+" } else { "" }),
        },
        order: |a, b| a.names.some.first().cmp(&b.names.some.first()),
    },
    Column {
        title: "versions",
        most: 17,
        fair: 13,
        least: 7,
        right: false,
        leaves: 5,
        text: versions,
        order: |a, b| oldest(a).cmp(&oldest(b)),
    },
    Column {
        title: "mTLS",
        most: 14,
        fair: 9,
        least: 7,
        right: false,
        leaves: 3,
        text: |g| match g.mtls.some.as_slice() {
            [] => "–".into(),
            [one] => one.name().into(),
            _ => "differs".into(),
        },
        order: |a, b| b.mtls.some.iter().max().cmp(&a.mtls.some.iter().max()),
    },
    CLIENTS,
    FLOWS,
    FAILED,
    Column {
        title: "most often",
        most: 34,
        fair: 24,
        least: 11,
        right: false,
        leaves: 1,
        text: |g| top_cause(g).map_or_else(|| "–".into(), |(c, n)| format!("{c} ×{n}")),
        order: |a, b| top_cause(b).map(|c| c.1).cmp(&top_cause(a).map(|c| c.1)),
    },
];

const CERTIFICATES: &[Column] = &[
    Column {
        title: "subject",
        most: 60,
        fair: 24,
        least: 12,
        right: false,
        leaves: 0,
        text: |g| g.leaf.as_ref().map_or_else(String::new, |l| l.subject.to_string()),
        order: |a, b| a.leaf.as_ref().map(|l| &l.subject).cmp(&b.leaf.as_ref().map(|l| &l.subject)),
    },
    Column {
        title: "issuer",
        most: 50,
        fair: 18,
        least: 10,
        right: false,
        leaves: 1,
        text: |g| {
            g.leaf.as_ref().map_or_else(String::new, |l| {
                if l.subject == l.issuer { "itself".to_owned() } else { l.issuer.to_string() }
            })
        },
        order: |a, b| a.leaf.as_ref().map(|l| &l.issuer).cmp(&b.leaf.as_ref().map(|l| &l.issuer)),
    },
    Column {
        title: "valid until",
        most: 11,
        fair: 11,
        least: 11,
        right: false,
        leaves: 0,
        text: |g| {
            let until = g.leaf.as_ref().and_then(|l| l.not_after);
            until.map_or_else(|| "–".into(), |t| format_time(t).chars().take(10).collect())
        },
        order: |a, b| {
            let until = |g: &Group| g.leaf.as_ref().and_then(|l| l.not_after).unwrap_or(i64::MAX);
            until(a).cmp(&until(b))
        },
    },
    Column {
        title: "days left",
        most: 9,
        fair: 9,
        least: 9,
        right: true,
        leaves: 3,
        text: |g| match g.days_left() {
            Some(d) if d < 0 => "expired".into(),
            Some(d) => thousands(d.unsigned_abs()),
            None => "–".into(),
        },
        order: |a, b| a.days_left().unwrap_or(i64::MAX).cmp(&b.days_left().unwrap_or(i64::MAX)),
    },
    Column {
        title: "of",
        most: 6,
        fair: 6,
        least: 6,
        right: false,
        leaves: 2,
        text: |g| match (g.leaf.as_ref().is_some_and(|l| l.is_ca), g.senders.one()) {
            (true, _) => "CA".into(),
            (_, Some(role)) => role.to_string(),
            _ => "both".into(),
        },
        order: |a, b| {
            let ca = |g: &Group| g.leaf.as_ref().is_some_and(|l| l.is_ca);
            (ca(a), a.senders.one()).cmp(&(ca(b), b.senders.one()))
        },
    },
    FLOWS,
    FAILED,
];

const FINDINGS: &[Column] = &[
    Column {
        title: "finding",
        most: 44,
        fair: 24,
        least: 16,
        right: false,
        leaves: 0,
        text: |g| if let Key::Finding(code) = g.key { code.into() } else { String::new() },
        order: |a, b| {
            if let (Key::Finding(x), Key::Finding(y)) = (&a.key, &b.key) { x.cmp(y) } else { Ordering::Equal }
        },
    },
    Column {
        title: "severity",
        most: 8,
        fair: 8,
        least: 8,
        right: false,
        leaves: 3,
        text: |g| g.severity.name().into(),
        order: |a, b| (b.severity, b.flows).cmp(&(a.severity, a.flows)),
    },
    Column {
        title: "at best",
        most: 8,
        fair: 8,
        least: 8,
        right: false,
        leaves: 1,
        text: |g| g.confidence.name().into(),
        order: |a, b| b.confidence.cmp(&a.confidence),
    },
    FLOWS,
    FAILED,
    CLIENTS,
    Column {
        title: "server",
        most: 47,
        fair: 21,
        least: 9,
        right: false,
        leaves: 4,
        text: |g| ends(&g.servers, "servers", |e| endpoint(*e)),
        order: |a, b| (b.servers.more, b.servers.some.len()).cmp(&(a.servers.more, a.servers.some.len())),
    },
];

/// The columns of a view; the flows have their own.
pub(crate) const fn of(view: View) -> &'static [Column] {
    match view {
        View::Flows => &[],
        View::Servers => SERVERS,
        View::Certificates => CERTIFICATES,
        View::Findings => FINDINGS,
    }
}

/// What a view is sorted by at first: servers by failures, certificates by their end, findings by severity.
pub(crate) const fn first_sort(view: View) -> usize {
    match view {
        View::Flows => 0,
        View::Servers => 6,
        View::Certificates => 2,
        View::Findings => 1,
    }
}

/// The only one, or how many.
fn ends<T: PartialEq>(few: &Few<T>, what: &str, text: impl Fn(&T) -> String) -> String {
    few.one().map_or_else(|| format!("{} {what}", few.count()), text)
}

fn oldest(g: &Group) -> Option<u8> {
    g.versions.some.iter().filter_map(|v| v.rank()).min()
}

/// `TLS 1.2`, or from the oldest to the newest: `TLS 1.0 – TLS 1.3`.
fn versions(g: &Group) -> String {
    let mut all: Vec<_> = g.versions.some.iter().collect();
    all.sort_by_key(|v| v.rank());
    match all.as_slice() {
        [] => "–".into(),
        [one] => one.to_string(),
        [first, .., last] => format!("{first} – {}", last.to_string().trim_start_matches("TLS ")),
    }
}

/// The cause of most of its failures.
fn top_cause(g: &Group) -> Option<(&'static str, u32)> {
    g.causes.iter().copied().max_by_key(|(_, n)| *n)
}

/// The columns that fit into `room`, each with its width: as wide as the widest text; then the widest give way, then
/// columns leave in their order, then the rest gives way as far as it can.
pub(crate) fn places<'g>(
    view: View,
    shown: impl Iterator<Item = &'g Group> + Clone,
    room: usize,
) -> Vec<(&'static Column, usize)> {
    let widest = |c: &Column| shown.clone().map(|g| super::chrome::width(&(c.text)(g))).max().unwrap_or(0);
    let mut out: Vec<(&Column, usize)> =
        of(view).iter().map(|c| (c, widest(c).max(super::chrome::width(c.title)).clamp(c.least, c.most))).collect();
    let total = |l: &[(&Column, usize)]| l.iter().map(|(_, w)| w + 1).sum::<usize>();
    let squeeze = |l: &mut Vec<(&Column, usize)>, least: fn(&Column) -> usize| {
        while total(l) > room
            && let Some((_, w)) = l.iter_mut().filter(|(c, w)| *w > least(c)).max_by_key(|(_, w)| *w)
        {
            *w -= 1;
        }
    };
    loop {
        squeeze(&mut out, |c| c.fair);
        let leaving = out.iter().filter(|(c, _)| c.leaves > 0).map(|(c, _)| c.leaves).min();
        match leaving.filter(|_| total(&out) > room) {
            Some(n) => out.retain(|(c, _)| c.leaves != n),
            None => break,
        }
    }
    squeeze(&mut out, |c| c.least);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_sorted_by_a_column_that_it_has() {
        for (view, title) in
            [(View::Servers, "failed"), (View::Certificates, "valid until"), (View::Findings, "severity")]
        {
            assert_eq!(of(view).get(first_sort(view)).map(|c| c.title), Some(title));
        }
    }

    #[test]
    fn columns_leave_until_the_rest_fits() {
        for view in View::ALL {
            for room in 20..200 {
                let p = places(view, std::iter::empty(), room);
                let stay = of(view).iter().filter(|c| c.leaves == 0).map(|c| c.least + 1).sum::<usize>();
                assert!(p.iter().map(|(_, w)| w + 1).sum::<usize>() <= room.max(stay));
            }
        }
    }
}
