import { get, kept, address } from "../api.js";
import { bars, distribution, heat, lines, niceLatency } from "../charts.js";
import { card, facts, h, id, notice } from "../dom.js";
import { ago, latency, number, percent, ratio, zone } from "../format.js";
import { bar, csv, range } from "../filters.js";

export const title = "Channel";
export const live = true;
// How soon to ask again for what is still being worked out.
export let againMs = 0;

function funnel(channel, rates, state) {
  if (!rates) return h("p", { class: "muted" }, state === "computing" ? "Being worked out…" : "No message falls into the period.");
  const rows = [["Sent", rates.sent, true, ""], ["Delivered", rates.delivered, channel.can_report_delivered, "delivered"], ["Read", rates.read, channel.can_report_read, "read"]];
  return [
    bars("Messages by the furthest they came", rows.map(([name, count, can]) => ({
      name: can ? name : `${name} (cannot report)`, count: can ? count : 0, share: can ? percent(rates.sent ? count / rates.sent : null) : "",
    })), ""),
    rates.mature_sent < rates.sent
      ? h("p", { class: "muted" }, `${number(rates.sent - rates.mature_sent)} of these messages have not had time to be read: their hours are not mature yet.`) : null,
  ];
}

export async function render(query) {
  const { org, channel: wanted, range: period, from, to } = query;
  const found = await get("/api/channel", { org, channel: wanted, range: period, from, to, tz: zone });
  const { summary, series } = found;
  againMs = found.rates.state === "computing" ? 1000 : 0;
  const { channel } = summary;
  const span = { from: found.start, to: found.end };
  const place = { ...kept(), org, channel: wanted };
  return [
    h("h1", {}, `${channel.name || channel.channel_type} `, id(channel.channel_id)),
    bar(range(), csv("/api/windows", { org, channel: wanted, range: period, from, to })),
    found.rates.state === "failed" ? notice(found.rates.message, "", "error") : null,
    h("section", { class: "card", "aria-label": "Summary" }, facts([
      ["Org", id(channel.org_id)],
      ["Sent", number(summary.sent)], ["Delivered", number(summary.delivered)], ["Read", number(summary.read)],
      ["Delivery ratio", ratio(channel.can_report_delivered, summary.rates, found.rates.state, "delivery")],
      ["Read ratio", ratio(channel.can_report_read, summary.rates, found.rates.state, "read")],
      ["To deliver p50 / p95", `${latency(summary.sent_to_delivered_p50_ms)} / ${latency(summary.sent_to_delivered_p95_ms)}`],
      ["To read p50 / p95", `${latency(summary.delivered_to_read_p50_ms)} / ${latency(summary.delivered_to_read_p95_ms)}`],
      ["Duplicates", number(summary.duplicates)], ["Late", number(summary.late)],
      ["Out of order", number(summary.out_of_order)], ["Contradictions", number(summary.contradictions)],
      ["Other statuses", number(summary.other)],
      ["Reports", channel.statuses.join(", ") || "nothing yet"],
      ["Last heard", ago(channel.last_heard)],
    ])),
    h("p", {}, h("a", { href: address("/messages", { ...place, state: "stuck" }) }, "Stuck messages"), " · ",
      h("a", { href: address("/messages", { ...place, state: "unread" }) }, "Unread messages"), " · ",
      h("a", { href: address("/alerts", place) }, "Alerts")),
    h("div", { class: "grid" },
      card(`Receipts by ${found.bucket}`, series.length ? lines("Receipts over time", series,
        [["sent", "sent", (row) => row.sent], ["delivered", "delivered", (row) => row.delivered], ["read", "read", (row) => row.read]], span)
        : h("p", { class: "muted" }, "No receipt in this period.")),
      card(`Half are delivered and read within, by ${found.bucket}`, lines("Median latency over time", series,
        [["delivered", "to deliver", (row) => row.sent_to_delivered_p50_ms], ["read", "to read", (row) => row.delivered_to_read_p50_ms]],
        { ...span, text: latency, scale: niceLatency })),
      card("Time from SENT to DELIVERED", distribution("Receipts by time to deliver", found.sent_to_delivered, "delivered")),
      card("Time from DELIVERED to READ", distribution("Receipts by time to read", found.delivered_to_read, "read"))),
    card("Messages: sent, delivered, read", funnel(channel, summary.rates, found.rates.state)),
    card(`When customers read, by weekday and hour in ${zone}`, heat("Reads by weekday and hour", found.heat)),
  ];
}
