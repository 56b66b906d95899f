//! What the store can do, one trait a group of records. Both databases keep the same promises: `conformance_tests` runs against each.

use async_trait::async_trait;

use super::{
    AccountRecord, ActionRecord, BroadcastRecord, ChatEventRecord, ChatPlace, CodePurpose, CodeRecord, ConversationPage,
    ConversationRecord, PersonRecord, PictureRecord, PrivateMessageDraft, PrivateMessageRecord, ReportRecord, Role, SignInRecord,
    StandingRecord, StoreError, StreamKeyRecord, Ties, UserRecord, Wish,
};
use crate::ids::{ActionId, BroadcastId, SignInId, UserId};

/// Everything; with what concerns the database itself.
#[async_trait]
pub trait Records:
    Broadcasts + Users + SignIns + StreamKeys + Relationships + PrivateMessages + Chats + Moderation + std::fmt::Debug
{
    /// Whether the database answers.
    ///
    /// # Errors
    /// `Database`.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Waits for statements under way and closes the connections.
    async fn close(&self);
}

/// Broadcasts as they survive a restart.
#[async_trait]
pub trait Broadcasts: Send + Sync {
    /// Adds a broadcast, or replaces what is stored of it.
    ///
    /// # Errors
    /// `SlugInUse` when another broadcast that has not ended has the slug; `Database`.
    async fn save_broadcast(&self, broadcast: &BroadcastRecord) -> Result<(), StoreError>;

    /// Every broadcast that has not ended, and those that ended at or after `ended_since_ms`; newest first, at most
    /// `limits::BROADCASTS_LOADED_MAX`.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn load_broadcasts(&self, ended_since_ms: u64) -> Result<Vec<BroadcastRecord>, StoreError>;

    /// The broadcast that has this slug now; if none has, the one that had it last.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn find_broadcast_by_slug(&self, slug: &str) -> Result<Option<BroadcastRecord>, StoreError>;

    /// # Errors
    /// `Database`, `Corrupt`.
    async fn find_broadcast(&self, id: BroadcastId) -> Result<Option<BroadcastRecord>, StoreError>;

    /// Broadcasts of one owner, newest first, at most `limits::BROADCASTS_EXPORTED_MAX`.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn broadcasts_of(&self, owner: UserId) -> Result<Vec<BroadcastRecord>, StoreError>;
}

/// Users, those with an account and those without.
#[async_trait]
pub trait Users: Send + Sync {
    /// Adds a user, or gives an existing one this name and these roles.
    ///
    /// # Errors
    /// `Database`.
    async fn save_user(&self, user: &UserRecord) -> Result<(), StoreError>;

    /// # Errors
    /// `Database`, `Corrupt`.
    async fn find_user(&self, id: UserId) -> Result<Option<UserRecord>, StoreError>;

    /// Adds an account, for a user that is new or has none yet.
    ///
    /// # Errors
    /// `NameTaken`, `EmailTaken`, `AccountExists`, `Database`.
    async fn add_account(&self, account: &AccountRecord) -> Result<(), StoreError>;

    /// # Errors
    /// `Database`, `Corrupt`.
    async fn find_account(&self, id: UserId) -> Result<Option<AccountRecord>, StoreError>;

    /// By address, whatever its case.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn find_account_by_email(&self, email: &str) -> Result<Option<AccountRecord>, StoreError>;

    /// Gives an account another name; `false`: there is no such account.
    ///
    /// # Errors
    /// `NameTaken`, `Database`.
    async fn rename_account(&self, id: UserId, name: &str) -> Result<bool, StoreError>;

    /// Gives an account this verified address; `false`: there is no such account.
    ///
    /// # Errors
    /// `EmailTaken`, `Database`.
    async fn verify_email(&self, id: UserId, email: &str, at_ms: u64) -> Result<bool, StoreError>;

    /// Replaces the password, unless it is no longer `expected`; `false`: it was not, or there is no such account.
    ///
    /// # Errors
    /// `Database`.
    async fn change_password(&self, id: UserId, expected: &str, password: &str) -> Result<bool, StoreError>;

    /// Whether friends are shown what this person watches; `false`: there is no such account.
    ///
    /// # Errors
    /// `Database`.
    async fn set_hide_watching(&self, id: UserId, hide: bool) -> Result<bool, StoreError>;

    /// `false`: there is no such user.
    ///
    /// # Errors
    /// `Database`.
    async fn set_roles(&self, id: UserId, roles: &[Role]) -> Result<bool, StoreError>;

    /// Sets or removes the picture and counts its version up; `None`: there is no such account.
    ///
    /// # Errors
    /// `Database`.
    async fn set_picture(&self, id: UserId, picture: Option<(&str, &[u8])>) -> Result<Option<u32>, StoreError>;

    /// # Errors
    /// `Database`.
    async fn find_picture(&self, id: UserId) -> Result<Option<PictureRecord>, StoreError>;

