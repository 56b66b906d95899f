//! `/v1/ws`: one connection. A dull loop that feeds a [`Session`] and does what it says; decides nothing but who gets the session next.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use metrics::{counter, gauge, histogram};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep_until};
use tokio_util::sync::WaitForCancellationFutureOwned;

use super::commands::{Followed, execute};
use super::hello::{Greeting, may_resume, read_hello};
use super::live::{Live, Mail, Mailbox, News, Parked, Rejoined, encode, until};
use super::now::Now;
use super::outbox::Outbox;
use super::protocol::{BroadcastView, ByeReason, ChatFrame, ClientMessage, PROTOCOL_VERSION, PlaybackReport, ServerMessage};
use super::refusal::Refusal;
use super::session::{Action, Session, error};
use crate::limits::{
    CLIENT_MESSAGE_BYTES_MAX, HELLO_ATTEMPTS_MAX, HELLO_TIMEOUT, OUTBOX_MESSAGES, PING_INTERVAL, REPORTED_COUNT_MAX, REPORTED_MAX_MS,
    RESUME_WINDOW,
};
use crate::social::people::PersonNews;
use crate::social::{Link, Seat, SeatNews};
use crate::telemetry::{
    CLIENT_FIRST_FRAME, CLIENT_FRAMES_DROPPED, CLIENT_FREEZES, CLIENT_FROZEN, CLIENT_LATENCY, SIGNALING_CONNECTIONS,
    SIGNALING_MESSAGES_RECEIVED, SIGNALING_SESSIONS_RESUMED,
};
use crate::websocket::{Frame, Message, QueueFull, Socket, SocketError, Upgrade};

/// Close codes of RFC 6455 section 7.4.1.
const NORMAL: u16 = 1000;
const GOING_AWAY: u16 = 1001;

const SERVER: &str = concat!("courtside/", env!("CARGO_PKG_VERSION"));

/// `GET /v1/ws`.
pub(super) async fn upgrade(State(live): State<Live>, upgrade: Upgrade) -> Response<Body> {
    upgrade.on_upgrade(CLIENT_MESSAGE_BYTES_MAX, OUTBOX_MESSAGES, move |socket| serve(live, socket))
}

/// How a connection ends.
enum End {
    /// The client is gone, or cannot be written to.
    Broken,
    /// The client closed, with this code.
    Closed(Option<u16>),
    /// The client breaks the rules of WebSocket; the code says how.
    Offends(u16),
    Bye(ByeReason),
    TakenOver(oneshot::Sender<Parked>),
}

impl From<QueueFull> for End {
    fn from(QueueFull: QueueFull) -> Self {
        Self::Bye(ByeReason::SlowConsumer)
    }
}

