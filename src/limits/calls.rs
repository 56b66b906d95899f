//! Bounds of friends' calls and of guests on air.

use std::time::Duration;

use super::RESUME_WINDOW;

// ---- Calls ----

/// Calls of this node, about 20 KB each. Full: `full`.
pub const CALLS_MAX: usize = 2_000;
/// Members of a call. Full: `full`, in words.
pub const CALL_MEMBERS_MAX: usize = 50;
/// ... of them with camera or screen on. Full: the next one who turns it on is refused.
pub const CALL_VIDEO_MAX: usize = 12;
/// People who are rung at once, by one request and over all of them. More: refused.
pub const CALL_RING_MAX: usize = 20;
/// How long it rings. Then it is missed.
pub const CALL_RING_LIFETIME: Duration = Duration::from_secs(45);
/// Rings of one call: a burst, then one each interval, so that nobody is rung for ever. More: `slow_down`.
pub const CALL_RINGS_BURST: u32 = 40;
pub const CALL_RINGS_INTERVAL: Duration = Duration::from_secs(15);
/// Links of a call that are good at once. Full: refused.
pub const CALL_INVITATIONS_MAX: usize = 5;
/// How long a link lets people in. Later: refused, in words.
pub const CALL_INVITATION_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// People whom the host has sent out, as a call remembers them. More: the oldest is forgotten, and with them every link, so that they still cannot use one.
pub const CALL_REMOVED_MAX: usize = 100;
/// Who was in a call may come back without an invitation for so long: a reload, a dead battery.
pub const CALL_REJOIN_WINDOW: Duration = Duration::from_secs(120);
/// A member whose client or peer is gone is waited for as long as for a session. Then they are lost.
pub const CALL_LOST_AFTER: Duration = RESUME_WINDOW;
/// Characters of a line of a call's chat. Longer: refused.
pub const CALL_TEXT_MAX: usize = 500;
/// Lines that a newcomer is shown, and among which a nonce is found again. More: the oldest is forgotten.
pub const CALL_LINES_KEPT: usize = 100;
/// What one member does that all others are told of (says, shows, reacts, plays): a burst, then one each interval. More: `slow_down`.
pub const CALL_ACTS_BURST: u32 = 20;
pub const CALL_ACTS_INTERVAL: Duration = Duration::from_millis(250);
/// A call that changes is told whole at most this often: fifty who come at once cost each of them ten messages a second.
pub const CALL_VIEW_INTERVAL: Duration = Duration::from_millis(100);
/// Who speaks for so long is shown where there are more faces than m-lines; a cough moves nobody.
pub const CALL_NOTICE_AFTER: Duration = Duration::from_millis(500);

/// Nobody is held further behind than this for the sake of the others: who is slower goes their own way.
pub const CALL_PACE_MAX_MS: f64 = 15_000.0;
/// What a member told of its picture counts for so long: five reports.
pub const CALL_PACE_FRESH: Duration = Duration::from_secs(5);
/// Beyond the slowest member, so that it can hold the pace.
pub const CALL_PACE_MARGIN_MS: f64 = 10.0;
/// The pace is told when it has moved by more than this: less is not seen ...
pub const CALL_PACE_STEP_MS: f64 = 20.0;
/// ... and at most this often.
pub const CALL_PACE_INTERVAL: Duration = Duration::from_millis(500);
/// The pace falls only after it could have been lower for so long, and then by this much a second: a picture is caught up gently.
pub const CALL_PACE_FALL_AFTER: Duration = Duration::from_secs(3);
pub const CALL_PACE_FALL_MS_PER_S: f64 = 50.0;

/// How often the connections of members are looked at.
pub const CALL_LINK_INTERVAL: Duration = Duration::from_millis(2_500);
/// A member of whose client nothing at all has come for so long is shown as away: a client checks its connection each 2.5 s.
pub const CALL_SILENT_AFTER: Duration = Duration::from_secs(6);
/// Loss (0 to 1, either way) and round trip (ms) from which a connection is called weak, and poor.
pub const CALL_LINK_WEAK: (f32, f32) = (0.03, 300.0);
pub const CALL_LINK_POOR: (f32, f32) = (0.10, 800.0);

/// What nodes say about people that the calls of this one are to hear. Full: it is lost and counted; a block then comes into force with the next
/// change of that person.
pub const PEOPLE_WORDS: usize = 1_024;

// ---- On air ----

/// Raised hands of a broadcast. Full: refused.
pub const HANDS_MAX: usize = 100;
/// The broadcaster is told of hands at most this often.
pub const HANDS_INTERVAL: Duration = Duration::from_millis(500);
/// How long somebody who is asked on air may think. Then they are asked no longer.
pub const ON_AIR_INVITED_FOR: Duration = Duration::from_secs(30);
/// A guest whose peer is gone, or who said yes and sends no offer, is off air after so long.
pub const ON_AIR_LOST_AFTER: Duration = Duration::from_secs(8);
