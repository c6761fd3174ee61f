// The search for pages, in Node: both modules against a BLAKE2b of the test's own.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const folder = process.env.DPOW_WASM;
const vectors = process.env.DPOW_TEST_VECTORS;
const MASK = (1n << 64n) - 1n;

const IV = [0x6a09e667f3bcc908n, 0xbb67ae8584caa73bn, 0x3c6ef372fe94f82bn, 0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n, 0x9b05688c2b3e6c1fn, 0x1f83d9abfb41bd6bn, 0x5be0cd19137e2179n];
const SIGMA = ['0123456789abcdef', 'ea489fd61c02b753', 'b8c052fdae367194', '7931dcbe265a40f8',
  '905724afe1bc683d', '2c6a0b834d75fe19', 'c51fed4a0763928b', 'db7ec13950f4862a',
  '6fe9b308c2d714a5', 'a2847615fb9e3cd0'].map((row) => [...row].map((digit) => parseInt(digit, 16)));

const rotate = (x, n) => (x >> n | x << (64n - n)) & MASK;

// RFC 7693 3.2 for one block of 40 bytes and a digest of 8.
function value(nonce, root) {
  const m = new Array(16).fill(0n);
  m[0] = nonce;
  for (let i = 0; i < 4; i++)
    for (let b = 7; b >= 0; b--)
      m[1 + i] = m[1 + i] << 8n | BigInt(root[8 * i + b]);
  const h0 = IV[0] ^ 0x01010008n;
  const v = [h0, ...IV.slice(1), ...IV];
  v[12] ^= 40n;
  v[14] ^= MASK;
  const mix = (a, b, c, d, x, y) => {
    v[a] = (v[a] + v[b] + x) & MASK;
    v[d] = rotate(v[d] ^ v[a], 32n);
    v[c] = (v[c] + v[d]) & MASK;
    v[b] = rotate(v[b] ^ v[c], 24n);
    v[a] = (v[a] + v[b] + y) & MASK;
    v[d] = rotate(v[d] ^ v[a], 16n);
    v[c] = (v[c] + v[d]) & MASK;
    v[b] = rotate(v[b] ^ v[c], 63n);
  };
  for (let round = 0; round < 12; round++) {
    const s = SIGMA[round % 10].map((i) => m[i]);
    for (let i = 0; i < 4; i++) mix(i, 4 + i, 8 + i, 12 + i, s[2 * i], s[2 * i + 1]);
    for (let i = 0; i < 4; i++)
      mix(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4, s[8 + 2 * i], s[9 + 2 * i]);
  }
  return h0 ^ v[0] ^ v[8];
}

// Equal numbers in every run.
let seed = 0x9e3779b97f4a7c15n;
function random() {
  seed ^= (seed << 13n) & MASK;
  seed ^= seed >> 7n;
  seed ^= (seed << 17n) & MASK;
  return seed;
}

function randomRoot() {
  return Uint8Array.from({ length: 32 }, () => Number(random() & 255n));
}

const unsigned = (number) => BigInt.asUintN(64, number);

for (const name of ['dpow_engine', 'dpow_engine_plain']) {
  const module = new WebAssembly.Module(readFileSync(join(folder, `${name}.wasm`)));
  const { exports } = new WebAssembly.Instance(module);

  const prepare = (root, threshold) => {
    new Uint8Array(exports.memory.buffer, exports.dpow_root(), 32).set(root);
    exports.dpow_prepare(BigInt.asIntN(64, threshold));
  };

  // The first nonce from start that meets the threshold, or that none of count does.
  const check = (root, threshold, start, count) => {
    const width = exports.dpow_width();
    const rounded = Math.ceil(count / width) * width;
    prepare(root, threshold);
    const tried = exports.dpow_search(BigInt.asIntN(64, start), count);
    let expected = 0;
    while (expected < rounded && value((start + BigInt(expected)) & MASK, root) < threshold)
      expected++;
    assert.equal(exports.dpow_found() !== 0, expected < rounded);
    if (expected === rounded) {
      assert.equal(tried, rounded);
      return;
    }
    assert.equal(unsigned(exports.dpow_nonce()), (start + BigInt(expected)) & MASK);
    assert.equal(tried, (Math.floor(expected / width) + 1) * width);
  };

  test(`${name} needs nothing of its page`, () => {
    assert.deepEqual(WebAssembly.Module.imports(module), []);
  });

  test(`${name} gives the values of the vectors`, () => {
    const { cases } = JSON.parse(readFileSync(join(vectors, 'work.json'), 'utf8'));
    assert.ok(cases.length > 0);
    for (const { root, work, value: expected } of cases) {
      prepare(Buffer.from(root, 'hex'), 0n);
      assert.equal(unsigned(exports.dpow_value(BigInt.asIntN(64, BigInt(`0x${work}`)))),
        BigInt(`0x${expected}`));
    }
  });

  test(`${name} finds the first nonce and misses none`, () => {
    const thresholds = [0n, 1n, 1n << 63n, 0xf000000000000000n, 0xff00000000000000n, MASK];
    for (let i = 0; i < 120; i++)
      check(randomRoot(), thresholds[i % thresholds.length], random(), 1 + Number(random() % 60n));
  });

  test(`${name} goes on at 0 behind the last nonce`, () => {
    for (let offset = 0n; offset < 8n; offset++)
      check(randomRoot(), 0xf800000000000000n, MASK - offset, 64);
  });

  test(`${name} takes exactly what meets the threshold, in every lane`, () => {
    for (let lane = 0; lane < 2 * exports.dpow_width(); lane++) {
      const root = randomRoot();
      const exact = value(BigInt(lane), root);
      check(root, exact, 0n, 8);
      check(root, (exact + 1n) & MASK, 0n, 8);
    }
  });
}
