//! The fuzz targets' functions over a corpus: the committed captures, cut and bent in ways that a seed decides.

use std::path::{Path, PathBuf};

use tlscope::fuzzing;

fn corpus() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut folders = vec![root];
    let mut files = Vec::new();
    while let Some(dir) = folders.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "pcap" || e == "pcapng" || e == "gz") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// Deterministic noise (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }

    fn bend(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.next(8) {
            if bytes.is_empty() {
                return;
            }
            let at = self.next(bytes.len());
            match self.next(5) {
                0 => bytes[at] ^= 1 << self.next(8),
                1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][self.next(5)],
                2 => bytes.truncate(at.max(1)),
                3 => drop(bytes.drain(at..(at + self.next(40)).min(bytes.len()))),
                _ => {
                    let part: Vec<u8> = bytes[at..(at + self.next(200)).min(bytes.len())].to_vec();
                    let to = self.next(bytes.len());
                    bytes.splice(to..to, part);
                }
            }
        }
    }
}

#[test]
fn every_target_takes_every_corpus_file_and_bent_copies() {
    let targets: [(&str, fn(&[u8])); 6] = [
        ("capture", fuzzing::capture),
        ("packet", fuzzing::packet),
        ("stream", fuzzing::stream),
        ("handshake", fuzzing::handshake),
        ("certificate", fuzzing::certificate),
        ("connection", fuzzing::connection),
    ];
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let files = corpus();
    assert!(files.len() > 50, "only {} captures in testdata", files.len());
    for path in files {
        let bytes = std::fs::read(&path).unwrap();
        for (_, run) in targets {
            run(&bytes);
        }
        for _ in 0..8 {
            let mut bent = bytes.clone();
            noise.bend(&mut bent);
            fuzzing::capture(&bent);
            // The other targets meet the inside of a capture at any place.
            let at = noise.next(bent.len());
            for (_, run) in &targets[1..] {
                run(&bent[at..]);
            }
        }
    }
}
