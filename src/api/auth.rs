//! `/api/v1/auth`: sign up, sign in, stay signed in, sign out; what letters ask for.
//!
//! The refresh token travels in a cookie, the access token in the answer. Whatever reads or sets the cookie is for pages of ours alone.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::account::to_account;
use super::asker::{Asker, PRIVATE, demand_own_page};
use super::cookie;
use crate::accounts::{AccountError, AccountRefusal, Asked, NewPerson, RateKey, SignedIn};
use crate::signaling::Live;
use crate::signaling::http::{bearer, needed_bearer, read_json};
use crate::signaling::refusal::Refusal;
use crate::signaling::rest::accounts::{Credentials, EmailCode, ForgottenPassword, NewAccount, PasswordReset, SignedIn as SignedInView};

pub(super) async fn sign_up(State(live): State<Live>, asker: Asker, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    demand_own_page(&live, &headers)?;
    let who = bearer(&live, &headers)?;
    let NewAccount { name, email, password } = read_json(&headers, body).await?;
    let answer = async {
        let new = NewPerson { name, email, password };
        let signed_in = live.accounts().sign_up(who.as_ref(), new, &asker.device, asker.now_ms).await?;
        Ok(session(&live, StatusCode::CREATED, signed_in))
    };
    Ok(asker.counted(&live, Asked::SignUp, None, answer).await)
}

pub(super) async fn sign_in(State(live): State<Live>, asker: Asker, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    demand_own_page(&live, &headers)?;
    let Credentials { email, password } = read_json(&headers, body).await?;
    let answer = async {
        let signed_in = live.accounts().sign_in(&email, password, &asker.device, asker.now_ms).await?;
        Ok(session(&live, StatusCode::OK, signed_in))
    };
    Ok(asker.counted(&live, Asked::SignIn, Some(RateKey::mailbox(&email)), answer).await)
}

pub(super) async fn refresh(State(live): State<Live>, asker: Asker, headers: HeaderMap) -> Result<Response, Refusal> {
    demand_own_page(&live, &headers)?;
    let answer = async {
        let Some(token) = cookie::read(&live, &headers) else { return Err(AccountRefusal::SignInEnded.into()) };
        match live.accounts().refresh(token, asker.now_ms).await {
            Ok(signed_in) => Ok(session(&live, StatusCode::OK, signed_in)),
            Err(AccountError::Refused(ended @ AccountRefusal::SignInEnded)) => {
                Ok((cookie::remove(&live), Refusal::from(ended)).into_response())
            }
            Err(other) => Err(other.into()),
        }
    };
    Ok(asker.counted(&live, Asked::Refresh, None, answer).await)
}

pub(super) async fn sign_out(State(live): State<Live>, asker: Asker, headers: HeaderMap) -> Result<Response, Refusal> {
    demand_own_page(&live, &headers)?;
    let answer = async {
        if let Some(token) = cookie::read(&live, &headers) {
            live.accounts().sign_out(token).await?;
        }
        Ok((StatusCode::NO_CONTENT, cookie::remove(&live)).into_response())
    };
    Ok(asker.counted(&live, Asked::Refresh, None, answer).await)
}

pub(super) async fn sign_out_everywhere(State(live): State<Live>, asker: Asker, headers: HeaderMap) -> Result<Response, Refusal> {
    let who = needed_bearer(&live, &headers)?;
    let answer = async {
        live.accounts().sign_out_everywhere(&who).await?;
        Ok((StatusCode::NO_CONTENT, cookie::remove(&live)).into_response())
    };
    Ok(asker.counted_for(&live, Asked::Change, who.sub, answer).await)
}

pub(super) async fn verify_email(State(live): State<Live>, asker: Asker, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let EmailCode { code } = read_json(&headers, body).await?;
    let answer = async {
        live.accounts().verify_email(&code, asker.now_ms).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    Ok(asker.counted(&live, Asked::Code, None, answer).await)
}

/// Always 202: whether there is such an account is nobody's business.
pub(super) async fn forgot_password(State(live): State<Live>, asker: Asker, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let ForgottenPassword { email } = read_json(&headers, body).await?;
    let answer = async {
        live.accounts().forgot_password(&email, asker.now_ms).await?;
        Ok(StatusCode::ACCEPTED.into_response())
    };
    Ok(asker.counted(&live, Asked::Letter, Some(RateKey::mailbox(&email)), answer).await)
}

pub(super) async fn reset_password(State(live): State<Live>, asker: Asker, headers: HeaderMap, body: Body) -> Result<Response, Refusal> {
    let PasswordReset { code, password } = read_json(&headers, body).await?;
    let answer = async {
        live.accounts().reset_password(&code, password, asker.now_ms).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    Ok(asker.counted(&live, Asked::Code, None, answer).await)
}

/// The answer that signs a device in.
pub(super) fn session(live: &Live, status: StatusCode, signed_in: SignedIn) -> Response {
    let view = SignedInView {
        account: to_account(&signed_in.account),
        token: signed_in.access_token,
        expires_at_ms: signed_in.access_expires_at_ms,
    };
    (status, cookie::keep(live, &signed_in.refresh_token), [PRIVATE], Json(view)).into_response()
}
