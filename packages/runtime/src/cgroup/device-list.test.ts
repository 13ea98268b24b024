import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { defaultDeviceRules } from '../default-devices.ts'
import type { OciDeviceRule } from '../spec.ts'
import { deviceList, parseDeviceList, shownException, type DeviceList } from './device-list.ts'
import { deviceProgram } from './device-program.ts'

interface Request {
  readonly type: 'b' | 'c'
  readonly major: number
  readonly minor: number
  readonly access: string
}

/** What the list means, told in another way than the program. */
function allowed({ allow, exceptions }: DeviceList, { type, major, minor, access }: Request): boolean {
  const matching = exceptions.filter((exception) => exception.type === type && (exception.major ?? major) === major && (exception.minor ?? minor) === minor)
  if (allow) return !matching.some((exception) => [...access].some((letter) => exception.access.includes(letter)))
  return matching.some((exception) => [...access].every((letter) => exception.access.includes(letter)))
}

/** Interprets the few eBPF instructions that the assembler knows. */
function run(program: Buffer, { type, major, minor, access }: Request): boolean {
  const bits = [...access].reduce((sum, letter) => sum | { m: 1, r: 2, w: 4 }[letter as 'm'], 0)
  const context = Buffer.alloc(12)
  context.writeUInt32LE((type === 'b' ? 1 : 2) | (bits << 16), 0)
  context.writeUInt32LE(major, 4)
  context.writeUInt32LE(minor, 8)
  const registers = Array.from({ length: 11 }, () => 0)
  for (let at = 0; at < program.length / 8; at++) {
    const operation = program.readUInt8(at * 8)
    const to = program.readUInt8(at * 8 + 1) & 15
    const from = program.readUInt8(at * 8 + 1) >> 4
    const offset = program.readInt16LE(at * 8 + 2)
    const value = program.readUInt32LE(at * 8 + 4)
    const held = registers[to] ?? 0
    if (operation === 0x61) registers[to] = context.readUInt32LE(offset)
    else if (operation === 0x54) registers[to] = (held & value) >>> 0
    else if (operation === 0x74) registers[to] = held >>> value
    else if (operation === 0xb4) registers[to] = value
    else if (operation === 0xbc) registers[to] = registers[from] ?? 0
    else if (operation === 0x16) at += held === value ? offset : 0
    else if (operation === 0x56) at += held === value ? 0 : offset
    else if (operation === 0x95) return registers[0] === 1
    else assert.fail(`unknown instruction ${operation.toString(16)}`)
  }
  return assert.fail('no exit')
}

const access = fc.subarray(['r', 'w', 'm'], { minLength: 1 }).map((letters) => letters.join(''))
const small = fc.integer({ min: 0, max: 3 })
const rule: fc.Arbitrary<OciDeviceRule> = fc.record(
  { allow: fc.boolean(), type: fc.constantFrom('a' as const, 'b' as const, 'c' as const), major: fc.integer({ min: -1, max: 3 }), minor: fc.integer({ min: -1, max: 3 }), access },
  { requiredKeys: ['allow', 'access'] },
)
const request: fc.Arbitrary<Request> = fc.record({ type: fc.constantFrom('b' as const, 'c' as const), major: small, minor: small, access })

describe('device rules', () => {
  it('become v1\'s list', () => {
    const list = deviceList(defaultDeviceRules)
    assert.equal(list.allow, false)
    assert.deepEqual(list.exceptions.map(shownException), ['c *:* m', 'b *:* m', 'c 1:3 rwm', 'c 1:5 rwm', 'c 1:7 rwm', 'c 1:8 rwm', 'c 1:9 rwm', 'c 5:0 rwm', 'c 5:1 rwm', 'c 5:2 rwm', 'c 136:* rwm', 'c 10:200 rwm'])
  })

  it('work later rules off against earlier ones', () => {
    const list = deviceList([
      { allow: false, access: 'rwm' },
      { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
      { allow: false, type: 'c', major: 1, minor: 3, access: 'w' },
      { allow: true, type: 'b', major: -1, access: 'r' },
    ])
    assert.deepEqual(list.exceptions.map(shownException), ['c 1:3 rm', 'b *:* r'])
  })

  it('survive being written and read', () => {
    const list = deviceList(defaultDeviceRules)
    assert.deepEqual(parseDeviceList(list.exceptions.map(shownException).join('\n')), list)
    assert.deepEqual(parseDeviceList('a *:* rwm'), { allow: true, exceptions: [] })
  })

  it('mean the same as a program', () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 8 }), request, (rules, asked) => {
        const list = deviceList(rules)
        assert.equal(run(deviceProgram(list), asked), allowed(list, asked))
      }),
      { numRuns: 2000 },
    )
  })

  it('leave a container its terminal and nothing of the disk', () => {
    const program = deviceProgram(deviceList(defaultDeviceRules))
    assert.equal(run(program, { type: 'c', major: 136, minor: 5, access: 'rw' }), true)
    assert.equal(run(program, { type: 'b', major: 8, minor: 0, access: 'm' }), true)
    assert.equal(run(program, { type: 'b', major: 8, minor: 0, access: 'r' }), false)
    assert.equal(run(program, { type: 'c', major: 1, minor: 1, access: 'rw' }), false)
  })
})
