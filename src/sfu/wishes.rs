//! A viewer that asks for key frames: what it is answered. Its group again at first; when that did not help, a new key frame.

use std::time::{Duration, Instant};

use crate::limits;
use crate::sfu::rtp::seq::SeqNo;

/// What was done about one viewer's asking for key frames.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wishes {
    replayed_at: Option<Instant>,
    asked_at: Option<Instant>,
    /// Replays since it last was content.
    in_row: u8,
    /// The replay at the start began again because the viewer's first words were a wish.
    restarted: bool,
    /// The key frame shown by itself last: it is shown once.
    pub shown: Option<SeqNo>,
}

/// What to do about a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// A replay has just begun; that is the answer.
    UnderWay,
    /// The group again, if there is one. `unseen`: the viewer has seen nothing of what it was sent.
    Group { unseen: bool },
    /// The group did not help.
    KeyFrame,
}

impl Wishes {
    /// The viewer asks. `heard`: it has reported on the track. `round_trip`: what is known of it.
    pub fn handle_wish(&mut self, now: Instant, heard: bool, round_trip: Duration) -> Wish {
        let since = |at: Option<Instant>| at.map(|at| now.saturating_duration_since(at));
        if since(self.asked_at).is_none_or(|silent| silent >= limits::REPLAY_ROW_ENDS) {
            self.in_row = 0;
        }
        self.asked_at = Some(now);
        // A receiver that came up only after the replay had begun says so by asking: it has seen nothing, and nothing is lost by beginning
        // again at once. Firefox is such a one in one join of seven.
        let unseen = !heard && !std::mem::replace(&mut self.restarted, true);
        let interval = limits::REPLAY_AGAIN_MIN.max(round_trip);
        if !unseen && since(self.replayed_at).is_some_and(|passed| passed < interval) {
            Wish::UnderWay
        } else if self.in_row >= limits::REPLAYS_IN_ROW_MAX {
            Wish::KeyFrame
        } else {
            Wish::Group { unseen }
        }
    }

    /// A group is being sent, wished for or not.
    pub fn handle_replay(&mut self, now: Instant) {
        self.replayed_at = Some(now);
    }

    /// It was the answer to a wish.
    pub fn handle_answered(&mut self) {
        self.in_row += 1;
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
mod tests {
    use super::*;

    #[test]
    fn the_group_helps_first_and_then_a_key_frame() {
        let start = Instant::now();
        let mut wishes = Wishes::default();
        let mut ask = |ms: u64, heard| {
            let now = start + Duration::from_millis(ms);
            let wish = wishes.handle_wish(now, heard, Duration::from_millis(300));
            if matches!(wish, Wish::Group { .. }) {
                wishes.handle_replay(now);
                wishes.handle_answered();
            }
            wish
        };
        assert_eq!(ask(0, false), Wish::Group { unseen: true });
        assert_eq!(ask(10, false), Wish::UnderWay, "once only is nothing seen");
        assert_eq!(ask(299, true), Wish::UnderWay, "not within a round trip");
        assert_eq!(ask(310, true), Wish::Group { unseen: false });
        assert_eq!(ask(700, true), Wish::KeyFrame, "that did not help");
        let content = 700 + limits::REPLAY_ROW_ENDS.as_millis() as u64;
        assert_eq!(ask(content, true), Wish::Group { unseen: false });
    }
}
