-- +goose Up

-- A program of level 1 can live with this: it searches by contract number
-- slowly, and the trigger works for it too.
INSERT INTO schema_levels (migration, oldest_program) VALUES (4, 1);

-- Whose contracts have, or had, a number. Payments are found by it through their
-- customer. An index of payments by number had a page anywhere in it changed by
-- every check_deposit: a third of all pages that one brings to the disk.
CREATE TABLE contract_numbers (
    number      TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    PRIMARY KEY (number, customer_id)
) STRICT, WITHOUT ROWID;
INSERT INTO contract_numbers (number, customer_id)
    SELECT DISTINCT contract_number, customer_id FROM payments WHERE contract_number <> '' AND customer_id <> '';
DROP INDEX payments_number;
-- +goose StatementBegin
CREATE TRIGGER payments_number AFTER INSERT ON payments
WHEN NEW.contract_number <> '' AND NEW.customer_id <> '' AND NOT EXISTS (
    SELECT 1 FROM contract_numbers WHERE number = NEW.contract_number AND customer_id = NEW.customer_id)
BEGIN
    INSERT INTO contract_numbers (number, customer_id) VALUES (NEW.contract_number, NEW.customer_id);
END;
-- +goose StatementEnd
