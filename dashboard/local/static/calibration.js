// The calibration page: the picture comes, lines and zones are drawn, the command says what is wrong, the file is saved.
import { ask, Refused } from "./asking.js";
import { Canvas } from "./canvas.js";
import { Language } from "./language.js";
import { Shapes } from "./shapes.js";
import { ShapeList } from "./shape-list.js";
import { WORDS } from "./calibration-words.js";

const byId = (id) => document.getElementById(id);
const shapes = new Shapes();
let camera = "", file = null, state = null, judged = { findings: [], anchors: [], size: null };
let said = { text: "", tone: "" }, checking = null, asked = 0, polling = null;

const canvas = new Canvas(byId("canvas"), shapes, (what) => {
  if (what === "tool") showTools(); else if (what === "select") list.show(judged); else changed();
});
const list = new ShapeList(byId("shapes"), shapes, (what) => {
  if (what === "select") canvas.show(); else changed();
});
const language = new Language(WORDS, byId("language"), () => show());
const words = () => language.words;
const query = () => `?camera=${encodeURIComponent(camera)}`;

function drawing() { return { camera, lines: shapes.lines, zones: shapes.zones }; }

function changed() {
  said = { text: "", tone: "" };
  check();
  canvas.show();
  show();
}

// At once, but one question at a time: while a point is dragged the newest drawing is asked about.
async function check() {
  asked += 1;
  if (checking) return;
  checking = true;
  try {
    for (let answered = -1; answered !== asked;) {
      answered = asked;
      judged = await ask("api/check", { method: "POST", body: drawing() });
      canvas.findings = judged.findings;
      canvas.show();
      show();
    }
  } catch (error) { tell(error); } finally { checking = false; }
}

function tell(error) {
  if (!(error instanceof Refused)) throw error;
  said = { text: error.status ? [error.message, error.fix].filter(Boolean).join("\n") : words().gone, tone: "bad", conflict: error.kind === "ChangedMeanwhile" };
  show();
}

async function open(name) {
  camera = name;
  state = null; canvas.picture = null; canvas.walks = [];
  show();
  try {
    await reload();
    await poll();
  } catch (error) { tell(error); }
}

async function reload() {
  file = await ask(`api/drawing${query()}`);
  shapes.load(file);
  said = { text: "", tone: "" };
  byId("accept-box").checked = false;
  canvas.show();
  check();
}

async function poll() {
  clearTimeout(polling);
  const name = camera, before = state;
  const now = await ask(`api/state${query()}`);
  if (name !== camera) return;
  take(now);
  if (before && before.people !== now.people && now.phase !== "opening") check();
  if (now.phase === "opening" || now.phase === "watching") polling = setTimeout(() => poll().catch(tell), 700);
  else if (before?.phase !== now.phase) check();
}

function take(now) {
  if (now.picture && (!canvas.picture || now.picture.number !== state?.picture?.number)) {
    canvas.aspect = now.picture.size[0] / now.picture.size[1];
    canvas.picture = `api/picture${query()}&number=${now.picture.number}&at=${Date.now()}`;
  }
  canvas.walks = now.walks;
  state = now;
  canvas.show();
  show();
}

async function renew() {
  byId("renew").disabled = true;
  try { take(await ask(`api/picture${query()}`, { method: "POST" })); } catch (error) { tell(error); } finally { byId("renew").disabled = false; }
}

async function again() {
  try { take(await ask(`api/watch${query()}`, { method: "POST" })); await poll(); } catch (error) { tell(error); }
}

async function save() {
  said = { text: words().saving, tone: "" };
  show();
  const size = byId("accept-box").checked && proposed() ? judged.size.size : null;
  try {
    file = await ask("api/drawing", { method: "PUT", body: { ...drawing(), revision: file.revision, size } });
    shapes.load(file);
    byId("accept-box").checked = false;
    said = { text: words().saved(file.file), tone: "good" };
    canvas.show();
    await check();
    show();
  } catch (error) { tell(error); }
}

