//! What every database must do alike: each behaviour is written once and run on SQLite and on PostgreSQL.

use super::test_support::Place;
use super::*;
use crate::ids::{BroadcastId, SignInId, UserId};

macro_rules! on_each_database {
    ($($behaviour:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test] async fn $behaviour() { super::$behaviour(super::Place::sqlite().await).await; })*
        }
        mod on_postgres {
            $(#[tokio::test] async fn $behaviour() { super::$behaviour(super::Place::postgres().await).await; })*
        }
    };
}

pub(super) use on_each_database;

on_each_database! {
    broadcasts_survive_a_restart_whole
    saving_again_replaces
    ended_broadcasts_are_loaded_only_when_recent_and_come_last
    a_slug_is_taken_until_its_broadcast_has_ended
    users_keep_their_roles
    an_account_is_found_by_id_and_by_address_in_any_case
    names_and_addresses_are_given_once
    a_user_becomes_an_account_once
    accounts_change
    pictures_are_replaced_and_removed
    claimed_guests_are_found_by_time
    a_code_works_once_in_time_and_only_the_newest
    of_two_rotations_with_one_secret_one_succeeds
    a_person_has_a_bounded_number_of_sign_ins
    sign_ins_end_one_by_one_and_all_at_once
    what_has_expired_is_forgotten
    stream_keys_are_replaced_used_and_dropped
    a_deleted_user_leaves_nothing
}

pub(super) fn broadcast(bits: u64, slug: &str, state: BroadcastState) -> BroadcastRecord {
    BroadcastRecord {
        id: BroadcastId::from_bits(bits),
        slug: slug.to_owned(),
        title: format!("Match {bits} 'é'"),
        visibility: Visibility::Unlisted,
        state,
        owner: Some(UserId::from_bits(9)),
        moderators: vec![UserId::from_bits(1), UserId::from_bits(2)],
        created_at_ms: 1_000 + bits,
        started_at_ms: Some(2_000),
        ended_at_ms: (state == BroadcastState::Ended).then_some(3_000 + bits),
        viewers_peak: 12,
        details_json: r#"{"score":null}"#.to_owned(),
    }
}

pub(super) fn account(bits: u64, name: &str, email: &str) -> AccountRecord {
    AccountRecord {
        user: UserRecord { id: UserId::from_bits(bits), name: name.to_owned(), roles: Vec::new(), created_at_ms: 77 },
        email: email.to_owned(),
        email_verified_at_ms: None,
        password: format!("$argon2id$of {bits}"),
        claimed_at_ms: None,
        picture_version: 0,
        hide_watching: false,
    }
}

fn sign_in(bits: u64, user: u64, at_ms: u64) -> SignInRecord {
    SignInRecord {
        id: SignInId::from_bits(bits),
        user: UserId::from_bits(user),
        secret_hash: vec![bits as u8; 32],
        previous_hash: None,
        device: "Firefox".to_owned(),
        created_at_ms: at_ms,
        rotated_at_ms: at_ms,
        expires_at_ms: at_ms + 1_000,
    }
}

async fn broadcasts_survive_a_restart_whole(place: Place) {
    let store = place.open().await;
    store.ping().await.unwrap();
    let live = broadcast(1, "final", BroadcastState::Live);
    store.save_broadcast(&live).await.unwrap();
    store.close().await;
    assert!(store.ping().await.is_err(), "closed");
    let store = place.open().await;
    assert_eq!(store.load_broadcasts(0).await.unwrap(), std::slice::from_ref(&live));
    assert_eq!(store.find_broadcast(live.id).await.unwrap().as_ref(), Some(&live));
    assert_eq!(store.broadcasts_of(UserId::from_bits(9)).await.unwrap(), [live]);
    assert_eq!(store.broadcasts_of(UserId::from_bits(8)).await.unwrap(), []);
    assert_eq!(store.find_broadcast(BroadcastId::from_bits(2)).await.unwrap(), None);
    store.close().await;
}

