// The draw itself: from the seed and the tickets to the ranks. All numbers are doubles that hold integers below 2^53.

import { hmacSha256 } from "../sha256.js";

const PREFIX = new TextEncoder().encode("vwd1/draw\0");

/** Bits of a whole number: 0 for 0. */
function bitLength(value) {
  const high = Math.floor(value / 0x100000000);
  return high ? 64 - Math.clz32(high) : 32 - Math.clz32(value);
}

/** A number below `bound`, and how many attempts it took: the leading bits of an HMAC, thrown away while too large. */
export function uniformBelow(seed, rank, bound) {
  const bits = bitLength(bound - 1);
  const message = new Uint8Array(PREFIX.length + 8);
  const counters = new DataView(message.buffer, PREFIX.length);
  message.set(PREFIX);
  counters.setUint32(0, rank);
  for (let attempt = 0; ; attempt += 1) {
    counters.setUint32(4, attempt);
    const digest = new DataView(hmacSha256(seed, message).buffer);
    const [high, low] = [digest.getUint32(0), digest.getUint32(4)];
    let number = 0; // no bits: there is one ticket left
    if (bits > 32) number = high * 2 ** (bits - 32) + Math.floor(low / 2 ** (64 - bits));
    else if (bits > 0) number = Math.floor(high / 2 ** (32 - bits));
    if (number < bound) return { number, attempts: attempt + 1 };
  }
}

/**
 * Yields `{position, ticket, remaining, attempts}` of each rank. `edges` as in `EntriesFile`.
 *
 * The specification scans the drawn entries in order to find the x-th ticket still in the drum. A Fenwick tree of the tickets that
 * are left finds the same one in twenty steps.
 */
export function* drawRanks(seed, edges, howMany) {
  const size = edges.length - 1;
  const left = new Float64Array(size + 1);
  for (let node = 1; node <= size; node += 1) left[node] = edges[node] - edges[node & (node - 1)];
  const top = 2 ** (bitLength(size) - 1);
  let remaining = edges[size];
  for (let rank = 0; rank < howMany; rank += 1) {
    const { number, attempts } = uniformBelow(seed, rank, remaining);
    let position = 0;
    let beyond = number;
    for (let step = top; step >= 1; step /= 2) {
      const node = position + step;
      if (node <= size && left[node] <= beyond) {
        position = node;
        beyond -= left[node];
      }
    }
    yield { position, ticket: edges[position] + beyond, remaining, attempts };
    const tickets = edges[position + 1] - edges[position];
    remaining -= tickets;
    for (let node = position + 1; node <= size; node += node & -node) left[node] -= tickets;
  }
}
