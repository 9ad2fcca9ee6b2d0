import { channelPage, get, messagePage, sessionPage } from "../api.js";
import { h, id, notice, table, tag } from "../dom.js";
import { latency, number, time } from "../format.js";
import { bar, choose, csv, pages, range, write } from "../filters.js";

export const title = "Unread messages";
export const live = true;

export async function render(query) {
  const { range: period, from, to, org, channel, state, cursor } = query;
  const asked = { range: period, from, to, org, channel, state, cursor };
  const found = await get("/api/messages", asked);
  const empty = { stuck: "No message is stuck in SENT.", unread: "No message that arrived waits to be read.", open: "No message waits." };
  return [
    h("h1", {}, title),
    bar(choose("state", "Which", [["stuck", "stuck in SENT for over 15 min"], ["unread", "arrived, not read"], ["open", "all not read"]], "stuck"),
      range(), write("org", "Org"), write("channel", "Channel"), csv("/api/messages", asked)),
    found.rows.length ? table(`${number(found.rows.length)} messages of this page, newest first`, [
      ["Message", (row) => h("a", { href: messagePage(row) }, id(row.message_id))],
      ["Status", (row) => [row.status, " ", row.stuck ? tag("stuck", "bad") : null]],
      ["Since", (row) => time(row.since)],
      ["Waits for", (row) => latency(row.age_seconds * 1000), "number"],
      ["Channel", (row) => [h("a", { href: channelPage(row) }, row.channel_type), h("small", {}, id(row.channel_id))]],
      ["Session", (row) => h("a", { href: sessionPage(row) }, id(row.session_id))],
      ["Org", (row) => id(row.org_id)],
    ], found.rows) : notice(empty[state ?? "stuck"], "Nothing to do in this period; choose a longer one to look further back."),
    pages(found),
  ];
}
