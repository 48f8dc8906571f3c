//! Whole captures through the front door: made by hand, cut at every byte, compressed, given in drips, mutated.

use std::io::{self, Read, Write};
use std::path::Path;

use super::*;
use crate::limits;

/// Writes numbers in one byte order.
#[derive(Clone, Copy)]
struct Put {
    big: bool,
}

impl Put {
    fn u16(self, v: u16) -> Vec<u8> {
        if self.big { v.to_be_bytes().to_vec() } else { v.to_le_bytes().to_vec() }
    }

    fn u32(self, v: u32) -> Vec<u8> {
        if self.big { v.to_be_bytes().to_vec() } else { v.to_le_bytes().to_vec() }
    }

    fn u64(self, v: u64) -> Vec<u8> {
        if self.big { v.to_be_bytes().to_vec() } else { v.to_le_bytes().to_vec() }
    }

    fn pcap_header(self, magic: u32, snap_len: u32, link: u32) -> Vec<u8> {
        [self.u32(magic), self.u16(2), self.u16(4), self.u32(0), self.u32(0), self.u32(snap_len), self.u32(link)]
            .concat()
    }

    fn record(self, seconds: u32, fraction: u32, orig_len: u32, data: &[u8]) -> Vec<u8> {
        let len = u32::try_from(data.len()).unwrap();
        [self.u32(seconds), self.u32(fraction), self.u32(len), self.u32(orig_len), data.to_vec()].concat()
    }

    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padded = body.len().next_multiple_of(4);
        let len = self.u32(u32::try_from(padded + 12).unwrap());
        let pad = vec![0; padded - body.len()];
        [self.u32(kind), len.clone(), body.to_vec(), pad, len].concat()
    }

    fn section(self) -> Vec<u8> {
        self.block(0x0a0d_0d0a, &[self.u32(0x1a2b_3c4d), self.u16(1), self.u16(0), self.u64(u64::MAX)].concat())
    }

    fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let pad = vec![0; value.len().next_multiple_of(4) - value.len()];
        [self.u16(code), self.u16(u16::try_from(value.len()).unwrap()), value.to_vec(), pad].concat()
    }

    fn interface(self, link: u16, snap_len: u32, options: &[u8]) -> Vec<u8> {
        self.block(1, &[self.u16(link), self.u16(0), self.u32(snap_len), options.to_vec()].concat())
    }

    fn enhanced(self, interface: u32, ticks: u64, orig_len: u32, data: &[u8], options: &[u8]) -> Vec<u8> {
        let pad = vec![0; data.len().next_multiple_of(4) - data.len()];
        let (high, low) = ((ticks >> 32) as u32, ticks as u32);
        let head = [interface, high, low, u32::try_from(data.len()).unwrap(), orig_len].map(|v| self.u32(v)).concat();
        self.block(6, &[head, data.to_vec(), pad, options.to_vec()].concat())
    }

    fn obsolete(self, interface: u16, ticks: u64, data: &[u8]) -> Vec<u8> {
        let len = u32::try_from(data.len()).unwrap();
        let times = [self.u32((ticks >> 32) as u32), self.u32(ticks as u32)].concat();
        let head = [self.u16(interface), self.u16(0xffff), times, self.u32(len), self.u32(len)].concat();
        self.block(2, &[head, data.to_vec()].concat())
    }
}

const LITTLE: Put = Put { big: false };
const BIG: Put = Put { big: true };

/// A frame that outlives its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Own {
    no: u64,
    time: Option<i64>,
    link: u16,
    interface: u32,
    orig_len: u32,
    fcs_len: u8,
    data: Vec<u8>,
}

fn read_from(reader: impl Read + Send + 'static) -> Result<(Vec<Own>, SourceInfo, Vec<Secrets>), Error> {
    let mut capture = CaptureFile::from_reader(reader, "test")?;
    let mut frames = Vec::new();
    while let Some(f) = capture.next_frame()? {
        frames.push(Own {
            no: f.no.0,
            time: f.time.map(|t| t.0),
            link: f.link.0,
            interface: f.interface,
            orig_len: f.orig_len,
            fcs_len: f.fcs_len,
            data: f.data.to_vec(),
        });
    }
    assert!(capture.next_frame()?.is_none());
    assert_eq!(capture.info().frames, frames.len() as u64);
    assert_eq!(capture.info().bytes, frames.iter().map(|f| f.data.len() as u64).sum::<u64>());
    assert!(capture.info().problems.len() <= limits::PROBLEMS);
    assert!(capture.info().complete || !capture.info().problems.is_empty());
    let secrets = capture.take_secrets();
    Ok((frames, capture.info().clone(), secrets))
}

