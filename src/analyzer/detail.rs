//! One flow once more, with everything kept: message bytes, where each came from, and the frames themselves.
//!
//! Lists of flows keep no payload; when somebody looks at one flow, the input is read again and only that flow's frames
//! are analysed. Its facts come out the same, because they depend on its own packets only and on what is handed in.

use std::collections::BTreeMap;

use super::open_flow::{Keep, OpenFlow};
use super::{FlowReport, Options, report, side_of};
use crate::capture::{self, Frame, Source};
use crate::facts::Siblings;
use crate::facts::{MessageFact, MessageKind};
use crate::flow::{Endpoint, Endpoints, FlowKey, Mark};
use crate::limits;
use crate::packet::{Decoder, Packet, Skip};
use crate::reader::Field;
use crate::span::{FrameNo, Side, Timestamp};
use crate::tls::handshake::Context;
use crate::tls::names::{AlertDescription, ContentType, HandshakeType};
use crate::tls::{self, Event, Extents};
use crate::x509;

/// Which flow of an input.
#[derive(Clone, Debug)]
pub struct FlowRef {
    /// Its id.
    pub id: u64,
    /// Its ends.
    pub ends: Endpoints,
    /// Its first packet.
    pub first: FrameNo,
    /// Its last packet.
    pub last: FrameNo,
    /// What flows before it say about it: they are not read again.
    pub siblings: Siblings,
}

/// A message with its bytes.
#[derive(Clone, Debug)]
pub struct KeptMessage {
    /// Who sent it.
    pub side: Side,
    /// When it was complete.
    pub mark: Mark,
    /// Type of the record.
    pub record: ContentType,
    /// Type of the handshake message, when it is one.
    pub kind: Option<HandshakeType>,
    /// Alert description, when it is an alert.
    pub alert: Option<AlertDescription>,
    /// It is an SSL 2.0 message.
    pub ssl2: bool,
    /// What the decoder was told.
    pub context: Context,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Where they came from.
    pub extents: Extents,
}

impl KeptMessage {
    /// Its fields, by the same decoder that made the facts.
    pub fn fields(&self) -> Vec<Field> {
        match self.record {
            ContentType::ALERT => tls::explain_alert(&self.bytes),
            _ => tls::explain(&self.bytes, &self.context, self.ssl2),
        }
    }
}

/// A frame as captured.
#[derive(Clone, Debug)]
pub struct FrameBytes {
    /// Its bytes.
    pub data: Vec<u8>,
    /// Length on the wire.
    pub orig_len: u32,
}

impl FrameBytes {
    fn of(frame: &Frame<'_>) -> Self {
        Self { data: frame.data.to_vec(), orig_len: frame.orig_len }
    }
}

/// A flow with its messages and frames.
#[derive(Debug)]
pub struct Detail {
    /// Facts and findings.
    pub report: FlowReport,
    /// Messages in clear, in wire order.
    pub messages: Vec<KeptMessage>,
    /// Its frames, capped.
    pub frames: BTreeMap<FrameNo, FrameBytes>,
    /// Frames beyond the cap.
    pub frames_omitted: u64,
}

impl Detail {
    /// For each of the facts' messages its place among the kept ones; `None` where its bytes are not at hand.
    pub fn kept(&self) -> Vec<Option<usize>> {
        let mut used = vec![false; self.messages.len()];
        let place = |m: &MessageFact| {
            let (n, taken) = self.messages.iter().zip(&mut used).enumerate().find_map(|(n, (k, taken))| {
                let found = !*taken && k.mark.frame == m.mark.frame && k.side == m.side && same(m, k.kind, k.alert);
                found.then_some((n, taken))
            })?;
            *taken = true;
            Some(n)
        };
        self.report.facts.messages.iter().map(place).collect()
    }
}

fn same(m: &MessageFact, kind: Option<HandshakeType>, alert: Option<AlertDescription>) -> bool {
    match m.kind {
        MessageKind::Handshake(t) => kind == Some(t),
        MessageKind::HelloRetryRequest => {
            matches!(kind, Some(HandshakeType::SERVER_HELLO | HandshakeType::HELLO_RETRY_REQUEST))
        }
        MessageKind::Ssl2ClientHello | MessageKind::Ssl2ServerHello => kind.is_some(),
        MessageKind::Alert(_, d) => d.is_some() && alert == d,
        _ => false,
    }
}

