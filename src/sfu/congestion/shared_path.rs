//! Viewers behind one address prefix probably share a bottleneck: probes of one would be measured, and suffered, by all. They take turns.
//!
//! Together they may probe with a part of what they are being sent, one at a time when that is little. What was too much for one is not
//! tried by the next one for a while, unless it wants less.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use slab::Slab;

/// Of what the members are being sent, this part may be probes under way at one time.
const PROBE_SHARE: f64 = 0.25;
const WAIT_MIN: Duration = Duration::from_secs(1);
const WAIT_MAX: Duration = Duration::from_secs(8);
/// After anyone had to give way, nobody asks for more for so long.
const WAIT_AFTER_CONGESTION: Duration = Duration::from_secs(1);
/// After a probe that did not succeed, so that the feedback about its consequences is in.
const WAIT_BETWEEN: Duration = Duration::from_millis(250);

/// The prefix that stands for a shared access: /24 of IPv4, /56 of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PathKey(u64);

impl PathKey {
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(u64::from(u32::from(v4) >> 8)),
            // The marker keeps the two families apart.
            IpAddr::V6(v6) => Self((u128::from(v6) >> 72) as u64 | 1 << 63),
        }
    }
}

/// What the viewers behind one prefix have in common.
#[derive(Debug, Default)]
pub struct SharedPath {
    members: usize,
    /// What its members are being sent, bits per second.
    sending_bps: f64,
    under_way: u32,
    under_way_bps: f64,
    next_at: Option<Instant>,
    /// A step of this many bits per second was too much; larger ones wait until then.
    too_much: Option<(f64, Instant)>,
    wait: Option<Duration>,
}

impl SharedPath {
    /// A viewer came to this address.
    pub fn join(&mut self) {
        self.members += 1;
    }

    /// One left, see [`super::Controller::leave`].
    pub(super) fn leave(&mut self) {
        self.members = self.members.saturating_sub(1);
    }

    /// Nobody is here any more.
    pub fn is_empty(&self) -> bool {
        self.members == 0
    }

    /// Whether it is anybody's turn to try a step of `step_bps` by a probe of `rate_bps`.
    pub(super) fn allows(&self, now: Instant, step_bps: f64, rate_bps: f64) -> bool {
        let has_room = self.under_way == 0 || self.under_way_bps + rate_bps <= self.sending_bps * PROBE_SHARE;
        let waits = self.under_way == 0 && self.next_at.is_some_and(|at| at > now);
        let too_much = self.too_much.is_some_and(|(failed, until)| until > now && step_bps > 0.9 * failed);
        has_room && !waits && !too_much
    }

    pub(super) fn handle_begun(&mut self, rate_bps: f64) {
        self.under_way += 1;
        self.under_way_bps += rate_bps;
    }

    /// A probe of `rate_bps` is over; `fits` is `None` when it said nothing.
    pub(super) fn handle_over(&mut self, now: Instant, step_bps: f64, rate_bps: f64, fits: Option<bool>) {
        self.under_way = self.under_way.saturating_sub(1);
        self.under_way_bps = if self.under_way == 0 { 0.0 } else { self.under_way_bps - rate_bps };
        if fits != Some(true) && self.members > 1 {
            self.next_at = self.next_at.max(Some(now + WAIT_BETWEEN));
        }
        match fits {
            Some(true) => (self.too_much, self.wait) = (None, None),
            Some(false) => self.wait_longer(now, step_bps),
            None => {}
        }
    }

    /// A member that is sent `current_bps` had to give way.
    pub(super) fn handle_congestion(&mut self, now: Instant, current_bps: f64) {
        self.next_at = self.next_at.max(Some(now + WAIT_AFTER_CONGESTION));
        self.wait_longer(now, current_bps / 2.0);
    }

    /// Steps as large as this one wait.
    fn wait_longer(&mut self, now: Instant, step_bps: f64) {
        if self.members > 1 {
            let wait = self.wait.map_or(WAIT_MIN, |wait| (wait * 2).min(WAIT_MAX));
            self.wait = Some(wait);
            self.too_much = Some((step_bps, now + wait));
        }
    }

