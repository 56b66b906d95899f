//! Janus's VideoRoom over its HTTP interface, so that it can be measured with the same generator: a room for each broadcast, in which the
//! publisher joins and the viewers subscribe. Speaks what Janus 1.x documents; nothing here is used against other servers.

use anyhow::{Context, bail};
use reqwest::Url;
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use super::sdp::{self, Direction, LocalSide, RemoteSide};
use crate::limits::{LOADGEN_CONNECT_TIMEOUT, LOADGEN_JANUS_KEEPALIVE};

/// Answers that are not the event waited for, before waiting is given up.
const EVENTS_MAX: usize = 20;
/// The room exists already (VideoRoom's own code).
const ROOM_EXISTS: u64 = 427;

/// The server's interface.
pub(super) struct Janus {
    http: reqwest::Client,
    /// Up to and with `/janus`.
    base: String,
}

/// One session with one handle on the plugin. Ends with its owner.
pub(super) struct Session {
    http: reqwest::Client,
    url: String,
    handle: u64,
    keepalive: AbortHandle,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.keepalive.abort();
    }
}

impl Janus {
    pub(super) fn new(base: &Url) -> anyhow::Result<Self> {
        // Its long polls last for 30 s.
        let http = reqwest::Client::builder().timeout(LOADGEN_CONNECT_TIMEOUT * 3).build().context("cannot set up HTTP")?;
        let base = base.as_str().trim_end_matches('/');
        let base = if base.ends_with("/janus") { base.to_owned() } else { format!("{base}/janus") };
        Ok(Self { http, base })
    }

    /// Publishes to or subscribes in the broadcast's room.
    pub(super) async fn negotiate(
        &self,
        broadcast: &str,
        local: &LocalSide,
        direction: &Direction,
    ) -> anyhow::Result<(RemoteSide, Session)> {
        let session = self.session().await?;
        let room = room(broadcast);
        let remote = match direction {
            Direction::Send { audio_ssrc, .. } => {
                let settings = json!({ "request": "create", "room": room, "publishers": 4, "videocodec": "h264", "bitrate": 0 });
                let created = session.ask(settings, None).await?;
                if let Some(code) = error_of(&created).filter(|&code| code != ROOM_EXISTS) {
                    bail!("Janus refuses a room: {code}");
                }
                session.ask(json!({ "request": "join", "ptype": "publisher", "room": room, "display": "load" }), None).await?;
                session.event(|event| event["plugindata"]["data"]["videoroom"] == "joined").await?;
                let offer = json!({ "type": "offer", "sdp": sdp::offer(local, direction) });
                session.ask(json!({ "request": "publish", "audio": audio_ssrc.is_some(), "video": true }), Some(offer)).await?;
                let event = session.event(|event| event["jsep"]["type"] == "answer").await?;
                read(&event)?
            }
            Direction::Receive { .. } => {
                let listed = session.ask(json!({ "request": "listparticipants", "room": room }), None).await?;
                let people = listed["plugindata"]["data"]["participants"].as_array().cloned().unwrap_or_default();
                let feed = people.iter().find(|person| person["publisher"] == true).context("nobody publishes in the room")?["id"].clone();
                let streams = json!([{ "feed": feed }]);
                session.ask(json!({ "request": "join", "ptype": "subscriber", "room": room, "streams": streams }), None).await?;
                let event = session.event(|event| event["jsep"]["type"] == "offer").await?;
                let remote = read(&event)?;
                let offered = event["jsep"]["sdp"].as_str().unwrap_or_default();
                let answer = json!({ "type": "answer", "sdp": sdp::answer(local, offered, remote.video) });
                session.ask(json!({ "request": "start", "room": room }), Some(answer)).await?;
                remote
            }
        };
        Ok((remote, session))
    }

    async fn session(&self) -> anyhow::Result<Session> {
        let made = post(&self.http, &self.base, json!({ "janus": "create" })).await?;
        let id = made["data"]["id"].as_u64().context("Janus made no session")?;
        let url = format!("{}/{id}", self.base);
        let attached = post(&self.http, &url, json!({ "janus": "attach", "plugin": "janus.plugin.videoroom" })).await?;
        let handle = attached["data"]["id"].as_u64().context("Janus has no VideoRoom plugin")?;
        let (http, kept) = (self.http.clone(), url.clone());
        let keepalive = tokio::spawn(async move {
            let mut due = tokio::time::interval(LOADGEN_JANUS_KEEPALIVE);
            due.tick().await;
            loop {
                due.tick().await;
                if let Err(error) = post(&http, &kept, json!({ "janus": "keepalive" })).await {
                    tracing::debug!(%error, "keeping a session alive");
                }
            }
        });
        Ok(Session { http: self.http.clone(), url, handle, keepalive: keepalive.abort_handle() })
    }
}

impl Session {
    /// A request to the plugin; its immediate answer, which for most requests only says that it came.
    async fn ask(&self, body: Value, jsep: Option<Value>) -> anyhow::Result<Value> {
        let mut message = json!({ "janus": "message", "body": body });
        if let Some(jsep) = jsep {
            message["jsep"] = jsep;
        }
        post(&self.http, &format!("{}/{}", self.url, self.handle), message).await
    }

    /// The next event for which `wanted` holds.
    async fn event(&self, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        for _ in 0..EVENTS_MAX {
            let response = self.http.get(format!("{}?maxev=1", self.url)).send().await.context("Janus does not answer")?;
            let event: Value = serde_json::from_str(&response.text().await?).context("Janus sends no JSON")?;
            if wanted(&event) {
                return Ok(event);
            }
            if let Some(code) = error_of(&event) {
                bail!("Janus refuses: {code} {}", event["plugindata"]["data"]["error"]);
            }
        }
        bail!("Janus does not say what was waited for")
    }

    pub(super) async fn destroy(self) {
        if let Err(error) = post(&self.http, &self.url, json!({ "janus": "destroy" })).await {
            tracing::debug!(%error, "ending a session");
        }
    }
}

async fn post(http: &reqwest::Client, url: &str, mut message: Value) -> anyhow::Result<Value> {
    message["transaction"] = json!(format!("{:016x}", rand::random::<u64>()));
    let response = http.post(url).body(message.to_string()).send().await.context("Janus does not answer")?;
    let answer: Value = serde_json::from_str(&response.text().await?).context("Janus sends no JSON")?;
    if answer["janus"] == "error" {
        bail!("Janus refuses: {}", answer["error"]["reason"]);
    }
    Ok(answer)
}

/// The plugin's error code, if it says one.
fn error_of(answer: &Value) -> Option<u64> {
    answer["plugindata"]["data"]["error_code"].as_u64()
}

fn read(event: &Value) -> anyhow::Result<RemoteSide> {
    let text = event["jsep"]["sdp"].as_str().unwrap_or_default();
    sdp::read(text).with_context(|| format!("the description lacks credentials, a UDP candidate or H.264:\n{text}"))
}

/// Rooms have numbers: one made of the name, small enough for JavaScript.
fn room(broadcast: &str) -> u64 {
    let hash = broadcast.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    1 + (hash >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_numbers_that_javascript_can_hold() {
        assert!((1..1 << 53).contains(&room("load")));
        assert_ne!(room("load-1"), room("load-2"));
    }

    #[test]
    fn the_base_ends_in_janus_once() {
        for url in ["http://127.0.0.1:8088", "http://127.0.0.1:8088/janus/"] {
            let janus = Janus::new(&Url::parse(url).expect("an address")).expect("HTTP");
            assert_eq!(janus.base, "http://127.0.0.1:8088/janus");
        }
    }
}
