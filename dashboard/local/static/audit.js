// The audit: tap for everybody who crosses; compare when done; look at every disagreement.
import { ask } from "./asking.js";
import { WORDS } from "./audit-words.js";
import { Language } from "./language.js";
import { Player } from "./player.js";

const byId = (id) => document.getElementById(id);
const KEPT = `taps ${location.pathname}`;
const ARROWS = { left: "←", right: "→", up: "↑", down: "↓" };
const OPPOSITE = { left: "right", right: "left", up: "down", down: "up" };
const LOOK_BEFORE_S = 2.5, LOOK_AFTER_S = 2;
let phase = "begin", trouble = null, taps = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]"), result = null, answers = [];

const about = await ask("api/audit");
const player = new Player(byId("screen"), about, (problem) => { if (problem) trouble = problem; moved(); });
const language = new Language(WORDS, byId("language"), () => queueMicrotask(show));

function clock(seconds, tenths = true) {
  const minutes = Math.floor(seconds / 60), rest = seconds - 60 * minutes;
  return `${minutes}:${(tenths ? rest.toFixed(1) : String(Math.floor(rest))).padStart(tenths ? 4 : 2, "0")}`;
}
function percent(share) { return `${(Math.floor(share * 1000 + 1e-6) / 10).toFixed(1)} %`; }
function node(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}
function button(text, act, pressed) {
  const made = node("button", text);
  made.type = "button";
  made.addEventListener("click", act);
  if (pressed !== undefined) made.setAttribute("aria-pressed", String(pressed));
  return made;
}
const line = () => about.lines.find((one) => one.name === player.line);
// The button on the left is the way that goes left in the picture; up is left of down.
const leftWay = () => (["left", "up"].includes(line().in) ? "in" : "out");
const other = (way) => (way === "in" ? "out" : "in");
const arrow = (way) => ARROWS[way === "in" ? line().in : OPPOSITE[line().in]];

async function attempt(work) {
  try { trouble = null; await work(); } catch (error) { trouble = error.status === 0 ? "gone" : `${error.message} ${error.fix ?? ""}`; }
  show();
}

function tap(way) {
  if (phase !== "tapping") return;
  taps.push({ time: player.shown, line: player.line, direction: way });
  sessionStorage.setItem(KEPT, JSON.stringify(taps));
  const hit = byId(way === leftWay() ? "tap-left" : "tap-right");
  hit.classList.add("hit");
  setTimeout(() => hit.classList.remove("hit"), 150);
  showTaps();
}
function takeBack(index) {
  if (phase !== "tapping" || index < 0) return;
  taps.splice(index, 1);
  sessionStorage.setItem(KEPT, JSON.stringify(taps));
  showTaps();
}

let farthest = 0;
function moved() {
  const words = language.words;
  if (phase === "tapping") farthest = Math.max(farthest, player.shown);
  byId("clock").textContent = clock(player.shown);
  byId("position").value = about.duration ? player.shown / about.duration : 0;
  byId("play").textContent = player.playing ? words.pause : words.play;
  byId("done-hint").textContent = farthest >= about.duration - 2 / about.fps ? words.doneAll : words.doneSoFar(clock(farthest, false));
  if (trouble) showTrouble();
}
function showTrouble() {
  byId("trouble").hidden = trouble === null;
  byId("trouble").textContent = language.words[trouble] ?? trouble ?? "";
}

function show() {
  const words = language.words;
  document.body.dataset.phase = phase;
  byId("about").textContent = words.about(about, clock(about.duration, false));
  showTrouble();
  const left = leftWay();
  for (const [id, way] of [["tap-left", left], ["tap-right", other(left)]]) {
    byId(id).className = way;
    byId(id).textContent = `${id === "tap-left" ? `${arrow(way)} ` : ""}${words[way]}${id === "tap-right" ? ` ${arrow(way)}` : ""}`;
  }
  byId("lines").hidden = about.lines.length < 2;
  byId("lines").replaceChildren(...about.lines.map((one) => button(one.name, () => { player.line = one.name; player.draw(); show(); }, one.name === player.line)));
  showTaps();
  moved();
  if (result) showResult();
}

function showTaps() {
  const words = language.words;
  byId("taps-title").textContent = words.taps(taps.length);
  byId("undo").disabled = taps.length === 0;
  const rows = taps.map((one, index) => {
    const li = node("li");
    const remove = button("✕", () => takeBack(index));
    remove.setAttribute("aria-label", words.remove);
    li.append(node("time", clock(one.time)), node("span", `${words[one.direction]}${about.lines.length > 1 ? ` · ${one.line}` : ""}`, "what"), remove);
    return li;
  }).reverse();
  byId("taps").replaceChildren(...(rows.length ? rows : [node("li", words.noTaps, "empty")]));
}

