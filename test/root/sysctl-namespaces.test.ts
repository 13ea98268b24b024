import assert from 'node:assert/strict'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { describe, it } from 'node:test'
import { inNetworkNamespace, openNamespace } from '@engine/linux/setns'
import { readSysctl, writeSysctl } from '@engine/linux/sysctl'
import { inNewNetworkNamespace, primeThreads } from '@engine/linux/unshare'

/** What this process has open of file systems that are mounted nowhere: their roots are `/`. */
function detachedRoots(): number {
  const root = readlinkSync('/proc/self/root')
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === root
    } catch {
      return false
    }
  }).length
}

describe('kernel parameters of network namespaces', () => {
  it('are those of the namespace that the thread is in, beside 200 others, by one procfs at a time that is mounted nowhere', async () => {
    await primeThreads()
    const name = 'net/ipv4/ip_default_ttl'
    const own = readSysctl(name)
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    const namespaces = Array.from({ length: 200 }, (_, number) =>
      inNewNetworkNamespace(() => {
        writeSysctl(name, String(number + 1))
        return openNamespace('net')
      }),
    )
    try {
      for (const [number, { fd }] of namespaces.entries()) {
        assert.equal(inNetworkNamespace(fd, () => readSysctl(name)), String(number + 1))
        assert.equal(inNetworkNamespace(fd, () => readFileSync('/proc/sys/net/ipv4/ip_default_ttl', 'utf8').trim()), String(number + 1))
      }
      assert.equal(readSysctl(name), own)
      assert.ok(detachedRoots() <= 1, `${detachedRoots()} instances of procfs are open`)
      assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), mounts)
    } finally {
      for (const namespace of namespaces) namespace.close()
    }
  })
})
