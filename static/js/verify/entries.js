// The entries file, read once from beginning to end: its form, order and sums, its SHA-256 and its Merkle root.

import { Sha256, toHex } from "../sha256.js";
import { MOST, Wrong } from "./wrong.js";

const LONGEST_LINE = 64 + 1 + 16 + 1 + 16;
const [COMMA, FEED, ZERO] = [0x2c, 0x0a, 0x30];

/**
 * The file as its bytes come in.
 *
 * `edges[i]` tickets lie before entry i, the last edge is their total (doubles: exact up to 2^53); `pids` are 32 bytes each.
 * `update` and `finish` throw `Wrong` at the first line that is not as it should be.
 */
export class EntriesFile {
  constructor() {
    this.count = 0;
    this.tickets = 0;
    this.sha256 = "";
    this.merkleRoot = "";
    this.edges = new Float64Array(1024);
    this.pids = new Uint8Array(32 * 1024);
    this.digest = new Sha256();
    this.hash = new Sha256();
    this.peaks = new Uint8Array(32 * 64); // roots of full subtrees, the largest first
    this.height = 0;
    this.rest = new Uint8Array(LONGEST_LINE + 1); // the beginning of a line that the next block goes on with
    this.restLength = 0;
  }

  /** Take the next bytes, cut anywhere. */
  update(block) {
    this.digest.update(block);
    let start = 0;
    if (this.restLength) {
      const end = block.indexOf(FEED);
      const length = end < 0 ? block.length : end;
      if (this.restLength + length > LONGEST_LINE) this.fail(block.subarray(0, length));
      this.rest.set(block.subarray(0, length), this.restLength);
      this.restLength += length;
      if (end < 0) return;
      this.line(this.rest, 0, this.restLength);
      this.restLength = 0;
      start = end + 1;
    }
    for (;;) {
      const end = block.indexOf(FEED, start);
      if (end < 0) break;
      this.line(block, start, end);
      start = end + 1;
    }
    const left = block.length - start;
    if (left > LONGEST_LINE) this.fail(block.subarray(start));
    this.rest.set(block.subarray(start));
    this.restLength = left;
  }

  /** Say that there are no more bytes. */
  finish() {
    if (this.restLength) {
      throw new Wrong(`line ${this.count + 1} is not ended by a line feed`);
    }
    if (!this.count) throw new Wrong("it holds no entries, so there was nothing to draw");
    this.sha256 = toHex(this.digest.digest());
    while (this.height > 1) this.join();
    this.merkleRoot = toHex(this.peaks.subarray(0, 32));
    this.edges = this.edges.slice(0, this.count + 1);
  }

  /** Hex of the pid at a position. */
  pid(position) {
    return toHex(this.pids.subarray(32 * position, 32 * position + 32));
  }

  fail(line = new Uint8Array()) {
    const shown = JSON.stringify(String.fromCharCode(...line.subarray(0, 90)));
    throw new Wrong(`line ${this.count + 1} is not pid,first,count and one line feed: ${shown}`);
  }

  line(bytes, start, end) {
    if (this.count + 1 >= this.edges.length) this.grow();
    const { count, pids } = this;
    const isForm = end - start >= 68 && end - start <= LONGEST_LINE && bytes[start + 64] === COMMA;
    if (!isForm || !hexInto(bytes, start, pids, 32 * count)) this.fail(bytes.subarray(start, end));
    if (count && !isAfter(pids, 32 * count)) throw new Wrong(`line ${count + 1}: its pid is not after the pid before it`);
    const comma = bytes.indexOf(COMMA, start + 65);
    const first = comma < 0 || comma >= end ? -1 : decimal(bytes, start + 65, comma);
    const tickets = first < 0 ? -1 : decimal(bytes, comma + 1, end);
    if (tickets < 1) this.fail(bytes.subarray(start, end));
    if (first !== this.tickets) {
      throw new Wrong(`line ${count + 1}: first is ${first}, and should be ${this.tickets}`);
    }
    this.tickets += tickets;
    if (this.tickets > MOST) throw new Wrong(`line ${count + 1}: there are more than 2^53 - 1 tickets`);
    this.count += 1;
    this.edges[this.count] = this.tickets;
    this.leaf(bytes, start, end);
  }

  /** RFC 6962: a leaf more. Full subtrees of one size join, as the ones of a binary counter carry. */
  leaf(bytes, start, end) {
    this.hash.reset().byte(0).update(bytes, start, end).digestInto(this.peaks, 32 * this.height);
    this.height += 1;
    for (let carry = this.count; carry % 2 === 0; carry /= 2) this.join();
  }

  /** Make one node of the two smallest subtrees. */
  join() {
    const left = 32 * (this.height - 2);
    this.hash.reset().byte(1).update(this.peaks, left, left + 64).digestInto(this.peaks, left);
    this.height -= 1;
  }

  grow() {
    const edges = new Float64Array(2 * this.edges.length);
    const pids = new Uint8Array(2 * this.pids.length);
    edges.set(this.edges);
    pids.set(this.pids);
    [this.edges, this.pids] = [edges, pids];
  }
}

/** 64 lower-case hex digits as 32 bytes; false when they are not that. */
function hexInto(bytes, start, out, at) {
  for (let i = 0; i < 32; i += 1) {
    const high = digit(bytes[start + 2 * i]);
    const low = digit(bytes[start + 2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[at + i] = 16 * high + low;
  }
  return true;
}

function digit(code) {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  return code >= 0x61 && code <= 0x66 ? code - 0x57 : -1;
}

/** Whether the 32 bytes at `at` are greater than the 32 before them. */
function isAfter(bytes, at) {
  for (let i = 0; i < 32; i += 1) {
    const difference = bytes[at + i] - bytes[at - 32 + i];
    if (difference) return difference > 0;
  }
  return false;
}

/**
 * A whole number of at most 16 digits without leading zeros; -1 for anything else. Above 2^53 it is rounded, to something
 * that is above 2^53 as well and therefore refused.
 */
function decimal(bytes, start, end) {
  const length = end - start;
  if (length < 1 || length > 16 || (bytes[start] === ZERO && length > 1)) return -1;
  let value = 0;
  for (let at = start; at < end; at += 1) {
    const next = bytes[at] - ZERO;
    if (next < 0 || next > 9) return -1;
    value = 10 * value + next;
  }
  return value;
}
