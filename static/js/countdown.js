// Counts <time datetime data-countdown> down in figures of fixed width, by the server's clock. Says the milestones
// to screen readers, and at zero sends a bubbling `countdown:over` from the element. Without it the time stands there.

const SECOND = 1000;
const PARTS = [86_400, 3_600, 60, 1];
const MILESTONES = [86_400, 3_600, 600, 60, 10];
const loadedAt = Date.now();

// How far this device's clock is from the server's. Under five seconds it is only the page's way here.
const serverNow = Number(document.querySelector('meta[name="server-now"]')?.content ?? 0) * SECOND;
const skew = serverNow && Math.abs(serverNow - loadedAt) > 5 * SECOND ? serverNow - loadedAt : 0;

/** Whole seconds until `at` (a time in ms), never below zero. */
const secondsLeft = (at) => Math.max(0, Math.ceil((at - Date.now() - skew) / SECOND));

/** Days, hours, minutes and seconds of a number of seconds. */
function split(seconds) {
  let rest = seconds;
  return PARTS.map((size) => {
    const amount = Math.floor(rest / size);
    rest -= amount * size;
    return amount;
  });
}

function buildCells(time) {
  const cells = document.createElement("div");
  cells.className = "countdown__cells";
  cells.setAttribute("aria-hidden", "true");
  const figures = (time.dataset.units ?? "days|hrs|min|sec").split("|").map((unit) => {
    const cell = document.createElement("span");
    cell.className = "countdown__cell";
    const figure = document.createElement("span");
    figure.className = "countdown__figure";
    const name = document.createElement("span");
    name.className = "countdown__unit";
    name.textContent = unit;
    cell.append(figure, name);
    cells.append(cell);
    return figure;
  });
  time.before(cells);
  return { cells, figures };
}

function buildVoice(time) {
  const voice = document.createElement("span");
  voice.className = "visually-hidden";
  voice.setAttribute("role", "status");
  time.after(voice);
  return voice;
}

function start(time) {
  const at = Date.parse(time.dateTime);
  if (Number.isNaN(at) || time.dataset.running) return;
  time.dataset.running = "yes";
  const units = (time.dataset.units ?? "days|hrs|min|sec").split("|");
  const { figures } = buildCells(time);
  const voice = buildVoice(time);
  const label = time.closest("[data-countdown-box]")?.querySelector(".countdown__label")?.textContent ?? "";
  const wasOver = secondsLeft(at) === 0;
  let before = secondsLeft(at);

  const tick = () => {
    const left = secondsLeft(at);
    split(left).forEach((amount, index) => {
      figures[index].textContent = String(amount).padStart(2, "0");
    });
    if (MILESTONES.some((mark) => before > mark && left <= mark)) {
      const said = split(left).map((amount, index) => (amount ? `${amount} ${units[index]}` : "")).filter(Boolean);
      voice.textContent = `${label} ${said.join(" ")}`;
    }
    before = left;
    if (left > 0 && time.isConnected) {
      setTimeout(tick, SECOND - ((Date.now() + skew) % SECOND) + 5);
    } else if (left === 0 && !wasOver) {
      voice.textContent = `${label} ${time.dataset.over ?? ""}`;
      const detail = { event: time.dataset.event ?? "", at };
      time.dispatchEvent(new CustomEvent("countdown:over", { bubbles: true, detail }));
    }
  };
  tick();
}

const startAll = (root) => root.querySelectorAll("time[data-countdown]").forEach(start);

startAll(document);
document.addEventListener("htmx:load", (event) => startAll(event.target));
