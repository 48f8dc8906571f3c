//! Tests of the whole: one binary, so that they link once.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::type_complexity,
    reason = "a test that fails says so by a panic"
)]

mod cli;
mod corpus;
mod cuts;
mod formats;
mod fuzzing;
mod gate;
mod golden;
mod helps;
mod hostile;
mod house;
mod html;
#[cfg(target_os = "linux")]
mod live;
mod peers;
mod provenance;
mod readme;
mod redact;
mod signatures;
mod streams;
mod support;
mod trust;
mod tui;
mod wire;
