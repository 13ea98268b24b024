import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultCapabilities, type OciSpec } from '@engine/runtime'
import type { ContainerConfig, HostConfig } from '../../types/container-config.ts'
import { mergeConfig } from '../config.ts'
import { Container, noSandbox } from '../container.ts'
import { completeHostConfig } from '../host-config.ts'
import { parseBind, parseMount } from '../mount-parse.ts'
import { createdState } from '../state.ts'
import { containerCapabilities, containerSpec } from './container-spec.ts'
import { parseDeviceRule } from './devices.ts'
import { environment } from './environment.ts'
import { checkPropagation } from './mounts.ts'
import { splitDevice } from './resources.ts'
import { parseSecurityOptions } from './security-options.ts'

const id = 'a'.repeat(64)

function spec(given: HostConfig = {}, config: ContainerConfig = {}, init?: string): OciSpec {
  const host = completeHostConfig(given, { shmSize: 64 << 20, maskedPaths: ['/proc/kcore'], readonlyPaths: ['/proc/sys'] })
  const merged = mergeConfig({ Cmd: ['prog', 'arg'], ...config }, {}, id)
  const mounts = [...(host.Binds ?? []).map((bind) => parseBind(bind, '')), ...(host.Mounts ?? []).map(parseMount)]
  const container = new Container(
    { id, name: 'n', createdAt: '', createdNs: 0n, imageId: '', path: 'prog', args: ['arg'], config: merged, hostConfig: host, mounts, endpoints: {}, layers: [] },
    createdState(),
    noSandbox,
  )
  return containerSpec({
    container,
    root: '/r',
    user: { user: { uid: 0, gid: 0, additionalGids: [] }, home: '/root' },
    security: parseSecurityOptions(host.SecurityOpt ?? []),
    links: [], capabilities: containerCapabilities(container),
    rlimits: [],
    cgroupsPath: `/engine/${id}`,
    hostname: merged.Hostname,
    namespaces: host.NetworkMode === 'host' ? {} : { network: '/run/netns' },
    mounts: { sources: new Map(), files: { hosts: '/h/hosts', hostname: '/h/hostname', resolvConf: '/h/resolv.conf' }, ...(init === undefined ? {} : { init }) },
  })
}
const types = (value: OciSpec): string[] => value.linux.namespaces.map(({ type }) => type)
const at = (value: OciSpec, destination: string) => value.mounts.filter((mount) => mount.destination === destination)

