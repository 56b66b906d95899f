//! Bounds of accounts and of the store.

use std::time::Duration;

// ---- Accounts and store ----

/// Longest token, bytes. Ours have about 400. Longer: invalid, unread.
pub const TOKEN_BYTES_MAX: usize = 4096;
/// How long a statement waits for another process's lock on the database file. Longer: the statement fails.
pub const STORE_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that read the database (one more writes). More at once: they wait.
pub const STORE_READERS: u32 = 4;
/// Connections to PostgreSQL. More statements at once: they wait.
pub const STORE_CONNECTIONS: u32 = 16;
/// How long a statement waits for one of them, and the start for the first. Longer: it fails.
pub const STORE_CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long PostgreSQL works on one statement. Longer: it is cancelled and fails.
pub const STORE_STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
/// Broadcasts in one person's export, the most recent first. More: left out.
pub const BROADCASTS_EXPORTED_MAX: u32 = 10_000;
/// Guests who have become accounts within the life of a guest token: their old tokens are refused from memory, about 20 bytes each. More: the
/// oldest tenth is forgotten, and such a token speaks for its person again until it expires by itself.
pub const CLAIMED_GUESTS_MAX: u32 = 1_000_000;
/// Broadcasts loaded at start, the most recent first. More: the oldest are reachable through the store only.
pub const BROADCASTS_LOADED_MAX: u32 = 10_000;

/// Memory (KiB) and passes of argon2id over one password, as OWASP asks: about 30 ms of one core.
pub const PASSWORD_MEMORY_KIB: u32 = 19 * 1024;
pub const PASSWORD_PASSES: u32 = 2;
/// Threads that do it, at most half of the cores: 19 MiB each.
pub const PASSWORD_THREADS_MAX: usize = 4;
/// Their niceness: beside work of normal priority they get about a tenth of a core.
pub const PASSWORD_NICENESS: i32 = 10;
/// Passwords waiting for them, about two seconds of work for one thread. Full: `full` with `Retry-After`.
pub const PASSWORD_QUEUE: usize = 64;
/// Characters of a password. NIST SP 800-63B section 5.1.1 asks for at least 8, and to take at least 64. Others: refused.
pub const PASSWORD_CHARS: (usize, usize) = (8, 256);
/// Characters of a person's name. Longer: refused.
pub const USER_NAME_MAX: usize = 40;
/// Bytes of an e-mail address (RFC 5321 section 4.5.3.1.3). Longer: refused.
pub const EMAIL_BYTES_MAX: usize = 254;
/// Bytes of a person's picture. Larger: refused.
pub const PICTURE_BYTES_MAX: usize = 128 * 1024;
/// An access token of an account: what was taken from a person (a role, the account itself) is gone after this long.
pub const ACCESS_TOKEN_TTL: Duration = Duration::from_secs(5 * 60);
/// A device that does not come back for this long is signed out.
pub const SIGN_IN_TTL: Duration = Duration::from_secs(30 * 24 * 3600);
/// The refresh token before the present one is still answered this long: tabs that share the cookie refresh at once, and answers get lost.
pub const REFRESH_GRACE: Duration = Duration::from_secs(30);
/// Devices on which one person is signed in. More: the one used longest ago is signed out.
pub const SIGN_INS_PER_USER_MAX: u32 = 20;
/// Characters kept of what a browser calls itself.
pub const DEVICE_CHARS_MAX: usize = 200;
/// Codes in letters are good for this long.
pub const VERIFY_CODE_TTL: Duration = Duration::from_secs(24 * 3600);
pub const RESET_CODE_TTL: Duration = Duration::from_secs(3600);
/// Letters waiting to be sent. Full: the newest is dropped and counted.
pub const MAIL_QUEUE: usize = 256;
/// One attempt to send a letter may take this long.
pub const MAIL_TIMEOUT: Duration = Duration::from_secs(20);
/// Attempts, and the first pause between them, which doubles. Then the letter is given up and counted.
pub const MAIL_TRIES: u32 = 3;
pub const MAIL_PAUSE: Duration = Duration::from_secs(5);
/// How often what has expired is removed from the store, and guests who have become accounts on another node are learnt of.
pub const ACCOUNTS_UPKEEP_INTERVAL: Duration = Duration::from_secs(60);
/// How often one address, person or mailbox may ask: a burst, then one each interval. More: 429 with `Retry-After`.
pub const RATE_SIGN_UP: (u32, Duration) = (10, Duration::from_secs(60));
pub const RATE_SIGN_IN: (u32, Duration) = (20, Duration::from_secs(3));
/// Guesses at one account, from anywhere: about 4300 a day at most.
pub const RATE_SIGN_IN_PER_MAILBOX: (u32, Duration) = (30, Duration::from_secs(20));
pub const RATE_REFRESH: (u32, Duration) = (120, Duration::from_secs(1));
pub const RATE_LETTER: (u32, Duration) = (10, Duration::from_secs(60));
pub const RATE_LETTER_PER_MAILBOX: (u32, Duration) = (3, Duration::from_secs(600));
pub const RATE_CODE: (u32, Duration) = (10, Duration::from_secs(6));
pub const RATE_CONFIRMED: (u32, Duration) = (10, Duration::from_secs(20));
pub const RATE_CHANGE: (u32, Duration) = (30, Duration::from_secs(2));
/// A client that is told to come back is told to wait at least this long.
pub const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);
/// Addresses, people and mailboxes counted at once, 16 bytes each. Full: newcomers are refused until somebody's allowance is whole again.
pub const RATE_KEYS_MAX: usize = 100_000;

