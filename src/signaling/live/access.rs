//! Who may do what on a broadcast: one function a question, from claims, ownership and the server's policy.

use super::broadcast::{Broadcast, Credential};
use crate::accounts::{Claims, Grant};
use crate::signaling::refusal::Refusal;

/// What people without a token that says more may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Anybody makes broadcasts, and publishes those that nobody owns.
    pub(crate) open_publish: bool,
    /// Anybody watches.
    pub(crate) open_view: bool,
    /// How far live broadcasts can be rewound; `None`: not at all.
    pub(crate) dvr_window_s: Option<u32>,
}

/// The grants that `who` has on `broadcast`, in the order of [`Grant`].
pub(crate) fn grants(policy: Policy, who: Option<&Claims>, broadcast: &Broadcast) -> Vec<Grant> {
    const ALL: [Grant; 5] = [Grant::View, Grant::Publish, Grant::Chat, Grant::Call, Grant::Moderate];
    ALL.into_iter().filter(|&grant| has(policy, who, broadcast, grant)).collect()
}

fn has(policy: Policy, who: Option<&Claims>, broadcast: &Broadcast, grant: Grant) -> bool {
    let is_theirs = who.is_some_and(|claims| owns(claims, broadcast));
    let is_granted = who.is_some_and(|claims| claims.grants.contains(&grant) && covers(claims, broadcast));
    let is_moderator = who.is_some_and(|claims| !claims.guest && broadcast.moderators().contains(&claims.sub) && covers(claims, broadcast));
    let is_moderation = is_moderator && matches!(grant, Grant::View | Grant::Chat | Grant::Call | Grant::Moderate);
    let is_open = match grant {
        // Who may write, and how much, the chat itself decides further.
        Grant::View | Grant::Chat | Grant::Call => policy.open_view,
        Grant::Publish => policy.open_publish && broadcast.owner.is_none(),
        Grant::Moderate => false,
    };
    is_theirs || is_granted || is_moderation || is_open
}

/// Refuses unless `who` has `grant`; says whether a token would help.
pub(crate) fn demand(policy: Policy, who: Option<&Claims>, broadcast: &Broadcast, grant: Grant) -> Result<(), Refusal> {
    match (has(policy, who, broadcast, grant), who) {
        (true, _) => Ok(()),
        (false, None) => Err(Refusal::TokenNeeded),
        (false, Some(_)) => Err(Refusal::Forbidden(grant)),
    }
}

/// Refuses all but the owner and operators.
pub(crate) fn demand_ownership(who: Option<&Claims>, broadcast: &Broadcast) -> Result<(), Refusal> {
    match who {
        None => Err(Refusal::TokenNeeded),
        Some(claims) if owns(claims, broadcast) => Ok(()),
        Some(_) => Err(Refusal::NotYours),
    }
}

/// Whether `who` may make a broadcast, under `slug` when one is asked for. A token for one broadcast makes only that one.
pub(crate) fn demand_creation(policy: Policy, who: Option<&Claims>, slug: Option<&str>) -> Result<(), Refusal> {
    let is_granted = who.is_some_and(|claims| {
        claims.operator
            || claims.broadcaster
            || claims.grants.contains(&Grant::Publish)
                && claims.broadcast.as_deref().is_none_or(|only| slug.is_some_and(|slug| slug == only))
    });
    match (is_granted || policy.open_publish, who) {
        (true, _) => Ok(()),
        (false, None) => Err(Refusal::TokenNeeded),
        (false, Some(_)) => Err(Refusal::MayNotBroadcast),
    }
}

/// Whose publisher `who` is.
pub(crate) fn credential(who: Option<&Claims>) -> Credential {
    who.map_or(Credential::Anonymous, |claims| Credential::User(claims.sub))
}

/// A token for one broadcast, which its owner may have handed to a camera crew, is not the owner on another.
fn owns(claims: &Claims, broadcast: &Broadcast) -> bool {
    claims.operator || broadcast.owner == Some(claims.sub) && covers(claims, broadcast)
}

