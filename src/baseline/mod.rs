//! A report against an older one: has a server's handshake changed, and which findings are new?
//!
//! The older report is JSON or NDJSON as `tlscope report` writes it. Of both, only the values of each server are kept: those
//! that [`compare::lasting`] names.

mod read;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::analyzer::FlowReport;
use crate::compare;
use crate::diagnose::{self, Finding, Severity};
use crate::limits;
use crate::redact::Names;
use crate::report::view::Flow;
use crate::text;

pub use read::BaselineError;

/// What one server did, by field.
type Habits = BTreeMap<Field, BTreeSet<String>>;

/// A field that is compared: section and name.
type Field = (&'static str, &'static str);

/// The servers of a report and what they did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Servers {
    /// By how a person names them.
    known: BTreeMap<String, Habits>,
    /// Fields of servers that had more values than are kept.
    full: BTreeSet<(String, Field)>,
    /// Flows of further servers than are kept.
    left_out: u64,
}

/// An older report, as far as it is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    servers: Servers,
    fingerprints: BTreeSet<String>,
}

impl Baseline {
    /// Reads an older report; `path` names it in errors.
    ///
    /// # Errors
    /// When it cannot be read, is damaged, or is no report of this schema.
    pub fn read(from: impl std::io::Read, path: &str) -> Result<Self, BaselineError> {
        read::read(from, path)
    }

    fn add_flow(&mut self, flow: &Value) {
        self.servers.add(flow);
        self.add_findings(flow);
    }

    /// Takes the fingerprints of a flow's or a document's findings.
    fn add_findings(&mut self, of: &Value) {
        let all = of.get("findings").and_then(Value::as_array).into_iter().flatten();
        let all = all.filter_map(|f| f.get("fingerprint").and_then(Value::as_str));
        self.fingerprints.extend(all.map(str::to_owned));
    }
}

/// Where a finding is new: servers and flows.
#[derive(Clone, Debug, Default)]
struct Found {
    servers: BTreeSet<String>,
    /// There are others.
    more: bool,
    flows: Vec<u64>,
}

