//! Reading a policy from TOML: what is not known is an error, with its line.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ExpectError;
use super::keys::{self, FLAGS, KEYS, Value, texts, unknown};
use super::{Expectations, Pattern, Section};
use crate::flow::Prefix;
use crate::text::guard;

/// The name of sections.
const SECTION: &str = "server";

/// A condition of a section.
type Condition = fn(&mut Section, &Value) -> Result<(), String>;

/// All of them by their key.
const CONDITIONS: &[(&str, Condition)] = &[("address", address), ("port", port), ("name", name)];

/// A text with its name, to say where something is wrong.
struct Source<'t> {
    text: &'t str,
    path: &'t str,
}

impl Source<'_> {
    fn error(&self, at: Option<Range<usize>>, message: impl Into<String>) -> ExpectError {
        let line =
            at.and_then(|at| self.text.get(..at.start)).map(|before| before.matches('\n').count().saturating_add(1));
        let path = guard(self.path);
        let place = line.map_or_else(|| path.to_string(), |n| format!("{path}, line {n}"));
        ExpectError::new(Some(place), guard(&message.into()).into_owned())
    }
}

pub(super) fn parse(text: &str, path: &str) -> Result<Expectations, ExpectError> {
    let source = Source { text, path };
    let table = DeTable::parse(text)
        .map_err(|e| source.error(e.span(), format!("not TOML: {}", e.message().replace('\n', ", "))))?;
    let mut out = Expectations::default();
    for (key, value) in in_order(table.get_ref()) {
        let name = key.get_ref().as_ref();
        let wrong = |message: String| source.error(Some(key.span()), message);
        if name == SECTION {
            let sections = value.get_ref().as_array();
            let sections = sections.ok_or_else(|| wrong(format!("{SECTION} must be a section [[{SECTION}]]")))?;
            for s in sections.iter() {
                let table = s.get_ref().as_table();
                let table = table.ok_or_else(|| wrong(format!("{SECTION} must be a section [[{SECTION}]]")))?;
                out.sections.push(section(&source, table, s.span())?);
            }
        } else if let Some(flag) = FLAGS.iter().find(|f| f.name == name) {
            let yes = value.get_ref().as_bool();
            (flag.set)(&mut out, yes.ok_or_else(|| wrong(format!("{name} must be true or false")))?);
        } else if let Some(k) = keys::find(name) {
            (k.set)(&mut out.all, &plain(value.get_ref())).map_err(|e| wrong(format!("{name} {e}")))?;
        } else if CONDITIONS.iter().any(|(n, _)| *n == name) {
            return Err(wrong(format!("{name} is a condition, which stands in a section [[{SECTION}]]")));
        } else {
            let known = KEYS.iter().map(|k| k.name).chain(FLAGS.iter().map(|f| f.name)).chain([SECTION]);
            return Err(wrong(unknown(name, known)));
        }
    }
    if out.is_empty() {
        return Err(source.error(
            None,
            format!("expects nothing; there are {}", KEYS.iter().map(|k| k.name).collect::<Vec<_>>().join(", ")),
        ));
    }
    Ok(out)
}

fn section(source: &Source<'_>, table: &DeTable<'_>, at: Range<usize>) -> Result<Section, ExpectError> {
    let mut out = Section::default();
    let mut titles = Vec::new();
    let mut requires = false;
    for (key, value) in in_order(table) {
        let name = key.get_ref().as_ref();
        let wrong = |message: String| source.error(Some(key.span()), message);
        let value = plain(value.get_ref());
        if let Some((_, set)) = CONDITIONS.iter().find(|(n, _)| *n == name) {
            set(&mut out, &value).map_err(|e| wrong(format!("{name} {e}")))?;
            titles.push(format!("{name} {}", shown(&value)));
        } else if let Some(k) = keys::find(name) {
            (k.set)(&mut out.require, &value).map_err(|e| wrong(format!("{name} {e}")))?;
            requires = true;
        } else if FLAGS.iter().any(|f| f.name == name) {
            return Err(wrong(format!("{name} stands before the first section")));
        } else {
            return Err(wrong(unknown(name, CONDITIONS.iter().map(|c| c.0).chain(KEYS.iter().map(|k| k.name)))));
        }
    }
    let conditions = || CONDITIONS.iter().map(|c| c.0).collect::<Vec<_>>().join(", ");
    if titles.is_empty() {
        return Err(source.error(
            Some(at),
            format!(
                "the section says of no server ({}); what holds for all stands before the first section",
                conditions()
            ),
        ));
    }
    if !requires {
        return Err(source.error(Some(at), "the section requires nothing".to_owned()));
    }
    out.title = guard(&titles.join(", ")).into_owned();
    Ok(out)
}

/// Keys in the order of the file, so that the first error is the first in it.
fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(&'t Spanned<std::borrow::Cow<'i, str>>, &'t Spanned<DeValue<'i>>)> {
    let mut all: Vec<_> = table.iter().collect();
    all.sort_by_key(|(k, _)| k.span().start);
    all
}

