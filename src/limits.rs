//! Every cap that what is read may reach, its value and its reason.
//!
//! Reaching one is told: in the flow (`omitted`, `capture-limit-reached`), in the certificate (its problems), in the input (its
//! problems and counts), in a finding on the whole capture (`siblings-limit-reached`, `baseline-not-compared`), on standard
//! error for packets that should have been kept, on the screen for rows that left its list. In silence work:
//!
//! - what bounds a look that finds nothing in honest traffic: [`UPGRADE_BYTES`] (what looks like a hello behind so much plain
//!   text is taken for data that is transferred), [`HISTORY_BYTES`] and [`HISTORY_SEGMENTS`] (later retransmissions are not
//!   compared), [`TRANSCRIPT_BYTES`], [`TRANSCRIPT_MESSAGES`] and [`SIGNATURES_PER_CHAIN`] (a signature is then not judged),
//!   [`SHAPES_PER_FLOW`] and [`EARLY_SHAPES_PER_FLOW`], [`PLAIN_FRAMES`], [`UID_BYTES`];
//! - what bounds values that are shown as examples beside their number: [`CONFLICT_BYTES`], [`CERTIFICATE_SERIAL`], and the
//!   lists of what is remembered of other flows ([`SIBLING_LIST`], [`SIBLING_OFFERS`], [`SIBLING_OFFER_LIST`],
//!   [`SIBLING_PROTOCOLS`], [`SIBLING_NAME_BYTES`], [`SIBLING_TEXT`]), damage of one message that is said to be damaged
//!   ([`MALFORMED_EXTENSIONS`]), where each of its bytes came from ([`EXTENTS_PER_MESSAGE`]);
//! - what is rounded towards doubt: of more than [`LOSSES`] stretches with lost packets the oldest two become one;
//! - what bounds memory or waiting and changes no result: caches, batches, kept buffers, patience, what is held of closed
//!   connections ([`CERTIFICATE_CACHE_BYTES`], [`SHARED_TEXTS`], [`STREAM_BATCHES`], [`KEPT_CAPACITY_BYTES`],
//!   [`HOLE_PATIENCE`], [`CLOSING_FLOWS`], [`WIND_UP_FLOWS`], [`LIVE_LOOKS`] and the like).

/// Largest captured frame that is believed (libpcap's MAXIMUM_SNAPLEN is 256 KiB; BIG TCP frames reach 512 KiB):
/// a record that claims more is damage, not a packet.
pub const FRAME_BYTES: usize = 1 << 20;

/// The largest pcapng block that is looked into (decryption secrets are the largest honest ones). Larger blocks are skipped
/// without holding them.
pub const BLOCK_BYTES: usize = 4 << 20;

/// Interfaces remembered per pcapng section; packets of later ones are counted as undecodable.
pub const INTERFACES: usize = 1 << 16;

/// Problems of one input that are listed one by one; further ones are counted.
pub const PROBLEMS: usize = 100;

/// IP datagrams being put together at once: an attacker opens one with each fragment.
pub const FRAGMENT_DATAGRAMS: usize = 4096;

/// Bytes held for fragments of all datagrams together.
pub const FRAGMENT_BYTES: usize = 8 << 20;

/// Bytes of frames with fragments that are held until it is known whose they are, where packets of flows are kept.
pub const HELD_FRAGMENTS_BYTES: usize = 4 << 20;

/// Stacked tags and headers looked through before a frame is given up: more is an attack on the decoder.
pub const HEADERS_PER_FRAME: usize = 32;

/// Fields recorded for one message in the field tree; a last one says that there are more.
pub const FIELDS_PER_MESSAGE: usize = 20_000;

/// Bytes (chunk overhead included) that one direction may hold while it waits for earlier ones; twice the usual
/// receive window of a handshake.
pub const STREAM_PENDING_BYTES: usize = 256 << 10;

/// Chunks that one direction may hold while it waits for earlier ones.
pub const STREAM_CHUNKS: usize = 4096;

/// What a held chunk of a stream or of an IP datagram costs beside its bytes (nodes of the map, the allocation): counted, so
/// that chunks of one byte cannot cheat the caps.
pub const CHUNK_OVERHEAD: usize = 96;

/// Bytes held for out-of-order data and unfinished messages of all flows together.
pub const PENDING_BYTES: usize = 24 << 20;

/// What it costs a connection to hold anything at all (its two streams and the first node of a tree): counted, so that a
/// million connections with one segment each cannot cheat the caps.
pub const STREAM_OVERHEAD: usize = 1400;

/// How far ahead of the next expected byte a segment is believed to belong to the connection: the largest window a
/// receiver offers in practice is some MiB; farther is forged or another connection.
pub const TCP_WINDOW: u64 = 8 << 20;

/// Segments without a SYN that are waited for before the lowest one is taken as the start of the stream.
pub const MID_STREAM_SEGMENTS: usize = 4;

/// Segments and ACKs that must follow an acknowledged hole before it is given up: frames of a capture made on several
/// queues may come later than the ACK that covers them.
pub const HOLE_PATIENCE: u32 = 48;

