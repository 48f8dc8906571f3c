//! Writes flows to a file: their packets, or a report of them. The input is read once more, in a thread of its own, so that
//! any number of flows needs no memory here and keys are answered meanwhile.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crossbeam_channel::Receiver;

use crate::analyzer::{Analyzer, FlowRef, Options};
use crate::capture::{Fragments, Frame, PcapngBlocks, Source};
use crate::flow::{Endpoint, FlowKey};
use crate::packet::{Decoder, Packet, Skip};
use crate::report;
use crate::scribe::Scribe;
use crate::span::FrameNo;
use crate::text;

use super::input::Input;
use super::worker::News;

/// What a file is to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The packets of the flows.
    Pcapng,
    /// A report, by its place in [`report::FORMATS`].
    Report(usize),
}

impl Form {
    /// All of them.
    pub(crate) fn all() -> Vec<Self> {
        std::iter::once(Self::Pcapng).chain((0..report::FORMATS.len()).map(Self::Report)).collect()
    }

    /// Name and description for a person, and the ending of a file name.
    pub(crate) fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Pcapng => ("pcapng", "their packets", "pcapng"),
            Self::Report(n) => report::FORMATS.get(n).map_or(("", "", ""), |f| (f.name, f.about, f.extension)),
        }
    }
}

/// What is to be written, and where to.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    /// The flows; `None` for all.
    pub(crate) flows: Option<Vec<FlowRef>>,
    pub(crate) form: Form,
    /// Addresses and names are replaced.
    pub(crate) redact: bool,
    pub(crate) path: PathBuf,
}

/// Who writes a file: it has its name only when it is whole, and nothing is overwritten.
pub(crate) trait Destination: Send {
    /// Begins a file; one that was begun before and not ended is dropped.
    fn begin(&mut self, path: &Path) -> io::Result<()>;
    /// More of it.
    fn data(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// It is whole.
    fn end(&mut self) -> io::Result<()>;
}

impl Destination for Scribe {
    fn begin(&mut self, path: &Path) -> io::Result<()> {
        Self::begin(self, path)
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        Self::data(self, bytes)
    }

    fn end(&mut self) -> io::Result<()> {
        Self::end(self)
    }
}

/// Starts writing; the answer is [`News::Saved`]. With `stop` it is given up, and nothing is left of the file.
pub(crate) fn start(
    job: Job,
    input: Input,
    options: Options,
    stop: Arc<AtomicBool>,
    to: Arc<Mutex<impl Destination + 'static>>,
) -> Receiver<News> {
    let (tx, rx) = crossbeam_channel::bounded(1);
    thread::spawn(move || {
        // Whoever had it before and panicked left it as it was: a new file drops what was begun.
        let mut to = to.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let written = to.begin(&job.path).and_then(|()| {
            let mut out = BufWriter::with_capacity(1 << 16, Out(&mut *to));
            let what = write(&job, &input, options, &stop, &mut out)?;
            out.flush()?;
            drop(out);
            to.end()?;
            Ok(what)
        });
        let path = text::escape(&job.path.to_string_lossy()).into_owned();
        let told = match written {
            Ok(what) => Ok(format!("{what} written to {path}")),
            Err(e) => Err(format!("cannot write {path}: {}", text::guard(&e.to_string()))),
        };
        let _ = tx.send(News::Saved(told));
    });
    rx
}

struct Out<'d, D>(&'d mut D);

impl<D: Destination> Write for Out<'_, D> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.data(buf)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(job: &Job, input: &Input, options: Options, stop: &AtomicBool, out: &mut dyn Write) -> io::Result<String> {
    let file = input.again().map_err(io::Error::other)?;
    match job.form {
        Form::Pcapng => packets(job, file, stop, out),
        Form::Report(n) => {
            let format = report::FORMATS.get(n).ok_or(io::ErrorKind::InvalidInput)?;
            let options = Options { redact: job.redact, live: false, ..options };
            flows(job, file, options, format, stop, out)
        }
    }
}

