//! Who moderates a broadcast besides its owner: said by the owner or an operator, kept with the broadcast.

use super::Directory;
use crate::accounts::Claims;
use crate::ids::{BroadcastId, UserId};
use crate::signaling::live::access;
use crate::signaling::now::Now;
use crate::signaling::refusal::Refusal;

impl Directory {
    pub(crate) fn moderators(&self, name: &str, who: Option<&Claims>) -> Result<Vec<UserId>, Refusal> {
        let broadcast = self.find(name)?;
        access::demand_ownership(who, broadcast)?;
        Ok(broadcast.moderators().iter().copied().collect())
    }

    pub(crate) fn add_moderator(&mut self, now: Now, name: &str, who: Option<&Claims>, user: UserId) -> Result<(), Refusal> {
        let id = self.owned(name, who)?;
        self.edit(now, id, |broadcast| broadcast.add_moderator(user))
    }

    pub(crate) fn remove_moderator(&mut self, now: Now, name: &str, who: Option<&Claims>, user: UserId) -> Result<(), Refusal> {
        let id = self.owned(name, who)?;
        let was_one = self.edit(now, id, |broadcast| Ok(broadcast.remove_moderator(user)))?;
        if was_one { Ok(()) } else { Err(Refusal::NotFound("moderator")) }
    }

    /// Broadcasts of `owner` that have not ended.
    pub(crate) fn running_of(&self, owner: UserId) -> Vec<BroadcastId> {
        self.broadcasts.values().filter(|broadcast| broadcast.owner == Some(owner) && !broadcast.has_ended()).map(|one| one.id).collect()
    }

    fn owned(&self, name: &str, who: Option<&Claims>) -> Result<BroadcastId, Refusal> {
        let broadcast = self.find(name)?;
        access::demand_ownership(who, broadcast)?;
        if broadcast.has_ended() { Err(Refusal::Ended) } else { Ok(broadcast.id) }
    }
}
