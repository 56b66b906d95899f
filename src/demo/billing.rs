//! What the demo tells the server about itself over REST: that it exists, its teams, score and clock, its poster.
//! Never in the way of the picture: every call may fail, and is then only logged.

use anyhow::{Context, bail};
use bytes::Bytes;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method, RequestBuilder, Url};
use serde_json::{Value, json};

use super::picture::{AWAY, CLOCK_START_S, HOME, SCORE};

/// The broadcast on the server, and the right to change it.
#[derive(Debug, Clone)]
pub(super) struct Billing {
    http: Client,
    origin: Url,
    /// Id or slug.
    broadcast: String,
    token: String,
}

impl Billing {
    pub(super) fn new(http: Client, origin: Url, broadcast: String, token: String) -> Self {
        Self { http, origin, broadcast, token }
    }

    fn call(&self, method: Method, path: &str) -> anyhow::Result<RequestBuilder> {
        let url = self.origin.join(&format!("/api/v1/broadcasts/{}{path}", self.broadcast))?;
        Ok(self.http.request(method, url).bearer_auth(&self.token))
    }

    /// Title, teams and score, once per session.
    pub(super) async fn announce(&self, title: &str) -> anyhow::Result<()> {
        let team = |(name, short, color): (&str, &str, u32)| json!({ "name": name, "short": short, "color": format!("#{color:06x}") });
        let body = json!({
            "title": title,
            "teams": { "home": team(HOME), "away": team(AWAY) },
            "score": { "home": SCORE.0, "away": SCORE.1 },
        });
        check(self.call(Method::PATCH, "")?.json(&body)).await
    }

    /// Sets the match clock to the loop's beginning; called as the loop begins.
    pub(super) async fn start_clock(&self) -> anyhow::Result<()> {
        let body = json!({ "clock": { "running": true, "elapsed_ms": CLOCK_START_S * 1000, "period": "2nd half" } });
        check(self.call(Method::PATCH, "")?.json(&body)).await
    }

    /// The picture on the home page until there is a newer one.
    pub(super) async fn poster(&self, jpeg: Bytes) -> anyhow::Result<()> {
        check(self.call(Method::PUT, "/poster")?.header(CONTENT_TYPE, "image/jpeg").body(jpeg)).await
    }
}

async fn check(request: RequestBuilder) -> anyhow::Result<()> {
    let response = request.send().await?;
    let status = response.status();
    if !status.is_success() {
        bail!("{status}: {}", response.text().await.unwrap_or_default().chars().take(200).collect::<String>());
    }
    Ok(())
}

/// Makes the broadcast and returns the token that owns it; `None` when the slug is taken by someone else's.
pub(super) async fn create(http: &Client, origin: &Url, slug: &str, title: &str) -> anyhow::Result<Option<String>> {
    let response = http.post(origin.join("/api/v1/broadcasts")?).json(&json!({ "slug": slug, "title": title })).send().await?;
    let status = response.status();
    if status == reqwest::StatusCode::CONFLICT {
        return Ok(None);
    }
    if !status.is_success() {
        bail!("{status}");
    }
    let created: Value = response.json().await.context("the answer is not JSON")?;
    let token = created["token"].as_str().context("the answer has no token")?;
    Ok(Some(token.to_owned()))
}
