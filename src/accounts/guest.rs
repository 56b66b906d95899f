//! A guest: the identity of somebody who has just arrived and not told us who they are.

use std::time::Duration;

use rand::Rng;
use rand::seq::IndexedRandom;

use crate::accounts::Claims;
use crate::ids::UserId;

/// How long a guest stays the same person without coming back. Each visit may renew it.
pub const GUEST_TOKEN_TTL: Duration = Duration::from_secs(180 * 24 * 3600);

/// Names are read aloud and shown beside chat, so both lists are short, common and kind.
const MOODS: [&str; 32] = [
    "Quiet", "Brave", "Swift", "Sunny", "Lucky", "Gentle", "Bright", "Clever", "Merry", "Calm", "Bold", "Keen", "Nimble", "Proud", "Jolly",
    "Steady", "Eager", "Happy", "Mellow", "Noble", "Quick", "Rapid", "Shy", "Sturdy", "Tidy", "Warm", "Witty", "Zesty", "Loyal", "Golden",
    "Silver", "Amber",
];
const ANIMALS: [&str; 32] = [
    "Otter", "Falcon", "Badger", "Heron", "Lynx", "Puffin", "Marten", "Robin", "Beaver", "Stork", "Hare", "Ibex", "Kestrel", "Magpie",
    "Newt", "Osprey", "Panda", "Quail", "Raven", "Seal", "Tapir", "Walrus", "Yak", "Zebra", "Dolphin", "Gecko", "Koala", "Lemur", "Moose",
    "Wren", "Finch", "Turtle",
];

/// A new guest: an unguessable id, a friendly name such as "Quiet Otter 42", no grants. What guests may do is the server's configuration.
pub fn new_guest(rng: &mut impl Rng, now_unix_s: u64) -> Claims {
    let mood = MOODS.choose(rng).expect("the list is not empty");
    let animal = ANIMALS.choose(rng).expect("the list is not empty");
    let number = rng.random_range(10..100);
    Claims {
        sub: UserId::random(rng),
        name: format!("{mood} {animal} {number}"),
        exp: now_unix_s.saturating_add(GUEST_TOKEN_TTL.as_secs()),
        broadcast: None,
        grants: Vec::new(),
        operator: false,
        broadcaster: false,
        guest: true,
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    #[test]
    fn a_guest_has_a_name_of_three_words_and_no_grants() {
        let mut rng = StdRng::seed_from_u64(7);
        let guest = new_guest(&mut rng, 1_000);
        assert_eq!(guest.name.split(' ').count(), 3, "{}", guest.name);
        assert!(guest.guest && !guest.operator && guest.grants.is_empty());
        assert_eq!(guest.exp, 1_000 + GUEST_TOKEN_TTL.as_secs());
    }

    #[test]
    fn two_guests_are_two_people() {
        let mut rng = StdRng::seed_from_u64(7);
        assert_ne!(new_guest(&mut rng, 0).sub, new_guest(&mut rng, 0).sub);
    }
}