    /// Removes a user with all that hangs on them: sign-ins, codes, picture, stream key, friendships, conversations, and what they said in
    /// chats; in the log of moderators' actions and in reports they have no name and said nothing. `false`: there is no such user.
    ///
    /// # Errors
    /// `Database`.
    async fn delete_user(&self, id: UserId) -> Result<bool, StoreError>;

    /// Guests who became accounts at or after `since_ms`, with the time.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn claimed_guests(&self, since_ms: u64) -> Result<Vec<(UserId, u64)>, StoreError>;

    /// Keeps a code, in place of an earlier one of the same user and purpose.
    ///
    /// # Errors
    /// `Database`.
    async fn save_code(&self, code: &CodeRecord) -> Result<(), StoreError>;

    /// Takes a code that is still valid: of several who ask at once, one gets it.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn take_code(&self, hash: &[u8], purpose: CodePurpose, now_ms: u64) -> Result<Option<CodeRecord>, StoreError>;
}

/// Devices that are signed in.
#[async_trait]
pub trait SignIns: Send + Sync {
    /// Adds one; past `keep` of the same user, those used longest ago end.
    ///
    /// # Errors
    /// `Database`.
    async fn add_sign_in(&self, sign_in: &SignInRecord, keep: u32) -> Result<(), StoreError>;

    /// # Errors
    /// `Database`, `Corrupt`.
    async fn find_sign_in(&self, id: SignInId) -> Result<Option<SignInRecord>, StoreError>;

    /// Puts `new_hash` in the place of `old_hash`: of several who ask with the same old one, one is told `true`.
    ///
    /// # Errors
    /// `Database`.
    async fn rotate_sign_in(
        &self,
        id: SignInId,
        old_hash: &[u8],
        new_hash: &[u8],
        now_ms: u64,
        expires_at_ms: u64,
    ) -> Result<bool, StoreError>;

    /// Those of a user that have not expired, the last used first.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn sign_ins_of(&self, user: UserId, now_ms: u64) -> Result<Vec<SignInRecord>, StoreError>;

    /// Ends one of this user's; `false`: they have no such one.
    ///
    /// # Errors
    /// `Database`.
    async fn end_sign_in(&self, user: UserId, id: SignInId) -> Result<bool, StoreError>;

    /// Ends all of a user's; how many there were.
    ///
    /// # Errors
    /// `Database`.
    async fn end_sign_ins(&self, user: UserId) -> Result<u64, StoreError>;

    /// Removes sign-ins and codes that have expired; how many.
    ///
    /// # Errors
    /// `Database`.
    async fn forget_expired(&self, now_ms: u64) -> Result<u64, StoreError>;
}

/// Keys with which encoders publish for a user.
#[async_trait]
pub trait StreamKeys: Send + Sync {
    /// Gives a user this key, in place of an earlier one.
    ///
    /// # Errors
    /// `Database`.
    async fn save_stream_key(&self, key: &StreamKeyRecord) -> Result<(), StoreError>;

    /// # Errors
    /// `Database`, `Corrupt`.
    async fn stream_key_of(&self, user: UserId) -> Result<Option<StreamKeyRecord>, StoreError>;

    /// Whose key it is; notes that it was used.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn use_stream_key(&self, hash: &[u8], now_ms: u64) -> Result<Option<UserRecord>, StoreError>;

    /// `false`: there was none.
    ///
    /// # Errors
    /// `Database`.
    async fn drop_stream_key(&self, user: UserId) -> Result<bool, StoreError>;
}

/// Who is friends with whom, who blocks whom, who follows whom.
#[async_trait]
pub trait Relationships: Send + Sync {
    /// `from` wants to be friends with `to`: asks, or accepts where `to` has asked. Each has at most `most` friends and requests.
    ///
    /// # Errors
    /// `Database`.
    async fn wish_friendship(&self, from: UserId, to: UserId, now_ms: u64, most: u32) -> Result<Wish, StoreError>;

    /// Ends a friendship, or a request of either; `false`: there was none.
    ///
    /// # Errors
    /// `Database`.
    async fn end_friendship(&self, one: UserId, other: UserId) -> Result<bool, StoreError>;

    /// Friendships, requests and follows between the two end with it. `false`: `blocker` has `most` blocks.
    ///
    /// # Errors
    /// `Database`.
    async fn block(&self, blocker: UserId, blocked: UserId, now_ms: u64, most: u32) -> Result<bool, StoreError>;

    /// # Errors
    /// `Database`.
    async fn unblock(&self, blocker: UserId, blocked: UserId) -> Result<(), StoreError>;

    /// `None`: there is nobody with an account to follow, or one of the two has blocked the other; `false`: `follower` follows `most`.
    ///
    /// # Errors
    /// `Database`.
    async fn follow(&self, follower: UserId, followed: UserId, now_ms: u64, most: u32) -> Result<Option<bool>, StoreError>;

    /// # Errors
    /// `Database`.
    async fn unfollow(&self, follower: UserId, followed: UserId) -> Result<(), StoreError>;

    /// Friends and requests of a person, by name.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn friends_of(&self, user: UserId) -> Result<Vec<PersonRecord>, StoreError>;

