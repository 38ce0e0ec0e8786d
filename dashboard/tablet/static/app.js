// The tablet: log in, cards as they come, taps that never get lost. State is one object; drawing follows from it.
import { ask, enqueue, flush, Refused, told, waiting } from "./api.js";
import { drawCard, refreshTimes } from "./cards.js";
import { askConsent, scanCode } from "./dialogs.js";
import { byId, make } from "./dom.js";
import { WORDS } from "./words.js";

const state = {
  language: localStorage.getItem("yingke.language") ?? (navigator.language.startsWith("zh") ? "zh" : "en"),
  shop: { name: "", timezone: "UTC", guides: [] }, me: null, cards: new Map(), revision: 0, cut: null, fresh: new Set(),
  get words() { return WORDS[this.language]; },
  nameOf(guide) { return this.shop.guides.find((each) => each.id === guide)?.name ?? guide; },
};

// ---- drawing -----------------------------------------------------------------------------------------------------------

function drawFrame() {
  const { words } = state;
  document.documentElement.lang = state.language === "zh" ? "zh-CN" : "en";
  byId("store").textContent = state.shop.name || "迎客 Yingke";
  byId("language").textContent = words.other;
  byId("language").lang = state.language === "zh" ? "en" : "zh";
  byId("line").textContent = state.cut ? "" : [words.online, state.me?.encoder && words.encoder(state.me.encoder)].filter(Boolean).join(" · ");
  byId("line").className = state.cut ? "cut" : "";
  const banner = byId("banner");
  banner.hidden = !state.cut;
  banner.textContent = state.cut ? words.offline(clockText(state.cut), waiting().length) : "";
  byId("bar").hidden = !state.me;
  byId("scan").textContent = words.scan;
  byId("join").textContent = words.join;
  byId("out").textContent = state.me ? `${words.logout} ${state.me.name}` : words.logout;
  tick();
}

const clockText = (when) => when.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: state.shop.timezone });

function drawCards() {
  const open = [...state.cards.values()].filter((card) => card.state !== "closed" && Date.parse(card.expires) > Date.now())
    .sort((a, b) => rank(a) - rank(b) || Date.parse(b.time) - Date.parse(a.time));
  byId("count").textContent = state.words.arrivals(open.length);
  const expanded = new Set([...byId("main").querySelectorAll("details[open]")].map((node) => node.closest("[data-card]")?.dataset.card));
  byId("main").replaceChildren(...(open.length ? open.map((card) => drawCard(card, state, act)) : [
    make("div", { class: "empty" }, make("p", { class: "big" }, state.words.empty), make("p", { class: "soft" }, state.words.emptyHint))]));
  for (const node of byId("main").querySelectorAll("details")) if (expanded.has(node.closest("[data-card]")?.dataset.card)) node.open = true;
}

// Mine and unclaimed ones first; what a colleague takes care of below.
const rank = (card) => (card.state === "claimed" && card.guide !== state.me.guide ? 1 : 0);

function drawLogin() {
  const { words, shop } = state;
  const choose = (guide) => {
    const pin = make("input", { type: "password", inputmode: "numeric", autocomplete: "off", id: "pin", "aria-label": words.pin });
    const problem = make("p", { class: "problem", role: "alert" });
    byId("main").replaceChildren(make("form", { class: "login", onsubmit: async (event) => {
      event.preventDefault();
      try {
        await ask("login", { guide: guide.id, pin: pin.value });
        await enter();
      } catch (error) {
        problem.textContent = told(words, error);
        pin.select();
      }
    } }, make("h2", {}, guide.name), make("label", { for: "pin" }, words.pin), pin, problem,
      make("div", { class: "buttons" }, make("button", { type: "submit", class: "primary" }, words.enter), make("button", { type: "button", onclick: drawLogin }, words.back))));
    pin.focus();
  };
  byId("main").replaceChildren(make("div", { class: "login" }, make("h2", {}, shop.guides.length ? words.who : words.noGuides),
    make("div", { class: "guides" }, shop.guides.map((guide) => make("button", { type: "button", onclick: () => choose(guide) }, guide.name)))));
}

let hiding;
export function say(text) {
  const toast = byId("toast");
  toast.textContent = text;
  toast.hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { toast.hidden = true; }, 5000);
}

function tick() {
  byId("clock").textContent = clockText(new Date());
  if (!state.me) return;
  const passed = refreshTimes(byId("main"), state);
  const over = [...state.cards.values()].some((card) => card.state !== "closed" && Date.parse(card.expires) <= Date.now());
  if (passed || over) { for (const [id, card] of state.cards) if (Date.parse(card.expires) <= Date.now()) state.cards.delete(id); drawCards(); }
}

// ---- the box -----------------------------------------------------------------------------------------------------------

let stream = null;

