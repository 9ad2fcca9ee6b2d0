import { channelPage, get, kept, address } from "../api.js";
import { spark } from "../charts.js";
import { h, id, notice, table } from "../dom.js";
import { ago, latency, minuteText, number, ratio, time, timeText } from "../format.js";
import { bar, csv, range, write } from "../filters.js";

export const title = "Overview";
export const live = true;
// How soon to ask again for what is still being worked out.
export let againMs = 0;

const key = (row) => `${row.org_id} ${row.channel_id}`;
const newest = new Map();

const counts = (window) => (window
  ? `${number(window.sent)} · ${number(window.delivered)} · ${number(window.read)} at ${minuteText(window.window_start)}` : "–");

// What the stream tells is shown at once: each event holds its minute's whole count.
export function update({ windows = [] }) {
  for (const window of windows) {
    const before = newest.get(key(window));
    if (before && before.window_start > window.window_start) continue;
    newest.set(key(window), window);
  }
  for (const cell of document.querySelectorAll("[data-minute]")) {
    const text = counts(newest.get(cell.dataset.minute));
    if (cell.textContent === text) continue;
    cell.textContent = text;
    cell.classList.remove("flash");
    requestAnimationFrame(() => cell.classList.add("flash"));
  }
}

function alerts(row) {
  if (!row.open_alerts && !row.open_followups) return h("span", { class: "muted" }, "none");
  // The counts are of all that is open, whatever period the page shows.
  const place = { tz: kept().tz, range: "all", org: row.channel.org_id, channel: row.channel.channel_id };
  return [
    row.open_alerts ? h("a", { class: "bad alert", href: address("/alerts", { ...place, state: "open", followup: "false" }) }, `${number(row.open_alerts)} open`) : null,
    row.open_followups ? h("small", {}, h("a", { href: address("/alerts", { ...place, kind: "followups" }) }, `${number(row.open_followups)} to follow up`)) : null,
  ];
}

const pair = (p50, p95) => [latency(p50), h("small", {}, `p95 ${latency(p95)}`)];

function toRead(row) {
  if (!row.channel.can_report_read) return h("span", { class: "muted" }, "cannot report");
  if (row.channel.can_report_delivered) return pair(row.delivered_to_read_p50_ms, row.delivered_to_read_p95_ms);
  if (!row.reading) return "–";
  return [latency(row.reading.sent_to_read_p50_ms), h("small", {}, `p95 ${latency(row.reading.sent_to_read_p95_ms)}`), h("small", {}, "from SENT")];
}

const toDeliver = (row) => row.channel.can_report_delivered
  ? pair(row.sent_to_delivered_p50_ms, row.sent_to_delivered_p95_ms)
  : h("span", { class: "muted" }, "cannot report");

export async function render(query) {
  const { range: period, from, to, org } = query;
  const found = await get("/api/overview", { range: period, from, to, org });
  const state = found.rates.state;
  againMs = found.rates.state === "computing" ? 1000 : 0;
  const columns = [
    ["Channel", ({ channel }) => [h("a", { href: channelPage(channel) }, channel.name || channel.channel_type),
      h("small", {}, id(channel.channel_id))]],
    ["Org, last heard", ({ channel }) => [id(channel.org_id), h("small", { title: channel.last_heard }, ago(channel.last_heard))]],
    ["Alerts", alerts],
    ["Sent", (row) => number(row.sent), "number"],
    ["Delivered", (row) => number(row.delivered), "number"],
    ["Read", (row) => number(row.read), "number"],
    ["Delivery ratio", (row) => ratio(row.channel.can_report_delivered, row.rates, state, "delivery"), "number"],
    ["Read ratio", (row) => ratio(row.channel.can_report_read, row.rates, state, "read"), "number"],
    ["To deliver", toDeliver, "number"],
    ["To read", toRead, "number"],
    ["Over time", (row) => spark(row.spark, `${number(row.sent)} sent over the period`)],
    ["Newest minute", ({ channel }) => h("span", { class: "minute", "data-minute": key(channel) }, counts(newest.get(key(channel)))), "number"],
  ];
  const rates = state === "ready" ? ["; rates of the messages sent in the period, worked out ", time(found.rates.computed_at)] : null;
  return [
    h("h1", {}, title),
    bar(range(), write("org", "Org"), csv("/api/rates", { range: period, from, to, org })),
    found.problem ? notice(`These are the numbers of ${timeText(found.as_of)}: ${found.problem}`, "This page tries again by itself.", "error") : null,
    state === "failed" ? notice(found.rates.message, "Receipts and latencies are shown all the same.", "error") : null,
    state === "computing" ? notice("Rates are being worked out from all messages.", "Receipts and latencies are shown already.") : null,
    found.channels.length
      ? table(`Receipts from ${timeText(found.start)} to now; times are medians; newest minute: sent · delivered · read`, columns, found.channels, { id: "channels" })
      : notice("No channel has been heard yet.", "Point Zoho Desk's webhook at the ingress, or send practice traffic with `receipts simulate`. `receipts doctor` says why events may be missing."),
    h("p", { class: "muted" }, "As of ", time(found.as_of), rates,
      ". Receipts are counted in the minute in which they happened; a ratio counts each message once, in the hour in which it was sent; “so far” has hours in it that are not mature yet: they have not had the time that this channel's readers take."),
  ];
}