fn read(bytes: &[u8]) -> Result<(Vec<Own>, SourceInfo, Vec<Secrets>), Error> {
    read_from(io::Cursor::new(bytes.to_vec()))
}

/// Gives `step` bytes at a time.
struct Drip(io::Cursor<Vec<u8>>, usize);

impl Read for Drip {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = out.len().min(self.1);
        self.0.read(&mut out[..n])
    }
}

fn sample_pcap(put: Put, magic: u32) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = put.pcap_header(magic, 65535, 1);
    let mut ends = vec![bytes.len()];
    for (i, data) in [&b"first frame"[..], b"", b"third, longer than the others"].into_iter().enumerate() {
        bytes.extend(put.record(1_700_000_000 + i as u32, 5, data.len() as u32 + 1, data));
        ends.push(bytes.len());
    }
    (bytes, ends)
}

fn sample_pcapng() -> (Vec<u8>, Vec<usize>, Vec<usize>) {
    let parts = [
        (LITTLE.section(), 0),
        (LITTLE.interface(1, 0, &LITTLE.option(9, &[9])), 0),
        (LITTLE.interface(101, 5, &[LITTLE.option(14, &LITTLE.u64(10)), LITTLE.option(0, &[])].concat()), 0),
        (LITTLE.block(0xbad, b"custom"), 0),
        (LITTLE.enhanced(0, 1_700_000_000_123_456_789, 60, b"enhanced", &[]), 1),
        (LITTLE.obsolete(1, 7_000_001, b"obsolete"), 1),
        (LITTLE.block(3, &[LITTLE.u32(3), b"abc".to_vec()].concat()), 1),
        (BIG.section(), 0),
        (BIG.interface(113, 0, &BIG.option(9, &[0x80 | 10])), 0),
        (BIG.block(0x0a, &[BIG.u32(0x544c_534b), BIG.u32(5), b"CLIEN".to_vec()].concat()), 0),
        (BIG.enhanced(0, (1_700_000_000 << 10) + 512, 4, b"four", &BIG.option(2, &BIG.u32(2 << 5))), 1),
        (BIG.block(5, &[BIG.u32(0), BIG.u64(0), BIG.option(5, &BIG.u64(42))].concat()), 0),
    ];
    let (mut bytes, mut ends, mut frames) = (Vec::new(), Vec::new(), Vec::new());
    for (part, frame) in parts {
        bytes.extend(part);
        ends.push(bytes.len());
        frames.push(frames.last().copied().unwrap_or(0) + frame);
    }
    (bytes, ends, frames)
}

#[test]
fn pcap_in_all_variants() {
    for put in [LITTLE, BIG] {
        for (magic, unit) in [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1)] {
            let (frames, info, _) = read(&sample_pcap(put, magic).0).unwrap();
            assert_eq!(frames.len(), 3);
            let third = Own {
                no: 3,
                time: Some(1_700_000_002_000_000_000 + 5 * unit),
                link: 1,
                interface: 0,
                orig_len: 30,
                fcs_len: 0,
                data: b"third, longer than the others".to_vec(),
            };
            assert_eq!(frames[2], third);
            assert!(info.complete && info.problems.is_empty());
            assert_eq!((info.format, info.interfaces, info.snap_len), (Some(Format::Pcap), 1, 65535));
            assert_eq!(info.first_time, frames[0].time.map(Timestamp));
            assert_eq!(info.last_time, frames[2].time.map(Timestamp));
        }
        let mut modified = put.pcap_header(0xa1b2_cd34, 65535, 1);
        for i in 0..2 {
            let record = put.record(1, i, 2, b"ab");
            modified.extend_from_slice(&record[..16]);
            modified.extend([put.u32(7), put.u16(0x800), vec![0, 0], b"ab".to_vec()].concat());
        }
        let (frames, info, _) = read(&modified).unwrap();
        assert_eq!((frames.len(), frames[1].interface, &frames[1].data[..]), (2, 7, &b"ab"[..]));
        assert!(info.complete);
    }
}

