import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProcessName } from '@engine/linux/open-process'
import { processArguments, processStat } from '@engine/linux/process-stat'
import { MNT_DETACH, UMOUNT_NOFOLLOW, unmount } from '@engine/linux/unmount'
import { Firewall, listSandboxes, removeLeftBridge, removeSandbox } from '@engine/network'
import { endKeeper, removeCgroup } from '@engine/runtime'
import { signalProcess } from './containers/signal-process.ts'
import type { EngineOptions } from './interface.ts'
import { EnginePaths } from './paths.ts'

/**
 * Takes away what a daemon with these options has on the host, whether it ended well or not: containers' processes, the shim,
 * mounts, sandboxes, bridge, rules, cgroups, the exec root. What lasts (the data root) stays. May be repeated.
 * No daemon with these options may be running.
 * @throws EngineError when processes do not go
 */
export async function teardown(options: EngineOptions): Promise<void> {
  const paths = new EnginePaths(options)
  await removeCgroup(options.cgroupParent)
  await endShim(paths)
  endKeeper(join(paths.execRoot, 'keeper'))
  if (existsSync(paths.sandboxes)) for (const name of listSandboxes(paths.sandboxes)) removeSandbox(join(paths.sandboxes, name))
  await removeNetwork(options)
  for (const target of mountsBelow([options.dataRoot, options.execRoot])) unmount(target, MNT_DETACH | UMOUNT_NOFOLLOW)
  // Its own lock file is released by whoever holds it.
  if (existsSync(options.execRoot)) for (const name of readdirSync(options.execRoot)) if (name !== 'engined.lock') rmSync(join(options.execRoot, name), { recursive: true, force: true })
}

/** Asks the shim to end, which it does when it has no process left; and makes it end if it does not. */
async function endShim(paths: EnginePaths): Promise<void> {
  const file = join(paths.execRoot, 'shim.pid')
  if (!existsSync(file)) return
  const pid = Number(readFileSync(file, 'utf8'))
  const found = processStat(pid)
  // It may end at any time, and its number be another's.
  if (found === undefined || processArguments(pid)?.some((argument) => argument.includes(paths.shimSocket)) !== true) return
  const { startTime } = found
  for (let attempt = 0; isAlive({ pid, startTime }); attempt++) {
    if (attempt % 20 === 0) signalProcess({ pid, startTime }, attempt < 60 ? 'SIGTERM' : 'SIGKILL')
    await sleep(50)
  }
}

function isAlive({ pid, startTime }: ProcessName): boolean {
  const now = processStat(pid)
  return now?.startTime === startTime && now.state !== 'Z'
}

async function removeNetwork(options: EngineOptions): Promise<void> {
  using firewall = new Firewall(options.nftablesTable)
  firewall.ensure()
  for (const bridge of new Set([options.bridge, ...firewall.listBridges()])) await removeLeftBridge(firewall, bridge)
  firewall.remove()
}

/** Mount points at or below directories, the last mounted first. */
function mountsBelow(directories: readonly string[]): string[] {
  const targets = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => (line.split(' ')[4] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))))
  return targets.filter((target) => directories.some((directory) => target === directory || target.startsWith(`${directory}/`))).toReversed()
}
