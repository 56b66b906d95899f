//! Who may come into a call: the rung, those with a link, those who were in it a moment ago; and who may not, because the host sent them out.
//!
//! Invariant: whoever was sent out comes back only after the host has rung them anew.

use std::collections::{BTreeMap, VecDeque};

use super::Ringing;
use super::allowance::Allowance;
use super::refusal::CallRefusal;
use crate::ids::UserId;
use crate::limits::{
    CALL_INVITATION_LIFETIME, CALL_INVITATIONS_MAX, CALL_MEMBERS_MAX, CALL_REJOIN_WINDOW, CALL_REMOVED_MAX, CALL_RING_LIFETIME,
    CALL_RING_MAX, CALL_RINGS_BURST, CALL_RINGS_INTERVAL,
};
use crate::social::clock::UnixMs;

#[derive(Debug)]
struct Rung {
    name: String,
    expires_at: UnixMs,
}

#[derive(Debug)]
struct Invitation {
    secret: String,
    expires_at: UnixMs,
}

/// See the file's head.
#[derive(Debug)]
pub(super) struct Door {
    rung: BTreeMap<UserId, Rung>,
    invitations: Vec<Invitation>,
    removed: VecDeque<UserId>,
    /// Who left, and until when they may come back without being asked.
    left: VecDeque<(UserId, UnixMs)>,
    rings: Allowance,
}

impl Door {
    pub(super) fn new(now: UnixMs) -> Self {
        Self {
            rung: BTreeMap::new(),
            invitations: Vec::new(),
            removed: VecDeque::new(),
            left: VecDeque::new(),
            rings: Allowance::new(now, CALL_RINGS_BURST, CALL_RINGS_INTERVAL),
        }
    }

    /// Whether somebody may come in.
    pub(super) fn admit(&self, now: UnixMs, user: UserId, invitation: Option<&str>) -> Result<(), CallRefusal> {
        if self.removed.contains(&user) {
            return Err(CallRefusal::Removed);
        }
        let is_rung = self.rung.get(&user).is_some_and(|rung| now < rung.expires_at);
        let was_here = self.left.iter().any(|(other, until)| *other == user && now < *until);
        if is_rung || was_here {
            return Ok(());
        }
        match invitation.map(|secret| self.invitations.iter().find(|known| known.secret == secret)) {
            Some(Some(known)) if now < known.expires_at => Ok(()),
            Some(Some(_)) => Err(CallRefusal::InvitationExpired),
            Some(None) | None => Err(CallRefusal::NotInvited),
        }
    }

    /// Somebody has come in; whether it rang for them.
    pub(super) fn entered(&mut self, user: UserId) -> bool {
        self.left.retain(|(other, _)| *other != user);
        self.rung.remove(&user).is_some()
    }

    /// Rings somebody. When it stops by itself; `None`: it rings already.
    pub(super) fn ring(&mut self, now: UnixMs, user: UserId, name: String, is_host: bool) -> Result<Option<UnixMs>, CallRefusal> {
        if self.removed.contains(&user) && !is_host {
            return Err(CallRefusal::Removed);
        }
        if self.rung.contains_key(&user) {
            return Ok(None);
        }
        if self.rung.len() >= CALL_RING_MAX {
            return Err(CallRefusal::RingsFull);
        }
        self.rings.take(now)?;
        self.removed.retain(|other| *other != user);
        let expires_at = now.after(CALL_RING_LIFETIME);
        self.rung.insert(user, Rung { name, expires_at });
        Ok(Some(expires_at))
    }

    /// Somebody does not come; whether it rang for them.
    pub(super) fn decline(&mut self, user: UserId) -> bool {
        self.rung.remove(&user).is_some()
    }

    /// For whom it has rung long enough.
    pub(super) fn take_missed(&mut self, now: UnixMs) -> Vec<UserId> {
        let missed: Vec<UserId> = self.rung.iter().filter(|(_, rung)| rung.expires_at <= now).map(|(user, _)| *user).collect();
        self.rung.retain(|_, rung| rung.expires_at > now);
        missed
    }

    /// The call is over: for whom it rang.
    pub(super) fn close(&mut self) -> Vec<UserId> {
        std::mem::take(&mut self.rung).into_keys().collect()
    }

    /// A link with this secret lets people in from now on; until when.
    pub(super) fn invite(&mut self, now: UnixMs, secret: String) -> Result<UnixMs, CallRefusal> {
        if self.invitations.len() >= CALL_INVITATIONS_MAX {
            // One that has expired is kept as long as there is room, so that who comes by it is told why not.
            let at = self.invitations.iter().position(|known| known.expires_at <= now).ok_or(CallRefusal::LinksFull)?;
            self.invitations.remove(at);
        }
        let expires_at = now.after(CALL_INVITATION_LIFETIME);
        self.invitations.push(Invitation { secret, expires_at });
        Ok(expires_at)
    }

