//! A capture that grows while it is read: standard input, or a file that another program writes. A thread reads and takes
//! frames out; whoever shows them never waits for the writer.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, bounded};

use super::super::{CaptureFile, Error as CaptureError, Frame, LinkType, Problem, Secrets, Source as _, SourceInfo};
use super::{Error, Live};
use crate::limits;
use crate::span::{FrameNo, Timestamp};

/// Between two looks at a file that does not grow.
const LOOK: Duration = Duration::from_millis(50);

/// After so many of them it is looked whether it is still the file it was.
const LOOKS: u32 = 10;

/// A file that is read on behind its present end until somebody says stop, or it is no longer the one it was.
struct Follow {
    file: File,
    path: PathBuf,
    read: u64,
    stop: Arc<AtomicBool>,
    /// What the reader of the report has to know beside.
    note: Arc<OnceLock<String>>,
}

impl Follow {
    /// What is written anew would go unread without a word.
    fn is_still_there(&self) -> io::Result<()> {
        let here = self.file.metadata()?;
        let len = here.len();
        if here.is_file() && len < self.read {
            return Err(io::Error::other(format!(
                "the file was cut to {len} bytes while it was followed; what is written to it since is not read: start again"
            )));
        }
        if here.is_file() && here.nlink() == 0 {
            return Err(io::Error::other(
                "the file was deleted; what is written to a new one is not read: start again",
            ));
        }
        match std::fs::metadata(&self.path) {
            Ok(there) if (there.dev(), there.ino()) != (here.dev(), here.ino()) => Err(io::Error::other(
                "another file has its name now (it was rotated or written anew), which is not read: start again with that one",
            )),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
                self.note.get_or_init(|| {
                    "whether the file was rotated meanwhile could not be seen: its folder is closed to the user that \
                     tlscope runs as; open the folder, or give --user"
                        .into()
                });
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Read for Follow {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut looks = 0u32;
        loop {
            let n = self.file.read(out)?;
            if n > 0 || out.is_empty() {
                self.read = self.read.saturating_add(n as u64);
                return Ok(n);
            }
            // No end of the file, which a writer may be about to go on with: see [`Stream::take`].
            if self.stop.load(Ordering::Relaxed) {
                return Err(io::Error::other("told to stop"));
            }
            if looks > 0 && looks.is_multiple_of(LOOKS) {
                self.is_still_there()?;
            }
            looks = looks.wrapping_add(1);
            thread::sleep(LOOK);
        }
    }
}

/// A frame without its bytes, which stand in the batch.
struct Head {
    no: FrameNo,
    time: Option<Timestamp>,
    link: LinkType,
    interface: u32,
    orig_len: u32,
    fcs_len: u8,
    len: usize,
}

/// Frames that travel together.
#[derive(Default)]
struct Batch {
    heads: Vec<Head>,
    bytes: Vec<u8>,
    secrets: Vec<Secrets>,
    /// The header was read: what it says of the input.
    begun: Option<SourceInfo>,
    /// The input has ended: what the reader says of it, and why it broke off.
    end: Option<(SourceInfo, Option<CaptureError>)>,
}

impl Batch {
    fn push(&mut self, f: &Frame<'_>) {
        let Frame { no, time, link, interface, orig_len, fcs_len, data } = *f;
        self.heads.push(Head { no, time, link, interface, orig_len, fcs_len, len: data.len() });
        self.bytes.extend_from_slice(data);
    }
}

/// A capture stream that is being read.
pub struct Stream {
    batches: Receiver<Batch>,
    now: Batch,
    next: usize,
    at: usize,
    info: SourceInfo,
    secrets: Vec<Secrets>,
    begun: bool,
    ended: bool,
    /// Ends a followed file.
    stop: Arc<AtomicBool>,
    note: Arc<OnceLock<String>>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("info", &self.info).finish_non_exhaustive()
    }
}

impl Stream {
    /// Starts a thread that reads `input`; `label` stands where a path would. The header is read there too, so that an input
    /// on which nothing was written yet is not waited for.
    pub fn start(input: impl Read + Send + 'static, label: &str) -> Self {
        Self::begin(input, label, Arc::default(), Arc::default())
    }

    /// The same for a file and what is still written to it, until [`Live::stop`].
    pub fn follow(file: File, label: &str) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let note = Arc::<OnceLock<String>>::default();
        let path = PathBuf::from(label);
        Self::begin(Follow { file, path, read: 0, stop: stop.clone(), note: note.clone() }, label, stop, note)
    }

    fn begin(
        input: impl Read + Send + 'static,
        label: &str,
        stop: Arc<AtomicBool>,
        note: Arc<OnceLock<String>>,
    ) -> Self {
        let (tx, batches) = bounded(limits::STREAM_BATCHES);
        let name = label.to_owned();
        let info = SourceInfo { path: label.to_owned(), ..SourceInfo::default() };
        thread::spawn(move || read(input, &name, tx));
        let secrets = Vec::new();
        Self { batches, now: Batch::default(), next: 0, at: 0, info, secrets, begun: false, ended: false, stop, note }
    }

