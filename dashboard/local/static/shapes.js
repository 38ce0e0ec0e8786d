// Lines and zones of one camera as plain data, with undo. Places are shares of the picture from its upper left corner.
export class Shapes {
  #history = []; #saved = "";

  constructor() { this.lines = []; this.zones = []; this.selected = null; }

  load({ lines, zones }) {
    this.lines = lines; this.zones = zones; this.selected = null;
    this.#history = []; this.#saved = this.#state();
  }

  get changed() { return this.#state() !== this.#saved; }
  get canUndo() { return this.#history.length > 0; }

  // Call before a change; moving a point for a while is one change.
  remember() {
    const state = this.#state();
    if (this.#history.at(-1) !== state) this.#history.push(state);
    if (this.#history.length > 100) this.#history.shift();
  }

  undo() {
    let state = this.#history.pop();
    if (state === this.#state()) state = this.#history.pop() ?? state;
    if (state === undefined) return;
    ({ lines: this.lines, zones: this.zones } = JSON.parse(state));
    this.selected = null;
  }

  addLine(start, end, name) {
    this.remember();
    this.lines.push({ name: this.#free(name), former: null, start, end, entering: "positive", anchor: "centre" });
    this.selected = { kind: "line", index: this.lines.length - 1 };
  }

  addZone(polygon, name) {
    this.remember();
    this.zones.push({ name: this.#free(name), former: null, polygon, kind: "dwell", anchor: "foot" });
    this.selected = { kind: "zone", index: this.zones.length - 1 };
  }

  remove(kind, index) {
    this.remember();
    this[`${kind}s`].splice(index, 1);
    this.selected = null;
  }

  isSelected(kind, index) { return this.selected?.kind === kind && this.selected.index === index; }

  #state() { return JSON.stringify({ lines: this.lines, zones: this.zones }); }

  #free(name) {
    const taken = new Set([...this.lines, ...this.zones].map((each) => each.name));
    let free = name;
    for (let number = 2; taken.has(free); number += 1) free = `${name}-${number}`;
    return free;
  }
}
