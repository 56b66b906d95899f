//! A crowd with open WebSockets: what it costs a server to keep them and to tell all of them the same thing. Speaks to Courtside's chat, or
//! only listens (`--bare`), as to nchan.
//!
//! Its own few lines of RFC 6455, so that a generator on one core outpaces the server on another: it counts frames and reads no text.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use reqwest::Url;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

use super::clock;
use super::report::{Figure, print};
use crate::limits::{CROWD_CONNECTING_MAX, CROWD_MAX, CROWD_SPEAKER_PAUSE, LOADGEN_CONNECT_TIMEOUT};

/// Sockets from one address of 127.0.0.0/8, below what servers allow and what ports there are.
const PER_ADDRESS: usize = 400;

/// Opens thousands of WebSockets to a chat and measures what the server pays for them.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "courtside-crowd", version)]
pub struct CrowdOptions {
    /// The WebSocket's address.
    #[arg(long, default_value = "ws://127.0.0.1:7880/v1/ws")]
    pub url: String,
    /// The broadcast whose chat is entered.
    #[arg(long, default_value = "load")]
    pub broadcast: String,
    /// Open sockets.
    #[arg(long, default_value_t = 3000)]
    pub sockets: usize,
    /// Only listens after the handshake: for servers that are not Courtside.
    #[arg(long)]
    pub bare: bool,
    /// Where `--bare` posts its messages, as nchan takes them.
    #[arg(long, requires = "bare")]
    pub post: Option<String>,
    /// Messages a second; 0: nothing is said, memory alone is measured.
    #[arg(long, default_value_t = 10.0)]
    pub messages_per_s: f64,
    /// Characters of a message, so that a frame has the size wished for.
    #[arg(long, default_value_t = 120)]
    pub characters: usize,
    /// Measured, in seconds.
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// The server's process.
    #[arg(long)]
    pub server_pid: u32,
    /// One JSON object a line.
    #[arg(long)]
    pub json: bool,
}

/// What all sockets have heard.
#[derive(Debug, Default)]
struct Heard {
    frames: AtomicU64,
    bytes: AtomicU64,
    broken: AtomicU64,
}

/// Runs what the options ask for and prints the figures.
///
/// # Errors
/// An address that is not this machine's, a server that refuses, no frame where there should be some.
pub fn run(options: &CrowdOptions) -> anyhow::Result<()> {
    ensure!((1..=CROWD_MAX).contains(&options.sockets), "1 to {CROWD_MAX} sockets");
    let limit = getrlimit(Resource::Nofile);
    // When it is refused, opening the sockets says so.
    let _refused = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(crowd(options))
}

