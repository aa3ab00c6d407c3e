// The list of contents, page by page.
import { ask, make, show } from "./api.js";

const byId = (id) => document.getElementById(id);
let next = "/beams?limit=100";

async function more() {
  try {
    const response = await ask(next);
    next = /<([^>]+)>; rel="next"/.exec(response.headers.get("Link") ?? "")?.[1] ?? null;
    byId("more").hidden = !next;
    const rows = (await response.json()).map((name) =>
      make("tr", {}, make("td", {}, make("a", { href: `/contents/${encodeURIComponent(name)}` }, name))));
    byId("rows").append(...rows);
    byId("empty").hidden = byId("rows").childElementCount > 0;
    show(null);
  } catch (error) { show(error); }
}

byId("more").addEventListener("click", more);
more();
