//! The people whose words are never left out, by REST: a broadcaster with the broadcast, a moderator, pairs of friends.

use anyhow::{Context as _, ensure};
use reqwest::{Client, Method, RequestBuilder, Url};
use serde_json::{Value, json};

use super::run::Place;
use crate::limits::CROWD_FRIENDS;

/// Tokens of who takes part.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) broadcaster: String,
    pub(super) moderator: String,
    /// Each speaks and is heard by the other one.
    pub(super) friends: Vec<(String, String)>,
}

struct Account {
    id: String,
    token: String,
}

struct Rest {
    client: Client,
    base: Url,
}

/// Signs everybody up and makes the broadcast.
pub(super) async fn cast(place: &Place) -> anyhow::Result<Cast> {
    let mut base = place.url.clone();
    ensure!(base.scheme() == "ws" && base.set_scheme("http").is_ok(), "a flood needs an address that begins with ws://");
    base.set_path("/api/v1/");
    let rest = Rest { client: Client::new(), base };
    let broadcaster = rest.sign_up("broadcaster").await?;
    let made = json!({ "title": "Crowd", "slug": place.broadcast });
    rest.ask(rest.request(Method::POST, "broadcasts", Some(&broadcaster))?.json(&made)).await.context("making the broadcast")?;
    let moderator = rest.sign_up("moderator").await?;
    let path = format!("broadcasts/{}/moderators/{}", place.broadcast, moderator.id);
    rest.ask(rest.request(Method::PUT, &path, Some(&broadcaster))?).await.context("naming a moderator")?;
    let mut friends = Vec::new();
    for pair in 0..CROWD_FRIENDS {
        let (one, other) = (rest.sign_up(&format!("one {pair}")).await?, rest.sign_up(&format!("other {pair}")).await?);
        // Asked by one and then by the other, it is accepted.
        for (asks, asked) in [(&one, &other), (&other, &one)] {
            rest.ask(rest.request(Method::PUT, &format!("me/friends/{}", asked.id), Some(asks))?).await.context("making friends")?;
        }
        friends.push((one.token, other.token));
    }
    Ok(Cast { broadcaster: broadcaster.token, moderator: moderator.token, friends })
}

impl Rest {
    fn request(&self, method: Method, path: &str, by: Option<&Account>) -> anyhow::Result<RequestBuilder> {
        let request = self.client.request(method, self.base.join(path)?).header("x-courtside", "crowd");
        Ok(match by {
            Some(account) => request.bearer_auth(&account.token),
            None => request,
        })
    }

    async fn ask(&self, request: RequestBuilder) -> anyhow::Result<Value> {
        let response = request.send().await?;
        let (status, text) = (response.status(), response.text().await?);
        ensure!(status.is_success(), "{status}: {text}");
        Ok(if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? })
    }

    async fn sign_up(&self, role: &str) -> anyhow::Result<Account> {
        // No two people have the same name; a server may have seen a crowd before.
        let tag: u32 = rand::random();
        let new = json!({ "name": format!("Crowd {role} {tag:08x}"), "email": format!("{tag:08x}@crowd.example"), "password": format!("{:032x}", rand::random::<u128>()) });
        let signed_in = self
            .ask(self.request(Method::POST, "auth/sign-up", None)?.json(&new))
            .await
            .with_context(|| format!("signing up the {role}"))?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("an account without id or token");
        Ok(Account { id: text(&signed_in["account"]["id"])?, token: text(&signed_in["token"])? })
    }
}
