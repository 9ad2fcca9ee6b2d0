// Finds the page's view, shows it, and shows it anew when something has happened.
import { ApiError, address, get, kept, query } from "./api.js";
import { h, notice } from "./dom.js";
import { zone } from "./format.js";
import { listen } from "./live.js";

const VIEWS = {
  "/": "overview", "/channel": "channel", "/messages": "messages", "/message": "message", "/session": "session",
  "/alerts": "alerts", "/health": "health", "/dead": "dead", "/ledger": "ledger", "/search": "search",
};
const AFTER_MS = 1500, APART_MS = 3000, IDLE_MS = 30000;

const main = document.getElementById("main");
const view = await import(`/static/views/${VIEWS[location.pathname] ?? "overview"}.js`);
let drawing = 0, shownAt = 0, waiting = null;

function later(ms) {
  if (waiting !== null) return;
  waiting = setTimeout(() => { waiting = null; draw(false); }, ms);
}

async function draw(fresh) {
  const turn = ++drawing;
  main.setAttribute("aria-busy", "true");
  let parts, retryS = 0;
  try {
    parts = await view.render(query());
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    retryS = error.retryS;
    const kind = error.status === 503 && retryS ? "" : "error";
    parts = [h("h1", {}, view.title), notice(error.message, retryS ? "This page tries again by itself." : "", kind)];
  }
  if (turn !== drawing) return;
  show(parts, fresh);
  shownAt = Date.now();
  if (retryS || view.againMs) later(retryS * 1000 || view.againMs);
}

const keyOf = (node) => node?.dataset?.key || node?.id || node?.getAttribute?.("href");

// A page that is drawn anew keeps the focus, what was unfolded, and where it was scrolled to.
function show(parts, fresh) {
  const focused = main.contains(document.activeElement) ? keyOf(document.activeElement) : null;
  const unfolded = new Set([...main.querySelectorAll("details[open]")].map(keyOf));
  const scrolled = [...main.querySelectorAll(".scroll")].map((node) => node.scrollLeft);
  main.replaceChildren(...[parts].flat(Infinity).filter(Boolean));
  main.removeAttribute("aria-busy");
  document.title = `${main.querySelector("h1")?.textContent ?? view.title} · Receiptstream`;
  for (const node of main.querySelectorAll("details")) if (unfolded.has(keyOf(node))) node.open = true;
  [...main.querySelectorAll(".scroll")].forEach((node, index) => { node.scrollLeft = scrolled[index] ?? 0; });
  if (focused) [...main.querySelectorAll("a, button, select, input, summary, [tabindex]")].find((node) => keyOf(node) === focused)?.focus({ preventScroll: true });
  if (fresh) links();
}

function links() {
  for (const link of document.querySelectorAll("a[data-keep]")) {
    const path = new URL(link.href).pathname;
    link.setAttribute("href", address(path, kept()));
  }
  for (const link of document.querySelectorAll("nav a")) {
    if (new URL(link.href).pathname === location.pathname) link.setAttribute("aria-current", "page");
  }
}

function theme() {
  const root = document.documentElement;
  const set = (name) => { if (name) root.dataset.theme = name; };
  set(localStorage.getItem("theme"));
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    const name = dark ? "light" : "dark";
    localStorage.setItem("theme", name);
    set(name);
  });
}

async function session() {
  const me = await get("/api/me");
  const form = document.getElementById("logout");
  form.hidden = !me.csrf;
  form.elements.csrf.value = me.csrf;
}

const soon = () => later(Math.max(AFTER_MS, shownAt + APART_MS - Date.now()) + Math.random() * 500);

theme();
document.getElementById("zone").textContent = zone;
document.getElementById("q").value = location.pathname === "/search" ? query().q ?? "" : "";
addEventListener("filters", () => draw(true));
addEventListener("popstate", () => draw(true));
document.addEventListener("visibilitychange", () => { if (!document.hidden) soon(); });
listen((update) => {
  view.update?.(update);
  if (view.live && !document.hidden) soon();
}, soon);
setInterval(() => { if (view.live && !document.hidden && Date.now() - shownAt > IDLE_MS) later(0); }, 5000);
session().catch(() => {});
await draw(true);
