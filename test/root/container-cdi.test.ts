import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { openTestEngine, removal } from '../harness/engine.ts'

const directory = mkdtempSync(join(tmpdir(), 'engine-cdi-'))
after(() => rmSync(directory, { recursive: true }))
const world = openTestEngine({ after }, { cdiSpecDirs: [join(directory, 'nowhere'), directory] })
const request = (...DeviceIDs: readonly string[]): { DeviceRequests: { Driver: string; DeviceIDs: readonly string[] }[] } => ({ DeviceRequests: [{ Driver: 'cdi', DeviceIDs }] })

describe('devices of the Container Device Interface', () => {
  before(() => {
    const kind = { cdiVersion: '0.6.0', kind: 'example.com/thing' }
    const null_ = statSync('/dev/null')
    writeFileSync(join(directory, 'a.json'), JSON.stringify({
      ...kind,
      containerEdits: { env: ['KIND=thing'], mounts: [{ hostPath: '/etc/hostname', containerPath: '/opt/of-the-host', options: ['ro'] }] },
      devices: [
        { name: 'one', containerEdits: { env: ['ONE=1'], deviceNodes: [{ path: '/dev/thing1', hostPath: '/dev/zero' }, { path: '/dev/readable', hostPath: '/dev/kmsg', permissions: 'r' }], additionalGids: [4711] } },
        { name: 'two', containerEdits: { env: ['TWO=2'], deviceNodes: [{ path: '/dev/thing2', type: 'c', major: (null_.rdev >> 8) & 0xfff, minor: null_.rdev & 0xff, fileMode: 0o600 }] } },
        { name: 'hooked', containerEdits: { hooks: [{ hookName: 'createContainer', path: '/bin/true' }] } },
      ],
    }))
    writeFileSync(join(directory, 'b.yaml'), 'cdiVersion: 0.6.0\n')
    // As NVIDIA's toolkit writes them: anchors aside, block style, numbers that are octal to YAML 1.1 only.
    writeFileSync(join(directory, 'd.yml'), `---
cdiVersion: 0.5.0
kind: example.com/gpu
containerEdits:
  env:
  - &common VISIBLE=void
devices:
- name: "0"
  containerEdits: &edits
    env: [*common, "GPU=yes"]
    deviceNodes:
    - path: /dev/gpu
      hostPath: /dev/null
      fileMode: 0640
- name: 1
  containerEdits: *edits
`)
    // A bomb: each line ten times the one before.
    writeFileSync(join(directory, 'e.yaml'), `a: &a [x]\n${[...'bcdefghij'].map((letter, i) => `${letter}: &${letter} [${Array(10).fill(`*${'abcdefghi'[i]}`).join(', ')}]\n`).join('')}`)
    writeFileSync(join(directory, 'c.json'), '{"kind": "nonsense"}')
  })

  test('bring their nodes, with the cgroup’s leave, mounts, variables and groups', async () => {
    const { run } = await world
    const { stdout, stderr, code } = await run(
      ['sh', '-c', 'echo $KIND $ONE $TWO; head -c 2 /dev/thing1 | od -An -tx1; stat -c "%F %a" /dev/thing2; test -s /opt/of-the-host && echo mounted; id -G; echo x > /dev/readable'],
      request('example.com/thing=one', 'example.com/thing=two'),
    )
    const [variables, zeros, node, mounted, groups] = stdout.split('\n')
    assert.deepEqual([variables, zeros?.trim(), node, mounted], ['thing 1 2', '00 00', 'character special file 600', 'mounted'])
    assert.ok(groups?.split(' ').includes('4711'))
    assert.match(stderr, /readable: (Operation not permitted|Permission denied)/)
    assert.notEqual(code, 0)
  })

  test('are described in YAML as well', async () => {
    const { run } = await world
    const { stdout } = await run(['sh', '-c', 'echo $VISIBLE $GPU; stat -c "%F %a" /dev/gpu'], request('example.com/gpu=0', 'example.com/gpu=1'))
    assert.equal(stdout, 'void yes\ncharacter special file 640\n')
  })

  test('that nobody describes, or that need hooks, are refused, with the files that could not be read', async () => {
    const { create, engine } = await world
    const refused = async (name: string): Promise<{ readonly message: string; readonly hint?: string }> => {
      const id = await create(['true'], request(name))
      try {
        await engine.containers.start(id)
        throw new Error('it was started')
      } catch (error) {
        return error as Error
      } finally {
        await engine.containers.remove(id, removal)
      }
    }
    const missing = await refused('example.com/thing=three')
    assert.equal(missing.message, 'CDI device injection failed: unresolvable CDI devices example.com/thing=three')
    assert.match(missing.hint ?? '', /b\.yaml: .*kind.*; .*c\.json: .*; .*e\.yaml: Excessive alias count/)
    assert.match((await refused('example.com/thing=hooked')).message, /^CDI device injection failed: device example\.com\/thing=hooked needs hooks/)
  })
})
