import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { OciNamespace } from './spec.ts'
import { checkSysctls, normalizeSysctl, sysctlFile } from './sysctl.ts'

const own: readonly OciNamespace[] = [{ type: 'network' }, { type: 'ipc' }, { type: 'uts' }]

describe('sysctls', () => {
  for (const [name, value] of [
    ['net.ipv4.ip_forward', '1'],
    ['net.ipv4.ping_group_range', '0 2147483647'],
    ['net/ipv4/conf/eth0.1/rp_filter', '0'],
    ['net.ipv4.conf.eth0/1.rp_filter', '0'],
    ['kernel.shmmax', '68719476736'],
    ['kernel.sem', '250\t32000 100 128'],
    ['fs.mqueue.msg_max', '20'],
    ['kernel.domainname', 'example.org'],
  ] as const) {
    it(`lets ${name} pass`, () => checkSysctls({ [name]: value }, own))
  }

  for (const [name, value, message] of [
    ['kernel.core_pattern', '|/x', 'sysctl "kernel.core_pattern" is not in a separate kernel namespace'],
    ['foo', '1', 'sysctl "foo" is not in a separate kernel namespace'],
    ['net+x', '1', 'sysctl "net+x" is not in a separate kernel namespace'],
    ['kernel.shm_rmid_forced', '1+kernel.core_pattern=|/x', 'sysctl "kernel.shm_rmid_forced" has an invalid value "1+kernel.core_pattern=|/x"'],
    ['net.ipv4.ip_forward', '1\n2', 'sysctl "net.ipv4.ip_forward" has an invalid value "1\\n2"'],
    ['net.ipv4.ip_forward', '1\0', 'sysctl "net.ipv4.ip_forward" has an invalid value "1\\u0000"'],
    ['kernel.hostname', 'x', 'sysctl "kernel.hostname" is not allowed as it conflicts with the OCI "hostname" field'],
    ['net.../../kernel.core_pattern', '1', 'sysctl "net.../../kernel.core_pattern" is not in a separate kernel namespace'],
    ['net/../kernel/core_pattern', '1', 'sysctl "net/../kernel/core_pattern" is not in a separate kernel namespace'],
    ['fs.mqueue./../x', '1', 'sysctl "fs.mqueue./../x" is not in a separate kernel namespace'],
  ] as const) {
    it(`refuses ${name} with ${JSON.stringify(value)}`, () => {
      assert.throws(() => checkSysctls({ [name]: value }, own), { message, code: 'invalid-argument' })
    })
  }

  it('of a namespace that is the host\'s are refused', () => {
    assert.throws(() => checkSysctls({ 'net.ipv4.ip_forward': '1' }, [{ type: 'ipc' }]), { message: 'sysctl "net.ipv4.ip_forward" not allowed in host network namespace' })
    assert.throws(() => checkSysctls({ 'kernel.msgmax': '1' }, [{ type: 'network' }]), { message: 'sysctl "kernel.msgmax" is not allowed in the hosts ipc namespace' })
    assert.throws(() => checkSysctls({ 'kernel.domainname': 'x' }, []), { message: 'sysctl "kernel.domainname" is not allowed in the hosts UTS namespace' })
  })

  it('have dots between their parts, and files with slashes', () => {
    assert.equal(normalizeSysctl('net/ipv4/conf/eth0.1/x'), 'net.ipv4.conf.eth0/1.x')
    assert.equal(sysctlFile('net.ipv4.conf.eth0/1.x'), 'net/ipv4/conf/eth0.1/x')
    assert.equal(sysctlFile('kernel.sem'), 'kernel/sem')
  })
})
