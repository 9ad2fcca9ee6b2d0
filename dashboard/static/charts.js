// Small charts as SVG, each with the same numbers as text.
import { h, s, table } from "./dom.js";
import { latency, number, timeText } from "./format.js";

const W = 640, H = 180, LEFT = 52, BOTTOM = 22, TOP = 8;

export function spark(values, label) {
  const most = Math.max(1, ...values);
  const width = 120 / Math.max(1, values.length);
  return s("svg", { viewBox: "0 0 120 28", width: 96, height: 24, role: "img", "aria-label": label },
    values.map((value, index) => value && s("rect", {
      class: "spark", x: (index * width).toFixed(2), width: Math.max(0.8, width - 0.4).toFixed(2),
      y: (28 - Math.max(1, (27 * value) / most)).toFixed(2), height: Math.max(1, (27 * value) / most).toFixed(2),
    })));
}

function nice(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 1.5, 2, 3, 4, 5, 8, 10].map((step) => step * power).find((top) => top >= most);
}

// The top of a scale of latencies, in ms: what reads well in seconds, minutes, hours or days.
export function niceLatency(most) {
  const one = most < 60e3 ? 1e3 : most < 3600e3 ? 60e3 : most < 172800e3 ? 3600e3 : 86400e3;
  return most < 1e3 ? nice(most) : one * [2, 4, 6, 10, 20, 30, 60, 100, 1000].find((top) => top * one >= most);
}

// series: [[class, name, value of a row]]; rows have `start`. Between `from` and `to`.
export function lines(title, rows, series, { from, to, text = number, scale = nice }) {
  const [begin, end] = [Date.parse(from), Math.min(Date.parse(to), Date.now())];
  const values = rows.flatMap((row) => series.map(([, , value]) => value(row) ?? 0));
  const top = scale(Math.max(1, ...values));
  const x = (row) => LEFT + ((W - LEFT - 8) * (Date.parse(row.start) - begin)) / Math.max(1, end - begin);
  const y = (value) => TOP + (H - TOP - BOTTOM) * (1 - value / top);
  const path = (value) => rows.filter((row) => value(row) !== null)
    .map((row, index) => `${index ? "L" : "M"}${x(row).toFixed(1)} ${y(value(row)).toFixed(1)}`).join("");
  const dots = rows.length < 60;
  return [
    h("ul", { class: "legend" }, series.map(([kind, name]) => h("li", { class: `c-${kind}` }, name))),
    s("svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": `${title}: the numbers follow as a table` },
      [0, 0.5, 1].map((part) => [
        s("line", { class: "grid-line", x1: LEFT, x2: W - 8, y1: y(top * part), y2: y(top * part) }),
        s("text", { x: LEFT - 6, y: y(top * part) + 4, "text-anchor": "end" }, text(top * part)),
      ]),
      s("text", { x: LEFT, y: H - 4 }, timeText(from)),
      s("text", { x: W - 8, y: H - 4, "text-anchor": "end" }, timeText(new Date(end).toISOString())),
      series.map(([kind, , value]) => [
        s("path", { class: `plot c-${kind}`, d: path(value) }),
        dots && rows.filter((row) => value(row) !== null)
          .map((row) => s("circle", { class: `plot c-${kind}`, cx: x(row).toFixed(1), cy: y(value(row)).toFixed(1), r: 1.5 })),
      ])),
    h("details", { "data-key": title }, h("summary", {}, "As a table"),
      table(title, [["from", (row) => timeText(row.start)],
        ...series.map(([, name, value]) => [name, (row) => text(value(row)), "number"])], rows)),
  ];
}

export function bars(title, rows, kind) {
  const most = Math.max(1, ...rows.map((row) => row.count));
  const all = rows.reduce((sum, row) => sum + row.count, 0);
  return h("table", { class: "bars" },
    h("caption", { class: "unseen" }, title),
    h("tbody", {}, rows.map((row) => {
      const bar = h("div", { class: `bar ${kind}` });
      bar.style.width = `${(100 * row.count) / most}%`;
      return h("tr", {}, h("th", { scope: "row" }, row.name), h("td", { class: "wide" }, row.count ? bar : null),
        h("td", { class: "number" }, number(row.count)),
        h("td", { class: "number muted" }, row.share ?? (all ? `${Math.round((100 * row.count) / all)} %` : "")));
    })));
}

export function distribution(title, given, kind) {
  const used = given.map((bar, index) => (bar.count ? index : -1)).filter((index) => index >= 0);
  const rows = given.slice(Math.max(0, (used[0] ?? 0)), (used.at(-1) ?? -1) + 1);
  return bars(title, rows.map((bar) => ({
    name: bar.to_ms === null ? `over ${latency(bar.from_ms)}` : `to ${latency(bar.to_ms)}`, count: bar.count,
  })), kind);
}

const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

export function heat(title, cells) {
  const most = Math.max(1, ...cells.map((cell) => cell.reads));
  const found = new Map(cells.map((cell) => [`${cell.weekday} ${cell.hour}`, cell]));
  const hours = [...Array(24).keys()];
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title },
    h("table", { class: "heat" },
      h("caption", { class: "unseen" }, title),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, h("span", { class: "unseen" }, "weekday")),
        hours.map((hour) => h("th", { scope: "col" }, hour)))),
      h("tbody", {}, DAYS.map((day, index) => h("tr", {}, h("th", { scope: "row" }, day), hours.map((hour) => {
        const cell = found.get(`${index + 1} ${hour}`);
        if (!cell) return h("td", {});
        return h("td", {
          class: `l${Math.max(1, Math.ceil((5 * cell.reads) / most))}`,
          title: `${day} ${hour}:00, ${number(cell.reads)} reads, half within ${latency(cell.delivered_to_read_p50_ms)}`,
        }, cell.reads < 10000 ? cell.reads : `${Math.round(cell.reads / 1000)}k`);
      }))))));
}
