//! The home's rules, on virtual time.

use super::*;
use crate::social::chat::{ChatModes, ReportReason};
use crate::social::presence::Report;
use crate::social::reactions::{Bucket, ReactionCount, ReactionKind, Taps};
use crate::social::room::test_support::{EPOCH, START, at, author, batch, node, request, say, user};

/// A home with one node that numbers its batches and requests.
struct Bench {
    home: Home,
    number: u64,
    flushes: Vec<Flush>,
}

impl Bench {
    fn new() -> Self {
        Self::with(Home::open(START, EPOCH, None, &[]))
    }

    fn with(home: Home) -> Self {
        Self { home, number: 0, flushes: Vec::new() }
    }

    fn ask_as(&mut self, ms: u64, who: ChatAuthor, standing: Standing, ask: Ask) -> Answer {
        self.number += 1;
        let request = Request { standing, ..request(self.number, who, ask) };
        self.home.handle_batch(at(ms), batch(1, self.number, vec![request]));
        self.home.answers.last().unwrap().2
    }

    fn ask(&mut self, ms: u64, who: u64, ask: Ask) -> Answer {
        self.ask_as(ms, author(who, ChatRole::Viewer), Standing::default(), ask)
    }

    fn moderate(&mut self, ms: u64, ask: Ask) -> Answer {
        self.ask_as(ms, author(900, ChatRole::Moderator), Standing::default(), ask)
    }

    fn said(&mut self, ms: u64, who: u64, nonce: u64, text: &str) -> MessageId {
        self.ask(ms, who, say(nonce, text)).unwrap().unwrap()
    }

    /// Everything flushed up to `ms`.
    fn flush(&mut self, ms: u64) -> Vec<Logged> {
        let mut log = Vec::new();
        while let Some(flush) = self.home.poll(at(ms)) {
            log.extend(flush.log.clone());
            self.flushes.push(flush);
        }
        log
    }
}

#[test]
fn messages_are_numbered_in_order_and_told_in_one_batch() {
    let mut bench = Bench::new();
    bench.flush(0);
    let ids: Vec<MessageId> = (0..5).map(|who| bench.said(1, who, 1, "hello")).collect();
    assert_eq!(ids, (1..=5).map(|seq| LogId { epoch: EPOCH, seq }).collect::<Vec<_>>());
    assert_eq!(bench.flush(99).len(), 0, "not before the interval");
    let log = bench.flush(100);
    assert_eq!(log.iter().map(|logged| logged.id).collect::<Vec<_>>(), ids);
    let out = &bench.flushes.last().unwrap().out;
    assert_eq!((out.previous, out.answers.len()), (LogId::default(), 5));
    bench.said(200, 1, 2, "and");
    bench.flush(300);
    assert_eq!(bench.flushes.last().unwrap().out.previous, ids[4]);
}

#[test]
fn a_message_that_is_sent_twice_is_said_once() {
    let mut bench = Bench::new();
    let first = bench.said(0, 1, 77, "hello");
    assert_eq!(bench.said(10, 1, 77, "hello"), first);
    assert_ne!(bench.said(20, 2, 77, "hello"), first, "another person's nonce is another");
    assert_eq!(bench.flush(200).len(), 2);
    assert_ne!(bench.said(61_000, 1, 77, "hello"), first, "a minute later it is a new one");
}

#[test]
fn a_batch_is_applied_once_and_never_before_the_one_that_is_missing() {
    let mut home = Home::open(START, EPOCH, None, &[]);
    let taps = |number| InBatch { taps: Taps(vec![(Bucket(1), ReactionKind::Heart, 10)]), oldest: 1, ..batch(1, number, Vec::new()) };
    for number in [2, 1, 1, 3, 2, 2, 3] {
        home.handle_batch(START, taps(number));
    }
    assert_eq!(home.sums.totals(), [ReactionCount { kind: ReactionKind::Heart, count: 30 }]);
}