#[test]
fn pcap_cut_at_every_byte() {
    for put in [LITTLE, BIG] {
        let (bytes, ends) = sample_pcap(put, 0xa1b2_c3d4);
        for n in 0..=bytes.len() {
            if n < ends[0] {
                assert!(read(&bytes[..n]).is_err(), "{n}");
                continue;
            }
            let (frames, info, _) = read(&bytes[..n]).unwrap();
            let whole = ends.iter().filter(|end| **end <= n).count() - 1;
            assert_eq!(frames.len(), whole, "{n}");
            assert_eq!(info.complete, ends.contains(&n), "{n}");
            if !info.complete {
                assert_eq!(info.problems.len(), 1);
                assert_eq!(info.problems[0].frame, Some(FrameNo(whole as u64 + 1)));
                assert_eq!(info.problems[0].offset, Some(ends[whole] as u64));
                assert!(info.problems[0].message.contains(&format!("frame {} at byte {}", whole + 1, ends[whole])));
            }
        }
    }
}

#[test]
fn pcapng_in_all_variants() {
    let (bytes, ..) = sample_pcapng();
    let (frames, info, secrets) = read(&bytes).unwrap();
    let frame = |no, time, link, interface, orig_len, fcs_len, data: &[u8]| Own {
        no,
        time,
        link,
        interface,
        orig_len,
        fcs_len,
        data: data.to_vec(),
    };
    assert_eq!(
        frames,
        [
            frame(1, Some(1_700_000_000_123_456_789), 1, 0, 60, 0, b"enhanced"),
            frame(2, Some(17_000_001_000), 101, 1, 8, 0, b"obsolete"),
            frame(3, None, 1, 0, 3, 0, b"abc"),
            frame(4, Some(1_700_000_000_500_000_000), 113, 2, 4, 2, b"four"),
        ]
    );
    assert!(info.complete && info.problems.is_empty(), "{info:?}");
    assert_eq!((info.interfaces, info.dropped, info.skipped), (3, Some(42), 0));
    assert_eq!(secrets.len(), 1);
    assert_eq!(secrets[0].as_bytes(), b"CLIEN");
    assert!(!format!("{secrets:?}").contains("CLIEN"));
}

#[test]
fn pcapng_cut_at_every_byte() {
    let (bytes, ends, counts) = sample_pcapng();
    for n in 0..=bytes.len() {
        let Some(block) = ends.iter().rposition(|end| *end <= n) else {
            assert!(read(&bytes[..n]).is_err(), "{n}");
            continue;
        };
        let (frames, info, _) = read(&bytes[..n]).unwrap();
        assert_eq!(frames.len(), counts[block], "{n}");
        assert_eq!(info.complete, ends.contains(&n), "{n}");
        if !info.complete {
            assert_eq!(info.problems[0].offset, Some(ends[block] as u64), "{n}");
        }
    }
}

#[test]
fn drips_give_the_same_frames() {
    for bytes in [sample_pcap(LITTLE, 0xa1b2_c3d4).0, sample_pcapng().0, gzip(&sample_pcapng().0)] {
        let want = read(&bytes).unwrap();
        for step in [1, 2, 3, 7, 13] {
            assert_eq!(read_from(Drip(io::Cursor::new(bytes.clone()), step)).unwrap(), want);
        }
    }
}

#[test]
fn frames_across_the_buffers_edge() {
    let mut bytes = LITTLE.pcap_header(0xa1b2_c3d4, 0, 1);
    let mut want = Vec::new();
    for i in 0..3000u32 {
        let len = if i % 500 == 7 { limits::FRAME_BYTES } else { (i * 7919 % 3000) as usize };
        let data = vec![(i % 256) as u8; len];
        bytes.extend(LITTLE.record(i, 0, len as u32, &data));
        want.push((len, (i % 256) as u8));
    }
    let (frames, info, _) = read(&bytes).unwrap();
    assert!(info.complete);
    assert_eq!(frames.len(), want.len());
    for (f, (len, value)) in frames.iter().zip(want) {
        assert!(f.data.len() == len && f.data.iter().all(|b| *b == value));
    }
}

