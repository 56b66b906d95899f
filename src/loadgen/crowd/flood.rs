//! A flood: everybody speaks, far more than anybody reads, so that each viewer is shown a few. Whether what is never left out arrives all the
//! same, how late, and whether the server's memory stays as it is.
//!
//! Broadcaster and moderator speak to everybody; friends, those who mention somebody and those who reply are heard by one person each, and say
//! no more than a person may. All others are the flood: what is more than a person may say is refused by the chat, and costs it something.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rand::Rng as _;
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use super::super::clock;
use super::fanout::until;
use super::ledger::{Ears, Fate, Lane, Ledger, Pending, Totals};
use super::options::CrowdOptions;
use super::people::cast;
use super::run::{Aimed, Place, Spent, gated, open_all, plain};
use super::spoken::{MARK, mark_of, marked, words};
use super::spread::growth;
use super::wire::{Frame, Member};
use crate::limits::{
    CROWD_ADDRESSING, CROWD_DRAIN, CROWD_FLOOD_WARMING, CROWD_LEADER_PAUSE, CROWD_PENDING_MAX, CROWD_PING_INTERVAL, CROWD_SPEAKER_PAUSE,
};

/// The issue's aim for what is never left out, ms.
const LANE_P99_AIM_MS: f64 = 400.0;
/// What memory may grow by in a run that is long enough to tell, MiB.
const GROWTH_AIM_MIB: f64 = 8.0;
const FLAT_AFTER: Duration = Duration::from_secs(600);

/// What a member does.
#[derive(Debug, Clone, Copy)]
enum Part {
    Speaks(Lane, Option<usize>),
    Floods,
}

/// What all members share.
struct Stage {
    ledger: Mutex<Ledger>,
    /// Where somebody sits.
    seats: HashMap<String, usize>,
    users: Vec<String>,
    characters: usize,
}

impl Stage {
    fn with<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut self.ledger.lock().expect("nothing panics while it holds the ledger"))
    }
}

#[expect(clippy::disallowed_methods, reason = "the load generator measures real time")]
pub(super) async fn measure(place: &Place, options: &CrowdOptions) -> anyhow::Result<(Vec<Aimed>, String)> {
    ensure!(options.messages_per_s > 0.0, "a flood says something");
    let cast = cast(place).await?;
    let mut tokens = vec![cast.broadcaster, cast.moderator];
    let mut parts = vec![Part::Speaks(Lane::Broadcaster, None), Part::Speaks(Lane::Moderator, None)];
    for (one, other) in cast.friends {
        let at = tokens.len();
        tokens.extend([one, other]);
        parts.extend([Part::Speaks(Lane::Friend, Some(at + 1)), Part::Speaks(Lane::Friend, Some(at))]);
    }
    for lane in [Lane::Mention, Lane::Reply] {
        parts.extend(std::iter::repeat_n(Part::Speaks(lane, None), CROWD_ADDRESSING));
    }
    ensure!(options.sockets > parts.len(), "a flood needs more than {} sockets", parts.len());
    let flooding = options.sockets - parts.len();
    parts.resize(options.sockets, Part::Floods);
    // The broadcaster alone first: whoever is the first makes the room.
    let members = open_all(place, options.sockets, false, tokens).await?;
    let stage = Arc::new(Stage {
        ledger: Mutex::default(),
        seats: members.iter().enumerate().map(|(index, member)| (member.user.clone(), index)).collect(),
        users: members.iter().map(|member| member.user.clone()).collect(),
        characters: options.characters,
    });
    let flood_pause = Duration::from_secs_f64(flooding as f64 / options.messages_per_s);
    let length = Duration::from_secs(options.seconds);
    let ends_at = clock::now() + CROWD_FLOOD_WARMING + length;
    let mut tasks = JoinSet::new();
    for (index, (member, part)) in members.into_iter().zip(parts).enumerate() {
        let pause = match part {
            Part::Floods => flood_pause,
            Part::Speaks(Lane::Broadcaster | Lane::Moderator, _) => CROWD_LEADER_PAUSE,
            Part::Speaks(Lane::Friend | Lane::Mention | Lane::Reply, _) => CROWD_SPEAKER_PAUSE,
        };
        let speaking = Speaking { index, part, pause, at: clock::now() + pause.mul_f64(rand::rng().random()), ends_at };
        let stage = Arc::clone(&stage);
        tasks.spawn(async move {
            if let Err(error) = take_part(member, &stage, speaking).await {
                stage.with(|ledger| ledger.broke(format!("{error:#}")));
            }
        });
    }
    sleep(CROWD_FLOOD_WARMING).await;
    stage.with(|ledger| ledger.measure(true));
    let spent = Spent::from_now(options.server_pid);
    let (mut memory, mut seconds) = (Vec::new(), interval(Duration::from_secs(1)));
    while clock::now() < ends_at {
        seconds.tick().await;
        memory.push(clock::process_rss(options.server_pid) as f64 / f64::from(1 << 20));
    }
    let (elapsed, (cores, own)) = (spent.seconds(), spent.cores());
    stage.with(|ledger| ledger.measure(false));
    sleep(CROWD_DRAIN).await;
    tasks.shutdown().await;
    let totals = stage.with(std::mem::take).into_totals(options.sockets);
    for (what, counts) in
        [("refused to the flood", &totals.refused), ("refused to a lane", &totals.lane_refused), ("broken", &totals.broken)]
    {
        counts.iter().for_each(|(why, count)| eprintln!("{what}: {count} {why}"));
    }
    ensure!(totals.admitted > 0, "the chat took nothing");
    let grown = growth(&memory);
    let is_long = length >= FLAT_AFTER;
    let mut rows = lane_rows(&totals);
    rows.extend([
        plain("crowd.offered_per_s", totals.offered as f64 / elapsed, "messages/s"),
        plain("crowd.admitted_per_s", totals.admitted as f64 / elapsed, "messages/s"),
        gated("crowd.unanswered", totals.offered.saturating_sub(totals.answered) as f64, "messages", 0.0),
        gated("crowd.unavailable", totals.refused.get("unavailable").copied().unwrap_or(0) as f64, "messages", 0.0),
        gated("crowd.broken", totals.broken.values().sum::<u64>() as f64, "sockets", 0.0),
        (("crowd.memory_growth", grown, "MiB"), is_long.then_some((GROWTH_AIM_MIB, true))),
        plain("crowd.memory", memory.last().copied().unwrap_or(f64::NAN), "MiB"),
        plain("crowd.server_cpu", cores, "cores"),
        plain("crowd.generator_cpu", own, "cores"),
    ]);
    let conditions = format!(
        "{} sockets, {} of them send {:.0} messages/s of {} characters, {} s; one broadcaster, one moderator, {} friends, {} who mention or reply",
        options.sockets,
        flooding,
        options.messages_per_s,
        options.characters,
        options.seconds,
        2 * crate::limits::CROWD_FRIENDS,
        2 * CROWD_ADDRESSING,
    );
    Ok((rows, conditions))
}

