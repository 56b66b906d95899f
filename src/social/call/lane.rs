//! A call's own chat: the last lines, each said once however often it was sent.

use std::collections::VecDeque;

use super::refusal::CallRefusal;
use super::{CallLine, MemberId};
use crate::ids::UserId;
use crate::limits::{CALL_LINES_KEPT, CALL_TEXT_MAX};
use crate::social::clock::UnixMs;

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// With whose it is and its nonce.
    lines: VecDeque<(UserId, u64, CallLine)>,
    last: u32,
}

/// Somebody says something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Saying<'a> {
    pub(super) member: MemberId,
    pub(super) user: UserId,
    pub(super) name: &'a str,
    pub(super) nonce: u64,
    pub(super) text: &'a str,
}

impl Lane {
    /// Whether it was said before.
    pub(super) fn has(&self, user: UserId, nonce: u64) -> bool {
        self.lines.iter().any(|(other, known, _)| (*other, *known) == (user, nonce))
    }

    pub(super) fn say(&mut self, now: UnixMs, saying: Saying<'_>) -> Result<CallLine, CallRefusal> {
        let Saying { member, user, name, nonce, text } = saying;
        let text: String = text.trim().chars().filter(|symbol| *symbol == '\n' || !symbol.is_control()).collect();
        if text.is_empty() || text.chars().count() > CALL_TEXT_MAX {
            return Err(CallRefusal::InvalidValue { field: "text", rule: "1 to 500 characters" });
        }
        if self.lines.len() >= CALL_LINES_KEPT {
            self.lines.pop_front();
        }
        self.last += 1;
        let line = CallLine { number: self.last, member, name: name.to_owned(), text, said_at_ms: now.0 };
        self.lines.push_back((user, nonce, line.clone()));
        Ok(line)
    }

    /// Oldest first.
    pub(super) fn lines(&self) -> Vec<CallLine> {
        self.lines.iter().map(|(_, _, line)| line.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_numbered_bounded_and_checked() {
        let mut lane = Lane::default();
        let saying = |nonce, text| Saying { member: MemberId(1), user: UserId::from_bits(1), name: "Ann", nonce, text };
        let too_long = "x".repeat(CALL_TEXT_MAX + 1);
        for text in ["", "  \n ", "\u{7}", &too_long] {
            assert!(lane.say(UnixMs(1), saying(1, text)).is_err(), "{text:?}");
        }
        for nonce in 0..=CALL_LINES_KEPT as u64 {
            assert_eq!(lane.say(UnixMs(1), saying(nonce, " goal! ")).unwrap().text, "goal!");
        }
        let lines = lane.lines();
        assert_eq!((lines.len(), lines[0].number), (CALL_LINES_KEPT, 2));
        assert!(lane.has(UserId::from_bits(1), 5) && !lane.has(UserId::from_bits(2), 5));
    }
}
