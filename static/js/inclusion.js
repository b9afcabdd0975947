// The receipt's own check: that the entrant's line is made from their address and salt, and stands in the sealed list.
// Nothing that is typed leaves the browser; the manifest alone is fetched, and must have the fingerprint M.

import { fromHex, sha256, toHex } from "./sha256.js";

const PHONE_MARKS = /[ \-.()\u00a0\u2011]/g;

/** The one spelling of an address or phone number that a draw knows a person by. */
export function normaliseIdentity(typed) {
  const text = typed.trim().normalize("NFC");
  return text.startsWith("+") && !text.includes("@") ? text.replace(PHONE_MARKS, "") : text.toLowerCase();
}

/** The pid in hex: what is published in place of a person. `salt` is hex. */
export function publicId(scope, salt, identity) {
  return toHex(sha256("vwd1/pid\0", scope, "\0", fromHex(salt), identity));
}

/**
 * The Merkle root that a leaf at `index` of `size` and its path lead to, in hex; null when the path has another length than that
 * place has. RFC 6962 §2.1: the tree splits at the largest power of two below its size, so the shape is known beforehand.
 */
export function rootOf(line, index, size, path) {
  const turns = []; // from the root down: is the sibling on the left?
  for (let at = index, width = size; width > 1; ) {
    let split = 1;
    while (2 * split < width) split *= 2;
    const isRight = at >= split;
    turns.push(isRight);
    at -= isRight ? split : 0;
    width = isRight ? width - split : split;
  }
  if (index >= size || turns.length !== path.length) return null;
  let node = sha256(Uint8Array.of(0), line);
  for (const sibling of path) {
    const bytes = fromHex(sibling);
    if (bytes?.length !== 32) return null;
    node = turns.pop() ? sha256(Uint8Array.of(1), bytes, node) : sha256(Uint8Array.of(1), node, bytes);
  }
  return toHex(node);
}

/** `holds`, or what does not: `wrong-notice`, `wrong-pid`, `wrong-path`. `manifest` are its bytes as published. */
export function checkInclusion({ manifest, notice, identity, salt, line, index, path }) {
  if (toHex(sha256(manifest)) !== notice.trim().toLowerCase()) return "wrong-notice";
  const { scope, entries } = JSON.parse(new TextDecoder().decode(manifest));
  if (line.split(",")[0] !== publicId(scope, salt, normaliseIdentity(identity))) return "wrong-pid";
  return rootOf(line, index, entries.count, path) === entries.merkle_root ? "holds" : "wrong-path";
}

async function check(form) {
  const verdict = form.querySelector("[data-verdict]");
  const { salt, line, index, path, manifest } = form.dataset;
  verdict.className = "verdict";
  verdict.textContent = "";
  let found = "failed";
  try {
    const answer = await fetch(manifest);
    if (answer.ok) {
      found = checkInclusion({
        manifest: new Uint8Array(await answer.arrayBuffer()),
        notice: form.elements.notice.value,
        identity: form.elements.identity.value,
        salt,
        line,
        index: Number(index),
        path: path ? path.split(" ") : [],
      });
    }
  } catch {
    // no network, or no manifest: said below
  }
  const name = found.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
  verdict.textContent = verdict.dataset[name];
  verdict.classList.add(found === "holds" ? "verdict--good" : found === "failed" ? "verdict--open" : "verdict--bad");
}

for (const form of document.querySelectorAll("form[data-inclusion]")) {
  if (!form.dataset.salt) continue; // erased: the public id means nobody any more
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    check(form);
  });
}
