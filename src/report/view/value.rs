//! Small values and how they stand in a report: registry values, times, hexadecimal. They are written straight to the
//! output, without a string in between: a report of a large capture holds millions of them.

use std::borrow::Cow;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::{SerializeSeq, SerializeStruct};
use serde::{Serialize, Serializer};

use crate::span::{Timestamp, civil_from_days};
use crate::tls::names::{
    AlertDescription, CipherSuite, ClientCertificateType, CompressionMethod, ExtensionType, NamedGroup,
    ProtocolVersion, SignatureScheme, Ssl2CipherKind,
};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A number of a registry: what a [`Code`] needs to know.
pub trait Registry: Copy + std::fmt::Display {
    /// Hexadecimal digits of an id.
    const WIDTH: usize;
    /// The number.
    fn number(self) -> u32;
    /// Its registered name.
    fn registered(self) -> Option<&'static str>;
}

macro_rules! registries {
    ($($T:ident $width:literal)*) => {$(
        impl Registry for $T {
            const WIDTH: usize = $width;
            fn number(self) -> u32 {
                u32::from(self.0)
            }
            fn registered(self) -> Option<&'static str> {
                self.name()
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

/// A registry value: `{"id":"0x1301","name":"TLS_AES_128_GCM_SHA256"}`. The id is lower-case hexadecimal of the registry's
/// width; the name is the registry's own, `GREASE (0x4a4a)`, or the id again where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code<T>(pub T);

impl<T: Registry> Serialize for Code<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut id = [0u8; 8];
        let id = prefixed_hex(self.0.number(), T::WIDTH, &mut id);
        let mut out = s.serialize_struct("Code", 2)?;
        out.serialize_field("id", id)?;
        match self.0.registered() {
            Some(name) => out.serialize_field("name", name)?,
            None => out.serialize_field("name", &Shown(self.0))?,
        }
        out.end()
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

struct Shown<T>(T);

impl<T: std::fmt::Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
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

fn prefixed_hex(number: u32, width: usize, out: &mut [u8; 8]) -> &str {
    out[0] = b'0';
    out[1] = b'x';
    let width = width.min(6);
    for (i, slot) in out.iter_mut().skip(2).take(width).enumerate() {
        let shift = width.saturating_sub(i).saturating_sub(1).saturating_mul(4);
        let digit = (number >> shift) & 15;
        *slot = DIGITS.get(digit as usize).copied().unwrap_or(b'0');
    }
    out.get(..width.saturating_add(2)).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default()
}

/// A time: RFC 3339, UTC, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub Timestamp);

/// Bytes of a [`Time`]'s text.
const TIME_BYTES: usize = 30;

impl Time {
    /// The same text as the [`Timestamp`]'s own, made without the formatting machinery.
    fn text(self, out: &mut [u8; TIME_BYTES]) -> &str {
        *out = *b"0000-00-00T00:00:00.000000000Z";
        let secs = self.0.secs();
        let (y, m, d) = civil_from_days(secs.div_euclid(86_400));
        let tod = secs.rem_euclid(86_400);
        let nanos = self.0.0.rem_euclid(1_000_000_000);
        let parts: [(usize, usize, i64); 7] = [
            (0, 4, y),
            (5, 2, m),
            (8, 2, d),
            (11, 2, tod / 3600),
            (14, 2, tod / 60 % 60),
            (17, 2, tod % 60),
            (20, 9, nanos),
        ];
        for (at, width, value) in parts {
            let mut left = value.unsigned_abs();
            for slot in out.iter_mut().skip(at).take(width).rev() {
                *slot = b'0'.saturating_add((left % 10) as u8);
                left /= 10;
            }
        }
        std::str::from_utf8(out).unwrap_or_default()
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.text(&mut [0; TIME_BYTES]))
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
    fn times_are_the_timestamps_own() {
        for t in [0, 1, -1, i64::MAX, i64::MIN, 1_700_000_000_123_456_789, 951_782_400_000_000_000] {
            assert_eq!(Time(Timestamp(t)).text(&mut [0; TIME_BYTES]), Timestamp(t).to_string());
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
