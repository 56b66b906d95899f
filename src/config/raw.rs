//! The texts behind a configuration and where each came from. Knows keys, not meanings.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::keys::{KEYS, Key, Kind};
use crate::config::resolve::Problem;

/// Where a value was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Flag(&'static str),
    Env(&'static str),
    File(PathBuf),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Env(name) => f.write_str(name),
            Self::File(path) => f.write_str(&path.display().to_string()),
        }
    }
}

/// One text (or several) per key, from the nearest place that has one.
#[derive(Debug, Clone, Default)]
pub struct Raw {
    values: BTreeMap<&'static str, (Vec<String>, Origin)>,
}

impl Raw {
    /// Sets a key, unless a nearer place has set it already.
    pub fn offer(&mut self, key: &Key, values: Vec<String>, origin: Origin) {
        self.values.entry(key.toml).or_insert((values, origin));
    }

    /// What was given for a key, if anything.
    pub fn get(&self, toml: &str) -> Option<(&[String], &Origin)> {
        self.values.get(toml).map(|(values, origin)| (values.as_slice(), origin))
    }

    /// Offers what a TOML text says. Unknown keys and values of the wrong shape are problems, like wrong values later.
    pub fn offer_toml(&mut self, text: &str, path: &Path, problems: &mut Vec<Problem>) {
        let origin = Origin::File(path.to_owned());
        let table = match text.parse::<toml::Table>() {
            Ok(table) => table,
            Err(error) => {
                problems.push(Problem { key: "config".into(), origin: Some(origin), what: error.to_string().trim_end().to_owned() });
                return;
            }
        };
        for (name, value) in table {
            let Some(key) = KEYS.iter().find(|key| key.toml == name) else {
                let hint = nearest(&name).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                problems.push(Problem { key: name, origin: Some(origin.clone()), what: format!("there is no such key{hint}") });
                continue;
            };
            match toml_texts(key, &value) {
                Some(values) => self.offer(key, values, origin.clone()),
                None => {
                    let right = match key.kind {
                        Kind::One => "a text or a number",
                        Kind::Many => "a list of texts",
                        Kind::Switch => "true or false",
                    };
                    problems.push(Problem { key: name, origin: Some(origin.clone()), what: format!("must be {right}") });
                }
            }
        }
    }
}

fn toml_texts(key: &Key, value: &toml::Value) -> Option<Vec<String>> {
    match (key.kind, value) {
        (Kind::Many, toml::Value::Array(items)) => items.iter().map(scalar).collect(),
        (Kind::Switch, toml::Value::Boolean(on)) => Some(vec![on.to_string()]),
        (Kind::One | Kind::Many, other) => scalar(other).map(|text| vec![text]),
        (Kind::Switch, _) => None,
    }
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The key that shares the longest beginning with a mistyped one, if that is at least three letters.
fn nearest(name: &str) -> Option<&'static str> {
    let name = name.replace('-', "_");
    let shared = |key: &str| key.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
    KEYS.iter().map(|key| key.toml).max_by_key(|key| shared(key)).filter(|key| shared(key) >= 3)
}
