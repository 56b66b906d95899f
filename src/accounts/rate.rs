//! How often one address, one person or one mailbox may ask for what costs: GCRA on explicit time, as `RateLimit-*` headers tell it.
//!
//! Own code rather than a crate: what crates keep grows with the keys that strangers choose, and this must not.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;
use std::time::Duration;

use crate::ids::UserId;
use crate::limits::{self, RATE_KEYS_MAX};

/// `burst` at once, then one every `refill`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    pub burst: u32,
    pub refill: Duration,
}

/// Who is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RateKey {
    /// IPv6: its /64, which is one person's.
    Address(IpAddr),
    User(UserId),
    /// Lower case.
    Mailbox(String),
}

impl RateKey {
    pub fn address(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            v4 => v4,
        })
    }

    pub fn mailbox(text: &str) -> Self {
        Self::Mailbox(text.trim().to_lowercase())
    }
}

/// What is counted; each kind by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asked {
    SignUp,
    SignIn,
    Refresh,
    /// Whatever sends an e-mail.
    Letter,
    /// Redeeming a code from an e-mail.
    Code,
    /// A change that asks for the password.
    Confirmed,
    /// Any other change.
    Change,
    /// Looking for people.
    Search,
    PrivateMessage,
    /// Saying how far one has read.
    ReadMark,
    FriendRequest,
}

impl Asked {
    /// Also the label in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::SignIn => "sign_in",
            Self::Refresh => "refresh",
            Self::Letter => "letter",
            Self::Code => "code",
            Self::Confirmed => "confirmed",
            Self::Change => "change",
            Self::Search => "search",
            Self::PrivateMessage => "private_message",
            Self::ReadMark => "read_mark",
            Self::FriendRequest => "friend_request",
        }
    }

    const fn allowance(self, key: &RateKey) -> Allowance {
        let (burst, refill) = match (self, key) {
            (Self::SignUp, _) => limits::RATE_SIGN_UP,
            (Self::SignIn, RateKey::Mailbox(_)) => limits::RATE_SIGN_IN_PER_MAILBOX,
            (Self::SignIn, _) => limits::RATE_SIGN_IN,
            (Self::Refresh, _) => limits::RATE_REFRESH,
            (Self::Letter, RateKey::Mailbox(_)) => limits::RATE_LETTER_PER_MAILBOX,
            (Self::Letter, _) => limits::RATE_LETTER,
            (Self::Code, _) => limits::RATE_CODE,
            (Self::Confirmed, _) => limits::RATE_CONFIRMED,
            (Self::Change, _) => limits::RATE_CHANGE,
            (Self::Search, _) => limits::RATE_SEARCH,
            (Self::PrivateMessage, _) => limits::RATE_PRIVATE_MESSAGE,
            (Self::ReadMark, _) => limits::RATE_READ_MARK,
            (Self::FriendRequest, _) => limits::RATE_FRIEND_REQUEST,
        };
        Allowance { burst, refill }
    }
}

/// What is left, for the headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    pub limit: u32,
    pub remaining: u32,
    /// Until all of it is back.
    pub reset: Duration,
    /// Until one more is allowed; `None`: this one was.
    pub retry_after: Option<Duration>,
}

/// All counts of a node. Bounded: full, those whose allowance is whole again are forgotten; still full, newcomers are refused.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    hasher: RandomState,
    /// By a keyed hash of what is counted and who: when (ms) its allowance is whole again. Two who share 64 bits share an allowance.
    whole_at_ms: Mutex<HashMap<u64, u64>>,
}

impl Limiter {
    /// Counts one for each key, unless one of them has none left; the quota is of the key that has the least.
    ///
    /// # Errors
    /// The quota of the key that has none left.
    pub(super) fn take(&self, asked: Asked, keys: &[RateKey], now_ms: u64) -> Result<Quota, Quota> {
        let mut counts = self.whole_at_ms.lock().expect("no panic happens while the lock is held");
        if counts.len() + keys.len() > RATE_KEYS_MAX {
            counts.retain(|_, whole_at| *whole_at > now_ms);
        }
        let mut least: Option<Quota> = None;
        let mut taken = Vec::with_capacity(keys.len());
        for key in keys {
            let allowance = asked.allowance(key);
            let hash = self.hasher.hash_one((asked, key));
            let known = counts.get(&hash).copied();
            if known.is_none() && counts.len() >= RATE_KEYS_MAX {
                let retry_after = Some(allowance.refill);
                return Err(Quota { limit: allowance.burst, remaining: 0, reset: allowance.refill, retry_after });
            }
            let (quota, whole_at) = judge(allowance, known.unwrap_or(0), now_ms);
            if quota.retry_after.is_some() {
                return Err(quota);
            }
            taken.push((hash, whole_at));
            if least.is_none_or(|least| quota.remaining < least.remaining) {
                least = Some(quota);
            }
        }
        counts.extend(taken);
        Ok(least.expect("somebody is counted"))
    }
}

