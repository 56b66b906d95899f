-- Two rows a pair, one as each of the two sees it: 'outgoing' and 'incoming' while one has asked, then 'friend' twice.
CREATE TABLE friendships (
    user_id  TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    other_id TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    relation TEXT    NOT NULL,
    -- Since when it is so.
    since_ms BIGINT NOT NULL,
    PRIMARY KEY (user_id, other_id)
);
CREATE INDEX friendships_other ON friendships (other_id);

-- Guests may be blocked, and have no row in users.
CREATE TABLE blocks (
    blocker TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    blocked TEXT    NOT NULL,
    at_ms   BIGINT NOT NULL,
    PRIMARY KEY (blocker, blocked)
);
CREATE INDEX blocks_blocked ON blocks (blocked);

CREATE TABLE follows (
    follower TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    followed TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    at_ms    BIGINT NOT NULL,
    PRIMARY KEY (follower, followed)
);
CREATE INDEX follows_followed ON follows (followed);

-- Whether friends are not shown what this person watches: 0 or 1.
ALTER TABLE users ADD COLUMN hide_watching BIGINT NOT NULL DEFAULT 0;

-- Of two people, the one with the smaller id is `low`.
CREATE TABLE conversations (
    low         TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    high        TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    last_number BIGINT NOT NULL,
    last_at_ms  BIGINT NOT NULL,
    -- Up to which number each has read.
    low_read    BIGINT NOT NULL DEFAULT 0,
    high_read   BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (low, high)
);
CREATE INDEX conversations_low ON conversations (low, last_at_ms);
CREATE INDEX conversations_high ON conversations (high, last_at_ms);

CREATE TABLE private_messages (
    low        TEXT    NOT NULL,
    high       TEXT    NOT NULL,
    -- From 1 in each conversation.
    number     BIGINT NOT NULL,
    sender     TEXT    NOT NULL,
    -- Of the sender's choice: what is sent again is recognised by it.
    nonce      BIGINT NOT NULL,
    text       TEXT    NOT NULL,
    sent_at_ms BIGINT NOT NULL,
    PRIMARY KEY (low, high, number),
    FOREIGN KEY (low, high) REFERENCES conversations (low, high) ON DELETE CASCADE
);
CREATE UNIQUE INDEX private_messages_nonce ON private_messages (low, high, sender, nonce);

-- What was said and changed in chats, in the order of (epoch, seq).
CREATE TABLE chat_events (
    broadcast TEXT    NOT NULL,
    epoch     BIGINT NOT NULL,
    seq       BIGINT NOT NULL,
    -- Of a message: who said it; guests too.
    author    TEXT,
    at_ms     BIGINT NOT NULL,
    -- JSON, as its own module writes it.
    event     TEXT    NOT NULL,
    PRIMARY KEY (broadcast, epoch, seq)
);
CREATE INDEX chat_events_at ON chat_events (at_ms);
CREATE INDEX chat_events_author ON chat_events (author) WHERE author IS NOT NULL;

-- What the events do not say: restraints, word lists, sums.
CREATE TABLE chat_snapshots (
    broadcast   TEXT    PRIMARY KEY NOT NULL,
    epoch       BIGINT NOT NULL,
    snapshot    BYTEA   NOT NULL,
    saved_at_ms BIGINT NOT NULL
);
CREATE INDEX chat_snapshots_saved ON chat_snapshots (saved_at_ms);

-- What moderators did. Names as they were then.
CREATE TABLE moderator_actions (
    id        TEXT    PRIMARY KEY NOT NULL,
    broadcast TEXT    NOT NULL,
    at_ms     BIGINT NOT NULL,
    by_id     TEXT    NOT NULL,
    by_name   TEXT    NOT NULL,
    action    TEXT    NOT NULL,
    on_id     TEXT,
    on_name   TEXT,
    -- What was said.
    message   TEXT,
    seconds   BIGINT,
    note      TEXT
);
CREATE INDEX moderator_actions_broadcast ON moderator_actions (broadcast, at_ms, id);
CREATE INDEX moderator_actions_at ON moderator_actions (at_ms);
CREATE INDEX moderator_actions_on ON moderator_actions (on_id) WHERE on_id IS NOT NULL;

-- Messages that viewers reported, with the message as it was then.
CREATE TABLE reports (
    broadcast      TEXT    NOT NULL,
    epoch          BIGINT NOT NULL,
    seq            BIGINT NOT NULL,
    reporter       TEXT    NOT NULL,
    reporter_name  TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    note           TEXT,
    at_ms          BIGINT NOT NULL,
    author         TEXT    NOT NULL,
    author_name    TEXT    NOT NULL,
    text           TEXT    NOT NULL,
    sent_at_ms     BIGINT NOT NULL,
    resolved_at_ms BIGINT,
    PRIMARY KEY (broadcast, epoch, seq, reporter)
);
CREATE INDEX reports_at ON reports (at_ms);
CREATE INDEX reports_author ON reports (author);
CREATE INDEX reports_reporter ON reports (reporter);

-- Compared byte by byte, as SQLite does, so that the index finds beginnings of names.
ALTER TABLE users ALTER COLUMN name_key TYPE TEXT COLLATE "C";
