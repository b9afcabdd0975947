// Visitors have told us no time zone, so the server writes UTC; their browser knows better. Members chose theirs.

if (document.body.hasAttribute("data-visitor")) {
  const language = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
  const style = {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  };
  const words = new Intl.DateTimeFormat(language, style);
  // Under a small countdown, where year, weekday and one’s own zone would only take room.
  const shortWords = new Intl.DateTimeFormat(language, { ...style, weekday: undefined, year: undefined });
  const wordsWithZone = new Intl.DateTimeFormat(language, { ...style, timeZoneName: "short" });

  // The date and the whole of what a clock in `zone` (none: the reader's own) shows, to compare two of them.
  const shown = (at, timeZone) => new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short", timeZone }).format(at);

  for (const time of document.querySelectorAll("time[data-local]")) {
    const at = Date.parse(time.dateTime);
    if (Number.isNaN(at)) continue;
    const mine = time.nextElementSibling?.matches("[data-zone-mine]") ? time.nextElementSibling : null;
    const other = mine?.nextElementSibling;
    // The same time once more in the draw's zone says nothing to someone whose clock agrees with it.
    const twice = Boolean(other) && shown(at, other.dataset.zone) !== shown(at);
    time.textContent = (time.dataset.local === "short" ? shortWords : twice ? words : wordsWithZone).format(at);
    if (!mine) continue;
    mine.hidden = !twice;
    other.hidden = !twice;
    mine.textContent = ` ${mine.dataset.zoneMine}`;
    const day = other.querySelector("[data-zone-day]");
    day.hidden = day.dataset.zoneDay === shown(at).slice(0, 10);
  }
}