/// The generic cell rate algorithm (ITU-T I.371): an allowance that will be whole at `whole_at`, one taken at `now`.
fn judge(allowance: Allowance, whole_at_ms: u64, now_ms: u64) -> (Quota, u64) {
    let refill_ms = allowance.refill.as_millis() as u64;
    let most_ms = refill_ms * u64::from(allowance.burst);
    let after_ms = whole_at_ms.max(now_ms) + refill_ms;
    let owed_ms = after_ms - now_ms;
    let quota = |owed_ms: u64, retry_ms: Option<u64>| Quota {
        limit: allowance.burst,
        remaining: ((most_ms.saturating_sub(owed_ms)) / refill_ms) as u32,
        reset: Duration::from_millis(owed_ms),
        retry_after: retry_ms.map(Duration::from_millis),
    };
    if owed_ms > most_ms { (quota(owed_ms - refill_ms, Some(owed_ms - most_ms)), whole_at_ms) } else { (quota(owed_ms, None), after_ms) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn a_burst_passes_then_one_at_a_time() {
        let allowance = Allowance { burst: 3, refill: Duration::from_secs(10) };
        let mut whole_at = 0;
        for remaining in [2, 1, 0] {
            let (quota, next) = judge(allowance, whole_at, 5_000);
            assert_eq!((quota.remaining, quota.retry_after), (remaining, None));
            whole_at = next;
        }
        let (quota, next) = judge(allowance, whole_at, 6_000);
        assert_eq!((quota.retry_after, quota.remaining, next), (Some(Duration::from_secs(9)), 0, whole_at));
        let (quota, _) = judge(allowance, whole_at, 15_000);
        assert_eq!((quota.retry_after, quota.reset), (None, Duration::from_secs(30)));
    }

    #[test]
    fn whoever_has_none_left_decides_and_nothing_is_taken_from_the_others() {
        let limiter = Limiter::default();
        let (mailbox, address) = (RateKey::mailbox(" Ann@Example.org"), RateKey::address(HERE));
        let burst = limits::RATE_LETTER_PER_MAILBOX.0;
        for _ in 0..burst {
            limiter.take(Asked::Letter, std::slice::from_ref(&mailbox), 0).unwrap();
        }
        for _ in 0..100 {
            assert!(limiter.take(Asked::Letter, &[address.clone(), RateKey::mailbox("ann@example.org")], 0).is_err());
        }
        let quota = limiter.take(Asked::Letter, std::slice::from_ref(&address), 0).unwrap();
        assert_eq!(quota.remaining, limits::RATE_LETTER.0 - 1);
        limiter.take(Asked::SignIn, &[mailbox], 0).unwrap();
    }

    #[test]
    fn a_network_of_one_person_is_one_key() {
        let key = |text: &str| RateKey::address(text.parse().unwrap());
        assert_eq!(key("2001:db8:0:1::1"), key("2001:db8:0:1:ffff::2"));
        assert_ne!(key("2001:db8:0:1::1"), key("2001:db8:0:2::1"));
        assert_eq!(key("::ffff:192.0.2.1"), RateKey::Address(HERE));
    }

    #[test]
    fn full_of_people_who_are_still_counted_means_no_newcomers() {
        let limiter = Limiter::default();
        for bits in 0..RATE_KEYS_MAX as u64 {
            limiter.take(Asked::Change, &[RateKey::User(UserId::from_bits(bits))], 0).unwrap();
        }
        let newcomer = [RateKey::User(UserId::from_bits(u64::MAX))];
        assert!(limiter.take(Asked::Change, &newcomer, 0).is_err());
        limiter.take(Asked::Change, &[RateKey::User(UserId::from_bits(1))], 0).unwrap();
        let later = limits::RATE_CHANGE.1.as_millis() as u64 + 1;
        limiter.take(Asked::Change, &newcomer, later).unwrap();
        assert!(limiter.whole_at_ms.lock().unwrap().len() <= 3);
    }
}
