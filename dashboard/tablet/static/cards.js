// One arrival card: who it may be, what to know, what to do. Drawn anew from the box's document whenever it changes.
import { make } from "./dom.js";

const seconds = (moment) => Math.max(0, Math.round((Date.now() - Date.parse(moment)) / 1000));

export function drawCard(card, state, act) {
  const { words } = state;
  const two = card.members.length === 2;
  const mine = card.guide === state.me.guide;
  const foreign = card.state === "claimed" && !mine;
  const title = card.confirmed ? words.sure : words.possibly;
  return make("article", { class: `card ${card.state}${foreign ? " foreign" : ""}${state.fresh.has(card.id) ? " fresh" : ""}`, "data-card": card.id, "aria-label": `${title} ${card.members.map(named).join(" / ")}` },
    make("div", { class: "top" },
      make("span", { class: card.confirmed ? "certain" : "possibly" }, two ? words.which : title),
      make("span", { class: "how" }, card.methods.map((method) => words.method[method] ?? method).join(" · ")),
      make("time", { class: "ago", "data-since": card.time }, words.ago(seconds(card.time)))),
    make("div", { class: two ? "two" : "one" }, card.members.map((member) => person(member, card, state, two, act))),
    owner(card, state, mine),
    two ? null : buttons(card, state, mine, foreign, act));
}

const named = (member) => member.salutation ?? member.member;

function person(member, card, state, two, act) {
  const { words } = state;
  const known = member.bought !== undefined;
  return make("section", { class: "person" },
    make("h2", {}, named(member), member.salutation ? make("small", {}, member.member) : null,
      member.level ? make("small", { class: "level" }, member.level) : null),
    member.guide ? make("p", { class: "bound" }, member.guide === state.me.guide ? words.yours : words.guestOf(state.nameOf(member.guide))) : null,
    known ? facts(member, words) : make("p", { class: "soft" }, words.nothing),
    two ? make("div", { class: "buttons" },
      button(words.confirm, "primary", () => act(card, "confirm", member.member)),
      button(words.wrongPerson, "", () => act(card, "wrong_person", member.member))) : null);
}

function facts(member, words) {
  const last = member.bought[0];
  const bought = member.tried.filter((item) => item.bought).length;
  const stocked = member.tried.filter((item) => item.here !== null && item.here !== undefined);
  const here = stocked.filter((item) => item.here > 0).length;
  const away = member.tried.find((item) => item.here === 0 && item.elsewhere > 0);
  return make("dl", {},
    fact(words.bought, last ? `${last.what} · ${words.agoDays(last.daysAgo)}` : null),
    fact("", member.tried.length ? words.tried(member.tried.length, bought) : null),
    fact(words.likes, member.likes.join("、") || null),
    fact(words.sizes, Object.entries(member.sizes).map(([what, size]) => `${what} ${size}`).join(" · ") || null),
    fact("♥", member.occasion ? `${words.occasion[member.occasion.kind]} · ${words.days(member.occasion.days)}` : null, "heart"),
    fact(words.due, member.due.length ? member.due.map((step) => `${step.what}${step.days < 0 ? `（${words.overdue}）` : ""}`).join("、") : null),
    ...member.coupons.map((coupon) => fact("", words.coupon(coupon.what, coupon.until), "coupon")),
    fact("", stocked.length ? words.stock(here, stocked.length) : null, "stock"),
    fact("", away ? words.elsewhere(away.what, away.elsewhere) : null, "stock"));
}

function fact(label, value, kind = "") {
  return value === null ? null : make("div", { class: `fact ${kind}` }, label ? make("dt", {}, label) : null, make("dd", {}, value));
}

function owner(card, state, mine) {
  const { words } = state;
  if (card.state === "claimed") return make("p", { class: "owner" }, mine ? words.claimedByMe : words.claimedBy(state.nameOf(card.guide)));
  const left = Math.ceil((Date.parse(card.openAt) - Date.now()) / 1000);
  if (card.asked && left > 0 && card.asked !== state.me.guide)
    return make("p", { class: "owner", "data-open": card.openAt, "data-asked": card.asked }, words.askingFirst(state.nameOf(card.asked), left));
  return null;
}

function buttons(card, state, mine, foreign, act) {
  const { words } = state;
  const asked = card.asked && card.asked !== state.me.guide && Date.parse(card.openAt) > Date.now();
  const main = card.state === "claimed"
    ? (mine ? [button(words.left, "primary", () => act(card, "left")), button(words.release, "", () => act(card, "release"))] : [])
    : [button(asked ? words.claimAnyway : words.claim, asked ? "" : "primary", () => act(card, "claim"))];
  if (foreign) return null;
  return make("div", { class: "buttons" }, main,
    card.confirmed ? null : button(words.confirm, "", () => act(card, "confirm")),
    button(words.wrongPerson, "", () => act(card, "wrong_person")),
    make("details", {}, make("summary", {}, words.more), make("div", { class: "buttons" },
      button(words.companion, "", () => act(card, "companion")),
      button(words.staff, "", () => act(card, "staff")),
      button(words.escalate, "", () => act(card, "escalate")),
      card.state === "claimed" ? null : button(words.left, "", () => act(card, "left")))));
}

const button = (text, kind, onclick) => make("button", { type: "button", class: kind, onclick }, text);

export function refreshTimes(root, state) {
  for (const node of root.querySelectorAll("[data-since]")) node.textContent = state.words.ago(seconds(node.dataset.since));
  let passed = false;
  for (const node of root.querySelectorAll("[data-open]")) {
    const left = Math.ceil((Date.parse(node.dataset.open) - Date.now()) / 1000);
    if (left > 0) node.textContent = state.words.askingFirst(state.nameOf(node.dataset.asked), left);
    else passed = true;
  }
  return passed;
}
