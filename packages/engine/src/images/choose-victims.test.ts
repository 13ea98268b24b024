import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { bytesOf, chooseVictim, type BudgetedImage } from './choose-victims.ts'

const image = (id: string, usedAt: number, layers: Readonly<Record<string, number>>, needed = false): BudgetedImage => ({ id: `sha256:${id}`, usedAt, layers: new Map(Object.entries(layers)), needed })

/** Every image that goes, in order. */
function victims(images: readonly BudgetedImage[], max: number): string[] {
  const gone: string[] = []
  for (let left = images; ; ) {
    const victim = chooseVictim(left, max)
    if (victim === undefined) return gone
    gone.push(victim.id.slice('sha256:'.length))
    left = left.filter((one) => one !== victim)
  }
}

describe('what goes first of images that take more than they may', () => {
  it('is the longest unused, one after the other until the rest fits', () => {
    const images = [image('b', 20, { b: 100 }), image('a', 10, { a: 100 }), image('c', 30, { c: 100 })]
    assert.deepEqual([victims(images, 300), victims(images, 299), victims(images, 150), victims(images, 0)], [[], ['a'], ['a', 'b'], ['a', 'b', 'c']])
  })

  it('is never one that something needs, nor one that would free nothing', () => {
    const images = [image('used', 1, { base: 100, used: 5 }, true), image('same', 2, { base: 100 }), image('empty', 3, {}), image('own', 4, { base: 100, own: 5 })]
    assert.equal(bytesOf(images), 110)
    assert.deepEqual(victims(images, 0), ['own'])
  })

  it('counts shared layers once: two images that have them go both', () => {
    const images = [image('one', 1, { base: 100, one: 1 }), image('two', 2, { base: 100, two: 1 }), image('other', 3, { other: 50 })]
    assert.deepEqual(victims(images, 60), ['one', 'two'])
  })

  it('leaves what fits, or what is needed, whatever images there are', () => {
    // A layer has the same size wherever it is.
    const layers = fc.subarray([...'abcdefgh']).map((ids) => Object.fromEntries(ids.map((id) => [id, 10 * (id.charCodeAt(0) - 97)])))
    const images = fc.array(fc.record({ layers, usedAt: fc.nat(20), needed: fc.boolean() }), { maxLength: 12 }).map((all) => all.map((one, at) => image(String(at), one.usedAt, one.layers, one.needed)))
    fc.assert(fc.property(images, fc.nat(500), (all, max) => {
      const gone = new Set(victims(all, max).map((id) => `sha256:${id}`))
      const left = all.filter(({ id }) => !gone.has(id))
      assert.ok(all.every(({ id, needed }) => !(needed && gone.has(id))))
      const needed = bytesOf(all.filter((one) => one.needed))
      assert.ok(bytesOf(left) <= Math.max(max, needed), `${bytesOf(left)} bytes are left of ${max}`)
    }))
  })
})
