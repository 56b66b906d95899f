//! Who said what lately and who may not speak: rates, slow mode, messages that were sent twice, time-outs and bans. Pure.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::ids::UserId;
use crate::limits::{CHAT_BURST, CHAT_DEDUPE_WINDOW, CHAT_INTERVAL, CHAT_NONCES_MAX, CHAT_RESTRAINED_MAX, CHAT_TIME_OUT_MAX_S};
use crate::social::chat::{ChatAuthor, ChatRefusal, ChatRole, MessageId, Restraint};
use crate::social::clock::UnixMs;

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

    pub(super) fn remember(&mut self, at: UnixMs, user: UserId, nonce: u64, id: MessageId) {
        let speaker = self.speakers.entry(user).or_default();
        speaker.said.push_back((at, nonce, id));
        speaker.spoke_at = Some(at);
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

/// Who may not speak, and until when (`None`: for good).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Restraints(BTreeMap<UserId, Option<UnixMs>>);

impl Restraints {
    pub(super) fn set(&mut self, now: UnixMs, user: UserId, restraint: Restraint) -> Result<(), ChatRefusal> {
        let until = match restraint {
            Restraint::Lift => {
                self.0.remove(&user);
                return Ok(());
            }
            Restraint::TimeOut { seconds } => Some(UnixMs(now.0 + u64::from(seconds.clamp(1, CHAT_TIME_OUT_MAX_S)) * 1000)),
            Restraint::Ban => None,
        };
        if self.0.len() >= CHAT_RESTRAINED_MAX && !self.0.contains_key(&user) {
            self.forget_old(now);
            if self.0.len() >= CHAT_RESTRAINED_MAX {
                return Err(ChatRefusal::Full);
            }
        }
        self.0.insert(user, until);
        Ok(())
    }

    pub(super) fn check(&self, now: UnixMs, user: UserId) -> Result<(), ChatRefusal> {
        match self.0.get(&user) {
            Some(None) => Err(ChatRefusal::Banned),
            Some(Some(until)) if *until > now => Err(ChatRefusal::TimedOut { wait_ms: until.0 - now.0 }),
            Some(Some(_)) | None => Ok(()),
        }
    }

    pub(super) fn forget_old(&mut self, now: UnixMs) {
        self.0.retain(|_, until| until.is_none_or(|until| until > now));
    }
}
