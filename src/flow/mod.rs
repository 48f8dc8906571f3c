//! From segments to streams: connections, who opened and closed them, and their bytes in order.
//!
//! Three inputs only reach the protocols above: data, gap and end.

mod key;
mod stream;
mod table;
mod tcp;

pub use key::{Endpoint, Endpoints, FlowKey};
pub use stream::{Assembler, Conflict, Gap, GapReason, Payload, StreamCounts, StreamEvent};
pub use table::{FlowIndex, FlowTable};
pub use tcp::{Connection, Mark, Sightings, TcpFacts};