test('a plain container', () => {
  const plain = spec()
  assert.deepEqual(plain.process.args, ['prog', 'arg'])
  assert.deepEqual(types(plain), ['mount', 'network', 'pid', 'ipc', 'uts', 'cgroup'])
  assert.deepEqual(plain.linux.namespaces[1], { type: 'network', path: '/run/netns' })
  assert.equal(plain.process.cwd, '/')
  assert.equal(plain.hostname, 'a'.repeat(12))
  assert.deepEqual([...plain.process.capabilities.bounding].sort(), [...defaultCapabilities].sort())
  assert.deepEqual(plain.process.capabilities.inheritable, [])
  assert.deepEqual([plain.linux.maskedPaths, plain.linux.readonlyPaths], [['/proc/kcore'], ['/proc/sys']])
  assert.deepEqual(plain.mounts.map(({ destination }) => destination), [
    '/proc', '/dev', '/dev/pts', '/sys', '/sys/fs/cgroup', '/dev/mqueue', '/dev/shm', '/etc/hostname', '/etc/hosts', '/etc/resolv.conf',
  ])
  assert.deepEqual(plain.linux.sysctl, { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' })
  assert.equal(plain.linux.resources.memory, undefined)
})

test('namespaces of the host', () => {
  const host = spec({ NetworkMode: 'host', PidMode: 'host', IpcMode: 'host', UTSMode: 'host', CgroupnsMode: 'host' })
  assert.deepEqual(types(host), ['mount'])
  assert.equal(host.hostname, undefined)
  assert.deepEqual(host.linux.sysctl, {})
  assert.deepEqual(at(host, '/dev/shm').map(({ type, source }) => [type, source]), [['bind', '/dev/shm']])
  assert.throws(() => spec({ NetworkMode: 'host', Sysctls: { 'net.ipv4.ip_forward': '1' } }), { message: /OCI runtime create failed: runc create failed: sysctl "net.ipv4.ip_forward" not allowed in host network namespace$/ })
})

test('limits', () => {
  const { resources } = spec({ Memory: 1e8, MemoryReservation: 1e7, NanoCpus: 1.5e9, CpusetCpus: '0', PidsLimit: 7, CpuShares: 512, OomKillDisable: true }).linux
  assert.deepEqual(resources.memory, { limit: 1e8, reservation: 1e7, swap: 2e8, disableOOMKiller: true })
  assert.deepEqual(resources.cpu, { shares: 512, quota: 150_000, period: 100_000, cpus: '0' })
  assert.deepEqual(resources.pids, { limit: 7 })
  assert.deepEqual(spec({ PidsLimit: -1 }).linux.resources.pids, { limit: -1 })
  assert.deepEqual(spec({ CpuQuota: -1 }).linux.resources.cpu, { quota: -1 })
})

test('privileged: every capability and device, nothing masked, /sys writable', () => {
  const privileged = spec({ Privileged: true })
  assert.ok(privileged.process.capabilities.bounding.includes('CAP_SYS_ADMIN'))
  assert.ok(privileged.linux.devices.some(({ path }) => path === '/dev/null'))
  assert.deepEqual([privileged.linux.maskedPaths, privileged.linux.readonlyPaths], [[], []])
  assert.equal(at(privileged, '/sys')[0]?.options.includes('ro'), false)
})

test('mounts of the user take the place of default ones, the higher first', () => {
  const mounted = spec({
    Binds: ['/a:/x/y', '/b:/x:ro', '/c:/dev/shm', '/d:/etc/hosts:ro'],
    Mounts: [{ Type: 'bind', Source: '/e', Target: '/z', ReadOnly: true, BindOptions: { NonRecursive: true, ReadOnlyNonRecursive: true } }],
    Tmpfs: { '/t/': 'size=1m' },
  })
  const own = mounted.mounts.slice(-8).map(({ destination, source, options }) => [destination, source, options.join(',')])
  assert.deepEqual(own, [
    ['/t', 'tmpfs', 'noexec,nosuid,nodev,size=1m'],
    ['/x', '/b', 'rbind,ro,rro,rprivate'],
    ['/z', '/e', 'bind,ro,rprivate'],
    ['/dev/shm', '/c', 'rbind,rprivate'],
    ['/etc/hostname', '/h/hostname', 'bind,rprivate'],
    ['/etc/hosts', '/d', 'rbind,ro,rro,rprivate'],
    ['/etc/resolv.conf', '/h/resolv.conf', 'bind,rprivate'],
    ['/x/y', '/a', 'rbind,rprivate'],
  ])
  const covered = spec({ Binds: ['/e:/etc'] }, {}, '/usr/bin/tini').mounts.map(({ destination }) => destination)
  assert.deepEqual(covered.slice(-5), ['/etc', '/etc/hostname', '/etc/hosts', '/etc/resolv.conf', '/sbin/docker-init'])
  assert.equal(at(mounted, '/dev/shm').length, 1)
  assert.equal(at(mounted, '/etc/hosts').length, 1)
  assert.deepEqual(at(spec({ Tmpfs: { '/dev': '' } }), '/dev/pts'), [])
  assert.throws(() => spec({ Tmpfs: { '/proc': '' } }), { message: /"\/proc" cannot be mounted because it is not of type proc$/ })
})

test('a read-only root leaves what is the process’s own writable', () => {
  const readonly = spec({ ReadonlyRootfs: true })
  assert.equal(readonly.root.readonly, true)
  for (const path of ['/etc/hosts', '/sys', '/sys/fs/cgroup']) assert.ok(at(readonly, path)[0]?.options.includes('ro'), path)
  for (const path of ['/proc', '/dev', '/dev/shm', '/dev/pts', '/dev/mqueue']) assert.equal(at(readonly, path)[0]?.options.includes('ro'), false, path)
})

test('--init, security options, annotations, terminal', () => {
  const init = spec({ Init: true, SecurityOpt: ['no-new-privileges', 'systempaths=unconfined'], Annotations: { k: 'v' }, ConsoleSize: [24, 80] }, { Tty: true }, '/usr/bin/tini-static')
  assert.deepEqual(init.process.args, ['/sbin/docker-init', '--', 'prog', 'arg'])
  assert.deepEqual(at(init, '/sbin/docker-init')[0], { destination: '/sbin/docker-init', type: 'bind', source: '/usr/bin/tini-static', options: ['bind', 'ro', 'rprivate'] })
  assert.deepEqual([init.process.noNewPrivileges, init.linux.maskedPaths, init.annotations], [true, [], { k: 'v' }])
  assert.deepEqual([init.process.terminal, init.process.consoleSize], [true, { height: 24, width: 80 }])
  assert.equal(at(spec({ SecurityOpt: ['writable-cgroups=true'] }), '/sys/fs/cgroup')[0]?.options.includes('ro'), false)
})

test('the environment, in the order of Docker and runc', () => {
  assert.deepEqual(environment({ given: ['PATH=/bin', 'A=1', 'A=2', 'B'], hostname: 'h', tty: true, home: '/root' }), ['PATH=/bin', 'HOSTNAME=h', 'TERM=xterm', 'A=2', 'HOME=/root'])
  assert.deepEqual(environment({ given: ['HOME=/x', 'HOSTNAME'], hostname: 'h', tty: false, home: '/root' }), ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/x'])
})

test('security options that are none', () => {
  assert.throws(() => parseSecurityOptions(['foo']), { message: 'invalid --security-opt 1: "foo"' })
  for (const option of ['foo=bar', 'no-new-privileges:foo', 'systempaths=x']) assert.throws(() => parseSecurityOptions([option]), { message: `invalid --security-opt 2: ${JSON.stringify(option)}` })
  assert.deepEqual(parseSecurityOptions(['seccomp={"a":\n1}', 'label=type:x', 'no-new-privileges=false']).seccomp, { profile: '{"a":\n1}' })
})

test('device rules and numbers', () => {
  assert.deepEqual(parseDeviceRule('c 13:* rw'), { allow: true, type: 'c', major: 13, access: 'rw' })
  assert.deepEqual(parseDeviceRule('a *:* rwm'), { allow: true, type: 'a', access: 'rwm' })
  for (const wrong of ['foo', 'c 1:2', 'x 1:2 r', 'c 1:2 rx']) assert.throws(() => parseDeviceRule(wrong), { message: `invalid device cgroup rule format: '${wrong}'` })
  assert.deepEqual(splitDevice(0x103), { major: 1, minor: 3 })
  assert.deepEqual(splitDevice(0x10fe00), { major: 254, minor: 256 })
})

test('propagation is what the host’s mounts allow', () => {
  const info = `1 0 8:1 / / rw - ext4 /dev/a rw
2 1 8:2 / /shared rw shared:5 - ext4 /dev/b rw
3 1 8:3 / /slave\\040x rw master:6 - ext4 /dev/c rw
`
  const of = (...binds: string[]) => checkPropagation(binds.map((bind) => parseBind(bind, '')), () => info)
  assert.deepEqual([of('/x:/y').root, of('/shared/a:/y:rslave').root, of('/shared:/y:rshared').root, of('/slave x:/y:slave').root], ['rprivate', 'rslave', 'rshared', 'rslave'])
  assert.throws(() => of('/x:/y:rslave'), { message: 'path /x is mounted on / but it is not a shared or slave mount' })
  assert.throws(() => of('/slave x/z:/y:shared'), { message: 'path /slave x/z is mounted on /slave x but it is not a shared mount' })
  const unasked = checkPropagation([{ ...parseBind('/x:/y:rslave', ''), propagationUnasked: true }], () => info)
  assert.deepEqual([unasked.root, unasked.binds.get('/y')], ['rprivate', 'rprivate'])
})
