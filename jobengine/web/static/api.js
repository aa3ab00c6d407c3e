// Calls to the API, and the event stream. Keys are kept for this tab only.
const KEY = "jobengine-key";

export class Problem extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `status ${status}`);
    this.status = status;
  }
}

const headers = (more) => {
  const key = sessionStorage.getItem(KEY);
  return key ? { ...more, Authorization: `Bearer ${key}` } : more;
};

export async function ask(path, options = {}) {
  const { body, ...rest } = options;
  const used = sessionStorage.getItem(KEY);
  const type = body === undefined ? {} : { "Content-Type": "application/json" };
  const response = await fetch(path, {
    ...rest, headers: headers({ ...type, ...rest.headers }), body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (response.status === 401) {
    // Who has signed in since this was sent is not asked again.
    if (sessionStorage.getItem(KEY) === used) await signIn();
    return ask(path, options);
  }
  if (!response.ok) throw new Problem(response.status, await response.json().catch(() => ({})));
  return response;
}

export const read = async (path) => (await ask(path)).json();

let asking = null;
function signIn() {
  asking ??= new Promise((resolve) => {
    const dialog = make("dialog", { id: "sign-in" }, make("form", { method: "dialog" },
      make("h2", {}, "A key is needed"),
      make("p", {}, "Keys are made with ", make("code", {}, "jobengine key create"), ". It is kept in this tab only."),
      make("label", { for: "key" }, "Key "),
      make("input", { id: "key", type: "password", autocomplete: "off", required: "" }),
      make("p", {}, make("button", {}, "Sign in"))));
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => {
      sessionStorage.setItem(KEY, dialog.querySelector("input").value.trim());
      dialog.remove();
      asking = null;
      resolve();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
  return asking;
}

// EventSource can't send a key, so the stream is read by fetch; Last-Event-ID makes it whole again.
export async function follow(filter, onEvent) {
  let last = null;
  for (;;) {
    try {
      const place = "/api/events/stream" + (filter ? `?filter=${encodeURIComponent(filter)}` : "");
      const response = await ask(place, { headers: last === null ? {} : { "Last-Event-ID": last }, cache: "no-store" });
      live("live");
      onEvent({ type: "connected" });
      let rest = "";
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        const blocks = (rest + part.value).split("\n\n");
        rest = blocks.pop();
        for (const block of blocks) {
          const members = Object.fromEntries(block.split("\n").map((line) => /^(\w+): (.*)$/.exec(line)?.slice(1) ?? ["", ""]));
          if (members.id) last = members.id;
          if (members.data) onEvent({ type: members.event, ...JSON.parse(members.data) });
        }
      }
    } catch (error) {
      if (error instanceof Problem && error.status === 400) return show(error);
    }
    live("reconnecting");
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}

function live(state) {
  const place = document.getElementById("live");
  place.dataset.state = state;
  place.textContent = state;
}

export function make(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "rect", "text", "path", "line", "title", "circle"].includes(tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const ICONS = { Pending: "○", Waiting: "◔", Running: "▶", Paused: "❚❚", Updating: "⟳", Finished: "✔", Cancelled: "⊘", Error: "✖", Terminated: "⚡" };
export const stateText = (state) => `${ICONS[state] ?? ""} ${state}`;
export const badge = (state) => make("span", { class: "state", "data-state": state }, stateText(state));
export const moment = (text) => text ? make("time", { datetime: text, title: text }, new Date(text).toLocaleString()) : "";

export function show(error) {
  document.getElementById("problem").textContent = error ? error.message : "";
}

// Runs `work` now and once more after a burst of calls, never twice at a time.
export function calmly(work, pauseMs) {
  let running = false, again = false, failed = false;
  return async function run() {
    if (running) { again = true; return; }
    running = true;
    try {
      await work();
      if (failed) show(null);
      failed = false;
    } catch (error) {
      failed = true;
      show(error);
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    running = false;
    if (again) { again = false; run(); }
  };
}
