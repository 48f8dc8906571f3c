//! What can be required. A new requirement is a line in [`KEYS`], a field of [`Requirements`], and a rule in `diagnose`.

use super::error::hint;
use super::{Expectations, Pattern, Requirements};
use crate::tls::names::{CipherSuite, NamedGroup, ProtocolVersion};

/// A value as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Bool(bool),
    List(Vec<Value>),
    /// Anything else, by what TOML calls it.
    Other(&'static str),
}

/// One thing that can be required.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in the file and on the command line.
    pub name: &'static str,
    /// What stands behind it.
    pub example: &'static str,
    /// What it requires.
    pub about: &'static str,
    /// Takes a value; the error says what is allowed.
    pub(super) set: fn(&mut Requirements, &Value) -> Result<(), String>,
}

/// Something about the policy as a whole; true or false.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// Its name in the file, before the first section, and on the command line.
    pub name: &'static str,
    /// What it changes.
    pub about: &'static str,
    pub(super) set: fn(&mut Expectations, bool),
}

/// All of these.
pub const FLAGS: &[Flag] = &[
    Flag { name: "strict", about: "what cannot be judged counts as broken", set: |e, yes| e.strict = yes },
    Flag {
        name: "allow_unchecked",
        about: "an expectation that was checked on no connection is no error",
        set: |e, yes| e.allow_unchecked = yes,
    },
];

/// All that can be required.
pub const KEYS: &[Key] = &[
    Key {
        name: "mutual_tls",
        example: "true",
        about: "each client proves a certificate",
        set: |r, v| put(&mut r.mutual_tls, flag(v)),
    },
    Key {
        name: "min_version",
        example: "\"TLS 1.2\"",
        about: "no older version is negotiated",
        set: |r, v| put(&mut r.min_version, version(v)),
    },
    Key {
        name: "cipher_suites",
        example: "[\"TLS_AES_*\", \"TLS_ECDHE_*_GCM_*\"]",
        about: "only these cipher suites are negotiated; * stands for anything",
        set: |r, v| grow(&mut r.cipher_suites, suites(v)),
    },
    Key {
        name: "groups",
        example: "[\"X25519MLKEM768\", \"x25519\"]",
        about: "only these groups are used for the key exchange",
        set: |r, v| grow(&mut r.groups, groups(v)),
    },
    Key {
        name: "post_quantum",
        example: "true",
        about: "the key exchange withstands a quantum computer",
        set: |r, v| put(&mut r.post_quantum, flag(v)),
    },
    Key {
        name: "certificate_days",
        example: "14",
        about: "the server's certificates are valid for so many days after the connection",
        set: |r, v| put(&mut r.certificate_days, days(v)),
    },
    Key {
        name: "issuers",
        example: "[\"CN=Example CA,O=Example\", \"Example CA 2*\"]",
        about: "the server's certificate is issued by one of these: a whole distinguished name, or a Common Name; * stands for anything",
        set: |r, v| grow(&mut r.issuers, texts(v).map(|all| all.iter().map(|t| Pattern::new(t)).collect())),
    },
    Key {
        name: "alpn",
        example: "[\"h2\"]",
        about: "one of these application protocols is selected",
        set: |r, v| grow(&mut r.alpn, names(v)),
    },
    Key {
        name: "plaintext",
        example: "false",
        about: "no connection goes without TLS",
        set: |r, v| put(&mut r.plaintext, flag(v)),
    },
];

/// Takes `key=value` or `key` of the command line.
pub(super) fn set(to: &mut Expectations, text: &str) -> Result<(), String> {
    let (key, value) = text.split_once('=').map_or((text, "true"), |(k, v)| (k.trim(), v.trim()));
    let value = match value {
        "true" | "yes" => Value::Bool(true),
        "false" | "no" => Value::Bool(false),
        v => v.parse().map_or_else(|_| Value::Text(v.to_owned()), Value::Number),
    };
    if let Some(f) = FLAGS.iter().find(|f| f.name == key) {
        let yes = flag(&value).map_err(|e| format!("{key} {e}"))?;
        (f.set)(to, yes);
        return Ok(());
    }
    let names = KEYS.iter().map(|k| k.name).chain(FLAGS.iter().map(|f| f.name));
    let known = find(key).ok_or_else(|| unknown(key, names))?;
    (known.set)(&mut to.all, &value).map_err(|e| format!("{key} {e}"))
}

pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|k| k.name == name)
}

/// The sentence about a key that is none.
pub(super) fn unknown<'a>(key: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    format!("'{key}' is unknown{}", hint(key, known))
}

fn put<T>(to: &mut Option<T>, value: Result<T, String>) -> Result<(), String> {
    *to = Some(value?);
    Ok(())
}

fn grow<T>(to: &mut Option<Vec<T>>, values: Result<Vec<T>, String>) -> Result<(), String> {
    to.get_or_insert_default().extend(values?);
    Ok(())
}

fn flag(v: &Value) -> Result<bool, String> {
    match v {
        Value::Bool(b) => Ok(*b),
        _ => Err("must be true or false".to_owned()),
    }
}

fn days(v: &Value) -> Result<i64, String> {
    /// More than any certificate is valid for.
    const MOST: i64 = 36_500;
    match v {
        Value::Number(n) if (0..=MOST).contains(n) => Ok(*n),
        _ => Err(format!("must be a number of days from 0 to {MOST}")),
    }
}

/// One text or several.
pub(super) fn texts(v: &Value) -> Result<Vec<String>, String> {
    let one = |v: &Value| match v {
        Value::Text(t) if !t.is_empty() => Ok(t.clone()),
        _ => Err("must be a text, or a list of texts, none of them empty".to_owned()),
    };
    match v {
        Value::List(all) if all.is_empty() => Err("must not be an empty list: nothing would be allowed".to_owned()),
        Value::List(all) => all.iter().map(one).collect(),
        v => Ok(vec![one(v)?]),
    }
}

/// The same for names without commas, which may stand between several.
fn names(v: &Value) -> Result<Vec<String>, String> {
    Ok(texts(v)?.iter().flat_map(|t| t.split(',')).map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect())
}

fn version(v: &Value) -> Result<ProtocolVersion, String> {
    const ALL: [ProtocolVersion; 5] = [
        ProtocolVersion::SSL3,
        ProtocolVersion::TLS10,
        ProtocolVersion::TLS11,
        ProtocolVersion::TLS12,
        ProtocolVersion::TLS13,
    ];
    let squeeze = |s: &str| s.to_ascii_lowercase().replace([' ', 'v', '_', '-'], "");
    let found = match v {
        Value::Text(t) => {
            let t = squeeze(t);
            ALL.iter().find(|v| squeeze(&v.to_string()) == t || v.to_string().strip_prefix("TLS ") == Some(&t))
        }
        _ => None,
    };
    found.copied().ok_or_else(|| format!("must be one of {}", ALL.map(|v| format!("\"{v}\"")).join(", ")))
}

fn suites(v: &Value) -> Result<Vec<CipherSuite>, String> {
    let mut out = Vec::new();
    for name in names(v)? {
        let before = out.len();
        let pattern = Pattern::new(&name);
        out.extend(CipherSuite::all().filter(|s| s.name().is_some_and(|n| pattern.matches(n)) || s.id() == name));
        if out.len() == before {
            let known: Vec<&str> = CipherSuite::all().filter_map(CipherSuite::name).collect();
            return Err(format!("names '{name}', which is no cipher suite{}", hint(&name, known.iter().copied())));
        }
    }
    Ok(out)
}

