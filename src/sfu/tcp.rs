//! One worker's TCP connections: ICE-TCP (RFC 6544), for clients whose network lets no UDP through. Datagrams in frames, both ways; what
//! they mean is the engine's business. A shell: it accepts, reads, writes and closes, all on the worker's own thread.
//!
//! ```text
//! listener ─▶ place in the table ─▶ task: read ─▶ framing ─▶ inbox ─▶ TcpConnections::next ─▶ engine
//!                    │                    │ inbox full: it stops reading, and TCP slows the client down
//! engine ─▶ send ────┴─▶ socket, at once; what that does not take waits in the backlog for the task
//!                        backlog full: the burst is dropped whole, and the caller counts it
//! ```
//! A connection lives as long as the engine knows its far end: [`TcpConnections::sweep`] ends those that never passed a check or whose peer is
//! gone, and those that say nothing.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use slab::Slab;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant as TokioInstant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::limits;
use crate::sfu::framing::{Deframer, framed_len, write_frames};
use crate::sfu::stats::TcpEnd;
use crate::sfu::transport::{ConnectionId, Remote};

const NEVER_POISONED: &str = "no panic while held";

/// What happened on a connection.
pub(super) enum TcpEvent {
    /// Whole frames, for [`crate::sfu::framing::datagrams`].
    Arrived { remote: Remote, local: Option<IpAddr>, frames: Bytes },
    /// It is over. `why`: `None` when that was our doing.
    Closed { remote: Remote, why: Option<TcpEnd> },
}

/// The connections of one worker.
pub(super) struct TcpConnections {
    listeners: Vec<TcpListener>,
    /// Accepting rests after it failed for want of descriptors.
    accept_after: Option<TokioInstant>,
    open: Slab<Open>,
    per_address: HashMap<IpAddr, u32>,
    serial: u64,
    events: mpsc::Receiver<TcpEvent>,
    events_in: mpsc::Sender<TcpEvent>,
    tasks: JoinSet<()>,
    /// How connections ended, those included that were not taken.
    ended: [u64; TcpEnd::ALL.len()],
}

/// A connection's place in the table. Its times are as exact as the sweeps are frequent.
struct Open {
    connection: Arc<Connection>,
    /// It has said something since the last sweep.
    spoke: bool,
    accepted: Option<Instant>,
    heard: Option<Instant>,
}

/// One connection, shared by its task and the table. Both are on one thread, so the lock is never contended.
struct Connection {
    remote: Remote,
    local: Option<IpAddr>,
    stream: TcpStream,
    /// Frames that the socket has not taken yet.
    backlog: Mutex<BytesMut>,
    /// Something waits in the backlog.
    filled: Notify,
    /// The socket refused to be written to.
    broken: AtomicBool,
    end: CancellationToken,
}

/// Binds a worker's port for TCP. Not yet tied to a runtime.
///
/// # Errors
/// The system's, as it came.
pub(super) fn listen(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A server that starts again meets the closed connections of its former life.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(limits::TCP_LISTEN_BACKLOG)?;
    Ok(socket.into())
}

impl TcpConnections {
    /// Ties listeners to the running runtime. Without any, nothing ever happens here.
    ///
    /// # Errors
    /// When the runtime refuses them.
    pub(super) fn new(listeners: Vec<std::net::TcpListener>) -> io::Result<Self> {
        let (events_in, events) = mpsc::channel(limits::TCP_INBOX);
        Ok(Self {
            listeners: listeners.into_iter().map(TcpListener::from_std).collect::<io::Result<_>>()?,
            accept_after: None,
            open: Slab::new(),
            per_address: HashMap::new(),
            serial: 0,
            events,
            events_in,
            tasks: JoinSet::new(),
            ended: [0; TcpEnd::ALL.len()],
        })
    }

    /// Accepts, until something has happened on a connection. May be cancelled at any time.
    pub(super) async fn next(&mut self) -> TcpEvent {
        loop {
            tokio::select! {
                event = self.events.recv() => {
                    let event = event.expect("we hold a sender");
                    return self.noted(event);
                }
                accepted = accept(&self.listeners, self.accept_after) => match accepted {
                    Ok((stream, address)) => {
                        self.accept_after = None;
                        self.take(stream, address);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a media connection was not accepted");
                        self.accept_after = Some(TokioInstant::now() + limits::ACCEPT_PAUSE);
                    }
                },
            }
        }
    }

    /// What else has happened by now.
    pub(super) fn try_next(&mut self) -> Option<TcpEvent> {
        let event = self.events.try_recv().ok()?;
        Some(self.noted(event))
    }

    /// Sends `contents`, datagrams of `segment` bytes each, all or none of them: `false` when the client does not drain what it was sent, or the
    /// connection is gone.
    pub(super) fn send(&self, to: ConnectionId, segment: usize, contents: &[u8]) -> bool {
        self.open.get(to.slot as usize).filter(|open| open.is(to)).is_some_and(|open| open.connection.send(segment, contents))
    }

