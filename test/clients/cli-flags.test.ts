import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { run } from '../harness/command-line.ts'
import { dist } from '../harness/daemon.ts'
import { docker28Missing } from '../harness/docker-command.ts'

/** Commands of docker that engine does not have, and why. */
const withoutCommands: Readonly<Record<string, string>> = {
  context: 'contexts: ENGINE_HOST says where the daemon is',
  manifest: 'experimental in docker',
  plugin: 'managed plugins are not there',
  swarm: 'no swarm', node: 'no swarm', service: 'no swarm', stack: 'no swarm', secret: 'no swarm', config: 'no swarm',
  trust: 'Notary is gone',
  checkpoint: 'experimental in docker',
  buildx: 'a plugin of docker', compose: 'a plugin of docker',
  'system dial-stdio': 'for ssh:// hosts, which engine does not speak',
  'volume update': 'of cluster volumes',
}

/** Flags of docker that engine does not have, by command or for all, and why. */
const withoutFlags: Readonly<Record<string, string>> = {
  '* --disable-content-trust': 'Notary is gone',
  '* --isolation': 'Windows',
  '* --kernel-memory': 'gone from kernels and from docker',
  '* --help': 'in every command, and not listed in engine’s help',
  ...Object.fromEntries(['cpu-count', 'cpu-percent', 'io-maxbandwidth', 'io-maxiops'].map((flag) => [`* --${flag}`, 'Windows'])),
  ...Object.fromEntries(['use-api-socket', 'checkpoint', 'checkpoint-dir', 'tree'].map((flag) => [`* --${flag}`, 'experimental in docker'])),
  ...Object.fromEntries(['availability', 'group', 'limit-bytes', 'required-bytes', 'scope', 'secret', 'sharing', 'topology-preferred', 'topology-required', 'type'].map((flag) => [`volume create --${flag}`, 'of cluster volumes'])),
  'volume ls --cluster': 'of cluster volumes',
}

const groups = ['container', 'image', 'network', 'system', 'volume', 'builder']

async function helpOf(by: 'docker' | 'engine', words: readonly string[]): Promise<string> {
  const environment = { DOCKER_BUILDKIT: '0', DOCKER_CLI_HINTS: 'false' }
  const { stdout, stderr } = by === 'docker' ? await run('docker', [...words, '--help'], { env: environment }) : await run(join(dist, 'bin/node'), ['--', join(dist, 'engine.cjs'), ...words, '--help'])
  return stdout + stderr
}

/** Names of commands in a page of help. */
function commandsIn(help: string): string[] {
  return [...help.matchAll(/^ {2}([a-z][\w-]*)\*? {2,}\S/gm)].map(([, name = '']) => name)
}

function flagsIn(help: string): string[] {
  return [...help.matchAll(/^ +(?:-\w, )?--([a-z][\w-]*)/gm)].map(([, name = '']) => name)
}

describe('engine has the commands and flags of docker', { skip: docker28Missing }, () => {
  it('every command', async () => {
    const missing: string[] = []
    const compare = async (group: readonly string[]): Promise<void> => {
      const own = new Set(commandsIn(await helpOf('engine', group)))
      for (const name of commandsIn(await helpOf('docker', group))) {
        const path = [...group, name].join(' ')
        if (!own.has(name) && withoutCommands[path] === undefined) missing.push(path)
      }
    }
    await compare([])
    for (const group of groups) await compare([group])
    assert.deepEqual(missing, [])
  })

  it('every flag', async () => {
    const missing: string[] = []
    const paths = commandsIn(await helpOf('docker', [])).filter((name) => !groups.includes(name)).map((name) => [name])
    for (const group of groups) paths.push(...commandsIn(await helpOf('docker', [group])).map((name) => [group, name]))
    await Promise.all(paths.map(async (path) => {
      const name = path.join(' ')
      if (withoutCommands[name] !== undefined || withoutCommands[path[0] ?? ''] !== undefined) return
      const own = new Set(flagsIn(await helpOf('engine', path)))
      // A help that does not come from engine's table says nothing of flags.
      for (const flag of flagsIn(await helpOf('docker', path))) if (!own.has(flag) && withoutFlags[`* --${flag}`] === undefined && withoutFlags[`${name} --${flag}`] === undefined) missing.push(`${name} --${flag}`)
    }))
    assert.deepEqual(missing.sort(), [])
  })
})
