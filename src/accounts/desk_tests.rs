//! What people do at the account desk, on a database of their own.

use tokio::sync::mpsc;

use super::*;
use crate::ids::UserId;
use crate::limits::{ACCESS_TOKEN_TTL, REFRESH_GRACE, RESET_CODE_TTL, SIGN_IN_TTL};
use crate::store::{Role, Store};

const NOW: u64 = 1_800_000_000_000;
const PASSWORD: &str = "correct horse";

struct Town {
    accounts: Accounts,
    tokens: Tokens,
    letters: mpsc::Receiver<Letter>,
    _dir: tempfile::TempDir,
}

impl Town {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open_file(&dir.path().join("test.db")).await.unwrap();
        let tokens = Tokens::with_key(&[9; 32]);
        let (accounts, letters) = Accounts::for_tests(store, tokens.clone(), true);
        Self { accounts, tokens, letters, _dir: dir }
    }

    async fn sign_up(&self, who: Option<&Claims>, name: &str) -> Result<SignedIn, AccountError> {
        let email = format!("{}@example.org", name.to_lowercase());
        let new = NewPerson { name: name.to_owned(), email, password: PASSWORD.to_owned() };
        self.accounts.sign_up(who, new, "Firefox\n", NOW).await
    }

    fn claims(&self, signed_in: &SignedIn) -> Claims {
        self.tokens.verify(&signed_in.access_token, NOW / 1000).unwrap()
    }

    /// The code in the newest letter to `to`.
    fn code(&mut self, to: &str) -> String {
        let letters = std::iter::from_fn(|| self.letters.try_recv().ok());
        let letter = letters.filter(|letter| letter.to == to && letter.text.contains('#')).last().expect("a letter with a code");
        letter.text.split_once('#').unwrap().1.split_whitespace().next().unwrap().to_owned()
    }

    async fn sign_in(&self, password: &str) -> Result<SignedIn, AccountError> {
        self.accounts.sign_in(" ANN@example.org", password.to_owned(), "", NOW).await
    }
}

#[tokio::test]
async fn a_guest_who_signs_up_stays_the_same_person() {
    let town = Town::new().await;
    let guest = new_guest(&mut rand::rng(), NOW / 1000);
    let guest_token = town.tokens.mint(&guest);
    let ann = town.sign_up(Some(&guest), "Ann").await.unwrap();
    let claims = town.claims(&ann);
    assert_eq!((claims.sub, claims.guest, claims.name.as_str()), (guest.sub, false, "Ann"));
    assert_eq!(claims.exp, NOW / 1000 + ACCESS_TOKEN_TTL.as_secs());
    assert_eq!(town.tokens.verify(&guest_token, NOW / 1000), Err(TokenError::Invalid), "the guest is the account now");
    assert!(matches!(town.sign_up(Some(&guest), "Eve").await, Err(AccountError::Refused(AccountRefusal::AccountExists))));
    assert!(matches!(town.sign_up(Some(&claims), "Eve").await, Err(AccountError::Refused(AccountRefusal::AccountExists))));
    // Another node, or this one after a restart.
    let elsewhere = Tokens::with_key(&[9; 32]);
    let settings = AccountSettings { open_sign_up: false, public_base_url: String::new(), mail: None };
    let other = Accounts::start(town.accounts.shared.store.clone(), elsewhere.clone(), settings, NOW).await.unwrap();
    assert_eq!(elsewhere.verify(&guest_token, NOW / 1000), Err(TokenError::Invalid));
    other.upkeep(NOW + GUEST_TOKEN_TTL.as_millis() as u64 + 1).await.unwrap();
    let new = NewPerson { name: "Bob".to_owned(), email: "bob@example.org".to_owned(), password: PASSWORD.to_owned() };
    assert!(matches!(other.sign_up(None, new, "", NOW).await, Err(AccountError::Refused(AccountRefusal::SignUpClosed))));
    other.shutdown().await;
}

#[tokio::test]
async fn a_capability_that_a_guest_handed_on_does_not_claim_the_guest() {
    let town = Town::new().await;
    let guest = Claims { broadcast: Some("final".to_owned()), ..new_guest(&mut rand::rng(), NOW / 1000) };
    let ann = town.sign_up(Some(&guest), "Ann").await.unwrap();
    assert_ne!(ann.account.user.id, guest.sub);
}