fn given_up(stop: &AtomicBool) -> io::Result<()> {
    if stop.load(Ordering::Relaxed) { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
}

/// A report of the wanted flows.
fn flows(
    job: &Job,
    mut file: Box<dyn Source>,
    options: Options,
    format: &report::Format,
    stop: &AtomicBool,
    out: &mut dyn Write,
) -> io::Result<String> {
    let wanted: Option<HashSet<u64>> = job.flows.as_ref().map(|l| l.iter().map(|f| f.id).collect());
    let mut analyzer = Analyzer::new(options);
    analyzer.begin_source();
    let mut writer = (format.make)(out, &report::Options::default());
    writer.begin()?;
    let mut written = 0u64;
    let mut take = |analyzer: &mut Analyzer, writer: &mut dyn report::Writer| -> io::Result<()> {
        for f in analyzer.take_flows() {
            if wanted.as_ref().is_none_or(|w| w.contains(&f.facts.id)) {
                written = written.saturating_add(1);
                writer.flow(&f)?;
            }
        }
        Ok(())
    };
    while let Some(frame) = file.next_frame().map_err(io::Error::other)? {
        analyzer.push(&frame);
        if analyzer.has_flows() {
            given_up(stop)?;
            take(&mut analyzer, writer.as_mut())?;
        }
    }
    while analyzer.wind_up(file.info()) {
        given_up(stop)?;
        take(&mut analyzer, writer.as_mut())?;
    }
    analyzer.end_source(file.info());
    take(&mut analyzer, writer.as_mut())?;
    // What is said of the whole capture names flows that a selection may lack.
    let findings = if job.flows.is_none() { analyzer.findings() } else { Vec::new() };
    writer.finish(analyzer.sources(), &findings)?;
    drop(writer);
    Ok(text::count(written, "flow"))
}

/// The frames of the wanted flows, with the fragments that belong to them.
fn packets(job: &Job, mut file: Box<dyn Source>, stop: &AtomicBool, out: &mut dyn Write) -> io::Result<String> {
    let mut wanted: HashMap<FlowKey, Vec<(FrameNo, FrameNo)>> = HashMap::new();
    for f in job.flows.iter().flatten() {
        wanted.entry(FlowKey::new(f.ends.a, f.ends.b).0).or_default().push((f.first, f.last));
    }
    let last = job.flows.as_ref().map(|l| l.iter().map(|f| f.last).max().unwrap_or(FrameNo(0)));
    let mut blocks = PcapngBlocks::new("", 0);
    let mut bytes = Vec::new();
    blocks.preamble(&mut bytes);
    let mut decoder = Decoder::new();
    let mut held = Fragments::default();
    let (mut written, mut lost) = (0u64, BTreeSet::new());
    while let Some(frame) = file.next_frame().map_err(io::Error::other)? {
        if last.is_some_and(|l| frame.no > l) {
            break;
        }
        let mut take = |f: &Frame<'_>| {
            written = written.saturating_add(1);
            blocks.frame(f, &mut bytes);
        };
        if job.flows.is_none() {
            take(&frame);
        } else {
            match decoder.decode(&frame) {
                Packet::Tcp(seg) => {
                    let (src, dst) =
                        (Endpoint { ip: seg.src, port: seg.src_port }, Endpoint { ip: seg.dst, port: seg.dst_port });
                    let ranges = wanted.get(&FlowKey::new(src, dst).0);
                    if ranges.is_some_and(|r| r.iter().any(|(a, b)| *a <= frame.no && frame.no <= *b)) {
                        for p in seg.pieces {
                            match held.take(p.span.frame) {
                                Some(earlier) => take(&earlier.frame()),
                                None if held.has_lost(p.span.frame) => drop(lost.insert(p.span.frame)),
                                None => {}
                            }
                        }
                        take(&frame);
                    }
                }
                Packet::Skipped(Skip::FragmentHeld) => held.add(&frame),
                _ => {}
            }
        }
        if bytes.len() >= 1 << 16 {
            given_up(stop)?;
            out.write_all(&bytes)?;
            bytes.clear();
        }
    }
    out.write_all(&bytes)?;
    let lost = lost.len() as u64;
    let without = if lost > 0 {
        format!(" (without {}: too many were held)", text::count(lost, "IP fragment"))
    } else {
        String::new()
    };
    Ok(format!("{}{without}", text::count(written, "packet")))
}