fn groups(v: &Value) -> Result<Vec<NamedGroup>, String> {
    /// What OpenSSL and Go call them.
    const ALIASES: &[(&str, NamedGroup)] = &[
        ("P-256", NamedGroup::SECP256R1),
        ("prime256v1", NamedGroup::SECP256R1),
        ("P-384", NamedGroup::SECP384R1),
        ("P-521", NamedGroup::SECP521R1),
    ];
    let find = |name: &String| {
        let alias = ALIASES.iter().find(|(a, _)| a.eq_ignore_ascii_case(name)).map(|(_, g)| *g);
        alias
            .or_else(|| NamedGroup::from_name(name))
            .or_else(|| NamedGroup::all().find(|g| g.id() == *name))
            .ok_or_else(|| {
                let known: Vec<&str> = NamedGroup::all().filter_map(NamedGroup::name).collect();
                format!("names '{name}', which is no group{}", hint(name, known.iter().copied()))
            })
    };
    names(v)?.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Requirements, String> {
        let mut e = Expectations::default();
        set(&mut e, text).map(|()| e.all)
    }

    #[test]
    fn expectations_of_the_command_line() {
        assert_eq!(of("mutual_tls").unwrap().mutual_tls, Some(true));
        assert_eq!(of("plaintext=no").unwrap().plaintext, Some(false));
        for v in ["TLS 1.2", "1.2", "tls1.2", "TLSv1.2", "tls_1.2"] {
            assert_eq!(of(&format!("min_version={v}")).unwrap().min_version, Some(ProtocolVersion::TLS12), "{v}");
        }
        assert_eq!(of("min_version=SSL 3.0").unwrap().min_version, Some(ProtocolVersion::SSL3));
        assert_eq!(of("certificate_days=30").unwrap().certificate_days, Some(30));
        assert_eq!(of("alpn=h2, http/1.1").unwrap().alpn.unwrap(), ["h2", "http/1.1"]);
        assert_eq!(
            of("groups=x25519,P-256,0x11ec").unwrap().groups.unwrap(),
            [NamedGroup::X25519, NamedGroup::SECP256R1, NamedGroup(0x11ec)]
        );
        let suites = of("cipher_suites=TLS_AES_*,0xc02f").unwrap().cipher_suites.unwrap();
        assert!(suites.contains(&CipherSuite(0x1301)) && suites.contains(&CipherSuite(0xc02f)));
        assert!(!suites.contains(&CipherSuite(0x1303)));
        // A distinguished name has commas of its own.
        let issuers = of("issuers=CN=a,O=b").unwrap().issuers.unwrap();
        assert!(issuers.len() == 1 && issuers[0].matches("CN=a,O=b"));
    }

    #[test]
    fn what_is_wrong_is_said_with_what_is_allowed() {
        for (wrong, says) in [
            ("mutal_tls", "'mutal_tls' is unknown; did you mean mutual_tls?"),
            ("x=1", "'x' is unknown; there are mutual_tls, min_version,"),
            ("mutual_tls=maybe", "mutual_tls must be true or false"),
            ("min_version=1.4", "min_version must be one of \"SSL 3.0\", \"TLS 1.0\""),
            ("certificate_days=-1", "certificate_days must be a number of days from 0"),
            ("certificate_days=soon", "must be a number of days"),
            ("cipher_suites=TLS_AES_128_GCM_SHA265", "did you mean TLS_AES_128_GCM_SHA256?"),
            ("cipher_suites=NOTHING_*", "'NOTHING_*', which is no cipher suite"),
            ("groups=x25519mlkem", "did you mean X25519MLKEM768?"),
            ("alpn=", "none of them empty"),
            ("strict=1", "strict must be true or false"),
        ] {
            let e = of(wrong).unwrap_err();
            assert!(e.contains(says), "{wrong}: {e}");
        }
    }

    #[test]
    fn each_example_is_understood_in_a_file() {
        let all: String = KEYS.iter().map(|k| format!("{} = {}\n", k.name, k.example)).collect();
        let e = super::super::Expectations::parse(&all, "example").unwrap();
        assert!(e.all.mutual_tls.is_some() && e.all.plaintext.is_some() && e.all.issuers.is_some());
    }
}
