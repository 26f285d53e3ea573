-- +goose Up

-- Times are INTEGER Unix microseconds, amounts INTEGER minor units, in every
-- table. STRICT makes an overflowing sum an error instead of a float.

-- Facts about this database itself: how customer ids are normalised, whether
-- it was seeded with demo data.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The oldest program that can live with each migration. A program whose own
-- level is lower refuses to start; a newer schema alone is no reason to.
CREATE TABLE schema_levels (
    migration      INTEGER NOT NULL PRIMARY KEY,
    oldest_program INTEGER NOT NULL
) STRICT;
INSERT INTO schema_levels (migration, oldest_program) VALUES (1, 1);

-- One row: which account records are visible. Every record carries the
-- revision that wrote it; the highest visible revision of a customer counts.
CREATE TABLE catalogue (
    id             INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    last_revision  INTEGER NOT NULL, -- the newest revision given out
    staging        INTEGER,          -- the revision of the import under way: not visible
    claim          INTEGER NOT NULL, -- rises when an import takes the staging: one that lost it sees that
    heartbeat_at   INTEGER,          -- when that import was last known to be alive, 0 when it gave up
    closed_below   INTEGER NOT NULL  -- accounts last written before this revision are closed
) STRICT;
INSERT INTO catalogue (id, last_revision, staging, claim, heartbeat_at, closed_below) VALUES (1, 0, NULL, 0, NULL, 0);

CREATE TABLE accounts (
    id                     INTEGER NOT NULL PRIMARY KEY,
    customer_id            TEXT    NOT NULL, -- normalised
    revision               INTEGER NOT NULL,
    additional_customer_id TEXT    NOT NULL,
    currency               TEXT    NOT NULL,
    closed                 INTEGER NOT NULL CHECK (closed IN (0, 1)),
    entities               TEXT    NOT NULL, -- JSON array of the contracts, as imported
    offered                TEXT              -- the open ones of them, for verify; NULL: all, '': none
) STRICT;
CREATE UNIQUE INDEX accounts_customer ON accounts (customer_id, revision);

CREATE TABLE payments (
    id                  INTEGER NOT NULL PRIMARY KEY, -- order of issue
    payment_id          TEXT    NOT NULL UNIQUE,
    provider            TEXT    NOT NULL,
    project             TEXT    NOT NULL,
    customer_id         TEXT    NOT NULL, -- '' for money under an id that we never issued
    entity_id           TEXT    NOT NULL,
    contract_number     TEXT    NOT NULL,
    amount              INTEGER NOT NULL CHECK (amount > 0),
    currency            TEXT    NOT NULL,
    method              TEXT    NOT NULL,
    status              TEXT    NOT NULL CHECK (status IN ('pending', 'succeeded', 'declined', 'expired', 'review')),
    flags               INTEGER NOT NULL,
    created_at          INTEGER NOT NULL,
    expires_at          INTEGER,          -- NULL: never
    -- what the provider said last
    provider_status     TEXT    NOT NULL DEFAULT '',
    provider_code       TEXT    NOT NULL DEFAULT '',
    provider_message    TEXT    NOT NULL DEFAULT '',
    provider_reference  TEXT    NOT NULL DEFAULT '', -- the platform's id of the payment
    provider_payment_id TEXT,                        -- the receipt number behind the platform
    operation_id        TEXT    NOT NULL DEFAULT '',
    provider_time       INTEGER,
    -- the payment's one credit, copied from the journal; NULL until it is taken
    credit_seq          INTEGER,
    credit_transaction  TEXT,
    credit_amount       INTEGER,
    credit_currency     TEXT,
    credit_at           INTEGER,
    credit_by_operator  INTEGER NOT NULL DEFAULT 0,
    credit_operation    TEXT    NOT NULL DEFAULT '', -- the provider's operation bound to it
    credit_reversed     INTEGER NOT NULL DEFAULT 0,
    open_items          INTEGER NOT NULL DEFAULT 0 CHECK (open_items >= 0) -- suspense items nobody resolved
) STRICT;
-- The order of every list. With the amount in it, a search by amount reads the
-- index alone; an index by amount would cost every check_deposit a tenth.
CREATE INDEX payments_created ON payments (created_at, id, amount);
CREATE INDEX payments_customer ON payments (customer_id, created_at) WHERE customer_id <> '';
CREATE INDEX payments_number ON payments (contract_number) WHERE contract_number <> '';
-- Most payments succeed and leave it again. With expires_at in it, the sweep
-- for expired ones reads the index alone.
CREATE INDEX payments_unsettled ON payments (status, created_at, expires_at) WHERE status <> 'succeeded';
CREATE INDEX payments_flagged ON payments (created_at) WHERE flags <> 0;
-- Operations that posted are found in operations; these are the others.
CREATE INDEX payments_operation ON payments (operation_id) WHERE operation_id <> '' AND (status <> 'succeeded' OR flags <> 0);
CREATE INDEX payments_receipt ON payments (provider_payment_id) WHERE provider_payment_id IS NOT NULL;
CREATE UNIQUE INDEX payments_unknown ON payments (provider_reference, provider, project) WHERE customer_id = '';

