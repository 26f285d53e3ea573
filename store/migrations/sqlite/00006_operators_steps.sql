-- +goose Up

-- A program of level 1 can live with this; the triggers below keep it from
-- undoing what only a newer one knows.
INSERT INTO schema_levels (migration, oldest_program) VALUES (6, 1);

-- A credit can be recalled into suspense. As in migration 3, only the text of
-- the check is exchanged; what follows makes everybody read it anew.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql,
    'OR kind = ''reversal'')', 'OR kind = ''reversal'' OR kind = ''recall'')')
    WHERE type = 'table' AND name = 'transactions';
PRAGMA writable_schema = RESET;

-- The credit or assignment from which a recall takes.
ALTER TABLE transactions ADD COLUMN takes INTEGER REFERENCES transactions (seq);
CREATE INDEX transactions_takes ON transactions (takes) WHERE takes IS NOT NULL;

-- 1: an operator opened it for money that no message told of.
ALTER TABLE payments ADD COLUMN recorded INTEGER NOT NULL DEFAULT 0;

-- 1: an operator recalled or suspended money of it, so that its one credit does
-- not tell what its contract has.
ALTER TABLE payments ADD COLUMN moved INTEGER NOT NULL DEFAULT 0;

-- 1: an operator entered it, no message did.
ALTER TABLE operations ADD COLUMN entered INTEGER NOT NULL DEFAULT 0;

-- Operations that may be entered again, because the operator's transaction that
-- they belonged to was reversed. While that reversal stands, they are not in
-- operations.
CREATE TABLE freed_operations (
    id               INTEGER NOT NULL PRIMARY KEY,
    operation        TEXT    NOT NULL,
    provider         TEXT    NOT NULL,
    project          TEXT    NOT NULL,
    seq              INTEGER NOT NULL REFERENCES transactions (seq),
    reference        TEXT    NOT NULL,
    sum_amount       INTEGER NOT NULL,
    sum_currency     TEXT    NOT NULL,
    initial_amount   INTEGER NOT NULL,
    initial_currency TEXT    NOT NULL,
    entered          INTEGER NOT NULL,
    freed_by         INTEGER NOT NULL REFERENCES transactions (seq) -- the reversal
) STRICT;
CREATE INDEX freed_operations_seq ON freed_operations (seq);

