//! Broadcasts as REST and sessions change them: checks and decisions by the directory, tokens and links added here.

use axum::body::Bytes;

use super::{Live, Poster};
use crate::accounts::{Claims, Grant, new_guest};
use crate::ids::{BroadcastId, MarkerId, UserId};
use crate::limits::{IDENTITY_RENEWED_BEFORE, PUBLISH_TOKEN_TTL};
use crate::signaling::now::Now;
use crate::signaling::protocol::{BroadcastChanges, BroadcastView, Marker, UserView};
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::{CreatedBroadcast, Me, NewBroadcast, NewMarker};
use crate::social::chat::{ChatEvent, Logged};

/// What was said by an event that the archive keeps, if it is a message.
pub(crate) fn text_of_event(event_json: &str) -> Option<String> {
    match serde_json::from_str::<Logged>(event_json).ok()?.event {
        ChatEvent::Said { message } => Some(message.text),
        ChatEvent::Edited { .. }
        | ChatEvent::Deleted { .. }
        | ChatEvent::Pinned { .. }
        | ChatEvent::Modes { .. }
        | ChatEvent::Cleared { .. } => None,
    }
}

impl Live {
    pub(crate) fn list(&self) -> Vec<BroadcastView> {
        self.with_state(|state| state.directory.list())
    }

    /// By id or slug. Seeing it needs no grant: its link is the capability, and it shows no picture.
    pub(crate) fn find(&self, name: &str) -> Result<BroadcastView, Refusal> {
        self.with_state(|state| state.directory.find(name).map(super::broadcast::Broadcast::to_view))
    }

    /// Makes a broadcast, owned by its maker; a stranger becomes a guest, whom the answer's token names.
    pub(crate) fn create(&self, who: Option<&Claims>, new: &NewBroadcast) -> Result<CreatedBroadcast, Refusal> {
        self.refuse_when_closing()?;
        let mut rng = rand::rng();
        let id = BroadcastId::random(&mut rng);
        let now = Now::read();
        let stranger = who.is_none() && self.settings().open_publish;
        let guest = stranger.then(|| new_guest(&mut rng, now.unix_s()));
        let owner = who.or(guest.as_ref());
        let broadcast = self.decide(|now, state| state.directory.create(now, id, owner, new))?;
        let owner = owner.ok_or(Refusal::TokenNeeded)?;
        let claims = Claims {
            sub: owner.sub,
            name: owner.name.clone(),
            exp: now.unix_s() + PUBLISH_TOKEN_TTL.as_secs(),
            broadcast: Some(id.to_string()),
            grants: vec![Grant::View, Grant::Publish, Grant::Chat, Grant::Call, Grant::Moderate],
            operator: false,
            broadcaster: false,
            guest: owner.guest,
        };
        tracing::info!(broadcast = %id, slug = broadcast.slug, "broadcast made");
        let base = &self.settings().public_base_url;
        Ok(CreatedBroadcast {
            token: self.tokens().mint(&claims),
            whip_url: format!("{base}/whip/{}", broadcast.slug),
            whep_url: format!("{base}/whep/{}", broadcast.slug),
            watch_url: format!("{base}/watch/{}", broadcast.slug),
            broadcast,
        })
    }

    pub(crate) fn change(&self, who: Option<&Claims>, name: &str, changes: &BroadcastChanges) -> Result<BroadcastView, Refusal> {
        self.decide(|now, state| state.directory.change(now, name, who, changes))
    }

    pub(crate) fn mark(&self, who: Option<&Claims>, name: &str, new: &NewMarker) -> Result<Marker, Refusal> {
        let id = MarkerId::random(&mut rand::rng());
        self.decide(|now, state| state.directory.mark(now, name, who, id, new))
    }

    pub(crate) fn unmark(&self, who: Option<&Claims>, name: &str, marker: MarkerId) -> Result<(), Refusal> {
        self.decide(|now, state| state.directory.unmark(now, name, who, marker))
    }

    /// Ends a broadcast for good. Ending one that has ended changes nothing.
    pub(crate) fn end(&self, who: Option<&Claims>, name: &str) -> Result<BroadcastView, Refusal> {
        let view = self.decide(|now, state| state.directory.end(now, name, who))?;
        tracing::info!(broadcast = %view.id, "broadcast ended by command");
        Ok(view)
    }

