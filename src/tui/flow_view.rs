//! One flow that was opened: its ladder, the fields of the message under the cursor, and the bytes behind them.

use std::collections::BTreeSet;

use super::certificate::certificate;
use super::chrome;
use super::explain::{self, Text};
use super::row::Row;
use crate::analyzer::{Detail, KeptMessage};
use crate::facts::MessageKind;
use crate::ladder::{self, Kind, Rung, What};
use crate::reader::Topic;
use crate::span::{FrameNo, FrameSpan, Span};
use crate::tls::names::HandshakeType;

/// Lists longer than this are shown folded.
const FOLD_FROM: usize = 16;

/// A line of the field tree.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) depth: u8,
    pub(crate) name: String,
    pub(crate) meaning: String,
    /// Bytes of the message; `None` for what is concluded.
    pub(crate) span: Option<Span>,
    pub(crate) topic: Option<Topic>,
    pub(crate) parent: bool,
}

/// Bytes on the screen: a heading for each frame, then its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HexLine {
    Head(FrameNo),
    Bytes(FrameNo, usize),
}

/// How far the opening is.
#[derive(Debug)]
pub(crate) enum Opening {
    Reading,
    Failed(String),
    Ready(Box<Open>),
}

/// A flow on the screen.
#[derive(Debug)]
pub(crate) struct FlowView {
    pub(crate) row: Row,
    pub(crate) state: Opening,
}

/// An opened flow.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) detail: Box<Detail>,
    pub(crate) rungs: Vec<Rung>,
    /// Where the bytes of each of the facts' messages are.
    kept: Vec<Option<usize>>,
    pub(crate) cursor: usize,
    pub(crate) top: usize,
    /// The step that times are counted from.
    pub(crate) mark: Option<usize>,
    pub(crate) nodes: Vec<Node>,
    folded: BTreeSet<usize>,
    /// The chosen node.
    pub(crate) field: usize,
    pub(crate) field_top: usize,
    pub(crate) bytes_top: usize,
    /// The bytes are to be scrolled to the chosen field.
    pub(crate) follow: bool,
}

impl Open {
    pub(crate) fn new(detail: Box<Detail>) -> Self {
        let rungs = ladder::rungs(&detail.report);
        let kept = detail.kept();
        let mut o = Self {
            detail,
            rungs,
            kept,
            cursor: 0,
            top: 0,
            mark: None,
            nodes: Vec::new(),
            folded: BTreeSet::new(),
            field: 0,
            field_top: 0,
            bytes_top: 0,
            follow: true,
        };
        // Where a person looks first: the cause, else the first message.
        let cause = o.detail.report.diagnosis.cause;
        let at_cause = o.rungs.iter().position(|r| {
            matches!(&r.kind, Kind::Finding(n)
            if cause.is_some() && o.detail.report.diagnosis.findings.get(*n).map(|f| f.code) == cause)
        });
        let first = o.rungs.iter().position(|r| matches!(&r.kind, Kind::Arrow(a) if !matches!(a.what, What::Tcp)));
        o.select(at_cause.or(first).unwrap_or(0));
        o
    }

    /// The rung under the cursor.
    pub(crate) fn rung(&self) -> Option<&Rung> {
        self.rungs.get(self.cursor)
    }

    /// The rung whose bytes are shown: a finding has none, so it is the arrow it stands under.
    fn arrow_rung(&self) -> Option<&Rung> {
        self.rungs.get(..=self.cursor)?.iter().rev().find(|r| matches!(r.kind, Kind::Arrow(_)))
    }

    /// Moves the ladder's cursor.
    pub(crate) fn select(&mut self, n: usize) {
        self.cursor = n.min(self.rungs.len().saturating_sub(1));
        self.nodes = self.make_nodes();
        self.folded = self.folded_at_first();
        self.field = 0;
        self.field_top = 0;
        self.bytes_top = 0;
        self.follow = true;
    }

    /// The message whose fields are shown.
    pub(crate) fn message(&self) -> Option<&KeptMessage> {
        match &self.arrow_rung()?.kind {
            Kind::Arrow(a) => match a.what {
                What::Message(_, n) => self.detail.messages.get((*self.kept.get(n)?)?),
                _ => None,
            },
            _ => None,
        }
    }

    /// What the fields pane shows, for its title.
    pub(crate) fn message_label(&self) -> String {
        match self.arrow_rung().map(|r| &r.kind) {
            Some(Kind::Arrow(a)) => a.label.clone(),
            _ => String::new(),
        }
    }

