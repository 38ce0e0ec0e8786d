// The day of one store, kept current: the server says "changed", the page asks for the day again.
import { draw } from "/static/chart.js";
import { WORDS } from "/static/words.js";

const query = new URLSearchParams(location.search);
const byId = (id) => document.getElementById(id);
let language = query.get("lang") ?? localStorage.getItem("lang") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
if (!(language in WORDS)) language = "en";
let chain = null, day = null, events = [], recognition = null, connected = true;

async function read(path) {
  const response = await fetch(path);
  if (response.status === 401) location.assign("/login");
  if (!response.ok) throw new Error(`${response.status} at ${path}`);
  return response.json();
}

async function refresh() {
  try {
    chain ??= await read("/api/v1/stores");
    const store = encodeURIComponent(query.get("store") ?? chain.stores[0].id);
    const date = query.get("date") ? `?date=${encodeURIComponent(query.get("date"))}` : "";
    [day, { events }, recognition] = await Promise.all([
      read(`/api/v1/stores/${store}/day${date}`), read(`/api/v1/stores/${store}/events?limit=30&kind=happening`),
      read(`/api/v1/stores/${store}/recognition`)]);
    connected = true;
  } catch (error) {
    connected = false;
  }
  show();
}

function local(iso, seconds = false) {
  return new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit", minute: "2-digit", ...(seconds ? { second: "2-digit" } : {}), timeZone: day.timezone }).format(new Date(iso));
}

function row(time, text, note = "", state = "") {
  const li = document.createElement("li");
  if (time) { const t = document.createElement("time"); t.textContent = time; li.append(t); }
  const what = document.createElement("span"); what.className = `what ${state ? `state ${state}` : ""}`; what.textContent = text; li.append(what);
  if (note) { const span = document.createElement("span"); span.className = "note"; span.textContent = note; li.append(span); }
  return li;
}

function figure(id, value, hint) {
  byId(id).textContent = value;
  if (hint !== undefined) byId(`${id}-hint`).textContent = hint;
}

function show() {
  const words = WORDS[language];
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  byId("language").textContent = words.other;
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = words[node.dataset.word];
  byId("line").textContent = connected ? words.lineOk : words.lineCut;
  byId("line").classList.toggle("cut", !connected);
  if (!day) return;
  byId("store").textContent = day.name;
  byId("when").textContent = `${day.date} ${day.local_time} · ${words.zone} ${day.timezone}${chain.simulated ? ` · ${words.clock}` : ""}`;
  const note = chain.notes[language] ?? chain.notes.en ?? "";
  byId("notes").hidden = note === "";
  byId("notes").textContent = note;
  figure("visits", day.visits ?? "?", day.visits === null ? words.unknown : words.visitsHint(day));
  figure("coverage", day.coverage === null ? "–" : `${Math.floor(day.coverage * 100)} %`,
    day.coverage === null ? words.coverageNone : day.coverage >= 0.98 ? words.coverageFull : words.coveragePart);
  figure("tryons", day.tryons);
  showDevices(words);
  draw(byId("chart"), day.hours, words);
  showLists(words);
}

function showDevices(words) {
  const window = day.devices;
  if (!window) return figure("devices", "–", words.devicesNone);
  if (!window.inside) return figure("devices", "–", words.withheld[window.withheld] ?? words.devicesNone);
  const { value, low, high } = window.inside;
  figure("devices", `≈ ${Math.round(value)}`, words.devicesHint(Math.floor(low), Math.ceil(high), local(window.start)));
}

function showLists(words) {
  const told = events.map((event) => {
    const kind = event.type.split(".")[0];
    const text = words.event[kind]?.(event.data, event.sensor, words) ?? event.type;
    return row(local(event.time, true), text, event.sensor);
  });
  byId("events").replaceChildren(...(told.length ? told : [row("", words.noEvents)]));
  const sensors = day.sensors.map((sensor) => {
    const notes = [sensor.reason && (words.reasons[sensor.reason] ?? sensor.reason),
      sensor.fps !== null && sensor.state === "ok" && words.fps(sensor.fps.toFixed(1)), sensor.dropped > 0 && words.dropped(sensor.dropped),
      sensor.encoder && words.encoder(sensor.encoder)];
    const li = row("", `${sensor.sensor}: ${words.states[sensor.state]}`, notes.filter(Boolean).join(" · "), sensor.state);
    li.append(...day.audits.filter((audit) => audit.sensor === sensor.sensor).map((audit) => audited(audit, words)));
    return li;
  });
  if (recognition?.suggested) sensors.push(row("", words.recognition(recognition.suggested, recognition.days), judged(words)));
  byId("sensors").replaceChildren(...(sensors.length ? sensors : [row("", words.noSensors)]));
}

// How often a suggested face was somebody else: rounded outwards, like an audit.
function judged(words) {
  const { rate, wrong, judged: of } = recognition;
  return rate === null ? words.notJudged : words.judged(wrong, of, Math.floor(rate.low * 1000) / 10, Math.ceil(rate.high * 1000) / 10);
}

// What the last audit of a line said, or a badge that says why it does not hold any more.
function audited(audit, words) {
  const line = document.createElement("span");
  line.className = `audit ${audit.standing}`;
  line.append(`${audit.line}: `);
  const shown = audit.figures?.accuracy;
  if (shown && audit.standing !== "forged") {
    // Rounded outwards: an interval never looks narrower than it is.
    const value = Math.floor(shown.value * 1000 + 1e-6) / 10;
    const [low, high] = [Math.floor(shown.low * 100 + 1e-6), Math.ceil(shown.high * 100 - 1e-6)];
    const date = new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", { day: "numeric", month: "short", timeZone: day.timezone }).format(new Date(audit.time));
    line.append(words.audited(value, low, high, date));
    if (audit.verdict === "too_few") line.append(` · ${words.auditFew(audit.figures.people)}`);
    if (audit.verdict === "below") line.append(` · ${words.auditBelow(Math.round(audit.target * 100))}`);
  } else if (audit.standing !== "never" && audit.standing !== "forged") line.append(words.auditNobody);
  const badge = words.standings[audit.standing]?.(audit.max_age_days);
  if (badge) { const b = document.createElement("b"); b.className = "badge"; b.textContent = badge; line.append(" ", b); }
  return line;
}

byId("language").addEventListener("click", () => {
  language = language === "en" ? "zh" : "en";
  localStorage.setItem("lang", language);
  show();
});

window.addEventListener("resize", () => day && draw(byId("chart"), day.hours, WORDS[language]));

let pending = false;
function soon() {
  // Many changes in a moment are one picture.
  if (pending) return;
  pending = true;
  setTimeout(async () => { await refresh(); pending = false; }, 300);
}

await refresh();
const stream = new EventSource("/api/v1/changes");
stream.addEventListener("changed", soon);
stream.addEventListener("error", () => { connected = false; show(); });
stream.addEventListener("open", soon);
// Coverage and the clock move on even when nothing happens.
setInterval(soon, 20_000);
