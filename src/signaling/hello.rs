//! The first words of a connection: which protocol, who, and whether an earlier session goes on. Pure.

use super::protocol::{ClientMessage, PROTOCOL_VERSION};
use super::refusal::Refusal;
use crate::accounts::{Claims, Tokens};
use crate::limits::CLIENT_NAME_MAX;

/// A `hello` that is in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// Program and version of the client, printable and short, for logs.
    pub(crate) client: String,
    /// Who it says it is, if the token is good.
    pub(crate) claims: Option<Claims>,
    pub(crate) resume: Option<String>,
}

/// Reads the first message.
///
/// # Errors
/// `HelloFirst`, `UnsupportedProtocol`, `InvalidToken`, `TokenExpired`: the client may say `hello` again on the same connection, except
/// after `UnsupportedProtocol`.
pub(crate) fn read_hello(message: ClientMessage, tokens: &Tokens, now_unix_s: u64) -> Result<Greeting, Refusal> {
    let ClientMessage::Hello { protocol, client, token, resume } = message else { return Err(Refusal::HelloFirst) };
    if protocol != PROTOCOL_VERSION {
        return Err(Refusal::UnsupportedProtocol { ours: PROTOCOL_VERSION, theirs: protocol });
    }
    let claims = token.map(|token| tokens.verify(&token, now_unix_s)).transpose()?;
    let client = client.chars().filter(|symbol| !symbol.is_control()).take(CLIENT_NAME_MAX).collect();
    Ok(Greeting { client, claims, resume })
}

/// Whether a client that says it is `claimed` may go on with a session of `identity`. Without a token the resume text alone proves it.
pub(crate) fn may_resume(identity: &Claims, claimed: Option<&Claims>) -> bool {
    claimed.is_none_or(|claims| claims.sub == identity.sub)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::UserId;

    const NOW: u64 = 1_800_000_000;

    fn hello(protocol: u32, token: Option<String>) -> ClientMessage {
        ClientMessage::Hello { protocol, client: "test\n/1".to_owned(), token, resume: None }
    }

    fn claims(sub: u64) -> Claims {
        Claims {
            sub: UserId::from_bits(sub),
            name: "Ann".to_owned(),
            exp: NOW + 1,
            broadcast: None,
            grants: vec![],
            operator: false,
            broadcaster: false,
            guest: true,
        }
    }

    #[test]
    fn the_first_message_is_hello_in_our_protocol_with_a_good_token_or_none() {
        let tokens = Tokens::with_key(&[3; 32]);
        let greeting = read_hello(hello(PROTOCOL_VERSION, None), &tokens, NOW).unwrap();
        assert_eq!((greeting.client.as_str(), greeting.claims), ("test/1", None));
        let token = tokens.mint(&claims(1));
        let cases = [
            (ClientMessage::Leave { id: 1 }, NOW, Refusal::HelloFirst),
            (hello(99, None), NOW, Refusal::UnsupportedProtocol { ours: PROTOCOL_VERSION, theirs: 99 }),
            (hello(PROTOCOL_VERSION, Some("x".to_owned())), NOW, Refusal::InvalidToken),
            (hello(PROTOCOL_VERSION, Some(token.clone())), NOW + 1, Refusal::TokenExpired),
        ];
        for (message, now, refusal) in cases {
            assert_eq!(read_hello(message, &tokens, now), Err(refusal));
        }
        assert_eq!(read_hello(hello(PROTOCOL_VERSION, Some(token)), &tokens, NOW).unwrap().claims, Some(claims(1)));
    }

    #[test]
    fn nobody_resumes_as_somebody_else() {
        assert!(may_resume(&claims(1), None));
        assert!(may_resume(&claims(1), Some(&claims(1))));
        assert!(!may_resume(&claims(1), Some(&claims(2))));
    }
}
