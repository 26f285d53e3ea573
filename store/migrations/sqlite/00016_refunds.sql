-- +goose Up

-- A program of level 1 can live with this: the trigger below keeps it from steps
-- on payments that it would not understand.
INSERT INTO schema_levels (migration, oldest_program) VALUES (16, 1);

-- A credit can be refunded, and a step of an operator can name the operation by
-- which money went back. As in migration 3, only the text of the checks is
-- exchanged; what follows makes everybody read it anew.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(sql, 'OR kind = ''recall'')', 'OR kind = ''recall'' OR kind = ''refund'')')
    WHERE type = 'table' AND name = 'transactions';
UPDATE sqlite_schema SET sql = replace(sql, 'OR action = ''dismiss'')', 'OR action = ''dismiss'' OR action = ''refund'' OR action = ''return'')')
    WHERE type = 'table' AND name = 'operator_steps';
PRAGMA writable_schema = RESET;

-- Adding a column, SQLite reads the table once: about 1 s for a million payments.
-- Of an operator's step: the level of the program that made it. NULL for what a
-- message made, and for a program of before this migration.
ALTER TABLE transactions ADD COLUMN program_level INTEGER;

-- What went back of an item that was not returned whole, in minor units.
ALTER TABLE suspense_items ADD COLUMN part_returned INTEGER NOT NULL DEFAULT 0;

-- Messages that told of a refund or a reversal, whether or not somebody has dealt
-- with it.
CREATE TABLE told_refunds (
    message_id INTEGER NOT NULL PRIMARY KEY,
    told       TEXT    NOT NULL CHECK (told = 'refund' OR told = 'reversal'),
    amount     INTEGER NOT NULL, -- that went back, 0 if the message does not say
    currency   TEXT    NOT NULL
) STRICT;
-- Those that were stored before and are open: what went back is in their bodies.
INSERT INTO told_refunds (message_id, told, amount, currency)
    SELECT message_id, told, 0, '' FROM open_messages WHERE told = 'refund' OR told = 'reversal';

-- What a provider answered that went back of a payment, 0 if it does not say.
ALTER TABLE status_answers ADD COLUMN paid_back INTEGER NOT NULL DEFAULT 0;
ALTER TABLE status_answers ADD COLUMN paid_back_currency TEXT NOT NULL DEFAULT '';

-- Programs of before know no refund, and take an item of which a part was returned
-- for one that was returned whole.
DROP TRIGGER transactions_no_replace;
-- +goose StatementBegin
CREATE TRIGGER transactions_no_replace BEFORE INSERT ON transactions
WHEN EXISTS (SELECT 1 FROM transactions WHERE seq = NEW.seq)
  OR EXISTS (SELECT 1 FROM transactions WHERE transaction_id = NEW.transaction_id)
  OR EXISTS (SELECT 1 FROM transactions WHERE payment_id = NEW.payment_id AND slot = NEW.slot)
  OR (NEW.reverses IS NOT NULL AND (
        EXISTS (SELECT 1 FROM transactions WHERE reverses = NEW.reverses)
     OR EXISTS (SELECT 1 FROM transactions t WHERE t.seq = NEW.reverses AND (t.kind = 'credit' OR t.kind = 'suspense') AND t.actor = '')
     OR EXISTS (SELECT 1 FROM transactions k WHERE k.takes = NEW.reverses
            AND NOT EXISTS (SELECT 1 FROM transactions r WHERE r.reverses = k.seq))))
  OR (NEW.actor <> '' AND NEW.program_level IS NULL AND EXISTS (
        SELECT 1 FROM transactions t WHERE t.payment_id = NEW.payment_id
            AND (t.kind = 'refund' OR (t.kind = 'return' AND t.program_level IS NOT NULL))))
BEGIN
    SELECT RAISE(ABORT, 'a provider''s posting, or a credit that was recalled or refunded, is not reversed')
        WHERE NEW.reverses IS NOT NULL
          AND (EXISTS (SELECT 1 FROM transactions t WHERE t.seq = NEW.reverses AND (t.kind = 'credit' OR t.kind = 'suspense') AND t.actor = '')
            OR EXISTS (SELECT 1 FROM transactions k WHERE k.takes = NEW.reverses
                AND NOT EXISTS (SELECT 1 FROM transactions r WHERE r.reverses = k.seq)));
    SELECT RAISE(ABORT, 'money of this payment went back: a step on it needs a newer tolem')
        WHERE NEW.actor <> '' AND NEW.program_level IS NULL AND EXISTS (
            SELECT 1 FROM transactions t WHERE t.payment_id = NEW.payment_id
                AND (t.kind = 'refund' OR (t.kind = 'return' AND t.program_level IS NOT NULL)));
    SELECT RAISE(ABORT, 'the journal is insert-only: this transaction would replace another');
END;
-- +goose StatementEnd
