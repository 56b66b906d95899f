//! Making broadcasts and changing them, by those who may.

use super::Directory;
use crate::accounts::{Claims, Grant};
use crate::ids::{BroadcastId, MarkerId};
use crate::limits::POSTERS_MAX;
use crate::signaling::live::access;
use crate::signaling::live::broadcast::{Broadcast, Poster};
use crate::signaling::live::details::{checked_slug, checked_title};
use crate::signaling::now::Now;
use crate::signaling::protocol::{BroadcastChanges, BroadcastView, Marker, Visibility};
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::{NewBroadcast, NewMarker};

impl Directory {
    /// Makes a broadcast for `owner`.
    pub(crate) fn create(&mut self, now: Now, id: BroadcastId, who: Option<&Claims>, new: &NewBroadcast) -> Result<BroadcastView, Refusal> {
        access::demand_creation(self.policy, who, new.slug.as_deref())?;
        let title = new.title.as_deref().map(checked_title).transpose()?.unwrap_or_default();
        let slug = match new.slug.as_deref() {
            Some(slug) => {
                let slug = checked_slug(slug)?;
                if self.is_taken(&slug) {
                    return Err(Refusal::SlugTaken);
                }
                slug
            }
            None => self.free_slug(&title, id),
        };
        let owner = who.map(|claims| claims.sub);
        self.demand_room(owner)?;
        let broadcast = Broadcast::new(now, id, slug, title, new.visibility.unwrap_or(Visibility::Public), owner);
        let view = broadcast.to_view();
        self.enter(now, broadcast);
        Ok(view)
    }

    pub(crate) fn change(
        &mut self,
        now: Now,
        name: &str,
        who: Option<&Claims>,
        changes: &BroadcastChanges,
    ) -> Result<BroadcastView, Refusal> {
        let id = self.find_for(name, who, Grant::Publish)?;
        self.edit(now, id, |broadcast| broadcast.change(now, changes).map(|()| broadcast.to_view()))
    }

    pub(crate) fn mark(&mut self, now: Now, name: &str, who: Option<&Claims>, id: MarkerId, new: &NewMarker) -> Result<Marker, Refusal> {
        let broadcast = self.find_for(name, who, Grant::Publish)?;
        self.edit(now, broadcast, |broadcast| {
            let edge_ms = broadcast.live_edge_ms(now);
            broadcast.edit_details(|details| details.mark(id, new.kind, &new.label, new.media_time_ms, edge_ms))
        })
    }

    pub(crate) fn unmark(&mut self, now: Now, name: &str, who: Option<&Claims>, marker: MarkerId) -> Result<(), Refusal> {
        let id = self.find_for(name, who, Grant::Publish)?;
        self.edit(now, id, |broadcast| broadcast.edit_details(|details| details.unmark(marker)))
    }

    pub(crate) fn end(&mut self, now: Now, name: &str, who: Option<&Claims>) -> Result<BroadcastView, Refusal> {
        let id = self.find_for(name, who, Grant::Publish)?;
        let ended = self.edit(now, id, |broadcast| Ok(broadcast.end(now)))?;
        if ended {
            self.close(id);
        }
        Ok(self.broadcasts[&id].to_view())
    }

    pub(crate) fn set_poster(&mut self, now: Now, name: &str, who: Option<&Claims>, poster: Poster) -> Result<u32, Refusal> {
        let id = self.find_for(name, who, Grant::Publish)?;
        let broadcast = &self.broadcasts[&id];
        if broadcast.has_ended() {
            return Err(Refusal::Ended);
        }
        if broadcast.poster().is_none() {
            if self.posters >= POSTERS_MAX {
                return Err(Refusal::Full("posters"));
            }
            self.posters += 1;
        }
        self.edit(now, id, |broadcast| {
            broadcast.set_poster(poster);
            Ok(broadcast.poster_version())
        })
    }
}
