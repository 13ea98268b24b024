import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { defaultLimits } from '@engine/engine'
import { EngineError } from '@engine/linux'
import { engineOptions, loadConfig, type DaemonConfig } from './config.ts'
import { isAnyAddress, parseAddressPool, parseListenHost, parseSize, parseUlimit } from './config-values.ts'
import { helpText, parseFlags } from './flags.ts'
import { fixedOptions, inertOptions, options, unsupportedOptions } from './options.ts'

function load(file: object | string, ...flags: string[]): DaemonConfig {
  const directory = mkdtempSync(join(tmpdir(), 'engine-config-'))
  try {
    const path = join(directory, 'engine.json')
    writeFileSync(path, typeof file === 'string' ? file : JSON.stringify(file))
    return loadConfig(parseFlags(['--config', path, ...flags]))
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const complaint = (file: object | string, ...flags: string[]): string => {
  try {
    load(file, ...flags)
  } catch (error) {
    assert.ok(error instanceof EngineError)
    return error.message
  }
  return 'accepted'
}

describe('configuration', () => {
  it('has Docker\'s defaults and names of its own', () => {
    const built = engineOptions(load({}), '/usr/local/lib/engine/engined.cjs', () => undefined)
    assert.deepEqual(
      [built.dataRoot, built.execRoot, built.bridge, built.nftablesTable, built.cgroupParent, built.mtu, built.defaultShmSize, built.shutdownTimeout, built.interContainer, built.masquerade],
      ['/var/lib/engine', '/run/engine', 'engine0', 'engine', '/engine', 1500, 64 << 20, 15, true, true],
    )
    assert.equal(built.shimProgram, '/usr/local/lib/engine/engine-shim.cjs')
    assert.equal(built.nodeBinary, process.execPath)
    assert.deepEqual(load({}).listen, [{ kind: 'unix', path: '/run/engine.sock' }])
    assert.equal(load({})['live-restore'], true)
  })

  it('is the file\'s, flags before it', () => {
    const config = load(
      { hosts: ['unix:///a'], bridge: 'b0', icc: true, mtu: 1400, labels: ['a=b'], 'default-ulimits': { nofile: { Name: 'nofile', Soft: 1, Hard: 2 } } },
      '-H', 'unix:///c', '--host=unix:///d', '--icc=false', '--no-live-restore', '--label', 'x=y=z', '--default-ulimit', 'core=0', '--default-address-pool=base=10.9.0.0/16,size=24', '--default-shm-size', '1g', '-D',
    )
    const built = engineOptions(config, '/p/engined.cjs', () => undefined)
    assert.deepEqual(config.hosts, ['unix:///c', 'unix:///d'])
    assert.deepEqual([built.bridge, built.interContainer, built.mtu, built.labels, built.defaultShmSize, built.debug], ['b0', false, 1400, ['x=y=z'], 1 << 30, true])
    assert.equal(config['live-restore'], false)
    assert.deepEqual(built.defaultUlimits, [{ Name: 'core', Soft: 0, Hard: 0 }])
    assert.deepEqual(built.addressPools, [{ base: '10.9.0.0/16', size: 24 }])
  })

  it('limits images, the build cache and archives where it says so', () => {
    const built = engineOptions(load({ 'build-cache-max-size': 5000, 'archive-limits': { depth: 7, 'total-size': '2G' } }, '--image-max-size', '20G'), '/p/engined.cjs', () => undefined)
    assert.deepEqual([built.imageMaxSize, built.buildCacheMaxSize], [20 * 2 ** 30, 5000])
    assert.deepEqual(built.archiveLimits, { ...defaultLimits, depth: 7, contentBytes: 2 ** 31 })
    const unlimited = engineOptions(load({ 'image-max-size': 0 }, '--archive-limits', '{"compression-ratio": 3}'), '/p/engined.cjs', () => undefined)
    assert.deepEqual([unlimited.imageMaxSize, unlimited.buildCacheMaxSize, unlimited.archiveLimits], [undefined, undefined, { ...defaultLimits, ratio: 3 }])
  })

  it('names the key of what is wrong', () => {
    for (const [file, message] of [
      [{ bridge: 'a-name-that-is-too-long' }, 'invalid configuration: bridge: must be a link name of at most 15 characters'],
      [{ mtu: 5 }, 'invalid configuration: mtu: must lie between 68 and 65535'],
      [{ 'data-root': 'relative' }, 'invalid configuration: data-root: must be an absolute path'],
      [{ dns: ['x'] }, 'invalid configuration: dns.0: must be an IP address'],
      [{ bip: '172.17.0.1' }, 'invalid configuration: bip: must be an IPv4 address with prefix length'],
      [{ 'cgroup-parent': '/a/../b' }, 'invalid configuration: cgroup-parent: must be a cgroup below the root'],
      [{ 'nftables-table': 'a b' }, 'invalid configuration: nftables-table: must be a name of letters, digits and _'],
      [{ 'default-shm-size': 'big' }, "invalid configuration: default-shm-size: invalid size: 'big'"],
      [{ 'image-max-size': 'big' }, "invalid configuration: image-max-size: invalid size: 'big'"],
      [{ 'archive-limits': { entries: 0 } }, 'invalid configuration: archive-limits.entries: must be at least 1'],
      [{ 'archive-limits': { 'path-length': 5000 } }, 'invalid configuration: archive-limits.path-length: must be at most 4096'],
      [{ 'archive-limits': { 'pax-size': 'big' } }, 'invalid configuration: archive-limits.pax-size: must be a size such as 64M'],
      [{ 'default-ulimits': { x: { Name: 'x', Soft: 1, Hard: 1 } } }, 'invalid configuration: default-ulimits: invalid ulimit type: x'],
      [{ hosts: ['tcp://:2375'] }, 'invalid configuration: hosts: invalid host tcp://:2375: a tcp host needs an address and a port'],
      [{ hosts: ['http://a:1'] }, 'invalid configuration: hosts: invalid host http://a:1'],
      [{ 'fixed-cidr': '10.0.0.0/24' }, 'invalid configuration: fixed-cidr: bip is needed with it'],
      [{ 'host-gateway-ips': ['10.0.0.1', '10.0.0.2'] }, 'invalid configuration: host-gateway-ips: only one IPv4 address is allowed'],
      [{ 'default-address-pools': [{ base: 'fd00::/48', size: 40 }] }, 'invalid configuration: default-address-pools: invalid address pool fd00::/48: size 40'],
      [{ bip6: '10.0.0.1/24' }, 'invalid configuration: bip6: must be an IPv6 address with prefix length'],
      [{ 'default-gateway-v6': '10.0.0.1' }, 'invalid configuration: default-gateway-v6: must be an IPv6 address'],
      [{ tlsverify: true }, 'invalid configuration: tls: tlscert and tlskey are needed'],
      [{ nonsense: 1, other: 2 }, "the following directives don't match any configuration option: nonsense, other"],
      [{ 'userns-remap': 1 }, 'invalid configuration: userns-remap: Invalid input: expected string, received number'],
      [{ 'authorization-plugins': ['x'] }, 'invalid configuration: authorization-plugins: engine does not support it'],
    ] as const) {
      assert.equal(complaint(file), message)
    }
    assert.match(complaint('{"a":'), /^unable to configure the daemon with file .*JSON/)
    assert.match(complaint('[]'), /holds no JSON object/)
    assert.equal(complaint(''), 'accepted')
    assert.throws(() => loadConfig(parseFlags(['--config', '/nowhere/engine.json'])), /unable to configure the daemon with file \/nowhere\/engine\.json/)
  })

  it('does not open the machine to the world', () => {
    for (const host of ['0.0.0.0', '[::]', '0', '[::0]', '[0:0:0:0:0:0:0:0]', '000.0.0.0']) {
      assert.match(complaint({ hosts: [`tcp://${host}:2375`] }), /without tlsverify/, host)
      assert.match(complaint({ hosts: [`tcp://${host}:2375`], tls: true, tlscert: '/c', tlskey: '/k' }), /without tlsverify/, host)
    }
    const verified = { hosts: ['tcp://0.0.0.0:2376'], tlsverify: true, tlscert: '/c', tlskey: '/k', tlscacert: '/a' }
    assert.equal(complaint(verified), 'accepted')
    assert.match(load({ hosts: ['tcp://10.0.0.1:2375'] }).warnings.join(), /is root on this machine/)
    assert.deepEqual(load(verified).warnings, [])
  })

  it('takes the keys of Docker\'s that change nothing, and says so', () => {
    const { warnings } = load({ features: { buildkit: true }, 'storage-driver': 'overlay2', iptables: true })
    assert.deepEqual(warnings, ['features has no effect on engine'])
  })

  it('knows each key once', () => {
    const all = [...options.map(({ key }) => key), ...Object.keys(fixedOptions), ...inertOptions, ...unsupportedOptions]
    assert.equal(new Set(all).size, all.length)
  })
})

describe('flags', () => {
  it('ask for something else than to run', () => {
    assert.equal(parseFlags([]).action, 'run')
    for (const action of ['help', 'version', 'validate', 'teardown'] as const) assert.equal(parseFlags([`--${action}`]).action, action)
    assert.equal(parseFlags(['-v']).action, 'version')
  })

  it('that do not exist or make no sense are refused', () => {
    for (const argv of [['--nonsense'], ['--mtu', 'x'], ['--mtu', ''], ['--icc=maybe'], ['stray'], ['--bridge']]) assert.throws(() => parseFlags(argv), EngineError, argv.join(' '))
  })

  it('are all explained', () => {
    for (const { key, flag } of options) assert.ok(helpText().includes(`--${flag ?? key}`), key)
  })
})

describe('values', () => {
  it('are sizes in powers of 1024', () => {
    for (const [text, bytes] of [['64M', 64 << 20], ['64m', 64 << 20], ['64 MiB', 64 << 20], ['1.5k', 1536], ['0', 0], ['7b', 7], ['1g', 1 << 30]] as const) assert.equal(parseSize(text), bytes, text)
    for (const text of ['', '-1', 'M', '1x', '1 2']) assert.throws(() => parseSize(text), EngineError, text)
  })

  it('are ulimits, hard at least soft', () => {
    assert.deepEqual(parseUlimit('nofile=1:2'), { Name: 'nofile', Soft: 1, Hard: 2 })
    assert.deepEqual(parseUlimit('core=-1'), { Name: 'core', Soft: -1, Hard: -1 })
    for (const text of ['nofile', 'nofile=2:1', 'nofile=-1:5', 'x=1', 'nofile=1:2:3']) assert.throws(() => parseUlimit(text), EngineError, text)
  })

  it('are pools and hosts', () => {
    assert.deepEqual(parseAddressPool('base=10.0.0.0/8,size=24'), { base: '10.0.0.0/8', size: 24 })
    for (const text of ['', 'base=10.0.0.0/8', 'size=24', 'base=a,size=b', 'base=a,size=1,x=y']) assert.throws(() => parseAddressPool(text), EngineError, text)
    assert.deepEqual(parseListenHost('fd://'), { kind: 'fd', fd: undefined })
    assert.deepEqual(parseListenHost('fd://3'), { kind: 'fd', fd: 3 })
    assert.deepEqual(parseListenHost('tcp://[fd00::1]:2375'), { kind: 'tcp', host: 'fd00::1', port: 2375 })
    assert.equal(isAnyAddress('10.0.0.0'), false)
    assert.equal(isAnyAddress('::1'), false)
  })
})
