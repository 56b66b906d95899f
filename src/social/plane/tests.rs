//! Whole nodes on one bus: what people on different nodes see of each other, and what a killed home costs.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::*;
use crate::limits::{CHAT_RESYNCS_MAX, CHAT_RING};
use crate::social::archive::kept::{StoreArchive, StoreRelations};
use crate::social::archive::{MemoryArchive, MemoryRelations};
use crate::social::bus::Lease;
use crate::social::bus::memory::MemoryBus;
use crate::social::bus::redis::RedisBus;
use crate::social::bus::redis_server::RedisServer;
use crate::social::chat::{
    Answer, Ask, Audience, ChatAuthor, ChatEvent, ChatMessage, ChatModes, ChatRefusal, ChatRole, DeskEvent, FilterRule, ReportReason,
    Restraint, Ruling, Standing, Verdict,
};
use crate::social::clock::{UnixMs, wall_clock};
use crate::social::people::PersonNews;
use crate::social::reactions::{ReactionCount, ReactionKind};
use crate::store::Store;

const SOON: Duration = Duration::from_secs(10);

pub(super) fn node_on(bus: Arc<dyn Bus>, number: u64) -> Social {
    node_with(bus, number, Arc::new(MemoryArchive::default()), Arc::new(MemoryRelations::default()))
}

fn node_with(bus: Arc<dyn Bus>, number: u64, archive: Arc<dyn Archive>, relations: Arc<dyn Relations>) -> Social {
    let encode = |frame: &ChatFrame| Text::shared_text(&serde_json::to_string(frame).unwrap());
    Social::start(SocialParts { bus, node: NodeId::from_bits(number), archive, relations, encode })
}

fn broadcast() -> BroadcastId {
    BroadcastId::random(&mut rand::rng())
}

fn author(bits: u64) -> ChatAuthor {
    ChatAuthor { id: UserId::from_bits(bits), name: format!("User {bits}"), role: ChatRole::Viewer, guest: false }
}

fn say(nonce: u64, text: &str) -> Ask {
    Ask::Say { nonce, text: text.to_owned(), reply_to: None, mentions: Vec::new(), media_time_ms: None, found: None }
}

fn said(frame: &ChatFrame) -> impl Iterator<Item = &ChatMessage> {
    frame.events.iter().filter_map(|event| match event {
        ChatEvent::Said { message } => Some(message),
        _ => None,
    })
}

/// Reads until `wanted` gives something.
async fn until<T>(seat: &mut Seat, mut wanted: impl FnMut(SeatNews) -> Option<T>) -> T {
    let found = timeout(SOON, async {
        loop {
            if let Some(found) = wanted(seat.next().await) {
                return found;
            }
        }
    });
    found.await.expect("in time")
}

fn frame(news: &SeatNews) -> Option<ChatFrame> {
    match news {
        SeatNews::Text(text) => Some(serde_json::from_str(text.as_str()).unwrap()),
        SeatNews::Answered { .. } | SeatNews::Resync(_) | SeatNews::TooSlow => None,
    }
}

