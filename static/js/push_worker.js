// The service worker of the site: shows push messages and opens what they are about. It keeps no page and no file.
// A classic script, because not every browser takes modules as workers.

const DEVICES = "/push/devices/";
const INBOX = "/inbox/";
const PICTURE = "/static/img/push.png";

function told(data) {
  try {
    return data.json();
  } catch {
    return {}; // a push service that sent nothing readable: the message is in the inbox
  }
}

/** An address of this site, whatever was said. */
function here(address) {
  try {
    const url = new URL(address || INBOX, self.location.origin);
    return url.origin === self.location.origin ? url.href : new URL(INBOX, self.location.origin).href;
  } catch {
    return new URL(INBOX, self.location.origin).href;
  }
}

async function open(address) {
  const pages = await self.clients.matchAll({ type: "window" });
  const page = pages.find((each) => each.url === address);
  if (page) return page.focus();
  return self.clients.openWindow(address);
}

/** The browser has another address now: tell the site, which takes it while the same member is signed in here. */
async function renew(event) {
  if (!event.oldSubscription) return; // nothing shows whose this was: they switch it on again
  const asked = await fetch(DEVICES, { headers: { Accept: "application/json" } });
  if (!asked.ok) return;
  const { key, token } = await asked.json();
  const fresh =
    event.newSubscription ??
    (await self.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key }));
  await fetch(DEVICES, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token },
    body: JSON.stringify({ ...fresh.toJSON(), replaces: event.oldSubscription.endpoint }),
  });
}

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
  const { title, body, url, tag } = event.data ? told(event.data) : {};
  event.waitUntil(
    self.registration.showNotification(title || "Fairground", {
      body: body || "",
      tag: tag || "fairground",
      icon: PICTURE,
      data: { url: here(url) },
    }),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(here(event.notification.data?.url)));
});

self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renew(event)));
