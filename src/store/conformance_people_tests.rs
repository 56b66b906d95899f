//! What both databases must do alike about people who know each other, their messages, chats, and moderation.

use super::conformance_tests::{account, broadcast, on_each_database};
use super::test_support::Place;
use super::*;
use crate::ids::{ActionId, BroadcastId, UserId};

on_each_database! {
    a_request_is_accepted_by_asking_back
    requests_are_withdrawn_refused_and_ended_alike
    nobody_has_more_friends_than_the_bound
    of_two_who_ask_each_other_at_once_both_become_friends
    a_block_ends_everything_and_hides_both_ways
    guests_are_blocked_too
    people_are_found_by_the_beginning_of_their_name
    followers_and_friends_of_the_owner_have_standing
    messages_are_numbered_deduplicated_and_bounded
    only_friends_write
    what_is_read_never_goes_back
    conversations_come_latest_first_with_what_is_unread
    chat_events_are_kept_once_in_their_order
    snapshots_of_an_older_epoch_are_refused
    old_chats_are_forgotten_and_long_ones_cut
    actions_are_paged_latest_first
    a_message_is_reported_once_a_person_and_resolved_whole
    a_deleted_person_leaves_no_words
}

const ANN: UserId = UserId::from_bits(1);
const BEN: UserId = UserId::from_bits(2);
const CAY: UserId = UserId::from_bits(3);
const GUEST: UserId = UserId::from_bits(99);
const MATCH: BroadcastId = BroadcastId::from_bits(7);

/// Ann, Ben and Cay.
async fn with_people(place: &Place) -> Store {
    let store = place.open().await;
    for (bits, name) in [(1, "Ann"), (2, "Ben"), (3, "Cay")] {
        store.add_account(&account(bits, name, &format!("{name}@example.org"))).await.unwrap();
    }
    store
}

async fn befriend(store: &Store, one: UserId, other: UserId) {
    store.wish_friendship(one, other, 10, 9).await.unwrap();
    assert_eq!(store.wish_friendship(other, one, 11, 9).await.unwrap(), Wish::Friends { is_new: true });
}

fn draft(from: UserId, to: UserId, nonce: u64, text: &str, sent_at_ms: u64) -> PrivateMessageDraft<'_> {
    PrivateMessageDraft { from, to, nonce, text, sent_at_ms }
}

fn relations(people: &[PersonRecord]) -> Vec<(UserId, Relation, u64)> {
    people.iter().map(|person| (person.id, person.relation, person.since_ms)).collect()
}

async fn a_request_is_accepted_by_asking_back(place: Place) {
    let store = with_people(&place).await;
    assert_eq!(store.wish_friendship(ANN, BEN, 10, 9).await.unwrap(), Wish::Asked { is_new: true });
    assert_eq!(store.wish_friendship(ANN, BEN, 11, 9).await.unwrap(), Wish::Asked { is_new: false });
    assert_eq!(relations(&store.friends_of(ANN).await.unwrap()), [(BEN, Relation::Outgoing, 10)]);
    assert_eq!(relations(&store.friends_of(BEN).await.unwrap()), [(ANN, Relation::Incoming, 10)]);
    assert_eq!(store.ties_of(ANN, 9).await.unwrap(), Ties::default(), "not yet");
    assert_eq!(store.wish_friendship(BEN, ANN, 20, 9).await.unwrap(), Wish::Friends { is_new: true });
    assert_eq!(store.wish_friendship(ANN, BEN, 21, 9).await.unwrap(), Wish::Friends { is_new: false });
    assert_eq!(relations(&store.friends_of(ANN).await.unwrap()), [(BEN, Relation::Friend, 20)]);
    assert_eq!(store.ties_of(BEN, 9).await.unwrap().friends, [ANN]);
    let seen = store.see_person(ANN, BEN).await.unwrap().unwrap();
    assert_eq!((seen.name.as_str(), seen.relation, seen.follows), ("Ben", Relation::Friend, false));
    for nobody in [ANN, GUEST] {
        assert_eq!(store.wish_friendship(ANN, nobody, 30, 9).await.unwrap(), Wish::Nobody);
    }
    store.close().await;
}

