//! The library's front door: frames in, flows with their diagnoses out. Sans-IO, single-threaded, moved by frame times.
//!
//! ```no_run
//! use tlscope::analyzer::{Analyzer, Options};
//! use tlscope::capture::{self, Source};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut file = capture::open("capture.pcapng".as_ref())?;
//! let mut analyzer = Analyzer::new(Options::default());
//! analyzer.begin_source();
//! while let Some(frame) = file.next_frame()? {
//!     analyzer.push(&frame);
//!     for flow in analyzer.take_flows() {
//!         println!("{:?} {:?}", flow.diagnosis.outcome, flow.diagnosis.cause);
//!     }
//! }
//! analyzer.end_source(file.info());
//! for flow in analyzer.take_flows() {
//!     println!("{:?} {:?}", flow.diagnosis.outcome, flow.diagnosis.cause);
//! }
//! # Ok(()) }
//! ```

mod detail;
mod live;
mod open_flow;

use std::collections::BTreeMap;

use crate::capture::{Frame, LinkType, Problem, SourceInfo};
use crate::diagnose::{self, Diagnosis, Finding, Policy};
use crate::dns;
use crate::facts::FlowFacts;
use crate::flow::{Endpoint, Endpoints, FlowIndex, FlowKey, FlowTable, Holds, Mark};
use crate::limits;
use crate::packet::{Datagram, Decoder, IcmpUnreachable, Packet, Segment, Skip, TcpFlags};
use crate::redact::{Names, redact_source};
use crate::siblings::{ClockJump, Memory};
use crate::span::{FrameNo, Side, Timestamp};
use crate::x509;

pub use detail::{Detail, DetailError, FlowRef, FrameBytes, KeptMessage, detail};
use open_flow::{KeepNothing, OpenFlow};

/// What can be chosen.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What the rules are told.
    pub policy: Policy,
    /// The source is live: see [`Analyzer::tick`], [`Analyzer::take_decided`] and [`Analyzer::lost`].
    pub live: bool,
    /// Addresses and names are replaced before anything is said of a flow. What the policy decides by them is decided first.
    pub redact: bool,
}

/// A flow that has ended (or whose input has).
#[derive(Clone, Debug)]
pub struct FlowReport {
    /// What is known of it.
    pub facts: Box<FlowFacts>,
    /// What the rules say.
    pub diagnosis: Diagnosis,
}

/// What became of one input's frames.
#[derive(Clone, Debug)]
pub struct SourceReport {
    /// What the reader says: path, frames, times, damage.
    pub info: SourceInfo,
    /// Frames that held a TCP or UDP packet (or a fragment of one).
    pub decoded: u64,
    /// All other frames, by reason. `decoded` and these together are the frames.
    pub skipped: BTreeMap<&'static str, u64>,
    /// TCP connections seen, with or without TLS.
    pub tcp_connections: u64,
    /// Connections dropped, or reported before their handshake was decided, because too many were open.
    pub evicted: u64,
}

/// Takes frames, gives flows.
#[derive(Debug)]
pub struct Analyzer {
    options: Options,
    /// The policy as it was given: the one of the options names nobody where names are replaced.
    policy: Policy,
    names: Names,
    decoder: Decoder,
    table: FlowTable<OpenFlow>,
    certificates: x509::Cache,
    sources: Vec<SourceReport>,
    done: Vec<FlowReport>,
    next_id: u64,
    source: Option<usize>,
    decoded: u64,
    skipped: BTreeMap<&'static str, u64>,
    unsupported: Option<(LinkType, FrameNo)>,
    /// First packet that the snap length cut: frame, bytes kept, bytes on the wire.
    cut: Option<(FrameNo, usize, u32)>,
    connections: u64,
    evicted_before: u64,
    pending: usize,
    evicted_handshakes: u64,
    now: Timestamp,
    decided: live::Decided,
    losses: live::Losses,
    /// Time of the frame before.
    before: Option<Timestamp>,
    /// Flows of the present input: those of others may have the same addresses and be strangers.
    memory: Memory,
    /// What is true of flows of the inputs before, together.
    findings: Vec<Finding>,
    /// What the last frame was.
    last: live::Last,
    /// Ids of flows that ended without a report.
    silent: Vec<u64>,
    /// Flows still to be reported, the last one first, once the present input has ended.
    ending: Option<Vec<(u64, FlowIndex)>>,
}

