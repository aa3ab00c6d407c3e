// The list of jobs: counts by state, a filter that lives in the address, live through the event stream.
import { ask, badge, calmly, follow, make, moment, read, show, stateText } from "./api.js";

const FIELDS = "jobId,name,alias,kind,currentState,createdTime,updatedTime,statusMessage,friendlyStatusMessage";
const byId = (id) => document.getElementById(id);
const filter = new URLSearchParams(location.search).get("filter") ?? "";
let next = null;
let isPaged = false;
byId("filter").value = filter;

const place = (more) => "/api/jobs?" + new URLSearchParams({ ...(filter && { filter }), ...more });

function row(job) {
  const name = make("a", { href: `/jobs/${job.jobId}` }, job.name || job.alias || job.jobId);
  return make("tr", { "data-job": job.jobId },
    make("td", {}, name), make("td", {}, badge(job.currentState)), make("td", {}, job.kind ?? "–"),
    make("td", {}, moment(job.createdTime)), make("td", {}, moment(job.updatedTime)),
    make("td", {}, job.friendlyStatusMessage || job.statusMessage || ""));
}

async function page(address) {
  const response = await ask(address);
  next = /<([^>]+)>; rel="next"/.exec(response.headers.get("Link") ?? "")?.[1] ?? null;
  byId("more").hidden = !next;
  return (await response.json()).map(row);
}

async function counts(states) {
  const found = await Promise.all(states.map(async ({ name }) => {
    const wanted = `currentState == "${name}"`;
    const { count } = await read("/api/jobs?" + new URLSearchParams({ filter: wanted, count: "true" }));
    const link = "/?" + new URLSearchParams({ filter: wanted });
    return make("li", {}, make("a", { href: link, class: "state", "data-state": name },
      make("b", {}, String(count)), stateText(name)));
  }));
  byId("counts").replaceChildren(...found);
}

const states = read("/api/lifecycle").then((lifecycle) => lifecycle.states);
const refresh = calmly(async () => {
  await counts(await states);
  if (isPaged || document.hidden) return;
  const rows = await page(place({ fields: FIELDS, limit: "50" }));
  byId("rows").replaceChildren(...rows);
  byId("empty").hidden = rows.length > 0;
}, 500);

byId("more").addEventListener("click", async () => {
  isPaged = true;
  try { byId("rows").append(...await page(next)); } catch (error) { show(error); }
});
document.addEventListener("visibilitychange", refresh);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== byId("filter")) {
    event.preventDefault();
    byId("filter").focus();
  }
});
refresh();
follow("", refresh);
