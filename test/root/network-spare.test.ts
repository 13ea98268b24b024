import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { setTracer, type SyscallRecord } from '@engine/linux'
import { createSandbox, listSandboxes, removeSandbox, SpareNamespace } from '@engine/network'
import { inSandbox, namespacesOfThreads } from '../harness/network-host.ts'

let directory = ''

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'engine-spare-'))
})

after(() => {
  for (const name of listSandboxes(directory)) removeSandbox(join(directory, name))
  rmSync(directory, { recursive: true })
})

/** Network namespaces other than its own that this process has open. */
function openNamespaces(): string[] {
  const home = readlinkSync('/proc/self/ns/net')
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`)
      return target.startsWith('net:') && target !== home ? [target] : []
    } catch {
      // The directory's own descriptor.
      return []
    }
  })
}

async function prepared(spare: SpareNamespace): Promise<string> {
  spare.prepare()
  for (;;) {
    const [namespace] = openNamespaces()
    if (namespace !== undefined) return namespace
    await sleep(1)
  }
}

describe('a spare network namespace', () => {
  it('is made when there is time, and becomes a sandbox like any other', async () => {
    using spare = new SpareNamespace()
    const namespace = await prepared(spare)
    assert.deepEqual([...namespacesOfThreads()], [readlinkSync('/proc/self/ns/net')])
    const path = join(directory, 'taken')
    await createSandbox(path, { spare })
    assert.deepEqual(openNamespaces(), [])
    assert.equal(`net:[${statSync(path).ino}]`, namespace)
    assert.match(inSandbox(path, 'ip -brief address'), /^lo +UNKNOWN +127\.0\.0\.1\/8 ::1\/128 *\n$/)
    assert.equal(inSandbox(path, 'ip route; ip -6 route'), '')
    removeSandbox(path)
  })

  it('is for one sandbox: the next makes its own', async () => {
    using spare = new SpareNamespace()
    await prepared(spare)
    spare.prepare()
    const paths = [join(directory, 'first'), join(directory, 'second')]
    for (const path of paths) await createSandbox(path, { spare })
    assert.equal(new Set(paths.map((path) => statSync(path).ino)).size, 2)
    for (const path of paths) removeSandbox(path)
  })

  it('stands in the ledger of who takes it, as made before', async () => {
    using spare = new SpareNamespace()
    const records: SyscallRecord[] = []
    setTracer((record) => records.push(record))
    try {
      await prepared(spare)
      assert.equal(records.length, 0)
      await createSandbox(join(directory, 'traced'), { spare })
    } finally {
      setTracer(undefined)
    }
    const unshared = records.findIndex(({ call }) => call === 'unshare')
    assert.deepEqual(records[unshared]?.args, { flags: 'CLONE_NEWNET', beforehand: true })
    const mounted = records.findIndex(({ call }) => call === 'mount')
    assert.ok(mounted > unshared && records[mounted]?.args['beforehand'] === undefined, JSON.stringify(records))
    removeSandbox(join(directory, 'traced'))
  })

  it('is let go when nobody wants it soon, and with its maker', async () => {
    using spare = new SpareNamespace()
    await prepared(spare)
    // A second: it has the host's settings of when it was made.
    while (openNamespaces().length > 0) await sleep(20)
    assert.equal(spare.take(), undefined)
    const other = new SpareNamespace()
    await prepared(other)
    other[Symbol.dispose]()
    assert.deepEqual(openNamespaces(), [])
    other.prepare()
    await sleep(10)
    assert.deepEqual(openNamespaces(), [])
  })
})