impl From<SocketError> for End {
    fn from(error: SocketError) -> Self {
        match error {
            SocketError::Broken(_) => Self::Broken,
            SocketError::Protocol(offence) => Self::Offends(offence.close_code()),
        }
    }
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

/// One connection and the session that it carries.
struct Connection {
    live: Live,
    outbox: Outbox,
    session: Session,
    mailbox: Mailbox,
    followed: Followed,
    /// Both live as long as the connection: made anew for each step they cost more than a step does.
    timer: Pin<Box<Sleep>>,
    closing: Pin<Box<WaitForCancellationFutureOwned>>,
}

async fn serve(live: Live, socket: Socket) {
    let conversations = live.conversations().clone();
    // Tracked, because shutdown waits for conversations; they end by the closing token.
    let conversation = conversations.track_future(async {
        // What is large and done with soon does not make the future of every connection larger.
        match Box::pin(greet(&live, Outbox::new(socket))).await {
            Ok(connection) => connection.converse().await,
            Err(unwelcome) => match *unwelcome {
                (outbox, End::Bye(reason)) => outbox.say_bye(reason).await,
                (outbox, End::Closed(code)) => outbox.close(code.unwrap_or(NORMAL)).await,
                (outbox, End::Offends(code)) => outbox.close(code).await,
                (_, End::Broken | End::TakenOver(_)) => {}
            },
        }
    });
    gauge!(SIGNALING_CONNECTIONS).increment(1.0);
    conversation.await;
    gauge!(SIGNALING_CONNECTIONS).decrement(1.0);
}

/// A connection that does not come to talk, and why.
type Unwelcome = Box<(Outbox, End)>;

/// Until a `hello` is in order.
async fn greet(live: &Live, mut outbox: Outbox) -> Result<Box<Connection>, Unwelcome> {
    let deadline = Now::read().after(HELLO_TIMEOUT).instant;
    let mut attempts = 0;
    while attempts < HELLO_ATTEMPTS_MAX {
        let message = tokio::select! {
            message = outbox.receive() => message,
            () = until(Some(deadline)) => return Err(Box::new((outbox, End::Bye(ByeReason::HelloTimeout)))),
            () = live.closing().cancelled() => return Err(Box::new((outbox, End::Bye(ByeReason::ShuttingDown)))),
        };
        attempts += 1;
        let read = match message {
            Ok(Some(Message::Text(text))) => parse(&text).and_then(|message| read_hello(message, live.tokens(), Now::read().unix_s())),
            Ok(Some(Message::Binary)) => Err(Refusal::MalformedMessage("messages are text frames".to_owned())),
            Ok(Some(Message::Ping(_) | Message::Pong) | None) => continue,
            Ok(Some(Message::Close(code))) => return Err(Box::new((outbox, End::Closed(code)))),
            Err(error) => return Err(Box::new((outbox, error.into()))),
        };
        let refusal = match read {
            Ok(greeting) => match open(live, greeting).await {
                Ok(opened) => return welcome(live, outbox, opened),
                Err(refusal) => refusal,
            },
            Err(refusal) => refusal,
        };
        if let Err(error) = outbox.send(&error(None, &refusal)) {
            return Err(Box::new((outbox, error.into())));
        }
        match refusal {
            Refusal::UnsupportedProtocol { .. } => return Err(Box::new((outbox, End::Bye(ByeReason::ProtocolError)))),
            Refusal::ShuttingDown => return Err(Box::new((outbox, End::Bye(ByeReason::ShuttingDown)))),
            _ => {}
        }
    }
    Err(Box::new((outbox, End::Bye(ByeReason::ProtocolError))))
}

struct Opened {
    session: Session,
    mailbox: Mailbox,
    resume: String,
    is_resumed: bool,
    token: Option<String>,
    link: Option<Link>,
}

/// The earlier session, or a new one.
async fn open(live: &Live, greeting: Greeting) -> Result<Opened, Refusal> {
    let Greeting { client, claims, resume } = greeting;
    if let Some(resume) = resume
        && let Some(Parked { mut session, mailbox }) = live.resume_session(&resume).await
    {
        if may_resume(session.identity(), claims.as_ref()) {
            claims.into_iter().for_each(|claims| session.handle_identity(claims));
            counter!(SIGNALING_SESSIONS_RESUMED).increment(1);
            tracing::debug!(session = %session.id, client, "session resumed");
            let link = live.connect_person(session.identity()).await;
            return Ok(Opened { session, mailbox, resume, is_resumed: true, token: None, link });
        }
        // Somebody else now sits at this browser: the earlier session goes back to wait for its owner.
        live.park_session(Parked { session, mailbox });
    }
    let (identity, token) = live.identity(claims);
    let (id, mailbox, resume) = live.open_session()?;
    tracing::debug!(session = %id, user = %identity.sub, client, "session opened");
    let link = live.connect_person(&identity).await;
    Ok(Opened { session: Session::new(Now::read(), id, identity), mailbox, resume, is_resumed: false, token, link })
}

fn welcome(live: &Live, mut outbox: Outbox, opened: Opened) -> Result<Box<Connection>, Unwelcome> {
    let Opened { mut session, mailbox, resume, is_resumed, token, link } = opened;
    let now = Now::read();
    let message = ServerMessage::Welcome {
        protocol: PROTOCOL_VERSION,
        server: SERVER.to_owned(),
        session: session.id,
        resume,
        resume_window_ms: RESUME_WINDOW.as_millis() as u32,
        resumed: is_resumed,
        user: session.user(),
        token,
        server_time_ms: now.unix_ms,
        ice_servers: live.settings().ice_servers.for_user(Some(session.identity().sub), now.unix_s()),
        ping_interval_ms: PING_INTERVAL.as_millis() as u32,
    };
    let mut messages = vec![message];
    // A seat in the chat is taken anew: the client says what it has seen.
    let mut followed = Followed { link, line: Some(outbox.line()), ..Followed::default() };
    if is_resumed {
        let (alive, grants) = match session.broadcast().and_then(|broadcast| live.rejoin(session.id, broadcast, session.claims())) {
            Some(Rejoined { news, view, grants, alive, present }) => {
                followed.news = Some(news);
                messages.extend(present_state(view));
                messages.extend(present);
                (alive, Some(grants))
            }
            None => (Vec::new(), None),
        };
        let gone = session.handle_resume(now, &alive, grants);
        messages.extend(gone.into_iter().filter_map(|action| match action {
            Action::Send(message) => Some(message),
            Action::Command(_) | Action::Report(_) | Action::Bye(_) => None,
        }));
    }
    followed.show_place(live, session.id);
    match messages.iter().try_for_each(|message| outbox.send(message)) {
        Ok(()) => Ok(Box::new(Connection {
            live: live.clone(),
            outbox,
            timer: Box::pin(sleep_until(session.wake_at().into())),
            closing: Box::pin(live.closing().clone().cancelled_owned()),
            session,
            mailbox,
            followed,
        })),
        Err(error) => {
            live.park_session(Parked { session, mailbox });
            Err(Box::new((outbox, error.into())))
        }
    }
}

/// Whole, so that it mends whatever was missed.
fn present_state(view: BroadcastView) -> [ServerMessage; 3] {
    let viewers = ServerMessage::Viewers { count: view.viewers, peak: view.viewers_peak };
    let layers = ServerMessage::Layers { layers: view.layers.clone() };
    [ServerMessage::Broadcast { broadcast: view }, viewers, layers]
}

impl Connection {
    /// Boxed, because a future holds what is moved through it once for each move.
    async fn converse(mut self: Box<Self>) {
        let end = loop {
            // What was queued before is on its way while we wait; what cannot be written at once is written by the next step.
            if let Err(error) = self.outbox.write_now(|| Now::read().instant).await {
                break error.into();
            }
            if let Err(end) = self.step().await {
                break end;
            }
        };
        Box::pin(self.take_leave(end)).await;
    }

