// What opens over the cards: a code, a member's consent, what is known of a member.
import { ask, told } from "./api.js";
import { byId, make } from "./dom.js";

function open(...children) {
  const dialog = byId("dialog");
  dialog.replaceChildren(...children.filter(Boolean));
  if (!dialog.open) dialog.showModal();
  dialog.querySelector("input, select, button")?.focus();
}

const close = () => byId("dialog").close();
const button = (text, kind, onclick, type = "button") => make("button", { type, class: kind, onclick }, text);

export function scanCode(state, say) {
  const { words } = state;
  const field = make("input", { id: "code", autocomplete: "off", autocapitalize: "off", spellcheck: "false", maxlength: "400", "aria-label": words.scanHint });
  const problem = make("p", { class: "problem", role: "alert" });
  const form = make("form", { onsubmit: async (event) => {
    event.preventDefault();
    try {
      await ask("codes", { text: field.value.trim() });
      close();
      say(words.sent);
    } catch (error) {
      problem.textContent = told(words, error);
      field.select();
    }
  } }, make("h2", {}, words.scan), make("p", { class: "soft" }, words.scanHint), field, problem,
    make("div", { class: "buttons" }, button(words.send, "primary", null, "submit"), button(words.close, "", close)));
  open(form);
}

export async function askConsent(state, say, language = state.language, typed = "") {
  const { words } = state;
  let texts;
  try { ({ texts } = await ask(`consent/texts?language=${language}`)); } catch (error) { say(told(words, error)); return; }
  const member = make("input", { id: "member", value: typed, placeholder: words.memberHint, autocomplete: "off", pattern: "M-[0-9A-Z]{4,26}", required: true, maxlength: "28" });
  const adult = make("input", { type: "checkbox", id: "adult" });
  const problem = make("p", { class: "problem", role: "alert" });
  const choices = new Map();
  const purposes = texts.map((text) => {
    const answer = (value, label) => make("label", { class: "choice" },
      make("input", { type: "radio", name: text.purpose, value, onchange: () => choices.set(text.purpose, value === "yes") }), label);
    return make("fieldset", { class: "purpose", lang: language }, make("legend", {}, words.purposes[text.purpose]),
      make("p", {}, text.words), make("div", { class: "choices" }, answer("yes", words.agree), answer("no", words.decline)));
  });
  const record = async (event) => {
    event.preventDefault();
    const name = member.value.trim().toUpperCase();
    if (!/^M-[0-9A-Z]{4,26}$/.test(name)) { problem.textContent = words.notBefore; member.focus(); return; }
    const agreed = texts.filter((text) => choices.get(text.purpose));
    if (agreed.some((text) => text.purpose === "recognition") && !adult.checked) { problem.textContent = words.minor; adult.focus(); return; }
    if (!agreed.length) { close(); return; }
    try {
      await ask("consent", agreed.map((text) => ({ member: name, purpose: text.purpose, act: "given", language, digest: text.digest, how: "tablet_code", adult: adult.checked })));
      say(words.recorded);
      if (state.me?.enrolment && agreed.some((text) => text.purpose === "recognition")) takePictures(state, say, name);
      else close();
    } catch (error) { problem.textContent = told(words, error); }
  };
  open(make("form", { class: "consent", onsubmit: record },
    make("h2", {}, words.consentTitle), make("p", { class: "soft" }, words.consentHint),
    make("div", { class: "line" }, make("label", { for: "member" }, words.member), member,
      button(language === "zh" ? "English" : "中文", "", () => askConsent(state, say, language === "zh" ? "en" : "zh", member.value)),
      button(words.showData, "", () => showData(state, say, member.value.trim().toUpperCase()))),
    purposes, make("label", { class: "choice", for: "adult" }, adult, words.adult), problem,
    make("div", { class: "buttons" }, button(words.record, "primary", null, "submit"), button(words.close, "", close))));
}

// The box takes the pictures and tells numbers and reasons; no picture ever comes to the tablet.
export function takePictures(state, say, member) {
  const { words } = state;
  const count = make("p", { class: "big", role: "status" });
  const reasons = make("ul", { class: "soft" });
  const problem = make("p", { class: "problem", role: "alert" });
  const start = button(words.pictures, "primary", () => take(false));
  const show = (progress) => {
    count.textContent = words.good(progress.good, progress.looked);
    reasons.replaceChildren(...Object.entries(progress.problems).sort((a, b) => b[1] - a[1]).slice(0, 3).map(([code]) => make("li", {}, words.problems[code] ?? code)));
  };
  const take = async (known) => {
    start.disabled = true;
    problem.textContent = "";
    show({ good: 0, looked: 0, problems: {} });
    const looking = setInterval(async () => { try { const progress = await ask("enrol"); if (progress.running) show(progress); } catch { /* the answer itself tells */ } }, 500);
    try {
      const done = await ask("enrol", { member, same_person_known: known });
      show(done);
      close();
      say(done.warning ?? words.enrolled(done.encoder));
    } catch (error) {
      problem.textContent = error.code === "known" ? words.knownAlready(error.message) : told(words, error);
      if (error.code === "known") problem.append(" ", button(words.enrolAnyway, "", () => take(true)));
      start.disabled = false;
    } finally { clearInterval(looking); }
  };
  open(make("div", { class: "consent" }, make("h2", {}, `${words.picturesTitle} · ${member}`), make("p", { class: "soft" }, words.picturesHint),
    count, reasons, problem, state.me.encoder ? make("p", { class: "soft" }, words.encoder(state.me.encoder)) : null,
    make("div", { class: "buttons" }, start, button(words.later, "", close))));
}

export async function showData(state, say, member) {
  const { words } = state;
  if (!/^M-[0-9A-Z]{4,26}$/.test(member)) { say(words.notBefore); return; }
  let data;
  try { data = await ask(`members/${member}/data`); } catch (error) { say(told(words, error)); return; }
  const withdraw = async (purpose) => {
    try {
      const { texts } = await ask(`consent/texts?language=${state.language}`);
      const text = texts.find((each) => each.purpose === purpose);
      await ask("consent", [{ member, purpose, act: "withdrawn", language: state.language, digest: text.digest, how: "tablet_code" }]);
      say(words.withdrawn);
      showData(state, say, member);
    } catch (error) { say(told(words, error)); }
  };
  const moment = (text) => new Date(text).toLocaleString(state.language === "zh" ? "zh-CN" : "en-GB", { timeZone: state.shop.timezone });
  open(make("div", { class: "consent" },
    make("h2", {}, `${words.data} · ${member}`),
    make("h3", {}, words.inForce),
    data.inForce.length ? make("ul", {}, data.inForce.map((purpose) => make("li", { class: "line" }, words.purposes[purpose], button(words.withdraw, "", () => withdraw(purpose))))) : make("p", { class: "soft" }, words.none),
    make("h3", {}, words.looks),
    make("ul", { class: "looks" }, data.looks.slice().reverse().map((look) => make("li", {}, `${moment(look.time)} · ${state.nameOf(look.who)} · ${look.what}`))),
    make("div", { class: "buttons" }, button(words.close, "primary", close))));
}
