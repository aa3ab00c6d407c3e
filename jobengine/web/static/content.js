// One content: its format, its streams as bands with their gaps, its first picture, and a range of it to play.
import { ask, calmly, make, read, show } from "./api.js";
import { bands } from "./drawing.js";

const LONGEST_S = 300, MOST_ELEMENTS = 10000, LOOK_AGAIN_MS = 2000;
const name = decodeURIComponent(location.pathname.slice("/contents/".length));
const base = `/beams/${encodeURIComponent(name)}`;
const byId = (id) => document.getElementById(id);
const put = (id, ...children) => byId(id).replaceChildren(...children);
const seconds = (value) => String(Math.round(value * 1000) / 1000);
const address = `${base}.json`;  // one .json is dropped, so that a name may end in another
byId("json").href = address;
byId("name").textContent = name;
document.title = `${name} · jobengine`;

let format = null, range = null, isShown = false;

// What is not there is an empty list, not a problem.
async function elements(stream, reference) {
  const response = await ask(`${base}/${stream.index}/${reference}`).catch((error) => {
    if (error.status !== 404) throw error;
  });
  return response ? response.json() : [];
}

const tick = (stream) => (stream.time_base ? stream.time_base[0] / stream.time_base[1] : 0);

async function ends(stream) {
  const [[first], [last]] = await Promise.all([elements(stream, "first"), elements(stream, "last")]);
  return first && [first.pts * tick(stream), (last.pts + (last.duration ?? 0)) * tick(stream)];
}

async function whole() {
  const found = (await Promise.all(format.streams.filter(tick).map(ends))).filter(Boolean);
  const from = Math.min(...found.map(([begin]) => begin)), to = Math.max(...found.map(([, end]) => end));
  return found.length ? [from, Math.min(to, from + LONGEST_S)] : [0, 0];
}

// Elements that follow each other within half of their length belong together; between others is a gap.
function spans(found, stream) {
  const parts = [];
  for (const { pts, duration = 0 } of found) {
    const begin = pts * tick(stream), end = (pts + duration) * tick(stream), last = parts.at(-1);
    if (last && begin <= last[1] + Math.max((end - begin) / 2, 0.005)) last[1] = Math.max(last[1], end);
    else parts.push([begin, end]);
  }
  return parts;
}

async function looked(stream) {
  const [from, to] = range.map(seconds);
  const found = tick(stream) ? await elements(stream, `${from}s-${to}s?limit=${MOST_ELEMENTS}`) : [];
  const present = spans(found, stream);
  const gaps = present.slice(1).map(([begin], index) => [present[index][1], begin]);
  return { stream, found, present, gaps };
}

function row({ stream, found, gaps }) {
  const codec = stream.codecpar ?? {};
  const form = codec.width ? `${codec.width}×${codec.height}` : codec.sample_rate ? `${codec.sample_rate} Hz, ${codec.channels} channels` : "";
  const keys = found.filter((one) => (one.flags ?? {}).KEY || one.type === "Frame").length;
  const told = gaps.map(([begin, end]) => `${seconds(begin)}–${seconds(end)} s`).join(", ") || "none";
  const count = found.length === MOST_ELEMENTS ? `first ${MOST_ELEMENTS}` : String(found.length);
  return make("tr", { "data-stream": stream.index }, ...[stream.index, codec.codec_type ?? "", codec.name ?? "", form,
    count, keys, told, stream.closed ? "yes" : "no"].map((text) => make("td", {}, String(text))));
}

function formatLines() {
  const said = { Container: format.iformat, "Length (s)": format.duration && seconds(format.duration / 1e6),
    "Bit rate": format.bit_rate, ...format.metadata };
  return Object.entries(said).filter(([, value]) => value !== undefined && value !== "")
    .flatMap(([key, value]) => [make("dt", {}, key), make("dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value))]);
}

const refresh = calmly(async () => {
  format = await read(address);
  range ??= await whole();
  if (!isShown) [byId("from").value, byId("to").value] = range.map(seconds);
  const streams = await Promise.all(format.streams.map(looked));
  put("format", ...formatLines());
  put("bands", bands(streams, range));
  put("rows", ...streams.map(row));
  if (!isShown) await poster();
  isShown = true;
  if (!format.streams.every((stream) => stream.closed)) setTimeout(refresh, LOOK_AGAIN_MS);
}, 0);

// Keys go in headers, which images and players can't send: so what they show is fetched first.
const fetched = async (place) => URL.createObjectURL(await (await ask(place)).blob());

async function poster() {
  const video = format.streams.find((stream) => stream.codecpar?.codec_type === "video");
  byId("no-picture").hidden = Boolean(video);
  if (!video) return;
  try {
    byId("poster").src = await fetched(`${base}/${video.index}/first.jpg?width=640`);
    byId("poster").alt = `The first picture of ${name}`;
    byId("poster").hidden = false;
  } catch (error) {
    if (error.status !== 404) show(error);
  }
}

byId("range").addEventListener("submit", (event) => {
  event.preventDefault();
  const [from, to] = [byId("from"), byId("to")].map((field) => Number(field.value));
  if (!(to > from)) return show(new Error("the range must end after its beginning"));
  range = [from, to];
  show(null);
  refresh();
});

byId("play").addEventListener("click", async () => {
  byId("playing").textContent = "The film is being made …";
  try {
    const player = byId("player"), [from, to] = range.map(seconds), former = player.src;
    player.src = await fetched(`${base}/all/${from}s-${to}s.mp4`);
    if (former) URL.revokeObjectURL(former);
    player.hidden = false;
    byId("poster").hidden = true;
    byId("playing").textContent = `${from} s to ${to} s`;
    show(null);
    await player.play().catch(() => undefined);
  } catch (error) {
    byId("playing").textContent = "";
    show(error);
  }
});

refresh();
