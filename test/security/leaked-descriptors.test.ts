import assert from 'node:assert/strict'
import { closeSync, openSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { setCloseOnExec } from '@engine/linux/descriptor-flags'
import { TestBirths } from '../harness/birth.ts'

/*
 * CVE-2024-21626: a descriptor of a host directory was open in the runtime's child; a working directory of /proc/self/fd/7, or a
 * program of that path, put the container onto the host's file system.
 */

let births: TestBirths
const leaked: number[] = []

before(() => {
  births = new TestBirths()
  // As bad as can be: directories of the host, and not even close-on-exec.
  for (let i = 0; i < 20; i++) {
    const fd = openSync('/', 'r')
    setCloseOnExec(fd, false)
    leaked.push(fd)
  }
})
after(async () => {
  await births[Symbol.asyncDispose]()
  for (const fd of leaked) closeSync(fd)
})

/** Every number that a descriptor could have, as a directory. */
const directories = (): string[] => Array.from({ length: 64 }, (_, fd) => `/proc/self/fd/${fd}`)

describe('CVE-2024-21626: a descriptor of the host', () => {
  it('is not in a container', async () => {
    const { output } = await births.shell('for f in /proc/self/fd/*; do echo "${f##*/} $(readlink $f)"; done')
    const open = output.trim().split('\n').map((line) => line.split(' '))
    // The shell opens one of its own to list the directory, and is done with it when it looks.
    assert.deepEqual(open.filter(([fd, target = '']) => Number(fd) > 2 && target !== ''), [])
    assert.deepEqual(open.filter(([fd]) => Number(fd) <= 2).map(([fd]) => fd), ['0', '1', '2'])
  })

  it('is not a container\'s working directory', async () => {
    for (const cwd of [...directories().slice(0, 30), `/proc/self/fd/${leaked[0]}/root`, '/proc/self/fd/3/../../..', '/proc/self/cwd', '/proc/1/cwd', '/proc/self/root/..']) {
      const { failure, output } = await births.shell('ls -d /boot /usr/lib/systemd; pwd', (spec) => ({ ...spec, process: { ...spec.process, cwd } }))
      assert.notEqual(failure, '', `${cwd}: ${output}`)
    }
  })

  it('is not an exec\'s working directory, nor its program', async () => {
    const container = await births.start(['sleep', '100'])
    for (const cwd of directories()) {
      const { failure } = await births.exec(container, (process) => ({ ...process, cwd, args: ['pwd'] }))
      assert.match(failure, /chdir to cwd/, cwd)
    }
    for (const fd of leaked.slice(0, 5)) {
      assert.notEqual((await births.exec(container, (process) => ({ ...process, args: [`/proc/self/fd/${fd}/bin/true`] }))).failure, '')
      assert.notEqual((await births.run((spec) => ({ ...spec, process: { ...spec.process, args: [`/proc/self/fd/${fd}/bin/true`] } }))).failure, '')
    }
  })

  it('is not reached by a link of the image at the working directory', async () => {
    const { failure } = await births.shell('pwd', (spec) => ({
      ...spec,
      mounts: [...spec.mounts, { type: 'tmpfs', source: 'tmpfs', destination: '/tmp', options: [] }],
      process: { ...spec.process, cwd: '/tmp/../proc/self/fd/4' },
    })).catch((error: unknown) => ({ failure: String(error) }))
    assert.notEqual(failure, '')
  })
})
