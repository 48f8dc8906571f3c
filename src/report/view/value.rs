//! Small values and how they stand in a report: registry values, times, hexadecimal. They are written straight to the
//! output, without a string in between: a report of a large capture holds millions of them.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::LazyLock;

use hashbrown::HashMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::span::{TimeText, Timestamp};
use crate::tls::names::{
    AlertDescription, CipherSuite, ClientCertificateType, CompressionMethod, ExtensionType, NamedGroup,
    ProtocolVersion, SignatureScheme, Ssl2CipherKind,
};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The values of a registry, each as the JSON that stands for it: made once, since a report of a large capture holds
/// millions of them.
type Prepared = HashMap<u32, Box<RawValue>>;

/// A number of a registry: what a [`Code`] needs to know.
pub trait Registry: Copy + std::fmt::Display + 'static {
    /// Hexadecimal digits of an id.
    const WIDTH: usize;
    /// The number.
    fn number(self) -> u32;
    /// What stands for it, where it has a name or is GREASE.
    fn prepared(self) -> Option<&'static RawValue>;
}

macro_rules! registries {
    ($($T:ident $width:literal)*) => {$(
        impl Registry for $T {
            const WIDTH: usize = $width;
            fn number(self) -> u32 {
                u32::from(self.0)
            }
            fn prepared(self) -> Option<&'static RawValue> {
                static ALL: LazyLock<Prepared> = LazyLock::new(|| {
                    let grease = (0..16u16).filter_map(|n| Some($T((0x0a0a + n * 0x1010).try_into().ok()?)));
                    prepare($T::all().chain(grease.filter(|v| v.is_grease())))
                });
                ALL.get(&self.number()).map(AsRef::as_ref)
            }
        }
    )*};
}
registries! {
    AlertDescription 2
    ClientCertificateType 2
    CompressionMethod 2
    CipherSuite 4
    ExtensionType 4
    NamedGroup 4
    ProtocolVersion 4
    SignatureScheme 4
    Ssl2CipherKind 6
}

fn prepare<T: Registry>(values: impl Iterator<Item = T>) -> Prepared {
    values.filter_map(|v| Some((v.number(), serde_json::value::to_raw_value(&Parts::new(v)).ok()?))).collect()
}

/// A registry value: `{"id":"0x1301","name":"TLS_AES_128_GCM_SHA256"}`. The id is lower-case hexadecimal of the registry's
/// width; the name is the registry's own, `GREASE (0x4a4a)`, or the id again where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code<T>(pub T);

#[derive(Serialize)]
struct Parts {
    id: String,
    name: String,
}

impl Parts {
    fn new<T: Registry>(value: T) -> Self {
        let (number, width) = (value.number(), T::WIDTH);
        Self { id: format!("0x{number:0width$x}"), name: value.to_string() }
    }
}

impl<T: Registry> Serialize for Code<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0.prepared() {
            Some(json) => json.serialize(s),
            None => Parts::new(self.0).serialize(s),
        }
    }
}

impl<T> JsonSchema for Code<T> {
    fn schema_name() -> Cow<'static, str> {
        "RegistryValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "A value of a registry of the protocol",
            "properties": {
                "id": {"type": "string", "pattern": "^0x[0-9a-f]{2,6}$", "description": "The number, of the registry's width"},
                "name": {"type": "string", "description": "The registry's name, `GREASE (id)`, or the id where there is no name"}
            },
            "required": ["id", "name"]
        })
    }
}

/// A list of [`Code`]s over the numbers as decoded, in wire order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codes<'a, N, T> {
    numbers: &'a [N],
    kind: PhantomData<T>,
}

impl<'a, N, T> Codes<'a, N, T> {
    /// Of these numbers.
    pub fn new(numbers: &'a [N]) -> Self {
        Self { numbers, kind: PhantomData }
    }
}

