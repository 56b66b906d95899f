//! A node's side on virtual time: batches, frames, gaps and who is shown what.

use super::*;
use crate::social::chat::{ChatRole, HeldEntry, Ruling};
use crate::social::room::home::Home;
use crate::social::room::test_support::{EPOCH, START, at, author, held, message, node, say, user};

fn outputs(edge: &mut Edge) -> Vec<EdgeOutput> {
    std::iter::from_fn(|| edge.poll_output()).collect()
}

fn batches(edge: &mut Edge) -> Vec<InBatch> {
    let published = |output| match output {
        EdgeOutput::Publish(batch) => Some(batch),
        _ => None,
    };
    outputs(edge).into_iter().filter_map(published).collect()
}

fn edge_with(seats: &[(u64, u64)]) -> Edge {
    let mut edge = Edge::open(node(1), None, &[]);
    for &(seat, who) in seats {
        edge.enter(SeatId(seat), user(who), Sight::default());
    }
    edge
}

fn out(previous: u64, events: Vec<Logged>) -> OutBatch {
    let previous = if previous == 0 { LogId::default() } else { LogId { epoch: EPOCH, seq: previous } };
    OutBatch {
        epoch: EPOCH,
        previous,
        events,
        hidden: 0,
        answers: Vec::new(),
        safe: Vec::new(),
        reactions: Vec::new(),
        viewers: None,
        watchers: None,
        recount: Vec::new(),
        held: None,
        desk: Vec::new(),
        reactions_at_ms: None,
    }
}

fn said(seq: u64, by: u64, reach: Reach) -> Logged {
    let message = message(seq, by, &format!("message {seq}"));
    Logged { id: message.id, event: ChatEvent::Said { message }, reach, nonce: Some(seq) }
}

const ALL: Reach = Reach::Cohorts(ALL_COHORTS);

fn seqs(frame: &ChatFrame) -> Vec<u64> {
    let seq = |event: &ChatEvent| match event {
        ChatEvent::Said { message } => message.id.seq,
        other => panic!("{other:?}"),
    };
    frame.events.iter().map(seq).collect()
}

#[test]
fn what_is_said_within_fifty_milliseconds_is_one_batch() {
    let mut edge = edge_with(&[(1, 1)]);
    edge.handle_timeout(at(0));
    assert_eq!(batches(&mut edge).len(), 1, "who came");
    for ms in 1..50 {
        edge.ask(at(ms), SeatId(1), 1, author(1, ChatRole::Viewer), Standing::default(), say(ms, "x"));
        edge.handle_timeout(at(ms));
    }
    assert_eq!(batches(&mut edge), []);
    assert_eq!(edge.wake_at(), Some(at(50)));
    edge.handle_timeout(at(50));
    let sent = batches(&mut edge);
    assert_eq!((sent.len(), sent[0].number, sent[0].requests.len()), (1, 2, 49));
}

#[test]
fn a_batch_is_sent_again_until_it_is_safe() {
    let mut edge = edge_with(&[(1, 1)]);
    edge.handle_timeout(at(0));
    edge.tap(at(100), ReactionKind::Heart, 3, None);
    edge.handle_timeout(at(100));
    assert_eq!(batches(&mut edge).len(), 2);
    edge.handle_timeout(START.after(CHAT_RESEND_AFTER));
    assert_eq!(batches(&mut edge).iter().map(|batch| (batch.number, batch.oldest)).collect::<Vec<_>>(), [(1, 1), (2, 1)]);
    edge.handle_out(at(3000), OutBatch { safe: vec![(node(2), 9), (node(1), 1)], ..out(0, Vec::new()) });
    // The first word of a home: everything again, and who is here.
    assert_eq!(batches(&mut edge).iter().map(|batch| batch.number).collect::<Vec<_>>(), [1, 2]);
    edge.handle_timeout(at(3050));
    assert!(batches(&mut edge).iter().any(|batch| batch.people.as_ref().is_some_and(|people| people.is_whole)));
    edge.handle_timeout(START.after(2 * CHAT_RESEND_AFTER));
    edge.handle_timeout(at(6000));
    let again = batches(&mut edge);
    assert!(again.iter().all(|batch| batch.number > 1 && batch.oldest == 2), "{again:?}");
}