    async fn take_leave(mut self: Box<Self>, end: End) {
        if matches!(end, End::Bye(ByeReason::ShuttingDown)) {
            self.hear_out().await;
        }
        let Self { live, outbox, session, mailbox, followed, .. } = *self;
        drop(followed);
        let session_id = session.id;
        let parked = Parked { session, mailbox };
        match end {
            End::Broken => live.park_session(parked),
            // The page is gone, and its media peers with it.
            End::Closed(Some(code @ (NORMAL | GOING_AWAY))) => {
                live.end_session(session_id);
                outbox.close(code).await;
            }
            End::Closed(code) => {
                live.park_session(parked);
                outbox.close(code.unwrap_or(NORMAL)).await;
            }
            End::Offends(code) => {
                live.park_session(parked);
                outbox.close(code).await;
            }
            End::Bye(ByeReason::ProtocolError) => {
                live.end_session(session_id);
                outbox.say_bye(ByeReason::ProtocolError).await;
            }
            End::Bye(reason) => {
                live.park_session(parked);
                outbox.say_bye(reason).await;
            }
            End::TakenOver(taker) => {
                if let Err(parked) = taker.send(parked) {
                    live.park_session(parked);
                }
                outbox.say_bye(ByeReason::Replaced).await;
            }
        }
    }

    /// What it has been told already, that its call is over for one, is said before goodbye.
    async fn hear_out(&mut self) {
        while let Ok(Mail::Told(told)) = self.mailbox.try_recv() {
            let actions = self.session.handle_told(*told);
            if self.perform(actions).await.is_err() {
                break;
            }
        }
    }

