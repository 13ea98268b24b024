import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { createCgroup, defaultDeviceRules, joinTargets, privilegedDeviceRules, removeCgroup, updateCgroup } from '@engine/runtime'
// Not public: v2 must be forced on a host where v1 has the devices.
import { CgroupLayout, useLayout } from '../../packages/runtime/src/cgroup/hierarchy.ts'

const mountpoint = /^\S+ \S+ \S+ \/ (\S+) .* - cgroup2 /m.exec(readFileSync('/proc/self/mountinfo', 'utf8'))?.[1]
const path = `/engine-test-bpf-${process.pid}`

/** Whether a program in the cgroup may open a file. */
function opens(file: string): boolean {
  const script = 'for target in "$@"; do echo 0 > "$target"; done; if { true < "$FILE"; } 2>/dev/null; then echo yes; else echo no; fi'
  return execFileSync('/bin/sh', ['-c', script, 'sh', ...joinTargets(path)], { env: { ...process.env, FILE: file }, encoding: 'utf8' }).trim() === 'yes'
}

describe('device rules of v2', { skip: mountpoint === undefined && 'no v2 hierarchy is mounted' }, () => {
  let layout: Disposable
  before(() => {
    layout = useLayout(new CgroupLayout([{ version: 2, mountpoint: mountpoint ?? '', controllers: [] }]))
    assert.deepEqual(createCgroup(path, { devices: defaultDeviceRules }), [])
  })
  after(async () => {
    await removeCgroup(path)
    layout[Symbol.dispose]()
  })

  it('open what is in the list and nothing else', () => {
    assert.equal(opens('/dev/null'), true)
    assert.equal(opens('/dev/urandom'), true)
    assert.equal(opens('/dev/kmsg'), false)
  })

  it('are replaced while the cgroup is in use, not added to', () => {
    updateCgroup(path, { devices: privilegedDeviceRules })
    assert.equal(opens('/dev/kmsg'), true)
    updateCgroup(path, { devices: defaultDeviceRules })
    assert.equal(opens('/dev/kmsg'), false)
    updateCgroup(path, { devices: [...defaultDeviceRules, { allow: true, type: 'c', major: 1, minor: 11, access: 'rw' }] })
    assert.equal(opens('/dev/kmsg'), true)
  })
})