fn plain(v: &DeValue<'_>) -> Value {
    match v {
        DeValue::String(s) => Value::Text(s.to_string()),
        DeValue::Integer(n) => {
            i64::from_str_radix(n.as_str(), n.radix()).map_or(Value::Other("integer out of range"), Value::Number)
        }
        DeValue::Boolean(b) => Value::Bool(*b),
        DeValue::Array(all) => Value::List(all.iter().map(|v| plain(v.get_ref())).collect()),
        other => Value::Other(other.type_str()),
    }
}

fn shown(v: &Value) -> String {
    match v {
        Value::Text(t) => t.clone(),
        Value::Number(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::List(all) => all.iter().map(shown).collect::<Vec<_>>().join(", "),
        Value::Other(what) => (*what).to_owned(),
    }
}

fn address(s: &mut Section, v: &Value) -> Result<(), String> {
    for t in texts(v)? {
        let prefix: Prefix = t.parse().map_err(|_| format!("'{t}' is no address and no prefix such as 10.0.0.0/8"))?;
        s.addresses.push(prefix);
    }
    Ok(())
}

fn name(s: &mut Section, v: &Value) -> Result<(), String> {
    s.names.extend(texts(v)?.iter().map(|t| Pattern::new(t)));
    Ok(())
}

fn port(s: &mut Section, v: &Value) -> Result<(), String> {
    let wrong = || "must be a port (0 to 65535), a range such as \"8000-8999\", or a list of these".to_owned();
    let one = |v: &Value| -> Option<(u16, u16)> {
        match v {
            Value::Number(n) => u16::try_from(*n).ok().map(|p| (p, p)),
            Value::Text(t) => {
                let (from, to) = t.split_once('-').unwrap_or((t, t));
                let (from, to) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
                (from <= to).then_some((from, to))
            }
            _ => None,
        }
    };
    match v {
        Value::List(all) if !all.is_empty() => {
            for v in all {
                s.ports.push(one(v).ok_or_else(wrong)?);
            }
        }
        v => s.ports.push(one(v).ok_or_else(wrong)?),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (toml, says) in [
            ("", "p.toml: expects nothing; there are mutual_tls, min_version"),
            ("strict = true", "p.toml: expects nothing"),
            ("# a\nmin_version = ", "p.toml, line 2: not TOML: "),
            ("mutual_tls = true\nmutual_tls = true", "p.toml, line 2: not TOML: "),
            ("\n\nmin_verson = '1.2'", "p.toml, line 3: 'min_verson' is unknown; did you mean min_version?"),
            ("min_version = 1.2", "p.toml, line 1: min_version must be one of"),
            ("mutual_tls = 'yes'", "p.toml, line 1: mutual_tls must be true or false"),
            ("certificate_days = 99999999999999999999", "p.toml, line 1: certificate_days must be a number of days"),
            ("strict = 1", "p.toml, line 1: strict must be true or false"),
            ("alpn = []", "p.toml, line 1: alpn must not be an empty list"),
            ("alpn = [1]", "p.toml, line 1: alpn must be a text"),
            ("port = 1", "p.toml, line 1: port is a condition"),
            ("server = 1", "p.toml, line 1: server must be a section [[server]]"),
            ("server = [1]", "p.toml, line 1: server must be a section [[server]]"),
            ("[server]\nport = 1", "p.toml, line 1: server must be a section [[server]]"),
            ("alpn = 'h2'\n[[server]]\nmutual_tls = true", "p.toml, line 2: the section says of no server"),
            ("[[server]]\nport = 1", "p.toml, line 1: the section requires nothing"),
            ("[[server]]\nport = 1\nstrict = true", "p.toml, line 3: strict stands before the first section"),
            ("[[server]]\nprt = 1", "p.toml, line 2: 'prt' is unknown; did you mean port?"),
            ("[[server]]\nport = 65536", "p.toml, line 2: port must be a port (0 to 65535)"),
            ("[[server]]\nport = '9-8'", "p.toml, line 2: port must be a port"),
            ("[[server]]\nport = []", "p.toml, line 2: port must be a port"),
            ("[[server]]\naddress = 'host'", "p.toml, line 2: address 'host' is no address"),
            ("[[server]]\nname = ['']", "p.toml, line 2: name must be a text"),
            ("[[servers]]\nport = 1", "p.toml, line 1: 'servers' is unknown; did you mean server?"),
            ("'\\u001b[31m' = 1", "p.toml, line 1: "),
        ] {
            let e = parse(toml, "p.toml").unwrap_err().to_string();
            assert!(e.starts_with(says), "{toml:?}: {e}");
            assert!(!e.chars().any(crate::text::is_unsafe), "{e:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(s in "(\\[\\[server\\]\\]|port|name|alpn|[=\n'0-9\\[\\],.a-]| ){0,30}") {
            let _ = parse(&s, "p");
        }
    }
}