async fn saving_again_replaces(place: Place) {
    let store = place.open().await;
    let mut record = broadcast(1, "final", BroadcastState::Idle);
    store.save_broadcast(&record).await.unwrap();
    record.state = BroadcastState::Reconnecting;
    record.title = "Renamed".to_owned();
    record.viewers_peak = 99;
    record.moderators.clear();
    store.save_broadcast(&record).await.unwrap();
    assert_eq!(store.load_broadcasts(0).await.unwrap(), [record]);
    store.close().await;
}

async fn ended_broadcasts_are_loaded_only_when_recent_and_come_last(place: Place) {
    let store = place.open().await;
    for record in [
        broadcast(1, "old", BroadcastState::Ended),
        broadcast(2, "recent", BroadcastState::Ended),
        broadcast(3, "now", BroadcastState::Live),
    ] {
        store.save_broadcast(&record).await.unwrap();
    }
    let slugs: Vec<_> = store.load_broadcasts(3_002).await.unwrap().into_iter().map(|record| record.slug).collect();
    assert_eq!(slugs, ["now", "recent"]);
    store.close().await;
}

async fn a_slug_is_taken_until_its_broadcast_has_ended(place: Place) {
    let store = place.open().await;
    let mut first = broadcast(1, "derby", BroadcastState::Live);
    let second = broadcast(2, "derby", BroadcastState::Idle);
    store.save_broadcast(&first).await.unwrap();
    assert!(matches!(store.save_broadcast(&second).await, Err(StoreError::SlugInUse { slug }) if slug == "derby"));
    first.state = BroadcastState::Ended;
    first.ended_at_ms = Some(5_000);
    store.save_broadcast(&first).await.unwrap();
    assert_eq!(store.find_broadcast_by_slug("derby").await.unwrap(), Some(first));
    store.save_broadcast(&second).await.unwrap();
    assert_eq!(store.find_broadcast_by_slug("derby").await.unwrap(), Some(second));
    assert_eq!(store.find_broadcast_by_slug("nobody").await.unwrap(), None);
    store.close().await;
}

async fn users_keep_their_roles(place: Place) {
    let store = place.open().await;
    let roles = vec![Role::Broadcaster, Role::Operator];
    let mut user = UserRecord { id: UserId::from_bits(4), name: "Ann".to_owned(), roles, created_at_ms: 77 };
    store.save_user(&user).await.unwrap();
    assert_eq!(store.find_user(user.id).await.unwrap(), Some(user.clone()));
    assert_eq!(store.find_account(user.id).await.unwrap(), None, "without a password there is no account");
    user.roles = vec![Role::Broadcaster];
    assert!(store.set_roles(user.id, &user.roles).await.unwrap());
    assert!(!store.set_roles(UserId::from_bits(5), &[]).await.unwrap());
    assert_eq!(store.find_user(user.id).await.unwrap(), Some(user.clone()));
    user.roles.clear();
    store.save_user(&user).await.unwrap();
    assert_eq!(store.find_user(user.id).await.unwrap(), Some(user));
    store.close().await;
}

async fn an_account_is_found_by_id_and_by_address_in_any_case(place: Place) {
    let store = place.open().await;
    let ann = account(1, "Ann", "Ann@Example.org");
    store.add_account(&ann).await.unwrap();
    assert_eq!(store.find_account(ann.user.id).await.unwrap().as_ref(), Some(&ann));
    assert_eq!(store.find_account_by_email("ANN@example.ORG").await.unwrap(), Some(ann));
    assert_eq!(store.find_account_by_email("bob@example.org").await.unwrap(), None);
    store.close().await;
}

