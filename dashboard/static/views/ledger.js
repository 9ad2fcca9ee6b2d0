import { channelPage, get } from "../api.js";
import { card, facts, h, id, notice, table, tag } from "../dom.js";
import { ago, number, time, timeText } from "../format.js";
import { bar, csv, pages, range, write } from "../filters.js";

export const title = "Ledger";
export const live = true;

const NAMES = [["Applied", "applied"], ["Duplicate", "duplicate"], ["Parked", "parked"], ["Other events", "other"]];
const sum = (fates) => (fates.adds_up ? tag("adds up", "good") : tag("does not add up", "bad"));

function audit(found) {
  if (!found) {
    return card("Last audit", h("p", {}, "None has run yet."),
      h("p", { class: "muted" }, "Set AUDIT_EVERY, such as 15m, and a sink compares records, rows and counts so often. ", h("code", {}, "receipts audit"), " does so now."));
  }
  const many = found.differences.length;
  return card("Last audit",
    h("p", {}, many ? tag(`${number(many)} ${many === 1 ? "difference" : "differences"}`, "bad") : tag("balanced", "good"), ` ${ago(found.audit_time)}, `, time(found.audit_time), ", of what was received from ", time(found.since), " on."),
    many ? table("What differs", [
      ["Check", (row) => row.check], ["What it means", (row) => row.meaning], ["The row that shows it", (row) => h("code", { class: "id" }, row.row)],
    ], found.differences) : null,
    many ? h("p", { class: "muted" }, h("code", {}, "receipts audit"), " looks again at everything and names the rows.") : null);
}

export async function render(query) {
  const { range: period, from, to, org, channel, cursor } = query;
  const asked = { range: period, from, to, org, channel, cursor };
  const found = await get("/api/ledger", asked);
  return [
    h("h1", {}, title),
    bar(range(), write("org", "Org"), write("channel", "Channel"), csv("/api/ledger", asked)),
    h("section", { class: "card", "aria-label": "Sums" }, facts([
      ["Received", number(found.totals.raw)], ...NAMES.map(([name, key]) => [name, number(found.totals[key])]), ["Sum", sum(found.totals)],
    ])),
    audit(found.audit),
    found.rows.length ? table(`Records received from ${timeText(found.start)} to ${to ? timeText(found.end) : "now"}, by hour, newest first`, [
      ["Hour", (row) => time(row.hour)],
      ["Channel", (row) => (row.channel_id ? h("a", { href: channelPage(row) }, id(row.channel_id)) : h("span", { class: "muted" }, "none told"))],
      ["Org", (row) => id(row.org_id)],
      ["Received", (row) => number(row.raw), "number"],
      ...NAMES.map(([name, key]) => [name, (row) => number(row[key]), "number"]),
      ["Sum", sum],
    ], found.rows) : notice("Nothing was received in this period.", "Choose a longer one, or see `receipts doctor`."),
    h("p", { class: "muted" }, "As of ", time(found.as_of), ". Every record has one fate: it told a status that was new (applied) or known (duplicate), the processor could not use it (parked), or it tells no status (other). That each has the right one is what the audit checks."),
    pages(found),
  ];
}
