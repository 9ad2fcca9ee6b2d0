import { ApiError, address, get, post, query as now } from "../api.js";
import { h, id, notice, table, tag } from "../dom.js";
import { number, time } from "../format.js";
import { bar, choose, csv, pages, range, write } from "../filters.js";

export const title = "Dead letters";
export const live = false;

// What is chosen, and what became of it, outlive a page that is drawn anew.
const chosen = new Set();
let told = null;
let busy = "";

const again = () => dispatchEvent(new Event("filters"));
const WORDS = {
  redrive: { ask: "Redrive", busy: "Sending again…", done: "redriven" },
  discard: { ask: "Discard", busy: "Discarding…", done: "discarded" },
};

async function change(kind, ids) {
  if (kind === "discard" && !confirm(`Discard ${ids.length === 1 ? "this letter" : `these ${ids.length} letters`}? They stay stored, and are never sent again.`)) return;
  busy = kind;
  told = null;
  mark();
  try {
    const { letters } = await post(`/api/dead/${kind}`, { ids });
    told = { kind, letters, at: location.href };
    ids.forEach((each) => chosen.delete(each));
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    told = { kind, error: error.message, at: location.href };
  }
  busy = "";
  again();
}

const idle = () => Boolean(busy) || !chosen.size;
const label = (kind) => (busy === kind ? WORDS[kind].busy : `${WORDS[kind].ask} chosen (${chosen.size})`);

// Buttons follow what is chosen without drawing the page anew.
function mark() {
  for (const button of document.querySelectorAll("main button[data-change]")) {
    button.disabled = idle();
    button.textContent = label(button.dataset.change);
  }
  for (const box of document.querySelectorAll("main input[data-letter]")) box.disabled = Boolean(busy);
}

function result() {
  if (told?.at !== location.href) return null;
  if (told.error) return notice(told.error, "Nothing is sent twice: simply try again.", "error");
  const as = WORDS[told.kind].done;
  const done = told.letters.filter((each) => each.state === as), not = told.letters.filter((each) => each.state !== as);
  return h("div", { class: `notice ${not.length ? "error" : ""}`, role: "status", id: "became" },
    h("p", {}, `${number(done.length)} ${as}${not.length ? `, ${number(not.length)} not` : ""}.`),
    not.length ? h("ul", {}, not.map((each) => h("li", {}, id(each.id), ` ${each.state === "open" ? "was refused again" : each.state}: ${each.detail}`))) : null);
}

function box(row) {
  if (row.state !== "open") return h("span", { class: "unseen" }, "not open");
  return h("input", {
    type: "checkbox", "data-letter": true, "data-key": `choose-${row.id}`, "aria-label": `Choose letter ${row.id}`, checked: chosen.has(row.id),
    onchange: (event) => { chosen[event.target.checked ? "add" : "delete"](row.id); mark(); },
  });
}

function all(open) {
  return h("input", {
    type: "checkbox", "data-letter": true, "data-key": "choose-all", "aria-label": "Choose all open letters of this page",
    checked: open.length > 0 && open.every((row) => chosen.has(row.id)),
    onchange: (event) => { for (const row of open) chosen[event.target.checked ? "add" : "delete"](row.id); again(); },
  });
}

const buttons = () => h("div", { class: "filters", role: "group", "aria-label": "Changes" },
  ["redrive", "discard"].map((kind) => h("button", { type: "button", "data-change": kind, "data-key": kind, disabled: idle(), onclick: () => change(kind, [...chosen]) }, label(kind))));

const COLUMNS = [
  ["Id", (row) => h("a", { href: address("/dead", { id: row.id, tz: now().tz }) }, id(row.id))],
  ["Failed", (row) => time(row.failed_at)],
  ["Stage", (row) => row.stage], ["Reason", (row) => [row.reason, h("small", {}, row.detail)]],
  ["State", (row) => tag(row.state, row.state === "open" ? "bad" : "muted")],
  ["Came from", (row) => (row.topic ? id(`${row.topic} ${row.partition ?? ""} ${row.offset ?? ""}`) : "the request")],
  ["Content", (row) => h("details", { "data-key": row.id, open: now().id === row.id },
    h("summary", {}, `${number(row.body_length)} characters${row.body_encoding === "base64" ? ", base64" : ""}`),
    h("pre", { tabindex: "0" }, row.body))],
];

export async function render(query) {
  const { range: period, from, to, org, stage, reason, state, id: wanted, cursor } = query;
  const asked = { range: period, from, to, org, stage, reason, state, id: wanted, cursor };
  const [found, me] = await Promise.all([get("/api/dead", asked), get("/api/me")]);
  const open = found.rows.filter((row) => row.state === "open");
  for (const each of chosen) if (!open.some((row) => row.id === each)) chosen.delete(each);
  const changing = !me.no_changes && open.length > 0;
  return [
    h("h1", {}, title, wanted ? [" ", id(wanted)] : null),
    bar(choose("state", "State", [["", "all"], ["open", "open"], ["redriven", "redriven"], ["discarded", "discarded"]]),
      range(), write("stage", "Stage"), write("reason", "Reason"), write("org", "Org"), csv("/api/dead", asked)),
    result(),
    changing ? buttons() : null,
    found.rows.length ? table("What could not be taken, newest first", changing ? [COLUMNS[0], [all(open), box], ...COLUMNS.slice(1)] : COLUMNS, found.rows)
      : notice("No dead letter in this period.", "Nothing was refused; choose a longer period to look further back."),
    found.rows.length ? h("p", { class: "muted" }, me.no_changes ? `${me.no_changes}.`
      : "Redrive, once the cause is mended, sends a letter to the step that refused it: twice is once. Discard marks it as of no use.") : null,
    pages(found),
  ];
}