async fn answer(seat: &mut Seat, wanted: u32) -> Answer {
    until(seat, |news| match news {
        SeatNews::Answered { id, answer } if id == wanted => Some(answer),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn people_on_two_nodes_hear_each_other_are_counted_once_and_find_the_history() {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::default());
    let (a, b) = (node_on(Arc::clone(&bus), 1), node_on(bus, 2));
    let broadcast = broadcast();
    let (mut ann, history) = a.enter(broadcast, newcomer(UserId::from_bits(1), Some(ChatRole::Viewer), None)).await.unwrap();
    assert_eq!(history, ChatHistory::default());
    let (mut ben, _) = b.enter(broadcast, newcomer(UserId::from_bits(2), Some(ChatRole::Viewer), None)).await.unwrap();
    let (_second_tab, _) = b.enter(broadcast, newcomer(UserId::from_bits(1), Some(ChatRole::Viewer), None)).await.unwrap();
    ann.ask(1, author(1), say(1, "kick-off!")).await.unwrap();
    let id = answer(&mut ann, 1).await.unwrap().unwrap();
    let heard = until(&mut ben, |news| frame(&news).and_then(|frame| said(&frame).next().cloned())).await;
    assert_eq!((heard.id, heard.text.as_str(), heard.author.name.as_str()), (id, "kick-off!", "User 1"));
    ben.react(ReactionKind::Goal, 3, None);
    ann.react(ReactionKind::Goal, 4, None);
    let goals = ReactionCount { kind: ReactionKind::Goal, count: 7 };
    until(&mut ann, |news| frame(&news).filter(|frame| frame.reactions.contains(&goals))).await;
    let (mut late, history) = b.enter(broadcast, newcomer(UserId::from_bits(3), Some(ChatRole::Viewer), None)).await.unwrap();
    assert_eq!(history.messages, [heard]);
    assert_eq!(history.reactions, [goals]);
    let count = until(&mut late, |news| frame(&news)?.viewers.filter(|viewers| viewers.count == 3)).await;
    assert_eq!(count.peak, 3, "a person with two tabs on two nodes is one");
    let (_, nothing) = b.enter(broadcast, newcomer(UserId::from_bits(4), Some(ChatRole::Viewer), Some(id))).await.unwrap();
    assert_eq!((nothing.messages.len(), nothing.gap), (0, false));
    a.shutdown().await;
    b.shutdown().await;
}

#[tokio::test]
async fn what_the_filter_refuses_never_leaves_the_node() {
    let social = node_on(Arc::new(MemoryBus::default()), 1);
    let (mut seat, _) = social.enter(broadcast(), newcomer(UserId::from_bits(1), Some(ChatRole::Viewer), None)).await.unwrap();
    assert_eq!(seat.ask(1, author(1), say(1, "what a sh1tty ref")).await, Err(ChatRefusal::Filtered { rule: FilterRule::Language }));
    let moderator = ChatAuthor { role: ChatRole::Moderator, ..author(2) };
    assert_eq!(seat.ask(2, moderator, say(2, "rules: https://club.example/rules")).await, Ok(()));
    social.shutdown().await;
}

#[tokio::test]
async fn a_slow_reader_is_brought_up_to_date_and_then_given_up_and_a_quick_one_loses_nothing() {
    let social = node_on(Arc::new(MemoryBus::default()), 1);
    let broadcast = broadcast();
    let (mut slow, _) = social.enter(broadcast, newcomer(UserId::from_bits(1), Some(ChatRole::Viewer), None)).await.unwrap();
    let (mut quick, _) = social.enter(broadcast, newcomer(UserId::from_bits(2), Some(ChatRole::Viewer), None)).await.unwrap();
    let room = social.shared.find(broadcast).unwrap();
    for round in 0..=CHAT_RESYNCS_MAX {
        for number in 0..=CHAT_RING {
            let text = format!("{round}.{number}");
            room.push_frame(Text::shared_text(text.as_str()));
            until(&mut quick, |news| matches!(news, SeatNews::Text(read) if read.as_str() == text).then_some(())).await;
        }
        let is_over = until(&mut slow, |news| match news {
            SeatNews::Resync(_) => Some(false),
            SeatNews::TooSlow => Some(true),
            SeatNews::Text(_) | SeatNews::Answered { .. } => None,
        });
        assert_eq!(is_over.await, round == CHAT_RESYNCS_MAX);
    }
    social.shutdown().await;
}

pub(super) fn newcomer(user: UserId, role: Option<ChatRole>, since: Option<MessageId>) -> Newcomer {
    Newcomer { user, role, since, line: None }
}

/// What one person on a node was shown and told.
#[derive(Debug)]
enum Seen {
    Message { id: MessageId, at: UnixMs },
    Acknowledged(MessageId),
    Refused(ChatRefusal),
}

/// A person who says something ten times a second and notes what they see.
async fn talk(social: Social, broadcast: BroadcastId, who: u64, seen: mpsc::UnboundedSender<(u64, Seen)>) {
    let (mut seat, _) = social.enter(broadcast, newcomer(UserId::from_bits(who), Some(ChatRole::Viewer), None)).await.unwrap();
    let mut ticks = interval(Duration::from_millis(100));
    for number in 0_u32.. {
        let said_next = ticks.tick();
        tokio::pin!(said_next);
        loop {
            tokio::select! {
                _ = &mut said_next => break,
                news = seat.next() => match news {
                    SeatNews::Answered { answer: Ok(id), .. } => drop(seen.send((who, Seen::Acknowledged(id.unwrap())))),
                    SeatNews::Answered { answer: Err(refusal), .. } => drop(seen.send((who, Seen::Refused(refusal)))),
                    news => {
                        for message in frame(&news).iter().flat_map(said) {
                            drop(seen.send((who, Seen::Message { id: message.id, at: wall_clock() })));
                        }
                    }
                },
            }
        }
        // Everybody speaks for a new person each time, so that nobody is too quick.
        let number = u64::from(number);
        seat.ask(number as u32, author(1_000_000 * who + number), say(number, &format!("{who} says {number}"))).await.unwrap();
    }
}

/// Three nodes on Redis, a runtime each; the one that is the home is killed in the middle of it.
#[test]
fn a_killed_home_is_replaced_within_five_seconds_and_no_id_is_given_twice() {
    let watcher = Runtime::new().unwrap();
    let (server, url) = watcher.block_on(async {
        let server = RedisServer::start().await;
        let url = server.url();
        (server, url)
    });
    let broadcast = broadcast();
    let (tell, mut seen) = mpsc::unbounded_channel();
    let mut nodes: Vec<(u64, Option<Runtime>)> = Vec::new();
    for number in 1..=3 {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (url, tell) = (url.clone(), tell.clone());
        runtime.spawn(async move {
            let bus = RedisBus::connect(&[url]).await.unwrap();
            talk(node_on(Arc::new(bus), number), broadcast, number, tell).await;
        });
        nodes.push((number, Some(runtime)));
    }
    drop(tell);
    watcher.block_on(async {
        let bus = RedisBus::connect(&[url]).await.unwrap();
        let mut all: Vec<(u64, Seen)> = Vec::new();
        while all.iter().filter(|(_, seen)| matches!(seen, Seen::Acknowledged(_))).count() < 60 {
            all.push(timeout(SOON, seen.recv()).await.unwrap().unwrap());
        }
        let Lease::Taken { by: home } = bus.acquire(broadcast, NodeId::from_bits(99)).await.unwrap() else { panic!("somebody is home") };
        let before = all.iter().filter_map(|(_, seen)| if let Seen::Message { id, .. } = seen { Some(*id) } else { None }).max().unwrap();
        for (number, runtime) in &mut nodes {
            if NodeId::from_bits(*number) == home {
                // As a crash: nothing is released, nobody is told.
                runtime.take().unwrap().shutdown_background();
            }
        }
        let killed_at = wall_clock();
        let mut back_at = None;
        // Until three seconds of talk under the next home.
        while back_at.is_none_or(|back: UnixMs| wall_clock().since(back) < Duration::from_secs(3)) {
            let (who, what) = timeout(SOON, seen.recv()).await.unwrap().unwrap();
            if let Seen::Message { id, at } = &what
                && id.epoch > before.epoch
            {
                back_at.get_or_insert(*at);
            }
            all.push((who, what));
        }
        let gap = back_at.unwrap().since(killed_at);
        assert!(gap <= Duration::from_secs(5), "{gap:?}");
        println!("the chat was back {gap:?} after its home was killed");

        let acknowledged: Vec<MessageId> =
            all.iter().filter_map(|(_, seen)| if let Seen::Acknowledged(id) = seen { Some(*id) } else { None }).collect();
        assert_eq!(acknowledged.iter().collect::<HashSet<_>>().len(), acknowledged.len(), "no id twice");
        for survivor in nodes.iter().filter(|(_, runtime)| runtime.is_some()).map(|(number, _)| *number) {
            let shown: Vec<MessageId> = all
                .iter()
                .filter(|(who, _)| *who == survivor)
                .filter_map(|(_, seen)| if let Seen::Message { id, .. } = seen { Some(*id) } else { None })
                .collect();
            assert!(shown.is_sorted_by(|a, b| a < b), "in order, and each once");
            let refused: Vec<_> = all
                .iter()
                .filter(|(who, _)| *who == survivor)
                .filter_map(|(_, seen)| if let Seen::Refused(refusal) = seen { Some(*refusal) } else { None })
                .collect();
            assert_eq!(refused, [], "what was said meanwhile waited");
        }
        let kept: HashSet<MessageId> =
            bus.read(broadcast, MessageId::default(), usize::MAX >> 1).await.unwrap().into_iter().map(|entry| entry.id).collect();
        let lost = acknowledged.iter().filter(|id| !kept.contains(id)).count();
        assert!(lost * 1000 <= acknowledged.len(), "{lost} of {} are lost", acknowledged.len());
    });
    for runtime in nodes.into_iter().filter_map(|(_, runtime)| runtime) {
        runtime.shutdown_background();
    }
    drop(server);
}

#[tokio::test]
async fn the_chat_survives_a_restart_of_redis_that_forgot_everything() {
    let mut server = RedisServer::start().await;
    let social = node_on(Arc::new(RedisBus::connect(&[server.url()]).await.unwrap()), 1);
    let (mut seat, _) = social.enter(broadcast(), newcomer(UserId::from_bits(1), Some(ChatRole::Viewer), None)).await.unwrap();
    seat.ask(1, author(1), say(1, "before")).await.unwrap();
    let before = answer(&mut seat, 1).await.unwrap().unwrap();
    server.kill();
    server.restart().await;
    let mut after = Err(ChatRefusal::Unavailable);
    for id in 2..6 {
        seat.ask(id, author(1), say(2, "after")).await.unwrap();
        after = answer(&mut seat, id).await;
        if after.is_ok() {
            break;
        }
    }
    assert!(after.unwrap().unwrap() > before);
    social.shutdown().await;
}

#[tokio::test]
async fn a_chat_its_bans_and_its_log_survive_a_restart_of_everything_without_redis() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.db");
    let broadcast = broadcast();
    let start = async |number| {
        let store = Store::open_file(&path).await.unwrap();
        let relations = Arc::new(StoreRelations(store.clone()));
        let social = node_with(Arc::new(MemoryBus::default()), number, Arc::new(StoreArchive(store.clone())), relations);
        (social, store)
    };
    let (social, store) = start(1).await;
    let (mut seat, _) = social.enter(broadcast, newcomer(UserId::from_bits(1), Some(ChatRole::Viewer), None)).await.unwrap();
    seat.ask(1, author(1), say(1, "kick-off!")).await.unwrap();
    let first = answer(&mut seat, 1).await.unwrap().unwrap();
    seat.ask(2, author(2), say(2, "something bad")).await.unwrap();
    let bad = answer(&mut seat, 2).await.unwrap().unwrap();
    seat.ask(3, author(1), Ask::Report { message: bad, reason: ReportReason::Abuse, note: None }).await.unwrap();
    answer(&mut seat, 3).await.unwrap();
    let moderator = ChatAuthor { role: ChatRole::Moderator, ..author(9) };
    let ban = Ask::Restrain { user: UserId::from_bits(2), restraint: Restraint::Ban, note: Some("rude".to_owned()) };
    seat.ask(4, moderator, ban).await.unwrap();
    answer(&mut seat, 4).await.unwrap();
    seat.react(ReactionKind::Goal, 3, None);
    let goals = ReactionCount { kind: ReactionKind::Goal, count: 3 };
    until(&mut seat, |news| frame(&news).filter(|frame| frame.reactions.contains(&goals))).await;
    drop(seat);
    // Until the home has saved what it counted.
    let has_goals = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).contains("goal");
    while !social.shared.bus.load(broadcast).await.unwrap().is_some_and(|bytes| has_goals(bytes.to_vec())) {
        tokio::task::yield_now().await;
    }
    social.shutdown().await;
    store.close().await;

    let (social, store) = start(2).await;
    let (mut seat, history) = social.enter(broadcast, newcomer(UserId::from_bits(5), Some(ChatRole::Viewer), None)).await.unwrap();
    assert_eq!(history.messages.iter().map(|message| (message.id, message.text.as_str())).collect::<Vec<_>>(), [(first, "kick-off!")]);
    assert_eq!(history.reactions, [goals]);
    seat.ask(1, author(2), say(3, "again")).await.unwrap();
    assert_eq!(answer(&mut seat, 1).await, Err(ChatRefusal::Banned));
    seat.ask(2, author(5), say(4, "we are back")).await.unwrap();
    assert!(answer(&mut seat, 2).await.unwrap().unwrap() > first, "ids rise over a restart");
    let actions = store.actions_on(broadcast, None, 9).await.unwrap();
    assert_eq!((actions.len(), actions[0].by.id, actions[0].note.as_deref()), (1, UserId::from_bits(9), Some("rude")));
    let reports = store.open_reports(broadcast, 9).await.unwrap();
    assert_eq!((reports.len(), reports[0].text.as_str()), (1, "something bad"));
    social.shutdown().await;
    store.close().await;
}

