//! The words of JSON Schema that the shapes of the description are written in.

use serde_json::{Value, json};

use crate::limits::{EMAIL_BYTES_MAX, SLUG_MAX, USER_NAME_MAX};

/// Text, number, integer and boolean.
pub(super) fn plain() -> [Value; 4] {
    ["string", "number", "integer", "boolean"].map(|kind| json!({ "type": kind }))
}

/// Control characters, which stand in nothing that is one line.
const CONTROL: &str = r"\u0000-\u001f\u007f-\u009f";
/// What a name may not have: control characters except white space, which is tidied away, and what is there without being seen.
const INVISIBLE: &str =
    r"\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff";
/// 13 characters of Crockford base 32 for 64 bits: the first has four of them.
const ID: &str = "^[0-9a-fA-F][0-9a-hjkmnp-tv-zA-HJKMNP-TV-Z]{12}$";

/// Text of one line, of at most `most` characters; where `least` is not 0 with something to see.
pub(super) fn line(least: usize, most: usize) -> Value {
    let pattern = if least == 0 { format!("^[^{CONTROL}]*$") } else { visible(CONTROL) };
    json!({ "type": "string", "minLength": least, "maxLength": most, "pattern": pattern })
}

/// The name of a person.
pub(super) fn name() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": USER_NAME_MAX, "pattern": visible(INVISIBLE) })
}

/// Something to see among what is none of these characters.
fn visible(without: &str) -> String {
    format!(r"^[^{without}]*[^{without}\s][^{without}]*$")
}

/// Text of at most `most` characters, one of which is to be seen.
pub(super) fn prose(most: usize) -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": most, "pattern": format!(r"[^{CONTROL}\s]") })
}

/// Text with two characters or more to see, to look for.
pub(super) fn wanted(least: usize, most: usize) -> Value {
    json!({ "type": "string", "minLength": least, "maxLength": most, "pattern": r"^[^\u0000]*[^\u0000\s][^\u0000]*[^\u0000\s][^\u0000]*$" })
}

/// An identifier.
pub(super) fn id() -> Value {
    json!({ "type": "string", "pattern": ID })
}

/// A name for URLs that could not be an identifier.
pub(super) fn slug() -> Value {
    json!({ "type": "string", "maxLength": SLUG_MAX, "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", "not": { "pattern": ID } })
}

/// An e-mail address.
pub(super) fn email() -> Value {
    json!({ "type": "string", "format": "email", "maxLength": EMAIL_BYTES_MAX })
}

/// A whole number of `least` to `most`.
pub(super) fn whole(least: u64, most: u64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

/// In a request: `null` is as good as absent.
pub(super) fn or_null(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "type": "null" }] })
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
