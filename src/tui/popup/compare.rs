//! Two flows side by side: what differs, field by field; or both as one ladder.

use crate::analyzer::{Detail, FlowReport};
use crate::compare::{Difference, compare};
use crate::ladder::{self, Kind, Rung, What, arrow_text, severity_glyph};
use crate::span::{Role, Timestamp};
use crate::tui::app::{App, Effect, Popup};
use crate::tui::chrome::{cut, duration, fit, wrap};
use crate::tui::keymap::Action;
use crate::tui::row::{Mark, Row, endpoint};
use crate::tui::theme::Paint;
use crate::tui::update::moved;

use super::Line;

/// Columns of a field's name, of the frames of a step and of one time.
const NAME: usize = 21;
const FRAMES: usize = 11;
const TIME: usize = 10;

/// Steps of one flow that are put beside the other's.
const STEPS: usize = 400;

/// Lines that one value may take; all of it is in the flow itself.
const VALUE: usize = 4;

/// Two flows that are compared.
#[derive(Debug)]
pub(crate) struct Pair {
    /// Their ids.
    pub(crate) ids: (u64, u64),
    pub(crate) state: State,
    top: usize,
    /// Equal fields show too.
    all: bool,
    /// The ladder shows in place of the fields.
    ladder: bool,
}