#[test]
fn fcs_is_told_and_shrinks_with_the_cut() {
    // draft-ietf-opsawg-pcap: present bit, and the length in units of 16 bits in the highest four.
    let mut bytes = LITTLE.pcap_header(0xa1b2_c3d4, 0, 0x2400_0001);
    for orig_len in [8, 10, 12, 13] {
        bytes.extend(LITTLE.record(0, 0, orig_len, b"8 bytes."));
    }
    let (frames, info, _) = read(&bytes).unwrap();
    assert_eq!(frames.iter().map(|f| (f.link, f.fcs_len)).collect::<Vec<_>>(), [(1, 4), (1, 2), (1, 0), (1, 0)]);
    assert!(info.complete);
}

#[test]
fn impossible_lengths_stop_a_pcap() {
    let (bytes, ends) = sample_pcap(LITTLE, 0xa1b2_c3d4);
    for len in [262_145u32, limits::FRAME_BYTES as u32 + 1, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        let mut bad = bytes.clone();
        bad[ends[1] + 8..ends[1] + 12].copy_from_slice(&len.to_le_bytes());
        let (frames, info, _) = read(&bad).unwrap();
        assert_eq!((frames.len(), info.complete), (1, false));
        assert_eq!(info.problems[0].offset, Some(ends[1] as u64));
    }
}

#[test]
fn oddities_are_noted_once_and_leave_it_complete() {
    let mut bytes = LITTLE.pcap_header(0xa1b2_c3d4, 0, 1);
    for _ in 0..3 {
        bytes.extend(LITTLE.record(9, 4_000_000_000, 1, b"more than one"));
    }
    let (frames, info, _) = read(&bytes).unwrap();
    assert_eq!((frames.len(), info.problems.len(), info.complete), (3, 2, true));
    assert_eq!((frames[0].time, frames[0].orig_len), (Some(9_999_999_000), 13));
    bytes[4] = 99;
    let (_, info, _) = read(&bytes).unwrap();
    assert!(info.complete && info.problems[0].message.contains("99.4"), "{info:?}");
}

#[test]
fn old_versions_have_their_lengths_swapped() {
    // libpcap's sf-pcap.c: always before 2.3, in 2.3 where the captured length would be the larger one.
    for (minor, first, second) in [(2u8, 9, 3), (3, 9, 3), (3, 3, 9), (4, 3, 9)] {
        let mut bytes = LITTLE.pcap_header(0xa1b2_c3d4, 0, 1);
        bytes[6] = minor;
        bytes.extend([0, 0, first, second].map(|v| LITTLE.u32(v)).concat());
        bytes.extend(b"abc");
        let (frames, info, _) = read(&bytes).unwrap();
        assert_eq!((frames[0].data.len(), frames[0].orig_len, info.problems.len()), (3, 9, 0), "{minor} {first}");
    }
}

#[test]
fn packets_of_unknown_interfaces_are_counted_and_bounded() {
    let mut bytes = [LITTLE.section(), LITTLE.interface(1, 0, &[])].concat();
    for i in 0..500 {
        bytes.extend(LITTLE.enhanced(1 + i % 2 * 9999, 0, 1, b"x", &[]));
    }
    bytes.extend(LITTLE.enhanced(0, 0, 1, b"y", &[]));
    bytes.extend([6, 0, 0, 0, 200, 0, 0, 0, 1, 2, 3, 4]);
    let (frames, info, _) = read(&bytes).unwrap();
    assert_eq!((frames.len(), frames[0].no, info.skipped, info.complete), (1, 501, 500, false));
    assert_eq!(info.problems.len() as u64 + info.problems_omitted, 501);
    // What ends the reading is told, whatever there was before.
    assert_eq!(info.problems.last().unwrap().frame, Some(FrameNo(502)));
    assert_eq!(info.problems.len(), limits::PROBLEMS);
}

#[test]
fn large_blocks_are_passed_over() {
    let large = LITTLE.block(0x8000_0001, &vec![0x55; limits::BLOCK_BYTES + 100]);
    let start = [LITTLE.section(), LITTLE.interface(1, 0, &[])].concat();
    let after = LITTLE.enhanced(0, 0, 1, b"y", &[]);
    let bytes = [start.clone(), large.clone(), after.clone()].concat();
    let (frames, info, _) = read(&bytes).unwrap();
    assert_eq!((frames.len(), info.complete), (1, true));
    // Interfaces keep their numbers when a description is too large.
    let face = LITTLE.interface(1, 0, &vec![0; limits::BLOCK_BYTES]);
    let second = LITTLE.enhanced(2, 0, 1, b"z", &[]);
    let (frames, info, _) = read(&[start, face, LITTLE.interface(101, 0, &[]), second].concat()).unwrap();
    assert_eq!((frames[0].link, info.complete, info.interfaces), (101, false, 3));
    let mut lie = bytes.clone();
    let at = bytes.len() - after.len() - 4;
    lie[at] ^= 4;
    let (frames, info, _) = read(&lie).unwrap();
    assert_eq!((frames.len(), info.complete, info.problems.len()), (0, false, 1));
}

