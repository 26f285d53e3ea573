-- +goose Up

-- Where the running totals are read: elsewhere they are kept in several parts.
INSERT INTO schema_levels (migration, oldest_program) VALUES (3, 1);

CREATE VIEW ledger_balances (id, name, currency, debits, credits) AS
    SELECT id, name, currency, debits, credits FROM ledger_accounts;
