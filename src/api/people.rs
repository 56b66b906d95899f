//! `/api/v1/people`, `/api/v1/me/friends`, `blocks` and `follows`: finding people, and what they are to each other.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::asker::{Asker, PRIVATE};
use super::users::parse;
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

pub(super) async fn befriend(
    State(live): State<Live>,
    Path(user): Path<String>,
    asker: Asker,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let answer = async {
        let relation = live.befriend(&who, parse(&user)?).await?;
        Ok(([PRIVATE], Json(RelationNow { relation })).into_response())
    };
    Ok(asker.counted_for(&live, Asked::FriendRequest, who.sub, answer).await)
}

pub(super) async fn unfriend(
    State(live): State<Live>,
    Path(user): Path<String>,
    asker: Asker,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let answer = async {
        live.unfriend(&who, parse(&user)?).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    Ok(asker.counted_for(&live, Asked::Change, who.sub, answer).await)
}

pub(super) async fn block(
    State(live): State<Live>,
    Path(user): Path<String>,
    asker: Asker,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let answer = async {
        live.block(&who, parse(&user)?).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    Ok(asker.counted_for(&live, Asked::Change, who.sub, answer).await)
}

pub(super) async fn unblock(
    State(live): State<Live>,
    Path(user): Path<String>,
    asker: Asker,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let answer = async {
        live.unblock(&who, parse(&user)?).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    Ok(asker.counted_for(&live, Asked::Change, who.sub, answer).await)
}

pub(super) async fn follows(State(live): State<Live>, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    Ok(([PRIVATE], Json(PeopleList { people: live.follows(&who).await? })).into_response())
}

pub(super) async fn follow(
    State(live): State<Live>,
    Path(user): Path<String>,
    asker: Asker,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let answer = async {
        live.follow(&who, parse(&user)?).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    Ok(asker.counted_for(&live, Asked::Change, who.sub, answer).await)
}

pub(super) async fn unfollow(
    State(live): State<Live>,
    Path(user): Path<String>,
    asker: Asker,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let answer = async {
        live.unfollow(&who, parse(&user)?).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    Ok(asker.counted_for(&live, Asked::Change, who.sub, answer).await)
}