/// What is never left out: all of it, in time.
fn lane_rows(totals: &Totals) -> Vec<Aimed> {
    let (mut rows, mut worst, mut lost) = (Vec::new(), totals.own.quantile(0.99), 0);
    for (lane, result) in &totals.lanes {
        let (heard, p99) = match lane {
            Lane::Broadcaster => ("crowd.broadcaster_heard", "crowd.broadcaster_p99"),
            Lane::Moderator => ("crowd.moderator_heard", "crowd.moderator_p99"),
            Lane::Friend => ("crowd.friend_heard", "crowd.friend_p99"),
            Lane::Mention => ("crowd.mention_heard", "crowd.mention_p99"),
            Lane::Reply => ("crowd.reply_heard", "crowd.reply_p99"),
        };
        rows.extend([plain(heard, result.heard as f64, "messages"), plain(p99, result.latencies.quantile(0.99), "ms")]);
        // What was never heard has no latency: it shows as lost.
        worst = if worst.is_nan() { worst } else { worst.max(result.latencies.quantile(0.99)) };
        lost += result.expected.saturating_sub(result.heard);
        if result.expected == 0 {
            worst = f64::NAN;
        }
    }
    rows.extend([
        plain("crowd.own_p50", totals.own.quantile(0.5), "ms"),
        plain("crowd.own_p99", totals.own.quantile(0.99), "ms"),
        gated("crowd.lane_lost", lost as f64, "messages", 0.0),
        gated("crowd.lane_twice", totals.twice as f64, "messages", 0.0),
        gated("crowd.lane_refused", totals.lane_refused.values().sum::<u64>() as f64, "messages", 0.0),
        gated("crowd.lane_p99", worst, "ms", LANE_P99_AIM_MS),
    ]);
    rows
}

struct Speaking {
    index: usize,
    part: Part,
    pause: Duration,
    at: Instant,
    ends_at: Instant,
}

/// What a member keeps.
#[derive(Default)]
struct State {
    ears: Ears,
    next_id: u32,
    /// In the order in which they were sent.
    pending: Vec<(u32, Pending)>,
    /// The last thing that another viewer said: its id, and where its author sits.
    seen: Option<(String, usize)>,
}

