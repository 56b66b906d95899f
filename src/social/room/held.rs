//! Messages that wait for a moderator. Pure.
//!
//! ```text
//! hold ─▶ waiting ──rule──▶ approved, refused ──told for a while──▶ gone
//!            └───────────── too long ─▶ expired ─┘
//! ```
//! Nodes are told the whole list each time, so that the last one is the truth whatever was lost.

use crate::ids::UserId;
use crate::limits::{CHAT_HELD_MAX, CHAT_HELD_OF_ONE_MAX, CHAT_HELD_RETOLD_INTERVAL, CHAT_HELD_TOLD_INTERVAL, CHAT_RULING_TOLD_FOR};
use crate::social::bus::LogId;
use crate::social::chat::{HeldEntry, HeldMessage, Ruling};
use crate::social::clock::UnixMs;

/// What happened to one, to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Held,
    /// There was no room for it: the filter has refused it.
    Full,
    Ruled(Ruling),
}

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// In the order of their ids.
    entries: Vec<HeldEntry>,
    told_at: UnixMs,
    is_changed: bool,
    /// Somebody waits for a ruling that is there.
    is_urgent: bool,
    fates: Vec<Fate>,
}

impl Held {
    /// With what an earlier home left.
    pub(super) fn with(entries: Vec<HeldEntry>) -> Self {
        Self { entries, is_changed: true, ..Self::default() }
    }

    pub(super) fn entries(&self) -> &[HeldEntry] {
        &self.entries
    }

    /// This one, if it is here already, with what became of it.
    pub(super) fn find(&self, author: UserId, nonce: u64) -> Option<&HeldEntry> {
        self.entries.iter().find(|entry| entry.message.author.id == author && entry.message.nonce == nonce)
    }

    fn waiting(&self) -> impl Iterator<Item = &HeldMessage> {
        self.entries.iter().filter(|entry| entry.ruled.is_none()).map(|entry| &entry.message)
    }

    /// Lets a message wait; `false` when there is no room for it.
    pub(super) fn hold(&mut self, message: HeldMessage) -> bool {
        let of_author = self.waiting().filter(|waiting| waiting.author.id == message.author.id).count();
        if self.waiting().count() >= CHAT_HELD_MAX || of_author >= CHAT_HELD_OF_ONE_MAX {
            self.fates.push(Fate::Full);
            return false;
        }
        self.entries.push(HeldEntry { message, ruled: None });
        if self.entries.len() > 2 * CHAT_HELD_MAX
            && let Some(oldest) = self.entries.iter().position(|entry| entry.ruled.is_some())
        {
            self.entries.remove(oldest);
        }
        self.is_changed = true;
        self.fates.push(Fate::Held);
        true
    }

    /// Rules on a message that waits.
    pub(super) fn rule(&mut self, now: UnixMs, id: LogId, ruling: Ruling) -> Option<HeldMessage> {
        let entry = self.entries.iter_mut().find(|entry| entry.message.id == id && entry.ruled.is_none())?;
        entry.ruled = Some((ruling, now));
        self.is_changed = true;
        self.is_urgent = true;
        self.fates.push(Fate::Ruled(ruling));
        Some(entry.message.clone())
    }

    /// Refuses whatever this person said.
    pub(super) fn refuse_all_of(&mut self, now: UnixMs, author: UserId) {
        let theirs: Vec<LogId> = self.waiting().filter(|waiting| waiting.author.id == author).map(|waiting| waiting.id).collect();
        for id in theirs {
            self.rule(now, id, Ruling::Refused);
        }
    }

    /// Ends what has waited too long, and forgets what was told for long enough. Whether anything has changed.
    pub(super) fn handle_timeout(&mut self, now: UnixMs) -> bool {
        let late: Vec<LogId> = self.waiting().filter(|waiting| waiting.until_ms <= now).map(|waiting| waiting.id).collect();
        for id in &late {
            self.rule(now, *id, Ruling::Expired);
        }
        let before = self.entries.len();
        self.entries.retain(|entry| entry.ruled.is_none_or(|(_, at)| at.after(CHAT_RULING_TOLD_FOR) > now));
        !late.is_empty() || self.entries.len() != before
    }

