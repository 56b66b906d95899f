//! People who know each other, as REST and sessions ask: what the store says, with who is online; and who must be told.

use std::collections::HashMap;

use super::Live;
use crate::accounts::Claims;
use crate::ids::{BroadcastId, UserId};
use crate::limits::{
    BLOCKS_MAX, CONVERSATIONS_LISTED_MAX, EXACT_INTEGER_MAX, FOLLOWS_MAX, FRIENDS_MAX, PEOPLE_FOUND_MAX, PEOPLE_SEARCH_CHARS,
    PRIVATE_KEPT_MAX, PRIVATE_PAGE_MAX, PRIVATE_TEXT_MAX, TIES_READS_MAX,
};
use crate::signaling::now::Now;
use crate::signaling::protocol::{FriendOnline, Presence, ServerMessage, Visibility, Watching};
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::people::{Conversation, Friend, FriendLists, FriendRequest, MessagePage, NewPrivateMessage};
use crate::social::Link;
use crate::social::people::{Note, Person, PersonNews, PrivateMessage, Whereabouts};
use crate::store::{PersonRecord, PrivateMessageDraft, Relation, Wish};

const NOBODY: Refusal = Refusal::NotFound("person");
/// What a guest who was blocked is called: names of guests are not kept.
const GUEST_NAME: &str = "Guest";

/// Broadcasts that were named while one question was answered: friends watch the same ones.
type Known = HashMap<BroadcastId, Option<Watching>>;

/// What somebody does with what they read of people: a change that came between the two has not found it.
struct Reading {
    changes: u64,
    reads_left: u32,
}

impl Reading {
    fn begin(live: &Live) -> Self {
        Self { changes: live.social().changes(), reads_left: TIES_READS_MAX - 1 }
    }

    /// Whether nothing changed meanwhile, or it was read often enough. If not, it is to be read and done again.
    fn holds(&mut self, live: &Live) -> bool {
        let before = std::mem::replace(&mut self.changes, live.social().changes());
        if before == self.changes || self.reads_left == 0 {
            return true;
        }
        self.reads_left -= 1;
        false
    }
}

impl Live {
    // ---- Who is there ----

    /// A connection of somebody with an account, which makes them online.
    pub(crate) async fn connect_person(&self, who: &Claims) -> Option<Link> {
        if !who.is_account() {
            return None;
        }
        let mut reading = Reading::begin(self);
        loop {
            let hides = match self.accounts().account(who).await {
                Ok(account) => account.hide_watching,
                Err(error) => {
                    // Rather too little is shown than too much.
                    tracing::debug!(user = %who.sub, %error, "somebody connects without what they have set");
                    true
                }
            };
            let link = self.social().connect(who.sub, hides);
            if reading.holds(self) {
                return Some(link);
            }
        }
    }

    /// What a session watches, so that friends can be told.
    pub(crate) fn watched_by(&self, session: crate::ids::SessionId) -> Option<BroadcastId> {
        self.with_state(|state| state.directory.watched_by(session))
    }

    /// Lets a connection look at its person's friends: those who are online.
    pub(crate) async fn watch_friends(&self, who: &Claims, link: &Link) -> Result<Vec<FriendOnline>, Refusal> {
        let mut reading = Reading::begin(self);
        let online = loop {
            let online = link.look(self.shared.store.ties_of(who.sub, 0).await?.friends);
            if reading.holds(self) {
                break online;
            }
        };
        let (mut friends, mut known) = (Vec::new(), Known::new());
        for (user, place) in online {
            friends.push(FriendOnline { user, watching: self.watching(place, &mut known).await });
        }
        Ok(friends)
    }

    /// News about people as clients read them; `None`: the connection reads too slowly.
    pub(crate) async fn tell_of_people(&self, who: &Claims, news: PersonNews) -> Option<ServerMessage> {
        Some(match news {
            PersonNews::Presence { user, whereabouts } => {
                ServerMessage::Presence { user, presence: self.presence(whereabouts, &mut Known::new()).await }
            }
            PersonNews::Note(Note::FriendChanged { person }) => ServerMessage::FriendChanged { person },
            PersonNews::Note(Note::PrivateMessage { person, message }) => ServerMessage::PrivateMessage { person, message },
            PersonNews::Note(Note::MessagesRead { user, reader, up_to }) => ServerMessage::MessagesRead { user, reader, up_to },
            PersonNews::Note(Note::CallRing(ring)) => self.call_ring(who, ring).await,
            PersonNews::Note(Note::CallRingOver { call, reason }) => ServerMessage::CallRingOver { call, reason },
            // Of these connections are not told.
            PersonNews::Note(Note::TiesChanged | Note::Hides { .. }) | PersonNews::TooSlow => return None,
        })
    }

