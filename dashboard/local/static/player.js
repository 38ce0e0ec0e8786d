// Plays a recording picture by picture: the server decodes, so that every file plays that the box can count in.
// What was shown, and when, is known exactly: a tap carries the time of the picture that the person saw.
const LONGEST_STEP_S = 0.4;

export class Player {
  #canvas; #lines; #fps; #duration; #changed; #token = 0; #clock = 0; #bitmap = null;

  constructor(canvas, { lines, fps, duration, width, height }, changed) {
    this.#canvas = canvas; this.#lines = lines; this.#fps = fps; this.#duration = duration; this.#changed = changed;
    canvas.width = width; canvas.height = height;
    this.shown = 0; this.speed = 1; this.playing = false; this.line = lines[0].name;
  }

  get ended() { return this.#clock >= this.#duration; }

  async seek(time) {
    this.#clock = Math.min(Math.max(0, time), this.#duration);
    await this.#show(++this.#token);
  }

  pause() { this.playing = false; this.#changed(); }

  async play(until = this.#duration) {
    if (this.playing) return;
    if (this.ended) this.#clock = 0;
    this.playing = true;
    this.#changed();
    const token = ++this.#token;
    let before = performance.now();
    while (this.playing && token === this.#token) {
      await this.#pictureDue();
      const now = performance.now();
      // A slow moment slows the recording: no picture is jumped over that the person should have seen.
      this.#clock = Math.min(until, this.#clock + Math.min(LONGEST_STEP_S, ((now - before) / 1000) * this.speed));
      before = now;
      if (!await this.#show(token)) break;
      if (this.#clock >= until) this.playing = false;
    }
    this.#changed();
  }

  #pictureDue() { return new Promise((go) => setTimeout(go, Math.max(12, 900 / this.#fps / this.speed))); }

  async #show(token) {
    const response = await fetch(`api/picture?at=${this.#clock.toFixed(3)}`, { cache: "no-store" }).catch(() => null);
    if (!response?.ok) { this.playing = false; this.#changed(response ? "picture" : "gone"); return false; }
    const bitmap = await createImageBitmap(await response.blob());
    if (token !== this.#token) return true;
    this.#bitmap = bitmap;
    this.shown = Number(response.headers.get("X-Media-Time"));
    this.draw();
    this.#changed();
    return true;
  }

  draw() {
    const pen = this.#canvas.getContext("2d"), { width, height } = this.#canvas;
    if (this.#bitmap) pen.drawImage(this.#bitmap, 0, 0, width, height);
    for (const line of this.#lines) this.#drawLine(pen, line, width, height);
  }

  #drawLine(pen, line, width, height) {
    const [x1, y1] = [line.start[0] * width, line.start[1] * height], [x2, y2] = [line.end[0] * width, line.end[1] * height];
    const length = Math.hypot(x2 - x1, y2 - y1), sign = line.entering === "positive" ? 1 : -1;
    const [nx, ny] = [(sign * (y2 - y1)) / length, (-sign * (x2 - x1)) / length];
    const [mx, my] = [(x1 + x2) / 2, (y1 + y2) / 2], reach = Math.max(28, height / 10);
    const strokes = [[x1, y1, x2, y2], [mx, my, mx + nx * reach, my + ny * reach]];
    for (const side of [1, -1]) {
      const tip = reach / 3;
      strokes.push([mx + nx * reach, my + ny * reach, mx + nx * (reach - tip) + side * ny * tip, my + ny * (reach - tip) - side * nx * tip]);
    }
    const chosen = line.name === this.line;
    for (const [colour, wide] of [["#000", 6], [chosen ? "#56b4e9" : "#ddd", 3]]) {
      pen.strokeStyle = colour; pen.lineWidth = wide; pen.lineCap = "round";
      pen.beginPath();
      for (const [ax, ay, bx, by] of strokes) { pen.moveTo(ax, ay); pen.lineTo(bx, by); }
      pen.stroke();
    }
  }
}
