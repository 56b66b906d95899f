//! A request of one person about another, whom its path names as `{user}`.

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::asker::Asker;
use super::users::parse;
use crate::accounts::{Asked, Claims};
use crate::ids::UserId;
use crate::signaling::Live;
use crate::signaling::http::needed_bearer;
use crate::signaling::refusal::Refusal;

/// See the file's head.
#[derive(Debug)]
pub(super) struct Between {
    pub(super) live: Live,
    pub(super) who: Claims,
    asker: Asker,
    user: String,
}

impl FromRequestParts<Live> for Between {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, live: &Live) -> Result<Self, Refusal> {
        let Path(user) = Path::from_request_parts(parts, live).await.map_err(|_| Refusal::NotFound("person"))?;
        let Ok(asker) = Asker::from_request_parts(parts, live).await;
        Ok(Self { who: needed_bearer(live, &parts.headers)?, live: live.clone(), asker, user })
    }
}

impl Between {
    pub(super) fn other(&self) -> Result<UserId, Refusal> {
        parse(&self.user)
    }

    /// Does it if the bearer has allowance left.
    pub(super) async fn counted<T: IntoResponse>(
        self,
        asked: Asked,
        act: impl AsyncFnOnce(&Live, &Claims, UserId) -> Result<T, Refusal>,
    ) -> Response {
        let answer = async { Ok(act(&self.live, &self.who, self.other()?).await?.into_response()) };
        self.asker.counted_for(&self.live, asked, self.who.sub, answer).await
    }

    /// A change that is answered by saying that it is done.
    pub(super) async fn change(self, act: impl AsyncFnOnce(&Live, &Claims, UserId) -> Result<(), Refusal>) -> Response {
        self.counted(Asked::Change, async |live, who, other| act(live, who, other).await.map(|()| StatusCode::NO_CONTENT)).await
    }
}
