//! What one session is told by the registry, through its mailbox.

use crate::sfu::handle::SfuEvent;
use crate::signaling::protocol::{LayerView, ServerMessage, Transport, TransportReason};

/// What a session hears about its peers.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Media(SfuEvent),
    /// What arrives from the session's own publisher, once a second.
    PublishedLayers(Vec<LayerView>),
    /// How it is to watch.
    Transport(Transport, TransportReason),
    /// Of a call, or of guests on air.
    Message(Box<ServerMessage>),
}

impl Told {
    /// It says how something was at a moment, which is said anew to a session that is resumed.
    pub(in crate::signaling::live) const fn is_superseded(&self) -> bool {
        let Self::Message(message) = self else { return false };
        matches!(
            **message,
            ServerMessage::Call { .. }
                | ServerMessage::Slots { .. }
                | ServerMessage::CallSpeaking { .. }
                | ServerMessage::CallPaced { .. }
                | ServerMessage::CallPlayed { .. }
        )
    }
}
