import { StringDecoder } from 'node:string_decoder'
import { EngineError } from '@engine/linux'
import { toVariables } from '../dockerfile/expand.ts'
import { heredocContent, isHeredoc } from '../dockerfile/heredoc.ts'
import type { CommandLine, RunInstruction } from '../dockerfile/instruction-types.ts'
import { BuildFailure } from '../failure.ts'
import type { StepContainer, StepFile, StepSettings } from '../executor.ts'
import { shortId } from '../output.ts'
import { openMounts } from './run-mounts.ts'
import { newImage, withCache, type Step } from './step.ts'

/** Where a here-document with a `#!` line lies while it runs. */
const scriptDirectory = '/dev/pipes'

/** RUN: runs a command in a container made of the stage's image, and keeps what it changed. */
export async function run(step: Step, instruction: RunInstruction): Promise<void> {
  const { state } = step
  await using open = new AsyncDisposableStack()
  const mounts = await openMounts(step, instruction.mounts, open)
  checkEntitlements(step, instruction)
  const { args, files } = resolveCommand(state.shell, instruction.command)
  const buildArgs = state.args.environment(toVariables(state.environment))
  const counting = buildArgs.filter((arg) => state.args.counts(arg.split('=', 1)[0] as string)).toSorted()
  // History and cache tell the build arguments that count, how many there are first.
  const createdBy = [...(buildArgs.length > 0 ? [`|${counting.length}`, ...counting] : []), ...args].join(' ')
  const settings = {
    command: JSON.stringify([counting, args]),
    ...Object.fromEntries(files.map((file) => [`file ${file.path}`, file.data])),
    ...mounts.settings,
    ...(step.build.hostnameCounts ? { hostname: step.build.hostname } : {}),
    ...(instruction.network === '' ? {} : { network: instruction.network }),
    ...(instruction.security === '' ? {} : { security: instruction.security }),
  }
  await withCache(step, { instruction: createdBy, settings, files: mounts.files }, async () => {
    const environment = [...toVariables([...state.environment, ...buildArgs, ...mounts.environment])].map(([name, value]) => `${name}=${value}`)
    const config = { ...structuredClone(state.config), Hostname: step.build.hostname, Cmd: args, Env: environment, Healthcheck: { Test: ['NONE'] } }
    // An image's entry point must not swallow the command.
    if (args.length > 0) config.Entrypoint = []
    const container = await step.build.executor.createContainer(state.image, config, {
      files,
      mounts: await mounts.prepare(),
      network: instruction.network as StepSettings['network'],
      insecure: instruction.security === 'insecure',
      secretEnvironment: mounts.secretEnvironment,
    })
    return carryOut(step, container, args, createdBy)
  })
}

/** What lets a command out of its box must have been allowed with the build. */
function checkEntitlements({ build: { entitlements } }: Step, { network, security }: RunInstruction): void {
  const wanted = [...(network === 'host' ? ['network.host'] : []), ...(security === 'insecure' ? ['security.insecure'] : [])]
  const missing = wanted.find((entitlement) => !entitlements.has(entitlement))
  if (missing !== undefined) throw new EngineError('forbidden', `granting entitlement ${missing} is not allowed by the build: use --allow ${missing}`)
}

async function carryOut(step: Step, container: StepContainer, args: readonly string[], createdBy: string): Promise<string> {
  const { output, build: { remove, signal } } = step
  let image: string | undefined
  try {
    for (const warning of container.warnings) await output.stdout(` ---> [Warning] ${warning}\n`)
    await output.stdout(` ---> Running in ${shortId(container.id)}\n`)
    const status = await execute(step, container)
    if (status !== 0) throw new BuildFailure(`The command '${args.join(' ')}' returned a non-zero code: ${status}`, status)
    image = await container.commit(newImage(step, createdBy), remove !== 'never')
  } finally {
    // A cancelled build leaves nothing, whatever was asked for.
    if (remove === 'always' || signal.aborted || (remove === 'success' && image !== undefined)) {
      await container.remove()
      if (!signal.aborted) await output.stdout(` ---> Removed intermediate container ${shortId(container.id)}\n`)
    } else await container.keep()
  }
  return image
}

/** Runs the container to its end, its output going to the build's. */
async function execute({ output, build: { signal } }: Step, container: StepContainer): Promise<number> {
  // A chunk may end in the middle of a character.
  const decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') }
  const write = (stream: 'stdout' | 'stderr', text: string): Promise<void> | void => (text === '' ? undefined : output.container(stream, text))
  const status = await container.execute((stream, chunk) => write(stream, decoders[stream].write(chunk)), signal)
  for (const stream of ['stdout', 'stderr'] as const) await write(stream, decoders[stream].end())
  signal.throwIfAborted()
  return status
}

/** The arguments of the process, and the file of a script that stands in the Dockerfile. */
function resolveCommand(shell: readonly string[], command: CommandLine): { args: string[]; files: StepFile[] } {
  const [text] = command.args
  const [first] = command.heredocs
  if (!command.shell || first === undefined || text === undefined) {
    return { args: command.shell ? [...shell, command.args.join(' ')] : [...command.args], files: [] }
  }
  if (command.args.length !== 1) throw new EngineError('invalid-argument', `parsing produced an invalid run command: ${command.args.join(' ')}`)
  if (!isHeredoc(text)) {
    // The shell has here-documents of its own: it gets the whole text.
    const documents = command.heredocs.map((heredoc) => `\n${heredoc.content}${heredoc.name}`).join('')
    return { args: [...shell, text + documents], files: [] }
  }
  const data = heredocContent(first)
  if (!first.content.startsWith('#!')) return { args: [...shell, data], files: [] }
  if (first.name.includes('/') || first.name.startsWith('.')) throw new EngineError('invalid-argument', `invalid name of a here-document: ${first.name}`)
  const path = `${scriptDirectory}/${first.name}`
  return { args: [...shell, path], files: [{ path, data, mode: 0o755 }] }
}
