//! The command line as types; help, man page and completions come from here.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::trust::TrustArgs;
use crate::diagnose::Severity;
use crate::report;

/// Says why a TLS or mTLS handshake failed, how sure that is, whose side to look at and what to change.
#[derive(Debug, Parser)]
#[command(
    name = "tlscope",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true
)]
#[command(mut_args(|a| if TrustArgs::has(a.get_id().as_str()) { a.hide(true) } else { a }))]
#[command(after_long_help = "Examples:
  tlscope incident.pcapng                        open a capture in the terminal UI
  tlscope report incident.pcapng                 print what happened, for a log
  tlscope report --format json a.pcap b.pcap.gz  the same for a program
  ssh host tcpdump -U -w - tcp | tlscope -       a capture from standard input, as it grows
  tlscope live -i eth0                           watch an interface
  tlscope run -- curl https://example.org/       what a command's connections did
  tlscope explain client-cert-missing            what a finding means and what to do")]
pub(super) struct Cli {
    /// Capture to open (pcap or pcapng, also gzip, zstd or lz4); `-` is standard input
    pub(super) file: Option<PathBuf>,
    // As for `report`, whose help shows them.
    #[command(flatten)]
    pub(super) trust: TrustArgs,
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(super) struct Global {
    /// When to use color: auto (on a terminal), always, never
    #[arg(
        long,
        value_enum,
        default_value = "auto",
        global = true,
        value_name = "WHEN",
        hide_possible_values = true,
        hide_default_value = true
    )]
    pub(super) color: Color,
    /// No progress on standard error
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Say which rights were given up before the first packet was read
    // The three about rights stand in the text below the helps of `report`, `live` and `run`, and in the manual.
    #[arg(short, long, global = true, hide = true)]
    pub(super) verbose: bool,
    /// Keep all rights while reading packets (by default all are given up first)
    #[arg(long, global = true, hide = true)]
    pub(super) no_sandbox: bool,
    /// Who to become when started as root (default: who called sudo, else nobody)
    #[arg(long, global = true, hide = true, value_name = "NAME", value_parser = user)]
    pub(super) user: Option<String>,
}

impl Global {
    /// With what rights files are written.
    pub(super) fn rights(&self) -> crate::scribe::Rights {
        crate::scribe::Rights { user: self.user.clone(), no_sandbox: self.no_sandbox, verbose: self.verbose }
    }
}

/// An account that rights can be left to: a wrong one is a wrong command line, known before anything is opened.
fn user(typed: &str) -> Result<String, String> {
    crate::sandbox::check_user(typed).map(|()| typed.to_owned()).map_err(|e| e.to_string())
}

/// When to use color.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// The choice for an output that is (not) a terminal. See <https://no-color.org> and <https://bixense.com/clicolors>.
    pub(super) fn for_terminal(self, is_terminal: bool) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|v: OsString| !v.is_empty() && v != "0");
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty()) => false,
            Self::Auto => set("CLICOLOR_FORCE") || is_terminal,
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Report every TLS connection of captures and why it failed
    Report(ReportArgs),
    /// Watch an interface, or a capture that grows
    #[cfg(target_os = "linux")]
    Live(super::live_args::LiveArgs),
    /// Capture while a command runs, with its keys, and report on it
    #[cfg(target_os = "linux")]
    Run(super::run::RunArgs),
    /// List the interfaces that can be captured, and what is missing to do so
    #[cfg(target_os = "linux")]
    #[command(after_help = "Examples:\n  tlscope interfaces")]
    Interfaces,
    /// Explain one frame: what it holds, which message it completes, what it is evidence of
    #[command(after_help = "Examples:
  tlscope why capture.pcapng 9")]
    Why {
        /// A capture
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Number of the frame, as the report and Wireshark count
        #[arg(value_name = "FRAME")]
        frame: u64,
    },
    /// Compare two flows field by field
    Diff(DiffArgs),
    /// Explain a finding, cipher suite, alert, extension, group or signature scheme
    #[command(after_help = "Examples:
  tlscope explain                          list all findings
  tlscope explain client-cert-missing      the page of a finding
  tlscope explain alert 48
  tlscope explain cipher TLS_AES_128_GCM_SHA256
  tlscope explain extension 0x002b")]
    Explain {
        /// Code of a finding, or a kind (cipher, alert, extension, group, signature, message, version) and a name or number
        #[arg(value_name = "TOPIC", num_args = 0..=2)]
        topic: Vec<String>,
    },
    /// Print the JSON Schema of the report
    #[command(after_help = "Examples:
  tlscope schema > tlscope.schema.json")]
    Schema,
    /// Print a completion script for a shell
    #[command(after_help = "Examples:
  tlscope completions bash > ~/.local/share/bash-completion/completions/tlscope")]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// The part that writes files, which the program starts by itself
    #[command(hide = true)]
    Scribe {
        /// What to do.
        #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
        job: Vec<OsString>,
    },
    /// Print the manual page (roff)
    #[command(after_help = "Examples:
  tlscope man | man -l -")]
    Man,
}