    /// Whom a person has blocked, by name; guests last, without one.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn blocked_by(&self, user: UserId) -> Result<Vec<PersonRecord>, StoreError>;

    /// Whom a person follows, by name.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn followed_by(&self, user: UserId) -> Result<Vec<PersonRecord>, StoreError>;

    /// Of those who have blocked `user`, the newest `blockers`.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn ties_of(&self, user: UserId, blockers: u32) -> Result<Ties, StoreError>;

    /// Somebody with an account as `viewer` sees them; `None`: there is nobody, or one of the two has blocked the other.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn see_person(&self, viewer: UserId, id: UserId) -> Result<Option<PersonRecord>, StoreError>;

    /// People whose name begins so, whatever its case, by name; neither `viewer` nor who is hidden from them.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn search_people(&self, viewer: UserId, beginning: &str, most: u32) -> Result<Vec<PersonRecord>, StoreError>;

    /// What a person is to the owner of a broadcast.
    ///
    /// # Errors
    /// `Database`.
    async fn standing(&self, broadcast: BroadcastId, user: UserId) -> Result<StandingRecord, StoreError>;
}

/// What two people have written to each other.
#[async_trait]
pub trait PrivateMessages: Send + Sync {
    /// Adds a message, unless its sender has sent this nonce to the other one before: then the first message, and `false`. The newest `keep` of the
    /// conversation stay. `None`: they are not friends.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn add_private_message(
        &self,
        draft: PrivateMessageDraft<'_>,
        keep: u32,
    ) -> Result<Option<(PrivateMessageRecord, bool)>, StoreError>;

    /// The latest first; not those with people who are hidden from `user`.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn conversations_of(&self, user: UserId, most: u32) -> Result<Vec<ConversationRecord>, StoreError>;

    /// The newest messages below number `before`. Empty, when there is no such conversation.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn conversation(&self, user: UserId, with: UserId, before: Option<u64>, most: u32) -> Result<ConversationPage, StoreError>;

    /// `user` has read up to this number, if there is such a message; never goes back. `None`: nothing has changed.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn read_conversation(&self, user: UserId, with: UserId, up_to: u64) -> Result<Option<u64>, StoreError>;

    /// Everything that a person has written or received, oldest first, at most `most` of the newest.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn private_messages_of(&self, user: UserId, most: u32) -> Result<Vec<PrivateMessageRecord>, StoreError>;
}

/// Chats as they survive a restart.
#[async_trait]
pub trait Chats: Send + Sync {
    /// Adds events; those that are there already stay as they are.
    ///
    /// # Errors
    /// `Database`.
    async fn keep_chat_events(&self, broadcast: BroadcastId, events: &[ChatEventRecord]) -> Result<(), StoreError>;

    /// The newest, oldest first.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn newest_chat_events(&self, broadcast: BroadcastId, most: u32) -> Result<Vec<ChatEventRecord>, StoreError>;

    /// Everything that a person has said in chats, oldest first, at most `most` of the newest, with where.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn chat_events_of(&self, author: UserId, most: u32) -> Result<Vec<(BroadcastId, ChatEventRecord)>, StoreError>;

    /// Replaces the snapshot of a chat, unless there is one of a later epoch.
    ///
    /// # Errors
    /// `Database`.
    async fn save_chat_snapshot(&self, broadcast: BroadcastId, epoch: u64, snapshot: &[u8], now_ms: u64) -> Result<(), StoreError>;

    /// # Errors
    /// `Database`.
    async fn chat_snapshot(&self, broadcast: BroadcastId) -> Result<Option<Vec<u8>>, StoreError>;

    /// Removes events, snapshots, actions and reports from before a time, and of each chat the events beyond the newest `keep`; how many rows.
    ///
    /// # Errors
    /// `Database`.
    async fn forget_chats(&self, before_ms: u64, keep: u32) -> Result<u64, StoreError>;
}

/// What moderators did, and what was put before them.
#[async_trait]
pub trait Moderation: Send + Sync {
    /// # Errors
    /// `Database`.
    async fn add_action(&self, action: &ActionRecord) -> Result<(), StoreError>;

    /// The latest first, before `before`.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn actions_on(&self, broadcast: BroadcastId, before: Option<ActionId>, most: u32) -> Result<Vec<ActionRecord>, StoreError>;

    /// `false`: this person has reported this message already, or there are `most` that nobody has resolved.
    ///
    /// # Errors
    /// `Database`.
    async fn add_report(&self, report: &ReportRecord, most: u32) -> Result<bool, StoreError>;

    /// Those that nobody has resolved, the first reported first; the reports of one message one after the other.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn open_reports(&self, broadcast: BroadcastId, most: u32) -> Result<Vec<ReportRecord>, StoreError>;

    /// All that was reported of a message is resolved: one of its reports. `None`: there are none.
    ///
    /// # Errors
    /// `Database`, `Corrupt`.
    async fn resolve_reports(&self, broadcast: BroadcastId, place: ChatPlace, now_ms: u64) -> Result<Option<ReportRecord>, StoreError>;
}
