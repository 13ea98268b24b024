import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createProcess, type OciMount, type OciSpec } from '@engine/runtime'
import { born, ended, TestBirths, type Change } from '../harness/birth.ts'

/*
 * A container's image and its volumes decide what lies at the paths that the runtime mounts on, makes, masks and writes to.
 * Each test prepares a root that leads such a path to the host, and looks whether the host stays as it was.
 */

let births: TestBirths
/** A directory of the host that stands for all of it. */
let outside = ''

before(() => {
  births = new TestBirths()
  outside = join(births.directory, 'outside')
  mkdirSync(outside)
  writeFileSync(join(outside, 'file'), 'of the host')
})
after(() => births[Symbol.asyncDispose]())

const untouched = (): void => {
  assert.deepEqual(readdirSync(outside), ['file'])
  assert.equal(readFileSync(join(outside, 'file'), 'utf8'), 'of the host')
  assert.equal(statSync(outside).uid, 0)
}
const bind = (source: string, destination: string, ...options: readonly string[]): OciMount => ({ type: 'bind', source, destination, options: ['rbind', 'rprivate', ...options] })

/** A copy of the root for one test to spoil. */
function evilRoot(name: string, spoil: (root: string) => void): Change<OciSpec> {
  const path = join(births.directory, name)
  cpSync(births.root, path, { recursive: true, verbatimSymlinks: true })
  spoil(path)
  return (spec) => ({ ...spec, root: { path } })
}
const mounting = (...mounts: readonly OciMount[]): Change<OciSpec> => (spec) => ({ ...spec, mounts: [...spec.mounts, ...mounts] })

describe('CVE-2024-45310: paths that are made for a mount', () => {
  it('end inside the root, whatever links lead there', async () => {
    const change = evilRoot('links', (root) => {
      symlinkSync(outside, join(root, 'absolute'))
      symlinkSync('../../../../../../..', join(root, 'up'))
      symlinkSync(`/proc/self/root${outside}`, join(root, 'magic'))
    })
    for (const destination of ['/absolute/new', '/absolute/a/b/c', `/up${outside}/new`, '/magic/new']) {
      for (const mount of [bind('/etc', destination), bind('/etc/hostname', destination), { type: 'tmpfs', source: 'tmpfs', destination, options: [] }]) {
        await births.shell('true', (spec) => mounting(mount)(change(spec)))
        untouched()
      }
    }
    // A working directory and a device's are made as well.
    await births.shell('true', (spec) => change({ ...spec, process: { ...spec.process, cwd: '/absolute/cwd' } }))
    await births.shell('true', (spec) => change({ ...spec, linux: { ...spec.linux, devices: [{ path: '/absolute/device', type: 'c', major: 1, minor: 3, uid: 1000 }] } }))
    untouched()
  })

  it('do not take the .. that a text hides', async () => {
    await assert.rejects(births.run(mounting(bind('/etc', `/../..${outside}/new`))), { code: 'invalid-argument' })
    untouched()
  })
})

describe('CVE-2021-30465: a target that changes while it is mounted on', () => {
  let swapper: ChildProcess | undefined
  after(() => void swapper?.kill('SIGKILL'))

  it('is never outside of the root', async () => {
    const volume = join(births.directory, 'volume')
    mkdirSync(join(volume, 'target'), { recursive: true })
    symlinkSync(outside, join(volume, 'link'))
    // Another container of the same volume would do this: exchange directory and link without a pause.
    swapper = spawn(process.execPath, ['--input-type=module-typescript', '-e', `
      import { openRoot } from '@engine/linux/paths'
      import { renameat } from '@engine/linux/file-at'
      const directory = openRoot(process.argv[1])
      for (;;) renameat(directory.fd, 'target', directory.fd, 'link', 'exchange')
    `, volume], { cwd: import.meta.dirname, stdio: ['ignore', 'ignore', 'inherit'] })
    const outcomes = { mounted: 0, refused: 0 }
    for (const end = Date.now() + 2500; Date.now() < end; ) {
      const { output, failure } = await births.shell('cat /proc/self/mountinfo; ls -R /vol 2>&1', mounting(bind(volume, '/vol'), bind('/etc/hostname', '/vol/target/file'), bind('/etc', '/vol/target/made/directory')))
      if (failure === '') outcomes.mounted++
      else outcomes.refused++
      untouched()
      assert.ok(!output.includes(' /outside'), output)
    }
    assert.ok(outcomes.mounted > 0, JSON.stringify(outcomes))
  })
})