-- Every provider message with a valid signature, one row a delivery.
CREATE TABLE messages (
    id          INTEGER NOT NULL PRIMARY KEY,
    received_at INTEGER NOT NULL,
    provider    TEXT    NOT NULL,
    project     TEXT    NOT NULL,
    source      TEXT    NOT NULL, -- callback, alert, or info: we asked
    reference   TEXT    NOT NULL, -- the payment's id as the message has it, '' if it cannot be read
    fingerprint BLOB,             -- equal for a message and its repeats; NULL on a repeat's own row
    payment_id  TEXT,             -- the payment that it concerns, if any
    disposition TEXT    NOT NULL, -- what became of it
    seq         INTEGER,          -- the ledger transaction that it made, if any
    status      TEXT    NOT NULL, -- the provider's own words, for the timeline
    operation   TEXT    NOT NULL,
    code        TEXT    NOT NULL,
    receipt     TEXT    NOT NULL DEFAULT '' -- the receipt number behind the platform
) STRICT;
CREATE INDEX messages_reference ON messages (reference, fingerprint);
-- An operation or a receipt that was not credited is found through its message;
-- those that were, and that is nearly all, through operations and payments.
CREATE INDEX messages_operation ON messages (operation) WHERE disposition NOT IN ('credited', 'repeat') AND operation <> '';
CREATE INDEX messages_receipt ON messages (receipt) WHERE disposition NOT IN ('credited', 'repeat') AND receipt <> '';

-- The raw bodies, apart because they are big and are dropped after raw_retention.
CREATE TABLE message_bodies (
    message_id  INTEGER NOT NULL PRIMARY KEY,
    received_at INTEGER NOT NULL,
    body        BLOB    NOT NULL
) STRICT;

-- The journal. Insert-only: see the triggers below.
CREATE TABLE transactions (
    seq            INTEGER NOT NULL PRIMARY KEY, -- place in the feed, in commit order
    transaction_id TEXT    NOT NULL UNIQUE,
    kind           TEXT    NOT NULL CHECK (kind IN ('credit', 'suspense', 'manual_credit', 'assignment', 'return', 'reversal')),
    payment_id     TEXT    NOT NULL,
    -- 0 for the payment's one credit, else the transaction's own seq: the
    -- unique key below lets a payment be credited once, and finds its others.
    slot           INTEGER NOT NULL,
    reverses       INTEGER REFERENCES transactions (seq), -- the transaction that this one mirrors
    resolves       INTEGER REFERENCES transactions (seq), -- the suspense item that this one resolves
    actor          TEXT    NOT NULL DEFAULT '',           -- '' for the provider
    reason         TEXT    NOT NULL DEFAULT '',
    effective_at   INTEGER NOT NULL,                      -- the provider's time
    recorded_at    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX transactions_payment ON transactions (payment_id, slot);
CREATE UNIQUE INDEX transactions_reverses ON transactions (reverses) WHERE reverses IS NOT NULL;

CREATE TABLE entries (
    seq        INTEGER NOT NULL REFERENCES transactions (seq),
    n          INTEGER NOT NULL,
    account_id INTEGER NOT NULL REFERENCES ledger_accounts (id),
    amount     INTEGER NOT NULL CHECK (amount <> 0), -- a debit is positive, a credit negative
    PRIMARY KEY (seq, n)
) STRICT, WITHOUT ROWID;

-- A provider's operation has its effect once, ever.
CREATE TABLE operations (
    operation        TEXT    NOT NULL,
    provider         TEXT    NOT NULL,
    project          TEXT    NOT NULL,
    seq              INTEGER NOT NULL REFERENCES transactions (seq), -- what it posted, or the credit it is bound to
    reference        TEXT    NOT NULL,
    sum_amount       INTEGER NOT NULL,
    sum_currency     TEXT    NOT NULL,
    initial_amount   INTEGER NOT NULL,
    initial_currency TEXT    NOT NULL,
    PRIMARY KEY (operation, provider, project)
) STRICT, WITHOUT ROWID;

-- Ledger accounts with their running totals, which ledger check proves equal
-- to the sums of the entries.
CREATE TABLE ledger_accounts (
    id       INTEGER NOT NULL PRIMARY KEY,
    name     TEXT    NOT NULL,
    currency TEXT    NOT NULL,
    debits   INTEGER NOT NULL DEFAULT 0 CHECK (debits >= 0),
    credits  INTEGER NOT NULL DEFAULT 0 CHECK (credits >= 0)
) STRICT;
CREATE UNIQUE INDEX ledger_accounts_name ON ledger_accounts (name, currency);

-- Money that belongs to nobody yet, one row for each suspense transaction.
CREATE TABLE suspense_items (
    seq         INTEGER NOT NULL PRIMARY KEY REFERENCES transactions (seq),
    payment_id  TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('open', 'assigned', 'returned', 'reversed')),
    resolved_by INTEGER REFERENCES transactions (seq)
) STRICT;
CREATE INDEX suspense_items_payment ON suspense_items (payment_id);
CREATE INDEX suspense_items_open ON suspense_items (seq) WHERE state = 'open';

