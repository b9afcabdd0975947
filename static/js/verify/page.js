// The page of the check: starts the worker, shows each check as it is made, and the verdict.

const root = document.querySelector("[data-verify]");
const form = root.querySelector("[data-verify-form]");
const progress = root.querySelector("[data-verify-progress]");
const bar = progress.querySelector("progress");
const now = root.querySelector("[data-verify-now]");
const verdict = root.querySelector("[data-verify-verdict]");
const button = form.querySelector("button[type=submit]");
const TONES = { verified: "good", unauthenticated: "open", wrong: "bad", failed: "open" };
let worker = null;

function showCheck(item, state = "", detail = "") {
  item.className = state ? `checks__item checks__item--${state}` : "checks__item";
  const word = item.querySelector("[data-state]");
  word.textContent = state ? word.dataset[state] : "";
  const line = item.querySelector("[data-detail]");
  line.textContent = detail;
  line.hidden = !detail;
}

function showVerdict(name, detail = "") {
  worker?.terminate();
  worker = null;
  progress.hidden = true;
  button.disabled = false;
  verdict.className = `verdict verdict--big verdict--${TONES[name]}`;
  verdict.textContent = verdict.dataset[name] + (detail ? ` (${detail})` : "");
}

function start() {
  for (const item of root.querySelectorAll("[data-check]")) showCheck(item);
  verdict.className = "verdict verdict--big";
  verdict.textContent = "";
  bar.removeAttribute("value"); // busy, until there is something to measure
  now.textContent = now.dataset.fetching;
  progress.hidden = false;
  button.disabled = true;
  worker?.terminate();
  worker = new Worker(root.dataset.worker, { type: "module" });
  worker.addEventListener("error", (event) => showVerdict("failed", event.message ?? ""));
  worker.addEventListener("message", ({ data }) => {
    if (data.kind === "check") showCheck(root.querySelector(`[data-check="${data.check}"]`), data.state, data.detail);
    else if (data.kind === "verdict") showVerdict(data.verdict);
    else if (data.kind === "failed") showVerdict("failed", data.detail);
    else if (data.all) {
      now.textContent = data.part === "ranks" ? now.dataset.drawing : now.dataset.fetching;
      bar.value = Math.min(100, (100 * data.done) / data.all);
    }
  });
  const [proof, entries] = ["proof", "entries"].map((name) => form.elements[name].files[0]);
  worker.postMessage({
    proof: proof ?? new URL(root.dataset.proof, location).href,
    entries: entries ?? new URL(root.dataset.entries, location).href,
    notice: form.elements.notice.value,
    texts: [...form.querySelectorAll("[name=text]")].map((field) => field.value),
  });
}

form.hidden = false;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  start();
});
