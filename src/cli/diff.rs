//! `tlscope diff A#12 B#15`: two flows, field by field.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{DiffArgs, Global};
use super::{DAMAGED, USAGE, complain, confine, input};
use crate::analyzer::FlowReport;
use crate::capture::{Error, Opened};
use crate::compare::{Difference, compare};
use crate::facts::FlowFacts;
use crate::report::view::{End, SCHEMA_VERSION, Tool};
use crate::sandbox::Needs;
use crate::span::Role;
use crate::text::{escape, guard};

/// A flow as it is named on the command line: `capture.pcapng#12`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    file: PathBuf,
    id: u64,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    tool: Tool,
    a: Which<'a>,
    b: Which<'a>,
    differences: &'a [Difference],
}

#[derive(Serialize)]
struct Which<'a> {
    path: std::borrow::Cow<'a, str>,
    id: u64,
    client: End,
    server: End,
}

/// Runs it; gives the exit code. `Err` is an error of the output.
pub(super) fn write(out: &mut dyn Write, args: &DiffArgs, global: &Global) -> io::Result<u8> {
    let names = Name::parse(&args.first, None).and_then(|a| Ok((Name::parse(&args.second, Some(&a.file))?, a)));
    let (b, a) = match names {
        Ok(names) => names,
        Err(sentence) => {
            complain(&sentence);
            return Ok(USAGE);
        }
    };
    // Everything is opened while there is a right to.
    let files = (Opened::new(&a.file), (a.file != b.file).then(|| Opened::new(&b.file)));
    if let Err(e) = confine(Needs::default(), global) {
        complain(&e);
        return Ok(DAMAGED);
    }
    let (first, second, code) = match find(&a, &b, files) {
        Ok(found) => found,
        Err((code, sentence)) => {
            complain(&sentence);
            return Ok(code);
        }
    };
    let all = compare(&first, &second);
    if args.format == "json" {
        let paths = [a.file.to_string_lossy(), b.file.to_string_lossy()];
        let which = |path, f: &FlowFacts| Which {
            path: escape(path),
            id: f.id,
            client: f.end(Role::Client).into(),
            server: f.end(Role::Server).into(),
        };
        let document = Document {
            schema_version: SCHEMA_VERSION,
            tool: Tool::THIS,
            a: which(&paths[0], &first.facts),
            b: which(&paths[1], &second.facts),
            differences: &all,
        };
        serde_json::to_writer(&mut *out, &document)?;
        writeln!(out)?;
        return Ok(code);
    }
    for (label, name, f) in [("A", &a, &first.facts), ("B", &b, &second.facts)] {
        let file = name.file.to_string_lossy();
        writeln!(out, "{label}  {}#{}  {} to {}", escape(&file), f.id, f.end(Role::Client), f.end(Role::Server))?;
    }
    text(out, &all, args.all)?;
    Ok(code)
}

/// Differing fields by section, equal ones by name only.
fn text(out: &mut dyn Write, all: &[Difference], equal_too: bool) -> io::Result<()> {
    let (differs, nothing) = if super::locale_is_utf8() { ("≠", "–") } else { ("!=", "-") };
    for section in all.chunk_by(|a, b| a.section == b.section) {
        let Some(first) = section.first() else { continue };
        writeln!(out, "\n{}", first.section)?;
        let mut equal = Vec::new();
        for d in section {
            let value = |v: &Option<String>| v.as_deref().map_or_else(|| nothing.to_owned(), |v| guard(v).into_owned());
            if d.equal && !equal_too {
                equal.push(d.name);
            } else if d.a == d.b {
                writeln!(out, "    {}: {}", d.name, value(&d.a))?;
            } else {
                let mark = if d.equal { " " } else { differs };
                writeln!(out, "  {mark} {}\n      A  {}\n      B  {}", d.name, value(&d.a), value(&d.b))?;
                if let Some(note) = &d.note {
                    writeln!(out, "      {}", guard(note))?;
                }
            }
        }
        if !equal.is_empty() {
            writeln!(out, "    equal: {}", equal.join(", "))?;
        }
    }
    let different = all.iter().filter(|d| !d.equal).count();
    writeln!(out, "\n{different} of {} fields differ", all.len())
}

impl Name {
    /// `FILE#ID`; a number alone is a flow of `before`.
    fn parse(text: &Path, before: Option<&Path>) -> Result<Self, String> {
        let shown = text.to_string_lossy();
        if let (Some(file), Ok(id)) = (before, shown.trim_start_matches('#').parse()) {
            return Ok(Self { file: file.to_owned(), id });
        }
        let parts = shown.rsplit_once('#').and_then(|(file, id)| Some((file, id.parse().ok()?)));
        match parts {
            Some((file, id)) if !file.is_empty() => Ok(Self { file: file.into(), id }),
            _ => {
                Err(format!("'{shown}' names no flow; write FILE#ID with the number that `tlscope report FILE` shows"))
            }
        }
    }
}

/// A file that was opened, or why it could not be.
type File = Result<Opened, Error>;

/// Finds both flows, and the exit code for what they were read from. A file with both is read once.
fn find(a: &Name, b: &Name, files: (File, Option<File>)) -> Result<(FlowReport, FlowReport, u8), (u8, String)> {
    let (file, other) = files;
    match other {
        None => {
            let (flows, code) = read(file, &[a.id, b.id])?;
            Ok((pick(&flows, a)?, pick(&flows, b)?, code))
        }
        Some(other) => {
            let (first, code) = read(file, &[a.id])?;
            let (second, worse) = read(other, &[b.id])?;
            Ok((pick(&first, a)?, pick(&second, b)?, code.max(worse)))
        }
    }
}

fn pick(flows: &[FlowReport], name: &Name) -> Result<FlowReport, (u8, String)> {
    let none = || format!("{} has no TLS flow #{}; `tlscope report` shows the numbers", name.file.display(), name.id);
    flows.iter().find(|f| f.facts.id == name.id).cloned().ok_or_else(|| (USAGE, none()))
}

/// The flows of these ids.
fn read(file: File, ids: &[u64]) -> Result<(Vec<FlowReport>, u8), (u8, String)> {
    let mut kept = Vec::new();
    let info = file.and_then(|f| input::flows(f, |f| kept.extend(ids.contains(&f.facts.id).then_some(f))));
    let info = info.map_err(|e| (DAMAGED, e.to_string()))?;
    Ok((kept, input::verdict(&info)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_are_named_by_file_and_number() {
        let name = |file: &str, id| Ok(Name { file: file.into(), id });
        let parse = |text: &str, before: Option<&str>| Name::parse(Path::new(text), before.map(Path::new));
        assert_eq!(parse("a.pcap#12", None), name("a.pcap", 12));
        assert_eq!(parse("a#b.pcap#7", Some("x")), name("a#b.pcap", 7));
        assert_eq!(parse("15", Some("a.pcap")), name("a.pcap", 15));
        assert_eq!(parse("#15", Some("a.pcap")), name("a.pcap", 15));
        for wrong in ["a.pcap", "15", "#15", "a.pcap#", "a.pcap#x", "a.pcap#-1"] {
            assert!(parse(wrong, None).unwrap_err().contains("FILE#ID"), "{wrong}");
        }
    }
}