#[tokio::test]
async fn one_signs_in_with_the_right_password_alone() {
    let town = Town::new().await;
    let ann = town.sign_up(None, "Ann").await.unwrap();
    let again = town.sign_in(PASSWORD).await.unwrap();
    assert_eq!(again.account.user.id, ann.account.user.id);
    assert!(matches!(town.sign_in("wrong horse").await, Err(AccountError::Refused(AccountRefusal::WrongCredentials))));
    let nobody = town.accounts.sign_in("bob@example.org", PASSWORD.to_owned(), "", NOW).await;
    assert!(matches!(nobody, Err(AccountError::Refused(AccountRefusal::WrongCredentials))));
    let claims = town.claims(&again);
    let devices = town.accounts.sign_ins(&claims, NOW).await.unwrap();
    assert_eq!(devices.len(), 2);
    assert!(devices.iter().any(|device| device.device == "Firefox"));
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_a_copy_ends_the_sign_in() {
    let town = Town::new().await;
    let first = town.sign_up(None, "Ann").await.unwrap().refresh_token;
    let second = town.accounts.refresh(&first, NOW + 1).await.unwrap().refresh_token;
    assert_ne!(first, second);
    // A second tab, or an answer that was lost: the same next token.
    assert_eq!(town.accounts.refresh(&first, NOW + 2).await.unwrap().refresh_token, second);
    let late = NOW + 1 + REFRESH_GRACE.as_millis() as u64;
    let third = town.accounts.refresh(&second, late).await.unwrap().refresh_token;
    assert!(
        matches!(town.accounts.refresh(&first, late + 1).await, Err(AccountError::Refused(AccountRefusal::SignInEnded))),
        "a thief comes with the first one"
    );
    assert!(
        matches!(town.accounts.refresh(&third, late + 2).await, Err(AccountError::Refused(AccountRefusal::SignInEnded))),
        "and the device is signed out"
    );
    for garbage in ["", "x", "0000000000007.AAAA"] {
        assert!(matches!(town.accounts.refresh(garbage, NOW).await, Err(AccountError::Refused(AccountRefusal::SignInEnded))), "{garbage}");
    }
}

#[tokio::test]
async fn two_tabs_that_refresh_at_once_go_on_together() {
    let town = Town::new().await;
    let first = town.sign_up(None, "Ann").await.unwrap().refresh_token;
    let (one, other) = tokio::join!(town.accounts.refresh(&first, NOW), town.accounts.refresh(&first, NOW));
    let (one, other) = (one.unwrap().refresh_token, other.unwrap().refresh_token);
    assert_eq!(one, other);
    town.accounts.refresh(&one, NOW + 1).await.unwrap();
}

#[tokio::test]
async fn devices_are_signed_out_here_there_everywhere_and_by_time() {
    let town = Town::new().await;
    let here = town.sign_up(None, "Ann").await.unwrap();
    let ann = town.claims(&here);
    let gone = |result: Result<SignedIn, AccountError>| matches!(result, Err(AccountError::Refused(AccountRefusal::SignInEnded)));
    town.accounts.sign_out(&here.refresh_token).await.unwrap();
    town.accounts.sign_out("nonsense").await.unwrap();
    assert!(gone(town.accounts.refresh(&here.refresh_token, NOW).await));

    let there = town.sign_in(PASSWORD).await.unwrap();
    let id = town.accounts.sign_ins(&ann, NOW).await.unwrap()[0].id;
    town.accounts.end_sign_in(&ann, id).await.unwrap();
    assert!(matches!(town.accounts.end_sign_in(&ann, id).await, Err(AccountError::NotFound(_))));
    assert!(gone(town.accounts.refresh(&there.refresh_token, NOW).await));

    let devices = [town.sign_in(PASSWORD).await.unwrap(), town.sign_in(PASSWORD).await.unwrap()];
    assert_eq!(town.accounts.sign_out_everywhere(&ann).await.unwrap(), 2);
    for device in &devices {
        assert!(gone(town.accounts.refresh(&device.refresh_token, NOW).await));
    }
    let idle = town.sign_in(PASSWORD).await.unwrap();
    assert!(gone(town.accounts.refresh(&idle.refresh_token, NOW + SIGN_IN_TTL.as_millis() as u64).await));
}

#[tokio::test]
async fn names_are_unique_and_change() {
    let town = Town::new().await;
    let ann = town.claims(&town.sign_up(None, "Ann").await.unwrap());
    town.sign_up(None, "Bob").await.unwrap();
    assert!(matches!(town.accounts.rename(&ann, "BOB").await, Err(AccountError::Refused(AccountRefusal::NameTaken))));
    assert!(matches!(town.accounts.rename(&ann, " ").await, Err(AccountError::InvalidValue { field: "name", .. })));
    assert_eq!(town.accounts.rename(&ann, " Anna  Lee ").await.unwrap().user.name, "Anna Lee");
    let guest = new_guest(&mut rand::rng(), NOW / 1000);
    assert!(matches!(town.accounts.rename(&guest, "x").await, Err(AccountError::Refused(AccountRefusal::NoAccount))));
    let capability = Claims { broadcast: Some("final".to_owned()), ..ann };
    assert!(
        matches!(town.accounts.rename(&capability, "x").await, Err(AccountError::Refused(AccountRefusal::NoAccount))),
        "a link that was handed on"
    );
}

#[tokio::test]
async fn an_address_is_the_accounts_once_its_letter_was_read() {
    let mut town = Town::new().await;
    let ann = town.claims(&town.sign_up(None, "Ann").await.unwrap());
    assert_eq!(town.accounts.account(&ann).await.unwrap().email_verified_at_ms, None);
    let stale = town.code("ann@example.org");
    town.accounts.resend_verification(&ann, NOW).await.unwrap();
    let code = town.code("ann@example.org");
    assert!(town.accounts.verify_email(&stale, NOW).await.is_err(), "the newer letter counts");
    town.accounts.verify_email(&code, NOW + 5).await.unwrap();
    assert_eq!(town.accounts.account(&ann).await.unwrap().email_verified_at_ms, Some(NOW + 5));

    let change = |email: &'static str, password: &'static str| town.accounts.change_email(&ann, email, password.to_owned(), NOW);
    assert!(matches!(change("new@example.org", "wrong").await, Err(AccountError::Refused(AccountRefusal::WrongCredentials))));
    assert!(matches!(change("nowhere", PASSWORD).await, Err(AccountError::InvalidValue { field: "email", .. })));
    change("new@example.org", PASSWORD).await.unwrap();
    assert_eq!(town.accounts.account(&ann).await.unwrap().email, "ann@example.org", "not yet");
    let code = town.code("new@example.org");
    town.accounts.verify_email(&code, NOW).await.unwrap();
    assert_eq!(town.accounts.account(&ann).await.unwrap().email, "new@example.org");
    assert!(matches!(town.accounts.verify_email(&code, NOW).await, Err(AccountError::InvalidValue { field: "code", .. })));
    town.sign_up(None, "Bob").await.unwrap();
    let taken = town.accounts.change_email(&ann, "BOB@example.org", PASSWORD.to_owned(), NOW).await;
    assert!(matches!(taken, Err(AccountError::Refused(AccountRefusal::EmailTaken))));
}

#[tokio::test]
async fn another_password_signs_every_other_device_out() {
    let mut town = Town::new().await;
    let there = town.sign_up(None, "Ann").await.unwrap();
    let ann = town.claims(&there);
    let change = |current: &str, chosen: &str| town.accounts.change_password(&ann, current.to_owned(), chosen.to_owned(), "", NOW);
    assert!(matches!(change("wrong", "battery staple").await, Err(AccountError::Refused(AccountRefusal::WrongCredentials))));
    assert!(matches!(change(PASSWORD, "short").await, Err(AccountError::InvalidValue { field: "new", .. })));
    let here = change(PASSWORD, "battery staple").await.unwrap();
    town.accounts.refresh(&here.refresh_token, NOW).await.unwrap();
    assert!(town.accounts.refresh(&there.refresh_token, NOW).await.is_err());
    assert!(town.sign_in(PASSWORD).await.is_err());
    town.sign_in("battery staple").await.unwrap();
    assert!(std::iter::from_fn(|| town.letters.try_recv().ok()).any(|letter| letter.subject.contains("changed")));
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_with_a_code_once_and_in_time() {
    let mut town = Town::new().await;
    let there = town.sign_up(None, "Ann").await.unwrap();
    town.accounts.forgot_password("nobody@example.org", NOW).await.unwrap();
    town.accounts.forgot_password("ann@EXAMPLE.org ", NOW).await.unwrap();
    let code = town.code("ann@example.org");
    let reset = |chosen: &str, at: u64| town.accounts.reset_password(&code, chosen.to_owned(), at);
    assert!(matches!(reset("short", NOW).await, Err(AccountError::InvalidValue { field: "password", .. })));
    assert!(matches!(
        reset("battery staple", NOW + RESET_CODE_TTL.as_millis() as u64).await,
        Err(AccountError::InvalidValue { field: "code", .. })
    ));
    let obvious = reset("ann@example.org", NOW).await;
    assert!(matches!(obvious, Err(AccountError::InvalidValue { field: "password", .. })), "and the code is still good");
    reset("battery staple", NOW).await.unwrap();
    assert!(reset("another one", NOW).await.is_err());
    assert!(town.accounts.refresh(&there.refresh_token, NOW).await.is_err());
    let account = town.sign_in("battery staple").await.unwrap().account;
    assert_eq!(account.email_verified_at_ms, Some(NOW), "whoever has the code has read the letter");
}

#[tokio::test]
async fn an_account_is_exported_whole_and_deleted_whole() {
    let town = Town::new().await;
    let signed_in = town.sign_up(None, "Ann").await.unwrap();
    let ann = town.claims(&signed_in);
    town.accounts.set_picture(&ann, Some(("image/webp", b"x"))).await.unwrap();
    town.accounts.new_stream_key(&ann, NOW).await.unwrap();
    let export = town.accounts.export(&ann, NOW).await.unwrap();
    assert!(export.picture.is_some() && export.stream_key.is_some() && export.sign_ins.len() == 1);
    assert!(matches!(town.accounts.delete(&ann, "wrong".to_owned()).await, Err(AccountError::Refused(AccountRefusal::WrongCredentials))));
    assert_eq!(town.accounts.delete(&ann, PASSWORD.to_owned()).await.unwrap(), ann.sub);
    assert!(matches!(town.accounts.account(&ann).await, Err(AccountError::Refused(AccountRefusal::NoAccount))));
    assert!(matches!(town.accounts.refresh(&signed_in.refresh_token, NOW).await, Err(AccountError::Refused(AccountRefusal::SignInEnded))));
    assert!(town.sign_in(PASSWORD).await.is_err());
    town.sign_up(None, "Ann").await.unwrap();
}

#[tokio::test]
async fn an_account_made_by_the_operator_signs_in() {
    let town = Town::new().await;
    let make = |email: &str, password: &str| account_by_operator("Ann", email, password.to_owned(), vec![Role::Operator], NOW);
    assert!(matches!(make("nowhere", PASSWORD), Err(AccountError::InvalidValue { field: "email", .. })));
    assert!(matches!(make("ann@example.org", "short"), Err(AccountError::InvalidValue { field: "password", .. })));
    town.accounts.shared.store.add_account(&make("ann@example.org", PASSWORD).unwrap()).await.unwrap();
    let signed_in = town.sign_in(PASSWORD).await.unwrap();
    assert_eq!(signed_in.account.email_verified_at_ms, Some(NOW));
    assert!(town.claims(&signed_in).operator);
    let stored = town.accounts.account(&town.claims(&signed_in)).await.unwrap().password;
    assert!(stored.contains("m=8,t=1"), "stored anew at the cost of this desk: {stored}");
}

#[tokio::test]
async fn roles_come_with_the_next_access_token() {
    let town = Town::new().await;
    let signed_in = town.sign_up(None, "Ann").await.unwrap();
    let roles = [Role::Operator, Role::Broadcaster, Role::Operator];
    town.accounts.set_roles(signed_in.account.user.id, &roles).await.unwrap();
    let next = town.accounts.refresh(&signed_in.refresh_token, NOW).await.unwrap();
    assert_eq!(next.account.user.roles, [Role::Broadcaster, Role::Operator]);
    let claims = town.claims(&next);
    assert!(claims.operator && claims.broadcaster);
    assert!(matches!(town.accounts.set_roles(UserId::from_bits(1), &[]).await, Err(AccountError::NotFound(_))));
}

#[tokio::test]
async fn a_stream_key_is_shown_once_and_void_after_the_next() {
    let town = Town::new().await;
    let ann = town.claims(&town.sign_up(None, "Ann").await.unwrap());
    assert!(matches!(town.accounts.stream_key(&ann).await, Err(AccountError::NotFound(_))));
    let (old, _) = town.accounts.new_stream_key(&ann, NOW).await.unwrap();
    assert!(old.starts_with(STREAM_KEY_PREFIX));
    let bearer = town.accounts.bearer_of_stream_key(&old, NOW + 7).await.unwrap();
    assert_eq!((bearer.sub, bearer.guest), (ann.sub, false));
    let kept = town.accounts.stream_key(&ann).await.unwrap();
    assert_eq!(kept.used_at_ms, Some(NOW + 7));
    assert!(!String::from_utf8_lossy(&kept.hash).contains(&old), "only the hash is kept");
    let (new, _) = town.accounts.new_stream_key(&ann, NOW).await.unwrap();
    assert!(matches!(town.accounts.bearer_of_stream_key(&old, NOW).await, Err(AccountError::NotFound(_))));
    town.accounts.drop_stream_key(&ann).await.unwrap();
    assert!(town.accounts.bearer_of_stream_key(&new, NOW).await.is_err());
}