    /// Makes `batch` the present one.
    fn take(&mut self, mut batch: Batch) -> Result<(), Error> {
        self.secrets.append(&mut batch.secrets);
        let end = batch.end.take();
        if let Some(info) = batch.begun.take() {
            (self.info, self.begun) = (info, true);
        }
        (self.now, self.next, self.at) = (batch, 0, 0);
        let Some((info, error)) = end else { return Ok(()) };
        (self.info, self.ended) = (info, true);
        if self.stop.load(Ordering::Relaxed) {
            // It ends where it was told to, be that within a record that is still being written.
            self.info.complete = self.begun && self.info.skipped == 0;
            self.tell_note();
            return Ok(());
        }
        error.map_or(Ok(()), |e| Err(e.into()))
    }

    fn tell_note(&mut self) {
        let problem = |message: &String| Problem { frame: None, offset: None, message: message.clone() };
        self.info.problems.extend(self.note.get().map(problem));
    }
}

impl Live for Stream {
    fn next(&mut self) -> Result<Option<Frame<'_>>, Error> {
        while self.next >= self.now.heads.len() {
            match self.batches.try_recv() {
                Ok(batch) => self.take(batch)?,
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => {
                    self.ended = true;
                    return Ok(None);
                }
            }
        }
        let Some(h) = self.now.heads.get(self.next) else { return Ok(None) };
        let end = self.at.saturating_add(h.len);
        let data = self.now.bytes.get(self.at..end).unwrap_or_default();
        (self.next, self.at) = (self.next.saturating_add(1), end);
        if !self.ended {
            self.info.frames = self.info.frames.saturating_add(1);
            self.info.bytes = self.info.bytes.saturating_add(h.len as u64);
            self.info.first_time = self.info.first_time.or(h.time);
            self.info.last_time = self.info.last_time.max(h.time);
        }
        let Head { no, time, link, interface, orig_len, fcs_len, .. } = *h;
        Ok(Some(Frame { no, time, link, interface, orig_len, fcs_len, data }))
    }

    fn wait(&mut self, at_most: Duration) -> Result<bool, Error> {
        if self.next < self.now.heads.len() {
            return Ok(true);
        }
        if self.ended {
            return Ok(false);
        }
        match self.batches.recv_timeout(at_most) {
            Ok(batch) => self.take(batch).map(|()| true),
            Err(RecvTimeoutError::Timeout) => Ok(true),
            Err(RecvTimeoutError::Disconnected) => Ok(false),
        }
    }

    fn count_lost(&mut self) -> Option<u64> {
        self.info.dropped
    }

    fn info(&self) -> &SourceInfo {
        &self.info
    }

    fn is_begun(&self) -> bool {
        self.begun
    }

    fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // What is not read any more is not missing.
        if !self.ended {
            self.info.complete |= self.begun;
            self.tell_note();
        }
    }

    fn take_secrets(&mut self) -> Vec<Secrets> {
        std::mem::take(&mut self.secrets)
    }
}

/// Reads an input to its end and sends its frames.
fn read(input: impl Read + Send + 'static, label: &str, to: Sender<Batch>) {
    let outbox = Outbox { batch: Arc::default(), to };
    let fail = |info: SourceInfo, error| outbox.end(info, Some(error));
    let mut file = match CaptureFile::from_reader(Emptying { input, outbox: outbox.clone() }, label) {
        Ok(file) => file,
        Err(e) => return fail(SourceInfo { path: label.to_owned(), ..SourceInfo::default() }, e),
    };
    outbox.lock().begun = Some(file.info().clone());
    loop {
        match file.next_frame() {
            Ok(Some(f)) => {
                let full = {
                    let mut batch = outbox.lock();
                    batch.push(&f);
                    batch.bytes.len() >= limits::STREAM_BATCH_BYTES
                };
                let secrets = file.take_secrets();
                if !secrets.is_empty() {
                    outbox.lock().secrets.extend(secrets);
                }
                if full && outbox.send().is_err() {
                    return;
                }
            }
            Ok(None) => return outbox.end(file.info().clone(), None),
            Err(e) => return fail(file.info().clone(), e),
        }
    }
}

