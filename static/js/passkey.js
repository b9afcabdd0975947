// Passkeys: asks the device for one, or for a new one, and sends what it answers with the form it stands in.
// A form says data-passkey="create" or "get", and where its options are: the id of a JSON script, or an address.

const toBytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const named = (list) => (list ?? []).map((each) => ({ ...each, id: toBytes(each.id) }));

function forCreation(options, alone) {
  const { publicKey } = options;
  const wish = { ...publicKey.authenticatorSelection };
  wish.residentKey = alone ? "required" : "discouraged";
  wish.requireResidentKey = alone;
  if (alone) wish.userVerification = "required";
  return {
    publicKey: {
      ...publicKey,
      challenge: toBytes(publicKey.challenge),
      user: { ...publicKey.user, id: toBytes(publicKey.user.id) },
      excludeCredentials: named(publicKey.excludeCredentials),
      authenticatorSelection: wish,
    },
  };
}

function forRequest(options) {
  const { publicKey } = options;
  return {
    publicKey: {
      ...publicKey,
      challenge: toBytes(publicKey.challenge),
      allowCredentials: named(publicKey.allowCredentials),
    },
  };
}

function asJson(credential) {
  const { response } = credential;
  const said = { clientDataJSON: toText(response.clientDataJSON) };
  if (response.attestationObject) {
    said.attestationObject = toText(response.attestationObject);
    said.transports = response.getTransports?.() ?? [];
  } else {
    said.authenticatorData = toText(response.authenticatorData);
    said.signature = toText(response.signature);
    said.userHandle = response.userHandle ? toText(response.userHandle) : null;
  }
  return JSON.stringify({
    id: credential.id,
    rawId: toText(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: said,
  });
}

async function optionsOf(form) {
  const script = document.getElementById(form.dataset.passkeyOptions);
  if (script) {
    const data = JSON.parse(script.textContent);
    return data.creation_options ?? data.request_options;
  }
  const answer = await fetch(form.dataset.passkeyOptions, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`options: ${answer.status}`);
  return (await answer.json()).request_options;
}

async function ceremony(form) {
  const options = await optionsOf(form);
  if (form.dataset.passkey === "create") {
    return navigator.credentials.create(forCreation(options, form.elements.passwordless?.checked ?? false));
  }
  return navigator.credentials.get(forRequest(options));
}

function say(form, kind) {
  const box = form.querySelector("[data-passkey-error]");
  box.querySelector(".notice__text").textContent = box.dataset[kind];
  box.hidden = false;
}

function missing(form) {
  const isNumber = /^[\d.]+$|^\[/.test(location.hostname);
  const box = form.querySelector("[data-passkey-missing]");
  if (!window.isSecureContext || isNumber) return [box, "insecure"];
  if (!window.PublicKeyCredential) return [box, "unknown"];
  return null;
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const without = missing(form);
  if (without) {
    const [box, why] = without;
    if (!box) continue;
    const words = box.querySelector(".notice__text");
    words.textContent = words.dataset[why];
    box.hidden = false;
    continue;
  }
  const button = form.querySelector("[data-passkey-button]");
  button.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    form.querySelector("[data-passkey-error]").hidden = true;
    button.disabled = true;
    try {
      form.elements.credential.value = asJson(await ceremony(form));
      form.submit();
    } catch (error) {
      say(form, error.name === "InvalidStateError" ? "known" : "cancelled");
      button.disabled = false;
    }
  });
}
