-- +goose Up

-- A program of level 3 can live with this; what it writes is told to nobody.
INSERT INTO schema_levels (migration, oldest_program) VALUES (18, 3);

-- Notifications to the merchant's own systems: what happened, written in the
-- transaction in which it happened.
CREATE TABLE events (
    id         BIGINT NOT NULL PRIMARY KEY,           -- a place, as in transactions
    event_id   TEXT COLLATE "C" NOT NULL UNIQUE,      -- the webhook-id
    type       TEXT COLLATE "C" NOT NULL,
    at         BIGINT NOT NULL,
    payment_id TEXT COLLATE "C" NOT NULL,             -- '': of a payout
    payout_id  TEXT COLLATE "C" NOT NULL,             -- '': of a payment
    seq        BIGINT REFERENCES transactions (seq),  -- the ledger transaction, if there is one
    contract   TEXT COLLATE "C" NOT NULL,             -- whose events arrive in order
    body       TEXT NOT NULL                          -- as it is sent
);
CREATE INDEX events_at ON events (at);
CREATE INDEX events_payment ON events (payment_id, id) WHERE payment_id <> '';

-- The delivery of an event to an endpoint.
CREATE TABLE event_deliveries (
    endpoint  TEXT COLLATE "C" NOT NULL,
    id        BIGINT NOT NULL REFERENCES events (id),
    contract  TEXT COLLATE "C" NOT NULL,
    state     TEXT COLLATE "C" NOT NULL CHECK (state = 'pending' OR state = 'delivered' OR state = 'failed' OR state = 'skipped'),
    open      BIGINT NOT NULL CHECK ((open = 1) = (state = 'pending' OR state = 'failed')),
    attempts  BIGINT NOT NULL DEFAULT 0,
    next_at   BIGINT NOT NULL DEFAULT 0,  -- when it is due
    first_at  BIGINT NOT NULL DEFAULT 0,  -- the first attempt of those that count; 0: none yet
    last_at   BIGINT NOT NULL DEFAULT 0,
    status    BIGINT NOT NULL DEFAULT 0,  -- the HTTP status of the last attempt, 0 for none
    error     TEXT COLLATE "C" NOT NULL DEFAULT '', -- why it failed, without anything of the answer
    PRIMARY KEY (endpoint, id)
);
CREATE INDEX event_deliveries_open ON event_deliveries (endpoint, contract, id) WHERE open = 1;
CREATE INDEX event_deliveries_event ON event_deliveries (id, endpoint);
CREATE INDEX event_deliveries_state ON event_deliveries (state, id) WHERE state <> 'delivered';
