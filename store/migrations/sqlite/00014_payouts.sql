-- +goose Up

-- A program of level 1 can live with this: a payout's transaction has an empty
-- payment_id, which it prints in the feed, and which no payment has.
INSERT INTO schema_levels (migration, oldest_program) VALUES (14, 1);

-- What a platform pays out is booked. As in migration 3, only the text of the
-- check is exchanged; what follows makes everybody read it anew.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'OR kind = ''reversal'' OR', 'OR kind = ''reversal'' OR kind = ''payout'' OR')
    WHERE type = 'table' AND name = 'transactions';
PRAGMA writable_schema = RESET;

-- What a platform has paid, or says that it has, to a bank account of the
-- merchant's. Only the state changes.
CREATE TABLE payouts (
    id          INTEGER NOT NULL PRIMARY KEY,
    payout_id   TEXT    NOT NULL, -- the platform's
    provider    TEXT    NOT NULL,
    project     TEXT    NOT NULL,
    bank        TEXT    NOT NULL, -- the account's name in the configuration
    date        TEXT    NOT NULL, -- 2026-11-29
    day_start   INTEGER NOT NULL, -- the first instant of that day
    day_end     INTEGER NOT NULL, -- and of the next
    currency    TEXT    NOT NULL,
    gross       INTEGER NOT NULL,
    refunds     INTEGER NOT NULL,
    fees        INTEGER NOT NULL,
    reserve     INTEGER NOT NULL,
    adjustments INTEGER NOT NULL,
    net         INTEGER NOT NULL CHECK (gross - refunds - fees - reserve - adjustments = net),
    lines       INTEGER NOT NULL, -- how many it has
    file        TEXT    NOT NULL, -- the register that it came from, '' if it was entered by hand
    sha256      TEXT    NOT NULL, -- of that file
    created_at  INTEGER NOT NULL,
    -- staged: its lines are being written, nobody sees it; draft: entered;
    -- posted: booked; discarded: given up; reversed: its booking was reversed
    state       TEXT    NOT NULL CHECK (state = 'staged' OR state = 'draft' OR state = 'posted' OR state = 'discarded' OR state = 'reversed')
) STRICT;
CREATE UNIQUE INDEX payouts_held ON payouts (payout_id, provider, project) WHERE state = 'draft' OR state = 'posted';
CREATE INDEX payouts_id ON payouts (payout_id);
CREATE INDEX payouts_state ON payouts (state, id);

