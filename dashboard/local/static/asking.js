// Talking to the command that serves this page. A refusal is an error with words for people and the next step.
export class Refused extends Error {
  constructor(message, fix, status, kind = "") { super(message); this.fix = fix; this.status = status; this.kind = kind; }
}

export async function ask(path, { method = "GET", body } = {}) {
  const options = { method, cache: "no-store" };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refused("", "", 0);
  }
  if (response.ok) return response.json();
  const answer = await response.json().catch(() => ({}));
  throw new Refused(answer.error ?? `${response.status}`, answer.fix ?? "", response.status, answer.kind);
}
