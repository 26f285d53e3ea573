-- +goose Up

-- A program of level 3 can live with this: it asks no more about a pay-in whose
-- status is error, and shows no answers.
INSERT INTO schema_levels (migration, oldest_program) VALUES (8, 3);

-- What a provider answered last when it was asked for the status of a payment.
CREATE TABLE status_answers (
    payment_id  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    answered_at BIGINT NOT NULL,
    http_status BIGINT NOT NULL,
    status      TEXT COLLATE "C" NOT NULL,
    operation   TEXT COLLATE "C" NOT NULL,
    code        TEXT COLLATE "C" NOT NULL,
    message     TEXT COLLATE "C" NOT NULL,
    amount      BIGINT NOT NULL,
    currency    TEXT COLLATE "C" NOT NULL
);

-- A pay-in is asked about after an error, too, until the provider says decline.
-- This runs after payins_follow, by its name: that one stays as it is, so that
-- the ledger check of servers of the version before finds it so.
-- +goose StatementBegin
CREATE FUNCTION payins_follow_error() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'declined' AND (NEW.provider_status = 'error' OR NEW.provider_status LIKE 'error:%') THEN
        UPDATE payins SET state = 'open', next_look_at = 0 WHERE payment_id = NEW.payment_id;
    ELSIF NEW.provider_status = 'decline' OR NEW.provider_status LIKE 'decline:%' THEN
        UPDATE payins SET state = 'done', next_look_at = NULL WHERE payment_id = NEW.payment_id AND next_look_at IS NOT NULL;
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER payins_follow_error AFTER UPDATE OF status ON payments FOR EACH ROW
    WHEN (NEW.provider = 'highhelp' AND NEW.status = 'declined' AND (OLD.status <> 'declined' OR NEW.provider_status <> OLD.provider_status))
    EXECUTE FUNCTION payins_follow_error();