    /// Ends every running broadcast of a person who leaves for good.
    pub(crate) fn end_all_of(&self, owner: &Claims) {
        for id in self.with_state(|state| state.directory.running_of(owner.sub)) {
            // One that has ended meanwhile, by itself or by command, is what is wanted.
            drop(self.end(Some(owner), &id.to_string()));
        }
    }

    pub(crate) fn moderators(&self, who: Option<&Claims>, name: &str) -> Result<Vec<UserId>, Refusal> {
        self.with_state(|state| state.directory.moderators(name, who))
    }

    pub(crate) fn add_moderator(&self, who: Option<&Claims>, name: &str, user: UserId) -> Result<(), Refusal> {
        self.decide(|now, state| state.directory.add_moderator(now, name, who, user))
    }

    pub(crate) fn remove_moderator(&self, who: Option<&Claims>, name: &str, user: UserId) -> Result<(), Refusal> {
        self.decide(|now, state| state.directory.remove_moderator(now, name, who, user))
    }

    /// Refuses those who may not publish a broadcast, before anything large is read from them.
    pub(crate) fn may_publish(&self, who: Option<&Claims>, name: &str) -> Result<(), Refusal> {
        self.with_state(|state| state.directory.find_for(name, who, Grant::Publish).map(drop))
    }

    /// Replaces the poster by `picture`, which has at most `limits::POSTER_BYTES_MAX`; returns its version.
    pub(crate) fn set_poster(&self, who: Option<&Claims>, name: &str, picture: &[u8]) -> Result<u32, Refusal> {
        let content_type = picture_type(picture).ok_or(Refusal::UnsupportedMediaType("image/jpeg or image/webp"))?;
        // A copy of its own length: a request's buffer may be a slice of something larger.
        let poster = Poster { bytes: Bytes::copy_from_slice(picture), content_type };
        self.decide(|now, state| state.directory.set_poster(now, name, who, poster))
    }

    /// The poster and its version.
    pub(crate) fn poster(&self, name: &str) -> Result<(Poster, u32), Refusal> {
        self.with_state(|state| {
            let broadcast = state.directory.find(name)?;
            let poster = broadcast.poster().cloned().ok_or(Refusal::NotFound("poster"))?;
            Ok((poster, broadcast.poster_version()))
        })
    }

    /// Who the bearer is; a stranger becomes a guest, and a guest's identity is renewed in time.
    pub(crate) fn me(&self, who: Option<Claims>) -> Me {
        let (claims, token) = self.identity(who);
        Me {
            user: UserView { id: claims.sub, name: claims.name.clone(), guest: claims.guest },
            operator: claims.operator,
            may_broadcast: self.settings().open_publish || claims.operator || claims.broadcaster || claims.grants.contains(&Grant::Publish),
            token,
        }
    }

    /// The identity to go on with, and a token for it where the client needs a new one.
    pub(crate) fn identity(&self, who: Option<Claims>) -> (Claims, Option<String>) {
        let now_s = Now::read().unix_s();
        let renewed = |exp: u64| exp.saturating_sub(now_s) < IDENTITY_RENEWED_BEFORE.as_secs();
        match who {
            None => {
                let guest = new_guest(&mut rand::rng(), now_s);
                let token = self.tokens().mint(&guest);
                (guest, Some(token))
            }
            // Only plain guest identities renew themselves: a capability that expires is meant to.
            Some(claims) if claims.is_guest_identity() && renewed(claims.exp) => {
                let claims = Claims { exp: now_s + crate::accounts::GUEST_TOKEN_TTL.as_secs(), ..claims };
                let token = self.tokens().mint(&claims);
                (claims, Some(token))
            }
            Some(claims) => (claims, None),
        }
    }
}

/// By the first bytes: what the client says about them does not matter.
pub(crate) fn picture_type(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        Some("image/jpeg")
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        Some("image/webp")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::picture_type;

    #[test]
    fn pictures_are_known_by_their_first_bytes() {
        assert_eq!(picture_type(b"\xff\xd8\xff\xe0rest"), Some("image/jpeg"));
        assert_eq!(picture_type(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        for bytes in [&b""[..], b"RIFF", b"<svg>", b"GIF89a", b"\x89PNG"] {
            assert_eq!(picture_type(bytes), None);
        }
    }
}