/// The batch that is being filled, and where it goes.
#[derive(Clone)]
struct Outbox {
    batch: Arc<Mutex<Batch>>,
    to: Sender<Batch>,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what there is; fails when nobody wants it.
    fn send(&self) -> io::Result<()> {
        let batch = std::mem::take(&mut *self.lock());
        if batch.heads.is_empty() && batch.secrets.is_empty() && batch.end.is_none() && batch.begun.is_none() {
            return Ok(());
        }
        self.to.send(batch).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn end(&self, info: SourceInfo, error: Option<CaptureError>) {
        self.lock().end = Some((info, error));
        let _ = self.send();
    }
}

/// An input that sends what was taken out of it before it is asked for more: nothing is held back while a writer pauses.
struct Emptying<R> {
    input: R,
    outbox: Outbox,
}

impl<R: Read> Read for Emptying<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.outbox.send()?;
        self.input.read(out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Format;
    use super::*;

    /// A pcap file with this many packets of one byte.
    fn pcap(packets: u8) -> Vec<u8> {
        let mut b = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
        for n in 0..packets {
            b.extend([n, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, n]);
        }
        b
    }

    fn wait_for_frame(s: &mut Stream) -> Option<u8> {
        loop {
            if let Some(f) = s.next().unwrap() {
                return Some(f.data[0]);
            }
            if !s.wait(Duration::from_secs(20)).unwrap() {
                return None;
            }
        }
    }

    #[test]
    fn a_frame_is_there_before_the_next_one_is_written() {
        let (from, mut to) = io::pipe().unwrap();
        let mut s = Stream::start(from, "-");
        assert!(s.next().unwrap().is_none() && !s.is_begun());
        let bytes = pcap(3);
        for (n, cut) in [(0, 24 + 17 + 5), (1, 24 + 34), (2, 24 + 51)] {
            let before = if n == 0 { 0 } else { [46, 58][n - 1] };
            io::Write::write_all(&mut to, &bytes[before..cut]).unwrap();
            assert_eq!(wait_for_frame(&mut s), Some(n as u8));
            assert!(s.is_begun());
        }
        drop(to);
        assert_eq!(wait_for_frame(&mut s), None);
        assert_eq!((s.info().frames, s.info().complete), (3, true));
    }

    #[test]
    fn a_growing_file_is_followed_until_told() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let bytes = pcap(2);
        io::Write::write_all(&mut file, &bytes[..41]).unwrap();
        let mut s = Stream::follow(file.reopen().unwrap(), "x");
        assert_eq!(wait_for_frame(&mut s), Some(0));
        assert!(s.next().unwrap().is_none());
        io::Write::write_all(&mut file, &bytes[41..]).unwrap();
        assert_eq!(wait_for_frame(&mut s), Some(1));
        // Half a record: its writer is not done.
        io::Write::write_all(&mut file, &bytes[24..30]).unwrap();
        assert!(s.next().unwrap().is_none());
        s.stop();
        assert_eq!(wait_for_frame(&mut s), None);
        let i = s.info();
        assert_eq!((i.complete, i.frames, i.format, i.problems.len()), (true, 2, Some(Format::Pcap), 0));
    }

    /// Reads on until it fails; gives the words.
    fn failure(s: &mut Stream) -> String {
        loop {
            match s.next().map(|f| f.is_some()) {
                Ok(true) => {}
                Ok(false) => match s.wait(Duration::from_secs(20)) {
                    Ok(true) => {}
                    Ok(false) => panic!("it ended without a word"),
                    Err(e) => return e.to_string(),
                },
                Err(e) => return e.to_string(),
            }
        }
    }

    #[test]
    fn a_followed_file_that_is_another_one_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pcap");
        std::fs::write(&path, pcap(2)).unwrap();
        let follow = || Stream::follow(File::open(&path).unwrap(), path.to_str().unwrap());
        let mut s = follow();
        assert_eq!(wait_for_frame(&mut s), Some(0));
        std::fs::rename(&path, dir.path().join("x.pcap.1")).unwrap();
        std::fs::write(&path, pcap(3)).unwrap();
        assert!(failure(&mut s).contains("another file has its name"));
        let mut s = follow();
        assert_eq!(wait_for_frame(&mut s), Some(0));
        std::fs::write(&path, pcap(1)).unwrap();
        let e = failure(&mut s);
        assert!(e.contains("cut to 41 bytes") && e.contains("byte 75"), "{e}");
        let mut s = follow();
        assert_eq!(wait_for_frame(&mut s), Some(0));
        std::fs::remove_file(&path).unwrap();
        assert!(failure(&mut s).contains("deleted"));
        std::fs::write(&path, "no capture\n").unwrap();
        assert!(failure(&mut follow()).contains("it is text"));
    }

    #[test]
    fn what_is_told_to_stop_is_complete_as_far_as_it_was_read() {
        let (from, mut to) = io::pipe().unwrap();
        let mut s = Stream::start(from, "-");
        s.stop();
        assert!(!s.info().complete, "it may be no capture at all");
        io::Write::write_all(&mut to, &pcap(2)[..24 + 17 + 3]).unwrap();
        assert_eq!(wait_for_frame(&mut s), Some(0));
        s.stop();
        let info = s.info();
        assert_eq!((info.complete, info.frames, info.format), (true, 1, Some(Format::Pcap)));
        assert_eq!((info.first_time, info.last_time), (Some(Timestamp(0)), Some(Timestamp(0))));
    }

    #[test]
    fn what_is_no_capture_is_said() {
        let mut s = Stream::start(&b"hello, this is no capture\n"[..], "-");
        let e = loop {
            match s.wait(Duration::from_secs(20)) {
                Ok(true) => {}
                Ok(false) => panic!("it ended without a word"),
                Err(e) => break e,
            }
        };
        assert!(e.to_string().contains("standard input"), "{e}");
    }
}