#[test]
fn the_next_home_goes_on_without_repeating_an_id_or_counting_twice() {
    let mut bench = Bench::new();
    let ids: Vec<MessageId> = (1..=3).map(|nonce| bench.said(nonce * 2000, nonce, nonce, "before")).collect();
    let log = bench.flush(6100);
    let snapshot = bench.home.snapshot(at(6200)).unwrap();
    bench.home.handle_saved(&snapshot);
    assert_eq!(bench.home.poll(at(6300)).unwrap().out.safe, [(node(1), 3)]);
    // Applied and logged, and not safe: the node will send it again.
    let unsafe_one = InBatch {
        taps: Taps(vec![(Bucket(1), ReactionKind::Fire, 5)]),
        ..batch(1, 4, vec![request(4, author(9, ChatRole::Viewer), say(1, "in between"))])
    };
    bench.home.handle_batch(at(6400), unsafe_one.clone());
    let later = bench.flush(6500);
    let kept: Snapshot = serde_json::from_str(&serde_json::to_string(&snapshot).unwrap()).unwrap();
    let log: Vec<Logged> = log.into_iter().chain(later.clone()).collect();

    let mut next = Home::open(at(9000), EPOCH + 1, Some(kept), &log);
    next.handle_batch(at(9001), unsafe_one);
    assert_eq!(next.answers.last().unwrap().2, Ok(Some(later[0].id)), "recognised");
    assert_eq!(next.sums.totals(), [ReactionCount { kind: ReactionKind::Fire, count: 5 }]);
    next.handle_batch(at(9002), batch(1, 5, vec![request(5, author(8, ChatRole::Viewer), say(1, "after"))]));
    let id = next.answers.last().unwrap().2.unwrap().unwrap();
    assert_eq!(id, LogId { epoch: EPOCH + 1, seq: 1 });
    assert!(ids.iter().all(|earlier| *earlier < id));
    let out = next.poll(at(9100)).unwrap().out;
    assert_eq!(out.previous, later[0].id, "the chain goes on");
}

#[test]
fn nobody_speaks_faster_than_the_limit_and_slow_mode_is_slower() {
    let mut bench = Bench::new();
    let results: Vec<Answer> = (0..7).map(|nonce| bench.ask(0, 1, say(nonce, "quick"))).collect();
    assert!(results[..5].iter().all(Result::is_ok));
    assert_eq!(results[5], Err(ChatRefusal::Slow { wait_ms: 1500 }));
    assert!(bench.ask(1500, 1, say(50, "again")).is_ok());
    bench.moderate(2000, Ask::SetModes { modes: ChatModes { slow_s: 30, ..ChatModes::default() } }).unwrap();
    assert!(bench.ask(2000, 2, say(1, "first")).is_ok());
    assert_eq!(bench.ask(12_000, 2, say(2, "second")), Err(ChatRefusal::Slow { wait_ms: 20_000 }));
    assert!(bench.ask(32_000, 2, say(2, "second")).is_ok());
    for nonce in 0..20 {
        bench.moderate(32_000, say(nonce, "a moderator is never slow")).unwrap();
    }
}

#[test]
fn modes_say_who_may_speak() {
    let mut bench = Bench::new();
    let mode = |audience, emote_only| Ask::SetModes { modes: ChatModes { audience, emote_only, ..ChatModes::default() } };
    let guest = ChatAuthor { guest: true, ..author(5, ChatRole::Viewer) };
    let (follower, friend) = (Standing { follows: true, is_friend: false }, Standing { follows: false, is_friend: true });
    assert_eq!(bench.ask(0, 1, mode(Audience::Friends, false)), Err(ChatRefusal::NotModerator));
    assert!(bench.ask_as(0, guest.clone(), Standing::default(), say(1, "hi")).is_ok());
    bench.moderate(0, mode(Audience::Accounts, false)).unwrap();
    assert_eq!(bench.ask_as(0, guest, Standing::default(), say(2, "hi")), Err(ChatRefusal::AccountsOnly));
    assert!(bench.ask(0, 6, say(1, "hi")).is_ok());
    bench.moderate(0, mode(Audience::Followers, false)).unwrap();
    assert_eq!(bench.ask(0, 6, say(2, "hi")), Err(ChatRefusal::FollowersOnly));
    assert!(bench.ask_as(0, author(6, ChatRole::Viewer), follower, say(3, "hi")).is_ok());
    bench.moderate(0, mode(Audience::Friends, false)).unwrap();
    assert_eq!(bench.ask_as(0, author(7, ChatRole::Viewer), follower, say(1, "hi")), Err(ChatRefusal::FriendsOnly));
    assert!(bench.ask_as(0, author(7, ChatRole::Viewer), friend, say(2, "hi")).is_ok());
    bench.moderate(0, mode(Audience::Everyone, true)).unwrap();
    assert_eq!(bench.ask(0, 8, say(1, "goal")), Err(ChatRefusal::EmoteOnly));
    assert!(bench.ask(0, 8, say(2, "⚽🔥")).is_ok());
    assert!(bench.moderate(0, say(9, "words")).is_ok());
}