impl<N: Copy, T: Registry + From<N>> Serialize for Codes<'_, N, T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut out = s.serialize_seq(Some(self.numbers.len()))?;
        for n in self.numbers {
            out.serialize_element(&Code(T::from(*n)))?;
        }
        out.end()
    }
}

impl<N, T> JsonSchema for Codes<'_, N, T> {
    fn schema_name() -> Cow<'static, str> {
        "RegistryValues".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(g: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "items": g.subschema_for::<Code<T>>()})
    }
}

/// A time: RFC 3339, UTC, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(TimeText::new(self.0.secs(), Some(self.0.0.rem_euclid(1_000_000_000))).as_str())
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

/// Bytes as lower-case hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hex<'a>(pub &'a [u8]);

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        // Randoms, session ids and digests have at most 32 bytes (RFC 8446, section 4.1.2).
        let mut buffer = [0u8; 64];
        if self.0.len() > buffer.len() / 2 {
            return s.serialize_str(&crate::text::hex(self.0));
        }
        for (pair, byte) in buffer.chunks_exact_mut(2).zip(self.0) {
            if let [high, low] = pair {
                *high = DIGITS.get(usize::from(byte >> 4)).copied().unwrap_or(b'0');
                *low = DIGITS.get(usize::from(byte & 15)).copied().unwrap_or(b'0');
            }
        }
        let text = buffer.get(..self.0.len().saturating_mul(2)).unwrap_or_default();
        s.serialize_str(std::str::from_utf8(text).unwrap_or_default())
    }
}

impl JsonSchema for Hex<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Hex".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^([0-9a-f]{2})*$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(v: &impl Serialize) -> String {
        serde_json::to_string(v).unwrap()
    }

    #[test]
    fn registry_values() {
        assert_eq!(json(&Code(CipherSuite(0x1301))), r#"{"id":"0x1301","name":"TLS_AES_128_GCM_SHA256"}"#);
        assert_eq!(json(&Code(CipherSuite(0x4a4a))), r#"{"id":"0x4a4a","name":"GREASE (0x4a4a)"}"#);
        assert_eq!(json(&Code(ExtensionType(0xfafa))), r#"{"id":"0xfafa","name":"GREASE (0xfafa)"}"#);
        assert_eq!(json(&Code(ExtensionType(0xfafb))), r#"{"id":"0xfafb","name":"0xfafb"}"#);
        assert_eq!(json(&Code(AlertDescription(40))), r#"{"id":"0x28","name":"handshake_failure"}"#);
        assert_eq!(json(&Code(AlertDescription(200))), r#"{"id":"0xc8","name":"0xc8"}"#);
        assert_eq!(
            json(&Code(Ssl2CipherKind(0x0700c0))),
            r#"{"id":"0x0700c0","name":"SSL_CK_DES_192_EDE3_CBC_WITH_MD5"}"#
        );
        let list: Codes<'_, u16, NamedGroup> = Codes::new(&[0x1d, 0x11ec]);
        assert_eq!(json(&list), r#"[{"id":"0x001d","name":"x25519"},{"id":"0x11ec","name":"X25519MLKEM768"}]"#);
    }

    #[test]
    fn ids_are_those_of_the_registries() {
        for n in [0, 1, 9, 0x0a, 0xff, 0x1301, 0xfafa, 0xffff] {
            let json = json(&Code(CipherSuite(n)));
            assert!(json.contains(&format!("\"id\":\"{}\"", CipherSuite(n).id())), "{json}");
        }
    }

    #[test]
    fn bytes_in_hexadecimal() {
        assert_eq!(json(&Hex(&[])), "\"\"");
        assert_eq!(json(&Hex(&[0, 0x1f, 0xff])), "\"001fff\"");
        assert_eq!(json(&Hex(&[0xab; 32])), format!("\"{}\"", "ab".repeat(32)));
        assert_eq!(json(&Hex(&[0xab; 33])), format!("\"{}\"", "ab".repeat(33)));
    }
}
