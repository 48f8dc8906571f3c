//! tlscope: why a TLS handshake failed, from what a capture shows.
//!
//! The path of the data reads top to bottom in this file, and a module uses only modules above it:
//!
//! ```text
//! bytes ─▶ capture ─▶ packet ─▶ flow ─▶ upgrade ─▶ tls ─▶ facts ─▶ diagnose ─▶ report | tui
//!         frames     segments  streams  where TLS   records,   what the   findings
//!                                       begins      messages   wire said
//! ```
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

pub mod analyzer;
pub mod capture;
pub mod cli;
pub mod diagnose;
pub mod facts;
pub mod flow;
pub mod fuzzing;
pub mod limits;
pub mod packet;
pub mod reader;
pub mod report;
pub mod span;
pub mod text;
pub mod tls;
pub mod tui;
pub mod upgrade;
pub mod x509;
