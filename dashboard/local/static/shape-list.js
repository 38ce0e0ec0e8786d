// The list beside the picture: names, arrows, anchors, and what is wrong with each line and zone.
// Fields stay as they are while their line is changed: whoever types in one keeps the field and the cursor.
function element(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node) node[key] = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

export class ShapeList {
  #list; #shapes; #changed; #built = ""; #items = [];

  // changed(kind): "select", or "shape" after a change.
  constructor(list, shapes, changed) {
    this.#list = list; this.#shapes = shapes; this.#changed = changed;
    this.words = null; this.language = "en";
  }

  show(judged) {
    if (!this.words) return;
    const wanted = `${this.language} ${this.#shapes.lines.length} ${this.#shapes.zones.length}`;
    if (wanted !== this.#built) {
      this.#built = wanted;
      this.#items = [...this.#shapes.lines.keys()].map((index) => this.#item("line", index));
      this.#items.push(...[...this.#shapes.zones.keys()].map((index) => this.#item("zone", index)));
      this.#list.replaceChildren(...this.#items.map((item) => item.node));
    }
    for (const item of this.#items) this.#fill(item, judged);
  }

  #shape(kind, index) { return this.#shapes[`${kind}s`][index]; }

  #edit(change) { this.#shapes.remember(); change(); this.#changed("shape"); }

  #item(kind, index) {
    const shape = () => this.#shape(kind, index), field = (name) => ({ "data-field": `${kind}-${index}-${name}` });
    const name = element("input", { maxLength: 80, autocomplete: "off", spellcheck: false, ...field("name"), "aria-label": this.words.name,
      oninput: () => this.#edit(() => { shape().name = name.value; }) });
    const remove = element("button", { type: "button", ...field("remove"),
      onclick: () => { this.#shapes.remove(kind, index); this.#changed("shape"); } }, this.words.remove);
    const choices = { anchor: this.#choice(shape, "anchor", ["centre", "foot"], field("anchor")) };
    if (kind === "zone") choices.kind = this.#choice(shape, "kind", ["dwell", "queue"], field("kind"));
    const row = element("div", { className: "row" }, ...Object.values(choices));
    if (kind === "line") row.append(element("button", { type: "button", ...field("flip"), title: this.words.flip,
      onclick: () => this.#edit(() => { shape().entering = shape().entering === "positive" ? "negative" : "positive"; }) }, this.words.flipShort));
    const findings = element("div", { className: "findings" });
    const node = element("li", {}, element("div", { className: "row" }, name, remove), row, findings);
    for (const way of ["focusin", "pointerdown"]) node.addEventListener(way, () => this.#select(kind, index));
    return { kind, index, node, name, remove, choices, findings };
  }

  #fill({ kind, index, node, name, remove, choices, findings }, judged) {
    const shape = this.#shape(kind, index);
    const found = judged.findings.filter((each) => each.kind === kind && each.index === index);
    const bad = found.some((each) => each.severity === "error");
    node.className = `shape ${kind}${bad ? " bad" : ""}${this.#shapes.isSelected(kind, index) ? " selected" : ""}`;
    if (name.value !== shape.name) name.value = shape.name;
    remove.setAttribute("aria-label", `${this.words.remove} ${shape.name}`);
    for (const [key, select] of Object.entries(choices)) select.value = shape[key];
    const better = kind === "line" && judged.anchors[index]?.anchor !== shape.anchor ? judged.anchors[index] : null;
    const said = JSON.stringify([found, better]);
    if (findings.dataset.said === said) return;
    findings.dataset.said = said;
    findings.replaceChildren(...found.map((each) => element("p", { className: `finding ${each.severity}` }, each.text[this.language])));
    if (better) findings.append(this.#advice(kind, index, better));
    if (!found.length) findings.append(element("p", { className: "finding good" }, this.words.good));
  }

  #select(kind, index) {
    if (this.#shapes.isSelected(kind, index)) return;
    this.#shapes.selected = { kind, index };
    for (const item of this.#items) item.node.classList.toggle("selected", item.kind === kind && item.index === index);
    this.#changed("select");
  }

  #choice(shape, key, values, field) {
    const select = element("select", { "aria-label": key === "anchor" ? this.words.anchor : this.words.kind, ...field,
      onchange: () => this.#edit(() => { shape()[key] = select.value; }) });
    for (const value of values) select.append(new Option(key === "anchor" ? `${this.words.anchor}: ${this.words[value]}` : this.words[value], value));
    return select;
  }

  #advice(kind, index, better) {
    const use = element("button", { type: "button", "data-field": `${kind}-${index}-use`,
      onclick: () => this.#edit(() => { this.#shape(kind, index).anchor = better.anchor; }) }, `${this.words.use}: ${this.words[better.anchor]}`);
    return element("p", { className: "finding hint" }, better.reason[this.language], element("br"), use);
  }
}