describe('CVE-2019-16884, CVE-2023-27561, CVE-2023-28642: /proc and /sys', () => {
  it('are not mounted on, by name or through a link', async () => {
    const change = evilRoot('proc-links', (root) => {
      symlinkSync('/proc', join(root, 'innocent'))
      symlinkSync('proc/self/attr', join(root, 'relative'))
    })
    for (const destination of ['/proc/self/attr', '/proc/sys/kernel', '/innocent/sys', '/relative', '/proc/1']) {
      const { failure } = await births.shell('true', (spec) => mounting(bind(outside, destination))(change(spec)))
      assert.match(failure, /cannot be mounted because it is inside \/proc|no such file|not a directory/, destination)
    }
  })

  it('are not replaced by a volume', async () => {
    const replaced = (...mounts: readonly OciMount[]): Change<OciSpec> => (spec) => ({ ...spec, mounts: [...mounts, ...spec.mounts.filter(({ destination }) => destination !== '/proc')] })
    await assert.rejects(births.run(replaced(bind(outside, '/proc'))), /cannot be mounted because it is not of type proc/)
    await assert.rejects(births.run(replaced({ type: 'tmpfs', source: 'tmpfs', destination: '/proc', options: [] })), /not of type proc/)
    // The host's own procfs, as `-v /proc:/proc` has it, is what it says.
    const { failure } = await births.shell('true', (spec) => ({ ...replaced(bind('/proc', '/proc'))(spec), linux: { ...spec.linux, maskedPaths: [], readonlyPaths: [] } }))
    assert.equal(failure, '')
  })

  it('are not links of the image', async () => {
    for (const name of ['proc', 'sys']) {
      const change = evilRoot(`${name}-is-link`, (root) => {
        rmSync(join(root, name), { recursive: true })
        mkdirSync(join(root, 'elsewhere'))
        symlinkSync('/elsewhere', join(root, name))
      })
      const { failure } = await births.shell('true', change)
      assert.match(failure, /too many levels of symbolic links/, name)
    }
  })
})