    /// The host has sent somebody out. The links they may have are void for everybody: as a guest anybody is somebody else a moment later.
    pub(super) fn bar(&mut self, user: UserId) {
        self.invitations.clear();
        if self.removed.len() >= CALL_REMOVED_MAX {
            self.removed.pop_front();
        }
        self.removed.push_back(user);
        self.left.retain(|(other, _)| *other != user);
    }

    /// Somebody has left who may come back.
    pub(super) fn left(&mut self, now: UnixMs, user: UserId) {
        self.left.retain(|(other, until)| *other != user && now < *until);
        if self.left.len() >= CALL_MEMBERS_MAX {
            self.left.pop_front();
        }
        self.left.push_back((user, now.after(CALL_REJOIN_WINDOW)));
    }

    pub(super) fn ringing(&self) -> Vec<Ringing> {
        self.rung.iter().map(|(user, rung)| Ringing { user: *user, name: rung.name.clone() }).collect()
    }

    pub(super) fn wake_at(&self) -> Option<UnixMs> {
        self.rung.values().map(|rung| rung.expires_at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_000_000);
    const BO: UserId = UserId::from_bits(2);

    #[test]
    fn a_link_lets_in_for_a_day_and_then_says_why_not() {
        let mut door = Door::new(NOW);
        let until = door.invite(NOW, "secret".to_owned()).unwrap();
        assert_eq!(until, NOW.after(CALL_INVITATION_LIFETIME));
        assert_eq!(door.admit(NOW, BO, Some("secret")), Ok(()));
        assert_eq!(door.admit(NOW, BO, Some("guess")), Err(CallRefusal::NotInvited));
        assert_eq!(door.admit(NOW, BO, None), Err(CallRefusal::NotInvited));
        assert_eq!(door.admit(until, BO, Some("secret")), Err(CallRefusal::InvitationExpired));
        for more in 1..CALL_INVITATIONS_MAX {
            door.invite(NOW, more.to_string()).unwrap();
        }
        assert_eq!(door.invite(NOW, "one more".to_owned()), Err(CallRefusal::LinksFull));
        assert!(door.invite(until, "later".to_owned()).is_ok(), "an expired one makes room");
    }

    #[test]
    fn who_was_sent_out_comes_back_only_when_the_host_rings() {
        let mut door = Door::new(NOW);
        door.invite(NOW, "secret".to_owned()).unwrap();
        door.left(NOW, BO);
        door.bar(BO);
        assert_eq!(door.admit(NOW, BO, Some("secret")), Err(CallRefusal::Removed));
        let as_guest = UserId::from_bits(3);
        assert_eq!(
            door.admit(NOW, as_guest, Some("secret")),
            Err(CallRefusal::NotInvited),
            "the link is void: anybody is somebody else as a guest"
        );
        assert_eq!(door.ring(NOW, BO, "Bo".to_owned(), false), Err(CallRefusal::Removed));
        assert!(door.ring(NOW, BO, "Bo".to_owned(), true).unwrap().is_some());
        assert_eq!(door.admit(NOW, BO, None), Ok(()));
        assert!(door.entered(BO), "it rang");
        assert!(!door.entered(BO));
    }

    #[test]
    fn who_left_comes_back_for_a_while_and_rings_end() {
        let mut door = Door::new(NOW);
        door.left(NOW, BO);
        assert_eq!(door.admit(NOW, BO, None), Ok(()));
        assert_eq!(door.admit(NOW.after(CALL_REJOIN_WINDOW), BO, None), Err(CallRefusal::NotInvited));
        door.ring(NOW, BO, "Bo".to_owned(), false).unwrap();
        assert_eq!(door.ring(NOW, BO, "Bo".to_owned(), false), Ok(None), "it rings already");
        assert_eq!(door.wake_at(), Some(NOW.after(CALL_RING_LIFETIME)));
        assert_eq!(door.take_missed(NOW), []);
        assert_eq!(door.take_missed(NOW.after(CALL_RING_LIFETIME)), [BO]);
        for user in 0..CALL_RING_MAX as u64 {
            door.ring(NOW, UserId::from_bits(100 + user), String::new(), false).unwrap();
        }
        assert_eq!(door.ring(NOW, BO, String::new(), false), Err(CallRefusal::RingsFull));
        assert_eq!(door.close().len(), CALL_RING_MAX);
        assert_eq!(door.wake_at(), None);
    }
}
