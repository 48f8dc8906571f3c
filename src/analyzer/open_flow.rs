//! One connection while it lives: transport, TLS session and facts together.

use super::side_of;
use crate::facts::{Collector, FlowFacts};
use crate::flow::{Connection, Endpoint, Endpoints, Mark, Payload, StreamEvent};
use crate::limits;
use crate::packet::{IcmpUnreachable, Segment};
use crate::span::{Pair, Side};
use crate::tls::{Event, Events, Session};
use crate::x509;

/// Who wants to keep the messages' bytes (the UI, for one flow).
pub(crate) trait Keep {
    /// Takes an event before it is folded into facts.
    fn keep(&mut self, side: Side, event: &Event<'_>);
}

/// Nobody does.
pub(crate) struct KeepNothing;

impl Keep for KeepNothing {
    fn keep(&mut self, _: Side, _: &Event<'_>) {}
}

/// TLS state and facts, made with the first payload.
#[derive(Debug)]
struct Speech {
    session: Session,
    facts: Box<FlowFacts>,
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct OpenFlow {
    pub(crate) id: u64,
    source: usize,
    conn: Connection,
    first: Mark,
    last: Mark,
    speech: Option<Box<Speech>>,
    /// Neither side speaks TLS: only the transport is looked at.
    not_tls: bool,
    /// Was reported while it was idle; only its end is waited for.
    parked: bool,
    /// It was found to be decided: see [`OpenFlow::becomes_decided`].
    decided: bool,
    pub(crate) evicted: bool,
    pub(crate) source_damaged: bool,
}

impl OpenFlow {
    pub(crate) fn new(id: u64, source: usize, ends: Endpoints, first: Mark) -> Self {
        Self {
            id,
            source,
            conn: Connection::new(ends),
            first,
            last: first,
            speech: None,
            not_tls: false,
            parked: false,
            decided: false,
            evicted: false,
            source_damaged: false,
        }
    }

    pub(crate) fn side_of(&self, src: Endpoint) -> Side {
        side_of(&self.conn.ends, src)
    }

    /// Source and destination are the same: the sequence numbers tell the two directions apart, as far as anything does.
    pub(crate) fn side_of_loop(&self, _seg: &Segment<'_>) -> Side {
        Side::A
    }

    pub(crate) fn is_reopened_by(&self, src: Endpoint, isn: u32) -> bool {
        self.conn.is_reopened_by(self.side_of(src), isn)
    }

    pub(crate) fn pending_bytes(&self) -> usize {
        let held = self.speech.as_ref().map_or(0, |s| s.session.held_bytes());
        self.conn.pending_bytes().saturating_add(held)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.conn.is_closed()
    }

    pub(crate) fn segment(
        &mut self,
        side: Side,
        seg: &Segment<'_>,
        mark: Mark,
        certificates: &mut x509::Cache,
        keep: &mut impl Keep,
    ) {
        self.last = mark;
        let (id, source, first, ends) = (self.id, self.source, self.first, self.conn.ends);
        let speech = &mut self.speech;
        let opened = |side| self.conn.facts.syn[side].is_some() || self.conn.facts.syn_ack[side].is_some();
        let start_seen = Pair::new(opened(Side::A), opened(Side::B));
        self.conn.segment(side, seg, mark, |side, event| {
            let s = speech.get_or_insert_with(|| {
                Box::new(Speech {
                    session: Session::default(),
                    facts: Box::new(FlowFacts::new(id, source, ends, first)),
                })
            });
            s.take(side, event, !start_seen[side], certificates, keep);
        });
        let Some(s) = self.speech.as_ref() else { return };
        if !self.not_tls && s.session.is_not_tls() {
            self.not_tls = true;
            self.conn.ignore_payload();
        }
        if s.facts.is_complete() {
            self.conn.forget_history();
        }
    }

    /// An ICMP message about a packet of `side`. True when it belongs to this connection.
    pub(crate) fn unreachable(&mut self, side: Side, icmp: &IcmpUnreachable, mark: Mark) -> bool {
        let ours = self.conn.unreachable(side, icmp, mark);
        if ours {
            self.last = mark;
        }
        ours
    }

    /// It holds TLS state.
    pub(crate) fn has_speech(&self) -> bool {
        self.speech.is_some()
    }

    /// The handshake is over.
    pub(crate) fn is_complete(&self) -> bool {
        self.speech.as_ref().is_some_and(|s| s.facts.is_complete())
    }

