//! What a node shows to some people in a chat only: the messages that wait for a moderator, to moderators, and what became of them, to their
//! authors as well. Compares the list that the home tells with the one before. Pure.

use crate::ids::UserId;
use crate::social::chat::{DeskEvent, HeldEntry, HeldMessage, Ruling};

/// For whom something is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum DeskNews {
    Moderators(DeskEvent),
    /// And the author of the message.
    Both(UserId, DeskEvent),
}

impl DeskNews {
    pub(super) const fn event(&self) -> &DeskEvent {
        let (Self::Moderators(event) | Self::Both(_, event)) = self;
        event
    }

    pub(super) const fn author(&self) -> Option<UserId> {
        match self {
            Self::Moderators(_) => None,
            Self::Both(author, _) => Some(*author),
        }
    }
}

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Desk {
    entries: Vec<HeldEntry>,
}

impl Desk {
    pub(super) fn with(entries: Vec<HeldEntry>) -> Self {
        Self { entries }
    }

    /// What waits, for moderators; of one author, for anybody else.
    pub(super) fn waiting(&self, of: Option<UserId>) -> Vec<HeldMessage> {
        let is_shown = |entry: &&HeldEntry| entry.ruled.is_none() && of.is_none_or(|author| entry.message.author.id == author);
        self.entries.iter().filter(is_shown).map(|entry| entry.message.clone()).collect()
    }

    /// Takes the list as it is now; what is different.
    pub(super) fn renew(&mut self, entries: Vec<HeldEntry>) -> Vec<DeskNews> {
        let before = std::mem::replace(&mut self.entries, entries);
        let mut news = Vec::new();
        for old in before.iter().filter(|old| old.ruled.is_none()) {
            let same = self.entries.iter().find(|entry| entry.message.id == old.message.id);
            let (ruling, is_for_author) = match same.map(|entry| entry.ruled) {
                Some(None) => continue,
                Some(Some((ruling, _))) => (ruling, true),
                // A new home that lets it wait under another id, or its ruling was missed.
                None => (Ruling::Expired, !self.entries.iter().any(|entry| is_same(&entry.message, &old.message))),
            };
            let HeldMessage { id: held, nonce, author, .. } = &old.message;
            let event = DeskEvent::Ruled { held: *held, nonce: *nonce, ruling };
            news.push(if is_for_author { DeskNews::Both(author.id, event) } else { DeskNews::Moderators(event) });
        }
        let is_new = |entry: &&HeldEntry| !before.iter().any(|old| old.message.id == entry.message.id);
        news.extend(self.entries.iter().filter(is_new).map(|entry| match entry.ruled {
            None => DeskNews::Moderators(DeskEvent::Held { message: entry.message.clone() }),
            // Held and ruled on between two tellings.
            Some((ruling, _)) => {
                let HeldMessage { id: held, nonce, author, .. } = &entry.message;
                DeskNews::Both(author.id, DeskEvent::Ruled { held: *held, nonce: *nonce, ruling })
            }
        }));
        news
    }
}

fn is_same(one: &HeldMessage, other: &HeldMessage) -> bool {
    one.author.id == other.author.id && one.nonce == other.nonce
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::social::room::test_support::{START, held};

    fn waits(seq: u64, by: u64) -> HeldEntry {
        HeldEntry { message: held(seq, by), ruled: None }
    }

    fn ruled(seq: u64, by: u64, ruling: Ruling) -> HeldEntry {
        HeldEntry { ruled: Some((ruling, START)), ..waits(seq, by) }
    }

    fn ruling(seq: u64, by: u64, ruling: Ruling) -> DeskEvent {
        DeskEvent::Ruled { held: held(seq, by).id, nonce: held(seq, by).nonce, ruling }
    }

    #[test]
    fn moderators_hear_of_each_message_once_and_its_author_of_the_ruling() {
        let mut desk = Desk::default();
        assert_eq!(desk.renew(vec![waits(1, 5)]), [DeskNews::Moderators(DeskEvent::Held { message: held(1, 5) })]);
        assert_eq!(desk.renew(vec![waits(1, 5)]), [], "told again, nothing new");
        assert_eq!((desk.waiting(None).len(), desk.waiting(Some(held(1, 6).author.id)).len()), (1, 0));
        let author = held(1, 5).author.id;
        assert_eq!(desk.renew(vec![ruled(1, 5, Ruling::Refused)]), [DeskNews::Both(author, ruling(1, 5, Ruling::Refused))]);
        assert_eq!(desk.renew(vec![ruled(1, 5, Ruling::Refused)]), []);
        assert_eq!(desk.renew(Vec::new()), []);
        assert_eq!(desk.waiting(None), []);
    }

    #[test]
    fn a_ruling_that_was_missed_is_a_message_that_waits_no_longer() {
        let mut desk = Desk::with(vec![waits(1, 5)]);
        assert_eq!(desk.renew(Vec::new()), [DeskNews::Both(held(1, 5).author.id, ruling(1, 5, Ruling::Expired))]);
        assert_eq!(desk.renew(vec![ruled(2, 6, Ruling::Approved)]), [DeskNews::Both(held(2, 6).author.id, ruling(2, 6, Ruling::Approved))]);
    }

    #[test]
    fn a_home_that_lets_it_wait_under_another_id_does_not_worry_its_author() {
        let mut again = waits(1, 5);
        again.message.id.seq = 9;
        let mut desk = Desk::with(vec![waits(1, 5)]);
        let news = desk.renew(vec![again.clone()]);
        assert_eq!(
            news,
            [DeskNews::Moderators(ruling(1, 5, Ruling::Expired)), DeskNews::Moderators(DeskEvent::Held { message: again.message })]
        );
    }
}
