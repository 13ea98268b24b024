import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { availableCapabilities, capabilitiesOf, capabilityMask, capabilityNames, capabilityNumber, capabilitySets, defaultCapabilities, resolveCapabilities } from './capabilities.ts'

const all: readonly string[] = capabilityNames
const resolve = (capAdd: readonly string[], capDrop: readonly string[] = [], held = all): string[] => resolveCapabilities({ capAdd, capDrop, privileged: false }, held)

describe('capabilities', () => {
  it('have the kernel\'s numbers', () => {
    assert.equal(capabilityNumber('CAP_SYS_ADMIN'), 21)
    assert.equal(capabilityNumber('CAP_CHECKPOINT_RESTORE'), 40)
    assert.throws(() => capabilityNumber('CAP_FOO'), { code: 'invalid-argument' })
    assert.deepEqual(capabilitiesOf(capabilityMask(all)), all)
  })

  it('are Docker\'s 14 by default', () => {
    assert.equal(capabilityMask(resolve([])).toString(16), 'a80425fb')
  })

  it('are added and dropped, by either form of name', () => {
    assert.deepEqual(resolve(['net_admin'], ['CAP_MKNOD', 'chown']).sort(), [...defaultCapabilities.filter((name) => name !== 'CAP_MKNOD' && name !== 'CAP_CHOWN'), 'CAP_NET_ADMIN'].sort())
    assert.deepEqual(resolve(['net_raw', 'CAP_CHOWN'], ['all']), ['CAP_NET_RAW', 'CAP_CHOWN'])
    assert.deepEqual(resolve(['ALL'], ['SYS_ADMIN']), all.filter((name) => name !== 'CAP_SYS_ADMIN'))
  })

  it('in both lists are added', () => {
    assert.ok(resolve(['CHOWN'], ['CHOWN']).includes('CAP_CHOWN'))
  })

  it('that Linux has not are refused in Docker\'s words', () => {
    assert.throws(() => resolve(['FOO']), { message: 'invalid CapAdd: unknown capability: "CAP_FOO"', code: 'invalid-argument' })
    assert.throws(() => resolve([], ['cap_foo']), { message: 'invalid CapDrop: unknown capability: "CAP_FOO"' })
    assert.throws(() => resolve(['CAP_ALL']), { message: 'invalid CapAdd: unknown capability: "CAP_ALL"' })
    assert.throws(() => resolveCapabilities({ capAdd: ['FOO'], capDrop: [], privileged: true }, all), /unknown capability/)
  })

  it('that this host cannot give are refused by name, and left out of ALL and privileged', () => {
    const held = all.filter((name) => name !== 'CAP_SYS_RESOURCE')
    const message = 'invalid CapAdd: capability not supported by your kernel or not available in the current environment: "CAP_SYS_RESOURCE"'
    assert.throws(() => resolve(['sys_resource'], [], held), { message })
    assert.deepEqual(resolve(['ALL'], [], held), held)
    assert.deepEqual(resolveCapabilities({ capAdd: [], capDrop: ['CHOWN'], privileged: true }, held), held)
    assert.deepEqual(resolve([], [], ['CAP_CHOWN']), ['CAP_CHOWN'])
  })

  it('are never inheritable or ambient', () => {
    const sets = capabilitySets(defaultCapabilities)
    assert.deepEqual([sets.inheritable, sets.ambient], [[], []])
    assert.equal(sets.bounding, sets.permitted)
  })

  it('of this process are known by name', () => {
    for (const name of availableCapabilities()) assert.ok(all.includes(name))
  })
})
