-- Users that can sign in have an e-mail address and a password; those made on the command line or before this version need not.
ALTER TABLE users ADD COLUMN email TEXT;
-- Folded to lower case, so that nobody is there twice or takes another's name; NULL where there is no account.
ALTER TABLE users ADD COLUMN email_key TEXT;
ALTER TABLE users ADD COLUMN name_key TEXT;
ALTER TABLE users ADD COLUMN email_verified_at_ms BIGINT;
-- A PHC string: algorithm, parameters, salt and hash.
ALTER TABLE users ADD COLUMN password TEXT;
-- When a guest became this account; their guest tokens end with it.
ALTER TABLE users ADD COLUMN claimed_at_ms BIGINT;
ALTER TABLE users ADD COLUMN picture_version BIGINT NOT NULL DEFAULT 0;
CREATE UNIQUE INDEX users_email_key ON users (email_key);
CREATE UNIQUE INDEX users_name_key ON users (name_key);
CREATE INDEX users_claimed ON users (claimed_at_ms) WHERE claimed_at_ms IS NOT NULL;

-- Comma-separated ids of users.
ALTER TABLE broadcasts ADD COLUMN moderators TEXT NOT NULL DEFAULT '';

CREATE TABLE pictures (
    user_id      TEXT PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    content_type TEXT NOT NULL,
    bytes        BYTEA NOT NULL
);

-- One device that is signed in: a family of refresh tokens of which only the hash of the newest two is kept.
CREATE TABLE sign_ins (
    id              TEXT    PRIMARY KEY NOT NULL,
    user_id         TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    secret_hash     BYTEA   NOT NULL,
    previous_hash   BYTEA,
    device          TEXT    NOT NULL,
    created_at_ms   BIGINT  NOT NULL,
    rotated_at_ms   BIGINT  NOT NULL,
    expires_at_ms   BIGINT  NOT NULL
);
CREATE INDEX sign_ins_user ON sign_ins (user_id, rotated_at_ms);
CREATE INDEX sign_ins_expiry ON sign_ins (expires_at_ms);

-- Codes sent by e-mail, by their hash; one a user and purpose.
CREATE TABLE email_codes (
    hash          BYTEA   PRIMARY KEY NOT NULL,
    user_id       TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose       TEXT    NOT NULL,
    email         TEXT    NOT NULL,
    expires_at_ms BIGINT  NOT NULL
);
CREATE UNIQUE INDEX email_codes_user ON email_codes (user_id, purpose);
CREATE INDEX email_codes_expiry ON email_codes (expires_at_ms);

CREATE TABLE stream_keys (
    user_id       TEXT    PRIMARY KEY NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash          BYTEA   NOT NULL UNIQUE,
    created_at_ms BIGINT  NOT NULL,
    used_at_ms    BIGINT
);
