import { get, messagePage } from "../api.js";
import { card, h, id, notice, table } from "../dom.js";
import { number, time } from "../format.js";
import { records, steps } from "./message.js";

export const title = "Session";
export const live = true;

const WORDS = { messages: "messages", steps: "statuses", events: "other events" };

const cut = (found) => (found.truncated.length
  ? notice(`There are more than is shown here: ${found.truncated.map((name) => `the first ${number(found[name].length)} ${WORDS[name]}`).join(", ")}.`)
  : null);

export async function render({ id: wanted, org }) {
  const found = await get("/api/session", { id: wanted, org });
  return [
    h("h1", {}, "Session ", id(wanted)),
    cut(found),
    found.messages.length ? table("Messages", [
      ["Message", (row) => h("a", { href: messagePage(row) }, id(row.message_id))],
      ["Status", (row) => row.status], ["Direction", (row) => row.direction || "not told"],
      ["Sent", (row) => time(row.sent_time, true)],
      ["Delivered", (row) => (row.delivered_implied ? "implied" : time(row.delivered_time, true))],
      ["Read", (row) => time(row.read_time, true)], ["Channel", (row) => id(row.channel_id)], ["Org", (row) => id(row.org_id)],
    ], found.messages) : notice("No status of a message of this session was told."),
    found.steps.length ? steps(found.steps, [["Message", (row) => h("a", { href: messagePage(row) }, id(row.message_id))]]) : null,
    found.events.length ? card("Other events of the session", records(found.events)) : null,
  ];
}