    /// A member's traffic changes.
    pub(super) fn handle_demand(&mut self, before_bps: u32, after_bps: u32) {
        self.sending_bps = (self.sending_bps - f64::from(before_bps) + f64::from(after_bps)).max(0.0);
    }
}

/// Everybody's shared paths on one worker.
#[derive(Debug, Default)]
pub struct SharedPaths {
    by_key: HashMap<PathKey, usize>,
    paths: Slab<(PathKey, SharedPath)>,
}

impl SharedPaths {
    /// A viewer comes to an address there. It goes by [`super::Controller::leave`] and [`Self::forget_if_empty`].
    pub fn join(&mut self, key: PathKey) -> usize {
        let paths = &mut self.paths;
        let index = *self.by_key.entry(key).or_insert_with(|| paths.insert((key, SharedPath::default())));
        paths[index].1.join();
        index
    }

    pub fn key(&self, path: usize) -> PathKey {
        self.paths[path].0
    }

    pub fn get_mut(&mut self, path: usize) -> &mut SharedPath {
        &mut self.paths[path].1
    }

    pub fn forget_if_empty(&mut self, path: usize) {
        if self.paths[path].1.is_empty() {
            let (key, _) = self.paths.remove(path);
            self.by_key.remove(&key);
        }
    }

    pub fn len(&self) -> usize {
        self.paths.len()
    }

    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time needs an origin; only differences from it matter")]
mod tests {
    use super::*;

    fn shared(members: usize) -> (Instant, SharedPath) {
        let mut shared = SharedPath::default();
        (0..members).for_each(|_| shared.join());
        (Instant::now(), shared)
    }

    #[test]
    fn neighbours_have_one_key_and_the_families_differ() {
        let key = |text: &str| PathKey::of(text.parse().expect("an address"));
        assert_eq!(key("192.0.2.7"), key("192.0.2.200"));
        assert_eq!(key("192.0.2.7"), key("::ffff:192.0.2.8"));
        assert_ne!(key("192.0.2.7"), key("192.0.3.7"));
        assert_eq!(key("2001:db8:1:10::1"), key("2001:db8:1:1f:9::"));
        assert_ne!(key("2001:db8:1:10::1"), key("2001:db8:1:1000::1"));
        assert_ne!(key("::c0:2"), key("0.0.192.0"));
    }

    #[test]
    fn probes_take_turns_and_a_crowd_that_is_sent_much_may_have_several() {
        let (now, mut shared) = shared(20);
        assert!(shared.allows(now, 2e6, 3e6));
        shared.handle_begun(3e6);
        assert!(!shared.allows(now, 2e6, 3e6));
        shared.handle_demand(0, 30_000_000);
        assert!(shared.allows(now, 2e6, 3e6));
        shared.handle_begun(3e6);
        assert!(!shared.allows(now, 2e6, 3e6));
        shared.handle_over(now, 2e6, 3e6, Some(true));
        shared.handle_over(now, 2e6, 3e6, Some(true));
        assert!(shared.allows(now, 2e6, 3e6), "after success the next one goes at once");
    }

    #[test]
    fn what_was_too_much_for_one_waits_for_all_but_smaller_steps_go_on() {
        let (mut now, mut shared) = shared(2);
        for wait in [1, 2, 4, 8, 8] {
            shared.handle_begun(3e6);
            shared.handle_over(now, 2e6, 3e6, Some(false));
            now += Duration::from_millis(wait * 1000 - 1);
            assert!(!shared.allows(now, 2e6, 3e6), "{wait} s");
            assert!(shared.allows(now, 0.4e6, 0.9e6), "a smaller step");
            now += Duration::from_millis(1);
            assert!(shared.allows(now, 2e6, 3e6));
        }
        let (now, mut alone) = self::shared(1);
        alone.handle_begun(3e6);
        alone.handle_over(now, 2e6, 3e6, Some(false));
        assert!(alone.allows(now, 2e6, 3e6), "who is alone keeps its own time");
    }
}
