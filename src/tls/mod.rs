//! TLS and SSL as spoken on the wire: records, handshake messages, extensions, alerts, registries, fingerprints.
//!
//! [`Session`] takes the bytes and holes of both directions and says what happened as [`Event`]s. Each message is decoded
//! by one decoder with two uses: as facts here, as a tree of fields in [`explain`].

mod explain;
pub mod ext;
pub mod extent;
pub mod fingerprint;
pub mod handshake;
mod joiner;
pub mod names;
pub mod record;
mod session;
mod ssl2;

pub use explain::{explain, explain_alert};
pub use extent::{Extent, Extents};
pub use session::{Anomaly, AnomalyKind, Event, Events, Message, RecordInfo, Session, Start};