async fn names_and_addresses_are_given_once(place: Place) {
    let store = place.open().await;
    store.add_account(&account(1, "Zoë", "ann@example.org")).await.unwrap();
    assert!(matches!(store.add_account(&account(2, "ZOË", "bob@example.org")).await, Err(StoreError::NameTaken)));
    assert!(matches!(store.add_account(&account(2, "Bob", "ANN@example.org")).await, Err(StoreError::EmailTaken)));
    store.add_account(&account(2, "Bob", "bob@example.org")).await.unwrap();
    let bob = UserId::from_bits(2);
    assert!(matches!(store.rename_account(bob, "zoË").await, Err(StoreError::NameTaken)));
    assert!(matches!(store.verify_email(bob, "Ann@example.org", 1).await, Err(StoreError::EmailTaken)));
    assert!(store.rename_account(bob, "BOB").await.unwrap(), "another case of the own name is free");
    store.close().await;
}

async fn a_user_becomes_an_account_once(place: Place) {
    let store = place.open().await;
    let ann = account(1, "Ann", "ann@example.org");
    store.save_user(&UserRecord { name: "From the command line".to_owned(), ..ann.user.clone() }).await.unwrap();
    store.add_account(&ann).await.unwrap();
    let again = store.add_account(&account(1, "Eve", "eve@example.org")).await;
    assert!(matches!(again, Err(StoreError::AccountExists)));
    assert_eq!(store.find_account(ann.user.id).await.unwrap(), Some(ann));
    store.close().await;
}

async fn accounts_change(place: Place) {
    let store = place.open().await;
    let mut ann = account(1, "Ann", "ann@example.org");
    let nobody = UserId::from_bits(2);
    store.add_account(&ann).await.unwrap();
    assert!(store.rename_account(ann.user.id, "Anna").await.unwrap());
    assert!(!store.rename_account(nobody, "x").await.unwrap());
    assert!(store.verify_email(ann.user.id, "anna@example.org", 9).await.unwrap());
    assert!(!store.verify_email(nobody, "x@example.org", 9).await.unwrap());
    assert!(store.change_password(ann.user.id, &ann.password, "$new").await.unwrap());
    assert!(!store.change_password(ann.user.id, &ann.password, "$late").await.unwrap(), "it was changed meanwhile");
    ann.user.name = "Anna".to_owned();
    (ann.email, ann.email_verified_at_ms, ann.password) = ("anna@example.org".to_owned(), Some(9), "$new".to_owned());
    assert_eq!(store.find_account(ann.user.id).await.unwrap(), Some(ann));
    store.close().await;
}

async fn pictures_are_replaced_and_removed(place: Place) {
    let store = place.open().await;
    let ann = UserId::from_bits(1);
    assert_eq!(store.set_picture(ann, Some(("image/webp", b"x"))).await.unwrap(), None, "no such account");
    store.add_account(&account(1, "Ann", "ann@example.org")).await.unwrap();
    assert_eq!(store.find_picture(ann).await.unwrap(), None);
    assert_eq!(store.set_picture(ann, Some(("image/webp", b"\0one"))).await.unwrap(), Some(1));
    assert_eq!(store.set_picture(ann, Some(("image/jpeg", b"two"))).await.unwrap(), Some(2));
    let picture = PictureRecord { content_type: "image/jpeg".to_owned(), bytes: b"two".to_vec(), version: 2 };
    assert_eq!(store.find_picture(ann).await.unwrap(), Some(picture));
    assert_eq!(store.set_picture(ann, None).await.unwrap(), Some(3));
    assert_eq!(store.find_picture(ann).await.unwrap(), None);
    store.close().await;
}

async fn claimed_guests_are_found_by_time(place: Place) {
    let store = place.open().await;
    for (bits, at) in [(1, Some(10)), (2, Some(20)), (3, None)] {
        let claimed = AccountRecord { claimed_at_ms: at, ..account(bits, &format!("N{bits}"), &format!("{bits}@example.org")) };
        store.add_account(&claimed).await.unwrap();
    }
    let (first, second) = ((UserId::from_bits(1), 10), (UserId::from_bits(2), 20));
    assert_eq!(store.claimed_guests(0).await.unwrap(), [second, first]);
    assert_eq!(store.claimed_guests(11).await.unwrap(), [second]);
    store.close().await;
}