#[test]
fn its_author_edits_for_five_minutes_and_moderators_delete() {
    let mut bench = Bench::new();
    let id = bench.said(0, 1, 1, "helo");
    let edit = |text: &str| Ask::Edit { message: id, text: text.to_owned() };
    assert_eq!(bench.ask(10, 2, edit("mine now")), Err(ChatRefusal::NotYours));
    assert_eq!(bench.ask(10, 1, edit("  ")), Err(ChatRefusal::Empty));
    bench.ask(299_000, 1, edit("hello")).unwrap();
    assert_eq!(bench.ask(301_000, 1, edit("too late")), Err(ChatRefusal::EditedTooLate));
    let edited = bench.home.transcript.get(id).unwrap();
    assert_eq!((edited.text.as_str(), edited.edited), ("hello", true));
    assert_eq!(bench.ask(302_000, 2, Ask::Delete { message: id, note: None }), Err(ChatRefusal::NotModerator));
    bench.moderate(302_000, Ask::Delete { message: id, note: None }).unwrap();
    assert_eq!(bench.ask(302_000, 1, edit("gone")), Err(ChatRefusal::NoMessage));
    let own = bench.said(303_000, 1, 2, "oops");
    bench.ask(303_000, 1, Ask::Delete { message: own, note: None }).unwrap();
    let broadcasters = bench.ask_as(303_000, author(2000, ChatRole::Broadcaster), Standing::default(), say(1, "mine")).unwrap().unwrap();
    assert_eq!(bench.moderate(303_000, Ask::Delete { message: broadcasters, note: None }), Err(ChatRefusal::Protected));
}

#[test]
fn replies_quote_and_pins_stay_for_newcomers() {
    let mut bench = Bench::new();
    let id = bench.said(0, 1, 1, &"long ".repeat(40));
    let reply =
        Ask::Say { nonce: 1, text: "yes".to_owned(), reply_to: Some(id), mentions: vec![user(1)], media_time_ms: Some(5.0), found: None };
    let answer = bench.ask(0, 2, reply).unwrap().unwrap();
    let message = bench.home.transcript.get(answer).unwrap();
    let quoted = message.reply_to.as_ref().unwrap();
    assert_eq!((quoted.id, quoted.author, quoted.excerpt.chars().count()), (id, user(1), CHAT_EXCERPT_MAX));
    assert_eq!(message.media_time_ms, Some(5.0));
    let nowhere = Ask::Say {
        nonce: 2,
        text: "yes".to_owned(),
        reply_to: Some(LogId { epoch: 1, seq: 1 }),
        mentions: Vec::new(),
        media_time_ms: None,
        found: None,
    };
    assert_eq!(bench.ask(0, 3, nowhere), Err(ChatRefusal::NoMessage));
    assert_eq!(bench.ask(0, 1, Ask::Pin { message: Some(id) }), Err(ChatRefusal::NotModerator));
    bench.moderate(0, Ask::Pin { message: Some(id) }).unwrap();
    assert_eq!(bench.home.transcript.history(user(5), None).pinned.unwrap().id, id);
    bench.moderate(0, Ask::Pin { message: None }).unwrap();
    assert_eq!(bench.home.transcript.history(user(5), None).pinned, None);
}