    async fn presence(&self, place: Option<Whereabouts>, known: &mut Known) -> Presence {
        match place {
            Some(place) => Presence { online: true, watching: self.watching(place, known).await },
            None => Presence::default(),
        }
    }

    /// The broadcast, unless only those who have its link may know of it.
    async fn watching(&self, place: Whereabouts, known: &mut Known) -> Option<Watching> {
        let broadcast = place.watching?;
        if let Some(watching) = known.get(&broadcast) {
            return watching.clone();
        }
        let watching = self.name_watched(broadcast).await;
        known.insert(broadcast, watching.clone());
        watching
    }

    pub(super) async fn name_watched(&self, broadcast: BroadcastId) -> Option<Watching> {
        let (slug, title, visibility) = match self.snapshot(broadcast) {
            Some(view) => (view.slug, view.title, view.visibility),
            // Of another node.
            None => match self.shared.store.find_broadcast(broadcast).await {
                Ok(record) => record.map(|record| (record.slug, record.title, record.visibility))?,
                Err(error) => {
                    tracing::warn!(%broadcast, %error, "a friend's broadcast cannot be named");
                    return None;
                }
            },
        };
        (visibility == Visibility::Public).then_some(Watching { broadcast, slug, title })
    }

    // ---- Friends, blocks, follows ----

    /// Somebody with an account; `who`, where it has one too, sees what they are to each other, and nobody who is hidden from it.
    pub(crate) async fn person(&self, who: Option<&Claims>, id: UserId) -> Result<Person, Refusal> {
        match who.filter(|who| who.is_account() && who.sub != id) {
            Some(who) => self.see(who.sub, id).await,
            None => {
                let (user, picture_version) = self.accounts().person(id).await?;
                Ok(Person { id, name: user.name, picture_version, relation: None, follows: None })
            }
        }
    }

    async fn see(&self, viewer: UserId, id: UserId) -> Result<Person, Refusal> {
        self.shared.store.see_person(viewer, id).await?.map(Person::from).ok_or(NOBODY)
    }

    pub(crate) async fn search_people(&self, who: &Claims, text: &str) -> Result<Vec<Person>, Refusal> {
        let me = self.account_id(who).await?;
        let (least, most) = PEOPLE_SEARCH_CHARS;
        let trimmed = text.trim();
        if trimmed.chars().count() < least || text.chars().count() > most || text.contains('\0') {
            return Err(Refusal::InvalidValue { field: "search", rule: "2 to 40 characters of the beginning of a name" });
        }
        Ok(people(self.shared.store.search_people(me, trimmed, PEOPLE_FOUND_MAX).await?))
    }

    pub(crate) async fn friends(&self, who: &Claims) -> Result<FriendLists, Refusal> {
        let me = self.account_id(who).await?;
        let (mut lists, mut known) = (FriendLists::default(), Known::new());
        for record in self.shared.store.friends_of(me).await? {
            let (relation, since_ms) = (record.relation, record.since_ms);
            let person = Person::from(record);
            match relation {
                Relation::Friend => {
                    let presence = self.presence(self.social().find(person.id), &mut known).await;
                    lists.friends.push(Friend { person, since_ms, presence });
                }
                Relation::Incoming => lists.incoming.push(FriendRequest { person, at_ms: since_ms }),
                Relation::Outgoing => lists.outgoing.push(FriendRequest { person, at_ms: since_ms }),
                Relation::None | Relation::Blocked => {}
            }
        }
        lists.blocked = self.blocked(me).await?;
        Ok(lists)
    }

    async fn blocked(&self, me: UserId) -> Result<Vec<Person>, Refusal> {
        let mut blocked = people(self.shared.store.blocked_by(me).await?);
        for guest in blocked.iter_mut().filter(|person| person.name.is_empty()) {
            GUEST_NAME.clone_into(&mut guest.name);
        }
        Ok(blocked)
    }