async fn requests_are_withdrawn_refused_and_ended_alike(place: Place) {
    let store = with_people(&place).await;
    for end in [ANN, BEN] {
        let other = if end == ANN { BEN } else { ANN };
        assert_eq!(store.wish_friendship(ANN, BEN, 10, 9).await.unwrap(), Wish::Asked { is_new: true });
        assert!(store.end_friendship(end, other).await.unwrap());
        assert_eq!(store.friends_of(BEN).await.unwrap(), []);
    }
    befriend(&store, ANN, BEN).await;
    assert!(store.end_friendship(BEN, ANN).await.unwrap());
    assert_eq!(store.friends_of(ANN).await.unwrap(), []);
    assert!(!store.end_friendship(BEN, ANN).await.unwrap());
    store.close().await;
}

async fn nobody_has_more_friends_than_the_bound(place: Place) {
    let store = with_people(&place).await;
    assert_eq!(store.wish_friendship(ANN, BEN, 10, 1).await.unwrap(), Wish::Asked { is_new: true });
    assert_eq!(store.wish_friendship(ANN, CAY, 10, 1).await.unwrap(), Wish::Full, "she has asked one");
    assert_eq!(store.wish_friendship(CAY, BEN, 10, 1).await.unwrap(), Wish::Full, "he is asked by one");
    assert_eq!(store.wish_friendship(BEN, ANN, 10, 1).await.unwrap(), Wish::Friends { is_new: true });
    assert!(store.follow(ANN, BEN, 1, 1).await.unwrap().unwrap());
    assert!(store.follow(ANN, BEN, 1, 1).await.unwrap().unwrap(), "again is no more");
    assert_eq!(store.follow(ANN, CAY, 1, 1).await.unwrap(), Some(false));
    assert!(store.block(ANN, CAY, 1, 1).await.unwrap());
    assert!(!store.block(ANN, GUEST, 1, 1).await.unwrap());
    store.close().await;
}

async fn of_two_who_ask_each_other_at_once_both_become_friends(place: Place) {
    let store = with_people(&place).await;
    let (one, other) = tokio::join!(store.wish_friendship(ANN, BEN, 10, 9), store.wish_friendship(BEN, ANN, 10, 9));
    let outcomes = [one.unwrap(), other.unwrap()];
    assert!(outcomes.contains(&Wish::Asked { is_new: true }) && outcomes.contains(&Wish::Friends { is_new: true }), "{outcomes:?}");
    assert_eq!(store.ties_of(ANN, 9).await.unwrap().friends, [BEN]);
    store.close().await;
}

async fn a_block_ends_everything_and_hides_both_ways(place: Place) {
    let store = with_people(&place).await;
    befriend(&store, ANN, BEN).await;
    store.follow(BEN, ANN, 1, 9).await.unwrap();
    store.add_private_message(draft(ANN, BEN, 1, "hello", 5), 9).await.unwrap().unwrap();
    assert!(store.block(ANN, BEN, 50, 9).await.unwrap());
    for (one, other) in [(ANN, BEN), (BEN, ANN)] {
        assert_eq!(store.friends_of(one).await.unwrap(), []);
        assert_eq!(store.followed_by(one).await.unwrap(), []);
        assert_eq!(store.see_person(one, other).await.unwrap(), None);
        assert_eq!(store.search_people(one, "", 9).await.unwrap().len(), 1, "Cay alone");
        assert_eq!(store.wish_friendship(one, other, 60, 9).await.unwrap(), Wish::Nobody);
        assert_eq!(store.follow(one, other, 60, 9).await.unwrap(), None);
        assert_eq!(store.conversations_of(one, 9).await.unwrap(), []);
        assert_eq!(store.add_private_message(draft(one, other, 2, "still there?", 60), 9).await.unwrap(), None);
        assert_eq!(store.ties_of(one, 9).await.unwrap(), Ties { friends: vec![], hidden: vec![other] });
    }
    let blocked = store.blocked_by(ANN).await.unwrap();
    assert_eq!((blocked[0].name.as_str(), blocked[0].relation, blocked[0].since_ms), ("Ben", Relation::Blocked, 50));
    assert_eq!(store.blocked_by(BEN).await.unwrap(), [], "who is blocked is not told");
    store.unblock(ANN, BEN).await.unwrap();
    assert_eq!(store.see_person(BEN, ANN).await.unwrap().unwrap().relation, Relation::None);
    assert_eq!(store.conversations_of(BEN, 9).await.unwrap().len(), 1, "what was written is there again");
    store.close().await;
}