async fn a_code_works_once_in_time_and_only_the_newest(place: Place) {
    let store = place.open().await;
    store.add_account(&account(1, "Ann", "ann@example.org")).await.unwrap();
    let code = |hash: u8, purpose| CodeRecord {
        hash: vec![hash; 32],
        user: UserId::from_bits(1),
        purpose,
        email: "new@example.org".to_owned(),
        expires_at_ms: 100,
    };
    let (verify, reset) = (CodePurpose::VerifyEmail, CodePurpose::ResetPassword);
    for made in [code(1, verify), code(2, reset), code(3, verify)] {
        store.save_code(&made).await.unwrap();
    }
    assert_eq!(store.take_code(&[1; 32], verify, 0).await.unwrap(), None, "a newer one was made");
    assert_eq!(store.take_code(&[3; 32], reset, 0).await.unwrap(), None, "it is for something else");
    assert_eq!(store.take_code(&[3; 32], verify, 99).await.unwrap(), Some(code(3, verify)));
    assert_eq!(store.take_code(&[3; 32], verify, 99).await.unwrap(), None, "it was used");
    assert_eq!(store.take_code(&[2; 32], reset, 100).await.unwrap(), None, "it has expired");
    store.close().await;
}

async fn of_two_rotations_with_one_secret_one_succeeds(place: Place) {
    let store = place.open().await;
    store.add_account(&account(1, "Ann", "ann@example.org")).await.unwrap();
    let first = sign_in(5, 1, 10);
    store.add_sign_in(&first, 9).await.unwrap();
    let rotate = |new: u8| store.rotate_sign_in(first.id, &[5; 32], if new == 6 { &[6; 32] } else { &[7; 32] }, 20, 2_000);
    let (one, other) = tokio::join!(rotate(6), rotate(7));
    assert_eq!(u8::from(one.unwrap()) + u8::from(other.unwrap()), 1);
    let kept = store.find_sign_in(first.id).await.unwrap().unwrap();
    assert!(kept.secret_hash == [6; 32] || kept.secret_hash == [7; 32]);
    assert_eq!((kept.previous_hash, kept.rotated_at_ms, kept.expires_at_ms), (Some(vec![5; 32]), 20, 2_000));
    assert_eq!(store.find_sign_in(SignInId::from_bits(6)).await.unwrap(), None);
    store.close().await;
}

async fn a_person_has_a_bounded_number_of_sign_ins(place: Place) {
    let store = place.open().await;
    for bits in [1, 2] {
        store.add_account(&account(bits, &format!("N{bits}"), &format!("{bits}@example.org"))).await.unwrap();
    }
    store.add_sign_in(&sign_in(9, 2, 1), 3).await.unwrap();
    for bits in 1..=5 {
        store.add_sign_in(&sign_in(bits, 1, bits), 3).await.unwrap();
    }
    let left: Vec<_> = store.sign_ins_of(UserId::from_bits(1), 0).await.unwrap().iter().map(|one| one.id.to_bits()).collect();
    assert_eq!(left, [5, 4, 3]);
    assert_eq!(store.sign_ins_of(UserId::from_bits(2), 0).await.unwrap(), [sign_in(9, 2, 1)]);
    store.close().await;
}

async fn sign_ins_end_one_by_one_and_all_at_once(place: Place) {
    let store = place.open().await;
    store.add_account(&account(1, "Ann", "ann@example.org")).await.unwrap();
    for bits in 1..=3 {
        store.add_sign_in(&sign_in(bits, 1, bits), 9).await.unwrap();
    }
    let (ann, bob) = (UserId::from_bits(1), UserId::from_bits(2));
    assert!(!store.end_sign_in(bob, SignInId::from_bits(1)).await.unwrap(), "it is somebody else's");
    assert!(store.end_sign_in(ann, SignInId::from_bits(1)).await.unwrap());
    assert!(!store.end_sign_in(ann, SignInId::from_bits(1)).await.unwrap());
    assert_eq!(store.end_sign_ins(ann).await.unwrap(), 2);
    assert_eq!(store.sign_ins_of(ann, 0).await.unwrap(), []);
    store.close().await;
}

