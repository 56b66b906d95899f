//! A WebSocket client that knows no type of ours: JSON as docs/protocol.md says it.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::house::{House, within};

pub(super) struct Socket {
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Heard and not asked for yet, oldest first.
    waiting: Vec<Value>,
    id: u32,
}

impl Socket {
    pub(super) async fn connect(house: &House) -> Self {
        let url = format!("ws://{}/v1/ws", house.authority());
        let (stream, _) = within("a WebSocket", connect_async(url)).await.unwrap();
        Self { stream, waiting: Vec::new(), id: 0 }
    }

    /// Connects and says hello; returns the `welcome` too.
    pub(super) async fn greet(house: &House, resume: Option<&str>, token: Option<&str>) -> (Self, Value) {
        let mut socket = Self::connect(house).await;
        let mut hello = json!({"type": "hello", "protocol": 1, "client": "test/1"});
        for (key, value) in [("resume", resume), ("token", token)] {
            if let Some(value) = value {
                hello[key] = value.into();
            }
        }
        socket.say(&hello).await;
        let welcome = socket.hear("welcome").await;
        (socket, welcome)
    }

    pub(super) async fn say(&mut self, message: &Value) {
        within("a write", self.stream.send(Message::text(message.to_string()))).await.unwrap();
    }

    /// Sends without caring whether the server still reads.
    pub(super) async fn shout(&mut self, text: &str) -> bool {
        within("a write", self.stream.send(Message::text(text))).await.is_ok()
    }

    /// Sends a request and returns its answer or its error.
    pub(super) async fn ask(&mut self, mut request: Value) -> Value {
        self.id += 1;
        let id = self.id;
        request["id"] = id.into();
        self.say(&request).await;
        self.hear_that(&format!("the answer to {}", request["type"]), |message| message["id"] == id).await
    }

    /// The next message of this type, heard before or not.
    pub(super) async fn hear(&mut self, kind: &str) -> Value {
        self.hear_that(kind, |message| message["type"] == kind).await
    }

    pub(super) async fn hear_that(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.waiting.iter().position(&is_it) {
            return self.waiting.remove(at);
        }
        within(what, async {
            loop {
                let message = self.next().await.unwrap_or_else(|| panic!("closed before {what}"));
                if is_it(&message) {
                    return message;
                }
                self.waiting.push(message);
            }
        })
        .await
    }

    /// The next message as it comes; `None` when the connection is over.
    pub(super) async fn next(&mut self) -> Option<Value> {
        loop {
            match self.stream.next().await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_)) => {}
                Ok(Message::Close(_)) | Err(_) => return None,
            }
        }
    }
}
