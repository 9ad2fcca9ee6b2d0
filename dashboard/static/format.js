// Numbers, times and latencies as the viewer reads them.
import { h } from "./dom.js";

export const own = new URLSearchParams(location.search).get("tz") || Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
export const zone = (() => {
  try {
    new Intl.DateTimeFormat(undefined, { timeZone: own });
    return own;
  } catch {
    return "UTC";
  }
})();

const plain = new Intl.NumberFormat();
const share = new Intl.NumberFormat(undefined, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, {
  timeZone: zone, year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false,
});
const exact = new Intl.DateTimeFormat(undefined, {
  timeZone: zone, year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
  fractionalSecondDigits: 3, hour12: false,
});

export const number = (value) => (value === null || value === undefined ? "–" : plain.format(value));
export const percent = (value) => (value === null || value === undefined ? "–" : share.format(value));
export const timeText = (iso) => (iso ? clock.format(new Date(iso)) : "–");

export function time(iso, precise) {
  return iso ? h("time", { datetime: iso, title: iso }, (precise ? exact : clock).format(new Date(iso))) : "–";
}

const minute = new Intl.DateTimeFormat(undefined, { timeZone: zone, hour: "2-digit", minute: "2-digit", hour12: false });
export const minuteText = (iso) => minute.format(new Date(iso));

export function latency(ms) {
  if (ms === null || ms === undefined) return "–";
  const sign = ms < 0 ? "−" : "";
  const size = Math.abs(ms);
  if (size < 1000) return `${sign}${Math.round(size)} ms`;
  const steps = [["s", 1000, 60e3], ["min", 60e3, 3600e3], ["h", 3600e3, 172800e3], ["d", 86400e3, Infinity]];
  const [unit, one] = steps.find(([, , end]) => size < end);
  return `${sign}${Number((size / one).toFixed(size / one < 10 ? 1 : 0))} ${unit}`;
}

export function ago(iso, now = Date.now()) {
  return iso ? `${latency(Math.max(0, now - Date.parse(iso)))} ago` : "never";
}

export function bytes(size) {
  const steps = [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]];
  const [unit, one] = steps.find(([, least]) => size >= least) ?? ["bytes", 1];
  return `${plain.format(Number((size / one).toFixed(one > 1 && size / one < 10 ? 1 : 0)))} ${unit}`;
}

// A ratio as it is known: not at all, not yet, so far, or for good.
export function ratio(can, rates, state, name) {
  if (!can) return h("span", { class: "muted", title: "This channel does not report it" }, "cannot report");
  if (!rates) return h("span", { class: "muted" }, state === "computing" ? "computing…" : "–");
  const whole = rates[`${name}_ratio`];
  const mature = rates[`mature_${name}_ratio`];
  if (whole === null) return h("span", { class: "muted" }, "cannot report");
  if (rates.mature_sent === rates.sent) return percent(whole);
  const why = "Messages of recent hours have not had the time to be read that this channel's readers usually take";
  if (mature === null) return [percent(whole), h("small", { title: why }, "not mature yet")];
  return [percent(mature), h("small", { title: `With hours that are not mature yet. ${why}` }, `${percent(whole)} so far`)];
}
