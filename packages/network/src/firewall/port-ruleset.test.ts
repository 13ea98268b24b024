import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { PublishedPort } from '../ports/published-port.ts'
import { writePorts, writePortsRemoval } from './port-ruleset.ts'

const port = (hostAddress: string, hostPort: number, containerPort = hostPort, target = '172.17.0.2'): PublishedPort => ({ protocol: 'tcp', hostAddress, hostPort, containerPort, target })

describe('published ports in the rules', () => {
  it('are one element for a range that keeps its numbers', () => {
    const range = Array.from({ length: 10_000 }, (_, i) => port('0.0.0.0', 20_000 + i)).toReversed()
    assert.equal(writePorts('t', range), 'add element inet t ranges4 { 0.0.0.0/0 . tcp . 20000-29999 : 172.17.0.2 }\n')
    assert.equal(writePorts('t', [port('127.0.0.1', 80), port('127.0.0.1', 81)]), 'add element inet t ranges4 { 127.0.0.1 . tcp . 80-81 : 172.17.0.2 }\n')
  })

  it('are one transaction for a range that does not', () => {
    assert.equal(writePorts('t', [port('0.0.0.0', 80, 8080), port('0.0.0.0', 81, 8081)]), 'add element inet t any4 { tcp . 80 : 172.17.0.2 . 8080, tcp . 81 : 172.17.0.2 . 8081 }\n')
  })

  it('go to the relay from IPv6 to a container without it, and from ::1 always', () => {
    assert.equal(writePorts('t', [port('::', 80, 8080)]), 'add element inet t relayed { 80 }\n')
    assert.equal(writePorts('t', [port('2001:db8::1', 80)]), 'add element inet t relayed-at { 2001:db8::1 . 80 }\n')
    assert.equal(writePorts('t', [port('::1', 80), port('::1', 81, 9)]), 'add element inet t relayed-loopback-ranges { 80-81 }\n')
    assert.equal(writePorts('t', [port('::', 80, 8080, 'fd00::2')]), 'add element inet t any6 { tcp . 80 : fd00::2 . 8080 }\nadd element inet t relayed-loopback { 80 }\n')
    assert.equal(writePorts('t', [port('2001:db8::1', 80, 8080, 'fd00::2')]), 'add element inet t at6 { 2001:db8::1 . tcp . 80 : fd00::2 . 8080 }\n')
  })

  it('are removed by the elements that they were added by', () => {
    const ports = [port('0.0.0.0', 80), port('0.0.0.0', 81), port('::', 80), port('192.0.2.1', 9, 10)]
    const removed = writePortsRemoval('t', ports).split('\n').filter((line) => line.startsWith('delete')).map((line) => line.replace(/^delete/, 'add'))
    assert.equal(`${removed.join('\n')}\n`, writePorts('t', ports))
  })

  it('are no way to write anything else', () => {
    assert.throws(() => writePorts('t', [port('0.0.0.0', 80, 80, '172.17.0.2 }; flush ruleset')]), { code: 'invalid-argument' })
    assert.throws(() => writePorts('t', [port('0.0.0.0 }', 80)]), { code: 'invalid-argument' })
    assert.throws(() => writePorts('t', [port('0.0.0.0', 70_000, 1)]), { code: 'invalid-argument' })
  })
})
