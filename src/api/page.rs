//! Which page of a long list is asked for: `?before=`, what the last one ended with.

use std::str::FromStr;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde::Deserialize;

use crate::signaling::http::read_query;
use crate::signaling::refusal::Refusal;

#[derive(Debug, Deserialize)]
pub(super) struct Page {
    before: Option<String>,
}

/// The first page when nothing is said.
pub(super) fn read_before<T: FromStr>(query: Result<Query<Page>, QueryRejection>, rule: &'static str) -> Result<Option<T>, Refusal> {
    let Page { before } = read_query(query)?;
    before.map(|before| before.parse()).transpose().map_err(|_| Refusal::InvalidValue { field: "before", rule })
}