impl Analyzer {
    /// An empty one.
    pub fn new(mut options: Options) -> Self {
        let policy = options.policy.clone();
        if options.redact {
            options.policy = policy.redacted();
        }
        Self {
            options,
            policy,
            names: Names::default(),
            decoder: Decoder::new(),
            table: FlowTable::default(),
            certificates: x509::Cache::new(),
            sources: Vec::new(),
            done: Vec::new(),
            next_id: 0,
            source: None,
            decoded: 0,
            skipped: BTreeMap::new(),
            unsupported: None,
            cut: None,
            connections: 0,
            evicted_before: 0,
            pending: 0,
            evicted_handshakes: 0,
            now: Timestamp(i64::MIN),
            decided: live::Decided::default(),
            losses: live::Losses::default(),
            before: None,
            memory: Memory::default(),
            findings: Vec::new(),
            last: live::Last::default(),
            silent: Vec::new(),
            ending: None,
        }
    }

    /// The next input begins; returns its index.
    pub fn begin_source(&mut self) -> usize {
        let index = self.sources.len();
        self.findings = self.findings();
        self.memory = Memory::default();
        // Fragments that wait for others do not wait for those of another input.
        self.decoder = Decoder::new();
        self.source = Some(index);
        self.now = Timestamp(i64::MIN);
        self.before = None;
        self.decoded = 0;
        self.skipped.clear();
        self.connections = 0;
        self.evicted_before = self.table.evicted();
        self.evicted_handshakes = 0;
        index
    }

    /// The next frame of the present input.
    pub fn push(&mut self, frame: &Frame<'_>) {
        // Frames without a time (Simple Packet Blocks) stand at the time of the one before.
        let time = frame.time.unwrap_or(if self.now.0 == i64::MIN { Timestamp(0) } else { self.now });
        if let Some(before) = self.before.replace(time).filter(|b| *b > time) {
            let back_ns = before.0.saturating_sub(time.0);
            self.memory.clock_back(ClockJump { frame: frame.no, back_ns, count: 1 });
        }
        self.last.clear();
        let mut decoder = std::mem::take(&mut self.decoder);
        match decoder.decode(frame) {
            Packet::Tcp(segment) => {
                self.decoded = self.decoded.saturating_add(1);
                if segment.wire_len as usize > segment.payload.len() {
                    self.cut.get_or_insert((frame.no, frame.data.len(), frame.orig_len));
                }
                self.segment(&segment, Mark { frame: frame.no, time });
            }
            Packet::Udp(d) => {
                self.decoded = self.decoded.saturating_add(1);
                self.datagram(&d, Mark { frame: frame.no, time });
            }
            Packet::IcmpUnreachable(icmp) => {
                self.decoded = self.decoded.saturating_add(1);
                self.unreachable(&icmp, Mark { frame: frame.no, time });
            }
            Packet::Skipped(why) => {
                self.last.is_fragment = why == Skip::FragmentHeld;
                if why == Skip::UnsupportedLink {
                    self.unsupported.get_or_insert((frame.link, frame.no));
                }
                let n = self.skipped.entry(why.reason()).or_insert(0);
                *n = n.saturating_add(1);
            }
        }
        self.decoder = decoder;
        self.advance(time);
    }

    /// Capture time has come to `to`: connections whose time is over are reported. A clock that runs backwards moves
    /// nothing.
    pub fn advance(&mut self, to: Timestamp) {
        self.now = self.now.max(to);
        let linger = if self.options.live { limits::LIVE_LINGER_NS } else { limits::CLOSED_LINGER_NS };
        // Of a live source the frames' own time counts here: the clock may run ahead of them (see [`Analyzer::tick`]).
        let now = if self.options.live { to } else { self.now };
        while let Some(i) = self.table.expired(now, linger) {
            self.end_flow(i, false);
        }
        self.park_idle();
    }