#[test]
fn who_is_timed_out_or_banned_is_silent_and_gone_from_the_chat_also_under_the_next_home() {
    let mut bench = Bench::new();
    bench.said(0, 1, 1, "something bad");
    bench.said(0, 2, 1, "something good");
    let restrain = |who, restraint| Ask::Restrain { user: user(who), restraint, note: None };
    assert_eq!(bench.ask(0, 2, restrain(1, Restraint::Ban)), Err(ChatRefusal::NotModerator));
    assert_eq!(bench.moderate(0, restrain(900, Restraint::Ban)), Ok(None), "who has said nothing is a viewer");
    bench.moderate(0, restrain(1, Restraint::TimeOut { seconds: 60 })).unwrap();
    assert_eq!(bench.ask(10_000, 1, say(2, "again")), Err(ChatRefusal::TimedOut { wait_ms: 50_000 }));
    assert_eq!(bench.home.transcript.messages().count(), 1);
    assert!(bench.ask(60_000, 1, say(3, "again")).is_ok());
    bench.moderate(60_000, restrain(1, Restraint::Ban)).unwrap();
    let log = bench.flush(61_000);
    let snapshot = bench.home.snapshot(at(62_000)).unwrap();
    let mut next = Bench::with(Home::open(at(63_000), EPOCH + 1, Some(snapshot), &log));
    next.number = bench.number;
    assert_eq!(next.ask(64_000, 1, say(4, "a new home")), Err(ChatRefusal::Banned));
    next.moderate(65_000, restrain(1, Restraint::Lift)).unwrap();
    assert!(next.ask(66_000, 1, say(5, "thank you")).is_ok());
}

#[test]
fn forbidden_words_are_found_behind_their_disguise() {
    let mut bench = Bench::new();
    bench.moderate(0, Ask::SetWords { words: vec!["spoiler*".to_owned()] }).unwrap();
    assert_eq!(bench.ask(0, 1, say(1, "a SP0ILER")), Err(ChatRefusal::Filtered { rule: FilterRule::Words }));
    assert!(bench.ask(0, 1, say(2, "a goal")).is_ok());
    assert!(bench.moderate(0, say(3, "no spoilers please")).is_ok());
}

#[test]
fn texts_have_a_length_and_no_control_characters() {
    let mut bench = Bench::new();
    assert_eq!(bench.ask(0, 1, say(1, &"x".repeat(CHAT_TEXT_MAX + 1))), Err(ChatRefusal::TooLong));
    assert_eq!(bench.ask(0, 1, say(2, "\u{7}\n ")), Err(ChatRefusal::Empty));
    let id = bench.said(0, 1, 3, " a\u{0}b\n");
    assert_eq!(bench.home.transcript.get(id).unwrap().text, "ab");
    let many = Ask::Say {
        nonce: 4,
        text: "@all".to_owned(),
        reply_to: None,
        mentions: vec![user(1); CHAT_MENTIONS_MAX + 1],
        media_time_ms: None,
        found: None,
    };
    assert_eq!(bench.ask(0, 1, many), Err(ChatRefusal::TooManyMentions));
}

