import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseEndpointSysctls } from './endpoint-sysctls.ts'

test('kernel parameters of an endpoint', () => {
  assert.deepEqual(parseEndpointSysctls('net.ipv4.conf.IFNAME.log_martians=1,net.ipv6.conf.ifname.accept_dad=0'), { 'net/ipv4/conf/IFNAME/log_martians': '1', 'net/ipv6/conf/IFNAME/accept_dad': '0' })
  for (const wrong of ['', 'net.ipv4.conf.eth0.log_martians=1', 'net.core.conf.IFNAME.x=1', 'net.ipv4.conf.IFNAME.../x=1', 'net.ipv4.conf.IFNAME.x', 'kernel.a.b.IFNAME.c=1']) {
    assert.throws(() => parseEndpointSysctls(wrong), { code: 'invalid-argument', message: /^unrecognised network interface sysctl / }, wrong)
  }
})