    /// While many flows hold a handshake, those that are idle are reported early; what remains of one is what it takes
    /// to know its later packets.
    fn park_idle(&mut self) {
        while self.table.holding_much() > limits::IDLE_FLOWS {
            let Some((i, idle)) = self.table.idle_holding_much(self.now) else { return };
            let pressed = self.table.holding_much() > limits::SPEECHES;
            if !pressed && idle <= limits::IDLE_COMPLETE_NS {
                return;
            }
            let Some(flow) = self.table.get_mut(i) else { return };
            let over = flow.is_complete();
            if !(pressed || over || idle > limits::IDLE_NS) {
                // Others behind it may be over.
                self.table.requeue(i);
                return;
            }
            flow.evicted = pressed && !over;
            self.evicted_handshakes = self.evicted_handshakes.saturating_add(u64::from(pressed && !over));
            self.park(i);
        }
    }

    /// Reports a flow as it stands; what remains of it in the table is what it takes to know its later packets.
    fn park(&mut self, i: FlowIndex) {
        let Some(flow) = self.table.get_mut(i) else { return };
        let (id, pending) = (flow.id, flow.pending_bytes());
        let facts = flow.park(&mut self.certificates);
        self.table.now_holds(i, Holds::Little);
        self.pending = self.pending.saturating_sub(pending);
        match facts {
            Some(mut facts) => {
                facts.packets_lost = self.losses.within(facts.first.time, facts.doubtful_until(self.now));
                self.report(facts);
            }
            None => self.in_silence(id),
        }
    }

    /// The present input has ended: some of the flows still open are reported, oldest first. True while there are more, so
    /// that whoever calls can take them meanwhile: a flood leaves a hundred thousand. Then comes [`Analyzer::end_source`].
    pub fn wind_up(&mut self, info: &SourceInfo) -> bool {
        let mut open = self.ending.take().unwrap_or_else(|| {
            let mut open: Vec<(u64, FlowIndex)> = Vec::with_capacity(self.table.len());
            self.table.for_each(|i, f| open.push((f.id, i)));
            open.sort_unstable_by(|a, b| b.cmp(a));
            open
        });
        for (_, i) in open.drain(open.len().saturating_sub(limits::WIND_UP_FLOWS)..).rev() {
            if let Some(f) = self.table.get_mut(i) {
                f.source_damaged = !info.complete;
            }
            self.end_flow(i, true);
        }
        let more = !open.is_empty();
        self.ending = more.then_some(open);
        more
    }

    /// The present input has ended: everything still open is reported.
    pub fn end_source(&mut self, info: &SourceInfo) {
        while self.wind_up(info) {}
        let whole = info.complete;
        let mut info = info.clone();
        if self.options.redact {
            redact_source(&mut info, self.sources.len().saturating_add(1));
        }
        let own = self.problems(&mut info.complete);
        // What broke the input off stays the last one, which is told on standard error.
        let at = info.problems.len().saturating_sub(usize::from(!whole));
        info.problems.splice(at..at, own);
        self.sources.push(SourceReport {
            info,
            decoded: self.decoded,
            skipped: std::mem::take(&mut self.skipped),
            tcp_connections: self.connections,
            evicted: self.table.evicted().saturating_sub(self.evicted_before).saturating_add(self.evicted_handshakes),
        });
        self.source = None;
    }