// ---- Friends and messages ----

/// Friends of one person, with requests of both directions. More: `full`.
pub const FRIENDS_MAX: u32 = 500;
/// People that one person has blocked. More: `full`.
pub const BLOCKS_MAX: u32 = 1000;
/// People who have blocked one person and whose words that person is not shown in chats, the newest. More: they are shown again; what the blocker is
/// shown stays as it is.
pub const BLOCKERS_HIDDEN_MAX: u32 = 10_000;
/// People that one person follows. More: `full`.
pub const FOLLOWS_MAX: u32 = 2000;
/// People in one list of those whom somebody knows: the largest of the three above. More cannot be.
pub const RELATED_LISTED_MAX: u32 = 2000;
/// Characters that a search for people begins with: fewer find everybody, more than a name has find nobody. Others: refused.
pub const PEOPLE_SEARCH_CHARS: (usize, usize) = (2, USER_NAME_MAX);
/// People found at once. More: whoever looks types on.
pub const PEOPLE_FOUND_MAX: u32 = 20;
/// Characters of a private message. Longer: refused.
pub const PRIVATE_TEXT_MAX: usize = 2000;
/// Messages of one conversation that are kept. More: the oldest go.
pub const PRIVATE_KEPT_MAX: u32 = 10_000;
/// Messages of one answer, and conversations.
pub const PRIVATE_PAGE_MAX: u32 = 50;
pub const CONVERSATIONS_LISTED_MAX: u32 = 200;
/// The largest nonce, and number of a private message: whole numbers up to here are exact to everybody who reads JSON (RFC 8259 section 6).
pub const EXACT_INTEGER_MAX: u64 = 1 << 53;
/// Private messages, and what somebody has said in chats, in one person's export, the newest. More: left out.
pub const MESSAGES_EXPORTED_MAX: u32 = 10_000;
pub const RATE_SEARCH: (u32, Duration) = (20, Duration::from_secs(1));
pub const RATE_PRIVATE_MESSAGE: (u32, Duration) = (20, Duration::from_secs(1));
/// Twice as often as one person writes: a page says it for each message that comes while the conversation is on screen.
pub const RATE_READ_MARK: (u32, Duration) = (40, Duration::from_millis(500));
pub const RATE_FRIEND_REQUEST: (u32, Duration) = (20, Duration::from_secs(60));
