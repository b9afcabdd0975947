// Shows the winners of a draw one after another, by the server's clock: on every page the same one in the same second.
// The times are in the data, so nothing has to arrive in time but the data; who comes late sees at once what was shown before.

import { serverTime } from "./clock.js";

const VOICE_PAUSE = 5_000; // a screen reader is told no more often, and hears the last one in any case

const section = document.querySelector("[data-reveal]");
const part = (name) => section.querySelector(`[data-reveal-${name}]`);
const words = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);
const language = document.documentElement.lang || "en";

/** The ticket of a winner. */
function ticketOf(winner) {
  const item = part("item").content.firstElementChild.cloneNode(true);
  const fill = (name, text) => {
    item.querySelector(`[data-${name}]`).textContent = text;
  };
  const isMine = winner.pid === section.dataset.mine;
  fill("prize", winner.amount ? `${winner.prize} · ${winner.amount}` : winner.prize);
  fill("name", winner.name);
  fill("ticket", winner.ticket.toLocaleString(language));
  if (winner.name === winner.pid) {
    item.querySelector("[data-name]").classList.add("winners__pid");
    item.querySelector("[data-pid]").remove();
  } else {
    fill("pid", winner.pid);
  }
  item.dataset.slot = winner.slot;
  if (isMine) item.classList.add("ticket--accent");
  else if (winner.slot === 0) item.classList.add("ticket--bulb");
  if (isMine) fill("mine", section.dataset.wordMine);
  else item.querySelector("[data-mine]").remove();
  return item;
}

function fillBar(duration) {
  const bar = part("bar");
  for (const animation of bar.getAnimations()) animation.cancel();
  if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  bar.animate([{ scale: "0 1" }, { scale: "1 1" }], { duration, fill: "forwards" });
}

/**
 * Start showing, and call `atEnd` when all are shown. False, without showing anything, when there is nothing (more) to show
 * one by one.
 */
export function startReveal({ begins_at: beginsAt, step, more, winners }, atEnd) {
  if (!section || serverTime() >= beginsAt + winners.length * step) return false;
  const list = part("list");
  let count = 0;
  let timer = 0;
  let saidAt = -Infinity;

  const say = (winner) => {
    const isLast = count === winners.length;
    if (!isLast && performance.now() - saidAt < VOICE_PAUSE) return;
    saidAt = performance.now();
    part("voice").textContent = words(section.dataset.wordVoice, winner);
  };

  const showNext = (isNew) => {
    const winner = winners[count];
    count += 1;
    const item = ticketOf(winner);
    item.classList.toggle("reveal__item--new", isNew);
    list.prepend(item);
    part("shown").textContent = count.toLocaleString(language);
    if (isNew) say(winner);
  };

  const end = () => {
    clearTimeout(timer);
    for (const other of document.querySelectorAll("[data-until-shown]")) other.hidden = true;
    for (const other of document.querySelectorAll("[data-when-shown]")) other.hidden = false;
    part("stage").hidden = true;
    part("all").hidden = true;
    part("title").textContent = section.dataset.wordOver;
    atEnd();
  };

  const tick = (isNew = true) => {
    const now = serverTime();
    const due = Math.min(winners.length, Math.floor((now - beginsAt) / step) + 1);
    while (count < due) showNext(isNew && count === due - 1);
    if (count >= winners.length) {
      end();
      return;
    }
    const next = winners[count];
    part("next").textContent = next.amount ? `${next.prize} · ${next.amount}` : next.prize;
    const wait = beginsAt + count * step - serverTime();
    fillBar(Math.max(0, wait));
    // Timers of a page in the background are late; the next look is by the clock again.
    timer = setTimeout(tick, Math.max(0, wait) + 1);
  };

  part("total").textContent = winners.length.toLocaleString(language);
  if (more > 0) {
    part("more").textContent = words(section.dataset.wordMore, { n: more.toLocaleString(language) });
    part("more").hidden = false;
  }
  part("all").addEventListener("click", () => {
    clearTimeout(timer);
    while (count < winners.length) showNext(false);
    say(winners.at(-1));
    end();
    part("title").focus();
  });
  for (const other of document.querySelectorAll("[data-while-waiting]")) other.hidden = true;
  for (const other of document.querySelectorAll("[data-while-drawing]")) other.hidden = true;
  for (const other of document.querySelectorAll("[data-when-drawn]")) other.hidden = false;
  section.hidden = false;
  tick(false);
  const isSeen = section.getBoundingClientRect().top < window.innerHeight * 0.6;
  if (!isSeen) section.scrollIntoView({ block: "start" });
  return true;
}
