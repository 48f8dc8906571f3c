//! Frames of a live capture, kept in unnamed files so that a flow can be read again when somebody looks at it. Two files take
//! turns: when the younger one is full the older one is emptied.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::capture::{self, CaptureFile, Frame, PcapngBlocks, Source, SourceInfo};
use crate::limits;
use crate::live::Sink;
use crate::span::FrameNo;

/// Bytes gathered before they are written.
const BATCH: usize = 64 << 10;

/// One file and the numbers of its frames, in order.
struct Part {
    file: File,
    bytes: u64,
    numbers: Vec<FrameNo>,
}

struct Kept {
    blocks: PcapngBlocks,
    parts: [Part; 2],
    /// The one that is written.
    young: usize,
}

/// What is kept, shared by who writes and who reads.
#[derive(Clone)]
pub(crate) struct Spool(Arc<Mutex<Kept>>);

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool").finish_non_exhaustive()
    }
}

impl Spool {
    /// Makes the files.
    pub(crate) fn new() -> io::Result<Self> {
        let part = || Ok::<_, io::Error>(Part { file: tempfile::tempfile()?, bytes: 0, numbers: Vec::new() });
        let kept = Kept { blocks: PcapngBlocks::default(), parts: [part()?, part()?], young: 0 };
        Ok(Self(Arc::new(Mutex::new(kept))))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who fills it.
    pub(crate) fn sink(&self) -> Box<dyn Sink> {
        Box::new(Filler { spool: self.clone(), bytes: Vec::new(), numbers: Vec::new() })
    }

    /// The frames of a flow's time, the older file's first; their numbers are those they were captured with.
    pub(crate) fn again(&self) -> Result<Again, capture::Error> {
        let (mut numbers, mut head) = (Vec::new(), Vec::new());
        let mut lengths = [0; 2];
        let order = {
            let kept = self.lock();
            kept.blocks.preamble(&mut head);
            let order = [1usize.saturating_sub(kept.young), kept.young];
            for (length, part) in lengths.iter_mut().zip(order.iter().filter_map(|i| kept.parts.get(*i))) {
                numbers.extend_from_slice(&part.numbers);
                *length = part.bytes;
            }
            order
        };
        let [old, young] = [0, 1].map(|i| PartReader {
            spool: self.clone(),
            part: order.get(i).copied().unwrap_or_default(),
            at: 0,
            end: lengths.get(i).copied().unwrap_or_default(),
        });
        let file = CaptureFile::from_reader(Cursor::new(head).chain(old).chain(young), "live")?;
        Ok(Again { file, numbers: numbers.into_iter() })
    }
}

/// Reads a part as far as it was written when the reading began.
struct PartReader {
    spool: Spool,
    part: usize,
    at: u64,
    end: u64,
}

impl Read for PartReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut kept = self.spool.lock();
        let Some(part) = kept.parts.get_mut(self.part) else { return Ok(0) };
        // Emptied meanwhile: the rest is another time's.
        let left = self.end.min(part.bytes).saturating_sub(self.at);
        let room = out.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        part.file.seek(SeekFrom::Start(self.at))?;
        let n = part.file.read(out.get_mut(..room).unwrap_or_default())?;
        self.at = self.at.saturating_add(n as u64);
        Ok(n)
    }
}

/// Kept frames with their own numbers.
#[derive(Debug)]
pub(crate) struct Again {
    file: CaptureFile,
    numbers: std::vec::IntoIter<FrameNo>,
}

impl Source for Again {
    fn next_frame(&mut self) -> Result<Option<Frame<'_>>, capture::Error> {
        let Some(no) = self.numbers.next() else { return Ok(None) };
        Ok(self.file.next_frame()?.map(|f| Frame { no, ..f }))
    }

    fn info(&self) -> &SourceInfo {
        self.file.info()
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.file.progress()
    }
}

/// Writes what is worth keeping.
struct Filler {
    spool: Spool,
    bytes: Vec<u8>,
    numbers: Vec<FrameNo>,
}

impl Filler {
    fn write(&mut self) -> io::Result<()> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        let mut kept = self.spool.lock();
        let kept = &mut *kept;
        if kept.parts.get(kept.young).is_some_and(|p| p.bytes >= limits::SPOOL_BYTES) {
            kept.young = 1usize.saturating_sub(kept.young);
            if let Some(p) = kept.parts.get_mut(kept.young) {
                p.file.set_len(0)?;
                (p.bytes, p.numbers) = (0, Vec::new());
            }
        }
        if let Some(p) = kept.parts.get_mut(kept.young) {
            p.file.seek(SeekFrom::Start(p.bytes))?;
            p.file.write_all(&self.bytes)?;
            p.bytes = p.bytes.saturating_add(self.bytes.len() as u64);
            p.numbers.append(&mut self.numbers);
        }
        self.bytes.clear();
        Ok(())
    }
}

impl Sink for Filler {
    fn frame(&mut self, frame: &Frame<'_>, wanted: Option<u64>) -> io::Result<()> {
        if wanted.is_none() {
            return Ok(());
        }
        let start = self.bytes.len();
        if self.spool.lock().blocks.frame(frame, &mut self.bytes) {
            // What is read again begins with the description of every interface.
            self.bytes.truncate(start);
            self.spool.lock().blocks.frame(frame, &mut self.bytes);
        }
        self.numbers.push(frame.no);
        if self.bytes.len() >= BATCH { self.write() } else { Ok(()) }
    }

    fn fragment(&mut self, frame: &Frame<'_>, flow: u64) -> io::Result<()> {
        self.frame(frame, Some(flow))
    }

    fn rest(&mut self) -> io::Result<()> {
        self.write()
    }

    fn end(&mut self, _: &SourceInfo) -> io::Result<()> {
        self.write()
    }

    fn name(&self) -> &str {
        "a temporary file"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::LinkType;
    use crate::span::Timestamp;

    #[test]
    fn frames_come_back_with_their_numbers_and_the_oldest_leave() {
        let spool = Spool::new().unwrap();
        let mut sink = spool.sink();
        let data = vec![7u8; 1 << 19];
        let frame = |no| Frame {
            no: FrameNo(no),
            time: Some(Timestamp(no as i64)),
            link: LinkType::ETHERNET,
            interface: 0,
            orig_len: 1 << 19,
            fcs_len: 0,
            data: &data,
        };
        let numbers = || {
            let mut again = spool.again().unwrap();
            let mut out = Vec::new();
            while let Some(f) = again.next_frame().unwrap() {
                assert_eq!((f.time, f.data.len()), (Some(Timestamp(f.no.0 as i64)), 1 << 19));
                out.push(f.no.0);
            }
            out
        };
        for no in [2, 3, 5] {
            sink.frame(&frame(no), Some(1)).unwrap();
        }
        sink.frame(&frame(6), None).unwrap();
        sink.rest().unwrap();
        assert_eq!(numbers(), [2, 3, 5]);
        let many = limits::SPOOL_BYTES / (1 << 19);
        for no in 10..10 + 3 * many {
            sink.frame(&frame(no), Some(1)).unwrap();
        }
        let left = numbers();
        assert!(left.len() as u64 > many && left.len() as u64 <= 2 * many + 2, "{}", left.len());
        assert!(left.is_sorted() && left.last() == Some(&(9 + 3 * many)));
    }
}
