import { address, get } from "../api.js";
import { h, id, notice, table } from "../dom.js";
import { number } from "../format.js";

export const title = "Search";
export const live = false;

const pageOf = {
  message: (hit) => address("/message", { id: hit.id, org: hit.org_id }),
  session: (hit) => address("/session", { id: hit.id, org: hit.org_id }),
  channel: (hit) => address("/channel", { channel: hit.id, org: hit.org_id }),
};

export async function render({ q = "" }) {
  if (!q.trim()) return [h("h1", {}, title), notice("Write the whole id of a message, a session or a channel.")];
  const found = await get("/api/search", { q: q.trim() });
  return [
    h("h1", {}, "Search for ", id(found.query)),
    found.hits.length ? table("Found", [
      ["What", (hit) => h("a", { href: pageOf[hit.kind](hit) }, hit.kind)],
      ["Id", (hit) => id(hit.id)], ["Status", (hit) => hit.status || "–"], ["Messages", (hit) => number(hit.messages), "number"],
      ["Channel", (hit) => id(hit.channel_id)], ["Org", (hit) => id(hit.org_id)],
    ], found.hits) : notice("Nothing has this id.", "Ids are searched for whole. A message appears when its first status is told."),
  ];
}
