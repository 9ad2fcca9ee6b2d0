-- The rights of each role in ClickHouse, for the database `receipts`; run as an administrator, safe to repeat.
-- Then make a user of each role, with a password of its own:
--   CREATE USER receipts_sink_user IDENTIFIED WITH sha256_password BY '...' DEFAULT ROLE receipts_sink;
-- Views run with the rights of who asks, so each role may read the tables under its views too. Nothing but
-- receipts_migrate may alter, drop or delete. What stands here is what the code asks for: the tests run each role's
-- statements with these rights alone.

-- `receipts migrate`, and `receipts restate`, which empties tables. Give it to no process that runs all the time.
CREATE ROLE IF NOT EXISTS receipts_migrate;
GRANT SHOW DATABASES ON default.* TO receipts_migrate;
GRANT CREATE DATABASE, CREATE TABLE, DROP VIEW, ALTER TABLE, TRUNCATE, SELECT, INSERT ON receipts.* TO receipts_migrate;

-- `receipts sink`: stores, asks whether a table takes rows, and feeds the materialized views.
CREATE ROLE IF NOT EXISTS receipts_sink;
GRANT SELECT, INSERT ON receipts.raw_events_log TO receipts_sink;
GRANT SELECT, INSERT ON receipts.transitions_log TO receipts_sink;
GRANT SELECT, INSERT ON receipts.channel_windows_log TO receipts_sink;
GRANT SELECT, INSERT ON receipts.alerts_log TO receipts_sink;
GRANT SELECT, INSERT ON receipts.dead_letters_log TO receipts_sink;
-- With AUDIT_EVERY:
GRANT SELECT ON receipts.raw_events TO receipts_sink;
GRANT SELECT ON receipts.transitions TO receipts_sink;
GRANT SELECT ON receipts.channel_windows TO receipts_sink;
GRANT SELECT ON receipts.dead_letters TO receipts_sink;
GRANT SELECT ON receipts.ledger TO receipts_sink;
GRANT INSERT ON receipts.audits_log TO receipts_sink;

-- `receipts notifier`: asks channel rules and names. No text of customers.
CREATE ROLE IF NOT EXISTS receipts_notifier;
GRANT SELECT ON receipts.transitions_log TO receipts_notifier;
GRANT SELECT ON receipts.alerts_log TO receipts_notifier;
GRANT SELECT ON receipts.message_state_log TO receipts_notifier;
GRANT SELECT ON receipts.channel_facts_log TO receipts_notifier;
GRANT SELECT ON receipts.channels_log TO receipts_notifier;
GRANT SELECT ON receipts.transitions TO receipts_notifier;
GRANT SELECT ON receipts.alerts TO receipts_notifier;
GRANT SELECT ON receipts.coverage TO receipts_notifier;
GRANT SELECT ON receipts.channels TO receipts_notifier;
GRANT SELECT ON receipts.message_times TO receipts_notifier;
GRANT SELECT ON receipts.message_state TO receipts_notifier;
GRANT SELECT ON receipts.channel_rates TO receipts_notifier;

-- `receipts dashboard`: reads. One that may redrive and discard dead letters needs receipts_operator too.
CREATE ROLE IF NOT EXISTS receipts_dashboard;
GRANT SELECT ON receipts.raw_events_log TO receipts_dashboard;
GRANT SELECT ON receipts.transitions_log TO receipts_dashboard;
GRANT SELECT ON receipts.channel_windows_log TO receipts_dashboard;
GRANT SELECT ON receipts.alerts_log TO receipts_dashboard;
GRANT SELECT ON receipts.dead_letters_log TO receipts_dashboard;
GRANT SELECT ON receipts.message_state_log TO receipts_dashboard;
GRANT SELECT ON receipts.channel_facts_log TO receipts_dashboard;
GRANT SELECT ON receipts.channels_log TO receipts_dashboard;
GRANT SELECT ON receipts.audits_log TO receipts_dashboard;
GRANT SELECT ON receipts.raw_events TO receipts_dashboard;
GRANT SELECT ON receipts.transitions TO receipts_dashboard;
GRANT SELECT ON receipts.channel_windows TO receipts_dashboard;
GRANT SELECT ON receipts.alerts TO receipts_dashboard;
GRANT SELECT ON receipts.dead_letters TO receipts_dashboard;
GRANT SELECT ON receipts.coverage TO receipts_dashboard;
GRANT SELECT ON receipts.channels TO receipts_dashboard;
GRANT SELECT ON receipts.message_times TO receipts_dashboard;
GRANT SELECT ON receipts.message_state TO receipts_dashboard;
GRANT SELECT ON receipts.channel_rates TO receipts_dashboard;
GRANT SELECT ON receipts.open_messages TO receipts_dashboard;
GRANT SELECT ON receipts.followups TO receipts_dashboard;
GRANT SELECT ON receipts.ledger TO receipts_dashboard;
GRANT SELECT ON receipts.audits TO receipts_dashboard;

