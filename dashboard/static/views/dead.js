import { address, get, query as now } from "../api.js";
import { h, id, notice, table, tag } from "../dom.js";
import { number, time } from "../format.js";
import { bar, choose, csv, pages, range, write } from "../filters.js";

export const title = "Dead letters";
export const live = false;

export async function render(query) {
  const { range: period, from, to, org, stage, reason, state, id: wanted, cursor } = query;
  const asked = { range: period, from, to, org, stage, reason, state, id: wanted, cursor };
  const found = await get("/api/dead", asked);
  return [
    h("h1", {}, title, wanted ? [" ", id(wanted)] : null),
    bar(choose("state", "State", [["", "all"], ["open", "open"], ["redriven", "redriven"], ["discarded", "discarded"]]),
      range(), write("stage", "Stage"), write("reason", "Reason"), write("org", "Org"), csv("/api/dead", asked)),
    found.rows.length ? table("What could not be taken, newest first", [
      ["Id", (row) => h("a", { href: address("/dead", { id: row.id, tz: now().tz }) }, id(row.id))],
      ["Failed", (row) => time(row.failed_at)],
      ["Stage", (row) => row.stage], ["Reason", (row) => [row.reason, h("small", {}, row.detail)]],
      ["State", (row) => tag(row.state, row.state === "open" ? "bad" : "muted")],
      ["Came from", (row) => (row.topic ? id(`${row.topic} ${row.partition ?? ""} ${row.offset ?? ""}`) : "the request")],
      ["Content", (row) => h("details", { "data-key": row.id, open: Boolean(wanted) },
        h("summary", {}, `${number(row.body_length)} characters${row.body_encoding === "base64" ? ", base64" : ""}`),
        h("pre", { tabindex: "0" }, row.body))],
    ], found.rows) : notice("No dead letter in this period.", "Nothing was refused; choose a longer period to look further back."),
    found.rows.length ? h("p", { class: "muted" }, "To send one again once its cause is mended: ", h("code", {}, "receipts dead redrive --id ID")) : null,
    pages(found),
  ];
}
