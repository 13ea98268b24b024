import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { weightOfShares } from './cpu.ts'
import { ioWeight } from './io.ts'

describe('weights of v2', () => {
  for (const [shares, weight] of [[1, 1], [2, 1], [512, 59], [1024, 100], [2048, 174], [262_144, 10_000], [300_000, 10_000]] as const) {
    it(`${shares} shares are weight ${weight}`, () => assert.equal(weightOfShares(shares), weight))
  }

  for (const [v1, v2] of [[10, 1], [500, 4950], [1000, 10_000]] as const) {
    it(`block I/O weight ${v1} is ${v2}`, () => assert.equal(ioWeight(v1), v2))
  }
})
