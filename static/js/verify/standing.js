// Who holds what: the slots as they were given at execution, and everything that happened to the ranks since.

import { ranksDue, slotCount } from "./promises.js";
import { Wrong, integer, moment, object, same, shown, text } from "./wrong.js";

const STATES = /^(?:excluded|disqualified|declined|forfeited|promoted|extended)$/;
const SKIPPING = ["excluded", "disqualified"];

/** Form and order of the dispositions; answers how many ranks there must be by now. */
export function checkForm(proof) {
  let howMany = ranksDue(proof.manifest);
  let before = moment(proof.manifest.frozen_at, "frozen_at");
  proof.dispositions.forEach((item, place) => {
    const where = `dispositions[${place}]`;
    object(item, ["rank", "state", "reason", "at"], where);
    integer(item.rank, `${where}.rank`);
    text(item.state, `${where}.state`, STATES);
    const mayBeBare = item.state === "declined" || item.state === "forfeited";
    if (!text(item.reason, `${where}.reason`) && !mayBeBare) throw new Wrong(`${where} gives no reason`);
    const at = moment(item.at, `${where}.at`);
    if (at < before) throw new Wrong(`${where}.at is before the disposition above it, or before the freeze`);
    before = at;
    if (item.state === "extended") {
      howMany = integer(item.rank, `${where}.rank, an extension,`, howMany + 1, proof.manifest.entries.count);
    }
  });
  return howMany;
}

/** The slots as at execution; answers the ranks that were skipped then. */
export function checkSlots(proof) {
  const { manifest, slots } = proof;
  same(slots.length, slotCount(manifest), "the number of slots");
  slots.forEach((row, place) => {
    object(row, ["slot", "prize", "rank", "pid"], `slot ${place}`);
    if (row.rank !== null) integer(row.rank, `slot ${place}: rank`);
  });
  const holding = new Set(slots.map((row) => row.rank));
  const skipped = new Set();
  for (const item of proof.dispositions) {
    if (!SKIPPING.includes(item.state) || holding.has(item.rank)) break; // from here on it is what happened later
    skipped.add(item.rank);
  }
  const due = ranksDue(manifest);
  let next = 0;
  let place = 0;
  for (const prize of manifest.prizes) {
    for (let copy = 0; copy < prize.quantity; copy += 1, place += 1) {
      while (next < due && skipped.has(next)) next += 1;
      const rank = next < due ? next++ : null;
      const row = slots[place];
      same(row.slot, place, `slot ${place}: its number`);
      same(row.prize, prize.id, `slot ${place}: prize`);
      same(row.rank, rank, `slot ${place}: rank, by what is recorded as skipped,`);
      same(row.pid, rank === null ? null : proof.ranks[rank].pid, `slot ${place}: pid`);
    }
  }
  return skipped;
}

/** Replay what happened since: each vacancy goes, in its turn, to the lowest rank that was never used. */
export function checkDispositions(proof, skipped) {
  const { slots } = proof;
  const { excludes } = proof.manifest;
  const slotOf = new Map(slots.filter((row) => row.rank !== null).map((row) => [row.rank, row.slot]));
  const vacant = slots.filter((row) => row.rank === null).map((row) => row.slot);
  const used = new Set([...slotOf.keys(), ...skipped]); // held a slot, or was skipped
  const named = new Set(); // left the draw: is not spoken of again
  let filled = 0; // vacancies filled so far, of those in `vacant`
  let drawn = ranksDue(proof.manifest);
  let next = 0;
  const advance = () => {
    while (used.has(next)) next += 1;
  };
  proof.dispositions.forEach(({ rank, state, reason }, place) => {
    const where = `dispositions[${place}]: rank ${rank}`;
    advance();
    if (state === "extended") {
      drawn = rank;
      return;
    }
    if (rank >= drawn) throw new Wrong(`${where} was not drawn`);
    if (state === "promoted") {
      if (filled === vacant.length || reason !== `slot ${vacant[filled]}`) {
        throw new Wrong(`${where}: ${shown(reason)} is not the slot next to be filled`);
      }
      same(rank, next, `${where}: the rank next in turn`);
      slotOf.set(rank, vacant[filled]);
      filled += 1;
      used.add(rank);
      return;
    }
    if (state === "excluded" && (slotOf.has(rank) || !excludes.some((draw) => reason.includes(draw)))) {
      throw new Wrong(`${where} is excluded, but holds a slot or names no draw of the manifest's excludes`);
    }
    if (slotOf.has(rank)) {
      vacant.push(slotOf.get(rank));
      slotOf.delete(rank);
    } else if (!SKIPPING.includes(state) || named.has(rank)) {
      throw new Wrong(`${where} is ${state}, but holds no slot`);
    }
    used.add(rank);
    named.add(rank);
  });
  advance();
  if (filled < vacant.length && next < drawn) {
    throw new Wrong(`slot ${vacant[filled]} is vacant, and rank ${next} was not promoted to it`);
  }
}
