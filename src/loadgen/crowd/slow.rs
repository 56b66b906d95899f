//! One reads slowly: a phone on a bad line, or somebody who means harm. Turns without and with such a reader, on the same sockets; what the
//! others' latency is in each.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rand::Rng as _;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use super::super::clock;
use super::fanout::until;
use super::options::CrowdOptions;
use super::run::{Aimed, Place, Spent, gated, open_all, plain};
use super::spoken::{MARK, mark_of, marked};
use super::spread::Spread;
use super::wire::{Frame, Member, frame_of};
use crate::limits::{CROWD_PING_INTERVAL, CROWD_REST, CROWD_SLOW_BUFFER_BYTES, CROWD_SLOW_STEP, CROWD_SPEAKER_PAUSE, LOADGEN_SETTLE};

/// The issue's aim: the others' p99 beside that of the turn without.
const RATIO_AIM: f64 = 1.25;

/// One turn.
#[derive(Debug, Default)]
struct Turn {
    latencies: Spread,
    /// What was said in it.
    said: u64,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Ledger {
    /// When each message was sent, and in which turn; `None`: between turns.
    marks: Vec<(Instant, Option<usize>)>,
    turns: Vec<Turn>,
    turn: Option<usize>,
}

impl Ledger {
    fn say(&mut self, now: Instant) -> u32 {
        self.marks.push((now, self.turn));
        if let Some(turn) = self.turn.and_then(|turn| self.turns.get_mut(turn)) {
            turn.said += 1;
        }
        (self.marks.len() - 1) as u32
    }

    fn hear(&mut self, now: Instant, number: u32) {
        let Some(&(sent_at, turn)) = self.marks.get(number as usize) else { return };
        if let Some(turn) = turn.and_then(|turn| self.turns.get_mut(turn)) {
            turn.latencies.add(now.duration_since(sent_at));
        }
    }

