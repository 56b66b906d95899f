//! What open sockets cost, and telling all of them the same thing: counts frames and reads no text, so that it is cheaper than any server. In
//! Courtside's chat, or only listening (`--bare`), as to nchan.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use super::super::clock;
use super::options::CrowdOptions;
use super::run::{Aimed, Place, Spent, open_all, plain};
use super::spoken::{spelled, words};
use super::wire::{Wire, frame_of, payload_len};
use crate::limits::{CROWD_PING_INTERVAL, CROWD_READ_BYTES, CROWD_SPEAKER_PAUSE, LOADGEN_SETTLE};

/// What all sockets have heard.
#[derive(Debug, Default)]
struct Heard {
    frames: AtomicU64,
    bytes: AtomicU64,
    broken: AtomicU64,
}

#[expect(clippy::disallowed_methods, reason = "the load generator measures real time")]
pub(super) async fn measure(place: &Place, options: &CrowdOptions) -> anyhow::Result<(Vec<Aimed>, String)> {
    let heard = Arc::new(Heard::default());
    let empty = clock::process_rss(options.server_pid);
    let members = open_all(place, options.sockets, options.bare, Vec::new()).await?;
    let speakers = (options.messages_per_s * CROWD_SPEAKER_PAUSE.as_secs_f64()).ceil() as usize;
    let mut tasks = JoinSet::new();
    for (index, member) in members.into_iter().enumerate() {
        let speaks = (!options.bare && index < speakers).then(|| Speaker::new(index, speakers, options));
        tasks.spawn(listen(member.wire, Arc::clone(&heard), !options.bare, speaks));
    }
    if let Some(post) = options.post.clone().filter(|_| options.messages_per_s > 0.0) {
        tasks.spawn(poster(post, options.clone()));
    }
    sleep(LOADGEN_SETTLE).await;
    let rss = clock::process_rss(options.server_pid);
    let (frames, bytes) = (heard.frames.load(Ordering::Relaxed), heard.bytes.load(Ordering::Relaxed));
    let spent = Spent::from_now(options.server_pid);
    sleep(Duration::from_secs(options.seconds)).await;
    let (elapsed, (cores, own)) = (spent.seconds(), spent.cores());
    let frames = (heard.frames.load(Ordering::Relaxed) - frames) as f64;
    let bytes = (heard.bytes.load(Ordering::Relaxed) - bytes) as f64;
    let broken = heard.broken.load(Ordering::Relaxed);
    tasks.shutdown().await;
    ensure!(broken == 0, "{broken} sockets broke");
    ensure!(options.messages_per_s == 0.0 || frames > 0.0, "nothing was heard");
    let mut rows = vec![
        plain("crowd.memory_per_socket", rss.saturating_sub(empty) as f64 / options.sockets as f64 / 1024.0, "KiB"),
        plain("crowd.server_cpu", cores, "cores"),
    ];
    if frames > 0.0 {
        rows.extend([
            plain("crowd.frames_per_cpu_second", frames / (cores * elapsed).max(0.01), "frames"),
            plain("crowd.frames_per_second", frames / elapsed, "frames"),
            plain("crowd.bytes_per_frame", bytes / frames, "B"),
            plain("crowd.generator_cpu", own, "cores"),
        ]);
    }
    Ok((rows, format!("{} sockets, {:.1} messages/s said", options.sockets, options.messages_per_s)))
}

/// Who speaks, and when next.
struct Speaker {
    at: Instant,
    text: String,
    nonce: u64,
}

impl Speaker {
    fn new(index: usize, speakers: usize, options: &CrowdOptions) -> Self {
        let offset = CROWD_SPEAKER_PAUSE.mul_f64(index as f64 / speakers as f64);
        Self { at: clock::now() + offset, text: words(index, options.characters), nonce: index as u64 * 1_000_000 }
    }
}

/// Counts the frames of a stream that comes in pieces.
#[derive(Debug, Default)]
struct Counter {
    /// Of the frame under way: header bytes so far, payload bytes still to come.
    header: Vec<u8>,
    rest: u64,
}

impl Counter {
    /// The frames that begin in these bytes and whose header is whole.
    fn count(&mut self, mut bytes: &[u8]) -> u64 {
        let mut frames = 0;
        while !bytes.is_empty() {
            if self.rest > 0 {
                let taken = self.rest.min(bytes.len() as u64);
                self.rest -= taken;
                bytes = &bytes[taken as usize..];
                continue;
            }
            self.header.push(bytes[0]);
            bytes = &bytes[1..];
            if let Some(len) = payload_len(&self.header) {
                frames += 1;
                self.header.clear();
                self.rest = len;
            }
        }
        frames
    }
}

async fn listen(wire: Wire, heard: Arc<Heard>, pings: bool, mut speaker: Option<Speaker>) {
    let (mut socket, already) = wire.into_parts();
    let mut counter = Counter::default();
    heard.frames.fetch_add(counter.count(&already), Ordering::Relaxed);
    let mut buffer = vec![0; CROWD_READ_BYTES];
    let mut ping = interval(CROWD_PING_INTERVAL);
    loop {
        let next = speaker.as_ref().map(|speaker| speaker.at);
        let read = tokio::select! {
            read = socket.read(&mut buffer) => read,
            _ = ping.tick(), if pings => {
                let ping = json!({ "type": "ping", "id": 9, "client_time_ms": 1.0 });
                if socket.write_all(&frame_of(&ping.to_string())).await.is_err() { break }
                continue;
            }
            () = until(next) => {
                if let Some(speaker) = &mut speaker {
                    speaker.at += CROWD_SPEAKER_PAUSE;
                    speaker.nonce += 1;
                    let text = format!("{} {}", spelled((speaker.nonce % 1000) as u32), speaker.text);
                    let say = json!({ "type": "say", "id": 3, "nonce": speaker.nonce, "text": text });
                    if socket.write_all(&frame_of(&say.to_string())).await.is_err() { break }
                }
                continue;
            }
        };
        let Ok(count @ 1..) = read else { break };
        heard.bytes.fetch_add(count as u64, Ordering::Relaxed);
        heard.frames.fetch_add(counter.count(&buffer[..count]), Ordering::Relaxed);
    }
    heard.broken.fetch_add(1, Ordering::Relaxed);
}

/// At a moment, or never.
pub(super) async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

async fn poster(url: String, options: CrowdOptions) {
    let client = reqwest::Client::new();
    let mut ticks = interval(Duration::from_secs_f64(1.0 / options.messages_per_s));
    let mut count = 0;
    loop {
        ticks.tick().await;
        count += 1;
        // A post that fails is a frame that is not heard, and the figure says so.
        drop(client.post(&url).body(words(count, options.characters)).send().await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_counted_in_whatever_pieces_they_come() {
        let mut bytes = vec![0x81, 2, b'h', b'i', 0x81, 126, 0, 200];
        bytes.extend_from_slice(&[b'x'; 200]);
        bytes.extend_from_slice(&[0x81, 0]);
        for step in [1, 5, 1000] {
            let mut counter = Counter::default();
            assert_eq!(bytes.chunks(step).map(|part| counter.count(part)).sum::<u64>(), 3, "{step}");
        }
    }
}
