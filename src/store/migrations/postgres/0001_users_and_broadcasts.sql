-- Ids are the 13 characters of src/ids.rs; times are milliseconds since the Unix epoch.
CREATE TABLE users (
    id            TEXT   PRIMARY KEY NOT NULL,
    name          TEXT   NOT NULL,
    -- Comma-separated words: 'operator', 'broadcaster'.
    roles         TEXT   NOT NULL DEFAULT '',
    created_at_ms BIGINT NOT NULL
);

CREATE TABLE broadcasts (
    id            TEXT   PRIMARY KEY NOT NULL,
    slug          TEXT   NOT NULL,
    title         TEXT   NOT NULL,
    visibility    TEXT   NOT NULL,
    state         TEXT   NOT NULL,
    -- Guests own broadcasts too and have no row in users, so this is no foreign key.
    owner         TEXT,
    created_at_ms BIGINT NOT NULL,
    started_at_ms BIGINT,
    ended_at_ms   BIGINT,
    viewers_peak  BIGINT NOT NULL DEFAULT 0,
    -- Teams, score, clock and markers, as their own module writes them.
    details_json  TEXT   NOT NULL DEFAULT '{}'
);

-- An ended broadcast gives its slug free.
CREATE UNIQUE INDEX broadcasts_slug_in_use ON broadcasts (slug) WHERE state <> 'ended';
CREATE INDEX broadcasts_slug ON broadcasts (slug, created_at_ms);
CREATE INDEX broadcasts_ended ON broadcasts (ended_at_ms) WHERE state = 'ended';
