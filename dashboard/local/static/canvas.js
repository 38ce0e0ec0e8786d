// The picture with what is drawn on it: SVG, so that every point can be focused, named and moved with arrow keys.
const SPACE = "http://www.w3.org/2000/svg";
const FINGER = 22, STEP = 0.002, FAR = 0.02;
const MARGIN = 14;   // around the picture, so that points at its edge are whole

function make(name, attributes = {}, parent = null, text = "") {
  const node = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text) node.textContent = text;
  parent?.append(node);
  return node;
}
const clamp = (value) => Math.min(1, Math.max(0, value));
const round = (value) => Math.round(value * 1e4) / 1e4;

export class Canvas {
  #svg; #shapes; #changed; #tool = null; #draft = null; #drag = null; #width = 1; #height = 1; #words = null;

  // changed(kind): "moving" while a point is moved, "shape" after a change, "select", "tool".
  constructor(svg, shapes, changed) {
    this.#svg = svg; this.#shapes = shapes; this.#changed = changed;
    this.picture = null; this.aspect = 16 / 9; this.walks = []; this.findings = [];
    svg.addEventListener("pointerdown", (event) => this.#down(event));
    svg.addEventListener("pointermove", (event) => this.#move(event));
    svg.addEventListener("pointerup", (event) => this.#up(event));
    svg.addEventListener("pointercancel", () => { this.#drag = null; this.tool = null; });
    svg.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && this.#tool) this.tool = null; });
    new ResizeObserver(() => this.show()).observe(svg.parentElement);
  }

  set words(words) { this.#words = words; this.show(); }
  get tool() { return this.#tool; }
  set tool(tool) { this.#tool = tool; this.#draft = null; this.#changed("tool"); this.show(); }
  get canClose() { return this.#tool === "zone" && this.#draft?.length >= 3; }

  addInTheMiddle(kind) {
    if (kind === "line") this.#shapes.addLine([0.35, 0.6], [0.65, 0.6], this.#words.lineNew);
    else this.#shapes.addZone([[0.35, 0.4], [0.65, 0.4], [0.65, 0.8], [0.35, 0.8]], this.#words.zoneNew);
    this.#changed("shape");
    this.#svg.querySelector(".selected .handle:not(.more)")?.focus();
  }

  close() {
    const corners = this.#draft;
    this.#tool = null; this.#draft = null;
    this.#shapes.addZone(corners, this.#words.zoneNew);
    this.#changed("tool"); this.#changed("shape"); this.show();
  }

  show() {
    if (!this.#words) return;
    const focused = document.activeElement?.dataset?.id;
    const room = this.#svg.parentElement.clientWidth - 2 * MARGIN;
    const height = this.#height = Math.min(room / this.aspect, Math.max(280, innerHeight * 0.78));
    const width = this.#width = height * this.aspect;
    this.#svg.setAttribute("viewBox", `${-MARGIN} ${-MARGIN} ${width + 2 * MARGIN} ${height + 2 * MARGIN}`);
    this.#svg.style.height = `${height + 2 * MARGIN}px`;
    this.#svg.replaceChildren();
    this.#svg.classList.toggle("drawing", this.#tool !== null);
    if (!this.picture) return;
    make("image", { href: this.picture, width, height, preserveAspectRatio: "none" }, this.#svg);
    for (const walk of this.walks) make("polyline", { class: "walk", points: this.#points(walk) }, this.#svg);
    this.#shapes.zones.forEach((zone, index) => this.#zone(zone, index));
    this.#shapes.lines.forEach((line, index) => this.#line(line, index));
    this.#showDraft();
    if (focused) this.#svg.querySelector(`[data-id="${focused}"]`)?.focus({ preventScroll: true });
  }

  #px([x, y]) { return [x * this.#width, y * this.#height]; }
  #points(list) { return list.map((point) => this.#px(point).join(",")).join(" "); }

  #group(kind, index) {
    const bad = this.findings.some((each) => each.severity === "error" && each.kind === kind && each.index === index);
    return make("g", { class: `${kind}${bad ? " bad" : ""}${this.#shapes.isSelected(kind, index) ? " selected" : ""}` }, this.#svg);
  }

  #line(line, index) {
    const group = this.#group("line", index);
    const [[x1, y1], [x2, y2]] = [this.#px(line.start), this.#px(line.end)];
    make("line", { class: "rim", x1, y1, x2, y2 }, group);
    make("line", { class: "stroke", x1, y1, x2, y2 }, group);
    make("line", { class: "grab", x1, y1, x2, y2, "data-part": "all", "data-kind": "line", "data-index": index }, group);
    this.#arrow(line, index, group);
    this.#tag(group, line.name, x1 < x2 ? [x1, y1] : [x2, y2]);
    this.#handle(group, "line", index, "start", line.start, "A", this.#words.end(line.name, "A"));
    this.#handle(group, "line", index, "end", line.end, "B", this.#words.end(line.name, "B"));
  }

  // Into the store: the positive side is on the left of somebody who stands at A and looks to B (models/lines.py).
  #arrow(line, index, parent) {
    const [[x1, y1], [x2, y2]] = [this.#px(line.start), this.#px(line.end)];
    const long = Math.hypot(x2 - x1, y2 - y1) || 1, sign = line.entering === "positive" ? 1 : -1;
    const [nx, ny] = [sign * (y2 - y1) / long, -sign * (x2 - x1) / long];
    const [mx, my] = [(x1 + x2) / 2, (y1 + y2) / 2];
    const group = make("g", { class: "into", tabindex: 0, role: "button", "aria-label": `${line.name}: ${this.#words.flip}`,
      "data-id": `line-${index}-flip`, "data-part": "flip", "data-kind": "line", "data-index": index }, parent);
    const at = (forward, aside) => `${mx + nx * forward - ny * aside},${my + ny * forward + nx * aside}`;
    make("circle", { class: "touch", cx: mx + nx * 30, cy: my + ny * 30, r: FINGER }, group);
    make("path", { d: `M${at(8, 4)} L${at(26, 4)} L${at(26, 12)} L${at(44, 0)} L${at(26, -12)} L${at(26, -4)} L${at(8, -4)} Z` }, group);
    const text = this.#words.into, wide = this.#measure(text, 12) + 12;
    const tx = Math.min(this.#width - wide / 2 - 2, Math.max(wide / 2 + 2, mx + nx * (52 + wide / 2)));
    const ty = Math.min(this.#height - 14, Math.max(14, my + ny * 60));
    make("rect", { x: tx - wide / 2, y: ty - 10, width: wide, height: 20 }, group);
    make("text", { x: tx, y: ty }, group, text);
    make("circle", { class: "halo", cx: mx + nx * 30, cy: my + ny * 30, r: FINGER }, group);
  }

  #zone(zone, index) {
    const group = this.#group("zone", index);
    const points = this.#points(zone.polygon);
    make("polygon", { class: "area", points, "data-part": "all", "data-kind": "zone", "data-index": index }, group);
    make("polygon", { class: "rim", points, "pointer-events": "none" }, group);
    make("polygon", { class: "stroke", points, "pointer-events": "none" }, group);
    const top = zone.polygon.reduce((a, b) => (b[1] < a[1] ? b : a));
    this.#tag(group, zone.name, this.#px(top));
    if (this.#shapes.isSelected("zone", index)) {
      zone.polygon.forEach(([x, y], corner) => {
        const [a, b] = zone.polygon[(corner + 1) % zone.polygon.length];
        if (Math.hypot((a - x) * this.#width, (b - y) * this.#height) < 3 * FINGER) return;
        const more = this.#handle(group, "zone", index, `more-${corner}`, [(x + a) / 2, (y + b) / 2], "+", this.#words.more(zone.name));
        more.classList.add("more");
      });
    }
    zone.polygon.forEach((corner, number) =>
      this.#handle(group, "zone", index, `corner-${number}`, corner, `${number + 1}`, this.#words.corner(zone.name, number + 1)));
  }

  #handle(parent, kind, index, part, place, text, label) {
    const [cx, cy] = this.#px(place);
    const group = make("g", { class: "handle", tabindex: 0, role: "button", "aria-label": label,
      "data-id": `${kind}-${index}-${part}`, "data-part": part, "data-kind": kind, "data-index": index }, parent);
    make("circle", { class: "touch", cx, cy, r: FINGER }, group);
    make("circle", { class: "dot", cx, cy, r: 9 }, group);
    make("text", { class: "end", x: cx, y: cy }, group, text);
    make("circle", { class: "halo", cx, cy, r: 14 }, group);
    return group;
  }

  #measure(text, size) { return [...text].reduce((sum, sign) => sum + (sign.codePointAt(0) > 0x2000 ? size : size * 0.63), 0); }

  #tag(parent, name, [x, y]) {
    const wide = this.#measure(name, 13) + 12;
    const left = Math.min(this.#width - wide - 4, Math.max(4, x + 14));
    const middle = Math.min(this.#height - 14, Math.max(14, y - 22));
    const group = make("g", { class: "tag" }, parent);
    make("rect", { x: left, y: middle - 11, width: wide, height: 22 }, group);
    make("text", { x: left + 6, y: middle }, group, name);
  }

  #showDraft() {
    if (!this.#draft?.length) return;
    make("polyline", { class: "draft", points: this.#points(this.#draft) }, this.#svg);
    this.#draft.forEach((corner, number) => {
      const [cx, cy] = this.#px(corner);
      make("circle", { class: "dot", cx, cy, r: number === 0 && this.#tool === "zone" ? 11 : 7 }, this.#svg);
    });
  }

  #place(event) {
    const matrix = this.#svg.getScreenCTM().inverse();
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
    return [round(clamp(point.x / this.#width)), round(clamp(point.y / this.#height))];
  }

  #apart(a, b) { return Math.hypot((a[0] - b[0]) * this.#width, (a[1] - b[1]) * this.#height); }

  #down(event) {
    if (!this.picture || event.button > 0 || !event.isPrimary) return;
    const place = this.#place(event);
    if (this.#tool === "line") {
      // A second tap ends a line that was begun with a tap; a drag ends where it is let go.
      this.#draft = this.#draft?.length ? [this.#draft[0], place] : [place];
      this.#drag = { drawing: true };
    } else if (this.#tool === "zone") {
      if (this.canClose && this.#apart(place, this.#draft[0]) <= FINGER) { this.close(); return; }
      this.#draft = [...(this.#draft ?? []), place];
      this.#changed("tool");
    } else {
      this.#grab(event, place);
    }
    this.#svg.setPointerCapture(event.pointerId);
    event.preventDefault();
    this.show();
  }

  #grab(event, place) {
    const node = event.target.closest("[data-part]");
    if (!node) { this.#shapes.selected = null; this.#changed("select"); return; }
    const { part, kind } = node.dataset, index = Number(node.dataset.index);
    this.#shapes.selected = { kind, index };
    this.#changed("select");
    node.focus?.({ preventScroll: true });
    if (part === "flip") { this.#flip(index); return; }
    this.#drag = { part, kind, index, from: place, before: structuredClone(this.#shapes[`${kind}s`][index]), moved: false };
  }

  #move(event) {
    if (!this.#drag) return;
    const place = this.#place(event);
    if (this.#drag.drawing) this.#draft = [this.#draft[0], place];
    else {
      if (!this.#drag.moved && this.#apart(place, this.#drag.from) < 3) return;
      if (!this.#drag.moved) this.#begin();
      this.#drag.moved = true;
      this.#put(this.#drag, place);
      this.#changed("moving");
    }
    this.show();
  }

  #begin() {
    this.#shapes.remember();
    const match = /^more-(\d+)$/.exec(this.#drag.part);
    if (!match) return;
    const corner = Number(match[1]) + 1;
    this.#shapes.zones[this.#drag.index].polygon.splice(corner, 0, this.#drag.from);
    this.#drag.part = `corner-${corner}`;
  }

  #put({ part, kind, index, from, before }, place) {
    const shape = this.#shapes[`${kind}s`][index];
    if (part === "start" || part === "end") shape[part] = place;
    else if (part.startsWith("corner-")) shape.polygon[Number(part.slice(7))] = place;
    else if (part === "all") {
      const points = kind === "line" ? [before.start, before.end] : before.polygon;
      const keep = (delta, axis) => Math.min(1 - Math.max(...points.map((p) => p[axis])), Math.max(-Math.min(...points.map((p) => p[axis])), delta));
      const [dx, dy] = [keep(place[0] - from[0], 0), keep(place[1] - from[1], 1)];
      const moved = points.map(([x, y]) => [round(x + dx), round(y + dy)]);
      if (kind === "line") [shape.start, shape.end] = moved; else shape.polygon = moved;
    }
  }

  #up(event) {
    const drag = this.#drag;
    this.#drag = null;
    if (drag?.drawing) {
      const [start, end] = [this.#draft[0], this.#place(event)];
      if (this.#apart(start, end) < 8) { this.#draft = [start]; this.show(); return; }
      this.#tool = null; this.#draft = null;
      this.#shapes.addLine(start, end, this.#words.lineNew);
      this.#changed("tool");
      this.#changed("shape");
    } else if (drag?.moved) this.#changed("shape");
    this.show();
  }

  #flip(index) {
    this.#shapes.remember();
    const line = this.#shapes.lines[index];
    line.entering = line.entering === "positive" ? "negative" : "positive";
    this.#changed("shape");
    this.show();
  }

  #key(event) {
    const node = event.target.closest("[data-part]");
    if (!node) return;
    const { part, kind } = node.dataset, index = Number(node.dataset.index);
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const shape = this.#shapes[`${kind}s`][index];
    if (event.key === "Delete" || event.key === "Backspace") { this.#shapes.remove(kind, index); this.#changed("shape"); }
    else if (part === "flip" && (event.key === "Enter" || event.key === " ")) this.#flip(index);
    else if (part.startsWith("more-") && (event.key === "Enter" || event.key === " ")) this.#split(shape, Number(part.slice(5)));
    else if (ways[event.key] && part !== "flip" && !part.startsWith("more-")) {
      this.#shapes.remember();
      const step = event.shiftKey ? FAR : STEP, [dx, dy] = ways[event.key];
      const [x, y] = part.startsWith("corner-") ? shape.polygon[Number(part.slice(7))] : shape[part];
      this.#shapes.selected = { kind, index };
      this.#put({ part, kind, index }, [round(clamp(x + dx * step)), round(clamp(y + dy * step * this.aspect))]);
      this.#changed("shape");
    } else return;
    event.preventDefault();
    this.show();
  }

  #split(zone, corner) {
    this.#shapes.remember();
    const [a, b] = [zone.polygon[corner], zone.polygon[(corner + 1) % zone.polygon.length]];
    zone.polygon.splice(corner + 1, 0, [round((a[0] + b[0]) / 2), round((a[1] + b[1]) / 2)]);
    this.#changed("shape");
  }
}
