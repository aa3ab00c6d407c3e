// One job: where it is, what it did, what it will do, and the verbs that it allows now.
import { ask, badge, calmly, follow, make, moment, read, show, stateText } from "./api.js";
import { diagram, timeline } from "./drawing.js";

const id = location.pathname.split("/").pop();
const base = `/api/jobs/${encodeURIComponent(id)}`;
const VERBS = ["Start", "Pause", "Finish", "Cancel"];
const byId = (name) => document.getElementById(name);
const put = (name, ...children) => byId(name).replaceChildren(...children);
const lifecycle = read("/api/lifecycle");
let state = null;
byId("json").href = base;

function reasonAgainst(verb, arrows) {
  const arrow = arrows.find((a) => a.from === state && a.requested === verb);
  if (!arrow) return `a job that is ${state} can't be asked to ${verb}`;
  return arrow.to === state ? `the job is ${state} already` : "";
}

const buttons = Object.fromEntries(VERBS.map((verb) => {
  const button = make("button", { type: "button", id: `verb-${verb}`, disabled: "" }, verb);
  button.addEventListener("click", async () => {
    if (verb === "Cancel" && !confirm("Cancel this job? It can't be taken up again.")) return;
    try {
      await ask(`${base}/transitions`, { method: "POST", body: { trigger: { type: "Immediate", requestedProcState: verb } } });
      refresh();
    } catch (error) { show(error); }
  });
  return [verb, button];
}));
put("verbs", ...Object.values(buttons));

function showVerbs(arrows) {
  for (const verb of VERBS) {
    const reason = reasonAgainst(verb, arrows);
    buttons[verb].disabled = reason !== "";
    buttons[verb].title = reason;
  }
}

const position = (p) => p ? `${p.samples ?? p.elements ?? p.pts}${p.timeBase ? ` @ ${p.timeBase}` : ""}` : "";

function historyRow(t) {
  const cell = (child, kind) => make("td", kind ? { class: kind } : {}, child);
  const note = t.status === "Skipped" ? `skipped ${JSON.stringify(t.info ?? "")}` : t.info ? JSON.stringify(t.info) : "";
  return make("tr", { title: t.hash ?? "" },
    cell(String(t.sequence), "number"), cell(moment(t.timeStamp)), cell(t.trigger.type),
    cell(t.trigger.requestedProcState ?? ""), cell(badge(t.currentProcState ?? "")),
    cell(t.latenessMs === null ? "" : t.latenessMs.toFixed(2), "number"),
    cell(position(t.streamPosition), "number"), cell(t.actor), cell(note));
}

function plannedItem(p) {
  const when = p.when ? moment(p.when) : p.reason;
  return make("li", {}, `${p.trigger.type}: ${p.trigger.requestedProcState} – `, when);
}

function outputItem(o) {
  const size = o.samples ?? o.elements;
  return make("li", {}, make("code", {}, o.path ?? o.url ?? o.graph), ` ${o.graph}, `,
    o.closed ? `complete, ${size}` : "being written");
}

const refresh = calmly(async () => {
  const { states, arrows } = await lifecycle;
  const [job, view, history, outputs, description] = await Promise.all([
    read(`${base}?fields=name,alias,currentState,statusMessage,friendlyStatusMessage`),
    read(`${base}/timeline`), read(`${base}/history`), read(`${base}/outputs`), read(`${base}/description`)]);
  state = job.currentState;
  byId("name").textContent = job.name || job.alias || id;
  document.title = `${stateText(state)} ${job.name || id} · jobengine`;
  byId("state").dataset.state = state;
  byId("state").textContent = stateText(state);
  byId("message").textContent = job.friendlyStatusMessage || job.statusMessage;
  byId("waiting").textContent = view.waitingFor ? `Next: ${view.waitingFor}` : "";
  showVerbs(arrows);
  put("diagram", diagram(states, arrows, state));
  put("timeline", timeline(view));
  put("history", ...history.map(historyRow));
  put("planned", ...view.planned.map(plannedItem));
  put("outputs", ...outputs.map(outputItem));
  byId("description").textContent = JSON.stringify(description, null, 2);
  await Promise.all([progress(), log()]);
}, 300);

async function progress() {
  const counters = await read(`${base}/progress`);
  const lines = Object.entries(counters).flatMap(([name, value]) =>
    [make("dt", {}, name), make("dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value))]);
  put("progress", ...lines);
}

let from = -65536;
async function log() {
  const asked = from;
  const response = await ask(`${base}/log?from=${asked}`);
  if (asked !== from) return; // another answer to the same question came first
  from = Number(response.headers.get("Log-Next"));
  const place = byId("log");
  place.append(await response.text());
  if (byId("follow").checked) place.scrollTop = place.scrollHeight;
}

const isFinal = async () => (await lifecycle).states.some((s) => s.name === state && s.isFinal);
const pulse = calmly(async () => {
  if (!document.hidden && state && !(await isFinal())) await Promise.all([progress(), log()]);
}, 500);
setInterval(pulse, 1000);
refresh();
follow(`jobId == "${id}"`, refresh);