#[tokio::test]
async fn who_blocks_somebody_no_longer_hears_them_at_once_and_the_other_way_round() {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::default());
    let relations = Arc::new(MemoryRelations::default());
    let node = |number| {
        let relations: Arc<dyn Relations> = Arc::<MemoryRelations>::clone(&relations);
        node_with(Arc::clone(&bus), number, Arc::new(MemoryArchive::default()), relations)
    };
    let (a, b) = (node(1), node(2));
    let broadcast = broadcast();
    let enter = async |node: &Social, who, role| node.enter(broadcast, newcomer(UserId::from_bits(who), Some(role), None)).await.unwrap().0;
    let mut ann = enter(&a, 1, ChatRole::Viewer).await;
    let mut ben = enter(&b, 2, ChatRole::Viewer).await;
    let mut moderator = enter(&b, 1, ChatRole::Moderator).await;
    ann.ask(1, author(1), say(1, "hello")).await.unwrap();
    answer(&mut ann, 1).await.unwrap();
    let text_of = |news: &SeatNews| frame(news).and_then(|frame| said(&frame).next().map(|message| message.text.clone()));
    assert_eq!(until(&mut ben, |news| text_of(&news)).await, "hello");
    // Told to the other node, as REST would.
    relations.hide(UserId::from_bits(1), UserId::from_bits(2));
    a.tell(UserId::from_bits(2), Note::TiesChanged);
    a.tell(UserId::from_bits(1), Note::TiesChanged);
    let is_in_force = |seats: &[&Seat]| seats.iter().all(|seat| seat.hides(UserId::from_bits(3 - seat.user().to_bits())));
    while !is_in_force(&[&ann, &ben]) {
        tokio::select! {
            news = ann.next() => drop(news),
            news = ben.next() => drop(news),
            () = tokio::task::yield_now() => {}
        }
    }
    let mut cay = enter(&a, 3, ChatRole::Viewer).await;
    cay.ask(1, author(2), say(2, "from Ben")).await.unwrap();
    cay.ask(2, author(1), say(3, "from Ann")).await.unwrap();
    cay.ask(3, author(3), say(4, "from Cay")).await.unwrap();
    for seat in [&mut ann, &mut ben] {
        let other = if seat.user() == UserId::from_bits(1) { "from Ben" } else { "from Ann" };
        let heard = until(seat, |news| {
            let texts: Vec<String> = frame(&news).iter().flat_map(said).map(|message| message.text.clone()).collect();
            assert!(!texts.iter().any(|text| text == other), "{texts:?}");
            texts.iter().any(|text| text == "from Cay").then_some(texts)
        });
        heard.await;
    }
    let mut seen = Vec::new();
    while !seen.contains(&"from Ben".to_owned()) {
        let more = until(&mut moderator, |news| frame(&news)).await;
        seen.extend(said(&more).map(|message| message.text.clone()));
    }
    let (_, history) = b.enter(broadcast, newcomer(UserId::from_bits(2), Some(ChatRole::Viewer), None)).await.unwrap();
    let texts: Vec<_> = history.messages.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["from Ben", "from Cay"], "nor what was said before");
    a.shutdown().await;
    b.shutdown().await;
}

