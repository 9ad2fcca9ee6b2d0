-- A server without Keeper notes an insert's token before the rows are there. When it dies or its disk is full in between,
-- the next try is taken for a repetition, acknowledged, and its rows are nowhere. Only the identity may tell what is a
-- repetition: the views do, whatever is inserted twice.
-- A cluster notes token and rows in one transaction, and keeps its tokens.
ALTER TABLE raw_events_log MODIFY SETTING non_replicated_deduplication_window = 0;

ALTER TABLE transitions_log MODIFY SETTING non_replicated_deduplication_window = 0;

ALTER TABLE channel_windows_log MODIFY SETTING non_replicated_deduplication_window = 0;

ALTER TABLE alerts_log MODIFY SETTING non_replicated_deduplication_window = 0;

ALTER TABLE dead_letters_log MODIFY SETTING non_replicated_deduplication_window = 0;

ALTER TABLE message_state_log MODIFY SETTING non_replicated_deduplication_window = 0;

ALTER TABLE channel_facts_log MODIFY SETTING non_replicated_deduplication_window = 0;

ALTER TABLE channels_log MODIFY SETTING non_replicated_deduplication_window = 0;

ALTER TABLE alert_acks_log MODIFY SETTING non_replicated_deduplication_window = 0;

ALTER TABLE audits_log MODIFY SETTING non_replicated_deduplication_window = 0;

ALTER TABLE leases_log MODIFY SETTING non_replicated_deduplication_window = 0;
