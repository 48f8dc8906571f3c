//! `tlscope interfaces`: what can be captured, and what is missing to do so.

use std::io::{self, Write};

use super::OK;
use crate::capture::live::{self, ANY, Interface, Options};
use crate::text::escape;

/// Writes the list.
pub(super) fn write(out: &mut dyn Write) -> io::Result<u8> {
    let all = live::interfaces()?;
    let wide = all.iter().map(|i| escape(&i.name).chars().count()).max().unwrap_or(0).max(ANY.len());
    writeln!(out, "{ANY:wide$}  all interfaces")?;
    for i in &all {
        let addresses: Vec<String> = i.addresses.iter().map(ToString::to_string).collect();
        let line = format!("{:wide$}  {:12} {}", escape(&i.name), state(i), addresses.join(" "));
        writeln!(out, "{}", line.trim_end())?;
    }
    // A small buffer for a moment: whether it can be opened is known only by trying.
    let try_open = |filter: Option<&str>| {
        live::open(&Options {
            interface: ANY.into(),
            filter: filter.map(str::to_owned),
            snap_len: 64,
            buffer: 1 << 20,
            promiscuous: false,
            through: None,
        })
    };
    writeln!(out)?;
    match try_open(None) {
        Err(e) => writeln!(out, "Cannot capture: {e}.")?,
        Ok(_) => match try_open(Some("tcp")) {
            Err(e) => writeln!(out, "Can capture, but {e}.")?,
            Ok(_) => writeln!(out, "Can capture, with filters (-f) through libpcap.")?,
        },
    }
    Ok(OK)
}

fn state(i: &Interface) -> &'static str {
    match (i.is_up, i.is_running, i.is_loopback) {
        (false, ..) => "down",
        (true, false, _) => "no carrier",
        (true, true, true) => "up, loopback",
        (true, true, false) => "up",
    }
}