    fn begin(&mut self) {
        self.turn = Some(self.turns.len());
        self.turns.push(Turn::default());
    }
}

/// What the slow reader came to.
#[derive(Debug, Default)]
struct Slow {
    bytes: u64,
    ended: u64,
}

type Shared = Arc<Mutex<Ledger>>;

fn with<T>(ledger: &Shared, look: impl FnOnce(&mut Ledger) -> T) -> T {
    look(&mut ledger.lock().expect("nothing panics while it holds the ledger"))
}

#[expect(clippy::disallowed_methods, reason = "the load generator measures real time")]
pub(super) async fn measure(place: &Place, options: &CrowdOptions) -> anyhow::Result<(Vec<Aimed>, String)> {
    ensure!(options.messages_per_s > 0.0 && options.turns > 0 && options.sockets > 1, "somebody speaks, in one turn at least, to others");
    ensure!(options.slow_bytes_per_s > 0, "the slow reader reads");
    let speakers = (options.messages_per_s * CROWD_SPEAKER_PAUSE.as_secs_f64()).ceil() as usize;
    let others = options.sockets - 1;
    ensure!(speakers <= others, "{speakers} speakers are needed for so much");
    let ledger = Shared::default();
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for (index, member) in open_all(place, others, false, Vec::new()).await?.into_iter().enumerate() {
        let offset = CROWD_SPEAKER_PAUSE.mul_f64((index as f64 + rand::rng().random::<f64>()) / speakers as f64);
        let speaks_at = (index < speakers).then(|| clock::now() + offset);
        tasks.spawn(take_part(member, Arc::clone(&ledger), speaks_at, options.characters));
    }
    let mut slow_reader = Slow::default();
    let spent = Spent::from_now(options.server_pid);
    for turn in 0..2 * options.turns {
        let is_slow = turn % 2 == 1;
        sleep(LOADGEN_SETTLE).await;
        with(&ledger, Ledger::begin);
        let length = sleep(Duration::from_secs(options.seconds));
        tokio::select! {
            () = length => {}
            failed = read_slowly(place, options, &mut slow_reader), if is_slow => return Err(failed.context("the slow reader")),
            broken = tasks.join_next() => match broken {
                Some(Ok(Err(error))) => return Err(error.context("a socket broke")),
                ended => bail!("a socket's task ended: {ended:?}"),
            },
        }
        with(&ledger, |ledger| ledger.turn = None);
        // What was said last is heard.
        sleep(CROWD_REST).await;
    }
    let (cores, own) = spent.cores();
    tasks.shutdown().await;
    let turns = with(&ledger, |ledger| std::mem::take(&mut ledger.turns));
    let (mut control, mut disturbed, mut ratios, mut missing) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for pair in turns.chunks_exact(2) {
        let [one, other] = [pair[0].latencies.quantile(0.99), pair[1].latencies.quantile(0.99)];
        control.push(one);
        disturbed.push(other);
        ratios.push(other / one);
        missing += pair.iter().map(|turn| (turn.said * others as u64).saturating_sub(turn.latencies.samples())).sum::<u64>();
    }
    let slow_turns = turns.iter().skip(1).step_by(2);
    let bytes_of_one = slow_turns.map(|turn| turn.bytes).sum::<u64>() as f64 / others as f64;
    let behind = 1.0 - slow_reader.bytes as f64 / bytes_of_one.max(1.0);
    ensure!(behind > 0.25, "the slow reader was not behind ({:.0} % read): say more, or longer", 100.0 * (1.0 - behind));
    let rows = vec![
        gated("crowd.slow_ratio", median(&mut ratios), "x", RATIO_AIM),
        plain("crowd.control_p99", median(&mut control), "ms"),
        plain("crowd.disturbed_p99", median(&mut disturbed), "ms"),
        gated("crowd.not_heard", missing as f64, "messages", 0.0),
        plain("crowd.slow_unread", 100.0 * behind, "%"),
        plain("crowd.slow_ended", slow_reader.ended as f64, "connections"),
        plain("crowd.server_cpu", cores, "cores"),
        plain("crowd.generator_cpu", own, "cores"),
    ];
    let conditions = format!(
        "{others} sockets and one that reads {} B/s, {:.1} messages/s of {} characters, {} pairs of turns of {} s",
        options.slow_bytes_per_s, options.messages_per_s, options.characters, options.turns, options.seconds
    );
    Ok((rows, conditions))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

async fn take_part(mut member: Member, ledger: Shared, mut speaks_at: Option<Instant>, characters: usize) -> anyhow::Result<()> {
    let (mut ping, mut nonce) = (interval(CROWD_PING_INTERVAL), 0_u64);
    loop {
        tokio::select! {
            read = member.wire.read() => {
                let count = read?;
                ensure!(count > 0, "the connection is gone");
                let now = clock::now();
                with(&ledger, |ledger| {
                    if let Some(turn) = ledger.turn.and_then(|turn| ledger.turns.get_mut(turn)) {
                        turn.bytes += count as u64;
                    }
                });
                while let Some(frame) = member.wire.next()? {
                    let Frame::Message(payload) = frame else { bail!("the connection was closed") };
                    let text = std::str::from_utf8(&payload).context("a message that is no text")?;
                    ensure!(!text.starts_with(r#"{"type":"error""#) && !text.starts_with(r#"{"type":"bye""#), "{text}");
                    with(&ledger, |ledger| marks_of(text).for_each(|number| ledger.hear(now, number)));
                }
            }
            _ = ping.tick() => member.wire.say(&json!({ "type": "ping", "id": 9, "client_time_ms": 1.0 }).to_string()).await?,
            () = until(speaks_at) => {
                speaks_at = speaks_at.map(|at| at + CROWD_SPEAKER_PAUSE);
                nonce += 1;
                let number = with(&ledger, |ledger| ledger.say(clock::now()));
                let text = marked(number, characters);
                member.wire.say(&json!({ "type": "say", "id": 3, "nonce": nonce, "text": text }).to_string()).await?;
            }
        }
    }
}

/// The numbers of the marked texts in a frame. Nothing in them is escaped, so they can be read where they stand.
fn marks_of(frame: &str) -> impl Iterator<Item = u32> {
    frame.match_indices(MARK).filter_map(|(at, _)| mark_of(&frame[at..]))
}

/// Reads so many bytes a second, and comes back whenever the server has had enough of it. Ends with an error only.
async fn read_slowly(place: &Place, options: &CrowdOptions, slow: &mut Slow) -> anyhow::Error {
    let step = (options.slow_bytes_per_s as f64 * CROWD_SLOW_STEP.as_secs_f64()).ceil() as usize;
    let mut buffer = vec![0; step];
    loop {
        let (member, _) = match Member::enter(place, options.sockets, None, Some(CROWD_SLOW_BUFFER_BYTES)).await {
            Ok(entered) => entered,
            Err(error) => return error,
        };
        let (mut socket, _) = member.wire.into_parts();
        let (mut steps, mut ping) = (interval(CROWD_SLOW_STEP), interval(CROWD_PING_INTERVAL));
        loop {
            tokio::select! {
                _ = steps.tick() => match socket.read(&mut buffer).await {
                    Ok(count @ 1..) => slow.bytes += count as u64,
                    Ok(0) | Err(_) => break,
                },
                _ = ping.tick() => {
                    let ping = json!({ "type": "ping", "id": 9, "client_time_ms": 1.0 }).to_string();
                    if socket.write_all(&frame_of(&ping)).await.is_err() { break }
                }
            }
        }
        slow.ended += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_where_they_stand() {
        let frame = format!(
            r#"{{"type":"chat","frame":{{"events":[{{"message":{{"text":"{}"}}}},{{"message":{{"text":"{}"}}}},{{"message":{{"text":"mark my words"}}}}]}}}}"#,
            marked(12, 60),
            marked(907, 60)
        );
        assert_eq!(marks_of(&frame).collect::<Vec<_>>(), [12, 907]);
    }

    #[test]
    fn a_message_counts_for_the_turn_in_which_it_was_said() {
        let (start, mut ledger) = (clock::now(), Ledger::default());
        let between = ledger.say(start);
        ledger.begin();
        let first = ledger.say(start);
        ledger.begin();
        for (number, ms) in [(between, 500), (first, 90), (first, 40), (99, 1)] {
            ledger.hear(start + Duration::from_millis(ms), number);
        }
        let counts: Vec<_> = ledger.turns.iter().map(|turn| (turn.said, turn.latencies.samples())).collect();
        assert_eq!(counts, [(1, 2), (0, 0)]);
        assert_eq!(ledger.turns[0].latencies.quantile(0.99), 91.0);
    }
}
