import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { appArmorProfileOf, type AppArmorHost } from './apparmor.ts'

const host: AppArmorHost = { enabled: () => true, hasDefault: () => true }

describe('a container’s AppArmor profile', () => {
  it('is the one that is named, the default one, or none', () => {
    assert.equal(appArmorProfileOf({ apparmor: undefined }, { Privileged: false }, host), 'docker-default')
    assert.equal(appArmorProfileOf({ apparmor: undefined }, { Privileged: true }, host), 'unconfined')
    assert.equal(appArmorProfileOf({ apparmor: 'mine' }, { Privileged: true }, host), 'mine')
    assert.equal(appArmorProfileOf({ apparmor: 'unconfined' }, { Privileged: false }, host), 'unconfined')
  })

  it('is none when the default one is not loaded, and nothing on a host without AppArmor', () => {
    assert.equal(appArmorProfileOf({ apparmor: undefined }, { Privileged: false }, { ...host, hasDefault: () => false }), 'unconfined')
    assert.equal(appArmorProfileOf({ apparmor: 'mine' }, { Privileged: false }, { ...host, hasDefault: () => false }), 'mine')
    assert.equal(appArmorProfileOf({ apparmor: 'mine' }, { Privileged: false }, { ...host, enabled: () => false }), undefined)
  })
})