function card(name, { blind, reviewed }) {
  const words = language.words, shown = reviewed ?? blind, made = node("div", "", "card result");
  made.append(node("h2", `${about.lines.length > 1 ? `${name}: ` : ""}${reviewed ? words.reviewed : words.blind}`));
  const value = node("p", shown.accuracy ? percent(shown.accuracy.value) : "–", "value");
  value.append(node("small", ` ${shown.accuracy ? words.between(percent(shown.accuracy.low), percent(shown.accuracy.high)) : words.none}`));
  const verdict = node("p", words.verdicts[shown.verdict](`${Number((shown.target * 100).toFixed(1))} %`) + (shown.more ? ` · ${words.more(shown.more)}` : ""), `verdict ${shown.verdict}`);
  made.append(value, verdict);
  if (reviewed && blind.accuracy) made.append(node("p", words.blindWas(percent(blind.accuracy.value)), "soft"));
  const table = node("table"), head = node("tr"), body = node("tbody"), top = node("thead");
  for (const text of words.columns) head.append(node("th", text));
  for (const [label, figures] of [[words.in, shown.directions.in], [words.out, shown.directions.out], [words.both, shown]]) {
    const row = node("tr");
    row.append(node("th", label));
    for (const key of ["people", "counted", "right", "false", "missed"]) row.append(node("td", String(figures[key])));
    body.append(row);
  }
  top.append(head);
  table.append(top, body);
  made.append(table);
  if (blind.delay > 0) made.append(node("p", words.delay(blind.delay.toFixed(1)), "soft"));
  return made;
}

function showResult() {
  const words = language.words, open = phase === "result" && result.disagreements.length > 0;
  byId("figures").replaceChildren(...Object.entries(result.lines).map(([name, one]) => card(name, one)));
  byId("disagreements-title").textContent = words.disagreements(result.disagreements.length);
  byId("disagreements-hint").textContent = result.disagreements.length ? words.disagreementsHint : words.allAgreed;
  byId("save").hidden = !open;
  byId("disagreements").replaceChildren(...result.disagreements.map((one, index) => {
    const li = node("li");
    const choices = ["machine", "me"].map((who) => {
      const made = button(words[who], () => {
        answers[index] = who;
        for (const each of choices) each.setAttribute("aria-pressed", String(each === made));
      }, answers[index] === who);
      made.disabled = !open;
      return made;
    });
    const who = node("div", "", "who");
    who.append(...choices);
    li.append(node("time", clock(one.time)), node("span", `${about.lines.length > 1 ? `${one.line}: ` : ""}${words[one.kind](words[one.direction])}`, "what"),
      button(words.look, () => look(one)), who);
    return li;
  }));
  const numbers = Object.values(result.lines).map((one) => one.entry?.number).filter(Boolean).join(", ");
  const kept = !about.kept ? words.notKept : numbers ? `${words.kept(numbers)} ${result.waits ? words.waits(result.waits) : words.sent}` : words.waits(result.waits);
  byId("kept").textContent = `${kept} ${words.over}`;
}

async function look(one) {
  player.pause();
  player.line = one.line;
  await player.seek(one.time - LOOK_BEFORE_S);
  await player.play(Math.min(about.duration, one.time + LOOK_AFTER_S));
}

async function waitForResult(answer) {
  while (answer.phase === "counting") {
    byId("progress").value = answer.progress;
    await new Promise((go) => setTimeout(go, 300));
    answer = await ask("api/result");
  }
  if (answer.phase === "failed") { trouble = answer.problem; return show(); }
  result = answer;
  phase = answer.phase;
  answers = answers.length ? answers : answer.disagreements.map(() => null);
  show();
}

byId("start").addEventListener("click", () => {
  if (!/^[a-z0-9-]{1,32}$/.test(byId("by").value)) { trouble = "badBy"; return show(); }
  trouble = null; phase = "tapping"; show(); player.play();
});
byId("play").addEventListener("click", () => (player.playing ? player.pause() : player.play()));
byId("back").addEventListener("click", async () => {
  const going = player.playing;
  player.pause();
  await player.seek(player.shown - 5);
  if (going) player.play();
});
for (const one of document.querySelectorAll("[data-speed]")) one.addEventListener("click", () => {
  player.speed = Number(one.dataset.speed);
  for (const each of document.querySelectorAll("[data-speed]")) each.setAttribute("aria-pressed", String(each === one));
});
for (const [id, way] of [["tap-left", leftWay], ["tap-right", () => other(leftWay())]]) {
  // At the touch, not at the release; a click without a pointer is a key on the focused button.
  byId(id).addEventListener("pointerdown", (event) => { event.preventDefault(); tap(way()); });
  byId(id).addEventListener("click", (event) => { if (event.detail === 0) tap(way()); });
}
byId("undo").addEventListener("click", () => takeBack(taps.length - 1));
byId("done").addEventListener("click", () => attempt(async () => {
  player.pause();
  const answer = await ask("api/done", { method: "POST", body: { by: byId("by").value, taps } });
  phase = "counting"; show();
  await waitForResult(answer);
}));
byId("save").addEventListener("click", () => attempt(async () => waitForResult(await ask("api/review", { method: "POST", body: { answers } }))));
document.addEventListener("keydown", (event) => {
  if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey || event.altKey || phase !== "tapping") return;
  if (event.target.tagName === "BUTTON" && event.key === " ") return;
  if (event.repeat) return event.preventDefault();
  const number = Number(event.key);
  if (["ArrowLeft", "ArrowUp"].includes(event.key)) tap(leftWay());
  else if (["ArrowRight", "ArrowDown"].includes(event.key)) tap(other(leftWay()));
  else if (event.key === " ") byId("play").click();
  else if (event.key === "Backspace") takeBack(taps.length - 1);
  else if (number >= 1 && number <= about.lines.length) { player.line = about.lines[number - 1].name; player.draw(); show(); }
  else return;
  event.preventDefault();
});

byId("by").value = about.by ?? "";
await player.seek(0);
const now = await ask("api/result");
if (now.phase !== "tapping") { phase = "counting"; show(); await attempt(() => waitForResult(now)); } else show();
