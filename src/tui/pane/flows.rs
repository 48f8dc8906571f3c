//! The list of flows.

use crate::span::Role;
use crate::text::count;
use crate::tui::app::{App, Pane};
use crate::tui::chrome::{self, Canvas, cut, fit, thousands, wrap};
use crate::tui::filter::version_name;
use crate::tui::list::{Column, List};
use crate::tui::row::{Row, clock, endpoint};
use crate::tui::theme::Paint;

use super::groups;

/// A column with its width; the client's without its port when there is no room for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) column: Column,
    pub(crate) width: usize,
    pub(crate) port: bool,
}

/// Which columns fit into `room`. They leave in a fixed order: time, version, the client's port, then what was added by
/// hand, and mTLS last.
pub(crate) fn columns(list: &List, room: usize) -> Vec<Place> {
    let w = &list.widths;
    let natural = |c: Column| match c {
        Column::Number => w.id.to_string().len().max(2),
        Column::Time => 12,
        Column::Client => w.client.max(9),
        Column::Server => w.server.max(9),
        Column::Name => w.name.clamp(6, 40),
        Column::Version => 7,
        Column::Cipher => 37,
        Column::Alpn => 8,
        Column::Mtls => w.mtls.max(5),
        Column::Duration => 9,
        Column::Frames => 15,
        Column::Result => w.result.clamp(11, 34),
    };
    let mut places: Vec<Place> =
        list.columns.iter().map(|c| Place { column: *c, width: natural(*c), port: true }).collect();
    let total = |p: &[Place]| p.iter().map(|x| x.width + 1).sum::<usize>();
    // The flexible ones give way a little before a column leaves.
    const GENTLE: &[(Column, usize)] =
        &[(Column::Client, 21), (Column::Server, 21), (Column::Name, 18), (Column::Result, 24)];
    const HARD: &[(Column, usize)] = &[
        (Column::Client, 21),
        (Column::Server, 21),
        (Column::Name, 8),
        (Column::Result, 18),
        (Column::Client, 15),
        (Column::Result, 11),
    ];
    let squeeze = |p: &mut Vec<Place>, to: usize, how: &[(Column, usize)]| {
        for (c, least) in how.iter().copied() {
            let over = total(p).saturating_sub(to);
            if let Some(x) = p.iter_mut().find(|x| x.column == c)
                && over > 0
                && x.width > least
            {
                x.width = x.width.saturating_sub(over).max(least);
            }
        }
    };
    use Column::{Alpn, Cipher, Client, Duration, Frames, Mtls, Name, Number, Server, Time, Version};
    for leave in [Time, Version, Client, Frames, Duration, Alpn, Cipher, Mtls, Number, Name, Server, Client] {
        // The three that the list can do without leave before names and results are cut much.
        let how = if matches!(leave, Time | Version)
            || (leave == Client && places.iter().any(|p| p.column == Client && p.port))
        {
            GENTLE
        } else {
            HARD
        };
        let mut tried = places.clone();
        squeeze(&mut tried, room, how);
        if total(&tried) <= room {
            places = tried;
            break;
        }
        if leave == Client
            && let Some(x) = places.iter_mut().find(|x| x.column == Client && x.port)
        {
            x.port = false;
            x.width = w.client_ip.clamp(6, 15);
        } else {
            places.retain(|x| x.column != leave);
        }
    }
    squeeze(&mut places, room, HARD);
    // What is left over goes to the columns whose text may be longer.
    for c in [Column::Result, Column::Name] {
        let spare = room.saturating_sub(total(&places));
        let wants = if c == Column::Name { w.name } else { w.result };
        if let Some(x) = places.iter_mut().find(|x| x.column == c) {
            x.width = x.width.max((x.width + spare).min(wants));
        }
    }
    places
}

fn text(r: &Row, p: &Place) -> String {
    match p.column {
        Column::Number => format!("{:>1$}", r.id, p.width),
        Column::Time => clock(r.time),
        Column::Client if p.port => endpoint(r.end(Role::Client)),
        Column::Client => r.end(Role::Client).ip.to_string(),
        Column::Server => endpoint(r.end(Role::Server)),
        Column::Name => r.name.as_deref().unwrap_or("–").to_owned(),
        Column::Version => version_name(r.version),
        Column::Cipher => r.cipher.map_or_else(|| "–".into(), |c| c.to_string()),
        Column::Alpn => r.alpn.as_deref().unwrap_or("–").to_owned(),
        Column::Mtls => r.mtls.name().to_owned(),
        Column::Duration => format!("{:>1$}", chrome::duration(r.duration_us), p.width),
        Column::Frames => format!("{}–{}", r.first, r.last),
        Column::Result => r.result().to_owned(),
    }
}

