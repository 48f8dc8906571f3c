//! What a reader tells about its input: counters and problems, bounded.

use super::compress::Failure;
use super::window::Window;
use super::{Problem, Secrets, SourceInfo};
use crate::limits;
use crate::span::{FrameNo, Timestamp};

/// Collects what [`SourceInfo`] shows.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) info: SourceInfo,
    pub(super) secrets: Vec<Secrets>,
    pub(super) secret_bytes: usize,
    damaged: bool,
}

/// Place of a problem.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) frame: Option<u64>,
    pub(super) offset: u64,
}

impl Log {
    pub(super) fn new(path: String) -> Self {
        Self { info: SourceInfo { path, ..SourceInfo::default() }, ..Self::default() }
    }

    /// Counts a frame that is given out.
    #[inline]
    pub(super) fn count(&mut self, len: usize, time: Option<Timestamp>) {
        let info = &mut self.info;
        info.frames = info.frames.saturating_add(1);
        info.bytes = info.bytes.saturating_add(len as u64);
        if let Some(t) = time {
            info.first_time = Some(info.first_time.map_or(t, |first| first.min(t)));
            info.last_time = Some(info.last_time.map_or(t, |last| last.max(t)));
        }
    }

    /// Something odd that cost nothing: the input may still be complete. `text` goes on after "frame N at byte X".
    #[cold]
    pub(super) fn note(&mut self, place: Place, text: impl FnOnce() -> String) {
        // One place is kept for what ends the reading, however many small problems there were before.
        self.push(place, limits::PROBLEMS.saturating_sub(1), text);
    }

    fn push(&mut self, place: Place, cap: usize, text: impl FnOnce() -> String) {
        if self.info.problems.len() >= cap {
            self.info.problems_omitted = self.info.problems_omitted.saturating_add(1);
            return;
        }
        let of = if self.info.compression.is_some() { " of the uncompressed data" } else { "" };
        let at = match place.frame {
            Some(no) => format!("frame {no} at byte {}{of}: ", place.offset),
            None => format!("byte {}{of}: ", place.offset),
        };
        let message = at + &text();
        self.info.problems.push(Problem { frame: place.frame.map(FrameNo), offset: Some(place.offset), message });
    }

    /// Something is lost: the input is not complete.
    #[cold]
    pub(super) fn damage(&mut self, place: Place, text: impl FnOnce() -> String) {
        self.damaged = true;
        self.note(place, text);
    }

    /// A packet record that cannot be given out.
    #[cold]
    pub(super) fn skip(&mut self, place: Place, text: impl FnOnce() -> String) {
        self.info.skipped = self.info.skipped.saturating_add(1);
        self.damage(place, text);
    }

    /// Damage that cannot be read past.
    #[cold]
    pub(super) fn stop(&mut self, place: Place, text: impl FnOnce() -> String) {
        self.damaged = true;
        self.push(place, limits::PROBLEMS, text);
        self.finish();
    }

    /// The end of the input. `inside` says what is incomplete, if something is: what, where, how many bytes it needs;
    /// what is there of it is in the window.
    #[cold]
    pub(super) fn end(&mut self, window: &Window, inside: Option<(&str, Place, u64)>) {
        let broken = window.failure().zip(self.info.compression).map(|(failure, how)| {
            let name = how.name();
            match failure {
                Failure::Cut => {
                    format!("the {name} data ends too early: the file was cut when it was written or copied")
                }
                Failure::Damaged(why) => format!("the {name} data is damaged here ({why})"),
            }
        });
        if let Some((what, place, need)) = inside {
            let have = window.offset().saturating_sub(place.offset).saturating_add(window.bytes().len() as u64);
            self.stop(place, || {
                let why =
                    broken.unwrap_or_else(|| "the file ends here: it was cut when it was written or copied".into());
                // What is longer than any honest record is more likely a damaged length.
                let or = if need > limits::BLOCK_BYTES as u64 { ", or its length is damaged" } else { "" };
                format!("{why}{or}; {what} needs {need} bytes and {have} are there; what stands before was read")
            });
        } else if let Some(why) = broken {
            let place = Place { frame: None, offset: window.offset() };
            self.stop(place, || format!("{why}; what stands before was read"));
        } else {
            self.finish();
        }
    }

    /// Nothing more comes.
    fn finish(&mut self) {
        self.info.complete = !self.damaged;
    }

    /// The environment failed: the input is not complete.
    pub(super) fn broken_off(&mut self) {
        self.damaged = true;
        self.info.complete = false;
    }
}