describe('CVE-2025-52881: writes to procfs', () => {
  it('go to the kernel\'s, and never to where the image leads them', async () => {
    const sysctl = { 'net.ipv4.ip_forward': '1' }
    const change = evilRoot('sysctl', (root) => {
      rmSync(join(root, 'proc'), { recursive: true })
      mkdirSync(join(root, 'fake/sys/net/ipv4'), { recursive: true })
      symlinkSync(join(outside, 'file'), join(root, 'fake/sys/net/ipv4/ip_forward'))
      symlinkSync('/fake', join(root, 'proc'))
    })
    assert.notEqual((await births.shell('true', (spec) => change({ ...spec, linux: { ...spec.linux, sysctl } }))).failure, '')
    // Without a procfs of its own there is nothing to write to.
    const { failure } = await births.shell('true', (spec) => change({ ...spec, mounts: spec.mounts.filter(({ type }) => type !== 'proc'), linux: { ...spec.linux, sysctl, maskedPaths: [], readonlyPaths: [] } }))
    assert.match(failure, /open sysctl net\.ipv4\.ip_forward file/)
    untouched()
  })

  it('change nothing of the host', async () => {
    const before = readFileSync('/proc/sys/kernel/core_pattern', 'utf8')
    for (const name of ['kernel.core_pattern', 'kernel/core_pattern', 'net.ipv4.../../../kernel/core_pattern', 'net.ipv4/../../kernel/core_pattern', 'vm.swappiness']) {
      await assert.rejects(births.run((spec) => ({ ...spec, linux: { ...spec.linux, sysctl: { [name]: '|/evil' } } })), { code: 'invalid-argument' }, name)
    }
    assert.equal(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'), before)
  })
})

describe('CVE-2025-31133: what masks a file', () => {
  it('is the null device of the host, not what the image has at /dev/null', async () => {
    // A /dev that the image prepared, instead of a fresh one.
    const dev = join(births.directory, 'evil-dev')
    mkdirSync(join(dev, 'pts'), { recursive: true })
    for (const name of ['shm', 'mqueue']) mkdirSync(join(dev, name))
    symlinkSync('/proc/sys/kernel/core_pattern', join(dev, 'null'))
    const change: Change<OciSpec> = (spec) => ({ ...spec, mounts: [spec.mounts[0] as OciMount, bind(dev, '/dev'), ...spec.mounts.slice(1).filter(({ destination }) => destination !== '/dev')] })
    const { output, failure } = await births.shell('stat -c "%F %t:%T" /proc/keys; echo "[$(cat /proc/keys)]"; grep " /proc/keys " /proc/self/mountinfo', change)
    assert.equal(failure, '')
    assert.match(output, /^character special file 1:3\n\[\]\n.* \/null \/proc\/keys /)
  })

  it('covers every path of the list, and cannot be taken away', async () => {
    const { output } = await births.shell(
      'for p in /proc/kcore /proc/keys /proc/timer_list /proc/interrupts; do [ -e $p ] && echo "$p [$(head -c 10 $p)]"; done; umount /proc/keys; mount -o remount,rw /proc/sys; echo 1 > /proc/sys/kernel/hostname; echo > /proc/sysrq-trigger; mount -t proc proc /tmp',
    )
    for (const line of output.split('\n').filter((text) => text.startsWith('/proc'))) assert.match(line, / \[\]$/)
    assert.match(output, /can't unmount \/proc\/keys: Operation not permitted/)
    assert.match(output, /sys\/kernel\/hostname: Read-only file system/)
    // Where the kernel has it at all.
    if (existsSync('/proc/sysrq-trigger')) assert.match(output, /sysrq-trigger: Read-only file system/)
    assert.match(output, /mount: permission denied/)
  })
})

describe('CVE-2025-52565: the console', () => {
  it('is bound over a file, and not over what a link in /dev leads to', async () => {
    const dev = join(births.directory, 'console-dev')
    mkdirSync(join(dev, 'pts'), { recursive: true })
    for (const name of ['shm', 'mqueue']) mkdirSync(join(dev, name))
    symlinkSync('/proc/sysrq-trigger', join(dev, 'console'))
    const spec = births.spec((plain) => ({
      ...plain,
      process: { ...plain.process, terminal: true, args: ['cat', '/proc/self/mountinfo'] },
      mounts: [plain.mounts[0] as OciMount, bind(dev, '/dev'), ...plain.mounts.slice(1).filter(({ destination }) => destination !== '/dev')],
    }))
    const birth = createProcess(spec, { terminal: { rows: 24, columns: 80 } }, {})
    const outcome = await born(birth)
    closeSync(birth.master as number)
    if (outcome.born) {
      await ended(outcome.pidfd)
      closeSync(outcome.pidfd)
    }
    assert.match(outcome.born ? 'born' : outcome.failure.message, /error mounting "console": too many levels of symbolic links/)
  })

  it('of an exec is a pseudoterminal, or there is none', async () => {
    const container = await births.start(['sh', '-c', 'umount /dev/pts; ln -s /proc/sysrq-trigger /dev/pts/ptmx; rm /dev/ptmx; mknod /dev/pts/ptmx c 1 3; sleep 100'], (spec) => ({
      ...spec,
      mounts: spec.mounts.filter(({ destination }) => destination !== '/dev/pts'),
    }))
    for (const prepare of ['mkdir -p /dev/pts; ln -sf /proc/sysrq-trigger /dev/pts/ptmx', 'rm /dev/pts/ptmx; mknod /dev/pts/ptmx c 1 3', 'rm /dev/pts/ptmx; mkfifo /dev/pts/ptmx', 'rm -r /dev/pts; ln -s /proc/self /dev/pts']) {
      await births.exec(container, (process) => ({ ...process, args: ['sh', '-c', prepare] }))
      assert.throws(() => births.beginExec(container, (process) => ({ ...process, terminal: true }), { terminal: { rows: 1, columns: 1 } }), { name: /EngineError|SyscallError/ }, prepare)
    }
  })
})

describe('CVE-2026-41579: a /dev that is a link', () => {
  it('gets its nodes inside the root', async () => {
    for (const target of [outside, '../../../../../..', '/etc', '/proc/self/root/etc']) {
      const change = evilRoot(`dev-${target.length}`, (root) => {
        rmSync(join(root, 'dev'), { recursive: true })
        symlinkSync(target, join(root, 'dev'))
      })
      await births.shell('true', change)
      await births.shell('true', (spec) => change({ ...spec, mounts: spec.mounts.filter(({ destination }) => !destination.startsWith('/dev')) }))
      untouched()
    }
  })
})