    /// Waits for one thing and handles it.
    async fn step(&mut self) -> Result<(), End> {
        let wake_at = self.outbox.wake_at().map_or(self.session.wake_at(), |at| at.min(self.session.wake_at()));
        // A timer that is early costs one look; moving it at every step would cost more.
        if self.timer.is_elapsed() || self.timer.deadline() > wake_at.into() {
            self.timer.as_mut().reset(wake_at.into());
        }
        let has_room = self.outbox.has_room();
        tokio::select! {
            message = self.outbox.receive() => match message? {
                Some(Message::Text(text)) => {
                    let actions = match parse(&text) {
                        Ok(message) => {
                            counter!(SIGNALING_MESSAGES_RECEIVED, "type" => word(&message)).increment(1);
                            self.session.handle_message(Now::read(), message)
                        }
                        Err(refusal) => self.session.handle_malformed(Now::read(), &refusal),
                    };
                    self.perform(actions).await
                }
                Some(Message::Binary) => {
                    let refusal = Refusal::MalformedMessage("messages are text frames".to_owned());
                    let actions = self.session.handle_malformed(Now::read(), &refusal);
                    self.perform(actions).await
                }
                // Answered already, or there is room again for what is chosen below.
                Some(Message::Ping(_) | Message::Pong) | None => Ok(()),
                Some(Message::Close(code)) => Err(End::Closed(code)),
            },
            mail = self.mailbox.recv() => match mail {
                Some(Mail::Told(told)) => {
                    if self.live.take_overflow(self.session.id) {
                        return Err(End::Bye(ByeReason::SlowConsumer));
                    }
                    let actions = self.session.handle_told(*told);
                    self.perform(actions).await
                }
                Some(Mail::TakeOver(taker)) => Err(End::TakenOver(taker)),
                // The registry forgot the session: it is shutting down.
                None => Err(End::Bye(ByeReason::ShuttingDown)),
            },
            news = next(&mut self.followed.news) => match news {
                Ok(frame) => Ok(self.outbox.push(&frame)?),
                Err(RecvError::Lagged(_)) => self.catch_up(),
                Err(RecvError::Closed) => {
                    self.followed.news = None;
                    Ok(())
                }
            },
            social = next_of_social(&mut self.followed.seat, &mut self.followed.link, has_room) => match social {
                SocialNews::Chat(SeatNews::Text(frame)) => Ok(self.outbox.push(&frame)?),
                SocialNews::Chat(SeatNews::Answered { id, answer }) => Ok(self.outbox.send(&Session::handle_chat_answer(id, answer))?),
                SocialNews::Chat(SeatNews::Resync(history)) => Ok(self.outbox.send(&ServerMessage::ChatResync { history: *history })?),
                SocialNews::People(news) => match self.live.tell_of_people(self.session.identity(), news).await {
                    Some(message) => Ok(self.outbox.send(&message)?),
                    None => Err(End::Bye(ByeReason::SlowConsumer)),
                },
                SocialNews::Chat(SeatNews::TooSlow) => Err(End::Bye(ByeReason::SlowConsumer)),
            },
            () = &mut self.timer => {
                let actions = self.session.handle_timeout(Now::read());
                self.perform(actions).await
            }
            () = &mut self.closing => Err(End::Bye(ByeReason::ShuttingDown)),
        }
    }

    async fn perform(&mut self, actions: Vec<Action>) -> Result<(), End> {
        let mut actions = VecDeque::from(actions);
        while let Some(action) = actions.pop_front() {
            match action {
                Action::Send(message) => self.outbox.send(&message)?,
                Action::Report(report) => count(&report),
                Action::Bye(reason) => return Err(End::Bye(reason)),
                Action::Command(command) => {
                    if let Some(outcome) = Box::pin(execute(&self.live, &self.session, &mut self.followed, command)).await {
                        actions.extend(self.session.handle_outcome(Now::read(), outcome));
                    }
                }
            }
        }
        Ok(())
    }