    /// Ends connections that serve nobody. `knows`: a check from there has passed, for a peer that is still here.
    pub(super) fn sweep(&mut self, now: Instant, knows: impl Fn(Remote) -> bool) {
        for (_, open) in &mut self.open {
            let accepted = *open.accepted.get_or_insert(now);
            let heard = open.heard.filter(|_| !std::mem::take(&mut open.spoke)).unwrap_or(now);
            open.heard = Some(heard);
            let is_over = |since, limit| now.saturating_duration_since(since) >= limit;
            let why = match open.connection.remote {
                _ if open.connection.end.is_cancelled() => continue,
                remote if is_over(accepted, limits::TCP_CHECK_TIMEOUT) && !knows(remote) => TcpEnd::Unchecked,
                _ if is_over(heard, limits::TCP_IDLE_TIMEOUT) => TcpEnd::Idle,
                _ => continue,
            };
            self.ended[why as usize] += 1;
            open.connection.end.cancel();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) const fn ended(&self) -> [u64; TcpEnd::ALL.len()] {
        self.ended
    }

    /// Accepts no more, ends every connection and waits for the tasks. What waits in a backlog is lost, as it would be on a bad line.
    pub(super) async fn close(mut self) {
        self.listeners.clear();
        self.events.close();
        for (_, open) in &self.open {
            open.connection.end.cancel();
        }
        while self.tasks.join_next().await.is_some() {}
    }

    fn take(&mut self, stream: TcpStream, address: SocketAddr) {
        if self.open.len() >= limits::TCP_CONNECTIONS_PER_WORKER_MAX {
            self.ended[TcpEnd::Full as usize] += 1;
            return;
        }
        if !address.ip().is_loopback() {
            let count = self.per_address.entry(network(address.ip())).or_insert(0);
            if *count >= limits::TCP_CONNECTIONS_PER_ADDRESS {
                self.ended[TcpEnd::PerAddress as usize] += 1;
                return;
            }
            *count += 1;
        }
        prepare(&stream);
        self.serial += 1;
        let place = self.open.vacant_entry();
        let connection = ConnectionId { slot: place.key() as u32, serial: self.serial };
        let connection = Arc::new(Connection {
            remote: Remote::Tcp { address, connection },
            local: stream.local_addr().ok().map(|local| local.ip()),
            stream,
            backlog: Mutex::default(),
            filled: Notify::new(),
            broken: AtomicBool::new(false),
            end: CancellationToken::new(),
        });
        place.insert(Open { connection: Arc::clone(&connection), spoke: false, accepted: None, heard: None });
        self.tasks.spawn(serve(connection, self.events_in.clone()));
    }

    /// Keeps the table true to what is handed on.
    fn noted(&mut self, event: TcpEvent) -> TcpEvent {
        match event {
            TcpEvent::Arrived { remote: Remote::Tcp { connection, .. }, .. } => {
                if let Some(open) = self.open.get_mut(connection.slot as usize).filter(|open| open.is(connection)) {
                    open.spoke = true;
                }
            }
            TcpEvent::Closed { remote: Remote::Tcp { address, connection }, why } => self.forget(address.ip(), connection, why),
            TcpEvent::Arrived { remote: Remote::Udp(_), .. } | TcpEvent::Closed { remote: Remote::Udp(_), .. } => {}
        }
        event
    }

    fn forget(&mut self, address: IpAddr, id: ConnectionId, why: Option<TcpEnd>) {
        if self.open.get(id.slot as usize).is_some_and(|open| open.is(id)) {
            self.open.remove(id.slot as usize);
        }
        if let Some(why) = why {
            self.ended[why as usize] += 1;
        }
        let network = network(address);
        if let Some(count) = self.per_address.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&network);
            }
        }
        // Its task has said its last word.
        while self.tasks.try_join_next().is_some() {}
    }
}

impl Open {
    fn is(&self, id: ConnectionId) -> bool {
        matches!(self.connection.remote, Remote::Tcp { connection, .. } if connection == id)
    }
}

impl Connection {
    fn send(&self, segment: usize, contents: &[u8]) -> bool {
        let mut backlog = self.backlog.lock().expect(NEVER_POISONED);
        if self.end.is_cancelled() || backlog.len() + framed_len(segment, contents.len()) > limits::TCP_BACKLOG_BYTES {
            return false;
        }
        let waits = !backlog.is_empty();
        write_frames(segment, contents, &mut backlog);
        if !waits {
            self.write(&mut backlog);
            if !backlog.is_empty() {
                self.filled.notify_one();
            }
        }
        true
    }