/// Relations that are slow to answer: what they say may be old when it arrives.
#[derive(Debug)]
struct Slow {
    relations: Arc<MemoryRelations>,
    asked: Notify,
    answers: Notify,
}

#[async_trait]
impl Relations for Slow {
    async fn ties(&self, user: UserId) -> Result<Ties, RelationsError> {
        let ties = self.relations.ties(user).await;
        self.asked.notify_one();
        self.answers.notified().await;
        ties
    }

    async fn standing(&self, broadcast: BroadcastId, user: UserId) -> Result<Standing, RelationsError> {
        self.relations.standing(broadcast, user).await
    }
}

#[tokio::test]
async fn a_block_that_comes_while_somebody_sits_down_is_in_force() {
    let slow = Arc::new(Slow { relations: Arc::default(), asked: Notify::new(), answers: Notify::new() });
    let of_node: Arc<dyn Relations> = Arc::<Slow>::clone(&slow);
    let social = node_with(Arc::new(MemoryBus::default()), 1, Arc::new(MemoryArchive::default()), of_node);
    let (ann, ben) = (UserId::from_bits(1), UserId::from_bits(2));
    let entering = tokio::spawn({
        let (social, broadcast) = (social.clone(), broadcast());
        async move { social.enter(broadcast, newcomer(ben, Some(ChatRole::Viewer), None)).await }
    });
    slow.asked.notified().await;
    slow.relations.hide(ann, ben);
    social.tell(ben, Note::TiesChanged);
    // The plane's task has heard of it and found nobody.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    slow.answers.notify_one();
    let (mut seat, _) = entering.await.expect("it does not panic").expect("the chat is open");
    let answers = async {
        loop {
            slow.asked.notified().await;
            slow.answers.notify_one();
        }
    };
    tokio::pin!(answers);
    while !seat.hides(ann) {
        tokio::select! {
            news = seat.next() => drop(news),
            () = &mut answers => {}
            () = tokio::task::yield_now() => {}
        }
    }
    // The ties may be read once more, and the plane ends when it has read them.
    tokio::select! {
        () = social.shutdown() => {}
        () = &mut answers => {}
    }
}

