import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { FlagError, parseFlags } from '../arguments/parse.ts'
import { createBody, type CreateBody } from './create-body.ts'
import { containerFlags } from './flags.ts'

function body(...words: string[]): CreateBody {
  return createBody(parseFlags(words.includes('IMAGE') ? words : [...words, 'IMAGE'], containerFlags, false))
}

function host(...words: string[]): Record<string, unknown> {
  return body(...words).HostConfig
}

function refusal(...words: string[]): string {
  try {
    body(...words)
  } catch (error) {
    assert.ok(error instanceof Error)
    return error instanceof FlagError ? error.message.replace(/^invalid argument .*? flag: /, '') : error.message
  }
  return assert.fail(`${words.join(' ')} was taken`)
}

describe('the create request', () => {
  it('has the command and the streams', () => {
    const given = body('-it', 'IMAGE', 'sh', '-c', '--', 'x')
    assert.deepEqual(given['Cmd'], ['sh', '-c', '--', 'x'])
    assert.deepEqual([given.Tty, given.OpenStdin, given.StdinOnce, given.AttachStdin, given.AttachStdout, given.AttachStderr], [true, true, true, true, true, true])
    const stderrOnly = body('-a', 'STDERR')
    assert.deepEqual([stderrOnly.AttachStdin, stderrOnly.AttachStdout, stderrOnly.AttachStderr], [false, false, true])
    assert.equal(body()['Cmd'], null)
    assert.deepEqual(body('--entrypoint', '')['Entrypoint'], [''])
  })

  it('publishes and exposes ports', () => {
    const given = body('-p', '80', '-p', '127.0.0.1:81:82', '-p', '83-84:93-94/udp', '-p', '8000-8002:70', '-p', '[::1]:5:6', '-p', 'published=7,target=8,protocol=udp', '--expose', '100-101')
    assert.deepEqual(given.HostConfig['PortBindings'], {
      '80/tcp': [{ HostIp: '', HostPort: '' }],
      '82/tcp': [{ HostIp: '127.0.0.1', HostPort: '81' }],
      '93/udp': [{ HostIp: '', HostPort: '83' }],
      '94/udp': [{ HostIp: '', HostPort: '84' }],
      '70/tcp': [{ HostIp: '', HostPort: '8000-8002' }],
      '6/tcp': [{ HostIp: '::1', HostPort: '5' }],
      '8/udp': [{ HostIp: '', HostPort: '7' }],
    })
    assert.deepEqual(Object.keys(given['ExposedPorts'] as object).sort(), ['100/tcp', '101/tcp', '6/tcp', '70/tcp', '8/udp', '80/tcp', '82/tcp', '93/udp', '94/udp'])
  })

  it('refuses ports that are none', () => {
    assert.equal(refusal('-p', 'x'), 'invalid containerPort: x')
    assert.equal(refusal('-p', '99999:80'), 'invalid hostPort: 99999')
    assert.equal(refusal('-p', '80/xyz'), 'invalid proto: xyz')
    assert.equal(refusal('-p', '1-3:1-2'), 'invalid ranges specified for container and host Ports: 1-2 and 1-3')
    assert.equal(refusal('-p', '10.0.0.300:1:2'), 'invalid IP address: 10.0.0.300')
    assert.equal(refusal('-p', ''), 'no port specified: <empty>')
    assert.equal(refusal('--expose', '80:90'), 'invalid port format for --expose: 80:90')
    assert.equal(refusal('--expose', 'x'), 'invalid range format for --expose: x, error: strconv.ParseUint: parsing "x": invalid syntax')
  })

  it('parts volumes from binds, and resolves relative paths here', () => {
    const given = body('-v', '/a:/b:ro', '-v', 'data:/c', '-v', '/anonymous', '-v', './x:/y')
    assert.deepEqual(given.HostConfig['Binds'], ['/a:/b:ro', 'data:/c', `${join(process.cwd(), 'x')}:/y`])
    assert.deepEqual(given['Volumes'], { '/anonymous': {} })
    assert.equal(refusal('-v', ':/x'), 'invalid spec: :/x: empty section between colons')
    assert.equal(refusal('-v', ''), 'invalid empty volume spec')
  })

  it('mounts', () => {
    assert.deepEqual(host('--mount', 'type=bind,src=/x,dst=/y,ro,bind-propagation=rshared', '--mount', 'target=/z,volume-opt=a=b', '--mount', 'type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777')['Mounts'], [
      { Type: 'bind', Source: '/x', Target: '/y', ReadOnly: true, BindOptions: { Propagation: 'rshared' } },
      { Type: 'volume', Target: '/z', VolumeOptions: { DriverConfig: { Options: { a: 'b' } } } },
      { Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 1 << 20, Mode: 0o1777 } },
    ])
    assert.equal(refusal('--mount', 'type=bind,src=a'), 'target is required')
    assert.equal(refusal('--mount', 'dst=/x,bind-propagation=shared'), "cannot mix 'bind-*' options with mount type 'volume'")
    assert.equal(refusal('--mount', 'target=/x,foo=1'), "unexpected key 'foo' in 'foo=1'")
    assert.equal(refusal('--mount', 'x'), "invalid field 'x' must be a key=value pair")
    assert.equal(refusal('--mount', 'type=tmpfs,dst=/x,tmpfs-mode=9'), 'invalid value for tmpfs-mode: 9')
  })

  it('names devices', () => {
    assert.deepEqual(host('--device', '/dev/null:/dev/n:r', '--device', '/dev/zero:rw', '--device', '/dev/full')['Devices'], [
      { PathOnHost: '/dev/null', PathInContainer: '/dev/n', CgroupPermissions: 'r' },
      { PathOnHost: '/dev/zero', PathInContainer: '/dev/zero', CgroupPermissions: 'rw' },
      { PathOnHost: '/dev/full', PathInContainer: '/dev/full', CgroupPermissions: 'rwm' },
    ])
    assert.equal(refusal('--device', 'rel'), 'rel is not an absolute path')
    assert.equal(refusal('--device', '/dev/null:/x:q'), 'bad mode specified: q')
    assert.equal(refusal('--device', '/a:b:c:d'), 'bad format for path: /a:b:c:d')
    assert.equal(refusal('--device-cgroup-rule', 'x'), "invalid device cgroup format 'x'")
  })

  it('joins networks', () => {
    const networks = (...words: string[]): Record<string, Record<string, unknown>> => (body(...words)['NetworkingConfig'] as { EndpointsConfig: Record<string, Record<string, unknown>> }).EndpointsConfig
    assert.deepEqual(networks('--network', 'none'), {})
    assert.deepEqual(Object.keys(networks()), ['default'])
    const { n1, n2 } = networks('--network', 'name=n1,alias=a,ip=1.2.3.4,driver-opt=k=v', '--network', 'n2')
    assert.deepEqual([n1?.['Aliases'], n1?.['IPAMConfig'], n1?.['DriverOpts'], n2?.['Aliases']], [['a'], { IPv4Address: '1.2.3.4' }, { k: 'v' }, null])
    assert.equal(host('--network', 'n1', '--network', 'n2')['NetworkMode'], 'n1')
    assert.equal(refusal('--network', 'x', '--network', 'x'), 'network "x" is specified multiple times')
    assert.equal(refusal('--network', 'host', '--network', 'x'), 'conflicting options: cannot attach both user-defined and non-user-defined network-modes')
    assert.equal(refusal('--network', 'host', '--network-alias', 'a'), 'network-scoped aliases are only supported for user-defined networks')
    assert.equal(refusal('--network', 'name=x,alias=a', '--network-alias', 'b'), 'conflicting options: cannot specify both --network-alias and per-network alias')
    assert.equal(refusal('--network', 'name=a,foo=b'), 'invalid field key foo')
    assert.equal(refusal('--network', ''), 'no name set for network')
  })

  it('limits', () => {
    const given = host('-m', '64m', '--memory-swap', '-1', '--cpus', '0.5', '--pids-limit', '50', '--ulimit', 'nofile=10:20', '--ulimit', 'core=-1', '--ulimit', 'nofile=11:21', '--shm-size', '1g')
    assert.deepEqual([given['Memory'], given['MemorySwap'], given['NanoCpus'], given['PidsLimit'], given['ShmSize']], [64 << 20, -1, 5e8, 50, 2 ** 30])
    assert.deepEqual(given['Ulimits'], [{ Name: 'core', Hard: -1, Soft: -1 }, { Name: 'nofile', Hard: 21, Soft: 11 }])
    assert.equal(refusal('--ulimit', 'x'), 'invalid ulimit argument: x')
    assert.equal(refusal('--ulimit', 'foo=1'), 'invalid ulimit type: foo')
    assert.equal(refusal('--ulimit', 'nofile=5:3'), 'ulimit soft limit must be less than or equal to hard limit: 5 > 3')
    assert.equal(refusal('--memory-swappiness', '200'), 'invalid value: 200. Valid memory swappiness range is 0-100')
    assert.equal(refusal('--device-read-bps', '/a:x'), 'bad format for device path: /a:x')
  })

  it('isolates', () => {
    const given = host('--cap-add', 'net_admin', '--cap-add', 'NET_ADMIN', '--cap-drop', 'all', '--security-opt', 'seccomp=unconfined', '--security-opt', 'systempaths=unconfined', '--pid', 'container:x', '--uts', 'host')
    assert.deepEqual([given['CapAdd'], given['CapDrop'], given['SecurityOpt'], given['MaskedPaths'], given['PidMode'], given['UTSMode']], [['CAP_NET_ADMIN'], ['ALL'], ['seccomp=unconfined'], [], 'container:x', 'host'])
    for (const [flag, why] of [['pid', 'PID'], ['uts', 'UTS'], ['userns', 'USER'], ['cgroupns', 'CGROUP']] as const) assert.equal(refusal(`--${flag}`, 'x'), `--${flag}: invalid ${why} mode`)
    assert.equal(refusal('--security-opt', 'x'), 'Invalid --security-opt: "x"')
    assert.equal(refusal('--security-opt', 'seccomp=/no/file'), 'opening seccomp profile (/no/file) failed: open /no/file: no such file or directory')
    assert.equal(refusal('--sysctl', 'x'), "sysctl 'x' is not allowed")
  })

  it('sends a seccomp profile itself, compact', () => {
    const directory = mkdtempSync(join(tmpdir(), 'engine-cli-'))
    try {
      const profile = join(directory, 'profile.json')
      writeFileSync(profile, '{\n  "defaultAction": "SCMP_ACT_ALLOW"\n}\n')
      assert.deepEqual(host('--security-opt', `seccomp=${profile}`)['SecurityOpt'], ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'])
    } finally {
      rmSync(directory, { recursive: true })
    }
  })

  it('restarts and checks health', () => {
    assert.deepEqual(host('--restart', 'on-failure:3')['RestartPolicy'], { Name: 'on-failure', MaximumRetryCount: 3 })
    assert.deepEqual(host()['RestartPolicy'], { Name: 'no', MaximumRetryCount: 0 })
    assert.deepEqual(body('--health-cmd', 'x y', '--health-interval', '1m', '--health-retries', '3')['Healthcheck'], { Test: ['CMD-SHELL', 'x y'], Interval: 60e9, Retries: 3 })
    assert.deepEqual(body('--no-healthcheck')['Healthcheck'], { Test: ['NONE'] })
    assert.equal(refusal('--rm', '--restart', 'always'), 'conflicting options: cannot specify both --restart and --rm')
    assert.equal(refusal('--restart', 'on-failure:x'), 'invalid restart policy format: maximum retry count must be an integer')
    assert.equal(refusal('--restart', ':3'), 'invalid restart policy format: no policy provided before colon')
    assert.equal(refusal('--no-healthcheck', '--health-cmd', 'x'), '--no-healthcheck conflicts with --health-* options')
    assert.equal(refusal('--health-interval', '-1s'), '--health-interval cannot be negative')
    assert.equal(refusal('--log-driver', 'none', '--log-opt', 'a=b'), 'invalid logging opts for driver none')
  })
})

