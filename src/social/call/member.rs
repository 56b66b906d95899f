//! One member of a call: what they show, and how they are connected.

use super::allowance::Allowance;
use super::seating::Seating;
use super::{CallMember, Caller, LinkWord, MemberId, Pace};
use crate::ids::SourceId;
use crate::limits::{CALL_ACTS_BURST, CALL_ACTS_INTERVAL};
use crate::social::clock::UnixMs;

/// Whether a member's media peer is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PeerPlace {
    /// It has not offered one yet.
    Awaited,
    There,
    Gone,
}

/// When somebody spoke: in the order of the call, so that two who begin in one millisecond are told apart.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Voice {
    pub(super) speaks_since: Option<UnixMs>,
    /// When they last began; 0: never.
    pub(super) began: u64,
    /// When they last began and went on; 0: never.
    pub(super) noticed: u64,
    pub(super) is_noticed: bool,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: MemberId,
    pub(super) who: Caller,
    pub(super) microphone: bool,
    pub(super) camera: bool,
    pub(super) screen: bool,
    pub(super) silenced: bool,
    pub(super) in_step: bool,
    pub(super) is_connected: bool,
    pub(super) peer: PeerPlace,
    /// Nothing at all comes over its peer.
    pub(super) is_silent: bool,
    pub(super) away_since: Option<UnixMs>,
    pub(super) link: LinkWord,
    pub(super) source: Option<SourceId>,
    pub(super) voice: Voice,
    pub(super) pinned: Option<MemberId>,
    pub(super) seating: Seating,
    pub(super) pace: Option<(UnixMs, Pace)>,
    pub(super) acts: Allowance,
}

impl Member {
    pub(super) fn new(now: UnixMs, id: MemberId, who: Caller) -> Self {
        Self {
            id,
            who,
            microphone: false,
            camera: false,
            screen: false,
            silenced: false,
            in_step: true,
            is_connected: true,
            peer: PeerPlace::Awaited,
            is_silent: false,
            away_since: None,
            link: LinkWord::Good,
            source: None,
            voice: Voice::default(),
            pinned: None,
            seating: Seating::default(),
            pace: None,
            acts: Allowance::new(now, CALL_ACTS_BURST, CALL_ACTS_INTERVAL),
        }
    }

    pub(super) fn is_here(&self) -> bool {
        self.is_connected && self.peer != PeerPlace::Gone && !self.is_silent
    }

    pub(super) const fn has_picture(&self) -> bool {
        self.camera || self.screen
    }

    pub(super) fn to_view(&self) -> CallMember {
        CallMember {
            id: self.id,
            user: self.who.user,
            name: self.who.name.clone(),
            guest: self.who.guest,
            microphone: self.microphone,
            camera: self.camera,
            screen: self.screen,
            silenced: self.silenced,
            in_step: self.in_step,
            here: self.is_here(),
            link: self.link,
        }
    }
}
