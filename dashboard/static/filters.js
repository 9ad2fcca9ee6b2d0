// The filter bar: what it says stands in the address.
import { h } from "./dom.js";
import { address, query } from "./api.js";

const RANGES = [["1h", "last hour"], ["6h", "last 6 hours"], ["24h", "last 24 hours"], ["7d", "last 7 days"], ["30d", "last 30 days"], ["90d", "last 90 days"]];

export function go(changes) {
  const { cursor, ...rest } = query();
  history.pushState(null, "", address(location.pathname, { ...rest, ...changes }));
  dispatchEvent(new Event("filters"));
}

export function choose(name, label, options, fallback = "") {
  const now = query()[name] ?? fallback;
  return h("label", {}, label, h("select", { id: `filter-${name}`, onchange: (event) => go({ [name]: event.target.value }) },
    options.map(([value, text]) => h("option", { value, selected: value === now }, text))));
}

export function write(name, label) {
  return h("label", {}, label, h("input", {
    id: `filter-${name}`, type: "search", maxlength: 64, value: query()[name] ?? "", onchange: (event) => go({ [name]: event.target.value.trim() }),
  }));
}

// `ever`: the list may be asked for all there is.
export function range(ever = false) {
  const { from, to } = query();
  if (!from && !to) return choose("range", "Period", ever ? [...RANGES, ["all", "all time"]] : RANGES, "24h");
  return h("label", {}, "Period", h("span", {}, `${from ?? "…"} to ${to ?? "now"} `,
    h("button", { type: "button", onclick: () => go({ from: "", to: "" }) }, "last 24 hours")));
}

export function bar(...parts) {
  return h("div", { class: "filters", role: "group", "aria-label": "Filters" }, ...parts);
}

export function csv(path, params) {
  return h("a", { class: "right", download: true, href: address(path, { ...params, format: "csv", cursor: "" }) }, "CSV");
}

export function pages(found) {
  const { cursor } = query();
  return h("p", {},
    cursor ? h("a", { href: address(location.pathname, { ...query(), cursor: "" }) }, "First page") : null, " ",
    found.next_cursor ? h("a", { href: address(location.pathname, { ...query(), cursor: found.next_cursor }) }, "Next page") : null);
}
