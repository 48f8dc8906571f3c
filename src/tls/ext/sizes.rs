//! Sizes of records and of the hello itself.

use super::Place;
use crate::reader::{Decoded, Reader};
use crate::tls::handshake::Extensions;
use crate::tls::handshake::parts::{illegal, size_text, small};

/// Smallest legal `record_size_limit` (RFC 8449, section 4).
const MIN_RECORD_SIZE: u16 = 64;

/// `max_fragment_length` (RFC 6066, section 4).
pub(super) fn max_fragment_length(r: &mut Reader<'_>, _: Place, out: &mut Extensions) -> Decoded<()> {
    let at = r.at();
    let code = small(r, "MaxFragmentLength", |c| match c {
        1..=4 => format!("{} bytes", 256u32 << c),
        c => format!("unknown ({c})"),
    })?;
    out.max_fragment_length = Some(code);
    if (1..=4).contains(&code) { Ok(()) } else { Err(illegal("MaxFragmentLength", at)) }
}

/// `record_size_limit` (RFC 8449, section 4).
pub(super) fn record_size_limit(r: &mut Reader<'_>, _: Place, out: &mut Extensions) -> Decoded<()> {
    let at = r.at();
    let limit = r.u16("RecordSizeLimit")?;
    r.meaning(|| size_text(usize::from(limit)));
    out.record_size_limit = Some(limit);
    if limit < MIN_RECORD_SIZE { Err(illegal("RecordSizeLimit", at)) } else { Ok(()) }
}

/// `padding` (RFC 7685, section 3): zeros.
pub(super) fn padding(r: &mut Reader<'_>, _: Place, _: &mut Extensions) -> Decoded<()> {
    let at = r.at();
    let b = r.remaining("padding");
    r.meaning(|| size_text(b.len()));
    if b.iter().any(|b| *b != 0) { Err(illegal("padding", at)) } else { Ok(()) }
}