    /// True once: when its handshake is over or was refused.
    pub(crate) fn becomes_decided(&mut self) -> bool {
        let Some(s) = self.speech.as_ref().filter(|_| !self.decided) else { return false };
        let refused = !s.facts.alerts.is_empty() && s.facts.fatal_alert().is_some();
        self.decided = refused || s.facts.is_complete();
        self.decided
    }

    /// Its frames still say something about its handshake.
    pub(crate) fn is_wanted(&self) -> bool {
        match &self.speech {
            _ if self.parked => false,
            Some(s) if !self.not_tls => !s.facts.is_complete() || s.facts.shapes.len() < limits::SHAPES_PER_FLOW,
            _ => self.conn.facts.packets.iter().sum::<u64>() <= limits::PLAIN_FRAMES,
        }
    }

    /// What is known of it while it goes on.
    pub(crate) fn as_it_stands(&self) -> Option<Box<FlowFacts>> {
        let mut facts = self.speech.as_ref()?.facts.clone();
        facts.update_transport(&self.conn, self.last);
        facts.cut_by_end = true;
        facts.is_open = true;
        facts.close();
        Some(facts)
    }

    /// Reports the flow as it stands and forgets everything but the transport.
    pub(crate) fn park(&mut self, certificates: &mut x509::Cache) -> Option<Box<FlowFacts>> {
        let flow = std::mem::replace(self, Self::new(self.id, self.source, self.conn.ends, self.first));
        self.conn.facts.clone_from(&flow.conn.facts);
        self.last = flow.last;
        self.conn.ignore_payload();
        self.not_tls = true;
        self.parked = true;
        flow.finish(true, certificates, &mut KeepNothing)
    }

    pub(crate) fn release(&mut self, certificates: &mut x509::Cache) {
        let Some(s) = self.speech.as_mut() else { return };
        self.conn.release(|side, event| s.take(side, event, true, certificates, &mut KeepNothing));
        s.session.release();
    }

    /// The connection is over: what is known of it. `None` when there is nothing to say (no payload, no handshake).
    pub(crate) fn finish(
        mut self,
        by_end_of_input: bool,
        certificates: &mut x509::Cache,
        keep: &mut impl Keep,
    ) -> Option<Box<FlowFacts>> {
        let (id, source, first, ends) = (self.id, self.source, self.first, self.conn.ends);
        let speech = &mut self.speech;
        self.conn.finish(|side, event| {
            let s = speech.get_or_insert_with(|| {
                Box::new(Speech {
                    session: Session::default(),
                    facts: Box::new(FlowFacts::new(id, source, ends, first)),
                })
            });
            s.take(side, event, true, certificates, keep);
        });
        if self.parked {
            return None;
        }
        let mut facts = match self.speech {
            Some(mut s) => {
                for side in [Side::A, Side::B] {
                    let mut out = Collector { facts: &mut s.facts, certificates };
                    s.session.end(side, self.last, &mut out);
                }
                s.facts
            }
            None => Box::new(FlowFacts::new(id, source, ends, first)),
        };
        facts.update_transport(&self.conn, self.last);
        facts.cut_by_end = by_end_of_input && !self.conn.is_closed();
        facts.source_damaged = self.source_damaged;
        facts.evicted = self.evicted;
        facts.close();
        crate::inference::apply(&mut facts);
        Some(facts)
    }
}

impl Speech {
    fn take(
        &mut self,
        side: Side,
        event: StreamEvent<'_>,
        mid_stream: bool,
        certificates: &mut x509::Cache,
        keep: &mut impl Keep,
    ) {
        let mut out = Tee { to: Collector { facts: &mut self.facts, certificates }, keep };
        match event {
            StreamEvent::Data(p) => {
                if mid_stream && out.to.facts.sides[side].start.is_none() {
                    out.to.facts.sides[side].mid_stream = true;
                }
                if out.to.facts.first_bytes == 0 {
                    out.to.facts.first_bytes = fnv1a(&p);
                }
                self.session.data(side, p, mid_stream, &mut out);
            }
            StreamEvent::Gap(gap) => self.session.gap(side, gap, &mut out),
        }
    }
}

/// FNV-1a over the beginning of the first payload: an identity, not a defence.
fn fnv1a(p: &Payload<'_>) -> u64 {
    let bytes = p.bytes.get(..limits::UID_BYTES).unwrap_or(p.bytes);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

struct Tee<'a, 'k, K> {
    to: Collector<'a>,
    keep: &'k mut K,
}

impl<K: Keep> Events for Tee<'_, '_, K> {
    fn event(&mut self, side: Side, event: Event<'_>) {
        self.keep.keep(side, &event);
        self.to.event(side, event);
    }
}