/// How far the reading is.
#[derive(Debug)]
pub(crate) enum State {
    Reading,
    Failed(String),
    Ready(Box<Compared>),
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Compared {
    ends: (String, String),
    differences: Vec<Difference>,
    steps: Vec<Beside>,
    findings: (Vec<String>, Vec<String>),
}

/// A step of one of both flows.
#[derive(Debug)]
struct Step {
    us: u64,
    rung: Rung,
}

/// A line of the common ladder: a step of one flow, or of both.
#[derive(Debug)]
struct Beside {
    a: Option<Step>,
    b: Option<Step>,
}

impl Compared {
    /// Compares two flows that were read.
    pub(crate) fn new(a: &Detail, b: &Detail) -> Self {
        let (a, b) = (&a.report, &b.report);
        // Two sightings of one connection have one clock; times of two connections are counted from their beginnings.
        let (start_a, start_b) = (a.facts.first.time, b.facts.first.time);
        let together = start_a <= b.facts.last.time && start_b <= a.facts.last.time;
        let origin = start_a.min(start_b);
        let (from_a, from_b) = if together { (origin, origin) } else { (start_a, start_b) };
        let steps = align(steps(a, from_a), steps(b, from_b));
        let ends = |r: &FlowReport| {
            format!("{} → {}", endpoint(r.facts.end(Role::Client)), endpoint(r.facts.end(Role::Server)))
        };
        let findings = |r: &FlowReport| {
            let all = r.diagnosis.findings.iter();
            all.map(|f| format!("{} {} ({}): {}", severity_glyph(f.severity), f.code, f.confidence.name(), f.title))
                .collect()
        };
        Self { ends: (ends(a), ends(b)), differences: compare(a, b), steps, findings: (findings(a), findings(b)) }
    }
}

fn steps(r: &FlowReport, from: Timestamp) -> Vec<Step> {
    let mut us = 0;
    let mut out = Vec::new();
    for rung in ladder::rungs(r) {
        us = rung.time.map_or(us, |t| t.us_since(from));
        if matches!(rung.kind, Kind::Arrow(_) | Kind::Note(_)) {
            out.push(Step { us, rung });
        }
    }
    out.truncate(STEPS);
    out
}

/// The same step: the same message of the same side that says the same. (Of protected records, only their sizes differ.)
fn is_same(a: &Step, b: &Step) -> bool {
    match (&a.rung.kind, &b.rung.kind) {
        (Kind::Arrow(x), Kind::Arrow(y)) => {
            let says = x.says == y.says || matches!(x.what, What::Records(_));
            x.from == y.from && x.label == y.label && x.stroke == y.stroke && says
        }
        (Kind::Note(x), Kind::Note(y)) => x == y,
        _ => false,
    }
}

/// Puts two ladders beside each other so that as many steps as possible meet (their longest common subsequence).
fn align(a: Vec<Step>, b: Vec<Step>) -> Vec<Beside> {
    let width = b.len() + 1;
    // Length of the longest common subsequence of what begins at a step of each.
    let mut best = vec![0u16; (a.len() + 1) * width];
    let at = |best: &[u16], i: usize, j: usize| best.get(i * width + j).copied().unwrap_or(0);
    for (i, x) in a.iter().enumerate().rev() {
        for (j, y) in b.iter().enumerate().rev() {
            let n = if is_same(x, y) {
                at(&best, i + 1, j + 1).saturating_add(1)
            } else {
                at(&best, i + 1, j).max(at(&best, i, j + 1))
            };
            if let Some(cell) = best.get_mut(i * width + j) {
                *cell = n;
            }
        }
    }
    let mut out = Vec::new();
    let (mut i, mut j) = (0, 0);
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    loop {
        let (same, first) = match (a.peek(), b.peek()) {
            (None, None) => return out,
            (Some(x), Some(y)) => (is_same(x, y), at(&best, i + 1, j) >= at(&best, i, j + 1)),
            (x, _) => (false, x.is_some()),
        };
        let beside = match (same, first) {
            (true, _) => Beside { a: a.next(), b: b.next() },
            (_, true) => Beside { a: a.next(), b: None },
            (_, false) => Beside { a: None, b: b.next() },
        };
        i += usize::from(beside.a.is_some());
        j += usize::from(beside.b.is_some());
        out.push(beside);
    }
}

/// Opens the comparison of two flows.
pub(crate) fn open(app: &mut App, a: u64, b: u64) {
    app.effects.push(Effect::Compare(a, b));
    let pair = Pair { ids: (a, b), state: State::Reading, top: 0, all: false, ladder: false };
    app.popups.push(Popup::Compare(pair));
}

/// What the key for it compares: the two marked flows; else the flow of the cursor with the marked one, with its other
/// sighting, or with one that the same server accepted.
pub(crate) fn offered(app: &App) -> Option<(u64, u64)> {
    if let [a, b] = app.marked.as_slice() {
        return Some((*a, *b));
    }
    let here: &Row = app.flow.as_ref().map_or_else(|| app.list.selected(), |f| Some(&f.row))?;
    let marked = app.marked.first().copied().filter(|m| app.marked.len() == 1 && *m != here.id);
    let twin = || app.list.twin(app.list.cursor).filter(|t| t.id != here.id).map(|t| t.id);
    let sibling = || app.list.sibling(here).filter(|_| here.mark() == Mark::Failed).map(|s| s.id);
    Some((here.id, marked.or_else(twin).or_else(sibling)?))
}

/// Space on a flow: marks it, or takes its mark away. The second mark opens the comparison.
pub(crate) fn mark(app: &mut App) {
    let Some(id) = app.list.selected().map(|r| r.id) else { return };
    if app.marked.contains(&id) {
        app.marked.retain(|m| *m != id);
        return;
    }
    app.marked.push(id);
    if let [a, b] = *app.marked.as_slice() {
        open(app, a, b);
    }
}

/// The heading of the popup.
pub(crate) fn title(p: &Pair) -> String {
    let (a, b) = p.ids;
    if p.ladder { format!("Flows {a} and {b} on one ladder") } else { format!("Flows {a} and {b}: what differs") }
}

/// All of it as lines.
pub(crate) fn lines(p: &Pair, width: usize) -> Vec<Line> {
    let c = match &p.state {
        State::Reading => return vec![vec![("Reading both flows again …".into(), Paint::Dim)]],
        State::Failed(e) => {
            return wrap(&format!("✖ {e}"), width).into_iter().map(|l| vec![(l, Paint::Error)]).collect();
        }
        State::Ready(c) => c,
    };
    if p.ladder { rails(p, c, width) } else { fields(p, c, width) }
}

fn fields(p: &Pair, c: &Compared, width: usize) -> Vec<Line> {
    let value = width.saturating_sub(NAME + 2) / 2;
    let (a, b) = p.ids;
    let mut out: Vec<Line> = vec![
        vec![
            (fit("", NAME + 1), Paint::Normal),
            (fit(&format!("flow {a}"), value + 1), Paint::Client),
            (format!("flow {b}"), Paint::Server),
        ],
        vec![
            (fit("", NAME + 1), Paint::Normal),
            (fit(&c.ends.0, value), Paint::Dim),
            (" ".into(), Paint::Normal),
            (cut(&c.ends.1, value), Paint::Dim),
        ],
    ];
    let mut section = "";
    let mut folded = 0usize;
    for d in &c.differences {
        if d.equal && !p.all {
            folded += 1;
            continue;
        }
        if d.section != section {
            section = d.section;
            out.push(vec![(section.to_owned(), Paint::Bold)]);
        }
        difference(&mut out, d, value, width);
    }
    if c.differences.iter().all(|d| d.equal) {
        out.push(vec![("Nothing differs.".into(), Paint::Bold)]);
    }
    if folded > 0 {
        let text = format!("{} the same; Enter shows them too", crate::text::count(folded as u64, "more field"));
        out.push(Vec::new());
        out.push(vec![(text, Paint::Dim)]);
    }
    out
}

fn difference(out: &mut Vec<Line>, d: &Difference, value: usize, width: usize) {
    let paint = if d.equal { Paint::Dim } else { Paint::Normal };
    let cell = |v: &Option<String>| -> Vec<String> {
        let mut l = wrap(v.as_deref().unwrap_or("–"), value);
        if l.len() > VALUE {
            l.truncate(VALUE);
            if let Some(last) = l.last_mut() {
                *last = cut(&format!("{last} …"), value);
            }
        }
        l
    };
    let (a, b) = (cell(&d.a), if d.equal { vec!["the same".to_owned()] } else { cell(&d.b) });
    for n in 0..a.len().max(b.len()) {
        let text = |l: &[String]| l.get(n).cloned().unwrap_or_default();
        out.push(vec![
            (fit(&if n == 0 { format!(" {}", d.name) } else { String::new() }, NAME + 1), Paint::Key),
            (fit(&text(&a), value + 1), paint),
            (text(&b), paint),
        ]);
    }
    if let Some(note) = &d.note {
        let note = wrap(&format!("▲ {note}"), width.saturating_sub(NAME + 1));
        out.extend(note.into_iter().map(|l| vec![(fit("", NAME + 1), Paint::Normal), (l, Paint::Warning)]));
    }
}

/// Both flows on shared rails: which of them a step belongs to stands in front of it, `=` where it is a step of both.
fn rails(p: &Pair, c: &Compared, width: usize) -> Vec<Line> {
    let of = |second: bool| if second { (p.ids.1, "B", Paint::Server) } else { (p.ids.0, "A", Paint::Client) };
    let mut out: Vec<Line> = Vec::new();
    for (second, ends, findings) in [(false, &c.ends.0, &c.findings.0), (true, &c.ends.1, &c.findings.1)] {
        let (id, letter, paint) = of(second);
        out.push(vec![(format!("{letter} flow {id}  {ends}"), paint)]);
        out.extend(
            findings
                .iter()
                .flat_map(|f| wrap(f, width.saturating_sub(2)))
                .map(|l| vec![(format!("  {l}"), Paint::Normal)]),
        );
    }
    out.push(Vec::new());
    let room = width.saturating_sub(FRAMES + 2 * TIME + 3);
    let heading = format!("  {:>FRAMES$}{:>TIME$}{:>TIME$}", "frames", "A", "B");
    out.push(vec![(heading, Paint::Dim)]);
    for s in &c.steps {
        let Some(step) = s.a.as_ref().or(s.b.as_ref()) else { continue };
        let (letter, paint) = match (&s.a, &s.b) {
            (Some(_), Some(_)) => ("=", Paint::Normal),
            (_, None) => ("A", Paint::Client),
            (None, _) => ("B", Paint::Server),
        };
        let frames: Vec<String> =
            [&s.a, &s.b].into_iter().flatten().filter_map(|x| x.rung.frame).map(|f| format!("#{f}")).collect();
        let time = |x: &Option<Step>| {
            x.as_ref().filter(|x| x.rung.time.is_some()).map_or_else(String::new, |x| duration(x.us))
        };
        let text = match &step.rung.kind {
            Kind::Arrow(a) => arrow_text(a, room),
            Kind::Note(t) => cut(&format!("┊ {t}"), room),
            Kind::Finding(_) => continue,
        };
        let frames = cut(&frames.join(" "), FRAMES);
        out.push(vec![
            (format!("{letter} "), paint),
            (format!("{frames:>FRAMES$}{:>TIME$}{:>TIME$} ", time(&s.a), time(&s.b)), Paint::Dim),
            (text, paint),
        ]);
    }
    out
}

/// How far it is scrolled.
pub(crate) const fn top(p: &Pair) -> usize {
    p.top
}

/// A key; true when it closes the comparison.
pub(crate) fn key(p: &mut Pair, action: Action, page: usize, count: usize) -> bool {
    if let Some(to) = moved(action, p.top, page, count) {
        p.top = to.min(count.saturating_sub(page));
        return false;
    }
    match action {
        Action::Open | Action::Toggle => p.all = !p.all,
        Action::NextPane | Action::PrevPane | Action::Left | Action::Right => {
            p.ladder = !p.ladder;
            p.top = 0;
        }
        Action::Compare => return true,
        _ => {}
    }
    false
}

/// What was compared, as text to be copied.
pub(crate) fn text(p: &Pair) -> String {
    let all = lines(p, 100).into_iter().map(|l| l.into_iter().map(|(s, _)| s).collect::<String>());
    let all: Vec<String> = all.map(|l| l.trim_end().to_owned()).collect();
    format!("{}\n{}\n", title(p), all.join("\n"))
}
