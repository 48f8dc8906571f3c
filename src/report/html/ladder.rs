//! The ladder of a flow as SVG: it is as wide as the page, and its text keeps its size, because positions across are percentages.

use maud::{Markup, html};

use crate::analyzer::FlowReport;
use crate::ladder::{Arrow, Kind, Rung, Stroke, severity_glyph};
use crate::layout::{cut, duration, width, wrap};
use crate::span::Role;

use super::{Safe, flow};

/// Characters of a line of text: what fits beside the lifelines of a narrow screen.
const WIDTH: usize = 44;

/// Height of what stands above the first arrow, of an arrow with a line under it, of a finding, of a further line of text.
const TOP: usize = 44;
/// See [`TOP`].
const ARROW: usize = 46;
/// See [`TOP`].
const FINDING: usize = 24;
/// See [`TOP`].
const LINE: usize = 16;

/// Lines of text under an arrow.
const BELOW: usize = 3;

/// Where the lifelines are.
const LEFT: &str = "3%";
/// See [`LEFT`].
const RIGHT: &str = "97%";

/// Draws the steps.
pub(super) fn svg(f: &FlowReport, steps: &[Rung]) -> Markup {
    let mut y = TOP;
    let mut drawn: Vec<Markup> = Vec::with_capacity(steps.len());
    for r in steps {
        match &r.kind {
            Kind::Arrow(a) => {
                let (picture, height) = arrow(f, r, a, y);
                drawn.push(picture);
                y = y.saturating_add(height);
            }
            Kind::Finding(n) => {
                drawn.push(finding(f, *n, y));
                y = y.saturating_add(FINDING);
            }
            Kind::Note(text) => {
                for line in wrap(text, WIDTH) {
                    drawn.push(html! { text class="note" x="50%" y=(y.saturating_add(13)) text-anchor="middle" { (Safe(&line)) } });
                    y = y.saturating_add(LINE);
                }
            }
        }
    }
    let height = y.saturating_add(10);
    let label = format!("Ladder of flow {}: the client on the left, the server on the right", f.facts.id);
    html! {
        svg class="ladder" width="100%" height=(height) role="group" aria-label=(label) {
            text class="end" x="0" y="13" { "client " (f.facts.end(Role::Client).to_string()) }
            text class="end" x="100%" y="32" text-anchor="end" { "server " (f.facts.end(Role::Server).to_string()) }
            line class="life" x1=(LEFT) x2=(LEFT) y1="18" y2=(height) {}
            line class="life" x1=(RIGHT) x2=(RIGHT) y1="37" y2=(height) {}
            @for d in &drawn { (d) }
        }
    }
}

/// An arrow: its name above it; when, where and what it says below it. Also its height.
fn arrow(f: &FlowReport, r: &Rung, a: &Arrow, y: usize) -> (Markup, usize) {
    let line = y.saturating_add(20);
    let (head_at, head) = match a.from {
        Role::Client => (RIGHT, "M-9,-5 L0,0 L-9,5 Z"),
        Role::Server => (LEFT, "M9,-5 L0,0 L9,5 Z"),
    };
    let stroke = match a.stroke {
        Stroke::Clear => "clear",
        Stroke::Encrypted => "encrypted",
        Stroke::Inferred(_) => "encrypted inferred",
        Stroke::Ghost => "ghost",
    };
    let alarm = if a.label.starts_with("fatal alert") { " alarm" } else { "" };
    let class = format!("arrow {} {stroke}{alarm}", a.from.name());
    let mut below: Vec<String> = Vec::new();
    below.extend(r.frame.map(|n| format!("frame {n}")));
    below.extend(r.time.map(|t| duration(t.us_since(f.facts.first.time))));
    let tag = a.stroke.tag().trim();
    below.extend((!tag.is_empty()).then(|| tag.to_owned()));
    let mut lines = vec![below.join(" · ")];
    if !a.says.is_empty() {
        let one = format!("{} · {}", below.join(" · "), a.says);
        lines = if width(&one) <= WIDTH { vec![one] } else { lines.into_iter().chain(wrap(&a.says, WIDTH)).collect() };
    }
    if lines.len() > BELOW {
        lines.truncate(BELOW);
        if let Some(last) = lines.last_mut() {
            *last = cut(last, WIDTH.saturating_sub(2)) + " …";
        }
    }
    let height = ARROW.saturating_add(LINE.saturating_mul(lines.len().saturating_sub(1)));
    let lines = lines.iter().zip((y.saturating_add(34)..).step_by(LINE));
    let picture = html! {
        g class=(class) {
            title { (a.from.name()) ": " (Safe(&a.label)) " " (Safe(&a.says)) }
            text class="label" x="50%" y=(y.saturating_add(14)) text-anchor="middle" { (Safe(&cut(&a.label, WIDTH))) }
            line x1=(LEFT) x2=(RIGHT) y1=(line) y2=(line) {}
            svg x=(head_at) y=(line) overflow="visible" { path d=(head) {} }
            @for (line, y) in lines { text class="below" x="50%" y=(y) text-anchor="middle" { (Safe(line)) } }
        }
    };
    (picture, height)
}

/// A finding under the arrow that proves it, with the way to all of it.
fn finding(f: &FlowReport, place: usize, y: usize) -> Markup {
    let Some(x) = f.diagnosis.findings.get(place) else { return html! {} };
    let text = format!("{} {}: {} ({})", severity_glyph(x.severity), x.severity.name(), x.code, x.confidence.name());
    html! {
        a href=(format!("#{}", flow::anchor(f.facts.id, place))) {
            text class=(format!("finding {}", x.severity.name())) x="50%" y=(y.saturating_add(13)) text-anchor="middle" {
                (cut(&text, WIDTH.saturating_add(10)))
            }
        }
    }
}