    /// What is to be said of the present input besides what its reader says; `complete` is whether it could be read.
    fn problems(&mut self, complete: &mut bool) -> Vec<Problem> {
        let mut out = Vec::new();
        let mut say = |frame, message| out.push(Problem { frame, offset: None, message });
        if let Some((link, frame)) = self.unsupported.take() {
            let all = self.decoded == 0 && self.skipped.len() == 1;
            *complete &= !all;
            let rest = if all { "; no frame could be decoded" } else { "" };
            say(
                Some(frame),
                format!(
                    "frame {frame}: link type {link} is not supported{rest}; capture on Ethernet or with a cooked link \
                     type (tcpdump -i any)"
                ),
            );
        }
        if let Some((frame, kept, whole)) = self.cut.take() {
            say(
                Some(frame),
                format!(
                    "packets were cut by the capture's snap length, the first in frame {frame} ({kept} of {whole} bytes \
                     kept): what they said is lost; capture with -s 0"
                ),
            );
        }
        self.decoder.fragments().problems().into_iter().for_each(|(frame, message)| say(frame, message));
        if self.names.is_full() {
            say(
                None,
                format!(
                    "there are more than {} addresses, or names, to be replaced: further ones have one replacement \
                     together, and what is said of them may mix several",
                    limits::RENAMED
                ),
            );
        }
        out
    }

    /// Flows reported since the last call, in the order in which they ended.
    pub fn take_flows(&mut self) -> Vec<FlowReport> {
        std::mem::take(&mut self.done)
    }

    /// True when [`Analyzer::take_flows`] would give any.
    pub fn has_flows(&self) -> bool {
        !self.done.is_empty()
    }

    /// What is true of several flows together, for one input after the other: asked for when the last one has ended.
    pub fn findings(&self) -> Vec<Finding> {
        let mut all = self.findings.clone();
        all.extend(diagnose::diagnose_capture(&self.memory, &self.options.policy));
        all
    }

    /// What became of the inputs so far.
    pub fn sources(&self) -> &[SourceReport] {
        &self.sources
    }

    /// The policy by which flows are judged as they are reported: without names where these are replaced.
    pub fn policy(&self) -> &Policy {
        &self.options.policy
    }

    /// What has been renamed so far, for what is said beside the flows.
    pub(crate) fn names(&mut self) -> &mut Names {
        &mut self.names
    }

    /// Frames decoded and TCP connections seen of the present input: for an empty screen.
    pub fn counts(&self) -> (u64, u64) {
        (self.decoded, self.connections)
    }

    fn segment(&mut self, seg: &Segment<'_>, mark: Mark) {
        let src = Endpoint { ip: seg.src, port: seg.src_port };
        let dst = Endpoint { ip: seg.dst, port: seg.dst_port };
        let (key, _) = FlowKey::new(src, dst);
        let mut found = self.table.find(&key, mark.time);
        if seg.flags.contains(TcpFlags::SYN)
            && !seg.flags.contains(TcpFlags::ACK)
            && let Some(i) = found
        {
            let again = self.table.get_mut(i).is_some_and(|f| f.is_reopened_by(src, seg.seq));
            if again {
                self.end_flow(i, false);
                found = None;
            }
        }
        let i = match found {
            Some(i) => i,
            None => {
                self.next_id = self.next_id.saturating_add(1);
                self.connections = self.connections.saturating_add(1);
                let ends = Endpoints { a: src, b: dst };
                let flow = OpenFlow::new(self.next_id, self.source.unwrap_or(0), ends, mark);
                let i = self.table.insert(key, flow, mark.time);
                if let Some(old) = self.table.overflow() {
                    if let Some(f) = self.table.get_mut(old) {
                        f.evicted = true;
                    }
                    self.end_flow(old, false);
                }
                i
            }
        };
        let Some(flow) = self.table.get_mut(i) else { return };
        let side = if key.is_loop() { flow.side_of_loop(seg) } else { flow.side_of(src) };
        let (before, was_wanted) = (flow.pending_bytes(), flow.is_wanted());
        flow.segment(side, seg, mark, &mut self.certificates, &mut KeepNothing);
        let after = flow.pending_bytes();
        let (closed, speaks) = (flow.is_closed(), flow.has_speech());
        if self.options.live {
            if flow.becomes_decided() {
                self.decided.push(mark.time, i, flow.id);
            }
            // Also the frame behind which no more are: it completes what they said.
            self.last.wanted = (was_wanted || flow.is_wanted()).then_some(flow.id);
            self.last.fragments.extend(seg.pieces.iter().map(|p| p.span.frame).filter(|no| *no != mark.frame));
        }
        self.pending = self.pending.saturating_sub(before).saturating_add(after);
        if closed {
            self.table.closing(i, mark.time);
        }
        if speaks {
            self.table.now_holds(i, Holds::Much);
        }
        self.relieve(i);
    }

