// Elements made of texts: nothing a webhook said is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const h = (tag, props, ...children) => fill(document.createElement(tag), props, children);
export const s = (tag, props, ...children) => fill(document.createElementNS(SVG, tag), props, children);
export const id = (text) => h("span", { class: "id" }, text);
export const tag = (text, kind) => h("span", { class: `tag ${kind ?? "muted"}` }, text);
export const card = (title, ...children) => h("section", { class: "card" }, h("h2", {}, title), ...children);
export const facts = (pairs) =>
  h("dl", { class: "facts" }, pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value ?? "–"))));

export function notice(text, fix, kind) {
  return h("div", { class: `notice ${kind ?? ""}`, role: kind === "error" ? "alert" : "status" },
    h("p", {}, text), fix ? h("p", { class: "muted" }, fix) : null);
}

// Columns: [heading, cell of a row, "number" where digits stand below each other].
export function table(caption, columns, rows, props) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", props,
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, columns.map(([name, , kind]) => h("th", { scope: "col", class: kind }, name)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, columns.map(([, cell, kind], index) =>
        index ? h("td", { class: kind }, cell(row)) : h("th", { scope: "row" }, cell(row))))))));
}