    /// When [`Self::poll`] has something that cannot wait for the next batch.
    pub(super) fn wake_at(&self) -> Option<UnixMs> {
        let news = match (self.is_changed, self.is_urgent) {
            (true, true) => Some(self.told_at),
            (true, false) => Some(self.told_at.after(CHAT_HELD_TOLD_INTERVAL)),
            (false, _) => None,
        };
        let late = self.waiting().map(|waiting| waiting.until_ms).min();
        [news, late].into_iter().flatten().min()
    }

    /// What nodes are told now, if anything.
    pub(super) fn poll(&mut self, now: UnixMs) -> Option<Vec<HeldEntry>> {
        let is_due = self.is_changed && (self.is_urgent || self.told_at.after(CHAT_HELD_TOLD_INTERVAL) <= now);
        if !is_due && self.told_at.after(CHAT_HELD_RETOLD_INTERVAL) > now {
            return None;
        }
        (self.told_at, self.is_changed, self.is_urgent) = (now, false, false);
        Some(self.entries.clone())
    }

    /// What has happened since the last time.
    pub(super) fn take_fates(&mut self) -> Vec<Fate> {
        std::mem::take(&mut self.fates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CHAT_HELD_FOR;
    use crate::social::room::test_support::{START, at, held};

    #[test]
    fn each_person_and_all_together_have_a_bounded_number_waiting() {
        let mut waiting = Held::default();
        let of_one: Vec<bool> = (0..5).map(|seq| waiting.hold(held(seq, 1))).collect();
        assert_eq!(of_one, [true, true, true, false, false]);
        let taken = (0..200).filter(|seq| waiting.hold(held(100 + seq, 10 + seq))).count();
        assert_eq!(taken, CHAT_HELD_MAX - CHAT_HELD_OF_ONE_MAX);
        // A ruling makes room.
        waiting.rule(START, held(0, 1).id, Ruling::Refused).unwrap();
        assert!(waiting.hold(held(900, 1)));
    }

    #[test]
    fn a_message_is_ruled_on_once_and_the_ruling_is_told_for_a_while() {
        let mut waiting = Held::default();
        waiting.hold(held(1, 1));
        assert_eq!(waiting.poll(at(1000)).unwrap().len(), 1);
        assert!(waiting.rule(at(1010), held(1, 1).id, Ruling::Approved).is_some());
        assert!(waiting.rule(at(1020), held(1, 1).id, Ruling::Refused).is_none(), "decided already");
        let told = waiting.poll(at(1020)).expect("a ruling is told at once");
        assert_eq!(told[0].ruled, Some((Ruling::Approved, at(1010))));
        assert_eq!(waiting.poll(at(1030)), None);
        assert_eq!(waiting.poll(at(6020)).map(|told| told.len()), Some(1), "and again, for those who missed it");
        assert!(waiting.handle_timeout(at(1010).after(CHAT_RULING_TOLD_FOR)));
        assert_eq!(waiting.entries(), []);
        assert_eq!(waiting.take_fates(), [Fate::Held, Fate::Ruled(Ruling::Approved)]);
    }

    #[test]
    fn nobody_waits_for_ever_and_new_ones_are_told_at_most_once_a_second() {
        let mut waiting = Held::default();
        waiting.poll(at(0));
        waiting.hold(held(1, 1));
        assert_eq!(waiting.poll(at(500)), None);
        assert_eq!(waiting.wake_at(), Some(at(1000)));
        assert!(waiting.poll(at(1000)).is_some());
        let late = START.after(CHAT_HELD_FOR);
        assert_eq!(waiting.wake_at(), Some(late));
        assert!(waiting.handle_timeout(late));
        let ruled = waiting.find(held(1, 1).author.id, held(1, 1).nonce).and_then(|entry| entry.ruled);
        assert_eq!(ruled.map(|(ruling, _)| ruling), Some(Ruling::Expired));
    }

    #[test]
    fn whoever_is_silenced_has_nothing_waiting_any_more() {
        let mut waiting = Held::default();
        waiting.hold(held(1, 1));
        waiting.hold(held(2, 2));
        waiting.refuse_all_of(START, held(1, 1).author.id);
        assert_eq!(waiting.waiting().map(|message| message.id.seq).collect::<Vec<_>>(), [2]);
    }
}
