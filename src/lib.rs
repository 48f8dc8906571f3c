//! tlscope: why a TLS handshake failed, from what a capture shows.
//!
//! # The path of the data
//!
//! It reads top to bottom in this file, and **a module uses only modules above it** (`tests/it/house.rs` checks it).
//!
//! ```text
//! bytes ─▶ capture ─▶ packet ─▶ flow ─▶ upgrade ─▶ tls ─▶ facts ─▶ inference ─▶ diagnose ─▶ report | tui
//!         frames     segments  streams  where TLS  records,  what the  what TLS 1.3   findings
//!                                       begins     messages  wire said  hides but shows
//! ```
//!
//! - [`capture`] reads frames from a file, a stream or an interface; [`packet`] finds the TCP segment in each; [`flow`] puts
//!   segments into the two streams of a connection and names every gap and conflict; [`upgrade`] knows where TLS begins in
//!   a stream and what else one may begin with.
//! - [`tls`] turns a stream into records, messages and events. One decoder serves two modes: facts for the analysis, and a
//!   tree of fields with their bytes for the UI. [`x509`] does the same for certificates.
//! - [`facts`] folds the events of one flow into [`facts::FlowFacts`]: what was said, what was not, and what cannot be
//!   known and why ([`facts::Seen`]). [`inference`] adds what the shapes of TLS 1.3's protected records prove.
//!   [`siblings`] remembers what flows that ended say about later ones.
//! - [`diagnose`] holds the rules: pure functions from facts to findings, each with its page. [`expect`] is the policy that a
//!   person gives.
//! - [`analyzer`] is the library's front door: frames in, flows with their diagnoses out. No input, output or clock.
//! - [`report`] writes them, [`tui`] shows them, `live` runs them against a clock, [`cli`] is what is typed.
//! - [`sandbox`] gives up every right before the first packet is parsed; [`scribe`] is the process that writes files for those
//!   who gave theirs up: in one folder, or, for the UI's `w`, wherever its user may. `tlscope run` is two processes (`cli/run/`):
//!   the leader starts the command, keeps the right to end it, and parses nothing; the witness captures and parses, and has no
//!   rights.
//!
//! Beside the path: `span`, `text`, `layout`, `limits`, `url` and `reader` are what everything stands on; [`dns`] reads
//! the look-ups that came before a connection; [`redact`] renames addresses and names (a new name has a length of its
//! own, so that no length of a name may be judged behind it); [`ladder`] draws one flow for reports and UI; [`signals`]
//! notices those that end or stop the program; [`compare`] and [`baseline`] set two flows, or a report and an older
//! one, side by side; [`fuzzing`] holds the entry points of `fuzz/`.
//!
//! # Glossary
//!
//! *frame*: what was captured. *segment*: of TCP; *datagram*: of UDP. *stream*: one side's bytes. *gap*: bytes of a stream that
//! the capture lacks; code calls it a hole too. *record*: of TLS. *message*: of the handshake. *field*: a decoded part with its
//! [`span::Span`]. *flow*: one connection. *side*: A or B, as TCP saw them; *role*: client or server, as TLS did. *fact*: what the
//! wire said. *claim*: what was concluded, with a confidence. *finding*: a diagnosis with evidence. *shape*: length, type and
//! place of a protected record. `at`: where in a stream; `off`: where in a frame; `len`: how much.
//!
//! # Where to add
//!
//! | what | where |
//! | --- | --- |
//! | a rule | a `Rule` with its page, its check and its tests in the table of its family in `diagnose/`; see below |
//! | a family of rules | a file of `diagnose/` with its `mod` line, and a line in `FAMILIES`; see below |
//! | a rule about several flows | the memory it needs in `siblings/`, the rule in its table |
//! | an expectation | a `Key` in `expect/keys.rs` with its field of `Requirements`, its rule and judge in `diagnose/policy/` |
//! | an extension | a function in `tls/ext/` and a line in `EXTENSIONS` |
//! | a handshake message | a decoder in `tls/handshake/` and an arm in its `read` |
//! | a name of a registry | the tables of `tls/names/` |
//! | a report format | a file in `report/` and a line in `FORMATS` |
//! | a link layer | an arm in `packet/link.rs` |
//! | a tunnel | a step in `ip::innermost` of `packet/`; see below |
//! | a protocol that TLS may begin in | `upgrade/` |
//! | a way to capture | a `Live` of `capture/live/`, opened in its `open`, and a word in `Through` |
//! | where packets of a live capture go | a `Sink` beside those of `live/` |
//! | what is renamed | `Names::redact` of [`redact`]: every text of the facts that comes from the wire and names somebody |
//! | a subcommand | a variant of `Command` in `cli/args.rs`, an arm in `cli/mod.rs`, a name in `COMMANDS` of `tests/it/helps.rs` |
//! | a system call | the list of the process that needs it, in `sandbox/syscalls.rs`, with why |
//! | a cap | a constant in `limits.rs`, with its reason; reaching it is told |
//! | a key of the UI | a line of the table in `tui/keymap.rs` |
//! | a capture for the tests | a case in `testdata/lab/cases/`, made by `testdata/make.py` |
//!
//! A rule needs a capture that fires it, or a line in `NOT_IN_CAPTURES` of `tests/it/house.rs` and an assertion in its unit
//! tests; its rank as a cause is in `diagnose/cause.rs`. A family that speaks of connections without TLS stands in `BELOW_TLS`
//! too. `UPDATE_README=1 cargo test readme` brings the tables up to date.
//!
//! Of tunnels only IP in IP is taken off today, before fragments are put together; `dispatch` refuses the others by name. One
//! that holds Ethernet frames needs `ethertype` too, which is private to `packet/link.rs`, and `encapsulation` of the report
//! (`report/view/flow.rs`) names VLANs only.
//!
//! # Rules of the house
//!
//! Malformed traffic is data, not an error: errors are for what cannot be opened. Absence is typed, so that no rule takes "not
//! seen" for "not sent". Every buffer has a cap. The engine is moved by the times of frames only: the same frames give the same
//! report, byte for byte. What comes from the wire is escaped before it is printed ([`text`]).
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod span;
pub mod text;
pub mod layout;
pub mod limits;
pub mod url;
pub mod reader;
pub mod capture;
pub mod packet;
pub mod dns;
pub mod flow;
pub mod upgrade;
pub mod tls;
pub mod x509;
pub mod facts;
pub mod inference;
pub mod expect;
pub mod siblings;
pub mod diagnose;
pub mod redact;
pub mod analyzer;
pub mod ladder;
pub mod report;
pub mod signals;
pub mod sandbox;
pub mod scribe;
#[cfg(target_os = "linux")]
pub mod live;
pub mod compare;
pub mod baseline;
pub mod tui;
pub mod fuzzing;
pub mod cli;