    /// Asks for friendship or accepts it.
    pub(crate) async fn befriend(&self, who: &Claims, other: UserId) -> Result<Relation, Refusal> {
        let me = self.account_id(who).await?;
        if me == other {
            return Err(Refusal::InvalidValue { field: "user", rule: "somebody else" });
        }
        let (relation, is_new) = match self.shared.store.wish_friendship(me, other, now_ms(), FRIENDS_MAX).await? {
            Wish::Asked { is_new } => (Relation::Outgoing, is_new),
            Wish::Friends { is_new } => (Relation::Friend, is_new),
            Wish::Nobody => return Err(NOBODY),
            Wish::Full => return Err(Refusal::Full("friends and requests")),
        };
        if is_new {
            self.tell_relation(me, other).await?;
            self.tell_relation(other, me).await?;
        }
        Ok(relation)
    }

    /// Ends a friendship, refuses a request or withdraws one.
    pub(crate) async fn unfriend(&self, who: &Claims, other: UserId) -> Result<(), Refusal> {
        let me = self.account_id(who).await?;
        if self.shared.store.end_friendship(me, other).await? {
            self.tell_relation(me, other).await?;
            self.tell_relation(other, me).await?;
        }
        Ok(())
    }

    /// Tells `user` what `other` is to them now.
    async fn tell_relation(&self, user: UserId, other: UserId) -> Result<(), Refusal> {
        if let Some(record) = self.shared.store.see_person(user, other).await? {
            self.social().tell(user, Note::FriendChanged { person: record.into() });
        }
        Ok(())
    }

    pub(crate) async fn block(&self, who: &Claims, other: UserId) -> Result<(), Refusal> {
        let me = self.account_id(who).await?;
        if me == other {
            return Err(Refusal::InvalidValue { field: "user", rule: "somebody else" });
        }
        // What they were to each other, before it is gone.
        let [mine, theirs] = [self.shared.store.see_person(me, other).await?, self.shared.store.see_person(other, me).await?];
        if !self.shared.store.block(me, other, now_ms(), BLOCKS_MAX).await? {
            return Err(Refusal::Full("people whom you have blocked"));
        }
        let blocked = mine.map(|record| Person { relation: Some(Relation::Blocked), follows: Some(false), ..record.into() });
        self.social().tell(me, blocked.map_or(Note::TiesChanged, |person| Note::FriendChanged { person }));
        // Who is blocked sees no more than that a friendship has ended.
        let ended = theirs.filter(|record| record.relation != Relation::None);
        let ended = ended.map(|record| Person { relation: Some(Relation::None), follows: Some(false), ..record.into() });
        self.social().tell(other, ended.map_or(Note::TiesChanged, |person| Note::FriendChanged { person }));
        Ok(())
    }

    pub(crate) async fn unblock(&self, who: &Claims, other: UserId) -> Result<(), Refusal> {
        let me = self.account_id(who).await?;
        self.shared.store.unblock(me, other).await?;
        match self.shared.store.see_person(me, other).await? {
            Some(record) => self.social().tell(me, Note::FriendChanged { person: record.into() }),
            None => self.social().tell(me, Note::TiesChanged),
        }
        self.social().tell(other, Note::TiesChanged);
        Ok(())
    }

    pub(crate) async fn follows(&self, who: &Claims) -> Result<Vec<Person>, Refusal> {
        let me = self.account_id(who).await?;
        Ok(people(self.shared.store.followed_by(me).await?))
    }

    pub(crate) async fn follow(&self, who: &Claims, other: UserId) -> Result<(), Refusal> {
        let me = self.account_id(who).await?;
        match self.shared.store.follow(me, other, now_ms(), FOLLOWS_MAX).await? {
            None => Err(NOBODY),
            Some(false) => Err(Refusal::Full("people whom you follow")),
            Some(true) => {
                // What they may say in a chat may depend on it.
                self.social().tell(me, Note::TiesChanged);
                Ok(())
            }
        }
    }

