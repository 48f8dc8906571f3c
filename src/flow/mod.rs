//! From segments to streams: connections, who opened and closed them, and their bytes in order.
//!
//! Three inputs only reach the protocols above: data, gap and end.

mod gap;
mod history;
mod key;
mod pace;
mod prefix;
mod stream;
mod table;
mod tcp;

pub use gap::{Gap, GapReason};
pub use history::Conflict;
pub use key::{Endpoint, Endpoints, FlowKey};
pub use pace::{Pace, Pause};
pub use prefix::{NoPrefix, Prefix};
pub use stream::{Assembler, Payload, StreamCounts, StreamEvent};
pub use table::{FlowIndex, FlowTable, Holds};
pub use tcp::{Connection, Mark, Sightings, TcpFacts, Unreachable};