describe('--gpus', () => {
  const requests = (...given: string[]): unknown => host(...given.flatMap((one) => ['--gpus', one]))['DeviceRequests']
  const gpu = { Driver: '', Count: 0, DeviceIDs: null, Capabilities: [['gpu']], Options: {} }

  it('is a number, all, or fields', () => {
    assert.deepEqual(requests('all'), [{ ...gpu, Count: -1 }])
    assert.deepEqual(requests('2', 'driver=nvidia'), [{ ...gpu, Count: 2 }, { ...gpu, Driver: 'nvidia', Count: 1 }])
    assert.deepEqual(requests('"device=a,b","capabilities=compute,utility","options=x=1"'), [{ ...gpu, DeviceIDs: ['a', 'b'], Capabilities: [['compute', 'utility', 'gpu']], Options: { x: '1' } }])
  })

  it('is refused in docker’s words', () => {
    assert.equal(refusal('--gpus', 'x'), 'invalid count (x): value must be either "all" or an integer: invalid syntax')
    assert.equal(refusal('--gpus', 'a=b'), "unexpected key 'a' in 'a=b'")
    assert.equal(refusal('--gpus', '1,count=2'), "gpu request key 'count' can be specified only once")
    assert.equal(refusal('--gpus', ''), 'EOF')
  })
})
