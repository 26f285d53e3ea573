-- +goose Up

-- A second provider, whose payments we open ourselves (HighHelp pay-ins). A
-- program of level 1 can live with this: it never opens one.
INSERT INTO schema_levels (migration, oldest_program) VALUES (2, 1);

-- What a pay-in has beside its payment. Nothing here is about the payer.
CREATE TABLE payins (
    payment_id     TEXT    NOT NULL PRIMARY KEY,
    project        TEXT    NOT NULL,
    method         TEXT    NOT NULL,            -- its name in the catalogue of methods
    form_url       TEXT    NOT NULL DEFAULT '', -- where the customer pays; '' until it is known
    redirect_url   TEXT    NOT NULL DEFAULT '', -- where the customer goes afterwards, as the merchant asked
    request_id     TEXT    NOT NULL DEFAULT '', -- the provider's own id of it
    lifetime_until INTEGER NOT NULL,            -- until when the customer can pay
    -- creating: the request is on its way; open: the provider has it; refused:
    -- the provider does not; unknown: one of the two; done: the payment is not
    -- pending any more
    state          TEXT    NOT NULL CHECK (state IN ('creating', 'open', 'refused', 'unknown', 'done')),
    next_look_at   INTEGER,                     -- when the provider is asked about it; NULL: nobody asks
    looks          INTEGER NOT NULL DEFAULT 0,  -- how often it was asked
    last_error     TEXT    NOT NULL DEFAULT '', -- why the last look, or the request itself, brought no answer
    created_at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX payins_due ON payins (next_look_at, created_at) WHERE next_look_at IS NOT NULL;

-- A pay-in is asked about exactly as long as its payment is pending, whatever
-- changes that: an alert, an answer, an operator. A dispute opens it again.
-- +goose StatementBegin
CREATE TRIGGER payins_follow AFTER UPDATE OF status ON payments
WHEN NEW.provider = 'highhelp' AND NEW.status <> OLD.status
BEGIN
    UPDATE payins SET
        state = CASE NEW.status WHEN 'pending' THEN 'open' ELSE 'done' END,
        next_look_at = CASE NEW.status WHEN 'pending' THEN 0 END
    WHERE payment_id = NEW.payment_id;
END;
-- +goose StatementEnd

-- The provider's own id of a payment that we opened, for searches.
CREATE INDEX payments_reference ON payments (provider_reference) WHERE provider_reference <> '' AND customer_id <> '';

-- What was asked for under an idempotency key, and what was answered. Kept for
-- seven days.
CREATE TABLE idempotency (
    token         TEXT    NOT NULL, -- the name of the token that asked: a key belongs to it
    key           TEXT    NOT NULL,
    request_hash  BLOB    NOT NULL,
    payment_id    TEXT    NOT NULL,
    running_until INTEGER NOT NULL, -- by then the request has its answer, or has died with its server
    http_status   INTEGER NOT NULL DEFAULT 0, -- 0 until it is answered
    answer        BLOB,                       -- NULL: there is none to repeat, the payment tells
    created_at    INTEGER NOT NULL,
    PRIMARY KEY (token, key)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX idempotency_payment ON idempotency (payment_id);
CREATE INDEX idempotency_created ON idempotency (created_at);

-- How far the watch over pending payments of a provider has come, for each age
-- at which it asks about them: the last payment that it asked about.
CREATE TABLE watch_marks (
    name       TEXT    NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL,
    payment    INTEGER NOT NULL -- payments.id
) STRICT, WITHOUT ROWID;
