// Drawings: the lifecycle with the present state marked, the timeline (past solid, future dashed), and the
// streams of a content as bands.
import { make } from "./api.js";

const PLACES = {
  Pending: [70, 140], Waiting: [220, 50], Running: [380, 140], Paused: [380, 245], Updating: [220, 220],
  Finished: [560, 50], Cancelled: [560, 115], Error: [560, 180], Terminated: [560, 245],
};
// Each edge tells its request as a tooltip; those that people ask for are labelled as well.
const LABELLED = ["Pending-Waiting", "Pending-Running", "Waiting-Running", "Running-Paused", "Paused-Running"];
const WIDTH = 96, HEIGHT = 32;

export function diagram(states, arrows, here) {
  const svg = make("svg", { viewBox: "0 0 625 280", role: "img", "aria-label": `The job is ${here}` });
  const drawn = new Set();
  for (const { from, to, requested } of arrows) {
    const key = `${from}-${to}`;
    const isFinal = states.some((s) => s.name === to && s.isFinal);
    if (from === to || drawn.has(key) || !PLACES[from] || !PLACES[to] || (isFinal && from !== "Running")) continue;
    drawn.add(key);
    const [x1, y1] = PLACES[from], [x2, y2] = PLACES[to];
    const far = 34 / Math.hypot(x2 - x1, y2 - y1);
    const middle = [(x1 + x2) / 2 - (y2 - y1) * far, (y1 + y2) / 2 + (x2 - x1) * far];
    svg.append(make("path", { class: "edge", d: `M${x1},${y1} Q${middle} ${x2},${y2}` }, make("title", {}, `${from} → ${to}: ${requested}`)));
    if (!LABELLED.includes(key)) continue;
    const [x, y] = [(middle[0] * 2 + x1 + x2) / 4, (middle[1] * 2 + y1 + y2) / 4];
    svg.append(make("text", { class: "edge-label", x, y: y + 4, "text-anchor": "middle" }, requested));
  }
  for (const { name, isFinal } of states) {
    const [x, y] = PLACES[name] ?? [70, 260];
    svg.append(make("g", name === here ? { class: "here", "aria-current": "true" } : {},
      make("rect", { class: isFinal ? "box final" : "box", x: x - WIDTH / 2, y: y - HEIGHT / 2, width: WIDTH, height: HEIGHT, rx: 5 }),
      make("text", { x, y: y + 5, "text-anchor": "middle" }, name)));
  }
  return svg;
}

// The past takes the left part in proportion, what is planned the right part; both have their own scale.
export function timeline({ now, bands, planned }) {
  const WIDE = 1080, dated = planned.filter((p) => p.when), split = dated.length ? 640 : 1040;
  const at = Date.parse(now), start = Date.parse(bands[0].from);
  const end = Math.max(at + 1, ...dated.map((p) => Date.parse(p.when)));
  const isOver = bands.at(-1).to !== null;
  const last = isOver ? Date.parse(bands.at(-1).to) : at;
  const past = (text) => 20 + (split - 20) * (Date.parse(text) - start) / Math.max(1, last - start);
  const future = (text) => split + (WIDE - 60 - split) * (Date.parse(text) - at) / (end - at);
  const svg = make("svg", { viewBox: `0 0 ${WIDE} 96`, role: "img", "aria-label": "Timeline; the tables below tell the same" });
  for (const band of bands) {
    const x = past(band.from), width = Math.max(3, (band.to ? past(band.to) : split) - x);
    svg.append(make("g", { "data-band": band.state },
      make("rect", { class: `past ${band.state}`, x, y: 26, width, height: 24 }, make("title", {}, `${band.state}, ${band.why}, ${band.from}`)),
      width > 60 ? make("text", { x: x + 4, y: 20 }, band.state) : ""));
  }
  let x = split;
  let state = bands.at(-1).state;
  for (const plan of dated) {
    const to = Math.max(x + 4, future(plan.when));
    svg.append(make("rect", { class: `future ${state}`, x, y: 26, width: to - x, height: 24, "data-planned": plan.trigger.type },
      make("title", {}, `${state} until ${plan.when}`)));
    svg.append(make("text", { x: to, y: 68, "text-anchor": "middle" }, plan.currentProcState));
    [x, state] = [to, plan.currentProcState];
  }
  if (!isOver) svg.append(make("line", { class: "now", x1: split, x2: split, y1: 16, y2: 60 }), make("text", { x: split, y: 84, "text-anchor": "middle" }, "now"));
  return svg;
}

// One band for each stream over the range [from, to] in seconds; between its parts are the gaps.
export function bands(streams, [from, to]) {
  const WIDE = 1080, LEFT = 90, ROW = 30;
  const height = streams.length * ROW + 26;
  const at = (second) => LEFT + (WIDE - LEFT - 20) * (Math.min(Math.max(second, from), to) - from) / Math.max(to - from, 1e-9);
  const svg = make("svg", { viewBox: `0 0 ${WIDE} ${height}`, role: "img", "aria-label": "Streams over time; the table below tells the same" });
  streams.forEach(({ stream, present, gaps }, place) => {
    const y = place * ROW + 4, kind = stream.codecpar?.codec_type ?? "stream";
    svg.append(make("text", { x: 0, y: y + 15 }, `${stream.index} ${kind}`));
    for (const [begin, end] of present) {
      svg.append(make("rect", { class: "band", x: at(begin), y, width: Math.max(at(end) - at(begin), 1), height: ROW - 10 },
        make("title", {}, `${begin.toFixed(3)} s to ${end.toFixed(3)} s`)));
    }
    for (const [begin, end] of gaps) {
      svg.append(make("rect", { class: "gap", x: at(begin), y, width: Math.max(at(end) - at(begin), 2), height: ROW - 10 },
        make("title", {}, `gap, ${begin.toFixed(3)} s to ${end.toFixed(3)} s`)));
    }
  });
  const base = height - 6;
  svg.append(make("text", { x: LEFT, y: base }, `${from.toFixed(1)} s`), make("text", { x: WIDE - 20, y: base, "text-anchor": "end" }, `${to.toFixed(1)} s`));
  return svg;
}
