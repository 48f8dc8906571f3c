//! A capture that ends early, or lacks a frame, accuses nobody of what it hides.

use std::collections::BTreeSet;
use std::fs::File;

use tlscope::analyzer::{Analyzer, FlowReport, Options};
use tlscope::capture::{CaptureFile, Frame, LinkType, Source as _};
use tlscope::diagnose::{Blame, Confidence, Finding, Severity};
use tlscope::facts::Outcome;
use tlscope::span::{FrameNo, Timestamp};
use tlscope::tls::names::AlertDescription;

use crate::support::{capture, goldens};

/// A frame that outlives its file.
struct Owned {
    time: Option<Timestamp>,
    link: LinkType,
    orig_len: u32,
    fcs_len: u8,
    data: Vec<u8>,
}

fn read(name: &str) -> Vec<Owned> {
    let mut file = CaptureFile::from_reader(File::open(capture(name)).unwrap(), name).unwrap();
    let mut out = Vec::new();
    while let Some(f) = file.next_frame().unwrap() {
        let data = f.data.to_vec();
        out.push(Owned { time: f.time, link: f.link, orig_len: f.orig_len, fcs_len: f.fcs_len, data });
    }
    out
}

/// The flows of some of the frames, which keep their numbers.
fn analyse<'a>(frames: impl Iterator<Item = (usize, &'a Owned)>) -> Vec<FlowReport> {
    let mut analyzer = Analyzer::new(Options::default());
    analyzer.begin_source();
    for (i, f) in frames {
        analyzer.push(&Frame {
            no: FrameNo(i as u64 + 1),
            time: f.time,
            link: f.link,
            interface: 0,
            orig_len: f.orig_len,
            fcs_len: f.fcs_len,
            data: &f.data,
        });
    }
    analyzer.end_source(&tlscope::report::unopened("cut", "made up"));
    analyzer.take_flows()
}

/// What a finding holds against a peer: a failure, for sure or not.
fn accuses(f: &Finding) -> bool {
    let peer = matches!(f.blame, Blame::Client | Blame::Server | Blame::Either);
    peer && f.severity == Severity::Error && f.explains_failure
}

fn accusations(flows: &[FlowReport]) -> BTreeSet<&'static str> {
    flows.iter().flat_map(|f| &f.diagnosis.findings).filter(|f| accuses(f)).map(|f| f.code).collect()
}

/// Statements marked certain, but for those about what the capture itself lacks.
fn certainties(flows: &[FlowReport]) -> BTreeSet<&'static str> {
    let sure = |f: &&Finding| f.confidence == Confidence::Certain && f.blame != Blame::Nobody && accuses(f);
    flows.iter().flat_map(|f| &f.diagnosis.findings).filter(sure).map(|f| f.code).collect()
}

/// General codes: they say how a connection ended or which alert was read, and a cut may take away the reason that the
/// whole shows.
fn is_general(code: &str) -> bool {
    let ends = ["fin-during-", "rst-during-", "alert-", "handshake-abandoned", "server-closed-after-client-hello"];
    let alert = AlertDescription::from_name(&code.replace('-', "_")).is_some();
    alert || ends.iter().any(|g| code.starts_with(g))
}

#[test]
fn a_cut_or_a_lost_frame_accuses_nobody_of_what_it_hides() {
    let mut wrong = Vec::new();
    for g in goldens() {
        let frames = read(&g.name);
        let whole = accusations(&g.report.flows);
        let sure = certainties(&g.report.flows);
        let worked = g.report.flows.iter().all(|f| f.diagnosis.outcome == Outcome::Established);
        let mut hold = |what: String, flows: &[FlowReport]| {
            let gained: Vec<_> = accusations(flows).difference(&whole).copied().collect();
            let general = gained.iter().all(|c| is_general(c));
            if !gained.is_empty() && (worked || !general) {
                wrong.push(format!("{} {what}: accuses by {gained:?}", g.name));
            }
            let gained: Vec<_> = certainties(flows).difference(&sure).copied().filter(|c| !is_general(c)).collect();
            if !gained.is_empty() {
                wrong.push(format!("{} {what}: is sure of {gained:?}", g.name));
            }
        };
        for n in 0..frames.len() {
            hold(format!("cut behind frame {}", n + 1), &analyse(frames.iter().enumerate().take(n + 1)));
            hold(format!("without frame {}", n + 1), &analyse(frames.iter().enumerate().filter(|(i, _)| *i != n)));
        }
    }
    assert!(wrong.is_empty(), "{} complaints:\n{}", wrong.len(), wrong.join("\n"));
}
