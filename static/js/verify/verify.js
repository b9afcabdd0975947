// The whole check of a draw, step by step. Runs in a worker, and anywhere else: it knows nothing of pages.
//
// Written from docs/proof-format.md, apart from the site's own code: it draws the winners again from two files.

import { sha256, toHex } from "../sha256.js";
import { drawRanks } from "./drum.js";
import { EntriesFile } from "./entries.js";
import { checkManifest, checkRevealed, ranksDue } from "./promises.js";
import { checkDispositions, checkForm, checkSlots } from "./standing.js";
import { canonical, parseStrictly } from "./strict-json.js";
import { Wrong, list, object, same } from "./wrong.js";

const REPORT = ["manifest", "manifest_sha256", "revealed", "seed", "ranks", "slots", "audit_seal"];

/** Every check, in the order in which they are made. What hangs on one that failed is left out. */
export const CHECKS = [
  "entries-form",
  "proof-form",
  "manifest-rules",
  "manifest-hash",
  "manifest-notice",
  "entries-hash",
  "report-hash",
  "randomness",
  "seed",
  "dispositions-form",
  "ranks",
  "slots",
  "dispositions",
];

/**
 * Check a draw.
 *
 * `proof` is the bytes of proof.json, `entries` an (async) iterable of the blocks of entries.csv and `size` its length in
 * bytes, where that is known. `notice` is the M of the freeze notice, and `texts` what was announced as public texts; both
 * may be empty. `tell(check, state, detail)` hears the state of each check: `ok`, `wrong`, `open` (cannot be told here) or `skipped`;
 * `progress(done, all)` is called a hundred times or so while the two long ones run.
 *
 * Answers `verified`, `unauthenticated` (all else holds, but a drand signature is open) or `wrong`.
 */
export async function verify({ proof: document, entries: blocks, size = 0, notice = "", texts = [], tell, progress }) {
  const told = new Set();
  let isWrong = false;
  let isAuthenticated = true;
  const say = (name, state, detail = "") => {
    told.add(name);
    if (state === "wrong") isWrong = true;
    tell(name, state, detail);
  };
  // The value of the check (true where it has none), or null when it does not hold.
  const check = (name, work) => {
    try {
      const value = work();
      say(name, "ok");
      return value === undefined ? true : value;
    } catch (error) {
      say(name, "wrong", messageOf(error));
      return null;
    }
  };

  let entries = null;
  try {
    entries = await readEntries(blocks, size, progress);
    say("entries-form", "ok", `${entries.count} entries, ${entries.tickets} tickets`);
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    say("entries-form", "wrong", error.message);
  }
  const proof = check("proof-form", () => readProof(document));
  if (proof && check("manifest-rules", () => checkManifest(proof.manifest))) {
    const { manifest } = proof;
    const digest = toHex(sha256(canonical(manifest)));
    check("manifest-hash", () => same(proof.manifest_sha256, digest, "M"));
    if (notice) check("manifest-notice", () => same(notice.trim().toLowerCase(), digest, "M of the notice"));
    if (entries) check("entries-hash", () => compareEntries(entries, manifest.entries));
    check("report-hash", () => same(proof.report_sha256, reportHash(proof), "report_sha256"));
    const revealed = checkRandomness(proof, texts, say);
    isAuthenticated = revealed?.isAuthenticated ?? true;
    const seed =
      revealed &&
      check("seed", () => {
        const found = sha256(`vwd1/seed\n${digest}\n${revealed.lines}`);
        same(proof.seed, toHex(found), "S");
        return found;
      });
    const howMany = check("dispositions-form", () => checkForm(proof));
    if (entries && seed && howMany && entries.count === manifest.entries.count) {
      if (check("ranks", () => checkRanks(proof.ranks, seed, entries, howMany, progress))) {
        const skipped = check("slots", () => checkSlots(proof));
        if (skipped) check("dispositions", () => checkDispositions(proof, skipped));
      }
    }
  }
  for (const name of CHECKS) if (!told.has(name)) say(name, "skipped");
  if (isWrong) return "wrong";
  return isAuthenticated ? "verified" : "unauthenticated";
}

/** A check that does not hold says so itself; anything else that breaks on what it is given is no proof either. */
function messageOf(error) {
  return error instanceof Wrong ? error.message : `the check broke off: ${error}`;
}

async function readEntries(blocks, size, progress) {
  const file = new EntriesFile();
  let done = 0;
  for await (const block of blocks) {
    file.update(block);
    done += block.length;
    progress?.("entries", done, size);
  }
  file.finish();
  return file;
}

function readProof(document) {
  const proof = object(parseStrictly(document), [...REPORT, "dispositions", "report_sha256"], "the proof");
  for (const name of ["revealed", "ranks", "slots", "dispositions"]) list(proof[name], name);
  const seal = proof.audit_seal;
  if (typeof seal !== "object" || Array.isArray(seal)) throw new Wrong("audit_seal is neither an object nor null");
  return proof;
}

function compareEntries(entries, promised) {
  same(entries.count, promised.count, "count, by the manifest,");
  same(entries.tickets, promised.tickets, "tickets, by the manifest,");
  same(entries.sha256, promised.sha256, "sha256, by the manifest,");
  same(entries.merkleRoot, promised.merkle_root, "merkle_root, by the manifest,");
}

/** The report holds what was known at execution: an extension of the ranks stands behind its own. */
function reportHash(proof) {
  const report = Object.fromEntries(REPORT.map((name) => [name, proof[name]]));
  report.ranks = proof.ranks.slice(0, ranksDue(proof.manifest));
  return toHex(sha256(canonical(report)));
}

function checkRandomness(proof, texts, say) {
  try {
    const revealed = checkRevealed(proof.revealed, proof.manifest, texts);
    const open = [];
    if (!revealed.isAuthenticated) open.push("the drand signature is not checked here");
    for (const label of revealed.toCompare) open.push(`compare yourself: ${label}`);
    say("randomness", open.length ? "open" : "ok", open.join("; "));
    return revealed;
  } catch (error) {
    say("randomness", "wrong", messageOf(error));
    return null;
  }
}

function checkRanks(ranks, seed, entries, howMany, progress) {
  same(ranks.length, howMany, "the number of ranks");
  const step = Math.max(1, Math.floor(howMany / 100));
  let rank = 0;
  for (const drawn of drawRanks(seed, entries.edges, howMany)) {
    const row = object(ranks[rank], ["rank", "pid", "ticket", "remaining", "attempts"], `rank ${rank}`);
    same(row.rank, rank, `rank ${rank}: rank`);
    same(row.pid, entries.pid(drawn.position), `rank ${rank}: pid`);
    same(row.ticket, drawn.ticket, `rank ${rank}: ticket`);
    same(row.remaining, drawn.remaining, `rank ${rank}: remaining`);
    same(row.attempts, drawn.attempts, `rank ${rank}: attempts`);
    rank += 1;
    if (rank % step === 0) progress?.("ranks", rank, howMany);
  }
}