#[test]
fn a_frame_is_one_for_all_while_nothing_is_sampled() {
    let mut edge = edge_with(&[(1, 1), (2, 2)]);
    edge.handle_out(at(0), out(0, vec![said(1, 5, ALL), said(2, 6, Reach::Everyone)]));
    let frames = outputs(&mut edge);
    let [EdgeOutput::Frame(Frames::Same(frame))] = frames.as_slice() else { panic!("{frames:?}") };
    assert_eq!(seqs(frame), [1, 2]);
    edge.handle_out(at(1000), out(2, Vec::new()));
    assert_eq!(outputs(&mut edge), [], "a heartbeat says nothing");
}

#[test]
fn nobody_misses_what_concerns_them_and_nobody_is_told_twice() {
    // Seats 0, 1, 2 are in cohorts 0, 1, 2; user 20 is a friend of the one on seat 2.
    let mut edge = edge_with(&[(0, 10), (1, 11)]);
    edge.enter(SeatId(2), user(12), Sight::new(vec![user(20)], Vec::new()));
    let mut to_11 = said(2, 30, Reach::Cohorts(0b0001));
    let mut reply_to_10 = said(3, 31, Reach::Cohorts(0));
    if let (ChatEvent::Said { message: mention }, ChatEvent::Said { message: reply }) = (&mut to_11.event, &mut reply_to_10.event) {
        mention.mentions = vec![user(11)];
        reply.reply_to =
            Some(crate::social::chat::ReplyTo { id: LogId::default(), author: user(10), name: String::new(), excerpt: String::new() });
    }
    let events =
        vec![said(1, 20, Reach::Cohorts(0b0010)), to_11, reply_to_10, said(4, 12, Reach::Cohorts(0)), said(5, 40, Reach::Everyone)];
    edge.handle_out(at(0), out(0, events));
    let mut shown: HashMap<u64, Vec<u64>> = HashMap::new();
    for output in outputs(&mut edge) {
        match output {
            EdgeOutput::Personal { seat, frame } => shown.entry(seat.0).or_default().extend(seqs(&frame)),
            EdgeOutput::Frame(Frames::Sampled { cohorts, all }) => {
                for seat in 0..3 {
                    shown.entry(seat).or_default().extend(seqs(&cohorts[seat as usize]));
                }
                assert_eq!(seqs(&all), [1, 2, 5]);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(shown[&0], [3, 2, 5], "the reply to them, and their cohort");
    assert_eq!(shown[&1], [2, 1, 5], "addressed, and their cohort");
    assert_eq!(shown[&2], [1, 4, 5], "their friend, and their own");
}

#[test]
fn a_gap_is_read_from_the_log_and_nothing_is_told_twice() {
    let mut edge = edge_with(&[(1, 1)]);
    edge.handle_out(at(0), out(0, vec![said(1, 5, ALL)]));
    outputs(&mut edge);
    edge.handle_out(at(100), out(3, vec![said(4, 5, ALL)]));
    edge.handle_out(at(200), out(4, vec![said(5, 5, ALL)]));
    assert_eq!(outputs(&mut edge), [EdgeOutput::ReadLog { after: LogId { epoch: EPOCH, seq: 1 } }]);
    edge.handle_log((2..=5).map(|seq| said(seq, 5, ALL)).collect());
    let frames = outputs(&mut edge);
    let shown: Vec<u64> = frames
        .iter()
        .flat_map(|output| match output {
            EdgeOutput::Frame(Frames::Same(frame)) => seqs(frame),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(shown, [2, 3, 4, 5]);
    // The log has forgotten: what is there goes on.
    edge.handle_out(at(300), out(90, vec![said(91, 5, ALL)]));
    edge.handle_log(Vec::new());
    edge.handle_out(at(400), out(91, vec![said(92, 5, ALL)]));
    assert_eq!(outputs(&mut edge).len(), 3, "one question, two frames");
}

#[test]
fn an_old_home_is_not_listened_to() {
    let mut edge = edge_with(&[(1, 1)]);
    edge.handle_out(at(0), OutBatch { epoch: EPOCH + 1, ..out(0, Vec::new()) });
    edge.handle_out(at(1), out(0, vec![said(1, 5, ALL)]));
    assert!(!outputs(&mut edge).iter().any(|output| matches!(output, EdgeOutput::Frame(_))));
}

#[test]
fn an_answer_finds_its_seat_and_silence_is_an_answer_too() {
    let mut edge = edge_with(&[(1, 1), (2, 2)]);
    edge.ask(at(0), SeatId(1), 71, author(1, ChatRole::Viewer), Standing::default(), say(1, "x"));
    edge.ask(at(0), SeatId(2), 72, author(2, ChatRole::Viewer), Standing::default(), say(1, "y"));
    let id = LogId { epoch: EPOCH, seq: 1 };
    edge.handle_out(at(10), OutBatch { answers: vec![(node(9), 2, Ok(None)), (node(1), 1, Ok(Some(id)))], ..out(0, Vec::new()) });
    assert_eq!(outputs(&mut edge), [EdgeOutput::Answered { seat: SeatId(1), id: 71, answer: Ok(Some(id)) }]);
    edge.handle_timeout(START.after(CHAT_ANSWER_MAX));
    let unavailable = EdgeOutput::Answered { seat: SeatId(2), id: 72, answer: Err(ChatRefusal::Unavailable) };
    assert!(outputs(&mut edge).contains(&unavailable));
}

#[test]
fn who_comes_back_is_told_what_they_missed_and_whether_that_is_all() {
    let mut edge = edge_with(&[(1, 1)]);
    edge.handle_out(at(0), out(0, (1..=20).map(|seq| said(seq, 5, ALL)).collect()));
    let history = edge.history(user(1), &Hidden::new(), Some(LogId { epoch: EPOCH, seq: 15 }));
    assert_eq!(history.messages.iter().map(|message| message.id.seq).collect::<Vec<_>>(), [16, 17, 18, 19, 20]);
    assert!(!history.gap);
    assert_eq!(edge.history(user(1), &Hidden::new(), None).messages.len(), 20);
    edge.handle_out(at(0), out(20, (21..=2000).map(|seq| said(seq, 5, ALL)).collect()));
    let history = edge.history(user(1), &Hidden::new(), Some(LogId { epoch: EPOCH, seq: 15 }));
    assert_eq!((history.messages.len(), history.messages[0].id.seq, history.gap), (CHAT_REPLAYED_MAX, 1501, true));
}

#[test]
fn a_lossy_bus_and_a_change_of_homes_lose_nothing_and_count_nothing_twice() {
    // Every third message between the two is lost; after two seconds another home takes over from what was saved and logged.
    let mut edge = edge_with(&[(1, 1)]);
    let mut home = Home::open(START, EPOCH, None, &[]);
    let (mut log, mut saved, mut sent, mut shown, mut answered, mut tapped) = (Vec::new(), None, 0_u64, Vec::new(), 0, 0);
    for ms in 0..20_000_u64 {
        let now = at(ms);
        if ms == 2000 {
            home = Home::open(now, EPOCH + 1, saved.clone(), &log);
        }
        if ms % 50 == 0 && ms < 10_000 {
            edge.ask(now, SeatId(1), ms as u32, author(1000 + ms, ChatRole::Viewer), Standing::default(), say(ms, &format!("text {ms}")));
            edge.tap(now, ReactionKind::Clap, 7, None);
            tapped += 7;
        }
        edge.handle_timeout(now);
        for output in outputs(&mut edge) {
            match output {
                EdgeOutput::Publish(batch) => {
                    sent += 1;
                    if sent % 3 != 0 {
                        home.handle_batch(now, batch);
                    }
                }
                EdgeOutput::Frame(Frames::Same(frame)) => shown.extend(seqs_of_said(&frame)),
                EdgeOutput::Frame(Frames::Sampled { .. }) | EdgeOutput::Personal { .. } => panic!("nothing is sampled here"),
                EdgeOutput::Answered { answer, .. } => {
                    answer.unwrap();
                    answered += 1;
                }
                // Nobody watches whom the registry has not named.
                EdgeOutput::Watched(count) => assert_eq!(count.peak, 0),
                EdgeOutput::ReadLog { after } => edge.handle_log(log.iter().filter(|logged| logged.id > after).cloned().collect()),
            }
        }
        while let Some(flush) = home.poll(now) {
            log.extend(flush.log);
            sent += 1;
            // Answers are told once: those of a lost batch time out. Here nothing that carries answers is lost.
            if sent % 3 != 0 || !flush.out.answers.is_empty() {
                edge.handle_out(now, flush.out);
            }
        }
        if let Some(snapshot) = home.snapshot(now) {
            home.handle_saved(&snapshot);
            saved = Some(snapshot);
        }
    }
    assert_eq!(answered, 200);
    assert_eq!(shown.len(), 200);
    assert!(shown.is_sorted_by(|a, b| a < b), "in order and each once");
    let claps = edge.history(user(1), &Hidden::new(), None).reactions;
    assert_eq!(claps, [ReactionCount { kind: ReactionKind::Clap, count: tapped }]);
}

fn seqs_of_said(frame: &ChatFrame) -> Vec<MessageId> {
    let id = |event: &ChatEvent| match event {
        ChatEvent::Said { message } => Some(message.id),
        _ => None,
    };
    frame.events.iter().filter_map(id).collect()
}

#[test]
fn ties_that_change_come_into_force_in_the_chat_and_moderators_see_everybody() {
    let mut edge = edge_with(&[(0, 10)]);
    edge.enter(SeatId(1), user(10), Sight::default().of_everybody());
    let related = edge.relate(user(10), &Sight::new(vec![user(20)], vec![user(30)]));
    let hidden: Vec<_> = related.iter().map(|(seat, hidden)| (seat.0, hidden.contains(&user(30)))).collect();
    assert_eq!(hidden, [(0, true), (1, false)]);
    let mut from_30 = said(1, 30, Reach::Cohorts(0));
    if let ChatEvent::Said { message } = &mut from_30.event {
        message.mentions = vec![user(10)];
    }
    edge.handle_out(at(0), out(0, vec![from_30, said(2, 20, Reach::Cohorts(0))]));
    let personal: Vec<_> = outputs(&mut edge)
        .into_iter()
        .filter_map(|output| match output {
            EdgeOutput::Personal { seat, frame } => Some((seat.0, seqs(&frame))),
            _ => None,
        })
        .collect();
    assert_eq!(personal, [(1, vec![1]), (0, vec![2]), (1, vec![2])]);
    edge.leave(SeatId(0));
    edge.leave(SeatId(1));
    assert!(edge.fans.is_empty() && !edge.has(user(10)));
    assert_eq!(edge.relate(user(10), &Sight::default()), []);
}

#[test]
fn what_waits_is_shown_to_moderators_and_its_author_hears_what_becomes_of_it() {
    let mut edge = edge_with(&[(1, 1), (2, 2)]);
    edge.enter(SeatId(3), user(3), Sight::default().of_everybody());
    let told = |ruled| OutBatch { held: Some(vec![HeldEntry { message: held(7, 1), ruled }]), ..out(0, Vec::new()) };
    let desk = |output: EdgeOutput| match output {
        EdgeOutput::Personal { seat, frame } => (seat.0, frame.desk),
        other => panic!("{other:?}"),
    };
    edge.handle_out(at(0), told(None));
    let shown: Vec<_> = outputs(&mut edge).into_iter().map(desk).collect();
    assert_eq!(shown, [(3, vec![DeskEvent::Held { message: held(7, 1) }])]);
    let waiting = |who| edge.history(user(who), &Hidden::default(), None).held.len();
    assert_eq!([1, 2, 3].map(waiting), [1, 0, 1]);
    edge.handle_out(at(100), told(Some((Ruling::Refused, at(50)))));
    let ruled = DeskEvent::Ruled { held: held(7, 1).id, nonce: 7, ruling: Ruling::Refused };
    let shown: Vec<_> = outputs(&mut edge).into_iter().map(desk).collect();
    assert_eq!(shown, [(1, vec![ruled.clone()]), (3, vec![ruled])]);
    edge.handle_desk(vec![DeskEvent::Resolved { message: held(7, 1).id }]);
    assert_eq!(outputs(&mut edge).into_iter().map(desk).map(|(seat, _)| seat).collect::<Vec<_>>(), [3]);
}

#[test]
fn moderators_read_their_lists_again_after_something_was_missed() {
    let mut edge = edge_with(&[(1, 1)]);
    edge.enter(SeatId(3), user(3), Sight::default().of_everybody());
    edge.handle_missed();
    outputs(&mut edge);
    edge.handle_log(Vec::new());
    let frame = ChatFrame { desk: vec![DeskEvent::Missed], ..ChatFrame::default() };
    assert_eq!(outputs(&mut edge), [EdgeOutput::Personal { seat: SeatId(3), frame }]);
}