/// Delivered bytes of one direction's handshake that are kept to be compared with retransmissions.
pub const HISTORY_BYTES: usize = 128 << 10;

/// Segments remembered with them.
pub const HISTORY_SEGMENTS: usize = 4096;

/// Conflicting retransmissions listed for one direction.
pub const CONFLICTS: usize = 16;

/// Bytes of each reading of a conflict that are kept.
pub const CONFLICT_BYTES: usize = 64;

/// Connections looked after at once (about 1 KiB each); the one idle longest is reported and dropped for a new one.
pub const OPEN_FLOWS: usize = 1 << 17;

/// Connections reported at a time when an input has ended.
pub const WIND_UP_FLOWS: usize = 256;

/// Capture time for which a closed connection is kept, so that late and reordered packets still find it.
pub const CLOSED_LINGER_NS: i64 = 2_000_000_000;

/// Closed connections kept so at once.
pub const CLOSING_FLOWS: usize = 1024;

/// While more connections than this are open, those idle for [`IDLE_NS`] (or, once their handshake is over, for
/// [`IDLE_COMPLETE_NS`]) are reported. Below it none is: a capture of a few connections may hold pauses of years.
pub const IDLE_FLOWS: usize = 2048;

/// Capture time after which a connection in its handshake counts as idle (see [`IDLE_FLOWS`]).
pub const IDLE_NS: i64 = 120_000_000_000;

/// Capture time after which a connection whose handshake is over counts as idle (see [`IDLE_FLOWS`]).
pub const IDLE_COMPLETE_NS: i64 = 3_000_000_000;

/// Alternative names kept of one certificate: public ones have up to a few thousand; an attacker's have what fits.
pub const CERTIFICATE_NAMES: usize = 20_000;

/// Entries kept of each other list in one certificate (addresses, key purposes, unknown extensions, problems).
pub const CERTIFICATE_LIST: usize = 100;

/// Bytes of a serial number that are shown: RFC 5280 allows 20.
pub const CERTIFICATE_SERIAL: usize = 64;

/// Bytes of DER of the certificates that are remembered as parsed; a few thousand distinct ones.
pub const CERTIFICATE_CACHE_BYTES: usize = 8 << 20;

/// In a live capture: capture time for which a closed connection is kept (so that its report comes within a second of its
/// end).
pub const LIVE_LINGER_NS: i64 = 600_000_000;

/// In a live capture: capture time from a handshake's decision to its report, so that what follows at once (the refusal of
/// a client certificate) stands in it.
pub const DECIDED_DELAY_NS: i64 = 400_000_000;

/// In a live capture: capture time after which a silent connection whose handshake is over is reported for good. Keep-alive
/// packets, which come at least every two hours unless they are turned off, keep it.
pub const LIVE_IDLE_COMPLETE_NS: i64 = 7_500_000_000_000;

/// In a live capture: frames of a connection without TLS that are kept.
pub const PLAIN_FRAMES: u64 = 64;

/// In a live capture of which only handshakes with findings are kept: memory for frames of one flow that wait for its decision:
/// the records whose shape is remembered ([`SHAPES_PER_FLOW`]) and the handshake before them.
pub const WAITING_FLOW_BYTES: usize = 1 << 20;

/// The same of all flows together. Beyond it the frames of the oldest flow are dropped, those of a flow that went well so far
/// first.
pub const WAITING_BYTES: usize = 32 << 20;

/// In the UI on a live capture: bytes of frames that are kept, twice, so that flows can be opened; of older ones only what
/// the list says remains.
pub const SPOOL_BYTES: u64 = 64 << 20;

/// In the UI on a live capture: flows of the list. The oldest half leaves when it is full.
pub const LIVE_ROWS: usize = 100_000;

/// Distinct texts, and distinct certificates, that rows of the UI's list share; beyond it each flow holds its own.
pub const SHARED_TEXTS: usize = 1 << 16;

/// In a live capture: looks at idle flows for each tick of the clock.
pub const LIVE_LOOKS: usize = 256;

/// Of a stream that grows: bytes of frames that travel together at most, from the thread that reads.
pub const STREAM_BATCH_BYTES: usize = 256 << 10;

/// Such batches that may wait.
pub const STREAM_BATCHES: usize = 8;

/// Stretches of time with lost packets that are told apart.
pub const LOSSES: usize = 256;

/// Longest record body that any version allows: 2^14 + 2048 (RFC 5246, section 6.2.3).
pub const RECORD_BODY_BYTES: u16 = (1 << 14) + 2048;

/// Largest handshake message that is held whole: certificate chains of some tens of KiB are usual, single certificates
/// with thousands of names reach 340 KiB; of a longer message the beginning is kept and decoded.
pub const MESSAGE_BYTES: usize = 512 << 10;

/// Runs of frame bytes remembered per message: a message in one-byte records has one per byte.
pub const EXTENTS_PER_MESSAGE: usize = 4096;

/// Buffers that grew beyond this are given back when they are empty.
pub const KEPT_CAPACITY_BYTES: usize = 512;

/// Largest window of zstd data that is decompressed: what the format's own decoder takes unless told otherwise
/// (2^27 bytes). It is held in memory.
pub const ZSTD_WINDOW: u64 = 1 << 27;

