import { channelPage, get, messagePage } from "../api.js";
import { h, id, notice, table, tag } from "../dom.js";
import { ago, time } from "../format.js";
import { bar, choose, csv, pages, range, write } from "../filters.js";

export const title = "Alerts";
export const live = true;

const common = [
  ["Message", (row) => h("a", { href: messagePage(row) }, id(row.message_id))],
  ["Rule", (row) => row.rule],
];
const places = [
  ["Channel", (row) => h("a", { href: channelPage(row) }, id(row.channel_id))],
  ["Org", (row) => id(row.org_id)],
];
const COLUMNS = {
  alerts: [
    ...common,
    ["State", (row) => tag(row.state, row.state === "open" ? "bad" : "muted")],
    ["Due", (row) => time(row.due_time)], ["Opened", (row) => time(row.opened_time)], ["Resolved", (row) => time(row.resolved_time)],
    ...places,
  ],
  followups: [
    ...common,
    ["Status", (row) => row.status], ["Sent", (row) => time(row.sent_time)], ["Delivered", (row) => time(row.delivered_time)],
    ["Open", (row) => ago(row.opened_time ?? row.due_time)],
    ...places,
  ],
};

export async function render(query) {
  const { range: period, from, to, org, channel, rule, state, followup, cursor } = query;
  const kind = query.kind === "followups" ? "followups" : "alerts";
  const asked = kind === "alerts" ? { range: period, from, to, org, channel, rule, state, followup, cursor } : { range: period, from, to, org, channel, cursor };
  const found = await get(`/api/${kind}`, asked);
  return [
    h("h1", {}, kind === "alerts" ? title : "Follow-ups"),
    bar(choose("kind", "Which", [["alerts", "alerts"], ["followups", "open follow-ups"]], "alerts"),
      kind === "alerts" ? choose("state", "State", [["", "all"], ["open", "open"], ["resolved", "resolved"], ["expired", "expired"]]) : null,
      kind === "alerts" ? choose("followup", "Follow-ups", [["", "too"], ["false", "left out"], ["true", "alone"]]) : null,
      range(true), kind === "alerts" ? write("rule", "Rule") : null, write("org", "Org"), write("channel", "Channel"), csv(`/api/${kind}`, asked)),
    found.rows.length ? table("By due time, newest first", COLUMNS[kind], found.rows)
      : notice("No alert in this period.", "Rules stand in RULES_FILE; an alert opens when a message stays in a status longer than its rule allows."),
    pages(found),
  ];
}
