import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeccompFilter } from './libseccomp.ts'

test('a filter is released once and not used afterwards', () => {
  const filter = new SeccompFilter(0x7fff0000)
  assert.ok(filter.addRule(0x00050001, 'mkdir', []))
  assert.ok(filter.exportBpf().length > 0)
  filter[Symbol.dispose]()
  filter[Symbol.dispose]()
  for (const use of [() => filter.exportBpf(), () => filter.addRule(0, 'mkdir', []), () => filter.setArchitectures([0x40000003])]) {
    assert.throws(use, { code: 'internal', message: 'this seccomp filter has been released' })
  }
})

test('a default action that the kernel does not have is an error', () => {
  assert.throws(() => new SeccompFilter(0x12345678), { code: 'internal', message: 'seccomp_init failed' })
})