fn covers(claims: &Claims, broadcast: &Broadcast) -> bool {
    claims.broadcast.as_deref().is_none_or(|only| only == broadcast.slug || only == broadcast.id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{BroadcastId, UserId};
    use crate::signaling::now::Now;
    use crate::signaling::protocol::Visibility;

    fn claims(sub: u64, grants: &[Grant], broadcast: Option<&str>) -> Claims {
        Claims {
            sub: UserId::from_bits(sub),
            name: "Ann".to_owned(),
            exp: u64::MAX,
            broadcast: broadcast.map(str::to_owned),
            grants: grants.to_vec(),
            operator: false,
            broadcaster: false,
            guest: true,
        }
    }

    fn broadcast(owner: Option<u64>) -> Broadcast {
        let owner = owner.map(UserId::from_bits);
        Broadcast::new(Now::read(), BroadcastId::from_bits(9), "final".to_owned(), String::new(), Visibility::Public, owner)
    }

    const OPEN: Policy = Policy { open_publish: true, open_view: true, dvr_window_s: None };
    const CLOSED: Policy = Policy { open_publish: false, open_view: false, dvr_window_s: None };

    #[test]
    fn nobody_publishes_what_another_owns_even_where_publishing_is_open() {
        assert_eq!(demand(OPEN, None, &broadcast(Some(1)), Grant::Publish), Err(Refusal::TokenNeeded));
        let other = claims(2, &[], None);
        assert_eq!(demand(OPEN, Some(&other), &broadcast(Some(1)), Grant::Publish), Err(Refusal::Forbidden(Grant::Publish)));
        assert_eq!(demand(OPEN, Some(&claims(1, &[], None)), &broadcast(Some(1)), Grant::Publish), Ok(()));
        assert_eq!(demand(OPEN, None, &broadcast(None), Grant::Publish), Ok(()));
    }

    #[test]
    fn a_token_for_one_broadcast_says_nothing_about_another() {
        let by_slug = claims(3, &[Grant::View, Grant::Publish], Some("final"));
        let by_id = claims(3, &[Grant::View], Some("0000000000009"));
        let elsewhere = claims(3, &[Grant::View], Some("other"));
        assert_eq!(grants(CLOSED, Some(&by_slug), &broadcast(None)), [Grant::View, Grant::Publish]);
        assert_eq!(grants(CLOSED, Some(&by_id), &broadcast(None)), [Grant::View]);
        assert_eq!(grants(CLOSED, Some(&elsewhere), &broadcast(None)), []);
        assert_eq!(grants(CLOSED, Some(&elsewhere), &broadcast(Some(3))), [], "although its bearer owns that one too");
        assert_eq!(grants(CLOSED, Some(&by_slug), &broadcast(Some(3))).len(), 5);
        assert_eq!(demand_creation(CLOSED, Some(&by_slug), Some("final")), Ok(()));
        assert_eq!(demand_creation(CLOSED, Some(&by_slug), None), Err(Refusal::MayNotBroadcast));
        assert_eq!(demand_creation(CLOSED, None, None), Err(Refusal::TokenNeeded));
    }

    #[test]
    fn a_moderator_moderates_one_broadcast_and_publishes_none() {
        let mut moderated = broadcast(Some(1));
        moderated.add_moderator(UserId::from_bits(5)).unwrap();
        let account = Claims { guest: false, ..claims(5, &[], None) };
        assert_eq!(grants(CLOSED, Some(&account), &moderated), [Grant::View, Grant::Chat, Grant::Call, Grant::Moderate]);
        assert_eq!(grants(CLOSED, Some(&account), &broadcast(Some(1))), []);
        assert_eq!(grants(CLOSED, Some(&claims(5, &[], None)), &moderated), [], "a guest is not the account of that id");
        assert_eq!(demand_ownership(Some(&account), &moderated), Err(Refusal::NotYours));
        assert!(moderated.remove_moderator(UserId::from_bits(5)));
        assert_eq!(grants(CLOSED, Some(&account), &moderated), []);
    }

    #[test]
    fn a_broadcaster_makes_broadcasts_and_has_no_say_on_those_of_others() {
        let broadcaster = Claims { broadcaster: true, guest: false, ..claims(5, &[], None) };
        assert_eq!(demand_creation(CLOSED, Some(&broadcaster), Some("derby")), Ok(()));
        assert_eq!(grants(CLOSED, Some(&broadcaster), &broadcast(Some(1))), []);
        assert_eq!(grants(CLOSED, Some(&broadcaster), &broadcast(Some(5))).len(), 5);
    }

    #[test]
    fn operators_may_everything() {
        let operator = Claims { operator: true, ..claims(4, &[], None) };
        assert_eq!(grants(CLOSED, Some(&operator), &broadcast(Some(1))).len(), 5);
    }
}