    pub(crate) async fn unfollow(&self, who: &Claims, other: UserId) -> Result<(), Refusal> {
        let me = self.account_id(who).await?;
        self.shared.store.unfollow(me, other).await?;
        self.social().tell(me, Note::TiesChanged);
        Ok(())
    }

    // ---- Private messages ----

    pub(crate) async fn private_conversations(&self, who: &Claims) -> Result<Vec<Conversation>, Refusal> {
        let me = self.account_id(who).await?;
        let records = self.shared.store.conversations_of(me, CONVERSATIONS_LISTED_MAX).await?;
        let to_conversation = |record: crate::store::ConversationRecord| Conversation {
            person: record.with.into(),
            last: record.last.into(),
            unread: record.unread,
        };
        Ok(records.into_iter().map(to_conversation).collect())
    }

    pub(crate) async fn private_messages(&self, who: &Claims, other: UserId, before: Option<u64>) -> Result<MessagePage, Refusal> {
        demand_exact("before", before.unwrap_or(0))?;
        let me = self.account_id(who).await?;
        self.see(me, other).await?;
        let page = self.shared.store.conversation(me, other, before, PRIVATE_PAGE_MAX).await?;
        let messages = page.messages.into_iter().map(PrivateMessage::from).collect();
        Ok(MessagePage { messages, more: page.more, read_up_to: page.read_up_to, seen_up_to: page.seen_up_to })
    }

    /// Writes to a friend; whether it is new, and not one that came before.
    pub(crate) async fn write_to(&self, who: &Claims, other: UserId, new: NewPrivateMessage) -> Result<(PrivateMessage, bool), Refusal> {
        let me = self.account_id(who).await?;
        let NewPrivateMessage { nonce, text } = new;
        demand_exact("nonce", nonce)?;
        let is_too_long = text.chars().count() > PRIVATE_TEXT_MAX;
        let text: String = text.trim().chars().filter(|symbol| *symbol == '\n' || !symbol.is_control()).collect();
        if text.is_empty() || is_too_long {
            return Err(Refusal::InvalidValue { field: "text", rule: "1 to 2000 characters" });
        }
        let (theirs, mine) = (self.see(me, other).await?, self.see(other, me).await?);
        let draft = PrivateMessageDraft { from: me, to: other, nonce, text: &text, sent_at_ms: now_ms() };
        let added = self.shared.store.add_private_message(draft, PRIVATE_KEPT_MAX).await?;
        let (record, is_new) = added.ok_or(Refusal::NotFriends)?;
        let message = PrivateMessage::from(record);
        if is_new {
            self.social().tell(me, Note::PrivateMessage { person: theirs, message: message.clone() });
            self.social().tell(other, Note::PrivateMessage { person: mine, message: message.clone() });
        }
        Ok((message, is_new))
    }

    pub(crate) async fn mark_read(&self, who: &Claims, other: UserId, up_to: u64) -> Result<(), Refusal> {
        demand_exact("up_to", up_to)?;
        let me = self.account_id(who).await?;
        self.see(me, other).await?;
        if let Some(up_to) = self.shared.store.read_conversation(me, other, up_to).await? {
            self.social().tell(me, Note::MessagesRead { user: other, reader: me, up_to });
            self.social().tell(other, Note::MessagesRead { user: me, reader: me, up_to });
        }
        Ok(())
    }

    /// Friends are shown what this person watches, or no longer.
    pub(crate) async fn hide_watching(&self, who: &Claims, hide: bool) -> Result<(), Refusal> {
        let me = self.account_id(who).await?;
        self.shared.store.set_hide_watching(me, hide).await?;
        self.social().tell(me, Note::Hides { hide });
        Ok(())
    }

    /// Whoever bears `who`, if that is an account which is still there.
    async fn account_id(&self, who: &Claims) -> Result<UserId, Refusal> {
        Ok(self.accounts().account(who).await?.user.id)
    }
}

fn demand_exact(field: &'static str, number: u64) -> Result<(), Refusal> {
    if number <= EXACT_INTEGER_MAX { Ok(()) } else { Err(Refusal::InvalidValue { field, rule: "at most 2^53" }) }
}

fn people(records: Vec<PersonRecord>) -> Vec<Person> {
    records.into_iter().map(Person::from).collect()
}

fn now_ms() -> u64 {
    Now::read().unix_ms as u64
}