#[expect(clippy::disallowed_methods, reason = "the load generator measures real time")]
async fn crowd(options: &CrowdOptions) -> anyhow::Result<()> {
    let url = Url::parse(&options.url).with_context(|| format!("{} is not an address", options.url))?;
    let (host, port) = (url.host_str().context("no host")?, url.port_or_known_default().context("no port")?);
    let server = (host, port).to_socket_addrs()?.next().context("no address")?;
    ensure!(server.ip().is_loopback(), "{} is not this machine", server.ip());
    let heard = Arc::new(Heard::default());
    let empty = clock::process_rss(options.server_pid);
    let connecting = Arc::new(Semaphore::new(CROWD_CONNECTING_MAX));
    let mut opening = JoinSet::new();
    for index in 0..options.sockets {
        let (url, options, connecting) = (url.clone(), options.clone(), Arc::clone(&connecting));
        opening.spawn(async move {
            let _permit = connecting.acquire_owned().await?;
            open(server, index, &url, &options).await
        });
    }
    let mut sockets = Vec::new();
    while let Some(opened) = opening.join_next().await {
        sockets.push(opened?.context("a socket did not open")?);
    }
    let speakers = (options.messages_per_s * CROWD_SPEAKER_PAUSE.as_secs_f64()).ceil() as usize;
    let mut tasks = JoinSet::new();
    for (index, socket) in sockets.into_iter().enumerate() {
        let speaks = (!options.bare && index < speakers).then(|| Speaker::new(index, speakers, options));
        tasks.spawn(listen(socket, Arc::clone(&heard), !options.bare, speaks));
    }
    if let Some(post) = options.post.clone().filter(|_| options.messages_per_s > 0.0) {
        tasks.spawn(poster(post, options.clone()));
    }
    sleep(Duration::from_secs(3)).await;
    let rss = clock::process_rss(options.server_pid);
    let (frames, bytes) = (heard.frames.load(Ordering::Relaxed), heard.bytes.load(Ordering::Relaxed));
    let (cpu, own, from) = (clock::process_cpu(options.server_pid), clock::own_cpu(), Instant::now());
    sleep(Duration::from_secs(options.seconds)).await;
    let elapsed = from.elapsed().as_secs_f64();
    let cpu = (clock::process_cpu(options.server_pid) - cpu).as_secs_f64();
    let own = (clock::own_cpu() - own).as_secs_f64();
    let frames = (heard.frames.load(Ordering::Relaxed) - frames) as f64;
    let bytes = (heard.bytes.load(Ordering::Relaxed) - bytes) as f64;
    let broken = heard.broken.load(Ordering::Relaxed);
    tasks.shutdown().await;
    ensure!(broken == 0, "{broken} sockets broke");
    ensure!(options.messages_per_s == 0.0 || frames > 0.0, "nothing was heard");
    let conditions = format!("{} sockets, {:.1} messages/s said", options.sockets, options.messages_per_s);
    let figure = |name, value, unit| Figure { name, value, unit, aim: None, gate: false, conditions: conditions.clone() };
    let mut figures = vec![figure("crowd.memory_per_socket", rss.saturating_sub(empty) as f64 / options.sockets as f64 / 1024.0, "KiB")];
    figures.push(figure("crowd.server_cpu", cpu / elapsed, "cores"));
    if frames > 0.0 {
        figures.push(figure("crowd.frames_per_cpu_second", frames / cpu.max(0.01), "frames"));
        figures.push(figure("crowd.frames_per_second", frames / elapsed, "frames"));
        figures.push(figure("crowd.bytes_per_frame", bytes / frames, "B"));
        figures.push(figure("crowd.generator_cpu", own / elapsed, "cores"));
    }
    print(&figures, options.json);
    Ok(())
}

/// The handshake, and the way into the chat.
async fn open(server: SocketAddr, index: usize, url: &Url, options: &CrowdOptions) -> anyhow::Result<TcpStream> {
    let opening = async {
        let socket = TcpSocket::new_v4()?;
        let address = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + (index / PER_ADDRESS) as u32);
        socket.bind(SocketAddr::new(IpAddr::V4(address), 0))?;
        let mut socket = socket.connect(server).await.context("cannot connect")?;
        let path = url.path();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.context("no answer to the handshake")?);
        }
        ensure!(head.starts_with(b"HTTP/1.1 101"), "refused: {}", String::from_utf8_lossy(&head).lines().next().unwrap_or_default());
        if !options.bare {
            say(&mut socket, &json!({ "type": "hello", "protocol": 1, "client": "crowd" })).await?;
            hear(&mut socket, "welcome").await?;
            say(&mut socket, &json!({ "type": "join", "id": 1, "broadcast": options.broadcast })).await?;
            hear(&mut socket, "joined").await?;
            say(&mut socket, &json!({ "type": "enter_chat", "id": 2 })).await?;
            hear(&mut socket, "chat_entered").await?;
        }
        Ok(socket)
    };
    tokio::time::timeout(LOADGEN_CONNECT_TIMEOUT, opening).await.context("it took too long")?
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
        Self { at: Instant::now() + offset, text: words(index, options.characters), nonce: index as u64 * 1_000_000 }
    }
}

