//! The words of JSON Schema that the shapes of the description are written in.

use serde_json::{Value, json};

/// Text, number, integer and boolean.
pub(super) fn plain() -> [Value; 4] {
    ["string", "number", "integer", "boolean"].map(|kind| json!({ "type": kind }))
}

/// An object; what is not `required` may be absent.
pub(super) fn all_of(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required })
}

/// A shape by its name.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

pub(super) fn list_of(name: &str) -> Value {
    json!({ "type": "array", "items": reference(name) })
}

pub(super) fn one_of(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}
