//! `--trust`, `--client-ca`, `--at`: what certificates are judged by.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::complain;
use crate::diagnose::Policy;
use crate::limits;
use crate::span::Timestamp;
use crate::text;
use crate::x509::Trust;

/// Options of every command that judges certificates.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct TrustArgs {
    /// Judge server chains by these trust anchors: a PEM file, `system` or `mozilla`
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    trust: Option<String>,
    /// Judge client chains by the CAs in this PEM file
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    client_ca: Option<PathBuf>,
    /// Judge dates at this time (2026-06-01 or 2026-06-01T12:00:00Z) instead of the capture's
    #[arg(long, value_name = "TIME", value_parser = time, hide_short_help = true)]
    at: Option<Timestamp>,
}

impl TrustArgs {
    /// True for the name of one of them.
    pub(super) fn has(id: &str) -> bool {
        matches!(id, "trust" | "client_ca" | "at")
    }

    /// The policy with what was asked for; reads the files.
    ///
    /// # Errors
    /// A sentence that names the option and the file.
    pub(super) fn add_to(&self, policy: Policy) -> Result<Policy, String> {
        let trust = match self.trust.as_deref() {
            None => None,
            Some("mozilla") => Some(Trust::mozilla()),
            Some("system") => Some(system(rustls_native_certs::load_native_certs())),
            Some(path) => Some(read(Path::new(path))),
        };
        let option = |name: &str, path: &str, e: String| format!("{name} {}: {e}", text::escape(path));
        let trust = trust.transpose().map_err(|e| option("--trust", self.trust.as_deref().unwrap_or_default(), e))?;
        let client_ca = self.client_ca.as_deref().map(read).transpose();
        let client_ca = client_ca.map_err(|e| {
            option("--client-ca", &self.client_ca.as_deref().unwrap_or(Path::new("")).to_string_lossy(), e)
        })?;
        Ok(Policy { trust: trust.map(Arc::new), client_ca: client_ca.map(Arc::new), at: self.at, ..policy })
    }
}

/// The anchors of the system; what of them could not be read is told, or is the error where there is nothing else.
fn system(found: rustls_native_certs::CertificateResult) -> Result<Trust, String> {
    let unread = found.errors.first().map(|first| {
        let more = found.errors.len().saturating_sub(1);
        let more = if more == 0 { String::new() } else { format!("; and {more} more") };
        format!("{first}{more}")
    });
    match (Trust::of("the system's trust store", &found.certs), unread) {
        (Err(e), Some(unread)) => Err(format!("{e}: {unread}")),
        (trust, Some(unread)) => {
            complain(&format!("--trust system: not all of it could be read: {unread}"));
            trust
        }
        (trust, None) => trust,
    }
}

fn read(path: &Path) -> Result<Trust, String> {
    let file = File::open(path).map_err(|e| format!("cannot be read: {e}"))?;
    Trust::read(&path.to_string_lossy(), &whole(file)?)
}

/// All bytes of a file of certificates.
fn whole(file: impl Read) -> Result<Vec<u8>, String> {
    let (mut bytes, most) = (Vec::new(), limits::TRUST_BYTES);
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|e| format!("cannot be read: {e}"))?;
    // Of a part nobody would know which certificates are missing.
    if bytes.len() as u64 > most { Err(format!("is larger than {} MiB", most >> 20)) } else { Ok(bytes) }
}

/// A time in UTC: RFC 3339, or a date alone for its first second.
fn time(typed: &str) -> Result<Timestamp, String> {
    let date = || -> Option<jiff::Timestamp> {
        let date: jiff::civil::Date = typed.parse().ok()?;
        Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    };
    let at = typed.parse::<jiff::Timestamp>().ok().or_else(date);
    let at = at.ok_or("write it as 2026-06-01 or 2026-06-01T12:00:00Z")?;
    Ok(Timestamp::from_parts(at.as_second(), i64::from(at.subsec_nanosecond())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_told() {
        let empty = || rustls_native_certs::CertificateResult::default();
        assert_eq!(system(empty()).unwrap_err(), "holds no certificate");
        let mut broken = empty();
        broken.errors.push(rustls_native_certs::Error {
            context: "failed to open file",
            kind: rustls_native_certs::ErrorKind::Io {
                inner: std::io::ErrorKind::NotFound.into(),
                path: "a.pem".into(),
            },
        });
        let e = system(broken).unwrap_err();
        assert!(e.starts_with("holds no certificate: ") && e.contains("failed to open file"), "{e}");
        let most = limits::TRUST_BYTES;
        assert_eq!(whole(std::io::repeat(7).take(most)).map(|b| b.len() as u64), Ok(most));
        assert_eq!(whole(std::io::repeat(7).take(most + 1)).unwrap_err(), "is larger than 16 MiB");
    }

    #[test]
    fn times_as_typed() {
        assert_eq!(time("1970-01-02").map(|t| t.secs()), Ok(86_400));
        assert_eq!(time("2026-06-01T14:00:00+02:00").map(|t| t.secs()), Ok(1_780_315_200));
        assert!(time("yesterday").is_err() && time("2026-02-30").is_err());
    }
}
