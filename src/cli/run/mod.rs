//! `tlscope run -- CMD`: captures while a command runs, with its keys, and says what became of its TLS connections.
//!
//! Two processes of this program do it: one leads (`lead`), which has the rights that the command's beginning and end need
//! and parses nothing; one is the witness (`witness`), which captures and reports and has given up all rights. What the leader tells
//! the witness is a byte each: that the command has begun, that it has ended.

mod keys;
mod lead;
mod witness;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::args::{FailOn, Global, format_parser};
use super::live_args::CaptureArgs;
use super::trust::TrustArgs;
use crate::capture::live;

/// The variable by which a process knows that it is the witness: it holds the number of the leader, which is its parent.
const WITNESS: &str = "TLSCOPE_WITNESS_OF";

/// The witness captures.
const READY: u8 = b'R';

/// The command has begun: without this word nothing is kept.
const STARTED: u8 = b'S';

/// The command has ended, as when the leader says no more.
const ENDED: u8 = b'E';

/// Exit codes of a command that cannot be started, as shells have them: it is not there, or it may not be.
const NOT_FOUND: u8 = 127;
const NOT_EXECUTABLE: u8 = 126;

/// Arguments of `tlscope run`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "The command gets SSLKEYLOGFILE; the packets and the keys go into one file. What else passes on the
interface meanwhile is captured too: narrow it with -f. The report goes to standard error.
Signals are passed on to it; it is killed 5 s after the first one, or at the second. What was
captured is kept and reported all the same.
Capturing needs the right that live needs. What captures gives all rights up, as root is (for
--user NAME, who called sudo, or nobody); what leads the command keeps that to end it. -v says so,
--no-sandbox keeps all rights.
Exit code: the command's own where it failed, else 1 for --fail-on, 3 when the capture failed, 0.

Examples:
  tlscope run -- curl https://example.org/
  tlscope run -i lo --fail-on error -w test.pcapng -- make integration-test"
)]
#[command(mut_args(|a| match a.get_id().as_str() {
    id if TrustArgs::has(id) => a.hide(true),
    "interface" => a.default_value(live::ANY),
    _ => a,
}))]
pub(super) struct RunArgs {
    #[command(flatten)]
    capture: CaptureArgs,
    /// Where the packets and keys go (pcapng)
    #[arg(short, long, value_name = "FILE", default_value = "tlscope-run.pcapng")]
    write: PathBuf,
    /// Of the packets keep only the handshakes of connections with such a finding or a worse one:
    /// warning (the default), error or info
    #[arg(long, value_enum, value_name = "SEVERITY", hide_possible_values = true, num_args = 0..=1)]
    #[arg(default_missing_value = "warning")]
    write_on: Option<FailOn>,
    /// How to write the report, as for `report`
    #[arg(short = 'F', long, value_parser = format_parser(), default_value = "text", hide_possible_values = true)]
    format: String,
    /// Write the report to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Exit with 1 when there was such a finding or a worse one: error, warning or info
    #[arg(long, value_enum, value_name = "SEVERITY", hide_possible_values = true)]
    fail_on: Option<FailOn>,
    // As for `report`, whose help shows them.
    #[command(flatten)]
    trust: TrustArgs,
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Runs it; gives the exit code.
pub(super) fn run(args: &RunArgs, global: &Global) -> u8 {
    let parent = std::os::unix::process::parent_id().to_string();
    if std::env::var_os(WITNESS).is_some_and(|leader| leader == *parent) {
        witness::run(args, global)
    } else {
        lead::lead(&args.command, global)
    }
}