    fn catch_up(&mut self) -> Result<(), End> {
        let view = self.session.broadcast().and_then(|broadcast| self.live.snapshot(broadcast));
        Ok(view.into_iter().flat_map(present_state).try_for_each(|message| self.outbox.send(&message))?)
    }
}

/// The next announcement; never, while nothing is joined.
async fn next(news: &mut Option<News>) -> Result<Frame, RecvError> {
    match news {
        Some(news) => news.recv().await,
        None => std::future::pending().await,
    }
}

/// What comes from the social plane.
enum SocialNews {
    Chat(SeatNews),
    People(PersonNews),
}

/// The next thing in the chat or about people, once the client has read most of what it was sent: who reads slowly lags behind in the shared
/// ring, not in a queue of their own. Never, while there is no room, or neither seat nor link.
async fn next_of_social(seat: &mut Option<Seat>, link: &mut Option<Link>, has_room: bool) -> SocialNews {
    let chat = async {
        match seat.as_mut().filter(|_| has_room) {
            Some(seat) => seat.next().await,
            None => std::future::pending().await,
        }
    };
    let people = async {
        match link.as_mut().filter(|_| has_room) {
            Some(link) => link.next().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        news = chat => SocialNews::Chat(news),
        news = people => SocialNews::People(news),
    }
}

/// A frame of the chat as clients read it.
pub(super) fn encode_chat(frame: &ChatFrame) -> Frame {
    encode(&ServerMessage::Chat { frame: frame.clone() })
}

fn parse(text: &str) -> Result<ClientMessage, Refusal> {
    serde_json::from_str(text).map_err(|error| match unknown_type(text) {
        Some(name) => Refusal::UnknownMessage(name),
        None => Refusal::MalformedMessage(error.to_string()),
    })
}

/// The type of a JSON object that has one which is not ours.
fn unknown_type(text: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Tag<'a> {
        #[serde(borrow, rename = "type")]
        name: std::borrow::Cow<'a, str>,
    }
    let tag: Tag<'_> = serde_json::from_str(text).ok()?;
    let is_known = CLIENT_MESSAGE_TYPES.contains(&tag.name.as_ref());
    (!is_known).then(|| tag.name.chars().take(32).collect())
}

/// Every `type` of [`ClientMessage`]; a test holds it to the golden files.
pub(super) const CLIENT_MESSAGE_TYPES: [&str; 26] = [
    "hello",
    "ping",
    "join",
    "leave",
    "offer",
    "candidate",
    "close_peer",
    "quality",
    "view_size",
    "watch_stats",
    "report",
    "update_broadcast",
    "mark",
    "unmark",
    "end_broadcast",
    "enter_chat",
    "leave_chat",
    "say",
    "change_chat",
    "report_message",
    "watch_friends",
    "unwatch_friends",
    "react",
    "call",
    "call_pace",
    "on_air",
];

/// The `type` of a message, for metrics.
const fn word(message: &ClientMessage) -> &'static str {
    match message {
        ClientMessage::Hello { .. } => "hello",
        ClientMessage::Ping { .. } => "ping",
        ClientMessage::Join { .. } => "join",
        ClientMessage::Leave { .. } => "leave",
        ClientMessage::Offer { .. } => "offer",
        ClientMessage::Candidate { .. } => "candidate",
        ClientMessage::ClosePeer { .. } => "close_peer",
        ClientMessage::Quality { .. } => "quality",
        ClientMessage::ViewSize { .. } => "view_size",
        ClientMessage::WatchStats { .. } => "watch_stats",
        ClientMessage::Report { .. } => "report",
        ClientMessage::UpdateBroadcast { .. } => "update_broadcast",
        ClientMessage::Mark { .. } => "mark",
        ClientMessage::Unmark { .. } => "unmark",
        ClientMessage::EndBroadcast { .. } => "end_broadcast",
        ClientMessage::EnterChat { .. } => "enter_chat",
        ClientMessage::LeaveChat { .. } => "leave_chat",
        ClientMessage::Say { .. } => "say",
        ClientMessage::ChangeChat { .. } => "change_chat",
        ClientMessage::ReportMessage { .. } => "report_message",
        ClientMessage::WatchFriends { .. } => "watch_friends",
        ClientMessage::UnwatchFriends { .. } => "unwatch_friends",
        ClientMessage::React { .. } => "react",
        ClientMessage::Call { .. } => "call",
        ClientMessage::CallPace { .. } => "call_pace",
        ClientMessage::OnAir { .. } => "on_air",
    }
}

/// What clients measured about themselves. Nonsense is not a measurement.
fn count(report: &PlaybackReport) {
    let PlaybackReport { first_frame_ms, latency_ms, freezes, frozen_ms, frames_dropped } = *report;
    let is_plausible = |value: &f64| (0.0..REPORTED_MAX_MS).contains(value);
    if let Some(first_frame_ms) = first_frame_ms.filter(is_plausible) {
        histogram!(CLIENT_FIRST_FRAME).record(first_frame_ms);
    }
    if let Some(latency_ms) = latency_ms.filter(is_plausible) {
        histogram!(CLIENT_LATENCY).record(latency_ms);
    }
    if freezes > 0 && is_plausible(&frozen_ms) {
        histogram!(CLIENT_FROZEN).record(frozen_ms);
    }
    counter!(CLIENT_FREEZES).increment(u64::from(freezes.min(REPORTED_COUNT_MAX)));
    counter!(CLIENT_FRAMES_DROPPED).increment(u64::from(frames_dropped.min(REPORTED_COUNT_MAX)));
}

#[cfg(test)]
#[path = "ws_tests.rs"]
mod tests;
