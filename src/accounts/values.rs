//! What people type about themselves, parsed once into values that cannot be wrong.

use lettre::Address;

use super::AccountError;
use crate::limits::{EMAIL_BYTES_MAX, PASSWORD_CHARS, USER_NAME_MAX};

/// A name: no control characters, single spaces, not only spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PersonName(String);

impl PersonName {
    pub(crate) fn parse(text: &str) -> Result<Self, AccountError> {
        let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
        // Bounded as it was sent, as the description of the interface says it.
        let is_right = !name.is_empty() && text.chars().count() <= USER_NAME_MAX && !name.chars().any(is_invisible);
        if is_right { Ok(Self(name)) } else { Err(AccountError::InvalidValue { field: "name", rule: "1 to 40 visible characters" }) }
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// What changes how a name looks without being seen: it would make two names look alike.
fn is_invisible(symbol: char) -> bool {
    symbol.is_control()
        || matches!(symbol, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// An e-mail address (RFC 5321).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Email(String);

impl Email {
    pub(crate) fn parse(text: &str) -> Result<Self, AccountError> {
        let text = text.trim();
        match text.parse::<Address>() {
            Ok(_) if text.len() <= EMAIL_BYTES_MAX => Ok(Self(text.to_owned())),
            _ => Err(AccountError::InvalidValue { field: "email", rule: "an e-mail address" }),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// A password that somebody chooses. Shown nowhere.
pub(crate) struct ChosenPassword(String);

impl ChosenPassword {
    /// `about`: what is known of the person, which their password must not be.
    pub(crate) fn parse(field: &'static str, text: String, about: &[&str]) -> Result<Self, AccountError> {
        let (least, most) = PASSWORD_CHARS;
        if !(least..=most).contains(&text.chars().count()) {
            return Err(AccountError::InvalidValue { field, rule: "8 to 256 characters" });
        }
        let is_obvious = about.iter().any(|known| known.eq_ignore_ascii_case(&text));
        let is_one_letter = text.chars().all(|letter| text.starts_with(letter));
        if is_obvious || is_one_letter {
            return Err(AccountError::InvalidValue { field, rule: "something that others do not guess at once" });
        }
        Ok(Self(text))
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_tidied_and_bounded() {
        let name = |text: &str| PersonName::parse(text).map(PersonName::into_string).ok();
        assert_eq!(name("  Ann \t of  Green\u{a0}Gables ").as_deref(), Some("Ann of Green Gables"));
        assert_eq!(name(&"é".repeat(40)).map(|name| name.chars().count()), Some(40));
        for wrong in ["", "  ", "a\u{7}b", "Ann\u{200b}", "\u{202e}nnA", &"x".repeat(41), &format!("{}  ", "x".repeat(39))] {
            assert_eq!(name(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn addresses_are_addresses() {
        assert_eq!(Email::parse(" Ann@Example.org ").unwrap().as_str(), "Ann@Example.org");
        for wrong in [
            "",
            "ann",
            "ann@",
            "@example.org",
            "a b@example.org",
            "ann@example.org\r\nBcc: x@y.z",
            "ann\0@example.org",
            "ann@example\0.org",
            &format!("{}@example.org", "x".repeat(250)),
        ] {
            assert!(Email::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn passwords_are_long_enough_and_not_what_everybody_knows() {
        let is_right = |text: &str| ChosenPassword::parse("password", text.to_owned(), &["ann@example.org", "Ann of Green Gables"]).is_ok();
        assert!(is_right("correct horse") && is_right(&"12".repeat(128)));
        for wrong in ["", "short", "aaaaaaaaaaaa", "ANN@example.org", "ann of green gables", &"12".repeat(129)] {
            assert!(!is_right(wrong), "{wrong:?}");
        }
    }
}