const proposed = () => judged.size && judged.size.size !== judged.size.now;
const errors = () => judged.findings.filter((each) => each.severity === "error").length;

function showTools() {
  byId("draw-line").setAttribute("aria-pressed", canvas.tool === "line");
  byId("draw-zone").setAttribute("aria-pressed", canvas.tool === "zone");
  byId("close-zone").hidden = !canvas.canClose;
  byId("help").textContent = words().help[canvas.tool ?? "none"];
}

function showWatching() {
  const failed = state?.phase === "failed", none = !canvas.picture;
  byId("empty").hidden = !none;
  byId("empty-text").textContent = failed ? `${words().failed} ${state.error}` : words().opening;
  byId("empty-fix").textContent = failed ? state.fix : words().openingFix;
  byId("retry").hidden = !failed;
  byId("progress").hidden = !state || state.phase === "done" || failed;
  byId("progress").value = state?.progress ?? 0;
  byId("watching").textContent = !state || none ? "" : failed ? `${words().failed} ${state.error}: ${state.fix}`
    : state.phase === "done" ? words().done(state.people) : words().progress(Math.round(100 * state.progress), 100, state.people);
  for (const id of ["draw-line", "draw-zone", "renew"]) byId(id).disabled = none;
  byId("again").disabled = !state || state.phase === "opening" || state.phase === "watching";
}

function showInput() {
  const size = judged.size, far = size && !size.enough ? ` ${words().inputFar}` : "";
  byId("input-text").textContent = !size ? words().inputNone : (proposed() ? words().inputChange(size) : words().inputGood(size)) + far;
  byId("accept").hidden = !proposed();
  if (proposed()) byId("accept-text").textContent = words().accept(size.size);
}

function showSaving() {
  const count = errors(), accepted = byId("accept-box").checked && proposed(), unsaved = shapes.changed || accepted;
  byId("save").disabled = !file || count > 0 || !unsaved;
  byId("reload").hidden = !said.conflict;
  byId("said").className = `said ${said.tone || (count ? "bad" : "")}`;
  byId("said").textContent = said.text || (!file ? "" : count ? words().errors(count) : unsaved ? words().unsaved : words().same);
}

function show() {
  if (!list) return;
  canvas.words = words();
  list.words = words();
  list.language = language.code;
  byId("file").textContent = file ? words().saveTo(file.file) : "";
  byId("nothing").hidden = shapes.lines.length + shapes.zones.length > 0;
  byId("undo").disabled = !shapes.canUndo;
  showTools(); showWatching(); showInput(); showSaving();
  list.show(judged);
}

for (const tool of ["line", "zone"]) {
  byId(`draw-${tool}`).addEventListener("click", (event) => {
    // Pressed with a key: nobody points at the picture, so it begins in the middle and is moved with the arrow keys.
    if (event.detail === 0) canvas.addInTheMiddle(tool);
    else canvas.tool = canvas.tool === tool ? null : tool;
  });
}
byId("close-zone").addEventListener("click", () => canvas.close());
byId("undo").addEventListener("click", () => { shapes.undo(); changed(); });
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key === "z" && event.target.tagName !== "INPUT") { shapes.undo(); changed(); }
  if (event.key === "Enter" && canvas.canClose) canvas.close();
});
byId("renew").addEventListener("click", renew);
byId("again").addEventListener("click", again);
byId("retry").addEventListener("click", again);
byId("save").addEventListener("click", save);
byId("reload").addEventListener("click", () => reload().catch(tell));
byId("accept-box").addEventListener("change", () => show());
byId("camera").addEventListener("change", (event) => open(event.target.value));
addEventListener("beforeunload", (event) => { if (shapes.changed) event.preventDefault(); });

try {
  const { cameras } = await ask("api/cameras");
  byId("cameras").hidden = cameras.length < 2;
  for (const name of cameras) byId("camera").append(new Option(name, name));
  await open(cameras[0]);
} catch (error) { tell(error); }
