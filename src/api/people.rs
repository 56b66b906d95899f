//! `/api/v1/people`, `/api/v1/me/friends`, `blocks` and `follows`: finding people, and what they are to each other.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::asker::{Asker, PRIVATE};
use super::between::Between;
use crate::accounts::Asked;
use crate::signaling::Live;
use crate::signaling::http::{needed_bearer, read_query};
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::people::{PeopleList, RelationNow};

#[derive(Debug, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    search: String,
}

pub(super) async fn search(
    State(live): State<Live>,
    asker: Asker,
    headers: HeaderMap,
    query: Result<Query<Search>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Search { search } = read_query(query)?;
    let who = needed_bearer(&live, &headers)?;
    let answer = async {
        let people = live.search_people(&who, &search).await?;
        Ok(([PRIVATE], Json(PeopleList { people })).into_response())
    };
    Ok(asker.counted_for(&live, Asked::Search, who.sub, answer).await)
}

pub(super) async fn friends(State(live): State<Live>, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    Ok(([PRIVATE], Json(live.friends(&who).await?)).into_response())
}

pub(super) async fn befriend(between: Between) -> Response {
    let answer = async |live: &Live, who: &_, other| Ok(([PRIVATE], Json(RelationNow { relation: live.befriend(who, other).await? })));
    between.counted(Asked::FriendRequest, answer).await
}

pub(super) async fn unfriend(between: Between) -> Response {
    between.change(Live::unfriend).await
}

pub(super) async fn block(between: Between) -> Response {
    between.change(Live::block).await
}

pub(super) async fn unblock(between: Between) -> Response {
    between.change(Live::unblock).await
}

pub(super) async fn follows(State(live): State<Live>, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    Ok(([PRIVATE], Json(PeopleList { people: live.follows(&who).await? })).into_response())
}

pub(super) async fn follow(between: Between) -> Response {
    between.change(Live::follow).await
}

pub(super) async fn unfollow(between: Between) -> Response {
    between.change(Live::unfollow).await
}
