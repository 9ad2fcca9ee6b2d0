-- What a raw status record tells, beside its text: the ledger and analysts need not read the JSON of every body again.
-- Sinks write both; the defaults are for rows that were stored before.
ALTER TABLE raw_events_log
    ADD COLUMN IF NOT EXISTS status LowCardinality(String) DEFAULT
        if(event_type = 'IM_Message_Status' AND message_id != '',
            JSONExtractString(body, 'payload', 'messageNewStatus', 'status'), '')
        AFTER source,
    -- By the clock that counts: updatedTime, else eventTime, else the received time. 1900: no status was told.
    ADD COLUMN IF NOT EXISTS status_time DateTime64(3, 'UTC') DEFAULT
        multiIf(
            status = '', toDateTime64('1900-01-01 00:00:00', 3, 'UTC'),
            match(
                JSONExtractString(body, 'payload', 'messageNewStatus', 'updatedTime'),
                '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})$'
            ) AND parseDateTime64BestEffortOrZero(
                JSONExtractString(body, 'payload', 'messageNewStatus', 'updatedTime'), 3, 'UTC'
            ) != toDateTime64(0, 3, 'UTC'),
            parseDateTime64BestEffortOrZero(
                JSONExtractString(body, 'payload', 'messageNewStatus', 'updatedTime'), 3, 'UTC'
            ),
            match(trim(BOTH '"' FROM JSONExtractRaw(body, 'eventTime')), '^[0-9]{1,13}$')
                AND toInt64OrZero(trim(BOTH '"' FROM JSONExtractRaw(body, 'eventTime'))) <= 9000000000000,
            fromUnixTimestamp64Milli(toInt64OrZero(trim(BOTH '"' FROM JSONExtractRaw(body, 'eventTime'))), 'UTC'),
            received_time
        )
        AFTER status;

CREATE OR REPLACE VIEW raw_events AS
SELECT
    org_id,
    event_type,
    message_id,
    session_id,
    channel_id,
    received_time,
    source,
    delivery,
    status,
    nullIf(status_time, toDateTime64('1900-01-01 00:00:00', 3, 'UTC')) AS status_time,
    raw_partition,
    raw_offset,
    body
FROM raw_events_log FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;