    fn make_nodes(&self) -> Vec<Node> {
        let mut out: Vec<Node> = Vec::new();
        let Some(Rung { kind: Kind::Arrow(a), frame, time }) = self.arrow_rung() else { return out };
        let facts = &self.detail.report.facts;
        if let Some(m) = self.message() {
            let chain = (m.kind == Some(HandshakeType::CERTIFICATE))
                .then(|| facts.sides[m.side].certificates.as_ref())
                .flatten()
                .filter(|c| c.mark.frame == m.mark.frame);
            let mut certificates = chain.map(|c| c.chain.iter()).into_iter().flatten().enumerate();
            for f in m.fields() {
                let is_certificate =
                    matches!(f.name.as_ref(), "cert_data" | "ASN.1Cert" | "ASN1Cert" | "certificate_data");
                let (depth, span) = (f.depth, f.span);
                out.push(Node {
                    depth,
                    name: f.name.into_owned(),
                    meaning: f.meaning,
                    span: Some(span),
                    topic: f.topic,
                    parent: false,
                });
                if is_certificate && let Some((n, c)) = certificates.next() {
                    certificate(&mut out, c, n, depth.saturating_add(1), span, facts.judged_at().secs());
                }
            }
            for (n, c) in certificates {
                certificate(&mut out, c, n, 1, Span::new(0, m.bytes.len()), facts.judged_at().secs());
            }
        } else {
            let mut line = |depth: u8, name: String, meaning: String| {
                out.push(Node { depth, name, meaning, span: None, topic: None, parent: false });
            };
            line(0, a.label.clone(), a.says.clone());
            line(1, "sender".into(), a.from.to_string());
            if let Some(f) = frame {
                line(1, "frame".into(), f.to_string());
            }
            if let Some(t) = time {
                line(1, "time".into(), t.to_string());
            }
            match &a.what {
                What::Records(list) => {
                    for (frame, n) in list {
                        line(
                            1,
                            format!("record in frame {frame}"),
                            format!("{}, protected", crate::text::count(u64::from(*n), "byte")),
                        );
                    }
                }
                What::Message(MessageKind::EncryptedHandshake | MessageKind::Alert(_, None), _) => {
                    line(1, "content".into(), "protected: it cannot be read without keys".into());
                }
                _ => {}
            }
        }
        for i in 0..out.len() {
            let next = out.get(i + 1).map(|n| n.depth);
            if let Some(n) = out.get_mut(i) {
                n.parent = next.is_some_and(|d| d > n.depth);
            }
        }
        out
    }

    /// The end of a node's descendants.
    fn end_of(&self, i: usize) -> usize {
        let Some(n) = self.nodes.get(i) else { return i };
        let rest = self.nodes.get(i + 1..).unwrap_or(&[]);
        i + 1 + rest.iter().position(|x| x.depth <= n.depth).unwrap_or(rest.len())
    }

    /// What is folded at first: long lists of plain values, and the inside of an extension whose own line says it.
    fn folded_at_first(&self) -> BTreeSet<usize> {
        let folded = |(i, n): &(usize, &Node)| {
            let inside = self.nodes.get(i + 1..self.end_of(*i)).unwrap_or(&[]);
            let long = inside.len() > FOLD_FROM && inside.iter().all(|c| c.depth == n.depth.saturating_add(1));
            let said = matches!(n.topic, Some(Topic::Extension(_))) && !n.meaning.is_empty();
            n.parent && n.depth > 0 && (long || said)
        };
        self.nodes.iter().enumerate().filter(folded).map(|(i, _)| i).collect()
    }

    /// Is the node folded?
    pub(crate) fn is_folded(&self, i: usize) -> bool {
        self.folded.contains(&i)
    }

    /// Folds or unfolds.
    pub(crate) fn fold(&mut self, i: usize, fold: bool) {
        if self.nodes.get(i).is_some_and(|n| n.parent) && fold {
            self.folded.insert(i);
        } else {
            self.folded.remove(&i);
        }
    }

    /// The node above, in the tree.
    pub(crate) fn parent_of(&self, i: usize) -> Option<usize> {
        let depth = self.nodes.get(i)?.depth;
        self.nodes.get(..i)?.iter().rposition(|n| n.depth < depth)
    }

    /// Nodes that show, in order.
    pub(crate) fn visible(&self) -> Vec<usize> {
        let mut out = Vec::new();
        let mut i = 0;
        while i < self.nodes.len() {
            out.push(i);
            i = if self.is_folded(i) { self.end_of(i) } else { i + 1 };
        }
        out
    }

    /// Chooses a node; what hides it is unfolded.
    pub(crate) fn choose(&mut self, i: usize) {
        self.field = i.min(self.nodes.len().saturating_sub(1));
        let mut up = self.field;
        while let Some(p) = self.parent_of(up) {
            self.folded.remove(&p);
            up = p;
        }
        self.follow = true;
    }

    /// The frame bytes of the chosen field.
    pub(crate) fn lit(&self) -> Vec<FrameSpan> {
        let Some(m) = self.message() else { return Vec::new() };
        let span = self.nodes.get(self.field).and_then(|n| n.span);
        span.map(|s| m.extents.resolve(s).collect()).unwrap_or_default()
    }

    /// The frames whose bytes are shown.
    pub(crate) fn frames(&self) -> Vec<FrameNo> {
        if let Some(m) = self.message() {
            let mut f = m.extents.frames().to_vec();
            if f.is_empty() {
                f.push(m.mark.frame);
            }
            return f;
        }
        match self.arrow_rung() {
            Some(Rung { kind: Kind::Arrow(a), frame, .. }) => match &a.what {
                What::Records(list) if !list.is_empty() => {
                    let mut f: Vec<FrameNo> = list.iter().map(|(f, _)| *f).collect();
                    f.dedup();
                    f
                }
                _ => frame.iter().copied().collect(),
            },
            _ => Vec::new(),
        }
    }

