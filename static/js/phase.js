// A draw's page goes on by itself: when a countdown is over, or while the drum turns, it asks how the draw stands, and
// loads itself anew as soon as that has changed. Nobody has to press a button to see a draw happen.

const FIRST_WAIT = 2_000;
const LONGEST_WAIT = 30_000;

const shown = document.querySelector("[data-phase]");
let wait = FIRST_WAIT;
let timer = 0;

/** The phase that the site's own page names now; empty where it can't be had. */
async function currentPhase() {
  try {
    const answer = await fetch(window.location.href, { headers: { accept: "text/html" } });
    if (!answer.ok) return "";
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return page.querySelector("[data-phase]")?.dataset.phase ?? "";
  } catch {
    return ""; // no way there just now: it is asked again
  }
}

async function look() {
  timer = 0;
  if (document.hidden) return;
  const phase = await currentPhase();
  if (phase && phase !== shown.dataset.phase) {
    window.location.reload();
    return;
  }
  later();
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(look, wait * (0.5 + Math.random() / 2));
  wait = Math.min(wait * 1.5, LONGEST_WAIT);
}

if (shown) {
  const isMoving = () => shown.hasAttribute("data-moving");
  if (isMoving()) later();
  document.addEventListener("countdown:over", () => {
    shown.setAttribute("data-moving", "");
    wait = FIRST_WAIT;
    later();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden || !isMoving()) return;
    wait = FIRST_WAIT;
    later();
  });
}
