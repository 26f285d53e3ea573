-- +goose Up

-- A program of level 1 can live with this, while four_eyes is off: it writes no
-- audit. While it is on, serve raises the level: see store/foureyes.go.
INSERT INTO schema_levels (migration, oldest_program) VALUES (12, 1);

-- Who did what, when and why, and how it ended.
CREATE TABLE audit (
    id         INTEGER NOT NULL PRIMARY KEY,
    at         INTEGER NOT NULL,
    actor      TEXT    NOT NULL, -- proven: the name of a token, or the system's user
    acting_as  TEXT    NOT NULL, -- what a command was told with --actor, if it is another name
    role       TEXT    NOT NULL, -- of the token; command: somebody on the server's own machine
    action     TEXT    NOT NULL,
    object     TEXT    NOT NULL, -- the id of what it was done to; never a customer's
    reason     TEXT    NOT NULL,
    result     TEXT    NOT NULL CHECK (result = 'done' OR result = 'proposed' OR result = 'refused'),
    detail     TEXT    NOT NULL, -- the ids of what it made, or why it was refused
    request_id TEXT    NOT NULL
) STRICT;
CREATE INDEX audit_at ON audit (at, id);
CREATE INDEX audit_actor ON audit (actor, at, id);
CREATE INDEX audit_acting_as ON audit (acting_as, at, id) WHERE acting_as <> '';

-- Operators' steps that wait for a second person, or had one.
CREATE TABLE approvals (
    id              TEXT    NOT NULL PRIMARY KEY,
    at              INTEGER NOT NULL,
    expires_at      INTEGER NOT NULL,
    step            TEXT    NOT NULL, -- its name: see store/step.go
    action          TEXT    NOT NULL, -- the word in four_eyes that it comes under
    object          TEXT    NOT NULL, -- what it is about
    params          TEXT    NOT NULL, -- JSON: the step's parameters
    preview         TEXT    NOT NULL, -- JSON: what it would have posted when it was proposed
    effective_start INTEGER,          -- the day on which it counts; NULL: the day of its approval
    effective_end   INTEGER,
    actor           TEXT    NOT NULL, -- who proposed it, as the journal will have it
    by_token        INTEGER NOT NULL CHECK (by_token = 0 OR by_token = 1), -- 1: actor is the name of a token
    os_user         TEXT    NOT NULL, -- of a command, the system's user
    role            TEXT    NOT NULL,
    reason          TEXT    NOT NULL,
    request_id      TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- What became of a proposal; one without a row waits, or has expired.
CREATE TABLE approval_decisions (
    approval_id TEXT    NOT NULL PRIMARY KEY REFERENCES approvals (id),
    at          INTEGER NOT NULL,
    decision    TEXT    NOT NULL CHECK (decision = 'approved' OR decision = 'rejected'),
    actor       TEXT    NOT NULL,
    os_user     TEXT    NOT NULL,
    role        TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    request_id  TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- The ledger transactions that a second person has approved.
CREATE TABLE approved_transactions (
    seq         INTEGER NOT NULL PRIMARY KEY REFERENCES transactions (seq),
    approval_id TEXT    NOT NULL REFERENCES approvals (id),
    approved_by TEXT    NOT NULL
) STRICT;
CREATE INDEX approved_transactions_approval ON approved_transactions (approval_id);

-- +goose StatementBegin
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN
    SELECT RAISE(ABORT, 'the audit is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the audit is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER approvals_no_update BEFORE UPDATE ON approvals BEGIN
    SELECT RAISE(ABORT, 'the record of proposals is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER approvals_no_delete BEFORE DELETE ON approvals BEGIN
    SELECT RAISE(ABORT, 'the record of proposals is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER approvals_no_replace BEFORE INSERT ON approvals
WHEN EXISTS (SELECT 1 FROM approvals WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the record of proposals is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER approval_decisions_no_update BEFORE UPDATE ON approval_decisions BEGIN
    SELECT RAISE(ABORT, 'the record of decisions on proposals is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER approval_decisions_no_delete BEFORE DELETE ON approval_decisions BEGIN
    SELECT RAISE(ABORT, 'the record of decisions on proposals is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER approval_decisions_no_replace BEFORE INSERT ON approval_decisions
WHEN EXISTS (SELECT 1 FROM approval_decisions WHERE approval_id = NEW.approval_id)
    OR (NEW.decision = 'approved' AND EXISTS (SELECT 1 FROM approvals a WHERE a.id = NEW.approval_id AND (a.actor = NEW.actor OR a.os_user = NEW.actor)))
BEGIN
    SELECT RAISE(ABORT, 'a proposal is decided once, and approved by another person than its proposer');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER approved_transactions_no_update BEFORE UPDATE ON approved_transactions BEGIN
    SELECT RAISE(ABORT, 'the record of approved transactions is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER approved_transactions_no_delete BEFORE DELETE ON approved_transactions BEGIN
    SELECT RAISE(ABORT, 'the record of approved transactions is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER approved_transactions_no_replace BEFORE INSERT ON approved_transactions
WHEN EXISTS (SELECT 1 FROM approved_transactions WHERE seq = NEW.seq)
    OR NOT EXISTS (SELECT 1 FROM approval_decisions d WHERE d.approval_id = NEW.approval_id AND d.decision = 'approved' AND d.actor = NEW.approved_by)
BEGIN
    SELECT RAISE(ABORT, 'a transaction is approved once, with its proposal');
END;
-- +goose StatementEnd