#[test]
fn a_flood_is_sampled_and_the_lanes_are_not() {
    let mut bench = Bench::new();
    bench.home.handle_batch(at(0), InBatch { interests: Some(vec![user(3_000_042)]), ..batch(2, 1, Vec::new()) });
    let (mut log, mut asked, mut from_moderators, mut addressed, mut friends) = (Vec::new(), 0, 0, 0, 0);
    // 2000 different people a second for five seconds.
    for ms in 0..5000_u64 {
        for lane in 0..2 {
            asked += 1;
            bench.said(ms, 1_000_000 + 2 * ms + lane, 1, &format!("message {ms} of the flood, number {lane}"));
        }
        if ms % 100 == 0 {
            from_moderators += 1;
            bench.moderate(ms, say(ms, "please be kind")).unwrap();
            addressed += 1;
            let to = Ask::Say {
                nonce: ms,
                text: "you there".to_owned(),
                reply_to: None,
                mentions: vec![user(5)],
                media_time_ms: None,
                found: None,
            };
            bench.ask(ms, 2_000_000 + ms, to).unwrap();
        }
        if ms % 1500 == 0 {
            friends += 1;
            bench.ask(ms, 3_000_042, say(ms, "a friend of somebody")).unwrap();
        }
        log.extend(bench.flush(ms));
    }
    log.extend(bench.flush(6000));
    let after = |logged: &&Logged| logged.id.seq > 8400;
    let visible = |cohort: u8| {
        log.iter().filter(after).filter(|logged| matches!(logged.reach, Reach::Cohorts(cohorts) if cohorts & 1 << cohort != 0)).count()
    };
    for cohort in 0..4 {
        // The last second or less.
        assert!((1..=25).contains(&visible(cohort)), "cohort {cohort} sees {}", visible(cohort));
    }
    let count = |wanted: &dyn Fn(&ChatMessage) -> bool| {
        log.iter().filter(|logged| matches!(&logged.event, ChatEvent::Said { message } if wanted(message))).count()
    };
    assert_eq!(count(&|message| message.author.role == ChatRole::Moderator), from_moderators);
    assert_eq!(count(&|message| message.mentions == [user(5)]), addressed);
    assert_eq!(count(&|message| message.author.id == user(3_000_042)), friends);
    assert!(log.len() < asked / 2, "{} of {asked} travel", log.len());
}

#[test]
fn a_batch_that_nobody_could_read_is_sampled_before_it_is_known_for_a_flood() {
    let mut bench = Bench::new();
    for who in 0..1_000 {
        bench.said(0, 1_000_000 + who, 1, &format!("message {who} of the flood"));
    }
    let log = bench.flush(100);
    let for_all = log.iter().filter(|logged| !matches!(logged.reach, Reach::Cohorts(cohorts) if cohorts != ALL_COHORTS));
    assert!(log.len() < 1_000 && for_all.count() < 100, "{} of 1000 travel", log.len());
}

#[test]
fn what_is_on_screens_can_be_answered_and_deleted_however_much_nobody_is_shown() {
    let mut bench = Bench::new();
    let (mut log, mut who) = (Vec::new(), 1_000_000);
    // 10,000 different people a second for four seconds.
    for ms in 0..4000_u64 {
        for _ in 0..10 {
            who += 1;
            bench.said(ms, who, 1, &format!("message {who} of the flood"));
        }
        log.extend(bench.flush(ms));
    }
    let is_sampled = |logged: &&Logged| matches!(logged.reach, Reach::Cohorts(cohorts) if cohorts != ALL_COHORTS && cohorts != 0);
    let shown = log.iter().find(is_sampled).expect("somebody was shown it").id;
    let answer =
        Ask::Say { nonce: 9, text: "so it is".to_owned(), reply_to: Some(shown), mentions: Vec::new(), media_time_ms: None, found: None };
    assert!(bench.ask(4001, 7, answer).is_ok(), "said more than a second and ten thousand messages ago");
    assert_eq!(bench.moderate(4002, Ask::Delete { message: shown, note: None }), Ok(None));
    bench.flush(4500);
    assert!(bench.home.transcript.messages().count() <= CHAT_LOG_KEPT, "bounded all the same");
}

