//! Identifiers that cross module borders. Each is a newtype, so that none can be passed for another.
//!
//! All are random and unguessable (64 bits; a `PeerId` names its worker in its top byte and is random in the other 56), and print as 13
//! characters of Crockford base 32 in lower case, which survives URLs, logs and being read aloud.

use std::fmt;
use std::str::FromStr;

/// Why a text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an identifier is 13 characters of Crockford base 32")]
pub struct InvalidId;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TEXT_LEN: usize = 13;

fn encode(value: u64) -> String {
    (0..TEXT_LEN).rev().map(|position| ALPHABET[(value >> (5 * position) & 31) as usize] as char).collect()
}

fn decode(text: &str) -> Result<u64, InvalidId> {
    if text.len() != TEXT_LEN {
        return Err(InvalidId);
    }
    let mut value: u128 = 0;
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|&symbol| symbol == byte.to_ascii_lowercase()).ok_or(InvalidId)?;
        value = value << 5 | digit as u128;
    }
    u64::try_from(value).map_err(|_| InvalidId)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u64);

        impl $name {
            /// Draws a new identifier from the given source of randomness.
            pub fn random(rng: &mut impl rand::Rng) -> Self {
                Self(rng.random())
            }

            /// The 64 bits behind the text.
            pub const fn to_bits(self) -> u64 {
                self.0
            }

            /// The identifier with exactly these bits.
            pub const fn from_bits(bits: u64) -> Self {
                Self(bits)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                decode(text).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// One live show.
    BroadcastId
);
id!(
    /// One WebRTC transport (one ICE and DTLS association). Its worker is in the top byte, so that a command finds it without a look-up.
    PeerId
);
id!(
    /// A person: a guest from the first visit, later the account that takes the guest over.
    UserId
);
id!(
    /// One client's signaling conversation; survives reconnects.
    SessionId
);
id!(
    /// One device on which a person is signed in.
    SignInId
);
id!(
    /// A point on a broadcast's timeline that the broadcaster has marked.
    MarkerId
);
id!(
    /// One thing that a moderator did.
    ActionId
);

id!(
    /// A friends' video call beside a broadcast.
    CallId
);

/// What one publisher sends, as the media plane keeps it apart. A broadcast's main picture goes by the broadcast's own id; a call member's camera or a
/// guest's by one that is drawn for it.
pub type SourceId = BroadcastId;

id!(
    /// One process. New at each start, so that what an earlier run of the same machine said is nobody's.
    NodeId
);

impl PeerId {
    /// A new identifier for a peer that lives on worker `worker`.
    pub fn on_worker(worker: u8, rng: &mut impl rand::Rng) -> Self {
        Self(u64::from(worker) << 56 | rng.random::<u64>() >> 8)
    }

    /// The worker this peer lives on.
    pub const fn worker(self) -> u8 {
        (self.0 >> 56) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_at_the_edges() {
        for bits in [0, 1, 31, 32, u64::MAX, u64::MAX - 1, 1 << 63] {
            let id = BroadcastId::from_bits(bits);
            assert_eq!(id.to_string().parse::<BroadcastId>(), Ok(id));
        }
    }

    #[test]
    fn rejects_wrong_length_alphabet_and_overflow() {
        for text in ["", "0", "00000000000000", "zzzzzzzzzzzzz", "000000000000u", "0000000000é0"] {
            assert_eq!(text.parse::<BroadcastId>(), Err(InvalidId), "{text}");
        }
    }

    #[test]
    fn a_peer_names_its_worker() {
        let id = PeerId::on_worker(7, &mut rand::rng());
        assert_eq!(id.worker(), 7);
    }
}
