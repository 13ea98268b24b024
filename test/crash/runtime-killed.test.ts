import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { processStat } from '@engine/linux/process-stat'
import { connect, type Client } from '@engine/api/client'
import { createContainer, importBusybox, inspectContainer, until } from '../harness/containers.ts'
import { startDaemon, type TestDaemon } from '../harness/daemon.ts'
import { settledDiscrepancies } from '../harness/host-state.ts'
import { removeEverything } from '../harness/kill-points.ts'

const runc = ['/usr/sbin/runc', '/usr/bin/runc', '/usr/local/sbin/runc'].find((path) => existsSync(path))

/** runc, but before the verb that is in the file `gate` it waits until that file is gone. */
const gated = (directory: string): string => `#!/bin/sh
for word; do
  case $word in create|start)
    [ "$(cat ${directory}/gate 2>/dev/null)" = "$word" ] && touch ${directory}/waiting
    while [ "$(cat ${directory}/gate 2>/dev/null)" = "$word" ]; do sleep 0.02; done;;
  esac
done
exec ${runc} "$@"
`

describe('a container that another runtime was making when everything was killed', { skip: runc === undefined ? 'runc is not installed' : false }, () => {
  let directory: string
  let daemon: TestDaemon
  let client: Client

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'gated-runc-'))
    writeFileSync(join(directory, 'runc'), gated(directory))
    chmodSync(join(directory, 'runc'), 0o755)
    daemon = await startDaemon({ runtimes: { gated: { path: join(directory, 'runc') } } })
    client = connect(daemon.host)
    await importBusybox(client)
  })
  after(async () => {
    rmSync(join(directory, 'gate'), { force: true })
    await daemon?.[Symbol.asyncDispose]()
    rmSync(directory, { recursive: true, force: true })
  })

  const root = (): string => join(daemon.execRoot, 'runtimes/gated')
  /** What runc itself knows. */
  const known = (): unknown[] => (JSON.parse(execFileSync(runc as string, ['--root', root(), 'list', '--format', 'json'], { encoding: 'utf8' })) as unknown[] | null) ?? []
  const groups = (): string[] => {
    const place = join('/sys/fs/cgroup', existsSync('/sys/fs/cgroup/pids') ? 'pids' : '', daemon.cgroupParent)
    return existsSync(place) ? readdirSync(place).filter((name) => /^[0-9a-f]{64}$/.test(name)) : []
  }

  /** Begins a start and kills engined, and the shim too if so wished, while the runtime stands before `verb`. */
  async function killedBefore(verb: 'create' | 'start', shimToo: boolean): Promise<string> {
    const id = await createContainer(client, ['sleep', '1000'], { Runtime: 'gated' })
    rmSync(join(directory, 'waiting'), { force: true })
    writeFileSync(join(directory, 'gate'), verb)
    const failing = assert.rejects(client.request('POST', `/containers/${id}/start`))
    await until('the runtime waits', () => existsSync(join(directory, 'waiting')))
    const shim = daemon.shimPid()
    const stopped = daemon.stop('SIGKILL')
    if (shimToo) process.kill(shim, 'SIGKILL')
    await stopped
    await failing
    return id
  }

  for (const shimToo of [false, true]) {
    it(`after its create, before its start: ${shimToo ? 'engined and shim' : 'engined'}`, async () => {
      const id = await killedBefore('start', shimToo)
      // It is there, and no row knows of it: its first process waits to be started.
      const [container] = known() as { readonly id: string; readonly status: string; readonly pid: number }[]
      assert.deepEqual([container?.id, container?.status], [id, 'created'])
      mkdirSync(join(root(), 'not-a-container'))
      await daemon.start()
      rmSync(join(directory, 'gate'))
      await until('its process is gone', () => (processStat(container?.pid ?? 0)?.state ?? 'Z') === 'Z')
      rmSync(join(root(), 'not-a-container'), { recursive: true })
      assert.deepEqual(known(), [])
      await until('its cgroup is gone', () => groups().length === 0)
      assert.deepEqual(await settledDiscrepancies(daemon), [])
      const { State } = await inspectContainer(client, id)
      assert.deepEqual([State.Status, State.Pid, State.Error], ['created', 0, 'the start was interrupted: engined ended meanwhile'])
      await until('it can be started', () => client.request('POST', `/containers/${id}/start`).then(() => true, () => false))
      assert.match(readFileSync(`/proc/${(await inspectContainer(client, id)).State.Pid}/comm`, 'utf8'), /sleep/)
      await client.request('DELETE', `/containers/${id}`, { query: { force: true } })
      assert.deepEqual(known(), [])
    })
  }

  it('before its create, when the shim goes on and makes it although nobody waits any more', async () => {
    const id = await killedBefore('create', false)
    await daemon.start()
    rmSync(join(directory, 'gate'))
    await until('it can be started', () => client.request('POST', `/containers/${id}/start`).then(() => true, () => false))
    const { State } = await inspectContainer(client, id)
    assert.equal(State.Status, 'running')
    assert.equal(known().length, 1)
    await client.request('DELETE', `/containers/${id}`, { query: { force: true } })
    assert.deepEqual([known(), groups()], [[], []])
    await removeEverything(daemon, client)
  })
})
