// Questions to the server that this page came from, and to nobody else. The token lives here and nowhere else.
let token = null;

const BUSY = new Set([429, 503]);
const BUSY_MS = 1000;
const wait = (time) => new Promise((resolve) => { setTimeout(resolve, time); });

export const useToken = (secret) => { token = secret; };

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function request(path, options = {}) {
  const headers = { Accept: "application/json", ...options.headers };
  if (token) headers.Authorization = `Bearer ${token}`;
  const response = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body.message ?? `status ${response.status}`);
  return body;
}

export const about = () => request("ui/about");
export const intents = () => request("api/v1/intents?limit=50");
export const explore = (question) =>
  request("api/v1/explore", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question) });

// One question of a kind at a time, then the newest of those that came meanwhile; the others are not asked at all.
export class Lane {
  // `pause`: the least time between two questions, ms, where others ask too.
  constructor() {
    this.busy = false;
    this.next = null;
    this.pause = 0;
  }

  // `question` is made when it is sent; `done` is told the answer, or why there is none.
  async ask(question, done) {
    this.next = { question, done };
    if (this.busy) return;
    this.busy = true;
    while (this.next) {
      const now = this.next;
      this.next = null;
      const rest = this.pause ? wait(this.pause) : null;
      const [told, failure] = await explore(now.question()).then((body) => [body, null], (error) => [null, error]);
      if (failure && BUSY.has(failure.status)) {
        await wait(BUSY_MS);
        this.next ??= now;
        continue;
      }
      now.done(told, failure);
      await rest;
    }
    this.busy = false;
  }

  drop() {
    this.next = null;
  }
}
