-- +goose Up

-- A program of level 1 can live with this.
INSERT INTO schema_levels (migration, oldest_program) VALUES (10, 1);

-- SQLite runs a program of its own for each trigger of a row, even if its
-- condition is false: what every callback passes is one trigger, not two.

DROP TRIGGER transactions_no_replace;
DROP TRIGGER transactions_no_mirror;
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
BEGIN
    SELECT RAISE(ABORT, 'a provider''s posting, or a credit that was recalled, is not reversed')
        WHERE NEW.reverses IS NOT NULL
          AND (EXISTS (SELECT 1 FROM transactions t WHERE t.seq = NEW.reverses AND (t.kind = 'credit' OR t.kind = 'suspense') AND t.actor = '')
            OR EXISTS (SELECT 1 FROM transactions k WHERE k.takes = NEW.reverses
                AND NOT EXISTS (SELECT 1 FROM transactions r WHERE r.reverses = k.seq)));
    SELECT RAISE(ABORT, 'the journal is insert-only: this transaction would replace another');
END;
-- +goose StatementEnd

-- A pay-in is polled as long as its payment is pending, and after an error,
-- which is not final, until the provider says decline or the watch ends it for
-- its age.
DROP TRIGGER payins_follow;
DROP TRIGGER payins_follow_decline;
-- +goose StatementBegin
CREATE TRIGGER payins_follow AFTER UPDATE OF status ON payments
WHEN NEW.provider = 'highhelp' AND (NEW.status <> OLD.status
    OR NEW.status = 'declined' AND NEW.provider_status <> OLD.provider_status
        AND (NEW.provider_status = 'decline' OR NEW.provider_status LIKE 'decline:%'))
BEGIN
    UPDATE payins SET
        state = CASE WHEN NEW.status = 'pending' OR NEW.status = 'declined' AND (NEW.provider_status = 'error' OR NEW.provider_status LIKE 'error:%') THEN 'open' ELSE 'done' END,
        next_look_at = CASE WHEN NEW.status = 'pending' OR NEW.status = 'declined' AND (NEW.provider_status = 'error' OR NEW.provider_status LIKE 'error:%') THEN 0 END
    WHERE payment_id = NEW.payment_id AND (NEW.status <> OLD.status OR next_look_at IS NOT NULL);
END;
-- +goose StatementEnd