#[test]
fn viewers_are_counted_over_nodes_and_a_heartbeat_repeats_what_matters() {
    let mut bench = Bench::new();
    let whole = |users: &[u64]| Some(Report { is_whole: true, came: users.iter().copied().map(user).collect(), went: Vec::new() });
    bench.home.handle_batch(at(0), InBatch { people: whole(&[1, 2]), ..batch(1, 1, Vec::new()) });
    bench.home.handle_batch(
        at(0),
        InBatch { people: whole(&[2, 3]), taps: Taps(vec![(Bucket(1), ReactionKind::Clap, 2)]), ..batch(2, 1, Vec::new()) },
    );
    let change = Report { is_whole: false, came: vec![user(4)], went: Vec::new() };
    bench.home.handle_batch(at(0), InBatch { people: Some(change), ..batch(3, 1, Vec::new()) });
    let first = bench.home.poll(at(10)).unwrap().out;
    assert_eq!(first.viewers.map(|viewers| viewers.count), Some(3));
    assert_eq!(first.recount, [node(3)], "the home knows nothing of this node");
    let beat = bench.home.poll(at(1010)).unwrap().out;
    assert_eq!((beat.viewers, beat.reactions.len()), (first.viewers, 1));
    bench.home.handle_nodes(&[node(2)]);
    let later = std::iter::from_fn(|| bench.home.poll(at(4000))).last().unwrap().out;
    assert_eq!(later.viewers.map(|viewers| (viewers.count, viewers.peak)), Some((2, 3)));
}

#[test]
fn what_moderators_do_is_noted_with_whom_and_why_and_saved_at_once() {
    let mut bench = Bench::new();
    let bad = bench.said(0, 1, 1, "something bad");
    let own = bench.said(0, 2, 1, "a slip");
    bench.ask(0, 2, Ask::Delete { message: own, note: Some("mine".to_owned()) }).unwrap();
    assert!(bench.home.deeds.is_empty(), "one's own message is one's own business");
    let note = |text: &str| Some(text.to_owned());
    bench.moderate(0, Ask::Delete { message: bad, note: note(" rude \n") }).unwrap();
    bench.said(5000, 1, 2, "something worse");
    let time_out = Restraint::TimeOut { seconds: u32::MAX };
    bench.moderate(5000, Ask::Restrain { user: user(1), restraint: time_out, note: note("") }).unwrap();
    bench.moderate(5000, Ask::Restrain { user: user(77), restraint: Restraint::Ban, note: None }).unwrap();
    bench.moderate(5000, Ask::SetModes { modes: ChatModes::default() }).unwrap();
    let too_long = Ask::Restrain { user: user(1), restraint: Restraint::Ban, note: Some("x".repeat(CHAT_NOTE_MAX + 1)) };
    assert_eq!(bench.moderate(5000, too_long), Err(ChatRefusal::NoteTooLong));
    assert_eq!(bench.ask(5000, 2, Ask::SetModes { modes: ChatModes::default() }), Err(ChatRefusal::NotModerator));
    bench.flush(6000);
    let deeds: Vec<Deed> = bench.flushes.iter().flat_map(|flush| flush.deeds.clone()).collect();
    let told: Vec<_> = deeds
        .iter()
        .map(|deed| {
            let on = deed.on.as_ref().map(|on| (on.id, on.name.as_str()));
            (deed.action, on, deed.message.as_deref(), deed.seconds, deed.note.as_deref())
        })
        .collect();
    let one = Some((user(1), "User 1"));
    assert_eq!(
        told,
        [
            (ModeratorAction::Delete, one, Some("something bad"), None, Some("rude")),
            (ModeratorAction::TimeOut, one, Some("something worse"), Some(CHAT_TIME_OUT_MAX_S), None),
            (ModeratorAction::Ban, Some((user(77), "")), None, None, None),
            (ModeratorAction::Modes, None, None, None, None),
        ]
    );
    assert!(deeds.iter().all(|deed| deed.by == NamedUser { id: user(900), name: "User 900".to_owned() }));
    // Not yet time for a snapshot, but for this.
    let urgent = bench.home.snapshot(at(6000)).expect("it is urgent");
    assert!(urgent.is_urgent);
    bench.home.handle_unsaved(&urgent);
    assert!(bench.home.snapshot(at(6001)).is_none(), "a bus that has just failed is not asked at once");
    assert!(bench.home.snapshot(at(7500)).expect("it is due again").is_urgent, "and the archive has not seen it yet");
    bench.said(7501, 3, 1, "hello");
    assert!(bench.home.snapshot(at(7501)).is_none());
    bench.flush(9000);
    assert!(!bench.home.snapshot(at(9000)).expect("it is due").is_urgent);
}

