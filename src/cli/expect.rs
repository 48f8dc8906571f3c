//! `--expect`: a policy from a file, single expectations, and what `tlscope explain expectations` says of both.

use std::fmt::Write as _;
use std::path::Path;

use super::args::ReportArgs;
use crate::expect::{Expectations, FLAGS, KEYS};

/// The topic of `tlscope explain`.
pub(super) const TOPIC: &str = "expectations";

/// All that `--expect` says. `Err` is a sentence for the user.
pub(super) fn expectations(args: &ReportArgs) -> Result<Expectations, String> {
    let (single, files): (Vec<&str>, Vec<&str>) = args.expect.iter().map(String::as_str).partition(|t| is_single(t));
    let mut out = match files.as_slice() {
        [] => Expectations::default(),
        [path] => read(path)?,
        [_, second, ..] => {
            return Err(format!("--expect {second}: there is a policy already; put all into one file"));
        }
    };
    for text in single {
        out.set(text).map_err(|e| format!("--expect {text}: {e}; `tlscope explain {TOPIC}` lists them"))?;
    }
    if out.is_empty() && !args.expect.is_empty() {
        return Err("nothing is expected; give --expect POLICY.toml, or --expect KEY=VALUE".to_owned());
    }
    Ok(out)
}

/// `key`, or `key=value`; anything else is the name of a file.
fn is_single(text: &str) -> bool {
    let key = text.split('=').next().unwrap_or_default();
    let is_word = !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    is_word && (text.len() > key.len() || !Path::new(text).exists())
}

fn read(path: &str) -> Result<Expectations, String> {
    /// No policy that a person writes is larger.
    const LIMIT: u64 = 1 << 20;
    let failed = |e: std::io::Error| format!("--expect {path}: {e}; give a TOML file, or KEY=VALUE");
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > LIMIT {
        return Err(format!("--expect {path}: {size} bytes are too many for a policy (at most {LIMIT})"));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    Expectations::parse(&text, path).map_err(|e| e.to_string())
}

/// How a policy is written.
pub(super) fn page() -> String {
    let mut out = String::from(
        "expectations
What `tlscope report --expect` checks

A policy is a TOML file. What stands before the first [[server]] holds for every server. The
first [[server]] section whose conditions a connection meets adds to that, and takes the place
of what it names too; no other section is looked at. A server is known by its address (or a
prefix), its port (or a range), or the name that the client asked for (* stands for anything);
of several conditions all must hold, of several values of one condition any.

Keys
",
    );
    for k in KEYS {
        let _ = writeln!(out, "  {} = {}\n      {}", k.name, k.example, k.about);
    }
    out.push_str("\nBefore the first section also\n");
    for f in FLAGS {
        let _ = writeln!(out, "  {} = true\n      {}", f.name, f.about);
    }
    out.push_str(
        "
Example
  min_version = \"TLS 1.2\"
  certificate_days = 14

  [[server]]
  name = \"*.internal.example\"
  port = [8443, \"9000-9100\"]
  mutual_tls = true

  [[server]]
  address = \"192.0.2.0/24\"
  min_version = \"TLS 1.0\"

Each can be given on the command line for every server, where it takes the place of the file's:
  tlscope report --expect min_version=1.3 --expect mutual_tls --expect strict capture.pcapng

Each connection that breaks one has a finding policy-…, and the report exits with 1. What the
capture does not show is policy-not-judged; what was checked on no connection is
policy-not-checked, and exits with 1 too.
",
    );
    out
}
