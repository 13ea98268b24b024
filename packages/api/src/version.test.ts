import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { isAtLeast, refuseVersion, splitVersion } from './version.ts'
import { fieldChanges, shapeFor } from './version-changes.ts'

describe('versions', () => {
  it('are compared as numbers', () => {
    assert.ok(isAtLeast('1.51', '1.9'))
    assert.ok(isAtLeast('1.24', '1.24'))
    assert.ok(!isAtLeast('1.24', '1.25'))
    assert.ok(isAtLeast('2.0', '1.51'))
  })

  it('are taken off paths', () => {
    assert.deepEqual(splitVersion('/v1.44/containers/json?all=1'), { version: '1.44', path: '/containers/json?all=1' })
    assert.deepEqual(splitVersion('/version'), { version: undefined, path: '/version' })
    assert.deepEqual(splitVersion('/v1.44'), { version: undefined, path: '/v1.44' })
    assert.deepEqual(splitVersion('/volumes/v1.44/json'), { version: undefined, path: '/volumes/v1.44/json' })
  })

  it('outside the range are refused', () => {
    assert.equal(refuseVersion('1.24'), undefined)
    assert.equal(refuseVersion('1.51'), undefined)
    for (const version of ['1', '1.23', '0.9']) assert.match(refuseVersion(version) ?? '', /too old/, version)
    for (const version of ['1.52', '1.99', '2.0', '1.2.3']) assert.match(refuseVersion(version) ?? '', /too new/, version)
  })
})

describe('shapeFor', () => {
  it('leaves the newest as it is', () => {
    const answer = { a: 1 }
    assert.equal(shapeFor('1.51', 'SystemInfo', answer), answer)
  })

  it('takes away, adds, and never touches what it was given', () => {
    const info = Object.freeze({ ContainerdCommit: Object.freeze({ ID: 'a' }), InitCommit: Object.freeze({ ID: '' }), Warnings: [], Runtimes: { runc: { path: 'runc', status: {} } } })
    const old = shapeFor('1.38', 'SystemInfo', info)
    assert.deepEqual(old, {
      ContainerdCommit: { ID: 'a', Expected: 'a' }, InitCommit: { ID: '', Expected: undefined }, Warnings: [], Runtimes: { runc: { path: 'runc' } }, BridgeNfIptables: false, BridgeNfIp6tables: false, KernelMemory: false,
    })
    assert.deepEqual(shapeFor('1.49', 'SystemInfo', info), { ...info, BridgeNfIptables: false, BridgeNfIp6tables: false })
  })

  it('reaches into lists and maps', () => {
    const list = [{ ImageManifestDescriptor: {}, HostConfig: { Annotations: {} } }]
    assert.deepEqual(shapeFor('1.45', 'ContainerList', list), [{ HostConfig: {} }])
    assert.deepEqual(shapeFor('1.47', 'ContainerList', list), [{ HostConfig: { Annotations: {} } }])
  })

  it('has one direction for each field', () => {
    for (const change of fieldChanges) assert.notEqual(change.since === undefined, change.until === undefined, `${change.operation} ${change.path}`)
  })
})