/// Arguments of `tlscope report`.
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "Exit codes:
  0  everything was read, no finding at or above --fail-on, all as expected
  1  a finding at or above --fail-on, an expectation broken, or a change since --baseline
  2  the command line is wrong
  3  an input cannot be opened or is damaged (what is readable is still reported)

Before the first packet is read all rights are given up, as root is (for --user NAME, who called
sudo, or nobody); -v says how far that went, --no-sandbox keeps them.

Examples:
  tlscope report capture.pcapng
  tlscope report --format junit -o tlscope.xml --fail-on error capture.pcapng
  tlscope report --expect min_version=1.2 --expect mutual_tls capture.pcapng
  tlscope report --baseline yesterday.json --fail-on warning today.pcapng
  tcpdump -w - -U -c 1000 tcp port 8443 | tlscope report -")]
pub(super) struct ReportArgs {
    /// Captures (pcap or pcapng, also gzip, zstd or lz4); `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    #[arg(short = 'F', long, default_value = "text", value_parser = format_parser(), help = format_help())]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub(super) format: String,
    /// Write to a file, aside and then renamed, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Exit with 1 on a finding of this severity or worse: error, warning, info
    #[arg(long, value_enum, value_name = "SEVERITY", hide_possible_values = true)]
    pub(super) fail_on: Option<FailOn>,
    /// Exit with 1 unless servers are as expected (`explain expectations`)
    #[arg(long, value_name = "POLICY")]
    pub(super) expect: Vec<String>,
    /// Exit with 1 on what an older report lacks: handshakes, findings
    #[arg(long, value_name = "OLD.json")]
    pub(super) baseline: Option<PathBuf>,
    /// Only flows that the UI's filter lets through: `is:failed name:api`
    #[arg(long, value_name = "FILTER")]
    pub(super) filter: Option<String>,
    #[command(flatten)]
    pub(super) trust: TrustArgs,
    /// Replace addresses and names, each always by the same; judged are the true ones
    #[arg(long)]
    pub(super) redact: bool,
}

/// Arguments of `tlscope diff`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Examples:
  tlscope diff good.pcapng#1 bad.pcapng#1
  tlscope diff capture.pcapng#12 15              two flows of one capture
  tlscope diff --format json a.pcapng#1 b.pcapng#4")]
pub(super) struct DiffArgs {
    /// A flow: FILE#ID, with the number that `tlscope report` shows
    #[arg(value_name = "A#ID")]
    pub(super) first: PathBuf,
    /// Another; a number alone is a flow of the same file
    #[arg(value_name = "B#ID")]
    pub(super) second: PathBuf,
    /// How to write it
    #[arg(short = 'F', long, default_value = "text", value_parser = ["text", "json"])]
    pub(super) format: String,
    /// Show the values of equal fields too
    #[arg(short, long)]
    pub(super) all: bool,
}

impl ReportArgs {
    /// As for `tlscope report FILE`.
    pub(super) fn of(file: PathBuf, trust: TrustArgs) -> Self {
        Self {
            files: vec![file],
            format: "text".to_owned(),
            output: None,
            fail_on: None,
            expect: Vec::new(),
            baseline: None,
            filter: None,
            trust,
            redact: false,
        }
    }
}

pub(super) fn format_parser() -> clap::builder::PossibleValuesParser {
    report::FORMATS.iter().map(|f| f.name).collect::<Vec<_>>().into()
}

/// Every format and what it is.
fn format_help() -> String {
    let all: Vec<_> = report::FORMATS.iter().map(|f| format!("{} ({})", f.name, f.about)).collect();
    format!("How to write the report: {}", all.join(", "))
}

/// Severity from which on findings count, of `--fail-on` and `--write-on`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// Errors only.
    Error,
    /// Warnings and errors.
    Warning,
    /// Anything.
    Info,
}

impl From<FailOn> for Severity {
    fn from(f: FailOn) -> Self {
        match f {
            FailOn::Error => Self::Error,
            FailOn::Warning => Self::Warning,
            FailOn::Info => Self::Info,
        }
    }
}