#[test]
fn sections_of_other_versions_are_skipped() {
    let mut foreign = BIG.section();
    foreign[13] = 9;
    assert!(matches!(read(&foreign), Err(Error::Version { .. })));
    let own = [LITTLE.section(), LITTLE.interface(1, 0, &[]), LITTLE.enhanced(0, 0, 1, b"y", &[])].concat();
    let bytes = [own.clone(), foreign, BIG.interface(1, 0, &[]), BIG.enhanced(0, 0, 1, b"n", &[]), own].concat();
    let (frames, info, _) = read(&bytes).unwrap();
    assert_eq!((frames.len(), info.complete, info.problems.len()), (2, false, 1));
    assert_eq!(frames[1].interface, 1);
}

#[test]
fn secrets_are_bounded() {
    let text = vec![b'x'; 1 << 20];
    let block = LITTLE.block(0x0a, &[LITTLE.u32(0x544c_534b), LITTLE.u32(1 << 20), text].concat());
    let count = limits::SECRETS_BYTES / (1 << 20) + 2;
    let (_, info, secrets) = read(&[LITTLE.section(), block.repeat(count)].concat()).unwrap();
    assert_eq!((secrets.len(), info.problems.len()), (count - 2, 2));
    let other = LITTLE.block(0x0a, &[LITTLE.u32(0x5353_484b), LITTLE.u32(4), b"ssh!".to_vec()].concat());
    assert!(read(&[LITTLE.section(), other].concat()).unwrap().2.is_empty());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    e.write_all(bytes).unwrap();
    e.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut info = lz4_flex::frame::FrameInfo::new();
    info.content_checksum = true;
    let mut e = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    e.write_all(bytes).unwrap();
    e.finish().unwrap()
}

type Compress = fn(&[u8]) -> Vec<u8>;
const COMPRESSIONS: [(Compression, Compress); 3] =
    [(Compression::Gzip, gzip), (Compression::Zstd, zstd), (Compression::Lz4, lz4)];