#[test]
fn no_snapshot_covers_what_is_not_logged_yet() {
    let mut bench = Bench::new();
    bench.flush(100);
    bench.moderate(5000, Ask::Restrain { user: user(1), restraint: Restraint::Ban, note: None }).expect("moderators ban");
    assert!(bench.home.snapshot(at(5000)).is_none(), "the next home would take the ban for told");
    assert_eq!(bench.flush(5200).len(), 1);
    assert!(bench.home.snapshot(at(5200)).expect("it is urgent").is_urgent);
}

#[test]
fn a_report_carries_the_message_as_it_is_and_costs_as_much_as_one() {
    let mut bench = Bench::new();
    let bad = bench.said(0, 1, 1, "something bad");
    let report = |message| Ask::Report { message, reason: ReportReason::Abuse, note: Some("look".to_owned()) };
    assert_eq!(bench.ask(0, 2, report(bad)), Ok(None));
    assert_eq!(bench.ask(0, 2, report(LogId { epoch: 1, seq: 1 })), Err(ChatRefusal::NoMessage));
    for _ in 0..4 {
        bench.ask(0, 2, report(bad)).unwrap();
    }
    assert!(matches!(bench.ask(0, 2, report(bad)), Err(ChatRefusal::Slow { .. })));
    bench.flush(1000);
    let complaints: Vec<Complaint> = bench.flushes.iter().flat_map(|flush| flush.complaints.clone()).collect();
    assert_eq!(complaints.len(), 5);
    assert_eq!(
        (complaints[0].message.text.as_str(), complaints[0].report.by.id, complaints[0].report.reason),
        ("something bad", user(2), ReportReason::Abuse)
    );
}

fn found(nonce: u64, text: &str, rule: FilterRule) -> Ask {
    Ask::Say { nonce, text: text.to_owned(), reply_to: None, mentions: Vec::new(), media_time_ms: Some(5.0), found: Some(rule) }
}

fn review(bench: &mut Bench, ms: u64) {
    bench.moderate(ms, Ask::SetModes { modes: ChatModes { review: true, ..ChatModes::default() } }).unwrap();
}

#[test]
fn what_the_filter_finds_waits_and_is_said_at_its_approval_in_its_authors_name() {
    let mut bench = Bench::new();
    let links = Err(ChatRefusal::Filtered { rule: FilterRule::Links });
    assert_eq!(bench.ask(0, 1, found(1, "see tickets.example", FilterRule::Links)), links, "nobody is asked to look");
    review(&mut bench, 0);
    for _ in 0..2 {
        assert_eq!(
            bench.ask(100, 1, found(2, "see tickets.example", FilterRule::Links)),
            Err(ChatRefusal::Held),
            "once, however often it is sent"
        );
    }
    let meanwhile = bench.said(200, 2, 1, "meanwhile");
    assert_eq!(bench.flush(1300).len(), 2, "the modes, and what was said meanwhile");
    let told = bench.flushes.iter().rev().find_map(|flush| flush.out.held.clone()).unwrap();
    assert_eq!((told.len(), told[0].message.rule, told[0].ruled), (1, FilterRule::Links, None));
    let held = told[0].message.id;
    let verdict = |verdict| Ask::Review { held, verdict, note: None };
    assert_eq!(bench.ask(1400, 2, verdict(Verdict::Approve)), Err(ChatRefusal::NotModerator));
    bench.moderate(1400, verdict(Verdict::Approve)).unwrap();
    let log = bench.flush(1500);
    let [Logged { id, event: ChatEvent::Said { message }, reach: Reach::Everyone, nonce: Some(2) }] = &log[..] else { panic!("{log:?}") };
    assert!(*id > meanwhile && *id != held);
    assert_eq!((message.author.id, message.text.as_str(), message.media_time_ms), (user(1), "see tickets.example", Some(5.0)));
    let flush = bench.flushes.last().unwrap();
    assert_eq!(flush.out.held.as_ref().unwrap()[0].ruled.map(|(ruling, _)| ruling), Some(Ruling::Approved), "told together with it");
    assert_eq!((flush.deeds[0].action, flush.deeds[0].message.as_deref()), (ModeratorAction::Approve, Some("see tickets.example")));
    assert_eq!(bench.moderate(1600, verdict(Verdict::Refuse)), Err(ChatRefusal::NoMessage), "decided");
    assert_eq!(bench.ask(1700, 1, found(2, "see tickets.example", FilterRule::Links)), Ok(Some(*id)), "recognised");
}