/// Draws the list.
pub(crate) fn draw(app: &App, c: &mut Canvas<'_>) {
    let l = &app.list;
    let focused = app.focus == Pane::Flows;
    let mut title = groups::tabs(app, l.view.len(), l.rows.len());
    title.push_str(&format!(" ── by {}{}", l.sort.title(), if l.reverse { " ↑" } else { "" }));
    title.push_str(&format!(" ── {}", groups::others(app)));
    let inside = c.frame(&title, focused);
    c.scroll_mark(l.top, usize::from(inside.height).saturating_sub(1), l.view.len());
    let mut c = c.part(inside);
    let width = usize::from(inside.width);
    if l.view.is_empty() {
        return empty(app, &mut c, width);
    }
    let places = columns(l, width.saturating_sub(3));
    let mut x = 3;
    for p in &places {
        c.put(x, 0, &fit(p.column.title(), p.width), Paint::Bold);
        x += p.width + 1;
    }
    for line in 0..usize::from(inside.height).saturating_sub(1) {
        let pos = l.top + line;
        let Some(r) = l.at(pos) else { break };
        let y = line + 1;
        let m = r.mark();
        c.put(1, y, m.glyph(), m.paint());
        if app.marked.contains(&r.id) {
            c.put(2, y, "◆", Paint::Bold);
        } else if l.twin(pos).is_some() {
            c.put(2, y, "⇄", Paint::Dim);
        }
        let mut x = 3;
        for p in &places {
            let paint = if p.column == Column::Result { m.paint() } else { Paint::Normal };
            c.put(x, y, &fit(&text(r, p), p.width), paint);
            x += p.width + 1;
        }
        if pos == l.cursor {
            c.put(0, y, "▸", Paint::Bold);
            c.line_style(y, if focused { Paint::Selected } else { Paint::Chosen });
        }
    }
}

/// Nothing to show: what was read, and what to try.
fn empty(app: &App, c: &mut Canvas<'_>, width: usize) {
    let p = &app.progress;
    let mut lines: Vec<(String, Paint)> = Vec::new();
    if !app.list.rows.is_empty() {
        lines.push(("No flow passes.".into(), Paint::Bold));
        let all = count(app.list.rows.len() as u64, "flow");
        let how =
            if app.list.failed_only { "f shows those too that did not fail" } else { "Esc takes the filter away" };
        lines.push((format!("{all} so far; {how}."), Paint::Normal));
    } else if app.loading() && app.is_live() {
        lines.push((format!("Capturing on {}: no TLS connection so far.", app.source), Paint::Bold));
        lines.push((String::new(), Paint::Normal));
        let seen = format!(
            "Seen: {}, {} of them TCP or UDP; {}.",
            count(p.frames, "packet"),
            thousands(p.decoded),
            count(p.connections, "TCP connection")
        );
        lines.push((seen, Paint::Normal));
        lines.push((
            "A connection shows when its handshake is decided; one that began before the capture does not.".into(),
            Paint::Normal,
        ));
        lines.push((String::new(), Paint::Normal));
        lines.push(("What to try:".into(), Paint::Bold));
        let tries: &[&str] = match (p.frames, p.connections) {
            (0, _) => &[
                "No packet passes here: is it the right interface (tlscope interfaces), or the filter (-f) too narrow? -i any sees all.",
            ],
            (_, 0) => &["No TCP connection passes here: try -i any, and a wider filter (-f)."],
            _ => &["Open the connection in question anew: a handshake that is over cannot be seen any more."],
        };
        lines.extend(tries.iter().map(|t| (format!("- {t}"), Paint::Normal)));
    } else if app.loading() {
        lines.push((
            format!("Reading {} … {}, no TLS connection so far.", app.source, count(p.frames, "frame")),
            Paint::Bold,
        ));
    } else {
        lines.push((format!("No TLS connection in {}.", app.source), Paint::Bold));
        lines.push((String::new(), Paint::Normal));
        lines.push((
            format!(
                "Read: {}, {} of them TCP or UDP; {}, none of them with TLS.",
                count(p.frames, "frame"),
                thousands(p.decoded),
                count(p.connections, "TCP connection")
            ),
            Paint::Normal,
        ));
        if let Some(e) = app.end.as_ref().filter(|e| !e.skipped.is_empty()) {
            let list: Vec<String> = e.skipped.iter().map(|(why, n)| format!("{} {why}", thousands(*n))).collect();
            lines.push((format!("Not looked into: {}.", list.join(", ")), Paint::Normal));
        }
        lines.push((String::new(), Paint::Normal));
        lines.push(("What to try:".into(), Paint::Bold));
        let tries: &[&str] = match (p.frames, p.decoded, p.connections) {
            (0, ..) => &[
                "The file holds no packets: was the filter of the capture too narrow, or the interface the wrong one?",
            ],
            (_, 0, _) => &[
                "No packet is TCP or UDP: was the right interface captured? In a container, capture inside its network namespace or on \"any\".",
            ],
            (_, _, 0) => &["There is no TCP: TLS over TCP is what is read. Was the filter of the capture too narrow?"],
            _ => &[
                "Is the connection in question in this capture? Its address and port should be among the TCP connections.",
                "Start the capture before the connection: a handshake that is over cannot be seen any more.",
                "Capture whole packets: tcpdump -s 0 -w out.pcap host ADDRESS and port PORT",
            ],
        };
        lines.extend(tries.iter().map(|t| (format!("  {t}"), Paint::Normal)));
    }
    let mut y = 1;
    for (text, paint) in lines {
        for l in wrap(&text, width.saturating_sub(4)) {
            c.put(2, y, &cut(&l, width.saturating_sub(3)), paint);
            y += 1;
        }
    }
}