-- A person's commands: `receipts audit`, `message`, `doctor`, `replay`, `dead`, `alerts`, `channels`. (`receipts restore`
-- also needs SELECT on raw_events and raw_events_log of the old database.)
CREATE ROLE IF NOT EXISTS receipts_operator;
GRANT SELECT, INSERT ON receipts.raw_events_log TO receipts_operator;
GRANT SELECT, INSERT ON receipts.transitions_log TO receipts_operator;
GRANT SELECT, INSERT ON receipts.channel_windows_log TO receipts_operator;
GRANT SELECT, INSERT ON receipts.alerts_log TO receipts_operator;
GRANT SELECT, INSERT ON receipts.dead_letters_log TO receipts_operator;
GRANT SELECT, INSERT ON receipts.channels_log TO receipts_operator;
GRANT SELECT, INSERT ON receipts.alert_acks_log TO receipts_operator;
GRANT SELECT, INSERT ON receipts.leases_log TO receipts_operator;
GRANT SELECT ON receipts.message_state_log TO receipts_operator;
GRANT SELECT ON receipts.channel_facts_log TO receipts_operator;
GRANT SELECT ON receipts.raw_events TO receipts_operator;
GRANT SELECT ON receipts.transitions TO receipts_operator;
GRANT SELECT ON receipts.channel_windows TO receipts_operator;
GRANT SELECT ON receipts.alerts TO receipts_operator;
GRANT SELECT ON receipts.dead_letters TO receipts_operator;
GRANT SELECT ON receipts.coverage TO receipts_operator;
GRANT SELECT ON receipts.channels TO receipts_operator;
GRANT SELECT ON receipts.message_times TO receipts_operator;
GRANT SELECT ON receipts.message_state TO receipts_operator;
GRANT SELECT ON receipts.alert_acks TO receipts_operator;
GRANT SELECT ON receipts.ledger TO receipts_operator;

-- Analysts, Grafana: every view that holds no text of customers. What is left out: raw_events, dead_letters, ledger.
CREATE ROLE IF NOT EXISTS receipts_analyst;
GRANT SELECT ON receipts.transitions_log TO receipts_analyst;
GRANT SELECT ON receipts.channel_windows_log TO receipts_analyst;
GRANT SELECT ON receipts.alerts_log TO receipts_analyst;
GRANT SELECT ON receipts.message_state_log TO receipts_analyst;
GRANT SELECT ON receipts.channel_facts_log TO receipts_analyst;
GRANT SELECT ON receipts.channels_log TO receipts_analyst;
GRANT SELECT ON receipts.alert_acks_log TO receipts_analyst;
GRANT SELECT ON receipts.audits_log TO receipts_analyst;
GRANT SELECT ON receipts.transitions TO receipts_analyst;
GRANT SELECT ON receipts.channel_windows TO receipts_analyst;
GRANT SELECT ON receipts.alerts TO receipts_analyst;
GRANT SELECT ON receipts.coverage TO receipts_analyst;
GRANT SELECT ON receipts.channels TO receipts_analyst;
GRANT SELECT ON receipts.message_times TO receipts_analyst;
GRANT SELECT ON receipts.message_state TO receipts_analyst;
GRANT SELECT ON receipts.alert_acks TO receipts_analyst;
GRANT SELECT ON receipts.channel_rates TO receipts_analyst;
GRANT SELECT ON receipts.time_to_deliver TO receipts_analyst;
GRANT SELECT ON receipts.time_to_read TO receipts_analyst;
GRANT SELECT ON receipts.open_messages TO receipts_analyst;
GRANT SELECT ON receipts.open_by_age TO receipts_analyst;
GRANT SELECT ON receipts.followups TO receipts_analyst;
GRANT SELECT ON receipts.journeys TO receipts_analyst;
GRANT SELECT ON receipts.gaps TO receipts_analyst;
GRANT SELECT ON receipts.contradictions TO receipts_analyst;
GRANT SELECT ON receipts.outages TO receipts_analyst;
GRANT SELECT ON receipts.audits TO receipts_analyst;
