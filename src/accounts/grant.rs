//! What a token lets its bearer do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A capability, as tokens carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    View,
    Publish,
    Chat,
    Call,
    Moderate,
}

impl Grant {
    /// Every grant, in the order in which documents list them.
    pub const ALL: [Self; 5] = [Self::View, Self::Publish, Self::Chat, Self::Call, Self::Moderate];

    /// The word that tokens and the command line use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Publish => "publish",
            Self::Chat => "chat",
            Self::Call => "call",
            Self::Moderate => "moderate",
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not one of view, publish, chat, call, moderate")]
pub struct UnknownGrant(String);

impl FromStr for Grant {
    type Err = UnknownGrant;
    fn from_str(text: &str) -> Result<Self, UnknownGrant> {
        Self::ALL.into_iter().find(|grant| grant.as_str() == text).ok_or_else(|| UnknownGrant(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_grant_is_spelt_alike_in_tokens_and_on_the_command_line() {
        for grant in Grant::ALL {
            assert_eq!(grant.as_str().parse(), Ok(grant));
            assert_eq!(serde_json::to_value(grant).unwrap(), grant.as_str());
        }
        assert!("Publish".parse::<Grant>().is_err());
    }
}