#[tokio::test]
async fn only_followers_write_where_the_chat_is_theirs_and_a_new_one_may_at_once() {
    let relations = Arc::new(MemoryRelations::default());
    let of_node: Arc<dyn Relations> = Arc::<MemoryRelations>::clone(&relations);
    let social = node_with(Arc::new(MemoryBus::default()), 1, Arc::new(MemoryArchive::default()), of_node);
    let broadcast = broadcast();
    let (mut seat, _) = social.enter(broadcast, newcomer(UserId::from_bits(1), Some(ChatRole::Viewer), None)).await.unwrap();
    let modes = ChatModes { audience: Audience::Followers, ..ChatModes::default() };
    let moderator = ChatAuthor { role: ChatRole::Moderator, ..author(9) };
    seat.ask(1, moderator, Ask::SetModes { modes }).await.unwrap();
    answer(&mut seat, 1).await.unwrap();
    until(&mut seat, |news| frame(&news)?.events.contains(&ChatEvent::Modes { modes }).then_some(())).await;
    seat.ask(2, author(1), say(1, "hello")).await.unwrap();
    assert_eq!(answer(&mut seat, 2).await, Err(ChatRefusal::FollowersOnly));
    relations.set_standing(broadcast, UserId::from_bits(1), Standing { follows: true, is_friend: false });
    social.tell(UserId::from_bits(1), Note::TiesChanged);
    let mut said = Err(ChatRefusal::FollowersOnly);
    for id in 3..1000 {
        seat.ask(id, author(1), say(1, "hello")).await.unwrap();
        said = answer(&mut seat, id).await;
        if said.is_ok() {
            break;
        }
    }
    said.unwrap();
    social.shutdown().await;
}

