import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openDatabase } from '../state/database.ts'
import { ContainersTable } from '../state/containers-table.ts'
import { migrations } from '../state/migrations/index.ts'
import { mergeConfig } from './config.ts'
import { Container, noSandbox } from './container.ts'
import { completeHostConfig } from './host-config.ts'
import { ContainerRegistry } from './registry.ts'
import { createdState } from './state.ts'

function make(id: string, name: string, createdNs = 1n): Container {
  return new Container(
    {
      id, name, createdAt: '2026-11-23T17:40:46.65306662Z', createdNs, imageId: 'sha256:1', path: 'sleep', args: ['1'],
      config: mergeConfig({ Cmd: ['sleep', '1'] }, {}, id),
      hostConfig: completeHostConfig({}, { shmSize: 1, maskedPaths: [], readonlyPaths: [] }),
      mounts: [], endpoints: {}, layers: [],
    },
    createdState(),
    noSandbox,
  )
}
const a = 'a'.repeat(64)
const ab = `ab${'0'.repeat(62)}`

function fresh() {
  const db = openDatabase(':memory:', migrations)
  const registry = new ContainerRegistry(new ContainersTable(db))
  for (const [id, name, created] of [[a, 'one', 2n], [ab, 'two', 1n]] as const) {
    registry.reserve(name, id)
    registry.insert(make(id, name, created))
  }
  return { db, registry }
}

test('a container is found by id, name and beginning', () => {
  const { registry } = fresh()
  for (const ref of [a, 'one', '/one', 'aaa', 'aa']) assert.equal(registry.find(ref).id, a)
  assert.throws(() => registry.find('a'), { code: 'invalid-argument', message: 'Multiple IDs found with provided prefix: a' })
  for (const ref of ['nope', 'ff', '', '/']) assert.throws(() => registry.find(ref), { code: 'not-found', message: `No such container: ${ref}` })
})

test('a name is one container’s at a time', () => {
  const { registry } = fresh()
  assert.throws(() => registry.reserve('one', ab), {
    code: 'conflict',
    message: `Conflict. The container name "/one" is already in use by container "${a}". You have to remove (or rename) that container to be able to reuse that name.`,
  })
  registry.rename(registry.find('one'), 'three')
  assert.equal(registry.find('three').id, a)
  assert.throws(() => registry.find('one'))
  assert.throws(() => registry.rename(registry.find('two'), 'three'), { code: 'conflict' })
  registry.rename(registry.find('two'), 'one')
})

test('what was written is read back, oldest first', () => {
  const { db, registry } = fresh()
  const container = registry.find('one')
  Object.assign(container.state, { status: 'exited', exitCode: 137, oomKilled: true, finishedAt: '2026-11-23T17:45:31.006850435Z', restartCount: 3, error: 'e', manuallyStopped: true })
  container.sandbox = { id: 's', key: '/k', endpoints: [{ id: 'e', networkId: 'n', prefix: 16, gateway: '10.0.0.1', prefix6: 0, gateway6: '', lease: { hostInterface: 'veth1', containerInterface: 'eth0', address: '10.0.0.2', mac: '02:42:0a:00:00:02', antiSpoofing: true } }] }
  registry.saveState(container)
  const again = new ContainerRegistry(new ContainersTable(db))
  assert.deepEqual(again.all().map(({ name }) => name), ['two', 'one'])
  const loaded = again.find('one')
  assert.deepEqual({ ...loaded.record }, { ...container.record })
  assert.deepEqual(loaded.state, container.state)
  assert.deepEqual(loaded.sandbox, container.sandbox)
  again.delete(loaded)
  assert.equal(again.get(a), undefined)
  assert.equal(again.isNameTaken('one'), false)
  assert.equal(new ContainerRegistry(new ContainersTable(db)).all().length, 1)
})
