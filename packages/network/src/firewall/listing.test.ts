import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mentionsLink, parseForwardDrops, parseLinkNetworks, parseSetElements } from './listing.ts'

const metainfo = { metainfo: { version: '1.0.6', json_schema_version: 1 } }

describe('nftables listings', () => {
  it('give the elements of a set', () => {
    const set = { family: 'bridge', name: 'addresses', table: 'engine', elem: [{ concat: ['veth1', '02:42:ac:11:00:02', '172.17.0.2'] }] }
    assert.deepEqual(parseSetElements({ nftables: [metainfo, { set }] }), [['veth1', '02:42:ac:11:00:02', '172.17.0.2']])
    assert.deepEqual(parseSetElements({ nftables: [metainfo, { set: { ...set, elem: ['veth1', 'veth2'] } }] }), [['veth1'], ['veth2']])
    assert.deepEqual(parseSetElements({ nftables: [metainfo, { set: { ...set, elem: undefined } }] }), [])
    assert.deepEqual(parseSetElements(undefined), [])
  })

  it('give the networks that go with links', () => {
    const elem = [{ concat: ['br-1', { prefix: { addr: '172.18.0.0', len: 16 } }] }, { concat: ['br-1', '10.0.0.1'] }, { concat: ['br-2', { prefix: { addr: 'fd00::', len: 64 } }] }]
    assert.deepEqual(parseLinkNetworks({ nftables: [metainfo, { set: { family: 'inet', name: 'hairpins', table: 'engine', elem } }] }), [
      { link: 'br-1', network: { address: '172.18.0.0', prefix: 16 } },
      { link: 'br-1', network: { address: '10.0.0.1', prefix: 32 } },
      { link: 'br-2', network: { address: 'fd00::', prefix: 64 } },
    ])
    assert.deepEqual(parseLinkNetworks(undefined), [])
  })

  it('give the chains of others that drop', () => {
    const chain = { family: 'ip', table: 'filter', name: 'FORWARD', hook: 'forward', prio: 0, policy: 'drop' }
    const chains = [chain, { ...chain, table: 'engine' }, { ...chain, policy: 'accept' }, { ...chain, family: 'ip6' }, { ...chain, hook: 'input' }, { ...chain, hook: undefined }]
    assert.deepEqual(parseForwardDrops({ nftables: [metainfo, ...chains.map((one) => ({ chain: one }))] }, 'engine'), [{ family: 'ip', table: 'filter', chain: 'FORWARD' }])
  })

  it('tell whether a table knows a link', () => {
    const rule = { expr: [{ match: { op: '==', left: { meta: { key: 'iifname' } }, right: 'engine0' } }, { accept: null }] }
    assert.equal(mentionsLink({ nftables: [metainfo, { rule }] }, 'engine0'), true)
    assert.equal(mentionsLink({ nftables: [metainfo, { rule }] }, 'engine'), false)
    assert.equal(mentionsLink(undefined, 'engine0'), false)
  })
})
