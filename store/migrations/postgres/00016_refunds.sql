-- +goose Up

-- A program of level 3 can live with this: the trigger below keeps it from steps
-- on payments that it would not understand.
INSERT INTO schema_levels (migration, oldest_program) VALUES (16, 3);

-- A credit can be refunded, and a step of an operator can name the operation by
-- which money went back. Rows that are there obeyed a narrower check; to see that,
-- PostgreSQL reads the table once, about half a second for a million payments.
ALTER TABLE transactions DROP CONSTRAINT transactions_kind_check;
ALTER TABLE transactions ADD CONSTRAINT transactions_kind_check
    CHECK (kind IN ('credit', 'suspense', 'manual_credit', 'assignment', 'return', 'reversal', 'recall', 'payout', 'refund')) NOT VALID;
ALTER TABLE transactions VALIDATE CONSTRAINT transactions_kind_check;
ALTER TABLE operator_steps DROP CONSTRAINT operator_steps_action_check;
ALTER TABLE operator_steps ADD CONSTRAINT operator_steps_action_check
    CHECK (action IN ('record', 'close', 'suspend', 'dismiss', 'refund', 'return'));

-- Of an operator's step: the level of the program that made it. NULL for what a
-- message made, and for a program of before this migration.
ALTER TABLE transactions ADD COLUMN program_level BIGINT;

-- What went back of an item that was not returned whole, in minor units.
ALTER TABLE suspense_items ADD COLUMN part_returned BIGINT NOT NULL DEFAULT 0;

-- Messages that told of a refund or a reversal, whether or not somebody has dealt
-- with it.
CREATE TABLE told_refunds (
    message_id BIGINT NOT NULL PRIMARY KEY,
    told       TEXT COLLATE "C" NOT NULL CHECK (told IN ('refund', 'reversal')),
    amount     BIGINT NOT NULL, -- that went back, 0 if the message does not say
    currency   TEXT COLLATE "C" NOT NULL
);
-- Those that were stored before and are open: what went back is in their bodies.
INSERT INTO told_refunds (message_id, told, amount, currency)
    SELECT message_id, told, 0, '' FROM open_messages WHERE told IN ('refund', 'reversal');

-- What a provider answered that went back of a payment, 0 if it does not say.
ALTER TABLE status_answers ADD COLUMN paid_back BIGINT NOT NULL DEFAULT 0;
ALTER TABLE status_answers ADD COLUMN paid_back_currency TEXT COLLATE "C" NOT NULL DEFAULT '';

-- Programs of before know no refund, and take an item of which a part was returned
-- for one that was returned whole.
-- +goose StatementBegin
CREATE FUNCTION refuse_older_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM transactions t WHERE t.payment_id = NEW.payment_id
            AND (t.kind = 'refund' OR (t.kind = 'return' AND t.program_level IS NOT NULL))) THEN
        RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER transactions_no_older_step BEFORE INSERT ON transactions FOR EACH ROW
    WHEN (NEW.actor <> '' AND NEW.program_level IS NULL)
    EXECUTE FUNCTION refuse_older_step('money of this payment went back: a step on it needs a newer tolem');
ALTER TABLE transactions ENABLE ALWAYS TRIGGER transactions_no_older_step;
