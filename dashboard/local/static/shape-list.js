// The list beside the picture: names, arrows, anchors, and what is wrong with each line and zone.
function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node && key !== "list") node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

export class ShapeList {
  #list; #shapes; #changed;

  // changed(kind): "select", or "shape" after a change.
  constructor(list, shapes, changed) {
    this.#list = list; this.#shapes = shapes; this.#changed = changed;
    this.words = null; this.language = "en";
  }

  show(judged) {
    if (!this.words) return;
    // Whoever types a name keeps the field and the cursor in it.
    const active = document.activeElement, id = this.#list.contains(active) ? active.dataset.field : null;
    const cursor = id && active.tagName === "INPUT" ? [active.selectionStart, active.selectionEnd] : null;
    this.#list.replaceChildren(
      ...this.#shapes.lines.map((line, index) => this.#item("line", line, index, judged)),
      ...this.#shapes.zones.map((zone, index) => this.#item("zone", zone, index, judged)));
    const field = id && this.#list.querySelector(`[data-field="${id}"]`);
    if (field) { field.focus({ preventScroll: true }); if (cursor) field.setSelectionRange(...cursor); }
  }

  #item(kind, shape, index, judged) {
    const found = judged.findings.filter((each) => each.kind === kind && each.index === index);
    const bad = found.some((each) => each.severity === "error"), selected = this.#shapes.isSelected(kind, index);
    const item = element("li", { className: `shape ${kind}${bad ? " bad" : ""}${selected ? " selected" : ""}` });
    item.addEventListener("focusin", () => this.#select(kind, index, item));
    item.addEventListener("click", () => this.#select(kind, index, item));
    item.append(this.#nameRow(kind, shape, index), this.#choices(kind, shape, index));
    for (const each of found) item.append(element("p", { className: `finding ${each.severity}` }, each.text[this.language]));
    const better = kind === "line" ? judged.anchors[index] : null;
    if (better && better.anchor !== shape.anchor) item.append(this.#advice(shape, better, index));
    if (!found.length) item.append(element("p", { className: "finding good" }, this.words.good));
    return item;
  }

  #select(kind, index, item) {
    if (this.#shapes.isSelected(kind, index)) return;
    this.#shapes.selected = { kind, index };
    for (const other of this.#list.children) other.classList.toggle("selected", other === item);
    this.#changed("select");
  }

  #edit(change) { this.#shapes.remember(); change(); this.#changed("shape"); }

  #nameRow(kind, shape, index) {
    const name = element("input", { value: shape.name, maxLength: 80, autocomplete: "off", spellcheck: false,
      "aria-label": this.words.name, "data-field": `${kind}-${index}-name`,
      oninput: (event) => this.#edit(() => { shape.name = event.target.value; }) });
    const remove = element("button", { type: "button", "data-field": `${kind}-${index}-remove`, "aria-label": `${this.words.remove} ${shape.name}`,
      onclick: (event) => { event.stopPropagation(); this.#shapes.remove(kind, index); this.#changed("shape"); } }, this.words.remove);
    return element("div", { className: "row" }, name, remove);
  }

  #choices(kind, shape, index) {
    const row = element("div", { className: "row" });
    row.append(this.#choice(shape, "anchor", ["centre", "foot"], `${kind}-${index}-anchor`));
    if (kind === "zone") row.append(this.#choice(shape, "kind", ["dwell", "queue"], `${kind}-${index}-kind`));
    else row.append(element("button", { type: "button", "data-field": `line-${index}-flip`, title: this.words.flip,
      onclick: () => this.#edit(() => { shape.entering = shape.entering === "positive" ? "negative" : "positive"; }) }, this.words.flipShort));
    return row;
  }

  #choice(shape, key, values, field) {
    const select = element("select", { "aria-label": this.words[key], "data-field": field,
      onchange: (event) => this.#edit(() => { shape[key] = event.target.value; }) });
    for (const value of values) select.append(new Option(key === "anchor" ? `${this.words.anchor}: ${this.words[value]}` : this.words[value], value, false, shape[key] === value));
    return select;
  }

  #advice(shape, better, index) {
    const use = element("button", { type: "button", "data-field": `line-${index}-use`,
      onclick: () => this.#edit(() => { shape.anchor = better.anchor; }) }, `${this.words.use}: ${this.words[better.anchor]}`);
    return element("p", { className: "finding hint" }, better.reason[this.language], element("br"), use);
  }
}