#[test]
fn compressed_captures_read_the_same() {
    for plain in [sample_pcap(BIG, 0xa1b2_3c4d).0, sample_pcapng().0] {
        let want = read(&plain).unwrap().0;
        for (compression, compress) in COMPRESSIONS {
            let (frames, info, _) = read(&compress(&plain)).unwrap();
            assert_eq!(frames, want);
            assert_eq!((info.compression, info.complete, info.problems.len()), (Some(compression), true, 0));
            // In two members or frames, cut in the middle of a record.
            let (a, b) = plain.split_at(plain.len() / 2);
            let (frames, info, _) = read(&[compress(a), compress(b)].concat()).unwrap();
            assert_eq!((frames, info.complete), (want.clone(), true));
            // Followed by something else.
            let (frames, info, _) = read(&[compress(&plain), b"something else".to_vec()].concat()).unwrap();
            assert_eq!((frames, info.complete, info.problems.len()), (want.clone(), false, 1));
            if compression != Compression::Gzip {
                let skip = [&[0x5au8, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
                let (frames, info, _) = read(&[skip.clone(), compress(&plain), skip].concat()).unwrap();
                assert_eq!((frames, info.complete), (want.clone(), true));
            }
            for (_, outer) in COMPRESSIONS {
                let twice = read(&outer(&compress(&plain))).unwrap_err().to_string();
                assert!(twice.contains(&format!("it is {} inside ", compression.name())), "{twice}");
            }
            let empty = read(&compress(b"")).unwrap_err();
            assert!(matches!(empty, Error::Empty { .. }), "{empty}");
        }
    }
}

#[test]
fn compressed_captures_cut_at_every_byte() {
    let plain = sample_pcapng().0;
    for (compression, compress) in COMPRESSIONS {
        let packed = compress(&plain);
        let mut before = 0;
        for n in 0..packed.len() {
            match read(&packed[..n]) {
                Err(_) => assert_eq!(before, 0, "{} {n}", compression.name()),
                Ok((frames, info, _)) => {
                    assert!(!info.complete, "{} {n}", compression.name());
                    assert_eq!(info.problems.len(), 1);
                    assert!(info.problems[0].message.contains(compression.name()), "{info:?}");
                    assert!(frames.len() >= before, "{} {n}", compression.name());
                    before = frames.len();
                }
            }
        }
    }
}

#[test]
fn zstd_windows_are_bounded() {
    // Magic, descriptor without single segment, and a window of 2^41 bytes.
    let bytes = [0x28, 0xb5, 0x2f, 0xfd, 0, 0xf8, 1, 0, 0];
    assert!(read(&bytes).unwrap_err().to_string().contains("window"));
}

#[test]
fn what_is_no_capture_is_named_and_not_quoted() {
    for (bytes, word) in [
        (&b""[..], "empty"),
        (b"<html>\x1b[31m</html>", "HTML"),
        (b"\x1b]0;title\x07 not a capture", "not a capture"),
        (b"\x0a\x0d\x0d\x0a\x1c\0\0\0\0\0\0\0\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0", "byte-order"),
    ] {
        let message = read(bytes).unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
        assert!(!message.contains("title") && !message.contains('\u{1b}'));
    }
    let odd = CaptureFile::from_reader(io::empty(), "a\u{1b}[31m\u{202e}b").unwrap_err().to_string();
    assert!(!odd.chars().any(crate::text::is_unsafe), "{odd:?}");
}

#[test]
fn paths_that_cannot_be_read() {
    assert!(matches!(open(Path::new("/")), Err(Error::Directory { .. })));
    assert!(matches!(open(Path::new("no/such/\u{1b}file")), Err(Error::Open { .. })));
}

#[test]
fn files_know_their_size() {
    let dir = std::env::temp_dir().join(format!("tlscope-capture-{}", std::process::id()));
    let bytes = sample_pcap(LITTLE, 0xa1b2_c3d4).0;
    std::fs::write(&dir, &bytes).unwrap();
    let mut capture = open(&dir).unwrap();
    while capture.next_frame().unwrap().is_some() {}
    let len = bytes.len() as u64;
    assert_eq!(capture.progress(), (len, Some(len)));
    std::fs::remove_file(&dir).unwrap();
}

#[test]
fn failing_disks_are_errors() {
    struct Broken(io::Cursor<Vec<u8>>);
    impl Read for Broken {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            match self.0.read(out)? {
                0 => Err(io::Error::other("no such sector")),
                n => Ok(n),
            }
        }
    }
    let plain = sample_pcap(LITTLE, 0xa1b2_c3d4).0;
    let cut = plain[..plain.len() - 3].to_vec();
    for bytes in [cut.clone(), gzip(&cut)[..60].to_vec(), zstd(&plain)[..60].to_vec(), lz4(&plain)[..60].to_vec()] {
        let mut capture = match CaptureFile::from_reader(Broken(io::Cursor::new(bytes)), "test") {
            Ok(c) => c,
            Err(e) => {
                assert!(e.to_string().contains("no such sector"), "{e}");
                continue;
            }
        };
        let error = loop {
            match capture.next_frame() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the error is lost"),
                Err(e) => break e.to_string(),
            }
        };
        assert!(error.contains("no such sector"), "{error}");
        assert!(!capture.info().complete);
        assert!(capture.next_frame().unwrap().is_none());
    }
}

#[test]
fn mutations_never_panic() {
    let (pcap, pcapng) = (sample_pcap(LITTLE, 0xa1b2_c3d4).0, sample_pcapng().0);
    let mut state = 1u32;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let seeds = [&pcap[..], &pcapng, &gzip(&pcap), &zstd(&pcapng), &lz4(&pcapng)].map(<[u8]>::to_vec);
    for _ in 0..3000 {
        for seed in &seeds {
            let mut bytes = seed.clone();
            for _ in 0..=random() % 4 {
                let at = random() as usize % bytes.len();
                bytes[at] = match random() % 4 {
                    0 => 0,
                    1 => 0xff,
                    _ => random() as u8,
                };
            }
            let _ = read(&bytes);
        }
    }
}

#[test]
fn a_capture_may_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<CaptureFile>();
    is_send::<Error>();
}
