import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestDaemon } from '../harness/daemon.ts'
import type { Podman } from '../harness/podman.ts'
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

/** Podman, with its own store. */
export function podmanContender(podman: Podman): Contender {
  return {
    name: 'podman',
    pull: async (reference) => void (await podman.run('pull', '--quiet', '--tls-verify=false', reference)),
    load: async (archive) => void (await podman.run('load', '--quiet', '--input', archive)),
    remove: async (reference) => void (await podman.run('rmi', '--force', reference)),
  }
}
