//! JSON as JSON Schema means it, where serde alone reads it otherwise: an object is not an array of its values, and `2.0` is a whole number.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::limits::EXACT_INTEGER_MAX;

/// What an object says. Serde also reads a list of the fields' values in their order, which is no shape of ours.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer).map(Self)
    }
}

/// For `#[serde(deserialize_with)]`: as [`Object`].
pub(crate) fn object<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let fields = Map::<String, Value>::deserialize(deserializer)?;
    T::deserialize(Value::Object(fields)).map_err(D::Error::custom)
}

/// For `#[serde(deserialize_with)]`: a whole number, however it is written.
pub(crate) fn whole<'de, T: TryFrom<u64>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_any(Whole(PhantomData))
}

struct Whole<T>(PhantomData<T>);

impl<T: TryFrom<u64>> Visitor<'_> for Whole<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number in range, 0 or more")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        T::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        match u64::try_from(number) {
            Ok(number) => self.visit_u64(number),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
        }
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<T, E> {
        // A NaN is in no range, and a fraction is not whole.
        if (0.0..=EXACT_INTEGER_MAX as f64).contains(&number) && number.fract() == 0.0 {
            self.visit_u64(number as u64)
        } else {
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Goals {
        #[serde(deserialize_with = "whole")]
        home: u16,
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let read = |text: &str| serde_json::from_str::<Goals>(text).map(|goals| goals.home).ok();
        for (text, home) in [("2", 2), ("2.0", 2), ("0", 0), ("-0.0", 0), ("65535", u16::MAX), ("1e3", 1000)] {
            assert_eq!(read(&format!(r#"{{"home":{text}}}"#)), Some(home), "{text}");
        }
        for text in ["2.5", "-1", "-1.0", "65536", "65536.0", "1e300", "null", "\"2\"", "true", "[2]"] {
            assert_eq!(read(&format!(r#"{{"home":{text}}}"#)), None, "{text}");
        }
    }

    #[test]
    fn an_object_is_not_a_list_of_its_values() {
        assert!(serde_json::from_str::<Goals>("[2]").is_ok(), "serde alone takes it, else this module is not needed");
        assert!(serde_json::from_str::<Object<Goals>>("[2]").is_err());
        assert_eq!(serde_json::from_str::<Object<Goals>>(r#"{"home":2}"#).expect("an object").0, Goals { home: 2 });
    }
}