async fn what_has_expired_is_forgotten(place: Place) {
    let store = place.open().await;
    store.add_account(&account(1, "Ann", "ann@example.org")).await.unwrap();
    store.add_sign_in(&sign_in(1, 1, 0), 9).await.unwrap();
    store.add_sign_in(&sign_in(2, 1, 1), 9).await.unwrap();
    assert_eq!(store.sign_ins_of(UserId::from_bits(1), 1_000).await.unwrap(), [sign_in(2, 1, 1)]);
    assert_eq!(store.forget_expired(1_000).await.unwrap(), 1);
    assert_eq!(store.find_sign_in(SignInId::from_bits(1)).await.unwrap(), None);
    assert!(store.find_sign_in(SignInId::from_bits(2)).await.unwrap().is_some());
    store.close().await;
}

async fn stream_keys_are_replaced_used_and_dropped(place: Place) {
    let store = place.open().await;
    let ann = account(1, "Ann", "ann@example.org").user;
    store.save_user(&ann).await.unwrap();
    let key = |hash: u8| StreamKeyRecord { user: ann.id, hash: vec![hash; 32], created_at_ms: u64::from(hash), used_at_ms: None };
    assert_eq!(store.stream_key_of(ann.id).await.unwrap(), None);
    store.save_stream_key(&key(1)).await.unwrap();
    assert_eq!(store.use_stream_key(&[1; 32], 50).await.unwrap().as_ref(), Some(&ann));
    assert_eq!(store.stream_key_of(ann.id).await.unwrap().unwrap().used_at_ms, Some(50));
    store.save_stream_key(&key(2)).await.unwrap();
    assert_eq!(store.use_stream_key(&[1; 32], 60).await.unwrap(), None, "the old one is void");
    assert_eq!(store.stream_key_of(ann.id).await.unwrap(), Some(key(2)));
    assert!(store.drop_stream_key(ann.id).await.unwrap());
    assert!(!store.drop_stream_key(ann.id).await.unwrap());
    assert_eq!(store.use_stream_key(&[2; 32], 70).await.unwrap(), None);
    store.close().await;
}

async fn a_deleted_user_leaves_nothing(place: Place) {
    let store = place.open().await;
    let ann = account(1, "Ann", "ann@example.org");
    let id = ann.user.id;
    store.add_account(&ann).await.unwrap();
    store.add_sign_in(&sign_in(1, 1, 0), 9).await.unwrap();
    store.set_picture(id, Some(("image/webp", b"x"))).await.unwrap();
    store.save_stream_key(&StreamKeyRecord { user: id, hash: vec![1; 32], created_at_ms: 0, used_at_ms: None }).await.unwrap();
    let purpose = CodePurpose::ResetPassword;
    store.save_code(&CodeRecord { hash: vec![1; 32], user: id, purpose, email: ann.email.clone(), expires_at_ms: 9 }).await.unwrap();
    assert!(store.delete_user(id).await.unwrap());
    assert!(!store.delete_user(id).await.unwrap());
    assert_eq!(store.find_user(id).await.unwrap(), None);
    assert_eq!(store.find_sign_in(SignInId::from_bits(1)).await.unwrap(), None);
    assert_eq!(store.find_picture(id).await.unwrap(), None);
    assert_eq!(store.stream_key_of(id).await.unwrap(), None);
    assert_eq!(store.take_code(&[1; 32], purpose, 0).await.unwrap(), None);
    store.add_account(&ann).await.unwrap();
    store.close().await;
}