/// New findings by code and severity.
#[derive(Clone, Debug, Default)]
struct News(BTreeMap<(&'static str, Severity), Found>);

/// The comparison of a report that is being written with an older one.
#[derive(Clone, Debug)]
pub struct Comparison {
    old: Baseline,
    new: Servers,
    /// Findings that are told when they are new.
    least: Severity,
    /// Ids of the flows of a server.
    flows: BTreeMap<String, Vec<u64>>,
    found: News,
}

impl Comparison {
    /// With this older report; `least` is the severity from which on a new finding is told.
    pub fn new(old: Baseline, least: Severity) -> Self {
        Self { old, new: Servers::default(), least, flows: BTreeMap::new(), found: News::default() }
    }

    /// Takes a flow of the new report.
    pub fn add(&mut self, f: &FlowReport) {
        // A flow holds nothing that could fail to become JSON.
        let value = serde_json::to_value(Flow::from_report(f)).unwrap_or_default();
        let server = self.new.add(&value);
        if let Some(server) = &server {
            push(self.flows.entry(server.clone()).or_default(), f.facts.id);
        }
        let server = server.or_else(|| server_of(&value));
        for finding in &f.diagnosis.findings {
            self.found.add(&self.old, self.least, finding, server.as_deref(), &[f.facts.id]);
        }
    }

    /// What differs, when all flows are there; `capture` are the report's findings on the whole capture. With `names` it is
    /// told with the names that they give; what is compared are the true ones.
    pub fn findings(mut self, capture: &[Finding], mut names: Option<&mut Names>) -> Vec<Finding> {
        let is_redacted = names.is_some();
        let mut told = |server: &String| names.as_mut().map_or_else(|| server.clone(), |n| n.server(server));
        for finding in capture {
            self.found.add(&self.old, self.least, finding, None, &finding.flows);
        }
        let mut out = Vec::new();
        for (server, now) in &self.new.known {
            let Some(before) = self.old.servers.known.get(server) else { continue };
            // Whether a value is new cannot be said where not all of the older ones were kept.
            let is_whole = |field: &Field| !self.old.servers.full.contains(&(server.clone(), *field));
            let changes: Vec<String> = now
                .iter()
                .filter(|(field, _)| is_whole(field))
                .filter_map(|(field, now)| change(*field, before.get(field), now, is_redacted))
                .collect();
            if !changes.is_empty() {
                out.extend(diagnose::baseline_changed(
                    &told(server),
                    &changes,
                    self.flows.get(server).cloned().unwrap_or_default(),
                ));
            }
        }
        for ((code, severity), Found { servers, more, flows }) in &self.found.0 {
            let mut servers: Vec<String> = servers.iter().map(&mut told).collect();
            servers.extend(more.then(|| "others that are not listed".to_owned()));
            out.extend(diagnose::baseline_new_finding(code, *severity, &servers, flows.clone()));
        }
        let only = |a: &Servers, b: &Servers| -> Vec<String> {
            a.known.keys().filter(|k| !b.known.contains_key(*k)).cloned().collect()
        };
        let (old, new) = (&self.old.servers, &self.new);
        let (gone, came) = (only(old, new), only(new, old));
        let nothing = self.new.known.len() == came.len();
        // What one side left out may be what only the other one seems to have.
        let [gone, came] = [(gone, new.left_out), (came, old.left_out)].map(|(list, left_out)| {
            if left_out > 0 { Vec::new() } else { list.iter().map(&mut told).collect::<Vec<_>>() }
        });
        let mut beyond = Vec::new();
        for (n, of) in [(old.left_out, "the baseline"), (new.left_out, "this report")] {
            if n > 0 {
                let flows = text::count(n, "flow");
                beyond.push(format!("{flows} of {of} to further servers than the first {}", limits::BASELINE_SERVERS));
            }
        }
        for (server, (section, name)) in old.full.union(&new.full) {
            if new.known.contains_key(server) && old.known.contains_key(server) {
                beyond.push(format!(
                    "{}: more than {} values of {section}, {name}",
                    told(server),
                    limits::BASELINE_VALUES
                ));
            }
        }
        out.extend(diagnose::baseline_not_compared(&gone, &came, &beyond, nothing));
        out
    }

    /// The finding fails the report: a change, a comparison with nothing, and whatever is new.
    pub fn breaks(f: &Finding) -> bool {
        f.code == diagnose::NEW_FINDING || f.code.starts_with("baseline-") && f.severity == Severity::Error
    }
}

impl News {
    /// Takes a finding that the older report has not.
    fn add(&mut self, old: &Baseline, least: Severity, f: &Finding, server: Option<&str>, flows: &[u64]) {
        if f.severity < least || old.fingerprints.contains(&f.fingerprint.to_string()) {
            return;
        }
        let found = self.0.entry((f.code, f.severity)).or_default();
        let server = server.unwrap_or("the whole capture");
        if found.servers.len() < limits::BASELINE_VALUES {
            found.servers.insert(server.to_owned());
        } else {
            found.more |= !found.servers.contains(server);
        }
        flows.iter().for_each(|id| push(&mut found.flows, *id));
    }
}

/// Values that the server never had before; of a name only that it is another, where names are replaced. Where nothing was
/// known before, nothing has changed.
fn change(
    field: (&str, &str),
    before: Option<&BTreeSet<String>>,
    now: &BTreeSet<String>,
    is_redacted: bool,
) -> Option<String> {
    let before = before?;
    let new: Vec<&str> = now.difference(before).map(String::as_str).collect();
    if new.is_empty() {
        return None;
    }
    let old: Vec<&str> = before.iter().map(String::as_str).collect();
    let (section, name) = field;
    // Fields of these sections have names that say enough.
    let name = if matches!(section, "negotiated") { name.to_owned() } else { format!("{section}, {name}") };
    if is_redacted && compare::is_of_names(field) {
        return Some(format!("{name}: was another name"));
    }
    Some(format!("{name}: was {}, is {}", old.join(" or "), new.join(" or ")))
}

fn push(list: &mut Vec<u64>, id: u64) {
    if list.len() < limits::BASELINE_VALUES {
        list.push(id);
    }
}

impl Servers {
    /// Takes a flow as a report has it; gives its server. What is beyond a cap is not compared, and counted.
    fn add(&mut self, flow: &Value) -> Option<String> {
        let server = server_of(flow).filter(|_| flow.get("protocol").and_then(Value::as_str) != Some("none"))?;
        if self.known.len() >= limits::BASELINE_SERVERS && !self.known.contains_key(&server) {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        let habits = self.known.entry(server.clone()).or_default();
        for (field, value) in compare::lasting(flow) {
            let values = habits.entry(field).or_default();
            if values.len() < limits::BASELINE_VALUES {
                values.insert(value);
            } else if !values.contains(&value) {
                self.full.insert((server.clone(), field));
            }
        }
        Some(server)
    }
}

/// `192.0.2.1:8443 (name.example)`.
fn server_of(flow: &Value) -> Option<String> {
    let server = flow.get("server")?;
    let ip: std::net::IpAddr = server.get("ip")?.as_str()?.parse().ok()?;
    let port = u16::try_from(server.get("port")?.as_u64()?).ok()?;
    let end = crate::flow::Endpoint { ip, port };
    let name = flow.pointer("/client_hello/server_name").and_then(Value::as_str);
    Some(match name {
        Some(name) => format!("{end} ({})", name.to_ascii_lowercase()),
        None => end.to_string(),
    })
}

#[cfg(test)]
mod tests;
