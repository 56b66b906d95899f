//! From one text to one value. Each function says what would be right when it refuses.

use std::net::{IpAddr, SocketAddr};

/// What would be right, in words that follow "must be".
pub(super) type Expected = &'static str;

pub(super) fn socket_address(text: &str) -> Result<SocketAddr, Expected> {
    text.parse().map_err(|_| "an address and a port, such as 127.0.0.1:7880, 0.0.0.0:7880 or [::]:7880")
}

pub(super) fn ip(text: &str) -> Result<IpAddr, Expected> {
    text.parse().map_err(|_| "an IP address, such as 203.0.113.7 or 2001:db8::7")
}

pub(super) fn public_ip(text: &str) -> Result<IpAddr, Expected> {
    let address = ip(text)?;
    if address.is_unspecified() || address.is_multicast() {
        return Err("an address that browsers can reach, not a wildcard or multicast one");
    }
    Ok(address)
}

pub(super) fn advertised(text: &str) -> Result<SocketAddr, Expected> {
    match text.parse::<SocketAddr>() {
        Ok(address) if public_ip(&address.ip().to_string()).is_ok() && address.port() != 0 => Ok(address),
        _ => Err("an address and a port that browsers can reach, such as 203.0.113.7:40000 or [2001:db8::7]:40000"),
    }
}

pub(super) fn port(text: &str) -> Result<u16, Expected> {
    text.parse().map_err(|_| "a port number from 0 to 65535")
}

pub(super) fn workers(text: &str) -> Result<u8, Expected> {
    number(text, 1, crate::limits::WORKERS_MAX as u64).map(|count| count as u8).ok_or("a number from 1 to 64")
}

pub(super) fn days(text: &str) -> Result<u32, Expected> {
    number(text, 1, 3650).map(|count| count as u32).ok_or("a number of days from 1 to 3650")
}

pub(super) fn count(text: &str) -> Result<u32, Expected> {
    number(text, 1, 1_000_000).map(|count| count as u32).ok_or("a number from 1 to 1000000")
}

pub(super) fn part_ms(text: &str) -> Result<u32, Expected> {
    let range = crate::limits::HLS_PART_MS_RANGE;
    number(text, u64::from(*range.start()), u64::from(*range.end())).map(|ms| ms as u32).ok_or("a number from 100 to 1000")
}

pub(super) fn window_min(text: &str) -> Result<u64, Expected> {
    let range = crate::limits::DVR_WINDOW_MIN_RANGE;
    number(text, *range.start(), *range.end()).ok_or("a number of minutes from 1 to 720")
}

pub(super) fn gigabytes(text: &str) -> Result<u64, Expected> {
    let range = crate::limits::DVR_MAX_GB_RANGE;
    number(text, *range.start(), *range.end()).ok_or("a number of gigabytes from 1 to 100000")
}

pub(super) fn hours(text: &str) -> Result<u64, Expected> {
    number(text, 0, crate::limits::REPLAY_KEPT_HOURS_MAX).ok_or("a number of hours from 0 to 8760")
}

/// A bucket, perhaps with a prefix.
pub(super) fn bucket(text: &str) -> Result<String, Expected> {
    let rest = text.strip_prefix("s3://").unwrap_or_default().trim_end_matches('/');
    let is_right = !rest.is_empty() && rest.split('/').all(|part| !part.is_empty()) && !rest.contains(['?', '#', ' ']);
    if is_right { Ok(text.to_owned()) } else { Err("s3://BUCKET or s3://BUCKET/PREFIX") }
}

/// A program by name or path; `None`: none.
pub(super) fn program(text: &str) -> Result<Option<String>, Expected> {
    let text = text.trim();
    if text.contains('\0') { Err("the name or the path of a program, or empty") } else { Ok((!text.is_empty()).then(|| text.to_owned())) }
}

pub(super) fn switch(text: &str) -> Result<bool, Expected> {
    match text {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("true or false"),
    }
}

pub(super) fn path(text: &str) -> Result<std::path::PathBuf, Expected> {
    if text.is_empty() { Err("a path") } else { Ok(text.into()) }
}

/// A host name or address for a certificate.
pub(super) fn host(text: &str) -> Result<String, Expected> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-.*:".contains(&byte);
    let right = !text.is_empty() && text.len() <= 253 && text.bytes().all(fits);
    if right { Ok(text.to_ascii_lowercase()) } else { Err("a host name or an IP address, without scheme or port") }
}

/// `stun:`, `stuns:`, `turn:` and `turns:` URLs (RFC 7064, RFC 7065).
pub(super) fn ice_url(text: &str) -> Result<String, Expected> {
    let rest = ["stun:", "stuns:", "turn:", "turns:"].iter().find_map(|scheme| text.strip_prefix(scheme));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.starts_with('/') && !rest.contains(char::is_whitespace) => Ok(text.to_owned()),
        _ => Err("a STUN or TURN URL, such as stun:stun.example.org:3478 or turns:turn.example.org:443?transport=tcp"),
    }
}

/// One server of Redis, without TLS: it belongs on a private network.
pub(super) fn redis_url(text: &str) -> Result<String, Expected> {
    let rest = text.strip_prefix("redis://").unwrap_or_default();
    if rest.is_empty() || rest.starts_with('/') || rest.contains(char::is_whitespace) {
        return Err("a Redis URL, such as redis://127.0.0.1:6379 or redis://user:password@10.0.0.7:6379");
    }
    Ok(text.to_owned())
}

/// An origin: scheme, host and perhaps a port.
pub(super) fn origin(text: &str) -> Result<String, Expected> {
    let text = text.trim_end_matches('/');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains(['/', '?', '#', '@', ' ']) => Ok(text.to_owned()),
        _ => Err("an address such as https://sport.example.org, without a path"),
    }
}

/// A database URL; what follows the scheme is read by the store.
pub(super) fn database_url(text: &str) -> Result<String, Expected> {
    let has_scheme = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme));
    if has_scheme { Ok(text.to_owned()) } else { Err("sqlite:PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE") }
}

pub(super) fn smtp_url(text: &str) -> Result<String, Expected> {
    match lettre::AsyncSmtpTransport::<lettre::Tokio1Executor>::from_url(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("smtps://USER:PASSWORD@HOST:PORT or smtp://USER:PASSWORD@HOST:PORT?tls=required"),
    }
}

pub(super) fn mailbox(text: &str) -> Result<String, Expected> {
    match text.parse::<lettre::message::Mailbox>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("an e-mail address, such as no-reply@example.org or Courtside <no-reply@example.org>"),
    }
}

pub(super) fn secret(text: &str) -> Result<String, Expected> {
    if text.len() < 8 { Err("at least 8 characters") } else { Ok(text.to_owned()) }
}

pub(super) fn filter(text: &str) -> Result<String, Expected> {
    match text.parse::<tracing_subscriber::filter::Targets>() {
        Ok(_) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err("error, warn, info, debug or trace, or a filter such as info,courtside::sfu=debug"),
    }
}

fn number(text: &str, least: u64, most: u64) -> Option<u64> {
    text.parse().ok().filter(|value| (least..=most).contains(value))
}
