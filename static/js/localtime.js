// Visitors have told us no time zone, so the server writes UTC; their browser knows better. Members chose theirs.

if (document.body.hasAttribute("data-visitor")) {
  const words = new Intl.DateTimeFormat(document.documentElement.lang, {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
  });
  for (const time of document.querySelectorAll("time[data-local]")) {
    const at = Date.parse(time.dateTime);
    if (!Number.isNaN(at)) time.textContent = words.format(at);
  }
}