async function enter() {
  try {
    state.shop = await ask("shop");
    state.me = await ask("me");
  } catch (error) {
    if (!(error instanceof Refused)) { lost(); setTimeout(enter, 2000 + 2000 * Math.random()); return; }
    leave();
    return;
  }
  state.cut = null;
  state.revision = 0;
  state.cards.clear();
  await catchUp(true);
  stream?.close();
  stream = new EventSource("/api/stream");
  stream.addEventListener("changed", () => catchUp());
  stream.onopen = () => { found(); };
  stream.onerror = () => { lost(); if (stream.readyState === EventSource.CLOSED) setTimeout(enter, 2000 + 2000 * Math.random()); };
}

function leave() {
  stream?.close();
  stream = null;
  state.me = null;
  state.cards.clear();
  drawFrame();
  drawLogin();
}

function lost() { state.cut ??= new Date(); drawFrame(); }

async function found() {
  const was = state.cut;
  state.cut = null;
  if (was) { await sendTaps(); await catchUp(); }
  drawFrame();
}

let catching = null;
let again = false;
// One at a time; a change that comes meanwhile makes one more.
function catchUp(first = false) {
  if (catching) { again = true; return catching; }
  catching = look(first).finally(() => { catching = null; if (again) { again = false; catchUp(); } });
  return catching;
}

async function look(first) {
  try {
    for (;;) {
      const told = await ask(first ? "cards" : `cards?since=${state.revision}`);
      const news = told.cards.filter((card) => card.state === "waiting" && !state.cards.has(card.id));
      for (const card of told.cards) card.state === "closed" ? state.cards.delete(card.id) : state.cards.set(card.id, card);
      const done = first || told.revision === state.revision || !told.cards.length;
      state.revision = Math.max(state.revision, told.revision);
      if (news.length && !first) announce(news);
      if (done) break;
    }
    if (state.me) drawCards();
    drawFrame();
  } catch (error) {
    if (error instanceof Refused && error.status === 401) { say(state.words.again); leave(); } else lost();
  }
}

function announce(news) {
  for (const card of news) { state.fresh.add(card.id); setTimeout(() => state.fresh.delete(card.id), 3000); }
  navigator.vibrate?.([80, 60, 80]);
  chime();
}

let audio = null;
addEventListener("pointerdown", () => { audio ??= new AudioContext(); audio.resume(); }, { once: true });
function chime() {
  if (!audio || audio.state !== "running") return;
  [[659, 0], [880, 0.14]].forEach(([pitch, after]) => {
    const tone = new OscillatorNode(audio, { frequency: pitch });
    const level = new GainNode(audio, { gain: 0.0001 });
    const at = audio.currentTime + after;
    level.gain.exponentialRampToValueAtTime(0.15, at + 0.02);
    level.gain.exponentialRampToValueAtTime(0.0001, at + 0.3);
    tone.connect(level).connect(audio.destination);
    tone.start(at);
    tone.stop(at + 0.32);
  });
}

// ---- taps --------------------------------------------------------------------------------------------------------------

function act(card, action, member) {
  enqueue(card.id, action, member);
  // Shown at once; the box's answer decides in the end.
  const shown = structuredClone(card);
  if (action === "claim") Object.assign(shown, { state: "claimed", guide: state.me.guide });
  else if (action === "release" || action === "escalate") Object.assign(shown, { state: "waiting", guide: null, asked: null });
  else if (action === "confirm") Object.assign(shown, { confirmed: true, members: card.members.filter((each) => !member || each.member === member) });
  else if (action === "wrong_person" && card.members.length === 2) shown.members = card.members.filter((each) => each.member !== member);
  else shown.state = "closed";
  state.cards.set(card.id, shown);
  drawCards();
  sendTaps();
}

async function sendTaps() {
  let answers;
  try { answers = await flush(); } catch { say(state.words.again); leave(); return; }
  if (answers === null) { lost(); return; }
  for (const answer of answers) {
    if (answer.reply === "taken") say(state.words.taken(answer.guide && state.nameOf(answer.guide)));
    if (answer.reply === "closed" || answer.reply === "unknown") say(state.words.over);
  }
  if (answers.some((answer) => answer.reply !== "done")) { state.revision = 0; await catchUp(true); } else await catchUp();
}

// ---- start -------------------------------------------------------------------------------------------------------------

byId("language").addEventListener("click", () => {
  state.language = state.language === "zh" ? "en" : "zh";
  localStorage.setItem("yingke.language", state.language);
  drawFrame();
  state.me ? drawCards() : drawLogin();
});
byId("scan").addEventListener("click", () => scanCode(state, say));
byId("join").addEventListener("click", () => askConsent(state, say));
byId("out").addEventListener("click", async () => { try { await ask("logout", {}); } catch { /* the session ends by itself */ } leave(); });
// A tablet that slept has missed everything: it asks, and does not wait for its stream to notice.
document.addEventListener("visibilitychange", () => { if (!document.hidden && state.me) { sendTaps(); } });
addEventListener("online", () => { if (state.me) sendTaps(); });
setInterval(tick, 1000);
setInterval(() => { if (state.me && (state.cut || waiting().length)) sendTaps().then(() => { if (!waiting().length) found(); }); }, 3000);
if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js");
drawFrame();
await enter();
