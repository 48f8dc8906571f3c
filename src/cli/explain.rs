//! `tlscope explain`: the page of a finding, or what a registry entry is.

use std::io::{self, Write};

use super::{OK, USAGE, complain, expect};
use crate::diagnose;
use crate::tls::names::{
    AlertDescription, CipherSuite, ExtensionType, HandshakeType, NamedGroup, ProtocolVersion, SignatureScheme,
};

/// A kind of registry entry: its word on the command line, and how an entry is found by name or number.
struct Kind {
    word: &'static str,
    find: fn(&str) -> Option<Entry>,
}

/// An entry found.
struct Entry {
    id: String,
    name: String,
    text: String,
}

/// One registry as a [`Kind`]'s lookup: by name, or by number in decimal or `0x` hexadecimal.
macro_rules! lookup {
    ($T:ident, $I:ty) => {
        |what| {
            let number = match what.strip_prefix("0x").or(what.strip_prefix("0X")) {
                Some(hex) => <$I>::from_str_radix(hex, 16).ok(),
                None => what.parse().ok(),
            };
            let spelled = what.replace([' ', '-'], "_");
            let found = number.map($T).or_else(|| $T::from_name(what)).or_else(|| $T::from_name(&spelled))?;
            Some(Entry { id: found.id(), name: found.to_string(), text: found.explain().to_string() })
        }
    };
}

const KINDS: &[Kind] = &[
    Kind { word: "alert", find: lookup!(AlertDescription, u8) },
    Kind { word: "cipher", find: lookup!(CipherSuite, u16) },
    Kind { word: "extension", find: lookup!(ExtensionType, u16) },
    Kind { word: "group", find: lookup!(NamedGroup, u16) },
    Kind { word: "signature", find: lookup!(SignatureScheme, u16) },
    Kind { word: "message", find: lookup!(HandshakeType, u8) },
    Kind { word: "version", find: lookup!(ProtocolVersion, u16) },
];

/// Writes the answer for what was typed.
pub(super) fn write(out: &mut dyn Write, topic: &[String]) -> io::Result<u8> {
    match topic {
        [] => index(out),
        [topic] if topic == expect::TOPIC => {
            out.write_all(expect::page().as_bytes())?;
            Ok(OK)
        }
        [code] => {
            if let Some(page) = diagnose::explain_page(code) {
                out.write_all(page.as_bytes())?;
                return Ok(OK);
            }
            // A name without its kind: whatever has it. Numbers mean too many things.
            let entry = KINDS.iter().find_map(|k| (k.find)(code).filter(|_| code.parse::<u32>().is_err()));
            entry.map_or_else(|| Ok(unknown(code)), |e| entry_page(out, &e))
        }
        [kind, what, ..] => match KINDS.iter().find(|k| k.word == kind.as_str()) {
            Some(k) => match (k.find)(what) {
                Some(e) => entry_page(out, &e),
                None => Ok(unknown(what)),
            },
            None => {
                let words: Vec<_> = KINDS.iter().map(|k| k.word).collect();
                complain(&format!("'{kind}' is not a kind of entry; the kinds are {}", words.join(", ")));
                Ok(USAGE)
            }
        },
    }
}

fn index(out: &mut dyn Write) -> io::Result<u8> {
    for (code, severity, title) in diagnose::index() {
        writeln!(out, "{code:38} {:8} {title}", severity.name())?;
    }
    Ok(OK)
}

fn entry_page(out: &mut dyn Write, e: &Entry) -> io::Result<u8> {
    writeln!(out, "{} ({})\n\n{}", e.name, e.id, e.text)?;
    Ok(OK)
}

fn unknown(what: &str) -> u8 {
    let mut near: Vec<(f64, &str)> =
        diagnose::index().map(|(c, _, _)| (strsim::jaro_winkler(c, what), c)).filter(|(n, _)| *n > 0.8).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<&str> = near.into_iter().map(|(_, c)| c).take(3).collect();
    let hint = if near.is_empty() {
        "`tlscope explain` lists all findings".to_owned()
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    complain(&format!("nothing is known under '{what}'; {hint}"));
    USAGE
}
