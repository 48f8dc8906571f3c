//! Every field of every message points at bytes of frames, and those bytes are the message's.

use std::path::{Path, PathBuf};

use tlscope::analyzer::{Analyzer, FlowRef, Options, detail};
use tlscope::capture::{self, Source};
use tlscope::span::Span;

fn captures(folder: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(folder);
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "pcapng" || e == "pcap" || e == "gz"))
        .collect();
    found.sort();
    found
}

#[test]
fn every_field_is_found_in_the_frames() {
    let mut fields = 0usize;
    let mut in_several_frames = 0usize;
    for path in ["good", "guide", "damaged", "alerts"].iter().flat_map(|f| captures(f)) {
        let mut file = capture::open(&path).unwrap();
        let mut analyzer = Analyzer::new(Options::default());
        analyzer.begin_source();
        while let Some(frame) = file.next_frame().unwrap() {
            analyzer.push(&frame);
        }
        let info = file.info().clone();
        analyzer.end_source(&info);
        for flow in analyzer.take_flows() {
            let f = &flow.facts;
            let (first, last) = (f.first.frame, f.last.frame);
            let which = FlowRef { id: f.id, ends: f.ends, first, last, siblings: f.siblings.clone() };
            let mut again = capture::open(&path).unwrap();
            let d = detail(&mut again, &which, &Options::default()).unwrap();
            assert_eq!(d.report.diagnosis.cause, flow.diagnosis.cause, "{}", path.display());
            for m in &d.messages {
                let whole = Span::new(0, m.bytes.len());
                for field in m.fields() {
                    fields += 1;
                    assert!(
                        field.span.end() <= whole.end(),
                        "{}: {} is outside of its message",
                        path.display(),
                        field.name
                    );
                    if m.ssl2 {
                        continue; // spans count from behind the record header
                    }
                    let places: Vec<_> = m.extents.resolve(field.span).collect();
                    let mut got: Vec<u8> = Vec::new();
                    for s in &places {
                        let frame = &d.frames[&s.frame];
                        got.extend(&frame.data[s.off as usize..(s.off + s.len) as usize]);
                    }
                    let want = &m.bytes[field.span.at..field.span.end()];
                    assert_eq!(got, want, "{}: {} of frame {}", path.display(), field.name, m.mark.frame);
                    let mut frames: Vec<_> = places.iter().map(|s| s.frame).collect();
                    frames.dedup();
                    in_several_frames += usize::from(frames.len() > 1);
                }
            }
        }
    }
    assert!(fields > 10_000, "only {fields} fields were looked at");
    assert!(in_several_frames > 10, "only {in_several_frames} fields lie in several frames");
}