    /// Gives the socket what it takes now. An error of the socket ends the connection.
    fn write(&self, backlog: &mut BytesMut) {
        while !backlog.is_empty() {
            match self.stream.try_write(backlog) {
                Ok(written) => backlog.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.broken.store(true, Ordering::Relaxed);
                    self.end.cancel();
                    backlog.clear();
                }
            }
        }
        if backlog.capacity() > limits::TCP_BACKLOG_KEPT_BYTES {
            *backlog = BytesMut::new();
        }
    }

    /// The frames that one read completes; `None`: there is nothing more to read now.
    fn read(&self, deframer: &mut Deframer) -> Result<Option<Bytes>, Over> {
        let mut buffer = [0; limits::TCP_READ_BYTES];
        match self.stream.try_read(&mut buffer) {
            Ok(0) => Err(Over(TcpEnd::ByClient)),
            Ok(read) => deframer.push(&buffer[..read]).map(Some).map_err(|_| Over(TcpEnd::BadFrame)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(_) => Err(Over(TcpEnd::ByClient)),
        }
    }
}

/// Why a connection's task ends by itself.
struct Over(TcpEnd);

/// One connection's task: runs until either side ends it, then says so.
async fn serve(connection: Arc<Connection>, events: mpsc::Sender<TcpEvent>) {
    let why = tokio::select! {
        // Otherwise counted by whoever ended it.
        () = connection.end.cancelled() => connection.broken.load(Ordering::Relaxed).then_some(TcpEnd::ByClient),
        Err(Over(why)) = exchange(&connection, &events) => Some(why),
    };
    connection.end.cancel();
    // Fails only when the worker is gone, and with it the table.
    drop(events.send(TcpEvent::Closed { remote: connection.remote, why }).await);
}

