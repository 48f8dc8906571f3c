//! The JSON Schema of a report, made from the structs that write it.

use schemars::generate::SchemaSettings;

use super::view::Document;

/// JSON Schema (draft 2020-12) of the document that `--format json` prints. In `--format ndjson` the objects are the same, each
/// with a `type` before its other members. Pretty-printed, with a line feed at the end.
pub fn schema() -> String {
    let schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Document<'_>>();
    // A schema holds nothing that could fail to be written: its keys are strings.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
