// Visitors have told us no time zone, so the server writes UTC; their browser knows better. Members chose theirs.

if (document.body.hasAttribute("data-visitor")) {
  const language = document.documentElement.lang;
  const words = new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZoneName: "short",
  });
  for (const time of document.querySelectorAll("time[data-local]")) {
    const at = Date.parse(time.dateTime);
    if (!Number.isNaN(at)) time.textContent = words.format(at);
  }
  // The same time once more in the draw's zone says nothing to someone who lives in it.
  const here = words.resolvedOptions().timeZone;
  for (const other of document.querySelectorAll("[data-zone]")) other.hidden = other.dataset.zone === here;
}
