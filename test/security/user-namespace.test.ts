import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chownSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { capabilityNames } from '@engine/runtime'
import { TestBirths } from '../harness/birth.ts'
import { remapped } from '../harness/spec-changes.ts'

let births: TestBirths

before(() => {
  births = new TestBirths()
  execFileSync('chown', ['-R', '100000:200000', births.root])
})
after(() => births[Symbol.asyncDispose]())

describe('the host is out of reach', () => {
  it('of a root that has every capability', async () => {
    const host = mkdtempSync(join(tmpdir(), 'engine-userns-'))
    try {
      mkdirSync(join(host, 'closed'), { mode: 0o700 })
      writeFileSync(join(host, 'secret'), 'secret', { mode: 0o600 })
      writeFileSync(join(host, 'open'), 'open', { mode: 0o644 })
      const bounding = [...capabilityNames]
      const script = [
        'cat /host/secret', 'ls /host/closed', 'echo x > /host/open', 'chown 0 /host/open', 'mknod /tmp/null c 1 3', 'mknod /tmp/disk b 254 0', 'mount -t tmpfs none /tmp && mknod /tmp/null c 1 3',
        'mkdir /m; mount -t ext4 /dev/disk /m', 'echo 1 > /proc/sys/kernel/panic', 'dmesg -c', 'echo x > /proc/sys/kernel/core_pattern', 'hostname changed; hostname', 'chroot /host /bin/true',
      ].map((command) => `(${command}) >/out 2>&1; echo "${command.replaceAll('"', '')}: $? $(head -1 /out)"`).join('\n')
      const { output } = await births.shell(script, (spec) =>
        remapped({
          ...spec,
          process: { ...spec.process, capabilities: { bounding, effective: bounding, permitted: bounding, inheritable: [], ambient: [] } },
          mounts: [...spec.mounts, { destination: '/host', type: 'bind', source: host, options: ['rbind'] }],
          linux: { ...spec.linux, maskedPaths: [], readonlyPaths: [], devices: [{ path: '/dev/disk', type: 'b', major: 7, minor: 0, fileMode: 0o666 }], resources: { devices: [{ allow: true, type: 'a', access: 'rwm' }] } },
        }))
      const line = (start: string): string => output.split('\n').find((text) => text.startsWith(start)) ?? output
      assert.match(line('cat /host/secret'), /: 1 .*[Pp]ermission denied/)
      assert.match(line('ls /host/closed'), /: 1 .*[Pp]ermission denied/)
      assert.match(line('echo x > /host/open'), /: 1 .*[Pp]ermission denied/)
      assert.match(line('chown 0 /host/open'), /: 1 .*(not permitted|denied)/)
      assert.match(line('mknod /tmp/null'), /: 1 .*not permitted/)
      assert.match(line('mknod /tmp/disk'), /: 1 .*not permitted/)
      assert.match(line('mount -t tmpfs'), /: 1 .*not permitted/)
      assert.match(line('mkdir /m; mount'), /: [1-9]\d* .*(denied|not permitted)/)
      assert.match(line('echo 1 > /proc/sys/kernel/panic'), /: 1 .*(denied|[Rr]ead-only)/)
      assert.match(line('dmesg -c'), /: 1 .*not permitted/)
      assert.match(line('echo x > /proc/sys/kernel/core_pattern'), /: 1 .*(denied|[Rr]ead-only)/)
      assert.match(line('hostname changed'), /: 0 changed/)
      assert.equal(readFileSync(join(host, 'secret'), 'utf8') + readFileSync(join(host, 'open'), 'utf8'), 'secretopen')
      assert.notEqual(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'), 'x\n')
    } finally {
      rmSync(host, { recursive: true, force: true })
    }
  })

  it('by a setuid file that it leaves in a directory of the host', async () => {
    const host = mkdtempSync(join(tmpdir(), 'engine-userns-'))
    try {
      chownSync(host, 100_000, 200_000)
      await births.shell('cp /bin/busybox /host/root && chmod 6755 /host/root', (spec) => remapped({ ...spec, mounts: [...spec.mounts, { destination: '/host', type: 'bind', source: host, options: ['rbind'] }] }))
      const left = lstatSync(join(host, 'root'))
      assert.deepEqual([left.uid, left.gid, left.mode & 0o7777], [100_000, 200_000, 0o6755])
    } finally {
      rmSync(host, { recursive: true, force: true })
    }
  })
})
