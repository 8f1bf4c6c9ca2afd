(() => {
  "use strict";
  const get = name => document.getElementById(name);
  const data = JSON.parse(get("explore-data").textContent);
  const svg = get("explore-curve"), sliders = [get("explore-0"), get("explore-1")];
  const [left, right, top, floor] = [58, 630, 12, 262];
  const finite = data.risks.flat(2).filter(r => r !== null);
  const start = data.risks[data.chosen[0]][data.chosen[1]];
  const log = Math.min(...finite) > 0 && Math.max(...start) > 20 * Math.min(...start);
  const scale = value => log ? Math.log10(value) : value;
  const low = scale(Math.min(...finite)), high = scale(Math.min(Math.max(...finite), 3 * Math.max(...start)));
  const end = data.times[data.times.length - 1];
  const x = t => left + (right - left) * t / end;
  const y = r => floor - (floor - top) * (scale(r) - low) / (high - low || 1);
  const make = (name, attributes, text) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (text !== undefined) element.textContent = text;
    return svg.appendChild(element);
  };
  const word = (a, b, text, anchor) => make("text", { x: a, y: b, "text-anchor": anchor, class: "explore-word" }, text);
  const path = risks => data.times.map((t, k) => [t, risks[k]]).filter(p => p[1] !== null && y(p[1]) > -40)
    .map(p => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`).join(" ");
  const back = value => (log ? 10 ** value : value).toPrecision(3);
  make("path", { d: `M${left},${top}V${floor}H${right}`, class: "explore-axes" });
  word(left - 6, floor, back(low), "end");
  word(left - 6, top + 8, back(high), "end");
  word(left + 6, top + 8, log ? "risk (logarithmic)" : "risk", "start");
  word(left, floor + 16, "0", "middle");
  word(right, floor + 16, String(end), "end");
  word((left + right) / 2, floor + 30, "t = steps / d", "middle");
  make("polyline", { points: path(start), class: "explore-first" });
  const line = make("polyline", { class: "explore-line" });
  const draw = () => {
    const [i, j] = sliders.map(slider => Number(slider.value));
    [i, j].forEach((k, axis) => { get(`explored-${axis}`).textContent = data.values[axis][k]; });
    const risks = data.risks[i][j], known = risks.filter(r => r !== null);
    line.setAttribute("points", path(risks));
    const limit = data.thresholds[i][j];
    get("explore-words").textContent = known.length === 0 ? "There is no solution here."
      : (known.length < risks.length ? `The solution leaves the finite range near t = ${data.times[known.length - 1]}. `
        : `Risk at the end: ${known[known.length - 1]}. `)
      + (limit === null ? "" : `Descent threshold at the start: ${limit}.`);
  };
  sliders.forEach(slider => slider.addEventListener("input", draw));
  draw();
})();
