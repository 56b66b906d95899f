//! ICE servers for clients: a fixed list, and TURN with credentials that expire.
//!
//! The credentials follow draft-uberti-behave-turn-rest-00, which coturn and others implement: the user name is
//! `expiry-seconds:user`, the password is the base64 of HMAC-SHA1 of the user name under a secret shared with the TURN server.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use super::protocol::IceServer;
use crate::ids::UserId;
use crate::limits::TURN_CREDENTIAL_TTL;

/// A TURN server that shares a secret with us.
#[derive(Clone, PartialEq, Eq)]
pub struct TurnRest {
    /// `turn:host:port?transport=udp`, `turns:...`.
    pub urls: Vec<String>,
    pub secret: String,
}

impl std::fmt::Debug for TurnRest {
    /// The secret stays out of logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TurnRest").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IceServers {
    /// Given to clients as they are.
    pub fixed: Vec<IceServer>,
    pub turn: Option<TurnRest>,
}

impl IceServers {
    /// The list for one client, whose TURN credentials are good for `limits::TURN_CREDENTIAL_TTL` from `now_unix_s`.
    pub fn for_user(&self, user: Option<UserId>, now_unix_s: u64) -> Vec<IceServer> {
        let turn = self.turn.as_ref().map(|turn| {
            let expiry = now_unix_s + TURN_CREDENTIAL_TTL.as_secs();
            let username = user.map_or_else(|| expiry.to_string(), |user| format!("{expiry}:{user}"));
            let credential = turn_password(turn.secret.as_bytes(), &username);
            IceServer { urls: turn.urls.clone(), username: Some(username), credential: Some(credential) }
        });
        self.fixed.iter().cloned().chain(turn).collect()
    }
}

fn turn_password(secret: &[u8], username: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    STANDARD.encode(hmac::sign(&key, username.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hmac_is_that_of_rfc_2202() {
        let hex =
            |text: &str| -> Vec<u8> { (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect() };
        let cases = [
            (vec![0x0b; 20], "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"),
            (b"Jefe".to_vec(), "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"),
            (vec![0xaa; 80], "Test Using Larger Than Block-Size Key - Hash Key First", "aa4ae5e15272d00e95705637ce8a3b55ed402112"),
        ];
        for (key, text, digest) in cases {
            assert_eq!(STANDARD.decode(turn_password(&key, text)).unwrap(), hex(digest), "{text}");
        }
    }

    #[test]
    fn turn_credentials_name_their_expiry_and_fixed_servers_come_first() {
        let fixed = IceServer { urls: vec!["stun:a".to_owned()], username: None, credential: None };
        let turn = TurnRest { urls: vec!["turn:b".to_owned()], secret: "s".to_owned() };
        let servers = IceServers { fixed: vec![fixed.clone()], turn: Some(turn) }.for_user(Some(UserId::from_bits(1)), 1_000);
        assert_eq!(servers[0], fixed);
        assert_eq!(servers[1].username.as_deref(), Some("22600:0000000000001"));
        assert_eq!(IceServers::default().for_user(None, 0), []);
    }
}
