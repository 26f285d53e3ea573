-- +goose Up

-- A program of level 1 can live with this; what it writes is told to nobody.
INSERT INTO schema_levels (migration, oldest_program) VALUES (18, 1);

-- Notifications to the merchant's own systems: what happened, written in the
-- transaction in which it happened.
CREATE TABLE events (
    id         INTEGER NOT NULL PRIMARY KEY, -- rises in commit order
    event_id   TEXT    NOT NULL UNIQUE,      -- the webhook-id
    type       TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    payment_id TEXT    NOT NULL,             -- '': of a payout
    payout_id  TEXT    NOT NULL,             -- '': of a payment
    seq        INTEGER REFERENCES transactions (seq), -- the ledger transaction, if there is one
    contract   TEXT    NOT NULL,             -- whose events arrive in order
    body       TEXT    NOT NULL              -- as it is sent
) STRICT;
CREATE INDEX events_at ON events (at);
CREATE INDEX events_payment ON events (payment_id, id) WHERE payment_id <> '';

-- The delivery of an event to an endpoint.
CREATE TABLE event_deliveries (
    endpoint  TEXT    NOT NULL,
    id        INTEGER NOT NULL REFERENCES events (id),
    contract  TEXT    NOT NULL,
    state     TEXT    NOT NULL CHECK (state = 'pending' OR state = 'delivered' OR state = 'failed' OR state = 'skipped'),
    open      INTEGER NOT NULL CHECK (open = (state = 'pending' OR state = 'failed')),
    attempts  INTEGER NOT NULL DEFAULT 0,
    next_at   INTEGER NOT NULL DEFAULT 0,  -- when it is due
    first_at  INTEGER NOT NULL DEFAULT 0,  -- the first attempt of those that count; 0: none yet
    last_at   INTEGER NOT NULL DEFAULT 0,
    status    INTEGER NOT NULL DEFAULT 0,  -- the HTTP status of the last attempt, 0 for none
    error     TEXT    NOT NULL DEFAULT '', -- why it failed, without anything of the answer
    PRIMARY KEY (endpoint, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX event_deliveries_open ON event_deliveries (endpoint, contract, id) WHERE open = 1;
CREATE INDEX event_deliveries_event ON event_deliveries (id, endpoint);
CREATE INDEX event_deliveries_state ON event_deliveries (state, id) WHERE state <> 'delivered';