/// Why a flow could not be shown again.
#[derive(Debug, thiserror::Error)]
pub enum DetailError {
    /// The input could not be read again.
    #[error(transparent)]
    Capture(#[from] capture::Error),
    /// The flow is not there any more: the input has changed.
    #[error("the capture has changed since it was read: flow {0} is not in it any more; open it again")]
    Gone(u64),
}

#[derive(Default)]
struct Keeper {
    messages: Vec<KeptMessage>,
    bytes: usize,
}

impl Keeper {
    fn add(&mut self, m: KeptMessage) {
        let bytes = self.bytes.saturating_add(m.bytes.len());
        if self.messages.len() < limits::MESSAGES_PER_FLOW && bytes <= limits::DETAIL_BYTES {
            self.bytes = bytes;
            self.messages.push(m);
        }
    }
}

impl Keep for Keeper {
    fn keep(&mut self, side: Side, event: &Event<'_>) {
        match event {
            Event::Message(m) => self.add(KeptMessage {
                side,
                mark: m.mark,
                record: ContentType::HANDSHAKE,
                kind: Some(m.kind),
                alert: None,
                ssl2: m.ssl2,
                context: m.context,
                bytes: m.bytes.to_vec(),
                extents: m.extents.clone(),
            }),
            Event::Alert(level, description, mark, extents) => self.add(KeptMessage {
                side,
                mark: *mark,
                record: ContentType::ALERT,
                kind: None,
                alert: Some(*description),
                ssl2: false,
                context: Context::default(),
                bytes: vec![level.0, description.0],
                extents: (*extents).clone(),
            }),
            _ => {}
        }
    }
}

/// Reads `source` once more for one flow. Stops behind its last packet.
///
/// # Errors
/// When the input cannot be read, or the flow is not in it.
pub fn detail(source: &mut dyn Source, which: &FlowRef, options: &Options) -> Result<Detail, DetailError> {
    let (key, _) = FlowKey::new(which.ends.a, which.ends.b);
    let mut decoder = Decoder::new();
    let mut certificates = x509::Cache::new();
    let mut keeper = Keeper::default();
    let mut flow: Option<OpenFlow> = None;
    let mut frames = BTreeMap::new();
    let mut fragments: BTreeMap<FrameNo, FrameBytes> = BTreeMap::new();
    let (mut held, mut omitted) = (0usize, 0u64);
    let mut before = Timestamp(0);
    let mut ended = true;
    while let Some(frame) = source.next_frame()? {
        if frame.no > which.last {
            ended = false;
            break;
        }
        let time = frame.time.unwrap_or(before);
        before = before.max(time);
        let mark = Mark { frame: frame.no, time };
        let of_flow = |src: Endpoint, dst: Endpoint| frame.no >= which.first && FlowKey::new(src, dst).0 == key;
        let seg = match decoder.decode(&frame) {
            Packet::Tcp(seg) => seg,
            Packet::IcmpUnreachable(icmp) => {
                let src = Endpoint { ip: icmp.src, port: icmp.src_port };
                let dst = Endpoint { ip: icmp.dst, port: icmp.dst_port };
                let side = side_of(&which.ends, src);
                if icmp.tcp
                    && of_flow(src, dst)
                    && flow.as_mut().is_some_and(|f| f.unreachable(side, &icmp, mark))
                    && frames.len() < limits::DETAIL_FRAMES
                {
                    frames.insert(frame.no, FrameBytes::of(&frame));
                }
                continue;
            }
            // It may turn out to be a part of this flow when its last fragment comes.
            Packet::Skipped(Skip::FragmentHeld) => {
                if fragments.len() < limits::FRAGMENT_DATAGRAMS {
                    fragments.insert(frame.no, FrameBytes::of(&frame));
                }
                continue;
            }
            _ => continue,
        };
        let src = Endpoint { ip: seg.src, port: seg.src_port };
        let dst = Endpoint { ip: seg.dst, port: seg.dst_port };
        if !of_flow(src, dst) {
            continue;
        }
        let ends = Endpoints { a: src, b: dst };
        let f = flow.get_or_insert_with(|| OpenFlow::new(which.id, 0, ends, mark));
        f.segment(side_of(&which.ends, src), &seg, mark, &mut certificates, &mut keeper);
        held = held.saturating_add(frame.data.len());
        if frames.len() < limits::DETAIL_FRAMES && held <= limits::DETAIL_BYTES {
            frames.insert(frame.no, FrameBytes::of(&frame));
            for p in seg.pieces {
                match fragments.remove_entry(&p.span.frame) {
                    Some((no, earlier)) => drop(frames.insert(no, earlier)),
                    None if !frames.contains_key(&p.span.frame) => omitted = omitted.saturating_add(1),
                    None => {}
                }
            }
        } else {
            omitted = omitted.saturating_add(1);
        }
    }
    let gone = DetailError::Gone(which.id);
    let Some(mut facts) = flow.and_then(|f| f.finish(ended, &mut certificates, &mut keeper)) else { return Err(gone) };
    facts.siblings = which.siblings.clone();
    let Some(report) = report(facts, &options.policy) else { return Err(gone) };
    keeper.messages.sort_by_key(|m| m.mark.frame);
    Ok(Detail { report, messages: keeper.messages, frames, frames_omitted: omitted })
}
