import { address, channelPage, get } from "../api.js";
import { card, facts, h, id, notice, table, tag } from "../dom.js";
import { ago, bytes, number, time } from "../format.js";

export const title = "Pipeline health";
export const live = true;

// Null where no ingress was named; an ingress that does not answer has a problem and no bytes.
function spool(spools) {
  if (!spools) return h("span", { class: "muted", title: "DASHBOARD_INGEST_URLS names no ingress" }, "unknown");
  const known = spools.filter((row) => row.bytes !== null);
  const waiting = bytes(known.reduce((sum, row) => sum + row.bytes, 0));
  const unknown = spools.length - known.length;
  return [known.length ? waiting : null, unknown ? h("small", { class: "bad" }, `unknown of ${number(unknown)} of ${number(spools.length)}`) : null];
}

const kafkaOf = (row) => (row.kafka_available === null ? "–" : row.kafka_available ? tag("takes", "good") : tag("does not take", "bad"));

function spoolTable(spools) {
  if (!spools) return notice("What waits in the ingress's spool is not known.", "Name each ingress in DASHBOARD_INGEST_URLS, such as http://10.0.0.5:8080, and start the dashboard anew.");
  return table("What waits at the ingress for Kafka", [
    ["Ingress", (row) => id(row.address)],
    ["Waits", (row) => (row.bytes === null ? [tag("unknown", "bad"), h("small", {}, row.problem)] : bytes(row.bytes)), "number"],
    ["Oldest", (row) => (row.oldest ? [ago(row.oldest), h("small", {}, time(row.oldest))] : row.bytes === null ? "–" : "nothing waits")],
    ["Kafka, as it sees it", kafkaOf],
  ], spools);
}

export async function render() {
  const found = await get("/api/health");
  const open = found.dead.filter((row) => row.state === "open").reduce((sum, row) => sum + row.count, 0);
  const rate = found.flow?.events_per_s;
  const state = (why) => (why ? tag("away", "bad") : tag("answers", "good"));
  return [
    h("h1", {}, title),
    h("section", { class: "card", "aria-label": "Summary" }, facts([
      ["Kafka", state(found.kafka)], ["ClickHouse", state(found.warehouse)],
      ["Live stream", found.live.connected ? tag("reads", "good") : tag("waits", "bad")],
      ["Records in", rate === null || rate === undefined ? "measuring…" : `${number(Math.round(rate * 10) / 10)} a second`],
      ["Spool", spool(found.spools)],
      ["Dead letters open", h("a", { href: address("/dead", { state: "open", range: "90d" }) }, number(open))],
      ["Open pages", number(found.live.viewers)], ["Pages cut off as too slow", number(found.live.cut_off)],
    ])),
    found.kafka ? notice(found.kafka, "Events wait in the ingress's spool meanwhile.", "error") : null,
    found.warehouse ? notice(found.warehouse, "Kafka keeps what comes; pages show their last numbers.", "error") : null,
    found.live.message ? notice(found.live.message, "Pages still renew themselves every 30 seconds.", "error") : null,
    found.flow ? table("Records that a stage has still to do", [
      ["Stage", (row) => row.stage], ["Topic", (row) => id(row.topic)], ["Behind", (row) => number(row.records), "number"], ["Consumer group", (row) => id(row.group)],
    ], found.flow.lags) : null,
    spoolTable(found.spools),
    found.channels.length ? table("Channels, the longest silent first", [
      ["Channel", (row) => [h("a", { href: channelPage(row) }, row.name || row.channel_type), h("small", {}, id(row.channel_id))]],
      ["Org", (row) => id(row.org_id)],
      ["Last heard", (row) => [ago(row.last_heard), h("small", {}, time(row.last_heard))]],
      ["Statuses ever told", (row) => row.statuses.join(", ") || "none"],
      ["First heard", (row) => time(row.first_heard)],
    ], [...found.channels].sort((a, b) => (a.last_heard < b.last_heard ? -1 : 1))) : null,
    found.dead.length ? table("Dead letters by stage and reason", [
      ["Stage", (row) => row.stage],
      ["Reason", (row) => h("a", { href: address("/dead", { stage: row.stage, reason: row.reason, range: "90d" }) }, row.reason)],
      ["State", (row) => row.state], ["Count", (row) => number(row.count), "number"], ["Last", (row) => time(row.last_failed_at)],
    ], found.dead) : card("Dead letters", h("p", { class: "muted" }, "None.")),
    h("p", { class: "muted" }, "As of ", time(found.as_of), ". `receipts audit` proves that nothing is missing; `receipts doctor` says what to do about silence and gaps."),
  ];
}
