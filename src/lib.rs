//! tlscope: why a TLS handshake failed, from what a capture shows.
//!
//! The path of the data reads top to bottom in this file, and a module uses only modules above it:
//!
//! ```text
//! bytes ─▶ capture ─▶ packet ─▶ flow ─▶ upgrade ─▶ tls ─▶ facts ─▶ siblings ─▶ diagnose ─▶ report | tui
//!         frames     segments  streams  where TLS   records,   what the   what other   findings
//!                                       begins      messages   wire said  flows say
//! ```
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

pub mod span;
pub mod text;
pub mod layout;
pub mod limits;
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
pub mod analyzer;
pub mod ladder;
pub mod report;
pub mod signals;
pub mod sandbox;
pub mod scribe;
#[cfg(target_os = "linux")]
pub mod live;
pub mod compare;
pub mod tui;
pub mod fuzzing;
pub mod cli;
