// The read API, and the addresses of pages.

export class ApiError extends Error {
  constructor(status, message, retryS) {
    super(message);
    this.status = status;
    this.retryS = retryS;
  }
}

export function address(path, params) {
  const given = Object.entries(params ?? {}).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const text = new URLSearchParams(given).toString();
  return text ? `${path}?${text}` : path;
}

export const get = (path, params) => ask(address(path, params), { headers: { Accept: "application/json" } });

// A change carries the session's own word, which no other site can know.
export async function post(path, body) {
  const { csrf } = await get("/api/me");
  const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrf };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
}

async function ask(target, request) {
  let answer;
  try {
    answer = await fetch(target, request);
  } catch {
    throw new ApiError(0, "The dashboard does not answer. Check that `receipts up` or `receipts dashboard` runs; this page tries again by itself.", 3);
  }
  if (answer.status === 401) {
    location.assign(address("/login", { next: location.pathname + location.search }));
    await new Promise(() => {});
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const retry = Number(answer.headers.get("Retry-After")) || (answer.status >= 500 ? 5 : 0);
    throw new ApiError(answer.status, body.error?.message ?? `The dashboard answered ${answer.status}`, retry);
  }
  return body;
}

// The filters in force: they stay in the address, and in links between pages.
export const query = () => Object.fromEntries(new URLSearchParams(location.search));
export function kept() {
  const { range, from, to, org, tz } = query();
  return { range, from, to, org, tz };
}

export const channelPage = (row) => address("/channel", { ...kept(), org: row.org_id, channel: row.channel_id });
export const messagePage = (row) => address("/message", { id: row.message_id, org: row.org_id, tz: query().tz });
export const sessionPage = (row) => address("/session", { id: row.session_id, org: row.org_id, tz: query().tz });