async fn exchange(connection: &Connection, events: &mpsc::Sender<TcpEvent>) -> Result<(), Over> {
    let mut deframer = Deframer::default();
    loop {
        let waits = !connection.backlog.lock().expect(NEVER_POISONED).is_empty();
        let interest = if waits { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        let ready = tokio::select! {
            ready = connection.stream.ready(interest) => ready.map_err(|_| Over(TcpEnd::ByClient))?,
            () = connection.filled.notified() => continue,
        };
        if ready.is_writable() {
            connection.write(&mut connection.backlog.lock().expect(NEVER_POISONED));
        }
        if ready.is_readable()
            && let Some(frames) = connection.read(&mut deframer)?
            && !frames.is_empty()
        {
            let arrived = TcpEvent::Arrived { remote: connection.remote, local: connection.local, frames };
            events.send(arrived).await.map_err(|_| Over(TcpEnd::ByClient))?;
        }
    }
}

/// The next client; never while accepting rests, or without a listener.
async fn accept(listeners: &[TcpListener], after: Option<TokioInstant>) -> io::Result<(TcpStream, SocketAddr)> {
    if let Some(after) = after {
        sleep_until(after).await;
    }
    match listeners {
        [] => std::future::pending().await,
        [one] => one.accept().await,
        [one, other, ..] => tokio::select! {
            accepted = one.accept() => accepted,
            accepted = other.accept() => accepted,
        },
    }
}

/// Without these options the connection works all the same, only with more delay.
fn prepare(stream: &TcpStream) {
    drop(stream.set_nodelay(true));
    // Old packets belong in our backlog, which is bounded by what is still useful, and not in the kernel's megabytes.
    #[cfg(target_os = "linux")]
    drop(SockRef::from(stream).set_tcp_notsent_lowat(limits::TCP_UNSENT_BYTES));
}

/// One person has a whole /64 of IPv6 addresses.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::sfu::framing::datagrams;

    #[expect(clippy::disallowed_methods, reason = "a test needs some instant to start from")]
    fn start() -> Instant {
        Instant::now()
    }

    fn open() -> (TcpConnections, SocketAddr) {
        let listener = listen(([127, 0, 0, 1], 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        (TcpConnections::new(vec![listener]).unwrap(), address)
    }

    /// A client whose first frame has arrived, and where it is.
    async fn client(connections: &mut TcpConnections, server: SocketAddr) -> (TcpStream, ConnectionId) {
        let mut stream = TcpStream::connect(server).await.unwrap();
        stream.write_all(b"\0\x05hello").await.unwrap();
        let TcpEvent::Arrived { remote: Remote::Tcp { address, connection }, local, frames } = connections.next().await else {
            panic!("closed at once");
        };
        assert_eq!((address, local), (stream.local_addr().unwrap(), Some(server.ip())));
        assert_eq!(datagrams(&frames).collect::<Vec<_>>(), [b"hello"]);
        (stream, connection)
    }

    async fn closed(connections: &mut TcpConnections) -> (Remote, Option<TcpEnd>) {
        match connections.next().await {
            TcpEvent::Closed { remote, why } => (remote, why),
            TcpEvent::Arrived { .. } => panic!("more arrived"),
        }
    }

    #[tokio::test]
    async fn bursts_arrive_as_frames_and_a_closed_connection_is_told_once() {
        let (mut connections, server) = open();
        let (mut stream, id) = client(&mut connections, server).await;
        assert!(connections.send(id, 2, b"aabbc"));
        let mut read = [0; 11];
        stream.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"\0\x02aa\0\x02bb\0\x01c");
        drop(stream);
        assert!(matches!(closed(&mut connections).await, (Remote::Tcp { connection, .. }, Some(TcpEnd::ByClient)) if connection == id));
        assert!(!connections.send(id, 2, b"aa"), "it is gone");
        assert_eq!((connections.len(), connections.ended()[TcpEnd::ByClient as usize]), (0, 1));
        let (_successor, next) = client(&mut connections, server).await;
        assert_eq!(next.slot, id.slot);
        assert!(!connections.send(id, 2, b"aa") && connections.send(next, 2, b"aa"), "its successor is another");
        connections.close().await;
    }

    #[tokio::test]
    async fn a_client_that_does_not_drain_loses_whole_bursts_and_nothing_of_others() {
        let (mut connections, server) = open();
        let (mut slow, id) = client(&mut connections, server).await;
        let burst = |number: u32| number.to_be_bytes().repeat(15_000);
        let mut sent = Vec::new();
        // The kernel's buffers and then ours fill up, whatever their sizes are.
        let mut number = 0;
        while connections.send(id, 1200, &burst(number)) {
            sent.push(number);
            number += 1;
        }
        let open = connections.open.get(id.slot as usize).unwrap();
        let backlog = open.connection.backlog.lock().unwrap().len();
        assert!(backlog <= limits::TCP_BACKLOG_BYTES && backlog + framed_len(1200, 60_000) > limits::TCP_BACKLOG_BYTES, "{backlog}");
        // It drains again: all that was taken arrives, whole and in order, while somebody keeps the table moving.
        let draining = async {
            for number in sent {
                for datagram in burst(number).chunks(1200) {
                    let mut frame = vec![0; 2 + datagram.len()];
                    slow.read_exact(&mut frame).await.unwrap();
                    assert_eq!(frame[..2], (datagram.len() as u16).to_be_bytes());
                    assert_eq!(&frame[2..], datagram);
                }
            }
        };
        draining.await;
        assert!(connections.send(id, 1200, &burst(0)), "there is room again");
        connections.close().await;
    }

    #[tokio::test]
    async fn who_passes_no_check_in_time_is_closed_and_so_is_who_falls_silent() {
        let (mut connections, server) = open();
        let now = start();
        let (mut stranger, _) = client(&mut connections, server).await;
        connections.sweep(now, |_| false);
        connections.sweep(now + limits::TCP_CHECK_TIMEOUT / 2, |_| false);
        assert_eq!(connections.ended(), [0; TcpEnd::ALL.len()]);
        connections.sweep(now + limits::TCP_CHECK_TIMEOUT, |_| false);
        assert_eq!(closed(&mut connections).await.1, None);
        assert_eq!(stranger.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(connections.ended()[TcpEnd::Unchecked as usize], 1);

        let (mut silent, _) = client(&mut connections, server).await;
        connections.sweep(now, |_| true);
        connections.sweep(now + limits::TCP_IDLE_TIMEOUT / 2, |_| true);
        silent.write_all(b"\0\0\0\x01x").await.unwrap();
        assert!(matches!(connections.next().await, TcpEvent::Arrived { .. }));
        connections.sweep(now + limits::TCP_IDLE_TIMEOUT, |_| true);
        assert_eq!(connections.ended()[TcpEnd::Idle as usize], 0, "it spoke in between");
        connections.sweep(now + limits::TCP_IDLE_TIMEOUT * 2, |_| true);
        assert_eq!(closed(&mut connections).await.1, None);
        assert_eq!(silent.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(connections.ended()[TcpEnd::Idle as usize], 1);
        connections.close().await;
    }

    #[tokio::test]
    async fn who_speaks_another_protocol_is_closed() {
        let (mut connections, server) = open();
        let mut browser = TcpStream::connect(server).await.unwrap();
        browser.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert_eq!(closed(&mut connections).await.1, Some(TcpEnd::BadFrame));
        assert_eq!(browser.read(&mut [0]).await.unwrap(), 0);
        connections.close().await;
    }

    #[tokio::test]
    async fn at_the_end_nobody_is_accepted_and_everybody_is_closed() {
        let (mut connections, server) = open();
        let (mut stream, id) = client(&mut connections, server).await;
        assert!(connections.send(id, 3, b"bye"));
        connections.close().await;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest, b"\0\x03bye");
        assert_eq!(TcpStream::connect(server).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
