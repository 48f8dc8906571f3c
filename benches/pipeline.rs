//! What a frame costs on its way from a file to a report, on input made from the committed captures.
#![allow(clippy::expect_used, reason = "a benchmark that cannot start says so by a panic")]

use std::hint::black_box;
use std::io::Cursor;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tlscope::analyzer::{Analyzer, Options};
use tlscope::capture::{CaptureFile, Source as _};
use tlscope::packet::Decoder;
use tlscope::report;

/// A classic pcap file (Ethernet, ns) of many copies of the committed captures' connections, each with addresses of its own.
fn input(copies: u32) -> Vec<u8> {
    let mut out = vec![0x4d, 0x3c, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/good");
    let mut time = 1_780_000_000_000_000_000u64;
    for name in ["mtls-12.pcapng", "mtls-13.pcapng", "one-way-12.pcapng", "one-way-13.pcapng"] {
        let bytes = std::fs::read(dir.join(name)).expect("testdata is there");
        for copy in 0..copies {
            let mut file = CaptureFile::from_reader(Cursor::new(bytes.clone()), name).expect("a capture");
            while let Some(frame) = file.next_frame().expect("readable") {
                let mut data = frame.data.to_vec();
                // The last two bytes of both IPv4 addresses become the copy's number: a connection of its own.
                for at in [28, 32] {
                    data[at..at + 2].copy_from_slice(&(copy as u16).to_be_bytes());
                }
                time += 10_000;
                out.extend(((time / 1_000_000_000) as u32).to_le_bytes());
                out.extend(((time % 1_000_000_000) as u32).to_le_bytes());
                out.extend((data.len() as u32).to_le_bytes());
                out.extend(frame.orig_len.to_le_bytes());
                out.extend(data);
            }
        }
    }
    out
}

fn pipeline(c: &mut Criterion) {
    let bytes = input(500);
    let mut g = c.benchmark_group("pipeline");
    g.throughput(Throughput::Bytes(bytes.len() as u64)).sample_size(20);
    let open = || CaptureFile::from_reader(Cursor::new(bytes.clone()), "bench").expect("a capture");
    g.bench_function("read", |b| {
        b.iter(|| {
            let mut file = open();
            while let Some(frame) = file.next_frame().expect("readable") {
                black_box(frame.data.len());
            }
        });
    });
    g.bench_function("decode packets", |b| {
        b.iter(|| {
            let (mut file, mut decoder) = (open(), Decoder::new());
            while let Some(frame) = file.next_frame().expect("readable") {
                black_box(decoder.decode(&frame));
            }
        });
    });
    g.bench_function("analyse", |b| {
        b.iter(|| {
            let (mut file, mut analyzer) = (open(), Analyzer::new(Options::default()));
            analyzer.begin_source();
            while let Some(frame) = file.next_frame().expect("readable") {
                analyzer.push(&frame);
                black_box(analyzer.take_flows().len());
            }
            let info = file.info().clone();
            analyzer.end_source(&info);
            black_box(analyzer.take_flows().len())
        });
    });
    for format in report::FORMATS {
        g.bench_function(format!("report as {}", format.name), |b| {
            b.iter(|| {
                let (mut file, mut analyzer) = (open(), Analyzer::new(Options::default()));
                let mut out = std::io::sink();
                let mut writer = (format.make)(&mut out, &report::Options::default());
                writer.begin().expect("a sink");
                analyzer.begin_source();
                while let Some(frame) = file.next_frame().expect("readable") {
                    analyzer.push(&frame);
                    for flow in analyzer.take_flows() {
                        writer.flow(&flow).expect("a sink");
                    }
                }
                let info = file.info().clone();
                analyzer.end_source(&info);
                for flow in analyzer.take_flows() {
                    writer.flow(&flow).expect("a sink");
                }
                writer.finish(analyzer.sources(), &analyzer.findings()).expect("a sink");
            });
        });
    }
    g.finish();
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
