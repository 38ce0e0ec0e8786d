// The box's API, and the taps that wait for it. A tap has an id from the moment it is made, so that it counts once.
const QUEUE = "yingke.taps";
const LONGEST = 500;

export class Refused extends Error {
  constructor(status, body) {
    super(body?.error ?? String(status));
    this.status = status;
    this.fix = body?.fix ?? "";
    this.code = body?.code ?? "";
  }
}

// What was refused, in the page's language; the server's own words are English.
export const told = (words, error) => error instanceof Refused ? words.refusals[error.code] ?? words.refusals.failed : words.failed;

export async function ask(path, body) {
  const answer = await fetch(`/api/${path}`, body === undefined ? { cache: "no-store" } : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  });
  if (!answer.ok) {
    let told = null;
    try { told = await answer.json(); } catch { /* not JSON: the status says enough */ }
    throw new Refused(answer.status, told);
  }
  return answer.json();
}

const read = () => { try { return JSON.parse(localStorage.getItem(QUEUE)) ?? []; } catch { return []; } };
const write = (taps) => localStorage.setItem(QUEUE, JSON.stringify(taps));

export const waiting = () => read();

export function enqueue(card, action, member) {
  const tap = { id: uuid(), card, action, time: Date.now() / 1000, ...(member ? { member } : {}) };
  write([...read(), tap]);
  return tap;
}

let sending = null;
// One after the other, in order: what was tapped first happens first. Returns the answers, or null without a line.
export function flush() {
  sending ??= send().finally(() => { sending = null; });
  return sending;
}

async function send() {
  const answers = [];
  for (let taps = read(); taps.length; taps = read()) {
    const some = taps.slice(0, LONGEST);
    let told;
    try {
      told = await ask("taps", some);
    } catch (error) {
      // Refused for what it is, it would be refused for ever: one by one, so that only the bad one goes.
      if (error instanceof Refused && (error.status === 422 || error.status === 413)) {
        if (some.length === 1) { drop(some); continue; }
        told = null;
        for (const tap of some) {
          try { answers.push(...(await ask("taps", [tap])).answers); drop([tap]); } catch (one) {
            if (one instanceof Refused && one.status === 422) drop([tap]); else return null;
          }
        }
        continue;
      }
      return error instanceof Refused && error.status === 401 ? Promise.reject(error) : null;
    }
    answers.push(...told.answers);
    drop(some);
  }
  return answers;
}

function drop(taps) {
  const gone = new Set(taps.map((tap) => tap.id));
  write(read().filter((tap) => !gone.has(tap.id)));
}

function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
