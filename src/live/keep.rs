//! Where the packets of a live source go besides, and the files that keep all of them.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Error;
use crate::analyzer::FlowReport;
use crate::capture::{Frame, PcapngBlocks, SourceInfo};
use crate::scribe::{Job, Rights, Rotation, Scribe};

/// Takes every frame when it was analysed, and hears what became of flows.
pub trait Sink: Send {
    /// A frame, and the flow whose handshake it belongs to (see [`Analyzer::wanted`](crate::analyzer::Analyzer::wanted)).
    ///
    /// # Errors
    /// When it cannot be kept.
    fn frame(&mut self, frame: &Frame<'_>, wanted: Option<u64>) -> io::Result<()>;

    /// A frame that was given before, without a flow: it holds a fragment of what the next frame completes, for this flow.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn fragment(&mut self, _frame: &Frame<'_>, _flow: u64) -> io::Result<()> {
        Ok(())
    }

    /// A frame as those of [`Sink::fragment`] is not held any more: too many others came since.
    fn missing(&mut self, _flow: u64) {}

    /// A flow is decided and still open.
    ///
    /// # Errors
    /// When something could not be kept.
    fn decided(&mut self, _flow: &FlowReport) -> io::Result<()> {
        Ok(())
    }

    /// A flow has ended; none of the frames that follow belongs to it.
    ///
    /// # Errors
    /// When something could not be kept.
    fn ended(&mut self, _flow: &FlowReport) -> io::Result<()> {
        Ok(())
    }

    /// A flow has ended, and there is nothing to tell of it.
    fn silent(&mut self, _flow: u64) {}

    /// Nothing comes just now: what was gathered can be handed on.
    ///
    /// # Errors
    /// When it cannot be.
    fn rest(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Nothing comes any more.
    ///
    /// # Errors
    /// When something could not be kept.
    fn end(&mut self, _info: &SourceInfo) -> io::Result<()> {
        Ok(())
    }

    /// What should be there and is not, when it has ended: a sentence, safe to print.
    fn left_out(&self) -> Option<String> {
        None
    }

    /// Where it goes, for messages; safe to print.
    fn name(&self) -> &str;
}

/// Keeps all packets in pcapng files, which a [`Scribe`] writes.
#[derive(Debug)]
pub struct Keeper {
    scribe: Option<Scribe>,
    blocks: PcapngBlocks,
    buffer: Vec<u8>,
    name: String,
    kept: Arc<AtomicU64>,
}

impl Keeper {
    /// Opens the first file, with these rights. Interface and snap length are what the file will say of its packets.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn begin(rotation: Rotation, rights: &Rights, interface: &str, snap_len: u32) -> Result<Self, Error> {
        let name = crate::text::escape(&rotation.path.to_string_lossy()).into_owned();
        let fail = |source| Error::Begin { path: name.clone(), source };
        let mut scribe = Scribe::start(&Job::Keep(rotation), rights).map_err(fail)?;
        let blocks = PcapngBlocks::new(interface, snap_len);
        let mut buffer = Vec::new();
        blocks.preamble(&mut buffer);
        scribe.preamble(&buffer).map_err(fail)?;
        Ok(Self { scribe: Some(scribe), blocks, buffer, name, kept: Arc::default() })
    }

    /// How many packets were kept, also when this is gone.
    pub fn kept(&self) -> Arc<AtomicU64> {
        self.kept.clone()
    }

    /// What is to be known of the files that were there before: a sentence, safe to print.
    pub fn note(&self) -> Option<&str> {
        self.scribe.as_ref().and_then(Scribe::note)
    }
}

impl Sink for Keeper {
    fn frame(&mut self, frame: &Frame<'_>, _: Option<u64>) -> io::Result<()> {
        let Some(scribe) = self.scribe.as_mut() else { return Ok(()) };
        self.buffer.clear();
        let new = self.blocks.frame(frame, &mut self.buffer);
        scribe.data(&self.buffer)?;
        self.kept.fetch_add(1, Ordering::Relaxed);
        if new {
            self.buffer.clear();
            self.blocks.preamble(&mut self.buffer);
            scribe.preamble(&self.buffer)?;
        }
        Ok(())
    }

    fn rest(&mut self) -> io::Result<()> {
        self.scribe.as_mut().map_or(Ok(()), Scribe::flush)
    }

    fn end(&mut self, info: &SourceInfo) -> io::Result<()> {
        let Some(mut scribe) = self.scribe.take() else { return Ok(()) };
        self.buffer.clear();
        if let (Some(lost), Some(at)) = (info.dropped, info.last_time) {
            PcapngBlocks::lost(lost, at, &mut self.buffer);
        }
        // Also a file without a packet says what it is.
        scribe.data(&self.buffer)?;
        scribe.finish()
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Writes all packets as pcapng blocks to what is open already.
#[derive(Debug)]
pub struct Direct<W> {
    to: W,
    blocks: PcapngBlocks,
    buffer: Vec<u8>,
    name: &'static str,
}

impl<W: Write> Direct<W> {
    /// Without a preamble, which somebody else writes. `name` is for messages.
    pub fn new(to: W, blocks: PcapngBlocks, name: &'static str) -> Self {
        Self { to, blocks, buffer: Vec::new(), name }
    }

    /// A whole capture, which begins here.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(mut to: W, interface: &str, snap_len: u32, name: &'static str) -> io::Result<Self> {
        let (blocks, mut buffer) = (PcapngBlocks::new(interface, snap_len), Vec::new());
        blocks.preamble(&mut buffer);
        to.write_all(&buffer)?;
        to.flush()?;
        Ok(Self { to, blocks, buffer, name })
    }
}

impl<W: Write + Send> Sink for Direct<W> {
    fn frame(&mut self, frame: &Frame<'_>, _: Option<u64>) -> io::Result<()> {
        self.buffer.clear();
        self.blocks.frame(frame, &mut self.buffer);
        self.to.write_all(&self.buffer)
    }

    fn rest(&mut self) -> io::Result<()> {
        self.to.flush()
    }

    fn end(&mut self, info: &SourceInfo) -> io::Result<()> {
        self.buffer.clear();
        if let (Some(lost), Some(at)) = (info.dropped, info.last_time) {
            PcapngBlocks::lost(lost, at, &mut self.buffer);
            self.to.write_all(&self.buffer)?;
        }
        self.to.flush()
    }

    fn name(&self) -> &str {
        self.name
    }
}
