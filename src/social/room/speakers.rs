//! Who said what lately and who may not speak: rates, slow mode, messages that were sent twice, time-outs and bans. Pure.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::ids::UserId;
use crate::limits::{CHAT_BURST, CHAT_DEDUPE_WINDOW, CHAT_INTERVAL, CHAT_NONCES_MAX, CHAT_RESTRAINED_MAX, CHAT_TIME_OUT_MAX_S};
use crate::social::chat::{ChatAuthor, ChatRefusal, ChatRole, MessageId, Restrained, Restraint};
use crate::social::clock::UnixMs;
use crate::store::NamedUser;

/// Everybody who said something within the window of deduplication.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    speakers: HashMap<UserId, Speaker>,
    forgotten_at: UnixMs,
}

#[derive(Debug, Default)]
struct Speaker {
    said: VecDeque<(UnixMs, u64, MessageId)>,
    /// When their bucket is full again: the general limit as one number (GCRA).
    full_at: UnixMs,
    spoke_at: Option<UnixMs>,
}

impl Speakers {
    /// The message that this one is a repetition of.
    pub(super) fn said(&self, now: UnixMs, user: UserId, nonce: u64) -> Option<MessageId> {
        let said = self.speakers.get(&user)?.said.iter().rev().find(|(_, said, _)| *said == nonce)?;
        (now.since(said.0) < CHAT_DEDUPE_WINDOW).then_some(said.2)
    }

    /// Takes from what somebody may say in a time. Answers whether they say something for the first time.
    pub(super) fn spend(&mut self, now: UnixMs, author: &ChatAuthor, slow_s: u32) -> Result<bool, ChatRefusal> {
        let speaker = self.speakers.entry(author.id).or_default();
        if author.role == ChatRole::Viewer {
            let slow_until = speaker.spoke_at.map(|at| UnixMs(at.0 + u64::from(slow_s) * 1000));
            let full_at = speaker.full_at.max(now);
            let burst_until = UnixMs(
                (full_at.0 + CHAT_INTERVAL.as_millis() as u64).saturating_sub(CHAT_INTERVAL.as_millis() as u64 * u64::from(CHAT_BURST)),
            );
            let free_at = slow_until.unwrap_or_default().max(burst_until);
            if free_at > now {
                return Err(ChatRefusal::Slow { wait_ms: free_at.0 - now.0 });
            }
            speaker.full_at = full_at.after(CHAT_INTERVAL);
        }
        Ok(speaker.spoke_at.replace(now).is_none())
    }

    /// A message that came at `at`. Its author spoke then or, where a moderator had to approve it, before.
    pub(super) fn remember(&mut self, at: UnixMs, spoke_at: UnixMs, user: UserId, nonce: u64, id: MessageId) {
        let speaker = self.speakers.entry(user).or_default();
        speaker.said.push_back((at, nonce, id));
        speaker.spoke_at = speaker.spoke_at.max(Some(spoke_at));
        if speaker.said.len() > CHAT_NONCES_MAX {
            speaker.said.pop_front();
        }
    }

    /// Lets go of those who were silent for the window; bounded by what the general limit lets people say in it.
    pub(super) fn forget_old(&mut self, now: UnixMs) {
        if now.since(self.forgotten_at) >= CHAT_DEDUPE_WINDOW {
            self.forgotten_at = now;
            // Twice the window, so that slow mode of a minute still knows when they spoke.
            self.speakers.retain(|_, speaker| speaker.spoke_at.is_some_and(|at| now.since(at) < 2 * CHAT_DEDUPE_WINDOW));
        }
    }
}

/// Who may not speak.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "BTreeMap<UserId, Kept>", into = "BTreeMap<UserId, Restrained>")]
pub(super) struct Restraints(BTreeMap<UserId, Restrained>);

/// As it is kept; at first only until when was.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    Known(Restrained),
    Until(Option<UnixMs>),
}

impl From<BTreeMap<UserId, Kept>> for Restraints {
    fn from(kept: BTreeMap<UserId, Kept>) -> Self {
        let known = |(id, kept): (UserId, Kept)| match kept {
            Kept::Known(restrained) => (id, restrained),
            Kept::Until(until_ms) => {
                let person = NamedUser { id, name: String::new() };
                (id, Restrained { person, since_ms: UnixMs::default(), until_ms, by: None })
            }
        };
        Self(kept.into_iter().map(known).collect())
    }
}

