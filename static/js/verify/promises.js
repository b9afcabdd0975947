// What was promised and what was revealed: the manifest's rules, and each source of randomness.

import { fromHex, sha256, toHex } from "../sha256.js";
import { Wrong, integer, list, moment, object, same, text } from "./wrong.js";

const HEX_32 = /^[0-9a-f]{64}$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const NOT_EMPTY = /^[^]+$/;
const TIMES = ["opens_at", "closes_at", "frozen_at", "draw_at"];
const MANIFEST_KEYS = [
  ...["spec", "draw_id", "scope", "title", "rules_sha256", "min_wait_s", "entries"],
  ...["prizes", "alternates", "excludes", "randomness"],
  ...TIMES,
];
// drand's quicknet: a chain of the operator's own would prove nothing.
const QUICKNET = {
  hash: "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971",
  key:
    "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451" +
    "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a",
  genesis: 1692803367,
  period: 3,
};

/** How many slots the prizes make. */
export function slotCount(manifest) {
  return manifest.prizes.reduce((sum, prize) => sum + prize.quantity, 0);
}

/** How many ranks are drawn at execution: slots and alternates, or all entries where there are fewer. */
export function ranksDue(manifest) {
  return Math.min(slotCount(manifest) + manifest.alternates, manifest.entries.count);
}

/** Keys, types, ranges and times of a manifest. */
export function checkManifest(manifest) {
  object(manifest, MANIFEST_KEYS, "the manifest");
  same(manifest.spec, "vwd1", "spec");
  text(manifest.title, "title");
  text(manifest.draw_id, "draw_id", UUID);
  text(manifest.scope, "scope", UUID);
  text(manifest.rules_sha256, "rules_sha256", HEX_32);
  const [opens, closes, frozen, drawn] = TIMES.map((name) => moment(manifest[name], name));
  if (opens > closes || closes > frozen) throw new Wrong("opens_at, closes_at and frozen_at are not in this order");
  if (drawn - frozen < integer(manifest.min_wait_s, "min_wait_s")) {
    throw new Wrong("draw_at is sooner after frozen_at than min_wait_s");
  }
  const entries = object(manifest.entries, ["count", "tickets", "sha256", "merkle_root"], "entries");
  integer(entries.count, "entries.count", 1);
  integer(entries.tickets, "entries.tickets", entries.count);
  text(entries.sha256, "entries.sha256", HEX_32);
  text(entries.merkle_root, "entries.merkle_root", HEX_32);
  checkPrizes(manifest);
  const excludes = list(manifest.excludes, "excludes").map((other) => text(other, "excludes", UUID));
  if (new Set([manifest.draw_id, ...excludes]).size !== excludes.length + 1) {
    throw new Wrong("excludes names a draw twice, or this draw itself");
  }
  if (!list(manifest.randomness, "randomness").length) throw new Wrong("randomness names no source");
  manifest.randomness.forEach((source, place) => checkSource(source, `randomness[${place}]`, drawn));
}

function checkPrizes(manifest) {
  const ids = new Set();
  list(manifest.prizes, "prizes").forEach((prize, place) => {
    object(prize, ["id", "quantity"], `prizes[${place}]`);
    ids.add(text(prize.id, `prizes[${place}].id`, NOT_EMPTY));
    integer(prize.quantity, `prizes[${place}].quantity`, 1);
  });
  if (!ids.size || ids.size !== manifest.prizes.length) throw new Wrong("there is no prize, or two have the same id");
  const slots = slotCount(manifest);
  if (slots > 2 ** 32) throw new Wrong("there are more than 2^32 slots");
  integer(manifest.alternates, "alternates", 0, 2 ** 32 - slots);
}

function checkSource(source, where, drawn) {
  const kind = source !== null && typeof source === "object" ? source.type : null;
  if (kind === "commit") {
    text(object(source, ["type", "sha256"], where).sha256, `${where}.sha256`, HEX_32);
  } else if (kind === "public_text") {
    text(object(source, ["type", "label"], where).label, `${where}.label`, NOT_EMPTY);
  } else if (kind === "drand") {
    object(source, ["type", "chain_hash", "public_key", "round"], where);
    same(source.chain_hash, QUICKNET.hash, `${where}.chain_hash`);
    same(source.public_key, QUICKNET.key, `${where}.public_key`);
    if (drawn < QUICKNET.genesis) throw new Wrong("draw_at is before the drand chain began");
    const due = Math.ceil((drawn - QUICKNET.genesis) / QUICKNET.period) + 1;
    same(source.round, due, `${where}.round, by draw_at,`);
  } else throw new Wrong(`${where} is no known kind of randomness`);
}

/**
 * Check the revealed values against the manifest's sources, `texts` being what was announced for each public text (or nothing).
 *
 * Answers `{lines, isAuthenticated, toCompare}`: what goes into the seed, whether nothing is left open (a drand signature is:
 * this page has no pairing on BLS12-381), and the labels of public texts that the reader has to look up.
 */
export function checkRevealed(revealed, manifest, texts = []) {
  const sources = manifest.randomness;
  same(revealed.length, sources.length, "the number of revealed values");
  const told = [...texts];
  const toCompare = [];
  let lines = "";
  let isAuthenticated = true;
  sources.forEach((source, place) => {
    const where = `revealed[${place}]`;
    const isDrand = source.type === "drand";
    const item = object(revealed[place], isDrand ? ["type", "value", "round", "signature"] : ["type", "value"], where);
    same(item.type, source.type, `${where}.type`);
    text(item.value, `${where}.value`, HEX_32);
    if (isDrand) {
      same(item.round, source.round, `${where}.round`);
      const signature = fromHex(text(item.signature, `${where}.signature`, /^[0-9a-f]{96}$/));
      same(item.value, toHex(sha256(signature)), `${where}.value`);
      isAuthenticated = false;
    } else if (source.type === "commit") {
      const commitment = toHex(sha256(`vwd1/commit\n${manifest.draw_id}\n${item.value}`));
      same(commitment, source.sha256, `${where}: the commitment that the secret gives`);
    } else {
      const announced = told.shift();
      if (announced) same(item.value, toHex(sha256(announced)), `${where}.value`);
      else toCompare.push(source.label);
    }
    lines += `${source.type}:${item.value}\n`;
  });
  return { lines, isAuthenticated, toCompare };
}