#[test]
fn words_of_the_list_wait_too_and_a_refused_one_is_never_said() {
    let mut bench = Bench::new();
    review(&mut bench, 0);
    bench.moderate(0, Ask::SetWords { words: vec!["spoiler*".to_owned()] }).unwrap();
    assert_eq!(bench.ask(10, 1, say(1, "a spoiler")), Err(ChatRefusal::Held));
    assert_eq!(bench.moderate(10, say(1, "no spoilers please")).map(|id| id.is_some()), Ok(true), "moderators say anything");
    let held = bench.home.held.entries()[0].message.id;
    bench.moderate(20, Ask::Review { held, verdict: Verdict::Refuse, note: Some("spoils".to_owned()) }).unwrap();
    let log = bench.flush(1200);
    let said = log.iter().filter(|logged| matches!(logged.event, ChatEvent::Said { .. })).count();
    assert_eq!(said, 1);
    let again = bench.ask(1250, 1, say(1, "a spoiler"));
    assert_eq!(again, Err(ChatRefusal::Filtered { rule: FilterRule::Words }), "who was away asks again, and nobody looks at it any more");
    let id = bench.said(1300, 1, 2, "fine words");
    assert_eq!(
        bench.ask(1400, 1, Ask::Edit { message: id, text: "spoiler".to_owned() }),
        Err(ChatRefusal::Filtered { rule: FilterRule::Words }),
        "what is said already is not taken back to wait"
    );
}

#[test]
fn what_waits_outlives_its_home_and_not_its_authors_ban() {
    let mut bench = Bench::new();
    review(&mut bench, 0);
    for who in [1, 2] {
        assert_eq!(bench.ask(10, who, found(1, "look", FilterRule::Language)), Err(ChatRefusal::Held));
    }
    let log = bench.flush(1200);
    let snapshot = bench.home.snapshot(at(1300)).unwrap();
    let kept: Snapshot = serde_json::from_str(&serde_json::to_string(&snapshot).unwrap()).unwrap();
    let mut next = Bench { home: Home::open(at(9000), EPOCH + 1, Some(kept), &log), number: bench.number, flushes: Vec::new() };
    assert_eq!(next.ask(9001, 1, found(1, "look", FilterRule::Language)), Err(ChatRefusal::Held), "it waits already");
    next.moderate(9002, Ask::Restrain { user: user(1), restraint: Restraint::Ban, note: None }).unwrap();
    let waiting: Vec<UserId> =
        next.home.held.entries().iter().filter(|entry| entry.ruled.is_none()).map(|entry| entry.message.author.id).collect();
    assert_eq!(waiting, [user(2)]);
    next.flush(9500);
    let desk = &next.flushes.last().unwrap().out.desk;
    assert!(matches!(&desk[..], [DeskEvent::Restrained { restrained }] if restrained.until_ms.is_none()), "{desk:?}");
}

#[test]
fn moderators_are_told_of_reports_as_they_come() {
    let mut bench = Bench::new();
    let id = bench.said(0, 1, 1, "you are all fools");
    bench.ask(100, 2, Ask::Report { message: id, reason: ReportReason::Abuse, note: Some("again".to_owned()) }).unwrap();
    bench.flush(300);
    let flush = bench.flushes.last().unwrap();
    let [DeskEvent::Reported { message, report }] = &flush.out.desk[..] else { panic!("{:?}", flush.out.desk) };
    assert_eq!((message.id, report.by.id, report.reason, report.note.as_deref()), (id, user(2), ReportReason::Abuse, Some("again")));
    assert_eq!(flush.complaints.len(), 1);
}