CREATE TABLE payout_lines (
    payout     INTEGER NOT NULL REFERENCES payouts (id),
    n          INTEGER NOT NULL, -- from 1
    line       INTEGER NOT NULL, -- its number in the register
    type       TEXT    NOT NULL,
    payment    TEXT    NOT NULL, -- the payment's id as the register has it
    operation  TEXT    NOT NULL,
    amount     INTEGER NOT NULL,
    fee        INTEGER NOT NULL,
    reserve    INTEGER NOT NULL,
    adjustment INTEGER NOT NULL,
    at         INTEGER,          -- when the platform had it, NULL if the register does not say
    key        TEXT    NOT NULL, -- equal for the same line elsewhere; '' if it cannot be told from others
    payment_id TEXT,             -- our payment, NULL as long as we know none: all that changes
    PRIMARY KEY (payout, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX payout_lines_payment ON payout_lines (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX payout_lines_unknown ON payout_lines (payout, n) WHERE payment_id IS NULL AND (payment <> '' OR operation <> '');
CREATE INDEX payout_lines_key ON payout_lines (key) WHERE key <> '';

-- How a payout came into its state, the newest step last.
CREATE TABLE payout_steps (
    id     INTEGER NOT NULL PRIMARY KEY,
    payout INTEGER NOT NULL REFERENCES payouts (id),
    at     INTEGER NOT NULL,
    state  TEXT    NOT NULL CHECK (state = 'draft' OR state = 'posted' OR state = 'discarded' OR state = 'reversed'),
    seq    INTEGER REFERENCES transactions (seq), -- the ledger transaction that was made with it
    actor  TEXT    NOT NULL,
    reason TEXT    NOT NULL
) STRICT;
CREATE INDEX payout_steps_payout ON payout_steps (payout);
CREATE UNIQUE INDEX payout_steps_seq ON payout_steps (seq) WHERE seq IS NOT NULL;

-- What was booked with platforms up to a place in the feed, added up by quarters of
-- an hour, so that nobody has to read the journal for it. All of it follows from
-- the journal and the lines of payouts.
CREATE TABLE settlement_progress (
    id      INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq     INTEGER NOT NULL, -- the last transaction that is in the sums
    version INTEGER NOT NULL  -- rises with each change of the sums, and of what payouts name
) STRICT;
INSERT INTO settlement_progress (id, seq, version) VALUES (1, 0, 0);
CREATE TABLE settlement_sums (
    account_id INTEGER NOT NULL REFERENCES ledger_accounts (id),
    -- the kind of the transactions, a reversal's being that of what it undoes; or
    -- received: money that came, at the time of its first transaction
    kind       TEXT    NOT NULL,
    quarter    INTEGER NOT NULL, -- of an hour since 1970, of the effective time
    n          INTEGER NOT NULL, -- transactions less their reversals
    amount     INTEGER NOT NULL, -- debits less credits
    PRIMARY KEY (account_id, kind, quarter)
) STRICT, WITHOUT ROWID;
CREATE TABLE payout_sums ( -- received, of the payments that a payout names
    payout     INTEGER NOT NULL REFERENCES payouts (id),
    account_id INTEGER NOT NULL REFERENCES ledger_accounts (id),
    quarter    INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    amount     INTEGER NOT NULL,
    PRIMARY KEY (payout, account_id, quarter)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER payouts_state_only BEFORE UPDATE ON payouts
WHEN NOT ((OLD.state = 'staged' AND NEW.state = 'draft') OR (OLD.state = 'draft' AND (NEW.state = 'posted' OR NEW.state = 'discarded'))
        OR (OLD.state = 'posted' AND NEW.state = 'reversed') OR (OLD.state = 'reversed' AND NEW.state = 'posted'))
    OR (NEW.id, NEW.payout_id, NEW.provider, NEW.project, NEW.bank, NEW.date, NEW.day_start, NEW.day_end, NEW.currency, NEW.gross, NEW.refunds,
            NEW.fees, NEW.reserve, NEW.adjustments, NEW.net, NEW.lines, NEW.file, NEW.sha256, NEW.created_at)
        <> (OLD.id, OLD.payout_id, OLD.provider, OLD.project, OLD.bank, OLD.date, OLD.day_start, OLD.day_end, OLD.currency, OLD.gross, OLD.refunds,
            OLD.fees, OLD.reserve, OLD.adjustments, OLD.net, OLD.lines, OLD.file, OLD.sha256, OLD.created_at)
BEGIN
    SELECT RAISE(ABORT, 'a payout keeps its figures: discard it, or reverse its posting');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payouts_no_delete BEFORE DELETE ON payouts WHEN OLD.state <> 'staged' BEGIN
    SELECT RAISE(ABORT, 'a payout is never deleted: discard it, or reverse its posting');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payouts_no_replace BEFORE INSERT ON payouts
WHEN NEW.state <> 'staged' OR EXISTS (SELECT 1 FROM payouts WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'a payout is never replaced, and begins as staged');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_lines_no_update BEFORE UPDATE ON payout_lines
WHEN OLD.payment_id IS NOT NULL OR NEW.payment_id IS NULL OR NEW.at IS NOT OLD.at
    OR (NEW.payout, NEW.n, NEW.line, NEW.type, NEW.payment, NEW.operation, NEW.amount, NEW.fee, NEW.reserve, NEW.adjustment, NEW.key)
        <> (OLD.payout, OLD.n, OLD.line, OLD.type, OLD.payment, OLD.operation, OLD.amount, OLD.fee, OLD.reserve, OLD.adjustment, OLD.key)
BEGIN
    SELECT RAISE(ABORT, 'the lines of a payout are never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_lines_no_delete BEFORE DELETE ON payout_lines
WHEN EXISTS (SELECT 1 FROM payouts WHERE id = OLD.payout AND state <> 'staged')
BEGIN
    SELECT RAISE(ABORT, 'the lines of a payout are never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_lines_no_replace BEFORE INSERT ON payout_lines
WHEN NOT EXISTS (SELECT 1 FROM payouts WHERE id = NEW.payout AND state = 'staged')
    OR EXISTS (SELECT 1 FROM payout_lines WHERE payout = NEW.payout AND n = NEW.n)
BEGIN
    SELECT RAISE(ABORT, 'the lines of a payout are never changed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_steps_no_update BEFORE UPDATE ON payout_steps BEGIN
    SELECT RAISE(ABORT, 'the record of what was done to payouts is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_steps_no_delete BEFORE DELETE ON payout_steps BEGIN
    SELECT RAISE(ABORT, 'the record of what was done to payouts is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payout_steps_no_replace BEFORE INSERT ON payout_steps
WHEN EXISTS (SELECT 1 FROM payout_steps WHERE id = NEW.id) OR (NEW.seq IS NOT NULL AND EXISTS (SELECT 1 FROM payout_steps WHERE seq = NEW.seq))
BEGIN
    SELECT RAISE(ABORT, 'the record of what was done to payouts is insert-only');
END;
-- +goose StatementEnd