async fn guests_are_blocked_too(place: Place) {
    let store = with_people(&place).await;
    assert!(store.block(ANN, GUEST, 1, 9).await.unwrap());
    assert!(store.block(ANN, CAY, 1, 9).await.unwrap());
    assert!(store.block(ANN, CAY, 2, 9).await.unwrap());
    let blocked: Vec<_> = store.blocked_by(ANN).await.unwrap().into_iter().map(|person| (person.id, person.name)).collect();
    assert_eq!(blocked, [(CAY, "Cay".to_owned()), (GUEST, String::new())]);
    assert_eq!(store.ties_of(GUEST, 9).await.unwrap().hidden, [ANN]);
    assert!(store.block(BEN, GUEST, 60, 9).await.unwrap());
    assert_eq!(store.ties_of(GUEST, 1).await.unwrap().hidden, [BEN], "the newest of those who have blocked them");
    assert_eq!(store.ties_of(BEN, 0).await.unwrap().hidden, [GUEST], "whom somebody has blocked is always hidden");
    store.close().await;
}

async fn people_are_found_by_the_beginning_of_their_name(place: Place) {
    let store = with_people(&place).await;
    for (bits, name) in [(11, "Änne_1"), (12, "änne%2"), (13, "Ännex"), (14, "Ann-Marie"), (15, "Zoë")] {
        store.add_account(&account(bits, name, &format!("{bits}@example.org"))).await.unwrap();
    }
    store.save_user(&UserRecord { id: GUEST, name: "Anna".to_owned(), roles: vec![], created_at_ms: 1 }).await.unwrap();
    let found = async |viewer, text: &str, most| {
        let people = store.search_people(viewer, text, most).await.unwrap();
        people.into_iter().map(|person| person.name).collect::<Vec<_>>()
    };
    assert_eq!(found(BEN, "aNN", 9).await, ["Ann", "Ann-Marie"], "no account, no mention");
    assert_eq!(found(ANN, "ann", 9).await, ["Ann-Marie"], "not oneself");
    assert_eq!(found(ANN, "ÄNNE", 9).await, ["änne%2", "Änne_1", "Ännex"]);
    assert_eq!(found(ANN, "ÄNNE", 2).await, ["änne%2", "Änne_1"]);
    assert_eq!(found(ANN, "änne_", 9).await, ["Änne_1"], "no wild cards");
    assert_eq!(found(ANN, "%", 9).await, Vec::<String>::new());
    store.wish_friendship(ANN, UserId::from_bits(15), 5, 9).await.unwrap();
    assert_eq!(store.search_people(ANN, "zo", 9).await.unwrap()[0].relation, Relation::Outgoing);
    store.close().await;
}

async fn followers_and_friends_of_the_owner_have_standing(place: Place) {
    let store = with_people(&place).await;
    let record = BroadcastRecord { owner: Some(ANN), ..broadcast(7, "final", BroadcastState::Live) };
    store.save_broadcast(&record).await.unwrap();
    let standing = |follows, is_friend| StandingRecord { follows, is_friend };
    assert_eq!(store.standing(MATCH, BEN).await.unwrap(), standing(false, false));
    store.follow(BEN, ANN, 1, 9).await.unwrap();
    store.wish_friendship(BEN, ANN, 1, 9).await.unwrap();
    assert_eq!(store.standing(MATCH, BEN).await.unwrap(), standing(true, false), "asked is not accepted");
    store.wish_friendship(ANN, BEN, 1, 9).await.unwrap();
    assert_eq!(store.standing(MATCH, BEN).await.unwrap(), standing(true, true));
    assert_eq!(store.followed_by(BEN).await.unwrap()[0].id, ANN);
    store.unfollow(BEN, ANN).await.unwrap();
    assert_eq!(store.standing(MATCH, BEN).await.unwrap(), standing(false, true));
    assert_eq!(store.standing(BroadcastId::from_bits(8), BEN).await.unwrap(), standing(false, false));
    store.close().await;
}