/// Two nodes on Redis: what friends see of each other, and what reaches a person wherever they are.
#[tokio::test]
async fn friends_on_two_nodes_see_each_other_come_and_go_over_redis() {
    let server = RedisServer::start().await;
    let connect = async |number| node_on(Arc::new(RedisBus::connect(&[server.url()]).await.unwrap()), number);
    let (a, b) = (connect(1).await, connect(2).await);
    let (ann, ben) = (UserId::from_bits(1), UserId::from_bits(2));
    let mut anns = a.connect(ann, false);
    assert_eq!(anns.look(vec![ben]), []);
    let bens = b.connect(ben, false);
    let next = async |link: &mut Link| timeout(SOON, link.next()).await.expect("in time");
    let at = |watching| PersonNews::Presence { user: ben, whereabouts: Some(Whereabouts { watching }) };
    assert_eq!(next(&mut anns).await, at(None));
    let broadcast = broadcast();
    bens.watch(Some(broadcast));
    assert_eq!(next(&mut anns).await, at(Some(broadcast)));
    assert_eq!(a.find(ben), Some(Whereabouts { watching: Some(broadcast) }));
    let note = Note::MessagesRead { user: ben, reader: ben, up_to: 7 };
    b.tell(ann, note.clone());
    assert_eq!(next(&mut anns).await, PersonNews::Note(note));
    drop(bens);
    assert_eq!(next(&mut anns).await, PersonNews::Presence { user: ben, whereabouts: None });
    let _again = b.connect(ben, true);
    assert_eq!(next(&mut anns).await, at(None));
    b.shutdown().await;
    assert_eq!(next(&mut anns).await, PersonNews::Presence { user: ben, whereabouts: None }, "a node that goes says so");
    a.shutdown().await;
}

