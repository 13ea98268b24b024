import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { TestDaemon } from '../harness/daemon.ts'
import type { ApiSession } from './api-session.ts'

/** Who pulls and loads in a bench. */
export interface Contender {
  readonly name: string
  pull(reference: string): Promise<void>
  load(archive: string): Promise<void>
  /** Takes an image away, and waits until its files are deleted: the next is not to be measured with that. */
  remove(reference: string): Promise<void>
}

/** An engine with Docker's API. @param daemon engined, which deletes in the background */
export function apiContender(name: string, api: ApiSession, daemon?: TestDaemon): Contender {
  return {
    name,
    async pull(reference) {
      const [, repository = '', tag = ''] = /^(.*):([^:/]*)$/.exec(reference) ?? []
      const answer = await api.text('POST', `/images/create?fromImage=${repository}&tag=${tag}`)
      if (!answer.includes('Downloaded newer image')) throw new Error(`not pulled: ${answer.slice(-500)}`)
    },
    async load(archive) {
      const answer = await api.uploadFile('/images/load', archive)
      if (!answer.includes('Loaded image')) throw new Error(`not loaded: ${answer.slice(-500)}`)
    },
    async remove(reference) {
      await api.call('DELETE', `/images/${reference}?force=1`)
      if (daemon === undefined) return
      const trash = join(daemon.dataRoot, 'overlay2/.trash')
      while (readdirSync(trash).length > 0) await sleep(100)
    },
  }
}

/** Podman with a store of its own; undefined where it is not installed. @param directory an empty one; see {@link removePodmanStore} */
export function podmanContender(directory: string): Contender | undefined {
  if (!existsSync('/usr/bin/podman')) return undefined
  const run = (...args: readonly string[]): Promise<unknown> => podman(directory, args)
  return {
    name: 'podman',
    pull: async (reference) => void (await run('pull', '--quiet', '--tls-verify=false', reference)),
    load: async (archive) => void (await run('load', '--quiet', '--input', archive)),
    remove: async (reference) => void (await run('rmi', '--force', reference)),
  }
}

export async function removePodmanStore(directory: string): Promise<void> {
  await podman(directory, ['system', 'reset', '--force'])
}

const execute = promisify(execFile)

function podman(directory: string, args: readonly string[]): Promise<unknown> {
  const store = ['--root', join(directory, 'storage'), '--runroot', join(directory, 'run'), '--storage-driver', 'overlay']
  return execute('/usr/bin/podman', [...store, '--tmpdir', join(directory, 'tmp'), '--events-backend', 'none', ...args], { env: { PATH: process.env['PATH'], TMPDIR: directory } })
}
