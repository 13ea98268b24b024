import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { after, describe, test } from 'node:test'
import { newEntry } from '@engine/image'
import type { OciSpec } from '@engine/runtime'
import { tarOf } from '../harness/archives.ts'
import { openTestEngine, removal, until, type TestEngine } from '../harness/engine.ts'

const mappings = { uids: [{ containerID: 0, hostID: 300_000, size: 65_536 }], gids: [{ containerID: 0, hostID: 400_000, size: 65_536 }] }
const usernsRemap = { mappings, root: { uid: 300_000, gid: 400_000 } }
const world = openTestEngine({ after }, { usernsRemap })
const signal = new AbortController().signal

const pidOf = async ({ engine }: TestEngine, id: string): Promise<number> => (await engine.containers.inspect(id, { size: false })).State.Pid
const owner = (path: string): [number, number] => {
  const { uid, gid } = lstatSync(path)
  return [uid, gid]
}
const layer = ({ options }: TestEngine, id: string): string => join(options.dataRoot, 'overlay2', id, 'diff')
const merged = ({ options }: TestEngine, id: string): string => join(options.dataRoot, 'overlay2', id, 'merged')

async function bytes(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function exec({ engine }: TestEngine, id: string, Cmd: readonly string[], more: { readonly User?: string; readonly Privileged?: boolean } = {}): Promise<string> {
  const { Id } = await engine.execs.create(id, { Cmd, AttachStdin: false, AttachStdout: true, AttachStderr: true, Tty: false, Privileged: false, ...more })
  let text = ''
  for await (const { data } of (await engine.execs.start(Id, { detach: false, tty: false }))?.output ?? []) text += data.toString()
  return text
}

describe('a container whose ids are others on the host', () => {
  test('is root inside, and outside a user without rights; its files too, but on disk they are like any other’s', async () => {
    const engine = await world
    const id = await engine.start(['sh', '-c', 'touch /made; mkdir -p /a/b; chown 7:8 /a/b; exec sleep 1000'], { NetworkMode: 'bridge' })
    const pid = await pidOf(engine, id)
    await until('it has made its files', () => existsSync(join(layer(engine, id), 'a/b')) && owner(join(layer(engine, id), 'a/b'))[0] === 7)
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    assert.match(status, /^Uid:\t300000\t300000\t300000\t300000$/m)
    assert.match(status, /^Gid:\t400000\t400000\t400000\t400000$/m)
    assert.match(status, /^CapEff:\t00000000a80425fb$/m)
    assert.match(status, /^Seccomp:\t2$/m)
    assert.deepEqual(readFileSync(`/proc/${pid}/uid_map`, 'utf8').trim().split(/\s+/), ['0', '300000', '65536'])
    assert.deepEqual([owner(join(merged(engine, id), 'made')), owner(join(merged(engine, id), 'a/b')), owner(join(merged(engine, id), 'bin'))], [[300_000, 400_000], [300_007, 400_008], [300_000, 400_000]])
    assert.deepEqual([owner(join(layer(engine, id), 'made')), owner(join(layer(engine, id), 'a/b'))], [[0, 0], [7, 8]])
    assert.equal(readdirSync(join(engine.options.dataRoot, 'overlay2/.mapped')).length, 0)
    // Its network belongs to its user namespace.
    assert.match(await exec(engine, id, ['sh', '-c', 'id -u; ip link set lo mtu 1400; cat /sys/class/net/lo/mtu; nc -l -p 80 & sleep 0; ping -c1 -W1 127.0.0.1 | tail -2; ls -ln /etc/hosts /etc/hostname /etc/resolv.conf | cut -c1-30']), /^0\n.*1 packets received.*(-rw-r--r-- +1 0 +0 .*\n){3}/s)
    await engine.engine.containers.remove(id, removal)
    await until('nothing of it is left', () => engine.traces(id).length === 0)
  })

  test('as another user, with a terminal, in execs, in a health check', async () => {
    const engine = await world
    const id = await engine.start(['sleep', '1000'], { GroupAdd: ['44'] }, { User: '1000:1001', WorkingDir: '/new/dir', Healthcheck: { Test: ['CMD-SHELL', 'id -u > /dev/stdout; test $(id -u) = 1000'], Interval: 100_000_000, Timeout: 20_000_000_000 } })
    const status = readFileSync(`/proc/${await pidOf(engine, id)}/status`, 'utf8')
    assert.match(status, /^Uid:\t301000\t/m)
    assert.match(status, /^Groups:\t400044 401001 $/m)
    assert.match(status, /^CapEff:\t0000000000000000$/m)
    assert.deepEqual(owner(join(layer(engine, id), 'new/dir')), [0, 0])
    assert.match(await exec(engine, id, ['sh', '-c', 'id; pwd; readlink /proc/self/ns/user; grep CapEff /proc/self/status; echo again > /dev/stdout']), new RegExp(`^uid=1000 gid=1001 groups=(44,1001|1001,44)\\n/new/dir\\n${readlinkSync(`/proc/${await pidOf(engine, id)}/ns/user`).replace(/[[\]]/g, '\\$&')}\\nCapEff:\t0{16}\\nagain\\n`))
    assert.match(await exec(engine, id, ['sh', '-c', 'id -u; grep CapEff /proc/self/status; mount -t tmpfs x /tmp && mknod /tmp/null c 1 3'], { User: '0', Privileged: true }), /^0\nCapEff:\t000001f.*(denied|not permitted)/s)
    await until('it is healthy', async () => (await engine.engine.containers.inspect(id, { size: false })).State.Health?.Status === 'healthy')
    await engine.engine.containers.remove(id, removal)
    const tty = await engine.create(['sh', '-c', 'tty; ls -ln $(tty); ls -ln /dev/console; exec sleep 1000'], {}, { Tty: true, User: '5' })
    const { output } = await engine.engine.containers.attach(tty, { stdin: false, stdout: true, stderr: true, stream: true, logs: false })
    await engine.engine.containers.start(tty)
    let text = ''
    for await (const { data } of output) if ((text += data.toString()).includes('console')) break
    assert.match(text, /^\/dev\/(console|pts\/0)\r\ncrw--w----\s+1 5\s+5 /)
    await engine.engine.containers.remove(tty, removal)
  })

  test('is told apart from one with --userns host, and Docker’s rules are kept', async () => {
    const engine = await world
    const id = await engine.start(['sleep', '1000'], { UsernsMode: 'host', Privileged: true, PidMode: 'host' })
    assert.match(readFileSync(`/proc/${await pidOf(engine, id)}/status`, 'utf8'), /^Uid:\t0\t/m)
    assert.equal(readlinkSync(`/proc/${await pidOf(engine, id)}/ns/user`), readlinkSync('/proc/self/ns/user'))
    for (const [host, message] of [
      [{ Privileged: true }, 'privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode'],
      [{ NetworkMode: 'host' }, "cannot share the host's network namespace when user namespaces are enabled"],
      [{ PidMode: 'host' }, 'cannot share the host PID namespace when user namespaces are enabled'],
    ] as const) await assert.rejects(engine.create(['true'], host), { code: 'invalid-argument', message })
    assert.ok((await engine.engine.system.info()).SecurityOptions.includes('name=userns'))
    // Namespaces of one whose user namespace is the host's.
    await assert.rejects(engine.run(['true'], { NetworkMode: `container:${id}` }), /has the host's user namespace/)
    await engine.engine.containers.remove(id, removal)
  })

  test('shares namespaces with another one, and its user namespace with them', async () => {
    const engine = await world
    const first = await engine.start(['sleep', '1000'], { IpcMode: 'shareable' })
    const second = await engine.start(['sleep', '1000'], { NetworkMode: `container:${first}`, PidMode: `container:${first}`, IpcMode: `container:${first}` })
    const third = await engine.start(['sleep', '1000'], { PidMode: `container:${first}` })
    const [one, two, three] = await Promise.all([first, second, third].map((id) => pidOf(engine, id)))
    for (const kind of ['user', 'net', 'pid', 'ipc']) assert.equal(readlinkSync(`/proc/${two}/ns/${kind}`), readlinkSync(`/proc/${one}/ns/${kind}`), kind)
    assert.equal(readlinkSync(`/proc/${three}/ns/user`), readlinkSync(`/proc/${one}/ns/user`))
    assert.notEqual(readlinkSync(`/proc/${three}/ns/net`), readlinkSync(`/proc/${one}/ns/net`))
    assert.match(await exec(engine, third, ['ip', 'link', 'set', 'lo', 'mtu', '1400'], { Privileged: true }), /^$/)
    assert.match(await exec(engine, second, ['ls', '-ldn', '/dev/shm']), /^drwxrwxrwt +\d+ 0 +0 /)
    for (const id of [third, second, first]) await engine.engine.containers.remove(id, removal)
  })

  test('made by runc', { skip: existsSync('/usr/sbin/runc') || existsSync('/usr/bin/runc') ? false : 'runc is not installed' }, async () => {
    const engine = await world
    // It goes to the root by its path, which is open to the container's root from the data root on.
    chmodSync(dirname(engine.options.dataRoot), 0o711)
    const id = await engine.start(['sh', '-c', 'touch /made && exec sleep 1000'], { Runtime: 'runc', NetworkMode: 'bridge', Binds: ['remap-runc:/v'] })
    const pid = await pidOf(engine, id)
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), /^Uid:\t300000\t/m)
    // runc 1.1.10 to 1.1.15 look up the maps of the process that such a path seems to name.
    const { linux } = JSON.parse(readFileSync(join(engine.options.execRoot, 'containers', id, 'bundle', 'config.json'), 'utf8')) as OciSpec
    assert.doesNotMatch(linux.namespaces.find(({ type }) => type === 'user')?.path ?? '/proc/1', /^\/proc\/\d+/)
    await until('it has made its file', () => existsSync(join(layer(engine, id), 'made')))
    assert.deepEqual([owner(join(layer(engine, id), 'made')), owner(join(merged(engine, id), 'made'))], [[0, 0], [300_000, 400_000]])
    assert.match(await exec(engine, id, ['sh', '-c', 'id -u; readlink /proc/self/ns/user; touch /v/x; ip link set lo mtu 1400'], { Privileged: true }), new RegExp(`^0\\n${readlinkSync(`/proc/${pid}/ns/user`).replace(/[[\]]/g, '\\$&')}\\n$`))
    await engine.engine.containers.remove(id, removal)
    await until('nothing of it is left', () => engine.traces(id).length === 0)
  })

  test('devices, mounts of every kind, limits and sysctls', async () => {
    const engine = await world
    const outside = mkdtempSync(join(tmpdir(), 'engine-remap-bind-'))
    try {
      writeFileSync(join(outside, 'secret'), 'secret', { mode: 0o600 })
      const { code, stdout, stderr } = await engine.run(
        ['sh', '-c', 'ls -ln /dev/full /opt/zero | cut -c1-34; head -c 2 /opt/zero | wc -c; cat /bind/secret; touch /bind/x; ls -n /image/bin/busybox | cut -c1-34; touch /t/x /v/x && ls -ln /t/x /v/x | cut -c1-34; ulimit -n; cat /proc/sys/net/ipv4/ip_forward; mount | grep -c cgroup'],
        {
          Devices: [{ PathOnHost: '/dev/zero', PathInContainer: '/opt/zero', CgroupPermissions: 'r' }], Binds: [`${outside}:/bind`, 'remap-kinds:/v'], Tmpfs: { '/t': '' }, Ulimits: [{ Name: 'nofile', Soft: 100, Hard: 200 }],
          Mounts: [{ Type: 'image', Source: 'busybox', Target: '/image' }], Sysctls: { 'net.ipv4.ip_forward': '1' }, ReadonlyRootfs: true, CgroupnsMode: 'host', IpcMode: 'host',
        },
      )
      assert.match(stderr, /can't open '\/bind\/secret': Permission denied\ntouch: \/bind\/x: Permission denied/)
      assert.match(stdout, /^crw-rw-rw- +1 0 +0 .*\ncrw-rw-rw- +1 0 +0 .*\n2\n-.* \d+ 0 +0.*\n-rw.* 1 0 +0 .*\n-rw.* 1 0 +0 .*\n100\n1\n[1-9]/)
      assert.equal(code, 0)
      assert.deepEqual(owner(join(engine.options.dataRoot, 'volumes/remap-kinds/_data/x')), [300_000, 400_000])
    } finally {
      rmSync(outside, { recursive: true, force: true })
    }
  })
})

describe('what lies on disk is right for all', () => {
  test('commit, changes, export and sizes know nothing of it', async () => {
    const engine = await world
    const { containers, images } = engine.engine
    const id = await engine.create(['sh', '-c', 'mkdir /d; echo x > /d/f; chown 33:34 /d/f; chmod 4755 /d/f; rm /bin/[; exec true'])
    const { result } = await containers.wait(id, 'next-exit', signal)
    await containers.start(id)
    assert.equal((await result).StatusCode, 0)
    assert.deepEqual((await containers.changes(id))?.map(({ Path, Kind }) => `${Kind} ${Path}`).filter((line) => /\/d|\[/.test(line)).sort(), ['1 /d', '1 /d/f', '2 /bin/['])
    for (const state of ['stopped', 'running']) {
      if (state === 'running') await containers.start(id)
      const tar = await bytes(await containers.export(id))
      const listed = spawnSync('tar', ['--numeric-owner', '-tvf', '-'], { input: tar, encoding: 'utf8' }).stdout
      assert.match(listed, /^-rwsr-xr-x 33\/34 +2 .* d\/f$/m, state)
      assert.match(listed, /^-rwxr-xr-x 0\/0 .* bin\/busybox$/m, state)
      assert.doesNotMatch(listed, /[34]00\d\d\d\//, state)
    }
    await images.commit(id, { repository: 'committed', tag: 'latest', comment: '', author: '', changes: [], pause: false })
    // In the host's ids, and in others: the same image.
    for (const UsernsMode of ['', 'host']) assert.equal((await engine.run(['stat', '-c', '%u:%g %a', '/d/f'], { UsernsMode }, { Image: 'committed' })).stdout, '33:34 4755\n', UsernsMode)
    await containers.remove(id, removal)
  })

  test('files are copied both ways by the container’s ids, volumes and binds included', async () => {
    const engine = await world
    const { containers } = engine.engine
    const work = mkdtempSync(join(tmpdir(), 'engine-remap-cp-'))
    try {
      chmodSync(work, 0o755)
      writeFileSync(join(work, 'f'), 'f')
      const tar = execFileSync('tar', ['--owner=:33', '--group=:34', '-C', work, '-cf', '-', 'f'])
      const id = await engine.create(['sleep', '1000'], { Binds: ['remap-cp:/v', `${work}:/host`] })
      for (const state of ['new', 'running']) {
        if (state === 'running') await containers.start(id)
        for (const path of ['/tmp', '/v']) {
          await containers.writeArchive(id, path, Readable.from([tar]), { keepKinds: true, ownedByUser: false }, signal)
          const back = spawnSync('tar', ['--numeric-owner', '-tvf', '-'], { input: await bytes((await containers.readArchive(id, `${path}/f`)).tar), encoding: 'utf8' }).stdout
          assert.match(back, /^-rw-r--r-- 33\/34 /, `${state} ${path}`)
        }
      }
      assert.deepEqual(owner(join(layer(engine, id), 'tmp/f')), [33, 34])
      assert.deepEqual(owner(join(engine.options.dataRoot, 'volumes/remap-cp/_data/f')), [300_033, 400_034])
      assert.equal(await exec(engine, id, ['stat', '-c', '%u:%g', '/tmp/f', '/v/f', '/host/f']), '33:34\n33:34\n65534:65534\n')
      const host = spawnSync('tar', ['--numeric-owner', '-tvf', '-'], { input: await bytes((await containers.readArchive(id, '/host/f')).tar), encoding: 'utf8' }).stdout
      assert.match(host, /65534\/65534 /)
      const foreign = execFileSync('tar', ['--owner=:70000', '--group=:0', '-C', work, '-cf', '-', 'f'])
      await assert.rejects(containers.writeArchive(id, '/tmp', Readable.from([foreign]), { keepKinds: true, ownedByUser: false }, signal), /Container ID 70000 cannot be mapped to a host ID/)
      await containers.remove(id, removal)
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  })

  test('one more link to a file gives it its owner by the container’s ids', async () => {
    const engine = await world
    const { containers } = engine.engine
    const id = await engine.create(['sleep', '1000'], { Binds: ['remap-link:/v'] })
    const tar = tarOf([newEntry('file', 'a', { mode: 0o600, uid: 33, gid: 34 })], [newEntry('hardlink', 'b', { mode: 0o4711, uid: 35, gid: 36, linkPath: Buffer.from('a'), xattrs: new Map([['user.note', Buffer.from('x')]]) })])
    for (const state of ['new', 'running']) {
      if (state === 'running') await containers.start(id)
      for (const path of ['/tmp', '/v']) await containers.writeArchive(id, path, Readable.from([tar]), { keepKinds: true, ownedByUser: false }, signal)
    }
    assert.equal(await exec(engine, id, ['stat', '-c', '%u:%g %a %h', '/tmp/a', '/tmp/b', '/v/a', '/v/b']), '35:36 4711 2\n'.repeat(4))
    assert.deepEqual(owner(join(engine.options.dataRoot, 'volumes/remap-link/_data/a')), [300_035, 400_036])
    await containers.remove(id, removal)
  })

  test('a volume is filled from the image by the container’s ids', async () => {
    const engine = await world
    for await (const _ of engine.engine.images.import(Readable.from([busyboxWith('vol/f', 33)]), { repository: 'withvol', tag: 'latest', message: '', changes: [] }, new AbortController().signal));
    for (const [UsernsMode, shift] of [['', 300_000], ['host', 0]] as const) {
      const name = `remap-fill-${UsernsMode || 'own'}`
      assert.equal((await engine.run(['stat', '-c', '%u', '/vol/f'], { UsernsMode, Binds: [`${name}:/vol`] }, { Image: 'withvol' })).stdout, '33\n')
      assert.equal(statSync(join(engine.options.dataRoot, 'volumes', name, '_data/f')).uid, shift + 33)
    }
    assert.deepEqual(owner((await engine.engine.volumes.create({ Name: 'remap-empty', Driver: 'local', DriverOpts: {}, Labels: {} })).Mountpoint), [300_000, 400_000])
  })

  test('a volume is exported and imported by the containers’ ids', async () => {
    const engine = await world
    const { volumes } = engine.engine
    const directory = (name: string): string => join(engine.options.dataRoot, 'volumes', name, '_data')
    await engine.run(['sh', '-c', 'echo x > /v/f; chown 33:34 /v/f; mkdir /v/d; ln /v/f /v/d/g; ln -s f /v/l; chown 35:36 /v; chmod 700 /v'], { Binds: ['remap-out:/v'] })
    writeFileSync(join(directory('remap-out'), 'of-the-host'), '')
    const listing = (tar: Buffer): string => spawnSync('tar', ['--numeric-owner', '-tvf', '-'], { input: tar, encoding: 'utf8' }).stdout.replace(/ +\d+ \d{4}-.*:\d\d /g, ' ')
    const tar = await bytes(await volumes.read('remap-out'))
    assert.equal(listing(tar), 'drwx------ 35/36 ./\ndrwxr-xr-x 0/0 d/\n-rw-r--r-- 33/34 d/g\nhrw-r--r-- 33/34 f link to d/g\nlrwxrwxrwx 0/0 l -> f\n-rw-r--r-- 65534/65534 of-the-host\n')
    await volumes.create({ Name: 'remap-in', Driver: 'local', DriverOpts: {}, Labels: {} })
    await volumes.write('remap-in', Readable.from([tar]), signal)
    assert.deepEqual(['', 'd', 'f', 'l'].map((name) => owner(join(directory('remap-in'), name))), [[300_035, 400_036], [300_000, 400_000], [300_033, 400_034], [300_000, 400_000]])
    assert.equal((await engine.run(['stat', '-c', '%u:%g %a', '/v', '/v/f'], { Binds: ['remap-in:/v'] })).stdout, '35:36 700\n33:34 644\n')
    const work = mkdtempSync(join(tmpdir(), 'engine-remap-volume-'))
    try {
      writeFileSync(join(work, 'f'), '')
      const foreign = execFileSync('tar', ['--owner=:70000', '--group=:0', '-C', work, '-cf', '-', 'f'])
      await assert.rejects(volumes.write('remap-in', Readable.from([foreign]), signal), /Container ID 70000 cannot be mapped to a host ID/)
    } finally {
      rmSync(work, { recursive: true })
    }
  })

  test('a container that was made before stays what it was when the daemon is told otherwise', async () => {
    const engine = await world
    const id = await engine.start(['sh', '-c', 'touch /first; exec sleep 1000'])
    await until('it has made its file', () => existsSync(join(layer(engine, id), 'first')))
    await engine.reopen()
    assert.equal(await exec(engine, id, ['sh', '-c', 'touch /second; stat -c %u /first /second']), '0\n0\n')
    const listed = spawnSync('tar', ['--numeric-owner', '-tvf', '-'], { input: await bytes((await engine.engine.containers.readArchive(id, '/second')).tar), encoding: 'utf8' }).stdout
    assert.match(listed, / 0\/0 /)
    await engine.engine.containers.remove(id, removal)
  })
})

/** Busybox's root with one more file. */
function busyboxWith(path: string, uid: number): Buffer {
  const work = mkdtempSync(join(tmpdir(), 'engine-remap-image-'))
  try {
    execFileSync('sh', ['-c', `mkdir -p bin ${path.slice(0, path.lastIndexOf('/'))}; cp /bin/busybox bin/; ln -s busybox bin/stat; echo x > ${path}; chown ${uid}:${uid} ${path}`], { cwd: work })
    return execFileSync('tar', ['--numeric-owner', '-C', work, '-cf', '-', '.'], { maxBuffer: 1 << 26 })
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