/// Bytes of decryption secrets blocks kept for one input: about 50,000 sessions' keys.
pub const SECRETS_BYTES: usize = 16 << 20;

/// Certificates of one chain that are looked at; TLS stacks give up at 10 to 100.
pub const CHAIN_CERTIFICATES: usize = 64;

/// Bytes of handshake messages held while a CertificateVerify may follow (certificates apart): hellos and key exchanges
/// take one or two thousand, a CertificateRequest that lists every public CA a few tens of thousands.
pub const TRANSCRIPT_BYTES: usize = 128 << 10;

/// Messages of one side held for it; a handshake has six at most.
pub const TRANSCRIPT_MESSAGES: usize = 16;

/// Signatures of one chain that are verified: honest chains have two or three.
pub const SIGNATURES_PER_CHAIN: usize = 12;

/// Acceptable-CA names of one CertificateRequest that are listed.
pub const CA_NAMES: usize = 1000;

/// Damaged extensions of one message that are listed.
pub const MALFORMED_EXTENSIONS: usize = 16;

/// Bytes held of a direction that begins with a hello in SSL 2.0's form (its length field has 15 bits).
pub const SSL2_BYTES: usize = 40 << 10;

/// Handshake steps of one flow that are listed; further ones are counted.
pub const MESSAGES_PER_FLOW: usize = 200;

/// Alerts of one flow that are listed.
pub const ALERTS_PER_FLOW: usize = 32;

/// Oddities of one flow that are listed.
pub const ANOMALIES_PER_FLOW: usize = 16;

/// Heartbeats of one flow that are remembered.
pub const HEARTBEATS_PER_FLOW: usize = 32;

/// Protected records of one flow whose shape is remembered: a handshake without keys is judged by them.
pub const SHAPES_PER_FLOW: usize = 48;

/// The same before the ServerHello, where they are early data.
pub const EARLY_SHAPES_PER_FLOW: usize = 8;

/// Holes of one direction that are listed.
pub const GAPS_PER_SIDE: usize = 64;

/// Bytes of the first payload that go into a flow's `uid`.
pub const UID_BYTES: usize = 64;

/// Frames of one flow that are held while somebody looks at it.
pub const DETAIL_FRAMES: usize = 5000;

/// Bytes of messages, and of frames, held for it.
pub const DETAIL_BYTES: usize = 16 << 20;

/// Extensions of an honest message: browsers send about 20. More are handled by slower means that stay linear.
pub const TYPICAL_EXTENSIONS: usize = 32;

/// Bytes in clear at the start of a direction within which TLS may still begin (STARTTLS and its kin).
pub const UPGRADE_BYTES: usize = 16 << 10;

/// Connections that hold TLS state at once (some KiB each). Beyond it the one idle longest is reported as it stands.
pub const SPEECHES: usize = 1 << 13;

/// Servers (address and port), and pairs of a client's address and a server, whose flows are remembered to be compared with
/// later ones. Beyond it those met least recently are forgotten, and their number is told.
pub const SIBLING_SERVERS: usize = 2048;

/// Certificates, clients' addresses and server names remembered for the same.
pub const SIBLING_NAMES: usize = 4096;

/// RSA moduli of one capture that are compared with each other, the first ones: some 40 ms of work for each 100 of them.
pub const SIBLING_MODULI: usize = 256;

/// Handshakes whose client did not answer at once, and connections to port 80, kept to be set side by side.
pub const SIBLING_FETCHES: usize = 1024;

/// Hello randoms, and sessions, known again: a few hundred bytes each.
pub const SIBLING_HELLOS: usize = 8192;

/// Different offers remembered for one server, of flows that it accepted, and as many of flows that it refused.
pub const SIBLING_OFFERS: usize = 3;

/// Values of each other list about one server, name, certificate or cause (addresses, public keys, ids of flows).
pub const SIBLING_LIST: usize = 16;

/// Entries kept of each list of a remembered ClientHello: browsers send up to 60 suites.
pub const SIBLING_OFFER_LIST: usize = 64;

/// Application protocols kept of a remembered ClientHello.
pub const SIBLING_PROTOCOLS: usize = 4;

/// Bytes kept of a server name or application protocol: what a name in DNS may have.
pub const SIBLING_NAME_BYTES: usize = 255;

/// Characters kept of a remembered certificate's subject, issuer and serial number, each.
pub const SIBLING_TEXT: usize = 200;

/// Different things of a kind (addresses, labels of names, other values, numbers) that `--redact` gives a name of their own.
pub const RENAMED: usize = 1 << 17;

/// Bytes of a file of trust anchors: the whole web PKI is a quarter of a megabyte.
pub const TRUST_BYTES: u64 = 16 << 20;

/// Bytes of an older report that is compared with.
pub const BASELINE_BYTES: u64 = 256 << 20;

/// Servers compared with an older report; what is beyond is not.
pub const BASELINE_SERVERS: usize = 1 << 16;

/// Values of one field of one server, and entries of each list in what is told of it.
pub const BASELINE_VALUES: usize = 64;