/// A text that no filter minds and that is not the one before.
fn words(seed: usize, characters: usize) -> String {
    const WORDS: [&str; 12] = ["what", "a", "pass", "from", "the", "left", "and", "he", "turns", "past", "two", "men"];
    let mut text = format!("{seed}");
    let mut at = seed;
    while text.len() < characters {
        text.push(' ');
        text.push_str(WORDS[at % WORDS.len()]);
        at = at * 7 + 3;
        at %= 1009;
    }
    text.truncate(characters.max(1));
    text
}

async fn listen(mut socket: TcpStream, heard: Arc<Heard>, pings: bool, mut speaker: Option<Speaker>) {
    let mut buffer = vec![0; 4096];
    // Of the frame under way: header bytes read so far, payload bytes still to come.
    let (mut header, mut rest) = (Vec::with_capacity(10), 0_u64);
    let mut ping = interval(Duration::from_secs(10));
    loop {
        let next = speaker.as_ref().map(|speaker| speaker.at);
        let read = tokio::select! {
            read = socket.read(&mut buffer) => read,
            _ = ping.tick(), if pings => {
                if say(&mut socket, &json!({ "type": "ping", "id": 9, "client_time_ms": 1.0 })).await.is_err() { break }
                continue;
            }
            () = async { match next { Some(at) => tokio::time::sleep_until(at).await, None => std::future::pending().await } } => {
                if let Some(speaker) = &mut speaker {
                    speaker.at += CROWD_SPEAKER_PAUSE;
                    speaker.nonce += 1;
                    let text = format!("{} {}", speaker.nonce % 1000, speaker.text);
                    if say(&mut socket, &json!({ "type": "say", "id": 3, "nonce": speaker.nonce, "text": text })).await.is_err() { break }
                }
                continue;
            }
        };
        let Ok(count @ 1..) = read else { break };
        heard.bytes.fetch_add(count as u64, Ordering::Relaxed);
        let mut bytes = &buffer[..count];
        while !bytes.is_empty() {
            if rest > 0 {
                let taken = rest.min(bytes.len() as u64);
                rest -= taken;
                bytes = &bytes[taken as usize..];
                continue;
            }
            header.push(bytes[0]);
            bytes = &bytes[1..];
            if let Some(len) = payload_len(&header) {
                heard.frames.fetch_add(1, Ordering::Relaxed);
                header.clear();
                rest = len;
            }
        }
    }
    heard.broken.fetch_add(1, Ordering::Relaxed);
}

/// Of a server's frame; `None` until the header is whole.
fn payload_len(header: &[u8]) -> Option<u64> {
    match (header.get(1)? & 0x7f, &header[2..]) {
        (126, [high, low]) => Some(u64::from(u16::from_be_bytes([*high, *low]))),
        (127, rest) => Some(u64::from_be_bytes(rest.try_into().ok()?)),
        (126, _) => None,
        (len, _) => Some(u64::from(len)),
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

async fn say(socket: &mut TcpStream, message: &Value) -> anyhow::Result<()> {
    let text = message.to_string();
    let mut frame = vec![0x81];
    match text.len() {
        len @ 0..126 => frame.push(0x80 | len as u8),
        len @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        _ => bail!("too long a message"),
    }
    // A mask of zeros: the server cannot tell, and it costs nothing.
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    Ok(socket.write_all(&frame).await?)
}

/// Reads frames until one of this type.
async fn hear(socket: &mut TcpStream, kind: &str) -> anyhow::Result<()> {
    loop {
        let mut header = vec![socket.read_u8().await?, socket.read_u8().await?];
        let len = loop {
            if let Some(len) = payload_len(&header) {
                break len;
            }
            header.push(socket.read_u8().await?);
        };
        let mut payload = vec![0; len as usize];
        socket.read_exact(&mut payload).await?;
        ensure!(header[0] & 0x0f != 8, "closed while waiting for {kind}");
        let message: Value = serde_json::from_slice(&payload)?;
        match message["type"].as_str() {
            Some(found) if found == kind => return Ok(()),
            Some("error") => bail!("waiting for {kind}: {}", message["error"]),
            _ => {}
        }
    }
}