-- What operators did beside, or instead of, a ledger transaction.
CREATE TABLE operator_steps (
    id         INTEGER NOT NULL PRIMARY KEY,
    at         INTEGER NOT NULL,
    action     TEXT    NOT NULL CHECK (action = 'record' OR action = 'close' OR action = 'suspend' OR action = 'dismiss'),
    payment_id TEXT,
    message_id INTEGER,
    seq        INTEGER REFERENCES transactions (seq), -- the transaction that was made beside it
    operation  TEXT    NOT NULL DEFAULT '',           -- that the operator entered, or the message has
    actor      TEXT    NOT NULL,
    reason     TEXT    NOT NULL
) STRICT;
CREATE INDEX operator_steps_payment ON operator_steps (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX operator_steps_message ON operator_steps (message_id) WHERE message_id IS NOT NULL;
CREATE UNIQUE INDEX operator_steps_seq ON operator_steps (seq) WHERE seq IS NOT NULL;

-- Messages that somebody must deal with, until somebody has.
CREATE TABLE open_messages (
    message_id INTEGER NOT NULL PRIMARY KEY,
    told       TEXT    NOT NULL CHECK (told = 'unreadable' OR told = 'refund' OR told = 'reversal' OR told = 'conflict'),
    payment_id TEXT,             -- the payment that it concerns, if any
    operation  TEXT    NOT NULL
) STRICT;
CREATE INDEX open_messages_payment ON open_messages (payment_id) WHERE payment_id IS NOT NULL;
-- Those that were stored before, as far as it can be told of them.
INSERT INTO open_messages (message_id, told, payment_id, operation)
    SELECT id, 'unreadable', payment_id, operation FROM messages WHERE disposition = 'unreadable';
INSERT INTO open_messages (message_id, told, payment_id, operation)
    SELECT m.id, CASE WHEN p.flags & 64 <> 0 THEN 'refund' ELSE 'reversal' END, p.payment_id, m.operation
    FROM payments p JOIN messages m ON m.payment_id = p.payment_id
        AND m.reference = CASE WHEN p.customer_id = '' THEN p.provider_reference ELSE p.payment_id END
    WHERE p.flags <> 0 AND p.flags & 192 <> 0 AND m.disposition = 'noted'
        AND m.status IN ('success', 'refunded', 'partially refunded', 'reversed', 'partially reversed');

-- The flag reversed says that nothing of the payment's money stands on its
-- contract: an assignment that was made after the reversal does. 2048 is the flag.
UPDATE payments SET flags = flags & ~2048 WHERE flags <> 0 AND flags & 2048 <> 0 AND EXISTS (
    SELECT 1 FROM suspense_items i JOIN transactions t ON t.seq = i.resolved_by
        JOIN entries e ON e.seq = t.seq AND e.amount < 0 JOIN ledger_accounts a ON a.id = e.account_id
    WHERE i.payment_id = payments.payment_id AND i.state = 'assigned'
        AND (payments.customer_id = '' OR a.name = 'customers:' || payments.customer_id || ':' || payments.entity_id));
-- A payment of whose money no contract has any left has not succeeded.
UPDATE payments SET status = 'review' WHERE flags <> 0 AND flags & 2048 <> 0 AND status = 'succeeded' AND NOT EXISTS (
    SELECT 1 FROM suspense_items i WHERE i.payment_id = payments.payment_id AND i.state = 'assigned');

-- A callback that called a payment paid without being a movement was only noted,
-- and the payment expired: somebody must look. 1024 is the flag outcome_unknown.
UPDATE payments SET status = 'review', flags = flags | 1024
    WHERE status <> 'succeeded' AND (status = 'pending' OR status = 'expired' OR status = 'declined')
        AND provider = 'jetpay' AND customer_id <> '' AND credit_seq IS NULL AND EXISTS (
            SELECT 1 FROM messages m WHERE m.reference = payments.payment_id AND m.payment_id = payments.payment_id
                AND m.disposition = 'noted' AND m.status = 'success');

-- An operation is taken out only when the transaction that it belonged to was
-- reversed, and that reversal stands.
DROP TRIGGER operations_no_delete;
-- +goose StatementBegin
CREATE TRIGGER operations_no_delete BEFORE DELETE ON operations
WHEN NOT EXISTS (SELECT 1 FROM freed_operations f
    WHERE f.operation = OLD.operation AND f.provider = OLD.provider AND f.project = OLD.project AND f.seq = OLD.seq
        AND NOT EXISTS (SELECT 1 FROM transactions r WHERE r.reverses = f.freed_by))
BEGIN
    SELECT RAISE(ABORT, 'the record of posted operations is insert-only, unless an operator''s transaction was reversed');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER freed_operations_no_update BEFORE UPDATE ON freed_operations BEGIN
    SELECT RAISE(ABORT, 'the record of freed operations is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER freed_operations_no_delete BEFORE DELETE ON freed_operations BEGIN
    SELECT RAISE(ABORT, 'the record of freed operations is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER freed_operations_no_replace BEFORE INSERT ON freed_operations
WHEN EXISTS (SELECT 1 FROM freed_operations WHERE id = NEW.id)
    OR NOT EXISTS (SELECT 1 FROM transactions r WHERE r.seq = NEW.freed_by AND r.kind = 'reversal')
    OR EXISTS (SELECT 1 FROM transactions t WHERE t.seq = NEW.seq AND t.actor = '')
BEGIN
    SELECT RAISE(ABORT, 'an operation is freed once, by the reversal of an operator''s transaction');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER operator_steps_no_update BEFORE UPDATE ON operator_steps BEGIN
    SELECT RAISE(ABORT, 'the record of operators'' steps is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER operator_steps_no_delete BEFORE DELETE ON operator_steps BEGIN
    SELECT RAISE(ABORT, 'the record of operators'' steps is insert-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER operator_steps_no_replace BEFORE INSERT ON operator_steps
WHEN EXISTS (SELECT 1 FROM operator_steps WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'the record of operators'' steps is insert-only');
END;
-- +goose StatementEnd
-- Programs of before mirrored what a provider had posted, and would mirror a
-- credit that was recalled.
-- +goose StatementBegin
CREATE TRIGGER transactions_no_mirror BEFORE INSERT ON transactions
WHEN NEW.reverses IS NOT NULL
    AND (EXISTS (SELECT 1 FROM transactions t WHERE t.seq = NEW.reverses AND (t.kind = 'credit' OR t.kind = 'suspense') AND t.actor = '')
        OR EXISTS (SELECT 1 FROM transactions k WHERE k.takes = NEW.reverses
            AND NOT EXISTS (SELECT 1 FROM transactions r WHERE r.reverses = k.seq)))
BEGIN
    SELECT RAISE(ABORT, 'a provider''s posting, or a credit that was recalled, is not reversed');
END;
-- +goose StatementEnd

-- What an operator entered wrongly can be entered again: a callback that was bound
-- to an operator's credit which was reversed since is free, as it is from now on.
INSERT INTO freed_operations (operation, provider, project, seq, reference, sum_amount, sum_currency, initial_amount, initial_currency, entered, freed_by)
    WITH RECURSIVE chain (root, last) AS (
        SELECT p.credit_seq, r.seq FROM payments p JOIN transactions t ON t.seq = p.credit_seq AND t.kind = 'manual_credit'
            JOIN transactions r ON r.reverses = p.credit_seq
            WHERE p.flags <> 0 AND p.credit_reversed <> 0 AND p.credit_operation <> ''
        UNION ALL
        SELECT c.root, r.seq FROM chain c JOIN transactions r ON r.reverses = c.last)
    SELECT o.operation, o.provider, o.project, o.seq, o.reference, o.sum_amount, o.sum_currency, o.initial_amount, o.initial_currency, o.entered,
        (SELECT max(c.last) FROM chain c WHERE c.root = p.credit_seq)
    FROM payments p JOIN operations o ON o.operation = p.credit_operation AND o.provider = p.provider AND o.project = p.project AND o.seq = p.credit_seq
    WHERE p.flags <> 0 AND p.credit_reversed <> 0 AND p.credit_operation <> '' AND p.credit_seq IN (SELECT c.root FROM chain c);
DELETE FROM operations WHERE (operation, provider, project) IN (SELECT f.operation, f.provider, f.project FROM freed_operations f);