async fn messages_are_numbered_deduplicated_and_bounded(place: Place) {
    let store = with_people(&place).await;
    befriend(&store, ANN, BEN).await;
    let say = async |from, to, nonce, text: &str| store.add_private_message(draft(from, to, nonce, text, nonce), 3).await.unwrap().unwrap();
    let (first, is_new) = say(ANN, BEN, 1, "one").await;
    assert!(is_new);
    assert_eq!(first, PrivateMessageRecord { number: 1, from: ANN, to: BEN, nonce: 1, text: "one".to_owned(), sent_at_ms: 1 });
    assert_eq!(say(ANN, BEN, 1, "one again").await, (first, false));
    assert_eq!(say(BEN, ANN, 1, "two").await.0.number, 2, "another person's nonce is another one");
    let (one, other) = tokio::join!(say(ANN, BEN, 7, "three"), say(ANN, BEN, 7, "three"));
    assert_eq!(one.0.number, 3);
    assert_eq!(one.0.number, other.0.number);
    assert!(one.1 != other.1, "of two at once one is the first");
    say(ANN, BEN, 8, "four").await;
    let page = store.conversation(BEN, ANN, None, 2).await.unwrap();
    assert_eq!(page.messages.iter().map(|message| message.number).collect::<Vec<_>>(), [3, 4]);
    assert!(page.more);
    let page = store.conversation(BEN, ANN, Some(3), 2).await.unwrap();
    assert_eq!(page.messages.iter().map(|message| message.text.as_str()).collect::<Vec<_>>(), ["two"], "the first one has gone");
    assert!(!page.more);
    assert_eq!(store.private_messages_of(ANN, 2).await.unwrap().iter().map(|one| one.number).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(store.conversation(ANN, CAY, None, 2).await.unwrap(), ConversationPage::default());
    store.close().await;
}

async fn only_friends_write(place: Place) {
    let store = with_people(&place).await;
    assert_eq!(store.add_private_message(draft(ANN, BEN, 1, "hello", 1), 9).await.unwrap(), None);
    store.wish_friendship(ANN, BEN, 1, 9).await.unwrap();
    assert_eq!(store.add_private_message(draft(BEN, ANN, 1, "hello", 1), 9).await.unwrap(), None);
    store.wish_friendship(BEN, ANN, 1, 9).await.unwrap();
    assert!(store.add_private_message(draft(BEN, ANN, 1, "hello", 1), 9).await.unwrap().is_some());
    store.end_friendship(ANN, BEN).await.unwrap();
    assert_eq!(store.add_private_message(draft(ANN, BEN, 1, "hello", 1), 9).await.unwrap(), None);
    assert_eq!(store.conversation(ANN, BEN, None, 9).await.unwrap().messages.len(), 1, "what was written can be read");
    store.close().await;
}

async fn what_is_read_never_goes_back(place: Place) {
    let store = with_people(&place).await;
    befriend(&store, ANN, BEN).await;
    for nonce in 1..=3 {
        store.add_private_message(draft(ANN, BEN, nonce, "x", nonce), 9).await.unwrap().unwrap();
    }
    assert_eq!(store.read_conversation(BEN, ANN, 2).await.unwrap(), Some(2));
    assert_eq!(store.read_conversation(BEN, ANN, 1).await.unwrap(), None);
    assert_eq!(store.read_conversation(BEN, ANN, 4).await.unwrap(), None, "there is no such message");
    assert_eq!(store.read_conversation(BEN, CAY, 1).await.unwrap(), None);
    let marks = |page: ConversationPage| (page.read_up_to, page.seen_up_to);
    assert_eq!(marks(store.conversation(BEN, ANN, None, 9).await.unwrap()), (2, 0));
    assert_eq!(marks(store.conversation(ANN, BEN, None, 9).await.unwrap()), (0, 2));
    store.close().await;
}

async fn conversations_come_latest_first_with_what_is_unread(place: Place) {
    let store = with_people(&place).await;
    befriend(&store, ANN, BEN).await;
    befriend(&store, ANN, CAY).await;
    for (from, to, at) in [(BEN, ANN, 1), (BEN, ANN, 2), (CAY, ANN, 3), (ANN, BEN, 4)] {
        store.add_private_message(draft(from, to, at, "x", at), 9).await.unwrap().unwrap();
    }
    let listed = async |user| {
        let all = store.conversations_of(user, 9).await.unwrap();
        all.into_iter().map(|one| (one.with.id, one.last.number, one.unread)).collect::<Vec<_>>()
    };
    assert_eq!(listed(ANN).await, [(BEN, 3, 2), (CAY, 1, 1)]);
    assert_eq!(listed(BEN).await, [(ANN, 3, 1)]);
    store.read_conversation(ANN, BEN, 2).await.unwrap();
    assert_eq!(listed(ANN).await, [(BEN, 3, 0), (CAY, 1, 1)]);
    store.add_private_message(draft(BEN, ANN, 9, "x", 9), 9).await.unwrap().unwrap();
    assert_eq!(listed(ANN).await, [(BEN, 4, 1), (CAY, 1, 1)]);
    assert_eq!(store.conversations_of(ANN, 1).await.unwrap().len(), 1);
    store.close().await;
}

fn event(place: ChatPlace, author: Option<UserId>, at_ms: u64) -> ChatEventRecord {
    ChatEventRecord { place, author, at_ms, event_json: format!(r#"{{"at":{}}}"#, place.1) }
}

async fn chat_events_are_kept_once_in_their_order(place: Place) {
    let store = with_people(&place).await;
    let events = [event((5, 1), Some(ANN), 1), event((5, 2), None, 2), event((9, 1), Some(BEN), 3)];
    store.keep_chat_events(MATCH, &events).await.unwrap();
    store.keep_chat_events(MATCH, &events[1..]).await.unwrap();
    store.keep_chat_events(BroadcastId::from_bits(8), &events[..1]).await.unwrap();
    store.keep_chat_events(MATCH, &[]).await.unwrap();
    assert_eq!(store.newest_chat_events(MATCH, 9).await.unwrap(), events);
    assert_eq!(store.newest_chat_events(MATCH, 2).await.unwrap(), events[1..]);
    assert_eq!(store.chat_events_of(ANN, 9).await.unwrap().len(), 2);
    let many: Vec<_> = (1..=1203).map(|seq| event((10, seq), None, 9)).collect();
    store.keep_chat_events(MATCH, &many).await.unwrap();
    assert_eq!(store.newest_chat_events(MATCH, 9999).await.unwrap().len(), 1206);
    store.close().await;
}

async fn snapshots_of_an_older_epoch_are_refused(place: Place) {
    let store = with_people(&place).await;
    assert_eq!(store.chat_snapshot(MATCH).await.unwrap(), None);
    for (epoch, text) in [(5, "five"), (7, "seven"), (7, "seven again"), (6, "six")] {
        store.save_chat_snapshot(MATCH, epoch, text.as_bytes(), 1).await.unwrap();
    }
    assert_eq!(store.chat_snapshot(MATCH).await.unwrap().unwrap(), b"seven again");
    store.close().await;
}

async fn old_chats_are_forgotten_and_long_ones_cut(place: Place) {
    let store = with_people(&place).await;
    let events: Vec<_> = (1..=6).map(|seq| event((5, seq), None, seq)).collect();
    store.keep_chat_events(MATCH, &events).await.unwrap();
    store.save_chat_snapshot(MATCH, 5, b"x", 2).await.unwrap();
    store.add_action(&action(1, 2)).await.unwrap();
    store.add_report(&report((5, 1), ANN), 9).await.unwrap();
    assert_eq!(store.forget_chats(2, 9).await.unwrap(), 1);
    assert_eq!(store.forget_chats(3, 3).await.unwrap(), 4, "an event, the snapshot and the action; and one event too many");
    assert_eq!(store.newest_chat_events(MATCH, 9).await.unwrap(), events[3..]);
    assert_eq!(store.chat_snapshot(MATCH).await.unwrap(), None);
    assert_eq!(store.actions_on(MATCH, None, 9).await.unwrap(), []);
    assert_eq!(store.open_reports(MATCH, 9).await.unwrap().len(), 1, "of a later time");
    store.close().await;
}

fn action(bits: u64, at_ms: u64) -> ActionRecord {
    ActionRecord {
        id: ActionId::from_bits(bits),
        broadcast: MATCH,
        at_ms,
        by: NamedUser { id: ANN, name: "Ann".to_owned() },
        action: ModeratorAction::TimeOut,
        on: Some(NamedUser { id: BEN, name: "Ben".to_owned() }),
        message: Some("bad word".to_owned()),
        seconds: Some(600),
        note: Some("again".to_owned()),
    }
}

async fn actions_are_paged_latest_first(place: Place) {
    let store = with_people(&place).await;
    let plain = ActionRecord { action: ModeratorAction::Modes, on: None, message: None, seconds: None, note: None, ..action(4, 7) };
    let other = ActionRecord { broadcast: BroadcastId::from_bits(8), ..action(5, 9) };
    for one in [&action(3, 5), &action(1, 5), &plain, &other] {
        store.add_action(one).await.unwrap();
    }
    store.add_action(&action(3, 5)).await.unwrap();
    let page = store.actions_on(MATCH, None, 2).await.unwrap();
    assert_eq!(page, [plain, action(3, 5)]);
    assert_eq!(store.actions_on(MATCH, Some(page[1].id), 9).await.unwrap(), [action(1, 5)]);
    assert_eq!(store.actions_on(MATCH, Some(ActionId::from_bits(77)), 9).await.unwrap(), []);
    store.close().await;
}

fn report(place: ChatPlace, by: UserId) -> ReportRecord {
    ReportRecord {
        broadcast: MATCH,
        place,
        author: NamedUser { id: BEN, name: "Ben".to_owned() },
        text: "bad word".to_owned(),
        sent_at_ms: 100,
        by: NamedUser { id: by, name: "X".to_owned() },
        reason: ReportReason::Abuse,
        note: Some("look".to_owned()),
        at_ms: 200 + by.to_bits(),
    }
}

async fn a_message_is_reported_once_a_person_and_resolved_whole(place: Place) {
    let store = with_people(&place).await;
    let all = [report((5, 2), ANN), report((5, 1), CAY), report((5, 2), GUEST)];
    for one in &all {
        assert!(store.add_report(one, 3).await.unwrap());
    }
    assert!(!store.add_report(&report((5, 3), ANN), 3).await.unwrap(), "full");
    assert!(!store.add_report(&all[0], 9).await.unwrap(), "twice");
    let open = store.open_reports(MATCH, 9).await.unwrap();
    assert_eq!(open, [all[0].clone(), all[2].clone(), all[1].clone()], "the reports of one message together");
    assert_eq!(store.resolve_reports(MATCH, (5, 2), 300).await.unwrap().unwrap().text, "bad word");
    assert_eq!(store.resolve_reports(MATCH, (5, 2), 300).await.unwrap(), None);
    assert_eq!(store.open_reports(MATCH, 9).await.unwrap(), [all[1].clone()]);
    store.close().await;
}

async fn a_deleted_person_leaves_no_words(place: Place) {
    let store = with_people(&place).await;
    befriend(&store, ANN, BEN).await;
    store.follow(ANN, BEN, 1, 9).await.unwrap();
    store.block(CAY, BEN, 1, 9).await.unwrap();
    store.add_private_message(draft(BEN, ANN, 1, "hello", 1), 9).await.unwrap().unwrap();
    store.keep_chat_events(MATCH, &[event((5, 1), Some(BEN), 1), event((5, 2), Some(ANN), 1)]).await.unwrap();
    store.add_action(&action(1, 5)).await.unwrap();
    store.add_report(&report((5, 1), ANN), 9).await.unwrap();
    store.add_report(&ReportRecord { author: NamedUser { id: ANN, name: "Ann".to_owned() }, ..report((5, 2), BEN) }, 9).await.unwrap();
    assert!(store.delete_user(BEN).await.unwrap());
    assert_eq!(store.friends_of(ANN).await.unwrap(), []);
    assert_eq!(store.followed_by(ANN).await.unwrap(), []);
    assert_eq!(store.blocked_by(CAY).await.unwrap(), []);
    assert_eq!(store.conversation(ANN, BEN, None, 9).await.unwrap(), ConversationPage::default());
    assert_eq!(store.conversations_of(ANN, 9).await.unwrap(), []);
    assert_eq!(store.newest_chat_events(MATCH, 9).await.unwrap(), [event((5, 2), Some(ANN), 1)]);
    let actions = store.actions_on(MATCH, None, 9).await.unwrap();
    assert_eq!((actions[0].message.as_deref(), actions[0].on.as_ref().unwrap().name.as_str()), (None, ""));
    let open = store.open_reports(MATCH, 9).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].author.id, open[0].by.name.as_str(), open[0].note.as_deref()), (ANN, "", None));
    store.close().await;
}