-- The journal cannot be changed, not even by INSERT OR REPLACE, which deletes
-- without firing delete triggers: so an insert that would replace is refused too.
-- +goose StatementBegin
CREATE TRIGGER transactions_no_update BEFORE UPDATE ON transactions BEGIN
    SELECT RAISE(ABORT, 'the journal is insert-only: post a correcting transaction instead');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER transactions_no_delete BEFORE DELETE ON transactions BEGIN
    SELECT RAISE(ABORT, 'the journal is insert-only: post a correcting transaction instead');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER transactions_no_replace BEFORE INSERT ON transactions
WHEN EXISTS (SELECT 1 FROM transactions WHERE seq = NEW.seq)
  OR EXISTS (SELECT 1 FROM transactions WHERE transaction_id = NEW.transaction_id)
  OR EXISTS (SELECT 1 FROM transactions WHERE payment_id = NEW.payment_id AND slot = NEW.slot)
  OR (NEW.reverses IS NOT NULL AND EXISTS (SELECT 1 FROM transactions WHERE reverses = NEW.reverses))
BEGIN
    SELECT RAISE(ABORT, 'the journal is insert-only: this transaction would replace another');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER entries_no_update BEFORE UPDATE ON entries BEGIN
    SELECT RAISE(ABORT, 'the journal is insert-only: post a correcting transaction instead');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER entries_no_delete BEFORE DELETE ON entries BEGIN
    SELECT RAISE(ABORT, 'the journal is insert-only: post a correcting transaction instead');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER entries_no_replace BEFORE INSERT ON entries
WHEN EXISTS (SELECT 1 FROM entries WHERE seq = NEW.seq AND n = NEW.n)
BEGIN
    SELECT RAISE(ABORT, 'the journal is insert-only: this entry would replace another');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER operations_no_update BEFORE UPDATE ON operations BEGIN
    SELECT RAISE(ABORT, 'the record of posted operations is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER operations_no_delete BEFORE DELETE ON operations BEGIN
    SELECT RAISE(ABORT, 'the record of posted operations is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER operations_no_replace BEFORE INSERT ON operations
WHEN EXISTS (SELECT 1 FROM operations WHERE operation = NEW.operation AND provider = NEW.provider AND project = NEW.project)
BEGIN
    SELECT RAISE(ABORT, 'the operation has posted before');
END;
-- +goose StatementEnd
-- Ledger accounts keep their identity; only their running totals move.
-- +goose StatementBegin
CREATE TRIGGER ledger_accounts_identity BEFORE UPDATE OF id, name, currency ON ledger_accounts BEGIN
    SELECT RAISE(ABORT, 'a ledger account keeps its name and currency');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER ledger_accounts_no_delete BEFORE DELETE ON ledger_accounts BEGIN
    SELECT RAISE(ABORT, 'a ledger account is never deleted');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER ledger_accounts_no_replace BEFORE INSERT ON ledger_accounts
WHEN EXISTS (SELECT 1 FROM ledger_accounts WHERE id = NEW.id)
  OR EXISTS (SELECT 1 FROM ledger_accounts WHERE name = NEW.name AND currency = NEW.currency)
BEGIN
    SELECT RAISE(ABORT, 'a ledger account is never replaced');
END;
-- +goose StatementEnd
