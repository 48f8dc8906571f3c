//! What was typed → what it means → run; exit codes.
//!
//! Exit codes: 0 read everything and nothing to complain of; 1 a finding at or above `--fail-on`, an expectation broken, or
//! a difference from the baseline that counts (see `Comparison::breaks`); 2 bad usage; 3 an input could not be opened or is
//! damaged, or output could not be written. A closed pipe is a quiet end with 0.
#![allow(clippy::disallowed_methods, reason = "progress on standard error is paced by the real clock")]

mod analyzers;
mod args;
mod diff;
mod expect;
mod explain;
mod input;
#[cfg(target_os = "linux")]
mod interfaces;
#[cfg(target_os = "linux")]
mod live;
#[cfg(target_os = "linux")]
mod live_args;
mod manual;
mod output;
mod report;
#[cfg(target_os = "linux")]
mod run;
mod trust;
mod why;

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::analyzer::Options;
use crate::diagnose::Policy;
use crate::sandbox::{self, Needs};
use crate::text;
use args::{Cli, Command, Global, ReportArgs};

/// Everything was read, nothing to complain of.
const OK: u8 = 0;
/// A finding at or above `--fail-on`, an expectation broken, or a difference from the baseline.
const FOUND: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;
/// An input could not be read, or is damaged; or an output could not be written.
const DAMAGED: u8 = 3;

/// Runs the program with the process's arguments.
pub fn main() -> ExitCode {
    let parsed = command(std::env::args_os().any(|a| a == "--help"));
    let parsed = parsed.try_get_matches().and_then(|m| Cli::from_arg_matches(&m));
    match parsed {
        Ok(cli) => ExitCode::from(run(cli)),
        Err(e) => {
            let code = if e.use_stderr() { USAGE } else { OK };
            // What was typed may hold anything.
            let shown = e.render();
            let styled = if e.use_stderr() { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
            let plain = shown.to_string();
            let safe: String = plain.split('\n').map(text::guard).collect::<Vec<_>>().join("\n");
            let written = if styled && safe == plain { shown.ansi().to_string() } else { safe };
            if e.use_stderr() {
                let _ = io::stderr().write_all(written.as_bytes());
                return ExitCode::from(code);
            }
            ExitCode::from(output::print(|out| {
                out.write_all(written.as_bytes())?;
                Ok(code)
            }))
        }
    }
}

/// The command line for clap. What `--help` adds to `-h` is examples, not room: an option stays a line, so that the long help
/// fits a screen too.
fn command(long_help: bool) -> clap::Command {
    fn compact(c: clap::Command) -> clap::Command {
        let c = match c.get_after_long_help().cloned() {
            Some(text) => c.after_long_help(clap::builder::Resettable::Reset).after_help(text),
            None => c,
        };
        c.mut_subcommands(compact)
    }
    let c = Cli::command();
    if long_help { compact(c) } else { c }
}

fn run(cli: Cli) -> u8 {
    match cli.command {
        Some(Command::Report(args)) => report::run(&args, &cli.global),
        #[cfg(target_os = "linux")]
        Some(Command::Live(args)) => live::run(&args, &cli.global),
        #[cfg(target_os = "linux")]
        Some(Command::Run(args)) => run::run(&args, &cli.global),
        #[cfg(target_os = "linux")]
        Some(Command::Interfaces) => output::print(interfaces::write),
        Some(Command::Scribe { job }) => crate::scribe::serve(&job),
        Some(Command::Why { file, frame }) => output::print(|out| why::write(out, &file, frame, &cli.global)),
        Some(Command::Diff(args)) => output::print(|out| diff::write(out, &args, &cli.global)),
        Some(Command::Explain { topic }) => output::print(|out| explain::write(out, &topic)),
        Some(Command::Schema) => output::print(|out| {
            out.write_all(crate::report::schema().as_bytes())?;
            Ok(OK)
        }),
        Some(Command::Completions { shell }) => output::print(|out| {
            let mut buffer = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "tlscope", &mut buffer);
            out.write_all(&buffer)?;
            Ok(OK)
        }),
        Some(Command::Man) => output::print(|out| {
            manual::write(out)?;
            Ok(OK)
        }),
        None => open(cli),
    }
}

/// `tlscope FILE`: the UI on a terminal, the text report otherwise.
fn open(cli: Cli) -> u8 {
    let Some(file) = cli.file else {
        let _ = io::stderr().write_all(Cli::command().render_help().to_string().as_bytes());
        return USAGE;
    };
    if io::stdout().is_terminal() {
        #[cfg(target_os = "linux")]
        if live::is_stream(&file) {
            return live::show_stream(&file, &cli.trust, &cli.global);
        }
        let policy = match cli.trust.add_to(Policy::default()) {
            Ok(policy) => policy,
            Err(e) => {
                complain(&e);
                return USAGE;
            }
        };
        let analyzer = Options { policy, ..Options::default() };
        let style = report::style(&cli.global, true);
        let report = crate::report::Options { style, inputs: vec![file.to_string_lossy().into_owned()] };
        let rights = cli.global.rights();
        let options = crate::tui::TuiOptions { path: file, analyzer, filter: String::new(), report, rights };
        let needs = Needs { terminal: true, ..Needs::default() };
        match crate::tui::run(options, || confine(needs, &cli.global)) {
            Ok(()) => OK,
            Err(e) => {
                complain(&e.to_string());
                DAMAGED
            }
        }
    } else {
        report::run(&ReportArgs::of(file, cli.trust), &cli.global)
    }
}

/// Gives up all rights, before the first packet is parsed; a sentence when that is not possible.
fn confine(needs: Needs, global: &Global) -> Result<(), String> {
    if global.no_sandbox {
        if global.verbose {
            complain(&format!("no sandbox: {}", sandbox::WITHOUT));
        }
        return Ok(());
    }
    let level = sandbox::enter(&Needs { user: global.user.clone(), ..needs }).map_err(|e| e.to_string())?;
    if global.verbose {
        complain(&format!("sandbox: {level}"));
        let open = sandbox::probe();
        let open = if open.is_empty() { "all refused".into() } else { format!("still possible: {}", open.join(", ")) };
        complain(&format!("sandbox: tried from inside: a file, a socket, a program: {open}"));
    }
    Ok(())
}

/// The locale's character set is UTF-8 (or the platform has no locale variables and speaks it anyway).
fn locale_is_utf8() -> bool {
    let value = ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(|n| std::env::var(n).ok()).find(|v| !v.is_empty());
    match value {
        Some(v) => v.to_ascii_lowercase().replace('-', "").contains("utf8"),
        None => cfg!(not(unix)),
    }
}

/// One sentence on standard error.
fn complain(sentence: &str) {
    let _ = writeln!(io::stderr(), "tlscope: {}", text::guard(sentence));
}