#[tokio::test]
async fn a_message_waits_for_a_moderator_on_another_node_and_lists_can_be_read_on_any() {
    let bus: Arc<dyn Bus> = Arc::new(MemoryBus::default());
    let (a, b) = (node_on(Arc::clone(&bus), 1), node_on(bus, 2));
    let broadcast = broadcast();
    let moderator = ChatAuthor { role: ChatRole::Moderator, ..author(9) };
    let (mut ann, _) = a.enter(broadcast, newcomer(UserId::from_bits(1), Some(ChatRole::Viewer), None)).await.unwrap();
    let (mut mod_seat, _) = b.enter(broadcast, newcomer(moderator.id, Some(ChatRole::Moderator), None)).await.unwrap();
    let modes = ChatModes { review: true, ..ChatModes::default() };
    mod_seat.ask(1, moderator.clone(), Ask::SetModes { modes }).await.unwrap();
    until(&mut ann, |news| frame(&news).filter(|frame| frame.events.contains(&ChatEvent::Modes { modes }))).await;
    assert_eq!(ann.ask(1, author(1), say(1, &"x".repeat(40))).await, Err(ChatRefusal::Filtered { rule: FilterRule::Repeats }));
    ann.ask(2, author(1), say(2, "what a sh1tty ref")).await.unwrap();
    assert_eq!(answer(&mut ann, 2).await, Err(ChatRefusal::Held));
    let held = until(&mut mod_seat, |news| {
        frame(&news)?.desk.into_iter().find_map(|event| match event {
            DeskEvent::Held { message } => Some(message),
            _ => None,
        })
    });
    let held = held.await;
    assert_eq!((held.text.as_str(), held.rule), ("what a sh1tty ref", FilterRule::Language));
    let approve = Ask::Review { held: held.id, verdict: Verdict::Approve, note: None };
    mod_seat.ask(3, moderator.clone(), approve).await.unwrap();
    let (mut is_said, mut is_ruled) = (false, false);
    until(&mut ann, |news| {
        let frame = frame(&news)?;
        is_said |= said(&frame).any(|message| message.text == held.text && message.author.id == held.author.id);
        is_ruled |= frame.desk.contains(&DeskEvent::Ruled { held: held.id, nonce: 2, ruling: Ruling::Approved });
        (is_said && is_ruled).then_some(())
    })
    .await;
    let ban = Ask::Restrain { user: UserId::from_bits(1), restraint: Restraint::Ban, note: None };
    mod_seat.ask(4, moderator.clone(), ban).await.unwrap();
    mod_seat.ask(5, moderator, Ask::SetWords { words: vec!["spoiler".to_owned()] }).await.unwrap();
    answer(&mut mod_seat, 5).await.unwrap();
    let rules = timeout(SOON, async {
        loop {
            let rules = a.rules(broadcast).await.unwrap();
            if !rules.words.is_empty() {
                return rules;
            }
            tokio::task::yield_now().await;
        }
    });
    let rules = rules.await.unwrap();
    assert_eq!((rules.words, rules.restrained[0].person.name.as_str()), (vec!["spoiler".to_owned()], "User 1"));
    a.tell_desk(broadcast, DeskEvent::Resolved { message: held.id }).await;
    until(&mut mod_seat, |news| frame(&news)?.desk.contains(&DeskEvent::Resolved { message: held.id }).then_some(())).await;
    ann.react(ReactionKind::Goal, 3, Some(wall_clock().0 as f64));
    until(&mut mod_seat, |news| frame(&news)?.reactions_at_ms).await;
    a.shutdown().await;
    b.shutdown().await;
}
