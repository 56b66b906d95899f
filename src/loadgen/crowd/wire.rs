//! One socket of the crowd: the handshake, frames out and in, and the way into a chat.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, bail, ensure};
use bytes::{Buf as _, Bytes, BytesMut};
use reqwest::Url;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::run::Place;
use crate::limits::{CROWD_READ_BYTES, LOADGEN_CONNECT_TIMEOUT, LOADGEN_MESSAGE_BYTES_MAX};

/// Sockets from one address of 127.0.0.0/8, below what servers allow and what ports there are.
const PER_ADDRESS: usize = 400;
/// The opcode of RFC 6455 section 5.2 that ends a connection.
const CLOSE: u8 = 8;

/// An open WebSocket.
#[derive(Debug)]
pub(super) struct Wire {
    socket: TcpStream,
    /// What has been read and not been taken.
    buffer: BytesMut,
}

/// A whole frame of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    Message(Bytes),
    Closed,
}

impl Wire {
    /// The handshake. `buffered`: how much the kernel keeps of what is not read.
    pub(super) async fn open(server: SocketAddr, index: usize, url: &Url, buffered: Option<u32>) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        if let Some(bytes) = buffered {
            // Before connecting: the window that is announced goes by it.
            socket.set_recv_buffer_size(bytes)?;
        }
        let address = Ipv4Addr::from_bits(Ipv4Addr::new(127, 1, 0, 1).to_bits() + (index / PER_ADDRESS) as u32);
        socket.bind(SocketAddr::new(IpAddr::V4(address), 0))?;
        let mut socket = socket.connect(server).await.context("cannot connect")?;
        socket.set_nodelay(true)?;
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
        Ok(Self { socket, buffer: BytesMut::new() })
    }

    /// The socket, and what was read of it already.
    pub(super) fn into_parts(self) -> (TcpStream, BytesMut) {
        (self.socket, self.buffer)
    }

    pub(super) async fn say(&mut self, message: &str) -> io::Result<()> {
        self.socket.write_all(&frame_of(message)).await
    }

    /// Reads what has come; 0: the end. Cancelling loses nothing.
    pub(super) async fn read(&mut self) -> io::Result<usize> {
        self.buffer.reserve(CROWD_READ_BYTES);
        self.socket.read_buf(&mut self.buffer).await
    }

    /// The next whole frame of what was read.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Frame>> {
        take_frame(&mut self.buffer)
    }

    /// Reads until a message of this type.
    pub(super) async fn hear(&mut self, kind: &str) -> anyhow::Result<Value> {
        loop {
            while let Some(frame) = self.next()? {
                let Frame::Message(payload) = frame else { bail!("closed while waiting for {kind}") };
                let message: Value = serde_json::from_slice(&payload)?;
                match message["type"].as_str() {
                    Some(found) if found == kind => return Ok(message),
                    Some("error") => bail!("waiting for {kind}: {}", message["error"]),
                    Some("bye") => bail!("waiting for {kind}: bye {}", message["reason"]),
                    _ => {}
                }
            }
            ensure!(self.read().await? > 0, "gone while waiting for {kind}");
        }
    }
}

/// Somebody in the chat.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) wire: Wire,
    /// Their id.
    pub(super) user: String,
}

impl Member {
    /// The way into the chat, and what a newcomer is told there.
    pub(super) async fn enter(place: &Place, index: usize, token: Option<&str>, buffered: Option<u32>) -> anyhow::Result<(Self, Value)> {
        let entering = async {
            let mut wire = Wire::open(place.server, index, &place.url, buffered).await?;
            wire.say(&json!({ "type": "hello", "protocol": 1, "client": "crowd", "token": token }).to_string()).await?;
            let welcome = wire.hear("welcome").await?;
            let user = welcome["user"]["id"].as_str().context("a welcome without a user")?.to_owned();
            wire.say(&json!({ "type": "join", "id": 1, "broadcast": place.broadcast }).to_string()).await?;
            wire.hear("joined").await?;
            wire.say(&json!({ "type": "enter_chat", "id": 2 }).to_string()).await?;
            let entered = wire.hear("chat_entered").await?;
            Ok((Self { wire, user }, entered))
        };
        tokio::time::timeout(LOADGEN_CONNECT_TIMEOUT, entering).await.context("it took too long")?
    }
}

/// A text frame of a client. The mask is zeros: the server cannot tell, and it costs nothing.
pub(super) fn frame_of(message: &str) -> Vec<u8> {
    let mut frame = Vec::with_capacity(message.len() + 14);
    frame.push(0x81);
    match message.len() {
        len @ 0..126 => frame.push(0x80 | len as u8),
        len @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(message.as_bytes());
    frame
}

/// The payload's length in a server's frame; `None` until the header is whole.
pub(super) fn payload_len(header: &[u8]) -> Option<u64> {
    match (header.get(1)? & 0x7f, &header[2..]) {
        (126, [high, low]) => Some(u64::from(u16::from_be_bytes([*high, *low]))),
        (127, rest) => Some(u64::from_be_bytes(rest.try_into().ok()?)),
        (126, _) => None,
        (len, _) => Some(u64::from(len)),
    }
}

fn take_frame(buffer: &mut BytesMut) -> anyhow::Result<Option<Frame>> {
    let header = match buffer.get(1).map(|second| second & 0x7f) {
        None => return Ok(None),
        Some(126) => 4,
        Some(127) => 10,
        Some(_) => 2,
    };
    let Some(len) = buffer.get(..header).and_then(payload_len) else { return Ok(None) };
    ensure!(len <= LOADGEN_MESSAGE_BYTES_MAX as u64, "a frame of {len} bytes");
    if buffer.len() < header + len as usize {
        return Ok(None);
    }
    let opcode = buffer[0] & 0x0f;
    buffer.advance(header);
    let payload = buffer.split_to(len as usize).freeze();
    Ok(Some(if opcode == CLOSE { Frame::Closed } else { Frame::Message(payload) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_whole_however_they_come() {
        let long = "x".repeat(300);
        let mut bytes = vec![0x81, 2, b'h', b'i', 0x81, 126, 1, 44];
        bytes.extend_from_slice(long.as_bytes());
        bytes.extend_from_slice(&[0x88, 0]);
        for step in [1, 3, 1000] {
            let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
            for part in bytes.chunks(step) {
                buffer.extend_from_slice(part);
                while let Some(frame) = take_frame(&mut buffer).expect("they are right") {
                    found.push(frame);
                }
            }
            assert_eq!(found, [Frame::Message(Bytes::from("hi")), Frame::Message(Bytes::from(long.clone())), Frame::Closed], "{step}");
        }
    }

    #[test]
    fn a_frame_that_is_longer_than_any_message_is_refused() {
        let mut buffer = BytesMut::from(&[0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0][..]);
        assert!(take_frame(&mut buffer).is_err());
    }

    #[test]
    fn what_is_said_has_its_length_in_front() {
        assert_eq!(frame_of("hi"), [0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
        assert_eq!(frame_of(&"x".repeat(200))[..4], [0x81, 0x80 | 126, 0, 200]);
    }
}