impl From<Restraints> for BTreeMap<UserId, Restrained> {
    fn from(Restraints(restrained): Restraints) -> Self {
        restrained
    }
}

impl Restraints {
    /// Restrains somebody, or lifts it; how they are restrained now.
    pub(super) fn set(
        &mut self,
        now: UnixMs,
        person: &NamedUser,
        by: &ChatAuthor,
        restraint: Restraint,
    ) -> Result<Option<&Restrained>, ChatRefusal> {
        let until_ms = match restraint {
            Restraint::Lift => {
                self.0.remove(&person.id);
                return Ok(None);
            }
            Restraint::TimeOut { seconds } => Some(UnixMs(now.0 + u64::from(seconds.clamp(1, CHAT_TIME_OUT_MAX_S)) * 1000)),
            Restraint::Ban => None,
        };
        if self.0.len() >= CHAT_RESTRAINED_MAX && !self.0.contains_key(&person.id) {
            self.forget_old(now);
            if self.0.len() >= CHAT_RESTRAINED_MAX {
                return Err(ChatRefusal::Full);
            }
        }
        let by = Some(NamedUser { id: by.id, name: by.name.clone() });
        let restrained = Restrained { person: person.clone(), since_ms: now, until_ms, by };
        self.0.insert(person.id, restrained);
        Ok(self.0.get(&person.id))
    }

    pub(super) fn check(&self, now: UnixMs, user: UserId) -> Result<(), ChatRefusal> {
        match self.0.get(&user).map(|restrained| restrained.until_ms) {
            Some(None) => Err(ChatRefusal::Banned),
            Some(Some(until)) if until > now => Err(ChatRefusal::TimedOut { wait_ms: until.0 - now.0 }),
            Some(Some(_)) | None => Ok(()),
        }
    }

    /// How somebody was called when they were restrained.
    pub(super) fn name_of(&self, user: UserId) -> Option<&str> {
        self.0.get(&user).map(|restrained| restrained.person.name.as_str())
    }

    /// Who may not write just now, the latest first.
    pub(super) fn list(&self, now: UnixMs) -> Vec<Restrained> {
        let holds = |restrained: &&Restrained| restrained.until_ms.is_none_or(|until| until > now);
        let mut list: Vec<Restrained> = self.0.values().filter(holds).cloned().collect();
        list.sort_by_key(|restrained| (std::cmp::Reverse(restrained.since_ms), restrained.person.id));
        list
    }

    pub(super) fn forget_old(&mut self, now: UnixMs) {
        self.0.retain(|_, restrained| restrained.until_ms.is_none_or(|until| until > now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::social::room::test_support::{START, at, author, user};

    #[test]
    fn what_an_earlier_version_kept_still_holds() {
        let kept = format!(r#"{{"{}":null,"{}":{}}}"#, user(1), user(2), at(60_000).0);
        let restraints: Restraints = serde_json::from_str(&kept).unwrap();
        assert_eq!(restraints.check(START, user(1)), Err(ChatRefusal::Banned));
        assert_eq!(restraints.check(START, user(2)), Err(ChatRefusal::TimedOut { wait_ms: 60_000 }));
        assert_eq!(restraints.check(at(60_000), user(2)), Ok(()));
        let again: Restraints = serde_json::from_str(&serde_json::to_string(&restraints).unwrap()).unwrap();
        assert_eq!(again.list(START), restraints.list(START));
    }

    #[test]
    fn the_list_has_the_latest_first_and_nobody_whose_time_is_over() {
        let mut restraints = Restraints::default();
        let moderator = author(9, ChatRole::Moderator);
        for (ms, who, restraint) in [(0, 1, Restraint::Ban), (10, 2, Restraint::TimeOut { seconds: 60 }), (20, 3, Restraint::Ban)] {
            let person = NamedUser { id: user(who), name: format!("User {who}") };
            restraints.set(at(ms), &person, &moderator, restraint).unwrap();
        }
        let names = |now| restraints.list(now).into_iter().map(|restrained| restrained.person.name).collect::<Vec<_>>();
        assert_eq!(names(at(20)), ["User 3", "User 2", "User 1"]);
        assert_eq!(names(at(70_000)), ["User 3", "User 1"]);
    }
}
