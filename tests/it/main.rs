//! Tests of the whole: one binary, so that they link once.

mod cli;
mod corpus;
mod fuzzing;
mod golden;
mod house;
mod peers;
mod provenance;
mod streams;
mod support;
mod tui;
mod wire;