    /// The bytes pane as lines of `per` bytes.
    pub(crate) fn hex(&self, per: usize) -> Vec<HexLine> {
        let mut out = Vec::new();
        for f in self.frames() {
            out.push(HexLine::Head(f));
            let len = self.detail.frames.get(&f).map_or(0, |b| b.data.len());
            out.extend((0..len).step_by(per.max(1)).map(|at| HexLine::Bytes(f, at)));
        }
        out
    }

    /// The line of the first lit byte.
    pub(crate) fn lit_line(&self, per: usize) -> Option<usize> {
        let first = self.lit().into_iter().next()?;
        let at = first.off as usize;
        self.hex(per).iter().position(|l| matches!(l, HexLine::Bytes(f, o) if *f == first.frame && *o + per > at))
    }

    /// A byte was clicked: the smallest field around it.
    pub(crate) fn choose_byte(&mut self, frame: FrameNo, off: usize) -> bool {
        let Some(m) = self.message() else { return false };
        let run = m.extents.runs().iter().find(|e| {
            let from = e.from.off as usize;
            e.from.frame == frame && from <= off && off < from.saturating_add(e.from.len as usize)
        });
        let Some(e) = run else { return false };
        let at = (e.at as usize).saturating_add(off.saturating_sub(e.from.off as usize));
        let holds = |n: &Node| n.span.is_some_and(|s| s.at <= at && at < s.end());
        let best = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, n)| holds(n))
            .min_by_key(|(i, n)| (n.span.map_or(usize::MAX, |s| s.len), std::cmp::Reverse(n.depth), *i));
        let Some(i) = best.map(|(i, _)| i) else { return false };
        self.choose(i);
        self.follow = false;
        true
    }

    /// What the ladder's cursor is on.
    pub(crate) fn explain_rung(&self) -> Option<Text> {
        let r = self.rung()?;
        Some(match &r.kind {
            Kind::Arrow(a) => explain::arrow(a),
            Kind::Finding(n) => explain::finding(self.detail.report.diagnosis.findings.get(*n)?),
            Kind::Note(t) => Text { title: "note".into(), paragraphs: vec![(String::new(), t.clone())] },
        })
    }

    /// What the field tree's cursor is on: its own topic or the nearest one above, then its whole value and its bytes.
    pub(crate) fn explain_field(&self) -> Option<Text> {
        const BYTES: usize = 512;
        let mut i = self.field;
        let mut text = loop {
            match self.nodes.get(i).map(|n| n.topic) {
                Some(Some(t)) => break explain::topic(t),
                Some(None) => {}
                None => return self.explain_rung(),
            }
            match self.parent_of(i) {
                Some(p) => i = p,
                None => break self.explain_rung()?,
            }
        };
        if let Some(n) = self.nodes.get(self.field).filter(|_| self.message().is_some()) {
            text.paragraphs.push((n.name.clone(), n.meaning.clone()));
            if let (Some(s), Some(m)) = (n.span, self.message()) {
                let end = s.end().min(s.at.saturating_add(BYTES));
                let hex = m.bytes.get(s.at..end).map(crate::text::hex).unwrap_or_default();
                let more = if s.end() > end { "…" } else { "" };
                let heading = format!("Bytes {} to {} of the message", s.at, s.end().saturating_sub(1));
                text.paragraphs.push((heading, format!("{hex}{more}")));
            }
        }
        text.paragraphs.retain(|(_, t)| !t.is_empty());
        Some(text)
    }

    /// The chosen field as text.
    pub(crate) fn field_text(&self) -> Option<String> {
        let n = self.nodes.get(self.field)?;
        if !n.meaning.is_empty() {
            return Some(n.meaning.clone());
        }
        self.field_hex().or_else(|| Some(n.name.clone()))
    }

    /// Its bytes.
    pub(crate) fn field_hex(&self) -> Option<String> {
        let s = self.nodes.get(self.field)?.span?;
        self.message()?.bytes.get(s.at..s.end()).map(crate::text::hex)
    }

    /// The text of a rung, for search and copy.
    pub(crate) fn rung_text(&self, n: usize) -> String {
        match self.rungs.get(n).map(|r| &r.kind) {
            Some(Kind::Arrow(a)) => format!("{} {}", a.label, a.says),
            Some(Kind::Note(t)) => t.clone(),
            Some(Kind::Finding(i)) => self
                .detail
                .report
                .diagnosis
                .findings
                .get(*i)
                .map_or_else(String::new, |f| format!("{} {} {} {}", f.code, f.title, f.detail, f.remedy)),
            None => String::new(),
        }
    }
}

/// The name and value of a node in one line.
pub(crate) fn node_text(n: &Node) -> String {
    if n.meaning.is_empty() { n.name.clone() } else { format!("{}  {}", n.name, chrome::cut(&n.meaning, 2000)) }
}
