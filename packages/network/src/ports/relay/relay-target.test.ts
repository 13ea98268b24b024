import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { RelayedPort } from './messages.ts'
import { relayTarget } from './relay-target.ts'

const port = (hostAddress: string, hostPort: number, target: string, last = hostPort): RelayedPort => ({ protocol: 'tcp', hostAddress, hostPort, last, containerPort: last > hostPort ? hostPort : 80, target })

it('finds the container of a relayed connection, and none for what has no business there', () => {
  const all = [[port('::', 8080, '172.17.0.2'), port('2001:db8::1', 9000, '172.17.0.3')], [port('::', 7000, 'fd00::2', 7010), port('::1', 81, 'fd00::3')]]
  assert.deepEqual(relayTarget(all, { address: '2001:db8::1', port: 8080 }), { address: '172.17.0.2', port: 80 })
  assert.deepEqual(relayTarget(all, { address: '2001:db8::1', port: 9000 }), { address: '172.17.0.3', port: 80 })
  assert.equal(relayTarget(all, { address: '2001:db8::2', port: 9000 }), undefined)
  assert.deepEqual(relayTarget(all, { address: '::1', port: 7005 }), { address: 'fd00::2', port: 7005 })
  // The kernel leads there itself what comes from elsewhere.
  assert.equal(relayTarget(all, { address: '2001:db8::1', port: 7005 }), undefined)
  assert.equal(relayTarget(all, { address: '::1', port: 7011 }), undefined)
  assert.deepEqual(relayTarget(all, { address: '::1', port: 81 }), { address: 'fd00::3', port: 80 })
})
