// Visits by hour as an SVG picture: bars for what was observed, hatching for what was not.
const NS = "http://www.w3.org/2000/svg";
const HEIGHT = 320, BOTTOM = 36, TOP = 28;

function element(name, attributes, text) {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function patterns() {
  const defs = element("defs", {});
  const gap = element("pattern", { id: "gap", width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  gap.append(element("line", { x1: 0, y1: 0, x2: 0, y2: 8, class: "stripe" }));
  const partial = element("pattern", { id: "partial", width: 6, height: 6, patternUnits: "userSpaceOnUse" });
  partial.append(element("rect", { width: 6, height: 6, class: "tint", opacity: 0.35 }), element("circle", { cx: 3, cy: 3, r: 1.2, class: "dot" }));
  defs.append(gap, partial);
  return defs;
}

export function draw(holder, hours, words) {
  // One unit is one pixel, so that text has its size on a phone too.
  const WIDTH = Math.max(300, holder.clientWidth);
  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  svg.append(patterns());
  const most = Math.max(4, ...hours.map((hour) => hour.entered ?? 0));
  const step = WIDTH / Math.max(1, hours.length), floor = HEIGHT - BOTTOM, room = floor - TOP;
  svg.append(element("line", { x1: 0, x2: WIDTH, y1: floor + 0.5, y2: floor + 0.5, class: "axis" }));
  hours.forEach((hour, index) => {
    const x = index * step + step * 0.14, width = step * 0.72, middle = index * step + step / 2;
    if (hour.covered === "gap") {
      svg.append(element("rect", { x, y: TOP, width, height: room, rx: 4, class: "gap" }));
      svg.append(element("text", { x: middle, y: TOP - 8, "text-anchor": "middle" }, "?"));
    } else if (hour.entered !== null) {
      const height = (hour.entered / most) * room;
      svg.append(element("rect", { x, y: floor - height, width, height, rx: Math.min(4, height / 2), class: `bar ${hour.covered}` }));
      svg.append(element("text", { x: middle, y: floor - height - 8, "text-anchor": "middle", class: "count" }, String(hour.entered)));
    }
    svg.append(element("text", { x: middle, y: HEIGHT - 12, "text-anchor": "middle" }, hour.label.slice(0, 2)));
    const share = hour.coverage === null ? "" : ` · ${words.coverage} ${Math.round(hour.coverage * 100)} %`;
    const title = element("rect", { x: index * step, y: 0, width: step, height: HEIGHT, fill: "transparent" });
    title.append(element("title", {}, `${hour.label}: ${hour.entered ?? words.gap}${share}`));
    svg.append(title);
  });
  const told = hours.filter((hour) => hour.covered !== "future").map((hour) => `${hour.label} ${hour.entered ?? words.gap}`).join(", ");
  svg.setAttribute("aria-label", `${words.byHour}: ${told}`);
  holder.replaceChildren(svg);
}
