import { channelPage, get, sessionPage } from "../api.js";
import { card, facts, h, id, table, tag } from "../dom.js";
import { latency, number, time } from "../format.js";

export const title = "Message";
export const live = true;

export function marks(step) {
  return [
    step.implied ? tag(`${step.implied} lower status${step.implied > 1 ? "es" : ""} not told before`, "warn") : null,
    step.out_of_order ? tag("out of order", "warn") : null,
    step.contradiction ? tag("contradicts its old status", "bad") : null,
    step.time_source !== "updated" ? tag(`time taken from ${step.time_source}`, "warn") : null,
  ].filter(Boolean).flatMap((mark) => [mark, " "]);
}

export const steps = (rows, more = []) => table("Statuses, by the time at which they changed", [
  ["Status", (row) => row.new_status],
  ...more,
  ["Old status told", (row) => row.old_status || "–"],
  ["Changed", (row) => time(row.updated_time, true)],
  ["Event's own time", (row) => time(row.event_time, true)],
  ["Heard", (row) => [time(row.received_time, true), h("small", {}, `${latency(row.heard_after_ms)} after the change`)]],
  ["Took", (row) => [
    row.sent_to_delivered_ms !== null ? h("div", {}, `delivered after ${latency(row.sent_to_delivered_ms)}`) : null,
    row.delivered_to_read_ms !== null ? h("div", {}, `read after ${latency(row.delivered_to_read_ms)}`) : null]],
  ["Marks", marks],
], rows);

export const records = (rows) => rows.map((record) => h("details", { "data-key": `${record.raw_partition}-${record.raw_offset}` },
  h("summary", {}, `${record.event_type}, heard `, time(record.received_time, true), `, from ${record.source}, record ${record.raw_partition}-${record.raw_offset}`),
  h("pre", { tabindex: "0" }, record.body)));

function one(timeline, several) {
  const { state, missing } = timeline;
  return [
    several ? h("h2", {}, "Org ", id(state.org_id)) : null,
    h("section", { class: "card", "aria-label": "Summary" }, facts([
      ["Status", state.status], ["Org", id(state.org_id)],
      ["Channel", h("a", { href: channelPage(state) }, id(state.channel_id))], ["Channel type", state.channel_type || "UNKNOWN"],
      ["Session", h("a", { href: sessionPage(state) }, id(state.session_id))],
      ["Direction", state.direction || "not told"], ["Created", time(state.created_time, true)],
      ["Sent", time(state.sent_time, true)],
      ["Delivered", state.delivered_implied ? "implied by READ, not told" : time(state.delivered_time, true)],
      ["Read", time(state.read_time, true)], ["Duplicates", number(timeline.duplicates)],
    ]),
    missing.map((status) => h("p", { class: "warn" }, `${status} was never told: its webhook is missing, or the channel does not report it.`))),
    steps(timeline.steps),
    timeline.alerts.length ? table("Alerts", [
      ["Rule", (row) => row.rule], ["State", (row) => tag(row.state, row.state === "open" ? "bad" : "muted")],
      ["Due", (row) => time(row.due_time, true)], ["Opened", (row) => time(row.opened_time, true)], ["Resolved", (row) => time(row.resolved_time, true)],
    ], timeline.alerts) : null,
    card("Records as they came",
      timeline.records > timeline.raw.length
        ? h("p", { class: "warn" }, `The first ${number(timeline.raw.length)} of ${number(timeline.records)}.`) : null,
      records(timeline.raw)),
  ];
}

export async function render({ id: wanted, org }) {
  const found = await get("/api/message", { id: wanted, org });
  return [h("h1", {}, "Message ", id(wanted)), found.rows.map((row) => one(row, found.rows.length > 1))];
}
