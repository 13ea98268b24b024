import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { findDrop, type Packet } from './evaluate.ts'

const chain = (name: string, more: object = {}): object => ({ chain: { family: 'inet', table: 'f', name, handle: 1, ...more } })
const base = (policy: string): object => chain('input', { type: 'filter', hook: 'input', prio: 0, policy })
const rule = (handle: number, in_: string, ...expr: object[]): object => ({ rule: { family: 'inet', table: 'f', chain: in_, handle, expr } })
const match = (left: object, right: unknown, op = '=='): object => ({ match: { op, left, right } })
const dport = { payload: { protocol: 'tcp', field: 'dport' } }
const source = { payload: { protocol: 'ip', field: 'saddr' } }
const packet: Packet = { iifname: 'eth0', oifname: '', saddr: undefined, daddr: '192.0.2.1', protocol: 'tcp', dport: 8080, translated: false }
const find = (...entries: object[]): ReturnType<typeof findDrop> => findDrop({ nftables: entries }, ['ip', 'inet'], 'input', packet)
const place = { family: 'inet', table: 'f' }

describe('what rules would do with a packet', () => {
  it('is the policy where no rule knows it', () => {
    assert.equal(find(base('accept')), undefined)
    assert.deepEqual(find(base('drop')), { ...place, chain: 'input', handle: undefined })
    assert.deepEqual(find(base('drop'), rule(2, 'input', match({ ct: { key: 'state' } }, ['established', 'related'], 'in'), { accept: null })), { ...place, chain: 'input', handle: undefined })
  })

  it('is what the first rule says that matches', () => {
    for (const right of [8080, { set: [22, 8080] }, { set: [{ range: [8000, 8100] }] }, { range: [1, 9000] }]) {
      assert.equal(find(base('drop'), rule(2, 'input', match(dport, right), { counter: {} }, { accept: null })), undefined)
    }
    assert.deepEqual(find(base('accept'), rule(2, 'input', match(dport, 22), { accept: null }), rule(3, 'input', match(dport, 22, '!='), { reject: {} })), { ...place, chain: 'input', handle: 3 })
    assert.deepEqual(find(base('accept'), rule(4, 'input', match({ meta: { key: 'iifname' } }, 'eth*'), { drop: null })), { ...place, chain: 'input', handle: 4 })
  })

  it('follows jumps, returns and maps', () => {
    const jump = rule(2, 'input', { jump: { target: 'web' } })
    assert.deepEqual(find(base('accept'), chain('web'), jump, rule(3, 'web', match(dport, 8080), { drop: null })), { ...place, chain: 'web', handle: 3 })
    assert.deepEqual(find(base('accept'), chain('web'), jump, rule(3, 'web', { return: null }), rule(4, 'web', { drop: null }), rule(5, 'input', { drop: null })), { ...place, chain: 'input', handle: 5 })
    const map = { map: { family: 'inet', table: 'f', name: 'links', elem: [['eth0', { goto: { target: 'web' } }]] } }
    assert.deepEqual(find(base('accept'), chain('web'), map, rule(2, 'input', { vmap: { key: { meta: { key: 'iifname' } }, data: '@links' } }), rule(3, 'web', { drop: null })), { ...place, chain: 'web', handle: 3 })
  })

  it('takes nothing for granted that it cannot tell', () => {
    assert.deepEqual(find(base('drop'), rule(2, 'input', match(source, { prefix: { addr: '10.0.0.0', len: 8 } }), { accept: null })), { ...place, chain: 'input', handle: undefined })
    assert.equal(find(base('accept'), rule(2, 'input', match(source, '10.0.0.1'), { drop: null })), undefined)
    assert.equal(find(base('accept'), rule(2, 'input', { xt: null }, { drop: null })), undefined)
    const perhaps = rule(3, 'web', { xt: null }, { return: null })
    const drop = rule(4, 'web', { drop: null })
    assert.equal(find(base('accept'), chain('web'), rule(2, 'input', { jump: { target: 'web' } }), perhaps, drop), undefined)
    assert.deepEqual(find(base('drop'), chain('web'), rule(2, 'input', { jump: { target: 'web' } }), perhaps, drop), { ...place, chain: 'input', handle: undefined })
    assert.equal(find(base('accept'), chain('loop'), rule(2, 'input', { jump: { target: 'loop' } }), rule(3, 'loop', { jump: { target: 'loop' } })), undefined)
  })
})
