-- +goose Up

-- A program of level 1 can live with this: it asks no more about a pay-in whose
-- status is error, and shows no answers.
INSERT INTO schema_levels (migration, oldest_program) VALUES (8, 1);

-- What a provider answered last when it was asked for the status of a payment.
-- It moves no money and is no message of the provider: nobody signed it.
CREATE TABLE status_answers (
    payment_id  TEXT    NOT NULL PRIMARY KEY,
    answered_at INTEGER NOT NULL,
    http_status INTEGER NOT NULL,
    -- the provider's own words; '' in an answer that has none
    status      TEXT    NOT NULL,
    operation   TEXT    NOT NULL,
    code        TEXT    NOT NULL,
    message     TEXT    NOT NULL,
    amount      INTEGER NOT NULL, -- what it says was paid, 0 if that cannot be read
    currency    TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

-- A pay-in is asked about as long as its payment is pending, and after an error,
-- which is not final: until the provider says decline, or the watch ends it for
-- its age.
DROP TRIGGER payins_follow;
-- +goose StatementBegin
CREATE TRIGGER payins_follow AFTER UPDATE OF status ON payments
WHEN NEW.provider = 'highhelp' AND NEW.status <> OLD.status
BEGIN
    UPDATE payins SET
        state = CASE WHEN NEW.status = 'pending' OR NEW.status = 'declined' AND (NEW.provider_status = 'error' OR NEW.provider_status LIKE 'error:%') THEN 'open' ELSE 'done' END,
        next_look_at = CASE WHEN NEW.status = 'pending' OR NEW.status = 'declined' AND (NEW.provider_status = 'error' OR NEW.provider_status LIKE 'error:%') THEN 0 END
    WHERE payment_id = NEW.payment_id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER payins_follow_decline AFTER UPDATE OF status ON payments
WHEN NEW.provider = 'highhelp' AND NEW.status = 'declined' AND OLD.status = 'declined' AND NEW.provider_status <> OLD.provider_status
    AND (NEW.provider_status = 'decline' OR NEW.provider_status LIKE 'decline:%')
BEGIN
    UPDATE payins SET state = 'done', next_look_at = NULL WHERE payment_id = NEW.payment_id AND next_look_at IS NOT NULL;
END;
-- +goose StatementEnd
