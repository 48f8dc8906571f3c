//! Reading a capture for a command that wants single frames or flows of it.

use crate::analyzer::{Analyzer, FlowReport, Options};
use crate::capture::{Error, Frame, Opened, Source as _, SourceInfo};

use super::{DAMAGED, OK, complain};

/// Hands on each frame until one says that it is enough; gives how many were read.
pub(super) fn frames(file: Opened, mut each: impl FnMut(&Frame<'_>) -> bool) -> Result<u64, Error> {
    let mut file = file.begin()?;
    let mut n = 0u64;
    while let Some(frame) = file.next_frame()? {
        n = frame.no.0;
        if !each(&frame) {
            break;
        }
    }
    Ok(n)
}

/// Hands on each flow of a whole capture; gives what is known of the input.
pub(super) fn flows(file: Opened, mut each: impl FnMut(FlowReport)) -> Result<SourceInfo, Error> {
    let mut file = file.begin()?;
    let mut analyzer = Analyzer::new(Options::default());
    analyzer.begin_source();
    while let Some(frame) = file.next_frame()? {
        analyzer.push(&frame);
        if analyzer.has_flows() {
            analyzer.take_flows().into_iter().for_each(&mut each);
        }
    }
    while analyzer.wind_up(file.info()) {
        analyzer.take_flows().into_iter().for_each(&mut each);
    }
    analyzer.end_source(file.info());
    analyzer.take_flows().into_iter().for_each(each);
    Ok(file.info().clone())
}

/// The exit code for an input: damage is told, what could be read counts.
pub(super) fn verdict(info: &SourceInfo) -> u8 {
    if info.complete {
        return OK;
    }
    if let Some(p) = info.problems.last() {
        complain(&format!("{}: {}", info.path, p.message));
    }
    DAMAGED
}