    /// Of UDP, names that clients ask for are looked at.
    fn datagram(&mut self, d: &Datagram<'_>, mark: Mark) {
        let (client, server) = match (d.src_port, d.dst_port) {
            (_, dns::PORT) => (d.src, d.dst),
            (dns::PORT, _) => (d.dst, d.src),
            _ => return,
        };
        if let Some(mut message) = dns::decode(d.payload) {
            let [client, server] = match self.options.redact {
                true => self.names.redact_lookup([client, server], &mut message),
                false => [client, server],
            };
            self.memory.lookup(client, server, message, mark);
        }
    }

    /// An ICMP message is told to the connection whose packet it quotes.
    fn unreachable(&mut self, icmp: &IcmpUnreachable, mark: Mark) {
        let src = Endpoint { ip: icmp.src, port: icmp.src_port };
        let (key, _) = FlowKey::new(src, Endpoint { ip: icmp.dst, port: icmp.dst_port });
        if icmp.tcp
            && let Some(i) = self.table.find(&key, mark.time)
            && let Some(flow) = self.table.get_mut(i)
        {
            let ours = flow.unreachable(flow.side_of(src), icmp, mark);
            self.last.wanted = (ours && flow.is_wanted()).then_some(flow.id);
        }
    }

    /// Too much is held for out-of-order data of all flows together: this flow, which just added to it, gives up its hole.
    fn relieve(&mut self, i: FlowIndex) {
        if self.pending <= limits::PENDING_BYTES {
            return;
        }
        let Some(flow) = self.table.get_mut(i) else { return };
        let before = flow.pending_bytes();
        flow.release(&mut self.certificates);
        let (after, speaks) = (flow.pending_bytes(), flow.has_speech());
        self.pending = self.pending.saturating_sub(before).saturating_add(after);
        if speaks {
            self.table.now_holds(i, Holds::Much);
        }
    }

    /// Says nothing of who took part, where that is to be kept secret.
    fn redact(&mut self, facts: &mut FlowFacts) {
        if self.options.redact {
            facts.ruling = self.policy.ruling(facts);
            self.names.redact(facts);
        }
    }

    fn end_flow(&mut self, i: FlowIndex, by_end_of_input: bool) {
        let Some(flow) = self.table.remove(i) else { return };
        self.pending = self.pending.saturating_sub(flow.pending_bytes());
        let id = flow.id;
        match flow.finish(by_end_of_input, &mut self.certificates, &mut KeepNothing) {
            Some(mut facts) => {
                facts.packets_lost = self.losses.within(facts.first.time, facts.doubtful_until(self.now));
                self.report(facts);
            }
            None => self.in_silence(id),
        }
    }

    /// Diagnoses a flow that has ended, with what those before it say, and remembers it for those after it.
    fn report(&mut self, mut facts: Box<FlowFacts>) {
        self.redact(&mut facts);
        facts.siblings = self.memory.recall(&facts);
        self.memory.passed(&facts);
        let id = facts.id;
        let Some(r) = report(facts, &self.options.policy) else { return self.in_silence(id) };
        self.memory.remember(&r.facts, r.diagnosis.outcome, r.diagnosis.cause);
        self.done.push(r);
    }
}

/// A flow's report; `None` for a connection without TLS about which nothing was found.
fn report(mut facts: Box<FlowFacts>, policy: &Policy) -> Option<FlowReport> {
    facts.judge_at = policy.at;
    let diagnosis = diagnose::diagnose(&facts, policy);
    let worth_telling = facts.is_tls() || diagnosis.findings.iter().any(|f| f.explains_failure);
    worth_telling.then_some(FlowReport { facts, diagnosis })
}

/// Both roles a side can be found by: the one whose address it is.
pub(crate) fn side_of(ends: &Endpoints, src: Endpoint) -> Side {
    if src == ends.a { Side::A } else { Side::B }
}
