//! Reading an older report: one JSON document, or one object a line.

use std::io::Read;

use serde_json::Value;

use super::Baseline;
use crate::limits;
use crate::report::view::{SCHEMA_VERSION, Tool};
use crate::text::guard;

/// A baseline that cannot be used: one sentence.
#[derive(Debug, thiserror::Error)]
#[error("--baseline {path}: {message}")]
pub struct BaselineError {
    path: String,
    message: String,
}

const AGAIN: &str = "write it with `tlscope report --format json` or `ndjson`";

pub(super) fn read(from: impl Read, path: &str) -> Result<Baseline, BaselineError> {
    let wrong =
        |message: String| BaselineError { path: guard(path).into_owned(), message: guard(&message).into_owned() };
    let mut text = Vec::new();
    let most = limits::BASELINE_BYTES;
    from.take(most.saturating_add(1)).read_to_end(&mut text).map_err(|e| wrong(e.to_string()))?;
    if text.len() as u64 > most {
        return Err(wrong(format!("it is larger than {} MiB; compare a smaller capture", most >> 20)));
    }
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(wrong(format!("it is empty; {AGAIN}")));
    }
    let mut out = Baseline::default();
    let mut whole = false;
    let values = serde_json::Deserializer::from_slice(&text).into_iter::<Value>();
    for value in values {
        let value = value.map_err(|e| {
            let line = e.line();
            if e.is_eof() {
                wrong(format!("it ends in the middle of line {line}: it was cut; {AGAIN} again"))
            } else {
                wrong(format!(
                    "line {line} is not JSON ({}); {AGAIN}",
                    e.to_string().split(" at line").next().unwrap_or_default()
                ))
            }
        })?;
        match value.get("type").and_then(Value::as_str) {
            _ if whole => return Err(wrong(format!("something follows the end of the report; {AGAIN} again"))),
            Some("flow") => out.add_flow(&value),
            // A finding on the whole capture is a line of its own.
            Some("finding") => out.add_findings(&serde_json::json!({ "findings": [value] })),
            Some("summary") => {
                check(&value).map_err(wrong)?;
                whole = true;
            }
            Some(_) => return Err(wrong(format!("it is no report of tlscope; {AGAIN}"))),
            None => {
                check(&value).map_err(wrong)?;
                let flows = value.get("flows").and_then(Value::as_array);
                let flows = flows.ok_or_else(|| wrong(format!("it has no flows; {AGAIN}")))?;
                flows.iter().for_each(|f| out.add_flow(f));
                out.add_findings(&value);
                whole = true;
            }
        }
    }
    if whole { Ok(out) } else { Err(wrong(format!("it ends without its summary: it was cut; {AGAIN} again"))) }
}

/// Is it a report, and of a schema that is known here?
fn check(v: &Value) -> Result<(), String> {
    let name = v.pointer("/tool/name").and_then(Value::as_str);
    let version = v.get("schema_version").and_then(Value::as_u64);
    match (name, version) {
        (Some(name), Some(version)) if name == Tool::THIS.name => {
            if version == u64::from(SCHEMA_VERSION) {
                Ok(())
            } else {
                Err(format!(
                    "its schema version is {version}, and this program compares version {SCHEMA_VERSION}; {AGAIN} again"
                ))
            }
        }
        _ => Err(format!("it is no report of tlscope; {AGAIN}")),
    }
}
