// Push messages on this device: the part of /preferences/ that only a browser with a PushManager shows.
// The list of devices is the site's; this one finds itself in it by the SHA-256 of its address.

const section = document.querySelector("[data-push]");
const isAble = "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

const toBytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

async function fingerprint(text) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Whether a subscription was made for the key that the site has now; with another one it is told nothing. */
function fits(subscription, key) {
  const made = subscription.options?.applicationServerKey;
  if (!made) return true; // a browser that doesn't say
  const bytes = new Uint8Array(made);
  return bytes.length === key.length && bytes.every((byte, at) => byte === key[at]);
}

function say(kind, words) {
  const box = section.querySelector("[data-push-error]");
  box.querySelector(".notice__text").textContent = words || box.dataset[kind];
  box.hidden = false;
}

async function switchOn(key) {
  if ((await Notification.requestPermission()) !== "granted") {
    throw new DOMException("not granted", "NotAllowedError");
  }
  const registration = await navigator.serviceWorker.register("/push-worker.js", { scope: "/" });
  await navigator.serviceWorker.ready;
  const old = await registration.pushManager.getSubscription();
  if (old && !fits(old, key)) await old.unsubscribe();
  const subscription = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  const answer = await fetch(section.dataset.push, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "X-CSRFToken": section.querySelector("[name=csrfmiddlewaretoken]").value,
    },
    body: JSON.stringify(subscription.toJSON()),
  });
  if (answer.status === 401) return location.reload(); // leads to the sign-in
  if (answer.status === 429) return say("often");
  if (answer.status === 400) return say("refused", (await answer.json()).detail);
  if (!answer.ok) return say("site");
  return location.reload();
}

/** Marks this device in the list; whether it is there. */
async function markMine(subscription) {
  const mark = await fingerprint(subscription.endpoint);
  const row = section.querySelector(`[data-device="${mark}"]`);
  if (!row) return false;
  row.classList.add("is-me");
  row.querySelector("[data-device-me]").hidden = false;
  row.querySelector("form").addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.dataset.ready) return;
    event.preventDefault();
    await subscription.unsubscribe().catch(() => {});
    form.dataset.ready = "yes";
    form.submit();
  });
  return true;
}

async function begin() {
  section.hidden = false;
  const key = toBytes(section.dataset.key);
  const registration = await navigator.serviceWorker.getRegistration("/");
  const subscription = await registration?.pushManager.getSubscription();
  if (subscription && fits(subscription, key) && (await markMine(subscription))) return;
  const box = section.querySelector("[data-push-ask]");
  box.hidden = false;
  if (Notification.permission === "denied") say("denied");
  const button = box.querySelector("button");
  button.addEventListener("click", async () => {
    section.querySelector("[data-push-error]").hidden = true;
    button.disabled = true;
    try {
      await switchOn(key);
    } catch (error) {
      if (error.name !== "NotAllowedError") say("unreachable");
      else say(Notification.permission === "denied" ? "denied" : "undecided");
    }
    button.disabled = false;
  });
}

if (section && isAble) begin().catch(() => say("unreachable"));
