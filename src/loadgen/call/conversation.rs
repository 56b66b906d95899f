//! A member's WebSocket (docs/protocol.md): requests with their answers, pushes in between. JSON as the document says it, and no type of the server's.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use reqwest::Url;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::limits::{LOADGEN_CONNECT_TIMEOUT, LOADGEN_MESSAGE_BYTES_MAX, LOADGEN_PUSHES_MAX};

/// Where conversations go to.
#[derive(Debug, Clone)]
pub(super) struct Front {
    base: Url,
    server: SocketAddr,
}

impl Front {
    /// # Errors
    /// Not the address of an HTTP server.
    pub(super) fn new(base: &Url) -> anyhow::Result<Self> {
        ensure!(base.scheme() == "http", "calls are loaded over plain HTTP, not {}", base.scheme());
        let server = *base.socket_addrs(|| None)?.iter().min_by_key(|address| address.is_ipv6()).context("the server has no address")?;
        Ok(Self { base: base.clone(), server })
    }

    /// Where the members of a call come from: on loopback an address for each call, because a server lets in so many of each.
    fn address_of(&self, call: usize) -> Option<IpAddr> {
        let is_loopback = matches!(self.server.ip(), IpAddr::V4(ip) if ip.is_loopback());
        is_loopback.then(|| Ipv4Addr::from_bits(Ipv4Addr::new(127, 16, 0, 1).to_bits() + call as u32).into())
    }

    /// A new account; returns its token.
    ///
    /// # Errors
    /// The server makes none.
    pub(super) async fn sign_up(&self, call: usize) -> anyhow::Result<String> {
        let http = reqwest::Client::builder().timeout(LOADGEN_CONNECT_TIMEOUT).local_address(self.address_of(call)).build()?;
        let name = format!("Load {:016x}", rand::random::<u64>());
        let email = format!("{}@example.org", name.replace(' ', "."));
        let new = json!({ "name": name, "email": email, "password": format!("{:032x}", rand::random::<u128>()) });
        let request = http.post(self.base.join("/api/v1/auth/sign-up")?).header("x-courtside", "1").json(&new);
        let response = request.send().await.context("the server does not answer")?;
        let status = response.status();
        let answer: Value = response.json().await.unwrap_or_default();
        ensure!(status.is_success(), "no account for who begins a call: {status}: {}", answer["detail"].as_str().unwrap_or_default());
        Ok(answer["token"].as_str().context("signed up without a token")?.to_owned())
    }
}

/// See the file's head.
pub(super) struct Conversation {
    stream: WebSocketStream<TcpStream>,
    id: u32,
    /// Pushed while an answer was waited for, oldest first. Full: the oldest is forgotten.
    pushed: VecDeque<Value>,
}

impl Conversation {
    /// Connects and says hello.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub(super) async fn open(front: &Front, call: usize, token: Option<&str>) -> anyhow::Result<Self> {
        let opening = async {
            let socket = if front.server.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            if let Some(address) = front.address_of(call) {
                socket.bind(SocketAddr::new(address, 0))?;
            }
            let stream = socket.connect(front.server).await.context("cannot connect")?;
            stream.set_nodelay(true)?;
            let mut url = front.base.join("/v1/ws")?;
            url.set_scheme("ws").map_err(|()| anyhow::anyhow!("{} has no WebSockets", front.base))?;
            let config = WebSocketConfig::default().max_message_size(Some(LOADGEN_MESSAGE_BYTES_MAX));
            let (stream, _) = client_async_with_config(url.as_str(), stream, Some(config)).await.context("no WebSocket")?;
            let mut conversation = Self { stream, id: 0, pushed: VecDeque::new() };
            let mut hello = json!({ "type": "hello", "protocol": 1, "client": "courtside-loadgen" });
            if let Some(token) = token {
                hello["token"] = token.into();
            }
            conversation.tell(&hello).await?;
            conversation.answer(|message| message["type"] == "welcome" || message["type"] == "error").await?;
            Ok(conversation)
        };
        tokio::time::timeout(LOADGEN_CONNECT_TIMEOUT, opening).await.context("no welcome in time")?
    }

    /// Sends a request and returns its answer.
    ///
    /// # Errors
    /// It is refused, or not answered.
    pub(super) async fn ask(&mut self, mut request: Value) -> anyhow::Result<Value> {
        self.id += 1;
        let id = self.id;
        request["id"] = id.into();
        let asking = async {
            self.tell(&request).await?;
            self.answer(|message| message["id"] == id).await
        };
        let answered = tokio::time::timeout(LOADGEN_CONNECT_TIMEOUT, asking).await;
        answered.with_context(|| format!("no answer to {} in time", request["type"]))?
    }

    /// Sends what is not answered, or whose answer nobody waits for.
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) async fn tell(&mut self, message: &Value) -> anyhow::Result<()> {
        self.stream.send(Message::text(message.to_string())).await.context("the WebSocket broke")
    }

    /// As [`Self::tell`], of a request.
    pub(super) async fn ping(&mut self) -> anyhow::Result<()> {
        self.id += 1;
        let id = self.id;
        self.tell(&json!({ "type": "ping", "id": id, "client_time_ms": 0.0 })).await
    }

    /// The next push. May be dropped while it waits.
    ///
    /// # Errors
    /// The connection is gone.
    pub(super) async fn next(&mut self) -> anyhow::Result<Value> {
        match self.pushed.pop_front() {
            Some(pushed) => Ok(pushed),
            None => self.read().await,
        }
    }

    /// Leaves for good: the server ends the session.
    pub(super) async fn close(mut self) {
        let closing = self.stream.close(Some(CloseFrame { code: CloseCode::Normal, reason: Utf8Bytes::default() }));
        if tokio::time::timeout(Duration::from_secs(1), closing).await.is_err() {
            tracing::debug!("a WebSocket did not close");
        }
    }

    async fn answer(&mut self, is_it: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        loop {
            let message = self.read().await?;
            if is_it(&message) {
                if message["type"] == "error" {
                    let error = &message["error"];
                    bail!("{}: {}", error["code"].as_str().unwrap_or_default(), error["message"].as_str().unwrap_or_default());
                }
                return Ok(message);
            }
            if self.pushed.len() >= LOADGEN_PUSHES_MAX {
                self.pushed.pop_front();
            }
            self.pushed.push_back(message);
        }
    }

    async fn read(&mut self) -> anyhow::Result<Value> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).context("not JSON"),
                Some(Ok(Message::Close(frame))) => {
                    bail!("the server closed: {}", frame.map_or_else(String::new, |frame| frame.reason.to_string()))
                }
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(error)) => return Err(error).context("the WebSocket broke"),
                None => bail!("the WebSocket ended"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_come_from_addresses_of_their_own_on_loopback_alone() {
        let front = |url: &str| Front::new(&Url::parse(url).expect("an address")).expect("a server");
        let here = front("http://127.0.0.1:7880");
        assert_eq!(here.address_of(0), Some(Ipv4Addr::new(127, 16, 0, 1).into()));
        assert_eq!(here.address_of(300), Some(Ipv4Addr::new(127, 16, 1, 45).into()));
        assert_eq!(front("http://192.0.2.1").address_of(1), None);
        assert!(Front::new(&Url::parse("https://127.0.0.1").expect("an address")).is_err());
    }
}