/// Until the task is ended. An error is a connection that did not last.
async fn take_part(mut member: Member, stage: &Stage, mut speaking: Speaking) -> anyhow::Result<()> {
    let mut state = State { next_id: 10, ..State::default() };
    let mut ping = interval(CROWD_PING_INTERVAL);
    loop {
        let next = Some(speaking.at).filter(|at| *at < speaking.ends_at);
        tokio::select! {
            read = member.wire.read() => {
                ensure!(read? > 0, "the connection is gone");
                let now = clock::now();
                while let Some(frame) = member.wire.next()? {
                    let Frame::Message(payload) = frame else { bail!("the connection was closed") };
                    let text = std::str::from_utf8(&payload).context("a message that is no text")?;
                    hear(text, now, stage, &speaking, &mut state)?;
                }
            }
            _ = ping.tick() => member.wire.say(&json!({ "type": "ping", "id": 9, "client_time_ms": 1.0 }).to_string()).await?,
            () = until(next) => {
                speaking.at += speaking.pause;
                if let Some(message) = say(stage, &speaking, &mut state)? {
                    member.wire.say(&message).await?;
                }
            }
        }
    }
}

/// What is said next, if there is something to say it about.
fn say(stage: &Stage, speaking: &Speaking, state: &mut State) -> anyhow::Result<Option<String>> {
    let (now, id) = (clock::now(), state.next_id);
    ensure!(state.pending.len() < CROWD_PENDING_MAX, "{CROWD_PENDING_MAX} messages were not answered");
    let mut fields = json!({ "type": "say", "id": id, "nonce": u64::from(id) });
    let mark = match speaking.part {
        Part::Floods => None,
        Part::Speaks(lane, to) => {
            let to = match lane {
                Lane::Broadcaster | Lane::Moderator => None,
                Lane::Friend => to,
                Lane::Mention => {
                    // Not oneself.
                    let other = (speaking.index + rand::rng().random_range(1..stage.users.len())) % stage.users.len();
                    fields["mentions"] = json!([stage.users[other]]);
                    Some(other)
                }
                Lane::Reply => {
                    let Some((message, author)) = state.seen.take() else { return Ok(None) };
                    fields["reply_to"] = json!(message);
                    Some(author)
                }
            };
            Some(stage.with(|ledger| ledger.mark(now, lane, to)))
        }
    };
    fields["text"] = json!(match mark {
        Some(mark) => marked(mark, stage.characters),
        None => words(speaking.index.wrapping_mul(31).wrapping_add(id as usize), stage.characters),
    });
    state.next_id += 1;
    let pending = stage.with(|ledger| ledger.sent(now, mark));
    state.pending.push((id, pending));
    Ok(Some(fields.to_string()))
}

#[derive(Deserialize)]
struct Heard<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    id: Option<u32>,
    #[serde(borrow)]
    error: Option<Refused<'a>>,
    #[serde(borrow)]
    frame: Option<ChatFrame<'a>>,
    #[serde(borrow)]
    reason: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Refused<'a> {
    #[serde(borrow)]
    code: Cow<'a, str>,
}

#[derive(Deserialize)]
struct ChatFrame<'a> {
    #[serde(borrow, default)]
    events: Vec<Event<'a>>,
}

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Event<'a> {
    Said {
        #[serde(borrow)]
        message: Said<'a>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    author: Author<'a>,
    #[serde(borrow)]
    text: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Author<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

fn hear(text: &str, now: Instant, stage: &Stage, speaking: &Speaking, state: &mut State) -> anyhow::Result<()> {
    let replies = matches!(speaking.part, Part::Speaks(Lane::Reply, _));
    // Most frames of a flood say nothing that concerns anybody here, and reading them costs more than getting them.
    if text.starts_with(r#"{"type":"chat","#) && !replies && !text.contains(MARK) {
        return Ok(());
    }
    let Heard { kind, id, error, frame, reason } = serde_json::from_str(text).with_context(|| format!("cannot read {text:.80}"))?;
    match kind.as_ref() {
        "said" => settle(id, Fate::Said, now, stage, state),
        "error" => settle(id, Fate::Refused(error.map_or_else(String::new, |error| error.code.into_owned())), now, stage, state),
        "bye" => bail!("bye {}", reason.unwrap_or_default()),
        _ => {}
    }
    for event in frame.into_iter().flat_map(|frame| frame.events) {
        let Event::Said { message: Said { id, author, text } } = event else { continue };
        if let Some(number) = mark_of(&text) {
            stage.with(|ledger| ledger.heard(now, number, speaking.index, &mut state.ears));
        } else if replies && let Some(&author) = stage.seats.get(author.id.as_ref()).filter(|author| **author != speaking.index) {
            state.seen = Some((id.into_owned(), author));
        }
    }
    Ok(())
}

fn settle(id: Option<u32>, fate: Fate, now: Instant, stage: &Stage, state: &mut State) {
    let at = state.pending.iter().position(|(pending, _)| Some(*pending) == id);
    if let Some((_, pending)) = at.map(|at| state.pending.remove(at)) {
        stage.with(|ledger| ledger.answered(now, pending, fate));
    }
}
